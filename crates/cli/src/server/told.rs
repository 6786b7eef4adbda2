//! What a license server answers, in words for the terminal.

use super::leases;
use crate::output::printable;
use leasehold_core::text::{counted, is_or_are, span};
use leasehold_core::time::Ms;
use leasehold_wire::server::{
    ClockVerdict, ConnectionStepName, ConnectionStepState, ConnectionTest, DisableResponse, OnlineState, OnlineStatus,
    ReceiptState, ServerState, StatusResponse,
};
use std::collections::BTreeMap;

/// A start that finds so much more time gone by than is usual is told of, in seconds.
const HOUR_S: i64 = 3_600;
/// A clock that differs from the server's time by more was set while the server ran, in seconds.
const CLOCK_STEP_S: i64 = 60;

pub(super) fn describe(status: &StatusResponse) -> String {
    let mut text = match (&status.activation, status.state) {
        (Some(activation), state) => format!(
            "\"{}\" for {}, vendor {}{}; document {} of {}, {}\n",
            printable(&activation.workstation_name),
            printable(&activation.account_name),
            printable(&activation.vendor),
            if state == ServerState::Draining { ", being disabled" } else { "" },
            activation.rev,
            activation.issued_at.0.utc_date(),
            match (status.lines.is_empty(), activation.ends_at.0 <= status.server_time.0) {
                (true, _) => "without seats".to_owned(),
                (false, true) => format!("ended {}", activation.ends_at.0.utc_date()),
                (false, false) => format!("ends {}", activation.ends_at.0.utc_date()),
            }
        ),
        (None, ServerState::Disabled) => disabled(status).to_owned(),
        (None, _) => {
            "Not activated. Begin with: leasehold server activate --account EMAIL, or, without a way to the portal, \
                      leasehold server request > FILE\n"
                .to_owned()
        }
    };
    if let Some(online) = &status.online {
        text.push_str(&portal_state(online));
        for pool in online.pools.iter().filter(|pool| pool.pending > 0) {
            text.push_str(&format!(
                "Assigned and not here yet: {} of {}. They come by themselves; the page of the license at the portal says what \
                 they wait for.\n",
                pool.pending,
                printable(&pool.product_name)
            ));
        }
    }
    text.push_str(&format!("Out: {}.\n", leases(status.applications_out())));
    if status.passes_borrowed() > 0 {
        text.push_str(&format!("Borrowed by machines: {} (`leasehold server passes`).\n", status.passes_borrowed()));
    }
    if !status.storage.ok {
        text.push_str(&format!("PROBLEM: {}\n", printable(&status.storage.problem)));
    }
    if let Some(restored) = status.restored {
        text.push_str(&format!(
            "RESTORED FROM A BACKUP: new seats from {}; applications that run keep theirs.\n",
            restored.new_leases_from.0.rfc3339()
        ));
        if let Some(until) = restored.held_until {
            text.push_str(&format!(
                "What may have been lent after the backup is held from then on, until {} at the latest: `leasehold server passes`.\n",
                until.0.rfc3339()
            ));
        }
    }
    if let Some(held) = status.held {
        text.push_str(&format!(
            "HELD SINCE THE RESTORE: {} that may have been lent after the backup of {}; free from {} at the latest. \
             See `leasehold server passes`, and `leasehold server not-out` for what no laptop has.\n",
            counted(held.seats, "seat", "seats"),
            held.backup_at.0.rfc3339(),
            held.free_at.0.rfc3339()
        ));
    }
    text.push_str(&expired(status));
    let off = span(status.clock.off_by_s);
    if status.clock.at_start == ClockVerdict::Ahead && status.clock.off_by_s > HOUR_S {
        text.push_str(&format!(
            "CLOCK: when the server started, the last time it had stored was {off} old. If it was switched off that long, all is \
             well; if not, check this machine's clock.\n"
        ));
    }
    if let Some(until) = status.clock.no_new_leases_until {
        let (what, then) = match status.clock.at_start {
            ClockVerdict::Behind => (
                "CLOCK SUSPECT: this machine's clock was behind what the server has stored.",
                "Set the clock right (NTP) and restart the server; if it is right and was ahead before, the page of the server says what to do.",
            ),
            _ => ("CLOCK PROVED RIGHT.", "Seats given before may still be in use until then; there is nothing to do."),
        };
        text.push_str(&format!(
            "{what} No new seats for {} (until {} by the server's time). {then}\n",
            span(until.0.since(status.server_time.0).max(0) / 1_000),
            until.0.rfc3339()
        ));
    }
    let (ahead_s, way) = (status.clock.wall_ahead_s, if status.clock.wall_ahead_s > 0 { "ahead of" } else { "behind" });
    if status.clock.at_start != ClockVerdict::Behind && ahead_s.saturating_abs() > CLOCK_STEP_S {
        text.push_str(&format!(
            "CLOCK SET while the server ran: this machine's clock is {} {way} the server's own time, which never follows a \
             step. If the clock is right now, restart the server; if not, set it right (NTP).\n",
            span(ahead_s.saturating_abs())
        ));
    }
    if let Some(moved) = status.moved {
        text.push_str(&format!(
            "ANOTHER MACHINE than the .crt was made for: new seats until {}. Make a new request (leasehold server request), \
             renew the workstation with it at the portal, import the new .crt.\n",
            moved.new_leases_until.0.rfc3339()
        ));
    }
    text + &crate::status::features(status)
}

