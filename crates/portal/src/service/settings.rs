//! Settings of the portal that operators change while it runs.

use super::{Caller, allow};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{audit, state};
use leasehold_core::access::PortalAction;
use leasehold_wire::portal::{ChangePortalSettings, PortalSettings};
use serde_json::json;

/// The settings. Operators.
pub fn get(portal: &Portal, caller: &Caller) -> Result<PortalSettings, Failure> {
    allow(caller, PortalAction::ManagePortal, None)?;
    let sends_mail = portal.mailer().is_some();
    portal.db().read(move |tx| Ok(PortalSettings { sign_up_open: state::sign_up_open(tx)?, sends_mail }))
}

/// Changes them. Operators.
pub fn change(portal: &Portal, caller: &Caller, wish: ChangePortalSettings) -> Result<PortalSettings, Failure> {
    allow(caller, PortalAction::ManagePortal, None)?;
    let (stamp, sends_mail) = (portal.stamp(caller), portal.mailer().is_some());
    portal.db().write(move |tx| {
        if state::sign_up_open(tx)? != wish.sign_up_open {
            state::set_sign_up_open(tx, wish.sign_up_open)?;
            let detail = json!({ "sign_up_open": wish.sign_up_open });
            audit::insert(tx, &stamp, "portal.settings", "", &detail)?;
        }
        Ok(PortalSettings { sign_up_open: wish.sign_up_open, sends_mail })
    })
}

/// Whether anyone may make an account: what the page of the sign-in offers.
pub fn sign_up_open(portal: &Portal) -> Result<bool, Failure> {
    Ok(portal.db().read(state::sign_up_open)?)
}
