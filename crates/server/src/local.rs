//! What the command line does with a data folder: through the server that runs on it, or, if none does, in this process.
//!
//! These functions block; call them outside of an async runtime.

mod manage;

pub use manage::{
    add_administrator, administrators, change_settings, confirm_settings, remove_administrator, settings,
    support_bundle, take_back_settings,
};

use crate::config::{Setting, Values};
use crate::logs::Logs;
use crate::server::{Server, StartError};
use crate::service::{Caller, Failure};
use leasehold_core::engine::NotOut;
use leasehold_core::ids::{LeaseId, PassId};
use leasehold_core::license::FeatureCode;
use leasehold_core::random::Random;
use leasehold_core::time::Clock;
use leasehold_host::{FolderLock, LockError, private_file};
use leasehold_web::problem::who;
use leasehold_wire::portal::{KeepSeats, SeatsKept};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{
    ActivationResponse, BackupRequest, BackupResponse, BorrowRequest, ConnectionTest, DisableResponse, EnableRequest,
    GiveBackRequest, GiveBackResponse, GivenBack, LeaseQuery, LeaseView, LiftRequest, LiftResponse, LostRequest,
    LostResponse, NotOutRequest, NotOutResponse, OfflineUse, Page, PassQuery, PassResponse, PassView, ReleaseRequest,
    ReleaseResponse, ResetResponse, ReturnRequest, ReturnResponse, StatusResponse, TestConnectionRequest, UsagePart,
    UsageQuery, UsageResponse,
};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{Method, Request};

/// The bearer token by which the running server believes the command line; new at each start.
pub(crate) const TOKEN_FILE: &str = "admin.token";
/// Where the running server is.
pub(crate) const ADDRESS_FILE: &str = "admin.address";
/// Longest wait for the running server. A backup of a large database takes its time.
const CALL_WAIT: Duration = Duration::from_secs(300);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A data folder and what it takes to open it.
pub struct Local {
    /// The folder.
    pub folder: PathBuf,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// The machine's fingerprint; empty if it has none.
    pub fingerprint: String,
    /// The machine's randomness.
    pub random: Box<dyn Random>,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The folder cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no license server in the folder.
    #[error("{} holds no license server. Check the path given with --data", .0.display())]
    NoFolder(PathBuf),
    /// A server has the folder and does not answer.
    #[error(
        "a license server runs on {} and cannot be asked: {why}. If it was started just now, try again; or stop it first",
        folder.display()
    )]
    Unreachable {
        /// The data folder.
        folder: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// No server answers, and none is to be opened here.
    #[error("no license server answers on {}: {why}. Start it, or look at its log", folder.display())]
    NotRunning {
        /// The data folder.
        folder: PathBuf,
        /// What was tried.
        why: String,
    },
    /// The server, or the use case in this process, says no.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// A backup is not restored.
    #[error(transparent)]
    Restore(crate::service::RestoreFailure),
    /// This process cannot work.
    #[error("cannot start: {0}. Check the limits of this user and try again")]
    Process(std::io::Error),
}

impl From<Failure> for LocalError {
    fn from(failure: Failure) -> LocalError {
        LocalError::Refused(Box::new(failure.problem()))
    }
}

impl LocalError {
    /// As whoever typed the command reads it: the program that asked is the command, and what it was given is theirs to
    /// correct.
    #[must_use]
    pub fn told_to_who_typed(self) -> LocalError {
        match self {
            LocalError::Refused(mut problem) if problem.who == who::CALLER => {
                problem.who = who::YOU.into();
                LocalError::Refused(problem)
            }
            other => other,
        }
    }
}

/// The activation request file, to be uploaded at the portal.
///
/// # Errors
/// See [`LocalError`]; so for all functions here.
pub fn request(local: Local) -> Result<String, LocalError> {
    local.run(
        |running| running.text(Method::GET, "/v1/activation/request"),
        async |server, caller| server.request_file(&caller).await,
    )
}

