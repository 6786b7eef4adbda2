//! What is to happen, in order of time. Equal times keep the order in which they were put in, so a seed replays.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The events to come.
#[derive(Debug)]
pub(super) struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    entered: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at_ms: i64,
    order: u64,
    event: E,
}

impl<E> Queue<E> {
    pub(super) fn new() -> Queue<E> {
        Queue { heap: BinaryHeap::new(), entered: 0 }
    }

    /// Puts an event in.
    pub(super) fn push(&mut self, at_ms: i64, event: E) {
        self.entered += 1;
        self.heap.push(Reverse(Entry { at_ms, order: self.entered, event }));
    }

    /// Puts everything off by `ms`, but for what `keep` does not want.
    pub(super) fn put_off(&mut self, ms: i64, keep: impl Fn(&E) -> bool) {
        let entries = std::mem::take(&mut self.heap).into_iter().filter(|Reverse(entry)| keep(&entry.event));
        self.heap = entries.map(|Reverse(entry)| Reverse(Entry { at_ms: entry.at_ms + ms, ..entry })).collect();
    }

    /// The next event and its time.
    pub(super) fn pop(&mut self) -> Option<(i64, E)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at_ms, entry.event))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at_ms, self.order) == (other.at_ms, other.order)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.order).cmp(&(other.at_ms, other.order))
    }
}
