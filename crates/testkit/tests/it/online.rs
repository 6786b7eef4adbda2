//! Online licensing with the real binary: a portal, license servers that are enabled there, and what moves between them.

use crate::caller::{Caller, make_operator, make_portal, operators_token};
use crate::service::{Service, leasehold, run, wait_for};
use leasehold_core::time::{Clock, DAY_MS};
use leasehold_host::SystemClock;
use serde_json::{Value, json};
use std::path::Path;

const PASSWORD: &str = "a good long password";

/// A vendor with a portal, and customers.
pub(crate) struct Vendor<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) portal: Service,
    pub(crate) operator: Caller,
    product: Value,
}

impl<'a> Vendor<'a> {
    pub(crate) fn open(folder: &'a Path) -> Vendor<'a> {
        make_portal(folder);
        make_operator(folder);
        Vendor::of(folder, Service::start(folder, "portal", "p", "127.0.0.1:0"))
    }

    /// With a portal that runs and has an operator, and nothing to sell yet.
    pub(crate) fn of(folder: &'a Path, portal: Service) -> Vendor<'a> {
        let token = operators_token(&Caller::new(&portal.address, None));
        let operator = Caller::new(&portal.address, Some(&token));
        let product = json!({ "code": "studio", "name": "Studio", "share": "none", "features": { "studio.gui": 1 } });
        let product = operator.expect(201, "POST", "/api/v1/products", Some(&product))["id"].clone();
        Vendor { folder, portal, operator, product }
    }

    /// An account; answers its id and a caller that is signed in as it.
    pub(crate) fn account(&self, name: &str) -> (Value, Caller) {
        let email = format!("{name}@studio.example");
        let account = json!({ "email": email, "name": name, "password": PASSWORD });
        let id = self.operator.expect(201, "POST", "/api/v1/accounts", Some(&account))["id"].clone();
        let sign_in = json!({ "email": email, "password": PASSWORD });
        let nobody = Caller::new(&self.portal.address, None);
        let token = nobody.expect(201, "POST", "/api/v1/sessions", Some(&sign_in))["token"].clone();
        (id, nobody.with_token(token.as_str().unwrap()))
    }

    pub(crate) fn sell(&self, owner: &Value, seats: u32) -> String {
        let until = SystemClock::new().wall().plus(300 * DAY_MS).utc_date();
        self.sell_for(owner, seats, &json!({ "term": "subscription", "until": until }))
    }

    pub(crate) fn sell_for(&self, owner: &Value, seats: u32, term: &Value) -> String {
        let license = json!({
            "owner": owner, "product": self.product, "seats": seats, "kind": "floating", "channel": "commercial",
            "term": term,
        });
        self.operator.expect(201, "POST", "/api/v1/licenses", Some(&license))["id"].as_str().unwrap().to_owned()
    }

    /// A license server that runs and is not activated.
    pub(crate) fn server(&self, data: &str) -> Site {
        self.server_of(data, &self.portal.address)
    }

    /// The same, of a portal at another address.
    pub(crate) fn server_of(&self, data: &str, portal: &str) -> Site {
        let folder = self.folder.join(data);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("server.toml"), format!("portal_url = \"http://{portal}\"\n")).unwrap();
        Site::start(self.folder, data)
    }

    pub(crate) fn enable(&self, site: &Site, account: &str, whom: &str) {
        let account = format!("{account}@studio.example");
        let arguments = ["server", "activate", "--data", &site.data, "--account", &account, "--for", whom];
        run(self.folder, &[arguments.as_slice(), &["--password-file", "password"]].concat());
    }
}

/// A running license server.
pub(crate) struct Site {
    pub(crate) data: String,
    pub(crate) service: Service,
    pub(crate) caller: Caller,
}

impl Site {
    pub(crate) fn start(folder: &Path, data: &str) -> Site {
        Site::start_at(folder, data, "127.0.0.1:0")
    }

    pub(crate) fn start_at(folder: &Path, data: &str, address: &str) -> Site {
        let service = Service::start(folder, "server", data, address);
        let caller = Caller::new(&service.address, None);
        Site { data: data.to_owned(), service, caller }
    }

    pub(crate) fn status(&self) -> Value {
        self.caller.expect(200, "GET", "/v1/status", None)
    }

    /// Seats of the product that this server holds.
    pub(crate) fn held(&self) -> u64 {
        let status = self.status();
        let lines = status["lines"].as_array().unwrap();
        lines.iter().filter(|line| line["granted"] == true).map(|line| line["seats"].as_u64().unwrap()).sum()
    }

    pub(crate) fn checkout(&self, key: &str) -> (u16, Value) {
        self.caller.told("POST", "/v1/leases", Some(key), Some(&one_seat(key)))
    }

