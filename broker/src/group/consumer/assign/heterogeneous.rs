//! Members read different topics: first whatever is free goes to the least loaded of its readers, then partitions move from the most to the
//! least loaded until no move helps.
//!
//! Source: `UniformHeterogeneousAssignmentBuilder`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{GroupSpec, Targets};
use crate::types::Id;

/// Rounds over all topics at most.
const MAX_ROUNDS: usize = 16;

struct Builder<'a> {
    spec: &'a GroupSpec,
    ids: Vec<&'a Arc<str>>,
    /// Members that read a topic, by their place in `ids`.
    readers: BTreeMap<Id, Vec<usize>>,
    loads: Vec<usize>,
    owners: BTreeMap<Id, Vec<Option<usize>>>,
}

pub(super) fn assign(spec: &GroupSpec) -> Targets {
    let mut readers: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
    for (index, member) in spec.members.values().enumerate() {
        for topic in member.topics.iter() {
            readers.entry(*topic).or_default().push(index);
        }
    }
    if readers.is_empty() {
        return Targets::new();
    }
    let empty = |topic: &Id| (*topic, vec![None; usize::try_from(spec.partitions(*topic)).unwrap_or(0)]);
    let owners = readers.keys().map(empty).collect();
    let ids: Vec<&Arc<str>> = spec.members.keys().collect();
    let mut builder = Builder { spec, readers, loads: vec![0; ids.len()], ids, owners };
    builder.keep_what_fits();
    builder.give_what_is_free();
    builder.balance();
    builder.targets()
}

impl Builder<'_> {
    fn keep_what_fits(&mut self) {
        for (index, member) in self.spec.members.values().enumerate() {
            for (topic, partitions) in member.target.iter().filter(|(topic, _)| member.topics.contains(topic)) {
                let Some(owners) = self.owners.get_mut(topic) else { continue };
                for partition in partitions {
                    let owner = usize::try_from(*partition).ok().and_then(|partition| owners.get_mut(partition));
                    if let Some(owner @ None) = owner {
                        *owner = Some(index);
                        self.loads[index] += 1;
                    }
                }
            }
        }
    }

    /// Topics with the most partitions for each reader first.
    fn sorted(&self, topics: impl Iterator<Item = Id>) -> Vec<Id> {
        let mut topics: Vec<Id> = topics.collect();
        let size = |topic: &Id| (self.owners[topic].len(), self.readers[topic].len());
        topics.sort_by(|one, other| {
            let ((partitions, readers), (other_partitions, other_readers)) = (size(one), size(other));
            let by_share = (other_partitions * readers).cmp(&(partitions * other_readers));
            by_share.then(readers.cmp(&other_readers)).then_with(|| java_order(*one, *other))
        });
        topics
    }

    fn give_what_is_free(&mut self) {
        let with_free = self.owners.iter().filter(|(_, owners)| owners.contains(&None)).map(|(topic, _)| *topic);
        for topic in self.sorted(with_free) {
            let mut levels = Levels::new(&self.readers[&topic], &self.loads);
            for partition in 0..self.owners[&topic].len() {
                if self.owners[&topic][partition].is_none() {
                    let member = levels.least_loaded(&self.loads);
                    self.give(topic, partition, member);
                }
            }
        }
    }

    fn balance(&mut self) {
        let movable = self.readers.iter().filter(|(_, readers)| readers.len() >= 2).map(|(topic, _)| *topic);
        let topics = self.sorted(movable);
        let mut last_changed = None;
        for _ in 0..MAX_ROUNDS {
            for (index, topic) in topics.iter().enumerate() {
                if last_changed == Some(index) {
                    // A whole round without a change.
                    return;
                }
                if self.balance_topic(*topic) > 0 || last_changed.is_none() {
                    last_changed = Some(index);
                }
            }
        }
    }

    /// Returns how many partitions moved.
    fn balance_topic(&mut self, topic: Id) -> usize {
        let mut levels = Levels::new(&self.readers[&topic], &self.loads);
        if levels.imbalance(&self.loads) <= 1 {
            return 0;
        }
        // What each owner has, to be given away from the end.
        let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in self.owners[&topic].iter().enumerate() {
            if let Some(owner) = owner {
                owned.entry(*owner).or_default().push(partition);
            }
        }
        let mut moved = 0;
        while !levels.is_balanced() {
            let Some(partition) = levels.next_to_give(&self.loads, &mut owned) else { break };
            let member = levels.least_loaded(&self.loads);
            if levels.is_balanced() {
                break;
            }
            self.give(topic, partition, member);
            moved += 1;
        }
        moved
    }

    fn give(&mut self, topic: Id, partition: usize, member: usize) {
        let Some(owner) = self.owners.get_mut(&topic).and_then(|owners| owners.get_mut(partition)) else { return };
        if let Some(before) = owner.replace(member) {
            self.loads[before] -= 1;
        }
        self.loads[member] += 1;
    }

    fn targets(self) -> Targets {
        let mut targets: Targets = self.ids.iter().map(|id| ((*id).clone(), BTreeMap::new())).collect();
        for (topic, owners) in &self.owners {
            for (partition, owner) in (0i32..).zip(owners) {
                let target = owner.and_then(|owner| targets.get_mut(self.ids[owner]));
                if let Some(target) = target {
                    target.entry(*topic).or_insert_with(BTreeSet::new).insert(partition);
                }
            }
        }
        targets
    }
}

