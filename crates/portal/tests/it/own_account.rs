//! What people do about their own account: making it, a forgotten password, another address, sign-ins, tokens; and the
//! letters that go with it.

use crate::api::Http;
use crate::browser::{Browser, location};
use crate::world::{BASE_URL, HOME, PASSWORD, World, code, dump, id, sign_in};
use axum::http::Method;
use leasehold_core::access::TokenScope;
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use leasehold_db::testing::{fresh_in_line, on_both};
use leasehold_portal::service::{
    accounts, invitations, licenses, members, outbox, overview, own_account, products, sessions, settings, sign_up,
};
use leasehold_portal::{Caller, Failure};
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{
    AccountQuery, ChangeEmail, ChangeOwnAccount, ChangePassword, ChangePortalSettings, ConfirmEmail, ConfirmSignUp,
    CreatedToken, EmailConfirmed, MailStatus, NewAccount, NewMember, NewToken, RequestReset, ResetPassword, Role,
    SignIn, SignUp,
};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};

const NEW_PASSWORD: &str = "quite another one";

fn wish(email: &str) -> SignUp {
    SignUp { email: email.into(), name: "Nora".into(), password: PASSWORD.into() }
}

fn asks(world: &World, email: &str) -> Result<(), Failure> {
    // Of two letters within a millisecond nobody can say which is the newer.
    world.clock.advance(1);
    sign_up::request(&world.portal, HOME, &wish(email))
}

fn confirms(world: &World, token: &str, password: &str) -> Result<Caller, Failure> {
    let wish = ConfirmSignUp { token: token.into(), password: password.into() };
    let (token, _) = sign_up::confirm(&world.portal, HOME, "tests", &wish)?;
    sessions::caller(&world.portal, Some(&token), HOME)
}

fn signs_in(world: &World, email: &str, password: &str) -> Result<Caller, Failure> {
    let wish = SignIn { email: email.into(), password: password.into() };
    let (token, _) = sessions::sign_in(&world.portal, HOME, "tests", &wish)?;
    sessions::caller(&world.portal, Some(&token), HOME)
}

fn confirms_email(world: &World, token: &str, password: &str) -> Result<EmailConfirmed, Failure> {
    let wish = ConfirmEmail { token: token.into(), password: password.into() };
    own_account::confirm_email(&world.portal, HOME, &wish)
}

#[test]
fn an_account_is_made_when_its_letter_is_followed_by_who_asked() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        asks(&world, " Nora@Studio.Example ").unwrap();
        let letter = world.letter("sign_up", "nora@studio.example").unwrap();
        assert!(letter.body.contains(&format!("{BASE_URL}/confirm?token=")) && letter.body.contains("Acme Renders"));
        assert_eq!(code(signs_in(&world, "nora@studio.example", PASSWORD)), "WRONG_PASSWORD", "not before");
        let first = world.link("sign_up", "nora@studio.example");
        asks(&world, "nora@studio.example").unwrap();
        let link = world.link("sign_up", "nora@studio.example");
        assert_eq!(
            code(confirms(&world, &first, PASSWORD)),
            "LINK_ENDED",
            "a newer letter takes the place of the older"
        );
        // Whoever reads the mail and has not asked cannot finish what somebody else began.
        assert_eq!(code(confirms(&world, &link, "not the password")), "WRONG_PASSWORD");
        let nora = confirms(&world, &link, PASSWORD).unwrap();
        let account = nora.account().unwrap();
        assert_eq!((account.email.as_str(), account.name.as_str()), ("nora@studio.example", "Nora"));
        assert!(account.customer_number > ada.account().unwrap().customer_number, "numbers go on");
        assert_eq!(code(confirms(&world, &link, PASSWORD)), "LINK_ENDED", "once");
        signs_in(&world, "nora@studio.example", PASSWORD).unwrap();

        asks(&world, "otto@studio.example").unwrap();
        let late = world.link("sign_up", "otto@studio.example");
        world.clock.advance(DAY_MS);
        assert_eq!(code(confirms(&world, &late, PASSWORD)), "LINK_ENDED", "a day is over");
        assert_eq!(code(confirms(&world, "no token", PASSWORD)), "LINK_ENDED");
    });
}

