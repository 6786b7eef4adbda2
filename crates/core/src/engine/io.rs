//! What goes into the engine and what comes out: commands, answers, and rows to write.

use super::give_back::{GiveBack, GiveBackRefusal};
use super::unknown::NotOut;
use crate::codes::{AccountSeats, DenialCode, Explanation, LeaseEnd};
use crate::grant::Grant;
use crate::ids::{LeaseId, LicenseId, PassId, RequestId};
use crate::license::FeatureCode;
use crate::pool::{Ask, Capacity, Pass, Release, Source};
use crate::site::{NameList, SiteLimit, SiteRules};
use crate::sync::{ServerFacts, SyncAnswer};
use crate::time::Ms;
use crate::times::LeaseTimes;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A request of a client or an act of an administrator. Ids, nonces and everything random are drawn before.
#[derive(Clone, Debug)]
pub enum Input {
    /// Take seats.
    Checkout {
        /// The id of the lease, if one is made.
        id: LeaseId,
        /// The client's idempotency key.
        key: Arc<str>,
        /// What is asked.
        ask: Ask,
        /// By whom.
        source: Source,
    },
    /// Hold on to a lease. The caller has shown its secret.
    Heartbeat {
        /// Which.
        lease: LeaseId,
        /// Rises with each heartbeat.
        n: u64,
        /// The client's fresh nonce.
        nonce: Box<str>,
    },
    /// Find a lease again after a restart or restore of the server. The caller has shown its secret and a lease
    /// document signed by this server, which says `ask`.
    Resume {
        /// Which.
        lease: LeaseId,
        /// The idempotency key of its checkout.
        key: Arc<str>,
        /// What was asked then.
        ask: Ask,
        /// Who asks now.
        source: Source,
        /// As in a heartbeat.
        n: u64,
        /// As in a heartbeat.
        nonce: Box<str>,
    },
    /// Give a lease back. The caller has shown its secret.
    Checkin {
        /// Which.
        lease: LeaseId,
    },
    /// Give back whatever was or will be taken under an idempotency key: the key is known to its maker alone, who no
    /// longer waits for the answer.
    CheckinKey {
        /// The key.
        key: Arc<str>,
    },
    /// An activation request is made; a document that answers it proves what time it is.
    Ask {
        /// Which.
        request: RequestId,
    },
    /// Borrow seats for a machine that goes away, or extend a pass that it has. The caller has shown that it has the key.
    Borrow {
        /// The id of the pass, if one is made.
        id: LeaseId,
        /// Thumbprint of the pass's key. A key has one pass: asked again, it is extended.
        key: Box<str>,
        /// The key, as JWK.
        jwk: Box<str>,
        /// Hash of the machine's id with the vendor's name.
        machine: Box<str>,
        /// What is asked. Its host and user are shown; its process has no meaning.
        ask: Ask,
        /// By whom.
        source: Source,
        /// For how long, in milliseconds.
        term_ms: i64,
    },
    /// Give a pass back. The caller has shown a receipt that is signed with the pass's key, which is destroyed.
    Return {
        /// Which.
        pass: PassId,
    },
    /// A machine, or its disk, is gone with its pass.
    Lose {
        /// Which.
        pass: PassId,
        /// Count its seats as free at once, within what the vendor allows in a year.
        write_off: Option<Allowance>,
        /// Who does it.
        act: Act,
    },
    /// No machine has these seats, which a restored server holds because it may have lent them.
    NotOut {
        /// Which.
        which: NotOut,
        /// Who says so.
        act: Act,
    },
    /// Take seats back from their holders: an administrator wants them for somebody else.
    Release {
        /// Whose.
        whom: Whom,
        /// Why, for the holders to read. Hostile text.
        reason: Box<str>,
        /// So long the same users at the same hosts get no seat of the features again, in milliseconds.
        not_again_ms: i64,
        /// Who does it.
        act: Act,
    },
    /// Whoever was to get no seat for a while after theirs was taken back may have one again.
    Lift {
        /// Of which user or host; a lease means whoever has it.
        whom: Whom,
        /// Who says so.
        act: Act,
    },
    /// Load a document that has been verified.
    Install {
        /// The document.
        document: Document,
        /// The wall clock at this moment, to tell whether the engine's time is trusted.
        wall: Ms,
        /// Who does it.
        act: Act,
    },
    /// Use fewer seats than the document in force holds, for as long as it is: they are given back by a receipt.
    GiveBack {
        /// How many are kept of each license; of those that are not named, what there is.
        keep: BTreeMap<LicenseId, u32>,
        /// Who does it.
        act: Act,
    },
    /// Give no new seats and renew none: the server is to be disabled.
    Drain {
        /// Who does it.
        act: Act,
    },
    /// Nothing is out any more and the receipt is made: forget the document.
    Retire {
        /// The receipt file.
        receipt: Box<str>,
        /// Who does it.
        act: Act,
    },
    /// Make the request of the next sync, or give the outstanding one again.
    Sync {
        /// About this machine.
        server: ServerFacts,
    },
    /// The portal answered the outstanding request.
    SyncAnswered {
        /// What it said; verified.
        answer: Box<SyncAnswer>,
        /// SHA-256 of the signed answer, in hex.
        sha256: Box<str>,
        /// The document in it, verified.
        document: Option<Document>,
        /// Random, so that servers do not all sync at once.
        jitter: u64,
    },
    /// The outstanding request could not be brought to the portal, or what came back is no answer.
    SyncFailed {
        /// Random, as above.
        jitter: u64,
    },
    /// The administrator changed what this server allows. Changes memory only: the settings are on disk already.
    Rules {
        /// From now on.
        rules: Arc<SiteRules>,
    },
    /// Sync soon: the portal rang, or somebody asked for it.
    Refresh,
    /// Time has passed.
    Tick,
}

