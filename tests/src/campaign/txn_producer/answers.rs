//! What a transactional producer makes of the answers that it is given: what it goes on with, what it repeats, what it gives up, and what
//! nobody may have told it.

use std::time::Duration;

use broker::protocol::{ErrorCode, Response};

use super::{Asked, Task, TxnProducer};
use crate::campaign::committer::reign;
use crate::campaign::history::{Anomaly, Kind, OffsetRead, Outcome};
use crate::campaign::world::World;

impl TxnProducer {
    fn fenced(&mut self, world: &mut World, what: &str) {
        let now = world.now.mono;
        let timeout = Duration::from_millis(self.plan.timeout_ms as u64);
        let is_late = self.open.as_ref().is_some_and(|open| now >= open.began + timeout);
        let is_claimed = self.claim.is_none_or(|claim| world.fences.may_be_fenced(claim, now));
        // Who is deposed and cannot hear of it judges by what it knew, as Kafka's brokers do: nothing that it says is written.
        let is_deposed = self.answered_by.is_some_and(|node| world.is_deposed(node));
        if !is_late && !is_claimed && !is_deposed {
            let what = format!("process {} ({:?}) was fenced at {what}", self.process, self.identity.producer);
            world.anomalies.push(Anomaly::new(Kind::FencedForNothing, what));
        }
        let (process, producer) = (self.process, self.identity.producer);
        world.say(|| format!("process {process}, client {}: {producer:?} is fenced ({what})", self.me));
        if let Some(open) = &self.open
            && !open.commit_lost
        {
            world.history.txns[open.index].outcome = Outcome::Fail;
        }
        self.die(world);
    }

    fn acknowledged(&self, world: &mut World, what: &str) {
        if let Err(anomaly) = world.fences.acknowledged(self.process, self.identity.producer, self.sent, what) {
            world.anomalies.push(anomaly);
        }
    }

    pub(super) fn on_produced(&mut self, world: &mut World, index: usize, code: ErrorCode, base_offset: i64) {
        let Some(open) = &mut self.open else { return };
        let Some(&Task::Produce(partition)) = open.tasks.front() else { return };
        let is_first = open.batches[..index].iter().all(|earlier| earlier.done);
        let batch = &mut open.batches[index];
        let (op, count, repeated) = (batch.op, batch.values.len() as i64, batch.repeated);
        if code != ErrorCode::None {
            let process = self.process;
            world.say(|| format!("process {process}, partition {partition}, batch {index}: {code:?}"));
        }
        match code {
            ErrorCode::None | ErrorCode::DuplicateSequenceNumber => {
                batch.done = true;
                let offset = (code == ErrorCode::None && base_offset >= 0).then_some(base_offset);
                world.watch.acknowledged(&mut world.anomalies, partition, offset, count, -1, self.sent);
                world.history.ended(op, Outcome::Ok(offset));
                let is_whole = open.batches.iter().all(|batch| batch.done);
                self.acknowledged(world, "a batch");
                if is_whole {
                    self.task_done(world);
                } else {
                    self.retry(world);
                }
            }
            ErrorCode::InvalidProducerEpoch | ErrorCode::ProducerFenced | ErrorCode::InvalidProducerIdMapping => {
                if !repeated {
                    world.history.ended(op, Outcome::Fail);
                }
                self.fenced(world, &format!("a batch: {code:?}"));
            }
            // The log may know no more than the last batch of what was repeated.
            ErrorCode::TransactionAbortable | ErrorCode::InvalidTxnState => self.abort(world),
            ErrorCode::OutOfOrderSequenceNumber if is_first && repeated && self.plan.in_flight > 1 => self.abort(world),
            ErrorCode::OutOfOrderSequenceNumber if is_first => {
                let what = format!("process {} was told {code:?} by partition {partition}", self.process);
                world.anomalies.push(Anomaly::new(Kind::SequenceLost, what));
                self.abort(world);
            }
            code if is_retriable(code) || code == ErrorCode::OutOfOrderSequenceNumber => {
                batch.repeated |= code != ErrorCode::NotEnoughReplicas;
                world.watch.refused += u64::from(code == ErrorCode::NotEnoughReplicas);
                self.beliefs[partition as usize].doubt();
                self.retry(world);
            }
            other => {
                self.unexpected(world, other, &format!("partition {partition}"));
                self.abort(world);
            }
        }
    }

    fn unexpected(&self, world: &mut World, code: ErrorCode, by: &str) {
        let what = format!("process {} was told {code:?} by {by}", self.process);
        world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
    }

