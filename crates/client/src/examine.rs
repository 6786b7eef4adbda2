//! A close look at one server for `leasehold doctor`: each thing that can be wrong between an application and a seat,
//! checked on its own.

use crate::address::ServerAddress;
use crate::client::Identity;
use crate::link::Link;
use crate::trouble::Trouble;
use leasehold_core::codes::DenialCode;
use leasehold_core::license::FeatureCode;
use leasehold_core::text::{counted, span};
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_wire::server::{
    ClockVerdict, OnlineState, OnlineStatus, ServerState, SimulateRequest, SimulateResponse, SimulateVerdict,
    StatusResponse,
};
use serde::Serialize;
use std::net::IpAddr;

/// A clock difference beyond this deserves a word, in milliseconds; seats do not depend on it.
const CLOCK_NOTED_MS: i64 = 60_000;
/// So few days left deserve a word.
const DAYS_NOTED: i64 = 14;
/// The same where the portal renews them by itself.
const DAYS_NOTED_ONLINE: i64 = 3;
/// So many features are tried.
const TRIED_MAX: usize = 32;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Examination {
    /// Which server.
    pub server: ServerAddress,
    /// It answered, and can be believed.
    pub ok: bool,
    /// `ok`, or what TLS did not like; absent over plain HTTP or if nobody is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// Release of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the server does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ServerState>,
    /// Name of the server at the portal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workstation: Option<String>,
    /// Days until the server's certificate ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_days_left: Option<i64>,
    /// Days until the last line of its grant ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_days_left: Option<i64>,
    /// The server's clock minus this machine's, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_s: Option<i64>,
    /// Features that it serves, with seats in use and in all.
    pub features: Vec<FeatureFound>,
    /// Stable code of what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What keeps applications from a seat, one sentence each.
    pub problems: Vec<String>,
    /// What does not yet, and deserves a word, one sentence each.
    pub notes: Vec<String>,
    /// What to do about both.
    pub what_to_do: Vec<String>,
}

/// One feature of a server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FeatureFound {
    /// Its code.
    pub feature: String,
    /// Seats in use.
    pub in_use: u32,
    /// Seats in all.
    pub total: u32,
}

pub(crate) fn examine(link: &Link, identity: &Identity) -> Examination {
    let mut found = Examination {
        server: link.address.clone(),
        ok: false,
        tls: link.tls().map(|tls| tls.err().unwrap_or_else(|| "ok".to_owned())),
        version: None,
        state: None,
        workstation: None,
        certificate_days_left: None,
        grant_days_left: None,
        clock_ahead_s: None,
        features: Vec::new(),
        code: None,
        problems: Vec::new(),
        notes: Vec::new(),
        what_to_do: Vec::new(),
    };
    let asked_at = link.now();
    match link.status() {
        Ok(status) => {
            let answered_at = link.now();
            // Half of the way there and back is the best guess at when the server looked at its clock.
            let here = asked_at.plus(answered_at.since(asked_at) / 2);
            found.told(&status, here);
            found.grant(link, &status, answered_at);
            // That all seats are in use may not be what keeps this user from one.
            let full = found.problems.len() == 1 && status.features.iter().all(|feature| feature.free == 0);
            if found.problems.is_empty() || full {
                found.tried(link, identity);
            }
        }
        Err(trouble) => found.trouble(&trouble),
    }
    found.ok = found.problems.is_empty();
    found
}

