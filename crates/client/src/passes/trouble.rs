//! Why a pass cannot be used, borrowed or given back: codes and the sentences that a person reads.

use crate::trouble::{NO_SERVERS, ServerTrouble, printable};
use leasehold_core::ids::PassId;
use leasehold_core::text::{is_or_are, span};
use leasehold_core::time::{Ms, SECOND_MS};
use leasehold_host::FileError;
use leasehold_trust::FileProblem;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::fmt;

/// Why a pass that lies on this machine cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PassTrouble {
    /// It was made for another machine: copied, or the machine was made anew.
    OtherMachine {
        /// Of what.
        feature: String,
        /// Name of that machine. Hostile text.
        host: String,
    },
    /// This machine's clock was set back.
    ClockSetBack {
        /// Of what.
        feature: String,
        /// By how many milliseconds.
        behind_ms: i64,
    },
    /// It has ended.
    Ended {
        /// Of what.
        feature: String,
        /// When.
        until: Ms,
    },
    /// It was given back.
    Returning {
        /// Of what.
        feature: String,
        /// It would have ended then.
        until: Ms,
    },
    /// Other processes of this machine use its seats.
    InUse {
        /// Of what.
        feature: String,
        /// How many there are.
        seats: u32,
        /// How many are used.
        in_use: u32,
    },
    /// The application was released after the maintenance of the license behind it ended.
    TooNew {
        /// Of what.
        feature: String,
    },
    /// The file is damaged, or not from the trusted vendor.
    Damaged {
        /// Of what it should be.
        feature: String,
        /// Why, as a sentence.
        why: String,
    },
}

impl PassTrouble {
    /// Stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            PassTrouble::OtherMachine { .. } => "HOST_MISMATCH",
            PassTrouble::ClockSetBack { .. } => "CLOCK_SUSPECT",
            PassTrouble::Ended { .. } => "PASS_ENDED",
            PassTrouble::Returning { .. } => "PASS_RETURNED",
            PassTrouble::InUse { .. } => "PASS_IN_USE",
            PassTrouble::TooNew { .. } => "VERSION_TOO_NEW",
            PassTrouble::Damaged { .. } => "PASS_DAMAGED",
        }
    }

    /// Of what the pass is.
    pub fn feature(&self) -> &str {
        match self {
            PassTrouble::OtherMachine { feature, .. }
            | PassTrouble::ClockSetBack { feature, .. }
            | PassTrouble::Ended { feature, .. }
            | PassTrouble::Returning { feature, .. }
            | PassTrouble::InUse { feature, .. }
            | PassTrouble::TooNew { feature }
            | PassTrouble::Damaged { feature, .. } => feature,
        }
    }
}

impl fmt::Display for PassTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            PassTrouble::OtherMachine { feature, host } => format!(
                "The pass of {feature} on this machine was made for another machine, \"{host}\" (HOST_MISMATCH): borrow on this \
                 one; a pass of a machine that is gone is declared lost by the administrator of the license server."
            ),
            PassTrouble::ClockSetBack { feature, behind_ms } => format!(
                "The pass of {feature} cannot be used while this machine's clock is {} behind what it was (CLOCK_SUSPECT): \
                 set it right. If it is right, and was ahead when the pass was used: borrow again where the license server is in reach, \
                 which gives this one back first.",
                span(behind_ms / SECOND_MS)
            ),
            PassTrouble::Ended { feature, until } => {
                format!(
                    "The pass of {feature} ended at {}: borrow again where the license server is in reach.",
                    until.rfc3339()
                )
            }
            PassTrouble::Returning { feature, .. } => {
                format!("The pass of {feature} was given back, so it cannot be used any more: borrow again.")
            }
            PassTrouble::InUse { feature, seats: 1, .. } => {
                format!("The one seat of the pass of {feature} is used by another process of this machine.")
            }
            PassTrouble::InUse { feature, seats, in_use } => {
                let are = is_or_are(u64::from(*in_use));
                format!(
                    "{in_use} of the {seats} seats of the pass of {feature} {are} used by other processes of this machine."
                )
            }
            PassTrouble::TooNew { feature } => format!(
                "The pass of {feature} does not serve this version of the application, which was released after the \
                 maintenance of the license ended, or does not say when."
            ),
            PassTrouble::Damaged { feature, why } => {
                format!("The pass of {feature} on this machine cannot be used: {why}")
            }
        };
        f.write_str(&printable(&text))
    }
}

impl Serialize for PassTrouble {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", self.code())?;
        map.serialize_entry("feature", self.feature())?;
        map.serialize_entry("sentence", &self.to_string())?;
        map.end()
    }
}

