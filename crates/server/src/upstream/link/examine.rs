//! Testing the link for an administrator: one real request on a connection of its own, told step by step.

use super::dial::{Seen, Way};
use super::problem::{LinkProblem, shown};
use super::{PortalLink, tls};
use leasehold_wire::server::{ConnectionStep, ConnectionStepName, ConnectionStepState};
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the portal says about itself to anybody.
const ABOUT_PATH: &str = "/openapi.json";
/// The title of that document.
const PORTAL_TITLE: &str = "Leasehold portal";
/// Most addresses of a name that are listed.
const ADDRESSES_MAX: usize = 4;

const STEPS: [ConnectionStepName; 5] = [
    ConnectionStepName::Name,
    ConnectionStepName::Connect,
    ConnectionStepName::Proxy,
    ConnectionStepName::Tls,
    ConnectionStepName::Portal,
];

#[derive(Deserialize)]
struct About {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    title: String,
    version: String,
}

/// The steps where the link cannot even be made.
pub(crate) fn not_reached(problem: &LinkProblem) -> Vec<ConnectionStep> {
    STEPS.iter().map(|step| told(*step, Some(problem), true, String::new())).collect()
}

impl PortalLink {
    /// Asks the portal what it is, and tells how far that came. At most one step has failed; the caller may append
    /// further ones if none has. Blocks for `timeout` at most.
    pub(crate) fn test(&self, timeout: Duration) -> Vec<ConnectionStep> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let asked = self.watched(&seen).ask_what_it_is(timeout);
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let problem = asked.as_ref().err();
        let portal = asked.as_deref().unwrap_or_default();
        STEPS.iter().map(|step| told(*step, problem, self.needs(*step), self.detail(*step, &seen, portal))).collect()
    }

    fn ask_what_it_is(&self, timeout: Duration) -> Result<String, LinkProblem> {
        let answer = self.get(ABOUT_PATH, None, timeout)?;
        let other = |said: String| LinkProblem::NotThePortal { portal: self.way.portal(), said };
        if answer.status != 200 {
            return Err(other(format!("it answers with status {} to the question what it is", answer.status)));
        }
        let about: About =
            serde_json::from_slice(&answer.body).map_err(|_| other("it does not say what it is".to_owned()))?;
        if about.info.title != PORTAL_TITLE {
            return Err(other(format!("it calls itself \"{}\"", shown(&about.info.title))));
        }
        Ok(format!("{PORTAL_TITLE} {}", shown(&about.info.version)))
    }

    fn needs(&self, step: ConnectionStepName) -> bool {
        match step {
            ConnectionStepName::Proxy => self.way.proxy.is_some(),
            ConnectionStepName::Tls => self.way.tls,
            _ => true,
        }
    }

    fn detail(&self, step: ConnectionStepName, seen: &Seen, portal: &str) -> String {
        match (step, &self.way.proxy) {
            (ConnectionStepName::Name, _) => name_detail(&self.way, seen),
            (ConnectionStepName::Connect, _) => seen.connected.map(|at| at.to_string()).unwrap_or_default(),
            (ConnectionStepName::Proxy, None) if !self.way.tls => {
                "no proxy: plain http:// stays within this machine".to_owned()
            }
            (ConnectionStepName::Proxy, None) => "no proxy".to_owned(),
            (ConnectionStepName::Proxy, Some(proxy)) => {
                let from = if self.proxy_from_environment { ", named by the environment" } else { "" };
                format!("{} proxy {}{from}", proxy.kind.name(), proxy.at())
            }
            (ConnectionStepName::Tls, _) if !self.way.tls => "http:// within this machine".to_owned(),
            (ConnectionStepName::Tls, _) => seen.certificate.as_ref().map(tls::describe).unwrap_or_default(),
            (ConnectionStepName::Portal, _) => portal.to_owned(),
            // The caller's.
            (ConnectionStepName::SignIn, _) => String::new(),
        }
    }
}

fn name_detail(way: &Way, seen: &Seen) -> String {
    let (host, _, _) = way.first();
    if host.parse::<IpAddr>().is_ok() {
        return format!("{host} is an address");
    }
    let mut addresses: Vec<String> = seen.addresses.iter().map(|address| address.ip().to_string()).collect();
    addresses.dedup();
    match addresses.len() {
        0 => host.to_owned(),
        1..=ADDRESSES_MAX => format!("{host} is {}", addresses.join(", ")),
        more => format!("{host} is {} and {} more", addresses[..ADDRESSES_MAX].join(", "), more - ADDRESSES_MAX),
    }
}

fn told(step: ConnectionStepName, problem: Option<&LinkProblem>, needed: bool, detail: String) -> ConnectionStep {
    let failed_at = problem.map(LinkProblem::step);
    let state = match failed_at {
        Some(failed_at) if failed_at == step => ConnectionStepState::Failed,
        Some(failed_at) if failed_at < step => ConnectionStepState::Skipped,
        _ if needed => ConnectionStepState::Ok,
        _ => ConnectionStepState::Skipped,
    };
    let problem = problem.filter(|_| state == ConnectionStepState::Failed).map(LinkProblem::told);
    let reached = failed_at.is_none_or(|failed_at| step <= failed_at);
    ConnectionStep { step, state, detail: if reached { detail } else { String::new() }, problem }
}
