//! All that was recorded, as it is at one time: what a reader takes, looks into and writes to a file.

use std::io::Result;
use std::sync::Arc;

use broker::recorded::invalid;
use serde::Serialize;

use super::archive::{Archive, Place};
use super::beside::Beside;
use super::moment::Moment;
use crate::monitor::snapshot::Snapshot;
use crate::monitor::view::View;

/// How far groups' lags reach back, ms.
const ROWS_MS: i64 = 120_000;
/// Opened chunks that are kept, …
const OPENED_MAX: usize = 4;
/// … as long as they have no more bytes; one is kept however large it is.
const OPENED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// See the module. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The frames.
    pub archive: Archive,
    /// What stands beside them.
    pub beside: Beside,
    /// Snapshots that found no room while the recorder was behind.
    pub missed: u64,
}

/// How much there is, as `GET /api/history` gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Wall clock of the first frame; `None`: nothing is recorded.
    pub from_ms: Option<i64>,
    /// Wall clock of the last frame.
    pub until_ms: Option<i64>,
    /// Frames.
    pub frames: u64,
    /// Events.
    pub events: usize,
    /// What all of it takes in memory.
    pub memory_bytes: usize,
    /// Snapshots that were not recorded, as the recorder was behind.
    pub missed: u64,
}

type Bytes = Arc<[u8]>;

/// Opened chunks of late: whoever drags looks into the same again and again.
#[derive(Debug, Default)]
pub struct Opened {
    /// Closed, and opened.
    chunks: Vec<(Bytes, Bytes)>,
}

impl Opened {
    fn get(&mut self, archive: &Archive, place: Place) -> Result<Arc<[u8]>> {
        let Place::Chunk(index) = place else { return archive.read(place).map(Arc::from) };
        let chunk = archive.chunks().get(index).ok_or_else(|| invalid("nothing is recorded"))?;
        if let Some(known) = self.chunks.iter().position(|(closed, _)| Arc::ptr_eq(closed, &chunk.bytes)) {
            let known = self.chunks.remove(known);
            self.chunks.push(known);
        } else {
            let is_too_much = |chunks: &[(Bytes, Bytes)]| {
                let bytes = chunks.iter().map(|(_, open)| open.len()).sum::<usize>();
                chunks.len() == OPENED_MAX || bytes + chunk.raw_bytes > OPENED_BYTES_MAX
            };
            // Room is made first: both would be in memory else.
            while !self.chunks.is_empty() && is_too_much(&self.chunks) {
                self.chunks.remove(0);
            }
            self.chunks.push((chunk.bytes.clone(), chunk.open()?.into()));
        }
        self.chunks.last().map(|(_, open)| open.clone()).ok_or_else(|| invalid("nothing is recorded"))
    }
}

impl Record {
    /// How much there is.
    pub fn extent(&self) -> Extent {
        let span = self.archive.span_ms();
        Extent {
            from_ms: span.map(|span| span.0),
            until_ms: span.map(|span| span.1),
            frames: self.archive.frames(),
            events: self.beside.events.len(),
            memory_bytes: self.archive.bytes() + self.beside.bytes(),
            missed: self.missed,
        }
    }

    /// What was known at a time: the newest frame that is not later; before the first, the first.
    ///
    /// # Errors
    /// Nothing is recorded, or it is damaged.
    pub fn view_at(&self, at_ms: i64, opened: &mut Opened) -> Result<View> {
        let chunks = self.open_around(at_ms, opened)?;
        let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| &**chunk).collect();
        let moment = Moment::find(&chunks, at_ms)?;
        // What happened after the frame and before the time that was asked for belongs to it.
        Ok(self.beside.complete(at_ms.max(moment.at_ms), moment.view()?))
    }

    /// The snapshot of a time, as [`Record::view_at`].
    ///
    /// # Errors
    /// Nothing is recorded, or it is damaged.
    pub fn snapshot_at(&self, at_ms: i64, opened: &mut Opened) -> Result<Snapshot> {
        let chunk = opened.get(&self.archive, self.archive.place(at_ms))?;
        Moment::find(&[&chunk], at_ms)?.snapshot()
    }

    /// The chunk of a time, and those before it that tell how groups' lags went.
    fn open_around(&self, at_ms: i64, opened: &mut Opened) -> Result<Vec<Arc<[u8]>>> {
        if self.archive.span_ms().is_none() {
            return Err(invalid("nothing is recorded yet"));
        }
        let place = self.archive.place(at_ms);
        let index = match place {
            Place::Chunk(index) => index,
            Place::Filling(_) => self.archive.chunks().len(),
        };
        let before = self.archive.chunks().iter().enumerate().take(index).rev();
        let mut chunks = vec![opened.get(&self.archive, place)?];
        for (index, _) in before.take_while(|(_, chunk)| chunk.until_ms > at_ms - ROWS_MS).take(OPENED_MAX - 1) {
            chunks.push(opened.get(&self.archive, Place::Chunk(index))?);
        }
        chunks.reverse();
        Ok(chunks)
    }
}
