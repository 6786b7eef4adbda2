//! The pages in a real browser, against real processes: what a person does from the first start to a revoked
//! workstation, what assistive technology needs, and what remains without script.

mod day;
mod entrance;
mod evening;
mod files;
mod laptop;
mod offline;
mod proxy;
mod settings;
mod site;
mod window;

use site::{CUSTOMER, OPERATOR, PASSWORD, Site, WORKSTATION, given};
use std::rc::Rc;
use thirtyfour::By;
use window::{Scheme, Window, with_window};

#[test]
fn an_administrator_activates_a_server_by_file_from_end_to_end() {
    from_end_to_end(Rc::new(Site::start()));
}

/// By the form, with a wrong password first; then what is used, and giving it all up.
#[test]
fn an_administrator_enables_a_server_online_from_end_to_end() {
    let site = Rc::new(Site::start());
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            set_up(&site, &window).await;
            enable_online(&site, &window).await;
            let lease = stay_up_to_date(&site, &window).await;
            disable_online(&site, &window, &lease).await;
        }
    });
}

async fn enable_online(site: &Site, window: &Window) {
    window.choose("ONLINE LICENSING", "Enable").await;
    window.see("#portal", &site.portal).await;
    window.fill("account", CUSTOMER).await;
    window.picture("server-enable.png").await;
    window.fill("password", "a wrong one").await;
    window.press("Enable").await;
    let refused = window.see("#enable-refused", "Nothing was changed.").await;
    assert!(refused.contains("The email address or the password is wrong."), "{refused}");
    window.fill("password", PASSWORD).await;
    window.press("Test connection").await;
    window.see("#connection-test", "The connection works").await;
    window.fill("password", PASSWORD).await;
    window.press("Enable").await;
    window.see("#notices", "Online licensing is enabled for Northlight Pictures").await;
    window.see("#portal-state", "The portal answered at").await;
    window.see("#products", "Nimbus Animate").await;
    window.see("#overview", "Seats in use0of 172").await;
}

async fn stay_up_to_date(site: &Site, window: &Window) -> serde_json::Value {
    window.open(&site.server).await;
    window.find(By::Css("body.is-live")).await;
    let lease = site.take_seat(1, "animate.gui", "mira.olsen", "nl-ws-014", "8.2.1");
    window.see("#overview", "Seats in use1of 172").await;
    site.sell_more(5);
    window.see("#overview", "Seats in use1of 177").await;
    window.press("Refresh").await;
    window.see("#notices", "Up to date with the portal as of").await;
    window.choose("ONLINE LICENSING", "Overview").await;
    window.see("#pools", "Nimbus Render").await;
    window.picture("server-online.png").await;
    lease
}

async fn disable_online(site: &Site, window: &Window, lease: &serde_json::Value) {
    window.choose("ONLINE LICENSING", "Disable").await;
    let question = window.see("main", "It finishes by itself.").await;
    assert!(question.contains("176 seats are free and go back at once"), "{question}");
    window.press("Disable and give back 177 seats").await;
    window.see("main", "This server is being disabled").await;
    site.give_back(lease);
    window.see("main", "its receipt is at the portal").await;
}

/// HTTPS and names by nginx, with the lines of the manual: forms, uploads, downloads and live updates.
#[test]
fn the_same_behind_nginx() {
    from_end_to_end(Rc::new(Site::start_behind_nginx()));
}

fn from_end_to_end(site: Rc<Site>) {
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            set_up(&site, &window).await;
            let request = ask_for_activation(&site, &window).await;
            let file = activate_in_the_portal(&site, &window, &request).await;
            load(&site, &window, &file).await;
            seats_are_seen(&site, &window).await;
            a_wrong_file_changes_nothing(&site, &window, &request).await;
            revoke(&site, &window).await;
        }
    });
}

/// The first start: from the secret to a home page that says what to do next.
async fn set_up(site: &Site, window: &Window) {
    window.set_scheme(Scheme::Light).await;
    window.open(&site.server).await;
    window.see("main", "First set the administrator's password").await;
    window.follow("Set the password").await;
    window.fill("secret", &site.setup_secret).await;
    window.fill("password", PASSWORD).await;
    window.fill("again", PASSWORD).await;
    window.press("Set the password").await;
    window.see("header", "Sign out").await;
    window.open(&site.server).await;
    window.see("main", "This server is not activated yet").await;
}

