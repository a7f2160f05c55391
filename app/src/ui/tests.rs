//! The window driven by accessible names, without a display and without a GPU.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use broker::logging::Level;
use broker::metadata::report::Moving;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::fixture::{self, Still};
use super::{BrokerscopeApp, Dialog, Options, Screen, ThemeChoice};
use crate::monitor::cloudwatch::advice::AlarmSet;
use crate::monitor::cloudwatch::alarm::AlarmState;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::{Command, FaultKind, FaultRequest, NewBroker, NewController, Notice, WorkloadSpec};
use crate::monitor::logs::Wish;
use crate::monitor::snapshot::Membership;
use crate::monitor::view::View;

mod alarms;
mod brokers;
mod cluster;
mod commands;
mod design;
mod events;
mod faults;
mod files;
mod ledger;
mod logs;
mod messages;
mod operations;
mod quorum;
mod start;
mod tape;
mod time;
mod wire;
mod workloads;

struct Window {
    harness: Harness<'static, BrokerscopeApp>,
    sent: Arc<Mutex<Vec<Command>>>,
    next: Arc<Mutex<Option<View>>>,
}

impl Window {
    fn open(view: View, options: Options) -> Window {
        let still = Still::new(view.clone());
        let (sent, next) = (Arc::clone(&still.sent), Arc::clone(&still.next));
        // Fifty thousand lines are looked through in many frames, and the wall reads what it has no time for in the next: on a busy machine
        // that may be one chart a frame.
        let steps = if view.logs.lines.len() > 10_000 { 400 } else { 40 };
        let mut harness = Harness::builder()
            .with_max_steps(steps)
            .with_size(egui::vec2(1600.0, 1000.0))
            .build_eframe(|cc| BrokerscopeApp::new(&cc.egui_ctx, Box::new(still), options));
        harness.run();
        Window { harness, sent, next }
    }

    fn on(view: View, screen: Screen) -> Window {
        Window::open(view, Options { screen, ..Options::default() })
    }

    /// Another view comes in.
    fn change(&mut self, view: View) {
        *self.next.lock().unwrap() = Some(view);
        self.harness.run();
        self.harness.run();
    }

    fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.harness.run();
    }

    /// Clicks the row that begins so.
    fn choose(&mut self, part: &str) {
        self.harness.get_by_label_contains(part).click();
        self.harness.run();
    }

    fn type_into(&mut self, name: &str, text: &str) {
        self.harness.get_by_label(name).focus();
        self.harness.run();
        self.harness.get_by_label(name).type_text(text);
        self.harness.run();
    }

    fn shows(&self, part: &str) -> bool {
        self.harness.query_all_by_label_contains(part).next().is_some()
    }

    fn sent(&self) -> Vec<Command> {
        self.sent.lock().unwrap().clone()
    }
}

