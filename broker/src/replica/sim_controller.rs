//! A controller for the simulation: one, infallible, small. It decides as KRaft's does (registration, fencing, clean elections, ELR,
//! AlterPartition with all its checks), so that what goes wrong in a simulation went wrong in the replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::metadata::delta::ImageDelta;
use crate::metadata::image::{BrokerImage, Image, PartitionImage, TopicImage};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    AlterPartitionRequestData, AlterPartitionResponseData, alter_partition_request as asked,
    alter_partition_response as wire,
};
use crate::types::{Id, NO_NODE, NodeId, TopicIdPartition};

pub struct SimController {
    pub image: Image,
    /// Every image there was, with what changed to it from the one before.
    pub history: Vec<(Arc<Image>, ImageDelta)>,
    heard: BTreeMap<NodeId, Duration>,
    session_timeout: Duration,
    min_isr: usize,
    delta: ImageDelta,
}

impl SimController {
    pub fn new(session_timeout: Duration, min_isr: usize) -> SimController {
        SimController {
            image: Image { offset: 0, ..Image::default() },
            history: Vec::new(),
            heard: BTreeMap::new(),
            session_timeout,
            min_isr,
            delta: ImageDelta::default(),
        }
    }

    fn commit(&mut self) {
        if !self.delta.is_empty() {
            self.image.offset += 1;
            self.history.push((Arc::new(self.image.clone()), std::mem::take(&mut self.delta)));
        }
    }

    /// Commits the configs of a resource.
    pub fn configure(&mut self, kind: i8, name: &str, configs: &[(&str, &str)]) {
        let key = (kind, Arc::from(name));
        let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.delta.configs_changed.insert(key.clone());
        self.image.configs.insert(key, Arc::new(configs));
        self.commit();
    }

    pub fn create_topic(&mut self, name: &str, id: Id, assignments: &[Vec<NodeId>]) {
        let partition = |replicas: &Vec<NodeId>| PartitionImage {
            leader: NO_NODE,
            replicas: replicas.clone(),
            isr: replicas.clone(),
            ..PartitionImage::default()
        };
        let name: Arc<str> = name.into();
        let partitions = assignments.iter().map(partition).collect();
        self.image.topics.insert(id, Arc::new(TopicImage { name: name.clone(), id, partitions }));
        self.image.topic_ids.insert(name, id);
        self.delta.topics_created.insert(id);
        for partition in 0..assignments.len() {
            self.delta.partitions_changed.insert(TopicIdPartition { topic_id: id, partition: partition as i32 });
        }
        self.elect_all();
        self.commit();
    }

    pub fn delete_topic(&mut self, id: &Id) -> Arc<TopicImage> {
        let topic = self.image.topics.remove(id).unwrap();
        self.image.topic_ids.remove(&topic.name);
        self.delta.topics_deleted.insert(*id, topic.clone());
        self.commit();
        topic
    }

    pub fn ids(&self) -> Vec<TopicIdPartition> {
        let topics = self.image.topics.values();
        topics
            .flat_map(|topic| {
                (0..topic.partitions.len())
                    .map(|partition| TopicIdPartition { topic_id: topic.id, partition: partition as i32 })
            })
            .collect()
    }

    pub fn partition(&self, id: &TopicIdPartition) -> &PartitionImage {
        self.image.topics[&id.topic_id].partition(id.partition).unwrap()
    }

    fn change(&mut self, id: &TopicIdPartition, change: impl FnOnce(&mut PartitionImage)) {
        let topic = Arc::make_mut(self.image.topics.get_mut(&id.topic_id).unwrap());
        let partition = &mut topic.partitions[id.partition as usize];
        let before = partition.clone();
        change(partition);
        if *partition != before {
            partition.partition_epoch += 1;
            self.delta.partitions_changed.insert(*id);
        }
    }

    fn is_active(&self, id: NodeId) -> bool {
        self.image.brokers.get(&id).is_some_and(|broker| !broker.fenced)
    }

    /// A broker started (uncleanly, as all do here): what it had may be lost, so it leaves every ISR and ELR in which others remain.
    pub fn register(&mut self, now: Duration, id: NodeId, incarnation: Id) -> i64 {
        if let Some(broker) = self.image.brokers.get(&id).filter(|broker| broker.incarnation == incarnation) {
            return broker.epoch;
        }
        let epoch = self.image.offset + 1;
        let broker = BrokerImage {
            id,
            epoch,
            incarnation,
            endpoints: Vec::new(),
            rack: None,
            fenced: true,
            in_controlled_shutdown: false,
            log_dirs: Vec::new(),
            features: Vec::new(),
            cordoned_log_dirs: Vec::new(),
        };
        self.image.brokers.insert(id, Arc::new(broker));
        self.delta.brokers_changed.insert(id);
        self.heard.insert(id, now);
        for partition in self.ids() {
            let min_isr = self.min_isr;
            self.change(&partition, |state| {
                if state.leader == id {
                    state.leader = NO_NODE;
                    state.leader_epoch += 1;
                }
                let others = |members: &[NodeId]| members.iter().any(|member| *member != id);
                if others(&state.isr) || others(&state.elr) {
                    state.isr.retain(|member| *member != id);
                    state.elr.retain(|member| *member != id);
                }
                let _ = min_isr;
            });
        }
        self.elect_all();
        self.commit();
        epoch
    }

    pub fn heartbeat(&mut self, now: Duration, id: NodeId, epoch: i64, metadata_offset: i64) {
        let Some(broker) = self.image.brokers.get(&id).filter(|broker| broker.epoch == epoch) else { return };
        self.heard.insert(id, now);
        if broker.fenced && metadata_offset >= epoch {
            self.set_fenced(id, false);
            self.elect_all();
            self.commit();
        }
    }