#[test]
fn nobody_learns_who_has_an_account() {
    let db = fresh_in_line();
    let world = World::new(&db);
    world.customer("ada");
    asks(&world, "ada@studio.example").unwrap();
    assert!(world.letter("sign_up", "ada@studio.example").is_none(), "no second account");
    let reminder = world.letter("has_account", "ada@studio.example").unwrap();
    assert!(reminder.body.contains(&format!("{BASE_URL}/sign-in")), "{}", reminder.body);
    let forgot = |email: &str| sign_up::request_reset(&world.portal, HOME, &RequestReset { email: email.into() });
    assert_eq!(forgot("nobody@studio.example"), forgot("ada@studio.example"));
    assert!(world.letter("reset", "nobody@studio.example").is_none());
    assert!(world.letter("reset", "ada@studio.example").is_some());
}

#[test]
fn what_cannot_be_an_account_is_refused_and_nothing_is_sent() {
    let db = fresh_in_line();
    let world = World::new(&db);
    let before = dump(&db);
    for (wish, field) in [
        (SignUp { password: "too short".into(), ..wish("n@n.example") }, "password"),
        (SignUp { password: "passwordpassword".into(), ..wish("n@n.example") }, "password"),
        (SignUp { password: "nora@studio.example".into(), ..wish("nora@studio.example") }, "password"),
        (SignUp { name: String::new(), ..wish("n@n.example") }, "name"),
        (SignUp { name: "Nora\r\nBcc: x@y.example".into(), ..wish("n@n.example") }, "name"),
        (wish("n@n.example\r\nBcc: x@y.example"), "email"),
        (wish("n@n.example, x@y.example"), "email"),
        (wish("@n.example"), "email"),
    ] {
        let refused = sign_up::request(&world.portal, HOME, &wish).unwrap_err();
        assert!(matches!(&refused, Failure::Invalid { field: wrong, .. } if *wrong == field), "{field}: {refused:?}");
    }
    assert!(dump(&db) == before, "something was changed");
    asks(&world, "early@n.example").unwrap();
    let early = world.link("sign_up", "early@n.example");
    settings::change(&world.portal, &world.operator, ChangePortalSettings { sign_up_open: false }).unwrap();
    assert_eq!(code(asks(&world, "n@n.example")), "SIGN_UP_CLOSED");
    assert_eq!(code(confirms(&world, &early, PASSWORD)), "SIGN_UP_CLOSED", "also for whoever asked before");
    assert!(world.letter("sign_up", "n@n.example").is_none());
}

#[test]
fn nobody_fills_a_mailbox_from_here() {
    let db = fresh_in_line();
    let world = World::new(&db);
    world.customer("ada");
    let written = |kind: &str| {
        world.write_letters();
        let all = outbox::list(&world.portal, &world.operator, &leasehold_wire::portal::MailQuery::default()).unwrap();
        all.items.iter().filter(|letter| letter.kind == kind).count()
    };
    let ask = |from: u8| {
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, from));
        sign_up::request_reset(&world.portal, address, &RequestReset { email: "ada@studio.example".into() })
    };
    for from in 0..9 {
        assert_eq!(ask(from), Ok(()), "the answer is the same, whoever asks how often");
    }
    assert_eq!(written("reset"), 5);
    world.clock.advance(16 * MINUTE_MS);
    ask(1).unwrap();
    assert_eq!(written("reset"), 6);
    // Nor by way of an account of their own.
    let eve = world.customer("eve");
    for _ in 0..9 {
        let wish = ChangeEmail { email: "victim@n.example".into(), password: PASSWORD.into() };
        own_account::request_email(&world.portal, &eve, &wish).unwrap();
    }
    assert_eq!(written("email_new"), 5);
    // One place asks for many addresses.
    let refused = (0..60).map(|n| asks(&world, &format!("n{n}@n.example"))).find_map(Result::err).unwrap();
    assert_eq!(refused.problem().code, "TOO_MANY_REQUESTS");
}

