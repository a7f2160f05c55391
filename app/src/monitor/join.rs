//! Joins what nodes publish into snapshots. Pure: reports and the time in, a [`Snapshot`] out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use broker::metadata::config::{NodeConfig, NodeSettings};
use broker::metadata::connections::ConnectionsReport;
use broker::metadata::image::Image;
use broker::metadata::report::{
    BrokerCounters, BrokerReport, ClientMetricsReport, ControllerReport, GroupReport, MembershipReport, NodeState,
    ShareProgress,
};
use broker::metrics::MetricsReport;
use broker::types::{Id, NO_NODE, NodeId, Now};

use super::client_metrics;
use super::group_seen::{GroupSeen, by_group};
use super::names::is_controller;
use super::rates::{self, Meter, Reading};
use super::script::status::ScriptStatus;
use super::snapshot::{
    ActiveFault, Broker, Group, Membership, Observer, PAST_FAULTS_MAX, PastFault, Quorum, Snapshot, Totals, Voter,
    WorkloadStatus,
};
use super::topics::{Sums, Topics};
use super::unread::{Answer, QUESTIONS_MAX, Question};
use super::view::{Connected, Measured};

/// What is known of the cluster before any node has told anything.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Cluster id.
    pub cluster_id: String,
    /// `lab`, `kafka` or `msk`.
    pub profile: String,
    /// Ids of all brokers and controllers, running or not.
    pub node_ids: Vec<NodeId>,
    /// `min.insync.replicas` of a topic that does not set it.
    pub default_min_insync_replicas: i32,
    /// A broker's configuration; `None`: not known.
    pub node_config: Option<Arc<NodeConfig>>,
    /// Where the data lives; empty: not known.
    pub data_dir: PathBuf,
}

/// All that nodes told, and what was made of it.
#[derive(Debug, Default)]
pub struct Join {
    facts: Facts,
    image: Arc<Image>,
    newer_image: Option<Arc<Image>>,
    states: BTreeMap<NodeId, NodeState>,
    brokers: BTreeMap<NodeId, BrokerSeen>,
    /// What brokers were started with.
    settings: Arc<BTreeMap<NodeId, Arc<NodeSettings>>>,
    controllers: BTreeMap<NodeId, ControllerReport>,
    topics: Topics,
    groups: BTreeMap<Arc<str>, GroupSeen>,
    /// Some broker told anew how far share groups have come.
    has_new_progress: bool,
    /// A group has offsets of which nothing was ever asked.
    has_new_offsets: bool,
    /// Where asking goes on: the last group that was asked for.
    asked_last: Option<Arc<str>>,
    metrics: BTreeMap<NodeId, Arc<MetricsReport>>,
    connections: Connected,
    /// Which brokers there are; nothing told yet: those that are seen.
    membership: Option<MembershipReport>,
    workloads: Vec<WorkloadStatus>,
    faults: Vec<ActiveFault>,
    past_faults: Arc<VecDeque<PastFault>>,
    scripts: Arc<Vec<ScriptStatus>>,
    sequence: u64,
    dirty: bool,
}

#[derive(Debug, Default)]
struct BrokerSeen {
    incarnation: Id,
    at_ms: i64,
    host: String,
    port: u16,
    offline_log_dirs: Vec<String>,
    counters: BrokerCounters,
    client_metrics: Arc<[Arc<ClientMetricsReport>]>,
    shared: Arc<[ShareProgress]>,
    meter: Meter,
    fresh: bool,
}

impl Join {
    /// Nothing told yet.
    pub fn new(facts: Facts) -> Join {
        let image = Arc::new(Image { offset: -1, epoch: -1, ..Image::default() });
        Join { facts, image, dirty: true, ..Join::default() }
    }

    /// Whether a new snapshot would differ from the last.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// The facts turned out otherwise.
    pub fn set_facts(&mut self, facts: Facts) {
        self.facts = facts;
        self.dirty = true;
    }

