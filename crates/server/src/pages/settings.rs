//! Settings of this server, and what an administrator wants to know about its machine.

use super::sign_in::{NewPassword, Refused, new_password_hint};
use super::visit::{Administrator, Visit};
use super::words;
use crate::service::Installation;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_web::components::{
    Button, Field, Tone, badge, button, card, clip, code_block, definitions, page_header, wrapped,
};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, page};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::SettingsRequest;
use serde::Deserialize;

/// Less than this is pointed out, in bytes.
const FREE_BYTES_LOW: u64 = 1024 * 1024 * 1024;

/// Who may see usage; a checkbox that is not checked is not sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Usage {
    #[serde(default)]
    usage_open: Option<String>,
}

/// `GET /settings`
pub(super) async fn form(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    let saved = match visit.query.get("saved") {
        Some("usage") if visit.server.usage_open() => {
            Some("Saved: everybody who reaches this server sees who uses what.")
        }
        Some("usage") => Some("Saved: who uses what is shown to the administrator only."),
        Some("password") => Some("Saved: the new password is in force. Every other browser was signed out."),
        _ => None,
    };
    draw(&visit, saved, None).await
}

/// `POST /settings/usage`
pub(super) async fn change_usage(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<Usage>,
) -> Result<Redirect, ApiProblem> {
    let change = SettingsRequest { usage_open: Some(form.usage_open.is_some()) };
    visit.server.change_settings(&visit.caller, change).await?;
    Ok(Redirect::to("/settings?saved=usage"))
}

/// `POST /settings/password`
pub(super) async fn change_password(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<NewPassword>,
) -> Result<Response, ApiProblem> {
    match form.change(&visit).await? {
        None => Ok(Redirect::to("/settings?saved=password").into_response()),
        Some(refused) => Ok((refused.status(), draw(&visit, None, Some(&refused)).await?).into_response()),
    }
}

async fn draw(visit: &Visit, saved: Option<&str>, refused: Option<&Refused>) -> Result<Markup, ApiProblem> {
    let installation = visit.server.installation(&visit.caller).await?;
    let notices: Vec<Notice> = saved.iter().map(|text| Notice::new(Tone::Good, html! { (text) })).collect();
    Ok(page(&visit.frame("Settings", &notices), content(&installation, visit.server.usage_open(), refused)))
}

fn content(installation: &Installation, usage_open: bool, refused: Option<&Refused>) -> Markup {
    html! {
        (page_header("Settings", "Of this license server. What is set before the start stands in server.toml in its data folder.", html! {}))
        div.columns {
            div.group {
                (card("Who may see usage", usage_form(usage_open)))
                (card("Administrator's password", password_form(refused)))
            }
            div.group {
                (card("This server", about(installation)))
                (card("Backup", backup(installation)))
            }
        }
    }
}

fn usage_form(usage_open: bool) -> Markup {
    html! {
        form #usage-form method="post" action="/settings/usage" {
            (Field::new("usage_open", "Show everybody who uses what")
                .hint("Users, machines, addresses and times, on the home page and in the API, to everybody who reaches this server. A refused application then also names the holders. Otherwise only totals are shown without signing in.")
                .checkbox(usage_open))
            div.actions { (button("Save", Button::Primary)) }
        }
    }
}

fn password_form(refused: Option<&Refused>) -> Markup {
    let error = |field: &str| refused.and_then(|refused| refused.at(field));
    let hint = new_password_hint();
    html! {
        form #password-form method="post" action="/settings/password" {
            (Field::new("current", "Current password").required().autocomplete("current-password").error(error("current")).password())
            (Field::new("password", "New password").required().autocomplete("new-password").hint(&hint).error(error("password")).password())
            (Field::new("again", "New password again").required().autocomplete("new-password").error(error("again")).password())
            div.actions { (button("Change the password", Button::Primary)) }
        }
    }
}

fn about(installation: &Installation) -> Markup {
    let free = match installation.free_bytes {
        None => html! { span.muted { "not known" } },
        Some(free) => html! {
            (words::bytes(free)) " free"
            @if free < FREE_BYTES_LOW { " " (badge("little", Tone::Warning)) }
            div.hint { "When the disk is full, running applications keep their seats and new ones are refused." }
        },
    };
    html! {
        (definitions(&[
            ("Machine", clip(&installation.host)),
            ("Version", html! { "Leasehold " (installation.version) }),
            ("Data folder", html! { code { (wrapped(&installation.folder)) } }),
            ("Disk", free),
            ("Usage log", html! { "kept for " (words::count(installation.usage_keep_days, "day", "days")) }),
            ("Certificate", html! {
                @if installation.tls_self_signed { "Self-signed, made at the first start. Browsers warn of it once." } @else { "Yours, from " code { "server.toml" } "." }
            }),
        ]))
        (code_block("tls-fingerprint", "Its SHA-256 fingerprint, to compare with what browsers show", &installation.tls_fingerprint))
    }
}

fn backup(installation: &Installation) -> Markup {
    html! {
        p {
            "A backup is a copy of the data folder, made while the server runs: database, keys and settings. "
            "Keep it as safe as the server itself. To restore, `leasehold server restore` makes a new folder of it; never run two servers on copies of the same folder."
        }
        (code_block("backup-command", "On the server's own machine", &format!("leasehold server backup --data {} --to NEW_FOLDER", installation.folder)))
    }
}