#[test]
fn a_forgotten_password_is_set_anew_by_who_reads_the_mail_and_everything_else_ends() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let token = new_token(&world, &ada, &[TokenScope::Read]).unwrap();
        let forgot = || {
            world.clock.advance(1);
            sign_up::request_reset(&world.portal, HOME, &RequestReset { email: "ada@studio.example".into() }).unwrap();
            world.link("reset", "ada@studio.example")
        };
        let reset = |token: &str, password: &str| {
            sign_up::reset(&world.portal, HOME, &ResetPassword { token: token.into(), password: password.into() })
        };
        let first = forgot();
        let link = forgot();
        assert_eq!(code(reset(&first, NEW_PASSWORD)), "LINK_ENDED");
        assert_eq!(code(reset(&link, "short")), "BAD_FIELD");
        reset(&link, NEW_PASSWORD).unwrap();
        assert_eq!(code(reset(&link, NEW_PASSWORD)), "LINK_ENDED", "once");
        assert!(by_token(&world, &token.secret).account().is_none(), "tokens end");
        assert_eq!(code(signs_in(&world, "ada@studio.example", PASSWORD)), "WRONG_PASSWORD");
        let again = signs_in(&world, "ada@studio.example", NEW_PASSWORD).unwrap();
        assert_eq!(own_account::sessions(&world.portal, &again).unwrap().items.len(), 1, "all others ended");
        assert!(world.letter("password_changed", "ada@studio.example").is_some(), "whoever it was, she hears of it");
        let late = forgot();
        world.clock.advance(HOUR_MS);
        assert_eq!(code(reset(&late, PASSWORD)), "LINK_ENDED");
    });
}

#[test]
fn an_address_changes_when_both_have_confirmed_and_the_account_stays_the_same() {
    on_both(|db| {
        let world = World::new(db);
        let (ada, bob) = (world.customer("ada"), world.customer("bob"));
        let license = world.license(&ada, world.product("studio"), 3);
        let wants = |email: &str, password: &str| {
            world.clock.advance(1);
            let wish = ChangeEmail { email: email.into(), password: password.into() };
            own_account::request_email(&world.portal, &ada, &wish)
        };
        assert_eq!(code(wants("new@studio.example", "wrong password")), "BAD_FIELD");
        assert_eq!(code(wants("ADA@studio.example", PASSWORD)), "BAD_FIELD");
        wants("first@studio.example", PASSWORD).unwrap();
        let stale = world.link("email_new", "first@studio.example");
        wants("new@studio.example", PASSWORD).unwrap();
        let confirm = |token: &str| confirms_email(&world, token, PASSWORD);
        assert_eq!(code(confirm(&stale)), "LINK_ENDED", "another was wanted since");
        let (old, new) = (world.link("email_old", "ada@studio.example"), world.link("email_new", "new@studio.example"));
        assert_eq!(code(confirms_email(&world, &new, "not hers")), "BAD_FIELD", "a mailbox alone proves no person");
        assert!(!confirm(&new).unwrap().changed);
        assert!(!confirm(&new).unwrap().changed, "one side is one side, however often");
        signs_in(&world, "ada@studio.example", PASSWORD).unwrap();
        assert!(confirm(&old).unwrap().changed);
        assert_eq!(code(confirm(&old)), "LINK_ENDED");
        assert_eq!(code(signs_in(&world, "ada@studio.example", PASSWORD)), "WRONG_PASSWORD");
        let moved = signs_in(&world, "new@studio.example", PASSWORD).unwrap();
        assert_eq!(id(&moved), id(&ada), "the account is who it is, whatever its address");
        assert_eq!(licenses::get(&world.portal, &moved, license).unwrap().owner.email, "new@studio.example");
        assert!(world.letter("email_changed", "ada@studio.example").is_some());

        // Somebody else's: only its reader hears that it is taken, and nothing comes of it.
        let wish = ChangeEmail { email: "bob@studio.example".into(), password: PASSWORD.into() };
        own_account::request_email(&world.portal, &moved, &wish).unwrap();
        assert!(world.letter("email_new", "bob@studio.example").is_none());
        assert!(world.letter("has_account", "bob@studio.example").is_some());
        own_account::cancel_email(&world.portal, &moved).unwrap();
        assert_eq!(own_account::email_change(&world.portal, &moved).unwrap(), None);
        assert_eq!(sign_in(&world.portal, "bob@studio.example").account().unwrap().id, id(&bob));
    });
}