impl Examination {
    fn told(&mut self, status: &StatusResponse, here: Ms) {
        self.version = Some(status.version.clone());
        self.state = Some(status.state);
        // The server tells whole seconds: on average it is half a second later there than it says.
        let ahead_ms = status.server_time.0.since(here) + 500;
        self.clock_ahead_s = Some((ahead_ms + 500).div_euclid(1_000));
        let feature = |f: &leasehold_wire::server::FeatureStatus| FeatureFound {
            feature: f.feature.to_string(),
            in_use: f.in_use,
            total: f.total,
        };
        self.features = status.features.iter().map(feature).collect();
        if ahead_ms.abs() > CLOCK_NOTED_MS {
            let direction = if ahead_ms > 0 { "ahead of" } else { "behind" };
            self.note(
                format!("The server's clock is {} {direction} this machine's.", span(ahead_ms.abs() / 1_000)),
                "Set both clocks by NTP; seats do not depend on it, but dates in licenses do.",
            );
        }
        if !status.storage.ok {
            self.problem(
                format!("The server cannot store changes: {}", status.storage.problem),
                "Free some space on the license server's disk.",
            );
        }
        if let Some(restored) = status.restored {
            self.problem(
                format!(
                    "The server was restored from a backup: new seats from {}.",
                    restored.new_leases_from.0.rfc3339()
                ),
                "Wait until then; applications that run keep their seats.",
            );
        }
        if let Some(until) = status.clock.no_new_leases_until {
            let (what, then) = match status.clock.at_start {
                ClockVerdict::Behind => (
                    "The clock of the server's machine was behind when it started",
                    "Set the clock of the license server's machine right (NTP), and wait.",
                ),
                _ => (
                    "The server's time was set by what proved it, and seats given before may still be in use",
                    "Wait until then.",
                ),
            };
            self.problem(
                format!("{what}: no new seats for {}.", span(until.0.since(status.server_time.0).max(0) / 1_000)),
                then,
            );
        }
        if let Some(moved) = status.moved {
            let tell = if here < moved.new_leases_until.0 { Self::note } else { Self::problem };
            tell(
                self,
                format!(
                    "The server is on another machine than its activation file was made for; it gives new seats until {}.",
                    moved.new_leases_until.0.rfc3339()
                ),
                "Renew the workstation at the portal with a new request file of the license server.",
            );
        }
        if let Some(online) = &status.online {
            self.online(online, here);
        }
        self.seats(status);
        if status.state != ServerState::Active {
            let state = match status.state {
                ServerState::NotActivated | ServerState::Active => "was not activated yet",
                ServerState::Draining => "is being disabled",
                ServerState::Disabled => "was disabled",
            };
            let next = match status.state {
                ServerState::Draining => "Use another license server. This one can be activated anew when it is done.",
                _ => "Activate it: ONLINE LICENSING, Enable or Activate offline, on the license server's page.",
            };
            self.problem(format!("The server {state}, so it gives no seats."), next);
        }
    }

    /// That there is nothing that applications could get, if so.
    fn seats(&mut self, status: &StatusResponse) {
        let pools = status.online.iter().flat_map(|online| &online.pools);
        let some = status.features.iter().any(|feature| feature.total > 0) || pools.clone().any(|pool| pool.seats > 0);
        let given_nothing = status.online.as_ref().is_some_and(|online| {
            matches!(online.state, OnlineState::Revoked | OnlineState::Copy | OnlineState::ByFile)
        });
        // Said already, with why.
        if status.state != ServerState::Active || given_nothing {
            return;
        }
        if some {
            return self.free_seats(status);
        }
        if pools.clone().any(|pool| pool.pending > 0) {
            let what =
                "The seats that are assigned to the server's person are not here yet: mostly, others still use them."
                    .to_owned();
            return self.problem(
                what,
                "They come by themselves; the page of the license at the portal says what they wait for.",
            );
        }
        let next = match status.online {
            None => "Renew the workstation at the portal and upload the new .crt file to the license server.",
            Some(_) => {
                "Look at the portal: LICENSES says what its account has, WORKSTATIONS whether the server was revoked."
            }
        };
        self.problem("The server has no license that runs.".to_owned(), next);
    }

    /// That nothing is free, if so: here, and where seats could come from.
    fn free_seats(&mut self, status: &StatusResponse) {
        if status.features.iter().any(|feature| feature.free > 0) {
            return;
        }
        let pools = || status.online.iter().flat_map(|online| &online.pools);
        let (free, elsewhere) = (pools().any(|pool| pool.free > 0), pools().any(|pool| pool.elsewhere > 0));
        let unreached = status.online.as_ref().is_some_and(|online| online.state == OnlineState::Unreachable);
        let (what, what_to_do) = match () {
            () if unreached => (
                "No seat is free on this server, and it does not reach the vendor's portal, which could give more.",
                "On the license server's page: ONLINE LICENSING, Test connection, says which step fails.",
            ),
            () if free => return,
            () if elsewhere => (
                "No seat is free on this server. Others are at other license servers of the account, and come if nobody uses them there.",
                "Try it with a checkout; if all are in use, wait until somebody closes the application, or get more seats.",
            ),
            () => (
                "All seats of this server are in use.",
                "Wait until somebody closes the application, or get more seats.",
            ),
        };
        self.problem(what.to_owned(), what_to_do);
    }

    /// What this user at this host would be told who asks for a seat now. Takes none.
    fn tried(&mut self, link: &Link, identity: &Identity) {
        let on_server = link.address.host() == "localhost"
            || link.address.host().parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let features = self.features.iter().filter(|feature| feature.total > 0).take(TRIED_MAX);
        let wishes = features.filter_map(|feature| {
            Some(SimulateRequest {
                feature: FeatureCode::new(&feature.feature).ok()?,
                seats: 1,
                user: identity.user.as_str().into(),
                host: identity.host.as_str().into(),
                version: "".into(),
                released_on: None,
                address: None,
                on_server,
            })
        });
        // A server that tells nobody what would be gives seats all the same.
        let told: Vec<_> = wishes.filter_map(|wish| link.simulate(&wish).ok()).collect();
        let refused: Vec<Trouble> = told.iter().filter_map(refusal).collect();
        let is_full = |trouble: &&Trouble| trouble.code() == DenialCode::NoSeats.word();
        let others = || refused.iter().filter(|trouble| !is_full(trouble));
        if refused.len() == told.len() {
            // One is enough: the others mostly say the same. That nothing is free may be said already.
            let first = others().next().or(refused.first().filter(|_| self.problems.is_empty()));
            return first.into_iter().for_each(|trouble| self.refused(trouble, Self::problem));
        }
        // Where nothing is free, whoever wants a seat waits, as everywhere.
        others().for_each(|trouble| self.refused(trouble, Self::note));
    }

