//! Passwords: Argon2id with 19 MiB and two passes, a few at a time, so that a burst of sign-ins can neither take all
//! memory nor all threads.

use crate::failure::Failure;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Characters a password must have at least.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Characters a password may have at most.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// Passwords being hashed at once.
const RUNNING_MAX: usize = 2;
/// Callers that wait for their turn; more are told to come back.
const WAITING_MAX: usize = 32;

/// Passwords of twelve characters and more that people choose again and again: rows of keys, words said twice, words with a year.
const COMMON: &str = include_str!("common_passwords.txt");

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes and checks passwords. Blocks: call it where blocking is fine.
#[derive(Default)]
pub struct Passwords {
    turns: Mutex<Turns>,
    freed: Condvar,
    /// What the password of somebody unknown is checked against, so that the answer takes the same time.
    nobody: OnceLock<String>,
}

#[derive(Default)]
struct Turns {
    running: usize,
    waiting: usize,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

/// Whether a new password is long enough, not too long, and none of those that stand on every list of broken ones. What it
/// is made of is nobody's business (NIST SP 800-63B).
pub fn check_new(field: &'static str, password: &str) -> Result<(), Failure> {
    let chars = password.chars().count();
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        let why = format!("must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters");
        return Err(Failure::invalid(field, why));
    }
    if COMMON.lines().any(|line| line == password.to_lowercase().trim()) {
        return Err(Failure::invalid(field, "is one of those that are tried first, because many people have it"));
    }
    Ok(())
}

/// Whether a new password is something else than the address that it belongs to.
pub fn check_not_of(field: &'static str, password: &str, email: &str) -> Result<(), Failure> {
    match password.to_lowercase().trim() == email {
        true => Err(Failure::invalid(field, "is the address itself, which everybody knows")),
        false => Ok(()),
    }
}

impl Passwords {
    /// The PHC string of a password; `salt` is fresh randomness.
    pub fn hash(&self, password: &str, salt: [u8; 16]) -> Result<String, Failure> {
        let _turn = self.turn()?;
        hash(password, salt)
    }

    /// Whether `password` belongs to `stored`. `None` is somebody unknown: takes as long, and is always false.
    pub fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, Failure> {
        let _turn = self.turn()?;
        let known = stored.is_some();
        // Made by whoever is first, known or not: it takes as long as a check does.
        let nobody = self.nobody()?;
        let stored = stored.unwrap_or(nobody);
        let stored =
            PasswordHash::new(stored).map_err(|error| Failure::Internal(format!("a stored password hash: {error}")))?;
        // Overlong input costs memory before it is hashed; nobody has such a password.
        let plausible = password.len() <= PASSWORD_CHARS_MAX * 4;
        let tried = if plausible { password } else { "" };
        Ok(scheme()?.verify_password(tried.as_bytes(), &stored).is_ok() && known && plausible)
    }

    fn nobody(&self) -> Result<&str, Failure> {
        if let Some(hash) = self.nobody.get() {
            return Ok(hash);
        }
        let made = hash("nobody has this password", [0; 16])?;
        Ok(self.nobody.get_or_init(|| made))
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> Result<Turn<'_>, Failure> {
        let mut turns = self.lock();
        if turns.running >= RUNNING_MAX {
            if turns.waiting >= WAITING_MAX {
                return Err(Failure::Busy);
            }
            turns.waiting += 1;
            turns = self
                .freed
                .wait_while(turns, |turns| turns.running >= RUNNING_MAX)
                .unwrap_or_else(PoisonError::into_inner);
            turns.waiting -= 1;
        }
        turns.running += 1;
        Ok(Turn(self))
    }
}

struct Turn<'a>(&'a Passwords);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.freed.notify_one();
    }
}

fn scheme() -> Result<Argon2<'static>, Failure> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str, salt: [u8; 16]) -> Result<String, Failure> {
    let hashed = scheme()?
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| Failure::Internal(format!("hashing a password: {error}")))?;
    Ok(hashed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_argon2id_and_only_the_right_one_passes() {
        let passwords = Passwords::default();
        let stored = passwords.hash("correct horse battery", [7; 16]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(passwords.verify("correct horse battery", Some(&stored)), Ok(true));
        assert_eq!(passwords.verify("correct horse batterz", Some(&stored)), Ok(false));
        assert_eq!(passwords.verify("nobody has this password", None), Ok(false), "nobody cannot sign in");
        assert_eq!(passwords.verify(&"x".repeat(100_000), Some(&stored)), Ok(false));
    }

    #[test]
    fn what_everybody_tries_first_is_refused_and_nothing_else_is_asked() {
        for common in
            ["passwordpassword", "Password123456", "123456789012", "1qaz2wsx3edc", "aaaaaaaaaaaa", "qwertyuiop123"]
        {
            assert!(check_new("password", common).is_err(), "{common}");
        }
        for fine in ["correct horse battery", "twelve chars", "ÄÖÜ, nur Buchstaben", "lowercaseonlybutlong"] {
            assert_eq!(check_new("password", fine), Ok(()), "{fine}");
        }
        assert!(check_not_of("password", "Ada@Studio.example", "ada@studio.example").is_err());
        assert!(COMMON.lines().all(|line| line.len() >= PASSWORD_CHARS_MIN && line == line.to_lowercase()));
    }

    #[test]
    fn more_sign_ins_than_can_wait_are_told_to_come_back() {
        let passwords = Passwords::default();
        *passwords.lock() = Turns { running: RUNNING_MAX, waiting: WAITING_MAX };
        assert_eq!(passwords.verify("x", None), Err(Failure::Busy));
    }
}
