//! Products and licenses: what operators may do, and what owners see.

use crate::world::{World, all, code, id};
use leasehold_core::ids::LicenseId;
use leasehold_core::license::{FeatureCode, Term};
use leasehold_core::time::DAY_MS;
use leasehold_db::testing::on_both;
use leasehold_portal::service::{audit, licenses, products};
use leasehold_wire::portal::{ChangeProduct, NewProduct, OwnedQuery, PageQuery};

#[test]
fn my_licenses_show_where_the_seats_are() {
    on_both(|db| {
        let world = World::new(db);
        let (ada, bob) = (world.customer("ada"), world.customer("bob"));
        let product = world.product("studio");
        let license = world.license(&ada, product, 10);
        world.license(&bob, product, 3);
        let activated = world.activate(&ada, &world.server(), Some(vec![world.line(license, 4, 30)])).unwrap();
        let mine = licenses::list(&world.portal, &ada, &all()).unwrap().items;
        assert_eq!(mine.len(), 1, "bob's is not shown");
        let seen = &mine[0];
        assert_eq!((seen.seats, seen.seats_out, seen.seats_free, seen.over_by), (10, 4, 6, 0));
        let holder = &seen.holders[0];
        assert_eq!((holder.workstation, holder.seats), (activated.workstation.id, 4));
        let until = world.in_days(30).0.floor_to_second();
        assert_eq!(holder.free_at.0, until.plus(DAY_MS), "a day after the line ends, because nobody reports its end");
        assert_eq!(licenses::list(&world.portal, &world.operator, &all()).unwrap().items.len(), 2);
        let bobs = OwnedQuery { owner: Some(id(&bob)), ..all() };
        assert_eq!(code(licenses::list(&world.portal, &ada, &bobs)), "NOT_FOUND");
        assert_eq!(licenses::list(&world.portal, &world.operator, &bobs).unwrap().items.len(), 1);
        assert_eq!(code(licenses::get(&world.portal, &bob, license)), "NOT_FOUND");
    });
}

#[test]
fn a_license_that_is_reduced_says_over_by_until() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 10);
        world.activate(&ada, &world.server(), Some(vec![world.line(license, 8, 30)])).unwrap();
        let reduced = licenses::change_seats(&world.portal, &world.operator, license, 5).unwrap();
        assert_eq!((reduced.over_by, reduced.seats_free, reduced.seats_out), (3, 0, 8));
        assert_eq!(reduced.over_until, Some(reduced.holders[0].free_at));
        let more = world.activate(&ada, &world.server(), Some(vec![world.line(license, 1, 30)]));
        assert_eq!(code(more), "NO_SEATS");
        world.clock.advance(31 * DAY_MS);
        let later = world.look(license);
        assert_eq!((later.over_by, later.over_until, later.seats_free), (0, None, 5));
        assert_eq!(code(licenses::change_seats(&world.portal, &world.operator, license, 0)), "BAD_FIELD");
    });
}

#[test]
fn an_ended_license_gives_nothing_new_and_what_is_out_runs_on() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 10);
        world.activate(&ada, &world.server(), Some(vec![world.line(license, 8, 30)])).unwrap();
        let ended = licenses::end(&world.portal, &world.operator, license).unwrap();
        assert_eq!((ended.running, ended.seats_free, ended.seats_out), (false, 0, 8));
        assert_eq!(code(licenses::end(&world.portal, &world.operator, license)), "ALREADY_ENDED");
        assert_eq!(code(world.activate(&ada, &world.server(), Some(vec![world.line(license, 1, 30)]))), "NOT_RUNNING");
        assert_eq!(code(world.activate(&ada, &world.server(), None)), "NOTHING_TO_GIVE");
    });
}

#[test]
fn no_document_outlives_its_license() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let product = world.product("studio");
        let soon = world.now().plus(20 * DAY_MS).utc_date();
        let wish = leasehold_wire::portal::NewLicense {
            term: Term::Subscription { until: soon },
            ..world.wish(&ada, product, 5)
        };
        let license = world.sell(&wish);
        assert_eq!(code(world.activate(&ada, &world.server(), Some(vec![world.line(license.id, 1, 40)]))), "BAD_END");
        let preset = world.activate(&ada, &world.server(), None).unwrap();
        assert_eq!(preset.workstation.lines[0].until, license.ends_at.unwrap(), "not 90 days");
        let past = leasehold_wire::portal::NewLicense {
            term: Term::Subscription { until: "2026-01-01".parse().unwrap() },
            ..wish
        };
        assert_eq!(code(licenses::create(&world.portal, &world.operator, None, &past)), "BAD_FIELD");
    });
}

