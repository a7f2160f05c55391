//! Where a broker is asked for a scrub, and tells how far it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::replica::ScrubProgress;

/// Shared between a broker's thread and whoever asks.
#[derive(Default)]
pub struct ScrubDesk {
    asked: AtomicBool,
    watched: AtomicBool,
    progress: Mutex<Option<ScrubProgress>>,
}

impl ScrubDesk {
    fn lock(&self) -> MutexGuard<'_, Option<ScrubProgress>> {
        // What is in it is replaced as a whole.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a scrub, at that time in milliseconds since 1970. One that is under way goes on.
    pub fn ask(&self, now_ms: i64) {
        let mut progress = self.lock();
        if progress.as_ref().is_none_or(|progress| progress.is_done) {
            *progress = Some(ScrubProgress { started_at_ms: now_ms, ..ScrubProgress::default() });
            self.asked.store(true, Ordering::Release);
        }
    }

    /// What was told last; `None` if none was asked for since the broker started.
    pub fn progress(&self) -> Option<ScrubProgress> {
        self.lock().clone()
    }

    /// Whether a scrub is to be begun.
    pub(super) fn take_request(&self) -> bool {
        let asked = self.asked.swap(false, Ordering::AcqRel);
        if asked {
            self.watched.store(true, Ordering::Release);
        }
        asked
    }

    /// Whether news are wanted.
    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Acquire)
    }

    pub(super) fn tell(&self, progress: ScrubProgress) {
        self.watched.store(!progress.is_done, Ordering::Release);
        *self.lock() = Some(progress);
    }

    /// The broker ends, and a scrub with it.
    pub(super) fn clear(&self) {
        let mut progress = self.lock();
        self.asked.store(false, Ordering::Release);
        self.watched.store(false, Ordering::Release);
        *progress = None;
    }
}
