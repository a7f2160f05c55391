//! OffsetCommit, OffsetFetch, expiry, failover.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[test]
fn a_simple_consumer_commits_and_fetches() {
    let mut bench = Bench::new();
    let to = bench.commit_offset(8, "g", "", -1, &[("t", 0, 5), ("t", 9, 5), ("none", 0, 5)]);
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(bench.committed(to), [ErrorCode::None, unknown, unknown]);
    assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "t", 1), bench.offset("h", "t", 0)), (5, -1, -1));
    assert_eq!(bench.state("g"), "Empty");
    let to = bench.commit_offset(8, "g", "", -1, &[("none", 0, 5)]);
    assert_eq!(bench.committed(to), [unknown]);
}

#[test]
fn who_may_commit() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 1);
    let id = ids[0].as_str();
    let table = [
        (9, "g", id, generation, ErrorCode::None),
        (9, "g", id, generation + 1, ErrorCode::IllegalGeneration),
        (9, "g", id, -1, ErrorCode::IllegalGeneration),
        (9, "g", "stranger", generation, ErrorCode::UnknownMemberId),
        (9, "g", "", -1, ErrorCode::UnknownMemberId),
        (9, "none", "m", 1, ErrorCode::GroupIdNotFound),
        (8, "none", "m", 1, ErrorCode::IllegalGeneration),
        (8, "", "", -1, ErrorCode::None),
    ];
    for (version, group, member, generation, error) in table {
        let to = bench.commit_offset(version, group, member, generation, &[("t", 0, 5)]);
        assert_eq!(bench.committed(to), [error], "{version} {group} {member} {generation}");
    }
    // While the leader assigns, commits of the new generation make no sense; during the join phase those of the old one do.
    let (_, newcomer) = bench.join_dynamic("g");
    let to = bench.commit_offset(9, "g", id, generation, &[("t", 0, 6)]);
    assert_eq!(bench.committed(to), [ErrorCode::None]);
    bench.join(9, &join_request("g", id));
    assert_eq!(bench.joined(newcomer).error_code, 0);
    let to = bench.commit_offset(9, "g", id, generation + 1, &[("t", 0, 7)]);
    assert_eq!(bench.committed(to), [ErrorCode::RebalanceInProgress]);
    let partition = bench.groups.partition_for("g");
    bench.groups.unload_partition(bench.now, partition);
    let to = bench.commit_offset(9, "g", id, generation + 1, &[("t", 0, 7)]);
    assert_eq!(bench.committed(to), [ErrorCode::NotCoordinator]);
}

#[test]
fn fenced_instances_do_not_commit() {
    let mut bench = Bench::new();
    let to = bench.join(9, &join_request("g", "").with_group_instance_id(Some(text("i"))));
    bench.pass(3_000);
    let joined = bench.joined(to);
    let sync = bench.sync("g", joined.member_id.as_str(), 1, &[]);
    assert_eq!(bench.synced(sync).error_code, 0);
    let request = OffsetCommitRequestData::default()
        .with_group_id(text("g"))
        .with_member_id(text("old"))
        .with_group_instance_id(Some(text("i")))
        .with_generation_id_or_member_epoch(1)
        .with_topics(vec![
            OffsetCommitRequestTopic::default().with_name(text("t")).with_partitions(vec![Default::default()]),
        ]);
    let to = bench.commit_request(9, &request);
    assert_eq!(bench.committed(to), [ErrorCode::FencedInstanceId]);
}

#[test]
fn metadata_has_a_limit_of_its_own() {
    let mut bench = Bench::new();
    let partition = |index: i32, metadata: String| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(1)
            .with_committed_metadata(Some(text(&metadata)))
    };
    let request = OffsetCommitRequestData::default()
        .with_group_id(text("g"))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![OffsetCommitRequestTopic::default().with_name(text("t")).with_partitions(vec![
            partition(0, "x".repeat(4096)),
            partition(1, "x".repeat(4097)),
            partition(2, "é".repeat(4096)),
        ])]);
    let to = bench.commit_request(8, &request);
    assert_eq!(bench.committed(to), [ErrorCode::None, ErrorCode::OffsetMetadataTooLarge, ErrorCode::None]);
    assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "t", 1)), (1, -1));
}

