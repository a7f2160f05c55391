//! Streams groups (KIP-1071): what each heartbeat is answered, and what becomes of the group.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::group::StreamsBeat;
use crate::group::streams::{MemberState, StreamsGroup};
use crate::metadata::config::RESOURCE_GROUP;
use crate::protocol::messages::streams_group_heartbeat_request::{
    CopartitionGroup, Endpoint, KeyValue, Subtopology, TaskIds, TopicInfo, Topology,
};
use crate::protocol::messages::{
    StreamsGroupDescribeRequestData, StreamsGroupHeartbeatRequestData, StreamsGroupHeartbeatResponseData,
};

/// Tasks by subtopology.
pub(super) type Has = BTreeMap<String, BTreeSet<i32>>;

pub(super) fn has(tasks: &[(&str, &[i32])]) -> Has {
    tasks.iter().map(|(id, partitions)| ((*id).to_owned(), partitions.iter().copied().collect())).collect()
}

fn part(id: &str, sources: &[&str]) -> Subtopology {
    Subtopology::default()
        .with_subtopology_id(text(id))
        .with_source_topics(sources.iter().map(|topic| text(topic)).collect())
}

fn internal(name: &str, partitions: i32) -> TopicInfo {
    TopicInfo::default().with_name(text(name)).with_partitions(partitions)
}

pub(super) fn topology(epoch: i32, parts: &[Subtopology]) -> Option<Box<Topology>> {
    Some(Box::new(Topology::default().with_epoch(epoch).with_subtopologies(parts.to_vec())))
}

/// An application of one subtopology that reads these topics and keeps no state.
pub(super) fn reading(sources: &[&str]) -> Option<Box<Topology>> {
    topology(0, &[part("0", sources)])
}

/// A first heartbeat of a member that is a process of its own.
pub(super) fn joining(group: &str, member: &str, topology: Option<Box<Topology>>) -> StreamsGroupHeartbeatRequestData {
    StreamsGroupHeartbeatRequestData::default()
        .with_group_id(text(group))
        .with_member_id(text(member))
        .with_member_epoch(0)
        .with_rebalance_timeout_ms(60_000)
        .with_process_id(Some(text(&format!("process-{member}"))))
        .with_topology(topology)
        .with_active_tasks(Some(Vec::new()))
        .with_standby_tasks(Some(Vec::new()))
        .with_warmup_tasks(Some(Vec::new()))
}

/// One that says that all is as before.
pub(super) fn alive(group: &str, member: &str, epoch: i32) -> StreamsGroupHeartbeatRequestData {
    StreamsGroupHeartbeatRequestData::default()
        .with_group_id(text(group))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
}

fn task_ids(has: &Has) -> Vec<TaskIds> {
    let one = |(id, partitions): (&String, &BTreeSet<i32>)| {
        TaskIds::default().with_subtopology_id(text(id)).with_partitions(partitions.iter().copied().collect())
    };
    has.iter().map(one).collect()
}

/// One that tells what the member has.
pub(super) fn owning(
    group: &str,
    member: &str,
    epoch: i32,
    active: &Has,
    standby: &Has,
) -> StreamsGroupHeartbeatRequestData {
    alive(group, member, epoch)
        .with_active_tasks(Some(task_ids(active)))
        .with_standby_tasks(Some(task_ids(standby)))
        .with_warmup_tasks(Some(Vec::new()))
}

pub(super) type WireTasks = Option<Vec<crate::protocol::messages::streams_group_heartbeat_response::TaskIds>>;

pub(super) fn told(tasks: &WireTasks) -> Option<Has> {
    let one = |ids: &crate::protocol::messages::streams_group_heartbeat_response::TaskIds| {
        (ids.subtopology_id.to_string(), ids.partitions.iter().copied().collect())
    };
    tasks.as_ref().map(|tasks| tasks.iter().map(one).collect())
}

fn codes(response: &StreamsGroupHeartbeatResponseData) -> Vec<i8> {
    response.status.iter().flatten().map(|status| status.status_code).collect()
}

