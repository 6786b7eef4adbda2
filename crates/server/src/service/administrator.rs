//! The administrator of this server: first password with the setup secret, sign in and out, settings.

use super::access::Caller;
use super::failure::Failure;
use super::passwords::Passwords;
use super::throttle::Throttle;
use crate::random::SharedRandom;
use crate::server::Server;
use crate::store::{self, Session};
use leasehold_core::access::ServerAction;
use leasehold_core::engine::{Act, Audit};
use leasehold_core::ids::SessionId;
use leasehold_core::random::{self, Random};
use leasehold_core::time::{HOUR_MS, Ms};
use leasehold_db::DbError;
use leasehold_trust::secret::sha256;
use leasehold_web::session::SessionToken;
use leasehold_wire::server::{SettingsRequest, SettingsResponse, SignInResponse};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Characters a password must have at least.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Characters a password may have at most.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// How long a sign-in lasts, in milliseconds.
const SESSION_MS: i64 = 12 * HOUR_MS;
/// Wrong passwords, tokens and setup secrets from one address in five minutes.
const WRONG_MAX: u32 = 10;
/// Wrong secrets of leases from one address in five minutes: a studio's gateway has many machines behind it.
const WRONG_LEASE_SECRETS_MAX: u32 = 100;

/// What is known about the administrator while the server runs.
#[derive(Debug)]
pub(crate) struct Administrator {
    passwords: Passwords,
    wrong: Throttle,
    wrong_lease_secrets: Throttle,
    /// A password was set; cached, because every page asks.
    set_up: AtomicBool,
    /// SHA-256 of the one-time secret; `None` once it was used, or if it was not needed.
    setup_secret: Mutex<Option<[u8; 32]>>,
    setup_secret_text: Mutex<Option<String>>,
    token_file: OnceLock<SessionToken>,
}

impl Administrator {
    /// `set_up` tells whether there is a password; without one a setup secret is drawn.
    pub(crate) fn new(set_up: bool, random: &SharedRandom) -> Administrator {
        let secret = (!set_up).then(|| random.draw(secret_text));
        Administrator {
            passwords: Passwords::new(),
            wrong: Throttle::new(WRONG_MAX),
            wrong_lease_secrets: Throttle::new(WRONG_LEASE_SECRETS_MAX),
            set_up: AtomicBool::new(set_up),
            setup_secret: Mutex::new(secret.as_ref().map(|secret| sha256(secret.as_bytes()))),
            setup_secret_text: Mutex::new(secret),
            token_file: OnceLock::new(),
        }
    }

    /// The setup secret, to be printed once.
    pub(crate) fn take_setup_secret(&self) -> Option<String> {
        self.setup_secret_text.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// No password was set yet.
    pub(crate) fn setup_needed(&self) -> bool {
        !self.set_up.load(Ordering::Relaxed)
    }

    /// Takes the token of this start's token file.
    pub(crate) fn set_token_file(&self, token: SessionToken) {
        // Set once, by the one `serve` of this process.
        let _ = self.token_file.set(token);
    }

    pub(super) fn is_token_file(&self, token: &SessionToken) -> bool {
        // Hashes are compared, so the time tells nothing about the token.
        self.token_file.get().is_some_and(|ours| ours.hash() == token.hash())
    }

    /// Counts a wrong token, and refuses if there were too many.
    pub(super) fn wrong(&self, address: IpAddr, now: Ms) -> Result<(), Failure> {
        count(&self.wrong, address, now)
    }

    /// Counts a wrong secret of a lease, and refuses if there were too many.
    pub(super) fn wrong_lease_secret(&self, address: IpAddr, now: Ms) -> Result<(), Failure> {
        count(&self.wrong_lease_secrets, address, now)
    }
}

fn count(throttle: &Throttle, address: IpAddr, now: Ms) -> Result<(), Failure> {
    if let Some(wait_s) = throttle.wait_s(address, now) {
        return Err(Failure::TooManyTries { wait_s });
    }
    throttle.failed(address, now);
    Ok(())
}

/// A secret that a person types: 20 characters of Crockford's base 32 in groups, 100 bits.
pub(crate) fn secret_text(random: &mut dyn Random) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let drawn: [u8; 20] = random::bytes(random);
    let chars: Vec<char> = drawn.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    chars.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

fn check_new(password: &str) -> Result<(), Failure> {
    let chars = password.chars().count();
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        return Ok(());
    }
    Err(Failure::BadField(format!("`password` must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")))
}

