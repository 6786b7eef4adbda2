//! What passes between license server and portal: absolute state, never differences.

use super::PinState;
use crate::ids::{LicenseId, WorkstationId};
use crate::license::{Channel, FeatureBundle, Kind, words};
use crate::time::{Ms, rfc3339};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Format version of requests and answers that this build writes and reads.
pub const SYNC_VERSION: u32 = 1;

/// What a server says of itself, for people. Hostile text.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerFacts {
    /// Release of the license server.
    pub version: String,
    /// Name of its machine.
    pub host: String,
    /// Fingerprint of its machine; empty if it has none.
    pub machine: String,
    /// Random, of the process that asks. Two servers on copies of one folder never send the same request: the portal would
    /// take the second for a repetition of the first.
    #[serde(default)]
    pub process: String,
}

/// One license at one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Seats that the server may use from this request on until it loads a newer document. Never less than `used`.
    pub keep: u32,
    /// Seats on which leases stand, grace included.
    pub used: u32,
    /// Seats of `keep` that nobody used during the last [`super::IDLE_MS`].
    pub idle: u32,
    /// Seats beyond `keep` for which somebody asked not long ago.
    pub want: u32,
    /// Seats of these for which a checkout waits at this moment.
    pub waiting: u32,
    /// Most seats used at once during the last seven days.
    pub peak: u32,
}

/// A server's state. Whoever sends it has it on disk, and holds to `keep` whether or not it arrives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncRequest {
    /// [`SYNC_VERSION`].
    pub v: u32,
    /// Who syncs.
    pub workstation: WorkstationId,
    /// One more than that of the last request that was answered. A request whose answer was lost is sent again as it
    /// was.
    pub seq: u64,
    /// SHA-256 of the last answer, in hex; empty before the first.
    pub prev: String,
    /// Nothing of an older document is used any more.
    pub rev: u64,
    /// The signed document in force; its number may be higher than `rev` while leases run out on an older one.
    pub document: String,
    /// The server's time.
    #[serde(with = "rfc3339")]
    pub now: Ms,
    /// It is being disabled: it wants nothing more and gives back whatever comes free.
    pub draining: bool,
    /// About the machine.
    pub server: ServerFacts,
    /// Every license of which it holds or wants seats online.
    pub licenses: BTreeMap<LicenseId, Report>,
    /// Beside what `licenses` says: seats on which leases stand although their line has left the document, or holds fewer
    /// now, of what was kept for use without the portal or came by file. They only become fewer until a newer document is
    /// loaded; of a license that is not named there are none. Absent: it cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_out: Option<BTreeMap<LicenseId, u32>>,
}

words! {
    /// Whether a sync was taken.
    Verdict {
        /// It was.
        Ok = "ok",
        /// Another server with the same key has synced since: this one is a copy, or was restored from a backup.
        Forked = "forked",
        /// The workstation is not online any more: a file was made for it, which has to be loaded.
        ByFile = "by_file",
        /// The workstation was revoked or has given up its key.
        Ended = "ended",
        /// The workstation was declared lost at the portal.
        Lost = "lost",
    }
}

/// The seats of one license as far as a server may have some, for people and for the decision whether to ask for more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PoolShare {
    /// The license.
    pub license: LicenseId,
    /// Code of the product.
    pub product: String,
    /// Its name.
    pub product_name: String,
    /// Floating or named.
    pub kind: Kind,
    /// In which way it was given out.
    pub channel: Channel,
    /// What one seat holds.
    pub features: FeatureBundle,
    /// Seats that servers of this account can have in all.
    pub seats: u32,
    /// Seats that other servers may be using.
    pub elsewhere: u32,
    /// Of these, at servers that do not give them back for the asking: served by file, revoked, or not heard of.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bound: u32,
    /// Seats that nobody has.
    pub free: u32,
    /// Seats that this server is to hand over as they come free, before it serves younger requests of its own.
    pub recall: u32,
    /// Nothing is free and nobody has idle seats: what is wanted comes only when somebody gives one back.
    pub exhausted: bool,
    /// Serves the workstation's own person only.
    pub assigned: bool,
    /// Seats that are assigned to the workstation's person and still in use elsewhere: they come by themselves.
    #[serde(default)]
    pub pending: u32,
    /// Seats beside these that are assigned to people: a server that works for everybody can have none of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub for_people: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(seats: &u32) -> bool {
    *seats == 0
}

impl PoolShare {
    /// Whether seats of it can come to the server, now or when others have given them back.
    pub fn may_come(&self) -> bool {
        self.seats > 0 || self.pending > 0
    }

    /// It is for named people, and the server is nobody's own: it is told of it so that it can say so.
    pub fn is_for_others(&self) -> bool {
        self.kind == Kind::Named && !self.assigned && !self.may_come()
    }
}

/// The portal's answer, signed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// To whom.
    pub workstation: WorkstationId,
    /// The request's number.
    pub seq: u64,
    /// SHA-256 of the request's body, in hex: an answer cannot be given to another request.
    pub request_sha256: String,
    /// Whether it was taken; otherwise all below is empty.
    pub verdict: Verdict,
    /// The portal's time.
    #[serde(with = "rfc3339")]
    pub at: Ms,
    /// The newest document if it is another one than the request presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Every license of which the server may have seats.
    pub pools: Vec<PoolShare>,
    /// Seats that are kept there for use without a portal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<PinState>,
    /// How often these were changed: whoever changes them says what they were.
    #[serde(default)]
    pub pins_rev: u64,
    /// What to wait beyond with the next long poll.
    pub bell: u64,
    /// With `forked`: the machine that synced with this key since. Hostile text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub other_host: String,
}
