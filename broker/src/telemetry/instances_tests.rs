//! The table of Kafka's `ClientMetricsManager`, with time simulated. Kafka offers these APIs only where a plugin is configured, so that the
//! cases are those of its source.

use std::collections::BTreeMap;

use super::*;

const INTERVAL_MS: u64 = 1_000;

fn at(ms: u64) -> Now {
    Now { mono: Duration::from_millis(ms), wall_ms: 0 }
}

fn config(configs: &[(&str, &str)]) -> ClientMetricsConfig {
    let configs: BTreeMap<_, _> = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ClientMetricsConfig::parse(&configs).unwrap()
}

fn subscribe(instances: &mut Instances, name: &str, configs: &[(&str, &str)]) {
    instances.set_subscription(&name.into(), Some(config(configs)));
}

fn client(client_id: &str) -> ClientAttributes {
    ClientAttributes { client_id: Some(client_id.to_owned()), ..ClientAttributes::default() }
}

/// Subscribed to everything of everybody, each second, at most 100 bytes.
fn instances() -> Instances {
    let mut instances = Instances::new(100, 7);
    subscribe(&mut instances, "all", &[("metrics", "*"), ("interval.ms", &INTERVAL_MS.to_string())]);
    instances
}

struct Client {
    instances: Instances,
    subscribed: Subscribed,
}

impl Client {
    fn new() -> Client {
        let mut instances = instances();
        let subscribed = instances.get(at(0), 1, Id::ZERO, &client("app")).unwrap();
        Client { instances, subscribed }
    }

    fn get(&mut self, ms: u64) -> Result<Subscribed, ErrorCode> {
        self.instances.get(at(ms), 1, self.subscribed.client_instance_id, &client("app"))
    }

    fn push_as(&mut self, ms: u64, change: impl FnOnce(&mut Push)) -> ErrorCode {
        let Subscribed { client_instance_id, subscription_id, .. } = self.subscribed;
        let mut push =
            Push { client_instance_id, subscription_id, terminating: false, compression_type: 0, size_bytes: 100 };
        change(&mut push);
        let error = self.instances.push(at(ms), 1, &push, &client("app")).err().unwrap_or(ErrorCode::None);
        if error == ErrorCode::None {
            self.instances.done(client_instance_id, error);
        }
        error
    }

    fn push(&mut self, ms: u64) -> ErrorCode {
        self.push_as(ms, |_| {})
    }
}

#[test]
fn what_a_client_is_asked_for() {
    let mut instances = Instances::new(100, 7);
    let get = |instances: &mut Instances, client_id: &str| {
        let subscribed = instances.get(at(0), 1, Id::ZERO, &client(client_id)).unwrap();
        (subscribed.metrics.join(" "), subscribed.push_interval_ms)
    };
    assert_eq!(get(&mut instances, "app"), (String::new(), 300_000));
    subscribe(&mut instances, "a", &[("metrics", "x,y"), ("interval.ms", "5000"), ("match", "client_id=app.*")]);
    subscribe(&mut instances, "b", &[("metrics", "y,z"), ("interval.ms", "7000"), ("match", "client_id=app-1")]);
    assert_eq!(get(&mut instances, "app"), ("x y".into(), 5_000));
    assert_eq!(get(&mut instances, "app-1"), ("x y z".into(), 5_000));
    assert_eq!(get(&mut instances, "other"), (String::new(), 300_000));
    subscribe(&mut instances, "c", &[("metrics", "*"), ("interval.ms", "3600000")]);
    assert_eq!(get(&mut instances, "app"), ("*".into(), 5_000));
    assert_eq!(get(&mut instances, "other"), ("*".into(), 300_000));
    instances.set_subscription(&"c".into(), None);
    assert_eq!(get(&mut instances, "other"), (String::new(), 300_000));
}

#[test]
fn ids_of_instances_and_subscriptions() {
    let mut instances = instances();
    let first = instances.get(at(0), 1, Id::ZERO, &client("a")).unwrap();
    let second = instances.get(at(0), 2, Id::ZERO, &client("a")).unwrap();
    assert!(!is_reserved(first.client_instance_id));
    assert_ne!(first.client_instance_id, second.client_instance_id);
    assert_ne!(first.subscription_id, second.subscription_id);
    // Another broker agrees.
    let mut other = self::instances();
    assert_eq!(other.get(at(0), 1, first.client_instance_id, &client("a")).unwrap(), first);
    // CRC-32C of `[*]1000`, and the hash code of the id as Java has it.
    let id = Id([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 8]);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, b"[*]1000") as u32;
    let subscribed = instances.get(at(0), 3, id, &client("a")).unwrap();
    assert_eq!(subscribed.subscription_id, (crc ^ 1 ^ 2 ^ 4 ^ 8).cast_signed());
}

#[test]
fn gets_keep_to_the_interval() {
    let mut client = Client::new();
    assert_eq!(client.get(999).unwrap_err(), ErrorCode::ThrottlingQuotaExceeded);
    assert_eq!(client.get(1_000), Ok(client.subscribed.clone()));
    assert_eq!(client.push(1_500), ErrorCode::None, "the first after a Get may come early");
    assert_eq!(client.get(2_499).unwrap_err(), ErrorCode::ThrottlingQuotaExceeded, "a push counts too");
    assert!(client.get(2_500).is_ok());
}

#[test]
fn pushes_keep_to_the_interval() {
    let mut client = Client::new();
    assert_eq!(client.push(1), ErrorCode::None);
    assert_eq!(client.push(1_000), ErrorCode::ThrottlingQuotaExceeded);
    assert_eq!(client.push(1_001), ErrorCode::None);
    // Nobody's Get came before: there is nothing to be early against.
    let mut unheard = Client::new();
    unheard.instances = instances();
    assert_eq!(unheard.push(5), ErrorCode::None);
}

