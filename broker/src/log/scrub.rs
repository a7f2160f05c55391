//! A scrub: every byte of a log is read and checked, and nothing is changed. Kafka has none: what rots below the recovery point shows
//! there only when somebody reads it.
//!
//! Checked are the batches (checksum, offsets, leader epochs), the entries of the indexes against them, and the small files beside them.
//! Where a batch is so damaged that its end is not known, the scrub goes on at the next batch that the offset index knows.

use super::append::MAX_CONTROL_BYTES;
use super::disk::Disk;
use super::epochs::LeaderEpochs;
use super::index::{EntryFile, OffsetEntry, TimeEntry};
use super::partition_log::{EPOCHS_FILE, SNAPSHOT};
use super::recovery::{MAX_EPOCHS_BYTES, MAX_SNAPSHOT_BYTES};
use super::segment::{LOG, OFFSET_INDEX, Segment, TIME_INDEX, TXN_INDEX};
use super::{AbortedTxn, Log, LogError, snapshot};
use crate::records::control::control_type;
use crate::records::{BatchError, BatchHeader, HEADER_BYTES, records, validate};
use crate::types::TopicPartition;

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;
/// Index entries read at once.
const BLOCK_ENTRIES: u32 = 1024;
/// Findings told of one file; more of them say nothing new.
const MAX_FINDINGS_PER_FILE: usize = 16;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Whose log, as `topic-partition`.
    pub partition: String,
    /// File in the partition's directory.
    pub file: String,
    /// Where in it.
    pub position: u64,
    /// First offset concerned; -1 if it is not about records.
    pub first_offset: i64,
    /// Last offset concerned, or -1.
    pub last_offset: i64,
    /// What is wrong, in one sentence.
    pub problem: String,
}

/// A scrub of one log, under way.
pub struct Scrub {
    partition: TopicPartition,
    structure: u64,
    segment: usize,
    walk: Walk,
    bytes_done: u64,
    batches: u64,
    findings: Vec<Finding>,
    is_done: bool,
}

/// Where the scrub stands in a segment.
struct Walk {
    position: u64,
    next_offset: i64,
    last_epoch: i32,
    max_timestamp_ms: i64,
    offsets: Cursor<8>,
    times: Cursor<12>,
    in_file: usize,
}

/// The entries of an index, in order, a block at a time.
struct Cursor<const N: usize> {
    block: Vec<[u8; N]>,
    first: u32,
    next: u32,
}

impl<const N: usize> Cursor<N> {
    fn new() -> Cursor<N> {
        Cursor { block: Vec::new(), first: 0, next: 0 }
    }

    fn peek(
        &mut self,
        disk: &dyn Disk,
        path: &std::path::Path,
        file: &EntryFile<N>,
    ) -> std::io::Result<Option<[u8; N]>> {
        if self.next >= file.len() {
            return Ok(None);
        }
        if self.next >= self.first + self.block.len() as u32 || self.next < self.first {
            self.first = self.next;
            self.block = file.block(disk, path, self.next, BLOCK_ENTRIES)?;
        }
        Ok(self.block.get((self.next - self.first) as usize).copied())
    }
}

impl Walk {
    fn new(next_offset: i64, last_epoch: i32) -> Walk {
        Walk {
            position: 0,
            next_offset,
            last_epoch,
            max_timestamp_ms: -1,
            offsets: Cursor::new(),
            times: Cursor::new(),
            in_file: 0,
        }
    }
}

impl Scrub {
    /// A scrub of that log, from its beginning.
    pub fn begin(log: &Log) -> Scrub {
        let first = log.segments.first().map_or(0, |segment| segment.base_offset);
        Scrub {
            partition: log.topic_partition.clone(),
            structure: log.structure,
            segment: 0,
            walk: Walk::new(first, -1),
            bytes_done: 0,
            batches: 0,
            findings: Vec::new(),
            is_done: false,
        }
    }

    /// Bytes of batches read so far.
    pub fn bytes_done(&self) -> u64 {
        self.bytes_done
    }

