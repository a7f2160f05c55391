//! The few words that every room speaks: ids, time, and the epoch that orders everything. Knows no other room.

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Number of a broker (1, 2, …) or a controller (3000, 3001, …); -1 where Kafka says "none".
pub type NodeId = i32;

/// Kafka's "no node".
pub const NO_NODE: NodeId = -1;

/// Topic id, directory id, incarnation id: 128 random bits, printed as Kafka prints them (base64, URL-safe, no padding).
///
/// Source: `org.apache.kafka.common.Uuid`.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Id(pub [u8; 16]);

impl Id {
    /// All bits zero: Kafka's "no id".
    pub const ZERO: Id = Id([0; 16]);

    /// True for [`Id::ZERO`].
    pub fn is_zero(self) -> bool {
        self == Id::ZERO
    }

    /// A random id that is neither reserved nor printed with a leading dash (which command lines would take for an option).
    pub fn random(rng: &mut impl rand::RngCore) -> Id {
        loop {
            let mut bytes = [0u8; 16];
            rng.fill_bytes(&mut bytes);
            let id = Id(*uuid::Builder::from_random_bytes(bytes).as_uuid().as_bytes());
            let reserved = id.0[..15] == [0; 15] && id.0[15] <= 1;
            if !reserved && !id.to_string().starts_with('-') {
                return id;
            }
        }
    }
}

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        // 128 bits are 21 sextets and two bits over: the last character carries those two, then four zero bits.
        for sextet in 0..21 {
            let index = (bits >> (122 - 6 * sextet)) & 63;
            write!(f, "{}", char::from(BASE64_URL[index as usize]))?;
        }
        write!(f, "{}", char::from(BASE64_URL[((bits & 3) << 4) as usize]))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was given as an id is not 22 characters of URL-safe base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an id: 22 characters of URL-safe base64 are expected")]
pub struct InvalidId(pub String);

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Id, InvalidId> {
        let invalid = || InvalidId(text.chars().take(64).collect());
        // Padded whole or not at all, as Java's decoder has it.
        let text_bytes = text.strip_suffix("==").unwrap_or(text).as_bytes();
        if text_bytes.len() != 22 {
            return Err(invalid());
        }
        let mut bits: u128 = 0;
        for (index, byte) in text_bytes.iter().enumerate() {
            let sextet = BASE64_URL.iter().position(|c| c == byte).ok_or_else(invalid)? as u128;
            bits = if index < 21 { (bits << 6) | sextet } else { (bits << 2) | (sextet >> 4) };
        }
        Ok(Id(bits.to_be_bytes()))
    }
}

impl serde::Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A partition named as people name it.
#[derive(BorshSerialize, BorshDeserialize, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition index, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// `TopicPartition::new("orders", 3)` is `orders-3`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A partition named as the cluster names it: a topic that was deleted and made again has another id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicIdPartition {
    /// Topic id.
    pub topic_id: Id,
    /// Partition index, from 0.
    pub partition: i32,
}

/// The time that a state machine is told; it never asks for it.
///
/// `mono` orders events within one node and drives timers; `wall_ms` is what is written into records and shown to people,
/// and may jump (clock skew is one of the faults).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Time since an arbitrary start; never goes backwards.
    pub mono: Duration,
    /// Milliseconds since 1970-01-01 UTC.
    pub wall_ms: i64,
}

impl Now {
    /// The same instant, later by `by`, on both clocks.
    pub fn plus(self, by: Duration) -> Now {
        Now { mono: self.mono + by, wall_ms: self.wall_ms + by.as_millis() as i64 }
    }
}

/// `String.hashCode` of Java: over UTF-16 code units.
pub fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Partition of a coordinator's topic that holds a key (a group, a transactional id).
///
/// Source: `org.apache.kafka.common.utils.Utils.abs`, of which the one number without a positive twin becomes 0.
pub fn coordinator_partition(key: &str, partitions: i32) -> i32 {
    java_hash(key).checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn ids_print_as_kafka_prints_them() {
        // org.apache.kafka.common.Uuid: METADATA_TOPIC_ID and ZERO_UUID.
        assert_eq!(Id(1u128.to_be_bytes()).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Id::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
    }

    #[test]
    fn ids_survive_text() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(7);
        for _ in 0..1000 {
            let id = Id::random(&mut rng);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert!("short".parse::<Id>().is_err());
        assert!("AAAAAAAAAAAAAAAAAAAA*Q".parse::<Id>().is_err());
        assert_eq!("AAAAAAAAAAAAAAAAAAAAAQ==".parse(), Ok(Id(1u128.to_be_bytes())));
        for padding in ["=", "===", "===="] {
            assert!(format!("AAAAAAAAAAAAAAAAAAAAAQ{padding}").parse::<Id>().is_err(), "{padding}");
        }
    }
}
