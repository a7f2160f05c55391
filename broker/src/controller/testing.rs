//! A controller state with a log of its own, that commits at once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::features::supported_features;
use super::state::{ControllerState, Decision};
use crate::metadata::config::NodeConfig;
use crate::metadata::image::{Image, PartitionImage};
use crate::metadata::report::Event;
use crate::metadata::{ImageDelta, MetadataRecord};
use crate::protocol::ErrorCode;
use crate::protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use crate::protocol::messages::broker_registration_request::{Feature, Listener};
use crate::protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use crate::protocol::messages::*;
use crate::types::{Id, NodeId, Now};

pub(super) struct Harness {
    pub(super) state: ControllerState,
    pub(super) log: Vec<MetadataRecord>,
    pub(super) events: Vec<Event>,
    pub(super) now: Now,
}

pub(super) fn config(overrides: &[(&str, &str)]) -> NodeConfig {
    let overrides = overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    NodeConfig::new(3000, "test-cluster", overrides).unwrap().with_voters(vec![3000])
}

pub(super) fn id(number: u64) -> Id {
    Id((u128::from(number) + 1000).to_be_bytes())
}

pub(super) fn text(text: &str) -> KafkaString {
    KafkaString::from(text.to_owned())
}

impl Harness {
    /// A new cluster without brokers; a session lasts 9 s.
    pub(super) fn new(overrides: &[(&str, &str)]) -> Harness {
        let now = Now { mono: Duration::from_secs(100), wall_ms: 1_700_000_000_000 };
        let state = ControllerState::new(config(overrides), Image::default(), BTreeMap::new(), 7, now);
        let mut harness = Harness { state, log: Vec::new(), events: Vec::new(), now };
        let bootstrap = harness.state.bootstrap();
        harness.commit(bootstrap);
        harness
    }

    /// Brokers 1 to `brokers`, in racks a, b, c in turn, unfenced.
    pub(super) fn with_brokers(overrides: &[(&str, &str)], brokers: i32) -> Harness {
        let mut harness = Harness::new(overrides);
        for broker in 1..=brokers {
            harness.start(broker, broker as u64);
        }
        harness.events.clear();
        harness
    }

    pub(super) fn commit<R>(&mut self, decision: Decision<R>) -> R {
        let mut delta = ImageDelta::default();
        for record in decision.records {
            // What is written must be what is read.
            let record = MetadataRecord::decode(&record.encode()).unwrap();
            let offset = self.log.len() as i64;
            self.state.replay(self.now, offset, 1, &record, &mut delta).unwrap();
            self.log.push(record);
        }
        self.events.extend(decision.events);
        decision.response
    }

    pub(super) fn next_offset(&self) -> i64 {
        self.log.len() as i64
    }

    pub(super) fn wait(&mut self, ms: u64) {
        self.now = self.now.plus(Duration::from_millis(ms));
    }

    pub(super) fn tick(&mut self) {
        while let Some(decision) = self.state.tick(self.now) {
            self.commit(decision);
        }
    }

    pub(super) fn registration(broker: NodeId, incarnation: u64, previous_epoch: i64) -> BrokerRegistrationRequestData {
        let racks = ["a", "b", "c"];
        let feature = |range: crate::metadata::record::FeatureRange| Feature {
            name: text(&range.name),
            min_supported_version: range.min_supported_version,
            max_supported_version: range.max_supported_version,
            ..Default::default()
        };
        BrokerRegistrationRequestData {
            broker_id: broker,
            cluster_id: text("test-cluster"),
            incarnation_id: id(incarnation).into(),
            listeners: vec![Listener { name: text("PLAINTEXT"), host: text("h"), port: 9092, ..Default::default() }],
            features: supported_features().into_iter().map(feature).collect(),
            rack: Some(text(racks[(broker - 1) as usize % 3])),
            log_dirs: vec![id(500 + broker as u64).into()],
            previous_broker_epoch: previous_epoch,
            ..Default::default()
        }
    }

    pub(super) fn register(&mut self, broker: NodeId, incarnation: u64, previous_epoch: i64) -> Result<i64, ErrorCode> {
        let request = Harness::registration(broker, incarnation, previous_epoch);
        let offset = self.next_offset();
        let decision = self.state.register_broker(self.now, &request, offset);
        let response = self.commit(decision);
        match ErrorCode::from(response.error_code) {
            ErrorCode::None => Ok(response.broker_epoch),
            error => Err(error),
        }
    }

    /// A heartbeat of a broker that has read everything.
    pub(super) fn heartbeat(
        &mut self,
        broker: NodeId,
        want_fence: bool,
        want_shut_down: bool,
    ) -> BrokerHeartbeatResponseData {
        let read = self.next_offset() - 1;
        self.heartbeat_at(broker, want_fence, want_shut_down, read)
    }

    pub(super) fn heartbeat_at(
        &mut self,
        broker: NodeId,
        want_fence: bool,
        want_shut_down: bool,
        read: i64,
    ) -> BrokerHeartbeatResponseData {
        let request = BrokerHeartbeatRequestData {
            broker_id: broker,
            broker_epoch: self.epoch(broker),
            current_metadata_offset: read,
            want_fence,
            want_shut_down,
            ..Default::default()
        };
        let offset = self.next_offset();
        let decision = self.state.heartbeat(self.now, &request, offset);
        self.commit(decision)
    }

    /// Registers a new incarnation and lets it in.
    pub(super) fn start(&mut self, broker: NodeId, incarnation: u64) {
        self.register(broker, incarnation, -1).unwrap();
        assert!(!self.heartbeat(broker, false, false).is_fenced);
    }

