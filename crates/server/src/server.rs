//! The running license server: everything that its use cases share, and how it is opened on a data folder.

use crate::clock::ServerClock;
use crate::config::{Config, ConfigError, Layers, SettingProblem, Settings, Values, unknown_variables};
use crate::engine::{self, EngineHandle, EngineParts, RestoreError, Restorer};
use crate::keys::{Keys, KeysError, WORKSTATION_KEY_FILE};
use crate::logs::Logs;
use crate::meters::Meters;
use crate::networks::Neighbors;
use crate::ports::Ports;
use crate::random::SharedRandom;
use crate::service::{Administrator, BackupState, Serials, Trial, take_up_receipt};
use crate::store;
use crate::tls::{Certificates, TlsError};
use crate::trust::Trust;
use crate::upstream::link::LinkSettings;
use crate::upstream::portal::{self, KnownWay, PortalParts, PortalThreads, Trouble};
use crate::upstream::{Due, files};
use crate::usage::{self, Counting, Owned, UsageParts, UsageThread};
use leasehold_core::clock::StartVerdict;
use leasehold_core::engine::Engine;
use leasehold_core::random::Random;
use leasehold_core::time::{Clock, MINUTE_MS, Ms, SECOND_MS};
use leasehold_core::times::TimeTable;
use leasehold_core::usage::Gap;
use leasehold_db::{Db, DbError, SqliteOptions};
use leasehold_host::{FolderLock, LockError};
use leasehold_trust::VendorRoot;
use leasehold_web::listener::BindError;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::thread::JoinHandle;

/// Name of the database in a data folder.
pub(crate) const DATABASE_FILE: &str = "server.db";
/// Larger databases are not read through at each start, which would take many seconds; damage is then found where it
/// is met.
const CHECKED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A shorter time without a server is not told from one with it: the last time that was stored is up to a minute old.
const GAP_MIN_MS: i64 = 2 * MINUTE_MS;

/// Why a license server does not start. Nothing was changed; each sentence says what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StartError(Box<StartProblem>);

#[derive(Debug, thiserror::Error)]
enum StartProblem {
    #[error("cannot use the data folder {}: {source}. Check the path and its permissions, or choose another folder with --data", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Setting(#[from] SettingProblem),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(
        "{} has a workstation's key, but no {DATABASE_FILE}, which knows the leases that are out: a server that began anew \
         with this key would give their seats a second time. Restore the last backup of the folder. If there is none, wait \
         eight minutes, until every lease has ended, and remove {}: the server then starts empty and is activated as a new \
         workstation, and the vendor has the seats of the old one back at its document's end",
        folder.display(),
        key.display()
    )]
    DatabaseLost { folder: PathBuf, key: PathBuf },
    #[error(
        "this machine's clock shows {}, which is before this program existed. Set the clock right (NTP), then start again",
        .0.rfc3339()
    )]
    Clock(Ms),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("TLS cannot be set up: {0}. This build is damaged; install a released version")]
    Rustls(#[from] rustls::Error),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("cannot start a thread: {0}. Raise the limit of processes for this user (LimitNPROC) and start again")]
    Thread(std::io::Error),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    File(#[from] leasehold_host::FileError),
}

impl<E: Into<StartProblem>> From<E> for StartError {
    fn from(error: E) -> StartError {
        StartError(Box::new(error.into()))
    }
}

/// A license server on its data folder. Clones are cheap and are the same server.
#[derive(Clone, Debug)]
pub struct Server(pub(crate) Arc<Inner>);

/// What the use cases share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) folder: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) db: Db,
    pub(crate) clock: ServerClock,
    /// Fingerprint of this machine; empty if it has none.
    pub(crate) fingerprint: Box<str>,
    pub(crate) engine: EngineHandle,
    pub(crate) keys: Arc<Keys>,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) random: SharedRandom,
    /// The vendor's root.
    pub(crate) trust: Trust,
    pub(crate) administrator: Administrator,
    /// The settings as of the start, or as confirmed since, for what only a start can change.
    pub(crate) started: RwLock<Layers>,
    /// A change of settings that nobody has confirmed yet. Held while settings are changed.
    pub(crate) trial: tokio::sync::Mutex<Option<Trial>>,
    /// The open addresses, while the server serves. What is served there holds the server, so it holds them weakly.
    pub(crate) ports: Mutex<Weak<Ports>>,
    /// What became of backups.
    pub(crate) backup: Mutex<BackupState>,
    /// The process's log.
    pub(crate) logs: Logs,
    /// Addresses beside the lists of networks.
    pub(crate) neighbors: Neighbors,
    pub(crate) serials: Serials,
    /// What is counted and timed.
    pub(crate) meters: Meters,
    /// Tells the thread that syncs when to.
    pub(crate) due: Due,
    /// Why the portal is not reached, if it is not.
    pub(crate) trouble: Trouble,
    /// What is counted of usage.
    pub(crate) counting: Counting,
    owned: Owned,
    usage_thread: Mutex<Option<UsageThread>>,
    portal_threads: Mutex<Option<PortalThreads>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    _lock: FolderLock,
}

