//! Putting, changing and deleting alarms, and picking the monitoring level.

use super::*;
use crate::monitor::cloudwatch::alarm::{Alarm, Comparison, MissingData, Watched};
use crate::monitor::cloudwatch::catalog::Level;
use crate::monitor::cloudwatch::math::formula::Formula;
use crate::monitor::cloudwatch::math::query::{Query, What};
use crate::monitor::view::Severity;
use crate::ui::AlarmStart;

/// The alarm that was put; nothing else was sent.
fn put(window: &Window) -> Alarm {
    match window.sent().as_slice() {
        [Command::Monitoring(Change::PutAlarm(alarm))] => Alarm::clone(alarm),
        other => panic!("{other:?}"),
    }
}

fn series_of(alarm: &Alarm) -> String {
    alarm.metric().unwrap().0.to_string()
}

#[test]
fn an_alarm_is_put_on_a_series_that_was_searched() {
    let http = Some("http://127.0.0.1:11001".to_owned());
    let options = Options { screen: Screen::Alarms, http, ..Options::default() };
    let mut window = Window::open(fixture::healthy(), options);
    window.click("New alarm");
    window.type_into("Search series", "bytesin broker 2");
    window.click("Series BytesInPerSec · Broker 2");
    assert!(window.shows("The threshold must be a number"));
    window.click("Put alarm");
    assert_eq!(window.sent(), [], "what makes no sense cannot be put");
    window.type_into("Threshold (Bytes/Second)", "1e6");
    assert!(!window.shows("The threshold must be a number"));
    window.click("Statistic: Average");
    window.click("Statistic p99");
    window.click("ALARM when it is: greater than");
    window.click("ALARM when it is at most");
    window.click("Severity: Warning");
    window.click("Severity Critical");
    window.click("No value counts for: nothing");
    window.click("No value counts for beyond it");
    window.type_into("of periods", "0");
    window.type_into("What to do when it rings", "Look at the producers");
    assert!(window.shows("--extended-statistic p99 --period 10 --comparison-operator LessThanOrEqualToThreshold"));
    assert!(window.shows("ALARM when p99 less than or equal to 977 KiB/s in 2 of 20 periods of 10 s"));
    window.click("Put alarm");
    let alarm = put(&window);
    assert_eq!((alarm.name.as_str(), alarm.threshold), ("BytesInPerSec of broker 2", 1e6));
    assert_eq!((alarm.datapoints_to_alarm, alarm.evaluation_periods, alarm.period_s), (2, 20, 10));
    assert_eq!((alarm.comparison, alarm.missing), (Comparison::LessOrEqual, MissingData::Breaching));
    assert_eq!((alarm.severity, alarm.description.as_str()), (Severity::Critical, "Look at the producers"));
    assert_eq!(alarm.check(), Ok(()));
}

#[test]
fn a_chart_leads_to_an_alarm_on_what_it_shows() {
    let mut window = Window::on(fixture::healthy(), Screen::Metrics);
    window.click("Alarm on OfflinePartitionsCount of the cluster");
    assert!(window.shows("OfflinePartitionsCount · Cluster") && window.shows("Statistic: Maximum"));
    window.click("Cancel");
    window.click("Alarm on UnderReplicatedPartitions by Broker ID");
    window.click("Series UnderReplicatedPartitions · Broker 3");
    window.type_into("Threshold (Count)", "4");
    window.click("Put alarm");
    let alarm = put(&window);
    assert_eq!((series_of(&alarm).as_str(), alarm.threshold), ("UnderReplicatedPartitions of broker 3", 4.0));
}

#[test]
fn the_explorer_leads_to_an_alarm_on_a_series() {
    let mut window = Window::on(fixture::healthy(), Screen::Metrics);
    window.click("Explorer");
    window.type_into("Search metrics", "leadercount");
    window.choose("Broker 2, ");
    window.click("Alarm on LeaderCount of broker 2");
    assert!(window.shows("LeaderCount · Broker 2"));
    window.type_into("Threshold (Count)", "7");
    window.click("Other series");
    assert!(window.shows("Series LeaderCount · Broker 1"));
    window.harness.key_press(egui::Key::Enter);
    window.harness.run();
    assert!(window.shows("LeaderCount · Broker 1") && window.sent().is_empty(), "Enter takes the series and no more");
    window.harness.key_press(egui::Key::Enter);
    window.harness.run();
    assert_eq!(series_of(&put(&window)), "LeaderCount of broker 1");
}

