//! Which lines of the logs are shown: looked through piece by piece, the newest first, so that no frame waits for fifty thousand lines; what
//! was looked at once is not looked at again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use broker::logging::{Level, Logger};

use crate::monitor::logs::ring::LogLines;
use crate::monitor::logs::search::{Filter, Search};

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Of this node.
    pub node: Option<i32>,
    /// From this level on.
    pub least: Level,
    /// Of this logger and those below it.
    pub logger: Option<Logger>,
    /// All of these words, or a pattern between slashes.
    pub words: String,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked { node: None, least: Level::Trace, logger: None, words: String::new() }
    }
}

/// The numbers of the lines that were found, the oldest first.
#[derive(Debug, Default)]
pub struct Rows {
    asked: Option<Asked>,
    filter: Option<Filter>,
    complaint: Option<String>,
    found: VecDeque<u64>,
    /// All before this line, down to `seen_from`, were looked at.
    seen_to: u64,
    seen_from: u64,
}

/// What an update did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// So many rows came in before the first (fewer than none: fell out there).
    pub shift: isize,
    /// Whether every line that there is was looked at.
    pub is_done: bool,
    /// Whether something else was asked for than before.
    pub is_new: bool,
}

/// The clock is looked at after so many lines.
const AT_ONCE: usize = 256;

impl Rows {
    /// Looks through what is new, then through what is old, for so long.
    pub fn update(&mut self, lines: &LogLines, asked: &Asked, budget: Duration) -> Update {
        let deadline = Instant::now() + budget;
        let is_new = self.asked.as_ref() != Some(asked);
        if is_new {
            self.begin(lines, asked);
        }
        let mut shift = 0;
        while self.found.front().is_some_and(|seq| *seq < lines.first_seq()) {
            self.found.pop_front();
            shift -= 1;
        }
        let Some(filter) = &self.filter else { return Update { shift, is_done: true, is_new } };
        let mut is_late = false;
        for (count, entry) in lines.from(self.seen_to).enumerate() {
            is_late = count % AT_ONCE == AT_ONCE - 1 && Instant::now() >= deadline;
            if is_late {
                break;
            }
            self.seen_to = entry.seq + 1;
            if filter.matches(entry) {
                self.found.push_back(entry.seq);
            }
        }
        if !is_late {
            for (count, entry) in lines.before(self.seen_from).enumerate() {
                is_late = count % AT_ONCE == AT_ONCE - 1 && Instant::now() >= deadline;
                if is_late {
                    break;
                }
                self.seen_from = entry.seq;
                if filter.matches(entry) {
                    self.found.push_front(entry.seq);
                    shift += 1;
                }
            }
        }
        Update { shift, is_done: !is_late, is_new }
    }

    fn begin(&mut self, lines: &LogLines, asked: &Asked) {
        let search = Search::words(&asked.words);
        self.complaint = search.as_ref().err().cloned();
        self.filter = search.ok().map(|search| Filter::new(asked.node, asked.least, asked.logger, search));
        self.asked = Some(asked.clone());
        self.found.clear();
        (self.seen_to, self.seen_from) = (lines.next_seq(), lines.next_seq());
    }

    /// How many were found.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The number of the line in a row.
    pub fn seq(&self, row: usize) -> Option<u64> {
        self.found.get(row).copied()
    }

    /// The row of a line.
    pub fn row(&self, seq: u64) -> Option<usize> {
        self.found.binary_search(&seq).ok()
    }

    /// Why nothing can be found.
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// The first row at this time or later; without one, the last.
    pub fn at(&self, lines: &LogLines, at_ms: i64) -> Option<usize> {
        let is_late = |seq: &u64| lines.get(*seq).is_some_and(|entry| entry.at_ms >= at_ms);
        self.found.iter().position(is_late).or_else(|| self.found.len().checked_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::logs::ring::{LINES_MAX, Ring};
    use broker::logging::LogLine;

    fn push(ring: &mut Ring, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let level = if number % 10 == 0 { Level::Warn } else { Level::Info };
            let (node_id, logger) = (1 + (number % 3) as i32, Logger::KafkaApis);
            let message = format!("line {number}").into();
            ring.push(LogLine { node_id, at_ms: number as i64, level, logger, message, lost_before: 0 });
        }
    }

    #[test]
    fn what_is_new_is_added_and_what_was_seen_is_kept() {
        let mut ring = Ring::default();
        push(&mut ring, 0..1_000);
        let (mut rows, long) = (Rows::default(), Duration::from_secs(60));
        let asked = Asked { least: Level::Warn, ..Asked::default() };
        assert_eq!(rows.update(&ring.lines(), &asked, long), Update { shift: 100, is_done: true, is_new: true });
        push(&mut ring, 1_000..1_100);
        assert_eq!(rows.update(&ring.lines(), &asked, long), Update { shift: 0, is_done: true, is_new: false });
        let all: Vec<u64> = (0..rows.len()).filter_map(|row| rows.seq(row)).collect();
        assert_eq!(all, (0..110).map(|ten| ten * 10 + 1).collect::<Vec<u64>>());
        assert_eq!((rows.row(11), rows.row(12)), (Some(1), None));
        assert_eq!((rows.at(&ring.lines(), 15), rows.at(&ring.lines(), 9_999)), (Some(2), Some(109)));
        // The oldest fall out of the ring, and of the rows.
        push(&mut ring, 1_100..1_100 + LINES_MAX);
        let update = rows.update(&ring.lines(), &asked, long);
        assert!(update.shift <= -100, "{update:?}");
        assert!(rows.seq(0).unwrap() >= ring.lines().first_seq());
        let expected = ring.lines().from(0).filter(|entry| entry.level == Level::Warn).count();
        assert_eq!(rows.len(), expected);
    }

    #[test]
    fn a_short_budget_finds_the_newest_first_and_the_rest_later() {
        let mut ring = Ring::default();
        push(&mut ring, 0..5_000);
        let (mut rows, asked) = (Rows::default(), Asked { words: "line".into(), ..Asked::default() });
        let update = rows.update(&ring.lines(), &asked, Duration::ZERO);
        assert!(!update.is_done && rows.seq(rows.len() - 1) == Some(5_000), "{update:?}");
        let mut updates = 1;
        while !rows.update(&ring.lines(), &asked, Duration::ZERO).is_done {
            updates += 1;
        }
        assert_eq!(rows.len(), 5_000);
        assert!(updates > 10);
    }

    #[test]
    fn a_pattern_that_is_none_finds_nothing_and_says_why() {
        let mut ring = Ring::default();
        push(&mut ring, 0..10);
        let mut rows = Rows::default();
        let asked = |words: &str| Asked { words: words.into(), ..Asked::default() };
        let long = Duration::from_secs(60);
        rows.update(&ring.lines(), &asked("/(/"), long);
        assert!(rows.is_empty() && rows.complaint().unwrap().starts_with("That is no regular expression"));
        rows.update(&ring.lines(), &asked("/line [23]$/"), long);
        assert_eq!((rows.len(), rows.complaint()), (2, None));
    }
}
