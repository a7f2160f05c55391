//! What a leader does to records before it appends them: another compression, refusals one by one.

use super::*;
use crate::records::{Codec, TimestampType};

fn packed(compression: Compression, producer: bool) -> BytesMut {
    let mut builder = BatchBuilder::new(0, compression);
    if producer {
        builder = builder.producer(7, 0, 0);
    }
    for index in 0..50 {
        builder.push(1_000 + index, Some(b"key"), Some(&[index as u8; 100]), &[]);
    }
    builder.build_mut()
}

fn wanting(compression: Compression) -> LogConfig {
    LogConfig { compression: Some(Codec { compression, level: None }), ..LogConfig::default() }
}

#[test]
fn batches_get_the_compression_of_their_topic() {
    for to in Compression::ALL {
        for from in Compression::ALL {
            let disk = SimDisk::new();
            let mut log = open(&disk, wanting(to));
            append(&mut log, 1_000, 3, 0);
            let info = log.append_as_leader(now(1_000), packed(from, true), 4).unwrap();
            assert_eq!((info.first_offset, info.last_offset, info.max_timestamp_ms), (3, 52, 1_049));
            let retried = log.append_as_leader(now(1_000), packed(from, true), 4).unwrap();
            assert!(retried.duplicate, "the sequence was kept");
            let found = headers(&log);
            assert_eq!(found[1].compression().unwrap(), to, "{from:?} to {to:?}");
            assert_eq!((found[1].partition_leader_epoch, found[1].base_sequence), (4, 0));
            let read = log.read(3, 1 << 20, i64::MAX, true).unwrap();
            crate::records::validate(&read.records).unwrap();
            assert_eq!(offsets_of(&read.records), (3..53).collect::<Vec<_>>());
            log.close(now(1_000)).unwrap();
            assert_eq!(open(&disk, wanting(to)).log_end_offset(), 53);
        }
    }
}

#[test]
fn conversion_keeps_the_time_of_appending_and_the_limits() {
    let disk = SimDisk::new();
    let stamps = LogConfig { message_timestamp_type: TimestampType::LogAppendTime, ..wanting(Compression::Zstd) };
    let mut log = open(&disk, stamps);
    let info = log.append_as_leader(now(9_000), packed(Compression::None, false), 0).unwrap();
    assert_eq!((info.log_append_time_ms, info.max_timestamp_ms), (9_000, 9_000));
    let read = log.read(0, 1 << 20, i64::MAX, true).unwrap().records;
    assert!(records(&read, 1 << 20).unwrap().all(|record| record.unwrap().timestamp_ms == 9_000));

    // What is small as it comes, and too large as the topic wants it.
    let disk = SimDisk::new();
    let mut log = open(&disk, LogConfig { max_message_bytes: 3_000, ..wanting(Compression::None) });
    let mut zeros = BatchBuilder::new(0, Compression::Gzip);
    zeros.push(1_000, None, Some(&[0; 4_000]), &[]);
    let refused = log.append_as_leader(now(1_000), zeros.build_mut(), 0);
    assert!(matches!(refused, Err(LogError::MessageTooLarge { limit_bytes: 3_000, .. })));
    assert_eq!((log.log_end_offset(), log.offline()), (0, None));
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    for compression in [Compression::None, Compression::Lz4] {
        let disk = SimDisk::new();
        let mut log = open(&disk, LogConfig { cleanup_compact: true, cleanup_delete: false, ..LogConfig::default() });
        let mut batch = BatchBuilder::new(0, compression);
        for index in 0..6 {
            batch.push(1_000, (index % 2 == 0).then_some(b"key"), Some(b"value"), &[]);
        }
        let error = log.append_as_leader(now(1_000), batch.build_mut(), 0).unwrap_err();
        let LogError::RejectedRecords(rejected) = &error else { panic!("{error}") };
        assert!(!rejected.has_invalid_timestamp);
        assert_eq!(rejected.errors.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 3, 5]);
        let each = "Compacted topic cannot accept message without key in topic partition t-0";
        assert!(rejected.errors.iter().all(|(_, message)| message == each));
        let all = format!(
            "One or more records have been rejected due to 3 record errors in total, and only showing the first three errors at \
             most: [RecordError(batchIndex=1, message='{each}'), RecordError(batchIndex=3, message='{each}'), \
             RecordError(batchIndex=5, message='{each}')]"
        );
        assert_eq!(error.to_string(), all);
        assert_eq!(log.log_end_offset(), 0);
        log.append_as_leader(now(1_000), packed(compression, false), 0).unwrap();
    }
}

#[test]
fn a_conversion_tells_what_it_took() {
    let root = tempfile::tempdir().unwrap();
    let disk = Arc::new(crate::log::RealDisk::new());
    let (dir, name) = (root.path().join("t-0"), TopicPartition::new("t", 0));
    let mut log =
        Log::open(disk, dir, name, Some(TOPIC_ID), wanting(Compression::Gzip), Recovery::UNKNOWN, now(0)).unwrap();
    // What compresses badly takes its time.
    let mut noise = BatchBuilder::new(0, Compression::Lz4);
    let value: Vec<u8> = (0..500_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    noise.push(1_000, None, Some(&value), &[]);
    let unpacked = noise.size_bytes();
    let began = std::time::Instant::now();
    let info = log.append_as_leader(now(1_000), noise.build_mut(), 0).unwrap();
    let took = began.elapsed();
    let conversion = info.converted.unwrap();
    assert!(!conversion.took.is_zero() && conversion.took <= took, "{conversion:?} of {took:?}");
    assert_eq!(conversion.temporary_bytes, 2 * unpacked, "as it was unpacked, and as it was packed anew");
    let again = log.append_as_leader(now(1_000), packed(Compression::Gzip, false), 0).unwrap();
    assert_eq!(again.converted, None, "it is as the topic wants it");
}
