//! A portal with believable and with hostile data, for looking at its pages:
//! `cargo run -p leasehold-portal --example portal_gallery -- FOLDER 127.0.0.1:8098`. It prints whom to sign in as.

#![expect(clippy::print_stdout, reason = "the one thing a developer needs from it")]

use leasehold_core::ids::{AccountId, LicenseId, ProductId, ReceiptId, RequestId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Scope, Share, Term};
use leasehold_core::sync::{Report, SYNC_VERSION, ServerFacts, SyncRequest};
use leasehold_core::time::{Clock, DAY_MS, Ms};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_portal::service::activation::{self, Wish};
use leasehold_portal::service::{
    accounts, assignments, enable, invitations, licenses, products, sessions, sync, workstations,
};
use leasehold_portal::{Caller, Config, Failure, Portal, admin};
use leasehold_trust::activation_file::read_activation_file;
use leasehold_trust::receipt::{ReceiptFacts, build_receipt};
use leasehold_trust::request::{RequestFacts, build_request};
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::sync::{sign_request, verify_answer};
use leasehold_trust::{SigningKey, VerifiedGrant, verify_grant};
use leasehold_wire::portal::{
    Activated, ChosenLine, Enable, NewAccount, NewLicense, NewMember, NewProduct, Role, SignIn,
};
use leasehold_wire::time::Time;
use std::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

const PASSWORD: &str = "correct horse battery";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: &str = "A company name that is exactly as long as sixty characters..";
const UNBROKEN: &str = "render-farm-head-node-with-an-unbroken-name-of-sixty-chars-01";
const NAMES: [&str; 6] = [
    UNBROKEN,
    "<script>alert('x')</script>",
    "مرحبا بالعالم خادم التراخيص",
    "山田太郎のレンダリングサーバー",
    "\"'><img src=x onerror=alert(1)>",
    "Zoë Ångström",
];

struct Gallery {
    portal: Portal,
    operator: Caller,
    clock: SystemClock,
}

/// Somebody who is signed in.
fn caller(portal: &Portal, email: &str) -> Result<Caller, Failure> {
    let wish = SignIn { email: email.into(), password: PASSWORD.into() };
    let (token, _) = sessions::sign_in(portal, HERE, "gallery", &wish)?;
    sessions::caller(portal, Some(&token), HERE)
}

/// Files to upload: a new server's request, a known one's, and its receipt.
fn write_samples(folder: &Path, now: Ms, key: &SigningKey, known: &Activated) -> Result<(), Box<dyn Error>> {
    fs::write(folder.join("new.request"), request(now, &SigningKey::generate(), "farm-head-02", None))?;
    fs::write(folder.join("known.request"), request(now, key, "ws-014", Some(3)))?;
    fs::write(folder.join("known.receipt"), receipt(now, key, known))?;
    Ok(())
}

/// A receipt file as a license server makes it when it is disabled.
fn receipt(now: Ms, key: &SigningKey, activated: &Activated) -> String {
    let facts = ReceiptFacts {
        receipt: ReceiptId::draw(now, &mut OsRandom),
        workstation: activated.workstation.id,
        rev_in_use: activated.rev,
        given_up_at: now,
        server_version: "0.1.0".into(),
        kept: None,
        usage: None,
    };
    build_receipt(key, &facts)
}

/// A request file as a license server makes it.
fn request(now: Ms, key: &SigningKey, host: &str, rev_in_use: Option<u64>) -> String {
    build_request(
        key,
        &RequestFacts {
            request: RequestId::draw(now, &mut OsRandom),
            issued_at: now,
            fingerprint: "f".repeat(32),
            server_version: "0.1.0".into(),
            rev_in_use,
            vendor: None,
            host_name: host.into(),
        },
    )
}

/// A license server that syncs.
struct Online {
    key: SigningKey,
    host: String,
    grant: VerifiedGrant,
    seq: u64,
    prev: String,
}

impl Online {
    fn enable(portal: &Portal, owner: &str, scope: Scope, name: &str, host: &str) -> Result<Online, Box<dyn Error>> {
        let (key, now) = (SigningKey::generate(), portal.now());
        let wish = Enable { request: request(now, &key, host, None), scope, name: Some(name.into()) };
        let enabled = enable::enable(portal, &caller(portal, owner)?, None, &wish)?;
        let file = enabled.activation_file;
        let grant = read_activation_file(file.as_bytes(), Some(portal.root()), &key.public(), None, now);
        let grant = grant.map_err(|why| why.what())?.grant;
        Ok(Online { key, host: host.into(), grant, seq: 0, prev: String::new() })
    }

