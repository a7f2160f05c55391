//! What a broker's log tells of its replicas. The facts are those of Kafka's lines, by which operators look for them.
//!
//! Source: `kafka.cluster.Partition`, `kafka.server.{ReplicaManager, AbstractFetcherManager, AbstractFetcherThread}`,
//! `org.apache.kafka.logger.StateChangeLogger`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use super::isr::FollowerState;
use super::manager::ReplicaManager;
use super::partition::Partition;
use crate::logging::{Level, Logger, NodeLog};
use crate::metadata::config::{RESOURCE_TOPIC, shown_value};
use crate::metadata::image::{Image, PartitionImage};
use crate::types::{NodeId, TopicIdPartition, TopicPartition};

/// So many names stand in one line.
const NAMES_MAX: usize = 50;

/// Some of many names, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Names {
    first: Vec<String>,
    count: usize,
}

impl Names {
    pub(super) fn push(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < NAMES_MAX {
            self.first.push(name());
        }
    }

    /// Of all of these.
    pub(super) fn of<T: Display>(names: impl IntoIterator<Item = T>) -> Names {
        let mut all = Names::default();
        names.into_iter().for_each(|name| all.push(|| name.to_string()));
        all
    }
}

impl Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.count - self.first.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Whom partitions are fetched from, and which are no longer, since that was last told.
#[derive(Debug, Default)]
pub(super) struct FetcherNews {
    added: BTreeMap<NodeId, Names>,
    removed: Names,
}

pub(super) fn ids(ids: &[NodeId]) -> String {
    let ids: Vec<String> = ids.iter().map(NodeId::to_string).collect();
    format!("[{}]", ids.join(","))
}

/// A partition's own lines begin with this.
pub(super) fn of_partition(me: NodeId, name: &TopicPartition) -> String {
    format!("[Partition {name} broker={me}] ")
}

/// Those of a follower's fetcher.
pub(super) fn of_fetcher(me: NodeId, leader: NodeId) -> String {
    format!("[ReplicaFetcher replicaId={me}, leaderId={leader}, fetcherId=0] ")
}

/// This broker leads, in a new epoch or as before.
pub(super) fn leads(log: &NodeLog, me: NodeId, partition: &Partition, state: &PartitionImage, start: Option<i64>) {
    log.info(Logger::StateChange, || {
        let (name, id, epoch) = (partition.name(), partition.id().topic_id, state.leader_epoch);
        let begins = match start {
            Some(offset) => format!("is led here from leader epoch {epoch} on, from offset {offset}"),
            None => format!("goes on being led here in leader epoch {epoch}"),
        };
        format!(
            "[Broker id={me}] {name} with topic id {id} {begins}: partition epoch {}, high watermark {}, ISR {}, adding replicas {}, removing \
             replicas {}, under min ISR: {}",
            state.partition_epoch,
            partition.high_watermark(),
            ids(&state.isr),
            ids(&state.adding),
            ids(&state.removing),
            state.isr.len() < partition.effective_min_isr(),
        )
    });
}

/// This broker follows; `before`: leader and epoch until now, and whether they are the same.
pub(super) fn follows(log: &NodeLog, me: NodeId, partition: &Partition, log_end: Option<i64>, before: (NodeId, i32)) {
    log.info(Logger::StateChange, || {
        let (name, leader, epoch) = (partition.name(), partition.leader(), partition.leader_epoch());
        let same = before == (leader, epoch);
        let begins = if same { "goes on following" } else { "begins to follow" };
        let end = log_end.map_or_else(|| "an offline log".to_owned(), |end| format!("offset {end}"));
        format!(
            "[Broker id={me}] {name} {begins} leader {leader} in leader epoch {epoch} from {end}: partition epoch {}, high watermark {}, \
             previous leader {} and leader epoch {}",
            partition.partition_epoch(),
            partition.high_watermark(),
            before.0,
            before.1,
        )
    });
}

/// A replica is to have a log here; `dir`: it is new.
pub(super) fn hosted(manager: &ReplicaManager, image: &Image, id: &TopicIdPartition, dir: Option<String>) {
    let (log, me) = (&manager.config.log, manager.me);
    let Some(partition) = manager.partitions.get(id) else { return };
    let name = partition.name();
    log.info(Logger::StateChange, || format!("[Broker id={me}] {name} with topic id {} is new here", id.topic_id));
    if let Some(dir) = dir {
        log.info(Logger::LogManager, || {
            let set = image.configs.get(&(RESOURCE_TOPIC, name.topic.clone())).map(|configs| {
                let shown =
                    configs.iter().map(|(key, value)| format!("{key}={}", shown_value(RESOURCE_TOPIC, key, value)));
                shown.collect::<Vec<_>>().join(", ")
            });
            format!("A log was created for {name} in {dir} with properties {{{}}}", set.unwrap_or_default())
        });
    }
    log.info(Logger::Partition, || {
        format!(
            "{}The log is loaded; high watermark {} to begin with",
            of_partition(me, name),
            partition.high_watermark()
        )
    });
}

