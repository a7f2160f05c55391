//! What the metadata log says, for people: its records in a sentence and as Kafka's JSON, and what they add up to as a tree.
//!
//! Pure. Knows records and images, and nothing of where they are read.

pub mod entry;
pub mod tree;
mod words;

pub use entry::{Entry, Said};

use borsh::{BorshDeserialize, BorshSerialize};
use std::path::PathBuf;

use broker::quorum::QuorumOutline;

/// Which member's files are looked at, and which part of its log.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogWish {
    /// The controller or broker whose files are read.
    pub node_id: i32,
    /// Records from this offset on are told.
    pub from: i64,
    /// And before this one; none are where it is not larger.
    pub to: i64,
}

/// What stands in a member's files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFindings {
    /// Where the files stand.
    pub dir: PathBuf,
    /// Vote, snapshots, segments and elections. Its records are [`LogFindings::entries`].
    pub outline: QuorumOutline,
    /// Records of the part that was asked for, by offset.
    pub entries: Vec<Entry>,
}

impl LogFindings {
    /// Reads what the records of an outline say.
    pub fn read(dir: PathBuf, mut outline: QuorumOutline) -> LogFindings {
        let entries = std::mem::take(&mut outline.records).into_iter().map(Entry::read).collect();
        LogFindings { dir, outline, entries }
    }

    /// The segment's file that holds an offset, if it is there.
    pub fn segment_file(&self, offset: i64) -> Option<PathBuf> {
        let (base, _) = self.outline.segments.iter().rev().find(|(base, _)| *base <= offset)?;
        Some(self.dir.join(format!("{base:020}.log")))
    }
}
