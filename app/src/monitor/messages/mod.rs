//! Records as a person looks at them: what was read of a topic, and what is to be written. Data only.

pub mod decode;
pub mod export;
pub mod filter;
pub mod read;
pub mod time;
pub mod volume;

use std::sync::Arc;

use bytes::Bytes;

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Its timestamp, ms.
    pub timestamp_ms: i64,
    /// Whether the broker gave it its timestamp, and not the producer.
    pub is_log_append_time: bool,
    /// Key.
    pub key: Option<Bytes>,
    /// Value; `None`: a tombstone.
    pub value: Option<Bytes>,
    /// Headers, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Who wrote it; `None`: not an idempotent producer.
    pub producer_id: Option<i64>,
    /// Whether it is part of a transaction.
    pub is_transactional: bool,
    /// Codec of its batch.
    pub codec: &'static str,
    /// Leader epoch in which it was written; -1: not known.
    pub leader_epoch: i32,
}

impl Message {
    /// Bytes of key, value and headers.
    pub fn size_bytes(&self) -> usize {
        let len = |field: &Option<Bytes>| field.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + len(value)).sum();
        len(&self.key) + len(&self.value) + headers
    }
}

/// Which records are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isolation {
    /// All up to the high watermark.
    #[default]
    Uncommitted,
    /// Without those of transactions that are open or were aborted.
    Committed,
}

/// A record to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// Key.
    pub key: Option<Bytes>,
    /// Value; `None`: a tombstone.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Timestamp; `None`: now.
    pub timestamp_ms: Option<i64>,
}

/// A record to test with.
#[cfg(test)]
pub fn test_message(value: &[u8]) -> Message {
    Message {
        topic: "t".into(),
        partition: 0,
        offset: 0,
        timestamp_ms: 1_790_000_000_000,
        is_log_append_time: false,
        key: None,
        value: Some(value.to_vec().into()),
        headers: Vec::new(),
        producer_id: None,
        is_transactional: false,
        codec: "none",
        leader_epoch: 0,
    }
}
