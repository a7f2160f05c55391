//! Why bytes are not a record batch.

/// Why bytes were refused. Kafka answers CORRUPT_MESSAGE, except where noted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than the batch (or its header) needs. At the end of a file: a torn tail.
    #[error("the batch needs {needed} bytes and {have} are there")]
    Incomplete {
        /// Bytes that the header or the batch takes.
        needed: usize,
        /// Bytes given.
        have: usize,
    },
    /// A message format other than v2 (Kafka: UNSUPPORTED_FOR_MESSAGE_FORMAT, or INVALID_RECORD).
    #[error("message format {0} is not supported, only 2")]
    UnsupportedMagic(i8),
    /// A length that no batch can have.
    #[error("{0} is not the length of a batch")]
    InvalidLength(i32),
    /// The checksum does not fit the bytes.
    #[error("the batch's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    ChecksumMismatch {
        /// As it stands in the batch.
        stored: u32,
        /// As computed.
        computed: u32,
    },
    /// A field with a value that makes no sense (Kafka: INVALID_RECORD).
    #[error("{0}")]
    Invalid(&'static str),
    /// A compression type that does not exist, or content that does not decompress.
    #[error("cannot decompress: {0}")]
    Compression(String),
    /// More decompressed bytes than the caller allows.
    #[error("the batch decompresses to more than {limit_bytes} bytes")]
    TooLarge {
        /// The caller's limit.
        limit_bytes: usize,
    },
}
