//! Table `license`. Its `version` is the row lock that means the same on both databases.

use super::{Keyset, id, json, ms, opt_id, opt_ms, text, time, to_json, whole, word};
use leasehold_core::ids::{AccountId, LicenseId, OrganizationId};
use leasehold_core::license::{Channel, Kind, Scope, Term};
use leasehold_core::sync::Shared;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx, Value};
use leasehold_wire::portal::{AccountRef, Product, ProductRef};

/// A license with its owner and product.
#[derive(Clone, Debug)]
pub struct LicenseRow {
    /// Its id.
    pub id: LicenseId,
    /// The vendor's own mark.
    pub label: String,
    /// Whose.
    pub owner: AccountRef,
    /// Of what, as it is now.
    pub product: Product,
    /// Seats bought.
    pub seats: u32,
    /// Floating or named.
    pub kind: Kind,
    /// In which way it was given out.
    pub channel: Channel,
    /// Until when it runs.
    pub term: Term,
    /// When it begins.
    pub starts_at: Ms,
    /// When the vendor ended it early.
    pub ended_at: Option<Ms>,
    /// When it was made.
    pub created_at: Ms,
    /// The organization whose it is, which its owner owns; without one it is its owner's own person's.
    pub organization: Option<OrganizationId>,
    /// More of it may be given although the portal was restored and does not know yet what is out.
    pub raise_while_learning: bool,
}

impl LicenseRow {
    /// What decides who may have seats of it.
    pub fn shared(&self) -> Shared {
        Shared { owner: self.owner.id, of_organization: self.organization.is_some(), kind: self.kind }
    }

    /// What tells it from others of its product: with the vendor's own word for it, if there is one.
    pub fn called(&self) -> String {
        match self.label.as_str() {
            "" => self.product.name.clone(),
            label => format!("{} ({label})", self.product.name),
        }
    }

    /// The product as it is named inside other things.
    pub fn product_ref(&self) -> ProductRef {
        ProductRef { id: self.product.id, code: self.product.code.clone(), name: self.product.name.clone() }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, l.label, a.id, a.name, a.email, l.seats, l.kind, l.channel, l.term, l.starts_at_ms,
                    l.ended_at_ms, l.created_at_ms, p.id, p.code, p.name, p.share, p.features, p.created_at_ms,
                    p.online_term_s, l.organization, l.raise_while_learning, p.borrow_days_max, p.return_at_end, p.write_offs
             FROM license l JOIN account a ON a.id = l.owner JOIN product p ON p.id = l.product ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<LicenseRow, DbError> {
    Ok(LicenseRow {
        id: id(row, 0)?,
        label: row.text(1)?,
        owner: AccountRef { id: id(row, 2)?, name: row.text(3)?, email: row.text(4)? },
        seats: whole(row, 5)?,
        kind: word(row, 6, Kind::from_word)?,
        channel: word(row, 7, Channel::from_word)?,
        term: json(row, 8)?,
        starts_at: ms(row, 9)?,
        ended_at: opt_ms(row, 10)?,
        created_at: ms(row, 11)?,
        product: Product {
            id: id(row, 12)?,
            code: row.text(13)?,
            name: row.text(14)?,
            share: word(row, 15, leasehold_core::license::Share::from_word)?,
            features: json(row, 16)?,
            created_at: time(row, 17)?,
            online_term_s: whole(row, 18)?,
            borrow_days_max: whole(row, 21)?,
            return_at_end: row.bool(22)?,
            write_offs: whole(row, 23)?,
        },
        organization: opt_id(row, 19)?,
        raise_while_learning: row.bool(20)?,
    })
}

/// Writes a license.
pub fn insert(tx: &mut Tx<'_>, new: &LicenseRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO license (id, label, owner, product, seats, kind, channel, term, starts_at_ms, created_at_ms,
                              raise_while_learning, organization, version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0)",
        &[
            text(new.id),
            (&new.label).into(),
            text(new.owner.id),
            text(new.product.id),
            new.seats.into(),
            new.kind.word().into(),
            new.channel.word().into(),
            to_json(&new.term)?,
            new.starts_at.0.into(),
            new.created_at.0.into(),
            new.raise_while_learning.into(),
            new.organization.map_or(Value::Null, text),
        ],
    )?;
    Ok(())
}

