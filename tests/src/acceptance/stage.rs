//! A round: its topic and clients on a running cluster, faults, and waiting for what must hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json};

use super::consumer::{ConsumerThread, Habit, Reader};
use super::gauge::Gauge;
use super::plan::Plan;
use super::producer::ProducerThread;
use super::recorder::Recorder;
use super::transactor::TransactorThread;
use super::view::View;
use super::{House, Judge, Report, files};
use crate::campaign::{self, Anomaly, Kind, Row};
use crate::clients;

/// `broker.session.timeout.ms` of the lab profile.
pub(super) const SESSION: Duration = Duration::from_millis(1500);
/// `replica.lag.time.max.ms` of the lab profile.
pub(super) const LAG: Duration = Duration::from_millis(3000);
/// For whatever a cluster does by itself, on a machine that has other things to do; how long it took is told, not judged.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Records that each partition holds before the fault.
const WARM: i64 = 40;

pub(super) const BROKERS: [i32; 3] = [1, 2, 3];
pub(super) const CONTROLLERS: [i32; 3] = [3000, 3001, 3002];

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// See the module.
pub(super) struct Stage<'h> {
    pub(super) house: &'h House,
    pub(super) plan: Plan,
    pub(super) rng: StdRng,
    pub(super) topic: String,
    pub(super) recorder: Arc<Recorder>,
    pub(super) producers: Vec<ProducerThread>,
    pub(super) transactors: Vec<TransactorThread>,
    pub(super) consumers: Vec<ConsumerThread>,
    pub(super) gauge: Option<Gauge>,
    /// Broker epochs of those that were taken down, before that: they must come back with greater ones.
    epochs_before: BTreeMap<i32, i64>,
    /// The fault that holds a node.
    held: BTreeMap<i32, u64>,
    faults: u64,
    writable_after: Vec<Duration>,
    next_process: u32,
}

fn failed(what: impl Into<String>) -> Anomaly {
    Anomaly::new(Kind::NodeFailed, what)
}

