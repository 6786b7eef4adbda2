//! Passwords, passphrases and consent on their way in: from a file, from a terminal without echo, or from standard input. Never
//! from an argument, which every user of the machine can read.

use crate::failure::Failure;
use rustix::termios::{LocalModes, OptionalActions, isatty, tcgetattr, tcsetattr};
use std::io::{self, BufRead, Write};
use std::path::Path;

/// The first line of `file`; without a file a new one is asked for, twice.
pub(crate) fn read(file: Option<&Path>, prompt: &str) -> Result<String, Failure> {
    read_asking(file, prompt, true)
}

/// The same for one that exists already: it is asked for once.
pub(crate) fn read_known(file: Option<&Path>, prompt: &str) -> Result<String, Failure> {
    read_asking(file, prompt, false)
}

fn read_asking(file: Option<&Path>, prompt: &str, twice: bool) -> Result<String, Failure> {
    let text = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            text.map_err(|error| Failure::of(format!("Cannot read {}: {error}.", path.display())))?
        }
        None => from_standard_input(prompt, twice)
            .map_err(|error| Failure::of(format!("Cannot read the {prompt}: {error}.")))?,
    };
    let secret = text.lines().next().unwrap_or_default();
    if secret.is_empty() {
        return Err(Failure::of(format!("The {prompt} is empty. Give it in a file, or as a line on standard input.")));
    }
    Ok(secret.to_owned())
}

/// Asks whoever sits at the terminal whether something is meant. Without a terminal it must be said in the command.
pub(crate) fn confirm(what: &str) -> Result<(), Failure> {
    let asked = || -> io::Result<bool> {
        let mut answer = String::new();
        write!(io::stderr(), "{what}\nType yes to go on: ")?;
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer.trim() == "yes")
    };
    if !isatty(rustix::stdio::stdin()) {
        return Err(Failure::of(format!("{what} Nothing was done. Give --yes if that is meant.")));
    }
    match asked() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::of("Nothing was done.")),
        Err(error) => Err(Failure::of(format!("Cannot ask: {error}. Nothing was done; give --yes if it is meant."))),
    }
}

fn from_standard_input(prompt: &str, twice: bool) -> io::Result<String> {
    let stdin = rustix::stdio::stdin();
    let mut line = String::new();
    if !isatty(stdin) {
        io::stdin().lock().read_line(&mut line)?;
        return Ok(line);
    }
    let mut first = String::new();
    let shown = tcgetattr(stdin)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(stdin, OptionalActions::Flush, &hidden)?;
    // Only now: what is typed at the prompt before that would be shown, and thrown away.
    write!(io::stderr(), "{prompt}: ")?;
    let asked = {
        // One lock for both lines: a second one would wait for the first for ever.
        let mut input = io::stdin().lock();
        input.read_line(&mut first).and_then(|_| {
            if !twice {
                line.clone_from(&first);
                return Ok(0);
            }
            write!(io::stderr(), "\nThe same again: ")?;
            input.read_line(&mut line)
        })
    };
    tcsetattr(stdin, OptionalActions::Flush, &shown)?;
    writeln!(io::stderr())?;
    asked?;
    if first == line { Ok(line) } else { Err(io::Error::other("the two are not the same; nothing was done")) }
}
