//! What was recorded: frames in chunks, each of which begins with all that is known, and is compressed when it is full. The older, the fewer
//! frames are kept, and never more bytes than allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Result, Write};
use std::sync::Arc;

use broker::recorded::invalid;

use super::frame::{self, Frame, Key, append, frames, read};

/// A chunk is full with so many bytes before compression, …
pub const CHUNK_BYTES: usize = 24 * 1024 * 1024;
/// … or when it is so old.
const CHUNK_MS: i64 = 60_000;
/// A clock that is set back by more makes history begin anew there.
const SET_BACK_MS: i64 = 5_000;
/// No chunk of ours has more, whatever a file says; bytes.
pub const CHUNK_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Of as many bytes before the place that is compressed, what is there again stands once; the power of two.
const WINDOW_LOG: u32 = 25;
/// Compression: a second of a core takes some 200 MB.
const LEVEL: i32 = 3;
/// So many chunks become one when they are thinned, if there are so many.
const MERGED_MAX: usize = 16;

/// From which age on which distance is kept between frames, ms. Frames in which something else than a measure changed are kept longer.
pub const STEPS: [Step; 5] = [
    Step { age_ms: 0, step_ms: 0, keeps_turns: true },
    Step { age_ms: 5 * 60_000, step_ms: 1_000, keeps_turns: true },
    Step { age_ms: 30 * 60_000, step_ms: 5_000, keeps_turns: true },
    Step { age_ms: 2 * 3_600_000, step_ms: 15_000, keeps_turns: true },
    Step { age_ms: 8 * 3_600_000, step_ms: 60_000, keeps_turns: false },
];

/// Older than this nothing is kept.
pub const AGE_MAX_MS: i64 = 24 * 3_600_000;

/// How history of some age is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// From this age on.
    pub age_ms: i64,
    /// One frame in so long.
    pub step_ms: i64,
    /// And those beside, in which something else than a measure changed.
    pub keeps_turns: bool,
}

/// A full chunk. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Wall clock of its first frame.
    pub from_ms: i64,
    /// Wall clock of its last frame.
    pub until_ms: i64,
    /// Frames in it.
    pub frames: u32,
    /// Which of [`STEPS`] it is kept at.
    pub level: u8,
    /// Bytes before compression.
    pub raw_bytes: usize,
    /// Its frames, compressed.
    pub bytes: Arc<[u8]>,
}

impl Chunk {
    /// Of frames as they stand one behind the other.
    fn seal(raw: &[u8], level: u8, (from_ms, until_ms, frames): (i64, i64, u32)) -> Result<Chunk> {
        Ok(Chunk { from_ms, until_ms, frames, level, raw_bytes: raw.len(), bytes: compress(raw)?.into() })
    }

    /// Its frames.
    ///
    /// # Errors
    /// It is damaged.
    pub fn open(&self) -> Result<Vec<u8>> {
        decompress(&self.bytes, self.raw_bytes.min(CHUNK_BYTES_MAX))
    }
}

/// Compresses what says much of it twice.
///
/// # Errors
/// Never in memory.
pub fn compress(raw: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.set_pledged_src_size(Some(raw.len() as u64))?;
    encoder.write_all(raw)?;
    encoder.finish()
}

/// Gives back what [`compress`] got.
///
/// # Errors
/// It is damaged, or is not of `expected_bytes`.
pub fn decompress(bytes: &[u8], expected_bytes: usize) -> Result<Vec<u8>> {
    let mut decoder = zstd::Decoder::new(bytes)?;
    decoder.window_log_max(WINDOW_LOG)?;
    let mut raw = Vec::new();
    // One more shows that there is more.
    decoder.take(expected_bytes as u64 + 1).read_to_end(&mut raw)?;
    if raw.len() == expected_bytes { Ok(raw) } else { Err(invalid("a chunk is not as long as it says")) }
}

