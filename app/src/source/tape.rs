//! What a replica's log consists of, read from its files: no node is asked, and none waits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use broker::log::{LogOutline, LogReader, Window};
use broker::types::TopicPartition;

use super::control::NodeControl;
use crate::monitor::inquiry::{Findings, TapeWish};
use crate::monitor::names::node_inside;

/// Segments that one answer tells at most.
const SEGMENTS_MAX: usize = 400;
/// Batches that one answer tells at most.
const BATCHES_MAX: usize = 3_000;
/// Single records are told where no more offsets than this are looked at.
const RECORDS_MAX: i64 = 2_000;

/// Reads it; or says why that cannot be.
pub fn read(nodes: &dyn NodeControl, wish: &TapeWish) -> Result<Arc<Findings>, String> {
    let dirs = nodes.log_dirs(wish.replica).map_err(|refusal| refusal.text)?;
    read_in(&dirs, wish).map(|outline| Arc::new(Findings::Tape(Box::new(outline))))
}

fn read_in(dirs: &[PathBuf], wish: &TapeWish) -> Result<LogOutline, String> {
    let name = TopicPartition::new(&*wish.topic, wish.partition);
    let folder = format!("{}-{}", wish.topic, wish.partition);
    // A name leads nowhere else than into a log directory.
    let is_plain = Path::new(&folder).components().count() == 1 && !folder.contains(['/', '\\']);
    let dir = dirs.iter().map(|dir| dir.join(&folder)).find(|dir| is_plain && dir.is_dir());
    let Some(dir) = dir else {
        return Err(format!("There is no log of {folder} on {}.", node_inside(wish.replica)));
    };
    let window = Window {
        from: wish.from,
        to: wish.to,
        segments_max: SEGMENTS_MAX,
        batches_max: BATCHES_MAX,
        records_max: RECORDS_MAX,
    };
    let outline = LogReader::default().log(&dir).outline(&name, &window);
    outline.map_err(|error| format!("The files of {folder} cannot be read: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::create_topic;
    use crate::client::testing::{House, PATIENCE, house, until};
    use broker::log::Marker;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

    fn tape(house: &House, replica: i32, from: i64, to: i64) -> LogOutline {
        let wish = TapeWish { topic: "t".into(), partition: 0, replica, from, to };
        read_in(&house.cluster.log_dirs(replica).unwrap(), &wish).unwrap()
    }

    fn send(producer: &BaseProducer, count: usize, value: &str) {
        for number in 0..count {
            let key = (number % 10).to_string();
            let record = || BaseRecord::to("t").partition(0).key(&key).payload(value);
            while let Err((error, _)) = producer.send(record()) {
                assert_eq!(error.rdkafka_error_code(), Some(rdkafka::types::RDKafkaErrorCode::QueueFull), "{error}");
                producer.poll(std::time::Duration::from_millis(10));
            }
        }
        producer.flush(PATIENCE).unwrap();
    }

    #[test]
    fn what_librdkafka_writes_is_told_batch_by_batch_and_what_compaction_takes_too() {
        let house = house();
        let configs =
            [("segment.bytes", "1048576"), ("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.01")];
        let configs = configs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        create_topic(&mut house.client(), "t", 1, 3, &configs).unwrap();
        let transactional: BaseProducer = house.rdkafka().set("transactional.id", "shop").create().unwrap();
        transactional.init_transactions(PATIENCE).unwrap();
        for commits in [true, false] {
            transactional.begin_transaction().unwrap();
            send(&transactional, 5, "bought");
            let ended = if commits {
                transactional.commit_transaction(PATIENCE)
            } else {
                transactional.abort_transaction(PATIENCE)
            };
            ended.unwrap();
        }
        let leader = house.seen("t").2;
        let follower = house.seen("t").1.into_iter().find(|id| *id != leader).unwrap();
        let is_txn =
            |outline: &LogOutline| outline.batches.iter().filter(|batch| batch.header.is_transactional()).count();
        let told = tape(&house, leader, 0, 100);
        let markers: Vec<Marker> = told.batches.iter().filter_map(|batch| batch.marker).collect();
        assert_eq!(markers, [Marker::Commit, Marker::Abort]);
        assert_eq!(is_txn(&told), told.batches.len(), "markers too");
        let offsets = |outline: &LogOutline| -> Vec<i64> {
            let records = outline.batches.iter().flat_map(|batch| batch.records.as_ref().unwrap().iter());
            records.map(|record| record.offset).collect()
        };
        assert_eq!(offsets(&told), (0..12).collect::<Vec<_>>());
        let headers = |outline: &LogOutline| outline.batches.iter().map(|batch| batch.header).collect::<Vec<_>>();
        until("the follower has it", || {
            let copy = tape(&house, follower, 0, 100);
            if headers(&copy) == headers(&told) { Ok(()) } else { Err(copy) }
        });

        // More than one segment, and more than one of each key.
        let plain: BaseProducer = house.rdkafka().set("compression.type", "none").create().unwrap();
        send(&plain, 3_600, &"x".repeat(1_000));
        let grown = tape(&house, leader, 0, 10_000);
        assert!(grown.segments.len() > 3, "{:?}", grown.segments);
        assert!(grown.segments.windows(2).all(|pair| pair[0].next_offset <= pair[1].base_offset));
        assert_eq!(grown.segments.last().map(|last| (last.is_active, last.next_offset)), Some((true, 3_612)));
        until("it is compacted", || {
            let told = tape(&house, leader, 0, 10_000);
            let gone: i64 = told.batches.iter().map(broker::log::BatchOutline::missing).sum();
            let first = told.batches.first().map_or(0, |batch| batch.header.base_offset);
            match told.first_dirty_offset {
                Some(clean_to) if clean_to > 12 && gone + first > 0 => Ok(()),
                other => Err((other, gone, first)),
            }
        });
        let missing = read_in(
            &house.cluster.log_dirs(leader).unwrap(),
            &TapeWish { topic: "../t".into(), partition: 0, replica: leader, from: 0, to: 9 },
        );
        assert!(missing.unwrap_err().contains("no log"));
    }

    /// What the calculator of the window says of librdkafka's partitioners is what they do.
    #[test]
    fn librdkafka_chooses_partitions_as_it_is_said() {
        use crate::monitor::partitioner::{partition_by_crc32, partition_for_key};
        let house = house();
        create_topic(&mut house.client(), "t", 7, 1, &[]).unwrap();
        type Choose = fn(&[u8], i32) -> i32;
        for (partitioner, choose) in
            [("consistent_random", partition_by_crc32 as Choose), ("murmur2_random", partition_for_key as Choose)]
        {
            let producer: BaseProducer = house.rdkafka().set("partitioner", partitioner).create().unwrap();
            let mut counts = vec![0_i64; 7];
            let before: Vec<i64> = (0..7).map(|id| house.consumer_end(id)).collect();
            for number in 0..60 {
                let key = format!("customer-{number}-ä");
                producer.send(BaseRecord::<str, str>::to("t").key(&key).payload("v")).unwrap();
                counts[choose(key.as_bytes(), 7) as usize] += 1;
            }
            producer.flush(PATIENCE).unwrap();
            let after: Vec<i64> = (0..7).map(|id| house.consumer_end(id)).collect();
            let written: Vec<i64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
            assert_eq!(written, counts, "{partitioner}");
        }
    }

    impl House {
        /// Where a partition of `t` ends.
        fn consumer_end(&self, partition: i32) -> i64 {
            use rdkafka::consumer::Consumer;
            self.consumer().fetch_watermarks("t", partition, PATIENCE).unwrap().1
        }
    }
}
