//! The client's side of a lease as a step machine (`PROTOCOL.md` sections 4, 5 and 7): finding a server, taking a
//! seat, holding it, and giving it back.
//!
//! [`Session::step`] takes a reading of both clocks and one [`SessionInput`] and returns [`Action`]s for the shell to
//! carry out. Sockets, threads and the checking of signatures are the shell's. A lessee counts its right from
//! **before** it sent the request that was answered, by whichever clock says more: law 4 depends on it.

mod seek;

use crate::clock::Reading;
use crate::codes::{DenialCode, LeaseEnd};
use crate::ids::LeaseId;
use crate::license::words;
use crate::random::{self, Random};
use crate::times::{LeaseTimes, TimeTable};
use seek::Seek;
use std::fmt::Write as _;
use std::sync::Arc;

words! {
    /// How far a held seat can be relied on.
    SeatState {
        /// Renewed lately.
        Ok = "ok",
        /// A renewal is due and has not been answered yet.
        Renewing = "renewing",
        /// No answer for longer than the lease's term, or the right was taken away: save your work.
        Grace = "grace",
        /// The seat may be somebody else's now: stop using the feature.
        Lost = "lost",
    }
}

/// What happened outside.
#[derive(Clone, Debug)]
pub enum SessionInput {
    /// Look for a seat.
    Start,
    /// A server's answer to a probe.
    Probed {
        /// Index in the list of servers.
        server: usize,
        /// It answered in time.
        up: bool,
    },
    /// The verified answer to a call.
    Answered {
        /// The call's number.
        call: u64,
        /// What was answered.
        reply: Reply,
    },
    /// No answer, a broken connection, a time-out, or an error of the server: the outcome is not known.
    Failed {
        /// The call's number.
        call: u64,
    },
    /// Time has passed.
    Tick,
    /// Give the seat back, or stop looking for one.
    Release,
}

/// A server's answer, checked by the shell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// A right, from before the request was sent.
    Leased {
        /// The lease.
        lease: LeaseId,
        /// How long.
        times: LeaseTimes,
    },
    /// No seat.
    Denied(DenialCode),
    /// The lease is over, or not extended.
    Ended {
        /// How.
        end: LeaseEnd,
        /// Milliseconds in which it may still be used.
        left_ms: i64,
    },
    /// An administrator took the seat back.
    TakenBack {
        /// Milliseconds from before the request in which it may still be used: time to save.
        left_ms: i64,
        /// So long no server is asked for another, in milliseconds.
        not_again_ms: i64,
    },
    /// The seat is free.
    Released,
    /// The server must not be believed, or does not understand this client. Asking again would not help.
    Refused,
}

/// A call to one server. Ids and secrets of the server's making are kept by the shell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// `POST /v1/leases`.
    Checkout {
        /// Idempotency key.
        key: Arc<str>,
        /// Fresh nonce.
        nonce: Box<str>,
    },
    /// `POST /v1/leases/{id}/heartbeat`.
    Heartbeat {
        /// Which.
        lease: LeaseId,
        /// Rises.
        n: u64,
        /// Fresh nonce.
        nonce: Box<str>,
    },
    /// `POST /v1/leases/{id}/resume`: the server does not know the lease, and may have been restored.
    Resume {
        /// Which.
        lease: LeaseId,
        /// Idempotency key of its checkout.
        key: Arc<str>,
        /// Rises.
        n: u64,
        /// Fresh nonce.
        nonce: Box<str>,
    },
    /// `DELETE /v1/leases/{id}`.
    Checkin {
        /// Which.
        lease: LeaseId,
    },
    /// `DELETE /v1/leases?key=`: whatever this key took or will take is not wanted.
    CheckinKey {
        /// The key.
        key: Arc<str>,
    },
}

/// What became of asking one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tried {
    /// It did not answer the probe.
    Down,
    /// It did not answer the checkout.
    NoAnswer,
    /// It has no seat.
    Denied(DenialCode),
    /// It must not be believed.
    Refused,
}

/// What the shell is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Probe these servers in parallel; [`PROBE_MS`] each.
    Probe {
        /// Indexes in the list of servers.
        servers: Vec<usize>,
    },
    /// Make a call and report its answer under its number.
    Call {
        /// The number to report it under.
        call: u64,
        /// Index in the list of servers.
        server: usize,
        /// What to ask.
        request: Request,
    },
    /// Make a call whose answer does not matter.
    Forget {
        /// Index in the list of servers.
        server: usize,
        /// What to ask.
        request: Request,
    },
    /// A seat is held now that was not before.
    Seated {
        /// Index in the list of servers.
        server: usize,
        /// The lease.
        lease: LeaseId,
    },
    /// No server gave a seat.
    NoSeat {
        /// What became of each server asked, in the order of the list.
        tried: Vec<(usize, Tried)>,
    },
    /// The seat was given back, or the holder stopped looking: the session is over.
    Ended,
}

