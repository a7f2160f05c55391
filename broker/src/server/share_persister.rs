//! What this broker asks of share coordinators, itself among them: split by coordinator, sent, repeated where there is none now, and answered to
//! whoever asked, exactly once.
//!
//! What is asked about one share partition is asked in order: the next waits for the answer to the one before, so that a repetition never
//! overtakes what came later. A coordinator that moves is asked anew at once, without waiting for the silence of the one before to end.
//!
//! Source: `org.apache.kafka.server.share.persister.DefaultStatePersister`, `PersisterStateManager`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::broker::Broker;
use super::peer::PeerRequest;
use super::peer_requests::{Pending, Purpose};
use super::share_state_bridge::SHARE_STATE_TOPIC;
use super::{auto_create, endpoints, forward, group_bridge, share_bridge};
use crate::metadata::image::Image;
use crate::protocol::ErrorCode;
use crate::protocol::messages::KafkaString;
use crate::share_state::{self, PartRequest, PartResponse, SharePartitionKey, StateKind};
pub use crate::share_state::{StateRequest, StateResponse};
use crate::types::{NodeId, Now, TopicIdPartition};

/// The first repetition comes after this, each further one after twice the time, up to [`RETRY_MAX`]. Kafka begins with two seconds, since it
/// does not hear when a coordinator moves.
const RETRY: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// So long is tried; as long as Kafka's five attempts take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A coordinator answers within its `share.coordinator.write.timeout.ms`: who has not in so many times that long has not heard.
const ANSWER_TIMES: u32 = 2;

/// Share partitions about which questions may be open at once; more are refused.
const MAX_PARTS: usize = 100_000;

/// Who asked, by its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateAsker {
    /// The group coordinator: answered by [`group_bridge::on_share_state`].
    Groups(u64),
    /// A share partition's leader: answered by [`share_bridge::on_share_state`].
    Partitions(u64),
}

/// Names a question about one share partition: its job, and its place there.
type PartId = (u64, usize);

/// Places in a job, by job and by the coordinator's life.
type Sendable = BTreeMap<(u64, NodeId, i64), Vec<usize>>;

#[derive(Debug)]
struct Part {
    id: TopicIdPartition,
    request: PartRequest,
    response: Option<PartResponse>,
    is_under_way: bool,
    attempts: u32,
    /// When it may be sent.
    send_at: Duration,
    last_error: ErrorCode,
}

/// What somebody asked.
#[derive(Debug)]
struct Job {
    asker: StateAsker,
    kind: StateKind,
    group_id: Arc<str>,
    deadline: Duration,
    parts: Vec<Part>,
    left: usize,
}

/// A request under way: to a life of a broker.
#[derive(Debug)]
struct InFlight {
    to: NodeId,
    broker_epoch: i64,
    job: u64,
    parts: Vec<usize>,
}

/// See the module. Nothing in it outlives the broker's process: who asked does not, either.
#[derive(Debug, Default)]
pub struct SharePersister {
    jobs: BTreeMap<u64, Job>,
    last_job: u64,
    open_parts: usize,
    /// Questions about each share partition, oldest first.
    order: BTreeMap<SharePartitionKey, VecDeque<PartId>>,
    /// Questions that are the first about their share partition, and not under way.
    unsent: BTreeSet<PartId>,
    in_flight: BTreeMap<u64, InFlight>,
    last_request: u64,
    done: Vec<(StateAsker, StateResponse)>,
    /// When unsent questions are looked at again.
    send_at: Option<Duration>,
}

/// Asks the coordinators of a request's partitions. The asker is answered exactly once, within [`PATIENCE`] and never before this returns, each
/// partition with its error code.
pub fn ask(broker: &mut Broker, now: Now, asker: StateAsker, request: StateRequest) {
    broker.persister.enter(now, asker, request);
}

