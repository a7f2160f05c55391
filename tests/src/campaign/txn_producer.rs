//! A transactional producer: transactions over some partitions, some with an offset of its group, that it commits or aborts. It repeats as
//! Kafka's client does; it dies and comes back, sleeps past its time, and goes on when another has its transactional id already.

mod answers;

use std::collections::VecDeque;
use std::time::Duration;

use broker::protocol::{ErrorCode, Response};
use broker::types::NodeId;
use bytes::BytesMut;
use rand::Rng;
use rand::seq::SliceRandom;

use super::client::{Belief, Call, Client, Link};
use super::committer::reign;
use super::history::{Outcome, Send, Txn, Value};
use super::plan::TxnPlan;
use super::txn_requests::{GROUP, Identity, TRANSACTION, Versioned};
use super::world::World;

const TIMEOUT_MS: i32 = 1_500;
const PATIENCE: Duration = Duration::from_millis(2_500);
/// A transactional id as a process, so that no client's number is the same.
pub(super) const FIRST_PROCESS: u32 = 10_000;

/// What is left to do in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// AddPartitionsToTxn, below version 2.
    Add(u32),
    Produce(u32),
    /// AddOffsetsToTxn, below version 2.
    AddOffsets,
    CommitOffset,
    Sleep(Duration),
    /// Another comes with the same transactional id.
    Successor,
    Crash,
    End,
}

/// What was asked, but for batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Coordinator,
    GroupCoordinator,
    Init(usize),
    /// With how many claims and transactions, and in whose reign.
    Offset {
        claims: usize,
        txns: usize,
        reign: Option<(NodeId, i32)>,
    },
    Task(Task),
}

#[derive(Debug)]
struct Batch {
    op: usize,
    values: Vec<Value>,
    base_sequence: i32,
    call: Option<Call>,
    /// What became of an earlier attempt is not known.
    repeated: bool,
    done: bool,
}

/// The transaction that is open.
#[derive(Debug)]
struct Open {
    /// Its place in the history.
    index: usize,
    began: Duration,
    tasks: VecDeque<Task>,
    commit: bool,
    batches: Vec<Batch>,
    /// Batches and offsets are given up then, and the transaction aborted.
    give_up_at: Duration,
    /// A commit may have been heard of.
    commit_lost: bool,
    /// Dies right after it asked for the end.
    dies_at_end: bool,
}

/// See the module.
pub(super) struct TxnProducer {
    me: usize,
    process: u32,
    plan: TxnPlan,
    identity: Identity,
    /// The claim that gave it its producer; `None`: it has none.
    claim: Option<usize>,
    /// It has read its group's offset since.
    informed: bool,
    coordinator: Option<NodeId>,
    group_coordinator: Option<NodeId>,
    sequences: Vec<i32>,
    /// The next epoch is asked for before the next transaction.
    bumps: bool,
    open: Option<Open>,
    call: Option<(Call, Asked)>,
    deadline: Duration,
    sent: Duration,
    /// Whose answer is being looked at.
    answered_by: Option<NodeId>,
    next_at: Duration,
    next_value: Value,
    beliefs: Vec<Belief>,
    links: [Link; 3],
    finishing: bool,
    /// Another has its transactional id.
    retired: bool,
    done: bool,
}

/// Which link.
const DATA: usize = 0;
const COORDINATOR: usize = 1;
const OFFSETS: usize = 2;

impl TxnProducer {
    pub(super) fn new(me: usize, number: u32, plan: TxnPlan, world: &World) -> TxnProducer {
        let partitions = world.plan.partitions as usize;
        TxnProducer {
            me,
            process: FIRST_PROCESS + number,
            plan,
            identity: Identity { id: format!("txn-{number}"), producer: (-1, -1), is_v2: plan.is_v2 },
            claim: None,
            informed: false,
            coordinator: None,
            group_coordinator: None,
            sequences: vec![0; partitions],
            bumps: false,
            open: None,
            call: None,
            deadline: Duration::MAX,
            sent: Duration::ZERO,
            answered_by: None,
            next_at: world.now.mono,
            next_value: (me as Value + 1) << 32,
            beliefs: vec![Belief::default(); partitions],
            links: Default::default(),
            finishing: false,
            retired: false,
            done: false,
        }
    }

