//! Live updates: server-sent events whose data is a piece of the page. The script replaces the element of that id; a
//! browser without script shows the page as it was loaded.

use crate::shutdown::Shutdown;
use axum::http::HeaderValue;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use maud::Markup;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// An event that replaces the element with this id. `markup` is that element itself, drawn by the same function as in
/// the page, with the same id.
pub fn fragment(id: &str, markup: &Markup) -> Event {
    Event::default().event("fragment").data(format!("{id}\n{}", markup.0))
}

/// Answers with a stream of events until the sender is dropped, the browser leaves, or the service stops (so that an
/// open page does not hold up the end).
pub fn stream(events: mpsc::Receiver<Event>, mut shutdown: Shutdown) -> Response {
    let events = Events { events, stop: Box::pin(async move { shutdown.requested().await }) };
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    // Proxies that collect an answer before passing it on would hold events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

struct Events {
    events: mpsc::Receiver<Event>,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        self.events.poll_recv(context).map(|event| event.map(Ok))
    }
}
