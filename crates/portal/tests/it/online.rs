//! License servers that sync: how they come to the portal over HTTP, and that nobody else can speak for them.

use crate::api::{Answer, Http};
use crate::world::{HOME, Server, World, id};
use axum::body::Body;
use axum::http::{Method, Request, header};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::license::{Kind, Scope};
use leasehold_core::sync::{Report, SYNC_VERSION, ServerFacts, SyncAnswer, SyncRequest, Verdict};
use leasehold_db::testing::fresh_in_line;
use leasehold_portal::Caller;
use leasehold_portal::service::{assignments, audit, enable, licenses, products, sync, workstations};
use leasehold_trust::activation_file::read_activation_file;
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::sync::{sign_request, verify_answer};
use leasehold_trust::{VerifiedGrant, verify_grant};
use leasehold_wire::portal::{ChangeProduct, Enable, NewLicense, PageQuery, SyncAnswered};

/// A license server that was enabled online.
pub(crate) struct Online {
    pub(crate) server: Server,
    pub(crate) workstation: WorkstationId,
    /// The newest document.
    pub(crate) grant: VerifiedGrant,
    seq: u64,
    prev: String,
}

/// A sync request on its way: the token that goes with it, and its body.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) token: String,
    pub(crate) body: Vec<u8>,
}

/// What a server says of one license.
pub(crate) fn report(keep: u32, used: u32, want: u32) -> Report {
    Report { keep, used, idle: keep - used, want, waiting: want, peak: used }
}

impl Online {
    pub(crate) fn enable(world: &World, caller: &Caller, scope: Scope) -> Online {
        let server = world.server();
        let wish = Enable { request: server.request(world), scope, name: None };
        let enabled = enable::enable(&world.portal, caller, None, &wish).unwrap();
        let (file, root) = (enabled.activation_file.as_bytes(), world.portal.root());
        let grant = read_activation_file(file, Some(root), &server.key.public(), None, world.now()).unwrap().grant;
        Online { server, workstation: enabled.workstation.id, grant, seq: 0, prev: String::new() }
    }

    pub(crate) fn request(&self, world: &World, licenses: &[(LicenseId, Report)]) -> SyncRequest {
        SyncRequest {
            v: SYNC_VERSION,
            workstation: self.workstation,
            seq: self.seq + 1,
            prev: self.prev.clone(),
            rev: self.grant.grant.rev,
            document: self.grant.token.clone(),
            now: world.now(),
            draining: false,
            server: ServerFacts {
                version: "0.1.0".into(),
                host: self.server.host.clone(),
                machine: "f".repeat(32),
                ..ServerFacts::default()
            },
            licenses: licenses.iter().copied().collect(),
            running_out: None,
        }
    }

    pub(crate) fn sent(&self, world: &World, request: &SyncRequest) -> Sent {
        let body = serde_json::to_vec(request).unwrap();
        let token = sign_request(&self.server.key, self.workstation, request.seq, &body, world.now());
        Sent { token, body }
    }

    /// Takes the answer in, as a server does.
    pub(crate) fn take(&mut self, world: &World, sent: &Sent, answer: &str) -> SyncAnswer {
        let root = world.portal.root();
        let said = verify_answer(answer, root, self.workstation, &sha256_hex(&sent.body)).unwrap();
        if matches!(said.verdict, Verdict::Ok | Verdict::Ended | Verdict::Lost) {
            self.seq += 1;
            self.prev = sha256_hex(answer.as_bytes());
            if let Some(token) = &said.grant {
                self.grant = verify_grant(token, root, world.now()).unwrap();
            }
        }
        said
    }

    /// One sync, with what the server says of its licenses.
    pub(crate) fn sync(&mut self, world: &World, licenses: &[(LicenseId, Report)]) -> SyncAnswer {
        let sent = self.sent(world, &self.request(world, licenses));
        let answer = sync::sync(&world.portal, HOME, &sent.token, &sent.body).unwrap();
        self.take(world, &sent, &answer)
    }

    /// Seats of a license in the newest document.
    pub(crate) fn holds(&self, license: LicenseId) -> u32 {
        self.grant.grant.lines.iter().filter(|line| line.license == license).map(|line| line.seats).sum()
    }
}

