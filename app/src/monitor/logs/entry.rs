//! A line with its number, and its text as Kafka writes it.

use broker::logging::{Level, LogLine, Logger};
use broker::types::NodeId;
use serde::{Serialize, Serializer};

use crate::monitor::cloudwatch::time::iso;

/// A line of a node's log. Numbers grow by one over all nodes, in the order in which lines arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// The node's wall clock.
    pub at_ms: i64,
    /// Whose line.
    #[serde(rename = "node")]
    pub node_id: NodeId,
    /// How much it matters.
    pub level: Level,
    /// Who says it.
    #[serde(serialize_with = "by_name")]
    pub logger: Logger,
    /// What it says, on one line.
    pub message: Box<str>,
    /// So many lines of the node were lost before it.
    pub lost_before: u64,
}

fn by_name<S: Serializer>(logger: &Logger, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(logger.name())
}

impl Entry {
    /// A line that was taken, under its number.
    pub fn new(seq: u64, line: LogLine) -> Entry {
        let LogLine { node_id, at_ms, level, logger, message, lost_before } = line;
        Entry { seq, at_ms, node_id, level, logger, message, lost_before }
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        // The counts of an `Arc` and the pointer to it come on top.
        self.message.len() + size_of::<Entry>() + 3 * size_of::<usize>()
    }

    /// Adds its text to `out`, after that of the lines that were lost before it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        if self.lost_before > 0 {
            let lost = format!("{} lines were lost here: they came faster than they could be taken.", self.lost_before);
            write_line(out, self.at_ms, Level::Warn, &lost, NOTES);
        }
        write_line(out, self.at_ms, self.level, &self.message, self.logger.name());
    }
}

/// Who says what no node says.
pub const NOTES: &str = "brokerscope.logs";

/// `[2026-11-27 07:05:24,123] INFO message (logger)`, as Kafka's pattern `[%d] %p %m (%c)%n`; the time is UTC.
pub fn write_line(out: &mut Vec<u8>, at_ms: i64, level: Level, message: &str, logger: &str) {
    let at = iso(at_ms);
    let (date, time) = at.trim_end_matches('Z').split_once('T').unwrap_or((&at, ""));
    let (seconds, ms) = time.split_once('.').unwrap_or((time, "000"));
    for part in ["[", date, " ", seconds, ",", ms, "] ", level.name(), " ", message, " (", logger, ")\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The last part of a logger's name: `KafkaApis` of `kafka.server.KafkaApis`; all of it where that says too little.
pub fn short_name(logger: Logger) -> &'static str {
    let name = logger.name();
    match name.rsplit_once('.') {
        Some((_, last)) if last.starts_with(char::is_uppercase) => last.trim_end_matches('$'),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_kafka_s() {
        let line = |lost_before| LogLine {
            node_id: 1,
            at_ms: 1_795_763_124_123,
            level: Level::Info,
            logger: Logger::Partition,
            message: "[Partition t-0 broker=1] said".into(),
            lost_before,
        };
        let text = |line| {
            let mut out = Vec::new();
            Entry::new(1, line).write_to(&mut out);
            String::from_utf8(out).unwrap()
        };
        let said = "[2026-11-27 07:05:24,123] INFO [Partition t-0 broker=1] said (kafka.cluster.Partition)\n";
        assert_eq!(text(line(0)), said);
        let lost = "[2026-11-27 07:05:24,123] WARN 7 lines were lost here: they came faster than they could be taken. (brokerscope.logs)\n";
        assert_eq!(text(line(7)), format!("{lost}{said}"));
    }

    #[test]
    fn short_names_still_say_who() {
        for (logger, short) in [
            (Logger::KafkaApis, "KafkaApis"),
            (Logger::RequestChannel, "RequestChannel"),
            (Logger::RequestLogger, "kafka.request.logger"),
            (Logger::StateChange, "state.change.logger"),
            (Logger::Kafka, "kafka"),
            (Logger::Controller, "org.apache.kafka.controller"),
        ] {
            assert_eq!(short_name(logger), short);
        }
    }
}
