//! What a seed is made of: cluster, topic, clients. Drawn from the seed; the row fixes what it must.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

/// The topic that is written and read.
pub(super) const TOPIC: &str = "campaign";

/// How fast the cluster notices things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// `broker.session.timeout.ms`
    pub session_ms: u64,
    /// `broker.heartbeat.interval.ms`
    pub heartbeat_ms: u64,
    /// `replica.lag.time.max.ms`
    pub lag_ms: u64,
    /// `controller.quorum.fetch.timeout.ms`
    pub quorum_fetch_ms: u64,
    /// `controller.quorum.election.timeout.ms`
    pub election_ms: u64,
}

impl Timings {
    /// As the lab profile, but for longer polls of the quorum.
    const BRISK: Timings =
        Timings { session_ms: 1500, heartbeat_ms: 400, lag_ms: 3000, quorum_fetch_ms: 900, election_ms: 150 };
    /// The lab profile's.
    const LAB: Timings =
        Timings { session_ms: 1500, heartbeat_ms: 300, lag_ms: 3000, quorum_fetch_ms: 240, election_ms: 150 };
    /// Followers leave the ISR long before a session ends.
    const SHORT_LAG: Timings =
        Timings { session_ms: 6000, heartbeat_ms: 1000, lag_ms: 1000, quorum_fetch_ms: 2000, election_ms: 300 };
    /// Kafka's defaults.
    const KAFKA: Timings =
        Timings { session_ms: 9000, heartbeat_ms: 2000, lag_ms: 30_000, quorum_fetch_ms: 2000, election_ms: 1000 };

    /// A broker's session.
    pub fn session(&self) -> Duration {
        Duration::from_millis(self.session_ms)
    }

    /// How long a follower may lag.
    pub fn lag(&self) -> Duration {
        Duration::from_millis(self.lag_ms)
    }

    /// Kafka's keys.
    pub(super) fn overrides(&self) -> Vec<(&'static str, String)> {
        let request = (self.quorum_fetch_ms / 3).min(2000);
        vec![
            ("broker.session.timeout.ms", self.session_ms.to_string()),
            ("broker.heartbeat.interval.ms", self.heartbeat_ms.to_string()),
            ("replica.lag.time.max.ms", self.lag_ms.to_string()),
            ("controller.quorum.fetch.timeout.ms", self.quorum_fetch_ms.to_string()),
            ("controller.quorum.election.timeout.ms", self.election_ms.to_string()),
            ("controller.quorum.election.backoff.max.ms", self.election_ms.to_string()),
            ("controller.quorum.request.timeout.ms", request.to_string()),
            ("replica.fetch.backoff.ms", "100".into()),
        ]
    }
}

/// A producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerPlan {
    /// 0, 1 or -1.
    pub acks: i16,
    /// With producer id and sequence numbers, and retries.
    pub idempotent: bool,
    /// Batches in flight.
    pub in_flight: usize,
    /// Records per batch at most.
    pub batch: usize,
    /// Waits so long between batches, at least and at most.
    pub think_ms: (u64, u64),
}

/// A transactional producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnPlan {
    /// It knows `transaction.version` 2 (KIP-890).
    pub is_v2: bool,
    /// `transaction.timeout.ms`
    pub timeout_ms: i32,
    /// Batches in flight at most.
    pub in_flight: usize,
    /// Waits so long between requests, at least and at most.
    pub think_ms: (u64, u64),
    /// And between transactions.
    pub pause_ms: (u64, u64),
    /// In the end it goes away in the midst of its last transaction.
    pub abandons: bool,
}

/// A share group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareGroupPlan {
    /// `share.auto.offset.reset=earliest`, not `latest`.
    pub from_start: bool,
    /// `share.isolation.level=read_committed`
    pub committed: bool,
}

/// A member of a share group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberPlan {
    /// Its group's number.
    pub group: u32,
    /// It accepts all and at once, and never fails.
    pub accepts_all: bool,
    /// It knows how to renew a lock (KIP-1222).
    pub renews: bool,
    /// `share.acquire.mode=record_limit` (KIP-1206)
    pub record_limit: bool,
    /// `max.poll.records`
    pub max_records: i32,
    /// `fetch.max.wait.ms`
    pub max_wait_ms: i32,
    /// Works on a record for so long at most, and waits so long between requests.
    pub think_ms: u64,
}

