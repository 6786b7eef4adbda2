//! Settings of this server: one page for each part of them, one form for each card, all through one use case.

mod accounts;
mod care;
mod fields;
mod forms;
mod general;
mod network;
mod on_trial;
mod portal;

pub(super) use accounts::{
    accounts, add, ask_removal, change_kind, change_password_of, end_others, end_session, remove,
};
pub(super) use care::{back_up, bundle, care};
pub(super) use forms::save;
pub(super) use general::{change_password, general};
pub(super) use network::{certificate, network, self_signed};
pub(super) use on_trial::{keep, live, take_back};
pub(super) use portal::{portal, test};

use super::visit::Visit;
use fields::Part;
use leasehold_web::components::{Tone, page_header};
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Frame, Notice, page};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::SettingsResponse;
use std::collections::BTreeMap;

/// What stands on a page of settings beside the settings themselves.
#[derive(Default)]
struct Shown {
    /// What was entered and refused, by field.
    entered: BTreeMap<String, String>,
    /// The field that is wrong, and why.
    wrong: Option<(String, String)>,
}

impl Shown {
    fn at(&self, field: &str) -> Option<&str> {
        self.wrong.as_ref().filter(|(name, _)| name == field).map(|(_, why)| why.as_str())
    }
}

/// What was done, by the address that a form leads to.
fn done(visit: &Visit) -> Option<&'static str> {
    Some(match visit.query.get("saved")? {
        "settings" => "Saved, and in force.",
        "kept" => "Kept: the new settings stay.",
        "back" => "Taken back: the settings from before are in force.",
        "password" => "Saved: the new password is in force. Every other browser of your account was signed out.",
        "added" => "Added: the account can sign in.",
        "removed" => "Removed, and signed out everywhere.",
        "changed" => "Saved.",
        "ended" => "Signed out there.",
        "backup" => "Made: the newest backup is on the list.",
        _ => return None,
    })
}

/// A page of settings: its head, the way to the other ones, what is on trial, and the cards.
fn frame_of(visit: &Visit, part: Part, seen: &SettingsResponse, cards: Markup) -> Markup {
    let saved = done(visit).filter(|_| seen.trial.is_none());
    let notices: Vec<Notice> = saved.iter().map(|text| Notice::new(Tone::Good, html! { (text) })).collect();
    let content = html! {
        (page_header("Settings", part.lead(), html! {}))
        nav.filters aria-label="Parts of the settings" {
            @for other in Part::ALL {
                a href=(other.path()) aria-current=[(*other == part).then_some("page")] { (other.label()) }
            }
        }
        (on_trial::banner(visit, seen.trial.as_ref()))
        @if !visit.caller.may_change() {
            div.notice.info role="status" { div { "Your account may look at everything but the support bundle, and change nothing." } }
        }
        (cards)
    };
    let title = format!("Settings: {}", part.label());
    let live = seen.trial.as_ref().map(|_| "/settings/live");
    page(&Frame { live, ..visit.frame(&title, &notices) }, content)
}

async fn settings_of(visit: &Visit) -> Result<SettingsResponse, ApiProblem> {
    Ok(visit.server.settings(&visit.caller).await?)
}

/// Draws a page anew, with what was refused.
async fn draw(visit: &Visit, part: Part, shown: &Shown) -> Result<Markup, ApiProblem> {
    match part {
        Part::General => general::draw(visit, shown, None).await,
        Part::Network => network::draw(visit, shown).await,
        Part::Portal => portal::draw(visit, shown, None).await,
        Part::Seats => forms::seats_page(visit, shown).await,
        Part::Accounts => accounts::draw(visit, shown).await,
        Part::Care => care::draw(visit, shown).await,
    }
}

/// `GET /settings/seats`
pub(super) async fn seats(
    super::visit::Administrator(visit): super::visit::Administrator,
) -> Result<Markup, ApiProblem> {
    forms::seats_page(&visit, &Shown::default()).await
}
