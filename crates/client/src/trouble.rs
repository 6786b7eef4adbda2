//! Why a server gave no seat, and the one sentence about it that a person reads.

use crate::address::ServerAddress;
use crate::passes::PassTrouble;
use leasehold_core::codes::DenialCode;
use leasehold_core::text::{is_invisible_control, is_or_are, span};
use leasehold_trust::VendorRef;
use leasehold_wire::problem::Problem;
use leasehold_wire::server::DenialResponse;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::fmt;

/// What went wrong with one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Nobody can be reached at the address.
    Unreachable {
        /// Why, as the end of a sentence.
        why: String,
    },
    /// Somebody is there, but no answer came, or it broke off: what was asked may have been done.
    NoAnswer {
        /// Why, as the end of a sentence.
        why: String,
    },
    /// It has no seat.
    Denied {
        /// Why.
        code: DenialCode,
        /// With the numbers; `None` where the server could only be asked what it is.
        denial: Option<Box<DenialResponse>>,
    },
    /// It refused in its own words.
    Refused(Box<Problem>),
    /// It belongs to another vendor than the one that is trusted: a mix-up, or a counterfeit.
    OtherVendor {
        /// Whose it says it is. Nobody vouches for it.
        theirs: VendorRef,
        /// Who is trusted.
        ours: VendorRef,
    },
    /// Its answer, or its certificate, cannot be believed.
    Untrusted {
        /// Why, as the end of a sentence.
        why: String,
    },
    /// What answers there is something else.
    NotALicenseServer {
        /// Why, as the end of a sentence.
        why: String,
    },
}

impl Trouble {
    /// Stable word for programs: the denial's or problem's code, or one of `UNREACHABLE`, `NO_ANSWER`, `OTHER_VENDOR`,
    /// `UNTRUSTED`, `NOT_A_LICENSE_SERVER`.
    pub fn code(&self) -> &str {
        match self {
            Trouble::Unreachable { .. } => "UNREACHABLE",
            Trouble::NoAnswer { .. } => "NO_ANSWER",
            Trouble::Denied { code, .. } => code.word(),
            Trouble::Refused(problem) => &problem.code,
            Trouble::OtherVendor { .. } => "OTHER_VENDOR",
            Trouble::Untrusted { .. } => "UNTRUSTED",
            Trouble::NotALicenseServer { .. } => "NOT_A_LICENSE_SERVER",
        }
    }

    /// What happened at `server`, as whole sentences.
    pub fn what(&self, server: &ServerAddress) -> String {
        let text = match self {
            Trouble::Unreachable { why } => format!("The license server {server} cannot be reached: {why}."),
            Trouble::NoAnswer { why } => format!("The license server {server} did not answer: {why}."),
            Trouble::Denied { code: DenialCode::NoSeats, denial: Some(denial) } => {
                format!("{server}: {} [{}]", no_seats(denial), self.code())
            }
            Trouble::Denied { code, denial } => {
                let too_long = |denial: &&DenialResponse| denial.problem.code == DenialCode::BorrowTooLong.word();
                let days = denial.as_deref().filter(too_long).and_then(|denial| denial.borrow_days_max);
                let days = days.map(|days| format!(" It is lent for {days} days at most.")).unwrap_or_default();
                let reason =
                    denial.as_ref().and_then(|denial| denial.reason.as_deref()).filter(|text| !text.is_empty());
                let reason =
                    reason.map(|reason| format!(" The reason given: {}.", reason.trim_end_matches(['.', ' '])));
                let reason = reason.unwrap_or_default();
                let said = said(*code, denial.as_deref());
                // Which of the administrator's lists it was, and whom it names: what to ask the administrator about.
                let list = denial.as_deref().filter(|_| *code == DenialCode::NotAllowed);
                let list = list.map(|denial| denial.problem.detail.as_ref()).filter(|text: &&str| !text.is_empty());
                let list = list.map(|text| format!(" {text}")).unwrap_or_default();
                format!("{server}: {said}{list}{days}{}{reason} [{}]", from_when(denial), code.word())
            }
            Trouble::Refused(problem) if problem.detail.is_empty() => format!("{server}: {}", problem.title),
            Trouble::Refused(problem) => format!("{server}: {} {}", problem.title, problem.detail),
            Trouble::OtherVendor { theirs, ours } => {
                format!("The server at {server} says it belongs to {theirs}, but this application trusts {ours}.")
            }
            Trouble::Untrusted { why } => format!("The server at {server} cannot be believed: {why}."),
            Trouble::NotALicenseServer { why } => format!("What answers at {server} is not a license server: {why}."),
        };
        printable(&text)
    }

