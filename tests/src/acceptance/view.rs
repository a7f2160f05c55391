//! `GET /api/cluster`, so far as it is needed here.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One snapshot.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct View {
    pub(super) quorum: Quorum,
    pub(super) brokers: Vec<Broker>,
    pub(super) topics: Vec<Topic>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Quorum {
    pub(super) leader_id: i32,
    pub(super) voters: Vec<Voter>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Voter {
    pub(super) id: i32,
    pub(super) state: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Broker {
    pub(super) id: i32,
    pub(super) state: String,
    pub(super) fenced: bool,
    pub(super) epoch: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) partitions: Vec<Partition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Partition {
    pub(super) id: u32,
    pub(super) leader: i32,
    pub(super) leader_epoch: i32,
    pub(super) isr: Vec<i32>,
    pub(super) elr: Vec<i32>,
    pub(super) high_watermark: i64,
    pub(super) log_end_offsets: BTreeMap<i32, i64>,
}

impl View {
    /// The partitions of a topic; none if it is not there.
    pub(super) fn partitions(&self, topic: &str) -> &[Partition] {
        let topic = self.topics.iter().find(|entry| entry.name == topic);
        topic.map_or(&[], |topic| topic.partitions.as_slice())
    }

    pub(super) fn broker(&self, id: i32) -> Option<&Broker> {
        self.brokers.iter().find(|broker| broker.id == id)
    }

    /// State of a broker or a controller; empty if there is none.
    pub(super) fn state(&self, node: i32) -> &str {
        let broker = self.brokers.iter().map(|broker| (broker.id, broker.state.as_str()));
        let mut all = broker.chain(self.quorum.voters.iter().map(|voter| (voter.id, voter.state.as_str())));
        all.find(|(id, _)| *id == node).map_or("", |(_, state)| state)
    }

    /// Runs, and may lead and follow.
    pub(super) fn takes_part(&self, broker: i32) -> bool {
        self.broker(broker).is_some_and(|broker| broker.state == "running" && !broker.fenced)
    }

    /// For a message.
    pub(super) fn describe(&self, topic: &str) -> String {
        let mut lines = vec![format!("active controller {}", self.quorum.leader_id)];
        let nodes = self.quorum.voters.iter().map(|voter| format!("{} {}", voter.id, voter.state));
        lines.push(nodes.collect::<Vec<_>>().join(", "));
        lines.extend(self.brokers.iter().map(|broker| {
            format!("broker {}: {}, fenced {}, epoch {}", broker.id, broker.state, broker.fenced, broker.epoch)
        }));
        lines.extend(self.partitions(topic).iter().map(|partition| {
            format!(
                "partition {}: leader {} epoch {} isr {:?} elr {:?} high watermark {} log ends {:?}",
                partition.id,
                partition.leader,
                partition.leader_epoch,
                partition.isr,
                partition.elr,
                partition.high_watermark,
                partition.log_end_offsets
            )
        }));
        lines.join("\n    ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_shape_is_read() {
        let text = r#"{"sequence":1, "quorum":{"leader_id":3000, "epoch":4, "voters":[{"id":3000, "state":"running"}]},
            "brokers":[{"id":1, "state":"running", "fenced":false, "epoch":9}],
            "topics":[{"name":"t", "partitions":[{"id":0, "leader":1, "leader_epoch":2, "replicas":[1,2], "isr":[1], "elr":[2],
            "high_watermark":10, "log_end_offsets":{"1":10,"2":9}}]}], "groups":[]}"#;
        let view: View = serde_json::from_str(text).unwrap();
        assert_eq!((view.state(3000), view.state(1), view.state(7)), ("running", "running", ""));
        assert!(view.takes_part(1) && !view.takes_part(2));
        let partition = &view.partitions("t")[0];
        assert_eq!(partition.log_end_offsets, BTreeMap::from([(1, 10), (2, 9)]));
        assert!(view.partitions("u").is_empty());
    }
}