/// Puts an activation file in force.
///
/// # Errors
/// See [`LocalError`].
pub fn import(local: Local, file: &[u8]) -> Result<ActivationResponse, LocalError> {
    local.run(
        |running| running.json(Method::POST, "/v1/activation", "application/x-pem-file", file),
        async |server, caller| server.import(&caller, file).await,
    )
}

/// What the server says about itself.
///
/// # Errors
/// See [`LocalError`].
pub fn status(local: Local) -> Result<StatusResponse, LocalError> {
    local.run(
        |running| running.json(Method::GET, "/v1/status", "", b""),
        async |server, caller| server.status(&caller).await,
    )
}

/// Everybody who holds a seat, of one feature or of all, in order of lease.
///
/// # Errors
/// See [`LocalError`].
pub fn leases(local: Local, feature: Option<&FeatureCode>) -> Result<Vec<LeaseView>, LocalError> {
    let query = |after: Option<LeaseId>| LeaseQuery { feature: feature.cloned(), after, limit: Some(200) };
    local.run(
        |running| {
            let mut all: Vec<LeaseView> = Vec::new();
            loop {
                let after = all.last().map(|lease| lease.lease);
                let mut path = "/v1/leases?limit=200".to_owned();
                path.extend(feature.map(|code| format!("&feature={code}")));
                path.extend(after.map(|after| format!("&after={after}")));
                let page: Page<LeaseView> = running.json(Method::GET, &path, "", b"")?;
                all.extend(page.items);
                if page.next.is_none() {
                    return Ok(all);
                }
            }
        },
        async |server, caller| {
            let mut all: Vec<LeaseView> = Vec::new();
            loop {
                let page = server.leases(&caller, query(all.last().map(|lease| lease.lease))).await?;
                all.extend(page.items);
                if page.next.is_none() {
                    return Ok(all);
                }
            }
        },
    )
}

/// Figures of usage; see [`Server::usage`].
///
/// # Errors
/// See [`LocalError`].
pub fn usage(local: Local, query: &UsageQuery) -> Result<UsageResponse, LocalError> {
    let mut path = "/v1/usage?format=json".to_owned();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            path.extend(["&", name, "="]);
            path.extend(percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC));
        }
    };
    add("from", query.from.clone());
    add("to", query.to.clone());
    add("feature", query.feature.as_ref().map(ToString::to_string));
    add("user", query.user.clone());
    add("host", query.host.clone());
    add("tz_offset_min", query.tz_offset_min.map(|offset| offset.to_string()));
    local.run(
        |running| running.json(Method::GET, &path, "", b""),
        async |server, caller| server.usage(&caller, query).await,
    )
}

/// One part of figures of usage as CSV, with no formula in it.
pub fn usage_csv(usage: &UsageResponse, part: UsagePart) -> String {
    crate::service::usage_csv(usage, part)
}

/// Answers the request file of a machine with a pass; see [`Server::lend`].
///
/// # Errors
/// See [`LocalError`].
pub fn lend(local: Local, request: &str) -> Result<PassResponse, LocalError> {
    local.run(
        |running| running.post("/v1/passes/lend", &BorrowRequest { request: request.to_owned() }),
        async |server, caller| server.lend(&caller, request).await,
    )
}

/// Takes the receipt file of a pass.
///
/// # Errors
/// See [`LocalError`].
pub fn take_pass_receipt(local: Local, receipt: &str) -> Result<ReturnResponse, LocalError> {
    local.run(
        |running| running.post("/v1/passes/receipts", &ReturnRequest { receipt: receipt.to_owned() }),
        async |server, _| server.return_pass(None, receipt).await,
    )
}

/// Declares a pass lost; see [`Server::lose_pass`].
///
/// # Errors
/// See [`LocalError`].
pub fn lose_pass(local: Local, pass: PassId, write_off: bool) -> Result<LostResponse, LocalError> {
    local.run(
        |running| running.post(&format!("/v1/passes/{pass}/lost"), &LostRequest { write_off }),
        async |server, caller| server.lose_pass(&caller, pass, write_off).await,
    )
}

