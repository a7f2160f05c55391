//! Streams groups and what is around them: offsets of their members, groups of other kinds, a log that takes nothing, bounds.

use super::streams::{Has, alive, bench, has, joining, owning, reading};
use super::*;
use crate::protocol::messages::streams_group_heartbeat_request::KeyValue;
use crate::protocol::messages::{
    ListGroupsRequestData, OffsetDeleteRequestData, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};

#[test]
fn offsets_are_committed_by_members_in_time() {
    let mut bench = bench();
    bench.runs(&joining("g", "a", reading(&["t"])));
    let commit = |bench: &mut Bench, version, member: &str, epoch, topic: &str, partition| {
        let to = bench.commit_streams(version, member, epoch, topic, partition);
        match bench.replies.remove(&to) {
            Some(GroupResponse::OffsetCommit(response)) => ErrorCode::from(response.topics[0].partitions[0].error_code),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(commit(&mut bench, 9, "a", 2, "t", 0), ErrorCode::None);
    assert_eq!(commit(&mut bench, 9, "a", 3, "t", 0), ErrorCode::StaleMemberEpoch);
    assert_eq!(commit(&mut bench, 9, "a", 1, "t", 0), ErrorCode::StaleMemberEpoch);
    assert_eq!(commit(&mut bench, 8, "a", 2, "t", 0), ErrorCode::UnsupportedVersion);
    assert_eq!(commit(&mut bench, 9, "x", 2, "t", 0), ErrorCode::UnknownMemberId);
    assert_eq!(commit(&mut bench, 9, "", -1, "t", 0), ErrorCode::UnknownMemberId);
    // In a later epoch it may still commit what it was given before, but no more.
    bench.pass(1_000);
    bench.runs(&joining("g", "b", reading(&["t"])));
    bench.runs(&alive("g", "a", 2));
    bench.runs(&owning("g", "a", 2, &has(&[("0", &[0, 1])]), &Has::new()));
    assert_eq!(commit(&mut bench, 9, "a", 2, "t", 0), ErrorCode::None);
    assert_eq!(commit(&mut bench, 9, "a", 2, "t", 3), ErrorCode::StaleMemberEpoch);
    assert_eq!(commit(&mut bench, 9, "a", 2, "u", 0), ErrorCode::StaleMemberEpoch);
    let delete = |bench: &mut Bench, topic: &str| {
        let partitions = vec![OffsetDeleteRequestPartition::default()];
        let topics = vec![OffsetDeleteRequestTopic::default().with_name(text(topic)).with_partitions(partitions)];
        let request = OffsetDeleteRequestData::default().with_group_id(text("g")).with_topics(topics);
        let to = bench.to();
        bench.groups.offset_delete(bench.now, to, &request, &bench.image);
        bench.pump();
        match bench.replies.remove(&to) {
            Some(GroupResponse::OffsetDelete(response)) => ErrorCode::from(response.topics[0].partitions[0].error_code),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(delete(&mut bench, "t"), ErrorCode::GroupSubscribedToTopic);
    assert_eq!(delete(&mut bench, "u"), ErrorCode::None);
}

impl Bench {
    fn commit_streams(&mut self, version: i16, member: &str, epoch: i32, topic: &str, partition: i32) -> ReplyTo {
        let partition =
            OffsetCommitRequestPartition::default().with_partition_index(partition).with_committed_offset(7);
        let topic = OffsetCommitRequestTopic::default().with_name(text(topic)).with_partitions(vec![partition]);
        let request = OffsetCommitRequestData::default()
            .with_group_id(text("g"))
            .with_member_id(text(member))
            .with_generation_id_or_member_epoch(epoch)
            .with_retention_time_ms(-1)
            .with_topics(vec![topic]);
        let to = self.to();
        self.groups.offset_commit(self.now, to, &client(version), &request, &self.image);
        self.pump();
        to
    }
}

#[test]
fn groups_of_one_kind_are_not_of_another() {
    let mut bench = bench();
    bench.runs(&joining("g", "a", reading(&["t"])));
    let listed = bench.groups.list_groups(&ListGroupsRequestData::default()).groups;
    let listed: Vec<_> = listed
        .iter()
        .map(|group| (group.group_type.as_str(), group.protocol_type.as_str(), group.group_state.as_str()))
        .collect();
    assert_eq!(listed, [("streams", "streams", "Stable")]);
    assert_eq!(bench.refused(&consumer::joining("g", "c", &["t"])).0, ErrorCode::GroupIdNotFound);
    let to = bench.join(9, &join_request("g", ""));
    assert_eq!(bench.joined(to).error_code, ErrorCode::InconsistentGroupProtocol.code());
    assert_eq!(bench.heartbeat("g", "a", 2), ErrorCode::UnknownMemberId);
    bench.beat(&consumer::joining("consumers", "c", &["t"]));
    let refused = bench.streams_refused(&joining("consumers", "a", reading(&["t"])));
    assert_eq!(refused, (ErrorCode::GroupIdNotFound, "Group consumers is not a streams group.".to_owned()));
    // Empty, it becomes a classic one, and that, empty, a streams group again.
    bench.runs(&alive("g", "a", -1));
    bench.stable("g", 1);
    let partition = bench.groups.partition_for("g");
    let member = match &bench.groups.shards[&partition].groups["g"] {
        crate::group::kind::Group::Classic(group) => group.member_ids()[0].to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        bench.streams_refused(&joining("g", "a", reading(&["t"]))),
        (ErrorCode::GroupIdNotFound, "Group g is not a streams group.".to_owned())
    );
    let to = bench.leave(5, "g", &[(&member, None)]);
    bench.left(to);
    assert_eq!(bench.runs(&joining("g", "a", reading(&["t"]))).0, 2);
    bench.check_streams_replay("g");
}

#[test]
fn what_cannot_be_written_has_not_been() {
    let mut bench = bench();
    bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
    assert_eq!(bench.streams_refused(&joining("g", "a", reading(&["t"]))).0, ErrorCode::CoordinatorNotAvailable);
    let partition = bench.groups.partition_for("g");
    assert!(!bench.groups.shards[&partition].groups.contains_key("g"));
    bench.fate = Fate::Commit;
    bench.runs(&joining("g", "a", reading(&["t"])));
    let before = bench.streams("g").clone();
    bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
    bench.pass(1_000);
    assert_eq!(bench.streams_refused(&joining("g", "b", reading(&["t"]))).0, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.streams("g"), &before);
    bench.fate = Fate::Commit;
    bench.check_streams_replay("g");
}

#[test]
fn a_group_has_room_for_so_many() {
    let mut config = GroupConfig::default();
    config.streams.max_size = 1;
    config.streams.initial_rebalance_delay_ms = 0;
    let mut bench = Bench::with(config);
    bench.runs(&joining("g", "a", reading(&["t"])));
    let full = (ErrorCode::GroupMaxSizeReached, "The streams group has reached its maximum capacity of 1 members.");
    assert_eq!(bench.streams_refused(&joining("g", "b", reading(&["t"]))), (full.0, full.1.to_owned()));
    // Kafka refuses a member that joins again, too.
    assert_eq!(bench.streams_refused(&joining("g", "a", reading(&["t"]))).0, full.0);
    assert_eq!(bench.runs(&alive("g", "a", 2)).0, 2);
    let large = "x".repeat(2 * 1024 * 1024);
    let mut other = joining("h", "a", reading(&["t"]));
    other.client_tags = Some(vec![KeyValue::default().with_key(text("k")).with_value(text(&large))]);
    assert_eq!(bench.streams_refused(&other).0, ErrorCode::GroupMaxSizeReached);
}
