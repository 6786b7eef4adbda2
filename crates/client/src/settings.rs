//! Which servers are asked and which vendor is trusted, and where each of the two came from.
//!
//! Servers: what the application or `--server` says, else `LEASEHOLD_SERVERS`, else the user's config file, else the
//! system's. The vendor's root: what the application has built in, else `--trust FILE`, else `LEASEHOLD_TRUST` (a
//! file), else the config files; **never** from a license server.

use crate::address::{ServerAddress, ServerListError, parse_servers};
use crate::config::{self, ConfigFile, FileTrouble};
use leasehold_trust::VendorRoot;
use std::fmt;
use std::path::{Path, PathBuf};

/// Environment variable with the license servers, commas between.
pub const SERVERS_VARIABLE: &str = "LEASEHOLD_SERVERS";
/// Environment variable with the path of the vendor's root certificate.
pub const TRUST_VARIABLE: &str = "LEASEHOLD_TRUST";
/// Environment variable with the path of the one config file to read.
pub const CONFIG_VARIABLE: &str = "LEASEHOLD_CONFIG";

/// Environment variable with the folder in which this machine's passes lie.
pub const PASSES_VARIABLE: &str = "LEASEHOLD_PASSES";

/// Where a setting came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Built into the application.
    Application,
    /// An argument of the command line, or the application's own settings.
    Argument,
    /// An environment variable.
    Environment(&'static str),
    /// A config file.
    File(PathBuf),
    /// Nobody said anything.
    Nobody,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Application => f.write_str("built into the application"),
            Source::Argument => f.write_str("the command line"),
            Source::Environment(name) => write!(f, "the environment variable {name}"),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Nobody => f.write_str("nobody"),
        }
    }
}

/// The license servers to ask, primary first, and who said so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerList {
    /// At most [`crate::address::SERVERS_MAX`]; none only where passes do without.
    pub servers: Vec<ServerAddress>,
    /// Which source won.
    pub source: Source,
}

/// The vendor's root, and who handed it over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trust {
    /// The root.
    pub root: VendorRoot,
    /// Which source won.
    pub source: Source,
}

/// Why no client can be made. Nothing was asked of any server.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nobody named a server.
    #[error(
        "no license server is configured. Name one with --server HOST, in the environment variable {SERVERS_VARIABLE}, or \
         for good with `leasehold client set --servers HOST`; your administrator knows the host"
    )]
    NoServers,
    /// Nobody handed over a vendor's root.
    #[error(
        "no vendor is trusted yet, so no license server can be believed. Give the vendor's root certificate (a .pem \
         file that comes with the software, or from the vendor's portal) with --trust FILE, in the environment variable \
         {TRUST_VARIABLE}, or for good with `leasehold client set --trust FILE`"
    )]
    NoTrust,
    /// The servers are badly written.
    #[error("{found} ({from})", from = source_text(from))]
    Servers {
        /// What is wrong.
        found: ServerListError,
        /// Where it stands.
        from: Source,
    },
    /// The file that was named as the vendor's root holds something else.
    #[error(
        "{} is not the root certificate of a vendor (a self-signed P-256 CA certificate in PEM form); it was named by \
         {from}. Ask the vendor for the right file",
        path.display()
    )]
    NotARoot {
        /// The file.
        path: PathBuf,
        /// Who named it.
        from: Source,
    },
    /// The root that the application has built in is none.
    #[error("the root certificate built into this application is not one of a vendor; its maker must mend that")]
    BuiltInNotARoot,
    /// A config file or the file of the root cannot be used.
    #[error(transparent)]
    File(#[from] FileTrouble),
    /// The file of the root is not there.
    #[error("there is no file {}, which {from} names as the vendor's root certificate. Correct the path", path.display())]
    TrustMissing {
        /// The file.
        path: PathBuf,
        /// Who named it.
        from: Source,
    },
}

fn source_text(source: &Source) -> String {
    match source {
        Source::File(path) => format!("in {}", path.display()),
        source => format!("from {source}"),
    }
}

