//! What the command line does with a data folder: make it, add an operator, migrate, back up, restore.

use crate::config::{self, Config, ConfigError};
use crate::failure::Failure;
use crate::grants_log::{self, GrantsLog};
use crate::keys::{self, KeysError};
use crate::mail::Mailer;
use crate::service::restore::{Adoption, adopt, note_restored};
use crate::service::{accounts, health, ownership};
use crate::store::schema::MIGRATIONS;
use crate::{Parts, Portal, Site};
use leasehold_core::random::Random;
use leasehold_core::text::TextError;
use leasehold_core::time::{Clock, Ms};
use leasehold_db::{DatabaseUrl, Db, DbError};
use leasehold_host::{FileError, FolderLock, LockError, private_file};
use leasehold_trust::{Vendor, VendorRoot};
use leasehold_wire::portal::{Account, Organization};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// 2026-11-01: no clock that is right says anything earlier to this build.
const EARLIEST: Ms = Ms(1_793_491_200_000);
/// Characters that the root's passphrase must have at least.
pub const PASSPHRASE_CHARS_MIN: usize = 12;

/// Why the data folder cannot be used. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder is in use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The vendor's keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// There is something in the folder already.
    #[error("{} is there already, and nothing in it was changed. Name a new folder", folder.display())]
    Used {
        /// The folder.
        folder: PathBuf,
    },
    /// A copy would lie in what it is a copy of.
    #[error("{} is inside of the data folder. Name a folder elsewhere, on another disk if there is one", folder.display())]
    Inside {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no database any more.
    #[error(
        "the database is empty, but {} tells of documents that were issued: a portal that began anew would sell their seats \
         a second time. Restore the last backup with `leasehold portal restore --grants-log {}` into a new folder (PostgreSQL: \
         first the database, with its own tools)",
        log.display(),
        log.display()
    )]
    DatabaseLost {
        /// The log.
        log: PathBuf,
    },
    /// A folder or file cannot be made, read or written.
    #[error("{} cannot be used ({source}). Check the path, the permissions and the free space", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The vendor's name cannot be one.
    #[error("the vendor's name {0}")]
    Name(TextError),
    /// The passphrase is too short.
    #[error("the passphrase for the root's key must have at least {PASSPHRASE_CHARS_MIN} characters")]
    Passphrase,
    /// The machine's clock is wrong.
    #[error(
        "this machine's clock says {now}, which is before this program was made: certificates from it would be wrong for \
         ever. Set the clock right (NTP), then do it again"
    )]
    ClockWrong {
        /// What it says.
        now: String,
    },
    /// The folder is not a backup.
    #[error("{} is not a backup of a portal: it has no {missing}. Name a folder that `leasehold portal backup` made", folder.display())]
    NotABackup {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// A use case refused.
    #[error("{0}")]
    Failed(String),
}

