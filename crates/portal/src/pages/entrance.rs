//! The ways in for whoever is not signed in: making an account, a forgotten password, and the links of letters.
//!
//! A link of a letter shows a form and does nothing by itself: mail programs open links to look at them.

use super::Answer;
use super::fields::{Fields, Mistake};
use super::look::{self, Head};
use crate::Failure;
use crate::front::{self, Asking, Front};
use crate::service::{Caller, own_account, settings, sign_up};
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect};
use leasehold_web::components::{Button, Field, ListQuery, Tone, button, card, link_button, page_header, status};
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_wire::portal::{ConfirmEmail, ConfirmSignUp, RequestReset, ResetPassword, SignUp};

const PASSWORD_HINT: &str = "12 to 256 characters. A few unrelated words are good.";

/// Whoever looks, and at which portal.
struct Visitor {
    front: Front,
    caller: Caller,
}

impl Visitor {
    fn page(&self, title: &str, content: Markup) -> Markup {
        look::page(&self.front, &self.caller, Head::narrow(title, "/sign-in"), card("", content))
    }

    /// What is left to do is in the mailbox.
    fn look_into_mailbox(&self, title: &str, email: &str, more: Markup) -> Markup {
        let content = html! {
            (page_header(title, "", html! {}))
            p #sent { (status("A letter is on its way", Tone::Good)) }
            p { "Look into the mailbox of " strong { (leasehold_web::components::wrapped(email)) } ", and into its folder for junk. " (more) }
            div.actions { (link_button("Back to the sign-in", "/sign-in", Button::Plain)) }
        };
        self.page(title, content)
    }
}

fn sign_up_page(visitor: &Visitor, fields: &Fields, mistake: &Mistake) -> Markup {
    let lead =
        format!("At the portal of {}: to see your licenses and put them to use.", visitor.front.portal().vendor());
    let content = html! {
        (page_header("Create an account", &lead, html! {}))
        (mistake.panel(&["name", "email", "password"]))
        form #sign-up method="post" action="/sign-up" {
            (Field::new("name", "Name").required().autocomplete("name").value(fields.get("name")).hint("Yours, or that of your organization.")
                .error(mistake.at("name", "The name").as_deref()).text())
            (Field::new("email", "Email address").required().autocomplete("username").value(fields.get("email"))
                .hint("You sign in with it. A letter goes there, to be confirmed.")
                .error(mistake.at("email", "The email address").as_deref()).email())
            (Field::new("password", "Password").required().autocomplete("new-password").hint(PASSWORD_HINT)
                .error(mistake.at("password", "The password").as_deref()).password())
            div.actions { (button("Create Account", Button::Primary)) (link_button("I have one", "/sign-in", Button::Plain)) }
        }
    };
    visitor.page("Create an account", content)
}

pub(super) async fn sign_up_form(State(front): State<Front>, Asking(caller): Asking) -> Answer {
    if !front.portal().run(settings::sign_up_open).await? {
        return Err(Failure::from(crate::failure::AccountFailure::SignUpClosed).into());
    }
    Ok(sign_up_page(&Visitor { front, caller }, &Fields::default(), &Mistake::none()).into_response())
}

pub(super) async fn sign_up(
    State(front): State<Front>,
    Asking(caller): Asking,
    connection: Connection,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let address = front.address(&connection, &headers);
    let wish = SignUp {
        email: fields.trimmed("email"),
        name: fields.trimmed("name"),
        password: fields.get("password").to_owned(),
    };
    let asked = front.portal().run(move |portal| sign_up::request(portal, address, &wish)).await;
    let visitor = Visitor { front, caller };
    match asked {
        Ok(()) => {
            let more = html! { "Its link makes the account, within a day." };
            Ok(visitor.look_into_mailbox("Confirm your address", &fields.trimmed("email"), more).into_response())
        }
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(sign_up_page(&visitor, &fields, &mistake)))
        }
    }
}

/// A form that a link leads to: what stands in the link goes along.
fn with_token(uri: &Uri) -> Fields {
    Fields::of_address(uri, &["token"])
}

fn confirm_page(visitor: &Visitor, fields: &Fields, mistake: &Mistake) -> Markup {
    let content = html! {
        (page_header("Confirm your account", "With the password that you have chosen.", html! {}))
        (mistake.panel(&[]))
        form #confirm method="post" action="/confirm" {
            input type="hidden" name="token" value=(fields.get("token"));
            (Field::new("password", "Password").required().autocomplete("current-password").password())
            div.actions { (button("Confirm", Button::Primary)) }
        }
        p.hint { "If you have not asked for an account, close this page: none is made." }
    };
    visitor.page("Confirm your account", content)
}

pub(super) async fn confirm_form(State(front): State<Front>, Asking(caller): Asking, uri: Uri) -> Markup {
    confirm_page(&Visitor { front, caller }, &with_token(&uri), &Mistake::none())
}

pub(super) async fn confirm(
    State(front): State<Front>,
    Asking(caller): Asking,
    connection: Connection,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let (address, agent) = (front.address(&connection, &headers), front::agent(&headers));
    let wish = ConfirmSignUp { token: fields.trimmed("token"), password: fields.get("password").to_owned() };
    match front.portal().run(move |portal| sign_up::confirm(portal, address, &agent, &wish)).await {
        Ok((token, _)) => {
            let cookie = AppendHeaders([(header::SET_COOKIE, front.cookie().set(&token))]);
            Ok((cookie, Redirect::to("/account?done=made")).into_response())
        }
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(confirm_page(&Visitor { front, caller }, &fields, &mistake)))
        }
    }
}

