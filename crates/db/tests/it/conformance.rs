//! What a statement, a row and a transaction mean, the same on both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use leasehold_db::{Db, DbError, Dialect, Value};

use crate::{everywhere, ids, insert};

#[test]
fn values_come_back_as_they_were_given() {
    everywhere(|db| {
        let bodies = ["", "Zoë 🎬 '; DROP TABLE note; --", "line\r\n\ttab \u{1} \u{202e}", "%_\\"];
        for (id, body) in [i64::MIN, -1, 0, i64::MAX].into_iter().zip(bodies) {
            let data = body.as_bytes().to_vec();
            db.write(move |tx| {
                let params = [id.into(), body.into(), (&data).into()];
                tx.exec("INSERT INTO note (id, body, data) VALUES (?1, ?2, ?3)", &params)
            })
            .unwrap();
            let found = db
                .read(move |tx| {
                    let sql = "SELECT id, body, data, parent FROM note WHERE id = ?1 AND body = ?2";
                    tx.one(sql, &[id.into(), body.into()], |row| {
                        Ok((row.int(0)?, row.text(1)?, row.bytes(2)?, row.opt_int(3)?))
                    })
                })
                .unwrap();
            assert_eq!(found, Some((id, body.to_owned(), body.as_bytes().to_vec(), None)));
        }
    });
}

#[test]
fn null_is_neither_empty_nor_zero() {
    everywhere(|db| {
        db.write(|tx| {
            let empty = [1.into(), "".into(), Vec::new().into(), Value::Null];
            tx.exec("INSERT INTO note (id, body, data, parent) VALUES (?1, ?2, ?3, ?4)", &empty)?;
            let absent = [2.into(), None::<&str>.into(), None::<Vec<u8>>.into(), Some(1).into()];
            tx.exec("INSERT INTO note (id, body, data, parent) VALUES (?1, ?2, ?3, ?4)", &absent)
        })
        .unwrap();
        let rows = db
            .read(|tx| {
                tx.all("SELECT body, data, parent FROM note ORDER BY id", &[], |row| {
                    Ok((row.opt_text(0)?, row.opt_bytes(1)?, row.opt_int(2)?))
                })
            })
            .unwrap();
        assert_eq!(rows, [(Some(String::new()), Some(Vec::new()), None), (None, None, Some(1))]);
        let refused = db.read(|tx| tx.one("SELECT body FROM note WHERE id = 2", &[], |row| row.text(0)));
        assert!(matches!(refused, Err(DbError::Value(ref text)) if text.contains("is NULL")), "{refused:?}");
    });
}

#[test]
fn placeholders_beyond_nine_and_out_of_order_keep_their_numbers() {
    everywhere(|db| {
        let values: Vec<i64> = (1..=12).collect();
        let found = db
            .write(move |tx| {
                let params: Vec<Value<'_>> = values.iter().map(|value| (*value).into()).collect();
                let sql = "SELECT ?10, ?1, ?12, ?2, ?11, ?1, ?3 + ?4 + ?5 + ?6 + ?7 + ?8 + ?9";
                tx.one(sql, &params, |row| (0..7).map(|column| row.int(column)).collect::<Result<Vec<_>, _>>())
            })
            .unwrap();
        assert_eq!(found, Some(vec![10, 1, 12, 2, 11, 1, 42]));
        let swapped = db.write(|tx| {
            tx.exec("INSERT INTO note (body, id) VALUES (?2, ?1)", &[7.into(), "seven '?9'".into()])?;
            tx.one("SELECT id FROM note WHERE body = 'seven ''?9''' -- ?8", &[], |row| row.int(0))
        });
        assert_eq!(swapped, Ok(Some(7)));
    });
}

#[test]
fn numbers_are_64_bits_wide_wherever_they_stand_and_a_placeholder_may_be_null_first() {
    everywhere(|db| {
        let compare = |value: Option<i64>| {
            db.read(move |tx| tx.one("SELECT 1 < ?1", &[value.into()], |row| row.opt_int(0))).unwrap()
        };
        assert_eq!(compare(Some(i64::MAX)), Some(Some(1)));
        assert_eq!(compare(None), Some(None));
        let find = |body: Option<&'static str>| {
            db.write(move |tx| {
                tx.exec("INSERT INTO note (id, body) VALUES ((SELECT COUNT(*) FROM note), ?1)", &[body.into()])
            })
        };
        assert_eq!([find(None), find(Some("one")), find(None)], [Ok(1), Ok(1), Ok(1)]);
        assert_eq!(ids(db), [0, 1, 2]);
    });
}

#[test]
fn wrong_numbers_of_values_are_refused() {
    everywhere(|db| {
        for params in [vec![], vec![1.into(), 2.into()]] {
            let params: Vec<Value<'static>> = params;
            let refused = db.write(move |tx| tx.exec("DELETE FROM note WHERE id = ?1", &params));
            assert!(matches!(refused, Err(DbError::Statement { .. })), "{refused:?}");
        }
    });
}