    /// Batches checked so far.
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// What was found so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Reads and checks about `budget_bytes` more; true when all is done. A log that was truncated or compacted meanwhile is begun anew.
    pub fn step(&mut self, log: &Log, budget_bytes: u64) -> bool {
        if self.structure != log.structure {
            *self = Scrub::begin(log);
        }
        let end = self.bytes_done + budget_bytes;
        while !self.is_done && self.bytes_done < end {
            match log.segments.get(self.segment) {
                Some(segment) => self.step_segment(log, segment),
                None => {
                    self.check_small_files(log);
                    self.is_done = true;
                }
            }
        }
        self.is_done
    }

    fn step_segment(&mut self, log: &Log, segment: &Segment) {
        if self.walk.position < segment.size_bytes {
            let from = self.walk.position;
            self.read_some(log, segment);
            self.bytes_done += self.walk.position - from;
            return;
        }
        self.finish_indexes(log, segment);
        self.check_aborted(log, segment);
        self.segment += 1;
        let next = log.segments.get(self.segment).map_or(segment.next_offset, |next| next.base_offset);
        self.walk = Walk::new(next, self.walk.last_epoch);
        if next < segment.next_offset {
            let problem = format!("the next segment begins at {next}, before this one ends");
            self.find(segment, LOG, segment.size_bytes, (next, segment.next_offset - 1), problem);
        }
    }

    fn read_some(&mut self, log: &Log, segment: &Segment) {
        let at = self.walk.position;
        let left = usize::try_from(segment.size_bytes - at).unwrap_or(usize::MAX);
        let mut window = vec![0; READ_BYTES.min(left)];
        if let Err(error) = segment.read_exact(&log.store, &mut window, at) {
            return self.skip_unreadable(log, segment, &error, window.len() as u64);
        }
        let mut start = 0;
        while start < window.len() {
            let position = at + start as u64;
            let header = match BatchHeader::parse(&window[start..]) {
                Ok(header) => header,
                Err(BatchError::Incomplete { .. }) if start > 0 && window.len() < left => break,
                Err(error) => return self.skip_damaged(log, segment, position, &error),
            };
            let size = header.size_bytes();
            if size > left - start {
                let error = BatchError::Incomplete { needed: size, have: left - start };
                return self.skip_damaged(log, segment, position, &error);
            }
            if size > window.len() - start {
                if start > 0 {
                    break;
                }
                let have = window.len();
                window.resize(size, 0);
                if let Err(error) = segment.read_exact(&log.store, &mut window[have..], position + have as u64) {
                    return self.skip_unreadable(log, segment, &error, size as u64);
                }
            }
            // A length that is wrong by chance is told by what follows it.
            let follows =
                window[start + size..].get(..HEADER_BYTES).is_none_or(|next| BatchHeader::parse(next).is_ok());
            let checked = validate(&window[start..start + size]);
            if let (Err(error), false) = (&checked, follows) {
                return self.skip_damaged(log, segment, position, error);
            }
            self.check_batch(log, segment, position, &header, &window[start..start + size], checked.err());
            start += size;
            self.walk.position = at + start as u64;
        }
    }

    fn check_batch(
        &mut self,
        log: &Log,
        segment: &Segment,
        position: u64,
        header: &BatchHeader,
        batch: &[u8],
        error: Option<BatchError>,
    ) {
        self.batches += 1;
        let offsets = (header.base_offset, header.last_offset());
        let mut problems = Vec::new();
        let is_whole = error.is_none();
        problems.extend(error.map(|error| error.to_string()));
        if header.base_offset < self.walk.next_offset {
            problems
                .push(format!("the batch begins at {}, but {} was to come", header.base_offset, self.walk.next_offset));
        }
        let is_inside = header.base_offset >= segment.base_offset && header.last_offset() < segment.next_offset;
        if !is_inside {
            problems.push("the batch's offsets lie outside of its segment".to_owned());
        }
        let epoch = header.partition_leader_epoch;
        if epoch < self.walk.last_epoch {
            problems.push(format!("leader epoch {epoch} follows {}", self.walk.last_epoch));
        } else if let Some(known) = log.epoch_at(header.base_offset)
            && known != epoch
            && header.base_offset >= log.log_start_offset
        {
            problems.push(format!("the batch is of leader epoch {epoch}, by the epoch cache it is of {known}"));
        }
        if header.is_control() && problems.is_empty() {
            problems.extend(control_problem(batch).map(|error| error.to_string()));
        }
        let is_sound = problems.is_empty();
        for problem in problems {
            self.find(segment, LOG, position, offsets, problem);
        }
        self.check_offset_index(log, segment, position, Some(header));
        self.check_time_index(log, segment, header);
        // What a damaged header says must not condemn what follows.
        if is_whole && is_inside {
            self.walk.next_offset = header.next_offset();
        }
        if is_sound {
            self.walk.last_epoch = epoch;
        }
    }

