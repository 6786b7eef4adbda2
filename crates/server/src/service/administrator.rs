//! Signing in and out, the first account with the setup secret, one's own password. Accounts of others are in
//! [`super::administrators`].

use super::access::Caller;
use super::failure::Failure;
use super::passwords::Passwords;
use super::throttle::Throttle;
use crate::random::SharedRandom;
use crate::server::Server;
use crate::store::{self, Account, Session};
use leasehold_core::access::{AdministratorKind, ServerAction};
use leasehold_core::engine::{Act, Audit};
use leasehold_core::ids::SessionId;
use leasehold_core::random::{self, Random};
use leasehold_core::text;
use leasehold_core::time::{HOUR_MS, Ms};
use leasehold_db::DbError;
use leasehold_trust::secret::{sha256, sha256_hex};
use leasehold_web::session::SessionToken;
use leasehold_wire::server::SignInResponse;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Characters a password must have at least.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Characters a password may have at most.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// The account that is meant where no name is given.
pub(crate) const ADMINISTRATOR_NAME: &str = "administrator";
/// Longest name of an account, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 64;
/// How long a sign-in lasts, in milliseconds.
const SESSION_MS: i64 = 12 * HOUR_MS;
/// Wrong passwords, tokens and setup secrets from one address in five minutes.
const WRONG_MAX: u32 = 10;
/// Wrong secrets of leases from one address in five minutes: a studio's gateway has many machines behind it.
const WRONG_LEASE_SECRETS_MAX: u32 = 100;

/// What is known about administrators while the server runs.
#[derive(Debug)]
pub(crate) struct Administrator {
    pub(super) passwords: Passwords,
    wrong: Throttle,
    wrong_lease_secrets: Throttle,
    /// There is an account; cached, because every page asks.
    set_up: AtomicBool,
    /// A reset drew a setup secret that nobody has used yet.
    reset_open: AtomicBool,
    /// SHA-256 of this start's one-time secret; `None` once it was used, or if it was not needed.
    setup_secret: Mutex<Option<[u8; 32]>>,
    setup_secret_text: Mutex<Option<String>>,
    token_file: OnceLock<SessionToken>,
}

impl Administrator {
    /// `set_up` tells whether there is an account; without one a setup secret is drawn. `reset_open`: one that a reset
    /// drew is still good.
    pub(crate) fn new(set_up: bool, reset_open: bool, random: &SharedRandom) -> Administrator {
        let secret = (!set_up).then(|| random.draw(secret_text));
        Administrator {
            passwords: Passwords::new(),
            wrong: Throttle::new(WRONG_MAX),
            wrong_lease_secrets: Throttle::new(WRONG_LEASE_SECRETS_MAX),
            set_up: AtomicBool::new(set_up),
            reset_open: AtomicBool::new(reset_open),
            setup_secret: Mutex::new(secret.as_ref().map(|secret| sha256(secret.as_bytes()))),
            setup_secret_text: Mutex::new(secret),
            token_file: OnceLock::new(),
        }
    }

