//! The store alone, on both databases: what the services rely on.

use crate::online::Online;
use crate::world::World;
use leasehold_core::ids::{AuditId, GrantId, LicenseId, ReceiptId, RequestId};
use leasehold_core::license::Scope;
use leasehold_core::random::Seeded;
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_db::DbError;
use leasehold_db::testing::on_both;
use leasehold_portal::store::receipts::NewReceipt;
use leasehold_portal::store::{Keyset, audit, documents, idempotency, licenses, overview, receipts, workstations};
use serde_json::json;

#[test]
fn keys_requests_and_receipts_are_taken_once() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        world.license(&ada, world.product("studio"), 1);
        let workstation = world.activate(&ada, &world.server(), None).unwrap().workstation.id;
        let mut random = Seeded::new(5);
        let (request, receipt) = (RequestId::draw(Ms(1), &mut random), ReceiptId::draw(Ms(1), &mut random));
        let account = crate::world::id(&ada);
        let taken_at = move |taken_at| NewReceipt {
            receipt,
            workstation,
            taken_at,
            rev: 1,
            number: 0,
            seats_kept: 0,
            usage: None,
        };
        let taken = db.write(move |tx| {
            Ok::<_, DbError>([
                workstations::use_request(tx, request, workstation, Ms(7))?,
                workstations::use_request(tx, request, workstation, Ms(8))?,
                receipts::insert(tx, &taken_at(Ms(7)))?,
                receipts::insert(tx, &taken_at(Ms(8)))?,
                idempotency::take(tx, account, "k", "hash", Ms(7))?,
                idempotency::take(tx, account, "k", "other", Ms(8))?,
            ])
        });
        assert_eq!(taken.unwrap(), [true, false, true, false, true, false]);
        let found = db.read(move |tx| {
            Ok::<_, DbError>((
                workstations::request_used(tx, request)?,
                receipts::taken(tx, receipt)?,
                idempotency::find(tx, account, "k")?.map(|found| found.request_sha256),
            ))
        });
        assert_eq!(found.unwrap(), (Some((workstation, Ms(7))), Some(Ms(7)), Some("hash".to_owned())));
        let swept = db.write(|tx| idempotency::sweep(tx, Ms(8)));
        assert_eq!(swept, Ok(1));
    });
}

#[test]
fn a_document_is_stored_with_its_rows_and_its_number_is_unique() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 9);
        let workstation = world.activate(&ada, &world.server(), None).unwrap().workstation.id;
        let now = world.now();
        let stored = db.read(move |tx| documents::newest(tx, workstation)).unwrap().unwrap();
        assert_eq!((stored.rev, stored.lines[0].line.seats, stored.lines[0].line.license), (1, 9, license));
        let mut again = stored.clone();
        again.id = GrantId::draw(Ms(9), &mut Seeded::new(6));
        let (twice, later) = db
            .write(move |tx| {
                let twice = documents::insert(tx, &again, false)?;
                let mut later = again.clone();
                later.rev = 2;
                Ok::<_, DbError>((twice, documents::insert(tx, &later, false)?))
            })
            .unwrap();
        assert_eq!((twice, later), (false, true));
        let claims = db.read(move |tx| documents::claims(tx, license, now)).unwrap();
        assert_eq!((claims.len(), claims[0].documents.len()), (1, 2), "both may be obeyed");
        let alive = |at: Ms| db.read(move |tx| documents::alive_from(tx, workstation, 2, at)).unwrap().len();
        assert_eq!((alive(now), alive(now.plus(92 * DAY_MS))), (1, 0));
        let unknown = LicenseId::draw(Ms(1), &mut Seeded::new(7));
        assert!(db.read(move |tx| documents::claims(tx, unknown, now)).unwrap().is_empty());
    });
}

#[test]
fn the_log_keeps_hostile_text_as_it_came_and_pages_through_equal_times() {
    on_both(|db| {
        World::new(db);
        let mut random = Seeded::new(8);
        let hostile = "'; DROP TABLE audit; -- \u{202e} <b> \" \\ 🎬";
        for _ in 0..7 {
            let stamp = audit::Stamp {
                id: AuditId::draw(Ms(5), &mut random),
                now: Ms(5),
                actor: None,
                address: hostile.into(),
            };
            db.write(move |tx| audit::insert(tx, &stamp, "test", hostile, &json!({ "text": hostile }))).unwrap();
        }
        let (mut seen, mut before) = (0, None);
        loop {
            let keyset = Keyset { before: before.clone(), limit: 3 };
            let rows = db.read(move |tx| audit::list(tx, &keyset)).unwrap();
            let Some(last) = rows.last() else { break };
            before = Some(last.id.to_string());
            let ours: Vec<_> = rows.iter().filter(|row| row.action == "test").collect();
            assert!(
                ours.iter()
                    .all(|row| row.subject == hostile && row.detail["text"] == hostile && row.address == hostile)
            );
            seen += ours.len();
        }
        assert_eq!(seen, 7);
    });
}

#[test]
fn a_lock_on_a_license_that_is_not_there_says_so() {
    on_both(|db| {
        World::new(db);
        let unknown = LicenseId::draw(Ms(1), &mut Seeded::new(7));
        assert_eq!(db.write(move |tx| licenses::lock(tx, unknown)), Ok(false));
    });
}

#[test]
fn an_open_page_learns_cheaply_that_something_was_done() {
    on_both(|db| {
        let world = World::new(db);
        let pulse = || db.read(overview::pulse).unwrap();
        let still = pulse();
        assert_eq!(pulse(), still);
        // Deeds of one millisecond have no order; a page is drawn anew after some looks whatever this says.
        world.clock.advance(1);
        let ada = world.customer("ada");
        world.license(&ada, world.product("studio"), 10);
        let sold = pulse();
        assert_ne!(sold, still);
        world.clock.advance(1);
        let mut server = Online::enable(&world, &ada, Scope::Organization);
        let enabled = pulse();
        assert_ne!(enabled, sold);
        server.sync(&world, &[]);
        assert_ne!(pulse(), enabled);
    });
}
