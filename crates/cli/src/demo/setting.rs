//! The story of the demo: what the vendor sells, what the customer bought, and who works there.

use super::Places;
use super::folder::{Folder, SignIns};
use super::rest::Rest;
use super::stage::Stage;
use crate::failure::Failure;
use leasehold_client::Date;
use leasehold_core::ids::ProductId;
use leasehold_core::license::{Channel, FeatureCode, Kind, Share, Term};
use leasehold_core::time::DAY_MS;
use leasehold_wire::portal::{
    Account, Activate, Activated, License, NewAccount, NewLicense, NewProduct, Product, Role, SignIn, SignedIn,
};
use leasehold_wire::server::{
    ActivationResponse, ServerState, SetupRequest, SignInRequest, SignInResponse, StatusResponse,
};

/// The vendor's name.
const VENDOR: &str = "Northlight Software";

/// Somebody at work.
pub(super) struct Application {
    pub(super) name: &'static str,
    pub(super) user: &'static str,
    pub(super) host: &'static str,
    pub(super) feature: &'static str,
    pub(super) seats: u32,
    /// About how long it holds its seat, in seconds.
    pub(super) hold_s: u32,
}

/// Two of them share one seat: the same person with two players on one machine.
pub(super) const APPLICATIONS: &[Application] = &[
    Application {
        name: "studio-ann",
        user: "ann.keller",
        host: "ws-101",
        feature: "studio.gui",
        seats: 1,
        hold_s: 120,
    },
    Application { name: "studio-ben", user: "ben.ito", host: "ws-102", feature: "studio.gui", seats: 1, hold_s: 45 },
    Application {
        name: "render-carla",
        user: "carla.mendes",
        host: "ws-117",
        feature: "studio.render",
        seats: 2,
        hold_s: 30,
    },
    Application { name: "farm", user: "farm", host: "rnode-04", feature: "render.node", seats: 8, hold_s: 90 },
    Application {
        name: "review-dana-a",
        user: "dana.okafor",
        host: "ws-201",
        feature: "review.play",
        seats: 1,
        hold_s: 150,
    },
    Application {
        name: "review-dana-b",
        user: "dana.okafor",
        host: "ws-201",
        feature: "review.play",
        seats: 1,
        hold_s: 60,
    },
];

/// The release date of the demo's applications, which the perpetual license must cover.
pub(super) fn released_on() -> Date {
    Date::constant(2026, 11, 1)
}

/// Makes the vendor's keys, data folder and first operator, with the same commands that a vendor types.
pub(super) fn make_vendor(stage: &Stage, folder: &Folder, sign_ins: &SignIns) -> Result<(), Failure> {
    let portal = folder.portal();
    let data = portal.display().to_string();
    stage.run(&["portal", "init", "--vendor", VENDOR, "--data", &data], &sign_ins.root_passphrase)?;
    let (email, name) = (sign_ins.operator_email.as_str(), "Sam Rivera (Northlight)");
    let create = ["portal", "admin", "create-operator", "--data", &data, "--email", email, "--name", name];
    stage.run(&create, &sign_ins.operator_password)
}

/// Sells the licenses and activates the server, unless an earlier start did.
pub(super) fn prepare(places: &Places, folder: &Folder, sign_ins: &SignIns) -> Result<(), Failure> {
    let server = administrator(places, folder, sign_ins)?;
    let status: StatusResponse = server.get("/v1/status")?;
    if status.state == ServerState::NotActivated {
        let portal = Rest::new(places.portal);
        sell(&portal, sign_ins)?;
        activate(&portal, &server, sign_ins)?;
    }
    Ok(())
}

/// The server's administrator, signed in; sets the password first if nobody has.
fn administrator(places: &Places, folder: &Folder, sign_ins: &SignIns) -> Result<Rest, Failure> {
    let server = Rest::new(places.server);
    let status: StatusResponse = server.get("/v1/status")?;
    let password = sign_ins.administrator_password.clone();
    let signed_in: SignInResponse = if status.setup_needed {
        let secret = leasehold_host::private_file::read(&folder.setup_secret()).map_err(Failure::of)?;
        let secret = String::from_utf8_lossy(&secret).trim().to_owned();
        let signed_in = server.post("/v1/setup", None, &SetupRequest { secret, name: None, password })?;
        // Of no use any more.
        std::fs::remove_file(folder.setup_secret()).map_err(Failure::of)?;
        signed_in
    } else {
        server.post("/v1/sessions", None, &SignInRequest { name: None, password })?
    };
    Ok(server.signed_in(signed_in.token))
}