fn forgotten_page(visitor: &Visitor, fields: &Fields, mistake: &Mistake) -> Markup {
    let content = html! {
        (page_header("Forgotten the password?", "A letter with a link goes to the address of your account.", html! {}))
        (mistake.panel(&["email"]))
        form #forgotten method="post" action="/forgotten" {
            (Field::new("email", "Email address").required().autocomplete("username").value(fields.get("email"))
                .error(mistake.at("email", "The email address").as_deref()).email())
            div.actions { (button("Send Letter", Button::Primary)) (link_button("Cancel", "/sign-in", Button::Plain)) }
        }
    };
    visitor.page("Forgotten the password?", content)
}

pub(super) async fn forgotten_form(State(front): State<Front>, Asking(caller): Asking) -> Markup {
    forgotten_page(&Visitor { front, caller }, &Fields::default(), &Mistake::none())
}

pub(super) async fn forgotten(
    State(front): State<Front>,
    Asking(caller): Asking,
    connection: Connection,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let address = front.address(&connection, &headers);
    let wish = RequestReset { email: fields.trimmed("email") };
    let asked = front.portal().run(move |portal| sign_up::request_reset(portal, address, &wish)).await;
    let visitor = Visitor { front, caller };
    match asked {
        Ok(()) => {
            let more = html! { "If the address has an account, there is a link in it that is good for an hour." };
            Ok(visitor.look_into_mailbox("Set a new password", &fields.trimmed("email"), more).into_response())
        }
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(forgotten_page(&visitor, &fields, &mistake)))
        }
    }
}

fn reset_page(visitor: &Visitor, fields: &Fields, mistake: &Mistake) -> Markup {
    let lead = "All sign-ins and tokens of the account end.";
    let content = html! {
        (page_header("Set a new password", lead, html! {}))
        (mistake.panel(&["password"]))
        form #reset method="post" action="/reset" {
            input type="hidden" name="token" value=(fields.get("token"));
            (Field::new("password", "New password").required().autocomplete("new-password").hint(PASSWORD_HINT)
                .error(mistake.at("password", "The password").as_deref()).password())
            div.actions { (button("Set Password", Button::Primary)) }
        }
    };
    visitor.page("Set a new password", content)
}

pub(super) async fn reset_form(State(front): State<Front>, Asking(caller): Asking, uri: Uri) -> Markup {
    reset_page(&Visitor { front, caller }, &with_token(&uri), &Mistake::none())
}

pub(super) async fn reset(
    State(front): State<Front>,
    Asking(caller): Asking,
    connection: Connection,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let address = front.address(&connection, &headers);
    let wish = ResetPassword { token: fields.trimmed("token"), password: fields.get("password").to_owned() };
    match front.portal().run(move |portal| sign_up::reset(portal, address, &wish)).await {
        Ok(()) => super::go("/sign-in?done=reset"),
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(reset_page(&Visitor { front, caller }, &fields, &mistake)))
        }
    }
}

fn email_page(visitor: &Visitor, fields: &Fields, mistake: &Mistake) -> Markup {
    let content = html! {
        (page_header("Confirm the change of address", "It changes when both addresses have confirmed.", html! {}))
        (mistake.panel(&["password"]))
        form #email method="post" action="/email" {
            input type="hidden" name="token" value=(fields.get("token"));
            (Field::new("password", "Password of your account").required().autocomplete("current-password")
                .error(mistake.at("password", "The password").as_deref()).password())
            div.actions { (button("Confirm", Button::Primary)) }
        }
        p.hint { "If you have not asked for this, close this page: nothing is changed." }
    };
    visitor.page("Confirm the change of address", content)
}

pub(super) async fn email_form(State(front): State<Front>, Asking(caller): Asking, uri: Uri) -> Markup {
    email_page(&Visitor { front, caller }, &with_token(&uri), &Mistake::none())
}

pub(super) async fn email(
    State(front): State<Front>,
    Asking(caller): Asking,
    connection: Connection,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let address = front.address(&connection, &headers);
    let wish = ConfirmEmail { token: fields.trimmed("token"), password: fields.get("password").to_owned() };
    let confirmed = front.portal().run(move |portal| own_account::confirm_email(portal, address, &wish)).await;
    let visitor = Visitor { front, caller };
    match confirmed {
        Ok(told) => {
            let title = if told.changed { "The address is changed" } else { "Confirmed from this side" };
            let content = html! {
                (page_header(title, "", html! {}))
                p #confirmed {
                    @if told.changed { "Sign in with " strong { (told.email) } " from now on." }
                    @else { "The letter to the other address has to be followed, too. Until then nothing changes." }
                }
                div.actions { (link_button("To the portal", "/", Button::Primary)) }
            };
            Ok(visitor.page(title, content).into_response())
        }
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(email_page(&visitor, &fields, &mistake)))
        }
    }
}

/// What the page of the sign-in offers to whoever cannot.
pub(super) fn ways_in(open: bool) -> Markup {
    html! {
        p.hint {
            a href="/forgotten" { "Forgotten the password?" } " "
            @if open { a href="/sign-up" { "Create an account" } }
            @else { "The vendor makes accounts here; ask there for one." }
        }
    }
}

/// A notice for whoever comes back to sign in.
pub(super) fn said(query: &ListQuery) -> Option<Markup> {
    match query.get("done")? {
        "reset" => Some(html! { "The new password is set. Sign in with it." }),
        _ => None,
    }
}
