//! One cluster that plays the cases: where its brokers are, what it was asked and what it answered.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::codec::{self, hex};
use super::normal::Normal;
use super::schema::{Message, Schemas};
use super::wire::{Connection, Reply, header};
use super::{ConformanceError, golden};

/// Longest wait until all brokers know what was changed.
const SETTLING: Duration = Duration::from_secs(30);
/// Longest wait for a cluster to start, on a machine that does other things too.
const START: Duration = Duration::from_secs(120);
/// An answer that takes as long is told of: hundreds of them would make the comparison itself slow.
const SLOW: Duration = Duration::from_millis(700);
/// Name of the client in each request's header.
pub const CLIENT_ID: &str = "conformance";

/// A request's name and what came of it: the answer's fields, or `{"!": why there is none}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// API, version, case and step: the same on both sides.
    pub key: String,
    /// Normalised.
    pub outcome: Value,
}

/// Outcome of a case or of a step in it.
pub type Outcome<T = ()> = Result<T, ConformanceError>;

/// A cluster under examination.
pub struct Side {
    /// Brokers by id.
    brokers: BTreeMap<i32, String>,
    connections: HashMap<(i32, u8), Connection>,
    normal: Normal,
    case: String,
    numbers: HashMap<String, u32>,
    /// All that was asked so far.
    pub exchanges: Vec<Exchange>,
    /// Leaves out what changes nothing and is not in the golden files.
    pub golden_only: bool,
}

/// A request that is on its way.
pub struct Pending {
    key: String,
    api: &'static Message,
    version: i16,
    correlation_id: i32,
    at: (i32, u8),
}

fn step<T>(what: impl Into<String>) -> Outcome<T> {
    Err(ConformanceError::Step(what.into()))
}

/// The definition of an API's request.
///
/// # Errors
/// Kafka has no such API.
pub fn request_of(api: &str) -> Outcome<&'static Message> {
    Schemas::kafka().request(api).ok_or_else(|| ConformanceError::Codec(format!("there is no API {api}")))
}

