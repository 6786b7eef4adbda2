//! What can stand in the way of organizations and the people in them.

use leasehold_web::problem::{Problem, who};

/// Why something about an organization did not happen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OrganizationFailure {
    /// Seats of an organization's license go to its members.
    #[error("no member")]
    NotMember {
        /// The account's address.
        email: String,
    },
    /// A member who has seats cannot be removed.
    #[error("a member with seats")]
    HasSeats {
        /// The account's address.
        email: String,
        /// Seats assigned to it.
        seats: u32,
    },
    /// The license is for its owner's own person.
    #[error("a person's own license")]
    OwnLicense,
}

impl OrganizationFailure {
    pub(super) fn problem(&self) -> Problem {
        match self {
            OrganizationFailure::NotMember { email } => {
                Problem::new(409, "NOT_A_MEMBER", "Seats can be given to members of the organization only.")
                    .detail(format!("{email} is not a member."))
                    .next("Add them to the organization first.", who::YOU)
            }
            OrganizationFailure::HasSeats { email, seats } => {
                Problem::new(409, "HAS_SEATS", "Somebody who has seats cannot be removed.")
                    .detail(match seats {
                        1 => format!("1 seat is assigned to `{email}`."),
                        _ => format!("{seats} seats are assigned to `{email}`."),
                    })
                    .next("Take the seats back on the pages of their licenses, then remove the person.", who::YOU)
            }
            OrganizationFailure::OwnLicense => {
                Problem::new(409, "OWN_LICENSE", "A person's own license is not given to others.")
                    .detail("It does not belong to an organization. Nothing was changed.")
                    .next("Assign seats of a license of the organization.", who::YOU)
            }
        }
    }
}
