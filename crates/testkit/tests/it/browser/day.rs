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
            invite(&site, &window).await;
            assign(&site, &window).await;
            look_after_it(&site, &window).await;
            enable_for_one(&site, &window).await;
            let lease = check_out(&site, &window).await;
            take_back(&site, &window).await;
            withdrawn(&site, &window, &lease).await;
        }
    });
}

/// Somebody is asked into the organization, and says yes.
async fn invite(site: &Site, window: &Window) {
    window.sign_in(&site.portal, CUSTOMER).await;
    window.open(&format!("{}/organization", site.portal)).await;
    window.fill("email", MEMBER).await;
    window.press("Invite").await;
    window.see("#notices", "A letter is on its way").await;
    window.picture("portal-organization.png").await;

    window.forget().await;
    window.sign_in(&site.portal, MEMBER).await;
    window.open(&format!("{}/licenses", site.portal)).await;
    window.see("#notices", "You are invited to").await;
    window.follow("Join or decline").await;
    window.press("Join").await;
    window.see("#notices", "You are in the organization").await;
    window.forget().await;
    window.sign_in(&site.portal, CUSTOMER).await;
}

/// On the page of the person.
async fn assign(site: &Site, window: &Window) {
    window.open(&format!("{}/organization", site.portal)).await;
    window.follow("Mira Olsen").await;
    window.select("license", "Nimbus Animate").await;
    window.fill("seats", "1").await;
    window.press("Give").await;
    window.see("#notices", "The seats are given to Mira Olsen").await;
    window.picture("portal-person.png").await;
}

/// Who was a user gets a part in looking after the organization, switches to it, and sees it.
async fn look_after_it(site: &Site, window: &Window) {
    window.follow("Role").await;
    window.see("main", "Role of Mira Olsen").await;
    window.choose_one("role", "viewer").await;
    window.picture("portal-role.png").await;
    window.press("Change Role").await;
    window.see("#notices", "Mira Olsen is viewer now.").await;
    let here = window.url().await;
    let organization = here.split("/organizations/").nth(1).unwrap().split('/').next().unwrap();

    window.forget().await;
    window.sign_in(&site.portal, MEMBER).await;
    window.open(&format!("{}/organization/switch", site.portal)).await;
    window.choose_one("organization", organization).await;
    window.press("Switch").await;
    let seen = window.see("main", "Mira Olsen").await;
    assert!(seen.contains("viewer") && !seen.contains("Invite somebody"), "{seen}");
    window.open(&format!("{}/licenses/{}", site.portal, site.licenses[0])).await;
    let seen = window.see("main", "Where the seats are").await;
    assert!(!seen.contains("Assign seats") && !seen.contains("Take back"), "{seen}");
    // Both services stand on one host: the license server's sign-in was forgotten with the portal's.
    window.forget().await;
    window.sign_in(&site.portal, CUSTOMER).await;
    window.administer(&site.server).await;
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