fn post(http: &Http, sent: &Sent) -> Answer {
    let request = Request::post("/api/v1/sync").header(header::AUTHORIZATION, format!("Bearer {}", sent.token));
    http.send(request.body(Body::from(sent.body.clone())).unwrap())
}

fn wait(http: &Http, token: &str) -> Answer {
    http.call(Method::GET, "/api/v1/sync/wait?since=0", Some(token), None)
}

/// An account that administers an organization with so many seats of a product.
fn studio(db: &leasehold_db::Db, seats: u32) -> (Http, Caller, LicenseId) {
    let http = Http::new(db);
    let ada = http.world.customer("ada");
    let license = http.world.license(&ada, http.world.product("studio"), seats);
    (http, ada, license)
}

struct Fixture {
    http: Http,
    license: LicenseId,
    first: Online,
    second: Online,
}

/// Two servers of one organization.
fn fixture(db: &leasehold_db::Db) -> Fixture {
    let (http, ada, license) = studio(db, 10);
    let first = Online::enable(&http.world, &ada, Scope::Organization);
    let second = Online::enable(&http.world, &ada, Scope::Organization);
    Fixture { http, license, first, second }
}

#[test]
fn only_the_workstations_own_key_syncs_and_waits() {
    let db = fresh_in_line();
    let Fixture { http, license, first, second } = fixture(&db);
    let world = &http.world;
    let request = first.request(world, &[(license, report(0, 0, 3))]);
    let own = first.sent(world, &request);
    // Another workstation's key, for the first one and in the first one's name.
    let foreign = Sent {
        token: sign_request(&second.server.key, first.workstation, request.seq, &own.body, world.now()),
        body: own.body.clone(),
    };
    // A key that was never activated here.
    let stranger = Sent {
        token: sign_request(&world.server().key, first.workstation, request.seq, &own.body, world.now()),
        body: own.body.clone(),
    };
    let session = Sent { token: http.token("ada@studio.example"), body: own.body.clone() };
    let start = db.snapshot().unwrap();
    for (who, sent, status) in [
        ("workstation key", &own, 200),
        ("other workstation's key", &foreign, 401),
        ("unknown key", &stranger, 401),
        ("administrator's session", &session, 401),
    ] {
        db.restore(&start).unwrap();
        let before = db.snapshot().unwrap();
        let answer = post(&http, sent);
        assert_eq!(answer.status.as_u16(), status, "{who}: {}", answer.text());
        if status == 401 {
            assert_eq!(answer.code(), "WRONG_KEY", "{who}");
            assert!(db.snapshot().unwrap() == before, "{who} changed something");
        }
    }
    for (who, key, speaks_for, status) in [
        ("workstation key", &first.server.key, first.workstation, 200),
        ("other workstation's key", &second.server.key, first.workstation, 401),
    ] {
        let token = sign_request(key, speaks_for, 0, b"", world.now());
        assert_eq!(wait(&http, &token).status.as_u16(), status, "waiting with the {who}");
    }
    let nobody = Request::post("/api/v1/sync").body(Body::from(own.body)).unwrap();
    assert_eq!(http.send(nobody).code(), "SIGN_IN");
}

