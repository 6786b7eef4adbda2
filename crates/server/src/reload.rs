//! Reading the settings again while the server runs: what can change without a stop does, the rest is named, and what
//! cannot be used leaves everything as it was. Nobody who holds a seat notices.

use crate::config::{Config, ConfigError};
use crate::server::Server;
use crate::tls::TlsError;

/// Why the settings were not taken; those from before stay in force. The sentence says what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReloadError(#[from] ReloadProblem);

#[derive(Debug, thiserror::Error)]
enum ReloadProblem {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("settings are on trial on the page Settings. Confirm them or take them back there, then reload again")]
    OnTrial,
}

/// What came of reading the settings again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reloaded {
    /// Settings that have another value in `server.toml` now, and hold from the next start on.
    pub from_next_start: Vec<&'static str>,
    /// SHA-256 of the certificate that browsers see from now on.
    pub fingerprint: String,
}

impl Server {
    /// Reads `server.toml` and the files that it names again. Blocks on the disk.
    ///
    /// # Errors
    /// See [`ReloadError`]; nothing has changed then.
    pub fn reload(&self) -> Result<Reloaded, ReloadError> {
        let trial = self.0.trial.try_lock().map_err(|_| ReloadProblem::OnTrial)?;
        if trial.is_some() {
            return Err(ReloadProblem::OnTrial.into());
        }
        let now = self.0.settings.get();
        let (page, start) = (now.layers.page.clone(), now.layers.start.clone());
        let mut read = Config::open(&self.0.folder, page, start).map_err(ReloadProblem::from)?;
        // Before the settings: they are taken only with a certificate that fits them.
        self.0.certificates.reload(&self.0.folder, &read, self.now()).map_err(ReloadProblem::from)?;
        let listens_elsewhere = read.listen != now.listen;
        read.listen.clone_from(&now.listen);
        let mut from_next_start = self.follow_blocking(read);
        from_next_start.extend(listens_elsewhere.then_some("listen"));
        Ok(Reloaded { from_next_start, fingerprint: self.0.certificates.fingerprint() })
    }
}
