//! AlterPartition requests: what partitions propose is gathered, sent in one request at a time, and sent again until it is answered.
//!
//! Source: `kafka.server.DefaultAlterPartitionManager` (KIP-497).

use std::collections::BTreeMap;
use std::time::Duration;

use super::isr::Proposal;
use crate::protocol::messages::{AlterPartitionRequestData, KafkaUuid, alter_partition_request as wire};
use crate::types::{Id, NodeId, TopicIdPartition};

/// A proposal as it goes to the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterItem {
    /// What the partition waits for.
    pub proposal: Proposal,
    /// Reign in which it was made.
    pub leader_epoch: i32,
    /// State on which it builds.
    pub partition_epoch: i32,
    /// The ISR with the broker epochs under which its members fetched (KIP-903).
    pub isr_with_epochs: Vec<(NodeId, i64)>,
}

#[derive(Debug)]
struct InFlight {
    id: u64,
    deadline: Duration,
    items: BTreeMap<TopicIdPartition, AlterItem>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct AlterQueue {
    unsent: BTreeMap<TopicIdPartition, AlterItem>,
    in_flight: Option<InFlight>,
    retry_at: Duration,
}

/// `DefaultAlterPartitionManager` tries again after 50 ms.
const RETRY_AFTER: Duration = Duration::from_millis(50);

impl AlterQueue {
    /// Queues a partition's proposal, in place of an older one that was not sent.
    pub fn push(&mut self, id: TopicIdPartition, item: AlterItem) {
        self.unsent.insert(id, item);
    }

    /// The partition has moved on; what was sent is answered to nobody.
    pub fn cancel(&mut self, id: &TopicIdPartition) {
        self.unsent.remove(id);
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.items.remove(id);
        }
    }

    /// The next request, if one is due and none is under way.
    pub fn take_request(
        &mut self,
        now: Duration,
        id: u64,
        timeout: Duration,
        broker_id: NodeId,
        broker_epoch: i64,
    ) -> Option<AlterPartitionRequestData> {
        if self.in_flight.is_some() || self.unsent.is_empty() || now < self.retry_at {
            return None;
        }
        let items = std::mem::take(&mut self.unsent);
        let request = AlterPartitionRequestData {
            broker_id,
            broker_epoch,
            topics: topics(&items),
            ..AlterPartitionRequestData::default()
        };
        self.in_flight = Some(InFlight { id, deadline: now + timeout, items });
        Some(request)
    }

    /// An answer came for request `id`: what it was about. `None` if that request was given up before.
    pub fn answered(&mut self, id: u64) -> Option<BTreeMap<TopicIdPartition, AlterItem>> {
        self.in_flight.take_if(|in_flight| in_flight.id == id).map(|in_flight| in_flight.items)
    }

    /// No usable answer came for `items`: they are sent again.
    pub fn retry(&mut self, now: Duration, items: BTreeMap<TopicIdPartition, AlterItem>) {
        for (id, item) in items {
            self.unsent.entry(id).or_insert(item);
        }
        self.retry_at = now + RETRY_AFTER;
    }

    /// Gives up a request that was lost on the way.
    pub fn on_tick(&mut self, now: Duration) {
        if let Some(lost) = self.in_flight.take_if(|in_flight| in_flight.deadline <= now) {
            self.retry(now, lost.items);
        }
    }

    /// When [`AlterQueue::on_tick`] or [`AlterQueue::take_request`] has something to do next.
    pub fn next_deadline(&self) -> Option<Duration> {
        match &self.in_flight {
            Some(in_flight) => Some(in_flight.deadline),
            None => (!self.unsent.is_empty()).then_some(self.retry_at),
        }
    }
}

fn topics(items: &BTreeMap<TopicIdPartition, AlterItem>) -> Vec<wire::TopicData> {
    let mut topics: Vec<wire::TopicData> = Vec::new();
    let mut last: Option<Id> = None;
    for (id, item) in items {
        if last != Some(id.topic_id) {
            last = Some(id.topic_id);
            topics.push(wire::TopicData { topic_id: KafkaUuid::from(id.topic_id), ..Default::default() });
        }
        if let Some(topic) = topics.last_mut() {
            topic.partitions.push(wire_partition(id.partition, item));
        }
    }
    topics
}

fn wire_partition(index: i32, item: &AlterItem) -> wire::PartitionData {
    let state = |&(broker_id, broker_epoch): &(NodeId, i64)| wire::BrokerState {
        broker_id,
        broker_epoch,
        ..wire::BrokerState::default()
    };
    wire::PartitionData {
        partition_index: index,
        leader_epoch: item.leader_epoch,
        partition_epoch: item.partition_epoch,
        new_isr_with_epochs: item.isr_with_epochs.iter().map(state).collect(),
        ..wire::PartitionData::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(token: u64) -> AlterItem {
        let proposal = Proposal { token, isr: vec![1, 2], joining: Some(2) };
        AlterItem { proposal, leader_epoch: 3, partition_epoch: 4, isr_with_epochs: vec![(1, 10), (2, 20)] }
    }

    fn id(partition: i32) -> TopicIdPartition {
        TopicIdPartition { topic_id: Id([7; 16]), partition }
    }

    #[test]
    fn one_request_at_a_time_and_again_after_a_loss() {
        let ms = Duration::from_millis;
        let mut queue = AlterQueue::default();
        queue.push(id(0), item(1));
        queue.push(id(1), item(2));
        let request = queue.take_request(ms(0), 1, ms(1000), 1, 9).unwrap();
        assert_eq!((request.topics.len(), request.topics[0].partitions.len()), (1, 2));
        queue.push(id(2), item(3));
        assert!(queue.take_request(ms(1), 2, ms(1000), 1, 9).is_none(), "one is under way");
        queue.on_tick(ms(1000));
        assert!(queue.answered(1).is_none(), "too late");
        assert!(queue.take_request(ms(1049), 3, ms(1000), 1, 9).is_none());
        let again = queue.take_request(ms(1050), 3, ms(1000), 1, 9).unwrap();
        assert_eq!(again.topics[0].partitions.len(), 3);
        queue.cancel(&id(0));
        assert_eq!(queue.answered(3).unwrap().len(), 2);
        assert_eq!(queue.next_deadline(), None);
    }
}