/// `Uuid.compareTo`: two signed halves.
fn java_order(one: Id, other: Id) -> Ordering {
    let halves = |id: Id| {
        let bits = i128::from_be_bytes(id.0);
        ((bits >> 64) as i64, bits as i64)
    };
    halves(one).cmp(&halves(other))
}

/// The readers of one topic by load: a range of the least loaded that grows to the right while it is filled, and one of the most loaded that
/// grows to the left while it is emptied.
struct Levels {
    members: Vec<usize>,
    least_end: usize,
    least_load: i64,
    next_least: usize,
    most_start: usize,
    most_end: usize,
    most_load: i64,
    /// One past the next of the most loaded.
    next_most: usize,
}

impl Levels {
    fn new(readers: &[usize], loads: &[usize]) -> Levels {
        let mut members = readers.to_vec();
        members.sort_by_key(|member| (loads[*member], *member));
        let load = |member: Option<&usize>| member.map_or(0, |member| loads[*member] as i64);
        let (least, most) = (load(members.first()), load(members.last()));
        let count = members.len();
        Levels {
            members,
            least_end: 0,
            least_load: least - 1,
            next_least: 0,
            most_start: count,
            most_end: count,
            most_load: most + 1,
            next_most: count,
        }
    }

    fn imbalance(&self, loads: &[usize]) -> usize {
        match (self.members.first(), self.members.last()) {
            (Some(first), Some(last)) => loads[*last] - loads[*first],
            _ => 0,
        }
    }

    fn is_balanced(&self) -> bool {
        self.most_load - self.least_load <= 1
    }

    fn load(&self, index: usize, loads: &[usize]) -> i64 {
        loads[self.members[index]] as i64
    }

    fn least_loaded(&mut self, loads: &[usize]) -> usize {
        if self.next_least >= self.least_end {
            // Each of the range has got one: it is one higher now, and others may be of that height.
            self.least_load += 1;
            while self.least_end < self.members.len() && self.load(self.least_end, loads) == self.least_load {
                self.least_end += 1;
            }
            self.next_least = 0;
        }
        let member = self.members[self.next_least];
        self.next_least += 1;
        member
    }

    /// Place of the next of the most loaded.
    fn most_loaded(&mut self, loads: &[usize]) -> Option<usize> {
        if self.next_most <= self.most_start {
            if self.most_end <= self.most_start && self.most_start > 0 {
                // All of the range have nothing to give.
                self.most_load = self.load(self.most_start - 1, loads);
            } else {
                self.most_load -= 1;
            }
            while self.most_start > 0 && self.load(self.most_start - 1, loads) == self.most_load {
                self.most_start -= 1;
            }
            self.next_most = self.most_end;
        }
        self.next_most = self.next_most.checked_sub(1)?;
        Some(self.next_most)
    }

    /// A partition of the most loaded member that has one of this topic.
    fn next_to_give(&mut self, loads: &[usize], owned: &mut BTreeMap<usize, Vec<usize>>) -> Option<usize> {
        loop {
            let index = self.most_loaded(loads)?;
            if let Some(partition) = owned.get_mut(&self.members[index]).and_then(Vec::pop) {
                return Some(partition);
            }
            // It leaves the range.
            self.most_end -= 1;
            self.members.swap(index, self.most_end);
        }
    }
}
