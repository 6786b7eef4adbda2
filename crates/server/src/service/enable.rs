//! Enabling online licensing: signs in at the portal, or shows it a token, and puts in force what it gives. The portal's
//! password passes through and is kept nowhere.

use super::access::Caller;
use super::failure::Failure;
use super::online::fit_to_read;
use crate::server::Server;
use crate::store;
use crate::upstream::files::{self, RequestParts};
use crate::upstream::link::{Answer, LinkProblem, LinkSettings, PortalLink};
use crate::upstream::portal::refused;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::Input;
use leasehold_core::ids::RequestId;
use leasehold_core::license::Scope;
use leasehold_core::random;
use leasehold_web::text::visible;
use leasehold_wire::portal::{Enable, Enabled, SignIn, SignedIn, UseEnableToken};
use leasehold_wire::server::{ActivationResponse, ConnectionProblem, EnableRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::time::Duration;

/// Longest time for each of the three requests.
const WAIT: Duration = Duration::from_secs(20);

/// How the portal is told who wants this. Secrets: not to be shown.
enum Credentials {
    /// An account at the portal, and for whom the server is to work.
    Account { email: String, password: String, scope: Scope },
    /// A token that was made at the portal, which knows for whom.
    Token(String),
}

impl Server {
    /// Enables online licensing. The wish may name the portal where the settings do not; that is remembered. Nothing
    /// changes here unless all of it works.
    ///
    /// # Errors
    /// [`Failure::SignIn`]; [`Failure::BadField`]; [`Failure::Copy`] while another server has this one's key; [`Failure::Portal`] with what the
    /// portal, or the way to it, refused; those of [`Server::import`].
    pub async fn enable(&self, caller: &Caller, wish: EnableRequest) -> Result<ActivationResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let EnableRequest { portal_url, account, password, scope, token, name } = wish;
        let credentials = match (token, account, password, scope) {
            (Some(token), None, None, None) => Credentials::Token(token),
            (None, Some(email), Some(password), Some(scope)) => Credentials::Account { email, password, scope },
            _ => {
                let why = "`account`, `password` and `scope` must be given together, or `token` alone";
                return Err(Failure::BadField(why.to_owned()));
            }
        };
        let (forked, draining) = self.0.engine.look(|engine, _| (engine.is_forked(), engine.draining())).await?;
        if forked || draining {
            return Err(if forked { Failure::Copy } else { Failure::StillDraining });
        }
        let fixed = self.portal_url();
        let settings = self.link_to(fixed.clone().or(portal_url)).await?;
        let (key, rev_in_use) = (self.own_key().await?, self.0.engine.look(files::rev_to_report).await?);
        let wall = self.0.clock.wall();
        let request = self.0.random.draw(|random| RequestId::draw(wall, random));
        self.0.engine.step(Input::Ask { request }).await?;
        let (machine, trust) = (self.0.fingerprint.clone(), self.trust());
        let file = files::request_file(&key, &RequestParts { request, wall, machine, rev_in_use, trust });
        let once: [u8; 16] = self.0.random.draw(random::bytes);
        let url = settings.portal_url.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&settings, &credentials, file, name, &once)).await;
        let enabled = asked.map_err(|error| Failure::Internal(error.to_string()))?.map_err(Failure::Portal)?;
        // Known before the document is in force: the first sync follows at once.
        let former = match (&fixed, url) {
            (None, Some(url)) => self.remember_portal(url).await?,
            _ => None,
        };
        let activated = match self.import(caller, enabled.activation_file.as_bytes()).await {
            Ok(activated) => activated,
            Err(failure) => {
                if let Some(url) = former {
                    self.remember_portal(url).await?;
                }
                return Err(failure);
            }
        };
        // The page should show what the first sync brings.
        let _ = self.refresh(caller).await;
        Ok(activated)
    }

    /// Keeps the portal's address; answers the one before, if it was another.
    async fn remember_portal(&self, url: String) -> Result<Option<String>, Failure> {
        let former = self.0.db.write_async(move |tx| {
            let former = store::portal_url(tx)?.filter(|former| *former != url);
            store::set_portal_url(tx, &url)?;
            Ok::<_, leasehold_db::DbError>(former)
        });
        Ok(former.await?)
    }
}

