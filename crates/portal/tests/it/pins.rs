//! Seats kept at one server for use without a portal: borrowed to it, renewed, recalled, and never counted twice.

use crate::online::{Online, report};
use crate::world::{HOME, World, code, id};
use leasehold_core::grant::Line;
use leasehold_core::ids::LicenseId;
use leasehold_core::license::Scope;
use leasehold_core::sync::SyncAnswer;
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms};
use leasehold_db::testing::{fresh_in_line, on_both};
use leasehold_portal::Caller;
use leasehold_portal::Failure;
use leasehold_portal::service::{audit, enable, licenses, pins, workstations};
use leasehold_trust::sync::sign_request;
use leasehold_wire::portal::{Enable, KeepLicense, KeepSeats, PageQuery, Pins, SeatsKept};

struct Studio {
    world: World,
    ada: Caller,
    license: LicenseId,
}

impl Studio {
    fn new(db: &leasehold_db::Db, seats: u32) -> Studio {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), seats);
        Studio { world, ada, license }
    }

    fn wish(&self, seats: u32, days: u32, auto_renew: bool) -> KeepSeats {
        let pin = KeepLicense { license: self.license, seats, days: Some(days), auto_renew };
        KeepSeats { pins_rev: None, preview: false, pins: vec![pin] }
    }

    fn keep(&self, online: &Online, seats: u32, days: u32, auto_renew: bool) -> Result<SeatsKept, Failure> {
        pins::keep(&self.world.portal, &self.ada, online.workstation, &self.wish(seats, days, auto_renew))
    }

    fn pins(&self, online: &Online) -> Pins {
        pins::list(&self.world.portal, &self.ada, online.workstation).unwrap()
    }

    /// A sync of a server that uses so many of its seats that are not kept.
    fn sync(&self, online: &mut Online, used: u32, want: u32) -> SyncAnswer {
        let keep = by_sync(online).map_or(0, |line| line.seats);
        online.sync(&self.world, &[(self.license, report(keep, used, want))])
    }

    /// A pass stands on what was kept: the server obeys its newest document and cannot say that `presented` is void.
    fn sync_with_a_pass_out(&self, online: &mut Online, presented: u64) {
        let mut request = online.request(&self.world, &[(self.license, report(0, 0, 0))]);
        request.rev = presented;
        let sent = online.sent(&self.world, &request);
        let answer = leasehold_portal::service::sync::sync(&self.world.portal, HOME, &sent.token, &sent.body).unwrap();
        online.take(&self.world, &sent, &answer);
    }

    /// Seats in use at a server, as its own page and the license's page say.
    fn used(&self, online: &Online) -> [Option<u32>; 2] {
        let server = workstations::get(&self.world.portal, &self.ada, online.workstation).unwrap();
        let license = licenses::get(&self.world.portal, &self.ada, self.license).unwrap();
        [server.seats_used, license.holders[0].used]
    }

    fn counted(&self) -> u32 {
        self.world.look(self.license).seats_out
    }
}

fn by_sync(online: &Online) -> Option<&Line> {
    online.grant.grant.lines.iter().find(|line| !line.terms.pinned)
}

fn kept(online: &Online) -> Option<(u32, Ms)> {
    let line = online.grant.grant.lines.iter().find(|line| line.terms.pinned)?;
    assert!(!line.terms.recallable);
    Some((line.seats, line.until))
}

#[test]
fn seats_are_kept_cut_at_the_licenses_end_and_given_back() {
    on_both(|db| {
        let studio = Studio::new(db, 5);
        let now = studio.world.now();
        let mut first = Online::enable(&studio.world, &studio.ada, Scope::Organization);
        let offer = studio.pins(&first).offers.remove(0);
        assert_eq!((offer.seats, offer.available, offer.days_max), (5, 5, 14));
        let preview = KeepSeats { preview: true, ..studio.wish(2, 14, false) };
        let told =
            pins::keep(&studio.world.portal, &studio.ada, first.workstation, &preview).unwrap().changes.remove(0);
        let until = now.plus(14 * DAY_MS).floor_to_second();
        assert_eq!((told.seats, told.until.unwrap().0, told.cut), (2, until, false));
        assert!(studio.pins(&first).kept.is_empty(), "a preview changes nothing");

        studio.keep(&first, 2, 14, false).unwrap();
        let answer = studio.sync(&mut first, 3, 0);
        assert_eq!(answer.pins.len(), 1);
        assert_eq!((by_sync(&first).unwrap().seats, kept(&first)), (3, Some((2, until))));
        assert_eq!(studio.counted(), 5);

        studio.keep(&first, 0, 0, false).unwrap();
        studio.sync(&mut first, 3, 0);
        assert_eq!((by_sync(&first).unwrap().seats, kept(&first)), (5, None));
        assert!(studio.pins(&first).kept.is_empty());
    });
}

