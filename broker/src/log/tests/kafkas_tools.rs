//! Files for Kafka's own tools to read. By hand:
//!
//!     KAFKA_LOG_OUT=/some/dir cargo test -p broker --lib kafkas_tools -- --ignored
//!     kafka-dump-log.sh --deep-iteration --verify-index-only --files /some/dir/t-0/00000000000000000000.index …

use super::*;
use crate::log::{AppendOrigin, LogDir, LogReader, RealDisk, Window};
use crate::records::control::{
    ControlType, LeaderChange, Voter, control_key, encode_end_txn_marker, encode_kraft_version,
};

fn control(id: i64, control_type: ControlType, value: &[u8]) -> BytesMut {
    let builder = BatchBuilder::new(0, Compression::None).control(true);
    let mut builder = if id >= 0 { builder.producer(id, 0, -1).transactional(true) } else { builder };
    builder.push(1_700_000_000_000, Some(&control_key(control_type)), Some(value), &[]);
    builder.build_mut()
}

#[test]
#[ignore = "writes files for Kafka's tools"]
fn write_a_log_of_everything() {
    let Some(root) = std::env::var_os("KAFKA_LOG_OUT") else { return };
    let mut dir = LogDir::open(Arc::new(RealDisk::new()), root.into(), 1, "cluster", now(1)).unwrap();
    let config = LogConfig { segment_bytes: 60_000, ..LogConfig::default() };
    let log = dir.create_log(TopicPartition::new("t", 0), TOPIC_ID, config, now(1)).unwrap();
    let voters = vec![Voter { id: 3000, directory_id: Id::ZERO }, Voter { id: 3001, directory_id: Id::ZERO }];
    let change = LeaderChange { version: 0, leader_id: 3000, granting_voters: voters.clone(), voters };
    log.append(now(1), control(-1, ControlType::LeaderChange, &change.encode()), 0, AppendOrigin::Coordinator).unwrap();
    log.append(now(1), control(-1, ControlType::KRaftVersion, &encode_kraft_version(1)), 0, AppendOrigin::Coordinator)
        .unwrap();
    let mut sequence = 0;
    for step in 0..600i64 {
        let time = 1_700_000_000_000 + step * 1000 - (step % 7) * 3000;
        let mut builder = BatchBuilder::new(0, Compression::ALL[step as usize % 5]);
        builder = if step % 3 == 0 { builder.producer(77, 1, sequence) } else { builder };
        for index in 0..(step % 9 + 1) {
            let value = format!("value {step} {index} {}", "padding ".repeat(step as usize % 40));
            builder.push(
                time + index,
                Some(b"key"),
                Some(value.as_bytes()),
                &[(b"header", Some(b"x")), (b"null", None)],
            );
        }
        sequence += if step % 3 == 0 { builder.record_count() } else { 0 };
        log.append_as_leader(now(time), builder.build_mut(), step as i32 / 100).unwrap();
        if step % 50 == 49 {
            let kind = if step % 100 == 99 { ControlType::Abort } else { ControlType::Commit };
            log.append_as_leader(now(time), producer_batch(5, 0, step as i32 / 50 * 2, 2, true), step as i32 / 100)
                .unwrap();
            log.append(
                now(time),
                control(5, kind, &encode_end_txn_marker(1)),
                step as i32 / 100,
                AppendOrigin::Coordinator,
            )
            .unwrap();
        }
    }
    assert!(log.segment_count() > 3);
    dir.shutdown_clean(now(1), 9).unwrap();
}

/// `KAFKA_LOG_IN` is a directory that holds `t-0` as Kafka left it, `KAFKA_LOG_CLEAN` whether it stopped cleanly.
#[test]
#[ignore = "reads files that Kafka wrote"]
fn read_a_log_that_kafka_wrote() {
    let Some(root) = std::env::var_os("KAFKA_LOG_IN") else { return };
    let clean_shutdown = std::env::var_os("KAFKA_LOG_CLEAN").is_some();
    let recovery = Recovery { clean_shutdown, ..Recovery::UNKNOWN };
    let dir = Path::new(&root).join("t-0");
    let name = TopicPartition::new("t", 0);
    let log = Log::open(Arc::new(RealDisk::new()), dir, name, None, LogConfig::default(), recovery, now(1)).unwrap();
    let read: i64 = headers(&log).iter().map(|header| i64::from(header.record_count)).sum();
    println!("start {} end {} records {read}", log.log_start_offset(), log.log_end_offset());
    println!("topic id {:?} epochs {:?}", log.topic_id(), log.leader_epochs().entries());
    println!("aborted {:?}", log.aborted_transactions(0, log.log_end_offset()).unwrap());
    println!("at 1700000600100: {:?}", log.offset_for_timestamp(1_700_000_600_100, i64::MAX).unwrap());
    println!("newest: {:?}", log.max_timestamp_offset().unwrap());
    println!("producers {}", log.producer_states().count());
    assert_eq!(read, log.log_end_offset() - log.log_start_offset());
}

/// `KAFKA_LOG_DIR` is a partition's directory. Prints its batches and records as the tape knows them, in the words of `kafka-dump-log.sh
/// --deep-iteration`, so that the two can be compared line by line.
#[test]
#[ignore = "reads files that are compared with what Kafka's tool says of them"]
fn tell_a_log_as_kafka_dumps_it() {
    let Some(dir) = std::env::var_os("KAFKA_LOG_DIR") else { return };
    let window = Window { from: 0, to: i64::MAX, segments_max: 10_000, batches_max: 1_000_000, records_max: i64::MAX };
    let mut files = LogReader::default().log(Path::new(&dir));
    let outline = files.outline(&TopicPartition::new("t", 0), &window).unwrap();
    for batch in &outline.batches {
        let header = &batch.header;
        println!(
            "batch {} {} {} {} {} {} {} {} {} {} {} {}",
            header.base_offset,
            header.last_offset(),
            header.record_count,
            header.base_sequence,
            header.producer_id,
            header.producer_epoch,
            header.partition_leader_epoch,
            header.is_transactional(),
            header.is_control(),
            batch.position,
            header.size_bytes(),
            header.crc,
        );
        for record in batch.records.iter().flat_map(|all| all.iter()) {
            let size = |bytes: Option<usize>| bytes.map_or(-1, |bytes| bytes as i64);
            println!("record {} {} {}", record.offset, size(record.key_bytes), size(record.value_bytes));
        }
    }
}