impl Server {
    /// Opens a data folder, making it if it is missing, and starts the engine on it. Blocks for as long as it takes to
    /// read what is there.
    pub(crate) fn open(
        folder: &Path,
        machine: Arc<dyn Clock>,
        fingerprint: &str,
        random: Box<dyn Random>,
        start: Values,
        logs: Logs,
    ) -> Result<Server, StartError> {
        make_folder(folder)?;
        let lock = FolderLock::acquire(folder)?;
        // Before the database: a file that is not understood leaves everything as it is.
        Config::open(folder, Values::new(), start.clone())?;
        refuse_lost_database(folder)?;
        let (db, state, receipts) = open_database(&folder.join(DATABASE_FILE))?;
        let config = Config::open(folder, db.read(store::settings)?, start)?;
        for variable in unknown_variables(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
            tracing::warn!(%variable, "there is no setting of that name, so this variable of the environment is not looked at");
        }
        let wall = machine.wall();
        let clock = ServerClock::start(machine, state.mark);
        let verdict = clock.verdict();
        say(verdict);
        if verdict == StartVerdict::Implausible {
            return Err(StartProblem::Clock(wall).into());
        }
        let now = clock.now();
        note_gap(&db, state.mark, now)?;
        let random = SharedRandom::new(random);
        let certificates = Arc::new(Certificates::open(folder, &config, now)?);
        let keys = Arc::new(Keys::open(folder, random.clone(), Arc::clone(&certificates))?);
        keys.finish_retirement(&receipts);
        if let Some(key) = keys.key() {
            take_up_receipt(folder, &db, &key.public())?;
        }
        let trust = Trust::new(match &config.trust {
            Some(root) => Some(root.clone()),
            None => db.read(store::newest_document)?.and_then(|stored| files::root_of(&stored.file)),
        });
        let restorer = Restorer {
            db: db.clone(),
            trust: trust.root(),
            key: keys.key().map(|key| key.public()),
            machine: fingerprint.into(),
        };
        let mut engine = restore(&restorer, &keys, now, verdict)?;
        engine.set_rules(Arc::clone(&config.rules));
        let (set_up, reset_open) =
            db.read(|tx| Ok::<_, DbError>((store::is_set_up(tx)?, store::setup_secret(tx)?.is_some())))?;
        let (due, meters) = (Due::default(), Meters::new(clock.machine().boottime_ms()));
        let owned = Owned::default();
        let settings = Settings::new(config);
        let (engine, thread) = engine::start(EngineParts {
            db: db.clone(),
            clock: clock.clone(),
            engine,
            trust: trust.clone(),
            keys: Arc::clone(&keys),
            machine: fingerprint.into(),
            meters: meters.clone(),
            portal: due.clone(),
            owned: owned.clone(),
            settings: settings.clone(),
        })
        .map_err(StartProblem::Thread)?;
        let server = Server(Arc::new(Inner {
            folder: folder.to_owned(),
            started: RwLock::new(settings.get().layers.clone()),
            trial: tokio::sync::Mutex::default(),
            ports: Mutex::default(),
            backup: Mutex::default(),
            logs,
            neighbors: Neighbors::default(),
            settings,
            db,
            clock,
            fingerprint: fingerprint.into(),
            engine,
            keys,
            certificates,
            trust,
            administrator: Administrator::new(set_up, reset_open, &random),
            serials: Serials::new(&random),
            random,
            meters,
            due,
            trouble: Trouble::default(),
            counting: Counting::default(),
            owned,
            usage_thread: Mutex::new(None),
            portal_threads: Mutex::new(None),
            thread: Mutex::new(Some(thread)),
            _lock: lock,
        }));
        server.keep_holders_heard();
        server.sweep_certificates();
        Ok(server)
    }

    /// Begins to keep itself up to date with the portal. A server that is only opened for a command does not.
    pub(crate) fn go_online(&self) -> Result<(), StartError> {
        let process: [u8; 16] = self.0.random.draw(leasehold_core::random::bytes);
        let parts = PortalParts {
            db: self.0.db.downgrade(),
            engine: self.0.engine.clone(),
            keys: Arc::clone(&self.0.keys),
            trust: self.0.trust.clone(),
            clock: self.0.clock.clone(),
            random: self.0.random.clone(),
            machine: self.0.fingerprint.clone(),
            process: process.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
            settings: self.0.settings.clone(),
            due: self.0.due.clone(),
            trouble: self.0.trouble.clone(),
            way: KnownWay::default(),
        };
        let threads = portal::start(parts).map_err(StartProblem::Thread)?;
        *self.0.portal_threads.lock().unwrap_or_else(PoisonError::into_inner) = Some(threads);
        Ok(())
    }

