//! Wakes the long polls of license servers. A bell is rung in the database, so that every portal process hears it; the
//! process that rang it also wakes its own waiters at once.

use crate::Portal;
use crate::failure::Failure;
use crate::store::bells;
use leasehold_core::ids::WorkstationId;
use leasehold_core::time::{Ms, SECOND_MS};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How far back a look at the database goes, in milliseconds: clocks of several processes and slow commits.
const LOOK_BACK_MS: i64 = 90 * SECOND_MS;

/// Who waits. One waiter for each workstation: a newer one takes the place of an older.
#[derive(Debug, Default)]
pub(crate) struct Bells(Mutex<HashMap<WorkstationId, Waiter>>);

#[derive(Clone, Debug)]
struct Waiter {
    since: u64,
    woken: Arc<Notify>,
}

impl Bells {
    fn waiters(&self) -> MutexGuard<'_, HashMap<WorkstationId, Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those that this process keeps waiting, after the commit that rang.
    pub(crate) fn ring(&self, rung: &BTreeSet<WorkstationId>) {
        let waiters = self.waiters();
        rung.iter().filter_map(|workstation| waiters.get(workstation)).for_each(|waiter| waiter.woken.notify_one());
    }

    fn wait(&self, workstation: WorkstationId, since: u64) -> Arc<Notify> {
        let woken = Arc::new(Notify::new());
        let waiter = Waiter { since, woken: Arc::clone(&woken) };
        if let Some(older) = self.waiters().insert(workstation, waiter) {
            older.woken.notify_one();
        }
        woken
    }

    fn leave(&self, workstation: WorkstationId, woken: &Arc<Notify>) {
        let mut waiters = self.waiters();
        if waiters.get(&workstation).is_some_and(|waiter| Arc::ptr_eq(&waiter.woken, woken)) {
            waiters.remove(&workstation);
        }
    }

    fn is_idle(&self) -> bool {
        self.waiters().is_empty()
    }
}

/// Waits until the bell of a workstation was rung more often than `since`, or `patience` is over; answers how often. Less
/// often as well: a portal that was restored from a backup counts anew, and should be heard.
pub(crate) async fn wait(
    portal: &Portal,
    workstation: WorkstationId,
    since: u64,
    patience: impl Future<Output = ()>,
) -> Result<u64, Failure> {
    // Waiting before looking: a bell that rings between the two is not missed.
    let woken = portal.bells().wait(workstation, since);
    let look = move |portal: &Portal| portal.db().read(move |tx| Ok(bells::get(tx, workstation)?.rung));
    let rung = portal.run(look).await;
    let rung = match rung {
        Ok(rung) if rung == since => {
            tokio::select! {
                () = woken.notified() => {}
                () = patience => {}
            }
            portal.run(look).await
        }
        other => other,
    };
    portal.bells().leave(workstation, &woken);
    rung
}

/// Wakes those whose bell was rung by another process since somebody looked.
pub(crate) fn listen(portal: &Portal) -> Result<(), Failure> {
    if portal.bells().is_idle() {
        return Ok(());
    }
    let since: Ms = portal.now().plus(-LOOK_BACK_MS);
    let rung = portal.db().read(move |tx| Ok::<_, Failure>(bells::rung_since(tx, since)?))?;
    let waiters = portal.bells().waiters();
    for (workstation, times) in rung {
        if let Some(waiter) = waiters.get(&workstation).filter(|waiter| waiter.since != times) {
            waiter.woken.notify_one();
        }
    }
    Ok(())
}
