//! The audit log, and the history of one thing.

use super::look::{Head, Viewer, two_lines};
use super::{Answer, lists};
use crate::service::audit;
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::time::Ms;
use leasehold_web::components::{Column, ListQuery, Row, Table, clip, empty_state, page_header, table, when};
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::{shorten, visible};
use leasehold_wire::portal::AuditEntry;
use serde_json::Value;

/// Longest value of a detail that is shown, in characters.
const DETAIL_CHARS_MAX: usize = 160;

const COLUMNS: &[Column] = &[
    Column::new("at", "When"),
    Column::new("who", "Who"),
    Column::new("action", "What"),
    Column::new("subject", "To what"),
    Column::new("detail", "Details"),
];

/// A deed in words; what is new and not in this list shows as the API calls it.
fn deed(action: &str) -> &str {
    match action {
        "account.create" => "Made account",
        "password.change" => "Changed password",
        "password.set" => "Set password on the vendor's machine",
        "session.sign_in" => "Signed in",
        "session.sign_out" => "Signed out",
        "product.create" => "Made product",
        "product.change" => "Changed product",
        "license.create" => "Sold license",
        "license.seats" => "Changed seats",
        "license.end" => "Ended license",
        "license.raise" => "Let license be given out",
        "license.assign" => "Assigned seats",
        "license.revoke" => "Took seats back",
        "member.add" => "Added member",
        "member.remove" => "Removed member",
        "enable_token.create" => "Made enabling token",
        "workstation.enable" => "Enabled online licensing",
        "workstation.recall" => "Recalled seats",
        "workstation.fork" => "Stopped a copy",
        "portal.restore" => "Restored the portal from a backup",
        "grant.adopt" => "Took over a document",
        "workstation.activate" => "Activated workstation",
        "workstation.renew" => "Renewed workstation",
        "workstation.revoke" => "Revoked workstation",
        "workstation.release" => "Took receipt",
        "workstation.give_back" => "Took receipt of some seats",
        "workstation.lost" => "Declared workstation lost",
        "workstation.keep" => "Borrowed to, or recalled from",
        "workstation.pass_write_off" => "Wrote off a lost machine",
        "account.rename" => "Changed name",
        "account.email_wanted" => "Asked for another address",
        "account.email_not_wanted" => "Kept the address",
        "account.email_confirmed" => "Confirmed an address",
        "account.email" => "Changed address",
        "password.forgotten" => "Asked for a new password",
        "password.reset" => "Set a new password by letter",
        "session.end" => "Ended a sign-in",
        "session.end_others" => "Ended other sign-ins",
        "token.create" => "Made API token",
        "device.allow" => "Allowed a program to act for the account",
        "device.refuse" => "Refused a program that asked to act for the account",
        "token.end" => "Ended API token",
        "mail.again" => "Sent a letter again",
        "portal.settings" => "Changed settings",
        other => other,
    }
}

fn who(entry: &AuditEntry) -> Markup {
    let name = match &entry.actor {
        Some(actor) if actor.name.is_empty() => html! { code { (actor.id) } },
        Some(actor) => clip(&actor.name),
        None => html! { "The portal itself" },
    };
    two_lines(
        name,
        if entry.address.is_empty() {
            html! {}
        } else {
            clip(&entry.address)
        },
    )
}

/// A link to what something was done to, where it has a page.
fn subject(subject: &str) -> Markup {
    let place = match subject.split_once('_').map(|(prefix, _)| prefix) {
        Some("acc") => Some("accounts"),
        Some("prod") => Some("products"),
        Some("lic") => Some("licenses"),
        Some("ws") => Some("workstations"),
        Some("org") => Some("organizations"),
        _ => None,
    };
    let text = visible(subject);
    // Ids differ at their end; what all have in common says nothing in a narrow column.
    let short = match subject.split_once('_') {
        Some((prefix, id)) if id.len() > 8 && id.is_ascii() => format!("{prefix}_…{}", &id[id.len() - 8..]),
        _ => text.to_string(),
    };
    html! {
        @match place {
            Some(place) => a href={ "/" (place) "/" (subject) } title=(text) { code.nowrap { (short) } },
            None => code.nowrap { (short) },
        }
    }
}

fn value(name: &str, value: &Value) -> String {
    shorten(&visible(&words(name, value)), DETAIL_CHARS_MAX).into_owned()
}

/// A value for people: what stands inside another is told in order, without the marks of the format; what is called like
/// the whole is told without its name.
fn words(whole: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(said) => if *said { "yes" } else { "no" }.to_owned(),
        Value::Object(members) => {
            let told = members.iter().filter(|(_, member)| !member.is_null());
            let told = told.map(|(name, member)| match name == whole {
                true => words(name, member),
                false => format!("{} {}", name.replace('_', " "), words(name, member)),
            });
            told.collect::<Vec<_>>().join(", ")
        }
        Value::Array(items) => items.iter().map(|item| words(whole, item)).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn detail(detail: &Value) -> Markup {
    let pairs = detail.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    html! {
        dl.pairs {
            @for (name, given) in pairs {
                div.alarm[name == "alarm"] { dt { (name.replace('_', " ")) } dd { bdi { (value(name, given)) } } }
            }
        }
    }
}

/// Deeds as a table; without what they were done to where all are about one thing.
pub(super) fn table_of(
    id: &str,
    entries: &[AuditEntry],
    about_one: bool,
    query: &ListQuery,
    next: Option<&str>,
    now: Ms,
) -> Markup {
    let columns: Vec<Column> =
        COLUMNS.iter().filter(|column| !(about_one && column.key == "subject")).copied().collect();
    let rows = entries.iter().map(|entry| {
        let mut cells =
            vec![when(entry.at.0, now), who(entry), html! { span.nowrap { (visible(deed(&entry.action))) } }];
        if !about_one {
            cells.push(subject(&entry.subject));
        }
        cells.push(detail(&entry.detail));
        Row::from(cells)
    });
    table(&Table {
        id,
        caption: if about_one { "History" } else { "Audit log" },
        columns: &columns,
        rows: rows.collect(),
        query,
        next,
        empty: empty_state("Nothing yet", "What is done here is written down here.", html! {}),
    })
}

pub(super) async fn list(viewer: Viewer, uri: Uri) -> Answer {
    let query = ListQuery::of(&uri);
    let wish = leasehold_wire::portal::PageQuery { limit: Some(50), ..lists::page_query(&query) };
    let page = viewer.run(move |portal, caller| audit::list(portal, caller, &wish)).await?;
    let content = html! {
        (page_header("Audit log", "Who did what, newest first. It is written in the same step that did it.", html! {}))
        (table_of("audit", &page.items, false, &query, page.next.as_deref(), viewer.now()))
    };
    Ok(viewer.page(Head::wide("Audit log", "/audit"), content).into_response())
}
