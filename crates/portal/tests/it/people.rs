//! The pages of organizations and online licensing: what a form does, what somebody reads, and that names are only text.

use crate::api::{Http, Stream};
use crate::browser::{Browser, location};
use crate::online::{Online, report};
use crate::world::{HOME, World, id, sign_in};
use leasehold_core::ids::{LicenseId, OrganizationId};
use leasehold_core::license::Scope;
use leasehold_core::sync::SyncRequest;
use leasehold_db::testing::fresh_in_line;
use leasehold_portal::service::{assignments, enable, sessions, workstations};
use leasehold_portal::{Caller, Config};
use leasehold_web::shutdown::shutdown_pair;
use leasehold_wire::portal::{AccountRef, NewAccount, Role};
use std::path::Path;

/// Markup, a right-to-left override, and as long as a name may be.
fn hostile(chars: usize) -> String {
    let start = "<script>alert('x')</script>\"'>&lt;مرحبا";
    format!("{start}{}", "y".repeat(chars - start.chars().count()))
}

/// Ada's organization with ten seats.
pub(crate) struct Site {
    pub(crate) license: LicenseId,
    pub(crate) organization: OrganizationId,
    pub(crate) ada: Caller,
}

pub(crate) fn site(world: &World) -> Site {
    let ada = world.customer("ada");
    let license = world.license(&ada, world.product("studio"), 10);
    // Who has bought is an organization from then on.
    let ada = sign_in(&world.portal, "ada@studio.example");
    Site { license, organization: ada.administers().unwrap(), ada }
}

fn member(world: &World, site: &Site, name: &str, email: &str) -> AccountRef {
    use leasehold_portal::service::accounts;
    let wish = NewAccount {
        email: email.into(),
        name: name.into(),
        password: crate::world::PASSWORD.into(),
        role: Role::Customer,
    };
    accounts::create(&world.portal, &world.operator, None, &wish).unwrap();
    world.add_member(site.organization, email)
}

