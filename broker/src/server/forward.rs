//! To and from other nodes: requests of this broker's own, clients' requests forwarded to the active controller, and followers' fetches.

use std::time::Duration;

use super::broker::Broker;
use super::config_changes::AlteringConfigs;
use super::context::{Handled, RequestContext};
use super::metadata_follower::FollowerOutput;
use super::peer::{PeerMessage, PeerRequest, PeerResponse};
use super::peer_costs;
use super::peer_requests::{FORWARDED_MAX, Pending, Purpose};
use super::write_txn_markers::Caller;
use super::{
    add_partitions_to_txn, api_log, auto_create, dispatch, init_producer_id, latest_offsets, lifecycle_log,
    offset_for_leader_epoch, share_persister, share_state_bridge, txn_markers, txn_verification, upkeep,
    write_txn_markers,
};
use crate::protocol::messages::FetchRequestData;
use crate::protocol::{Api, ErrorCode};
use crate::replica;
use crate::types::{NO_NODE, NodeId, Now, TopicIdPartition};

/// A forwarded request that was refused, or found no controller, is tried again after this.
const RETRY: Duration = Duration::from_millis(50);

/// Requests of the replica manager's are timed by itself; this only bounds what is remembered of them.
const FORGET_AFTER: Duration = Duration::from_secs(60);

impl Broker {
    /// Forwards a client's request to the active controller; the answer goes back to the client, whoever becomes controller meanwhile.
    pub fn forward(&mut self, context: &RequestContext, now: Now, request: PeerRequest) -> Handled {
        if self.requests.forwarded() >= FORWARDED_MAX
            && let Some(response) = dispatch::refusal(&request, ErrorCode::RequestTimedOut)
        {
            return Handled::Reply(dispatch::fit(response, context.header.api_version));
        }
        api_log::forwarding(self, context, self.active_controller);
        let patience = self.config.millis("request.timeout.ms");
        self.send_to_controller(Purpose::Client(Box::new(context.clone())), now, request, patience);
        Handled::Later
    }

    /// Forwards what counts against the client's quota of mutations (KIP-599). From version `strict_since` on it is refused once that is
    /// exhausted.
    pub(super) fn forward_mutation(
        &mut self,
        context: &RequestContext,
        now: Now,
        strict_since: i16,
        request: PeerRequest,
    ) -> Handled {
        let request = self.metered(context, context.header.api_version >= strict_since, request);
        self.forward(context, now, request)
    }

    pub(super) fn metered(&self, context: &RequestContext, strict: bool, request: PeerRequest) -> PeerRequest {
        if !self.quotas.limits_mutations() {
            return request;
        }
        let client_id = context.header.client_id.as_deref().unwrap_or_default().to_owned();
        PeerRequest::Metered { client_id, strict, request: Box::new(request) }
    }

    /// Forwards what is left of a change of configs; where nothing is, answers at once.
    pub(super) fn alter_configs(
        &mut self,
        now: Now,
        altering: AlteringConfigs,
        request: Option<PeerRequest>,
    ) -> Handled {
        let Some(request) = request else { return Handled::Reply(altering.refusal(ErrorCode::None)) };
        if self.requests.forwarded() >= FORWARDED_MAX {
            return Handled::Reply(altering.refusal(ErrorCode::RequestTimedOut));
        }
        api_log::forwarding(self, &altering.context, self.active_controller);
        let patience = self.config.millis("request.timeout.ms");
        self.send_to_controller(Purpose::AlterConfigs(Box::new(altering)), now, request, patience);
        Handled::Later
    }

    /// Asks the active controller for a topic that a client needs; nobody waits for the answer.
    pub fn auto_create_topic(&mut self, client: Option<&RequestContext>, now: Now, request: PeerRequest) {
        let request = match client {
            Some(client) => self.metered(client, true, request),
            None => request,
        };
        let patience = self.config.millis("request.timeout.ms");
        self.send_to_controller(Purpose::AutoCreateTopic, now, request, patience);
    }

