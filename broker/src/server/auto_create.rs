//! Topics made because somebody asked for them: internal ones when their coordinator is first needed, others by Metadata where
//! `auto.create.topics.enable` allows it. Each is asked of the controller once at a time, however many clients ask for it.
//!
//! Source: `kafka.server.AutoTopicCreationManager`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Broker;
use super::context::RequestContext;
use super::endpoints::text;
use super::peer::PeerRequest;
use super::peer_requests::Purpose;
use crate::logging::Logger;
use crate::metadata::config::NodeConfig;
use crate::protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use crate::protocol::messages::{CreateTopicsRequestData, CreateTopicsResponseData};
use crate::protocol::{ErrorCode, error_name};
use crate::types::Now;

/// At most so many topics are being created for clients at a time; more have to wait for their clients' next try.
const MAX_UNDER_WAY: usize = 1_000;

/// At most so many failures are remembered.
const MAX_FAILED: usize = 1_000;

/// After this, a topic that did not come is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Topics asked of the controller, and until when nobody asks again.
#[derive(Debug, Default)]
pub struct AutoCreation {
    under_way: BTreeMap<String, Duration>,
    /// Why topics of streams groups could not be created, and until when that is told instead of another try.
    failed: BTreeMap<String, (Duration, String)>,
}

impl AutoCreation {
    /// Those of `names` that are to be asked for now.
    fn start<'a>(&mut self, now: Now, names: &[&'a str], patience: Duration) -> Vec<&'a str> {
        self.under_way.retain(|_, until| *until > now.mono);
        let mut started = Vec::new();
        for name in names {
            if self.under_way.len() < MAX_UNDER_WAY && !self.under_way.contains_key(*name) {
                self.under_way.insert((*name).to_owned(), now.mono + patience);
                started.push(*name);
            }
        }
        started
    }

    /// These are not to be asked for again until then, and why.
    fn failed(&mut self, now: Now, until: Duration, failures: impl Iterator<Item = (String, String)>) {
        for (name, why) in failures {
            self.failed.insert(name, (until, why));
        }
        if self.failed.len() > MAX_FAILED {
            self.failed.retain(|_, (until, _)| *until > now.mono);
        }
        while self.failed.len() > MAX_FAILED {
            self.failed.pop_first();
        }
    }

    /// Why a topic could not be created a short time ago.
    fn failure(&self, now: Now, name: &str) -> Option<&str> {
        self.failed.get(name).filter(|(until, _)| *until > now.mono).map(|(_, why)| why.as_str())
    }
}

/// Asks the controller for these topics, with the partitions, copies and configs that this broker's configuration gives them. They
/// count against the quota of `client`; internal ones are nobody's.
pub fn create(broker: &mut Broker, client: Option<&RequestContext>, now: Now, names: &[&str]) {
    let names = broker.auto_creation.start(now, names, ASK_AGAIN);
    if names.is_empty() {
        return;
    }
    asked(broker, &names);
    let topics = names.into_iter().map(|name| creatable(&broker.config, name)).collect();
    let timeout_ms = broker.config.i32("request.timeout.ms");
    let request = CreateTopicsRequestData::default().with_topics(topics).with_timeout_ms(timeout_ms);
    broker.auto_create_topic(client, now, PeerRequest::CreateTopics(Box::new(request)));
}

