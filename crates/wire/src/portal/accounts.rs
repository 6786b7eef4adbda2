//! Accounts, sign-ins and the audit log.

use crate::time::Time;
use leasehold_core::ids::{AccountId, AuditId};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::{IntoParams, ToSchema};

/// What an account may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Somebody of a customer: sees and activates what the account owns.
    #[default]
    Customer,
    /// Somebody of the vendor: sells, and sees everything.
    Operator,
}

impl Role {
    /// The word used in the API, in tables and on pages.
    pub fn word(self) -> &'static str {
        match self {
            Role::Customer => "customer",
            Role::Operator => "operator",
        }
    }

    /// The role of a word.
    pub fn from_word(word: &str) -> Option<Role> {
        [Role::Customer, Role::Operator].into_iter().find(|role| role.word() == word)
    }
}

/// A person who signs in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Its id.
    #[schema(value_type = String)]
    pub id: AccountId,
    /// The customer number: what people say on the telephone. Unique, and never given again; 0 from a portal of before.
    #[serde(default)]
    pub customer_number: u64,
    /// Lower case; unique.
    pub email: String,
    /// Name of the person or organization.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Time,
    /// Last sign-in.
    pub signed_in_at: Option<Time>,
}

/// Which accounts.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountQuery {
    /// Only those with this in their name, address or customer number; case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Items on the page, 1 to 200; 50 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// An account as it is named inside other things.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountRef {
    /// Its id.
    #[schema(value_type = String)]
    pub id: AccountId,
    /// Its name; empty if the portal was restored from a backup that is older than the account.
    pub name: String,
    /// Its address; empty in the same case.
    pub email: String,
}

/// Creates an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Address to sign in with; case does not matter.
    pub email: String,
    /// Name of the person or organization, 1 to 200 characters.
    pub name: String,
    /// First password, 12 to 256 characters.
    pub password: String,
    /// What it may do; a customer if not given.
    #[serde(default)]
    pub role: Role,
}

/// Changes one's own password. All other sign-ins of the account end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password until now.
    pub current: String,
    /// The new one, 12 to 256 characters.
    pub new: String,
}

/// Signs in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Address of the account.
    pub email: String,
    /// Its password.
    pub password: String,
}

/// A sign-in that worked. The token is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// Send it as `Authorization: Bearer TOKEN`.
    pub token: String,
    /// When it ends, however much it is used.
    pub expires_at: Time,
    /// Who is signed in.
    pub account: Account,
}

macro_rules! hide_in_debug {
    ($($name:ident: $shown:ident),*) => {$(
        impl fmt::Debug for $name {
            /// Without the secrets.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field(stringify!($shown), &self.$shown).finish_non_exhaustive()
            }
        }
    )*};
}
hide_in_debug!(NewAccount: email, SignIn: email, SignedIn: expires_at);

impl fmt::Debug for ChangePassword {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChangePassword")
    }
}

/// One deed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id.
    #[schema(value_type = String)]
    pub id: AuditId,
    /// When.
    pub at: Time,
    /// Who; absent for the portal itself.
    pub actor: Option<AccountRef>,
    /// What was done, such as `license.create`.
    pub action: String,
    /// To what: an id; may be empty.
    pub subject: String,
    /// More about it.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
    /// Address that the request came from; empty for the command line.
    pub address: String,
}
