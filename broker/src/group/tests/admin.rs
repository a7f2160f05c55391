//! ListGroups, DescribeGroups, DeleteGroups, and the reports.

use super::*;
use crate::protocol::messages::{
    DeleteGroupsRequestData, DescribeGroupsRequestData, KafkaString, ListGroupsRequestData,
};
use crate::types::TopicPartition;

fn names(of: &[&str]) -> Vec<KafkaString> {
    of.iter().map(|name| text(name)).collect()
}

fn listed(bench: &Bench, states: &[&str], types: &[&str]) -> Vec<String> {
    let request = ListGroupsRequestData::default().with_states_filter(names(states)).with_types_filter(names(types));
    let response = bench.groups.list_groups(&request);
    assert_eq!(response.error_code, 0);
    let line = |group: &crate::protocol::messages::ListedGroup| {
        format!("{} {} {} {}", group.group_id, group.protocol_type, group.group_state, group.group_type)
    };
    let mut lines: Vec<String> = response.groups.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut bench = Bench::new();
    bench.stable("a", 1);
    let to = bench.commit_offset(8, "b", "", -1, &[("t", 0, 5)]);
    bench.committed(to);
    let (a, b) = ("a consumer Stable classic".to_owned(), "b  Empty classic".to_owned());
    assert_eq!(listed(&bench, &[], &[]), [&*a, &*b]);
    assert_eq!(listed(&bench, &[" sTable"], &[]), [a]);
    assert_eq!(listed(&bench, &["empty", "dead"], &["Classic"]), [b]);
    assert!(listed(&bench, &[], &["consumer"]).is_empty());
    assert!(listed(&bench, &[], &["nonsense"]).is_empty());
    bench.groups.begin_load(bench.now, 0);
    let response = bench.groups.list_groups(&ListGroupsRequestData::default());
    assert_eq!(ErrorCode::from(response.error_code), ErrorCode::CoordinatorLoadInProgress);
}

#[test]
fn groups_are_described() {
    let mut bench = Bench::new();
    let (ids, _) = bench.stable("g", 1);
    let request = DescribeGroupsRequestData::default().with_groups(names(&["g", "none"]));
    let described = bench.groups.describe_groups(6, &request).groups;
    let group = &described[0];
    assert_eq!((group.error_code, group.group_state.as_str()), (0, "Stable"));
    assert_eq!((group.protocol_type.as_str(), group.protocol_data.as_str()), ("consumer", "range"));
    let member = &group.members[0];
    assert_eq!((member.member_id.as_str(), member.client_id.as_str()), (ids[0].as_str(), "app"));
    assert_eq!(member.client_host.as_str(), "/127.0.0.1");
    assert_eq!((&member.member_metadata, &member.member_assignment), (&subscription(&["t"]), &assignment("t", 0)));
    assert_eq!(
        (ErrorCode::from(described[1].error_code), described[1].group_state.as_str()),
        (ErrorCode::GroupIdNotFound, "Dead")
    );
    assert_eq!(described[1].error_message.as_ref().unwrap().as_str(), "Group none not found.");
    let described = bench.groups.describe_groups(5, &request).groups;
    assert_eq!((described[1].error_code, described[1].group_state.as_str()), (0, "Dead"));

    bench.join_dynamic("g");
    let described = bench.groups.describe_groups(6, &request).groups;
    assert_eq!((described[0].group_state.as_str(), described[0].protocol_data.as_str()), ("PreparingRebalance", ""));
    assert!(described[0].members[0].member_metadata.is_empty());
    let partition = bench.groups.partition_for("g");
    bench.groups.unload_partition(bench.now, partition);
    let described = bench.groups.describe_groups(6, &request).groups;
    assert_eq!(ErrorCode::from(described[0].error_code), ErrorCode::NotCoordinator);
}

fn delete(bench: &mut Bench, ids: &[&str]) -> ReplyTo {
    let to = bench.to();
    let request = DeleteGroupsRequestData::default().with_groups_names(names(ids));
    bench.groups.delete_groups(bench.now, to, &request);
    bench.pump();
    to
}

fn deleted(bench: &mut Bench, to: ReplyTo) -> Vec<(String, ErrorCode)> {
    let Some(GroupResponse::Delete(response)) = bench.replies.remove(&to) else { panic!("no answer") };
    let result = |it: &crate::protocol::messages::DeletableGroupResult| (it.group_id.to_string(), it.error_code.into());
    let mut results: Vec<(String, ErrorCode)> = response.results.iter().map(result).collect();
    results.sort_by(|a, b| a.0.cmp(&b.0));
    results
}

