//! TxnOffsetCommit, the markers that end transactions, and what is seen of offsets in between.

use std::collections::{BTreeMap, BTreeSet};

use super::consumer::{alive, joining};
use super::*;
use crate::protocol::messages::{
    DeleteGroupsRequestData, OffsetDeleteRequestData, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    TxnOffsetCommitRequestData, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};

const UNSTABLE: Result<i64, ErrorCode> = Err(ErrorCode::UnstableOffsetCommit);

/// A commit of these offsets by a producer that names no member.
fn request(producer_id: i64, group: &str, offsets: &[(&str, i32, i64)]) -> TxnOffsetCommitRequestData {
    let topic = |(topic, partition, offset): &(&str, i32, i64)| {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(text("note")));
        TxnOffsetCommitRequestTopic::default().with_name(text(topic)).with_partitions(vec![partition])
    };
    TxnOffsetCommitRequestData::default()
        .with_transactional_id(text("x"))
        .with_group_id(text(group))
        .with_producer_id(producer_id)
        .with_topics(offsets.iter().map(topic).collect())
}

impl Bench {
    pub(super) fn txn_request(&mut self, version: i16, request: &TxnOffsetCommitRequestData) -> ReplyTo {
        let to = self.to();
        self.groups.txn_offset_commit(self.now, to, &client(version), request, None, &self.image);
        self.pump();
        to
    }

    pub(super) fn commit_in_txn(&mut self, producer_id: i64, group: &str, offsets: &[(&str, i32, i64)]) -> ReplyTo {
        self.txn_request(5, &request(producer_id, group, offsets))
    }

    pub(super) fn end_txn(&mut self, partition: i32, producer_id: i64, commit: bool) -> ReplyTo {
        let end = TxnEnd { producer_id, producer_epoch: 0, coordinator_epoch: 0, commit, transaction_version: 2 };
        let to = self.to();
        self.groups.complete_transaction(self.now, to, partition, end);
        self.pump();
        to
    }

    /// Ends the transaction where the group is.
    fn end(&mut self, group: &str, producer_id: i64, commit: bool) -> ErrorCode {
        let to = self.end_txn(self.groups.partition_for(group), producer_id, commit);
        self.ended(to)
    }

    fn ended(&mut self, to: ReplyTo) -> ErrorCode {
        match self.replies.remove(&to) {
            Some(GroupResponse::TxnCompleted(error)) => error,
            other => panic!("no end of a transaction for {to:?}: {other:?}"),
        }
    }

