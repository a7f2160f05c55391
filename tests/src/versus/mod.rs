//! Apache Kafka and us under the same load on this machine: what `bin/versus_kafka` is made of.
//!
//! A [`server::Server`] is either of the two as real processes; [`load`] drives it by stock clients; [`process`] reads what it costs. The
//! figures of one run are compared with each other only: client and servers share the cores.

pub mod load;
pub mod process;
pub mod server;

/// Why a measurement could not be made, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum VersusError {
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A client of librdkafka's.
    #[error("the client failed: {0}")]
    Client(#[from] rdkafka::error::KafkaError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Names what was tried.
pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> VersusError {
    let what = what.into();
    move |source| VersusError::Io { what, source }
}
