//! Whole batches of a log, read from its files from outside: what a log says, where its outline is not enough.
//!
//! As all that [`super::LogFiles`] does, it changes nothing and asks no node. Where a batch is torn the writer is at work, and the log ends.

use bytes::Bytes;

use super::epochs::LeaderEpochs;
use super::partition_log::EPOCHS_FILE;
use super::segment::Segment;
use super::{LogError, LogFiles};

/// A checkpoint of epochs that is larger is none.
const EPOCHS_BYTES_MAX: u64 = 1 << 20;

/// Some of a log's batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Each a whole batch, by offset. Not validated: whoever takes them apart says what is damaged.
    pub batches: Vec<Bytes>,
    /// Where reading goes on, if this was not all that was asked for.
    pub cut_at: Option<i64>,
}

impl LogFiles {
    /// Batches that end at or after `from` and begin before `to`; no more than `bytes_max` of them, but one at least.
    ///
    /// # Errors
    /// The directory cannot be read; `NotFound` where the log is gone.
    pub fn contents(&mut self, from: i64, to: i64, bytes_max: usize) -> Result<Contents, LogError> {
        self.list()?;
        let mut contents = Contents::default();
        let mut left = bytes_max;
        let first = self.bases.partition_point(|base| *base <= from).saturating_sub(1);
        for base in self.bases.iter().skip(first).take_while(|base| **base < to) {
            // Segments come and go meanwhile.
            let Ok(segment) = Segment::for_reading(&self.store, *base) else { continue };
            let Ok(position) = segment.indexed_position(&self.store, from) else { continue };
            let (mut found, mut cut_at) = (Vec::new(), None);
            segment.scan(&self.store, position, false, &mut |position, header, _| {
                if header.base_offset >= to {
                    return Ok(false);
                }
                if header.last_offset() < from {
                    return Ok(true);
                }
                let is_first = contents.batches.is_empty() && found.is_empty();
                match left.checked_sub(header.size_bytes()) {
                    Some(rest) => left = rest,
                    None if is_first => left = 0,
                    None => cut_at = Some(header.base_offset),
                }
                if cut_at.is_none() {
                    found.push((position, header.size_bytes()));
                }
                Ok(cut_at.is_none())
            })?;
            for (position, size_bytes) in found {
                let Ok(batch) = segment.read_at(&self.store, size_bytes, position) else { break };
                contents.batches.push(batch.into());
            }
            if cut_at.is_some() {
                contents.cut_at = cut_at;
                break;
            }
        }
        Ok(contents)
    }

    /// Leader epochs and the offsets at which they begin, as the log's checkpoint has them; none where there is no checkpoint.
    pub fn leader_epochs(&self) -> Vec<(i32, i64)> {
        let text = self.store.disk.read(&self.store.dir.join(EPOCHS_FILE), EPOCHS_BYTES_MAX);
        let epochs = text.ok().and_then(|text| LeaderEpochs::decode(&text).ok());
        epochs.map(|epochs| epochs.entries().to_vec()).unwrap_or_default()
    }

    /// Base offsets of its segments, and how large each is.
    ///
    /// # Errors
    /// The directory cannot be read; `NotFound` where the log is gone.
    pub fn segments(&mut self) -> Result<Vec<(i64, u64)>, LogError> {
        self.list()?;
        let sized = |base: &i64| Some((*base, Segment::for_reading(&self.store, *base).ok()?.size_bytes));
        Ok(self.bases.iter().filter_map(sized).collect())
    }
}