    /// A sync in which it says of every license how many seats it keeps and uses, and for how many somebody waits.
    fn sync(&mut self, portal: &Portal, said: impl Fn(LicenseId, u32) -> [u32; 3]) -> Result<(), Box<dyn Error>> {
        let (now, grant) = (portal.now(), &self.grant.grant);
        let report = |license, held| {
            let [keep, used, want] = said(license, held);
            Report { keep, used, idle: keep - used, want, waiting: want, peak: used }
        };
        let request = SyncRequest {
            v: SYNC_VERSION,
            workstation: grant.workstation,
            seq: self.seq + 1,
            prev: self.prev.clone(),
            rev: grant.rev,
            document: self.grant.token.clone(),
            now,
            draining: false,
            server: ServerFacts {
                version: "0.1.0".into(),
                host: self.host.clone(),
                machine: "f".repeat(32),
                ..ServerFacts::default()
            },
            licenses: grant.lines.iter().map(|line| (line.license, report(line.license, line.seats))).collect(),
            running_out: None,
        };
        let body = serde_json::to_vec(&request)?;
        let token = sign_request(&self.key, grant.workstation, request.seq, &body, now);
        let answer = sync::sync(portal, HERE, &token, &body)?;
        let said = verify_answer(&answer, portal.root(), grant.workstation, &sha256_hex(&body))?;
        if let Some(document) = &said.grant {
            self.grant = verify_grant(document, portal.root(), now)?;
        }
        (self.seq, self.prev) = (self.seq + 1, sha256_hex(answer.as_bytes()));
        Ok(())
    }
}

impl Gallery {
    /// An organization whose servers sync, and its members.
    fn organization(&self, studio: ProductId, node: ProductId) -> Result<(), Box<dyn Error>> {
        let portal = &self.portal;
        let owner = self.customer("nora@northlight.example", "Northlight Pictures")?;
        let main = self.sold(Channel::Commercial, "NL-2026-11", self.sell(owner, studio, 40, Some(312)))?;
        let nodes = self.sold(Channel::Commercial, "", self.sell(owner, node, 120, Some(200)))?;
        let nora = caller(portal, "nora@northlight.example")?;
        let organization = nora.administers().ok_or("no organization")?;
        let mut members = Vec::new();
        for (email, name) in [
            ("mia@northlight.example", "Mia Keller"),
            ("long@northlight.example", LONG),
            ("html@northlight.example", "<script>alert('x')</script>"),
            ("rtl@northlight.example", "مرحبا بالعالم خادم التراخيص"),
            ("jo@northlight.example", "Jo Tanaka"),
        ] {
            members.push(self.customer(email, name)?);
            invitations::invite(portal, &self.operator, organization, &NewMember { email: email.into(), role: None })?;
        }
        assignments::assign(portal, &nora, main, members[0], 5)?;
        assignments::assign(portal, &nora, nodes, members[0], 12)?;
        let mut own = Online::enable(portal, "mia@northlight.example", Scope::Person, "Mia's laptop", "mia-mbp")?;
        own.sync(portal, |_, held| [held, held.min(3), 0])?;
        let mut floor =
            Online::enable(portal, "nora@northlight.example", Scope::Organization, "Studio floor 2", "nl-lic-02")?;
        floor.sync(portal, |_, held| [held, held * 2 / 3, 0])?;
        let mut farm = Online::enable(portal, "nora@northlight.example", Scope::Organization, UNBROKEN, UNBROKEN)?;
        farm.sync(portal, |_, held| [held, held, 4])?;
        floor.sync(portal, |_, held| [held * 3 / 4, held / 2, 0])?;
        farm.sync(portal, |_, held| [held, held, 2])?;
        assignments::assign(portal, &nora, main, members[1], 10)?;
        assignments::assign(portal, &nora, main, members[2], 3)?;
        // Somebody copied the data folder of the farm's server.
        let mut copy = Online { seq: 0, prev: String::new(), host: "backup-restore-test".into(), ..farm };
        let _ = copy.sync(portal, |_, held| [held, 0, 0]);
        Ok(())
    }

