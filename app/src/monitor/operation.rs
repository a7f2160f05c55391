//! What a person does to topics, groups and configs: the same that Kafka's own tools do, by the same requests.

use borsh::{BorshDeserialize, BorshSerialize};
use std::sync::Arc;

use super::messages::NewMessage;

/// What configs belong to.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResource {
    /// A topic.
    Topic(Arc<str>),
    /// A broker; `None`: the default of all brokers.
    Broker(Option<i32>),
    /// A group.
    Group(Arc<str>),
}

impl ConfigResource {
    /// `orders`, `broker-1`, `brokers`: what a file of its configs is called.
    pub fn file_stem(&self) -> String {
        match self {
            ConfigResource::Topic(name) | ConfigResource::Group(name) => name.to_string(),
            ConfigResource::Broker(Some(id)) => format!("broker-{id}"),
            ConfigResource::Broker(None) => "brokers".into(),
        }
    }
}

/// A config that is set, or set back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// Its name.
    pub name: String,
    /// Its value; `None`: as it is by default.
    pub value: Option<String>,
}

/// Where replicas are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Brokers, the preferred leader first.
    pub replicas: Vec<i32>,
}

/// An offset of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetOf {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// Which leader is elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Election {
    /// The first replica, if it is in sync.
    Preferred,
    /// Any replica that is alive, if no other can be: records may be lost.
    Unclean,
}

/// One wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Set configs, or set them back.
    AlterConfigs {
        /// Whose.
        resource: ConfigResource,
        /// What.
        changes: Vec<ConfigChange>,
    },
    /// Give a topic more partitions.
    AddPartitions {
        /// Its name.
        topic: Arc<str>,
        /// How many it has then.
        total: i32,
    },
    /// Delete the records below these offsets; -1: below the high watermark.
    DeleteRecords(Vec<OffsetOf>),
    /// Write a record.
    Produce {
        /// Topic.
        topic: Arc<str>,
        /// Partition; `None`: that of the key, or the first without one.
        partition: Option<i32>,
        /// What.
        message: NewMessage,
    },
    /// Elect leaders.
    ElectLeaders {
        /// Which.
        election: Election,
        /// Of which partitions; empty: of all.
        partitions: Vec<(Arc<str>, i32)>,
    },
    /// Move replicas.
    Reassign {
        /// Where to.
        moves: Vec<Move>,
        /// How fast the replicas that move may be fetched, by each broker.
        throttle_bytes_per_s: Option<u64>,
    },
    /// Leave replicas where they are after all.
    CancelReassignments(Vec<(Arc<str>, i32)>),
    /// Set where a group goes on. Nobody may be in it.
    SetOffsets {
        /// Its id.
        group: Arc<str>,
        /// Where to.
        offsets: Vec<OffsetOf>,
    },
    /// Have a group forget where it was in these partitions.
    DeleteOffsets {
        /// Its id.
        group: Arc<str>,
        /// Which.
        partitions: Vec<(Arc<str>, i32)>,
    },
    /// Delete a group. Nobody may be in it.
    DeleteGroup(Arc<str>),
}
