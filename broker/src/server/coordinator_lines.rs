//! What becomes of a coordinator's partitions, in its broker's log.
//!
//! Facts and levels are those of Kafka's `CoordinatorRuntime` and `TransactionStateManager`.

use std::fmt;

use crate::logging::{Level, Logger, NodeLog};
use crate::metadata::config::NodeConfig;

/// How one coordinator writes. The default does not.
#[derive(Clone)]
pub(super) struct LogLines {
    log: NodeLog,
    logger: Logger,
    prefix: String,
    topic: &'static str,
}

impl Default for LogLines {
    fn default() -> LogLines {
        LogLines { log: NodeLog::default(), logger: Logger::CoordinatorRuntime, prefix: String::new(), topic: "" }
    }
}

impl fmt::Debug for LogLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogLines({})", self.topic)
    }
}

impl LogLines {
    /// The group coordinator's.
    pub(super) fn of_groups(config: &NodeConfig) -> LogLines {
        LogLines {
            log: config.log.clone(),
            prefix: format!("[GroupCoordinator id={}] ", config.node_id),
            topic: super::group_bridge::OFFSETS_TOPIC,
            ..LogLines::default()
        }
    }

    /// The share coordinator's.
    pub(super) fn of_shares(config: &NodeConfig) -> LogLines {
        LogLines {
            log: config.log.clone(),
            prefix: format!("[ShareCoordinator id={}] ", config.node_id),
            topic: super::share_state_bridge::SHARE_STATE_TOPIC,
            ..LogLines::default()
        }
    }

    /// The transaction coordinator's.
    pub(super) fn of_transactions(config: &NodeConfig) -> LogLines {
        LogLines {
            log: config.log.clone(),
            logger: Logger::TransactionState,
            prefix: format!("[Transaction State Manager {}]: ", config.node_id),
            topic: super::txn_bridge::TRANSACTION_TOPIC,
        }
    }

    /// A line about a partition.
    pub(super) fn tell(&self, level: Level, partition: i32, message: impl FnOnce() -> String) {
        let line = || format!("{}{}-{partition}: {}", self.prefix, self.topic, message());
        self.log.write(self.logger, level, line);
    }
}
