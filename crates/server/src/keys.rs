//! The server's secrets: the workstation key with what the portal certified about it, and the secret from which those of
//! leases follow. Owns their files; each is written once.

use crate::random::SharedRandom;
use crate::tls::Certificates;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold_core::engine::{Document, GiveBack};
use leasehold_core::ids::{ReceiptId, WorkstationId};
use leasehold_core::random;
use leasehold_core::time::Ms;
use leasehold_core::usage::Summary;
use leasehold_host::{FileError, private_file};
use leasehold_trust::activation_file::Activation;
use leasehold_trust::pass::PassSigner;
use leasehold_trust::receipt::{Kept, ReceiptFacts, build_receipt, read_receipt};
use leasehold_trust::secret::HmacKey;
use leasehold_trust::{LeaseSigner, PublicKey, SigningKey, VendorRoot, certificate_ends_at};
use leasehold_wire::server::GrantResponse;
use rustls::pki_types::CertificateDer;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The workstation key, PKCS#8 PEM.
pub(crate) const WORKSTATION_KEY_FILE: &str = "workstation.key";
/// The secret of lease secrets, 64 hex digits.
const LEASE_SECRET_FILE: &str = "lease-secret.key";

/// Why the secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file does not hold what belongs there.
    #[error("{} is damaged: {why}. Restore the data folder from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What this server is, by the portal's word: fixed while one document is in force.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Its id at the portal.
    pub(crate) workstation: WorkstationId,
    /// The vendor.
    pub(crate) root: VendorRoot,
    /// Its key, for checking what it signed.
    pub(crate) public: PublicKey,
    /// Signs leases.
    pub(crate) signer: LeaseSigner,
    /// Signs passes.
    pub(crate) passes: PassSigner,
    /// Its certificate and those between it and the root.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// The document in force, for clients.
    pub(crate) grant: Arc<GrantResponse>,
    /// When its certificates end, the workstation's first, then the issuing CA's.
    pub(crate) chain_ends: Vec<Ms>,
}

/// The server's secrets.
#[derive(Debug)]
pub(crate) struct Keys {
    folder: PathBuf,
    random: SharedRandom,
    certificates: Arc<Certificates>,
    lease_secrets: HmacKey,
    key: RwLock<Option<SigningKey>>,
    identity: RwLock<Option<Arc<Identity>>>,
}

impl Keys {
    /// Reads the secrets of a data folder; makes those that exist from the first start on.
    pub(crate) fn open(
        folder: &Path,
        random: SharedRandom,
        certificates: Arc<Certificates>,
    ) -> Result<Keys, KeysError> {
        let lease_secrets = lease_secrets(&folder.join(LEASE_SECRET_FILE), &random)?;
        let path = folder.join(WORKSTATION_KEY_FILE);
        let key = match read_if_there(&path)? {
            Some(bytes) => Some(read_key(&path, &bytes)?),
            None => None,
        };
        let (key, identity) = (RwLock::new(key), RwLock::new(None));
        Ok(Keys { folder: folder.to_owned(), random, certificates, lease_secrets, key, identity })
    }

    /// Destroys the key if one of these receipts is its last word: the process ended between the two.
    pub(crate) fn finish_retirement(&self, receipts: &[String]) {
        let Some(key) = self.key() else { return };
        let ended = receipts.iter().filter_map(|file| read_receipt(file.as_bytes()).ok());
        if ended.into_iter().any(|receipt| receipt.key == key.thumbprint()) {
            self.destroy();
        }
    }

    /// The secret of leases.
    pub(crate) fn lease_secrets(&self) -> &HmacKey {
        &self.lease_secrets
    }

    /// The workstation key, if there is one.
    pub(crate) fn key(&self) -> Option<SigningKey> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The workstation key; makes it on first use. Blocks on the disk.
    pub(crate) fn key_or_new(&self) -> Result<SigningKey, FileError> {
        let mut slot = self.key.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &*slot {
            return Ok(key.clone());
        }
        let key = SigningKey::generate();
        private_file::write_once(&self.folder.join(WORKSTATION_KEY_FILE), key.to_pkcs8_pem().as_bytes())?;
        *slot = Some(key.clone());
        Ok(key)
    }

