//! Record batches in Kafka's format v2: parse, validate, build, compress. Pure: knows no disk, no clock and no other room.
//!
//! A batch travels through a node as the bytes that arrived. The header is read and patched in place; records are
//! decoded only where a search by timestamp, a coordinator or a test needs them, and then without trusting any count or size
//! that stands in the bytes.
//!
//! Source: `org.apache.kafka.common.record.DefaultRecordBatch`, `DefaultRecord`, `ControlRecordType`; KIP-98, KIP-82.

mod batch;
mod builder;
mod compress;
pub mod control;
mod convert;
mod error;
pub mod fields;
mod record;
pub mod rewrite;
pub mod varint;

#[cfg(test)]
mod tests;

pub use batch::{
    BatchHeader, Batches, HEADER_BYTES, LENGTH_PREFIX_BYTES, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    TimestampType, batches, next_sequence, set_base_offset, set_create_time, set_leader_epoch, set_log_append_time,
    validate, validate_all,
};
pub use builder::BatchBuilder;
pub use compress::{Compression, compress, compress_at, decompress};
pub use convert::{Codec, Converted, convert};
pub use error::BatchError;
pub use record::{Headers, Record, Records, records};
