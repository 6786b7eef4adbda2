//! Laws 1, 3 and 4 on one server: tables for single rules, and a random walk against what clients may believe.

mod denials;
mod give_back;
mod online;
mod passes;
mod release;
mod site;
mod unknown;

use super::*;
use crate::grant::{Grant, Terms};
use crate::ids::{LicenseId, LineId, WorkstationId};
use crate::license::{Channel, FeatureCode, Kind, Share};
use crate::pool::Standing;
use crate::random::{Random, Seeded};
use crate::time::DAY_MS;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NOW: Ms = Ms(1_795_000_000_000);

fn line(number: u64, seats: u32, until: Ms, share: Share) -> Line {
    Line {
        line: LineId::draw(Ms(1), &mut Seeded::new(number)),
        license: LicenseId::draw(Ms(1), &mut Seeded::new(number % 2)),
        product: "p".into(),
        product_name: "P".into(),
        kind: Kind::Floating,
        channel: Channel::Commercial,
        features: [(FeatureCode::new("f").unwrap(), 1)].into(),
        seats,
        until,
        terms: Terms::by_file(share, None),
    }
}

fn document(rev: u64, lines: Vec<Line>) -> Document {
    let workstation = WorkstationId::draw(Ms(1), &mut Seeded::new(1));
    let grant = Grant {
        workstation,
        workstation_name: "w".into(),
        account_name: "a".into(),
        rev,
        issued_at: NOW,
        request: None,
        machine: String::new(),
        online: false,
        lines,
    };
    Document { grant, token: format!("token-{rev}").into(), sha256: format!("sha-{rev}").into(), file: "".into() }
}

fn act() -> Act {
    Act { who: "admin".into(), address: None }
}

fn ask(user: &str) -> Ask {
    Ask {
        feature: FeatureCode::new("f").unwrap(),
        seats: 1,
        version: "".into(),
        released_on: None,
        user: user.into(),
        host: "h".into(),
        host_id: "m".into(),
        boot_id: "b".into(),
        pid: 0,
        labels: BTreeMap::new(),
    }
}

fn source() -> Source {
    Source { address: [10, 0, 0, 1].into(), loopback: false }
}

struct Server {
    engine: Engine,
    random: Seeded,
    writes: Vec<Write>,
}

impl Server {
    fn new(seats: u32) -> Server {
        let engine = Engine::restore(Restored::default(), StartVerdict::Plausible, NOW, TimeTable::DEFAULT);
        let mut server = Server { engine, random: Seeded::new(5), writes: Vec::new() };
        let lines = vec![line(1, seats, NOW.plus(90 * DAY_MS), Share::None)];
        assert_eq!(server.install(NOW, document(1, lines)), Output::Installed { withdrawn: 0, set_back_to: None });
        server
    }

    fn install(&mut self, now: Ms, document: Document) -> Output {
        self.engine.step(now, Input::Install { document, wall: now, act: act() }, &mut self.writes)
    }

    fn checkout(&mut self, now: Ms, key: &str, user: &str) -> Output {
        self.checkout_seats(now, key, user, 1)
    }

    fn checkout_seats(&mut self, now: Ms, key: &str, user: &str, seats: u32) -> Output {
        let id = LeaseId::draw(now, &mut self.random);
        let ask = Ask { seats, ..ask(user) };
        self.engine.step(now, Input::Checkout { id, key: key.into(), ask, source: source() }, &mut self.writes)
    }

    fn heartbeat(&mut self, now: Ms, lease: LeaseId, n: u64, nonce: &str) -> Output {
        self.engine.step(now, Input::Heartbeat { lease, n, nonce: nonce.into() }, &mut self.writes)
    }

    /// A lease as its row says: moving a seat writes the rows of all its leases.
    fn as_on_disk(&self, lease: &Lease) -> Lease {
        let placement = self.engine.pool.placement(lease).clone();
        let standing = match lease.standing {
            Standing::Own(_) => Standing::Own(placement),
            Standing::Shared { seat, .. } => Standing::Shared { seat, placement },
        };
        Lease { standing, ..lease.clone() }
    }

    fn restart(&mut self, now: Ms, verdict: StartVerdict) {
        self.restart_from(now, verdict, None);
    }

