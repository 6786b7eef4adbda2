//! What people do about their own account: making it, its password and address, its sign-ins and tokens.

use super::schema;
use crate::time::Time;
use leasehold_core::access::TokenScope;
use leasehold_core::ids::{SessionId, TokenId};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Asks for an account. A letter goes to the address; the account is made when its link is followed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// Address to sign in with; case does not matter.
    pub email: String,
    /// Name of the person or organization, 1 to 200 characters.
    pub name: String,
    /// Password, 12 to 256 characters.
    pub password: String,
}

/// Makes the account that was asked for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmSignUp {
    /// What stands in the link.
    pub token: String,
    /// The password that was chosen: the link alone says only that the address is right.
    pub password: String,
}

/// Asks for a letter with which a forgotten password can be set anew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestReset {
    /// Address of the account.
    pub email: String,
}

/// Sets a forgotten password anew. All sign-ins of the account end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// What stands in the link.
    pub token: String,
    /// The new password, 12 to 256 characters.
    pub password: String,
}

/// Changes one's own account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOwnAccount {
    /// New name, 1 to 200 characters.
    pub name: String,
}

/// Asks for another address. A letter goes to both; the address changes when both were confirmed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmail {
    /// The new address; case does not matter.
    pub email: String,
    /// The password of the account.
    pub password: String,
}

/// Confirms a change of address, from one of the two.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmEmail {
    /// What stands in the link.
    pub token: String,
    /// The password of the account.
    pub password: String,
}

/// How far a change of address is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EmailChange {
    /// The new address.
    pub email: String,
    /// The address until now has confirmed it.
    pub confirmed_old: bool,
    /// The new address has confirmed it.
    pub confirmed_new: bool,
    /// Until when both must.
    pub expires_at: Time,
}

/// What a confirmation of a change of address came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EmailConfirmed {
    /// The address is changed; if not, the other one has yet to confirm.
    pub changed: bool,
    /// The new address.
    pub email: String,
}

/// A sign-in that runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Names it; it is not its token.
    #[schema(value_type = String)]
    pub id: SessionId,
    /// When.
    pub created_at: Time,
    /// Last use, to the minute.
    pub seen_at: Time,
    /// When it ends by itself.
    pub expires_at: Time,
    /// From which address.
    pub address: String,
    /// What the browser or program calls itself. Hostile text.
    pub agent: String,
    /// It is the one with which this was asked.
    pub current: bool,
}

/// The sign-ins of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// Newest first.
    pub items: Vec<SessionView>,
}

/// How many sign-ins were ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionsEnded {
    /// So many.
    pub ended: u64,
}

/// Makes a token with which a program acts for one's account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, 1 to 200 characters.
    pub name: String,
    /// What it may be used for, beside reading what the account may read.
    #[schema(schema_with = schema::token_scopes)]
    pub scopes: Vec<TokenScope>,
    /// It ends after so many days, 1 to 365.
    pub days: u32,
}

/// A token, without the secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    #[schema(schema_with = schema::token_scopes)]
    pub scopes: Vec<TokenScope>,
    /// When it was made.
    pub created_at: Time,
    /// When it ends.
    pub expires_at: Time,
    /// Last use, to the minute.
    pub used_at: Option<Time>,
}

/// A new token. The secret is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// Send it as `Authorization: Bearer TOKEN`.
    pub secret: String,
    /// The token.
    pub token: TokenView,
}

/// The tokens of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Those that have not ended, newest first.
    pub items: Vec<TokenView>,
}

macro_rules! hide_in_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            /// Without the secrets.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
hide_in_debug!(SignUp, ConfirmSignUp, ResetPassword, ChangeEmail, ConfirmEmail, CreatedToken);