    pub(crate) fn take(&self, key: &str) -> Value {
        let (status, lease) = self.checkout(key);
        assert_eq!(status, 201, "{lease}");
        lease
    }

    /// A seat that somebody who is denied asks for again and again, with a key of its own each time.
    pub(crate) fn take_soon(&self, name: &str) -> Value {
        let mut tries = 0;
        wait_for("a seat", || {
            tries += 1;
            let (status, lease) = self.checkout(&format!("{name}-{tries}"));
            (status == 201).then_some(lease)
        })
    }

    pub(crate) fn give_back(&self, lease: &Value) {
        let with_secret = self.caller.with_token(lease["secret"].as_str().unwrap());
        with_secret.expect(204, "DELETE", &format!("/v1/leases/{}", lease["lease"].as_str().unwrap()), None);
    }

    /// Heartbeat; the status and what was said.
    pub(crate) fn beat(&self, lease: &Value, n: u64) -> (u16, Value) {
        let with_secret = self.caller.with_token(lease["secret"].as_str().unwrap());
        let path = format!("/v1/leases/{}/heartbeat", lease["lease"].as_str().unwrap());
        with_secret.told("POST", &path, None, Some(&json!({ "n": n, "nonce": format!("beat-{n}") })))
    }

    /// Shows a lease that was taken with a key to a server that does not know it.
    pub(crate) fn resume(&self, key: &str, lease: &Value, n: u64) -> (u16, Value) {
        let with_secret = self.caller.with_token(lease["secret"].as_str().unwrap());
        let path = format!("/v1/leases/{}/resume", lease["lease"].as_str().unwrap());
        let body = json!({
            "n": n, "nonce": format!("resume-{n}"), "key": key, "checkout": one_seat(key), "token": lease["token"],
        });
        with_secret.told("POST", &path, None, Some(&body))
    }
}

/// What an application asks for.
pub(crate) fn one_seat(key: &str) -> Value {
    json!({
        "feature": "studio.gui", "seats": 1, "version": "1", "user": "ada", "host": "h", "host_id": "m", "boot_id": key,
        "pid": 1, "nonce": format!("nonce-{key}"),
    })
}

fn soon<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_for(what, look)
}

#[test]
fn a_server_is_enabled_and_a_license_bought_later_shows_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::open(folder.path());
    let (owner, _) = vendor.account("owner");
    vendor.sell(&owner, 5);
    let site = vendor.server("s");
    vendor.enable(&site, "owner", "organization");
    assert_eq!(site.held(), 5);
    site.take("a");
    vendor.sell(&owner, 3);
    soon("the second license", || (site.held() == 8).then_some(()));
    // A restarted server needs nothing.
    let address = site.service.kill();
    let again = Service::start(folder.path(), "server", "s", &address);
    let site = Site { data: "s".into(), caller: Caller::new(&again.address, None), service: again };
    soon("its seats", || (site.held() == 8).then_some(()));
    let (status, _) = site.checkout("b");
    assert_eq!(status, 201, "it waited for the first answer");
}

#[test]
fn a_hundred_seats_of_which_ten_are_assigned_leave_ninety_to_float() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::open(folder.path());
    let (owner, administrator) = vendor.account("owner");
    let (ada, hers) = vendor.account("ada");
    let license = vendor.sell(&owner, 100);
    let site = vendor.server("s");
    vendor.enable(&site, "owner", "organization");
    assert_eq!(site.held(), 100);
    let lease = site.take("kept");

    let organizations = administrator.expect(200, "GET", "/api/v1/organizations", None);
    let members = format!("/api/v1/organizations/{}/members", organizations["items"][0]["id"].as_str().unwrap());
    let outsider = administrator.told(
        "PUT",
        &format!("/api/v1/licenses/{license}/assignments/{}", ada.as_str().unwrap()),
        None,
        Some(&json!({ "seats": 10 })),
    );
    assert_eq!((outsider.0, &outsider.1["code"]), (409, &json!("NOT_A_MEMBER")));
    administrator.expect(201, "POST", &members, Some(&json!({ "email": "Ada@studio.example" })));
    let join = format!("/api/v1/me/organizations/{}", organizations["items"][0]["id"].as_str().unwrap());
    hers.expect(204, "PUT", &join, None);
    let assignment = format!("/api/v1/licenses/{license}/assignments/{}", ada.as_str().unwrap());
    let given = administrator.expect(200, "PUT", &assignment, Some(&json!({ "seats": 10 })));
    assert_eq!(
        (&given["seats_assigned"], &given["seats_pending"]),
        (&json!(10), &json!(10)),
        "the seats are still out"
    );
    soon("the seats to come back", || (site.held() == 90).then_some(()));
    let seen = soon("the assignment in effect", || {
        let seen = administrator.expect(200, "GET", &format!("/api/v1/licenses/{license}"), None);
        (seen["assignments"][0]["active"] == 10).then_some(seen)
    });
    assert_eq!((&seen["seats_floating"], &seen["seats_pending"]), (&json!(90), &json!(0)));

    let desk = vendor.server("desk");
    vendor.enable(&desk, "ada", "me");
    soon("the assigned seats at their own server", || (desk.held() == 10).then_some(()));
    let used = desk.take("mine");

    // Taken back: the application is told, and the seats float again when it has stopped.
    administrator.expect(200, "DELETE", &assignment, None);
    soon("the idle seats", || (desk.held() == 0).then_some(()));
    let (status, told) = desk.beat(&used, 1);
    assert_eq!((status, &told["code"]), (409, &json!("WITHDRAWN")));
    desk.give_back(&used);
    soon("all seats to float", || (site.held() == 100).then_some(()));
    assert_eq!(site.beat(&lease, 1).0, 200, "nobody else noticed");
}

