//! The records inside a batch. Nothing is allocated per record: keys, values and headers are slices of one body.

use bytes::Bytes;

use super::varint::{read_varint, read_varlong};
use super::{BatchError, BatchHeader, Compression, HEADER_BYTES, TimestampType, decompress};

/// One record.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its timestamp; the batch's append time where the log stamps.
    pub timestamp_ms: i64,
    /// Key, if any.
    pub key: Option<Bytes>,
    /// Value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers, in order, doubles kept.
    pub headers: Headers,
}

/// A record's headers, decoded while iterating.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Headers {
    raw: Bytes,
    count: usize,
}

impl Headers {
    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (Bytes, Option<Bytes>)> + '_ {
        let mut cursor = Cursor { body: &self.raw, rest: &self.raw };
        (0..self.count).map_while(move |_| {
            let key = cursor.field().ok()??;
            Some((key, cursor.field().ok()?))
        })
    }
}

/// The records of one whole batch (see [`super::validate`]); compressed ones are unpacked to at most `max_decompressed_bytes`.
pub fn records(batch: &[u8], max_decompressed_bytes: usize) -> Result<Records, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let Some(body) = batch.get(HEADER_BYTES..header.size_bytes()) else {
        return Err(BatchError::Incomplete { needed: header.size_bytes(), have: batch.len() });
    };
    let body = match header.compression()? {
        Compression::None => Bytes::copy_from_slice(body),
        compression => Bytes::from(decompress(compression, body, max_decompressed_bytes)?),
    };
    Ok(Records { header, body, position: 0, left: header.record_count })
}

/// See [`records`]. Stops after the first error.
#[derive(Clone, Debug)]
pub struct Records {
    header: BatchHeader,
    body: Bytes,
    position: usize,
    left: i32,
}

impl Records {
    /// The batch's header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    fn decode_next(&mut self) -> Result<Record, BatchError> {
        let mut rest = &self.body[self.position..];
        let size = read_varint(&mut rest)?;
        let record = usize::try_from(size).ok().and_then(|size| rest.get(..size));
        let Some(bytes) = record else {
            return Err(BatchError::Incomplete { needed: size.max(0) as usize, have: rest.len() });
        };
        self.position = self.body.len() - rest.len() + bytes.len();
        self.decode(&self.body, bytes)
    }

    fn decode(&self, body: &Bytes, bytes: &[u8]) -> Result<Record, BatchError> {
        let Some((_attributes, rest)) = bytes.split_first() else {
            return Err(BatchError::Invalid("a record is empty"));
        };
        let mut cursor = Cursor { body, rest };
        let timestamp_delta = read_varlong(&mut cursor.rest)?;
        let offset_delta = read_varint(&mut cursor.rest)?;
        if offset_delta < 0 || offset_delta > self.header.last_offset_delta {
            return Err(BatchError::Invalid("a record's offset lies outside its batch"));
        }
        let timestamp_ms = match self.header.timestamp_type() {
            TimestampType::CreateTime => self.header.base_timestamp.wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => self.header.max_timestamp,
        };
        let key = cursor.field()?;
        let value = cursor.field()?;
        let headers = cursor.headers()?;
        if !cursor.rest.is_empty() {
            return Err(BatchError::Invalid("a record is longer than its content"));
        }
        Ok(Record { offset: self.header.base_offset + i64::from(offset_delta), timestamp_ms, key, value, headers })
    }
}

impl Iterator for Records {
    type Item = Result<Record, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            if self.left == 0 && self.position < self.body.len() {
                self.left = -1;
                return Some(Err(BatchError::Invalid("bytes follow the last record of a batch")));
            }
            return None;
        }
        let record = self.decode_next();
        self.left = if record.is_ok() { self.left - 1 } else { -1 };
        Some(record)
    }
}

impl std::iter::FusedIterator for Records {}

struct Cursor<'a> {
    body: &'a Bytes,
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn skip_field(&mut self) -> Result<Option<&[u8]>, BatchError> {
        let size = read_varint(&mut self.rest)?;
        if size == -1 {
            return Ok(None);
        }
        let Some((field, rest)) = usize::try_from(size).ok().and_then(|size| self.rest.split_at_checked(size)) else {
            return Err(BatchError::Incomplete { needed: size.max(0) as usize, have: self.rest.len() });
        };
        self.rest = rest;
        Ok(Some(field))
    }

    fn field(&mut self) -> Result<Option<Bytes>, BatchError> {
        let body = self.body;
        Ok(self.skip_field()?.map(|field| if field.is_empty() { Bytes::new() } else { body.slice_ref(field) }))
    }

    fn headers(&mut self) -> Result<Headers, BatchError> {
        let count = read_varint(&mut self.rest)?;
        let all = self.rest;
        for _ in 0..count.max(0) {
            if self.skip_field()?.is_none() {
                return Err(BatchError::Invalid("a header has no name"));
            }
            self.skip_field()?;
        }
        if count < 0 {
            return Err(BatchError::Invalid("a record has a negative number of headers"));
        }
        if count == 0 {
            return Ok(Headers::default());
        }
        Ok(Headers { raw: self.body.slice_ref(&all[..all.len() - self.rest.len()]), count: count as usize })
    }
}
