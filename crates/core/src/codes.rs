//! The stable codes that a customer can meet when taking or holding a seat, each with a sentence, what to do, and who
//! can do it. Values, not errors.

use crate::license::words;
use crate::site::SiteLimit;

words! {
    /// Why no seat was given.
    DenialCode {
        /// Every seat is out.
        NoSeats = "NO_SEATS",
        /// No license on this server carries the feature.
        FeatureUnknown = "FEATURE_UNKNOWN",
        /// The application was released after the maintenance of every license ended.
        VersionTooNew = "VERSION_TOO_NEW",
        /// What this server held of the feature has run out.
        Expired = "EXPIRED",
        /// The seats belong to the person at the server's own machine.
        Reserved = "RESERVED",
        /// The server's data was moved to another machine, and the time to mend it has passed.
        HostMismatch = "HOST_MISMATCH",
        /// The server's clock went backwards; it waits until seats given before that have run out.
        ClockSuspect = "CLOCK_SUSPECT",
        /// The server was restored from a backup; it waits until seats given after that have run out.
        Restored = "RESTORED",
        /// The server holds no grant.
        NotActivated = "NOT_ACTIVATED",
        /// The server is being disabled.
        Draining = "DRAINING",
        /// The server has just started and asks the portal what it may give.
        Pending = "PENDING",
        /// Another server runs with the same key.
        Forked = "FORKED",
        /// The server was revoked at the portal.
        Revoked = "REVOKED",
        /// Seats of the feature cannot be borrowed.
        BorrowDenied = "BORROW_DENIED",
        /// Not for so long.
        BorrowTooLong = "BORROW_TOO_LONG",
        /// The pass was returned, has ended, or was declared lost.
        PassOver = "PASS_OVER",
        /// An administrator took a seat back from this user at this host, who is to wait a while.
        Withdrawn = "WITHDRAWN",
        /// A list of this server's administrator keeps this user or host from seats.
        NotAllowed = "NOT_ALLOWED",
        /// As many seats are borrowed as this server's administrator lends at once.
        BorrowLimit = "BORROW_LIMIT",
    }
}

words! {
    /// What may become of a lease.
    LeaseEnd {
        /// The server does not know it: it ran out, or was returned.
        LeaseGone = "LEASE_GONE",
        /// Somebody else used it with the same secret.
        LeaseCopied = "LEASE_COPIED",
        /// The right it stood on was taken away; it runs out and is not renewed.
        Withdrawn = "WITHDRAWN",
        /// Returned by its holder.
        Released = "RELEASED",
    }
}

impl DenialCode {
    /// Only a borrow is refused so.
    pub fn is_about_borrowing(self) -> bool {
        use DenialCode::{BorrowDenied, BorrowLimit, BorrowTooLong, PassOver};
        matches!(self, BorrowDenied | BorrowTooLong | BorrowLimit | PassOver)
    }
}

/// What a person reads about a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// What happened and why, as a sentence.
    pub what: &'static str,
    /// What to do next.
    pub what_to_do: &'static str,
    /// Who can do it.
    pub who: &'static str,
}

const ADMINISTRATOR: &str = "the administrator of the license server";
const USER: &str = "you";
const VENDOR: &str = "the administrator, with the software's vendor";

