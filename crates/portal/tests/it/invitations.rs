//! Invitations: with an account or without, who learns what, what is kept for whom and until when.

use crate::api::Http;
use crate::browser::{Browser, location};
use crate::online::{Online, report};
use crate::people::{Site, site};
use crate::world::{HOME, PASSWORD, World, acting_for, code, id, sign_in};
use leasehold_core::access::{MemberState, OrganizationRole, PendingSeats};
use leasehold_core::ids::AccountId;
use leasehold_core::license::{Channel, Scope};
use leasehold_core::time::DAY_MS;
use leasehold_db::testing::{fresh_in_line, on_both};
use leasehold_portal::Caller;
use leasehold_portal::service::{
    accounts, assignments, enable, invitations, licenses, members, organizations, sessions, sign_up,
};
use leasehold_wire::portal::{
    AccountQuery, ChangeMember, ChangeOrganization, Enable, Join, Member, NewAccount, NewLicense, NewMember,
    RequestReset, Role, SignIn, SignUp,
};

fn wish(email: &str) -> NewMember {
    NewMember { email: email.into(), role: None }
}

fn invite(world: &World, site: &Site, email: &str) -> Member {
    invitations::invite(&world.portal, &site.ada, site.organization, &wish(email)).unwrap()
}

fn join(world: &World, email: &str, name: &str) -> Caller {
    let wish = Join { token: world.link("invitation", email), name: name.into(), password: PASSWORD.into() };
    let (token, _) = invitations::join(&world.portal, HOME, "tests", &wish).unwrap();
    sessions::caller(&world.portal, Some(&token), HOME).unwrap()
}

fn seen(world: &World, site: &Site, account: AccountId) -> Member {
    members::get(&world.portal, &site.ada, site.organization, account).unwrap()
}

#[test]
fn whoever_invites_learns_nothing_about_who_has_an_account() {
    on_both(|db| {
        let world = World::new(db);
        let site = site(&world);
        let known = world.customer("known");
        world.clock.advance(400 * DAY_MS);
        let [of_known, of_unknown] = ["known", "unknown"].map(|name| {
            let member = invite(&world, &site, &format!("{name}@studio.example"));
            serde_json::to_string(&member).unwrap().replace(&member.account.id.to_string(), "ID").replace(name, "NAME")
        });
        assert_eq!(of_known, of_unknown);
        assert!(of_known.contains("NAME@studio.example") && !of_known.contains("\"NAME\""), "{of_known}");
        let again = invite(&world, &site, "Known@Studio.example");
        assert_eq!((again.account.id, again.state), (id(&known), MemberState::Invited));
        // Seats are kept for both, and in effect for neither.
        assignments::assign(&world.portal, &site.ada, site.license, again.account.id, 3).unwrap();
        let license = licenses::get(&world.portal, &site.ada, site.license).unwrap();
        let given = &license.assignments[0];
        assert_eq!(
            (given.seats, given.active, given.usable, &*given.account.name),
            (3, 0, false, "known@studio.example")
        );
        assert_eq!((license.seats_floating, license.seats_assigned), (7, 3));
        assert!(assignments::mine(&world.portal, &known).unwrap().items.is_empty());
        let request = world.server().request(&world);
        let wish = Enable { request, scope: Scope::Person, name: None };
        assert_eq!(code(enable::enable(&world.portal, &known, None, &wish)), "NO_LICENSES");
        // Both get the same letter.
        let body = |email: &str| world.letter("invitation", email).unwrap().body;
        let plain = |email: &str| {
            let token = world.link("invitation", email);
            body(email).replace(&token, "TOKEN").replace(email, "EMAIL")
        };
        assert_eq!(plain("known@studio.example"), plain("unknown@studio.example"));
        assert!(body("unknown@studio.example").contains("you are invited to ada: "));
    });
}