impl SharePersister {
    /// When [`on_tick`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        // All wait equally long: who asked first gives up first.
        let give_up = self.jobs.first_key_value().map(|(_, job)| job.deadline);
        [give_up, self.send_at].into_iter().flatten().min()
    }

    pub(super) fn take_done(&mut self) -> Vec<(StateAsker, StateResponse)> {
        std::mem::take(&mut self.done)
    }

    fn enter(&mut self, now: Now, asker: StateAsker, request: StateRequest) {
        let (kind, group_id) = (request.kind(), Arc::from(request.group_id().as_str()));
        let parts = request.split();
        if parts.is_empty() || self.open_parts + parts.len() > MAX_PARTS {
            let error = ErrorCode::CoordinatorNotAvailable;
            let refuse =
                |id: TopicIdPartition| (id, PartResponse::refusal(kind, id.partition, error, &error.to_string()));
            let response = StateResponse::join(kind, parts.into_iter().map(|(id, _)| refuse(id)));
            return self.done.push((asker, response));
        }
        self.last_job += 1;
        let number = self.last_job;
        for (index, (id, _)) in parts.iter().enumerate() {
            let waiting = self.order.entry(SharePartitionKey { group_id: Arc::clone(&group_id), id: *id }).or_default();
            if waiting.is_empty() {
                self.unsent.insert((number, index));
            }
            waiting.push_back((number, index));
        }
        self.open_parts += parts.len();
        let left = parts.len();
        let part = |(id, request)| Part {
            id,
            request,
            response: None,
            is_under_way: false,
            attempts: 0,
            send_at: now.mono,
            last_error: ErrorCode::CoordinatorNotAvailable,
        };
        let parts = parts.into_iter().map(part).collect();
        self.jobs.insert(number, Job { asker, kind, group_id, deadline: now.mono + PATIENCE, parts, left });
        self.send_at = Some(now.mono);
    }

    fn part(&mut self, (job, index): PartId) -> Option<&mut Part> {
        self.jobs.get_mut(&job)?.parts.get_mut(index)
    }

    /// A question is answered: the next about its share partition may be sent, and its asker, if that was the last, is told.
    fn settle(&mut self, at: PartId, response: PartResponse) {
        let Some(job) = self.jobs.get_mut(&at.0) else { return };
        let Some(part) = job.parts.get_mut(at.1).filter(|part| part.response.is_none()) else { return };
        part.response = Some(response);
        job.left -= 1;
        self.open_parts -= 1;
        self.unsent.remove(&at);
        let (key, is_done) = (SharePartitionKey { group_id: job.group_id.clone(), id: part.id }, job.left == 0);
        if let Some(waiting) = self.order.get_mut(&key) {
            waiting.retain(|it| *it != at);
            match waiting.front().copied() {
                None => drop(self.order.remove(&key)),
                Some(next) => self.release(next),
            }
        }
        if let Some(job) = is_done.then(|| self.jobs.remove(&at.0)).flatten() {
            let parts = job.parts.into_iter().filter_map(|part| Some((part.id, part.response?)));
            self.done.push((job.asker, StateResponse::join(job.kind, parts)));
        }
    }

    fn release(&mut self, at: PartId) {
        if let Some(send_at) = self.part(at).filter(|part| !part.is_under_way).map(|part| part.send_at) {
            self.unsent.insert(at);
            self.wake_at(send_at);
        }
    }

    fn wake_at(&mut self, at: Duration) {
        self.send_at = Some(self.send_at.map_or(at, |set| set.min(at)));
    }

    /// A question found nobody who could answer it.
    fn retry(&mut self, now: Now, at: PartId, error: ErrorCode) {
        let Some(part) = self.part(at) else { return };
        part.is_under_way = false;
        part.last_error = error;
        part.send_at = now.mono + RETRY_MAX.min(RETRY * 2u32.pow(part.attempts.min(10)));
        part.attempts = part.attempts.saturating_add(1);
        self.release(at);
    }

    /// Those who have waited for too long are told what went wrong last.
    fn expire(&mut self, now: Now) {
        while let Some((number, job)) = self.jobs.first_key_value().filter(|(_, job)| job.deadline <= now.mono) {
            let (number, kind) = (*number, job.kind);
            let open = job.parts.iter().enumerate().filter(|(_, part)| part.response.is_none());
            let open: Vec<_> = open.map(|(index, part)| (index, part.id.partition, part.last_error)).collect();
            for (index, partition, error) in open {
                let message = format!("Error in {} RPC. {error}", name(kind));
                self.settle((number, index), PartResponse::refusal(kind, partition, error, &message));
            }
        }
    }

    /// What may be sent now.
    fn take_sendable(&mut self, now: Now, image: &Image) -> Sendable {
        let mut outgoing = Sendable::new();
        for at in std::mem::take(&mut self.unsent) {
            let Some(job) = self.jobs.get_mut(&at.0) else { continue };
            let Some(part) = job.parts.get_mut(at.1) else { continue };
            if part.send_at > now.mono {
                let send_at = part.send_at;
                self.unsent.insert(at);
                self.wake_at(send_at);
                continue;
            }
            match coordinator(image, &job.group_id, part.id) {
                Some((to, epoch)) => {
                    part.is_under_way = true;
                    outgoing.entry((at.0, to, epoch)).or_default().push(at.1);
                }
                None => self.retry(now, at, ErrorCode::CoordinatorNotAvailable),
            }
        }
        outgoing
    }
}

/// Whoever coordinates a share partition, and in which life.
fn coordinator(image: &Image, group_id: &str, id: TopicIdPartition) -> Option<(NodeId, i64)> {
    let partitions = i32::try_from(image.topic(SHARE_STATE_TOPIC)?.partitions.len()).ok()?;
    let shard = share_state::partition_for(group_id, id, partitions);
    let leader = image.partition(SHARE_STATE_TOPIC, shard)?.leader;
    let broker = endpoints::reachable(image, leader).filter(|broker| !broker.fenced)?;
    Some((leader, broker.epoch))
}

/// Sends what can be sent, and hands out what is answered. True if there was anything.
pub(super) fn carry_out(broker: &mut Broker, now: Now) -> bool {
    let busy = send(broker, now);
    let done = broker.persister.take_done();
    let busy = busy || !done.is_empty();
    for (asker, response) in done {
        match asker {
            StateAsker::Groups(number) => group_bridge::on_share_state(broker, now, number, response),
            StateAsker::Partitions(number) => share_bridge::on_share_state(broker, now, number, response),
        }
    }
    busy
}

