//! What stops a start: each with its cause and the next step, and nothing changed.

use crate::browser::Browser;
use crate::support::{Running, Site, eventually};
use leasehold_core::time::{Clock, DAY_MS, HOUR_MS};
use leasehold_server::{ServeError, ServeOptions};
use std::os::unix::fs::PermissionsExt;

fn refused(options: ServeOptions) -> String {
    let error = Running::start(options).err().expect("it does not start");
    assert!(matches!(error, ServeError::Start(_)) && error.exit_code() == 1, "{error}");
    error.to_string()
}

#[test]
fn a_clock_from_before_this_program_is_refused() {
    let site = Site::new();
    let wall = site.clock.wall();
    site.clock.step_wall(-wall.0);
    let said = refused(site.options());
    assert!(said.contains("1970-01-01") && said.contains("NTP"), "{said}");
    site.clock.step_wall(wall.0);
    site.start();
}

#[test]
fn a_clock_that_was_set_back_gives_no_new_seats_for_a_while_and_keeps_running_ones() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lease = server.checkout("key");
    server.stop();
    site.clock.step_wall(-DAY_MS);
    let server = site.start();
    let clock = server.get("/v1/status").json["clock"].clone();
    assert_eq!((clock["at_start"].as_str(), clock["off_by_s"].as_i64()), (Some("behind"), Some(86_400)));
    assert_eq!(server.checkout("new").code(), "CLOCK_SUSPECT");
    assert_eq!(server.heartbeat(&lease, 1, "n-1").status, 200);
    site.clock.advance(426_000);
    assert_eq!(server.checkout("new").status, 201, "whatever was given before has run out");
    server.stop();
    site.clock.step_wall(3 * DAY_MS);
    let clock = site.start().get("/v1/status").json["clock"].clone();
    assert_eq!(clock["at_start"], "ahead");
}

#[test]
fn a_folder_for_backups_that_is_not_there_is_said_and_not_made() {
    let site = Site::new();
    let folder = site.path().join("disk");
    let file = format!("backup_folder = \"{}\"\nbackup_every_h = 1\n", folder.display());
    std::fs::write(site.path().join("server.toml"), file).unwrap();
    // A disk that is away keeps nobody from work.
    let server = site.with_ten_seats();
    site.clock.advance(2 * 3_600_000);
    let browser = Browser::signed_in(&server);
    eventually("it is said", || browser.get("/").text.contains("The last backup was not made"));
    assert!(!folder.exists(), "its keys would lie where nobody looks");
    std::fs::create_dir(&folder).unwrap();
    site.clock.advance(2 * 3_600_000);
    eventually("it is there", || std::fs::read_dir(&folder).unwrap().count() > 0);
}

#[test]
fn a_server_whose_database_is_missing_does_not_give_its_seats_a_second_time() {
    let site = Site::new();
    let server = site.with_ten_seats();
    assert_eq!(server.checkout("key").status, 201);
    server.stop();
    for file in std::fs::read_dir(site.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.file_name().unwrap().to_string_lossy().starts_with("server.db") {
            std::fs::remove_file(file).unwrap();
        }
    }
    for _ in 0..2 {
        let said = refused(site.options());
        assert!(
            said.contains("a second time") && said.contains("backup") && said.contains("workstation.key"),
            "{said}"
        );
    }
    // Its administrator's decision: begin anew, as another workstation.
    std::fs::remove_file(site.path().join("workstation.key")).unwrap();
    assert_eq!(site.start().get("/v1/status").str("state"), "not_activated");
}

#[test]
fn a_second_process_on_the_folder_and_a_taken_port_are_refused() {
    let site = Site::new();
    let server = site.start();
    let said = refused(site.options());
    assert!(said.contains("in use by") && said.contains("--data"), "{said}");
    let other = Site::new();
    let taken = ServeOptions { listen: Some(server.ready.address), ..other.options() };
    let said = refused(taken);
    assert!(said.contains("already in use") && said.contains("another port"), "{said}");
    other.start();
}

#[test]
fn a_folder_or_file_that_cannot_be_used_is_named() {
    let site = Site::new();
    site.with_ten_seats().stop();
    let options = |folder: std::path::PathBuf| ServeOptions { folder, ..site.options() };
    let said = refused(options("/dev/null/data".into()));
    assert!(said.contains("/dev/null/data") && said.contains("Check the path"), "{said}");

    let config = site.path().join("server.toml");
    let settings = std::fs::read(&config).unwrap();
    std::fs::write(&config, "listne = 1").unwrap();
    let said = refused(site.options());
    assert!(said.contains("listne") && said.contains("server.toml"), "{said}");
    std::fs::write(&config, settings).unwrap();

    let key = site.path().join("workstation.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = refused(site.options());
    assert!(said.contains("workstation.key") && said.contains("chmod 600"), "{said}");
    let content = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let said = refused(site.options());
    assert!(said.contains("key file of this server is missing"), "{said}");
    leasehold_host::private_file::write_once(&key, b"nonsense").unwrap();
    let said = refused(site.options());
    assert!(said.contains("workstation.key is damaged"), "{said}");
    leasehold_host::private_file::write_atomic(&key, &content).unwrap();
    assert_eq!(site.start().checkout("key").status, 201, "nothing was changed");
}

#[test]
fn a_corrupt_database_and_one_of_a_newer_version_are_refused() {
    let site = Site::new();
    site.with_ten_seats().stop();
    let file = site.path().join("server.db");
    let good = std::fs::read(&file).unwrap();
    let mut bad = good.clone();
    bad[100..].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&file, &bad).unwrap();
    let said = refused(site.options());
    assert!(said.contains("server.db") && said.contains("restore the last backup"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), bad, "and left as it is");

    std::fs::write(&file, &good).unwrap();
    let db = leasehold_db::Db::in_line_file(&file).unwrap();
    db.write(|tx| tx.exec("INSERT INTO leasehold_schema (version, name, checksum) VALUES (99, 'later', 'x')", &[]))
        .unwrap();
    drop(db);
    let said = refused(site.options());
    assert!(said.contains("newer leasehold (schema 99"), "{said}");
}

#[test]
fn a_tampered_document_is_not_obeyed() {
    let site = Site::new();
    site.with_ten_seats().stop();
    let db = leasehold_db::Db::in_line_file(site.path().join("server.db")).unwrap();
    let forger = crate::support::Portal::new("Acme Software", site.clock.wall());
    let key = leasehold_host::private_file::read(&site.path().join("workstation.key")).unwrap();
    let key = leasehold_trust::SigningKey::from_pkcs8_pem(std::str::from_utf8(&key).unwrap()).unwrap();
    let mut grant = forger.ten_seats(9);
    grant.workstation = site.portal.workstation;
    let forged = forger.crt_for(&key.public(), &grant);
    std::fs::write(site.path().join("root.pem"), site.portal.root().pem()).unwrap();
    std::fs::write(site.path().join("server.toml"), "trust = \"root.pem\"").unwrap();
    db.write(move |tx| tx.exec("UPDATE document SET file = ?1", &[(&forged).into()])).unwrap();
    drop(db);
    let said = refused(site.options());
    assert!(said.contains("does not verify") && said.contains("Acme Software"), "{said}");
}

#[test]
fn a_day_of_suspend_frees_what_nobody_renewed() {
    let site = Site::new();
    let server = site.with_ten_seats();
    server.checkout("key");
    site.clock.advance(24 * HOUR_MS);
    assert_eq!(server.in_use(), 0);
}
