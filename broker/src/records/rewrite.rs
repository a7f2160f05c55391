//! Batches as compaction rewrites them: fewer records, the same offsets.
//!
//! A batch keeps its base offset, its last offset and its sequence number whatever becomes of its records. Tombstones get a time at
//! which they may go (the delete horizon, KIP-534): it stands in the place of the base timestamp, with a bit in the attributes to say so.
//! Source: `MemoryRecords.filterTo`, `DefaultRecordBatch.writeEmptyHeader`.

use std::borrow::Cow;

use bytes::BytesMut;

use super::batch::{self, BatchHeader, COMPRESSION_MASK, DELETE_HORIZON_FLAG, HEADER_BYTES, LENGTH_PREFIX_BYTES};
use super::varint::{read_varint, read_varlong, varlong_size_bytes, write_varint, write_varlong};
use super::{BatchError, Compression, TimestampType, compress, decompress};

/// A record, as far as compaction looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its timestamp, as its own delta tells it.
    pub timestamp_ms: i64,
    /// Key, if any.
    pub key: Option<&'a [u8]>,
    /// Whether it has a value: a tombstone has none.
    pub has_value: bool,
    attributes: u8,
    /// What follows the timestamp delta.
    rest: &'a [u8],
    /// All of it, with its length.
    whole: &'a [u8],
}

/// A batch's records, unpacked.
pub struct Unpacked<'a> {
    header: BatchHeader,
    body: Cow<'a, [u8]>,
}

/// Unpacks the records of one whole batch (see [`super::validate`]) to at most `max_decompressed_bytes`.
pub fn unpack(batch: &[u8], max_decompressed_bytes: usize) -> Result<Unpacked<'_>, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let Some(body) = batch.get(HEADER_BYTES..header.size_bytes()) else {
        return Err(BatchError::Incomplete { needed: header.size_bytes(), have: batch.len() });
    };
    let body = match header.compression()? {
        Compression::None => Cow::Borrowed(body),
        compression => Cow::Owned(decompress(compression, body, max_decompressed_bytes)?),
    };
    Ok(Unpacked { header, body })
}

impl Unpacked<'_> {
    /// The records, in order; ends after the first error.
    pub fn records(&self) -> RawRecords<'_> {
        RawRecords { header: &self.header, rest: &self.body, left: self.header.record_count }
    }
}

/// See [`Unpacked::records`].
pub struct RawRecords<'a> {
    header: &'a BatchHeader,
    rest: &'a [u8],
    left: i32,
}

impl<'a> Iterator for RawRecords<'a> {
    type Item = Result<RawRecord<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            if self.left == 0 && !self.rest.is_empty() {
                self.left = -1;
                return Some(Err(BatchError::Invalid("bytes follow the last record of a batch")));
            }
            return None;
        }
        let record = self.decode();
        self.left = if record.is_ok() { self.left - 1 } else { -1 };
        Some(record)
    }
}