/// The chunk that is being filled.
#[derive(Clone, Debug, Default)]
struct Filling {
    raw: Vec<Arc<[u8]>>,
    raw_bytes: usize,
    from_ms: i64,
    until_ms: i64,
}

impl Filling {
    fn join(&self, count: usize) -> Result<Vec<u8>> {
        let mut raw = Vec::with_capacity(self.raw_bytes + 4 * self.raw.len());
        self.raw.iter().take(count).try_for_each(|frame| append(&mut raw, frame))?;
        Ok(raw)
    }
}

/// What was recorded. A clone is what is there now: it shares all of it.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    chunks: Arc<Vec<Chunk>>,
    filling: Arc<Filling>,
    budget_bytes: usize,
}

impl Archive {
    /// Empty; it is never to take more than this, compressed and uncompressed.
    pub fn new(budget_bytes: usize) -> Archive {
        Archive { budget_bytes, ..Archive::default() }
    }

    /// Of chunks that were read from a file.
    ///
    /// # Errors
    /// They do not follow each other in time.
    pub fn of(chunks: Vec<Chunk>) -> Result<Archive> {
        let in_order = chunks.is_sorted_by(|one, other| one.until_ms <= other.from_ms);
        if in_order && chunks.iter().all(|chunk| chunk.from_ms <= chunk.until_ms) {
            Ok(Archive { chunks: Arc::new(chunks), budget_bytes: usize::MAX, ..Archive::default() })
        } else {
            Err(invalid("its chunks are out of order"))
        }
    }

    /// Adds a frame; `whole` makes one that has all that is known.
    ///
    /// # Errors
    /// It could not be written down: it is left out.
    pub fn push(&mut self, frame: &Frame, whole: impl FnOnce() -> Frame) -> Result<()> {
        let behind_ms = self.filling.until_ms - frame.at_ms;
        let is_mended = !self.filling.raw.is_empty() && (1..SET_BACK_MS).contains(&behind_ms);
        // A clock that is mended a little goes on where it was.
        let at_ms = if is_mended { self.filling.until_ms } else { frame.at_ms };
        let moved = is_mended.then(|| Frame { at_ms, ..frame.clone() });
        let frame = moved.as_ref().unwrap_or(frame);
        let whole = || Frame { at_ms, ..whole() };
        let filling = &self.filling;
        let is_full = filling.raw_bytes >= CHUNK_BYTES || frame.at_ms - filling.from_ms >= CHUNK_MS;
        // A clock that was set back begins anew: frames stand in the order of their times.
        if !filling.raw.is_empty() && (is_full || frame.at_ms < filling.until_ms) {
            self.seal()?;
        }
        let is_first = self.filling.raw.is_empty();
        let bytes = if is_first { whole().encode()? } else { frame.encode()? };
        let filling = Arc::make_mut(&mut self.filling);
        filling.raw_bytes += bytes.len() + 4;
        filling.raw.push(bytes.into());
        filling.until_ms = frame.at_ms;
        if is_first {
            filling.from_ms = frame.at_ms;
            self.set_back(frame.at_ms);
        }
        Ok(())
    }

    /// What was recorded of times that are to come again would stand twice.
    fn set_back(&mut self, now_ms: i64) {
        if self.chunks.last().is_some_and(|last| last.until_ms > now_ms) {
            Arc::make_mut(&mut self.chunks).retain(|chunk| chunk.until_ms <= now_ms);
        }
    }

    fn seal(&mut self) -> Result<()> {
        let filling = std::mem::take(&mut self.filling);
        let frames = u32::try_from(filling.raw.len()).unwrap_or(u32::MAX);
        let raw = filling.join(usize::MAX)?;
        let chunk = Chunk::seal(&raw, 0, (filling.from_ms, filling.until_ms, frames))?;
        Arc::make_mut(&mut self.chunks).push(chunk);
        Ok(())
    }

