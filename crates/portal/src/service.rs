//! The use cases. One public function is one use case: authorize, load, decide, write, audit, commit, in one
//! transaction. They block; see [`crate::Portal::run`].
//!
//! Both fronts call these and hold no rule of their own.

pub mod accounts;
pub mod activation;
pub mod assignments;
pub mod audit;
pub mod devices;
pub mod enable;
pub mod health;
mod idempotency;
pub mod invitations;
mod issue;
mod letters;
pub mod licenses;
pub mod losses;
pub mod members;
pub mod organizations;
pub mod outbox;
pub mod overview;
pub mod own_account;
pub mod ownership;
pub mod pins;
mod pools;
pub mod products;
pub mod receipts;
pub(crate) mod restore;
pub mod sessions;
pub mod settings;
pub mod sign_up;
pub mod sync;
pub mod workstations;

pub use idempotency::IdempotencyKey;

use crate::failure::{AccountFailure, Failure};
use crate::store::Keyset;
use crate::store::licenses::LicenseRow;
use crate::store::organizations::Standing;
use crate::store::workstations::WorkstationRow;
use leasehold_core::access::{
    OrganizationRole, PortalAction, PortalActor, TokenScope, Verdict, Whose, portal_may, role_may, scope_for,
};
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::license::Scope;
use leasehold_core::text;
use leasehold_wire::portal::{Account, Page, PageQuery, Role};
use std::net::IpAddr;

/// Items on a page if nobody says.
const PAGE_ITEMS: u32 = 50;
/// Most items on a page.
const PAGE_ITEMS_MAX: u32 = 200;

/// Who is asking, and from where.
#[derive(Clone, Debug)]
pub struct Caller {
    account: Option<Account>,
    /// Hash of the token with which they came.
    session: Option<String>,
    address: Option<IpAddr>,
    /// What the account is in organizations, its own first.
    standings: Vec<Standing>,
    /// The organization for which they act, if it is not their own things.
    acts_for: Option<OrganizationId>,
    /// Came with a token, which may be used for these; `None` for whoever signed in.
    scopes: Option<Vec<TokenScope>>,
}

impl Caller {
    /// Somebody who is not signed in.
    pub fn nobody(address: IpAddr) -> Caller {
        Caller { address: Some(address), ..Caller::command_line() }
    }

    /// The command line on the portal's own machine. It has no account and so no rights in the use cases below; it does
    /// what needs none, such as making the first operator.
    pub fn command_line() -> Caller {
        let (standings, acts_for) = (Vec::new(), None);
        Caller { account: None, session: None, address: None, standings, acts_for, scopes: None }
    }

    pub(crate) fn signed_in(account: Account, session: String, address: IpAddr) -> Caller {
        Caller { account: Some(account), session: Some(session), ..Caller::nobody(address) }
    }

    pub(crate) fn by_token(account: Account, scopes: Vec<TokenScope>, address: IpAddr) -> Caller {
        Caller { account: Some(account), scopes: Some(scopes), ..Caller::nobody(address) }
    }

    /// With what the account is in organizations. It acts for one only while it has a role in it.
    pub(crate) fn in_organizations(self, standings: Vec<Standing>, acts_for: Option<OrganizationId>) -> Caller {
        let mut caller = Caller { standings, ..self };
        caller.acts_for = acts_for.filter(|organization| caller.may_act_for(*organization));
        caller
    }

    /// The account that is signed in.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// The organization that the account owns.
    pub fn administers(&self) -> Option<OrganizationId> {
        self.standings.iter().find(|one| one.role == OrganizationRole::Owner).map(|one| one.organization)
    }

    /// The organization whose people and licenses they see: the one for which they act, else their own.
    pub fn organization(&self) -> Option<&Standing> {
        let id = self.acts_for.or_else(|| self.administers())?;
        self.standings.iter().find(|one| one.organization == id)
    }

    /// The organizations for which they can act, their own first.
    pub fn organizations(&self) -> impl Iterator<Item = &Standing> {
        self.standings.iter().filter(|one| role_may(one.role, PortalAction::ReadOrganization))
    }

    /// Whether they act for an organization that is not theirs.
    pub fn acts_for(&self) -> Option<&Standing> {
        let id = self.acts_for?;
        self.standings.iter().find(|one| one.organization == id)
    }

    /// Whether they may do `action` with things of an account.
    pub fn may(&self, action: PortalAction, owner: AccountId) -> bool {
        portal_may(self.actor(), action, self.whose(Some(owner))) == Verdict::Allowed
    }

    /// Whose things they see: their own, or those of the organization for which they act. `None`: nobody is signed in.
    pub fn sees(&self) -> Option<AccountId> {
        self.acts_for().map(|one| one.owner).or(self.actor().account())
    }

    fn may_act_for(&self, organization: OrganizationId) -> bool {
        let not_own = |one: &&Standing| one.role != OrganizationRole::Owner;
        self.organizations().filter(not_own).any(|one| one.organization == organization)
    }