    /// What the built-in workloads did.
    pub fn set_workloads(&mut self, workloads: Vec<WorkloadStatus>) {
        self.dirty |= self.workloads != workloads;
        self.workloads = workloads;
    }

    /// Which faults are in force now; those that were and are not any more are over.
    pub fn set_faults(&mut self, faults: Vec<ActiveFault>, now_ms: i64) {
        self.dirty |= self.faults != faults;
        let before = std::mem::replace(&mut self.faults, faults);
        let is_over = |fault: &ActiveFault| self.faults.iter().all(|other| other.id != fault.id);
        for fault in before.into_iter().filter(is_over) {
            let ended_ms = fault.until_ms.map_or(now_ms, |until_ms| until_ms.min(now_ms));
            let past = Arc::make_mut(&mut self.past_faults);
            if past.len() == PAST_FAULTS_MAX {
                past.pop_front();
            }
            past.push_back(PastFault { fault, ended_ms });
        }
    }

    /// How scripts of faults go.
    pub fn set_scripts(&mut self, scripts: Vec<ScriptStatus>) {
        if *self.scripts != scripts {
            (self.scripts, self.dirty) = (Arc::new(scripts), true);
        }
    }

    /// The cluster did something with a node.
    pub fn lifecycle(&mut self, node_id: NodeId, state: NodeState) {
        self.dirty |= self.states.insert(node_id, state) != Some(state);
    }

    /// Brokers came or went. What was known of one that is gone is forgotten.
    pub fn membership(&mut self, report: MembershipReport) {
        let is_gone = |id: &NodeId| !is_controller(*id) && !report.brokers.contains(id);
        let gone: BTreeSet<NodeId> = self.states.keys().chain(self.brokers.keys()).copied().filter(is_gone).collect();
        for id in gone {
            self.states.remove(&id);
            self.brokers.remove(&id);
            Arc::make_mut(&mut self.settings).remove(&id);
            self.metrics.remove(&id);
            self.connections.remove(&id);
            self.topics.forget_node(id);
        }
        self.dirty |= self.membership.as_ref() != Some(&report);
        self.membership = Some(report);
    }

    /// A broker told its state.
    pub fn broker(&mut self, report: &BrokerReport) {
        let id = report.node_id;
        self.offer_image(report.image.as_ref());
        let seen = self.brokers.entry(id).or_default();
        if seen.incarnation != report.incarnation {
            self.topics.forget_node(id);
            seen.client_metrics = Arc::default();
            seen.shared = Arc::default();
            self.has_new_progress = true;
        }
        self.dirty |= seen.incarnation != report.incarnation
            || seen.counters != report.counters
            || (&seen.host, seen.port) != (&report.host, report.port)
            || seen.offline_log_dirs != report.offline_log_dirs
            || report.client_metrics.is_some()
            || report.settings.is_some()
            || report.shared.is_some()
            || !(report.partitions.is_empty() && report.removed.is_empty() && report.groups.is_empty());
        seen.incarnation = report.incarnation;
        seen.at_ms = report.at_ms;
        seen.host.clone_from(&report.host);
        seen.port = report.port;
        seen.offline_log_dirs.clone_from(&report.offline_log_dirs);
        seen.counters.clone_from(&report.counters);
        if let Some(told) = &report.client_metrics {
            seen.client_metrics.clone_from(told);
        }
        if let Some(told) = &report.shared {
            seen.shared.clone_from(told);
            self.has_new_progress = true;
        }
        seen.fresh = true;
        if let Some(told) = &report.settings {
            Arc::make_mut(&mut self.settings).insert(id, told.clone());
        }
        for gone in &report.removed {
            self.topics.remove_replica(id, &gone.topic, gone.partition);
        }
        for replica in &report.partitions {
            self.topics.set_replica(id, replica);
        }
        for group in &report.groups {
            self.group(id, group);
        }
    }