async fn ask_for_activation(site: &Site, window: &Window) -> std::path::PathBuf {
    window.choose("ONLINE LICENSING", "Activate offline").await;
    window.see("#portal-address", &site.portal).await;
    window.picture("server-activate.png").await;
    let request = window.download("Download request file", "pem").await;
    assert!(std::fs::read_to_string(&request).unwrap().contains("BEGIN CERTIFICATE REQUEST"));
    request
}

async fn activate_in_the_portal(site: &Site, window: &Window, request: &std::path::Path) -> std::path::PathBuf {
    window.sign_in(&site.portal, CUSTOMER).await;
    window.follow("WORKSTATIONS").await;
    window.see("main", "No workstations yet").await;
    assert_eq!(window.cookies_are_secure().await, site.portal.starts_with("https:"));
    window.follow("Activate Workstation").await;
    window.attach("request", request).await;
    window.fill("name", WORKSTATION).await;
    window.press("Upload").await;
    let before = window.see("#pool-sentence", "leave the pool until").await;
    window.picture("portal-activate-preview.png").await;
    for (license, seats) in site.licenses.iter().zip(["3", "0", "7"]) {
        window.fill(&format!("seats-{license}"), seats).await;
    }
    window.press("Update Preview").await;
    let after = window.see("#pool-sentence", "These 10 seats leave the pool until").await;
    assert_ne!(before, after);
    window.press("Activate").await;
    window.see("main", "10 seats left the pool for this workstation").await;
    window.download("Download .crt File", "crt").await
}

async fn load(site: &Site, window: &Window, file: &std::path::Path) {
    window.open(&format!("{}/activate", site.server)).await;
    window.attach("file", file).await;
    window.press("UPLOAD").await;
    let loaded = window.see("#loaded", WORKSTATION).await;
    for part in ["Nimbus Software", "Northlight Pictures", "10 seats", "fingerprint"] {
        assert!(loaded.contains(part), "{part:?} is not in {loaded:?}");
    }
    window.follow("See the licenses").await;
    let products = window.see("#products", "Nimbus Animate").await;
    assert!(products.contains("Nimbus Render") && !products.contains("Nimbus Paint"), "{products}");
    window.see("#overview", "Seats in use0of 10").await;
    window.see("#holders", "Nobody holds a seat").await;
}

/// By itself, after a reload, and by the filters in the address.
async fn seats_are_seen(site: &Site, window: &Window) {
    window.find(By::Css("body.is-live")).await;
    window.run("window.sameDocument = true", Vec::new()).await.unwrap();
    site.take_seat(1, "animate.gui", "mira.olsen", "nl-ws-014", "8.2.1");
    window.see("#holders", "mira.olsen").await;
    window.see("#overview", "Seats in use1of 10").await;
    let same = window.run("return window.sameDocument === true", Vec::new()).await.unwrap();
    assert_eq!(same.json(), &true, "the page was loaded anew");
    window.reload().await;
    window.see("#holders", "nl-ws-014").await;

    let filter = |words: &str| By::XPath(format!("//div[@id='filters']//a[starts-with(normalize-space(), '{words}')]"));
    window.click(filter("In use")).await;
    window.find(By::Css("#filters a[aria-current=true][href*='use=in_use']")).await;
    assert!(window.url().await.contains("use=in_use"));
    let used = window.said("#products").await;
    assert!(used.contains("Nimbus Animate") && !used.contains("Nimbus Render"), "{used}");
    window.open(&format!("{}/?use=available", site.server)).await;
    let available = window.said("#products").await;
    assert!(available.contains("Nimbus Animate") && available.contains("Nimbus Render"), "{available}");
    for number in 2..4 {
        site.take_seat(number, "animate.gui", &format!("user{number}"), &format!("nl-ws-{number}"), "8.2.1");
    }
    window.reload().await;
    let available = window.said("#products").await;
    assert!(!available.contains("Nimbus Animate") && available.contains("Nimbus Render"), "{available}");
}

async fn a_wrong_file_changes_nothing(site: &Site, window: &Window, request: &std::path::Path) {
    let held = site.held();
    window.open(&format!("{}/activate", site.server)).await;
    let in_use = window.said("#in-use").await;
    window.attach("file", request).await;
    window.press("UPLOAD").await;
    let refused = window.see("#upload-refused", "Nothing was changed.").await;
    for part in ["request", "What to do", "Who can"] {
        assert!(refused.contains(part), "{part:?} is not in {refused:?}");
    }
    assert_eq!(window.said("#in-use").await, in_use);
    assert_eq!(site.held(), held);
}

