//! Looking for a seat: probe the servers in parallel, then ask one at a time, in order, among those that answered.

use super::{Action, Held, PROBE_MS, Reply, Request, SEEK_AGAIN_MS, SeatState, Session, Tried, token};
use crate::clock::Reading;
use crate::random::Random;
use std::sync::Arc;

/// One round over the servers.
#[derive(Clone, Debug)]
pub(super) struct Seek {
    since: Reading,
    /// What is known of each server, in the order of the list; `None`: not answered yet.
    servers: Vec<(usize, Option<Standing>)>,
    asking: Option<Asking>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Up,
    Over(Tried),
}

#[derive(Clone, Debug)]
struct Asking {
    server: usize,
    key: Arc<str>,
    call: u64,
    /// Before the first try: an answer to a repetition is counted from here too, which errs to the safe side.
    sent: Reading,
    repeated: bool,
}

impl Seek {
    /// The key under which a server is being asked.
    pub(super) fn key(&self) -> Option<&Arc<str>> {
        self.asking.as_ref().map(|asking| &asking.key)
    }

    pub(super) fn asked(&self, call: u64) -> bool {
        self.asking.as_ref().is_some_and(|asking| asking.call == call)
    }

    pub(super) fn due_in_ms(&self, now: Reading) -> Option<i64> {
        let probing = self.asking.is_none() && self.servers.iter().any(|(_, standing)| standing.is_none());
        probing.then(|| PROBE_MS - now.elapsed_ms(self.since))
    }

    fn set(&mut self, server: usize, standing: Standing) {
        if let Some(entry) = self.servers.iter_mut().find(|(index, _)| *index == server) {
            entry.1 = Some(standing);
        }
    }
}

impl Session {
    /// Starts a round over all servers but `except`.
    pub(super) fn start_seek(&mut self, now: Reading, except: Option<usize>, actions: &mut Vec<Action>) {
        let servers: Vec<usize> = (0..self.servers).filter(|server| Some(*server) != except).collect();
        if servers.is_empty() {
            return;
        }
        let unknown = servers.iter().map(|server| (*server, None)).collect();
        self.seek = Some(Seek { since: now, servers: unknown, asking: None });
        actions.push(Action::Probe { servers });
    }

    /// The server of the held seat does not answer, and the seat is slipping away: try the others.
    pub(super) fn seek_elsewhere(&mut self, now: Reading, actions: &mut Vec<Action>) {
        let slipping = matches!(self.state(now), Some(SeatState::Grace | SeatState::Lost));
        let Some(server) = self.held.as_ref().map(|held| held.server) else { return };
        if slipping {
            self.seek_again(now, Some(server), actions);
        }
    }

    /// The server answered that the seat is not renewed: a new one may be had from any.
    pub(super) fn seek_anywhere(&mut self, now: Reading, actions: &mut Vec<Action>) {
        self.seek_again(now, None, actions);
    }

    fn seek_again(&mut self, now: Reading, except: Option<usize>, actions: &mut Vec<Action>) {
        let Some(held) = &mut self.held else { return };
        let barred = held.taken_back.is_some_and(|taken| now.elapsed_ms(taken.not_again.0) < taken.not_again.1);
        if barred {
            return;
        }
        let lately = held.last_seek.is_some_and(|at| now.elapsed_ms(at) < SEEK_AGAIN_MS);
        if self.seek.is_none() && !lately {
            held.last_seek = Some(now);
            self.start_seek(now, except, actions);
        }
    }

    pub(super) fn probed(
        &mut self,
        now: Reading,
        server: usize,
        up: bool,
        random: &mut dyn Random,
        actions: &mut Vec<Action>,
    ) {
        let Some(seek) = &mut self.seek else { return };
        let fresh = seek.servers.iter().any(|(index, standing)| *index == server && standing.is_none());
        if fresh {
            seek.set(server, if up { Standing::Up } else { Standing::Over(Tried::Down) });
            self.ask_next(now, random, actions);
        }
    }

    pub(super) fn probe_time_out(&mut self, now: Reading, random: &mut dyn Random, actions: &mut Vec<Action>) {
        let Some(seek) = self.seek.as_mut().filter(|seek| seek.asking.is_none()) else { return };
        if now.elapsed_ms(seek.since) >= PROBE_MS {
            for (_, standing) in seek.servers.iter_mut().filter(|(_, standing)| standing.is_none()) {
                *standing = Some(Standing::Over(Tried::Down));
            }
            self.ask_next(now, random, actions);
        }
    }

