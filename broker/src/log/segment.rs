//! One segment: a file of batches, and the indexes beside it.
//!
//! Source: `org.apache.kafka.storage.internals.log.LogSegment`.

use std::cell::OnceCell;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::LogError;
use super::disk::{Disk, DiskFile};
use super::index::{EntryFile, OffsetEntry, TimeEntry};
use super::transactions::{self, AbortedTxn};
use crate::planted::Bug;
use crate::records::{BatchError, BatchHeader, HEADER_BYTES, validate};

const HEADER_WINDOW_BYTES: usize = 8 << 10;
const SCAN_WINDOW_BYTES: usize = 1 << 20;

pub(super) const LOG: &str = "log";
pub(super) const OFFSET_INDEX: &str = "index";
pub(super) const TIME_INDEX: &str = "timeindex";
pub(super) const TXN_INDEX: &str = "txnindex";

/// Ending of a segment's files while compaction makes it.
pub(super) const CLEANED: &str = ".cleaned";
/// And while it takes the place of others.
pub(super) const SWAP: &str = ".swap";

/// The directory of a partition.
pub(super) struct Store {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    /// What the names of all files end with: nothing, but for segments in the making.
    pub(super) ending: &'static str,
}

impl Store {
    /// `00000000000000000042.log` and the like.
    pub(super) fn path(&self, offset: i64, suffix: &str) -> PathBuf {
        self.dir.join(format!("{offset:020}.{suffix}{}", self.ending))
    }

    pub(super) fn remove_if_there(&self, offset: i64, suffix: &str) -> Result<(), LogError> {
        let path = self.path(offset, suffix);
        match self.disk.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LogError::io(&path)(error)),
            _ => Ok(()),
        }
    }
}

pub(super) struct Segment {
    pub(super) base_offset: i64,
    pub(super) size_bytes: u64,
    /// Offset after the last record; the base offset if there is none.
    pub(super) next_offset: i64,
    /// -1 if no record has one.
    pub(super) max_timestamp_ms: i64,
    /// Last offset of the batch that holds it.
    pub(super) max_timestamp_offset: i64,
    /// Of the first batch, once known.
    first_timestamp_ms: Option<i64>,
    /// When it was made or opened.
    pub(super) created_ms: i64,
    /// By how much it rolls earlier than `segment.ms` says, once drawn.
    pub(super) roll_jitter_ms: Option<i64>,
    bytes_since_index: u64,
    /// What a recovery found in it, until something is appended.
    producers_found: Option<ProducersFound>,
    /// Its file may be longer than what it holds (`preallocate`).
    is_allocated: bool,
    log: OnceCell<Box<dyn DiskFile>>,
    pub(super) offsets: EntryFile<8>,
    pub(super) times: EntryFile<12>,
    txns: EntryFile<{ transactions::ENTRY_BYTES }>,
}

/// Which traces of producers are among a segment's batches.
#[derive(Clone, Copy, Default)]
pub(super) struct ProducersFound {
    pub(super) any: bool,
    /// Their control batches too.
    pub(super) markers: bool,
}

impl ProducersFound {
    fn note(&mut self, header: &BatchHeader) {
        self.any |= header.has_producer_id();
        self.markers |= header.has_producer_id() && header.is_control();
    }
}

/// Where a scan ended, and what it met there.
pub(super) struct Scanned {
    pub(super) position: u64,
    pub(super) error: Option<BatchError>,
}

/// Called for each batch with its position, header, and (if asked for) its bytes. False ends the scan before the batch.
type Visit<'a> = dyn FnMut(u64, &BatchHeader, &[u8]) -> Result<bool, LogError> + 'a;

impl Segment {
    /// A new, empty segment; what stood there goes. Its file is given `allocated_bytes` of zeros to begin with.
    pub(super) fn create(
        store: &Store,
        base_offset: i64,
        allocated_bytes: u64,
        now_ms: i64,
    ) -> Result<Segment, LogError> {
        let path = store.path(base_offset, LOG);
        let file = (|| {
            let mut file = store.disk.open(&path, true)?;
            if !file.is_empty()? {
                file.truncate(0)?;
            }
            if allocated_bytes > 0 {
                file.truncate(allocated_bytes)?;
            }
            Ok(file)
        })()
        .map_err(LogError::io(&path))?;
        store.remove_if_there(base_offset, TXN_INDEX)?;
        let mut segment = Segment::new(base_offset, file, 0, now_ms);
        segment.is_allocated = allocated_bytes > 0;
        Ok(segment)
    }