impl Bench {
    pub(super) fn start_streams_beat(&mut self, request: &StreamsGroupHeartbeatRequestData) -> ReplyTo {
        let to = self.to();
        self.groups.streams_group_heartbeat(self.now, to, &client(0), request);
        self.pump();
        to
    }

    pub(super) fn streams_beaten(&mut self, to: ReplyTo) -> StreamsBeat {
        match self.replies.remove(&to) {
            Some(GroupResponse::StreamsHeartbeat(beat)) => *beat,
            other => panic!("no heartbeat answer for {to:?}: {other:?}"),
        }
    }

    pub(super) fn streams_beat(
        &mut self,
        request: &StreamsGroupHeartbeatRequestData,
    ) -> StreamsGroupHeartbeatResponseData {
        let to = self.start_streams_beat(request);
        self.streams_beaten(to).response
    }

    /// A heartbeat that must be accepted: the member's epoch, and its active tasks if it is told any.
    pub(super) fn runs(&mut self, request: &StreamsGroupHeartbeatRequestData) -> (i32, Option<Has>) {
        let response = self.streams_beat(request);
        assert_eq!(response.error_code, 0, "{response:?}");
        (response.member_epoch, told(&response.active_tasks))
    }

    pub(super) fn streams_refused(&mut self, request: &StreamsGroupHeartbeatRequestData) -> (ErrorCode, String) {
        let response = self.streams_beat(request);
        assert_eq!(response.status, Some(Vec::new()), "Kafka's is never null");
        let message = response.error_message.map(|message| message.to_string()).unwrap_or_default();
        (ErrorCode::from(response.error_code), message)
    }

    pub(super) fn streams(&self, id: &str) -> &StreamsGroup {
        let partition = self.groups.partition_for(id);
        self.groups.shards[&partition].groups[id].streams().unwrap()
    }

    /// The coordinator moves, and all is as it was.
    pub(super) fn check_streams_replay(&mut self, id: &str) {
        let before = self.streams(id).clone();
        self.fail_over();
        assert_eq!(self.streams(id), &before, "the log tells another state");
    }

    fn show(&mut self, sizes: &[(&str, usize)]) {
        let mut image = image_of(&[]);
        for (name, count) in sizes {
            let id = topic_id(name);
            let topic = TopicImage { name: (*name).into(), id, partitions: vec![PartitionImage::default(); *count] };
            image.topics.insert(id, Arc::new(topic));
            image.topic_ids.insert((*name).into(), id);
        }
        image.offset = self.image.offset + 1;
        self.set_image(image);
    }

    fn set_group_config(&mut self, group: &str, key: &str, value: &str) {
        let configs = [(key.to_owned(), value.to_owned())].into();
        self.image.configs.insert((RESOURCE_GROUP, group.into()), Arc::new(configs));
        let delta = ImageDelta { configs_changed: [(RESOURCE_GROUP, group.into())].into(), ..ImageDelta::default() };
        self.groups.on_image(&self.image, &delta);
    }

    fn described_streams(
        &mut self,
        id: &str,
    ) -> crate::protocol::messages::streams_group_describe_response::DescribedGroup {
        let request = StreamsGroupDescribeRequestData::default().with_group_ids(vec![text(id)]);
        self.groups.streams_group_describe(&request).groups.remove(0)
    }
}

/// A coordinator that does not wait for more members.
pub(super) fn bench() -> Bench {
    let mut config = GroupConfig::default();
    config.streams.initial_rebalance_delay_ms = 0;
    Bench::with(config)
}

