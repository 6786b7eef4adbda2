//! What becomes of usage with time: names are replaced, old rows go, and detail goes before totals when room is short.
//! Each function does a little, so that nobody waits for it; [`crate::usage`] calls them again and again.

use super::damaged;
use super::usage::{DAY_COLUMNS, Ids, NAME, PSEUDONYM, add_to_day, hour_columns};
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms};
use leasehold_core::usage::SPANS;
use leasehold_db::{DbError, Tx};
use std::sync::LazyLock;

/// Rows removed at a time.
const DROPPED_AT_ONCE: i64 = 2_000;
/// Rows whose lengths are looked at for the size of all.
const MEASURED: i64 = 500;
/// What SQLite needs for a row beside its texts, indexes included, in bytes.
const ROW_BYTES: i64 = 48;
/// What a row of totals by day needs, with its two indexes, in bytes.
const DAY_ROW_BYTES: i64 = 128;

/// A row of a log with the names in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named<I> {
    pub(crate) id: I,
    pub(crate) user: String,
    pub(crate) host: String,
}

/// Rows of the usage log after `event` and before an instant, oldest first.
pub(crate) fn named_events(tx: &mut Tx<'_>, event: i64, before: Ms, most: u32) -> Result<Vec<Named<i64>>, DbError> {
    let rows = tx.all(
        "SELECT id, user_name, host, at_ms FROM usage_event WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[event.into(), most.into()],
        |row| Ok((Named { id: row.int(0)?, user: row.text(1)?, host: row.text(2)? }, row.int(3)?)),
    )?;
    Ok(rows.into_iter().take_while(|(_, at)| *at < before.0).map(|(row, _)| row).collect())
}

/// Gives rows of the usage log other names; they count as replaced up to the last of them.
pub(crate) fn rename_events(tx: &mut Tx<'_>, rows: &[Named<i64>]) -> Result<(), DbError> {
    for row in rows {
        tx.exec(
            "UPDATE usage_event SET user_name = ?2, host = ?3 WHERE id = ?1",
            &[row.id.into(), (&row.user).into(), (&row.host).into()],
        )?;
    }
    if let Some(last) = rows.last() {
        tx.exec("UPDATE usage_roll SET names_event = ?1 WHERE id = 1", &[last.id.into()])?;
    }
    Ok(())
}

/// Denials after `denial` that ended before an instant, oldest first, up to one that has not.
pub(crate) fn named_denials(
    tx: &mut Tx<'_>,
    denial: &str,
    before: Ms,
    most: u32,
) -> Result<Vec<Named<String>>, DbError> {
    let rows = tx.all(
        "SELECT id, user_name, host, outcome, last_at_ms FROM denial WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[denial.into(), most.into()],
        |row| {
            let row_is_over = row.str(3)? != "open" && row.int(4)? < before.0;
            Ok((Named { id: row.text(0)?, user: row.text(1)?, host: row.text(2)? }, row_is_over))
        },
    )?;
    Ok(rows.into_iter().take_while(|(_, over)| *over).map(|(row, _)| row).collect())
}

/// Gives denials other names, and forgets where they came from and with what.
pub(crate) fn rename_denials(tx: &mut Tx<'_>, rows: &[Named<String>]) -> Result<(), DbError> {
    for row in rows {
        tx.exec(
            "UPDATE denial SET user_name = ?2, host = ?3, address = '0.0.0.0' WHERE id = ?1",
            &[(&row.id).into(), (&row.user).into(), (&row.host).into()],
        )?;
    }
    if let Some(last) = rows.last() {
        tx.exec("UPDATE usage_roll SET names_denial = ?1 WHERE id = 1", &[(&last.id).into()])?;
    }
    Ok(())
}

/// The first day from `day` on that has totals.
pub(crate) fn next_named_day(tx: &mut Tx<'_>, day: i64) -> Result<Option<i64>, DbError> {
    let sql = "SELECT MIN(day) FROM usage_day WHERE span = 1 AND day >= ?1";
    Ok(tx.one(sql, &[day.into()], |row| row.opt_int(0))?.flatten())
}

/// Names of days before are replaced.
pub(crate) fn set_names_day(tx: &mut Tx<'_>, day: i64) -> Result<(), DbError> {
    tx.exec("UPDATE usage_roll SET names_day = ?1 WHERE id = 1 AND names_day < ?1", &[day.into()])?;
    Ok(())
}