    /// Topics, partitions and errors of an answer.
    fn txn_answer(&mut self, to: ReplyTo) -> Vec<(String, i32, ErrorCode)> {
        let Some(GroupResponse::TxnOffsetCommit(response)) = self.replies.remove(&to) else { panic!("no answer") };
        let mut answers = Vec::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                answers.push((topic.name.to_string(), partition.partition_index, partition.error_code.into()));
            }
        }
        answers
    }

    /// Errors of an answer.
    fn txn_errors(&mut self, to: ReplyTo) -> Vec<ErrorCode> {
        self.txn_answer(to).into_iter().map(|(.., error)| error).collect()
    }

    fn start_stable(&mut self, group: &str, partition: i32) -> ReplyTo {
        let request = fetch_groups(&[(group, Some(&[("t", partition)]))]).with_require_stable(true);
        self.fetch_request(9, &request)
    }

    /// A partition of `t` as a consumer sees it that wants it stable; an error of the group is one of the partition.
    fn fetched_stable(&mut self, to: ReplyTo) -> Result<i64, ErrorCode> {
        let group = self.fetched(to).groups.remove(0);
        let answered = group.topics.first().map(|topic| &topic.partitions[0]);
        let error = answered.map_or(group.error_code, |partition| partition.error_code);
        match ErrorCode::from(error) {
            ErrorCode::None => Ok(answered.unwrap().committed_offset),
            error => Err(error),
        }
    }

    pub(super) fn stable_offset(&mut self, group: &str, partition: i32) -> Result<i64, ErrorCode> {
        let to = self.start_stable(group, partition);
        self.fetched_stable(to)
    }

    /// All offsets of a group that must be stable: topic, partition, offset or error.
    fn all_stable(&mut self, group: &str) -> Vec<(String, i32, Result<i64, ErrorCode>)> {
        let to = self.fetch_request(9, &fetch_groups(&[(group, None)]).with_require_stable(true));
        let mut all = Vec::new();
        for topic in &self.fetched(to).groups[0].topics {
            for it in &topic.partitions {
                let error = ErrorCode::from(it.error_code);
                let offset = if error == ErrorCode::None { Ok(it.committed_offset) } else { Err(error) };
                all.push((topic.name.to_string(), it.partition_index, offset));
            }
        }
        all
    }

    fn commit_plain(&mut self, group: &str, offsets: &[(&str, i32, i64)]) {
        let to = self.commit_offset(8, group, "", -1, offsets);
        assert!(self.committed(to).iter().all(|error| *error == ErrorCode::None));
    }

    fn delete_offset(&mut self, group: &str, partition: i32) {
        let partitions = vec![OffsetDeleteRequestPartition::default().with_partition_index(partition)];
        let topic = OffsetDeleteRequestTopic::default().with_name(text("t")).with_partitions(partitions);
        let request = OffsetDeleteRequestData::default().with_group_id(text(group)).with_topics(vec![topic]);
        let to = self.to();
        self.groups.offset_delete(self.now, to, &request, &self.image);
        self.pump();
    }
}

#[test]
fn a_transactions_offsets_count_when_it_is_committed() {
    for commit in [true, false] {
        let mut bench = Bench::new();
        bench.commit_plain("g", &[("t", 0, 5), ("t", 3, 6)]);
        let to = bench.commit_in_txn(7, "g", &[("t", 0, 50), ("t", 1, 51)]);
        assert_eq!(bench.txn_errors(to), [ErrorCode::None, ErrorCode::None]);
        for moved in [false, true] {
            assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "t", 1)), (5, -1), "not before it ends");
            let stable = [0, 1, 2, 3].map(|partition| bench.stable_offset("g", partition));
            assert_eq!(stable, [UNSTABLE, UNSTABLE, Ok(-1), Ok(6)]);
            // As Kafka, which lists only what is stored when it is asked for all.
            let all = [("t".to_owned(), 0, UNSTABLE), ("t".to_owned(), 3, Ok(6))];
            assert_eq!(bench.all_stable("g"), all);
            assert_eq!(bench.groups.shared.offset_count, 4);
            if !moved {
                bench.fail_over();
            }
        }
        assert_eq!(bench.end("g", 7, commit), ErrorCode::None);
        for _ in 0..2 {
            let expected = if commit { (50, 51) } else { (5, -1) };
            assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "t", 1)), expected);
            assert_eq!(bench.stable_offset("g", 0), Ok(expected.0));
            assert_eq!(bench.groups.shared.offset_count, if commit { 3 } else { 2 });
            bench.fail_over();
        }
    }
}

#[test]
fn a_group_of_pending_offsets_only_is_a_simple_one() {
    let mut bench = Bench::new();
    let to = bench.commit_in_txn(7, "g", &[("t", 0, 50)]);
    bench.txn_errors(to);
    assert_eq!((bench.state("g"), bench.all_stable("g")), ("Empty", Vec::new()));
    bench.fail_over();
    assert_eq!(bench.state("g"), "Empty");
    // The transaction is aborted: the group goes when the next look at it finds nothing left.
    bench.end("g", 7, false);
    assert_eq!(bench.state("g"), "Empty");
    bench.pass(600_000);
    assert_eq!((bench.state("g"), bench.groups.shared.offset_count), ("", 0));
}

