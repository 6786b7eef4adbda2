//! Settings and accounts, from the command line.

use super::{Local, LocalError};
use leasehold_wire::server::{
    AddAdministratorRequest, AdministratorView, AdministratorsResponse, SettingsRequest, SettingsResponse,
};
use ureq::http::Method;

/// Every setting; see [`crate::Server::settings`].
///
/// # Errors
/// See [`LocalError`].
pub fn settings(local: Local) -> Result<SettingsResponse, LocalError> {
    local.run(
        |running| running.json(Method::GET, "/v1/settings", "", b""),
        async |server, caller| server.settings(&caller).await,
    )
}

/// Changes settings. Of a running server some are on trial then; without one nobody can be locked out, and all hold.
///
/// # Errors
/// See [`LocalError`].
pub fn change_settings(local: Local, wish: &SettingsRequest) -> Result<SettingsResponse, LocalError> {
    local.run(
        |running| {
            let body = serde_json::to_vec(wish).map_err(|error| running.unreachable(&error))?;
            running.json(Method::PATCH, "/v1/settings", "application/json", &body)
        },
        async |server, caller| server.change_settings(&caller, wish.clone()).await,
    )
}

/// Keeps what is on trial.
///
/// # Errors
/// See [`LocalError`].
pub fn confirm_settings(local: Local) -> Result<SettingsResponse, LocalError> {
    local.run(
        |running| running.json(Method::POST, "/v1/settings/confirm", "", b""),
        async |server, caller| server.confirm_settings(&caller).await,
    )
}

/// Gives up what is on trial.
///
/// # Errors
/// See [`LocalError`].
pub fn take_back_settings(local: Local) -> Result<SettingsResponse, LocalError> {
    local.run(
        |running| running.json(Method::POST, "/v1/settings/take-back", "", b""),
        async |server, caller| server.take_back_settings(&caller).await,
    )
}

/// Every account of an administrator.
///
/// # Errors
/// See [`LocalError`].
pub fn administrators(local: Local) -> Result<Vec<AdministratorView>, LocalError> {
    local.run(
        |running| {
            let all: AdministratorsResponse = running.json(Method::GET, "/v1/administrators", "", b"")?;
            Ok(all.items)
        },
        async |server, caller| server.administrators(&caller).await,
    )
}

/// Adds an account.
///
/// # Errors
/// See [`LocalError`].
pub fn add_administrator(local: Local, wish: &AddAdministratorRequest) -> Result<(), LocalError> {
    local.run(
        |running| {
            let body = serde_json::to_vec(wish).map_err(|error| running.unreachable(&error))?;
            running.call(Method::POST, "/v1/administrators", "application/json", &body).map(drop)
        },
        async |server, caller| server.add_administrator(&caller, wish.clone()).await,
    )
}

/// Removes an account.
///
/// # Errors
/// See [`LocalError`].
pub fn remove_administrator(local: Local, name: &str) -> Result<(), LocalError> {
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
    local.run(
        |running| running.call(Method::DELETE, &format!("/v1/administrators/{encoded}"), "", b"").map(drop),
        async |server, caller| server.remove_administrator(&caller, name).await,
    )
}

/// A support bundle, as a tar file; see [`crate::Server::support_bundle`]. The log is only there where a server runs.
///
/// # Errors
/// See [`LocalError`].
pub fn support_bundle(local: Local, names: bool) -> Result<Vec<u8>, LocalError> {
    local.run(
        |running| running.call(Method::GET, &format!("/v1/support-bundle?names={names}"), "", b""),
        async |server, caller| server.support_bundle(&caller, names).await,
    )
}
