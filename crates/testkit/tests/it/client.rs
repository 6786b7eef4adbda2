//! The client against a real license server over real sockets: taking, holding, losing and returning a seat, and whom it
//! believes.

use crate::client_site::{FEATURE, Site};
use leasehold_client::{Checkout, Client, GivenBack, NoSeat, NoSeatKind, Seat, SeatState, Trouble};
use leasehold_core::time::Clock;
use leasehold_host::SystemClock;
use leasehold_server::local;
use leasehold_testkit::FakeClock;
use leasehold_wire::server::ReleaseRequest;
use std::net::TcpListener;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// Longest wait for something that must happen.
const BOUND: Duration = Duration::from_secs(30);

fn studio() -> Checkout {
    Checkout::of(FEATURE)
}

fn code(no_seat: &NoSeat, server: usize) -> String {
    no_seat.servers()[server].trouble.code().to_owned()
}

/// A client whose clocks are in the test's hands.
fn with_fake_clock(site: &Site, servers: &[&str]) -> (Client, FakeClock) {
    let clock = FakeClock::new(SystemClock::new().wall());
    let mut builder = site.builder().clock(Arc::new(clock.clone()));
    for server in servers {
        builder = builder.server(server);
    }
    (builder.build().unwrap(), clock)
}

/// Waits until the seat's state is `wanted`. Watching it wakes the thread behind it, which then sees the moved clock.
fn wait_for(seat: &Seat, wanted: SeatState) {
    wait_until(seat, |seat| seat.state() == wanted);
}

fn wait_until(seat: &Seat, done: impl Fn(&Seat) -> bool) {
    let (sender, changes) = channel();
    seat.on_change(move |change| sender.send(change.state).unwrap_or(()));
    let step = Duration::from_millis(20);
    let mut left = BOUND;
    while !done(seat) {
        assert!(left > Duration::ZERO, "the state stays {}", seat.state());
        if changes.recv_timeout(step) == Err(RecvTimeoutError::Timeout) {
            left = left.saturating_sub(step);
        }
    }
}

/// An address where nothing listens.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn whoever_lost_the_seat_to_an_administrator_reads_why_and_asks_in_vain_for_a_while() {
    let site = Site::with_seats(2);
    let of = |user: &str| site.builder().server(&site.address()).user(user).host("ws-1").build().unwrap();
    let client = of("ann");
    let kept = client.checkout(&studio()).unwrap();
    let wish = ReleaseRequest { user: Some("ann".into()), reason: "deadline".into(), ..ReleaseRequest::default() };
    local::release(site.local(), &wish).unwrap();
    drop(kept);
    let refused = client.checkout(&studio()).unwrap_err();
    assert_eq!((refused.kind(), code(&refused, 0)), (NoSeatKind::NoSeat, "WITHDRAWN".to_owned()), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("deadline") && !said.contains("network"), "{said}");
    assert!(of("ben").checkout(&studio()).is_ok());
    // Doctor asks as whoever runs it.
    let [found] = client.examine().try_into().unwrap();
    assert!(!found.ok && found.problems.len() == 1 && found.problems[0].contains("deadline"), "{found:?}");
    assert!(of("ben").examine()[0].ok);
}

#[test]
fn a_seat_is_taken_and_given_back_over_tls_and_over_plain_http() {
    let site = Site::with_seats(2);
    for address in [site.address(), format!("http://{}", site.address())] {
        let client = site.builder().server(&address).user("ann").host("ws1").build().unwrap();
        let seat = client.checkout(&studio().version("4.2").label("project", "moon")).unwrap();
        assert_eq!((seat.state(), site.in_use()), (SeatState::Ok, 1));
        assert_eq!((seat.info().feature.as_str(), seat.info().giver()), (FEATURE, address));
        assert!(seat.left() > Duration::from_secs(400) && seat.left() <= Duration::from_secs(420));
        assert_eq!(seat.checkin(), GivenBack::Confirmed);
        assert_eq!(site.in_use(), 0);
    }
    drop(site.client().checkout(&studio()).unwrap());
    assert_eq!(site.in_use(), 0, "dropping gives back");
}

#[test]
fn of_64_takers_of_ten_seats_exactly_ten_get_one() {
    let site = Site::with_seats(10);
    let client = site.client();
    let start = Barrier::new(64);
    let outcomes: Vec<Result<Seat, NoSeat>> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    client.checkout(&studio())
                })
            })
            .collect();
        takers.into_iter().map(|taker| taker.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    for no_seat in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!((no_seat.kind(), code(no_seat, 0)), (NoSeatKind::NoSeat, "NO_SEATS".to_owned()));
    }
    assert_eq!(site.in_use(), 10);
    drop(outcomes);
    assert_eq!(site.in_use(), 0);
}

