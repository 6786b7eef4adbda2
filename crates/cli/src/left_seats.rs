//! Seats that `checkout` left out for a later `checkin`: one private file per lease in the user's state folder.
//!
//! `~/.local/state/leasehold/seats` on Linux (`XDG_STATE_HOME` moves it), the local application data elsewhere.

use crate::failure::Failure;
use leasehold_client::LeftSeat;
use leasehold_core::ids::LeaseId;
use leasehold_core::time::{Ms, rfc3339};
use leasehold_host::private_file;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// A left seat has run out by itself after this long, in milliseconds: ttl, grace and allowance.
const RUN_OUT_MS: i64 = 425_000;
/// The same where its server may have been restarted meanwhile, which lets each lease run anew.
const SURELY_OVER_MS: i64 = 30 * 60_000;

/// A seat with when it was left.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Left {
    #[serde(with = "rfc3339")]
    pub(crate) left_at: Ms,
    pub(crate) seat: LeftSeat,
}

/// The folder.
#[derive(Debug)]
pub(crate) struct LeftSeats(PathBuf);

impl LeftSeats {
    pub(crate) fn of_this_user() -> Result<LeftSeats, Failure> {
        let places = directories::ProjectDirs::from("", "", "leasehold");
        let places = places.ok_or_else(|| {
            Failure::of("This user has no home folder in which the lease could be kept. Set HOME, or use --hold.")
        })?;
        Ok(LeftSeats(places.state_dir().unwrap_or(places.data_local_dir()).join("seats")))
    }

    /// Remembers a seat.
    pub(crate) fn keep(&self, seat: LeftSeat, now: Ms) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.0)
            .map_err(|error| Failure::of(format!("Cannot make {}: {error}.", self.0.display())))?;
        let path = self.path(seat.lease);
        let text = serde_json::to_vec(&Left { left_at: now, seat }).map_err(Failure::of)?;
        private_file::write_atomic(&path, &text).map_err(Failure::of)
    }

    /// All that were left, oldest first.
    pub(crate) fn all(&self) -> Result<Vec<Left>, Failure> {
        let unreadable = |error: io::Error| Failure::of(format!("Cannot read {}: {error}.", self.0.display()));
        let entries = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut seats = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let bytes = private_file::read(&path).map_err(Failure::of)?;
            let left: Left = serde_json::from_slice(&bytes).map_err(|error| {
                Failure::of(format!("{} is damaged ({error}). Remove it; its seat runs out by itself.", path.display()))
            })?;
            seats.push(left);
        }
        seats.sort_by_key(|left| left.seat.lease);
        Ok(seats)
    }

    /// Forgets a seat that was given back or has run out.
    pub(crate) fn forget(&self, lease: LeaseId) -> Result<(), Failure> {
        let path = self.path(lease);
        std::fs::remove_file(&path).map_err(|error| Failure::of(format!("Cannot remove {}: {error}.", path.display())))
    }

    fn path(&self, lease: LeaseId) -> PathBuf {
        self.0.join(format!("{lease}.json"))
    }
}

impl Left {
    /// Nobody renewed it for so long that its server does not hold it any more, unless that was restarted.
    pub(crate) fn has_run_out(&self, now: Ms) -> bool {
        now.since(self.left_at) > RUN_OUT_MS
    }

    /// No server can still hold it: there is nobody to ask.
    pub(crate) fn is_surely_over(&self, now: Ms) -> bool {
        now.since(self.left_at) > SURELY_OVER_MS
    }
}