#[test]
fn what_is_kept_is_counted_until_its_server_says_that_it_uses_it_no_more() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 5);
    let mut first = Online::enable(&studio.world, &studio.ada, Scope::Organization);
    let mut second = Online::enable(&studio.world, &studio.ada, Scope::Organization);
    studio.keep(&first, 4, 14, false).unwrap();
    studio.sync(&mut first, 0, 0);
    // Somebody waits at the other server: what is kept is not asked back.
    let answer = studio.sync(&mut second, 0, 5);
    assert_eq!((second.holds(studio.license), answer.pools[0].bound), (0, 4));
    let answer = studio.sync(&mut first, 0, 0);
    assert!(answer.pools[0].recall <= 1, "{:?}", answer.pools);
    // Recalled at the portal. The server has yet to hear of it, and then to say that nothing stands on it.
    studio.keep(&first, 0, 0, false).unwrap();
    studio.sync(&mut second, 0, 5);
    assert!(second.holds(studio.license) <= 1);
    let presented = first.grant.grant.rev;
    studio.sync(&mut first, 0, 0);
    studio.sync_with_a_pass_out(&mut first, presented);
    let used = second.holds(studio.license);
    studio.sync(&mut second, used, 5);
    assert!(second.holds(studio.license) <= 1, "the pass is counted");
    studio.world.clock.advance(15 * DAY_MS + HOUR_MS);
    let used = second.holds(studio.license);
    studio.sync(&mut second, used, 5);
    assert_eq!(second.holds(studio.license), 5, "what was kept has ended");
}

#[test]
fn it_renews_itself_from_half_of_its_term_on_and_goes_back_before_it_ends() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 5);
    let mut first = Online::enable(&studio.world, &studio.ada, Scope::Organization);
    let begun = studio.world.now();
    studio.keep(&first, 2, 10, true).unwrap();
    studio.sync(&mut first, 0, 0);
    studio.world.clock.advance(4 * DAY_MS);
    studio.sync(&mut first, 0, 0);
    // What is kept ends when it was said; its line not before the others, which last a week without the portal.
    let until = |first: &Online| studio.pins(first).kept[0].until.0;
    let others = |first: &Online| by_sync(first).unwrap().until;
    assert_eq!(until(&first), begun.plus(10 * DAY_MS).floor_to_second());
    assert_eq!(kept(&first), Some((2, others(&first))));
    studio.world.clock.advance(DAY_MS + HOUR_MS);
    studio.sync(&mut first, 0, 0);
    let renewed = begun.plus(15 * DAY_MS + HOUR_MS).floor_to_second();
    assert_eq!((until(&first), kept(&first)), (renewed, Some((2, renewed))));
    // Not any more: it ends when it does, and in good time its seats are renewed at each sync again.
    let change = studio.keep(&first, 2, 10, false).unwrap().changes.remove(0);
    assert_eq!((change.until.unwrap().0, change.auto_renew), (renewed, false));
    for _ in 0..9 {
        studio.world.clock.advance(DAY_MS);
        studio.sync(&mut first, 1, 0);
        assert_eq!(kept(&first), Some((2, renewed.max(others(&first)))));
    }
    assert_eq!(until(&first), renewed);
    assert!(studio.pins(&first).kept[0].ends_soon);
    studio.world.clock.advance(23 * HOUR_MS + HOUR_MS / 2);
    studio.sync(&mut first, 1, 0);
    assert_eq!((kept(&first), by_sync(&first).unwrap().seats), (None, 5));
}

#[test]
fn keeping_seats_for_less_than_they_last_anyway_takes_nothing_from_them() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 5);
    let mut first = Online::enable(&studio.world, &studio.ada, Scope::Organization);
    studio.keep(&first, 2, 1, false).unwrap();
    studio.sync(&mut first, 0, 0);
    let week = studio.world.now().plus(7 * DAY_MS).floor_to_second();
    assert_eq!((kept(&first), by_sync(&first).unwrap().until), (Some((2, week)), week));
    // No document for every sync.
    let rev = first.grant.grant.rev;
    for _ in 0..5 {
        studio.world.clock.advance(HOUR_MS / 2);
        studio.sync(&mut first, 0, 0);
    }
    assert_eq!((first.grant.grant.rev, kept(&first)), (rev, Some((2, week))));
    studio.world.clock.advance(4 * HOUR_MS);
    studio.sync(&mut first, 0, 0);
    let later = by_sync(&first).unwrap().until;
    assert!(later > week && kept(&first) == Some((2, later)), "{:?}", kept(&first));
}

