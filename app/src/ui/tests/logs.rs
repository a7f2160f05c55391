//! The logs' screen: lines found, followed, opened at a time.

use super::*;

#[test]
fn lines_are_filtered_and_one_is_read_in_full() {
    let mut window = Window::on(fixture::incident(), Screen::Logs);
    let all = fixture::incident().logs.lines.len();
    assert!(window.shows(&format!("{all} of {all}")));
    window.type_into("Filter lines", "clicks-4 behind");
    assert!(window.shows("1 of ") && window.shows("[Partition clicks-4 broker=1]"));
    window.choose("broker 1, INFO, Partition, [Partition clicks-4");
    assert!(window.shows("Broker 1 · kafka.cluster.Partition") && window.shows("Follow"));
    window.click("Copy the line");
    assert!(window.shows("Copied the line."));
    window.click("Close the line");
    assert!(!window.shows("Broker 1 · kafka.cluster.Partition"));
    window.click("Clear: Filter lines");
    window.type_into("Filter lines", "/(/");
    assert!(window.shows("That is no regular expression") && window.shows("The pattern cannot be read"));
    window.click("Clear: Filter lines");
    window.type_into("Filter lines", "/epoch 5 .*391,204$/");
    assert!(window.shows("8 of "));
    window.click("Clear: Filter lines");
    window.click("From: TRACE");
    window.click("From WARN");
    assert!(!window.shows(", INFO, ") && window.shows(", WARN, "));
    window.click("Node: all");
    window.click("Node broker 3");
    assert!(window.shows("2 of ") && window.shows("broker 3, ERROR, "));
    window.click("Logger: all");
    window.click("Logger KafkaApis");
    assert!(window.shows("1 of "));
    window.type_into("Filter lines", "nothing like it");
    assert!(window.shows("No line matches"));
}

#[test]
fn levels_are_set_for_one_node_or_all_and_taken_away() {
    let mut window = Window::on(fixture::incident(), Screen::Logs);
    window.click("Levels and delivery");
    assert!(window.shows("kafka.request.logger. Each request when it is done") && window.shows("mixed. by node"));
    assert!(window.shows("--entity-type broker-loggers"));
    window.click("Set kafka.request.logger to TRACE");
    window.click("Of: all nodes");
    window.click("Of broker 1");
    assert!(window.shows("kafka.request.logger. Each request when it is done: what was asked and answered, and its times: DEBUG., DEBUG. set"));
    window.type_into("Search loggers", "kafkaapis");
    window.choose("KafkaApis. kafka.server");
    window.click("Let kafka.server.KafkaApis inherit its level");
    assert!(window.shows("--entity-name 1 --alter --delete-config kafka.server.KafkaApis"));
    let set = |node, logger: &str, level| Command::Logs(Wish::SetLevel { node, logger: logger.into(), level });
    let sent = [set(None, "kafka.request.logger", Some(Level::Trace)), set(Some(1), "kafka.server.KafkaApis", None)];
    assert_eq!(window.sent(), sent);
    window.click("Clear: Search loggers");
    window.type_into("Search loggers", "all loggers that have no level");
    window.choose("root. ");
    window.click("Let root inherit its level");
    assert_eq!(window.sent().len(), 2, "the root cannot be without one");
}

#[test]
fn logs_are_delivered_where_one_says() {
    let mut window = Window::on(fixture::healthy(), Screen::Logs);
    window.click("Levels and delivery");
    window.click("Files and delivery");
    assert!(window.shows("Goes to /srv/kafka-logs") && window.shows("9 objects with 1,204 lines."));
    window.click("Deliver here");
    window.type_into("Folder", "/somewhere");
    assert!(window.shows("brokerscope --deliver-logs /somewhere"));
    window.click("Deliver here");
    window.click("Stop delivering");
    let sent = [Wish::Deliver(Some("/somewhere".into())), Wish::Deliver(None)];
    assert_eq!(window.sent(), sent.map(Command::Logs));
    let window = Window::on(fixture::empty(), Screen::Logs);
    assert!(window.shows("Nothing has been logged yet"));
}

#[test]
fn an_event_leads_to_its_node_s_log_of_that_time() {
    let mut window = Window::on(fixture::incident(), Screen::Events);
    window.click("Show all events");
    window.type_into("Filter events", "prepares to rebalance");
    window.choose("Group fraud-check prepares");
    assert_eq!(window.harness.state().screen(), Screen::Logs);
    assert!(window.shows("Node: broker 1") && window.shows("Group fraud-check prepares to rebalance"));
    assert!(!window.shows("controller 3001, INFO") && !window.shows("Following"));
}

#[test]
fn the_end_of_the_log_stays_in_sight_until_somebody_scrolls_up() {
    let mut window = Window::on(fixture::large(10, 3), Screen::Logs);
    let last = fixture::large(10, 3).logs.lines.next_seq() - 2;
    let end = format!("line {last} of many");
    assert!(window.shows(&end) && window.shows("Following"));
    let row = window.harness.get_by_label_contains(&end).rect().center();
    window.harness.hover_at(row);
    let delta = egui::vec2(0.0, 400.0);
    let (unit, phase) = (egui::MouseWheelUnit::Point, egui::TouchPhase::Move);
    let (modifiers, source) = (egui::Modifiers::NONE, egui::MouseWheelSource::Unknown);
    window.harness.event(egui::Event::MouseWheel { unit, delta, phase, modifiers, source });
    window.harness.run_steps(30);
    assert!(!window.shows(&end) && !window.shows("Following"));
    window.click("Follow");
    assert!(window.shows(&end) && window.shows("Following"));
}

#[test]
fn menus_of_lines_narrow_the_lines_and_those_of_partitions_lead_to_logs() {
    let mut window = Window::on(fixture::incident(), Screen::Logs);
    window.harness.get_by_label_contains("broker 3, ERROR, KafkaApis").click_secondary();
    window.harness.run();
    window.click("Only ERROR and graver");
    assert!(window.shows("1 of ") && window.shows("From: ERROR"));
    let options = Options { screen: Screen::Topic, topic: Some("clicks".into()), ..Options::default() };
    let mut window = Window::open(fixture::incident(), options);
    window.type_into("Filter partitions", "leader 1 min");
    window.harness.get_by_label_contains("4, Under min ISR, 1").click_secondary();
    window.harness.run();
    window.click("Log of its leader");
    assert_eq!(window.harness.state().screen(), Screen::Logs);
    assert!(window.shows("Node: broker 1"));
}
