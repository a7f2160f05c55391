//! Share states and offsets of share groups: they go with their group, and are altered, forgotten and described.

use super::consumer::joining;
use super::share::{pulse, sharing};
use super::*;
use crate::protocol::messages::{
    AlterShareGroupOffsetsRequestData, AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
    AlterShareGroupOffsetsResponseData, DeleteGroupsRequestData, DeleteShareGroupOffsetsRequestData,
    DeleteShareGroupOffsetsRequestTopic, DeleteShareGroupOffsetsResponseData, DescribeShareGroupOffsetsRequestData,
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use crate::types::TopicPartition;

impl Bench {
    fn delete_group(&mut self, id: &str) -> ReplyTo {
        let to = self.to();
        let request = DeleteGroupsRequestData::default().with_groups_names(vec![text(id)]);
        self.groups.delete_groups(self.now, to, &request);
        self.pump();
        to
    }

    fn deletion(&mut self, to: ReplyTo) -> ErrorCode {
        match self.replies.remove(&to) {
            Some(GroupResponse::Delete(response)) => ErrorCode::from(response.results[0].error_code),
            other => panic!("no DeleteGroups answer for {to:?}: {other:?}"),
        }
    }

    fn alter(&mut self, group: &str, starts: &[(&str, i32, i64)]) -> AlterShareGroupOffsetsResponseData {
        let topic = |(name, index, start): &(&str, i32, i64)| {
            let partition = AlterShareGroupOffsetsRequestPartition::default()
                .with_partition_index(*index)
                .with_start_offset(*start);
            AlterShareGroupOffsetsRequestTopic::default().with_topic_name(text(name)).with_partitions(vec![partition])
        };
        let request = AlterShareGroupOffsetsRequestData::default()
            .with_group_id(text(group))
            .with_topics(starts.iter().map(topic).collect());
        let to = self.to();
        self.groups.alter_share_group_offsets(self.now, to, &request);
        self.pump();
        match self.replies.remove(&to) {
            Some(GroupResponse::AlterShareOffsets(response)) => response,
            other => panic!("no AlterShareGroupOffsets answer: {other:?}"),
        }
    }

    fn forget(&mut self, group: &str, topics: &[&str]) -> DeleteShareGroupOffsetsResponseData {
        let topic = |name: &&str| DeleteShareGroupOffsetsRequestTopic::default().with_topic_name(text(name));
        let request = DeleteShareGroupOffsetsRequestData::default()
            .with_group_id(text(group))
            .with_topics(topics.iter().map(topic).collect());
        let to = self.to();
        self.groups.delete_share_group_offsets(self.now, to, &request);
        self.pump();
        match self.replies.remove(&to) {
            Some(GroupResponse::DeleteShareOffsets(response)) => response,
            other => panic!("no DeleteShareGroupOffsets answer: {other:?}"),
        }
    }

    fn progress(&mut self, group: &str, topics: Option<&[(&str, &[i32])]>) -> DescribeShareGroupOffsetsResponseGroup {
        let topic = |(name, partitions): &(&str, &[i32])| {
            DescribeShareGroupOffsetsRequestTopic::default()
                .with_topic_name(text(name))
                .with_partitions(partitions.to_vec())
        };
        let group = DescribeShareGroupOffsetsRequestGroup::default()
            .with_group_id(text(group))
            .with_topics(topics.map(|topics| topics.iter().map(topic).collect()));
        let to = self.to();
        let request = DescribeShareGroupOffsetsRequestData::default().with_groups(vec![group]);
        self.groups.describe_share_group_offsets(to, &request);
        self.pump();
        match self.replies.remove(&to) {
            Some(GroupResponse::DescribeShareOffsets(mut response)) => response.groups.remove(0),
            other => panic!("no DescribeShareGroupOffsets answer: {other:?}"),
        }
    }
}

/// (topic, partition, start offset, leader epoch, lag, error)
type Progress = (String, i32, i64, i32, i64, ErrorCode);

fn told(group: &DescribeShareGroupOffsetsResponseGroup) -> Vec<Progress> {
    let partitions = group.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |it| (topic, it)));
    let one = |(topic, it): (&DescribeShareGroupOffsetsResponseTopic, _)| {
        let it: &DescribeShareGroupOffsetsResponsePartition = it;
        let error = ErrorCode::from(it.error_code);
        (topic.topic_name.to_string(), it.partition_index, it.start_offset, it.leader_epoch, it.lag, error)
    };
    partitions.map(one).collect()
}

