//! Some seats of a server that has them by file are given back: by the API, with the receipt that the portal takes.

use crate::support::{Call, Reply, Running, Site};
use leasehold_core::grant::Grant;
use leasehold_core::time::{Clock, DAY_MS};
use leasehold_server::local;
use leasehold_trust::receipt::{ReceiptFacts, read_receipt};
use leasehold_trust::request::read_request;
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::{FileProblem, PublicKey, SigningKey};
use leasehold_wire::server::GiveBackRequest;
use serde_json::json;

const RECEIPT: &str = "/v1/activation/give-back/receipt";

fn keep(server: &Running, grant: &Grant, seats: u32) -> Reply {
    let token = server.admin_token();
    let json = json!({"keep": {grant.lines[0].license.to_string(): seats}});
    let path = "/v1/activation/give-back";
    server.call(Call { method: "POST", path, bearer: Some(&token), json: Some(json), ..Call::default() })
}

fn key_of(site: &Site, request: &str) -> PublicKey {
    read_request(request.as_bytes(), site.clock.wall()).unwrap().public_key
}

fn receipt(server: &Running, key: &PublicKey) -> (String, ReceiptFacts) {
    let file = server.admin("GET", RECEIPT, None);
    assert_eq!(file.status, 200, "{file:?}");
    let facts = read_receipt(file.text.as_bytes()).unwrap().verify(key).unwrap();
    (file.text, facts)
}

#[test]
fn unused_seats_go_back_by_a_receipt_that_says_what_is_kept_and_how_it_was_used() {
    let site = Site::new();
    let grant = site.portal.ten_seats(1);
    let server = site.start();
    let request = server.request_file();
    let (key, crt) = (key_of(&site, &request), site.portal.crt(&request, &grant));
    assert_eq!(server.admin("GET", "/v1/activation/give-back", None).code(), "NOT_GIVEN_BACK");
    assert_eq!(server.admin("POST", "/v1/activation", Some(&crt)).status, 200);
    let leases = [server.checkout("a"), server.checkout("b")];

    let may = server.admin("GET", "/v1/activation/give-back", None);
    let license = &may.json["licenses"][0];
    assert_eq!((&license["seats"], &license["in_use"], &license["may_give_back"]), (&10.into(), &2.into(), &8.into()));
    assert_eq!((&license["applications"], &license["passes"]), (&2.into(), &0.into()));
    assert!(license["applications_until"].is_string());
    assert_eq!(server.admin("GET", RECEIPT, None).code(), "NO_RECEIPT");
    for (seats, says) in [(1, "2 seats of Studio are in use"), (11, "has 10 seats"), (10, "just that")] {
        let refused = keep(&server, &grant, seats);
        assert_eq!((refused.status, refused.code()), (409, "NOT_GIVEN_BACK"));
        assert!(refused.str("title").contains(says), "{refused:?}");
    }

    let given = keep(&server, &grant, 2);
    assert_eq!((given.status, &given.json["number"], &given.json["seats_kept"]), (200, &1.into(), &2.into()));
    assert_eq!(keep(&server, &grant, 2).json["number"], 1, "sent again, it changes nothing");
    let (file, facts) = receipt(&server, &key);
    let kept = facts.kept.clone().unwrap();
    assert_eq!((kept.number, kept.seats[&grant.lines[0].license], facts.rev_in_use), (1, 2, 1));
    let in_force = server.get("/v1/status").json["activation"]["grant_sha256"].clone();
    let signed = server.get(&format!("/v1/grants/{}", in_force.as_str().unwrap()));
    assert_eq!(kept.document, sha256_hex(signed.str("grant").as_bytes()), "it names the document by its hash");
    let usage = facts.usage.clone().unwrap();
    assert!(usage.since <= usage.until && usage.features.len() <= 1, "{usage:?}");
    assert_eq!(receipt(&server, &key).0, file, "it is the same whenever it is fetched");
    assert_eq!(server.checkout("c").code(), "NO_SEATS");
    assert_eq!(server.get("/v1/status").json["given_back"]["seats_kept"], 2);
    server.stop();

    let server = site.start();
    assert_eq!(server.checkout("c").code(), "NO_SEATS", "also after a restart");
    assert_eq!(receipt(&server, &key).0, file);
    assert_eq!(server.heartbeat(&leases[0], 1, "n-1").status, 200, "whoever has a seat keeps it");
    let older = site.portal.crt_for(&key, &site.portal.ten_seats(0));
    let refused = server.admin("POST", "/v1/activation", Some(&older));
    assert_eq!((refused.status, refused.code()), (409, "FILE_GIVEN_BACK"), "{refused:?}");
    assert_eq!(
        server.admin("POST", "/v1/activation", Some(&crt)).code(),
        "FILE_GIVEN_BACK",
        "its seats are not all here"
    );

    let mut lower = site.portal.ten_seats(2);
    lower.lines[0].seats = 3;
    let renewed = site.portal.crt(&server.request_file(), &lower);
    assert_eq!(server.admin("POST", "/v1/activation", Some(&renewed)).status, 200);
    assert_eq!(server.checkout("d").status, 201);
    assert_eq!(server.admin("GET", RECEIPT, None).code(), "NO_RECEIPT", "it was about the document before");

    for lease in &leases {
        assert_eq!(server.checkin(lease).status, 204);
    }
    server.admin("POST", "/v1/activation/disable", None);
    site.clock.advance(DAY_MS);
    crate::support::eventually("the last receipt", || {
        server.admin("GET", "/v1/activation/receipt", None).status == 200
    });
    let last = server.admin("GET", "/v1/activation/receipt", None).text;
    let last = read_receipt(last.as_bytes()).unwrap().verify(&key).unwrap();
    assert_eq!((last.kept, last.usage.is_some()), (None, true), "the last one tells usage as well");
}

