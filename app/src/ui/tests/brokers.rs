//! The brokers' screen, and menus on what is shown.

use egui::{Key, Modifiers};

use super::*;
use crate::monitor::fault::End;
use crate::monitor::inquiry::{Findings, LogDir, Query, StoredReplica};
use crate::monitor::operation::ConfigResource;
use crate::monitor::snapshot::ActiveFault;

fn dirs() -> Findings {
    let replica = |topic: &str, partition, size_bytes, is_future| StoredReplica {
        topic: topic.into(),
        partition,
        size_bytes,
        lag: Some(0),
        is_future,
    };
    let dir = |path: &str, replicas| LogDir {
        path: path.into(),
        error: None,
        total_bytes: Some(1_000_000),
        usable_bytes: Some(150_000),
        replicas,
    };
    Findings::LogDirs(vec![
        dir("/data/broker-1/disk-1", vec![replica("orders", 3, 4_096, false), replica("clicks", 0, 1_024, false)]),
        dir("/data/broker-1/disk-2", vec![replica("orders", 3, 512, true)]),
        LogDir { path: "/data/broker-1/disk-3".into(), error: Some("KafkaStorageError".into()), ..LogDir::default() },
    ])
}

#[test]
fn a_brokers_load_connections_and_disks_are_shown() {
    let mut view = fixture::incident();
    view.inquiries.answer(&Query::LogDirs(1), 1, Ok(Arc::new(dirs())));
    let mut window = Window::on(view, Screen::Brokers);
    assert!(window.shows("Handler idle: –"), "broker 2 is killed, and comes first");
    window.choose("Broker 1, Running, a");
    assert!(window.shows("Handler idle: 90 %") && window.shows("Connections: 9"));
    window.click("Show connections");
    assert!(window.shows("PLAINTEXT, 9, 0.2/s") && window.shows("librdkafka, 2.10.0, PLAINTEXT, 6"));
    assert!(window.sent().is_empty(), "nobody asked for disks yet");
    window.click("Show log directories");
    assert_eq!(window.sent(), [Command::Inquire(Query::LogDirs(1))]);
    assert!(window.shows("/data/broker-1/disk-1, Online, 2, 5.0 KiB, 85 %, 146 KiB, 977 KiB"));
    assert!(window.shows("/data/broker-1/disk-3, Offline, 0, 0 B, –, –, –"));
    assert!(window.shows("orders-3, 512 B, future replica, /data/broker-1/disk-2"));
    window.type_into("Filter replicas", "clicks");
    assert!(!window.shows("orders-3, "));
    window.choose("clicks-0, 1.0 KiB");
    assert_eq!(window.harness.state().screen(), Screen::Topic);
}

#[test]
fn disks_of_a_broker_that_is_down_are_not_asked_for_and_a_failure_can_be_asked_again() {
    let mut window = Window::on(fixture::incident(), Screen::Brokers);
    window.click("Show log directories");
    assert!(window.shows("Broker 2 does not run") && window.sent().is_empty());
    let mut view = fixture::healthy();
    view.inquiries.answer(&Query::LogDirs(1), i64::MAX / 2, Err("No broker answers.".into()));
    let mut window = Window::on(view, Screen::Brokers);
    window.click("Show log directories");
    assert!(window.shows("The log directories are not known. No broker answers."));
    let before = window.sent().len();
    window.click("Ask again");
    assert_eq!(window.sent().len(), before + 1);
}

#[test]
fn configs_of_a_broker_and_of_all_are_asked_for() {
    let mut window = Window::on(fixture::healthy(), Screen::Brokers);
    window.click("Show configs");
    window.click("Show configs of all brokers");
    let asked = |resource| Command::Inquire(Query::Configs(resource));
    assert_eq!(window.sent(), [asked(ConfigResource::Broker(Some(1))), asked(ConfigResource::Broker(None))]);
}

#[test]
fn a_broker_is_broken_and_its_logs_are_opened_from_its_screen() {
    let mut window = Window::on(fixture::healthy(), Screen::Brokers);
    window.choose("Broker 3, Running");
    window.click("Kill broker 3");
    let kill = FaultRequest { broker: Some(3), ..FaultRequest::new(FaultKind::Kill) };
    assert_eq!(window.sent(), [Command::InjectFault(kill)]);
    window.click("Log levels of broker 3");
    assert_eq!(window.harness.state().screen(), Screen::Logs);
    assert!(window.shows("Search loggers"));
}