#[test]
fn a_stolen_request_is_worth_nothing() {
    let db = fresh_in_line();
    let Fixture { http, license, mut first, second } = fixture(&db);
    let world = &http.world;
    let stolen = first.sent(world, &first.request(world, &[(license, report(0, 0, 4))]));
    let answer: SyncAnswered = post(&http, &stolen).json();
    first.take(world, &stolen, &answer.answer);
    let held = first.holds(license);
    assert!(held > 0);

    // As it was: the stored answer, which only says what the server has already.
    // (Its bytes change: taking a lock is a write.)
    let known = |world: &World| {
        let (portal, operator) = (&world.portal, &world.operator);
        let documents = workstations::documents(portal, operator, first.workstation, &PageQuery::default()).unwrap();
        let log = audit::list(portal, operator, &PageQuery::default()).unwrap();
        let license = world.look(license);
        (workstations::get(portal, operator, first.workstation).unwrap(), documents, license, log)
    };
    let before = known(world);
    assert_eq!(post(&http, &stolen).json::<SyncAnswered>(), answer);
    assert_eq!(known(world), before, "a repeated request changed something");
    let before = db.snapshot().unwrap();

    // With another body, or under another token: refused, and nothing changes.
    let mut greedy = first.request(world, &[(license, report(held, 0, 6))]);
    let altered = serde_json::to_vec(&greedy).unwrap();
    greedy.licenses.clear();
    let genuine = first.sent(world, &greedy);
    let by_second = second.sent(world, &second.request(world, &[]));
    for (what, forged) in [
        ("an altered body", Sent { body: altered, ..genuine.clone() }),
        ("an old token", Sent { token: stolen.token.clone(), ..genuine.clone() }),
        ("another workstation's token", Sent { token: by_second.token, ..genuine.clone() }),
        ("a body of another workstation", Sent { body: by_second.body, ..genuine }),
    ] {
        let answer = post(&http, &forged);
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "WRONG_KEY"), "{what}: {}", answer.text());
        assert!(db.snapshot().unwrap() == before, "{what} changed something");
    }

    // Later, when the server has gone on: no seat moves, the server notices nothing, and somebody is told.
    first.sync(world, &[(license, report(held, 2, 0))]);
    let seen = |world: &World| workstations::get(&world.portal, &world.operator, first.workstation).unwrap();
    let before = seen(world);
    let late: SyncAnswered = post(&http, &stolen).json();
    let said = verify_answer(&late.answer, world.portal.root(), first.workstation, &sha256_hex(&stolen.body)).unwrap();
    assert_eq!((said.verdict, said.grant, said.pools.len()), (Verdict::Forked, None, 0));
    let after = seen(world);
    assert_eq!((before.seats_out, &before.lines, before.synced_at), (after.seats_out, &after.lines, after.synced_at));
    assert!(before.copy_at.is_none() && after.copy_at.is_some());
    assert_eq!(first.sync(world, &[(license, report(held, 2, 0))]).verdict, Verdict::Ok, "the server itself goes on");
}

#[test]
fn a_file_is_not_issued_to_an_online_server_that_did_not_ask() {
    let db = fresh_in_line();
    let Fixture { http, license, mut first, .. } = fixture(&db);
    let world = &http.world;
    first.sync(world, &[(license, report(0, 0, 4))]);
    let token = http.token("ada@studio.example");
    let renew = format!("/api/v1/workstations/{}/renew", first.workstation);
    let before = db.snapshot().unwrap();
    let answer = http.call(Method::POST, &renew, Some(&token), Some(serde_json::json!({})));
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "ONLINE"));
    assert!(db.snapshot().unwrap() == before, "refused, and changed something");
    assert_eq!(first.sync(world, &[(license, report(4, 0, 0))]).verdict, Verdict::Ok);
    // With its request file it is what its administrator wants.
    let ada = crate::world::sign_in(&world.portal, "ada@studio.example");
    world.clock.advance(1_000);
    world.activate(&ada, &first.server, Some(vec![world.line(license, 2, 30)])).unwrap();
    assert_eq!(first.sync(world, &[(license, report(4, 0, 0))]).verdict, Verdict::ByFile);
}

#[test]
fn a_recall_is_done_when_the_seats_are_back_and_is_not_repeated() {
    let db = fresh_in_line();
    let (http, ada, license) = studio(&db, 3);
    let world = &http.world;
    let mut server = Online::enable(world, &ada, Scope::Organization);
    // It gives all back and gets all again, so that it said last that it has none.
    server.sync(world, &[(license, report(0, 0, 0))]);
    assert_eq!(server.holds(license), 3);
    let mut other = Online::enable(world, &ada, Scope::Organization);
    sync::recall(&world.portal, &ada, server.workstation, license, 2).unwrap();
    server.sync(world, &[(license, report(1, 0, 0))]);
    assert_eq!(server.holds(license), 1);
    other.sync(world, &[(license, report(0, 0, 0))]);
    assert_eq!(other.holds(license), 0, "nobody takes them only because they are there");
    let next = server.sync(world, &[(license, report(1, 0, 0))]);
    assert_eq!((next.pools[0].recall, server.holds(license)), (0, 1), "they do not come back by themselves");
    let next = server.sync(world, &[(license, report(1, 1, 1))]);
    assert_eq!((next.pools[0].recall, server.holds(license)), (0, 2), "but for somebody who waits");
}