impl DenialCode {
    /// What a person reads about it.
    pub fn explain(self) -> Explanation {
        let (what, what_to_do, who) = match self {
            DenialCode::NoSeats => (
                "All seats of this feature are in use.",
                "Wait until somebody closes the application, ask one of the holders, or get more seats.",
                ADMINISTRATOR,
            ),
            DenialCode::FeatureUnknown => (
                "No license on this license server contains this feature.",
                "Check that the application asks the right server, and that the license was put on it.",
                ADMINISTRATOR,
            ),
            DenialCode::VersionTooNew => (
                "The maintenance of the license does not cover this version of the application: it was released later, or does not say when.",
                "Use an older version, renew the maintenance, or have the application say when it was released (`--released-on`).",
                VENDOR,
            ),
            DenialCode::Expired => (
                "The license for this feature has run out on this license server.",
                "Renew the workstation at the portal and upload the new .crt file to the license server.",
                ADMINISTRATOR,
            ),
            DenialCode::Reserved => (
                "These seats are assigned to the person who works at the license server's own machine.",
                "Start the application there, or ask for seats that float.",
                ADMINISTRATOR,
            ),
            DenialCode::HostMismatch => (
                "The license server was moved to another machine more than 7 days ago, so it gives no new seats.",
                "Renew the workstation at the portal with a new request file of this license server, and upload the new .crt file here.",
                ADMINISTRATOR,
            ),
            DenialCode::ClockSuspect => (
                "The clock of the license server's machine was behind, so it gives no new seats for a few minutes: seats given before may still be in use.",
                "Try again in eight minutes. The clock of that machine has to be set right, if nobody did yet.",
                ADMINISTRATOR,
            ),
            DenialCode::Restored => (
                "The license server was just restored from a backup, and seats given since that was made may still be in use. Applications that run keep theirs.",
                "Wait for the time that is told, eight minutes at most, and try again.",
                USER,
            ),
            DenialCode::NotActivated => (
                "The license server has not been activated.",
                "Activate it: ONLINE LICENSING, Enable or Activate offline, on the license server's page.",
                ADMINISTRATOR,
            ),
            DenialCode::Draining => (
                "The license server is being disabled and gives no new seats.",
                "Use another license server. This one gives seats again when it is disabled and was activated anew after that.",
                ADMINISTRATOR,
            ),
            DenialCode::Pending => (
                "The license server has just started and waits for the portal's answer.",
                "Try again in ten seconds.",
                USER,
            ),
            DenialCode::Revoked => (
                "The license server was revoked at the portal, so it gives no new seats.",
                "Use another license server. If this one should serve again: disable it on its page, then enable it anew.",
                ADMINISTRATOR,
            ),
            DenialCode::BorrowDenied => (
                "Seats of this feature cannot be borrowed from this license server.",
                "Work where the license server is in reach, or ask the vendor to allow borrowing.",
                VENDOR,
            ),
            DenialCode::BorrowTooLong => (
                "Seats of this feature cannot be borrowed for so long.",
                "Ask for fewer days; the pass can be extended whenever the license server is in reach.",
                USER,
            ),
            DenialCode::PassOver => (
                "This pass is over: it was returned, has ended, or was declared lost.",
                "Borrow again: that makes a new pass.",
                USER,
            ),
            DenialCode::Withdrawn => (
                "An administrator of the license server took your seat back, and you get no other for a while.",
                "Try again when the time is over. The administrator can let you have one before: Denials on the license server's page, or `leasehold server lift`.",
                ADMINISTRATOR,
            ),
            DenialCode::NotAllowed => (
                "The administrator of this license server does not let this user or this host have its seats.",
                "Ask the administrator: the lists are in Settings, Who gets seats, on the license server's page.",
                ADMINISTRATOR,
            ),
            DenialCode::BorrowLimit => (
                "As many seats of this feature are borrowed as the administrator of this license server lends at once.",
                "Wait until somebody returns a pass, or ask the administrator for more: Settings, Borrowing, on the license server's page.",
                ADMINISTRATOR,
            ),
            DenialCode::Forked => (
                "Another license server runs with the same key, so this one gives no new seats.",
                "Stop the copy that should not run. If both should: disable this one, which ends its copy of the key only, and enable it again.",
                ADMINISTRATOR,
            ),
        };
        Explanation { what, what_to_do, who }
    }

    /// NO_SEATS where some are free, and more were asked for.
    pub fn explain_too_few() -> Explanation {
        Explanation {
            what: "Fewer seats of this feature are free than were asked for.",
            ..DenialCode::NoSeats.explain()
        }
    }

    /// NO_SEATS where more were asked for than there are, in use or not.
    pub fn explain_too_many() -> Explanation {
        Explanation {
            what: "More seats of this feature were asked for than there are.",
            what_to_do: "Ask for fewer seats, or get more.",
            who: ADMINISTRATOR,
        }
    }