#[test]
fn two_servers_share_one_pool_and_a_seat_goes_where_somebody_waits() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::open(folder.path());
    let (owner, _) = vendor.account("owner");
    let license = vendor.sell(&owner, 2);
    let first = vendor.server("s1");
    let second = vendor.server("s2");
    vendor.enable(&first, "owner", "organization");
    vendor.enable(&second, "owner", "organization");
    assert_eq!((first.held(), second.held()), (2, 0));
    let lease = second.take("a");
    assert_eq!(lease["feature"], "studio.gui");
    let kept = first.take("b");
    let (status, refused) = second.checkout("c");
    assert_eq!((status, &refused["code"]), (409, &json!("NO_SEATS")), "{refused}");
    // Whoever waited first gets what comes free at the other server.
    first.give_back(&kept);
    soon("the seat to come", || (second.checkout("c").0 < 300).then_some(()));
    let out = vendor.operator.expect(200, "GET", &format!("/api/v1/licenses/{license}"), None);
    assert_eq!(out["seats_out"], 2);
}

/// Borrowing waits for seats that are idle at another server, and those that are borrowed stay.
#[test]
fn a_laptop_borrows_a_seat_that_is_idle_at_another_server() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::open(folder.path());
    let (owner, _) = vendor.account("owner");
    vendor.sell(&owner, 1);
    let first = vendor.server("s1");
    let second = vendor.server("s2");
    vendor.enable(&first, "owner", "organization");
    vendor.enable(&second, "owner", "organization");
    assert_eq!((first.held(), second.held()), (1, 0));
    let root = folder.path().join("p/keys/root.crt");
    let borrow = |site: &Site| {
        let arguments = ["borrow", "studio.gui", "--days", "2", "--server", &site.service.address, "--json"];
        let mut command = leasehold(folder.path(), &arguments);
        command
            .env("LEASEHOLD_TRUST", &root)
            .env("LEASEHOLD_PASSES", folder.path().join(format!("passes-{}", site.data)));
        command.output().unwrap()
    };
    let lent = borrow(&second);
    assert!(lent.status.success(), "{}", String::from_utf8_lossy(&lent.stderr));
    let refused = borrow(&first);
    assert_eq!(refused.status.code(), Some(120), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!((first.held(), second.held()), (0, 1));
}

#[test]
fn a_lost_laptop_is_written_off_with_the_portals_word_and_not_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut vendor = Vendor::open(folder.path());
    let product = format!("/api/v1/products/{}", vendor.product.as_str().unwrap());
    vendor.operator.expect(200, "PATCH", &product, Some(&json!({ "write_offs": 1 })));
    let (owner, _) = vendor.account("owner");
    vendor.sell(&owner, 4);
    let sites = ["s1", "s2"].map(|data| {
        let site = vendor.server(data);
        vendor.enable(&site, "owner", "organization");
        site
    });
    let borrow = |site: &Site, laptop: &str| {
        let passes = folder.path().join(laptop);
        let arguments = ["borrow", "studio.gui", "--days", "2", "--server", &site.service.address, "--json"];
        let mut command = leasehold(folder.path(), &arguments);
        command.env("LEASEHOLD_TRUST", folder.path().join("p/keys/root.crt")).env("LEASEHOLD_PASSES", passes);
        let lent = command.output().unwrap();
        assert!(lent.status.success(), "{}", String::from_utf8_lossy(&lent.stderr));
        let told: Value = serde_json::from_slice(&lent.stdout).unwrap();
        told.pointer("/pass/pass/pass").or(told.pointer("/pass/pass")).unwrap().as_str().unwrap().to_owned()
    };
    let write_off = |site: &Site, pass: &str| {
        let arguments = ["server", "lost", pass, "--write-off", "--data", &site.data];
        let done = leasehold(folder.path(), &arguments).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let borrowed = |site: &Site| site.status()["features"][0]["borrowed"].clone();
    let [first, second] = [borrow(&sites[0], "a"), borrow(&sites[1], "b")];
    assert_eq!(write_off(&sites[0], &first), (true, String::new()));
    assert_eq!(borrowed(&sites[0]), 0, "it is free at once");
    // The allowance is that of the license, and the portal's to count.
    let (done, said) = write_off(&sites[1], &second);
    assert!(!done && said.contains("allows 1 lost seats") && said.contains("and 1 were"), "{said}");
    let again = borrow(&sites[0], "c");
    // What it is now counts, whatever the documents at servers say.
    vendor.operator.expect(200, "PATCH", &product, Some(&json!({ "write_offs": 2 })));
    assert_eq!(write_off(&sites[0], &again), (true, String::new()));
    vendor.portal.end();
    let (done, said) = write_off(&sites[1], &second);
    assert!(!done && said.contains("portal"), "{said}");
    assert_eq!(borrowed(&sites[1]), 1, "nothing was changed");
}

