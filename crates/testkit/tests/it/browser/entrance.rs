//! Somebody makes an account, forgets the password and makes a token, in a real browser; the letters are read by the
//! operator, as where no mail server is set. By keyboard alone where it matters.

use super::site::{OPERATOR, PASSWORD, Site};
use super::window::{Window, with_window};
use std::rc::Rc;
use std::time::Duration;
use thirtyfour::By;

const NORA: &str = "nora@northlight.example";

/// The link of the newest letter to somebody, from the operator's page.
async fn link_of(site: &Site, window: &Window, subject: &str) -> String {
    window.forget().await;
    window.sign_in(&site.portal, OPERATOR).await;
    // It is written by a job, a moment after it was asked for.
    let mut looks = tokio::time::interval(Duration::from_millis(500));
    for _ in 0..20 {
        looks.tick().await;
        window.open(&format!("{}/mails", site.portal)).await;
        let listed = window.said("main").await;
        if listed.contains(subject) && listed.contains(NORA) {
            break;
        }
    }
    window.click(By::XPath(format!("(//table//a[contains(., '{subject}')])[1]"))).await;
    let letter = window.see("#letter", "?token=").await;
    let start = letter.find("http").unwrap();
    let link = letter[start..].split_whitespace().next().unwrap().to_owned();
    window.forget().await;
    // The portal listens on a port of its own choice here.
    let path = link.find("?token=").unwrap();
    let page = link[..path].rsplit('/').next().unwrap();
    format!("{}/{page}{}", site.portal, &link[path..])
}

#[test]
fn somebody_makes_an_account_forgets_the_password_and_makes_a_token() {
    let site = Rc::new(Site::start());
    with_window(&site.path(""), {
        let site = site.clone();
        async move |window| {
            window.open(&format!("{}/sign-in", site.portal)).await;
            window.follow("Create an account").await;
            window.type_into("name", "Nora Åström").await;
            window.type_into("email", NORA).await;
            window.type_into("password", PASSWORD).await;
            window.press_key_on("Create Account").await;
            window.see("#sent", "A letter is on its way").await;

            let link = link_of(&site, &window, "Confirm your account").await;
            window.open(&link).await;
            window.type_into("password", PASSWORD).await;
            window.press_key_on("Confirm").await;
            window.see("#customer-number", "100000").await;
            window.see("main", "Your account is made").await;

            window.forget().await;
            window.open(&format!("{}/sign-in", site.portal)).await;
            window.follow("Forgotten the password?").await;
            window.type_into("email", NORA).await;
            window.press_key_on("Send Letter").await;
            window.see("#sent", "A letter is on its way").await;
            let link = link_of(&site, &window, "Set a new password").await;
            window.open(&link).await;
            window.type_into("password", "passwordpassword").await;
            window.press_key_on("Set Password").await;
            window.see("main", "one of those that are tried first").await;
            window.type_into("password", "eighteen blue ladders").await;
            window.press_key_on("Set Password").await;
            window.see("main", "The new password is set").await;
            window.fill("email", NORA).await;
            window.fill("password", "eighteen blue ladders").await;
            window.press("Sign in").await;

            window.follow("ACCOUNT").await;
            window.type_into("token_name", "nightly report").await;
            window.press_key_on("Make Token").await;
            window.see("main", "shown this once").await;
            window.follow("ACCOUNT").await;
            let page = window.see("#tokens", "nightly report").await;
            assert!(!page.contains("shown this once"), "{page}");
            window.press("End").await;
            window.see("main", "No tokens").await;

            let wish = "client_id=leasehold+on+farm-07&scope=workstations";
            let (_, asked) = site.as_program("/api/v1/device/authorize", wish);
            window.open(&format!("{}/device", site.portal)).await;
            window.type_into("code", &asked["user_code"].as_str().unwrap().to_lowercase()).await;
            window.press_key_on("Go on").await;
            window.see("main", "leasehold on farm-07").await;
            window.press_key_on("Allow").await;
            window.see("#decided", "Allowed").await;
            let secret = asked["device_code"].as_str().unwrap();
            let (status, given) = site.as_program(
                "/api/v1/device/token",
                &format!("grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={secret}"),
            );
            assert_eq!((status, given["scope"].as_str()), (200, Some("read workstations")), "{given}");
            window.follow("ACCOUNT").await;
            window.see("#tokens", "leasehold on farm-07").await;
        }
    });
}
