//! What any assignor owes its group, on random groups; and Kafka's own cases of the ranges.

use proptest::prelude::*;

use super::*;

fn topic(number: u8) -> Id {
    Id([number + 1; 16])
}

/// A group of members that read these topics each, with so many partitions of each topic.
fn spec(members: &[(&str, &[u8])], partitions: &[i32]) -> GroupSpec {
    let mut spec = GroupSpec { is_homogeneous: true, ..GroupSpec::default() };
    for (number, count) in (0u8..).zip(partitions) {
        spec.topics.insert(topic(number), *count);
    }
    for (id, topics) in members {
        let topics = Arc::new(topics.iter().map(|number| topic(*number)).collect::<BTreeSet<Id>>());
        spec.members.insert((*id).into(), MemberSpec { topics, ..MemberSpec::default() });
    }
    spec.is_homogeneous = is_homogeneous(&spec);
    spec
}

fn is_homogeneous(spec: &GroupSpec) -> bool {
    let mut topics = spec.members.values().map(|member| &member.topics);
    let first = topics.next();
    topics.all(|topics| Some(topics) == first)
}

fn load(target: &Assignment) -> usize {
    target.values().map(BTreeSet::len).sum()
}

/// Every partition that anybody reads is exactly one member's, and one that reads it.
fn check_complete(spec: &GroupSpec, targets: &Targets) {
    let mut owners: BTreeMap<(Id, i32), &str> = BTreeMap::new();
    for (id, target) in targets {
        for (topic, partitions) in target {
            assert!(spec.members[id].topics.contains(topic), "{id} does not read {topic}");
            assert!(!partitions.is_empty(), "{id} has a topic without partitions");
            for partition in partitions {
                let before = owners.insert((*topic, *partition), id);
                assert_eq!(before, None, "{topic}-{partition} is {id}'s too");
            }
        }
    }
    let read: BTreeSet<Id> = spec.members.values().flat_map(|member| member.topics.iter().copied()).collect();
    let expected: usize = read.iter().map(|topic| spec.partitions(*topic) as usize).sum();
    assert_eq!(owners.len(), expected);
}

/// No move of one partition makes it more even.
fn check_balanced(spec: &GroupSpec, targets: &Targets) {
    let none = Assignment::new();
    let load_of = |id: &Arc<str>| load(targets.get(id).unwrap_or(&none));
    for id in spec.members.keys() {
        for topic in targets.get(id).unwrap_or(&none).keys() {
            for (other, member) in &spec.members {
                if member.topics.contains(topic) {
                    let (own, others) = (load_of(id), load_of(other));
                    assert!(own <= others + 1, "{id} has {own}, {other} has {others} and could take one of {topic}");
                }
            }
        }
    }
}

fn moved(before: &GroupSpec, targets: &Targets) -> usize {
    let kept = |(id, member): (&Arc<str>, &MemberSpec)| -> usize {
        let has = |topic: &Id, partition: &i32| {
            targets.get(id).and_then(|target| target.get(topic)).is_some_and(|has| has.contains(partition))
        };
        member.target.iter().flat_map(|(topic, all)| all.iter().filter(move |one| !has(topic, one))).count()
    };
    before.members.iter().map(kept).sum()
}

fn follow(spec: &mut GroupSpec, targets: &Targets) {
    for (id, member) in &mut spec.members {
        member.target = Arc::new(targets.get(id).cloned().unwrap_or_default());
    }
}

fn any_group(homogeneous: bool) -> impl Strategy<Value = GroupSpec> {
    let topics = proptest::collection::vec(0i32..12, 1..5);
    let members = proptest::collection::vec(proptest::collection::btree_set(0u8..5, 0..5), 1..8);
    (topics, members).prop_map(move |(partitions, members)| {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let there = |number: &u8| usize::from(*number) < partitions.len();
        let first: Vec<u8> = members[0].iter().copied().filter(there).collect();
        let lists: Vec<Vec<u8>> = members
            .iter()
            .map(|own| if homogeneous { first.clone() } else { own.iter().copied().filter(there).collect() })
            .collect();
        let members: Vec<(&str, &[u8])> = names.into_iter().zip(lists.iter().map(Vec::as_slice)).collect();
        spec(&members, &partitions)
    })
}

