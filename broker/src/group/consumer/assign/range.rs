//! Source: `RangeAssignor`. Members with the same topics get the same partition numbers of each, so that topics can be joined.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{GroupSpec, MemberSpec, Targets};
use crate::types::Id;

/// What is left of a topic.
struct Left {
    next: i32,
    partitions: i32,
    quota: i32,
    extra: i32,
}

pub(super) fn assign(spec: &GroupSpec) -> Targets {
    let mut members: Vec<(&Arc<str>, &MemberSpec)> = spec.members.iter().collect();
    // Static members first, by the name that outlives them.
    members.sort_by_key(|(id, member)| match &member.instance_id {
        Some(instance_id) => (0, instance_id.as_str()),
        None => (1, &***id),
    });
    let mut readers: BTreeMap<Id, i32> = BTreeMap::new();
    for topic in members.iter().flat_map(|(_, member)| member.topics.iter()) {
        *readers.entry(*topic).or_default() += 1;
    }
    let left = |(topic, readers): (Id, i32)| {
        let partitions = spec.partitions(topic);
        (topic, Left { next: 0, partitions, quota: partitions / readers, extra: partitions % readers })
    };
    let mut left: BTreeMap<Id, Left> = readers.into_iter().map(left).collect();
    let mut targets = Targets::new();
    for (id, member) in members {
        let target = targets.entry(id.clone()).or_default();
        for topic in member.topics.iter() {
            let Some(left) = left.get_mut(topic) else { continue };
            let quota = left.quota + i32::from(left.extra > 0);
            left.extra -= i32::from(left.extra > 0);
            let end = (left.next + quota).min(left.partitions);
            if left.next < end {
                target.insert(*topic, (left.next..end).collect());
            }
            left.next = end;
        }
    }
    targets
}
