//! Names against those that dashboards know, and the table against what a real Kafka has.

use std::collections::{BTreeMap, BTreeSet};

use super::super::names_excuses::{KAFKAS_NOT_YET, LEFT_OUT, WANTED_NOT_YET};
use super::super::table::{self, left_out};
use super::*;
use crate::metrics::{HistogramReading, MeterReading};

/// Names that dashboards, alert rules and Cruise Control ask for.
const WANTED: &str = include_str!("../../tests/golden/prometheus_names.txt");

/// Families of a real Kafka.
const KAFKAS: &str = include_str!("../../tests/golden/jmx_families.txt");

/// `*` in a pattern stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(beginning) else { return false };
    (0..=name.len()).any(|at| name.get(at..).is_some_and(|name| matches(rest, name)))
}

/// All that is missing must be excused, and no excuse may outlive its need.
fn check_excuses(missing: &BTreeSet<String>, excuses: &[&str], present: &BTreeSet<String>) {
    let unexcused: Vec<&String> =
        missing.iter().filter(|name| !excuses.iter().any(|pattern| matches(pattern, name))).collect();
    assert!(unexcused.is_empty(), "neither in the table nor left out: {unexcused:#?}");
    let idle: Vec<&&str> =
        excuses.iter().filter(|pattern| !missing.iter().any(|name| matches(pattern, name))).collect();
    assert!(idle.is_empty(), "excuses that nothing needs any more: {idle:#?}");
    let contradicted: Vec<&String> =
        present.iter().filter(|name| excuses.iter().any(|pattern| matches(pattern, name))).collect();
    assert!(contradicted.is_empty(), "excused, yet in the table: {contradicted:#?}");
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

/// What is wanted of one family.
struct Wanted<'l> {
    kind: Kind,
    name: &'l str,
    labels: Vec<&'l str>,
    /// The label of which these values are wanted.
    values: Vec<&'l str>,
}

fn wanted(line: &str) -> Wanted<'_> {
    let mut words = line.split(' ');
    let kind = match words.next() {
        Some("untyped") => Kind::Untyped,
        Some("gauge") => Kind::Gauge,
        Some("counter") => Kind::Counter,
        other => panic!("{line}: {other:?}"),
    };
    let name = words.next().unwrap();
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for word in words {
        let (label, given) = word.split_once('=').unwrap_or((word, ""));
        labels.push(label);
        if label == "name" {
            values = given.split('|').collect();
        }
    }
    Wanted { kind, name, labels, values }
}

fn labels_of(part: &Part) -> BTreeSet<String> {
    let keys = part.bean.keys.iter().map(|key| label_name(key));
    keys.chain(part.label.map(|(name, _)| name.to_owned())).collect()
}

#[test]
fn the_names_that_dashboards_ask_for_are_there() {
    let families = families(table::all());
    let families: BTreeMap<&str, &Family> = families.iter().map(|family| (family.name.as_str(), family)).collect();
    let (mut missing, mut present) = (BTreeSet::new(), BTreeSet::new());
    for line in lines(WANTED) {
        let wanted = wanted(line);
        let family = families.get(wanted.name);
        let values = if wanted.values.is_empty() { vec![""] } else { wanted.values };
        let mut labels = BTreeSet::new();
        for value in values {
            let is_wanted = |part: &&Part| value.is_empty() || part.label == Some(("name", value));
            let part = family.and_then(|family| family.parts.iter().find(is_wanted));
            let name = if value.is_empty() { wanted.name.to_owned() } else { format!("{}{{{value}}}", wanted.name) };
            match part {
                Some(part) => {
                    labels.extend(labels_of(part));
                    present.insert(name);
                }
                None => drop(missing.insert(name)),
            }
        }
        let Some(family) = family else { continue };
        assert_eq!(family.kind, wanted.kind, "{line}");
        if !labels.is_empty() && !missing.iter().any(|name| name.starts_with(&format!("{}{{", wanted.name))) {
            let lacking: Vec<&&str> = wanted.labels.iter().filter(|label| !labels.contains(**label)).collect();
            assert!(lacking.is_empty(), "{line} lacks {lacking:?}");
        }
    }
    let excuses: Vec<&str> =
        LEFT_OUT.iter().map(|(pattern, _)| *pattern).chain(WANTED_NOT_YET.iter().copied()).collect();
    check_excuses(&missing, &excuses, &present);
    for (pattern, reason) in LEFT_OUT.iter().chain(left_out::LEFT_OUT) {
        assert!(reason.ends_with('.'), "{pattern}");
    }
}

