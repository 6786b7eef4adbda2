//! Who is asking: an administrator by a session or by the token file of this start, else anyone; and whose address is heard.

use super::failure::Failure;
use crate::server::Server;
use crate::store;
use axum::http::HeaderMap;
use leasehold_core::access::{Openness, ServerAction, ServerActor, Verdict, server_may};
use leasehold_core::engine::Act;
use leasehold_core::pool::Source;
use leasehold_core::time::{MINUTE_MS, Ms};
use leasehold_web::listener::Connection;
use leasehold_web::proxy;
use leasehold_web::session::SessionToken;
use std::net::{IpAddr, SocketAddr};

/// What somebody shows.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Nothing.
    None,
    /// The token of a session, from a cookie or a bearer header, or of the token file.
    Token(SessionToken),
    /// Something that is no token at all.
    Unreadable,
}

/// Who is asking, and from where.
#[derive(Clone, Debug)]
pub struct Caller {
    actor: ServerActor,
    who: Box<str>,
    address: Option<IpAddr>,
    /// TLS, or the server's own machine.
    safe: bool,
    /// The server's own machine.
    here: bool,
    wrong_token: bool,
    session: Option<SessionToken>,
    /// Whose session.
    account: Option<Box<str>>,
    /// Who has the data folder: the command line.
    has_folder: bool,
    way: Option<Arrival>,
}

/// By which of the server's own ends a request came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arrival {
    /// The server's end of the socket.
    pub(crate) local: SocketAddr,
    /// Which TLS configuration it was begun with; `None` without TLS.
    pub(crate) tls_epoch: Option<u64>,
}

impl Caller {
    /// Whoever runs this process and has the data folder to itself.
    pub(crate) fn command_line() -> Caller {
        Caller {
            actor: ServerActor::Administrator,
            who: format!("{} (command line)", leasehold_host::user_name()).into(),
            address: None,
            safe: true,
            here: true,
            wrong_token: false,
            session: None,
            account: None,
            has_folder: true,
            way: None,
        }
    }

    /// Signed in, to administer or to look.
    pub fn is_signed_in(&self) -> bool {
        self.actor != ServerActor::Anyone
    }

    /// Signed in, and not only to look.
    pub fn may_change(&self) -> bool {
        self.actor == ServerActor::Administrator
    }

    /// The name of the account that is signed in.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Whoever has the data folder to itself.
    pub(crate) fn has_folder(&self) -> bool {
        self.has_folder
    }

    /// By which way the request came.
    pub(crate) fn arrival(&self) -> Option<Arrival> {
        self.way
    }

    /// Whether the administrator would be heard on this connection.
    pub fn is_safe(&self) -> bool {
        self.safe
    }

    /// The session, if it is one.
    pub(crate) fn session(&self) -> Option<&SessionToken> {
        self.session.as_ref()
    }

    /// On the server's own machine.
    pub(crate) fn is_here(&self) -> bool {
        self.here
    }

    /// Where it came from; unspecified for the command line.
    pub(crate) fn address(&self) -> IpAddr {
        self.address.unwrap_or(IpAddr::from([0, 0, 0, 0]))
    }

    /// For the audit log.
    pub(crate) fn act(&self) -> Act {
        Act { who: self.who.clone(), address: self.address }
    }
}

impl Server {
    /// Finds out who is asking.
    ///
    /// # Errors
    /// What the database said.
    pub async fn caller(
        &self,
        connection: &Connection,
        headers: &HeaderMap,
        credential: Credential,
    ) -> Result<Caller, Failure> {
        let client = proxy::client(connection, headers, &self.0.settings.get().trusted_proxies);
        let here = proxy::is_loopback(connection, headers);
        let mut caller = Caller {
            actor: ServerActor::Anyone,
            who: "".into(),
            address: Some(client.address),
            safe: client.https || here,
            here,
            wrong_token: matches!(credential, Credential::Unreadable),
            session: None,
            account: None,
            has_folder: false,
            way: Some(Arrival { local: connection.local, tls_epoch: connection.tls.then_some(connection.tls_epoch) }),
        };
        self.hear(Source { address: client.address, loopback: here })?;
        let Credential::Token(token) = credential else { return Ok(caller) };
        if !caller.safe {
            // Not looked at: it was readable on the way here.
            caller.wrong_token = true;
            return Ok(caller);
        }
        if self.0.administrator.is_token_file(&token) {
            (caller.who, caller.has_folder) = ("command line".into(), true);
            caller.actor = ServerActor::Administrator;
            return Ok(caller);
        }
        let (hash, now) = (token.hash(), self.now());
        let Some(whose) = self.0.db.read_async(move |tx| store::session_of(tx, &hash, now)).await? else {
            caller.wrong_token = true;
            return Ok(caller);
        };
        self.note_seen(&token, whose.seen_at, now);
        caller.actor = whose.kind.into();
        (caller.who, caller.account) = (whose.name.as_str().into(), Some(whose.name.into()));
        caller.session = Some(token);
        Ok(caller)
    }

    /// Nobody waits for it: a disk that is full must not keep its administrator out.
    fn note_seen(&self, token: &SessionToken, seen_at: Ms, now: Ms) {
        if now.since(seen_at).abs() < MINUTE_MS {
            return;
        }
        let (db, hash) = (self.0.db.clone(), token.hash());
        tokio::spawn(async move { db.write_async(move |tx| store::session_seen(tx, &hash, now)).await });
    }

    /// Lets go on whose address is heard. Whoever holds a seat at another one does not come here to keep or return it.
    pub(super) fn hear(&self, source: Source) -> Result<(), Failure> {
        let heard = source.loopback
            || self.0.settings.get().networks.admit(source.address)
            || self.0.neighbors.is_own(source.address);
        if heard { Ok(()) } else { Err(Failure::ShutOut(source.address)) }
    }

    /// Where a request of an application came from.
    pub(crate) fn source(&self, connection: &Connection, headers: &HeaderMap) -> Source {
        let client = proxy::client(connection, headers, &self.0.settings.get().trusted_proxies);
        Source { address: client.address, loopback: proxy::is_loopback(connection, headers) }
    }

    /// What everybody may see without signing in.
    pub fn openness(&self) -> Openness {
        self.0.settings.get().open
    }

    /// Lets the caller go on, or says why not.
    pub(crate) fn authorize(&self, caller: &Caller, action: ServerAction) -> Result<(), Failure> {
        match server_may(caller.actor, action, self.openness()) {
            Verdict::Allowed => return Ok(()),
            Verdict::Forbidden => return Err(Failure::ReadOnly),
            Verdict::SignIn | Verdict::NotFound => {}
        }
        if caller.wrong_token && !caller.safe {
            return Err(Failure::TlsRequired);
        }
        if caller.wrong_token {
            self.0.administrator.wrong(caller.address(), self.now())?;
        }
        Err(Failure::SignIn)
    }
}
