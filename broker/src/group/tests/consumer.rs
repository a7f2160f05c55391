//! Consumer groups (KIP-848): what each heartbeat is answered, and what becomes of the group.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::group::consumer::{ConsumerGroup, MemberState};
use crate::protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use crate::protocol::messages::{
    ConsumerGroupDescribeRequestData, ConsumerGroupHeartbeatRequestData, ConsumerGroupHeartbeatResponseData,
};
use crate::types::TopicIdPartition;

/// Partitions by topic name.
pub(super) type Has = BTreeMap<String, BTreeSet<i32>>;

pub(super) fn has(topics: &[(&str, &[i32])]) -> Has {
    topics.iter().map(|(name, partitions)| ((*name).to_owned(), partitions.iter().copied().collect())).collect()
}

/// A first heartbeat.
pub(super) fn joining(group: &str, member: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequestData {
    ConsumerGroupHeartbeatRequestData::default()
        .with_group_id(text(group))
        .with_member_id(text(member))
        .with_member_epoch(0)
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(topics.iter().map(|topic| text(topic)).collect()))
        .with_topic_partitions(Some(Vec::new()))
}

/// One that says that all is as before.
pub(super) fn alive(group: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequestData {
    ConsumerGroupHeartbeatRequestData::default()
        .with_group_id(text(group))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
}

/// One that tells what the member has.
pub(super) fn owning(group: &str, member: &str, epoch: i32, has: &Has) -> ConsumerGroupHeartbeatRequestData {
    let topic = |(name, partitions): (&String, &BTreeSet<i32>)| {
        TopicPartitions::default()
            .with_topic_id(topic_id(name).into())
            .with_partitions(partitions.iter().copied().collect())
    };
    alive(group, member, epoch).with_topic_partitions(Some(has.iter().map(topic).collect()))
}

impl Bench {
    pub(super) fn start_beat(&mut self, version: i16, request: &ConsumerGroupHeartbeatRequestData) -> ReplyTo {
        let to = self.to();
        self.groups.consumer_group_heartbeat(self.now, to, &client(version), request);
        self.pump();
        to
    }

    pub(super) fn beaten(&mut self, to: ReplyTo) -> ConsumerGroupHeartbeatResponseData {
        match self.replies.remove(&to) {
            Some(GroupResponse::ConsumerHeartbeat(response)) => response,
            other => panic!("no heartbeat answer for {to:?}: {other:?}"),
        }
    }

    pub(super) fn beat(&mut self, request: &ConsumerGroupHeartbeatRequestData) -> ConsumerGroupHeartbeatResponseData {
        let to = self.start_beat(1, request);
        self.beaten(to)
    }

    /// A heartbeat that must be accepted: the member's epoch, and its assignment if it is told one.
    pub(super) fn well(&mut self, request: &ConsumerGroupHeartbeatRequestData) -> (i32, Option<Has>) {
        let response = self.beat(request);
        assert_eq!(response.error_code, 0, "{response:?}");
        let name = |id: Id| self.image.topics[&id].name.to_string();
        let topics = |assignment: Box<crate::protocol::messages::consumer_group_heartbeat_response::Assignment>| {
            let topics = assignment.topic_partitions.into_iter();
            topics.map(|topic| (name(topic.topic_id.into()), topic.partitions.into_iter().collect())).collect()
        };
        (response.member_epoch, response.assignment.map(topics))
    }

    pub(super) fn refused(&mut self, request: &ConsumerGroupHeartbeatRequestData) -> (ErrorCode, String) {
        let response = self.beat(request);
        let message = response.error_message.map(|message| message.to_string()).unwrap_or_default();
        (ErrorCode::from(response.error_code), message)
    }

    pub(super) fn consumers(&self, id: &str) -> &ConsumerGroup {
        let partition = self.groups.partition_for(id);
        self.groups.shards[&partition].groups[id].consumer().unwrap()
    }

    pub(super) fn member_state(&self, group: &str, member: &str) -> MemberState {
        self.consumers(group).member(member).unwrap().current.state
    }

    /// The coordinator moves, and all is as it was.
    pub(super) fn check_replay(&mut self, id: &str) {
        let before = self.consumers(id).clone();
        self.fail_over();
        assert_eq!(self.consumers(id), &before, "the log tells another state");
    }

    pub(super) fn set_image(&mut self, image: Image) {
        self.image = image;
        let ids = self.image.topics.keys().map(|id| TopicIdPartition { topic_id: *id, partition: 0 });
        let delta = ImageDelta { partitions_changed: ids.collect(), ..ImageDelta::default() };
        self.groups.on_image(&self.image, &delta);
    }
}

/// The topics with so many partitions.
fn grown(sizes: &[(&str, usize)], offset: i64) -> Image {
    let mut image = image_of(&sizes.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, count) in sizes {
        let id = topic_id(name);
        let topic = TopicImage { name: (*name).into(), id, partitions: vec![PartitionImage::default(); *count] };
        image.topics.insert(id, Arc::new(topic));
    }
    image.offset = offset;
    image
}

#[test]
fn partitions_go_from_one_member_to_another() {
    let mut bench = Bench::new();
    let (epoch, assignment) = bench.well(&joining("g", "a", &["t"]));
    assert_eq!((epoch, assignment), (2, Some(has(&[("t", &[0, 1, 2, 3])]))));
    assert_eq!((bench.state("g"), bench.well(&alive("g", "a", 2))), ("Stable", (2, None)));

    bench.pass(1_000);
    // The newcomer waits for what the other has not given up.
    assert_eq!(bench.well(&joining("g", "b", &["t"])), (3, Some(Has::new())));
    assert_eq!(bench.member_state("g", "b"), MemberState::UnreleasedPartitions);
    assert_eq!(bench.state("g"), "Reconciling");
    // The other is told to give up two, in its old epoch.
    let kept = has(&[("t", &[0, 1])]);
    assert_eq!(bench.well(&alive("g", "a", 2)), (2, Some(kept.clone())));
    assert_eq!(bench.member_state("g", "a"), MemberState::UnrevokedPartitions);
    // Nothing moves until it has.
    assert_eq!(bench.well(&alive("g", "a", 2)), (2, None));
    assert_eq!(bench.well(&owning("g", "a", 2, &has(&[("t", &[0, 1, 2, 3])]))), (2, None));
    assert_eq!(bench.well(&alive("g", "b", 3)), (3, None));
    bench.check_replay("g");
    assert_eq!(bench.well(&owning("g", "a", 2, &kept)), (3, None));
    assert_eq!(bench.well(&alive("g", "b", 3)), (3, Some(has(&[("t", &[2, 3])]))));
    assert_eq!(bench.state("g"), "Stable");
    bench.check_replay("g");

    // It leaves, and the first has all again.
    let (epoch, assignment) = bench.well(&alive("g", "b", -1));
    assert_eq!((epoch, assignment), (-1, None));
    assert_eq!(bench.state("g"), "Assigning");
    bench.pass(1_000);
    assert_eq!(bench.well(&alive("g", "a", 3)), (4, Some(has(&[("t", &[0, 1, 2, 3])]))));
    bench.well(&alive("g", "a", -1));
    assert_eq!(bench.state("g"), "Empty");
    bench.check_replay("g");
}

#[test]
fn what_a_heartbeat_must_be_like() {
    let mut bench = Bench::new();
    bench.well(&joining("g", "a", &["t"]));
    let join = joining("g", "b", &["t"]);
    let invalid = ErrorCode::InvalidRequest;
    let table = [
        (joining("g", "", &["t"]), invalid, "MemberId can't be empty."),
        (joining("", "b", &["t"]), invalid, "GroupId can't be empty."),
        (join.clone().with_instance_id(Some(text(" "))), invalid, "InstanceId can't be empty."),
        (join.clone().with_rack_id(Some(text(""))), invalid, "RackId can't be empty."),
        (join.clone().with_rebalance_timeout_ms(-1), invalid, "RebalanceTimeoutMs must be provided in first request."),
        (join.clone().with_topic_partitions(None), invalid, "TopicPartitions must be empty when (re-)joining."),
        (
            owning("g", "b", 0, &has(&[("t", &[0])])).with_rebalance_timeout_ms(5),
            invalid,
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            join.clone().with_subscribed_topic_names(None),
            invalid,
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (alive("g", "a", -2), invalid, "InstanceId can't be null."),
        (alive("g", "a", -3), invalid, "MemberEpoch is invalid."),
        (
            join.clone().with_server_assignor(Some(text("other"))),
            ErrorCode::UnsupportedAssignor,
            "ServerAssignor other is not supported. Supported assignors: uniform, range.",
        ),
        (alive("none", "a", 2), ErrorCode::GroupIdNotFound, "Consumer group none not found."),
        (alive("none", "a", -1), ErrorCode::GroupIdNotFound, "Group none not found."),
        (alive("g", "x", 2), ErrorCode::UnknownMemberId, "Member x is not a member of group g."),
        (alive("g", "x", -1), ErrorCode::UnknownMemberId, "Member x is not a member of group g."),
        (
            alive("g", "a", 3),
            ErrorCode::FencedMemberEpoch,
            "The consumer group member has a greater member epoch (3) than the one known by the group coordinator (2). \
             The member must abandon all its partitions and rejoin.",
        ),
        (alive("g", "x", 2).with_instance_id(Some(text("i"))), ErrorCode::UnknownMemberId, "Instance id i is unknown."),
        (
            join.clone().with_subscribed_topic_regex(Some(text("["))),
            ErrorCode::InvalidRegularExpression,
            "SubscribedTopicRegex `[` is not a valid regular expression: missing closing ].",
        ),
    ];
    for (request, error, message) in table {
        assert_eq!(bench.refused(&request), (error, message.to_owned()), "{request:?}");
    }
    // Version 0 makes ids itself.
    let to = bench.start_beat(0, &joining("h", "", &["t"]));
    assert!(!bench.beaten(to).member_id.unwrap().is_empty());
    let partition = bench.groups.partition_for("g");
    bench.groups.unload_partition(bench.now, partition);
    assert_eq!(bench.refused(&alive("g", "a", 2)), (ErrorCode::NotCoordinator, String::new()));
    bench.groups.begin_load(bench.now, partition);
    assert_eq!(bench.refused(&alive("g", "a", 2)).0, ErrorCode::CoordinatorLoadInProgress);
}

/// Every state of a member × every kind of heartbeat: the error, or the epoch and state that it comes to.
#[test]
fn every_state_and_every_heartbeat() {
    #[derive(Clone, Copy, Debug)]
    enum Beat {
        Alive,
        StillOwnsAll,
        OwnsWhatItShould,
        PreviousEpochOwnsAll,
        PreviousEpochOwnsNothing,
        LaterEpoch,
        Rejoins,
    }
    use Beat::*;
    use MemberState::{Stable, UnreleasedPartitions, UnrevokedPartitions};
    type Outcome = Result<(i32, MemberState), ErrorCode>;
    const FENCED: Outcome = Err(ErrorCode::FencedMemberEpoch);
    // Member a: epoch 2, then 3 with half of the partitions.
    let table: [(MemberState, Beat, Outcome); 21] = [
        (Stable, Alive, Ok((3, Stable))),
        (Stable, StillOwnsAll, Ok((3, Stable))),
        (Stable, OwnsWhatItShould, Ok((3, Stable))),
        (Stable, PreviousEpochOwnsAll, FENCED),
        (Stable, PreviousEpochOwnsNothing, Ok((3, Stable))),
        (Stable, LaterEpoch, FENCED),
        (Stable, Rejoins, Ok((3, Stable))),
        (UnrevokedPartitions, Alive, Ok((2, UnrevokedPartitions))),
        (UnrevokedPartitions, StillOwnsAll, Ok((2, UnrevokedPartitions))),
        (UnrevokedPartitions, OwnsWhatItShould, Ok((3, Stable))),
        // The epoch before is this one: it is told that it has what it must give up.
        (UnrevokedPartitions, PreviousEpochOwnsAll, Ok((2, UnrevokedPartitions))),
        (UnrevokedPartitions, PreviousEpochOwnsNothing, Ok((3, Stable))),
        (UnrevokedPartitions, LaterEpoch, FENCED),
        (UnrevokedPartitions, Rejoins, Ok((3, Stable))),
        (UnreleasedPartitions, Alive, Ok((3, UnreleasedPartitions))),
        (UnreleasedPartitions, StillOwnsAll, Ok((3, UnreleasedPartitions))),
        (UnreleasedPartitions, OwnsWhatItShould, Ok((3, UnreleasedPartitions))),
        (UnreleasedPartitions, PreviousEpochOwnsAll, FENCED),
        // It has not been in the group before.
        (UnreleasedPartitions, PreviousEpochOwnsNothing, FENCED),
        (UnreleasedPartitions, LaterEpoch, FENCED),
        (UnreleasedPartitions, Rejoins, Ok((3, UnreleasedPartitions))),
    ];
    for (state, beat, expected) in table {
        let mut bench = Bench::new();
        let all = has(&[("t", &[0, 1, 2, 3])]);
        let half = has(&[("t", &[0, 1])]);
        bench.well(&joining("g", "a", &["t"]));
        bench.pass(1_000);
        bench.well(&joining("g", "b", &["t"]));
        bench.well(&alive("g", "a", 2));
        if state == Stable {
            bench.well(&owning("g", "a", 2, &half));
        }
        let member = if state == UnreleasedPartitions { "b" } else { "a" };
        let current = bench.consumers("g").member(member).unwrap().current.clone();
        assert_eq!(current.state, state);
        let should = if member == "a" { half.clone() } else { Has::new() };
        let request = match beat {
            Alive => alive("g", member, current.epoch),
            StillOwnsAll => owning("g", member, current.epoch, &all),
            OwnsWhatItShould => owning("g", member, current.epoch, &should),
            PreviousEpochOwnsAll => owning("g", member, current.previous_epoch.max(1), &all),
            PreviousEpochOwnsNothing => owning("g", member, current.previous_epoch.max(1), &Has::new()),
            LaterEpoch => alive("g", member, current.epoch + 1),
            Rejoins => joining("g", member, &["t"]),
        };
        let response = bench.beat(&request);
        let outcome = match ErrorCode::from(response.error_code) {
            ErrorCode::None => Ok((response.member_epoch, bench.member_state("g", member))),
            error => Err(error),
        };
        assert_eq!(outcome, expected, "{state:?} {beat:?}");
        bench.check_replay("g");
    }
}

#[test]
fn static_members_come_back() {
    let mut bench = Bench::new();
    let instance = |request: ConsumerGroupHeartbeatRequestData, id: &str| request.with_instance_id(Some(text(id)));
    let (epoch, all) = bench.well(&instance(joining("g", "a", &["t"]), "i"));
    assert_eq!(epoch, 2);
    let unreleased = bench.refused(&instance(joining("g", "a2", &["t"]), "i"));
    assert_eq!(unreleased.0, ErrorCode::UnreleasedInstanceId);
    assert_eq!(
        unreleased.1,
        "Static member a2 with instance id i cannot join the group because the instance id is owned by a member."
    );
    // It goes for a while; its partitions stay its own.
    assert_eq!(bench.well(&instance(alive("g", "a", -2), "i")), (-2, None));
    bench.check_replay("g");
    assert_eq!(bench.consumers("g").epoch, 2);
    assert_eq!(bench.well(&instance(joining("g", "a2", &["t"]), "i")), (2, all));
    assert_eq!((bench.consumers("g").epoch, bench.consumers("g").member_count()), (2, 1));
    bench.check_replay("g");
    let fenced = bench.refused(&instance(alive("g", "a", 2), "i"));
    assert_eq!(fenced.0, ErrorCode::FencedInstanceId);
    assert_eq!(fenced.1, "Static member a with instance id i was fenced by member a2.");
    assert_eq!(bench.refused(&alive("g", "a", 2)).0, ErrorCode::UnknownMemberId);
    assert_eq!(bench.well(&instance(alive("g", "a2", 2), "i")), (2, None));
    // With another subscription the group changes.
    bench.well(&instance(alive("g", "a2", -2), "i"));
    bench.pass(1_000);
    let (epoch, assignment) = bench.well(&instance(joining("g", "a3", &["u"]), "i"));
    assert_eq!((epoch, assignment), (3, Some(has(&[("u", &[0, 1, 2, 3])]))));
    bench.check_replay("g");
    // Who stays away is thrown out, with the session time-out.
    bench.well(&instance(alive("g", "a3", -2), "i"));
    bench.pass(45_000);
    assert_eq!(bench.state("g"), "Empty");
    let came_for = |old: &str| MemberChange::Replaced { member_id: old.into() };
    assert_eq!(bench.told_of("a"), [MemberChange::Joined, MemberChange::LeftForAWhile]);
    assert_eq!(bench.told_of("a2"), [came_for("a"), MemberChange::LeftForAWhile]);
    assert_eq!(bench.told_of("a3"), [came_for("a2"), MemberChange::LeftForAWhile, MemberChange::SessionExpired]);
    assert_eq!(bench.refused(&instance(alive("g", "a3", -1), "i")).1, "Instance id i is unknown.");
}

#[test]
fn who_is_silent_or_keeps_what_it_must_give_up_is_thrown_out() {
    let mut bench = Bench::new();
    bench.well(&joining("g", "a", &["t"]).with_rebalance_timeout_ms(20_000));
    bench.pass(1_000);
    bench.well(&joining("g", "b", &["t"]));
    assert_eq!(bench.well(&alive("g", "a", 2)).0, 2);
    for _ in 0..5 {
        bench.pass(3_900);
        bench.well(&alive("g", "a", 2));
        bench.well(&alive("g", "b", 3));
    }
    assert_eq!(bench.member_state("g", "a"), MemberState::UnrevokedPartitions);
    bench.pass(1_000);
    assert_eq!(bench.refused(&alive("g", "a", 2)).0, ErrorCode::UnknownMemberId);
    bench.pass(1_000);
    assert_eq!(bench.well(&alive("g", "b", 3)), (4, Some(has(&[("t", &[0, 1, 2, 3])]))));
    bench.pass(44_999);
    assert_eq!(bench.state("g"), "Stable");
    bench.pass(1);
    assert_eq!(bench.state("g"), "Empty");
    assert_eq!(bench.told_of("a"), [MemberChange::Joined, MemberChange::NotRevoked]);
    assert_eq!(bench.told_of("b"), [MemberChange::Joined, MemberChange::SessionExpired]);
    bench.check_replay("g");
    bench.pass(1_000_000);
    assert!(bench.groups.shared.timers.len() <= 50, "only the expiry of each partition is left");
}

#[test]
fn a_group_follows_its_topics() {
    let mut bench = Bench::new();
    bench.well(&joining("g", "a", &["t", "later"]));
    bench.pass(1_000);
    let hash = bench.consumers("g").metadata_hash;
    bench.set_image(grown(&[("t", 6), ("u", 4)], 5));
    let (epoch, assignment) = bench.well(&alive("g", "a", 2));
    assert_eq!((epoch, assignment), (3, Some(has(&[("t", &[0, 1, 2, 3, 4, 5])]))));
    assert_ne!(bench.consumers("g").metadata_hash, hash);
    bench.pass(1_000);
    // A topic that nobody reads makes no difference; one that was waited for does.
    bench.set_image(grown(&[("t", 6), ("u", 8)], 6));
    assert_eq!(bench.well(&alive("g", "a", 3)), (3, None));
    bench.set_image(grown(&[("t", 6), ("u", 8), ("later", 1)], 7));
    let all = has(&[("t", &[0, 1, 2, 3, 4, 5]), ("later", &[0])]);
    assert_eq!(bench.well(&alive("g", "a", 3)), (4, Some(all)));
    bench.pass(1_000);
    bench.set_image(grown(&[("t", 6), ("u", 8)], 8));
    // A topic that is gone is taken away; the member must say that it has given it up.
    let left = has(&[("t", &[0, 1, 2, 3, 4, 5])]);
    assert_eq!(bench.well(&alive("g", "a", 4)), (4, Some(left.clone())));
    assert_eq!(bench.well(&owning("g", "a", 4, &left)), (5, None));
    bench.check_replay("g");
}

#[test]
fn targets_are_worked_out_once_in_an_interval() {
    let mut bench = Bench::new();
    bench.well(&joining("g", "a", &["t"]));
    // Too early: it is in the group, and in the epoch of the target that there is.
    assert_eq!(bench.well(&joining("g", "b", &["t"])), (2, Some(Has::new())));
    assert_eq!((bench.consumers("g").epoch, bench.consumers("g").target_epoch, bench.state("g")), (3, 2, "Assigning"));
    bench.pass(999);
    assert_eq!(bench.well(&alive("g", "b", 2)), (2, None));
    bench.pass(1);
    assert_eq!(bench.well(&alive("g", "b", 2)), (3, None));
    assert_eq!(bench.consumers("g").target_epoch, 3);
}

#[test]
fn regular_expressions_are_resolved_a_moment_later() {
    let mut bench = Bench::new();
    let regex = |request: ConsumerGroupHeartbeatRequestData, regex: &str| {
        request.with_subscribed_topic_names(None).with_subscribed_topic_regex(Some(text(regex)))
    };
    bench.set_image(grown(&[("tea", 2), ("toast", 2), ("other", 2)], 3));
    // Not resolved yet, it means nothing.
    assert_eq!(bench.well(&regex(joining("g", "a", &[]), "t.*")), (1, Some(Has::new())));
    bench.pass(0);
    assert_eq!(bench.consumers("g").epoch, 2);
    let all = has(&[("tea", &[0, 1]), ("toast", &[0, 1])]);
    assert_eq!(bench.well(&alive("g", "a", 1)), (2, Some(all)));
    bench.check_replay("g");
    assert_eq!(bench.consumers("g").regexes()["t.*"].topics.len(), 2);
    // New topics count, but no more often than every ten seconds.
    bench.set_image(grown(&[("tea", 2), ("toast", 2), ("tart", 1), ("other", 2)], 4));
    assert_eq!(bench.well(&alive("g", "a", 2)), (2, None));
    bench.pass(0);
    assert_eq!(bench.consumers("g").epoch, 2);
    bench.pass(10_001);
    bench.well(&alive("g", "a", 2));
    bench.pass(0);
    assert_eq!(bench.consumers("g").epoch, 3);
    let (epoch, assignment) = bench.well(&alive("g", "a", 2));
    assert_eq!((epoch, assignment.map(|topics| topics.len())), (3, Some(3)));
    // A member that joins with the same expression finds it resolved.
    bench.pass(1_000);
    assert_eq!(bench.well(&regex(joining("g", "b", &[]), "t.*")).0, 4);
    bench.well(&alive("g", "a", -1));
    bench.well(&alive("g", "b", -1));
    assert!(bench.consumers("g").regexes().is_empty());
    bench.check_replay("g");
}

#[test]
fn what_cannot_be_written_has_not_been() {
    let mut bench = Bench::new();
    bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
    assert_eq!(bench.refused(&joining("g", "a", &["t"])).0, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.state("g"), "");
    bench.fate = Fate::Commit;
    bench.well(&joining("g", "a", &["t"]));
    bench.pass(1_000);
    let before = bench.consumers("g").clone();
    bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
    assert_eq!(bench.refused(&joining("g", "b", &["t"])).0, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.consumers("g"), &before);
    assert_eq!(bench.refused(&alive("g", "a", -1)).0, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(bench.consumers("g"), &before);
    // Two changes on their way: what builds on one that fails fails too.
    bench.fate = Fate::Wait;
    let first = bench.start_beat(1, &joining("g", "b", &["t"]));
    let second = bench.start_beat(1, &joining("g", "c", &["t"]));
    assert_eq!(bench.consumers("g").member_count(), 3);
    assert!(bench.is_waiting(first) && bench.is_waiting(second));
    let described = bench
        .groups
        .consumer_group_describe(&ConsumerGroupDescribeRequestData::default().with_group_ids(vec![text("g")]));
    assert_eq!(described.groups[0].members.len(), 1, "what is not written is not shown");
    bench.settle(Err(ErrorCode::NotEnoughReplicas));
    for to in [first, second] {
        assert_eq!(ErrorCode::from(bench.beaten(to).error_code), ErrorCode::CoordinatorNotAvailable);
    }
    assert_eq!(bench.consumers("g"), &before);
    bench.fate = Fate::Commit;
    bench.check_replay("g");
}
