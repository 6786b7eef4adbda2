//! Live updates: server-sent events whose data is a piece of the page. The script replaces the element of that id; a
//! browser without script shows the page as it was loaded.

use crate::shutdown::Shutdown;
use axum::http::{HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use maud::Markup;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// Pages that one service keeps up to date at once; further ones stand still.
const STREAMS_MAX: usize = 256;
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Elements of a page by id, each drawn with the same function as in the page.
pub type Fragments = Vec<(&'static str, Markup)>;

/// A page with live parts.
pub trait Live: Send + 'static {
    /// Its live parts as of now, for whoever asks as of now; `None` ends the stream, and the browser asks anew.
    fn draw(&mut self) -> impl Future<Output = Option<Fragments>> + Send;
}

/// The open pages of one service. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Streams {
    room: Arc<Semaphore>,
    shutdown: Shutdown,
}

impl Streams {
    /// None yet; all of them end at `shutdown`.
    pub fn new(shutdown: Shutdown) -> Streams {
        Streams { room: Arc::new(Semaphore::new(STREAMS_MAX)), shutdown }
    }

    /// Keeps an open page up to date: draws its live parts again and again and sends those that changed.
    pub fn follow(&self, mut page: impl Live) -> Response {
        // Told in this way, a browser does not ask again.
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
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
                    if sender.send(fragment(id, &markup)).await.is_err() {
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
        stream(events, self.shutdown.clone())
    }
}

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
