//! What an hour of history costs on a cluster of 1,000 topics with 10 partitions each and 200 groups, all of which move in every snapshot.
//!
//!     cargo bench -p brokerscope --bench history [-- SECONDS]
//!
//! One snapshot a second is recorded, as fast as it goes; on a running cluster of this size the recorder, which takes at most a twentieth of a
//! core, does not record more often either. Counted is CPU time of the thread.

use std::sync::Arc;

use brokerscope::monitor::history::archive::Archive;
use brokerscope::monitor::history::lanes::Tracker;
use brokerscope::monitor::history::record::{Opened, Record};
use brokerscope::monitor::history::run::{ARCHIVE_BYTES, BUDGET_BYTES};
use brokerscope::monitor::history::scribe::Scribe;
use brokerscope::ui::fixture::Busy;

/// As the program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TOPICS: usize = 1_000;
const BROKERS: i32 = 3;
/// What is looked at seldom comes once in so many seconds when there is so much of it.
const SLOW_EVERY: usize = 15;

fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(3_600);
    let mut busy = Busy::new(BROKERS, TOPICS);
    let (mut scribe, mut tracker) = (Scribe::default(), Tracker::default());
    let mut record = Record { archive: Archive::new(ARCHIVE_BYTES), ..Record::default() };
    let begin_ms = busy.turn().snapshot.at_ms;
    let (mut noted, mut kept, mut tidied, mut most) = (0.0, 0.0, 0.0, 0);
    for second in 0..seconds {
        let mut view = busy.turn();
        let at_ms = begin_ms + 1_000 * second as i64;
        Arc::make_mut(&mut view.snapshot).at_ms = at_ms;
        let began = cpu_ms();
        record.beside.note(&view);
        tracker.note(&view);
        let frame = scribe.note(&view, second % SLOW_EVERY == 0).expect("a view can be written");
        noted += cpu_ms() - began;
        let began = cpu_ms();
        if let Some(frame) = frame {
            record.archive.push(&frame, || scribe.whole(&frame)).expect("a frame can be kept");
        }
        kept += cpu_ms() - began;
        let began = cpu_ms();
        while record.archive.tidy(at_ms).expect("what was kept can be read") {}
        tidied += cpu_ms() - began;
        most = most.max(record.extent().memory_bytes + scribe.bytes());
    }
    let each = |total: f64| total / seconds as f64;
    println!(
        "{} partitions, {seconds} s: {:.1} ms of CPU a snapshot to write down, {:.1} to keep and compress, {:.1} to thin",
        TOPICS * 10,
        each(noted),
        each(kept),
        each(tidied)
    );
    let extent = record.extent();
    let span_s = extent.until_ms.zip(extent.from_ms).map_or(0, |(until_ms, from_ms)| (until_ms - from_ms) / 1_000);
    println!(
        "{} instants over {span_s} s in {:.0} MB at the end, {:.0} MB at the most (allowed are {:.0})",
        extent.frames,
        mb(extent.memory_bytes),
        mb(most),
        mb(BUDGET_BYTES)
    );
    looks(&record, begin_ms, seconds as i64);
}

/// How long it takes until an instant is there to be shown.
fn looks(record: &Record, begin_ms: i64, seconds: i64) {
    for part in [0, 25, 50, 75, 100] {
        let at_ms = begin_ms + seconds * 10 * part;
        let mut opened = Opened::default();
        let began = cpu_ms();
        let view = record.view_at(at_ms, &mut opened).expect("it was recorded");
        let first = cpu_ms() - began;
        let began = cpu_ms();
        let again = record.view_at(at_ms + 2_000, &mut opened).expect("it was recorded");
        let beside = cpu_ms() - began;
        println!(
            "at {part:>3} %: {first:.0} ms, and {beside:.0} ms for an instant beside it ({} s older than asked for)",
            (at_ms - view.snapshot.at_ms) / 1_000
        );
        assert_eq!(view.snapshot.topics.len(), again.snapshot.topics.len());
    }
}
