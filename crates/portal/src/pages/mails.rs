//! MAIL: letters that wait, were sent or given up, and whether anyone may make an account. Operators.

use super::look::{Head, Viewer, counted, done, person, two_lines};
use super::{Answer, go};
use crate::Failure;
use crate::service::{outbox, settings};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::ids::MailId;
use leasehold_web::components::{
    Button, Column, FilterOption, ListQuery, Row, Table, Tone, card, clip, definitions, empty_state, filter_group,
    link_button, page_header, post_button, status, table, when, wrapped,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::Notice;
use leasehold_wire::portal::{ChangePortalSettings, Mail, MailQuery, MailStatus, PortalSettings};

const HERE: &str = "/mails";

const COLUMNS: &[Column] = &[
    Column::new("subject", "Letter"),
    Column::new("to", "To"),
    Column::new("status", "State"),
    Column::new("written", "Written"),
];

fn state(mail: &Mail, sends: bool) -> Markup {
    match mail.status {
        MailStatus::Queued if !sends => status("Not sent", Tone::Warning),
        MailStatus::Queued if mail.tries > 0 => status("Tried again", Tone::Warning),
        MailStatus::Queued => status("On its way", Tone::Neutral),
        MailStatus::Sent => status("Sent", Tone::Good),
        MailStatus::Failed => status("Given up", Tone::Bad),
    }
}

fn row(mail: &Mail, viewer: &Viewer, sends: bool) -> Row {
    let subject = html! { a href={ (HERE) "/" (mail.id) } { (clip(&mail.subject)) } };
    let why = if mail.error.is_empty() {
        html! {}
    } else {
        clip(&mail.error)
    };
    Row::from(vec![
        two_lines(subject, html! { code { (mail.kind) } }),
        clip(&mail.to),
        two_lines(state(mail, sends), why),
        when(mail.created_at.0, viewer.now()),
    ])
}

fn sign_up_card(settings: PortalSettings) -> Markup {
    let (now, other, verb) = match settings.sign_up_open {
        true => ("Anyone may make an account: the page of the sign-in offers it.", "off", "Close sign-up"),
        false => ("Only operators make accounts.", "on", "Open sign-up"),
    };
    card("Sign-up", html! { p { (now) } (post_button("/mails/sign-up", verb, Button::Plain, &[("open", other)])) })
}

fn no_server() -> Notice {
    Notice::new(
        Tone::Warning,
        html! {
            "No mail server is set, so nothing is sent. Read the letters here and pass them on, or set " code { "[mail]" } " in "
            code { "portal.toml" } " and start the portal again: what is younger than two days is sent then."
        },
    )
}

pub(super) async fn list(viewer: Viewer, uri: Uri) -> Answer {
    let query = ListQuery::of(&uri);
    let wish = MailQuery {
        status: query.get("status").and_then(MailStatus::from_word),
        after: query.get("after").map(str::to_owned),
        limit: Some(100),
    };
    let load = move |portal: &_, caller: &_| Ok((outbox::list(portal, caller, &wish)?, settings::get(portal, caller)?));
    let (page, settings) = viewer.run(load).await?;
    let mut notices: Vec<Notice> = said(&query).map(done).into_iter().collect();
    if !settings.sends_mail {
        notices.push(no_server());
    }
    let options = [("", "All"), ("queued", "On their way"), ("sent", "Sent"), ("failed", "Given up")]
        .map(|(value, label)| FilterOption { value, label, count: None });
    let empty = empty_state("No letters", "What the portal writes to people is listed here.", html! {});
    let content = html! {
        (page_header("Mail", "What the portal wrote to people, newest first.", html! {}))
        div.toolbar { (filter_group("State", "status", &options, &query)) }
        (table(&Table {
            id: "mails", caption: "Letters", columns: COLUMNS,
            rows: page.items.iter().map(|mail| row(mail, &viewer, settings.sends_mail)).collect(),
            query: &query, next: page.next.as_deref(), empty,
        }))
        (sign_up_card(settings))
    };
    Ok(viewer.page(Head { notices: &notices, ..Head::wide("Mail", HERE) }, content).into_response())
}

fn said(query: &ListQuery) -> Option<Markup> {
    Some(match query.get("done")? {
        "open" => html! { "Anyone may make an account from now on." },
        "closed" => html! { "Only operators make accounts from now on." },
        "again" => html! { "The letter is tried again." },
        _ => return None,
    })
}

pub(super) async fn show(viewer: Viewer, ApiPath(id): ApiPath<MailId>, uri: Uri) -> Answer {
    let load = move |portal: &_, caller: &_| Ok((outbox::get(portal, caller, id)?, settings::get(portal, caller)?));
    let (mail, settings) = viewer.run(load).await?;
    let notices: Vec<Notice> = said(&ListQuery::of(&uri)).map(done).into_iter().collect();
    let mut facts = vec![("To", wrapped(&mail.to)), ("State", state(&mail, settings.sends_mail))];
    if let Some(account) = &mail.account {
        facts.push(("Account", html! { a href={ "/accounts/" (account.id) } { (person(account)) } }));
    }
    facts.push(("Written", when(mail.created_at.0, viewer.now())));
    if let Some(at) = mail.ended_at {
        facts.push((if mail.status == MailStatus::Sent { "Sent" } else { "Given up" }, when(at.0, viewer.now())));
    }
    if let Some(at) = mail.due_at.filter(|_| settings.sends_mail) {
        facts.push(("Next try", when(at.0, viewer.now())));
    }
    facts.push(("Tried", html! { (counted(u64::from(mail.tries), "time")) }));
    if !mail.error.is_empty() {
        facts.push(("The mail server said", wrapped(&mail.error)));
    }
    let content = html! {
        (page_header(&mail.subject, "", link_button("All letters", HERE, Button::Plain)))
        (card("", definitions(&facts)))
        (card("Text", html! { pre #letter.letter { (mail.body) } }))
        @if mail.status == MailStatus::Failed { (post_button(&format!("{HERE}/{id}/again"), "Try Again", Button::Primary, &[])) }
    };
    Ok(viewer.page(Head { notices: &notices, ..Head::narrow(&mail.subject, HERE) }, content).into_response())
}

pub(super) async fn again(viewer: Viewer, ApiPath(id): ApiPath<MailId>) -> Answer {
    match viewer.run(move |portal, caller| outbox::send_again(portal, caller, id)).await {
        Ok(_) => go(&format!("{HERE}/{id}?done=again")),
        // Somebody else was faster.
        Err(Failure::Account(crate::failure::AccountFailure::NotGivenUp)) => go(&format!("{HERE}/{id}")),
        Err(failure) => Err(failure.into()),
    }
}

pub(super) async fn sign_up(viewer: Viewer, fields: super::fields::Fields) -> Answer {
    let wish = ChangePortalSettings { sign_up_open: fields.get("open") == "on" };
    viewer.run(move |portal, caller| settings::change(portal, caller, wish)).await?;
    go(&format!("{HERE}?done={}", if wish.sign_up_open { "open" } else { "closed" }))
}