impl<'h> Stage<'h> {
    /// A round that has not begun.
    pub(super) fn new(house: &'h House, row: Row, plan: Plan, rng: StdRng) -> Stage<'h> {
        // Rounds of one process must not meet.
        let topic = format!("row-{row}-{:08x}", rand::random::<u32>());
        let recorder = Arc::new(Recorder::new(&topic, plan.partitions));
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        recorder.say(format!("{topic} at {} ms: {plan:?}", since_epoch.as_millis()));
        Stage {
            house,
            plan,
            rng,
            topic,
            recorder,
            producers: Vec::new(),
            transactors: Vec::new(),
            consumers: Vec::new(),
            gauge: None,
            epochs_before: BTreeMap::new(),
            held: BTreeMap::new(),
            faults: 0,
            writable_after: Vec::new(),
            next_process: 1,
        }
    }

    /// Topic and clients, at work.
    pub(super) fn open(&mut self) -> Result<(), Anomaly> {
        self.house.told(Some(self.recorder.clone()));
        self.create_topic()?;
        self.await_whole()?;
        self.start_clients();
        let warm = |_: &View| self.partitions().all(|partition| self.recorder.read_end(partition) >= WARM);
        if self.until(PATIENCE, warm)? {
            return Ok(());
        }
        let what = format!("clients do not get going on a cluster that is whole\n    {}", self.describe());
        Err(Anomaly::new(Kind::Liveness, what))
    }

    fn create_topic(&self) -> Result<(), Anomaly> {
        let plan = &self.plan;
        let replicas: Vec<&[i32]> = plan.replicas.iter().map(Vec::as_slice).collect();
        let (min_isr, unclean) = (plan.min_isr.to_string(), plan.unclean.to_string());
        let (flush, segment) = (plan.flush_messages.unwrap_or(i64::MAX).to_string(), plan.segment_bytes.to_string());
        let topic = NewTopic::new(&self.topic, plan.partitions as i32, TopicReplication::Variable(&replicas))
            .set("min.insync.replicas", &min_isr)
            .set("unclean.leader.election.enable", &unclean)
            .set("flush.messages", &flush)
            .set("internal.segment.bytes", &segment)
            .set("index.interval.bytes", "512");
        let refused = |what: String| Anomaly::new(Kind::UnexpectedError, format!("the topic was refused: {what}"));
        let admin: AdminClient<DefaultClientContext> =
            clients::config(self.house.bootstrap_servers()).create().map_err(|error| refused(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| refused(error.to_string()))?;
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
        let answers = runtime.block_on(admin.create_topics([&topic], &options));
        match answers.map_err(|error| refused(error.to_string()))?.pop() {
            Some(Ok(_)) => Ok(()),
            other => Err(refused(format!("{other:?}"))),
        }
    }

    fn start_clients(&mut self) {
        let (servers, topic) = (self.house.bootstrap_servers(), self.topic.clone());
        for plan in self.plan.producers.clone() {
            let process = self.process();
            self.producers.push(ProducerThread::start(servers, &topic, process, plan, self.recorder.clone()));
        }
        for plan in self.plan.transactors.clone() {
            let process = self.process();
            let own = (StdRng::from_rng(&mut self.rng), self.recorder.clone());
            let partitions = self.plan.partitions;
            self.transactors.push(TransactorThread::start(servers, &topic, partitions, process, plan, own));
        }
        for committed in self.isolations() {
            self.consume(Habit::Tail, *committed);
            self.consume(Habit::Again, *committed);
        }
        if self.plan.group {
            self.consume(Habit::Group, self.has_transactions());
        }
        self.gauge = Some(Gauge::start(servers, &topic, self.plan.partitions, self.recorder.clone()));
    }

    fn process(&mut self) -> u32 {
        self.next_process += 1;
        self.next_process
    }

    /// Whether transactional producers are at work.
    pub(super) fn has_transactions(&self) -> bool {
        !self.plan.transactors.is_empty()
    }

    /// Who reads: without transactions it is all the same what is read.
    pub(super) fn isolations(&self) -> &'static [bool] {
        if self.has_transactions() { &[false, true] } else { &[false] }
    }

    /// One more consumer.
    pub(super) fn consume(&mut self, habit: Habit, committed: bool) {
        let process = self.process();
        if habit == Habit::Drain {
            self.recorder.drains(process, committed);
        }
        let (servers, partitions) = (self.house.bootstrap_servers(), self.plan.partitions);
        let reader = Reader { process, habit, committed };
        let consumer = ConsumerThread::start(servers, &self.topic, partitions, reader, self.recorder.clone());
        self.consumers.push(consumer);
    }

    /// Numbers of all partitions.
    pub(super) fn partitions(&self) -> std::ops::Range<u32> {
        0..self.plan.partitions
    }

    pub(super) fn describe(&self) -> String {
        self.house.view().describe(&self.topic)
    }

    pub(super) fn say(&self, line: impl AsRef<str>) {
        self.recorder.say(line);
    }

    /// Looks at each new view until `done`; whether it was in time.
    pub(super) fn until(&self, patience: Duration, mut done: impl FnMut(&View) -> bool) -> Result<bool, Anomaly> {
        let start = Instant::now();
        loop {
            if done(&*self.house.next_view()?) {
                return Ok(true);
            }
            if start.elapsed() > patience {
                return Ok(false);
            }
        }
    }

    /// Waits for what must come.
    pub(super) fn expect(&self, what: &str, done: impl FnMut(&View) -> bool) -> Result<(), Anomaly> {
        if self.until(PATIENCE, done)? {
            self.say(format!("there is {what}"));
            return Ok(());
        }
        let what = format!("waited {PATIENCE:?} for {what}\n    {}", self.describe());
        Err(Anomaly::new(Kind::Availability, what))
    }

    /// Looks for so long whether something holds in all views.
    pub(super) fn holds(
        &self,
        time: Duration,
        kind: Kind,
        what: &str,
        mut good: impl FnMut(&View) -> bool,
    ) -> Result<(), Anomaly> {
        match self.until(time, |view| !good(view))? {
            false => Ok(()),
            true => Err(Anomaly::new(kind, format!("{what}\n    {}", self.describe()))),
        }
    }

    /// The fault lasts; everybody works on.
    pub(super) fn pass(&self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
    }

    /// A random time.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        self.rng.random_range(least..=most.max(least))
    }

