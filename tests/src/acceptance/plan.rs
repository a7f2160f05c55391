//! What a round is made of: topic and clients. Drawn from the seed; the row fixes what it must.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// A producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProducerPlan {
    pub(super) partition: u32,
    /// 0, 1 or -1 (all).
    pub(super) acks: i16,
    pub(super) idempotent: bool,
    /// Requests in flight on a connection.
    pub(super) in_flight: u32,
    /// Records per batch at most.
    pub(super) batch: u32,
    pub(super) linger_ms: u32,
    /// Between two bursts of at most a batch.
    pub(super) pause_ms: u64,
    pub(super) compression: &'static str,
    /// Bytes after the value's own eight.
    pub(super) padding: usize,
}

/// A transactional producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TransactorPlan {
    /// `transaction.timeout.ms`
    pub(super) timeout_ms: u64,
    /// Records of a transaction at most.
    pub(super) records_max: u32,
    /// Records per batch at most.
    pub(super) batch: u32,
    /// In the end it leaves a transaction open.
    pub(super) leaves_open: bool,
}

/// What a round is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) partitions: u32,
    /// Of each partition its brokers, the preferred leader first.
    pub(super) replicas: Vec<Vec<i32>>,
    pub(super) min_isr: i32,
    pub(super) unclean: bool,
    /// `flush.messages`; Kafka's default is never.
    pub(super) flush_messages: Option<i64>,
    pub(super) segment_bytes: u32,
    pub(super) producers: Vec<ProducerPlan>,
    pub(super) transactors: Vec<TransactorPlan>,
    /// With a consumer in a group.
    pub(super) group: bool,
}

/// What a row wants of its plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wants {
    /// Each partition has a producer with these acks.
    pub(super) acks: i16,
    /// And one more producer uses acks=1.
    pub(super) also_acks_1: bool,
    /// Idempotent: always, never, or as drawn.
    pub(super) idempotent: Option<bool>,
    /// `min.insync.replicas`: one of these.
    pub(super) min_isr: &'static [i32],
    /// `unclean.leader.election.enable`: one of these.
    pub(super) unclean: &'static [bool],
    /// One leader for all partitions.
    pub(super) one_leader: bool,
    /// Records that were acknowledged with acks=all, or read, may be lost.
    pub(super) lossy: bool,
    /// With transactional producers beside the others.
    pub(super) transactions: bool,
}

impl Wants {
    /// acks=all, two in-sync replicas, no unclean election, no loss.
    pub(super) const ALL: Wants = Wants {
        acks: -1,
        also_acks_1: false,
        idempotent: None,
        min_isr: &[2],
        unclean: &[false],
        one_leader: false,
        lossy: false,
        transactions: false,
    };
}

fn one_of<T: Copy>(rng: &mut StdRng, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

fn order(rng: &mut StdRng) -> Vec<i32> {
    let mut brokers = vec![1, 2, 3];
    brokers.shuffle(rng);
    brokers
}

fn producer(rng: &mut StdRng, partition: u32, acks: i16, idempotent: bool) -> ProducerPlan {
    ProducerPlan {
        partition,
        acks,
        idempotent,
        // Without sequence numbers a retry would change the order.
        in_flight: if idempotent { rng.random_range(1..=5) } else { 1 },
        batch: rng.random_range(1..=30),
        linger_ms: rng.random_range(0..=5),
        pause_ms: rng.random_range(5..=40),
        compression: one_of(rng, &["none", "none", "gzip", "snappy", "lz4", "zstd"]),
        padding: rng.random_range(0..=300),
    }
}

fn transactor(rng: &mut StdRng) -> TransactorPlan {
    TransactorPlan {
        timeout_ms: rng.random_range(3_000..=8_000),
        records_max: rng.random_range(1..=30),
        batch: rng.random_range(1..=10),
        leaves_open: rng.random_bool(0.5),
    }
}

/// Draws a plan.
pub(super) fn draw(rng: &mut StdRng, wants: &Wants) -> Plan {
    let partitions = rng.random_range(1..=3);
    let first = order(rng);
    let replicas = (0..partitions).map(|_| if wants.one_leader { first.clone() } else { order(rng) }).collect();
    let mut producers: Vec<ProducerPlan> = (0..partitions)
        .map(|partition| {
            let idempotent = wants.acks == -1 && wants.idempotent.unwrap_or_else(|| rng.random_bool(0.7));
            producer(rng, partition, wants.acks, idempotent)
        })
        .collect();
    if wants.also_acks_1 {
        let partition = rng.random_range(0..partitions);
        producers.push(producer(rng, partition, 1, false));
    }
    let transactors = if wants.transactions { rng.random_range(2..=3) } else { 0 };
    Plan {
        partitions,
        replicas,
        min_isr: one_of(rng, wants.min_isr),
        unclean: one_of(rng, wants.unclean),
        flush_messages: one_of(rng, &[None, None, Some(1), Some(100)]),
        segment_bytes: one_of(rng, &[1 << 30, 1 << 20, 64 << 10, 16 << 10]),
        producers,
        transactors: (0..transactors).map(|_| transactor(rng)).collect(),
        group: !wants.lossy && rng.random_bool(0.6),
    }
}
