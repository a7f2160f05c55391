//! Deadlines by name: setting one again moves it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::api::AppendToken;

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerKey {
    /// A member's session.
    Session {
        /// Group.
        group: Arc<str>,
        /// Member.
        member: Arc<str>,
    },
    /// The join phase of a rebalance.
    Join(Arc<str>),
    /// The sync phase of a rebalance.
    Sync(Arc<str>),
    /// Offsets of a partition are looked through for expired ones.
    Expiry(i32),
    /// `offsets.commit.timeout.ms` of an append.
    Append(i32, AppendToken),
}

/// All deadlines of one coordinator.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_key: BTreeMap<TimerKey, Duration>,
    by_time: BTreeSet<(Duration, TimerKey)>,
}

impl Timers {
    /// Sets or moves a deadline.
    pub(super) fn schedule(&mut self, key: TimerKey, at: Duration) {
        if let Some(before) = self.by_key.insert(key.clone(), at) {
            self.by_time.remove(&(before, key.clone()));
        }
        self.by_time.insert((at, key));
    }

    /// Sets a deadline unless there is an earlier one.
    pub(super) fn schedule_earlier(&mut self, key: TimerKey, at: Duration) {
        if self.by_key.get(&key).is_none_or(|before| *before > at) {
            self.schedule(key, at);
        }
    }

    /// Forgets a deadline.
    pub(super) fn cancel(&mut self, key: &TimerKey) {
        if let Some(before) = self.by_key.remove(key) {
            self.by_time.remove(&(before, key.clone()));
        }
    }

    /// The next one.
    pub(super) fn next(&self) -> Option<Duration> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline that has passed.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<TimerKey> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}