#[test]
fn a_seat_is_renewed_and_survives_a_restart_of_its_server() {
    let mut site = Site::with_seats(1);
    let (client, clock) = with_fake_clock(&site, &[&site.address()]);
    let seat = client.checkout(&studio()).unwrap();
    let lease = seat.info().lease;
    site.stop();
    clock.advance(61_000);
    assert_eq!(seat.state(), SeatState::Renewing);
    site.start();
    clock.advance(15_000);
    wait_for(&seat, SeatState::Ok);
    assert_eq!((seat.info().lease, site.in_use()), (lease, 1), "the same seat, not a second one");
    assert_eq!(seat.checkin(), GivenBack::Confirmed);
}

#[test]
fn a_machine_that_wakes_up_says_lost_before_anything_was_asked() {
    for counted in [true, false] {
        let site = Site::with_seats(1);
        let (client, clock) = with_fake_clock(&site, &[&site.address()]);
        let seat = client.checkout(&studio()).unwrap();
        if counted {
            clock.advance(420_000);
        } else {
            clock.sleep_uncounted(420_000);
        }
        assert_eq!((seat.state(), seat.left()), (SeatState::Lost, Duration::ZERO));
        // The server still has it, as no time has passed there.
        wait_for(&seat, SeatState::Ok);
    }
}

#[test]
fn without_its_server_a_seat_goes_from_ok_to_lost() {
    let mut site = Site::with_seats(1);
    let (client, clock) = with_fake_clock(&site, &[&site.address()]);
    let seat = client.checkout(&studio()).unwrap();
    site.stop();
    clock.advance(59_000);
    assert_eq!(seat.state(), SeatState::Ok);
    clock.advance(2_000);
    assert_eq!(seat.state(), SeatState::Renewing);
    clock.advance(60_000);
    assert_eq!(seat.state(), SeatState::Grace);
    clock.advance(299_000);
    assert_eq!(seat.state(), SeatState::Lost);
    assert_eq!(seat.checkin(), GivenBack::Unconfirmed);
}

#[test]
fn a_seat_that_slips_away_is_replaced_at_the_next_server() {
    let mut first = Site::with_seats(1);
    let second = first.another_server(1);
    let (client, clock) = with_fake_clock(&first, &[&first.address(), &second.address()]);
    let seat = client.checkout(&studio()).unwrap();
    assert_eq!(seat.info().giver(), first.address());
    first.stop();
    clock.advance(125_000);
    assert_eq!(seat.state(), SeatState::Grace);
    wait_until(&seat, |seat| seat.info().giver() == second.address());
    assert_eq!((seat.state(), second.in_use()), (SeatState::Ok, 1));
}

#[test]
fn servers_are_asked_in_order_and_each_is_told_of() {
    let first = Site::with_seats(1);
    let second = first.another_server(1);
    let down = closed();
    let client = {
        let builder = first.builder().server(&down).server(&first.address()).server(&second.address());
        builder.build().unwrap()
    };
    let one = client.checkout(&studio()).unwrap();
    let two = client.checkout(&studio()).unwrap();
    assert_eq!(one.info().giver(), first.address());
    assert_eq!(two.info().giver(), second.address());
    let none = client.checkout(&studio()).unwrap_err();
    assert_eq!([code(&none, 0), code(&none, 1), code(&none, 2)], ["UNREACHABLE", "NO_SEATS", "NO_SEATS"]);
    assert_eq!(none.kind(), NoSeatKind::NoSeat);
    let nobody = first.builder().server(&down).build().unwrap().checkout(&studio()).unwrap_err();
    assert_eq!(nobody.kind(), NoSeatKind::Unreachable);
    assert!(nobody.to_string().contains(&down), "{nobody}");
}