#[test]
fn tasks_go_from_one_member_to_another() {
    let mut bench = bench();
    assert_eq!(bench.runs(&joining("g", "a", reading(&["t"]))), (2, Some(has(&[("0", &[0, 1, 2, 3])]))));
    assert_eq!((bench.state("g"), bench.runs(&alive("g", "a", 2))), ("Stable", (2, None)));

    bench.pass(1_000);
    // The newcomer waits for what the other has not given up.
    assert_eq!(bench.runs(&joining("g", "b", reading(&["t"]))), (3, Some(Has::new())));
    assert_eq!(bench.streams("g").member("b").unwrap().current.state, MemberState::UnreleasedTasks);
    assert_eq!(bench.state("g"), "Reconciling");
    // The other is told to give up two, in its old epoch.
    let kept = has(&[("0", &[0, 1])]);
    assert_eq!(bench.runs(&alive("g", "a", 2)), (2, Some(kept.clone())));
    assert_eq!(bench.streams("g").member("a").unwrap().current.state, MemberState::UnrevokedTasks);
    // Nothing moves until it has.
    assert_eq!(bench.runs(&alive("g", "a", 2)), (2, None));
    assert_eq!(bench.runs(&owning("g", "a", 2, &has(&[("0", &[0, 1, 2, 3])]), &Has::new())), (2, None));
    assert_eq!(bench.runs(&alive("g", "b", 3)), (3, None));
    bench.check_streams_replay("g");
    assert_eq!(bench.runs(&owning("g", "a", 2, &kept, &Has::new())), (3, None));
    assert_eq!(bench.runs(&alive("g", "b", 3)), (3, Some(has(&[("0", &[2, 3])]))));
    assert_eq!(bench.state("g"), "Stable");
    bench.check_streams_replay("g");

    // It leaves, and the first has all again.
    assert_eq!(bench.runs(&alive("g", "b", -1)), (-1, None));
    assert_eq!(bench.state("g"), "Assigning");
    bench.pass(1_000);
    assert_eq!(bench.runs(&alive("g", "a", 3)), (4, Some(has(&[("0", &[0, 1, 2, 3])]))));
    bench.runs(&alive("g", "a", -1));
    assert_eq!(bench.state("g"), "Empty");
    bench.check_streams_replay("g");
}