#[test]
fn an_address_that_somebody_took_meanwhile_stays_theirs() {
    let db = fresh_in_line();
    let world = World::new(&db);
    let ada = world.customer("ada");
    let wish = ChangeEmail { email: "cleo@studio.example".into(), password: PASSWORD.into() };
    own_account::request_email(&world.portal, &ada, &wish).unwrap();
    let links = [world.link("email_old", "ada@studio.example"), world.link("email_new", "cleo@studio.example")];
    let cleo = world.customer("cleo");
    let [first, second] = links.map(|link| confirms_email(&world, &link, PASSWORD));
    assert!(!first.unwrap().changed);
    assert_eq!(code(second), "TAKEN");
    assert_eq!(id(&sign_in(&world.portal, "cleo@studio.example")), id(&cleo));
    assert_eq!(id(&sign_in(&world.portal, "ada@studio.example")), id(&ada));
}

#[test]
fn sign_ins_are_seen_and_ended_by_their_owner_alone() {
    on_both(|db| {
        let world = World::new(db);
        let (ada, bob) = (world.customer("ada"), world.customer("bob"));
        let elsewhere = sign_in(&world.portal, "ada@studio.example");
        let mine = own_account::sessions(&world.portal, &ada).unwrap().items;
        assert_eq!((mine.len(), mine.iter().filter(|session| session.current).count()), (2, 1));
        assert!(mine.iter().all(|session| session.agent == "tests" && session.address == HOME.to_string()));
        let other = mine.iter().find(|session| !session.current).unwrap().id;
        assert_eq!(code(own_account::end_session(&world.portal, &bob, other)), "NOT_FOUND");
        assert_eq!(code(own_account::end_session(&world.portal, &world.operator, other)), "NOT_FOUND");
        own_account::end_session(&world.portal, &ada, other).unwrap();
        assert_eq!(own_account::sessions(&world.portal, &elsewhere).unwrap().items.len(), 1);
        sign_in(&world.portal, "ada@studio.example");
        assert_eq!(own_account::end_other_sessions(&world.portal, &ada).unwrap().ended, 1);
        assert!(own_account::sessions(&world.portal, &ada).unwrap().items[0].current);
    });
}

fn new_token(world: &World, caller: &Caller, scopes: &[TokenScope]) -> Result<CreatedToken, Failure> {
    let wish = NewToken { name: "nightly".into(), scopes: scopes.to_vec(), days: 30 };
    own_account::new_token(&world.portal, caller, &wish)
}

fn by_token(world: &World, secret: &str) -> Caller {
    let token = SessionToken::parse(secret).unwrap();
    sessions::caller(&world.portal, Some(&token), HOME).unwrap()
}