type KafkasFamily = (String, Vec<(String, String)>, Option<&'static str>);

/// Family, keys and values, shape; of families that are many, all of them.
fn kafkas() -> Vec<KafkasFamily> {
    let labels = |text: &str| -> Vec<(String, String)> {
        let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
        if text == "-" { Vec::new() } else { text.split(';').map(pair).collect() }
    };
    let mut attributes = Vec::new();
    let mut all = Vec::new();
    for line in lines(KAFKAS) {
        let words: Vec<&'static str> = line.split(' ').collect();
        match words[..] {
            ["attributes", ..] => attributes = words[1..].to_vec(),
            ["channel", family, keys] => {
                let each = attributes.iter().map(|attribute| (format!("{family}_{attribute}"), labels(keys), None));
                all.extend(each);
            }
            [family, keys] => all.push((family.to_owned(), labels(keys), None)),
            [family, keys, shape] => all.push((family.to_owned(), labels(keys), Some(shape))),
            _ => panic!("{line}"),
        }
    }
    all
}

fn has_shape(bean: &Bean, shape: Option<&str>) -> bool {
    match shape {
        None => !bean.is_named(),
        Some("Value") => bean.shape == Shape::Gauge,
        Some("METER") => bean.shape == Shape::Meter,
        Some("HISTOGRAM") => bean.shape == Shape::Histogram,
        Some("TIMER") => bean.shape == Shape::Timer,
        Some(other) => panic!("{other}"),
    }
}

#[test]
fn what_kafka_exposes_is_in_the_table_or_left_out() {
    // By family as the exporter names it, without `_total`.
    let mut beans = BTreeMap::<String, Vec<&'static Bean>>::new();
    for bean in table::all() {
        let name = if bean.is_named() {
            safe(&[bean.domain, bean.kind].join("_"))
        } else {
            safe(&[bean.domain, bean.kind, bean.name].join("_"))
        };
        beans.entry(name.strip_suffix("_total").unwrap_or(&name).to_owned()).or_default().push(bean);
    }
    let (mut missing, mut present) = (BTreeSet::new(), BTreeSet::new());
    let all = kafkas();
    assert_eq!(all.len(), 818, "rows are lost");
    for (family, labels, shape) in all {
        let name = labels.iter().find(|(key, _)| key == "name" && shape.is_some()).map(|(_, value)| value.as_str());
        let keys: Vec<&str> =
            labels.iter().filter(|(key, _)| name.is_none() || key != "name").map(|(key, _)| key.as_str()).collect();
        let fits = |bean: &&&'static Bean| {
            has_shape(bean, shape)
                && name.is_none_or(|name| bean.name == name)
                && keys.iter().all(|key| bean.keys.iter().any(|own| label_name(own) == *key))
        };
        let shown = match name {
            Some(name) => format!("{family}{{{name}}}"),
            None => family.clone(),
        };
        match beans.get(&family).and_then(|beans| beans.iter().find(fits)) {
            Some(_) => drop(present.insert(shown)),
            None => drop(missing.insert(shown)),
        }
    }
    // A family that is there, but not with all of Kafka's labels.
    for family in missing.intersection(&present).cloned().collect::<Vec<_>>() {
        missing.remove(&family);
        let is_left_out =
            |(pattern, _): &&(&str, &str)| pattern.starts_with(&format!("{family}{{")) && pattern.contains('=');
        assert!(left_out::LEFT_OUT.iter().any(|row| is_left_out(&row)), "{family} lacks labels");
    }
    // Of single values of labels the table says nothing.
    let left_out = left_out::LEFT_OUT.iter().map(|(pattern, _)| *pattern).filter(|pattern| !pattern.contains('='));
    let excuses: Vec<&str> = left_out.chain(KAFKAS_NOT_YET.iter().copied()).collect();
    check_excuses(&missing, &excuses, &present);
}

