//! Three instants that were recorded: all is well, a broker is killed, all is well again; a minute lies between them.

use std::sync::Arc;

use super::fixture::{healthy, incident};
use crate::monitor::history::archive::Archive;
use crate::monitor::history::lanes::Tracker;
use crate::monitor::history::record::Record;
use crate::monitor::history::scribe::Scribe;
use crate::monitor::view::View;

/// Between two of them.
const BETWEEN_MS: i64 = 60_000;

/// What was recorded of them, the time of the second, and the last.
pub fn recorded() -> (Record, i64, View) {
    let mut record = Record { archive: Archive::new(usize::MAX), ..Record::default() };
    let (mut scribe, mut tracker) = (Scribe::default(), Tracker::default());
    let mut last = healthy();
    let begin_ms = last.snapshot.at_ms;
    for (number, mut view) in (0..).zip([healthy(), incident(), healthy()]) {
        let snapshot = Arc::make_mut(&mut view.snapshot);
        snapshot.at_ms = begin_ms + BETWEEN_MS * number;
        snapshot.sequence = number as u64 + 1;
        record.beside.note(&view);
        tracker.note(&view);
        // Memory takes whatever is written.
        if let Ok(Some(frame)) = scribe.note(&view, true) {
            let _ = record.archive.push(&frame, || scribe.whole(&frame));
        }
        last = view;
    }
    record.beside.lanes = Arc::new(tracker.news().unwrap_or_default());
    (record, begin_ms + BETWEEN_MS, last)
}