    fn group(&mut self, coordinator: NodeId, report: &GroupReport) {
        if report.state.is_some() {
            let before = self.groups.remove(&report.group_id);
            let known = before.as_ref().map_or(0, |before| before.report.offsets.len());
            self.has_new_offsets |= report.offsets.len() > known;
            // What share coordinators told of it before waits to be read.
            self.has_new_progress |= before.is_none();
            self.groups.insert(report.group_id.clone(), GroupSeen::after(before, coordinator, report));
        } else if self.groups.get(&report.group_id).is_some_and(|seen| seen.coordinator == coordinator) {
            // Only the coordinator's own word removes a group: one that lost it may say so late.
            self.groups.remove(&report.group_id);
        }
    }

    /// A broker told of its connections. That alone is no news either.
    pub fn connections(&mut self, report: Arc<ConnectionsReport>) {
        self.connections.insert(report.node_id, report);
    }

    /// A node told what it measured. That alone is no news: it comes each second, and goes along with the second's snapshot.
    pub fn metrics(&mut self, report: Arc<MetricsReport>) {
        self.metrics.insert(report.node_id, report);
    }

    /// A controller told its state.
    pub fn controller(&mut self, report: &ControllerReport) {
        self.offer_image(report.image.as_ref());
        let report = ControllerReport { image: None, at_ms: 0, ..report.clone() };
        let before = self.controllers.get(&report.node_id);
        self.dirty |= before.is_none_or(|before| !same_controller_state(before, &report));
        self.controllers.insert(report.node_id, report);
    }

    fn offer_image(&mut self, image: Option<&Arc<Image>>) {
        let Some(image) = image else { return };
        let newest = self.newer_image.as_ref().unwrap_or(&self.image);
        if (image.epoch, image.offset) > (newest.epoch, newest.offset) {
            // A topic that was made again drops what replicas told of the old one: that must not wait until they tell of the new one.
            let other_topics = image.topic_ids != newest.topic_ids;
            self.newer_image = Some(image.clone());
            self.dirty = true;
            if other_topics {
                self.apply_image();
            }
        }
    }

    fn apply_image(&mut self) {
        if let Some(image) = self.newer_image.take() {
            self.topics.set_image(&image, self.facts.default_min_insync_replicas);
            self.image = image;
        }
    }

    /// Ends a second: rates and lags in time are taken anew.
    pub fn tick(&mut self, now: Now) {
        let mut topic_rates: BTreeMap<Arc<str>, (f64, f64)> = BTreeMap::new();
        for (id, seen) in &mut self.brokers {
            let running = self.states.get(id).is_none_or(|state| *state == NodeState::Running);
            self.dirty |= if running {
                let reading = Reading {
                    incarnation: seen.incarnation,
                    at_ms: seen.at_ms,
                    counters: &seen.counters,
                    fresh: std::mem::take(&mut seen.fresh),
                };
                seen.meter.tick(now, &reading)
            } else {
                seen.meter.stop()
            };
            for (name, (messages, bytes)) in &seen.meter.topics {
                let sum = topic_rates.entry(name.clone()).or_default();
                sum.0 += messages;
                sum.1 += bytes;
            }
        }
        self.topics.set_rates(&topic_rates);
        for group in self.groups.values() {
            // A lag in time grows while nobody reads.
            self.dirty |= group.built.as_ref().is_some_and(|built| built.lag() > 0);
        }
    }