#[test]
fn a_marker_of_a_producer_without_offsets_is_written_all_the_same() {
    let mut bench = Bench::new();
    let partition = bench.groups.partition_for("g");
    assert_eq!(bench.end("g", 99, true), ErrorCode::None);
    assert!(matches!(bench.log[&partition][..], [Logged::Marker(TxnEnd { producer_id: 99, commit: true, .. })]));
    bench.fate = Fate::Refuse(ErrorCode::InvalidProducerEpoch);
    assert_eq!(bench.end("g", 99, true), ErrorCode::InvalidProducerEpoch);
    bench.fate = Fate::Wait;
    let to = bench.end_txn(partition, 99, true);
    assert!(bench.is_waiting(to));
    bench.groups.unload_partition(bench.now, partition);
    bench.pump();
    assert_eq!(bench.ended(to), ErrorCode::NotCoordinator);
    assert_eq!(bench.end("g", 99, true), ErrorCode::NotCoordinator);
    bench.groups.begin_load(bench.now, partition);
    assert_eq!(bench.end("g", 99, true), ErrorCode::CoordinatorLoadInProgress);
}

#[test]
fn what_is_on_its_way_is_waited_for() {
    let mut bench = Bench::new();
    bench.commit_plain("g", &[("t", 0, 5)]);
    bench.fate = Fate::Wait;
    // The commit: not answered, not seen, and unstable for who wants it stable.
    let to = bench.commit_in_txn(7, "g", &[("t", 0, 50)]);
    let stable = bench.start_stable("g", 0);
    assert!(bench.is_waiting(to) && bench.is_waiting(stable));
    assert_eq!(bench.offset("g", "t", 0), 5);
    bench.settle(Ok(()));
    assert_eq!(bench.txn_errors(to), [ErrorCode::None]);
    assert_eq!(bench.fetched_stable(stable), UNSTABLE);
    // The marker: who asks meanwhile is answered with it, as in Kafka.
    let partition = bench.groups.partition_for("g");
    let to = bench.end_txn(partition, 7, true);
    let stable = bench.start_stable("g", 0);
    assert!(bench.is_waiting(to) && bench.is_waiting(stable));
    assert_eq!(bench.offset("g", "t", 0), 5);
    bench.settle(Ok(()));
    assert_eq!((bench.ended(to), bench.fetched_stable(stable)), (ErrorCode::None, Ok(50)));
    // One that could not be written has ended nothing.
    let to = bench.commit_in_txn(8, "g", &[("t", 0, 60)]);
    bench.settle(Ok(()));
    bench.txn_errors(to);
    let to = bench.end_txn(partition, 8, true);
    let stable = bench.start_stable("g", 0);
    bench.settle(Err(ErrorCode::NotEnoughReplicas));
    let expected = (ErrorCode::NotEnoughReplicas, Err(ErrorCode::NotCoordinator));
    assert_eq!((bench.ended(to), bench.fetched_stable(stable)), expected);
    assert_eq!((bench.offset("g", "t", 0), bench.stable_offset("g", 0)), (50, UNSTABLE));
    // A commit that could not be written is none.
    let to = bench.commit_in_txn(9, "g", &[("t", 1, 70), ("none", 0, 1)]);
    bench.settle(Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(bench.txn_errors(to), [ErrorCode::UnknownTopicOrPartition, ErrorCode::CoordinatorNotAvailable]);
    assert_eq!(bench.stable_offset("g", 1), Ok(-1));
    // Nobody waits for ever, but what is in the log may yet be committed.
    let to = bench.commit_in_txn(9, "g", &[("t", 1, 70)]);
    let end = bench.end_txn(partition, 9, true);
    bench.pass(5_000);
    assert_eq!(bench.txn_errors(to), [ErrorCode::CoordinatorNotAvailable]);
    assert_eq!(bench.ended(end), ErrorCode::RequestTimedOut);
    bench.settle(Ok(()));
    assert_eq!(bench.offset("g", "t", 1), 70);
}

#[test]
fn what_cannot_be_committed_is_told_partition_by_partition() {
    let mut bench = Bench::new();
    let none = ErrorCode::None;
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let to = bench.commit_in_txn(7, "g", &[("t", 0, 5), ("none", 0, 5), ("u", 1, 5), ("t", 9, 5)]);
    let answer = |topic: &str, index, error| (topic.to_owned(), index, error);
    let expected = [answer("none", 0, unknown), answer("t", 9, unknown), answer("t", 0, none), answer("u", 1, none)];
    assert_eq!(bench.txn_answer(to), expected);
    // What does not exist is told before the group is looked at.
    let to = bench.commit_in_txn(7, "", &[("none", 0, 5)]);
    assert_eq!(bench.txn_errors(to), [unknown]);
    let to = bench.commit_in_txn(7, "", &[("none", 0, 5), ("t", 0, 5)]);
    assert_eq!(bench.txn_errors(to), [unknown, ErrorCode::InvalidGroupId]);
    let mut long = request(7, "g", &[("t", 2, 5), ("t", 3, 5)]);
    long.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(4097)));
    let to = bench.txn_request(5, &long);
    assert_eq!(bench.txn_errors(to), [ErrorCode::OffsetMetadataTooLarge, none]);
    assert_eq!((bench.stable_offset("g", 2), bench.stable_offset("g", 3)), (Ok(-1), UNSTABLE));
    long.topics.truncate(1);
    let to = bench.txn_request(5, &long);
    assert_eq!(bench.txn_errors(to), [ErrorCode::OffsetMetadataTooLarge]);
    // Old clients do not understand that a coordinator loads.
    let partition = bench.groups.partition_for("g");
    for (version, loading) in [(1, ErrorCode::CoordinatorNotAvailable), (2, ErrorCode::CoordinatorLoadInProgress)] {
        bench.groups.begin_load(bench.now, partition);
        let to = bench.txn_request(version, &request(7, "g", &[("t", 0, 5)]));
        assert_eq!(bench.txn_errors(to), [loading]);
        bench.groups.unload_partition(bench.now, partition);
        let to = bench.txn_request(version, &request(7, "g", &[("t", 0, 5)]));
        assert_eq!(bench.txn_errors(to), [ErrorCode::NotCoordinator]);
    }
    let refused = super::super::txn_offset_commit_refused(&request(7, "g", &[("t", 0, 5), ("u", 1, 5)]), unknown);
    assert!(refused.topics.iter().all(|topic| topic.partitions[0].error_code == unknown.code()));
    assert_eq!(refused.topics.len(), 2);
}

