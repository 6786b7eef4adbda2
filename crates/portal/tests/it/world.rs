//! A portal with a fake clock, a vendor and some customers, and license servers that are only a key and a request file.

use leasehold_core::ids::{AccountId, LicenseId, OrganizationId, ProductId, ReceiptId, RequestId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Share, Term};
use leasehold_core::random::{Random, Seeded};
use leasehold_core::time::{Clock, DAY_MS, Ms};
use leasehold_db::{Db, Dialect};
use leasehold_portal::grants_log::GrantsLog;
use leasehold_portal::service::activation::{self, Wish};
use leasehold_portal::service::{
    accounts, invitations, licenses, organizations, outbox, products, sessions, sign_up, workstations,
};
use leasehold_portal::store::schema::MIGRATIONS;
use leasehold_portal::{Caller, Failure, Parts, Portal, Site};
use leasehold_trust::activation_file::read_activation_file;
use leasehold_trust::receipt::{Kept, ReceiptFacts, build_receipt};
use leasehold_trust::request::{RequestFacts, build_request};
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::{PortalSigner, SigningKey, Vendor};
use leasehold_wire::portal::{
    AccountRef, Activated, ChosenLine, License, Mail, MailQuery, NewAccount, NewLicense, NewMember, NewProduct,
    OwnedQuery, Role, SignIn,
};
use leasehold_wire::time::Time;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const BASE_URL: &str = "https://licensing.acme.example";
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// 2026-11-22 12:00:00.250 UTC: not a whole second, so that rounding shows.
const START: i64 = 1_795_348_800_250;

pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Ms {
        Ms(self.0.load(Ordering::Relaxed))
    }

    fn boottime_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) struct World {
    pub(crate) portal: Portal,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) operator: Caller,
    _folder: TempDir,
    random: Mutex<Seeded>,
    keys: AtomicU64,
}

pub(crate) fn signer(vendor: &Vendor, now: Ms) -> PortalSigner {
    vendor.signer(now).unwrap()
}

