//! The process's log as far as the server has a say in it: how much is logged, and the newest lines for a support bundle.
//!
//! Whoever starts the server owns the log and hands this in; without it nothing is changed and nothing is remembered.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines that are remembered.
const LINES_MAX: usize = 2_000;
/// Longest line that is remembered, in bytes.
const LINE_BYTES_MAX: usize = 4_096;

type SetLevel = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// The log. Clones are the same.
#[derive(Clone, Default)]
pub struct Logs(Arc<Parts>);

#[derive(Default)]
struct Parts {
    lines: Mutex<VecDeque<String>>,
    set_level: Option<Box<SetLevel>>,
    fixed: Option<String>,
}

impl fmt::Debug for Logs {
    /// Without the lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").finish_non_exhaustive()
    }
}

impl Logs {
    /// `set_level` changes how much is logged, `info` or `warn,leasehold_server=debug`; `fixed` says what was asked for by
    /// the way of starting, which then stays.
    pub fn new(set_level: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static, fixed: Option<String>) -> Logs {
        Logs(Arc::new(Parts { lines: Mutex::default(), set_level: Some(Box::new(set_level)), fixed }))
    }

    /// Remembers what was logged: whole lines.
    pub fn remember(&self, text: &str) {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for line in text.lines().filter(|line| !line.is_empty()) {
            if lines.len() >= LINES_MAX {
                lines.pop_front();
            }
            let end =
                line.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LINE_BYTES_MAX).last();
            lines.push_back(line[..end.unwrap_or(0)].to_owned());
        }
    }

    /// The newest lines, oldest first.
    pub(crate) fn recent(&self) -> Vec<String> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How much the way of starting asked for.
    pub(crate) fn fixed(&self) -> Option<&str> {
        self.0.fixed.as_deref()
    }

    /// From now on so much is logged.
    pub(crate) fn set_level(&self, level: &str) {
        let Some(set) = &self.0.set_level else { return };
        if let Err(why) = set(level) {
            tracing::error!(level, "how much is logged cannot be changed: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_remembered_within_bounds() {
        let logs = Logs::default();
        for number in 0..LINES_MAX + 10 {
            logs.remember(&format!("line {number}\n"));
        }
        logs.remember(&"ü".repeat(LINE_BYTES_MAX));
        let lines = logs.recent();
        assert_eq!((lines.len(), lines[0].as_str()), (LINES_MAX, "line 11"));
        assert_eq!(lines.last().unwrap().len(), LINE_BYTES_MAX);
    }
}