#[test]
fn a_group_goes_with_its_share_states() {
    let mut bench = Bench::new();
    bench.shared(&sharing("g", "a", &["t"]));
    let to = bench.delete_group("g");
    assert_eq!(bench.deletion(to), ErrorCode::NonEmptyGroup);
    bench.pulse(&pulse("g", "a", -1));
    // The persister cannot: the group stays, and remembers what it was about to do.
    bench.persister.error = ErrorCode::CoordinatorNotAvailable;
    let to = bench.delete_group("g");
    assert_eq!(bench.deletion(to), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.sharers("g").state().unwrap().deleting.len(), 1);
    bench.check_share_replay("g");
    bench.persister.error = ErrorCode::None;
    bench.persister.waits = true;
    let to = bench.delete_group("g");
    assert!(bench.is_waiting(to));
    bench.answer_shares();
    assert_eq!((bench.deletion(to), bench.persister.states.len()), (ErrorCode::None, 0));
    assert_eq!(bench.state("g"), "");
    bench.fail_over();
    assert_eq!(bench.state("g"), "", "nothing of it is left in the log");
    let to = bench.delete_group("g");
    assert_eq!(bench.deletion(to), ErrorCode::GroupIdNotFound);
    // Somebody comes while its states are deleted.
    bench.persister.waits = false;
    bench.shared(&sharing("g", "a", &["t"]));
    bench.pulse(&pulse("g", "a", -1));
    bench.persister.waits = true;
    let to = bench.delete_group("g");
    bench.shared(&sharing("g", "a", &["t"]));
    bench.answer_shares();
    assert_eq!(bench.deletion(to), ErrorCode::NonEmptyGroup);
    // The coordinator moves meanwhile.
    bench.persister.waiting.clear();
    bench.pulse(&pulse("g", "a", -1));
    let to = bench.delete_group("g");
    let partition = bench.groups.partition_for("g");
    bench.groups.unload_partition(bench.now, partition);
    bench.answer_shares();
    assert_eq!(bench.deletion(to), ErrorCode::NotCoordinator);
}

#[test]
fn offsets_are_altered_while_nobody_reads() {
    let mut bench = Bench::new();
    // There need be no group.
    let answer = bench.alter("g", &[("none", 0, 1), ("t", 0, 5), ("t", 1, 6), ("t", 9, 7)]);
    let partitions: Vec<(&str, i32, i16)> = answer
        .responses
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(move |it| (topic.topic_name.as_str(), it)))
        .map(|(name, it)| (name, it.partition_index, it.error_code))
        .collect();
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(partitions, [("none", 0, unknown), ("t", 0, 0), ("t", 1, 0), ("t", 9, unknown)]);
    assert_eq!((answer.error_code, bench.state("g")), (0, "Empty"));
    let start = |bench: &Bench, index| bench.persister.states[&("g".to_owned(), topic_id("t"), index)];
    assert_eq!((start(&bench, 0), start(&bench, 1)), (5, 6));
    bench.check_share_replay("g");
    assert_eq!(bench.sharers("g").state().unwrap().initialized[&topic_id("t")].partitions, [0, 1].into());

    bench.persister.error = ErrorCode::NotCoordinator;
    let answer = bench.alter("g", &[("t", 2, 5)]);
    assert_eq!(answer.responses[0].partitions[0].error_code, ErrorCode::NotCoordinator.code());
    bench.persister.error = ErrorCode::None;
    let answer = bench.alter("g", &[("t", -1, 5)]);
    assert_eq!(answer.error_code, ErrorCode::UnknownServerError.code());
    bench.shared(&sharing("g", "a", &["t"]));
    let answer = bench.alter("g", &[("t", 0, 5)]);
    assert_eq!(answer.error_code, ErrorCode::NonEmptyGroup.code());
    assert_eq!(answer.error_message.unwrap().as_str(), "The group is not empty.");
    // The rest got its state with the first member, from where nobody has read.
    assert_eq!((start(&bench, 0), start(&bench, 3)), (5, -1));
    bench.well(&joining("c", "a", &["t"]));
    let answer = bench.alter("c", &[("t", 0, 5)]);
    assert_eq!(answer.error_message.unwrap().as_str(), "Group c is not a share group.");
    assert_eq!(bench.alter("", &[("t", 0, 5)]).error_code, ErrorCode::InvalidGroupId.code());
    // Nothing is written for a group whose topics do not exist.
    bench.alter("h", &[("none", 0, 1)]);
    assert_eq!(bench.state("h"), "");
}

