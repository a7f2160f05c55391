//! Framing, API versions, error mapping.

pub use kacrab_protocol::generated::ErrorCode;

/// Kafka's requests and responses as structs, generated from Kafka 4.3's message definitions by the crate `kacrab-protocol`.
/// No other module names that crate.
pub mod messages {
    pub use kacrab_protocol::generated::*;
    pub use kacrab_protocol::{KafkaString, KafkaUuid, RawTaggedField};
}
