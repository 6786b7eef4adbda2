//! The handle of a held seat: what an application asks about it, and how it is given back.

use crate::address::ServerAddress;
use crate::driver::Event;
use crate::passes::{PassEvent, PassSeat};
use leasehold_core::clock::Reading;
use leasehold_core::codes::LeaseEnd;
use leasehold_core::ids::{LeaseId, PassId};
use leasehold_core::license::FeatureCode;
use leasehold_core::session::{SeatState, Session};
use leasehold_core::time::{Clock, Ms};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Dropping a seat waits this long for the server to confirm.
const DROP_WAIT: Duration = Duration::from_secs(2);
/// [`Seat::checkin`] waits this long: a call and its one repetition.
const CHECKIN_WAIT: Duration = Duration::from_secs(11);

/// Which seat is held where. Changes if the seat moves to another server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SeatInfo {
    /// Who gave it; absent if it is a seat of a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerAddress>,
    /// The lease; of a pass, its number.
    pub lease: LeaseId,
    /// The pass of this machine that it is a seat of; absent if a server gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<PassId>,
    /// Of what.
    pub feature: FeatureCode,
    /// How many seats.
    pub seats: u32,
    /// When the license behind it ends: no renewal runs past this.
    #[serde(with = "leasehold_core::time::rfc3339")]
    pub ends_at: Ms,
}

impl SeatInfo {
    /// Who gave it, for people: a license server, or a pass of this machine.
    pub fn giver(&self) -> String {
        match &self.server {
            Some(server) => server.to_string(),
            None => "a pass of this machine".to_owned(),
        }
    }
}

/// The state of a seat has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeatChange {
    /// To what.
    pub state: SeatState,
    /// How long it may still be used if nothing renews it.
    pub left: Duration,
    /// Why it is not renewed, if the license server said so.
    pub why: Option<LeaseEnd>,
    /// An administrator took it back, and gave this reason, which may be empty. Without control characters.
    pub reason: Option<Arc<str>>,
}

/// What both the handle and the thread behind it see.
pub(crate) struct Shared {
    session: Mutex<Session>,
    info: Mutex<Option<SeatInfo>>,
    reason: Mutex<Option<Arc<str>>>,
    clock: Arc<dyn Clock>,
}

impl Shared {
    pub(crate) fn new(session: Session, clock: Arc<dyn Clock>) -> Shared {
        Shared { session: Mutex::new(session), info: Mutex::new(None), reason: Mutex::new(None), clock }
    }

    pub(crate) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_info(&self, info: SeatInfo) {
        *self.info.lock().unwrap_or_else(PoisonError::into_inner) = Some(info);
    }

    /// Why an administrator took the seat back; `None` if none did.
    pub(crate) fn set_reason(&self, reason: Option<Arc<str>>) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Both clocks, now.
    pub(crate) fn reading(&self) -> Reading {
        Reading { wall: self.clock.wall(), boottime_ms: self.clock.boottime_ms() }
    }

    pub(crate) fn change(&self) -> SeatChange {
        // The reading comes first: waiting for the lock must not make the seat look younger.
        let session = self.session();
        let now = self.reading();
        let left = Duration::from_millis(session.left_ms(now).unsigned_abs());
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
        SeatChange { state: session.state(now).unwrap_or(SeatState::Lost), left, why: session.taken(), reason }
    }
}

/// Whether the server confirmed that a seat is free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GivenBack {
    /// It is free now.
    Confirmed,
    /// The server did not answer; the seat comes back by itself when its lease has run out, within 7 minutes.
    Unconfirmed,
}

/// A seat that is held. A thread of its own renews it; dropping it gives it back, waiting at most 2 seconds for the
/// server.
///
/// Ask [`Seat::state`] before each use of the feature: `ok` and `renewing` are fine, in `grace` the user should save,
/// at `lost` the seat may be somebody else's.
pub struct Seat {
    backing: Backing,
    /// The process that holds it: a forked child has no thread behind its copy.
    pid: u32,
    over: bool,
}

/// What a seat stands on.
enum Backing {
    /// A lease of a server, renewed by a thread.
    Lease { shared: Arc<Shared>, events: Sender<Event>, ended: Mutex<Receiver<GivenBack>> },
    /// A pass of this machine.
    Pass(Option<PassSeat>),
}

impl Seat {
    pub(crate) fn new(shared: Arc<Shared>, events: Sender<Event>, ended: Receiver<GivenBack>) -> Seat {
        let backing = Backing::Lease { shared, events, ended: Mutex::new(ended) };
        Seat { backing, pid: std::process::id(), over: false }
    }