/// Users in a block of days whose names are not replaced, in order of number.
pub(crate) fn named_users(tx: &mut Tx<'_>, span: i64, day: i64) -> Result<Vec<i64>, DbError> {
    let sql = "SELECT DISTINCT d.user_id FROM usage_day d
               JOIN usage_name u ON u.id = d.user_id JOIN usage_name h ON h.id = d.host_id
               WHERE d.span = ?1 AND d.day = ?2 AND (u.kind = 0 OR h.kind = 0) ORDER BY d.user_id";
    tx.all(sql, &[span.into(), day.into()], |row| row.int(0))
}

/// Users and hosts without a pseudonym yet, in rows of these users: whether it is a user, the number, the name.
pub(crate) fn users_and_hosts(
    tx: &mut Tx<'_>,
    (span, day): (i64, i64),
    (first, last): (i64, i64),
) -> Result<Vec<(bool, i64, String)>, DbError> {
    let values = [span.into(), day.into(), first.into(), last.into()];
    let mut found = Vec::new();
    for (user, sql) in [
        (
            true,
            "SELECT DISTINCT n.id, n.name FROM usage_day d JOIN usage_name n ON n.id = d.user_id
             WHERE d.span = ?1 AND d.day = ?2 AND d.user_id BETWEEN ?3 AND ?4 AND n.kind = 0 AND n.as_user IS NULL",
        ),
        (
            false,
            "SELECT DISTINCT n.id, n.name FROM usage_day d JOIN usage_name n ON n.id = d.host_id
             WHERE d.span = ?1 AND d.day = ?2 AND d.user_id BETWEEN ?3 AND ?4 AND n.kind = 0 AND n.as_host IS NULL",
        ),
    ] {
        found.extend(tx.all(sql, &values, |row| Ok((user, row.int(0)?, row.text(1)?)))?);
    }
    Ok(found)
}

/// Keeps the pseudonym of a name.
pub(crate) fn set_alias(tx: &mut Tx<'_>, user: bool, name: i64, pseudonym: &str) -> Result<(), DbError> {
    let alias = Ids::default().of(tx, pseudonym, PSEUDONYM, 0)?;
    let sql = if user {
        "UPDATE usage_name SET as_user = ?2 WHERE id = ?1"
    } else {
        "UPDATE usage_name SET as_host = ?2 WHERE id = ?1"
    };
    tx.exec(sql, &[name.into(), alias.into()])?;
    Ok(())
}

/// Puts pseudonyms in the place of the names of some users, and of the hosts that they were on, in a block of days.
pub(crate) fn pseudonymize_block(
    tx: &mut Tx<'_>,
    (span, day): (i64, i64),
    (first, last): (i64, i64),
) -> Result<(), DbError> {
    static REPLACE: LazyLock<String> = LazyLock::new(|| {
        format!(
            "INSERT INTO usage_day ({DAY_COLUMNS}, {})
             SELECT d.span, d.day, d.feature, COALESCE(u.as_user, u.id), COALESCE(h.as_host, h.id),
                    SUM(d.seat_ms), MAX(d.peak), SUM(d.checkouts), SUM(d.denials), {}
             FROM usage_day d JOIN usage_name u ON u.id = d.user_id JOIN usage_name h ON h.id = d.host_id
             WHERE d.span = ?1 AND d.day = ?2 AND d.user_id BETWEEN ?3 AND ?4 AND (u.kind = 0 OR h.kind = 0)
             GROUP BY 1, 2, 3, 4, 5 {}",
            hour_columns(str::to_owned),
            hour_columns(|hour| format!("SUM(d.{hour})")),
            add_to_day()
        )
    });
    let values = [span.into(), day.into(), first.into(), last.into()];
    tx.exec(&REPLACE, &values)?;
    tx.exec(
        "DELETE FROM usage_day WHERE span = ?1 AND day = ?2 AND user_id BETWEEN ?3 AND ?4
         AND (user_id IN (SELECT id FROM usage_name WHERE kind = 0) OR host_id IN (SELECT id FROM usage_name WHERE kind = 0))",
        &values,
    )?;
    Ok(())
}

/// Names that no day has from `day` on; every earlier one has pseudonyms.
pub(crate) fn forget_names(tx: &mut Tx<'_>, day: i64) -> Result<u64, DbError> {
    tx.exec(
        "DELETE FROM usage_name WHERE id IN (SELECT id FROM usage_name WHERE kind = ?1 AND last_day < ?2 LIMIT ?3)",
        &[NAME.into(), day.into(), DROPPED_AT_ONCE.into()],
    )
}