    fn in_days(&self, days: i64) -> Ms {
        self.clock.wall().plus(days * DAY_MS)
    }

    fn customer(&self, email: &str, name: &str) -> Result<AccountId, Failure> {
        let (email, name, password) = (email.into(), name.into(), PASSWORD.into());
        let wish = NewAccount { email, name, password, role: Role::Customer };
        Ok(accounts::create(&self.portal, &self.operator, None, &wish)?.id)
    }

    fn product(&self, code: &str, name: &str, share: Share, features: &[(&str, u32)]) -> Result<ProductId, Failure> {
        let features = features.iter().filter_map(|(code, count)| Some((FeatureCode::new(code).ok()?, *count)));
        let wish = NewProduct {
            code: code.into(),
            name: name.into(),
            share,
            features: features.collect(),
            ..NewProduct::default()
        };
        Ok(products::create(&self.portal, &self.operator, None, &wish)?.id)
    }

    fn sell(&self, owner: AccountId, product: ProductId, seats: u32, days: Option<i64>) -> NewLicense {
        let term = match days {
            Some(days) => Term::Subscription { until: self.in_days(days).utc_date() },
            None => Term::Perpetual { maintenance_until: self.in_days(200).utc_date() },
        };
        let (kind, channel) = (Kind::Floating, Channel::Commercial);
        NewLicense {
            owner,
            product,
            seats,
            kind,
            channel,
            term,
            starts_on: None,
            label: String::new(),
            organization: None,
        }
    }

    fn sold(&self, channel: Channel, label: &str, wish: NewLicense) -> Result<LicenseId, Failure> {
        // What a class or a team tries out together is the organization's.
        let organization = (!label.is_empty() && channel != Channel::Commercial).then_some(true);
        let wish = NewLicense { channel, label: label.into(), organization, ..wish };
        Ok(licenses::create(&self.portal, &self.operator, None, &wish)?.id)
    }

    fn activate(
        &self,
        account: AccountId,
        name: &str,
        host: &str,
        lines: &[(LicenseId, u32, i64)],
    ) -> Result<(SigningKey, Activated), Failure> {
        let key = SigningKey::generate();
        let line = |&(license, seats, days): &_| ChosenLine { license, seats, until: Time(self.in_days(days)) };
        let lines = Some(lines.iter().map(line).collect());
        let wish = Wish { name: Some(name.into()), lines, account: Some(account), ..Wish::default() };
        let file = request(self.clock.wall(), &key, host, None);
        let activated = activation::activate(&self.portal, &self.operator, None, file.as_bytes(), &wish)?;
        Ok((key, activated))
    }

    /// A studio with some of everything.
    fn studio(
        &self,
        studio: ProductId,
        node: ProductId,
        fabric: ProductId,
    ) -> Result<(SigningKey, Activated), Failure> {
        let (portal, operator) = (&self.portal, &self.operator);
        let ada = self.customer("ada@studio.example", "Studio Lovelace")?;
        let main = self.sold(Channel::Commercial, "PO-2026-0147", self.sell(ada, studio, 40, Some(312)))?;
        let nodes = self.sold(Channel::Commercial, "", self.sell(ada, node, 200, Some(9)))?;
        self.sold(Channel::Trial, "Trial after the trade fair", self.sell(ada, fabric, 5, Some(25)))?;
        let perpetual = self.sold(Channel::Nfr, "", self.sell(ada, studio, 3, None))?;
        let old = self.sold(Channel::Educator, "Classroom", self.sell(ada, node, 10, Some(100)))?;
        self.activate(ada, "Render farm head", "farm-head-01.studio.example", &[(main, 20, 80), (nodes, 150, 8)])?;
        let (key, second) = self.activate(ada, "Upstairs", "ws-014", &[(main, 8, 40), (perpetual, 3, 90)])?;
        let fewer = [ChosenLine { license: main, seats: 6, until: Time(self.in_days(60)) }];
        activation::renew(portal, operator, None, second.workstation.id, Some(&fewer))?;
        let wish = Wish { account: Some(ada), lines: Some(fewer.to_vec()), ..Wish::default() };
        let again = request(self.clock.wall(), &key, "ws-014", Some(2));
        activation::activate(portal, operator, None, again.as_bytes(), &wish)?;
        let (_, lost) = self.activate(ada, "Laptop of Jo (lost)", "jo-laptop", &[(nodes, 4, 7)])?;
        workstations::revoke(portal, operator, lost.workstation.id)?;
        let (gone_key, gone) = self.activate(ada, "Old server in the basement", "basement", &[(old, 10, 30)])?;
        leasehold_portal::service::receipts::take_receipt(
            portal,
            operator,
            receipt(self.clock.wall(), &gone_key, &gone).as_bytes(),
        )?;
        licenses::end(portal, operator, old)?;
        licenses::change_seats(portal, operator, nodes, 120)?;
        Ok((key, second))
    }