    fn set_fenced(&mut self, id: NodeId, fenced: bool) {
        Arc::make_mut(self.image.brokers.get_mut(&id).unwrap()).fenced = fenced;
        self.delta.brokers_changed.insert(id);
    }

    pub fn tick(&mut self, now: Duration) {
        let silent: Vec<NodeId> = self
            .image
            .brokers
            .values()
            .filter(|broker| !broker.fenced && now - self.heard[&broker.id] > self.session_timeout)
            .map(|broker| broker.id)
            .collect();
        for id in silent {
            self.set_fenced(id, true);
            for partition in self.ids() {
                let min_isr = self.min_isr;
                self.change(&partition, |state| leave(state, id, min_isr));
            }
        }
        self.elect_all();
        self.commit();
    }

    fn elect_all(&mut self) {
        for id in self.ids() {
            let state = self.partition(&id);
            if state.leader != NO_NODE && self.is_active(state.leader) {
                continue;
            }
            let active = |members: &[NodeId]| members.iter().copied().find(|member| self.is_active(*member));
            let from_isr = active(&state.isr);
            let leader = from_isr.or_else(|| active(&state.elr)).unwrap_or(NO_NODE);
            if leader == state.leader {
                continue;
            }
            self.change(&id, |state| {
                state.leader = leader;
                state.leader_epoch += 1;
                if leader != NO_NODE && from_isr.is_none() {
                    state.isr = vec![leader];
                    state.elr.retain(|member| *member != leader);
                }
            });
        }
    }

    pub fn alter_partition(&mut self, request: &AlterPartitionRequestData) -> AlterPartitionResponseData {
        let epoch = self.image.brokers.get(&request.broker_id).map(|broker| broker.epoch);
        if epoch != Some(request.broker_epoch) {
            let error_code = ErrorCode::StaleBrokerEpoch.code();
            return AlterPartitionResponseData { error_code, ..AlterPartitionResponseData::default() };
        }
        let mut response = AlterPartitionResponseData::default();
        for topic in &request.topics {
            let topic_id = Id(topic.topic_id.to_bytes());
            let partitions = topic
                .partitions
                .iter()
                .map(|asked| {
                    let id = TopicIdPartition { topic_id, partition: asked.partition_index };
                    self.alter(request.broker_id, &id, asked)
                })
                .collect();
            response.topics.push(wire::TopicData { topic_id: topic.topic_id, partitions, ..Default::default() });
        }
        self.commit();
        response
    }

    fn alter(&mut self, from: NodeId, id: &TopicIdPartition, asked: &asked::PartitionData) -> wire::PartitionData {
        let mut answer = wire::PartitionData { partition_index: id.partition, ..wire::PartitionData::default() };
        if let Err(code) = self.check(from, id, asked) {
            answer.error_code = code.code();
            return answer;
        }
        let isr: Vec<NodeId> = asked.new_isr_with_epochs.iter().map(|state| state.broker_id).collect();
        let min_isr = self.min_isr;
        self.change(id, |state| {
            let left: Vec<NodeId> = state.isr.iter().copied().filter(|member| !isr.contains(member)).collect();
            state.isr.clone_from(&isr);
            settle_elr(state, &left, min_isr);
        });
        let state = self.partition(id);
        answer.leader_id = state.leader;
        answer.leader_epoch = state.leader_epoch;
        answer.partition_epoch = state.partition_epoch;
        answer.isr.clone_from(&state.isr);
        answer
    }

    fn check(&self, from: NodeId, id: &TopicIdPartition, asked: &asked::PartitionData) -> Result<(), ErrorCode> {
        let state = self.partition(id);
        if asked.leader_epoch < state.leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        assert_eq!(asked.leader_epoch, state.leader_epoch, "nobody knows of an epoch before the controller");
        if state.leader != from {
            return Err(ErrorCode::InvalidRequest);
        }
        if asked.partition_epoch < state.partition_epoch {
            return Err(ErrorCode::InvalidUpdateVersion);
        }
        assert_eq!(asked.partition_epoch, state.partition_epoch);
        let isr: BTreeSet<NodeId> = asked.new_isr_with_epochs.iter().map(|state| state.broker_id).collect();
        assert!(isr.contains(&from), "a leader is in its own ISR");
        assert_eq!(isr.len(), asked.new_isr_with_epochs.len(), "no member twice");
        assert!(isr.iter().all(|member| state.replicas.contains(member)));
        for member in &asked.new_isr_with_epochs {
            let joins = !state.isr.contains(&member.broker_id);
            let broker = &self.image.brokers[&member.broker_id];
            let stale = member.broker_epoch != -1 && member.broker_epoch != broker.epoch;
            if broker.fenced || stale {
                return Err(ErrorCode::IneligibleReplica);
            }
            assert!(!joins || member.broker_epoch != -1, "who joins has fetched, and under an epoch");
        }
        Ok(())
    }
}

fn leave(state: &mut PartitionImage, id: NodeId, min_isr: usize) {
    if !state.isr.contains(&id) {
        return;
    }
    state.isr.retain(|member| *member != id);
    settle_elr(state, &[id], min_isr);
}

/// KIP-966: who leaves an ISR that thereby falls under min.insync.replicas is still eligible, since nothing is committed without it.
fn settle_elr(state: &mut PartitionImage, left: &[NodeId], min_isr: usize) {
    if state.isr.len() >= min_isr {
        state.elr.clear();
        return;
    }
    state.elr.extend(left);
    state.elr.retain(|member| !state.isr.contains(member));
    state.elr.sort_unstable();
    state.elr.dedup();
}
