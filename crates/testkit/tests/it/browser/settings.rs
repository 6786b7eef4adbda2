//! Settings in a real browser: the proxy on the way to the portal, locking oneself out and getting back, and an account
//! that may look only.

use super::site::{PASSWORD, Site};
use super::window::{Window, with_window};
use crate::proxies;
use crate::proxies::{Kind, Proxy, USER};
use crate::service::Service;
use leasehold_core::time::Clock as _;
use leasehold_host::SystemClock;
use leasehold_trust::SigningKey;
use leasehold_trust::secret::self_signed_certificate;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

/// Longer than anything is on trial.
const TRIAL: Duration = Duration::from_secs(75);

/// Sets the server up with the secret that it printed.
async fn set_up(window: &Window, server: &str, secret: &str) {
    window.open(&format!("{server}/setup")).await;
    window.fill("secret", secret).await;
    window.fill("password", PASSWORD).await;
    window.fill("again", PASSWORD).await;
    window.press("Set the password").await;
    window.see("header", "Sign out").await;
}

/// The button of the form with this id.
async fn save(window: &Window, form: &str) {
    let script = "document.getElementById(arguments[0]).requestSubmit()";
    window.run(script, vec![form.into()]).await.unwrap();
}

#[test]
fn the_proxy_is_changed_on_the_page_with_and_without_a_password_up_and_down() {
    let site = proxies::Site::new();
    site.set("");
    let address = site.path().join("s.address");
    let secret = site.path().join("secret");
    let serve = ["server", "serve", "--data", "s", "--listen", "127.0.0.1:0", "--setup-secret-file", "secret"];
    let serve = [serve.as_slice(), &["--address-file", address.to_str().unwrap()]].concat();
    let mut command = site.command(&serve, &[]);
    let running = Service::ready(command.stdout(Stdio::null()).stderr(Stdio::null()), &address);
    let server = format!("http://{}", running.address);
    let secret = std::fs::read_to_string(secret).unwrap();
    let (open, guarded) = (Proxy::start(site.path(), Kind::Http, false), Proxy::start(site.path(), Kind::Http, true));
    let folder = site.path().to_owned();
    with_window(&folder, async move |window| {
        // Kept until the end.
        let _site = (site, running);
        set_up(&window, &server, secret.trim()).await;
        let page = format!("{server}/settings/portal");
        window.open(&page).await;
        window.see("main", "Fixed in server.toml").await;
        window.fill("proxy", &open.url("")).await;
        save(&window, "settings-portal").await;
        window.see("#notices", "Saved, and in force.").await;
        window.press("Test connection").await;
        window.see("#connection-test", "The connection works").await;
        assert_eq!(open.connections(), 1, "it went through the proxy");

        window.open(&page).await;
        window.fill("proxy", &guarded.url("")).await;
        save(&window, "settings-portal").await;
        window.see("#notices", "Saved, and in force.").await;
        window.press("Test connection").await;
        window.see("#connection-test", "PROXY_WANTS_PASSWORD").await;
        window.open(&page).await;
        window.fill("proxy", &guarded.url(&format!("{USER}@"))).await;
        window.fill("proxy_password", proxies::PASSWORD).await;
        save(&window, "settings-portal").await;
        let saved = window.see("main", "One is set.").await;
        assert!(!saved.contains(proxies::PASSWORD), "it is never shown");
        window.press("Test connection").await;
        window.see("#connection-test", "The connection works").await;
        assert_eq!(guarded.connections(), 1);

        window.open(&page).await;
        window.fill("proxy", &format!("ftp://{USER}@127.0.0.1")).await;
        save(&window, "settings-portal").await;
        window.see("main", "It cannot be used: it must begin with http:// or socks5://").await;
        window.open(&page).await;
        drop(guarded);
        window.press("Test connection").await;
        window.see("#connection-test", "PROXY_CONNECTION_REFUSED").await;
    });
}