    /// Records that must be looked up for lags in time: of all groups once a second, and at once of what is new.
    pub fn questions(&mut self, now: Now, second_over: bool) -> Vec<Question> {
        if !second_over && !self.has_new_offsets {
            return Vec::new();
        }
        self.has_new_offsets = false;
        let after = self.asked_last.take();
        let is_later = |id: &Arc<str>| after.as_ref().is_some_and(|after| id > after);
        let later = self.groups.iter().filter(|(id, _)| is_later(id));
        let in_turn = later.chain(self.groups.iter().filter(|(id, _)| !is_later(id)));
        let mut questions = Vec::new();
        for (id, seen) in in_turn {
            if questions.len() >= QUESTIONS_MAX {
                break;
            }
            let of_group = seen.positions().filter_map(|(name, offset)| {
                let known = self.topics.partition(&name.topic, name.partition)?;
                if !second_over && !seen.unread.is_new(name) {
                    return None;
                }
                let place = self.topics.place(&name.topic, name.partition)?;
                seen.unread.question((id, name), offset, known, &place, now.wall_ms)
            });
            questions.extend(of_group.take(QUESTIONS_MAX));
            self.asked_last = Some(id.clone());
        }
        questions
    }

    /// What was found of records that were asked for.
    pub fn answers(&mut self, answers: Vec<Answer>) {
        for answer in answers {
            if let Some(seen) = self.groups.get_mut(&answer.question.group) {
                seen.unread.take(answer);
                self.dirty = true;
            }
        }
    }

    /// The cluster as it is known now.
    pub fn snapshot(&mut self, now: Now) -> Snapshot {
        self.apply_image();
        self.dirty = false;
        self.sequence += 1;
        let built = self.topics.build();
        let groups = self.build_groups(now);
        let brokers = self.brokers(&built.sums);
        let totals = self.totals(&built.sums, built.topics.len(), &brokers, &groups);
        Snapshot {
            cluster_id: self.facts.cluster_id.clone(),
            profile: self.facts.profile.clone(),
            sequence: self.sequence,
            at_ms: now.wall_ms,
            quorum: self.quorum(),
            image: Arc::clone(&self.image),
            brokers,
            settings: self.settings.clone(),
            membership: self.membership.as_ref().map_or_else(Membership::default, |told| Membership {
                leaving: told.leaving,
                moving: told.moving.clone(),
            }),
            topics: built.topics,
            groups,
            totals,
            workloads: self.workloads.clone(),
            faults: self.faults.clone(),
            past_faults: self.past_faults.clone(),
            scripts: self.scripts.clone(),
            client_metrics: self.client_metrics(),
        }
    }

    /// Where the data lives.
    pub fn data_dir(&self) -> &Path {
        &self.facts.data_dir
    }

    /// What nodes measured last: those that are at work, or would be if they were not paused.
    pub fn measured(&self) -> Measured {
        let lives = |id: &NodeId| !matches!(self.state(*id), NodeState::Stopped | NodeState::Killed);
        self.metrics.iter().filter(|(id, _)| lives(id)).map(|(id, report)| (*id, report.clone())).collect()
    }

    /// Connections of the brokers that are at work.
    pub fn connected(&self) -> Connected {
        let lives = |id: &NodeId| !matches!(self.state(*id), NodeState::Stopped | NodeState::Killed);
        self.connections.iter().filter(|(id, _)| lives(id)).map(|(id, report)| (*id, report.clone())).collect()
    }

    /// What a broker was told went with it.
    fn client_metrics(&self) -> Vec<Arc<ClientMetricsReport>> {
        let lives = |id: &NodeId| !matches!(self.state(*id), NodeState::Stopped | NodeState::Killed);
        let told = self.brokers.iter().filter(|(id, _)| lives(id));
        client_metrics::merge(told.flat_map(|(_, seen)| seen.client_metrics.iter()))
    }

    /// What the cluster did with a node; a node that tells something runs.
    fn state(&self, id: NodeId) -> NodeState {
        let told = self.brokers.contains_key(&id) || self.controllers.contains_key(&id);
        self.states.get(&id).copied().unwrap_or(if told { NodeState::Running } else { NodeState::Starting })
    }

