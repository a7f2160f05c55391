//! A consumer: polls the partitions in turn from its positions, from whoever leads, across failovers. One kind follows the end, one begins
//! again and again, and one reads all from the beginning when everything is over.

use std::collections::BTreeSet;
use std::time::Duration;

use broker::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use broker::protocol::messages::fetch_response::{AbortedTransaction, PartitionData};
use broker::protocol::messages::{FetchRequestData, KafkaString};
use broker::protocol::{ErrorCode, Request, Response};
use broker::records;
use broker::records::control::{ControlType, control_type};
use bytes::{Bytes, BytesMut};
use rand::Rng;

use super::client::{Belief, Call, Client, Link};
use super::history::{Anomaly, Kind, Op, Poll, Value};
use super::plan::TOPIC;
use super::world::World;

const PATIENCE: Duration = Duration::from_millis(2_000);
const MAX_WAIT_MS: i32 = 100;

/// What a consumer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Follows the end.
    Tail,
    /// Now and then begins again.
    Again,
    /// Reads everything once.
    Drain,
}

/// `isolation.level`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

/// See the module.
pub(super) struct Consumer {
    me: usize,
    habit: Habit,
    isolation: Isolation,
    /// Next offset of each partition.
    positions: Vec<i64>,
    beliefs: Vec<Belief>,
    /// The high watermark was reached.
    done: Vec<bool>,
    turn: usize,
    call: Option<(Call, Duration)>,
    next_at: Duration,
    names_epoch: bool,
    link: Link,
    finishing: bool,
}

impl Consumer {
    pub(super) fn new(me: usize, habit: Habit, isolation: Isolation, world: &World) -> Consumer {
        let partitions = world.plan.partitions as usize;
        Consumer {
            me,
            habit,
            isolation,
            positions: vec![0; partitions],
            beliefs: vec![Belief::default(); partitions],
            done: vec![false; partitions],
            turn: 0,
            call: None,
            next_at: world.now.mono,
            names_epoch: me.is_multiple_of(2),
            link: Link::default(),
            finishing: false,
        }
    }

    /// Who names no epoch is a client from before followers could be read: from version 11 on, a former leader that came
    /// back with less would answer it as a follower does, and truly say that the offset is out of its range.
    fn version(&self) -> i16 {
        if self.names_epoch { 12 } else { 10 }
    }

    fn request(&self, partition: usize) -> Request {
        let asked = FetchPartition::default()
            .with_partition(partition as i32)
            .with_fetch_offset(self.positions[partition])
            .with_current_leader_epoch(if self.names_epoch { self.beliefs[partition].epoch() } else { -1 })
            .with_last_fetched_epoch(-1)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(if self.habit == Habit::Drain { 1 << 20 } else { 64 << 10 });
        let topic = FetchTopic::default().with_topic(KafkaString::from_static(TOPIC)).with_partitions(vec![asked]);
        let request = FetchRequestData::default()
            .with_replica_id(-1)
            .with_max_wait_ms(if self.habit == Habit::Drain { 0 } else { MAX_WAIT_MS })
            .with_min_bytes(1)
            .with_max_bytes(4 << 20)
            .with_session_epoch(-1)
            .with_isolation_level(i8::from(self.isolation == Isolation::ReadCommitted))
            .with_topics(vec![topic]);
        Request::Fetch(request)
    }

    fn pause(&mut self, world: &mut World) {
        let millis = match self.habit {
            Habit::Drain => 1,
            Habit::Tail => world.rng.random_range(30..250),
            Habit::Again => world.rng.random_range(60..400),
        };
        self.next_at = world.now.mono + Duration::from_millis(millis);
    }

    fn take(&mut self, world: &mut World, partition: usize, data: &PartitionData) {
        let position = self.positions[partition];
        let (records, high_watermark) = (data.records.clone().unwrap_or_default(), data.high_watermark);
        let committed = self.isolation == Isolation::ReadCommitted;
        let aborted = data.aborted_transactions.as_deref().filter(|_| committed).unwrap_or_default();
        let read = match values(&records, position, aborted) {
            Ok(read) => read,
            Err(why) => {
                let what = format!("what was read from partition {partition} at {position} is broken: {why}");
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
                Read::default()
            }
        };
        let is_empty = read.records.is_empty();
        self.positions[partition] = position.max(read.next);
        if let Some((last, _)) = read.records.last() {
            let visible = if committed { data.last_stable_offset.min(high_watermark) } else { high_watermark };
            world.watch.was_read(&mut world.anomalies, partition as u32, *last, visible);
            world.history.ops.push(Op::Poll(Poll {
                process: self.me as u32,
                partition: partition as u32,
                records: read.records,
                committed,
                drain: self.habit == Habit::Drain,
                txn: None,
            }));
        }
        if is_empty && self.habit == Habit::Again && world.rng.random_range(0..40) == 0 {
            self.assign(world, partition);
        }
        self.done[partition] = self.positions[partition] >= high_watermark;
    }

