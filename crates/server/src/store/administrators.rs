//! Accounts of the administrators of this server, and the setup secret of a reset.

use leasehold_core::access::AdministratorKind;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};

/// An account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Account {
    /// As its owner wrote it.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) kind: AdministratorKind,
    /// Argon2id, PHC form.
    pub(crate) password_hash: String,
    /// When it was made.
    pub(crate) created_at: Ms,
}

/// By which a name is found: upper and lower case are the same.
pub(crate) fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

fn read(row: &Row<'_>) -> Result<Account, DbError> {
    Ok(Account {
        name: row.text(0)?,
        kind: AdministratorKind::from_word(row.str(1)?).ok_or(super::damaged("kind of administrator"))?,
        password_hash: row.text(2)?,
        created_at: Ms(row.int(3)?),
    })
}

/// All, in order of name.
pub(crate) fn all(tx: &mut Tx<'_>) -> Result<Vec<Account>, DbError> {
    tx.all("SELECT name, kind, password_hash, created_at_ms FROM administrator ORDER BY key", &[], read)
}

/// One.
pub(crate) fn find(tx: &mut Tx<'_>, name: &str) -> Result<Option<Account>, DbError> {
    let sql = "SELECT name, kind, password_hash, created_at_ms FROM administrator WHERE key = ?1";
    tx.one(sql, &[key(name).into()], read)
}

/// Whether there is one that may change things.
pub(crate) fn is_set_up(tx: &mut Tx<'_>) -> Result<bool, DbError> {
    Ok(others(tx, "")? > 0)
}

/// How many others than `name` may change things.
pub(crate) fn others(tx: &mut Tx<'_>, name: &str) -> Result<i64, DbError> {
    let sql = "SELECT COUNT(*) FROM administrator WHERE kind = ?1 AND key <> ?2";
    let count = tx.one(sql, &[AdministratorKind::Administrator.word().into(), key(name).into()], |row| row.int(0))?;
    Ok(count.unwrap_or(0))
}

/// Adds one; `false` if the name is taken.
pub(crate) fn add(tx: &mut Tx<'_>, account: &Account) -> Result<bool, DbError> {
    let added = tx.exec(
        "INSERT INTO administrator (key, name, kind, password_hash, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        &[
            key(&account.name).into(),
            (&account.name).into(),
            account.kind.word().into(),
            (&account.password_hash).into(),
            account.created_at.0.into(),
        ],
    )?;
    Ok(added == 1)
}

/// Replaces password and kind; `false` if there is none of that name.
pub(crate) fn set(tx: &mut Tx<'_>, name: &str, kind: AdministratorKind, password_hash: &str) -> Result<bool, DbError> {
    let sql = "UPDATE administrator SET kind = ?2, password_hash = ?3 WHERE key = ?1";
    Ok(tx.exec(sql, &[key(name).into(), kind.word().into(), password_hash.into()])? == 1)
}

/// Removes one; `false` if there is none of that name.
pub(crate) fn remove(tx: &mut Tx<'_>, name: &str) -> Result<bool, DbError> {
    Ok(tx.exec("DELETE FROM administrator WHERE key = ?1", &[key(name).into()])? == 1)
}

/// SHA-256 of the setup secret of a reset, in hex.
pub(crate) fn setup_secret(tx: &mut Tx<'_>) -> Result<Option<String>, DbError> {
    Ok(tx.one("SELECT setup_secret_sha256 FROM state WHERE id = 1", &[], |row| row.opt_text(0))?.flatten())
}

/// Keeps or forgets it.
pub(crate) fn set_setup_secret(tx: &mut Tx<'_>, sha256: Option<&str>) -> Result<(), DbError> {
    tx.exec("UPDATE state SET setup_secret_sha256 = ?1 WHERE id = 1", &[sha256.map(str::to_owned).into()])?;
    Ok(())
}
