//! Who may do what: one table for each service, asked by every use case before it does anything.
//!
//! Knows no sessions, tokens or SQL: whoever calls has found out who is asking.

use crate::ids::AccountId;
use crate::license::words;

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
    /// Read one's own account, what organizations one is in and what they gave.
    ReadOwnAccount,
    /// Sign out, change one's own name, password, address, sign-ins and tokens. Never by a token.
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
    /// See who is in an organization, and what each of them was given.
    ReadOrganization,
    /// Give seats of an organization to its people, and take them back.
    ManageSeats,
    /// Invite people to an organization, suspend and remove them.
    ManagePeople,
    /// Say who in an organization may do what.
    ManageRoles,
    /// Read the audit log of everybody.
    ReadAudit,
    /// Letters that the portal sends or could not send, with what is in them.
    ManageMail,
    /// Settings of the portal itself.
    ManagePortal,
}

words! {
    /// What a token may be used for, beside reading whatever its account may read.
    TokenScope {
        /// Nothing but reading.
        Read = "read",
        /// Activate, renew and give up workstations.
        Workstations = "workstations",
        /// Members of one's organization and their seats.
        Organization = "organization",
        /// Everything that operators do.
        Vendor = "vendor",
    }
}

/// Which scope a token needs for `action`; `None` if no token is enough: for what would outlive or widen it.
pub fn scope_for(action: PortalAction) -> Option<TokenScope> {
    use PortalAction as A;
    match action {
        A::UseOwnAccount => None,
        A::ReadOwnAccount | A::ReadCatalog | A::ReadOwned | A::ReadOrganization | A::ReadAudit => {
            Some(TokenScope::Read)
        }
        A::ManageWorkstation => Some(TokenScope::Workstations),
        A::ManageSeats | A::ManagePeople | A::ManageRoles => Some(TokenScope::Organization),
        A::ManageCatalog | A::ManageAccounts | A::ManageLicenses | A::ManageMail | A::ManagePortal => {
            Some(TokenScope::Vendor)
        }
    }
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

words! {
    /// What somebody is in an organization. Everything that roles differ in is in [`role_may`].
    OrganizationRole {
        /// Has bought its licenses. One; it is so by that, and not by being told.
        Owner = "owner",
        /// People, roles, seats and license servers.
        Administrator = "administrator",
        /// Seats and license servers.
        LicenseManager = "license_manager",
        /// Sees everything and changes nothing.
        Viewer = "viewer",
        /// Uses the seats that they were given.
        User = "user",
    }
}

words! {
    /// How far somebody is in an organization.
    MemberState {
        /// Was asked, and has not said yes: seats are kept for them, and nothing else is theirs.
        Invited = "invited",
        /// Has what was given to them.
        Active = "active",
        /// Has nothing of the organization for now; what was given to them is kept.
        Suspended = "suspended",
    }
}

words! {
    /// What becomes of seats that somebody was given who was invited and has not come within the time of the invitation.
    PendingSeats {
        /// They are kept until somebody takes them back.
        Hold = "hold",
        /// They are taken back.
        Free = "free",
    }
}

/// Whether somebody in an organization may do what is asked about its things: the table in `docs/ROLES.md`.
pub fn role_may(role: OrganizationRole, action: PortalAction) -> bool {
    use OrganizationRole as R;
    use PortalAction as A;
    match action {
        A::ReadOwned | A::ReadOrganization => role != R::User,
        A::ManageWorkstation | A::ManageSeats => matches!(role, R::Owner | R::Administrator | R::LicenseManager),
        A::ManagePeople | A::ManageRoles => matches!(role, R::Owner | R::Administrator),
        _ => false,
    }
}

/// What of an organization can be done by some role, in the order of the table.
pub const ROLE_ACTIONS: &[(PortalAction, &str)] = &[
    (PortalAction::ReadOwned, "See its licenses, license servers and the seats that they hold"),
    (PortalAction::ReadOrganization, "See its people and what each of them was given"),
    (PortalAction::ManageWorkstation, "Activate, renew, recall from, declare lost and give up its license servers"),
    (PortalAction::ManageSeats, "Assign seats to people and take them back"),
    (PortalAction::ManagePeople, "Invite, suspend and remove people"),
    (PortalAction::ManageRoles, "Say who is administrator, license manager, viewer or user"),
];

/// Whose a thing is, as whoever asks stands to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// It is nobody's in particular.
    Nobodys,
    /// Their own.
    Own,
    /// An organization's in which they have a role.
    Organizations(OrganizationRole),
    /// Somebody else's.
    Others,
}