impl Server {
    /// Sets the administrator's first password, with the secret that the server printed, and signs in.
    ///
    /// # Errors
    /// [`Failure::AlreadySetUp`], [`Failure::WrongPassword`], [`Failure::BadField`], [`Failure::TlsRequired`],
    /// [`Failure::TooManyTries`], or the database's.
    pub async fn set_up(&self, caller: &Caller, secret: &str, password: &str) -> Result<SignInResponse, Failure> {
        let administrator = &self.0.administrator;
        self.may_try(caller)?;
        if !administrator.setup_needed() {
            return Err(Failure::AlreadySetUp);
        }
        check_new(password)?;
        let expected = *administrator.setup_secret.lock().unwrap_or_else(PoisonError::into_inner);
        if expected != Some(sha256(secret.trim().as_bytes())) {
            administrator.wrong.failed(caller.address(), self.now());
            return Err(Failure::WrongPassword);
        }
        let salt = self.0.random.draw(random::bytes);
        let hash = administrator.passwords.hash(password.to_owned(), salt).await?;
        let who = Act { who: "administrator".into(), ..caller.act() };
        let audit = Audit { act: who, ..self.audit(caller, "administrator_setup", "with the setup secret".to_owned()) };
        let set = hash.clone();
        let stored = move |tx: &mut leasehold_db::Tx<'_>| {
            let first = store::set_first_password(tx, &set)?;
            if first {
                store::add_audit(tx, &audit)?;
            }
            Ok::<_, DbError>(first)
        };
        let first = self.0.db.write_async(stored).await?;
        administrator.set_up.store(true, Ordering::Relaxed);
        *administrator.setup_secret.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if first { self.begin_session(caller, hash).await } else { Err(Failure::AlreadySetUp) }
    }

    /// Forgets the administrator's password and every sign-in, and draws a new setup secret: for whoever has the data
    /// folder in hand, when the password is lost. Somebody who is merely signed in has to know the password to change
    /// it. Answers the secret.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NotHere`], or the database's.
    pub async fn reset_administrator(&self, caller: &Caller) -> Result<String, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        if !caller.is_here() || caller.session().is_some() {
            return Err(Failure::NotHere);
        }
        // To its end, also if the caller does not wait for it: memory and disk say the same.
        let (server, caller) = (self.clone(), caller.clone());
        let done = tokio::spawn(async move { server.forget_password(&caller).await }).await;
        done.map_err(|error| Failure::Internal(error.to_string()))?
    }

    async fn forget_password(&self, caller: &Caller) -> Result<String, Failure> {
        let audit = self.audit(caller, "administrator_reset", "a new setup secret was drawn".to_owned());
        let stored = move |tx: &mut leasehold_db::Tx<'_>| {
            store::clear_password(tx)?;
            store::end_all_sessions(tx)?;
            store::add_audit(tx, &audit)
        };
        self.0.db.write_async(stored).await?;
        let secret = self.0.random.draw(secret_text);
        let administrator = &self.0.administrator;
        let hash = Some(sha256(secret.as_bytes()));
        *administrator.setup_secret.lock().unwrap_or_else(PoisonError::into_inner) = hash;
        administrator.set_up.store(false, Ordering::Relaxed);
        Ok(secret)
    }

    /// Signs the administrator of this server in.
    ///
    /// # Errors
    /// [`Failure::WrongPassword`], [`Failure::SetupNeeded`], [`Failure::TlsRequired`], [`Failure::TooManyTries`], or
    /// the database's.
    pub async fn sign_in(&self, caller: &Caller, password: &str) -> Result<SignInResponse, Failure> {
        let verified = self.check_password(caller, password).await?;
        self.begin_session(caller, verified).await
    }

    /// Changes the administrator's password. All other sign-ins end.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::WrongPassword`], [`Failure::BadField`], [`Failure::TooManyTries`], or the
    /// database's.
    pub async fn change_password(&self, caller: &Caller, current: &str, new: &str) -> Result<(), Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        self.check_password(caller, current).await?;
        check_new(new)?;
        let salt = self.0.random.draw(random::bytes);
        let hash = self.0.administrator.passwords.hash(new.to_owned(), salt).await?;
        let kept = caller.session().map(SessionToken::hash).unwrap_or_default();
        let audit = self.audit(caller, "administrator_password", "changed; all other sign-ins ended".to_owned());
        let stored = move |tx: &mut leasehold_db::Tx<'_>| {
            store::set_password(tx, &hash)?;
            store::end_other_sessions(tx, &kept)?;
            store::add_audit(tx, &audit)
        };
        Ok(self.0.db.write_async(stored).await?)
    }

    /// Answers the hash of the password that was shown.
    async fn check_password(&self, caller: &Caller, password: &str) -> Result<String, Failure> {
        let administrator = &self.0.administrator;
        self.may_try(caller)?;
        let stored = self.0.db.read_async(store::state).await?.password_hash.ok_or(Failure::SetupNeeded)?;
        // Counted before it is checked, so that many tries at once do not all slip through; overlong input is nobody's
        // password and costs no hashing.
        administrator.wrong.failed(caller.address(), self.now());
        let plausible = password.chars().count() <= PASSWORD_CHARS_MAX;
        if !plausible || !administrator.passwords.verify(password.to_owned(), stored.clone()).await? {
            return Err(Failure::WrongPassword);
        }
        administrator.wrong.forget(caller.address());
        Ok(stored)
    }

    fn may_try(&self, caller: &Caller) -> Result<(), Failure> {
        if !caller.is_safe() {
            return Err(Failure::TlsRequired);
        }
        match self.0.administrator.wrong.wait_s(caller.address(), self.now()) {
            Some(wait_s) => Err(Failure::TooManyTries { wait_s }),
            None => Ok(()),
        }
    }

    /// Signs in whoever has shown the password with the hash `verified`, if it is still the password: it may have been
    /// changed, and every session ended, while it was being verified.
    async fn begin_session(&self, caller: &Caller, verified: String) -> Result<SignInResponse, Failure> {
        let now = self.now();
        let (token, id) = self.0.random.draw(|random| (SessionToken::draw(random), SessionId::draw(now, random)));
        let session = Session {
            token_sha256: token.hash(),
            id,
            created_at: now,
            expires_at: now.plus(SESSION_MS),
            address: caller.address().to_string(),
        };
        let response = SignInResponse { token: token.text(), session: id, expires_at: session.expires_at.into() };
        let who = Act { who: "administrator".into(), ..caller.act() };
        let audit = Audit { at: now, act: who, action: "administrator_sign_in", detail: String::new() };
        let stored = move |tx: &mut leasehold_db::Tx<'_>| {
            if store::state(tx)?.password_hash.as_deref() != Some(&*verified) {
                return Ok(false);
            }
            store::add_session(tx, &session)?;
            store::add_audit(tx, &audit)?;
            Ok::<_, DbError>(true)
        };
        if self.0.db.write_async(stored).await? { Ok(response) } else { Err(Failure::WrongPassword) }
    }

    /// Ends the session with which the caller is signed in; without one there is nothing to end.
    ///
    /// # Errors
    /// [`Failure::SignIn`], or the database's.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        if let Some(token) = caller.session() {
            let hash = token.hash();
            self.0.db.write_async(move |tx| store::end_session(tx, &hash)).await?;
        }
        Ok(())
    }

    /// Changes settings; what is not given stays.
    ///
    /// # Errors
    /// [`Failure::SignIn`], or the database's.
    pub async fn change_settings(&self, caller: &Caller, change: SettingsRequest) -> Result<SettingsResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        if let Some(open) = change.usage_open {
            let detail = if open { "everybody may see who uses what" } else { "who uses what needs a sign-in" };
            let audit = self.audit(caller, "settings_change", detail.to_owned());
            let stored = move |tx: &mut leasehold_db::Tx<'_>| {
                store::set_usage_open(tx, open)?;
                store::add_audit(tx, &audit)
            };
            self.0.db.write_async(stored).await?;
            self.0.usage_open.store(open, Ordering::Relaxed);
        }
        Ok(SettingsResponse { usage_open: self.usage_open() })
    }

    pub(super) fn audit(&self, caller: &Caller, action: &'static str, detail: String) -> Audit {
        Audit { at: self.now(), act: caller.act(), action, detail }
    }
}
