//! The four codecs, in the framings that Kafka's Java client writes and reads. Output is always capped.
//!
//! gzip; snappy in xerial's framing (raw blocks are read too); lz4 frames with independent blocks, since Java refuses linked
//! ones; zstd. Source: `org.apache.kafka.common.compress`.

use std::io::{Read, Write};

use super::BatchError;

/// How a batch's records are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Snappy, in xerial's framing.
    Snappy,
    /// LZ4 frame.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// All of them.
    pub const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// The number in a batch's attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// From the number in a batch's attributes.
    pub fn from_id(id: u8) -> Result<Compression, BatchError> {
        let known = Compression::ALL.get(usize::from(id)).copied();
        known.ok_or_else(|| BatchError::Compression(format!("there is no compression type {id}")))
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

const XERIAL_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;
/// A copy of 64 bytes takes snappy three, so no honest block grows more.
const SNAPPY_MAX_RATIO: usize = 32;

/// Compresses. Writing to memory cannot fail, so a codec's error would be a bug; the bytes then come back as they are refused
/// by [`decompress`], never silently wrong.
pub fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    compress_at(compression, None, bytes)
}

/// The same at a level of gzip's or zstd's; the other codecs have none here.
pub fn compress_at(compression: Compression, level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
    let out = Vec::with_capacity(bytes.len() / 2 + 64);
    let result = match compression {
        Compression::None => return bytes.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, gzip_level(level));
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        Compression::Snappy => compress_xerial(out, bytes).map_err(std::io::Error::other),
        Compression::Lz4 => {
            let info = lz4_flex::frame::FrameInfo::new()
                .block_mode(lz4_flex::frame::BlockMode::Independent)
                .block_size(lz4_flex::frame::BlockSize::Max64KB);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, out);
            encoder.write_all(bytes).and_then(|()| encoder.finish().map_err(std::io::Error::other))
        }
        Compression::Zstd => zstd::stream::encode_all(bytes, level.unwrap_or(0)),
    };
    result.unwrap_or_default()
}

/// Kafka's -1 is zlib's own default.
fn gzip_level(level: Option<i32>) -> flate2::Compression {
    match level.and_then(|level| u32::try_from(level).ok()) {
        Some(level) => flate2::Compression::new(level.min(9)),
        None => flate2::Compression::default(),
    }
}

fn compress_xerial(mut out: Vec<u8>, bytes: &[u8]) -> Result<Vec<u8>, snap::Error> {
    out.extend_from_slice(XERIAL_MAGIC);
    out.extend_from_slice(&1u32.to_be_bytes());
    out.extend_from_slice(&1u32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in bytes.chunks(XERIAL_BLOCK_BYTES) {
        let packed = encoder.compress_vec(block)?;
        out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
        out.extend_from_slice(&packed);
    }
    Ok(out)
}

/// Decompresses to at most `limit_bytes`.
pub fn decompress(compression: Compression, bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, BatchError> {
    match compression {
        Compression::None if bytes.len() > limit_bytes => Err(BatchError::TooLarge { limit_bytes }),
        Compression::None => Ok(bytes.to_vec()),
        Compression::Gzip => read_capped(flate2::read::MultiGzDecoder::new(bytes), limit_bytes),
        Compression::Snappy => decompress_snappy(bytes, limit_bytes),
        Compression::Lz4 => read_capped(lz4_flex::frame::FrameDecoder::new(bytes), limit_bytes),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|error| broken(&error))?;
            read_capped(decoder, limit_bytes)
        }
    }
}

fn broken(error: &dyn std::fmt::Display) -> BatchError {
    BatchError::Compression(error.to_string())
}

/// Grows with what really comes out, not with what a header promises.
fn read_capped(reader: impl Read, limit_bytes: usize) -> Result<Vec<u8>, BatchError> {
    let mut out = Vec::new();
    let one_more = (limit_bytes as u64).saturating_add(1);
    reader.take(one_more).read_to_end(&mut out).map_err(|error| broken(&error))?;
    if out.len() > limit_bytes {
        return Err(BatchError::TooLarge { limit_bytes });
    }
    Ok(out)
}

fn decompress_snappy(bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, BatchError> {
    let mut out = Vec::new();
    if !bytes.starts_with(XERIAL_MAGIC) {
        append_snappy_block(&mut out, bytes, limit_bytes)?;
        return Ok(out);
    }
    let mut rest = bytes.get(XERIAL_HEADER_BYTES..).ok_or_else(|| broken(&"torn xerial header"))?;
    while !rest.is_empty() {
        let Some((size, after)) = rest.split_first_chunk::<4>() else {
            return Err(broken(&"torn xerial block"));
        };
        let size = u32::from_be_bytes(*size) as usize;
        let Some((block, after)) = after.split_at_checked(size) else {
            return Err(broken(&"torn xerial block"));
        };
        append_snappy_block(&mut out, block, limit_bytes)?;
        rest = after;
    }
    Ok(out)
}

fn append_snappy_block(out: &mut Vec<u8>, block: &[u8], limit_bytes: usize) -> Result<(), BatchError> {
    let size = snap::raw::decompress_len(block).map_err(|error| broken(&error))?;
    if size > limit_bytes.saturating_sub(out.len()) {
        return Err(BatchError::TooLarge { limit_bytes });
    }
    if size > block.len().saturating_mul(SNAPPY_MAX_RATIO) {
        return Err(broken(&"a snappy block promises more than it can hold"));
    }
    let start = out.len();
    out.resize(start + size, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[start..]).map_err(|error| broken(&error))?;
    out.truncate(start + written);
    Ok(())
}
