//! A metric store for the fixtures: an hour of all metrics of the level in force, made up and always the same.

use std::sync::{Arc, LazyLock};

use super::fixture::{AT_MS, KILLED_MS, Noise};
use crate::monitor::cloudwatch::advice::AlarmSet;
use crate::monitor::cloudwatch::alarm::{Actions, Alarm, Comparison, MissingData, Watched};
use crate::monitor::cloudwatch::alarms::Alarms;
use crate::monitor::cloudwatch::catalog::{self, Definition, Level, Unit};
use crate::monitor::cloudwatch::math::formula::Formula;
use crate::monitor::cloudwatch::math::query::{Query, What};
use crate::monitor::cloudwatch::statistics::Statistic;
use crate::monitor::cloudwatch::store::{Datum, Dimension, Key, Store};
use crate::monitor::cloudwatch::watch::{CLUSTER_NAME, CloudwatchView};
use crate::monitor::view::Severity;

static WELL: LazyLock<CloudwatchView> = LazyLock::new(|| made(false));
static BROKEN: LazyLock<CloudwatchView> = LazyLock::new(|| made(true));

/// What the window gets.
pub fn view(broken: bool) -> CloudwatchView {
    if broken { BROKEN.clone() } else { WELL.clone() }
}

/// What consumers read of broker 1 for each byte that is written there.
pub fn math_alarm() -> Alarm {
    let stat = |id: &str, metric: &str| {
        let dimensions = vec![(Dimension::ClusterName, CLUSTER_NAME.into()), (Dimension::BrokerId, "1".into())];
        let key = Arc::new(Key::new(metric, dimensions));
        let what = What::Stat { key, statistic: Statistic::Average, period_s: 10 };
        Query { id: id.into(), is_wanted: false, label: None, what }
    };
    let share = What::expression("out / in1", None).map(|what| {
        let share = Query { id: "share".into(), is_wanted: true, label: Some("Read per write".into()), what };
        vec![share, stat("out", "BytesOutPerSec"), stat("in1", "BytesInPerSec")]
    });
    let Ok(formula) = share.map_err(|error| error.to_string()).and_then(Formula::new) else {
        unreachable!("it makes sense");
    };
    Alarm {
        name: "Reads outrun writes".into(),
        description: "See which group reads all again.".into(),
        watched: Watched::Formula(Arc::new(formula)),
        period_s: 10,
        evaluation_periods: 3,
        datapoints_to_alarm: 2,
        threshold: 3.0,
        comparison: Comparison::Greater,
        missing: MissingData::Missing,
        severity: Severity::Warning,
        is_ours: false,
        actions: Actions::default(),
    }
}

fn made(broken: bool) -> CloudwatchView {
    let store = store(broken);
    let mut alarms = Alarms::default();
    alarms.set = AlarmSet::Seeds;
    for at_ms in [AT_MS - 600_000, KILLED_MS, AT_MS - 60_000, AT_MS - 30_000, AT_MS] {
        alarms.tick(at_ms, &CLUSTER_NAME.into(), &store);
    }
    CloudwatchView { level: Level::PerBroker, store: Arc::new(store), alarms: Arc::new(alarms) }
}

/// Seconds of the last quarter, and every tenth of the hour before.
fn store(broken: bool) -> Store {
    let mut store = Store::default();
    let keys = keys();
    let mut noise = Noise(5);
    let now_s = AT_MS / 1000;
    for at_s in (now_s - 3_600..now_s - 900).step_by(10).chain(now_s - 900..=now_s) {
        let data = keys.iter().filter_map(|(row, key)| {
            let value = value(row, key, at_s * 1000, broken, noise.next())?;
            Some(Datum { key: key.clone(), value })
        });
        store.put(at_s, data);
    }
    store
}

fn keys() -> Vec<(&'static Definition, Key)> {
    let brokers = ["1", "2", "3"].map(|id| vec![(Dimension::BrokerId, id.into())]);
    let groups = [("billing", "orders"), ("fraud-check", "payments"), ("warehouse", "clicks")]
        .map(|(group, topic)| vec![(Dimension::ConsumerGroup, group.into()), (Dimension::Topic, topic.into())]);
    let mut keys = Vec::new();
    for row in catalog::all().filter(|row| row.level <= Level::PerBroker) {
        let sets = match row.dimensions() {
            [_] => vec![Vec::new()],
            [_, Dimension::BrokerId] => brokers.to_vec(),
            [_, Dimension::ConsumerGroup, Dimension::Topic] => groups.to_vec(),
            _ => continue,
        };
        for mut dimensions in sets {
            dimensions.push((Dimension::ClusterName, CLUSTER_NAME.into()));
            keys.push((row, Key::new(row.name, dimensions)));
        }
    }
    keys
}

/// A broker that is killed tells nothing.
fn value(row: &Definition, key: &Key, at_ms: i64, broken: bool, noise: f64) -> Option<f64> {
    let id = key.dimension(Dimension::BrokerId).map(|id| &**id);
    let killed = broken && at_ms >= KILLED_MS;
    if killed && id == Some("2") {
        return None;
    }
    let share: f64 = match id {
        Some("1") => 1.0,
        Some("2") => 0.9,
        _ => 1.1,
    };
    let load = share * if killed { 1.45 } else { 1.0 };
    let since_s = if killed { (at_ms - KILLED_MS) as f64 / 1000.0 } else { 0.0 };
    let trouble = |value: f64| if killed { value } else { 0.0 };
    Some(match row.name {
        "ActiveControllerCount" | "UserPartitionExists" => 1.0,
        "OfflinePartitionsCount" => trouble(1.0),
        "UnderReplicatedPartitions" => trouble(49.0 + share.round()),
        "UnderMinIsrPartitionCount" => trouble(4.0),
        "GlobalPartitionCount" => 101.0,
        "GlobalTopicCount" => 6.0,
        "PartitionCount" => 100.0,
        "LeaderCount" => (33.0 * load).round(),
        "EstimatedMaxTimeLag" | "RollingEstimatedTimeLagMax" => 0.4 + since_s * 0.8,
        "SumOffsetLag" | "MaxOffsetLag" => (140.0 + since_s * 160.0).round(),
        "KafkaAppLogsDiskUsed" => 0.0,
        "KafkaDataLogsDiskUsed" | "RootDiskUsed" => 41.0 + share,
        // A topic that is read now and then: most seconds have no value.
        "FetchConsumerTotalTimeMsMean" if noise < 0.3 => return None,
        _ => match row.unit {
            Unit::Count => (8.0 * load).round(),
            Unit::CountPerSecond => 2_140.0 * load * (0.93 + 0.14 * noise),
            Unit::Bytes => 3.1e8 * load,
            Unit::BytesPerSecond => 1_480_000.0 * load * (0.93 + 0.14 * noise),
            Unit::Percent => 12.0 * load * (0.9 + 0.2 * noise),
            Unit::Seconds => 0.4 * load,
            Unit::Milliseconds => 2.4 * load * (0.8 + 0.5 * noise),
        },
    })
}