    /// What this server is; `None` before activation.
    pub(crate) fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A document is in force: sign leases by it, and show its certificate to clients.
    pub(crate) fn activate(&self, key: &SigningKey, activation: &Activation) {
        self.certificates.show_workstation(key, activation.certificate_chain.clone());
        let identity = Identity {
            workstation: activation.grant.grant.workstation,
            root: activation.root.clone(),
            public: key.public(),
            signer: LeaseSigner::new(key.clone()),
            passes: PassSigner::new(key.clone()),
            certificates: activation.certificate_chain.clone(),
            grant: Arc::new(grant_response(activation)),
            chain_ends: activation.certificate_chain.iter().filter_map(|der| certificate_ends_at(der)).collect(),
        };
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(identity));
    }

    /// The receipt with which the key ends: the last thing that it signs. `None` if there is no key. `now` is the wall
    /// clock's: the portal refuses dates that are far off, and the server's own time may be.
    pub(crate) fn receipt(&self, document: &Document, usage: Option<Summary>, now: Ms) -> Option<Box<str>> {
        let facts = ReceiptFacts {
            receipt: self.random.draw(|random| ReceiptId::draw(now, random)),
            workstation: document.grant.workstation,
            rev_in_use: document.grant.rev,
            given_up_at: now.floor_to_second(),
            server_version: crate::VERSION.to_owned(),
            kept: None,
            usage,
        };
        self.key().map(|key| build_receipt(&key, &facts).into())
    }

    /// The receipt of a promise that is on disk. `None` if there is no key.
    pub(crate) fn give_back_receipt(&self, given: &GiveBack, usage: Option<Summary>, now: Ms) -> Option<String> {
        let facts = ReceiptFacts {
            receipt: self.random.draw(|random| ReceiptId::draw(now, random)),
            workstation: given.workstation,
            rev_in_use: given.rev,
            given_up_at: now.floor_to_second(),
            server_version: crate::VERSION.to_owned(),
            kept: Some(Kept { number: given.number, document: given.document.to_string(), seats: given.kept.clone() }),
            usage,
        };
        self.key().map(|key| build_receipt(&key, &facts))
    }

    /// Destroys the workstation key. If the file cannot be removed now, the next start does it: its receipt is on disk.
    pub(crate) fn destroy(&self) {
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = None;
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.certificates.hide_workstation();
        let path = self.folder.join(WORKSTATION_KEY_FILE);
        let removed = std::fs::remove_file(&path).and_then(|()| std::fs::File::open(&self.folder)?.sync_all());
        if let Err(error) = removed {
            tracing::error!(path = %path.display(), %error, "the key was given up, but its file cannot be removed: remove it by hand");
        }
    }
}

/// A document for clients, who check it up to the vendor's root.
pub(crate) fn grant_response(activation: &Activation) -> GrantResponse {
    GrantResponse {
        sha256: activation.grant.sha256_hex.clone(),
        grant: activation.grant.token.clone(),
        certificates: activation.certificate_chain.iter().map(|der| STANDARD.encode(der)).collect(),
    }
}

/// The content of a secret file, if it exists.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match private_file::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == Some(std::io::ErrorKind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A key from the bytes of its file.
pub(crate) fn read_key(path: &Path, bytes: &[u8]) -> Result<SigningKey, KeysError> {
    let damaged = |why: String| KeysError::Damaged { path: path.to_owned(), why };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is not text".to_owned()))?;
    SigningKey::from_pkcs8_pem(text).map_err(|error| damaged(error.to_string()))
}

fn lease_secrets(path: &Path, random: &SharedRandom) -> Result<HmacKey, KeysError> {
    if let Some(bytes) = read_if_there(path)? {
        let key = std::str::from_utf8(&bytes).ok().and_then(|text| unhex(text.trim()));
        let why = "it should hold 64 hex digits".to_owned();
        return Ok(HmacKey::new(&key.ok_or(KeysError::Damaged { path: path.to_owned(), why })?));
    }
    let key: [u8; 32] = random.draw(random::bytes);
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    private_file::write_once(path, text.as_bytes())?;
    Ok(HmacKey::new(&key))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}
