//! Migrations: one list for both databases, each in a transaction, recorded with its checksum.

use crate::tx::refuse_transaction_control;
use crate::{Db, DbError, Tx};

/// One step of a schema. Once released, its text never changes.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Position in the list, counted from 1 without gaps.
    pub version: i64,
    /// A few words for people.
    pub name: &'static str,
    /// Statements in the dialect that both databases read.
    pub sql: &'static str,
}

/// All steps of a schema, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Migrations(pub &'static [Migration]);

struct Applied {
    version: i64,
    checksum: String,
}

impl Db {
    /// Brings the schema up to the end of `list` and returns how many steps that took. Several
    /// processes may do so at once.
    ///
    /// # Errors
    /// [`DbError::NewerSchema`] and [`DbError::MigrationChanged`], both with nothing changed;
    /// [`DbError::Misuse`] for a faulty list; else the error of the step that failed, which was
    /// rolled back alone.
    pub fn migrate(&self, list: Migrations) -> Result<usize, DbError> {
        check_list(list)?;
        let applied = self.write(move |tx| begin_step(tx, list))?;
        let mut steps = 0;
        for migration in list.0.iter().skip(applied) {
            let took = self.write(move |tx| apply(tx, list, migration))?;
            if took {
                tracing::info!(version = migration.version, name = migration.name, "migrated the database");
                steps += 1;
            }
        }
        Ok(steps)
    }
}

impl Db {
    /// Whether no list of migrations was ever applied: an empty database.
    ///
    /// # Errors
    /// What the database said.
    pub fn is_new(&self) -> Result<bool, DbError> {
        self.read(|tx| {
            let sql = tx.dialect(
                "SELECT 1 FROM sqlite_master WHERE name = 'leasehold_schema'",
                "SELECT 1 WHERE to_regclass('leasehold_schema') IS NOT NULL",
            );
            Ok(tx.one(sql, &[], |_| Ok(()))?.is_none())
        })
    }
}

/// Takes the migration lock, makes the record if missing, and returns how many steps it holds.
fn begin_step(tx: &mut Tx<'_>, list: Migrations) -> Result<usize, DbError> {
    // SQLite's write transaction is its own lock. Another process may migrate for minutes.
    for sql in tx.dialect(&[][..], &["SET LOCAL lock_timeout = 0", "SELECT pg_advisory_xact_lock(4918254617326)"][..]) {
        tx.exec(sql, &[])?;
    }
    tx.exec(
        "CREATE TABLE IF NOT EXISTS leasehold_schema (
           version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)",
        &[],
    )?;
    let applied = tx.all("SELECT version, checksum FROM leasehold_schema ORDER BY version", &[], |row| {
        Ok(Applied { version: row.int(0)?, checksum: row.text(1)? })
    })?;
    let known = list.0.last().map_or(0, |migration| migration.version);
    if let Some(newest) = applied.last()
        && newest.version > known
    {
        let place = tx.dialect("data folder", "database");
        return Err(DbError::NewerSchema { place, found: newest.version, known });
    }
    for (migration, applied) in list.0.iter().zip(&applied) {
        if migration.version != applied.version || checksum(migration) != applied.checksum {
            let (version, name) = (migration.version, migration.name.to_owned());
            return Err(DbError::MigrationChanged { version, name });
        }
    }
    Ok(applied.len())
}

/// Applies one step, unless another process did so meanwhile.
fn apply(tx: &mut Tx<'_>, list: Migrations, migration: &'static Migration) -> Result<bool, DbError> {
    if list.0.get(begin_step(tx, list)?).map(|next| next.version) != Some(migration.version) {
        return Ok(false);
    }
    tx.script(migration.sql)?;
    tx.exec(
        "INSERT INTO leasehold_schema (version, name, checksum) VALUES (?1, ?2, ?3)",
        &[migration.version.into(), migration.name.into(), checksum(migration).into()],
    )?;
    Ok(true)
}

fn check_list(list: Migrations) -> Result<(), DbError> {
    for (migration, version) in list.0.iter().zip(1_i64..) {
        if migration.version != version {
            let found = migration.version;
            return Err(DbError::Misuse(format!("migration {found} stands where {version} is expected")));
        }
        // A constraint that fails only at COMMIT would fail a whole batch and stop the writer.
        let sql = migration.sql.to_ascii_uppercase();
        if sql.contains("DEFERRABLE") || sql.contains("INITIALLY DEFERRED") {
            return Err(DbError::Misuse(format!("migration {version} has a deferrable constraint")));
        }
        migration.sql.split(';').try_for_each(refuse_transaction_control)?;
    }
    Ok(())
}

/// FNV-1a over the text: it guards against an edited migration, not against a forger, who could
/// write the record as well. Carriage returns are left out, since a checkout may add them.
fn checksum(migration: &Migration) -> String {
    let hash = migration
        .sql
        .bytes()
        .filter(|byte| *byte != b'\r')
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