/// Products of which no seats are given any more, as what there was of them has ended.
fn expired(status: &StatusResponse) -> String {
    let now = status.server_time.0;
    let mut last: BTreeMap<&str, Ms> = BTreeMap::new();
    for line in &status.lines {
        let until = last.entry(&line.product_name).or_insert(line.until.0);
        *until = line.until.0.max(*until);
    }
    let ended = last.into_iter().filter(|(_, until)| *until <= now);
    let renew = match status.online {
        Some(_) => "Renew the license at the portal: its next answer brings the seats back.",
        None => {
            "Renew: leasehold server request > FILE, renew the workstation with it at the portal, import the new .crt."
        }
    };
    ended.map(|(name, until)| format!("EXPIRED {}: {}. {renew}\n", until.utc_date(), printable(name))).collect()
}

/// What became of a disabled server's receipt.
fn disabled(status: &StatusResponse) -> &'static str {
    match status.receipt.as_ref().map(|receipt| receipt.state) {
        Some(ReceiptState::Brought) => "Disabled. Its receipt is at the portal, and the seats are back.\n",
        Some(ReceiptState::Waiting) => "Disabled. The server brings its receipt as soon as it reaches the portal.\n",
        _ => "Disabled. Its receipt: leasehold server receipt > FILE\n",
    }
}

/// How an online server stands with its portal.
fn portal_state(online: &OnlineStatus) -> String {
    let ends = online.ends_at.map(|at| format!("; seats last until {} without it", at.0.rfc3339())).unwrap_or_default();
    let mut text = match online.state {
        OnlineState::Ok => match online.synced_at {
            Some(at) => format!("Portal: up to date since {}{ends}.", at.0.rfc3339()),
            None => format!("Portal: not asked yet{ends}."),
        },
        OnlineState::Starting => "Portal: waiting for its first answer, ten seconds at most.".to_owned(),
        OnlineState::Unreachable => {
            let since = online.trouble_since.map(|at| format!(" since {}", at.0.rfc3339())).unwrap_or_default();
            format!("PORTAL NOT REACHED{since}{ends}.")
        }
        OnlineState::Copy => format!(
            "COPY: another server runs with the same key{}. Stop the copy that should not run; disable this one, then \
             activate it again, which gives it a key of its own. If the other is gone for good, revoke its workstation at \
             the portal, which says from when on its seats are free.",
            online.copy_on.as_ref().map(|host| format!(" on {}", printable(host))).unwrap_or_default()
        ),
        OnlineState::Revoked if online.lost => {
            "DECLARED LOST at the portal, where others may have its seats: no new seats. Disable this server, then activate it again."
                .to_owned()
        }
        OnlineState::Revoked => {
            "REVOKED at the portal: no new seats. Disable this server, then activate it again.".to_owned()
        }
        OnlineState::ByFile => {
            "BY FILE: a .crt file was made for this server at the portal. Import it: leasehold server import FILE"
                .to_owned()
        }
    };
    text.push('\n');
    if let Some(problem) = &online.trouble {
        let told = format!("  {} {} (Who can: {}.)", problem.what, problem.what_to_do, problem.who);
        text.push_str(&format!("{}\n", printable(&told)));
    }
    text
}