#[test]
fn people_are_invited_come_and_go_with_what_they_were_given() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    let (mia, here) = (world.customer("mia"), format!("/organizations/{}", site.organization));
    let browser = Browser::of(&http, Some("ada@studio.example"));
    assert_eq!(location(&browser.get("/organization")), here);
    let page = browser.get(&here);
    assert!(page.text().contains("owner") && page.text().contains("ada@studio.example"), "{}", page.text());

    let before = db.snapshot().unwrap();
    for (email, why) in
        [("ada@studio.example", "who is in the organization already"), ("no address", "The email address")]
    {
        let refused = browser.post(&format!("{here}/members"), &[("email", email)]);
        assert_eq!(refused.status.as_u16(), 422, "{email}");
        assert!(refused.text().contains(why), "{email}: {}", refused.text());
        assert!(refused.text().contains(&format!("value=\"{email}\"")), "what was entered is still there");
        assert!(db.snapshot().unwrap() == before, "{email} changed something");
    }
    let added = browser.post(&format!("{here}/members"), &[("email", "Mia@Studio.example")]);
    assert_eq!(added.status.as_u16(), 303, "{}", added.text());
    let page = browser.get(location(&added));
    assert!(page.text().contains("A letter is on its way to") && page.text().contains(">invited<"), "{}", page.text());

    // On one page: seats given, and everything that can be done with the person.
    let person = format!("{here}/members/{}", id(&mia));
    let license = site.license.to_string();
    let wrong = browser.post(&format!("{person}/assign"), &[("license", &license), ("seats", "11")]);
    assert!(wrong.status.as_u16() == 422 && wrong.text().contains("must be 1 to 10"), "{}", wrong.text());
    let given = browser.post(&format!("{person}/assign"), &[("license", &license), ("seats", "4")]);
    let page = browser.get(location(&given));
    assert!(page.text().contains("The seats are given to") && page.text().contains(">Kept<"), "{}", page.text());
    assert!(page.text().contains("Send Again") && !page.text().contains("Suspend"), "{}", page.text());

    // She sees where she is invited, says yes, and has the seats.
    let mias = Browser::of(&http, Some("mia@studio.example"));
    let list = mias.get("/licenses");
    assert!(list.text().contains("You are invited to") && !list.text().contains("Assigned to you"), "{}", list.text());
    let join = format!("/account/organizations/{}/join", site.organization);
    assert!(mias.get("/account").text().contains(&join));
    assert_eq!(location(&mias.post(&join, &[])), "/licenses?done=joined");
    let list = mias.get("/licenses?done=joined");
    assert!(list.text().contains("You are in the organization") && list.text().contains("Assigned to you"));
    assert!(!list.text().contains("You are invited to"));

    let suspended = browser.post(&format!("{person}/suspend"), &[("suspended", "yes")]);
    let page = browser.get(location(&suspended));
    assert!(page.text().contains("is suspended.") && page.text().contains("Reinstate"), "{}", page.text());
    assert!(!mias.get("/licenses").text().contains("Assigned to you"));
    let back = browser.post(&format!("{person}/suspend"), &[("suspended", "no")]);
    assert!(browser.get(location(&back)).text().contains("is reinstated"));
    assert!(mias.get("/licenses").text().contains("Assigned to you"));

    let remove = format!("{person}/remove");
    let question = browser.get(&remove);
    assert!(
        question.text().contains("Remove mia from ada?") && question.text().contains("4 seats"),
        "{}",
        question.text()
    );
    let removed = browser.post(&remove, &[]);
    assert_eq!(location(&removed), format!("{here}?done=removed"));
    assert!(!browser.get(&here).text().contains("mia@studio.example"));
    assert!(world.look(site.license).assignments.is_empty());

    // Whoever is invited can say no, and whoever is in it can leave.
    browser.post(&format!("{here}/members"), &[("email", "mia@studio.example")]);
    let leave = format!("/account/organizations/{}/leave", site.organization);
    assert!(mias.get(&leave).text().contains("Decline the invitation to ada?"));
    assert_eq!(location(&mias.post(&leave, &[])), "/account?done=left");
    world.add_member(site.organization, "mia@studio.example");
    assert!(mias.get(&leave).text().contains("Leave ada?"));
    mias.post(&leave, &[]);
    assert!(!browser.get(&here).text().contains("mia@studio.example"));
    assert_eq!(mias.get(&leave).status.as_u16(), 404);
}

