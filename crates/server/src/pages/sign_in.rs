//! The first password, signing in and signing out, for the administrator of this server.

use super::visit::{Administrator, Visit, way_back};
use crate::service::{Failure, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_web::components::{Button, Field, Tone, button, card, link_button, page_header};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{self, Notice};
use leasehold_web::problem::{ApiProblem, Problem};
use serde::Deserialize;

/// What is entered to set the first password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setup {
    secret: String,
    password: String,
    again: String,
}

/// What is entered to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    password: String,
    next: String,
}

/// `GET /setup`
pub(super) async fn setup_form(visit: Visit) -> Response {
    if !visit.server.setup_needed() {
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
        match visit.server.set_up(&visit.caller, &form.secret, &form.password).await {
            Ok(session) => return visit.signed_in(&session.token, "/activate"),
            Err(Failure::AlreadySetUp) => return Ok(Redirect::to("/sign-in").into_response()),
            Err(failure) => Refused::of(failure)?,
        }
    } else {
        Refused { field: "again", problem: Problem::new(422, "NOT_THE_SAME", "The two passwords are not the same.") }
    };
    Ok((refused.status(), setup_page(&visit, Some(&refused))).into_response())
}

/// `GET /sign-in`
pub(super) async fn form(visit: Visit) -> Response {
    let next = way_back(visit.query.get("next"));
    if visit.server.setup_needed() {
        return Redirect::to("/setup").into_response();
    }
    if visit.caller.is_administrator() {
        return Redirect::to(next).into_response();
    }
    if !visit.caller.is_safe() {
        return not_here(&visit, "Sign in", &format!("/sign-in?next={next}"));
    }
    sign_in_page(&visit, next, None).into_response()
}

/// `POST /sign-in`
pub(super) async fn sign_in(visit: Visit, PageForm(form): PageForm<SignIn>) -> Result<Response, ApiProblem> {
    let next = way_back(Some(&form.next));
    match visit.server.sign_in(&visit.caller, &form.password).await {
        Ok(session) => visit.signed_in(&session.token, next),
        Err(Failure::SetupNeeded) => Ok(Redirect::to("/setup").into_response()),
        Err(failure) => {
            let refused = Refused::of(failure)?;
            Ok((refused.status(), sign_in_page(&visit, next, Some(&refused))).into_response())
        }
    }
}

/// `POST /sign-out`
pub(super) async fn sign_out(visit: Visit) -> Result<Response, ApiProblem> {
    if visit.caller.is_administrator() {
        visit.server.sign_out(&visit.caller).await?;
    }
    Ok(visit.signed_out())
}

/// A refusal that belongs beside a field.
pub(super) struct Refused {
    field: &'static str,
    problem: Problem,
}

impl Refused {
    /// What a person can mend in the form; anything else is a problem of its own.
    fn of(failure: Failure) -> Result<Refused, ApiProblem> {
        let field = match &failure {
            Failure::WrongPassword | Failure::TooManyTries { .. } => "secret",
            Failure::BadField(_) => "password",
            _ => return Err(failure.into()),
        };
        let mut problem = failure.problem();
        if matches!(failure, Failure::BadField(_)) {
            problem.title =
                format!("The password must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters.").into();
        }
        Ok(Refused { field, problem })
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
    }

    /// The sentence for a field, if it belongs there.
    fn at(&self, field: &str, also: &str) -> Option<String> {
        (self.field == field || self.field == also).then(|| {
            let problem = &self.problem;
            // A detail that only repeats the field's own name says nothing to a person.
            if problem.status == 429 {
                format!("{} {}", problem.title, problem.detail)
            } else {
                problem.title.to_string()
            }
        })
    }
}

fn setup_page(visit: &Visit, refused: Option<&Refused>) -> Markup {
    let error = |field| refused.and_then(|refused| refused.at(field, field));
    let hint = new_password_hint();
    let content = card(
        "",
        html! {
            (page_header("Set up this server", "Choose the password of the administrator of this server.", html! {}))
            form #setup-form method="post" action="/setup" {
                (Field::new("secret", "Setup secret").required()
                    .hint("The server printed it in its log when it started. If it is lost, restart the server: it prints a new one.")
                    .error(error("secret").as_deref()).text())
                (Field::new("password", "New password").required().autocomplete("new-password")
                    .hint(&hint).error(error("password").as_deref()).password())
                (Field::new("again", "New password again").required().autocomplete("new-password")
                    .error(error("again").as_deref()).password())
                div.actions { (button("Set the password", Button::Primary)) }
            }
        },
    );
    visit.narrow_page("Set up this server", content)
}

/// What a new password must be like.
pub(super) fn new_password_hint() -> String {
    format!(
        "{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters. A few words that you do not use elsewhere are easier to keep than a riddle."
    )
}

fn sign_in_page(visit: &Visit, next: &str, refused: Option<&Refused>) -> Markup {
    let error = refused.and_then(|refused| refused.at("password", "secret"));
    let content = card(
        "",
        html! {
            (page_header("Sign in", "As the administrator of this server. Accounts at the portal do not work here.", html! {}))
            form #sign-in-form method="post" action="/sign-in" {
                input type="hidden" name="next" value=(next);
                (Field::new("password", "Administrator's password").required().autocomplete("current-password")
                    .error(error.as_deref()).password())
                div.actions { (button("Sign in", Button::Primary)) }
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

/// Entered to change the password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    current: String,
    password: String,
    again: String,
}

impl NewPassword {
    /// Changes it; the error is the field and the sentence.
    pub(super) async fn change(&self, Administrator(visit): &Administrator) -> Result<(), PasswordRefused> {
        if self.password != self.again {
            let sentence = "The two passwords are not the same.".to_owned();
            return Err(PasswordRefused::Field { field: "again", sentence, status: StatusCode::UNPROCESSABLE_ENTITY });
        }
        let Err(failure) = visit.server.change_password(&visit.caller, &self.current, &self.password).await else {
            return Ok(());
        };
        let refused = Refused::of(failure).map_err(PasswordRefused::Problem)?;
        let (field, also) = if refused.field == "secret" { ("current", "secret") } else { ("password", "password") };
        let sentence = refused.at(field, also).unwrap_or_default();
        Err(PasswordRefused::Field { field, sentence, status: refused.status() })
    }
}

/// Why a password was not changed.
pub(super) enum PasswordRefused {
    /// Beside a field.
    Field {
        /// Its name.
        field: &'static str,
        /// What is wrong.
        sentence: String,
        /// The answer's status.
        status: StatusCode,
    },
    /// A problem of its own.
    Problem(ApiProblem),
}
