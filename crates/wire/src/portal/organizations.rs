//! Organizations, their members, and invitations.

use super::{AccountRef, Assigned, schema};
use crate::time::Time;
use leasehold_core::access::{MemberState, OrganizationRole, PendingSeats};
use leasehold_core::ids::{AccountId, OrganizationId};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// An account's licenses with the people who use them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Organization {
    /// Its id.
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// The account that owns its licenses.
    pub owner: AccountRef,
    /// Since when it is one.
    pub created_at: Time,
    /// Whether a commercial license of it runs, or the vendor says that it is one. If not, everything in it stays as it is,
    /// and nobody new is invited.
    pub active: bool,
    /// Whether the vendor says that it is one, without a commercial license.
    pub confirmed: bool,
    /// What becomes of seats of somebody who was invited and has not come within 14 days.
    #[schema(schema_with = schema::pending_seats_words)]
    pub pending_seats: PendingSeats,
}

/// An organization in which somebody is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Membership {
    /// Which.
    #[serde(flatten)]
    pub organization: Organization,
    /// What they may do in it.
    #[schema(schema_with = schema::organization_role_words)]
    pub role: OrganizationRole,
}

/// A list of organizations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Organizations {
    /// The one that the caller owns, if any, then those of which they are a member.
    pub items: Vec<Membership>,
}

/// Changes how an organization is kept. What is not given stays.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOrganization {
    /// What becomes of seats of somebody who was invited and has not come within 14 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::pending_seats_words)]
    pub pending_seats: Option<PendingSeats>,
    /// Whether it is one without a commercial license. Operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<bool>,
}

/// Somebody in an organization.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Who; by the address alone until they have accepted an invitation.
    pub account: AccountRef,
    /// What they may do in it.
    #[schema(schema_with = schema::organization_role_words)]
    pub role: OrganizationRole,
    /// How far they are in it.
    #[schema(schema_with = schema::member_state_words)]
    pub state: MemberState,
    /// Since when, or since when they are invited.
    pub added_at: Time,
    /// Until when the link of the invitation is good, or when it ended; absent for whoever has come.
    pub invitation_ends_at: Option<Time>,
    /// What a mail server said that does not take the letter of the invitation; absent if none refused it.
    pub undelivered: Option<String>,
    /// What is assigned to them.
    pub assigned: Vec<Assigned>,
}

/// Everybody in an organization.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Members {
    /// In the order in which they were added.
    pub items: Vec<Member>,
}

/// Changes what somebody is in an organization. What is not given stays.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMember {
    /// What they may do from now on. Nobody is made the owner by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::member_role_words)]
    pub role: Option<OrganizationRole>,
    /// Whether they have nothing of the organization from now on, until they are reinstated. What was given to them is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
}

/// Invites somebody to an organization.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Their address, with an account or without; case does not matter.
    pub email: String,
    /// What they may do in it; `user` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::member_role_words)]
    pub role: Option<OrganizationRole>,
}

/// An invitation, as whoever is invited sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// To which organization.
    #[schema(value_type = String)]
    pub organization: OrganizationId,
    /// Its name.
    pub organization_name: String,
    /// What one may do in it.
    #[schema(schema_with = schema::organization_role_words)]
    pub role: OrganizationRole,
    /// The address that is invited.
    pub email: String,
    /// Until when it can be accepted.
    pub ends_at: Time,
    /// Whether the address has an account: it is accepted by signing in; else by making one.
    pub has_account: bool,
}

/// A list of invitations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invitations {
    /// Those that can be accepted.
    pub items: Vec<Invitation>,
}

/// Offers an organization to one of its people.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferOwnership {
    /// To whom.
    #[schema(value_type = String)]
    pub account: AccountId,
    /// Password of the one who owns it.
    pub password: String,
}

/// An organization that is offered to somebody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnershipOffer {
    /// Which.
    pub organization: Organization,
    /// Until when it can be accepted.
    pub ends_at: Time,
}

/// A list of offers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnershipOffers {
    /// Those that can be accepted.
    pub items: Vec<OwnershipOffer>,
}

impl fmt::Debug for OfferOwnership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfferOwnership").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Looks at an invitation by what stands in the link of its letter.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookAtInvitation {
    /// From the link.
    pub token: String,
}

/// Makes the account of whoever was invited, and accepts the invitation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// From the link.
    pub token: String,
    /// Name, 1 to 200 characters.
    pub name: String,
    /// 12 to 256 characters.
    pub password: String,
}

impl fmt::Debug for LookAtInvitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookAtInvitation")
    }
}

impl fmt::Debug for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("name", &self.name).finish_non_exhaustive()
    }
}
