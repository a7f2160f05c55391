//! What a node's components have to say, once a second.

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use super::bean::{Bean, Shape};
use super::histogram::{Histogram, HistogramReading};
use super::meter::{Meter, MeterReading};
use super::table;
use crate::recorded::{self, invalid};
use crate::types::{Id, NodeId, Now};

/// The value of a label.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// One that is known when the program is built.
    Fixed(#[borsh(serialize_with = "recorded::put", deserialize_with = "recorded::take")] &'static str),
    /// A name.
    Name(Arc<str>),
    /// A number.
    Number(i64),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Fixed(text) => f.write_str(text),
            Label::Name(text) => f.write_str(text),
            Label::Number(number) => write!(f, "{number}"),
        }
    }
}

impl From<&'static str> for Label {
    fn from(text: &'static str) -> Label {
        Label::Fixed(text)
    }
}

impl From<Arc<str>> for Label {
    fn from(text: Arc<str>) -> Label {
        Label::Name(text)
    }
}

impl From<&Arc<str>> for Label {
    fn from(text: &Arc<str>) -> Label {
        Label::Name(text.clone())
    }
}

impl From<String> for Label {
    fn from(text: String) -> Label {
        Label::Name(text.into())
    }
}

impl From<i32> for Label {
    fn from(number: i32) -> Label {
        Label::Number(number.into())
    }
}

/// Keys of a bean with their values, in the order of the bean's keys.
pub type Labels = Box<[(&'static str, Label)]>;

/// What was read.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub enum Reading {
    /// Of a gauge or an attribute.
    Value(#[borsh(serialize_with = "recorded::put", deserialize_with = "recorded::take")] f64),
    /// Of a meter.
    Meter(MeterReading),
    /// Of a histogram.
    Histogram(Box<HistogramReading>),
    /// Of a timer.
    Timer(Box<HistogramReading>, MeterReading),
}

/// One bean with one set of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Which.
    pub bean: &'static Bean,
    /// Of what.
    pub labels: Labels,
    /// How much.
    pub reading: Reading,
}

/// A bean is written as its place in the table: only the same table reads it back.
impl BorshSerialize for Series {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        let place = table::place(self.bean).ok_or_else(|| invalid("a bean that is not in the table"))?;
        place.serialize(writer)?;
        (self.labels.len() as u8).serialize(writer)?;
        for (key, label) in &self.labels {
            // Most keys are the bean's own, in its order.
            let own = self.bean.keys.iter().position(|own| own == key).and_then(|own| u8::try_from(own).ok());
            own.serialize(writer)?;
            if own.is_none() {
                recorded::put(key, writer)?;
            }
            label.serialize(writer)?;
        }
        self.reading.serialize(writer)
    }
}

impl BorshDeserialize for Series {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Series> {
        let bean = table::at(u16::deserialize_reader(reader)?).ok_or_else(|| invalid("no such bean"))?;
        let count = u8::deserialize_reader(reader)?;
        let mut labels = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let key = match <Option<u8>>::deserialize_reader(reader)? {
                Some(own) => *bean.keys.get(usize::from(own)).ok_or_else(|| invalid("no such key"))?,
                None => recorded::take(reader)?,
            };
            labels.push((key, Label::deserialize_reader(reader)?));
        }
        Ok(Series { bean, labels: labels.into(), reading: Reading::deserialize_reader(reader)? })
    }
}

impl Series {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&Label> {
        self.labels.iter().find(|(name, _)| *name == key).map(|(_, label)| label)
    }

    /// The value of a gauge or attribute, the count of all else.
    pub fn value(&self) -> f64 {
        match &self.reading {
            Reading::Value(value) => *value,
            Reading::Meter(reading) => reading.count as f64,
            Reading::Histogram(reading) | Reading::Timer(reading, _) => reading.count as f64,
        }
    }
}

/// All that a node measured, a second's worth.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct MetricsReport {
    /// Node.
    pub node_id: NodeId,
    /// Random per start: counts begin anew with it.
    pub incarnation: Id,
    /// Wall clock.
    pub at_ms: i64,
    /// Monotonic clock of the node: between two reports of one incarnation, how long it really was.
    #[borsh(serialize_with = "recorded::put", deserialize_with = "recorded::take")]
    pub mono: Duration,
    /// In the order of the components that told them.
    pub series: Vec<Series>,
}

impl MetricsReport {
    /// The series of a bean.
    pub fn of<'r>(&'r self, bean: &'static Bean) -> impl Iterator<Item = &'r Series> {
        self.series.iter().filter(move |series| std::ptr::eq(series.bean, bean))
    }

    /// The series of a bean that has exactly these labels.
    pub fn get(&self, bean: &'static Bean, labels: &[(&str, &str)]) -> Option<&Series> {
        let same = |series: &&Series| {
            series.labels.len() == labels.len()
                && labels.iter().all(|(key, value)| series.label(key).is_some_and(|label| label.to_string() == *value))
        };
        self.of(bean).find(same)
    }
}