async fn revoke(site: &Site, window: &Window) {
    window.open(&format!("{}/workstations", site.portal)).await;
    window.find(By::Css("body.is-live")).await;
    window.follow(WORKSTATION).await;
    window.find(By::Css("body.is-live")).await;
    window.follow("Revoke").await;
    window.see("main", &format!("Revoke workstation {WORKSTATION}?")).await;
    window.see("main", "can still run until").await;
    window.press("Revoke Workstation").await;
    window.see("#notices", "is revoked").await;
    window.see("#notices", "It can still run until").await;
}

#[test]
fn no_page_has_accessibility_violations_in_light_or_dark() {
    let site = Rc::new(Site::start());
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            let mut judge =
                Judge { window, axe: std::fs::read_to_string(given("LEASEHOLD_TEST_AXE")).unwrap(), found: Vec::new() };
            judge.visit(&site.server, &["/", "/setup"]).await;
            let workstation = site.fill();
            server_pages(&site, &mut judge).await;
            portal_pages(&site, &workstation, &mut judge).await;
            assert!(judge.found.is_empty(), "{} violations:\n{}", judge.found.len(), judge.found.join("\n"));
        }
    });
}

/// Visits pages and keeps what axe finds.
struct Judge {
    window: Window,
    axe: String,
    found: Vec<String>,
}

impl Judge {
    async fn visit(&mut self, service: &str, paths: &[&str]) {
        for path in paths {
            self.window.open(&format!("{service}{path}")).await;
            self.look(path).await;
        }
    }

    /// The page that is open, in both color schemes.
    async fn look(&mut self, name: &str) {
        let title = self.window.title().await;
        for scheme in Scheme::BOTH {
            self.window.set_scheme(scheme).await;
            let violations = self.window.violations(&self.axe).await;
            self.found
                .extend(violations.into_iter().map(|line| format!("{title} ({name}), {}: {line}", scheme.word())));
        }
    }

    async fn picture(&self, scheme: Scheme, url: &str, name: &str) {
        self.window.set_scheme(scheme).await;
        self.window.open(url).await;
        self.window.picture(name).await;
    }
}

async fn server_pages(site: &Site, judge: &mut Judge) {
    judge.visit(&site.server, &["/", "/sign-in"]).await;
    judge.window.administer(&site.server).await;
    let lease = site.take_seat(50, "animate.gui", "sam.ito", "nl-ws-060", "8.2.1");
    site.ask_for_seat(51, "nothing.here", "sam.ito", "nl-ws-060", "8.2.1");
    let pass = site.lend_out("render.node");
    let pages = [
        "/",
        "/?use=in_use&sort=use",
        "/?q=nothing+like+it",
        "/?feature=animate.gui",
        "/holders",
        &format!("/holders/release?lease={}", lease["lease"].as_str().unwrap()),
        "/denials",
        "/denials?outcome=served",
        "/simulate",
        "/simulate?feature=animate.gui&user=mira.olsen&host=nl-ws-014",
        "/simulate?feature=nothing.here",
        "/passes",
        &format!("/passes/lost?pass={pass}"),
        "/online",
        "/online/enable",
        "/online/enable?with=token",
        "/activate",
        "/disable",
        "/settings",
        "/settings/network",
        "/settings/portal",
        "/settings/seats",
        "/settings/administrators",
        "/settings/administrators/account?name=administrator",
        "/settings/backup",
        "/usage",
        "/usage?feature=animate.gui",
        "/usage/log",
        "/audit",
        "/nowhere",
    ];
    judge.visit(&site.server, &pages).await;
    let wrong = site.path("wrong.crt");
    std::fs::write(&wrong, site.request_file()).unwrap();
    judge.window.open(&format!("{}/activate", site.server)).await;
    judge.window.attach("file", &wrong).await;
    judge.window.press("UPLOAD").await;
    judge.window.see("#upload-refused", "Nothing was changed.").await;
    judge.look("a refused upload").await;
    judge.window.open(&format!("{}/online/enable", site.server)).await;
    judge.window.fill("account", CUSTOMER).await;
    judge.window.fill("password", PASSWORD).await;
    judge.window.press("Test connection").await;
    judge.window.see("#connection-test", "The connection works").await;
    judge.look("a tested connection").await;
    judge.window.fill("password", "wrong").await;
    judge.window.press("Enable").await;
    judge.window.see("#enable-refused", "Nothing was changed.").await;
    judge.look("not enabled").await;
    for scheme in Scheme::BOTH {
        judge.picture(scheme, &site.server, &format!("server-home-{}.png", scheme.word())).await;
    }
}