    /// A random part of a session.
    pub(super) fn sessions(&mut self, least_tenths: u32, most_tenths: u32) -> Duration {
        self.between(SESSION * least_tenths / 10, SESSION * most_tenths / 10)
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    pub(super) fn shuffled_brokers(&mut self) -> Vec<i32> {
        let mut brokers = BROKERS.to_vec();
        brokers.shuffle(&mut self.rng);
        brokers
    }

    pub(super) fn any_broker(&mut self) -> i32 {
        BROKERS[self.rng.random_range(0..BROKERS.len())]
    }

    /// Leader of a random partition.
    pub(super) fn some_leader(&mut self) -> Result<i32, Anomaly> {
        let partition = self.rng.random_range(0..self.plan.partitions) as usize;
        let view = self.house.next_view()?;
        let leader = view.partitions(&self.topic).get(partition).map_or(-1, |partition| partition.leader);
        if leader > 0 {
            return Ok(leader);
        }
        Err(Anomaly::new(Kind::Liveness, format!("partition {partition} has no leader\n    {}", self.describe())))
    }

    /// Every partition's ISR is these.
    pub(super) fn isr_is(&self, view: &View, members: &[i32]) -> bool {
        let mut partitions = view.partitions(&self.topic).iter();
        partitions.len() > 0
            && partitions.all(|partition| {
                partition.isr.len() == members.len() && members.iter().all(|member| partition.isr.contains(member))
            })
    }

    /// No partition has a leader.
    pub(super) fn is_leaderless(&self, view: &View) -> bool {
        let mut partitions = view.partitions(&self.topic).iter();
        partitions.len() > 0 && partitions.all(|partition| partition.leader < 0)
    }

    /// Breaks something; the fault's number.
    pub(super) fn fault(&mut self, body: &Value) -> Result<u64, Anomaly> {
        let answer = self.house.order("POST", "/api/faults", Some(body)).map_err(failed)?;
        self.faults += 1;
        self.say(format!("{body}"));
        answer["id"].as_u64().ok_or_else(|| failed(format!("{body}: {answer}")))
    }

    fn on_node(&mut self, kind: &str, node: i32) -> Result<(), Anomaly> {
        let role = if node < CONTROLLERS[0] { "broker" } else { "controller" };
        if kind != "pause" {
            self.remember(node);
        }
        let fault = self.fault(&json!({"kind": kind, role: node}))?;
        self.held.insert(node, fault);
        Ok(())
    }

    /// A broker that is about to go: it must come back as another incarnation.
    pub(super) fn remember(&mut self, node: i32) {
        if let Some(broker) = self.house.view().broker(node) {
            self.epochs_before.insert(node, broker.epoch);
        }
    }

    /// Whether a broker takes part, as another incarnation than the one that went: until it registers, one that comes back within its session
    /// stands as it did before.
    pub(super) fn is_back(&self, view: &View, node: i32) -> bool {
        let before = self.epochs_before.get(&node).copied().unwrap_or(-1);
        view.takes_part(node) && view.broker(node).is_some_and(|broker| broker.epoch > before)
    }

    /// Whether a fault holds it down.
    pub(super) fn is_held(&self, node: i32) -> bool {
        self.held.contains_key(&node)
    }

    pub(super) fn kill(&mut self, node: i32) -> Result<(), Anomaly> {
        self.on_node("kill", node)
    }

    pub(super) fn power_loss(&mut self, node: i32) -> Result<(), Anomaly> {
        self.on_node("power_loss", node)
    }

    pub(super) fn pause(&mut self, node: i32) -> Result<(), Anomaly> {
        self.recorder.expect_zombies();
        self.on_node("pause", node)
    }

    /// Controlled shutdown, to its end.
    pub(super) fn stop(&mut self, node: i32) -> Result<(), Anomaly> {
        self.on_node("stop", node)?;
        self.expect("a node that has stopped", |view| view.state(node) == "stopped")
    }

    /// Clients still reach it; no other node does, nor it them.
    pub(super) fn isolate(&mut self, broker: i32) -> Result<u64, Anomaly> {
        self.recorder.expect_zombies();
        self.fault(&json!({"kind": "isolate", "broker": broker}))
    }

    pub(super) fn cut(&mut self, from: i32, to: i32, both_ways: bool) -> Result<u64, Anomaly> {
        self.recorder.expect_zombies();
        self.fault(&json!({"kind": "cut", "from": from, "to": to, "both_ways": both_ways}))
    }

    /// Starts or resumes a node that a fault holds.
    pub(super) fn start(&mut self, node: i32) -> Result<(), Anomaly> {
        match self.held.remove(&node) {
            Some(fault) => self.heal(fault),
            None => Err(failed(format!("no fault holds {node}"))),
        }
    }

    pub(super) fn heal(&mut self, fault: u64) -> Result<(), Anomaly> {
        self.say(format!("heal fault {fault}"));
        self.house.order("DELETE", &format!("/api/faults/{fault}"), None).map_err(failed)?;
        Ok(())
    }

    /// Now and then a controller fails too, until all is healed: at most one. True: one did.
    pub(super) fn disturb_controllers(&mut self, chance: f64) -> Result<bool, Anomaly> {
        if !self.chance(chance) {
            return Ok(false);
        }
        let active = self.house.view().quorum.leader_id;
        let any = CONTROLLERS[self.rng.random_range(0..CONTROLLERS.len())];
        let controller = if self.chance(0.5) && active > 0 { active } else { any };
        match self.rng.random_range(0..3) {
            0 => self.kill(controller)?,
            1 => self.power_loss(controller)?,
            _ => self.pause(controller)?,
        }
        Ok(true)
    }

    /// acks=1: what a leader has above its high watermark when its reign ends may be lost.
    pub(super) fn license_acks_1(&self) {
        for partition in self.partitions() {
            self.recorder.license(partition, self.recorder.committed(partition), false);
        }
    }

    /// What one of these brokers had not synced may be lost. Nothing is unsynced if every message is flushed.
    pub(super) fn license_unsynced(&self, brokers: &[i32]) {
        if self.plan.flush_messages == Some(1) {
            return;
        }
        for partition in self.partitions() {
            let point = |broker: &i32| files::recovery_point(self.house.data_dir(), *broker, &self.topic, partition);
            let synced = brokers.iter().map(point).min().unwrap_or(0);
            // The log is flushed as soon as so many messages are not, before they are acknowledged.
            let flushed = self.plan.flush_messages.map_or(0, |every| self.recorder.told_end(partition) - every);
            self.recorder.license(partition, synced.max(flushed).max(0), true);
        }
    }

    /// Anything may be lost.
    pub(super) fn license_all(&self) {
        for partition in self.partitions() {
            self.recorder.license(partition, 0, true);
        }
    }

    /// Writes go on while the fault lasts that began at `since`; how long that took is told.
    pub(super) fn writes_resume(&mut self, since: Duration) -> Result<(), Anomaly> {
        let after = self.resumed(since)?;
        self.say(format!("writes resume, {} ms after the fault", after.as_millis()));
        self.writable_after.push(after);
        Ok(())
    }

    /// In each partition something that was sent after `since` is acknowledged; how long that took.
    pub(super) fn resumed(&self, since: Duration) -> Result<Duration, Anomaly> {
        let recorder = self.recorder.clone();
        let mut partitions = self.partitions();
        let back = |_: &View| partitions.clone().all(|partition| recorder.last_ack(partition) > Some(since));
        if self.until(PATIENCE, back)? {
            return Ok(self.recorder.now() - since);
        }
        let stuck = partitions.find(|partition| recorder.last_ack(*partition) <= Some(since)).unwrap_or(0);
        let what = format!(
            "nothing that was sent to partition {stuck} after {:.3} s was acknowledged within {PATIENCE:?}\n    {}",
            since.as_secs_f64(),
            self.describe()
        );
        Err(Anomaly::new(Kind::Availability, what))
    }

    /// What the cluster says that happened.
    fn events(&self) -> Vec<String> {
        let answer = self.house.order("GET", "/api/events", None).unwrap_or_default();
        let text = |event: &Value| format!("{} {} {}", event["at_ms"], event["text"], event["cause"]);
        answer.as_array().into_iter().flatten().map(text).collect()
    }

    /// Ends the round: clients go, the history is judged.
    pub(super) fn close(mut self, ended: Result<(), Anomaly>, judge: Judge) -> Report {
        if ended.is_err() {
            // So that clients come to an end.
            let _ = self.house.order("DELETE", "/api/faults", None);
        }
        self.producers.iter().for_each(ProducerThread::stop);
        self.transactors.iter().for_each(TransactorThread::stop);
        self.consumers.iter().for_each(ConsumerThread::stop);
        let mut ends: Vec<Result<(), String>> = Vec::new();
        ends.extend(self.gauge.take().map(|gauge| gauge.join().map(drop)));
        ends.extend(self.producers.drain(..).map(ProducerThread::join));
        ends.extend(self.transactors.drain(..).map(TransactorThread::join));
        ends.extend(self.consumers.drain(..).map(ConsumerThread::join));
        self.house.told(None);
        let mut record = self.recorder.take();
        let mut anomalies = std::mem::take(&mut record.anomalies);
        anomalies.extend(ends.into_iter().filter_map(Result::err).map(|what| Anomaly::new(Kind::Liveness, what)));
        if judge == Judge::ForgiveNothing {
            record.promise.windows.clear();
        }
        match ended {
            // A history that was broken off is not complete.
            Err(anomaly) => anomalies.push(anomaly),
            Ok(()) => anomalies.extend(campaign::check(&record.history, &record.promise)),
        }
        if anomalies.is_empty() {
            let _ = self.house.order("DELETE", &format!("/api/topics/{}", self.topic), None);
        } else {
            record.diary.extend(self.events());
        }
        Report {
            took: Duration::ZERO,
            faults: self.faults,
            acknowledged: record.history.acknowledged(),
            lost_as_allowed: campaign::lost(&record.history),
            operations: record.history.ops.len() as u64,
            writable_after: self.writable_after,
            told: record.told,
            anomalies,
            diary: record.diary,
        }
    }
}
