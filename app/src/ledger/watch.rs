//! Watches what brokers acknowledged to anybody's clients, as far as brokers tell it: an offset that was acknowledged and lies behind the log end
//! with which a later leader began is gone.
//!
//! Brokers tell how far they acknowledged a few times a second. What was acknowledged between the last telling and the end of a leader is not
//! seen; what is seen is exact.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::monitor::ledger::Vanished;
use crate::monitor::snapshot::{Partition, Snapshot, Topic};

/// What is known of a partition.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    epoch: i32,
    leader: i32,
    /// Behind the last offset that was acknowledged, in this epoch or before.
    acknowledged_end: i64,
    /// The highest high watermark of a leader.
    committed_end: i64,
    /// The epoch whose beginning was looked at.
    judged_epoch: i32,
}

/// A topic as it was looked at last.
#[derive(Debug)]
struct Looked {
    topic: Arc<Topic>,
    partitions: Vec<Option<Known>>,
}

/// Watches all partitions.
#[derive(Debug, Default)]
pub struct Watch {
    known: BTreeMap<Arc<str>, Looked>,
    found: u64,
}

impl Watch {
    /// Looks at what brokers told; what vanished since the last look.
    pub fn look(&mut self, snapshot: &Snapshot) -> Vec<Vanished> {
        let mut vanished = Vec::new();
        let mut before = std::mem::take(&mut self.known);
        for topic in &snapshot.topics {
            // A topic of that name may be another one.
            let looked = before.remove(&topic.name).filter(|looked| looked.topic.topic_id == topic.topic_id);
            let mut looked =
                looked.unwrap_or_else(|| Looked { topic: Arc::new(Topic::named("")), partitions: Vec::new() });
            if !Arc::ptr_eq(&looked.topic, topic) {
                looked.topic = topic.clone();
                looked.partitions.resize(topic.partitions.len(), None);
                for (partition, known) in topic.partitions.iter().zip(&mut looked.partitions) {
                    let (now, gone) = look_at(*known, partition);
                    if let Some(gone) = gone {
                        self.found += 1;
                        vanished.push(self.tell(&topic.name, partition, now, gone, snapshot.at_ms));
                    }
                    *known = Some(now.after(partition));
                }
            }
            self.known.insert(topic.name.clone(), looked);
        }
        vanished
    }

    fn tell(
        &self,
        topic: &Arc<str>,
        partition: &Partition,
        before: Known,
        (from_offset, to_offset): (i64, i64),
        at_ms: i64,
    ) -> Vanished {
        let committed = (before.committed_end.min(to_offset) - from_offset).max(0);
        let mut words = format!(
            "Offsets {from_offset} to {} of {topic}-{} were acknowledged by broker {} up to epoch {}, and are gone: broker {} began \
             epoch {} at offset {from_offset}",
            to_offset - 1,
            partition.id,
            before.leader,
            before.epoch,
            partition.leader,
            partition.leader_epoch,
        );
        words += &match committed {
            0 => ". They were above the high watermark that was last seen: acks=1 may lose them, acks=all may not."
                .to_owned(),
            some => format!(
                ". {some} of them were below the high watermark: only an unclean election, or a loss of power of all in-sync replicas, may \
                 take these."
            ),
        };
        Vanished {
            number: self.found,
            at_ms,
            topic: topic.clone(),
            partition: partition.id,
            old_leader: before.leader,
            old_epoch: before.epoch,
            new_leader: partition.leader,
            new_epoch: partition.leader_epoch,
            from_offset,
            to_offset,
            committed_end: before.committed_end,
            unclean: None,
            words,
        }
    }
}

