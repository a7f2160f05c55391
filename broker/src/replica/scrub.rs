//! A scrub of all logs of this broker, a slice at a time between its other work: see [`Scrub`].

use std::collections::VecDeque;
use std::time::Duration;

use super::manager::ReplicaManager;
use crate::log::{Finding, Scrub};
use crate::types::{Now, TopicPartition};

/// Read and checked at once.
const SLICE_BYTES: u64 = 1 << 20;
/// Logs begun at once; most of ten thousand are small.
const LOGS_AT_ONCE: usize = 16;
/// The broker's other work has the thread for so long between two slices.
const PAUSE: Duration = Duration::from_millis(5);
/// Findings kept; further ones are counted.
const MAX_FINDINGS: usize = 1000;

/// How far a scrub is, and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScrubProgress {
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// Whether all has been read.
    pub is_done: bool,
    /// Logs to be read.
    pub logs: u64,
    /// Logs that have been read.
    pub logs_done: u64,
    /// Bytes of batches that have been read.
    pub bytes_done: u64,
    /// Batches that have been checked.
    pub batches: u64,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// Findings beyond those that are listed.
    pub findings_left_off: u64,
}

/// The scrub that runs, or the last one.
#[derive(Default)]
pub(super) struct Scrubbing {
    waiting: VecDeque<TopicPartition>,
    current: Option<Scrub>,
    next: Duration,
    progress: Option<ScrubProgress>,
}

impl Scrubbing {
    fn is_under_way(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| !progress.is_done)
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.is_under_way().then_some(self.next)
    }

    /// Ends the first log that waits: it is read, or it is gone.
    fn end_log(&mut self) {
        self.waiting.pop_front();
        let read = self.current.take();
        let Some(progress) = &mut self.progress else { return };
        progress.logs_done += 1;
        let Some(read) = read else { return };
        progress.bytes_done += read.bytes_done();
        progress.batches += read.batches();
        let room = MAX_FINDINGS.saturating_sub(progress.findings.len());
        progress.findings.extend(read.findings().iter().take(room).cloned());
        progress.findings_left_off += read.findings().len().saturating_sub(room) as u64;
    }
}

impl ReplicaManager {
    /// Begins to read every byte of every log of this broker. One that is under way goes on; what an earlier one found is forgotten.
    pub fn start_scrub(&mut self, now: Now) {
        if self.scrubbing.is_under_way() {
            return;
        }
        let waiting: VecDeque<TopicPartition> = self.dir.logs().map(|log| log.topic_partition().clone()).collect();
        let logs = waiting.len() as u64;
        let progress = ScrubProgress { started_at_ms: now.wall_ms, logs, ..ScrubProgress::default() };
        self.scrubbing = Scrubbing { waiting, current: None, next: now.mono, progress: Some(progress) };
    }

    /// How far the scrub is that runs, or what the last one found; `None` if there was none since the broker started.
    pub fn scrub_progress(&self) -> Option<ScrubProgress> {
        let mut progress = self.scrubbing.progress.clone()?;
        if let Some(current) = &self.scrubbing.current {
            progress.bytes_done += current.bytes_done();
            progress.batches += current.batches();
        }
        Some(progress)
    }

    /// Reads a slice if it is time.
    pub(super) fn scrub_slice(&mut self, now: Now) {
        if !self.scrubbing.is_under_way() || now.mono < self.scrubbing.next {
            return;
        }
        self.scrubbing.next = now.mono + PAUSE;
        let mut budget = SLICE_BYTES;
        for _ in 0..LOGS_AT_ONCE {
            let Some(name) = self.scrubbing.waiting.front() else {
                if let Some(progress) = &mut self.scrubbing.progress {
                    progress.is_done = true;
                }
                return;
            };
            let log = self.dir.log(name).filter(|log| log.offline().is_none());
            if let Some(log) = log {
                let scrub = self.scrubbing.current.get_or_insert_with(|| Scrub::begin(log));
                let before = scrub.bytes_done();
                let is_done = scrub.step(log, budget);
                budget = budget.saturating_sub(scrub.bytes_done().saturating_sub(before));
                if !is_done {
                    return;
                }
            }
            self.scrubbing.end_log();
            if budget == 0 {
                return;
            }
        }
    }
}