#[test]
fn every_screen_shows_its_facts() {
    let facts: [(Screen, &[&str]); 13] = [
        (
            Screen::Start,
            &[
                "A Kafka cluster to look into",
                "127.0.0.1:9092,127.0.0.1:9093",
                "kcat -b 127.0.0.1:9092",
                "Begin: Failover",
                "It needs three brokers that run; there are 2.",
            ],
        ),
        (
            Screen::Cluster,
            &[
                "Broker 2",
                "Killed",
                "Controller 3001",
                "Active",
                "Out of sync: 99",
                "Partition map, a replica is missing",
                "884,213",
            ],
        ),
        (Screen::Topics, &["clicks, Under min ISR, 24", "audit, Offline", "orders, Under-replicated, 12"]),
        (Screen::Topic, &["audit", "1, Offline, none", "Replication factor: 1"]),
        (
            Screen::Groups,
            &[
                "search-indexer, Stalled, Empty, 0",
                "billing, Falling behind, Stable",
                "clicks-0",
                "Nobody is in the group",
            ],
        ),
        (Screen::Brokers, &["2 of 3 take part", "Broker 2, Killed, b, ", "Broker 1, Running, a, ", "Network idle: –"]),
        (
            Screen::Workloads,
            &[
                "2 · clicks, Running",
                "Workload 2 on clicks",
                "min.insync.replicas: with acks=all the broker refuses",
                "Acknowledged: ",
                "Rate, exact value",
                "demo-consumer-2",
                "Crashed",
                "Start IoT sensors",
                "End to end p99: ",
            ],
        ),
        (Screen::Ledger, &["3 · payments, Violated", "Loss 1: 7 records", "All clients", "Unexplained: 7"]),
        (
            Screen::Quorum,
            &[
                "Controller 3001, Leader, Running, 18,934, 0",
                "Broker 2, Observer, Killed, 18,204, 730",
                "a majority, and 1 voter to spare",
                "4, Controller 3001, 3000, 3001 of 3, 18,881",
                "describe --replication",
            ],
        ),
        (
            Screen::Metrics,
            &[
                "UnderReplicatedPartitions",
                "kafka_server_replicamanager_underreplicatedpartitions",
                "Brokers online: 2 / 3",
                "Under-replicated: 99",
                "Unclean election rate: –",
                "billing: orders: ",
                "broker 2 is killed, for 1 min",
            ],
        ),
        (
            Screen::Alarms,
            &[
                "ALARM, OfflinePartitionsCount. Maximum greater than 0 in a period of 10 s",
                "OK, KafkaAppLogsDiskUsed of broker 1",
                "What to do: Start the brokers that hold these partitions' replicas",
                "Alarm updated from OK to ALARM",
                "ALARM when greater than: 0",
            ],
        ),
        (
            Screen::Events,
            &[
                "Close the story: Broker 2 was killed: 16 partitions changed leaders in 1.5 s, 1 partition had no leader, ",
                "Open the story: Member fraud-check-2 joined group fraud-check: group fraud-check rebalanced.",
                "Show the cluster as it was then",
                "Going on",
            ],
        ),
        (
            Screen::Logs,
            &[
                "broker 1, INFO, GroupMetadataManager, [GroupCoordinator id=1 topic=__consumer_offsets partition=41] [GroupId fraud-check] Group",
                "broker 3, ERROR, KafkaApis, ",
                "Following",
                "Levels and delivery",
            ],
        ),
    ];
    for (screen, facts) in facts {
        let window = Window::on(fixture::incident(), screen);
        for fact in facts {
            assert!(window.shows(fact), "{screen} does not show '{fact}'");
        }
        assert!(window.shows("Unavailable") && window.shows("Bootstrap servers: 127.0.0.1:9092–9094"));
    }
}

#[test]
fn groups_of_all_kinds_say_what_they_are() {
    let mut window = Window::on(fixture::incident(), Screen::Groups);
    assert!(window.shows(", Not ready, 2") && window.shows("zz-workers, Keeping up, Stable, 3, "));
    window.choose("zz-workers, Keeping up");
    assert!(window.shows("share · simple · epoch") && window.shows("commit no offsets"));
    assert!(window.shows("payments-0, Keeping up, "));
    assert!(!window.shows("Total lag") && !window.shows("Lag by partition"));
    window.choose("word-count, ");
    assert!(window.shows("streams · sticky · epoch") && window.shows("Lag by partition"));
}

#[test]
fn both_themes_and_all_fixtures_paint_on_every_screen() {
    for view in [View::default(), fixture::empty(), fixture::healthy()] {
        for screen in Screen::ALL {
            for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
                Window::open(view.clone(), Options { screen, theme, ..Options::default() });
            }
        }
    }
}

#[test]
fn kill_is_sent_for_the_broker_on_whose_card_it_stands() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    window.click("Kill broker 2");
    window.click("Pause controller 3001");
    let fault =
        |kind, broker, controller| Command::InjectFault(FaultRequest { broker, controller, ..FaultRequest::new(kind) });
    assert_eq!(window.sent(), [fault(FaultKind::Kill, Some(2), None), fault(FaultKind::Pause, None, Some(3001))]);
}

#[test]
fn a_killed_broker_can_be_started_and_not_killed_again() {
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    window.click("Kill broker 2");
    assert_eq!(window.sent(), []);
    window.click("Start broker 2");
    window.click("Heal all");
    assert_eq!(window.sent(), [Command::StartNode(2), Command::HealAllFaults]);
}