#[test]
fn a_changed_product_changes_later_documents_only() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let product = world.product("studio");
        let license = world.license(&ada, product, 10);
        let server = world.server();
        let first = world.activate(&ada, &server, Some(vec![world.line(license, 1, 30)])).unwrap();
        let features = [(FeatureCode::new("studio.gui").unwrap(), 5)].into();
        let wish =
            ChangeProduct { features: Some(features), name: Some("Studio 2".into()), ..ChangeProduct::default() };
        let changed = products::change(&world.portal, &world.operator, product, &wish).unwrap();
        assert_eq!((changed.name.as_str(), changed.code.as_str()), ("Studio 2", "studio"));
        let held = |id| leasehold_portal::service::workstations::get(&world.portal, &ada, id).unwrap().lines;
        assert_eq!(held(first.workstation.id)[0].product_name, "Acme studio");
        world.clock.advance(1_000);
        let second = world.activate(&ada, &server, Some(vec![world.line(license, 1, 30)])).unwrap();
        assert_eq!(held(second.workstation.id)[0].product_name, "Studio 2");
        assert_eq!(held(first.workstation.id)[0].line, first.workstation.lines[0].line, "a renewed line keeps its id");
    });
}

#[test]
fn what_cannot_be_sold_is_refused_by_name() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let product = world.product("studio");
        let create = |wish: &NewProduct| code(products::create(&world.portal, &world.operator, None, wish));
        let fine = NewProduct {
            code: "other".into(),
            name: "Other".into(),
            share: leasehold_core::license::Share::UserHost,
            features: [(FeatureCode::new("other.x").unwrap(), 1)].into(),
            ..NewProduct::default()
        };
        assert_eq!(create(&NewProduct { code: "studio".into(), ..fine.clone() }), "TAKEN");
        for bad in [
            NewProduct { code: "No Code".into(), ..fine.clone() },
            NewProduct { name: "a\u{202e}b".into(), ..fine.clone() },
            NewProduct { features: [].into(), ..fine.clone() },
            NewProduct { features: [(FeatureCode::new("x").unwrap(), 0)].into(), ..fine.clone() },
        ] {
            assert_eq!(create(&bad), "BAD_FIELD", "{bad:?}");
        }
        let nobodys = leasehold_wire::portal::NewLicense {
            owner: world.draw(|now, random| leasehold_core::ids::AccountId::draw(now, random)),
            ..world.wish(&ada, product, 1)
        };
        assert_eq!(code(licenses::create(&world.portal, &world.operator, None, &nobodys)), "BAD_FIELD");
        assert_eq!(code(licenses::create(&world.portal, &ada, None, &world.wish(&ada, product, 1))), "FORBIDDEN");
        let unknown = world.draw(|now, random| LicenseId::draw(now, random));
        assert_eq!(code(licenses::change_seats(&world.portal, &world.operator, unknown, 3)), "NOT_FOUND");
    });
}

#[test]
fn lists_come_in_pages_newest_first_and_every_deed_is_in_the_log() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let product = world.product("studio");
        let sold: Vec<LicenseId> = (0..5)
            .map(|_| {
                world.clock.advance(1);
                world.license(&ada, product, 1)
            })
            .collect();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let query = OwnedQuery { after, limit: Some(2), owner: None };
            let page = licenses::list(&world.portal, &ada, &query).unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items.iter().map(|license| license.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, sold.iter().rev().copied().collect::<Vec<_>>());
        for limit in [0, 201] {
            let query = OwnedQuery { limit: Some(limit), ..all() };
            assert_eq!(code(licenses::list(&world.portal, &ada, &query)), "BAD_FIELD");
        }
        let log = audit::list(&world.portal, &world.operator, &PageQuery { limit: Some(200), after: None }).unwrap();
        let newest = &log.items[0];
        assert_eq!((newest.action.as_str(), newest.subject.as_str()), ("license.create", sold[4].to_string().as_str()));
        assert_eq!(newest.actor.as_ref().unwrap().name, "Olga");
        assert_eq!(newest.address, "192.0.2.7");
        assert_eq!(code(audit::list(&world.portal, &ada, &PageQuery::default())), "FORBIDDEN");
    });
}
