//! Share groups (KIP-932): what each heartbeat is answered, what becomes of the group, and what the persister is asked.

use std::collections::{BTreeMap, BTreeSet};

use super::consumer::{Has, has, joining};
use super::*;
use crate::group::api::{ShareStateRequest, ShareStateResponse};
use crate::group::share::{LatestOffsets, ShareGroup};
use crate::metadata::config::RESOURCE_GROUP;
use crate::protocol::messages::{
    DeleteShareGroupStateResponseData, DeleteStateResult, DescribeGroupsRequestData,
    InitializeShareGroupStateResponseData, InitializeStateResult, ListGroupsRequestData, OffsetDeleteRequestData,
    ReadShareGroupStateSummaryResponseData, ReadStateSummaryResult, ShareGroupDescribeRequestData,
    ShareGroupHeartbeatRequestData, ShareGroupHeartbeatResponseData, delete_share_group_state_response,
    initialize_share_group_state_response, read_share_group_state_summary_response,
};
use crate::types::TopicPartition;

/// A persister of share states.
#[derive(Debug)]
pub(in crate::group) struct Persister {
    /// What it answers for every partition.
    pub(in crate::group) error: ErrorCode,
    /// It does not answer until [`Bench::answer_shares`].
    pub(in crate::group) waits: bool,
    pub(in crate::group) waiting: Vec<(u64, ShareStateRequest)>,
    /// What has a state: group, topic, partition → start offset.
    pub(in crate::group) states: BTreeMap<(String, Id, i32), i64>,
    /// How many questions it was asked.
    pub(in crate::group) asked: usize,
    /// Ends of partitions.
    pub(in crate::group) ends: LatestOffsets,
}

impl Default for Persister {
    fn default() -> Persister {
        Persister {
            error: ErrorCode::None,
            waits: false,
            waiting: Vec::new(),
            states: BTreeMap::new(),
            asked: 0,
            ends: LatestOffsets::new(),
        }
    }
}

impl Persister {
    fn answer(&mut self, request: &ShareStateRequest) -> ShareStateResponse {
        let code = self.error.code();
        match request {
            ShareStateRequest::Initialize(request) => {
                let results = request.topics.iter().map(|topic| {
                    let partitions = topic.partitions.iter().map(|it| {
                        if self.error == ErrorCode::None {
                            let key = (request.group_id.to_string(), topic.topic_id.into(), it.partition);
                            self.states.insert(key, it.start_offset);
                        }
                        initialize_share_group_state_response::PartitionResult::default()
                            .with_partition(it.partition)
                            .with_error_code(code)
                    });
                    let partitions = partitions.collect();
                    InitializeStateResult::default().with_topic_id(topic.topic_id).with_partitions(partitions)
                });
                let results = results.collect();
                let response = InitializeShareGroupStateResponseData::default().with_results(results);
                ShareStateResponse::Initialize(Box::new(response))
            }
            ShareStateRequest::Delete(request) => {
                let results = request.topics.iter().map(|topic| {
                    let partitions = topic.partitions.iter().map(|it| {
                        if self.error == ErrorCode::None {
                            let key = (request.group_id.to_string(), topic.topic_id.into(), it.partition);
                            self.states.remove(&key);
                        }
                        delete_share_group_state_response::PartitionResult::default()
                            .with_partition(it.partition)
                            .with_error_code(code)
                    });
                    let partitions = partitions.collect();
                    DeleteStateResult::default().with_topic_id(topic.topic_id).with_partitions(partitions)
                });
                let results = results.collect();
                let response = DeleteShareGroupStateResponseData::default().with_results(results);
                ShareStateResponse::Delete(Box::new(response))
            }
            ShareStateRequest::Summary(request) => {
                let results = request.topics.iter().map(|topic| {
                    let partitions = topic.partitions.iter().map(|it| {
                        let key = (request.group_id.to_string(), topic.topic_id.into(), it.partition);
                        let start = self.states.get(&key).copied().unwrap_or(-1);
                        read_share_group_state_summary_response::PartitionResult::default()
                            .with_partition(it.partition)
                            .with_error_code(code)
                            .with_start_offset(start)
                            .with_leader_epoch(3)
                            .with_delivery_complete_count(if start == -1 { -1 } else { 2 })
                    });
                    let partitions = partitions.collect();
                    ReadStateSummaryResult::default().with_topic_id(topic.topic_id).with_partitions(partitions)
                });
                let results = results.collect();
                let response = ReadShareGroupStateSummaryResponseData::default().with_results(results);
                ShareStateResponse::Summary(Box::new(response))
            }
        }
    }
}