#[test]
fn a_broker_is_added_by_one_click_and_removed_by_two() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    window.click("Add broker");
    window.click("Remove broker 2");
    assert!(window.shows("unregister --bootstrap-server 127.0.0.1:9092"), "the commands that do the same");
    window.click("Cancel");
    window.click("Remove broker 3");
    window.click("Remove broker");
    assert_eq!(window.sent(), [Command::AddBroker(NewBroker::default()), Command::RemoveBroker(3)]);
}

#[test]
fn a_controller_is_added_by_one_click_and_removed_by_two() {
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    window.click("Add controller");
    window.click("Remove controller 3000");
    assert!(
        window.shows("remove-controller --controller-id 3000") && window.shows("2 voters left, of whom 2 must agree")
    );
    window.click("Cancel");
    window.click("Remove controller 3001");
    assert!(window.shows("It leads the quorum: another one takes over."));
    window.click("Remove controller");
    assert_eq!(window.sent(), [Command::AddController(NewController::default()), Command::RemoveController(3001)]);
}

#[test]
fn while_a_broker_leaves_it_can_be_kept_and_nothing_else_changes() {
    let mut view = fixture::healthy();
    let snapshot = Arc::make_mut(&mut view.snapshot);
    let moving = Moving { partitions_left: 12, ongoing: 4, waiting_for: None };
    snapshot.membership = Membership { leaving: Some(2), moving: Some(moving) };
    let mut window = Window::on(view, Screen::Cluster);
    assert!(window.shows("Leaving") && window.shows("12 partitions to move"));
    window.click("Add broker");
    window.click("Remove broker 1");
    window.click("Keep broker 2");
    assert_eq!(window.sent(), [Command::KeepBroker(2)]);
}

#[test]
fn one_click_starts_the_demo_workload() {
    let mut window = Window::on(fixture::empty(), Screen::Cluster);
    window.click("Start a demo workload");
    assert_eq!(window.sent(), [Command::StartWorkload(WorkloadSpec::default())]);
    let mut window = Window::on(fixture::healthy(), Screen::Cluster);
    window.click("Stop workload 1");
    assert_eq!(window.sent(), [Command::StopWorkload(1)]);
}

#[test]
fn a_topic_is_deleted_only_when_its_name_was_typed() {
    let dialog = Some(Dialog::DeleteTopic("demo".into()));
    let mut window = Window::open(fixture::healthy(), Options { screen: Screen::Topics, dialog, ..Options::default() });
    window.click("Delete topic");
    window.type_into("Type the topic's name to confirm", "dem");
    window.click("Delete topic");
    assert_eq!(window.sent(), []);
    window.type_into("Type the topic's name to confirm", "o");
    window.click("Delete topic");
    assert_eq!(window.sent(), [Command::DeleteTopic { name: "demo".into() }]);
    assert!(!window.shows("Type the topic's name"));
}

#[test]
fn a_topic_is_created_when_all_fields_make_sense() {
    let mut window = Window::on(fixture::healthy(), Screen::Topics);
    window.click("Create topic");
    window.type_into("Name", "orders");
    assert!(window.shows("There is a topic orders already."));
    window.type_into("Name", ".v2");
    window.type_into("Min in-sync replicas", "2");
    assert!(window.shows("--topic orders.v2 --partitions 6 --replication-factor 3 --config min.insync.replicas=2"));
    window.harness.key_press(egui::Key::Enter);
    window.harness.run();
    let configs = vec![("min.insync.replicas".to_owned(), "2".to_owned())];
    let name = "orders.v2".to_owned();
    assert_eq!(window.sent(), [Command::CreateTopic { name, partitions: 6, replication_factor: 3, configs }]);
}

#[test]
fn filters_filter() {
    let mut window = Window::on(fixture::incident(), Screen::Topics);
    window.type_into("Filter topics", "pay");
    assert!(window.shows("payments, ") && !window.shows("orders, "));
    window.click("Clear: Filter topics");
    assert!(window.shows("orders, "));
    window.click("Show internal topics");
    assert!(window.shows("__consumer_offsets, "));

    let mut window = Window::on(fixture::incident(), Screen::Events);
    window.click("Show all events");
    window.click("Critical");
    assert!(window.shows("Critical, ") && !window.shows("Info, "));
}