impl World {
    pub(crate) fn new(db: &Db) -> World {
        db.migrate(MIGRATIONS).unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(START)));
        let folder = tempfile::tempdir().unwrap();
        let vendor = Vendor::create("Acme Renders", clock.wall()).unwrap();
        let portal = Portal::new(Parts {
            db: db.clone(),
            signer: signer(&vendor, clock.wall()),
            grants_log: GrantsLog::open(&folder.path().join("grants.log")).unwrap(),
            clock: clock.clone(),
            random: Box::new(Seeded::new(11)),
            site: Site { base_url: BASE_URL.into(), mailer: None },
        });
        accounts::create_operator(&portal, "olga@acme.example", "Olga", PASSWORD).unwrap();
        let operator = sign_in(&portal, "olga@acme.example");
        World { portal, clock, operator, _folder: folder, random: Mutex::new(Seeded::new(12)), keys: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> Ms {
        self.clock.wall()
    }

    pub(crate) fn in_days(&self, days: i64) -> Time {
        Time(self.now().plus(days * DAY_MS))
    }

    pub(crate) fn draw<T>(&self, draw: impl FnOnce(Ms, &mut dyn Random) -> T) -> T {
        draw(self.now(), &mut *self.random.lock().unwrap())
    }

    pub(crate) fn customer(&self, name: &str) -> Caller {
        let email = format!("{name}@studio.example");
        let wish =
            NewAccount { email: email.clone(), name: name.into(), password: PASSWORD.into(), role: Role::Customer };
        accounts::create(&self.portal, &self.operator, None, &wish).unwrap();
        sign_in(&self.portal, &email)
    }

    pub(crate) fn product(&self, code: &str) -> ProductId {
        let features = [("gui", 1), ("render", 2)].map(|(f, n)| (FeatureCode::new(&format!("{code}.{f}")).unwrap(), n));
        let wish = NewProduct {
            code: code.into(),
            name: format!("Acme {code}"),
            share: Share::None,
            features: features.into(),
            ..NewProduct::default()
        };
        products::create(&self.portal, &self.operator, None, &wish).unwrap().id
    }

    pub(crate) fn wish(&self, owner: &Caller, product: ProductId, seats: u32) -> NewLicense {
        NewLicense {
            owner: id(owner),
            product,
            seats,
            kind: Kind::Floating,
            channel: Channel::Commercial,
            term: Term::Perpetual { maintenance_until: "2027-06-30".parse().unwrap() },
            starts_on: None,
            label: String::new(),
            organization: None,
        }
    }

    pub(crate) fn license(&self, owner: &Caller, product: ProductId, seats: u32) -> LicenseId {
        self.sell(&self.wish(owner, product, seats)).id
    }

    pub(crate) fn sell(&self, wish: &NewLicense) -> License {
        licenses::create(&self.portal, &self.operator, None, wish).unwrap()
    }

    pub(crate) fn look(&self, license: LicenseId) -> License {
        licenses::get(&self.portal, &self.operator, license).unwrap()
    }

    /// Somebody who has an account is in an organization: the vendor adds them, without a letter.
    pub(crate) fn add_member(&self, organization: OrganizationId, email: &str) -> AccountRef {
        let wish = NewMember { email: email.into(), role: None };
        invitations::invite(&self.portal, &self.operator, organization, &wish).unwrap().account
    }

    /// The newest letter of a kind to an address, as operators read it where no mail server is set.
    pub(crate) fn letter(&self, kind: &str, to: &str) -> Option<Mail> {
        self.write_letters();
        let query = MailQuery { limit: Some(200), ..MailQuery::default() };
        let letters = outbox::list(&self.portal, &self.operator, &query).unwrap().items;
        letters.into_iter().find(|letter| letter.kind == kind && letter.to == to)
    }

    /// Writes the letters that were asked for, as the job does.
    pub(crate) fn write_letters(&self) {
        while sign_up::answer_one(&self.portal).unwrap() {}
    }

    /// What stands in its link.
    pub(crate) fn link(&self, kind: &str, to: &str) -> String {
        let letter = self.letter(kind, to).unwrap_or_else(|| panic!("no letter {kind} to {to}"));
        let start = letter.body.find("?token=").unwrap_or_else(|| panic!("no link in {letter:?}")) + 7;
        letter.body[start..].split_whitespace().next().unwrap().to_owned()
    }

    pub(crate) fn server(&self) -> Server {
        let number = self.keys.fetch_add(1, Ordering::Relaxed);
        Server { key: SigningKey::generate(), host: format!("render-{number:02}"), rev: None }
    }

    pub(crate) fn activate(
        &self,
        caller: &Caller,
        server: &Server,
        lines: Option<Vec<ChosenLine>>,
    ) -> Result<Activated, Failure> {
        let wish = Wish { lines, ..Wish::default() };
        activation::activate(&self.portal, caller, None, server.request(self).as_bytes(), &wish)
    }

    pub(crate) fn line(&self, license: LicenseId, seats: u32, days: i64) -> ChosenLine {
        ChosenLine { license, seats, until: self.in_days(days) }
    }
}

pub(crate) fn id(caller: &Caller) -> AccountId {
    caller.account().unwrap().id
}

pub(crate) fn all() -> OwnedQuery {
    OwnedQuery::default()
}

pub(crate) fn sign_in(portal: &Portal, email: &str) -> Caller {
    let wish = SignIn { email: email.into(), password: PASSWORD.into() };
    let (token, _) = sessions::sign_in(portal, HOME, "tests", &wish).unwrap();
    sessions::caller(portal, Some(&token), HOME).unwrap()
}

/// Somebody who looks after an organization, and acts for it.
pub(crate) fn acting_for(portal: &Portal, email: &str, organization: OrganizationId) -> Caller {
    let wish = SignIn { email: email.into(), password: PASSWORD.into() };
    let (token, _) = sessions::sign_in(portal, HOME, "tests", &wish).unwrap();
    let caller = || sessions::caller(portal, Some(&token), HOME).unwrap();
    organizations::act_for(portal, &caller(), Some(organization)).unwrap();
    caller()
}

/// The code of a failure, as a caller of the API sees it.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    result.unwrap_err().problem().code.into_owned()
}

/// A license server as the portal sees it.
pub(crate) struct Server {
    pub(crate) key: SigningKey,
    pub(crate) host: String,
    pub(crate) rev: Option<u64>,
}

