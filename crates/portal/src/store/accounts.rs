//! Table `account`.

use super::{Keyset, id, opt_ms, text, time, whole, word};
use leasehold_core::ids::AccountId;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::{Account, Role};
use leasehold_wire::time::Time;

/// An account to be written.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// Its id.
    pub id: AccountId,
    /// Lower case.
    pub email: String,
    /// Name.
    pub name: String,
    /// PHC string.
    pub password_hash: String,
    /// Role.
    pub role: Role,
    /// Its customer number.
    pub number: u64,
    /// When it is made.
    pub created_at: Ms,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, email, name, role, created_at_ms, signed_in_at_ms, number FROM account ", $rest)
    };
}

fn read(row: &Row<'_>) -> Result<Account, DbError> {
    Ok(Account {
        id: id(row, 0)?,
        email: row.text(1)?,
        name: row.text(2)?,
        role: word(row, 3, Role::from_word)?,
        created_at: time(row, 4)?,
        signed_in_at: opt_ms(row, 5)?.map(Time),
        customer_number: whole(row, 6)?,
    })
}

/// Writes an account; `false` if its address is taken.
pub fn insert(tx: &mut Tx<'_>, new: &NewRow) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO account (id, email, name, password_hash, role, created_at_ms, number, search)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (email) DO NOTHING",
        &[
            text(new.id),
            (&new.email).into(),
            (&new.name).into(),
            (&new.password_hash).into(),
            new.role.word().into(),
            new.created_at.0.into(),
            i64::try_from(new.number).unwrap_or(i64::MAX).into(),
            search(&new.name, &new.email, new.number).into(),
        ],
    )?;
    Ok(written == 1)
}

/// Makes an account: a new one, or that of whoever was invited and had none. Answers its id; `None` if its address is taken.
pub fn make(tx: &mut Tx<'_>, new: &NewRow) -> Result<Option<AccountId>, DbError> {
    if insert(tx, new)? {
        return Ok(Some(new.id));
    }
    tx.one(
        "UPDATE account SET name = ?2, password_hash = ?3, role = ?4, created_at_ms = ?5, number = ?6, search = ?7
         WHERE email = ?1 AND password_hash = '' RETURNING id",
        &[
            (&new.email).into(),
            (&new.name).into(),
            (&new.password_hash).into(),
            new.role.word().into(),
            new.created_at.0.into(),
            i64::try_from(new.number).unwrap_or(i64::MAX).into(),
            search(&new.name, &new.email, new.number).into(),
        ],
        |row| id(row, 0),
    )
}

/// The account of an address (lower case) that is invited: one that exists, or one that is yet to be made, as which `new` is
/// written. Nobody can sign in with it.
pub fn invited(tx: &mut Tx<'_>, email: &str, new: AccountId, now: Ms) -> Result<AccountId, DbError> {
    let name = email.chars().take(leasehold_core::text::NAME_CHARS_MAX).collect();
    let row = NewRow {
        id: new,
        email: email.to_owned(),
        name,
        password_hash: String::new(),
        role: Role::Customer,
        number: 0,
        created_at: now,
    };
    if insert(tx, &row)? {
        return Ok(new);
    }
    let known = tx.one("SELECT id FROM account WHERE email = ?1", &[email.into()], |row| id(row, 0))?;
    known.ok_or_else(|| super::damaged(0, "an account is there and is not"))
}

/// Whether an account was made, and not only invited.
pub fn is_made(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM account WHERE id = ?1 AND password_hash <> ''";
    Ok(tx.one(sql, &[text(account)], |_| Ok(()))?.is_some())
}

/// When the first account was made.
pub fn first_made(tx: &mut Tx<'_>) -> Result<Option<Ms>, DbError> {
    tx.one("SELECT created_at_ms FROM account ORDER BY id LIMIT 1", &[], |row| super::ms(row, 0))
}

/// The next customer number. Given once, also if nothing comes of it.
pub fn next_number(tx: &mut Tx<'_>) -> Result<u64, DbError> {
    let sql = "UPDATE portal_state SET customers = customers + 1 WHERE id = 1 RETURNING customers";
    tx.one(sql, &[], |row| whole(row, 0))?.ok_or_else(|| super::damaged(0, "no row of the portal's state"))
}

/// The account of an address (lower case); not one that is only invited.
pub fn by_email(tx: &mut Tx<'_>, email: &str) -> Result<Option<Account>, DbError> {
    tx.one(select!("WHERE email = ?1 AND password_hash <> ''"), &[email.into()], read)
}

