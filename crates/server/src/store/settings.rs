//! Settings that administrators made while the server ran.

use leasehold_db::{DbError, Tx};
use serde_json::{Map, Value};

/// All of them. A name that this release does not know is left alone: a newer one may have written it.
pub(crate) fn all(tx: &mut Tx<'_>) -> Result<Map<String, Value>, DbError> {
    let rows = tx.all("SELECT name, value FROM setting ORDER BY name", &[], |row| {
        let value = serde_json::from_str(row.str(1)?).map_err(|_| super::damaged("setting"))?;
        Ok((row.text(0)?, value))
    })?;
    Ok(rows.into_iter().collect())
}

/// Changes some; `Null` takes one away.
pub(crate) fn change(tx: &mut Tx<'_>, changes: &Map<String, Value>) -> Result<(), DbError> {
    for (name, value) in changes {
        if value.is_null() {
            tx.exec("DELETE FROM setting WHERE name = ?1", &[name.into()])?;
        } else {
            tx.exec(
                "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                &[name.into(), value.to_string().into()],
            )?;
        }
    }
    Ok(())
}