    fn new(base_offset: i64, file: Box<dyn DiskFile>, size_bytes: u64, now_ms: i64) -> Segment {
        Segment {
            base_offset,
            size_bytes,
            next_offset: base_offset,
            max_timestamp_ms: -1,
            max_timestamp_offset: base_offset,
            first_timestamp_ms: None,
            created_ms: now_ms,
            roll_jitter_ms: None,
            bytes_since_index: 0,
            producers_found: None,
            is_allocated: false,
            log: OnceCell::from(file),
            offsets: EntryFile::empty(),
            times: EntryFile::empty(),
            txns: EntryFile::absent(),
        }
    }

    /// Opens a segment that somebody else may be writing. It ends where its file does, and what its index lacks costs a longer walk.
    pub(super) fn for_reading(store: &Store, base_offset: i64) -> Result<Segment, LogError> {
        let path = store.path(base_offset, LOG);
        let file = store.disk.open(&path, false).map_err(LogError::io(&path))?;
        let size_bytes = file.len().map_err(LogError::io(&path))?;
        let mut segment = Segment::new(base_offset, file, size_bytes, 0);
        segment.offsets = load_index(store, base_offset, OFFSET_INDEX)?.unwrap_or_else(EntryFile::absent);
        Ok(segment)
    }

    /// Opens a segment that exists. False: its indexes are missing or wrong, or its end is torn, so that it must be recovered.
    pub(super) fn load(store: &Store, base_offset: i64, now_ms: i64) -> Result<(Segment, bool), LogError> {
        let path = store.path(base_offset, LOG);
        let file = store.disk.open(&path, false).map_err(LogError::io(&path))?;
        let size_bytes = file.len().map_err(LogError::io(&path))?;
        let mut segment = Segment::new(base_offset, file, size_bytes, now_ms);
        let indexes = (
            load_index(store, base_offset, OFFSET_INDEX)?,
            load_index(store, base_offset, TIME_INDEX)?,
            load_index(store, base_offset, TXN_INDEX)?,
        );
        let (Some(offsets), Some(times)) = (indexes.0, indexes.1) else {
            return Ok((segment, false));
        };
        (segment.offsets, segment.times) = (offsets, times);
        segment.txns = indexes.2.unwrap_or_else(EntryFile::absent);
        let sound = segment.settle_tail(store)?;
        Ok((segment, sound))
    }

    /// Reads the batches after the last index entry, and so learns where the segment ends and its largest timestamp.
    /// False if index and batches do not fit together.
    fn settle_tail(&mut self, store: &Store) -> Result<bool, LogError> {
        let base = self.base_offset;
        let last = self.offsets.last().map(|entry| OffsetEntry::from_bytes(&entry));
        let last_time = self.times.last().map(|entry| TimeEntry::from_bytes(&entry));
        let start = last.map_or(0, |entry| u64::from(entry.position));
        if start >= self.size_bytes && last.is_some() {
            return Ok(false);
        }
        (self.max_timestamp_ms, self.max_timestamp_offset) =
            last_time.map_or((-1, base), |entry| (entry.timestamp_ms, base + i64::from(entry.relative_offset)));
        self.next_offset = base;
        self.bytes_since_index = self.size_bytes - start;
        let (mut next, mut max, mut fits) = (base, (self.max_timestamp_ms, self.max_timestamp_offset), true);
        let scanned = self.scan(store, start, false, &mut |position, header, _| {
            if let Some(entry) = last.filter(|_| position == start) {
                fits &= header.last_offset() == base + i64::from(entry.relative_offset);
            }
            fits &= header.base_offset >= next;
            next = header.next_offset();
            if header.max_timestamp > max.0 {
                max = (header.max_timestamp, header.last_offset());
            }
            Ok(fits)
        })?;
        (self.max_timestamp_ms, self.max_timestamp_offset) = max;
        self.next_offset = next;
        let time_fits = last_time.is_none_or(|entry| base + i64::from(entry.relative_offset) < next);
        Ok(fits && time_fits && scanned.error.is_none())
    }

