//! Which partition a key goes to. Pure: the client writes by it, and the window explains it.
//!
//! Sources: `BuiltInPartitioner.partitionForKey`, `Utils.murmur2` of Kafka's Java client; `rd_kafka_msg_partitioner_consistent_random` and
//! `rd_crc32` of librdkafka.

const SEED: u32 = 0x9747_b28c;
const MIX: u32 = 0x5bd1_e995;
/// Of the CRC-32 that zlib and Ethernet have, bits reversed.
const CRC_POLYNOMIAL: u32 = 0xedb8_8320;

/// The partition of a key in a topic of so many, as Kafka's Java client (and whoever follows it) chooses.
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    to_positive(murmur2(key)).checked_rem(partitions).unwrap_or(0)
}

/// The same as librdkafka chooses by default, for a key that is not empty: one that is goes anywhere.
pub fn partition_by_crc32(key: &[u8], partitions: i32) -> i32 {
    let partitions = u32::try_from(partitions).unwrap_or(0);
    crc32(key).checked_rem(partitions).map_or(0, |partition| partition as i32)
}

/// Kafka clears the sign instead of taking the absolute value.
pub fn to_positive(hash: i32) -> i32 {
    hash & 0x7fff_ffff
}

/// Kafka's hash of a key.
pub fn murmur2(data: &[u8]) -> i32 {
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(MIX);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MIX) ^ k.wrapping_mul(MIX);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    (hash ^ (hash >> 15)) as i32
}

/// librdkafka's hash of a key. Keys are short: no table is needed.
pub fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ if crc & 1 == 1 { CRC_POLYNOMIAL } else { 0 };
    !data.iter().fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `org.apache.kafka.common.utils.Utils.murmur2` of Kafka 4.3 answers.
    #[test]
    fn hashes_are_kafkas() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
        for (key, hash, of_6, of_12) in [
            ("order-1".as_bytes(), 1_221_710_326_i32, 4, 10),
            ("order-2".as_bytes(), -1_055_499_005, 3, 3),
            ("Grüße".as_bytes(), 1_190_824_359, 3, 3),
            ("日本".as_bytes(), -700_811_021, 3, 3),
            (b"k", -1_567_496_736, 2, 8),
            (b"ab", 316_155_434, 2, 2),
            (b"abcd", -1_323_649_548, 2, 8),
            (b"abcde", 461_995_741, 1, 1),
            (b"customer-4711", -371_840_612, 0, 0),
            (b"", 275_646_681, 3, 9),
            (&[0, 0, 0, 0, 0, 0, 0, 42], 506_863_552, 4, 4),
            (&[0xff, 0xfe, 0xfd], 998_637_092, 2, 8),
        ] {
            let found = (murmur2(key), partition_for_key(key, 6), partition_for_key(key, 12));
            assert_eq!(found, (hash, of_6, of_12), "{key:?}");
        }
        assert_eq!(partition_for_key(b"21", 6), (-973_932_308_i32 & 0x7fff_ffff) % 6);
        assert_eq!((partition_for_key(b"x", 0), partition_by_crc32(b"x", 0), partition_by_crc32(b"x", -1)), (0, 0, 0));
    }

    /// The check value that the catalogue of CRCs gives for CRC-32/ISO-HDLC, and two more of zlib's.
    #[test]
    fn the_other_hash_is_zlibs() {
        for (key, hash) in [("123456789", 0xcbf4_3926), ("", 0), ("a", 0xe8b7_be43)] {
            assert_eq!(crc32(key.as_bytes()), hash, "{key}");
        }
    }
}
