//! What comes in by a form, and what is shown again when it was refused.

use super::look::Viewer;
use crate::failure::Failure;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use leasehold_core::random;
use leasehold_web::components::{ListQuery, problem_panel};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::{ApiProblem, Problem};
use std::str::FromStr;

/// The name of the hidden field that makes a form count once.
pub(super) const FORM_KEY: &str = "form";

/// The fields of a form as they were sent. All hostile.
#[derive(Clone, Default, Debug)]
pub(super) struct Fields(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiProblem> {
        PageForm::from_request(request, state).await.map(|PageForm(fields)| Fields(fields))
    }
}

impl Fields {
    /// What a link presets of a form.
    pub(super) fn of_address(uri: &Uri, names: &[&str]) -> Fields {
        let query = ListQuery::of(uri);
        let given = names.iter().filter_map(|name| Some(((*name).to_owned(), query.get(name)?.to_owned())));
        Fields(given.collect())
    }

    /// The text of a field; empty if it was not sent.
    pub(super) fn get(&self, name: &str) -> &str {
        self.sent(name).unwrap_or_default()
    }

    pub(super) fn sent(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All of them.
    pub(super) fn sent_all(&self) -> &[(String, String)] {
        &self.0
    }

    /// All of them, as they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The text without the blanks that people copy along.
    pub(super) fn trimmed(&self, name: &str) -> String {
        self.get(name).trim().to_owned()
    }

    /// The field as something else; `field` is how the services call it.
    pub(super) fn parse<T: FromStr>(&self, field: &'static str, why: &str) -> Result<T, Failure> {
        self.get(field).trim().parse().map_err(|_| Failure::invalid(field, why))
    }

    pub(super) fn date(&self, name: &str, field: &'static str) -> Result<Date, Failure> {
        self.get(name).trim().parse().map_err(|_| Failure::invalid(field, "must be a date such as 2027-01-31"))
    }
}

/// An id from an address or a form: absent, or one that reads as such; anything else names nothing.
pub(super) fn optional<T: FromStr>(text: Option<&str>) -> Result<Option<T>, Failure> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| Failure::NotFound),
    }
}

/// The hidden field that makes a form count once, however often it is sent.
pub(super) fn form_key(viewer: &Viewer) -> Markup {
    let key = viewer.front().portal().draw(|random| random::bytes::<16>(random));
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    html! { input type="hidden" name=(FORM_KEY) value=(key); }
}

/// The options of a select whose first one is no choice.
pub(super) fn choices<'a>(options: &'a [(String, String)], nothing: &'a str) -> Vec<(&'a str, &'a str)> {
    let all = options.iter().map(|(value, label)| (value.as_str(), label.as_str()));
    std::iter::once(("", nothing)).chain(all).collect()
}

/// Why a form was refused.
#[derive(Clone, Default, Debug)]
pub(super) struct Mistake {
    problem: Option<Problem>,
    field: Option<(&'static str, String)>,
}

impl From<Failure> for Mistake {
    fn from(failure: Failure) -> Mistake {
        if failure == Failure::KeyReused {
            return Mistake { problem: Some(form_used()), field: None };
        }
        let field = match &failure {
            Failure::Invalid { field, why } => Some((*field, why.clone())),
            _ => None,
        };
        Mistake { problem: Some(ApiProblem::from(failure).problem().clone()), field }
    }
}

impl From<ApiProblem> for Mistake {
    fn from(problem: ApiProblem) -> Mistake {
        Mistake { problem: Some(problem.problem().clone()), field: None }
    }
}

impl Mistake {
    /// Nothing was refused yet.
    pub(super) fn none() -> Mistake {
        Mistake::default()
    }

    /// Whether nothing was refused.
    pub(super) fn is_none(&self) -> bool {
        self.problem.is_none()
    }

    /// The sentence beside a field, if it is the one; `label` is what stands above it.
    pub(super) fn at(&self, field: &str, label: &str) -> Option<String> {
        let (_, why) = self.field.as_ref().filter(|(wrong, _)| *wrong == field)?;
        Some(format!("{label} {why}."))
    }

    /// The panel above the form; empty if the reason stands beside one of its `fields`.
    pub(super) fn panel(&self, fields: &[&str]) -> Markup {
        let beside = self.field.as_ref().is_some_and(|(wrong, _)| fields.contains(wrong));
        match &self.problem {
            Some(problem) if !beside => problem_panel(problem),
            _ => html! {},
        }
    }

    /// The page with the form, with the status of what went wrong.
    pub(super) fn answer(&self, page: Markup) -> Response {
        let status = self.problem.as_ref().and_then(|problem| StatusCode::from_u16(problem.status).ok());
        (status.unwrap_or(StatusCode::OK), page).into_response()
    }
}

fn form_used() -> Problem {
    Problem::new(409, "FORM_USED", "This form was already sent, with other values.")
        .detail("What it did then stays done; what you entered now was not carried out.")
        .next("Look whether that is what you want. If not, open the form anew and send it again.", "you")
}
