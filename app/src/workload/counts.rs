//! What a workload has done so far, counted by its threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::latency::Window;

/// What went wrong longer ago than this is over.
const TROUBLE_LASTS: Duration = Duration::from_secs(10);

/// Counters of one workload. They only grow.
#[derive(Debug, Default)]
pub struct Counts {
    /// Records handed to the client library.
    pub sent: Count,
    /// Acknowledged by the cluster; of a transaction, once that is committed.
    pub acked: Count,
    /// Neither acknowledged nor certainly failed.
    pub unknown: Count,
    /// Refused for certain.
    pub failed: Count,
    /// Acknowledged in transactions that were aborted.
    pub aborted: Count,
    /// Transactions that were committed.
    pub committed_transactions: Count,
    /// Transactions that were aborted.
    pub aborted_transactions: Count,
    /// Attempts of producers that had been frozen, refused because another had taken their place.
    pub fenced: Count,
    /// Read.
    pub read: Count,
    /// Clients that were made anew to follow a change.
    pub restarts: Count,
    acks: Mutex<Acks>,
    end_to_end: Mutex<Window>,
    error: Mutex<Option<String>>,
    trouble: Mutex<Option<(Instant, String)>>,
}

/// What is known of acknowledged records.
#[derive(Debug, Default)]
pub struct Acks {
    /// How long they took.
    pub window: Window,
    /// Behind the highest offset, by partition.
    pub ends: BTreeMap<i32, i64>,
}

/// A counter.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// How many; it begins at nothing again.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counts {
    /// A record was acknowledged at this offset.
    pub fn acknowledge(&self, partition: i32, offset: i64, took: Duration) {
        let mut acks = lock(&self.acks);
        acks.window.record(took);
        let end = acks.ends.entry(partition).or_default();
        *end = (*end).max(offset + 1);
    }

    /// What is known of acknowledged records.
    pub fn acks(&self) -> MutexGuard<'_, Acks> {
        lock(&self.acks)
    }

    /// How long records took from end to end.
    pub fn end_to_end(&self) -> MutexGuard<'_, Window> {
        lock(&self.end_to_end)
    }

    /// Why the workload cannot go on.
    pub fn fail(&self, why: String) {
        lock(&self.error).get_or_insert(why);
    }

    /// Something went wrong that may pass; told until a while after.
    pub fn trouble(&self, what: String) {
        *lock(&self.trouble) = Some((Instant::now(), what));
    }

    /// What went wrong last and may pass, if that was not long before `now`.
    pub fn recent_trouble(&self, now: Instant) -> Option<String> {
        let trouble = lock(&self.trouble);
        let (_, what) = trouble.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < TROUBLE_LASTS)?;
        Some(what.clone())
    }

    /// It is tried anew.
    pub fn forgive(&self) {
        *lock(&self.error) = None;
    }

    /// Why it cannot go on, if so.
    pub fn error(&self) -> Option<String> {
        lock(&self.error).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_for_a_while_and_an_error_until_it_is_tried_anew() {
        let counts = Counts::default();
        assert_eq!(counts.recent_trouble(Instant::now()), None);
        counts.trouble("one".into());
        counts.trouble("two".into());
        assert_eq!(counts.recent_trouble(Instant::now()).as_deref(), Some("two"));
        assert_eq!(counts.recent_trouble(Instant::now() + TROUBLE_LASTS), None);
        counts.fail("first".into());
        counts.fail("second".into());
        assert_eq!(counts.error().as_deref(), Some("first"));
        counts.forgive();
        assert_eq!(counts.error(), None);
    }
}
