//! The nodes' application logs on this side of the nodes: one thread takes their lines, writes them to files, keeps the newest in a ring
//! for readers, tells and sets the levels of loggers, and delivers brokers' lines to a folder as Amazon MSK delivers them to S3.
//!
//! Knows the broker's `logging` and the view's slot; nothing of the window, of HTTP or of how nodes run. [`ring`], [`search`] and the text
//! of [`entry`] are pure; [`files`] and [`delivery`] write to the disk, and [`run`] is the thread.

pub mod delivery;
pub mod entry;
pub mod files;
pub mod levels;
pub mod ring;
pub mod run;
pub mod search;

use std::path::PathBuf;
use std::sync::Arc;

use broker::logging::Level;
use broker::types::NodeId;

use delivery::DeliveryStatus;
use levels::LevelTable;
use ring::LogLines;

/// What can be asked of the logs.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Give a logger a level of its own; without one, it has that of the next above it.
    SetLevel {
        /// Of which node; without it, of all that run.
        node: Option<NodeId>,
        /// Kafka's name for the logger.
        logger: String,
        /// The level.
        level: Option<Level>,
    },
    /// Deliver brokers' lines to a folder from now on; without one, to nowhere.
    Deliver(Option<PathBuf>),
}

/// What a reader sees of the logs. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LogsView {
    /// The newest lines.
    pub lines: LogLines,
    /// Levels of the loggers of all nodes that run.
    pub levels: Arc<LevelTable>,
    /// How keeping them goes.
    pub status: Arc<LogsStatus>,
}

impl LogsView {
    /// Whether nothing has changed from one to the other.
    pub fn is_same(&self, other: &LogsView) -> bool {
        self.lines.is_same(&other.lines)
            && Arc::ptr_eq(&self.levels, &other.levels)
            && Arc::ptr_eq(&self.status, &other.status)
    }
}

/// How keeping the logs goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogsStatus {
    /// Where the files are, a folder for each node.
    pub dir: PathBuf,
    /// Lines that came faster than they were taken.
    pub lines_lost: u64,
    /// Lines that are in no file, as the disk did not take them.
    pub lines_unwritten: u64,
    /// Why files are not written now.
    pub files_trouble: Option<String>,
    /// Delivery to a folder.
    pub delivery: DeliveryStatus,
}
