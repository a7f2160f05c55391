//! What time does: transactions open for too long are aborted, and ids unused for too long are forgotten.
//!
//! Source: `TransactionCoordinator.abortTimedOutTransactions`, `TransactionStateManager.removeExpiredTransactionalIds`.

use std::sync::Arc;
use std::time::Duration;

use super::coordinator::{EndFor, Entry, TransactionCoordinator};
use super::end::EndTxn;
use super::state::TransactionState;
use crate::logging::Level;
use crate::planted::Bug;
use crate::types::Now;

/// Tombstones in one batch at most.
const TOMBSTONES: usize = 500;

impl TransactionCoordinator {
    pub(super) fn expire(&mut self, now: Now, new_id: &mut dyn FnMut() -> Option<i64>) {
        if self.next_abort_at <= now.mono {
            self.next_abort_at = now.mono + interval(self.config.abort_interval_ms);
            self.abort_timed_out(now, new_id);
        }
        if self.next_expiry_at <= now.mono {
            self.next_expiry_at = now.mono + interval(self.config.expiry_interval_ms);
            self.forget_unused(now);
        }
    }

    fn abort_timed_out(&mut self, now: Now, new_id: &mut dyn FnMut() -> Option<i64>) {
        let is_late = |entry: &Entry| {
            let current = &entry.txn.current;
            let end_ms = current.start_timestamp_ms.saturating_add(i64::from(current.timeout_ms));
            let is_due = end_ms < now.wall_ms && !Bug::TransactionTimeoutIgnored.is_planted();
            entry.txn.pending.is_none() && current.state == TransactionState::Ongoing && is_due
        };
        let mut late: Vec<Arc<str>> = Vec::new();
        for shard in self.shards.values().filter(|shard| !shard.loading) {
            late.extend(shard.ids.iter().filter(|(_, entry)| is_late(entry)).map(|(id, _)| id.clone()));
        }
        for id in late {
            let Ok((_, Some(entry))) = self.entry_for(&id) else { continue };
            let timeout_ms = entry.txn.current.timeout_ms;
            let Ok(fenced) = entry.txn.prepare_fence() else { continue };
            self.tell(Level::Info, || {
                let (producer_id, epoch) = (fenced.producer_id, fenced.producer_epoch);
                format!(
                    "TransactionalId {id}: its transaction is open for more than {timeout_ms} ms; producer {producer_id} is \
                     fenced with epoch {epoch}, and it is aborted"
                )
            });
            let abort = EndTxn {
                transactional_id: &id,
                producer_id: fenced.producer_id,
                producer_epoch: fenced.producer_epoch,
                commit: false,
                transaction_version: self.transaction_version,
            };
            self.end(now, EndFor::Nobody, abort, new_id);
            // No producer id to go on with, for once: the fence is lifted, and tried again next time.
            if let Ok((_, Some(entry))) = self.entry_for(&id)
                && entry.txn.pending == Some(TransactionState::PrepareEpochFence)
            {
                entry.txn.pending = None;
            }
        }
    }

    fn forget_unused(&mut self, now: Now) {
        let limit_ms = now.wall_ms.saturating_sub(self.config.expiration_ms);
        let mut unused: Vec<(i32, Vec<Arc<str>>)> = Vec::new();
        for (partition, shard) in self.shards.iter_mut().filter(|(_, shard)| !shard.loading) {
            let mut ids = Vec::new();
            for (id, entry) in &mut shard.ids {
                let current = &entry.txn.current;
                let may_go = current.state.may_expire() && current.last_update_timestamp_ms <= limit_ms;
                if entry.txn.pending.is_none() && may_go && entry.txn.prepare_dead().is_ok() {
                    ids.push(id.clone());
                }
            }
            unused.extend(ids.chunks(TOMBSTONES).map(|ids| (*partition, ids.to_vec())));
        }
        for (partition, ids) in unused {
            self.tell(Level::Debug, || {
                format!("{} transactional ids of partition {partition} have expired", ids.len())
            });
            self.write_tombstones(now, partition, ids);
        }
    }
}

fn interval(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(1).max(1))
}
