//! The newest lines, in chunks that are shared with readers: a reader's copy costs some hundred counts of references, whatever is in it.

use std::collections::VecDeque;
use std::sync::Arc;

use broker::logging::LogLine;

use super::entry::Entry;

/// How many lines are kept.
pub const LINES_MAX: usize = 50_000;

/// What they may take in memory.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// A chunk is full with so many lines, …
const CHUNK_LINES: usize = 512;

/// … or with so many bytes.
const CHUNK_BYTES: usize = 256 * 1024;

/// Lines with numbers that follow each other.
pub type Chunk = Arc<Vec<Arc<Entry>>>;

/// The lines as they were when they were published.
#[derive(Clone, Debug, Default)]
pub struct LogLines {
    chunks: Arc<VecDeque<Chunk>>,
    next_seq: u64,
}

/// The ring; whole chunks fall out of it.
#[derive(Debug)]
pub struct Ring {
    chunks: VecDeque<Chunk>,
    lines: usize,
    bytes: usize,
    last_chunk_bytes: usize,
    next_seq: u64,
}

impl Default for Ring {
    fn default() -> Ring {
        Ring { chunks: VecDeque::new(), lines: 0, bytes: 0, last_chunk_bytes: 0, next_seq: 1 }
    }
}

impl Ring {
    /// Adds a line. Returns it, and what fell out for it.
    pub fn push(&mut self, line: LogLine) -> (Arc<Entry>, Vec<Chunk>) {
        let entry = Arc::new(Entry::new(self.next_seq, line));
        let bytes = entry.bytes();
        self.next_seq += 1;
        let is_full = |chunk: &Chunk| chunk.len() >= CHUNK_LINES || self.last_chunk_bytes >= CHUNK_BYTES;
        if self.chunks.back().is_none_or(is_full) {
            self.chunks.push_back(Arc::default());
            self.last_chunk_bytes = 0;
        }
        if let Some(chunk) = self.chunks.back_mut() {
            // Readers keep the chunk as it was when they got it.
            Arc::make_mut(chunk).push(entry.clone());
        }
        self.lines += 1;
        self.bytes += bytes;
        self.last_chunk_bytes += bytes;
        (entry, self.shrink())
    }

    fn shrink(&mut self) -> Vec<Chunk> {
        let mut fallen = Vec::new();
        while (self.lines > LINES_MAX || self.bytes > BYTES_MAX)
            && self.chunks.len() > 1
            && let Some(chunk) = self.chunks.pop_front()
        {
            self.lines -= chunk.len();
            self.bytes -= chunk.iter().map(|entry| entry.bytes()).sum::<usize>();
            fallen.push(chunk);
        }
        fallen
    }

    /// The number of the next line.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// For readers.
    pub fn lines(&self) -> LogLines {
        LogLines { chunks: Arc::new(self.chunks.clone()), next_seq: self.next_seq }
    }
}

impl LogLines {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The number of the oldest line that is kept; that of the next, if there is none.
    pub fn first_seq(&self) -> u64 {
        self.chunks.front().and_then(|chunk| chunk.first()).map_or(self.next_seq, |entry| entry.seq)
    }

