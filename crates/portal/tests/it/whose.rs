//! Licenses of an organization and those of its owner's own person: who sees them, and which license server has them.

use crate::api::Http;
use crate::browser::{Browser, location};
use crate::online::Online;
use crate::people::{Site, site};
use crate::world::{World, acting_for, all, code, id};
use leasehold_core::access::OrganizationRole;
use leasehold_core::ids::LicenseId;
use leasehold_core::license::{Channel, Scope};
use leasehold_db::testing::{fresh_in_line, on_both};
use leasehold_portal::Caller;
use leasehold_portal::service::activation::{self, Wish};
use leasehold_portal::service::{assignments, enable, licenses, members};
use leasehold_wire::portal::{ChangeMember, License, NewLicense};
use std::collections::BTreeSet;

fn sold(world: &World, owner: &Caller, product: &str, channel: Channel, organization: Option<bool>) -> License {
    let wish = world.wish(owner, world.product(product), 4);
    world.sell(&NewLicense { channel, organization, ..wish })
}

/// Dora looks after Ada's organization with everything that can be given.
fn administrator(world: &World, site: &Site) -> Caller {
    let dora = world.customer("dora");
    world.add_member(site.organization, "dora@studio.example");
    let role = ChangeMember { role: Some(OrganizationRole::Administrator), suspended: None };
    members::change(&world.portal, &site.ada, site.organization, id(&dora), role).unwrap();
    acting_for(&world.portal, "dora@studio.example", site.organization)
}

#[test]
fn what_is_an_owners_own_is_nobody_elses() {
    on_both(|db| {
        let world = World::new(db);
        let site = site(&world);
        let own = sold(&world, &site.ada, "board", Channel::Trial, None);
        assert_eq!((own.organization, world.look(site.license).organization), (None, Some(site.organization)));
        let ids = |caller: &Caller| -> BTreeSet<LicenseId> {
            let items = licenses::list(&world.portal, caller, &all()).unwrap().items;
            items.iter().map(|license| license.id).collect()
        };
        let dora = administrator(&world, &site);
        assert_eq!(ids(&site.ada), [own.id, site.license].into());
        assert_eq!(ids(&dora), [site.license].into());
        assert_eq!(code(licenses::get(&world.portal, &dora, own.id)), "NOT_FOUND");
        assert_eq!(code(assignments::assign(&world.portal, &dora, own.id, id(&dora), 1)), "NOT_FOUND");
        assert_eq!(code(assignments::revoke(&world.portal, &dora, own.id, id(&site.ada))), "NOT_FOUND");
        // It is given to nobody, by its owner neither.
        assert_eq!(code(assignments::assign(&world.portal, &site.ada, own.id, id(&dora), 1)), "OWN_LICENSE");

        // Online: the organization's server has what is the organization's, the owner's own has both.
        let floor = Online::enable(&world, &dora, Scope::Organization);
        assert_eq!((floor.holds(site.license), floor.holds(own.id)), (10, 0));
        let mine = Online::enable(&world, &site.ada, Scope::Person);
        assert_eq!(mine.holds(own.id), 4);

        // By file the same; for whom it works is asked, and kept when it is renewed.
        let (upstairs, laptop) = (world.server(), world.server());
        let offered = |caller: &Caller, file: &str, scope: Option<Scope>| {
            let wish = Wish { scope, ..Wish::default() };
            activation::inspect(&world.portal, caller, file.as_bytes(), &wish).map(|look| {
                let offers: Vec<LicenseId> = look.offers.iter().map(|offer| offer.license).collect();
                (look.scope, offers)
            })
        };
        let file = upstairs.request(&world);
        assert_eq!(offered(&site.ada, &file, None).unwrap(), (Scope::Organization, vec![site.license]));
        assert_eq!(offered(&dora, &file, None).unwrap(), (Scope::Organization, vec![site.license]));
        let (scope, both) = offered(&site.ada, &file, Some(Scope::Person)).unwrap();
        assert_eq!((scope, both.len()), (Scope::Person, 2));
        assert_eq!(code(offered(&dora, &file, Some(Scope::Person))), "BAD_FIELD");
        let lines = Some(vec![world.line(own.id, 1, 20)]);
        assert_eq!(code(world.activate(&site.ada, &upstairs, lines.clone())), "UNKNOWN_LICENSE");
        sold(&world, &site.ada, "easel", Channel::Beta, None);
        let wish = Wish { scope: Some(Scope::Person), ..Wish::default() };
        let activated =
            activation::activate(&world.portal, &site.ada, None, laptop.request(&world).as_bytes(), &wish).unwrap();
        assert_eq!(activated.workstation.scope, Scope::Person);
        assert_eq!(offered(&site.ada, &laptop.request(&world), None).unwrap().0, Scope::Person);
        assert_eq!(code(offered(&dora, &laptop.request(&world), None)), "BAD_FIELD");
    });
}