/// What the portal answered, or why it did not.
pub(super) type Asked<T> = Result<T, Box<ConnectionProblem>>;

fn ask(
    settings: &LinkSettings,
    credentials: &Credentials,
    request: String,
    name: Option<String>,
    once: &[u8; 16],
) -> Asked<Enabled> {
    let link = PortalLink::new(settings).map_err(told)?;
    match credentials {
        Credentials::Token(token) => {
            let wish = UseEnableToken { token: token.trim().to_owned(), request, name };
            post(&link, "/api/v1/sync/enable", &wish, WAIT)
        }
        Credentials::Account { email, password, scope } => {
            let SignedIn { token, .. } = sign_in(&link, email, password, WAIT)?;
            let wish = Enable { request, scope: *scope, name };
            let once: String = once.iter().map(|byte| format!("{byte:02x}")).collect();
            let enabled = enable_once(&link, &token, &once, &wish);
            sign_out(&link, &token, WAIT);
            enabled
        }
    }
}

/// An answer may get lost: with the same key, the same request is carried out once.
fn enable_once(link: &PortalLink, token: &str, once: &str, wish: &Enable) -> Asked<Enabled> {
    let body = serde_json::to_vec(wish).map_err(|error| unreadable(&error))?;
    let send = || link.post_once("/api/v1/workstations/online", Some(token), Some(once), &body, WAIT);
    let answer = match send() {
        Err(LinkProblem::Broken { .. } | LinkProblem::Slow { .. }) => send(),
        answer => answer,
    };
    read(link, answer.map_err(told)?)
}

/// Signs in at the portal.
pub(super) fn sign_in(link: &PortalLink, email: &str, password: &str, wait: Duration) -> Asked<SignedIn> {
    let sign_in = SignIn { email: email.to_owned(), password: password.to_owned() };
    post(link, "/api/v1/sessions", &sign_in, wait)
}

/// Ends such a sign-in, which was for one purpose alone. If it cannot be ended now, it ends by itself.
pub(super) fn sign_out(link: &PortalLink, token: &str, wait: Duration) {
    let _ = link.delete("/api/v1/sessions/current", Some(token), wait);
}

fn post<T: DeserializeOwned>(link: &PortalLink, path: &str, wish: &impl Serialize, wait: Duration) -> Asked<T> {
    let body = serde_json::to_vec(wish).map_err(|error| unreadable(&error))?;
    read(link, link.post_json(path, None, &body, wait).map_err(told)?)
}

/// What the portal answered, as what was asked for.
pub(super) fn read<T: DeserializeOwned>(link: &PortalLink, answer: Answer) -> Asked<T> {
    if answer.status == 404 {
        return Err(Box::new(ConnectionProblem {
            code: "PORTAL_ADDRESS_BAD".to_owned(),
            what: format!("What answers at {} does not know what it was asked for.", visible(link.address())),
            what_to_do: "Check the portal's address: often it has no path after the host. If it is right, the portal is of an older release."
                .to_owned(),
            who: "the administrator of the license server".to_owned(),
            refused: false,
        }));
    }
    if !(200..300).contains(&answer.status) {
        return Err(Box::new(fit_to_read(refused(answer.status, &answer.body))));
    }
    serde_json::from_slice(&answer.body).map_err(|error| unreadable(&error))
}

pub(super) fn told(problem: LinkProblem) -> Box<ConnectionProblem> {
    Box::new(problem.told())
}

fn unreadable(error: &dyn fmt::Display) -> Box<ConnectionProblem> {
    Box::new(ConnectionProblem {
        code: "PORTAL_UNREADABLE".to_owned(),
        what: format!("What the portal answered is not understood: {error}."),
        what_to_do:
            "Check that the address is the portal's, and that license server and portal are of the same release."
                .to_owned(),
        who: "the administrator of the license server".to_owned(),
        refused: false,
    })
}