    /// The next step, and who can take it.
    pub fn what_to_do(&self) -> String {
        let (what, who) = match self {
            Trouble::Unreachable { .. } | Trouble::NoAnswer { .. } => {
                ("Check the address and the network, and that the license server runs.", ADMINISTRATOR)
            }
            Trouble::Denied { code: DenialCode::NoSeats, denial: Some(denial) } if asks_too_many(denial) => {
                ("Ask for fewer seats, or get more.", ADMINISTRATOR)
            }
            // The server knows more than the code: whether the portal keeps it up to date.
            Trouble::Denied { denial: Some(denial), .. } if !denial.problem.what_to_do.is_empty() => {
                (denial.problem.what_to_do.as_ref(), denial.problem.who.as_ref())
            }
            Trouble::Denied { code, .. } => (code.explain().what_to_do, code.explain().who),
            Trouble::Refused(problem) => (problem.what_to_do.as_ref(), problem.who.as_ref()),
            Trouble::OtherVendor { .. } => (
                "Check that the address is right and that the application trusts the right vendor's root certificate; if \
                 both are, somebody has put up a counterfeit.",
                ADMINISTRATOR,
            ),
            Trouble::Untrusted { .. } => {
                ("Check the address and this machine's clock, and run `leasehold doctor`.", ADMINISTRATOR)
            }
            Trouble::NotALicenseServer { .. } => ("Check the host and the port.", ADMINISTRATOR),
        };
        let text =
            if who.is_empty() || what.is_empty() { what.to_owned() } else { format!("{what} (Who can: {who}.)") };
        printable(&text)
    }

    /// Whether the outcome of what was asked is unknown, so that asking again makes sense.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Trouble::Unreachable { .. } | Trouble::NoAnswer { .. } => true,
            Trouble::Refused(problem) => problem.status >= 500 || problem.status == 429,
            _ => false,
        }
    }

    fn kind(&self) -> NoSeatKind {
        match self {
            Trouble::Denied { .. } | Trouble::Refused(_) => NoSeatKind::NoSeat,
            Trouble::OtherVendor { .. } | Trouble::Untrusted { .. } => NoSeatKind::NotTrusted,
            Trouble::Unreachable { .. } | Trouble::NoAnswer { .. } | Trouble::NotALicenseServer { .. } => {
                NoSeatKind::Unreachable
            }
        }
    }
}

const ADMINISTRATOR: &str = "the administrator of the license server";

/// Seats that there are of a feature, here or at other license servers from which they can come.
fn in_all(denial: &DenialResponse) -> u32 {
    denial.account_total.unwrap_or(0).max(denial.total)
}

/// Whether waiting is in vain: so many there are not, with what is assigned and has yet to come.
fn asks_too_many(denial: &DenialResponse) -> bool {
    let all = in_all(denial);
    denial.seats > all.saturating_add(denial.account_pending.unwrap_or(0)) && all > 0
}

/// What happened in the server's own words: it knows more than the code.
fn said(code: DenialCode, denial: Option<&DenialResponse>) -> &str {
    let title = denial.map(|denial| denial.problem.title.as_ref()).filter(|title| !title.is_empty());
    title.unwrap_or(code.explain().what)
}

/// From when on seats are given again, where that is known.
fn from_when(denial: &Option<Box<DenialResponse>>) -> String {
    let in_s = denial.as_ref().and_then(|denial| denial.free_in_s).filter(|in_s| *in_s > 0);
    in_s.map(|in_s| format!(" New ones are given in {}.", span(in_s))).unwrap_or_default()
}

