//! Table `product`.

use super::{Keyset, id, json, text, time, to_json, whole, word};
use leasehold_core::ids::ProductId;
use leasehold_core::license::Share;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::Product;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, code, name, share, features, created_at_ms, online_term_s, borrow_days_max, return_at_end, write_offs
             FROM product ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<Product, DbError> {
    Ok(Product {
        id: id(row, 0)?,
        code: row.text(1)?,
        name: row.text(2)?,
        share: word(row, 3, Share::from_word)?,
        features: json(row, 4)?,
        created_at: time(row, 5)?,
        online_term_s: whole(row, 6)?,
        borrow_days_max: whole(row, 7)?,
        return_at_end: row.bool(8)?,
        write_offs: whole(row, 9)?,
    })
}

/// Writes a product; `false` if its code is taken.
pub fn insert(tx: &mut Tx<'_>, new: &Product) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO product (id, code, name, share, features, created_at_ms, online_term_s, borrow_days_max, return_at_end,
                              write_offs)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (code) DO NOTHING",
        &[
            text(new.id),
            (&new.code).into(),
            (&new.name).into(),
            new.share.word().into(),
            to_json(&new.features)?,
            new.created_at.0.0.into(),
            new.online_term_s.into(),
            new.borrow_days_max.into(),
            new.return_at_end.into(),
            new.write_offs.into(),
        ],
    )?;
    Ok(written == 1)
}

/// Changes what may change of a product.
pub fn update(tx: &mut Tx<'_>, product: &Product) -> Result<(), DbError> {
    tx.exec(
        "UPDATE product SET name = ?2, share = ?3, features = ?4, online_term_s = ?5, borrow_days_max = ?6,
                            return_at_end = ?7, write_offs = ?8
         WHERE id = ?1",
        &[
            text(product.id),
            (&product.name).into(),
            product.share.word().into(),
            to_json(&product.features)?,
            product.online_term_s.into(),
            product.borrow_days_max.into(),
            product.return_at_end.into(),
            product.write_offs.into(),
        ],
    )?;
    Ok(())
}

/// Locks a product until the transaction ends, so that a change of one field cannot undo another's; `false` if there is
/// none.
pub fn lock(tx: &mut Tx<'_>, product: ProductId) -> Result<bool, DbError> {
    Ok(tx.exec("UPDATE product SET name = name WHERE id = ?1", &[text(product)])? == 1)
}

/// The longest time for which an online license server of any product goes on without the portal, in seconds.
pub fn longest_online_term_s(tx: &mut Tx<'_>) -> Result<i64, DbError> {
    Ok(tx.one("SELECT COALESCE(MAX(online_term_s), 0) FROM product", &[], |row| row.int(0))?.unwrap_or(0))
}

/// One product.
pub fn get(tx: &mut Tx<'_>, product: ProductId) -> Result<Option<Product>, DbError> {
    tx.one(select!("WHERE id = ?1"), &[text(product)], read)
}

/// Products, newest first.
pub fn list(tx: &mut Tx<'_>, keyset: &Keyset) -> Result<Vec<Product>, DbError> {
    tx.all(select!("WHERE id < ?1 ORDER BY id DESC LIMIT ?2"), &[keyset.before(), keyset.limit()], read)
}