#[test]
fn an_invitation_makes_the_account_once_and_its_seats_are_in_effect() {
    on_both(|db| {
        let world = World::new(db);
        let site = site(&world);
        let email = "mia@studio.example";
        let invited = invite(&world, &site, email);
        let account = invited.account.id;
        assert_eq!(invited.invitation_ends_at.unwrap().0, world.now().plus(14 * DAY_MS));
        assignments::assign(&world.portal, &site.ada, site.license, account, 4).unwrap();

        // Nobody is there yet: nobody signs in, no letter sets a password, operators do not see it among the accounts.
        let sign_in_as = |password: &str| {
            let wish = SignIn { email: email.into(), password: password.into() };
            sessions::sign_in(&world.portal, HOME, "tests", &wish).map(drop)
        };
        assert_eq!(code(sign_in_as("")), code(sign_in_as(PASSWORD)));
        assert_eq!(code(sign_in_as(PASSWORD)), "WRONG_PASSWORD");
        sign_up::request_reset(&world.portal, HOME, &RequestReset { email: email.into() }).unwrap();
        assert!(world.letter("reset", email).is_none());
        let query = AccountQuery { q: Some("mia@".into()), ..AccountQuery::default() };
        assert!(accounts::list(&world.portal, &world.operator, &query).unwrap().items.is_empty());

        let first = world.link("invitation", email);
        world.clock.advance(DAY_MS);
        invitations::resend(&world.portal, &site.ada, site.organization, account).unwrap();
        assert_eq!(code(invitations::look(&world.portal, &first)), "LINK_ENDED");
        let second = world.link("invitation", email);
        let look = invitations::look(&world.portal, &second).unwrap();
        assert_eq!((&*look.email, look.has_account, &*look.organization_name), (email, false, "ada"));

        let mia = join(&world, email, "Mia Keller");
        assert_eq!((id(&mia), mia.account().unwrap().customer_number > 1_000_000), (account, true));
        assert_eq!(code(invitations::look(&world.portal, &second)), "LINK_ENDED");
        let member = seen(&world, &site, account);
        assert_eq!(
            (member.state, &*member.account.name, member.invitation_ends_at),
            (MemberState::Active, "Mia Keller", None)
        );
        let mine = assignments::mine(&world.portal, &mia).unwrap().items;
        assert_eq!((mine[0].seats, mine[0].active), (4, 4));
        let own = Online::enable(&world, &mia, Scope::Person);
        assert_eq!(own.holds(site.license), 4);
        assert_eq!(code(invitations::resend(&world.portal, &site.ada, site.organization, account)), "HAS_JOINED");
        sign_in(&world.portal, email);
    });
}

#[test]
fn who_signs_up_or_is_made_by_the_vendor_is_who_was_invited() {
    on_both(|db| {
        let world = World::new(db);
        let site = site(&world);
        let (own, made) = ("own@studio.example", "made@studio.example");
        let ids = [own, made].map(|email| invite(&world, &site, email).account.id);
        let wish = SignUp { email: own.into(), name: "Own".into(), password: PASSWORD.into() };
        sign_up::request(&world.portal, HOME, &wish).unwrap();
        let wish =
            leasehold_wire::portal::ConfirmSignUp { token: world.link("sign_up", own), password: PASSWORD.into() };
        sign_up::confirm(&world.portal, HOME, "tests", &wish).unwrap();
        let wish =
            NewAccount { email: made.into(), name: "Made".into(), password: PASSWORD.into(), role: Role::Customer };
        let account = accounts::create(&world.portal, &world.operator, None, &wish).unwrap();
        assert_eq!(account.id, ids[1]);
        assert_eq!(code(accounts::create(&world.portal, &world.operator, None, &wish)), "TAKEN");
        for (email, account) in [own, made].into_iter().zip(ids) {
            let caller = sign_in(&world.portal, email);
            assert_eq!(id(&caller), account);
            // Not in it before they have said so; the link of the letter leads to signing in.
            assert_eq!(seen(&world, &site, account).state, MemberState::Invited);
            let link = world.link("invitation", email);
            assert!(invitations::look(&world.portal, &link).unwrap().has_account);
            let wish = Join { token: link, name: "X".into(), password: PASSWORD.into() };
            assert_eq!(code(invitations::join(&world.portal, HOME, "tests", &wish).map(drop)), "HAS_ACCOUNT");
            assert_eq!(invitations::mine(&world.portal, &caller).unwrap().items.len(), 1);
            invitations::accept(&world.portal, &caller, site.organization).unwrap();
            assert_eq!(seen(&world, &site, account).state, MemberState::Active);
            assert_eq!(code(invitations::accept(&world.portal, &caller, site.organization)), "NOT_FOUND");
        }
    });
}

