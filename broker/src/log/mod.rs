//! One partition's log on disk: segments, indexes, epochs, producers, recovery, retention; and the directory that holds many.
//!
//! Knows bytes, offsets and epochs; knows no replica, no protocol and no clock. All files are Kafka's, byte for byte.
//!
//! Source: `org.apache.kafka.storage.internals.log.UnifiedLog`, `LocalLog`, `LogLoader`, `LogManager`.

mod append;
mod checkpoint;
mod cleaned_txns;
mod cleaning;
mod config;
mod contents;
pub mod disk;
mod epochs;
mod error;
mod files;
mod future;
mod index;
mod lines;
mod log_cleaner;
mod log_dir;
mod offset_map;
mod outline;
mod partition_log;
mod producers;
mod read;
mod real_disk;
mod recovery;
mod scrub;
mod segment;
mod sim_disk;
mod snapshot;
mod swap;
mod tails;
mod timestamps;
mod transactions;
mod truncate;
mod validate;
mod verification;

#[cfg(test)]
mod tests;

pub use append::{AppendInfo, AppendOrigin, AppendRules, Conversion};
pub use checkpoint::MetaProperties;
pub use cleaning::CleaningStats;
pub use config::LogConfig;
pub use contents::Contents;
pub use epochs::{LeaderEpochs, UNDEFINED_EPOCH, UNDEFINED_OFFSET};
pub use error::{Flaw, LogError};
pub use files::{LogFiles, LogReader};
pub use future::has_future_name;
pub use log_cleaner::{CleanerConfig, CleanerGauges, CleaningOutcome};
pub use log_dir::LogDir;
pub use outline::{BatchOutline, LogOutline, Marker, RecordOutline, SegmentOutline, Window};
pub use partition_log::Log;
pub use producers::{ProducerBatch, ProducerState, ProducerStates};
pub use read::FetchedRecords;
pub use real_disk::RealDisk;
pub use recovery::Recovery;
pub use scrub::{Finding, Scrub};
pub use sim_disk::SimDisk;
pub use timestamps::TimestampedOffset;
pub use transactions::AbortedTxn;
pub use validate::RejectedRecords;
pub use verification::{TransactionCheck, VerificationGuard};