    fn refused(&mut self, trouble: &Trouble, tell: fn(&mut Self, String, &str)) {
        tell(self, trouble.what(&self.server.clone()), &trouble.what_to_do());
    }

    /// What the server says of its portal, where it matters to applications here.
    fn online(&mut self, online: &OnlineStatus, now: Ms) {
        let (what, what_to_do) = match online.state {
            OnlineState::Ok | OnlineState::Starting => return,
            OnlineState::Unreachable => {
                let Some(ends_at) = online.ends_at.map(|at| at.0) else { return };
                if ends_at.since(now) > DAYS_NOTED_ONLINE * DAY_MS {
                    return;
                }
                let what_to_do =
                    "On the license server's page: ONLINE LICENSING, Test connection, says which step fails.";
                if now < ends_at {
                    let what = format!(
                        "The server does not reach the vendor's portal, and its seats last until {} without it.",
                        ends_at.rfc3339()
                    );
                    return self.note(what, what_to_do);
                }
                (
                    format!(
                        "The server does not reach the vendor's portal, and its seats lasted until {} without it.",
                        ends_at.rfc3339()
                    ),
                    what_to_do,
                )
            }
            OnlineState::Copy => (
                "Another license server runs with the same key, so this one gives no new seats.".to_owned(),
                "Stop the copy that should not run; ONLINE LICENSING on this one's page says how it gets a key of its own.",
            ),
            OnlineState::Revoked => (
                "The server was revoked at the portal, so it gets no more seats.".to_owned(),
                "If it should serve again: disable it on its page, then enable it anew.",
            ),
            OnlineState::ByFile => (
                "An activation file was made for the server at the portal, and it has not been loaded.".to_owned(),
                "Upload that file on the license server's page: ONLINE LICENSING, Activate offline.",
            ),
        };
        self.problem(what, what_to_do);
    }

    fn grant(&mut self, link: &Link, status: &StatusResponse, now: Ms) {
        let Some(activation) = &status.activation else { return };
        self.workstation = Some(activation.workstation_name.clone());
        let known = match link.grant(&activation.grant_sha256) {
            Ok(known) => known,
            Err(trouble) => return self.trouble(&trouble),
        };
        let days = |until: Ms| until.since(now).div_euclid(DAY_MS);
        let (certificate_days, grant_days) = (days(known.certificate_ends_at), days(known.verified.grant.ends_at()));
        self.certificate_days_left = Some(certificate_days);
        // Of a document without lines nothing ends.
        self.grant_days_left = Some(grant_days).filter(|_| status.lines.iter().any(|line| line.granted));
        // Lines that the portal renews end within days, always.
        if status.online.is_none() && grant_days < DAYS_NOTED {
            let what = if grant_days < 0 {
                "What the vendor granted to the server has ended.".to_owned()
            } else {
                format!(
                    "What the vendor granted to the server ends in {}.",
                    counted(grant_days.unsigned_abs(), "day", "days")
                )
            };
            let tell = if grant_days < 0 { Self::problem } else { Self::note };
            tell(self, what, "Renew the workstation at the portal and upload the new .crt file to the license server.");
        }
    }

    fn trouble(&mut self, trouble: &Trouble) {
        self.code = Some(trouble.code().to_owned());
        self.problem(trouble.what(&self.server.clone()), &trouble.what_to_do());
    }

    /// Something that may keep them from one later.
    fn note(&mut self, note: String, what_to_do: &str) {
        self.notes.push(note);
        self.what_to_do.push(what_to_do.to_owned());
    }

    /// Something that keeps applications from a seat.
    fn problem(&mut self, problem: String, what_to_do: &str) {
        self.problems.push(problem);
        if !what_to_do.is_empty() {
            self.what_to_do.push(what_to_do.to_owned());
        }
    }
}

/// Why a seat would be refused. Which release of the application asks is not known here, so that is no reason.
fn refusal(told: &SimulateResponse) -> Option<Trouble> {
    let denial = told.denial.as_ref().filter(|_| told.verdict == SimulateVerdict::Denied)?;
    let code = DenialCode::from_word(&denial.problem.code).filter(|code| *code != DenialCode::VersionTooNew)?;
    Some(Trouble::Denied { code, denial: Some(denial.clone()) })
}
