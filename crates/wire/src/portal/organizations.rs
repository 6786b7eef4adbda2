//! Organizations and their members.

use super::{AccountRef, Assigned, schema};
use crate::time::Time;
use leasehold_core::access::OrganizationRole;
use leasehold_core::ids::OrganizationId;
use serde::{Deserialize, Serialize};
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

/// Somebody in an organization.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Who.
    pub account: AccountRef,
    /// What they may do in it.
    #[schema(schema_with = schema::organization_role_words)]
    pub role: OrganizationRole,
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

/// Says what somebody may do in an organization.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMember {
    /// From now on. Nobody is made the owner by it.
    #[schema(schema_with = schema::member_role_words)]
    pub role: OrganizationRole,
}

/// Adds somebody to an organization.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Address of an account that exists; case does not matter.
    pub email: String,
}
