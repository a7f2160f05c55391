//! The promises, checked after every step.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::{Message, MetadataLog, Output, Quorum, ReplicaKey, SnapshotId, VoterSet, data_records};
use super::world::Node;
use crate::records;
use crate::records::control::{ControlType, control_type, decode_voters};
use crate::types::{Id, NodeId};

/// What happened, so that one can see that enough did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub elections: u64,
    pub committed: u64,
    pub acknowledged: u64,
    pub truncations: u64,
    pub crashes: u64,
    pub messages: u64,
    pub snapshots_made: u64,
    pub snapshots_installed: u64,
    pub snapshots_loaded: u64,
    pub voter_changes: u64,
    pub voter_changes_refused: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.elections += other.elections;
        self.committed += other.committed;
        self.acknowledged += other.acknowledged;
        self.truncations += other.truncations;
        self.crashes += other.crashes;
        self.messages += other.messages;
        self.snapshots_made += other.snapshots_made;
        self.snapshots_installed += other.snapshots_installed;
        self.snapshots_loaded += other.snapshots_loaded;
        self.voter_changes += other.voter_changes;
        self.voter_changes_refused += other.voter_changes_refused;
    }
}

/// A batch as its place in a log names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    base_offset: i64,
    next_offset: i64,
    epoch: i32,
    bytes: Bytes,
}

/// Epoch and base offset.
type BatchId = (i32, i64);

/// What the checker knows of one node.
#[derive(Default)]
struct Seen {
    log: Vec<Placed>,
    /// Voters, each with the offset of their record, as log and snapshot name them.
    voters: Vec<(i64, Vec<ReplicaKey>)>,
    high_watermark: i64,
    /// Appended as leader and not yet committed: (epoch, offset, payload).
    pending: Vec<(i32, i64, Bytes)>,
}

pub struct Checker {
    pub seed: u64,
    pub tally: Tally,
    /// Of the configuration.
    fixed: Vec<ReplicaKey>,
    /// Those by whom the last record was counted as committed.
    counted: Vec<ReplicaKey>,
    leaders: BTreeMap<i32, NodeId>,
    votes: BTreeMap<(ReplicaKey, i32), NodeId>,
    /// Every batch ever seen in any log, with the one before it.
    batches: BTreeMap<BatchId, (Bytes, Option<BatchId>)>,
    committed: Vec<Placed>,
    /// The payloads in them, each with the end of its batch.
    payloads: Vec<(i64, Bytes)>,
    /// In which leader's epoch each of them was committed.
    committed_in: Vec<i32>,
    seen: BTreeMap<NodeId, Seen>,
}