    fn ids(&self, controllers: bool) -> BTreeSet<NodeId> {
        let told = self.states.keys().chain(self.brokers.keys()).chain(self.controllers.keys());
        let registered = self.image.brokers.keys().chain(self.image.controllers.keys());
        let all = self.facts.node_ids.iter().chain(told).chain(registered);
        let ids = all.copied().filter(|id| is_controller(*id) == controllers);
        match &self.membership {
            // The image may be older, and still have a broker that is gone.
            Some(membership) if !controllers => membership.brokers.iter().copied().collect(),
            Some(membership) => membership.controllers.iter().copied().collect(),
            _ => ids.collect(),
        }
    }

    fn brokers(&self, sums: &Sums) -> Vec<Broker> {
        self.ids(false).into_iter().map(|id| self.broker_now(id, sums)).collect()
    }

    fn broker_now(&self, id: NodeId, sums: &Sums) -> Broker {
        let registered = self.image.brokers.get(&id);
        let endpoint = registered.and_then(|broker| broker.endpoints.first());
        let seen = self.brokers.get(&id);
        let sums = sums.brokers.get(&id).copied().unwrap_or_default();
        let mut counters = seen.map(|seen| seen.counters.clone()).unwrap_or_default();
        let mut offline_log_dirs = seen.map(|seen| seen.offline_log_dirs.clone()).unwrap_or_default();
        if matches!(self.state(id), NodeState::Stopped | NodeState::Killed) {
            // The next start tries them all.
            offline_log_dirs.clear();
            // Its last report counted connections that ended with it.
            counters.connections = 0;
        }
        Broker {
            id,
            rack: registered.and_then(|broker| broker.rack.clone()),
            host: seen
                .map(|seen| seen.host.clone())
                .filter(|host| !host.is_empty())
                .unwrap_or_else(|| endpoint.map(|endpoint| endpoint.host.clone()).unwrap_or_default()),
            port: seen
                .map(|seen| seen.port)
                .filter(|port| *port != 0)
                .or(endpoint.map(|endpoint| endpoint.port))
                .unwrap_or(0),
            state: self.state(id),
            fenced: registered.is_none_or(|broker| broker.fenced),
            epoch: registered.map_or(-1, |broker| broker.epoch),
            leaders: sums.leaders,
            replicas: sums.replicas,
            offline_log_dirs,
            out_of_sync_replicas: sums.out_of_sync,
            log_size_bytes: sums.size_bytes,
            counters,
            rates: seen.map(|seen| seen.meter.rates).unwrap_or_default(),
        }
    }

    fn quorum(&self) -> Quorum {
        let running: Vec<&ControllerReport> =
            self.controllers.values().filter(|report| self.state(report.node_id) == NodeState::Running).collect();
        let epoch = running.iter().map(|report| report.epoch).max().unwrap_or(0);
        let in_epoch = || running.iter().filter(|report| report.epoch == epoch);
        let leader = in_epoch().find(|report| report.role == "leader");
        let known = |id: &NodeId| *id >= 0 && self.state(*id) == NodeState::Running;
        let leader_id =
            leader.map(|report| report.node_id).or_else(|| in_epoch().map(|report| report.leader_id).find(known));
        Quorum {
            leader_id: leader_id.unwrap_or(NO_NODE),
            epoch,
            high_watermark: running.iter().map(|report| report.high_watermark).max().unwrap_or(0),
            voters: self.ids(true).into_iter().map(|id| self.voter(id, leader.copied())).collect(),
            observers: leader.map_or_else(Vec::new, |report| {
                report
                    .observers
                    .iter()
                    .map(|(id, log_end_offset, ago_ms)| Observer {
                        id: *id,
                        log_end_offset: *log_end_offset,
                        fetched_ago_ms: (*ago_ms >= 0).then_some(*ago_ms),
                    })
                    .collect()
            }),
            kraft_version: leader.map_or(0, |report| report.kraft_version),
        }
    }

