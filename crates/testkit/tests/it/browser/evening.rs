//! Nine in the evening: an artist cannot start work, and the administrator who is phoned finds out why and helps. By the
//! keyboard alone.

use super::site::{PASSWORD, Site};
use super::window::{Scheme, Window, with_window};
use serde_json::Value;
use std::rc::Rc;

const ARTIST: &str = "kai.lindqvist";
/// Who went home and left the application open.
const AWAY: &str = "vera.sommer";
const REASON: &str = "The delivery is tonight; your scene was saved.";

#[test]
fn somebody_cannot_start_work_and_the_administrator_helps_by_keyboard() {
    let site = Rc::new(Site::start());
    site.fill();
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            window.set_scheme(Scheme::Light).await;
            let left_open = all_seats_are_out(&site);
            sign_in(&site, &window).await;
            why(&window).await;
            would_it_work(&window).await;
            take_back(&window).await;
            the_application_hears_of_it(&site, &left_open);
            served(&site, &window).await;
        }
    });
}

/// The lease of whoever is away.
fn all_seats_are_out(site: &Site) -> Value {
    let left_open = site.take_seat(20, "paint.gui", AWAY, "nl-ws-040", "5.0.2");
    for number in 21..27 {
        site.take_seat(number, "paint.gui", &format!("painter{number}"), &format!("nl-ws-{number}"), "5.0.2");
    }
    for number in [30, 31] {
        let refused = site.ask_for_seat(number, "paint.gui", ARTIST, "nl-ws-050", "5.0.2");
        assert_eq!(
            (&refused["code"], &refused["in_use"], &refused["total"]),
            (&"NO_SEATS".into(), &8.into(), &8.into())
        );
    }
    left_open
}

async fn sign_in(site: &Site, window: &Window) {
    window.open(&format!("{}/sign-in", site.server)).await;
    window.type_into("password", PASSWORD).await;
    window.press_key_on("Sign in").await;
    window.see("header", "Sign out").await;
}

async fn why(window: &Window) {
    window.press_key_on("USAGE").await;
    window.press_key_on("Denials").await;
    let denials = window.see("#denials", ARTIST).await;
    for part in ["paint.gui", "nl-ws-050", "8 of 8 in use", "Waiting"] {
        assert!(denials.contains(part), "{part:?} is not in {denials:?}");
    }
    window.picture("server-denials.png").await;
}

async fn would_it_work(window: &Window) {
    window.press_key_on("Would this work?").await;
    window.type_into("feature", "paint.gui").await;
    window.type_into("user", ARTIST).await;
    window.type_into("host", "nl-ws-050").await;
    window.press_key_on("Try").await;
    let answer = window.see("#answer", "No, it would be refused").await;
    assert!(answer.contains(AWAY) && answer.contains("Step by step"), "{answer}");
    window.picture("server-would-this-work.png").await;
    window.press_key_on("All holders of this feature").await;
}

async fn take_back(window: &Window) {
    let holders = window.see("#holders-table", AWAY).await;
    assert!(!holders.contains("render"), "only this feature: {holders}");
    window.press_key_on_in("Take back", AWAY).await;
    window.see("main", &format!("{AWAY} on nl-ws-040")).await;
    window.type_into("reason", REASON).await;
    window.picture("server-take-back.png").await;
    window.press_key_on("Take back").await;
    window.see("#notices", "On the way back.").await;
    window.see("#holders-table", "Taken back").await;
}

fn the_application_hears_of_it(site: &Site, left_open: &Value) {
    let told = site.beat(left_open);
    assert_eq!(told["code"], "WITHDRAWN");
    assert_eq!(told["reason"], REASON);
    site.give_back(left_open);
    let again = site.ask_for_seat(40, "paint.gui", AWAY, "nl-ws-040", "5.0.2");
    assert_eq!((&again["code"], &again["reason"]), (&"WITHDRAWN".into(), &REASON.into()), "not straight back: {again}");
}

async fn served(site: &Site, window: &Window) {
    site.take_seat(32, "paint.gui", ARTIST, "nl-ws-050", "5.0.2");
    window.press_key_on("USAGE").await;
    window.press_key_on("Denials").await;
    let denials = window.see("#denials", "Served after").await;
    assert!(denials.contains(AWAY), "who was taken a seat from asked in vain: {denials}");
}