impl From<Failure> for AdminError {
    fn from(failure: Failure) -> AdminError {
        match failure {
            Failure::Db(error) => AdminError::Db(error),
            other => AdminError::Failed(other.problem().to_string()),
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> AdminError {
    let path = path.to_owned();
    move |source| AdminError::Io { path, source }
}

/// Makes a folder that only its owner may enter, or takes an empty one.
fn make_empty(folder: &Path) -> Result<(), AdminError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => {}
            Some(_) => return Err(AdminError::Used { folder: folder.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(folder).map_err(at(folder))?,
        Err(error) => return Err(at(folder)(error)),
    }
    make_private(folder)
}

fn make_private(folder: &Path) -> Result<(), AdminError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(at(folder))?;
    }
    Ok(())
}

fn make_keys_folder(data: &Path) -> Result<(), AdminError> {
    let folder = data.join(keys::FOLDER);
    fs::create_dir(&folder).map_err(at(&folder))?;
    make_private(&folder)
}

/// What `init` made.
#[derive(Clone, Debug)]
pub struct InitReport {
    /// The data folder.
    pub folder: PathBuf,
    /// What applications and license servers trust: may be given to anybody.
    pub root_certificate: PathBuf,
    /// SHA-256 of the root certificate as people compare it, `AB:CD:...`.
    pub root_fingerprint: String,
    /// The same in hex.
    pub root_fingerprint_sha256: String,
    /// The root's key, behind the passphrase: move it off this machine.
    pub root_key: PathBuf,
}

/// Makes a new vendor and its data folder. `passphrase` protects the root's key, at least [`PASSPHRASE_CHARS_MIN`]
/// characters. Keys come from the cryptography library's own randomness.
pub fn init(dir: &Path, vendor: &str, passphrase: &str, clock: &dyn Clock) -> Result<InitReport, AdminError> {
    let now = clock.wall();
    if now < EARLIEST {
        return Err(AdminError::ClockWrong { now: now.rfc3339() });
    }
    if passphrase.chars().count() < PASSPHRASE_CHARS_MIN {
        return Err(AdminError::Passphrase);
    }
    let made = Vendor::create(vendor, now).map_err(AdminError::Name)?;
    let root = VendorRoot::from_pem(&made.root_certificate_pem).map_err(|why| AdminError::Failed(why.to_string()))?;
    make_empty(dir)?;
    let _lock = FolderLock::acquire(dir)?;
    if let Err(error) = make_data(dir, &made, passphrase) {
        // So that it can be done again in the same place. What cannot be removed is named by the next try.
        let _ = unmake_data(dir);
        return Err(error);
    }
    let folder = dir.join(keys::FOLDER);
    Ok(InitReport {
        folder: dir.to_owned(),
        root_certificate: folder.join(keys::ROOT_CERTIFICATE),
        root_fingerprint: root.fingerprint_text(),
        root_fingerprint_sha256: root.fingerprint_sha256_hex(),
        root_key: folder.join(keys::ROOT_KEY),
    })
}

fn make_data(dir: &Path, made: &Vendor, passphrase: &str) -> Result<(), AdminError> {
    make_keys_folder(dir)?;
    keys::write(dir, made, passphrase)?;
    // Last of the files: a folder without it is no data folder.
    private_file::write_once(&dir.join(config::FILE), config::TEMPLATE.as_bytes())?;
    let config = Config::load(dir)?;
    Db::open(&config.database)?.migrate(MIGRATIONS)?;
    GrantsLog::open(&config.grants_log).map_err(at(&config.grants_log))?;
    Ok(private_file::sync_folder(dir)?)
}

/// Removes what [`make_data`] made in a folder that was empty before.
fn unmake_data(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Opens the portal of a data folder: migrates, loads the keys, and brings `grants.log` up to date. Whoever serves has
/// the folder locked.
pub fn open(config: &Config, clock: Arc<dyn Clock>, random: Box<dyn Random>) -> Result<Portal, AdminError> {
    let signer = keys::load(&config.folder, clock.wall())?;
    let db = open_database(config)?;
    db.migrate(MIGRATIONS)?;
    let grants_log = GrantsLog::open(&config.grants_log).map_err(at(&config.grants_log))?;
    let mailer = config.mail.as_ref().map(Mailer::new).transpose().map_err(|why| ConfigError::Invalid {
        path: config.folder.join(config::FILE),
        why: format!("[mail]: {why}"),
    })?;
    let site = Site { base_url: config.base_url(), mailer };
    let portal = Portal::new(Parts { db, signer, grants_log, clock, random, site });
    grants_log::catch_up(&portal)?;
    health::compare_clocks(&portal)?;
    Ok(portal)
}

/// Makes an operator's account. The portal may be running.
pub fn create_operator(
    dir: &Path,
    email: &str,
    name: &str,
    password: &str,
    clock: Arc<dyn Clock>,
    random: Box<dyn Random>,
) -> Result<Account, AdminError> {
    let portal = open(&Config::load(dir)?, clock, random)?;
    Ok(accounts::create_operator(&portal, email, name, password)?)
}

/// Sets somebody's password and ends all their sign-ins. The portal may be running.
pub fn set_password(
    dir: &Path,
    email: &str,
    password: &str,
    clock: Arc<dyn Clock>,
    random: Box<dyn Random>,
) -> Result<Account, AdminError> {
    let portal = open(&Config::load(dir)?, clock, random)?;
    Ok(accounts::set_password(&portal, email, password)?)
}

/// Makes somebody the owner of the organization of somebody who is gone. The portal may be running.
pub fn pass_organization(
    dir: &Path,
    from: &str,
    to: &str,
    clock: Arc<dyn Clock>,
    random: Box<dyn Random>,
) -> Result<Organization, AdminError> {
    let portal = open(&Config::load(dir)?, clock, random)?;
    Ok(ownership::pass_on(&portal, from, to)?)
}

/// Brings the database up to this build; answers how many steps that took.
pub fn migrate(dir: &Path) -> Result<usize, AdminError> {
    let config = Config::load(dir)?;
    let _lock = FolderLock::acquire(dir)?;
    Ok(open_database(&config)?.migrate(MIGRATIONS)?)
}

fn open_database(config: &Config) -> Result<Db, AdminError> {
    let db = Db::open(&config.database)?;
    // A log of issued documents beside a database that never issued one: the database was lost, and one that began anew
    // would sell every seat a second time.
    let issued = fs::metadata(&config.grants_log).is_ok_and(|log| log.len() > 0);
    if issued && db.is_new()? {
        return Err(AdminError::DatabaseLost { log: config.grants_log.clone() });
    }
    Ok(db)
}

/// What a backup holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackupReport {
    /// Whether the database is in it. PostgreSQL is backed up with its own tools, at the same time.
    pub database: bool,
}

/// Copies the data folder into the new folder `to`, consistently, while the portal runs: database, settings, `grants.log`
/// and the keys that a running portal needs (not the root's).
pub fn backup(dir: &Path, to: &Path) -> Result<BackupReport, AdminError> {
    let config = Config::load(dir)?;
    let absolute = |path: &Path| std::path::absolute(path).map_err(at(path));
    if absolute(to)?.starts_with(absolute(dir)?) {
        return Err(AdminError::Inside { folder: to.to_owned() });
    }
    if to.exists() {
        return Err(AdminError::Used { folder: to.to_owned() });
    }
    // Under another name until it is whole.
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    let unfinished = to.with_file_name(name);
    make_empty(&unfinished)?;
    make_keys_folder(&unfinished)?;
    let database = matches!(config.database, DatabaseUrl::Sqlite(_));
    if database {
        Db::open(&config.database)?.backup_to(unfinished.join(config::DATABASE_FILE))?;
    }
    // After the database: a document in the log that the database lacks is adopted by a restore.
    copy(&config.grants_log, &unfinished.join(config::GRANTS_LOG_FILE))?;
    copy_settings(dir, &unfinished)?;
    private_file::sync_folder(&unfinished)?;
    fs::rename(&unfinished, to).map_err(at(to))?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_file::sync_folder(parent)?;
    Ok(BackupReport { database })
}

/// A private, flushed copy; replaces nothing.
fn copy(from: &Path, to: &Path) -> Result<(), AdminError> {
    let mut source = fs::File::open(from).map_err(at(from))?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut target = options.open(to).map_err(at(to))?;
    io::copy(&mut source, &mut target).and_then(|_| target.sync_all()).map_err(at(to))
}

fn copy_settings(from: &Path, to: &Path) -> Result<(), AdminError> {
    copy(&from.join(config::FILE), &to.join(config::FILE))?;
    let (keys_from, keys_to) = (from.join(keys::FOLDER), to.join(keys::FOLDER));
    for name in keys::NEEDED {
        copy(&keys_from.join(name), &keys_to.join(name))?;
    }
    Ok(private_file::sync_folder(&keys_to)?)
}

/// What a restore found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestoreReport {
    /// Documents that were issued after the backup and count again.
    pub adopted: u64,
    /// Lines of `grants.log` that cannot be read.
    pub unreadable: u64,
    /// Documents in `grants.log` that the vendor did not sign.
    pub refused: u64,
    /// Whether a log was read that is newer than the backup: without one nobody knows what was issued after it.
    pub log_survived: bool,
    /// Until then the portal gives nobody more online than they have: it learns from their syncs what is out.
    pub learning_until: Option<Ms>,
}

