//! Activating, renewing, revoking and giving up license servers.

use crate::world::{World, all, code, id};
use leasehold_core::time::DAY_MS;
use leasehold_db::testing::{fresh_postgres, fresh_sqlite, on_both};
use leasehold_db::{DbError, FaultPoint};
use leasehold_portal::service::activation::{self, Wish};
use leasehold_portal::service::{audit, health, receipts, workstations};
use leasehold_trust::activation_file::read_activation_file;
use leasehold_wire::portal::{ChosenLine, PageQuery, WorkstationStatus};

#[test]
fn a_request_file_becomes_an_activation_file_that_the_server_takes() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 10);
        let server = world.server();
        let request = server.request(&world);
        let look = activation::inspect(&world.portal, &ada, request.as_bytes(), &Wish::default()).unwrap();
        assert_eq!((look.renews, look.preset_seats, look.suggested_name.as_str()), (None, 10, server.host.as_str()));
        assert_eq!((look.offers[0].license, look.offers[0].available, look.offers[0].preset_seats), (license, 10, 10));
        let until = world.in_days(90).0.floor_to_second();
        assert_eq!((look.offers[0].preset_until.0, look.preset_free_at.unwrap().0), (until, until.plus(DAY_MS)));

        let wish = Wish { name: Some("Render farm".into()), ..Wish::default() };
        let activated = activation::activate(&world.portal, &ada, None, request.as_bytes(), &wish).unwrap();
        assert_eq!((activated.rev, activated.seats, activated.renewed), (1, 10, false));
        assert_eq!(activated.free_at, look.preset_free_at, "the page said when the seats are back");
        let file = workstations::activation_file(&world.portal, &ada, activated.workstation.id).unwrap();
        assert_eq!((file.name.as_str(), file.rev), ("Render-farm-rev1.crt", 1));
        let root = world.portal.root();
        let key = server.key.public();
        let taken = read_activation_file(file.text.as_bytes(), Some(root), &key, None, world.now()).unwrap();
        let grant = taken.grant.grant;
        assert_eq!((grant.workstation, grant.workstation_name.as_str()), (activated.workstation.id, "Render farm"));
        assert_eq!((grant.lines[0].seats, grant.lines[0].until), (10, until));
        assert_eq!(grant.lines[0].capacity("studio.render"), 20);
        assert_eq!(grant.lines[0].terms.released_before, Some("2027-06-30".parse().unwrap()));
    });
}

#[test]
fn seats_given_up_count_until_the_server_has_acknowledged_it() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 10);
        let mut server = world.server();
        let first = world.activate(&ada, &server, None).unwrap();
        // Lowered by button: the server may still obey the old document.
        let lines = [world.line(license, 3, 30)];
        let second = activation::renew(&world.portal, &ada, None, first.workstation.id, Some(&lines)).unwrap();
        assert_eq!((second.rev, second.seats), (2, 3));
        assert_eq!(world.look(license).seats_out, 10);
        // An old request says that rev 1 is in use: nothing comes back.
        server.rev = Some(1);
        world.clock.advance(1_000);
        let third = world.activate(&ada, &server, Some(lines.to_vec())).unwrap();
        assert_eq!((third.rev, third.workstation.acknowledged_rev), (3, 1));
        assert_eq!(world.look(license).seats_out, 10);
        // Rev 3 is in use: what was above it in rev 1 is free.
        server.rev = Some(3);
        world.clock.advance(1_000);
        let fourth = world.activate(&ada, &server, Some(lines.to_vec())).unwrap();
        assert_eq!(fourth.workstation.acknowledged_rev, 3);
        assert_eq!(world.look(license).seats_out, 3);
        // What was acknowledged is never taken back.
        server.rev = Some(1);
        world.clock.advance(1_000);
        assert_eq!(world.activate(&ada, &server, Some(lines.to_vec())).unwrap().workstation.acknowledged_rev, 3);
    });
}

