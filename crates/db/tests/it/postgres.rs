//! What only PostgreSQL does: retries, lost connections, unknown outcomes, settings at start.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use leasehold_db::testing::{TestDb, fresh_postgres};
use leasehold_db::{Db, DbError, FaultPoint};

use crate::{NOTES, ids, insert};

fn migrated() -> TestDb {
    let test = fresh_postgres();
    test.db().migrate(NOTES).unwrap();
    test
}

/// A second pool on the same schema whose connections can be told apart.
fn named_pool(test: &TestDb, size: usize) -> (Db, String) {
    let name = format!("named_{}", std::process::id());
    let url = format!("{}&application_name={name}", test.url());
    (Db::open_postgres(&url, size).unwrap(), name)
}

/// Ends the connections of a pool from the server's side, and waits until they are gone.
fn terminate(db: &Db, name: &str) {
    let name = name.to_owned();
    let count = move |sql: &'static str| {
        let name = name.clone();
        db.read(move |tx| tx.all(sql, &[name.as_str().into()], |row| row.int(0))).unwrap().len()
    };
    assert_ne!(count("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ?1"), 0);
    let gone = (0..100_000).any(|_| count("SELECT 1 FROM pg_stat_activity WHERE application_name = ?1") == 0);
    assert!(gone, "the connections outlive their end");
}

#[test]
fn a_deadlock_is_run_again_until_both_writes_are_in() {
    let test = migrated();
    let db = test.db();
    db.run_closures_twice(false);
    db.write(|tx| {
        tx.exec("CREATE TABLE counter (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)", &[])?;
        tx.exec("INSERT INTO counter (id, n) VALUES (1, 0), (2, 0)", &[])
    })
    .unwrap();
    let both_hold_one = Arc::new(Barrier::new(2));
    let runs = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for (first, second) in [(1_i64, 2_i64), (2, 1)] {
            let (barrier, runs) = (Arc::clone(&both_hold_one), Arc::clone(&runs));
            scope.spawn(move || {
                let update = "UPDATE counter SET n = n + 1 WHERE id = ?1";
                db.write(move |tx| {
                    tx.exec(update, &[first.into()])?;
                    // Only the first run of each: the second must not wait for one that is done.
                    if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                        barrier.wait();
                    }
                    tx.exec(update, &[second.into()])
                })
                .unwrap();
            });
        }
    });
    let counts = db.read(|tx| tx.all("SELECT n FROM counter ORDER BY id", &[], |row| row.int(0)));
    assert_eq!(counts, Ok(vec![2, 2]), "each write is in once");
    assert!(runs.load(Ordering::SeqCst) > 2, "there was no deadlock");
}

#[test]
fn retries_are_bounded_and_only_for_what_postgres_asks_to_retry() {
    let test = migrated();
    let db = test.db();
    db.run_closures_twice(false);
    let cases = [
        ("40001", 5, "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"),
        ("40P01", 5, "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40P01'; END $$"),
        ("55P03", 1, "DO $$ BEGIN RAISE EXCEPTION 'locked' USING ERRCODE = '55P03'; END $$"),
        ("23505", 1, "DO $$ BEGIN RAISE EXCEPTION 'twice' USING ERRCODE = '23505'; END $$"),
        ("53100", 1, "DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$"),
    ];
    for (code, expected_runs, sql) in cases {
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        let refused = db.write(move |tx| {
            counter.fetch_add(1, Ordering::SeqCst);
            tx.exec(sql, &[])
        });
        match code {
            "23505" => assert!(matches!(refused, Err(DbError::Conflict { .. })), "{refused:?}"),
            "53100" => assert!(matches!(refused, Err(DbError::Full { .. })), "{refused:?}"),
            _ => assert!(matches!(refused, Err(DbError::Contended { .. })), "{refused:?}"),
        }
        assert_eq!(runs.load(Ordering::SeqCst), expected_runs, "{code}");
    }
    assert_eq!(insert(db, 1, "one"), Ok(1), "the connections are as good as new");
}