#[test]
fn what_an_organization_gave_is_told_to_whom_it_was_given() {
    let db = fresh_in_line();
    let Fixture { http, license, .. } = fixture(&db);
    let world = &http.world;
    let mia = world.customer("mia");
    let (ada, email) = (http.token("ada@studio.example"), "mia@studio.example");
    let organizations: serde_json::Value = http.call(Method::GET, "/api/v1/organizations", Some(&ada), None).json();
    let organization = organizations["items"][0]["id"].as_str().unwrap().to_owned();
    let members = format!("/api/v1/organizations/{organization}/members");
    let added = http.call(Method::POST, &members, Some(&ada), Some(serde_json::json!({ "email": email })));
    assert_eq!(added.status.as_u16(), 201, "{}", added.text());
    let join = format!("/api/v1/me/organizations/{organization}");
    assert_eq!(http.call(Method::PUT, &join, Some(&http.token(email)), None).status.as_u16(), 204);
    let given = format!("/api/v1/licenses/{license}/assignments/{}", id(&mia));
    http.call(Method::PUT, &given, Some(&ada), Some(serde_json::json!({ "seats": 3 })));
    let own = http.call(Method::GET, "/api/v1/me/assignments", Some(&http.token(email)), None);
    let own: leasehold_wire::portal::AssignedSeats = own.json();
    // The organization's servers have them still.
    assert_eq!((own.items.len(), own.items[0].seats, own.items[0].active), (1, 3, 0));
    assert_eq!((own.items[0].organization.to_string(), &*own.items[0].organization_name), (organization, "ada"));
    let members: leasehold_wire::portal::Members = http.call(Method::GET, &members, Some(&ada), None).json();
    assert_eq!(members.items[0].assigned, own.items);
    let none: leasehold_wire::portal::AssignedSeats =
        http.call(Method::GET, "/api/v1/me/assignments", Some(&ada), None).json();
    assert!(none.items.is_empty());
}

#[test]
fn what_nobody_was_given_is_its_owners_on_their_own_machine_as_well() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let ada = world.customer("ada");
    let license = world.license(&ada, world.product("studio"), 10);
    let own = NewLicense { kind: Kind::Named, ..world.wish(&ada, world.product("board"), 2) };
    let own = world.sell(&own).id;
    // Alone, and an organization only because she bought for work.
    let mut mine = Online::enable(world, &ada, Scope::Person);
    assert_eq!((mine.holds(license), mine.holds(own)), (10, 2));
    mine.sync(world, &[(license, report(6, 6, 0)), (own, report(1, 1, 0))]);
    assert_eq!(world.look(license).holders[0].person.as_ref().map(|person| person.id), Some(id(&ada)));
    // A studio by now: its server shares what floats with hers, and has nothing of what is for people.
    let mut floor = Online::enable(world, &ada, Scope::Organization);
    let answer = floor.sync(world, &[(license, report(floor.holds(license), 0, 10))]);
    let elsewhere = answer.pools.iter().find(|pool| pool.license == license).unwrap().elsewhere;
    assert!(floor.holds(license) + elsewhere <= 10, "{} and {elsewhere}", floor.holds(license));
    assert_eq!(floor.holds(own), 0);
    mine.sync(world, &[(license, report(6, 6, 0)), (own, report(1, 1, 0))]);
    floor.sync(world, &[(license, report(floor.holds(license), 0, 10))]);
    assert_eq!((mine.holds(license), floor.holds(license)), (6, 4));
    // What is assigned to her is what she has from then on; the rest is everybody's.
    assignments::assign(&world.portal, &ada, license, id(&ada), 2).unwrap();
    mine.sync(world, &[(license, report(6, 6, 0)), (own, report(1, 1, 0))]);
    assert_eq!(mine.holds(license), 2);
    let counted = |license| {
        let found = world.look(license);
        (found.seats_out, found.seats_free, found.over_by)
    };
    assert_eq!(counted(license), (10, 0, 0), "six are hers until her server has said that it keeps two");
    mine.sync(world, &[(license, report(2, 2, 0)), (own, report(1, 1, 0))]);
    for _ in 0..2 {
        floor.sync(world, &[(license, report(floor.holds(license), floor.holds(license), 10))]);
    }
    assert_eq!((mine.holds(license), floor.holds(license)), (2, 8));
    // Its refusals can say where the other two are.
    let answer = floor.sync(world, &[(license, report(8, 8, 10))]);
    let share = answer.pools.iter().find(|pool| pool.license == license).unwrap();
    assert_eq!((share.seats, share.for_people), (8, 2));
    // And the other way round.
    assignments::revoke(&world.portal, &ada, license, id(&ada)).unwrap();
    mine.sync(world, &[(license, report(2, 2, 0)), (own, report(1, 1, 0))]);
    assert_eq!((mine.holds(license), counted(license)), (2, (10, 0, 0)), "it may keep what it uses");
}