/// Why nothing was borrowed, extended or given back.
#[derive(Debug)]
pub enum PassFailure {
    /// The request itself is wrong; nobody was asked. A sentence.
    BadRequest(String),
    /// No folder for passes is known: the user has no home.
    NoFolder,
    /// Another process borrows or returns at this moment.
    Busy,
    /// The machine's disk.
    Disk(FileError),
    /// A pass file that cannot be taken.
    File(FileProblem),
    /// A pass of this machine that cannot be used.
    Trouble(PassTrouble),
    /// This machine's clock and the license server's are more than a day apart: a pass could not be used.
    Clock {
        /// How far this one is behind, in milliseconds; negative if it is ahead.
        behind_ms: i64,
    },
    /// The pass was asked for with a key that this machine does not have: by another user, or before the pass was given
    /// back.
    OtherKey,
    /// This machine has no such pass.
    NoPass,
    /// It has several.
    Several(Vec<PassId>),
    /// Processes of this machine use it.
    InUse {
        /// Of what.
        feature: String,
        /// How many seats are used.
        in_use: u32,
    },
    /// The license server that lent it cannot be reached.
    LenderAway {
        /// Its name. Hostile text.
        lender: String,
        /// What happened at each server that was asked.
        servers: Vec<ServerTrouble>,
    },
    /// The pass that there is, is not extended: its license server counts it as lost, or as given back. Nor was another
    /// borrowed.
    NoOther {
        /// Of what the pass is.
        feature: String,
        /// Until when it can be used.
        until: Ms,
        /// What each license server said who was asked for another, in order.
        servers: Vec<ServerTrouble>,
    },
    /// What each license server said, in the order in which they were asked.
    Servers(Vec<ServerTrouble>),
}

/// `text`, what each license server said, and each thing to do once.
fn told(mut text: String, servers: &[ServerTrouble]) -> String {
    let mut steps: Vec<String> = Vec::new();
    for entry in servers {
        text.push(' ');
        text.push_str(&entry.trouble.what(&entry.server));
        let step = entry.trouble.what_to_do();
        if !step.is_empty() && !steps.contains(&step) {
            steps.push(step);
        }
    }
    for step in steps {
        text.push(' ');
        text.push_str(&step);
    }
    text
}

impl fmt::Display for PassFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            PassFailure::BadRequest(sentence) => sentence.clone(),
            PassFailure::NoFolder => {
                "There is no folder for passes: this user has no home folder. Name one in LEASEHOLD_PASSES.".to_owned()
            }
            PassFailure::Busy => "Another process borrows or returns at this moment. Try again.".to_owned(),
            PassFailure::Disk(error) => format!("{error}."),
            PassFailure::File(problem) => format!("{} {}", problem.what(), problem.what_to_do()),
            PassFailure::Trouble(trouble) => trouble.to_string(),
            PassFailure::Clock { behind_ms } => format!(
                "This machine's clock is {} {} the license server's (CLOCK_SUSPECT): a pass could not be used, so nothing was \
                 borrowed or given back. Set it right and borrow again. If it is right, the license server's is wrong: tell its \
                 administrator.",
                span(behind_ms.abs() / SECOND_MS),
                if *behind_ms > 0 { "behind" } else { "ahead of" }
            ),
            PassFailure::OtherKey => {
                "The pass was not asked for with a key of this user on this machine, so it cannot be \
                 used or given back here: another user asked for it, or it was given back before."
                    .to_owned()
            }
            PassFailure::NoPass => "This user has no such pass on this machine; nothing was given back.".to_owned(),
            PassFailure::Several(passes) => {
                let names: Vec<String> = passes.iter().map(PassId::to_string).collect();
                format!("There are several passes: {}. Name one of them.", names.join(", "))
            }
            PassFailure::InUse { feature, in_use } => {
                let who = if *in_use == 1 { "a process uses" } else { "processes use" };
                let are = is_or_are(u64::from(*in_use));
                format!(
                    "The pass of {feature} is not given back while {who} it: {in_use} of its seats {are} in use. Close the application first."
                )
            }
            PassFailure::LenderAway { lender, servers } => {
                let mut text = format!(
                    "The license server \"{lender}\", which lent the pass, cannot be reached, so nothing was changed. Try again \
                     where it is in reach; to give the pass back by hand: leasehold return --receipt FILE."
                );
                for entry in servers {
                    text.push(' ');
                    text.push_str(&entry.trouble.what(&entry.server));
                }
                text
            }
            PassFailure::Servers(servers) => {
                let mut text = "Nothing was borrowed or given back.".to_owned();
                if servers.is_empty() {
                    text.push(' ');
                    text.push_str(NO_SERVERS);
                }
                told(text, servers)
            }
            PassFailure::NoOther { feature, until, servers } => told(
                format!(
                    "The pass of {feature} is not extended: the license server counts it as declared lost, or as given back. It can \
                     be used until {}. Another was not borrowed. If no seat is free for one, give this one back (`leasehold return`) \
                     and borrow again.",
                    until.rfc3339()
                ),
                servers,
            ),
        };
        f.write_str(&printable(&text))
    }
}

impl std::error::Error for PassFailure {}
