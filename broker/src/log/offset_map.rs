//! The last offset of each key, in bounded memory: keys are known by a hash of 128 bits, and nothing is ever removed.
//!
//! Kafka hashes with MD5; here it is SipHash under two random keys, so that nobody can make two keys collide on purpose.
//! Source: `org.apache.kafka.storage.internals.log.SkimpyOffsetMap`.

use std::hash::{BuildHasher, RandomState};

/// A slot is a hash and an offset, as in Kafka.
pub(super) const ENTRY_BYTES: u64 = 24;
/// Probes that jump, before the search goes on from slot to slot.
const JUMPS: u64 = 16;

#[derive(Clone, Copy, Default, PartialEq)]
struct Slot {
    hash: [u64; 2],
    offset: i64,
}

impl Slot {
    fn is_empty(&self) -> bool {
        self.hash == [0; 2]
    }
}

/// See the module.
pub(super) struct OffsetMap {
    slots: Vec<Slot>,
    hashers: [RandomState; 2],
    entries: u64,
    max_entries: u64,
    /// Up to here the log is in the map; -1 if nothing is.
    pub(super) latest_offset: i64,
}

impl OffsetMap {
    /// A map of at most `memory_bytes` that holds `max_keys`, or what a fill of `load_factor` allows if that is less.
    pub(super) fn new(memory_bytes: u64, load_factor: f64, max_keys: u64) -> OffsetMap {
        let load_factor = if load_factor > 0.0 { load_factor.min(1.0) } else { 0.9 };
        let most = (memory_bytes / ENTRY_BYTES).max(2);
        let wanted = (max_keys as f64 / load_factor) as u64 + 2;
        let slots = most.min(wanted);
        OffsetMap {
            slots: vec![Slot::default(); slots as usize],
            hashers: [RandomState::new(), RandomState::new()],
            entries: 0,
            max_entries: ((slots as f64 * load_factor) as u64).clamp(1, slots - 1),
            latest_offset: -1,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries >= self.max_entries
    }

    /// How full it is, 0 to 1.
    pub(super) fn utilization(&self) -> f64 {
        self.entries as f64 / self.slots.len().max(1) as f64
    }

    #[cfg(test)]
    fn len(&self) -> u64 {
        self.entries
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        let [first, second] = &self.hashers;
        // Both zero means that a slot is empty.
        [first.hash_one(key) | 1, second.hash_one(key)]
    }

    /// The slot of that hash: its own, or the empty one where it belongs.
    fn slot_of(&self, hash: [u64; 2]) -> usize {
        let count = self.slots.len() as u64;
        let step = hash[0] >> 1;
        let mut at = hash[1] % count;
        for probe in 0.. {
            let slot = &self.slots[at as usize];
            if slot.is_empty() || slot.hash == hash {
                break;
            }
            at = if probe < JUMPS { at.wrapping_add(step) % count } else { (at + 1) % count };
        }
        at as usize
    }

    /// Notes that `key` was written at `offset`. False if the map is full, so that this record and all after it wait for the next round.
    pub(super) fn put(&mut self, key: &[u8], offset: i64) -> bool {
        if self.is_full() {
            return false;
        }
        let hash = self.hash(key);
        let at = self.slot_of(hash);
        self.entries += u64::from(self.slots[at].is_empty());
        self.slots[at] = Slot { hash, offset };
        self.latest_offset = offset;
        true
    }

    /// The last offset of `key` that is in the map.
    pub(super) fn get(&self, key: &[u8]) -> Option<i64> {
        let slot = &self.slots[self.slot_of(self.hash(key))];
        (!slot.is_empty()).then_some(slot.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn it_holds_what_was_put(keys in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 0..400), slots in 2..200u64) {
            let mut map = OffsetMap::new(slots * ENTRY_BYTES, 0.9, u64::MAX / 4);
            let mut model = HashMap::new();
            for (offset, key) in keys.iter().enumerate() {
                let had_room = !map.is_full();
                prop_assert_eq!(map.put(key, offset as i64), had_room);
                if had_room {
                    model.insert(key.clone(), offset as i64);
                    prop_assert_eq!(map.latest_offset, offset as i64);
                }
            }
            prop_assert_eq!(map.len(), model.len() as u64);
            prop_assert!(map.len() <= (slots as f64 * 0.9).max(1.0) as u64);
            for key in &keys {
                prop_assert_eq!(map.get(key), model.get(key).copied());
            }
            prop_assert_eq!(map.get(b"never put"), None);
        }
    }

    #[test]
    fn a_small_section_takes_little_memory() {
        assert!(OffsetMap::new(128 << 20, 0.9, 100).slots.len() < 120);
        assert_eq!(OffsetMap::new(128 << 20, 0.9, u64::MAX / 4).slots.len() as u64, (128 << 20) / ENTRY_BYTES);
    }
}
