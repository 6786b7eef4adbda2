//! The accounts of this server's administrators and their sign-ins: who is there, adding, changing, removing, ending.
//! Somebody who may change things always stays.

use super::access::Caller;
use super::administrator::{check_name, check_new_password};
use super::failure::Failure;
use crate::server::Server;
use crate::store::{self, Account};
use leasehold_core::access::{AdministratorKind, ServerAction};
use leasehold_core::ids::SessionId;
use leasehold_core::random;
use leasehold_db::{DbError, Tx};
use leasehold_web::session::SessionToken;
use leasehold_wire::server::{AddAdministratorRequest, AdministratorView, ChangeAdministratorRequest, SessionView};

/// Most accounts of a server.
const ACCOUNTS_MAX: usize = 200;

/// What a change of accounts came to.
enum Changed {
    Done,
    Unknown,
    Taken,
    Last,
    TooMany,
}

impl Changed {
    fn answer(self) -> Result<(), Failure> {
        match self {
            Changed::Done => Ok(()),
            Changed::Unknown => Err(Failure::AdministratorUnknown),
            Changed::Taken => Err(Failure::NameTaken),
            Changed::Last => Err(Failure::LastAdministrator),
            Changed::TooMany => Err(Failure::BadField(format!("`name` would be more than {ACCOUNTS_MAX} accounts"))),
        }
    }
}

