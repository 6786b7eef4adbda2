//! Products and licenses.

use super::schema;
use super::{AccountRef, WorkstationStatus};
use crate::time::Time;
use jiff::civil::Date;
use leasehold_core::ids::{AccountId, LicenseId, OrganizationId, ProductId, WorkstationId};
use leasehold_core::license::{Channel, FeatureBundle, Kind, Mode, Share, Term};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that is sold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Product {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ProductId,
    /// Unique code such as `studio`.
    pub code: String,
    /// Name for people.
    pub name: String,
    /// Whether several processes of one user on one machine count as one seat.
    #[schema(schema_with = schema::share_words)]
    pub share: Share,
    /// What one seat holds.
    #[schema(schema_with = schema::bundle)]
    pub features: FeatureBundle,
    /// When it was made.
    pub created_at: Time,
    /// An online license server that does not reach the portal goes on for so many seconds, 3,600 to 2,592,000.
    pub online_term_s: u32,
    /// Seats may be borrowed, by a license server or by a machine, for so many days; 0 if not at all.
    pub borrow_days_max: u32,
    /// Seats that are returned early come free at the end of what they were borrowed for only.
    pub return_at_end: bool,
    /// Of each license, so many seats that were lost may be counted as free at once within a year. License servers older
    /// than 0.2 cannot read documents of a product with more than 0.
    pub write_offs: u32,
}

/// A product as it is named inside other things.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProductRef {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ProductId,
    /// Unique code.
    pub code: String,
    /// Name for people.
    pub name: String,
}

/// Creates a product.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    /// Unique code, 1 to 64 characters: lower-case letters, digits, `.`, `-`, `_`, starting with a letter.
    pub code: String,
    /// Name for people, 1 to 200 characters.
    pub name: String,
    /// Whether several processes of one user on one machine count as one seat.
    #[schema(schema_with = schema::share_words)]
    pub share: Share,
    /// What one seat holds; at least one feature. A feature code belongs to the vendor, not to the product.
    #[schema(schema_with = schema::bundle)]
    pub features: FeatureBundle,
    /// An online license server that does not reach the portal goes on for so many seconds, 3,600 to 2,592,000; 7 days if
    /// not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online_term_s: Option<u32>,
    /// Seats may be borrowed for so many days, 0 to 365; 0 forbids it. 14 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrow_days_max: Option<u32>,
    /// Seats that are returned early come free at the end of what they were borrowed for only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_at_end: Option<bool>,
    /// Of each license, so many seats that were lost may be counted as free at once within a year, 0 to 10,000. 0 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_offs: Option<u32>,
}

/// Changes a product. Documents that are already issued keep what they say.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeProduct {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New sharing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::share_words)]
    pub share: Option<Share>,
    /// New bundle, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::bundle)]
    pub features: Option<FeatureBundle>,
    /// New time for which online license servers go on without the portal, in seconds, 3,600 to 2,592,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online_term_s: Option<u32>,
    /// Seats may be borrowed for so many days, 0 to 365; 0 forbids it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrow_days_max: Option<u32>,
    /// Seats that are returned early come free at the end of what they were borrowed for only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_at_end: Option<bool>,
    /// Of each license, so many seats that were lost may be counted as free at once within a year, 0 to 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_offs: Option<u32>,
}

/// A purchase, with where its seats are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct License {
    /// Its id.
    #[schema(value_type = String)]
    pub id: LicenseId,
    /// The vendor's own mark for it, such as an order number; may be empty.
    pub label: String,
    /// Whose it is.
    pub owner: AccountRef,
    /// Of what.
    pub product: ProductRef,
    /// Seats bought.
    pub seats: u32,
    /// Floating or named.
    #[schema(schema_with = schema::kind_words)]
    pub kind: Kind,
    /// In which way it was given out.
    #[schema(schema_with = schema::channel_words)]
    pub channel: Channel,
    /// Until when it runs.
    #[schema(schema_with = schema::term)]
    pub term: Term,
    /// When it begins.
    pub starts_at: Time,
    /// When its term ends; absent for a perpetual one.
    pub ends_at: Option<Time>,
    /// When the vendor ended it early.
    pub ended_at: Option<Time>,
    /// When it was made.
    pub created_at: Time,
    /// Whether it has begun and has not ended.
    pub running: bool,
    /// Seats that workstations may be using.
    pub seats_out: u32,
    /// Seats that a workstation could still be given.
    pub seats_free: u32,
    /// Seats out beyond what is bought, after a reduction or an end.
    pub over_by: u32,
    /// Until when `over_by` may last, at most.
    pub over_until: Option<Time>,
    /// The organization that it belongs to; absent for a person's own.
    #[schema(value_type = Option<String>)]
    pub organization: Option<OrganizationId>,
    /// Seats assigned to people, in effect or not.
    pub seats_assigned: u32,
    /// Seats that float: neither assigned nor still at the servers of somebody to whom they were assigned.
    pub seats_floating: u32,
    /// Seats that were assigned and are still out elsewhere.
    pub seats_pending: u32,
    /// Until then nobody gets more seats than they have: the portal was restored and learns from the license servers what
    /// is out. Absent otherwise, and once an operator let the license be given out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_until: Option<Time>,
    /// To whom seats are assigned, the oldest first.
    pub assignments: Vec<Assignment>,
    /// Where the seats are.
    pub holders: Vec<Holder>,
}