impl Server {
    pub(crate) fn facts(&self, world: &World) -> RequestFacts {
        RequestFacts {
            request: world.draw(|now, random| RequestId::draw(now, random)),
            issued_at: world.now(),
            fingerprint: "f".repeat(32),
            server_version: "0.1.0".into(),
            rev_in_use: self.rev,
            vendor: None,
            host_name: self.host.clone(),
        }
    }

    pub(crate) fn request(&self, world: &World) -> String {
        build_request(&self.key, &self.facts(world))
    }

    pub(crate) fn receipt(&self, world: &World, workstation: WorkstationId) -> String {
        build_receipt(
            &self.key,
            &ReceiptFacts {
                receipt: world.draw(|now, random| ReceiptId::draw(now, random)),
                workstation,
                rev_in_use: self.rev.unwrap_or(1),
                given_up_at: world.now(),
                server_version: "0.1.0".into(),
                kept: None,
                usage: None,
            },
        )
    }

    /// The receipt of seats given back of the newest document: it keeps so many of a license.
    pub(crate) fn gives_back(
        &self,
        world: &World,
        workstation: WorkstationId,
        number: u64,
        (license, seats): (LicenseId, u32),
    ) -> (String, ReceiptFacts) {
        let file = workstations::activation_file(&world.portal, &world.operator, workstation).unwrap();
        let (root, key) = (world.portal.root(), self.key.public());
        let newest = read_activation_file(file.text.as_bytes(), Some(root), &key, None, world.now()).unwrap().grant;
        let facts = ReceiptFacts {
            receipt: world.draw(|now, random| ReceiptId::draw(now, random)),
            workstation,
            rev_in_use: newest.grant.rev,
            given_up_at: world.now().floor_to_second(),
            server_version: "0.1.0".into(),
            kept: Some(Kept {
                number,
                document: sha256_hex(newest.token.as_bytes()),
                seats: [(license, seats)].into(),
            }),
            usage: None,
        };
        (build_receipt(&self.key, &facts), facts)
    }
}

const TABLES: [(&str, &str); 17] = [
    ("account", "SELECT row_to_json(t)::text FROM account t ORDER BY 1"),
    ("session", "SELECT row_to_json(t)::text FROM session t ORDER BY 1"),
    ("product", "SELECT row_to_json(t)::text FROM product t ORDER BY 1"),
    ("license", "SELECT row_to_json(t)::text FROM license t ORDER BY 1"),
    ("workstation", "SELECT row_to_json(t)::text FROM workstation t ORDER BY 1"),
    ("activation_request", "SELECT row_to_json(t)::text FROM activation_request t ORDER BY 1"),
    ("grant_document", "SELECT row_to_json(t)::text FROM grant_document t ORDER BY 1"),
    ("grant_line", "SELECT row_to_json(t)::text FROM grant_line t ORDER BY 1"),
    ("receipt", "SELECT row_to_json(t)::text FROM receipt t ORDER BY 1"),
    ("write_off", "SELECT row_to_json(t)::text FROM write_off t ORDER BY 1"),
    ("pass_write_off", "SELECT row_to_json(t)::text FROM pass_write_off t ORDER BY 1"),
    ("audit", "SELECT row_to_json(t)::text FROM audit t ORDER BY 1"),
    ("mail", "SELECT row_to_json(t)::text FROM mail t ORDER BY 1"),
    ("link", "SELECT row_to_json(t)::text FROM link t ORDER BY 1"),
    ("email_change", "SELECT row_to_json(t)::text FROM email_change t ORDER BY 1"),
    ("api_token", "SELECT row_to_json(t)::text FROM api_token t ORDER BY 1"),
    ("idempotency", "SELECT row_to_json(t)::text FROM idempotency t ORDER BY 1"),
];

/// All that a database holds: the bytes of an in-line one, the rows of every table on PostgreSQL.
pub(crate) fn dump(db: &Db) -> Vec<u8> {
    if db.dialect() == Dialect::Sqlite {
        return db.snapshot().unwrap();
    }
    let rows = TABLES.map(|(table, sql)| {
        let rows = db.read(move |tx| tx.all(sql, &[], |row| row.text(0))).unwrap();
        format!("{table}: {}\n", rows.join("\n"))
    });
    rows.concat().into_bytes()
}