#[test]
fn after_fourteen_days_the_link_is_dead_and_seats_follow_the_setting() {
    on_both(|db| {
        let world = World::new(db);
        let site = site(&world);
        let account = invite(&world, &site, "mia@studio.example").account.id;
        assignments::assign(&world.portal, &site.ada, site.license, account, 4).unwrap();
        let link = world.link("invitation", "mia@studio.example");
        world.clock.advance(14 * DAY_MS - 1);
        invitations::look(&world.portal, &link).unwrap();
        world.clock.advance(1);
        assert_eq!(code(invitations::look(&world.portal, &link)), "LINK_ENDED");
        let floating = || world.look(site.license).seats_floating;
        assert_eq!((invitations::free_overdue(&world.portal).unwrap(), floating()), (0, 6), "they are kept");
        let free = ChangeOrganization { pending_seats: Some(PendingSeats::Free), confirmed: None };
        organizations::change(&world.portal, &site.ada, site.organization, free).unwrap();
        assert_eq!((invitations::free_overdue(&world.portal).unwrap(), floating()), (1, 10));
        assert_eq!(invitations::free_overdue(&world.portal).unwrap(), 0);
        // The person stays in the list, and can be invited anew.
        assert_eq!(seen(&world, &site, account).state, MemberState::Invited);
        invitations::resend(&world.portal, &site.ada, site.organization, account).unwrap();
        join(&world, "mia@studio.example", "Mia");
        assert_eq!(seen(&world, &site, account).state, MemberState::Active);

        // Withdrawn: the link is dead at once and the seats are back.
        let account = invite(&world, &site, "max@studio.example").account.id;
        assignments::assign(&world.portal, &site.ada, site.license, account, 2).unwrap();
        let link = world.link("invitation", "max@studio.example");
        members::remove(&world.portal, &site.ada, site.organization, account).unwrap();
        assert_eq!((code(invitations::look(&world.portal, &link)), floating()), ("LINK_ENDED".to_owned(), 10));
    });
}

#[test]
fn suspended_people_have_nothing_until_they_are_reinstated() {
    on_both(|db| {
        let world = World::new(db);
        let site = site(&world);
        let mia = world.customer("mia");
        world.add_member(site.organization, "mia@studio.example");
        assignments::assign(&world.portal, &site.ada, site.license, id(&mia), 3).unwrap();
        let mut own = Online::enable(&world, &mia, Scope::Person);
        assert_eq!(own.holds(site.license), 3);
        let suspend = |suspended| {
            let wish = ChangeMember { suspended: Some(suspended), role: None };
            members::change(&world.portal, &site.ada, site.organization, id(&mia), wish).unwrap()
        };
        assert_eq!(suspend(true).state, MemberState::Suspended);
        own.sync(&world, &[(site.license, report(3, 0, 0))]);
        assert_eq!(own.holds(site.license), 0, "idle seats leave with the next sync");
        own.sync(&world, &[(site.license, report(0, 0, 0))]);
        // They are kept for her, and nobody else gets them.
        let license = world.look(site.license);
        assert_eq!((license.seats_assigned, license.seats_floating), (3, 7));
        assert!(assignments::mine(&world.portal, &mia).unwrap().items.is_empty());
        suspend(false);
        own.sync(&world, &[(site.license, report(0, 0, 0))]);
        assert_eq!(own.holds(site.license), 3);
        // A role is nothing while somebody is suspended.
        let wish = ChangeMember { role: Some(OrganizationRole::Viewer), suspended: Some(true) };
        members::change(&world.portal, &site.ada, site.organization, id(&mia), wish).unwrap();
        assert!(sign_in(&world.portal, "mia@studio.example").organizations().next().is_none());
        members::remove(&world.portal, &site.ada, site.organization, id(&mia)).unwrap();
        own.sync(&world, &[(site.license, report(3, 0, 0))]);
        own.sync(&world, &[(site.license, report(0, 0, 0))]);
        assert_eq!(world.look(site.license).seats_floating, 10);
    });
}

