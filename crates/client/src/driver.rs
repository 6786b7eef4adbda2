//! The thread behind each seat: it drives `leasehold_core::session::Session` with real clocks and sockets.
//!
//! The thread itself never waits for the network. Each call runs on a short-lived thread and reports back by its
//! number, so that giving a seat back, or a clock that jumped, is noticed at once whatever a server does.

use crate::client::Parts;
use crate::link::{Called, Link};
use crate::seat::{GivenBack, LeftSeat, Seat, SeatChange, SeatInfo, Shared};
use crate::trouble::{NoSeat, ServerTrouble, Trouble};
use leasehold_core::codes::LeaseEnd;
use leasehold_core::ids::LeaseId;
use leasehold_core::session::{Action, PROBE_MS, Reply, Request, SeatState, Session, SessionInput, Tried};
use leasehold_core::times::TimeTable;
use leasehold_host::OsRandom;
use leasehold_wire::server::{CheckoutRequest, HeartbeatRequest, ResumeRequest};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// The thread looks at the clocks at least this often: its waiting does not count time spent suspended.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// When a session is over, calls whose answers do not matter get this long to leave the machine.
const FORGET_WAIT: Duration = Duration::from_secs(2);

/// What reaches the thread.
pub(crate) enum Event {
    /// Give the seat back.
    Release,
    /// Stop, but leave the seat out.
    Leave(Sender<Option<LeftSeat>>),
    /// Tell changes of the state.
    Watch(Sender<SeatChange>),
    /// A probe was answered, or not.
    Probed { server: usize, up: Result<(), Trouble> },
    /// A call was answered, or not.
    Called { call: u64, server: usize, outcome: Result<Called, Trouble> },
    /// A call whose answer does not matter is over.
    Forgotten { confirmed: bool },
}

/// Starts a session and waits until it has a seat or none can be had.
pub(crate) fn checkout(client: &Arc<Parts>, request: CheckoutRequest) -> Result<Seat, NoSeat> {
    let feature = request.feature.to_string();
    let (events, inbox) = channel();
    let (found, finding) = channel();
    let (ended, ending) = channel();
    let session = Session::new(client.links.len(), TimeTable::DEFAULT);
    let shared = Arc::new(Shared::new(session, client.clock.clone()));
    let driver = Driver {
        client: client.clone(),
        shared: shared.clone(),
        request,
        events: events.clone(),
        inbox,
        found: Some(found),
        ended,
        leases: HashMap::new(),
        troubles: HashMap::new(),
        watchers: Vec::new(),
        told: None,
        forgetting: 0,
        giving_back: false,
        given_back: GivenBack::Unconfirmed,
        said: None,
        over: false,
    };
    let started = thread::Builder::new().name("leasehold-seat".to_owned()).spawn(move || driver.run());
    if let Err(error) = started {
        return Err(NoSeat::local(&feature, format!("This process cannot start another thread: {error}.")));
    }
    match finding.recv() {
        Ok(None) => Ok(Seat::new(shared, events, ending)),
        Ok(Some(no_seat)) => Err(no_seat),
        Err(_) => Err(NoSeat::local(&feature, "The thread that asks the license servers died.")),
    }
}

/// What the session does not keep about a lease.
struct Kept {
    secret: Arc<str>,
    /// The newest signed document, to show to a server that was restored.
    token: String,
    info: SeatInfo,
}

struct Driver {
    client: Arc<Parts>,
    shared: Arc<Shared>,
    request: CheckoutRequest,
    events: Sender<Event>,
    inbox: Receiver<Event>,
    /// Where the first outcome goes: `None` for a seat.
    found: Option<Sender<Option<NoSeat>>>,
    ended: Sender<GivenBack>,
    leases: HashMap<LeaseId, Kept>,
    troubles: HashMap<usize, Trouble>,
    watchers: Vec<Sender<SeatChange>>,
    told: Option<SeatState>,
    forgetting: usize,
    /// One of these is the seat that is held.
    giving_back: bool,
    given_back: GivenBack,
    /// Why the seat is not renewed, as it was logged: once, however often it is asked again.
    said: Option<LeaseEnd>,
    over: bool,
}

impl Driver {
    fn run(mut self) {
        self.step(SessionInput::Start);
        while !self.over {
            let due_ms = self.shared.session().due_in_ms(self.shared.reading());
            let wait = Duration::from_millis(due_ms.unsigned_abs()).clamp(Duration::from_millis(1), LOOK_EVERY);
            match self.inbox.recv_timeout(wait) {
                Ok(event) => self.handle(event),
                // Only the thread itself still has a sender: nobody holds the seat any more.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => self.step(SessionInput::Tick),
            }
            self.tell();
        }
        // What was taken back is being given back: whoever waits hears how that went.
        if self.giving_back {
            self.wait_forgotten();
        }
        let _ = self.ended.send(self.given_back);
        self.wait_forgotten();
    }