#[test]
fn a_row_has_a_menu_with_all_that_can_be_done() {
    let mut window = Window::on(fixture::healthy(), Screen::Brokers);
    window.harness.key_press(Key::ArrowDown);
    window.harness.run();
    window.harness.key_press_modifiers(Modifiers::SHIFT, Key::F10);
    window.harness.run();
    for name in ["Power loss of broker 1", "Slow disk of broker 1", "Scrub broker 1", "Copy its address"] {
        assert!(window.shows(name), "{name}");
    }
    window.click("Slow disk of broker 1");
    assert!(window.shows("Slow disk of broker 1?") && window.shows("Break it"));
}

#[test]
fn the_lines_of_the_map_have_menus_that_break_them() {
    let mut view = fixture::healthy();
    let request =
        FaultRequest { from: Some(End::Clients), to: Some(End::Node(3)), ..FaultRequest::new(FaultKind::Cut) };
    let what = "Clients cut off from broker 3".into();
    let active =
        ActiveFault { id: 7, request: Arc::new(request), what, ..fixture::incident().snapshot.faults[0].clone() };
    Arc::make_mut(&mut view.snapshot).faults = vec![active];
    let mut window = Window::on(view, Screen::Cluster);
    for (under, line) in [
        ("Clients to Zone c", "Cut a link of clients to broker 3"),
        ("Zone c to clients", "Delay a link of broker 3 to clients"),
        ("Zone a and Zone b", "Cut a link of broker 1 to broker 2"),
    ] {
        window.harness.get_by_label(under).click_secondary();
        window.harness.run();
        assert!(window.shows(line), "{line}");
        window.harness.key_press(Key::Escape);
        window.harness.run();
        assert!(!window.shows(line), "{line} is closed");
    }
    assert!(window.sent().is_empty(), "the other mouse button breaks nothing");
    window.harness.get_by_label("Clients to Zone c").click_secondary();
    window.harness.run();
    window.click("Heal: Clients cut off from broker 3 (fault 7)");
    assert_eq!(window.sent(), [Command::HealFault(7)]);
    window.harness.get_by_label("Clients to Zone c").click_secondary();
    window.harness.run();
    window.click("Cut a link of clients to broker 3");
    window.click("Break it");
    let cut = FaultRequest { from: Some(End::Clients), to: Some(End::Node(3)), ..FaultRequest::new(FaultKind::Cut) };
    assert_eq!(window.sent().last(), Some(&Command::InjectFault(cut)));
}

#[test]
fn what_stands_on_the_cluster_screen_has_a_menu_under_the_other_mouse_button() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    for (under, line) in [
        ("Kill broker 2", "Wrong clock of broker 2"),
        ("Pause controller 3001", "Wrong clock of controller 3001"),
        ("Zone c", "Outage of zone c"),
        ("Stop workload 1", "Open group demo-readers"),
    ] {
        window.harness.get_by_label(under).click_secondary();
        window.harness.run();
        assert!(window.shows(line), "{line}");
        assert!(window.sent().is_empty(), "the other mouse button presses nothing");
        window.harness.key_press(Key::Escape);
        window.harness.run();
        assert!(!window.shows(line), "{line} is closed");
    }
    window.harness.get_by_label("Kill broker 2").focus();
    window.harness.run();
    window.harness.key_press_modifiers(Modifiers::SHIFT, Key::F10);
    window.harness.run();
    window.click("Open broker 2");
    assert_eq!(window.harness.state().screen(), Screen::Brokers);
}

#[test]
fn a_topics_row_menu_has_the_commands_on_it() {
    let mut window = Window::on(fixture::healthy(), Screen::Topics);
    window.harness.get_by_label_contains("orders, ").click_secondary();
    window.harness.run();
    for line in ["Move replicas of orders", "Delete records of orders", "Copy the topic id", "Delete topic orders"] {
        assert!(window.shows(line), "{line}");
    }
    window.click("More partitions for orders");
    assert!(window.shows("Partitions in all (12 now)"));
}