#[test]
fn headers_sort() {
    let mut window = Window::on(fixture::incident(), Screen::Topics);
    let order = |window: &Window| {
        let mut rows: Vec<(i32, String)> = ["audit, ", "clicks, ", "payments, ", "orders, "]
            .into_iter()
            .map(|name| (window.harness.get_by_label_contains(name).rect().top() as i32, name.to_owned()))
            .collect();
        rows.sort();
        rows.into_iter().map(|row| row.1).collect::<Vec<_>>()
    };
    assert_eq!(order(&window)[0], "audit, ");
    window.click("Sort by Partitions");
    assert_eq!(order(&window), ["clicks, ", "orders, ", "payments, ", "audit, "]);
    window.click("Sort by Partitions");
    assert_eq!(order(&window)[0], "audit, ");
}

#[test]
fn rows_open_topics_by_mouse_and_by_keyboard() {
    let mut window = Window::on(fixture::incident(), Screen::Topics);
    window.harness.get_by_label_contains("orders, ").click();
    window.harness.run();
    assert_eq!(window.harness.state().screen(), Screen::Topic);
    assert!(window.shows("Partitions: 12"));
    window.click("Back to topics");
    window.harness.run();
    for key in [egui::Key::Home, egui::Key::ArrowDown, egui::Key::Enter] {
        window.harness.key_press(key);
        window.harness.run();
    }
    assert_eq!(window.harness.state().screen(), Screen::Topic);
    assert!(window.shows("Partitions: 24"), "the second row is clicks");
}

#[test]
fn the_nav_leads_everywhere_and_the_theme_turns() {
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    for (name, screen) in [
        ("Start", Screen::Start),
        ("Topics", Screen::Topics),
        ("Groups", Screen::Groups),
        ("Brokers", Screen::Brokers),
        ("Quorum", Screen::Quorum),
        ("Metrics", Screen::Metrics),
        ("Alarms", Screen::Alarms),
        ("Wire", Screen::Wire),
        ("Workloads", Screen::Workloads),
        ("Faults", Screen::Faults),
        ("Ledger", Screen::Ledger),
        ("Events", Screen::Events),
        ("Logs", Screen::Logs),
    ] {
        window.click(name);
        assert_eq!(window.harness.state().screen(), screen);
    }
    window.click("Light theme");
    assert!(window.shows("Dark theme"));
    assert_eq!(window.harness.ctx.theme(), egui::Theme::Light);
}

#[test]
fn notices_are_told_and_can_be_dismissed() {
    let mut view = fixture::healthy();
    view.notices.push(Notice { ok: false, text: "Topic t was not created: there are 2 brokers.".into() });
    let window = Window::on(view, Screen::Cluster);
    assert!(window.shows("Topic t was not created"));
}

#[test]
fn one_hover_line_crosses_all_charts_and_then_all_is_still() {
    let mut window = Window::on(fixture::incident(), Screen::Metrics);
    assert!(!window.shows("ago:"));
    let chart = window.harness.get_by_label("OfflinePartitionsCount of the cluster").rect();
    window.harness.hover_at(chart.center());
    // `run` fails when the window does not come to rest.
    window.harness.run();
    assert!(window.harness.query_all_by_label_contains("ago:").count() > 2);
    window.harness.hover_at(egui::pos2(20.0, 800.0));
    window.harness.run();
    assert!(!window.shows("ago:"));
}

#[test]
fn an_alarm_is_opened_and_set_and_the_size_is_chosen() {
    let mut window = Window::on(fixture::incident(), Screen::Alarms);
    window.click("In alarm");
    assert!(!window.shows("OK, "));
    window.click("All states");
    window.type_into("Filter alarms", "roottt");
    assert!(window.shows("No alarm matches the filter"));
    window.click("Clear: Filter alarms");
    window.type_into("Filter alarms", "rootdisk");
    window.choose("OK, RootDiskUsed of broker 3");
    assert!(window.shows("Make room on the machine's root file system.") && window.shows("Broker 3, Maximum of 10 s"));
    window.click("Set ALARM");
    window.click("5 signals");
    let name = "RootDiskUsed of broker 3".to_owned();
    let (state, reason) = (AlarmState::Alarm, "Set by hand in the window.".to_owned());
    let set = Change::SetAlarmState { name, state, reason, data: None };
    let sent = [set, Change::AlarmSet(AlarmSet::Golden)];
    assert_eq!(window.sent(), sent.map(Command::Monitoring));
}

