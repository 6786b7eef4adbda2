//! What stands above every page's content until its cause is gone. Pure: from the status to sentences.

mod portal;

use super::products::{ENDS_SOON_MS, NAME_CHARS_SHOWN, Product, products};
use super::words;
use leasehold_core::time::{DAY_MS, MINUTE_MS, Ms, SECOND_MS};
use leasehold_web::components::{Tone, relative, wrapped};
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::Notice;
use leasehold_web::text::{shorten, visible};
use leasehold_wire::server::{ClockVerdict, HeldStatus, OnlineState, ReceiptState, ServerState, StatusResponse};
pub(super) use portal::QUIET_MS;

/// A wall clock that differs from the server's time by more than this was set while the server ran, in seconds.
const CLOCK_STEP_S: i64 = 60;
/// Seats from a file that end within this are told of, in milliseconds; from [`ENDS_SOON_MS`] on as a warning, on the last
/// day as trouble.
const ENDS_MS: i64 = 30 * DAY_MS;
/// From here on it is said what it means, in milliseconds.
const ENDS_GONE_MS: i64 = 7 * DAY_MS;
/// Products named in one notice at most.
const NAMED_MAX: usize = 3;

/// The notices of a server, the gravest first.
pub(super) fn notices(seen: &StatusResponse) -> Vec<Notice> {
    notices_with(seen, portal::portal(seen))
}

/// The data are older than a receipt that this server gave.
fn put_back(seen: &StatusResponse) -> Option<Notice> {
    let rev = seen.put_back?;
    let text = html! {
        strong { "No new seats: this server's data were put back to a time before its own receipt. " }
        "It gave back seats of document number " (rev) ", and an older one is in force here, of which the portal counts nothing any more. "
        "Whoever holds a seat runs on for some minutes. Download the newest .crt file at the portal, or renew the workstation there, and "
        a href="/activate" { "upload it" } "."
    };
    Some(Notice::new(Tone::Bad, text))
}

/// The same where the page itself says how it stands with the portal.
pub(super) fn notices_but_of_the_portal(seen: &StatusResponse) -> Vec<Notice> {
    notices_with(seen, None)
}

fn notices_with(seen: &StatusResponse, portal: Option<Notice>) -> Vec<Notice> {
    let mut notices = Vec::new();
    if !seen.storage.ok {
        notices.push(storage(&seen.storage.problem));
    }
    notices.extend(seen.backup_problem.as_deref().map(no_backup));
    notices.extend(restored(seen));
    notices.extend(seen.held.map(|held| self::held(held, seen)));
    notices.extend(put_back(seen));
    notices.extend(clock(seen));
    let all = products(seen);
    notices.extend(moved(seen));
    notices.extend(state(seen));
    notices.extend(portal);
    // While it is being disabled no activation file is taken, so there is nothing to renew.
    if seen.state != ServerState::Draining {
        notices.extend(ended(&all, seen));
        notices.extend(ends_soon(&all, seen));
    }
    let kept = seen.online.iter().filter(|_| seen.state != ServerState::Draining);
    let ending = kept.filter_map(|online| {
        let unreached = online.state == OnlineState::Unreachable;
        leasehold_web::pins::warning(&online.kept, unreached, seen.server_time.0)
    });
    notices.extend(ending.map(|text| {
        Notice::new(Tone::Warning, html! { (text) " " a href="/online/offline" { "Use licenses offline" } })
    }));
    notices.extend(over(&all));
    notices.extend(seen.browser_certificate_ends_at.and_then(|ends| certificate(ends.0, seen.server_time.0)));
    if seen.setup_needed && !all.is_empty() {
        let text = html! {
            "No administrator's password is set yet. " a href="/setup" { "Set it with the setup secret" }
            " that the server printed when it started."
        };
        notices.push(Notice::new(Tone::Info, text));
    }
    notices
}

fn storage(problem: &str) -> Notice {
    let text = html! {
        strong { "The server cannot store changes. " }
        "Applications that hold a seat go on; new seats are refused. " (visible(problem))
    };
    Notice::new(Tone::Bad, text)
}

fn certificate(ends_at: Ms, now: Ms) -> Option<Notice> {
    if ends_at.since(now) > ENDS_SOON_MS {
        return None;
    }
    let (verb, tone) = if now < ends_at { ("ends ", Tone::Warning) } else { ("ended ", Tone::Bad) };
    let text = html! {
        strong { "The certificate for browsers " (verb) (relative(ends_at, now)) } " (" (words::minute(ends_at)) "): then browsers refuse "
        "these pages. Applications do not look at it. " a href="/settings/network" { "Put a new one in" } "."
    };
    Some(Notice::new(tone, text))
}

