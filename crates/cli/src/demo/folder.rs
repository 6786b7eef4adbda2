//! The demo's data folder, and the sign-ins that are kept in it.

use crate::failure::Failure;
use leasehold_core::random;
use leasehold_core::time::{Ms, rfc3339};
use leasehold_host::{FolderLock, LockError, OsRandom, private_file};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Everything that a person or a later start needs to sign in. Mode 0600.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIns {
    /// Dates of licenses count from here, so that an interrupted first start goes on with the same requests.
    #[serde(with = "rfc3339")]
    pub(super) made_at: Ms,
    pub(super) root_passphrase: String,
    pub(super) operator_email: String,
    pub(super) operator_password: String,
    pub(super) customer_email: String,
    pub(super) customer_password: String,
    pub(super) administrator_password: String,
}

/// Removes what a demo left that was killed. Its services end by themselves, and may write for a moment longer.
fn remove(folder: &Path) -> std::io::Result<()> {
    let (_keep, never) = channel::<()>();
    for _ in 0..50 {
        let runs = matches!(FolderLock::acquire(folder), Err(LockError::Held { .. }));
        match if runs { Ok(()) } else { std::fs::remove_dir_all(folder) } {
            Ok(()) if !runs => return Ok(()),
            Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => return Err(error),
            _ => {}
        }
        let _ = never.recv_timeout(Duration::from_millis(100));
    }
    std::fs::remove_dir_all(folder)
}

/// The folder; nobody else runs a demo in it while this lives.
pub(super) struct Folder(PathBuf, FolderLock);

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Folder, Failure> {
        let failed = |error: std::io::Error| {
            Failure::of(format!("Cannot use the folder {}: {error}. Choose another with --data.", path.display()))
        };
        let make = |path: &Path| std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        make(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let lock = FolderLock::acquire(&path).map_err(|error| match error {
            LockError::Held { .. } => Failure::of(format!(
                "A demo runs on {} already. Stop it with Ctrl-C, or choose another folder with --data.",
                path.display()
            )),
            other => Failure::of(other),
        })?;
        let folder = Folder(path, lock);
        make(&folder.logs()).map_err(failed)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn portal(&self) -> PathBuf {
        self.0.join("portal")
    }

    pub(super) fn server(&self) -> PathBuf {
        self.0.join("server")
    }

    /// Where the server writes its one-time secret.
    pub(super) fn setup_secret(&self) -> PathBuf {
        self.0.join("setup-secret")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The vendor's root certificate, as the vendor would hand it out.
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("vendor-root.pem")
    }

    /// There while the first start has not come to its end.
    fn unfinished(&self) -> PathBuf {
        self.0.join("unfinished")
    }

    /// Begins a first start, or begins it anew: what an interrupted one left is of no use to anybody. A folder that has
    /// other things in it is left alone.
    pub(super) fn begin(&self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::of(format!("Cannot use the folder {}: {error}. Choose another with --data.", self.0.display()))
        };
        if self.unfinished().exists() {
            for folder in [self.portal(), self.server()] {
                if folder.exists() {
                    remove(&folder).map_err(failed)?;
                }
            }
            for file in [self.sign_ins_path(), self.setup_secret(), self.root()] {
                if file.exists() {
                    std::fs::remove_file(file).map_err(failed)?;
                }
            }
        }
        let made = |path: &Path| path.exists();
        if made(&self.sign_ins_path()) && made(&self.portal()) {
            return Ok(());
        }
        let foreign = std::fs::read_dir(&self.0).map_err(failed)?.flatten().map(|entry| entry.path());
        let ours = [self.logs(), self.unfinished(), self.1.path().to_owned()];
        if foreign.into_iter().any(|path| !ours.contains(&path)) {
            return Err(Failure::of(format!(
                "{} holds something else than a whole demo, or has lost its sign-ins. Remove the folder, or choose another \
                 with --data.",
                self.0.display()
            )));
        }
        std::fs::write(self.unfinished(), "A first start of the demo has not come to its end.\n").map_err(failed)
    }

    /// The first start has come to its end.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        match std::fs::remove_file(self.unfinished()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::of(format!("Cannot remove {}: {error}.", self.unfinished().display())))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn sign_ins_path(&self) -> PathBuf {
        self.0.join("sign-ins.json")
    }

    /// The sign-ins of an earlier start, or fresh ones.
    pub(super) fn sign_ins(&self, now: Ms) -> Result<SignIns, Failure> {
        let path = self.sign_ins_path();
        if path.exists() {
            let bytes = private_file::read(&path).map_err(Failure::of)?;
            return serde_json::from_slice(&bytes).map_err(|error| {
                Failure::of(format!("{} is damaged ({error}). Choose another folder with --data.", path.display()))
            });
        }
        let sign_ins = SignIns {
            made_at: now,
            root_passphrase: password(),
            operator_email: "sales@northlight.example".to_owned(),
            operator_password: password(),
            customer_email: "licenses@brightframe.example".to_owned(),
            customer_password: password(),
            administrator_password: password(),
        };
        let text = serde_json::to_vec_pretty(&sign_ins).map_err(Failure::of)?;
        private_file::write_once(&path, &text).map_err(Failure::of)?;
        Ok(sign_ins)
    }

    /// Hands the vendor's root out.
    pub(super) fn keep_root(&self) -> Result<(), Failure> {
        let copied = std::fs::copy(self.portal().join("keys/root.crt"), self.root());
        copied.map(drop).map_err(|error| Failure::of(format!("Cannot copy the vendor's root certificate: {error}.")))
    }

    /// What the server's administrator would write: the portal's address, for the steps of activation.
    pub(super) fn write_server_settings(&self, portal: SocketAddr) -> Result<(), Failure> {
        let folder = self.server();
        let text = format!("listen = \"127.0.0.1:30304\"\nportal_url = \"http://{portal}\"\n");
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        let written = made.and_then(|()| std::fs::write(folder.join("server.toml"), text));
        written.map_err(|error| Failure::of(format!("Cannot write to {}: {error}.", folder.display())))
    }
}

/// Twenty characters that a person can type: 100 random bits.
fn password() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";
    let drawn: [u8; 20] = random::bytes(&mut OsRandom);
    let chars: Vec<char> = drawn.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    chars.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}
