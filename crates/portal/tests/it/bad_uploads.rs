//! Every bad file has its own code and sentences, and changes nothing, on both databases.

use crate::world::{Server, World, dump};
use leasehold_core::ids::WorkstationId;
use leasehold_core::time::{DAY_MS, HOUR_MS};
use leasehold_db::Db;
use leasehold_db::testing::{fresh_in_line, fresh_postgres};
use leasehold_portal::service::activation::{self, Wish};
use leasehold_portal::service::{receipts, workstations};
use leasehold_portal::{Caller, Failure};
use leasehold_trust::request::{RequestFacts, build_request};
use leasehold_trust::{SigningKey, Vendor, VendorRoot};
use std::collections::BTreeMap;

/// A world in which a workstation is activated and another one released.
struct Scene {
    world: World,
    ada: Caller,
    bob: Caller,
    server: Server,
    workstation: WorkstationId,
    used: String,
    released: Server,
}

fn scene(db: &Db) -> Scene {
    let world = World::new(db);
    let (ada, bob) = (world.customer("ada"), world.customer("bob"));
    let product = world.product("studio");
    let license = world.license(&ada, product, 10);
    world.license(&bob, product, 10);
    let (server, released) = (world.server(), world.server());
    let used = server.request(&world);
    let wish = Wish { lines: Some(vec![world.line(license, 4, 60)]), ..Wish::default() };
    let workstation = activation::activate(&world.portal, &ada, None, used.as_bytes(), &wish).unwrap().workstation.id;
    let gone = world.activate(&ada, &released, Some(vec![world.line(license, 1, 60)])).unwrap().workstation.id;
    receipts::take_receipt(&world.portal, &ada, released.receipt(&world, gone).as_bytes()).unwrap();
    world.clock.advance(60_000);
    Scene { world, ada, bob, server, workstation, used, released }
}

fn changed(scene: &Scene, change: impl FnOnce(&mut RequestFacts)) -> Vec<u8> {
    let mut facts = scene.server.facts(&scene.world);
    change(&mut facts);
    build_request(&scene.server.key, &facts).into_bytes()
}

fn flip(text: &str, from_end: usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = bytes.len() - from_end;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    bytes
}

/// The token of one file under the CSR of another.
fn stitched(one: &str, other: &str) -> Vec<u8> {
    let cut = |text: &str| text.find("-----BEGIN LEASEHOLD").unwrap();
    [&one[..cut(one)], &other[cut(other)..]].concat().into_bytes()
}

fn both(case: impl Fn(&Scene, &Db)) {
    let in_line = fresh_in_line();
    case(&scene(&in_line), &in_line);
    let postgres = fresh_postgres();
    case(&scene(postgres.db()), postgres.db());
}

fn check(
    db: &Db,
    what: &str,
    expected: &str,
    run: impl FnOnce() -> Result<(), Failure>,
    sentences: &mut BTreeMap<String, String>,
) {
    let before = dump(db);
    let problem = run().expect_err(what).problem();
    assert_eq!(problem.code, expected, "{what}: {problem}");
    assert!((400..500).contains(&problem.status), "{what}: {}", problem.status);
    for part in [&problem.title, &problem.detail, &problem.what_to_do, &problem.who] {
        assert!(part.len() > 2, "{what} lacks a sentence: {problem:?}");
    }
    assert!(dump(db) == before, "{what} changed something");
    sentences.insert(what.to_owned(), problem.detail.into_owned());
}

