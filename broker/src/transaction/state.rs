//! States of a transaction, and which may follow which.
//!
//! Source: `org.apache.kafka.coordinator.transaction.TransactionState`.

/// State of a transactional id; the number is that of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum TransactionState {
    /// No transaction yet.
    Empty = 0,
    /// A transaction is open.
    Ongoing = 1,
    /// It will be committed: its markers are being written.
    PrepareCommit = 2,
    /// It will be aborted: its markers are being written.
    PrepareAbort = 3,
    /// All markers of a commit are written.
    CompleteCommit = 4,
    /// All markers of an abort are written.
    CompleteAbort = 5,
    /// The transactional id has expired and is being removed.
    Dead = 6,
    /// An open transaction's producer is being fenced; never written.
    PrepareEpochFence = 7,
}

use TransactionState::{
    CompleteAbort, CompleteCommit, Dead, Empty, Ongoing, PrepareAbort, PrepareCommit, PrepareEpochFence,
};

impl TransactionState {
    /// All of them.
    pub const ALL: [TransactionState; 8] =
        [Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead, PrepareEpochFence];

    /// As Kafka names it.
    pub fn name(self) -> &'static str {
        match self {
            Empty => "Empty",
            Ongoing => "Ongoing",
            PrepareCommit => "PrepareCommit",
            PrepareAbort => "PrepareAbort",
            CompleteCommit => "CompleteCommit",
            CompleteAbort => "CompleteAbort",
            Dead => "Dead",
            PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// The state of this name, told exactly.
    pub fn from_name(name: &str) -> Option<TransactionState> {
        TransactionState::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The state of this number.
    pub fn from_id(id: i8) -> Option<TransactionState> {
        TransactionState::ALL.into_iter().find(|state| *state as i8 == id)
    }

    /// Whether a transactional id in this state may expire.
    pub fn may_expire(self) -> bool {
        matches!(self, Empty | CompleteCommit | CompleteAbort)
    }

    /// Whether it is decided how the transaction ends, and not all markers are written.
    pub fn is_ending(self) -> bool {
        matches!(self, PrepareCommit | PrepareAbort)
    }

    /// Whether a transactional id may go from `self` to `next`.
    pub fn may_become(self, next: TransactionState) -> bool {
        match next {
            Empty | Dead => self.may_expire(),
            Ongoing => self == Ongoing || self.may_expire(),
            PrepareCommit | PrepareEpochFence => self == Ongoing,
            PrepareAbort => matches!(self, Ongoing | PrepareEpochFence) || self.may_expire(),
            CompleteCommit => self == PrepareCommit,
            CompleteAbort => self == PrepareAbort,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `TransactionState.VALID_PREVIOUS_STATES` of Kafka 4.3: a row for each next state.
    #[test]
    fn transitions_are_kafkas() {
        let table: [(TransactionState, &[TransactionState]); 8] = [
            (Empty, &[Empty, CompleteCommit, CompleteAbort]),
            (Ongoing, &[Ongoing, Empty, CompleteCommit, CompleteAbort]),
            (PrepareCommit, &[Ongoing]),
            (PrepareAbort, &[Ongoing, PrepareEpochFence, Empty, CompleteCommit, CompleteAbort]),
            (CompleteCommit, &[PrepareCommit]),
            (CompleteAbort, &[PrepareAbort]),
            (Dead, &[Empty, CompleteAbort, CompleteCommit]),
            (PrepareEpochFence, &[Ongoing]),
        ];
        for (next, allowed) in table {
            for before in TransactionState::ALL {
                assert_eq!(before.may_become(next), allowed.contains(&before), "{before:?} to {next:?}");
            }
        }
    }

    #[test]
    fn names_and_numbers() {
        for state in TransactionState::ALL {
            assert_eq!(TransactionState::from_id(state as i8), Some(state));
            assert_eq!(TransactionState::from_name(state.name()), Some(state));
        }
        assert_eq!(TransactionState::from_id(8), None);
        assert_eq!(TransactionState::from_name("ongoing"), None);
    }
}
