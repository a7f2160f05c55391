//! What is counted before a request is decoded. The codec takes from 2 to 40 times a frame's bytes for the structs of its smallest
//! elements; Produce may bring 100 MiB, so its elements are counted on the wire first, and all other requests are kept small.

use super::Api;
use super::error::DecodeError;

/// Topics, partitions and tagged fields of one Produce request.
const MAX_PRODUCE_ELEMENTS: usize = 100_000;

/// Refuses a Produce request whose structs would take far more memory than its records.
pub(super) fn check_produce(body: &[u8], version: i16) -> Result<(), DecodeError> {
    let mut walk = Walk { rest: body, flexible: Api::Produce.is_flexible(version), elements: 0, null: false };
    // A body that ends early is the codec's to refuse; what was counted until then counts.
    let _ = walk.produce(version);
    if walk.elements > MAX_PRODUCE_ELEMENTS {
        let detail = format!("more than {MAX_PRODUCE_ELEMENTS} topics, partitions and tagged fields");
        return Err(DecodeError::TooLarge { api: Api::Produce, detail });
    }
    if walk.null {
        return Err(DecodeError::Null { api: Api::Produce, version });
    }
    Ok(())
}

struct Walk<'a> {
    rest: &'a [u8],
    flexible: bool,
    elements: usize,
    /// A list was null, which none may be.
    null: bool,
}

/// `None` ends the walk: out of bytes, or over the limit.
impl Walk<'_> {
    fn produce(&mut self, version: i16) -> Option<()> {
        self.string()?;
        self.skip(2 + 4)?;
        for _ in 0..self.array()? {
            if version >= 13 {
                self.skip(16)?
            } else {
                self.string()?
            }
            for _ in 0..self.array()? {
                self.skip(4)?;
                self.bytes()?;
                self.tags()?;
            }
            self.tags()?;
        }
        self.tags()
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).ok();
            }
        }
        None
    }

    /// A length as a varint (one more, 0 is null) or as a fixed number (negative is null).
    fn length(&mut self, fixed_is_short: bool) -> Option<usize> {
        Some(self.nullable_length(fixed_is_short)?.unwrap_or(0))
    }

    fn nullable_length(&mut self, fixed_is_short: bool) -> Option<Option<usize>> {
        if self.flexible {
            return Some(self.varint()?.checked_sub(1));
        }
        let length = if fixed_is_short {
            i32::from(i16::from_be_bytes(self.fixed()?))
        } else {
            i32::from_be_bytes(self.fixed()?)
        };
        Some(usize::try_from(length).ok())
    }

    fn string(&mut self) -> Option<()> {
        let length = self.length(true)?;
        self.skip(length)
    }

    fn bytes(&mut self) -> Option<()> {
        self.count(1)?;
        let length = self.length(false)?;
        self.skip(length)
    }

    fn array(&mut self) -> Option<usize> {
        self.count(1)?;
        let length = self.nullable_length(false)?;
        self.null |= length.is_none();
        length
    }

    fn tags(&mut self) -> Option<()> {
        if self.flexible {
            for _ in 0..self.varint()? {
                self.count(1)?;
                self.varint()?;
                let length = self.varint()?;
                self.skip(length)?;
            }
        }
        Some(())
    }

    fn count(&mut self, more: usize) -> Option<()> {
        self.elements += more;
        (self.elements <= MAX_PRODUCE_ELEMENTS).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::{KafkaString, PartitionProduceData, ProduceRequestData, TopicProduceData};
    use bytes::{Bytes, BytesMut};

    fn request(topics: usize, partitions: usize, version: i16) -> Vec<u8> {
        let partition = PartitionProduceData::default().with_records(Some(Bytes::from_static(&[7; 20])));
        let name = if version >= 13 { "" } else { "t" };
        let topic = TopicProduceData::default()
            .with_name(KafkaString::from(name.to_owned()))
            .with_partition_data(vec![partition; partitions]);
        let mut out = BytesMut::new();
        ProduceRequestData::default().with_topic_data(vec![topic; topics]).write(&mut out, version).unwrap();
        out.to_vec()
    }

    #[test]
    fn what_clients_send_passes() {
        for version in Api::Produce.min_version()..=Api::Produce.max_version() {
            check_produce(&request(100, 100, version), version).unwrap();
            check_produce(&[], version).unwrap();
        }
    }

    #[test]
    fn a_million_empty_elements_do_not() {
        for version in Api::Produce.min_version()..=Api::Produce.max_version() {
            check_produce(&request(200, 1000, version), version).unwrap_err();
            check_produce(&request(110_000, 0, version), version).unwrap_err();
        }
    }

    #[test]
    fn it_walks_to_the_end_of_what_the_codec_wrote() {
        for version in Api::Produce.min_version()..=Api::Produce.max_version() {
            let body = request(3, 2, version);
            let mut walk = Walk { rest: &body, flexible: Api::Produce.is_flexible(version), elements: 0, null: false };
            assert_eq!(walk.produce(version), Some(()));
            assert!(walk.rest.is_empty(), "v{version}");
        }
    }
}