    /// Checks every batch, cuts the file at the first that is unsound, and builds the indexes anew. Gives the bytes cut off.
    /// `is_next` is asked about each sound batch.
    pub(super) fn recover(
        &mut self,
        store: &Store,
        index_interval_bytes: u32,
        is_next: &mut dyn FnMut(&BatchHeader) -> bool,
    ) -> Result<u64, LogError> {
        let base = self.base_offset;
        (self.offsets, self.times, self.txns) = (EntryFile::empty(), EntryFile::empty(), EntryFile::absent());
        for suffix in [OFFSET_INDEX, TIME_INDEX, TXN_INDEX] {
            store.remove_if_there(base, suffix)?;
        }
        (self.next_offset, self.max_timestamp_ms, self.max_timestamp_offset) = (base, -1, base);
        (self.first_timestamp_ms, self.bytes_since_index) = (None, 0);
        let mut next = base;
        let mut tail = Tail::of(self);
        let mut entries = Vec::new();
        let mut producers = ProducersFound::default();
        let scanned = self.scan(store, 0, true, &mut |position, header, bytes| {
            let in_place = header.base_offset >= next && header.last_offset() - base <= i64::from(i32::MAX);
            let sound = validate(bytes).is_ok() || Bug::TornTailKept.is_planted();
            if !in_place || !sound || !is_next(header) {
                return Ok(false);
            }
            next = header.next_offset();
            producers.note(header);
            entries.extend(tail.take(base, position, header, index_interval_bytes));
            Ok(true)
        })?;
        self.next_offset = next;
        self.producers_found = Some(producers);
        (self.max_timestamp_ms, self.max_timestamp_offset, self.bytes_since_index) =
            (tail.max_timestamp_ms, tail.max_timestamp_offset, tail.bytes_since_index);
        for (offset, time) in entries {
            self.push_entries(store, offset, time)?;
        }
        let cut = self.size_bytes - scanned.position;
        if cut > 0 && !Bug::TornTailKept.is_planted() {
            self.truncate_file(store, scanned.position)?;
        }
        Ok(cut)
    }

    fn path(&self, store: &Store) -> PathBuf {
        store.path(self.base_offset, LOG)
    }

    fn file(&self, store: &Store) -> Result<&dyn DiskFile, LogError> {
        if let Some(file) = self.log.get() {
            return Ok(file.as_ref());
        }
        let path = self.path(store);
        let file = store.disk.open(&path, false).map_err(LogError::io(&path))?;
        Ok(self.log.get_or_init(|| file).as_ref())
    }

    fn file_mut(&mut self, store: &Store) -> Result<&mut Box<dyn DiskFile>, LogError> {
        self.file(store)?;
        self.log.get_mut().ok_or_else(|| LogError::io(&store.dir)(io::ErrorKind::NotFound.into()))
    }

    /// Appends whole batches, whose headers (with their final offsets) are given too.
    pub(super) fn append(
        &mut self,
        store: &Store,
        bytes: &[u8],
        headers: &[BatchHeader],
        index_interval_bytes: u32,
    ) -> Result<(), LogError> {
        let position = self.size_bytes;
        self.file_mut(store)?.write_all_at(bytes, position).map_err(|error| LogError::io(&self.path(store))(error))?;
        let mut tail = Tail::of(self);
        let mut at = position;
        for header in headers {
            if let Some((offset, time)) = tail.take(self.base_offset, at, header, index_interval_bytes) {
                self.push_entries(store, offset, time)?;
            }
            at += header.size_bytes() as u64;
            self.next_offset = header.next_offset();
        }
        self.producers_found = None;
        if position == 0 {
            self.first_timestamp_ms = headers.first().map(|header| header.max_timestamp);
        }
        self.size_bytes = at;
        (self.max_timestamp_ms, self.max_timestamp_offset, self.bytes_since_index) =
            (tail.max_timestamp_ms, tail.max_timestamp_offset, tail.bytes_since_index);
        Ok(())
    }

