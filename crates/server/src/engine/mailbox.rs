//! The way into the engine's thread. Checkouts are bounded in number and shed beyond that; whatever holds on to a seat
//! or gives one back is never shed.

use super::health::Health;
use crate::meters::{Meters, Request};
use leasehold_core::engine::{Engine, Input, Output};
use leasehold_core::time::Ms;
use leasehold_host::Stopwatch;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use tokio::sync::{oneshot, watch};

/// Checkouts that may wait; one batch of the engine takes a quarter of them.
const CHECKOUTS_WAITING_MAX: usize = 4_096;

/// Why the engine did not do what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Too many checkouts wait. Nothing was done.
    #[error("too many checkouts wait")]
    Busy,
    /// Nothing can be stored for now (full disk). Nothing was done.
    #[error("nothing can be stored for now")]
    Stalled,
    /// The process is about to end; whether it was done is not known.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
}

/// A question to the engine.
pub(super) type Look = Box<dyn FnOnce(&Engine, Ms) + Send>;

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is a step: boxing it would cost each one an allocation"
)]
pub(super) enum Message {
    Step {
        input: Input,
        reply: Reply,
    },
    /// A question, answered when the batch it came with is on disk.
    Look(Look),
    Stop,
}

/// Where an answer goes. A waiting checkout counts until it is answered or given up.
pub(super) struct Reply {
    sender: oneshot::Sender<Result<Output, Refusal>>,
    _waiting: Option<Waiting>,
}

impl Reply {
    pub(super) fn send(self, answer: Result<Output, Refusal>) {
        // Whoever asked may have gone; then the client asks again with the same key.
        let _ = self.sender.send(answer);
    }
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The engine, from outside. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct EngineHandle {
    mailbox: mpsc::Sender<Message>,
    health: watch::Receiver<Health>,
    checkouts_waiting: Arc<AtomicUsize>,
    meters: Meters,
}

impl EngineHandle {
    pub(super) fn new(health: watch::Receiver<Health>, meters: Meters) -> (EngineHandle, mpsc::Receiver<Message>) {
        let (mailbox, receiver) = mpsc::channel();
        (EngineHandle { mailbox, health, checkouts_waiting: Arc::default(), meters }, receiver)
    }

    /// Does `input` and answers when it is on disk.
    pub(crate) async fn step(&self, input: Input) -> Result<Output, Refusal> {
        let (request, took) = (Request::of(&input), Stopwatch::start());
        let answer = self.ask(input).await;
        self.meters.answered(request, took.elapsed(), answer.as_ref().err().copied());
        answer
    }

    async fn ask(&self, input: Input) -> Result<Output, Refusal> {
        let waiting = match &input {
            Input::Checkout { .. } => Some(self.queue_up()?),
            _ => None,
        };
        let (sender, receiver) = oneshot::channel();
        let reply = Reply { sender, _waiting: waiting };
        self.mailbox.send(Message::Step { input, reply }).map_err(|_| Refusal::OutcomeUnknown)?;
        receiver.await.unwrap_or(Err(Refusal::OutcomeUnknown))
    }

    /// The same for a thread that may block.
    pub(crate) fn step_blocking(&self, input: Input) -> Result<Output, Refusal> {
        let (sender, receiver) = oneshot::channel();
        let reply = Reply { sender, _waiting: None };
        self.mailbox.send(Message::Step { input, reply }).map_err(|_| Refusal::OutcomeUnknown)?;
        receiver.blocking_recv().unwrap_or(Err(Refusal::OutcomeUnknown))
    }

    fn queue_up(&self) -> Result<Waiting, Refusal> {
        let waiting = Waiting(Arc::clone(&self.checkouts_waiting));
        let before = waiting.0.fetch_add(1, Ordering::Relaxed);
        if before >= CHECKOUTS_WAITING_MAX { Err(Refusal::Busy) } else { Ok(waiting) }
    }

    /// Looks at what is committed, at the engine's now.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine, Ms) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.send_look(question)?.await.map_err(|_| Refusal::OutcomeUnknown)
    }

    /// The same for a thread that may block.
    pub(crate) fn look_blocking<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine, Ms) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.send_look(question)?.blocking_recv().map_err(|_| Refusal::OutcomeUnknown)
    }

    fn send_look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine, Ms) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Refusal> {
        let (sender, receiver) = oneshot::channel();
        let look = move |engine: &Engine, now: Ms| {
            let _ = sender.send(question(engine, now));
        };
        self.mailbox.send(Message::Look(Box::new(look))).map_err(|_| Refusal::OutcomeUnknown)?;
        Ok(receiver)
    }

    /// What the engine can do now.
    pub(crate) fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// Waits until the engine has failed for good, and says why.
    pub(crate) async fn until_failed(&self) -> String {
        let mut health = self.health.clone();
        let failed = health.wait_for(|health| matches!(health, Health::Failed(_))).await;
        match failed.as_deref() {
            Ok(Health::Failed(why)) => why.clone(),
            _ => "the engine's thread ended".to_owned(),
        }
    }

    /// Asks the thread to end after what waits in front of this.
    pub(crate) fn stop(&self) {
        let _ = self.mailbox.send(Message::Stop);
    }
}