    /// Makes room: thins what became old, and what there is too much of. At most one step: it takes time.
    ///
    /// # Errors
    /// What was to be thinned is damaged: it is thrown away.
    pub fn tidy(&mut self, now_ms: i64) -> Result<bool> {
        let too_old = self.chunks.iter().take_while(|chunk| now_ms - chunk.until_ms > AGE_MAX_MS).count();
        if too_old > 0 {
            Arc::make_mut(&mut self.chunks).drain(..too_old);
        }
        let due = |chunk: &Chunk| {
            let next = STEPS.get(usize::from(chunk.level) + 1);
            next.is_some_and(|next| now_ms - chunk.until_ms > next.age_ms)
        };
        if let Some(first) = self.chunks.iter().position(due) {
            return self.thin(first).map(|()| true);
        }
        if self.bytes() <= self.budget_bytes {
            return Ok(false);
        }
        match self.worst(now_ms) {
            Some(first) => self.thin(first).map(|()| true),
            None if self.chunks.is_empty() => Ok(false),
            None => {
                Arc::make_mut(&mut self.chunks).remove(0);
                Ok(true)
            }
        }
    }

    /// The chunk whose frames lie closest together for its age; `None`: all are as thin as they get.
    fn worst(&self, now_ms: i64) -> Option<usize> {
        let thickness = |chunk: &Chunk| {
            let step_ms = STEPS[usize::from(chunk.level)].step_ms.max(100);
            (now_ms - chunk.until_ms).max(1) / step_ms
        };
        let can_thin = |(_, chunk): &(usize, &Chunk)| usize::from(chunk.level) + 1 < STEPS.len();
        self.chunks
            .iter()
            .enumerate()
            .filter(can_thin)
            .max_by_key(|(_, chunk)| thickness(chunk))
            .map(|(index, _)| index)
    }

    /// Makes of a chunk, and of those behind it that are like it, one of fewer frames.
    fn thin(&mut self, first: usize) -> Result<()> {
        let level = self.chunks[first].level;
        let step = STEPS[(usize::from(level) + 1).min(STEPS.len() - 1)];
        let (mut count, mut raw_bytes) = (0, 0);
        for chunk in self.chunks.iter().skip(first).take(MERGED_MAX) {
            raw_bytes += chunk.raw_bytes;
            if chunk.level != level || (count > 0 && raw_bytes > 2 * CHUNK_BYTES) {
                break;
            }
            count += 1;
        }
        let taken: Vec<Chunk> = self.chunks[first..first + count].to_vec();
        let thinned = thinned(&taken, level + 1, step);
        let (kept, failed) = match thinned {
            Ok(chunk) => (Some(chunk), None),
            Err(error) => (None, Some(error)),
        };
        Arc::make_mut(&mut self.chunks).splice(first..first + count, kept);
        failed.map_or(Ok(()), Err)
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>() + self.filling.raw_bytes
    }

    /// From when to when something is recorded; `None`: nothing is.
    pub fn span_ms(&self) -> Option<(i64, i64)> {
        let filling = Some(&self.filling).filter(|filling| !filling.raw.is_empty());
        let from_ms = self.chunks.first().map(|chunk| chunk.from_ms).or(filling.map(|filling| filling.from_ms))?;
        let until_ms = filling.map(|filling| filling.until_ms).or(self.chunks.last().map(|chunk| chunk.until_ms))?;
        Some((from_ms, until_ms))
    }

    /// Frames that are there.
    pub fn frames(&self) -> u64 {
        self.chunks.iter().map(|chunk| u64::from(chunk.frames)).sum::<u64>() + self.filling.raw.len() as u64
    }

    /// The full chunks, oldest first.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// All of it as full chunks, to be written to a file.
    ///
    /// # Errors
    /// Never in memory.
    pub fn sealed(&self) -> Result<Vec<Chunk>> {
        let mut all = self.clone();
        if !all.filling.raw.is_empty() {
            all.seal()?;
        }
        Ok(all.chunks.to_vec())
    }