/// Totals before an instant go, some at a time. How many went.
pub(crate) fn forget_before(tx: &mut Tx<'_>, before: Ms) -> Result<u64, DbError> {
    let mut gone = tx.exec(
        "DELETE FROM usage_hour WHERE (feature, hour) IN (SELECT feature, hour FROM usage_hour WHERE hour < ?1 LIMIT ?2)",
        &[before.0.div_euclid(HOUR_MS).into(), DROPPED_AT_ONCE.into()],
    )?;
    for span in SPANS {
        gone += drop_days_of(tx, span, before.0.div_euclid(DAY_MS) - span + 1)?;
    }
    Ok(gone)
}

fn drop_days_of(tx: &mut Tx<'_>, span: i64, before: i64) -> Result<u64, DbError> {
    tx.exec(
        "DELETE FROM usage_day WHERE (span, day, feature, user_id, host_id) IN
         (SELECT span, day, feature, user_id, host_id FROM usage_day WHERE span = ?1 AND day < ?2
          ORDER BY span, day LIMIT ?3)",
        &[span.into(), before.into(), DROPPED_AT_ONCE.into()],
    )
}

/// About how many bytes usage takes: the log, denials, totals of users and hosts.
pub(crate) fn bytes(tx: &mut Tx<'_>) -> Result<[i64; 3], DbError> {
    let events = tx
        .one("SELECT COALESCE(MAX(id) - MIN(id) + 1, 0) FROM usage_event", &[], |row| row.int(0))?
        .ok_or(damaged("usage log"))?;
    let event_bytes =
        "SELECT COALESCE(SUM(LENGTH(CAST(kind || COALESCE(lease, '') || key || feature || user_name || host
                              || COALESCE(code, '') || COALESCE(seat, '') AS BLOB)) + ?2) / COUNT(*), 0)
                       FROM (SELECT * FROM usage_event ORDER BY id DESC LIMIT ?1)";
    let each = tx.one(event_bytes, &[MEASURED.into(), ROW_BYTES.into()], |row| row.int(0))?.unwrap_or(0);
    let denials = tx.one("SELECT COUNT(*) FROM denial", &[], |row| row.int(0))?.unwrap_or(0);
    let denial_bytes = "SELECT COALESCE(SUM(LENGTH(CAST(id || feature || user_name || host || address || version || code
                               AS BLOB)) + 2 * ?2) / COUNT(*), 0) FROM (SELECT * FROM denial ORDER BY id DESC LIMIT ?1)";
    let of_denial = tx.one(denial_bytes, &[MEASURED.into(), ROW_BYTES.into()], |row| row.int(0))?.unwrap_or(0);
    let days = tx.one("SELECT COUNT(*) FROM usage_day", &[], |row| row.int(0))?.unwrap_or(0);
    Ok([events.saturating_mul(each), denials.saturating_mul(of_denial), days.saturating_mul(DAY_ROW_BYTES)])
}

/// Drops the oldest events that are counted and before `before`, and notes up to when. How many went.
pub(crate) fn drop_events(tx: &mut Tx<'_>, before: Ms) -> Result<u64, DbError> {
    let last = tx.one(
        "SELECT MAX(id), MAX(at_ms) FROM (SELECT id, at_ms FROM usage_event
         WHERE id < (SELECT MIN(id) FROM usage_event) + ?2 AND at_ms < ?1
         AND id <= (SELECT event FROM usage_roll WHERE id = 1))",
        &[before.0.into(), DROPPED_AT_ONCE.into()],
        |row| Ok(row.opt_int(0)?.zip(row.opt_int(1)?)),
    )?;
    let Some((id, at)) = last.flatten() else { return Ok(0) };
    tx.exec("UPDATE usage_roll SET dropped_ms = MAX(COALESCE(dropped_ms, ?1), ?1) WHERE id = 1", &[at.into()])?;
    tx.exec("DELETE FROM usage_event WHERE id <= ?1", &[id.into()])
}

/// Drops the oldest denials that are over. How many went.
pub(crate) fn drop_denials(tx: &mut Tx<'_>) -> Result<u64, DbError> {
    tx.exec(
        "DELETE FROM denial WHERE id IN (SELECT id FROM denial ORDER BY id LIMIT ?1) AND outcome <> 'open'",
        &[DROPPED_AT_ONCE.into()],
    )
}

/// Drops the oldest totals of users and hosts before `day`; what features had by the hour stays. How many went.
pub(crate) fn drop_days(tx: &mut Tx<'_>, day: i64) -> Result<u64, DbError> {
    let oldest = next_named_day(tx, i64::MIN)?.filter(|oldest| *oldest < day);
    let Some(oldest) = oldest else { return Ok(0) };
    let mut gone = drop_days_of(tx, 1, oldest + 1)?;
    for span in SPANS.into_iter().filter(|span| *span > 1) {
        gone += drop_days_of(tx, span, oldest + 1)?;
    }
    Ok(gone)
}
