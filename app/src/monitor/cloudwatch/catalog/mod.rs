//! The catalogue of MSK's metrics: names, levels, dimensions, units, what they mean, what says the same in Prometheus, and how each is computed.
//!
//! One row is one metric with one set of dimensions. What we cannot compute truthfully stands in [`LEFT_OUT`], with the reason.
//!
//! Source: "Amazon MSK metrics for monitoring Standard brokers with CloudWatch" of the MSK developer guide.

mod brokers;
mod cluster;
mod left_out;
mod quotas;
mod request;

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use broker::types::NodeId;

use super::measure::{BrokerReading, ClusterReading, GroupReading, PartitionLag, Readings, Traffic};
use super::statistics::Statistic;
use super::store::{Datum, Dimension, Key};
pub use left_out::{LEFT_OUT, LeftOut};

/// The namespace of MSK's metrics.
pub const NAMESPACE: &str = "AWS/Kafka";

/// The account in whose name all is told.
pub const ACCOUNT: &str = "000000000000";

/// MSK's monitoring levels; each has what the one before has, and more. Changed as by MSK's UpdateMonitoring.
#[derive(
    BorshSerialize,
    BorshDeserialize,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Free of charge on MSK.
    Default,
    /// More of each broker. The default here: it has all thirteen metrics that one should watch at least, and costs nothing.
    PerBroker,
    /// Of each topic on each broker.
    PerTopicPerBroker,
    /// Of each group in each partition.
    PerTopicPerPartition,
}

impl Level {
    /// As MSK names it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Default => "DEFAULT",
            Level::PerBroker => "PER_BROKER",
            Level::PerTopicPerBroker => "PER_TOPIC_PER_BROKER",
            Level::PerTopicPerPartition => "PER_TOPIC_PER_PARTITION",
        }
    }

    /// All, the least first.
    pub fn all() -> [Level; 4] {
        [Level::Default, Level::PerBroker, Level::PerTopicPerBroker, Level::PerTopicPerPartition]
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a monitoring level: there are DEFAULT, PER_BROKER, PER_TOPIC_PER_BROKER and PER_TOPIC_PER_PARTITION")]
pub struct NotALevel;

impl FromStr for Level {
    type Err = NotALevel;

    fn from_str(text: &str) -> Result<Level, NotALevel> {
        Level::all().into_iter().find(|level| level.name().eq_ignore_ascii_case(text)).ok_or(NotALevel)
    }
}

/// CloudWatch's units, as far as they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Things per second.
    CountPerSecond,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// 0 to 100.
    Percent,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

impl Unit {
    /// As CloudWatch names it.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Count => "Count",
            Unit::CountPerSecond => "Count/Second",
            Unit::Bytes => "Bytes",
            Unit::BytesPerSecond => "Bytes/Second",
            Unit::Percent => "Percent",
            Unit::Seconds => "Seconds",
            Unit::Milliseconds => "Milliseconds",
        }
    }
}

/// A metric with one set of dimensions.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// CloudWatch's name.
    pub name: &'static str,
    /// From which level on it is there.
    pub level: Level,
    /// Its unit.
    pub unit: Unit,
    /// The statistic that one usually looks at.
    pub statistic: Statistic,
    /// What it is, in one line.
    pub meaning: &'static str,
    /// Prometheus' name, where there is one.
    pub prometheus: Option<&'static str>,
    /// What says the same in PromQL, with `$broker`, `$topic`, `$group` and `$partition` to be filled in.
    pub promql: Option<&'static str>,
    /// One of the thirteen that one should watch at least.
    pub is_seed: bool,
    /// Made by a model and not measured.
    pub is_simulated: bool,
    feed: Feed,
}

/// Where a metric's values come from, which decides its dimensions.
#[derive(Clone, Copy, Debug)]
enum Feed {
    /// One value of each controller, all in one series.
    Controllers,
    Cluster(fn(&ClusterReading) -> Option<f64>),
    Broker(fn(&BrokerReading) -> Option<f64>),
    /// Of a topic: records in, bytes in, bytes out.
    BrokerTopic(fn(&Traffic, (u64, u64, u64)) -> f64),
    Group(fn(&GroupReading) -> Option<f64>),
    GroupPartition(fn(&PartitionLag) -> Option<f64>),
}

impl Definition {
    const fn new(
        name: &'static str,
        level: Level,
        unit: Unit,
        statistic: Statistic,
        meaning: &'static str,
        feed: Feed,
    ) -> Definition {
        let (prometheus, promql) = (None, None);
        Definition {
            name,
            level,
            unit,
            statistic,
            meaning,
            prometheus,
            promql,
            is_seed: false,
            is_simulated: false,
            feed,
        }
    }

    const fn seed(self) -> Definition {
        Definition { is_seed: true, ..self }
    }

    const fn simulated(self) -> Definition {
        Definition { is_simulated: true, ..self }
    }