#[test]
fn the_wall_has_three_sizes() {
    let mut window = Window::on(fixture::healthy(), Screen::Metrics);
    assert!(window.shows("OfflinePartitionsCount") && !window.shows("GlobalTopicCount of the cluster"));
    window.click("13 metrics");
    assert!(window.shows("GlobalTopicCount of the cluster") && !window.shows("EstimatedMaxTimeLag"));
    window.click("All");
    assert!(window.shows("StorageUsed of the cluster"));
}

#[test]
fn statistic_period_and_range_are_picked() {
    let mut window = Window::on(fixture::healthy(), Screen::Metrics);
    assert!(window.shows("Maximum of 1 s, of the cluster"));
    window.click("Statistic: usual");
    window.click("Statistic p90");
    window.click("Period: 1 s");
    window.click("Period 10 s");
    assert!(window.shows("p90 of 10 s, of the cluster") && !window.shows("Maximum of"));
    window.click("24 h");
    assert!(window.shows("Period: 5 min") && window.shows("p90 of 5 min"), "ten seconds are not kept for so long");
    window.click("Period: 5 min");
    window.click("Period 1 s");
    assert!(window.shows("Period: 5 min"), "what does not fit cannot be picked");
}

#[test]
fn a_metric_is_searched_and_pinned_and_taken_off_again() {
    let mut window = Window::on(fixture::healthy(), Screen::Metrics);
    window.click("Pin a metric");
    window.type_into("Search metrics", "burst");
    window.choose("BurstBalance. ");
    assert!(window.shows("simulated") && window.shows("No name of its own in Prometheus."));
    window.click("Pin BurstBalance by Broker ID");
    window.click("Clear: Search metrics");
    window.type_into("Search metrics", "leadercount");
    window.choose("LeaderCount. ");
    window.choose("Broker 2, ");
    assert!(window.shows("LeaderCount {Cluster Name=\"brokerscope\", Broker ID=\"2\"}"));
    assert!(window.shows("kafka_server_replicamanager_leadercount{node_id=\"2\"}"));
    window.click("Copy PromQL");
    assert!(window.shows("Copied PromQL."));
    window.click("Wall");
    assert!(window.shows("simulated") && window.shows("Explore BurstBalance by Broker ID"));
    window.click("Unpin BurstBalance by Broker ID");
    assert!(!window.shows("BurstBalance"));
    window.click("Explore OfflinePartitionsCount of the cluster");
    assert!(window.shows("Unit: Count") || window.shows("Count · of the cluster"));
}

#[test]
fn names_that_are_not_computed_say_why() {
    let mut window = Window::on(fixture::healthy(), Screen::Metrics);
    window.click("Explorer");
    window.type_into("Search metrics", "heapmemory");
    window.choose("HeapMemoryAfterGC. ");
    assert!(window.shows("There is no JVM and no garbage collection"));
}

#[test]
fn beans_are_told_with_their_names_in_prometheus() {
    let mut view = fixture::healthy();
    let bean = &broker::metrics::table::controller::UNCLEAN_LEADER_ELECTIONS;
    let reading = broker::metrics::MeterReading { count: 3, one_minute_rate: 0.5, ..Default::default() };
    let reading = broker::metrics::Reading::Meter(reading);
    let series = vec![broker::metrics::Series { bean, labels: Box::new([]), reading }];
    let report = broker::metrics::MetricsReport { node_id: 3001, series, ..Default::default() };
    view.metrics = Arc::new([(3001, Arc::new(report))].into());
    let mut window = Window::on(view, Screen::Metrics);
    assert!(window.shows("Unclean election rate: 0.5/s"));
    window.click("Explorer");
    window.click("MBeans");
    assert!(window.shows("kafka.controller:type=ControllerStats,name=UncleanLeaderElectionsPerSec"));
    assert!(window.shows("kafka_controller_controllerstats_uncleanleaderelections_total{node_id=\"3001\"}"));
    assert!(window.shows("Controller 3001, 3"));
}