#[test]
fn a_receipt_cannot_be_forged_or_altered() {
    let site = Site::new();
    let grant = site.portal.ten_seats(1);
    let server = site.activated(&grant);
    let key = key_of(&site, &server.request_file());
    keep(&server, &grant, 4);
    let (file, facts) = receipt(&server, &key);
    let stranger = SigningKey::generate().public();
    let other = read_receipt(file.as_bytes()).unwrap().verify(&stranger);
    assert!(matches!(other, Err(FileProblem::BadSignature { .. })));
    assert!(read_receipt(&file.as_bytes()[..file.len() / 2]).is_err(), "cut");
    for at in (30..file.len() - 30).step_by(7) {
        let mut altered = file.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let read = read_receipt(&altered).and_then(|read| read.verify(&key));
        assert!(read.as_ref().map_or(true, |read| *read == facts), "byte {at}: {read:?}");
    }
}

#[test]
fn seats_are_given_back_on_the_command_line_with_and_without_a_running_server() {
    let site = Site::new();
    let grant = site.portal.ten_seats(1);
    let server = site.activated(&grant);
    let wish = |seats| GiveBackRequest { keep: [(grant.lines[0].license, seats)].into() };
    assert_eq!(local::give_back(site.local(), &wish(7)).unwrap().seats_kept, 7);
    assert_eq!(local::may_give_back(site.local()).unwrap().licenses[0].seats, 7);
    server.stop();
    assert_eq!(local::give_back(site.local(), &wish(5)).unwrap().number, 2);
    assert!(local::give_back_receipt(site.local()).unwrap().contains("LEASEHOLD RECEIPT"));
    assert!(local::give_back(site.local(), &wish(6)).unwrap_err().to_string().contains("has 5 seats"));
}

#[test]
fn a_database_that_is_put_back_alone_does_not_give_again_what_was_given_back() {
    let site = Site::new();
    let grant = site.portal.ten_seats(1);
    site.activated(&grant).stop();
    let database = std::fs::read(site.path().join("server.db")).unwrap();
    let server = site.start();
    let key = key_of(&site, &server.request_file());
    keep(&server, &grant, 1);
    let (file, _) = receipt(&server, &key);
    server.stop();
    for name in ["server.db", "server.db-wal", "server.db-shm"] {
        let _ = std::fs::remove_file(site.path().join(name));
    }
    std::fs::write(site.path().join("server.db"), database).unwrap();
    let server = site.start();
    assert_eq!(server.get("/v1/status").json["given_back"]["seats_kept"], 1);
    assert_eq!(server.checkout("a").status, 201);
    assert_eq!(server.checkout("b").code(), "NO_SEATS");
    assert_eq!(receipt(&server, &key).0, file, "and the receipt is still there to be fetched");
    assert_eq!(keep(&server, &grant, 1).json["number"], 1);
}
