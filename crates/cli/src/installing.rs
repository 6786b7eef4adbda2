//! `leasehold server install` and `uninstall`: the license server as a service of systemd on this machine, or in another
//! root folder (an image, a chroot), where nothing is started.
//!
//! Owns which files make up the service and the order in which they appear and go. Never touches the data folder, but to
//! remove it when that is asked for by name. The unit is the one of the Debian package.

use crate::failure::Failure;
use crate::output::line_out;
use crate::secrets::confirm;
use clap::Args;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

const SERVICE: &str = "leasehold-server";
const UNIT: &str = "/etc/systemd/system/leasehold-server.service";
/// Where packages put it.
const PACKAGED_UNITS: [&str; 2] =
    ["/usr/lib/systemd/system/leasehold-server.service", "/lib/systemd/system/leasehold-server.service"];
const SYSUSERS: &str = "/etc/sysusers.d/leasehold.conf";
const ENVIRONMENT: &str = "/etc/leasehold/server.env";
const PROGRAM: &str = "/usr/local/bin/leasehold";
const DATA: &str = "/var/lib/leasehold-server";
const ADDRESS: &str = "/var/lib/leasehold-server/admin.address";
const SECRET: &str = "/var/lib/leasehold-server/setup-secret";
/// The path in the unit's text that stands for the program's own.
const PACKAGED_PROGRAM: &str = "/usr/bin/leasehold";
/// Programs below these stay where they are: their place is the administrator's choice, or a package's.
const SYSTEM_PATHS: [&str; 3] = ["/usr/bin/", "/usr/local/", "/opt/"];
/// First line of the unit where `install` copied the program, so that `uninstall` removes it and no other.
const COPIED: &str = "# The program was copied to /usr/local/bin/leasehold by `leasehold server install`.\n";
const LISTEN: &str = "LEASEHOLD_LISTEN";

const UNIT_TEXT: &str = include_str!("../../../packaging/leasehold-server.service");
const SYSUSERS_TEXT: &str = include_str!("../../../packaging/leasehold.sysusers");
const ENVIRONMENT_TEXT: &str = include_str!("../../../packaging/server.env");