    /// NO_SEATS of a restored server that holds what machines may have borrowed after the backup was made.
    pub fn explain_held() -> Explanation {
        Explanation {
            what: "No seat of this feature is free: the license server was restored from a backup, and holds seats that laptops may have borrowed since.",
            what_to_do: "Ask the administrator to free what no laptop has: Borrowed by machines, Free all of them, on the license server's page, or `leasehold server not-out`.",
            who: ADMINISTRATOR,
        }
    }

    /// A pass is not extended: the seats behind it are not the license server's any more.
    pub fn explain_taken_off() -> Explanation {
        Explanation {
            what: "The seats behind the pass are not this license server's any more: they were taken back at the portal, or its license was renewed without them.",
            what_to_do: "The pass is good until its end. To have it for longer, ask whoever assigns the seats at the portal.",
            who: ADMINISTRATOR,
        }
    }

    /// NO_SEATS of a server by file that has given its seats back.
    pub fn explain_none_here() -> Explanation {
        Explanation {
            what: "This license server has no seat of this feature any more: they were given back.",
            what_to_do: "Ask another license server, or load an activation file with seats of it.",
            who: ADMINISTRATOR,
        }
    }

    /// The same where the license server is kept up to date by the portal: nobody carries files to it.
    pub fn explain_online(self) -> Explanation {
        let by_file = self.explain();
        let what_to_do = match self {
            DenialCode::FeatureUnknown => {
                "Check that the application asks the right server, and that the server's account at the portal has a license with this feature, or was assigned a seat of one."
            }
            DenialCode::Expired => {
                "Renew the license at the portal. If it runs on there, the license server does not reach the portal: ONLINE LICENSING, Test connection, on its page says why."
            }
            DenialCode::HostMismatch => {
                "The next answer of the portal mends it: press Refresh on the license server's page; ONLINE LICENSING, Test connection, says why there is none."
            }
            _ => by_file.what_to_do,
        };
        Explanation { what_to_do, ..by_file }
    }
}

/// What an account has of a feature, as the portal said it to one of its license servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountSeats {
    /// Seats that license servers of the account may have together.
    pub seats: u32,
    /// Of these, at other license servers.
    pub elsewhere: u32,
    /// Of these, at servers that do not give them back for the asking: served by file, revoked, or not heard of.
    pub bound: u32,
    /// Seats that are assigned to the server's person and have yet to come.
    pub pending: u32,
    /// Seats beside these that are assigned to people, for license servers of their own.
    pub for_people: u32,
    /// There is a license for named people, of which this server, which works for everybody, can have no seats.
    pub named: bool,
    /// The portal was reached when it was asked last.
    pub reached: bool,
}

impl AccountSeats {
    /// What a person reads who asked for a feature of a license for named people at a server that works for everybody.
    pub(crate) fn explain_named() -> Explanation {
        Explanation {
            what: "The license with this feature is for named people, and this license server serves everybody.",
            what_to_do: "Have a seat assigned to you at the portal, and use a license server on your own machine that is enabled for yourself (\"for me\").",
            who: "the administrator of the organization",
        }
    }

    /// What a person reads who got no seat of the `here` seats of a server.
    pub fn explain(&self, here: u32) -> Explanation {
        let (what, what_to_do) = match () {
            () if !self.reached && here == 0 => (
                "No seat of this feature is on this license server, and the portal, which has more, is not reached.",
                "ONLINE LICENSING, Test connection, on the license server's page says why the portal is not reached.",
            ),
            () if !self.reached => (
                "All seats of this feature that are on this license server are in use, and the portal cannot be asked for more.",
                "Wait until somebody closes the application. ONLINE LICENSING, Test connection, on the license server's page says why the portal is not reached.",
            ),
            () if here == 0 && self.pending > 0 => (
                "The seats that are assigned to you are not here yet: mostly, others still use them.",
                "They come by themselves. The administrator of the organization sees at the portal who has them, or what else they wait for.",
            ),
            () if self.pending > 0 => (
                "All seats of this feature that are here are in use. More are assigned to you and not here yet: mostly, others still use them.",
                "They come by themselves. The administrator of the organization sees at the portal who has them, or what else they wait for.",
            ),
            () if here == 0 && self.elsewhere < self.seats => (
                "No seat of this feature is on this license server, and none has come from the portal.",
                "Try again in ten seconds. If it stays so, the page of the license at the portal says who holds its seats, and whether the portal may give any.",
            ),
            () if here == 0 && self.bound >= self.elsewhere && self.bound > 0 => (
                "All seats of this feature are at license servers that do not give them back by themselves: served by file, revoked, or not heard of.",
                "The page of the license at the portal says which these are and when their seats are free. Or get more seats.",
            ),
            () if here == 0 => (
                "All seats of this feature are in use at other license servers of the account.",
                "Wait until somebody there closes the application: seats that nobody uses come within seconds. Or get more seats.",
            ),
            () => return DenialCode::NoSeats.explain(),
        };
        Explanation { what, what_to_do, who: ADMINISTRATOR }
    }
}