    /// One that only claims the transactional id, and reads its group's offset.
    pub(super) fn inspector(me: usize, number: u32, plan: TxnPlan, world: &World) -> TxnProducer {
        TxnProducer { finishing: true, ..TxnProducer::new(me, number, plan, world) }
    }

    fn waits(&self) -> bool {
        self.call.is_some() || self.batches().iter().any(|batch| batch.call.is_some())
    }

    fn batches(&self) -> &[Batch] {
        self.open.as_ref().map_or(&[], |open| &open.batches)
    }

    fn later(&mut self, world: &mut World, least: u64, most: u64) {
        self.next_at = world.now.mono + Duration::from_millis(world.rng.random_range(least..=most));
    }

    fn retry(&mut self, world: &mut World) {
        self.later(world, 20, 100);
    }

    fn ask(&mut self, world: &mut World, link: usize, node: NodeId, (request, version): Versioned, asked: Asked) {
        let now = world.now.mono;
        match self.links[link].call(world, self.me, node, &request, version) {
            Some(call) => {
                self.call = Some((call, asked));
                (self.deadline, self.sent) = (now + PATIENCE, now);
            }
            None => {
                match link {
                    COORDINATOR => self.coordinator = None,
                    _ => self.group_coordinator = None,
                }
                self.retry(world);
            }
        }
    }

    /// Asks the coordinator, or first where it is.
    fn ask_coordinator(&mut self, world: &mut World, request: Versioned, asked: Asked) {
        match self.coordinator {
            Some(node) => self.ask(world, COORDINATOR, node, request, asked),
            None => self.find(world, TRANSACTION),
        }
    }

    fn find(&mut self, world: &mut World, key_type: i8) {
        let node = world.rng.random_range(1..=world.plan.brokers);
        let (link, asked) = match key_type {
            TRANSACTION => (COORDINATOR, Asked::Coordinator),
            _ => (OFFSETS, Asked::GroupCoordinator),
        };
        self.ask(world, link, node, self.identity.find(key_type), asked);
    }

    fn claim_id(&mut self, world: &mut World) {
        let expected = std::mem::take(&mut self.bumps).then_some(self.identity.producer);
        let request = self.identity.init(self.plan.timeout_ms, expected);
        if self.coordinator.is_none() {
            self.bumps = expected.is_some();
            return self.find(world, TRANSACTION);
        }
        let claim = world.fences.claimed(self.process, world.now.mono);
        self.ask_coordinator(world, request, Asked::Init(claim));
    }

    fn ask_offset(&mut self, world: &mut World) {
        let Some(node) = self.group_coordinator else { return self.find(world, GROUP) };
        let (claims, txns) = (world.fences.count(self.process), self.begun(world));
        let asked = Asked::Offset { claims, txns, reign: reign(world) };
        self.ask(world, OFFSETS, node, self.identity.fetch_offset(), asked);
    }

    fn begun(&self, world: &World) -> usize {
        world.history.txns.iter().filter(|txn| txn.process == self.process).count()
    }

    fn begin(&mut self, world: &mut World) {
        let mut partitions: Vec<u32> = (0..world.plan.partitions).collect();
        partitions.shuffle(&mut world.rng);
        partitions.truncate(world.rng.random_range(1..=partitions.len()));
        let mut tasks = Vec::new();
        for partition in partitions {
            if !self.plan.is_v2 {
                tasks.push(Task::Add(partition));
            }
            tasks.extend(std::iter::repeat_n(Task::Produce(partition), world.rng.random_range(1..=2)));
        }
        let has_offset = world.rng.random_bool(0.35);
        if has_offset {
            if !self.plan.is_v2 {
                tasks.push(Task::AddOffsets);
            }
            tasks.push(Task::CommitOffset);
        }
        tasks.push(Task::End);
        let at = world.rng.random_range(0..tasks.len());
        let past = Duration::from_millis(self.plan.timeout_ms as u64 + world.rng.random_range(0..3000));
        let mut dies_at_end = false;
        match world.rng.random_range(0..100) {
            0..8 => tasks.insert(at, Task::Crash),
            8..14 => dies_at_end = true,
            14..22 => {
                let nap = Duration::from_millis(world.rng.random_range(0..600));
                tasks.insert(at, Task::Sleep(nap));
                tasks.insert(at, Task::Successor);
            }
            22..26 => tasks.insert(at, Task::Sleep(past)),
            _ => {}
        }
        let index = world.history.txns.len();
        let offset = has_offset.then_some(index as i64);
        world.history.txns.push(Txn { process: self.process, outcome: Outcome::Fail, offset });
        let now = world.now.mono;
        self.open = Some(Open {
            index,
            began: now,
            tasks: tasks.into(),
            commit: world.rng.random_bool(0.7),
            batches: Vec::new(),
            give_up_at: now + Duration::from_millis(world.rng.random_range(3_000..9_000)),
            commit_lost: false,
            dies_at_end,
        });
    }

