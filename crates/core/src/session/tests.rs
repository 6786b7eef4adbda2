use super::*;
use crate::random::Seeded;
use crate::time::Ms;

struct Client {
    session: Session,
    random: Seeded,
    now: Reading,
}

fn lease(number: u64) -> LeaseId {
    LeaseId::draw(Ms(1), &mut Seeded::new(number))
}

fn leased(number: u64) -> Reply {
    Reply::Leased { lease: lease(number), times: LeaseTimes::DEFAULT }
}

impl Client {
    fn new(servers: usize) -> Client {
        let now = Reading { wall: Ms(1_795_000_000_000), boottime_ms: 1_000 };
        Client { session: Session::new(servers, TimeTable::DEFAULT), random: Seeded::new(3), now }
    }

    /// A client of one server that holds a seat, taken just now.
    fn seated() -> Client {
        let mut client = Client::new(2);
        client.step(SessionInput::Start);
        client.step(SessionInput::Probed { server: 0, up: true });
        let actions = client.step(SessionInput::Answered { call: 1, reply: leased(1) });
        assert_eq!(actions, [Action::Seated { server: 0, lease: lease(1) }]);
        client
    }

    fn step(&mut self, input: SessionInput) -> Vec<Action> {
        self.session.step(self.now, input, &mut self.random)
    }

    fn wait_s(&mut self, seconds: i64) {
        self.now =
            Reading { wall: self.now.wall.plus(seconds * 1_000), boottime_ms: self.now.boottime_ms + seconds * 1_000 };
    }

    fn state(&self) -> Option<SeatState> {
        self.session.state(self.now)
    }

    /// Waits until something is due, ticks, and returns the one call that comes of it.
    fn next_call(&mut self) -> (u64, usize, Request) {
        for _ in 0..10 {
            let due_ms = self.session.due_in_ms(self.now);
            self.now = Reading { wall: self.now.wall.plus(due_ms), boottime_ms: self.now.boottime_ms + due_ms };
            if let Some(Action::Call { call, server, request }) = self.step(SessionInput::Tick).pop() {
                return (call, server, request);
            }
        }
        panic!("nothing came of ten ticks");
    }
}

fn checkout_of(actions: &[Action]) -> (u64, usize, Arc<str>) {
    match actions {
        [.., Action::Call { call, server, request: Request::Checkout { key, .. } }] => (*call, *server, key.clone()),
        other => panic!("expected a checkout, got {other:?}"),
    }
}

#[test]
fn the_primary_is_asked_first_even_if_an_alternate_answers_the_probe_earlier() {
    let mut client = Client::new(2);
    assert_eq!(client.step(SessionInput::Start), [Action::Probe { servers: vec![0, 1] }]);
    assert_eq!(client.step(SessionInput::Probed { server: 1, up: true }), []);
    assert_eq!(checkout_of(&client.step(SessionInput::Probed { server: 0, up: true })).1, 0);
}

#[test]
fn a_dead_primary_costs_two_seconds() {
    let mut client = Client::new(2);
    client.step(SessionInput::Start);
    client.step(SessionInput::Probed { server: 1, up: true });
    assert_eq!(client.session.due_in_ms(client.now), PROBE_MS);
    client.wait_s(2);
    assert_eq!(checkout_of(&client.step(SessionInput::Tick)).1, 1);
}

#[test]
fn an_unknown_outcome_is_repeated_with_the_same_key_and_then_given_up_before_the_next_is_asked() {
    let mut client = Client::new(2);
    client.step(SessionInput::Start);
    client.step(SessionInput::Probed { server: 1, up: true });
    let (call, _, key) = checkout_of(&client.step(SessionInput::Probed { server: 0, up: true }));
    let (again, server, same) = checkout_of(&client.step(SessionInput::Failed { call }));
    assert_eq!((server, &same), (0, &key));
    let actions = client.step(SessionInput::Failed { call: again });
    assert_eq!(actions[0], Action::Forget { server: 0, request: Request::CheckinKey { key } });
    assert_eq!(checkout_of(&actions).1, 1);
    // The late answer of the first is never used.
    assert_eq!(client.step(SessionInput::Answered { call: again, reply: leased(1) }), []);
    assert_eq!(client.session.holding(), None);
}

