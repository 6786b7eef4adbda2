//! A laptop that cannot reach the license server borrows by files, gives back by one, and another is lost.

use super::site::Site;
use super::window::{Scheme, Window, with_window};
use std::rc::Rc;

#[test]
fn a_laptop_borrows_and_returns_by_files_and_another_is_lost() {
    let site = Rc::new(Site::start());
    site.fill();
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            window.set_scheme(Scheme::Light).await;
            window.administer(&site.server).await;
            borrow(&site, &window).await;
            copied(&site);
            lose(&site, &window).await;
            give_back(&site, &window).await;
        }
    });
}

async fn borrow(site: &Site, window: &Window) {
    let asked = site.at_laptop(&["borrow", "animate.gui", "--days", "9", "--request", "request.pem"]);
    assert!(asked.contains("request.pem"), "{asked}");
    window.choose("ONLINE LICENSING", "Borrowed by machines").await;
    window.see("main", "Nothing is borrowed").await;
    window.attach("file", &site.path("request.pem")).await;
    window.press("Upload").await;
    window.see("#lent", "1 seat of animate.gui until").await;
    window.see("#lent", "in 9 days").await;
    let file = window.download_by("Download the pass", "pem").await;
    let taken = site.at_laptop(&["borrow", "--pass", file.to_str().unwrap()]);
    assert!(taken.contains("animate.gui"), "{taken}");
    let listed: serde_json::Value = serde_json::from_str(&site.at_laptop(&["passes", "--json"])).unwrap();
    assert_eq!(listed["passes"][0]["feature"], "animate.gui", "{listed}");
    // Away from every license server.
    let worked = site.at_laptop(&["run", "animate.gui", "--", "echo", "working"]);
    assert!(worked.contains("working"), "{worked}");
}

/// The same request brings the same pass, not another.
fn copied(site: &Site) {
    let before = site.held();
    site.lend_again("request.pem");
    assert_eq!(site.held(), before);
}

async fn lose(site: &Site, window: &Window) {
    window.open(&format!("{}/passes", site.server)).await;
    window.see("#passes", "animate.gui").await;
    window.picture("server-passes.png").await;
    window.follow("Lost?").await;
    let question = window.see("main", "Is this machine lost?").await;
    assert!(question.contains("Not before: whoever has the machine may use the pass until"), "{question}");
    assert!(question.contains("The vendor does not allow lost seats"), "{question}");
    window.picture("server-pass-lost.png").await;
    window.press("Declare lost").await;
    window.see("#notices", "Declared lost.").await;
    window.see("#passes", "Lost").await;
}

/// It turned up.
async fn give_back(site: &Site, window: &Window) {
    site.at_laptop(&["return", "animate.gui", "--receipt", "receipt.pem"]);
    window.attach("file", &site.path("receipt.pem")).await;
    window.press("Upload").await;
    window.see("#returned", "Its seats are free.").await;
    window.see("main", "Nothing is borrowed").await;
    let over = site.at_laptop(&["passes"]);
    assert!(over.contains("was given back, so it cannot be used any more"), "{over}");
}
