//! From what nodes and the machine told, to the numbers that metrics are made of: differences of counters, sums per broker, topic and group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use broker::metadata::report::{BrokerCounters, NodeState};
use broker::metrics::{MetricsReport, Reading, Series};
use broker::types::{NodeId, Now};

use super::model::{BurstBucket, CpuCredits};
use crate::monitor::host::{CpuTicks, HostReading, MachineTicks, Volume};
use crate::monitor::rates::request_count;
use crate::monitor::snapshot::{Broker, Group, Partition, Snapshot};
use crate::monitor::view::Measured;

/// Two looks that are closer than this say nothing of rates.
const INTERVAL_MIN: Duration = Duration::from_millis(200);

/// Over how long `RollingEstimatedTimeLag` is taken: what is older weighs less than 1/e.
const ROLLING_S: f64 = 60.0;

/// The bean of requests' sizes.
pub const REQUEST_BYTES: &str = "RequestBytes";

/// Stands for requests of all kinds in [`BrokerReading::means`].
pub const ALL_REQUESTS: &str = "";

/// Ticks of `/proc` in a second.
const TICKS_PER_S: f64 = 100.0;

/// All numbers of one second.
#[derive(Debug, Default)]
pub struct Readings {
    /// Of each controller that runs: whether it is the active one. One that is not, if all have stopped.
    pub controllers: Vec<bool>,
    /// Of the cluster.
    pub cluster: ClusterReading,
    /// Of each broker that runs.
    pub brokers: Vec<BrokerReading>,
    /// Of each group and topic.
    pub groups: Vec<GroupReading>,
}

/// The cluster as a whole.
#[derive(Clone, Debug, Default)]
pub struct ClusterReading {
    /// Partitions.
    pub partitions: usize,
    /// Topics.
    pub topics: usize,
    /// Partitions without a leader.
    pub offline_partitions: usize,
    /// Bytes of all leaders' logs.
    pub leader_bytes: u64,
    /// How full the disk is with data, in percent.
    pub data_percent: Option<f64>,
}

/// One broker.
#[derive(Clone, Debug)]
pub struct BrokerReading {
    /// Node id.
    pub id: NodeId,
    /// As in the snapshot.
    pub leaders: usize,
    /// As in the snapshot.
    pub replicas: usize,
    /// Client connections that are open.
    pub connections: u64,
    /// Partitions that it leads with an ISR smaller than min.insync.replicas.
    pub under_min_isr: usize,
    /// Partitions that it leads with an ISR smaller than their replicas.
    pub under_replicated: usize,
    /// Whether it holds a replica of a topic that is not internal.
    pub has_user_partition: bool,
    /// How full its disk is with its data, in percent.
    pub data_percent: Option<f64>,
    /// How full its disk is with its application log, in percent.
    pub app_log_percent: Option<f64>,
    /// What went through it; `None` on the first look.
    pub traffic: Option<Traffic>,
    /// CPU of its thread; `None` on the first look, and where threads cannot be seen.
    pub cpu: Option<Cpu>,
    /// Simulated.
    pub credits: CpuCredits,
    /// Simulated.
    pub burst: BurstBucket,
    /// What it measured itself, at last.
    pub report: Option<Arc<MetricsReport>>,
    /// Means over the last second of what it measured: by bean and request, in its unit.
    pub means: BTreeMap<(&'static str, &'static str), f64>,
    /// What its sockets read and wrote, bytes per second.
    pub sockets: Option<(f64, f64)>,
    /// Requests that it had to convert, per second.
    pub conversions: Option<f64>,
    /// The machine's.
    pub host: Arc<HostShare>,
}

/// What all brokers share, for they share a machine and a process.
#[derive(Clone, Debug, Default)]
pub struct HostShare {
    /// As the machine told it.
    pub reading: HostReading,
    /// Time that all processors idled because of I/O, in percent.
    pub io_wait_percent: Option<f64>,
}

/// CPU time of a node's thread over the last interval, in percent of one processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cpu {
    /// In the program's own code.
    pub user_percent: f64,
    /// In the kernel.
    pub system_percent: f64,
}

/// What went through a broker in the last interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// How long that was.
    pub seconds: f64,
    /// Counters' growth; `topics` likewise. `connections` is of no meaning.
    pub grown: BrokerCounters,
    /// Client connections that were closed.
    pub connections_closed: u64,
}

