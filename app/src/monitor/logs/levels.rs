//! Levels of the nodes' loggers: read for readers, compared to tell changes, and set.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::logging::{Level, LevelError, Logger, NodeLog};
use broker::types::NodeId;

use crate::monitor::names::{node, node_inside};
use crate::monitor::order::{Answer, Done, Refusal};

/// A node's log, and whether the node runs: levels end with it.
#[derive(Clone, Debug)]
pub struct KnownLog {
    /// The log.
    pub log: NodeLog,
    /// Whether its node runs.
    pub is_up: bool,
}

/// The nodes' logs, as whoever runs the nodes knows them.
pub type KnownLogs = BTreeMap<NodeId, KnownLog>;

/// The level of one logger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggerLevel {
    /// In force.
    pub level: Level,
    /// Whether it was set for this logger itself.
    pub is_own: bool,
}

/// The levels of one node, by the number of the logger.
pub type NodeLevels = Vec<LoggerLevel>;

/// Of all nodes that run.
pub type LevelTable = BTreeMap<NodeId, Arc<NodeLevels>>;

/// Reads the levels of nodes that run.
pub fn read(logs: &KnownLogs) -> LevelTable {
    let running = logs.iter().filter(|(_, known)| known.is_up);
    let levels = running.filter_map(|(id, known)| {
        let levels = known.log.levels()?;
        let level = |logger: &Logger| LoggerLevel { level: levels.of(*logger), is_own: levels.is_own(*logger) };
        Some((*id, Arc::new(Logger::ALL.iter().map(level).collect())))
    });
    levels.collect()
}

/// A logger whose own level is another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange {
    /// Whose logger.
    pub node_id: NodeId,
    /// Which.
    pub logger: Logger,
    /// Its own level now.
    pub own: Option<Level>,
    /// The level in force.
    pub level: Level,
}

impl LevelChange {
    /// In one sentence.
    pub fn text(&self) -> String {
        let (name, node, level) = (self.logger.name(), node_inside(self.node_id), self.level);
        match self.own {
            Some(_) => format!("{name} of {node} logs from level {level} on."),
            None => format!("{name} of {node} has no level of its own any more: it inherits {level}."),
        }
    }
}

/// What has changed in nodes that run now and ran before.
pub fn changes(before: &LevelTable, now: &LevelTable) -> Vec<LevelChange> {
    let own = |level: &LoggerLevel| level.is_own.then_some(level.level);
    let mut changes = Vec::new();
    for (node_id, levels) in now {
        let Some(known) = before.get(node_id) else { continue };
        for (logger, (before, level)) in Logger::ALL.iter().zip(known.iter().zip(levels.iter())) {
            if own(before) != own(level) {
                changes.push(LevelChange { node_id: *node_id, logger: *logger, own: own(level), level: level.level });
            }
        }
    }
    changes
}

/// Sets or takes away the level of a logger, of one node or of all that run.
///
/// # Errors
/// No such node or logger, a node that does not run, or the root is to have no level.
pub fn set(logs: &KnownLogs, of: Option<NodeId>, name: &str, level: Option<Level>) -> Answer {
    let shown: String = name.chars().take(80).collect();
    let logger = Logger::of(name).ok_or_else(|| Refusal::not_found(format!("There is no logger {shown}.")))?;
    let chosen = match of {
        Some(id) => {
            let known = logs.get(&id).ok_or_else(|| Refusal::not_found(format!("There is no node {id}.")))?;
            if !known.is_up {
                let why = "its levels are Kafka's defaults when it starts again";
                return Err(Refusal::conflict(format!("{} does not run: {why}.", node(id))));
            }
            vec![known]
        }
        None => logs.values().filter(|known| known.is_up).collect(),
    };
    let mut set = 0;
    for known in chosen {
        let Some(levels) = known.log.levels() else { continue };
        levels.set(logger, level).map_err(|error| match error {
            LevelError::Root => {
                Refusal::invalid("The root logger cannot be without a level: all others may lean on it.")
            }
            other => Refusal::invalid(format!("{other}.")),
        })?;
        set += 1;
        known.log.warn(Logger::RuntimeLoggerManager, || match level {
            Some(level) => format!("The level of {name} is {level} now."),
            None => format!("{name} has no level of its own any more."),
        });
    }
    if set == 0 {
        return Err(Refusal::conflict("No node runs whose levels could be set."));
    }
    let whom = of.map_or_else(|| "all nodes that run".to_owned(), node_inside);
    let text = match level {
        Some(level) => format!("{name} of {whom} logs from level {level} on."),
        None => format!("{name} of {whom} has the level of the next logger above it."),
    };
    Ok(Done { id: None, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::order::RefusalKind;

    fn logs() -> (KnownLogs, crossbeam_channel::Receiver<broker::logging::LogLine>) {
        let (taker, lines) = crossbeam_channel::bounded(64);
        let known = |id| (id, KnownLog { log: NodeLog::new(id, taker.clone(), || 0), is_up: id != 2 });
        ([1, 2, 3000].map(known).into(), lines)
    }

    #[test]
    fn levels_are_set_told_and_taken_away() {
        let (logs, lines) = logs();
        let before = read(&logs);
        assert_eq!(before.keys().copied().collect::<Vec<_>>(), [1, 3000], "2 does not run");
        set(&logs, Some(1), "kafka.request.logger", Some(Level::Debug)).unwrap();
        let now = read(&logs);
        let change =
            LevelChange { node_id: 1, logger: Logger::RequestLogger, own: Some(Level::Debug), level: Level::Debug };
        assert_eq!(changes(&before, &now), [change]);
        assert_eq!(change.text(), "kafka.request.logger of broker 1 logs from level DEBUG on.");
        let line = lines.try_recv().unwrap();
        assert_eq!((line.node_id, line.logger, line.level), (1, Logger::RuntimeLoggerManager, Level::Warn));
        let done = set(&logs, None, "kafka.request.logger", None).unwrap();
        assert_eq!(done.text, "kafka.request.logger of all nodes that run has the level of the next logger above it.");
        let after = read(&logs);
        let gone = changes(&now, &after);
        assert_eq!(
            gone.iter().map(|change| (change.node_id, change.own)).collect::<Vec<_>>(),
            [(1, None), (3000, None)]
        );
        assert_eq!(
            gone[0].text(),
            "kafka.request.logger of broker 1 has no level of its own any more: it inherits INFO."
        );
        assert_eq!(lines.try_iter().map(|line| line.node_id).collect::<Vec<_>>(), [1, 3000]);
        assert_eq!(changes(&LevelTable::new(), &after), [], "a node that starts changes nothing");
    }

    #[test]
    fn refusals_are_one_sentence() {
        let (logs, lines) = logs();
        for (node, name, level, kind) in [
            (Some(1), "no.such", Some(Level::Info), RefusalKind::NotFound),
            (Some(9), "kafka", Some(Level::Info), RefusalKind::NotFound),
            (Some(2), "kafka", Some(Level::Info), RefusalKind::Conflict),
            (None, "root", None, RefusalKind::Invalid),
        ] {
            let refusal = set(&logs, node, name, level).unwrap_err();
            assert_eq!(refusal.kind, kind, "{refusal}");
            assert!(refusal.text.ends_with('.') && !refusal.text.contains('\n'), "{refusal}");
        }
        assert_eq!(set(&KnownLogs::new(), None, "kafka", None).unwrap_err().kind, RefusalKind::Conflict);
        assert!(lines.is_empty());
    }
}
