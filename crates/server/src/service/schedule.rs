//! Backups into a folder: now, or every so many hours, keeping the newest few. A failure is remembered until one works.

use super::access::Caller;
use super::failure::Failure;
use crate::server::{Inner, Server};
use leasehold_core::access::ServerAction;
use leasehold_core::engine::{Act, Audit};
use leasehold_core::time::{HOUR_MS, Ms, SECOND_MS};
use leasehold_wire::server::{BackupResponse, BackupView, BackupsResponse};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, Weak};
use std::time::Duration;

/// Where backups go where nothing else is said: below the data folder, of which a backup takes only the files.
pub(crate) const FOLDER_DEFAULT: &str = "backups";
/// Names of backups that were made into the folder begin with this.
const PREFIX: &str = "server-";
/// How often it is looked whether one is due.
const LOOK: Duration = Duration::from_secs(1);
/// After a failure it is tried again no sooner, in milliseconds.
const AGAIN_MS: i64 = HOUR_MS;

/// What is known of backups while the server runs.
#[derive(Clone, Default, Debug)]
pub(crate) struct BackupState {
    /// Why the last one did not work, and when.
    failed: Option<(Ms, String)>,
}

/// One that is there: its time is in its name.
fn made_at(name: &str) -> Option<Ms> {
    let text = name.strip_prefix(PREFIX)?;
    let (date, rest) = text.split_at_checked(8)?;
    let time = rest.strip_prefix('T')?.strip_suffix('Z')?;
    if time.len() != 6 || !date.bytes().chain(time.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (d, t) = (date, time);
    Ms::parse_rfc3339(&format!("{}-{}-{}T{}:{}:{}Z", &d[..4], &d[4..6], &d[6..], &t[..2], &t[2..4], &t[4..]))
}

fn name_at(at: Ms) -> String {
    let text = at.floor_to_second().rfc3339();
    let plain: String = text.chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("{PREFIX}{plain}Z")
}

/// Whole backups in the folder, the newest first. What is not one of ours is left out, and left alone.
fn in_folder(folder: &Path) -> std::io::Result<Vec<(String, Ms)>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if let Some(at) = made_at(&name).filter(|_| entry.path().join(crate::server::DATABASE_FILE).is_file()) {
            found.push((name, at));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    Ok(found)
}

impl Server {
    fn backup_folder(&self) -> PathBuf {
        let folder = self.0.folder.join(&self.0.settings.get().backup_folder);
        std::path::absolute(&folder).unwrap_or(folder)
    }

    fn backup_state(&self) -> BackupState {
        self.0.backup.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why no backup is made, if one should be and is not.
    pub(super) fn backup_problem(&self) -> Option<String> {
        self.backup_state().failed.map(|(_, why)| why)
    }

    /// Backups in the folder, and when the next one is due.
    ///
    /// # Errors
    /// [`Failure::SignIn`].
    pub async fn backups(&self, caller: &Caller) -> Result<BackupsResponse, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        let folder = self.backup_folder();
        let path = folder.clone();
        let listed = tokio::task::spawn_blocking(move || in_folder(&path)).await;
        let listed = listed.map_err(|error| Failure::Internal(error.to_string()))?;
        let unreadable = listed.as_ref().err().map(|error| format!("{}: {error}", folder.display()));
        let found = listed.unwrap_or_default();
        let every_ms = self.0.settings.get().backup_every_h.map(|hours| i64::from(hours) * HOUR_MS);
        let next = every_ms.map(|every| found.first().map_or(self.now(), |(_, at)| at.plus(every)));
        Ok(BackupsResponse {
            folder: folder.display().to_string(),
            items: found.into_iter().map(|(name, at)| BackupView { name, made_at: at.into() }).collect(),
            next_at: next.map(|at| at.max(self.now()).into()),
            problem: unreadable.or(self.backup_problem()),
        })
    }

    /// Makes a backup now: in a folder of one's choice, or in that of the settings.
    ///
    /// # Errors
    /// See [`Server::back_up`] and [`Server::back_up_now`].
    pub async fn back_up_to(&self, caller: &Caller, to: Option<PathBuf>) -> Result<BackupResponse, Failure> {
        let folder = match to {
            Some(to) => {
                self.back_up(caller, to.clone()).await?;
                to
            }
            None => self.backup_folder().join(self.back_up_now(caller).await?.name),
        };
        Ok(BackupResponse { folder: folder.display().to_string() })
    }

    /// Makes a backup in the folder now, and removes those that are more than are kept.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`], [`Failure::Disk`], or the database's.
    pub async fn back_up_now(&self, caller: &Caller) -> Result<BackupView, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        self.make_backup(caller.act()).await
    }

    async fn make_backup(&self, act: Act) -> Result<BackupView, Failure> {
        let now = self.now();
        let folder = self.backup_folder();
        // Each has a name of its own, also if two are made within a second.
        let mut made_at = now.floor_to_second();
        while folder.join(name_at(made_at)).exists() {
            made_at = made_at.plus(SECOND_MS);
        }
        let name = name_at(made_at);
        let to = folder.join(&name);
        let audit = Audit { at: now, act, action: "server_backup", detail: format!("to {}", to.display()) };
        let keep = self.0.settings.get().backup_keep;
        let server = self.clone();
        // Only the folder below the data folder is made here: another that is missing is a disk that is away.
        let own = self.0.settings.get().backup_folder == Path::new(FOLDER_DEFAULT);
        let work = move || {
            if own {
                super::backup::make_folder(&folder)?;
            }
            server.copy_to(&to, audit)?;
            forget_old(&folder, keep);
            Ok(())
        };
        let made = tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Internal(error.to_string()));
        let made: Result<(), Failure> = made.and_then(|made| made);
        let failed = made.as_ref().err().map(|failure| {
            let problem = failure.problem();
            (now, format!("{} {} {}", problem.title, problem.detail, problem.what_to_do))
        });
        if let Some((_, why)) = &failed {
            tracing::error!("a backup was not made: {why}");
        }
        self.0.backup.lock().unwrap_or_else(PoisonError::into_inner).failed = failed;
        made.map(|()| BackupView { name, made_at: made_at.into() })
    }

    /// Makes backups by the schedule, for as long as the server runs.
    pub(crate) fn go_backing_up(&self) {
        // Not the server itself: it may stop meanwhile.
        let inner: Weak<Inner> = std::sync::Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(server) = inner.upgrade().map(Server) else { return };
                if server.backup_is_due() {
                    let act = Act { who: "license server".into(), address: None };
                    // It is told on the home page and in the log.
                    let _ = server.make_backup(act).await;
                }
            }
        });
    }

    fn backup_is_due(&self) -> bool {
        let config = self.0.settings.get();
        let Some(hours) = config.backup_every_h else { return false };
        let now = self.now();
        let waits = self.backup_state().failed.is_some_and(|(at, _)| (0..AGAIN_MS).contains(&now.since(at)));
        // A folder that cannot be read is found out by trying.
        let last = in_folder(&self.backup_folder()).unwrap_or_default().first().map(|(_, at)| *at);
        !waits && last.is_none_or(|last| now.since(last) >= i64::from(hours) * HOUR_MS)
    }
}

/// Removes the oldest of those that were made here. What cannot be removed is left, and said in the log.
fn forget_old(folder: &Path, keep: u32) {
    let found = in_folder(folder).unwrap_or_default();
    for (name, _) in found.into_iter().skip(usize::try_from(keep).unwrap_or(usize::MAX).max(1)) {
        if let Err(error) = std::fs::remove_dir_all(folder.join(&name)) {
            tracing::warn!(%error, name, "an old backup cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_backup_is_in_its_name_and_nothing_else_is_one() {
        let at = Ms::parse_rfc3339("2026-12-01T03:04:05Z").unwrap();
        assert_eq!(name_at(at.plus(999)), "server-20261201T030405Z");
        assert_eq!(made_at("server-20261201T030405Z"), Some(at));
        for name in [
            "server-",
            "server-20261201T0304Z",
            "server-2026120üT030405Z",
            "portal-20261201T030405Z",
            "server-20261399T030405Z",
        ] {
            assert_eq!(made_at(name), None, "{name}");
        }
    }
}
