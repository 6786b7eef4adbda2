//! The container file: what it says holds together and with the program, and its command runs where everything but the
//! volume and a folder for temporary files is read-only. Images are not built here.

use crate::support::{Finished, Staying, comes, finish};
use rustix::process::Signal;
use serde_json::Value;
use std::process::{Command, Stdio};

const CONTAINERFILE: &str = include_str!("../../../../packaging/Containerfile");
const MANUAL: &str = include_str!("../../../../docs/OPERATING.md");
const DATA: &str = "/var/lib/leasehold-server";

/// Instructions with their arguments, continued lines joined; one list for each stage.
fn stages() -> Vec<Vec<(String, String)>> {
    let mut stages: Vec<Vec<(String, String)>> = Vec::new();
    for line in CONTAINERFILE.replace("\\\n", " ").lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap();
        if word == "FROM" {
            stages.push(Vec::new());
        }
        stages.last_mut().unwrap().push((word.to_owned(), rest.trim().to_owned()));
    }
    stages
}

/// The arguments of an instruction of the last stage that stands there once.
fn last(word: &str) -> String {
    let stage = stages().pop().unwrap();
    let found: Vec<_> = stage.iter().filter(|(found, _)| found == word).collect();
    assert_eq!(found.len(), 1, "{word}");
    found[0].1.clone()
}

fn list(text: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(text).unwrap();
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_image_is_without_root_and_knows_when_it_is_well() {
    for (_, from) in stages().iter().flatten().filter(|(word, _)| word == "FROM") {
        let image = from.split(' ').next().unwrap();
        assert!(!image.contains('/') && image.contains(':'), "{image}: a short name with a fixed tag");
    }
    let user = last("USER");
    let (uid, gid) = user.split_once(':').unwrap();
    assert!(
        uid.parse::<u32>().unwrap() > 0 && gid.parse::<u32>().unwrap() > 0,
        "numbers, so that a runtime can see it"
    );
    assert_eq!(last("VOLUME"), DATA);
    assert_eq!((last("EXPOSE").as_str(), last("STOPSIGNAL").as_str()), ("30304/tcp", "SIGTERM"));
    assert!(list(&last("CMD")).windows(2).any(|pair| pair == ["--data", DATA]));
    assert_eq!(list(&last("ENTRYPOINT")), ["leasehold"]);
    let (_, health) = last("HEALTHCHECK").split_once(" CMD ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(list(&health), ["leasehold", "server", "health", "--data", DATA]);
    for part in ["--read-only", "--tmpfs /tmp", &format!(":{DATA}"), "-p 30304:30304", "--cap-drop"] {
        assert!(MANUAL.contains(part), "the manual's line to run it misses {part}");
    }
}

#[test]
fn its_command_runs_where_only_the_volume_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let (data, program) = (folder.path().to_str().unwrap(), env!("CARGO_BIN_EXE_leasehold"));
    let command: Vec<String> = list(&last("CMD")).iter().map(|word| word.replace(DATA, data)).collect();
    // The volume is a mount of its own; after that nothing else can be written.
    let locked = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro / && \
                  ! touch /leasehold-test 2>/dev/null && shift && exec \"$@\"";
    let mut started = Command::new("unshare");
    started.args(["--map-root-user", "--mount", "sh", "-c", locked, "sh", data, program]).args(&command);
    started.args(["--listen", "127.0.0.1:0"]).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    started.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let health = || -> Finished {
        let mut health = Command::new(program);
        health.args(["server", "health", "--data", data]).stdin(Stdio::null());
        finish(health.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    };
    health().failed(1, &["no license server answers"]);
    let served = Staying::start(started);
    assert!(comes(|| folder.path().join("admin.address").exists()), "it takes requests");
    health().ok();
    served.signal(Signal::TERM);
    served.finish().ok();
    health().failed(1, &["no license server answers"]);
}