/// A first heartbeat.
pub(super) fn sharing(group: &str, member: &str, topics: &[&str]) -> ShareGroupHeartbeatRequestData {
    pulse(group, member, 0).with_subscribed_topic_names(Some(topics.iter().map(|topic| text(topic)).collect()))
}

/// One that says that all is as before.
pub(super) fn pulse(group: &str, member: &str, epoch: i32) -> ShareGroupHeartbeatRequestData {
    ShareGroupHeartbeatRequestData::default()
        .with_group_id(text(group))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
}

impl Bench {
    pub(super) fn ask_persister(&mut self, number: u64, request: ShareStateRequest) {
        self.persister.asked += 1;
        if self.persister.waits {
            return self.persister.waiting.push((number, request));
        }
        let response = self.persister.answer(&request);
        self.groups.on_share_state(self.now, number, &response);
    }

    pub(super) fn tell_ends(&mut self, number: u64, partitions: &BTreeSet<TopicPartition>) {
        let known = |it: &TopicPartition| (it.clone(), self.persister.ends.get(it).copied().unwrap_or(Ok(100)));
        let offsets = partitions.iter().map(known).collect();
        self.groups.on_latest_offsets(number, &offsets);
    }

    /// The persister answers what it was asked, in the order in which it was.
    pub(super) fn answer_shares(&mut self) {
        for (number, request) in std::mem::take(&mut self.persister.waiting) {
            let response = self.persister.answer(&request);
            self.groups.on_share_state(self.now, number, &response);
            self.pump();
        }
    }

    pub(super) fn start_pulse(&mut self, request: &ShareGroupHeartbeatRequestData) -> ReplyTo {
        let to = self.to();
        self.groups.share_group_heartbeat(self.now, to, &client(1), request);
        self.pump();
        to
    }

    pub(super) fn pulse(&mut self, request: &ShareGroupHeartbeatRequestData) -> ShareGroupHeartbeatResponseData {
        let to = self.start_pulse(request);
        match self.replies.remove(&to) {
            Some(GroupResponse::ShareHeartbeat(response)) => response,
            other => panic!("no heartbeat answer for {to:?}: {other:?}"),
        }
    }

    /// A heartbeat that must be accepted: the member's epoch, and its assignment if it is told one.
    pub(super) fn shared(&mut self, request: &ShareGroupHeartbeatRequestData) -> (i32, Option<Has>) {
        let response = self.pulse(request);
        assert_eq!(response.error_code, 0, "{response:?}");
        let name = |id: Id| self.image.topics[&id].name.to_string();
        let topics = |assignment: Box<crate::protocol::messages::share_group_heartbeat_response::Assignment>| {
            let topics = assignment.topic_partitions.into_iter();
            topics.map(|topic| (name(topic.topic_id.into()), topic.partitions.into_iter().collect())).collect()
        };
        (response.member_epoch, response.assignment.map(topics))
    }

    fn unshared(&mut self, request: &ShareGroupHeartbeatRequestData) -> (ErrorCode, String) {
        let response = self.pulse(request);
        let message = response.error_message.map(|message| message.to_string()).unwrap_or_default();
        (ErrorCode::from(response.error_code), message)
    }

    pub(super) fn sharers(&self, id: &str) -> &ShareGroup {
        let partition = self.groups.partition_for(id);
        self.groups.shards[&partition].groups[id].share().unwrap()
    }

    /// The coordinator moves, and all is as it was.
    pub(super) fn check_share_replay(&mut self, id: &str) {
        let before = self.sharers(id).clone();
        self.fail_over();
        assert_eq!(self.sharers(id), &before, "the log tells another state");
    }
}