    pub(crate) fn of_pass(seat: PassSeat) -> Seat {
        Seat { backing: Backing::Pass(Some(seat)), pid: std::process::id(), over: false }
    }

    fn change(&self) -> SeatChange {
        let lost = || SeatChange { state: SeatState::Lost, left: Duration::ZERO, why: None, reason: None };
        match &self.backing {
            _ if self.is_in_child() => lost(),
            Backing::Lease { shared, .. } => shared.change(),
            Backing::Pass(seat) => seat.as_ref().map_or_else(lost, |seat| seat.shared.change()),
        }
    }

    /// How far the seat can be relied on, from both clocks at this very moment: a machine that has just woken up says
    /// `lost` before the feature can be used again. Always `lost` in a forked child.
    pub fn state(&self) -> SeatState {
        self.change().state
    }

    /// How long the seat may still be used if nothing renews it; zero if it is lost.
    pub fn left(&self) -> Duration {
        self.change().left
    }

    /// Which seat it is.
    pub fn info(&self) -> SeatInfo {
        match &self.backing {
            Backing::Lease { shared, .. } => {
                let info = shared.info.lock().unwrap_or_else(PoisonError::into_inner);
                info.clone().expect("a seat is handed out after its lease was told")
            }
            Backing::Pass(seat) => seat.as_ref().expect("it is given back by being consumed").shared.info(),
        }
    }

    /// Calls `callback` after each change of the state, on a thread of its own, until the seat is given back. A
    /// callback that blocks delays only the next callback.
    pub fn on_change(&self, mut callback: impl FnMut(SeatChange) + Send + 'static) {
        let (sender, changes) = channel();
        let started = thread::Builder::new().name("leasehold-changes".to_owned()).spawn(move || {
            for change in changes {
                callback(change);
            }
        });
        if let Err(error) = started {
            tracing::warn!(%error, "no thread for the changes of a seat: ask its state instead");
            return;
        }
        match &self.backing {
            Backing::Lease { events, .. } => drop(events.send(Event::Watch(sender))),
            Backing::Pass(Some(seat)) => drop(seat.events.send(PassEvent::Watch(sender))),
            Backing::Pass(None) => {}
        }
    }

    /// Gives the seat back and waits for the server's word, at most 11 seconds. A seat of a pass is free for other
    /// processes of this machine at once.
    pub fn checkin(mut self) -> GivenBack {
        self.release(CHECKIN_WAIT)
    }

    /// Stops renewing the seat but leaves it out, to be given back later with [`crate::Client::give_back`]. Unless
    /// that happens it runs out by itself within 7 minutes. `None` for a seat of a pass, which nobody needs to hold.
    pub fn leave(mut self) -> Option<LeftSeat> {
        if self.is_in_child() {
            return None;
        }
        let Backing::Lease { events, .. } = &self.backing else { return None };
        let (sender, left) = channel();
        events.send(Event::Leave(sender)).ok()?;
        self.over = true;
        left.recv().ok().flatten()
    }

    /// From now on what this process starts keeps a seat of a pass in use, should this process be killed: for those who
    /// take the seat for a program that they run. It is still given back with this handle, whatever goes on then. A
    /// seat of a license server is not renewed by children and is free within 7 minutes. Does nothing on Windows.
    pub fn share_with_children(&self) {
        if let Backing::Pass(Some(seat)) = &self.backing
            && !self.is_in_child()
        {
            seat.share_with_children();
        }
    }

    fn release(&mut self, wait: Duration) -> GivenBack {
        if self.is_in_child() || std::mem::replace(&mut self.over, true) {
            return GivenBack::Unconfirmed;
        }
        match &mut self.backing {
            Backing::Lease { events, ended, .. } => {
                let _ = events.send(Event::Release);
                let ended = ended.get_mut().unwrap_or_else(PoisonError::into_inner);
                match ended.recv_timeout(wait) {
                    Ok(given_back) => given_back,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => GivenBack::Unconfirmed,
                }
            }
            Backing::Pass(seat) => {
                seat.take();
                GivenBack::Confirmed
            }
        }
    }

    fn is_in_child(&self) -> bool {
        std::process::id() != self.pid
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.release(DROP_WAIT);
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// A seat that was left out by [`Seat::leave`]: what it takes to give it back. Holds a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftSeat {
    /// The server's address as in a list of servers.
    pub server: String,
    /// The lease.
    pub lease: LeaseId,
    /// Of what.
    pub feature: FeatureCode,
    /// How many seats.
    pub seats: u32,
    /// The lease's secret.
    pub secret: String,
}

impl fmt::Debug for LeftSeat {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeftSeat").field("server", &self.server).field("lease", &self.lease).finish_non_exhaustive()
    }
}
