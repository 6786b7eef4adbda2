//! Pages that stay open: their live parts are drawn again and again, for whoever is looking as of now, by the functions
//! that drew the page.

use super::Answer;
use super::look::Viewer;
use crate::failure::Failure;
use crate::front::Front;
use crate::service::overview::{self, Pulse};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use leasehold_web::listener::Connection;
use leasehold_web::live::{Fragments, Live};
use leasehold_web::problem::ApiProblem;

/// Drawn at least with every so manyth look, though nothing was done: times go by, and what ran out is no longer there.
const LOOKS: u8 = 5;

/// Whoever asks for the event stream of a page.
pub(super) struct Watcher {
    viewer: Viewer,
    connection: Connection,
    headers: HeaderMap,
}

impl FromRequestParts<Front> for Watcher {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, ApiProblem> {
        let viewer = Viewer::from_request_parts(parts, front).await?;
        let connection = Connection::from_request_parts(parts, front).await?;
        Ok(Watcher { viewer, connection, headers: parts.headers.clone() })
    }
}

impl Watcher {
    /// The event stream of a page whose live parts are what `draw` says; a problem if whoever asks may not see them.
    pub(super) async fn follow<D, F>(self, draw: D) -> Answer
    where
        D: Fn(Viewer) -> F + Send + 'static,
        F: Future<Output = Result<Fragments, Failure>> + Send + 'static,
    {
        let first = draw(self.viewer.clone()).await?;
        let Some(streams) = self.viewer.front().streams().cloned() else {
            return Ok(StatusCode::NO_CONTENT.into_response());
        };
        Ok(streams.follow(Watched { first: Some(first), pulse: None, looks: 0, watcher: self, draw }))
    }
}

struct Watched<D> {
    /// What was drawn to find out whether it may be seen.
    first: Option<Fragments>,
    /// How it stood before it was drawn.
    pulse: Option<Pulse>,
    /// Looks since it was drawn.
    looks: u8,
    watcher: Watcher,
    draw: D,
}

impl<D, F> Live for Watched<D>
where
    D: Fn(Viewer) -> F + Send + 'static,
    F: Future<Output = Result<Fragments, Failure>> + Send + 'static,
{
    async fn draw(&mut self) -> Option<Fragments> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let Watcher { viewer, connection, headers } = &mut self.watcher;
        *viewer = viewer.again(connection, headers).await.ok()?;
        let pulse = viewer.run(|portal, _| overview::pulse(portal)).await.ok();
        self.looks += 1;
        if pulse.is_some() && pulse == self.pulse && self.looks < LOOKS {
            return Some(Fragments::new());
        }
        (self.pulse, self.looks) = (pulse, 0);
        (self.draw)(viewer.clone()).await.ok()
    }
}