    /// Asks the active controller; repeated, also to another one, until `patience` is over.
    pub fn send_to_controller(&mut self, purpose: Purpose, now: Now, request: PeerRequest, patience: Duration) {
        let deadline = now.mono + patience;
        let repeat = Some(request.clone());
        match self.active_controller {
            Some(to) => {
                let is_forwarded = purpose.is_forwarded();
                let number = send(self, to, Pending { purpose, to, repeat, deadline, retry_at: None }, request);
                if is_forwarded {
                    self.forward_times.entered(number, now.mono, Some(now.mono));
                }
            }
            None => {
                let retry_at = Some(now.mono + RETRY);
                let is_forwarded = purpose.is_forwarded();
                let number = self.requests.enter(Pending { purpose, to: NO_NODE, repeat, deadline, retry_at });
                if is_forwarded {
                    self.forward_times.entered(number, now.mono, None);
                }
            }
        }
    }
}

/// Enters a request and sends it; its number.
pub(super) fn send(broker: &mut Broker, to: NodeId, pending: Pending, body: PeerRequest) -> u64 {
    let correlation = broker.requests.enter(pending);
    broker.out.peer.push((to, PeerMessage::Request { correlation, body }));
    correlation
}

/// What the quorum and the replicas want sent.
pub(super) fn send_outputs(broker: &mut Broker, now: Now) {
    for output in broker.metadata.take_outputs() {
        match output {
            FollowerOutput::Send(to, message) => broker.out.peer.push((to, PeerMessage::Quorum(message))),
            FollowerOutput::LeaderChanged(leader) => {
                broker.active_controller = leader;
                if let Some(leader) = leader {
                    broker.requests.controller_moved(leader, now.mono);
                    broker.lifecycle.controller_moved(now);
                }
            }
            FollowerOutput::Failed(reason) => {
                // As Kafka: a broker that can no longer keep its metadata halts.
                broker.fail(format!("the metadata log failed: {reason}"));
            }
        }
    }
    for output in broker.replicas.take_outputs(now) {
        match output {
            replica::Output::Fetch { leader, id, request } => {
                let pending = forgettable(Purpose::ReplicaFetch(id), leader, now);
                send(broker, leader, pending, PeerRequest::Fetch(request));
            }
            replica::Output::AlterPartition { id, request } => match broker.active_controller {
                Some(leader) => {
                    let pending = forgettable(Purpose::AlterPartition(id), leader, now);
                    send(broker, leader, pending, PeerRequest::AlterPartition(request));
                }
                None => broker.replicas.on_alter_partition_response(now, id, Err(())),
            },
            replica::Output::AssignReplicasToDirs { id, request } => match broker.active_controller {
                Some(leader) => {
                    let pending = forgettable(Purpose::AssignDirectories(id), leader, now);
                    send(broker, leader, pending, PeerRequest::AssignReplicasToDirs(request));
                }
                None => broker.replicas.on_assign_response(now, id, Err(())),
            },
            replica::Output::FetchReply { to, correlation, response } => {
                if let Some((answered, stations)) = broker.follower_fetches.end(to, correlation, (broker.stopwatch)()) {
                    broker.metrics.requests.followed(&answered, &stations, &response);
                }
                if broker.trace.is_following() {
                    for topic in &response.responses {
                        for part in &topic.partitions {
                            let id =
                                TopicIdPartition { topic_id: topic.topic_id.into(), partition: part.partition_index };
                            broker.trace_fetch(id, part, Err(to));
                        }
                    }
                }
                let body = PeerResponse::Fetch(response);
                broker.out.peer.push((to, PeerMessage::Response { correlation, body }));
            }
        }
    }
    count_answers(broker);
}

fn forgettable(purpose: Purpose, to: NodeId, now: Now) -> Pending {
    Pending { purpose, to, repeat: None, deadline: now.mono + FORGET_AFTER, retry_at: None }
}

/// Hands over what this broker said to itself, as the coordinator and the leader of the same transaction or share partition. True if there was anything.
pub(super) fn hear_oneself(broker: &mut Broker, now: Now) -> bool {
    count_answers(broker);
    let me = broker.config.node_id;
    let own: Vec<_> = broker.out.peer.extract_if(.., |(to, _)| *to == me).collect();
    let busy = !own.is_empty();
    for (_, message) in own {
        on_peer_message(broker, now, me, message);
    }
    busy
}