    /// The setup secret, to be printed once.
    pub(crate) fn take_setup_secret(&self) -> Option<String> {
        self.setup_secret_text.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// There is no account yet.
    pub(crate) fn setup_needed(&self) -> bool {
        !self.set_up.load(Ordering::Relaxed)
    }

    /// Whoever has a setup secret may use it.
    pub(crate) fn setup_open(&self) -> bool {
        self.setup_needed() || self.reset_open.load(Ordering::Relaxed)
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

pub(super) fn check_new_password(password: &str) -> Result<(), Failure> {
    let chars = password.chars().count();
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        return Ok(());
    }
    Err(Failure::BadField(format!("`password` must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")))
}

/// The name of an account as it is kept.
pub(super) fn check_name(name: &str) -> Result<String, Failure> {
    let name = name.trim();
    text::name(name).map_err(|why| Failure::BadField(format!("`name` {why}")))?;
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(Failure::BadField(format!("`name` must have at most {NAME_CHARS_MAX} characters")));
    }
    Ok(name.to_owned())
}

/// What came of a setup secret.
enum Set {
    /// The account has this name, which is written as it always was.
    Now(String),
    /// The secret is used up.
    Before,
    /// The name is of an account that may only look.
    ReadOnly,
}

impl Server {
    /// Makes an account with a setup secret, and signs it in: the first one, with the secret that the server printed; or,
    /// with that of a reset, a new one, or a new password for one that is there. All others stay.
    ///
    /// # Errors
    /// [`Failure::AlreadySetUp`], [`Failure::WrongPassword`], [`Failure::BadField`], [`Failure::TlsRequired`],
    /// [`Failure::TooManyTries`], or the database's.
    pub async fn set_up(
        &self,
        caller: &Caller,
        secret: &str,
        name: Option<&str>,
        password: &str,
    ) -> Result<SignInResponse, Failure> {
        let administrator = &self.0.administrator;
        self.may_try(caller)?;
        if !administrator.setup_open() {
            return Err(Failure::AlreadySetUp);
        }
        let name = check_name(name.unwrap_or(ADMINISTRATOR_NAME))?;
        check_new_password(password)?;
        let shown = secret.trim().to_owned();
        let printed = *administrator.setup_secret.lock().unwrap_or_else(PoisonError::into_inner);
        let is_printed = printed == Some(sha256(shown.as_bytes()));
        let drawn = self.0.db.read_async(store::setup_secret).await?;
        let is_drawn = drawn.is_some_and(|drawn| drawn == sha256_hex(shown.as_bytes()));
        if !is_printed && !is_drawn {
            administrator.wrong.failed(caller.address(), self.now());
            return Err(Failure::WrongPassword);
        }
        let salt = self.0.random.draw(random::bytes);
        let hash = administrator.passwords.hash(password.to_owned(), salt).await?;
        let (kind, created_at) = (AdministratorKind::Administrator, self.now());
        let account = Account { name: name.clone(), kind, password_hash: hash.clone(), created_at };
        let audit = self.audit(caller, "administrator_setup", "with the setup secret".to_owned());
        let stored = move |tx: &mut leasehold_db::Tx<'_>| {
            // Looked at again: two may have shown the same secret at once.
            let drawn = store::setup_secret(tx)?.is_some_and(|drawn| drawn == sha256_hex(shown.as_bytes()));
            if !drawn && store::is_set_up(tx)? {
                return Ok(Set::Before);
            }
            let mut named = account.name.clone();
            if !store::add_administrator(tx, &account)? {
                let known = store::administrator(tx, &account.name)?;
                // With the secret nobody becomes more than they are.
                if known.as_ref().is_some_and(|known| known.kind != kind) {
                    return Ok(Set::ReadOnly);
                }
                named = known.map_or(named, |known| known.name);
                store::set_administrator(tx, &account.name, kind, &account.password_hash)?;
                store::end_sessions_of(tx, &account.name, "")?;
            }
            store::set_setup_secret(tx, None)?;
            let act = Act { who: named.as_str().into(), ..audit.act.clone() };
            store::add_audit(tx, &Audit { act, ..audit.clone() })?;
            Ok::<_, DbError>(Set::Now(named))
        };
        let name = match self.0.db.write_async(stored).await? {
            Set::Now(named) => named,
            Set::Before => return Err(Failure::AlreadySetUp),
            Set::ReadOnly => {
                let why =
                    format!("`name`: the account \"{name}\" may only look. Name an administrator, or a new account");
                return Err(Failure::BadField(why));
            }
        };
        administrator.set_up.store(true, Ordering::Relaxed);
        administrator.reset_open.store(false, Ordering::Relaxed);
        *administrator.setup_secret.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.begin_session(caller, name, hash).await
    }

