//! Table `api_token`: what programs act with, by the hash of its secret.

use super::{id, opt_ms, text, time};
use leasehold_core::access::TokenScope;
use leasehold_core::ids::{AccountId, TokenId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::TokenView;
use leasehold_wire::time::Time;

/// A token to be written.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// Its id.
    pub id: TokenId,
    /// SHA-256 of the secret, hex.
    pub token_sha256: String,
    /// For whom it acts.
    pub account: AccountId,
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<TokenScope>,
    /// When it was made.
    pub created_at: Ms,
    /// When it ends.
    pub expires_at: Ms,
}

/// A token that is good.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// Its id.
    pub id: TokenId,
    /// For whom it acts.
    pub account: AccountId,
    /// What it may be used for.
    pub scopes: Vec<TokenScope>,
    /// Last use, to the minute.
    pub used_at: Option<Ms>,
}

/// Scopes with blanks between them: as they are stored, and as OAuth names them.
pub fn scopes_text(scopes: &[TokenScope]) -> String {
    let words: Vec<&str> = scopes.iter().map(|scope| scope.word()).collect();
    words.join(" ")
}

pub(super) fn scopes(row: &Row<'_>, column: usize) -> Result<Vec<TokenScope>, DbError> {
    let words = row.str(column)?.split(' ').filter(|word| !word.is_empty());
    let read = |word| TokenScope::from_word(word).ok_or_else(|| super::damaged(column, "unknown scope"));
    words.map(read).collect()
}

/// Writes a token.
pub fn insert(tx: &mut Tx<'_>, new: &NewRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO api_token (id, token_sha256, account, name, scopes, created_at_ms, expires_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            text(new.id),
            (&new.token_sha256).into(),
            text(new.account),
            (&new.name).into(),
            scopes_text(&new.scopes).into(),
            new.created_at.0.into(),
            new.expires_at.0.into(),
        ],
    )?;
    Ok(())
}

/// The token of a secret, if it is good at `now`.
pub fn find(tx: &mut Tx<'_>, token_sha256: &str, now: Ms) -> Result<Option<TokenRow>, DbError> {
    tx.one(
        "SELECT id, account, scopes, used_at_ms FROM api_token WHERE token_sha256 = ?1 AND expires_at_ms > ?2",
        &[token_sha256.into(), now.0.into()],
        |row| Ok(TokenRow { id: id(row, 0)?, account: id(row, 1)?, scopes: scopes(row, 2)?, used_at: opt_ms(row, 3)? }),
    )
}

/// Notes that a token was used.
pub fn used(tx: &mut Tx<'_>, token: TokenId, now: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE api_token SET used_at_ms = ?2 WHERE id = ?1", &[text(token), now.0.into()])?;
    Ok(())
}

/// The tokens of an account that have not ended, newest first.
pub fn of_account(tx: &mut Tx<'_>, account: AccountId, now: Ms) -> Result<Vec<TokenView>, DbError> {
    tx.all(
        "SELECT id, name, scopes, created_at_ms, expires_at_ms, used_at_ms FROM api_token
         WHERE account = ?1 AND expires_at_ms > ?2 ORDER BY id DESC",
        &[text(account), now.0.into()],
        |row| {
            Ok(TokenView {
                id: id(row, 0)?,
                name: row.text(1)?,
                scopes: scopes(row, 2)?,
                created_at: time(row, 3)?,
                expires_at: time(row, 4)?,
                used_at: opt_ms(row, 5)?.map(Time),
            })
        },
    )
}

/// Ends a token of an account; `false` if it has none such.
pub fn end(tx: &mut Tx<'_>, account: AccountId, token: TokenId) -> Result<bool, DbError> {
    let sql = "DELETE FROM api_token WHERE id = ?1 AND account = ?2";
    Ok(tx.exec(sql, &[text(token), text(account)])? == 1)
}

/// Ends all tokens of an account.
pub fn end_all(tx: &mut Tx<'_>, account: AccountId) -> Result<u64, DbError> {
    tx.exec("DELETE FROM api_token WHERE account = ?1", &[text(account)])
}

/// Removes tokens that have ended.
pub fn sweep(tx: &mut Tx<'_>, now: Ms) -> Result<u64, DbError> {
    tx.exec("DELETE FROM api_token WHERE expires_at_ms <= ?1", &[now.0.into()])
}