#[test]
fn a_server_changes_for_whom_it_works_and_nothing_in_use_is_lost() {
    let db = fresh_in_line();
    let (http, ada, license) = studio(&db, 3);
    let world = &http.world;
    let mut server = Online::enable(world, &ada, Scope::Organization);
    for scope in [Scope::Person, Scope::Organization] {
        server.sync(world, &[(license, report(3, 3, 0))]);
        world.clock.advance(1_000);
        let wish = Enable { request: server.server.request(world), scope, name: None };
        let enabled = enable::enable(&world.portal, &ada, None, &wish).unwrap();
        assert_eq!((enabled.workstation.id, enabled.workstation.scope), (server.workstation, scope));
        let file = enabled.activation_file.as_bytes();
        let (root, key) = (world.portal.root(), server.server.key.public());
        server.grant = read_activation_file(file, Some(root), &key, None, world.now()).unwrap().grant;
        assert_eq!(server.holds(license), 3, "{scope:?}");
    }
}

#[test]
fn a_server_that_says_the_same_again_still_hears_of_everything() {
    let db = fresh_in_line();
    let (http, ada, license) = studio(&db, 4);
    let world = &http.world;
    let product = world.look(license).product.id;
    let mut floor = Online::enable(world, &ada, Scope::Organization);
    let idle = |floor: &mut Online| {
        world.clock.advance(60_000);
        let held = floor.holds(license);
        floor.sync(world, &[(license, report(held, 0, 0))])
    };
    idle(&mut floor);
    let (before, again) = (idle(&mut floor), idle(&mut floor));
    assert_eq!((&before.pools, before.bell, &again.grant), (&again.pools, again.bell, &None));
    assert!(again.at > before.at, "the portal's time is of now");
    let shown = |floor: &Online| workstations::get(&world.portal, &ada, floor.workstation).unwrap();
    assert_eq!(shown(&floor).synced_at.map(|at| at.0), Some(world.now()), "it was heard of");

    // More is sold, and taken away.
    let seats = |seats| licenses::change_seats(&world.portal, &world.operator, license, seats).unwrap();
    for wanted in [6, 3] {
        seats(wanted);
        idle(&mut floor);
        assert_eq!(floor.holds(license), wanted);
        idle(&mut floor);
        idle(&mut floor);
    }
    // The vendor calls the product otherwise.
    let renamed = ChangeProduct { name: Some("Studio Two".into()), ..ChangeProduct::default() };
    products::change(&world.portal, &world.operator, product, &renamed).unwrap();
    assert_eq!(idle(&mut floor).pools[0].product_name, "Studio Two");
    assert_eq!(floor.grant.grant.lines[0].product_name, "Studio Two");
    idle(&mut floor);
    // A license begins by itself: no bell rings for that.
    let begins = world.now().plus(2 * leasehold_core::time::DAY_MS).utc_date();
    let later = NewLicense { starts_on: Some(begins), ..world.wish(&ada, product, 2) };
    let later = world.sell(&later).id;
    idle(&mut floor);
    idle(&mut floor);
    assert_eq!(floor.holds(later), 0);
    let begins_at = world.look(later).starts_at.0;
    while world.now() < begins_at {
        world.clock.advance(60_000);
        let held = [license, later].map(|license| (license, report(floor.holds(license), 0, 0)));
        floor.sync(world, &held[..1]);
    }
    idle(&mut floor);
    assert_eq!(floor.holds(later), 2, "with the first sync after it has begun");
    // Somebody was denied elsewhere, right after this one has synced: it is not rung, and told the next time.
    let mut other = Online::enable(world, &ada, Scope::Organization);
    let all = |floor: &Online| [license, later].map(|license| (license, report(floor.holds(license), 0, 0)));
    for _ in 0..3 {
        world.clock.advance(60_000);
        let held = all(&floor);
        floor.sync(world, &held);
    }
    let denied = Report { want: 1, ..Report::default() };
    let bell = floor.sync(world, &all(&floor)).bell;
    other.sync(world, &[(license, denied)]);
    let told = floor.sync(world, &all(&floor));
    assert_eq!(told.bell, bell, "it was not rung");
    let pool = told.pools.iter().find(|pool| pool.license == license).unwrap();
    assert_eq!(pool.recall, 1);
}