/// Asks the controller for the internal topics of an application, for the client that needs them. A failure is remembered for `memory`;
/// returns those that are, by topic.
pub fn create_internal(
    broker: &mut Broker,
    client: &RequestContext,
    now: Now,
    topics: Vec<CreatableTopic>,
    memory: Duration,
) -> Vec<(String, String)> {
    let known = |topic: &CreatableTopic| {
        let why = broker.auto_creation.failure(now, topic.name.as_str())?;
        Some((topic.name.to_string(), why.to_owned()))
    };
    let failures: Vec<(String, String)> = topics.iter().filter_map(known).collect();
    let failed = |name: &str| failures.iter().any(|(failed, _)| failed == name);
    let wanted: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).filter(|name| !failed(name)).collect();
    let patience = broker.config.millis("request.timeout.ms");
    let names: Vec<String> =
        broker.auto_creation.start(now, &wanted, patience).into_iter().map(str::to_owned).collect();
    if !names.is_empty() {
        asked(broker, &names);
        let topics = topics.into_iter().filter(|topic| names.iter().any(|name| topic.name.as_str() == name)).collect();
        let timeout_ms = broker.config.i32("request.timeout.ms");
        let request = CreateTopicsRequestData::default().with_topics(topics).with_timeout_ms(timeout_ms);
        let request = broker.metered(client, true, PeerRequest::CreateTopics(Box::new(request)));
        broker.send_to_controller(Purpose::InternalTopics { names, memory }, now, request, patience);
    }
    failures
}

/// The controller has answered a request for internal topics, or not in time.
pub fn on_internal(
    broker: &mut Broker,
    now: Now,
    names: Vec<String>,
    memory: Duration,
    response: Option<&CreateTopicsResponseData>,
) {
    match response {
        Some(response) => told(broker, response),
        None => broker.config.log.debug(Logger::AutoTopicCreation, || {
            format!("No controller answered in time when topics were to be created: {}.", names.join(", "))
        }),
    }
    let creation = &mut broker.auto_creation;
    creation.under_way.retain(|name, _| !names.contains(name));
    let until = now.mono + memory;
    let Some(response) = response else {
        let late = names.into_iter().map(|name| (name, "The request timed out.".to_owned()));
        return creation.failed(now, until, late);
    };
    let failures = response.topics.iter().filter(|topic| topic.error_code != 0).map(|topic| {
        let why = topic.error_message.as_ref().filter(|why| !why.is_empty()).map(ToString::to_string);
        (topic.name.to_string(), why.unwrap_or_else(|| ErrorCode::from(topic.error_code).to_string()))
    });
    creation.failed(now, until, failures);
}

fn asked(broker: &Broker, names: &[impl AsRef<str>]) {
    broker.config.log.info(Logger::AutoTopicCreation, || {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        format!("The active controller is asked to create what clients need: {}.", names.join(", "))
    });
}

/// What the log tells of the controller's answer.
pub(super) fn told(broker: &Broker, response: &CreateTopicsResponseData) {
    for topic in &response.topics {
        let (log, error) = (&broker.config.log, ErrorCode::from(topic.error_code));
        match error {
            ErrorCode::None => {
                log.debug(Logger::AutoTopicCreation, || format!("Topic {} was created.", topic.name.as_str()))
            }
            ErrorCode::TopicAlreadyExists => {}
            error => log.warn(Logger::AutoTopicCreation, || {
                let why = topic.error_message.as_ref().map_or("", |why| why.as_str());
                format!("Topic {} could not be created: {}, {why}", topic.name.as_str(), error_name(error))
            }),
        }
    }
}

