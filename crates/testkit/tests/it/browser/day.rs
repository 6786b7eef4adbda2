//! A day of a studio: a seat is assigned at the portal, appears on its person's own license server, is used, and is taken
//! back.

use super::site::{CUSTOMER, PASSWORD, Site};
use super::window::{Scheme, Window, with_window};
use std::rc::Rc;
use thirtyfour::By;

/// Who is given a seat.
const MEMBER: &str = "mira.olsen@northlight.example";

#[test]
fn a_day_of_a_studio() {
    let site = Rc::new(Site::start());
    site.person(MEMBER, "Mira Olsen");
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            super::set_up(&site, &window).await;
            window.set_scheme(Scheme::Light).await;
            assign(&site, &window).await;
            enable_for_one(&site, &window).await;
            let lease = check_out(&site, &window).await;
            take_back(&site, &window).await;
            withdrawn(&site, &window, &lease).await;
        }
    });
}

async fn assign(site: &Site, window: &Window) {
    window.sign_in(&site.portal, CUSTOMER).await;
    window.open(&format!("{}/organization", site.portal)).await;
    window.fill("email", MEMBER).await;
    window.press("Add Member").await;
    window.see("main", "Mira Olsen").await;
    window.picture("portal-organization.png").await;
    window.open(&format!("{}/licenses/{}", site.portal, site.licenses[0])).await;
    window.select("account", "Mira Olsen").await;
    window.fill("assign_seats", "1").await;
    window.press("Assign").await;
    // The name alone stands in the list of people before.
    window.see("main", "1 seat assigned to Mira Olsen").await;
}

/// By the license server's administrator, with the account of the person who works there.
async fn enable_for_one(site: &Site, window: &Window) {
    window.open(&site.server).await;
    window.choose("ONLINE LICENSING", "Enable").await;
    window.fill("account", MEMBER).await;
    window.fill("password", PASSWORD).await;
    window.choose_one("scope", "person").await;
    window.press("Enable").await;
    window.see("#notices", "Online licensing is enabled").await;
    let products = window.see("#products", "Nimbus Animate").await;
    assert!(!products.contains("Nimbus Render"), "only what was assigned: {products}");
    window.see("#overview", "Seats in use0of 1").await;
}

async fn check_out(site: &Site, window: &Window) -> serde_json::Value {
    window.find(By::Css("body.is-live")).await;
    let lease = site.take_seat(1, "animate.gui", "mira.olsen", "nl-ws-014", "8.2.1");
    window.see("#overview", "Seats in use1of 1").await;
    lease
}

async fn take_back(site: &Site, window: &Window) {
    window.open(&format!("{}/licenses/{}", site.portal, site.licenses[0])).await;
    window.find(By::Css("body.is-live")).await;
    window.see("main", "Mira Olsen").await;
    window.picture("portal-license.png").await;
    window.follow("Take back").await;
    window.see("main", "Take 1 seat back from Mira Olsen?").await;
    window.picture("portal-take-back.png").await;
    window.press("Take Back").await;
    window.see("#notices", "The seats are taken back").await;
}

/// The seat leaves the server by itself, and whoever uses it is told.
async fn withdrawn(site: &Site, window: &Window, lease: &serde_json::Value) {
    window.open(&site.server).await;
    window.see("#overview", "Seats in use1of none any more").await;
    assert_eq!(site.beat(lease)["code"], "WITHDRAWN");
    site.give_back(lease);
    window.see("main", "No licenses yet").await;
    window.open(&format!("{}/licenses/{}", site.portal, site.licenses[0])).await;
    window.see("main", "40").await;
    let page = window.said("main").await;
    assert!(!page.contains("Take back"), "nobody has a seat of their own: {page}");
}
