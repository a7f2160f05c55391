//! What a person asks for. Commands go one way, from the window and the HTTP API to whoever runs the cluster; answers come back as
//! [`Notice`]s and as the next snapshots.

use serde::{Deserialize, Serialize};

/// One wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Break something.
    InjectFault(FaultRequest),
    /// Heal one fault.
    HealFault(u64),
    /// Heal all faults: stopped, killed and paused nodes run again.
    HealAllFaults,
    /// Start (or resume) a node that was stopped, killed or paused.
    StartNode(i32),
    /// Create a topic; -1 takes the broker's default.
    CreateTopic {
        /// Its name.
        name: String,
        /// How many.
        partitions: i32,
        /// Replicas of each partition.
        replication_factor: i16,
        /// Topic configs that are set.
        configs: Vec<(String, String)>,
    },
    /// Delete a topic.
    DeleteTopic {
        /// Its name.
        name: String,
    },
    /// Have a broker read and check every byte of its logs.
    Scrub {
        /// Which; without it, every broker that runs.
        broker: Option<i32>,
    },
    /// Start a built-in workload.
    StartWorkload(WorkloadSpec),
    /// Stop one.
    StopWorkload(u64),
}

/// A fault, as `POST /api/faults` takes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    /// What.
    pub kind: FaultKind,
    /// Broker that it hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<i32>,
    /// Controller that it hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<i32>,
    /// Heals by itself after this long; without it, until healed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Controlled shutdown (SIGTERM).
    Stop,
    /// The runtime is dropped where it stands (SIGKILL).
    Kill,
    /// The node's thread blocks (SIGSTOP): sockets accept, nobody answers.
    Pause,
}

/// A built-in workload, as `POST /api/workloads` takes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkloadSpec {
    /// Topic; created if absent.
    pub topic: String,
    /// Partitions of a topic that is created.
    pub partitions: i32,
    /// Replication factor of a topic that is created.
    pub replication_factor: i16,
    /// Producers.
    pub producers: u32,
    /// Consumers, all in one group.
    pub consumers: u32,
    /// Records per second over all producers.
    pub rate_per_s: u64,
    /// Size of a record's value.
    pub record_bytes: usize,
    /// `all`, `1` or `0`.
    pub acks: String,
    /// `enable.idempotence`.
    pub idempotent: bool,
}

impl Default for WorkloadSpec {
    fn default() -> WorkloadSpec {
        WorkloadSpec {
            topic: "demo".into(),
            partitions: 6,
            replication_factor: 3,
            producers: 1,
            consumers: 2,
            rate_per_s: 1000,
            record_bytes: 200,
            acks: "all".into(),
            idempotent: true,
        }
    }
}

/// The answer to a command, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Whether it worked.
    pub ok: bool,
    /// One sentence.
    pub text: String,
}