/// Frees seats that are held since a restore; see [`Server::not_out`].
///
/// # Errors
/// See [`LocalError`].
pub fn not_out(local: Local, which: NotOut) -> Result<NotOutResponse, LocalError> {
    local.run(
        |running| match which {
            NotOut::Of { pass, seats } => running.post(&format!("/v1/passes/{pass}/not-out"), &NotOutRequest { seats }),
            NotOut::All => running.post("/v1/passes/not-out", &()),
        },
        async |server, caller| server.not_out(&caller, which).await,
    )
}

/// Everything that machines have borrowed, in order of pass.
///
/// # Errors
/// See [`LocalError`].
pub fn passes(local: Local) -> Result<Vec<PassView>, LocalError> {
    local.run(
        |running| {
            let mut all: Vec<PassView> = Vec::new();
            loop {
                let after = all.last().map(|pass| format!("&after={}", pass.pass)).unwrap_or_default();
                let page: Page<PassView> =
                    running.json(Method::GET, &format!("/v1/passes?limit=200{after}"), "", b"")?;
                all.extend(page.items);
                if page.next.is_none() {
                    return Ok(all);
                }
            }
        },
        async |server, caller| {
            let mut all: Vec<PassView> = Vec::new();
            loop {
                let query = PassQuery { after: all.last().map(|pass| pass.pass), limit: Some(200) };
                let page = server.passes(&caller, query).await?;
                all.extend(page.items);
                if page.next.is_none() {
                    return Ok(all);
                }
            }
        },
    )
}

/// Takes seats back from their holders; see [`Server::release`]. A server that does not run gives none.
///
/// # Errors
/// See [`LocalError`].
pub fn release(local: Local, wish: &ReleaseRequest) -> Result<ReleaseResponse, LocalError> {
    local.run(
        |running| running.post("/v1/releases", wish),
        async |server, caller| server.release(&caller, wish.clone()).await,
    )
}

/// Lets somebody have seats again; see [`Server::lift`]. A server that does not run keeps it until it does.
///
/// # Errors
/// See [`LocalError`].
pub fn lift(local: Local, wish: &LiftRequest) -> Result<LiftResponse, LocalError> {
    local.run(
        |running| running.post("/v1/bars/lift", wish),
        async |server, caller| server.lift(&caller, wish.clone()).await,
    )
}

/// What is kept for use without the portal, and what could be; see [`Server::pins`].
///
/// # Errors
/// See [`LocalError`].
pub fn pins(local: Local) -> Result<OfflineUse, LocalError> {
    local.run(
        |running| running.json(Method::GET, "/v1/pins", "", b""),
        async |server, caller| server.pins(&caller).await,
    )
}

/// Keeps seats for use without the portal, or releases them; see [`Server::keep_seats`].
///
/// # Errors
/// See [`LocalError`].
pub fn keep_seats(local: Local, wish: &KeepSeats) -> Result<SeatsKept, LocalError> {
    local.run(
        |running| running.post("/v1/pins", wish),
        async |server, caller| server.keep_seats(&caller, wish.clone()).await,
    )
}

/// What could be given back now; see [`Server::may_give_back`].
///
/// # Errors
/// See [`LocalError`].
pub fn may_give_back(local: Local) -> Result<GiveBackResponse, LocalError> {
    local.run(
        |running| running.json(Method::GET, "/v1/activation/give-back", "", b""),
        async |server, caller| server.may_give_back(&caller).await,
    )
}

/// Gives back some seats; see [`Server::give_back`].
///
/// # Errors
/// See [`LocalError`].
pub fn give_back(local: Local, wish: &GiveBackRequest) -> Result<GivenBack, LocalError> {
    local.run(
        |running| running.post("/v1/activation/give-back", wish),
        async |server, caller| server.give_back(&caller, wish).await,
    )
}

