//! Makes the topic, and brings the clients in.

use std::collections::VecDeque;
use std::time::Duration;

use broker::metadata::config::RESOURCE_GROUP;
use broker::protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use broker::protocol::messages::update_features_request::FeatureUpdateKey;
use broker::protocol::messages::{
    CreateTopicsRequestData, CreateTopicsResponseData, KafkaString, UpdateFeaturesRequestData,
};
use broker::protocol::{ErrorCode, Request, Response};
use broker::types::NodeId;
use bytes::BytesMut;
use rand::Rng;
use rand::seq::SliceRandom;

use super::client::{Call, Client, Link};
use super::committer::Committer;
use super::consumer::{Consumer, Habit, Isolation};
use super::history::{Anomaly, Kind};
use super::plan::TOPIC;
use super::producer::Producer;
use super::share::{self, Inspector, Member};
use super::txn_producer::TxnProducer;
use super::world::World;

/// A new cluster must be whole after this.
const START_MAX: Duration = Duration::from_secs(60);
/// `FeatureUpdate.UpgradeType.SAFE_DOWNGRADE`
const SAFE_DOWNGRADE: i8 = 2;
const RETRY: Duration = Duration::from_millis(500);

/// Asks for the features and the topic of the plan until they are there.
struct Creator {
    me: usize,
    /// In this order.
    requests: VecDeque<Request>,
    call: Option<Call>,
    next_at: Duration,
    link: Link,
}

impl Creator {
    fn on_features(&mut self, world: &mut World, error_code: i16) {
        match ErrorCode::from(error_code) {
            ErrorCode::None => drop(self.requests.pop_front()),
            // Until all controllers have registered.
            ErrorCode::NotController | ErrorCode::RequestTimedOut | ErrorCode::InvalidUpdateVersion => {}
            other => {
                let what = format!("the features were refused: {other:?}");
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
            }
        }
    }

    fn on_configs(&mut self, world: &mut World, error_code: i16) {
        match ErrorCode::from(error_code) {
            ErrorCode::None => drop(self.requests.pop_front()),
            ErrorCode::NotController | ErrorCode::RequestTimedOut => {}
            other => {
                let what = format!("the configs of share groups were refused: {other:?}");
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
            }
        }
    }

    fn on_topic(&mut self, world: &mut World, answer: &CreateTopicsResponseData) {
        let code = answer.topics.first().map_or(-1, |topic| topic.error_code);
        match ErrorCode::from(code) {
            ErrorCode::None | ErrorCode::TopicAlreadyExists => drop(self.requests.pop_front()),
            ErrorCode::InvalidReplicationFactor
            | ErrorCode::InvalidReplicaAssignment
            | ErrorCode::NotController
            | ErrorCode::RequestTimedOut => {}
            other => {
                let message = answer.topics.first().and_then(|topic| topic.error_message.clone());
                let what = format!("the topic was refused: {other:?} {message:?}");
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
            }
        }
    }
}

impl Client for Creator {
    fn next_at(&self) -> Duration {
        if self.is_idle() { Duration::MAX } else { self.next_at }
    }

    fn act(&mut self, world: &mut World) {
        self.next_at = world.now.mono + RETRY;
        let node = world.rng.random_range(1..=world.plan.brokers);
        let Some(request) = self.requests.front() else { return };
        let version = if matches!(request, Request::CreateTopics(_)) { 7 } else { 1 };
        self.call = self.link.call(world, self.me, node, request, version);
    }

    fn on_answer(&mut self, world: &mut World, conn: u64, seq: u64, frame: BytesMut) {
        let Some(call) = self.call.take_if(|call| call.conn == conn && call.seq == seq) else { return };
        match call.answer(world, frame) {
            Some(Response::UpdateFeatures(answer)) => self.on_features(world, answer.error_code),
            Some(Response::CreateTopics(answer)) => self.on_topic(world, &answer),
            Some(Response::IncrementalAlterConfigs(answer)) => {
                let codes = answer.responses.iter().map(|it| it.error_code);
                self.on_configs(world, codes.max().unwrap_or_default());
            }
            _ => {}
        }
    }