/// How often a node goes over its components.
const INTERVAL: Duration = Duration::from_secs(1);

/// When a node last went over its components.
#[derive(Debug)]
pub struct Rounds {
    last: Duration,
}

impl Rounds {
    /// A node starts.
    pub fn new(now: Now) -> Rounds {
        Rounds { last: now.mono }
    }

    /// Begins the next round if a second has passed.
    pub fn begin(&mut self, now: Now) -> Option<Collector> {
        if now.mono.saturating_sub(self.last) < INTERVAL {
            return None;
        }
        let previous = std::mem::replace(&mut self.last, now.mono);
        Some(Collector { now, previous, series: Vec::new() })
    }
}

/// Takes in what components tell. Labels are given as arrays: `[("topic", Label::from(&name))]`.
#[derive(Debug)]
pub struct Collector {
    now: Now,
    previous: Duration,
    series: Vec<Series>,
}

impl Collector {
    /// When this is.
    pub fn now(&self) -> Now {
        self.now
    }

    /// A gauge, or an attribute.
    pub fn value<const N: usize>(&mut self, bean: &'static Bean, labels: [(&'static str, Label); N], value: f64) {
        debug_assert!(matches!(bean.shape, Shape::Gauge | Shape::Attribute | Shape::Total), "{bean:?}");
        self.push(bean, labels, Reading::Value(value));
    }

    /// A whole number of a gauge, or of an attribute.
    pub fn count<const N: usize>(&mut self, bean: &'static Bean, labels: [(&'static str, Label); N], count: u64) {
        self.value(bean, labels, count as f64);
    }

    /// A meter.
    pub fn meter<const N: usize>(
        &mut self,
        bean: &'static Bean,
        labels: [(&'static str, Label); N],
        meter: &mut Meter,
    ) {
        debug_assert!(bean.shape == Shape::Meter, "{bean:?}");
        let reading = meter.read(self.now.mono, self.previous);
        self.push(bean, labels, Reading::Meter(reading));
    }

    /// How many series there are by now of MBeans with a name, and of those without.
    pub fn counts(&self) -> (u64, u64) {
        let named = self.series.iter().filter(|series| series.bean.is_named()).count() as u64;
        (named, self.series.len() as u64 - named)
    }

    /// What a meter counted per second lately, to be told as a value of another bean.
    pub fn rate(&self, meter: &mut Meter) -> f64 {
        meter.read(self.now.mono, self.previous).one_minute_rate
    }

    /// A meter of something whose rate is told in another unit.
    pub fn scaled_meter<const N: usize>(
        &mut self,
        bean: &'static Bean,
        labels: [(&'static str, Label); N],
        meter: &mut Meter,
        scale: f64,
    ) -> MeterReading {
        let mut reading = meter.read(self.now.mono, self.previous);
        reading.mean_rate *= scale;
        reading.one_minute_rate *= scale;
        reading.five_minute_rate *= scale;
        reading.fifteen_minute_rate *= scale;
        self.meter_reading(bean, labels, reading);
        reading
    }

    /// A meter that was read already.
    pub fn meter_reading<const N: usize>(
        &mut self,
        bean: &'static Bean,
        labels: [(&'static str, Label); N],
        reading: MeterReading,
    ) {
        debug_assert!(bean.shape == Shape::Meter, "{bean:?}");
        self.push(bean, labels, Reading::Meter(reading));
    }

    /// A histogram.
    pub fn histogram<const N: usize>(
        &mut self,
        bean: &'static Bean,
        labels: [(&'static str, Label); N],
        histogram: &mut Histogram,
    ) {
        debug_assert!(bean.shape == Shape::Histogram, "{bean:?}");
        let reading = histogram.read(self.now.mono);
        self.push(bean, labels, Reading::Histogram(Box::new(reading)));
    }

    /// A timer: how long something took, and how often.
    pub fn timer<const N: usize>(
        &mut self,
        bean: &'static Bean,
        labels: [(&'static str, Label); N],
        (times, meter): (&mut Histogram, &mut Meter),
    ) {
        debug_assert!(bean.shape == Shape::Timer, "{bean:?}");
        let times = times.read(self.now.mono);
        let meter = meter.read(self.now.mono, self.previous);
        self.push(bean, labels, Reading::Timer(Box::new(times), meter));
    }

    fn push<const N: usize>(&mut self, bean: &'static Bean, labels: [(&'static str, Label); N], reading: Reading) {
        debug_assert!(labels.iter().all(|(key, _)| bean.keys.contains(key)), "{bean:?} has no such label: {labels:?}");
        self.series.push(Series { bean, labels: Box::new(labels), reading });
    }

    /// Ends the round.
    pub fn finish(self, node_id: NodeId, incarnation: Id) -> MetricsReport {
        let Now { mono, wall_ms } = self.now;
        MetricsReport { node_id, incarnation, at_ms: wall_ms, mono, series: self.series }
    }
}
