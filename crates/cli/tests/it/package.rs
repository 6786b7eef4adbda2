//! The Debian package: made of the program that is tested, installed, upgraded, removed and purged by dpkg in a root folder
//! of its own, where its server runs as the package's user by the unit's own line.

use crate::support::{Finished, Staying, comes, finish, mode};
use rustix::process::{Signal, geteuid};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const DATA: &str = "var/lib/leasehold-server";

/// Makes the package with a version, of the program that was built for the tests.
fn package(folder: &Path, version: &str) -> PathBuf {
    let built = folder.join("target/release");
    std::fs::create_dir_all(&built).unwrap();
    let program = built.join("leasehold");
    if !program.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_leasehold"), &program).unwrap();
    }
    let package = folder.join(format!("leasehold_{version}.deb"));
    let mut command = Command::new(env!("CARGO"));
    command.args(["deb", "--no-build", "--fast", "--locked", "--manifest-path"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).args(["--deb-version", version, "--output"]);
    // Where it looks for the program in place of the workspace's folder.
    command.arg(&package).env("CARGO_TARGET_DIR", folder.join("target"));
    run(&mut command).ok();
    package
}

fn run(command: &mut Command) -> Finished {
    finish(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// A root folder with a package database of its own.
struct Root {
    folder: TempDir,
}

impl Root {
    fn new() -> Root {
        let folder = tempfile::tempdir().unwrap();
        // Whoever installs has it readable; the server's user comes through here.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let database = folder.path().join("var/lib/dpkg");
        std::fs::create_dir_all(database.join("info")).unwrap();
        std::fs::create_dir_all(database.join("updates")).unwrap();
        std::fs::write(database.join("status"), "").unwrap();
        Root { folder }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// dpkg with the package's own scripts, which act on the root folder. Nothing that they do can reach a service of
    /// this machine: they see no systemd.
    fn dpkg(&self, arguments: &[&str]) -> Finished {
        let hide = "mount -t tmpfs tmpfs /run && exec \"$0\" \"$@\"";
        let mut command = match (geteuid().is_root(), Path::new("/run/systemd/system").exists()) {
            (true, false) => Command::new("dpkg"),
            (root, _) => {
                let mut command = Command::new("unshare");
                command.args(if root { &["--mount"][..] } else { &["--map-root-user", "--mount"] });
                command.args(["sh", "-c", hide, "dpkg"]);
                command
            }
        };
        // What it depends on is on this machine and not in that database.
        command.args(["--force-script-chrootless", "--force-depends", "--root"]).arg(self.folder.path());
        run(command.args(arguments).env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
    }

    fn status(&self) -> String {
        let known = self.read("var/lib/dpkg/status");
        let field = |name| known.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        format!("{} {}", field("Status: "), field("Version: "))
    }

    /// The number of the package's user.
    fn user(&self) -> String {
        let users = self.read("etc/passwd");
        users.lines().find(|line| line.starts_with("leasehold:")).unwrap().split(':').nth(2).unwrap().to_owned()
    }

    /// A command as the package's user; without root's rights, as whoever tests.
    fn as_user(&self, command: &str, more: &[&str]) -> Command {
        let below = |word: &str| match word.strip_prefix('/') {
            Some(path) => self.at(path).into_os_string(),
            None => word.into(),
        };
        let words: Vec<_> = command.split_whitespace().map(below).collect();
        let mut started = if geteuid().is_root() {
            let mut setpriv = Command::new("setpriv");
            let user = self.user();
            setpriv.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).args(&words);
            setpriv
        } else {
            let mut own = Command::new(&words[0]);
            own.args(&words[1..]);
            own
        };
        started.args(more).env_clear().current_dir("/");
        started.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        started
    }

    /// What systemd makes before it starts the service: `StateDirectory=` for `User=`.
    fn make_state_folder(&self) {
        std::fs::create_dir_all(self.at(DATA)).unwrap();
        if geteuid().is_root() {
            let user: u32 = self.user().parse().unwrap();
            std::os::unix::fs::chown(self.at(DATA), Some(user), Some(user)).unwrap();
        }
        std::fs::set_permissions(self.at(DATA), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    }

    fn unit_line(&self, name: &str) -> String {
        let unit = self.read("usr/lib/systemd/system/leasehold-server.service");
        unit.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
    }
}

#[test]
fn the_package_is_installed_upgraded_removed_and_purged() {
    let made = tempfile::tempdir().unwrap();
    let [first, second] = ["0.1.0-1", "0.2.0-1"].map(|version| package(made.path(), version));
    let root = Root::new();
    root.dpkg(&["--install", first.to_str().unwrap()]).ok();
    assert_eq!(root.status(), "install ok installed 0.1.0-1");
    assert!(
        !root.has("etc/systemd/system/multi-user.target.wants"),
        "it does not start a server where nobody asked for one"
    );
    assert_eq!(root.unit_line("User="), "leasehold");
    assert_eq!(root.unit_line("StateDirectory="), "leasehold-server");
    assert!(root.read("usr/share/doc/leasehold/copyright").starts_with("Format: "));

    // Its server, as systemd would start it.
    root.make_state_folder();
    let start = root.unit_line("ExecStart=");
    let serve = || {
        let served = Staying::start(root.as_user(&start, &["--listen", "127.0.0.1:0"]));
        assert!(comes(|| root.has(&format!("{DATA}/admin.address"))), "it takes requests");
        served
    };
    let command = |what: &str| run(&mut root.as_user(&format!("/usr/bin/leasehold server {what} --data /{DATA}"), &[]));
    let mut served = serve();
    assert!(served.line().contains("setup-secret"), "the secret is in a file, and not in what is logged");
    let secret = root.at(&format!("{DATA}/setup-secret"));
    assert_eq!(mode(&secret), 0o600);
    assert!(std::fs::read_to_string(&secret).unwrap().trim().len() > 10);
    assert!(command("status").ok().out.contains("Not activated"));
    assert!(command("request").ok().out.contains("BEGIN CERTIFICATE REQUEST"));
    let key = std::fs::read(root.at(&format!("{DATA}/workstation.key"))).unwrap();
    served.signal(Signal::TERM);
    served.finish().ok();

    // What people changed stays.
    let set = "LEASEHOLD_LISTEN=127.0.0.1:0\n";
    std::fs::write(root.at("etc/leasehold/server.env"), set).unwrap();
    let user = root.user();
    root.dpkg(&["--install", second.to_str().unwrap()]).ok();
    assert_eq!(root.status(), "install ok installed 0.2.0-1");
    assert_eq!((root.read("etc/leasehold/server.env").as_str(), root.user()), (set, user));
    assert_eq!(std::fs::read(root.at(&format!("{DATA}/workstation.key"))).unwrap(), key);
    let served = serve();
    command("status").ok();
    served.signal(Signal::TERM);
    served.finish().ok();

    // Removed: the program is gone, and everything of the customer's is there.
    root.dpkg(&["--remove", "leasehold"]).ok();
    assert_eq!(root.status(), "deinstall ok config-files 0.2.0-1");
    assert!(!root.has("usr/bin/leasehold") && !root.has("usr/lib/systemd/system/leasehold-server.service"));
    assert!(root.has(&format!("{DATA}/server.db")) && root.has("etc/leasehold/server.env"));

    // Purged while the server holds its key: that stays. Without it everything goes.
    let purged = root.dpkg(&["--purge", "leasehold"]).ok();
    assert!(purged.err.contains("still holds seats") && purged.err.contains("rm -r"), "{purged:?}");
    assert!(root.has(&format!("{DATA}/workstation.key")) && !root.has("etc/leasehold/server.env"));
    root.dpkg(&["--install", second.to_str().unwrap()]).ok();
    std::fs::remove_file(root.at(&format!("{DATA}/workstation.key"))).unwrap();
    root.dpkg(&["--purge", "leasehold"]).ok();
    assert!(!root.has(DATA), "nothing is left that anybody needs");
    assert_eq!(root.status(), " ");
}
