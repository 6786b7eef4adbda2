//! A server that has its seats by file gives some back, both ways with files, is renewed with the lower numbers, and is lost
//! in the end.

use super::site::{CUSTOMER, Site, WORKSTATION, given};
use super::window::{Scheme, Window, with_window};
use std::path::{Path, PathBuf};
use std::rc::Rc;

#[test]
fn some_seats_are_given_back_by_files_and_a_dead_server_is_declared_lost() {
    let site = Rc::new(Site::start());
    let workstation = site.fill();
    site.allow_write_offs(0, 5);
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            let axe = std::fs::read_to_string(given("LEASEHOLD_TEST_AXE")).unwrap();
            window.set_scheme(Scheme::Light).await;
            window.administer(&site.server).await;
            let old = site.crt(&workstation);
            let receipt = give_back(&site, &window, &axe).await;
            let page = format!("{}/workstations/{workstation}", site.portal);
            take(&site, &window, &receipt, &page).await;
            judge(&window, &axe).await;
            let file = renew(&site, &window, &page).await;
            load(&site, &window, &old, &file).await;
            lose(&site, &window, &page, &axe).await;
        }
    });
}

/// What axe finds on the page that is open, in both schemes.
async fn judge(window: &Window, axe: &str) {
    for scheme in Scheme::BOTH {
        window.set_scheme(scheme).await;
        let found = window.violations(axe).await;
        assert!(found.is_empty(), "{}, {}: {}", window.title().await, scheme.word(), found.join("\n"));
    }
    window.set_scheme(Scheme::Light).await;
}

/// So that the next file of that ending is told apart.
fn named(site: &Site, file: &Path, name: &str) -> PathBuf {
    let to = site.path(name);
    std::fs::rename(file, &to).unwrap();
    to
}

async fn give_back(site: &Site, window: &Window, axe: &str) -> PathBuf {
    window.open(&format!("{}/online", site.server)).await;
    window.follow("Give back some seats").await;
    let form = window.see("#give-back-form", "Keep of Nimbus Animate").await;
    assert!(form.contains("can go back now"), "{form}");
    judge(window, axe).await;
    window.picture("server-give-back.png").await;
    let field = format!("keep-{}", site.licenses[2]);
    window.fill(&field, "60").await;
    window.press("Preview").await;
    let preview = window.see("main", "Give back 20 seats?").await;
    assert!(preview.contains("80 → 60"), "{preview}");
    judge(window, axe).await;
    window.press("Give back 20 seats").await;
    window.see("#given-back", "20 seats given back").await;
    judge(window, axe).await;
    window.picture("server-given-back.png").await;
    let receipt = window.download("Download receipt", "pem").await;
    named(site, &receipt, "receipt-1.pem")
}

async fn take(site: &Site, window: &Window, receipt: &Path, page: &str) {
    window.sign_in(&site.portal, CUSTOMER).await;
    window.open(page).await;
    window.see("#lines", "Nimbus Rendercommercial80").await;
    window.follow("Upload Receipt").await;
    window.attach("receipt", receipt).await;
    window.press("Upload").await;
    window.see("#notices", "20 seats back in the pool").await;
    window.see("#lines", "Nimbus Rendercommercial60").await;
    window.see("#standing", "Gave back").await;
    window.see("#usage", "Seat hours").await;
    window.picture("portal-gave-back.png").await;
    // The same file again changes nothing, and says so.
    window.open(&format!("{}/workstations/receipt", site.portal)).await;
    window.attach("receipt", receipt).await;
    window.press("Upload").await;
    window.see("main", "already").await;
    window.open(page).await;
    window.see("#lines", "Nimbus Rendercommercial60").await;
}

async fn renew(site: &Site, window: &Window, page: &str) -> PathBuf {
    window.open(&format!("{page}/renew")).await;
    window.see("#pool-sentence", "The workstation then holds 92 seats").await;
    window.press("Renew").await;
    window.see("main", "Now bring the file to the license server").await;
    let file = window.download("Download .crt File", "crt").await;
    named(site, &file, "renewed.crt.kept")
}

async fn load(site: &Site, window: &Window, old: &Path, file: &Path) {
    for (file, expected) in [(old, "#upload-refused"), (file, "#loaded")] {
        window.open(&format!("{}/activate", site.server)).await;
        window.attach("file", file).await;
        window.press("UPLOAD").await;
        window.see(expected, if expected == "#loaded" { WORKSTATION } else { "Nothing was changed." }).await;
    }
    window.open(&format!("{}/give-back", site.server)).await;
    window.see("#give-back-form", "How many seats stay here?").await;
}

async fn lose(site: &Site, window: &Window, page: &str, axe: &str) {
    window.open(page).await;
    window.follow("Lost?").await;
    let question = window.see("main", "Not before: what it has is signed until").await;
    assert!(question.contains("5 of 5 a year left"), "{question}");
    judge(window, axe).await;
    window.picture("portal-lost.png").await;
    window.press("Declare lost").await;
    window.see("#notices", "was declared lost").await;
    judge(window, axe).await;
    window.follow("See what can be freed at once").await;
    window.press("Declare lost and free 5 seats now").await;
    window.see("#notices", "5 seats were written off").await;
    window.see("#standing", "may be in use until").await;
    judge(window, axe).await;
    window.picture("portal-lost-done.png").await;
    window.open(&format!("{page}/lost")).await;
    window.see("main", "all 5 of this year used").await;
    assert_eq!(site.held()[2], "active", "nobody told the server, which is by file");
}
