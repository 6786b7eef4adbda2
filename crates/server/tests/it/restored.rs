//! A server on a restored backup: what it may have lent since is held, and an administrator frees what no laptop has.

use crate::browser::Browser;
use crate::support::{Call, Running, Site};
use leasehold_core::engine::NotOut;
use leasehold_core::time::{DAY_MS, SECOND_MS};
use leasehold_server::local::Local;
use leasehold_server::{ServeOptions, local};
use leasehold_wire::server::NotOutResponse;
use serde_json::{Value, json};
use std::path::Path;

/// Ten seats that may be borrowed for two weeks, restored from a backup, after the wait for applications.
fn restored(site: &Site, elsewhere: &Path) -> Running {
    let mut grant = site.portal.ten_seats(1);
    for line in &mut grant.lines {
        line.terms.borrow_days_max = 14;
    }
    let server = site.activated(&grant);
    let backup = elsewhere.join("backup");
    local::backup(site.local(), Some(&backup)).unwrap();
    server.stop();
    let folder = elsewhere.join("restored");
    local::restore(&backup, &folder).unwrap();
    let server = Running::start(ServeOptions { folder, ..site.options() }).unwrap();
    assert_eq!(server.checkout("early").code(), "RESTORED");
    site.clock.advance(425 * SECOND_MS);
    server
}

fn held(server: &Running) -> Value {
    server.get("/v1/status").json["held"].clone()
}

#[test]
fn what_may_be_with_laptops_is_held_and_freed_on_the_page() {
    let site = Site::new();
    let disk = tempfile::tempdir().unwrap();
    let server = restored(&site, disk.path());
    // From the first moment, and the list is seen with it.
    assert_eq!(held(&server)["seats"], 10);
    let refused = server.checkout("a");
    assert_eq!((refused.code(), &refused.json["held"]), ("NO_SEATS", &10.into()));
    for text in ["restored from a backup", "10 of them are held", "leasehold server not-out"] {
        assert!(refused.text.contains(text), "{text}: {}", refused.text);
    }
    let wish = Some(json!({"feature": "studio.gui"}));
    let would = server.call(Call { method: "POST", path: "/v1/simulate", json: wish, ..Call::default() }).text;
    assert!(would.contains("10 are held since the license server was restored"), "{would}");
    let browser = Browser::signed_in(&server);
    assert!(browser.get("/").text.contains("10 seats held since the restore"));
    let list = browser.get("/passes").text;
    let pass = list.split("/passes/lost?pass=").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    assert!(list.contains("perhaps a laptop") && list.contains("Was it lent?"), "{list}");
    let question = browser.get(&format!("/passes/lost?pass={pass}")).text;
    assert!(question.contains("Were these seats lent?") && question.contains("max=\"10\""), "{question}");
    for wrong in ["0", "many", ""] {
        let refused = browser.post("/passes/not-out", &format!("pass={pass}&seats={wrong}"));
        assert_eq!(refused.status, 422, "{wrong}: {}", refused.text);
    }
    assert_eq!(browser.post("/passes/not-out", &format!("pass={pass}&seats=4")).to, "/passes?done=not-out");
    assert_eq!(held(&server)["seats"], 6);
    assert_eq!(server.checkout("b").status, 201);
    assert!(browser.get("/audit").text.contains("4 of 10"));
    // Nobody says that no laptop has the rest by leaving a box empty.
    assert_eq!(browser.post("/passes/not-out", "pass=all").status, 404);
    assert_eq!(held(&server)["seats"], 6);
    server.stop();
    // As it was, and the rest comes free by itself.
    let server = Running::start(ServeOptions { folder: disk.path().join("restored"), ..site.options() }).unwrap();
    assert_eq!(held(&server)["seats"], 6);
    site.clock.advance(15 * DAY_MS);
    assert_eq!(server.checkout("c").status, 201);
    assert_eq!(held(&server), Value::Null);
}

#[test]
fn everything_is_freed_at_once_by_who_knows_that_no_laptop_has_it() {
    let (site, disk) = (Site::new(), tempfile::tempdir().unwrap());
    let server = restored(&site, disk.path());
    let browser = Browser::signed_in(&server);
    let page = browser.get("/passes").text;
    assert!(page.contains("10 seats held since the restore") && page.contains("Free all of them"), "{page}");
    assert_eq!(browser.post("/passes/not-out", "pass=all&sure=on").to, "/passes?done=not-out");
    assert_eq!(held(&server), Value::Null);
    assert!(!browser.get("/passes").text.contains("Free all of them"));
    assert_eq!(server.checkout("a").status, 201);
    let told = browser.get("/audit").text;
    assert!(told.contains("all that was held since the restore: 10 of"), "{told}");
}

#[test]
fn everything_is_freed_by_a_command_in_one_act() {
    let (site, disk) = (Site::new(), tempfile::tempdir().unwrap());
    let server = restored(&site, disk.path());
    assert_eq!(server.checkout("a").code(), "NO_SEATS");
    let all = || {
        let here = Local { folder: disk.path().join("restored"), ..site.local() };
        let NotOutResponse { freed, held } = local::not_out(here, NotOut::All).unwrap();
        (freed, held)
    };
    assert_eq!(all(), (10, 0));
    assert_eq!(all(), (0, 0), "nothing is held any more");
    assert_eq!(server.checkout("a").status, 201);
    // The same where it does not run.
    server.stop();
    assert_eq!(all(), (0, 0));
}