#[derive(Args, Debug)]
pub(crate) struct InstallArgs {
    /// Write the files only: the service starts at the next boot
    #[arg(long)]
    no_start: bool,
    /// Where it is to listen; 0.0.0.0:30304 if nothing else is said there or in server.toml. Kept in /etc/leasehold/server.env
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Write into this root folder (an image, a chroot) instead of this machine; nothing is started
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct UninstallArgs {
    /// Remove the data and the settings too: keys, leases, logs. Asks first
    #[arg(long)]
    purge: bool,
    /// With --purge: do it without asking
    #[arg(long, requires = "purge")]
    yes: bool,
    /// The root folder into which it was installed
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

/// Where files go, and which systemd is asked.
struct Place {
    root: Option<PathBuf>,
    /// A systemd runs here that can start it.
    runs: bool,
}

impl Place {
    /// `what` is the command, for whoever may not do it.
    fn find(root: Option<PathBuf>, what: &str) -> Result<Place, Failure> {
        if root.is_none() && !rustix::process::geteuid().is_root() {
            return Err(Failure::of(format!(
                "`leasehold server {what}` changes what this machine starts, which only root may do. Nothing was done. Run it \
                 as: sudo leasehold server {what}"
            )));
        }
        if let Some(root) = &root
            && !root.is_dir()
        {
            return Err(Failure::of(format!("The root folder {} is not there. Nothing was done.", root.display())));
        }
        // Whether a systemd is the first process of this machine, by its own convention.
        let runs = root.is_none() && sd_notify::booted().unwrap_or(false);
        Ok(Place { root, runs })
    }

    /// `path`, which begins with a slash, below the root folder.
    fn at(&self, path: &str) -> PathBuf {
        match &self.root {
            Some(root) => root.join(path.trim_start_matches('/')),
            None => PathBuf::from(path),
        }
    }

    /// A command of systemd for this place.
    fn systemd(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(root) = &self.root {
            let mut option = OsStr::new("--root=").to_owned();
            option.push(root);
            command.arg(option);
        }
        command
    }

    fn refuse_packaged(&self, instead: &str) -> Result<(), Failure> {
        match PACKAGED_UNITS.iter().map(|path| self.at(path)).find(|path| path.exists()) {
            Some(unit) => Err(Failure::of(format!(
                "A package has installed this service ({}), and keeps it up to date. Nothing was done. {instead}",
                unit.display()
            ))),
            None => Ok(()),
        }
    }
}

/// Makes the service, or brings it up to this program.
pub(crate) fn install(args: InstallArgs) -> Result<(), Failure> {
    let place = Place::find(args.root, "install")?;
    place.refuse_packaged(&format!("Start it with: systemctl enable --now {SERVICE}"))?;
    if place.root.is_none() && !place.runs && !args.no_start {
        return Err(Failure::of(format!(
            "systemd does not run this machine, so no service can be started. Nothing was done. Have what runs it start \
             `leasehold server serve --data {DATA}` as a user of its own. If this is a container or an image that systemd \
             will start later, give --no-start."
        )));
    }
    let (program, copied) = put_program(&place)?;
    let unit = UNIT_TEXT.replace(PACKAGED_PROGRAM, &program);
    write(&place.at(SYSUSERS), SYSUSERS_TEXT.as_bytes(), 0o644)?;
    let environment = environment(&place, args.listen)?;
    write(&place.at(ENVIRONMENT), environment.as_bytes(), 0o644)?;
    // The user before the unit that names it.
    run(place.systemd("systemd-sysusers").arg("leasehold.conf"))?;
    write(&place.at(UNIT), format!("{}{unit}", if copied { COPIED } else { "" }).as_bytes(), 0o644)?;
    if place.runs {
        run(place.systemd("systemctl").arg("daemon-reload"))?;
    }
    run(place.systemd("systemctl").args(["--quiet", "enable", SERVICE]))?;
    let mut text =
        format!("The license server is a service: {SERVICE}, as the user leasehold, with its data in {DATA}.\n");
    if !place.runs || args.no_start {
        text.push_str("It was not started; it starts at the next boot.\n");
        return line_out(&(text + &next_steps(port_in(&environment))));
    }
    // Restarted if it runs: an older program gives way to this one, and applications notice one late heartbeat.
    run(place.systemd("systemctl").args(["restart", SERVICE])).map_err(|failure| {
        Failure::of(format!(
            "{} The service is installed and does not start; why: journalctl -u {SERVICE} -e. When that is mended: \
             systemctl restart {SERVICE}",
            failure.sentence
        ))
    })?;
    text.push_str("It runs, and starts at every boot.\n");
    if Path::new(SECRET).exists() {
        // Where it really listens: server.toml may have its say, too.
        let address = fs::read_to_string(ADDRESS).ok().and_then(|text| text.trim().parse().ok());
        text.push_str(&next_steps(address.as_ref().map(SocketAddr::port).or_else(|| port_in(&environment))));
    }
    line_out(&text)
}

/// How its administrator gets in.
fn next_steps(port: Option<u16>) -> String {
    let port = port.unwrap_or(30304);
    format!(
        "No administrator yet. Open https://{}:{port}/ in a browser and set the password with the one-time secret that\n  \
         sudo cat {SECRET}\nprints. The browser warns of the certificate; the fingerprint that it must have:\n  \
         sudo journalctl -u {SERVICE} | grep -A1 fingerprint",
        leasehold_host::host_name()
    )
}

/// Takes the service away, and leaves the data.
pub(crate) fn uninstall(args: UninstallArgs) -> Result<(), Failure> {
    let place = Place::find(args.root, "uninstall")?;
    place.refuse_packaged("Remove the package: apt remove leasehold")?;
    let (unit, data) = (place.at(UNIT), place.at(DATA));
    if args.purge && !args.yes {
        confirm(&format!(
            "Everything in {} is removed: the server's key, its leases, logs and settings. What the portal granted counts as \
             out until it ends there, unless the server was disabled before (leasehold server disable).",
            data.display()
        ))?;
    }
    let text = match fs::read_to_string(&unit) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(cannot("read", &unit, &error)),
    };
    let mut said = String::new();
    if let Some(text) = text {
        if place.runs {
            run(place.systemd("systemctl").args(["stop", SERVICE]))?;
        }
        run(place.systemd("systemctl").args(["--quiet", "disable", SERVICE]))?;
        remove(&unit)?;
        remove(&place.at(SYSUSERS))?;
        if text.starts_with(COPIED) {
            remove(&place.at(PROGRAM))?;
        }
        if place.runs {
            run(place.systemd("systemctl").arg("daemon-reload"))?;
        }
        said.push_str(&format!("The service {SERVICE} is gone.\n"));
    } else {
        said.push_str(&format!("No service {SERVICE} is installed here.\n"));
    }
    if args.purge {
        match fs::remove_dir_all(&data) {
            Ok(()) => said.push_str(&format!("Its data in {} is removed.\n", data.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot("remove", &data, &error)),
        }
        remove(&place.at(ENVIRONMENT))?;
    } else if data.exists() {
        said.push_str(&format!(
            "Its data stays in {}, owned by the user leasehold: `leasehold server install` goes on with it.\n",
            data.display()
        ));
    }
    line_out(&said)
}

/// Where the service finds the program, as seen from inside the root folder, and whether it was copied there.
fn put_program(place: &Place) -> Result<(String, bool), Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::of(format!("Cannot find this program: {error}.")))?;
    let target = place.at(PROGRAM);
    if place.root.is_none() && own != target {
        let text = own.to_str().filter(|path| plain(path));
        if let Some(path) = text.filter(|path| SYSTEM_PATHS.iter().any(|system| path.starts_with(system))) {
            return Ok((path.to_owned(), false));
        }
    }
    let copied_before = fs::read_to_string(place.at(UNIT)).is_ok_and(|text| text.starts_with(COPIED));
    if own == target {
        return Ok((PROGRAM.to_owned(), copied_before));
    }
    let bytes = fs::read(&own).map_err(|error| cannot("read", &own, &error))?;
    write(&target, &bytes, 0o755)?;
    Ok((PROGRAM.to_owned(), true))
}