    /// The broker falls silent until it is fenced; the others go on.
    pub(super) fn kill(&mut self, broker: NodeId) {
        self.wait(8_000);
        let others: Vec<NodeId> =
            self.state.image().brokers.values().filter(|b| !b.fenced && b.id != broker).map(|b| b.id).collect();
        for other in others {
            self.heartbeat(other, false, false);
        }
        self.wait(1_512);
        self.tick();
        assert!(self.state.image().brokers[&broker].fenced);
    }

    pub(super) fn epoch(&self, broker: NodeId) -> i64 {
        self.state.image().brokers.get(&broker).map_or(-1, |broker| broker.epoch)
    }

    pub(super) fn create(&mut self, name: &str, partitions: i32, factor: i16) -> (ErrorCode, Option<String>) {
        let topic = CreatableTopic {
            name: text(name),
            num_partitions: partitions,
            replication_factor: factor,
            ..Default::default()
        };
        let response = self.create_topics(vec![topic]);
        outcome(&response, 0)
    }

    pub(super) fn create_topics(&mut self, topics: Vec<CreatableTopic>) -> CreateTopicsResponseData {
        let decision =
            self.state.create_topics(&CreateTopicsRequestData { topics, validate_only: false, ..Default::default() });
        self.commit(decision)
    }

    /// One partition with these replicas.
    pub(super) fn create_at(&mut self, name: &str, replicas: &[NodeId], configs: &[(&str, &str)]) {
        let assignment =
            CreatableReplicaAssignment { partition_index: 0, broker_ids: replicas.to_vec(), ..Default::default() };
        let config = |(key, value): &(&str, &str)| CreatableTopicConfig {
            name: text(key),
            value: Some(text(value)),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: text(name),
            num_partitions: -1,
            replication_factor: -1,
            assignments: vec![assignment],
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let response = self.create_topics(vec![topic]);
        assert_eq!(outcome(&response, 0), (ErrorCode::None, None));
    }

    pub(super) fn partition(&self, topic: &str) -> &PartitionImage {
        self.state.image().partition(topic, 0).unwrap()
    }

    /// (leader, ISR, ELR) of partition 0.
    pub(super) fn seats(&self, topic: &str) -> (NodeId, Vec<NodeId>, Vec<NodeId>) {
        let partition = self.partition(topic);
        (partition.leader, partition.isr.clone(), partition.elr.clone())
    }

    /// A proposal by the leader, as it should be.
    pub(super) fn proposal(&self, topic: &str, isr: &[NodeId]) -> AlterPartitionRequestData {
        let image = self.state.image();
        let partition = self.partition(topic);
        let member = |id: &NodeId| BrokerState { broker_id: *id, broker_epoch: self.epoch(*id), ..Default::default() };
        AlterPartitionRequestData {
            broker_id: partition.leader,
            broker_epoch: self.epoch(partition.leader),
            topics: vec![TopicData {
                topic_id: image.topic_ids[topic].into(),
                partitions: vec![PartitionData {
                    partition_index: 0,
                    leader_epoch: partition.leader_epoch,
                    partition_epoch: partition.partition_epoch,
                    new_isr_with_epochs: isr.iter().map(member).collect(),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    pub(super) fn alter(&mut self, request: &AlterPartitionRequestData) -> AlterPartitionResponseData {
        let decision = self.state.alter_partition(request);
        self.commit(decision)
    }

    /// Reassigns partition 0, or cancels that.
    pub(super) fn reassign(&mut self, topic: &str, replicas: Option<&[NodeId]>) -> (ErrorCode, Option<String>) {
        self.reassign_as(topic, 0, replicas, true)
    }

    pub(super) fn reassign_as(
        &mut self,
        topic: &str,
        index: i32,
        replicas: Option<&[NodeId]>,
        may_change_factor: bool,
    ) -> (ErrorCode, Option<String>) {
        use crate::protocol::messages::alter_partition_reassignments_request::{
            ReassignablePartition, ReassignableTopic,
        };
        let partition = ReassignablePartition {
            partition_index: index,
            replicas: replicas.map(<[NodeId]>::to_vec),
            ..Default::default()
        };
        let request = AlterPartitionReassignmentsRequestData {
            topics: vec![ReassignableTopic { name: text(topic), partitions: vec![partition], ..Default::default() }],
            allow_replication_factor_change: may_change_factor,
            ..Default::default()
        };
        let decision = self.state.alter_partition_reassignments(&request);
        let response = self.commit(decision);
        let result = &response.responses[0].partitions[0];
        let message = result.error_message.as_ref().map(|message| message.as_str().to_owned());
        (ErrorCode::from(result.error_code), message)
    }

    pub(super) fn unregister(&mut self, broker: NodeId) -> ErrorCode {
        let request = UnregisterBrokerRequestData { broker_id: broker, ..Default::default() };
        let decision = self.state.unregister_broker(&request);
        ErrorCode::from(self.commit(decision).error_code)
    }

    /// The leader proposes this ISR.
    pub(super) fn propose(&mut self, topic: &str, isr: &[NodeId]) -> ErrorCode {
        let request = self.proposal(topic, isr);
        let response = self.alter(&request);
        ErrorCode::from(response.topics[0].partitions[0].error_code)
    }
}

pub(super) fn outcome(response: &CreateTopicsResponseData, index: usize) -> (ErrorCode, Option<String>) {
    let result = &response.topics[index];
    (ErrorCode::from(result.error_code), result.error_message.as_ref().map(|message| message.as_str().to_owned()))
}