#[test]
fn what_is_kept_counts_as_in_use_wherever_that_is_shown() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 5);
    let mut first = Online::enable(&studio.world, &studio.ada, Scope::Organization);
    studio.keep(&first, 2, 14, false).unwrap();
    studio.sync(&mut first, 0, 0);
    studio.sync(&mut first, 1, 0);
    assert_eq!(studio.used(&first), [Some(3); 2]);
}

#[test]
fn what_was_kept_and_is_released_counts_as_in_use_until_it_is_back_wherever_that_is_shown() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 5);
    let mut first = Online::enable(&studio.world, &studio.ada, Scope::Organization);
    studio.keep(&first, 2, 14, false).unwrap();
    studio.sync(&mut first, 0, 0);
    studio.keep(&first, 0, 0, false).unwrap();
    let presented = first.grant.grant.rev;
    assert_eq!(studio.used(&first), [Some(2); 2], "the server has yet to hear of it");
    studio.sync(&mut first, 0, 0);
    studio.sync_with_a_pass_out(&mut first, presented);
    assert_eq!(studio.used(&first), [Some(2); 2], "a laptop has them");
    studio.sync(&mut first, 0, 0);
    assert_eq!(studio.used(&first), [Some(0); 2], "they are back");
}

#[test]
fn what_moved_to_kept_seats_counts_beside_what_runs_out_on_the_others() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 7);
    let mut first = Online::enable(&studio.world, &studio.ada, Scope::Organization);
    studio.sync(&mut first, 2, 0);
    let presented = first.grant.grant.rev;
    licenses::change_seats(&studio.world.portal, &studio.world.operator, studio.license, 1).unwrap();
    studio.keep(&first, 1, 14, true).unwrap();
    studio.sync(&mut first, 2, 0);
    assert_eq!((by_sync(&first).map(|line| line.seats), kept(&first).map(|(seats, _)| seats)), (None, Some(1)));
    // One application has the seat that is kept now, the other runs out on what was there before.
    let mut request = first.request(&studio.world, &[(studio.license, report(1, 1, 0))]);
    request.rev = presented;
    let sent = first.sent(&studio.world, &request);
    let answer = leasehold_portal::service::sync::sync(&studio.world.portal, HOME, &sent.token, &sent.body).unwrap();
    first.take(&studio.world, &sent, &answer);
    assert_eq!(studio.counted(), 2);
    studio.sync(&mut first, 0, 0);
    assert_eq!(studio.counted(), 1);
}

#[test]
fn a_server_speaks_for_itself_and_a_copy_of_what_it_said_is_worth_nothing() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 5);
    let world = &studio.world;
    let first = Online::enable(world, &studio.ada, Scope::Organization);
    let second = Online::enable(world, &studio.ada, Scope::Organization);
    let look = sign_request(&first.server.key, first.workstation, 0, b"", world.now());
    let rev = pins::list_signed(&world.portal, &look).unwrap().pins_rev;
    let body = |rev: Option<u64>| serde_json::to_vec(&KeepSeats { pins_rev: rev, ..studio.wish(2, 3, false) }).unwrap();
    let signed = |body: &[u8]| sign_request(&first.server.key, first.workstation, 0, body, world.now());
    let keep = |token: &str, body: &[u8]| pins::keep_signed(&world.portal, HOME, token, body);
    let good = body(Some(rev));
    assert_eq!(code(keep(&signed(&body(None)), &body(None))), "BAD_FIELD");
    assert_eq!(code(keep(&look, &good)), "WRONG_KEY", "a token is for one body");
    let strange = sign_request(&second.server.key, first.workstation, 0, &good, world.now());
    assert_eq!(code(keep(&strange, &good)), "WRONG_KEY");
    let token = signed(&good);
    assert!(keep(&token, &good).unwrap().pins_rev > rev);
    assert_eq!(code(keep(&token, &good)), "PINS_CHANGED");
    assert_eq!(studio.pins(&first).kept.len(), 1);
    assert!(studio.pins(&second).kept.is_empty());
}

