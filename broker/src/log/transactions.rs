//! Entries of a segment's `.txnindex`: the aborted transactions whose markers it holds, for readers of committed records.
//!
//! Source: `org.apache.kafka.storage.internals.log.AbortedTxn`, `TransactionIndex`.

/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = 34;

/// An aborted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Producer id.
    pub producer_id: i64,
    /// First offset of its records.
    pub first_offset: i64,
    /// Offset of its marker.
    pub last_offset: i64,
    /// Last stable offset after the marker was appended.
    pub last_stable_offset: i64,
}

impl AbortedTxn {
    pub(super) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        for (index, field) in
            [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset].iter().enumerate()
        {
            bytes[2 + index * 8..10 + index * 8].copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> AbortedTxn {
        let field = |index: usize| {
            let mut field = [0; 8];
            field.copy_from_slice(&bytes[2 + index * 8..10 + index * 8]);
            i64::from_be_bytes(field)
        };
        AbortedTxn {
            producer_id: field(0),
            first_offset: field(1),
            last_offset: field(2),
            last_stable_offset: field(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive() {
        let txn = AbortedTxn { producer_id: 1, first_offset: -2, last_offset: i64::MAX, last_stable_offset: 4 };
        assert_eq!(AbortedTxn::from_bytes(&txn.to_bytes()), txn);
        assert_eq!(txn.to_bytes()[..2], [0, 0]);
    }
}
