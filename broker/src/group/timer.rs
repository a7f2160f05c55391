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
    /// A member of a consumer group that must give partitions up, or of a streams group that must give tasks up.
    Revoke {
        /// Group.
        group: Arc<str>,
        /// Member.
        member: Arc<str>,
    },
    /// A classic member of a consumer group that must join again.
    Rejoin {
        /// Group.
        group: Arc<str>,
        /// Member.
        member: Arc<str>,
    },
    /// A classic member of a consumer group that must sync.
    Resync {
        /// Group.
        group: Arc<str>,
        /// Member.
        member: Arc<str>,
    },
    /// A consumer group's regular expressions are to be resolved.
    Regex(Arc<str>),
    /// A streams group waits for more members before its first target is worked out.
    FirstAssignment(Arc<str>),
    /// The join phase of a rebalance.
    Join(Arc<str>),
    /// The sync phase of a rebalance.
    Sync(Arc<str>),
    /// Offsets of a partition are looked through for expired ones.
    Expiry(i32),
    /// `offsets.commit.timeout.ms` of an append.
    Append(i32, AppendToken),
}

impl TimerKey {
    /// Why a member that missed it is thrown out.
    pub(super) fn fenced_because(&self) -> &'static str {
        match self {
            TimerKey::Session { .. } => "its session expired",
            TimerKey::Revoke { .. } => "it did not give up in time what it had to",
            TimerKey::Rejoin { .. } => "it did not join again in time",
            TimerKey::Resync { .. } => "it did not sync in time",
            _ => "its time was over",
        }
    }

    /// Whose deadline it is, if it is one of a member.
    pub(super) fn member(&self) -> Option<(&Arc<str>, &Arc<str>)> {
        match self {
            TimerKey::Session { group, member }
            | TimerKey::Revoke { group, member }
            | TimerKey::Rejoin { group, member }
            | TimerKey::Resync { group, member } => Some((group, member)),
            _ => None,
        }
    }

    /// All that a member of a consumer group may have.
    pub(super) fn of_member(group: &Arc<str>, member: &Arc<str>) -> [TimerKey; 4] {
        let (group, member) = (group.clone(), member.clone());
        [
            TimerKey::Session { group: group.clone(), member: member.clone() },
            TimerKey::Revoke { group: group.clone(), member: member.clone() },
            TimerKey::Rejoin { group: group.clone(), member: member.clone() },
            TimerKey::Resync { group, member },
        ]
    }
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

    /// Whether there is such a deadline.
    pub(super) fn is_set(&self, key: &TimerKey) -> bool {
        self.by_key.contains_key(key)
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