/// Sends what can be sent. True if there was anything.
pub(super) fn send(broker: &mut Broker, now: Now) -> bool {
    let persister = &mut broker.persister;
    if persister.send_at.is_none_or(|at| at > now.mono) {
        return false;
    }
    persister.send_at = None;
    let outgoing = persister.take_sendable(now, &broker.image);
    if broker.image.topic(SHARE_STATE_TOPIC).is_none() {
        auto_create::create(broker, None, now, &[SHARE_STATE_TOPIC]);
    }
    let busy = !outgoing.is_empty();
    for ((job, to, broker_epoch), parts) in outgoing {
        request(broker, now, job, to, broker_epoch, parts);
    }
    busy
}

fn request(broker: &mut Broker, now: Now, number: u64, to: NodeId, broker_epoch: i64, parts: Vec<usize>) {
    let persister = &mut broker.persister;
    let Some(job) = persister.jobs.get(&number) else { return };
    let asked = parts.iter().filter_map(|index| job.parts.get(*index)).map(|part| (part.id, part.request.clone()));
    let body = StateRequest::join(job.kind, KafkaString::from(job.group_id.to_string()), asked);
    let answer_time = broker.config.millis("share.coordinator.write.timeout.ms") * ANSWER_TIMES;
    let deadline = job.deadline.min(now.mono + answer_time);
    persister.last_request += 1;
    let request = persister.last_request;
    persister.in_flight.insert(request, InFlight { to, broker_epoch, job: number, parts });
    let pending = Pending { purpose: Purpose::ShareState(request), to, repeat: None, deadline, retry_at: None };
    forward::send(broker, to, pending, PeerRequest::ShareState(body));
}

/// A coordinator answered, or (`None`) did not.
pub(super) fn on_answer(broker: &mut Broker, now: Now, number: u64, answer: Option<StateResponse>) {
    let persister = &mut broker.persister;
    let Some(InFlight { job, parts, .. }) = persister.in_flight.remove(&number) else { return };
    // Whatever answers another question is none to this one.
    let kind = persister.jobs.get(&job).map(|job| job.kind);
    let Some(answer) = answer.filter(|answer| Some(answer.kind()) == kind) else {
        return parts.into_iter().for_each(|index| persister.retry(now, (job, index), ErrorCode::NetworkException));
    };
    let mut answers: BTreeMap<TopicIdPartition, PartResponse> = answer.split().into_iter().collect();
    for index in parts {
        let Some(part) = persister.part((job, index)) else { continue };
        let (id, kind) = (part.id, part.request.kind());
        match answers.remove(&id) {
            Some(response) if is_retriable(response.error()) => persister.retry(now, (job, index), response.error()),
            Some(response) => persister.settle((job, index), response),
            None => {
                let error = ErrorCode::UnknownServerError;
                let message = format!("Error in {} RPC. It was not answered.", name(kind));
                persister.settle((job, index), PartResponse::refusal(kind, id.partition, error, &message));
            }
        }
    }
}

fn is_retriable(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::NotCoordinator
            | ErrorCode::UnknownTopicOrPartition
    )
}

/// Coordinators may have moved, and brokers may live anew: what went to others is sent again, without waiting for their silence to end.
pub(super) fn on_image(broker: &mut Broker, now: Now) {
    let (image, persister) = (&broker.image, &mut broker.persister);
    let is_stale = |_: &u64, sent: &mut InFlight| {
        image.brokers.get(&sent.to).is_none_or(|it| it.fenced || it.epoch != sent.broker_epoch)
    };
    let stale: Vec<InFlight> = persister.in_flight.extract_if(.., is_stale).map(|(_, sent)| sent).collect();
    for sent in stale {
        for index in sent.parts {
            persister.retry(now, (sent.job, index), ErrorCode::NetworkException);
        }
    }
    let waiting: Vec<PartId> = persister.unsent.iter().copied().collect();
    for at in waiting {
        let Some(job) = persister.jobs.get_mut(&at.0) else { continue };
        let Some(part) = job.parts.get_mut(at.1).filter(|part| part.last_error != ErrorCode::CoordinatorLoadInProgress)
        else {
            continue;
        };
        if coordinator(image, &job.group_id, part.id).is_some() {
            part.send_at = now.mono;
            persister.wake_at(now.mono);
        }
    }
}

/// Lets time pass.
pub(super) fn on_tick(broker: &mut Broker, now: Now) {
    broker.persister.expire(now);
}

/// What Kafka calls a request in its errors.
fn name(kind: StateKind) -> &'static str {
    match kind {
        StateKind::Initialize => "initialize state",
        StateKind::Read => "read state",
        StateKind::Write => "write state",
        StateKind::Delete => "delete state",
        StateKind::Summary => "read state summary",
    }
}

#[cfg(test)]
#[path = "share_persister_tests.rs"]
mod tests;