/// Whose seats are taken back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whom {
    /// The seat of one lease, with every lease that shares it.
    Seat(LeaseId),
    /// Everything held at a host, as its applications name it.
    Host(Arc<str>),
    /// Everything held by a user, as the applications name them.
    User(Arc<str>),
}

/// A request on its way to the portal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncOut {
    /// Its number.
    pub seq: u64,
    /// JSON of a [`crate::sync::SyncRequest`]; byte for byte the same whenever it is sent again.
    pub body: Arc<str>,
}

/// A verified document with its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// What it says.
    pub grant: Grant,
    /// The signed token.
    pub token: Arc<str>,
    /// SHA-256 of the token, in hex: leases name it.
    pub sha256: Arc<str>,
    /// The activation file as it was uploaded, or as it would be if the document had not come by sync.
    pub file: Arc<str>,
}

/// Who says that a write-off is within what the vendor allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allowance {
    /// The document of this server, for what was written off here.
    Here,
    /// The portal, which has counted it.
    AtPortal,
}

/// Who does an administrative act, for the audit log. Hostile text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act {
    /// A name.
    pub who: Box<str>,
    /// From where, if over the network.
    pub address: Option<IpAddr>,
}

/// A right as it is answered. The shell adds the secret and the signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaseAnswer {
    /// The lease.
    pub lease: LeaseId,
    /// Made by this request; otherwise it was there.
    pub new: bool,
    /// Of what.
    pub feature: FeatureCode,
    /// How many seats.
    pub seats: u32,
    /// Whose.
    pub user: Arc<str>,
    /// Where.
    pub host: Arc<str>,
    /// How long, from before the client sent its request.
    pub times: LeaseTimes,
    /// The engine's now when it was given.
    pub at: Ms,
    /// The document it stands on.
    pub grant_sha256: Arc<str>,
    /// When the lines it stands on end.
    pub ends_at: Ms,
}

/// A pass as it is answered. The shell signs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassAnswer {
    /// Which.
    pub pass: PassId,
    /// Made by this request; otherwise it was there.
    pub new: bool,
    /// Of what.
    pub feature: FeatureCode,
    /// How many seats, and so how many processes at once.
    pub seats: u32,
    /// Whose.
    pub user: Arc<str>,
    /// Where.
    pub host: Arc<str>,
    /// Key, machine, term.
    pub terms: Arc<Pass>,
    /// Until when it was wanted. Whole seconds.
    pub wanted_until: Ms,
    /// Why it was not extended, if not because what it stands on ends.
    pub refused: Option<Explanation>,
    /// The engine's now when it was given.
    pub at: Ms,
    /// The document it stands on.
    pub grant_sha256: Arc<str>,
}

/// A refusal with the numbers that explain it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// Why.
    pub code: DenialCode,
    /// Of what.
    pub feature: FeatureCode,
    /// How many were asked for.
    pub seats: u32,
    /// For whom. Hostile text.
    pub user: Arc<str>,
    /// Where. Hostile text.
    pub host: Arc<str>,
    /// The feature's seats.
    pub capacity: Capacity,
    /// When the next seat is free at the latest if its holder is gone, or new ones are given at all; `None` if nothing is
    /// out.
    pub free_at: Option<Ms>,
    /// What the portal said of the feature; `None` if it does not keep this server up to date.
    pub account: Option<AccountSeats>,
    /// An administrator took a seat back from this user at this host a short while ago.
    pub released: Option<Arc<Release>>,
    /// The longest time for which seats of the feature may be borrowed, in days; `None` if nobody asked to borrow.
    pub borrow_days_max: Option<u32>,
    /// The list of this server's administrator that keeps the asker from a seat.
    pub refused_by: Option<NameList>,
    /// How this server's administrator narrowed borrowing, if that is why.
    pub site_limit: Option<SiteLimit>,
    /// Seats of the feature that are held since the server was restored, because machines may have borrowed them.
    pub held: u32,
}

impl Denial {
    /// Whether there would be enough if nothing was held since a restore.
    fn held_back(&self) -> bool {
        self.held > 0 && self.seats <= self.capacity.free.saturating_add(self.held)
    }

