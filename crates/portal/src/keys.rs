//! The vendor's key files: made once by `init`, never overwritten, and loaded by a running portal except the root's.

use leasehold_core::time::Ms;
use leasehold_host::{FileError, private_file};
use leasehold_trust::{PortalSigner, SigningKey, Vendor};
use std::path::{Path, PathBuf};

/// Folder of the key files in a data folder.
pub const FOLDER: &str = "keys";
/// Certificate of the root: public.
pub const ROOT_CERTIFICATE: &str = "root.crt";
/// Key of the root, behind a passphrase; to be taken off the machine.
pub const ROOT_KEY: &str = "root.key";
const ISSUING_CERTIFICATE: &str = "issuing.crt";
const ISSUING_KEY: &str = "issuing.key";
const DOCUMENT_CERTIFICATE: &str = "document.crt";
const DOCUMENT_KEY: &str = "document.key";

/// What a running portal needs, and so what a backup keeps.
pub(crate) const NEEDED: [&str; 5] =
    [ROOT_CERTIFICATE, ISSUING_CERTIFICATE, ISSUING_KEY, DOCUMENT_CERTIFICATE, DOCUMENT_KEY];

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file holds something else.
    #[error("{} does not hold what belongs there ({why}). Restore the folder {FOLDER} from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The files do not fit together, or not this time.
    #[error(
        "the vendor's keys in {} cannot be used at {now}: {why}. If the machine's clock is wrong, set it right; else restore \
         the folder from a backup", folder.display()
    )]
    Unfit {
        /// The folder.
        folder: PathBuf,
        /// The machine's time.
        now: String,
        /// What is wrong.
        why: String,
    },
}

/// Writes the files of a new vendor into `data/keys`.
pub(crate) fn write(data: &Path, vendor: &Vendor, passphrase: &str) -> Result<(), KeysError> {
    let folder = data.join(FOLDER);
    let once = |name: &str, text: &str| private_file::write_once(&folder.join(name), text.as_bytes());
    once(ROOT_CERTIFICATE, &vendor.root_certificate_pem)?;
    once(ROOT_KEY, &vendor.root_key.to_encrypted_pem(passphrase))?;
    once(ISSUING_CERTIFICATE, &vendor.issuing_certificate_pem)?;
    once(ISSUING_KEY, &vendor.issuing_key.to_pkcs8_pem())?;
    once(DOCUMENT_CERTIFICATE, &vendor.document_certificate_pem)?;
    once(DOCUMENT_KEY, &vendor.document_key.to_pkcs8_pem())?;
    Ok(())
}

/// Loads what a running portal signs with.
pub(crate) fn load(data: &Path, now: Ms) -> Result<PortalSigner, KeysError> {
    let folder = data.join(FOLDER);
    let text = |name: &str| -> Result<String, KeysError> {
        let path = folder.join(name);
        String::from_utf8(private_file::read(&path)?)
            .map_err(|_| KeysError::Damaged { path, why: "it is not text".to_owned() })
    };
    let key = |name: &str| -> Result<SigningKey, KeysError> {
        SigningKey::from_pkcs8_pem(&text(name)?)
            .map_err(|why| KeysError::Damaged { path: folder.join(name), why: why.to_string() })
    };
    let (root, issuing, document) = (text(ROOT_CERTIFICATE)?, text(ISSUING_CERTIFICATE)?, text(DOCUMENT_CERTIFICATE)?);
    PortalSigner::load(&root, &issuing, key(ISSUING_KEY)?, &document, key(DOCUMENT_KEY)?, now)
        .map_err(|why| KeysError::Unfit { folder: folder.clone(), now: now.rfc3339(), why: why.to_string() })
}