#[test]
fn who_locks_oneself_out_gets_back_after_a_minute() {
    let site = Rc::new(Site::start_far_away("10.1.2.3"));
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            set_up(&window, &site.server, &site.setup_secret).await;
            let page = format!("{}/settings/network", site.server);
            window.open(&page).await;
            window.fill("allow_networks", "10.0.0.0/8").await;
            save(&window, "settings-networks").await;
            window.see("#on-trial", "come back by themselves in").await;
            window.picture("server-settings-on-trial.png").await;
            window.press("Keep these settings").await;
            window.see("#notices", "Kept: the new settings stay.").await;

            window.fill("allow_networks", "192.0.2.0/24").await;
            save(&window, "settings-networks").await;
            window.see("main", "This license server does not answer to your address.").await;
            let back = tokio::time::timeout(TRIAL, async {
                loop {
                    window.open(&page).await;
                    if !window.said("main").await.contains("SHUT_OUT") {
                        return;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
            back.await.expect("the settings from before come back");
            let networks = window.run("return document.getElementById('field-allow_networks').value", vec![]).await;
            assert_eq!(networks.unwrap().json().as_str(), Some("10.0.0.0/8"), "what was kept is there again");
            window.open(&format!("{}/audit", site.server)).await;
            window.see("main", "nobody confirmed them in time").await;
        }
    });
}

#[test]
fn a_certificate_for_browsers_is_uploaded_and_confirmed_by_whoever_sees_it() {
    let site = Rc::new(Site::start());
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            set_up(&window, &site.server, &site.setup_secret).await;
            let file = |name: &str, text: &str| {
                std::fs::write(site.path(name), text).unwrap();
                site.path(name)
            };
            let key = SigningKey::generate();
            let now = SystemClock::new().wall();
            let certificate = file("new.crt", &self_signed_certificate(&["127.0.0.1".to_owned()], &key, now));
            let foreign = file("other.key", &SigningKey::generate().to_pkcs8_pem());
            let key = file("new.key", &key.to_pkcs8_pem());
            let server = site.server.replacen("http:", "https:", 1);
            window.forget().await;
            window.administer(&server).await;
            window.open(&format!("{server}/settings/network")).await;
            let before = window.said("#tls-fingerprint").await;
            window.see("main", "Self-signed, made at the first start.").await;
            window.attach("certificate", &certificate).await;
            window.attach("key", &foreign).await;
            window.press("Use this certificate").await;
            window.see("main", "It cannot be used:").await;
            window.attach("certificate", &certificate).await;
            window.attach("key", &key).await;
            window.press("Use this certificate").await;
            window.see("#on-trial", "come back by themselves in").await;
            assert_ne!(window.said("#tls-fingerprint").await, before);
            window.press("Keep these settings").await;
            window.see("#notices", "Kept: the new settings stay.").await;
            window.see("main", "Yours, until").await;
            window.press("Back to the self-signed one").await;
            window.see("#on-trial", "come back by themselves in").await;
            window.press("Take them back").await;
            window.see("main", "Yours, until").await;
        }
    });
}

#[test]
fn a_read_only_account_sees_everything_and_changes_nothing() {
    let site = Rc::new(Site::start());
    site.fill();
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            window.administer(&site.server).await;
            // By the keyboard.
            window.open(&format!("{}/settings/administrators", site.server)).await;
            window.type_into("name", "Noor Haddad").await;
            window.type_into("password", PASSWORD).await;
            window.type_into("again", PASSWORD).await;
            window.press_key_on("Add the account").await;
            window.see("#notices", "Added: the account can sign in.").await;
            window.see("#accounts", "look only").await;
            window.picture("server-administrators.png").await;
            window.forget().await;

            window.open(&format!("{}/sign-in", site.server)).await;
            window.fill("name", "noor haddad").await;
            window.fill("password", PASSWORD).await;
            window.press("Sign in").await;
            window.see("header", "Noor Haddad").await;
            let home = window.see("main", "mira.olsen").await;
            assert!(!home.contains("Take back"), "{home}");
            for path in ["/settings/network", "/settings/seats", "/settings/portal", "/settings/backup"] {
                window.open(&format!("{}{path}", site.server)).await;
                let seen = window
                    .see("main", "Your account may look at everything but the support bundle, and change nothing.")
                    .await;
                assert!(!seen.contains("Save") && !seen.contains("Back up now"), "{path}: {seen}");
            }
            window.open(&format!("{}/audit", site.server)).await;
            window.see("main", "Administrator added").await;
            // Whatever it sends from an older page is refused.
            let script = "const form = document.createElement('form'); form.method = 'post'; form.action = '/disable';
                document.body.append(form); form.submit();";
            window.run(script, vec![]).await.unwrap();
            window.see("main", "Your account may look at everything and change nothing.").await;
            assert_eq!(site.held()[2], "active");
        }
    });
}
