//! Enabling online licensing on a license server: by an account that is signed in, or by a token for machines without a
//! screen; and how such a server gives up by itself.

use super::activation::{Arrival, arrive, check_learned, new_workstation, read};
use super::idempotency::Once;
use super::issue::Desk;
use super::sync::Look;
use super::{Caller, IdempotencyKey, allow, sync, workstations as views};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{accounts, audit, state, workstations};
use leasehold_core::access::{PortalAction, role_may};
use leasehold_core::ids::AccountId;
use leasehold_core::license::{Mode, Scope};
use leasehold_core::text;
use leasehold_core::time::DAY_MS;
use leasehold_trust::activation_file::build_activation_file;
use leasehold_trust::request::ActivationRequest;
use leasehold_trust::secret::sha256_hex;
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{Enable, EnableToken, Enabled, NewEnableToken, Released};
use leasehold_wire::time::Time;
use serde_json::json;
use std::net::IpAddr;

/// A token that enables a server is good for this long, in milliseconds.
const TOKEN_MS: i64 = DAY_MS;

/// Whose a license server is that the caller enables: the organization's for which they act, or which is theirs, or the only
/// one for which they may; or their own.
fn owner(caller: &Caller, scope: Scope) -> Result<AccountId, Failure> {
    let own = caller.id()?;
    let owner = match scope {
        Scope::Person => own,
        Scope::Organization if caller.organization().is_some() => caller.on_behalf_of(None)?,
        Scope::Organization => {
            let mut others = caller.organizations().filter(|one| role_may(one.role, PortalAction::ManageWorkstation));
            match (others.next(), others.next()) {
                (Some(only), None) => only.owner,
                (Some(_), Some(_)) => {
                    let several = "is not clear, as you look after several organizations: at the portal switch to one, and \
                                   make a token there (Workstations, Enable without a screen)";
                    return Err(Failure::invalid("scope", several));
                }
                (None, _) => own,
            }
        }
    };
    allow(caller, PortalAction::ManageWorkstation, Some(owner))?;
    Ok(owner)
}

/// Enables a license server for the caller: for their organization, or for themselves.
pub fn enable(
    portal: &Portal,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    wish: &Enable,
) -> Result<Enabled, Failure> {
    let owner = owner(caller, wish.scope)?;
    enable_for(portal, caller, key, owner, wish, None)
}

/// Makes a token that enables one license server for the caller.
pub fn new_token(portal: &Portal, caller: &Caller, wish: NewEnableToken) -> Result<EnableToken, Failure> {
    let owner = owner(caller, wish.scope)?;
    let stamp = portal.stamp(caller);
    let token = portal.draw(|random| SessionToken::draw(random));
    let (hash, expires_at) = (token.hash(), stamp.now.plus(TOKEN_MS));
    portal.db().write(move |tx| {
        sync::check_scope(tx, owner, wish.scope)?;
        state::add_enable_token(tx, &hash, owner, wish.scope, stamp.now, expires_at)?;
        let detail = json!({ "scope": wish.scope });
        Ok::<_, Failure>(audit::insert(tx, &stamp, "enable_token.create", &owner.to_string(), &detail)?)
    })?;
    Ok(EnableToken { token: token.text(), expires_at: Time(expires_at), scope: wish.scope })
}

/// Enables a license server with a token. For whom was decided when the token was made.
pub fn enable_with_token(
    portal: &Portal,
    address: IpAddr,
    token: &str,
    request: &str,
    name: Option<&str>,
) -> Result<Enabled, Failure> {
    let hash = SessionToken::parse(token).ok_or(Failure::EnableToken)?.hash();
    let (wanted, now) = (hash.clone(), portal.now());
    let known = portal.db().read(move |tx| Ok::<_, Failure>(state::enable_token(tx, &wanted, now)?))?;
    let (owner, scope) = known.ok_or(Failure::EnableToken)?;
    let wish = Enable { request: request.to_owned(), scope, name: name.map(str::to_owned) };
    enable_for(portal, &Caller::nobody(address), None, owner, &wish, Some(hash))
}

fn enable_for(
    portal: &Portal,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    owner: AccountId,
    wish: &Enable,
    token: Option<String>,
) -> Result<Enabled, Failure> {
    if let Some(name) = &wish.name {
        text::name(name).map_err(|why| Failure::invalid("name", why))?;
    }
    let request = read(portal, wish.request.as_bytes())?;
    let mut desk = Desk::new(portal, caller)?;
    if token.is_some() {
        // Whoever made the token wanted this.
        desk.stamp.actor = Some(owner);
    }
    let by_token = token.is_some();
    let what = (sha256_hex(wish.request.as_bytes()), &wish.name, wish.scope, owner);
    let once = Once::new(caller, key, "workstation.enable", &what, desk.stamp.now)?;
    let mut new = new_workstation(portal, owner, &request, wish.name.as_deref(), desk.stamp.now);
    (new.mode, new.scope) = (Mode::Online, wish.scope);
    let (scope, name) = (wish.scope, wish.name.clone());
    let enabled = portal.db().write(move |tx| {
        once.run(tx, |tx| {
            accounts::get(tx, owner)?.ok_or(Failure::NotFound)?;
            sync::check_scope(tx, owner, scope)?;
            if let Some(hash) = &token
                && !state::use_enable_token(tx, hash, &new.id.to_string(), desk.stamp.now)?
            {
                return Err(Failure::EnableToken);
            }
            enable_in(tx, &desk, &new, &request, (scope, name.as_deref(), by_token))
        })
    })?;
    crate::grants_log::hand_out(portal, enabled.workstation.id)?;
    Ok(enabled)
}

fn enable_in(
    tx: &mut leasehold_db::Tx<'_>,
    desk: &Desk,
    new: &workstations::WorkstationRow,
    request: &ActivationRequest,
    (scope, name, by_token): (Scope, Option<&str>, bool),
) -> Result<Enabled, Failure> {
    let licenses = sync::lock_licenses(tx, new, &Look::all(), desk.stamp.now)?;
    check_learned(tx, request, &licenses, desk.stamp.now)?;
    let Arrival { mut workstation, is_new, moved, said } = arrive(tx, desk, new, request, name)?;
    (workstation.row.mode, workstation.row.scope) = (Mode::Online, scope);
    let (document, _) = desk.enable(tx, &mut workstation, licenses, request.facts.request)?;
    let activation_file = build_activation_file(&desk.signer, &workstation.row.certificate, &document.token)
        .map_err(|too_many| Failure::TooManyLines(too_many.to_string()))?;
    let seats = document.lines.iter().fold(0_u32, |sum, stored| sum.saturating_add(stored.line.seats));
    let detail = json!({
        "name": workstation.row.name, "scope": scope, "rev": document.rev, "seats": seats,
        "request": request.facts.request, "renewed": !is_new, "other_machine": moved.then_some(true),
        "alarm": said.alarm(), "token": by_token.then_some(true),
    });
    audit::insert(tx, &desk.stamp, "workstation.enable", &workstation.row.id.to_string(), &detail)?;
    Ok(Enabled { workstation: views::view(tx, &workstation, desk.stamp.now)?, activation_file })
}

/// Takes the receipt of a license server that was disabled and brings it by itself: it is signed by the key that it ends.
pub fn take_receipt(portal: &Portal, address: IpAddr, file: &[u8]) -> Result<Released, Failure> {
    super::receipts::take_receipt_of(portal, &Caller::nobody(address), None, file)
}
