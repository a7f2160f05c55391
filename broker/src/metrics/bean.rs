//! A row of the table of MBeans.

/// An MBean of Kafka's, or an attribute of one that Kafka's newer metrics library makes (these have no `name=` key).
///
/// Source: Kafka's `KafkaYammerMetrics` and `JmxReporter`, as seen on a running 4.3.
#[derive(Debug, PartialEq, Eq)]
pub struct Bean {
    /// `kafka.server`, `kafka.network`, …
    pub domain: &'static str,
    /// The key `type`: `BrokerTopicMetrics`, `socket-server-metrics`, …
    pub kind: &'static str,
    /// The key `name`, or for [`Shape::Attribute`] and [`Shape::Total`] the attribute.
    pub name: &'static str,
    /// Further keys, in the order of the object's name: `topic`, `request`, … A series need not have all of them.
    pub keys: &'static [&'static str],
    /// What is read.
    pub shape: Shape,
    /// In which unit.
    pub unit: Unit,
    /// Who feeds it.
    pub source: Source,
    /// What it is, in a sentence; read it by [`Bean::help`].
    pub help: &'static str,
}

/// What is read of a bean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `Value`, now.
    Gauge,
    /// `Count`, `MeanRate`, `OneMinuteRate`, `FiveMinuteRate`, `FifteenMinuteRate`.
    Meter,
    /// `Count`, `Min`, `Max`, `Mean`, `StdDev`, `50thPercentile` … `999thPercentile`.
    Histogram,
    /// All attributes of a histogram and of a meter.
    Timer,
    /// One attribute, now.
    Attribute,
    /// One attribute that only grows (its name ends with `-total` or `-count`).
    Total,
}

/// A unit. Rates of a meter are this per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things, or none.
    Count,
    /// Things per second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
    /// Seconds.
    Seconds,
    /// 0 to 1.
    Ratio,
    /// 0 to 100.
    Percent,
    /// An offset in a log, an id, an epoch, a point in time: to compare, not to add.
    Ordinal,
}

/// Who feeds a bean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A broker's report.
    Broker,
    /// A controller's report.
    Controller,
    /// Reports of both.
    Node,
    /// Whoever reads it takes it from the cluster's state: there is one for each partition, too many to be told each second.
    State,
}

impl Bean {
    /// [`Bean::help`] without the space that begins a doc comment.
    pub fn help(&self) -> &'static str {
        self.help.trim_ascii()
    }

    /// Whether the bean has a `name=` key.
    pub fn is_named(&self) -> bool {
        !matches!(self.shape, Shape::Attribute | Shape::Total)
    }
}

/// Makes beans, and the list of them. The doc comment is the help text.
///
/// ```text
/// beans! {
///     /// Records appended by clients.
///     MESSAGES_IN: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "MessagesInPerSec", ["topic"];
/// }
/// ```
macro_rules! beans {
    ($(
        $(#[doc = $help:literal])+
        $id:ident: $shape:ident, $unit:ident, $source:ident, $domain:literal, $kind:literal, $name:literal, [$($key:literal),*];
    )+) => {
        $(
            $(#[doc = $help])+
            pub static $id: $crate::metrics::Bean = $crate::metrics::Bean {
                domain: $domain,
                kind: $kind,
                name: $name,
                keys: &[$($key),*],
                shape: $crate::metrics::Shape::$shape,
                unit: $crate::metrics::Unit::$unit,
                source: $crate::metrics::Source::$source,
                help: concat!($($help),+),
            };
        )+
        /// The beans of this part, in the order above.
        pub(super) static ALL: &[&$crate::metrics::Bean] = &[$(&$id),+];
    };
}

pub(super) use beans;
