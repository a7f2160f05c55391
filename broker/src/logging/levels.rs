//! The levels of a node's loggers. Reading one is a load of an atomic byte: the hot path asks before it makes a line.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Level, Logger};

/// A level that cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// No logger of that name.
    #[error("Logger {0} does not exist!")]
    UnknownLogger(String),
    /// The root's level can be changed, but not taken away: all others may lean on it.
    #[error("Removing the log level of the root logger is not allowed")]
    Root,
}

/// See the module. Those of a new node are those of Kafka's configuration file.
#[derive(Debug)]
pub struct Levels {
    /// By the number of the logger.
    in_force: Vec<AtomicU8>,
    /// What is set, by the number of the logger.
    own: Mutex<Vec<Option<Level>>>,
}

impl Default for Levels {
    fn default() -> Levels {
        let own: Vec<Option<Level>> = Logger::ALL.iter().map(|logger| logger.configured()).collect();
        let in_force = Logger::ALL.iter().map(|logger| AtomicU8::new(inherited(&own, *logger) as u8)).collect();
        Levels { in_force, own: Mutex::new(own) }
    }
}

/// The logger's own level, or that of the next above that has one.
fn inherited(own: &[Option<Level>], logger: Logger) -> Level {
    let mut at = Some(logger);
    while let Some(logger) = at {
        if let Some(level) = own[logger as usize] {
            return level;
        }
        at = logger.parent();
    }
    Level::Info
}

impl Levels {
    fn own(&self) -> MutexGuard<'_, Vec<Option<Level>>> {
        // A list of plain values is whole even if a thread panicked while it held the lock.
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a line of this level is wanted.
    pub fn is_on(&self, logger: Logger, level: Level) -> bool {
        level as u8 >= self.in_force[logger as usize].load(Ordering::Relaxed)
    }

    /// The level in force.
    pub fn of(&self, logger: Logger) -> Level {
        let number = self.in_force[logger as usize].load(Ordering::Relaxed);
        Level::ALL.get(usize::from(number)).copied().unwrap_or(Level::Fatal)
    }

    /// Whether a level was set for this logger itself; that of Kafka's configuration file counts.
    pub fn is_own(&self, logger: Logger) -> bool {
        self.own()[logger as usize].is_some()
    }

    /// Gives a logger, and all below it that have none of their own, a level; without one, that of the next above.
    ///
    /// # Errors
    /// The root cannot be without one.
    pub fn set(&self, logger: Logger, level: Option<Level>) -> Result<(), LevelError> {
        if logger == Logger::Root && level.is_none() {
            return Err(LevelError::Root);
        }
        let mut own = self.own();
        own[logger as usize] = level;
        for logger in Logger::ALL {
            self.in_force[*logger as usize].store(inherited(&own, *logger) as u8, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_s_defaults() {
        let levels = Levels::default();
        for logger in Logger::ALL {
            let quiet = matches!(logger, Logger::RequestLogger | Logger::RequestChannel);
            assert_eq!(levels.of(*logger), if quiet { Level::Warn } else { Level::Info }, "{}", logger.name());
        }
    }

    #[test]
    fn a_level_goes_down_to_those_that_have_none() {
        let levels = Levels::default();
        levels.set(Logger::Kafka, Some(Level::Debug)).unwrap();
        assert_eq!(levels.of(Logger::KafkaApis), Level::Debug);
        assert_eq!(levels.of(Logger::RequestLogger), Level::Warn, "it has its own");
        assert_eq!(levels.of(Logger::UnifiedLog), Level::Info);
        levels.set(Logger::KafkaApis, Some(Level::Error)).unwrap();
        assert!(!levels.is_on(Logger::KafkaApis, Level::Warn) && levels.is_on(Logger::KafkaApis, Level::Error));
        assert!(levels.is_own(Logger::KafkaApis) && !levels.is_own(Logger::ReplicaManager));
        levels.set(Logger::KafkaApis, None).unwrap();
        levels.set(Logger::Kafka, None).unwrap();
        assert_eq!(levels.of(Logger::KafkaApis), Level::Info, "the root's");
        levels.set(Logger::Root, Some(Level::Trace)).unwrap();
        assert_eq!(levels.of(Logger::KafkaApis), Level::Trace);
        assert_eq!(levels.of(Logger::QuorumController), Level::Info);
        assert_eq!(levels.set(Logger::Root, None), Err(LevelError::Root));
    }
}
