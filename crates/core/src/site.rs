//! What the administrator of one license server allows: which users and hosts get seats there, and how far they may be
//! borrowed. Only ever narrower than what the vendor granted.
//!
//! Pure decisions; knows no settings file and no network. A changed list ends no running lease: it is asked when
//! something new is wanted.

use crate::license::words;
use crate::text::{self, TextError};

/// Most entries of one list.
pub const LIST_ENTRIES_MAX: usize = 1_000;

/// A name, or a pattern in which `*` stands for any characters. Upper and lower case are the same: a list that a capital
/// letter gets around would be none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamePattern(Box<str>);

impl NamePattern {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the entry.
    pub fn parse(text: &str) -> Result<NamePattern, TextError> {
        let text = text.trim();
        text::name(text)?;
        Ok(NamePattern(text.to_lowercase().into()))
    }

    /// As it was written, in lower case.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether `name`, in lower case, is meant.
    fn means(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        // The first place that fits leaves most for what follows.
        let mut rest = rest;
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

words! {
    /// The list that keeps somebody from a seat, by the name of its setting.
    NameList {
        /// The user is not on it.
        AllowUsers = "allow_users",
        /// The user is on it.
        DenyUsers = "deny_users",
        /// The host is not on it.
        AllowHosts = "allow_hosts",
        /// The host is on it.
        DenyHosts = "deny_hosts",
    }
}

impl NameList {
    /// Whether it is about users; otherwise it is about hosts.
    pub fn is_of_users(self) -> bool {
        matches!(self, NameList::AllowUsers | NameList::DenyUsers)
    }

    /// Whether it names those who get seats; otherwise it names those who get none.
    pub fn allows(self) -> bool {
        matches!(self, NameList::AllowUsers | NameList::AllowHosts)
    }

    /// Why it keeps `user` at `host` from a seat, as a sentence.
    pub fn sentence(self, user: &str, host: &str) -> String {
        let (kind, name) = if self.is_of_users() { ("user", user) } else { ("host", host) };
        let standing = if self.allows() { "is not on" } else { "is on" };
        let named = if name.is_empty() { format!("A {kind} without a name") } else { format!("The {kind} \"{name}\"") };
        format!("{named} {standing} the list `{}` of this license server.", self.word())
    }
}

/// How far borrowing is narrowed here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SiteLimit {
    /// For so many days at most.
    BorrowDays(u32),
    /// So many seats of a feature at once at most.
    BorrowSeats(u32),
}

/// What the administrator of a license server allows.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SiteRules {
    /// Who gets seats; empty for everybody.
    pub allow_users: Vec<NamePattern>,
    /// Who gets none, whatever the other lists say.
    pub deny_users: Vec<NamePattern>,
    /// Which hosts get seats; empty for all.
    pub allow_hosts: Vec<NamePattern>,
    /// Which hosts get none.
    pub deny_hosts: Vec<NamePattern>,
    /// Longest term of a pass, in days; 0 lends nothing; `None` leaves it to the vendor.
    pub borrow_days_max: Option<u32>,
    /// Most seats of a feature that are lent at once; `None` leaves it to the vendor.
    pub borrow_seats_max: Option<u32>,
}

impl SiteRules {
    /// The list that keeps `user` at `host` from new seats, if one does.
    pub fn refuses(&self, user: &str, host: &str) -> Option<NameList> {
        let lists = [&self.allow_users, &self.deny_users, &self.allow_hosts, &self.deny_hosts];
        if lists.iter().all(|list| list.is_empty()) {
            return None;
        }
        let (user, host) = (user.to_lowercase(), host.to_lowercase());
        let on = |list: &[NamePattern], name: &str| list.iter().any(|pattern| pattern.means(name));
        let off = |list: &[NamePattern], name: &str| !list.is_empty() && !on(list, name);
        match () {
            () if on(&self.deny_users, &user) => Some(NameList::DenyUsers),
            () if on(&self.deny_hosts, &host) => Some(NameList::DenyHosts),
            () if off(&self.allow_users, &user) => Some(NameList::AllowUsers),
            () if off(&self.allow_hosts, &host) => Some(NameList::AllowHosts),
            () => None,
        }
    }

