//! How much of the nodes' series `/metrics` shows: it follows MSK's monitoring level.

use crate::monitor::cloudwatch::catalog::Level;

/// From least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Of each node.
    PerNode,
    /// And of each topic on each node.
    PerTopic,
    /// And of each partition on each node.
    PerPartition,
}

impl From<Level> for Detail {
    fn from(level: Level) -> Detail {
        match level {
            Level::Default | Level::PerBroker => Detail::PerNode,
            Level::PerTopicPerBroker => Detail::PerTopic,
            Level::PerTopicPerPartition => Detail::PerPartition,
        }
    }
}

impl Detail {
    /// Whether a series with these labels is shown.
    pub fn shows<'l>(self, labels: impl IntoIterator<Item = &'l str>) -> bool {
        let of = |label: &str| match label {
            "partition" => Detail::PerPartition,
            "topic" => Detail::PerTopic,
            _ => Detail::PerNode,
        };
        labels.into_iter().all(|label| of(label) <= self)
    }
}

#[cfg(test)]
mod tests {
    use super::Detail::{PerNode, PerPartition, PerTopic};

    #[test]
    fn each_step_shows_what_the_one_before_shows_and_more() {
        for (labels, expected) in [
            (&[][..], [true, true, true]),
            (&["request", "version"], [true, true, true]),
            (&["topic"], [false, true, true]),
            (&["clientId", "topic", "partition"], [false, false, true]),
        ] {
            let shown = [PerNode, PerTopic, PerPartition].map(|detail| detail.shows(labels.iter().copied()));
            assert_eq!(shown, expected, "{labels:?}");
        }
    }
}