    const fn prometheus(self, name: &'static str, promql: &'static str) -> Definition {
        Definition { prometheus: Some(name), promql: Some(promql), ..self }
    }

    /// Which dimensions its series have.
    pub fn dimensions(&self) -> &'static [Dimension] {
        match self.feed {
            Feed::Controllers | Feed::Cluster(_) => &[Dimension::ClusterName],
            Feed::Broker(_) => &[Dimension::ClusterName, Dimension::BrokerId],
            Feed::BrokerTopic(_) => &[Dimension::ClusterName, Dimension::BrokerId, Dimension::Topic],
            Feed::Group(_) => &[Dimension::ClusterName, Dimension::ConsumerGroup, Dimension::Topic],
            Feed::GroupPartition(_) => {
                &[Dimension::ClusterName, Dimension::ConsumerGroup, Dimension::Topic, Dimension::Partition]
            }
        }
    }

    /// [`Definition::promql`] for a series of this metric.
    pub fn promql_of(&self, key: &Key) -> Option<String> {
        let mut promql = self.promql?.to_owned();
        for (name, dimension) in [
            ("$broker", Dimension::BrokerId),
            ("$topic", Dimension::Topic),
            ("$group", Dimension::ConsumerGroup),
            ("$partition", Dimension::Partition),
        ] {
            if let Some(value) = key.dimension(dimension) {
                promql = promql.replace(name, &value.replace('\\', "\\\\").replace('"', "\\\""));
            }
        }
        Some(promql)
    }
}

/// All rows. What comes first finds room in the store first.
pub fn all() -> impl Iterator<Item = &'static Definition> + Clone {
    cluster::ALL
        .iter()
        .chain(brokers::ALL)
        .chain(request::ALL)
        .chain(request::SERVERS)
        .chain(quotas::ALL)
        .chain(cluster::GROUPS)
        .chain(brokers::TOPICS)
        .chain(cluster::PARTITIONS)
}

/// What is known of a series' metric.
pub fn definition(key: &Key) -> Option<&'static Definition> {
    let same_dimensions = |definition: &&Definition| {
        let own = definition.dimensions();
        own.len() == key.dimensions.len() && own.iter().all(|dimension| key.dimension(*dimension).is_some())
    };
    all().filter(|definition| *definition.name == *key.metric).find(same_dimensions)
}

/// All values of a second, of the metrics that a level has.
pub fn data<'r>(cluster_name: &'r Arc<str>, level: Level, readings: &'r Readings) -> impl Iterator<Item = Datum> + 'r {
    all().filter(move |definition| definition.level <= level).flat_map(move |definition| {
        let mut sink = Sink { cluster_name, definition, data: Vec::new() };
        sink.fill(readings);
        sink.data
    })
}

struct Sink<'r> {
    cluster_name: &'r Arc<str>,
    definition: &'static Definition,
    data: Vec<Datum>,
}

impl Sink<'_> {
    fn fill(&mut self, readings: &Readings) {
        match self.definition.feed {
            Feed::Controllers => {
                readings.controllers.iter().for_each(|active| self.put(&[], Some(if *active { 1.0 } else { 0.0 })));
            }
            Feed::Cluster(value) => self.put(&[], value(&readings.cluster)),
            Feed::Broker(value) => {
                for broker in &readings.brokers {
                    self.put(&[(Dimension::BrokerId, id(broker.id))], value(broker));
                }
            }
            Feed::BrokerTopic(value) => {
                for broker in &readings.brokers {
                    let Some(traffic) = &broker.traffic else { continue };
                    for (topic, messages, bytes_in, bytes_out) in &traffic.grown.topics {
                        let dimensions = [(Dimension::BrokerId, id(broker.id)), (Dimension::Topic, topic.clone())];
                        self.put(&dimensions, Some(value(traffic, (*messages, *bytes_in, *bytes_out))));
                    }
                }
            }
            Feed::Group(value) => readings.groups.iter().for_each(|group| self.put(&group_of(group), value(group))),
            Feed::GroupPartition(value) => {
                for group in &readings.groups {
                    let [one, other] = group_of(group);
                    for lag in &group.partitions {
                        let partition = (Dimension::Partition, id(lag.partition));
                        self.put(&[one.clone(), other.clone(), partition], value(lag));
                    }
                }
            }
        }
    }

    fn put(&mut self, dimensions: &[(Dimension, Arc<str>)], value: Option<f64>) {
        let Some(value) = value else { return };
        let mut all = vec![(Dimension::ClusterName, self.cluster_name.clone())];
        all.extend_from_slice(dimensions);
        self.data.push(Datum { key: Key::new(self.definition.name, all), value });
    }
}

fn id(number: NodeId) -> Arc<str> {
    number.to_string().into()
}

fn group_of(group: &GroupReading) -> [(Dimension, Arc<str>); 2] {
    [(Dimension::ConsumerGroup, group.group.clone()), (Dimension::Topic, group.topic.clone())]
}