fn no_backup(problem: &str) -> Notice {
    let text = html! {
        strong { "The last backup was not made. " } (visible(problem)) " " a href="/settings/backup" { "Backups" }
    };
    Notice::new(Tone::Warning, text)
}

fn restored(seen: &StatusResponse) -> Option<Notice> {
    // A copy gives none afterwards either.
    let copy = seen.online.as_ref().is_some_and(|online| online.state == OnlineState::Copy);
    let restored = seen.restored.filter(|_| !copy)?;
    let from = restored.new_leases_from.0;
    let text = html! {
        strong { "Restored from a backup: " }
        @if seen.state == ServerState::Active {
            "new seats are given from " (words::minute(from)) " (" (relative(from, seen.server_time.0)) "), because seats given since the "
            "backup was made may still be in use. Applications that run keep theirs."
        } @else {
            "seats that were given since the backup was made may still be in use until " (words::minute(from)) " (" (relative(from, seen.server_time.0)) ")."
        }
        @if let Some(until) = restored.held_until {
            " What laptops may have borrowed since is held from then on, until " (words::minute(until.0)) " at the latest or until an administrator "
            "says that no laptop has it."
        }
    };
    Some(Notice::new(Tone::Warning, text))
}

fn held(held: HeldStatus, seen: &StatusResponse) -> Notice {
    let text = html! {
        strong { (words::seats(held.seats)) " held since the restore: " }
        "the server does not know which laptops borrowed after the backup of " (words::minute(held.backup_at.0)) ". They are free "
        (relative(held.free_at.0, seen.server_time.0)) " at the latest, or as soon as an administrator says that no laptop has them. "
        a href="/passes" { "Borrowed by machines" }
    };
    Notice::new(Tone::Warning, text)
}

fn clock(seen: &StatusResponse) -> Vec<Notice> {
    let (clock, now) = (&seen.clock, seen.server_time.0);
    let mut notices = Vec::new();
    let off = words::length(clock.off_by_s.saturating_mul(SECOND_MS));
    if clock.at_start != ClockVerdict::Behind
        && let Some(until) = clock.no_new_leases_until
    {
        let text = html! {
            "The clock has been proved right. No new seats are given until " (words::minute(until.0)) " ("
            (relative(until.0, now)) "), because seats given before may still be in use."
        };
        notices.push(Notice::new(Tone::Warning, text));
    }
    if clock.at_start == ClockVerdict::Behind {
        let text = html! {
            strong { "Clock suspect: " }
            "when the server started, this machine's clock was " (off) " behind a time that the server had already stored. "
            @if let Some(until) = clock.no_new_leases_until {
                "No new seats are given until " (words::minute(until.0)) " (" (relative(until.0, now)) "), because seats given before may still be in use. "
            }
            @if seen.online.is_some() { "Seats that the portal renews wait for its next answer, which also says what time it is. " }
            "If the clock is wrong, set it right (NTP) and restart the server. If it is right now and was ahead before, stop the server for " (off)
            " and start it again; or, if that is too long, " a href="/activate" { "download a request file" }
            ", renew this workstation with it at the portal and upload the new .crt file within that time: it proves what time it is. No other activation file is taken until then."
        };
        notices.push(Notice::new(Tone::Bad, text));
    } else if clock.wall_ahead_s.saturating_abs() > CLOCK_STEP_S {
        let way = if clock.wall_ahead_s > 0 { "ahead of" } else { "behind" };
        let by = words::length(clock.wall_ahead_s.saturating_mul(SECOND_MS));
        let text = html! {
            strong { "This machine's clock was set while the server ran: " }
            "it is " (by) " " (way) " the server's own time, which never follows a step. If the clock is right now, restart the server; if not, set it right (NTP)."
        };
        notices.push(Notice::new(Tone::Warning, text));
    } else if clock.at_start == ClockVerdict::Ahead && clock.off_by_s.saturating_mul(SECOND_MS) > 60 * MINUTE_MS {
        let text = html! {
            "When the server started, the last time it had stored was " (off) " old. If it was switched off that long, all is well; if not, check this machine's clock."
        };
        notices.push(Notice::new(Tone::Info, text));
    }
    notices
}

fn moved(seen: &StatusResponse) -> Option<Notice> {
    let (until, now) = (seen.moved?.new_leases_until.0, seen.server_time.0);
    let mend = html! {
        @if seen.online.is_some() {
            "The portal's next answer mends this by itself. "
        } @else {
            a href="/activate" { "Download a request file here" } ", use it at the portal to renew this workstation, and upload "
            "the new .crt file. "
        }
        "If this is a copy and the server still runs on its old machine, stop one of the two."
    };
    let what = "This license server is on another machine than its activation file was made for.";
    Some(if until <= now {
        let text = html! { strong { (what) " It gives no new seats" } " since " (words::minute(until)) ". " (mend) };
        Notice::new(Tone::Bad, text)
    } else {
        let text = html! {
            strong { (what) } " It gives new seats until " (words::minute(until)) " (" (relative(until, now)) "). " (mend)
        };
        Notice::new(Tone::Warning, text)
    })
}