/// What a seed's share groups are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharePlan {
    /// Groups, by number.
    pub groups: Vec<ShareGroupPlan>,
    /// Members.
    pub members: Vec<MemberPlan>,
    /// `group.share.record.lock.duration.ms`
    pub lock_ms: u64,
    /// `group.share.delivery.count.limit`
    pub delivery_limit: i16,
    /// `group.share.session.timeout.ms`
    pub session_ms: u64,
    /// `group.share.initialize.retry.interval.ms`
    pub initialize_retry_ms: u64,
    /// Partitions of `__share_group_state`.
    pub state_partitions: u32,
    /// `share.coordinator.snapshot.update.records.per.snapshot`
    pub updates_per_snapshot: u32,
    /// `share.coordinator.state.topic.prune.interval.ms`, and that of snapshots of what is cold.
    pub upkeep_ms: u64,
    /// `share.coordinator.write.timeout.ms`
    pub write_timeout_ms: u64,
}

impl SharePlan {
    /// Kafka's keys.
    pub(super) fn overrides(&self) -> Vec<(&'static str, String)> {
        let session = self.session_ms.to_string();
        vec![
            ("group.share.min.record.lock.duration.ms", "1000".into()),
            ("group.share.record.lock.duration.ms", self.lock_ms.to_string()),
            ("group.share.delivery.count.limit", self.delivery_limit.to_string()),
            ("group.share.min.heartbeat.interval.ms", "100".into()),
            ("group.share.heartbeat.interval.ms", (self.session_ms / 5).to_string()),
            ("group.share.min.session.timeout.ms", session.clone()),
            ("group.share.session.timeout.ms", session),
            ("group.share.assignment.interval.ms", "200".into()),
            ("group.share.initialize.retry.interval.ms", self.initialize_retry_ms.to_string()),
            ("share.coordinator.state.topic.num.partitions", self.state_partitions.to_string()),
            ("share.coordinator.snapshot.update.records.per.snapshot", self.updates_per_snapshot.to_string()),
            ("share.coordinator.state.topic.prune.interval.ms", self.upkeep_ms.to_string()),
            ("share.coordinator.cold.partition.snapshot.interval.ms", self.upkeep_ms.to_string()),
            ("share.coordinator.write.timeout.ms", self.write_timeout_ms.to_string()),
        ]
    }
}

/// What a seed is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Brokers.
    pub brokers: i32,
    /// Controllers.
    pub controllers: i32,
    /// How fast the cluster notices.
    pub timings: Timings,
    /// Partitions of the topic.
    pub partitions: u32,
    /// All partitions have the same order of replicas, hence the same leader.
    pub one_leader: bool,
    /// `min.insync.replicas`
    pub min_isr: i32,
    /// `unclean.leader.election.enable`
    pub unclean: bool,
    /// `eligible.leader.replicas.version` 1, not 0.
    pub elr: bool,
    /// Log directories of each broker.
    pub log_dirs: usize,
    /// `flush.messages=1`
    pub flush_each: bool,
    /// `internal.segment.bytes`
    pub segment_bytes: u32,
    /// Producers; the n-th writes to partition n modulo the number of partitions.
    pub producers: Vec<ProducerPlan>,
    /// Transactional producers, each with a transactional id of its own.
    pub transactional: Vec<TxnPlan>,
    /// Partitions of `__transaction_state`.
    pub transaction_partitions: u32,
    /// Consumers that follow the end, and such that begin again and again.
    pub consumers: (usize, usize),
    /// Clients that commit offsets.
    pub committers: usize,
    /// Share groups.
    pub share: Option<SharePlan>,
    /// The script goes on for so long.
    pub duration: Duration,
}

/// What a row wants of its plan.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    /// acks of the producers; one of these each.
    pub acks: &'static [i16],
    /// Idempotent: always, never, or as drawn.
    pub idempotent: Option<bool>,
    /// `min.insync.replicas`: one of these.
    pub min_isr: &'static [i32],
    /// `unclean.leader.election.enable`: one of these.
    pub unclean: &'static [bool],
    /// `eligible.leader.replicas.version`: one of these.
    pub elr: &'static [bool],
    /// Log directories of each broker: one of these.
    pub log_dirs: &'static [usize],
    /// Some commit offsets: where nothing may be lost.
    pub commits: bool,
    /// One leader for all partitions.
    pub one_leader: bool,
    /// Kafka's own timings too.
    pub kafka_timings: bool,
    /// Transactional producers too, and consumers that read what is committed.
    pub transactions: bool,
    /// Share groups too, some of them with transactional producers.
    pub share: bool,
}

impl Default for Wants {
    fn default() -> Wants {
        Wants {
            acks: &[-1],
            idempotent: None,
            min_isr: &[2],
            unclean: &[false],
            elr: &[true],
            log_dirs: &[1, 1, 1, 2],
            commits: true,
            one_leader: false,
            kafka_timings: true,
            transactions: false,
            share: false,
        }
    }
}

