//! One member's step towards its target: which tasks it keeps, gives up, gets. A task goes to no member before the one that had it has given
//! it up, and two copies of its state are never opened in one process.
//!
//! Source: `CurrentAssignmentBuilder`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::group::StreamsGroup;
use super::member::{Current, MemberState};
use super::tasks::{Owned, TaskSet, Tasks, TasksSince};
use crate::group::api::Refusal;
use crate::protocol::ErrorCode;

/// What a step depends on.
pub struct Reconcile<'a> {
    /// Who has what now.
    pub group: &'a StreamsGroup,
    /// Process of the member.
    pub process_id: &'a str,
    /// Epoch of the target.
    pub target_epoch: i32,
    /// What the member should have.
    pub target: &'a TaskSet,
    /// What the member says that it has; `None` if it says nothing.
    pub owned: Option<&'a TaskSet>,
}

/// Tasks of one kind: kept, to be given up, to be got; and whether others have not given up some yet.
struct Difference<T> {
    kept: T,
    lost: T,
    gained: Tasks,
    unreleased: bool,
}

impl Reconcile<'_> {
    /// The member after the step; the same if there is none to make.
    pub fn step(&self, current: &Current) -> Result<Current, Refusal> {
        Ok(match current.state {
            MemberState::Stable if current.epoch == self.target_epoch => current.clone(),
            MemberState::UnrevokedTasks if self.still_has(&current.revoking) => current.clone(),
            MemberState::UnrevokedTasks => self.next(current, current.epoch.saturating_add(1)),
            MemberState::Stable | MemberState::UnreleasedTasks => self.next(current, current.epoch),
            MemberState::Unknown if self.owned.is_none_or(|owned| !owned.is_empty()) => {
                return Err(Refusal::new(
                    ErrorCode::FencedMemberEpoch,
                    "The streams group member is in a unknown state. The member must abandon all its tasks and rejoin.",
                ));
            }
            MemberState::Unknown => self.next(current, self.target_epoch),
        })
    }

    /// A member that does not say what it has may have all.
    fn still_has(&self, revoking: &Owned) -> bool {
        self.owned.is_none_or(|owned| owned.contains_any(revoking))
    }

    /// Whether a task may not be active here yet.
    fn is_held(&self, subtopology: &str, partition: i32) -> bool {
        self.group.is_active_anywhere(subtopology, partition)
            || self.group.is_copied_at(subtopology, partition, self.process_id)
    }

    /// Whether this process has a task in any way, so that no copy of it may be here yet.
    fn is_here(&self, subtopology: &str, partition: i32) -> bool {
        self.group.is_active_at(subtopology, partition, self.process_id)
            || self.group.is_copied_at(subtopology, partition, self.process_id)
    }

    /// Towards the newest target, from `epoch`.
    fn next(&self, current: &Current, epoch: i32) -> Current {
        let has = &current.assigned;
        let active = self.active_difference(&has.active);
        let standby = self.difference(&has.standby, &self.target.standby);
        let warmup = self.difference(&has.warmup, &self.target.warmup);
        let mut assigned = Owned { active: active.kept, standby: standby.kept, warmup: warmup.kept };
        let revoking = Owned { active: active.lost, standby: standby.lost, warmup: warmup.lost };
        if !revoking.is_empty() && self.still_has(&revoking) {
            let (state, previous_epoch) = (MemberState::UnrevokedTasks, current.epoch);
            return Current { epoch, previous_epoch, state, assigned, revoking };
        }
        let since = |partitions: BTreeSet<i32>| partitions.into_iter().map(|it| (it, self.target_epoch)).collect();
        let gained: TasksSince = active.gained.into_iter().map(|(id, partitions)| (id, since(partitions))).collect();
        assigned.extend(Owned { active: gained, standby: standby.gained, warmup: warmup.gained });
        let unreleased = active.unreleased || standby.unreleased || warmup.unreleased;
        let state = if unreleased { MemberState::UnreleasedTasks } else { MemberState::Stable };
        let previous_epoch = current.epoch;
        Current { epoch: self.target_epoch, previous_epoch, state, assigned, revoking: Owned::default() }
    }

    fn active_difference(&self, has: &TasksSince) -> Difference<TasksSince> {
        let mut difference =
            Difference { kept: TasksSince::new(), lost: TasksSince::new(), gained: Tasks::new(), unreleased: false };
        let (none, nothing) = (BTreeMap::new(), BTreeSet::new());
        let target = &self.target.active;
        for id in target.keys().chain(has.keys()).collect::<BTreeSet<&Arc<str>>>() {
            let (has, target) = (has.get(id).unwrap_or(&none), target.get(id).unwrap_or(&nothing));
            let (kept, lost): (BTreeMap<i32, i32>, BTreeMap<i32, i32>) =
                has.iter().partition(|(partition, _)| target.contains(partition));
            let wanted: BTreeSet<i32> = target.iter().filter(|it| !kept.contains_key(it)).copied().collect();
            let (held, free): (BTreeSet<i32>, BTreeSet<i32>) =
                wanted.into_iter().partition(|partition| self.is_held(id, *partition));
            difference.unreleased |= !held.is_empty();
            put(&mut difference.kept, id, kept, BTreeMap::is_empty);
            put(&mut difference.lost, id, lost, BTreeMap::is_empty);
            put(&mut difference.gained, id, free, BTreeSet::is_empty);
        }
        difference
    }

    fn difference(&self, has: &Tasks, target: &Tasks) -> Difference<Tasks> {
        let mut difference =
            Difference { kept: Tasks::new(), lost: Tasks::new(), gained: Tasks::new(), unreleased: false };
        let nothing = BTreeSet::new();
        for id in target.keys().chain(has.keys()).collect::<BTreeSet<&Arc<str>>>() {
            let (has, target) = (has.get(id).unwrap_or(&nothing), target.get(id).unwrap_or(&nothing));
            let (kept, lost): (BTreeSet<i32>, BTreeSet<i32>) =
                has.iter().copied().partition(|partition| target.contains(partition));
            let (held, free): (BTreeSet<i32>, BTreeSet<i32>) =
                target.difference(&kept).copied().partition(|partition| self.is_here(id, *partition));
            difference.unreleased |= !held.is_empty();
            put(&mut difference.kept, id, kept, BTreeSet::is_empty);
            put(&mut difference.lost, id, lost, BTreeSet::is_empty);
            put(&mut difference.gained, id, free, BTreeSet::is_empty);
        }
        difference
    }
}

fn put<T>(all: &mut BTreeMap<Arc<str>, T>, id: &Arc<str>, tasks: T, is_empty: impl Fn(&T) -> bool) {
    if !is_empty(&tasks) {
        all.insert(id.clone(), tasks);
    }
}