/// Why there are no seats, in numbers.
fn no_seats(denial: &DenialResponse) -> String {
    let elsewhere = denial.account_elsewhere.unwrap_or(0);
    // Each branch but the last two says what is at other servers itself.
    let more =
        denial.account_total.filter(|all| *all > denial.total && denial.total > 0 && denial.seats <= denial.total);
    let mut text = if asks_too_many(denial) {
        let who = if denial.account_total.is_some() { "account" } else { "server" };
        let of_them = match elsewhere {
            0 => String::new(),
            elsewhere => format!(", {elsewhere} of them at other license servers"),
        };
        format!("{} seats were asked for, and the {who} has {} in all{of_them}.", denial.seats, in_all(denial))
    } else if denial.total == 0 {
        // The server's own words: at other servers, assigned and not there yet, or not to be asked for.
        let numbers = Some(in_all(denial)).filter(|all| *all > 0);
        let numbers = numbers.map(|all| format!(" ({elsewhere} of {all} elsewhere)"));
        format!("{}{}", denial.problem.title, numbers.unwrap_or_default())
    } else if denial.seats > denial.total && elsewhere > 0 {
        format!(
            "{} seats were asked for; {} of {} here {} free, and {elsewhere} {} at other license servers.",
            denial.seats,
            denial.free,
            denial.total,
            is_or_are(denial.free.into()),
            is_or_are(elsewhere.into())
        )
    } else if denial.free > 0 {
        format!(
            "{} seats were asked for, and {} of {} {} free.",
            denial.seats,
            denial.free,
            denial.total,
            is_or_are(denial.free.into())
        )
    } else {
        format!("{} ({} of {} in use)", said(DenialCode::NoSeats, Some(denial)), denial.in_use, denial.total)
    };
    if denial.borrowed > 0 {
        text.push_str(&format!(" {} of those in use {} borrowed.", denial.borrowed, is_or_are(denial.borrowed.into())));
    }
    if denial.held > 0 {
        let are = is_or_are(denial.held.into());
        text.push_str(&format!(
            " {} of them {are} held since the license server was restored from a backup.",
            denial.held
        ));
    }
    if let Some(all) = more {
        text.push_str(&format!(" The account has {all}, {elsewhere} of them at other license servers."));
    }
    // With none here the server's own words say it.
    if let Some(coming) = denial.account_pending.filter(|seats| *seats > 0 && denial.total > 0) {
        let (are, have) = if coming == 1 { ("is", "has") } else { ("are", "have") };
        text.push_str(&format!(" {coming} more {are} assigned and {have} yet to come."));
    }
    if let Some(theirs) = denial.account_for_people.filter(|seats| *seats > 0) {
        let are = is_or_are(theirs.into());
        text.push_str(&format!(" {theirs} more {are} assigned to people, for license servers of their own."));
    }
    if denial.reserved > 0 {
        text.push_str(&format!(" {} {} free and kept for others.", denial.reserved, is_or_are(denial.reserved.into())));
    }
    if let Some(free_in_s) = denial.free_in_s.filter(|_| denial.seats <= denial.total) {
        text.push_str(&format!(" The next one is free in {} at the latest if its holder is gone.", span(free_in_s)));
    }
    let named = denial.holders.get(..3).unwrap_or(&denial.holders);
    let said: Vec<String> = named
        .iter()
        .map(|holder| match holder.seats {
            1 => format!("{} on {}", holder.user, holder.host),
            seats => format!("{} on {} ({seats})", holder.user, holder.host),
        })
        .collect();
    if !said.is_empty() {
        text.push_str(&format!(" Held by {}", said.join(", ")));
        let shown = named.iter().map(|holder| holder.seats).fold(0, u32::saturating_add);
        text.push_str(if shown < denial.in_use { " and others." } else { "." });
    } else if denial.in_use > 0 {
        text.push_str(
            " Who holds them is not shown here: the administrator of the license server sees it on its page.",
        );
    }
    text
}

/// Text that came from outside, fit for a terminal or a log line.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !is_invisible_control(*c)).collect()
}

/// Which family of reasons left the holder without a seat; command lines make exit codes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoSeatKind {
    /// At least one server answered, and had none.
    NoSeat,
    /// No server could be reached.
    Unreachable,
    /// The servers that answered must not be believed.
    NotTrusted,
    /// The request itself is wrong; no server was asked.
    BadRequest,
}

/// What became of one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerTrouble {
    /// Which.
    pub server: ServerAddress,
    /// What.
    pub trouble: Trouble,
}

impl Serialize for ServerTrouble {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("server", &self.server)?;
        map.serialize_entry("code", self.trouble.code())?;
        map.serialize_entry("what", &self.trouble.what(&self.server))?;
        map.serialize_entry("what_to_do", &self.trouble.what_to_do())?;
        if let Trouble::Denied { denial: Some(denial), .. } = &self.trouble {
            map.serialize_entry("denial", denial)?;
        }
        map.end()
    }
}

/// What is said where there is no server to ask.
pub(crate) const NO_SERVERS: &str = "No license server is configured on this machine that could be asked instead.";

