//! The first password, signing in and signing out, for the administrator of this server.

use super::visit::{Visit, way_back};
use crate::service::{ADMINISTRATOR_NAME, Failure, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_web::components::{Button, Field, Tone, button, card, link_button, page_header};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{self, Notice};
use leasehold_web::problem::ApiProblem;
use serde::Deserialize;

/// What is entered to set the first password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setup {
    secret: String,
    #[serde(default)]
    name: Option<String>,
    password: String,
    again: String,
}

/// What is entered to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    #[serde(default)]
    name: Option<String>,
    password: String,
    next: String,
}

/// `GET /setup`
pub(super) async fn setup_form(visit: Visit) -> Response {
    if !visit.server.setup_open() {
        return Redirect::to("/sign-in").into_response();
    }
    if !visit.caller.is_safe() {
        return not_here(&visit, "Set up this server", "/setup");
    }
    setup_page(&visit, None).into_response()
}

/// `POST /setup`
pub(super) async fn set_up(visit: Visit, PageForm(form): PageForm<Setup>) -> Result<Response, ApiProblem> {
    let refused = if form.password == form.again {
        match visit.server.set_up(&visit.caller, &form.secret, form.name.as_deref(), &form.password).await {
            Ok(session) => return visit.signed_in(&session.token, "/online"),
            Err(Failure::AlreadySetUp) => return Ok(Redirect::to("/sign-in").into_response()),
            Err(failure) => Refused::of(failure, ("secret", "This is not the secret that this server printed."))?,
        }
    } else {
        Refused::not_the_same()
    };
    Ok((refused.status(), setup_page(&visit, Some(&refused))).into_response())
}

/// `GET /sign-in`
pub(super) async fn form(visit: Visit) -> Response {
    let next = way_back(visit.query.get("next"));
    if visit.server.setup_needed() {
        return Redirect::to("/setup").into_response();
    }
    if visit.caller.is_signed_in() {
        return Redirect::to(next).into_response();
    }
    if !visit.caller.is_safe() {
        return not_here(&visit, "Sign in", &format!("/sign-in?next={next}"));
    }
    sign_in_page(&visit, next, ADMINISTRATOR_NAME, None).into_response()
}

/// `POST /sign-in`
pub(super) async fn sign_in(visit: Visit, PageForm(form): PageForm<SignIn>) -> Result<Response, ApiProblem> {
    let next = way_back(Some(&form.next));
    match visit.server.sign_in(&visit.caller, form.name.as_deref(), &form.password).await {
        Ok(session) => visit.signed_in(&session.token, next),
        Err(Failure::SetupNeeded) => Ok(Redirect::to("/setup").into_response()),
        Err(failure) => {
            let refused = Refused::of(failure, ("password", "No account has this name and this password."))?;
            let name = form.name.as_deref().unwrap_or(ADMINISTRATOR_NAME);
            Ok((refused.status(), sign_in_page(&visit, next, name, Some(&refused))).into_response())
        }
    }
}

/// `POST /sign-out`
pub(super) async fn sign_out(visit: Visit) -> Result<Response, ApiProblem> {
    if visit.caller.is_signed_in() {
        visit.server.sign_out(&visit.caller).await?;
    }
    Ok(visit.signed_out())
}

/// A refusal that belongs beside a field.
pub(super) struct Refused {
    field: &'static str,
    sentence: String,
    status: StatusCode,
}

impl Refused {
    fn not_the_same() -> Refused {
        let sentence = "The two passwords are not the same.".to_owned();
        Refused { field: "again", sentence, status: StatusCode::UNPROCESSABLE_ENTITY }
    }