#[test]
fn several_products_are_kept_and_given_back_in_one_act() {
    on_both(|db| {
        let studio = Studio::new(db, 5);
        let world = &studio.world;
        let other = world.license(&studio.ada, world.product("board"), 4);
        let mut online = Online::enable(world, &studio.ada, Scope::Organization);
        studio.sync(&mut online, 0, 0);
        let wish = |seats: [u32; 2]| {
            let pins = [studio.license, other].into_iter().zip(seats);
            let pin = |(license, seats)| KeepLicense { license, seats, days: Some(3), auto_renew: false };
            KeepSeats { pins_rev: None, preview: false, pins: pins.map(pin).collect() }
        };
        let keep = |seats| pins::keep(&world.portal, &studio.ada, online.workstation, &wish(seats)).unwrap();
        assert_eq!(keep([2, 1]).changes.iter().map(|change| change.seats).sum::<u32>(), 3);
        assert_eq!(studio.pins(&online).kept.len(), 2);
        assert_eq!(keep([0, 0]).changes.len(), 2);
        assert!(studio.pins(&online).kept.is_empty());
        let log = audit::list(&world.portal, &world.operator, &PageQuery::default()).unwrap();
        assert_eq!(log.items.iter().filter(|entry| entry.action == "workstation.keep").count(), 4, "one for each");
    });
}

#[test]
fn what_cannot_be_kept_is_refused_whole() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 5);
    let world = &studio.world;
    let mut first = Online::enable(world, &studio.ada, Scope::Organization);
    let mut second = Online::enable(world, &studio.ada, Scope::Organization);
    studio.sync(&mut first, 3, 0);
    studio.sync(&mut second, 0, 0);
    assert_eq!(code(studio.keep(&second, 3, 3, false)), "NO_SEATS");
    assert_eq!(code(studio.keep(&first, 1, 15, false)), "BORROW_TOO_LONG");
    let bob = world.customer("bob");
    let others = world.license(&bob, world.product("other"), 5);
    let mut wish = studio.wish(1, 3, false);
    wish.pins.push(KeepLicense { license: others, seats: 1, days: None, auto_renew: false });
    assert_eq!(code(pins::keep(&world.portal, &studio.ada, first.workstation, &wish)), "NOT_FOUND");
    assert_eq!(code(pins::keep(&world.portal, &bob, first.workstation, &studio.wish(1, 3, false))), "NOT_FOUND");
    assert!(studio.pins(&first).kept.is_empty(), "nothing of it was done");
    studio.keep(&first, 2, 14, true).unwrap();
    licenses::end(&world.portal, &world.operator, studio.license).unwrap();
    assert_eq!(code(studio.keep(&first, 3, 14, true)), "NOT_RUNNING");
    workstations::revoke(&world.portal, &studio.ada, first.workstation).unwrap();
    assert_eq!(code(pins::list(&world.portal, &studio.ada, first.workstation)), "NOT_ONLINE");
    assert_ne!(id(&bob), id(&studio.ada));
}

/// A backup from before is put back, and a server comes with a document that it does not know. Of the other, whose seats
/// were kept since, nothing is known either: a file says of them only that they are there.
#[test]
fn a_portal_that_lost_something_gives_an_online_server_no_file_before_it_has_synced() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 10);
    let (world, ada) = (&studio.world, &studio.ada);
    let mut night = Online::enable(world, ada, Scope::Organization);
    let mut day = Online::enable(world, ada, Scope::Organization);
    studio.sync(&mut day, 0, 4);
    night.sync(world, &[(studio.license, report(6, 0, 0))]);
    studio.sync(&mut day, 0, 4);
    assert_eq!((night.holds(studio.license), day.holds(studio.license)), (6, 4));
    let backup = db.snapshot().unwrap();
    studio.keep(&night, 4, 7, false).unwrap();
    studio.sync(&mut night, 0, 0);
    assert_eq!(kept(&night).unwrap().0, 4);
    world.clock.advance(4 * DAY_MS);
    studio.sync(&mut day, 0, 0);
    db.restore(&backup).unwrap();
    assert_eq!(studio.pins(&night).kept.len(), 0);

    studio.sync(&mut day, 0, 0);
    night.server.rev = Some(night.grant.grant.rev);
    let wish = Enable { request: night.server.request(world), scope: Scope::Organization, name: None };
    assert_eq!(code(enable::enable(&world.portal, ada, None, &wish)), "LEARNING");
    studio.sync(&mut night, 0, 0);
    assert_eq!((kept(&night).unwrap().0, studio.pins(&night).kept[0].seats), (4, 4), "its own document says so");
    assert!(studio.counted() <= 10);
}

