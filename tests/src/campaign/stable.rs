//! Where the last stable offset must be: at the first record of the first transaction that is open below the high watermark. Worked out from
//! the committed batches alone.

use std::collections::BTreeMap;

use broker::records::BatchHeader;

/// Open transactions of one partition.
#[derive(Debug, Default)]
pub(super) struct Stable {
    /// First offset by producer id.
    open: BTreeMap<i64, i64>,
}

impl Stable {
    /// The next batch that is committed.
    pub(super) fn take(&mut self, header: &BatchHeader) {
        if header.is_control() {
            self.open.remove(&header.producer_id);
        } else if header.is_transactional() {
            self.open.entry(header.producer_id).or_insert(header.base_offset);
        }
    }

    /// Where readers of committed records stop while so much is committed.
    pub(super) fn last_stable_offset(&self, high_watermark: i64) -> i64 {
        self.open.values().fold(high_watermark, |first, offset| first.min(*offset))
    }
}
