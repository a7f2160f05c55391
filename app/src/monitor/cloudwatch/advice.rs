//! The alarms that come with the program, in three sizes, each with one line of advice.

use std::str::FromStr;
use std::sync::Arc;

use super::alarm::{Actions, Alarm, Comparison, MissingData, Watched};
use super::catalog;
use super::statistics::Statistic::{self, Average, Maximum};
use super::store::{Dimension, Key, Store};
use crate::monitor::view::Severity;

/// How many of our alarms there may be: brokers, groups and topics have one each.
const OURS_MAX: usize = 500;

/// How much is watched. Too much is as useless as too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmSet {
    /// None of ours.
    None,
    /// Five golden signals: offline partitions, controller, redundancy, consumers' delay, disk.
    Golden,
    /// The thirteen metrics of the seeds.
    Seeds,
    /// All that there is advice for.
    All,
}

impl FromStr for AlarmSet {
    type Err = super::alarm::NotOneOf;

    fn from_str(text: &str) -> Result<AlarmSet, Self::Err> {
        match text {
            "none" => Ok(AlarmSet::None),
            "golden" => Ok(Golden),
            "seeds" => Ok(Seeds),
            "all" => Ok(All),
            _ => Err(super::alarm::NotOneOf("none, golden, seeds, all")),
        }
    }
}

/// An alarm for each series of a metric.
struct Template {
    metric: &'static str,
    /// With or without a broker, where there are both.
    of_brokers: bool,
    /// From which size on it is there.
    set: AlarmSet,
    statistic: Statistic,
    comparison: Comparison,
    threshold: f64,
    /// Periods of ten seconds: (that must be beyond the threshold, that are looked at).
    periods: (u32, u32),
    missing: MissingData,
    severity: Severity,
    advice: &'static str,
}

const PERIOD_S: i64 = 10;

impl Template {
    const fn above(
        metric: &'static str,
        set: AlarmSet,
        threshold: f64,
        periods: (u32, u32),
        advice: &'static str,
    ) -> Template {
        Template {
            metric,
            of_brokers: true,
            set,
            statistic: Maximum,
            comparison: Comparison::Greater,
            threshold,
            periods,
            missing: MissingData::NotBreaching,
            severity: Severity::Warning,
            advice,
        }
    }

    const fn critical(self) -> Template {
        Template { severity: Severity::Critical, ..self }
    }

    const fn average(self) -> Template {
        Template { statistic: Average, ..self }
    }
}

use AlarmSet::{All, Golden, Seeds};

static TEMPLATES: &[Template] = &[
    Template::above(
        "OfflinePartitionsCount",
        Golden,
        0.0,
        (1, 1),
        "Start the brokers that hold these partitions' replicas; where none can come back, elect a leader uncleanly and accept the loss.",
    )
    .critical(),
    Template {
        comparison: Comparison::Less,
        missing: MissingData::Missing,
        ..Template::above(
            "ActiveControllerCount",
            Golden,
            1.0,
            (1, 1),
            "Start controllers until a majority runs: until then no leader is elected and no topic is changed.",
        )
        .critical()
    },
    Template::above(
        "UnderReplicatedPartitions",
        Golden,
        0.0,
        (2, 2),
        "See which broker is down, slow or cut off, and bring it back: until it has caught up, one more failure costs more.",
    ),
    Template::above(
        "EstimatedMaxTimeLag",
        Golden,
        60.0,
        (3, 3),
        "See whether the group has members and whether they keep up; add consumers up to the number of partitions, or make processing faster.",
    ),
    Template::above(
        "KafkaDataLogsDiskUsed",
        Golden,
        85.0,
        (1, 1),
        "Shorten retention, delete topics, or give the disk more room before it is full: a full disk takes its log directory offline.",
    )
    .critical(),
    Template::above(
        "UnderMinIsrPartitionCount",
        Seeds,
        0.0,
        (1, 1),
        "Bring followers back: writes with acks=all to these partitions are refused until then.",
    )
    .critical(),
    Template::above("KafkaAppLogsDiskUsed", Seeds, 85.0, (1, 1), "Remove old application logs, or log less."),
    Template::above("RootDiskUsed", Seeds, 85.0, (1, 1), "Make room on the machine's root file system."),
    Template::above(
        "ProduceTotalTimeMsMean",
        Seeds,
        500.0,
        (3, 3),
        "See which part of the time it is: a slow disk, followers that answer late, or a busy broker.",
    )
    .average(),
    Template::above(
        "FetchConsumerTotalTimeMsMean",
        Seeds,
        2_000.0,
        (3, 3),
        "Longer than fetch.max.wait.ms is too long: see whether the broker is busy or its disk slow.",
    )
    .average(),
    Template::above(
        "PartitionCount",
        Seeds,
        1_000.0,
        (1, 1),
        "A broker of MSK's common size takes 1,000 replicas: add brokers, or use fewer partitions.",
    ),
    Template {
        comparison: Comparison::Less,
        ..Template::above(
            "LeaderCount",
            Seeds,
            1.0,
            (6, 6),
            "The broker leads nothing, so that others carry its load: elect preferred leaders, or move partitions to it.",
        )
    },
    Template::above("GlobalPartitionCount", Seeds, 10_000.0, (1, 1), "Delete topics that nobody uses, or use fewer partitions."),
    Template::above("GlobalTopicCount", Seeds, 1_000.0, (1, 1), "Delete topics that nobody uses."),
    Template::above("CpuUser", All, 60.0, (6, 6), "Spread leaders, batch more, or compress less: MSK advises to stay below 60 %.").average(),
    Template::above("CpuSystem", All, 40.0, (6, 6), "Batch more: much time in the kernel means many small requests.").average(),
    Template::above("CpuIoWait", All, 25.0, (6, 6), "The machine waits for its disk: see who writes, and whether it is swapping.").average(),
    Template::above("MaxOffsetLag", All, 100_000.0, (3, 3), "See whether the group keeps up before retention deletes what it has not read."),
    Template::above("RollingEstimatedTimeLagMax", All, 60.0, (3, 3), "The group has been late for a while: add consumers, or make processing faster."),
    Template::above("ConnectionCount", All, 1_000.0, (1, 1), "See which clients open connections and do not close them."),
    Template::above("ConnectionCreationRate", All, 100.0, (3, 3), "Clients reconnect all the time: see whether they fail, or keep no connection."),
    Template::above("KafkaFileDescriptorsUsagePercent", All, 80.0, (1, 1), "Raise the limit of open files (ulimit -n), or use fewer partitions and connections."),
    Template::above("KafkaMemoryMappedFilesUsagePercent", All, 80.0, (1, 1), "Raise vm.max_map_count, or use fewer partitions and segments."),
    Template {
        comparison: Comparison::Less,
        ..Template::above("BurstBalance", All, 20.0, (1, 1), "Simulated: a small gp2 volume would soon be down to its baseline of 100 operations a second.")
    },
];