/// Another node sent something, or this one to itself, which waited for nothing.
pub(super) fn on_peer_message(broker: &mut Broker, now: Now, from: NodeId, message: PeerMessage) {
    on_peer_message_since(broker, now, from, message, None);
}

/// The same; `arrived`: since when it waits, if it does.
pub(super) fn on_peer_message_since(
    broker: &mut Broker,
    now: Now,
    from: NodeId,
    message: PeerMessage,
    arrived: Option<Duration>,
) {
    let begun = match &message {
        PeerMessage::Request { .. } => (broker.stopwatch)(),
        _ => Duration::ZERO,
    };
    let times = (arrived.unwrap_or(begun), begun);
    if let PeerMessage::Request { correlation, body: PeerRequest::Fetch(request) } = message {
        follower_fetch(broker, now, (from, correlation), &request, times);
        return;
    }
    let asked = match &message {
        PeerMessage::Request { correlation, body } => peer_costs::asked(body).map(|asked| (*correlation, asked)),
        _ => None,
    };
    if let Some((correlation, asked)) = asked {
        broker.peer_times.begin(from, correlation, asked, times);
    }
    take_peer_message(broker, now, from, message);
    if let Some((correlation, asked)) = asked {
        let worked = (broker.stopwatch)();
        broker.peer_times.worked(from, correlation, worked);
        if asked.name == Api::WriteTxnMarkers.name() {
            broker.quotas.spent_exempt(worked.saturating_sub(begun));
        }
    }
}

fn follower_fetch(
    broker: &mut Broker,
    now: Now,
    (from, correlation): (NodeId, u64),
    request: &FetchRequestData,
    times: (Duration, Duration),
) {
    let size_bytes = request.encoded_len(Api::Fetch.max_version()).unwrap_or(0);
    broker.follower_fetches.begin(from, correlation, size_bytes, times);
    broker.replicas.on_peer_fetch(now, from, correlation, request);
    let worked = (broker.stopwatch)();
    broker.follower_fetches.worked(from, worked);
    broker.quotas.spent_exempt(worked.saturating_sub(times.1));
}

/// Measures the answers to other nodes that are on their way out.
fn count_answers(broker: &mut Broker) {
    if broker.peer_times.is_empty() {
        return;
    }
    let at = (broker.stopwatch)();
    for (to, message) in &broker.out.peer {
        if let PeerMessage::Response { correlation, body } = message
            && let Some((asked, stations)) = broker.peer_times.end(*to, *correlation, at)
        {
            broker.metrics.requests.peer_done(&asked, &stations, body);
        }
    }
}

fn take_peer_message(broker: &mut Broker, now: Now, from: NodeId, message: PeerMessage) {
    match message {
        PeerMessage::Quorum(message) => broker.metadata.on_message(now, from, message),
        PeerMessage::Refused { correlation: 0 } => broker.metadata.on_peer_down(now, from),
        PeerMessage::Refused { correlation } => {
            if let Some(pending) = broker.requests.take(correlation) {
                on_failure(broker, now, correlation, pending);
            }
        }
        PeerMessage::Response { correlation, body } => {
            // Unknown: its time was over.
            if let Some(pending) = broker.requests.take(correlation) {
                match body {
                    PeerResponse::NotController { .. } => on_failure(broker, now, correlation, pending),
                    body => {
                        broker.forward_times.answered(correlation, now.mono);
                        on_answer(broker, now, pending, body);
                    }
                }
            }
        }
        PeerMessage::Request { correlation, body: PeerRequest::OffsetForLeaderEpoch(request) } => {
            let answer = offset_for_leader_epoch::answer(broker, *request);
            let body = PeerResponse::OffsetForLeaderEpoch(Box::new(answer));
            broker.out.peer.push((from, PeerMessage::Response { correlation, body }));
        }
        PeerMessage::Request { correlation, body: PeerRequest::ListOffsets(request) } => {
            let body = PeerResponse::ListOffsets(Box::new(latest_offsets::answer(broker, *request)));
            broker.out.peer.push((from, PeerMessage::Response { correlation, body }));
        }
        PeerMessage::Request { correlation, body: PeerRequest::AddPartitionsToTxn(request) } => {
            add_partitions_to_txn::from_peer(broker, now, from, correlation, *request);
        }
        PeerMessage::Request { correlation, body: PeerRequest::WriteTxnMarkers(request) } => {
            write_txn_markers::start(broker, now, Caller::Peer { to: from, correlation }, *request);
        }
        PeerMessage::Request { correlation, body: PeerRequest::ShareState(request) } => {
            share_state_bridge::start(broker, now, from, correlation, request);
        }
        // The others are for controllers.
        PeerMessage::Request { correlation, .. } => {
            let body = PeerResponse::NotController { leader_id: broker.active_controller.unwrap_or(NO_NODE) };
            broker.out.peer.push((from, PeerMessage::Response { correlation, body }));
        }
    }
}

