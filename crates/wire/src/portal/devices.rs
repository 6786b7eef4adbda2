//! Programs without a browser that are to act for somebody: the messages of RFC 8628, and what is shown to whoever decides.

use super::schema;
use crate::time::Time;
use leasehold_core::access::TokenScope;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What stands in `grant_type` (RFC 8628, 3.4).
pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A program asks to act for somebody (RFC 8628, 3.1). A form.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceRequest {
    /// What the program calls itself, 1 to 200 characters: shown to whoever decides. Clients are not registered.
    pub client_id: String,
    /// What it wants to do, scopes of tokens with blanks between them; it may read in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// What the program shows, and asks with (RFC 8628, 3.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceCode {
    /// The program's own secret, with which it asks for its token.
    pub device_code: String,
    /// What somebody types, such as `BCDF-GHJK`.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it, for a link or a picture.
    pub verification_uri_complete: String,
    /// Seconds for which the code is good.
    pub expires_in: i64,
    /// Seconds between two questions of the program.
    pub interval: u32,
}

/// The program asks whether it may (RFC 8628, 3.4). A form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceTokenRequest {
    /// `urn:ietf:params:oauth:grant-type:device_code`
    pub grant_type: String,
    /// Its secret.
    pub device_code: String,
    /// What it calls itself; not compared with anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// A token, given once (RFC 6749, 5.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceToken {
    /// To be sent as `Authorization: Bearer`.
    pub access_token: String,
    /// `Bearer`
    pub token_type: String,
    /// Seconds for which it is good.
    pub expires_in: i64,
    /// What it may be used for, with blanks between.
    pub scope: String,
}

/// Why a program is given nothing (RFC 6749, 5.2; RFC 8628, 3.5).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OAuthError {
    /// `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_grant`, `invalid_request`,
    /// `invalid_scope`, `unsupported_grant_type` or `temporarily_unavailable`.
    pub error: String,
    /// The same in words.
    pub error_description: String,
}

/// A program that waits to be allowed something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct WaitingDevice {
    /// The code that it shows.
    pub code: String,
    /// What it calls itself. Hostile text.
    pub client: String,
    /// What it wants to do.
    #[schema(schema_with = schema::token_scopes)]
    pub scopes: Vec<TokenScope>,
    /// The address from which it asked.
    pub address: String,
    /// When it asked.
    pub asked_at: Time,
    /// When it is too late.
    pub expires_at: Time,
}

/// Allows a program what it wants, or refuses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideDevice {
    /// Whether it may.
    pub allow: bool,
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCode").field("verification_uri", &self.verification_uri).finish_non_exhaustive()
    }
}

impl fmt::Debug for DeviceTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceTokenRequest").field("grant_type", &self.grant_type).finish_non_exhaustive()
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceToken").field("scope", &self.scope).finish_non_exhaustive()
    }
}