#[test]
fn what_a_heartbeat_must_be_like() {
    let mut bench = bench();
    bench.runs(&joining("g", "a", reading(&["t"])));
    let join = joining("g", "b", reading(&["t"]));
    let invalid = ErrorCode::InvalidRequest;
    let none = Has::new();
    let changelog = part("0", &["t"]).with_state_changelog_topics(vec![internal("c", 3)]);
    let regex = part("0", &["t"]).with_source_topic_regex(vec![text("t.*")]);
    let table = [
        (join.clone().with_instance_id(Some(text("i"))), invalid, "Static membership is not yet supported."),
        (join.clone().with_task_offsets(Some(Vec::new())), invalid, "TaskOffsets are not supported yet."),
        (join.clone().with_task_end_offsets(Some(Vec::new())), invalid, "TaskEndOffsets are not supported yet."),
        (
            join.clone().with_warmup_tasks(Some(task_ids(&has(&[("0", &[0])])))),
            invalid,
            "WarmupTasks are not supported yet.",
        ),
        (
            join.clone().with_topology(topology(0, &[regex])),
            invalid,
            "Regular expressions for source topics are not supported yet.",
        ),
        (joining("g", " ", reading(&["t"])), invalid, "MemberId can't be empty."),
        (joining("", "b", reading(&["t"])), invalid, "GroupId can't be empty."),
        (join.clone().with_rack_id(Some(text(""))), invalid, "RackId can't be empty."),
        (join.clone().with_rebalance_timeout_ms(-1), invalid, "RebalanceTimeoutMs must be provided in first request."),
        (join.clone().with_active_tasks(None), invalid, "ActiveTasks must be empty when (re-)joining."),
        (join.clone().with_warmup_tasks(None), invalid, "WarmupTasks must be empty when (re-)joining."),
        (join.clone().with_topology(None), invalid, "Topology must be non-null when (re-)joining."),
        (
            join.clone().with_topology(topology(0, &[changelog])),
            ErrorCode::StreamsInvalidTopology,
            "Changelog topic c must have an undefined partition count, but it is set to 3.",
        ),
        (alive("g", "a", -2), invalid, "InstanceId can't be null."),
        (alive("g", "a", -3), invalid, "MemberEpoch is -3, but must be greater than or equal to -2."),
        (
            alive("g", "a", 2).with_active_tasks(Some(Vec::new())),
            invalid,
            "If one task-type is non-null, all must be non-null.",
        ),
        (
            alive("g", "a", 2).with_topology(reading(&["t"])),
            invalid,
            "Topology can only be provided when (re-)joining.",
        ),
        (owning("g", "a", 2, &has(&[("x", &[0])]), &none), invalid, "Subtopology x does not exist in the topology."),
        (
            owning("g", "a", 2, &has(&[("0", &[4])]), &none),
            invalid,
            "Task 4 for subtopology 0 is invalid. Number of tasks for this subtopology: 4",
        ),
        (join.clone().with_topology(reading(&["t", "u"])), invalid, "Topology updates are not supported yet."),
        (alive("none", "a", 2), ErrorCode::GroupIdNotFound, "Streams group none not found."),
        (alive("none", "a", -1), ErrorCode::GroupIdNotFound, "Group none not found."),
        (alive("g", "x", 2), ErrorCode::UnknownMemberId, "Member x is not a member of group g."),
        (alive("g", "x", -1), ErrorCode::UnknownMemberId, "Member x is not a member of group g."),
        (
            alive("g", "a", 3),
            ErrorCode::FencedMemberEpoch,
            "The streams group member has a greater member epoch (3) than the one known by the group coordinator (2). \
             The member must abandon all its partitions and rejoin.",
        ),
        (
            alive("g", "a", 1),
            ErrorCode::FencedMemberEpoch,
            "The streams group member has a smaller member epoch (1) than the one known by the group coordinator (2). \
             The member must abandon all its partitions and rejoin.",
        ),
        (
            join.clone().with_topology(topology(0, &[part("0", &["t"]), part("0", &["t"])])),
            ErrorCode::UnknownServerError,
            "",
        ),
        (join.clone().with_topology(topology(-1, &[part("0", &["t"])])), ErrorCode::UnknownServerError, ""),
    ];
    for (request, error, message) in table {
        assert_eq!(bench.streams_refused(&request), (error, message.to_owned()), "{request:?}");
    }
    let partition = bench.groups.partition_for("g");
    bench.groups.unload_partition(bench.now, partition);
    assert_eq!(bench.streams_refused(&alive("g", "a", 2)), (ErrorCode::NotCoordinator, String::new()));
    bench.groups.begin_load(bench.now, partition);
    assert_eq!(bench.streams_refused(&alive("g", "a", 2)).0, ErrorCode::CoordinatorLoadInProgress);
}

#[test]
fn a_lost_answer_does_not_cost_the_membership() {
    let mut bench = bench();
    bench.runs(&joining("g", "a", reading(&["t"])));
    // The member never heard of epoch 2, but has nothing that it should not.
    assert_eq!(bench.runs(&owning("g", "a", 2, &Has::new(), &Has::new())).0, 2);
    assert_eq!(bench.runs(&joining("g", "a", reading(&["t"]))).0, 2);
    bench.pass(1_000);
    bench.runs(&joining("g", "b", reading(&["t"])));
    bench.runs(&alive("g", "a", 2));
    let kept = has(&[("0", &[0, 1])]);
    assert_eq!(bench.runs(&owning("g", "a", 2, &kept, &Has::new())).0, 3);
    assert_eq!(bench.runs(&owning("g", "a", 2, &kept, &Has::new())).0, 3);
    let more = has(&[("0", &[0, 1, 2])]);
    assert_eq!(
        bench.streams_refused(&owning("g", "a", 2, &more, &Has::new())).0,
        ErrorCode::FencedMemberEpoch,
        "it has what it gave up"
    );
}