#[test]
fn offsets_are_forgotten_while_nobody_reads() {
    let mut bench = Bench::new();
    let error = |answer: &DeleteShareGroupOffsetsResponseData| ErrorCode::from(answer.error_code);
    assert_eq!(error(&bench.forget("g", &["t"])), ErrorCode::GroupIdNotFound);
    assert_eq!(error(&bench.forget("", &["t"])), ErrorCode::InvalidGroupId);
    bench.shared(&sharing("g", "a", &["t", "u"]));
    assert_eq!(error(&bench.forget("g", &["t"])), ErrorCode::NonEmptyGroup);
    bench.pulse(&pulse("g", "a", -1));
    let answer = bench.forget("g", &["none", "t"]);
    let told: Vec<(&str, i16)> =
        answer.responses.iter().map(|topic| (topic.topic_name.as_str(), topic.error_code)).collect();
    assert_eq!(told, [("t", 0), ("none", ErrorCode::UnknownTopicOrPartition.code())]);
    assert_eq!(bench.persister.states.len(), 4);
    let answer = bench.forget("g", &["t"]);
    assert_eq!(
        answer.responses[0].error_message.as_ref().unwrap().as_str(),
        "There is no offset information to delete."
    );
    bench.check_share_replay("g");
    // The persister fails: it is tried again by whoever asks again.
    bench.persister.error = ErrorCode::NotCoordinator;
    let answer = bench.forget("g", &["u"]);
    assert_eq!(answer.responses[0].error_code, ErrorCode::NotCoordinator.code());
    bench.persister.error = ErrorCode::None;
    let answer = bench.forget("g", &["u"]);
    assert_eq!((answer.responses[0].error_code, bench.persister.states.len()), (0, 0));
    let state = bench.sharers("g").state().unwrap();
    assert!(state.deleting.is_empty() && state.initialized.is_empty());
    // Who comes back begins anew.
    bench.shared(&sharing("g", "a", &["t"]));
    assert_eq!(bench.persister.states.len(), 4);
}

#[test]
fn progress_is_told_with_its_lag() {
    let mut bench = Bench::new();
    bench.alter("g", &[("t", 0, 5), ("t", 1, 6)]);
    let well = |index, start, lag| ("t".to_owned(), index, start, 3, lag, ErrorCode::None);
    let answer = bench.progress("g", None);
    assert_eq!(told(&answer), [well(0, 5, 93), well(1, 6, 92)]);
    let end = TopicPartition { topic: "t".into(), partition: 1 };
    bench.persister.ends.insert(end, Err(ErrorCode::LeaderNotAvailable));
    let answer = bench.progress("g", Some(&[("none", &[4]), ("t", &[1, 2])]));
    assert_eq!(
        told(&answer),
        [
            ("t".to_owned(), 1, 0, 0, -1, ErrorCode::LeaderNotAvailable),
            ("t".to_owned(), 2, -1, 3, -1, ErrorCode::None),
            ("none".to_owned(), 4, -1, 0, -1, ErrorCode::None),
        ]
    );
    // What the persister cannot tell counts as nothing.
    bench.persister.error = ErrorCode::NotCoordinator;
    let answer = bench.progress("g", Some(&[("t", &[0])]));
    assert_eq!(told(&answer), [("t".to_owned(), 0, -1, 0, -1, ErrorCode::None)]);
    assert_eq!(told(&bench.progress("none", None)), []);
    assert_eq!(told(&bench.progress("g", Some(&[]))), []);
    for topics in [[("t", &[-1][..])], [("t", &[][..])]] {
        assert_eq!(bench.progress("g", Some(&topics)).error_code, ErrorCode::UnknownServerError.code());
    }
    let partition = bench.groups.partition_for("g");
    bench.groups.unload_partition(bench.now, partition);
    assert_eq!(bench.progress("g", None).error_code, ErrorCode::NotCoordinator.code());
}
