//! What is on trial: how long still, where to confirm it, and the two buttons. Above every page of settings, and live.

use crate::pages::Pages;
use crate::pages::stream::{Fragments, Live, stream};
use crate::pages::visit::{Administrator, Visit};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{Redirect, Response};
use leasehold_web::components::{Button, Tone, post_button, wrapped};
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::TrialView;
use std::net::SocketAddr;

/// The banner; an empty element where nothing is on trial, so that a live update can replace it.
pub(super) fn banner(visit: &Visit, trial: Option<&TrialView>) -> Markup {
    let Some(trial) = trial else { return html! { div #on-trial.notices {} } };
    let elsewhere = ways(visit, trial);
    html! {
        div #on-trial.notices {
            div.notice.warning role="status" {
                (Tone::Warning.icon())
                div {
                    p {
                        strong { "On trial: " }
                        @for (i, name) in trial.settings.iter().enumerate() { @if i > 0 { ", " } code { (name) } }
                        ". The settings from before come back by themselves in " strong { (trial.left_s) " s" } "."
                    }
                    @if !elsewhere.is_empty() {
                        p {
                            "Confirm by the new address: "
                            @for (i, way) in elsewhere.iter().enumerate() { @if i > 0 { " or " } a href=(way) { (wrapped(way)) } }
                        }
                    }
                    @if trial.certificate {
                        p { "Your browser shows the new certificate when this page is loaded again over https://. If it does not warn, or you took it, confirm here." }
                    }
                    @if visit.caller.may_change() {
                        div.actions {
                            @if elsewhere.is_empty() { (post_button("/settings/confirm", "Keep these settings", Button::Primary, &[])) }
                            (post_button("/settings/take-back", "Take them back", Button::Plain, &[]))
                        }
                    }
                }
            }
        }
    }
}

/// Addresses of this page by the new way, if this visit did not come by it.
fn ways(visit: &Visit, trial: &TrialView) -> Vec<String> {
    let listen: Vec<SocketAddr> = trial.listen.iter().filter_map(|address| address.parse().ok()).collect();
    let here = visit.caller.arrival();
    if listen.is_empty() || here.is_some_and(|here| crate::ports::came_by(here.local, &listen)) {
        return Vec::new();
    }
    let scheme = if here.is_some_and(|here| here.tls_epoch.is_some()) { "https" } else { "http" };
    let host = visit.host_name();
    let way = |address: &SocketAddr| {
        let host = if address.ip().is_unspecified() {
            host.clone()
        } else {
            SocketAddr::new(address.ip(), 0).to_string().trim_end_matches(":0").to_owned()
        };
        format!("{scheme}://{host}:{}/settings/network", address.port())
    };
    listen.iter().map(way).collect()
}

/// `POST /settings/confirm`
pub(in crate::pages) async fn keep(Administrator(visit): Administrator) -> Result<Redirect, ApiProblem> {
    visit.server.confirm_settings(&visit.caller).await?;
    Ok(Redirect::to("/settings/network?saved=kept"))
}

/// `POST /settings/take-back`
pub(in crate::pages) async fn take_back(Administrator(visit): Administrator) -> Result<Redirect, ApiProblem> {
    visit.server.take_back_settings(&visit.caller).await?;
    Ok(Redirect::to("/settings/network?saved=back"))
}

/// `GET /settings/live`: how long still.
pub(in crate::pages) async fn live(
    State(pages): State<Pages>,
    Administrator(visit): Administrator,
    connection: Connection,
    headers: HeaderMap,
) -> Response {
    stream(&pages, Countdown { visit, connection, headers })
}

struct Countdown {
    visit: Visit,
    connection: Connection,
    headers: HeaderMap,
}

impl Live for Countdown {
    async fn draw(&mut self) -> Option<Fragments> {
        self.visit.again(&self.connection, &self.headers).await.ok()?;
        let seen = self.visit.server.settings(&self.visit.caller).await.ok()?;
        let over = html! {
            div #on-trial.notices {
                div.notice.info role="status" {
                    div { "Nothing is on trial any more. " a href="/settings/network" { "See the settings that hold now" } }
                }
            }
        };
        let markup = seen.trial.as_ref().map_or(over, |trial| banner(&self.visit, Some(trial)));
        Some(vec![("on-trial", markup)])
    }
}
