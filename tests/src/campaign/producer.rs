//! A producer: batches of unique values to one partition. Idempotent ones keep up to five in flight and repeat until they know; the others
//! send once.

use std::collections::VecDeque;
use std::time::Duration;

use broker::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use broker::protocol::messages::{InitProducerIdRequestData, KafkaString, ProduceRequestData};
use broker::protocol::{ErrorCode, Request, Response};
use broker::records::{BatchBuilder, Compression};
use broker::types::NodeId;
use bytes::{Bytes, BytesMut};
use rand::Rng;

use super::client::{Belief, Call, Client, Link};
use super::history::{Anomaly, Kind, Outcome, Send, Value};
use super::plan::{ProducerPlan, TOPIC};
use super::sequences::{Excuse, Refused, excuse};
use super::world::World;

const TIMEOUT_MS: i32 = 1_500;
const PATIENCE: Duration = Duration::from_millis(2_500);
const PADDING: [u8; 192] = [b'.'; 192];

struct Batch {
    /// Its place in the history.
    op: usize,
    values: Vec<Value>,
    base_sequence: i32,
    began: Duration,
    call: Option<(Call, Duration)>,
    /// Its acknowledgement is under way.
    settled: bool,
    /// It was refused as out of order, and why that was right.
    excuse: Option<Result<Excuse, String>>,
}

/// See the module.
pub(super) struct Producer {
    me: usize,
    partition: u32,
    plan: ProducerPlan,
    id: Option<(i64, i16)>,
    asking: Option<(Call, Duration)>,
    /// Brokers are asked for an id in turn.
    asked: NodeId,
    next_sequence: i32,
    /// Offset of the last record under this id that was acknowledged; `None`: none, or it was not told.
    last_acknowledged: Option<i64>,
    window: VecDeque<Batch>,
    /// Something failed: nothing is sent until nothing is in flight, then all is sent again in order.
    stalled: bool,
    next_value: Value,
    next_batch: Duration,
    retry_at: Duration,
    belief: Belief,
    link: Link,
    finishing: bool,
}

impl Producer {
    pub(super) fn new(me: usize, partition: u32, plan: ProducerPlan, now: Duration) -> Producer {
        Producer {
            me,
            partition,
            plan,
            id: None,
            asking: None,
            asked: me as NodeId,
            next_sequence: 0,
            last_acknowledged: None,
            window: VecDeque::new(),
            stalled: false,
            next_value: (me as Value + 1) << 32,
            next_batch: now,
            retry_at: now,
            belief: Belief::default(),
            link: Link::default(),
            finishing: false,
        }
    }

    fn needs_id(&self) -> bool {
        self.plan.idempotent && self.id.is_none()
    }

    fn in_flight(&self) -> bool {
        self.window.iter().any(|batch| batch.call.is_some())
    }

    fn ask_for_id(&mut self, world: &mut World) {
        let now = world.now.mono;
        if let Some((_, deadline)) = &self.asking {
            if *deadline > now {
                return;
            }
            self.asking = None;
            self.link.hang_up(world);
        }
        self.asked += 1;
        let node = self.asked % world.plan.brokers + 1;
        let request = Request::InitProducerId(InitProducerIdRequestData::default().with_transaction_timeout_ms(60_000));
        let call = self.link.call(world, self.me, node, &request, 4);
        self.asking = call.map(|call| (call, now + PATIENCE));
        self.retry_at = now + Duration::from_millis(60);
    }

    /// All that is in flight is lost: unknown, or to be repeated.
    fn lose_calls(&mut self, world: &mut World) {
        let mut lost = false;
        for batch in &mut self.window {
            lost |= batch.call.take().is_some();
            batch.settled = false;
        }
        self.belief.doubt();
        if lost {
            self.after_failure(world);
        }
    }

    fn after_failure(&mut self, world: &mut World) {
        if !self.plan.idempotent {
            // What is not in flight has ended; its outcome is "info" unless it was told otherwise.
            self.window.retain(|batch| batch.call.is_some());
        }
        self.stalled = !self.window.is_empty();
        self.retry_at = world.now.mono + Duration::from_millis(world.rng.random_range(20..100));
    }

    fn records(&self, world: &mut World, batch: &Batch) -> Bytes {
        let mut builder = BatchBuilder::new(0, Compression::None);
        if let Some((id, epoch)) = self.id {
            builder = builder.producer(id, epoch, batch.base_sequence);
        }
        let wall_ms = world.now.wall_ms;
        for value in &batch.values {
            let mut bytes = [0; 200];
            bytes[..8].copy_from_slice(&value.to_be_bytes());
            bytes[8..].copy_from_slice(&PADDING);
            // The length follows from the value, so that a repeated batch is the same batch.
            let length = 8 + (value.wrapping_mul(0x9e37_79b9) >> 16) as usize % PADDING.len();
            builder.push(wall_ms, None, Some(&bytes[..length]), &[]);
        }
        builder.build()
    }

