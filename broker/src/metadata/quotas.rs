//! Client quotas as such: whom there can be quotas for, which keys those have, and in which order Kafka tells of them.
//!
//! KIP-13, KIP-55, KIP-124, KIP-546, KIP-599, KIP-612. Source: `org.apache.kafka.server.config.QuotaConfig`,
//! `org.apache.kafka.common.quota.ClientQuotaEntity`.

use super::image::ClientQuotaEntity;
use crate::types::java_hash;

/// Entity type of a user (a principal's name).
pub const USER: &str = "user";
/// Entity type of a client id.
pub const CLIENT_ID: &str = "client-id";
/// Entity type of an address.
pub const IP: &str = "ip";

/// Bytes per second that a client may produce to a broker.
pub const PRODUCER_BYTE_RATE: &str = "producer_byte_rate";
/// Bytes per second that a client may fetch from a broker.
pub const CONSUMER_BYTE_RATE: &str = "consumer_byte_rate";
/// Percent of a thread's time that a client's requests may take.
pub const REQUEST_PERCENTAGE: &str = "request_percentage";
/// Partitions per second that a client may create or delete.
pub const CONTROLLER_MUTATION_RATE: &str = "controller_mutation_rate";
/// Connections per second that an address may open to a broker.
pub const CONNECTION_CREATION_RATE: &str = "connection_creation_rate";

/// What a quota's value can be; all are told as doubles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuotaType {
    /// Any.
    Double,
    /// Whole, 64 bits.
    Long,
    /// Whole, 32 bits.
    Int,
}

/// The type of a key of users and client ids, or of addresses (`of_ip`); `None`: they have no such key.
pub fn quota_type(of_ip: bool, key: &str) -> Option<QuotaType> {
    match (of_ip, key) {
        (false, PRODUCER_BYTE_RATE | CONSUMER_BYTE_RATE) => Some(QuotaType::Long),
        (false, REQUEST_PERCENTAGE | CONTROLLER_MUTATION_RATE) => Some(QuotaType::Double),
        (true, CONNECTION_CREATION_RATE) => Some(QuotaType::Int),
        _ => None,
    }
}

/// In the order in which Java's `HashMap`, made for `capacity` entries, gives what was put into it in this order. What Kafka tells first,
/// such as the first error, depends on it.
pub fn java_order<T>(entries: Vec<T>, capacity: usize, hash: impl Fn(&T) -> i32) -> Vec<T> {
    let mut buckets = capacity.next_power_of_two();
    while buckets * 3 / 4 < entries.len() {
        buckets *= 2;
    }
    let mut ordered = entries;
    ordered.sort_by_cached_key(|entry| {
        let hash = hash(entry).cast_unsigned();
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
    ordered
}

/// `ClientQuotaEntity.hashCode` of Java.
pub fn entity_hash(entity: &ClientQuotaEntity) -> i32 {
    let part = |(kind, name): &(String, Option<String>)| java_hash(kind) ^ name.as_deref().map_or(0, java_hash);
    entity.iter().map(part).fold(31, i32::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_those_of_java() {
        let order = |names: &[&'static str], capacity| java_order(names.to_vec(), capacity, |name| java_hash(name));
        let types = [USER, CLIENT_ID, IP];
        for capacity in [1, 2, 3] {
            assert_eq!(order(&types, capacity), [CLIENT_ID, USER, IP]);
        }
        assert_eq!(order(&types, 16), [IP, CLIENT_ID, USER]);
        let keys = [PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, REQUEST_PERCENTAGE, CONTROLLER_MUTATION_RATE, "x"];
        assert_eq!(
            order(&keys, 16),
            [REQUEST_PERCENTAGE, "x", PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, CONTROLLER_MUTATION_RATE]
        );
        let entity = vec![("client-id".to_owned(), Some("c".to_owned())), ("user".to_owned(), None)];
        assert_eq!(entity_hash(&entity), -1_900_538_328);
    }

    #[test]
    fn keys_are_those_of_their_entities() {
        assert_eq!(quota_type(false, PRODUCER_BYTE_RATE), Some(QuotaType::Long));
        assert_eq!(quota_type(false, REQUEST_PERCENTAGE), Some(QuotaType::Double));
        assert_eq!(quota_type(true, CONNECTION_CREATION_RATE), Some(QuotaType::Int));
        assert_eq!(quota_type(true, PRODUCER_BYTE_RATE), None);
        assert_eq!(quota_type(false, CONNECTION_CREATION_RATE), None);
    }
}
