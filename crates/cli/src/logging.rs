//! The log of the process: to standard error, so that standard output is the command's own. The license server may change
//! how much is logged while it runs, and remembers the newest lines.

use leasehold_server::Logs;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use tracing_subscriber::{EnvFilter, fmt};

static LOGS: OnceLock<Logs> = OnceLock::new();

/// Begins to log. `level` holds unless `LEASEHOLD_LOG` says another.
pub(crate) fn start(level: &str) {
    let wanted = std::env::var("LEASEHOLD_LOG").ok().filter(|text| EnvFilter::try_new(text).is_ok());
    let filter = wanted.as_ref().map_or_else(|| filter(level), EnvFilter::new);
    let ansi = io::stderr().is_terminal();
    let builder = fmt().with_env_filter(filter).with_writer(|| Tee).with_ansi(ansi).with_target(false);
    let builder = builder.with_filter_reloading();
    let handle = builder.reload_handle();
    let set = move |level: &str| {
        EnvFilter::try_new(level).map_err(|error| error.to_string())?;
        handle.reload(self::filter(level)).map_err(|error| error.to_string())
    };
    let _ = LOGS.set(Logs::new(set, wanted));
    builder.init();
}

/// A certificate that is not accepted is told as a sentence by whoever asked for the connection.
fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(format!("{level},rustls_platform_verifier=off"))
}

/// The log of this process.
pub(crate) fn logs() -> Logs {
    LOGS.get().cloned().unwrap_or_default()
}

/// Standard error, and the lines that are remembered.
struct Tee;

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(logs) = LOGS.get() {
            logs.remember(&without_colors(&String::from_utf8_lossy(bytes)));
        }
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A line without the escapes that color it on a terminal.
fn without_colors(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    #[test]
    fn colors_are_not_remembered() {
        assert_eq!(super::without_colors("\u{1b}[32m INFO\u{1b}[0m a=1\n"), " INFO a=1\n");
    }
}
