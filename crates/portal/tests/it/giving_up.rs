//! Seats that come back from servers that do not sync: by receipt, some at a time, or because the server is lost.

use crate::online::{Online, report};
use crate::world::{HOME, World, code, id};
use leasehold_core::ids::{LicenseId, PassId};
use leasehold_core::license::{FeatureCode, Scope, Share};
use leasehold_core::sync::Verdict;
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_core::usage::{FeatureSummary, Summary};
use leasehold_db::testing::{fresh_in_line, on_both};
use leasehold_portal::service::losses::{declare_lost, loss, write_off_pass_signed};
use leasehold_portal::service::receipts::take_receipt;
use leasehold_portal::service::{activation, audit, products};
use leasehold_portal::{Caller, Failure};
use leasehold_trust::SigningKey;
use leasehold_trust::receipt::{Kept, ReceiptFacts, build_receipt};
use leasehold_trust::sync::sign_request;
use leasehold_wire::portal::{
    DeclareLost, NewProduct, PageQuery, PassWrittenOff, Released, WorkstationStatus, WriteOffPass,
};

const LATER: DeclareLost = DeclareLost { write_off: false };
const AT_ONCE: DeclareLost = DeclareLost { write_off: true };

fn take(world: &World, caller: &Caller, file: &str) -> Result<Released, Failure> {
    take_receipt(&world.portal, caller, file.as_bytes())
}

/// A license of a product of which so many seats may be written off within a year.
fn with_write_offs(world: &World, owner: &Caller, seats: u32, write_offs: u32) -> LicenseId {
    let wish = NewProduct {
        code: "studio".into(),
        name: "Acme Studio".into(),
        share: Share::None,
        features: [(FeatureCode::new("studio.gui").unwrap(), 1)].into(),
        write_offs: Some(write_offs),
        ..NewProduct::default()
    };
    let product = products::create(&world.portal, &world.operator, None, &wish).unwrap().id;
    world.license(owner, product, seats)
}

#[test]
fn seats_given_back_count_as_free_on_the_receipt_and_a_renewal_goes_on_from_there() {
    on_both(|db| {
        let world = World::new(db);
        let (ada, bob) = (world.customer("ada"), world.customer("bob"));
        let license = world.license(&ada, world.product("studio"), 10);
        let server = world.server();
        let workstation = world.activate(&ada, &server, None).unwrap().workstation.id;
        let (first, facts) = server.gives_back(&world, workstation, 1, (license, 7));
        let usage = Summary {
            since: Ms(1_795_000_000_000),
            until: Ms(1_795_100_000_000),
            features: vec![FeatureSummary {
                feature: FeatureCode::new("studio.gui").unwrap(),
                seat_s: 7_200,
                peak: 3,
                checkouts: 9,
                denials: 1,
            }],
            left_out: 0,
        };
        let facts = ReceiptFacts { usage: Some(usage), ..facts };
        let with_usage = build_receipt(&server.key, &facts);
        assert_eq!(world.look(license).seats_free, 0, "not before the receipt is here");
        assert_eq!(code(take(&world, &bob, &with_usage)), "FILE_OTHER_SERVER");
        let taken = take(&world, &ada, &with_usage).unwrap();
        assert_eq!((taken.seats, taken.goes_on, taken.newer_rev), (3, true, None));
        let shown = taken.workstation;
        assert_eq!((shown.status, shown.seats_out, shown.lines[0].seats), (WorkstationStatus::Active, 7, 7));
        assert_eq!(shown.gave_back.map(|gave| (gave.rev, gave.number, gave.seats_kept)), Some((1, 1, 7)));
        let told = shown.usage.unwrap();
        assert_eq!((told.features[0].seat_s, told.features[0].peak, told.features[0].denials), (7_200, 3, 1));
        assert_eq!(world.look(license).seats_free, 3);
        // The same file, and the same under another name.
        assert_eq!(code(take(&world, &ada, &with_usage)), "FILE_REPLAYED");
        assert_eq!(code(take(&world, &ada, &first)), "FILE_REPLAYED", "it counts once, whatever it says besides");
        assert_eq!(world.look(license).seats_free, 3);

        let other = world.activate(&ada, &world.server(), None).unwrap();
        assert_eq!(other.seats, 3, "others have what was given back");
        let (third, _) = server.gives_back(&world, workstation, 3, (license, 4));
        let (second, _) = server.gives_back(&world, workstation, 2, (license, 5));
        assert_eq!(take(&world, &ada, &third).unwrap().seats, 3);
        assert_eq!(code(take(&world, &ada, &second)), "FILE_OLDER", "an older one that comes after a newer");
        assert_eq!(world.look(license).seats_out, 7);

        let offers = activation::offers(&world.portal, &ada, workstation).unwrap();
        assert_eq!((offers[0].held_now, offers[0].preset_seats, offers[0].available), (4, 4, 7));
        let renewed = activation::renew(&world.portal, &ada, None, workstation, None).unwrap();
        assert_eq!((renewed.rev, renewed.seats), (2, 4), "the lower numbers are what is offered");
        assert_eq!(world.look(license).seats_out, 7);
        world.clock.advance(1_000);
        let renewed = activation::renew(&world.portal, &ada, None, workstation, None).unwrap();
        assert_eq!((renewed.rev, renewed.seats), (3, 4), "and go on");

        let (late, _) = server.gives_back(&world, workstation, 9, (license, 1));
        // The last receipt of all works after it.
        let released = take(&world, &ada, &server.receipt(&world, workstation)).unwrap();
        assert_eq!((released.seats, released.goes_on), (4, false));
        assert_eq!(released.workstation.status, WorkstationStatus::Released);
        assert_eq!(code(take(&world, &ada, &late)), "FILE_REPLAYED");
        let log = audit::list(&world.portal, &world.operator, &PageQuery::default()).unwrap();
        let actions: Vec<&str> = log.items.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions.iter().filter(|action| **action == "workstation.give_back").count(), 2);
    });
}