mod made {
    crate::metrics::bean::beans! {
        /// Records appended by clients.
        RECORDS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "MessagesInPerSec", ["topic"];
        /// Times.
        TIMES: Histogram, Millis, Broker, "kafka.network", "RequestMetrics", "TotalTimeMs", ["request"];
        /// Flushes.
        FLUSHES: Timer, Millis, Broker, "kafka.log", "LogFlushStats", "LogFlushRateAndTimeMs", [];
        /// Idle.
        IDLE: Meter, Ratio, Broker, "kafka.server", "KafkaRequestHandlerPool", "RequestHandlerAvgIdlePercent", [];
        /// Idle processor.
        PROCESSOR: Gauge, Ratio, Broker, "kafka.network", "Processor", "IdlePercent", ["networkProcessor"];
        /// Read.
        DISK: Gauge, Bytes, Broker, "kafka.server", "KafkaServer", "linux-disk-read-bytes", [];
        /// Requests.
        REQUESTS: Total, Count, Broker, "kafka.server", "socket-server-metrics", "request-total", ["listener", "networkProcessor"];
        /// Clients.
        CLIENTS: Attribute, Count, Broker, "kafka.server", "socket-server-metrics", "connections", ["clientSoftwareName", "clientSoftwareVersion", "listener", "networkProcessor"];
        /// Accepted.
        ACCEPTED: Attribute, PerSecond, Broker, "kafka.server", "socket-server-metrics", "connection-accept-rate", ["listener"];
        /// Role.
        ROLE: Attribute, Count, Controller, "kafka.server", "raft-metrics", "current-state", ["current-state"];
        /// Slowest.
        SLOWEST: Attribute, Millis, Controller, "kafka.server", "raft-metrics", "commit-latency-max", [];
        /// Groups.
        GROUPS: Gauge, Count, Broker, "kafka.coordinator.group", "GroupMetadataManager", "NumGroups", [];
        /// Throttled.
        THROTTLED: Attribute, Millis, Broker, "kafka.server", "Produce", "throttle-time", ["user", "client-id"];
        /// Fetched.
        FETCHED: Meter, Bytes, Broker, "kafka.server", "FetcherStats", "BytesPerSec", ["clientId", "brokerHost", "brokerPort"];
    }
}