#[test]
fn a_counterfeit_with_a_root_of_its_own_is_refused_by_name() {
    let honest = Site::with_seats(1);
    // The same vendor name, another root.
    let counterfeit = Site::with_seats(5);
    for address in [counterfeit.address(), format!("http://{}", counterfeit.address())] {
        let client = honest.builder().server(&address).build().unwrap();
        let refused = client.checkout(&studio()).unwrap_err();
        assert_eq!((refused.kind(), code(&refused, 0)), (NoSeatKind::NotTrusted, "OTHER_VENDOR".to_owned()));
        let Trouble::OtherVendor { theirs, ours } = &refused.servers()[0].trouble else { unreachable!() };
        assert_eq!((theirs.name.as_str(), ours.name.as_str()), ("Acme", "Acme"));
        assert_ne!(theirs.fingerprint, ours.fingerprint);
        let text = refused.to_string();
        assert!(text.contains("says it belongs to \"Acme\"") && text.contains(&theirs.fingerprint), "{text}");
    }
    let mixed = honest.builder().server(&counterfeit.address()).server(&honest.address()).build().unwrap();
    let seat = mixed.checkout(&studio()).unwrap();
    assert_eq!(seat.info().giver(), honest.address(), "a counterfeit in the list stops nobody");
}

#[test]
fn a_server_that_was_not_activated_says_so() {
    let site = Site::not_activated("Acme");
    for address in [site.address(), format!("http://{}", site.address())] {
        let refused = site.builder().server(&address).build().unwrap().checkout(&studio()).unwrap_err();
        assert_eq!(code(&refused, 0), "NOT_ACTIVATED", "{refused}");
    }
}

#[test]
fn what_is_no_license_server_is_named() {
    let site = Site::with_seats(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        std::io::Read::read(&mut stream, &mut [0; 1024]).unwrap();
        std::io::Write::write_all(&mut stream, answer).unwrap();
    });
    let client = site.builder().server(&format!("http://{address}")).build().unwrap();
    let refused = client.checkout(&studio()).unwrap_err();
    assert_eq!(code(&refused, 0), "NOT_A_LICENSE_SERVER", "{refused}");
    other.join().unwrap();
}

#[test]
fn a_running_seat_is_taken_up_by_a_server_that_was_restored_from_before_it() {
    let mut site = Site::with_seats(1);
    let backup = site.back_up();
    let (client, clock) = with_fake_clock(&site, &[&site.address()]);
    let seat = client.checkout(&studio()).unwrap();
    let lease = seat.info().lease;
    site.stop();
    site.restore(&backup);
    site.start();
    assert_eq!(site.in_use(), 0, "the restored server knows nothing of it");
    clock.advance(61_000);
    wait_for(&seat, SeatState::Ok);
    assert_eq!((seat.info().lease, site.in_use()), (lease, 1));
}

#[test]
fn a_seat_left_out_is_given_back_by_another_process() {
    let site = Site::with_seats(1);
    let left = site.client().checkout(&studio()).unwrap().leave().unwrap();
    assert_eq!(site.in_use(), 1);
    let text = serde_json::to_string(&left).unwrap();
    let left = serde_json::from_str(&text).unwrap();
    let client = site.client();
    client.give_back(&left).unwrap();
    assert_eq!(site.in_use(), 0);
    client.give_back(&left).unwrap();
}

#[test]
fn a_wrong_request_is_refused_before_any_server_is_asked() {
    let site = Site::with_seats(1);
    let client = site.builder().server(&closed()).build().unwrap();
    for checkout in [Checkout::of("Not A Code"), studio().seats(0), studio().version(&"x".repeat(201))] {
        assert_eq!(client.checkout(&checkout).unwrap_err().kind(), NoSeatKind::BadRequest);
    }
}

#[test]
fn doctor_sees_what_an_application_would_meet() {
    let (site, counterfeit) = (Site::with_seats(3), Site::with_seats(1));
    let down = closed();
    let client = site.builder().server(&site.address()).server(&down).server(&counterfeit.address()).build().unwrap();
    let _seat = client.checkout(&studio()).unwrap();
    let [good, unreachable, fake] = client.examine().try_into().unwrap();
    assert!(good.ok && good.tls.as_deref() == Some("ok"), "{good:?}");
    assert_eq!((good.features[0].in_use, good.features[0].total), (1, 3));
    assert!(matches!(good.grant_days_left, Some(89 | 90)) && good.certificate_days_left > Some(365));
    assert!(good.clock_ahead_s.is_some_and(|s| s.abs() <= 2), "{good:?}");
    assert_eq!((unreachable.ok, unreachable.code.as_deref()), (false, Some("UNREACHABLE")));
    assert_eq!((fake.ok, fake.code.as_deref()), (false, Some("OTHER_VENDOR")));
    assert!(fake.problems[0].contains("trusts \"Acme\"") && !fake.what_to_do.is_empty());
}
