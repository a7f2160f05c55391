//! What the assignor owes its group, on random groups; and cases of Kafka's own.

use proptest::prelude::*;

use super::*;

/// A group of processes with so many threads each, and subtopologies of so many tasks each.
fn spec(threads: &[usize], parts: &[(i32, bool)], standby_replicas: usize) -> GroupSpec {
    let mut spec = GroupSpec { standby_replicas, ..GroupSpec::default() };
    for (process, count) in threads.iter().enumerate() {
        for thread in 0..*count {
            let member = MemberSpec { process_id: format!("p{process}").into(), target: Arc::default() };
            spec.members.insert(format!("m{process}-{thread}").into(), member);
        }
    }
    for (index, part) in parts.iter().enumerate() {
        spec.parts.insert(index.to_string().into(), *part);
    }
    spec
}

fn count(tasks: &Tasks) -> usize {
    tasks.values().map(BTreeSet::len).sum()
}

fn each(tasks: &Tasks) -> impl Iterator<Item = Task> {
    tasks.iter().flat_map(|(part, tasks)| tasks.iter().map(|task| (part.clone(), *task)))
}

fn follow(spec: &mut GroupSpec, targets: &BTreeMap<Arc<str>, TaskSet>) {
    for (id, member) in &mut spec.members {
        member.target = Arc::new(targets.get(id).cloned().unwrap_or_default());
    }
}

/// Each task is one member's; standbys are in other processes, as many as there can be.
fn check_complete(spec: &GroupSpec, targets: &BTreeMap<Arc<str>, TaskSet>) {
    assert_eq!(targets.keys().collect::<Vec<_>>(), spec.members.keys().collect::<Vec<_>>());
    let mut active: BTreeMap<Task, Arc<str>> = BTreeMap::new();
    let mut places: BTreeMap<Task, BTreeSet<Arc<str>>> = BTreeMap::new();
    for (id, target) in targets {
        let process = &spec.members[id].process_id;
        assert!(target.warmup.is_empty());
        for task in each(&target.active) {
            assert_eq!(active.insert(task.clone(), id.clone()), None, "{task:?} is another's too");
        }
        for task in each(&target.active).chain(each(&target.standby)) {
            assert!(places.entry(task.clone()).or_default().insert(process.clone()), "{task:?} is twice at {process}");
        }
    }
    let processes: BTreeSet<&Arc<str>> = spec.members.values().map(|member| &member.process_id).collect();
    let mut all = 0;
    for (part, (tasks, is_stateful)) in &spec.parts {
        for task in 0..*tasks {
            let copies = 1 + if *is_stateful { spec.standby_replicas } else { 0 };
            assert_eq!(places[&(part.clone(), task)].len(), copies.min(processes.len()), "{part}_{task}");
            all += 1;
        }
    }
    assert_eq!(active.len(), all);
}

fn any_parts() -> impl Strategy<Value = Vec<(i32, bool)>> {
    proptest::collection::vec((0i32..9, any::<bool>()), 1..4)
}

proptest! {
    #[test]
    fn all_tasks_are_given_out_and_stay_where_they_are(
        threads in proptest::collection::vec(1usize..4, 1..5),
        others in proptest::collection::vec(1usize..4, 1..5),
        parts in any_parts(),
        replicas in 0usize..3,
    ) {
        let mut group = spec(&threads, &parts, replicas);
        let targets = assign(&group);
        check_complete(&group, &targets);
        // With nothing to stick to, no thread has more than one active task more than its share.
        let all: i32 = parts.iter().map(|(tasks, _)| tasks).sum();
        let share = usize::try_from(all).unwrap().div_ceil(group.members.len());
        let most = targets.values().map(|target| count(&target.active)).max().unwrap();
        prop_assert!(most <= share + 1, "{most} of a share of {share}");

        // Nothing moves without a reason.
        follow(&mut group, &targets);
        let again = assign(&group);
        check_complete(&group, &again);
        for (id, target) in &again {
            let before = &targets[id].active;
            let share = usize::try_from(all).unwrap() / group.members.len();
            let kept = each(&target.active).filter(|task| before.get(&task.0).is_some_and(|it| it.contains(&task.1)));
            prop_assert!(kept.count() >= count(before).min(share), "{id} loses more than it must");
        }

        // Processes come and go.
        let mut next = spec(&others, &parts, replicas);
        for (id, member) in &mut next.members {
            member.target = Arc::new(again.get(id).cloned().unwrap_or_default());
        }
        check_complete(&next, &assign(&next));
    }
}