/// No seat: what happened at each server, in the order of the list. Its `Display` is the sentence for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoSeat {
    pub(crate) feature: String,
    pub(crate) servers: Vec<ServerTrouble>,
    /// Why no server was asked at all.
    pub(crate) local: Option<String>,
    /// Why passes of this machine were of no use.
    pub(crate) passes: Vec<PassTrouble>,
}

impl NoSeat {
    pub(crate) fn local(feature: &str, why: impl Into<String>) -> NoSeat {
        NoSeat { feature: feature.to_owned(), servers: Vec::new(), local: Some(why.into()), passes: Vec::new() }
    }

    /// Passes were of no use, and there is no server to ask.
    pub(crate) fn without_servers(feature: &str, passes: Vec<PassTrouble>) -> NoSeat {
        NoSeat { feature: feature.to_owned(), servers: Vec::new(), local: None, passes }
    }

    pub(crate) fn with_passes(self, passes: Vec<PassTrouble>) -> NoSeat {
        NoSeat { passes, ..self }
    }

    /// Why passes of this machine were of no use; empty if it has none of the feature.
    pub fn passes(&self) -> &[PassTrouble] {
        &self.passes
    }

    /// The feature that was asked for.
    pub fn feature(&self) -> &str {
        &self.feature
    }

    /// What became of each server that was asked or probed.
    pub fn servers(&self) -> &[ServerTrouble] {
        &self.servers
    }

    /// Which family of reasons. One server that had no seat outweighs others that are down.
    pub fn kind(&self) -> NoSeatKind {
        if self.local.is_some() {
            return NoSeatKind::BadRequest;
        }
        let kinds: Vec<NoSeatKind> = self.servers.iter().map(|entry| entry.trouble.kind()).collect();
        let order = [NoSeatKind::NoSeat, NoSeatKind::NotTrusted];
        order.into_iter().find(|kind| kinds.contains(kind)).unwrap_or(NoSeatKind::Unreachable)
    }
}

impl fmt::Display for NoSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "No seat of {}.", printable(&self.feature))?;
        if let Some(local) = &self.local {
            return write!(f, " {local}");
        }
        for trouble in &self.passes {
            write!(f, " {trouble}")?;
        }
        let mut next_steps: Vec<String> = Vec::new();
        for entry in &self.servers {
            write!(f, " {}", entry.trouble.what(&entry.server))?;
            let step = entry.trouble.what_to_do();
            if !step.is_empty() && !next_steps.contains(&step) {
                next_steps.push(step);
            }
        }
        if self.servers.is_empty() {
            write!(f, " {NO_SERVERS}")?;
        }
        next_steps.iter().try_for_each(|step| write!(f, " {step}"))
    }
}

impl std::error::Error for NoSeat {}