    /// Begins to count usage. A server that is only opened for a command does it when it is asked.
    pub(crate) fn go_counting(&self) -> Result<(), StartError> {
        let parts = UsageParts {
            db: self.0.db.downgrade(),
            owned: self.0.owned.clone(),
            clock: self.0.clock.clone(),
            settings: self.0.settings.clone(),
            random: self.0.random.clone(),
            counting: self.0.counting.clone(),
            keep_from: engine::prune_from(&self.0.clock),
        };
        let thread = usage::start(parts).map_err(StartProblem::Thread)?;
        *self.0.usage_thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Whether the thread counts usage by itself.
    pub(crate) fn counts(&self) -> bool {
        self.0.usage_thread.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// How this server reaches the portal, with the address of its settings.
    pub(crate) fn link_settings(&self) -> LinkSettings {
        LinkSettings::of(&self.0.settings.get(), &self.0.clock)
    }

    /// Ends the engine after what waits in front of it. Blocks until everything is on disk.
    pub(crate) fn close(&self) {
        self.0.due.stop();
        let threads = self.0.portal_threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(threads) = threads {
            threads.join();
        }
        let counting = self.0.usage_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = counting {
            thread.join();
        }
        self.0.engine.stop();
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the engine's thread panicked");
        }
    }

    /// The vendor's root, if it is known.
    pub(crate) fn trust(&self) -> Option<VendorRoot> {
        self.0.trust.root()
    }

    /// The server's now.
    pub(crate) fn now(&self) -> Ms {
        self.0.clock.now()
    }

    /// The portal's address, for the steps of activation, if the administrator set it.
    pub fn portal_url(&self) -> Option<String> {
        self.0.settings.get().portal_url.clone()
    }

    /// How browsers reach the server, if the administrator set it, such as `https://licenses.example.com`.
    pub fn public_url(&self) -> Option<String> {
        self.0.settings.get().public_url.clone()
    }

    /// The database, for test drivers (faults, counting flushes).
    pub fn database(&self) -> &Db {
        &self.0.db
    }
}

fn make_folder(folder: &Path) -> Result<(), StartProblem> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| StartProblem::Folder { folder: folder.to_owned(), source })
}

/// A key without the database that was written beside it: leases are out that nothing here would count.
fn refuse_lost_database(folder: &Path) -> Result<(), StartProblem> {
    let empty = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len()) == 0;
    let key = folder.join(WORKSTATION_KEY_FILE);
    if key.exists() && empty(&folder.join(DATABASE_FILE)) {
        return Err(StartProblem::DatabaseLost { folder: folder.to_owned(), key });
    }
    Ok(())
}

fn open_database(path: &Path) -> Result<(Db, store::State, Vec<String>), StartProblem> {
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    let db = Db::open_sqlite(path, SqliteOptions::default())?;
    if bytes <= CHECKED_BYTES_MAX {
        db.check_integrity()?;
    }
    db.migrate(store::MIGRATIONS)?;
    let (state, receipts) = db.read(|tx| Ok::<_, DbError>((store::state(tx)?, store::receipts(tx)?)))?;
    Ok((db, state, receipts))
}

/// The server was off: what was in use then is not known. Noted before anything else is, so that it is not lost.
fn note_gap(db: &Db, mark: Option<Ms>, now: Ms) -> Result<(), DbError> {
    let Some(from) = mark.filter(|mark| now.since(*mark) > GAP_MIN_MS) else { return Ok(()) };
    db.write(move |tx| store::add_usage_gap(tx, Gap { from, until: now }))
}

fn restore(restorer: &Restorer, keys: &Keys, now: Ms, verdict: StartVerdict) -> Result<Engine, StartProblem> {
    restorer.db.write(move |tx| store::start_after_restore(tx, now))?;
    let (restored, current) = restorer.read(now)?;
    if let (Some(key), Some(current)) = (keys.key(), &current) {
        keys.activate(&key, &current.activation);
    }
    tracing::info!(leases = restored.leases.len(), "read what is out");
    let engine = Engine::restore(restored, verdict, now, TimeTable::DEFAULT);
    if let Some(until) = engine.moved_until() {
        tracing::warn!(
            new_seats_until = %until.rfc3339(),
            "this is another machine than the activation file was made for: renew the workstation at the portal with a \
             new request file of this server"
        );
    }
    Ok(engine)
}

fn say(verdict: StartVerdict) {
    match verdict {
        StartVerdict::Plausible | StartVerdict::Implausible => {}
        StartVerdict::Behind { by_ms } => tracing::warn!(
            behind_s = by_ms / SECOND_MS,
            "this machine's clock is behind the last time that was stored: no new seats for some minutes, and no new \
             activation file until the clock is right"
        ),
        StartVerdict::Ahead { by_ms } => {
            tracing::warn!(
                ahead_s = by_ms / SECOND_MS,
                "the last time that was stored is long ago: if this machine was not off, its clock is wrong"
            );
        }
    }
}
