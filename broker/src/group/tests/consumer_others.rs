//! Consumer groups and what is around them: who may commit, bounds and settings, assignors, descriptions.

use super::consumer::{Has, alive, has, joining, owning};
use super::*;
use crate::metadata::config::RESOURCE_GROUP;
use crate::protocol::messages::ConsumerGroupDescribeRequestData;

#[test]
fn who_may_commit_to_a_consumer_group() {
    let mut bench = Bench::new();
    bench.well(&joining("g", "a", &["t"]));
    bench.pass(1_000);
    bench.well(&joining("g", "b", &["t"]));
    bench.well(&alive("g", "a", 2));
    bench.well(&owning("g", "a", 2, &has(&[("t", &[0, 1])])));
    bench.well(&alive("g", "b", 3));
    let table = [
        (9, "a", 3, 0, ErrorCode::None),
        // Its partitions it has had since epoch 2.
        (9, "a", 2, 0, ErrorCode::None),
        (10, "a", 2, 1, ErrorCode::None),
        (9, "a", 2, 2, ErrorCode::StaleMemberEpoch),
        (9, "b", 2, 2, ErrorCode::StaleMemberEpoch),
        (9, "b", 3, 2, ErrorCode::None),
        (9, "b", 4, 2, ErrorCode::StaleMemberEpoch),
        (9, "x", 3, 0, ErrorCode::UnknownMemberId),
        (9, "", -1, 0, ErrorCode::UnknownMemberId),
        (8, "a", 3, 0, ErrorCode::UnsupportedVersion),
    ];
    for (version, member, epoch, partition, error) in table {
        let to = bench.commit_offset(version, "g", member, epoch, &[("t", partition, 7)]);
        assert_eq!(bench.committed(to), [error], "{version} {member} {epoch} {partition}");
    }
    let fetch = |bench: &mut Bench, member: Option<&str>, epoch: i32| {
        let mut request = fetch_groups(&[("g", Some(&[("t", 0)]))]);
        request.groups[0].member_id = member.map(text);
        request.groups[0].member_epoch = epoch;
        let to = bench.fetch_request(9, &request);
        let response = bench.fetched(to);
        ErrorCode::from(response.groups[0].error_code)
    };
    assert_eq!(fetch(&mut bench, None, -1), ErrorCode::None);
    assert_eq!(fetch(&mut bench, Some("a"), 3), ErrorCode::None);
    assert_eq!(fetch(&mut bench, Some("a"), 2), ErrorCode::StaleMemberEpoch);
    assert_eq!(fetch(&mut bench, Some("x"), 1), ErrorCode::UnknownMemberId);
    // What is on its way counts for those who wait for it only.
    bench.pass(1_000);
    bench.fate = Fate::Wait;
    let rejoining = bench.start_beat(1, &joining("g", "a", &["t", "u"]));
    assert_eq!(fetch(&mut bench, Some("a"), 3), ErrorCode::None);
    assert_eq!(fetch(&mut bench, Some("a"), 4), ErrorCode::StaleMemberEpoch);
    bench.fate = Fate::Commit;
    bench.settle(Ok(()));
    bench.beaten(rejoining);
    assert_eq!(fetch(&mut bench, Some("a"), 4), ErrorCode::None);
    for member in ["a", "b"] {
        bench.well(&alive("g", member, -1));
    }
    // Nobody is in it: an administrator may.
    let to = bench.commit_offset(8, "g", "", -1, &[("t", 0, 9)]);
    assert_eq!(bench.committed(to), [ErrorCode::None]);
    assert_eq!(bench.offset("g", "t", 0), 9);
    bench.check_replay("g");
    assert_eq!(bench.offset("g", "t", 0), 9);
}

#[test]
fn a_group_may_be_full() {
    let mut config = GroupConfig::default();
    config.consumer.max_size = 1;
    let mut bench = Bench::with(config);
    bench.well(&joining("g", "a", &["t"]));
    let full = (
        ErrorCode::GroupMaxSizeReached,
        "The consumer group has reached its maximum capacity of 1 members.".to_owned(),
    );
    assert_eq!(bench.refused(&joining("g", "b", &["t"])), full);
    bench.well(&joining("g", "a", &["t"]));
}

#[test]
fn a_group_may_have_settings_of_its_own() {
    let mut bench = Bench::new();
    let set = |bench: &mut Bench, settings: &[(&str, &str)]| {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        bench.image.configs.insert((RESOURCE_GROUP, "g".into()), Arc::new(settings));
        let delta = ImageDelta { configs_changed: [(RESOURCE_GROUP, "g".into())].into(), ..ImageDelta::default() };
        bench.groups.on_image(&bench.image, &delta);
    };
    // Beyond the broker's bounds, the bound counts.
    let own = [("consumer.heartbeat.interval.ms", "1"), ("consumer.session.timeout.ms", "50000")];
    set(&mut bench, &own);
    assert_eq!(bench.beat(&joining("g", "a", &["t"])).heartbeat_interval_ms, 5_000);
    assert_eq!(bench.beat(&joining("other", "a", &["t"])).heartbeat_interval_ms, 5_000);
    bench.pass(45_000);
    assert_eq!((bench.state("other"), bench.state("g")), ("Empty", "Stable"));
    bench.pass(5_000);
    assert_eq!(bench.state("g"), "Empty");
    set(&mut bench, &[("consumer.heartbeat.interval.ms", "7000"), ("consumer.assignment.interval.ms", "0")]);
    assert_eq!(bench.beat(&joining("g", "a", &["t"])).heartbeat_interval_ms, 7_000);
    // Without an interval each change is worked out at once.
    assert_eq!(bench.well(&joining("g", "b", &["t"])), (5, Some(Has::new())));
    assert_eq!(bench.consumers("g").target_epoch, 5);
}