#[test]
fn when_nobody_has_a_seat_every_server_s_answer_is_told() {
    let mut client = Client::new(3);
    client.step(SessionInput::Start);
    client.step(SessionInput::Probed { server: 1, up: false });
    client.step(SessionInput::Probed { server: 2, up: true });
    let (call, ..) = checkout_of(&client.step(SessionInput::Probed { server: 0, up: true }));
    let denied = |code| Reply::Denied(code);
    let (call, server, _) =
        checkout_of(&client.step(SessionInput::Answered { call, reply: denied(DenialCode::NoSeats) }));
    assert_eq!(server, 2);
    let actions = client.step(SessionInput::Answered { call, reply: denied(DenialCode::Expired) });
    let tried =
        vec![(0, Tried::Denied(DenialCode::NoSeats)), (1, Tried::Down), (2, Tried::Denied(DenialCode::Expired))];
    assert_eq!(actions, [Action::NoSeat { tried }]);
}

#[test]
fn states_follow_the_time_table_and_a_heartbeat_restores_ok() {
    let mut client = Client::seated();
    for (at_s, state) in [
        (0, SeatState::Ok),
        (59, SeatState::Ok),
        (60, SeatState::Renewing),
        (120, SeatState::Grace),
        (419, SeatState::Grace),
        (420, SeatState::Lost),
    ] {
        let mut later = Client { session: Client::seated().session, random: Seeded::new(1), now: client.now };
        later.wait_s(at_s);
        assert_eq!(later.state(), Some(state), "at {at_s} s");
    }
    let (call, server, request) = client.next_call();
    assert!(matches!(request, Request::Heartbeat { n: 1, .. }) && server == 0);
    client.wait_s(3);
    client.step(SessionInput::Answered { call, reply: leased(1) });
    assert_eq!(client.state(), Some(SeatState::Ok));
    // Counted from before the request was sent, not from its answer.
    assert_eq!(client.session.left_ms(client.now), 417_000);
}

#[test]
fn a_woken_machine_says_lost_before_the_application_can_use_the_seat() {
    let mut client = Client::seated();
    // Suspended for an hour on a machine whose monotonic clock does not count it: the wall clock tells.
    client.now.wall = client.now.wall.plus(3_600_000);
    assert_eq!(client.state(), Some(SeatState::Lost));
    // It asks at once, and if the server still has the seat, all is well.
    let (call, ..) = client.next_call();
    client.step(SessionInput::Answered { call, reply: leased(1) });
    assert_eq!(client.state(), Some(SeatState::Ok));
}

#[test]
fn while_the_server_is_silent_heartbeats_come_every_ten_seconds_with_jitter() {
    let mut client = Client::seated();
    let (call, ..) = client.next_call();
    client.step(SessionInput::Failed { call });
    let wait_ms = client.session.due_in_ms(client.now);
    assert!((8_000..=12_000).contains(&wait_ms), "{wait_ms}");
}

#[test]
fn in_grace_the_other_servers_are_tried_and_the_old_seat_is_given_back() {
    let mut client = Client::seated();
    let (call, ..) = client.next_call();
    client.wait_s(70);
    let actions = client.step(SessionInput::Failed { call });
    assert_eq!(actions, [Action::Probe { servers: vec![1] }]);
    let (call, ..) = checkout_of(&client.step(SessionInput::Probed { server: 1, up: true }));
    let actions = client.step(SessionInput::Answered { call, reply: leased(2) });
    let give_back = Action::Forget { server: 0, request: Request::Checkin { lease: lease(1) } };
    assert_eq!(actions, [give_back, Action::Seated { server: 1, lease: lease(2) }]);
    assert_eq!(client.state(), Some(SeatState::Ok));
}

#[test]
fn a_lease_the_server_does_not_know_is_resumed_and_only_then_given_up_for_another() {
    let gone = || Reply::Ended { end: LeaseEnd::LeaseGone, left_ms: 0 };
    let mut client = Client::seated();
    let (call, ..) = client.next_call();
    let actions = client.step(SessionInput::Answered { call, reply: gone() });
    let [Action::Call { call, server: 0, request: Request::Resume { n: 2, .. } }] = actions[..] else {
        panic!("{actions:?}")
    };
    let actions = client.step(SessionInput::Answered { call, reply: gone() });
    assert_eq!(actions, [Action::Probe { servers: vec![0, 1] }]);
    assert_eq!(client.state(), Some(SeatState::Renewing), "the right already given still runs");
}

#[test]
fn withdrawn_means_grace_at_once_and_copied_means_lost_at_once() {
    for (end, state) in [(LeaseEnd::Withdrawn, SeatState::Grace), (LeaseEnd::LeaseCopied, SeatState::Lost)] {
        let mut client = Client::seated();
        let (call, ..) = client.next_call();
        client.step(SessionInput::Answered { call, reply: Reply::Ended { end, left_ms: 1 } });
        assert_eq!(client.state(), Some(state));
    }
}

