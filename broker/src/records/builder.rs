//! Makes batches: for coordinators, the metadata log, workloads and tests. What producers send is never rebuilt.

use bytes::{BufMut, Bytes, BytesMut};

use super::batch::{self, BatchHeader, CONTROL_FLAG, HEADER_BYTES, LENGTH_PREFIX_BYTES, TRANSACTIONAL_FLAG};
use super::varint::{varint_size_bytes, varlong_size_bytes, write_varint, write_varlong};
use super::{Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, compress_at};

/// Collects records and makes one batch of them.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    compression: Compression,
    level: Option<i32>,
    records: BytesMut,
}

impl BatchBuilder {
    /// An empty batch that starts at `base_offset`; no leader epoch, no producer.
    pub fn new(base_offset: i64, compression: Compression) -> BatchBuilder {
        let header = BatchHeader {
            base_offset,
            batch_length: 0,
            partition_leader_epoch: -1,
            crc: 0,
            attributes: i16::from(compression.id()),
            last_offset_delta: 0,
            base_timestamp: -1,
            max_timestamp: -1,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            record_count: 0,
        };
        BatchBuilder { header, compression, level: None, records: BytesMut::new() }
    }

    /// Compresses at this level, where the codec has levels.
    #[must_use]
    pub fn level(mut self, level: Option<i32>) -> BatchBuilder {
        self.level = level;
        self
    }

    /// Sets the leader epoch.
    #[must_use]
    pub fn leader_epoch(mut self, epoch: i32) -> BatchBuilder {
        self.header.partition_leader_epoch = epoch;
        self
    }

    /// Sets producer id, its epoch and the sequence number of the first record.
    #[must_use]
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> BatchBuilder {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes it a batch of control records (see [`super::control`]).
    #[must_use]
    pub fn control(mut self, control: bool) -> BatchBuilder {
        self.set_flag(CONTROL_FLAG, control);
        self
    }

    /// Makes it part of a transaction.
    #[must_use]
    pub fn transactional(mut self, transactional: bool) -> BatchBuilder {
        self.set_flag(TRANSACTIONAL_FLAG, transactional);
        self
    }

    fn set_flag(&mut self, flag: i16, on: bool) {
        self.header.attributes = if on { self.header.attributes | flag } else { self.header.attributes & !flag };
    }

    /// Adds a record.
    pub fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        if self.header.record_count == 0 {
            self.header.base_timestamp = timestamp_ms;
        }
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp_ms);
        let offset_delta = self.header.record_count;
        let timestamp_delta = timestamp_ms.wrapping_sub(self.header.base_timestamp);
        let mut size = 1 + varlong_size_bytes(timestamp_delta) + varint_size_bytes(offset_delta);
        size += field_size_bytes(key) + field_size_bytes(value) + varint_size_bytes(headers.len() as i32);
        size +=
            headers.iter().map(|(key, value)| field_size_bytes(Some(key)) + field_size_bytes(*value)).sum::<usize>();
        self.records.reserve(size + 5);
        let out = &mut self.records;
        write_varint(out, size as i32);
        out.put_u8(0);
        write_varlong(out, timestamp_delta);
        write_varint(out, offset_delta);
        write_field(out, key);
        write_field(out, value);
        write_varint(out, headers.len() as i32);
        for (key, value) in headers {
            write_field(out, Some(key));
            write_field(out, *value);
        }
        self.header.record_count += 1;
        self.header.last_offset_delta = offset_delta;
    }

    /// Records so far.
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// Bytes so far, before compression.
    pub fn size_bytes(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// The batch.
    pub fn build(self) -> Bytes {
        self.build_mut().freeze()
    }

    /// The batch, in a buffer that a log can patch.
    pub fn build_mut(self) -> BytesMut {
        let mut header = self.header;
        let body = match self.compression {
            Compression::None => self.records.to_vec(),
            compression => compress_at(compression, self.level, &self.records),
        };
        header.batch_length = (HEADER_BYTES - LENGTH_PREFIX_BYTES + body.len()) as i32;
        let mut out = BytesMut::with_capacity(HEADER_BYTES + body.len());
        let mut fixed = [0; HEADER_BYTES];
        header.write(&mut fixed);
        out.extend_from_slice(&fixed);
        out.extend_from_slice(&body);
        header.crc = batch::checksum(&out);
        header.write(&mut fixed);
        out[..HEADER_BYTES].copy_from_slice(&fixed);
        out
    }
}

fn field_size_bytes(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| varint_size_bytes(bytes.len() as i32) + bytes.len())
}

fn write_field(out: &mut BytesMut, field: Option<&[u8]>) {
    match field {
        None => write_varint(out, -1),
        Some(bytes) => {
            write_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}