impl Side {
    /// A cluster of three brokers, at these addresses.
    ///
    /// # Errors
    /// It does not answer.
    pub fn connect(bootstrap_servers: &str) -> Outcome<Side> {
        let first = bootstrap_servers.split(',').next().unwrap_or_default().to_owned();
        let mut side = Side {
            brokers: BTreeMap::from([(0, first)]),
            connections: HashMap::new(),
            normal: Normal::default(),
            case: String::new(),
            numbers: HashMap::new(),
            exchanges: Vec::new(),
            golden_only: false,
        };
        let until = Instant::now() + START;
        loop {
            // A broker of Kafka's takes part before it listens.
            let asked = side.send(0, "Metadata", 2, &json!({"Topics": []}));
            if asked.is_err() && Instant::now() > until {
                return asked.map(|_| side);
            }
            let answer = asked.unwrap_or_default();
            let brokers = answer["Brokers"].as_array().cloned().unwrap_or_default();
            if brokers.len() == 3 {
                side.brokers = brokers
                    .iter()
                    .map(|broker| {
                        let host = broker["Host"].as_str().unwrap_or_default();
                        (broker["NodeId"].as_i64().unwrap_or(-1) as i32, format!("{host}:{}", broker["Port"]))
                    })
                    .collect();
                side.normal.learn_brokers(&side.brokers);
                side.prepare()?;
                return Ok(side);
            }
            if Instant::now() > until {
                return step(format!("of three brokers there are {}", brokers.len()));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// The coordinators' topics with leaders that are the same on both sides, and producer ids that can be had.
    fn prepare(&mut self) -> Outcome {
        let common = [("cleanup.policy", "compact"), ("segment.bytes", "104857600")];
        let offsets = [&common[..], &[("compression.type", "producer")]].concat();
        let state = [
            ("compression.type", "uncompressed"),
            ("unclean.leader.election.enable", "false"),
            ("min.insync.replicas", "2"),
        ];
        self.topic("__consumer_offsets", 50, &offsets)?;
        self.topic("__transaction_state", 50, &[&common[..], &state].concat())?;
        for broker in self.broker_ids() {
            let body = json!({"TransactionalId": null, "TransactionTimeoutMs": 60_000});
            self.wait(broker, "producer ids", "InitProducerId", 4, &body, |answer| answer["ErrorCode"] == 0)?;
        }
        Ok(())
    }

    /// Plays a case: its name stands in the keys of what it asks. That it could not go on is kept as an outcome too.
    pub fn play(&mut self, name: &str, play: fn(&mut Side) -> Outcome) {
        self.case = name.to_owned();
        self.anew();
        if let Err(error) = play(self) {
            self.note(&format!("- v0 {name}: could not go on"), json!({"!": error.to_string()}));
        }
    }

    /// From here on, producer ids and member ids are numbered anew.
    pub fn anew(&mut self) {
        self.normal.forget_numbers();
    }

    /// A name that nothing has yet, the same on both sides.
    pub fn fresh(&mut self, what: &str) -> String {
        let number = self.numbers.entry(what.to_owned()).or_default();
        *number += 1;
        format!("{what}-{number}")
    }

    /// Ids of the brokers.
    pub fn broker_ids(&self) -> Vec<i32> {
        self.brokers.keys().copied().collect()
    }

    fn note(&mut self, key: &str, outcome: Value) {
        let mut key = key.to_owned();
        if let Some(number) = self.numbers.get_mut(&key) {
            *number += 1;
            key = format!("{key} #{number}");
        } else {
            self.numbers.insert(key.clone(), 1);
        }
        self.exchanges.push(Exchange { key, outcome });
    }

    fn connection(&mut self, at: (i32, u8)) -> Outcome<&mut Connection> {
        if !self.connections.contains_key(&at) {
            let Some(address) = self.brokers.get(&at.0) else { return step(format!("there is no broker {}", at.0)) };
            let connection = Connection::open(address)?;
            self.connections.insert(at, connection);
        }
        self.connections.get_mut(&at).ok_or_else(|| ConformanceError::Step("no connection".into()))
    }

    fn read(&mut self, pending: &Pending) -> Result<Value, String> {
        let Some(connection) = self.connections.get_mut(&pending.at) else { return Err("closed".into()) };
        let began = Instant::now();
        let reply = connection.receive();
        if began.elapsed() > SLOW {
            eprintln!("{:.1} s for {}", began.elapsed().as_secs_f64(), pending.key);
        }
        match reply {
            Reply::Frame(frame) => answer_of(pending, &frame),
            Reply::Closed => {
                self.connections.remove(&pending.at);
                Err("closed".into())
            }
            Reply::Silence => {
                self.connections.remove(&pending.at);
                Err("no answer".into())
            }
        }
    }

    /// Asks without keeping what was answered: for what a case needs and does not examine.
    ///
    /// # Errors
    /// There is no answer.
    pub fn send(&mut self, broker: i32, api: &str, version: i16, body: &Value) -> Outcome<Value> {
        let message = request_of(api)?;
        let body = codec::encode(message, version, body)?;
        let pending = self.launch((broker, 0), message, version, &body, String::new())?;
        match self.read(&pending) {
            Ok(answer) => {
                self.normal.learn(&answer);
                Ok(answer)
            }
            Err(why) => step(format!("{api} version {version}: {why}")),
        }
    }

    fn launch(
        &mut self,
        at: (i32, u8),
        api: &'static Message,
        version: i16,
        body: &[u8],
        key: String,
    ) -> Outcome<Pending> {
        let connection = self.connection(at)?;
        let correlation_id = connection.next_correlation_id();
        let mut frame = header(api, version, correlation_id, Some(CLIENT_ID));
        frame.extend(body);
        connection.send(&frame);
        Ok(Pending { key, api, version, correlation_id, at })
    }

    /// True where a sweep need not ask this.
    pub fn skips(&self, api: &str, version: i16, label: &str) -> bool {
        const READING: [&str; 17] = [
            "ApiVersions",
            "ConsumerGroupDescribe",
            "DescribeCluster",
            "DescribeConfigs",
            "DescribeGroups",
            "DescribeLogDirs",
            "DescribeQuorum",
            "DescribeTopicPartitions",
            "Fetch",
            "FindCoordinator",
            "ListConfigResources",
            "ListGroups",
            "ListOffsets",
            "ListPartitionReassignments",
            "Metadata",
            "OffsetFetch",
            "OffsetForLeaderEpoch",
        ];
        self.golden_only && READING.contains(&api) && !golden::is_chosen(&self.key(api, version, label))
    }

    fn key(&self, api: &str, version: i16, label: &str) -> String {
        format!("{api} v{version} {}: {label}", self.case)
    }

    /// Sends a request on a connection of its own number and does not wait.
    ///
    /// # Errors
    /// The body does not fit the definition, or there is no connection.
    pub fn begin(&mut self, label: &str, at: (i32, u8), api: &str, version: i16, body: &Value) -> Outcome<Pending> {
        let message = request_of(api)?;
        let bytes = codec::encode(message, version, body)?;
        let key = self.key(api, version, label);
        self.launch(at, message, version, &bytes, key)
    }

    /// Waits for the answer and keeps it; what the cluster really said, or null.
    ///
    /// # Errors
    /// None: what goes wrong is an outcome.
    pub fn finish(&mut self, pending: &Pending) -> Outcome<Value> {
        let read = self.read(pending);
        Ok(self.keep(pending, read))
    }

    fn keep(&mut self, pending: &Pending, read: Result<Value, String>) -> Value {
        match read {
            Ok(answer) => {
                self.normal.learn(&answer);
                let outcome = self.normal.normalise(&pending.api.api, &answer);
                self.note(&pending.key.clone(), outcome);
                answer
            }
            Err(why) => {
                self.note(&pending.key.clone(), json!({"!": why}));
                Value::Null
            }
        }
    }

    /// Asks and keeps the answer; what the cluster really said, or null.
    ///
    /// # Errors
    /// The body does not fit the definition, or there is no connection.
    pub fn ask(&mut self, label: &str, broker: i32, api: &str, version: i16, body: &Value) -> Outcome<Value> {
        let pending = self.begin(label, (broker, 0), api, version, body)?;
        self.finish(&pending)
    }

    /// The same with the body's bytes, well-formed or not.
    ///
    /// # Errors
    /// There is no connection.
    pub fn ask_bytes(&mut self, label: &str, broker: i32, api: &str, version: i16, body: &[u8]) -> Outcome<Value> {
        let key = self.key(api, version, label);
        let pending = self.launch((broker, 0), request_of(api)?, version, body, key)?;
        self.finish(&pending)
    }

    /// Sends a frame's content as it is; the answer is kept as bytes after its first four, the correlation id.
    ///
    /// # Errors
    /// There is no connection.
    pub fn ask_frame(&mut self, label: &str, api: &str, version: i16, frame: &[u8]) -> Outcome {
        let bytes = [&(frame.len() as u32).to_be_bytes()[..], frame].concat();
        self.ask_raw(label, api, version, &bytes)
    }

    /// Sends bytes as they are, length and all; the answer is kept as that to a frame.
    ///
    /// # Errors
    /// There is no connection.
    pub fn ask_raw(&mut self, label: &str, api: &str, version: i16, bytes: &[u8]) -> Outcome {
        let at = (1, 9);
        let key = self.key(api, version, label);
        let connection = self.connection(at)?;
        connection.send_bytes(bytes);
        let outcome = match connection.receive() {
            Reply::Frame(frame) => {
                let pending = Pending {
                    key: key.clone(),
                    api: request_of(api)?,
                    version,
                    correlation_id: correlation(&frame),
                    at,
                };
                let read = answer_of(&pending, &frame)
                    .or_else(|_| Ok(json!({"bytes": hex(frame.get(4..).unwrap_or_default())})));
                self.keep(&pending, read);
                return Ok(());
            }
            Reply::Closed => "closed",
            Reply::Silence => "no answer",
        };
        self.connections.remove(&at);
        self.note(&key, json!({"!": outcome}));
        Ok(())
    }

    /// Asks for what may not be answered: an ApiVersions request follows on the same connection, and if its answer comes first, there was none.
    ///
    /// # Errors
    /// The body does not fit the definition, or there is no connection.
    pub fn ask_unanswered(
        &mut self,
        label: &str,
        broker: i32,
        api: &str,
        version: i16,
        body: &Value,
    ) -> Outcome<Value> {
        let at = (broker, 8);
        let pending = self.begin(label, at, api, version, body)?;
        let sentinel = self.begin("sentinel", at, "ApiVersions", 0, &json!({}))?;
        let Some(connection) = self.connections.get_mut(&at) else { return step("no connection") };
        let first = match connection.receive() {
            Reply::Frame(frame) if correlation(&frame) == sentinel.correlation_id => {
                Err("nothing, as it should".into())
            }
            Reply::Frame(frame) => {
                connection.receive();
                answer_of(&pending, &frame)
            }
            Reply::Closed => Err("closed".into()),
            Reply::Silence => Err("no answer".into()),
        };
        if matches!(&first, Err(why) if why == "closed" || why == "no answer") {
            self.connections.remove(&at);
        }
        Ok(self.keep(&pending, first))
    }

    /// Closes a connection, as a client that goes away does.
    pub fn hang_up(&mut self, at: (i32, u8)) {
        self.connections.remove(&at);
    }

    /// Creates a topic whose partition N is led by broker 1 + N mod 3, and waits until all brokers know it.
    ///
    /// # Errors
    /// It is refused.
    pub fn topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Outcome {
        let assignments: Vec<Value> = (0..partitions)
            .map(|index| {
                let replicas: Vec<i32> = (0..3).map(|replica| 1 + (index + replica) % 3).collect();
                json!({"PartitionIndex": index, "BrokerIds": replicas})
            })
            .collect();
        let configs: Vec<Value> = configs.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
        let topic = json!({"Name": name, "NumPartitions": -1, "ReplicationFactor": -1, "Assignments": assignments, "Configs": configs});
        let answer = self.send(1, "CreateTopics", 7, &json!({"Topics": [topic], "timeoutMs": 30_000}))?;
        if answer["Topics"][0]["ErrorCode"] != 0 {
            return step(format!("topic {name} was not created: {answer}"));
        }
        self.settle(name, partitions as usize)
    }

    /// Waits until all brokers tell of a topic with so many partitions, each with a leader and a full ISR.
    ///
    /// # Errors
    /// They do not.
    pub fn settle(&mut self, topic: &str, partitions: usize) -> Outcome {
        let mut described = Value::Null;
        for broker in self.broker_ids() {
            let body = json!({"Topics": [{"Name": topic}]});
            described = self.wait(broker, &format!("topic {topic}"), "Metadata", 12, &body, |answer| {
                let known = answer["Topics"][0]["Partitions"].as_array();
                let whole = |partition: &Value| {
                    partition["ErrorCode"] == 0
                        && partition["IsrNodes"].as_array().map(Vec::len)
                            == partition["ReplicaNodes"].as_array().map(Vec::len)
                };
                known.is_some_and(|known| known.len() == partitions && known.iter().all(whole))
            })?;
        }
        // That a broker knows of a leader does not say that this one already leads.
        for leader in self.broker_ids() {
            let led = described["Topics"][0]["Partitions"].as_array().into_iter().flatten();
            let led = led.filter(|partition| partition["LeaderId"] == leader);
            let led: Vec<Value> =
                led.map(|one| json!({"PartitionIndex": one["PartitionIndex"], "Timestamp": -1})).collect();
            if led.is_empty() {
                continue;
            }
            let body = json!({"ReplicaId": -1, "Topics": [{"Name": topic, "Partitions": led}]});
            self.wait(leader, &format!("the leaders of {topic}"), "ListOffsets", 4, &body, |answer| {
                let answered = answer["Topics"][0]["Partitions"].as_array();
                answered.is_some_and(|all| all.iter().all(|partition| partition["ErrorCode"] == 0))
            })?;
        }
        Ok(())
    }

    /// Asks again until the answer is as wanted, and returns it. Nothing is kept.
    ///
    /// # Errors
    /// It never is.
    pub fn wait(
        &mut self,
        broker: i32,
        what: &str,
        api: &str,
        version: i16,
        body: &Value,
        wanted: impl Fn(&Value) -> bool,
    ) -> Outcome<Value> {
        let until = Instant::now() + SETTLING;
        loop {
            let answer = self.send(broker, api, version, body)?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if Instant::now() > until {
                return step(format!("waited in vain for {what}: {answer}"));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Topic id, as 32 hex digits.
    ///
    /// # Errors
    /// There is no such topic.
    pub fn topic_id(&mut self, topic: &str) -> Outcome<String> {
        let answer = self.send(1, "Metadata", 12, &json!({"Topics": [{"Name": topic}]}))?;
        match answer["Topics"][0]["TopicId"].as_str() {
            Some(id) if id != codec::ZERO_ID => Ok(id.to_owned()),
            _ => step(format!("topic {topic} has no id: {answer}")),
        }
    }

    /// The broker that coordinates a group (key type 0) or a transactional id (1), once it does.
    ///
    /// # Errors
    /// None does.
    pub fn coordinator(&mut self, key: &str, key_type: i8) -> Outcome<i32> {
        let body = json!({"Key": key, "KeyType": key_type});
        let found = self.wait(1, "a coordinator", "FindCoordinator", 3, &body, |answer| answer["ErrorCode"] == 0)?;
        let node = found["NodeId"].as_i64().unwrap_or(-1) as i32;
        if key_type == 0 {
            let body = json!({"Groups": [key]});
            // NOT_COORDINATOR and COORDINATOR_LOAD_IN_PROGRESS until it has the partition.
            self.wait(node, "the coordinator's partition", "DescribeGroups", 0, &body, |answer| {
                ![14, 15, 16].contains(&answer["Groups"][0]["ErrorCode"].as_i64().unwrap_or_default())
            })?;
        }
        Ok(node)
    }
}

fn correlation(frame: &[u8]) -> i32 {
    frame.first_chunk::<4>().map_or(-1, |bytes| i32::from_be_bytes(*bytes))
}

fn answer_of(pending: &Pending, frame: &[u8]) -> Result<Value, String> {
    let found = correlation(frame);
    if found != pending.correlation_id {
        return Err(format!("correlation id {found} instead of {}", pending.correlation_id));
    }
    let api = pending.api;
    // The answer to an ApiVersions request of an unknown version is of version 0.
    let unknown = !api.versions.has(pending.version);
    let version = if unknown { 0 } else { pending.version };
    let response = Schemas::kafka().response(&api.api).ok_or("no such response")?;
    let mut body = frame.get(4..).unwrap_or_default();
    if response.flexible.has(version) && api.api != "ApiVersions" {
        match body.split_first() {
            Some((0, rest)) => body = rest,
            _ => return Err(format!("the header has tagged fields: {}", hex(frame))),
        }
    }
    codec::decode(response, version, body).map_err(|error| format!("undecodable: {error}"))
}