    /// Entries up to `position` must point to batches; the one at it, to `header`.
    fn check_offset_index(&mut self, log: &Log, segment: &Segment, position: u64, header: Option<&BatchHeader>) {
        let path = log.store.path(segment.base_offset, OFFSET_INDEX);
        loop {
            let entry = match self.walk.offsets.peek(&*log.store.disk, &path, &segment.offsets) {
                Ok(Some(entry)) => OffsetEntry::from_bytes(&entry),
                Ok(None) => return,
                Err(error) => return self.index_unreadable(segment, OFFSET_INDEX, &error),
            };
            let at = u64::from(entry.position);
            if at > position {
                return;
            }
            let offset = segment.base_offset + i64::from(entry.relative_offset);
            let place = u64::from(self.walk.offsets.next) * 8;
            self.walk.offsets.next += 1;
            match header.filter(|_| at == position) {
                Some(header) if header.last_offset() == offset => {}
                Some(header) => {
                    let last = header.last_offset();
                    let problem =
                        format!("an entry says that the batch at {at} ends with offset {offset}, it ends with {last}");
                    self.find(segment, OFFSET_INDEX, place, (offset, offset), problem);
                }
                None => {
                    let problem = format!("an entry for offset {offset} points to {at}, where no batch begins");
                    self.find(segment, OFFSET_INDEX, place, (offset, offset), problem);
                }
            }
        }
    }

    /// An entry is of the batch that holds its offset, and tells the largest timestamp up to there.
    fn check_time_index(&mut self, log: &Log, segment: &Segment, header: &BatchHeader) {
        self.walk.max_timestamp_ms = self.walk.max_timestamp_ms.max(header.max_timestamp);
        let path = log.store.path(segment.base_offset, TIME_INDEX);
        loop {
            let entry = match self.walk.times.peek(&*log.store.disk, &path, &segment.times) {
                Ok(Some(entry)) => TimeEntry::from_bytes(&entry),
                Ok(None) => return,
                Err(error) => return self.index_unreadable(segment, TIME_INDEX, &error),
            };
            let offset = segment.base_offset + i64::from(entry.relative_offset);
            if offset > header.last_offset() {
                return;
            }
            let place = u64::from(self.walk.times.next) * 12;
            self.walk.times.next += 1;
            if entry.timestamp_ms != self.walk.max_timestamp_ms {
                let (told, found) = (entry.timestamp_ms, self.walk.max_timestamp_ms);
                let problem =
                    format!("an entry says that {told} is the largest timestamp up to offset {offset}, it is {found}");
                self.find(segment, TIME_INDEX, place, (offset, offset), problem);
            }
        }
    }

    fn finish_indexes(&mut self, log: &Log, segment: &Segment) {
        self.check_offset_index(log, segment, u64::MAX, None);
        let path = log.store.path(segment.base_offset, TIME_INDEX);
        if let Ok(Some(entry)) = self.walk.times.peek(&*log.store.disk, &path, &segment.times) {
            let offset = segment.base_offset + i64::from(TimeEntry::from_bytes(&entry).relative_offset);
            let place = u64::from(self.walk.times.next) * 12;
            let problem = format!("an entry is of offset {offset}, which is not in the segment");
            self.find(segment, TIME_INDEX, place, (offset, offset), problem);
        }
    }

    fn check_aborted(&mut self, log: &Log, segment: &Segment) {
        let aborted = match segment.aborted(&log.store) {
            Ok(aborted) => aborted,
            Err(error) => return self.find(segment, TXN_INDEX, 0, (-1, -1), error.to_string()),
        };
        let mut last = i64::MIN;
        for (index, txn) in aborted.iter().enumerate() {
            let AbortedTxn { first_offset, last_offset, .. } = *txn;
            let is_here = (segment.base_offset..segment.next_offset).contains(&last_offset);
            if !is_here || first_offset > last_offset || last_offset <= last {
                let problem = format!("an entry says that a transaction was aborted at {last_offset}, which cannot be");
                let place = (index * super::transactions::ENTRY_BYTES) as u64;
                self.find(segment, TXN_INDEX, place, (first_offset, last_offset), problem);
            }
            last = last_offset;
        }
    }

