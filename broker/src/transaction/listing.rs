//! DescribeTransactions and ListTransactions.
//!
//! Source: `TransactionCoordinator.handleDescribeTransactions`, `TransactionStateManager.listTransactionStates`; KIP-664, KIP-994, KIP-1152.

use regex::Regex;

use super::coordinator::TransactionCoordinator;
use super::metadata::{Transaction, TransactionMetadata};
use super::state::TransactionState;
use crate::protocol::ErrorCode;
use crate::types::Now;

/// What is to be listed.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Of these producers; empty: of all.
    pub producer_ids: Vec<i64>,
    /// In one of these states.
    pub states: Option<Vec<TransactionState>>,
    /// Open for longer than this; negative: for any time.
    pub duration_ms: i64,
    /// Whose id matches as a whole.
    pub pattern: Option<Regex>,
}

impl TransactionCoordinator {
    /// The state of a transactional id.
    ///
    /// # Errors
    /// Not here, not loaded, or not known.
    pub fn describe(&mut self, transactional_id: &str) -> Result<Transaction, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let (_, entry) = self.entry_for(transactional_id)?;
        let entry = entry.ok_or(ErrorCode::TransactionalIdNotFound)?;
        Ok(entry.txn.current.clone())
    }

    /// Ids, producer ids and states.
    ///
    /// # Errors
    /// A shard is being loaded: the list would not be whole.
    pub fn list(&self, now: Now, filter: &ListFilter) -> Result<Vec<(String, i64, TransactionState)>, ErrorCode> {
        if self.shards.values().any(|shard| shard.loading) {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let all = self.shards.values().flat_map(|shard| &shard.ids);
        let wanted = all.filter(|(id, entry)| filter.wants(now, id, &entry.txn));
        Ok(wanted.map(|(id, entry)| (id.to_string(), entry.txn.current.producer_id, entry.txn.current.state)).collect())
    }
}

impl ListFilter {
    fn wants(&self, now: Now, id: &str, txn: &TransactionMetadata) -> bool {
        let current = &txn.current;
        let lasts_ms = now.wall_ms.saturating_sub(current.start_timestamp_ms);
        (self.producer_ids.is_empty() || self.producer_ids.contains(&current.producer_id))
            && self.states.as_ref().is_none_or(|states| states.contains(&current.state))
            && (self.duration_ms < 0 || lasts_ms > self.duration_ms)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
    }
}
