//! ACCOUNT: one's own number, name, address, sign-ins and tokens.

use super::fields::{Fields, Mistake};
use super::join::Organizations;
use super::look::{Head, Viewer, done, stack, two_lines};
use super::{Answer, go};
use crate::Failure;
use crate::service::{outbox, own_account};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use leasehold_core::access::TokenScope;
use leasehold_core::ids::{SessionId, TokenId};
use leasehold_web::components::{
    Button, Column, Field, ListQuery, Row, Table, Tone, ago, badge, button, card, clip, code_block, definitions,
    empty_state, page_header, post_button, table, when, wrapped,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::Notice;
use leasehold_wire::portal::{
    Account, ChangeEmail, ChangeOwnAccount, CreatedToken, EmailChange, NewToken, Role, SessionView, TokenView,
};

const HERE: &str = "/account";
const TITLE: &str = "Account";
const FIELDS: &[&str] = &["name", "email", "password", "token_name", "days", "scopes"];

const SESSION_COLUMNS: &[Column] = &[
    Column::new("where", "From"),
    Column::new("since", "Signed in"),
    Column::new("used", "Last used"),
    Column::new("action", "").end(),
];
const TOKEN_COLUMNS: &[Column] = &[
    Column::new("name", "Token"),
    Column::new("scopes", "May"),
    Column::new("used", "Last used"),
    Column::new("ends", "Ends"),
    Column::new("action", "").end(),
];

struct Sight {
    account: Account,
    change: Option<EmailChange>,
    sessions: Vec<SessionView>,
    tokens: Vec<TokenView>,
    /// Why the newest letter did not arrive.
    undelivered: Option<String>,
    organizations: Organizations,
}

async fn look(viewer: &Viewer) -> Result<Sight, Failure> {
    let load = |portal: &_, caller: &crate::Caller| {
        Ok(Sight {
            account: caller.account().cloned().ok_or(Failure::SignIn)?,
            change: own_account::email_change(portal, caller)?,
            sessions: own_account::sessions(portal, caller)?.items,
            tokens: own_account::tokens(portal, caller)?.items,
            undelivered: match caller.account() {
                Some(account) => outbox::undelivered(portal, caller, account.id)?,
                None => None,
            },
            organizations: Organizations::load(portal, caller)?,
        })
    };
    viewer.run(load).await
}

/// What a token with a scope may do.
pub(super) fn may(scope: TokenScope) -> &'static str {
    match scope {
        TokenScope::Read => "Read",
        TokenScope::Workstations => "Activate, renew and give up workstations",
        TokenScope::Organization => "Members and their seats",
        TokenScope::Vendor => "Everything that operators do",
    }
}

/// That letters do not arrive, and what can be done.
pub(super) fn undelivered(whom: &str, why: &str) -> Markup {
    html! {
        div #undelivered.notice.warning role="status" {
            (Tone::Warning.icon())
            div {
                strong { "The last letter to " (whom) " could not be delivered. " }
                @if !why.is_empty() { "The mail server said: " (wrapped(why)) " " }
                "Correct the address, or ask whoever keeps that mailbox."
            }
        }
    }
}

fn facts(sight: &Sight, viewer: &Viewer) -> Markup {
    let account = &sight.account;
    definitions(&[
        (
            "Customer number",
            html! { strong #customer-number { (account.customer_number) } div.hint { "Say it when you write or call." } },
        ),
        ("Email address", wrapped(&account.email)),
        ("Made", when(account.created_at.0, viewer.now())),
        ("Password", html! { a href="/password" { "Change password" } }),
    ])
}

fn name_form(account: &Account, fields: &Fields, mistake: &Mistake) -> Markup {
    let value = fields.sent("name").unwrap_or(&account.name);
    html! {
        form #rename method="post" action="/account/name" {
            (Field::new("name", "Name").required().autocomplete("name").value(value).error(mistake.at("name", "The name").as_deref()).text())
            div.actions { (button("Save", Button::Plain)) }
        }
    }
}

fn email_form(sight: &Sight, fields: &Fields, mistake: &Mistake) -> Markup {
    if let Some(change) = &sight.change {
        let side = |done: bool| if done { badge("confirmed", Tone::Good) } else { badge("not yet", Tone::Warning) };
        return html! {
            p #email-change { "To be changed to " strong { (wrapped(&change.email)) } ", when both addresses have confirmed by the letter that each got." }
            (definitions(&[("This address", side(change.confirmed_old)), ("New address", side(change.confirmed_new))]))
            (post_button("/account/email/cancel", "Keep the address", Button::Plain, &[]))
        };
    }
    html! {
        form #change-email method="post" action="/account/email" {
            (Field::new("email", "New email address").required().autocomplete("off").value(fields.get("email"))
                .hint("A letter goes to both addresses; it changes when both have confirmed.")
                .error(mistake.at("email", "The email address").as_deref()).email())
            (Field::new("password", "Your password").required().autocomplete("current-password")
                .error(mistake.at("password", "The password").as_deref()).password())
            div.actions { (button("Change Address", Button::Plain)) }
        }
    }
}