/// Locks an account until the transaction ends.
pub fn lock(tx: &mut Tx<'_>, account: AccountId) -> Result<(), DbError> {
    tx.exec("UPDATE account SET name = name WHERE id = ?1", &[text(account)])?;
    Ok(())
}

/// What an account is found by.
fn search(name: &str, email: &str, number: u64) -> String {
    format!("{name} {email} {number}").to_lowercase()
}

/// Writes what an account is found by, after it is called otherwise.
fn find_by(tx: &mut Tx<'_>, account: AccountId) -> Result<(), DbError> {
    if let Some(now) = get(tx, account)? {
        let search = search(&now.name, &now.email, now.customer_number);
        tx.exec("UPDATE account SET search = ?2 WHERE id = ?1", &[text(account), search.into()])?;
    }
    Ok(())
}

/// Changes the name.
pub fn set_name(tx: &mut Tx<'_>, account: AccountId, name: &str) -> Result<(), DbError> {
    tx.exec("UPDATE account SET name = ?2 WHERE id = ?1", &[text(account), name.into()])?;
    find_by(tx, account)
}

/// Changes the address (lower case); `false` if another account has it.
pub fn set_email(tx: &mut Tx<'_>, account: AccountId, email: &str) -> Result<bool, DbError> {
    let changed = tx.exec(
        "UPDATE account SET email = ?2 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM account a WHERE a.email = ?2 AND a.id <> ?1)",
        &[text(account), email.into()],
    )?;
    find_by(tx, account)?;
    Ok(changed == 1)
}

/// One account.
pub fn get(tx: &mut Tx<'_>, account: AccountId) -> Result<Option<Account>, DbError> {
    tx.one(select!("WHERE id = ?1"), &[text(account)], read)
}

/// The account of an address (lower case) and its password hash; not one that is only invited.
pub fn credentials(tx: &mut Tx<'_>, email: &str) -> Result<Option<(Account, String)>, DbError> {
    tx.one(
        "SELECT id, email, name, role, created_at_ms, signed_in_at_ms, number, password_hash FROM account
         WHERE email = ?1 AND password_hash <> ''",
        &[email.into()],
        |row| Ok((read(row)?, row.text(7)?)),
    )
}

/// Accounts that were made, newest first; those whose name, address or number has `part` in it, or all.
pub fn list(tx: &mut Tx<'_>, part: Option<&str>, keyset: &Keyset) -> Result<Vec<Account>, DbError> {
    let Some(part) = part else {
        return tx.all(
            select!("WHERE id < ?1 AND password_hash <> '' ORDER BY id DESC LIMIT ?2"),
            &[keyset.before(), keyset.limit()],
            read,
        );
    };
    let pattern = super::containing(part);
    tx.all(
        select!("WHERE search LIKE ?3 ESCAPE '!' AND id < ?1 AND password_hash <> '' ORDER BY id DESC LIMIT ?2"),
        &[keyset.before(), keyset.limit(), pattern.into()],
        read,
    )
}

/// Notes a sign-in.
pub fn signed_in(tx: &mut Tx<'_>, account: AccountId, now: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE account SET signed_in_at_ms = ?2 WHERE id = ?1", &[text(account), now.0.into()])?;
    Ok(())
}

/// Whether the password hash is still `hash`; the account is locked until the transaction ends.
pub fn has_password(tx: &mut Tx<'_>, account: AccountId, hash: &str) -> Result<bool, DbError> {
    let sql = "UPDATE account SET password_hash = ?2 WHERE id = ?1 AND password_hash = ?2";
    Ok(tx.exec(sql, &[text(account), hash.into()])? == 1)
}

/// Sets the password hash, whatever it was.
pub fn set_password(tx: &mut Tx<'_>, account: AccountId, new: &str) -> Result<(), DbError> {
    tx.exec("UPDATE account SET password_hash = ?2 WHERE id = ?1", &[text(account), new.into()])?;
    Ok(())
}

/// Replaces the password hash if it is still `old`; `false` if somebody else was faster.
pub fn replace_password(tx: &mut Tx<'_>, account: AccountId, old: &str, new: &str) -> Result<bool, DbError> {
    let changed = tx.exec(
        "UPDATE account SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2",
        &[text(account), old.into(), new.into()],
    )?;
    Ok(changed == 1)
}