#[test]
fn connections_that_the_server_ended_are_replaced_unnoticed() {
    let test = migrated();
    let (pool, name) = named_pool(&test, 1);
    assert_eq!(insert(&pool, 1, "one"), Ok(1));
    terminate(test.db(), &name);
    assert_eq!(insert(&pool, 2, "two"), Ok(1));
    terminate(test.db(), &name);
    assert_eq!(ids(&pool), [1, 2]);
}

#[test]
fn a_connection_lost_in_the_middle_stores_nothing_and_is_not_retried() {
    let test = migrated();
    let (pool, name) = named_pool(&test, 1);
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let outside = test.db().clone();
    // Ends the connection from a thread of its own, since a closure may not call the database.
    let lost = pool.write(move |tx| {
        counter.fetch_add(1, Ordering::SeqCst);
        tx.exec("INSERT INTO note (id) VALUES (1)", &[])?;
        thread::scope(|scope| scope.spawn(|| terminate(&outside, &name)).join().unwrap());
        tx.exec("INSERT INTO note (id) VALUES (2)", &[])
    });
    assert!(matches!(lost, Err(DbError::Unreachable { .. })), "{lost:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(ids(&pool), []);
}

#[test]
fn a_commit_without_an_answer_is_unknown_and_never_run_again() {
    let test = migrated();
    let (pool, name) = named_pool(&test, 1);
    let outside = test.db().clone();
    pool.set_fault_hook(move |point| {
        if point == FaultPoint::BeforeCommit {
            terminate(&outside, &name);
        }
        Ok(())
    });
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let unknown = pool.write(move |tx| {
        counter.fetch_add(1, Ordering::SeqCst);
        tx.exec("INSERT INTO note (id) VALUES (1)", &[])
    });
    assert!(matches!(unknown, Err(DbError::OutcomeUnknown { .. })), "{unknown:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    pool.clear_fault_hook();
    assert_eq!(insert(&pool, 2, "two"), Ok(1), "the connection was replaced");
    assert_eq!(ids(&pool), [2]);
    assert_eq!(pool.failed(), None);
}

#[test]
fn an_answer_lost_after_the_commit_is_unknown_and_kept() {
    let test = migrated();
    let db = test.db();
    db.set_fault_hook(|point| match point {
        FaultPoint::AfterCommit => Err(DbError::Misuse("the reply is lost".to_owned())),
        _ => Ok(()),
    });
    assert!(matches!(insert(db, 1, "one"), Err(DbError::OutcomeUnknown { .. })));
    db.set_fault_hook(|point| match point {
        FaultPoint::BeforeCommit => Err(DbError::Full { place: "there".to_owned() }),
        _ => Ok(()),
    });
    assert_eq!(insert(db, 2, "two"), Err(DbError::Full { place: "there".to_owned() }));
    db.clear_fault_hook();
    assert_eq!(ids(db), [1]);
}

#[test]
fn a_server_that_may_lose_commits_is_refused() {
    let test = fresh_postgres();
    let refused = Db::open_postgres(&format!("{}%20-csynchronous_commit%3Doff", test.url()), 1).unwrap_err();
    assert!(matches!(refused, DbError::UnsafeSettings { .. }), "{refused:?}");
    assert!(refused.to_string().contains("synchronous_commit=off"), "{refused}");
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    let free_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://portal:s3cret@127.0.0.1:{free_port}/portal");
    let refused = Db::open_postgres(&url, 2).unwrap_err();
    assert!(matches!(refused, DbError::Unreachable { .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains(&format!("127.0.0.1:{free_port}, database portal")), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn a_changed_table_does_not_disturb_prepared_statements_for_long() {
    let test = migrated();
    let (pool, _) = named_pool(&test, 1);
    let all = |db: &Db| db.read(|tx| tx.all("SELECT * FROM note ORDER BY id", &[], |row| row.int(0)));
    assert_eq!(all(&pool), Ok(vec![]));
    test.db().write(|tx| tx.exec("ALTER TABLE note ADD COLUMN later BIGINT", &[])).unwrap();
    insert(test.db(), 1, "one").unwrap();
    // PostgreSQL refuses the old statement once; the next time it is prepared anew.
    drop(all(&pool));
    assert_eq!(all(&pool), Ok(vec![1]));
}