    fn push_entries(&mut self, store: &Store, offset: OffsetEntry, time: TimeEntry) -> Result<(), LogError> {
        let path = store.path(self.base_offset, OFFSET_INDEX);
        self.offsets.push(&*store.disk, &path, offset.to_bytes()).map_err(LogError::io(&path))?;
        self.push_time(store, time)
    }

    fn push_time(&mut self, store: &Store, time: TimeEntry) -> Result<(), LogError> {
        let last = self.times.last().map_or(-1, |entry| TimeEntry::from_bytes(&entry).timestamp_ms);
        if time.timestamp_ms <= last {
            return Ok(());
        }
        let path = store.path(self.base_offset, TIME_INDEX);
        self.times.push(&*store.disk, &path, time.to_bytes()).map_err(LogError::io(&path))
    }

    /// Notes an aborted transaction whose marker was appended here.
    pub(super) fn push_aborted(&mut self, store: &Store, txn: AbortedTxn) -> Result<(), LogError> {
        let path = store.path(self.base_offset, TXN_INDEX);
        self.txns.push(&*store.disk, &path, txn.to_bytes()).map_err(LogError::io(&path))?;
        self.txns.write_pending(&*store.disk, &path).map_err(LogError::io(&path))
    }

    /// Aborted transactions whose markers are here, in order of the markers.
    pub(super) fn aborted(&self, store: &Store) -> Result<Vec<AbortedTxn>, LogError> {
        let path = store.path(self.base_offset, TXN_INDEX);
        let entries = (0..self.txns.len()).map(|index| self.txns.get(&*store.disk, &path, index));
        entries.map(|entry| entry.map(|entry| AbortedTxn::from_bytes(&entry)).map_err(LogError::io(&path))).collect()
    }

    /// Which traces of producers there are from the batch at `start` on, perhaps counting some that lie before it.
    pub(super) fn producers_found(&self, store: &Store, start: u64) -> Result<ProducersFound, LogError> {
        if let Some(found) = self.producers_found {
            return Ok(found);
        }
        let mut found = ProducersFound::default();
        let scanned = self.scan(store, start, false, &mut |_, header, _| {
            found.note(header);
            Ok(!found.markers)
        })?;
        match scanned.error {
            Some(reason) => Err(self.corrupt(store, scanned.position, reason)),
            None => Ok(found),
        }
    }

    /// Walks over the batches from `from`, which must be the start of one.
    pub(super) fn scan(
        &self,
        store: &Store,
        from: u64,
        whole: bool,
        visit: &mut Visit<'_>,
    ) -> Result<Scanned, LogError> {
        let end = self.size_bytes;
        let mut window_bytes = if whole { SCAN_WINDOW_BYTES } else { HEADER_WINDOW_BYTES };
        let mut window = Vec::new();
        let (mut window_at, mut position) = (from, from);
        let torn = |position, needed| {
            Ok(Scanned { position, error: Some(BatchError::Incomplete { needed, have: (end - position) as usize }) })
        };
        while position < end {
            let mut needed = HEADER_BYTES;
            loop {
                if end - position < needed as u64 {
                    return torn(position, needed);
                }
                if position + needed as u64 > window_at + window.len() as u64 {
                    let len = (window_bytes.max(needed) as u64).min(end - position);
                    window.resize(len as usize, 0);
                    self.file(store)?
                        .read_exact_at(&mut window, position)
                        .map_err(|error| LogError::io(&self.path(store))(error))?;
                    window_at = position;
                }
                let bytes = &window[(position - window_at) as usize..];
                let header = match BatchHeader::parse(bytes) {
                    Ok(header) => header,
                    Err(error) => return Ok(Scanned { position, error: Some(error) }),
                };
                let size = header.size_bytes();
                if end - position < size as u64 {
                    return torn(position, size);
                }
                if whole && needed < size && bytes.len() < size {
                    needed = size;
                    continue;
                }
                let batch = if whole { &bytes[..size] } else { &bytes[..HEADER_BYTES] };
                if !visit(position, &header, batch)? {
                    return Ok(Scanned { position, error: None });
                }
                position += size as u64;
                if !whole {
                    // Of large batches a window would hold one header each.
                    window_bytes = if size < HEADER_WINDOW_BYTES { HEADER_WINDOW_BYTES } else { HEADER_BYTES };
                }
                break;
            }
        }
        Ok(Scanned { position, error: None })
    }