    /// A customer with many workstations and names that nobody would choose in good faith.
    fn crowd(&self, studio: ProductId, hostile: ProductId) -> Result<(), Failure> {
        let crowd = self.customer("crowd@example.com", LONG)?;
        let many = self.sold(Channel::Commercial, LONG, self.sell(crowd, studio, 1_000_000, Some(700)))?;
        let odd = self.sold(Channel::Beta, "<script>alert(1)</script>", self.sell(crowd, hostile, 500, None))?;
        for number in 0..30_u32 {
            let name = NAMES.get(number as usize).map_or_else(|| format!("render-{number:02}"), ToString::to_string);
            let host = match number % 7 {
                0 => format!("{UNBROKEN}.example"),
                _ => format!("host-{number:02}\u{202e}gpj"),
            };
            let lines = [(many, 1 + number * 37, i64::from(5 + number * 4)), (odd, number % 3, 60)];
            self.activate(crowd, &name, &host, &lines)?;
        }
        Ok(())
    }

    fn fill(&self) -> Result<(SigningKey, Activated), Box<dyn Error>> {
        let studio =
            self.product("studio", "Atelier Studio", Share::None, &[("studio.gui", 1), ("studio.render", 1)])?;
        let node = self.product("node", "Atelier Render Node", Share::None, &[("studio.render", 1)])?;
        let fabric = self.product("fabric", "Atelier Fabric", Share::UserHost, &[("fabric.sim", 1)])?;
        let name = "<b>Bold</b> & a product name that goes on and on, sixty and more";
        let feature = [("hostile.a-rather-long-feature-code.with-parts", 3)];
        let hostile = self.product("hostile", name, Share::None, &feature)?;
        self.customer("empty@example.com", "Nothing Yet Ltd")?;
        self.crowd(studio, hostile)?;
        self.organization(studio, node)?;
        Ok(self.studio(studio, node, fabric)?)
    }
}

fn prepare(folder: &Path, address: &str) -> Result<Config, Box<dyn Error>> {
    let clock = SystemClock::new();
    admin::init(folder, "Atelier Software", PASSWORD, &clock)?;
    let settings = folder.join(leasehold_portal::config::FILE);
    let text = fs::read_to_string(&settings)?.replace("127.0.0.1:8080", address);
    fs::write(&settings, text)?;
    let config = Config::load(folder)?;
    let portal = admin::open(&config, Arc::new(SystemClock::new()), Box::new(OsRandom))?;
    accounts::create_operator(&portal, "olga@atelier.example", "Olga Operator", PASSWORD)?;
    let operator = caller(&portal, "olga@atelier.example")?;
    let gallery = Gallery { portal, operator, clock };
    let (key, known) = gallery.fill()?;
    write_samples(folder, gallery.clock.wall(), &key, &known)?;
    Ok(config)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name a folder that does not exist yet")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8098".to_owned());
    let folder = Path::new(&folder);
    let config = match Config::load(folder) {
        Ok(config) => config,
        Err(_) => prepare(folder, &address)?,
    };
    let ready = |address| {
        println!("http://{address}");
        println!(
            "olga@atelier.example (operator), nora@northlight.example (online), mia@northlight.example (her member), \
             ada@studio.example, crowd@example.com, empty@example.com: {PASSWORD}"
        );
    };
    let (clock, random) = (Arc::new(SystemClock::new()), Box::new(OsRandom));
    leasehold_portal::serve(config, clock, random, std::future::pending(), ready).await?;
    Ok(())
}
