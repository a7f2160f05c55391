//! Finding whom to ask: any broker, a certain one, the leader of a partition, the coordinator of a group or of a transactional id.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use broker::protocol::messages::{
    FindCoordinatorRequestData, MetadataRequestData, MetadataRequestTopic, MetadataResponseTopic,
};
use broker::protocol::{Call, ErrorCode};

use super::connection::Connection;
use super::error::ClientError;

/// Within so long all brokers know of a topic that there is.
const NEWS_TRAVEL_MAX: Duration = Duration::from_secs(1);

/// Between two attempts.
const BACKOFF: Duration = Duration::from_millis(100);
/// One broker that does not answer must not eat up all patience: there are others.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Whom to ask.
#[derive(Clone, Copy, Debug)]
pub enum To<'a> {
    /// Whoever answers: what is for the controller is forwarded to it.
    Any,
    /// This broker.
    Broker(i32),
    /// The coordinator of a group.
    Group(&'a str),
    /// The coordinator of a transactional id.
    Transaction(&'a str),
}

/// A partition by name.
pub type Partition<'a> = (&'a str, i32);

/// A client of one cluster.
#[derive(Debug)]
pub struct Client {
    bootstrap: Vec<String>,
    patience: Duration,
    brokers: BTreeMap<i32, String>,
    /// Who leads, of partitions that were asked for.
    leaders: BTreeMap<(String, i32), i32>,
    connections: BTreeMap<String, Connection>,
}

impl Client {
    /// Of the cluster at `bootstrap_servers` (`host:port,host:port`). Each wish gets so much `patience`. Nothing is sent yet.
    pub fn new(bootstrap_servers: &str, patience: Duration) -> Client {
        let servers = bootstrap_servers.split(',').map(str::trim).filter(|server| !server.is_empty());
        Client {
            bootstrap: servers.map(str::to_owned).collect(),
            patience,
            brokers: BTreeMap::new(),
            leaders: BTreeMap::new(),
            connections: BTreeMap::new(),
        }
    }

    /// How long the broker itself may take over something, in a request's `timeout_ms`: less than we wait.
    pub(super) fn broker_patience_ms(&self) -> i32 {
        i32::try_from(self.patience.as_millis() * 4 / 5).unwrap_or(i32::MAX)
    }

