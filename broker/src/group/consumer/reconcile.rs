//! One member's step towards its target: what it keeps, gives up, gets.
//!
//! Source: `CurrentAssignmentBuilder`.

use std::collections::{BTreeMap, BTreeSet};

use super::member::{Assignment, Current, MemberState, Owned};
use crate::group::api::Refusal;
use crate::protocol::ErrorCode;
use crate::types::Id;

/// What a step depends on.
pub struct Reconcile<'a> {
    /// Epoch of the target.
    pub target_epoch: i32,
    /// What the member should have.
    pub target: &'a Assignment,
    /// Its subscription has just changed.
    pub subscription_changed: bool,
    /// Topics that it reads, as far as they exist.
    pub topics: &'a BTreeSet<Id>,
    /// Epoch in which a partition is held, or -1.
    pub partition_epoch: &'a dyn Fn(Id, i32) -> i32,
    /// What the member says that it has; `None` if it says nothing.
    pub owned: Option<&'a Assignment>,
}

impl Reconcile<'_> {
    /// The member after the step; the same if there is none to make.
    pub fn step(&self, current: &Current) -> Result<Current, Refusal> {
        Ok(match current.state {
            MemberState::Stable if current.epoch != self.target_epoch => self.next(current, current.epoch),
            MemberState::Stable if self.subscription_changed => self.drop_unsubscribed(current),
            MemberState::Stable => current.clone(),
            MemberState::UnrevokedPartitions if self.still_has(&current.revoking) => {
                if self.subscription_changed {
                    self.drop_unsubscribed(current)
                } else {
                    current.clone()
                }
            }
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => self.next(current, current.epoch),
            MemberState::Unknown if self.owned.is_none_or(|owned| !owned.is_empty()) => {
                return Err(Refusal::new(
                    ErrorCode::FencedMemberEpoch,
                    "The consumer group member is in a unknown state. The member must abandon all its partitions and \
                     rejoin.",
                ));
            }
            MemberState::Unknown => self.next(current, self.target_epoch),
        })
    }

    /// A member that does not say what it has may have all.
    fn still_has(&self, revoking: &Owned) -> bool {
        let Some(owned) = self.owned else { return true };
        let among = |(topic, partitions): (&Id, &BTreeSet<i32>)| {
            let revoking = revoking.get(topic);
            revoking.is_some_and(|revoking| partitions.iter().any(|partition| revoking.contains_key(partition)))
        };
        owned.iter().any(among)
    }

    /// Topics that it no longer reads are taken away at once, without waiting for a new target.
    fn drop_unsubscribed(&self, current: &Current) -> Current {
        let (kept, dropped): (Owned, Owned) =
            current.assigned.clone().into_iter().partition(|(topic, _)| self.topics.contains(topic));
        if dropped.is_empty() {
            return current.clone();
        }
        let mut revoking = current.revoking.clone();
        for (topic, partitions) in dropped {
            revoking.entry(topic).or_default().extend(partitions);
        }
        let next = Current { assigned: kept, ..current.at_epoch(current.epoch) };
        if self.still_has(&revoking) {
            Current { state: MemberState::UnrevokedPartitions, revoking, ..next }
        } else {
            next
        }
    }

    /// Towards the newest target, from `epoch`.
    fn next(&self, current: &Current, epoch: i32) -> Current {
        let (mut assigned, mut revoking, mut new) = (Owned::new(), Owned::new(), Assignment::new());
        let mut unreleased = false;
        let (nothing, none) = (BTreeSet::new(), BTreeMap::new());
        let topics: BTreeSet<Id> = self.target.keys().chain(current.assigned.keys()).copied().collect();
        for topic in topics {
            let target = self.target.get(&topic).filter(|_| self.topics.contains(&topic)).unwrap_or(&nothing);
            let has = current.assigned.get(&topic).unwrap_or(&none);
            let gives_up = current.revoking.get(&topic).unwrap_or(&none);
            let (keeps, loses): (BTreeMap<i32, i32>, BTreeMap<i32, i32>) =
                has.iter().partition(|(partition, _)| target.contains(partition));
            let mut gets = BTreeSet::new();
            for partition in target.iter().filter(|partition| !keeps.contains_key(partition)) {
                // What it gives up itself is free as soon as it has done so.
                if (self.partition_epoch)(topic, *partition) != -1 && !gives_up.contains_key(partition) {
                    unreleased = true;
                } else {
                    gets.insert(*partition);
                }
            }
            put(&mut assigned, topic, keeps);
            put(&mut revoking, topic, loses);
            if !gets.is_empty() {
                new.insert(topic, gets);
            }
        }
        if !revoking.is_empty() && self.still_has(&revoking) {
            let state = MemberState::UnrevokedPartitions;
            return Current { state, assigned, revoking, ..current.at_epoch(epoch) };
        }
        for (topic, partitions) in new {
            let since = partitions.into_iter().map(|partition| (partition, self.target_epoch));
            assigned.entry(topic).or_default().extend(since);
        }
        let state = if unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        Current { epoch: self.target_epoch, previous_epoch: current.epoch, state, assigned, revoking: Owned::new() }
    }
}

fn put(owned: &mut Owned, topic: Id, partitions: BTreeMap<i32, i32>) {
    if !partitions.is_empty() {
        owned.insert(topic, partitions);
    }
}