fn on_answer(broker: &mut Broker, now: Now, pending: Pending, body: PeerResponse) {
    match (pending.purpose, body) {
        (Purpose::ReplicaFetch(id), PeerResponse::Fetch(response)) => {
            broker.replicas.on_fetch_response(now, pending.to, id, Ok(*response));
        }
        (Purpose::AlterPartition(id), PeerResponse::AlterPartition(response)) => {
            broker.replicas.on_alter_partition_response(now, id, Ok(*response));
        }
        (Purpose::AssignDirectories(id), PeerResponse::AssignReplicasToDirs(response)) => {
            broker.replicas.on_assign_response(now, id, Ok(*response));
        }
        (Purpose::Registration, PeerResponse::BrokerRegistration(response)) => {
            match ErrorCode::from(response.error_code) {
                ErrorCode::None => {
                    broker.lifecycle.registered(now, response.broker_epoch);
                    lifecycle_log::registered(broker, response.broker_epoch);
                    broker.replicas.registered(now, response.broker_epoch, &broker.image);
                }
                error => {
                    lifecycle_log::refused(broker, error);
                    broker.lifecycle.failed(now);
                }
            }
        }
        (Purpose::Heartbeat, PeerResponse::BrokerHeartbeat(response)) => match ErrorCode::from(response.error_code) {
            ErrorCode::None => {
                broker.lifecycle.heard(now, response.is_fenced, response.should_shut_down);
                upkeep::heard(broker, now);
            }
            error => {
                lifecycle_log::heartbeat_refused(broker, error);
                match error {
                    ErrorCode::StaleBrokerEpoch | ErrorCode::BrokerIdNotRegistered => {
                        broker.lifecycle.unknown_to_controller(now);
                    }
                    _ => broker.lifecycle.failed(now),
                }
            }
        },
        (Purpose::ProducerIds, PeerResponse::AllocateProducerIds(response)) => {
            init_producer_id::on_block(broker, now, Ok(*response));
        }
        (Purpose::Verification(number), PeerResponse::AddPartitionsToTxn(response)) => {
            txn_verification::on_answer(broker, now, number, Some(*response));
        }
        (Purpose::LatestOffsets(number), PeerResponse::ListOffsets(response)) => {
            latest_offsets::on_answer(broker, number, Some(*response));
        }
        (Purpose::TxnMarkers(number), PeerResponse::WriteTxnMarkers(response)) => {
            txn_markers::on_answer(broker, now, number, Some(*response));
        }
        (Purpose::ShareState(number), PeerResponse::ShareState(response)) => {
            share_persister::on_answer(broker, now, number, Some(response));
        }
        (Purpose::Client(context), body) => {
            if let Some(response) = dispatch::forwarded(body) {
                let response = dispatch::fit(response, context.header.api_version);
                broker.reply(now, &context, response);
            }
        }
        (Purpose::InternalTopics { names, memory }, PeerResponse::CreateTopics(response)) => {
            auto_create::on_internal(broker, now, names, memory, Some(&response));
        }
        (Purpose::AutoCreateTopic, PeerResponse::CreateTopics(response)) => auto_create::told(broker, &response),
        (Purpose::AlterConfigs(altering), body) => broker.reply(now, &altering.context, altering.answer(&body)),
        // An auto-created topic shows in the image; an answer of another kind than the question is nobody's.
        _ => {}
    }
}

