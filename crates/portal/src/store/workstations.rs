//! Tables `workstation` and `activation_request`.

use super::{Keyset, id, ms, rev, text, whole, word};
use leasehold_core::ids::{AccountId, ProductId, RequestId, WorkstationId};
use leasehold_core::license::{Mode, Scope};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::{AccountRef, WorkstationStatus};
use serde::{Deserialize, Serialize};

/// A workstation as it is stored. Also what `grants.log` keeps of it, so that a restore can make it anew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorkstationRow {
    /// Its id.
    pub id: WorkstationId,
    /// Whose.
    pub owner: AccountId,
    /// Its name.
    pub name: String,
    /// RFC 7638 thumbprint of its key.
    pub key_thumbprint: String,
    /// Its key: SPKI in PEM.
    pub public_key: String,
    /// Its certificate: PEM.
    pub certificate: String,
    /// Newest document that the server said it obeys; documents before it are void.
    pub acknowledged_rev: u64,
    /// Newest document.
    pub newest_rev: u64,
    /// The next document gets a higher number than this as well: a document that this portal does not know may have it.
    #[serde(default)]
    pub rev_floor: u64,
    /// Whether it gets documents.
    #[serde(with = "status_word")]
    pub status: WorkstationStatus,
    /// Host name that the server told; hostile text.
    pub host: String,
    /// Fingerprint of its machine that the server told, to which documents are bound; empty if it told none. Hostile
    /// text.
    #[serde(default)]
    pub machine: String,
    /// Version that the server told; hostile text.
    pub server_version: String,
    /// When the server made the newest request file that was used, by the server's clock, but never later than it was
    /// used.
    pub requested_at: Ms,
    /// First activation.
    pub created_at: Ms,
    /// How it gets its documents.
    #[serde(default = "by_file")]
    pub mode: Mode,
    /// For whom it works.
    #[serde(default = "for_organization")]
    pub scope: Scope,
}

fn by_file() -> Mode {
    Mode::File
}

fn for_organization() -> Scope {
    Scope::Organization
}

mod status_word {
    use leasehold_wire::portal::WorkstationStatus;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(status: &WorkstationStatus, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(status.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<WorkstationStatus, D::Error> {
        let word = String::deserialize(from)?;
        WorkstationStatus::from_word(&word).ok_or_else(|| D::Error::custom("unknown status"))
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT w.id, w.owner, w.name, w.key_thumbprint, w.public_key, w.certificate, w.acknowledged_rev, w.newest_rev,
                    w.status, w.host, w.server_version, w.requested_at_ms, w.created_at_ms, w.machine, w.rev_floor, a.name, a.email,
                    w.mode, w.scope
             FROM workstation w LEFT JOIN account a ON a.id = w.owner ",
            $rest
        )
    };
}

/// A workstation and how its owner is called (empty if the account is younger than a restored backup).
#[derive(Clone, Debug)]
pub struct Owned {
    /// The workstation.
    pub row: WorkstationRow,
    /// Its owner.
    pub owner: AccountRef,
}

fn read(row: &Row<'_>) -> Result<Owned, DbError> {
    let workstation = WorkstationRow {
        id: id(row, 0)?,
        owner: id(row, 1)?,
        name: row.text(2)?,
        key_thumbprint: row.text(3)?,
        public_key: row.text(4)?,
        certificate: row.text(5)?,
        acknowledged_rev: whole(row, 6)?,
        newest_rev: whole(row, 7)?,
        status: word(row, 8, WorkstationStatus::from_word)?,
        host: row.text(9)?,
        server_version: row.text(10)?,
        requested_at: ms(row, 11)?,
        created_at: ms(row, 12)?,
        machine: row.text(13)?,
        rev_floor: whole(row, 14)?,
        mode: word(row, 17, Mode::from_word)?,
        scope: word(row, 18, Scope::from_word)?,
    };
    let owner = AccountRef {
        id: workstation.owner,
        name: row.opt_text(15)?.unwrap_or_default(),
        email: row.opt_text(16)?.unwrap_or_default(),
    };
    Ok(Owned { row: workstation, owner })
}

/// Writes a workstation; `false` if its id or its key is known.
pub fn insert(tx: &mut Tx<'_>, new: &WorkstationRow) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO workstation (id, owner, name, key_thumbprint, public_key, certificate, acknowledged_rev, newest_rev,
                                  status, host, server_version, requested_at_ms, created_at_ms, machine, rev_floor, mode, scope, version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 0) ON CONFLICT DO NOTHING",
        &[
            text(new.id),
            text(new.owner),
            (&new.name).into(),
            (&new.key_thumbprint).into(),
            (&new.public_key).into(),
            (&new.certificate).into(),
            rev(new.acknowledged_rev),
            rev(new.newest_rev),
            new.status.word().into(),
            (&new.host).into(),
            (&new.server_version).into(),
            new.requested_at.0.into(),
            new.created_at.0.into(),
            (&new.machine).into(),
            rev(new.rev_floor),
            new.mode.word().into(),
            new.scope.word().into(),
        ],
    )?;
    Ok(written == 1)
}