#[test]
fn commits_count_when_they_are_committed() {
    let mut bench = Bench::new();
    bench.fate = Fate::Wait;
    let to = bench.commit_offset(8, "g", "", -1, &[("t", 0, 5)]);
    assert!(bench.is_waiting(to));
    assert_eq!(bench.offset("g", "t", 0), -1);
    let stable = bench.fetch_request(7, &single("g", &[("t", 0)]).with_require_stable(true));
    assert!(bench.is_waiting(stable));
    bench.settle(Ok(()));
    assert_eq!(bench.committed(to), [ErrorCode::None]);
    assert_eq!(bench.fetched(stable).topics[0].partitions[0].committed_offset, 5);

    let to = bench.commit_offset(8, "g", "", -1, &[("t", 0, 6)]);
    let stable = bench.fetch_request(8, &fetch_groups(&[("g", None), ("h", None)]).with_require_stable(true));
    bench.settle(Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(bench.committed(to), [ErrorCode::CoordinatorNotAvailable]);
    let fetched = bench.fetched(stable);
    assert_eq!(ErrorCode::from(fetched.groups[0].error_code), ErrorCode::NotCoordinator);
    assert_eq!(fetched.groups[1].error_code, 0);
    assert_eq!(bench.offset("g", "t", 0), 5);
}

fn single(group: &str, topics: &[(&str, i32)]) -> OffsetFetchRequestData {
    let topic = |(topic, partition): &(&str, i32)| {
        crate::protocol::messages::OffsetFetchRequestTopic::default()
            .with_name(text(topic))
            .with_partition_indexes(vec![*partition])
    };
    OffsetFetchRequestData::default().with_group_id(text(group)).with_topics(Some(topics.iter().map(topic).collect()))
}

#[test]
fn every_version_is_answered_in_its_shape() {
    let mut bench = Bench::new();
    let to = bench.commit_offset(8, "g", "", -1, &[("t", 1, 5), ("u", 2, 6)]);
    bench.committed(to);
    for version in 1..=7 {
        let to = bench.fetch_request(version, &single("g", &[("t", 1), ("t", 0)]));
        let response = bench.fetched(to);
        assert!(response.groups.is_empty());
        let partitions: Vec<(i32, i64, i16)> = response
            .topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|it| (it.partition_index, it.committed_offset, it.error_code))
            .collect();
        assert_eq!(partitions, [(1, 5, 0), (0, -1, 0)]);
        assert_eq!(response.topics[0].partitions[0].metadata.as_ref().unwrap().as_str(), "note");
        // All topics.
        if version >= 2 {
            let to = bench
                .fetch_request(version, &OffsetFetchRequestData::default().with_group_id(text("g")).with_topics(None));
            assert_eq!(bench.fetched(to).topics.len(), 2);
        }
        // Errors.
        let partition = bench.groups.partition_for("g");
        bench.groups.unload_partition(bench.now, partition);
        let to = bench.fetch_request(version, &single("g", &[("t", 1)]));
        let response = bench.fetched(to);
        let not_coordinator = ErrorCode::NotCoordinator.code();
        assert_eq!(response.error_code, not_coordinator);
        match version {
            1 => assert_eq!(response.topics[0].partitions[0].error_code, not_coordinator),
            _ => assert!(response.topics.is_empty()),
        }
        bench.fail_over();
    }
    for version in 8..=10 {
        let asked = fetch_groups(&[("g", None), ("none", None), ("g", Some(&[("u", 2)])), ("none", Some(&[("u", 2)]))]);
        let to = bench.fetch_request(version, &asked);
        let groups = bench.fetched(to).groups;
        assert_eq!(groups.iter().map(|group| group.topics.len()).collect::<Vec<_>>(), [2, 0, 1, 1]);
        assert_eq!(groups[2].topics[0].partitions[0].committed_offset, 6);
        assert_eq!(groups[3].topics[0].partitions[0].committed_offset, -1);
        if version == 10 {
            assert_eq!(Id::from(groups[0].topics[1].topic_id), topic_id("u"));
        }
    }
}