/// Locks a license until the transaction ends; `false` if there is none. Whoever locks several takes them in the order
/// of their ids, and all of them before any workstation.
pub fn lock(tx: &mut Tx<'_>, license: LicenseId) -> Result<bool, DbError> {
    Ok(tx.exec("UPDATE license SET version = version + 1 WHERE id = ?1", &[text(license)])? == 1)
}

/// The licenses of an account in the order in which they are locked.
pub fn ids_of(tx: &mut Tx<'_>, owner: AccountId) -> Result<Vec<LicenseId>, DbError> {
    tx.all("SELECT id FROM license WHERE owner = ?1 ORDER BY id", &[text(owner)], |row| id(row, 0))
}

/// Of these, those that a workstation may have seats of that works for the account in that way.
pub fn ids_for(tx: &mut Tx<'_>, owner: AccountId, scope: Scope) -> Result<Vec<LicenseId>, DbError> {
    let sql = match scope {
        Scope::Person => return ids_of(tx, owner),
        Scope::Organization => "SELECT id FROM license WHERE owner = ?1 AND organization IS NOT NULL ORDER BY id",
    };
    tx.all(sql, &[text(owner)], |row| id(row, 0))
}

/// One license.
pub fn get(tx: &mut Tx<'_>, license: LicenseId) -> Result<Option<LicenseRow>, DbError> {
    tx.one(select!("WHERE l.id = ?1"), &[text(license)], read)
}

/// The licenses of an account in the order in which they are locked.
pub fn all_of(tx: &mut Tx<'_>, owner: AccountId) -> Result<Vec<LicenseRow>, DbError> {
    tx.all(select!("WHERE l.owner = ?1 ORDER BY l.id"), &[text(owner)], read)
}

/// Everybody's licenses, newest first.
pub fn list(tx: &mut Tx<'_>, keyset: &Keyset) -> Result<Vec<LicenseRow>, DbError> {
    tx.all(select!("WHERE l.id < ?1 ORDER BY l.id DESC LIMIT ?2"), &[keyset.before(), keyset.limit()], read)
}

/// The licenses of one account, newest first; `shared`: only those of its organization.
pub fn list_of(tx: &mut Tx<'_>, owner: AccountId, shared: bool, keyset: &Keyset) -> Result<Vec<LicenseRow>, DbError> {
    let own = [text(owner), keyset.before(), keyset.limit()];
    match shared {
        false => tx.all(select!("WHERE l.owner = ?1 AND l.id < ?2 ORDER BY l.id DESC LIMIT ?3"), &own, read),
        true => tx.all(
            select!("WHERE l.owner = ?1 AND l.id < ?2 AND l.organization IS NOT NULL ORDER BY l.id DESC LIMIT ?3"),
            &own,
            read,
        ),
    }
}

/// Changes how many seats were bought.
pub fn set_seats(tx: &mut Tx<'_>, license: LicenseId, seats: u32) -> Result<(), DbError> {
    tx.exec("UPDATE license SET seats = ?2 WHERE id = ?1", &[text(license), seats.into()])?;
    Ok(())
}

/// Lets more of a license be given while the portal learns what is out.
pub fn set_raise_while_learning(tx: &mut Tx<'_>, license: LicenseId) -> Result<(), DbError> {
    tx.exec("UPDATE license SET raise_while_learning = 1 WHERE id = ?1", &[text(license)])?;
    Ok(())
}

/// Nothing more of any license is given while the portal learns what is out.
pub fn raise_none_while_learning(tx: &mut Tx<'_>) -> Result<(), DbError> {
    tx.exec("UPDATE license SET raise_while_learning = 0 WHERE raise_while_learning = 1", &[])?;
    Ok(())
}

/// Ends a license; `false` if it was ended before.
pub fn end(tx: &mut Tx<'_>, license: LicenseId, now: Ms) -> Result<bool, DbError> {
    let ended = tx.exec(
        "UPDATE license SET ended_at_ms = ?2 WHERE id = ?1 AND ended_at_ms IS NULL",
        &[text(license), now.0.into()],
    )?;
    Ok(ended == 1)
}