    pub(super) fn corrupt(&self, store: &Store, position: u64, reason: BatchError) -> LogError {
        LogError::Corrupt { path: self.path(store), position, reason }
    }

    /// Whole batches from `position` on, which must be the start of one: about `window_bytes`, but at least one. Empty at the end.
    pub(super) fn read_batches(&self, store: &Store, position: u64, window_bytes: usize) -> Result<Vec<u8>, LogError> {
        let left = usize::try_from(self.size_bytes - position).unwrap_or(usize::MAX);
        let mut window = vec![0; window_bytes.max(HEADER_BYTES).min(left)];
        self.read_exact(store, &mut window, position)?;
        let mut end = 0;
        while end < window.len() {
            let size = match BatchHeader::parse(&window[end..]) {
                Ok(header) => header.size_bytes(),
                // Cut off by the window, not by the file.
                Err(BatchError::Incomplete { .. }) if end > 0 && window.len() < left => break,
                Err(reason) => return Err(self.corrupt(store, position + end as u64, reason)),
            };
            if size <= window.len() - end {
                end += size;
            } else if end > 0 && window.len() < left {
                break;
            } else if size > left {
                let reason = BatchError::Incomplete { needed: size, have: left - end };
                return Err(self.corrupt(store, position + end as u64, reason));
            } else {
                let have = window.len();
                window.resize(size, 0);
                self.read_exact(store, &mut window[have..], position + have as u64)?;
            }
        }
        window.truncate(end);
        Ok(window)
    }

    /// Offset after the last record of a segment file, told by its batches alone.
    pub(super) fn end_of(store: &Store, base_offset: i64) -> Result<i64, LogError> {
        let segment = Segment::for_reading(store, base_offset)?;
        let mut end = base_offset;
        let scanned = segment.scan(store, 0, false, &mut |_, header, _| {
            end = header.next_offset();
            Ok(true)
        })?;
        match scanned.error {
            Some(reason) => Err(segment.corrupt(store, scanned.position, reason)),
            None => Ok(end),
        }
    }

    /// Bytes of the offset index and of the time index.
    pub(super) fn index_size_bytes(&self) -> (u64, u64) {
        (u64::from(self.offsets.len()) * 8, u64::from(self.times.len()) * 12)
    }

    /// Position and header of the first batch that ends at or after `offset`.
    pub(super) fn find(&self, store: &Store, offset: i64) -> Result<Option<(u64, BatchHeader)>, LogError> {
        if offset >= self.next_offset {
            return Ok(None);
        }
        let start = self.indexed_position(store, offset)?;
        let mut found = None;
        let scanned = self.scan(store, start, false, &mut |position, header, _| {
            if header.last_offset() >= offset {
                found = Some((position, *header));
            }
            Ok(found.is_none())
        })?;
        match scanned.error {
            Some(reason) => Err(self.corrupt(store, scanned.position, reason)),
            None => Ok(found),
        }
    }

    /// Position of a batch at or before the one that holds `offset`.
    pub(super) fn indexed_position(&self, store: &Store, offset: i64) -> Result<u64, LogError> {
        let path = store.path(self.base_offset, OFFSET_INDEX);
        let relative = offset - self.base_offset;
        let before = |entry: &[u8; 8]| i64::from(OffsetEntry::from_bytes(entry).relative_offset) <= relative;
        let entry = self.offsets.last_where(&*store.disk, &path, before).map_err(LogError::io(&path))?;
        Ok(entry.map_or(0, |entry| u64::from(OffsetEntry::from_bytes(&entry).position)))
    }

    /// Offset of a batch before which no timestamp reaches `timestamp_ms`, or the base offset.
    pub(super) fn indexed_time(&self, store: &Store, timestamp_ms: i64) -> Result<i64, LogError> {
        let path = store.path(self.base_offset, TIME_INDEX);
        let before = |entry: &[u8; 12]| TimeEntry::from_bytes(entry).timestamp_ms < timestamp_ms;
        let entry = self.times.last_where(&*store.disk, &path, before).map_err(LogError::io(&path))?;
        Ok(self.base_offset + entry.map_or(0, |entry| i64::from(TimeEntry::from_bytes(&entry).relative_offset)))
    }