#[test]
fn seats_are_assigned_and_taken_back_with_their_effect_in_numbers() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    let mia = member(world, &site, "Mia Keller", "mia@studio.example");
    let here = format!("/licenses/{}", site.license);
    let (browser, mias) =
        (Browser::of(&http, Some("ada@studio.example")), Browser::of(&http, Some("mia@studio.example")));
    let assign = |account: &str, seats: &str| {
        browser.post(&format!("{here}/assign"), &[("account", account), ("assign_seats", seats)])
    };
    let mia_id = mia.id.to_string();
    for (account, seats, why) in [
        ("", "1", "The person must be chosen."),
        (&*mia_id, "0", "The number of seats must be 1 to 10"),
        (&*mia_id, "11", "The number of seats must be 1 to 10"),
        (&*mia_id, "many", "The number of seats must be a whole number"),
    ] {
        let refused = assign(account, seats);
        assert_eq!(refused.status.as_u16(), 422);
        assert!(refused.text().contains(why), "{account:?} {seats}: {}", refused.text());
    }
    let stranger = id(&world.customer("stranger")).to_string();
    let refused = assign(&stranger, "1");
    assert_eq!(refused.status.as_u16(), 409);
    assert!(refused.text().contains("NOT_A_MEMBER") && refused.text().contains("id=\"assign\""), "{}", refused.text());

    let done = assign(&mia_id, "4");
    assert_eq!(done.status.as_u16(), 303, "{}", done.text());
    let page = browser.get(location(&done));
    assert!(page.text().contains("4 seats assigned to") && page.text().contains("Mia Keller"), "{}", page.text());
    let own = mias.get("/licenses");
    assert!(own.text().contains("Assigned to you") && own.text().contains("Acme studio"), "{}", own.text());
    assert_eq!(mias.get(&here).status.as_u16(), 404, "a member sees nothing else of the license");

    // Nothing is out yet.
    let take_back = format!("{here}/take-back/{mia_id}");
    let question = browser.get(&take_back);
    assert!(question.text().contains("Take 4 seats back from Mia Keller?"), "{}", question.text());
    assert!(question.text().contains("they are free at once"), "{}", question.text());

    let person = sign_in(&world.portal, "mia@studio.example");
    let mut server = Online::enable(world, &person, Scope::Person);
    server.sync(world, &[(site.license, report(4, 3, 0))]);
    let page = browser.get(&here);
    assert!(page.text().contains("A server of theirs") && page.text().contains("3 in use online"), "{}", page.text());
    assert!(!page.text().contains(&server.server.host), "how she calls her server is hers");
    assert!(!page.text().contains(&format!("/workstations/{}", server.workstation)), "whose page is Mia's to see");
    let question = browser.get(&take_back);
    for part in [
        "<strong>4 seats</strong> are out at 1 license server",
        "<strong>3</strong> are in use",
        "told to save and stop",
        "up to 7 minutes",
        "2026-11-29 12:10 UTC",
    ] {
        assert!(question.text().contains(part), "{part}: {}", question.text());
    }
    assert_eq!(location(&browser.post(&take_back, &[])), format!("{here}?done=taken"));
    assert_eq!(location(&browser.get(&take_back)), here, "nothing is left to ask");
    assert_eq!(browser.post(&take_back, &[]).status.as_u16(), 404, "and nothing to take");
    assert!(!mias.get("/licenses").text().contains("Assigned to you"));
    server.sync(world, &[(site.license, report(4, 3, 0))]);
    assert_eq!(server.holds(site.license), 0, "its document is withdrawn with the next sync");
}