    /// Forgets where the coordinator is if it says that it is none; the code that is left to be looked at.
    fn on_code(&mut self, world: &mut World, asked: Asked, code: ErrorCode) {
        let task = match asked {
            Asked::Task(task) => format!("{task:?}"),
            other => format!("{other:?}"),
        };
        if code != ErrorCode::None {
            let process = self.process;
            world.say(|| format!("process {process}, {task}: {code:?}"));
        }
        match code {
            ErrorCode::None => {}
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
                match asked {
                    Asked::Offset { .. } | Asked::Task(Task::CommitOffset) => self.group_coordinator = None,
                    _ => self.coordinator = None,
                }
                // What is being written may yet be committed.
                if let (Asked::Task(Task::End), Some(open)) = (asked, &mut self.open) {
                    open.commit_lost |= open.commit;
                }
                self.retry(world);
            }
            code if is_retriable(code) || code == ErrorCode::UnstableOffsetCommit => self.retry(world),
            ErrorCode::ProducerFenced | ErrorCode::InvalidProducerEpoch | ErrorCode::InvalidProducerIdMapping => {
                self.fenced(world, &format!("{task}: {code:?}"));
            }
            // It was aborted meanwhile, and its commit came again.
            ErrorCode::InvalidTxnState if asked == Asked::Task(Task::End) => self.fenced(world, "its end"),
            ErrorCode::TransactionAbortable | ErrorCode::InvalidTxnState => self.abort(world),
            other => {
                self.unexpected(world, other, &task);
                self.die(world);
            }
        }
    }

    fn on_ended(&mut self, world: &mut World, given: (i64, i16)) {
        self.acknowledged(world, "the end of a transaction");
        let Some(open) = self.open.take() else { return };
        let outcome = if open.commit { Outcome::Ok(None) } else { Outcome::Fail };
        world.history.txns[open.index].outcome = outcome;
        if self.plan.is_v2 {
            self.sequences.fill(0);
            if given.0 >= 0 {
                self.identity.producer = given;
            } else {
                let what = format!("process {} was given no epoch for its next transaction", self.process);
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
            }
        }
        if self.bumps {
            self.claim = None;
        }
        let (least, most) = self.plan.pause_ms;
        self.later(world, least, most);
    }

    pub(super) fn on_response(&mut self, world: &mut World, asked: Asked, response: Response) {
        match (asked, response) {
            (Asked::Coordinator | Asked::GroupCoordinator, Response::FindCoordinator(answer)) => {
                let found = answer.coordinators.first().filter(|found| found.error_code == 0);
                let node = found.map(|found| found.node_id);
                match asked {
                    Asked::Coordinator => self.coordinator = node,
                    _ => self.group_coordinator = node,
                }
                if node.is_none() {
                    self.retry(world);
                }
            }
            (Asked::Init(claim), Response::InitProducerId(answer)) => match ErrorCode::from(answer.error_code) {
                ErrorCode::None => {
                    let producer = (answer.producer_id, answer.producer_epoch);
                    if let Err(anomaly) = world.fences.granted(claim, world.now.mono, producer) {
                        world.anomalies.push(anomaly);
                    }
                    world.say(|| format!("process {}, client {}: is {producer:?}", self.process, self.me));
                    self.identity.producer = producer;
                    self.claim = Some(claim);
                    self.informed = false;
                    self.sequences.fill(0);
                }
                code => {
                    if matches!(code, ErrorCode::ConcurrentTransactions | ErrorCode::CoordinatorLoadInProgress) {
                        world.fences.refused(claim, world.now.mono);
                    }
                    self.on_code(world, asked, code);
                }
            },
            (Asked::Offset { claims, txns, reign: then }, Response::OffsetFetch(answer)) => {
                let group = answer.groups.first();
                let partition = group.and_then(|group| group.topics.first()?.partitions.first());
                let codes = [group.map(|group| group.error_code), partition.map(|partition| partition.error_code)];
                if let Some(code) = codes.into_iter().flatten().find(|code| *code != 0) {
                    return self.on_code(world, asked, ErrorCode::from(code));
                }
                self.informed = true;
                // Who was replaced meanwhile may tell old things, and another may have come.
                let by_leader = then == reign(world) && then.map(|(node, _)| node) == self.group_coordinator;
                let is_alone = claims == world.fences.count(self.process) && txns == self.begun(world);
                let is_owner = self.claim.is_some_and(|claim| !world.fences.may_be_fenced(claim, world.now.mono));
                if let Some(partition) = partition.filter(|_| by_leader && is_alone && is_owner) {
                    let (process, after) = (self.process, world.history.txns.len());
                    let offset = partition.committed_offset;
                    world.history.offsets.push(OffsetRead { process, after, offset });
                }
            }
            (Asked::Task(_), Response::AddPartitionsToTxn(answer)) => {
                let topic = answer.results_by_topic_v3_and_below.first();
                let result = topic.and_then(|topic| topic.results_by_partition.first());
                let code = result.map_or(ErrorCode::UnknownServerError, |it| ErrorCode::from(it.partition_error_code));
                self.on_task(world, asked, code);
            }
            (Asked::Task(_), Response::AddOffsetsToTxn(answer)) => {
                self.on_task(world, asked, ErrorCode::from(answer.error_code));
            }
            (Asked::Task(_), Response::TxnOffsetCommit(answer)) => {
                let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
                let code = partition.map_or(ErrorCode::UnknownServerError, |it| ErrorCode::from(it.error_code));
                self.on_task(world, asked, code);
            }
            (Asked::Task(_), Response::EndTxn(answer)) => match ErrorCode::from(answer.error_code) {
                ErrorCode::None => self.on_ended(world, (answer.producer_id, answer.producer_epoch)),
                code => self.on_code(world, asked, code),
            },
            _ => self.retry(world),
        }
    }

    fn on_task(&mut self, world: &mut World, asked: Asked, code: ErrorCode) {
        match code {
            ErrorCode::None => {
                self.acknowledged(world, &format!("{asked:?}"));
                self.task_done(world);
            }
            code => self.on_code(world, asked, code),
        }
    }
}

/// What Kafka's client tries again.
fn is_retriable(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ConcurrentTransactions
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::RequestTimedOut
            | ErrorCode::NetworkException
            | ErrorCode::KafkaStorageError
    )
}