impl Serialize for NoSeat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("feature", &self.feature)?;
        map.serialize_entry("sentence", &self.to_string())?;
        map.serialize_entry("servers", &self.servers)?;
        if !self.passes.is_empty() {
            map.serialize_entry("passes", &self.passes)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(server: &str, trouble: Trouble) -> ServerTrouble {
        ServerTrouble { server: server.parse().unwrap(), trouble }
    }

    fn denied() -> Trouble {
        let json = r#"{"code":"NO_SEATS","title":"All seats of this feature that are here are in use.","status":409,"feature":"studio.gui","seats":1,"total":10,"in_use":10,
            "free":0,"free_in_s":130,"holders":[{"user":"a\u001b[2Jnn","host":"ws1","seats":1,"started_at":"2026-11-22T14:03:07Z"}]}"#;
        let denial = serde_json::from_str(json).unwrap();
        Trouble::Denied { code: DenialCode::NoSeats, denial: Some(Box::new(denial)) }
    }

    #[test]
    fn the_sentence_says_what_happened_where_why_and_what_to_do() {
        let down = Trouble::Unreachable { why: "connection refused".to_owned() };
        let servers = vec![at("a", down.clone()), at("b", denied())];
        let no_seat = NoSeat { feature: "studio.gui".to_owned(), servers, local: None, passes: Vec::new() };
        let text = no_seat.to_string();
        for part in [
            "No seat of studio.gui",
            "a:30304 cannot be reached",
            "that are here are in use. (10 of 10 in use)",
            "[NO_SEATS]",
            "3 minutes",
            "ask one of the holders",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.contains("[2Jnn on ws1") && !text.contains('\u{1b}'), "names cannot command the terminal");
        assert_eq!(no_seat.kind(), NoSeatKind::NoSeat);
        let json = serde_json::to_value(&no_seat).unwrap();
        assert_eq!(json["servers"][1]["code"], "NO_SEATS");
        assert_eq!(json["servers"][1]["denial"]["total"], 10);
    }

    #[test]
    fn who_is_kept_out_by_a_list_reads_which_one() {
        let json = r#"{"code":"NOT_ALLOWED","title":"The administrator of this license server does not let this user or this host have its seats.",
            "detail":"The host \"lobby\u001b[2J\" is on the list `deny_hosts` of this license server.","status":409,
            "feature":"studio.gui","seats":1,"total":1,"in_use":0,"free":1,"holders":[]}"#;
        let denial = Some(Box::new(serde_json::from_str(json).unwrap()));
        let what = Trouble::Denied { code: DenialCode::NotAllowed, denial }.what(&"a".parse().unwrap());
        assert!(what.contains("have its seats. The host \"lobby[2J\" is on the list `deny_hosts` of this"), "{what}");
    }

    #[test]
    fn asking_for_too_many_is_not_called_all_in_use() {
        let Trouble::Denied { denial: Some(denial), .. } = denied() else { unreachable!() };
        let what = |seats, free| no_seats(&DenialResponse { seats, free, ..(*denial).clone() });
        assert!(what(50, 4).starts_with("50 seats were asked for, and the server has 10 in all."));
        assert!(what(6, 1).starts_with("6 seats were asked for, and 1 of 10 is free."));
        assert!(!what(6, 1).contains("not shown"));
        let hidden = DenialResponse { holders: Vec::new(), borrowed: 1, ..(*denial).clone() };
        let hidden = no_seats(&hidden);
        assert!(
            hidden.contains("1 of those in use is borrowed.") && hidden.contains("Who holds them is not shown"),
            "{hidden}"
        );
        assert!(what(6, 4).starts_with("6 seats were asked for, and 4 of 10 are free."));
        // Where the portal can bring more, what it has counts.
        let online = |seats, total, free| {
            let numbers = DenialResponse { seats, total, free, in_use: total - free, ..(*denial).clone() };
            no_seats(&DenialResponse { account_total: Some(20), account_elsewhere: Some(16), ..numbers })
        };
        assert!(
            online(50, 4, 4).starts_with("50 seats were asked for, and the account has 20 in all, 16 of them at other")
        );
        for (seats, total, free) in [(50, 4, 4), (6, 4, 4), (2, 4, 0)] {
            let said = online(seats, total, free);
            assert_eq!(said.matches("at other license servers").count(), 1, "{said}");
        }
        assert!(online(6, 4, 4).starts_with("6 seats were asked for; 4 of 4 here are free, and 16 are at other"));
        // What is assigned and has yet to come is worth waiting for.
        let numbers = DenialResponse { seats: 3, total: 1, free: 1, in_use: 0, ..(*denial).clone() };
        let assigned = |pending| DenialResponse {
            account_total: Some(1),
            account_elsewhere: Some(0),
            account_pending: Some(pending),
            ..numbers.clone()
        };
        let said = no_seats(&assigned(2));
        assert!(
            said.starts_with("3 seats were asked for, and 1 of 1 is free. 2 more are assigned and have yet"),
            "{said}"
        );
        let said = no_seats(&assigned(1));
        assert!(said.starts_with("3 seats were asked for, and the account has 1 in all. 1 more is assigned"), "{said}");
        assert!(
            online(1, 0, 0).starts_with("All seats of this feature that are here are in use. (16 of 20 elsewhere)"),
            "{}",
            online(1, 0, 0)
        );
    }

    #[test]
    fn the_kind_is_the_best_that_happened() {
        let down = || at("a", Trouble::Unreachable { why: "x".to_owned() });
        let fake = || at("b", Trouble::Untrusted { why: "x".to_owned() });
        let kind = |servers| NoSeat { feature: "f".to_owned(), servers, local: None, passes: Vec::new() }.kind();
        assert_eq!(kind(vec![down()]), NoSeatKind::Unreachable);
        assert_eq!(kind(vec![down(), fake()]), NoSeatKind::NotTrusted);
        assert_eq!(kind(vec![fake(), at("c", denied())]), NoSeatKind::NoSeat);
        assert_eq!(NoSeat::local("f", "Wrong.").kind(), NoSeatKind::BadRequest);
    }
}