/// Nothing in it that means something in a unit.
fn plain(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.'))
}

/// The service's environment: what is there stays, but for `listen`.
fn environment(place: &Place, listen: Option<SocketAddr>) -> Result<String, Failure> {
    let path = place.at(ENVIRONMENT);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => ENVIRONMENT_TEXT.to_owned(),
        Err(error) => return Err(cannot("read", &path, &error)),
    };
    Ok(match listen {
        Some(listen) => with_listen(&text, listen),
        None => text,
    })
}

/// The port that the environment sets, if it sets one.
fn port_in(environment: &str) -> Option<u16> {
    let set = environment.lines().rev().find_map(|line| line.trim().strip_prefix(LISTEN)?.strip_prefix('='));
    set?.trim().trim_matches('"').parse().ok().as_ref().map(SocketAddr::port)
}

/// The same text with this address to listen on, in the place of the line that says another or shows the default.
fn with_listen(text: &str, listen: SocketAddr) -> String {
    let says = |line: &str| line.trim_start_matches(['#', ' ']).starts_with(&format!("{LISTEN}="));
    let wanted = format!("{LISTEN}={listen}");
    let mut said = false;
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        match (says(line), said) {
            (false, _) => lines.push(line),
            (true, false) => {
                lines.push(&wanted);
                said = true;
            }
            (true, true) => {}
        }
    }
    if !said {
        lines.push(&wanted);
    }
    lines.join("\n") + "\n"
}

/// Writes a file as a whole or not at all; a program that runs from it goes on with what it was started from.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    let written = fs::create_dir_all(folder).and_then(|()| {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        // Whatever the umask of whoever installs says.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&new, path)
    });
    written.map_err(|error| cannot("write", path, &error))
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("remove", path, &error)),
        _ => Ok(()),
    }
}

fn cannot(doing: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::of(format!("Cannot {doing} {}: {error}. Check the permissions and the space on the disk.", path.display()))
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let shown = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = shown.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
            Err(Failure::of(format!("`{shown}` failed ({}): {said}.", output.status)))
        }
        Err(error) => Err(Failure::of(format!(
            "`{shown}` cannot be run: {error}. It is a part of systemd: install that, or have what runs this machine start \
             `leasehold server serve`."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_takes_the_place_of_the_one_before() {
        let one: SocketAddr = "10.0.0.1:1".parse().unwrap();
        let two: SocketAddr = "[::1]:2".parse().unwrap();
        let first = with_listen(ENVIRONMENT_TEXT, one);
        assert!(first.contains("\nLEASEHOLD_LISTEN=10.0.0.1:1\n") && !first.contains("#LEASEHOLD_LISTEN"), "{first}");
        let second = with_listen(&first, two);
        assert!(second.contains("\nLEASEHOLD_LISTEN=[::1]:2\n") && !second.contains("10.0.0.1"), "{second}");
        assert_eq!(with_listen("A=1", one), "A=1\nLEASEHOLD_LISTEN=10.0.0.1:1\n");
        assert_eq!((port_in(ENVIRONMENT_TEXT), port_in(&first), port_in(&second)), (None, Some(1), Some(2)));
        assert_eq!(second.lines().count(), ENVIRONMENT_TEXT.lines().count());
    }

    #[test]
    fn a_path_that_means_something_in_a_unit_is_copied() {
        assert!(plain("/opt/leasehold-1.2/bin/leasehold"));
        assert!(!plain("/opt/50%/leasehold") && !plain("/opt/a b/leasehold"));
    }
}
