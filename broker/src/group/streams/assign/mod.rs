//! Who should run which task: Kafka's sticky assignor. Pure.
//!
//! Active tasks go to who had them, or followed them as a standby, while that is no more than its share; the others go to the process with
//! the least load per thread. Standbys are placed likewise, none in a process that has the task already.
//!
//! Source: `org.apache.kafka.coordinator.group.streams.assignor.StickyTaskAssignor`. Where that takes any of several equals, this takes the
//! first by id.

mod process;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::tasks::{TaskSet, Tasks};
use process::{Load, Process};

/// A member as the assignor sees it.
#[derive(Clone, Debug, Default)]
pub struct MemberSpec {
    /// The instance of the application that it is a thread of.
    pub process_id: Arc<str>,
    /// What it should have had so far.
    pub target: Arc<TaskSet>,
}

/// A group as the assignor sees it.
#[derive(Clone, Debug, Default)]
pub struct GroupSpec {
    /// Its members.
    pub members: BTreeMap<Arc<str>, MemberSpec>,
    /// Tasks of each subtopology, and whether it keeps state.
    pub parts: BTreeMap<Arc<str>, (i32, bool)>,
    /// `num.standby.replicas`
    pub standby_replicas: usize,
}

/// A task: subtopology and partition.
type Task = (Arc<str>, i32);

/// A member, by its process and its own id.
type Place = (Arc<str>, Arc<str>);

/// What comes of it: each member's tasks.
pub fn assign(spec: &GroupSpec) -> BTreeMap<Arc<str>, TaskSet> {
    let mut assigning = Assigning::new(spec);
    if !spec.members.is_empty() {
        assigning.place_active();
        assigning.place_standbys();
    }
    let mut targets: BTreeMap<Arc<str>, TaskSet> =
        spec.members.keys().map(|id| (id.clone(), TaskSet::default())).collect();
    for process in assigning.processes.into_values() {
        for (id, member) in process.members {
            let target = targets.entry(id).or_default();
            (target.active, target.standby) = (grouped(member.active), grouped(member.standby));
        }
    }
    targets
}

fn grouped(tasks: BTreeSet<Task>) -> Tasks {
    let mut grouped = Tasks::new();
    for (part, partition) in tasks {
        grouped.entry(part).or_default().insert(partition);
    }
    grouped
}

/// How many tasks a member may have for all to have their share: those that have reached it no longer count.
struct Quota {
    tasks: usize,
    members: usize,
    each: usize,
}

impl Quota {
    fn new(tasks: usize, members: usize) -> Quota {
        Quota { tasks, members, each: tasks.div_ceil(members.max(1)) }
    }

    /// A member has so many tasks now.
    fn reached(&mut self, tasks: usize) {
        if tasks == self.each {
            self.members = self.members.saturating_sub(1);
            self.tasks = self.tasks.saturating_sub(tasks);
            self.each = if self.members == 0 { 0 } else { self.tasks.div_ceil(self.members) };
        }
    }
}

struct Assigning<'a> {
    spec: &'a GroupSpec,
    processes: BTreeMap<Arc<str>, Process>,
    by_load: BTreeSet<(Load, Arc<str>)>,
    active_quota: Quota,
    quota: Quota,
    had_active: BTreeMap<Task, Place>,
    had_standby: BTreeMap<Task, Vec<Place>>,
}

