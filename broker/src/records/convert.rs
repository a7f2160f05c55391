//! A batch in another compression, as a topic's `compression.type` wants it.
//!
//! Source: `org.apache.kafka.storage.internals.log.LogValidator.buildRecordsAndAssignOffsets`.

use bytes::{Bytes, BytesMut};

use super::{BatchBuilder, BatchError, BatchHeader, Compression, records};

/// A compression and its level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Codec {
    /// Which.
    pub compression: Compression,
    /// `compression.gzip.level` or `compression.zstd.level`; `None` is the codec's own default. LZ4 here has one level only.
    pub level: Option<i32>,
}

/// A batch in another compression.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The batch.
    pub batch: BytesMut,
    /// How much memory its records took meanwhile: as they came, if they had to be unpacked, and as they were packed anew.
    pub temporary_bytes: usize,
}

/// Builds one whole batch (see [`super::validate`]) anew, its records unpacked to at most `max_decompressed_bytes` and packed by `codec`.
/// Offsets become consecutive; the largest timestamp becomes that of the records.
pub fn convert(batch: &[u8], codec: Codec, max_decompressed_bytes: usize) -> Result<Converted, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let mut builder = BatchBuilder::new(header.base_offset, codec.compression)
        .level(codec.level)
        .leader_epoch(header.partition_leader_epoch)
        .producer(header.producer_id, header.producer_epoch, header.base_sequence)
        .transactional(header.is_transactional());
    for record in records(batch, max_decompressed_bytes)? {
        let record = record?;
        let headers: Vec<(Bytes, Option<Bytes>)> = record.headers.iter().collect();
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            headers.iter().map(|(key, value)| (key.as_ref(), value.as_deref())).collect();
        builder.push(record.timestamp_ms, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    let is_packed = header.compression()? != Compression::None;
    let temporary_bytes = builder.size_bytes() * if is_packed { 2 } else { 1 };
    Ok(Converted { batch: builder.build_mut(), temporary_bytes })
}

#[cfg(test)]
mod tests {
    use super::super::validate;
    use super::*;

    fn batch(compression: Compression) -> BytesMut {
        let mut batch = BatchBuilder::new(0, compression).producer(7, 1, 40).transactional(true);
        for index in 0..100i64 {
            let value = [index as u8; 200];
            let headers: [(&[u8], Option<&[u8]>); 2] = [(b"a", Some(b"1")), (b"a", None)];
            let key = (index % 3 != 0).then_some(&b"key"[..]);
            batch.push(1_000 - index, key, (index % 7 != 0).then_some(&value[..]), &headers[..index as usize % 3]);
        }
        batch.build_mut()
    }

    #[test]
    fn every_codec_becomes_every_other() {
        let codec = |compression, level| Codec { compression, level };
        for from in Compression::ALL {
            let source = batch(from);
            for to in Compression::ALL {
                let level = matches!(to, Compression::Gzip | Compression::Zstd).then_some(9);
                let converted = convert(&source, codec(to, level), 1 << 20).unwrap().batch;
                let header = validate(&converted).unwrap();
                assert_eq!(header.compression().unwrap(), to);
                assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 1, 40));
                assert_eq!((header.record_count, header.last_offset_delta, header.max_timestamp), (100, 99, 1_000));
                assert!(header.is_transactional());
                let read = |batch: &[u8]| records(batch, 1 << 20).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
                assert_eq!(read(&converted), read(&source), "{from:?} to {to:?}");
            }
        }
        let (fast, small) = (codec(Compression::Gzip, Some(1)), codec(Compression::Gzip, Some(9)));
        let len = |codec| convert(&batch(Compression::None), codec, 1 << 20).unwrap().batch.len();
        assert!(len(small) < len(fast));
    }

    #[test]
    fn bombs_are_not_unpacked() {
        let mut bomb = BatchBuilder::new(0, Compression::Zstd);
        bomb.push(0, None, Some(&vec![0; 8 << 20]), &[]);
        let codec = Codec { compression: Compression::None, level: None };
        let error = convert(&bomb.build_mut(), codec, 1 << 20).unwrap_err();
        assert_eq!(error, BatchError::TooLarge { limit_bytes: 1 << 20 });
    }
}
