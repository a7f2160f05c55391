//! What is known of groups over time: how far behind they were, second by second, and what follows from that; who was a member in which
//! generation, and why it came and went.
//!
//! Pure and bounded: snapshots, reports and events in, a [`GroupsView`] out. Knows nothing of who looks.

pub mod check;
pub mod judge;
pub mod lags;
pub mod retention;
pub mod theatre;
pub mod verdict;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use broker::metadata::config::{NodeConfig, TopicConfig};
use broker::metadata::report::{BrokerReport, NodeEvent};

use super::snapshot::Snapshot;
use judge::Judges;
pub use judge::Standing;
use lags::{Lags, Row};
use theatre::{Play, Theatre};
use verdict::Verdict;

/// What a reader gets. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct GroupsView {
    /// Of each group: what is known of its lag.
    pub watched: Arc<BTreeMap<Arc<str>, Watched>>,
    /// Of each group: its generations.
    pub plays: Arc<BTreeMap<Arc<str>, Arc<Play>>>,
}

/// A group's lag over time, and what follows from it.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Second by second, oldest first.
    pub rows: Arc<VecDeque<Arc<Row>>>,
    /// How it stands now.
    pub standing: Arc<Standing>,
}

impl Watched {
    /// The verdict on one partition.
    pub fn verdict(&self, topic: &Arc<str>, partition: i32) -> Option<Verdict> {
        let place = self.rows.back()?.names.binary_search(&(topic.clone(), partition)).ok()?;
        self.standing.partitions.get(place).map(|judged| judged.verdict)
    }
}

/// Watches all groups.
#[derive(Debug, Default)]
pub struct GroupWatch {
    lags: Lags,
    judges: Judges,
    theatre: Theatre,
    /// A broker's configuration, for topics that set nothing of their own.
    node_config: Option<Arc<NodeConfig>>,
    watched: Arc<BTreeMap<Arc<str>, Watched>>,
}

impl GroupWatch {
    /// How brokers are configured, as far as the metadata log does not say otherwise.
    pub fn set_node_config(&mut self, config: Option<Arc<NodeConfig>>) {
        self.node_config = config;
    }

    /// A second is over.
    pub fn second(&mut self, at_ms: i64, snapshot: &Snapshot) {
        self.lags.record(at_ms, snapshot);
        self.judges.keep(snapshot);
        let watched = snapshot.groups.iter().filter(|group| group.is_measured()).map(|group| {
            let rows = self.lags.of(&group.id);
            let mut standing = self.judges.judge(group, &rows, &snapshot.topics);
            if let (Some(row), Some(node)) = (rows.back(), &self.node_config) {
                let of_topic = |topic: &str| retention_ms(&TopicConfig::resolve_in(&snapshot.image, topic, node));
                standing.overtaken_in_ms = retention::overtaken_in_ms(row, &standing.partitions, of_topic);
            }
            (group.id.clone(), Watched { rows, standing: Arc::new(standing) })
        });
        self.watched = Arc::new(watched.collect());
    }

    /// A broker told of its groups.
    pub fn report(&mut self, report: &BrokerReport) {
        for group in &report.groups {
            self.theatre.report(report.node_id, report.at_ms, group);
        }
    }

    /// Something happened.
    pub fn event(&mut self, event: &NodeEvent) {
        self.theatre.event(event);
    }

    /// What is known now.
    pub fn view(&self) -> GroupsView {
        GroupsView { watched: self.watched.clone(), plays: self.theatre.plays() }
    }
}

/// For how long a topic keeps records; `None`: by time it deletes none.
fn retention_ms(config: &TopicConfig) -> Option<i64> {
    (config.cleanup_policy.delete && config.retention_ms >= 0).then_some(config.retention_ms)
}