    /// What a person can mend in the form; anything else is a problem of its own. `secret` is the field that proves who
    /// it is, with the sentence for a wrong one.
    fn of(failure: Failure, secret: (&'static str, &str)) -> Result<Refused, ApiProblem> {
        let problem = failure.problem();
        let (field, sentence) = match &failure {
            Failure::WrongPassword => (secret.0, secret.1.to_owned()),
            Failure::TooManyTries { .. } => (secret.0, format!("{} {}", problem.title, problem.detail)),
            Failure::BadField(why) if why.starts_with("`name`") => {
                ("name", format!("The name{}.", why.trim_start_matches("`name`")))
            }
            Failure::BadField(_) => {
                ("password", format!("The password must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters."))
            }
            _ => return Err(failure.into()),
        };
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        Ok(Refused { field, sentence, status })
    }

    /// The answer's status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong with a field, if it is this one.
    pub(super) fn at(&self, field: &str) -> Option<&str> {
        (self.field == field).then_some(self.sentence.as_str())
    }
}

fn setup_page(visit: &Visit, refused: Option<&Refused>) -> Markup {
    let error = |field| refused.and_then(|refused| refused.at(field));
    let hint = new_password_hint();
    let (title, lead, whence, whose) = if visit.server.setup_needed() {
        (
            "Set up this server",
            "Make the account of its first administrator.",
            "The server printed it in its log when it started. If it is lost, restart the server: it prints a new one.",
            "What is entered to sign in. More accounts can be added later.",
        )
    } else {
        (
            "Use a setup secret",
            "It makes another account, or sets the password of one anew. All others stay.",
            "`leasehold server admin reset` printed it on the server's own machine.",
            "Of an account that is there, to set its password; or a new one.",
        )
    };
    let content = card(
        "",
        html! {
            (page_header(title, lead, html! {}))
            form #setup-form method="post" action="/setup" {
                (Field::new("secret", "Setup secret").required().hint(whence).error(error("secret")).text())
                (Field::new("name", "Name").required().value(ADMINISTRATOR_NAME).autocomplete("username")
                    .hint(whose).error(error("name")).text())
                (Field::new("password", "New password").required().autocomplete("new-password")
                    .hint(&hint).error(error("password")).password())
                (Field::new("again", "New password again").required().autocomplete("new-password")
                    .error(error("again")).password())
                div.actions { (button("Set the password", Button::Primary)) }
            }
        },
    );
    visit.narrow_page(title, content)
}

/// What a new password must be like.
pub(super) fn new_password_hint() -> String {
    format!(
        "{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters. A few words that you do not use elsewhere are easier to keep than a riddle."
    )
}

fn sign_in_page(visit: &Visit, next: &str, name: &str, refused: Option<&Refused>) -> Markup {
    let error = refused.and_then(|refused| refused.at("password"));
    let content = card(
        "",
        html! {
            (page_header("Sign in", "As an administrator of this server. Accounts at the portal do not work here.", html! {}))
            form #sign-in-form method="post" action="/sign-in" {
                input type="hidden" name="next" value=(next);
                (Field::new("name", "Name").required().value(name).autocomplete("username").text())
                (Field::new("password", "Password").required().autocomplete("current-password")
                    .error(error).password())
                div.actions { (button("Sign in", Button::Primary)) }
                @if visit.server.setup_open() {
                    p.hint { a href="/setup" { "Use a setup secret" } " that `leasehold server admin reset` printed." }
                }
            }
        },
    );
    visit.narrow_page("Sign in", content)
}

/// The administrator is heard over TLS or on the server's own machine only: says so, and leads there.
fn not_here(visit: &Visit, title: &str, path: &str) -> Response {
    let notice = Notice::new(
        Tone::Warning,
        html! {
            "This connection is not encrypted, so everybody on the way could read the password. "
            "The administrator signs in over " code { "https://" } " or on the server's own machine."
        },
    );
    let content = card(
        "",
        html! {
            (page_header(title, "As the administrator of this server.", html! {}))
            (page::notices(&[notice]))
            @if let Some(origin) = &visit.https_origin {
                div.actions { (link_button("Go on over https://", &format!("{origin}{path}"), Button::Primary)) }
                p.hint {
                    "Unless the server was given a certificate of your own, the browser warns once. Compare the certificate's "
                    "SHA-256 fingerprint with the one that the server printed when it started, then go on."
                }
            } @else {
                p { "Open this page again with " code { "https://" } " in front of the address." }
            }
        },
    );
    (StatusCode::FORBIDDEN, visit.narrow_page(title, content)).into_response()
}

/// What is entered to change the password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    current: String,
    password: String,
    again: String,
}

impl NewPassword {
    /// Changes it, or says beside which field what is wrong.
    pub(super) async fn change(&self, visit: &Visit) -> Result<Option<Refused>, ApiProblem> {
        if self.password != self.again {
            return Ok(Some(Refused::not_the_same()));
        }
        match visit.server.change_password(&visit.caller, &self.current, &self.password).await {
            Ok(()) => Ok(None),
            Err(failure) => Refused::of(failure, ("current", "This is not the current password.")).map(Some),
        }
    }
}