impl<'a> RawRecords<'a> {
    fn decode(&mut self) -> Result<RawRecord<'a>, BatchError> {
        let all = self.rest;
        let mut rest = all;
        let size = read_varint(&mut rest)?;
        let taken = usize::try_from(size).ok().and_then(|size| rest.split_at_checked(size));
        let Some((bytes, after)) = taken else {
            return Err(BatchError::Incomplete { needed: size.max(0) as usize, have: rest.len() });
        };
        let Some((&attributes, mut rest)) = bytes.split_first() else {
            return Err(BatchError::Invalid("a record is empty"));
        };
        let timestamp_delta = read_varlong(&mut rest)?;
        let after_timestamp = rest;
        let offset_delta = read_varint(&mut rest)?;
        if offset_delta < 0 || offset_delta > self.header.last_offset_delta {
            return Err(BatchError::Invalid("a record's offset lies outside its batch"));
        }
        let key = field(&mut rest)?;
        let has_value = field(&mut rest)?.is_some();
        self.rest = after;
        Ok(RawRecord {
            offset: self.header.base_offset + i64::from(offset_delta),
            timestamp_ms: self.header.base_timestamp.wrapping_add(timestamp_delta),
            key,
            has_value,
            attributes,
            rest: after_timestamp,
            whole: &all[..all.len() - after.len()],
        })
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, BatchError> {
    let size = read_varint(rest)?;
    if size == -1 {
        return Ok(None);
    }
    let Some((field, after)) = usize::try_from(size).ok().and_then(|size| rest.split_at_checked(size)) else {
        return Err(BatchError::Incomplete { needed: size.max(0) as usize, have: rest.len() });
    };
    *rest = after;
    Ok(Some(field))
}

/// The batch of `header` with these of its records only, packed as it was. `new_delete_horizon_ms`: its tombstones may go then.
pub fn with_records(header: &BatchHeader, records: &[RawRecord<'_>], new_delete_horizon_ms: Option<i64>) -> BytesMut {
    let mut header = *header;
    let mut body = BytesMut::with_capacity(records.iter().map(|record| record.whole.len() + 8).sum());
    if let Some(horizon) = new_delete_horizon_ms {
        header.attributes |= DELETE_HORIZON_FLAG;
        header.base_timestamp = horizon;
        for record in records {
            let delta = record.timestamp_ms.wrapping_sub(horizon);
            write_varint(&mut body, (1 + varlong_size_bytes(delta) + record.rest.len()) as i32);
            body.extend_from_slice(&[record.attributes]);
            write_varlong(&mut body, delta);
            body.extend_from_slice(record.rest);
        }
    } else {
        // Offsets and timestamps are told against the header, which keeps both bases.
        records.iter().for_each(|record| body.extend_from_slice(record.whole));
    }
    if header.timestamp_type() == TimestampType::CreateTime {
        header.max_timestamp = records.iter().map(|record| record.timestamp_ms).max().unwrap_or(-1);
    }
    header.record_count = records.len() as i32;
    match header.compression() {
        Ok(Compression::None) | Err(_) => finish(header, &body),
        Ok(compression) => finish(header, &compress(compression, &body)),
    }
}

/// The batch of `header` without any record: what is left to tell offsets, and a producer's last sequence number or epoch.
pub fn without_records(header: &BatchHeader) -> BytesMut {
    let mut header = *header;
    header.attributes &= !(COMPRESSION_MASK | DELETE_HORIZON_FLAG);
    (header.base_timestamp, header.record_count) = (-1, 0);
    finish(header, &[])
}

fn finish(mut header: BatchHeader, body: &[u8]) -> BytesMut {
    header.batch_length = (HEADER_BYTES - LENGTH_PREFIX_BYTES + body.len()) as i32;
    let mut out = BytesMut::with_capacity(HEADER_BYTES + body.len());
    let mut fixed = [0; HEADER_BYTES];
    header.write(&mut fixed);
    out.extend_from_slice(&fixed);
    out.extend_from_slice(body);
    header.crc = batch::checksum(&out);
    header.write(&mut fixed);
    out[..HEADER_BYTES].copy_from_slice(&fixed);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{BatchBuilder, records, set_base_offset, validate};
    use proptest::prelude::*;

    type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..30));
        prop::collection::vec((0..4_000_000_000_000i64, bytes(), bytes()), 1..12)
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_was(rows in rows(), keep: u16, codec in 0..5usize, horizon in prop::option::of(0..5_000_000_000_000i64)) {
            let compression = Compression::ALL[codec];
            let mut builder = BatchBuilder::new(0, compression).leader_epoch(3).producer(9, 2, 17);
            for (timestamp, key, value) in &rows {
                builder.push(*timestamp, key.as_deref(), value.as_deref(), &[(b"h", Some(b"x"))]);
            }
            let mut batch = builder.build_mut();
            set_base_offset(&mut batch, 1000);
            let header = validate(&batch).unwrap();
            let unpacked = unpack(&batch, 1 << 20).unwrap();
            let raw: Vec<_> = unpacked.records().map(Result::unwrap).collect();
            prop_assert_eq!(raw.len(), rows.len());
            let is_kept = |offset: i64| keep >> (offset - 1000) & 1 == 1;
            let kept: Vec<_> = raw.into_iter().filter(|record| is_kept(record.offset)).collect();
            let rewritten = with_records(&header, &kept, horizon);
            let after = validate(&rewritten).unwrap();
            prop_assert_eq!(after.delete_horizon_ms(), horizon);
            prop_assert_eq!((after.base_offset, after.last_offset(), after.last_sequence()), (1000, header.last_offset(), header.last_sequence()));
            prop_assert_eq!((after.partition_leader_epoch, after.compression().unwrap()), (3, compression));
            let expected: Vec<_> = records(&batch, 1 << 20).unwrap().map(Result::unwrap).filter(|record| is_kept(record.offset)).collect();
            let found: Vec<_> = records(&rewritten, 1 << 20).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(after.max_timestamp, kept.iter().map(|record| record.timestamp_ms).max().unwrap_or(-1));
            let empty = without_records(&header);
            let after = validate(&empty).unwrap();
            prop_assert_eq!((empty.len(), after.record_count, after.last_offset()), (HEADER_BYTES, 0, header.last_offset()));
            prop_assert_eq!((after.producer_id, after.producer_epoch, after.last_sequence()), (9, 2, header.last_sequence()));
            prop_assert_eq!((after.max_timestamp, after.base_timestamp), (header.max_timestamp, -1));
        }

        #[test]
        fn hostile_bodies_do_not_panic(body: Vec<u8>, count in 0..20i32) {
            let mut builder = BatchBuilder::new(0, Compression::None);
            (0..count).for_each(|_| builder.push(1, None, None, &[]));
            let header = BatchHeader::parse(&builder.build_mut()).unwrap();
            let batch = finish(header, &body);
            let _ = unpack(&batch, 100).unwrap().records().count();
        }
    }
}
