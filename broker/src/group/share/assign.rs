//! The simple assignor: every partition to as many members as there are for it, so that no member idles while there are partitions. Pure.
//!
//! Where all members read the same topics all partitions are dealt out together; else topic by topic, each among those who read it.
//!
//! Source: `SimpleAssignor`, `SimpleHomogeneousAssignmentBuilder`, `SimpleHeterogeneousAssignmentBuilder`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::group::consumer::Assignment;
use crate::group::coordinator::java_bucket;
use crate::types::Id;

/// A member as the assignor sees it.
#[derive(Clone, Debug, Default)]
pub struct MemberSpec {
    /// Topics that it reads; all of them exist.
    pub topics: Arc<BTreeSet<Id>>,
    /// What it should have had so far.
    pub target: Arc<Assignment>,
}

/// One partition.
type Partition = (Id, i32);

/// Works out the targets. `assignable` are the partitions that have a share state.
pub fn assign(members: &BTreeMap<Arc<str>, MemberSpec>, assignable: &Assignment) -> BTreeMap<Arc<str>, Assignment> {
    let mut targets: BTreeMap<Arc<str>, Assignment> =
        members.keys().map(|id| (id.clone(), Assignment::new())).collect();
    let topics: BTreeSet<Id> = members.values().flat_map(|member| member.topics.iter().copied()).collect();
    let is_homogeneous = members.values().all(|member| *member.topics == topics);
    let dealt: Vec<Vec<Id>> = match is_homogeneous {
        true => vec![topics.into_iter().collect()],
        false => topics.into_iter().map(|topic| vec![topic]).collect(),
    };
    for topics in dealt {
        let partitions: BTreeSet<Partition> = topics
            .iter()
            .flat_map(|topic| assignable.get(topic).into_iter().flatten().map(|partition| (*topic, *partition)))
            .collect();
        let mut readers: Vec<(&Arc<str>, &MemberSpec)> =
            members.iter().filter(|(_, member)| topics.iter().all(|topic| member.topics.contains(topic))).collect();
        // Who is first of a few gets what is left over: as in Java's hash map.
        readers.sort_by_key(|(id, _)| (java_bucket(id), *id));
        let before: Vec<BTreeSet<Partition>> = readers
            .iter()
            .map(|(_, member)| partitions.iter().copied().filter(|partition| has(&member.target, *partition)).collect())
            .collect();
        for ((id, _), dealt) in readers.into_iter().zip(deal(&partitions, before)) {
            let target = targets.entry(id.clone()).or_default();
            for (topic, partition) in dealt {
                target.entry(topic).or_default().insert(partition);
            }
        }
    }
    targets
}

fn has(target: &Assignment, (topic, partition): Partition) -> bool {
    target.get(&topic).is_some_and(|partitions| partitions.contains(&partition))
}

