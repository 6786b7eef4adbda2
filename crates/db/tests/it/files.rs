//! Files that cannot be used, and backups.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use leasehold_db::testing::{fresh_in_line, fresh_postgres, fresh_sqlite};
use leasehold_db::{DatabaseUrl, Db, DbError, SqliteOptions};

use crate::{NOTES, ids, insert};

#[test]
fn a_file_that_is_no_database_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portal.db");
    let text =
        b"this is somebody's shopping list, and longer than a hundred bytes, so that SQLite reads a whole header of it";
    fs::write(&path, text).unwrap();
    let refused = Db::open_sqlite(&path, SqliteOptions::default()).unwrap_err();
    assert!(matches!(refused, DbError::Corrupt { .. }), "{refused:?}");
    assert!(refused.to_string().contains("restore the last backup"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), text, "it was not touched");
}

#[test]
fn a_damaged_page_is_found_by_the_check_and_stops_the_writer() {
    let test = fresh_sqlite();
    let path = test.folder().join("damaged.db");
    {
        let db = Db::open_sqlite(&path, SqliteOptions::default()).unwrap();
        db.migrate(NOTES).unwrap();
        db.write(|tx| {
            (0..2000_i64).try_for_each(|id| tx.exec("INSERT INTO note (id) VALUES (?1)", &[id.into()]).map(drop))
        })
        .unwrap();
        assert_eq!(db.check_integrity(), Ok(()));
    }
    let mut bytes = fs::read(&path).unwrap();
    let (first_page, rest) = bytes.split_at_mut(4096);
    assert!(!first_page.is_empty() && rest.len() > 8192);
    rest.fill(0xA5);
    fs::write(&path, bytes).unwrap();

    let db = Db::open_sqlite(&path, SqliteOptions::default()).unwrap();
    let found = db.check_integrity();
    assert!(matches!(found, Err(DbError::Corrupt { .. })), "{found:?}");
    let refused = insert(&db, 5000, "new");
    assert!(matches!(refused, Err(DbError::Corrupt { .. })), "{refused:?}");
    assert!(matches!(db.failed(), Some(DbError::Corrupt { .. })), "{:?}", db.failed());
}

#[test]
fn a_missing_folder_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Db::open_sqlite(folder.path().join("missing/portal.db"), SqliteOptions::default()).unwrap_err();
    assert!(matches!(refused, DbError::CannotOpen { .. }), "{refused:?}");
    assert!(refused.to_string().contains("Check that the folder exists"), "{refused}");
}

#[cfg(unix)]
#[test]
fn database_files_are_private_to_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let test = fresh_sqlite();
    test.db().migrate(NOTES).unwrap();
    test.db().backup_to(test.folder().join("backup.db")).unwrap();
    for name in ["test.db", "test.db-wal", "backup.db"] {
        let mode = fs::metadata(test.folder().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_backup_taken_while_writing_is_one_consistent_state() {
    let test = fresh_sqlite();
    let db = test.db();
    db.migrate(NOTES).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Rows come in pairs, so half a transaction would be an odd number.
        scope.spawn(|| {
            let mut next = 0_i64;
            while !stop.load(Ordering::Relaxed) {
                db.write(move |tx| {
                    tx.exec("INSERT INTO note (id) VALUES (?1)", &[next.into()])?;
                    tx.exec("INSERT INTO note (id) VALUES (?1)", &[(next + 1).into()])
                })
                .unwrap();
                next += 2;
            }
        });
        let mut sizes = Vec::new();
        for number in 0..5 {
            let begin = ids(db).len();
            while ids(db).len() < begin + 20 {
                thread::yield_now();
            }
            let path = test.folder().join(format!("backup-{number}.db"));
            db.backup_to(&path).unwrap();
            let copy = Db::open_sqlite(&path, SqliteOptions::default()).unwrap();
            assert_eq!(copy.check_integrity(), Ok(()));
            sizes.push(ids(&copy).len());
            assert!(!test.folder().join(format!("backup-{number}.db.partial")).exists());
        }
        stop.store(true, Ordering::Relaxed);
        assert!(sizes.iter().all(|size| size % 2 == 0), "{sizes:?}");
        assert!(sizes.is_sorted_by(|earlier, later| earlier < later), "{sizes:?}");
    });
}

#[test]
fn a_backup_never_replaces_a_file() {
    for db in [fresh_sqlite().db().clone(), fresh_in_line()] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup.db");
        fs::write(&path, "precious").unwrap();
        let refused = db.backup_to(&path).unwrap_err();
        assert!(refused.to_string().contains("exists already and is not overwritten"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");

        let partial = folder.path().join("second.db.partial");
        fs::write(&partial, "half").unwrap();
        let refused = db.backup_to(folder.path().join("second.db")).unwrap_err();
        assert!(refused.to_string().contains("delete this file"), "{refused}");
        assert!(db.backup_to(folder.path().join("missing/backup.db")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }
}

#[test]
fn postgres_says_which_tools_do_what_this_layer_does_not() {
    let test = fresh_postgres();
    let folder = tempfile::tempdir().unwrap();
    assert!(test.db().backup_to(folder.path().join("b")).unwrap_err().to_string().contains("pg_dump"));
    assert!(test.db().check_integrity().unwrap_err().to_string().contains("pg_amcheck"));
    assert!(matches!(test.db().snapshot(), Err(DbError::Unsupported(_))));
}

#[test]
fn database_urls_are_read_and_shown_without_passwords() {
    let parse = |text: &str| text.parse::<DatabaseUrl>();
    assert_eq!(parse("sqlite:data/portal.db"), Ok(DatabaseUrl::Sqlite("data/portal.db".into())));
    assert_eq!(parse("sqlite:///var/lib/portal.db"), Ok(DatabaseUrl::Sqlite("/var/lib/portal.db".into())));
    for bad in ["", "portal.db", "sqlite:", "sqlite::memory:", "mysql://host/db"] {
        assert!(matches!(parse(bad), Err(DbError::BadUrl(_))), "{bad}");
    }
    let url = parse("postgresql://lease:p%40ss@wo@rd@db.example:5433/portal?password=hidden&sslmode=require").unwrap();
    assert_eq!(url.to_string(), "postgres://db.example:5433/portal");
    assert_eq!(format!("{url:?}"), "postgres://db.example:5433/portal");
}