/// Makes the new data folder `dir` from a backup, and adopts every document of `grants.log` that is younger than the
/// backup: the log in the backup, the one at the path that the settings name if it is still there, and `surviving_log`.
/// A PostgreSQL database has been restored with its own tools before.
pub fn restore(
    from: &Path,
    dir: &Path,
    surviving_log: Option<&Path>,
    clock: Arc<dyn Clock>,
    random: Box<dyn Random>,
) -> Result<RestoreReport, AdminError> {
    for missing in [config::FILE, config::GRANTS_LOG_FILE, keys::FOLDER] {
        if !from.join(missing).exists() {
            return Err(AdminError::NotABackup { folder: from.to_owned(), missing });
        }
    }
    make_empty(dir)?;
    let _lock = FolderLock::acquire(dir)?;
    make_keys_folder(dir)?;
    copy_settings(from, dir)?;
    let config = Config::load(dir)?;
    if let DatabaseUrl::Sqlite(path) = &config.database {
        copy(&from.join(config::DATABASE_FILE), path)?;
        Db::open(&config.database)?.check_integrity()?;
    }
    let mut logs: Vec<&Path> = surviving_log.into_iter().collect();
    let saved = from.join(config::GRANTS_LOG_FILE);
    let log_survived = surviving_log.is_some() || config.grants_log.exists();
    if config.grants_log.exists() {
        logs.push(&config.grants_log);
        logs.push(&saved);
    } else {
        copy(&saved, &config.grants_log)?;
        logs.push(&config.grants_log);
    }
    let portal = open(&config, clock, random)?;
    let report = replay(&portal, &logs, log_survived)?;
    private_file::sync_folder(dir)?;
    Ok(report)
}

/// Adopts every document in `logs` that the portal's database does not know: the last step of a restore. `log_survived`:
/// one of them is as new as what was lost.
pub fn replay(portal: &Portal, logs: &[&Path], log_survived: bool) -> Result<RestoreReport, AdminError> {
    let mut report = RestoreReport { adopted: 0, unreadable: 0, refused: 0, log_survived, learning_until: None };
    for path in logs {
        let mut contents = grants_log::read(path).map_err(at(path))?;
        report.unreadable += contents.unreadable;
        contents.documents.sort_by_key(|unlogged| (unlogged.workstation.id, unlogged.document.rev));
        for unlogged in contents.documents {
            let entry = unlogged.clone();
            match adopt(portal, unlogged)? {
                Adoption::Known => {}
                Adoption::Refused => report.refused += 1,
                Adoption::Adopted => {
                    report.adopted += 1;
                    let log = portal.grants_log();
                    // So that the next restore finds it in the log of this folder too.
                    if log.path() != Some(*path) {
                        log.append(&entry).map_err(at(path))?;
                    }
                }
            }
        }
    }
    report.learning_until = note_restored(portal, report.adopted, report.unreadable, report.refused, log_survived)?;
    Ok(report)
}
