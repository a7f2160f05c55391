//! What can be wrong with a frame, and which error code a mistake in a lower room becomes.

use kacrab_protocol::ProtocolError;
use kacrab_protocol::generated::ErrorCode;

use super::Api;
use crate::log::LogError;
use crate::records::BatchError;

/// A frame that is no request. Kafka's answer to all of these is to close the connection.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No header.
    #[error("the frame of {0} bytes has no request header")]
    NoHeader(usize),
    /// An API that is not offered.
    #[error("API key {0} is not offered")]
    UnknownApi(i16),
    /// A version that is not offered.
    #[error("{} is not offered at version {version}", api.name())]
    UnsupportedVersion {
        /// API.
        api: Api,
        /// As asked.
        version: i16,
    },
    /// Bytes that are not what the header announces.
    #[error("malformed {} v{version}: {cause}", api.name())]
    Malformed {
        /// API.
        api: Api,
        /// Version.
        version: i16,
        /// What the codec says.
        cause: ProtocolError,
    },
    /// A null where the message definition allows none, which the codec reads as empty.
    #[error("malformed {} v{version}: a field is null that may not be", api.name())]
    Null {
        /// API.
        api: Api,
        /// Version.
        version: i16,
    },
    /// More elements than a request may bring: decoded, they would take many times the frame's size.
    #[error("{} is too large: {detail}", api.name())]
    TooLarge {
        /// API.
        api: Api,
        /// What there is too much of.
        detail: String,
    },
    /// A response that belongs to another request.
    #[error("the response is to request {found}, not {expected}")]
    Correlation {
        /// As sent.
        expected: i32,
        /// As received.
        found: i32,
    },
}

/// An answer that cannot be put in the version that was asked for: a mistake of ours.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode {} v{version}: {cause}", api.name())]
pub struct EncodeError {
    /// API.
    pub api: Api,
    /// Version.
    pub version: i16,
    /// What the codec says.
    pub cause: ProtocolError,
}

/// As `org.apache.kafka.common.requests.ProduceResponse` maps what `UnifiedLog.analyzeAndValidateRecords` throws.
impl From<&BatchError> for ErrorCode {
    fn from(error: &BatchError) -> ErrorCode {
        match error {
            BatchError::Incomplete { .. }
            | BatchError::InvalidLength(_)
            | BatchError::ChecksumMismatch { .. }
            | BatchError::Compression(_) => ErrorCode::CorruptMessage,
            BatchError::UnsupportedMagic(_) => ErrorCode::UnsupportedForMessageFormat,
            BatchError::Invalid(_) => ErrorCode::InvalidRecord,
            BatchError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        }
    }
}

impl From<BatchError> for ErrorCode {
    fn from(error: BatchError) -> ErrorCode {
        ErrorCode::from(&error)
    }
}

/// As `org.apache.kafka.common.protocol.Errors.forException` maps what `UnifiedLog` throws.
impl From<&LogError> for ErrorCode {
    fn from(error: &LogError) -> ErrorCode {
        match error {
            LogError::Io { .. } | LogError::Offline(_) | LogError::Corrupt { .. } | LogError::InvalidFile { .. } => {
                ErrorCode::KafkaStorageError
            }
            LogError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            LogError::Batch(error) => ErrorCode::from(error),
            LogError::InvalidRecord(_) | LogError::InvalidNumbers(_) => ErrorCode::InvalidRecord,
            LogError::RejectedRecords(rejected) if rejected.has_invalid_timestamp => ErrorCode::InvalidTimestamp,
            LogError::RejectedRecords(_) => ErrorCode::InvalidRecord,
            LogError::MessageTooLarge { .. } => ErrorCode::MessageTooLarge,
            LogError::RecordListTooLarge { .. } => ErrorCode::RecordListTooLarge,
            LogError::InvalidTimestamp { .. } => ErrorCode::InvalidTimestamp,
            LogError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            LogError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            LogError::InvalidTxnState { .. } | LogError::TransactionNotVerified { .. } => ErrorCode::InvalidTxnState,
            LogError::TransactionCoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
            // A follower's alone; no client is told.
            LogError::UnexpectedAppendOffset { .. } => ErrorCode::UnknownServerError,
            LogError::InconsistentTopicId { .. } => ErrorCode::InconsistentTopicId,
        }
    }
}

impl From<LogError> for ErrorCode {
    fn from(error: LogError) -> ErrorCode {
        ErrorCode::from(&error)
    }
}

/// As Kafka writes an error: `NOT_LEADER_OR_FOLLOWER`.
pub fn error_name(code: ErrorCode) -> String {
    upper_snake(&format!("{code:?}"))
}

/// `LIST_OFFSETS` of `ListOffsets`: what Kafka's name of an API or an error is as a constant.
pub fn upper_snake(camel: &str) -> String {
    let mut name = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_kafkas_names() {
        for (code, name) in [(0, "NONE"), (6, "NOT_LEADER_OR_FOLLOWER"), (-1, "UNKNOWN_SERVER_ERROR")] {
            assert_eq!(error_name(ErrorCode::from(code)), name);
        }
    }
}