#[test]
fn a_copied_seat_is_not_given_back_because_somebody_else_uses_it() {
    let copied = || Reply::Ended { end: LeaseEnd::LeaseCopied, left_ms: 0 };
    let mut client = Client::seated();
    let (call, ..) = client.next_call();
    client.step(SessionInput::Answered { call, reply: copied() });
    assert_eq!(client.step(SessionInput::Release), [Action::Ended]);

    let mut client = Client::seated();
    let (call, ..) = client.next_call();
    client.step(SessionInput::Answered { call, reply: copied() });
    let (call, ..) = checkout_of(&client.step(SessionInput::Probed { server: 0, up: true }));
    let reply = Reply::Leased { lease: lease(9), times: LeaseTimes::DEFAULT };
    let actions = client.step(SessionInput::Answered { call, reply });
    assert!(!actions.iter().any(|action| matches!(action, Action::Forget { .. })), "{actions:?}");
    assert_eq!(client.state(), Some(SeatState::Ok), "it has a seat of its own now");
}

#[test]
fn release_gives_back_once_and_repeats_once() {
    let mut client = Client::seated();
    let actions = client.step(SessionInput::Release);
    let [Action::Call { call, request: Request::Checkin { .. }, .. }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(client.step(SessionInput::Release), []);
    let actions = client.step(SessionInput::Failed { call });
    let [Action::Call { call, .. }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(client.step(SessionInput::Failed { call }), [Action::Ended]);
    assert_eq!(client.state(), None);
}

#[test]
fn stopping_to_look_gives_the_key_up() {
    let mut client = Client::new(1);
    client.step(SessionInput::Start);
    let (_, server, key) = checkout_of(&client.step(SessionInput::Probed { server: 0, up: true }));
    let actions = client.step(SessionInput::Release);
    assert_eq!(actions, [Action::Forget { server, request: Request::CheckinKey { key } }, Action::Ended]);
}

#[test]
fn a_seat_taken_back_is_lost_after_the_notice_given_back_and_not_taken_again() {
    let mut client = Client::seated();
    let (call, _, request) = client.next_call();
    assert!(matches!(request, Request::Heartbeat { .. }));
    let sent = client.now;
    client.wait_s(1);
    let told = SessionInput::Answered { call, reply: Reply::TakenBack { left_ms: 120_000, not_again_ms: 600_000 } };
    assert_eq!(client.step(told), [], "no other seat is looked for");
    assert_eq!((client.state(), client.session.taken()), (Some(SeatState::Grace), Some(LeaseEnd::Withdrawn)));
    client.wait_s(118);
    assert_eq!(client.session.left_ms(client.now), 1_000, "counted from before the heartbeat: {sent:?}");
    client.wait_s(1);
    assert_eq!(client.state(), Some(SeatState::Lost));
    let actions = client.step(SessionInput::Tick);
    assert_eq!(actions, [Action::Forget { server: 0, request: Request::Checkin { lease: lease(1) } }]);
    client.wait_s(400);
    assert_eq!(client.step(SessionInput::Tick), [], "neither heartbeat nor checkout");
    client.wait_s(200);
    let actions = client.step(SessionInput::Tick);
    assert!(matches!(&actions[..], [Action::Probe { .. }]), "the time is over: {actions:?}");
}

#[test]
fn a_seat_that_was_given_back_is_not_held_again_when_the_clock_is_set_back() {
    let mut client = Client::seated();
    let (call, ..) = client.next_call();
    client.wait_s(1);
    client.step(SessionInput::Answered { call, reply: Reply::TakenBack { left_ms: 120_000, not_again_ms: 600_000 } });
    let right = client.now;
    client.now.wall = right.wall.plus(3_600_000);
    assert!(matches!(client.step(SessionInput::Tick)[..], [Action::Forget { .. }]));
    client.now = right;
    assert_eq!((client.state(), client.session.left_ms(client.now)), (Some(SeatState::Lost), 0));
}

#[test]
fn a_notice_never_makes_a_right_longer() {
    let mut client = Client::seated();
    client.wait_s(400);
    client.step(SessionInput::Tick);
    let told = SessionInput::Answered { call: 2, reply: Reply::TakenBack { left_ms: 120_000, not_again_ms: 0 } };
    client.step(told);
    assert_eq!(client.session.left_ms(client.now), 20_000);
}