/// Seats of a license that one account was given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// Of which license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// To whom.
    pub account: AccountRef,
    /// Seats that were given.
    pub seats: u32,
    /// Seats of these that are in effect; the rest waits until seats come back.
    pub active: u32,
    /// Whether they can be used: not before an invitation is accepted, nor while somebody is suspended. They are kept.
    pub usable: bool,
    /// When they were given: who was given first comes first.
    pub assigned_at: Time,
    /// Seats that the account's own license servers may be using.
    pub seats_out: u32,
}

/// Seats of an organization's license that were given to one account, as that account sees them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Assigned {
    /// Of which license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Of what.
    pub product: ProductRef,
    /// In which way the license was given out.
    #[schema(schema_with = schema::channel_words)]
    pub channel: Channel,
    /// By which organization.
    #[schema(value_type = String)]
    pub organization: OrganizationId,
    /// Its name.
    pub organization_name: String,
    /// Whether the license has begun and has not ended.
    pub running: bool,
    /// Its term.
    #[schema(schema_with = schema::term)]
    pub term: Term,
    /// When its term ends; absent for a perpetual one.
    pub ends_at: Option<Time>,
    /// Seats that were given.
    pub seats: u32,
    /// Seats of these that are in effect; the rest waits until seats come back.
    pub active: u32,
    /// Seats that the account's own license servers may be using.
    pub seats_out: u32,
    /// When they were given.
    pub assigned_at: Time,
}

/// What was given to an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssignedSeats {
    /// One for each license.
    pub items: Vec<Assigned>,
}

/// Gives an account seats of a license.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// Seats in all, 1 to the seats of the license.
    pub seats: u32,
}

/// A workstation that counts for a license.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Holder {
    /// Which workstation.
    #[schema(value_type = String)]
    pub workstation: WorkstationId,
    /// Its name; empty if it works for another person than the one who asks.
    pub name: String,
    /// Whether it may get new documents.
    pub status: WorkstationStatus,
    /// How it gets its documents.
    #[schema(schema_with = schema::mode_words)]
    pub mode: Mode,
    /// Seats that it may be using.
    pub seats: u32,
    /// Of these, seats that applications were using when it synced last, and all that it keeps for use without the portal;
    /// absent if it does not sync.
    pub used: Option<u32>,
    /// Whose it is, if it works for one person.
    pub person: Option<AccountRef>,
    /// When they are free at the latest (24 h after the end of the document that holds them).
    pub free_at: Time,
}

/// Sells a license.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLicense {
    /// Whose it is to be.
    #[schema(value_type = String)]
    pub owner: AccountId,
    /// Of what.
    #[schema(value_type = String)]
    pub product: ProductId,
    /// Seats, 1 to 1,000,000.
    pub seats: u32,
    /// Floating or named.
    #[schema(schema_with = schema::kind_words)]
    pub kind: Kind,
    /// In which way it is given out.
    #[schema(schema_with = schema::channel_words)]
    pub channel: Channel,
    /// Until when it runs.
    #[schema(schema_with = schema::term)]
    pub term: Term,
    /// First day; today if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::date)]
    pub starts_on: Option<Date>,
    /// The vendor's own mark for it, at most 200 characters.
    #[serde(default)]
    pub label: String,
    /// Whether it is for the owner's organization, whose administrators give its seats to people, or for the owner's own
    /// person. If not given: for the organization if it is commercial, which makes the owner one, or not for resale and
    /// there is one; else for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<bool>,
}

/// Changes how many seats a license has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSeats {
    /// Seats from now on, 1 to 1,000,000.
    pub seats: u32,
}
