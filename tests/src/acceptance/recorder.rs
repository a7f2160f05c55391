//! The history as it grows, shared by all clients of a round, and what may be lost.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode;

use super::view::View;
use crate::campaign::{Anomaly, History, Kind, OffsetRead, Op, Outcome, Poll, Promise, Send, Txn, Value, Window};

/// So many lines of the diary are kept.
const DIARY_MAX: usize = 4_000;

/// What is known of one partition.
#[derive(Clone, Debug, Default)]
struct Known {
    /// First offset behind all that producers were told.
    told_end: i64,
    /// First offset behind all that consumers read.
    read_end: i64,
    /// Largest high watermark that the cluster told.
    high_watermark: i64,
    /// When the record was sent that is acknowledged and was sent last; acks=all, or whatever the row's producers use.
    last_ack: Option<Duration>,
    leaders: HashMap<i32, i32>,
    /// The largest leader epoch that was told.
    leader_epoch: i32,
}

#[derive(Default)]
struct Inner {
    history: History,
    /// When the operation began, by its place in the history.
    began: Vec<Duration>,
    partitions: Vec<Known>,
    windows: Vec<Window>,
    positions: HashMap<(u32, u32), i64>,
    /// Producers that repeat what was refused and know nothing of sequence numbers.
    repeaters: HashSet<u32>,
    told: BTreeMap<String, u64>,
    anomalies: Vec<Anomaly>,
    diary: Vec<String>,
    drains: HashSet<u32>,
    zombies: bool,
}

/// See the module.
pub(super) struct Recorder {
    topic: String,
    start: Instant,
    inner: Mutex<Inner>,
}

/// What a round is judged by.
pub(super) struct Record {
    pub(super) history: History,
    pub(super) promise: Promise,
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) told: BTreeMap<String, u64>,
    pub(super) diary: Vec<String>,
}

impl Inner {
    fn push(&mut self, op: Op, now: Duration) -> usize {
        self.history.ops.push(op);
        self.began.push(now);
        self.history.ops.len() - 1
    }

    fn lossy(&self) -> bool {
        self.windows.iter().any(|window| window.acks_all)
    }

    fn say(&mut self, now: Duration, line: &str) {
        if self.diary.len() < DIARY_MAX {
            self.diary.push(format!("{:8.3} {line}", now.as_secs_f64()));
        }
    }
}