/// The same, and what was kept at the backup was given back since and went to another server; the one that had it obeys
/// two documents that the portal lost.
#[test]
fn a_portal_that_lost_something_gives_nobody_again_what_they_gave_back() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 10);
    let (world, ada) = (&studio.world, &studio.ada);
    let mut night = Online::enable(world, ada, Scope::Organization);
    let mut day = Online::enable(world, ada, Scope::Organization);
    studio.sync(&mut night, 1, 0);
    studio.keep(&night, 4, 7, false).unwrap();
    studio.sync(&mut night, 1, 0);
    studio.sync(&mut night, 1, 0);
    assert_eq!(kept(&night).unwrap().0, 4);
    let backup = db.snapshot().unwrap();
    studio.keep(&night, 0, 0, false).unwrap();
    studio.sync(&mut night, 1, 0);
    let presented = night.grant.grant.rev;
    studio.sync(&mut night, 1, 0);
    // Nine go to the other server; the one that is in use stands on the document before.
    studio.sync(&mut day, 0, 9);
    night.sync(world, &[(studio.license, report(1, 1, 0))]);
    studio.sync(&mut day, 0, 9);
    let held = (night.holds(studio.license), day.holds(studio.license));
    assert_eq!(held, (1, 9));
    assert_ne!(night.grant.grant.rev, presented);
    db.restore(&backup).unwrap();

    let mut request = night.request(world, &[(studio.license, report(1, 1, 0))]);
    request.rev = presented;
    let sent = night.sent(world, &request);
    let answer = leasehold_portal::service::sync::sync(&world.portal, HOME, &sent.token, &sent.body).unwrap();
    night.take(world, &sent, &answer);
    studio.sync(&mut day, 9, 0);
    assert_eq!((night.holds(studio.license), day.holds(studio.license)), held);
    assert_eq!(studio.counted(), 10);
}

#[test]
fn one_laptop_holds_back_its_own_seats_and_not_all_that_were_kept_with_them() {
    let db = fresh_in_line();
    let studio = Studio::new(&db, 20);
    let world = &studio.world;
    let mut first = Online::enable(world, &studio.ada, Scope::Organization);
    studio.keep(&first, 20, 14, false).unwrap();
    studio.sync(&mut first, 0, 0);
    studio.sync(&mut first, 0, 0);
    assert_eq!(kept(&first).unwrap().0, 20);
    let presented = first.grant.grant.rev;
    studio.keep(&first, 0, 0, false).unwrap();
    studio.sync(&mut first, 0, 0);
    assert_eq!((by_sync(&first).map(|line| line.seats), kept(&first)), (Some(20), None));

    // Two are with a laptop; what else was kept can be had elsewhere.
    let second = Online::enable(world, &studio.ada, Scope::Organization);
    let with_a_laptop = |online: &mut Online, keep: u32| {
        let mut request = online.request(world, &[(studio.license, report(keep, 0, 0))]);
        request.rev = presented;
        request.running_out = Some([(studio.license, 2)].into());
        let sent = online.sent(world, &request);
        let answer = leasehold_portal::service::sync::sync(&world.portal, HOME, &sent.token, &sent.body).unwrap();
        online.take(world, &sent, &answer)
    };
    with_a_laptop(&mut first, 20);
    let recalled =
        leasehold_portal::service::sync::recall(&world.portal, &studio.ada, first.workstation, studio.license, 18);
    assert_eq!(recalled.unwrap(), 18);
    assert_eq!(with_a_laptop(&mut first, 20).pools[0].recall, 18);
    with_a_laptop(&mut first, 2);
    assert_eq!(studio.counted(), 4, "two that it keeps, and two that the laptop has");
    let keep = first.holds(studio.license);
    with_a_laptop(&mut first, keep);
    assert_eq!(studio.counted(), 4, "what was promised before holds");
    let mut second = second;
    second.sync(world, &[(studio.license, report(0, 0, 16))]);
    assert_eq!((second.holds(studio.license), studio.counted()), (16, 20));
    assert!(first.holds(studio.license) <= 4);

    // The laptop is back: nothing is held for it any more.
    studio.sync(&mut first, 0, 0);
    first.sync(world, &[(studio.license, report(0, 0, 0))]);
    studio.sync(&mut first, 0, 0);
    assert_eq!(studio.counted(), 16);
}
