//! The event stream: what a fragment looks like on the wire, and that an open page does not hold up the end.

use crate::support::{PATIENCE, Running, get, read_to_end};
use axum::Router;
use axum::routing;
use leasehold_web::listener::{Drained, Limits, Mode};
use leasehold_web::live;
use leasehold_web::maud::html;
use leasehold_web::shutdown::shutdown_pair;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

#[tokio::test]
async fn fragments_arrive_and_the_stop_ends_the_stream() {
    let (trigger, shutdown) = shutdown_pair();
    let (sender, events) = mpsc::channel(4);
    let events = Arc::new(std::sync::Mutex::new(Some(events)));
    let stream = routing::get(async move || {
        let events = events.lock().unwrap().take().expect("asked once");
        live::stream(events, shutdown)
    });
    let service = Running::start(Router::new().route("/live", stream), Mode::Plain, Limits::default()).await;
    let mut browser = service.connect().await;
    browser.write_all(get("/live").as_bytes()).await.unwrap();
    let lines = html! { div #holders { "a\rb\n" (leasehold_web::components::clip("<i>")) } };
    sender.send(live::fragment("holders", &lines)).await.unwrap();

    let mut seen = String::new();
    let arrived = async {
        while !seen.contains("&lt;i&gt;") {
            let mut chunk = [0; 1024];
            let n = browser.read(&mut chunk).await.unwrap();
            assert_ne!(n, 0, "closed early: {seen}");
            seen.push_str(&String::from_utf8_lossy(&chunk[..n]));
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.expect("the fragment arrives");
    assert!(seen.contains("text/event-stream") && seen.contains("event: fragment"), "{seen}");
    assert!(seen.contains("data: holders\n") || seen.contains("data:holders\n"), "{seen}");

    // The sender lives on, as in a running service; the stop alone must end the stream.
    trigger.stop();
    service.trigger.stop();
    read_to_end(browser).await;
    assert_eq!(service.ended().await, Drained { cut_off: 0 });
    drop(sender);
}