/// What an application or a command line asks for; empty where it leaves the choice to the machine.
#[derive(Clone, Default, Debug)]
pub struct Wishes {
    /// Servers as written.
    pub servers: Vec<String>,
    /// A root in PEM form.
    pub root_pem: Option<String>,
    /// A file with the root.
    pub root_file: Option<PathBuf>,
}

/// What the machine says: environment variables and the paths of config files.
#[derive(Clone, Default, Debug)]
pub struct Surroundings {
    /// [`SERVERS_VARIABLE`].
    pub servers: Option<String>,
    /// [`TRUST_VARIABLE`].
    pub trust: Option<PathBuf>,
    /// Config files, the stronger first.
    pub files: Vec<PathBuf>,
    /// [`PASSES_VARIABLE`], else a folder in the user's home; `None` where there is no home.
    pub passes: Option<PathBuf>,
    /// What stands for the machine that passes are bound to, instead of its own id: for tests.
    pub machine: Option<String>,
}

impl Surroundings {
    /// Those of this process. Empty variables count as unset.
    pub fn of_this_process() -> Surroundings {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let files = match path(CONFIG_VARIABLE) {
            Some(path) => vec![path],
            None => config::user_path().into_iter().chain([config::system_path()]).collect(),
        };
        // A value that is not text is kept in a form that is refused by name instead of being passed over.
        let servers = path(SERVERS_VARIABLE).map(|value| value.to_string_lossy().into_owned());
        Surroundings {
            servers: servers.filter(|text| !text.trim().is_empty()),
            trust: path(TRUST_VARIABLE),
            files,
            passes: path(PASSES_VARIABLE).or_else(config::passes_folder),
            machine: None,
        }
    }
}

/// The servers to ask.
pub fn servers(wishes: &Wishes, surroundings: &Surroundings) -> Result<ServerList, SettingsError> {
    let (items, source) = if !wishes.servers.is_empty() {
        (wishes.servers.clone(), Source::Argument)
    } else if let Some(variable) = &surroundings.servers {
        (vec![variable.clone()], Source::Environment(SERVERS_VARIABLE))
    } else {
        let from_file = first_in_files(surroundings, |_, file| file.servers.clone())?;
        let (items, path) = from_file.ok_or(SettingsError::NoServers)?;
        (items, Source::File(path))
    };
    match parse_servers(&items) {
        Ok(servers) => Ok(ServerList { servers, source }),
        Err(found) => Err(SettingsError::Servers { found, from: source }),
    }
}

/// The vendor that is trusted.
pub fn trust(wishes: &Wishes, surroundings: &Surroundings) -> Result<Trust, SettingsError> {
    if let Some(pem) = &wishes.root_pem {
        let root = VendorRoot::from_pem(pem).map_err(|_| SettingsError::BuiltInNotARoot)?;
        return Ok(Trust { root, source: Source::Application });
    }
    let (path, source) = if let Some(path) = &wishes.root_file {
        (path.clone(), Source::Argument)
    } else if let Some(path) = &surroundings.trust {
        (path.clone(), Source::Environment(TRUST_VARIABLE))
    } else {
        let from_file = first_in_files(surroundings, |path, file| file.trust_path(path))?;
        let (path, config_path) = from_file.ok_or(SettingsError::NoTrust)?;
        (path, Source::File(config_path))
    };
    let root = read_root(&path, &source)?;
    Ok(Trust { root, source })
}

/// Reads the file of a vendor's root that `from` names.
pub fn read_root(path: &Path, from: &Source) -> Result<VendorRoot, SettingsError> {
    let pem = config::read_text(path).map_err(|trouble| match trouble {
        FileTrouble::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            SettingsError::TrustMissing { path: path.to_owned(), from: from.clone() }
        }
        FileTrouble::Content { .. } => SettingsError::NotARoot { path: path.to_owned(), from: from.clone() },
        trouble => trouble.into(),
    })?;
    VendorRoot::from_pem(&pem).map_err(|_| SettingsError::NotARoot { path: path.to_owned(), from: from.clone() })
}