    fn on_closed(&mut self, _world: &mut World, conn: u64) {
        self.link.closed(conn);
    }

    fn finish(&mut self) {}

    fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }
}

fn creation(world: &mut World) -> Request {
    let plan = world.plan.clone();
    let flush = if plan.flush_each { "1" } else { "9223372036854775807" };
    let configs = [
        ("unclean.leader.election.enable", plan.unclean.to_string()),
        ("flush.messages", flush.to_owned()),
        ("internal.segment.bytes", plan.segment_bytes.to_string()),
        ("retention.ms", "-1".to_owned()),
        ("index.interval.bytes", "512".to_owned()),
    ];
    let config = |(name, value): (&'static str, String)| {
        CreatableTopicConfig::default()
            .with_name(KafkaString::from_static(name))
            .with_value(Some(KafkaString::from(value)))
    };
    let mut topic = CreatableTopic::default()
        .with_name(KafkaString::from_static(TOPIC))
        .with_num_partitions(plan.partitions as i32)
        .with_replication_factor(3)
        .with_configs(configs.into_iter().map(config).collect());
    if plan.one_leader {
        let mut order: Vec<NodeId> = (1..=plan.brokers).collect();
        order.shuffle(&mut world.rng);
        let assignment =
            |index| CreatableReplicaAssignment::default().with_partition_index(index).with_broker_ids(order.clone());
        topic = topic
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments((0..plan.partitions as i32).map(assignment).collect());
    }
    Request::CreateTopics(CreateTopicsRequestData::default().with_topics(vec![topic]).with_timeout_ms(30_000))
}