proptest! {
    #[test]
    fn uniform_is_complete_balanced_and_sticky(mut group in any_group(true), others in any_group(true)) {
        let targets = Assignor::Uniform.assign(&group);
        check_complete(&group, &targets);
        check_balanced(&group, &targets);
        follow(&mut group, &targets);
        let again = Assignor::Uniform.assign(&group);
        prop_assert_eq!(moved(&group, &again), 0);
        // Members come and go: what stays moves only as far as it must.
        let mut next = group;
        next.members.retain(|id, _| others.members.contains_key(id));
        let topics = next.members.values().next().map(|member| member.topics.clone()).unwrap_or_default();
        for id in others.members.keys() {
            let member = MemberSpec { topics: topics.clone(), ..MemberSpec::default() };
            next.members.entry(id.clone()).or_insert(member);
        }
        let targets = Assignor::Uniform.assign(&next);
        check_complete(&next, &targets);
        check_balanced(&next, &targets);
        let total: usize = targets.values().map(load).sum();
        let most = total.div_ceil(next.members.len().max(1));
        let over: usize = next.members.values().map(|member| load(&member.target).saturating_sub(most)).sum();
        let extra = next.members.len();
        prop_assert!(moved(&next, &targets) <= over + extra, "{} moved, {over} had to", moved(&next, &targets));
    }

    #[test]
    fn uniform_is_complete_and_balanced_with_different_topics(mut group in any_group(false), others in any_group(false)) {
        group.is_homogeneous = false;
        let targets = Assignor::Uniform.assign(&group);
        check_complete(&group, &targets);
        check_balanced(&group, &targets);
        follow(&mut group, &targets);
        prop_assert_eq!(moved(&group, &Assignor::Uniform.assign(&group)), 0);
        // The same topics, other members and subscriptions.
        for (id, member) in &others.members {
            let topics: BTreeSet<Id> =
                member.topics.iter().copied().filter(|topic| group.topics.contains_key(topic)).collect();
            group.members.entry(id.clone()).or_default().topics = Arc::new(topics);
        }
        let targets = Assignor::Uniform.assign(&group);
        check_complete(&group, &targets);
        check_balanced(&group, &targets);
    }

    #[test]
    fn range_is_complete_and_of_ranges(group in any_group(false)) {
        let targets = Assignor::Range.assign(&group);
        check_complete(&group, &targets);
        for target in targets.values() {
            for partitions in target.values() {
                let first = partitions.first().copied().unwrap();
                let range: BTreeSet<i32> = (first..first + partitions.len() as i32).collect();
                prop_assert_eq!(partitions, &range);
            }
        }
    }
}

/// Numbers of partitions by number of topic.
type Numbers<'a> = &'a [(u8, &'a [i32])];

fn targets(of: &[(&str, Numbers<'_>)]) -> Targets {
    let assignment = |topics: Numbers<'_>| {
        topics.iter().map(|(number, partitions)| (topic(*number), partitions.iter().copied().collect())).collect()
    };
    of.iter().map(|(id, topics)| ((*id).into(), assignment(topics))).collect()
}

/// `RangeAssignorTest`
#[test]
fn ranges_as_kafka_deals_them() {
    let group = spec(&[("A", &[0, 1]), ("B", &[0, 1])], &[3, 2]);
    let expected = targets(&[("A", &[(0, &[0, 1]), (1, &[0])]), ("B", &[(0, &[2]), (1, &[1])])]);
    assert_eq!(Assignor::Range.assign(&group), expected);

    let group = spec(&[("A", &[0, 1]), ("B", &[2]), ("C", &[1, 2])], &[3, 3, 2]);
    let expected =
        targets(&[("A", &[(0, &[0, 1, 2]), (1, &[0, 1])]), ("B", &[(2, &[0])]), ("C", &[(1, &[2]), (2, &[1])])]);
    assert_eq!(Assignor::Range.assign(&group), expected);

    // Static members come first, by their own names.
    let mut group = spec(&[("A", &[0]), ("B", &[0]), ("C", &[0])], &[3]);
    for (id, instance_id) in [("C", "1"), ("B", "2")] {
        group.members.get_mut(id).unwrap().instance_id = Some(instance_id.to_owned());
    }
    let expected = targets(&[("A", &[(0, &[2])]), ("B", &[(0, &[1])]), ("C", &[(0, &[0])])]);
    assert_eq!(Assignor::Range.assign(&group), expected);
}

/// `OptimizedUniformAssignmentBuilderTest.testFirstAssignmentNumMembersGreaterThanTotalNumPartitions`
#[test]
fn more_members_than_partitions() {
    let group = spec(&[("A", &[0]), ("B", &[0]), ("C", &[0])], &[2]);
    let given: Vec<usize> = Assignor::Uniform.assign(&group).values().map(load).collect();
    let mut sorted = given.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 1]);
}

#[test]
fn nobody_and_nothing() {
    for assignor in [Assignor::Uniform, Assignor::Range] {
        assert!(assignor.assign(&GroupSpec::default()).is_empty());
        let group = spec(&[("A", &[]), ("B", &[])], &[3]);
        assert!(assignor.assign(&group).values().all(BTreeMap::is_empty));
        assert_eq!(Assignor::of(assignor.name()), Some(assignor));
    }
    assert_eq!(Assignor::of("org.apache.kafka.coordinator.group.assignor.RangeAssignor"), Some(Assignor::Range));
    assert_eq!(Assignor::of("com.example.Own"), None);
}