    /// The longest term here where the vendor allows `vendor_days`.
    pub fn borrow_days(&self, vendor_days: u32) -> u32 {
        self.borrow_days_max.map_or(vendor_days, |days| days.min(vendor_days))
    }

    /// Whether `seats` more of a feature of which `lent` are borrowed go beyond what is lent at once.
    pub fn lends(&self, lent: u32, seats: u32) -> bool {
        self.borrow_seats_max.is_none_or(|max| lent.saturating_add(seats) <= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(names: &[&str]) -> Vec<NamePattern> {
        names.iter().map(|name| NamePattern::parse(name).unwrap()).collect()
    }

    #[test]
    fn a_pattern_means_whole_names_whatever_their_case() {
        for (pattern, name, means) in [
            ("anna", "Anna", true),
            ("ANNA", "anna", true),
            ("anna", "annabel", false),
            ("anna*", "annabel", true),
            ("*bel", "annabel", true),
            ("a*a*l", "annabel", true),
            ("a*a*a*l", "annabel", false),
            ("*", "", true),
            ("**", "x", true),
            ("render-*.example.com", "render-07.example.com", true),
            ("render-*.example.com", "render-07.example.org", false),
            ("a*a", "a", false),
            ("Ångström", "ångström", true),
            ("a.b", "axb", false),
        ] {
            assert_eq!(list(&[pattern])[0].means(&name.to_lowercase()), means, "{pattern} {name}");
        }
        assert!(NamePattern::parse(" ").is_err() && NamePattern::parse("a\u{202e}").is_err());
    }

    #[test]
    fn a_deny_list_wins_and_an_allow_list_is_for_those_on_it() {
        let rules = SiteRules {
            allow_users: list(&["anna", "ben", "tmp-*"]),
            deny_users: list(&["ben"]),
            deny_hosts: list(&["lobby-*"]),
            ..SiteRules::default()
        };
        for (user, host, refused) in [
            ("anna", "ws-1", None),
            ("tmp-4", "ws-1", None),
            ("ben", "ws-1", Some(NameList::DenyUsers)),
            ("anna", "LOBBY-2", Some(NameList::DenyHosts)),
            ("carl", "ws-1", Some(NameList::AllowUsers)),
            ("", "ws-1", Some(NameList::AllowUsers)),
        ] {
            assert_eq!(rules.refuses(user, host), refused, "{user} {host}");
        }
        assert_eq!(SiteRules::default().refuses("", ""), None);
        let only_hosts = SiteRules { allow_hosts: list(&["ws-*"]), ..SiteRules::default() };
        assert_eq!(only_hosts.refuses("anna", "laptop"), Some(NameList::AllowHosts));
        assert!(
            NameList::AllowHosts.sentence("anna", "laptop").contains("\"laptop\" is not on the list `allow_hosts`")
        );
    }

    #[test]
    fn borrowing_is_only_ever_narrower_than_the_vendor_allows() {
        let rules = SiteRules { borrow_days_max: Some(30), borrow_seats_max: Some(2), ..SiteRules::default() };
        assert_eq!([7, 30, 90].map(|vendor| rules.borrow_days(vendor)), [7, 30, 30]);
        assert_eq!(
            [(0, 2), (1, 1), (1, 2), (2, 1)].map(|(lent, seats)| rules.lends(lent, seats)),
            [true, true, false, false]
        );
        assert!(SiteRules::default().lends(u32::MAX, 1));
    }

    proptest! {
        #[test]
        fn a_pattern_made_from_a_name_means_it(name in "[a-c]{1,8}", cuts in proptest::collection::vec(0..8_usize, 0..4)) {
            let mut pattern = name.clone();
            for cut in cuts {
                let at = cut.min(pattern.len());
                pattern.insert(at, '*');
            }
            prop_assert!(list(&[&pattern])[0].means(&name), "{} {}", pattern, name);
        }
    }
}
