//! What the active controller holds: the image of everything appended (committed or not), and who is alive.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::features::ELR_FEATURE;
use super::liveness::Liveness;
use super::log_lines;
use super::metering::Metering;
use super::placement::UsableBroker;
use crate::logging::{Level, Logger};
use crate::metadata::config::{NodeConfig, RESOURCE_BROKER, TopicConfig};
use crate::metadata::image::{BrokerImage, Image, PartitionImage};
use crate::metadata::record::{ConfigRecord, DIRECTORY_UNASSIGNED};
use crate::metadata::report::Event;
use crate::metadata::{ApplyError, ImageDelta, MetadataRecord};
use crate::protocol::ErrorCode;
use crate::types::{Id, NodeId, Now};

/// Kafka's `DirectoryId.LOST`: the replica's directory is offline, and which one is not known.
const DIRECTORY_LOST: Id = Id([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

const UNCLEAN_LEADER_ELECTION: &str = "unclean.leader.election.enable";

/// What was decided: records to append as one batch, the answer once they are committed, and what they mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<R> {
    /// To be appended together.
    pub records: Vec<MetadataRecord>,
    /// To be sent when they are committed.
    pub response: R,
    /// To be told when they are committed.
    pub events: Vec<Event>,
}

impl<R> Decision<R> {
    /// Nothing changes.
    pub fn only(response: R) -> Decision<R> {
        Decision { records: Vec::new(), response, events: Vec::new() }
    }

    /// The same decision with another answer.
    pub fn map<S>(self, to: impl FnOnce(R) -> S) -> Decision<S> {
        Decision { records: self.records, response: to(self.response), events: self.events }
    }
}

/// Records and events as they come together.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) records: Vec<MetadataRecord>,
    pub(super) events: Vec<Event>,
}

impl Changes {
    pub(super) fn push(&mut self, record: impl Into<MetadataRecord>) {
        self.records.push(record.into());
    }

    pub(super) fn with<R>(self, response: R) -> Decision<R> {
        Decision { records: self.records, response, events: self.events }
    }
}

/// The active controller's state. Each request method works out a [`Decision`] from the present state; the records count once they are
/// handed to [`ControllerState::replay`].
#[derive(Debug)]
pub struct ControllerState {
    pub(super) config: NodeConfig,
    pub(super) image: Image,
    /// Offset of each broker's last registration record: it is unfenced once it has read that far.
    pub(super) registered_at: BTreeMap<NodeId, i64>,
    pub(super) liveness: Liveness,
    pub(super) rng: StdRng,
    pub(super) next_balance: Duration,
    pub(super) next_unclean_check: Duration,
    pub(super) metering: Metering,
}

impl ControllerState {
    /// Takes over with what the log says. `registered_at`: the offset of each broker's last registration record. Every unfenced broker gets a
    /// full session to be heard in.
    pub fn new(
        config: NodeConfig,
        image: Image,
        registered_at: BTreeMap<NodeId, i64>,
        seed: u64,
        now: Now,
    ) -> ControllerState {
        let config = config.effective(&image);
        let mut liveness = Liveness::new(config.millis("broker.session.timeout.ms"));
        for id in image.brokers.keys() {
            liveness.register(*id, now.mono);
        }
        let mut state = ControllerState {
            metering: Metering::new(&config),
            config,
            image,
            registered_at,
            liveness,
            rng: StdRng::seed_from_u64(seed),
            next_balance: now.mono,
            next_unclean_check: now.mono,
        };
        state.schedule_balance(now);
        state.schedule_unclean_check(now);
        state
    }

