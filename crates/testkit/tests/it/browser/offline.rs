//! *Use licenses offline*: previewed in numbers and dates, borrowed, shown at the portal, recalled and borrowed from there,
//! and refused whole when the portal is gone.

use super::site::{CUSTOMER, PASSWORD, Site, given};
use super::window::{Scheme, Window, with_window};
use std::rc::Rc;
use thirtyfour::By;

#[test]
fn seats_are_kept_for_use_without_the_portal_and_given_back() {
    let site = Rc::new(Site::start());
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            super::set_up(&site, &window).await;
            window.set_scheme(Scheme::Light).await;
            enable(&site, &window).await;
            borrow(&site, &window).await;
            portal(&site, &window).await;
            portal_gone(&site, &window).await;
        }
    });
}

/// Nothing that assistive technology would stumble over, in both color schemes.
async fn judged(window: &Window, what: &str) {
    let axe = std::fs::read_to_string(given("LEASEHOLD_TEST_AXE")).unwrap();
    for scheme in [Scheme::Dark, Scheme::Light] {
        window.set_scheme(scheme).await;
        let found = window.violations(&axe).await;
        assert!(found.is_empty(), "{what}: {}", found.join("\n"));
    }
}

async fn enable(site: &Site, window: &Window) {
    window.open(&site.server).await;
    window.choose("ONLINE LICENSING", "Enable").await;
    window.fill("account", CUSTOMER).await;
    window.fill("password", PASSWORD).await;
    window.choose_one("scope", "organization").await;
    window.press("Enable").await;
    window.see("#notices", "Online licensing is enabled").await;
}

async fn borrow(site: &Site, window: &Window) {
    let license = &site.licenses[0];
    window.choose("ONLINE LICENSING", "Use licenses offline").await;
    window.see("main", "Nothing is kept").await;
    window.see("#offers", "40 of 40").await;
    // More than there are: refused, and what was entered stands there still.
    window.run("document.querySelector('#keep').noValidate = true", Vec::new()).await.unwrap();
    window.fill(&format!("seats-{license}"), "41").await;
    window.press("Preview").await;
    window.see("#not-kept", "There are not enough seats that this server can have now.").await;
    window.see("#not-kept", "Nothing was changed.").await;
    window.fill(&format!("seats-{license}"), "6").await;
    window.fill(&format!("days-{license}"), "10").await;
    window.find(By::Id(format!("renew-{license}"))).await.click().await.unwrap();
    window.press("Preview").await;
    let told = window.see("#preview", "6 seats of Nimbus Animate until").await;
    assert!(told.contains("in 10 days") && told.contains("renewed by itself for 10 days"), "{told}");
    judged(window, "the preview").await;
    window.picture("server-offline-preview.png").await;
    window.press("Borrow").await;
    window.see("#notices", "Kept. The list says until when.").await;
    let kept = window.see("#kept", "Nimbus Animate").await;
    assert!(kept.contains("Kept") && kept.contains("yes, for 10 days"), "{kept}");
    judged(window, "the list").await;
    window.picture("server-offline.png").await;
    window.open(&site.server).await;
    window.see("#products", "Nimbus Animate").await;
    window.see("#overview", "of 172").await;
}

async fn portal(site: &Site, window: &Window) {
    window.sign_in(&site.portal, CUSTOMER).await;
    window.open(&format!("{}/workstations", site.portal)).await;
    window.find(By::Css("main td a")).await.click().await.unwrap();
    window.see("#lines", "kept offline").await;
    window.follow("Use offline").await;
    window.see("#kept", "Nimbus Animate").await;
    judged(window, "the portal's page").await;
    window.picture("portal-offline.png").await;
    window.press("Release").await;
    window.see("#preview", "6 seats of Nimbus Animate no longer kept.").await;
    window.press("Recall from it").await;
    window.see("#notices", "hears of it with its next sync").await;
    window.open(&format!("{}/online/offline", site.server)).await;
    window.see("main", "Nothing is kept").await;
    // And to it again, another product.
    let paint = &site.licenses[1];
    window.open(&format!("{}/workstations", site.portal)).await;
    window.find(By::Css("main td a")).await.click().await.unwrap();
    window.follow("Use offline").await;
    window.fill(&format!("seats-{paint}"), "2").await;
    window.fill(&format!("days-{paint}"), "2").await;
    window.press("Preview").await;
    window.see("#preview", "2 seats of Nimbus Paint until").await;
    window.press("Borrow to it").await;
    window.see("#notices", "hears of it with its next sync").await;
    // It ends within three days: the license server says so on its home page by itself.
    window.open(&site.server).await;
    for _ in 0..20 {
        if window.said("main").await.contains("Seats kept for use without the portal end") {
            break;
        }
        window.reload().await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    window.see("#notices", "Seats kept for use without the portal end: 2 of Nimbus Paint").await;
}

async fn portal_gone(site: &Site, window: &Window) {
    window.open(&format!("{}/online/offline", site.server)).await;
    window.see("#kept", "Nimbus Paint").await;
    site.stop_portal();
    window.press("Release").await;
    window.see("#not-kept", "Nothing was changed.").await;
    window.see("#kept", "Nimbus Paint").await;
    window.open(&format!("{}/online/offline", site.server)).await;
    window.see("#portal-trouble", "Nothing can be borrowed or released until the portal is reached.").await;
    window.see("#kept", "Nimbus Paint").await;
    judged(window, "the portal is gone").await;
    let refused = site.server_says(&["offline", "borrow", "nimbus-paint=3"]);
    assert!(refused.contains("The portal is not reached, so nothing was changed"), "{refused}");
}
