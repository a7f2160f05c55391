//! All members read the same topics.
//!
//! Source: `UniformHomogeneousAssignmentBuilder`.

use std::collections::HashSet;
use std::sync::Arc;

use super::{GroupSpec, Targets};
use crate::group::consumer::member::Assignment;
use crate::types::Id;

pub(super) fn assign(spec: &GroupSpec) -> Targets {
    let Some(topics) = spec.members.values().next().map(|member| member.topics.clone()) else { return Targets::new() };
    if topics.is_empty() {
        return Targets::new();
    }
    let targets = spec.members.values().flat_map(|member| member.target.iter());
    let assigned: HashSet<(Id, i32)> =
        targets.flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition))).collect();
    let mut free: Vec<(Id, i32)> = Vec::new();
    let mut total = 0usize;
    for topic in topics.iter() {
        let partitions = 0..spec.partitions(*topic);
        total += partitions.len();
        free.extend(partitions.map(|index| (*topic, index)).filter(|partition| !assigned.contains(partition)));
    }
    let count = spec.members.len();
    let (quota, mut extra) = (total / count, total % count);

    // What does not fit the quota is taken away.
    let (mut targets, mut unfilled): (Targets, Vec<(Arc<str>, usize)>) = (Targets::new(), Vec::new());
    for (index, (id, member)) in spec.members.iter().enumerate() {
        let mut takes_extra = extra > 0;
        let mut room = quota + usize::from(takes_extra);
        let mut target = Assignment::new();
        for (topic, partitions) in member.target.iter().filter(|(topic, _)| topics.contains(topic)) {
            for partition in partitions {
                if room > 0 {
                    room -= 1;
                    target.entry(*topic).or_default().insert(*partition);
                } else {
                    free.push((*topic, *partition));
                }
            }
        }
        // The extra one is for a member that has it already, as long as enough members come to take it.
        if room > 0 && takes_extra && count - index > extra {
            room -= 1;
            takes_extra = false;
        }
        if room > 0 {
            unfilled.push((id.clone(), room));
        }
        extra -= usize::from(takes_extra);
        targets.insert(id.clone(), target);
    }

    let mut free = free.into_iter();
    for (id, room) in unfilled {
        let Some(target) = targets.get_mut(&id) else { continue };
        for (topic, partition) in free.by_ref().take(room) {
            target.entry(topic).or_default().insert(partition);
        }
    }
    targets
}