#[test]
fn who_may_commit_in_a_transaction() {
    let mut bench = Bench::new();
    let (ids, generation) = bench.stable("g", 1);
    let id = ids[0].as_str();
    let ask = |bench: &mut Bench, group: &str, member: &str, instance: Option<&str>, generation: i32| {
        let request = request(7, group, &[("t", 0, 5)])
            .with_member_id(text(member))
            .with_group_instance_id(instance.map(text))
            .with_generation_id(generation);
        let to = bench.txn_request(3, &request);
        bench.txn_errors(to)[0]
    };
    let table = [
        ("g", id, None, generation, ErrorCode::None),
        ("g", "", None, -1, ErrorCode::None),
        ("g", id, None, generation + 1, ErrorCode::IllegalGeneration),
        ("g", id, None, -1, ErrorCode::IllegalGeneration),
        ("g", "", None, generation, ErrorCode::UnknownMemberId),
        ("g", "stranger", None, generation, ErrorCode::UnknownMemberId),
        ("g", "", Some("i"), -1, ErrorCode::UnknownMemberId),
        ("none", "m", None, 1, ErrorCode::IllegalGeneration),
        ("simple", "m", Some("i"), -1, ErrorCode::None),
        ("simple", "m", None, -1, ErrorCode::None),
        ("simple", "m", None, 0, ErrorCode::UnknownMemberId),
    ];
    for (group, member, instance, generation, error) in table {
        let answer = ask(&mut bench, group, member, instance, generation);
        assert_eq!(answer, error, "{group} {member} {instance:?} {generation}");
    }
    // The state of the group does not matter.
    let (_, newcomer) = bench.join_dynamic("g");
    bench.join(9, &join_request("g", id));
    assert_eq!(bench.joined(newcomer).error_code, 0);
    assert_eq!(bench.state("g"), "CompletingRebalance");
    assert_eq!(ask(&mut bench, "g", id, None, generation + 1), ErrorCode::None);
    // An instance that another member stands for.
    let to = bench.join(9, &join_request("s", "").with_group_instance_id(Some(text("i"))));
    bench.pass(3_000);
    let member = bench.joined(to).member_id.to_string();
    assert_eq!(ask(&mut bench, "s", "old", Some("i"), 1), ErrorCode::FencedInstanceId);
    assert_eq!(ask(&mut bench, "s", &member, Some("i"), 1), ErrorCode::None);
}

