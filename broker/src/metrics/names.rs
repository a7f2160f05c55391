//! Under which names a bean is exported to Prometheus. Two families of names are in use for Kafka, and both are derived from the table.
//!
//! * MSK's open monitoring runs the JMX exporter without rules: `kafka_server_BrokerTopicMetrics_Count{name="MessagesInPerSec"}`, untyped.
//! * Strimzi ships rules for it: `kafka_server_brokertopicmetrics_messagesin_total`, typed. Two of them are greedier than was meant and put the
//!   values of labels into names, where a bean has three keys or a percentage has two; here such a series has its keys as labels.
//!
//! Source: `JmxCollector` of prometheus/jmx_exporter; `kafka-metrics.yaml` of Strimzi's examples.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::bean::{Bean, Shape};
use super::collect::Reading;

/// Who gave a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The JMX exporter without rules.
    OpenMonitoring,
    /// The JMX exporter with Strimzi's rules.
    Strimzi,
}

/// Prometheus' type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None is told.
    Untyped,
    /// Goes up and down.
    Gauge,
    /// Grows, or begins anew.
    Counter,
}

/// An attribute of an MBean: what one number of it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// `Value`; of beans without a `name=`, the attribute that is the bean.
    Value,
    /// `Count`.
    Count,
    /// `Min`.
    Min,
    /// `Max`.
    Max,
    /// `Mean`.
    Mean,
    /// `StdDev`.
    StdDev,
    /// `50thPercentile` … `999thPercentile`: an index into [`super::QUANTILES`].
    Percentile(usize),
    /// `MeanRate`.
    MeanRate,
    /// `OneMinuteRate`.
    OneMinuteRate,
    /// `FiveMinuteRate`.
    FiveMinuteRate,
    /// `FifteenMinuteRate`.
    FifteenMinuteRate,
}

use Attribute::{
    Count, FifteenMinuteRate, FiveMinuteRate, Max, Mean, MeanRate, Min, OneMinuteRate, Percentile, StdDev, Value,
};

const METER: [Attribute; 5] = [Count, MeanRate, OneMinuteRate, FiveMinuteRate, FifteenMinuteRate];
const TIMER: [Attribute; 15] = [
    MeanRate,
    OneMinuteRate,
    FiveMinuteRate,
    FifteenMinuteRate,
    Count,
    Min,
    Max,
    Mean,
    StdDev,
    Percentile(0),
    Percentile(1),
    Percentile(2),
    Percentile(3),
    Percentile(4),
    Percentile(5),
];

/// Names of the percentiles, and what Strimzi makes of them.
const PERCENTILES: [(&str, &str); 6] = [
    ("50thPercentile", "0.50"),
    ("75thPercentile", "0.75"),
    ("95thPercentile", "0.95"),
    ("98thPercentile", "0.98"),
    ("99thPercentile", "0.99"),
    ("999thPercentile", "0.999"),
];

impl Attribute {
    /// The attributes of beans of a shape.
    pub fn of(shape: Shape) -> &'static [Attribute] {
        match shape {
            Shape::Gauge | Shape::Attribute | Shape::Total => &[Value],
            Shape::Meter => &METER,
            Shape::Histogram => &TIMER[4..],
            Shape::Timer => &TIMER,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Value => "Value",
            Count => "Count",
            Min => "Min",
            Max => "Max",
            Mean => "Mean",
            StdDev => "StdDev",
            Percentile(index) => PERCENTILES.get(index).map_or("", |(name, _)| name),
            MeanRate => "MeanRate",
            OneMinuteRate => "OneMinuteRate",
            FiveMinuteRate => "FiveMinuteRate",
            FifteenMinuteRate => "FifteenMinuteRate",
        }
    }

    /// Its value; `None` where the reading has no such attribute.
    pub fn read(self, reading: &Reading) -> Option<f64> {
        let (histogram, meter) = match reading {
            Reading::Value(value) => return (self == Value).then_some(*value),
            Reading::Meter(meter) => (None, Some(meter)),
            Reading::Histogram(histogram) => (Some(histogram), None),
            Reading::Timer(histogram, meter) => (Some(histogram), Some(meter)),
        };
        match self {
            Value => None,
            Count => histogram.map(|histogram| histogram.count).or(meter.map(|meter| meter.count)).map(|n| n as f64),
            Min => histogram.map(|histogram| histogram.min),
            Max => histogram.map(|histogram| histogram.max),
            Mean => histogram.map(|histogram| histogram.mean),
            StdDev => histogram.map(|histogram| histogram.std_dev),
            Percentile(index) => histogram.and_then(|histogram| histogram.quantiles.get(index).copied()),
            MeanRate => meter.map(|meter| meter.mean_rate),
            OneMinuteRate => meter.map(|meter| meter.one_minute_rate),
            FiveMinuteRate => meter.map(|meter| meter.five_minute_rate),
            FifteenMinuteRate => meter.map(|meter| meter.fifteen_minute_rate),
        }
    }
}

/// One attribute of a bean in one dialect. Its labels are the keys of the bean, by [`label_name`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Name of the family.
    pub name: String,
    /// Type of the family.
    pub kind: Kind,
    /// A label that stands beside the bean's keys: `name` or `quantile`.
    pub label: Option<(&'static str, &'static str)>,
}

/// The name in a dialect; `None`: the dialect does not export it.
pub fn name(dialect: Dialect, bean: &Bean, attribute: Attribute) -> Option<Name> {
    match dialect {
        Dialect::OpenMonitoring => open_monitoring(bean, attribute),
        Dialect::Strimzi => strimzi(bean, attribute),
    }
}

/// A key as a label: `client-id` is `client_id`.
pub fn label_name(key: &str) -> String {
    safe(key)
}

