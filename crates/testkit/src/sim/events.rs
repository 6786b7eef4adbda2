//! Everything that can happen, as values in the queue.

use super::pass::PassCall;
use super::sync::Parcel;
use leasehold_core::codes::LeaseEnd;
use leasehold_core::engine::Output;
use leasehold_core::session::{Reply, Request, SessionInput};
use leasehold_core::time::MINUTE_MS;
use leasehold_wire::portal::ChosenLine;
use std::sync::Arc;

/// One thing that happens.
#[derive(Debug)]
pub(super) enum Event {
    /// A message has crossed the network to a server.
    AtServer { server: usize, letter: Letter },
    /// Something reaches the process of an application: an answer, a time-out, a timer.
    AtApp { app: usize, process: u64, input: SessionInput },
    /// An application is started, or tries again.
    StartApp { app: usize },
    /// An application no longer needs its seat.
    ReleaseApp { app: usize, process: u64 },
    /// A sleeping machine wakes up.
    Wake { machine: usize },
    /// A machine is carried out of reach of the network.
    LeaveNetwork { machine: usize },
    /// A link works again.
    LinkUp { app: usize, server: usize },
    /// The server's thread runs: what has arrived, and what is due.
    Batch { server: usize },
    /// A server that is down starts.
    StartServer { server: usize },
    /// A file is carried to the portal, or somebody presses a button there.
    AtPortal(PortalAct),
    /// A `.crt` file is carried to a server.
    Import { server: usize, file: Arc<str>, tries: u32 },
    /// An administrator makes a request file.
    MakeRequest { server: usize },
    /// A sync has crossed the network to the portal.
    SyncAtPortal(Parcel),
    /// Its answer has crossed the network to the server.
    SyncAnswer { server: usize, flight: u64, body: Arc<str>, answer: Arc<str> },
    /// Nobody answered in time.
    SyncTimeout { server: usize, flight: u64 },
    /// An administrator has seen that a server is a copy, and disables it.
    DisableCopy { server: usize },
    /// The portal rang.
    Ring { server: usize },
    /// A server reaches the portal again.
    PortalBack { server: usize },
    /// A machine that borrows does what is next.
    Borrower { borrower: usize },
    /// A request or receipt of a machine has reached a server.
    PassAtServer { server: usize, borrower: usize, call: PassCall },
    /// The answer has reached the machine.
    PassAnswer { borrower: usize, call: PassCall, output: Box<Output> },
    /// The next thing goes wrong.
    Chaos,
    /// From now on nothing goes wrong any more.
    Heal,
    /// The end.
    End,
}

/// A message to a server.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) app: usize,
    pub(super) process: u64,
    /// The call that waits for the answer; `None` if nobody does.
    pub(super) call: Option<u64>,
    pub(super) what: What,
}

/// What a server is asked.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Are you there?
    Probe,
    /// A call of a client.
    Client(Request),
}

/// Something done at the portal. Repeated with the same key while its outcome is unknown.
#[derive(Clone, Debug)]
pub(super) struct PortalAct {
    pub(super) key: String,
    pub(super) what: PortalWhat,
    /// What the workstation is to hold, once somebody has chosen it. `Some(None)`: the preset.
    pub(super) lines: Option<Option<Vec<ChosenLine>>>,
}

/// What is done.
#[derive(Clone)]
pub(super) enum PortalWhat {
    /// A request file is uploaded. `rev` is what it says of the document in use.
    Activate { server: usize, file: Arc<str>, rev: Option<u64> },
    /// Online licensing is enabled on a server. `rev` as above.
    Enable { server: usize, file: Arc<str>, rev: Option<u64> },
    /// The renew button.
    Renew { server: usize },
    /// Idle seats are asked back from a server.
    Recall { server: usize },
    /// Seats are kept at a server for use without the portal, or released.
    Keep { server: usize, seats: u32, days: u32, auto_renew: bool },
    /// Seats of a license are assigned to its owner or to the member; none takes them back.
    Assign { member: bool, seats: u32 },
    /// The revoke button.
    Revoke { server: usize },
    /// A receipt is uploaded.
    Receipt { file: Arc<str> },
    /// A server is declared lost, rightly or not.
    Lost { server: usize, write_off: bool },
    /// The vendor changes how many seats a license has.
    Seats,
}

impl std::fmt::Debug for PortalWhat {
    /// Without the files, which are long and signed anew each time.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PortalWhat::Activate { server, rev, .. } => write!(f, "upload the request of server{server} (rev {rev:?})"),
            PortalWhat::Enable { server, rev, .. } => write!(f, "enable server{server} (rev {rev:?})"),
            PortalWhat::Recall { server } => write!(f, "recall from server{server}"),
            PortalWhat::Keep { server, seats, days, auto_renew } => {
                write!(f, "keep {seats} seats at server{server} for {days} days (auto-renew: {auto_renew})")
            }
            PortalWhat::Assign { member, seats } => write!(f, "assign {seats} seats (member: {member})"),
            PortalWhat::Renew { server } => write!(f, "renew server{server}"),
            PortalWhat::Revoke { server } => write!(f, "revoke server{server}"),
            PortalWhat::Receipt { .. } => write!(f, "upload a receipt"),
            PortalWhat::Lost { server, write_off } => write!(f, "declare server{server} lost (write off: {write_off})"),
            PortalWhat::Seats => write!(f, "change the seats of a license"),
        }
    }
}

/// An answer on its way back.
pub(super) fn answered(call: u64, reply: Reply) -> SessionInput {
    SessionInput::Answered { call, reply }
}

/// What a client reads of an engine's answer.
pub(super) fn reply(output: &Output) -> Reply {
    match output {
        Output::Leased(answer) => Reply::Leased { lease: answer.lease, times: answer.times },
        Output::Denied(denial) => Reply::Denied(denial.code),
        Output::Ended { end, left_ms } => Reply::Ended { end: *end, left_ms: *left_ms },
        Output::TakenBack { left_ms, .. } => Reply::TakenBack { left_ms: *left_ms, not_again_ms: 2 * MINUTE_MS },
        // 404 to a checkin: the client takes it as done.
        Output::Released | Output::Unknown => Reply::Released,
        Output::KeyReused => Reply::Refused,
        _ => Reply::Ended { end: LeaseEnd::LeaseGone, left_ms: 0 },
    }
}