impl Traffic {
    /// So many per second.
    pub fn per_s(&self, count: u64) -> f64 {
        count as f64 / self.seconds
    }

    /// Mean time of an API's requests, ms; `None` if there was none.
    pub fn mean_ms(&self, api: &str) -> Option<f64> {
        let requests = self.grown.requests.iter().find(|requests| requests.api == api)?;
        (requests.count > 0).then(|| requests.total_time_us as f64 / requests.count as f64 / 1000.0)
    }
}

/// A group in one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupReading {
    /// Group id.
    pub group: Arc<str>,
    /// Topic.
    pub topic: Arc<str>,
    /// Its partitions.
    pub partitions: Vec<PartitionLag>,
}

/// A group in one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionLag {
    /// Index.
    pub partition: i32,
    /// High watermark minus committed offset.
    pub lag: i64,
    /// How old the first record is that the group has not read, by its timestamp, s; `None`: not known.
    pub lag_s: Option<f64>,
    /// The same, over the last minute or so.
    pub rolling_s: Option<f64>,
}

impl BrokerReading {
    /// The share of the last seconds that it idled, in percent, as it tells of a bean.
    pub fn idle_percent(&self, kind: &str, name: &str) -> Option<f64> {
        let mut told = self.report.as_deref()?.series.iter();
        let series = told.find(|series| series.bean.kind == kind && series.bean.name == name)?;
        let share = match &series.reading {
            Reading::Value(share) => *share,
            Reading::Meter(reading) => reading.one_minute_rate,
            Reading::Histogram(_) | Reading::Timer(..) => return None,
        };
        Some((100.0 * share).clamp(0.0, 100.0))
    }
}

impl GroupReading {
    /// Over all partitions.
    pub fn sum_lag(&self) -> i64 {
        self.partitions.iter().map(|partition| partition.lag).sum()
    }

    /// The worst partition's.
    pub fn max_lag(&self) -> i64 {
        self.partitions.iter().map(|partition| partition.lag).max().unwrap_or(0)
    }

    /// The worst partition's; `None` if some partition's is not known.
    pub fn max_of(&self, time: impl Fn(&PartitionLag) -> Option<f64>) -> Option<f64> {
        self.partitions.iter().map(time).collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::max)
    }
}

/// Where a broker's counters stood.
#[derive(Debug, Default)]
struct Base {
    at: Duration,
    counters: BrokerCounters,
    cpu: Option<CpuTicks>,
    histograms: Histograms,
    report: Option<Arc<MetricsReport>>,
    credits: CpuCredits,
    burst: BurstBucket,
}

/// Remembers where counters stood at the last look.
#[derive(Debug, Default)]
pub struct Measure {
    brokers: BTreeMap<NodeId, Base>,
    machine: Option<MachineTicks>,
    rolling: BTreeMap<(Arc<str>, Arc<str>, i32), f64>,
    looked: Option<Duration>,
}

impl Measure {
    /// Takes a second's look.
    pub fn look(&mut self, now: Now, snapshot: &Snapshot, measured: &Measured, host: HostReading) -> Readings {
        let io_wait_percent = self.io_wait(host.machine);
        let host = Arc::new(HostShare { reading: host, io_wait_percent });
        let led = Led::count(snapshot);
        let mut brokers = Vec::new();
        for broker in &snapshot.brokers {
            if broker.state == NodeState::Running {
                let report = measured.get(&broker.id).cloned();
                brokers.push(self.broker(now.mono, broker, snapshot, &led, report, &host));
            } else if let Some(base) = self.brokers.get_mut(&broker.id) {
                // What it tells when it is back belongs to that second.
                base.at = now.mono;
            }
        }
        self.brokers.retain(|id, _| snapshot.brokers.iter().any(|broker| broker.id == *id));
        let seconds = self.looked.map_or(1.0, |looked| now.mono.saturating_sub(looked).as_secs_f64());
        self.looked = Some(now.mono);
        let totals = &snapshot.totals;
        Readings {
            controllers: controllers(snapshot),
            cluster: ClusterReading {
                partitions: totals.partitions,
                topics: totals.topics,
                offline_partitions: totals.offline_partitions,
                leader_bytes: led.bytes,
                data_percent: filled(host.reading.data, totals.log_size_bytes),
            },
            brokers,
            groups: self.groups(seconds, &snapshot.groups),
        }
    }

