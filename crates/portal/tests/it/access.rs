//! No open door: every route of the OpenAPI document x everybody who may ask. A route without a row fails.

use crate::api::Http;
use crate::online::{Online, report};
use crate::world::{HOME, PASSWORD, World, id, sign_in};
use axum::http::Method;
use leasehold_core::access::{OrganizationRole, TokenScope};
use leasehold_core::ids::{MailId, PassId, SessionId, TokenId};
use leasehold_core::license::{Scope, Share};
use leasehold_core::random::Seeded;
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_db::testing::fresh_in_line;
use leasehold_portal::Caller;
use leasehold_portal::service::{
    assignments, devices, enable, invitations, members, outbox, own_account, ownership, sign_up,
};
use leasehold_wire::portal::{
    ChangeEmail, ChangeMember, DEVICE_GRANT, DeviceRequest, NewEnableToken, NewMember, NewToken, OfferOwnership,
    RequestReset, SignUp,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Statuses for nobody; a user who owns nothing; in the owner's organization a member, a viewer, a license manager and an
/// administrator; the owner of another organization; the owner; an operator.
type Row = (&'static str, &'static str, [u16; 9]);

const WHO: [&str; 9] =
    ["nobody", "user", "member", "viewer", "license manager", "administrator", "other owner", "owner", "operator"];

const ANYBODY: [u16; 9] = [200; 9];
const ANYBODY_EMPTY: [u16; 9] = [204; 9];
const SIGNED_IN: [u16; 9] = [401, 200, 200, 200, 200, 200, 200, 200, 200];
const SIGNED_IN_EMPTY: [u16; 9] = [401, 204, 204, 204, 204, 204, 204, 204, 204];
/// What of the organization can be seen.
const SEEN: [u16; 9] = [401, 404, 404, 200, 200, 200, 404, 200, 200];
/// Its license servers and seats.
const MANAGED: [u16; 9] = [401, 404, 404, 403, 200, 200, 404, 200, 200];
const MANAGED_CREATES: [u16; 9] = [401, 404, 404, 403, 201, 201, 404, 201, 201];
/// Its people.
const PEOPLE: [u16; 9] = [401, 404, 404, 403, 403, 200, 404, 200, 200];
const PEOPLE_CREATES: [u16; 9] = [401, 404, 404, 403, 403, 201, 404, 201, 201];
const PEOPLE_EMPTY: [u16; 9] = [401, 404, 404, 403, 403, 204, 404, 204, 204];
/// The owner's own, which is not the organization's.
const PERSONAL: [u16; 9] = [401, 404, 404, 404, 404, 404, 404, 200, 200];
const PERSONAL_EMPTY: [u16; 9] = [401, 404, 404, 404, 404, 404, 404, 204, 204];
/// The same, and no operator's either.
const OWN_EMPTY: [u16; 9] = [401, 404, 404, 404, 404, 404, 404, 204, 404];
const OPERATOR: [u16; 9] = [401, 403, 403, 403, 403, 403, 403, 403, 200];
const OPERATOR_CREATES: [u16; 9] = [401, 403, 403, 403, 403, 403, 403, 403, 201];
/// For one's own organization or the one for which one may, which everybody else does not have.
const FOR_ORGANIZATION: [u16; 9] = [401, 409, 409, 409, 201, 201, 201, 201, 409];
/// A session is no workstation's key; see `online.rs` for those.
const WORKSTATION_KEY: [u16; 9] = [401; 9];

const TABLE: &[Row] = &[
    ("get", "/healthz", ANYBODY_EMPTY),
    ("get", "/readyz", ANYBODY_EMPTY),
    ("get", "/openapi.json", ANYBODY),
    ("post", "/api/v1/sessions", [201; 9]),
    ("delete", "/api/v1/sessions/current", SIGNED_IN_EMPTY),
    ("get", "/api/v1/me", SIGNED_IN),
    ("patch", "/api/v1/me", SIGNED_IN),
    ("put", "/api/v1/me/email", [401, 202, 202, 202, 202, 202, 202, 202, 202]),
    ("delete", "/api/v1/me/email", SIGNED_IN_EMPTY),
    ("get", "/api/v1/me/sessions", SIGNED_IN),
    ("delete", "/api/v1/me/sessions", SIGNED_IN),
    // One's own, whoever one is: an operator has no other way here either.
    ("delete", "/api/v1/me/sessions/{session}", OWN_EMPTY),
    ("get", "/api/v1/me/tokens", SIGNED_IN),
    ("post", "/api/v1/me/tokens", [401, 201, 201, 201, 201, 201, 201, 201, 201]),
    ("delete", "/api/v1/me/tokens/{token}", OWN_EMPTY),
    // Whoever has the program's secret, which somebody has allowed.
    ("post", "/api/v1/device/authorize", ANYBODY),
    ("post", "/api/v1/device/token", ANYBODY),
    ("get", "/api/v1/device/codes/{code}", SIGNED_IN),
    ("post", "/api/v1/device/codes/{code}", SIGNED_IN),
    ("post", "/api/v1/sign-ups", [202; 9]),
    ("post", "/api/v1/sign-ups/confirm", [201; 9]),
    ("post", "/api/v1/password-resets", [202; 9]),
    ("post", "/api/v1/password-resets/confirm", [204; 9]),
    ("post", "/api/v1/email-changes/confirm", [200; 9]),
    ("get", "/api/v1/mails", OPERATOR),
    ("get", "/api/v1/mails/{mail}", OPERATOR),
    ("post", "/api/v1/mails/{mail}/again", OPERATOR),
    ("get", "/api/v1/settings", OPERATOR),
    ("patch", "/api/v1/settings", OPERATOR),
    ("get", "/api/v1/me/assignments", SIGNED_IN),
    ("put", "/api/v1/me/password", SIGNED_IN_EMPTY),
    ("get", "/api/v1/accounts", OPERATOR),
    ("post", "/api/v1/accounts", OPERATOR_CREATES),
    ("get", "/api/v1/accounts/{account}", PERSONAL),
    ("get", "/api/v1/products", SIGNED_IN),
    ("post", "/api/v1/products", OPERATOR_CREATES),
    ("get", "/api/v1/products/{product}", SIGNED_IN),
    ("patch", "/api/v1/products/{product}", OPERATOR),
    ("get", "/api/v1/licenses", SEEN),
    ("post", "/api/v1/licenses", OPERATOR_CREATES),
    ("get", "/api/v1/licenses/{license}", SEEN),
    ("patch", "/api/v1/licenses/{license}", OPERATOR),
    ("post", "/api/v1/licenses/{license}/end", OPERATOR),
    ("post", "/api/v1/licenses/{license}/raise", OPERATOR),
    ("get", "/api/v1/workstations", SEEN),
    ("post", "/api/v1/workstations", MANAGED_CREATES),
    ("post", "/api/v1/workstations/inspect", MANAGED),
    ("get", "/api/v1/workstations/{workstation}", SEEN),
    ("get", "/api/v1/workstations/{workstation}/documents", SEEN),
    ("get", "/api/v1/workstations/{workstation}/history", SEEN),
    ("get", "/api/v1/workstations/{workstation}/offers", MANAGED),
    ("post", "/api/v1/workstations/{workstation}/renew", MANAGED_CREATES),
    ("post", "/api/v1/workstations/{workstation}/revoke", MANAGED),
    ("get", "/api/v1/workstations/{workstation}/lost", MANAGED),
    ("post", "/api/v1/workstations/{workstation}/lost", MANAGED),
    ("get", "/api/v1/workstations/{workstation}/certificate", MANAGED),
    // Whoever does not own the key's workstation learns no more than that it is not theirs.
    ("post", "/api/v1/receipts", [401, 409, 409, 403, 200, 200, 409, 200, 200]),
    ("put", "/api/v1/licenses/{license}/assignments/{account}", MANAGED),
    ("delete", "/api/v1/licenses/{license}/assignments/{account}", MANAGED),
    ("get", "/api/v1/organizations", SIGNED_IN),
    ("get", "/api/v1/organizations/{organization}/members", SEEN),
    ("post", "/api/v1/organizations/{organization}/members", PEOPLE_CREATES),
    ("patch", "/api/v1/organizations/{organization}/members/{account}", PEOPLE),
    ("delete", "/api/v1/organizations/{organization}/members/{account}", PEOPLE_EMPTY),
    ("get", "/api/v1/organizations/{organization}/members/{account}", SEEN),
    ("post", "/api/v1/organizations/{organization}/members/{account}/invitation", PEOPLE),
    ("patch", "/api/v1/organizations/{organization}", PEOPLE),
    // Whoever has the letter.
    ("post", "/api/v1/invitations/look", ANYBODY),
    ("post", "/api/v1/invitations/join", [201; 9]),
    ("get", "/api/v1/me/invitations", SIGNED_IN),
    // It is offered to the member: whoever owns it takes that back, or the member says no.
    ("put", "/api/v1/organizations/{organization}/offer", [401, 404, 404, 403, 403, 403, 404, 204, 403]),
    ("delete", "/api/v1/organizations/{organization}/offer", [401, 404, 204, 404, 404, 404, 404, 204, 404]),
    ("get", "/api/v1/me/offers", SIGNED_IN),
    ("post", "/api/v1/me/offers/{organization}", [401, 404, 204, 404, 404, 404, 404, 404, 404]),
    // The user is invited. Nobody leaves what is their own.
    ("put", "/api/v1/me/organizations/{organization}", [401, 204, 404, 404, 404, 404, 404, 404, 404]),
    ("delete", "/api/v1/me/organizations/{organization}", [401, 204, 204, 204, 204, 204, 404, 404, 404]),
    ("post", "/api/v1/workstations/{workstation}/recall", PERSONAL_EMPTY),
    ("get", "/api/v1/workstations/{workstation}/pins", PERSONAL),
    ("post", "/api/v1/workstations/{workstation}/pins", PERSONAL),
    ("post", "/api/v1/workstations/online", FOR_ORGANIZATION),
    ("post", "/api/v1/workstations/tokens", FOR_ORGANIZATION),
    ("post", "/api/v1/sync", WORKSTATION_KEY),
    ("get", "/api/v1/sync/wait", WORKSTATION_KEY),
    ("get", "/api/v1/sync/pins", WORKSTATION_KEY),
    ("post", "/api/v1/sync/pins", WORKSTATION_KEY),
    ("post", "/api/v1/sync/write-offs", WORKSTATION_KEY),
    // What stands in the body says who may: a token that was made for this, and a receipt that the ended key signed.
    ("post", "/api/v1/sync/enable", [201; 9]),
    ("post", "/api/v1/sync/receipts", [200; 9]),
    ("get", "/api/v1/audit", OPERATOR),
    ("get", "/api/v1/overview", OPERATOR),
];

/// A letter that nobody took for two days.
pub(crate) fn given_up_letter(world: &World) -> MailId {
    let wish = SignUp { email: "olga@acme.example".into(), name: "Olga".into(), password: PASSWORD.into() };
    sign_up::request(&world.portal, HOME, &wish).unwrap();
    world.write_letters();
    world.clock.advance(2 * DAY_MS);
    outbox::send_due(&world.portal).unwrap();
    world.letter("has_account", "olga@acme.example").unwrap().id
}

/// What waits to be followed or ended.
pub(crate) struct Links {
    pub(crate) sign_up: String,
    pub(crate) reset: String,
    pub(crate) email: String,
    pub(crate) session: SessionId,
    pub(crate) token: TokenId,
}

impl Links {
    /// Of somebody new, of the user, and of the owner.
    pub(crate) fn new(world: &World, owner: &Caller) -> Links {
        let portal = &world.portal;
        let wish = SignUp { email: "new@n.example".into(), name: "New".into(), password: PASSWORD.into() };
        sign_up::request(portal, HOME, &wish).unwrap();
        sign_up::request_reset(portal, HOME, &RequestReset { email: "user@studio.example".into() }).unwrap();
        let wish = ChangeEmail { email: "moved@n.example".into(), password: PASSWORD.into() };
        own_account::request_email(portal, owner, &wish).unwrap();
        let wish = NewToken { name: "report".into(), scopes: vec![TokenScope::Read], days: 30 };
        Links {
            sign_up: world.link("sign_up", "new@n.example"),
            reset: world.link("reset", "user@studio.example"),
            email: world.link("email_new", "moved@n.example"),
            session: own_account::sessions(portal, owner).unwrap().items[0].id,
            token: own_account::new_token(portal, owner, &wish).unwrap().token.id,
        }
    }
}

#[test]
fn every_route_answers_everybody_as_the_table_says() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let given_up = given_up_letter(world);
    let (ada, bob) = (world.customer("ada"), world.customer("bob"));
    let user = world.customer("user");
    let links = Links::new(world, &ada);
    let product = world.product("studio");
    let license = world.license(&ada, product, 10);
    world.license(&bob, product, 10);
    let server = world.server();
    let workstation = world.activate(&ada, &server, Some(vec![world.line(license, 2, 30)])).unwrap().workstation.id;
    let fresh_request = world.server().request(world);
    let receipt = server.receipt(world, workstation);
    // Who has bought is an organization from then on.
    let organization = sign_in(&world.portal, "ada@studio.example").administers().unwrap();
    let (mia, max) = (world.customer("mia"), world.customer("max"));
    for email in ["mia@studio.example", "max@studio.example"] {
        world.add_member(organization, email);
    }
    for (name, role) in [
        ("vera", OrganizationRole::Viewer),
        ("liam", OrganizationRole::LicenseManager),
        ("dora", OrganizationRole::Administrator),
    ] {
        let account = id(&world.customer(name));
        world.add_member(organization, &format!("{name}@studio.example"));
        members::change(&world.portal, &ada, organization, account, ChangeMember { role: Some(role), suspended: None })
            .unwrap();
    }
    for email in ["user@studio.example", "ivy@studio.example"] {
        let wish = NewMember { email: email.into(), role: None };
        invitations::invite(&world.portal, &ada, organization, &wish).unwrap();
    }
    let invitation = world.link("invitation", "ivy@studio.example");
    let wish = OfferOwnership { account: id(&mia), password: PASSWORD.into() };
    ownership::offer(&world.portal, &ada, organization, &wish).unwrap();
    assignments::assign(&world.portal, &ada, license, id(&mia), 2).unwrap();
    // For one person, so that it does not take all that floats.
    assignments::assign(&world.portal, &ada, license, id(&ada), 3).unwrap();
    let mut online = Online::enable(world, &ada, Scope::Person);
    online.sync(world, &[(license, report(0, 0, 3))]);
    let wish = NewEnableToken { scope: Scope::Organization };
    let enable_token = enable::new_token(&world.portal, &ada, wish).unwrap().token;
    let sync = online.request(world, &[]);
    let tokens = [
        None,
        Some("user@studio.example"),
        Some("mia@studio.example"),
        Some("vera@studio.example"),
        Some("liam@studio.example"),
        Some("dora@studio.example"),
        Some("bob@studio.example"),
        Some("ada@studio.example"),
        Some("olga@acme.example"),
    ]
    .map(|email| email.map(|email| http.token(email)));

    let asks = |client: &str| {
        let wish = DeviceRequest { client_id: client.into(), scope: None };
        devices::request(&world.portal, HOME, &wish).unwrap()
    };
    let (waiting, allowed) = (asks("waits"), asks("allowed"));
    devices::decide(&world.portal, &ada, &allowed.user_code, true).unwrap();
    let form_of = |template: &str| match template {
        "/api/v1/device/authorize" => Some("client_id=another".to_owned()),
        "/api/v1/device/token" => Some(format!("grant_type={DEVICE_GRANT}&device_code={}", allowed.device_code)),
        _ => None,
    };
    let path_of = |template: &str| {
        let account = match template {
            "/api/v1/organizations/{organization}/members/{account}" => &max,
            "/api/v1/organizations/{organization}/members/{account}/invitation" => &user,
            "/api/v1/licenses/{license}/assignments/{account}" => &mia,
            _ => &ada,
        };
        let of_online = template.ends_with("/recall") || template.ends_with("/pins");
        let workstation = if of_online { online.workstation } else { workstation };
        let path = template
            .replace("{account}", &id(account).to_string())
            .replace("{organization}", &organization.to_string())
            .replace("{product}", &product.to_string())
            .replace("{license}", &license.to_string())
            .replace("{workstation}", &workstation.to_string())
            .replace("{session}", &links.session.to_string())
            .replace("{token}", &links.token.to_string())
            .replace("{mail}", &given_up.to_string())
            .replace("{code}", &waiting.user_code);
        // A list is asked for the owner's things.
        if matches!(template, "/api/v1/licenses" | "/api/v1/workstations") {
            format!("{path}?owner={}", id(&ada))
        } else if template == "/api/v1/sync/wait" {
            format!("{path}?since=0")
        } else {
            path
        }
    };
    let body_of = |method: &str, template: &str| -> Option<Value> {
        Some(match (method, template) {
            ("patch", "/api/v1/me") => json!({ "name": "N" }),
            ("post", "/api/v1/device/codes/{code}") => json!({ "allow": true }),
            ("put", "/api/v1/me/email") => json!({ "email": "other@n.example", "password": PASSWORD }),
            ("post", "/api/v1/me/tokens") => json!({ "name": "N", "scopes": ["read"], "days": 7 }),
            ("post", "/api/v1/sign-ups") => json!({ "email": "n@n.example", "name": "N", "password": PASSWORD }),
            ("post", "/api/v1/sign-ups/confirm") => json!({ "token": links.sign_up, "password": PASSWORD }),
            ("post", "/api/v1/password-resets") => json!({ "email": "user@studio.example" }),
            ("post", "/api/v1/password-resets/confirm") => {
                json!({ "token": links.reset, "password": "another long password" })
            }
            ("post", "/api/v1/email-changes/confirm") => json!({ "token": links.email, "password": PASSWORD }),
            ("patch", "/api/v1/settings") => json!({ "sign_up_open": false }),
            ("post", "/api/v1/sessions") => json!({ "email": "ada@studio.example", "password": PASSWORD }),
            ("put", "/api/v1/me/password") => json!({ "current": PASSWORD, "new": "another long password" }),
            ("post", "/api/v1/accounts") => json!({ "email": "n@n.example", "name": "N", "password": PASSWORD }),
            ("post", "/api/v1/products") => {
                json!({ "code": "n", "name": "N", "share": Share::None, "features": { "n.x": 1 } })
            }
            ("patch", "/api/v1/products/{product}") => json!({ "name": "N" }),
            ("post", "/api/v1/licenses") => serde_json::to_value(world.wish(&ada, product, 1)).unwrap(),
            ("patch", "/api/v1/licenses/{license}") => json!({ "seats": 12 }),
            ("post", "/api/v1/workstations" | "/api/v1/workstations/inspect") => {
                json!({ "request": fresh_request, "account": id(&ada) })
            }
            ("post", "/api/v1/workstations/{workstation}/renew") => json!({}),
            ("post", "/api/v1/receipts" | "/api/v1/sync/receipts") => json!({ "receipt": receipt }),
            ("put", "/api/v1/licenses/{license}/assignments/{account}") => json!({ "seats": 3 }),
            ("patch", "/api/v1/organizations/{organization}/members/{account}") => json!({ "role": "viewer" }),
            ("patch", "/api/v1/organizations/{organization}") => json!({ "pending_seats": "free" }),
            ("put", "/api/v1/organizations/{organization}/offer") => {
                json!({ "account": id(&mia), "password": PASSWORD })
            }
            ("post", "/api/v1/invitations/look") => json!({ "token": invitation }),
            ("post", "/api/v1/invitations/join") => {
                json!({ "token": invitation, "name": "Ivy", "password": PASSWORD })
            }
            ("post", "/api/v1/organizations/{organization}/members") => json!({ "email": "user@studio.example" }),
            ("post", "/api/v1/workstations/{workstation}/lost") => json!({}),
            ("post", "/api/v1/workstations/{workstation}/recall") => json!({ "license": license, "seats": 1 }),
            ("post", "/api/v1/workstations/{workstation}/pins" | "/api/v1/sync/pins") => {
                json!({ "pins": [{ "license": license, "seats": 1 }] })
            }
            ("post", "/api/v1/sync/write-offs") => {
                let pass = PassId::draw(Ms(1), &mut Seeded::new(7));
                json!({ "pass": pass, "seats": { license.to_string(): 1 } })
            }
            ("post", "/api/v1/workstations/online") => json!({ "request": fresh_request, "scope": "organization" }),
            ("post", "/api/v1/workstations/tokens") => json!({ "scope": "organization" }),
            ("post", "/api/v1/sync/enable") => json!({ "request": fresh_request, "token": enable_token }),
            ("post", "/api/v1/sync") => serde_json::to_value(&sync).unwrap(),
            _ => return None,
        })
    };

    let start = db.snapshot().unwrap();
    for (method, template, expected) in TABLE {
        for (who, (token, expected)) in WHO.iter().zip(tokens.iter().zip(expected)) {
            db.restore(&start).unwrap();
            // A restored database has other bytes than the one it was saved from.
            let before = db.snapshot().unwrap();
            let path = if *method == "get" {
                path_of(template)
            } else {
                path_of(template).split('?').next().unwrap().to_owned()
            };
            let verb: Method = method.to_uppercase().parse().unwrap();
            let answer = match form_of(template) {
                Some(form) => http.form(&path, token.as_deref(), &form),
                None => http.call(verb, &path, token.as_deref(), body_of(method, template)),
            };
            assert_eq!(answer.status.as_u16(), *expected, "{who}: {method} {template}: {}", answer.text());
            if answer.status.is_client_error() {
                let code = answer.code();
                assert!(
                    matches!(
                        code.as_str(),
                        "SIGN_IN" | "FORBIDDEN" | "NOT_FOUND" | "FILE_OTHER_SERVER" | "NO_ORGANIZATION" | "WRONG_KEY"
                    ),
                    "{who}: {code}"
                );
                assert!(
                    db.snapshot().unwrap() == before,
                    "{who} was refused and changed something: {method} {template}"
                );
            }
        }
    }

    let document = leasehold_portal::openapi();
    let routes: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())))
        .collect();
    let rows: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).into(), (*path).into())).collect();
    assert_eq!(routes, rows, "every route has a row in the access table, and every row a route");
}