/// Whether `actor` may do `action` with a thing.
pub fn portal_may(actor: PortalActor, action: PortalAction, whose: Whose) -> Verdict {
    use PortalAction as A;
    match (actor, action) {
        (PortalActor::Nobody, _) => Verdict::SignIn,
        (PortalActor::Operator(_), _) | (_, A::ReadOwnAccount | A::UseOwnAccount | A::ReadCatalog) => Verdict::Allowed,
        (
            PortalActor::Account(_),
            A::ReadOwned
            | A::ReadOrganization
            | A::ManageWorkstation
            | A::ManageSeats
            | A::ManagePeople
            | A::ManageRoles,
        ) => match whose {
            Whose::Own => Verdict::Allowed,
            Whose::Organizations(role) if role_may(role, action) => Verdict::Allowed,
            // Who sees it is told that it is not theirs to change.
            Whose::Organizations(role) if role_may(role, A::ReadOwned) => Verdict::Forbidden,
            _ => Verdict::NotFound,
        },
        (
            PortalActor::Account(_),
            A::ManageCatalog | A::ManageAccounts | A::ManageLicenses | A::ReadAudit | A::ManageMail | A::ManagePortal,
        ) => Verdict::Forbidden,
    }
}

words! {
    /// What an account of a license server's administrators may do.
    AdministratorKind {
        /// Everything.
        Administrator = "administrator",
        /// See everything and change nothing.
        ReadOnly = "read_only",
    }
}

/// Who asks something of a license server. (Holders of a lease show its secret instead; see `PROTOCOL.md` section 7.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerActor {
    /// Anyone who can reach the port.
    Anyone,
    /// Signed in to look, over loopback or TLS.
    ReadOnly,
    /// Signed in as an administrator of this server, over loopback or TLS.
    Administrator,
}

impl From<AdministratorKind> for ServerActor {
    fn from(kind: AdministratorKind) -> ServerActor {
        match kind {
            AdministratorKind::Administrator => ServerActor::Administrator,
            AdministratorKind::ReadOnly => ServerActor::ReadOnly,
        }
    }
}

/// What is asked of a license server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerAction {
    /// See features with their totals, without who holds what.
    ReadTotals,
    /// See who holds what now.
    ReadHolders,
    /// See who used what: log, figures, denials.
    ReadUsage,
    /// See settings, accounts, sessions, backups, the audit log.
    Inspect,
    /// Sign out, change one's own password, end one's own sign-ins.
    UseOwnAccount,
    /// Request, import, disable, release; settings; accounts; backup.
    Administer,
}

/// What everybody who reaches a license server may see without signing in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Openness {
    /// Features with their totals.
    pub totals: bool,
    /// Who holds what now.
    pub holders: bool,
    /// Who used what.
    pub usage: bool,
}

