//! What xtask tells the person in front of it: on standard error, as cargo does, so that both stay
//! in order in one log.

use std::fmt::Arguments;

/// Prints one message, marked as ours among the output of the programs we run.
#[expect(clippy::print_stderr, reason = "talking to a developer is what this program does")]
pub(crate) fn line(message: Arguments<'_>) {
    eprintln!("xtask: {message}");
}