#[test]
fn a_row_s_menu_opens_by_the_other_button_by_its_dots_and_by_the_keyboard() {
    let mut window = Window::on(fixture::incident(), Screen::Topics);
    window.harness.get_by_label_contains("orders, ").click_secondary();
    window.harness.run();
    assert!(window.shows("Copy the topic's name") && window.shows("Delete topic orders"));
    window.click("Delete topic orders");
    assert!(window.shows("Delete orders?"), "the dialog of the row under the pointer");
    window.click("Cancel");
    let row = window.harness.get_by_label_contains("clicks, ").rect().center();
    window.harness.hover_at(row);
    window.harness.run();
    window.click("Row menu");
    window.click("Copy the topic's name");
    assert!(window.shows("Copied clicks.") && !window.shows("Delete topic clicks"));
    window.harness.hover_at(egui::pos2(600.0, 990.0));
    for key in [egui::Key::Home, egui::Key::Menu] {
        window.harness.key_press(key);
        window.harness.run();
    }
    window.click("Open topic audit");
    assert_eq!(window.harness.state().screen(), Screen::Topic);
    assert!(window.shows("1, Offline, none"), "the first row is audit");
}

#[test]
fn columns_are_chosen_and_what_is_hidden_is_not_spoken() {
    let mut window = Window::on(fixture::incident(), Screen::Topics);
    assert!(window.shows("orders, Under-replicated, 12, 3, 2, "));
    window.click("Columns of topics");
    window.click("Min ISR");
    window.click("Health");
    assert!(window.shows("orders, 12, 3, "));
    assert!(window.harness.query_by_label("Sort by Min ISR").is_none());
    window.click("Show all");
    assert!(window.shows("orders, Under-replicated, 12, 3, 2, "));
}

/// Prints what a frame costs at 10,000 partitions; asserts that it works and, in part by not timing out, that it is not absurd.
#[test]
fn ten_thousand_partitions_paint() {
    let view = fixture::large(1000, 10);
    assert_eq!(view.snapshot.totals.partitions, 10_000);
    for screen in Screen::ALL {
        let mut window = Window::on(view.clone(), screen);
        let mut costs: Vec<f64> = (0..40)
            .map(|_| {
                let begin = Instant::now();
                window.harness.step();
                begin.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        costs.sort_by(f64::total_cmp);
        println!("{:8} p50 {:6.2} ms   max {:6.2} ms a frame", screen.name(), costs[20], costs[39]);
        assert!(window.harness.root().accesskit_node().children().count() > 0);
    }
}

#[test]
fn every_screen_says_that_the_cluster_starts_and_filters_that_find_nothing_can_be_cleared() {
    for screen in [
        Screen::Cluster,
        Screen::Topics,
        Screen::Topic,
        Screen::Groups,
        Screen::Wire,
        Screen::Workloads,
        Screen::Faults,
        Screen::Ledger,
        Screen::Alarms,
        Screen::Events,
        Screen::Logs,
    ] {
        assert!(Window::on(View::default(), screen).shows("The cluster is starting. "), "{screen}");
    }
    for (screen, filter) in [
        (Screen::Cluster, "Filter partitions"),
        (Screen::Topics, "Filter topics"),
        (Screen::Topic, "Filter partitions"),
        (Screen::Groups, "Filter groups"),
        (Screen::Wire, "Filter connections"),
        (Screen::Workloads, "Filter workloads"),
        (Screen::Ledger, "Filter ledgers"),
        (Screen::Alarms, "Filter alarms"),
        (Screen::Events, "Filter events"),
        (Screen::Logs, "Filter lines"),
    ] {
        let mut window = Window::on(fixture::incident(), screen);
        window.type_into(filter, "no such thing");
        window.click("Clear the filter");
        assert!(!window.shows("Clear the filter"), "{screen}");
    }
}
