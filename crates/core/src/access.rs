//! Who may do what: one table for each service, asked by every use case before it does anything.
//!
//! Knows no sessions, tokens or SQL: whoever calls has found out who is asking.

use crate::ids::AccountId;

/// Who asks something of the portal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortalActor {
    /// Not signed in.
    Nobody,
    /// A customer's account.
    Account(AccountId),
    /// Somebody of the vendor.
    Operator(AccountId),
}

impl PortalActor {
    /// The signed-in account, whichever kind.
    pub fn account(self) -> Option<AccountId> {
        match self {
            PortalActor::Nobody => None,
            PortalActor::Account(id) | PortalActor::Operator(id) => Some(id),
        }
    }
}

/// What is asked of the portal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortalAction {
    /// Read one's own account, sign out.
    UseOwnAccount,
    /// See products and their features.
    ReadCatalog,
    /// Create and change products.
    ManageCatalog,
    /// Create accounts and read all of them.
    ManageAccounts,
    /// Sell, change and end licenses.
    ManageLicenses,
    /// See a license or a workstation of an owner.
    ReadOwned,
    /// Activate, renew or revoke a workstation of an owner.
    ManageWorkstation,
    /// Members of an owner's organization, and who of them has which seats.
    ManageOrganization,
    /// Read the audit log of everybody.
    ReadAudit,
}

/// The answer to [`portal_may`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Go on.
    Allowed,
    /// Sign in first (401).
    SignIn,
    /// Known, and not allowed (403).
    Forbidden,
    /// Somebody else's: as if it did not exist (404).
    NotFound,
}

/// Whether `actor` may do `action`; `owner` is whose thing it is, where it is somebody's.
pub fn portal_may(actor: PortalActor, action: PortalAction, owner: Option<AccountId>) -> Verdict {
    use PortalAction as A;
    match (actor, action) {
        (PortalActor::Nobody, _) => Verdict::SignIn,
        (PortalActor::Operator(_), _) | (_, A::UseOwnAccount | A::ReadCatalog) => Verdict::Allowed,
        (PortalActor::Account(id), A::ReadOwned | A::ManageWorkstation | A::ManageOrganization) => match owner {
            Some(owner) if owner == id => Verdict::Allowed,
            _ => Verdict::NotFound,
        },
        (PortalActor::Account(_), A::ManageCatalog | A::ManageAccounts | A::ManageLicenses | A::ReadAudit) => {
            Verdict::Forbidden
        }
    }
}

/// Who asks something of a license server. (Holders of a lease show its secret instead; see `PROTOCOL.md` section 7.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerActor {
    /// Anyone who can reach the port.
    Anyone,
    /// Signed in as the administrator of this server, over loopback or TLS.
    Administrator,
}

/// What is asked of a license server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerAction {
    /// See features with their totals, without who holds what.
    ReadTotals,
    /// See who holds what.
    ReadUsage,
    /// Request, import, disable; settings; backup; audit log.
    Administer,
}

/// Whether `actor` may do `action`; `usage_open` is the administrator's setting that lets everybody see who uses what.
pub fn server_may(actor: ServerActor, action: ServerAction, usage_open: bool) -> Verdict {
    match (actor, action) {
        (ServerActor::Administrator, _) | (_, ServerAction::ReadTotals) => Verdict::Allowed,
        (ServerActor::Anyone, ServerAction::ReadUsage) if usage_open => Verdict::Allowed,
        (ServerActor::Anyone, _) => Verdict::SignIn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;
    use crate::time::Ms;

    #[test]
    fn a_foreign_thing_does_not_exist() {
        let mut random = Seeded::new(1);
        let (own, other) = (AccountId::draw(Ms(1), &mut random), AccountId::draw(Ms(1), &mut random));
        let actor = PortalActor::Account(own);
        assert_eq!(portal_may(actor, PortalAction::ManageWorkstation, Some(own)), Verdict::Allowed);
        assert_eq!(portal_may(actor, PortalAction::ManageWorkstation, Some(other)), Verdict::NotFound);
        assert_eq!(portal_may(actor, PortalAction::ReadOwned, None), Verdict::NotFound);
        assert_eq!(portal_may(actor, PortalAction::ManageLicenses, Some(own)), Verdict::Forbidden);
        assert_eq!(portal_may(PortalActor::Nobody, PortalAction::ReadCatalog, None), Verdict::SignIn);
    }

    #[test]
    fn who_uses_what_is_closed_until_the_administrator_opens_it() {
        assert_eq!(server_may(ServerActor::Anyone, ServerAction::ReadUsage, false), Verdict::SignIn);
        assert_eq!(server_may(ServerActor::Anyone, ServerAction::ReadUsage, true), Verdict::Allowed);
        assert_eq!(server_may(ServerActor::Anyone, ServerAction::Administer, true), Verdict::SignIn);
    }
}