    fn check_small_files(&mut self, log: &Log) {
        let names = match log.store.disk.list(&log.store.dir) {
            Ok(names) => names,
            Err(error) => return self.find_in(log.store.dir.display().to_string(), 0, (-1, -1), error.to_string()),
        };
        for name in names {
            let limit = match name.as_str() {
                EPOCHS_FILE => MAX_EPOCHS_BYTES,
                name if name.ends_with(SNAPSHOT) => MAX_SNAPSHOT_BYTES,
                _ => continue,
            };
            let problem = match log.store.disk.read(&log.store.dir.join(&name), limit) {
                Err(error) => Some(error.to_string()),
                Ok(text) if name == EPOCHS_FILE => match LeaderEpochs::decode(&text) {
                    Ok(epochs) if epochs == log.epochs => None,
                    Ok(_) => Some("the file holds other epochs than the log".to_owned()),
                    Err(reason) => Some(reason),
                },
                Ok(bytes) => snapshot::decode(&bytes).err(),
            };
            if let Some(problem) = problem {
                self.find_in(name, 0, (-1, -1), problem);
            }
        }
    }

    /// A batch whose end is not known: on with the next that the index knows.
    fn skip_damaged(&mut self, log: &Log, segment: &Segment, position: u64, error: &BatchError) {
        let problem = error.to_string();
        self.skip(log, segment, position, problem);
    }

    fn skip_unreadable(&mut self, log: &Log, segment: &Segment, error: &LogError, bytes: u64) {
        let position = self.walk.position;
        let problem = format!("{bytes} bytes cannot be read: {error}");
        self.skip(log, segment, position, problem);
    }

    fn skip(&mut self, log: &Log, segment: &Segment, position: u64, problem: String) {
        let first = self.walk.next_offset;
        let (next_position, next_offset) = self.next_indexed(log, segment, position);
        self.find(segment, LOG, position, (first, (next_offset - 1).max(first)), problem);
        self.walk.position = next_position;
        // The entry tells the last offset of its batch, so that the batch itself may begin anywhere after the damage.
    }

    /// Position of the first indexed batch after `position`, and an offset that it does not begin after; else the segment's end.
    fn next_indexed(&mut self, log: &Log, segment: &Segment, position: u64) -> (u64, i64) {
        let path = log.store.path(segment.base_offset, OFFSET_INDEX);
        while let Ok(Some(entry)) = self.walk.offsets.peek(&*log.store.disk, &path, &segment.offsets) {
            let entry = OffsetEntry::from_bytes(&entry);
            if u64::from(entry.position) > position {
                return (u64::from(entry.position), segment.base_offset + i64::from(entry.relative_offset));
            }
            self.walk.offsets.next += 1;
        }
        (segment.size_bytes, segment.next_offset)
    }

    fn index_unreadable(&mut self, segment: &Segment, suffix: &str, error: &std::io::Error) {
        let problem = format!("the index cannot be read: {error}");
        self.find(segment, suffix, 0, (-1, -1), problem);
        (self.walk.offsets.next, self.walk.times.next) = (u32::MAX, u32::MAX);
    }

    fn find(&mut self, segment: &Segment, suffix: &str, position: u64, offsets: (i64, i64), problem: String) {
        self.walk.in_file += 1;
        if self.walk.in_file <= MAX_FINDINGS_PER_FILE {
            self.find_in(format!("{:020}.{suffix}", segment.base_offset), position, offsets, problem);
        }
    }

    fn find_in(&mut self, file: String, position: u64, (first_offset, last_offset): (i64, i64), problem: String) {
        let partition = self.partition.to_string();
        self.findings.push(Finding { partition, file, position, first_offset, last_offset, problem });
    }
}

/// A control batch must hold what its type says.
fn control_problem(batch: &[u8]) -> Option<BatchError> {
    let check = || -> Result<(), BatchError> {
        for record in records(batch, MAX_CONTROL_BYTES)? {
            control_type(&record?.key.unwrap_or_default())?;
        }
        Ok(())
    };
    check().err()
}