/// Longest wait for the answer to a probe, in milliseconds.
pub const PROBE_MS: i64 = 2_000;
/// Between two rounds of looking for another seat while one is slipping away, in milliseconds.
const SEEK_AGAIN_MS: i64 = 30_000;

#[derive(Clone, Debug)]
struct Held {
    server: usize,
    lease: LeaseId,
    key: Arc<str>,
    n: u64,
    /// Taken before the last answered request was sent: the right is counted from here.
    anchor: Reading,
    times: LeaseTimes,
    /// The right was taken away: no better than grace until it is renewed.
    withdrawn: bool,
    /// An administrator took it back.
    taken_back: Option<TakenBack>,
    /// Somebody else uses it: it is lost whatever the clock says.
    copied: bool,
    in_flight: Option<(u64, Reading)>,
    /// When the next heartbeat is due: this long after this reading.
    next: (Reading, i64),
    last_resume: Option<Reading>,
    last_seek: Option<Reading>,
}

#[derive(Clone, Copy, Debug)]
struct TakenBack {
    /// Lost this long after this reading, if not sooner.
    stop: (Reading, i64),
    /// No other seat is looked for until this long after this reading.
    not_again: (Reading, i64),
    /// It was lost, and is given back.
    given_back: bool,
}

/// One seat of one feature, from looking for it to giving it back. A clone is what a cloned machine has: two holders of
/// one lease, of which the server lets one go on.
#[derive(Clone, Debug)]
pub struct Session {
    servers: usize,
    times: TimeTable,
    calls: u64,
    seek: Option<Seek>,
    held: Option<Held>,
    releasing: Option<(u64, u32)>,
    ended: bool,
}

impl Session {
    /// A session over `servers` servers, primary first (at least 1).
    pub fn new(servers: usize, times: TimeTable) -> Session {
        Session { servers: servers.max(1), times, calls: 0, seek: None, held: None, releasing: None, ended: false }
    }

    /// How far the seat can be relied on at `now`; `None` if none is held.
    pub fn state(&self, now: Reading) -> Option<SeatState> {
        let held = self.held.as_ref()?;
        let age_ms = now.elapsed_ms(held.anchor);
        Some(match held.times {
            _ if held.copied || held.left_ms(now) == 0 => SeatState::Lost,
            times if held.withdrawn || age_ms >= i64::from(times.ttl_s) * 1_000 => SeatState::Grace,
            times if age_ms >= i64::from(times.renew_after_s) * 1_000 => SeatState::Renewing,
            _ => SeatState::Ok,
        })
    }

    /// Why the server does not renew the seat, if it said so and has not renewed it since.
    pub fn taken(&self) -> Option<LeaseEnd> {
        let held = self.held.as_ref()?;
        match (held.copied, held.withdrawn) {
            (true, _) => Some(LeaseEnd::LeaseCopied),
            (_, true) => Some(LeaseEnd::Withdrawn),
            _ => None,
        }
    }

    /// Milliseconds until the seat is lost if nothing renews it; 0 if it is, or if none is held.
    pub fn left_ms(&self, now: Reading) -> i64 {
        self.held.as_ref().filter(|held| !held.copied).map_or(0, |held| held.left_ms(now))
    }

    /// The lease held and its server.
    pub fn holding(&self) -> Option<(usize, LeaseId)> {
        self.held.as_ref().map(|held| (held.server, held.lease))
    }

    /// The key under which a seat is being asked for at the moment.
    pub fn asking(&self) -> Option<&Arc<str>> {
        self.seek.as_ref().and_then(Seek::key)
    }

    /// Milliseconds after which a [`SessionInput::Tick`] has something to do.
    pub fn due_in_ms(&self, now: Reading) -> i64 {
        let seek = self.seek.as_ref().and_then(|seek| seek.due_in_ms(now));
        let beat = self.held.as_ref().filter(|held| held.in_flight.is_none() && self.releasing.is_none());
        let beat = beat.map(|held| held.next.1 - now.elapsed_ms(held.next.0));
        // Also wake when the state changes, so that whoever watches it hears in time.
        let change = self.held.as_ref().map(|held| {
            let age_ms = now.elapsed_ms(held.anchor);
            let edges = [held.times.renew_after_s, held.times.ttl_s, held.times.ttl_s + held.times.grace_s];
            let edge = edges.into_iter().map(|s| i64::from(s) * 1_000 - age_ms).find(|left| *left > 0);
            edge.unwrap_or(i64::MAX)
        });
        let taken = self.held.as_ref().filter(|held| !held.copied && self.releasing.is_none());
        let stop = taken.and_then(|held| held.taken_back).map(|taken| match taken {
            TakenBack { given_back: false, stop, .. } => stop.1 - now.elapsed_ms(stop.0),
            TakenBack { not_again, .. } => (not_again.1 - now.elapsed_ms(not_again.0)).max(SEEK_AGAIN_MS),
        });
        [seek, beat, change, stop].into_iter().flatten().min().unwrap_or(i64::MAX).max(0)
    }