    fn io_wait(&mut self, machine: Option<MachineTicks>) -> Option<f64> {
        let (before, now) = (std::mem::replace(&mut self.machine, machine)?, machine?);
        let total = now.total.checked_sub(before.total).filter(|total| *total > 0)?;
        Some(100.0 * now.io_wait.saturating_sub(before.io_wait) as f64 / total as f64)
    }

    fn broker(
        &mut self,
        at: Duration,
        broker: &Broker,
        snapshot: &Snapshot,
        led: &Led,
        report: Option<Arc<MetricsReport>>,
        host: &Arc<HostShare>,
    ) -> BrokerReading {
        let base = self.brokers.remove(&broker.id);
        let is_full =
            snapshot.faults.iter().any(|fault| fault.kind == "disk_full" && fault.node_ids.contains(&broker.id));
        let volume = host.reading.data.map(|volume| if is_full { Volume { available: 0, ..volume } } else { volume });
        let ticks = host.reading.threads.get(&broker.id).copied();
        let seconds = base.as_ref().map(|base| at.saturating_sub(base.at));
        let seconds = seconds.filter(|interval| *interval >= INTERVAL_MIN).map(|interval| interval.as_secs_f64());
        let traffic =
            base.as_ref().zip(seconds).map(|(base, seconds)| traffic(&base.counters, &broker.counters, seconds));
        let cpu = base.as_ref().zip(seconds).and_then(|(base, seconds)| cpu(base.cpu?, ticks?, seconds));
        let (mut credits, mut burst) = base.as_ref().map(|base| (base.credits, base.burst)).unwrap_or_default();
        if let Some(seconds) = seconds {
            credits.pass(seconds, cpu.map_or(0.0, |cpu| (cpu.user_percent + cpu.system_percent) / 100.0 * seconds));
            let written = traffic.as_ref().map_or(0, |t| t.grown.bytes_in + t.grown.replication_bytes_in);
            burst.pass(seconds, written);
        }
        let histograms = report.as_deref().map(histograms).unwrap_or_default();
        let means = base.as_ref().map(|base| means(&base.histograms, &histograms)).unwrap_or_default();
        let before = base.as_ref().and_then(|base| base.report.as_deref());
        let sockets = before.zip(report.as_deref()).and_then(|(before, now)| sockets(before, now));
        let conversions = before.zip(report.as_deref()).and_then(|(before, now)| conversions(before, now));
        let counters = broker.counters.clone();
        let told = report.clone();
        self.brokers.insert(broker.id, Base { at, counters, cpu: ticks, histograms, report: told, credits, burst });
        let own = led.brokers.get(&broker.id).copied().unwrap_or_default();
        BrokerReading {
            id: broker.id,
            leaders: broker.leaders,
            replicas: broker.replicas,
            connections: broker.counters.connections,
            under_min_isr: own.under_min_isr,
            under_replicated: own.under_replicated,
            has_user_partition: own.has_user_partition,
            data_percent: filled(volume, broker.log_size_bytes),
            app_log_percent: filled(volume, host.reading.app_logs.get(&broker.id).copied().unwrap_or(0)),
            traffic,
            cpu,
            credits,
            burst,
            report,
            means,
            sockets,
            conversions,
            host: host.clone(),
        }
    }

    fn groups(&mut self, seconds: f64, groups: &[Arc<Group>]) -> Vec<GroupReading> {
        let before = std::mem::take(&mut self.rolling);
        let weight = 1.0 - (-seconds / ROLLING_S).exp();
        let mut readings = Vec::new();
        // MSK tells of groups that are stable or empty; while one rebalances there is nothing to say.
        let told = |group: &&Arc<Group>| group.has_lag() && matches!(group.state, "Stable" | "Empty");
        for group in groups.iter().filter(told) {
            let mut topics: BTreeMap<&Arc<str>, Vec<PartitionLag>> = BTreeMap::new();
            for offset in &group.offsets {
                let lag_s = offset.lag_ms.map(|ms| ms as f64 / 1000.0);
                let key = (group.id.clone(), offset.topic.clone(), offset.partition);
                let rolling_s = lag_s.map(|lag_s| match before.get(&key) {
                    Some(rolling_s) => rolling_s + weight * (lag_s - rolling_s),
                    None => lag_s,
                });
                if let Some(rolling_s) = rolling_s {
                    self.rolling.insert(key, rolling_s);
                }
                let lag = PartitionLag { partition: offset.partition, lag: offset.lag, lag_s, rolling_s };
                topics.entry(&offset.topic).or_default().push(lag);
            }
            readings.extend(topics.into_iter().map(|(topic, partitions)| GroupReading {
                group: group.id.clone(),
                topic: topic.clone(),
                partitions,
            }));
        }
        readings
    }
}