async fn portal_pages(site: &Site, workstation: &str, judge: &mut Judge) {
    let entrance = ["/sign-in", "/sign-up", "/forgotten", "/confirm?token=x", "/reset?token=x", "/email?token=x"];
    judge.visit(&site.portal, &entrance).await;
    judge.window.sign_in(&site.portal, CUSTOMER).await;
    let (license, workstation) = (format!("/licenses/{}", site.licenses[0]), format!("/workstations/{workstation}"));
    let pages = [
        "/",
        "/licenses",
        &license,
        "/workstations",
        "/workstations?status=revoked",
        &workstation,
        &format!("{workstation}?issued=1"),
        &format!("{workstation}/renew"),
        &format!("{workstation}/revoke"),
        "/workstations/activate",
        "/workstations/receipt",
        "/workstations/token",
        "/organization",
        "/organization/switch",
        "/account",
        "/account?done=email",
        "/device",
        "/password",
        "/nowhere",
    ];
    judge.visit(&site.portal, &pages).await;
    judge.picture(Scheme::Light, &format!("{}/workstations", site.portal), "portal-workstations.png").await;
    judge.picture(Scheme::Light, &format!("{}/account", site.portal), "portal-account.png").await;

    people_pages(site, judge).await;
    let (_, asked) = site.as_program("/api/v1/device/authorize", "client_id=leasehold+on+farm-07&scope=workstations");
    judge.window.open(&format!("{}/device", site.portal)).await;
    judge.window.fill("code", asked["user_code"].as_str().unwrap()).await;
    judge.window.press("Go on").await;
    judge.window.see("main", "Let this program act for you?").await;
    judge.look("what a program wants").await;

    let request = site.path("renewal.pem");
    std::fs::write(&request, site.request_file()).unwrap();
    judge.window.open(&format!("{}/workstations/activate", site.portal)).await;
    judge.window.attach("request", &request).await;
    judge.window.press("Upload").await;
    judge.window.see("main", "A renewal of").await;
    judge.look("the preview of a renewal").await;

    judge.window.forget().await;
    judge.window.sign_in(&site.portal, OPERATOR).await;
    let pages = [
        "/",
        "/accounts",
        "/accounts/new",
        &format!("/accounts/{}", site.account),
        "/products",
        "/products/new",
        &format!("/products/{}", site.products[0]),
        "/licenses",
        &license,
        "/licenses/new",
        &format!("{license}/end"),
        "/workstations",
        "/workstations/activate",
        "/mails",
        "/mails?status=failed",
        "/audit",
    ];
    judge.visit(&site.portal, &pages).await;
}

/// Somebody who is invited, as the owner sees it and as the link of the letter shows it.
async fn people_pages(site: &Site, judge: &mut Judge) {
    const INVITED: &str = "ivy.chen@northlight.example";
    judge.window.open(&format!("{}/organization", site.portal)).await;
    judge.window.fill("email", INVITED).await;
    judge.window.press("Invite").await;
    judge.window.see("#notices", "A letter is on its way").await;
    judge.look("an invitation").await;
    judge.window.follow(INVITED).await;
    let person = judge.window.url().await;
    judge.look("a person who is invited").await;
    let person = person.strip_prefix(&site.portal).unwrap();
    let join = format!("/join?token={}", site.letter_link(INVITED));
    judge.visit(&site.portal, &[&format!("{person}/role"), &format!("{person}/remove"), &join]).await;
    judge.window.forget().await;
    judge.visit(&site.portal, &[&join]).await;
    judge.window.sign_in(&site.portal, CUSTOMER).await;
}

#[test]
fn pages_work_without_script() {
    let site = Rc::new(Site::start());
    site.fill();
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            window.devtools("Emulation.setScriptExecutionDisabled", serde_json::json!({ "value": true })).await;
            window.open("data:text/html,<title>off</title><script>document.title = 'on'</script>").await;
            assert_eq!(window.title().await, "off", "the browser runs script");

            window.administer(&site.server).await;
            window.see("#products", "Nimbus Animate").await;
            window.see("#holders-table", "mira.olsen").await;
            window.choose("ONLINE LICENSING", "Activate offline").await;
            window.see("#in-use", WORKSTATION).await;

            window.sign_in(&site.portal, CUSTOMER).await;
            window.follow("WORKSTATIONS").await;
            window.see("#workstations", WORKSTATION).await;
        }
    });
}
