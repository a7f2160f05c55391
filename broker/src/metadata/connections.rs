//! What a broker tells of its clients' connections, once a second. Data only.

use crate::types::NodeId;
use borsh::{BorshDeserialize, BorshSerialize};

/// Connections of one broker that are told one by one; of more, those that ask most.
pub const CONNECTIONS_TOLD_MAX: usize = 500;

/// Error codes that are told apart per API of a connection.
pub const ERRORS_TOLD_MAX: usize = 20;

/// All connections of a broker.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct ConnectionsReport {
    /// Broker.
    pub node_id: NodeId,
    /// Wall clock.
    pub at_ms: i64,
    /// In the order in which they were opened.
    pub connections: Vec<ConnectionReport>,
    /// Open connections that are not among them.
    pub left_out: usize,
}

/// One connection.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct ConnectionReport {
    /// Its number on that broker since its start.
    pub conn: u64,
    /// Where it comes from, `127.0.0.1:53210`.
    pub address: String,
    /// Wall clock.
    pub opened_ms: i64,
    /// As the newest request has it.
    pub client_id: Option<String>,
    /// As the client said in ApiVersions (KIP-511); empty: it did not.
    pub software_name: String,
    /// The same.
    pub software_version: String,
    /// What was asked on it, in the order of the first of each.
    pub apis: Vec<ApiUse>,
}

/// Requests of one API and version on one connection since it was opened. Times are sums.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct ApiUse {
    /// Kafka's name of it.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub api: &'static str,
    /// The version that the client chose.
    pub version: i16,
    /// Requests.
    pub count: u64,
    /// Per second, since the last report.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub per_s: f64,
    /// Bytes of requests.
    pub in_bytes: u64,
    /// Bytes of answers.
    pub out_bytes: u64,
    /// Waiting for the thread.
    pub request_queue_us: u64,
    /// Being worked on.
    pub local_us: u64,
    /// Waiting for something else: replicas, records, other nodes.
    pub remote_us: u64,
    /// Not read from, as the client was over its quota.
    pub throttle_us: u64,
    /// Answers waiting to be written.
    pub response_queue_us: u64,
    /// Answers being written.
    pub response_send_us: u64,
    /// The longest request.
    pub max_us: u64,
    /// Error codes in answers, and how often.
    pub errors: Vec<(i16, u64)>,
}

impl ApiUse {
    /// All parts of the time but throttling, summed.
    pub fn total_us(&self) -> u64 {
        self.request_queue_us + self.local_us + self.remote_us + self.response_queue_us + self.response_send_us
    }
}