#[test]
fn whose_a_license_is_follows_from_its_channel_unless_it_is_said() {
    let db = fresh_in_line();
    let world = World::new(&db);
    let mia = world.customer("mia");
    // Nobody is an organization by what they try out.
    for channel in [Channel::Trial, Channel::Beta, Channel::Student, Channel::Nfr] {
        assert_eq!(sold(&world, &mia, channel.word(), channel, None).organization, None, "{channel}");
    }
    let wish = world.wish(&mia, world.product("early"), 4);
    let wish = NewLicense { channel: Channel::Educator, organization: Some(true), ..wish };
    assert_eq!(code(licenses::create(&world.portal, &world.operator, None, &wish)), "BAD_FIELD");
    let server = world.server();
    let activated = world.activate(&mia, &server, None).unwrap();
    assert_eq!((activated.workstation.scope, activated.seats), (Scope::Person, 16));
    // She buys for work: what she had stays hers, and so does the license server that has it.
    let bought = sold(&world, &mia, "studio", Channel::Commercial, None);
    let organization = bought.organization.unwrap();
    for (channel, wish, expected) in [
        (Channel::Educator, Some(true), Some(organization)),
        (Channel::Nfr, None, Some(organization)),
        (Channel::Trial, None, None),
        (Channel::Commercial, Some(false), None),
    ] {
        let product = format!("later-{}", channel.word());
        assert_eq!(sold(&world, &mia, &product, channel, wish).organization, expected, "{channel}");
    }
    let file = server.request(&world);
    let mia = crate::world::sign_in(&world.portal, "mia@studio.example");
    let look = activation::inspect(&world.portal, &mia, file.as_bytes(), &Wish::default()).unwrap();
    assert_eq!(look.scope, Scope::Person);
    assert!(look.offers.iter().any(|offer| offer.license == bought.id), "what floats is hers too");
    let file = world.server().request(&world);
    let look = activation::inspect(&world.portal, &mia, file.as_bytes(), &Wish::default()).unwrap();
    assert_eq!((look.scope, look.offers.len()), (Scope::Organization, 3));
}

#[test]
fn pages_ask_for_whom_and_say_whose() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let site = site(world);
    sold(world, &site.ada, "board", Channel::Trial, None);
    let owner = Browser::of(&http, Some("ada@studio.example"));
    let list = owner.get("/licenses");
    let list = list.text();
    assert!(list.contains(">organization<") && list.contains(">personal<"), "{list}");
    assert!(owner.get("/workstations/activate").text().contains("For whom it is to work"));
    administrator(world, &site);
    let other = Browser::of(&http, Some("dora@studio.example"));
    other.post("/organization/switch", &[("organization", &site.organization.to_string())]);
    assert!(!other.get("/licenses").text().contains(">personal<"));
    assert!(!other.get("/workstations/activate").text().contains("For whom it is to work"));
    // How somebody calls their own license server is theirs.
    let mia = world.customer("mia");
    world.add_member(site.organization, "mia@studio.example");
    assignments::assign(&world.portal, &site.ada, site.license, id(&mia), 2).unwrap();
    let wish = leasehold_wire::portal::Enable {
        request: world.server().request(world),
        scope: Scope::Person,
        name: Some("Mia's secret box".into()),
    };
    enable::enable(&world.portal, &mia, None, &wish).unwrap();
    let of_license = format!("/licenses/{}", site.license);
    let page = other.get(&of_license);
    let page = page.text();
    assert!(page.contains("A server of theirs") && !page.contains("secret box"), "{page}");
    let seen = licenses::get(&world.portal, &site.ada, site.license).unwrap();
    assert!(seen.holders.iter().all(|holder| holder.name.is_empty()), "{:?}", seen.holders);
    let seen = licenses::get(&world.portal, &world.operator, site.license).unwrap();
    assert!(seen.holders.iter().any(|holder| holder.name == "Mia's secret box"));
    // Sold on the page, for whom it says.
    let operator = Browser::of(&http, Some("olga@acme.example"));
    let (ada, board) = (id(&site.ada).to_string(), world.product("easel").to_string());
    let form = [
        ("owner", &*ada),
        ("product", &*board),
        ("seats", "2"),
        ("kind", "floating"),
        ("channel", "beta"),
        ("whose", "organization"),
        ("term", "subscription"),
        ("until", "2030-01-01"),
        ("form", "0123456789abcdef"),
    ];
    let answer = operator.post("/licenses/new", &form);
    let sold = location(&answer);
    let id: LicenseId = sold.trim_start_matches("/licenses/").split('?').next().unwrap().parse().unwrap();
    assert_eq!(world.look(id).organization, Some(site.organization));
}