impl Server {
    /// Every account, in order of name.
    ///
    /// # Errors
    /// [`Failure::SignIn`], or the database's.
    pub async fn administrators(&self, caller: &Caller) -> Result<Vec<AdministratorView>, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        let now = self.now();
        let (accounts, sessions) = self
            .0
            .db
            .read_async(move |tx| Ok::<_, DbError>((store::administrators(tx)?, store::open_sessions(tx, now)?)))
            .await?;
        let view = |account: Account| {
            let of = || sessions.iter().filter(|session| session.administrator == account.name);
            AdministratorView {
                sessions: u32::try_from(of().count()).unwrap_or(u32::MAX),
                seen_at: of().map(|session| session.seen_at).max().map(Into::into),
                you: caller.account() == Some(&account.name),
                kind: account.kind,
                created_at: account.created_at.into(),
                name: account.name,
            }
        };
        Ok(accounts.into_iter().map(view).collect())
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`], [`Failure::BadField`], [`Failure::NameTaken`], or the database's.
    pub async fn add_administrator(&self, caller: &Caller, wish: AddAdministratorRequest) -> Result<(), Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        self.needs_setup_first()?;
        let name = check_name(&wish.name)?;
        check_new_password(&wish.password)?;
        let account =
            Account { password_hash: self.hashed(wish.password).await?, name, kind: wish.kind, created_at: self.now() };
        let audit = self.audit(caller, "administrator_add", format!("\"{}\", {}", account.name, account.kind));
        let stored = move |tx: &mut Tx<'_>| {
            if store::administrators(tx)?.len() >= ACCOUNTS_MAX {
                return Ok(Changed::TooMany);
            }
            if !store::add_administrator(tx, &account)? {
                return Ok(Changed::Taken);
            }
            store::add_audit(tx, &audit)?;
            Ok::<_, DbError>(Changed::Done)
        };
        self.0.db.write_async(stored).await?.answer()
    }

    /// Changes what an account may do, or sets its password, which ends its sign-ins.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`], [`Failure::BadField`], [`Failure::AdministratorUnknown`],
    /// [`Failure::LastAdministrator`], or the database's.
    pub async fn change_administrator(
        &self,
        caller: &Caller,
        name: &str,
        wish: ChangeAdministratorRequest,
    ) -> Result<(), Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let ChangeAdministratorRequest { kind, password } = wish;
        let hash = match password {
            Some(password) => {
                check_new_password(&password)?;
                Some(self.hashed(password).await?)
            }
            None => None,
        };
        let mut said = vec![format!("\"{name}\"")];
        said.extend(kind.map(|kind| format!("is {kind} from now on")));
        said.extend(hash.as_ref().map(|_| "has a new password; its sign-ins ended".to_owned()));
        let audit = self.audit(caller, "administrator_change", said.join(", "));
        let (name, kept) = (name.to_owned(), caller.session().map(SessionToken::hash).unwrap_or_default());
        let stored = move |tx: &mut Tx<'_>| {
            let Some(account) = store::administrator(tx, &name)? else { return Ok(Changed::Unknown) };
            let kind = kind.unwrap_or(account.kind);
            if kind != AdministratorKind::Administrator && store::other_administrators(tx, &name)? == 0 {
                return Ok(Changed::Last);
            }
            store::set_administrator(tx, &name, kind, hash.as_ref().unwrap_or(&account.password_hash))?;
            if hash.is_some() {
                store::end_sessions_of(tx, &name, &kept)?;
            }
            store::add_audit(tx, &audit)?;
            Ok::<_, DbError>(Changed::Done)
        };
        self.0.db.write_async(stored).await?.answer()
    }

    /// Removes an account with its sign-ins.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`], [`Failure::AdministratorUnknown`], [`Failure::LastAdministrator`], or
    /// the database's.
    pub async fn remove_administrator(&self, caller: &Caller, name: &str) -> Result<(), Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let audit = self.audit(caller, "administrator_remove", format!("\"{name}\""));
        let name = name.to_owned();
        let stored = move |tx: &mut Tx<'_>| {
            let Some(account) = store::administrator(tx, &name)? else { return Ok(Changed::Unknown) };
            if account.kind == AdministratorKind::Administrator && store::other_administrators(tx, &name)? == 0 {
                return Ok(Changed::Last);
            }
            store::end_sessions_of(tx, &name, "")?;
            store::remove_administrator(tx, &name)?;
            store::add_audit(tx, &audit)?;
            Ok::<_, DbError>(Changed::Done)
        };
        self.0.db.write_async(stored).await?.answer()
    }

    /// Every sign-in that has not ended, the last used first.
    ///
    /// # Errors
    /// [`Failure::SignIn`], or the database's.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        let now = self.now();
        let own = caller.session().map(SessionToken::hash);
        let sessions = self.0.db.read_async(move |tx| store::open_sessions(tx, now)).await?;
        let view = |session: store::Session| SessionView {
            this: own.as_ref() == Some(&session.token_sha256),
            session: session.id,
            administrator: session.administrator,
            address: session.address,
            created_at: session.created_at.into(),
            seen_at: session.seen_at.into(),
            expires_at: session.expires_at.into(),
        };
        Ok(sessions.into_iter().map(view).collect())
    }

    /// Ends a sign-in. One's own are everybody's to end.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`] for somebody else's, [`Failure::SessionUnknown`], or the database's.
    pub async fn end_session(&self, caller: &Caller, id: SessionId) -> Result<(), Failure> {
        let sessions = self.sessions(caller).await?;
        let session = sessions.into_iter().find(|session| session.session == id).ok_or(Failure::SessionUnknown)?;
        let own = caller.account() == Some(&session.administrator);
        self.authorize(caller, if own { ServerAction::UseOwnAccount } else { ServerAction::Administer })?;
        let audit =
            self.audit(caller, "session_end", format!("of \"{}\" from {}", session.administrator, session.address));
        let stored = move |tx: &mut Tx<'_>| {
            store::end_session_by_id(tx, id)?;
            store::add_audit(tx, &audit)
        };
        Ok(self.0.db.write_async(stored).await?)
    }

    /// Ends all other sign-ins of the account that is signed in. Answers how many.
    ///
    /// # Errors
    /// [`Failure::SignIn`], or the database's.
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<u64, Failure> {
        self.authorize(caller, ServerAction::UseOwnAccount)?;
        let (name, token) = caller.account().zip(caller.session()).ok_or(Failure::SignIn)?;
        let (name, kept) = (name.to_owned(), token.hash());
        let audit = self.audit(caller, "session_end", "all others of the same account".to_owned());
        let stored = move |tx: &mut Tx<'_>| {
            let ended = store::end_sessions_of(tx, &name, &kept)?;
            store::add_audit(tx, &audit)?;
            Ok::<_, DbError>(ended)
        };
        Ok(self.0.db.write_async(stored).await?)
    }

    async fn hashed(&self, password: String) -> Result<String, Failure> {
        let salt = self.0.random.draw(random::bytes);
        self.0.administrator.passwords.hash(password, salt).await
    }

    /// The first account is made with the setup secret: without that, whoever has the folder would have two ways.
    fn needs_setup_first(&self) -> Result<(), Failure> {
        if self.0.administrator.setup_needed() { Err(Failure::SetupNeeded) } else { Ok(()) }
    }
}
