//! Lines, and a node's hand to write them with. Writing never waits: what its taker has no room for is counted and told with the next.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::Sender;

use super::{Level, Levels, Logger};
use crate::types::NodeId;

/// A longer message is cut.
pub const LINE_MAX_BYTES: usize = 16 * 1024;

/// One line of a node's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Whose.
    pub node_id: NodeId,
    /// The node's wall clock.
    pub at_ms: i64,
    /// How much it matters.
    pub level: Level,
    /// Who says it.
    pub logger: Logger,
    /// What it says, in one line of at most [`LINE_MAX_BYTES`]; what a client sent may be in it, but no control character.
    pub message: Box<str>,
    /// So many lines of the node were lost before it, as nobody took them in time.
    pub lost_before: u64,
}

struct Inner {
    node_id: NodeId,
    levels: Levels,
    wall_ms: Box<dyn Fn() -> i64 + Send + Sync>,
    taker: Sender<LogLine>,
    lost: AtomicU64,
    ended: AtomicBool,
}

/// What a node writes its log with. Clones write the same log. The default is silent, as a simulated node is.
#[derive(Clone, Default)]
pub struct NodeLog {
    inner: Option<Arc<Inner>>,
}

impl NodeLog {
    /// The log of a node that starts, with Kafka's levels; `wall_ms` is the node's wall clock.
    pub fn new(node_id: NodeId, taker: Sender<LogLine>, wall_ms: impl Fn() -> i64 + Send + Sync + 'static) -> NodeLog {
        let levels = Levels::default();
        NodeLog {
            inner: Some(Arc::new(Inner {
                node_id,
                levels,
                wall_ms: Box::new(wall_ms),
                taker,
                lost: AtomicU64::new(0),
                ended: AtomicBool::new(false),
            })),
        }
    }

    /// Its levels; `None` if it is silent.
    pub fn levels(&self) -> Option<&Levels> {
        self.inner.as_ref().map(|inner| &inner.levels)
    }

    /// Whether a line would be written.
    pub fn is_on(&self, logger: Logger, level: Level) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.levels.is_on(logger, level))
    }

    /// The node was killed: what it says while it dies, as its disk is gone already, is not written.
    pub fn end(&self) {
        if let Some(inner) = &self.inner {
            inner.ended.store(true, Ordering::Relaxed);
        }
    }

    /// Writes what `message` makes, which is not called if nobody wants to read it.
    pub fn write(&self, logger: Logger, level: Level, message: impl FnOnce() -> String) {
        let Some(inner) = &self.inner else { return };
        if !inner.levels.is_on(logger, level) || inner.ended.load(Ordering::Relaxed) {
            return;
        }
        let lost_before = inner.lost.swap(0, Ordering::Relaxed);
        let line = LogLine {
            node_id: inner.node_id,
            at_ms: (inner.wall_ms)(),
            level,
            logger,
            message: one_line(message()).into_boxed_str(),
            lost_before,
        };
        if inner.taker.try_send(line).is_err() {
            inner.lost.fetch_add(lost_before + 1, Ordering::Relaxed);
        }
    }

    /// Every step.
    pub fn trace(&self, logger: Logger, message: impl FnOnce() -> String) {
        self.write(logger, Level::Trace, message);
    }

    /// What happens in normal work.
    pub fn debug(&self, logger: Logger, message: impl FnOnce() -> String) {
        self.write(logger, Level::Debug, message);
    }

    /// What changes.
    pub fn info(&self, logger: Logger, message: impl FnOnce() -> String) {
        self.write(logger, Level::Info, message);
    }

    /// What is unusual and is coped with.
    pub fn warn(&self, logger: Logger, message: impl FnOnce() -> String) {
        self.write(logger, Level::Warn, message);
    }

    /// What failed.
    pub fn error(&self, logger: Logger, message: impl FnOnce() -> String) {
        self.write(logger, Level::Error, message);
    }

    /// What the node dies of.
    pub fn fatal(&self, logger: Logger, message: impl FnOnce() -> String) {
        self.write(logger, Level::Fatal, message);
    }
}

impl fmt::Debug for NodeLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Some(inner) => write!(f, "NodeLog({})", inner.node_id),
            None => f.write_str("NodeLog(silent)"),
        }
    }
}

/// Names that clients choose may hold anything: a line feed in one must not look like a line of ours, nor an escape reach a terminal.
fn one_line(message: String) -> String {
    let cut = if message.len() > LINE_MAX_BYTES {
        let end = message.floor_char_boundary(LINE_MAX_BYTES - 40);
        format!("{}… ({} bytes more)", &message[..end], message.len() - end)
    } else {
        message
    };
    if !cut.contains(char::is_control) {
        return cut;
    }
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let mut escaped: String = cut.chars().map(plain).collect();
    escaped.truncate(escaped.floor_char_boundary(LINE_MAX_BYTES));
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(room: usize) -> (NodeLog, crossbeam_channel::Receiver<LogLine>) {
        let (taker, lines) = crossbeam_channel::bounded(room);
        (NodeLog::new(7, taker, || 1_000), lines)
    }

    #[test]
    fn what_nobody_wants_is_not_made() {
        let (log, lines) = log(10);
        log.debug(Logger::KafkaApis, || unreachable!());
        NodeLog::default().fatal(Logger::KafkaApis, || unreachable!());
        log.levels().unwrap().set(Logger::KafkaApis, Some(Level::Debug)).unwrap();
        log.clone().debug(Logger::KafkaApis, || "asked".into());
        let line = lines.try_recv().unwrap();
        assert_eq!((line.node_id, line.at_ms, line.level, &*line.message), (7, 1_000, Level::Debug, "asked"));
        assert!(lines.is_empty());
    }

    #[test]
    fn the_dead_write_nothing() {
        let (log, lines) = log(10);
        let another_hand = log.clone();
        another_hand.info(Logger::KafkaApis, || "alive".into());
        log.end();
        another_hand.fatal(Logger::KafkaApis, || unreachable!());
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (log, lines) = log(1);
        for number in 0..4 {
            log.info(Logger::KafkaApis, || number.to_string());
        }
        assert_eq!(lines.try_recv().unwrap().lost_before, 0);
        log.info(Logger::KafkaApis, || "again".into());
        assert_eq!(lines.try_recv().unwrap().lost_before, 3);
        log.info(Logger::KafkaApis, || "again".into());
        assert_eq!(lines.try_recv().unwrap().lost_before, 0);
    }

    #[test]
    fn a_message_is_one_short_line() {
        for (given, written) in [
            ("plain, häßlich", "plain, häßlich".to_string()),
            ("two\nlines\u{1b}[31m", "two\\nlines\\u{1b}[31m".to_string()),
        ] {
            assert_eq!(one_line(given.into()), written);
        }
        let long = one_line("ä".repeat(LINE_MAX_BYTES));
        assert!(long.len() <= LINE_MAX_BYTES && long.ends_with("bytes more)"));
        assert!(one_line("\u{7}".repeat(LINE_MAX_BYTES)).len() <= LINE_MAX_BYTES);
    }
}
