//! Keeps open pages up to date: draws the live parts of a page again and again and sends those that changed. A page
//! without script is as good, it only stands still.

use super::Pages;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use leasehold_web::live;
use leasehold_web::maud::Markup;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Elements of a page by id, each drawn with the same function as in the page.
pub(super) type Fragments = Vec<(&'static str, Markup)>;

/// A page with live parts.
pub(super) trait Live: Send + 'static {
    /// Its live parts as of now, for whoever asks as of now; `None` ends the stream, and the browser asks anew.
    fn draw(&mut self) -> impl Future<Output = Option<Fragments>> + Send;
}

/// The event stream of a page.
pub(super) fn stream(pages: &Pages, mut page: impl Live) -> Response {
    // Told in this way, a browser does not ask again.
    let Ok(permit) = Arc::clone(&pages.streams).try_acquire_owned() else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let (sender, events) = mpsc::channel(4);
    tokio::spawn(async move {
        let _permit = permit;
        let mut sent: HashMap<&'static str, String> = HashMap::new();
        while let Some(fragments) = page.draw().await {
            for (id, markup) in fragments {
                if sent.get(id) == Some(&markup.0) {
                    continue;
                }
                if sender.send(live::fragment(id, &markup)).await.is_err() {
                    return;
                }
                sent.insert(id, markup.0);
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = sender.closed() => return,
            }
        }
    });
    live::stream(events, pages.shutdown.clone())
}
