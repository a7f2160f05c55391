//! How a change of a group whose assignment the broker works out is written: the group is at once as the records make it, and again as it
//! was if they cannot be written. Whoever asked is answered when they are committed.
//!
//! Source: `CoordinatorRuntime`'s write operations.

use std::sync::Arc;
use std::time::Duration;

use super::api::{OffsetsRecord, Refusal};
use super::coordinator::{Shard, Shared, Step, ms};
use super::kind::{Group, Recorded};
use super::pending::{Deferred, Then};
use super::timer::TimerKey;
use crate::protocol::ErrorCode;
use crate::types::Now;

/// How long topics may go unlooked at where nothing tells of a change.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// When the topics are to be looked at again; void once the group is in an earlier epoch than it was set in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Refresh {
    /// When.
    pub at: Duration,
    /// Group epoch in which it was set.
    pub epoch: i32,
}

impl Refresh {
    /// Whether that is now, for a group in this epoch.
    pub fn is_due(self, now: Now, epoch: i32) -> bool {
        now.mono >= self.at || epoch < self.epoch
    }
}

/// How a group stands, as the window is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    /// Group epoch.
    pub epoch: i32,
    /// Epoch of the target assignment.
    pub target_epoch: i32,
    /// State, as Kafka names it.
    pub state: &'static str,
    /// How many members it has.
    pub members: usize,
}

/// One call's hands: a partition of `__consumer_offsets`, and what all share.
pub(super) struct Work<'a> {
    pub shared: &'a mut Shared,
    pub shard: &'a mut Shard,
    pub partition: i32,
    pub now: Now,
}

/// What a request does to a group.
pub(super) struct Change<G: Recorded> {
    /// The group before, if it is not the one that is there.
    pub base: Option<G>,
    /// Records of the group that was there before, to be written first.
    pub first: Vec<OffsetsRecord>,
    /// Records of this one.
    pub records: Vec<G::Record>,
    /// Its topics have been looked at.
    pub refreshed: bool,
    /// A member asked for it.
    pub is_heartbeat: bool,
}

impl<G: Recorded> Change<G> {
    /// No more than records of the group that is there.
    pub fn of(records: Vec<G::Record>) -> Change<G> {
        Change { base: None, first: Vec::new(), records, refreshed: false, is_heartbeat: false }
    }
}

impl Work<'_> {
    /// What a step of the rest of the coordinator needs.
    pub fn step(&mut self) -> Step<'_> {
        Step { shared: self.shared, log: &mut self.shard.log, partition: self.partition, now: self.now }
    }

    /// A group, if it is one of this kind.
    pub fn find<G: Recorded>(&self, id: &str) -> Option<&G> {
        self.shard.groups.get(id).and_then(G::of)
    }

    /// Writes a change of a group.
    pub fn commit<G: Recorded>(
        &mut self,
        id: &Arc<str>,
        change: Change<G>,
        deferred: Option<Deferred>,
    ) -> Result<(), Refusal> {
        let at = self.now.mono + REFRESH_INTERVAL;
        if change.records.is_empty() && change.base.is_none() && change.first.is_empty() {
            if change.refreshed
                && let Some(group) = self.shard.groups.get_mut(id).and_then(G::of_mut)
            {
                let epoch = group.standing().epoch;
                *group.refresh_mut() = Refresh { at, epoch };
            }
            self.defer(deferred);
            return Ok(());
        }
        let mut records = change.first;
        records.append(&mut encode::<G>(id, &change.records)?);
        let mut group = match change.base {
            Some(base) => base,
            None => self.find::<G>(id).cloned().unwrap_or_else(|| G::new(id.clone())),
        };
        let before = group.standing();
        change.records.iter().for_each(|record| group.replay(record));
        let after = group.standing();
        if change.refreshed {
            *group.refresh_mut() = Refresh { at, epoch: after.epoch };
        }
        self.note_epochs(id, before, after);
        if (after.epoch, after.state) != (before.epoch, before.state) {
            self.tell(id, after);
        }
        let group: Group = group.into();
        // Kafka does not count the epochs that begin since a member was fenced or left.
        if after.epoch > before.epoch && (change.refreshed || change.is_heartbeat || before.epoch == 0) {
            self.shared.metrics.rebalanced(&group);
        }
        self.store(id, records, group, deferred);
        Ok(())
    }

    /// Puts a group in its place, and writes what makes it so.
    pub fn store(&mut self, id: &Arc<str>, records: Vec<OffsetsRecord>, group: Group, deferred: Option<Deferred>) {
        let before = self.shard.groups.insert(id.clone(), group).map(Box::new);
        self.shared.group_count += usize::from(before.is_none());
        let then = Then::Replaced { group: id.clone(), before };
        let mut step = self.step();
        step.touch(id);
        step.append(records, Vec::new(), Some(then));
        self.defer(deferred);
    }

    /// Answers when all that is on its way is committed.
    pub fn defer(&mut self, deferred: Option<Deferred>) {
        if let Some(deferred) = deferred {
            self.step().defer(deferred);
        }
    }

    /// Tells the window.
    pub fn tell(&mut self, id: &str, standing: Standing) {
        let reason = format!("{} members, target of epoch {}", standing.members, standing.target_epoch);
        self.shared.tell_state(id, standing.epoch, standing.state, reason);
    }

    /// Sets a deadline `delay_ms` from now.
    pub fn schedule(&mut self, key: TimerKey, delay_ms: i32) {
        self.shared.timers.schedule(key, self.now.mono + ms(delay_ms));
    }

    /// No deadline is left of a member that goes.
    pub fn cancel_timers(&mut self, group: &Arc<str>, member: &Arc<str>) {
        for key in TimerKey::of_member(group, member) {
            self.shared.timers.cancel(&key);
        }
    }
}

/// A group's records as they are written.
pub(super) fn encode<G: Recorded>(id: &str, records: &[G::Record]) -> Result<Vec<OffsetsRecord>, Refusal> {
    let encoded: Result<Vec<OffsetsRecord>, _> = records.iter().map(|record| G::encode(id, record)).collect();
    encoded.map_err(|_| Refusal::from(ErrorCode::UnknownServerError))
}
