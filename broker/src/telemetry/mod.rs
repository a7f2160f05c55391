//! Client telemetry (KIP-714): which clients are asked for which of their metrics, and the last values that they pushed. Pure: time is told.
//!
//! Source: `org.apache.kafka.server.ClientMetricsManager`; what a plugin of Kafka's (`ClientTelemetryReceiver`) would do with the payload
//! is done by [`Received`]. May know metadata, records and error codes; knows no connection but by its number.

mod instances;
mod otlp;
mod received;

pub use instances::{ClientAttributes, Instances, Push, Subscribed};
pub use otlp::PayloadError;
pub use received::Received;
