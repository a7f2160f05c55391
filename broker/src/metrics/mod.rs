//! What a node measures about itself: the table of Kafka's MBeans, the instruments that feed it, and the report that carries the readings out.
//!
//! Instruments are plain fields of the components that feed them: a node is one thread, so they need no lock and no atomic. Once a second a node
//! goes over its components, each of which pushes its series into a [`Collector`]; the result, a [`MetricsReport`], leaves with the node's other
//! reports, so that no scrape ever waits for a node or a node for a scrape.
//!
//! Every exported name, in every family, is derived from the table; nothing is listed twice. The room knows no Kafka beyond that.

mod bean;
mod collect;
mod histogram;
mod meter;
pub mod names;
#[cfg(test)]
mod names_excuses;
pub mod table;
mod windowed;

pub use bean::{Bean, Shape, Source, Unit};
pub use collect::{Collector, Label, Labels, MetricsReport, Reading, Rounds, Series};
pub use histogram::{Histogram, HistogramReading, QUANTILES};
pub use meter::{Meter, MeterReading};
pub use windowed::Windowed;
