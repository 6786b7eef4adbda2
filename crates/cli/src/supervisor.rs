//! What is spoken with the supervisor by systemd's conventions: sockets that it passes, ready, reloading, stopping, a
//! line of status, and the watchdog. Without a supervisor all of it is silent.
//!
//! Owns every word to `NOTIFY_SOCKET` and the reading of `LISTEN_FDS`; decides nothing about the service.

use crate::failure::Failure;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use std::net::TcpListener;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often the status is told where no watchdog sets the pace.
const STATUS_EVERY: Duration = Duration::from_secs(20);
/// Looks at the service within the time after which the watchdog strikes: two may fail.
const LOOKS_PER_WATCHDOG: u32 = 3;

/// The open ports that the supervisor passed to this process. To be called once, before threads are started: it takes
/// the variables out of the environment, so that no child thinks the ports are its own.
pub(crate) fn sockets() -> Result<Vec<TcpListener>, Failure> {
    // Without it the variable is a leftover of somebody else's, and number 3 is a file of ours.
    if std::env::var_os("LISTEN_PID").is_none() {
        return Ok(Vec::new());
    }
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for number in 0..passed.len() {
        let taken = passed.take_tcp_listener(number).map_err(|error| {
            Failure::of(format!(
                "A socket that was passed to this process cannot be used: {error}. Pass listening TCP sockets only: in the \
                 socket unit `ListenStream=PORT` and `Accept=no`. Who can: the administrator of this machine."
            ))
        })?;
        sockets.extend(taken);
    }
    if !sockets.is_empty() {
        tracing::info!(sockets = sockets.len(), "takes the sockets that were passed on; `listen` is not used");
    }
    Ok(sockets)
}

/// Requests are taken.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// The service begins to end.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
}

/// Settings are read again; [`ready`] ends it.
pub(crate) fn reloading() {
    // With the time, so that the supervisor knows that this answers its newest signal.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status("Reading the settings again")]),
        Err(error) => tracing::warn!(%error, "the supervisor cannot be told that settings are read again"),
    }
}

/// Tells how the service is for as long as it runs. `look` answers one line, or nothing if the service does not do its
/// work any more: then the watchdog is not answered, and the supervisor starts the service again.
pub(crate) async fn keep_telling<F: Future<Output = Option<String>>>(look: impl FnMut() -> F) {
    let watchdog = sd_notify::watchdog_enabled();
    let every = watchdog.map_or(STATUS_EVERY, |limit| limit / LOOKS_PER_WATCHDOG);
    keep_telling_to(tell, watchdog.is_some(), every, look).await;
}

async fn keep_telling_to<F: Future<Output = Option<String>>>(
    mut tell: impl FnMut(&[NotifyState<'_>]),
    watchdog: bool,
    every: Duration,
    mut look: impl FnMut() -> F,
) {
    // Zero would be refused by the timer.
    let every = every.max(Duration::from_millis(1));
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        ticks.tick().await;
        let Ok(Some(status)) = timeout(every, look()).await else {
            tracing::warn!(
                "the service does not answer; the supervisor's watchdog, if there is one, is not answered either"
            );
            continue;
        };
        if watchdog {
            tell(&[NotifyState::Watchdog]);
        }
        if status != told {
            tell(&[NotifyState::Status(&one_line(&status))]);
            told = status;
        }
    }
}

fn tell(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::warn!(%error, "the supervisor cannot be told how the service is (NOTIFY_SOCKET)");
    }
}

/// Each line is a message of its own there.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// What is told to a supervisor in the first `looks` looks.
    fn told(looks: usize, answered: impl Fn(usize) -> Option<String>, hang: bool) -> Vec<String> {
        let told = Mutex::new(Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
            let mut number = 0;
            let look = || {
                number += 1;
                let (answer, count) = (answered(number), number);
                let _ = sender.send(count);
                async move {
                    if count > looks || (answer.is_none() && hang) {
                        std::future::pending::<()>().await;
                    }
                    answer
                }
            };
            let tell = |news: &[NotifyState<'_>]| {
                told.lock().unwrap().extend(news.iter().map(ToString::to_string));
            };
            let telling = keep_telling_to(tell, true, Duration::from_millis(50), look);
            let enough = async { while asked.recv().await.is_some_and(|count| count <= looks) {} };
            tokio::select! { () = telling => {}, () = enough => {} }
        });
        told.into_inner().unwrap()
    }

    #[test]
    fn the_watchdog_is_answered_as_long_as_the_service_answers() {
        let said = told(3, |number| Some(if number < 3 { "one\nlease" } else { "two" }.to_owned()), false);
        assert_eq!(said, ["WATCHDOG=1", "STATUS=one lease", "WATCHDOG=1", "WATCHDOG=1", "STATUS=two"]);
    }

    #[test]
    fn a_service_that_is_gone_or_hangs_does_not_answer_the_watchdog() {
        for hang in [false, true] {
            let said = told(5, |number| (number == 2).then(|| "fine".to_owned()), hang);
            assert_eq!(said, ["WATCHDOG=1", "STATUS=fine"], "hangs: {hang}");
        }
    }
}