#[test]
fn a_token_does_what_its_scopes_say_and_never_widens_or_outlives_itself() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let product = world.product("studio");
        let license = world.license(&ada, product, 10);
        let mia = world.customer("mia");
        let ada = sign_in(&world.portal, "ada@studio.example");
        let organization = ada.administers().unwrap();
        let read = by_token(&world, &new_token(&world, &ada, &[TokenScope::Read]).unwrap().secret);
        licenses::get(&world.portal, &read, license).unwrap();
        let add = |caller: &Caller| {
            let wish = NewMember { email: "mia@studio.example".into(), role: None };
            invitations::invite(&world.portal, caller, organization, &wish)
        };
        assert_eq!(code(add(&read)), "SCOPE");
        assert_eq!(code(world.activate(&read, &world.server(), None)), "SCOPE");
        let both = [TokenScope::Organization, TokenScope::Workstations];
        let made = new_token(&world, &ada, &both).unwrap();
        let wide = by_token(&world, &made.secret);
        add(&wide).unwrap();
        world.activate(&wide, &world.server(), None).unwrap();
        for refused in [
            code(new_token(&world, &wide, &[TokenScope::Read])),
            code(own_account::end_other_sessions(&world.portal, &wide)),
            code(sessions::sign_out(&world.portal, &wide)),
            code(own_account::tokens(&world.portal, &wide)),
        ] {
            assert_eq!(refused, "SIGN_IN_NEEDED");
        }
        // What an operator may do with other people's things is the vendor's.
        let narrow = by_token(&world, &new_token(&world, &world.operator, &both).unwrap().secret);
        let remove = |caller: &Caller| members::remove(&world.portal, caller, organization, id(&mia));
        assert_eq!(code(remove(&narrow)), "SCOPE");
        // An operator's token sells only if it was made for that.
        assert_eq!(code(new_token(&world, &ada, &[TokenScope::Vendor])), "BAD_FIELD");
        let looks = by_token(&world, &new_token(&world, &world.operator, &[TokenScope::Read]).unwrap().secret);
        licenses::get(&world.portal, &looks, license).unwrap();
        assert_eq!(code(licenses::change_seats(&world.portal, &looks, license, 11)), "SCOPE");
        let sells = by_token(&world, &new_token(&world, &world.operator, &[TokenScope::Vendor]).unwrap().secret);
        licenses::change_seats(&world.portal, &sells, license, 11).unwrap();
        products::get(&world.portal, &sells, product).unwrap();
        // It makes no account that would outlive it, and reads no links that are for people.
        let wish = |role| NewAccount { email: "x@n.example".into(), name: "X".into(), password: PASSWORD.into(), role };
        assert_eq!(code(accounts::create(&world.portal, &sells, None, &wish(Role::Operator))), "SIGN_IN_NEEDED");
        accounts::create(&world.portal, &sells, None, &wish(Role::Customer)).unwrap();
        asks(&world, "nora@studio.example").unwrap();
        let letter = world.letter("sign_up", "nora@studio.example").unwrap();
        assert!(letter.body.contains("?token="));
        assert!(!outbox::get(&world.portal, &sells, letter.id).unwrap().body.contains("?token="));

        assert_eq!(own_account::tokens(&world.portal, &ada).unwrap().items.len(), 2);
        assert!(own_account::tokens(&world.portal, &ada).unwrap().items[0].used_at.is_some());
        assert_eq!(code(own_account::end_token(&world.portal, &world.operator, made.token.id)), "NOT_FOUND");
        own_account::end_token(&world.portal, &ada, made.token.id).unwrap();
        assert!(by_token(&world, &made.secret).account().is_none());
        let short = NewToken { name: "a day".into(), scopes: vec![TokenScope::Read], days: 1 };
        let short = own_account::new_token(&world.portal, &ada, &short).unwrap();
        world.clock.advance(DAY_MS);
        assert!(by_token(&world, &short.secret).account().is_none(), "ended by itself");
    });
}

#[test]
fn a_token_is_taken_over_http_and_its_secret_is_nowhere_in_the_database() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let ada = http.world.customer("ada");
    let made = new_token(&http.world, &ada, &[TokenScope::Read]).unwrap();
    let answer = http.call(Method::GET, "/api/v1/licenses", Some(&made.secret), None);
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let wish = json!({ "name": "x", "scopes": ["read"], "days": 1 });
    let refused = http.call(Method::POST, "/api/v1/me/tokens", Some(&made.secret), Some(wish));
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "SIGN_IN_NEEDED"));
    assert!(!String::from_utf8_lossy(&dump(&db)).contains(&made.secret));
}

#[test]
fn an_operator_finds_a_customer_by_number_address_or_a_part_of_the_name() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        world.customer("50%_off!");
        let find = |q: &str| {
            let query = AccountQuery { q: Some(q.into()), ..AccountQuery::default() };
            let found = accounts::list(&world.portal, &world.operator, &query).unwrap().items;
            found.into_iter().map(|account| account.name).collect::<Vec<_>>()
        };
        assert_eq!(find(&ada.account().unwrap().customer_number.to_string()), ["ada"]);
        assert_eq!(
            (find("ADA@studio"), find("%_off!"), find("%")),
            (vec!["ada".into()], vec!["50%_off!".into()], vec!["50%_off!".into()])
        );
        assert_eq!((find("studio.example").len(), find("").len(), find("nobody").len()), (2, 3, 0));
        own_account::rename(&world.portal, &ada, &ChangeOwnAccount { name: "Ädä Løve".into() }).unwrap();
        assert_eq!(
            (find("ädä lø"), find("ÄDÄ"), find("ada@")),
            (vec!["Ädä Løve".into()], vec!["Ädä Løve".into()], vec!["Ädä Løve".into()])
        );
        let query = AccountQuery { q: Some("x".repeat(300)), ..AccountQuery::default() };
        assert_eq!(code(accounts::list(&world.portal, &world.operator, &query)), "BAD_FIELD");
        assert_eq!(code(accounts::list(&world.portal, &ada, &AccountQuery::default())), "FORBIDDEN");
    });
}

