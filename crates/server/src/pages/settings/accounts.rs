//! *Settings: Administrators*: accounts, and who is signed in where.

use super::fields::Part;
use super::{Shown, frame_of, settings_of};
use crate::pages::sign_in::new_password_hint;
use crate::pages::visit::{Administrator, SignedIn, Visit};
use crate::service::Failure;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::access::AdministratorKind;
use leasehold_core::ids::SessionId;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, Confirm, Field, ListQuery, Row, Table, Tone, badge, button, card, clip, confirm_panel, empty_state,
    link_button, post_button, relative, table,
};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::{AddAdministratorRequest, AdministratorView, ChangeAdministratorRequest, SessionView};
use serde::Deserialize;

const HERE: &str = "/settings/administrators";
const ACCOUNT_COLUMNS: &[Column] = &[
    Column::new("name", "Name"),
    Column::new("kind", "May"),
    Column::new("seen", "Signed in"),
    Column::new("do", "").end(),
];
const SESSION_COLUMNS: &[Column] = &[
    Column::new("name", "Account"),
    Column::new("address", "From"),
    Column::new("seen", "Last seen"),
    Column::new("since", "Since"),
    Column::new("do", "").end(),
];

/// A new account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct New {
    name: String,
    kind: String,
    password: String,
    again: String,
}

/// Which account, and what it may do from now on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Kind {
    name: String,
    kind: String,
}

/// Which account, and its new password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Password {
    name: String,
    password: String,
    again: String,
}

/// Which account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Named {
    name: String,
}

/// Which sign-in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct OfSession {
    session: String,
}

fn kind_of(word: &str) -> Result<AdministratorKind, Failure> {
    AdministratorKind::from_word(word).ok_or_else(|| Failure::BadField("`kind` is none of the list".to_owned()))
}

fn words_of(kind: AdministratorKind) -> &'static str {
    match kind {
        AdministratorKind::Administrator => "change everything",
        AdministratorKind::ReadOnly => "look only",
    }
}

/// `GET /settings/administrators`
pub(in crate::pages) async fn accounts(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    draw(&visit, &Shown::default()).await
}

/// `POST /settings/administrators`
pub(in crate::pages) async fn add(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<New>,
) -> Result<Response, ApiProblem> {
    let wrong = if form.password == form.again {
        let wish =
            AddAdministratorRequest { name: form.name.clone(), kind: kind_of(&form.kind)?, password: form.password };
        match visit.server.add_administrator(&visit.caller, wish).await {
            Ok(()) => return Ok(Redirect::to(&format!("{HERE}?saved=added")).into_response()),
            Err(failure) => beside(failure)?,
        }
    } else {
        ("again".to_owned(), "The two passwords are not the same.".to_owned())
    };
    let entered = [("name".to_owned(), form.name), ("kind".to_owned(), form.kind)].into();
    refused(&visit, Shown { entered, wrong: Some(wrong) }).await
}

/// What belongs beside a field; anything else is a problem of its own.
fn beside(failure: Failure) -> Result<(String, String), ApiProblem> {
    match &failure {
        Failure::NameTaken => Ok(("name".to_owned(), "There is an account of that name.".to_owned())),
        Failure::BadField(why) if why.starts_with("`name`") => {
            Ok(("name".to_owned(), format!("The name{}.", why.trim_start_matches("`name`"))))
        }
        Failure::BadField(why) if why.starts_with("`password`") => {
            Ok(("password".to_owned(), format!("The password{}.", why.trim_start_matches("`password`"))))
        }
        _ => Err(failure.into()),
    }
}

async fn refused(visit: &Visit, shown: Shown) -> Result<Response, ApiProblem> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, draw(visit, &shown).await?).into_response())
}

/// `POST /settings/administrators/kind`
pub(in crate::pages) async fn change_kind(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<Kind>,
) -> Result<Redirect, ApiProblem> {
    let wish = ChangeAdministratorRequest { kind: Some(kind_of(&form.kind)?), password: None };
    visit.server.change_administrator(&visit.caller, &form.name, wish).await?;
    Ok(Redirect::to(&format!("{HERE}?saved=changed")))
}

