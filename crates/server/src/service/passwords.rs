//! The administrator's password: Argon2id with 19 MiB and two passes, two at a time, away from the threads that serve.

use super::failure::Failure;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Passwords being hashed at once; the rate limit bounds how many wait.
const RUNNING_MAX: usize = 2;

/// Hashes and checks passwords.
#[derive(Debug)]
pub(crate) struct Passwords(Semaphore);

impl Passwords {
    pub(crate) fn new() -> Passwords {
        Passwords(Semaphore::new(RUNNING_MAX))
    }

    /// The PHC string of a password; `salt` is fresh randomness.
    pub(crate) async fn hash(&self, password: String, salt: [u8; 16]) -> Result<String, Failure> {
        self.run(move || {
            let hash = scheme()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(internal)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` belongs to `stored`.
    pub(crate) async fn verify(&self, password: String, stored: String) -> Result<bool, Failure> {
        self.run(move || {
            let stored = PasswordHash::new(&stored).map_err(internal)?;
            Ok(scheme()?.verify_password(password.as_bytes(), &stored).is_ok())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let _turn = self.0.acquire().await.map_err(internal)?;
        tokio::task::spawn_blocking(work).await.map_err(internal)?
    }
}

fn scheme() -> Result<Argon2<'static>, Failure> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(format!("a password: {error}"))
}