#[test]
fn refusals_in_kafkas_order() {
    // Each case breaks one more rule than the next; what breaks first is told.
    type Change = fn(&mut Push);
    let cases: [(u64, Change, ErrorCode); 5] = [
        (1, |p| (p.subscription_id, p.compression_type, p.size_bytes) = (0, 9, 101), ErrorCode::UnknownSubscriptionId),
        (1, |p| (p.compression_type, p.size_bytes) = (5, 101), ErrorCode::UnsupportedCompressionType),
        (1, |p| (p.compression_type, p.size_bytes) = (-1, 101), ErrorCode::UnsupportedCompressionType),
        (1, |p| p.size_bytes = 101, ErrorCode::TelemetryTooLarge),
        (1, |p| p.compression_type = 4, ErrorCode::None),
    ];
    for (ms, change, expected) in cases {
        let mut client = Client::new();
        assert_eq!(client.push_as(ms, change), expected);
        let early = client.push_as(ms + 1, change);
        assert_eq!(early, ErrorCode::ThrottlingQuotaExceeded, "too early goes before {expected:?}");
    }
    for id in [Id::ZERO, Id(1u128.to_be_bytes())] {
        let mut client = Client::new();
        assert_eq!(client.push_as(1, |push| push.client_instance_id = id), ErrorCode::InvalidRequest);
        assert_eq!(client.instances.len(), 1);
    }
}

#[test]
fn after_a_refusal_that_a_get_can_mend_the_get_may_come_early() {
    for (refused, may_come) in [
        (ErrorCode::UnknownSubscriptionId, true),
        (ErrorCode::UnsupportedCompressionType, true),
        (ErrorCode::TelemetryTooLarge, false),
    ] {
        let mut client = Client::new();
        let error = client.push_as(1, |push| match refused {
            ErrorCode::UnknownSubscriptionId => push.subscription_id ^= 1,
            ErrorCode::UnsupportedCompressionType => push.compression_type = 7,
            _ => push.size_bytes = 101,
        });
        assert_eq!(error, refused);
        assert_eq!(client.get(2).is_ok(), may_come, "{refused:?}");
        assert_eq!(client.get(3).unwrap_err(), ErrorCode::ThrottlingQuotaExceeded, "once");
    }
    let mut client = Client::new();
    assert_eq!(client.push(1), ErrorCode::None);
    client.instances.done(client.subscribed.client_instance_id, ErrorCode::InvalidRecord);
    assert_eq!(client.get(2).unwrap_err(), ErrorCode::ThrottlingQuotaExceeded);
}

#[test]
fn the_last_push_may_come_early_and_none_after_it() {
    let mut client = Client::new();
    assert_eq!(client.push(1), ErrorCode::None);
    assert_eq!(client.push_as(2, |push| push.terminating = true), ErrorCode::None);
    assert_eq!(client.push_as(5_000, |push| push.terminating = true), ErrorCode::InvalidRequest);
    assert_eq!(client.push(6_000), ErrorCode::InvalidRequest);
    // So does Kafka: what was refused was not the last.
    assert_eq!(client.push(7_000), ErrorCode::None);
}

#[test]
fn a_changed_subscription_is_told_at_once() {
    let mut client = Client::new();
    assert_eq!(client.push(1), ErrorCode::None);
    subscribe(&mut client.instances, "more", &[("metrics", "x"), ("interval.ms", "500")]);
    assert_eq!(client.push(2), ErrorCode::UnknownSubscriptionId);
    let subscribed = client.get(3).unwrap();
    assert_eq!(subscribed.push_interval_ms, 500);
    assert_ne!(subscribed.subscription_id, client.subscribed.subscription_id);
    client.subscribed = subscribed;
    // The refused push counted, and the Get came by its error: no push before its time.
    assert_eq!(client.push(4), ErrorCode::ThrottlingQuotaExceeded);
    assert_eq!(client.push(502), ErrorCode::None);
}

#[test]
fn instances_go_with_their_connection_or_by_silence() {
    let mut client = Client::new();
    assert_eq!(client.instances.next_deadline(), Some(Duration::from_secs(60)));
    client.instances.on_tick(at(59_999));
    assert_eq!(client.instances.len(), 1);
    assert!(client.get(59_999).is_ok());
    client.instances.on_tick(at(60_000));
    assert_eq!(client.instances.len(), 1, "heard meanwhile");
    client.instances.on_tick(at(119_999));
    assert!(client.instances.is_empty() && client.instances.next_deadline().is_none());
    assert!(client.instances.of_conn.is_empty());
    let mut client = Client::new();
    client.instances.on_disconnect(2);
    assert_eq!(client.instances.len(), 1);
    client.instances.on_disconnect(1);
    assert!(client.instances.is_empty());
    // A long interval is waited for three times.
    let mut slow = Instances::new(100, 7);
    slow.get(at(0), 1, Id::ZERO, &self::client("a")).unwrap();
    assert_eq!(slow.next_deadline(), Some(Duration::from_secs(900)));
}

#[test]
fn one_connection_cannot_fill_the_memory() {
    let mut instances = instances();
    let first = instances.get(at(0), 1, Id::ZERO, &client("a")).unwrap().client_instance_id;
    for _ in 0..INSTANCES_MAX {
        instances.get(at(1), 1, Id::ZERO, &client("a")).unwrap();
    }
    assert_eq!(instances.len(), INSTANCES_MAX);
    assert!(!instances.by_id.contains_key(&first), "silent longest");
    assert_eq!((instances.by_use.len(), instances.by_expiry.len()), (INSTANCES_MAX, INSTANCES_MAX));
    assert_eq!(instances.of_conn.len(), 1);
}