/// Whether `actor` may do `action`; `open` is what the administrators let everybody see.
pub fn server_may(actor: ServerActor, action: ServerAction, open: Openness) -> Verdict {
    use ServerAction as A;
    match (actor, action) {
        (ServerActor::Administrator, _) => Verdict::Allowed,
        (ServerActor::ReadOnly, A::Administer) => Verdict::Forbidden,
        (ServerActor::ReadOnly, _) => Verdict::Allowed,
        (ServerActor::Anyone, A::ReadTotals) if open.totals => Verdict::Allowed,
        (ServerActor::Anyone, A::ReadHolders) if open.holders => Verdict::Allowed,
        (ServerActor::Anyone, A::ReadUsage) if open.usage => Verdict::Allowed,
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
        let actor = PortalActor::Account(AccountId::draw(Ms(1), &mut Seeded::new(1)));
        assert_eq!(portal_may(actor, PortalAction::ManageWorkstation, Whose::Own), Verdict::Allowed);
        assert_eq!(portal_may(actor, PortalAction::ManageWorkstation, Whose::Others), Verdict::NotFound);
        assert_eq!(portal_may(actor, PortalAction::ReadOwned, Whose::Nobodys), Verdict::NotFound);
        assert_eq!(portal_may(actor, PortalAction::ManageLicenses, Whose::Own), Verdict::Forbidden);
        assert_eq!(portal_may(PortalActor::Nobody, PortalAction::ReadCatalog, Whose::Nobodys), Verdict::SignIn);
    }

    #[test]
    fn a_role_may_what_the_table_says_and_sees_what_it_may_not_change() {
        use OrganizationRole as R;
        use PortalAction as A;
        use Verdict::{Allowed, Forbidden, NotFound};
        let actor = PortalActor::Account(AccountId::draw(Ms(1), &mut Seeded::new(1)));
        for (action, administrator, manager, viewer) in [
            (A::ReadOwned, Allowed, Allowed, Allowed),
            (A::ReadOrganization, Allowed, Allowed, Allowed),
            (A::ManageWorkstation, Allowed, Allowed, Forbidden),
            (A::ManageSeats, Allowed, Allowed, Forbidden),
            (A::ManagePeople, Allowed, Forbidden, Forbidden),
            (A::ManageRoles, Allowed, Forbidden, Forbidden),
            (A::ManageLicenses, Forbidden, Forbidden, Forbidden),
        ] {
            let may = |role| portal_may(actor, action, Whose::Organizations(role));
            assert_eq!(may(R::Owner), may(R::Administrator), "{action:?}");
            assert_eq!(
                (may(R::Administrator), may(R::LicenseManager), may(R::Viewer)),
                (administrator, manager, viewer)
            );
            let user = if action == A::ManageLicenses { Forbidden } else { NotFound };
            assert_eq!(may(R::User), user, "{action:?}");
            assert_eq!(portal_may(PortalActor::Nobody, action, Whose::Organizations(R::Owner)), Verdict::SignIn);
        }
        let listed: Vec<A> = ROLE_ACTIONS.iter().map(|(action, _)| *action).collect();
        assert!(listed.iter().all(|action| role_may(R::Owner, *action)));
    }

    #[test]
    fn each_kind_may_what_the_table_says() {
        use ServerAction as A;
        use Verdict::{Allowed, Forbidden, SignIn};
        let closed = Openness { totals: false, holders: false, usage: false };
        let open = Openness { totals: true, holders: true, usage: true };
        for (action, anyone, anyone_open, read_only) in [
            (A::ReadTotals, SignIn, Allowed, Allowed),
            (A::ReadHolders, SignIn, Allowed, Allowed),
            (A::ReadUsage, SignIn, Allowed, Allowed),
            (A::Inspect, SignIn, SignIn, Allowed),
            (A::UseOwnAccount, SignIn, SignIn, Allowed),
            (A::Administer, SignIn, SignIn, Forbidden),
        ] {
            assert_eq!(server_may(ServerActor::Anyone, action, closed), anyone, "{action:?}");
            assert_eq!(server_may(ServerActor::Anyone, action, open), anyone_open, "{action:?}");
            assert_eq!(server_may(ServerActor::ReadOnly, action, closed), read_only, "{action:?}");
            assert_eq!(server_may(ServerActor::Administrator, action, closed), Allowed, "{action:?}");
        }
        let holders = Openness { holders: true, ..closed };
        assert_eq!(server_may(ServerActor::Anyone, A::ReadHolders, holders), Allowed);
        assert_eq!(server_may(ServerActor::Anyone, A::ReadUsage, holders), SignIn);
    }
}
