//! Who is asking: the administrator by a session or by the token file of this start, else anyone.

use super::failure::Failure;
use crate::server::Server;
use crate::store;
use axum::http::HeaderMap;
use leasehold_core::access::{ServerAction, ServerActor, Verdict, server_may};
use leasehold_core::engine::Act;
use leasehold_core::pool::Source;
use leasehold_web::listener::Connection;
use leasehold_web::proxy;
use leasehold_web::session::SessionToken;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

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
        }
    }

    /// Signed in as the administrator.
    pub fn is_administrator(&self) -> bool {
        self.actor == ServerActor::Administrator
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
        };
        let Credential::Token(token) = credential else { return Ok(caller) };
        if !caller.safe {
            // Not looked at: it was readable on the way here.
            caller.wrong_token = true;
            return Ok(caller);
        }
        if self.0.administrator.is_token_file(&token) {
            caller.who = "command line".into();
        } else {
            let (hash, now) = (token.hash(), self.now());
            if !self.0.db.read_async(move |tx| store::session_is_open(tx, &hash, now)).await? {
                caller.wrong_token = true;
                return Ok(caller);
            }
            caller.who = "administrator".into();
            caller.session = Some(token);
        }
        caller.actor = ServerActor::Administrator;
        Ok(caller)
    }

    /// Where a request of an application came from.
    pub(crate) fn source(&self, connection: &Connection, headers: &HeaderMap) -> Source {
        let client = proxy::client(connection, headers, &self.0.settings.get().trusted_proxies);
        Source { address: client.address, loopback: proxy::is_loopback(connection, headers) }
    }

    /// Whether everybody may see who uses what.
    pub fn usage_open(&self) -> bool {
        self.0.usage_open.load(Ordering::Relaxed)
    }

    /// Lets the caller go on, or says why not.
    pub(crate) fn authorize(&self, caller: &Caller, action: ServerAction) -> Result<(), Failure> {
        if server_may(caller.actor, action, self.usage_open()) == Verdict::Allowed {
            return Ok(());
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