#[test]
fn names_of_both_dialects() {
    use Dialect::{OpenMonitoring, Strimzi};
    use Kind::{Counter, Gauge, Untyped};
    type Row = (Dialect, &'static Bean, Attribute, Option<(&'static str, Kind, Option<(&'static str, &'static str)>)>);
    let by_name = |name| Some(("name", name));
    let rows: &[Row] = &[
        (
            OpenMonitoring,
            &made::RECORDS,
            Count,
            Some(("kafka_server_BrokerTopicMetrics_Count", Untyped, by_name("MessagesInPerSec"))),
        ),
        (Strimzi, &made::RECORDS, Count, Some(("kafka_server_brokertopicmetrics_messagesin_total", Counter, None))),
        (Strimzi, &made::RECORDS, OneMinuteRate, None),
        (
            OpenMonitoring,
            &made::TIMES,
            Percentile(5),
            Some(("kafka_network_RequestMetrics_999thPercentile", Untyped, by_name("TotalTimeMs"))),
        ),
        (
            Strimzi,
            &made::TIMES,
            Percentile(0),
            Some(("kafka_network_requestmetrics_totaltimems", Gauge, Some(("quantile", "0.50")))),
        ),
        (Strimzi, &made::TIMES, Count, Some(("kafka_network_requestmetrics_totaltimems_count", Counter, None))),
        (Strimzi, &made::TIMES, Mean, None),
        (
            OpenMonitoring,
            &made::FLUSHES,
            OneMinuteRate,
            Some(("kafka_log_LogFlushStats_OneMinuteRate", Untyped, by_name("LogFlushRateAndTimeMs"))),
        ),
        (Strimzi, &made::FLUSHES, Count, Some(("kafka_log_logflushstats_logflushrateandtimems_count", Counter, None))),
        (
            Strimzi,
            &made::IDLE,
            MeanRate,
            Some(("kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent", Gauge, None)),
        ),
        (
            Strimzi,
            &made::IDLE,
            Count,
            Some(("kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent_count", Counter, None)),
        ),
        (Strimzi, &made::PROCESSOR, Value, Some(("kafka_network_processor_idle_percent", Gauge, None))),
        (Strimzi, &made::DISK, Value, Some(("kafka_server_kafkaserver_linux_disk_read_bytes", Gauge, None))),
        (
            OpenMonitoring,
            &made::REQUESTS,
            Value,
            Some(("kafka_server_socket_server_metrics_request_total", Untyped, None)),
        ),
        (Strimzi, &made::REQUESTS, Value, Some(("kafka_server_socket_server_metrics_request_total", Counter, None))),
        (
            Strimzi,
            &made::CLIENTS,
            Value,
            Some(("kafka_server_socket_server_metrics_connections_software", Gauge, None)),
        ),
        (
            OpenMonitoring,
            &made::CLIENTS,
            Value,
            Some(("kafka_server_socket_server_metrics_connections", Untyped, None)),
        ),
        (Strimzi, &made::ACCEPTED, Value, None),
        (Strimzi, &made::ROLE, Value, Some(("kafka_server_raftmetrics_current_state", Untyped, None))),
        (OpenMonitoring, &made::ROLE, Value, None),
        (Strimzi, &made::SLOWEST, Value, Some(("kafka_server_raftmetrics_commit_latency_max", Counter, None))),
        (Strimzi, &made::GROUPS, Value, None),
        (
            OpenMonitoring,
            &made::GROUPS,
            Value,
            Some(("kafka_coordinator_group_GroupMetadataManager_Value", Untyped, by_name("NumGroups"))),
        ),
        (Strimzi, &made::THROTTLED, Value, None),
        (OpenMonitoring, &made::THROTTLED, Value, Some(("kafka_server_Produce_throttle_time", Untyped, None))),
        (Strimzi, &made::FETCHED, Count, Some(("kafka_server_fetcherstats_bytes_total", Counter, None))),
    ];
    for (dialect, bean, attribute, expected) in rows {
        let expected = expected.map(|(name, kind, label)| Name { name: name.to_owned(), kind, label });
        assert_eq!(name(*dialect, bean, *attribute), expected, "{bean:?} {attribute:?}");
    }
}

#[test]
fn a_name_of_both_dialects_is_one_family_with_each_bean_once() {
    let families = families([&made::REQUESTS, &made::RECORDS, &made::RECORDS]);
    let of = |name: &str| families.iter().find(|family| family.name == name).unwrap();
    let requests = of("kafka_server_socket_server_metrics_request_total");
    assert_eq!((requests.kind, requests.parts.len()), (Kind::Counter, 1));
    assert_eq!(of("kafka_server_BrokerTopicMetrics_Count").parts.len(), 1);
    assert_eq!(of("kafka_server_brokertopicmetrics_messagesin_total").help, "Records appended by clients. Count.");
    let all = super::families(made::ALL.iter().copied());
    assert!(all.len() > made::ALL.len() && all.is_sorted_by(|one, other| one.name < other.name));
}

#[test]
fn each_attribute_is_read_where_it_is() {
    let meter = MeterReading { count: 7, mean_rate: 1.0, one_minute_rate: 2.0, ..MeterReading::default() };
    let histogram = HistogramReading { count: 9, mean: 3.0, quantiles: [1., 2., 3., 4., 5., 6.], ..Default::default() };
    for (shape, reading) in [
        (Shape::Gauge, Reading::Value(1.5)),
        (Shape::Meter, Reading::Meter(meter)),
        (Shape::Histogram, Reading::Histogram(Box::new(histogram))),
        (Shape::Timer, Reading::Timer(Box::new(histogram), meter)),
    ] {
        let has = |attribute: &Attribute| attribute.read(&reading).is_some();
        assert!(Attribute::of(shape).iter().all(has), "{shape:?}");
        let others = TIMER.iter().filter(|attribute| !Attribute::of(shape).contains(attribute));
        assert_eq!(others.filter(|attribute| has(attribute)).count(), 0, "{shape:?}");
    }
    let timer = Reading::Timer(Box::new(histogram), meter);
    assert_eq!(
        [Count, Percentile(5), OneMinuteRate].map(|attribute| attribute.read(&timer)),
        [9.0, 6.0, 2.0].map(Some)
    );
}