#[test]
fn an_assignment_that_does_not_fit_says_what_it_waits_for() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    let mia = member(world, &site, "Mia Keller", "mia@studio.example");
    let mut floor = Online::enable(world, &site.ada, Scope::Organization);
    let held = floor.holds(site.license);
    floor.sync(world, &[(site.license, report(held, held, 10 - held))]);
    assert_eq!(floor.holds(site.license), 10);
    floor.sync(world, &[(site.license, report(10, 10, 0))]);
    let browser = Browser::of(&http, Some("ada@studio.example"));
    let here = format!("/licenses/{}", site.license);
    let fields = [("account", mia.id.to_string()), ("assign_seats", "4".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let page = browser.get(location(&browser.post(&format!("{here}/assign"), &fields)));
    let page = page.text();
    assert!(page.contains("4 seats of these wait until they are back from others."), "{page}");
    assert!(
        page.contains("0 of 4") && page.contains("4 wait for seats at") && page.contains(&floor.server.host),
        "{page}"
    );
    let own = Browser::of(&http, Some("mia@studio.example")).get("/licenses");
    assert!(own.text().contains("4 seats more as soon as they are back from others"), "{}", own.text());
    // Her own server knows what it waits for.
    let mut hers = Online::enable(world, &sign_in(&world.portal, "mia@studio.example"), Scope::Person);
    let pool = &hers.sync(world, &[]).pools[0];
    assert_eq!((pool.seats, pool.pending, pool.license), (0, 4, site.license));
    // The floor's users stop; its server hands the seats over, and they are Mia's.
    floor.sync(world, &[(site.license, report(6, 6, 0))]);
    floor.sync(world, &[(site.license, report(6, 6, 0))]);
    assert!(!browser.get(&here).text().contains("4 wait for seats at"));
    let pool = &hers.sync(world, &[]).pools[0];
    assert_eq!((pool.seats, pool.pending, hers.holds(site.license)), (4, 0, 4));
}

#[test]
fn a_token_is_shown_once_with_the_command_that_takes_it() {
    let db = fresh_in_line();
    let http = Http::with(&db, "public_url = 'http://licenses.studio.example:8080'");
    let world = &http.world;
    let site = site(world);
    world.customer("user");
    let browser = Browser::of(&http, Some("ada@studio.example"));
    assert!(browser.get("/workstations").text().contains("href=\"/workstations/token\""));
    let made = browser.post("/workstations/token", &[("scope", "organization")]);
    let page = made.text();
    assert_eq!(made.status.as_u16(), 200, "{page}");
    assert_eq!(made.headers["cache-control"], "no-store");
    assert!(page.contains("leasehold server activate --portal http://licenses.studio.example:8080<"), "{page}");
    assert!(page.contains("once, until") && page.contains("2026-11-23 12:00 UTC"), "{page}");
    let token = page.split("LEASEHOLD_TOKEN=").nth(1).unwrap().split('<').next().unwrap();
    let enabled = |token: &str| {
        let request = world.server().request(world);
        enable::enable_with_token(&world.portal, HOME, token, &request, None)
    };
    let workstation = enabled(token).unwrap().workstation;
    assert_eq!((workstation.owner.id, workstation.scope), (id(&site.ada), Scope::Organization));
    assert_eq!(crate::world::code(enabled(token)), "ENABLE_TOKEN", "it works once");

    // Who administers nothing is not offered what cannot be.
    let user = Browser::of(&http, Some("user@studio.example"));
    assert!(!user.get("/workstations/token").text().contains("value=\"organization\""));
    let refused = user.post("/workstations/token", &[("scope", "organization")]);
    assert_eq!(refused.status.as_u16(), 409);
    assert!(refused.text().contains("NO_ORGANIZATION") && !refused.text().contains("LEASEHOLD_TOKEN"));
    assert_eq!(user.post("/workstations/token", &[("scope", "all")]).status.as_u16(), 422);
}

#[test]
fn seats_are_recalled_from_an_online_server_and_it_is_offered_no_file() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    let mut floor = Online::enable(world, &site.ada, Scope::Organization);
    let held = floor.holds(site.license);
    floor.sync(world, &[(site.license, report(held, 2, 10 - held))]);
    floor.sync(world, &[(site.license, report(10, 2, 0))]);
    let browser = Browser::of(&http, Some("ada@studio.example"));
    let here = format!("/workstations/{}", floor.workstation);
    let page = browser.get(&here);
    assert!(!page.text().contains("/certificate") && page.text().contains("Switch to files"), "{}", page.text());
    let switch = browser.get(&format!("{here}/renew"));
    assert!(switch.text().contains("With a .crt file that ends."), "{}", switch.text());
    let refused = browser.post(&format!("{here}/renew"), &[("form", "k1"), ("do", "confirm")]);
    assert!(refused.status.as_u16() == 409 && refused.text().contains("kept up to date online"), "{}", refused.text());

    let license = site.license.to_string();
    let form = browser.get(&format!("{here}/recall"));
    assert!(form.text().contains("Acme studio · holds 10, 2 in use"), "{}", form.text());
    for seats in ["0", "x"] {
        let refused = browser.post(&format!("{here}/recall"), &[("license", &license), ("seats", seats)]);
        assert_eq!(refused.status.as_u16(), 422);
        assert!(refused.text().contains("The number of seats must be"), "{}", refused.text());
    }
    let done = browser.post(&format!("{here}/recall"), &[("license", &license), ("seats", "5")]);
    assert_eq!(location(&done), format!("{here}?recalled=5"));
    // No more can be asked back than is there.
    let all = browser.post(&format!("{here}/recall"), &[("license", &license), ("seats", "1000000")]);
    assert_eq!(location(&all), format!("{here}?recalled=10"));
    browser.post(&format!("{here}/recall"), &[("license", &license), ("seats", "5")]);
    let page = browser.get(location(&done));
    assert!(page.text().contains("5 seats asked back.") && page.text().contains("5 recalled"), "{}", page.text());
    let pool = &floor.sync(world, &[(site.license, report(10, 2, 0))]).pools[0];
    assert_eq!(pool.recall, 5, "the server hears of it");

    let question = browser.get(&format!("{here}/revoke"));
    assert!(question.text().contains("withdrawn at its next sync, within seconds"), "{}", question.text());
    assert_eq!(location(&browser.post(&format!("{here}/revoke"), &[])), here);
    assert!(browser.get(&here).text().contains("it gets no seats."));
    floor.sync(world, &[(site.license, report(10, 2, 0))]);
    assert_eq!(floor.holds(site.license), 0);
}