/// Whether the value is a text: the bean has a key of its own name that holds it, and reads 1.
fn is_text(bean: &Bean) -> bool {
    !bean.is_named() && bean.keys.iter().any(|key| label_name(key) == label_name(bean.name))
}

fn open_monitoring(bean: &Bean, attribute: Attribute) -> Option<Name> {
    let (last, label) = if bean.is_named() {
        (attribute.name(), Some(("name", bean.name)))
    } else if is_text(bean) {
        return None;
    } else {
        (bean.name, None)
    };
    Some(Name { name: safe(&[bean.domain, bean.kind, last].join("_")), kind: Kind::Untyped, label })
}

fn strimzi(bean: &Bean, attribute: Attribute) -> Option<Name> {
    if !bean.is_named() {
        return strimzi_attribute(bean);
    }
    // The rules know one word after `kafka.`: coordinators and tiered storage have two.
    let part = bean.domain.rsplit_once("kafka.").map(|(_, part)| part).filter(|part| !part.contains('.'))?;
    let named = |name: &str, end: &str, kind, label| {
        let name = [&["kafka", part, bean.kind, name].join("_"), end].concat();
        Some(Name { name: safe(&name).to_ascii_lowercase(), kind, label })
    };
    let percent = bean.name.rfind("Percent").map(|at| &bean.name[..at]);
    let per_second = bean.name.rfind("PerSec").map(|at| &bean.name[..at]);
    match (attribute, percent, per_second) {
        (Value, Some(name), _) => named(name, "_percent", Kind::Gauge, None),
        (Value, None, _) => named(bean.name, "", Kind::Gauge, None),
        (MeanRate, Some(name), _) if bean.keys.is_empty() => named(name, "_percent", Kind::Gauge, None),
        (Count, _, Some(name)) => named(name, "_total", Kind::Counter, None),
        (Count, _, None) => named(bean.name, "_count", Kind::Counter, None),
        (Percentile(index), ..) => {
            let (_, quantile) = PERCENTILES.get(index)?;
            named(bean.name, "", Kind::Gauge, Some(("quantile", quantile)))
        }
        _ => None,
    }
}

/// What has no `name=` is exported for listeners, the quorum and what a broker knows of metadata.
fn strimzi_attribute(bean: &Bean) -> Option<Name> {
    if bean.domain != "kafka.server" {
        return None;
    }
    let (kind_name, greatest_is_counter) = match bean.kind {
        "raft-metrics" => ("raftmetrics", true),
        "raft-channel-metrics" => ("raftchannelmetrics", true),
        "broker-metadata-metrics" => ("brokermetadatametrics", false),
        kind if bean.keys.ends_with(&["listener", "networkProcessor"]) => (kind, false),
        _ => return None,
    };
    let last = match (bean.name, bean.keys.first()) {
        ("connections", Some(&"clientSoftwareName")) => "connections_software",
        ("connections", Some(&"cipher")) => "connections_tls_info",
        (name, _) => name,
    };
    let kind = if is_text(bean) {
        Kind::Untyped
    } else if last.ends_with("-total") && kind_name != "brokermetadatametrics"
        || (greatest_is_counter && last.ends_with("-max"))
    {
        Kind::Counter
    } else {
        Kind::Gauge
    };
    let name = safe(&["kafka_server", kind_name, last].join("_")).to_ascii_lowercase();
    Some(Name { name, kind, label: None })
}

/// As the JMX exporter makes names safe: each run of what may not be there is one underscore.
fn safe(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == ':' {
            safe.push(c);
        } else if !safe.ends_with('_') {
            safe.push('_');
        }
    }
    safe
}

/// A family as it is exported: what goes into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it is.
    pub help: String,
    /// The attributes that make it up.
    pub parts: Vec<Part>,
}

/// An attribute of a bean that goes into a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which bean.
    pub bean: &'static Bean,
    /// Which attribute.
    pub attribute: Attribute,
    /// As in [`Name::label`].
    pub label: Option<(&'static str, &'static str)>,
}

/// All families of these beans in both dialects, by name. A name that both give is one family, with Strimzi's type.
pub fn families(beans: impl IntoIterator<Item = &'static Bean>) -> Vec<Family> {
    let mut families = BTreeMap::<String, Family>::new();
    for bean in beans {
        for attribute in Attribute::of(bean.shape) {
            for dialect in [Dialect::Strimzi, Dialect::OpenMonitoring] {
                let Some(Name { name, kind, label }) = name(dialect, bean, *attribute) else { continue };
                let part = Part { bean, attribute: *attribute, label };
                match families.entry(name) {
                    Entry::Vacant(vacant) => {
                        let name = vacant.key().clone();
                        vacant.insert(Family { name, kind, help: help(part), parts: vec![part] });
                    }
                    Entry::Occupied(occupied) => occupied.into_mut().add(part),
                }
            }
        }
    }
    families.into_values().collect()
}

impl Family {
    /// The same label twice would be the same series twice: one bean under two domains, or one name from both dialects.
    fn add(&mut self, part: Part) {
        if self.parts.iter().all(|other| other.label != part.label) {
            self.parts.push(part);
            if self.parts.iter().any(|other| other.bean != part.bean) {
                self.help = help_of_many(part);
            }
        }
    }
}

fn help(part: Part) -> String {
    match part.attribute {
        Value => part.bean.help().to_owned(),
        Percentile(_) if part.label.is_some_and(|(name, _)| name == "quantile") => {
            format!("{} Quantiles.", part.bean.help())
        }
        attribute => format!("{} {}.", part.bean.help(), attribute.name()),
    }
}

fn help_of_many(part: Part) -> String {
    format!("{} of {}:type={}, by name.", part.attribute.name(), part.bean.domain, part.bean.kind)
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
