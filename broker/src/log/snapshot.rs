//! Producer snapshots: what [`super::producers`] knew when the log ended at the offset in the file's name.
//!
//! Source: `ProducerSnapshot.json`, version 1.

use bytes::BufMut;

use super::producers::{ProducerBatch, SnapshotEntry};

const VERSION: i16 = 1;
/// Version and checksum; the checksum covers what follows them.
const HEADER_BYTES: usize = 6;
const ENTRY_BYTES: usize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;

pub(super) fn encode(entries: &[SnapshotEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + 4 + entries.len() * ENTRY_BYTES);
    out.put_i16(VERSION);
    out.put_u32(0);
    out.put_i32(entries.len() as i32);
    for entry in entries {
        out.put_i64(entry.producer_id);
        out.put_i16(entry.epoch);
        out.put_i32(entry.batch.last_sequence);
        out.put_i64(entry.batch.last_offset);
        out.put_i32(entry.batch.offset_delta);
        out.put_i64(entry.batch.timestamp_ms);
        out.put_i32(entry.coordinator_epoch);
        out.put_i64(entry.current_txn_first_offset);
    }
    let crc = crc_fast::crc32_iscsi(&out[HEADER_BYTES..]);
    out[2..HEADER_BYTES].copy_from_slice(&crc.to_be_bytes());
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<SnapshotEntry>, String> {
    let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err("shorter than its header".to_owned());
    };
    let version = i16::from_be_bytes([header[0], header[1]]);
    if version != VERSION {
        return Err(format!("version {version} is not known"));
    }
    if u32::from_be_bytes([header[2], header[3], header[4], header[5]]) != crc_fast::crc32_iscsi(body) {
        return Err("the checksum does not fit".to_owned());
    }
    let Some((count, body)) = body.split_first_chunk::<4>() else {
        return Err("the number of producers is missing".to_owned());
    };
    let (entries, rest) = body.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() || i32::from_be_bytes(*count) as usize != entries.len() {
        return Err("its length does not fit the number of producers".to_owned());
    }
    Ok(entries.iter().map(decode_entry).collect())
}

fn decode_entry(bytes: &[u8; ENTRY_BYTES]) -> SnapshotEntry {
    fn field<const N: usize>(bytes: &[u8; ENTRY_BYTES], at: usize) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&bytes[at..at + N]);
        field
    }
    SnapshotEntry {
        producer_id: i64::from_be_bytes(field(bytes, 0)),
        epoch: i16::from_be_bytes(field(bytes, 8)),
        batch: ProducerBatch {
            last_sequence: i32::from_be_bytes(field(bytes, 10)),
            last_offset: i64::from_be_bytes(field(bytes, 14)),
            offset_delta: i32::from_be_bytes(field(bytes, 22)),
            timestamp_ms: i64::from_be_bytes(field(bytes, 26)),
        },
        coordinator_epoch: i32::from_be_bytes(field(bytes, 34)),
        current_txn_first_offset: i64::from_be_bytes(field(bytes, 38)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = SnapshotEntry> {
        let batch = (any::<i32>(), any::<i64>(), any::<i32>(), any::<i64>());
        (any::<i64>(), any::<i16>(), batch, any::<i32>(), any::<i64>()).prop_map(
            |(producer_id, epoch, batch, coordinator, first)| {
                let (last_sequence, last_offset, offset_delta, timestamp_ms) = batch;
                SnapshotEntry {
                    producer_id,
                    epoch,
                    batch: ProducerBatch { last_sequence, last_offset, offset_delta, timestamp_ms },
                    coordinator_epoch: coordinator,
                    current_txn_first_offset: first,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn snapshots_survive_and_damage_is_seen(entries in prop::collection::vec(entry(), 0..8), at: prop::sample::Index, flip in 1..=255u8) {
            let bytes = encode(&entries);
            prop_assert_eq!(decode(&bytes), Ok(entries));
            let mut damaged = bytes.clone();
            damaged[at.index(bytes.len())] ^= flip;
            prop_assert!(decode(&damaged).is_err());
            prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
        }
    }
}
