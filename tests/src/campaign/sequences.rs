//! When a producer may be told OUT_OF_ORDER_SEQUENCE_NUMBER at the first batch that it has not got acknowledged. Judged by the leader's log at
//! the moment of its answer; everything else means that a log forgot what it must know.
//!
//! Source: `ProducerStateManager` (snapshots hold the last batch of each producer), `ProducerAppendInfo.checkSequence`.

use broker::log::Log;
use broker::records;

use super::inside::read_all;

/// Batches that a log remembers of each producer.
const REMEMBERED: usize = 5;

/// A batch that was refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) producer: (i64, i16),
    pub(super) first_sequence: i32,
    pub(super) last_sequence: i32,
}

/// Why the refusal is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excuse {
    /// The batch is in the log, but the log's producers were restored from a snapshot, which holds no more than the batch after it.
    SnapshotHoldsLastOnly,
    /// The producer's first batch was refused before (for want of replicas, by another broker), and the log, which knew nothing of the
    /// producer, took a later one: any sequence begins.
    LaterOneBegan,
    /// What the producer wrote before was lost under a licence.
    LostBefore,
}

/// A batch of the producer's as it stands in the log.
#[derive(Clone, Copy, Debug)]
struct Standing {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    last_offset: i64,
}

/// What excuses the refusal, or what is known about it. `lossy`: what the producer was acknowledged last was lost, or may be.
pub(super) fn excuse(log: &Log, refused: Refused, lossy: bool) -> Result<Excuse, String> {
    let there = standing(log, refused.producer);
    let state = log.producer_states().find(|state| state.producer_id == refused.producer.0);
    let remembered: Vec<i64> = state.iter().flat_map(|state| state.batches()).map(|batch| batch.last_offset).collect();
    let same = |batch: &&Standing| {
        (batch.first_sequence, batch.last_sequence) == (refused.first_sequence, refused.last_sequence)
    };
    if let Some(batch) = there.iter().find(same) {
        let restored_from = log.producers_restored_from();
        let behind: Vec<i64> =
            there.iter().map(|one| one.last_offset).filter(|end| Some(end) >= remembered.first()).collect();
        // The one batch that a snapshot holds is the last before it, and everything after it is remembered.
        let exact = remembered.len() < REMEMBERED
            && behind == remembered
            && restored_from.is_some_and(|from| {
                let before = there.iter().filter(|one| one.base_offset < from).map(|one| one.last_offset).max();
                batch.base_offset < from && before == remembered.first().copied() && before > Some(batch.last_offset)
            });
        if exact {
            return Ok(Excuse::SnapshotHoldsLastOnly);
        }
        return Err(format!(
            "it stands at offset {}, remembered are {remembered:?} of {behind:?}, restored from {restored_from:?}",
            batch.base_offset
        ));
    }
    let first = there.first().map(|batch| batch.first_sequence);
    let last = there.last().map(|batch| batch.last_sequence);
    if refused.first_sequence == 0 && first > Some(0) {
        return Ok(Excuse::LaterOneBegan);
    }
    let gap_before = last.is_none_or(|last| last < refused.first_sequence - 1);
    if lossy && (gap_before || first > Some(refused.last_sequence)) {
        return Ok(Excuse::LostBefore);
    }
    Err(format!("it is not in the log, which has sequences {first:?} to {last:?} of the producer"))
}

fn standing(log: &Log, producer: (i64, i16)) -> Vec<Standing> {
    let Ok(bytes) = read_all(log, log.log_start_offset(), log.log_end_offset()) else { return Vec::new() };
    let headers = records::batches(&bytes).flatten().map(|(header, _)| header);
    let mine = headers.filter(|header| (header.producer_id, header.producer_epoch) == producer && !header.is_control());
    mine.map(|header| Standing {
        first_sequence: header.base_sequence,
        last_sequence: header.last_sequence(),
        base_offset: header.base_offset,
        last_offset: header.last_offset(),
    })
    .collect()
}
