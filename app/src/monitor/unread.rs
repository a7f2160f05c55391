//! Lag in time: how old is the first record that a group has not read?
//!
//! Records tell when they were made; where they stand is read from the leader's files by [`super::unread_reader`]. Pure: this room says
//! what is to be looked up, and what follows from what was found. How fast a group reads, or was seen to read, plays no part.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use broker::types::{Id, TopicPartition};

use super::snapshot::Partition;

/// What may be asked for at once. Who comes too short is first the next time.
pub const QUESTIONS_MAX: usize = 2_000;

/// Where a partition's records are to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which topic of that name.
    pub topic_id: Id,
    /// The leader's directory of the partition.
    pub dir: PathBuf,
    /// Another leader may have other records.
    pub leader_epoch: i32,
}

/// Which record is wanted: the first from `offset` on, below `high_watermark`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// For whom.
    pub group: Arc<str>,
    /// Of which partition.
    pub partition: TopicPartition,
    /// Where it is.
    pub place: Place,
    /// From here on.
    pub offset: i64,
    /// Up to here.
    pub high_watermark: i64,
    /// When it was asked, wall clock.
    pub asked_ms: i64,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A record, with the time that its producer or its broker gave it.
    Record {
        /// Its offset.
        offset: i64,
        /// Its timestamp; below 0: it has none.
        timestamp_ms: i64,
    },
    /// Only markers of transactions: there is nothing that anybody would read.
    Nothing,
    /// The files cannot be read.
    Unreadable,
}

/// A question with what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As it was asked.
    pub question: Question,
    /// What was found.
    pub found: Found,
}

/// What is known of one group.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    answers: BTreeMap<TopicPartition, Answer>,
}

/// Where the group goes on: from what it committed, or from the first record where that is gone.
fn next_offset(committed_offset: i64, partition: &Partition) -> i64 {
    committed_offset.max(partition.log_start_offset)
}

impl Unread {
    /// Takes in an answer.
    pub fn take(&mut self, answer: Answer) {
        self.answers.insert(answer.question.partition.clone(), answer);
    }

    /// Forgets partitions that the group has no offset of any more.
    pub fn keep(&mut self, names: &[TopicPartition]) {
        if self.answers.len() > names.len() {
            let known: std::collections::BTreeSet<&TopicPartition> = names.iter().collect();
            self.answers.retain(|name, _| known.contains(name));
        }
    }

    /// Whether nothing was ever found out about that partition.
    pub fn is_new(&self, name: &TopicPartition) -> bool {
        !self.answers.contains_key(name)
    }

    /// What is to be looked up, if what is known does not answer it.
    pub fn question(
        &self,
        (group, name): (&Arc<str>, &TopicPartition),
        committed_offset: i64,
        partition: &Partition,
        place: &Place,
        now_ms: i64,
    ) -> Option<Question> {
        let offset = next_offset(committed_offset, partition);
        if offset >= partition.high_watermark {
            return None;
        }
        let answers = |answer: &Answer| {
            answer.question.place == *place
                && match answer.found {
                    Found::Record { offset: record, .. } => answer.question.offset <= offset && offset <= record,
                    Found::Nothing => {
                        answer.question.offset <= offset && answer.question.high_watermark == partition.high_watermark
                    }
                    Found::Unreadable => false,
                }
        };
        if self.answers.get(name).is_some_and(answers) {
            return None;
        }
        Some(Question {
            group: group.clone(),
            partition: name.clone(),
            place: place.clone(),
            offset,
            high_watermark: partition.high_watermark,
            asked_ms: now_ms,
        })
    }