#[test]
fn an_alarm_is_changed_and_keeps_its_name() {
    let dialog = Some(Dialog::PutAlarm(AlarmStart::Blank));
    let mut window =
        Window::open(fixture::incident(), Options { screen: Screen::Alarms, dialog, ..Options::default() });
    assert!(window.shows("New alarm"));
    window.click("Cancel");
    window.type_into("Filter alarms", "rootdisk");
    window.choose("OK, RootDiskUsed of broker 3");
    window.click("Change this alarm");
    assert!(window.shows("Change RootDiskUsed of broker 3"));
    window.type_into("Threshold (Percent)", ".5");
    window.click("Change alarm");
    let alarm = put(&window);
    assert_eq!((alarm.name.as_str(), alarm.threshold, alarm.is_ours), ("RootDiskUsed of broker 3", 85.5, false));
}

#[test]
fn an_alarm_is_deleted_by_two_clicks() {
    let mut window = Window::on(fixture::incident(), Screen::Alarms);
    window.type_into("Filter alarms", "rootdisk");
    window.choose("OK, RootDiskUsed of broker 3");
    window.click("Delete alarm");
    assert!(window.shows("Delete RootDiskUsed of broker 3?"));
    window.click("Cancel");
    assert_eq!(window.sent(), []);
    window.click("Delete alarm");
    window.click("Delete the alarm");
    let name = "RootDiskUsed of broker 3".to_owned();
    assert_eq!(window.sent(), [Command::Monitoring(Change::DeleteAlarms(vec![name]))]);
}

#[test]
fn the_level_is_picked_with_what_it_gives() {
    let mut window = Window::on(fixture::healthy(), Screen::Metrics);
    window.click("Level: PER_BROKER");
    window.choose("Level PER_BROKER, ");
    assert_eq!(window.sent(), [], "it is in force already");
    window.click("Level: PER_BROKER");
    window.choose("Level PER_TOPIC_PER_BROKER, up to");
    assert_eq!(window.sent(), [Command::Monitoring(Change::Level(Level::PerTopicPerBroker))]);
}

#[test]
fn an_alarm_on_metric_math_is_told_in_words_and_its_threshold_is_changed() {
    let mut view = fixture::healthy();
    Arc::make_mut(&mut view.cloudwatch.alarms).put(1, fixture::math_alarm()).unwrap();
    let http = Some("http://127.0.0.1:11001".to_owned());
    let mut window = Window::open(view, Options { screen: Screen::Alarms, http, ..Options::default() });
    window.type_into("Filter alarms", "reads outrun");
    window.choose("INSUFFICIENT_DATA, Reads outrun writes");
    assert!(window.shows("ALARM when Read per write greater than 3 in 2 of 3 periods of 10 s"));
    assert!(window.shows("share = out / in1") && window.shows("in1 = Average of BytesInPerSec of broker 1"));
    assert!(window.shows("--metrics '[{"), "the command that puts it");
    window.click("Change this alarm");
    assert!(!window.shows("Statistic: Average") && !window.shows("Other series"));
    window.type_into("Threshold (number)", "0");
    window.click("Change alarm");
    assert_eq!(put(&window), Alarm { threshold: 30.0, ..fixture::math_alarm() });
}

#[test]
fn an_alarm_on_groups_shows_a_line_for_each() {
    let mut view = fixture::healthy();
    let query = r#"SELECT MAX(LeaderCount) FROM "AWS/Kafka" GROUP BY "Broker ID" ORDER BY MAX() DESC"#;
    let what = What::expression(query, Some(10)).unwrap();
    let query = Query { id: "q1".into(), is_wanted: true, label: None, what };
    let watched = Watched::Formula(Arc::new(Formula::new(vec![query]).unwrap()));
    Arc::make_mut(&mut view.cloudwatch.alarms).put(1, Alarm { watched, ..fixture::math_alarm() }).unwrap();
    let mut window = Window::on(view, Screen::Alarms);
    window.type_into("Filter alarms", "reads outrun");
    window.choose("INSUFFICIENT_DATA, Reads outrun writes");
    assert!(window.shows("ALARM when SELECT MAX(LeaderCount) FROM \"AWS… greater than 3 in 2 of 3 periods of 10 s"));
    for broker in 1..=3 {
        assert!(window.shows(&format!("Broker {broker} of 10 s")), "{broker}");
    }
}