#[test]
fn partitions_are_assigned_once_they_have_a_state() {
    let mut bench = Bench::new();
    bench.persister.waits = true;
    // Nothing has a state yet.
    assert_eq!(bench.shared(&sharing("g", "a", &["t"])), (2, Some(Has::new())));
    assert_eq!((bench.state("g"), bench.persister.asked), ("Stable", 1));
    assert_eq!(bench.shared(&pulse("g", "a", 2)), (2, None));
    assert_eq!(bench.persister.asked, 1, "it is not asked again while it may answer");
    bench.answer_shares();
    assert_eq!(bench.persister.states.len(), 4);
    // The next target knows of them, when its time has come.
    assert_eq!(bench.shared(&pulse("g", "a", 2)), (2, None));
    bench.pass(1_000);
    assert_eq!(bench.shared(&pulse("g", "a", 2)), (3, Some(has(&[("t", &[0, 1, 2, 3])]))));
    assert_eq!((bench.shared(&pulse("g", "a", 3)), bench.sharers("g").epoch), ((3, None), 3));
    bench.check_share_replay("g");

    // Two members divide them, and neither waits for the other.
    bench.pass(1_000);
    assert_eq!(bench.shared(&sharing("g", "b", &["t"])), (4, Some(has(&[("t", &[0, 1])]))));
    assert_eq!(bench.shared(&pulse("g", "a", 3)), (4, Some(has(&[("t", &[2, 3])]))));
    // Who has not heard of its new epoch says the old one.
    assert_eq!(bench.shared(&pulse("g", "a", 3)), (4, None));
    bench.check_share_replay("g");
    // What was asked for in vain is not told twice.
    assert_eq!((bench.persister.asked, bench.persister.waiting.len()), (1, 0));
}

#[test]
fn a_persister_that_fails_or_is_silent_is_asked_again() {
    let mut bench = Bench::new();
    bench.persister.error = ErrorCode::CoordinatorNotAvailable;
    bench.shared(&sharing("g", "a", &["t"]));
    assert_eq!(bench.sharers("g").state().unwrap().initializing.len(), 0, "it is not under way any more");
    bench.shared(&pulse("g", "a", 2));
    assert_eq!(bench.persister.asked, 2);
    bench.persister.waits = true;
    bench.shared(&pulse("g", "a", 2));
    for (ms, asked) in [(20_000, 3), (9_999, 3), (1, 4)] {
        bench.pass(ms);
        bench.shared(&pulse("g", "a", 2));
        assert_eq!(bench.persister.asked, asked, "{ms}");
    }
    // A new coordinator gives it its time anew.
    bench.check_share_replay("g");
    bench.pass(29_999);
    bench.shared(&pulse("g", "a", 2));
    assert_eq!(bench.persister.asked, 4);
    bench.pass(1);
    bench.shared(&pulse("g", "a", 2));
    assert_eq!(bench.persister.asked, 5);
    bench.persister.error = ErrorCode::None;
    bench.answer_shares();
    bench.shared(&pulse("g", "a", 2));
    assert_eq!(bench.shared(&pulse("g", "a", 3)), (3, None));
    assert_eq!(bench.sharers("g").member("a").unwrap().current.assigned[&topic_id("t")].len(), 4);
    // Nothing is asked before what says so is committed.
    bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
    let asked = bench.persister.asked;
    let refused = bench.unshared(&sharing("h", "a", &["t"]));
    assert_eq!((refused.0, bench.persister.asked), (ErrorCode::CoordinatorNotAvailable, asked));
    bench.fate = Fate::Commit;
    assert_eq!(bench.unshared(&pulse("h", "a", 2)).0, ErrorCode::GroupIdNotFound);
}