#[test]
fn topic_ids_tell_a_topic_from_its_namesake() {
    let mut bench = Bench::new();
    let to = bench.commit_offset(10, "g", "", -1, &[("t", 0, 5), ("gone", 0, 5)]);
    assert_eq!(bench.committed(to), [ErrorCode::None, ErrorCode::UnknownTopicId]);
    let ask = |bench: &mut Bench, asked| {
        let to = bench.fetch_request(10, &fetch_groups(&[("g", asked)]));
        bench.fetched(to).groups.remove(0).topics
    };
    let topics = ask(&mut bench, Some(&[("t", 0), ("gone", 0)]));
    assert_eq!(topics[0].partitions[0].committed_offset, 5);
    assert_eq!(ErrorCode::from(topics[1].partitions[0].error_code), ErrorCode::UnknownTopicId);
    // The topic is deleted and made again: another id, no offset.
    let mut other = image_of(&["t"]);
    let new_id = Id([9; 16]);
    let topic = TopicImage { id: new_id, ..(**other.topic("t").unwrap()).clone() };
    other.topics = [(new_id, Arc::new(topic))].into();
    other.topic_ids = [("t".into(), new_id)].into();
    bench.image = other;
    let mut request = fetch_groups(&[("g", Some(&[("t", 0)]))]);
    request.groups[0].topics.as_mut().unwrap()[0].topic_id = new_id.into();
    let to = bench.fetch_request(10, &request);
    let partition = bench.fetched(to).groups[0].topics[0].partitions[0].clone();
    assert_eq!((partition.committed_offset, partition.error_code), (-1, 0));
}

#[test]
fn committed_state_survives_a_failover() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 2);
    let to = bench.commit_offset(9, "g", &ids[0], generation, &[("t", 0, 5), ("t", 1, 6)]);
    bench.committed(to);
    bench.fate = Fate::Wait;
    let lost = bench.commit_offset(9, "g", &ids[0], generation, &[("t", 0, 50)]);
    let parked = bench.join(3, &join_request("other", ""));
    bench.fate = Fate::Commit;
    bench.fail_over();
    assert_eq!(bench.committed(lost), [ErrorCode::NotCoordinator]);
    assert_eq!(ErrorCode::from(bench.joined(parked).error_code), ErrorCode::NotCoordinator);
    assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "t", 1)), (5, 6));
    assert_eq!(bench.state("g"), "Stable");
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(bench.heartbeat("g", id, generation), ErrorCode::None);
        let to = bench.sync("g", id, generation, &[]);
        assert_eq!(bench.synced(to).assignment, assignment("t", index as i32));
    }
    bench.pass(10_000);
    assert_eq!(bench.state("g"), "Empty", "sessions run on the new coordinator too");
}

#[test]
fn a_loaded_group_that_is_too_large_rebalances() {
    let mut bench = Bench::new();
    bench.stable("g", 3);
    let mut small = Bench::with(GroupConfig { max_size: 2, ..GroupConfig::default() });
    small.log = std::mem::take(&mut bench.log);
    small.fail_over();
    assert_eq!(small.state("g"), "PreparingRebalance");
}

#[test]
fn unused_offsets_expire() {
    let day_ms = 24 * 3600 * 1000;
    let mut bench = Bench::new();
    let to = bench.commit_offset(8, "simple", "", -1, &[("t", 0, 5)]);
    bench.committed(to);
    let (ids, generation) = bench.stable("g", 1);
    let to = bench.commit_offset(9, "g", &ids[0], generation, &[("t", 0, 5), ("u", 0, 6)]);
    bench.committed(to);
    for _ in 0..(7 * day_ms / 9_000 - 100) {
        bench.pass(9_000);
        bench.heartbeat("g", &ids[0], generation);
    }
    assert_eq!(bench.offset("simple", "t", 0), 5);
    for _ in 0..300 {
        bench.pass(9_000);
        bench.heartbeat("g", &ids[0], generation);
    }
    assert_eq!((bench.offset("simple", "t", 0), bench.state("simple")), (-1, ""), "offset and group are gone");
    assert_eq!(bench.offset("g", "t", 0), 5, "what the group reads stays");
    assert_eq!(bench.offset("g", "u", 0), -1, "what it no longer reads goes");
    // Empty, its clock starts anew, and then all of it goes.
    bench.leave(5, "g", &[(&ids[0], None)]);
    bench.pass(6 * day_ms);
    assert_eq!(bench.offset("g", "t", 0), 5);
    bench.pass(day_ms + 1_200_000);
    assert_eq!((bench.offset("g", "t", 0), bench.state("g")), (-1, ""));
    bench.fail_over();
    assert_eq!((bench.offset("g", "t", 0), bench.state("g"), bench.state("simple")), (-1, "", ""));
    assert_eq!((bench.groups.shared.group_count, bench.groups.shared.offset_count), (0, 0));
}