    fn wait_forgotten(&mut self) {
        while self.forgetting > 0 {
            match self.inbox.recv_timeout(FORGET_WAIT) {
                Ok(Event::Forgotten { confirmed }) => self.forgotten(confirmed),
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }

    fn forgotten(&mut self, confirmed: bool) {
        self.forgetting -= 1;
        if confirmed {
            self.given_back = GivenBack::Confirmed;
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Release => self.step(SessionInput::Release),
            Event::Leave(sender) => {
                let _ = sender.send(self.left_seat());
                self.over = true;
            }
            Event::Watch(sender) => self.watchers.push(sender),
            Event::Probed { server, up } => {
                let is_up = up.is_ok();
                if let Err(trouble) = up {
                    self.troubles.insert(server, trouble);
                }
                self.step(SessionInput::Probed { server, up: is_up });
            }
            Event::Called { call, server, outcome } => self.called(call, server, outcome),
            Event::Forgotten { confirmed } => self.forgotten(confirmed),
        }
    }

    fn called(&mut self, call: u64, server: usize, outcome: Result<Called, Trouble>) {
        let input = match outcome {
            Ok(Called::Leased(leased)) => {
                self.troubles.remove(&server);
                self.said = None;
                self.shared.set_reason(None);
                let lease = leased.answer.lease;
                let info = SeatInfo {
                    server: Some(self.client.links[server].address.clone()),
                    lease,
                    pass: None,
                    feature: leased.answer.feature,
                    seats: leased.answer.seats,
                    ends_at: leased.answer.ends_at.0,
                };
                let kept = Kept { secret: leased.answer.secret.into(), token: leased.answer.token, info };
                self.leases.insert(lease, kept);
                SessionInput::Answered { call, reply: Reply::Leased { lease, times: leased.times } }
            }
            Ok(Called::Ended { end, left_ms }) => {
                if self.said.replace(end) != Some(end) {
                    tracing::warn!(server = %self.client.links[server].address, %end, "a seat was not renewed");
                }
                SessionInput::Answered { call, reply: Reply::Ended { end, left_ms } }
            }
            Ok(Called::TakenBack { left_ms, not_again_ms, reason }) => {
                let end = LeaseEnd::Withdrawn;
                if self.said.replace(end) != Some(end) {
                    let server = &self.client.links[server].address;
                    tracing::warn!(%server, reason, "an administrator of the license server took a seat back");
                }
                self.shared.set_reason(Some(reason.unwrap_or_default().into()));
                SessionInput::Answered { call, reply: Reply::TakenBack { left_ms, not_again_ms } }
            }
            Ok(Called::Released) => {
                self.given_back = GivenBack::Confirmed;
                SessionInput::Answered { call, reply: Reply::Released }
            }
            Err(trouble) => {
                tracing::debug!(server = %self.client.links[server].address, code = trouble.code(), "a call failed");
                let input = match &trouble {
                    trouble if trouble.is_passing() => SessionInput::Failed { call },
                    Trouble::Denied { code, .. } => SessionInput::Answered { call, reply: Reply::Denied(*code) },
                    _ => SessionInput::Answered { call, reply: Reply::Refused },
                };
                self.troubles.insert(server, trouble);
                input
            }
        };
        self.step(input);
        self.show();
    }

    /// Shows the lease that is held now to whoever asks the handle.
    fn show(&self) {
        let holding = self.shared.session().holding();
        if let Some(kept) = holding.and_then(|(_, lease)| self.leases.get(&lease)) {
            self.shared.set_info(kept.info.clone());
        }
    }

    fn step(&mut self, input: SessionInput) {
        let actions = {
            let mut session = self.shared.session();
            // Read under the lock, so that no later reading is handled before this one.
            session.step(self.shared.reading(), input, &mut OsRandom)
        };
        for action in actions {
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Probe { servers } => servers.into_iter().for_each(|server| self.probe(server)),
            Action::Call { call, server, request } => self.call(call, server, request),
            Action::Forget { server, request } => self.forget(server, request),
            Action::Seated { .. } => {
                self.show();
                if let Some(found) = self.found.take() {
                    self.told = Some(SeatState::Ok);
                    // Nobody waits any more: give the seat back.
                    if found.send(None).is_err() {
                        let _ = self.events.send(Event::Release);
                    }
                }
            }
            Action::NoSeat { tried } => {
                if let Some(found) = self.found.take() {
                    let _ = found.send(Some(self.no_seat(tried)));
                    self.over = true;
                }
            }
            Action::Ended => self.over = true,
        }
    }

    fn probe(&mut self, server: usize) {
        let (link, events) = (self.client.links[server].clone(), self.events.clone());
        spawn(&self.events, Event::Probed { server, up: Err(died()) }, move || {
            let up = catch_unwind(AssertUnwindSafe(|| link.is_up())).unwrap_or_else(|_| Err(died()));
            let _ = events.send(Event::Probed { server, up });
        });
    }

    fn call(&mut self, call: u64, server: usize, request: Request) {
        let events = self.events.clone();
        let Some(work) = self.work(server, request) else {
            // Every call is answered: the session waits for it.
            let _ = events.send(Event::Called { call, server, outcome: Err(died()) });
            return;
        };
        spawn(&self.events, Event::Called { call, server, outcome: Err(died()) }, move || {
            let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(died()));
            let _ = events.send(Event::Called { call, server, outcome });
        });
    }

    fn forget(&mut self, server: usize, request: Request) {
        let old = match &request {
            Request::Checkin { lease } => Some(*lease),
            _ => None,
        };
        let Some(work) = self.work(server, request) else { return };
        // The seat that is held, taken back by an administrator, and not one of before.
        let held = old.is_some() && self.shared.session().holding().map(|(_, lease)| lease) == old;
        self.giving_back |= held;
        if let Some(old) = old {
            self.leases.remove(&old);
        }
        let events = self.events.clone();
        self.forgetting += 1;
        spawn(&self.events, Event::Forgotten { confirmed: false }, move || {
            let told = catch_unwind(AssertUnwindSafe(work));
            let confirmed = held && matches!(told, Ok(Ok(Called::Released)));
            let _ = events.send(Event::Forgotten { confirmed });
        });
    }

    /// The call as work for another thread; `None` for a lease of which nothing is known, which cannot be.
    fn work(&self, server: usize, request: Request) -> Option<Box<dyn FnOnce() -> Result<Called, Trouble> + Send>> {
        let link: Arc<Link> = self.client.links[server].clone();
        let with_nonce = |nonce: Box<str>| CheckoutRequest { nonce, ..self.request.clone() };
        let secret = |lease: &LeaseId| self.leases.get(lease).map(|kept| kept.secret.clone());
        Some(match request {
            Request::Checkout { key, nonce } => {
                let request = with_nonce(nonce);
                Box::new(move || link.checkout(&key, &request))
            }
            Request::Heartbeat { lease, n, nonce } => {
                let (secret, of) = (secret(&lease)?, self.request.clone());
                Box::new(move || link.heartbeat(lease, &secret, &HeartbeatRequest { n, nonce }, &of))
            }
            Request::Resume { lease, key, n, nonce } => {
                let (secret, token) = (secret(&lease)?, self.leases.get(&lease)?.token.clone());
                let resume = ResumeRequest { n, checkout: with_nonce(nonce.clone()), nonce, key, token };
                Box::new(move || link.resume(lease, &secret, &resume))
            }
            Request::Checkin { lease } => {
                let secret = secret(&lease)?;
                Box::new(move || link.checkin(lease, &secret))
            }
            Request::CheckinKey { key } => Box::new(move || link.checkin_key(&key)),
        })
    }

    fn no_seat(&mut self, tried: Vec<(usize, Tried)>) -> NoSeat {
        let trouble = |server: usize, tried: Tried, known: Option<Trouble>| match (known, tried) {
            (Some(trouble), _) => trouble,
            (None, Tried::Denied(code)) => Trouble::Denied { code, denial: None },
            (None, Tried::Down) => {
                Trouble::NoAnswer { why: format!("nothing came within {} seconds", PROBE_MS / 1_000) }
            }
            (None, Tried::NoAnswer | Tried::Refused) => {
                let why = format!("the request to {} came to nothing", self.client.links[server].address);
                Trouble::NoAnswer { why }
            }
        };
        let mut troubles = std::mem::take(&mut self.troubles);
        let servers = tried.into_iter().map(|(server, tried)| ServerTrouble {
            server: self.client.links[server].address.clone(),
            trouble: trouble(server, tried, troubles.remove(&server)),
        });
        NoSeat {
            feature: self.request.feature.to_string(),
            servers: servers.collect(),
            local: None,
            passes: Vec::new(),
        }
    }

    fn left_seat(&self) -> Option<LeftSeat> {
        let (_, lease) = self.shared.session().holding()?;
        let kept = self.leases.get(&lease)?;
        Some(LeftSeat {
            server: kept.info.server.as_ref()?.to_string(),
            lease,
            feature: kept.info.feature.clone(),
            seats: kept.info.seats,
            secret: kept.secret.to_string(),
        })
    }

    /// Tells whoever watches if the state is another than before.
    fn tell(&mut self) {
        if self.found.is_some() || self.over {
            return;
        }
        let change = self.shared.change();
        if self.told != Some(change.state) {
            self.told = Some(change.state);
            self.watchers.retain(|watcher| watcher.send(change.clone()).is_ok());
        }
    }
}

fn died() -> Trouble {
    Trouble::NoAnswer { why: "the request could not be made".to_owned() }
}

/// Runs `work` on a thread of its own. If there is none, `instead` is reported, so that the session goes on.
fn spawn(events: &Sender<Event>, instead: Event, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name("leasehold-call".to_owned()).spawn(work) {
        tracing::warn!(%error, "no thread for a request to a license server");
        let _ = events.send(instead);
    }
}