fn one_of<T: Copy>(rng: &mut StdRng, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

/// Draws a plan.
pub(super) fn draw(rng: &mut StdRng, wants: &Wants, duration: Duration) -> Plan {
    let timings = match rng.random_range(0..10) {
        0 if wants.kafka_timings => Timings::KAFKA,
        1 | 2 => Timings::LAB,
        3 => Timings::SHORT_LAG,
        _ => Timings::BRISK,
    };
    let partitions = rng.random_range(1..=3);
    let producers = (0..partitions.max(2) + rng.random_range(0..2)).map(|_| {
        let acks = one_of(rng, wants.acks);
        let idempotent = acks == -1 && wants.idempotent.unwrap_or_else(|| rng.random_bool(0.6));
        ProducerPlan {
            acks,
            idempotent,
            in_flight: if idempotent { rng.random_range(1..=5) } else { 1 },
            batch: rng.random_range(1..=6),
            think_ms: one_of(rng, &[(20, 100), (40, 160), (5, 60), (60, 200)]),
        }
    });
    let producers = producers.collect();
    // Kafka's timings need longer rounds.
    let stretch = if timings == Timings::KAFKA { 2 } else { 1 };
    let mut plan = Plan {
        brokers: 3,
        controllers: 3,
        timings,
        partitions,
        one_leader: wants.one_leader,
        min_isr: one_of(rng, wants.min_isr),
        unclean: one_of(rng, wants.unclean),
        elr: one_of(rng, wants.elr),
        log_dirs: one_of(rng, wants.log_dirs),
        flush_each: rng.random_bool(0.15),
        segment_bytes: one_of(rng, &[1 << 30, 1 << 20, 16 << 10, 4 << 10]),
        producers,
        transactional: Vec::new(),
        transaction_partitions: 1,
        consumers: (rng.random_range(1..=2), 1),
        committers: usize::from(wants.commits && rng.random_bool(0.4)),
        share: None,
        duration: duration * stretch,
    };
    if wants.transactions {
        plan.transactional = (0..rng.random_range(2..=4)).map(|_| transactional(rng)).collect();
        if rng.random_bool(0.4) {
            plan.transactional.iter_mut().for_each(|producer| producer.is_v2 = true);
        }
        plan.transaction_partitions = rng.random_range(1..=3);
        // They hold the last stable offset up for others, and need not be many.
        plan.producers.truncate(partitions as usize);
        plan.consumers = (2, 2);
    }
    if wants.share {
        plan.producers.truncate(partitions as usize);
        plan.consumers = (1, 0);
        let share = share(rng);
        if share.groups.iter().any(|group| group.committed) {
            let version_2 = TxnPlan { is_v2: true, timeout_ms: 4_000, abandons: false, ..transactional(rng) };
            plan.transactional = vec![TxnPlan { pause_ms: (50, 400), ..version_2 }];
            plan.producers.truncate(1);
        }
        plan.share = Some(share);
    }
    plan
}

fn share(rng: &mut StdRng) -> SharePlan {
    let first = ShareGroupPlan { from_start: rng.random_bool(0.8), committed: rng.random_bool(0.25) };
    let mut groups = vec![first];
    if rng.random_bool(0.5) {
        groups.push(ShareGroupPlan { from_start: true, committed: first.committed && rng.random_bool(0.5) });
    }
    let mut members = Vec::new();
    for group in 0..groups.len() as u32 {
        for _ in 0..rng.random_range(2..=4) {
            let max_records = one_of(rng, &[5, 20, 60]);
            members.push(MemberPlan {
                group,
                accepts_all: rng.random_bool(0.25),
                renews: rng.random_bool(0.7),
                record_limit: rng.random_bool(0.3),
                max_records,
                max_wait_ms: one_of(rng, &[20, 100, 500]),
                think_ms: one_of(rng, &[10, 40, 120]),
            });
        }
    }
    SharePlan {
        groups,
        members,
        lock_ms: one_of(rng, &[1_000, 1_500, 3_000, 6_000]),
        delivery_limit: one_of(rng, &[2, 3, 5, 5, 10]),
        session_ms: one_of(rng, &[1_500, 3_000]),
        initialize_retry_ms: one_of(rng, &[500, 2_000, 30_000]),
        state_partitions: rng.random_range(1..=3),
        updates_per_snapshot: one_of(rng, &[0, 2, 10, 50, 500]),
        upkeep_ms: one_of(rng, &[1_000, 5_000, 300_000]),
        write_timeout_ms: one_of(rng, &[1_000, 5_000]),
    }
}

fn transactional(rng: &mut StdRng) -> TxnPlan {
    TxnPlan {
        is_v2: rng.random_bool(0.6),
        timeout_ms: one_of(rng, &[2_000, 4_000, 8_000]),
        in_flight: rng.random_range(1..=3),
        think_ms: one_of(rng, &[(0, 2), (0, 2), (0, 20), (5, 80)]),
        pause_ms: one_of(rng, &[(0, 5), (0, 50), (10, 200)]),
        abandons: rng.random_bool(0.4),
    }
}
