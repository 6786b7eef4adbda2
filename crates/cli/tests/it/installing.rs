//! The license server as a service: the files that `server install` puts into a root folder, what systemd's own tools say
//! about them, and what `server uninstall` leaves.

use crate::support::{Machine, mode};
use std::path::{Path, PathBuf};
use std::process::Command;

struct Root {
    machine: Machine,
    root: PathBuf,
}

impl Root {
    fn new() -> Root {
        let machine = Machine::new();
        let root = machine.path("root");
        std::fs::create_dir(&root).unwrap();
        Root { machine, root }
    }

    fn server(&self, arguments: &[&str]) -> crate::support::Finished {
        self.machine.run(&[&["server"], arguments, &["--root", self.root.to_str().unwrap()]].concat())
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn has(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }
}

const UNIT: &str = "etc/systemd/system/leasehold-server.service";
const WANTED: &str = "etc/systemd/system/multi-user.target.wants/leasehold-server.service";
const PROGRAM: &str = "usr/local/bin/leasehold";
const ENVIRONMENT: &str = "etc/leasehold/server.env";

fn output(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// Only what `verify` cannot know in a bare root folder, or an older systemd than the unit is for.
fn complaints(unit: &Path) -> Vec<String> {
    let (_, text) = output(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(unit));
    let known = |line: &str| {
        line.contains("Failed to parse service type, ignoring: notify-reload")
            || line.contains("is not executable: No such file or directory")
    };
    text.lines().filter(|line| line.contains("leasehold") && !known(line)).map(str::to_owned).collect()
}

#[test]
fn a_service_is_installed_upgraded_and_taken_away() {
    let machine = Root::new();
    let said = machine.server(&["install", "--listen", "0.0.0.0:4711"]).ok().out;
    for part in ["It was not started", ":4711/", "sudo cat /var/lib/leasehold-server/setup-secret"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let unit = machine.read(UNIT);
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    assert!(start.starts_with("/usr/local/bin/leasehold server serve --data /var/lib/leasehold-server"), "{start}");
    assert_eq!(mode(&machine.root.join(PROGRAM)), 0o755);
    assert_eq!(
        std::fs::read(machine.root.join(PROGRAM)).unwrap(),
        std::fs::read(env!("CARGO_BIN_EXE_leasehold")).unwrap()
    );
    assert!(machine.has(WANTED), "it starts at boot");
    let user = machine.read("etc/passwd");
    let user: Vec<&str> = user.lines().find(|line| line.starts_with("leasehold:")).unwrap().split(':').collect();
    assert!(user[2].parse::<u32>().unwrap() < 1000 && user[6].ends_with("nologin"), "{user:?}");
    assert!(machine.read(ENVIRONMENT).contains("\nLEASEHOLD_LISTEN=0.0.0.0:4711\n"));

    // What people changed stays; what is ours is renewed.
    std::fs::write(machine.root.join(ENVIRONMENT), "LEASEHOLD_LISTEN=127.0.0.1:4712\n").unwrap();
    std::fs::write(machine.root.join(PROGRAM), "an older program").unwrap();
    let said = machine.server(&["install"]).ok().out;
    assert!(said.contains(":4712/"), "{said}");
    assert_eq!(machine.read(ENVIRONMENT), "LEASEHOLD_LISTEN=127.0.0.1:4712\n");
    assert_eq!(machine.read(UNIT), unit);
    assert_ne!(std::fs::metadata(machine.root.join(PROGRAM)).unwrap().len(), 16);
    assert_eq!(machine.read("etc/passwd").matches("leasehold:").count(), 1);

    let data = machine.root.join("var/lib/leasehold-server");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("server.db"), "seats").unwrap();
    let said = machine.server(&["uninstall"]).ok().out;
    assert!(said.contains("data stays in") && said.contains("var/lib/leasehold-server"), "{said}");
    for gone in [UNIT, WANTED, PROGRAM] {
        assert!(!machine.has(gone), "{gone}");
    }
    assert!(machine.has("var/lib/leasehold-server/server.db") && machine.has(ENVIRONMENT));
    assert!(machine.server(&["uninstall"]).ok().out.contains("No service"), "again is harmless");
    machine.server(&["uninstall", "--purge"]).failed(1, &["server disable", "--yes"]);
    assert!(machine.has("var/lib/leasehold-server/server.db"), "nothing was done");
    machine.server(&["uninstall", "--purge", "--yes"]).ok();
    assert!(!machine.has("var/lib/leasehold-server") && !machine.has(ENVIRONMENT));
}

#[test]
fn the_unit_is_one_that_systemd_understands_and_finds_well_locked() {
    let machine = Root::new();
    machine.server(&["install"]).ok();
    let unit = machine.root.join(UNIT);
    assert_eq!(complaints(&unit), Vec::<String>::new());
    // The checker finds what it should: otherwise the line above shows nothing.
    let bad = machine.root.join("leasehold-bad.service");
    std::fs::write(&bad, machine.read(UNIT).replace("ProtectHome=yes", "ProtectHomes=yes")).unwrap();
    assert_eq!(complaints(&bad).len(), 1, "{:?}", complaints(&bad));

    // Tenths: 20 is an exposure of 2.0.
    let locked = |limit: &str| {
        let analyze = ["security", "--offline=true", "--no-pager", "--threshold", limit];
        output(Command::new("systemd-analyze").args(analyze).arg(&unit))
    };
    let (well, text) = locked("20");
    assert!(well && text.contains("OK"), "{text}");
    assert!(!locked("1").0, "the limit is looked at");
}

#[test]
fn a_service_of_a_package_is_left_alone() {
    let machine = Root::new();
    let folder = machine.root.join("usr/lib/systemd/system");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("leasehold-server.service"), "").unwrap();
    machine.server(&["install"]).failed(1, &["A package has installed", "systemctl enable --now leasehold-server"]);
    machine.server(&["uninstall"]).failed(1, &["apt remove leasehold"]);
    assert!(!machine.has(UNIT) && !machine.has(PROGRAM));
    machine.machine.run(&["server", "install", "--root", "nowhere"]).failed(1, &["nowhere", "not there"]);
}

#[test]
fn whoever_may_not_is_told_who_may() {
    let machine = Machine::new();
    // Nobody, who can read neither this machine's private folder nor the build's: the program is passed as open file.
    let program = std::fs::File::open(machine.command(&[]).get_program()).unwrap();
    for what in ["install", "uninstall"] {
        let mut command = Command::new("setpriv");
        if rustix::process::geteuid().is_root() {
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        }
        command.args(["--no-new-privs", "/proc/self/fd/0", "server", what]).stdin(program.try_clone().unwrap());
        let (done, text) = output(&mut command);
        let advice = format!("sudo leasehold server {what}");
        assert!(!done && text.contains("only root may do") && text.contains(&advice), "{text}");
    }
}
