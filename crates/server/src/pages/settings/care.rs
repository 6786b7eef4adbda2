//! *Settings: Backup and support*: backups now and by schedule, how much is logged, and the support bundle.

use super::fields::Part;
use super::forms::card_of;
use super::{Shown, frame_of, settings_of};
use crate::pages::visit::{Administrator, Visit};
use crate::pages::{download_of, file_name, words};
use crate::service::Installation;
use axum::response::{Redirect, Response};
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Field, Tone, button, card, code_block, definitions, post_button, relative, wrapped,
};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::BackupsResponse;
use serde::Deserialize;

/// Backups that are shown.
const SHOWN: usize = 10;

/// `GET /settings/backup`
pub(in crate::pages) async fn care(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    draw(&visit, &Shown::default()).await
}

/// `POST /settings/backup`: one now.
pub(in crate::pages) async fn back_up(Administrator(visit): Administrator) -> Result<Redirect, ApiProblem> {
    visit.server.back_up_now(&visit.caller).await?;
    Ok(Redirect::to("/settings/backup?saved=backup"))
}

/// What is left as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Bundle {
    #[serde(default)]
    names: Option<String>,
}

/// `POST /settings/support`: the support bundle.
pub(in crate::pages) async fn bundle(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<Bundle>,
) -> Result<Response, ApiProblem> {
    let bundle = visit.server.support_bundle(&visit.caller, form.names.is_some()).await?;
    let name = file_name("leasehold-support", &visit.now.utc_date().to_string(), "tar");
    Ok(download_of("application/x-tar", &name, bundle))
}

pub(super) async fn draw(visit: &Visit, shown: &Shown) -> Result<Markup, ApiProblem> {
    let installation = visit.server.installation(&visit.caller).await?;
    let seen = settings_of(visit).await?;
    let backups = visit.server.backups(&visit.caller).await?;
    let cards = html! {
        div.columns {
            div.group {
                (card("Backups", backups_card(visit, &backups, &installation)))
                (card_of(visit, "schedule", &seen, shown))
            }
            div.group {
                (card("Support bundle", bundle_card(visit)))
                (card_of(visit, "log", &seen, shown))
                (card("Restore on a new machine", restore_card(&backups)))
            }
        }
    };
    Ok(frame_of(visit, Part::Care, &seen, cards))
}

fn backups_card(visit: &Visit, backups: &BackupsResponse, installation: &Installation) -> Markup {
    html! {
        @if let Some(problem) = &backups.problem {
            div.notice.warning role="status" { (Tone::Warning.icon()) div { strong { "The last backup was not made. " } (wrapped(problem)) } }
        }
        p {
            "A backup is a copy of the data folder, made while the server runs: database, keys and settings. "
            "Keep it as safe as the server itself, and a copy on another machine."
        }
        (definitions(&[("Folder", html! { code { (wrapped(&backups.folder)) } }), ("Next", next(backups.next_at.map(|at| at.0), visit.now))]))
        @if backups.items.is_empty() {
            p.muted { "None is there yet." }
        } @else {
            ul.plain-list {
                @for backup in backups.items.iter().take(SHOWN) {
                    li { code { (wrapped(&backup.name)) } " " span.muted { (relative(backup.made_at.0, visit.now)) } }
                }
            }
            @if backups.items.len() > SHOWN { p.hint { "And " (backups.items.len() - SHOWN) " older ones." } }
        }
        @if visit.caller.may_change() { (post_button("/settings/backup", "Back up now", Button::Primary, &[])) }
        (code_block("backup-command", "Into another folder, on the server's own machine", &format!("leasehold server backup --data {} --to NEW_FOLDER", installation.folder)))
    }
}

fn next(at: Option<Ms>, now: Ms) -> Markup {
    html! {
        @match at {
            Some(at) if at <= now => "now",
            Some(at) => { (words::minute(at)) " (" (relative(at, now)) ")" }
            None => span.muted { "none by itself" },
        }
    }
}

fn restore_card(backups: &BackupsResponse) -> Markup {
    let from = backups.items.first().map_or_else(|| "BACKUP".to_owned(), |newest| newest.name.clone());
    html! {
        p { "Stop the old server for good, copy the backup to the new machine, and there:" }
        (code_block("restore-command", "One command makes the data folder", &format!("leasehold server restore --from {from} --data NEW_FOLDER")))
        p.hint { "Then start the server on that folder. It gives no new seats for eight minutes, because seats given since the backup was made may still be in use. Never run two servers on copies of the same folder." }
        p.hint { "With online licensing: if the old server has synced since the backup was made, the portal takes the new one for a copy and gives it nothing, because the old one may still be in use. Then disable and enable online licensing on the new server; at the portal revoke the old workstation, or declare it lost, which says from when its seats are free." }
    }
}

fn bundle_card(visit: &Visit) -> Markup {
    html! {
        p {
            "One file for whoever is asked for help: version, settings, status, facts of the database, and the newest lines of the log. "
            "No password, key, token or secret is in it. Look through it before you send it on."
        }
        @if visit.caller.may_change() {
            form #support-form method="post" action="/settings/support" {
                (Field::new("names", "Leave names and addresses as they are")
                    .hint("Otherwise users, hosts and addresses are replaced by user-1, host-1 and so on.")
                    .checkbox(false))
                div.actions { (button("Download the support bundle", Button::Plain)) }
            }
        }
    }
}
