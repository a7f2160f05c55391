//! One instant as bytes: which parts of what is known changed since the instant before, and what they are now.

use std::collections::BTreeMap;
use std::io::Result;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use broker::recorded::invalid;
use broker::types::Id;

use super::columns::take_bytes;
use crate::monitor::inquiry::Query;

/// What a part is of.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The cluster's name, its sums, who comes and goes.
    Head,
    /// The controllers.
    Quorum,
    /// A broker.
    Broker(i32),
    /// A topic.
    Topic(Arc<str>),
    /// A group.
    Group(Arc<str>),
    /// The metadata's image, but for topics.
    Image,
    /// A topic of that image.
    ImageTopic(Id),
    /// A built-in workload.
    Workload(u64),
    /// Faults in force.
    Faults,
    /// Faults that are over.
    PastFaults,
    /// Scripts of faults.
    Scripts,
    /// What clients pushed.
    ClientMetrics,
    /// Alarms, and the level of metrics.
    Alarms,
    /// What happened to them.
    AlarmHistory,
    /// A group's generations.
    Play(Arc<str>),
    /// What the ledger says of a workload.
    Ledger(u64),
    /// Records of others that vanished.
    Vanished,
    /// What a node measured.
    Metrics(i32),
    /// A broker's connections.
    Connections(i32),
    /// How a group stands.
    Standing(Arc<str>),
    /// A group's lags in that second.
    Row(Arc<str>),
    /// What brokers were started with.
    Settings,
    /// An answer to what a screen asked.
    Answer(Query),
}

impl Key {
    /// Whether it is looked at once a second at most, and less often where there is much of it.
    pub fn is_slow(&self) -> bool {
        matches!(self, Key::Metrics(_) | Key::Connections(_) | Key::Standing(_) | Key::Row(_))
    }
}

/// What became of a part: its bytes, or nothing any more.
pub type Change = Option<Arc<[u8]>>;

/// One instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// Wall clock.
    pub at_ms: i64,
    /// Wall clock of its snapshot, which is older where nothing but measures is new.
    pub snapshot_ms: i64,
    /// The snapshot's number.
    pub sequence: u64,
    /// Something else than a measure changed: a leader, an ISR, a state.
    pub is_turn: bool,
    /// What changed.
    pub changes: BTreeMap<Key, Change>,
}

/// The fixed part of a frame.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// As [`Frame::at_ms`].
    pub at_ms: i64,
    /// As [`Frame::snapshot_ms`].
    pub snapshot_ms: i64,
    /// As [`Frame::sequence`].
    pub sequence: u64,
    /// As [`Frame::is_turn`].
    pub is_turn: bool,
    /// How many parts follow.
    pub changes: u32,
}

impl Frame {
    /// As bytes.
    ///
    /// # Errors
    /// A part is larger than 4 GB.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut out =
            Vec::with_capacity(64 + self.changes.values().flatten().map(|bytes| bytes.len() + 32).sum::<usize>());
        let changes = u32::try_from(self.changes.len()).map_err(|_| invalid("too many parts"))?;
        let &Frame { at_ms, snapshot_ms, sequence, is_turn, .. } = self;
        Head { at_ms, snapshot_ms, sequence, is_turn, changes }.serialize(&mut out)?;
        for (key, change) in &self.changes {
            key.serialize(&mut out)?;
            change.is_some().serialize(&mut out)?;
            if let Some(bytes) = change {
                u32::try_from(bytes.len()).map_err(|_| invalid("a part is too large"))?.serialize(&mut out)?;
                out.extend_from_slice(bytes);
            }
        }
        Ok(out)
    }
}

/// A frame that is read where it lies.
#[derive(Clone, Debug)]
pub struct Read<'b> {
    /// Its fixed part.
    pub head: Head,
    /// What changed, in the order of the keys.
    pub changes: Vec<(Key, Option<&'b [u8]>)>,
}

/// Reads a frame.
///
/// # Errors
/// It is something else.
pub fn read(mut bytes: &[u8]) -> Result<Read<'_>> {
    let bytes = &mut bytes;
    let head = Head::deserialize(bytes)?;
    let mut changes = Vec::new();
    for _ in 0..head.changes {
        let key = Key::deserialize(bytes)?;
        let change = match bool::deserialize(bytes)? {
            true => {
                let length = u32::deserialize(bytes)? as usize;
                Some(take_bytes(bytes, length)?)
            }
            false => None,
        };
        changes.push((key, change));
    }
    if bytes.is_empty() { Ok(Read { head, changes }) } else { Err(invalid("a frame is longer than it should be")) }
}

/// The frames that stand one behind the other, each after its length.
pub fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Result<&[u8]>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let frame = u32::deserialize(&mut bytes).and_then(|length| take_bytes(&mut bytes, length as usize));
        if frame.is_err() {
            bytes = &[];
        }
        Some(frame)
    })
}

/// Adds a frame, after its length.
///
/// # Errors
/// It is larger than 4 GB.
pub fn append(out: &mut Vec<u8>, frame: &[u8]) -> Result<()> {
    u32::try_from(frame.len()).map_err(|_| invalid("a frame is too large"))?.serialize(out)?;
    out.extend_from_slice(frame);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        let part = |byte: u8| Some(Arc::from([byte; 3]));
        let changes = [(Key::Head, part(1)), (Key::Topic("t".into()), part(2)), (Key::Broker(3), None)].into();
        Frame { at_ms: 5, snapshot_ms: 4, sequence: 9, is_turn: true, changes }
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let frame = frame();
        let bytes = frame.encode().unwrap();
        let again = read(&bytes).unwrap();
        assert_eq!((again.head.at_ms, again.head.sequence, again.head.is_turn), (5, 9, true));
        let changes: BTreeMap<Key, Change> =
            again.changes.into_iter().map(|(key, change)| (key, change.map(Arc::from))).collect();
        assert_eq!(changes, frame.changes);
        let mut all = Vec::new();
        append(&mut all, &bytes).unwrap();
        append(&mut all, &bytes).unwrap();
        assert_eq!(frames(&all).map(Result::unwrap).collect::<Vec<_>>(), [bytes.as_slice(), &bytes]);
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let bytes = frame().encode().unwrap();
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        assert_eq!(frames(&[9, 0, 0, 0, 1]).filter(Result::is_err).count(), 1);
    }
}