    /// Tries until it succeeds, fails for good, or patience ends; the error then is that of the last attempt.
    pub(super) fn persist<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Client, Instant) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let began = Instant::now();
        let until = began + self.patience;
        // A topic may be so new that the broker that is asked has not heard of it; Kafka's clients ask again too.
        let may_pass = |error: &ClientError| {
            error.is_passing() || (error.is_of_unknown_topic() && began.elapsed() < NEWS_TRAVEL_MAX)
        };
        loop {
            match attempt(self, until) {
                Err(error) if may_pass(&error) && Instant::now() + BACKOFF < until => {
                    // Who was known may have moved.
                    self.brokers.clear();
                    self.leaders.clear();
                    std::thread::park_timeout(BACKOFF);
                }
                other => return other,
            }
        }
    }

    /// Asks once. `make` is told the version that is spoken.
    pub(super) fn call<C: Call>(
        &mut self,
        to: To<'_>,
        until: Instant,
        make: impl Fn(i16) -> C,
    ) -> Result<C::Answer, ClientError> {
        self.call_at_most(to, i16::MAX, until, make)
    }

    /// The same, at a version of at most `newest`.
    pub(super) fn call_at_most<C: Call>(
        &mut self,
        to: To<'_>,
        newest: i16,
        until: Instant,
        make: impl Fn(i16) -> C,
    ) -> Result<C::Answer, ClientError> {
        let address = match to {
            To::Any => return self.call_any(newest, until, &make),
            To::Broker(id) => self.address(id, until)?,
            To::Group(group) => self.coordinator(0, group, until)?,
            To::Transaction(id) => self.coordinator(1, id, until)?,
        };
        self.call_at(&address, newest, until, &make)
    }

    fn call_any<C: Call>(
        &mut self,
        newest: i16,
        until: Instant,
        make: &impl Fn(i16) -> C,
    ) -> Result<C::Answer, ClientError> {
        let open = self.connections.keys().cloned();
        let known = self.brokers.values().cloned();
        // Those who answered before come first, then whoever was named.
        let servers: Vec<String> = open.chain(known).chain(self.bootstrap.iter().cloned()).collect();
        let mut why = "no address was given".to_owned();
        let mut tried = Vec::new();
        for server in servers {
            if tried.contains(&server) {
                continue;
            }
            match self.call_at(&server, newest, until, make) {
                Err(ClientError::Unreachable { why: reason, .. }) => why = reason,
                // An old connection may have died long ago; the next broker is as good.
                Err(ClientError::Lost { why: reason, .. }) => why = reason,
                other => return other,
            }
            tried.push(server);
        }
        Err(ClientError::Unreachable { servers: self.bootstrap.join(", "), why })
    }

    fn call_at<C: Call>(
        &mut self,
        address: &str,
        newest: i16,
        until: Instant,
        make: &impl Fn(i16) -> C,
    ) -> Result<C::Answer, ClientError> {
        let mut connection = match self.connections.remove(address) {
            Some(connection) => connection,
            None => Connection::open(address, until.min(Instant::now() + CONNECT_MAX))?,
        };
        let answer = connection.call(newest, make, until);
        // After an error nobody knows what comes next on it.
        if !matches!(
            answer,
            Err(ClientError::Lost { .. }
                | ClientError::TimedOut { .. }
                | ClientError::Malformed { .. }
                | ClientError::Unexpected { .. })
        ) {
            self.connections.insert(address.to_owned(), connection);
        }
        answer
    }

    /// Ids of all brokers that answer to clients.
    pub(super) fn broker_ids(&mut self, until: Instant) -> Result<Vec<i32>, ClientError> {
        if self.brokers.is_empty() {
            self.metadata(&[], until)?;
        }
        Ok(self.brokers.keys().copied().collect())
    }

    fn address(&mut self, id: i32, until: Instant) -> Result<String, ClientError> {
        if !self.brokers.contains_key(&id) {
            self.metadata(&[], until)?;
        }
        self.brokers.get(&id).cloned().ok_or_else(|| ClientError::Unreachable {
            servers: format!("broker {id}"),
            why: "the cluster does not list it".into(),
        })
    }

    fn coordinator(&mut self, key_type: i8, key: &str, until: Instant) -> Result<String, ClientError> {
        let answer = self.call_any(i16::MAX, until, &|version| {
            let request = FindCoordinatorRequestData::default();
            let request = if version >= 1 { request.with_key_type(key_type) } else { request };
            if version >= 4 {
                request.with_coordinator_keys(vec![key.to_owned().into()])
            } else {
                request.with_key(key.to_owned().into())
            }
        })?;
        let Some(found) = answer.coordinators.into_iter().next() else {
            ClientError::check(answer.error_code, answer.error_message.as_ref().map(|words| words.as_str()))?;
            return Ok(format!("{}:{}", answer.host.as_str(), answer.port));
        };
        ClientError::check(found.error_code, found.error_message.as_ref().map(|words| words.as_str()))?;
        Ok(format!("{}:{}", found.host.as_str(), found.port))
    }

    /// What the cluster tells of these topics; of none, only the brokers are learnt.
    pub(super) fn metadata(
        &mut self,
        topics: &[&str],
        until: Instant,
    ) -> Result<Vec<MetadataResponseTopic>, ClientError> {
        let answer = self.call_any(i16::MAX, until, &|_| {
            let named = |name: &&str| MetadataRequestTopic::default().with_name(Some((*name).to_owned().into()));
            MetadataRequestData::default()
                .with_topics(Some(topics.iter().map(named).collect()))
                .with_allow_auto_topic_creation(false)
        })?;
        self.brokers = answer
            .brokers
            .iter()
            .map(|broker| (broker.node_id, format!("{}:{}", broker.host.as_str(), broker.port)))
            .collect();
        for topic in &answer.topics {
            ClientError::check(topic.error_code, None)?;
        }
        Ok(answer.topics)
    }

    /// Who leads each of these partitions, by leader. What is known already is not asked again, until it turns out to be wrong.
    pub(super) fn by_leader<'a>(
        &mut self,
        partitions: &[Partition<'a>],
        until: Instant,
    ) -> Result<BTreeMap<i32, Vec<Partition<'a>>>, ClientError> {
        let known = |leaders: &BTreeMap<(String, i32), i32>, (topic, partition): &Partition<'_>| {
            leaders.get(&((*topic).to_owned(), *partition)).copied()
        };
        if partitions.iter().any(|one| known(&self.leaders, one).is_none_or(|leader| leader < 0)) {
            let mut names: Vec<&str> = partitions.iter().map(|(topic, _)| *topic).collect();
            names.sort_unstable();
            names.dedup();
            for topic in self.metadata(&names, until)? {
                let name = topic.name.as_ref().map_or("", |name| name.as_str());
                for found in &topic.partitions {
                    self.leaders.insert((name.to_owned(), found.partition_index), found.leader_id);
                }
            }
        }
        let mut by_leader: BTreeMap<i32, Vec<Partition<'a>>> = BTreeMap::new();
        for partition in partitions {
            let leader = known(&self.leaders, partition);
            let code = match leader {
                Some(0..) => ErrorCode::None,
                Some(_) => ErrorCode::LeaderNotAvailable,
                None => ErrorCode::UnknownTopicOrPartition,
            };
            let message = (code != ErrorCode::None).then(|| format!("{}-{}", partition.0, partition.1));
            ClientError::check(code.into(), message.as_deref())?;
            by_leader.entry(leader.unwrap_or(-1)).or_default().push(*partition);
        }
        Ok(by_leader)
    }
}