    /// The number that the next line will have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq.max(1)
    }

    /// A line by its number.
    pub fn get(&self, seq: u64) -> Option<&Arc<Entry>> {
        let after = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first.seq <= seq));
        let chunk = self.chunks.get(after.checked_sub(1)?)?;
        chunk.get(usize::try_from(seq - chunk.first()?.seq).ok()?)
    }

    /// From this number on, the oldest first.
    pub fn from(&self, seq: u64) -> impl Iterator<Item = &Arc<Entry>> {
        let after = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first.seq <= seq));
        let chunks = self.chunks.range(after.saturating_sub(1)..);
        chunks.flat_map(|chunk| chunk.iter()).skip_while(move |entry| entry.seq < seq)
    }

    /// Those before this number, the newest first.
    pub fn before(&self, seq: u64) -> impl Iterator<Item = &Arc<Entry>> {
        let after = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first.seq < seq));
        let chunks = self.chunks.range(..after).rev();
        chunks.flat_map(|chunk| chunk.iter().rev()).skip_while(move |entry| entry.seq >= seq)
    }

    /// Those that were there at a time; as nodes' clocks differ, lines stand as they arrived up to the last that is not later.
    #[must_use]
    pub fn until(&self, at_ms: i64) -> LogLines {
        let mut chunks = self.chunks.iter().cloned().collect::<VecDeque<Chunk>>();
        while let Some(last) = chunks.pop_back() {
            let count = last.iter().rposition(|entry| entry.at_ms <= at_ms).map_or(0, |place| place + 1);
            if count == last.len() {
                chunks.push_back(last);
                break;
            }
            if count > 0 {
                chunks.push_back(Arc::new(last[..count].to_vec()));
                break;
            }
        }
        let next_seq = chunks.back().and_then(|chunk| chunk.last()).map_or(1, |last| last.seq + 1);
        LogLines { chunks: Arc::new(chunks), next_seq }
    }

    /// Of entries whose numbers follow each other.
    pub fn of(entries: Vec<Arc<Entry>>) -> LogLines {
        let next_seq = entries.last().map_or(1, |last| last.seq + 1);
        let chunks = entries.chunks(CHUNK_LINES).map(|chunk| Arc::new(chunk.to_vec())).collect();
        LogLines { chunks: Arc::new(chunks), next_seq }
    }

    /// Whether these are the very same lines.
    pub fn is_same(&self, other: &LogLines) -> bool {
        Arc::ptr_eq(&self.chunks, &other.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::logging::{LINE_MAX_BYTES, Level, Logger};

    fn line(message: &str) -> LogLine {
        let (level, logger) = (Level::Info, Logger::KafkaApis);
        LogLine { node_id: 1, at_ms: 0, level, logger, message: message.into(), lost_before: 0 }
    }

    #[test]
    fn the_newest_are_kept_and_found_by_number() {
        let mut ring = Ring::default();
        assert_eq!((ring.lines().len(), ring.lines().first_seq(), LogLines::default().next_seq()), (0, 1, 1));
        let mut fallen = 0;
        for number in 1..=60_000_u64 {
            let (entry, chunks) = ring.push(line(&number.to_string()));
            assert_eq!(entry.seq, number);
            fallen += chunks.iter().map(|chunk| chunk.len()).sum::<usize>();
        }
        let lines = ring.lines();
        assert!(lines.len() <= LINES_MAX && lines.len() > LINES_MAX - CHUNK_LINES, "{}", lines.len());
        assert_eq!(lines.len() + fallen, 60_000, "what fell out was told");
        let first = lines.first_seq();
        assert_eq!((first, lines.next_seq()), (60_001 - lines.len() as u64, 60_001));
        assert!(lines.get(first - 1).is_none() && lines.get(60_001).is_none());
        for seq in [first, first + 511, first + 512, 59_999, 60_000] {
            assert_eq!(*lines.get(seq).unwrap().message, *seq.to_string());
        }
        let numbers = |found: Vec<&Arc<Entry>>| found.into_iter().map(|entry| entry.seq).collect::<Vec<_>>();
        assert_eq!(numbers(lines.from(59_998).collect()), [59_998, 59_999, 60_000]);
        assert_eq!(numbers(lines.before(first + 2).collect()), [first + 1, first]);
        assert_eq!((lines.from(0).count(), lines.before(u64::MAX).count()), (lines.len(), lines.len()));
        assert_eq!((lines.from(60_001).count(), lines.before(first).count()), (0, 0));
    }

    #[test]
    fn memory_is_bounded_too() {
        let mut ring = Ring::default();
        let long = "x".repeat(LINE_MAX_BYTES);
        (0..4_000).for_each(|_| drop(ring.push(line(&long))));
        let bytes: usize = ring.lines().from(0).map(|entry| entry.bytes()).sum();
        assert!(bytes <= BYTES_MAX && bytes > BYTES_MAX - 2 * CHUNK_BYTES, "{bytes}");
    }

    #[test]
    fn a_reader_keeps_what_it_got() {
        let mut ring = Ring::default();
        ring.push(line("a"));
        let before = ring.lines();
        ring.push(line("b"));
        assert_eq!((before.len(), ring.lines().len()), (1, 2));
        assert!(before.is_same(&before.clone()) && !before.is_same(&ring.lines()));
    }
}
