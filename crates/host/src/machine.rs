//! What this machine and its user are called. Claims for people and for comfort, never grounds for trust: whoever
//! administers a machine can change every one of them.

use crate::file_error::FileError;
use aws_lc_rs::digest;
use std::path::Path;

/// Longest name that is reported, in characters.
const NAME_CHARS_MAX: usize = 200;

/// A stable name for this machine that one vendor cannot compare with another's: a hash of the machine id with the
/// vendor's name, 32 hex digits. Made from the host name where there is no machine id (macOS, Windows, some
/// containers).
pub fn machine_id_hash(vendor_name: &str) -> String {
    hashed(&["leasehold host id", vendor_name, &machine_id().unwrap_or_else(host_name)])
}

/// The machine's fingerprint in activation requests, 32 hex digits. The same for every vendor. Empty where there is no
/// machine id (macOS, Windows, most containers): a container's name changes whenever it is made anew, and what is bound
/// to it would be lost.
pub fn fingerprint() -> String {
    machine_id().map_or_else(String::new, |id| hashed(&["leasehold machine fingerprint", &id]))
}

fn machine_id() -> Option<String> {
    let ids =
        ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().filter_map(|path| first_line(Path::new(path)));
    ids.filter(|id| id.len() >= 16).find(|id| id != "uninitialized")
}

fn hashed(parts: &[&str]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        // With its length first, so that parts cannot run into each other.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names the time since the machine was started; another value after each start. `unknown` off Linux.
pub fn boot_id() -> String {
    first_line(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_else(|| "unknown".to_owned())
}

/// The machine's name as it calls itself, without control characters.
pub fn host_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    printable(&name).unwrap_or_else(|| "unknown-host".to_owned())
}

/// The name of the user who runs this process: by the user id, else from the environment.
pub fn user_name() -> String {
    let variables = ["USER", "LOGNAME", "USERNAME"].into_iter();
    let from_environment = || variables.filter_map(|name| std::env::var(name).ok()).find_map(|name| printable(&name));
    user_of_this_process().or_else(from_environment).unwrap_or_else(|| "unknown-user".to_owned())
}

#[cfg(unix)]
fn user_of_this_process() -> Option<String> {
    let uid = rustix::process::getuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    user_in(&passwd, uid)
}

#[cfg(not(unix))]
fn user_of_this_process() -> Option<String> {
    None
}

#[cfg(unix)]
fn user_in(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then_some(name)
    })?;
    printable(name)
}

/// Bytes that this process may still write on the volume of `folder`.
pub fn free_bytes(folder: &Path) -> Result<u64, FileError> {
    #[cfg(unix)]
    let free = rustix::fs::statvfs(folder).map(|volume| volume.f_bavail.saturating_mul(volume.f_frsize));
    #[cfg(not(unix))]
    let free: Result<u64, std::io::Error> = Err(std::io::ErrorKind::Unsupported.into());
    free.map_err(|error| FileError::io("measure the free space of", folder, error.into()))
}

/// Lets this process have as many files and sockets open as the operating system allows it, and says how many that is.
/// Without this it is 1,024 in most shells.
pub fn raise_open_files() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // No limit where none is told.
        let (now, most) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
        let raised = now < most && setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit }).is_ok();
        if raised { most } else { now }
    }
    #[cfg(not(unix))]
    u64::MAX
}

fn first_line(path: &Path) -> Option<String> {
    printable(std::fs::read_to_string(path).ok()?.lines().next()?)
}

fn printable(name: &str) -> Option<String> {
    let kept = name.chars().filter(|c| !leasehold_core::text::is_invisible_control(*c));
    let name: String = kept.take(NAME_CHARS_MAX).collect();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_one_name_per_vendor() {
        let id = machine_id_hash("Acme");
        assert_eq!(id, machine_id_hash("Acme"));
        assert_ne!(id, machine_id_hash("Other"), "two vendors cannot compare their customers");
        assert_ne!(id, fingerprint());
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(!host_name().is_empty() && !user_name().is_empty() && !boot_id().is_empty());
    }

    #[test]
    fn the_user_is_found_by_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:1000:Ann,,,:/users/ann:/bin/sh\n";
        assert_eq!(user_in(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!(user_in(passwd, 7), None);
    }

    #[test]
    fn names_cannot_reorder_a_page() {
        assert_eq!(printable("a\u{202e}b\n").as_deref(), Some("ab"));
        assert_eq!(printable(" \n"), None);
    }

    #[test]
    fn free_space_is_measured_where_the_folder_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).unwrap() > 0);
        let missing = free_bytes(&folder.path().join("missing")).unwrap_err().to_string();
        assert!(missing.contains("missing") && missing.contains("does not exist"), "{missing}");
    }
}
