//! Transactions: what readers of committed records may see.

use super::*;
use crate::log::{AbortedTxn, AppendOrigin};
use crate::records::control::{ControlType, control_key, encode_end_txn_marker};

fn marker(id: i64, control_type: ControlType, coordinator_epoch: i32) -> BytesMut {
    let mut builder = BatchBuilder::new(0, Compression::None).producer(id, 0, -1).transactional(true).control(true);
    builder.push(1, Some(&control_key(control_type)), Some(&encode_end_txn_marker(coordinator_epoch)), &[]);
    builder.build_mut()
}

fn write(log: &mut Log, id: i64, sequence: i32) {
    log.append_as_leader(now(1), producer_batch(id, 0, sequence, 2, true), 0).unwrap();
}

fn end(log: &mut Log, id: i64, control_type: ControlType) {
    log.append(now(1), marker(id, control_type, 1), 0, AppendOrigin::Coordinator).unwrap();
}

const ABORTED: [AbortedTxn; 2] = [
    AbortedTxn { producer_id: 1, first_offset: 0, last_offset: 5, last_stable_offset: 2 },
    AbortedTxn { producer_id: 3, first_offset: 6, last_offset: 9, last_stable_offset: 10 },
];

/// 0–1 of producer 1, 2–3 of 2, 4: neither, 5: 1 aborted, 6–7 of 3, 8: 2 committed, 9: 3 aborted.
fn filled(disk: &SimDisk) -> Log {
    let mut log = open(disk, LogConfig { segment_bytes: 250, ..small() });
    write(&mut log, 1, 0);
    write(&mut log, 2, 0);
    append(&mut log, 1, 1, 0);
    assert_eq!([log.last_stable_offset(5), log.last_stable_offset(0)], [0, 0]);
    end(&mut log, 1, ControlType::Abort);
    assert_eq!(
        [log.last_stable_offset(5), log.last_stable_offset(6)],
        [0, 2],
        "the marker counts once it is replicated"
    );
    write(&mut log, 3, 0);
    end(&mut log, 2, ControlType::Commit);
    assert_eq!(log.last_stable_offset(9), 6);
    end(&mut log, 3, ControlType::Abort);
    assert_eq!([log.last_stable_offset(9), log.last_stable_offset(10)], [6, 10]);
    log
}

#[test]
fn aborted_transactions_are_told() {
    let disk = SimDisk::new();
    let log = filled(&disk);
    assert!(log.segment_count() > 1);
    assert_eq!(log.aborted_transactions(0, 10).unwrap(), ABORTED);
    assert_eq!(log.aborted_transactions(0, 5).unwrap(), ABORTED[..1]);
    assert_eq!(log.aborted_transactions(6, 10).unwrap(), ABORTED[1..]);
    assert_eq!(log.aborted_transactions(6, 6).unwrap(), []);
}

/// Readers stop in the index where an entry says that nothing before it is open: it must not say so of what began in the same append.
#[test]
fn a_follower_that_gets_all_at_once_tells_the_same() {
    let leader = filled(&SimDisk::new());
    let mut all = Vec::new();
    while let Some(next) = batches(&all)
        .flatten()
        .last()
        .map_or(Some(0), |(header, _)| (header.next_offset() < leader.log_end_offset()).then_some(header.next_offset()))
    {
        all.extend_from_slice(&leader.read(next, usize::MAX >> 1, leader.log_end_offset(), true).unwrap().records);
    }
    let mut follower = open(&SimDisk::new(), small());
    follower.append_as_follower(now(1), &all).unwrap();
    assert_eq!(follower.log_end_offset(), leader.log_end_offset());
    assert_eq!(follower.aborted_transactions(0, 10).unwrap(), ABORTED);
}

#[test]
fn transactions_survive_stops_and_crashes() {
    for crash in 0..3 {
        let disk = SimDisk::new();
        let mut log = filled(&disk);
        write(&mut log, 4, 0);
        let recovery = match crash {
            0 => {
                log.close(now(1)).unwrap();
                clean(0)
            }
            1 => Recovery::UNKNOWN,
            _ => {
                log.flush(now(1)).unwrap();
                disk.power_loss();
                Recovery { clean_shutdown: false, recovery_point: 12, log_start_offset: -1, ..Recovery::UNKNOWN }
            }
        };
        disk.kill();
        let log = open_with(&disk, LogConfig { segment_bytes: 250, ..small() }, recovery).unwrap();
        assert_eq!(log.aborted_transactions(0, 12).unwrap(), ABORTED, "crash {crash}");
        assert_eq!(log.last_stable_offset(12), 10);
        assert_eq!(log.producer_states().count(), 4);
    }
}

#[test]
fn truncation_opens_a_transaction_again() {
    let disk = SimDisk::new();
    let mut log = filled(&disk);
    log.truncate_to(9).unwrap();
    assert_eq!((log.last_stable_offset(9), log.aborted_transactions(0, 9).unwrap()), (6, ABORTED[..1].to_vec()));
    end(&mut log, 3, ControlType::Abort);
    assert_eq!(log.aborted_transactions(0, 10).unwrap(), ABORTED);
}

#[test]
fn markers_are_fenced() {
    let disk = SimDisk::new();
    let mut log = filled(&disk);
    write(&mut log, 1, 2);
    let old = log.append(now(1), marker(1, ControlType::Commit, 0), 0, AppendOrigin::Coordinator);
    assert!(matches!(old, Err(LogError::TransactionCoordinatorFenced { .. })));
    let outside = log.append_as_leader(now(1), producer_batch(1, 0, 4, 1, false), 0);
    assert_eq!(outside, Err(LogError::InvalidTxnState { producer_id: 1 }));
    assert_eq!(log.last_stable_offset(12), 10);
}