impl Recorder {
    pub(super) fn new(topic: &str, partitions: u32) -> Recorder {
        let inner = Inner { partitions: vec![Known::default(); partitions as usize], ..Inner::default() };
        Recorder { topic: topic.to_owned(), start: Instant::now(), inner: Mutex::new(inner) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the round began.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Writes a line into the diary.
    pub(super) fn say(&self, line: impl AsRef<str>) {
        let now = self.now();
        self.inner().say(now, line.as_ref());
    }

    /// Something is wrong.
    pub(super) fn anomaly(&self, anomaly: Anomaly) {
        let now = self.now();
        let mut inner = self.inner();
        inner.say(now, &anomaly.to_string());
        // The first few tell enough.
        if inner.anomalies.len() < 20 {
            inner.anomalies.push(anomaly);
        }
    }

    /// A producer that may write a record twice, and that is not to be blamed on the cluster: librdkafka sends again what was answered with
    /// NOT_LEADER_OR_FOLLOWER, which a leader also answers that has the record and is replaced before it is committed.
    pub(super) fn repeats(&self, process: u32) {
        self.inner().repeaters.insert(process);
    }

    /// A record is handed to a client; its place in the history.
    pub(super) fn began(&self, process: u32, partition: u32, value: Value, acks: i16) -> usize {
        self.began_in(None, process, partition, value, acks)
    }

    /// The same, as part of a transaction.
    pub(super) fn began_in(&self, txn: Option<u32>, process: u32, partition: u32, value: Value, acks: i16) -> usize {
        let now = self.now();
        let send = Send { process, partition, values: vec![value], acks, outcome: Outcome::Info, txn };
        self.inner().push(Op::Send(send), now)
    }

    /// A transaction begins; its number. Until more is known nobody knows how it ends.
    pub(super) fn txn_began(&self, process: u32) -> u32 {
        let mut inner = self.inner();
        inner.history.txns.push(Txn { process, outcome: Outcome::Info, offset: None });
        inner.history.txns.len() as u32 - 1
    }

    /// This offset is committed with it.
    pub(super) fn txn_offset(&self, txn: u32, offset: i64) {
        if let Some(txn) = self.inner().history.txns.get_mut(txn as usize) {
            txn.offset = Some(offset);
        }
    }

    /// How it ended.
    pub(super) fn txn_ended(&self, txn: u32, outcome: Outcome, how: Option<&str>) {
        let mut inner = self.inner();
        if let Some(txn) = inner.history.txns.get_mut(txn as usize) {
            txn.outcome = outcome;
        }
        if let Some(how) = how {
            *inner.told.entry(how.to_owned()).or_default() += 1;
        }
    }

    /// The offset of the group of a transactional id was told while none of its transactions was open.
    pub(super) fn offset_read(&self, process: u32, offset: i64) {
        let mut inner = self.inner();
        let after = inner.history.txns.len();
        inner.history.offsets.push(OffsetRead { process, after, offset });
    }

    /// A client says that a record is written, and where.
    pub(super) fn acknowledged(&self, index: usize, offset: Option<i64>) {
        let mut inner = self.inner();
        let began = inner.began.get(index).copied();
        let Some(Op::Send(send)) = inner.history.ops.get_mut(index) else { return };
        // With acks=0 nobody knows.
        if send.acks != 0 {
            send.outcome = Outcome::Ok(offset);
        }
        let (partition, acks) = (send.partition as usize, send.acks);
        let known = &mut inner.partitions[partition];
        if let Some(offset) = offset {
            known.told_end = known.told_end.max(offset + 1);
        }
        if acks != 0 {
            known.last_ack = known.last_ack.max(began);
        }
    }

    /// A client gave a record up. Of none of these errors a producer that repeats knows for certain that it was not written.
    pub(super) fn refused(&self, code: RDKafkaErrorCode) {
        *self.inner().told.entry(format!("{code:?}")).or_default() += 1;
    }

    /// A client was told something that concerns no one record.
    pub(super) fn noted(&self, what: &str) {
        *self.inner().told.entry(what.to_owned()).or_default() += 1;
    }

    /// How often this was told.
    pub(super) fn count(&self, code: RDKafkaErrorCode) -> u64 {
        self.inner().told.get(&format!("{code:?}")).copied().unwrap_or_default()
    }

    /// A consumer was given a record; `committed`: it reads what is committed only, and told from others that do not.
    pub(super) fn read(&self, process: u32, committed: bool, partition: u32, offset: i64, value: Value) {
        let now = self.now();
        let mut inner = self.inner();
        let drain = inner.drains.contains(&process);
        let records = vec![(offset, value)];
        inner.push(Op::Poll(Poll { process, partition, records, drain, committed, txn: None }), now);
        inner.positions.insert((process, partition), offset + 1);
        if let Some(known) = inner.partitions.get_mut(partition as usize) {
            known.read_end = known.read_end.max(offset + 1);
        }
    }

    /// A consumer takes another position.
    pub(super) fn assigned(&self, process: u32, partition: u32) {
        let now = self.now();
        let mut inner = self.inner();
        inner.push(Op::Assign { process, partition }, now);
        inner.positions.remove(&(process, partition));
    }

    /// This consumer's reads are the final ones. Each partition counts as read, also an empty one.
    pub(super) fn drains(&self, process: u32, committed: bool) {
        let now = self.now();
        let mut inner = self.inner();
        inner.drains.insert(process);
        for partition in 0..inner.partitions.len() as u32 {
            inner.push(
                Op::Poll(Poll { process, partition, records: Vec::new(), drain: true, committed, txn: None }),
                now,
            );
        }
    }

    /// Where a consumer reads next.
    pub(super) fn position(&self, process: u32, partition: u32) -> i64 {
        self.inner().positions.get(&(process, partition)).copied().unwrap_or(0)
    }

    /// First offset behind all that producers were told.
    pub(super) fn told_end(&self, partition: u32) -> i64 {
        self.inner().partitions[partition as usize].told_end
    }

    /// First offset behind all that consumers read.
    pub(super) fn read_end(&self, partition: u32) -> i64 {
        self.inner().partitions[partition as usize].read_end
    }

    /// What is committed at least: the largest high watermark that was told, or what was read.
    pub(super) fn committed(&self, partition: u32) -> i64 {
        let inner = self.inner();
        let known = &inner.partitions[partition as usize];
        known.high_watermark.max(known.read_end)
    }

    /// When the record was sent that is acknowledged and was sent last.
    pub(super) fn last_ack(&self, partition: u32) -> Option<Duration> {
        self.inner().partitions[partition as usize].last_ack
    }

    /// All that a consumer was given.
    pub(super) fn values_read(&self, process: u32) -> HashSet<Value> {
        let inner = self.inner();
        let polls = inner.history.polls().filter(|poll| poll.process == process);
        polls.flat_map(|poll| poll.records.iter().map(|(_, value)| *value)).collect()
    }

    /// From now on records from `from` on may be lost: all, or those that were acknowledged with acks=1.
    pub(super) fn license(&self, partition: u32, from: i64, acks_all: bool) {
        let now = self.now();
        let mut inner = self.inner();
        inner.say(now, &format!("partition {partition} may lose what stands from {from} on (acks=all: {acks_all})"));
        inner.windows.push(Window { partition, from, to: i64::MAX, acks_all });
    }

    /// Whatever was lost is lost by now: what is written from now on behind all that was known may not be.
    pub(super) fn end_licences(&self) {
        let mut inner = self.inner();
        let ends: Vec<i64> = inner.partitions.iter().map(|known| known.told_end.max(known.read_end)).collect();
        // A zombie's session may yet end that was all but over when it came back, and with it what it alone has.
        let zombies = inner.zombies;
        for window in inner.windows.iter_mut().filter(|window| window.to == i64::MAX && (window.acks_all || !zombies)) {
            window.to = ends[window.partition as usize].max(window.from);
        }
    }

    /// Whether acknowledged records, and such that were read, may be lost or may have been.
    pub(super) fn lossy(&self) -> bool {
        self.inner().lossy()
    }

    /// From now on somebody may answer who does not know that it leads no more, and tell of ends that were.
    pub(super) fn expect_zombies(&self) {
        self.inner().zombies = true;
    }

    /// Whether the ends that leaders tell never fall.
    pub(super) fn ends_stand(&self) -> bool {
        let inner = self.inner();
        !inner.zombies && !inner.lossy()
    }

    /// The cluster said this of itself.
    ///
    /// Whatever ends a leader's reign, also the way back to the preferred leader of a cluster that is whole, what it alone had acknowledged with
    /// acks=1 may go with it, as with Kafka: all from the high watermark on that was told of its reign.
    pub(super) fn observe(&self, view: &View) {
        let now = self.now();
        let mut wrong = None;
        let mut inner = self.inner();
        for partition in view.partitions(&self.topic) {
            let Some(known) = inner.partitions.get_mut(partition.id as usize) else { continue };
            if partition.leader_epoch > known.leader_epoch {
                let from = known.high_watermark;
                known.leader_epoch = partition.leader_epoch;
                inner.windows.push(Window { partition: partition.id, from, to: i64::MAX, acks_all: false });
                let epoch = partition.leader_epoch;
                let line =
                    format!("partition {}: epoch {epoch}; acks=1 may have lost all from {from} on", partition.id);
                inner.say(now, &line);
            }
            let Some(known) = inner.partitions.get_mut(partition.id as usize) else { continue };
            known.high_watermark = known.high_watermark.max(partition.high_watermark);
            if partition.leader < 0 {
                continue;
            }
            let leader = *known.leaders.entry(partition.leader_epoch).or_insert(partition.leader);
            if leader != partition.leader {
                wrong = Some(format!(
                    "{leader} and {} both lead partition {} in epoch {}",
                    partition.leader, partition.id, partition.leader_epoch
                ));
            }
        }
        drop(inner);
        if let Some(what) = wrong {
            self.anomaly(Anomaly::new(Kind::TwoLeaders, what));
        }
    }

    /// All that was recorded.
    pub(super) fn take(&self) -> Record {
        let mut inner = self.inner();
        Record {
            history: std::mem::take(&mut inner.history),
            promise: Promise {
                windows: std::mem::take(&mut inner.windows),
                nothing_to_senders: false,
                repeaters: std::mem::take(&mut inner.repeaters),
            },
            anomalies: std::mem::take(&mut inner.anomalies),
            told: std::mem::take(&mut inner.told),
            diary: std::mem::take(&mut inner.diary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acceptance::view::{Partition, Topic};
    use crate::campaign::check;

    fn kinds(recorder: &Recorder) -> Vec<Kind> {
        let record = recorder.take();
        check(&record.history, &record.promise).into_iter().map(|anomaly| anomaly.kind).collect()
    }

    /// Three records of which the final read finds two.
    fn loses_the_last(license: Option<i64>) -> Vec<Kind> {
        let recorder = Recorder::new("t", 1);
        for value in 0..3 {
            let index = recorder.began(1, 0, value, -1);
            recorder.acknowledged(index, Some(value as i64));
        }
        if let Some(from) = license {
            recorder.license(0, from, true);
            recorder.end_licences();
        }
        let index = recorder.began(1, 0, 9, -1);
        recorder.acknowledged(index, Some(2));
        recorder.drains(7, false);
        for (offset, value) in [(0, 0), (1, 1), (2, 9)] {
            recorder.read(7, false, 0, offset, value);
        }
        kinds(&recorder)
    }

    #[test]
    fn loss_is_seen_unless_it_is_allowed() {
        assert_eq!(loses_the_last(Some(2)), []);
        assert_eq!(loses_the_last(Some(3)), loses_the_last(None));
        assert!(loses_the_last(None).contains(&Kind::Unseen));
    }

    /// Two writers get one offset, of leaders in a row, in a cluster that is whole; the final read finds the second.
    fn an_election_after_the_end(acks: i16, leader_epoch: i32) -> Vec<Kind> {
        let recorder = Recorder::new("t", 1);
        let told = |leader, leader_epoch, high_watermark| {
            let partition = Partition { leader, leader_epoch, high_watermark, ..Default::default() };
            let topic = Topic { name: "t".into(), partitions: vec![partition] };
            recorder.observe(&View { topics: vec![topic], ..View::default() });
        };
        recorder.end_licences();
        told(1, 0, 0);
        let first = recorder.began(1, 0, 0, acks);
        recorder.acknowledged(first, Some(0));
        told(2, leader_epoch, 0);
        let second = recorder.began(1, 0, 1, acks);
        recorder.acknowledged(second, Some(0));
        recorder.drains(7, false);
        recorder.read(7, false, 0, 0, 1);
        kinds(&recorder)
    }

    #[test]
    fn an_election_may_cost_what_acks_1_wrote_and_nothing_else_may() {
        assert_eq!(an_election_after_the_end(1, 1), []);
        assert!(an_election_after_the_end(-1, 1).contains(&Kind::Unseen));
        assert!(an_election_after_the_end(1, 0).contains(&Kind::Unseen));
    }

    #[test]
    fn what_is_written_after_a_licence_ended_may_not_be_lost() {
        let recorder = Recorder::new("t", 1);
        let first = recorder.began(1, 0, 0, -1);
        recorder.acknowledged(first, Some(0));
        recorder.license(0, 0, true);
        recorder.end_licences();
        let later = recorder.began(1, 0, 1, -1);
        recorder.acknowledged(later, Some(1));
        recorder.drains(7, false);
        assert_eq!(kinds(&recorder), [Kind::Unseen]);
    }

    #[test]
    fn with_acks_0_nothing_is_known() {
        let recorder = Recorder::new("t", 1);
        let index = recorder.began(1, 0, 5, 0);
        recorder.acknowledged(index, None);
        recorder.drains(7, false);
        assert_eq!(recorder.last_ack(0), None);
        assert_eq!(kinds(&recorder), []);
    }

    #[test]
    fn a_producer_that_repeats_may_write_twice_and_no_other() {
        for repeats in [true, false] {
            let recorder = Recorder::new("t", 1);
            let index = recorder.began(1, 0, 5, -1);
            recorder.acknowledged(index, Some(1));
            if repeats {
                recorder.repeats(1);
            }
            recorder.drains(7, false);
            recorder.read(7, false, 0, 0, 5);
            recorder.read(7, false, 0, 1, 5);
            assert_eq!(kinds(&recorder).contains(&Kind::Duplicate), !repeats);
        }
    }
}