    fn restart_from(&mut self, now: Ms, verdict: StartVerdict, restored_at: Option<Ms>) {
        let restored = Restored {
            restored_at,
            document: self.engine.document.clone(),
            // As the shell reads them: only what the document in force does not say.
            former_lines: self
                .engine
                .pool
                .view(now)
                .lines
                .into_iter()
                .filter(|view| !view.granted)
                .map(|view| view.line)
                .collect(),
            leases: self.engine.pool.leases().map(|lease| self.as_on_disk(lease)).collect(),
            ended: Vec::new(),
            ended_since: NOW,
            machine: "".into(),
            moved_since: None,
            asked: Vec::new(),
            draining: self.engine.draining,
            online: self.engine.online.as_ref().map(|online| online.row().clone()),
            peaks: Vec::new(),
            bars: Vec::new(),
            denials: Vec::new(),
            passes_over: self.passes_over_on_disk(),
            passes_held_until: self.engine.passes_held_until,
            unknown: restored_at.map(|at| UnknownPasses { since: NOW, until: at }),
            given_back: self.engine.given_back.clone(),
        };
        self.engine = Engine::restore(restored, verdict, now, TimeTable::DEFAULT);
    }

    /// The newest of each pass that is over.
    fn passes_over_on_disk(&self) -> Vec<PassOver> {
        let written = self.writes.iter().filter_map(|write| match write {
            Write::PassOver(over) => Some((over.id, (**over).clone())),
            _ => None,
        });
        written.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

fn leased(output: Output) -> LeaseAnswer {
    match output {
        Output::Leased(answer) => *answer,
        other => panic!("expected a lease, got {other:?}"),
    }
}

fn denied(output: Output) -> DenialCode {
    match output {
        Output::Denied(denial) => denial.code,
        other => panic!("expected a denial, got {other:?}"),
    }
}

const GONE: Output = Output::Ended { end: LeaseEnd::LeaseGone, left_ms: 0 };
const COPIED: Output = Output::Ended { end: LeaseEnd::LeaseCopied, left_ms: 0 };

#[test]
fn the_same_key_finds_the_same_seat_and_another_body_is_refused() {
    let mut server = Server::new(2);
    let first = leased(server.checkout(NOW, "k", "ann"));
    let again = leased(server.checkout(NOW.plus(1), "k", "ann"));
    assert_eq!((first.new, again.new, again.lease), (true, false, first.lease));
    assert_eq!(server.engine.pool().leases_out(), 1);
    assert_eq!(server.checkout(NOW, "k", "bob"), Output::KeyReused);
}

#[test]
fn a_key_is_remembered_while_its_lease_lives_and_two_minutes_after() {
    let mut server = Server::new(1);
    let lease = leased(server.checkout(NOW, "k", "ann")).lease;
    assert_eq!(server.engine.step(NOW, Input::Checkin { lease }, &mut vec![]), Output::Released);
    assert_eq!(server.engine.step(NOW, Input::Checkin { lease }, &mut vec![]), Output::Released, "twice is once");
    assert_eq!(server.checkout(NOW.plus(119_999), "k", "ann"), GONE);
    assert_eq!(server.engine.step(NOW.plus(120_000), Input::Checkin { lease }, &mut vec![]), Output::Unknown);
    assert!(leased(server.checkout(NOW.plus(120_000), "k", "ann")).new);
}

#[test]
fn a_checkout_that_arrives_after_its_key_was_given_up_takes_no_seat() {
    let mut server = Server::new(1);
    let given_up = server.engine.step(NOW, Input::CheckinKey { key: "k".into() }, &mut vec![]);
    assert_eq!(given_up, Output::Released);
    assert_eq!(server.checkout(NOW.plus(1), "k", "ann"), GONE);
    assert_eq!(server.engine.pool().leases_out(), 0);
}

#[test]
fn a_heartbeat_extends_and_a_copy_is_noticed() {
    let mut server = Server::new(1);
    let lease = leased(server.checkout(NOW, "k", "ann")).lease;
    leased(server.heartbeat(NOW.plus(60_000), lease, 2, "x"));
    leased(server.heartbeat(NOW.plus(61_000), lease, 2, "x"));
    assert_eq!(server.heartbeat(NOW.plus(62_000), lease, 2, "y"), COPIED);
    assert_eq!(server.heartbeat(NOW.plus(62_000), lease, 1, "x"), COPIED);
    // 61 s + 425 s: the lessor frees five seconds after the lessee has stopped.
    assert_eq!(server.engine.pool().lease(lease).unwrap().freed_at, NOW.plus(486_000));
    assert_eq!(denied(server.checkout(NOW.plus(485_999), "l", "bob")), DenialCode::NoSeats);
    assert!(leased(server.checkout(NOW.plus(486_000), "m", "bob")).new);
    assert_eq!(server.heartbeat(NOW.plus(486_001), lease, 3, "z"), GONE);
}

#[test]
fn after_a_restart_every_lease_runs_a_full_right_and_heartbeats_count_on() {
    let mut server = Server::new(1);
    let lease = leased(server.checkout(NOW, "k", "ann")).lease;
    leased(server.heartbeat(NOW.plus(60_000), lease, 7, "x"));
    server.restart(NOW.plus(400_000), StartVerdict::Plausible);
    assert_eq!(denied(server.checkout(NOW.plus(824_999), "l", "bob")), DenialCode::NoSeats);
    leased(server.heartbeat(NOW.plus(824_999), lease, 8, "y"));
}

#[test]
fn no_lease_outlives_its_line() {
    let mut server = Server::new(1);
    let until = NOW.plus(100_000);
    server.install(NOW, document(2, vec![line(1, 1, until, Share::None)]));
    let answer = leased(server.checkout(NOW, "k", "ann"));
    assert_eq!(answer.times.lessee_stops_after_ms(), 100_000);
    assert_eq!(denied(server.checkout(until.plus(-1_000), "l", "bob")), DenialCode::Expired);
    let end = server.heartbeat(until, answer.lease, 1, "x");
    assert_eq!(end, Output::Ended { end: LeaseEnd::Withdrawn, left_ms: 0 });
}

#[test]
fn a_heartbeat_moves_a_lease_to_a_line_that_runs_longer() {
    let mut server = Server::new(1);
    let soon = NOW.plus(200_000);
    server.install(NOW, document(2, vec![line(1, 1, soon, Share::None)]));
    let lease = leased(server.checkout(NOW, "k", "ann")).lease;
    let later = NOW.plus(DAY_MS);
    server.install(NOW, document(3, vec![line(1, 1, soon, Share::None), line(2, 1, later, Share::None)]));
    server.writes.clear();
    let answer = leased(server.heartbeat(NOW.plus(60_000), lease, 1, "x"));
    assert_eq!((answer.ends_at, answer.times), (later, LeaseTimes::DEFAULT));
    assert!(matches!(server.writes[0], Write::SeatMoved { .. }), "{:?}", server.writes);
}

#[test]
fn a_withdrawn_lease_is_refused_renewal_until_there_is_room_again() {
    let mut server = Server::new(2);
    let first = leased(server.checkout(NOW, "k", "ann")).lease;
    let second = leased(server.checkout(NOW.plus(1), "l", "bob")).lease;
    let smaller = document(2, vec![line(1, 1, NOW.plus(90 * DAY_MS), Share::None)]);
    assert_eq!(server.install(NOW.plus(2), smaller), Output::Installed { withdrawn: 1, set_back_to: None });
    leased(server.heartbeat(NOW.plus(60_000), first, 1, "x"));
    let refused = server.heartbeat(NOW.plus(60_000), second, 1, "x");
    assert_eq!(refused, Output::Ended { end: LeaseEnd::Withdrawn, left_ms: 360_001 });
    server.engine.step(NOW.plus(70_000), Input::Checkin { lease: first }, &mut vec![]);
    leased(server.heartbeat(NOW.plus(80_000), second, 2, "y"));
}

#[test]
fn documents_only_go_forward() {
    let mut server = Server::new(2);
    let lines = || vec![line(1, 2, NOW.plus(DAY_MS), Share::None)];
    assert_eq!(server.install(NOW, document(1, lines())), Output::NotInstalled(InstallRefusal::Twice));
    assert_eq!(server.install(NOW, document(3, lines())), Output::Installed { withdrawn: 0, set_back_to: None });
    let older = Output::NotInstalled(InstallRefusal::Older { file_rev: 2, in_use: 3 });
    assert_eq!(server.install(NOW, document(2, lines())), older);
    let mut other = document(4, lines());
    other.grant.workstation = WorkstationId::draw(Ms(1), &mut Seeded::new(2));
    assert_eq!(server.install(NOW, other), Output::NotInstalled(InstallRefusal::OtherWorkstation));
    let input = Input::Install { document: document(5, lines()), wall: NOW.plus(-DAY_MS), act: act() };
    let refused = server.engine.step(NOW, input, &mut vec![]);
    assert_eq!(refused, Output::NotInstalled(InstallRefusal::ClockSuspect { behind_ms: DAY_MS }));
    assert_eq!(server.engine.document().unwrap().grant.rev, 3);
}

#[test]
fn a_clock_set_back_stops_new_leases_for_one_full_right_but_not_running_work() {
    let mut server = Server::new(2);
    let lease = leased(server.checkout(NOW, "k", "ann")).lease;
    server.restart(NOW, StartVerdict::Behind { by_ms: DAY_MS });
    assert_eq!(denied(server.checkout(NOW.plus(1), "l", "bob")), DenialCode::ClockSuspect);
    leased(server.heartbeat(NOW.plus(1), lease, 1, "x"));
    assert!(leased(server.checkout(NOW.plus(425_000), "m", "bob")).new);
}

#[test]
fn a_restored_server_gives_nothing_new_until_every_lease_has_ended_that_it_does_not_know() {
    let mut server = Server::new(2);
    let lease = leased(server.checkout(NOW, "k", "ann")).lease;
    server.restart_from(NOW.plus(100_000), StartVerdict::Plausible, Some(NOW));
    assert_eq!(denied(server.checkout(NOW.plus(100_001), "l", "bob")), DenialCode::Restored);
    leased(server.heartbeat(NOW.plus(100_001), lease, 1, "x"));
    let unknown = LeaseId::draw(NOW, &mut Seeded::new(99));
    let (ask, source, nonce) = (ask("bob"), source(), "x".into());
    let resume = Input::Resume { lease: unknown, key: "m".into(), ask, source, n: 4, nonce };
    leased(server.engine.step(NOW.plus(100_001), resume, &mut vec![]));
    assert_eq!(denied(server.checkout(NOW.plus(424_999), "n", "bob")), DenialCode::Restored);
    server.engine.step(NOW.plus(425_000), Input::Checkin { lease }, &mut vec![]);
    assert!(leased(server.checkout(NOW.plus(425_000), "o", "bob")).new);
    // Restored by a clock that was ahead.
    server.restart_from(NOW.plus(425_000), StartVerdict::Plausible, Some(NOW.plus(DAY_MS)));
    assert_eq!(server.engine.no_new(NOW.plus(425_000)), Some((NOW.plus(850_000), DenialCode::Restored)));
}

#[test]
fn a_running_lease_unknown_to_a_restored_server_is_adopted_if_a_seat_is_free() {
    let mut server = Server::new(1);
    let lost = LeaseId::draw(NOW, &mut Seeded::new(99));
    let resume = |lease, key: &str| Input::Resume {
        lease,
        key: key.into(),
        ask: ask("ann"),
        source: source(),
        n: 4,
        nonce: "x".into(),
    };
    let answer = leased(server.engine.step(NOW, resume(lost, "k"), &mut server.writes));
    assert_eq!((answer.lease, answer.new), (lost, false));
    assert_eq!(server.heartbeat(NOW, lost, 3, "y"), COPIED, "its count goes on");
    let other = LeaseId::draw(NOW, &mut Seeded::new(98));
    assert_eq!(denied(server.engine.step(NOW, resume(other, "l"), &mut vec![])), DenialCode::NoSeats);
    server.engine.step(NOW, Input::Checkin { lease: lost }, &mut vec![]);
    assert_eq!(server.engine.step(NOW, resume(lost, "k"), &mut vec![]), GONE, "what was given back stays given back");
}

#[test]
fn draining_lets_leases_run_out_and_retires_only_when_none_is_left() {
    let mut server = Server::new(2);
    let lease = leased(server.checkout(NOW, "k", "ann")).lease;
    let draining = server.engine.step(NOW, Input::Drain { act: act() }, &mut server.writes);
    assert_eq!(draining, Output::Draining { leases_out: 1, done_by: NOW.plus(425_000) });
    assert_eq!(denied(server.checkout(NOW, "l", "bob")), DenialCode::Draining);
    let refused = server.heartbeat(NOW.plus(60_000), lease, 1, "x");
    assert_eq!(refused, Output::Ended { end: LeaseEnd::Withdrawn, left_ms: 360_000 });
    let retire = || Input::Retire { receipt: "r".into(), act: act() };
    assert_eq!(server.engine.step(NOW.plus(424_999), retire(), &mut vec![]), Output::NotDrained);
    assert_eq!(server.engine.step(NOW.plus(425_000), retire(), &mut vec![]), Output::Done);
    assert_eq!(denied(server.checkout(NOW.plus(425_000), "m", "bob")), DenialCode::NotActivated);
}

#[test]
fn asking_again_and_again_is_one_denial_in_the_log() {
    let mut server = Server::new(1);
    leased(server.checkout(NOW, "k", "ann"));
    server.writes.clear();
    for at in 0..5 {
        assert_eq!(denied(server.checkout(NOW.plus(at), "l", "bob")), DenialCode::NoSeats);
    }
    assert!(matches!(&server.writes[..], [Write::Denial(_), Write::Event(_)]), "{:?}", server.writes);
}

/// What one client believes: a lease, until when, and of how many heartbeats.
struct Belief {
    key: String,
    user: String,
    seats: u32,
    lease: LeaseId,
    until: Ms,
    n: u64,
}

#[derive(Clone, Debug)]
enum Op {
    Checkout(u8, u32),
    Repeat(usize),
    Heartbeat(usize),
    Checkin(usize),
    Forget(usize),
    Wait(i64),
    Install(Vec<(u64, u32, i64)>, bool),
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let lines = prop::collection::vec((1_u64..5, 0_u32..6, 1_i64..40), 0..4);
    prop_oneof![
        6 => (0_u8..4, 1_u32..4).prop_map(|(user, seats)| Op::Checkout(user, seats)),
        2 => any::<usize>().prop_map(Op::Repeat),
        5 => any::<usize>().prop_map(Op::Heartbeat),
        2 => any::<usize>().prop_map(Op::Checkin),
        1 => any::<usize>().prop_map(Op::Forget),
        5 => (0_i64..300_000).prop_map(Op::Wait),
        2 => (lines, any::<bool>()).prop_map(|(lines, shared)| Op::Install(lines, shared)),
        1 => Just(Op::Restart),
    ]
}

/// Seats out and held of one license, counted from the leases themselves and not from the pool's counters.
fn out_and_held(engine: &Engine, license: LicenseId, now: Ms) -> (u32, u32) {
    let view = engine.pool().view(now);
    let of = |line: LineId| view.lines.iter().find(|v| v.line.line == line).is_some_and(|v| v.line.license == license);
    let mut seats: BTreeMap<LeaseId, u32> = BTreeMap::new();
    for lease in engine.pool().leases() {
        let on: u32 = engine.pool().placement(lease).iter().filter(|(line, _)| of(*line)).map(|(_, n)| n).sum();
        seats.insert(lease.seat(), on);
    }
    let alive = view.lines.iter().filter(|v| v.granted && v.line.license == license && now < v.line.until);
    (seats.values().sum(), alive.map(|v| v.line.seats).sum())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]
    #[test]
    fn laws_1_3_and_4_hold_on_a_random_walk(ops in prop::collection::vec(op(), 1..80), seed in any::<u64>()) {
        let mut server = Server::new(3);
        server.random = Seeded::new(seed);
        let (mut now, mut rev, mut keys) = (NOW, 1, 0);
        let mut clients: Vec<Belief> = Vec::new();
        for op in ops {
            // A client that has passed its time knows that its seat is lost.
            let output = match &op {
                Op::Wait(ms) => { now = now.plus(*ms); server.engine.step(now, Input::Tick, &mut server.writes) }
                Op::Checkout(user, seats) => {
                    keys += 1;
                    let (key, user) = (format!("k{keys}"), format!("u{user}"));
                    let output = server.checkout_seats(now, &key, &user, *seats);
                    if let Output::Leased(answer) = &output {
                        prop_assert!(answer.new);
                        prop_assert!(clients.iter().all(|client| client.lease != answer.lease));
                        let until = now.plus(answer.times.lessee_stops_after_ms());
                        clients.push(Belief { key, user, seats: *seats, lease: answer.lease, until, n: 0 });
                    }
                    output
                }
                Op::Repeat(i) if !clients.is_empty() => {
                    let i = i % clients.len();
                    let (key, user, seats) = (clients[i].key.clone(), clients[i].user.clone(), clients[i].seats);
                    let before = server.engine.pool().leases_out();
                    let output = server.checkout_seats(now, &key, &user, seats);
                    match &output {
                        Output::Leased(answer) if !answer.new => {
                            prop_assert_eq!(answer.lease, clients[i].lease, "law 3: the same key, the same seat");
                            clients[i].until = clients[i].until.max(now.plus(answer.times.lessee_stops_after_ms()));
                        }
                        // Its lease had ended and the key was forgotten: a new seat, and the old belief is over.
                        Output::Leased(answer) => {
                            prop_assert!(now >= clients[i].until);
                            clients[i].lease = answer.lease;
                            clients[i].n = 0;
                            clients[i].until = now.plus(answer.times.lessee_stops_after_ms());
                        }
                        _ => prop_assert!(server.engine.pool().leases_out() <= before),
                    }
                    output
                }
                Op::Heartbeat(i) if !clients.is_empty() => {
                    let i = i % clients.len();
                    clients[i].n += 1;
                    let output = server.heartbeat(now, clients[i].lease, clients[i].n, "x");
                    match &output {
                        Output::Leased(answer) => clients[i].until = clients[i].until.max(now.plus(answer.times.lessee_stops_after_ms())),
                        Output::Ended { end: LeaseEnd::LeaseGone, .. } =>
                            prop_assert!(now >= clients[i].until, "law 4: freed before its holder stopped"),
                        Output::Ended { left_ms, .. } => prop_assert!(now.plus(*left_ms) >= clients[i].until),
                        other => prop_assert!(false, "{:?}", other),
                    }
                    output
                }
                Op::Checkin(i) if !clients.is_empty() => {
                    let gone = clients.remove(i % clients.len());
                    server.engine.step(now, Input::Checkin { lease: gone.lease }, &mut server.writes)
                }
                Op::Forget(i) if !clients.is_empty() => { let i = i % clients.len(); clients[i].n += 10; Output::Done }
                Op::Install(lines, shared) => {
                    rev += 1;
                    let share = if *shared { Share::UserHost } else { Share::None };
                    let lines: BTreeMap<_, _> = lines.iter().map(|(id, seats, minutes)| {
                        (*id, line(*id, *seats, now.plus(minutes * 60_000), share))
                    }).collect();
                    server.install(now, document(rev, lines.into_values().collect()))
                }
                Op::Restart => { server.restart(now, StartVerdict::Plausible); Output::Done }
                _ => Output::Done,
            };
            // Law 1: whatever this step created or moved stands on seats that are held.
            let created = matches!(&output, Output::Leased(answer) if answer.new);
            for license in [0, 1].map(|number| LicenseId::draw(Ms(1), &mut Seeded::new(number))) {
                let (out, held) = out_and_held(&server.engine, license, now);
                let on_it = match &output {
                    Output::Leased(answer) if created => server.engine.pool().lease(answer.lease).is_some_and(|lease| {
                        let view = server.engine.pool().view(now);
                        server.engine.pool().placement(lease).iter().any(|(line, _)| {
                            view.lines.iter().any(|v| v.line.line == *line && v.line.license == license)
                        })
                    }),
                    _ => false,
                };
                prop_assert!(!on_it || out <= held, "law 1: {} out of {} after {:?}", out, held, op);
            }
            // Law 4 and "no right outlives the right it stands on".
            for client in &clients {
                if now < client.until {
                    let lease = server.engine.pool().lease(client.lease);
                    prop_assert!(lease.is_some(), "law 4: {} freed while believed in, after {:?}", client.lease, op);
                    prop_assert!(lease.is_some_and(|lease| lease.freed_at > client.until));
                }
            }
            // The counters of the pool are what the leases say.
            let capacity = server.engine.pool().capacity(&FeatureCode::new("f").unwrap(), now);
            let seats: BTreeMap<_, _> = server.engine.pool().leases().map(|lease| (lease.seat(), lease.ask.seats)).collect();
            prop_assert_eq!(capacity.in_use, seats.values().sum::<u32>());
        }
        let _ = server.random.below(2);
    }
}