#[test]
fn a_sync_looks_at_what_changed_and_leaves_the_rest_as_it_is() {
    let db = fresh_in_line();
    let (http, ada, license) = studio(&db, 10);
    let world = &http.world;
    let board = world.license(&ada, world.product("board"), 4);
    let mut floor = Online::enable(world, &ada, Scope::Organization);
    let mut other = Online::enable(world, &ada, Scope::Organization);
    let sync = |floor: &mut Online, owed: u32| {
        let said = [license, board].map(|license| (license, floor.holds(license)));
        let said = said.map(|(of, held)| (of, report(held - if of == license { owed } else { 0 }, 0, 0)));
        floor.sync(world, &said)
    };
    sync(&mut floor, 0);
    sync(&mut other, 0);
    world.clock.advance(60_000);
    sync(&mut floor, 0);
    // Seats of one license go to the other server.
    other.sync(world, &[(license, report(0, 0, 2)), (board, report(0, 0, 0))]);
    assert_eq!(sync(&mut floor, 0).pools.iter().find(|pool| pool.license == license).unwrap().recall, 2);
    sync(&mut floor, 2);
    assert_eq!((floor.holds(license), floor.holds(board)), (8, 4));
    let until = |of: LicenseId| floor.grant.grant.lines.iter().find(|line| line.license == of).unwrap().until;
    assert!(until(board) < until(license), "nobody looked at the other license: its line is the one it was");
    // What the vendor does to that one is heard, and the first stays as it is.
    licenses::change_seats(&world.portal, &world.operator, board, 1).unwrap();
    let told = sync(&mut floor, 0);
    assert_eq!((floor.holds(license), floor.holds(board)), (8, 1));
    assert_eq!(told.pools.len(), 2, "both are still known");
}

#[test]
fn of_what_was_taken_back_only_what_is_in_use_is_waited_for() {
    let db = fresh_in_line();
    let (http, ada, license) = studio(&db, 60);
    let world = &http.world;
    let unused = world.license(&ada, world.product("board"), 7);
    let mut server = Online::enable(world, &ada, Scope::Organization);
    let mut other = Online::enable(world, &ada, Scope::Organization);
    let all = [(license, report(60, 5, 0)), (unused, report(7, 0, 0))];
    server.sync(world, &all);
    let before = server.grant.grant.rev;
    workstations::revoke(&world.portal, &ada, server.workstation).unwrap();
    server.sync(world, &all);
    assert_eq!((server.holds(license), world.look(license).seats_out), (0, 60), "it has not said yet what it does");
    // Five applications run on what the document before held; the other license it does not name any more.
    let request = server.request(world, &[(license, report(5, 5, 0))]);
    let sent = server.sent(world, &SyncRequest { rev: before, ..request });
    let answer = sync::sync(&world.portal, HOME, &sent.token, &sent.body).unwrap();
    server.take(world, &sent, &answer);
    assert_eq!((world.look(license).seats_out, world.look(unused).seats_out), (5, 0));
    let shown = workstations::get(&world.portal, &ada, server.workstation).unwrap();
    assert_eq!(shown.seats_out, 5, "the workstation's page says the same");
    other.sync(world, &[(license, report(0, 0, 55)), (unused, report(0, 0, 7))]);
    assert_eq!((other.holds(license), other.holds(unused)), (55, 7));
    // When the last of them has ended the rest is free.
    server.sync(world, &[]);
    assert_eq!(world.look(license).seats_out, 55);
}