/// What is known now, still of the reign before if a new one has just begun, and which offsets it lacks.
fn look_at(before: Option<Known>, partition: &Partition) -> (Known, Option<(i64, i64)>) {
    let first = Known { epoch: partition.leader_epoch, leader: partition.leader, judged_epoch: -1, ..Known::default() };
    let mut known = before.unwrap_or(first);
    let of_old = partition.acknowledged_ends.iter().filter(|(epoch, _)| *epoch < partition.leader_epoch);
    let old_end = of_old.map(|(_, end)| *end).max().unwrap_or(-1);
    if known.judged_epoch < partition.leader_epoch {
        // The old leader may have told its last word after the new one was elected; once the new reign is judged, it is too late.
        known.acknowledged_end = known.acknowledged_end.max(old_end);
    }
    let Some(begins) = partition.epoch_start_offset.filter(|_| known.judged_epoch < partition.leader_epoch) else {
        return (known, None);
    };
    let gone = (begins < known.acknowledged_end).then_some((begins, known.acknowledged_end));
    (known, gone)
}

impl Known {
    /// With what the partition tells now.
    fn after(mut self, partition: &Partition) -> Known {
        let is_judged = partition.epoch_start_offset.is_some();
        if let Some(begins) = partition.epoch_start_offset.filter(|_| self.judged_epoch < partition.leader_epoch) {
            // What is gone is told once.
            self.acknowledged_end = self.acknowledged_end.min(begins);
            self.committed_end = self.committed_end.min(begins);
            self.judged_epoch = partition.leader_epoch;
        }
        if is_judged {
            let own = partition.acknowledged_ends.iter().filter(|(epoch, _)| *epoch == partition.leader_epoch);
            self.acknowledged_end = own.map(|(_, end)| *end).fold(self.acknowledged_end, i64::max);
            self.committed_end = self.committed_end.max(partition.high_watermark);
            (self.epoch, self.leader) = (partition.leader_epoch, partition.leader);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(epoch: i32, leader: i32, begins: Option<i64>, ends: &[(i32, i64)], high_watermark: i64) -> Snapshot {
        let partition = Partition {
            leader,
            leader_epoch: epoch,
            epoch_start_offset: begins,
            acknowledged_ends: ends.to_vec(),
            high_watermark,
            ..Partition::default()
        };
        let topic = Topic { partitions: vec![partition], topic_id: "a".into(), ..Topic::named("t") };
        Snapshot { topics: vec![Arc::new(topic)], at_ms: 7, ..Snapshot::default() }
    }

    fn spans(found: &[Vanished]) -> Vec<(i64, i64, i64)> {
        found.iter().map(|one| (one.from_offset, one.to_offset, one.committed_end)).collect()
    }

    #[test]
    fn what_a_new_leader_lacks_is_gone_and_told_once() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(&seen(3, 1, Some(0), &[(3, 100)], 90)), []);
        assert_eq!(watch.look(&seen(3, 1, Some(0), &[(3, 120)], 95)), []);
        assert_eq!(watch.look(&seen(4, 2, None, &[(3, 120)], 95)), [], "it has not told where it began");
        let found = watch.look(&seen(4, 2, Some(97), &[(3, 125)], 97));
        assert_eq!(spans(&found), [(97, 125, 95)], "the last word of the old leader counts");
        assert!(found[0].words.contains("above the high watermark") && found[0].old_leader == 1, "{:?}", found[0]);
        assert_eq!(watch.look(&seen(4, 2, Some(97), &[(3, 125), (4, 130)], 130)), []);
        assert_eq!(watch.look(&seen(5, 3, Some(130), &[(4, 130)], 130)), [], "a clean election takes nothing");
        let found = watch.look(&seen(6, 1, Some(110), &[(4, 130)], 110));
        assert_eq!(spans(&found), [(110, 130, 130)]);
        assert!(found[0].words.contains("20 of them were below the high watermark"), "{}", found[0].words);
    }

    #[test]
    fn a_topic_of_the_same_name_is_another_one() {
        let mut watch = Watch::default();
        watch.look(&seen(3, 1, Some(0), &[(3, 100)], 90));
        let mut other = seen(0, 2, Some(0), &[], 0);
        Arc::make_mut(&mut other.topics[0]).topic_id = "b".into();
        assert_eq!(watch.look(&other), []);
        assert_eq!(watch.look(&seen(1, 1, Some(0), &[], 0)), []);
    }
}