#[test]
fn a_lapsed_organization_stays_and_invites_nobody_until_it_is_renewed() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let until = world.now().plus(30 * DAY_MS).utc_date();
        let term = leasehold_core::license::Term::Subscription { until };
        let sold = |product: &str| world.sell(&NewLicense { term, ..world.wish(&ada, world.product(product), 5) });
        let license = sold("studio").id;
        let ada = sign_in(&world.portal, "ada@studio.example");
        let site = Site { license, organization: ada.administers().unwrap(), ada };
        world.customer("mia");
        let mia = world.add_member(site.organization, "mia@studio.example");
        let invited = invite(&world, &site, "max@studio.example");
        let of = |site: &Site| organizations::get(&world.portal, &site.ada, site.organization).unwrap();
        assert!(of(&site).active);
        world.clock.advance(32 * DAY_MS);
        let site = Site { ada: sign_in(&world.portal, "ada@studio.example"), ..site };
        assert!(!of(&site).active);
        let refused = invitations::invite(&world.portal, &site.ada, site.organization, &wish("new@studio.example"));
        assert_eq!(code(refused), "LAPSED");
        let refused = invitations::resend(&world.portal, &site.ada, site.organization, invited.account.id);
        assert_eq!(code(refused), "LAPSED");
        let people = organizations::members(&world.portal, &site.ada, site.organization).unwrap().items;
        assert!(people.len() == 2 && people.iter().any(|member| member.account.id == mia.id));
        // Set so by the vendor, and by nobody else; or renewed.
        let confirm = |confirmed| ChangeOrganization { confirmed: Some(confirmed), pending_seats: None };
        let by_owner = organizations::change(&world.portal, &site.ada, site.organization, confirm(true));
        assert_eq!(code(by_owner), "FORBIDDEN");
        organizations::change(&world.portal, &world.operator, site.organization, confirm(true)).unwrap();
        assert!(of(&site).active && of(&site).confirmed);
        organizations::change(&world.portal, &world.operator, site.organization, confirm(false)).unwrap();
        assert!(!of(&site).active);
        let trial = NewLicense { channel: Channel::Trial, ..world.wish(&site.ada, world.product("try"), 1) };
        world.sell(&NewLicense { organization: Some(true), ..trial });
        assert!(!of(&site).active, "a trial is no commercial license");
        let until = world.now().plus(30 * DAY_MS).utc_date();
        let term = leasehold_core::license::Term::Subscription { until };
        world.sell(&NewLicense { term, ..world.wish(&site.ada, world.product("renewed"), 5) });
        invite(&world, &site, "new@studio.example");
    });
}

#[test]
fn who_may_invite_and_how_often() {
    let db = fresh_in_line();
    let world = World::new(&db);
    let site = site(&world);
    let liam = world.customer("liam");
    world.add_member(site.organization, "liam@studio.example");
    let role = |role| {
        let wish = ChangeMember { role: Some(role), suspended: None };
        members::change(&world.portal, &site.ada, site.organization, id(&liam), wish).unwrap();
        acting_for(&world.portal, "liam@studio.example", site.organization)
    };
    let by = |caller: &Caller, email: &str, role| {
        let wish = NewMember { email: email.into(), role };
        invitations::invite(&world.portal, caller, site.organization, &wish)
    };
    assert_eq!(code(by(&role(OrganizationRole::LicenseManager), "a@studio.example", None)), "FORBIDDEN");
    assert!(world.letter("invitation", "a@studio.example").is_none());
    let administrator = role(OrganizationRole::Administrator);
    let viewer = by(&administrator, "v@studio.example", Some(OrganizationRole::Viewer)).unwrap();
    assert_eq!(viewer.role, OrganizationRole::Viewer);
    assert_eq!(code(by(&administrator, "o@studio.example", Some(OrganizationRole::Owner))), "BAD_FIELD");
    // Invited, she sees nothing; having come, what a viewer sees.
    let caller = join(&world, "v@studio.example", "Vera");
    let look = |caller: &Caller| organizations::members(&world.portal, caller, site.organization).map(drop);
    assert_eq!(code(look(&world.customer("stranger"))), "NOT_FOUND");
    let caller = sign_in(&world.portal, &caller.account().unwrap().email.clone());
    look(&caller).unwrap();
    // Nobody fills another's mailbox.
    let account = by(&administrator, "p@studio.example", None).unwrap().account.id;
    let again = || invitations::resend(&world.portal, &administrator, site.organization, account);
    for _ in 0..4 {
        again().unwrap();
    }
    assert_eq!(code(again()), "TOO_MANY_REQUESTS");
    by(&administrator, "q@studio.example", None).unwrap();
}

#[test]
fn the_link_of_a_letter_is_a_page_that_does_nothing_by_itself() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    invite(world, &site, "mia@studio.example");
    let link = format!("/join?token={}", world.link("invitation", "mia@studio.example"));
    let stranger = Browser::of(&http, None);
    for _ in 0..2 {
        let page = stranger.get(&link);
        assert!(page.text().contains("Join ada") && page.text().contains("Make Account and Join"), "{}", page.text());
    }
    // Somebody else is signed in.
    let other = Browser::of(&http, Some("ada@studio.example"));
    assert!(other.get(&link).text().contains("you are signed in as"));
    let token = world.link("invitation", "mia@studio.example");
    let weak = stranger.post("/join", &[("token", &token), ("name", "Mia"), ("password", "passwordpassword")]);
    assert!(weak.status.as_u16() == 422 && weak.text().contains("The password"), "{}", weak.text());
    let joined = stranger.post("/join", &[("token", &token), ("name", "Mia"), ("password", PASSWORD)]);
    assert_eq!(location(&joined), "/licenses?done=joined");
    let dead = stranger.get(&link);
    assert!(dead.status.as_u16() == 410 && dead.text().contains("cannot be used any more"), "{}", dead.text());
}