    /// How old the first record is that the group has not read, ms; `None`: not known (yet).
    pub fn age_ms(
        &self,
        name: &TopicPartition,
        committed_offset: i64,
        partition: &Partition,
        topic_id: Id,
        now_ms: i64,
    ) -> Option<i64> {
        let offset = next_offset(committed_offset, partition);
        if offset >= partition.high_watermark {
            return Some(0);
        }
        let Answer { question, found } = self.answers.get(name)?;
        // It went back, or the topic is another one: what was found is not about what is next.
        if question.place.topic_id != topic_id || offset < question.offset {
            return None;
        }
        match *found {
            Found::Record { timestamp_ms: ..0, .. } | Found::Unreadable => None,
            // It still waits, and grows older.
            Found::Record { offset: record, timestamp_ms } if offset <= record => Some((now_ms - timestamp_ms).max(0)),
            // The group went on since: as old as it was when the group was still there.
            Found::Record { timestamp_ms, .. } => Some((question.asked_ms - timestamp_ms).max(0)),
            Found::Nothing if partition.high_watermark == question.high_watermark => Some(0),
            Found::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(log_start_offset: i64, high_watermark: i64) -> Partition {
        Partition { log_start_offset, high_watermark, ..Partition::default() }
    }

    fn place(leader_epoch: i32) -> Place {
        Place { topic_id: Id([1; 16]), dir: "/data/t-0".into(), leader_epoch }
    }

    /// Of one answer: asked for 100 to 200 at time 10,000.
    fn knows(found: Found) -> Unread {
        let mut unread = Unread::default();
        let name = TopicPartition::new("t", 0);
        let question = Question {
            group: "g".into(),
            partition: name,
            place: place(0),
            offset: 100,
            high_watermark: 200,
            asked_ms: 10_000,
        };
        unread.take(Answer { question, found });
        unread
    }

    #[test]
    fn age_table() {
        let record = Found::Record { offset: 103, timestamp_ms: 9_000 };
        // (found, committed, log start, high watermark) → age at 12,000, whether it is asked again
        for (found, committed, start, end, age_ms, asks) in [
            (record, 100, 0, 200, Some(3_000), false),
            (record, 103, 0, 500, Some(3_000), false),
            // Read on since: that record was 1 s old when it was the next.
            (record, 104, 0, 200, Some(1_000), true),
            (record, 200, 0, 200, Some(0), false),
            (record, 250, 0, 200, Some(0), false),
            // Set back: what is next is not known.
            (record, 50, 0, 200, None, true),
            // Retention has taken what was next.
            (record, 50, 102, 200, Some(3_000), false),
            (record, 50, 150, 200, Some(1_000), true),
            (record, -1, 100, 200, Some(3_000), false),
            // A clock that is ahead makes no lag.
            (Found::Record { offset: 100, timestamp_ms: 99_000 }, 100, 0, 200, Some(0), false),
            // Without a timestamp nothing is known.
            (Found::Record { offset: 100, timestamp_ms: -1 }, 100, 0, 200, None, false),
            // Markers only: nothing waits, until more was written.
            (Found::Nothing, 100, 0, 200, Some(0), false),
            (Found::Nothing, 199, 0, 200, Some(0), false),
            (Found::Nothing, 100, 0, 201, None, true),
            (Found::Unreadable, 100, 0, 200, None, true),
        ] {
            let unread = knows(found);
            let (name, known) = (TopicPartition::new("t", 0), partition(start, end));
            let age = unread.age_ms(&name, committed, &known, Id([1; 16]), 12_000);
            let asked = unread.question((&"g".into(), &name), committed, &known, &place(0), 12_000);
            assert_eq!((age, asked.is_some()), (age_ms, asks), "{found:?} {committed} {start} {end}");
        }
    }

    #[test]
    fn another_topic_or_leader_is_asked_anew() {
        let unread = knows(Found::Record { offset: 100, timestamp_ms: 9_000 });
        let (name, known) = (TopicPartition::new("t", 0), partition(0, 200));
        assert_eq!(unread.age_ms(&name, 100, &known, Id([2; 16]), 12_000), None, "made again under the same name");
        let asked = unread.question((&"g".into(), &name), 100, &known, &place(1), 12_000).unwrap();
        assert_eq!((asked.offset, asked.high_watermark, asked.asked_ms), (100, 200, 12_000));
        assert!(unread.is_new(&TopicPartition::new("t", 1)) && !unread.is_new(&name));
    }

    #[test]
    fn what_has_no_offset_any_more_is_forgotten() {
        let mut unread = knows(Found::Nothing);
        unread.keep(&[TopicPartition::new("t", 0)]);
        assert!(!unread.is_new(&TopicPartition::new("t", 0)));
        unread.keep(&[]);
        assert!(unread.is_new(&TopicPartition::new("t", 0)));
    }
}
