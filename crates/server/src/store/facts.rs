//! How much is in the database, and which names, for a support bundle.

use leasehold_db::{DbError, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// Names that are looked at, of the newest rows.
const NAMES_MAX: i64 = 5_000;

/// Rows of each table that grows.
pub(crate) fn counts(tx: &mut Tx<'_>) -> Result<BTreeMap<&'static str, i64>, DbError> {
    let mut counts = BTreeMap::new();
    for (name, sql) in [
        ("lease", "SELECT COUNT(*) FROM lease"),
        ("document", "SELECT COUNT(*) FROM document"),
        ("receipt", "SELECT COUNT(*) FROM receipt"),
        ("usage_event", "SELECT COALESCE(MAX(id) - MIN(id) + 1, 0) FROM usage_event"),
        ("usage_day", "SELECT COUNT(*) FROM usage_day"),
        ("usage_hour", "SELECT COUNT(*) FROM usage_hour"),
        ("denial", "SELECT COUNT(*) FROM denial"),
        ("pass_over", "SELECT COUNT(*) FROM pass_over"),
        ("audit", "SELECT COUNT(*) FROM audit"),
        ("session", "SELECT COUNT(*) FROM session"),
        ("administrator", "SELECT COUNT(*) FROM administrator"),
        ("setting", "SELECT COUNT(*) FROM setting"),
    ] {
        counts.insert(name, tx.one(sql, &[], |row| row.int(0))?.unwrap_or(0));
    }
    Ok(counts)
}

/// Users and hosts that were seen lately.
pub(crate) fn names_seen(tx: &mut Tx<'_>) -> Result<(BTreeSet<String>, BTreeSet<String>), DbError> {
    let (mut users, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    for sql in [
        "SELECT user_name, host FROM usage_event ORDER BY id DESC LIMIT ?1",
        "SELECT user_name, host FROM denial ORDER BY id DESC LIMIT ?1",
        "SELECT user_name, host FROM bar LIMIT ?1",
    ] {
        for (user, host) in tx.all(sql, &[NAMES_MAX.into()], |row| Ok((row.text(0)?, row.text(1)?)))? {
            users.insert(user);
            hosts.insert(host);
        }
    }
    Ok((users, hosts))
}