/// Deals partitions out: each member keeps what it has as far as nobody has too many and no partition too many members, and then each
/// partition gets the members that it lacks.
fn deal(partitions: &BTreeSet<Partition>, mut held: Vec<BTreeSet<Partition>>) -> Vec<BTreeSet<Partition>> {
    let members = held.len();
    if partitions.is_empty() || members == 0 {
        return held;
    }
    let sharing = members.div_ceil(partitions.len());
    let total = sharing * partitions.len();
    let up_to = |member: usize| (total * member).div_ceil(members);
    let desired: Vec<usize> = (0..members).map(|member| up_to(member + 1) - up_to(member)).collect();
    for (held, desired) in held.iter_mut().zip(&desired) {
        while held.len() > *desired {
            held.pop_first();
        }
    }
    let mut shared: BTreeMap<Partition, BTreeSet<usize>> =
        partitions.iter().map(|partition| (*partition, BTreeSet::new())).collect();
    for (member, held) in held.iter().enumerate() {
        for partition in held {
            shared.entry(*partition).or_default().insert(member);
        }
    }
    for (partition, holders) in &mut shared {
        while holders.len() > sharing
            && let Some(member) = holders.pop_first()
        {
            held[member].remove(partition);
        }
    }
    // Round and round among those who have too few. Kafka may pass a partition over when those it looks at have the one before already; each
    // partition is offered to all of them here, so that none stays with nobody.
    let mut unfilled: Vec<usize> = (0..members).filter(|member| held[*member].len() < desired[*member]).collect();
    let mut next = 0;
    for (partition, holders) in shared {
        let (mut lacks, mut looked_at) = (sharing.saturating_sub(holders.len()), 0);
        let mut holders = holders;
        while lacks > 0 && looked_at < unfilled.len() {
            next %= unfilled.len();
            let member = unfilled[next];
            if !holders.insert(member) {
                (next, looked_at) = (next + 1, looked_at + 1);
                continue;
            }
            held[member].insert(partition);
            (lacks, looked_at) = (lacks - 1, 0);
            if held[member].len() >= desired[member] {
                unfilled.remove(next);
            } else {
                next += 1;
            }
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> Id {
        Id([number; 16])
    }

    fn spec(topics: &[u8], target: &Assignment) -> MemberSpec {
        let topics = topics.iter().map(|topic| id(*topic)).collect();
        MemberSpec { topics: Arc::new(topics), target: Arc::new(target.clone()) }
    }

    fn all(sizes: &[(u8, i32)]) -> Assignment {
        sizes.iter().map(|(topic, count)| (id(*topic), (0..*count).collect())).collect()
    }

    fn counts(targets: &BTreeMap<Arc<str>, Assignment>) -> Vec<usize> {
        targets.values().map(|target| target.values().map(BTreeSet::len).sum()).collect()
    }

    #[test]
    fn partitions_are_divided_where_there_are_enough_and_shared_where_there_are_not() {
        let none = Assignment::new();
        let group = |count: usize| -> BTreeMap<Arc<str>, MemberSpec> {
            (0..count).map(|index| (format!("m{index}").into(), spec(&[1], &none))).collect()
        };
        for (members, partitions, expected) in [
            (1, 4, vec![4]),
            (2, 4, vec![2, 2]),
            (3, 4, vec![2, 1, 1]),
            (4, 4, vec![1, 1, 1, 1]),
            // One partition to two members, and so each: eight shares for five members.
            (5, 4, vec![2, 2, 2, 1, 1]),
            (3, 1, vec![1, 1, 1]),
            (2, 0, vec![0, 0]),
        ] {
            let mut found = counts(&assign(&group(members), &all(&[(1, partitions)])));
            found.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(found, expected, "{members} members of {partitions} partitions");
        }
    }

    #[test]
    fn who_reads_what_nobody_else_reads_gets_all_of_it() {
        let none = Assignment::new();
        let members: BTreeMap<Arc<str>, MemberSpec> =
            [("a".into(), spec(&[1], &none)), ("b".into(), spec(&[1, 2], &none)), ("c".into(), spec(&[3], &none))]
                .into();
        let targets = assign(&members, &all(&[(1, 4), (2, 3)]));
        assert_eq!(counts(&targets), [2, 5, 0]);
        assert_eq!(targets["b"][&id(2)], (0..3).collect());
    }

    #[test]
    fn what_has_no_state_is_nobodys() {
        let before = all(&[(1, 4)]);
        let members: BTreeMap<Arc<str>, MemberSpec> = [("a".into(), spec(&[1], &before))].into();
        let assignable: Assignment = [(id(1), [0, 2].into())].into();
        assert_eq!(assign(&members, &assignable)["a"], assignable);
        assert_eq!(assign(&members, &Assignment::new())["a"], Assignment::new());
    }

    proptest! {
        /// From one assignment to the next, whatever members come and go and topics grow.
        #[test]
        fn every_partition_has_a_member_and_shares_are_even(
            steps in proptest::collection::vec(
                (proptest::collection::btree_map(0usize..9, proptest::collection::btree_set(1u8..4, 1..4), 1..9), 0i32..9, 0i32..4),
                1..6,
            ),
        ) {
            let mut targets: BTreeMap<Arc<str>, Assignment> = BTreeMap::new();
            for (group, first, second) in steps {
                let assignable = all(&[(1, first), (2, second), (3, 2)]);
                let none = Assignment::new();
                let members: BTreeMap<Arc<str>, MemberSpec> = group
                    .iter()
                    .map(|(index, topics)| {
                        let name: Arc<str> = format!("member-{index}").into();
                        let topics: Vec<u8> = topics.iter().copied().collect();
                        let spec = spec(&topics, targets.get(&name).unwrap_or(&none));
                        (name, spec)
                    })
                    .collect();
                targets = assign(&members, &assignable);
                prop_assert_eq!(targets.len(), members.len());
                for (topic, partitions) in &assignable {
                    let readers = members.values().filter(|member| member.topics.contains(topic)).count();
                    for partition in partitions {
                        let holders = targets.values().filter(|target| has(target, (*topic, *partition))).count();
                        prop_assert!((holders > 0) == (readers > 0), "{} holders of {} readers", holders, readers);
                    }
                }
                for (name, target) in &targets {
                    for (topic, partitions) in target {
                        prop_assert!(members[name].topics.contains(topic));
                        prop_assert!(partitions.is_subset(&assignable[topic]));
                    }
                }
                let is_homogeneous = group.values().all(|topics| Some(topics) == group.values().next());
                if is_homogeneous {
                    let counts = counts(&targets);
                    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                    prop_assert!(most - least <= 1 || *least > 0, "{counts:?}");
                    prop_assert!(most - least <= 2, "{:?}", counts);
                }
                // Nothing moves where nothing changes.
                let again: BTreeMap<Arc<str>, MemberSpec> = members
                    .iter()
                    .map(|(name, member)| {
                        (name.clone(), MemberSpec { target: Arc::new(targets[name].clone()), ..member.clone() })
                    })
                    .collect();
                prop_assert_eq!(&assign(&again, &assignable), &targets);
            }
        }
    }
}