/// What a person reads whose seat an administrator took back.
pub fn explain_taken_back() -> Explanation {
    Explanation {
        what: "An administrator of the license server took this seat back.",
        what_to_do: "Save your work and close the application: the seat is given to somebody else.",
        who: USER,
    }
}

impl SiteLimit {
    /// What a person reads who may borrow less than the vendor would allow.
    pub(crate) fn explain(self) -> Explanation {
        let (what, what_to_do) = match self {
            SiteLimit::BorrowDays(0) => (
                "The administrator of this license server lends no seats to machines that go away.",
                "Work where the license server is in reach, or ask the administrator: Settings, Borrowing, on its page.",
            ),
            SiteLimit::BorrowDays(_) => (
                "The administrator of this license server does not lend seats for so long.",
                "Ask for fewer days, or ask the administrator for more: Settings, Borrowing, on the license server's page.",
            ),
            SiteLimit::BorrowSeats(_) => return DenialCode::BorrowLimit.explain(),
        };
        Explanation { what, what_to_do, who: ADMINISTRATOR }
    }
}

impl LeaseEnd {
    /// What a person reads about it.
    pub fn explain(self) -> Explanation {
        let (what, what_to_do, who) = match self {
            LeaseEnd::LeaseGone => {
                ("The license server no longer knows this seat: it ran out or was returned.", "Check out again.", USER)
            }
            LeaseEnd::LeaseCopied => (
                "Another process renewed this seat with the same secret.",
                "Close the copy (a cloned machine or container) and check out again.",
                USER,
            ),
            LeaseEnd::Withdrawn => (
                "The license behind this seat was taken away or reduced; the seat is not renewed.",
                "Save your work; then ask for another seat.",
                ADMINISTRATOR,
            ),
            LeaseEnd::Released => ("The seat was returned.", "Nothing.", USER),
        };
        Explanation { what, what_to_do, who }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_explains_itself_in_whole_sentences() {
        let denials = DenialCode::ALL.iter().flat_map(|code| [code.explain(), code.explain_online()]);
        let accounts = [(0, 9, true), (9, 9, true), (5, 9, true), (0, 9, false), (0, 3, true)].map(
            |(pending, elsewhere, reached)| AccountSeats {
                seats: 9,
                elsewhere,
                bound: pending,
                pending,
                for_people: 0,
                named: true,
                reached,
            },
        );
        let no_seats = accounts.iter().flat_map(|account| [account.explain(0), account.explain(3)]);
        let limits = [SiteLimit::BorrowDays(0), SiteLimit::BorrowDays(3), SiteLimit::BorrowSeats(2)];
        let no_seats = no_seats.chain([AccountSeats::explain_named()]).chain(limits.map(SiteLimit::explain));
        for text in denials.chain(no_seats).chain(LeaseEnd::ALL.iter().map(|code| code.explain())) {
            assert!(text.what.ends_with('.') && text.what_to_do.ends_with('.') && !text.who.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn nobody_is_sent_for_a_file_where_the_portal_keeps_the_server_up_to_date() {
        for code in DenialCode::ALL {
            assert!(!code.explain_online().what_to_do.contains(".crt"), "{code:?}");
        }
    }
}
