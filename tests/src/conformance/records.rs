//! Record batches to produce, right and wrong. Format 2, as KIP-98 has it.

use super::codec::hex;

/// The time of the first record, in milliseconds: 2023, so that none is out of any limit.
pub const TIME_MS: i64 = 1_700_000_000_000;

/// A batch as its header has it; the defaults make a right one of one record.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Base offset.
    pub base_offset: i64,
    /// Format.
    pub magic: i8,
    /// Codec, timestamp type, transactional, control.
    pub attributes: i16,
    /// Producer.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Sequence number of the first record.
    pub base_sequence: i32,
    /// Key and value of each record.
    pub records: Vec<(Option<Vec<u8>>, Vec<u8>)>,
    /// Time of the first record; each later one is a millisecond later.
    pub time_ms: i64,
    /// What the header says about the number of records, if not the truth.
    pub count: Option<i32>,
    /// What it says about the last offset delta, if not the truth.
    pub last_offset_delta: Option<i32>,
    /// Added to the length.
    pub length_error: i32,
    /// True for a checksum that is wrong.
    pub corrupt: bool,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch {
            base_offset: 0,
            magic: 2,
            attributes: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records: vec![(Some(b"key".to_vec()), b"value".to_vec())],
            time_ms: TIME_MS,
            count: None,
            last_offset_delta: None,
            length_error: 0,
            corrupt: false,
        }
    }
}

impl Batch {
    /// A right one with so many records.
    pub fn of(count: usize) -> Batch {
        let record =
            |number: usize| (Some(format!("key-{number}").into_bytes()), format!("value-{number}").into_bytes());
        Batch { records: (0..count).map(record).collect(), ..Batch::default() }
    }

    /// One record of an idempotent producer.
    pub fn sequenced(producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Batch {
        Batch { producer_id, producer_epoch, base_sequence, ..Batch::default() }
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let count = self.records.len() as i32;
        body.extend(self.attributes.to_be_bytes());
        body.extend(self.last_offset_delta.unwrap_or(count - 1).to_be_bytes());
        body.extend(self.time_ms.to_be_bytes());
        body.extend((self.time_ms + i64::from(count - 1)).to_be_bytes());
        body.extend(self.producer_id.to_be_bytes());
        body.extend(self.producer_epoch.to_be_bytes());
        body.extend(self.base_sequence.to_be_bytes());
        body.extend(self.count.unwrap_or(count).to_be_bytes());
        for (delta, (key, value)) in self.records.iter().enumerate() {
            let mut record = vec![0];
            varint(&mut record, delta as i64);
            varint(&mut record, delta as i64);
            match key {
                Some(key) => {
                    varint(&mut record, key.len() as i64);
                    record.extend(key);
                }
                None => varint(&mut record, -1),
            }
            varint(&mut record, value.len() as i64);
            record.extend(value);
            varint(&mut record, 0);
            varint(&mut body, record.len() as i64);
            body.extend(record);
        }
        let mut bytes = self.base_offset.to_be_bytes().to_vec();
        bytes.extend((body.len() as i32 + 9 + self.length_error).to_be_bytes());
        bytes.extend((-1_i32).to_be_bytes());
        bytes.push(self.magic as u8);
        bytes.extend((crc32c(&body) ^ u32::from(self.corrupt)).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    /// Its bytes, as the codec's JSON has them.
    pub fn hex(&self) -> String {
        hex(&self.bytes())
    }
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_and_lengths_are_right() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let bytes = Batch::of(2).bytes();
        let length = i32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        assert_eq!(bytes.len(), 12 + length as usize);
    }
}