#[test]
fn internal_topics_are_asked_for_and_waited_for() {
    let mut bench = bench();
    let parts = [
        part("0", &["t"]).with_repartition_sink_topics(vec![text("app-repartition")]),
        part("1", &[])
            .with_repartition_source_topics(vec![internal("app-repartition", 0).with_replication_factor(2)])
            .with_state_changelog_topics(vec![internal("app-log", 0).with_topic_configs(vec![
                KeyValue::default().with_key(text("cleanup.policy")).with_value(text("compact")),
            ])]),
    ];
    let to = bench.start_streams_beat(&joining("g", "a", topology(0, &parts)));
    let beat = bench.streams_beaten(to);
    assert_eq!((codes(&beat.response), told(&beat.response.active_tasks)), (vec![3], Some(Has::new())));
    let detail = beat.response.status.as_ref().unwrap()[0].status_detail.to_string();
    assert_eq!(detail, "Internal topics are missing: app-log, app-repartition");
    let asked: Vec<_> = beat
        .missing
        .iter()
        .map(|topic| (topic.name.to_string(), topic.num_partitions, topic.replication_factor, topic.configs.len()))
        .collect();
    assert_eq!(asked, [("app-log".to_owned(), 4, -1, 1), ("app-repartition".to_owned(), 4, 2, 0)]);
    assert_eq!(bench.state("g"), "NotReady");
    // Told again with each heartbeat, until they are there.
    let to = bench.start_streams_beat(&alive("g", "a", 2));
    assert_eq!(bench.streams_beaten(to).missing.len(), 2);
    bench.pass(1_000);
    bench.show(&[("t", 4), ("app-repartition", 4), ("app-log", 4)]);
    let response = bench.streams_beat(&alive("g", "a", 2));
    assert_eq!((codes(&response), response.member_epoch), (Vec::new(), 3));
    let all = has(&[("0", &[0, 1, 2, 3]), ("1", &[0, 1, 2, 3])]);
    assert_eq!(told(&response.active_tasks), Some(all));
    assert_eq!(bench.state("g"), "Stable");
    let described = bench.described_streams("g");
    let parts = described.topology.unwrap().subtopologies.unwrap();
    assert_eq!(parts[1].repartition_source_topics[0].partitions, 4);
    bench.check_streams_replay("g");
    // Who comes next is told nothing of partitions that nobody has looked at yet.
    let parts = bench.described_streams("g").topology.unwrap().subtopologies.unwrap();
    assert_eq!(parts[1].repartition_source_topics[0].partitions, 0);
}

#[test]
fn wrong_topics_are_told_and_mended() {
    let mut bench = bench();
    let log = |part: Subtopology| part.with_state_changelog_topics(vec![internal("log", 0)]);
    let joined = part("0", &["t", "u"])
        .with_copartition_groups(vec![CopartitionGroup::default().with_source_topics(vec![0, 1])]);
    let fixed = part("0", &["t"]).with_repartition_source_topics(vec![internal("r", 3)]).with_copartition_groups(vec![
        CopartitionGroup::default().with_source_topics(vec![0]).with_repartition_source_topics(vec![0]),
    ]);
    type Topics = &'static [(&'static str, usize)];
    let table: [(Topics, Subtopology, i8, &str); 5] = [
        (&[("u", 1)], part("0", &["t", "vv", "u"]), 1, "Source topics t, vv are missing."),
        (&[], part("0", &["a", "b", "c", "d", "e"]), 1, "Source topics a, b, c and 2 additional topics are missing."),
        (&[("t", 4), ("u", 3)], joined, 2, "Following topics do not have the same number of partitions: [{t=4, u=3}]"),
        (
            &[("t", 4)],
            fixed,
            2,
            "Number of partitions [3] of repartition topic [r] doesn't match number of partitions [4] of the source topic.",
        ),
        (
            &[("t", 4), ("log", 2)],
            log(part("0", &["t"])),
            2,
            "Existing topic log has different number of partitions: expected 4, found 2",
        ),
    ];
    for (index, (topics, part, code, detail)) in table.into_iter().enumerate() {
        let group = format!("g{index}");
        bench.show(topics);
        let response = bench.streams_beat(&joining(&group, "a", topology(0, &[part])));
        let status = &response.status.as_ref().unwrap()[0];
        assert_eq!((response.error_code, status.status_code, status.status_detail.as_str()), (0, code, detail));
        assert_eq!(bench.state(&group), "NotReady");
    }
    let invalid = [
        (
            vec![
                part("0", &[])
                    .with_repartition_sink_topics(vec![text("r")])
                    .with_repartition_source_topics(vec![internal("r", 0)]),
            ],
            "Failed to compute number of partitions for all repartition topics. There may be loops in the topology that \
             cannot be resolved.",
        ),
        (
            vec![part("0", &["t"]).with_repartition_source_topics(vec![internal("r", 0)])],
            "Failed to compute number of partitions for all repartition topics, because a repartition source topic is \
             never used as a sink topic.",
        ),
        (vec![part("0", &[])], "No source topics found for subtopology 0"),
    ];
    for (parts, message) in invalid {
        let refused = bench.streams_refused(&joining("h", "a", topology(0, &parts)));
        assert_eq!(refused, (ErrorCode::StreamsInvalidTopology, message.to_owned()));
    }
    let beyond =
        part("0", &["t"]).with_copartition_groups(vec![CopartitionGroup::default().with_source_topics(vec![1])]);
    assert_eq!(bench.streams_refused(&joining("h", "a", topology(0, &[beyond]))).0, ErrorCode::UnknownServerError);
    // The source topic comes: the group can run.
    bench.show(&[("t", 2), ("u", 1), ("vv", 1)]);
    bench.pass(1_000);
    assert_eq!(bench.runs(&alive("g0", "a", 2)), (3, Some(has(&[("0", &[0, 1])]))));
}