#[test]
fn a_disabled_server_gives_its_free_seats_back_at_once_and_the_rest_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::open(folder.path());
    let (owner, _) = vendor.account("owner");
    let license = vendor.sell(&owner, 5);
    let site = vendor.server("s");
    vendor.enable(&site, "owner", "organization");
    let lease = site.take("a");
    run(folder.path(), &["server", "disable", "--data", "s", "--yes"]);
    let out = || vendor.operator.expect(200, "GET", &format!("/api/v1/licenses/{license}"), None)["seats_out"].clone();
    soon("the free seats", || (out() == 1).then_some(()));
    site.give_back(&lease);
    soon("the last seat", || (out() == 0).then_some(()));
    let status = site.status();
    assert_eq!(status["state"], "disabled");
    // And it can be enabled again, with a new key.
    vendor.enable(&site, "owner", "organization");
    assert_eq!(site.held(), 5);
}

#[test]
fn a_token_enables_one_server_and_a_wrong_password_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::open(folder.path());
    let (owner, administrator) = vendor.account("owner");
    vendor.sell(&owner, 5);
    let site = vendor.server("s");
    std::fs::write(folder.path().join("wrong"), "not the password\n").unwrap();
    let wrong = ["server", "activate", "--data", "s", "--account", "owner@studio.example", "--password-file", "wrong"];
    let refused = leasehold(folder.path(), &wrong).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("password is wrong"), "{said}");
    assert_eq!(site.status()["state"], "not_activated");

    let token =
        administrator.expect(201, "POST", "/api/v1/workstations/tokens", Some(&json!({ "scope": "organization" })));
    let token = token["token"].as_str().unwrap();
    let activate = |data: &str| {
        let mut command = leasehold(folder.path(), &["server", "activate", "--data", data]);
        command.env("LEASEHOLD_TOKEN", token).output().unwrap()
    };
    assert!(activate("s").status.success());
    assert_eq!(site.held(), 5);
    let other = vendor.server("other");
    let refused = activate("other");
    assert!(!refused.status.success() && String::from_utf8(refused.stderr).unwrap().contains("token"));
    assert_eq!(other.status()["state"], "not_activated");
}

#[test]
fn a_server_goes_from_files_to_online_and_back_and_no_application_notices() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::open(folder.path());
    let (owner, administrator) = vendor.account("owner");
    let license = vendor.sell(&owner, 5);
    let site = vendor.server("s");
    let until = SystemClock::new().wall().plus(30 * DAY_MS).rfc3339();
    let lines = json!([{ "license": license, "seats": 3, "until": until }]);
    // By file, carried by hand.
    let by_file = |seats: &Value| {
        let request = run(folder.path(), &["server", "request", "--data", "s"]);
        let activate = json!({ "request": request, "lines": seats });
        let activated = administrator.expect(201, "POST", "/api/v1/workstations", Some(&activate));
        let workstation = activated["workstation"]["id"].as_str().unwrap().to_owned();
        let file = administrator.text(&format!("/api/v1/workstations/{workstation}/certificate"));
        std::fs::write(folder.path().join("site.crt"), file).unwrap();
        run(folder.path(), &["server", "import", "--data", "s", "site.crt"]);
    };
    by_file(&lines);
    assert_eq!((site.held(), site.status()["online"].is_null()), (3, true));
    let lease = site.take("a");

    vendor.enable(&site, "owner", "organization");
    soon("everything that nobody else has", || (site.held() == 5).then_some(()));
    assert_eq!(site.beat(&lease, 1).0, 200, "online");
    let status = site.status();
    assert_eq!((&status["online"]["state"], &status["leases_out"]), (&json!("ok"), &json!(1)));

    by_file(&lines);
    assert_eq!((site.held(), site.status()["online"].is_null()), (3, true));
    assert_eq!(site.beat(&lease, 2).0, 200, "by file again");
    site.give_back(&lease);
}
