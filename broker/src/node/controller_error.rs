//! Why a controller cannot start, or cannot go on.

use crate::log::LogError;
use crate::quorum::QuorumError;

/// Why a controller cannot go on: its log failed, or holds what it cannot. Its node should stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControllerError {
    /// The quorum's log or vote.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// A committed record that cannot be applied.
    #[error("the metadata log cannot be followed at offset {offset}: {why}")]
    Log {
        /// Where.
        offset: i64,
        /// Why.
        why: String,
    },
}

/// Why a controller could not start.
#[derive(Debug, thiserror::Error)]
pub enum ControllerStartError {
    /// There is nowhere to keep the metadata log.
    #[error("it has no log directory")]
    NoLogDir,
    /// The directory is another node's, or cannot be read.
    #[error(transparent)]
    LogDir(#[from] LogError),
    /// The metadata log or the vote.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
}
