//! What brokers' logs tell of their replicas, as roles, ISRs and logs change.

use std::io::ErrorKind;
use std::path::Path;

use super::dirs_tests::Site;
use super::tests::{Trio, id, ms};
use crate::logging::{Level, Logger};

#[test]
fn roles_and_isrs_are_told_and_rest_is_not() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.logs[&1].expect(&[
        (Logger::StateChange, Level::Info, &["[Broker id=1] 1 partition(s) are to be led here"]),
        (Logger::StateChange, Level::Info, &["[Broker id=1] t-0 with topic id ", "is new here"]),
        (Logger::LogManager, Level::Info, &["created for t-0 in /data/t-0"]),
        (Logger::Partition, Level::Info, &["[Partition t-0 broker=1] ", "high watermark 0"]),
        (
            Logger::StateChange,
            Level::Info,
            &[
                "leader epoch 1 on, from offset 0",
                "partition epoch 1",
                "high watermark 0",
                "ISR [1,2,3]",
                "under min ISR: false",
            ],
        ),
    ]);
    trio.logs[&2].expect(&[
        (Logger::StateChange, Level::Info, &["t-0 begins to follow leader 1 in leader epoch 1 from offset 0"]),
        (
            Logger::ReplicaFetcherManager,
            Level::Info,
            &["[ReplicaFetcherManager on broker 2] ", "broker 1: t-0 (leader epoch 1, offset 0)"],
        ),
    ]);
    trio.append(1, 5, -1).unwrap();
    trio.pass(ms(1_000));
    trio.logs.values().for_each(|log| drop(log.take()));
    trio.pass(ms(10_000));
    for (node, log) in &trio.logs {
        assert_eq!(log.take(), [], "broker {node} has nothing to tell while nothing changes");
    }
    trio.out.push(3);
    trio.append(1, 2, -1).unwrap();
    trio.pass(ms(5_000));
    trio.logs[&1].expect(&[
        (
            Logger::Partition,
            Level::Info,
            &[
                "[Partition t-0 broker=1] ISR is to shrink from [1,2,3] to [1,2]",
                "highWatermark: 5, endOffset: 7",
                "(brokerId: 3, endOffset: 5, last level ",
            ],
        ),
        (Logger::Partition, Level::Info, &["ISR is [1,2] from partition epoch 2 on"]),
    ]);
    trio.out.clear();
    trio.pass(ms(2_000));
    trio.logs[&1].expect(&[(Logger::Partition, Level::Info, &["ISR is [1,2,3] from partition epoch 3 on"])]);
}

#[test]
fn details_are_told_to_those_who_ask() {
    let mut trio = Trio::with_topic(&[vec![1, 2]]);
    trio.logs[&1].take();
    trio.logs[&1].set(Logger::Partition, Level::Debug);
    trio.append(1, 3, -1).unwrap();
    trio.settle();
    trio.logs[&1].expect(&[(
        Logger::Partition,
        Level::Debug,
        &["[Partition t-0 broker=1] High watermark from 0 to 3"],
    )]);
}

#[test]
fn a_truncation_is_told_with_its_reason() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 2, -1).unwrap();
    trio.settle();
    trio.take_out(1);
    // What the leader has alone when it is cut off is not in the log of the next.
    trio.append(1, 5, 1).unwrap();
    trio.append(2, 1, -1).unwrap();
    trio.settle();
    trio.logs[&1].take();
    trio.bring_back(1);
    trio.pass(ms(1_000));
    trio.logs[&1].expect(&[
        (
            Logger::StateChange,
            Level::Info,
            &["t-0 begins to follow leader 2 in leader epoch 2 from offset 7", "leader 1 and leader epoch 1"],
        ),
        (
            Logger::ReplicaFetcher,
            Level::Info,
            &["replicaId=1, leaderId=2", "t-0 is truncated from offset 7 to 2, as the leader ends epoch 1 at offset 2"],
        ),
        (Logger::UnifiedLog, Level::Info, &["[UnifiedLog partition=t-0, dir=/data] Truncating to offset 2 from 7"]),
    ]);
    assert_eq!(trio.at(1).log(&id(1)).unwrap().log_end_offset(), 3);
}

#[test]
fn a_directory_s_failure_and_a_move_are_told() {
    let mut site = Site::new(4);
    site.settle();
    site.lines.take();
    let moved = (0..4).find(|partition| site.root(*partition) == Path::new("/d2")).unwrap();
    site.move_to(moved, "/d1").unwrap();
    for _ in 0..100 {
        site.pass(50);
    }
    site.lines.expect(&[
        (Logger::AlterLogDirs, Level::Info, &[&format!("t-{moved} is copied to log directory /d1")]),
        (Logger::AlterLogDirs, Level::Info, &["is level", "told of its log directory"]),
        (Logger::AlterLogDirs, Level::Info, &["has taken its place in /d1"]),
        (Logger::LogManager, Level::Info, &[&format!("The log of t-{moved} is renamed to /d2/"), "-delete"]),
    ]);
    let lost = (0..4).find(|partition| site.root(*partition) == Path::new("/d2")).unwrap();
    site.disk.fail_writes_under(Path::new("/d2"), Some(ErrorKind::StorageFull));
    site.append(lost, 10).unwrap_err();
    site.lines.expect(&[
        (Logger::UnifiedLog, Level::Error, &[&format!("partition=t-{lost}, dir=/d2] A change failed")]),
        (Logger::ReplicaManager, Level::Error, &["[ReplicaManager broker=1] log directory /d2 is offline"]),
        (Logger::ReplicaManager, Level::Warn, &["Replicas in /d2 with uuid ", &format!("t-{lost}")]),
        (Logger::LogManager, Level::Warn, &["logs are offline, as log directory /d2 failed"]),
    ]);
}