#[test]
fn letters_that_nobody_takes_are_given_up_after_two_days_and_can_be_tried_again() {
    on_both(|db| {
        let world = World::new(db);
        world.customer("ada");
        asks(&world, "nora@studio.example").unwrap();
        let look = || world.letter("sign_up", "nora@studio.example").unwrap();
        assert!(look().body.contains("/confirm?token="), "without a mail server operators pass it on");
        world.clock.advance(23 * HOUR_MS);
        outbox::send_due(&world.portal).unwrap();
        assert_eq!(look().status, MailStatus::Queued);
        assert_eq!(code(outbox::send_again(&world.portal, &world.operator, look().id)), "NOT_GIVEN_UP");
        world.clock.advance(HOUR_MS);
        outbox::send_due(&world.portal).unwrap();
        let ended = look();
        assert!(ended.status == MailStatus::Failed && ended.error.contains("its link ended"), "{ended:?}");
        assert!(!ended.body.contains("?token="), "{ended:?}");
        assert_eq!(code(outbox::send_again(&world.portal, &world.operator, ended.id)), "NOT_GIVEN_UP", "in vain");

        // One that only tells of something is worth more time.
        let ada = sign_in(&world.portal, "ada@studio.example");
        let wish = ChangePassword { current: PASSWORD.into(), new: NEW_PASSWORD.into() };
        accounts::change_password(&world.portal, &ada, &wish).unwrap();
        let look = || world.letter("password_changed", "ada@studio.example").unwrap();
        world.clock.advance(47 * HOUR_MS);
        outbox::send_due(&world.portal).unwrap();
        assert_eq!(look().status, MailStatus::Queued);
        world.clock.advance(HOUR_MS);
        outbox::send_due(&world.portal).unwrap();
        let given_up = look();
        assert!(given_up.status == MailStatus::Failed && given_up.error.contains("48 hours"), "{given_up:?}");
        assert_eq!(overview::get(&world.portal, &world.operator).unwrap().letters_given_up, 2);
        assert_eq!(code(outbox::send_again(&world.portal, &world.customer("bob"), given_up.id)), "FORBIDDEN");
        let again = outbox::send_again(&world.portal, &world.operator, given_up.id).unwrap();
        assert_eq!((again.status, again.tries), (MailStatus::Queued, 0));
    });
}

#[test]
fn somebody_makes_an_account_and_forgets_the_password_on_the_pages() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let visitor = Browser::of(&http, None);
    let page = visitor.get("/sign-in").text().to_owned();
    assert!(page.contains("href=\"/sign-up\"") && page.contains("href=\"/forgotten\""), "{page}");
    let name = "<script>alert('x')</script>";
    let entered = [("name", name), ("email", "nora@studio.example"), ("password", "short")];
    let refused = visitor.post("/sign-up", &entered);
    assert_eq!(refused.status.as_u16(), 422);
    assert!(
        refused.text().contains("The password must have 12") && !refused.text().contains(name),
        "{}",
        refused.text()
    );
    let sent = visitor.post("/sign-up", &[("name", name), ("email", "nora@studio.example"), ("password", PASSWORD)]);
    assert!(sent.text().contains("A letter is on its way"), "{}", sent.text());

    let link = world.link("sign_up", "nora@studio.example");
    let before = dump(&db);
    let form = visitor.get(&format!("/confirm?token={link}"));
    assert!(
        form.text().contains(&link) && dump(&db) == before,
        "a mail program that looks at the link changes nothing"
    );
    assert_eq!(visitor.post("/confirm", &[("token", &link), ("password", "something else")]).status.as_u16(), 401);
    let made = visitor.post("/confirm", &[("token", &link), ("password", PASSWORD)]);
    assert_eq!(location(&made), "/account?done=made");
    let nora = Browser::of(&http, Some("nora@studio.example"));
    let account = nora.get("/account");
    assert!(account.text().contains("Customer number") && account.text().contains("1000002"), "{}", account.text());
    assert!(!account.text().contains(name) && account.text().contains("&lt;script&gt;"), "names are text");

    let sent = visitor.post("/forgotten", &[("email", "nora@studio.example")]);
    let unknown = visitor.post("/forgotten", &[("email", "nobody@studio.example")]);
    assert_eq!(sent.text().replace("nora@", "nobody@"), unknown.text(), "the same page, whether or not there is one");
    let link = world.link("reset", "nora@studio.example");
    assert!(visitor.get(&format!("/reset?token={link}")).text().contains("Set a new password"));
    let done = visitor.post("/reset", &[("token", &link), ("password", NEW_PASSWORD)]);
    assert_eq!(location(&done), "/sign-in?done=reset");
    assert!(visitor.get(location(&done)).text().contains("The new password is set."));
    assert_eq!(nora.get("/account").status.as_u16(), 303, "signed out everywhere");
    let gone = visitor.post("/reset", &[("token", &link), ("password", NEW_PASSWORD)]);
    assert!(gone.status.as_u16() == 410 && gone.text().contains("LINK_ENDED"), "{}", gone.text());
}