fn controllers(snapshot: &Snapshot) -> Vec<bool> {
    let voters = &snapshot.quorum.voters;
    let running = voters.iter().filter(|voter| voter.state == NodeState::Running);
    let active: Vec<bool> = running.map(|voter| voter.role == "leader").collect();
    // That none is active is known, unless they are only just starting.
    let has_stopped = voters.iter().any(|voter| voter.state != NodeState::Starting);
    if active.is_empty() && has_stopped { vec![false] } else { active }
}

/// How full a disk would be if these bytes were all that is on it; 100 if nothing more can be written.
fn filled(volume: Option<Volume>, bytes: u64) -> Option<f64> {
    let available = volume?.available;
    if available == 0 {
        return Some(100.0);
    }
    Some(100.0 * bytes as f64 / (bytes as f64 + available as f64))
}

fn cpu(before: CpuTicks, now: CpuTicks, seconds: f64) -> Option<Cpu> {
    // Another thread began at 0, some time in the interval.
    let before = if before.thread == now.thread { before } else { CpuTicks::default() };
    // Ticks are 10 ms, so that a full second may seem to have 101 of them.
    let percent =
        |before: u64, now: u64| (now.saturating_sub(before) as f64 / TICKS_PER_S / seconds * 100.0).min(100.0);
    let (user, system) = (percent(before.user, now.user), percent(before.system, now.system));
    let over = (user + system - 100.0).max(0.0);
    Some(Cpu { user_percent: user - over.min(user), system_percent: system })
}

/// Whether counters began anew.
fn began_anew(before: &BrokerCounters, now: &BrokerCounters) -> bool {
    let all = |counters: &BrokerCounters| -> u64 { counters.requests.iter().map(|request| request.count).sum() };
    now.messages_in < before.messages_in
        || now.bytes_in < before.bytes_in
        || now.bytes_out < before.bytes_out
        || now.replication_bytes_in < before.replication_bytes_in
        || now.replication_bytes_out < before.replication_bytes_out
        || now.connections_total < before.connections_total
        || all(now) < all(before)
}

fn traffic(before: &BrokerCounters, now: &BrokerCounters, seconds: f64) -> Traffic {
    let nothing = BrokerCounters::default();
    let before = if began_anew(before, now) { &nothing } else { before };
    let mut grown = now.clone();
    for (value, base) in [
        (&mut grown.messages_in, before.messages_in),
        (&mut grown.bytes_in, before.bytes_in),
        (&mut grown.bytes_out, before.bytes_out),
        (&mut grown.replication_bytes_in, before.replication_bytes_in),
        (&mut grown.replication_bytes_out, before.replication_bytes_out),
        (&mut grown.connections_total, before.connections_total),
        (&mut grown.failed_produce_requests, before.failed_produce_requests),
        (&mut grown.failed_fetch_requests, before.failed_fetch_requests),
        (&mut grown.isr_shrinks, before.isr_shrinks),
        (&mut grown.isr_expands, before.isr_expands),
    ] {
        *value = value.saturating_sub(base);
    }
    for requests in &mut grown.requests {
        let total_us = before.requests.iter().find(|one| one.api == requests.api).map_or(0, |one| one.total_time_us);
        requests.count = requests.count.saturating_sub(request_count(before, requests.api));
        requests.total_time_us = requests.total_time_us.saturating_sub(total_us);
    }
    let topics: BTreeMap<&Arc<str>, (u64, u64, u64)> = before
        .topics
        .iter()
        .map(|(name, messages, bytes_in, bytes_out)| (name, (*messages, *bytes_in, *bytes_out)))
        .collect();
    for (name, messages, bytes_in, bytes_out) in &mut grown.topics {
        let base = topics.get(name).copied().unwrap_or_default();
        *messages = messages.saturating_sub(base.0);
        *bytes_in = bytes_in.saturating_sub(base.1);
        *bytes_out = bytes_out.saturating_sub(base.2);
    }
    let closed = |counters: &BrokerCounters| counters.connections_total.saturating_sub(counters.connections);
    let connections_closed = closed(now).saturating_sub(closed(before));
    Traffic { seconds, grown, connections_closed }
}

