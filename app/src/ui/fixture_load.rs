//! Workloads of the example cluster, with a course.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::monitor::workload::{
    ClientState, ConsumerStatus, KeySkew, Latency, Payload, WorkloadPoint, WorkloadSpec, WorkloadStatus,
};

/// One that runs as it is by default.
pub fn workloads(at_ms: i64) -> Vec<WorkloadStatus> {
    let spec = WorkloadSpec { group: "demo-readers".into(), ..WorkloadSpec::default() };
    vec![WorkloadStatus { id: 1, sent: 884_213, acked: 884_107, read: 881_940, ..running(1, spec, at_ms) }]
}

/// That one, and another of which a consumer crashed.
pub fn with_a_crash(at_ms: i64) -> Vec<WorkloadStatus> {
    let spec = WorkloadSpec {
        topic: "clicks".into(),
        payload: Payload::Clickstream,
        key_skew: KeySkew::Zipf,
        rate_per_s: 5_000,
        consumers: 3,
        processing_us: 250,
        ..WorkloadSpec::default()
    };
    let mut clicks = running(2, spec, at_ms);
    clicks.members[1].state = ClientState::Crashed;
    clicks.restarts = 1;
    workloads(at_ms).into_iter().chain([clicks]).collect()
}

fn running(id: u64, spec: WorkloadSpec, at_ms: i64) -> WorkloadStatus {
    let rate = spec.rate_per_s as f64;
    let members = (1..=spec.consumers).map(|number| ConsumerStatus {
        number,
        client_id: format!("demo-consumer-{number}"),
        state: ClientState::Running,
        read: 440_000 / u64::from(number),
    });
    let points: VecDeque<WorkloadPoint> = (0..240)
        .map(|second| {
            let wave = (f64::from(second) / 17.0).sin() * 0.02 + (f64::from(second) / 3.0).cos() * 0.01;
            // Broker 2 was killed, and led some partitions.
            let stall = if (150..153).contains(&second) { 0.6 } else { 0.0 };
            WorkloadPoint {
                at_ms: at_ms - (239 - i64::from(second)) * 1000,
                sent_per_s: rate * (1.0 + wave),
                acked_per_s: rate * (1.0 + wave - stall),
                read_per_s: rate * (1.0 + wave * 0.8 - stall),
                ack_p50_ms: 6.2 + wave * 20.0,
                ack_p99_ms: 11.0 + wave * 60.0 + stall * 900.0,
                end_to_end_p50_ms: 9.5 + wave * 20.0,
                end_to_end_p99_ms: 17.0 + wave * 80.0 + stall * 1500.0,
            }
        })
        .collect();
    WorkloadStatus {
        id,
        state: "running".into(),
        topic: spec.topic.clone(),
        group: if spec.group.is_empty() { format!("brokerscope-demo-{id}") } else { spec.group.clone() },
        producers: spec.producers,
        consumers: spec.consumers,
        rate_per_s: spec.rate_per_s,
        sent: 120_000 * id,
        acked: 119_998 * id,
        read: 119_400 * id,
        sent_per_s: rate * 0.998,
        acked_per_s: rate * 0.997,
        read_per_s: rate * 0.995,
        ack: Latency { count: 9_980, p50_ms: 6.2, p95_ms: 9.4, p99_ms: 11.2, max_ms: 23.0 },
        end_to_end: Latency { count: 9_950, p50_ms: 9.5, p95_ms: 14.1, p99_ms: 17.3, max_ms: 31.0 },
        members: members.collect(),
        points: Arc::new(points),
        spec: Arc::new(spec),
        ..WorkloadStatus::default()
    }
}
