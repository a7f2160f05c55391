//! The recorder's thread: it takes the monitor's views, writes them down, and makes room. It never takes much of a core.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::archive::Archive;
use super::beside::Beside;
use super::lanes::Tracker;
use super::record::Record;
use super::scribe::Scribe;
use crate::monitor::slot::ViewSlot;
use crate::monitor::view::View;

/// What the whole history may take in memory, bytes.
pub const BUDGET_BYTES: usize = 200 * 1024 * 1024;
/// Of that, what is compressed: what stands beside it takes the rest.
pub const ARCHIVE_BYTES: usize = 150 * 1024 * 1024;
/// Views that may wait.
const VIEWS_WAITING: usize = 64;
/// Recording takes at most one part in so many of a core.
const SHARE: u32 = 20;
/// What is looked at seldom may add so many bytes a second before compression.
const SLOW_BYTES_PER_S: usize = 64 * 1024;
/// Longest time after which that is looked at again.
const SLOW_MAX: Duration = Duration::from_secs(15);

/// What is recorded of a running cluster, for readers. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct History {
    record: Arc<Mutex<Record>>,
}

impl History {
    /// Of what was recorded before: nothing is added.
    pub fn of(record: Record) -> History {
        History { record: Arc::new(Mutex::new(record)) }
    }

    /// All of it, as it is now.
    pub fn record(&self) -> Record {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn publish(&self, record: Record) {
        let before = std::mem::replace(&mut *self.record.lock().unwrap_or_else(PoisonError::into_inner), record);
        // What only this held is let go outside of the lock.
        drop(before);
    }
}

/// Where the monitor hands its views over.
#[derive(Clone, Debug)]
pub struct Recording {
    views: Sender<View>,
}

impl Recording {
    /// Hands a view over. False: the recorder is behind, and this one is left out.
    pub fn offer(&self, view: View) -> bool {
        !matches!(self.views.try_send(view), Err(TrySendError::Full(_)))
    }
}

/// Starts the thread; it ends when the [`Recording`] and all its clones are gone.
///
/// # Errors
/// There can be no more threads.
pub fn start(slot: ViewSlot) -> io::Result<(Recording, History)> {
    let (views, views_in) = bounded(VIEWS_WAITING);
    let history = History::default();
    let recorder = Recorder::new(slot, history.clone());
    std::thread::Builder::new().name("history".into()).spawn(move || recorder.run(&views_in))?;
    Ok((Recording { views }, history))
}

struct Recorder {
    slot: ViewSlot,
    history: History,
    scribe: Scribe,
    tracker: Tracker,
    archive: Archive,
    beside: Beside,
    missed: u64,
    /// Until then nothing is recorded, so that no more than its share of a core is taken.
    rests_until: Instant,
    slow_due: Instant,
}

impl Recorder {
    fn new(slot: ViewSlot, history: History) -> Recorder {
        let now = Instant::now();
        Recorder {
            slot,
            history,
            scribe: Scribe::default(),
            tracker: Tracker::default(),
            archive: Archive::new(ARCHIVE_BYTES),
            beside: Beside::default(),
            missed: 0,
            rests_until: now,
            slow_due: now,
        }
    }

    fn run(mut self, views: &Receiver<View>) {
        while let Ok(mut view) = views.recv() {
            // Who is behind takes the newest.
            if Instant::now() < self.rests_until {
                std::thread::sleep(self.rests_until.saturating_duration_since(Instant::now()));
                for newer in views.try_iter() {
                    view = newer;
                    self.missed += 1;
                }
            }
            let began = Instant::now();
            self.take(view, began);
            let took = began.elapsed();
            // What is quick is recorded as often as it comes.
            if took > Duration::from_millis(2) {
                self.rests_until = began + took * SHARE;
            }
        }
    }

    fn take(&mut self, mut view: View, now: Instant) {
        // These have threads of their own.
        let latest = self.slot.latest();
        (view.ledger, view.logs) = (latest.ledger, latest.logs);
        let is_slow_due = now >= self.slow_due;
        if is_slow_due {
            let seconds = self.scribe.slow_bytes() / SLOW_BYTES_PER_S;
            let rest = Duration::from_secs(seconds as u64).clamp(Duration::from_millis(900), SLOW_MAX);
            self.slow_due = now + rest;
        }
        let at_ms = view.snapshot.at_ms;
        self.beside.note(&view);
        self.tracker.note(&view);
        if let Some(lanes) = self.tracker.news() {
            self.beside.lanes = Arc::new(lanes);
        }
        // A frame that cannot be written is left out, and the next one has what was in it: nothing hangs on it.
        if let Ok(Some(frame)) = self.scribe.note(&view, is_slow_due) {
            let scribe = &self.scribe;
            if self.archive.push(&frame, || scribe.whole(&frame)).is_err() {
                self.missed += 1;
            }
        }
        if is_slow_due {
            // A chunk that is damaged is gone then.
            self.missed += u64::from(self.archive.tidy(at_ms).is_err());
            if let Some((from_ms, _)) = self.archive.span_ms() {
                self.beside.forget_before(from_ms);
            }
        }
        self.history.publish(Record {
            archive: self.archive.clone(),
            beside: self.beside.clone(),
            missed: self.missed,
        });
    }
}
