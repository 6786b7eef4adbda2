//! *Settings: Network*: addresses, networks, and the certificate that browsers see. What is changed here is on trial first.

use super::fields::Part;
use super::forms::card_of;
use super::{Shown, frame_of, settings_of};
use crate::networks::TurnedAway;
use crate::pages::visit::{Administrator, Visit};
use crate::pages::words;
use crate::service::{Failure, Installation};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::time::Ms;
use leasehold_web::components::{Button, Field, button, card, code_block, definitions, post_button, relative};
use leasehold_web::extract::Uploads;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::{CertificateRequest, SettingsResponse};

/// What a browser offers to choose.
const PEM_FILES: &str = ".pem,.crt,.cer,.key";
/// Addresses that were turned away and are shown.
const SHOWN: usize = 8;

/// `GET /settings/network`
pub(in crate::pages) async fn network(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    draw(&visit, &Shown::default()).await
}

pub(super) async fn draw(visit: &Visit, shown: &Shown) -> Result<Markup, ApiProblem> {
    let installation = visit.server.installation(&visit.caller).await?;
    let seen = settings_of(visit).await?;
    let away = visit.server.turned_away(&visit.caller)?;
    let cards = html! {
        p.muted {
            "Addresses, networks and the certificate are changed on trial: they hold at once, and come back by themselves after a minute unless you confirm them by the new way. So nobody is locked out for good."
        }
        div.columns {
            div.group {
                (card_of(visit, "listen", &seen, shown))
                (card_of(visit, "networks", &seen, shown))
                @if !away.is_empty() { (card("Turned away since the start", turned_away(&away, visit.now))) }
            }
            div.group {
                (card("Certificate for browsers", certificate_card(visit, &installation, &seen, shown)))
                (card_of(visit, "behind", &seen, shown))
            }
        }
    };
    Ok(frame_of(visit, Part::Network, &seen, cards))
}

fn turned_away(away: &[TurnedAway], now: Ms) -> Markup {
    let addresses: Vec<String> = away.iter().take(SHOWN).map(|one| one.address.to_string()).collect();
    let rows: Vec<(&str, Markup)> = addresses
        .iter()
        .zip(away)
        .map(|(address, one)| {
            let times = html! { (words::count(one.times, "time", "times")) ", last " (relative(one.last_at, now)) };
            (address.as_str(), times)
        })
        .collect();
    html! {
        (definitions(&rows))
        @if away.len() > SHOWN { p.hint { "And " (away.len() - SHOWN) " more." } }
    }
}

fn certificate_card(visit: &Visit, installation: &Installation, seen: &SettingsResponse, shown: &Shown) -> Markup {
    let fixed =
        seen.settings.iter().find(|view| view.name == "tls_certificate").and_then(|view| view.fixed_in.as_ref());
    html! {
        p {
            @if installation.tls_self_signed {
                "Self-signed, made at the first start. Browsers warn of it once."
            } @else {
                "Yours" @if let Some(ends_at) = installation.tls_ends_at { ", until " (words::minute(ends_at)) } "."
            }
            " Applications see the certificate of the vendor in any case."
        }
        (code_block("tls-fingerprint", "Its SHA-256 fingerprint, to compare with what browsers show", &installation.tls_fingerprint))
        @if let Some(place) = fixed {
            p.hint { "Fixed in " (place) "." }
        } @else if visit.caller.may_change() {
            form #certificate-form method="post" action="/settings/certificate" enctype="multipart/form-data" {
                (Field::new("certificate", "Certificate file").required().hint("PEM: the server's certificate, then its intermediates.").error(shown.at("certificate")).file(PEM_FILES))
                (Field::new("key", "Private key file").required().hint("PEM, without a passphrase: the key of that certificate. It is kept in a file that only this server may read, and is never shown.").file(PEM_FILES))
                div.actions { (button("Use this certificate", Button::Primary)) }
            }
            details.numbers {
                summary { "Paste them instead" }
                form #certificate-text-form method="post" action="/settings/certificate" enctype="multipart/form-data" {
                    (Field::new("certificate_text", "Certificate").required().text_area(4))
                    (Field::new("key_text", "Private key").required().text_area(3))
                    div.actions { (button("Use what is pasted", Button::Plain)) }
                }
            }
            @if !installation.tls_self_signed {
                (post_button("/settings/certificate/self-signed", "Back to the self-signed one", Button::Plain, &[]))
            }
        }
    }
}

/// The file of a field, or what was pasted in its place; empty if neither is there.
fn chosen(form: &Uploads, field: &str) -> String {
    match form.file(field) {
        // What is no text is refused as no PEM.
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => form.field(&format!("{field}_text")).unwrap_or_default().to_owned(),
    }
}

/// `POST /settings/certificate`
pub(in crate::pages) async fn certificate(
    Administrator(visit): Administrator,
    form: Uploads,
) -> Result<Response, ApiProblem> {
    let (certificate, key) = (chosen(&form, "certificate"), chosen(&form, "key"));
    // Both missing would mean the self-signed one again.
    let wish = CertificateRequest { certificate: Some(certificate), key: Some(key) };
    let changed = match &wish.certificate {
        Some(text) if !text.trim().is_empty() => visit.server.change_certificate(&visit.caller, wish).await,
        _ => Err(Failure::BadCertificate("no certificate was chosen".to_owned())),
    };
    match changed {
        Ok(_) => Ok(Redirect::to("/settings/network?saved=settings").into_response()),
        Err(Failure::BadCertificate(why)) => {
            // What was sent is not shown back: a key is in it.
            let wrong = Some(("certificate".to_owned(), format!("It cannot be used: {why}. Nothing was changed.")));
            let shown = Shown { wrong, ..Shown::default() };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, draw(&visit, &shown).await?).into_response())
        }
        Err(failure) => Err(failure.into()),
    }
}

/// `POST /settings/certificate/self-signed`
pub(in crate::pages) async fn self_signed(Administrator(visit): Administrator) -> Result<Redirect, ApiProblem> {
    visit.server.change_certificate(&visit.caller, CertificateRequest::default()).await?;
    Ok(Redirect::to("/settings/network?saved=settings"))
}