/// The receipt of the seats that were given back.
///
/// # Errors
/// See [`LocalError`].
pub fn give_back_receipt(local: Local) -> Result<String, LocalError> {
    local.run(
        |running| running.text(Method::GET, "/v1/activation/give-back/receipt"),
        async |server, caller| server.give_back_receipt(&caller).await,
    )
}

/// Begins to give up the key; see [`Server::disable`].
///
/// # Errors
/// See [`LocalError`].
pub fn disable(local: Local) -> Result<DisableResponse, LocalError> {
    local.run(
        |running| running.json(Method::POST, "/v1/activation/disable", "", b""),
        async |server, caller| server.disable(&caller).await,
    )
}

/// The receipt of the key that was given up.
///
/// # Errors
/// See [`LocalError`].
pub fn receipt(local: Local) -> Result<String, LocalError> {
    local.run(
        |running| running.text(Method::GET, "/v1/activation/receipt"),
        async |server, caller| server.receipt_file(&caller).await,
    )
}

/// Draws a new setup secret; see [`Server::reset_administrator`].
///
/// # Errors
/// See [`LocalError`].
pub fn reset_administrator(local: Local) -> Result<String, LocalError> {
    local.run(
        |running| running.json(Method::POST, "/v1/setup/reset", "", b"").map(|reset: ResetResponse| reset.secret),
        async |server, caller| server.reset_administrator(&caller).await,
    )
}

/// What a text means as the value of a setting; `None` if there is no such setting.
pub fn setting_value(name: &str, text: &str) -> Option<serde_json::Value> {
    Setting::named(name).map(|setting| setting.value_of(text))
}

/// Copies the data folder to a new folder, or into that of the settings; see [`Server::back_up`].
///
/// # Errors
/// See [`LocalError`].
pub fn backup(local: Local, to: Option<&Path>) -> Result<BackupResponse, LocalError> {
    let to = to.map(std::path::absolute).transpose().map_err(LocalError::Process)?;
    local.run(
        |running| {
            let wish = BackupRequest { to: to.as_ref().map(|to| to.to_string_lossy().into_owned()) };
            running.post("/v1/backups", &wish)
        },
        async |server, caller| server.back_up_to(&caller, to.clone()).await,
    )
}

/// Tries the way to the portal, as the server that runs on the folder would go it, or else as this process goes; see
/// [`Server::test_connection`].
///
/// # Errors
/// See [`LocalError`]. A connection that does not work is none.
pub fn test_connection(local: Local, wish: &TestConnectionRequest) -> Result<ConnectionTest, LocalError> {
    local.run(
        |running| running.post("/v1/online/test-connection", wish),
        async |server, caller| server.test_connection(&caller, wish.clone()).await,
    )
}

/// Makes a new data folder from a backup; see [`Server::back_up`]. Nothing is replaced.
///
/// # Errors
/// [`LocalError::Restore`] with what is missing, or what the operating system said.
pub fn restore(from: &Path, to: &Path) -> Result<(), LocalError> {
    crate::service::restore(from, to).map_err(LocalError::Restore)
}

/// Enables online licensing; see [`Server::enable`].
///
/// # Errors
/// See [`LocalError`].
pub fn enable(local: Local, wish: &EnableRequest) -> Result<ActivationResponse, LocalError> {
    local.run(
        |running| running.post("/v1/online/enable", wish),
        async |server, caller| server.enable(&caller, wish.clone()).await,
    )
}

/// Whether a server runs on the folder and can store what it is told; for health checks. Never opens the folder itself:
/// a check must not stand in the way of a start.
///
/// # Errors
/// See [`LocalError`]; it says what is wrong.
pub fn health(folder: &Path) -> Result<(), LocalError> {
    if !folder.is_dir() {
        return Err(LocalError::NoFolder(folder.to_owned()));
    }
    let asked = Running::find(folder).and_then(|running| running.call(Method::GET, "/readyz", "", b""));
    asked.map(drop).map_err(|error| match error {
        LocalError::Unreachable { folder, why } => LocalError::NotRunning { folder, why },
        other => other,
    })
}

