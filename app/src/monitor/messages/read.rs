//! Reading a topic for somebody who looks: from where, what of it, and what was found so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decode::{Codecs, Decoders};
use super::filter::Filters;
use super::{Isolation, Message};

/// Records kept of one reading; what is read on beyond that takes the place of the oldest.
pub const MESSAGES_MAX: usize = 2_000;
/// Their bytes.
pub const BYTES_MAX: usize = 64 << 20;
/// By how much a record may be written too late and still be found by its time.
pub const LATE_MS: i64 = 60_000;

/// From where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// So many of the newest records, over all partitions.
    Newest(u32),
    /// The first that are left.
    Beginning,
    /// What is written from now on.
    End,
    /// This offset.
    Offset(i64),
    /// The first record at or after this time.
    Since(i64),
    /// Where an earlier reading ended, by partition.
    Offsets(BTreeMap<i32, i64>),
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadWish {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition; `None`: all.
    pub partition: Option<i32>,
    /// From where.
    pub start: Start,
    /// Which records.
    pub isolation: Isolation,
    /// Records of this time and later are left out. Timestamps need not grow with offsets: read is up to the first record that is [`LATE_MS`] later.
    pub until_ms: Option<i64>,
    /// What lets a record pass.
    pub filter: Filters,
    /// What keys and values are.
    pub decoders: Decoders,
    /// Of each key only the newest record.
    pub latest_per_key: bool,
    /// Whether to go on with what is written from then on.
    pub follow: bool,
}

impl ReadWish {
    /// All records of a topic from there on.
    pub fn new(topic: Arc<str>, start: Start) -> ReadWish {
        ReadWish {
            topic,
            partition: None,
            start,
            isolation: Isolation::default(),
            until_ms: None,
            filter: Filters::default(),
            decoders: Decoders::default(),
            latest_per_key: false,
            follow: false,
        }
    }

    /// Whether a record of this time is wanted. Without an end, all are from where reading begins: a timestamp that is out of order hides none.
    pub fn is_in_time(&self, timestamp_ms: i64) -> bool {
        let Some(until_ms) = self.until_ms else { return true };
        let is_late_enough = !matches!(self.start, Start::Since(since_ms) if timestamp_ms < since_ms);
        is_late_enough && timestamp_ms < until_ms
    }
}

/// A record that was found, with what a table shows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The record.
    pub message: Message,
    /// Its key on one line, where it is no text.
    pub key_line: Option<String>,
    /// Its value on one line, where it is no text.
    pub value_line: Option<String>,
}

impl Seen {
    /// With lines as `codecs` make them.
    pub fn new(message: Message, codecs: &Codecs) -> Seen {
        let (key_line, value_line) = codecs.lines(&message.topic, message.key.as_deref(), message.value.as_deref());
        Seen { message, key_line, value_line }
    }
}

impl std::ops::Deref for Seen {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReadState {
    /// Nobody asked.
    #[default]
    Idle,
    /// At work.
    Reading,
    /// At the end, and waiting for more.
    Following,
    /// At the end.
    Done,
    /// As many were found as are kept: there are more.
    Full,
    /// It cannot go on; one sentence.
    Failed(String),
}

/// What was found so far.
#[derive(Clone, Debug, Default)]
pub struct MessagesView {
    /// What was asked for.
    pub wish: Option<Arc<ReadWish>>,
    /// How far it is.
    pub state: ReadState,
    /// What was found, in the order in which it was read.
    pub found: Arc<Vec<Arc<Seen>>>,
    /// Records looked at.
    pub scanned: u64,
    /// Records that passed and are kept no longer: newer ones have their place.
    pub dropped: u64,
    /// How what was found is decoded.
    pub codecs: Option<Arc<Codecs>>,
    /// Partitions without a leader, of which nothing can be read.
    pub leaderless: Arc<[i32]>,
    /// Where each partition is to be gone on from.
    pub next_offsets: Arc<BTreeMap<i32, i64>>,
    /// Grows with each change.
    pub generation: u64,
}

impl MessagesView {
    /// Whether a thread is at work on it.
    pub fn is_under_way(&self) -> bool {
        matches!(self.state, ReadState::Reading | ReadState::Following)
    }
}