    pub(super) fn read_exact(&self, store: &Store, buffer: &mut [u8], position: u64) -> Result<(), LogError> {
        self.file(store)?.read_exact_at(buffer, position).map_err(|error| LogError::io(&self.path(store))(error))
    }

    pub(super) fn read_at(&self, store: &Store, len: usize, position: u64) -> Result<Vec<u8>, LogError> {
        self.file(store)?.read_at(len, position).map_err(|error| LogError::io(&self.path(store))(error))
    }

    fn truncate_file(&mut self, store: &Store, len: u64) -> Result<(), LogError> {
        let path = self.path(store);
        self.file_mut(store)?.truncate(len).map_err(LogError::io(&path))?;
        self.size_bytes = len;
        self.is_allocated = false;
        Ok(())
    }

    /// Cuts off the batch that holds `offset` and all after it.
    pub(super) fn truncate_to(&mut self, store: &Store, offset: i64) -> Result<(), LogError> {
        let Some((position, _)) = self.find(store, offset)? else { return Ok(()) };
        self.truncate_file(store, position)?;
        let relative = offset - self.base_offset;
        let disk = &*store.disk;
        let path = store.path(self.base_offset, OFFSET_INDEX);
        let kept = |entry: &[u8; 8]| {
            let entry = OffsetEntry::from_bytes(entry);
            i64::from(entry.relative_offset) < relative && u64::from(entry.position) < position
        };
        let len = self.offsets.partition_point(disk, &path, kept).map_err(LogError::io(&path))?;
        self.offsets.truncate(disk, &path, len).map_err(LogError::io(&path))?;
        let path = store.path(self.base_offset, TIME_INDEX);
        let kept = |entry: &[u8; 12]| i64::from(TimeEntry::from_bytes(entry).relative_offset) < relative;
        let len = self.times.partition_point(disk, &path, kept).map_err(LogError::io(&path))?;
        self.times.truncate(disk, &path, len).map_err(LogError::io(&path))?;
        let path = store.path(self.base_offset, TXN_INDEX);
        let kept = |entry: &[u8; transactions::ENTRY_BYTES]| AbortedTxn::from_bytes(entry).last_offset < offset;
        let len = self.txns.partition_point(disk, &path, kept).map_err(LogError::io(&path))?;
        self.txns.truncate(disk, &path, len).map_err(LogError::io(&path))?;
        self.first_timestamp_ms = self.first_timestamp_ms.filter(|_| position > 0);
        if !self.settle_tail(store)? {
            return Err(self.corrupt(
                store,
                position,
                BatchError::Invalid("what is left after a truncation does not fit its indexes"),
            ));
        }
        Ok(())
    }

    /// Timestamp of the first batch, by which the segment's age is told.
    pub(super) fn first_timestamp_ms(&mut self, store: &Store) -> Result<Option<i64>, LogError> {
        if self.first_timestamp_ms.is_none() && self.size_bytes > 0 {
            let mut header = [0; HEADER_BYTES];
            self.read_exact(store, &mut header, 0)?;
            self.first_timestamp_ms = BatchHeader::parse(&header).ok().map(|header| header.max_timestamp);
        }
        Ok(self.first_timestamp_ms.filter(|&timestamp| timestamp >= 0))
    }

    /// When the segment's last record was written, as far as its records tell.
    pub(super) fn last_written_ms(&self) -> i64 {
        if self.max_timestamp_ms >= 0 { self.max_timestamp_ms } else { self.created_ms }
    }

    /// Whether an index has no room for another entry.
    pub(super) fn is_index_full(&self, segment_index_bytes: u32) -> bool {
        self.offsets.len() >= segment_index_bytes / 8 || self.times.len() + 1 >= segment_index_bytes / 12
    }

