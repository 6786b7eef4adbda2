//! Organizations that pass to another owner.

use crate::api::Http;
use crate::browser::{Browser, location};
use crate::online::{Online, report};
use crate::people::{Site, site};
use crate::world::{PASSWORD, World, code, id, sign_in};
use leasehold_core::access::OrganizationRole;
use leasehold_core::ids::LicenseId;
use leasehold_core::license::{Channel, Scope};
use leasehold_core::time::DAY_MS;
use leasehold_db::testing::{fresh_in_line, on_both};
use leasehold_portal::service::{assignments, licenses, organizations, ownership, workstations};
use leasehold_portal::{Caller, Failure};
use leasehold_wire::portal::{NewLicense, OfferOwnership, OwnedQuery};
use std::collections::BTreeSet;

fn offer(world: &World, site: &Site, to: &Caller) -> Result<(), Failure> {
    let wish = OfferOwnership { account: id(to), password: PASSWORD.into() };
    ownership::offer(&world.portal, &site.ada, site.organization, &wish)
}

fn ids(world: &World, caller: &Caller) -> BTreeSet<LicenseId> {
    let items = licenses::list(&world.portal, caller, &OwnedQuery::default()).unwrap().items;
    items.iter().map(|license| license.id).collect()
}

#[test]
fn an_organization_passes_when_both_say_so_with_all_that_is_its_own_and_nothing_else() {
    on_both(|db| {
        let world = World::new(db);
        let site = site(&world);
        let own = NewLicense { channel: Channel::Trial, ..world.wish(&site.ada, world.product("board"), 2) };
        let own = world.sell(&own).id;
        let mia = world.customer("mia");
        world.add_member(site.organization, "mia@studio.example");
        assignments::assign(&world.portal, &site.ada, site.license, id(&mia), 2).unwrap();
        let mut floor = Online::enable(&world, &site.ada, Scope::Organization);
        let mut laptop = Online::enable(&world, &site.ada, Scope::Person);
        assert_eq!((floor.holds(site.license), laptop.holds(own)), (8, 2));
        floor.sync(&world, &[(site.license, report(8, 5, 0))]);

        let wrong = OfferOwnership { account: id(&mia), password: "not the password".into() };
        assert_eq!(code(ownership::offer(&world.portal, &site.ada, site.organization, &wrong)), "BAD_FIELD");
        assert_eq!(code(ownership::accept(&world.portal, &mia, site.organization)), "NOT_FOUND");
        offer(&world, &site, &mia).unwrap();
        assert!(world.letter("ownership", "mia@studio.example").is_some());
        assert_eq!(ownership::mine(&world.portal, &mia).unwrap().items.len(), 1);
        // Nothing has passed yet; taken back, it cannot.
        ownership::end_offer(&world.portal, &site.ada, site.organization).unwrap();
        assert_eq!(code(ownership::accept(&world.portal, &mia, site.organization)), "NOT_FOUND");
        offer(&world, &site, &mia).unwrap();
        ownership::end_offer(&world.portal, &mia, site.organization).unwrap();
        offer(&world, &site, &mia).unwrap();
        ownership::accept(&world.portal, &mia, site.organization).unwrap();

        let (ada, mia) = (sign_in(&world.portal, "ada@studio.example"), sign_in(&world.portal, "mia@studio.example"));
        assert_eq!((ada.administers(), mia.administers()), (None, Some(site.organization)));
        assert_eq!((ids(&world, &mia), ids(&world, &ada)), ([site.license].into(), [own].into()));
        assert_eq!(workstations::get(&world.portal, &mia, floor.workstation).unwrap().owner.id, id(&mia));
        assert_eq!(code(workstations::get(&world.portal, &mia, laptop.workstation)), "NOT_FOUND");
        let people = organizations::members(&world.portal, &mia, site.organization).unwrap().items;
        assert_eq!(people.len(), 1);
        assert_eq!((people[0].account.id, people[0].role), (id(&ada), OrganizationRole::Administrator));
        // Whatever works goes on, as the organization's; seats are where they were.
        floor.sync(&world, &[(site.license, report(8, 5, 0))]);
        assert_eq!(floor.holds(site.license), 8);
        laptop.sync(&world, &[(own, report(2, 1, 0))]);
        assert_eq!(laptop.holds(own), 2);
        let license = world.look(site.license);
        assert_eq!((license.owner.id, license.organization, license.over_by), (id(&mia), Some(site.organization), 0));
        assert_eq!((license.seats_assigned, license.seats_floating), (2, 8));
        // Back again: what was Ada's is hers anew.
        let back = Site { ada: mia, ..site };
        offer(&world, &back, &ada).unwrap();
        ownership::accept(&world.portal, &ada, back.organization).unwrap();
        assert_eq!(ids(&world, &sign_in(&world.portal, "ada@studio.example")), [own, back.license].into());
    });
}

