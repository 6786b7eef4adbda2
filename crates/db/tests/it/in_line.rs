//! The database of the simulation: crashes, snapshots, restarts, on the caller's thread.

use leasehold_db::testing::fresh_in_line;
use leasehold_db::{Db, DbError, FaultPoint};

use crate::{NOTES, ids, insert};

fn crash_at(db: &Db, at: FaultPoint) {
    db.set_fault_hook(move |point| if point == at { Err(DbError::Misuse("crash".to_owned())) } else { Ok(()) });
}

/// One database in memory and one in a file.
fn for_each(case: impl Fn(&Db)) {
    case(&fresh_in_line());
    let folder = tempfile::tempdir().unwrap();
    case(&Db::in_line_file(folder.path().join("server.db")).unwrap());
}

#[test]
fn a_write_is_one_commit_on_the_callers_thread() {
    for_each(|db| {
        db.migrate(NOTES).unwrap();
        let before = db.commit_count();
        let caller = std::thread::current().id();
        let same_thread = db.write(move |tx| {
            tx.exec("INSERT INTO note (id) VALUES (1)", &[])?;
            Ok::<_, DbError>(std::thread::current().id() == caller)
        });
        assert_eq!(same_thread, Ok(true));
        assert_eq!(db.commit_count() - before, 1);
    });
}

#[test]
fn a_crash_keeps_exactly_what_was_committed() {
    for_each(|db| {
        db.migrate(NOTES).unwrap();
        for (point, expected) in [(FaultPoint::BeforeCommit, vec![]), (FaultPoint::AfterCommit, vec![1])] {
            crash_at(db, point);
            let unknown = insert(db, 1, "one");
            assert!(matches!(unknown, Err(DbError::Unknown { .. })), "{unknown:?}");
            assert!(matches!(insert(db, 2, "two"), Err(DbError::Stopped { .. })), "nothing runs after a crash");
            db.clear_fault_hook();
            db.restart().unwrap();
            assert_eq!(db.failed(), None);
            assert_eq!(ids(db), expected);
        }
    });
}

#[test]
fn a_full_disk_is_no_crash() {
    for_each(|db| {
        db.migrate(NOTES).unwrap();
        db.set_fault_hook(|point| match point {
            FaultPoint::BeforeCommit => Err(DbError::Full { place: "here".to_owned() }),
            _ => Ok(()),
        });
        assert_eq!(insert(db, 1, "one"), Err(DbError::Full { place: "here".to_owned() }));
        db.clear_fault_hook();
        assert_eq!(insert(db, 2, "two"), Ok(1));
        assert_eq!(ids(db), [2]);
    });
}

#[test]
fn snapshots_go_back_in_time_and_make_clones() {
    for_each(|db| {
        db.migrate(NOTES).unwrap();
        insert(db, 1, "one").unwrap();
        let snapshot = db.snapshot().unwrap();
        insert(db, 2, "two").unwrap();
        crash_at(db, FaultPoint::AfterCommit);
        insert(db, 3, "three").unwrap_err();
        db.clear_fault_hook();
        let after_crash = db.snapshot().unwrap();

        db.restore(&snapshot).unwrap();
        assert_eq!(ids(db), [1]);
        insert(db, 4, "two").unwrap();
        assert_eq!(ids(db), [1, 4]);
        assert_eq!(db.check_integrity(), Ok(()));

        let clone = fresh_in_line();
        clone.restore(&after_crash).unwrap();
        assert_eq!(ids(&clone), [1, 2, 3]);
        assert_eq!(clone.migrate(NOTES), Ok(0));
        assert_eq!(ids(db), [1, 4], "a clone is another database");
    });
}

#[test]
fn bytes_that_are_no_database_are_refused() {
    let db = fresh_in_line();
    db.migrate(NOTES).unwrap();
    insert(&db, 1, "one").unwrap();
    assert!(db.restore(&[0x5A; 8192]).is_err());
    assert_eq!(ids(&db), [1]);
}