fn creatable(config: &NodeConfig, name: &str) -> CreatableTopic {
    let (partitions, replicas, segment_bytes) = match name {
        "__consumer_offsets" => {
            ("offsets.topic.num.partitions", "offsets.topic.replication.factor", Some("offsets.topic.segment.bytes"))
        }
        "__transaction_state" => (
            "transaction.state.log.num.partitions",
            "transaction.state.log.replication.factor",
            Some("transaction.state.log.segment.bytes"),
        ),
        "__share_group_state" => (
            "share.coordinator.state.topic.num.partitions",
            "share.coordinator.state.topic.replication.factor",
            Some("share.coordinator.state.topic.segment.bytes"),
        ),
        _ => ("num.partitions", "default.replication.factor", None),
    };
    let setting =
        |key: &str, value: &str| CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)));
    let mut configs = Vec::new();
    if let Some(key) = segment_bytes {
        // What is known of a share partition begins with its latest snapshot: the coordinator deletes what lies before.
        let cleanup = if name == "__share_group_state" { "delete" } else { "compact" };
        configs.push(setting("cleanup.policy", cleanup));
        configs.push(setting("segment.bytes", &config.i64(key).to_string()));
        let compression = if name == "__transaction_state" { "uncompressed" } else { "producer" };
        configs.push(setting("compression.type", compression));
    }
    if name == "__transaction_state" {
        configs.push(setting("min.insync.replicas", &config.i64("transaction.state.log.min.isr").to_string()));
        configs.push(setting("unclean.leader.election.enable", "false"));
    }
    if name == "__share_group_state" {
        let min_isr = config.i64("share.coordinator.state.topic.min.isr");
        configs.push(setting("min.insync.replicas", &min_isr.to_string()));
        configs.push(setting("retention.ms", "-1"));
    }
    CreatableTopic::default()
        .with_name(text(name))
        .with_num_partitions(config.i32(partitions))
        .with_replication_factor(i16::try_from(config.i64(replicas)).unwrap_or(i16::MAX))
        .with_configs(configs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::config::{profile_overrides, validate_topic_config};

    #[test]
    fn a_topic_is_asked_for_once_at_a_time() {
        let mut creation = AutoCreation::default();
        let now = Now::default();
        assert_eq!(creation.start(now, &["a", "b"], ASK_AGAIN), ["a", "b"]);
        assert_eq!(creation.start(now, &["b", "c"], ASK_AGAIN), ["c"]);
        assert_eq!(creation.start(now.plus(ASK_AGAIN), &["a"], ASK_AGAIN), ["a"]);
    }

    #[test]
    fn failures_are_told_for_a_while_and_bounded() {
        let mut creation = AutoCreation::default();
        let now = Now::default();
        let why = |name: &str| (name.to_owned(), "no".to_owned());
        creation.failed(now, Duration::from_secs(2), [why("a")].into_iter());
        assert_eq!((creation.failure(now, "a"), creation.failure(now, "b")), (Some("no"), None));
        assert_eq!(creation.failure(now.plus(Duration::from_secs(2)), "a"), None);
        let many = (0..5000).map(|n| why(&n.to_string()));
        creation.failed(now, Duration::from_secs(9), many);
        assert_eq!(creation.failed.len(), MAX_FAILED);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut creation = AutoCreation::default();
        let names: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(creation.start(Now::default(), &names, ASK_AGAIN).len(), MAX_UNDER_WAY);
    }

    #[test]
    fn topics_get_what_the_configuration_says() {
        let config = NodeConfig::new(1, "c", profile_overrides("lab").unwrap()).unwrap();
        let topic = creatable(&config, "t");
        assert_eq!((topic.num_partitions, topic.replication_factor, topic.configs.len()), (1, 3, 0));
        let topic = creatable(&config, "__consumer_offsets");
        assert_eq!((topic.num_partitions, topic.replication_factor), (10, 3));
        let configs: Vec<_> =
            topic.configs.iter().map(|c| (c.name.as_str(), c.value.as_ref().unwrap().as_str())).collect();
        assert_eq!(configs[..2], [("cleanup.policy", "compact"), ("segment.bytes", "104857600")]);
        let share = creatable(&config, "__share_group_state");
        let configs: Vec<_> =
            share.configs.iter().map(|c| (c.name.as_str(), c.value.as_ref().unwrap().as_str())).collect();
        let wanted = [
            ("cleanup.policy", "delete"),
            ("segment.bytes", "104857600"),
            ("compression.type", "producer"),
            ("min.insync.replicas", "2"),
            ("retention.ms", "-1"),
        ];
        assert_eq!(configs, wanted);
        for name in ["__consumer_offsets", "__transaction_state", "__share_group_state"] {
            for entry in creatable(&config, name).configs {
                validate_topic_config(entry.name.as_str(), entry.value.unwrap().as_str()).unwrap();
            }
        }
    }
}