#[test]
fn members_that_are_wrong_are_told_so() {
    let mut bench = Bench::with(GroupConfig {
        share: crate::group::ShareConfig { max_size: 2, ..Default::default() },
        ..GroupConfig::default()
    });
    let long = "m".repeat(37);
    let invalid = |message: &str| (ErrorCode::InvalidRequest, message.to_owned());
    for (request, expected) in [
        (sharing("g", "", &["t"]), invalid("")),
        (sharing("g", &long, &["t"]), invalid("")),
        (sharing("g", " ", &["t"]), invalid("MemberId can't be empty.")),
        (sharing(" ", "a", &["t"]), invalid("GroupId can't be empty.")),
        (sharing("g", "a", &["t"]).with_rack_id(Some(text(""))), invalid("RackId can't be empty.")),
        (sharing("g", "a", &[]), invalid("SubscribedTopicNames must be set in first request.")),
        (pulse("g", "a", 0), invalid("SubscribedTopicNames must be set in first request.")),
        (pulse("g", "a", -2), invalid("MemberEpoch is invalid.")),
        (pulse("g", "a", 1), (ErrorCode::GroupIdNotFound, "Share group g not found.".to_owned())),
        (pulse("g", "a", -1), (ErrorCode::GroupIdNotFound, "Group g not found.".to_owned())),
    ] {
        assert_eq!(bench.unshared(&request), expected, "{request:?}");
    }
    bench.shared(&sharing("g", "a", &["t"]));
    bench.shared(&sharing("g", "b", &["t"]));
    let full =
        (ErrorCode::GroupMaxSizeReached, "The share group has reached its maximum capacity of 2 members.".to_owned());
    assert_eq!(bench.unshared(&sharing("g", "c", &["t"])), full);
    assert_eq!(bench.unshared(&pulse("g", "a", 99)).0, ErrorCode::FencedMemberEpoch);
    let unknown = (ErrorCode::UnknownMemberId, "Member c is not a member of group g.".to_owned());
    assert_eq!(bench.unshared(&pulse("g", "c", -1)), unknown);
    bench.pass(1_000);
    let (epoch, _) = bench.shared(&pulse("g", "a", bench.sharers("g").member("a").unwrap().current.epoch));
    bench.pass(1_000);
    bench.shared(&sharing("g", "b", &["u"]));
    let (newest, _) = bench.shared(&pulse("g", "a", epoch));
    assert!(newest > epoch);
    bench.shared(&pulse("g", "a", epoch));
    let (error, message) = bench.unshared(&pulse("g", "a", epoch - 1));
    assert_eq!(error, ErrorCode::FencedMemberEpoch);
    assert!(message.contains(&format!("does not match the previous member epoch ({epoch})")), "{message}");
}

#[test]
fn members_go_by_their_word_or_by_silence() {
    let mut bench = Bench::new();
    bench.shared(&sharing("g", "a", &["t"]));
    bench.shared(&sharing("g", "b", &["t", "u"]));
    let response = bench.pulse(&pulse("g", "a", -1));
    assert_eq!((response.error_code, response.member_epoch, response.assignment), (0, -1, None));
    assert_eq!((bench.sharers("g").member_count(), bench.state("g")), (1, "Stable"));
    bench.check_share_replay("g");
    bench.pass(44_999);
    assert_eq!(bench.sharers("g").member_count(), 1);
    bench.pass(1);
    assert_eq!((bench.sharers("g").member_count(), bench.state("g")), (0, "Empty"));
    bench.check_share_replay("g");
    assert_eq!(bench.unshared(&pulse("g", "b", 4)).0, ErrorCode::UnknownMemberId);
    // It stays, however long nobody comes.
    bench.pass(30 * 24 * 3_600_000);
    assert_eq!(bench.state("g"), "Empty");
}