#[test]
fn whoever_gave_everything_back_and_goes_on_is_offered_what_is_free() {
    let db = fresh_in_line();
    let world = World::new(&db);
    let ada = world.customer("ada");
    let license = world.license(&ada, world.product("studio"), 10);
    let server = world.server();
    let workstation = world.activate(&ada, &server, None).unwrap().workstation.id;
    let (all, _) = server.gives_back(&world, workstation, 1, (license, 0));
    assert_eq!(take(&world, &ada, &all).unwrap().seats, 10);
    let other = world.activate(&ada, &world.server(), Some(vec![world.line(license, 6, 30)])).unwrap();
    assert_eq!(other.seats, 6);
    assert_eq!(activation::offers(&world.portal, &ada, workstation).unwrap()[0].preset_seats, 4);
    assert_eq!(activation::renew(&world.portal, &ada, None, workstation, None).unwrap().seats, 4);
}

#[test]
fn a_receipt_lowers_the_document_that_it_names_and_no_newer_one() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 10);
        let server = world.server();
        let workstation = world.activate(&ada, &server, None).unwrap().workstation.id;
        let (receipt, _) = server.gives_back(&world, workstation, 1, (license, 2));
        // A newer file was issued before, and may be loaded any time.
        let lines = [world.line(license, 8, 30)];
        activation::renew(&world.portal, &ada, None, workstation, Some(&lines)).unwrap();
        let taken = take(&world, &ada, &receipt).unwrap();
        assert_eq!((taken.seats, taken.newer_rev), (2, Some(2)));
        assert_eq!(world.look(license).seats_out, 8);
        let (receipt, _) = server.gives_back(&world, workstation, 2, (license, 1));
        assert_eq!(take(&world, &ada, &receipt).unwrap().seats, 7);
    });
}

#[test]
fn what_a_receipt_says_must_be_signed_by_the_key_about_a_document_of_this_portal() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 10);
        let (server, other) = (world.server(), world.server());
        let workstation = world.activate(&ada, &server, Some(vec![world.line(license, 6, 30)])).unwrap().workstation.id;
        let elsewhere = world.activate(&ada, &other, Some(vec![world.line(license, 4, 30)])).unwrap().workstation.id;
        let (good, facts) = server.gives_back(&world, workstation, 1, (license, 1));
        let kept = facts.kept.clone().unwrap();
        let forged = [
            (build_receipt(&SigningKey::generate(), &facts), "FILE_OTHER_SERVER"),
            // Signed by a server that is known, about another.
            (build_receipt(&other.key, &facts), "FILE_BAD_SIGNATURE"),
            (
                build_receipt(&server.key, &ReceiptFacts { workstation: elsewhere, ..facts.clone() }),
                "FILE_BAD_SIGNATURE",
            ),
            (good[..good.len() / 2].to_owned(), "FILE_TRUNCATED"),
            (
                build_receipt(
                    &server.key,
                    &ReceiptFacts { kept: Some(Kept { document: "0".repeat(64), ..kept.clone() }), ..facts.clone() },
                ),
                "UNKNOWN_DOCUMENT",
            ),
            (build_receipt(&server.key, &ReceiptFacts { rev_in_use: 7, ..facts.clone() }), "UNKNOWN_DOCUMENT"),
        ];
        for (file, expected) in &forged {
            assert_eq!(code(take(&world, &ada, file)), *expected);
            assert_eq!(world.look(license).seats_out, 10);
        }
        let more = Kept { seats: [(license, 60)].into(), ..kept };
        let more = build_receipt(&server.key, &ReceiptFacts { kept: Some(more), ..facts });
        assert_eq!(take(&world, &ada, &more).unwrap().seats, 0, "it never counts for more than was signed");
        assert_eq!(world.look(license).seats_out, 10);
    });
}

