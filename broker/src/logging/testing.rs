//! A log whose lines a test reads.

use crossbeam_channel::Receiver;

use super::{Level, LogLine, Logger, NodeLog};
use crate::types::NodeId;

/// The other end of a log.
pub(crate) struct Reader {
    pub(crate) log: NodeLog,
    lines: Receiver<LogLine>,
}

impl Reader {
    pub(crate) fn new(node_id: NodeId) -> Reader {
        let (taker, lines) = crossbeam_channel::bounded(10_000);
        Reader { log: NodeLog::new(node_id, taker, || 0), lines }
    }

    pub(crate) fn set(&self, logger: Logger, level: Level) {
        self.log.levels().unwrap().set(logger, Some(level)).unwrap();
    }

    /// What was written since the last look.
    pub(crate) fn take(&self) -> Vec<LogLine> {
        self.lines.try_iter().collect()
    }

    /// Whether, since the last look, there was a line of this logger and level with all these facts, in this order.
    #[track_caller]
    pub(crate) fn expect(&self, expected: &[(Logger, Level, &[&str])]) {
        let lines = self.take();
        for (logger, level, facts) in expected {
            let has_facts = |line: &LogLine| {
                let mut rest = &*line.message;
                facts.iter().all(|fact| match rest.find(fact) {
                    Some(at) => {
                        rest = &rest[at + fact.len()..];
                        true
                    }
                    None => false,
                })
            };
            let found = lines.iter().any(|line| line.logger == *logger && line.level == *level && has_facts(line));
            assert!(found, "{} {level} {facts:?} is not among {}", logger.name(), listed(&lines));
        }
    }
}

fn listed(lines: &[LogLine]) -> String {
    lines.iter().map(|line| format!("\n{} {} {}", line.level, line.logger.name(), line.message)).collect()
}
