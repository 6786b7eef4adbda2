//! SQLite's writer: many jobs, one flush, no answer before it, each job on its own.

use std::pin::Pin;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use leasehold_db::testing::{TestDb, fresh_sqlite};
use leasehold_db::{Db, DbError, FaultPoint, Tx};

use crate::{NOTES, ids};

/// Stops the writer at every fault point until the test lets it go on.
struct Gate {
    reached: Receiver<FaultPoint>,
    go: SyncSender<Result<(), DbError>>,
}

impl Gate {
    fn on(db: &Db) -> Self {
        let (reach, reached) = sync_channel(0);
        let (go, wait) = sync_channel(0);
        let ends = Mutex::new((reach, wait));
        db.set_fault_hook(move |point| {
            let ends = ends.lock().unwrap();
            // A test that has ended wants no more gate.
            if ends.0.send(point).is_err() {
                return Ok(());
            }
            ends.1.recv().unwrap_or(Ok(()))
        });
        Self { reached, go }
    }

    /// Waits until the writer stands at `point`.
    fn arrive(&self, point: FaultPoint) {
        assert_eq!(self.reached.recv_timeout(Duration::from_secs(30)), Ok(point));
    }

    fn pass(&self, point: FaultPoint) {
        self.arrive(point);
        self.go.send(Ok(())).unwrap();
    }
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, DbError>>>>;

/// Queues a write and shows that it is not answered yet.
fn queue<T: Send + 'static>(
    db: &Db,
    closure: impl Fn(&mut Tx<'_>) -> Result<T, DbError> + Send + 'static,
) -> Answer<T> {
    let db = db.clone();
    let mut answer: Answer<T> = Box::pin(async move { db.write_async(closure).await });
    assert!(poll(&mut answer).is_pending());
    answer
}

fn poll<T>(answer: &mut Answer<T>) -> Poll<Result<T, DbError>> {
    answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn wait<T>(answer: Answer<T>) -> Result<T, DbError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

fn insert(id: i64) -> impl Fn(&mut Tx<'_>) -> Result<u64, DbError> + Send + 'static {
    move |tx| tx.exec("INSERT INTO note (id) VALUES (?1)", &[id.into()])
}

/// A database whose writer stands before the commit of row 0, so that whatever is queued now is
/// the next batch.
fn with_busy_writer() -> (TestDb, Gate, Answer<u64>) {
    let test = fresh_sqlite();
    test.db().migrate(NOTES).unwrap();
    let gate = Gate::on(test.db());
    let first = queue(test.db(), insert(0));
    gate.arrive(FaultPoint::BeforeCommit);
    (test, gate, first)
}

#[test]
fn sixty_four_waiting_writes_take_one_flush_and_none_is_answered_before_it() {
    let (test, gate, mut first) = with_busy_writer();
    let db = test.db();
    let flushes_before = db.commit_count();
    let mut answers: Vec<_> = (1..=64).map(|id| queue(db, insert(id))).collect();
    assert!(poll(&mut first).is_pending(), "answered before its commit");
    assert_eq!(ids(db), [], "a reader sees what is not committed");

    gate.go.send(Ok(())).unwrap();
    gate.arrive(FaultPoint::AfterCommit);
    assert!(poll(&mut first).is_pending(), "answered by somebody else than the commit");
    gate.go.send(Ok(())).unwrap();
    assert_eq!(wait(first), Ok(1));

    gate.arrive(FaultPoint::BeforeCommit);
    assert!(answers.iter_mut().all(|answer| poll(answer).is_pending()), "answered before the flush");
    assert_eq!(ids(db), [0]);
    gate.go.send(Ok(())).unwrap();
    gate.arrive(FaultPoint::AfterCommit);
    assert_eq!(ids(db).len(), 65, "committed, and still nobody was told");
    assert!(answers.iter_mut().all(|answer| poll(answer).is_pending()));
    gate.go.send(Ok(())).unwrap();
    for answer in answers {
        assert_eq!(wait(answer), Ok(1));
    }
    assert_eq!(db.commit_count() - flushes_before, 2);
}

/// Queues rows 1 to 6, of which 2 fails, 4 panics and 5 conflicts with 1.
fn queue_mixed_batch(db: &Db) -> Vec<Answer<u64>> {
    (1..=6)
        .map(|id| {
            queue(db, move |tx| {
                let changed = insert(if id == 5 { 1 } else { id })(tx)?;
                match id {
                    2 => Err(DbError::Value("refused".to_owned())),
                    4 => panic!("job 4"),
                    _ => Ok(changed),
                }
            })
        })
        .collect()
}

fn assert_mixed_answers(answers: Vec<Answer<u64>>) {
    let results: Vec<_> = answers.into_iter().map(wait).collect();
    assert_eq!(results[0], Ok(1));
    assert_eq!(results[1], Err(DbError::Value("refused".to_owned())));
    assert_eq!(results[2], Ok(1));
    assert_eq!(results[3], Err(DbError::Panicked { message: "job 4".to_owned() }));
    assert!(matches!(results[4], Err(DbError::Conflict { .. })), "{:?}", results[4]);
    assert_eq!(results[5], Ok(1));
}

#[test]
fn a_failing_or_panicking_job_rolls_back_alone() {
    let (test, gate, first) = with_busy_writer();
    let answers = queue_mixed_batch(test.db());
    let flushes_before = test.db().commit_count();
    gate.go.send(Ok(())).unwrap();
    gate.pass(FaultPoint::AfterCommit);
    for _ in 0..3 {
        gate.pass(FaultPoint::SavepointRollback);
    }
    gate.pass(FaultPoint::BeforeCommit);
    gate.pass(FaultPoint::AfterCommit);
    assert_eq!(wait(first), Ok(1));
    assert_mixed_answers(answers);
    assert_eq!(ids(test.db()), [0, 1, 3, 6]);
    assert_eq!(test.db().commit_count() - flushes_before, 2);
}

#[test]
fn if_a_job_cannot_be_undone_alone_the_batch_runs_once_more_one_by_one() {
    let (test, gate, first) = with_busy_writer();
    let answers = queue_mixed_batch(test.db());
    let flushes_before = test.db().commit_count();
    gate.go.send(Ok(())).unwrap();
    gate.pass(FaultPoint::AfterCommit);
    gate.arrive(FaultPoint::SavepointRollback);
    gate.go.send(Err(DbError::Misuse("no such savepoint".to_owned()))).unwrap();
    for _kept in [1, 3, 6] {
        gate.pass(FaultPoint::BeforeCommit);
        gate.pass(FaultPoint::AfterCommit);
    }
    assert_eq!(wait(first), Ok(1));
    assert_mixed_answers(answers);
    assert_eq!(ids(test.db()), [0, 1, 3, 6]);
    assert_eq!(test.db().commit_count() - flushes_before, 4, "each of the three kept ones has its own flush");
}

#[test]
fn a_full_disk_answers_the_whole_batch_and_the_writer_goes_on() {
    let (test, gate, first) = with_busy_writer();
    let db = test.db();
    let answers: Vec<_> = (1..=3).map(|id| queue(db, insert(id))).collect();
    gate.go.send(Ok(())).unwrap();
    gate.pass(FaultPoint::AfterCommit);
    gate.arrive(FaultPoint::BeforeCommit);
    gate.go.send(Err(DbError::Full { place: "test.db".to_owned() })).unwrap();
    assert_eq!(wait(first), Ok(1));
    for answer in answers {
        assert_eq!(wait(answer), Err(DbError::Full { place: "test.db".to_owned() }));
    }
    db.clear_fault_hook();
    assert_eq!(db.failed(), None);
    assert_eq!(db.write(insert(9)), Ok(1));
    assert_eq!(ids(db), [0, 9]);
}