#[test]
fn a_number_that_was_never_issued_acknowledges_nothing_and_raises_an_alarm() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 10);
        let mut server = world.server();
        world.activate(&ada, &server, Some(vec![world.line(license, 8, 30)])).unwrap();
        server.rev = Some(40);
        world.clock.advance(1_000);
        let renewed = world.activate(&ada, &server, Some(vec![world.line(license, 2, 30)])).unwrap();
        assert_eq!(
            (renewed.rev, renewed.workstation.acknowledged_rev),
            (41, 0),
            "the server loads nothing lower than 40"
        );
        assert_eq!(world.look(license).seats_out, 8);
        let log = audit::list(&world.portal, &world.operator, &PageQuery::default()).unwrap();
        assert_eq!(log.items[0].detail["alarm"], "unknown_rev");
    });
}

#[test]
fn revoking_says_until_when_it_runs_and_frees_the_seats_a_day_later() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 10);
        let server = world.server();
        let activated = world.activate(&ada, &server, Some(vec![world.line(license, 8, 30)])).unwrap();
        let workstation = activated.workstation.id;
        let revoked = workstations::revoke(&world.portal, &ada, workstation).unwrap();
        let until = world.in_days(30).0.floor_to_second();
        assert_eq!(revoked.seats, 8);
        assert_eq!(revoked.runs_until.unwrap().0, until);
        assert_eq!(revoked.free_at.unwrap().0, until.plus(DAY_MS));
        assert_eq!(revoked.workstation.status, WorkstationStatus::Revoked);
        assert_eq!(world.look(license).seats_out, 8, "it may go on using them");
        assert_eq!(code(activation::renew(&world.portal, &ada, None, workstation, None)), "KEY_ENDED");
        assert_eq!(code(workstations::activation_file(&world.portal, &ada, workstation)), "KEY_ENDED");
        assert_eq!(code(workstations::revoke(&world.portal, &ada, workstation)), "KEY_ENDED");
        world.clock.advance(1_000);
        assert_eq!(code(world.activate(&ada, &server, None)), "KEY_ENDED");
        world.clock.advance(30 * DAY_MS);
        assert_eq!(world.look(license).seats_out, 8, "the allowance");
        world.clock.advance(DAY_MS);
        assert_eq!(world.look(license).seats_out, 0);
    });
}

#[test]
fn a_receipt_frees_all_seats_at_once_and_once_only() {
    on_both(|db| {
        let world = World::new(db);
        let (ada, bob) = (world.customer("ada"), world.customer("bob"));
        let license = world.license(&ada, world.product("studio"), 10);
        let server = world.server();
        let activated = world.activate(&ada, &server, None).unwrap();
        let workstation = activated.workstation.id;
        // A newer document that the server never saw is void with the key.
        activation::renew(&world.portal, &ada, None, workstation, None).unwrap();
        let receipt = server.receipt(&world, workstation);
        assert_eq!(code(receipts::take_receipt(&world.portal, &bob, receipt.as_bytes())), "FILE_OTHER_SERVER");
        let released = receipts::take_receipt(&world.portal, &ada, receipt.as_bytes()).unwrap();
        assert_eq!((released.seats, released.workstation.status), (10, WorkstationStatus::Released));
        assert_eq!((released.workstation.lines.len(), released.workstation.free_at), (0, None));
        assert_eq!(world.look(license).seats_free, 10);
        assert_eq!(code(receipts::take_receipt(&world.portal, &ada, receipt.as_bytes())), "FILE_REPLAYED");
        let another = server.receipt(&world, workstation);
        assert_eq!(code(receipts::take_receipt(&world.portal, &ada, another.as_bytes())), "FILE_REPLAYED");
        world.clock.advance(1_000);
        assert_eq!(code(world.activate(&ada, &server, None)), "KEY_ENDED", "a new key has to be made");
        assert!(world.activate(&ada, &world.server(), None).is_ok());
    });
}