    /// Sends a batch of the window; false if nobody could be asked.
    fn send(&mut self, world: &mut World, index: usize) -> bool {
        let Some(leader) = self.belief.leader(world, self.partition) else { return false };
        let records = self.records(world, &self.window[index]);
        let data = PartitionProduceData::default().with_index(self.partition as i32).with_records(Some(records));
        let topic =
            TopicProduceData::default().with_name(KafkaString::from_static(TOPIC)).with_partition_data(vec![data]);
        let request = ProduceRequestData::default()
            .with_acks(self.plan.acks)
            .with_timeout_ms(TIMEOUT_MS)
            .with_topic_data(vec![topic]);
        let Some(call) = self.link.call(world, self.me, leader, &Request::Produce(request), 9) else {
            self.belief.doubt();
            return false;
        };
        if self.plan.acks == 0 {
            self.window.remove(index);
        } else {
            (self.window[index].settled, self.window[index].excuse) = (false, None);
            self.window[index].call = Some((call, world.now.mono + PATIENCE));
        }
        true
    }

    fn begin_batch(&mut self, world: &mut World) {
        let count = world.rng.random_range(1..=self.plan.batch);
        let values: Vec<Value> = (0..count as Value).map(|index| self.next_value + index).collect();
        self.next_value += count as Value;
        let op = world.history.began(Send {
            process: self.me as u32,
            partition: self.partition,
            values: values.clone(),
            acks: self.plan.acks,
            outcome: Outcome::Info,
            txn: None,
        });
        let base_sequence = self.next_sequence;
        self.next_sequence += count as i32;
        let began = world.now.mono;
        self.window.push_back(Batch { op, values, base_sequence, began, call: None, settled: false, excuse: None });
        let index = self.window.len() - 1;
        if !self.send(world, index) {
            if !self.plan.idempotent {
                world.history.ended(op, Outcome::Fail);
                self.window.pop_back();
            }
            self.after_failure(world);
        }
    }

    fn ended(&mut self, world: &mut World, index: usize, outcome: Outcome) {
        if let Some(batch) = self.window.remove(index) {
            world.history.ended(batch.op, outcome);
        }
    }

    fn on_produced(&mut self, world: &mut World, index: usize, code: ErrorCode, base_offset: i64) {
        if code != ErrorCode::None {
            let (me, partition, sequence) = (self.me, self.partition, self.window[index].base_sequence);
            world
                .say(|| format!("producer {me}, partition {partition}, batch {index} (sequence {sequence}): {code:?}"));
        }
        match code {
            ErrorCode::None | ErrorCode::DuplicateSequenceNumber => {
                let offset = (code == ErrorCode::None && base_offset >= 0).then_some(base_offset);
                let (count, began) = (self.window[index].values.len() as i64, self.window[index].began);
                let (partition, acks) = (self.partition, self.plan.acks);
                self.last_acknowledged = offset.map(|base| base + count - 1);
                world.watch.acknowledged(&mut world.anomalies, partition, offset, count, acks, began);
                self.ended(world, index, Outcome::Ok(offset));
            }
            ErrorCode::NotEnoughReplicas => {
                world.watch.refused += 1;
                if !self.plan.idempotent {
                    self.ended(world, index, Outcome::Fail);
                }
                self.after_failure(world);
            }
            ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::RequestTimedOut
            | ErrorCode::KafkaStorageError => {
                self.belief.doubt();
                self.after_failure(world);
            }
            // Behind a batch that failed, that is to be expected; at the front it means that the log forgot what it acknowledged.
            ErrorCode::OutOfOrderSequenceNumber if index > 0 => self.after_failure(world),
            ErrorCode::OutOfOrderSequenceNumber => self.sequence_lost(world),
            other => {
                let what = format!("producer {} was told {other:?} by partition {}", self.me, self.partition);
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
                self.after_failure(world);
            }
        }
    }

    /// Looks at an answer when it leaves the broker.
    fn judge(&mut self, world: &World, node: NodeId, index: usize, code: ErrorCode) {
        self.window[index].settled = code == ErrorCode::None;
        // Behind a batch that is not settled it is to be expected.
        let first = self.window.iter().take(index).all(|earlier| earlier.settled);
        let (Some(producer), true, ErrorCode::OutOfOrderSequenceNumber) = (self.id, first, code) else { return };
        let id = world.watch.id(self.partition);
        let Some(log) = id.and_then(|id| world.broker(node)?.replicas.log(&id)) else { return };
        let batch = &mut self.window[index];
        let last_sequence = batch.base_sequence + batch.values.len() as i32 - 1;
        let refused = Refused { producer, first_sequence: batch.base_sequence, last_sequence };
        let lossy = match self.last_acknowledged {
            Some(offset) => world.watch.may_have_lost(self.partition, offset),
            None => world.watch.is_lossy(self.partition),
        };
        batch.excuse = Some(excuse(log, refused, lossy));
    }