#[test]
fn a_group_may_have_settings_of_its_own() {
    let mut bench = Bench::new();
    let settings = [
        ("share.session.timeout.ms", "50000"),
        ("share.heartbeat.interval.ms", "6000"),
        ("share.assignment.interval.ms", "0"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    bench.image.configs.insert((RESOURCE_GROUP, "g".into()), Arc::new(settings));
    let delta = ImageDelta { configs_changed: [(RESOURCE_GROUP, "g".into())].into(), ..ImageDelta::default() };
    bench.groups.on_image(&bench.image, &delta);
    assert_eq!(bench.pulse(&sharing("g", "a", &["t"])).heartbeat_interval_ms, 6_000);
    assert_eq!(bench.pulse(&sharing("h", "a", &["t"])).heartbeat_interval_ms, 5_000);
    // No interval between targets.
    assert_eq!(bench.shared(&pulse("g", "a", 2)), (3, Some(has(&[("t", &[0, 1, 2, 3])]))));
    bench.pass(49_999);
    assert_eq!((bench.state("g"), bench.state("h")), ("Stable", "Empty"));
    bench.pass(1);
    assert_eq!(bench.state("g"), "Empty");
}

#[test]
fn topics_that_grow_come_and_go_are_followed() {
    let mut bench = Bench::new();
    bench.shared(&sharing("g", "a", &["t", "new"]));
    bench.pass(1_000);
    assert_eq!(bench.shared(&pulse("g", "a", 2)), (3, Some(has(&[("t", &[0, 1, 2, 3])]))));
    let mut image = image_of(&["t", "new"]);
    image.offset = 9;
    bench.set_image(image.clone());
    assert_eq!(bench.persister.states.len(), 4);
    bench.pass(1_000);
    bench.shared(&pulse("g", "a", 3));
    assert_eq!(bench.persister.states.len(), 8, "its partitions get states before they are assigned");
    bench.pass(1_000);
    bench.shared(&pulse("g", "a", 4));
    assert_eq!(bench.sharers("g").member("a").unwrap().current.assigned.len(), 2);

    // The topic goes, and one of the same name comes.
    let gone = topic_id("new");
    let other = Id([9; 16]);
    let mut topic = (*image.topics[&gone]).clone();
    topic.id = other;
    image.topics.remove(&gone);
    image.topics.insert(other, Arc::new(topic));
    image.topic_ids.insert("new".into(), other);
    bench.image = image;
    let delta = ImageDelta {
        topics_created: [other].into(),
        topics_deleted: [(gone, bench.image.topics[&other].clone())].into(),
        ..ImageDelta::default()
    };
    bench.groups.on_image(&bench.image, &delta);
    bench.groups.on_topics_deleted(bench.now, &[("new".into(), [gone].into())].into());
    bench.pump();
    assert!(!bench.sharers("g").state().unwrap().initialized.contains_key(&gone));
    bench.check_share_replay("g");
    for _ in 0..2 {
        bench.pass(1_000);
        let epoch = bench.sharers("g").member("a").unwrap().current.epoch;
        bench.shared(&pulse("g", "a", epoch));
    }
    let assigned = &bench.sharers("g").member("a").unwrap().current.assigned;
    assert_eq!(assigned.keys().copied().collect::<Vec<_>>(), [topic_id("t"), other]);
    let epoch = bench.sharers("g").epoch;
    bench.pass(1_000);
    bench.shared(&pulse("g", "a", epoch));
    assert_eq!(bench.sharers("g").epoch, epoch, "nothing is left to be done");
}

#[test]
fn another_kind_of_group_keeps_its_id() {
    let mut bench = Bench::new();
    bench.shared(&sharing("s", "a", &["t"]));
    bench.well(&joining("c", "a", &["t"]));
    bench.stable("k", 1);
    for id in ["c", "k"] {
        let refused = (ErrorCode::GroupIdNotFound, format!("Group {id} is not a share group."));
        assert_eq!(bench.unshared(&sharing(id, "b", &["t"])), refused);
        assert_eq!(bench.unshared(&pulse(id, "b", -1)), refused);
    }
    let refused = (ErrorCode::GroupIdNotFound, "Group s is not a consumer group.".to_owned());
    assert_eq!(bench.refused(&joining("s", "b", &["t"])), refused);
    let to = bench.join(9, &join_request("s", ""));
    assert_eq!(bench.joined(to).error_code, ErrorCode::InconsistentGroupProtocol.code());
    let to = bench.sync("s", "a", 1, &[]);
    assert_eq!(bench.synced(to).error_code, ErrorCode::UnknownMemberId.code());
    assert_eq!(bench.heartbeat("s", "a", 1), ErrorCode::UnknownMemberId);
    let to = bench.leave(5, "s", &[("a", None)]);
    assert_eq!(bench.left(to).members[0].error_code, ErrorCode::UnknownMemberId.code());
    let to = bench.commit_offset(9, "s", "a", 2, &[("t", 0, 5)]);
    assert_eq!(bench.committed(to), [ErrorCode::GroupIdNotFound]);
    assert_eq!(bench.offset("s", "t", 0), -1);
    let to = bench.to();
    let request = OffsetDeleteRequestData::default().with_group_id(text("s"));
    bench.groups.offset_delete(bench.now, to, &request, &bench.image);
    bench.pump();
    let answer = bench.replies.remove(&to);
    let Some(GroupResponse::OffsetDelete(answer)) = answer else { panic!("{answer:?}") };
    assert_eq!(answer.error_code, ErrorCode::GroupIdNotFound.code());
}

#[test]
fn share_groups_are_listed_and_described() {
    let mut bench = Bench::new();
    bench.shared(&sharing("s", "a", &["t"]).with_rack_id(Some(text("r"))));
    bench.pass(1_000);
    bench.shared(&pulse("s", "a", 2));
    bench.well(&joining("c", "a", &["t"]));
    let list = |bench: &Bench, states: &[&str], types: &[&str]| -> Vec<(String, String, String, String)> {
        let texts = |names: &[&str]| names.iter().map(|name| text(name)).collect();
        let request =
            ListGroupsRequestData::default().with_states_filter(texts(states)).with_types_filter(texts(types));
        let groups = bench.groups.list_groups(&request).groups.into_iter();
        let one = |group: crate::protocol::messages::ListedGroup| {
            let names = [group.group_id, group.protocol_type, group.group_state, group.group_type];
            names.map(|name| name.to_string()).into()
        };
        groups.map(one).collect()
    };
    let listed = |id: &str, protocol: &str, state: &str, kind: &str| {
        (id.to_owned(), protocol.to_owned(), state.to_owned(), kind.to_owned())
    };
    assert_eq!(list(&bench, &[], &["Share"]), [listed("s", "share", "Stable", "share")]);
    assert_eq!(list(&bench, &["empty"], &["share"]), []);
    assert_eq!(list(&bench, &["stable"], &["share", "consumer"]).len(), 2);

    let request = ShareGroupDescribeRequestData::default()
        .with_group_ids(["s", "c", "none", ""].iter().map(|id| text(id)).collect());
    let groups = bench.groups.share_group_describe(&request).groups;
    let errors: Vec<(&str, i16, Option<&str>)> = groups
        .iter()
        .map(|group| (group.group_id.as_str(), group.error_code, group.error_message.as_ref().map(|it| it.as_str())))
        .collect();
    let not_found = ErrorCode::GroupIdNotFound.code();
    assert_eq!(
        errors,
        [
            ("", ErrorCode::InvalidGroupId.code(), None),
            ("s", 0, None),
            ("c", not_found, Some("Group c is not a share group.")),
            ("none", not_found, Some("Group none not found.")),
        ]
    );
    let group = &groups[1];
    assert_eq!((group.group_state.as_str(), group.group_epoch, group.assignment_epoch), ("Stable", 3, 3));
    assert_eq!(group.assignor_name.as_str(), "simple");
    let member = &group.members[0];
    assert_eq!((member.member_id.as_str(), member.member_epoch, member.client_id.as_str()), ("a", 3, "app"));
    assert_eq!(member.rack_id.as_ref().unwrap().as_str(), "r");
    assert_eq!(member.assignment.topic_partitions[0].partitions, [0, 1, 2, 3]);
    assert_eq!(member.assignment.topic_partitions[0].topic_name.as_str(), "t");

    let request = DescribeGroupsRequestData::default().with_groups(vec![text("s")]);
    let described = &bench.groups.describe_groups(6, &request).groups[0];
    assert_eq!(described.error_code, not_found);
    assert_eq!(described.error_message.as_ref().unwrap().as_str(), "Group s is not a classic group.");

    let reports = bench.groups.changed_reports();
    let report = reports.iter().find(|report| &*report.group_id == "s").unwrap();
    assert_eq!((report.group_type, report.state, report.generation), ("share", Some("Stable"), 3));
    assert_eq!((report.protocol.as_str(), report.members[0].assignment.len(), report.offsets.len()), ("simple", 4, 0));
}