#[test]
fn the_assignor_that_most_members_ask_for_is_taken() {
    let mut bench = Bench::new();
    let preferred = |bench: &mut Bench| {
        let request = ConsumerGroupDescribeRequestData::default().with_group_ids(vec![text("g")]);
        bench.groups.consumer_group_describe(&request).groups[0].assignor_name.to_string()
    };
    for (member, assignor, expected) in [
        ("a", None, "uniform"),
        ("b", Some("range"), "range"),
        ("c", Some("uniform"), "uniform"),
        ("d", Some("range"), "range"),
    ] {
        bench.well(&joining("g", member, &["t"]).with_server_assignor(assignor.map(text)));
        assert_eq!(preferred(&mut bench), expected, "with {member}");
    }
}

#[test]
fn described_listed_and_deleted() {
    let mut bench = Bench::new();
    bench.well(&joining("g", "a", &["t"]).with_server_assignor(Some(text("range"))).with_rack_id(Some(text("r"))));
    bench.pass(1_000);
    bench.well(&joining("g", "b", &["t"]));
    bench.well(&alive("g", "a", 2));
    let (_, join) = bench.join_dynamic("classic");
    bench.pass(3_000);
    bench.joined(join);
    let ids = ["", "g", "classic", "none"].map(text).to_vec();
    let described =
        bench.groups.consumer_group_describe(&ConsumerGroupDescribeRequestData::default().with_group_ids(ids));
    let errors: Vec<(ErrorCode, &str)> = described
        .groups
        .iter()
        .map(|group| {
            (ErrorCode::from(group.error_code), group.error_message.as_ref().map_or("", |message| message.as_str()))
        })
        .collect();
    let unknown = ErrorCode::GroupIdNotFound;
    assert_eq!(
        errors,
        [
            (ErrorCode::InvalidGroupId, ""),
            (ErrorCode::None, ""),
            (unknown, "Group classic is not a consumer group."),
            (unknown, "Group none not found."),
        ]
    );
    let group = &described.groups[1];
    assert_eq!((group.group_state.as_str(), group.group_epoch, group.assignment_epoch), ("Reconciling", 3, 3));
    assert_eq!((group.assignor_name.as_str(), group.members.len()), ("range", 2));
    let member = &group.members[0];
    assert_eq!((member.member_epoch, member.rack_id.as_ref().unwrap().as_str(), member.member_type), (2, "r", 1));
    // What it is giving up is still its own.
    assert_eq!(member.assignment.topic_partitions[0].partitions, [0, 1, 2, 3]);
    assert_eq!(member.target_assignment.topic_partitions[0].partitions, [0, 1]);

    let list = |bench: &Bench, types: &[&str], states: &[&str]| {
        let request = crate::protocol::messages::ListGroupsRequestData::default()
            .with_types_filter(types.iter().map(|name| text(name)).collect())
            .with_states_filter(states.iter().map(|name| text(name)).collect());
        let response = bench.groups.list_groups(&request);
        let mut groups: Vec<(String, String)> =
            response.groups.iter().map(|group| (group.group_id.to_string(), group.group_type.to_string())).collect();
        groups.sort();
        groups
    };
    let both = [("classic".into(), "classic".into()), ("g".into(), "consumer".into())];
    assert_eq!(list(&bench, &[], &[]), both);
    assert_eq!(list(&bench, &["Consumer"], &[]), both[1..]);
    assert_eq!(list(&bench, &[], &["reconciling"]), both[1..]);
    assert_eq!(list(&bench, &["classic"], &["reconciling"]), []);

    let reports = bench.groups.changed_reports();
    let report = reports.iter().find(|report| &*report.group_id == "g").unwrap();
    assert_eq!((report.state, report.generation, report.protocol.as_str()), (Some("Reconciling"), 3, "range"));
    assert_eq!(report.members[0].assignment.len(), 2);

    let delete = |bench: &mut Bench| {
        let to = bench.to();
        let request = crate::protocol::messages::DeleteGroupsRequestData::default().with_groups_names(vec![text("g")]);
        bench.groups.delete_groups(bench.now, to, &request);
        bench.pump();
        match bench.replies.remove(&to) {
            Some(GroupResponse::Delete(response)) => ErrorCode::from(response.results[0].error_code),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(delete(&mut bench), ErrorCode::NonEmptyGroup);
    bench.well(&alive("g", "a", -1));
    bench.well(&alive("g", "b", -1));
    assert_eq!(delete(&mut bench), ErrorCode::None);
    assert_eq!(bench.state("g"), "");
    bench.fail_over();
    assert_eq!(bench.state("g"), "");
}
