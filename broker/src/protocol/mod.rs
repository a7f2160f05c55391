//! Kafka's wire protocol: which APIs are offered at which versions, frames to requests and responses to frames, and which error code
//! a mistake in a lower room becomes. Knows records and log for their errors; knows no broker, no socket and no state.
//!
//! Whatever comes in is hostile until decoded: no length is believed before the bytes are there.

mod answer_errors;
mod api;
mod body;
mod error;
mod frame;
mod id;
mod precheck;
mod throttle;

pub use api::{Api, Call, Request, Response};
pub use body::Json;
pub use error::{DecodeError, EncodeError, error_name, upper_snake};
pub use frame::{
    MAX_SMALL_REQUEST_BYTES, RequestHeader, decode_request, decode_response, encode_request, encode_response,
};
pub use kacrab_protocol::generated::ErrorCode;

/// Kafka's requests and responses as structs, generated from Kafka 4.3's message definitions by the crate `kacrab-protocol`.
/// No other module names that crate.
pub mod messages {
    pub use kacrab_protocol::generated::*;
    pub use kacrab_protocol::{KafkaString, KafkaUuid, RawTaggedField};
}
