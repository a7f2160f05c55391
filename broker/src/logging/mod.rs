//! A node's application log: loggers under the names that Kafka gives them, levels that change while the node runs, and lines. Where lines
//! end up (files, a window) is its taker's business. Knows no other room but `types`; a node writes none of its lines itself.
//!
//! Source: Kafka's `config/log4j2.yaml`, `org.apache.kafka.server.logger.LoggingController`, `kafka.server.logger.RuntimeLoggerManager`.

mod level;
mod levels;
mod line;
mod logger;
#[cfg(test)]
pub(crate) mod testing;

pub use level::Level;
pub use levels::{LevelError, Levels};
pub use line::{LINE_MAX_BYTES, LogLine, NodeLog};
pub use logger::{File, Logger};
