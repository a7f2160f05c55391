//! The promises, checked after every step.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::{Message, Output, data_records};
use super::world::Node;
use crate::records;
use crate::types::NodeId;

/// What happened, so that one can see that enough did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub elections: u64,
    pub committed: u64,
    pub acknowledged: u64,
    pub truncations: u64,
    pub crashes: u64,
    pub messages: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.elections += other.elections;
        self.committed += other.committed;
        self.acknowledged += other.acknowledged;
        self.truncations += other.truncations;
        self.crashes += other.crashes;
        self.messages += other.messages;
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
    high_watermark: i64,
    /// Appended as leader and not yet committed: (epoch, offset, payload).
    pending: Vec<(i32, i64, Bytes)>,
}

pub struct Checker {
    pub seed: u64,
    pub tally: Tally,
    voters: Vec<NodeId>,
    leaders: BTreeMap<i32, NodeId>,
    votes: BTreeMap<(NodeId, i32), NodeId>,
    /// Every batch ever seen in any log, with the one before it.
    batches: BTreeMap<BatchId, (Bytes, Option<BatchId>)>,
    committed: Vec<Placed>,
    /// In which leader's epoch each of them was committed.
    committed_in: Vec<i32>,
    seen: BTreeMap<NodeId, Seen>,
}

impl Checker {
    pub fn new(seed: u64, voters: Vec<NodeId>) -> Checker {
        Checker {
            seed,
            tally: Tally::default(),
            voters,
            leaders: BTreeMap::new(),
            votes: BTreeMap::new(),
            batches: BTreeMap::new(),
            committed: Vec::new(),
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
            }
            Output::Failed(error) => panic!("seed {seed}: node {id} failed: {error}"),
            Output::LeaderChanged { .. } | Output::HighWatermark(_) => {}
        }
    }

    fn sent(&mut self, id: NodeId, to: NodeId, message: &Message, nodes: &BTreeMap<NodeId, Node>) {
        let seed = self.seed;
        self.tally.messages += 1;
        match message {
            Message::VoteResponse(response) if response.granted && !response.pre_vote => {
                let voted = *self.votes.entry((id, response.request_epoch)).or_insert(to);
                assert_eq!(voted, to, "seed {seed}: {id} voted twice in epoch {}", response.request_epoch);
            }
            Message::VoteRequest(request) if !request.pre_vote => {
                let voted = *self.votes.entry((id, request.epoch)).or_insert(id);
                assert_eq!(voted, id, "seed {seed}: {id} voted twice in epoch {}", request.epoch);
            }
            Message::FetchRequest(request) if self.voters.contains(&id) => {
                let synced = nodes[&id].log().map_or(0, |log| log.synced_offset());
                assert!(request.fetch_offset <= synced, "seed {seed}: {id} acknowledged what it had not synced");
            }
            _ => {}
        }
    }

    /// Leader completeness: whoever is elected has all that was committed in the epochs before. (One that was paused over its own victory may
    /// lack what was committed in later ones.)
    fn check_completeness(&self, id: NodeId, epoch: i32, nodes: &BTreeMap<NodeId, Node>) {
        let log = placed(&nodes[&id].batches(0));
        let count = self.committed_in.partition_point(|committed_in| *committed_in < epoch);
        let inherited = log.get(..count);
        assert!(inherited == Some(&self.committed[..count]), "seed {}: leader {id} lacks committed records", self.seed);
    }

    /// Whatever one node does, its log and its high watermark must fit everybody's.
    pub fn step(&mut self, id: NodeId, nodes: &BTreeMap<NodeId, Node>) {
        let node = &nodes[&id];
        let Some(quorum) = &node.quorum else { return };
        self.check_log(id, node);
        let high_watermark = quorum.high_watermark();
        let seen = self.seen.entry(id).or_default();
        let (seed, before) = (self.seed, seen.high_watermark);
        assert!(high_watermark >= before, "seed {seed}: high watermark of {id} fell");
        assert!(high_watermark <= quorum.log_end_offset(), "seed {seed}: high watermark of {id} is past its log");
        if high_watermark == before {
            return;
        }
        seen.high_watermark = high_watermark;
        let committed = placed(&quorum.read_committed(before, 1 << 30).expect("committed records"));
        self.check_committed(id, quorum.epoch(), &committed, high_watermark);
        self.check_acknowledged(id, quorum.epoch(), high_watermark, nodes);
        self.check_durability(nodes);
    }

    /// Log matching: a batch with the same epoch and offset is the same everywhere, and so is all before it.
    fn check_log(&mut self, id: NodeId, node: &Node) {
        let seen = self.seen.entry(id).or_default();
        let from = seen.log.last().map_or(0, |batch| batch.next_offset);
        let end = node.log().map_or(0, |log| log.end_offset());
        assert!(from <= end, "seed {}: {id} cut its log without saying so", self.seed);
        if from == end {
            return;
        }
        for batch in placed(&node.batches(from)) {
            let key = (batch.epoch, batch.base_offset);
            let previous = seen.log.last().map(|batch| (batch.epoch, batch.base_offset));
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
                    self.committed.push(batch.clone());
                    self.committed_in.push(epoch);
                }
            }
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
        if self.voters.iter().any(|id| nodes[id].disk.is_some()) {
            return; // What a restarted member finds in its files is durable, but it does not know that before its next sync.
        }
        let has = |id: &&NodeId| {
            let Some(log) = nodes[id].log() else { return false };
            let end = log.end_offset_for_epoch(last.epoch);
            log.synced_offset() >= last.next_offset && end.epoch == last.epoch && end.end_offset >= last.next_offset
        };
        let count = self.voters.iter().filter(has).count();
        assert!(count > self.voters.len() / 2, "seed {}: committed records are on {count} disks only", self.seed);
    }

    /// At the end of a run: everybody has everything.
    pub fn check_all_have_all(&self, nodes: &BTreeMap<NodeId, Node>) {
        let mut ends = BTreeSet::new();
        for (id, node) in nodes {
            let log = placed(&node.batches(0));
            assert!(log[..] == self.committed[..], "seed {}: log of {id} is not what was committed", self.seed);
            ends.insert(node.log().map(|log| log.end_offset()));
        }
        assert_eq!(ends.len(), 1, "seed {}", self.seed);
    }
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