    /// Draws a new setup secret, with which whoever has the data folder in hand makes an account or sets the password of
    /// one anew. Nobody else loses anything. Somebody who is merely signed in cannot do this. Answers the secret.
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
        let done = tokio::spawn(async move { server.draw_setup_secret(&caller).await }).await;
        done.map_err(|error| Failure::Internal(error.to_string()))?
    }

    async fn draw_setup_secret(&self, caller: &Caller) -> Result<String, Failure> {
        let secret = self.0.random.draw(secret_text);
        let hash = sha256_hex(secret.as_bytes());
        let audit = self.audit(caller, "administrator_reset", "a new setup secret was drawn".to_owned());
        let stored = move |tx: &mut leasehold_db::Tx<'_>| {
            store::set_setup_secret(tx, Some(&hash))?;
            store::add_audit(tx, &audit)
        };
        self.0.db.write_async(stored).await?;
        self.0.administrator.reset_open.store(true, Ordering::Relaxed);
        Ok(secret)
    }

    /// Signs an administrator of this server in.
    ///
    /// # Errors
    /// [`Failure::WrongPassword`], [`Failure::SetupNeeded`], [`Failure::TlsRequired`], [`Failure::TooManyTries`], or
    /// the database's.
    pub async fn sign_in(
        &self,
        caller: &Caller,
        name: Option<&str>,
        password: &str,
    ) -> Result<SignInResponse, Failure> {
        let account = self.check_password(caller, name.unwrap_or(ADMINISTRATOR_NAME), password).await?;
        self.begin_session(caller, account.name, account.password_hash).await
    }

    /// Changes the password of the account that is signed in. Its other sign-ins end.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::WrongPassword`], [`Failure::BadField`], [`Failure::TooManyTries`], or the
    /// database's.
    pub async fn change_password(&self, caller: &Caller, current: &str, new: &str) -> Result<(), Failure> {
        self.authorize(caller, ServerAction::UseOwnAccount)?;
        let name = caller.account().ok_or(Failure::SignIn)?;
        let account = self.check_password(caller, name, current).await?;
        check_new_password(new)?;
        let salt = self.0.random.draw(random::bytes);
        let hash = self.0.administrator.passwords.hash(new.to_owned(), salt).await?;
        let kept = caller.session().map(SessionToken::hash).unwrap_or_default();
        let audit = self.audit(caller, "administrator_password", "changed; all other sign-ins of it ended".to_owned());
        let stored = move |tx: &mut leasehold_db::Tx<'_>| {
            store::set_administrator(tx, &account.name, account.kind, &hash)?;
            store::end_sessions_of(tx, &account.name, &kept)?;
            store::add_audit(tx, &audit)
        };
        Ok(self.0.db.write_async(stored).await?)
    }

    /// Answers the account whose password was shown.
    async fn check_password(&self, caller: &Caller, name: &str, password: &str) -> Result<Account, Failure> {
        let administrator = &self.0.administrator;
        self.may_try(caller)?;
        if administrator.setup_needed() {
            return Err(Failure::SetupNeeded);
        }
        let wanted = name.to_owned();
        let account = self.0.db.read_async(move |tx| store::administrator(tx, &wanted)).await?;
        // Counted before it is checked, so that many tries at once do not all slip through; overlong input is nobody's
        // password and costs no hashing.
        administrator.wrong.failed(caller.address(), self.now());
        if password.chars().count() > PASSWORD_CHARS_MAX {
            return Err(Failure::WrongPassword);
        }
        let Some(account) = account else {
            // As long as for a name that is there: which names are is nobody's to learn.
            administrator.passwords.hash(password.to_owned(), [0; 16]).await?;
            return Err(Failure::WrongPassword);
        };
        if !administrator.passwords.verify(password.to_owned(), account.password_hash.clone()).await? {
            return Err(Failure::WrongPassword);
        }
        administrator.wrong.forget(caller.address());
        Ok(account)
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

    /// Signs in whoever has shown the password with the hash `verified`, if it is still the account's: it may have been
    /// changed, and every session ended, while it was being verified.
    async fn begin_session(&self, caller: &Caller, name: String, verified: String) -> Result<SignInResponse, Failure> {
        let now = self.now();
        let (token, id) = self.0.random.draw(|random| (SessionToken::draw(random), SessionId::draw(now, random)));
        let session = Session {
            token_sha256: token.hash(),
            id,
            administrator: name.clone(),
            created_at: now,
            expires_at: now.plus(SESSION_MS),
            seen_at: now,
            address: caller.address().to_string(),
        };
        let response = SignInResponse { token: token.text(), session: id, expires_at: session.expires_at.into() };
        let act = Act { who: name.as_str().into(), ..caller.act() };
        let audit = Audit { at: now, act, action: "administrator_sign_in", detail: String::new() };
        let stored = move |tx: &mut leasehold_db::Tx<'_>| {
            let account = store::administrator(tx, &name)?;
            if account.is_none_or(|account| account.password_hash != verified) {
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
        self.authorize(caller, ServerAction::UseOwnAccount)?;
        if let Some(token) = caller.session() {
            let hash = token.hash();
            self.0.db.write_async(move |tx| store::end_session(tx, &hash)).await?;
        }
        Ok(())
    }

    pub(super) fn audit(&self, caller: &Caller, action: &'static str, detail: String) -> Audit {
        Audit { at: self.now(), act: caller.act(), action, detail }
    }
}
