//! The real binary on a disk that is really full: a small file system of its own, which the test fills and empties.

use crate::caller::{Caller, make_operator, make_portal, one_seat, operators_token, sell};
use crate::kill::activated_server;
use crate::service::{Service, needed, wait_for};
use leasehold_core::random::Seeded;
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Size of the disk, in MiB: room for a database and its log, and no more.
const DISK_MIB: u32 = 12;

/// A service whose data folder is alone on a small disk.
struct Cramped {
    service: Service,
    filler: PathBuf,
}

impl Cramped {
    /// Copies the data folder `data` in `folder` to a small disk and serves it there. The disk is in memory, in a mount
    /// namespace of its own, and goes with the process; what is tested is that it is full, not that it is slow.
    fn start(folder: &Path, kind: &str, data: &str) -> Cramped {
        let script = format!(
            "mkdir small && mount -t tmpfs -o size={DISK_MIB}m tmpfs small && cp -a {data}/. small/ && \
             exec \"$0\" {kind} serve --data small --listen 127.0.0.1:0 --address-file small.address"
        );
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script, &needed("LEASEHOLD_TEST_BIN")]);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let service = Service::ready(&mut command, &folder.join("small.address"));
        // The folder as the process sees it.
        let seen = PathBuf::from(format!("/proc/{}/root{}/small/filler", service.pid(), folder.display()));
        Cramped { service, filler: seen }
    }

    /// Leaves not a byte.
    fn fill(&self) {
        let mut filler = std::fs::File::options().create(true).append(true).open(&self.filler).unwrap();
        for chunk in [1 << 16, 1 << 12, 1] {
            while filler.write_all(&vec![0; chunk]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(&self.filler).unwrap();
    }
}

#[test]
fn on_a_full_disk_running_seats_go_on_new_ones_are_refused_and_it_goes_on_by_itself() {
    let folder = activated_server(50_000);
    let cramped = Cramped::start(folder.path(), "server", "s");
    let caller = Caller::new(&cramped.service.address, None);
    let ask = |key: &str| json!({ "feature": "studio.gui", "user": key, "host": "h", "nonce": "n" });
    let take = |key: &str| caller.told("POST", "/v1/leases", Some(key), Some(&ask(key)));
    let (status, lease) = take("first");
    assert_eq!(status, 201, "{lease}");

    cramped.fill();
    // What was set aside before is used up first.
    let mut given = 1;
    let refused = wait_for("a refusal", || match take(&format!("more-{given}")) {
        (201, _) => {
            given += 1;
            None
        }
        (status, problem) => Some((status, problem)),
    });
    assert_eq!((refused.0, refused.1["code"].as_str()), (503, Some("DISK_FULL")), "{refused:?}");
    assert!(refused.1["what_to_do"].as_str().unwrap().contains("Free space"), "{refused:?}");
    let holder = caller.with_token(lease["secret"].as_str().unwrap());
    let path = format!("/v1/leases/{}", lease["lease"].as_str().unwrap());
    for n in 1..5 {
        let beat = json!({ "n": n, "nonce": format!("m-{n}") });
        holder.expect(200, "POST", &format!("{path}/heartbeat"), Some(&beat));
    }
    assert_eq!(caller.told("GET", "/readyz", None, None).0, 503);
    let in_use = || caller.expect(200, "GET", "/v1/status", None)["features"][0]["in_use"].clone();
    assert_eq!(in_use(), given, "what was refused is not held");

    cramped.empty();
    wait_for("a seat", || (take("after").0 == 201).then_some(()));
    assert_eq!(in_use(), given + 1);
    assert_eq!(take("first").0, 200, "the first is still there");
    wait_for("ready", || (caller.told("GET", "/readyz", None, None).0 == 204).then_some(()));
}

#[test]
fn on_a_full_disk_the_portal_gives_nothing_that_it_cannot_remember() {
    let folder = tempfile::tempdir().unwrap();
    make_portal(folder.path());
    make_operator(folder.path());
    let cramped = Cramped::start(folder.path(), "portal", "p");
    let nobody = Caller::new(&cramped.service.address, None);
    let operator = nobody.with_token(&operators_token(&nobody));
    let license = sell(&operator, 5_000);
    let path = format!("/api/v1/licenses/{}", license["id"].as_str().unwrap());
    let mut random = Seeded::new(1);
    let mut activate = |key: &str| {
        let body = one_seat(&license, key.to_owned(), &mut random);
        (operator.told("POST", "/api/v1/workstations", Some(key), Some(&body)), body)
    };

    cramped.fill();
    let mut given = 0;
    let ((status, problem), body) = wait_for("a refusal", || match activate(&format!("key-{given}")) {
        ((201, _), _) => {
            given += 1;
            None
        }
        refused => Some(refused),
    });
    assert_eq!(status, 503, "{problem}");
    assert!(["DISK_FULL", "GRANTS_LOG"].contains(&problem["code"].as_str().unwrap()), "{problem}");
    assert!(!problem["what_to_do"].as_str().unwrap().is_empty(), "{problem}");

    cramped.empty();
    // The same request with the same key is carried out now, once.
    let again = || operator.told("POST", "/api/v1/workstations", Some(&format!("key-{given}")), Some(&body));
    let (_, first) = wait_for("the seat", || Some(again()).filter(|(status, _)| *status == 201));
    assert_eq!(again().1, first);
    assert_eq!(operator.expect(200, "GET", &path, None)["seats_out"], given + 1);
}