#[test]
fn text_with_nul_is_a_clear_error() {
    everywhere(|db| {
        let refused = insert(db, 1, "before\0after");
        assert!(matches!(refused, Err(DbError::Value(ref text)) if text.contains("?2 contains a NUL")), "{refused:?}");
        assert_eq!(ids(db), []);
    });
}

#[test]
fn columns_of_another_type_are_refused() {
    everywhere(|db| {
        insert(db, 1, "text").unwrap();
        let refused = [
            db.read(|tx| tx.one("SELECT body FROM note", &[], |row| row.int(0).map(drop))),
            db.read(|tx| tx.one("SELECT id FROM note", &[], |row| row.text(0).map(drop))),
            db.read(|tx| tx.one("SELECT id FROM note", &[], |row| row.bytes(0).map(drop))),
            db.read(|tx| tx.one("SELECT id FROM note", &[], |row| row.int(1).map(drop))),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(DbError::Value(_))), "{refused:?}");
        }
    });
}

#[test]
fn truth_values_and_counts_are_numbers() {
    everywhere(|db| {
        insert(db, 1, "one").unwrap();
        let found = db.read(|tx| {
            let sql = "SELECT EXISTS (SELECT 1 FROM note), COUNT(*), CAST(SUM(id) AS BIGINT), 0 FROM note";
            tx.one(sql, &[], |row| Ok((row.bool(0)?, row.int(1)?, row.int(2)?, row.bool(3)?)))
        });
        assert_eq!(found, Ok(Some((true, 1, 1, false))));
    });
}

#[test]
fn changed_rows_are_counted_and_returned() {
    everywhere(|db| {
        for (id, body) in [(1, "a"), (2, "b"), (3, "c")] {
            assert_eq!(insert(db, id, body), Ok(1));
        }
        let again = db.write(|tx| {
            tx.exec("INSERT INTO note (id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING", &[1.into(), "z".into()])
        });
        assert_eq!(again, Ok(0));
        let returned = db.write(|tx| {
            tx.all("UPDATE note SET data = ?1 WHERE id > 1 RETURNING id", &[vec![1].into()], |row| row.int(0))
        });
        assert_eq!(returned.map(|mut ids| (ids.sort_unstable(), ids).1), Ok(vec![2, 3]));
        assert_eq!(db.write(|tx| tx.exec("DELETE FROM note", &[])), Ok(3));
    });
}

#[test]
fn unique_indexes_answer_conflict_and_other_constraints_do_not() {
    everywhere(|db| {
        insert(db, 1, "one").unwrap();
        assert!(matches!(insert(db, 1, "other"), Err(DbError::Conflict { .. })), "primary key");
        assert!(matches!(insert(db, 2, "one"), Err(DbError::Conflict { .. })), "unique index");
        let orphan = db.write(|tx| tx.exec("INSERT INTO note (id, parent) VALUES (3, 99)", &[]));
        assert!(matches!(orphan, Err(DbError::Constraint { .. })), "{orphan:?}");
        let absent = db.write(|tx| tx.exec("INSERT INTO nowhere (id) VALUES (1)", &[]));
        assert!(matches!(absent, Err(DbError::Statement { ref sql, .. }) if sql.contains("nowhere")), "{absent:?}");
        assert_eq!(ids(db), [1]);
    });
}

#[test]
fn a_failing_write_leaves_nothing_and_keeps_its_own_error() {
    #[derive(Debug, PartialEq)]
    enum Refusal {
        NoSeats,
        Db(DbError),
    }
    impl From<DbError> for Refusal {
        fn from(error: DbError) -> Self {
            Self::Db(error)
        }
    }
    everywhere(|db| {
        let refused: Result<(), Refusal> = db.write(|tx| {
            tx.exec("INSERT INTO note (id) VALUES (1)", &[])?;
            Err(Refusal::NoSeats)
        });
        assert_eq!(refused, Err(Refusal::NoSeats));
        assert_eq!(ids(db), []);
        let failed: Result<(), Refusal> = db.write(|tx| {
            tx.exec("INSERT INTO note (id) VALUES (1)", &[])?;
            tx.exec("INSERT INTO note (id) VALUES (1)", &[])?;
            Ok(())
        });
        assert!(matches!(failed, Err(Refusal::Db(DbError::Conflict { .. }))), "{failed:?}");
        assert_eq!(ids(db), []);
    });
}