#[test]
fn a_copy_and_a_silent_server_are_told_on_its_page() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    let mut floor = Online::enable(world, &site.ada, Scope::Organization);
    let stale = floor.sent(world, &floor.request(world, &[]));
    floor.sync(world, &[(site.license, report(0, 0, 1))]);
    floor.sync(world, &[(site.license, report(1, 0, 0))]);
    leasehold_portal::service::sync::sync(&world.portal, HOME, &stale.token, &stale.body).unwrap();
    let browser = Browser::of(&http, Some("ada@studio.example"));
    let here = format!("/workstations/{}", floor.workstation);
    let page = browser.get(&here);
    assert!(page.text().contains("Another server came with this key"), "{}", page.text());
    assert!(!page.text().contains("has not been heard of"), "{}", page.text());
    assert!(browser.get("/workstations").text().contains("copied"));
    world.clock.advance(11 * 60_000);
    let page = browser.get(&here);
    assert!(page.text().contains("has not been heard of") && page.text().contains("11 min ago"), "{}", page.text());
    assert!(browser.get("/workstations?status=silent").text().contains(&here));
    assert!(!browser.get("/workstations?status=ending").text().contains(&here), "nobody has to carry a file to it");
}

#[test]
fn a_server_that_is_being_disabled_or_revoked_says_what_is_not_back_yet() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    let mut floor = Online::enable(world, &site.ada, Scope::Organization);
    floor.sync(world, &[(site.license, report(3, 3, 0))]);
    let browser = Browser::of(&http, Some("ada@studio.example"));
    let here = format!("/workstations/{}", floor.workstation);
    let pages = [here.as_str(), "/workstations"];
    let seen = |part: &str| pages.map(|page| browser.get(page).text().contains(part));
    assert_eq!(seen("being disabled"), [false, false]);
    let request = floor.request(world, &[(site.license, report(2, 2, 0))]);
    let sent = floor.sent(world, &SyncRequest { draining: true, ..request });
    let answer = leasehold_portal::service::sync::sync(&world.portal, HOME, &sent.token, &sent.body).unwrap();
    floor.take(world, &sent, &answer);
    assert_eq!(seen("being disabled"), [true, true]);
    workstations::revoke(&world.portal, &site.ada, floor.workstation).unwrap();
    floor.sync(world, &[(site.license, report(2, 2, 0))]);
    assert_eq!(seen("being disabled"), [false, false]);
    assert!(browser.get("/workstations").text().contains("nothing new; 2 seats not back yet"));
}

