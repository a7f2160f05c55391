//! What must hold in every simulated moment, and at the end.

use std::collections::BTreeMap;

use super::sim::{BROKERS, Sim};
use super::{Isolation, ReadRequest};
use crate::records::{batches, records};
use crate::types::{NodeId, TopicIdPartition};

impl Sim {
    /// All of a replica's records from `from` up to `to`.
    fn values(&self, node: NodeId, id: &TopicIdPartition, from: i64, to: i64) -> Vec<(i64, u64)> {
        let log = self.brokers[&node].manager.as_ref().unwrap().log(id).unwrap();
        let mut values = Vec::new();
        let mut offset = from;
        while offset < to {
            let read = log.read(offset, 100_000, to, true).unwrap();
            assert!(!read.records.is_empty());
            for batch in batches(&read.records) {
                let (header, bytes) = batch.unwrap();
                for record in records(bytes, 100_000).unwrap() {
                    let record = record.unwrap();
                    if record.offset >= offset && record.offset < to {
                        values
                            .push((record.offset, u64::from_be_bytes(record.value.unwrap()[..8].try_into().unwrap())));
                    }
                }
                offset = header.last_offset() + 1;
            }
        }
        values
    }

    /// Below a high watermark, all replicas are one.
    pub(super) fn check_replica(&mut self, node: NodeId, id: &TopicIdPartition) {
        let manager = self.brokers[&node].manager.as_ref().unwrap();
        let (Some(partition), Some(log)) = (manager.partition(id), manager.log(id)) else { return };
        let (high_watermark, log_end) = (partition.high_watermark(), log.log_end_offset());
        assert!(high_watermark <= log_end, "broker {node} {id:?}: high watermark {high_watermark} > {log_end}");
        let checked = *self.checked.get(&(node, *id)).unwrap_or(&0);
        assert!(checked <= high_watermark, "broker {node} {id:?}: high watermark fell {checked} -> {high_watermark}");
        let values = self.values(node, id, checked, high_watermark);
        self.checked.insert((node, *id), high_watermark);
        let committed = self.committed.entry(*id).or_default();
        for (offset, value) in values {
            match committed.get(offset as usize) {
                Some(known) => assert_eq!(*known, value, "broker {node} {id:?} at {offset}"),
                None => {
                    assert_eq!(offset as usize, committed.len(), "committed without gaps");
                    committed.push(value);
                }
            }
        }
    }

    /// Whoever is in the ISR, as the controller has it, has all that is committed.
    pub(super) fn check_isrs(&self) {
        for id in self.controller.ids() {
            let committed = self.committed.get(&id).map_or(0, Vec::len) as i64;
            let state = self.controller.partition(&id);
            for member in state.isr.iter().chain(&state.elr) {
                let broker = &self.brokers[member];
                let registered = broker.epoch.is_some() && broker.epoch == self.epoch_of(*member);
                let Some(manager) = broker.manager.as_ref().filter(|_| registered) else { continue };
                let Some(log) = manager.log(&id) else { continue };
                let end = log.log_end_offset();
                assert!(end >= committed, "{id:?}: {member} is in {state:?} and has {end} of {committed}");
            }
        }
    }

    fn describe(&self, id: &TopicIdPartition) -> String {
        let mut text = format!("at {:?}, brokers {:?}\n", self.now.mono, self.controller.image.brokers);
        for (node, broker) in &self.brokers {
            let Some(manager) = &broker.manager else { continue };
            let ends = manager.log(id).map(|log| (log.log_start_offset(), log.log_end_offset(), log.latest_epoch()));
            text += &format!("{node}: epoch {:?}, {ends:?}, {:?}\n", broker.epoch, manager.partition(id));
            for fetcher in manager.fetchers.values() {
                text += &format!("   {fetcher:?}\n");
            }
            for (follower, session) in &manager.peers {
                text += &format!("   session of {follower}: {session:?}\n");
            }
        }
        text
    }

    /// Everything acknowledged is there, readable, at its offset; all replicas are one.
    pub(super) fn check_end(&mut self) {
        for id in self.controller.ids() {
            let state = self.controller.partition(&id).clone();
            assert_eq!(state.isr.len(), 3, "{id:?} did not heal: {state:?}\n{}", self.describe(&id));
            let leader = self.brokers.get_mut(&state.leader).unwrap().manager.as_mut().unwrap();
            let end = leader.log(&id).unwrap().log_end_offset();
            assert_eq!(leader.partition(&id).unwrap().high_watermark(), end, "all is committed at last");
            let request = ReadRequest {
                offset: 0,
                max_bytes: 1,
                at_least_one_batch: true,
                isolation: Isolation::ReadUncommitted,
                current_leader_epoch: state.leader_epoch,
                last_fetched_epoch: -1,
                leader_only: true,
            };
            assert!(end == 0 || !leader.read(&id, &request).unwrap().records.is_empty());
            let values = self.values(state.leader, &id, 0, end);
            let by_offset: BTreeMap<i64, u64> = values.iter().copied().collect();
            for (_, offset, value) in self.acked.iter().filter(|(acked, ..)| *acked == id) {
                assert_eq!(by_offset.get(offset), Some(value), "acknowledged {value} at {offset} of {id:?} is lost");
            }
            for node in BROKERS {
                assert_eq!(self.values(node, &id, 0, end), values, "broker {node} differs on {id:?}");
            }
        }
    }
}