    /// Asks the first server that is up, once every server before it in the list is known to be down or to have none.
    fn ask_next(&mut self, now: Reading, random: &mut dyn Random, actions: &mut Vec<Action>) {
        let Some(seek) = self.seek.as_mut().filter(|seek| seek.asking.is_none()) else { return };
        let first = seek.servers.iter().find(|(_, standing)| !matches!(standing, Some(Standing::Over(_)))).copied();
        match first {
            Some((_, None)) => {}
            Some((server, _)) => {
                let key: Arc<str> = token(random).into();
                let request = Request::Checkout { key: key.clone(), nonce: token(random).into() };
                let call = self.call(server, request, actions);
                if let Some(seek) = &mut self.seek {
                    seek.asking = Some(Asking { server, key, call, sent: now, repeated: false });
                }
            }
            None => {
                let Some(seek) = self.seek.take() else { return };
                let over = seek.servers.into_iter().filter_map(|(server, standing)| match standing {
                    Some(Standing::Over(tried)) => Some((server, tried)),
                    _ => None,
                });
                actions.push(Action::NoSeat { tried: over.collect() });
            }
        }
    }

    pub(super) fn ask_answered(
        &mut self,
        now: Reading,
        reply: Reply,
        random: &mut dyn Random,
        actions: &mut Vec<Action>,
    ) {
        let Some(asking) = self.seek.as_mut().and_then(|seek| seek.asking.take()) else { return };
        let tried = match reply {
            Reply::Leased { lease, times } => {
                self.seek = None;
                // A copied seat is its other holder's, who was heard last: giving it back would take it from under them.
                if let Some(old) = self.held.take().filter(|old| !old.copied) {
                    // Best effort: its server may never answer, and frees the seat when the lease runs out.
                    actions.push(Action::Forget { server: old.server, request: Request::Checkin { lease: old.lease } });
                }
                let server = asking.server;
                self.held = Some(Held {
                    server,
                    lease,
                    key: asking.key,
                    n: 0,
                    anchor: asking.sent,
                    times,
                    withdrawn: false,
                    taken_back: None,
                    copied: false,
                    in_flight: None,
                    next: (asking.sent, i64::from(times.renew_after_s).max(1) * 1_000),
                    last_resume: None,
                    last_seek: None,
                });
                actions.push(Action::Seated { server, lease });
                return;
            }
            Reply::Denied(code) => Tried::Denied(code),
            Reply::Ended { .. } | Reply::TakenBack { .. } | Reply::Released | Reply::Refused => Tried::Refused,
        };
        self.over(asking.server, tried);
        self.ask_next(now, random, actions);
    }

    /// The outcome is not known: repeat once with the same key, then give the key up before asking the next.
    pub(super) fn ask_failed(&mut self, now: Reading, random: &mut dyn Random, actions: &mut Vec<Action>) {
        let Some(asking) = self.seek.as_mut().and_then(|seek| seek.asking.take()) else { return };
        if !asking.repeated {
            let request = Request::Checkout { key: asking.key.clone(), nonce: token(random).into() };
            let call = self.call(asking.server, request, actions);
            if let Some(seek) = &mut self.seek {
                seek.asking = Some(Asking { call, repeated: true, ..asking });
            }
            return;
        }
        actions.push(Action::Forget { server: asking.server, request: Request::CheckinKey { key: asking.key } });
        self.over(asking.server, Tried::NoAnswer);
        self.ask_next(now, random, actions);
    }

    fn over(&mut self, server: usize, tried: Tried) {
        if let Some(seek) = &mut self.seek {
            seek.set(server, Standing::Over(tried));
        }
    }

    /// No other seat is wanted any more. A checkout on its way is given up by its key.
    pub(super) fn drop_seek(&mut self, actions: &mut Vec<Action>) {
        if let Some(asking) = self.seek.take().and_then(|seek| seek.asking) {
            actions.push(Action::Forget { server: asking.server, request: Request::CheckinKey { key: asking.key } });
        }
    }
}