/// `StickyTaskAssignorTest.shouldAssignTasksToClientWithPreviousStandbyTasks`
#[test]
fn a_lost_process_is_replaced_by_its_standby() {
    let mut group = spec(&[1, 1, 1], &[(3, true)], 1);
    let targets = assign(&group);
    follow(&mut group, &targets);
    let orphan = active(&targets, "m0-0").remove(0);
    let follows = |member: &MemberSpec| each(&member.target.standby).any(|task| task == orphan);
    let heir = group.members.iter().find(|(_, member)| follows(member)).map(|(id, _)| id.clone()).unwrap();
    group.members.remove("m0-0");
    let targets = assign(&group);
    check_complete(&group, &targets);
    assert!(active(&targets, &heir).contains(&orphan));
}

fn active(targets: &BTreeMap<Arc<str>, TaskSet>, id: &str) -> Vec<Task> {
    each(&targets[id].active).collect()
}

/// `StickyTaskAssignorTest.shouldAssignActiveTasksEvenlyAcrossClientsWhereNumberOfThreadsEqualsNumberOfTasks` and its neighbours.
#[test]
fn tasks_are_spread_over_processes_by_their_threads() {
    let counts = |targets: &BTreeMap<Arc<str>, TaskSet>| -> Vec<usize> {
        targets.values().map(|target| count(&target.active)).collect()
    };
    assert_eq!(counts(&assign(&spec(&[1, 1, 1], &[(3, false)], 0))), [1, 1, 1]);
    assert_eq!(counts(&assign(&spec(&[1, 2], &[(3, false)], 0))), [1, 1, 1]);
    assert_eq!(counts(&assign(&spec(&[1, 1], &[(2, false), (2, false)], 0))), [2, 2]);
    assert!(assign(&spec(&[], &[(3, false)], 1)).is_empty());
}

/// `StickyTaskAssignorTest.shouldMigrateActiveTasksToNewProcessWithoutChangingAllAssignments`
#[test]
fn a_new_process_takes_no_more_than_its_share() {
    let mut group = spec(&[1, 1, 1], &[(3, false)], 0);
    let had = |tasks: &[i32]| {
        let active: Tasks = [("0".into(), tasks.iter().copied().collect())].into();
        Arc::new(TaskSet { active, ..TaskSet::default() })
    };
    group.members.get_mut("m0-0").unwrap().target = had(&[0, 2]);
    group.members.get_mut("m1-0").unwrap().target = had(&[1]);
    let targets = assign(&group);
    assert_eq!(active(&targets, "m1-0"), [("0".into(), 1)]);
    assert_eq!(active(&targets, "m0-0").len(), 1);
    assert_eq!(active(&targets, "m2-0").len(), 1);
}

/// `StickyTaskAssignorTest.shouldNotAssignStandbyTaskReplicasWhenNoClientAvailableWithoutHavingTheTaskAssigned`
#[test]
fn threads_of_one_process_keep_one_copy() {
    let targets = assign(&spec(&[2], &[(1, true)], 1));
    assert!(targets.values().all(|target| target.standby.is_empty()));
    let targets = assign(&spec(&[1, 1], &[(2, true)], 1));
    assert!(targets.values().all(|target| count(&target.standby) == 1 && count(&target.active) == 1));
    // No state, nothing to follow.
    let targets = assign(&spec(&[1, 1], &[(2, false)], 1));
    assert!(targets.values().all(|target| target.standby.is_empty()));
}
