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
    /// No commercial license of the organization runs.
    #[error("the organization has lapsed")]
    Lapsed,
    /// Who has come is not invited any more.
    #[error("has joined")]
    Joined {
        /// The account's address.
        email: String,
    },
    /// Whoever is invited has an account.
    #[error("has an account")]
    SignInToJoin {
        /// Its address.
        email: String,
    },
    /// An account owns one organization at most.
    #[error("owns an organization")]
    OwnsOne {
        /// The account's address.
        email: String,
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
            OrganizationFailure::Lapsed => Problem::new(
                409,
                "LAPSED",
                "Nobody new is invited while no commercial license of the organization runs.",
            )
            .detail("Everybody who is in it stays, with what they were given. Nothing was changed.")
            .next(
                "Renew a license, or buy one; then invitations go on by themselves.",
                "the owner of the organization",
            ),
            OrganizationFailure::Joined { email } => {
                Problem::new(409, "HAS_JOINED", "This person is in the organization already.")
                    .detail(format!("`{email}` has accepted the invitation."))
                    .next("Nothing needs to be done.", who::YOU)
            }
            OrganizationFailure::SignInToJoin { email } => {
                Problem::new(409, "HAS_ACCOUNT", "This address has an account.")
                    .detail(format!("The invitation is for `{email}`. Nothing was changed."))
                    .next("Sign in with it and accept the invitation there.", who::YOU)
            }
            OrganizationFailure::OwnsOne { email } => {
                Problem::new(409, "OWNS_ONE", "An account owns one organization at most.")
                    .detail(format!("`{email}` owns another one. Nothing was changed."))
                    .next("Pass it to somebody else, or pass the other one first.", who::YOU)
            }
            OrganizationFailure::OwnLicense => {
                Problem::new(409, "OWN_LICENSE", "A person's own license is not given to others.")
                    .detail("It does not belong to an organization. Nothing was changed.")
                    .next("Assign seats of a license of the organization.", who::YOU)
            }
        }
    }
}
