//! Organizations and their members.

use super::{AccountRef, Assigned};
use crate::time::Time;
use leasehold_core::ids::OrganizationId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An account's licenses with the people who use them. Its owner is its administrator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Organization {
    /// Its id.
    #[schema(value_type = String)]
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// The account that owns its licenses and administers it.
    pub owner: AccountRef,
    /// Since when it is one.
    pub created_at: Time,
}

/// A list of organizations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Organizations {
    /// The one that the caller owns, if any, then those of which they are a member.
    pub items: Vec<Organization>,
}

/// Somebody in an organization.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Who.
    pub account: AccountRef,
    /// Since when.
    pub added_at: Time,
    /// What is assigned to them.
    pub assigned: Vec<Assigned>,
}

/// Everybody in an organization.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Members {
    /// In the order in which they were added.
    pub items: Vec<Member>,
}

/// Adds somebody to an organization.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Address of an account that exists; case does not matter.
    pub email: String,
}
