//! What somebody may do in an organization: by the table, by the services, and as its pages show it.

use crate::api::Http;
use crate::browser::{Browser, location};
use crate::online::Online;
use crate::people::{Site, site};
use crate::world::{HOME, all, code, id, sign_in};
use leasehold_core::access::{OrganizationRole, ROLE_ACTIONS, role_may};
use leasehold_core::license::Scope;
use leasehold_db::testing::fresh_in_line;
use leasehold_portal::Caller;
use leasehold_portal::service::{assignments, audit, licenses, members, organizations, sessions, workstations};
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{AuditEntry, ChangeMember, PageQuery};

#[test]
fn the_table_of_roles_says_what_the_code_does() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ROLES.md")).unwrap();
    for (action, what) in ROLE_ACTIONS {
        let may = OrganizationRole::ALL.iter().map(|role| if role_may(*role, *action) { "yes" } else { "–" });
        let row = format!("| {what} | {} |", may.collect::<Vec<_>>().join(" | "));
        assert!(page.lines().any(|line| line == row), "docs/ROLES.md has no row:\n{row}");
    }
    assert_eq!(page.lines().filter(|line| line.starts_with("| ")).count(), ROLE_ACTIONS.len() + 2);
}

/// Ada's organization, for which Dora works, who owns nothing.
#[test]
fn whoever_looks_after_an_organization_sees_it_and_acts_for_it_as_its_owner_would() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let Site { license, organization, ada } = site(world);
    let dora = world.customer("dora");
    world.add_member(organization, "dora@studio.example");
    let change = |role| {
        members::change(
            &world.portal,
            &ada,
            organization,
            id(&dora),
            ChangeMember { role: Some(role), suspended: None },
        )
    };
    let list = |caller: &Caller| licenses::list(&world.portal, caller, &all()).unwrap().items;
    let again = || sign_in(&world.portal, "dora@studio.example");

    // A user has no part in it.
    let user = again();
    assert_eq!(code(organizations::act_for(&world.portal, &user, Some(organization))), "NOT_FOUND");
    assert_eq!(code(organizations::members(&world.portal, &user, organization)), "NOT_FOUND");

    change(OrganizationRole::Viewer).unwrap();
    let token = http.token("dora@studio.example");
    let dora_now = || sessions::caller(&world.portal, SessionToken::parse(&token).as_ref(), HOME).unwrap();
    assert!(list(&dora_now()).is_empty(), "her own things, before she switches");
    organizations::act_for(&world.portal, &dora_now(), Some(organization)).unwrap();
    assert_eq!(list(&dora_now()).iter().map(|license| license.id).collect::<Vec<_>>(), [license]);
    assert_eq!(code(assignments::assign(&world.portal, &dora_now(), license, id(&dora), 1)), "FORBIDDEN");

    change(OrganizationRole::LicenseManager).unwrap();
    assignments::assign(&world.portal, &dora_now(), license, id(&dora), 1).unwrap();
    assert_eq!(code(members::remove(&world.portal, &dora_now(), organization, id(&dora))), "FORBIDDEN");
    // The license server that she enables is the organization's.
    let online = Online::enable(world, &dora_now(), Scope::Organization);
    let seen = workstations::get(&world.portal, &ada, online.workstation).unwrap();
    assert_eq!(seen.owner.id, id(&ada));
    // One that works for Ada alone is hers alone.
    let own = Online::enable(world, &ada, Scope::Person);
    assert_eq!(code(workstations::get(&world.portal, &dora_now(), own.workstation)), "NOT_FOUND");
    let listed = workstations::list(&world.portal, &dora_now(), &all()).unwrap().items;
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [online.workstation]);
    assert_eq!(workstations::list(&world.portal, &ada, &all()).unwrap().items.len(), 2);

    // Back to a user, she acts for nobody but herself, without doing anything.
    change(OrganizationRole::User).unwrap();
    assert!(list(&dora_now()).is_empty() && dora_now().acts_for().is_none());

    // Nobody becomes the owner by being told, and the owner's part cannot be changed.
    assert_eq!(code(change(OrganizationRole::Owner)), "BAD_FIELD");
    let role = OrganizationRole::Viewer;
    let of_owner = members::change(
        &world.portal,
        &ada,
        organization,
        id(&ada),
        ChangeMember { role: Some(role), suspended: None },
    );
    assert_eq!(code(of_owner), "BAD_FIELD");
    let log = audit::list(&world.portal, &world.operator, &PageQuery::default()).unwrap();
    let changes: Vec<_> = log.items.iter().filter(|entry| entry.action == "member.role").collect();
    assert_eq!(changes.len(), 3);
    let back = |entry: &&&AuditEntry| entry.detail["from"] == "license_manager" && entry.detail["to"] == "user";
    assert_eq!(changes.iter().filter(back).count(), 1);
}

#[test]
fn the_pages_show_what_one_may_do_and_for_whom_one_does_it() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let Site { license, organization, .. } = site(world);
    let dora = id(&world.customer("dora"));
    world.add_member(organization, "dora@studio.example");
    let here = format!("/organizations/{organization}");
    let person = format!("{here}/members/{dora}");
    let (of_license, of_dora) = (format!("/licenses/{license}"), format!("{person}/role"));

    let owner = Browser::of(&http, Some("ada@studio.example"));
    assert!(owner.get(&here).text().contains(&person) && owner.get(&person).text().contains(&of_dora));
    assert!(!owner.get("/").text().contains("/organization/switch"), "there is nothing to switch to");
    let refused = owner.post(&of_dora, &[("role", "emperor")]);
    assert!(refused.text().contains("The role must be chosen"), "{}", refused.text());
    assert_eq!(location(&owner.post(&of_dora, &[("role", "viewer")])), format!("{person}?done=role"));
    let said = owner.get(&format!("{person}?done=role"));
    assert!(said.text().contains(" is viewer now."), "{}", said.text());

    let viewer = Browser::of(&http, Some("dora@studio.example"));
    assert!(!viewer.get("/licenses").text().contains(&of_license));
    let choices = viewer.get("/organization/switch");
    assert!(choices.text().contains("Yourself") && choices.text().contains(&organization.to_string()));
    let switched = viewer.post("/organization/switch", &[("organization", &organization.to_string())]);
    assert_eq!(location(&switched), "/organization");
    assert!(viewer.get("/licenses").text().contains(&of_license));
    let page = viewer.get(&of_license);
    assert!(!page.text().contains("id=\"assign\"") && !page.text().contains("Take back"), "{}", page.text());
    let people = viewer.get(&here);
    let one = viewer.get(&person);
    for not in ["/role", "/remove", "/suspend", "/assign", "id=\"invite\"", "id=\"pending\""] {
        assert!(!people.text().contains(not) && !one.text().contains(not), "{not}");
    }
    assert!(!viewer.get("/workstations").text().contains("Activate Workstation"));
    assert_eq!(viewer.get(&of_dora).status, 403);
    assert_eq!(location(&viewer.post("/organization/switch", &[("organization", "me")])), "/licenses");
    assert!(!viewer.get("/licenses").text().contains(&of_license));
    assert_eq!(viewer.post("/organization/switch", &[("organization", "org_nothing")]).status, 404);
}