#[test]
fn each_bad_request_file_has_its_own_sentence_and_changes_nothing() {
    both(|scene, db| {
        let Scene { world, ada, server, .. } = scene;
        let fine = server.request(world);
        let receipt = server.receipt(world, scene.workstation);
        let certificate = workstations::activation_file(&world.portal, ada, scene.workstation).unwrap().text;
        let counterfeit = Vendor::create("Acme Renders", world.now()).unwrap();
        let other_root = VendorRoot::from_pem(&counterfeit.root_certificate_pem).unwrap().thumbprint();
        let cases: Vec<(&str, &str, Vec<u8>)> = vec![
            ("empty", "FILE_EMPTY", Vec::new()),
            ("not ours", "FILE_NOT_OURS", b"hello".to_vec()),
            ("not text", "FILE_NOT_OURS", vec![0, 159, 146, 150]),
            ("truncated", "FILE_TRUNCATED", fine.as_bytes()[..fine.len() - 80].to_vec()),
            ("oversized", "FILE_OVERSIZED", [fine.as_bytes(), &vec![b'\n'; 300 * 1024]].concat()),
            ("altered", "FILE_BAD_SIGNATURE", flip(&fine, 120)),
            ("wrong key", "FILE_BAD_SIGNATURE", stitched(&fine, &world.server().request(world))),
            ("expired", "FILE_EXPIRED", changed(scene, |facts| facts.issued_at = facts.issued_at.plus(-31 * DAY_MS))),
            ("clock", "FILE_CLOCK_WRONG", changed(scene, |facts| facts.issued_at = facts.issued_at.plus(49 * HOUR_MS))),
            ("replayed", "FILE_REPLAYED", scene.used.clone().into_bytes()),
            ("swapped: receipt", "FILE_SWAPPED", receipt.into_bytes()),
            ("swapped: certificate", "FILE_SWAPPED", certificate.into_bytes()),
            ("swapped: key", "FILE_SWAPPED", SigningKey::generate().to_pkcs8_pem().into_bytes()),
            ("other vendor", "FILE_OTHER_VENDOR", changed(scene, |facts| facts.vendor = Some(other_root))),
            ("older", "FILE_OLDER", changed(scene, |facts| facts.issued_at = facts.issued_at.plus(-DAY_MS))),
            ("released", "KEY_ENDED", scene.released.request(world).into_bytes()),
        ];
        let mut sentences = BTreeMap::new();
        for (what, expected, file) in &cases {
            let activate = || activation::activate(&world.portal, ada, None, file, &Wish::default()).map(drop);
            check(db, what, expected, activate, &mut sentences);
            let inspect = || activation::inspect(&world.portal, ada, file, &Wish::default()).map(drop);
            check(db, what, expected, inspect, &mut sentences);
        }
        let target = Wish { workstation: Some(scene.workstation), ..Wish::default() };
        let other = world.server().request(world);
        let other_server = || activation::activate(&world.portal, ada, None, other.as_bytes(), &target).map(drop);
        check(db, "other server", "FILE_OTHER_SERVER", other_server, &mut sentences);
        let elsewhere =
            || activation::activate(&world.portal, &scene.bob, None, fine.as_bytes(), &Wish::default()).map(drop);
        check(db, "key elsewhere", "KEY_ELSEWHERE", elsewhere, &mut sentences);
        let mut distinct: Vec<&String> = sentences.values().collect();
        distinct.sort();
        distinct.dedup();
        // Altered and wrong key are one thing to whoever looks at the signature; text that is none and bytes that are none too.
        assert_eq!(distinct.len(), sentences.len() - 2, "{sentences:#?}");
        // And the file that all of this was made from is good, and changes what the dump sees.
        let before = dump(db);
        activation::activate(&world.portal, ada, None, fine.as_bytes(), &Wish::default()).unwrap();
        assert!(dump(db) != before);
    });
}

#[test]
fn each_bad_receipt_changes_nothing() {
    both(|scene, db| {
        let Scene { world, ada, server, workstation, .. } = scene;
        let fine = server.receipt(world, *workstation);
        let stranger = world.server();
        let forged = leasehold_trust::receipt::build_receipt(
            &server.key,
            &leasehold_trust::receipt::ReceiptFacts {
                receipt: world.draw(|now, random| leasehold_core::ids::ReceiptId::draw(now, random)),
                workstation: world.draw(|now, random| WorkstationId::draw(now, random)),
                rev_in_use: 1,
                given_up_at: world.now(),
                server_version: String::new(),
                kept: None,
                usage: None,
            },
        );
        let cases: Vec<(&str, &str, Vec<u8>)> = vec![
            ("empty", "FILE_EMPTY", Vec::new()),
            ("truncated", "FILE_TRUNCATED", fine.as_bytes()[..fine.len() - 60].to_vec()),
            ("oversized", "FILE_OVERSIZED", vec![b'A'; 300 * 1024]),
            ("altered", "FILE_BAD_SIGNATURE", flip(&fine, 60)),
            ("another workstation", "FILE_BAD_SIGNATURE", forged.into_bytes()),
            ("swapped", "FILE_SWAPPED", server.request(world).into_bytes()),
            ("unknown key", "FILE_OTHER_SERVER", stranger.receipt(world, *workstation).into_bytes()),
        ];
        let mut sentences = BTreeMap::new();
        for (what, expected, file) in cases {
            let take = || receipts::take_receipt(&world.portal, ada, &file).map(drop);
            check(db, what, expected, take, &mut sentences);
        }
        receipts::take_receipt(&world.portal, ada, fine.as_bytes()).unwrap();
    });
}
