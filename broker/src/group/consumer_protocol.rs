//! What consumers put into subscriptions and assignments. The coordinator needs it only to know which topics a group still reads and to
//! show who has what; a blob that is not in this format is left alone.
//!
//! Source: `org.apache.kafka.clients.consumer.internals.ConsumerProtocol`. Like Kafka's coordinator we read the fields of version 0,
//! with which every later version begins.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::types::TopicPartition;

/// `ConsumerProtocol.PROTOCOL_TYPE`
pub(super) const PROTOCOL_TYPE: &str = "consumer";

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
    let topics = input.i32()?;
    let mut partitions = Vec::new();
    for _ in 0..topics.max(0) {
        let topic: Arc<str> = input.string()?.into();
        let count = input.i32()?;
        for _ in 0..count.max(0) {
            let partition = input.i32()?;
            if partitions.len() >= MAX_PARTITIONS {
                return None;
            }
            partitions.push(TopicPartition { topic: topic.clone(), partition });
        }
    }
    Some(partitions)
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