/// Writes what may change of a workstation. The caller has it locked.
pub fn update(tx: &mut Tx<'_>, row: &WorkstationRow) -> Result<(), DbError> {
    tx.exec(
        "UPDATE workstation SET name = ?2, acknowledged_rev = ?3, newest_rev = ?4, status = ?5, host = ?6,
                server_version = ?7, requested_at_ms = ?8, machine = ?9, rev_floor = ?10, mode = ?11, scope = ?12
         WHERE id = ?1",
        &[
            text(row.id),
            (&row.name).into(),
            rev(row.acknowledged_rev),
            rev(row.newest_rev),
            row.status.word().into(),
            (&row.host).into(),
            (&row.server_version).into(),
            row.requested_at.0.into(),
            (&row.machine).into(),
            rev(row.rev_floor),
            row.mode.word().into(),
            row.scope.word().into(),
        ],
    )?;
    Ok(())
}

/// Skips numbers that may have been given and are not known here, for every workstation: above what is known to be
/// given and above what was skipped before, as a portal restored twice may have given a number past its first skip.
pub fn skip_numbers(tx: &mut Tx<'_>, by: u64) -> Result<(), DbError> {
    tx.exec(
        "UPDATE workstation SET rev_floor = CASE WHEN rev_floor > newest_rev THEN rev_floor ELSE newest_rev END + ?1",
        &[rev(by)],
    )?;
    Ok(())
}

/// Locks a workstation until the transaction ends and reads it. After the licenses, never before them.
pub fn lock(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Option<Owned>, DbError> {
    tx.exec("UPDATE workstation SET version = version + 1 WHERE id = ?1", &[text(workstation)])?;
    get(tx, workstation)
}

/// One workstation.
pub fn get(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Option<Owned>, DbError> {
    tx.one(select!("WHERE w.id = ?1"), &[text(workstation)], read)
}

/// The workstation with a key.
pub fn by_key(tx: &mut Tx<'_>, key_thumbprint: &str) -> Result<Option<Owned>, DbError> {
    tx.one(select!("WHERE w.key_thumbprint = ?1"), &[key_thumbprint.into()], read)
}

/// Everybody's workstations, newest first.
pub fn list(tx: &mut Tx<'_>, keyset: &Keyset) -> Result<Vec<Owned>, DbError> {
    tx.all(select!("WHERE w.id < ?1 ORDER BY w.id DESC LIMIT ?2"), &[keyset.before(), keyset.limit()], read)
}

/// The workstations of one account, newest first; `shared`: without those that work for the account's own person.
pub fn list_of(tx: &mut Tx<'_>, owner: AccountId, shared: bool, keyset: &Keyset) -> Result<Vec<Owned>, DbError> {
    let all = [Scope::Organization, if shared { Scope::Organization } else { Scope::Person }];
    tx.all(
        select!("WHERE w.owner = ?1 AND w.id < ?2 AND w.scope IN (?4, ?5) ORDER BY w.id DESC LIMIT ?3"),
        &[text(owner), keyset.before(), keyset.limit(), all[0].word().into(), all[1].word().into()],
        read,
    )
}

/// Whether any workstation was ever enabled online and has not given up.
pub fn any_online(tx: &mut Tx<'_>) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM workstation WHERE mode = 'online' AND status <> 'released' LIMIT 1";
    Ok(tx.one(sql, &[], |_| Ok(()))?.is_some())
}

/// The workstations of an account that are online and work for it in a way.
pub fn online_of(tx: &mut Tx<'_>, owner: AccountId, scope: Scope) -> Result<Vec<WorkstationId>, DbError> {
    tx.all(
        "SELECT id FROM workstation WHERE owner = ?1 AND scope = ?2 AND mode = 'online' AND status = 'active' ORDER BY id",
        &[text(owner), scope.word().into()],
        |row| id(row, 0),
    )
}

/// The online workstations that may have seats of licenses of a product, in order.
pub fn online_with(tx: &mut Tx<'_>, product: ProductId) -> Result<Vec<WorkstationId>, DbError> {
    tx.all(
        "SELECT w.id FROM workstation w WHERE w.mode = 'online' AND w.status = 'active' AND EXISTS (
             SELECT 1 FROM license l WHERE l.product = ?1 AND (l.owner = w.owner OR EXISTS (
                 SELECT 1 FROM assignment a WHERE a.license = l.id AND a.account = w.owner))) ORDER BY w.id",
        &[text(product)],
        |row| id(row, 0),
    )
}

/// Remembers a request file; `false` if it was used before.
pub fn use_request(tx: &mut Tx<'_>, request: RequestId, workstation: WorkstationId, now: Ms) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO activation_request (id, workstation, used_at_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        &[text(request), text(workstation), now.0.into()],
    )?;
    Ok(written == 1)
}

/// When and for which workstation a request file was used.
pub fn request_used(tx: &mut Tx<'_>, request: RequestId) -> Result<Option<(WorkstationId, Ms)>, DbError> {
    tx.one("SELECT workstation, used_at_ms FROM activation_request WHERE id = ?1", &[text(request)], |row| {
        Ok((id(row, 0)?, ms(row, 1)?))
    })
}