    fn task_done(&mut self, world: &mut World) {
        if let Some(open) = &mut self.open {
            open.tasks.pop_front();
            open.batches.clear();
        }
        let (least, most) = self.plan.think_ms;
        self.later(world, least, most);
    }

    /// The transaction cannot be committed any more.
    fn abort(&mut self, world: &mut World) {
        self.links[DATA].hang_up(world);
        if let Some(open) = &mut self.open {
            open.commit = false;
            open.tasks = VecDeque::from([Task::End]);
            open.batches.clear();
        }
        self.bumps = !self.plan.is_v2;
        self.retry(world);
    }

    /// Its memory is gone, and what it asked for may happen.
    fn die(&mut self, world: &mut World) {
        self.links.iter_mut().for_each(|link| link.hang_up(world));
        (self.call, self.open, self.claim, self.informed, self.bumps) = (None, None, None, false, false);
        self.done = self.finishing || self.retired;
        self.later(world, 0, 1500);
    }

    fn next_task(&mut self, world: &mut World) {
        let now = world.now.mono;
        let Some(open) = &mut self.open else { return };
        let Some(&task) = open.tasks.front() else { return };
        let gives_up = open.give_up_at <= now && matches!(task, Task::Produce(_) | Task::CommitOffset);
        if gives_up {
            return self.abort(world);
        }
        match task {
            Task::Sleep(time) => {
                open.tasks.pop_front();
                self.next_at = now + time;
            }
            Task::Crash => self.die(world),
            Task::Successor => {
                open.tasks.pop_front();
                if !self.finishing && !self.retired {
                    self.retired = true;
                    let (me, number) = (world.client_count(), self.process - FIRST_PROCESS);
                    world.say(|| format!("process {}: client {me} comes after {}", self.process, self.me));
                    let next = TxnProducer::new(me, number, self.plan, world);
                    world.enroll(Box::new(next));
                }
            }
            Task::Produce(partition) => self.produce(world, partition),
            Task::Add(partition) => self.ask_coordinator(world, self.identity.add(partition), Asked::Task(task)),
            Task::AddOffsets => self.ask_coordinator(world, self.identity.add_offsets(), Asked::Task(task)),
            Task::CommitOffset => {
                let offset = open.index as i64;
                let Some(node) = self.group_coordinator else { return self.find(world, GROUP) };
                self.ask(world, OFFSETS, node, self.identity.commit_offset(offset), Asked::Task(task));
            }
            Task::End => self.end(world),
        }
    }

    fn end(&mut self, world: &mut World) {
        let Some(open) = &self.open else { return };
        let (index, commit, dies) = (open.index, open.commit, open.dies_at_end);
        if self.coordinator.is_some() && commit {
            world.history.txns[index].outcome = Outcome::Info;
        }
        self.ask_coordinator(world, self.identity.end(commit), Asked::Task(Task::End));
        if dies && matches!(self.call, Some((_, Asked::Task(Task::End)))) {
            self.deadline = world.now.mono + Duration::from_millis(world.rng.random_range(0..30));
        }
    }