#[test]
fn names_are_text_wherever_they_stand() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    for chars in [60, 200] {
        let name = hostile(chars);
        let mia = member(world, &site, &name, &format!("mia{chars}@studio.example"));
        assignments::assign(&world.portal, &site.ada, site.license, mia.id, 2).unwrap();
        let person = sign_in(&world.portal, &format!("mia{chars}@studio.example"));
        let mut server = Online::enable(world, &person, Scope::Person);
        server.server.host = format!("{name}\u{202e}");
        server.sync(world, &[(site.license, report(2, 1, 0))]);
        let (license, organization) = (site.license, site.organization);
        let pages = [
            format!("/licenses/{license}"),
            format!("/licenses/{license}/take-back/{}", mia.id),
            format!("/organizations/{organization}"),
            format!("/organizations/{organization}/members/{}", mia.id),
            format!("/organizations/{organization}/members/{}/remove", mia.id),
            "/licenses".to_owned(),
            "/workstations".to_owned(),
            format!("/workstations/{}", server.workstation),
            format!("/workstations/{}/recall", server.workstation),
            format!("/workstations/{}/renew", server.workstation),
            format!("/workstations/{}/revoke", server.workstation),
        ];
        for email in ["ada@studio.example", &format!("mia{chars}@studio.example"), "olga@acme.example"] {
            let browser = Browser::of(&http, Some(email));
            for path in &pages {
                let page = browser.get(path);
                let text = page.text();
                assert!(!text.contains("<script>alert") && !text.contains("\u{202e}"), "{email} {path}: {text}");
                assert!(!text.contains("\"'>&lt;"), "an attribute ends early, {email} {path}: {text}");
            }
        }
    }
}

/// A page that stays open.
fn watched<'a>(http: &'a Http, path: &str, email: &str) -> (Stream<'a>, String) {
    let token = http.token(email);
    let stream = http.open(path, &token);
    assert_eq!(stream.status.as_u16(), 200, "{path}");
    (stream, token)
}

#[test]
fn open_pages_are_kept_up_to_date_until_the_sign_in_or_the_portal_ends() {
    let db = fresh_in_line();
    let (trigger, shutdown) = shutdown_pair();
    let http = Http::until(World::new(&db), &Config::parse(Path::new("/nowhere"), "").unwrap(), shutdown);
    let world = &http.world;
    let site = site(world);
    let mia = member(world, &site, "Mia Keller", "mia@studio.example");
    let mut floor = Online::enable(world, &site.ada, Scope::Organization);
    floor.sync(world, &[(site.license, report(0, 0, 1))]);
    let here = format!("/licenses/{}", site.license);
    assert!(
        Browser::of(&http, Some("ada@studio.example"))
            .get(&here)
            .text()
            .contains(&format!("data-live=\"{here}/live\""))
    );

    let (mut license, token) = watched(&http, &format!("{here}/live"), "ada@studio.example");
    for part in ["figures\n", "assigned\n", "Nobody yet", "holders\n"] {
        let line = part.strip_suffix('\n').map_or(part.to_owned(), |id| format!("data: {id}"));
        assert!(license.until(&line), "{line}");
    }
    license.forget();
    assignments::assign(&world.portal, &site.ada, site.license, mia.id, 3).unwrap();
    assert!(license.until("Mia Keller"), "the new assignment comes by itself");

    let (mut people, _) = watched(&http, &format!("/organizations/{}/live", site.organization), "ada@studio.example");
    assert!(people.until("Mia Keller") && people.until("3 ×"));
    let (mut list, _) = watched(&http, "/licenses/live?", "ada@studio.example");
    assert!(list.until("data: licenses"));
    let (mut home, _) = watched(&http, "/live", "olga@acme.example");
    assert!(home.until("data: figures"));
    let (mut servers, _) = watched(&http, "/workstations/live?", "ada@studio.example");
    assert!(servers.until(&floor.server.host));
    let (mut server, _) = watched(&http, &format!("/workstations/{}/live?", floor.workstation), "ada@studio.example");
    assert!(server.until("data: standing"));
    server.forget();
    workstations::revoke(&world.portal, &site.ada, floor.workstation).unwrap();
    assert!(server.until("is revoked: it gets no seats."));

    // Whoever signs out sees nothing more; the browser is sent to the sign-in with its next click.
    let parsed = leasehold_web::session::SessionToken::parse(&token).unwrap();
    let session = sessions::caller(&world.portal, Some(&parsed), HOME).unwrap();
    sessions::sign_out(&world.portal, &session).unwrap();
    assert!(!license.until("never comes"), "the stream ends with the sign-in");
    trigger.stop();
    for stream in [&mut people, &mut list, &mut home, &mut servers, &mut server] {
        assert!(!stream.until("never comes"), "the stream ends with the portal");
    }
}