    /// Whose a thing of `owner` is to them.
    fn whose(&self, owner: Option<AccountId>) -> Whose {
        let Some(owner) = owner else { return Whose::Nobodys };
        if self.actor().account() == Some(owner) {
            return Whose::Own;
        }
        let standing = self.standings.iter().find(|one| one.owner == owner);
        standing.map_or(Whose::Others, |one| Whose::Organizations(one.role))
    }

    /// Whether an operator is signed in.
    pub fn is_operator(&self) -> bool {
        matches!(self.actor(), PortalActor::Operator(_))
    }

    /// Whether a program came with a token, and nobody signed in.
    pub(crate) fn by_program(&self) -> bool {
        self.scopes.is_some()
    }

    /// Who it is in the table of rights.
    pub fn actor(&self) -> PortalActor {
        match &self.account {
            None => PortalActor::Nobody,
            Some(account) if account.role == Role::Operator => PortalActor::Operator(account.id),
            Some(account) => PortalActor::Account(account.id),
        }
    }

    pub(crate) fn address_text(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }

    fn session(&self) -> &str {
        self.session.as_deref().unwrap_or_default()
    }

    /// The signed-in account's id, or a sign-in is needed.
    fn id(&self) -> Result<AccountId, Failure> {
        self.actor().account().ok_or(Failure::SignIn)
    }

    /// Whether of an account's things they see only what is its organization's.
    fn sees_shared_only(&self, owner: AccountId) -> bool {
        matches!(self.whose(Some(owner)), Whose::Organizations(_)) && !self.is_operator()
    }

    /// For whom something is done: the account that is named, or that whose organization they act for, or their own.
    fn on_behalf_of(&self, named: Option<AccountId>) -> Result<AccountId, Failure> {
        let own = self.id()?;
        Ok(named.or_else(|| self.acts_for().map(|one| one.owner)).unwrap_or(own))
    }
}

/// Asks the one table of rights, and what a token may be used for.
fn allow(caller: &Caller, action: PortalAction, owner: Option<AccountId>) -> Result<(), Failure> {
    let whose = caller.whose(owner);
    match portal_may(caller.actor(), action, whose) {
        Verdict::Allowed => scoped(caller, action, whose),
        Verdict::SignIn => Err(Failure::SignIn),
        Verdict::Forbidden => Err(Failure::Forbidden),
        Verdict::NotFound => Err(Failure::NotFound),
    }
}

/// The same for a license server. One that works for its owner's own person is nobody else's.
fn allow_at(caller: &Caller, action: PortalAction, workstation: &WorkstationRow) -> Result<(), Failure> {
    if caller.sees_shared_only(workstation.owner) && workstation.scope != Scope::Organization {
        return Err(Failure::NotFound);
    }
    allow(caller, action, Some(workstation.owner))
}

/// The same for a license. One that is for its owner's own person is nobody else's.
fn allow_of(caller: &Caller, action: PortalAction, license: &LicenseRow) -> Result<(), Failure> {
    if caller.sees_shared_only(license.owner.id) && license.organization.is_none() {
        return Err(Failure::NotFound);
    }
    allow(caller, action, Some(license.owner.id))
}

/// Whether a token is made for what its account may do. What an operator may do with other people's things is the vendor's.
fn scoped(caller: &Caller, action: PortalAction, whose: Whose) -> Result<(), Failure> {
    let Some(scopes) = &caller.scopes else { return Ok(()) };
    let needed = match scope_for(action) {
        None => return Err(AccountFailure::SignInNeeded.into()),
        Some(TokenScope::Read) => return Ok(()),
        Some(_) if whose == Whose::Others => TokenScope::Vendor,
        Some(scope) => scope,
    };
    if scopes.contains(&needed) { Ok(()) } else { Err(AccountFailure::Scope { needed }.into()) }
}

/// Whose things a list shows: one's own or those of the organization for which one acts, or for operators whosever they
/// ask for (`None`: everybody's).
fn owner_filter(caller: &Caller, asked: Option<AccountId>) -> Result<Option<AccountId>, Failure> {
    if caller.is_operator() {
        return Ok(asked);
    }
    let owner = caller.on_behalf_of(asked)?;
    allow(caller, PortalAction::ReadOwned, Some(owner))?;
    Ok(Some(owner))
}

/// One more row than the page shows, to know whether there is a next one.
fn keyset(query: &PageQuery) -> Result<Keyset, Failure> {
    let limit = query.limit.unwrap_or(PAGE_ITEMS);
    if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
        return Err(Failure::invalid("limit", format!("must be 1 to {PAGE_ITEMS_MAX}")));
    }
    if let Some(after) = &query.after {
        text::token(after).map_err(|why| Failure::invalid("after", why))?;
    }
    Ok(Keyset { before: query.after.clone(), limit: limit + 1 })
}

fn page<R, T>(mut rows: Vec<R>, keyset: &Keyset, id: impl Fn(&R) -> String, view: impl FnMut(R) -> T) -> Page<T> {
    let shown = (keyset.limit - 1) as usize;
    let more = rows.len() > shown;
    rows.truncate(shown);
    let next = rows.last().filter(|_| more).map(id);
    Page { items: rows.into_iter().map(view).collect(), next }
}
