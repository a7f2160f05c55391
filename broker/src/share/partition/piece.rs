//! Records in flight: batches of offsets, and within them pieces that share one state.
//!
//! Kafka keeps one state for a batch until a part of it differs, and one for each offset from then on. Here a batch is cut into pieces only
//! where neighbours differ, so that a batch of a million offsets costs as much as what is said about it.
//!
//! Source: `org.apache.kafka.server.share.fetch.InFlightBatch`, `InFlightState`, `RecordState`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::planted::Bug;

/// What is the matter with a record. The numbers are those of the share state's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum RecordState {
    /// It can be given to a member.
    Available = 0,
    /// A member has it, for a time.
    Acquired = 1,
    /// A member was done with it.
    Acknowledged = 2,
    /// It will not be delivered again: rejected, delivered too often, or not there.
    Archived = 4,
}

/// On its way to a dead letter queue (KIP-1191): 4.3 knows the number and never writes it.
const ARCHIVING: i8 = 3;

impl RecordState {
    /// From what was kept. Nobody holds what a leader before this one gave away; `None` for a number that is none.
    pub fn of_kept(number: i8) -> Option<RecordState> {
        match number {
            0 | 1 => Some(RecordState::Available),
            2 => Some(RecordState::Acknowledged),
            ARCHIVING | 4 => Some(RecordState::Archived),
            _ => None,
        }
    }

    /// Whether nothing can become of it any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, RecordState::Acknowledged | RecordState::Archived)
    }
}

/// A change of state that is not kept yet: until then it can be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Its number among the changes of the share partition.
    pub(super) number: u64,
    /// Who had the records before.
    pub(super) member: Option<Arc<str>>,
}

/// Offsets that share a state; the first is its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) last: i64,
    pub(super) state: RecordState,
    pub(super) delivery_count: i32,
    /// Who has them.
    pub(super) member: Option<Arc<str>>,
    /// Until when; kept while a change is under way, which may fail.
    pub(super) locked_until: Option<Duration>,
    pub(super) change: Option<Change>,
}

impl Piece {
    pub(super) fn new(last: i64, state: RecordState, delivery_count: i32) -> Piece {
        Piece { last, state, delivery_count, member: None, locked_until: None, change: None }
    }

    pub(super) fn acquired(last: i64, delivery_count: i32, member: &Arc<str>, until: Duration) -> Piece {
        let piece = Piece::new(last, RecordState::Acquired, delivery_count);
        Piece { member: Some(Arc::clone(member)), locked_until: Some(until), ..piece }
    }

    /// It can be given to a member now.
    pub(super) fn is_free(&self) -> bool {
        let is_available = self.state == RecordState::Available
            || (self.state == RecordState::Acquired && Bug::ShareLockIgnored.is_planted());
        is_available && self.change.is_none()
    }

    /// Nothing will become of it, and that is kept.
    pub(super) fn is_done(&self) -> bool {
        self.state.is_terminal() && self.change.is_none()
    }

    pub(super) fn belongs_to(&self, member: &str) -> bool {
        self.member.as_deref() == Some(member) || Bug::ShareOwnerNotChecked.is_planted()
    }

    /// Gives it to a member.
    pub(super) fn give(&mut self, member: &Arc<str>, until: Duration) {
        self.state = RecordState::Acquired;
        self.delivery_count = self.delivery_count.saturating_add(1);
        self.member = Some(Arc::clone(member));
        self.locked_until = Some(until);
    }

    /// Takes it from its member for good, or until the change is taken back.
    pub(super) fn leave(&mut self, state: RecordState, change: Option<u64>) {
        self.state = state;
        let member = self.member.take();
        match change {
            Some(number) => self.change = Some(Change { number, member }),
            None => self.locked_until = None,
        }
    }

    /// Will not be delivered again, whatever is under way.
    pub(super) fn archive(&mut self) {
        *self = Piece::new(self.last, RecordState::Archived, self.delivery_count);
    }

    fn is_like(&self, other: &Piece) -> bool {
        let key = |piece: &Piece| (piece.state, piece.delivery_count, piece.locked_until);
        key(self) == key(other) && self.member == other.member && self.change == other.change
    }
}

/// Offsets that came in flight together; the first is its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) last: i64,
    /// Its offsets go their own ways: from then on it is not treated as a whole.
    pub(super) is_split: bool,
    /// Without holes, from the batch's first offset to its last.
    pieces: BTreeMap<i64, Piece>,
}

impl Batch {
    pub(super) fn new(first: i64, piece: Piece) -> Batch {
        Batch { last: piece.last, is_split: false, pieces: BTreeMap::from([(first, piece)]) }
    }

    /// Its one state, unless it is split.
    pub(super) fn whole(&mut self) -> Option<&mut Piece> {
        if self.is_split { None } else { self.pieces.values_mut().next() }
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = (i64, &Piece)> {
        self.pieces.iter().map(|(first, piece)| (*first, piece))
    }

    pub(super) fn pieces_mut(&mut self) -> impl Iterator<Item = (i64, &mut Piece)> {
        self.pieces.iter_mut().map(|(first, piece)| (*first, piece))
    }

    /// Pieces that touch `[from, to]`, uncut.
    pub(super) fn touching(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, &Piece)> {
        self.pieces().filter(move |(first, piece)| *first <= to && piece.last >= from)
    }

    /// The pieces of `[from, to]`, cut to it.
    pub(super) fn cut(&mut self, from: i64, to: i64) -> impl Iterator<Item = (i64, &mut Piece)> {
        let end = to.saturating_add(1).max(from);
        self.cut_before(from);
        self.cut_before(end);
        self.pieces.range_mut(from..end).map(|(first, piece)| (*first, piece))
    }

    /// A piece begins at `offset`, if it is inside.
    pub(super) fn cut_before(&mut self, offset: i64) {
        let Some((first, piece)) = self.pieces.range_mut(..offset).next_back() else { return };
        if piece.last < offset {
            return;
        }
        debug_assert!(*first < offset, "a cut inside of a piece");
        let after = piece.clone();
        piece.last = offset - 1;
        self.pieces.insert(offset, after);
        self.is_split = true;
    }

    /// Puts neighbours of one state together again.
    pub(super) fn join(&mut self) {
        if self.pieces.len() < 2 {
            return;
        }
        let mut joined: BTreeMap<i64, Piece> = BTreeMap::new();
        for (first, piece) in std::mem::take(&mut self.pieces) {
            match joined.last_entry() {
                Some(mut before) if before.get().is_like(&piece) => before.get_mut().last = piece.last,
                _ => drop(joined.insert(first, piece)),
            }
        }
        self.pieces = joined;
    }
}