impl<'a> Assigning<'a> {
    fn new(spec: &'a GroupSpec) -> Assigning<'a> {
        let (mut active, mut all) = (0, 0);
        for (tasks, is_stateful) in spec.parts.values() {
            let tasks = usize::try_from(*tasks).unwrap_or(0);
            active += tasks;
            all += tasks * if *is_stateful { 1 + spec.standby_replicas } else { 1 };
        }
        let mut assigning = Assigning {
            spec,
            processes: BTreeMap::new(),
            by_load: BTreeSet::new(),
            active_quota: Quota::new(active, spec.members.len()),
            quota: Quota::new(all, spec.members.len()),
            had_active: BTreeMap::new(),
            had_standby: BTreeMap::new(),
        };
        for (id, member) in &spec.members {
            let place = (member.process_id.clone(), id.clone());
            assigning.processes.entry(member.process_id.clone()).or_default().add_member(id);
            let each = |tasks: &Tasks| -> Vec<Task> {
                tasks.iter().flat_map(|(part, tasks)| tasks.iter().map(|task| (part.clone(), *task))).collect()
            };
            for task in each(&member.target.active) {
                assigning.had_active.insert(task, place.clone());
            }
            for task in each(&member.target.standby) {
                assigning.had_standby.entry(task).or_default().push(place.clone());
            }
        }
        for (id, process) in &assigning.processes {
            assigning.by_load.insert((process.load(), id.clone()));
        }
        assigning
    }

    /// By partition, then by subtopology: partitions of the same number stay together.
    fn tasks(&self, stateful_only: bool) -> Vec<Task> {
        let parts = self.spec.parts.iter().filter(|(_, (_, is_stateful))| *is_stateful || !stateful_only);
        let mut tasks: Vec<Task> =
            parts.flat_map(|(id, (tasks, _))| (0..*tasks).map(move |task| (id.clone(), task))).collect();
        tasks.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
        tasks
    }

    /// Gives a task to a member, or to the least loaded one of a process. Returns how many the member has then.
    fn give(&mut self, process_id: &Arc<str>, member: Option<&Arc<str>>, task: Task, is_active: bool) -> usize {
        let Some(process) = self.processes.get_mut(process_id) else { return 0 };
        let before = process.load();
        let has = process.give(member, task, is_active);
        self.by_load.remove(&(before, process_id.clone()));
        self.by_load.insert((process.load(), process_id.clone()));
        self.quota.reached(has);
        has
    }

    fn give_active(&mut self, process_id: &Arc<str>, member: Option<&Arc<str>>, task: Task) {
        let has = self.give(process_id, member, task, true);
        self.active_quota.reached(has);
    }

    fn has_room(&self, place: &Place, quota: usize) -> bool {
        self.processes.get(&place.0).is_some_and(|process| process.tasks_of(&place.1) < quota)
    }

    fn place_active(&mut self) {
        let mut left = Vec::new();
        // Who had it,
        for task in self.tasks(false) {
            match self.had_active.get(&task).cloned() {
                Some(place) if self.has_room(&place, self.active_quota.each) => {
                    self.give_active(&place.0, Some(&place.1), task);
                }
                _ => left.push(task),
            }
        }
        // who followed it,
        let mut rest = Vec::new();
        for task in left {
            match self.least_loaded(&task, false) {
                Some(place) if self.has_room(&place, self.active_quota.each) => {
                    self.give_active(&place.0, Some(&place.1), task);
                }
                _ => rest.push(task),
            }
        }
        // and who has least to do.
        rest.sort();
        for task in rest {
            if let Some((_, process)) = self.by_load.first().cloned() {
                self.give_active(&process, None, task);
            }
        }
    }

    /// Of those that were its standbys the one with the least load. For a standby none whose process has the task already.
    fn least_loaded(&self, task: &Task, for_standby: bool) -> Option<Place> {
        let places = self.had_standby.get(task)?;
        let process = |place: &Place| self.processes.get(&place.0);
        let is_taken = |place: &Place| for_standby && process(place).is_none_or(|process| process.has(task));
        let mut best = places.first()?;
        let first_is_taken = is_taken(best);
        let (mut load, mut tasks) = (process(best)?.load(), process(best)?.tasks_of(&best.1));
        for place in &places[1..] {
            let Some(candidate) = process(place) else { continue };
            if candidate.load() < load && !is_taken(place) && candidate.tasks_of(&place.1) < tasks {
                (best, load, tasks) = (place, candidate.load(), candidate.tasks_of(&place.1));
            }
        }
        // Kafka looks at the first one's process only, and so may leave a standby to chance.
        Some(best.clone()).filter(|_| !first_is_taken)
    }

    fn place_standbys(&mut self) {
        let replicas = self.spec.standby_replicas;
        if replicas == 0 {
            return;
        }
        let mut left: Vec<(Task, usize)> = Vec::new();
        let mut tasks = self.tasks(true);
        tasks.reverse();
        for task in tasks {
            for placed in 0..replicas {
                let Some(place) = self.standby_place(&task) else {
                    left.push((task, replicas - placed));
                    break;
                };
                self.give(&place.0, Some(&place.1), task.clone(), false);
            }
        }
        left.sort_by(|one, other| other.0.cmp(&one.0));
        for (task, replicas) in left {
            for _ in 0..replicas {
                let free =
                    |(_, id): &&(Load, Arc<str>)| self.processes.get(id).is_some_and(|process| !process.has(&task));
                // Fewer processes than copies: the rest is not placed.
                let Some((_, process)) = self.by_load.iter().find(free).cloned() else { break };
                self.give(&process, None, task.clone(), false);
            }
        }
    }

    /// Who ran the task, or followed it, and may have a standby of it.
    fn standby_place(&self, task: &Task) -> Option<Place> {
        let may = |place: &Place| {
            self.has_room(place, self.quota.each)
                && self.processes.get(&place.0).is_some_and(|process| !process.has(task))
        };
        let ran = self.had_active.get(task).filter(|place| may(place)).cloned();
        ran.or_else(|| self.least_loaded(task, true).filter(|place| may(place)))
    }
}