fn state(seen: &StatusResponse) -> Option<Notice> {
    let now = seen.server_time.0;
    match seen.state {
        ServerState::Draining => {
            let text = html! {
                strong { "This server is being disabled. " }
                "It gives no new seats. "
                (words::count(seen.applications_out(), "application still holds", "applications still hold")) " a seat"
                @if let Some(end) = seen.leases_end_at { ", until " (words::minute(end.0)) " at the latest (" (relative(end.0, now)) ")" }
                ". " a href="/disable" { "See how far it is" }
            };
            Some(Notice::new(Tone::Warning, text))
        }
        ServerState::Disabled => {
            let text = html! {
                strong { "This server is disabled " } "and gives no seats. "
                @match seen.receipt.as_ref().map(|receipt| receipt.state) {
                    Some(ReceiptState::Brought) => { "Its seats are back at the portal. To use it again, " }
                    Some(ReceiptState::Waiting) => {
                        a href="/disable" { "Its receipt is on the way to the portal" } ". To use it again, "
                    }
                    _ => { a href="/disable" { "Download the receipt" } " for the portal, or " }
                }
                a href="/online" { "activate it again" } "."
            };
            Some(Notice::new(Tone::Warning, text))
        }
        // The home page is empty then, and says what to do.
        ServerState::NotActivated | ServerState::Active => None,
    }
}

fn ended(all: &[Product<'_>], seen: &StatusResponse) -> Option<Notice> {
    let ended: Vec<_> =
        all.iter().filter(|product| product.first_end().is_none() && product.last_end().is_some()).collect();
    let latest = ended.iter().filter_map(|product| product.last_end()).max()?;
    let text = html! {
        strong { "Expired: " } (names(&ended)) ", the last on " (words::minute(latest)) ". No seats are given of "
        (if ended.len() == 1 { "it" } else { "them" }) ". "
        @if seen.online.is_some() {
            "Renew the licenses at the portal: its next answer brings the seats back."
        } @else {
            a href="/activate" { "Renew" } " with a new activation file."
        }
    };
    Some(Notice::new(Tone::Bad, text))
}

fn ends_soon(all: &[Product<'_>], seen: &StatusResponse) -> Option<Notice> {
    let ending: Vec<_> = all
        .iter()
        .filter_map(|product| product.ending_within(ENDS_MS).map(|(seats, end)| (product, seats, end)))
        .collect();
    let (_, _, first) = ending.iter().min_by_key(|(_, _, end)| *end)?;
    let left_ms = first.since(seen.server_time.0);
    let seats = ending.iter().map(|(_, seats, _)| seats).sum();
    let of: Vec<_> = ending.iter().map(|(product, ..)| *product).collect();
    let text = html! {
        strong { (words::count(seats, "seat ends", "seats end")) " soon" } ", the first " (relative(*first, seen.server_time.0))
        " (" (words::minute(*first)) "): " (names(&of)) ". " a href="/activate" { "Renew" } " with a new activation file."
        @if left_ms <= ENDS_GONE_MS { " Without one they are gone then, and applications that hold one of them stop." }
    };
    let tone = if left_ms <= DAY_MS {
        Tone::Bad
    } else if left_ms <= ENDS_SOON_MS {
        Tone::Warning
    } else {
        Tone::Info
    };
    Some(Notice::new(tone, text))
}

fn over(all: &[Product<'_>]) -> Option<Notice> {
    let over: Vec<_> = all.iter().filter(|product| product.in_use() > product.seats()).collect();
    if over.is_empty() {
        return None;
    }
    let by = over.iter().map(|product| product.in_use() - product.seats()).sum();
    let text = html! {
        strong { (words::count(by, "seat more is", "seats more are")) " in use than the licenses hold" } ": " (names(&over))
        ". The youngest are not renewed and run out within minutes; their applications say so."
    };
    Some(Notice::new(Tone::Warning, text))
}

fn names(of: &[&Product<'_>]) -> Markup {
    html! {
        @for (i, product) in of.iter().take(NAMED_MAX).enumerate() {
            @if i > 0 { ", " }
            (wrapped(&shorten(product.name, NAME_CHARS_SHOWN)))
        }
        @if of.len() > NAMED_MAX { " and " (of.len() - NAMED_MAX) " more" }
    }
}

#[cfg(test)]
mod tests;
