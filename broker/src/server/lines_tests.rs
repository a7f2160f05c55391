//! What a broker's log tells of its clients, its configs and its standing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::data_tests::{ALONE, Outcome, Site, batch, fetch, image, produce};
use super::endpoints::text;
use super::{lifecycle_log, publish_log, throttle, upkeep};
use crate::logging::{Level, Logger};
use crate::metadata::config::{RESOURCE_BROKER, RESOURCE_TOPIC};
use crate::metadata::delta::ImageDelta;
use crate::metadata::quotas::{CONNECTION_CREATION_RATE, IP, PRODUCER_BYTE_RATE, USER};
use crate::protocol::messages::{FetchRequestData, MetadataRequestData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

const INFO: Level = Level::Info;

#[test]
fn a_frame_that_makes_no_sense_is_an_error_on_its_connection() {
    let mut site = Site::alone();
    site.broker.on_connect(Now::default(), 1, ([127, 0, 0, 1], 40000).into());
    site.send_frame(Bytes::from_static(&[0x7f, 0x7f, 0, 0, 0, 0, 0, 1, 0xff, 0xff]));
    site.lines.expect(&[(
        Logger::Processor,
        Level::Error,
        &["Closing socket for 127.0.0.1:0-127.0.0.1:40000-0-1 because of error: API key 32639 is not offered"],
    )]);
    assert_eq!(site.broker.out.closes.len(), 1);
}

#[test]
fn a_lost_produce_closes_its_connection_and_says_so() {
    let mut site = Site::with(image(2, 0, &[1, 2], &[1, 2]));
    assert_eq!(site.ask(9, produce(9, 0, &[(0, batch(1))])), Outcome::NoAnswer);
    site.lines.expect(&[(
        Logger::KafkaApis,
        INFO,
        &["[KafkaApi-1] Closing connection ", "Produce v9 with correlation id 9 from client tests", "acks=0"],
    )]);
}

#[test]
fn errors_in_answers_are_told_to_those_who_ask_and_unforeseen_ones_to_all() {
    let mut site = Site::with(image(2, 0, &[1, 2], &[1, 2]));
    site.produce(9, 1, batch(1));
    assert!(site.lines.take().iter().all(|line| line.logger != Logger::KafkaApis), "it is the client's to know");
    site.lines.set(Logger::KafkaApis, Level::Debug);
    site.produce(9, 1, batch(1));
    site.lines.expect(&[(
        Logger::KafkaApis,
        Level::Debug,
        &["[KafkaApi-1] Errors in the answer to Produce v9", "NOT_LEADER_OR_FOLLOWER x 1"],
    )]);
    let header = Site::header(crate::protocol::Api::Heartbeat, 4);
    let answer = crate::protocol::messages::HeartbeatResponseData::default().with_error_code(-1);
    let context = super::context::RequestContext {
        conn: 1,
        seq: 1,
        header,
        client_host: [127, 0, 0, 1].into(),
        received: site.now,
        size_bytes: 0,
        body: None,
    };
    site.broker.reply(site.now, &context, Response::Heartbeat(answer));
    site.lines.expect(&[(
        Logger::KafkaApis,
        Level::Error,
        &["Unexpected error in the answer to Heartbeat v4", "UNKNOWN_SERVER_ERROR x 1"],
    )]);
}

#[test]
fn fetch_sessions_are_told_to_those_who_ask() {
    let mut site = Site::alone();
    site.produce(9, -1, batch(1));
    site.lines.set(Logger::FetchManager, Level::Debug);
    site.fetch(12, FetchRequestData { session_epoch: 0, ..fetch(12, 0, &[(0, 0)]) });
    site.lines.expect(&[(Logger::FetchManager, Level::Debug, &["Created fetch session ", "of 1 partitions"])]);
}

#[test]
fn topics_that_are_asked_for_are_told() {
    let mut site = Site::alone();
    let topic = crate::protocol::messages::MetadataRequestTopic::default().with_name(Some(text("wanted")));
    let request = MetadataRequestData::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(true);
    site.send(9, request.into());
    site.lines.expect(&[(Logger::AutoTopicCreation, INFO, &["wanted"])]);
}

#[test]
fn configs_that_take_effect_are_told_without_secrets() {
    let mut site = Site::alone();
    let set = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Arc::new(pairs.collect::<BTreeMap<_, _>>())
    };
    let (own, topic) = ((RESOURCE_BROKER, "1".into()), (RESOURCE_TOPIC, "t".into()));
    site.broker.image.configs.insert(own.clone(), set(&[("max.connections", "77"), ("ssl.key.password", "abc")]));
    site.broker.image.configs.insert(topic.clone(), set(&[("retention.ms", "1000")]));
    let delta = ImageDelta { configs_changed: [own, topic].into(), ..ImageDelta::default() };
    let before = site.broker.config.clone();
    site.broker.config = before.effective(&site.broker.image);
    site.lines.take();
    publish_log::configs(&site.broker, Some(&before), &delta);
    let lines = site.lines.take();
    let told: Vec<(Logger, &str)> = lines.iter().map(|line| (line.logger, &*line.message)).collect();
    assert_eq!(
        told,
        [
            (
                Logger::DynamicConfigPublisher,
                "[DynamicConfigPublisher broker id=1] New configuration of topic t: retention.ms=1000"
            ),
            (
                Logger::DynamicConfigPublisher,
                "[DynamicConfigPublisher broker id=1] New configuration of node 1: max.connections=77,ssl.key.password=[hidden]"
            ),
            (Logger::DynamicBrokerConfig, "max.connections takes effect: 77 (was 2147483647)"),
            (Logger::DynamicBrokerConfig, "ssl.key.password takes effect: [hidden] (was null)"),
        ]
    );
}