fn sign_in(portal: &Rest, email: &str, password: &str) -> Result<Rest, Failure> {
    let wish = SignIn { email: email.to_owned(), password: password.to_owned() };
    let signed_in: SignedIn = portal.post("/api/v1/sessions", None, &wish)?;
    Ok(portal.signed_in(signed_in.token))
}

/// Each request has a key of its own, so that a first start that was interrupted can be repeated.
fn sell(portal: &Rest, sign_ins: &SignIns) -> Result<(), Failure> {
    let operator = sign_in(portal, &sign_ins.operator_email, &sign_ins.operator_password)?;
    let customer = NewAccount {
        email: sign_ins.customer_email.clone(),
        name: "Brightframe Pictures".to_owned(),
        password: sign_ins.customer_password.clone(),
        role: Role::Customer,
    };
    let customer: Account = operator.post("/api/v1/accounts", Some("demo-customer"), &customer)?;
    let product = |code: &str, name: &str, share, features: &[&str]| -> Result<ProductId, Failure> {
        let feature = |code: &&str| FeatureCode::new(code).map(|code| (code, 1)).map_err(Failure::of);
        let features = features.iter().map(feature).collect::<Result<_, Failure>>()?;
        let product =
            NewProduct { code: code.to_owned(), name: name.to_owned(), share, features, ..NewProduct::default() };
        let made: Product = operator.post("/api/v1/products", Some(&format!("demo-product-{code}")), &product)?;
        Ok(made.id)
    };
    let studio = product("studio", "Northlight Studio", Share::None, &["studio.gui", "studio.render"])?;
    let render_node = product("render-node", "Northlight Render Node", Share::None, &["render.node"])?;
    let review = product("review", "Northlight Review", Share::UserHost, &["review.play"])?;
    let in_days = |days: i64| sign_ins.made_at.plus(days * DAY_MS).utc_date();
    let subscription = |days| Term::Subscription { until: in_days(days) };
    let perpetual = Term::Perpetual { maintenance_until: in_days(365) };
    for (label, product, seats, channel, term) in [
        ("NL-2026-0117", studio, 10, Channel::Commercial, subscription(365)),
        ("NL-2026-0118 (trial)", studio, 3, Channel::Trial, subscription(30)),
        ("NL-2026-0119", render_node, 20, Channel::Commercial, perpetual),
        ("NL-2026-0120", review, 5, Channel::Commercial, subscription(365)),
    ] {
        let license = NewLicense {
            owner: customer.id,
            product,
            seats,
            kind: Kind::Floating,
            channel,
            term,
            starts_on: Some(in_days(0)),
            label: label.to_owned(),
            // The studio tries the product out together.
            organization: Some(true),
        };
        let key = format!("demo-license-{}", label.split(' ').next().unwrap_or(label));
        let _: License = operator.post("/api/v1/licenses", Some(&key), &license)?;
    }
    Ok(())
}

/// The three steps of an offline activation, as the customer takes them.
fn activate(portal: &Rest, server: &Rest, sign_ins: &SignIns) -> Result<(), Failure> {
    let request = server.text("/v1/activation/request")?;
    let customer = sign_in(portal, &sign_ins.customer_email, &sign_ins.customer_password)?;
    let wish = Activate {
        request,
        name: Some("Brightframe main site".to_owned()),
        lines: None,
        scope: None,
        account: None,
        workstation: None,
    };
    let activated: Activated = customer.post("/api/v1/workstations", None, &wish)?;
    let file = customer.text(&format!("/api/v1/workstations/{}/certificate", activated.workstation.id))?;
    let _: ActivationResponse = server.upload("/v1/activation", "application/x-pem-file", &file)?;
    Ok(())
}
