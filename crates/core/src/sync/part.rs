//! Which part of a license a workstation shares with others. Must not count anything: what fits is `settle`'s and
//! `allot`'s.

use crate::ids::AccountId;
use crate::license::{Kind, Scope};

/// A part of a license that some servers share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// What is assigned to nobody.
    Floating,
    /// What is assigned to one account.
    Of(AccountId),
}

/// A license, as far as it decides who may have seats of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shared {
    /// Who owns it, for themselves or for the organization that is theirs.
    pub owner: AccountId,
    /// It is their organization's, and not their own person's.
    pub of_organization: bool,
    /// Floating or named.
    pub kind: Kind,
}

impl Shared {
    /// The part that a workstation of `account` may be using seats of, where `given` says whether anything of the
    /// license is assigned to that account.
    ///
    /// A workstation of the organization has what floats; one of a person what is assigned to them. What its owner did
    /// not assign to anybody is the owner's own, and floats among all workstations of theirs.
    pub fn part(&self, account: AccountId, scope: Scope, given: bool) -> Part {
        let own = account == self.owner && (scope == Scope::Organization || !given);
        if own { Part::Floating } else { Part::Of(account) }
    }

    /// Whether that workstation may have new seats of it: those of a named license are for people, and a person's own
    /// license is nobody else's.
    pub fn open_to(&self, scope: Scope) -> bool {
        scope == Scope::Person || (self.kind == Kind::Floating && self.of_organization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;
    use crate::time::Ms;

    fn account(seed: u64) -> AccountId {
        AccountId::draw(Ms(1), &mut Seeded::new(seed))
    }

    #[test]
    fn a_persons_own_licenses_and_those_assigned_to_them() {
        let (owner, member) = (account(1), account(2));
        let license = Shared { owner, of_organization: true, kind: Kind::Floating };
        assert_eq!(license.part(owner, Scope::Organization, false), Part::Floating);
        assert_eq!(license.part(owner, Scope::Organization, true), Part::Floating);
        assert_eq!(license.part(owner, Scope::Person, false), Part::Floating);
        assert_eq!(license.part(owner, Scope::Person, true), Part::Of(owner));
        assert_eq!(license.part(member, Scope::Person, true), Part::Of(member));
        assert_eq!(license.part(member, Scope::Person, false), Part::Of(member), "what was taken back still counts");
    }

    #[test]
    fn a_named_license_is_for_people() {
        let named = Shared { owner: account(1), of_organization: true, kind: Kind::Named };
        assert!(named.open_to(Scope::Person) && !named.open_to(Scope::Organization));
    }

    #[test]
    fn a_persons_own_license_is_for_no_organization() {
        let own = Shared { owner: account(1), of_organization: false, kind: Kind::Floating };
        assert!(own.open_to(Scope::Person) && !own.open_to(Scope::Organization));
        let shared = Shared { of_organization: true, ..own };
        assert!(shared.open_to(Scope::Person) && shared.open_to(Scope::Organization));
    }
}
