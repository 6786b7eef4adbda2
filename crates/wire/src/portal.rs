//! What goes over the portal's REST API, in and out. The services answer with these types too, so that a page and the
//! API show the same thing; they hold no rule.
//!
//! Every type that comes in refuses unknown fields. Texts in answers are as people typed them: escape them when shown.

mod accounts;
mod devices;
mod licenses;
mod mails;
mod organizations;
mod overview;
mod own_account;
mod pins;
mod schema;
mod sync;
mod workstations;

pub use accounts::*;
pub use devices::*;
use leasehold_core::ids::AccountId;
pub use licenses::*;
pub use mails::*;
pub use organizations::*;
pub use overview::*;
pub use own_account::*;
pub use pins::*;
use serde::{Deserialize, Serialize};
pub use sync::*;
use utoipa::{IntoParams, ToSchema};
pub use workstations::*;

/// One page of a list, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The things on this page.
    pub items: Vec<T>,
    /// Give this as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most items on the page, 1 to 200; 50 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which page of the licenses or workstations of an account.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OwnedQuery {
    /// Only what belongs to this account. Operators see everybody's if it is not given; others only ever their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub owner: Option<AccountId>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most items on the page, 1 to 200; 50 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl OwnedQuery {
    /// The page without the owner.
    pub fn page(&self) -> PageQuery {
        PageQuery { after: self.after.clone(), limit: self.limit }
    }
}
