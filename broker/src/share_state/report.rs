//! How far share partitions have come, as the window shows it.

use super::coordinator::ShareCoordinator;
use crate::metadata::report::ShareProgress;

impl ShareCoordinator {
    /// All share partitions that are kept here, if anything changed since the last call. A shard that is still loading tells when it is loaded.
    pub fn changed_progress(&mut self) -> Option<Vec<ShareProgress>> {
        if self.changes == self.told_changes {
            return None;
        }
        self.told_changes = self.changes;
        let loaded = self.shards.values().filter(|shard| !shard.is_loading);
        let all = loaded.flat_map(|shard| &shard.slots).filter_map(|(key, slot)| {
            let state = &slot.entry.as_ref()?.state;
            // Nobody has read it yet: where it begins is decided then.
            (state.start_offset >= 0).then(|| ShareProgress {
                group_id: key.group_id.clone(),
                id: key.id,
                start_offset: state.start_offset,
                delivery_complete_count: state.delivery_complete_count,
            })
        });
        Some(all.collect())
    }
}
