//! Borrowing with the real client, license server and files: a laptop that leaves, comes back, is lost, or never was there.

use crate::client_site::{FEATURE, Site};
use leasehold_client::{
    Checkout, Client, ClientBuilder, NoSeat, NoSeatKind, PassFailure, PassInfo, Seat, SeatState, SettingsError,
    Surroundings, WhichPass,
};
use leasehold_core::ids::ReceiptId;
use leasehold_core::time::{Clock, DAY_MS, HOUR_MS, MINUTE_MS, Ms};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_server::local;
use leasehold_testkit::FakeClock;
use leasehold_trust::SigningKey;
use leasehold_trust::pass::{PassReceiptFacts, pass_receipt_file, sign_pass_receipt};
use leasehold_wire::server::PassView;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A laptop: a folder for passes, an id and clocks of its own.
struct Laptop {
    folder: TempDir,
    machine: String,
    clock: FakeClock,
}

impl Laptop {
    fn new(machine: &str) -> Laptop {
        let clock = FakeClock::new(SystemClock::new().wall());
        Laptop { folder: tempfile::tempdir().unwrap(), machine: machine.to_owned(), clock }
    }

    fn client(&self, site: &Site) -> Client {
        self.client_of(site, &site.address())
    }

    fn client_of(&self, site: &Site, server: &str) -> Client {
        self.builder(site).server(server).build().unwrap()
    }

    fn builder(&self, site: &Site) -> ClientBuilder {
        let surroundings = Surroundings {
            passes: Some(self.folder.path().to_owned()),
            machine: Some(self.machine.clone()),
            ..Surroundings::default()
        };
        site.builder().surroundings(surroundings).clock(Arc::new(self.clock.clone())).user("ann").host("laptop-7")
    }