    /// Everything appended so far.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Takes in a record that was appended at `offset`.
    pub fn replay(
        &mut self,
        now: Now,
        offset: i64,
        epoch: i32,
        record: &MetadataRecord,
        delta: &mut ImageDelta,
    ) -> Result<(), ApplyError> {
        let new_incarnation = match record {
            MetadataRecord::RegisterBroker(r) => {
                self.image.brokers.get(&r.broker_id).is_none_or(|known| known.epoch != r.broker_epoch)
            }
            _ => false,
        };
        log_lines::record(&self.config.log, self.config.node_id, &self.image, record);
        self.image.apply(offset, epoch, record, delta)?;
        match record {
            MetadataRecord::RegisterBroker(r) => {
                self.registered_at.insert(r.broker_id, offset);
                if new_incarnation {
                    self.liveness.register(r.broker_id, now.mono);
                }
            }
            MetadataRecord::Config(r) => self.on_config(now, r),
            MetadataRecord::ClientQuota(_) => self.metering.quotas_changed(),
            _ => {}
        }
        if let MetadataRecord::UnregisterBroker(r) = record {
            self.registered_at.remove(&r.broker_id);
            self.liveness.forget(r.broker_id);
        }
        Ok(())
    }

    /// This node's own configs act at once; so does the leave to elect uncleanly, for which partitions may be waiting.
    fn on_config(&mut self, now: Now, record: &ConfigRecord) {
        if record.resource_type == RESOURCE_BROKER {
            self.config = self.config.effective(&self.image);
        }
        if record.name == UNCLEAN_LEADER_ELECTION {
            self.next_unclean_check = now.mono;
        }
    }

    /// Writes a line of the controller's log.
    pub(super) fn tell(&self, logger: Logger, level: Level, message: impl FnOnce() -> String) {
        let id = self.config.node_id;
        self.config.log.write(logger, level, || format!("{}{}", log_lines::prefix(id), message()));
    }

    /// Registered, unfenced, and not on its way out: may lead and be in an ISR.
    pub(super) fn is_active(&self, id: NodeId) -> bool {
        self.image.brokers.get(&id).is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown)
    }

    /// Whether `id` may lead this partition, as far as its directory goes.
    pub(super) fn has_online_directory(&self, id: NodeId, partition: &PartitionImage) -> bool {
        let Some(index) = partition.replicas.iter().position(|replica| *replica == id) else { return false };
        let Some(broker) = self.image.brokers.get(&id) else { return false };
        match partition.directories.get(index) {
            None | Some(&Id::ZERO | &DIRECTORY_UNASSIGNED) => true,
            Some(&DIRECTORY_LOST) => false,
            Some(directory) => broker.log_dirs.contains(directory),
        }
    }

    /// The directories of those of `replicas` that are new to a partition.
    pub(super) fn directories_of(&self, partition: &PartitionImage, replicas: &[NodeId]) -> Vec<(NodeId, Id)> {
        let new = replicas.iter().filter(|id| !partition.replicas.contains(id));
        new.map(|id| (*id, self.default_directory(*id))).collect()
    }

    pub(super) fn broker_at(&self, id: NodeId, epoch: i64) -> Result<&BrokerImage, ErrorCode> {
        match self.image.brokers.get(&id) {
            Some(broker) if broker.epoch == epoch => Ok(broker),
            _ => Err(ErrorCode::StaleBrokerEpoch),
        }
    }

    pub(super) fn elr_enabled(&self) -> bool {
        self.image.features.get(ELR_FEATURE).is_some_and(|level| *level > 0)
    }

    pub(super) fn topic_config(&self, topic: &str) -> TopicConfig {
        TopicConfig::resolve_in(&self.image, topic, &self.config)
    }

    /// Brokers that may be given replicas.
    pub(super) fn usable_brokers(&self) -> Vec<UsableBroker> {
        let usable =
            |broker: &BrokerImage| UsableBroker { id: broker.id, rack: broker.rack.clone(), fenced: broker.fenced };
        self.image
            .brokers
            .values()
            // Who has shut down is fenced, and one of those again.
            .filter(|broker| broker.fenced || !broker.in_controlled_shutdown)
            .map(|broker| usable(broker))
            .collect()
    }

    /// The directory of a new replica, where the broker has only one; it chooses itself otherwise.
    pub(super) fn default_directory(&self, id: NodeId) -> Id {
        match self.image.brokers.get(&id).map(|broker| broker.log_dirs.as_slice()) {
            Some([only]) => *only,
            _ => DIRECTORY_UNASSIGNED,
        }
    }
}