fn session_row(session: &SessionView, viewer: &Viewer) -> Row {
    let action = match session.current {
        true => badge("this one", Tone::Info),
        false => post_button(&format!("/account/sessions/{}/end", session.id), "End", Button::Plain, &[]),
    };
    let agent = if session.agent.is_empty() { "no name given" } else { &session.agent };
    Row::from(vec![
        two_lines(html! { code { (session.address) } }, clip(agent)),
        when(session.created_at.0, viewer.now()),
        ago(session.seen_at.0, viewer.now()),
        action,
    ])
}

fn sessions(sight: &Sight, viewer: &Viewer) -> Markup {
    html! {
        (table(&Table {
            id: "sessions", caption: "Your sign-ins", columns: SESSION_COLUMNS,
            rows: sight.sessions.iter().map(|session| session_row(session, viewer)).collect(),
            query: &ListQuery::default(), next: None, empty: html! {},
        }))
        @if sight.sessions.len() > 1 { (post_button("/account/sessions/end", "End all others", Button::Plain, &[])) }
    }
}

fn token_row(token: &TokenView, viewer: &Viewer) -> Row {
    let scopes = stack(html! { @for scope in &token.scopes { span { (may(*scope)) } } });
    let used = token.used_at.map_or_else(|| html! { span.muted { "never" } }, |at| ago(at.0, viewer.now()));
    Row::from(vec![
        clip(&token.name),
        scopes,
        used,
        when(token.expires_at.0, viewer.now()),
        post_button(&format!("/account/tokens/{}/end", token.id), "End", Button::Plain, &[]),
    ])
}

fn tokens(sight: &Sight, viewer: &Viewer) -> Markup {
    let empty = empty_state("No tokens", "A program that acts for you at the portal signs in with one.", html! {});
    table(&Table {
        id: "tokens",
        caption: "Your tokens",
        columns: TOKEN_COLUMNS,
        rows: sight.tokens.iter().map(|token| token_row(token, viewer)).collect(),
        query: &ListQuery::default(),
        next: None,
        empty,
    })
}

fn token_form(sight: &Sight, fields: &Fields, mistake: &Mistake) -> Markup {
    let offered = TokenScope::ALL.iter().copied().filter(|scope| *scope != TokenScope::Read);
    let offered = offered.filter(|scope| *scope != TokenScope::Vendor || sight.account.role == Role::Operator);
    let days = if fields.get("days").is_empty() { "90" } else { fields.get("days") };
    html! {
        p { "A token reads whatever you may read, and does what is ticked. It cannot change your account." }
        form #new-token method="post" action="/account/tokens" {
            (Field::new("token_name", "What it is for").required().value(fields.get("token_name")).hint("Such as: nightly report on build-01.")
                .error(mistake.at("name", "The name").as_deref()).text())
            (Field::new("days", "Ends after days").required().value(days).error(mistake.at("days", "The number of days").as_deref()).number(1, 365))
            @for scope in offered { (Field::new(scope.word(), may(scope)).checkbox(fields.sent(scope.word()).is_some())) }
            @if let Some(wrong) = mistake.at("scopes", "What it may do") { p.error { (wrong) } }
            div.actions { (button("Make Token", Button::Plain)) }
        }
    }
}

fn page_of(
    viewer: &Viewer,
    sight: &Sight,
    notices: &[Notice],
    fields: &Fields,
    mistake: &Mistake,
    new: Option<&CreatedToken>,
) -> Markup {
    let content = html! {
        (page_header(TITLE, "", html! {}))
        // What the mail server said names its own machines: for operators.
        @if sight.undelivered.is_some() { (undelivered("you", "")) }
        (mistake.panel(FIELDS))
        @if let Some(made) = new {
            (card("Your new token", html! {
                p { strong { "Copy it now: it is shown this once." } " For " (wrapped(&made.token.name)) "." }
                (code_block("token-secret", "Send it as Authorization: Bearer", &made.secret))
            }))
        }
        div.columns {
            div.group {
                (card("You", html! { (facts(sight, viewer)) (name_form(&sight.account, fields, mistake)) }))
            }
            div.group { (card("Change the email address", email_form(sight, fields, mistake))) }
        }
        (sight.organizations.section())
        h2 { "Sign-ins" }
        (sessions(sight, viewer))
        h2 { "Tokens for programs" }
        (tokens(sight, viewer))
        (card("Make a token", token_form(sight, fields, mistake)))
    };
    viewer.page(Head { notices, ..Head::wide(TITLE, HERE) }, content)
}