#[test]
fn a_lost_server_frees_its_seats_at_its_end_or_at_once_within_the_vendors_allowance() {
    on_both(|db| {
        let world = World::new(db);
        let (ada, bob) = (world.customer("ada"), world.customer("bob"));
        let license = with_write_offs(&world, &ada, 10, 3);
        let server = world.server();
        let activated = world.activate(&ada, &server, Some(vec![world.line(license, 6, 30)])).unwrap();
        let workstation = activated.workstation.id;
        let until = world.in_days(30).0.floor_to_second();
        assert_eq!(code(loss(&world.portal, &bob, workstation)), "NOT_FOUND");
        assert_eq!(code(declare_lost(&world.portal, &bob, workstation, LATER)), "NOT_FOUND");
        let seen = loss(&world.portal, &ada, workstation).unwrap();
        assert_eq!((seen.seats, seen.may_write_off), (6, 3));
        let line = &seen.licenses[0];
        assert_eq!((line.until.0, line.free_at.0), (until, until.plus(DAY_MS)));
        assert_eq!((line.write_offs_allowed, line.write_offs_used), (3, 0));

        let lost = declare_lost(&world.portal, &ada, workstation, LATER).unwrap();
        assert_eq!((lost.written_off, lost.seats, lost.free_at.unwrap().0), (0, 6, until.plus(DAY_MS)));
        assert_eq!(lost.workstation.status, WorkstationStatus::Lost);
        assert_eq!(world.look(license).seats_out, 6, "it may go on using them");
        declare_lost(&world.portal, &ada, workstation, LATER).unwrap();
        world.clock.advance(1_000);
        assert_eq!(code(world.activate(&ada, &server, None)), "KEY_ENDED", "its key is gone for good");
        assert_eq!(code(activation::renew(&world.portal, &ada, None, workstation, None)), "KEY_ENDED");

        let at_once = declare_lost(&world.portal, &ada, workstation, AT_ONCE).unwrap();
        assert_eq!((at_once.written_off, at_once.seats), (3, 3));
        let off = &at_once.workstation.written_off[0];
        assert_eq!((off.seats, off.until.0), (3, until.plus(DAY_MS)), "they may be in use until then");
        assert_eq!(world.look(license).seats_free, 7);
        assert_eq!(code(declare_lost(&world.portal, &ada, workstation, AT_ONCE)), "WRITE_OFF_DENIED");
        let other = world.activate(&ada, &world.server(), None).unwrap();
        assert_eq!(other.seats, 7);
        // The allowance is the license's, whichever server is lost, for a year.
        assert_eq!(loss(&world.portal, &ada, other.workstation.id).unwrap().may_write_off, 0);
        assert_eq!(code(declare_lost(&world.portal, &ada, other.workstation.id, AT_ONCE)), "WRITE_OFF_DENIED");
        world.clock.advance(31 * DAY_MS);
        assert_eq!(world.look(license).seats_out, 7, "the rest is free by itself");
        let log = audit::list(&world.portal, &world.operator, &PageQuery::default()).unwrap();
        let lost: Vec<_> = log.items.iter().filter(|entry| entry.action == "workstation.lost").collect();
        assert_eq!(lost.len(), 2, "declared, and written off; asked again is no deed");
        assert_eq!(lost[0].detail["written_off"][license.to_string()], 3);
        assert_eq!(lost[0].actor.as_ref().unwrap().id, id(&ada));
    });
}