    /// Sends all batches of this task that are not acknowledged, one behind the other.
    fn produce(&mut self, world: &mut World, partition: u32) {
        let Some(open) = &mut self.open else { return };
        if open.batches.is_empty() {
            for _ in 0..world.rng.random_range(1..=self.plan.in_flight) {
                let count = world.rng.random_range(1..=4u64);
                let values: Vec<Value> = (0..count).map(|index| self.next_value + index).collect();
                self.next_value += count;
                let op = world.history.began(Send {
                    process: self.process,
                    partition,
                    values: values.clone(),
                    acks: -1,
                    outcome: Outcome::Info,
                    txn: Some(open.index as u32),
                });
                let sequence = &mut self.sequences[partition as usize];
                let base_sequence = *sequence;
                *sequence += count as i32;
                open.batches.push(Batch { op, values, base_sequence, call: None, repeated: false, done: false });
            }
        }
        let Some(leader) = self.beliefs[partition as usize].leader(world, partition) else { return self.retry(world) };
        let (wall_ms, now) = (world.now.wall_ms, world.now.mono);
        for batch in open.batches.iter_mut().filter(|batch| !batch.done) {
            let records = self.identity.records(batch.base_sequence, &batch.values, wall_ms);
            let (request, version) = self.identity.produce(partition, records, TIMEOUT_MS);
            batch.call = self.links[DATA].call(world, self.me, leader, &request, version);
            if batch.call.is_none() {
                self.beliefs[partition as usize].doubt();
                break;
            }
        }
        (self.deadline, self.sent) = (now + PATIENCE, now);
        if !self.waits() {
            self.retry(world);
        }
    }

    /// Nothing that is under way will be answered.
    fn lost(&mut self, world: &mut World) {
        let mut lost_batch = false;
        if let Some(open) = &mut self.open {
            for batch in &mut open.batches {
                let lost = batch.call.take().is_some();
                batch.repeated |= lost;
                lost_batch |= lost;
            }
        }
        if lost_batch {
            self.beliefs.iter_mut().for_each(Belief::doubt);
        }
        if let Some((_, asked)) = self.call.take() {
            match asked {
                Asked::GroupCoordinator | Asked::Offset { .. } | Asked::Task(Task::CommitOffset) => {
                    self.group_coordinator = None;
                }
                _ => self.coordinator = None,
            }
            if let (Asked::Task(Task::End), Some(open)) = (asked, &mut self.open) {
                open.commit_lost |= open.commit;
                if open.dies_at_end {
                    return self.die(world);
                }
            }
        }
        self.retry(world);
    }
}

impl Client for TxnProducer {
    fn next_at(&self) -> Duration {
        match self.done {
            true => Duration::MAX,
            false if self.waits() => self.deadline,
            false => self.next_at,
        }
    }

    fn act(&mut self, world: &mut World) {
        let now = world.now.mono;
        if self.waits() {
            if self.deadline > now {
                return;
            }
            self.links.iter_mut().for_each(|link| link.hang_up(world));
            return self.lost(world);
        }
        if self.next_at > now || self.done {
            return;
        }
        if self.finishing && self.plan.abandons && self.open.is_some() {
            return self.die(world);
        }
        if self.claim.is_none() {
            self.claim_id(world);
        } else if !self.informed {
            self.ask_offset(world);
        } else if self.open.is_some() {
            self.next_task(world);
        } else if self.finishing || self.retired {
            self.done = true;
        } else {
            self.begin(world);
        }
    }

    fn on_answer(&mut self, world: &mut World, conn: u64, seq: u64, frame: BytesMut) {
        let is_this = |call: &Call| call.conn == conn && call.seq == seq;
        self.answered_by = self.links.iter().find_map(|link| link.node(conn));
        if let Some((call, asked)) = self.call.take_if(|(call, _)| is_this(call)) {
            self.next_at = world.now.mono;
            match call.answer(world, frame) {
                Some(response) => self.on_response(world, asked, response),
                None => self.retry(world),
            }
            return;
        }
        let Some(open) = &mut self.open else { return };
        let Some(index) = open.batches.iter().position(|batch| batch.call.as_ref().is_some_and(is_this)) else {
            return;
        };
        let Some(call) = open.batches[index].call.take() else { return };
        if let Some(Response::Produce(answer)) = call.answer(world, frame)
            && let Some(partition) = answer.responses.first().and_then(|topic| topic.partition_responses.first())
        {
            self.on_produced(world, index, ErrorCode::from(partition.error_code), partition.base_offset);
        }
    }

    fn on_closed(&mut self, world: &mut World, conn: u64) {
        self.links.iter_mut().for_each(|link| link.closed(conn));
        let is_its = |call: &Call| call.conn == conn;
        let mine = self.call.as_ref().is_some_and(|(call, _)| is_its(call))
            || self.batches().iter().any(|batch| batch.call.as_ref().is_some_and(is_its));
        if mine {
            self.lost(world);
        }
    }

    fn finish(&mut self) {
        self.finishing = true;
    }

    fn is_idle(&self) -> bool {
        self.done
    }
}