#[test]
fn quotas_and_who_is_over_them_are_told() {
    let mut site = Site::alone();
    let of = |kind: &str, name: Option<&str>, key: &str, value: f64| {
        (vec![(kind.to_owned(), name.map(str::to_owned))], BTreeMap::from([(key.to_owned(), value)]))
    };
    let quotas = [of(USER, None, PRODUCER_BYTE_RATE, 10.0), of(IP, Some("10.0.0.1"), CONNECTION_CREATION_RATE, 5.0)];
    let client_quotas_changed = quotas.iter().map(|(entity, _)| entity.clone()).collect();
    site.broker.image.client_quotas.extend(quotas);
    site.broker.quotas.set_limits(&site.broker.image.client_quotas);
    publish_log::quotas(&site.broker, &ImageDelta { client_quotas_changed, ..ImageDelta::default() });
    site.lines.expect(&[
        (Logger::ClientQuotas, INFO, &["Quotas of user <default>", "producer_byte_rate=10"]),
        (Logger::ConnectionQuotas, INFO, &["ip 10.0.0.1", "5 a second"]),
    ]);
    site.lines.set(Logger::ClientQuotas, Level::Debug);
    site.produce(9, 1, batch(100));
    site.produce(9, 1, batch(100));
    site.lines.expect(&[(Logger::ClientQuotas, Level::Debug, &["Produce-ANONYMOUS:tests", "Delay time: ("])]);
    assert_eq!(throttle::millis(Now::default()), 0);
    // And that they are gone.
    let gone: Vec<_> = std::mem::take(&mut site.broker.image.client_quotas).into_keys().collect();
    let delta = ImageDelta { client_quotas_changed: gone.into_iter().collect(), ..ImageDelta::default() };
    publish_log::quotas(&site.broker, &delta);
    site.lines.expect(&[
        (Logger::ClientQuotas, INFO, &["Quotas of user <default> are now: none"]),
        (Logger::ConnectionQuotas, INFO, &["No own limit of connections any more for ip 10.0.0.1"]),
    ]);
}

