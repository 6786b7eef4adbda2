//! A seat from a pass: no server is asked, nothing is renewed, and it ends with the pass.

use super::folder::{Entry, SeatLock};
use crate::seat::{SeatChange, SeatInfo};
use leasehold_core::clock::Reading;
use leasehold_core::pass::{Mark, PassHeld};
use leasehold_core::session::SeatState;
use leasehold_core::time::{Clock, Ms};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The clocks are looked at this often: waiting does not count time spent suspended.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The latest time that was seen is kept this often, in looks.
const MARK_EVERY: u32 = 12;

/// What both the handle and the thread behind it see.
pub(crate) struct PassShared {
    held: Mutex<PassHeld>,
    info: Mutex<SeatInfo>,
    clock: Arc<dyn Clock>,
}

impl PassShared {
    fn reading(&self) -> Reading {
        Reading { wall: self.clock.wall(), boottime_ms: self.clock.boottime_ms() }
    }

    pub(crate) fn change(&self) -> SeatChange {
        let held = *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.reading();
        let left = Duration::from_millis(held.left_ms(now).unsigned_abs());
        SeatChange { state: held.state(now), left, why: None, reason: None }
    }

    pub(crate) fn info(&self) -> SeatInfo {
        self.info.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self) -> Ms {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).now(self.reading())
    }

    fn extend(&self, until: Ms) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).extend(until);
        self.info.lock().unwrap_or_else(PoisonError::into_inner).ends_at = until;
    }
}

/// What reaches the thread.
pub(crate) enum PassEvent {
    /// Tell changes of the state.
    Watch(Sender<SeatChange>),
}

/// A seat of a pass that this process uses. Dropping it frees the seat for other processes of the machine.
pub(crate) struct PassSeat {
    pub(crate) shared: Arc<PassShared>,
    pub(crate) events: Sender<PassEvent>,
    /// Dropping them gives the seats back.
    locks: Vec<SeatLock>,
}

impl PassSeat {
    /// Takes it into use at a moment at which it is `now`. `extend` asks the license server for more time, if that is
    /// due and it can be reached, and answers until when the pass runs then.
    pub(crate) fn begin(
        entry: Entry,
        locks: Vec<SeatLock>,
        info: SeatInfo,
        now: Ms,
        clock: Arc<dyn Clock>,
        extend: Box<dyn FnMut(Ms) -> Option<Ms> + Send>,
    ) -> PassSeat {
        let reading = Reading { wall: clock.wall(), boottime_ms: clock.boottime_ms() };
        let held = PassHeld::new(reading, now, info.ends_at);
        let shared = Arc::new(PassShared { held: Mutex::new(held), info: Mutex::new(info), clock });
        let (events, inbox) = channel();
        let looker =
            Looker { shared: shared.clone(), entry, extend, watchers: Vec::new(), told: SeatState::Ok, looks: 0 };
        // Before anything is done with the seat: a process may end before its thread has looked once.
        looker.keep_mark();
        let started = thread::Builder::new().name("leasehold-pass".to_owned()).spawn(move || looker.run(&inbox));
        if let Err(error) = started {
            // The state is asked from the clocks all the same.
            tracing::warn!(%error, "no thread for a pass: it is not extended, and changes are not told");
        }
        PassSeat { shared, events, locks }
    }

    pub(crate) fn share_with_children(&self) {
        for lock in &self.locks {
            if let Err(error) = lock.share_with_children() {
                tracing::warn!(%error, "a seat of a pass is free as soon as this process is killed");
            }
        }
    }
}

struct Looker {
    shared: Arc<PassShared>,
    entry: Entry,
    extend: Box<dyn FnMut(Ms) -> Option<Ms> + Send>,
    watchers: Vec<Sender<SeatChange>>,
    told: SeatState,
    looks: u32,
}

impl Looker {
    fn run(mut self, inbox: &Receiver<PassEvent>) {
        loop {
            self.look();
            match inbox.recv_timeout(LOOK_EVERY) {
                Ok(PassEvent::Watch(watcher)) => {
                    // What was seen before anybody watched: a pass may be in its last minutes when it is taken into use.
                    if self.told == SeatState::Ok || watcher.send(self.shared.change()).is_ok() {
                        self.watchers.push(watcher);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody uses the seat any more.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.keep_mark();
    }

    fn look(&mut self) {
        if self.looks.is_multiple_of(MARK_EVERY) {
            if self.looks > 0 {
                self.keep_mark();
            }
            if let Some(until) = (self.extend)(self.shared.now()) {
                self.shared.extend(until);
            }
        }
        self.looks = self.looks.wrapping_add(1);
        let change = self.shared.change();
        if change.state != self.told {
            self.told = change.state;
            self.watchers.retain(|watcher| watcher.send(change.clone()).is_ok());
        }
    }

    fn keep_mark(&self) {
        if !self.entry.path().is_dir() {
            // Given up, or over: this process has its seat until it ends.
            return;
        }
        let boot_id = leasehold_host::boot_id();
        let (reading, now) = (self.shared.reading(), self.shared.now());
        // Another process of this machine may have seen a later time.
        let before = self.entry.mark().unwrap_or(Mark { at: now, boottime_ms: 0, boot_id: boot_id.clone() });
        if let Err(error) = self.entry.set_mark(&before.moved(now, reading, &boot_id)) {
            tracing::warn!(%error, "the time that a pass has seen is not kept");
        }
    }
}
