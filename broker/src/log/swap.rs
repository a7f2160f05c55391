//! Putting a cleaned copy in the place of the segments it was made from, so that whatever interrupts this leaves the old ones or the
//! new one.
//!
//! 1. The copy is written and made durable as `.cleaned`. A start that finds one removes it.
//! 2. Its files are renamed to `.swap`. A start that finds a `.log.swap` and no `.cleaned` of the same or a lower offset finishes the job.
//! 3. The old files are removed.
//! 4. The copy gets its name.
//!
//! Each step is durable before the next. Source: `LocalLog.replaceSegments`, `LogLoader.load`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::partition_log::SNAPSHOT;
use super::segment::{CLEANED, LOG, OFFSET_INDEX, SWAP, Segment, Store, TIME_INDEX, TXN_INDEX};
use super::{Log, LogError};

const SEGMENT_FILES: [&str; 4] = [LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX];

impl Log {
    /// Puts `copy` in the place of the segments that begin at `bases`.
    pub(super) fn swap_in(&mut self, mut copy: Segment, bases: &[i64]) -> Result<(), LogError> {
        self.change(|log| {
            let (Some(&first), Some(from)) = (bases.first(), bases.first().and_then(|base| log.segment_index(*base)))
            else {
                return Err(LogError::InvalidRecord("the segments to be replaced are not there"));
            };
            copy.release();
            let at = |ending| Store { disk: Arc::clone(&log.store.disk), dir: log.store.dir.clone(), ending };
            let (cleaned, swap) = (at(CLEANED), at(SWAP));
            rename_segment(&cleaned, &swap, first)?;
            sync_dir(&log.store)?;
            let old: Vec<Segment> = log.segments.splice(from..from + bases.len(), [copy]).collect();
            for segment in old {
                log.size_bytes -= segment.size_bytes;
                if segment.base_offset != first {
                    log.store.remove_if_there(segment.base_offset, SNAPSHOT)?;
                }
                segment.delete(&log.store)?;
            }
            log.size_bytes += log.segments[from].size_bytes;
            sync_dir(&log.store)?;
            rename_segment(&swap, &log.store, first)?;
            sync_dir(&log.store)?;
            log.structure += 1;
            Ok(())
        })
    }
}

fn sync_dir(store: &Store) -> Result<(), LogError> {
    store.disk.sync_dir(&store.dir).map_err(LogError::io(&store.dir))
}

/// Gives the files of a segment other endings.
fn rename_segment(from: &Store, to: &Store, base_offset: i64) -> Result<(), LogError> {
    for suffix in SEGMENT_FILES {
        let (old, new) = (from.path(base_offset, suffix), to.path(base_offset, suffix));
        match from.disk.rename(&old, &new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(LogError::io(&old)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Finishes or undoes what was interrupted, and removes what nobody needs: `.cleaned`, `.deleted` and `.tmp` files. Gives how many segments
/// got their names.
pub(super) fn settle_swaps(store: &Store) -> Result<usize, LogError> {
    let names = list(store)?;
    let lowest_cleaned = names.iter().filter(|name| name.ends_with(CLEANED)).filter_map(|name| offset_of(name)).min();
    // A `.swap` at or above it is one of several that were not all ready.
    let is_void = |name: &str| {
        name.ends_with(SWAP)
            && lowest_cleaned.is_some_and(|lowest| offset_of(name).is_some_and(|offset| offset >= lowest))
    };
    let is_left_over = |name: &str| [CLEANED, ".deleted", ".tmp"].iter().any(|end| name.ends_with(end));
    let voids = names.iter().filter(|name| is_void(name));
    for name in voids.chain(names.iter().filter(|name| is_left_over(name))) {
        remove(store, &store.dir.join(name))?;
    }
    let swaps: Vec<&String> = names.iter().filter(|name| name.ends_with(SWAP) && !is_void(name)).collect();
    if swaps.is_empty() {
        return Ok(0);
    }
    let swap = Store { disk: Arc::clone(&store.disk), dir: store.dir.clone(), ending: SWAP };
    let (mut from, mut to) = (i64::MAX, i64::MIN);
    let logs = swaps.iter().filter(|name| name.split_once('.').is_some_and(|(_, suffix)| suffix == "log.swap"));
    let bases: BTreeSet<i64> = logs.filter_map(|name| offset_of(name)).collect();
    for &base in &bases {
        (from, to) = (from.min(base), to.max(Segment::end_of(&swap, base)?));
    }
    for name in names.iter().filter(|name| !name.ends_with(SWAP) && !is_left_over(name)) {
        if offset_of(name).is_some_and(|offset| (from..to).contains(&offset)) {
            remove(store, &store.dir.join(name))?;
        }
    }
    sync_dir(store)?;
    for base in swaps.iter().filter_map(|name| offset_of(name)) {
        rename_segment(&swap, store, base)?;
    }
    sync_dir(store)?;
    Ok(bases.len())
}

fn list(store: &Store) -> Result<Vec<String>, LogError> {
    store.disk.list(&store.dir).map_err(LogError::io(&store.dir))
}

fn remove(store: &Store, path: &Path) -> Result<(), LogError> {
    match store.disk.remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LogError::io(path)(error)),
        _ => Ok(()),
    }
}

/// `00000000000000000042.log.swap` is of offset 42.
fn offset_of(name: &str) -> Option<i64> {
    let (stem, _) = name.split_once('.')?;
    stem.parse().ok().filter(|offset| *offset >= 0 && stem.len() == 20)
}
