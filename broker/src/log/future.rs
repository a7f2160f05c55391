//! Future logs: a replica that moves to another directory of its broker is copied there beside its name, and takes the name when the copy
//! is level (KIP-113). `<topic>-<partition>.<id>-future` survives a restart; copying goes on then.
//!
//! Source: `LogManager.getOrCreateLog` (`isFuture`), `replaceCurrentWithFutureLog`.

use std::sync::Arc;

use super::log_dir::{LogDir, partition_of};
use super::{Log, LogConfig, LogError, Recovery};
use crate::types::{Id, Now, TopicPartition};

/// What the name of a future log's directory ends with.
pub(super) const FUTURE: &str = "-future";
/// Names of directories may not be longer.
const MAX_NAME_BYTES: usize = 255;
/// `.`, 32 hexadecimal digits and `-future`.
const SUFFIX_BYTES: usize = 1 + 32 + FUTURE.len();

/// Whether the directory of a future log of this partition could be named (Kafka refuses the move of longer ones).
pub fn has_future_name(name: &TopicPartition) -> bool {
    name.to_string().len() + SUFFIX_BYTES <= MAX_NAME_BYTES
}

/// The partition of `orders-3.<id>-future`.
pub(super) fn future_of(name: &str) -> Option<TopicPartition> {
    let (stem, id) = name.strip_suffix(FUTURE)?.rsplit_once('.')?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| partition_of(stem)).flatten()
}

impl LogDir {
    /// Future logs, by name.
    pub fn futures(&self) -> impl Iterator<Item = &Log> {
        self.futures.values()
    }

    /// The future log of a partition, if one is being copied here.
    pub fn future(&self, name: &TopicPartition) -> Option<&Log> {
        self.futures.get(name)
    }

    /// The same, to be changed.
    pub fn future_mut(&mut self, name: &TopicPartition) -> Option<&mut Log> {
        self.futures.get_mut(name)
    }

    /// Begins a future log at `start_offset`; one that is there already goes on.
    pub fn begin_future(
        &mut self,
        name: &TopicPartition,
        topic_id: Option<Id>,
        config: LogConfig,
        start_offset: i64,
        now: Now,
    ) -> Result<(), LogError> {
        if self.futures.contains_key(name) {
            return Ok(());
        }
        let unique = self.unique(name, now);
        let dir = self.root().join(format!("{name}.{unique}{FUTURE}"));
        let disk = Arc::clone(&self.disk);
        let mut log = Log::open(disk, dir, name.clone(), topic_id, config, Recovery::UNKNOWN, now)?;
        if start_offset > 0 {
            log.truncate_fully_and_start_at(start_offset)?;
        }
        log.tell_in(&self.book);
        self.futures.insert(name.clone(), log);
        Ok(())
    }

    /// Gives up a future log. False if there is none.
    pub fn delete_future(&mut self, name: &TopicPartition, now: Now) -> Result<bool, LogError> {
        let Some(log) = self.futures.remove(name) else { return Ok(false) };
        self.doom(log, now)?;
        Ok(true)
    }

    /// The future log takes the partition's name here, and its high watermark. Another directory may still hold the log of that name: that
    /// one is to be given up next.
    pub fn promote_future(&mut self, name: &TopicPartition, high_watermark: i64, now: Now) -> Result<(), LogError> {
        let Some(mut log) = self.futures.remove(name) else {
            return Err(LogError::InvalidRecord("there is no future log"));
        };
        log.close_now(now)?;
        let (from, to) = (log.dir().to_owned(), self.root().join(name.to_string()));
        let recovery = Recovery {
            clean_shutdown: true,
            recovery_point: log.log_end_offset(),
            log_start_offset: log.log_start_offset(),
            ..Recovery::UNKNOWN
        };
        let (topic_id, config) = (log.topic_id(), log.config().clone());
        drop(log);
        let rename = self.disk.rename(&from, &to).and_then(|()| self.disk.sync_dir(self.root()));
        rename.map_err(LogError::io(&from))?;
        let mut log = Log::open(Arc::clone(&self.disk), to, name.clone(), topic_id, config, recovery, now)?;
        log.keep_tail_in(&self.tails);
        log.tell_in(&self.book);
        self.high_watermarks.insert(name.clone(), high_watermark);
        self.logs.insert(name.clone(), log);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_future_logs() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(future_of(&format!("a-b.c-7.{id}-future")), Some(TopicPartition::new("a-b.c", 7)));
        for other in ["a-7", "a-7.x-future", &format!("a-7.{id}-delete"), &format!("a.{id}-future")] {
            assert_eq!(future_of(other), None, "{other}");
        }
        assert!(has_future_name(&TopicPartition::new("a".repeat(213), 1)));
        assert!(!has_future_name(&TopicPartition::new("a".repeat(214), 1)));
    }
}