pub(super) fn steps(test: &ConnectionTest) -> String {
    let mut text = String::new();
    for step in &test.steps {
        let name = match step.step {
            ConnectionStepName::Name => "name",
            ConnectionStepName::Connect => "connect",
            ConnectionStepName::Proxy => "proxy",
            ConnectionStepName::Tls => "TLS",
            ConnectionStepName::Portal => "portal",
            ConnectionStepName::SignIn => "sign-in",
        };
        let state = match step.state {
            ConnectionStepState::Ok => "ok",
            ConnectionStepState::Failed => "FAILED",
            ConnectionStepState::Skipped => "-",
        };
        let line = format!("{name:<9}{state:<8}{}", printable(&step.detail));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for problem in test.steps.iter().filter_map(|step| step.problem.as_ref()) {
        let told = format!("{} {} (Who can: {}.)", problem.what, problem.what_to_do, problem.who);
        text.push_str(&format!("\n{}\n", printable(&told)));
    }
    text
}

/// What is asked before all that is held since a restore is freed.
pub(super) const NOT_OUT_QUESTION: &str = "All seats that are held since the restore are free then. Whatever of them a laptop has after all is in use \
     a second time until its pass ends.";

/// What is asked before a server is disabled. Passes are what people do not expect: they can keep it for weeks.
pub(super) fn disable_question(seen: Option<&StatusResponse>) -> String {
    if seen.and_then(|seen| seen.online.as_ref()).is_some_and(|online| online.state == OnlineState::Copy) {
        return "This server is a copy: another one with its key goes on. Disabling ends this copy alone, when its last lease is over: no seat \
                is freed at the portal, and no receipt is made that counts there. It cannot be undone; the next activation makes a \
                new workstation."
            .to_owned();
    }
    let mut text = "The server gives no new seats from now on and destroys its key when the last is back.".to_owned();
    let will_be_held = seen.and_then(|seen| Some((seen, seen.restored?, seen.restored?.held_until?)));
    if let Some((seen, restored, until)) = will_be_held {
        let borrowed = seen.passes_borrowed();
        if borrowed > 0 {
            text.push_str(&format!(" {} {} out. {FREE_PASSES}", passes(borrowed), is_or_are(borrowed)));
        }
        text.push_str(&format!(
            " It was restored from a backup: from {} it holds what may have been lent after that, until {} at the latest, and there \
             is no receipt before unless that is freed. {FREE_HELD}",
            restored.new_leases_from.0.rfc3339(),
            until.0.rfc3339()
        ));
    } else if let Some(seen) = seen.filter(|seen| seen.passes_out > 0) {
        let end = seen.leases_end_at.map(|end| format!(", {} at the latest", end.0.rfc3339())).unwrap_or_default();
        let (borrowed, held) = (seen.passes_borrowed(), seen.held.map_or(0, |held| held.seats));
        if borrowed > 0 {
            text.push_str(&format!(" {} {} out.", passes(borrowed), is_or_are(borrowed)));
        }
        if held > 0 {
            text.push_str(&format!(" {} {} held since the restore.", counted(held, "seat", "seats"), is_or_are(held)));
        }
        let sooner = match (borrowed, held) {
            (_, 0) => FREE_PASSES.to_owned(),
            (0, _) => FREE_HELD.to_owned(),
            _ => format!("{FREE_PASSES} {FREE_HELD}"),
        };
        text.push_str(&format!(
            " It cannot finish before all of that is returned, freed, written off or has ended{end}, and until then there is \
             no receipt. {sooner}"
        ));
    }
    text.push_str(" It cannot be undone; the next activation makes a new workstation.");
    text
}

const FREE_PASSES: &str = "To have them back sooner: `leasehold return` on the machine, or `leasehold server passes` and `leasehold server lost PASS --write-off`.";

const FREE_HELD: &str = "What no machine has can be freed sooner: `leasehold server passes` lists it, and `leasehold server not-out` frees it.";

/// How far a server is that is being disabled.
pub(super) fn draining(disabled: &DisableResponse, seen: Option<&StatusResponse>) -> String {
    let held = seen.and_then(|seen| seen.held);
    let will_be_held = held.is_none() && seen.and_then(|seen| seen.restored?.held_until).is_some();
    let applications = match disabled.applications_out() {
        0 => None,
        1 => Some("the seat of 1 application".to_owned()),
        out => Some(format!("the seats of {out} applications")),
    };
    let lent = disabled.passes_out.saturating_sub(held.map_or(0, |held| held.passes));
    let borrowed = (lent > 0).then(|| passes(lent));
    let kept = held.map(|held| format!("{} held since the restore", counted(held.seats, "seat", "seats")));
    let later = will_be_held.then(|| "what is held after the restore".to_owned());
    let out: Vec<String> = applications.into_iter().chain(borrowed).chain(kept).chain(later).collect();
    let out = if out.is_empty() { String::new() } else { format!(" Still out: {}.", out.join(", and ")) };
    let sooner = [(lent > 0, FREE_PASSES), (held.is_some() || will_be_held, FREE_HELD)];
    let sooner: String = sooner.iter().filter(|(is_so, _)| *is_so).map(|(_, how)| format!(" {how}")).collect();
    format!(
        "No new seats from now on.{out} The last is back by {} at the latest; then the receipt is ready. Run this again to see \
         how far it is.{sooner}",
        disabled.done_by.0.rfc3339()
    )
}

fn passes(count: u64) -> String {
    counted(count, "pass of a machine", "passes of machines")
}