/// Our alarms of a size: one for each series that there is, and those on the cluster as a whole in any case.
pub fn ours(set: AlarmSet, cluster_name: &Arc<str>, store: &Store) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for template in TEMPLATES.iter().filter(|template| template.set <= set) {
        let dimensions = rows(template).flat_map(|row| row.dimensions()).copied();
        if dimensions.eq([Dimension::ClusterName]) {
            let key = Key::new(template.metric, vec![(Dimension::ClusterName, cluster_name.clone())]);
            alarms.push(alarm(template, key));
            continue;
        }
        let fits = |key: &&Arc<Key>| rows(template).any(|row| row.dimensions().len() == key.dimensions.len());
        alarms.extend(
            store.of(template.metric).map(|(key, _)| key).filter(fits).map(|key| alarm(template, Key::clone(key))),
        );
    }
    alarms.truncate(OURS_MAX);
    alarms
}

/// The catalogue's row of a template.
fn rows(template: &Template) -> impl Iterator<Item = &'static catalog::Definition> {
    let all = catalog::all().filter(|row| row.name == template.metric);
    let is_of_brokers = |row: &&catalog::Definition| row.dimensions().contains(&Dimension::BrokerId);
    let has_both = all.clone().any(|row| is_of_brokers(&row)) && all.clone().any(|row| !is_of_brokers(&row));
    all.filter(move |row| !has_both || is_of_brokers(row) == template.of_brokers)
}

fn alarm(template: &Template, key: Key) -> Alarm {
    Alarm {
        name: key.to_string(),
        description: template.advice.into(),
        watched: Watched::Metric { key, statistic: template.statistic },
        period_s: PERIOD_S,
        evaluation_periods: template.periods.1,
        datapoints_to_alarm: template.periods.0,
        threshold: template.threshold,
        comparison: template.comparison,
        missing: template.missing,
        severity: template.severity,
        is_ours: true,
        actions: Actions::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Datum;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn sizes() {
        let metrics =
            |set| TEMPLATES.iter().filter(|one| one.set <= set).map(|one| one.metric).collect::<BTreeSet<_>>();
        let seeds: BTreeSet<_> = catalog::all().filter(|row| row.is_seed).map(|row| row.name).collect();
        assert_eq!(metrics(Golden).len(), 5);
        // Of the golden five, the consumers' delay is no seed.
        assert_eq!(&metrics(Seeds) - &metrics(Golden), &seeds - &metrics(Golden));
        assert!(metrics(All).len() > 20);
    }

    #[test]
    fn each_is_sound_and_has_one_line_of_advice() {
        for template in TEMPLATES {
            assert_eq!(rows(template).count(), 1, "{}", template.metric);
            assert!(template.advice.ends_with('.') && !template.advice.contains('\n'), "{}", template.metric);
            let alarm = alarm(template, Key::new(template.metric, Vec::new()));
            assert_eq!(alarm.check(), Ok(()));
        }
    }

    #[test]
    fn one_for_each_series_within_a_bound() {
        let name: Arc<str> = "c".into();
        let key = |metric: &str, broker: usize| {
            Key::new(
                metric,
                vec![(Dimension::ClusterName, name.clone()), (Dimension::BrokerId, broker.to_string().into())],
            )
        };
        let cluster = Key::new("KafkaDataLogsDiskUsed", vec![(Dimension::ClusterName, name.clone())]);
        let mut store = Store::default();
        let names = |store: &Store| ours(Golden, &name, store).into_iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names(&store), ["OfflinePartitionsCount", "ActiveControllerCount"]);
        let keys = [
            key("UnderReplicatedPartitions", 1),
            key("UnderReplicatedPartitions", 2),
            key("KafkaDataLogsDiskUsed", 1),
            cluster,
        ];
        store.put(1, keys.map(|key| Datum { key, value: 0.0 }));
        assert_eq!(
            names(&store),
            [
                "OfflinePartitionsCount",
                "ActiveControllerCount",
                "UnderReplicatedPartitions of broker 1",
                "UnderReplicatedPartitions of broker 2",
                "KafkaDataLogsDiskUsed of broker 1",
            ]
        );
        assert!(ours(AlarmSet::None, &name, &store).is_empty());
        store.put(2, (0..1_000).map(|broker| Datum { key: key("UnderReplicatedPartitions", broker), value: 0.0 }));
        assert_eq!(names(&store).len(), OURS_MAX);
    }
}