/// Syncs with the portal now; a server that does not run cannot.
///
/// # Errors
/// See [`LocalError`].
pub fn refresh(local: Local) -> Result<(), LocalError> {
    local.run(
        |running| running.call(Method::POST, "/v1/online/refresh", "", b"").map(|_| ()),
        async |server, caller| server.refresh(&caller).await,
    )
}

impl Local {
    /// Asks the server that runs on the folder, or opens the folder here.
    fn run<T>(
        self,
        remotely: impl FnOnce(&Running) -> Result<T, LocalError>,
        here: impl AsyncFnOnce(Server, Caller) -> Result<T, Failure>,
    ) -> Result<T, LocalError> {
        if !self.folder.is_dir() {
            return Err(LocalError::NoFolder(self.folder));
        }
        match FolderLock::acquire(&self.folder) {
            Err(LockError::Held { .. }) => return remotely(&Running::find(&self.folder)?),
            Err(error) => return Err(StartError::from(error).into()),
            // Given back at once and taken again below: whoever comes between the two is refused there.
            Ok(lock) => drop(lock),
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LocalError::Process)?;
        let server =
            Server::open(&self.folder, self.clock, &self.fingerprint, self.random, Values::new(), Logs::default())?;
        let done = runtime.block_on(here(server.clone(), Caller::command_line()));
        server.close();
        Ok(done?)
    }
}

/// The server that has the folder.
struct Running {
    folder: PathBuf,
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Running {
    fn find(folder: &Path) -> Result<Running, LocalError> {
        let read = |name: &str| {
            let bytes = private_file::read(&folder.join(name)).map_err(|error| error.to_string())?;
            String::from_utf8(bytes).map(|text| text.trim().to_owned()).map_err(|error| error.to_string())
        };
        let unreachable = |why| LocalError::Unreachable { folder: folder.to_owned(), why };
        let (address, token) = (read(ADDRESS_FILE).map_err(unreachable)?, read(TOKEN_FILE).map_err(unreachable)?);
        // Plain HTTP on loopback: nobody else can listen in, and there is no certificate to compare.
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(CALL_WAIT))
            .build();
        let (agent, base) = (ureq::Agent::new_with_config(config), format!("http://{address}"));
        Ok(Running { folder: folder.to_owned(), agent, base, token })
    }

    fn unreachable(&self, why: &dyn std::fmt::Display) -> LocalError {
        LocalError::Unreachable { folder: self.folder.clone(), why: why.to_string() }
    }

    fn call(&self, method: Method, path: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>, LocalError> {
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token));
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let sent = if method == Method::GET {
            self.agent.run(request.body(()).map_err(|error| self.unreachable(&error))?)
        } else {
            self.agent.run(request.body(body).map_err(|error| self.unreachable(&error))?)
        };
        let mut answer = sent.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let bytes = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let bytes = bytes.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return Ok(bytes);
        }
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(LocalError::Refused(Box::new(problem))),
            Err(_) => Err(self.unreachable(&format!("it answered with status {status}"))),
        }
    }

    fn json<T: DeserializeOwned>(&self, method: Method, path: &str, kind: &str, body: &[u8]) -> Result<T, LocalError> {
        let bytes = self.call(method, path, kind, body)?;
        serde_json::from_slice(&bytes).map_err(|error| self.unreachable(&error))
    }

    fn post<T: DeserializeOwned>(&self, path: &str, wish: &impl serde::Serialize) -> Result<T, LocalError> {
        let body = serde_json::to_vec(wish).map_err(|error| self.unreachable(&error))?;
        self.json(Method::POST, path, "application/json", &body)
    }

    fn text(&self, method: Method, path: &str) -> Result<String, LocalError> {
        let bytes = self.call(method, path, "", b"")?;
        String::from_utf8(bytes).map_err(|error| self.unreachable(&error))
    }
}
