//! Which partition a key goes to. Source: `BuiltInPartitioner.partitionForKey`, `Utils.murmur2`.

const SEED: u32 = 0x9747_b28c;
const MIX: u32 = 0x5bd1_e995;

/// The partition of a key in a topic of so many, as Kafka's Java client (and whoever follows it) chooses.
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    // Kafka clears the sign instead of taking the absolute value.
    ((murmur2(key) & 0x7fff_ffff) as i32).checked_rem(partitions).unwrap_or(0)
}

fn murmur2(data: &[u8]) -> u32 {
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
    hash ^ (hash >> 15)
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
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
        assert_eq!(partition_for_key(b"21", 6), (-973_932_308_i32 & 0x7fff_ffff) % 6);
        assert_eq!(partition_for_key(b"x", 0), 0);
    }
}
