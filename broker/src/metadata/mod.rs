//! The cluster as the metadata log tells it: records, the image that they add up to, and what changed. Pure.
//!
//! Knows records' bytes and plain types; knows nothing of who decides (controller) or who follows (server).

pub mod config;
pub mod connections;
pub mod delta;
mod difference;
pub mod image;
pub mod quotas;
pub mod record;
pub mod report;
mod report_cause;
mod report_members;
mod snapshot;
#[cfg(test)]
mod snapshot_tests;
#[cfg(test)]
mod tests;
mod wire;

pub use delta::{ApplyError, ImageDelta};
pub use record::MetadataRecord;
pub use snapshot::ImageRecords;
pub use wire::DecodeError;