/// A cluster with its topic, whole, and clients at work.
pub(super) fn set_up(world: &mut World) -> Result<(), Anomaly> {
    let elr = FeatureUpdateKey::default()
        .with_feature(KafkaString::from_static("eligible.leader.replicas.version"))
        .with_max_version_level(0)
        .with_upgrade_type(SAFE_DOWNGRADE);
    let without_elr = UpdateFeaturesRequestData::default().with_feature_updates(vec![elr]).with_timeout_ms(30_000);
    let features = (!world.plan.elr).then_some(Request::UpdateFeatures(without_elr));
    let configs = world.plan.share.as_ref().map(share::group_configs);
    let requests = features.into_iter().chain([creation(world)]).chain(configs).collect();
    let me = world.client_count();
    let next_at = world.now.mono + Duration::from_millis(800);
    world.enroll(Box::new(Creator { me, requests, call: None, next_at, link: Link::default() }));
    world.await_whole(START_MAX)?;
    for (index, plan) in world.plan.producers.clone().into_iter().enumerate() {
        let partition = index as u32 % world.plan.partitions;
        let producer = Producer::new(world.client_count(), partition, plan, world.now.mono);
        world.enroll(Box::new(producer));
    }
    for (number, plan) in (0..).zip(world.plan.transactional.clone()) {
        let producer = TxnProducer::new(world.client_count(), number, plan, world);
        world.enroll(Box::new(producer));
    }
    let (tail, again) = world.plan.consumers;
    let has_transactions = !world.plan.transactional.is_empty();
    for (number, habit) in
        std::iter::repeat_n(Habit::Tail, tail).chain(std::iter::repeat_n(Habit::Again, again)).enumerate()
    {
        let committed = has_transactions && number.is_multiple_of(2);
        let isolation = if committed { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
        let consumer = Consumer::new(world.client_count(), habit, isolation, world);
        world.enroll(Box::new(consumer));
    }
    share_groups(world)?;
    for _ in 0..world.plan.committers {
        let committer = Committer::new(world.client_count(), world.now.mono);
        world.enroll(Box::new(committer));
    }
    Ok(())
}

/// Members of share groups, once all know how these are to be.
fn share_groups(world: &mut World) -> Result<(), Anomaly> {
    let Some(plan) = world.plan.share.clone() else { return Ok(()) };
    let count = plan.groups.len();
    let known = |world: &mut World| {
        world.broker_ids().all(|id| {
            let configs = world.broker(id).map(|broker| &broker.image.configs);
            configs.is_some_and(|configs| configs.keys().filter(|(kind, _)| *kind == RESOURCE_GROUP).count() == count)
        })
    };
    if !world.run_until(START_MAX, RETRY, known)? {
        return Err(Anomaly::new(Kind::Liveness, "the configs of share groups are not known to all"));
    }
    world.history.share.groups = share::groups(&plan);
    for plan in plan.members {
        let member = Member::new(world.client_count(), plan, world);
        world.enroll(Box::new(member));
    }
    let inspector = Inspector::new(world.client_count(), world.now.mono);
    world.enroll(Box::new(inspector));
    Ok(())
}

/// Members of share groups, who accept all by now, have done with everything.
fn await_consumed(world: &mut World) -> Result<(), Anomaly> {
    let Some(plan) = world.plan.share.clone().filter(|_| world.anomalies.is_empty()) else { return Ok(()) };
    let locks = Duration::from_millis(plan.lock_ms) * u32::from(plan.delivery_limit.unsigned_abs());
    let patience = world.patience() + locks;
    let every = Duration::from_millis(500);
    if !world.run_until(patience, every, |world| share::unsettled(&world.history).is_empty())? {
        let open = share::unsettled(&world.history).join("; ");
        let what = format!("after {patience:?}: {open}\n{}", world.describe());
        return Err(Anomaly::new(Kind::Unconsumed, what));
    }
    Ok(())
}

/// All faults over: producers end, replicas become level, everything is read from the beginning.
pub(super) fn wind_up(world: &mut World) -> Result<(), Anomaly> {
    for client in 0..world.client_count() {
        world.with_client(client, |client, _| client.finish());
    }
    await_idle(world)?;
    await_stable(world)?;
    for (number, plan) in (0..).zip(world.plan.transactional.clone()) {
        let inspector = TxnProducer::inspector(world.client_count(), number, plan, world);
        world.enroll(Box::new(inspector));
    }
    await_idle(world)?;
    if !world.run_until(world.patience(), Duration::from_millis(50), |world| world.is_level())? {
        return Err(Anomaly::new(Kind::Liveness, format!("replicas did not become level\n{}", world.describe())));
    }
    super::inside::check_replicas(world)?;
    drain(world, Isolation::ReadUncommitted)?;
    if !world.plan.transactional.is_empty() {
        drain(world, Isolation::ReadCommitted)?;
    }
    await_consumed(world)
}

fn await_idle(world: &mut World) -> Result<(), Anomaly> {
    let idle = |world: &mut World| {
        (0..world.client_count()).all(|index| world.with_client(index, |client, _| client.is_idle()).unwrap_or(true))
    };
    if !world.run_until(world.patience(), Duration::from_millis(50), idle)? {
        return Err(Anomaly::new(Kind::Liveness, "producers were not answered for long in a healthy cluster"));
    }
    Ok(())
}

/// No transaction stays open: of those whose producers are gone, time makes an end.
fn await_stable(world: &mut World) -> Result<(), Anomaly> {
    let timeout = world.plan.transactional.iter().map(|plan| plan.timeout_ms as u64).max().unwrap_or(0);
    let patience = Duration::from_millis(timeout) + world.patience();
    if !world.run_until(patience, Duration::from_millis(50), |world| world.open_transactions().is_empty())? {
        let what = format!("partitions {:?} have an open transaction\n{}", world.open_transactions(), world.describe());
        return Err(Anomaly::new(Kind::HangingTransaction, what));
    }
    Ok(())
}

fn drain(world: &mut World, isolation: Isolation) -> Result<(), Anomaly> {
    let drain = Consumer::new(world.client_count(), Habit::Drain, isolation, world);
    let drain = world.enroll(Box::new(drain));
    let done = |world: &mut World| world.with_client(drain, |client, _| client.is_idle()).unwrap_or(true);
    if !world.run_until(world.patience(), Duration::from_millis(50), done)? {
        return Err(Anomaly::new(Kind::Liveness, "the final read did not come to an end"));
    }
    Ok(())
}