/// `POST /settings/administrators/password`
pub(in crate::pages) async fn change_password_of(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<Password>,
) -> Result<Response, ApiProblem> {
    let wrong = if form.password == form.again {
        let wish = ChangeAdministratorRequest { kind: None, password: Some(form.password) };
        match visit.server.change_administrator(&visit.caller, &form.name, wish).await {
            Ok(()) => return Ok(Redirect::to(&format!("{HERE}?saved=changed")).into_response()),
            Err(failure) => beside(failure)?.1,
        }
    } else {
        "The two passwords are not the same.".to_owned()
    };
    let page = manage_page(&visit, &form.name, Some(&wrong)).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// `GET /settings/administrators/account?name=NAME`: what can be done with one.
pub(in crate::pages) async fn ask_removal(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    let name = visit.query.get("name").unwrap_or_default().to_owned();
    manage_page(&visit, &name, None).await
}

/// `POST /settings/administrators/remove`
pub(in crate::pages) async fn remove(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<Named>,
) -> Result<Redirect, ApiProblem> {
    visit.server.remove_administrator(&visit.caller, &form.name).await?;
    Ok(Redirect::to(&format!("{HERE}?saved=removed")))
}

/// `POST /settings/sessions/end`
pub(in crate::pages) async fn end_session(
    SignedIn(visit): SignedIn,
    PageForm(form): PageForm<OfSession>,
) -> Result<Redirect, ApiProblem> {
    let session: SessionId = form.session.parse().map_err(|_| Failure::SessionUnknown)?;
    visit.server.end_session(&visit.caller, session).await?;
    Ok(Redirect::to(&format!("{HERE}?saved=ended")))
}

/// `POST /settings/sessions/end-others`
pub(in crate::pages) async fn end_others(SignedIn(visit): SignedIn) -> Result<Redirect, ApiProblem> {
    visit.server.end_other_sessions(&visit.caller).await?;
    Ok(Redirect::to(&format!("{HERE}?saved=ended")))
}

async fn manage_page(visit: &Visit, name: &str, wrong: Option<&str>) -> Result<Markup, ApiProblem> {
    let accounts = visit.server.administrators(&visit.caller).await?;
    let content = match accounts.iter().find(|account| account.name == name) {
        Some(account) => manage(visit, account, wrong),
        None => empty_state(
            "There is no such account",
            "It was removed.",
            link_button("Administrators", HERE, Button::Primary),
        ),
    };
    Ok(visit.narrow_page("An administrator", content))
}

fn manage(visit: &Visit, account: &AdministratorView, wrong: Option<&str>) -> Markup {
    let hint = new_password_hint();
    let other = match account.kind {
        AdministratorKind::Administrator => AdministratorKind::ReadOnly,
        AdministratorKind::ReadOnly => AdministratorKind::Administrator,
    };
    let question = format!("Remove {}?", account.name);
    html! {
        div.group {
            h1 { (clip(&account.name)) }
            @if visit.caller.may_change() {
                (card("What it may do", html! {
                    p { "It may " (words_of(account.kind)) "." }
                    (post_button("/settings/administrators/kind", &format!("Let it {}", words_of(other)), Button::Plain, &[("name", &account.name), ("kind", other.word())]))
                }))
                (card("Set its password", html! {
                    p { "For whoever has forgotten it. All its sign-ins end." @if account.you { " For your own, General has a form that keeps this sign-in." } }
                    form #account-password method="post" action="/settings/administrators/password" {
                        input type="hidden" name="name" value=(account.name);
                        (Field::new("password", "New password").required().autocomplete("new-password").hint(&hint).error(wrong).password())
                        (Field::new("again", "New password again").required().autocomplete("new-password").password())
                        div.actions { (button("Set the password", Button::Plain)) }
                    }
                }))
                (confirm_panel(&Confirm {
                    question: &question,
                    effect: html! { p { "It is signed out everywhere and cannot sign in any more. What it did stays in the audit log." } },
                    action: "/settings/administrators/remove",
                    values: &[("name", &account.name)],
                    verb: "Remove",
                    cancel: HERE,
                    kind: Button::Danger,
                }))
            } @else {
                p { "Your account may look at everything but the support bundle, and change nothing." }
                p { a href=(HERE) { "Back to the administrators" } }
            }
        }
    }
}