/// A follower that lags, as a leader's line tells of it.
pub(super) fn laggard(id: NodeId, state: Option<&FollowerState>, now: Duration) -> String {
    let end = state.map_or(-1, |state| state.log_end_offset);
    let level = match state.and_then(FollowerState::last_caught_up) {
        Some(then) => format!("last level {} ms ago", now.saturating_sub(then).as_millis()),
        None => "never level".to_owned(),
    };
    format!("(brokerId: {id}, endOffset: {end}, {level})")
}

impl ReplicaManager {
    fn says_of_fetchers(&self) -> bool {
        self.config.log.is_on(Logger::ReplicaFetcherManager, Level::Info)
    }

    /// A partition is fetched from a leader from now on.
    pub(super) fn note_fetching(&mut self, leader: NodeId, id: &TopicIdPartition) {
        if !self.says_of_fetchers() {
            return;
        }
        let Some(partition) = self.partitions.get(id) else { return };
        let end = self.dir.log(partition.name()).map_or(-1, |log| log.log_end_offset());
        let (name, epoch) = (partition.name(), partition.leader_epoch());
        let added = self.fetcher_news.added.entry(leader).or_default();
        added.push(|| format!("{name} (leader epoch {epoch}, offset {end})"));
    }

    /// It is no longer.
    pub(super) fn note_not_fetching(&mut self, id: &TopicIdPartition) {
        if self.says_of_fetchers()
            && let Some(partition) = self.partitions.get(id)
        {
            self.fetcher_news.removed.push(|| partition.name().to_string());
        }
    }

    /// Tells what was noted.
    pub(super) fn tell_fetchers(&mut self) {
        let FetcherNews { added, removed } = std::mem::take(&mut self.fetcher_news);
        let (log, me) = (&self.config.log, self.me);
        if removed.count > 0 {
            log.info(Logger::ReplicaFetcherManager, || {
                format!("[ReplicaFetcherManager on broker {me}] No longer fetched: {removed}")
            });
        }
        for (leader, names) in added {
            log.info(Logger::ReplicaFetcherManager, || {
                format!("[ReplicaFetcherManager on broker {me}] Fetched from broker {leader}: {names}")
            });
        }
    }

    /// How many replicas change their role by what an image says of these partitions; told before each of them.
    pub(super) fn tell_transitions<'a>(&self, image: &Image, ids: impl Iterator<Item = &'a TopicIdPartition>) {
        let (log, me) = (&self.config.log, self.me);
        if !log.is_on(Logger::StateChange, Level::Info) {
            return;
        }
        let (mut leaders, mut followers, mut gone) = (0, 0, 0);
        for id in ids {
            let here = self.partitions.get(id);
            let topic = image.topics.get(&id.topic_id);
            let state = topic.and_then(|topic| topic.partition(id.partition));
            match state.filter(|state| state.replicas.contains(&me)) {
                None => gone += usize::from(here.is_some()),
                Some(state) if here.is_some_and(|here| !here.is_news(state)) => {}
                Some(state) if state.leader == me => leaders += 1,
                Some(_) => followers += 1,
            }
        }
        for (count, what) in [(gone, "are deleted"), (leaders, "are to be led"), (followers, "are to be followed")] {
            if count > 0 {
                log.info(Logger::StateChange, || format!("[Broker id={me}] {count} partition(s) {what} here"));
            }
        }
    }

    /// A line of this manager's own.
    pub(super) fn say(&self, level: Level, message: impl FnOnce() -> String) {
        let me = self.me;
        self.config.log.write(Logger::ReplicaManager, level, || format!("[ReplicaManager broker={me}] {}", message()));
    }

    /// A line about a partition, if it is here.
    pub(super) fn say_of(&self, id: &TopicIdPartition, level: Level, message: impl FnOnce(&Partition) -> String) {
        if let Some(partition) = self.partitions.get(id) {
            self.config
                .log
                .write(Logger::Partition, level, || of_partition(self.me, partition.name()) + &message(partition));
        }
    }

    /// A line about the fetcher of a partition, if it is here.
    pub(super) fn say_of_fetch(
        &self,
        leader: NodeId,
        id: &TopicIdPartition,
        level: Level,
        message: impl FnOnce(&TopicPartition) -> String,
    ) {
        if let Some(partition) = self.partitions.get(id) {
            self.config
                .log
                .write(Logger::ReplicaFetcher, level, || of_fetcher(self.me, leader) + &message(partition.name()));
        }
    }

    /// A line about a replica that moves to another directory, if it is here.
    pub(super) fn say_of_move(
        &self,
        id: &TopicIdPartition,
        level: Level,
        message: impl FnOnce(&TopicPartition) -> String,
    ) {
        if let Some(partition) = self.partitions.get(id) {
            self.config.log.write(Logger::AlterLogDirs, level, || {
                format!("[ReplicaAlterLogDirsThread-0] {}", message(partition.name()))
            });
        }
    }
}
