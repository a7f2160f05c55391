//! What consumers put into subscriptions and assignments. The coordinator needs it only to know which topics a group still reads and to
//! show who has what; a blob that is not in this format is left alone.
//!
//! Source: `org.apache.kafka.clients.consumer.internals.ConsumerProtocol`. Like Kafka's coordinator we read the fields of version 0,
//! with which every later version begins; all of them where a group changes between the protocols.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::types::TopicPartition;

/// `ConsumerProtocol.PROTOCOL_TYPE`
pub(super) const PROTOCOL_TYPE: &str = "consumer";

/// Newest version of subscriptions and assignments.
const MAX_VERSION: i16 = 3;

/// Partitions shown per member at most; the cluster itself holds fewer.
const MAX_PARTITIONS: usize = 20_000;

/// Topics that a subscription names; `None` where it is not one.
pub(super) fn subscribed_topics(blob: &[u8]) -> Option<BTreeSet<String>> {
    let mut input = Input(blob);
    if input.i16()? < 0 {
        return None;
    }
    let count = input.i32()?;
    let mut topics = BTreeSet::new();
    for _ in 0..count.max(0) {
        topics.insert(input.string()?.to_owned());
    }
    Some(topics)
}

/// Partitions that an assignment names; `None` where it is not one. An empty blob is an empty assignment.
pub(super) fn assigned_partitions(blob: &[u8]) -> Option<Vec<TopicPartition>> {
    if blob.is_empty() {
        return Some(Vec::new());
    }
    let mut input = Input(blob);
    if input.i16()? < 0 {
        return None;
    }
    input.partitions()
}

/// A subscription in full.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Subscription {
    /// Topics that the member names.
    pub(super) topics: BTreeSet<Arc<str>>,
    /// Partitions that it has (version 1).
    pub(super) owned: Vec<TopicPartition>,
    /// Its rack (version 3).
    pub(super) rack_id: Option<String>,
}

/// An assignment in full.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Assigned {
    /// Its partitions.
    pub(super) partitions: Vec<TopicPartition>,
    /// What an assignor keeps with it.
    pub(super) user_data: Vec<u8>,
}

/// Version of a blob.
pub(super) fn version(blob: &[u8]) -> Option<i16> {
    Input(blob).i16().filter(|version| *version >= 0)
}

/// Reads a subscription; `None` where it is not one.
pub(super) fn subscription(blob: &[u8]) -> Option<Subscription> {
    let mut input = Input(blob);
    let version = input.i16().filter(|version| *version >= 0)?;
    let mut subscription = Subscription::default();
    for _ in 0..input.i32()?.max(0) {
        subscription.topics.insert(input.string()?.into());
    }
    input.blob()?;
    if version >= 1 {
        subscription.owned = input.partitions()?;
    }
    if version >= 2 {
        input.i32()?;
    }
    if version >= 3 {
        subscription.rack_id = input.nullable_string()?.map(str::to_owned);
    }
    Some(subscription)
}

/// Reads an assignment; `None` where it is not one. An empty blob is an empty assignment.
pub(super) fn assignment(blob: &[u8]) -> Option<Assigned> {
    if blob.is_empty() {
        return Some(Assigned::default());
    }
    let mut input = Input(blob);
    input.i16().filter(|version| *version >= 0)?;
    Some(Assigned { partitions: input.partitions()?, user_data: input.blob()?.unwrap_or_default().to_vec() })
}

/// An assignment as members read it; all versions are alike.
pub(super) fn serialize_assignment<'a>(
    version: i16,
    topics: impl Iterator<Item = (&'a Arc<str>, &'a BTreeSet<i32>)>,
) -> Bytes {
    let mut out = BytesMut::new();
    // Versions that we do not know are written as the newest that we do.
    out.put_i16(version.min(MAX_VERSION));
    let topics: Vec<_> = topics.collect();
    out.put_i32(i32::try_from(topics.len()).unwrap_or(0));
    for (topic, partitions) in topics {
        out.put_i16(i16::try_from(topic.len()).unwrap_or(0));
        out.put_slice(topic.as_bytes());
        out.put_i32(i32::try_from(partitions.len()).unwrap_or(0));
        partitions.iter().for_each(|partition| out.put_i32(*partition));
    }
    out.put_i32(-1);
    out.freeze()
}

/// Bytes not yet read. Each read takes what it needs or gives up; nothing is allocated by a claimed length.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    /// An int32 length and so many bytes; -1 is none.
    fn blob(&mut self) -> Option<Option<&'a [u8]>> {
        let Ok(length) = usize::try_from(self.i32()?) else { return Some(None) };
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(head))
    }

    fn partitions(&mut self) -> Option<Vec<TopicPartition>> {
        let mut partitions = Vec::new();
        for _ in 0..self.i32()?.max(0) {
            let topic: Arc<str> = self.string()?.into();
            for _ in 0..self.i32()?.max(0) {
                let partition = self.i32()?;
                if partitions.len() >= MAX_PARTITIONS {
                    return None;
                }
                partitions.push(TopicPartition { topic: topic.clone(), partition });
            }
        }
        Some(partitions)
    }

    fn nullable_string(&mut self) -> Option<Option<&'a str>> {
        let (length, rest) = self.0.split_first_chunk::<2>()?;
        if i16::from_be_bytes(*length) < 0 {
            self.0 = rest;
            return Some(None);
        }
        self.string().map(Some)
    }

    fn string(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.i16()?).ok()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_java_clients_write() {
        // Subscription v1 of ["a", "bc"], null user data, no owned partitions.
        let subscription = [0, 1, 0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c', 255, 255, 255, 255, 0, 0, 0, 0];
        assert_eq!(subscribed_topics(&subscription), Some(BTreeSet::from(["a".to_owned(), "bc".to_owned()])));
        // Assignment v0 of a-0, a-2.
        let assignment = [0, 0, 0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 255, 255, 255, 255];
        assert_eq!(
            assigned_partitions(&assignment),
            Some(vec![TopicPartition::new("a", 0), TopicPartition::new("a", 2)])
        );
        assert_eq!(assigned_partitions(b""), Some(Vec::new()));
    }

    #[test]
    fn refuses_what_claims_more_than_it_has() {
        assert_eq!(subscribed_topics(&[0, 0, 127, 255, 255, 255]), None);
        assert_eq!(assigned_partitions(&[0, 0, 0, 0, 0, 1, 0, 1, b'a', 127, 255, 255, 255]), None);
        assert_eq!(assigned_partitions(&[255, 255, 0, 0, 0, 0]), None);
        assert_eq!(subscribed_topics(&[0, 0, 0, 0, 0, 1, 255, 255]), None);
        assert_eq!(subscribed_topics(&[0, 0, 0, 0, 0, 1, 0, 1, 0xff]), None);
    }

    proptest! {
        #[test]
        fn survives_any_bytes(blob in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = subscribed_topics(&blob);
            let _ = assigned_partitions(&blob);
        }
    }
}
