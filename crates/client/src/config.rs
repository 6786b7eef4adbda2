//! The client's config file: where it is, what stands in it, and the one function that writes it.
//!
//! ```toml
//! # The license servers, primary first: host, host:port or http://host:port.
//! servers = ["license.example.com", "spare.example.com:30304"]
//! # The vendor's root certificate (PEM). A relative path starts at this file's folder.
//! trust = "vendor-root.pem"
//! ```
//!
//! Per user: `~/.config/leasehold/client.toml` (Linux), `~/Library/Application Support/leasehold/client.toml` (macOS),
//! `%APPDATA%\leasehold\config\client.toml` (Windows). For the whole system: `/etc/leasehold/client.toml`,
//! `/Library/Application Support/leasehold/client.toml`, `%ProgramData%\leasehold\client.toml`. What the user's file
//! says wins over the system's, setting by setting. `LEASEHOLD_CONFIG` names one file to be read instead of both.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The file's name in its folder.
const FILE_NAME: &str = "client.toml";
/// The name under which `client set` keeps the vendor's root beside the config file.
const ROOT_FILE_NAME: &str = "vendor-root.pem";
/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What stands in a config file. Both settings may be missing.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The license servers as written, primary first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<Vec<String>>,
    /// Path of the vendor's root certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<PathBuf>,
}

/// Why a config file, or a file that it names, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileTrouble {
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}, line {line}: {why}. Mend the line; or remove the file and make it anew with `leasehold client set`", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, in one line.
        why: String,
    },
    /// Larger than any config file or root certificate.
    #[error("{} has more than {FILE_BYTES_MAX} bytes, so it is not the file that belongs there", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
}

impl ConfigFile {
    /// Reads a config file; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<ConfigFile>, FileTrouble> {
        match read_text(path) {
            Ok(text) => ConfigFile::parse(path, &text).map(Some),
            Err(FileTrouble::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<ConfigFile, FileTrouble> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let why = error.message().lines().collect::<Vec<_>>().join("; ");
            FileTrouble::Content { path: path.to_owned(), line, why }
        })
    }

    /// The path of the vendor's root, made absolute by the folder of the config file at `path`.
    pub fn trust_path(&self, path: &Path) -> Option<PathBuf> {
        let trust = self.trust.as_ref()?;
        Some(path.parent().unwrap_or(Path::new(".")).join(trust))
    }

    /// Writes or replaces the config file at `path`, making its folder; after a crash there is the old file or the
    /// new one. With `root_pem` the vendor's root is written beside it and named in it. Others may read both: nothing
    /// in them is secret.
    pub fn write(mut self, path: &Path, root_pem: Option<&str>) -> Result<(), FileTrouble> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| FileTrouble::Io { doing: "write", path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        if let Some(root_pem) = root_pem {
            let root_path = folder.join(ROOT_FILE_NAME);
            replace(&root_path, root_pem.as_bytes()).map_err(failed(&root_path))?;
            self.trust = Some(PathBuf::from(ROOT_FILE_NAME));
        }
        let body = toml::to_string(&self).expect("lists of text and a path have a TOML form");
        let text = format!(
            "# Which license servers applications ask, and which vendor they trust.\n# Written by `leasehold client set`.\n{body}"
        );
        replace(path, text.as_bytes()).map_err(failed(path))
    }
}

/// Reads a small text file.
pub(crate) fn read_text(path: &Path) -> Result<String, FileTrouble> {
    let failed = |source| FileTrouble::Io { doing: "read", path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileTrouble::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|_| FileTrouble::Content {
        path: path.to_owned(),
        line: 1,
        why: "the file is not text (UTF-8)".to_owned(),
    })
}

/// Writes beside, flushes, renames. Not `leasehold_host::private_file`: other users of the machine must read this.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let _ = fs::remove_file(&temporary);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let written = options.open(&temporary).and_then(|mut file| {
        // Whatever the umask: an administrator's is often 077.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// The config file of the user who runs this process; `None` if the machine tells no home folder.
pub fn user_path() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "leasehold").map(|folders| folders.config_dir().join(FILE_NAME))
}

/// The folder in which the passes of the user who runs this process lie; `None` if the machine tells no home folder.
pub fn passes_folder() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "leasehold").map(|folders| folders.data_local_dir().join("passes"))
}

/// The config file of the whole system.
pub fn system_path() -> PathBuf {
    let folder = if cfg!(target_os = "macos") {
        PathBuf::from("/Library/Application Support/leasehold")
    } else if cfg!(windows) {
        PathBuf::from(std::env::var_os("ProgramData").unwrap_or_else(|| "C:\\ProgramData".into())).join("leasehold")
    } else {
        PathBuf::from("/etc/leasehold")
    };
    folder.join(FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/client.toml");
        assert_eq!(ConfigFile::read(&path).unwrap(), None);
        let file = ConfigFile { servers: Some(vec!["a\"b".to_owned(), "c".to_owned()]), trust: None };
        file.clone().write(&path, Some("PEM")).unwrap();
        let read = ConfigFile::read(&path).unwrap().unwrap();
        assert_eq!(read.servers, file.servers);
        assert_eq!(read.trust_path(&path), Some(folder.path().join("new/vendor-root.pem")));
        assert_eq!(read_text(&read.trust_path(&path).unwrap()).unwrap(), "PEM");
        let names = fs::read_dir(folder.path().join("new")).unwrap().count();
        assert_eq!(names, 2, "nothing else is left in the folder");
    }

    #[test]
    fn a_wrong_line_is_named_with_its_number() {
        let path = Path::new("/etc/leasehold/client.toml");
        let unknown = ConfigFile::parse(path, "# comment\n\nserver = \"a\"\n").unwrap_err().to_string();
        assert!(unknown.contains("client.toml, line 3: unknown field `server`"), "{unknown}");
        let wrong_type = ConfigFile::parse(path, "servers = \"a\"\n").unwrap_err().to_string();
        assert!(wrong_type.contains("line 1"), "{wrong_type}");
        assert!(ConfigFile::parse(path, "servers = [").unwrap_err().to_string().contains("line 1"));
    }

    #[cfg(unix)]
    #[test]
    fn every_user_of_the_machine_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        ConfigFile::default().write(&path, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o444, 0o444);
    }

    #[test]
    fn a_file_that_cannot_be_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, vec![b'#'; 70_000]).unwrap();
        assert!(matches!(ConfigFile::read(&path), Err(FileTrouble::TooLarge { .. })));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(ConfigFile::read(&path).unwrap_err().to_string().contains("UTF-8"));
    }
}