#[test]
fn servers_and_laptops_share_one_allowance_and_a_pass_is_counted_once() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = with_write_offs(&world, &ada, 10, 3);
        let (mut first, mut second) =
            (Online::enable(&world, &ada, Scope::Organization), Online::enable(&world, &ada, Scope::Organization));
        for server in [&mut first, &mut second] {
            server.sync(&world, &[(license, report(0, 0, 4))]);
            server.sync(&world, &[(license, report(0, 0, 4))]);
        }
        assert!(first.holds(license) > 0 && second.holds(license) > 0);
        let pass = || world.draw(|now, random| PassId::draw(now, random));
        let ask = |server: &Online, pass, of: LicenseId, seats| {
            let wish = WriteOffPass { pass, seats: [(of, seats)].into() };
            let body = serde_json::to_vec(&wish).unwrap();
            let token = sign_request(&server.server.key, server.workstation, 0, &body, world.now());
            write_off_pass_signed(&world.portal, HOME, &token, &body)
        };
        let said = |told: Result<PassWrittenOff, Failure>| {
            let told = told.unwrap();
            (told.written_off, told.licenses[0].allowed, told.licenses[0].used)
        };
        let (lost, other) = (pass(), pass());
        assert_eq!(said(ask(&first, lost, license, 2)), (true, 3, 2));
        assert_eq!(said(ask(&first, lost, license, 2)), (true, 3, 2), "of a pass once");
        assert_eq!(code(ask(&second, lost, license, 2)), "NOT_FOUND", "it is another server's");
        assert_eq!(said(ask(&second, other, license, 2)), (false, 3, 2), "the allowance is that of all together");
        assert_eq!(said(ask(&second, other, license, 1)), (true, 3, 3));
        assert_eq!(loss(&world.portal, &ada, second.workstation).unwrap().may_write_off, 0, "of servers as well");
        // Whose seats they are not learns nothing, and nothing is counted.
        let foreign = world.license(&world.customer("bob"), world.product("board"), 4);
        assert_eq!(code(ask(&first, pass(), foreign, 1)), "NOT_FOUND");
        assert_eq!(
            code(ask(&first, lost, foreign, 1)),
            "NOT_FOUND",
            "with a pass that is counted no more than with another"
        );
        assert_eq!(code(ask(&first, pass(), license, 0)), "BAD_FIELD");
        let body = serde_json::to_vec(&WriteOffPass { pass: pass(), seats: [(license, 1)].into() }).unwrap();
        let strange = sign_request(&second.server.key, first.workstation, 0, &body, world.now());
        assert_eq!(code(write_off_pass_signed(&world.portal, HOME, &strange, &body)), "WRONG_KEY");
        let log = audit::list(&world.portal, &world.operator, &PageQuery::default()).unwrap();
        assert_eq!(log.items.iter().filter(|entry| entry.action == "workstation.pass_write_off").count(), 2);
    });
}

#[test]
fn a_lost_server_that_turns_up_is_told_or_gives_back_what_is_left_by_its_last_receipt() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = with_write_offs(&world, &ada, 10, 2);
        let server = world.server();
        let lines = Some(vec![world.line(license, 4, 30)]);
        let workstation = world.activate(&ada, &server, lines).unwrap().workstation.id;
        let (some, _) = server.gives_back(&world, workstation, 1, (license, 1));
        declare_lost(&world.portal, &ada, workstation, LATER).unwrap();
        assert_eq!(code(take(&world, &ada, &some)), "DECLARED_LOST");
        let released = take(&world, &ada, &server.receipt(&world, workstation)).unwrap();
        assert_eq!((released.seats, released.workstation.status), (4, WorkstationStatus::Released));
        assert_eq!(code(declare_lost(&world.portal, &ada, workstation, LATER)), "FILE_REPLAYED");

        let mut online = Online::enable(&world, &ada, Scope::Organization);
        online.sync(&world, &[(license, report(10, 4, 0))]);
        let lost = declare_lost(&world.portal, &ada, online.workstation, AT_ONCE).unwrap();
        assert_eq!((lost.written_off, lost.seats), (2, 8));
        // It was not: its seats are withdrawn with its next sync, and what it still uses is heard.
        online.sync(&world, &[(license, report(10, 4, 0))]);
        assert_eq!(online.holds(license), 0);
        assert_eq!(online.sync(&world, &[(license, report(0, 0, 0))]).verdict, Verdict::Lost);
        assert_eq!(world.look(license).seats_out, 0);
    });
}