    /// Where a time is found.
    pub fn place(&self, at_ms: i64) -> Place {
        if !self.filling.raw.is_empty() && (at_ms >= self.filling.from_ms || self.chunks.is_empty()) {
            return Place::Filling(self.filling.raw.len());
        }
        Place::Chunk(self.chunks.partition_point(|chunk| chunk.from_ms <= at_ms).saturating_sub(1))
    }

    /// The frames of a place.
    ///
    /// # Errors
    /// It is damaged, or is not there.
    pub fn read(&self, place: Place) -> Result<Vec<u8>> {
        match place {
            Place::Filling(count) => self.filling.join(count),
            Place::Chunk(index) => self.chunks.get(index).ok_or_else(|| invalid("nothing is recorded"))?.open(),
        }
    }
}

/// Where in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A full chunk.
    Chunk(usize),
    /// So many frames of the one that is being filled.
    Filling(usize),
}

/// Parts by what they are of.
type Parts = BTreeMap<Key, Arc<[u8]>>;

/// Writes frames with what changed since the one that was kept before.
#[derive(Default)]
struct Thinner {
    raw: Vec<u8>,
    count: u32,
    /// What was known at the frame that was kept last.
    known: Parts,
    /// What changed since.
    pending: Option<Frame>,
}

/// One chunk of fewer frames. What changed in frames that are left out goes into the next that is kept.
fn thinned(chunks: &[Chunk], level: u8, step: Step) -> Result<Chunk> {
    let mut thinner = Thinner::default();
    let (mut from_ms, mut until_ms) = (None, 0);
    for chunk in chunks {
        for (place, bytes) in frames(&chunk.open()?).enumerate() {
            let frame = read(bytes?)?;
            thinner.take(&frame, place == 0, step)?;
            from_ms = from_ms.or(Some(frame.head.at_ms));
            until_ms = frame.head.at_ms;
        }
    }
    thinner.keep()?;
    // The first frame that was kept may be later than the first that there was: the chunk still answers for that time.
    Chunk::seal(&thinner.raw, level, (from_ms.unwrap_or_default(), until_ms, thinner.count))
}

impl Thinner {
    fn take(&mut self, frame: &frame::Read<'_>, is_whole: bool, step: Step) -> Result<()> {
        let bucket = |at_ms: i64| at_ms.div_euclid(step.step_ms.max(1));
        // The last frame of each step is kept: it is the newest that a time in the next step can be shown with.
        if self.pending.as_ref().is_some_and(|pending| bucket(pending.at_ms) != bucket(frame.head.at_ms)) {
            self.keep()?;
        }
        self.merge(frame, is_whole);
        if step.keeps_turns && frame.head.is_turn {
            self.keep()?;
        }
        Ok(())
    }

    fn merge(&mut self, frame: &frame::Read<'_>, is_whole: bool) {
        let pending = self.pending.get_or_insert_default();
        let head = frame.head;
        (pending.at_ms, pending.snapshot_ms, pending.sequence) = (head.at_ms, head.snapshot_ms, head.sequence);
        pending.is_turn |= head.is_turn;
        for (key, change) in &frame.changes {
            pending.changes.insert(key.clone(), change.map(Arc::from));
        }
        if is_whole {
            // The first frame of a chunk names what is there, not what went since the chunk before.
            let there: BTreeSet<&Key> = frame.changes.iter().map(|(key, _)| key).collect();
            let gone: Vec<Key> = self.known.keys().filter(|key| !there.contains(key)).cloned().collect();
            pending.changes.retain(|key, _| there.contains(key));
            pending.changes.extend(gone.into_iter().map(|key| (key, None)));
        }
    }

    fn keep(&mut self) -> Result<()> {
        let Some(mut frame) = self.pending.take() else { return Ok(()) };
        frame.changes.retain(|key, change| self.known.get(key) != change.as_ref());
        for (key, change) in &frame.changes {
            match change {
                Some(bytes) => drop(self.known.insert(key.clone(), bytes.clone())),
                None => drop(self.known.remove(key)),
            }
        }
        self.count += 1;
        append(&mut self.raw, &frame.encode()?)
    }
}
