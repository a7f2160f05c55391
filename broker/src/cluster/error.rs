//! What can keep a cluster from doing what it was asked.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::types::NodeId;

/// Each is told to people as it stands.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A count is out of range.
    #[error("{what} must be between {min} and {max}, not {given}")]
    OutOfRange {
        /// Option.
        what: &'static str,
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
        /// What was given.
        given: u32,
    },
    /// A Kafka configuration is unknown or ill-typed.
    #[error("{0}")]
    Config(String),
    /// A port is taken.
    #[error(
        "broker {node_id} cannot listen on {address}: {source}; choose another --kafka-port, or 0 for any free ports"
    )]
    Listen {
        /// Broker.
        node_id: NodeId,
        /// Address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data directory does not serve.
    #[error("the data directory {path} cannot be used: {reason}")]
    DataDir {
        /// Directory.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A thread could not be started.
    #[error("node {node_id} could not be started: {source}")]
    Spawn {
        /// Node.
        node_id: NodeId,
        /// Why.
        source: io::Error,
    },
    /// No such node.
    #[error("there is no node {0}; brokers are numbered from 1, controllers from 3000")]
    UnknownNode(NodeId),
    /// The node is not in a state in which that can be done.
    #[error("node {node_id} is {state}, so it cannot be {wish}")]
    WrongState {
        /// Node.
        node_id: NodeId,
        /// Its state.
        state: &'static str,
        /// What was wished.
        wish: &'static str,
    },
    /// No such log directory on that node.
    #[error("node {node_id} has no log directory {log_dir}; it has {known}")]
    UnknownLogDir {
        /// Node.
        node_id: NodeId,
        /// What was given.
        log_dir: PathBuf,
        /// What it has.
        known: String,
    },
    /// The machine's own disk refused what a fault asked of it.
    #[error("the files of node {node_id} could not be {wish}: {source}")]
    Files {
        /// Node.
        node_id: NodeId,
        /// What was wished.
        wish: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A broker cannot come or go like that.
    #[error("{0}")]
    Refused(String),
    /// What was under way ends, and goes on after the next start.
    #[error("the cluster is being shut down")]
    Ending,
    /// It did not get ready in time.
    #[error("the cluster did not take writes within {0} ms")]
    NotReady(u128),
}
