//! MBeans of partitions and of their logs, told from the snapshot by the brokers that have them.

use broker::metrics::names::Part;
use broker::metrics::{Bean, table::partition as bean};

use super::beans::{first_labels, label};
use super::families::{Family, pair};
use super::{Node, Nodes};
use crate::monitor::snapshot::{Partition, ReplicaLog, Snapshot, Topic};

/// Who tells a bean, and how it is read.
#[derive(Clone, Copy)]
enum Told {
    /// The leader.
    Leader(fn(&Topic, &Partition) -> f64),
    /// Each broker that has a replica.
    Replica(fn(&ReplicaLog) -> f64),
    /// Each broker that has a replica and does not lead.
    Follower(fn(&Partition, &ReplicaLog) -> f64),
}

fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

/// The beans.
const BEANS: [(&Bean, Told); 12] = [
    (&bean::UNDER_REPLICATED, Told::Leader(|_, partition| flag(partition.is_under_replicated()))),
    (&bean::IN_SYNC_REPLICAS_COUNT, Told::Leader(|_, partition| partition.isr.len() as f64)),
    (&bean::REPLICAS_COUNT, Told::Leader(|_, partition| partition.replicas.len() as f64)),
    (&bean::UNDER_MIN_ISR, Told::Leader(|topic, partition| flag(partition.isr.len() < partition.min_isr(topic)))),
    (&bean::AT_MIN_ISR, Told::Leader(|topic, partition| flag(partition.isr.len() == partition.min_isr(topic)))),
    (
        &bean::LAST_STABLE_OFFSET_LAG,
        Told::Leader(|_, partition| (partition.high_watermark - partition.last_stable_offset) as f64),
    ),
    (&bean::SIZE, Told::Replica(|log| log.size_bytes as f64)),
    (&bean::NUM_LOG_SEGMENTS, Told::Replica(|log| f64::from(log.segments))),
    (&bean::RETENTION_SIZE_IN_PERCENT, Told::Replica(|log| f64::from(log.retention_size_percent))),
    (&bean::LOG_START_OFFSET, Told::Replica(|log| log.log_start_offset as f64)),
    (&bean::LOG_END_OFFSET, Told::Replica(|log| log.log_end_offset as f64)),
    (
        &bean::CONSUMER_LAG,
        Told::Follower(|partition, log| (partition.high_watermark - log.log_end_offset).max(0) as f64),
    ),
];

/// Adds the series of a bean, if it is one of these.
pub fn add(out: &mut Family<'_>, part: &Part, snapshot: &Snapshot, nodes: &Nodes<'_>) {
    let Some((_, told)) = BEANS.iter().find(|(bean, _)| std::ptr::eq(*bean, part.bean)) else { return };
    for topic in &snapshot.topics {
        for partition in &topic.partitions {
            let id = partition.id.to_string();
            let mut add = |node: &Node<'_>, value: f64| {
                let mut pairs = first_labels(node.label.as_deref(), part);
                for key in part.bean.keys {
                    let value = match *key {
                        "topic" => topic.name.to_string(),
                        "partition" => id.clone(),
                        // A fetcher's client id names the leader that it fetches from; there is one fetcher for each.
                        _ => format!("ReplicaFetcherThread-0-{}", partition.leader),
                    };
                    pairs.push(pair(label(key), value));
                }
                out.add_pairs(pairs, value);
            };
            match told {
                Told::Leader(read) => {
                    if let Some(node) = nodes.get(partition.leader) {
                        add(node, read(topic, partition));
                    }
                }
                Told::Replica(read) => {
                    for log in &partition.logs {
                        if let Some(node) = nodes.get(log.node_id) {
                            add(node, read(log));
                        }
                    }
                }
                Told::Follower(read) => {
                    let followers = partition.logs.iter().filter(|log| log.node_id != partition.leader);
                    for log in followers.filter(|_| partition.leader >= 0) {
                        if let Some(node) = nodes.get(log.node_id) {
                            add(node, read(partition, log));
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use broker::metrics::{Source, table};

    use super::*;

    #[test]
    fn every_bean_that_no_report_carries_is_told_from_here() {
        for bean in table::all() {
            let is_here = BEANS.iter().any(|(other, _)| std::ptr::eq(*other, bean));
            assert_eq!(is_here, bean.source == Source::State, "{bean:?}");
        }
    }
}