#[test]
fn the_first_target_waits_for_more_members() {
    let mut bench = Bench::new();
    let response = bench.streams_beat(&joining("g", "a", reading(&["t"])));
    assert_eq!((response.member_epoch, codes(&response), told(&response.active_tasks)), (1, vec![5], Some(Has::new())));
    assert_eq!(bench.state("g"), "Assigning");
    assert_eq!(codes(&bench.streams_beat(&joining("g", "b", reading(&["t"])))), [5]);
    bench.pass(2_999);
    assert_eq!(codes(&bench.streams_beat(&alive("g", "a", 1))), [5]);
    bench.pass(1);
    // It is worked out when the time has come, not when somebody asks.
    assert_eq!(bench.streams("g").target_epoch, 3);
    assert_eq!(bench.runs(&alive("g", "a", 1)), (3, Some(has(&[("0", &[0, 2])]))));
    assert_eq!(bench.runs(&alive("g", "b", 1)), (3, Some(has(&[("0", &[1, 3])]))));
    bench.check_streams_replay("g");
    // Within the assignment interval there is no other target.
    bench.pass(10);
    let response = bench.streams_beat(&joining("g", "c", reading(&["t"])));
    assert_eq!(codes(&response), [5]);
    // A group of its own settings does not wait.
    bench.set_group_config("own", "streams.initial.rebalance.delay.ms", "0");
    assert_eq!(codes(&bench.streams_beat(&joining("own", "a", reading(&["t"])))), Vec::<i8>::new());
}

#[test]
fn standbys_follow_in_other_processes() {
    let mut bench = bench();
    bench.show(&[("t", 2), ("log", 2)]);
    bench.set_group_config("g", "streams.num.standby.replicas", "1");
    let parts = [part("0", &["t"]).with_state_changelog_topics(vec![internal("log", 0)])];
    let join = |member: &str| joining("g", member, topology(0, &parts));
    bench.runs(&join("a"));
    bench.pass(1_000);
    bench.runs(&join("b"));
    let both = has(&[("0", &[0, 1])]);
    let mut has_now: BTreeMap<&str, (i32, Has, Has)> =
        [("a", (2, both, Has::new())), ("b", (3, Has::new(), Has::new()))].into();
    for _ in 0..6 {
        for member in ["a", "b"] {
            let (epoch, active, standby) = has_now[member].clone();
            let response = bench.streams_beat(&owning("g", member, epoch, &active, &standby));
            assert_eq!(response.error_code, 0, "{response:?}");
            let active = told(&response.active_tasks).unwrap_or(active);
            let standby = told(&response.standby_tasks).unwrap_or(standby);
            has_now.insert(member, (response.member_epoch, active, standby));
        }
    }
    let (zero, one) = (has(&[("0", &[0])]), has(&[("0", &[1])]));
    assert_eq!((&has_now["a"].1, &has_now["a"].2), (&zero, &one));
    assert_eq!((&has_now["b"].1, &has_now["b"].2), (&one, &zero));
    assert_eq!(bench.state("g"), "Stable");
    bench.check_streams_replay("g");
    // Another setting is a reason for another target.
    let epoch = bench.streams("g").epoch();
    bench.pass(1_000);
    bench.set_group_config("g", "streams.num.standby.replicas", "0");
    bench.runs(&alive("g", "a", 3));
    assert_eq!(bench.streams("g").epoch(), epoch + 1);
}

