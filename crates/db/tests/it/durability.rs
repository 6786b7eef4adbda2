//! What is on disk after a failed flush, a full disk and a reopening.

use leasehold_db::testing::fresh_sqlite;
use leasehold_db::{Db, DbError, FaultPoint};

use crate::{NOTES, ids, insert};

fn fail_at(db: &Db, at: FaultPoint) {
    db.set_fault_hook(move |point| {
        if point == at {
            return Err(DbError::Io { place: "test.db".to_owned(), detail: "the disk is gone".to_owned() });
        }
        Ok(())
    });
}

#[test]
fn a_failed_flush_leaves_the_outcome_unknown_and_stops_the_writer() {
    for (point, after_restart) in [(FaultPoint::BeforeCommit, vec![1]), (FaultPoint::AfterCommit, vec![1, 2])] {
        let test = fresh_sqlite();
        let db = test.db();
        db.migrate(NOTES).unwrap();
        insert(db, 1, "one").unwrap();
        fail_at(db, point);
        let unknown = insert(db, 2, "two");
        assert!(matches!(unknown, Err(DbError::Unknown { .. })), "{unknown:?}");
        assert!(matches!(db.failed(), Some(DbError::Unknown { .. })), "{:?}", db.failed());
        db.clear_fault_hook();
        let refused = insert(db, 3, "three");
        assert!(matches!(refused, Err(DbError::Stopped { .. })), "{refused:?}");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(matches!(runtime.block_on(db.until_failed()), DbError::Unknown { .. }));
        assert_eq!(ids(&test.open_again()), after_restart);
    }
}

#[test]
fn a_real_full_database_answers_full_and_works_again_once_there_is_room() {
    let test = fresh_sqlite();
    let db = test.db();
    db.migrate(NOTES).unwrap();
    insert(db, 1, "one").unwrap();
    let limit = |sql: &'static str| db.write(move |tx| tx.one(sql, &[], |row| row.int(0))).unwrap();
    limit("PRAGMA max_page_count = 20");
    let big = |id: i64| {
        db.write(move |tx| {
            tx.exec("INSERT INTO note (id, data) VALUES (?1, ?2)", &[id.into(), vec![7; 200_000].into()])
        })
    };
    let full = big(2);
    assert!(matches!(full, Err(DbError::Full { ref place }) if place.ends_with("test.db")), "{full:?}");
    assert!(full.unwrap_err().to_string().contains("Free space"));
    assert_eq!(db.failed(), None);
    assert_eq!(ids(db), [1]);
    limit("PRAGMA max_page_count = 100000");
    assert_eq!(big(2), Ok(1));
    assert_eq!(ids(db), [1, 2]);
    assert_eq!(db.check_integrity(), Ok(()));
}

#[test]
fn what_was_answered_is_there_after_closing_and_opening() {
    let test = fresh_sqlite();
    let path = test.folder().join("other.db");
    let open = || Db::open(&format!("sqlite:{}", path.display()).parse().unwrap()).unwrap();
    let db = open();
    db.migrate(NOTES).unwrap();
    insert(&db, 1, "one").unwrap();
    drop(db);
    assert!(!test.folder().join("other.db-wal").exists(), "the last handle moves the log into the file");
    assert_eq!(ids(&open()), [1]);
}