#[test]
fn the_account_page_shows_a_new_token_once_and_ends_what_it_lists() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    http.world.customer("ada");
    let browser = Browser::of(&http, Some("ada@studio.example"));
    let refused = browser.post("/account/tokens", &[("token_name", ""), ("days", "0")]);
    assert_eq!(refused.status.as_u16(), 422, "{}", refused.text());
    let made = browser.post("/account/tokens", &[("token_name", "nightly"), ("days", "30"), ("workstations", "on")]);
    assert!(made.status.as_u16() == 201 && made.text().contains("shown this once"), "{}", made.text());
    let page = browser.get("/account").text().to_owned();
    assert!(
        page.contains("nightly") && page.contains("Activate, renew") && !page.contains("shown this once"),
        "{page}"
    );
    assert!(!page.contains("Everything that operators do"), "a customer is not offered the vendor's");
    let tokens = own_account::tokens(&http.world.portal, &sign_in(&http.world.portal, "ada@studio.example")).unwrap();
    let ended = browser.post(&format!("/account/tokens/{}/end", tokens.items[0].id), &[]);
    assert_eq!(location(&ended), "/account?done=token");
    assert!(browser.get("/account").text().contains("No tokens"));
    let others = browser.post("/account/sessions/end", &[]);
    assert!(browser.get(location(&others)).text().contains("All other sign-ins are ended."));

    let operator = Browser::of(&http, Some("olga@acme.example"));
    let mails = operator.get("/mails").text().to_owned();
    assert!(mails.contains("No mail server is set") && mails.contains("Close sign-up"), "{mails}");
    let closed = operator.post("/mails/sign-up", &[("open", "off")]);
    assert!(operator.get(location(&closed)).text().contains("Only operators make accounts"));
    let visitor = Browser::of(&http, None);
    assert!(!visitor.get("/sign-in").text().contains("/sign-up"));
    assert_eq!(visitor.get("/sign-up").status.as_u16(), 403);
}

#[test]
fn whoever_gets_no_letters_is_told_where_they_look_and_so_is_the_operator() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let ada = world.customer("ada");
    sign_up::request_reset(&world.portal, HOME, &RequestReset { email: "ada@studio.example".into() }).unwrap();
    world.write_letters();
    world.clock.advance(DAY_MS);
    outbox::send_due(&world.portal).unwrap();
    let (browser, operator) =
        (Browser::of(&http, Some("ada@studio.example")), Browser::of(&http, Some("olga@acme.example")));
    let mine = browser.get("/account");
    assert!(mine.text().contains("The last letter to you could not be delivered."), "{}", mine.text());
    let account = operator.get(&format!("/accounts/{}", id(&ada)));
    assert!(account.text().contains("The last letter to ada@studio.example could not"), "{}", account.text());
    let home = operator.get("/");
    assert!(home.text().contains("1 letter</strong> could not be delivered"), "{}", home.text());
    assert!(browser.get("/products").text().contains("No products yet"));
    world.product("studio");
    let products = browser.get("/products");
    assert!(products.text().contains("Acme studio") && !products.text().contains("New Product"), "{}", products.text());
}
