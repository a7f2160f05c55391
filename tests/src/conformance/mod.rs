//! The same requests to Apache Kafka and to us, as raw frames, and their answers compared field by field: what `bin/conformance` is made of.
//!
//! Neither side's own codec is believed: [`schema`] holds the facts of Kafka's message definitions (names, types, versions), [`codec`] walks
//! them. A [`cases`] case is a plain function on a [`side::Side`]; each side plays all of them by itself, [`normal`] takes out what no two
//! clusters have in common (ids, times, ports), and [`compare`] joins the two lists of answers. [`known`] holds the differences that have a
//! reason. [`golden`] keeps Kafka's answers, so that we can be judged with no Java about, and [`sources`] tells who in Kafka decides which error.

pub mod advertised;
pub mod cases;
pub mod clusters;
pub mod codec;
pub mod compare;
pub mod definitions;
pub mod golden;
pub mod known;
pub mod mutate;
pub mod normal;
pub mod records;
pub mod schema;
pub mod side;
pub mod sources;
pub mod wire;

/// Why the comparison could not go on, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// A file, a socket or a process.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Kafka's side could not be set up.
    #[error(transparent)]
    Versus(#[from] crate::versus::VersusError),
    /// A value that the message definition has no room for, or an answer that does not follow it.
    #[error("{0}")]
    Codec(String),
    /// A step that a case builds upon did not go as it must.
    #[error("{0}")]
    Step(String),
}

/// Names what was tried.
pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> ConformanceError {
    let what = what.into();
    move |source| ConformanceError::Io { what, source }
}