fn first_in_files<T>(
    surroundings: &Surroundings,
    setting: impl Fn(&Path, &ConfigFile) -> Option<T>,
) -> Result<Option<(T, PathBuf)>, SettingsError> {
    for path in &surroundings.files {
        if let Some(value) = ConfigFile::read(path)?.and_then(|file| setting(path, &file)) {
            return Ok(Some((value, path.clone())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::time::Ms;
    use leasehold_trust::Vendor;

    struct Machine {
        folder: tempfile::TempDir,
        surroundings: Surroundings,
    }

    impl Machine {
        fn new() -> Machine {
            let folder = tempfile::tempdir().unwrap();
            let files = ["user.toml", "system.toml"].map(|name| folder.path().join(name)).to_vec();
            Machine { folder, surroundings: Surroundings { files, ..Surroundings::default() } }
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    fn root_pem(vendor: &str) -> String {
        Vendor::create(vendor, Ms(1_795_000_000_000)).unwrap().root_certificate_pem
    }

    #[test]
    fn servers_argument_over_environment_over_user_over_system() {
        let mut machine = Machine::new();
        let mut wishes = Wishes::default();
        assert!(matches!(servers(&wishes, &machine.surroundings), Err(SettingsError::NoServers)));
        let system = machine.file("system.toml", "servers = [\"system\"]");
        let found = |wishes: &Wishes, machine: &Machine| {
            let list = servers(wishes, &machine.surroundings).unwrap();
            (list.servers[0].host().to_owned(), list.source)
        };
        assert_eq!(found(&wishes, &machine), ("system".to_owned(), Source::File(system)));
        let user = machine.file("user.toml", "servers = [\"user\"]");
        assert_eq!(found(&wishes, &machine), ("user".to_owned(), Source::File(user)));
        machine.surroundings.servers = Some("environment,b".to_owned());
        assert_eq!(found(&wishes, &machine), ("environment".to_owned(), Source::Environment(SERVERS_VARIABLE)));
        wishes.servers = vec!["argument".to_owned()];
        assert_eq!(found(&wishes, &machine), ("argument".to_owned(), Source::Argument));
    }

    #[test]
    fn a_wrong_server_says_who_wrote_it() {
        let mut machine = Machine::new();
        machine.surroundings.servers = Some("27000@license".to_owned());
        let error = servers(&Wishes::default(), &machine.surroundings).unwrap_err().to_string();
        assert!(error.contains("27000@license") && error.contains(SERVERS_VARIABLE), "{error}");
    }

    #[test]
    fn trust_application_over_argument_over_environment_over_file() {
        let mut machine = Machine::new();
        let mut wishes = Wishes::default();
        assert!(matches!(trust(&wishes, &machine.surroundings), Err(SettingsError::NoTrust)));
        machine.file("filed.pem", &root_pem("Filed"));
        machine.file("user.toml", "trust = \"filed.pem\"");
        let name =
            |wishes: &Wishes, machine: &Machine| trust(wishes, &machine.surroundings).unwrap().root.name().to_owned();
        assert_eq!(name(&wishes, &machine), "Filed");
        machine.surroundings.trust = Some(machine.file("environment.pem", &root_pem("Environment")));
        assert_eq!(name(&wishes, &machine), "Environment");
        wishes.root_file = Some(machine.file("argument.pem", &root_pem("Argument")));
        assert_eq!(name(&wishes, &machine), "Argument");
        wishes.root_pem = Some(root_pem("Application"));
        assert_eq!(name(&wishes, &machine), "Application");
    }

    #[test]
    fn a_root_that_is_none_is_refused_by_path_and_source() {
        let mut machine = Machine::new();
        machine.surroundings.trust = Some(machine.folder.path().join("nowhere.pem"));
        let missing = trust(&Wishes::default(), &machine.surroundings).unwrap_err().to_string();
        assert!(missing.contains("nowhere.pem") && missing.contains(TRUST_VARIABLE), "{missing}");
        machine.surroundings.trust = Some(machine.file("other.pem", "hello"));
        let other = trust(&Wishes::default(), &machine.surroundings).unwrap_err().to_string();
        assert!(other.contains("other.pem") && other.contains("Ask the vendor"), "{other}");
    }
}