/// Count and sum of each request's histograms.
fn histograms(report: &MetricsReport) -> Histograms {
    let of_requests = report.series.iter().filter(|series| series.bean.kind == "RequestMetrics");
    let read = of_requests.filter_map(|series| match (&series.reading, series.label("request")?) {
        (Reading::Histogram(reading), broker::metrics::Label::Fixed(request)) => {
            Some(((series.bean.name, *request), (reading.count, reading.sum)))
        }
        _ => None,
    });
    let mut read: Histograms = read.collect();
    // "Fetch" has those of consumers and followers already.
    let own = |request: &str| !matches!(request, "FetchConsumer" | "FetchFollower");
    let bytes = read.iter().filter(|((bean, request), _)| *bean == REQUEST_BYTES && own(request));
    let all = bytes.fold((0, 0.0), |(count, sum), (_, (one, bytes))| (count + one, sum + bytes));
    read.insert((REQUEST_BYTES, ALL_REQUESTS), all);
    read
}

/// Count and sum by bean and request.
type Histograms = BTreeMap<(&'static str, &'static str), (u64, f64)>;

/// The sum of an attribute, or of a meter's count, over all labels that fit; `None` if it is not told.
fn total(report: &MetricsReport, kind: &str, name: &str, fits: fn(&Series) -> bool) -> Option<f64> {
    let told = report.series.iter().filter(|series| series.bean.kind == kind && series.bean.name == name);
    told.filter(|series| fits(series)).map(Series::value).reduce(|one, other| one + other)
}

/// How much a total grew per second between two reports of one life.
fn grown_per_s(
    before: &MetricsReport,
    now: &MetricsReport,
    total: impl Fn(&MetricsReport) -> Option<f64>,
) -> Option<f64> {
    let seconds = now.mono.checked_sub(before.mono)?.as_secs_f64();
    if before.incarnation != now.incarnation || seconds <= 0.0 {
        return None;
    }
    Some((total(now)? - total(before)?).max(0.0) / seconds)
}

/// Bytes per second that sockets read and wrote.
fn sockets(before: &MetricsReport, now: &MetricsReport) -> Option<(f64, f64)> {
    let grown = |name: &'static str| {
        grown_per_s(before, now, move |report| total(report, "socket-server-metrics", name, |_| true))
    };
    Some((grown("incoming-byte-total")?, grown("outgoing-byte-total")?))
}

/// Produce requests whose records had to be converted, per second; the series without a topic counts all.
fn conversions(before: &MetricsReport, now: &MetricsReport) -> Option<f64> {
    let name = "ProduceMessageConversionsPerSec";
    grown_per_s(before, now, |report| total(report, "BrokerTopicMetrics", name, |series| series.labels.is_empty()))
}

fn means(before: &Histograms, now: &Histograms) -> BTreeMap<(&'static str, &'static str), f64> {
    let mean = |(key, (count, sum)): (&(&'static str, &'static str), &(u64, f64))| {
        // One that began anew has counted less.
        let base = before.get(key).copied().filter(|(base, _)| base <= count).unwrap_or_default();
        let grown = count - base.0;
        (grown > 0).then(|| (*key, (sum - base.1) / grown as f64))
    };
    now.iter().filter_map(mean).collect()
}

/// What brokers lead, and what of it is not well.
#[derive(Debug, Default)]
struct Led {
    brokers: BTreeMap<NodeId, OwnPartitions>,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct OwnPartitions {
    under_min_isr: usize,
    under_replicated: usize,
    has_user_partition: bool,
}

impl Led {
    fn count(snapshot: &Snapshot) -> Led {
        let mut led = Led::default();
        for topic in &snapshot.topics {
            for partition in &topic.partitions {
                led.add(partition, topic.min_insync_replicas, topic.internal);
            }
        }
        led
    }

    fn add(&mut self, partition: &Partition, min_insync_replicas: i32, is_internal: bool) {
        self.bytes += partition.size_bytes;
        if !is_internal {
            for replica in &partition.replicas {
                self.brokers.entry(*replica).or_default().has_user_partition = true;
            }
        }
        if partition.is_offline() {
            return;
        }
        let leader = self.brokers.entry(partition.leader).or_default();
        leader.under_replicated += usize::from(partition.is_under_replicated());
        // No more replicas can be wanted than there are.
        let wanted = usize::try_from(min_insync_replicas).unwrap_or(0).min(partition.replicas.len());
        leader.under_min_isr += usize::from(partition.isr.len() < wanted);
    }
}