#[test]
fn empty_groups_are_deleted_with_their_offsets() {
    let mut bench = Bench::new();
    bench.stable("busy", 1);
    for group in ["a", "b"] {
        let to = bench.commit_offset(8, group, "", -1, &[("t", 0, 5), ("u", 1, 6)]);
        bench.committed(to);
    }
    bench.fate = Fate::Wait;
    let pending = bench.commit_offset(8, "a", "", -1, &[("t", 3, 7)]);
    let to = delete(&mut bench, &["a", "busy", "none", "a"]);
    assert!(bench.is_waiting(to));
    bench.settle(Ok(()));
    assert_eq!(bench.committed(pending), [ErrorCode::None]);
    let expected = [("a", ErrorCode::None), ("busy", ErrorCode::NonEmptyGroup), ("none", ErrorCode::GroupIdNotFound)];
    assert_eq!(deleted(&mut bench, to), expected.map(|(id, error)| (id.to_owned(), error)));
    bench.fate = Fate::Commit;
    for round in 0..2 {
        assert_eq!((bench.state("a"), bench.state("b")), ("", "Empty"), "{round}");
        assert_eq!((bench.offset("a", "t", 0), bench.offset("a", "t", 3), bench.offset("b", "t", 0)), (-1, -1, 5));
        bench.fail_over();
    }
    let to = delete(&mut bench, &[]);
    assert!(deleted(&mut bench, to).is_empty());
}

#[test]
fn a_deletion_that_cannot_be_written_did_not_happen() {
    let mut bench = Bench::new();
    let to = bench.commit_offset(8, "a", "", -1, &[("t", 0, 5)]);
    bench.committed(to);
    bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
    let to = delete(&mut bench, &["a"]);
    assert_eq!(deleted(&mut bench, to), [("a".to_owned(), ErrorCode::CoordinatorNotAvailable)]);
    assert_eq!((bench.state("a"), bench.offset("a", "t", 0)), ("Empty", 5));
}

#[test]
fn a_group_that_comes_back_while_it_is_deleted_lives() {
    let mut bench = Bench::new();
    let to = bench.commit_offset(8, "a", "", -1, &[("t", 0, 5)]);
    bench.committed(to);
    bench.fate = Fate::Wait;
    let to = delete(&mut bench, &["a"]);
    let (id, join) = bench.join_dynamic("a");
    bench.settle(Ok(()));
    assert_eq!(deleted(&mut bench, to)[0].1, ErrorCode::None);
    bench.pass(3_000);
    assert_eq!(bench.joined(join).member_id.as_str(), id);
    assert_eq!(bench.offset("a", "t", 0), -1);
}

#[test]
fn what_changed_is_reported_once() {
    let mut bench = Bench::new();
    bench.groups.changed_reports();
    let (ids, generation) = bench.stable("g", 2);
    let to = bench.commit_offset(9, "g", &ids[0], generation, &[("t", 0, 5)]);
    bench.committed(to);
    let reports = bench.groups.changed_reports();
    assert_eq!(reports.len(), 1);
    let report = &reports[0];
    assert_eq!((&*report.group_id, report.state, report.generation), ("g", Some("Stable"), generation));
    assert_eq!((report.protocol_type.as_str(), report.protocol.as_str()), ("consumer", "range"));
    assert_eq!(report.offsets, [(TopicPartition::new("t", 0), 5)]);
    let leader = report.members.iter().find(|member| member.member_id == ids[0]).unwrap();
    assert_eq!(
        (leader.client_host.as_str(), &leader.assignment[..]),
        ("127.0.0.1", &[TopicPartition::new("t", 0)][..])
    );
    assert!(bench.groups.changed_reports().is_empty());
    let partition = bench.groups.partition_for("g");
    bench.groups.unload_partition(bench.now, partition);
    let reports = bench.groups.changed_reports();
    assert_eq!((reports.len(), reports[0].state), (1, None));
    assert!(bench.groups.changed_reports().is_empty());
}

#[test]
fn an_assignment_in_no_known_format_is_shown_as_none() {
    let mut bench = Bench::new();
    let (id, to) = bench.join_dynamic("g");
    bench.pass(3_000);
    bench.joined(to);
    let hostile = Bytes::from_static(&[0, 0, 127, 255, 255, 255, 0, 1]);
    let to = bench.sync("g", &id, 1, &[(&id, hostile.clone())]);
    assert_eq!(bench.synced(to).assignment, hostile, "it is the members' own");
    let reports = bench.groups.changed_reports();
    assert!(reports[0].members[0].assignment.is_empty());
}