#[test]
fn a_retention_of_its_own_is_kept() {
    let mut bench = Bench::new();
    let request = OffsetCommitRequestData::default()
        .with_group_id(text("g"))
        .with_generation_id_or_member_epoch(-1)
        .with_retention_time_ms(1_000_000)
        .with_topics(vec![
            OffsetCommitRequestTopic::default()
                .with_name(text("t"))
                .with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(3)]),
        ]);
    let to = bench.commit_request(4, &request);
    bench.committed(to);
    bench.pass(900_000);
    assert_eq!(bench.offset("g", "t", 0), 3);
    bench.pass(400_000);
    assert_eq!(bench.offset("g", "t", 0), -1);
}

#[test]
fn offsets_of_deleted_topics_go() {
    let mut bench = Bench::new();
    let to = bench.commit_offset(8, "g", "", -1, &[("t", 0, 5), ("u", 0, 6)]);
    bench.committed(to);
    // One of another topic that had this name is not meant.
    let deleted = |id: Id| BTreeMap::from([("t".into(), BTreeSet::from([id]))]);
    bench.groups.on_topics_deleted(bench.now, &deleted(topic_id("u")));
    bench.pump();
    assert_eq!(bench.offset("g", "t", 0), 5);
    // One that is on its way is.
    bench.fate = Fate::Wait;
    let to = bench.commit_offset(8, "g", "", -1, &[("t", 1, 7)]);
    bench.groups.on_topics_deleted(bench.now, &deleted(topic_id("t")));
    bench.pump();
    bench.settle(Ok(()));
    bench.fate = Fate::Commit;
    bench.committed(to);
    assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "t", 1), bench.offset("g", "u", 0)), (-1, -1, 6));
    bench.fail_over();
    assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "u", 0)), (-1, 6));
}

#[test]
fn too_much_on_its_way_is_refused() {
    let limits = super::super::Limits { pending_appends: 2, ..Default::default() };
    let mut bench = Bench::with(GroupConfig { limits, ..GroupConfig::default() });
    bench.fate = Fate::Wait;
    let to: Vec<ReplyTo> = (0..3).map(|offset| bench.commit_offset(8, "g", "", -1, &[("t", 0, offset)])).collect();
    assert_eq!(bench.committed(to[2]), [ErrorCode::CoordinatorNotAvailable]);
    bench.settle(Ok(()));
    assert_eq!((bench.committed(to[0]), bench.committed(to[1])), (vec![ErrorCode::None], vec![ErrorCode::None]));
    assert_eq!(bench.offset("g", "t", 0), 1);
}

#[test]
fn what_is_loaded_beyond_the_high_watermark_is_not_shown() {
    let mut bench = Bench::new();
    for offset in [5, 6] {
        let to = bench.commit_offset(8, "g", "", -1, &[("t", 0, offset)]);
        bench.committed(to);
    }
    let partition = bench.groups.partition_for("g");
    let records = bench.log[&partition].clone();
    let load_all = |bench: &mut Bench| {
        bench.groups.begin_load(bench.now, partition);
        for (index, record) in records.iter().enumerate() {
            load(&mut bench.groups, bench.now, partition, record, index == 0);
        }
        bench.groups.finish_load(bench.now, partition).unwrap()
    };
    let token = load_all(&mut bench);
    assert_eq!(bench.offset("g", "t", 0), 5);
    // Who wants stable offsets waits, each its own time.
    let stable = || fetch_groups(&[("g", None)]).with_require_stable(true);
    let first = bench.fetch_request(8, &stable());
    bench.pass(3_000);
    let second = bench.fetch_request(8, &stable());
    bench.pass(2_000);
    let not_coordinator = ErrorCode::NotCoordinator.code();
    assert_eq!(bench.fetched(first).groups[0].error_code, not_coordinator);
    assert!(bench.is_waiting(second));
    bench.pass(3_000);
    assert_eq!(bench.fetched(second).groups[0].error_code, not_coordinator);
    let third = bench.fetch_request(8, &stable());
    bench.groups.on_append_result(bench.now, token, Ok(()));
    bench.pump();
    assert_eq!(bench.fetched(third).groups[0].topics[0].partitions[0].committed_offset, 6);
    assert_eq!(bench.offset("g", "t", 0), 6);
    // Lost again before it was committed: it never was.
    load_all(&mut bench);
    bench.groups.unload_partition(bench.now, partition);
    bench.fail_over();
    assert_eq!(bench.offset("g", "t", 0), 6);
}

/// OffsetDelete of these partitions: the top-level error, and each partition's.
fn delete_offsets(
    bench: &mut Bench,
    group: &str,
    topics: &[(&str, &[i32])],
) -> (ErrorCode, Vec<(String, i32, ErrorCode)>) {
    let to = start_delete(bench, group, topics);
    deleted_offsets(bench, to)
}