    fn voter(&self, id: NodeId, leader: Option<&ControllerReport>) -> Voter {
        let state = self.state(id);
        let report = self.controllers.get(&id);
        let votes = leader
            .is_none_or(|leader| leader.voters.is_empty() || leader.voters.iter().any(|(voter, ..)| *voter == id));
        let role = match report {
            Some(report) if state == NodeState::Running && report.role == "follower" && !votes => "observer",
            Some(report) if state == NodeState::Running => report.role,
            _ if state == NodeState::Starting => "unattached",
            _ => "offline",
        };
        Voter {
            id,
            state,
            role: role.into(),
            log_end_offset: report.map_or(0, |report| report.log_end_offset),
            leader_id: report.map_or(NO_NODE, |report| report.leader_id),
            epoch: report.map_or(0, |report| report.epoch),
            voted_for: report.map_or(NO_NODE, |report| report.voted_for),
            high_watermark: report.map_or(0, |report| report.high_watermark),
            fetched_ago_ms: leader.filter(|leader| leader.node_id != id).and_then(|leader| fetched_ago_ms(leader, id)),
        }
    }

    fn build_groups(&mut self, now: Now) -> Vec<Arc<Group>> {
        if std::mem::take(&mut self.has_new_progress) {
            self.apply_progress();
        }
        let topics = &self.topics;
        let groups = self.groups.values_mut().map(|seen| {
            let group = seen.build(topics, now);
            // Readers compare by pointer: a group that did not change keeps its `Arc`.
            match &seen.built {
                Some(built) if **built == group => built.clone(),
                _ => seen.built.insert(Arc::new(group)).clone(),
            }
        });
        groups.collect()
    }

    fn apply_progress(&mut self) {
        // A shard that has moved is still told by a broker that is down: those at work have the last word.
        let is_down = |id: &NodeId| self.states.get(id).is_some_and(|state| *state != NodeState::Running);
        let (down, at_work): (Vec<_>, Vec<_>) = self.brokers.iter().partition(|(id, _)| is_down(id));
        let told = down.into_iter().chain(at_work).map(|(_, seen)| &*seen.shared);
        let mut by_group = by_group(told, &self.image);
        for (id, seen) in &mut self.groups {
            self.has_new_offsets |= seen.set_progress(by_group.remove(id).unwrap_or_default());
        }
    }

    fn totals(&self, sums: &Sums, topics: usize, brokers: &[Broker], groups: &[Arc<Group>]) -> Totals {
        let leads =
            |report: &&ControllerReport| report.role == "leader" && self.state(report.node_id) == NodeState::Running;
        Totals {
            topics,
            partitions: sums.partitions,
            replicas: sums.replicas,
            under_replicated_partitions: sums.under_replicated,
            under_min_isr_partitions: sums.under_min_isr,
            offline_partitions: sums.offline,
            active_controllers: self.controllers.values().filter(leads).count(),
            log_size_bytes: sums.size_bytes,
            total_lag: groups.iter().map(|group| group.total_lag).sum(),
            rates: rates::sum(brokers.iter().map(|broker| &broker.rates)),
        }
    }
}

/// How long ago a voter fetched, as the leader tells.
fn fetched_ago_ms(leader: &ControllerReport, id: NodeId) -> Option<i64> {
    leader.voters.iter().find(|(voter, _, ago_ms)| *voter == id && *ago_ms >= 0).map(|(_, _, ago_ms)| *ago_ms)
}

fn same_controller_state(one: &ControllerReport, other: &ControllerReport) -> bool {
    let state = |report: &ControllerReport| {
        let ends = (report.log_end_offset, report.high_watermark);
        (report.role, report.leader_id, report.epoch, report.voted_for, report.kraft_version, ends)
    };
    // How long ago each fetched differs every time: it goes along with what else is told.
    let ends = |nodes: &[(NodeId, i64, i64)]| nodes.iter().map(|(id, end, _)| (*id, *end)).collect::<Vec<_>>();
    state(one) == state(other)
        && ends(&one.voters) == ends(&other.voters)
        && ends(&one.observers) == ends(&other.observers)
}
