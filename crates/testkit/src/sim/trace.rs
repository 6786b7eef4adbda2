//! What an engine answered and wrote, in lines of the trace.

use leasehold_core::engine::{Output, Write};

/// An answer in a line of the trace. Signatures differ each time, so nothing that is made of one is told.
pub(super) fn told(output: &Output) -> String {
    match output {
        Output::Leased(answer) => {
            let (lease, stops_s) = (answer.lease, answer.times.lessee_stops_after_ms() / 1_000);
            format!("leased {lease} for {stops_s} s, new: {}", answer.new)
        }
        Output::Denied(denial) => format!("denied {} ({:?})", denial.code, denial.capacity),
        other => format!("{other:?}"),
    }
}

pub(super) fn written(write: &Write) -> String {
    match write {
        Write::Lease(lease) => format!("{} on {:?}, key {}", lease.id, lease.standing, lease.key),
        Write::LeaseEnded { id } => format!("the end of {id}"),
        Write::Document(document) => {
            let lines = document.grant.lines.iter().map(|line| (line.line, line.seats, line.until.rfc3339()));
            format!("document rev {} {:?}", document.grant.rev, lines.collect::<Vec<_>>())
        }
        Write::Event(event) => format!("event {}", event.kind),
        Write::Audit(audit) => format!("audit {}", audit.action),
        Write::Retired { .. } => "its retirement".to_owned(),
        Write::GivenBack(given) => {
            format!("its promise {} to keep {:?} of rev {}", given.number, given.kept, given.rev)
        }
        Write::Denial(row) => format!("denial {} of {}, {} tries", row.outcome, row.feature, row.tries),
        Write::SeatMoved { .. }
        | Write::LeaseReleased { .. }
        | Write::Barred(_)
        | Write::Pass { .. }
        | Write::PassOver(_)
        | Write::UnknownHeld
        | Write::PassesHeld { .. }
        | Write::LeaseSeen { .. }
        | Write::Draining
        | Write::Asked { .. }
        | Write::Moved { .. }
        | Write::KeysKept { .. }
        | Write::Peak { .. }
        | Write::SetBack { .. } => format!("{write:?}"),
        // Signatures differ each time.
        Write::Online(row) => format!("how it stands with the portal: {:?}", row.as_ref().map(|row| row.seq)),
    }
}