#[test]
fn operators_activate_for_a_customer_and_a_renewal_may_rename() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        world.license(&ada, world.product("studio"), 10);
        let server = world.server();
        let wish = Wish { account: Some(id(&ada)), name: Some("First".into()), ..Wish::default() };
        let file = server.request(&world);
        let activated = activation::activate(&world.portal, &world.operator, None, file.as_bytes(), &wish).unwrap();
        assert_eq!(activated.workstation.owner.id, id(&ada));
        world.clock.advance(1_000);
        let wish = Wish { name: Some("Second".into()), workstation: Some(activated.workstation.id), ..Wish::default() };
        let file = server.request(&world);
        let look = activation::inspect(&world.portal, &ada, file.as_bytes(), &wish).unwrap();
        assert_eq!(look.renews.unwrap().name, "First");
        let renewed = activation::activate(&world.portal, &ada, None, file.as_bytes(), &wish).unwrap();
        assert_eq!((renewed.workstation.name.as_str(), renewed.renewed, renewed.rev), ("Second", true, 2));
        assert_eq!(workstations::list(&world.portal, &ada, &all()).unwrap().items.len(), 1);
    });
}

#[test]
fn a_choice_is_judged_whole() {
    on_both(|db| {
        let world = World::new(db);
        let (ada, bob) = (world.customer("ada"), world.customer("bob"));
        let product = world.product("studio");
        let (mine, bobs) = (world.license(&ada, product, 10), world.license(&bob, product, 10));
        let named = leasehold_wire::portal::NewLicense {
            kind: leasehold_core::license::Kind::Named,
            ..world.wish(&ada, product, 5)
        };
        let named = world.sell(&named).id;
        let server = world.server();
        let refused = |lines: Vec<ChosenLine>| code(world.activate(&ada, &server, Some(lines)));
        let line = |license, seats, days| world.line(license, seats, days);
        assert_eq!(refused(vec![line(bobs, 1, 30)]), "UNKNOWN_LICENSE", "as if there were none");
        assert_eq!(refused(vec![line(mine, 1, 30), line(mine, 1, 30)]), "LICENSE_TWICE");
        assert_eq!(refused(vec![line(named, 1, 30)]), "NAMED");
        assert_eq!(refused(vec![line(mine, 11, 30)]), "NO_SEATS");
        assert_eq!(refused(vec![line(mine, 1, 366)]), "BAD_END");
        assert_eq!(refused(vec![line(mine, 1, -1)]), "BAD_END");
        assert_eq!(refused(vec![line(mine, 0, 30)]), "NOTHING_TO_GIVE");
        assert_eq!(world.look(mine).seats_out, 0);
        assert!(workstations::list(&world.portal, &ada, &all()).unwrap().items.is_empty());
        // The same file is still good: nothing of the refused tries was kept.
        let activated = world.activate(&ada, &server, Some(vec![line(mine, 10, 365)])).unwrap();
        let emptied = activation::renew(&world.portal, &ada, None, activated.workstation.id, Some(&[])).unwrap();
        assert_eq!((emptied.seats, emptied.rev), (0, 2), "giving everything back is a choice");
    });
}

#[test]
fn a_full_disk_changes_nothing_and_the_portal_goes_on_when_there_is_space() {
    let db = fresh_sqlite();
    let world = World::new(db.db());
    let ada = world.customer("ada");
    let license = world.license(&ada, world.product("studio"), 10);
    let server = world.server();
    db.db().set_fault_hook(|at| match at {
        FaultPoint::BeforeCommit => Err(DbError::Full { place: "the disk".to_owned() }),
        _ => Ok(()),
    });
    assert_eq!(code(world.activate(&ada, &server, None)), "DISK_FULL");
    db.db().clear_fault_hook();
    assert_eq!(world.look(license).seats_out, 0);
    assert_eq!(world.activate(&ada, &server, None).unwrap().rev, 1);
}

#[test]
fn a_portal_whose_clock_differs_from_its_databases_issues_nothing() {
    let db = fresh_postgres();
    let world = World::new(db.db());
    let theirs = db.db().clock_ms().unwrap();
    world.clock.advance(theirs - world.now().0);
    let ada = world.customer("ada");
    world.license(&ada, world.product("studio"), 10);
    world.clock.advance(120_000);
    health::compare_clocks(&world.portal).unwrap();
    assert_eq!(code(world.activate(&ada, &world.server(), None)), "CLOCK_OFF");
    assert_eq!(code(health::ready(&world.portal)), "CLOCK_OFF");
    world.clock.advance(-120_000);
    health::compare_clocks(&world.portal).unwrap();
    assert_eq!(health::ready(&world.portal), Ok(()));
    assert!(world.activate(&ada, &world.server(), None).is_ok());
}