/// A request was refused or came to the wrong controller: try again where that makes sense.
fn on_failure(broker: &mut Broker, now: Now, correlation: u64, mut pending: Pending) {
    match pending.purpose {
        Purpose::ReplicaFetch(id) => broker.replicas.on_fetch_response(now, pending.to, id, Err(())),
        Purpose::AlterPartition(id) => {
            broker.replicas.on_alter_partition_response(now, id, Err(()));
        }
        Purpose::AssignDirectories(id) => broker.replicas.on_assign_response(now, id, Err(())),
        Purpose::Registration | Purpose::Heartbeat => broker.lifecycle.failed(now),
        Purpose::Verification(number) => txn_verification::on_answer(broker, now, number, None),
        Purpose::LatestOffsets(number) => latest_offsets::on_answer(broker, number, None),
        Purpose::TxnMarkers(number) => txn_markers::on_answer(broker, now, number, None),
        Purpose::ShareState(number) => share_persister::on_answer(broker, now, number, None),
        Purpose::Client(_)
        | Purpose::AlterConfigs(_)
        | Purpose::AutoCreateTopic
        | Purpose::InternalTopics { .. }
        | Purpose::ProducerIds => {
            pending.retry_at = Some(now.mono + RETRY);
            broker.requests.put_back(correlation, pending);
        }
    }
}

/// Requests whose time is over, and those to be sent again.
pub(super) fn on_tick(broker: &mut Broker, now: Now) {
    for (correlation, pending) in broker.requests.take_expired(now.mono) {
        broker.forward_times.gave_up(correlation, now.mono);
        match pending.purpose {
            Purpose::Client(context) => {
                api_log::not_answered(broker, &context);
                let refusal =
                    pending.repeat.and_then(|request| dispatch::refusal(&request, ErrorCode::RequestTimedOut));
                if let Some(response) = refusal {
                    let response = dispatch::fit(response, context.header.api_version);
                    broker.reply(now, &context, response);
                }
            }
            Purpose::AlterConfigs(altering) => {
                api_log::not_answered(broker, &altering.context);
                let response = altering.refusal(ErrorCode::RequestTimedOut);
                broker.reply(now, &altering.context, response);
            }
            Purpose::ProducerIds => init_producer_id::on_block(broker, now, Err(ErrorCode::RequestTimedOut)),
            Purpose::Registration | Purpose::Heartbeat => {
                lifecycle_log::unanswered(broker);
                broker.lifecycle.failed(now);
            }
            Purpose::Verification(number) => txn_verification::on_answer(broker, now, number, None),
            Purpose::LatestOffsets(number) => latest_offsets::on_answer(broker, number, None),
            Purpose::TxnMarkers(number) => txn_markers::on_answer(broker, now, number, None),
            Purpose::ShareState(number) => share_persister::on_answer(broker, now, number, None),
            Purpose::InternalTopics { names, memory } => auto_create::on_internal(broker, now, names, memory, None),
            Purpose::ReplicaFetch(_)
            | Purpose::AlterPartition(_)
            | Purpose::AssignDirectories(_)
            | Purpose::AutoCreateTopic => {}
        }
    }
    for (correlation, mut pending) in broker.requests.take_retries(now.mono) {
        match (broker.active_controller, pending.repeat.clone()) {
            (Some(leader), Some(body)) => {
                broker.forward_times.sent(correlation, now.mono);
                pending.to = leader;
                pending.retry_at = None;
                broker.requests.put_back(correlation, pending);
                broker.out.peer.push((leader, PeerMessage::Request { correlation, body }));
            }
            _ => {
                pending.retry_at = Some(now.mono + RETRY);
                broker.requests.put_back(correlation, pending);
            }
        }
    }
}