    /// Nothing of this producer's can be repeated safely: it goes on under a new id.
    fn sequence_lost(&mut self, world: &mut World) {
        let excuse = self.window.front_mut().and_then(|batch| batch.excuse.take());
        match excuse {
            Some(Ok(excuse)) => world.say(|| format!("producer {}: out of order, rightly: {excuse:?}", self.me)),
            refused => {
                let known =
                    refused.and_then(Result::err).unwrap_or_else(|| "what came before it was not settled".into());
                let what = format!(
                    "producer {} (id {:?}) was told that sequence {} of partition {} is out of order, and all before it was acknowledged: {known}",
                    self.me,
                    self.id,
                    self.window.front().map_or(-1, |batch| batch.base_sequence),
                    self.partition
                );
                world.anomalies.push(Anomaly::new(Kind::SequenceLost, what));
            }
        }
        self.link.hang_up(world);
        self.window.clear();
        (self.id, self.next_sequence, self.stalled, self.last_acknowledged) = (None, 0, false, None);
    }
}

impl Client for Producer {
    fn next_at(&self) -> Duration {
        if self.needs_id() && !(self.finishing && self.window.is_empty()) {
            return self.asking.as_ref().map_or(self.retry_at, |(_, deadline)| *deadline);
        }
        let deadline = self.window.iter().filter_map(|batch| batch.call.as_ref().map(|(_, deadline)| *deadline)).min();
        let resend = (self.stalled && deadline.is_none()).then_some(self.retry_at);
        let room = !self.finishing && !self.stalled && self.window.len() < self.plan.in_flight;
        let begin = room.then_some(self.next_batch.max(self.retry_at));
        [deadline, resend, begin].into_iter().flatten().min().unwrap_or(Duration::MAX)
    }

    fn act(&mut self, world: &mut World) {
        let now = world.now.mono;
        if self.needs_id() {
            return self.ask_for_id(world);
        }
        let late = |batch: &Batch| batch.call.as_ref().is_some_and(|(_, deadline)| *deadline <= now);
        if self.window.iter().any(late) {
            self.link.hang_up(world);
            return self.lose_calls(world);
        }
        if self.stalled && !self.in_flight() && self.retry_at <= now {
            self.stalled = false;
            for index in 0..self.window.len() {
                if !self.send(world, index) {
                    return self.after_failure(world);
                }
            }
        }
        let due = self.next_batch.max(self.retry_at) <= now;
        if due && !self.finishing && !self.stalled && self.window.len() < self.plan.in_flight {
            let (least, most) = self.plan.think_ms;
            self.next_batch = now + Duration::from_micros(world.rng.random_range(least * 1000..=most * 1000));
            self.begin_batch(world);
        }
    }

    fn on_answer(&mut self, world: &mut World, conn: u64, seq: u64, frame: BytesMut) {
        let is_this = |call: &Call| call.conn == conn && call.seq == seq;
        if let Some((call, _)) = self.asking.take_if(|(call, _)| is_this(call)) {
            if let Some(Response::InitProducerId(answer)) = call.answer(world, frame)
                && answer.error_code == 0
            {
                self.id = Some((answer.producer_id, answer.producer_epoch));
            }
            return;
        }
        let matches = |batch: &Batch| batch.call.as_ref().is_some_and(|(call, _)| is_this(call));
        let Some(index) = self.window.iter().position(matches) else { return };
        let Some((call, _)) = self.window[index].call.take() else { return };
        let Some(Response::Produce(answer)) = call.answer(world, frame) else { return self.after_failure(world) };
        let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
        if let Some(partition) = partition {
            self.on_produced(world, index, ErrorCode::from(partition.error_code), partition.base_offset);
        }
    }

    fn on_answer_leaving(&mut self, world: &mut World, conn: u64, seq: u64, frame: &BytesMut) {
        let is_this = |batch: &Batch| batch.call.as_ref().is_some_and(|(call, _)| call.conn == conn && call.seq == seq);
        let Some(index) = self.window.iter().position(is_this).filter(|_| self.plan.idempotent) else { return };
        let Some(node) = self.link.node(conn) else { return };
        let answer = self.window[index].call.as_ref().and_then(|(call, _)| call.peek(frame).ok());
        if let Some(Response::Produce(answer)) = answer {
            let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
            let code =
                partition.map_or(ErrorCode::UnknownServerError, |partition| ErrorCode::from(partition.error_code));
            self.judge(world, node, index, code);
        }
    }

    fn on_closed(&mut self, world: &mut World, conn: u64) {
        self.link.closed(conn);
        self.asking.take_if(|(call, _)| call.conn == conn);
        self.belief.doubt();
        self.lose_calls(world);
    }

    fn finish(&mut self) {
        self.finishing = true;
    }

    fn is_idle(&self) -> bool {
        self.window.is_empty()
    }
}
