//! Many at once over the same rows.

use std::collections::BTreeSet;
use std::thread;

use leasehold_db::{Db, DbError};

use crate::everywhere;

const ROWS: i64 = 800;
const TAKERS: i64 = 8;

#[test]
fn eight_takers_share_800_rows_without_a_double() {
    everywhere(|db| {
        db.write(|tx| {
            (1..=ROWS).try_for_each(|id| tx.exec("INSERT INTO note (id) VALUES (?1)", &[id.into()]).map(drop))
        })
        .unwrap();
        let taken: Vec<Vec<i64>> = thread::scope(|scope| {
            let takers: Vec<_> = (0..TAKERS).map(|taker| scope.spawn(move || take_all(db, taker))).collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).collect()
        });
        let distinct: BTreeSet<i64> = taken.iter().flatten().copied().collect();
        assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 800, "nobody was told twice");
        assert_eq!(distinct, (1..=ROWS).collect());
    });
}

/// Takes one free row after another until none is left.
fn take_all(db: &Db, taker: i64) -> Vec<i64> {
    let mut mine = Vec::new();
    loop {
        let taken = db.write(move |tx| {
            tx.one(
                "UPDATE note SET data = ?1 WHERE data IS NULL
                 AND id = (SELECT MIN(id) FROM note WHERE data IS NULL) RETURNING id",
                &[taker.to_be_bytes().to_vec().into()],
                |row| row.int(0),
            )
        });
        match taken {
            Ok(Some(id)) => mine.push(id),
            // Another taker had the same row first, or none is left.
            Ok(None) => {
                let free = db.read(|tx| tx.one("SELECT COUNT(*) FROM note WHERE data IS NULL", &[], |row| row.int(0)));
                if free == Ok(Some(0)) {
                    return mine;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_conditional_update_never_goes_over_its_limit() {
    everywhere(|db| {
        db.write(|tx| {
            tx.exec("CREATE TABLE pool (id BIGINT PRIMARY KEY, seats BIGINT NOT NULL, granted BIGINT NOT NULL)", &[])?;
            tx.exec("INSERT INTO pool (id, seats, granted) VALUES (1, 10, 0)", &[])
        })
        .unwrap();
        let granted: u64 = thread::scope(|scope| {
            let askers: Vec<_> = (0..TAKERS)
                .map(|_| {
                    scope.spawn(move || {
                        (0..8)
                            .map(|_| {
                                db.write(|tx| {
                                    tx.exec(
                                        "UPDATE pool SET granted = granted + ?2 WHERE id = ?1 AND granted + ?2 <= seats",
                                        &[1.into(), 1.into()],
                                    )
                                })
                                .unwrap()
                            })
                            .sum::<u64>()
                    })
                })
                .collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).sum()
        });
        assert_eq!(granted, 10, "64 asked for a seat each, and there are ten");
    });
}

#[test]
fn of_many_equal_inserts_one_wins() {
    everywhere(|db| {
        let won: usize = thread::scope(|scope| {
            let writers: Vec<_> = (0..TAKERS)
                .map(|_| {
                    scope.spawn(move || match crate::insert(db, 1, "same") {
                        Ok(_) => 1,
                        Err(DbError::Conflict { .. }) => 0,
                        Err(error) => panic!("{error}"),
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!(won, 1);
    });
}
