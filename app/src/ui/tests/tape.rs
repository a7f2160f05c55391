//! A partition as a tape, and which partition a key goes to.

use super::*;
use crate::monitor::inquiry::{Query, TapeWish};
use crate::monitor::messages::read::Start;
use crate::monitor::snapshot::ActiveFault;

fn on_tape(view: View, topic: &str, partition: i32) -> Window {
    let options =
        Options { screen: Screen::Topic, topic: Some(topic.into()), tape: Some(partition), ..Options::default() };
    Window::open(view, options)
}

fn wishes(window: &Window) -> Vec<TapeWish> {
    let sent = window.sent().into_iter();
    sent.filter_map(|command| match command {
        Command::Inquire(Query::Tape(wish)) => Some(wish),
        _ => None,
    })
    .collect()
}

#[test]
fn a_tape_tells_who_has_come_how_far() {
    let mut window = Window::open(
        fixture::incident(),
        Options { screen: Screen::Topic, topic: Some("clicks".into()), ..Options::default() },
    );
    assert_eq!(wishes(&window), []);
    window.click("Show tape");
    let wished = wishes(&window);
    assert_eq!((&*wished[0].topic, wished[0].partition), ("clicks", 0));
    let end = fixture::incident().snapshot.topics[1].partitions[0].high_watermark;
    assert!(wished[0].from < end && end < wished[0].to, "the end is looked at first");
    for part in [
        "Tape of clicks-0, offsets",
        "High watermark, log end, last stable offset",
        "Broker 1 · leader",
        "Broker 2 · down",
    ] {
        assert!(window.shows(part), "{part}");
    }
    assert!(window.shows("search-indexer: ") && window.shows("warehouse: "), "groups that read it");
    assert!(window.shows("6, ") || window.shows("The log"));
}

#[test]
fn one_partition_after_the_other_each_by_its_leader_or_another() {
    let mut window = on_tape(fixture::healthy(), "orders", 3);
    assert!(window.shows("Tape of orders-3"));
    let leader = fixture::healthy().snapshot.topics[2].partitions[3].leader;
    assert_eq!(wishes(&window)[0].replica, leader);
    window.click("Partition: 3");
    window.click("Partition 4");
    assert!(window.shows("Tape of orders-4"));
    let partition = &fixture::healthy().snapshot.topics[2].partitions[4];
    let follower = partition.replicas[1];
    window.click(&format!("Files of: broker {}, the leader", partition.leader));
    window.click(&format!("Files of broker {follower}"));
    let last = wishes(&window).pop().unwrap();
    assert_eq!((last.partition, last.replica), (4, follower));
    window.click("Whole log");
    let last = wishes(&window).pop().unwrap();
    assert!(last.from <= partition.log_start_offset && last.to > partition.high_watermark, "{last:?}");
}

#[test]
fn keys_move_over_the_tape_and_the_end_is_followed() {
    let mut window = on_tape(fixture::healthy(), "orders", 0);
    let from = |window: &Window| wishes(window).pop().unwrap().from;
    let at_end = from(&window);
    window.harness.get_by_label_contains("Tape of orders-0").focus();
    window.harness.run();
    for _ in 0..20 {
        window.harness.key_press(egui::Key::ArrowLeft);
        window.harness.run();
    }
    assert!(from(&window) < at_end, "it moved to the left");
    window.harness.key_press(egui::Key::Home);
    window.harness.run();
    let start = fixture::healthy().snapshot.topics[2].partitions[0].log_start_offset;
    assert!(from(&window) <= start && start - from(&window) < 300);
    window.click("Follow the end");
    assert!(window.shows("Tape of orders-0, offsets") && (window.shows("Log end") || window.shows("log end")));
}

#[test]
fn a_press_on_the_axis_reads_from_there() {
    let mut window = on_tape(fixture::healthy(), "orders", 2);
    let place = window.harness.get_by_label_contains("Tape of orders-2").rect();
    let overview = window.harness.get_by_label_contains("The whole log").rect();
    // Just below the overview stands the axis.
    let at = egui::pos2(place.center().x, overview.bottom() + 10.0);
    window.harness.hover_at(at);
    window.harness.run();
    window.harness.drag_at(at);
    window.harness.drop_at(at);
    window.harness.run();
    let reads: Vec<_> = window
        .sent()
        .into_iter()
        .filter_map(|command| match command {
            Command::Read(Some(wish)) => Some((wish.partition, wish.start)),
            _ => None,
        })
        .collect();
    let [(Some(2), Start::Offset(offset))] = reads.as_slice() else { panic!("{reads:?}") };
    let partition = &fixture::healthy().snapshot.topics[2].partitions[2];
    assert!(*offset < partition.high_watermark && *offset > partition.high_watermark - 300, "{offset}");
}

#[test]
fn slow_motion_is_a_fault_that_the_same_button_heals() {
    let mut window = on_tape(fixture::healthy(), "orders", 0);
    window.click("Slow motion");
    let partition = fixture::healthy().snapshot.topics[2].partitions[0].clone();
    let expected: Vec<Command> = partition.replicas[1..]
        .iter()
        .map(|follower| {
            Command::InjectFault(FaultRequest {
                from: Some(partition.leader),
                to: Some(*follower),
                both_ways: Some(true),
                delay_ms: Some(400),
                ..FaultRequest::new(FaultKind::Delay)
            })
        })
        .collect();
    let faults = |window: &Window| {
        let sent = window.sent().into_iter();
        sent.filter(|one| matches!(one, Command::InjectFault(_) | Command::HealFault(_))).collect::<Vec<_>>()
    };
    assert_eq!(faults(&window), expected);

    let mut view = fixture::healthy();
    let fault = |id, other: i32, kind: &str| ActiveFault {
        request: None,
        id,
        kind: kind.into(),
        node_id: partition.leader,
        node_ids: vec![partition.leader, other],
        what: format!("broker 1 to broker {other} is late by 400 ms"),
        since_ms: 0,
        until_ms: None,
    };
    Arc::make_mut(&mut view.snapshot).faults = vec![
        fault(7, partition.replicas[1], "delay"),
        fault(8, partition.replicas[2], "delay"),
        fault(9, 3000, "delay"),
        fault(10, 2, "cut"),
    ];
    let mut window = on_tape(view, "orders", 0);
    assert!(window.shows("is late by 400 ms, broker 1 to broker"));
    window.click("End slow motion");
    assert_eq!(faults(&window), [Command::HealFault(7), Command::HealFault(8)]);
}

#[test]
fn where_a_key_goes_is_reckoned_by_both_kinds_of_clients() {
    let mut window = on_tape(fixture::healthy(), "orders", 0);
    assert!(window.shows("Without a key a record may go anywhere"));
    window.type_into("Key", "order-1");
    assert!(window.shows("toPositive(murmur2(key)) % 12 = toPositive(1221710326) % 12 = 1221710326 % 12"));
    assert!(window.shows("Partition 10"));
    assert!(window.shows("crc32(key) % 12 = "));
    window.type_into("Partitions", "6");
    assert!(window.shows("Partition 4"));
    window.type_into("Partitions", "x");
    assert!(window.shows("A number from 1 on"));
}

#[test]
fn the_palette_finds_a_partition_as_a_tape_too() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    window.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::K);
    window.harness.run();
    window.type_into("Search commands and objects", "orders-3");
    window.choose("orders-3, tape");
    assert!(window.shows("Tape of orders-3"));
}