    /// Completes the index files and gives back what was allocated in vain: the segment is closed, or no longer the active one.
    /// An empty segment needs no indexes. True if the file was cut: a loss of power must not bring back zeros that others come after.
    pub(super) fn complete(&mut self, store: &Store) -> Result<bool, LogError> {
        let is_cut = self.is_allocated;
        if is_cut {
            self.truncate_file(store, self.size_bytes)?;
        }
        if self.size_bytes == 0 {
            return Ok(is_cut);
        }
        if self.max_timestamp_ms >= 0 {
            let relative_offset = (self.max_timestamp_offset - self.base_offset) as u32;
            self.push_time(store, TimeEntry { timestamp_ms: self.max_timestamp_ms, relative_offset })?;
        }
        let path = store.path(self.base_offset, OFFSET_INDEX);
        self.offsets.write_pending(&*store.disk, &path).map_err(LogError::io(&path))?;
        let path = store.path(self.base_offset, TIME_INDEX);
        self.times.write_pending(&*store.disk, &path).map_err(LogError::io(&path))?;
        Ok(is_cut)
    }

    /// Makes the batches durable.
    pub(super) fn flush(&mut self, store: &Store) -> Result<(), LogError> {
        let path = self.path(store);
        self.file_mut(store)?.sync().map_err(LogError::io(&path))
    }

    /// Makes the indexes durable. False if they were.
    pub(super) fn flush_indexes(&mut self, store: &Store) -> Result<bool, LogError> {
        let path = store.path(self.base_offset, OFFSET_INDEX);
        let offsets = self.offsets.sync(&*store.disk, &path).map_err(LogError::io(&path))?;
        let path = store.path(self.base_offset, TIME_INDEX);
        let times = self.times.sync(&*store.disk, &path).map_err(LogError::io(&path))?;
        let path = store.path(self.base_offset, TXN_INDEX);
        let txns = self.txns.sync(&*store.disk, &path).map_err(LogError::io(&path))?;
        Ok(offsets || times || txns)
    }

    /// Closes the files until they are needed again.
    pub(super) fn release(&mut self) {
        self.log.take();
        self.release_indexes();
    }

    pub(super) fn release_indexes(&mut self) {
        self.offsets.release();
        self.times.release();
        self.txns.release();
    }

    /// Removes the segment's files; the batches first, since an index without them is removed at the next start.
    pub(super) fn delete(mut self, store: &Store) -> Result<(), LogError> {
        self.release();
        for suffix in [LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX] {
            store.remove_if_there(self.base_offset, suffix)?;
        }
        Ok(())
    }
}

pub(super) fn load_index<const N: usize>(
    store: &Store,
    base_offset: i64,
    suffix: &str,
) -> Result<Option<EntryFile<N>>, LogError> {
    let path = store.path(base_offset, suffix);
    match EntryFile::load(&*store.disk, &path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        loaded => loaded.map_err(LogError::io(&path)),
    }
}

/// What decides whether a batch gets index entries.
struct Tail {
    max_timestamp_ms: i64,
    max_timestamp_offset: i64,
    bytes_since_index: u64,
}

impl Tail {
    fn of(segment: &Segment) -> Tail {
        Tail {
            max_timestamp_ms: segment.max_timestamp_ms,
            max_timestamp_offset: segment.max_timestamp_offset,
            bytes_since_index: segment.bytes_since_index,
        }
    }

    fn take(
        &mut self,
        base: i64,
        position: u64,
        header: &BatchHeader,
        interval_bytes: u32,
    ) -> Option<(OffsetEntry, TimeEntry)> {
        if header.max_timestamp > self.max_timestamp_ms {
            (self.max_timestamp_ms, self.max_timestamp_offset) = (header.max_timestamp, header.last_offset());
        }
        let due = self.bytes_since_index > u64::from(interval_bytes);
        if due {
            self.bytes_since_index = 0;
        }
        self.bytes_since_index += header.size_bytes() as u64;
        due.then(|| {
            let relative_offset = (self.max_timestamp_offset - base) as u32;
            let time = TimeEntry { timestamp_ms: self.max_timestamp_ms, relative_offset };
            (OffsetEntry { relative_offset: (header.last_offset() - base) as u32, position: position as u32 }, time)
        })
    }
}