    /// What a person reads about it.
    pub fn explain(&self) -> Explanation {
        if let Some(limit) = self.site_limit {
            return limit.explain();
        }
        let of_account = self.account.map_or(0, |account| account.seats.saturating_add(account.pending));
        let in_all = self.capacity.total.max(of_account);
        match self.account {
            _ if self.code == DenialCode::NoSeats && (1..self.seats).contains(&in_all) => {
                DenialCode::explain_too_many()
            }
            _ if self.code == DenialCode::NoSeats && self.held_back() => DenialCode::explain_held(),
            _ if self.code == DenialCode::NoSeats && (1..self.seats).contains(&self.capacity.free) => {
                DenialCode::explain_too_few()
            }
            None if self.code == DenialCode::NoSeats && self.capacity.total == 0 => DenialCode::explain_none_here(),
            Some(account) if self.code == DenialCode::NoSeats => account.explain(self.capacity.total),
            Some(account) if self.code == DenialCode::FeatureUnknown && account.named => AccountSeats::explain_named(),
            Some(_) => self.code.explain_online(),
            None => self.code.explain(),
        }
    }
}

/// The answer to an [`Input`], to be sent after its writes are on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// A seat is held.
    Leased(Box<LeaseAnswer>),
    /// No seat.
    Denied(Box<Denial>),
    /// The idempotency key was used with another body.
    KeyReused,
    /// The lease has ended or cannot be extended.
    Ended {
        /// How.
        end: LeaseEnd,
        /// Milliseconds in which its holder may still use it; 0 if none.
        left_ms: i64,
    },
    /// An administrator took the seat back: it is not extended.
    TakenBack {
        /// Milliseconds in which its holder may still use it.
        left_ms: i64,
        /// Why, and until when the holder gets none again.
        release: Arc<Release>,
    },
    /// Seats are borrowed.
    Borrowed(Box<PassAnswer>),
    /// A pass is given back.
    Returned {
        /// When its seats are free; `None` if they are.
        free_at: Option<Ms>,
    },
    /// A pass is declared lost.
    Lost {
        /// When its seats are free.
        free_at: Ms,
        /// At once, by the vendor's leave.
        written_off: bool,
    },
    /// Of these seats it is certain that a machine has them, or not known yet what may be with one: nothing was changed.
    NotHeld {
        /// From when on a restored server holds what may be with machines, if that is to come.
        from: Option<Ms>,
    },
    /// Seats are free that a restored server held.
    NotOut {
        /// How many.
        freed: u32,
        /// How many are held still.
        held: u32,
    },
    /// The vendor's allowance does not reach: nothing was changed.
    NotWrittenOff {
        /// Seats of the license that may be written off within a year.
        allowed: u32,
        /// Of these, written off already.
        used: u32,
        /// How many this pass comes to.
        seats: u32,
        /// When its seats are free without.
        free_at: Ms,
    },
    /// So many may have seats again.
    Lifted {
        /// Users at hosts, each of a feature.
        bars: usize,
    },
    /// Seats are on their way back.
    Releasing {
        /// From how many leases.
        leases: usize,
        /// When the last of them is free at the latest: sooner if its application gives it back.
        free_by: Ms,
    },
    /// No such lease.
    Unknown,
    /// The seat is free (also if it was before).
    Released,
    /// The document is in force.
    Installed {
        /// Leases that run out because there are fewer seats.
        withdrawn: usize,
        /// The engine's time ran ahead, as the document proves: the shell sets it back to this instant once the writes
        /// are on disk, and restores the engine.
        set_back_to: Option<Ms>,
    },
    /// The document was not loaded.
    NotInstalled(InstallRefusal),
    /// So many seats are kept from now on. The receipt may be made.
    GaveBack(Box<GiveBack>),
    /// No seats are given back.
    NotGivenBack(GiveBackRefusal),
    /// Draining.
    Draining {
        /// Leases still out.
        leases_out: usize,
        /// When the last of them has ended at the latest.
        done_by: Ms,
    },
    /// Leases are still out, or nobody asked to drain: not retired.
    NotDrained,
    /// A checkout waits for seats from the portal. [`super::Engine::resolve`] gives its answer, under this id, within
    /// [`crate::sync::WAIT_MS`].
    Waits(LeaseId),
    /// The request to send to the portal; `None` if this server is not online, or is a copy.
    Sync(Option<SyncOut>),
    /// The portal's answer was taken.
    Synced {
        /// A new document is in force.
        installed: bool,
        /// What time it is by the portal, if this server was wrong: the shell goes on from there once the writes are on
        /// disk, and restores the engine.
        set_time_to: Option<Ms>,
    },
    /// Done; nothing to say.
    Done,
}

/// Why a verified document is not loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InstallRefusal {
    /// A newer one is in force.
    Older {
        /// The number in the file.
        file_rev: u64,
        /// The number in force.
        in_use: u64,
    },
    /// A receipt was made that named a document with this number: none up to it is loaded any more.
    GivenBack {
        /// The number in the file.
        file_rev: u64,
        /// The number in the receipt.
        rev: u64,
    },
    /// It is in force already.
    Twice,
    /// It is for another workstation than the one this server is.
    OtherWorkstation,
    /// The machine's clock is behind what this server has seen: no new rights until it is right.
    ClockSuspect {
        /// By how many milliseconds.
        behind_ms: i64,
    },
    /// The server is being disabled.
    Draining,
}
