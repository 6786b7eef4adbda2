//! Typed ids: a prefix that says what it names and a UUIDv7 inside, so ids sort by time and cannot be swapped.
//!
//! Made only from an injected time and injected randomness.

use crate::random::{self, Random};
use crate::time::Ms;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The text is not an id of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id that starts with `{expected}_`")]
pub struct IdError {
    expected: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What stands before the underscore in its text form.
            pub const PREFIX: &'static str = $prefix;

            /// A new id (UUIDv7, RFC 9562) from `now` and ten random bytes.
            pub fn draw(now: Ms, random: &mut dyn Random) -> Self {
                let millis = u64::try_from(now.0).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random::bytes(random)).into_uuid())
            }

            /// The `n`th after this one, for several that are drawn as one; the same each time.
            pub fn following(self, n: u32) -> Self {
                let (id, low) = (self.0.as_u128(), u128::from(u32::MAX));
                Self(Uuid::from_u128((id & !low) | (id.wrapping_add(n.into()) & low)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.as_simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = IdError { expected: $prefix };
                let hex = text.strip_prefix(concat!($prefix, "_")).ok_or(wrong.clone())?;
                // One spelling only: 32 lower-case hex digits, so that equal ids are equal texts.
                let plain = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !plain {
                    return Err(wrong);
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| wrong)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A person who signs in to the portal.
    AccountId = "acc";
    /// Something that is sold: a bundle of features.
    ProductId = "prod";
    /// A purchase: seats of a product for a term.
    LicenseId = "lic";
    /// A license server as the portal knows it.
    WorkstationId = "ws";
    /// One signed document that lists all a workstation holds.
    GrantId = "grant";
    /// One row of a grant: N seats of a license until an instant.
    LineId = "line";
    /// One holder's right to seats of a feature.
    LeaseId = "lease";
    /// Seats that a machine has borrowed.
    PassId = "pass";
    /// What somebody wanted and did not get, until they got it or gave up.
    DenialId = "den";
    /// One uploaded activation request.
    RequestId = "req";
    /// The proof that a license server gave up what it held.
    ReceiptId = "rcpt";
    /// One row of an audit log.
    AuditId = "aud";
    /// A sign-in.
    SessionId = "sess";
    /// A letter that the portal sends.
    MailId = "mail";
    /// A token with which a program acts for an account.
    TokenId = "tok";
    /// The members of one account's licenses.
    OrganizationId = "org";
}

impl PassId {
    /// A pass is a lease with other times: it has the same number.
    pub fn of(lease: LeaseId) -> PassId {
        PassId(lease.0)
    }

    /// The lease that it is on its server.
    pub fn lease(self) -> LeaseId {
        LeaseId(self.0)
    }
}

impl LeaseId {
    /// Named by a line and a time: for what stands on the line and that nobody asked for.
    pub fn beside(line: LineId, at: Ms) -> LeaseId {
        LeaseId(Uuid::from_u128(line.0.as_u128() ^ (u128::from(at.0.unsigned_abs()) << 32)))
    }
}

impl DenialId {
    /// Named by the lease that its first checkout would have got: so it needs no randomness of its own.
    pub fn of(lease: LeaseId) -> DenialId {
        DenialId(lease.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;

    #[test]
    fn ids_round_trip_and_keep_their_kind() {
        let id = LeaseId::draw(Ms(1_790_000_000_000), &mut Seeded::new(7));
        assert_eq!(id.to_string().parse::<LeaseId>(), Ok(id));
        assert!(id.to_string().parse::<LineId>().is_err(), "a lease id is no line id");
        assert!(id.to_string().to_uppercase().parse::<LeaseId>().is_err(), "one spelling only");
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<LeaseId>(&json).unwrap(), id);
    }

    #[test]
    fn later_ids_sort_later() {
        let mut random = Seeded::new(1);
        let first = LineId::draw(Ms(1_000), &mut random);
        let second = LineId::draw(Ms(1_001), &mut random);
        assert!(first < second && first.to_string() < second.to_string());
    }
}