#[test]
fn members_go_when_their_time_is_over() {
    let mut bench = bench();
    bench.runs(&joining("g", "a", reading(&["t"])).with_rebalance_timeout_ms(10_000));
    bench.pass(30_000);
    bench.runs(&joining("g", "b", reading(&["t"])));
    // It is told to give up two, and does not.
    bench.runs(&alive("g", "a", 2));
    bench.pass(9_999);
    assert!(bench.streams("g").member("a").is_some());
    bench.pass(1);
    assert!(bench.streams("g").member("a").is_none());
    // The other is not heard of any more.
    bench.pass(45_000);
    assert_eq!(bench.state("g"), "Empty");
    bench.check_streams_replay("g");
}

#[test]
fn the_application_is_shut_down_by_one_of_its_members() {
    let mut bench = bench();
    bench.runs(&joining("g", "a", reading(&["t"])));
    bench.runs(&joining("g", "b", reading(&["t"])));
    let response = bench.streams_beat(&alive("g", "b", 2).with_shutdown_application(true));
    assert!(codes(&response).contains(&4));
    let response = bench.streams_beat(&alive("g", "a", 2));
    let status = response.status.unwrap().into_iter().find(|status| status.status_code == 4).unwrap();
    let expected =
        "Streams group member b encountered a fatal error and requested a shutdown for the entire application.";
    assert_eq!(status.status_detail.as_str(), expected);
    for member in ["a", "b"] {
        bench.runs(&alive("g", member, -1));
    }
    // The next run is another one.
    bench.pass(1_000);
    assert_eq!(codes(&bench.streams_beat(&joining("g", "a", reading(&["t"])))), Vec::<i8>::new());
}

#[test]
fn endpoints_are_told_to_who_does_not_know_them() {
    let mut bench = bench();
    let endpoint = |port| Some(Box::new(Endpoint::default().with_host(text("h")).with_port(port)));
    let first = bench.streams_beat(&joining("g", "a", reading(&["t"])).with_user_endpoint(endpoint(1)));
    // Kafka's group is made by this heartbeat, and its epoch of endpoints begins with the next.
    assert_eq!((first.endpoint_information_epoch, first.partitions_by_user_endpoint.unwrap().len()), (0, 1));
    bench.pass(1_000);
    let second = bench.streams_beat(&joining("g", "b", reading(&["t"])).with_user_endpoint(endpoint(2)));
    assert_eq!(second.endpoint_information_epoch, 1);
    let response = bench.streams_beat(&alive("g", "a", 2).with_endpoint_information_epoch(1));
    // Its own tasks are others now.
    assert_eq!(response.endpoint_information_epoch, 2);
    let by_endpoint = response.partitions_by_user_endpoint.unwrap();
    let of = |port: u16| by_endpoint.iter().find(|entry| entry.user_endpoint.port == port).unwrap();
    assert_eq!((of(1).active_partitions[0].partitions.clone(), of(2).active_partitions.len()), (vec![0, 1], 0));
    assert_eq!(of(1).active_partitions[0].topic.as_str(), "t");
    let response = bench.streams_beat(&alive("g", "a", 2).with_endpoint_information_epoch(2));
    assert_eq!(response.partitions_by_user_endpoint, None);
}