impl Checker {
    pub fn new(seed: u64, voters: &[NodeId]) -> Checker {
        let fixed: Vec<_> = voters.iter().map(|id| ReplicaKey { id: *id, directory_id: Id::ZERO }).collect();
        Checker {
            seed,
            tally: Tally::default(),
            counted: fixed.clone(),
            fixed,
            leaders: BTreeMap::new(),
            votes: BTreeMap::new(),
            batches: BTreeMap::new(),
            committed: Vec::new(),
            payloads: Vec::new(),
            committed_in: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    pub fn committed_end(&self) -> i64 {
        self.committed.last().map_or(0, |batch| batch.next_offset)
    }

    pub fn started(&mut self, id: NodeId) {
        self.seen.insert(id, Seen::default());
    }

    pub fn crashed(&mut self, id: NodeId) {
        self.tally.crashes += 1;
        self.seen.insert(id, Seen::default());
    }

    pub fn appended(&mut self, id: NodeId, epoch: i32, offset: i64, payload: Bytes) {
        self.seen.entry(id).or_default().pending.push((epoch, offset, payload));
    }

    pub fn output(&mut self, id: NodeId, output: &Output, nodes: &BTreeMap<NodeId, Node>) {
        let seed = self.seed;
        match output {
            Output::Send { to, message } => self.sent(id, *to, message, nodes),
            Output::BecameLeader { epoch } => {
                self.tally.elections += 1;
                let other = self.leaders.insert(*epoch, id);
                assert_eq!(other, None, "seed {seed}: two leaders in epoch {epoch}, the second is {id}");
                self.check_completeness(id, *epoch, nodes);
            }
            Output::LostLeadership { .. } => self.seen.entry(id).or_default().pending.clear(),
            Output::Truncated(offset) => {
                self.tally.truncations += 1;
                let seen = self.seen.entry(id).or_default();
                assert!(*offset >= seen.high_watermark, "seed {seed}: node {id} cut committed records off");
                seen.log.retain(|batch| batch.next_offset <= *offset);
                seen.voters.retain(|(at, _)| at < offset);
            }
            Output::SnapshotInstalled(snapshot) => {
                self.tally.snapshots_installed += 1;
                let seen = self.seen.entry(id).or_default();
                assert!(snapshot.end_offset >= seen.high_watermark, "seed {seed}: node {id} fell behind by a snapshot");
                seen.log.clear();
                seen.voters.clear();
            }
            Output::VoterChange { outcome: Ok(()), .. } => self.tally.voter_changes += 1,
            Output::VoterChange { .. } => self.tally.voter_changes_refused += 1,
            Output::Failed(error) => panic!("seed {seed}: node {id} failed: {error}"),
            Output::LeaderChanged { .. } | Output::HighWatermark(_) => {}
        }
    }

    fn sent(&mut self, id: NodeId, to: NodeId, message: &Message, nodes: &BTreeMap<NodeId, Node>) {
        let seed = self.seed;
        self.tally.messages += 1;
        let key = nodes[&id].config.key();
        match message {
            Message::VoteResponse(response) if response.granted && !response.pre_vote => {
                let voted = *self.votes.entry((key, response.request_epoch)).or_insert(to);
                assert_eq!(voted, to, "seed {seed}: {id} voted twice in epoch {}", response.request_epoch);
            }
            Message::VoteRequest(request) if !request.pre_vote => {
                let voted = *self.votes.entry((key, request.epoch)).or_insert(id);
                assert_eq!(voted, id, "seed {seed}: {id} voted twice in epoch {}", request.epoch);
            }
            Message::FetchRequest(request) if nodes[&id].config.can_become_voter => {
                let synced = nodes[&id].log().map_or(0, |log| log.synced_offset());
                assert!(request.fetch_offset <= synced, "seed {seed}: {id} acknowledged what it had not synced");
            }
            _ => {}
        }
    }

    /// Leader completeness: whoever is elected has all that was committed in the epochs before. (One that was paused over its own victory may
    /// lack what was committed in later ones.)
    fn check_completeness(&self, id: NodeId, epoch: i32, nodes: &BTreeMap<NodeId, Node>) {
        let start = nodes[&id].log().map_or(0, |log| log.start_offset());
        let log = placed(&nodes[&id].batches(start));
        let count = self.committed_in.partition_point(|committed_in| *committed_in < epoch);
        // What lies before the log's start stands in a snapshot, which is looked at when it is read.
        let gone = self.committed[..count].partition_point(|batch| batch.next_offset <= start);
        let committed = &self.committed[gone..count];
        let inherited = log.get(..committed.len());
        assert!(inherited == Some(committed), "seed {}: leader {id} lacks committed records", self.seed);
    }

    /// Whatever one node does, its log and its high watermark must fit everybody's.
    pub fn step(&mut self, id: NodeId, nodes: &BTreeMap<NodeId, Node>) {
        let node = &nodes[&id];
        let Some(quorum) = &node.quorum else { return };
        self.check_log(id, node);
        self.check_voters(id, quorum);
        let high_watermark = quorum.high_watermark();
        let seen = self.seen.entry(id).or_default();
        let seed = self.seed;
        assert!(high_watermark >= seen.high_watermark, "seed {seed}: high watermark of {id} fell");
        // A snapshot stands for what lies before the log.
        let before = seen.high_watermark.max(quorum.log_start_offset());
        assert!(high_watermark >= before, "seed {seed}: high watermark of {id} fell");
        assert!(high_watermark <= quorum.log_end_offset(), "seed {seed}: high watermark of {id} is past its log");
        seen.high_watermark = high_watermark;
        if high_watermark == before {
            return;
        }
        let mut committed = Vec::new();
        let mut next = before;
        while next < high_watermark {
            committed.extend(placed(&quorum.read_committed(next, 1 << 30).expect("committed records")));
            next = committed.last().map_or(high_watermark, |batch: &Placed| batch.next_offset);
        }
        // Also one that resigned with this very step, since it was removed.
        if self.leaders.get(&quorum.epoch()) == Some(&id) && high_watermark > self.committed_end() {
            self.counted = self.voters_of(id).to_vec();
        }
        self.check_committed(id, quorum.epoch(), &committed, high_watermark);
        self.check_acknowledged(id, quorum.epoch(), high_watermark, nodes);
        self.check_durability(nodes);
    }

    /// Log matching: a batch with the same epoch and offset is the same everywhere, and so is all before it.
    fn check_log(&mut self, id: NodeId, node: &Node) {
        let seen = self.seen.entry(id).or_default();
        let start = node.log().map_or(0, |log| log.start_offset());
        let from = seen.log.last().map_or(start, |batch| batch.next_offset);
        if seen.log.is_empty() && seen.voters.is_empty() {
            seen.voters.extend(node.log().and_then(voters_before));
        }
        let end = node.log().map_or(0, |log| log.end_offset());
        assert!(from <= end, "seed {}: {id} cut its log without saying so", self.seed);
        if from == end {
            return;
        }
        for batch in placed(&node.batches(from)) {
            let known = seen.voters.last().map_or(-1, |(at, _)| *at);
            seen.voters.extend(voters_in(&batch.bytes).into_iter().filter(|(at, _)| *at > known));
            let key = (batch.epoch, batch.base_offset);
            let previous = seen.log.last().map(|batch| (batch.epoch, batch.base_offset));
            // What was before a snapshot's end was committed, so everybody has the same there.
            let index = self.committed.binary_search_by_key(&batch.base_offset, |known| known.next_offset);
            let committed = index.ok().map(|index| (self.committed[index].epoch, self.committed[index].base_offset));
            let previous = previous.or(committed);
            let known = self.batches.entry(key).or_insert((batch.bytes.clone(), previous));
            assert!(*known == (batch.bytes.clone(), previous), "seed {}: logs differ at {key:?} on {id}", self.seed);
            seen.log.push(batch);
        }
    }

    /// State machine safety: what one node takes for committed, all others have or will have, at the same place, for ever.
    fn check_committed(&mut self, id: NodeId, epoch: i32, batches: &[Placed], high_watermark: i64) {
        let seed = self.seed;
        let Some(last) = batches.last() else { panic!("seed {seed}: {id} cannot read what it committed") };
        assert_eq!(last.next_offset, high_watermark, "seed {seed}: {id} committed half a batch");
        for batch in batches {
            match self.committed.binary_search_by_key(&batch.base_offset, |known| known.base_offset) {
                Ok(index) => assert_eq!(&self.committed[index], batch, "seed {seed}: {id} committed something else"),
                Err(index) => {
                    assert!(index == self.committed.len() && batch.base_offset == self.committed_end());
                    self.tally.committed += (batch.next_offset - batch.base_offset) as u64;
                    let (records, _) = data_records(&batch.bytes, usize::MAX).expect("a batch");
                    self.payloads.extend(records.into_iter().map(|record| (batch.next_offset, record.value)));
                    self.committed.push(batch.clone());
                    self.committed_in.push(epoch);
                }
            }
        }
    }

    fn voters_of(&self, id: NodeId) -> &[ReplicaKey] {
        self.seen.get(&id).and_then(|seen| seen.voters.last()).map_or(&self.fixed, |(_, voters)| voters)
    }

    /// Those count whom the log names last; of changes that are not committed there is one at most; and each is of one voter, so that any
    /// majority of those before meets any majority of those after.
    fn check_voters(&self, id: NodeId, quorum: &Quorum) {
        let seed = self.seed;
        let counted: Vec<_> = quorum.voters().keys().collect();
        assert_eq!(counted, self.voters_of(id), "seed {seed}: {id} counts voters that its log does not name");
        let Some(seen) = self.seen.get(&id) else { return };
        let open = seen.voters.iter().filter(|(at, _)| *at >= self.committed_end()).count();
        assert!(open <= 1, "seed {seed}: {open} changes of voters in the log of {id} are not committed");
        for pair in seen.voters.windows(2) {
            let [before, after] = [&pair[0].1, &pair[1].1];
            let gone = before.iter().filter(|key| !after.contains(key)).count();
            let come = after.iter().filter(|key| !before.contains(key)).count();
            assert!(gone + come <= 1, "seed {seed}: {id} has {before:?} before {after:?}");
        }
    }

    /// What a leader appended and then saw committed in its own epoch stands at the offset that it was given.
    fn check_acknowledged(&mut self, id: NodeId, epoch: i32, high_watermark: i64, nodes: &BTreeMap<NodeId, Node>) {
        let seen = self.seen.entry(id).or_default();
        let done: Vec<_> = seen.pending.extract_if(.., |(_, offset, _)| *offset < high_watermark).collect();
        for (appended_in, offset, payload) in done {
            self.tally.acknowledged += 1;
            assert_eq!(appended_in, epoch, "seed {}", self.seed);
            let batch = nodes[&id].log().expect("a log").read(offset, 1, i64::MAX).expect("a log");
            let (records, _) = data_records(&batch, usize::MAX).expect("a batch");
            let found = records.iter().find(|record| record.offset == offset).map(|record| record.value.clone());
            assert_eq!(found, Some(payload), "seed {}: an acknowledged record stands elsewhere", self.seed);
        }
    }

    /// What is committed is on the disks of a majority, whatever happens to their power.
    pub fn check_durability(&self, nodes: &BTreeMap<NodeId, Node>) {
        let Some(last) = self.committed.last() else { return };
        if nodes.values().any(|node| node.disk.is_some()) {
            return; // What a restarted member finds in its files is durable, but it does not know that before its next sync.
        }
        let has = |key: &&ReplicaKey| {
            let node = &nodes[&key.id];
            let Some(log) = node.log().filter(|_| is_replica(node, **key)) else { return false };
            if log.start_offset() >= last.next_offset {
                return true;
            }
            let end = log.end_offset_for_epoch(last.epoch);
            log.synced_offset() >= last.next_offset && end.epoch == last.epoch && end.end_offset >= last.next_offset
        };
        let count = self.counted.iter().filter(has).count();
        assert!(
            count > self.counted.len() / 2,
            "seed {}: committed records are on {count} disks only of {:?}",
            self.seed,
            self.counted
        );
    }

    /// A snapshot that a node reads holds what was committed below its end, and nothing else.
    pub fn loaded(&mut self, id: NodeId, snapshot: SnapshotId, payloads: &[Bytes]) {
        self.tally.snapshots_loaded += 1;
        let count = self.payloads.partition_point(|(end, _)| *end <= snapshot.end_offset);
        let committed = self.payloads[..count].iter().map(|(_, payload)| payload);
        assert!(
            payloads.iter().eq(committed),
            "seed {}: {id} read a snapshot {snapshot:?} of something else",
            self.seed
        );
    }

    /// What a node made of the log is what was committed.
    pub fn check_state(&self, id: NodeId, payloads: &[Bytes]) {
        let committed = self.payloads.iter().map(|(_, payload)| payload);
        assert!(payloads.iter().eq(committed), "seed {}: {id} is in another state", self.seed);
    }

    /// At the end of a run: everybody has everything.
    pub fn check_all_have_all(&self, nodes: &BTreeMap<NodeId, Node>) {
        let mut ends = BTreeSet::new();
        for (id, node) in nodes {
            let start = node.log().map_or(0, |log| log.start_offset());
            let log = placed(&node.batches(start));
            let gone = self.committed.partition_point(|batch| batch.next_offset <= start);
            assert!(log[..] == self.committed[gone..], "seed {}: log of {id} is not what was committed", self.seed);
            ends.insert(node.log().map(|log| log.end_offset()));
        }
        assert_eq!(ends.len(), 1, "seed {}", self.seed);
    }
}

fn is_replica(node: &Node, key: ReplicaKey) -> bool {
    [Id::ZERO, node.config.directory_id].contains(&key.directory_id)
}

/// Voters that a batch names.
fn voters_in(batch: &Bytes) -> Vec<(i64, Vec<ReplicaKey>)> {
    let (header, _) = records::batches(batch).next().expect("a batch").expect("a batch");
    if !header.is_control() {
        return Vec::new();
    }
    let voters = |record: records::Record| {
        let is_voters = control_type(&record.key?).expect("a control record") == Some(ControlType::KRaftVoters);
        let named = is_voters.then(|| decode_voters(&record.value.expect("a value")).expect("voters"))?;
        Some((record.offset, VoterSet::of_voters(named).keys().collect()))
    };
    records::records(batch, 1 << 20).expect("a batch").filter_map(|record| voters(record.expect("a record"))).collect()
}

/// Voters before a log's start, from its oldest snapshot.
fn voters_before(log: &dyn MetadataLog) -> Option<(i64, Vec<ReplicaKey>)> {
    let id = log.snapshots().first()?.id;
    let bytes = log.read_snapshot(id, 0, 1 << 30).expect("a snapshot")?.bytes;
    let header = records::batches(&bytes).next().expect("a batch").expect("a batch");
    let (_, keys) = voters_in(&bytes.slice_ref(header.1)).pop()?;
    Some((id.end_offset - 1, keys))
}

fn placed(bytes: &Bytes) -> Vec<Placed> {
    records::batches(bytes)
        .map(|batch| {
            let (header, slice) = batch.expect("a batch");
            Placed {
                base_offset: header.base_offset,
                next_offset: header.last_offset() + 1,
                epoch: header.partition_leader_epoch,
                bytes: bytes.slice_ref(slice),
            }
        })
        .collect()
}