    /// Handles one input.
    pub fn step(&mut self, now: Reading, input: SessionInput, random: &mut dyn Random) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.ended {
            return actions;
        }
        match input {
            SessionInput::Start => {
                if self.seek.is_none() && self.held.is_none() {
                    self.start_seek(now, None, &mut actions);
                }
            }
            SessionInput::Probed { server, up } => self.probed(now, server, up, random, &mut actions),
            SessionInput::Answered { call, reply } => self.answered(now, call, reply, random, &mut actions),
            SessionInput::Failed { call } => self.failed(now, call, random, &mut actions),
            SessionInput::Tick => self.tick(now, random, &mut actions),
            SessionInput::Release => self.release(&mut actions),
        }
        actions
    }

    fn call(&mut self, server: usize, request: Request, actions: &mut Vec<Action>) -> u64 {
        self.calls += 1;
        actions.push(Action::Call { call: self.calls, server, request });
        self.calls
    }

    fn answered(&mut self, now: Reading, call: u64, reply: Reply, random: &mut dyn Random, actions: &mut Vec<Action>) {
        if self.releasing.is_some_and(|(releasing, _)| releasing == call) {
            self.end(actions);
        } else if let Some(sent) = self.take_in_flight(call) {
            self.beat_answered(now, sent, reply, random, actions);
        } else if self.seek.as_ref().is_some_and(|seek| seek.asked(call)) {
            self.ask_answered(now, reply, random, actions);
        }
        // Anything else is a late answer, and never used.
    }

    fn failed(&mut self, now: Reading, call: u64, random: &mut dyn Random, actions: &mut Vec<Action>) {
        if let Some((_, tries)) = self.releasing.filter(|(releasing, _)| *releasing == call) {
            // One repetition; then the seat comes back when its lease runs out.
            match self.held.as_ref().map(|held| (held.server, held.lease)) {
                Some((server, lease)) if tries == 0 => {
                    let call = self.call(server, Request::Checkin { lease }, actions);
                    self.releasing = Some((call, 1));
                }
                _ => self.end(actions),
            }
        } else if self.take_in_flight(call).is_some() {
            self.beat_again(now, random);
            self.seek_elsewhere(now, actions);
        } else if self.seek.as_ref().is_some_and(|seek| seek.asked(call)) {
            self.ask_failed(now, random, actions);
        }
    }

    fn tick(&mut self, now: Reading, random: &mut dyn Random, actions: &mut Vec<Action>) {
        self.probe_time_out(now, random, actions);
        if self.releasing.is_some() {
            return;
        }
        self.give_back_what_was_taken(now, actions);
        let Some(held) = &mut self.held else { return };
        if held.in_flight.is_none() && now.elapsed_ms(held.next.0) >= held.next.1 {
            held.n += 1;
            let request = Request::Heartbeat { lease: held.lease, n: held.n, nonce: token(random).into() };
            self.beat(now, request, actions);
        }
    }

    /// A seat that an administrator took back and that is lost is given back, so that it is free at once for whoever it was
    /// taken for. Whoever holds it still may look for another when the time set for that is over.
    fn give_back_what_was_taken(&mut self, now: Reading, actions: &mut Vec<Action>) {
        let lost = self.state(now) == Some(SeatState::Lost);
        let Some(held) = self.held.as_mut().filter(|held| !held.copied) else { return };
        let Some(taken) = held.taken_back.as_mut().filter(|_| lost) else { return };
        if !taken.given_back {
            taken.given_back = true;
            held.next = (now, i64::MAX);
            held.in_flight = None;
            actions.push(Action::Forget { server: held.server, request: Request::Checkin { lease: held.lease } });
        } else if now.elapsed_ms(taken.not_again.0) >= taken.not_again.1 {
            self.seek_anywhere(now, actions);
        }
    }

    fn beat(&mut self, now: Reading, request: Request, actions: &mut Vec<Action>) {
        let Some(server) = self.held.as_ref().map(|held| held.server) else { return };
        let call = self.call(server, request, actions);
        if let Some(held) = &mut self.held {
            held.in_flight = Some((call, now));
        }
    }

    fn take_in_flight(&mut self, call: u64) -> Option<Reading> {
        let held = self.held.as_mut()?;
        let (_, sent) = held.in_flight.filter(|(in_flight, _)| *in_flight == call)?;
        held.in_flight = None;
        Some(sent)
    }

    fn beat_answered(
        &mut self,
        now: Reading,
        sent: Reading,
        reply: Reply,
        random: &mut dyn Random,
        actions: &mut Vec<Action>,
    ) {
        let Some(held) = &mut self.held else { return };
        match reply {
            Reply::Leased { lease, times } if lease == held.lease => {
                (held.anchor, held.times, held.withdrawn, held.copied) = (sent, times, false, false);
                held.taken_back = None;
                held.next = (sent, i64::from(times.renew_after_s).max(1) * 1_000);
                self.drop_seek(actions);
            }
            Reply::Ended { end: LeaseEnd::LeaseGone, .. } if !held.resuming(now) => {
                held.n += 1;
                let (lease, key, n) = (held.lease, held.key.clone(), held.n);
                held.last_resume = Some(now);
                self.beat(now, Request::Resume { lease, key, n, nonce: token(random).into() }, actions);
            }
            Reply::Ended { end: LeaseEnd::Withdrawn, .. } => {
                held.withdrawn = true;
                self.beat_again(now, random);
                self.seek_anywhere(now, actions);
            }
            Reply::TakenBack { left_ms, not_again_ms } => {
                held.withdrawn = true;
                let stop = (sent, left_ms.min(held.left_ms(sent)));
                held.taken_back = Some(TakenBack { stop, not_again: (now, not_again_ms), given_back: false });
                self.beat_again(now, random);
                self.drop_seek(actions);
                self.give_back_what_was_taken(now, actions);
            }
            Reply::Ended { end: LeaseEnd::LeaseCopied, .. } => {
                held.copied = true;
                self.beat_again(now, random);
                self.seek_anywhere(now, actions);
            }
            _ => {
                self.beat_again(now, random);
                self.seek_anywhere(now, actions);
            }
        }
    }

    /// The next heartbeat after one that did not renew: every ten seconds, give or take a fifth, so that a thousand
    /// clients of a restarted server do not come at once.
    fn beat_again(&mut self, now: Reading, random: &mut dyn Random) {
        let retry_ms = self.times.heartbeat_retry_ms;
        let jitter_ms = i64::try_from(random.below(u64::try_from(retry_ms * 2 / 5).unwrap_or(1))).unwrap_or(0);
        if let Some(held) = &mut self.held {
            held.next = (now, retry_ms - retry_ms / 5 + jitter_ms);
        }
    }

    fn release(&mut self, actions: &mut Vec<Action>) {
        self.drop_seek(actions);
        if self.releasing.is_some() {
            return;
        }
        // A copied seat is its other holder's; one that was taken back is on its way already.
        let given_back = |held: &&Held| held.taken_back.as_ref().is_some_and(|taken| taken.given_back);
        match self.held.as_ref().filter(|held| !held.copied && !given_back(held)).map(|held| (held.server, held.lease))
        {
            Some((server, lease)) => {
                let call = self.call(server, Request::Checkin { lease }, actions);
                self.releasing = Some((call, 0));
            }
            None => self.end(actions),
        }
    }

    fn end(&mut self, actions: &mut Vec<Action>) {
        self.held = None;
        self.seek = None;
        self.releasing = None;
        self.ended = true;
        actions.push(Action::Ended);
    }
}

impl Held {
    /// Milliseconds in which it may still be used if nothing renews it.
    fn left_ms(&self, now: Reading) -> i64 {
        let left_ms = self.times.lessee_stops_after_ms() - now.elapsed_ms(self.anchor);
        // What was given back is not held again, whatever a clock shows later.
        let stop_ms = self.taken_back.map_or(i64::MAX, |taken| match taken.given_back {
            true => 0,
            false => taken.stop.1 - now.elapsed_ms(taken.stop.0),
        });
        left_ms.min(stop_ms).max(0)
    }

    /// A resume was sent within the last round: its answer decides, not another resume.
    fn resuming(&self, now: Reading) -> bool {
        self.last_resume.is_some_and(|at| now.elapsed_ms(at) < SEEK_AGAIN_MS)
    }
}

/// A fresh token of 128 random bits in hex: idempotency keys and nonces.
fn token(random: &mut dyn Random) -> String {
    random::bytes::<16>(random).iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
