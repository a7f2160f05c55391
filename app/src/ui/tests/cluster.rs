//! The live map: who is connected, what flows, topics from farther away, leaderships on their way.

use std::sync::Arc;

use super::*;
use crate::monitor::operation::Operation;

#[test]
fn clients_zones_and_the_traffic_between_them_are_told() {
    let window = Window::on(fixture::healthy(), Screen::Cluster);
    for fact in [
        "27 connections",
        "Client software librdkafka 2.10.0, 18 connections",
        "Client software apache-kafka-java 4.3.0, 9 connections",
        "Group demo-readers, 2 members",
        "Zone a: clients write 1.4 MiB/s and read 2.8 MiB/s",
        "Replication between zone a and zone b: ",
        "Replication between zone a and zone c: ",
    ] {
        assert!(window.shows(fact), "{fact}");
    }
}

#[test]
fn a_zone_whose_broker_is_down_has_no_traffic_and_nothing_is_copied_from_it() {
    let window = Window::on(fixture::incident(), Screen::Cluster);
    assert!(window.shows("Zone b: clients write 0 B/s and read 0 B/s"));
    assert!(window.shows("Replication between zone a and zone c: "));
    assert!(!window.shows("zone b: "), "broker 2 is down");
    assert!(window.shows("Replication between zone a and zone c: "));
}

#[test]
fn a_group_on_the_map_has_its_menu_and_leads_to_its_screen() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    window.harness.get_by_label_contains("Group demo-readers, ").click_secondary();
    window.harness.run();
    assert!(window.shows("Reset offsets of demo-readers") && window.shows("Copy the group's id"));
    window.harness.key_press(egui::Key::Escape);
    window.harness.run();
    window.choose("Group demo-readers, ");
    assert_eq!(window.harness.state().screen(), Screen::Groups);
}

#[test]
fn one_zooms_out_to_topics_and_in_to_one() {
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    window.click("Zoom out to topics");
    assert!(window.shows("Partition map, topics out of sync: 6 topics"));
    window.type_into("Filter partitions", "orders");
    assert!(window.shows("Partition map, topics out of sync: 1 topic"));
    window.harness.get_by_label_contains("Partition map, topics out of sync").click();
    window.harness.run();
    assert!(window.shows("Partition map, "));
    // The middle of the map is no row here: the first row is at its left end.
    window.click("Zoom in to partitions");
    assert!(window.shows("12 partitions"));
}

#[test]
fn nodes_and_partitions_are_shown_together_or_alone() {
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    let sees = |window: &Window| (window.shows("Kill broker 1"), window.shows("Partition map, "));
    assert_eq!(sees(&window), (true, true));
    window.click("Show partitions only");
    assert_eq!(sees(&window), (false, true));
    window.click("Show nodes only");
    assert_eq!(sees(&window), (true, false));
    window.click("Show nodes and partitions");
    assert_eq!(sees(&window), (true, true));
}

#[test]
fn ten_thousand_partitions_begin_as_topics() {
    let window = Window::on(fixture::large(1_000, 10), Screen::Cluster);
    assert!(window.shows("Partition map, topics in sync: 975 topics"));
    assert!(window.shows("Partition map, topics out of sync: 25 topics"));
}

#[test]
fn a_leadership_is_on_its_way_for_a_moment_and_then_all_is_still() {
    let options = Options { screen: Screen::Cluster, animates: true, ..Options::default() };
    let mut window = Window::open(fixture::healthy(), options);
    let mut view = fixture::healthy();
    let snapshot = Arc::make_mut(&mut view.snapshot);
    let topic = Arc::make_mut(&mut snapshot.topics[0]);
    topic.partitions[0].leader = 3;
    *window.next.lock().unwrap() = Some(view);
    let wants = |window: &Window| window.harness.ctx.has_requested_repaint();
    // One frame takes the view in, the next shows the first step.
    window.harness.step();
    window.harness.step();
    assert!(wants(&window), "it moves");
    let mut steps = 0;
    while wants(&window) && steps < 400 {
        window.harness.step();
        steps += 1;
    }
    assert!(!wants(&window) && steps >= 2, "it stands still again, after {steps} frames");
}

#[test]
fn a_picture_does_not_move() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    let mut view = fixture::healthy();
    let snapshot = Arc::make_mut(&mut view.snapshot);
    Arc::make_mut(&mut snapshot.topics[0]).partitions[0].leader = 3;
    // Would not come to rest in so few steps otherwise.
    window.change(view);
}

#[test]
fn the_replication_factor_is_changed_by_a_plan() {
    let mut window = Window::on(fixture::healthy(), Screen::Topics);
    window.harness.get_by_label_contains("orders, ").click_secondary();
    window.harness.run();
    window.click("Move replicas of orders");
    let field = "Replicas of each partition (nothing: as many as now)";
    window.type_into(field, "4");
    assert!(window.shows("A number from 1 to 3, or nothing."));
    window.harness.key_press(egui::Key::Backspace);
    window.harness.run();
    window.type_into(field, "2");
    assert!(window.shows("12 partitions would change, and 0 B would be copied."));
    window.click("Change replicas");
    let sent = window.sent().into_iter().find_map(|command| match command {
        Command::Operate(Operation::Reassign { moves, .. }) => Some(moves),
        _ => None,
    });
    let moves = sent.unwrap();
    assert!(moves.len() == 12 && moves.iter().all(|one| one.replicas.len() == 2), "{moves:?}");
}

#[test]
fn a_topic_is_created_with_configs_that_are_explained_and_checked() {
    let mut window = Window::on(fixture::healthy(), Screen::Topics);
    window.click("Create topic");
    window.type_into("Name", "audit.v2");
    assert!(window.shows("Example of a placement"));
    window.click("Set retention.ms");
    window.type_into("retention.ms", "a week");
    assert!(window.shows("Not 'a week'"));
    window.click("Leave retention.ms out");
    window.click("Set retention.ms");
    window.type_into("retention.ms", "86400000");
    assert!(window.shows("--config retention.ms=86400000"));
    window.type_into("Min in-sync replicas", "2");
    assert!(window.shows("Writes with acks=all go on while 1 of a partition's 3 is down"));
    window.harness.get_all_by_label("Create topic").last().unwrap().click();
    window.harness.run();
    let configs = [("min.insync.replicas", "2"), ("retention.ms", "86400000")];
    let configs = configs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let name = "audit.v2".to_owned();
    assert_eq!(window.sent(), [Command::CreateTopic { name, partitions: 6, replication_factor: 3, configs }]);
}

#[test]
fn topics_tell_the_group_farthest_behind() {
    let window = Window::on(fixture::incident(), Screen::Topics);
    let billing = fixture::incident().snapshot.groups.iter().find(|group| &*group.id == "billing").unwrap().total_lag;
    let lag = crate::ui::format::count(billing);
    assert!(window.shows(&format!("{lag}, billing")), "{lag}");
}