#[test]
fn a_write_cannot_go_on_after_a_failed_statement() {
    everywhere(|db| {
        insert(db, 1, "one").unwrap();
        let swallowed = db.write(|tx| {
            tx.exec("INSERT INTO note (id) VALUES (2)", &[])?;
            drop(tx.exec("INSERT INTO note (id) VALUES (1)", &[]));
            Ok::<_, DbError>(())
        });
        assert!(
            matches!(swallowed, Err(DbError::Poisoned { ref cause }) if matches!(**cause, DbError::Conflict { .. })),
            "{swallowed:?}"
        );
        let continued = db.write(|tx| {
            drop(tx.exec("INSERT INTO note (id) VALUES (1)", &[]));
            tx.exec("INSERT INTO note (id) VALUES (3)", &[])
        });
        assert!(matches!(continued, Err(DbError::Poisoned { .. })), "{continued:?}");
        assert_eq!(ids(db), [1]);
    });
}

#[test]
fn a_panicking_write_is_rolled_back_and_the_next_one_works() {
    everywhere(|db| {
        let panicked = db.write(|tx| {
            tx.exec("INSERT INTO note (id) VALUES (1)", &[])?;
            if tx.one("SELECT 1", &[], |_| Ok(()))?.is_some() {
                panic!("no such seat");
            }
            Ok::<_, DbError>(())
        });
        assert_eq!(panicked, Err(DbError::Panicked { message: "no such seat".to_owned() }));
        assert_eq!(insert(db, 2, "two"), Ok(1));
        assert_eq!(ids(db), [2]);
        let panicked = db.read(|_| -> Result<(), DbError> { panic!("in a read") });
        assert!(matches!(panicked, Err(DbError::Panicked { .. })), "{panicked:?}");
        assert_eq!(ids(db), [2]);
    });
}

#[test]
fn a_closure_cannot_control_its_transaction_or_call_the_database_again() {
    everywhere(|db| {
        for sql in ["COMMIT", " rollback", "BEGIN", "SAVEPOINT x", "RELEASE x", "END", "start transaction"] {
            let refused = db.write(move |tx| tx.exec(sql, &[]));
            assert!(matches!(refused, Err(DbError::Misuse(_))), "{sql}: {refused:?}");
        }
        let inner = db.clone();
        let nested = db.write(move |_| inner.read(|tx| tx.one("SELECT 1", &[], |_| Ok(()))));
        assert!(matches!(nested, Err(DbError::Misuse(_))), "{nested:?}");
    });
}

#[test]
fn a_read_cannot_write() {
    everywhere(|db| {
        let refused = db.read(|tx| tx.exec("INSERT INTO note (id) VALUES (1)", &[]));
        assert!(refused.is_err(), "{refused:?}");
        let refused = db.read(|tx| tx.one("INSERT INTO note (id) VALUES (1) RETURNING id", &[], |row| row.int(0)));
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(ids(db), []);
        assert_eq!(insert(db, 1, "one"), Ok(1), "the connection still writes");
    });
}

#[test]
fn closures_run_twice_when_asked_and_are_stored_once() {
    everywhere(|db| {
        for (on, expected) in [(true, 2), (false, 1)] {
            db.run_closures_twice(on);
            let runs = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&runs);
            let stored = db.write(move |tx| {
                counter.fetch_add(1, Ordering::SeqCst);
                tx.exec("UPDATE note SET body = body WHERE id = 1", &[])?;
                tx.exec("INSERT INTO note (id) VALUES ((SELECT COUNT(*) FROM note))", &[])
            });
            assert_eq!(stored, Ok(1));
            assert_eq!(runs.load(Ordering::SeqCst), expected);
        }
        assert_eq!(ids(db), [0, 1], "the rehearsal left nothing");
    });
}

#[test]
fn the_dialect_and_the_clock_are_the_databases_own() {
    everywhere(|db| {
        let name = db.read(|tx| Ok::<_, DbError>((tx.which(), tx.dialect("sqlite", "postgres")))).unwrap();
        match db.dialect() {
            Dialect::Sqlite => assert_eq!(name, (Dialect::Sqlite, "sqlite")),
            Dialect::Postgres => assert_eq!(name, (Dialect::Postgres, "postgres")),
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let written = file.as_file().metadata().unwrap().modified().unwrap();
        let now_ms = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let clock_ms = db.clock_ms().unwrap();
        assert!(clock_ms.abs_diff(i64::try_from(now_ms).unwrap()) < 60_000, "{clock_ms} is not near {now_ms}");
    });
}

#[test]
fn async_callers_get_the_same_answers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    everywhere(|db: &Db| {
        let found = runtime.block_on(async {
            let insert = |tx: &mut leasehold_db::Tx<'_>| tx.exec("INSERT INTO note (id) VALUES (1)", &[]);
            assert_eq!(db.write_async(insert).await, Ok(1));
            assert!(matches!(db.write_async(insert).await, Err(DbError::Conflict { .. })));
            db.read_async(|tx| tx.one("SELECT COUNT(*) FROM note", &[], |row| row.int(0))).await
        });
        assert_eq!(found, Ok(Some(1)));
    });
}