#[test]
fn members_of_consumer_groups_commit_by_their_epoch() {
    let mut bench = Bench::new();
    let (epoch, _) = bench.well(&joining("g", "a", &["t"]));
    bench.pass(1_000);
    bench.well(&joining("g", "b", &["t"]));
    bench.well(&alive("g", "a", epoch));
    let ask = |bench: &mut Bench, member: &str, instance: Option<&str>, epoch: i32, topic: &str| {
        let request = request(7, "g", &[(topic, 0, 5)])
            .with_member_id(text(member))
            .with_group_instance_id(instance.map(text))
            .with_generation_id(epoch);
        let to = bench.txn_request(5, &request);
        bench.txn_errors(to)[0]
    };
    let table = [
        ("a", None, epoch, "t", ErrorCode::None),
        ("", None, -1, "t", ErrorCode::None),
        ("", Some("i"), -1, "t", ErrorCode::UnknownMemberId),
        ("", None, -2, "t", ErrorCode::UnknownMemberId),
        ("c", None, epoch, "t", ErrorCode::UnknownMemberId),
        // STALE_MEMBER_EPOCH is not for this API.
        ("a", None, epoch + 1, "t", ErrorCode::IllegalGeneration),
        ("a", None, 0, "t", ErrorCode::IllegalGeneration),
        ("a", None, epoch - 1, "u", ErrorCode::IllegalGeneration),
        ("b", None, epoch, "u", ErrorCode::IllegalGeneration),
    ];
    for (member, instance, epoch, topic, error) in table {
        let answer = ask(&mut bench, member, instance, epoch, topic);
        assert_eq!(answer, error, "{member} {instance:?} {epoch} {topic}");
    }
    // What is too large for it to be written is not held against the epoch.
    let mut long = request(7, "g", &[("t", 0, 5)]).with_member_id(text("a")).with_generation_id(0);
    long.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(4097)));
    let to = bench.txn_request(5, &long);
    assert_eq!(bench.txn_errors(to), [ErrorCode::OffsetMetadataTooLarge]);
}

#[test]
fn open_offsets_keep_their_group_and_its_offsets_alive() {
    let day_ms = 24 * 3600 * 1000;
    let mut bench = Bench::new();
    bench.commit_plain("g", &[("t", 0, 5), ("t", 1, 6)]);
    let to = bench.commit_in_txn(7, "g", &[("t", 0, 50)]);
    bench.txn_errors(to);
    bench.pass(8 * day_ms);
    assert_eq!((bench.offset("g", "t", 0), bench.offset("g", "t", 1)), (5, -1), "only what no transaction is open for");
    bench.end("g", 7, false);
    bench.pass(1_200_000);
    assert_eq!((bench.state("g"), bench.groups.shared.offset_count), ("", 0));
}