    /// Everything on its disk, on another machine.
    fn copy_to(&self, machine: &str) -> Laptop {
        let other = Laptop::new(machine);
        copy(self.folder.path(), other.folder.path());
        other
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn studio() -> Checkout {
    Checkout::of(FEATURE)
}

fn passes(site: &Site) -> Vec<PassView> {
    local::passes(site.local()).unwrap()
}

fn the_pass(client: &Client) -> PassInfo {
    let (mut passes, troubles) = client.passes();
    assert_eq!((passes.len(), troubles), (1, Vec::new()));
    passes.remove(0)
}

fn trouble(no_seat: &NoSeat) -> &'static str {
    no_seat.passes()[0].code()
}

fn from_pass(seat: &Seat) -> bool {
    seat.info().pass.is_some()
}

#[test]
fn a_laptop_works_where_no_server_is_and_never_with_more_processes_than_seats() {
    let mut site = Site::with_seats(5);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    let lent = client.borrow(&studio().seats(2), 10).unwrap();
    assert!(!lent.cut && !lent.extended && lent.days_max == 14);
    assert_eq!((site.in_use(), passes(&site).len()), (2, 1));
    site.stop();
    let first = client.checkout(&studio()).unwrap();
    let second = laptop.client(&site).checkout(&studio()).unwrap();
    assert!(from_pass(&first) && from_pass(&second));
    assert_eq!((first.state(), the_pass(&client).in_use), (SeatState::Ok, 2));
    let third = client.checkout(&studio()).unwrap_err();
    assert_eq!(trouble(&third), "PASS_IN_USE");
    assert!(third.to_string().contains("2 of the 2 seats of the pass"), "{third}");
    drop(first);
    assert!(from_pass(&client.checkout(&studio()).unwrap()));
    site.start();
    assert_eq!(site.in_use(), 2, "nothing was taken from the server");
}

#[test]
fn a_pass_is_used_first_also_where_the_server_is_in_reach() {
    let site = Site::with_seats(5);
    let client = Laptop::new("m1").client(&site);
    client.borrow(&studio(), 3).unwrap();
    let seat = client.checkout(&studio()).unwrap();
    assert!(from_pass(&seat));
    let other = client.checkout(&studio()).unwrap();
    assert!(!from_pass(&other), "the seat of the pass is used: the next one comes from the server");
    assert_eq!(site.in_use(), 2);
}

#[test]
fn a_pass_ends_whatever_the_clock_says() {
    let mut site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    let until = client.borrow(&studio(), 2).unwrap().pass.until;
    site.stop();
    let seat = client.checkout(&studio()).unwrap();
    laptop.clock.advance(2 * DAY_MS - 4 * MINUTE_MS);
    assert_eq!(seat.state(), SeatState::Grace, "{:?}", seat.left());
    for who in ["whoever watched before", "whoever begins to watch now"] {
        let (told, changes) = std::sync::mpsc::channel();
        seat.on_change(move |change| _ = told.send(change.state));
        assert_eq!(changes.recv_timeout(std::time::Duration::from_secs(20)), Ok(SeatState::Grace), "{who}");
    }
    // The clock that counts suspend goes on.
    laptop.clock.step_wall(-30 * DAY_MS);
    laptop.clock.advance(4 * MINUTE_MS);
    assert_eq!(seat.state(), SeatState::Lost);
    drop(seat);
    assert_eq!(trouble(&client.checkout(&studio()).unwrap_err()), "CLOCK_SUSPECT", "a month behind what was seen");
    laptop.clock.set(until.plus(-HOUR_MS), laptop.clock.boottime_ms());
    let refused = client.checkout(&studio()).unwrap_err();
    assert_eq!(trouble(&refused), "PASS_ENDED", "an hour is made up for: {refused}");
}

#[test]
fn a_clock_that_was_ahead_and_is_right_again_costs_a_way_to_the_server_and_no_seat() {
    let site = Site::with_seats(2);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    let first = client.borrow(&studio(), 10).unwrap().pass.pass;
    laptop.clock.step_wall(5 * DAY_MS);
    drop(client.checkout(&studio()).unwrap());
    laptop.clock.step_wall(-5 * DAY_MS);
    let (seen, _) = client.passes();
    assert!(seen[0].trouble.as_ref().is_some_and(|trouble| trouble.code() == "CLOCK_SUSPECT"), "{seen:?}");
    // The seat that was dropped may be asking for more time still.
    let mut again = client.borrow(&studio(), 10);
    while matches!(again, Err(PassFailure::Busy)) {
        std::thread::park_timeout(std::time::Duration::from_millis(20));
        again = client.borrow(&studio(), 10);
    }
    let again = again.unwrap().pass.pass;
    assert!(again != first);
    assert_eq!((the_pass(&client).pass, site.in_use()), (again, 1), "the old one was given back first");
    assert!(from_pass(&client.checkout(&studio()).unwrap()));
}

#[test]
fn a_pass_outlives_a_clock_that_is_behind_for_a_while() {
    let site = Site::with_seats(2);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    let first = client.borrow(&studio(), 10).unwrap().pass.pass;
    laptop.clock.step_wall(-3 * DAY_MS);
    // Another seat would be of no use either until the clock is right.
    let refused = client.borrow(&studio(), 10).unwrap_err();
    assert!(refused.to_string().contains("clock"), "{refused}");
    assert_eq!(site.in_use(), 1);
    laptop.clock.step_wall(3 * DAY_MS);
    assert_eq!(the_pass(&client).pass, first, "it was kept");
    assert!(from_pass(&client.checkout(&studio()).unwrap()));
}

#[test]
fn nothing_is_borrowed_by_a_clock_that_is_days_off() {
    let site = Site::with_seats(2);
    for off in [-3, 3] {
        let laptop = Laptop::new("m1");
        laptop.clock.step_wall(off * DAY_MS);
        let refused = laptop.client(&site).borrow(&studio(), 10).unwrap_err();
        assert!(refused.to_string().contains("CLOCK_SUSPECT"), "{refused}");
        assert_eq!(site.in_use(), 0, "no seat is out with a pass that cannot be used");
        laptop.clock.step_wall(-off * DAY_MS);
        let client = laptop.client(&site);
        client.borrow(&studio(), 10).unwrap();
        assert!(from_pass(&client.checkout(&studio()).unwrap()));
        // Once no process uses it: the seat above asks for more time now and then.
        while client.return_pass(&WhichPass::Only).is_err() {
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn a_clock_set_back_most_of_a_day_is_no_alarm_and_lengthens_nothing() {
    let mut site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    client.borrow(&studio(), 3).unwrap();
    site.stop();
    let left = client.checkout(&studio()).unwrap().left();
    laptop.clock.step_wall(-DAY_MS + HOUR_MS);
    let seat = client.checkout(&studio()).unwrap();
    assert!(seat.left() <= left, "{:?} and {left:?}", seat.left());
}

#[test]
fn a_pass_on_another_machine_is_host_mismatch() {
    let mut site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    laptop.client(&site).borrow(&studio(), 3).unwrap();
    let copied = laptop.copy_to("m2");
    let client = copied.client(&site);
    let pass = the_pass(&client);
    assert_eq!(pass.trouble.unwrap().code(), "HOST_MISMATCH");
    // Nor can it be given back there: on its own machine it may be in use.
    for refused in
        [client.return_pass(&WhichPass::Only).map(drop), client.pass_receipt_file(&WhichPass::Only).map(drop)]
    {
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, PassFailure::Trouble(trouble) if trouble.code() == "HOST_MISMATCH"), "{refused}");
    }
    assert_eq!(passes(&site).len(), 1);
    site.stop();
    let refused = client.checkout(&studio()).unwrap_err();
    assert_eq!(trouble(&refused), "HOST_MISMATCH");
    assert!(refused.to_string().contains("made for another machine, \"laptop-7\""), "{refused}");
}

#[test]
fn a_pass_is_given_back_and_a_copy_of_it_is_of_no_use_to_the_server() {
    let site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    client.borrow(&studio(), 10).unwrap();
    let kept = laptop.copy_to("m1");
    let seat = client.checkout(&studio()).unwrap();
    let refused = client.return_pass(&WhichPass::Only).unwrap_err();
    assert!(matches!(refused, PassFailure::InUse { in_use: 1, .. }), "{refused}");
    drop(seat);
    let returned = client.return_pass(&WhichPass::Feature(FEATURE.to_owned())).unwrap();
    assert_eq!((returned.feature.as_str(), site.in_use(), client.passes().0.len()), (FEATURE, 0, 0));
    assert!(!from_pass(&client.checkout(&studio()).unwrap()));
    // Whoever kept a copy of the private files has a pass that cannot be returned a second time for somebody else's seat.
    let copy = kept.copy_to("m1");
    let again = copy.client(&site).return_pass(&WhichPass::Only).unwrap();
    assert_eq!((again.pass, passes(&site).len()), (returned.pass, 0));
    // Nor is it extended: another takes its place.
    let lent = kept.client(&site).borrow(&studio(), 14).unwrap();
    assert!(!lent.extended && lent.pass.pass != returned.pass);
    assert_eq!((the_pass(&kept.client(&site)).pass, site.in_use()), (lent.pass.pass, 1));
}

#[test]
fn where_the_lender_is_away_nothing_is_given_up() {
    let mut site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    client.borrow(&studio(), 10).unwrap();
    site.stop();
    let refused = client.return_pass(&WhichPass::Only).unwrap_err();
    assert!(
        matches!(refused, PassFailure::LenderAway { .. }) && refused.to_string().contains("nothing was changed"),
        "{refused}"
    );
    assert!(matches!(client.borrow(&studio(), 14).unwrap_err(), PassFailure::LenderAway { .. }));
    assert!(from_pass(&client.checkout(&studio()).unwrap()));
    // By a receipt file it is given up here, and brought by the next command that can.
    let receipt = client.pass_receipt_file(&WhichPass::Only).unwrap();
    assert_eq!(trouble(&client.checkout(&studio()).unwrap_err()), "PASS_RETURNED");
    assert_eq!(
        client.pass_receipt_file(&WhichPass::Only).unwrap(),
        receipt,
        "the key is destroyed: it is the same one"
    );
    site.start();
    assert_eq!(site.in_use(), 1);
    local::take_pass_receipt(site.local(), &receipt).unwrap();
    local::take_pass_receipt(site.local(), &receipt).unwrap();
    assert_eq!(site.in_use(), 0);
    let new = client.borrow(&studio(), 5).unwrap();
    assert_eq!((the_pass(&client).pass, site.in_use()), (new.pass.pass, 1), "the old one is gone");
}

#[test]
fn a_pass_is_extended_where_its_lender_is_in_reach_by_nobody_else() {
    let site = Site::with_seats(1);
    let other = site.another_server(5);
    let laptop = Laptop::new("m1");
    let first = laptop.client(&site).borrow(&studio(), 4).unwrap();
    let both = laptop.client(&site);
    let second = both.borrow(&studio(), 9).unwrap();
    assert!(second.extended && second.pass.pass == first.pass.pass && second.pass.until > first.pass.until);
    let elsewhere = laptop.client_of(&site, &other.address()).borrow(&studio(), 14).unwrap_err();
    assert!(matches!(elsewhere, PassFailure::LenderAway { .. }), "{elsewhere}");
    assert_eq!((site.in_use(), other.in_use()), (1, 0));
}

#[test]
fn a_pass_that_the_newest_document_does_not_reach_stays_as_it_is() {
    let site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    let first = client.borrow(&studio(), 10).unwrap().pass;
    site.renew_until(first.until.plus(-3 * DAY_MS));
    let again = client.borrow(&studio(), 12).unwrap();
    assert!(again.unchanged && !again.extended, "{again:?}");
    assert_eq!((again.pass.pass, again.pass.until), (first.pass, first.until));
    assert!(from_pass(&client.checkout(&studio()).unwrap()), "it serves until its end");
    local::disable(site.local()).unwrap();
    let refused = client.borrow(&studio(), 14).unwrap();
    assert!(refused.unchanged && refused.why.is_some_and(|why| why.contains("being disabled")));
}

#[test]
fn an_application_extends_its_pass_from_half_of_the_term() {
    let site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    let until = client.borrow(&studio(), 2).unwrap().pass.until;
    let at_server = || passes(&site)[0].until.0;
    let seat = client.checkout(&studio()).unwrap();
    drop(seat);
    assert_eq!(at_server(), until, "not before half of it");
    laptop.clock.advance(DAY_MS + HOUR_MS);
    // The server's clock is the real one, and counts in seconds.
    std::thread::park_timeout(std::time::Duration::from_millis(1_200));
    let seat = client.checkout(&studio()).unwrap();
    eventually("the pass is extended", || seat.info().ends_at > until);
    assert_eq!(at_server(), seat.info().ends_at);
}

fn eventually(what: &str, so: impl Fn() -> bool) {
    for _ in 0..600 {
        if so() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    panic!("it never came: {what}");
}

#[test]
fn a_machine_without_a_network_borrows_and_returns_by_files() {
    let site = Site::with_seats(2);
    let laptop = Laptop::new("m1");
    let client = laptop.client_of(&site, "127.0.0.1:1");
    let request = client.borrow_request_file(&studio(), 7).unwrap();
    let lent = local::lend(site.local(), &request).unwrap();
    assert_eq!(local::lend(site.local(), &request).unwrap().pass, lent.pass, "brought twice: the same pass");
    assert_eq!(site.in_use(), 1);
    let elsewhere = Laptop::new("m2").client_of(&site, "127.0.0.1:1");
    let refused = elsewhere.import_pass(&lent.file).unwrap_err();
    assert!(refused.to_string().contains("HOST_MISMATCH"), "{refused}");
    assert_eq!(client.import_pass(&lent.file).unwrap().pass, lent.pass);
    assert!(from_pass(&client.checkout(&studio()).unwrap()));
    let receipt = client.pass_receipt_file(&WhichPass::Pass(lent.pass)).unwrap();
    let refused = client.import_pass(&lent.file).unwrap_err();
    assert!(refused.to_string().contains("given back"), "{refused}");
    local::take_pass_receipt(site.local(), &receipt).unwrap();
    assert_eq!(site.in_use(), 0);
    let replayed = local::lend(site.local(), &request).unwrap_err().to_string();
    assert!(replayed.contains("over"), "{replayed}");
    // Files of the wrong kind say where they belong.
    let wrong = local::take_pass_receipt(site.local(), &request).unwrap_err().to_string();
    assert!(wrong.contains("request to borrow"), "{wrong}");
    let altered = receipt.replacen('A', "B", 1);
    assert!(local::take_pass_receipt(site.local(), &altered).is_err());
}

#[test]
fn what_is_asked_for_too_long_or_is_not_there_is_refused_and_leaves_nothing() {
    let site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    for (checkout, days, part) in [
        (studio(), 15, "14 days"),
        (studio().seats(2), 5, "2 seats"),
        (Checkout::of("studio.none"), 5, "contains this feature"),
        (studio(), 0, "number of days"),
    ] {
        let refused = client.borrow(&checkout, days).unwrap_err().to_string();
        assert!(refused.contains(part), "{refused}");
    }
    assert_eq!((client.passes().0.len(), site.in_use()), (0, 0));
    let folders =
        std::fs::read_dir(laptop.folder.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), 0);
}

#[test]
fn a_pass_that_was_declared_lost_is_given_back_when_another_takes_its_place() {
    let site = Site::with_seats(2);
    let laptop = Laptop::new("m1");
    let first = laptop.client(&site).borrow(&studio(), 10).unwrap().pass;
    local::lose_pass(site.local(), first.pass, false).unwrap();
    let second = laptop.client(&site).borrow(&studio(), 5).unwrap().pass;
    assert_ne!(first.pass, second.pass);
    assert_eq!((site.in_use(), laptop.client(&site).passes().0.len()), (1, 1), "no seat is out that no machine has");
    // While an application uses it, it stays beside the other.
    local::lose_pass(site.local(), second.pass, false).unwrap();
    let client = laptop.client(&site);
    let seat = client.checkout(&studio()).unwrap();
    client.borrow(&studio(), 4).unwrap();
    assert_eq!((site.in_use(), client.passes().0.len()), (2, 2));
    drop(seat);
    // Nothing is free for a third: the one that there is can be used, and the person is told what to do.
    let third = client.passes().0.iter().find(|pass| pass.pass != second.pass).unwrap().pass;
    local::lose_pass(site.local(), third, false).unwrap();
    let refused = client.borrow(&studio(), 4).unwrap_err().to_string();
    assert!(refused.contains("leasehold return") && refused.contains("NO_SEATS"), "{refused}");
    assert_eq!(client.passes().0.len(), 2);
}

#[test]
fn a_lost_laptop_is_shown_with_its_date_and_written_off_within_the_allowance() {
    let site = Site::with_seats(2);
    let [first, second] = ["m1", "m2"].map(|machine| {
        let laptop = Laptop::new(machine);
        let lent = laptop.client(&site).borrow(&studio(), 10).unwrap();
        (laptop, lent.pass)
    });
    let lost = local::lose_pass(site.local(), first.1.pass, false).unwrap();
    assert_eq!((lost.written_off, lost.free_at.0), (false, first.1.until.plus(DAY_MS)));
    assert_eq!(site.in_use(), 2);
    let refused = first.0.client(&site).borrow(&studio(), 14).unwrap_err().to_string();
    assert!(refused.contains("declared lost"), "{refused}");
    assert!(local::lose_pass(site.local(), first.1.pass, true).unwrap().written_off);
    assert_eq!(site.in_use(), 1);
    let listed = passes(&site);
    let written_off = listed.iter().find(|pass| pass.pass == first.1.pass).expect("it may be in use until its end");
    assert_eq!((&*written_off.host, written_off.until.0), ("laptop-7", first.1.until));
    assert!(written_off.written_off_at.is_some_and(|at| at == written_off.freed_at), "its seats count as free");
    let refused = local::lose_pass(site.local(), second.1.pass, true).unwrap_err().to_string();
    assert!(refused.contains("allows 1 lost seats") || refused.contains("allows 1"), "{refused}");
    assert_eq!((site.in_use(), passes(&site).len()), (1, 2));
    assert!(local::lose_pass(site.local(), first.1.pass, true).unwrap().written_off, "asked again it is");
    // What its own key did not sign says nothing of it.
    let facts = PassReceiptFacts {
        receipt: ReceiptId::draw(SystemClock::new().wall(), &mut OsRandom),
        pass: first.1.pass,
        returned_at: SystemClock::new().wall().floor_to_second(),
    };
    let forged = pass_receipt_file(&sign_pass_receipt(&SigningKey::generate(), &facts));
    local::take_pass_receipt(site.local(), &forged).unwrap_err();
    assert_eq!(passes(&site).len(), 2);
    // It turns up: another pass takes the place of the one that is over, which its machine gives up.
    let found = first.0.client(&site);
    let lent = found.borrow(&studio(), 3).unwrap();
    assert!(!lent.extended && lent.pass.pass != first.1.pass);
    assert_eq!((the_pass(&found).pass, site.in_use()), (lent.pass.pass, 2));
    assert!(passes(&site).iter().all(|pass| pass.pass != first.1.pass), "it cannot be in use any more");
}

#[test]
fn a_copy_of_its_folder_has_no_seats_of_its_own() {
    let site = Site::with_seats(5);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    client.borrow(&studio().seats(2), 3).unwrap();
    let copy = laptop.copy_to("m1");
    let copied = copy.client_of(&site, "127.0.0.1:1");
    let (first, second) = (client.checkout(&studio()).unwrap(), copied.checkout(&studio()).unwrap());
    assert!(from_pass(&first) && from_pass(&second));
    assert_eq!((the_pass(&client).in_use, the_pass(&copied).in_use), (2, 2));
    assert_eq!(trouble(&copied.checkout(&studio()).unwrap_err()), "PASS_IN_USE");
    drop(first);
    assert!(from_pass(&copied.checkout(&studio()).unwrap()));
}

#[test]
fn no_file_is_made_of_a_pass_that_says_more_than_the_license_does_now() {
    let site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    let client = laptop.client_of(&site, "127.0.0.1:1");
    let request = client.borrow_request_file(&studio(), 7).unwrap();
    let lent = local::lend(site.local(), &request).unwrap();
    site.renew_until(SystemClock::new().wall().plus(2 * DAY_MS));
    let refused = local::lend(site.local(), &request).unwrap_err().to_string();
    assert!(refused.contains("No new file of this pass"), "{refused}");
    // The one that was made is good.
    client.import_pass(&lent.file).unwrap();
    assert!(from_pass(&client.checkout(&studio()).unwrap()));
}

#[test]
fn an_answer_that_never_came_is_the_same_pass_when_it_is_asked_for_again() {
    let site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    let client = laptop.client(&site);
    let lent = client.borrow(&studio(), 5).unwrap();
    // As if the machine had been switched off before the answer was kept.
    let folder = std::fs::read_dir(laptop.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let folder = folder.into_iter().find(|path| path.is_dir()).unwrap();
    std::fs::remove_file(folder.join("pass.pem")).unwrap();
    assert_eq!(client.passes().0.len(), 0);
    let again = client.borrow(&studio(), 5).unwrap();
    assert_eq!((again.pass.pass, site.in_use()), (lent.pass.pass, 1));
}

#[test]
fn a_machine_that_knows_no_server_works_by_files_alone() {
    let site = Site::with_seats(1);
    let laptop = Laptop::new("m1");
    assert!(matches!(laptop.builder(&site).build().unwrap_err(), SettingsError::NoServers), "no pass, and no server");
    let client = laptop.builder(&site).servers_optional().build().unwrap();
    let request = client.borrow_request_file(&studio(), 7).unwrap();
    let answer = local::lend(site.local(), &request).unwrap();
    client.import_pass(&answer.file).unwrap();
    // An application, which asks for no such thing.
    let application = laptop.builder(&site).build().unwrap();
    let seat = application.checkout(&studio()).unwrap();
    assert!(from_pass(&seat));
    let none_left = application.checkout(&studio()).unwrap_err();
    assert_eq!((trouble(&none_left), none_left.kind()), ("PASS_IN_USE", NoSeatKind::Unreachable));
    assert!(none_left.to_string().contains("No license server is configured"), "{none_left}");
    drop(seat);
    let receipt = client.pass_receipt_file(&WhichPass::Only).unwrap();
    local::take_pass_receipt(site.local(), &receipt).unwrap();
    assert_eq!(site.in_use(), 0);
    // The next time: the one that was given back stands in nobody's way, and goes with time.
    let request = client.borrow_request_file(&studio(), 7).unwrap();
    client.import_pass(&local::lend(site.local(), &request).unwrap().file).unwrap();
    assert!(from_pass(&application.checkout(&studio()).unwrap()));
    assert_eq!(client.passes().0.len(), 2);
    let second = client.pass_receipt_file(&WhichPass::Only).unwrap();
    assert_ne!(second, receipt);
    laptop.clock.advance(40 * DAY_MS);
    client.borrow_request_file(&studio(), 7).unwrap();
    assert_eq!(client.passes(), (Vec::new(), Vec::new()));
}

#[test]
fn a_pass_file_of_another_vendor_is_not_believed() {
    let site = Site::with_seats(1);
    let other = Site::not_activated("Acme");
    let laptop = Laptop::new("m1");
    laptop.client(&site).borrow(&studio(), 5).unwrap();
    let client = laptop.client(&other);
    let (passes, troubles) = client.passes();
    assert_eq!((passes.len(), troubles[0].code()), (0, "PASS_DAMAGED"));
    assert!(client.checkout(&studio()).is_err());
}

#[test]
fn the_time_of_a_pass_is_the_one_that_was_asked_for() {
    let site = Site::with_seats(1);
    let now = SystemClock::new().wall();
    let lent = Laptop::new("m1").client(&site).borrow(&studio(), 10).unwrap();
    let off_ms: Ms = Ms(lent.pass.until.since(now.plus(10 * DAY_MS)));
    assert!(off_ms.0.abs() < MINUTE_MS, "{off_ms:?}");
}
