//! What the administrator wants to know about the machine and the folder that this server lives on.

use super::access::Caller;
use super::failure::Failure;
use crate::server::Server;
use leasehold_core::access::ServerAction;
use leasehold_core::time::Ms;

/// Where and how this server is installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    /// The machine's name. Hostile text.
    pub host: String,
    /// Release of the server.
    pub version: &'static str,
    /// The data folder.
    pub folder: String,
    /// Bytes that this server may still write there; `None` if the system does not tell.
    pub free_bytes: Option<u64>,
    /// SHA-256 of the certificate that browsers are shown, `AB:CD:...`.
    pub tls_fingerprint: String,
    /// It is the one that the server made itself.
    pub tls_self_signed: bool,
    /// When it ends.
    pub tls_ends_at: Option<Ms>,
    /// How long usage events are kept.
    pub usage_keep_days: u64,
}

impl Server {
    /// Where and how this server is installed.
    ///
    /// # Errors
    /// [`Failure::SignIn`].
    pub async fn installation(&self, caller: &Caller) -> Result<Installation, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        let folder = self.0.folder.clone();
        // A network volume may take its time.
        let free = tokio::task::spawn_blocking(move || leasehold_host::free_bytes(&folder).ok()).await;
        let folder = self.0.folder.canonicalize().unwrap_or_else(|_| self.0.folder.clone());
        Ok(Installation {
            host: leasehold_host::host_name(),
            version: crate::VERSION,
            folder: folder.display().to_string(),
            free_bytes: free.map_err(|error| Failure::Internal(error.to_string()))?,
            tls_fingerprint: self.0.certificates.fingerprint(),
            tls_ends_at: self.0.certificates.browsers_end_at(),
            tls_self_signed: self.0.settings.get().tls.is_none(),
            usage_keep_days: u64::from(self.0.settings.get().usage_keep_days),
        })
    }

    /// Whether there is no administrator yet.
    pub fn setup_needed(&self) -> bool {
        self.0.administrator.setup_needed()
    }

    /// Whether whoever has a setup secret may use it.
    pub fn setup_open(&self) -> bool {
        self.0.administrator.setup_open()
    }
}