#[test]
fn what_the_owner_drew_from_the_organization_goes_back_when_it_passes() {
    let db = fresh_in_line();
    let world = World::new(&db);
    let site = site(&world);
    let mia = world.customer("mia");
    world.add_member(site.organization, "mia@studio.example");
    let mut laptop = Online::enable(&world, &site.ada, Scope::Person);
    assert_eq!(laptop.holds(site.license), 10, "what nobody was given is its owner's");
    offer(&world, &site, &mia).unwrap();
    ownership::accept(&world.portal, &mia, site.organization).unwrap();
    let license = world.look(site.license);
    assert_eq!((license.seats_out, license.seats_floating), (10, 0), "they count until they are back");
    laptop.sync(&world, &[(site.license, report(10, 0, 0))]);
    laptop.sync(&world, &[(site.license, report(0, 0, 0))]);
    assert_eq!((laptop.holds(site.license), world.look(site.license).seats_floating), (0, 10));
}

#[test]
fn who_cannot_have_it_and_until_when() {
    let db = fresh_in_line();
    let world = World::new(&db);
    let site = site(&world);
    let (bob, mia, stranger) = (world.customer("bob"), world.customer("mia"), world.customer("stranger"));
    world.license(&bob, world.product("other"), 3);
    for email in ["bob@studio.example", "mia@studio.example"] {
        world.add_member(site.organization, email);
    }
    assert_eq!(code(offer(&world, &site, &stranger)), "BAD_FIELD");
    // Whether somebody owns one is theirs to know: it is said to whoever accepts.
    offer(&world, &site, &bob).unwrap();
    assert_eq!(code(ownership::accept(&world.portal, &bob, site.organization)), "OWNS_ONE");
    assert_eq!(code(ownership::accept(&world.portal, &mia, site.organization)), "NOT_FOUND");
    offer(&world, &site, &mia).unwrap();
    world.clock.advance(14 * DAY_MS);
    assert_eq!(code(ownership::accept(&world.portal, &mia, site.organization)), "NOT_FOUND");
    // Nobody but the owner offers it, operators neither.
    let wish = OfferOwnership { account: id(&mia), password: PASSWORD.into() };
    assert_eq!(code(ownership::offer(&world.portal, &world.operator, site.organization, &wish)), "FORBIDDEN");
    assert_eq!(code(ownership::offer(&world.portal, &stranger, site.organization, &wish)), "NOT_FOUND");
    // The command on the vendor's machine asks neither.
    let to = |from: &str, to: &str| {
        ownership::pass_on(&world.portal, &format!("{from}@studio.example"), &format!("{to}@studio.example"))
    };
    assert_eq!(code(to("ada", "bob")), "OWNS_ONE");
    assert_eq!(code(to("mia", "ada")), "BAD_FIELD");
    assert_eq!(code(to("ada", "nobody")), "BAD_FIELD");
    let passed = to("ada", "stranger").unwrap();
    assert_eq!((passed.id, passed.owner.id), (site.organization, id(&stranger)));
    assert!(world.letter("passed", "ada@studio.example").is_some());
}

#[test]
fn the_pages_ask_both() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    let mia = world.customer("mia");
    world.add_member(site.organization, "mia@studio.example");
    let here = format!("/organizations/{}", site.organization);
    let person = format!("{here}/members/{}", id(&mia));
    let owner = Browser::of(&http, Some("ada@studio.example"));
    assert!(owner.get(&person).text().contains("Make Owner"));
    let question = owner.get(&format!("{person}/owner"));
    assert!(question.text().contains("Make mia the owner?"), "{}", question.text());
    let wrong = owner.post(&format!("{person}/owner"), &[("password", "wrong")]);
    assert!(wrong.status.as_u16() == 422 && wrong.text().contains("The password is not"), "{}", wrong.text());
    let offered = owner.post(&format!("{person}/owner"), &[("password", PASSWORD)]);
    assert_eq!(location(&offered), format!("{person}?done=offered"));
    let page = owner.get(&person);
    assert!(page.text().contains("Take Offer Back") && page.text().contains("is offered to them"), "{}", page.text());
    let mias = Browser::of(&http, Some("mia@studio.example"));
    let accept = format!("/account/offers/{}/accept", site.organization);
    assert!(mias.get("/account").text().contains(&accept));
    assert_eq!(location(&mias.post(&accept, &[])), format!("{here}?done=yours"));
    assert!(mias.get(&format!("{here}?done=yours")).text().contains("The organization is yours"));
    assert_eq!(owner.get(&format!("{here}/members/{}/owner", id(&site.ada))).status.as_u16(), 403);
}