fn start_delete(bench: &mut Bench, group: &str, topics: &[(&str, &[i32])]) -> ReplyTo {
    use crate::protocol::messages::{OffsetDeleteRequestData, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
    let topic = |(name, partitions): &(&str, &[i32])| {
        let partition = |index: &i32| OffsetDeleteRequestPartition::default().with_partition_index(*index);
        let partitions = partitions.iter().map(partition).collect();
        OffsetDeleteRequestTopic::default().with_name(text(name)).with_partitions(partitions)
    };
    let topics = topics.iter().map(topic).collect();
    let request = OffsetDeleteRequestData::default().with_group_id(text(group)).with_topics(topics);
    let to = bench.to();
    bench.groups.offset_delete(bench.now, to, &request, &bench.image);
    bench.pump();
    to
}

fn deleted_offsets(bench: &mut Bench, to: ReplyTo) -> (ErrorCode, Vec<(String, i32, ErrorCode)>) {
    let Some(GroupResponse::OffsetDelete(response)) = bench.replies.remove(&to) else { panic!("no answer for {to:?}") };
    let mut partitions = Vec::new();
    for topic in &response.topics {
        for partition in &topic.partitions {
            let error = ErrorCode::from(partition.error_code);
            partitions.push((topic.name.to_string(), partition.partition_index, error));
        }
    }
    (ErrorCode::from(response.error_code), partitions)
}

#[test]
fn offsets_are_deleted_where_nobody_reads_the_topic() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 1);
    let to = bench.commit_offset(9, "g", &ids[0], generation, &[("t", 0, 5), ("u", 0, 6), ("u", 1, 7)]);
    bench.committed(to);
    let (error, partitions) = delete_offsets(&mut bench, "g", &[("t", &[0]), ("u", &[0, 3, 9]), ("none", &[0])]);
    let expected = [
        ("u", 9, ErrorCode::UnknownTopicOrPartition),
        ("u", 0, ErrorCode::None),
        ("u", 3, ErrorCode::None),
        ("none", 0, ErrorCode::UnknownTopicOrPartition),
        ("t", 0, ErrorCode::GroupSubscribedToTopic),
    ];
    assert_eq!(error, ErrorCode::None);
    assert_eq!(partitions, expected.map(|(topic, index, error)| (topic.to_owned(), index, error)));
    bench.fail_over();
    assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "u", 0), bench.offset("g", "u", 1)), (5, -1, 7));
}

#[test]
fn whose_offsets_may_be_deleted() {
    let mut bench = Bench::new();
    assert_eq!(delete_offsets(&mut bench, "", &[("t", &[0])]), (ErrorCode::InvalidGroupId, Vec::new()));
    assert_eq!(delete_offsets(&mut bench, "none", &[("x", &[0])]), (ErrorCode::GroupIdNotFound, Vec::new()));
    let connect = join_request("c", "").with_protocol_type(text("connect"));
    let to = bench.join(3, &connect);
    bench.pass(3_000);
    bench.joined(to);
    assert_eq!(delete_offsets(&mut bench, "c", &[("t", &[0])]), (ErrorCode::NonEmptyGroup, Vec::new()));
    let partition = bench.groups.partition_for("c");
    bench.groups.unload_partition(bench.now, partition);
    assert_eq!(delete_offsets(&mut bench, "c", &[("t", &[0])]).0, ErrorCode::NotCoordinator);
}

#[test]
fn an_offset_on_its_way_is_deleted_too() {
    let mut bench = Bench::new();
    bench.fate = Fate::Wait;
    bench.commit_offset(8, "g", "", -1, &[("t", 0, 5)]);
    bench.settle(Ok(()));
    bench.commit_offset(8, "g", "", -1, &[("t", 1, 5)]);
    let to = start_delete(&mut bench, "g", &[("t", &[0, 1])]);
    assert!(bench.is_waiting(to));
    bench.settle(Ok(()));
    assert_eq!(deleted_offsets(&mut bench, to).0, ErrorCode::None);
    assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "t", 1)), (-1, -1));
    // And what cannot be written is not deleted.
    bench.commit_offset(8, "g", "", -1, &[("t", 0, 5)]);
    bench.settle(Ok(()));
    let to = start_delete(&mut bench, "g", &[("t", &[0])]);
    bench.settle(Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(deleted_offsets(&mut bench, to), (ErrorCode::CoordinatorNotAvailable, Vec::new()));
    assert_eq!(bench.offset("g", "t", 0), 5);
}
