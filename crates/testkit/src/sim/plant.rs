//! Bugs that are planted on purpose, from outside, in the simulation's own shell: the laws must notice each of them.

use leasehold_core::engine::Restored;

/// A bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plant {
    /// The server answers before its commit.
    AnswerBeforeCommit,
    /// The client counts its right from the answer instead of from before the request.
    CountFromAnswer,
    /// The server frees a lease before its holder has stopped.
    FreeEarly,
    /// After a restart leases run from what is on disk instead of a full right from the start.
    RestartFromDisk,
    /// The portal counts the newest document of a workstation only.
    CountNewestOnly,
    /// The server loads a document that is older than the one in use.
    LoadOlder,
    /// The keys of ended leases are forgotten at a restart.
    ForgetKeys,
    /// The server says that it obeys its newest document while leases still run out beyond it.
    SayTooEarly,
    /// The portal counts the seats that a server uses instead of those that it keeps.
    CountUsedOnly,
    /// A seat that an administrator takes back is free at once, whatever its holder believes.
    TakeBackAtOnce,
    /// A pass is freed a minute before its end, and not a day after it.
    FreePassEarly,
    /// A machine goes on using a pass that it has given up.
    UseAfterReturn,
    /// A restored portal gives seats before it knows what is out.
    RaiseAfterRestore,
    /// The receipt of seats that are given back leaves the server before its promise is on disk.
    ReceiptBeforeDisk,
    /// A server that starts forgets that it gave seats back.
    ForgetGivenBack,
    /// A restored server holds nothing of what it may have lent after the backup.
    ForgetUnknown,
    /// An online server believes that each answer of the portal was made just now, also one from before its last start.
    BelieveOldAnswers,
    /// An online server writes off a lost machine without asking the portal.
    WriteOffUnasked,
}

impl Plant {
    /// What a server that starts does not find.
    pub(super) fn forget(self, restored: &mut Restored) {
        match self {
            Plant::ForgetKeys => restored.ended.clear(),
            Plant::ForgetGivenBack => restored.given_back = None,
            Plant::ForgetUnknown => restored.unknown = None,
            _ => {}
        }
    }
}