    fn assign(&mut self, world: &mut World, partition: usize) {
        self.positions[partition] = 0;
        world.history.ops.push(Op::Assign { process: self.me as u32, partition: partition as u32 });
    }
}

/// What an answer holds.
#[derive(Default)]
struct Read {
    /// Offsets and values.
    records: Vec<(i64, Value)>,
    /// Behind all batches.
    next: i64,
}

/// Offsets and values from `position` on, without those of these aborted transactions (as Kafka's `CompletedFetch` leaves them out).
fn values(bytes: &Bytes, position: i64, aborted: &[AbortedTransaction]) -> Result<Read, String> {
    let mut read = Read::default();
    let mut ahead: Vec<(i64, i64)> = aborted.iter().map(|txn| (txn.first_offset, txn.producer_id)).collect();
    ahead.sort_unstable_by_key(|ahead| std::cmp::Reverse(*ahead));
    let mut skipped: BTreeSet<i64> = BTreeSet::new();
    for batch in records::batches(bytes) {
        let (header, batch) = batch.map_err(|error| error.to_string())?;
        read.next = header.next_offset();
        while let Some((_, producer_id)) = ahead.pop_if(|(first, _)| *first <= header.last_offset()) {
            skipped.insert(producer_id);
        }
        if header.is_control() {
            let marker = records::records(batch, 1 << 20).map_err(|error| error.to_string())?.next();
            let marker = marker.ok_or("a control batch without a record")?.map_err(|error| error.to_string())?;
            let kind = control_type(marker.key.as_deref().unwrap_or_default()).map_err(|error| error.to_string())?;
            if kind == Some(ControlType::Abort) {
                skipped.remove(&header.producer_id);
            }
            continue;
        }
        if header.is_transactional() && skipped.contains(&header.producer_id) {
            continue;
        }
        for record in records::records(batch, 1 << 20).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let head = record.value.as_deref().and_then(|value| value.first_chunk::<8>().copied());
            let value = head.map(u64::from_be_bytes).ok_or("a record that nobody wrote")?;
            if record.offset >= position {
                read.records.push((record.offset, value));
            }
        }
    }
    Ok(read)
}

impl Client for Consumer {
    fn next_at(&self) -> Duration {
        match &self.call {
            Some((_, deadline)) => *deadline,
            None if self.finishing || (self.habit == Habit::Drain && self.is_idle()) => Duration::MAX,
            None => self.next_at,
        }
    }

    fn act(&mut self, world: &mut World) {
        let now = world.now.mono;
        if let Some((_, deadline)) = &self.call {
            if *deadline > now {
                return;
            }
            self.call = None;
            self.link.hang_up(world);
            self.beliefs[self.turn].doubt();
        }
        self.pause(world);
        self.turn = (self.turn + 1) % self.positions.len();
        if self.done[self.turn] && self.habit == Habit::Drain {
            return;
        }
        let Some(leader) = self.beliefs[self.turn].leader(world, self.turn as u32) else { return };
        let request = self.request(self.turn);
        match self.link.call(world, self.me, leader, &request, self.version()) {
            Some(call) => self.call = Some((call, now + PATIENCE)),
            None => self.beliefs[self.turn].doubt(),
        }
    }

    fn on_answer(&mut self, world: &mut World, conn: u64, seq: u64, frame: BytesMut) {
        let Some((call, _)) = self.call.take_if(|(call, _)| call.conn == conn && call.seq == seq) else { return };
        self.pause(world);
        let Some(Response::Fetch(answer)) = call.answer(world, frame) else { return };
        let Some(data) = answer.responses.first().and_then(|topic| topic.partitions.first()) else { return };
        let partition = self.turn;
        match ErrorCode::from(data.error_code) {
            ErrorCode::None => {
                self.take(world, partition, data);
            }
            ErrorCode::OffsetOutOfRange => {
                if !world.watch.is_lossy(partition as u32) {
                    let what = format!(
                        "consumer {} stood at {} of partition {partition}, which is out of range",
                        self.me, self.positions[partition]
                    );
                    world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
                }
                self.assign(world, partition);
            }
            ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::KafkaStorageError => self.beliefs[partition].doubt(),
            other => {
                let what = format!("consumer {} was told {other:?} by partition {partition}", self.me);
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
            }
        }
    }

    fn on_closed(&mut self, _world: &mut World, conn: u64) {
        self.link.closed(conn);
        if self.call.take_if(|(call, _)| call.conn == conn).is_some() {
            self.beliefs[self.turn].doubt();
        }
    }

    fn finish(&mut self) {
        self.finishing = true;
    }

    fn is_idle(&self) -> bool {
        match self.habit {
            Habit::Drain => self.done.iter().all(|done| *done),
            _ => self.call.is_none(),
        }
    }
}