fn said(query: &ListQuery) -> Option<Markup> {
    Some(match query.get("done")? {
        "made" => html! { "Your account is made, and you are signed in." },
        "name" => html! { "The name is changed." },
        "email" => html! { "A letter went to both addresses. The address changes when both have confirmed." },
        "declined" => html! { "You have said no. Nothing was changed." },
        "left" => html! { "You are not in that organization any more." },
        "kept" => html! { "The address stays as it is." },
        "ended" => html! { "The sign-in is ended." },
        "others" => html! { "All other sign-ins are ended." },
        "token" => html! { "The token is ended: whatever used it is refused from now on." },
        _ => return None,
    })
}

pub(super) async fn show(viewer: Viewer, uri: Uri) -> Answer {
    let sight = look(&viewer).await?;
    let notices: Vec<Notice> = said(&ListQuery::of(&uri)).map(done).into_iter().collect();
    Ok(page_of(&viewer, &sight, &notices, &Fields::default(), &Mistake::none(), None).into_response())
}

async fn refused(viewer: &Viewer, fields: &Fields, failure: Failure) -> Answer {
    let mistake = Mistake::from(failure);
    let sight = look(viewer).await?;
    Ok(mistake.answer(page_of(viewer, &sight, &[], fields, &mistake, None)))
}

pub(super) async fn rename(viewer: Viewer, fields: Fields) -> Answer {
    let wish = ChangeOwnAccount { name: fields.trimmed("name") };
    match viewer.run(move |portal, caller| own_account::rename(portal, caller, &wish)).await {
        Ok(_) => go("/account?done=name"),
        Err(failure) => refused(&viewer, &fields, failure).await,
    }
}

pub(super) async fn change_email(viewer: Viewer, fields: Fields) -> Answer {
    let wish = ChangeEmail { email: fields.trimmed("email"), password: fields.get("password").to_owned() };
    match viewer.run(move |portal, caller| own_account::request_email(portal, caller, &wish)).await {
        Ok(_) => go("/account?done=email"),
        Err(failure) => refused(&viewer, &fields, failure).await,
    }
}

pub(super) async fn cancel_email(viewer: Viewer) -> Answer {
    viewer.run(own_account::cancel_email).await?;
    go("/account?done=kept")
}

pub(super) async fn end_session(viewer: Viewer, ApiPath(session): ApiPath<SessionId>) -> Answer {
    match viewer.run(move |portal, caller| own_account::end_session(portal, caller, session)).await {
        // It has ended by itself meanwhile.
        Ok(()) | Err(Failure::NotFound) => go("/account?done=ended"),
        Err(failure) => Err(failure.into()),
    }
}

pub(super) async fn end_sessions(viewer: Viewer) -> Answer {
    viewer.run(own_account::end_other_sessions).await?;
    go("/account?done=others")
}

/// The secret is shown in the answer to the form itself: it stands in no address and in no history.
pub(super) async fn new_token(viewer: Viewer, fields: Fields) -> Answer {
    let ticked = TokenScope::ALL.iter().copied().filter(|scope| fields.sent(scope.word()).is_some());
    // Whatever a token may do, it reads.
    let scopes = std::iter::once(TokenScope::Read).chain(ticked).collect();
    let days = fields.parse("days", "must be a whole number from 1 to 365");
    let made = match days {
        Ok(days) => {
            let wish = NewToken { name: fields.trimmed("token_name"), scopes, days };
            viewer.run(move |portal, caller| own_account::new_token(portal, caller, &wish)).await
        }
        Err(failure) => Err(failure),
    };
    match made {
        Ok(made) => {
            let sight = look(&viewer).await?;
            let page = page_of(&viewer, &sight, &[], &Fields::default(), &Mistake::none(), Some(&made));
            Ok((StatusCode::CREATED, page).into_response())
        }
        Err(failure) => refused(&viewer, &fields, failure).await,
    }
}

pub(super) async fn end_token(viewer: Viewer, ApiPath(token): ApiPath<TokenId>) -> Answer {
    match viewer.run(move |portal, caller| own_account::end_token(portal, caller, token)).await {
        Ok(()) | Err(Failure::NotFound) => go("/account?done=token"),
        Err(failure) => Err(failure.into()),
    }
}