pub(super) async fn draw(visit: &Visit, shown: &Shown) -> Result<Markup, ApiProblem> {
    let seen = settings_of(visit).await?;
    let accounts = visit.server.administrators(&visit.caller).await?;
    let sessions = visit.server.sessions(&visit.caller).await?;
    let others =
        sessions.iter().any(|session| !session.this && Some(session.administrator.as_str()) == visit.caller.account());
    let cards = html! {
        (card("Accounts", accounts_table(visit, &accounts)))
        div.columns {
            @if visit.caller.may_change() { (card("Add an account", add_form(shown))) }
            (card("A password is lost", html! {
                p { "Another administrator sets a new one here. If nobody can sign in: on the server's own machine," }
                pre tabindex="0" { code { "leasehold server admin reset --data FOLDER" } }
                p { "prints a setup secret, with which an account is made, or the password of one is set anew. All other accounts and sign-ins stay." }
            }))
        }
        (card("Signed in now", html! {
            (sessions_table(visit, &sessions))
            @if others { (post_button("/settings/sessions/end-others", "Sign me out everywhere else", Button::Plain, &[])) }
        }))
    };
    Ok(frame_of(visit, Part::Accounts, &seen, cards))
}

fn add_form(shown: &Shown) -> Markup {
    let hint = new_password_hint();
    let entered = |name: &str| shown.entered.get(name).map_or("", String::as_str);
    let kind = if entered("kind").is_empty() { "read_only" } else { entered("kind") };
    html! {
        form #add-form method="post" action=(HERE) {
            (Field::new("name", "Name").required().hint("What is entered to sign in, and what the audit log shows.").value(entered("name")).error(shown.at("name")).text())
            (Field::new("kind", "May").value(kind).choice(&[
                ("read_only", "Look only", "Sees everything but the support bundle, and changes nothing but its own password."),
                ("administrator", "Change everything", "Like you."),
            ]))
            (Field::new("password", "Password").required().autocomplete("new-password").hint(&hint).error(shown.at("password")).password())
            (Field::new("again", "Password again").required().autocomplete("new-password").error(shown.at("again")).password())
            div.actions { (button("Add the account", Button::Primary)) }
        }
    }
}

fn accounts_table(visit: &Visit, accounts: &[AdministratorView]) -> Markup {
    let row = |account: &AdministratorView| {
        let manage = format!("{HERE}/account{}", ListQuery::default().with("name", Some(&account.name)));
        Row::from(vec![
            html! { (clip(&account.name)) @if account.you { " " (badge("you", Tone::Info)) } },
            html! {
                @match account.kind {
                    AdministratorKind::Administrator => "Change everything",
                    AdministratorKind::ReadOnly => (badge("look only", Tone::Neutral)),
                }
            },
            html! {
                @match account.seen_at { Some(at) => (relative(at.0, visit.now)), None => span.muted { "not now" } }
            },
            html! { @if visit.caller.may_change() { a href=(manage) aria-label={ "Change " (account.name) } { "Change" } } },
        ])
    };
    let rows = accounts.iter().map(row).collect();
    let (query, empty) = (ListQuery::default(), html! {});
    table(&Table {
        id: "accounts",
        caption: "Accounts",
        columns: ACCOUNT_COLUMNS,
        rows,
        query: &query,
        next: None,
        empty,
    })
}

fn sessions_table(visit: &Visit, sessions: &[SessionView]) -> Markup {
    let ends = |session: &SessionView| {
        let own = Some(session.administrator.as_str()) == visit.caller.account();
        !session.this && (own || visit.caller.may_change())
    };
    let row = |session: &SessionView| {
        Row::from(vec![
            html! { (clip(&session.administrator)) @if session.this { " " (badge("this browser", Tone::Info)) } },
            html! { code { (session.address) } },
            html! { (relative(session.seen_at.0.min(visit.now), visit.now)) },
            html! { (relative(Ms(session.created_at.0.0), visit.now)) },
            html! {
                @if ends(session) {
                    (post_button("/settings/sessions/end", "Sign out", Button::Plain, &[("session", &session.session.to_string())]))
                }
            },
        ])
    };
    let rows = sessions.iter().map(row).collect();
    let (query, empty) = (ListQuery::default(), html! {});
    table(&Table {
        id: "sessions",
        caption: "Signed in now",
        columns: SESSION_COLUMNS,
        rows,
        query: &query,
        next: None,
        empty,
    })
}