#[test]
fn subscriptions_and_what_clients_push_are_told() {
    use crate::metadata::config::RESOURCE_CLIENT_METRICS;
    use crate::protocol::messages::{GetTelemetrySubscriptionsRequestData, PushTelemetryRequestData};
    let mut site = Site::alone();
    let change = |site: &mut Site, configs: &[(&str, &str)]| {
        let resource = (RESOURCE_CLIENT_METRICS, Arc::from("sub"));
        let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        site.broker.image.configs.insert(resource.clone(), Arc::new(configs));
        let delta = ImageDelta { configs_changed: [resource].into(), ..ImageDelta::default() };
        super::get_telemetry_subscriptions::on_image(&mut site.broker, &delta);
    };
    change(&mut site, &[("metrics", "*"), ("interval.ms", "1000")]);
    let prefix = "[ClientMetricsManager id=1] ";
    site.lines.expect(&[(Logger::ClientMetrics, INFO, &[prefix, "Subscription sub has effect"])]);
    site.lines.set(Logger::ClientMetrics, Level::Debug);
    let Outcome::Answer(Response::GetTelemetrySubscriptions(told)) =
        site.ask(0, GetTelemetrySubscriptionsRequestData::default())
    else {
        panic!()
    };
    let id = crate::types::Id::from(told.client_instance_id).to_string();
    let push = PushTelemetryRequestData::default()
        .with_client_instance_id(told.client_instance_id)
        .with_subscription_id(told.subscription_id);
    // An empty push is a valid message of OpenTelemetry's.
    site.ask(0, push.clone());
    site.lines.expect(&[(
        Logger::ClientMetrics,
        Level::Debug,
        &[prefix, "Client ", &id, " pushed metrics of 0 bytes"],
    )]);
    site.ask(0, push.clone());
    site.lines.expect(&[(
        Logger::ClientMetrics,
        Level::Debug,
        &[prefix, "A push of client ", &id, "is refused: THROTTLING_QUOTA_EXCEEDED"],
    )]);
    site.pass(2_000);
    site.ask(0, push.with_metrics(Bytes::from_static(&[0xff; 9])));
    site.lines.expect(&[(
        Logger::ClientMetrics,
        Level::Error,
        &[prefix, &id, " pushed unreadable metrics of 9 bytes"],
    )]);
    change(&mut site, &[("interval.ms", "soon")]);
    site.lines.expect(&[(Logger::ClientMetrics, Level::Warn, &["client metrics subscription sub has no effect: "])]);
    change(&mut site, &[]);
    site.lines.expect(&[(Logger::ClientMetrics, INFO, &["Subscription sub is gone"])]);
}

#[test]
fn a_snapshot_that_takes_the_place_of_the_metadata_is_told_with_both_offsets() {
    let mut site = Site::alone();
    site.broker.image.epoch = 3;
    publish_log::snapshot(&site.broker, 4, Duration::from_micros(250));
    site.lines.expect(&[(
        Logger::MetadataLoader,
        INFO,
        &["[MetadataLoader id=1] handleLoadSnapshot: ", "from offset 4 ", "offset=10, epoch=3", "250 us"],
    )]);
}

#[test]
fn the_broker_s_standing_is_told_once_each() {
    let mut site = Site::with(image(1, 0, ALONE, ALONE));
    let (now, epoch) = (site.now, 5);
    site.lines.expect(&[(
        Logger::BrokerLifecycle,
        INFO,
        &["[BrokerLifecycleManager id=1] From NOT_RUNNING to STARTING: incarnation "],
    )]);
    lifecycle_log::refused(&mut site.broker, ErrorCode::DuplicateBrokerRegistration);
    lifecycle_log::refused(&mut site.broker, ErrorCode::DuplicateBrokerRegistration);
    assert_eq!(site.lines.take().len(), 1, "the same refusal is told once");
    site.broker.lifecycle.registered(now, epoch);
    lifecycle_log::registered(&mut site.broker, epoch);
    site.broker.on_tick(now);
    site.broker.lifecycle.heard(now, false, false);
    site.broker.on_tick(now);
    site.lines.expect(&[
        (Logger::BrokerLifecycle, INFO, &["Registered broker 1 with broker epoch 5."]),
        (
            Logger::BrokerLifecycle,
            INFO,
            &["From STARTING to RECOVERY: the metadata reaches offset 10, past the registration at 5"],
        ),
        (Logger::BrokerLifecycle, INFO, &["From RECOVERY to RUNNING: the controller unfenced broker epoch 5"]),
    ]);
    for _ in 0..10 {
        site.pass(1_000);
    }
    let idle = site.lines.take();
    assert!(idle.iter().all(|line| line.level < INFO), "{idle:?}");
    site.broker.lifecycle.heard(site.now, true, false);
    site.pass(1);
    site.lines.expect(&[(Logger::BrokerLifecycle, Level::Warn, &["From RUNNING to RECOVERY: the controller fenced"])]);
    site.broker.begin_shutdown(site.now, Duration::from_secs(5));
    site.lines.expect(&[(Logger::BrokerLifecycle, INFO, &["From RECOVERY to PENDING_CONTROLLED_SHUTDOWN: "])]);
    site.pass(6_000);
    site.lines.expect(&[
        (Logger::BrokerServer, Level::Error, &["[BrokerServer id=1] The controller did not approve"]),
        (Logger::BrokerLifecycle, INFO, &["From PENDING_CONTROLLED_SHUTDOWN to SHUTTING_DOWN: "]),
    ]);
    assert_eq!(upkeep::state(&site.broker), 7);
    site.broker.shutdown(site.now).unwrap();
    site.lines.expect(&[(Logger::ReplicaManager, INFO, &["[ReplicaManager broker=1] Shut down completely"])]);
}