#[test]
fn what_is_deleted_is_deleted_of_open_transactions_too() {
    let delete_group = |bench: &mut Bench| {
        let to = bench.to();
        let request = DeleteGroupsRequestData::default().with_groups_names(vec![text("g")]);
        bench.groups.delete_groups(bench.now, to, &request);
        bench.pump();
    };
    let delete_topic = |bench: &mut Bench| {
        let topics = BTreeMap::from([("t".into(), BTreeSet::from([topic_id("t")]))]);
        bench.groups.on_topics_deleted(bench.now, &topics);
        bench.pump();
    };
    let delete_offset = |bench: &mut Bench| bench.delete_offset("g", 0);
    type Way<'a> = &'a dyn Fn(&mut Bench);
    let ways: [(&str, Way<'_>); 3] = [("group", &delete_group), ("topic", &delete_topic), ("offset", &delete_offset)];
    for (name, delete) in ways {
        for is_on_its_way in [false, true] {
            let mut bench = Bench::new();
            bench.commit_plain("g", &[("u", 0, 1)]);
            bench.fate = if is_on_its_way { Fate::Wait } else { Fate::Commit };
            bench.commit_in_txn(7, "g", &[("t", 0, 50)]);
            delete(&mut bench);
            bench.settle(Ok(()));
            bench.fate = Fate::Commit;
            assert_eq!(bench.stable_offset("g", 0), Ok(-1), "{name}");
            bench.end("g", 7, true);
            assert_eq!(bench.offset("g", "t", 0), -1, "{name}");
            bench.fail_over();
            assert_eq!(bench.offset("g", "t", 0), -1, "{name}");
            let kept = usize::from(name != "group");
            assert_eq!(bench.groups.shared.offset_count, kept, "{name}");
        }
    }
}

#[test]
fn open_offsets_count_against_the_bounds() {
    let limits = super::super::Limits { offsets: 2, ..Default::default() };
    let mut bench = Bench::with(GroupConfig { limits, ..GroupConfig::default() });
    let to = bench.commit_in_txn(7, "g", &[("t", 0, 5), ("t", 1, 5)]);
    assert_eq!(bench.txn_errors(to), [ErrorCode::None, ErrorCode::None]);
    let to = bench.commit_in_txn(8, "g", &[("t", 2, 5)]);
    assert_eq!(bench.txn_errors(to), [ErrorCode::InvalidCommitOffsetSize]);
    let to = bench.commit_offset(8, "g", "", -1, &[("t", 2, 5)]);
    assert_eq!(bench.committed(to), [ErrorCode::InvalidCommitOffsetSize]);
    let metadata_bytes = bench.groups.shared.offset_metadata_bytes;
    bench.end("g", 7, false);
    assert_eq!((metadata_bytes, bench.groups.shared.offset_metadata_bytes), (8, 0));
    let to = bench.commit_in_txn(8, "g", &[("t", 2, 5)]);
    assert_eq!(bench.txn_errors(to), [ErrorCode::None]);
    // A coordinator that goes takes them along.
    let partition = bench.groups.partition_for("g");
    bench.groups.unload_partition(bench.now, partition);
    assert_eq!((bench.groups.shared.offset_count, bench.groups.shared.offset_metadata_bytes), (0, 0));
    let limits = super::super::Limits { pending_appends: 1, ..Default::default() };
    let mut bench = Bench::with(GroupConfig { limits, ..GroupConfig::default() });
    bench.fate = Fate::Wait;
    let first = bench.commit_in_txn(7, "g", &[("t", 0, 5)]);
    let end = bench.end_txn(bench.groups.partition_for("g"), 7, true);
    assert_eq!(bench.ended(end), ErrorCode::NotEnoughReplicas);
    bench.settle(Ok(()));
    assert_eq!(bench.txn_errors(first), [ErrorCode::None]);
}
