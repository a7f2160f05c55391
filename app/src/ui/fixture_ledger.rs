//! The ledger of the example cluster: one workload whose records are all kept, one that lost what acks=1 may lose, one whose promise was broken.

use std::sync::Arc;

use crate::monitor::ledger::{
    Acks, AnomalyCount, EventRef, FaultRef, Held, Kind, LedgerStatus, LedgerView, NamedLoss, RecordRef, Stage,
    Vanished, Verdict,
};

/// Nothing is wrong.
pub fn kept() -> LedgerView {
    view(vec![green()], Vec::new())
}

/// All three.
pub fn broken(at_ms: i64) -> LedgerView {
    let vanished = Vanished {
        number: 1,
        at_ms: at_ms - 41_000,
        topic: "clicks".into(),
        partition: 3,
        old_leader: 2,
        old_epoch: 6,
        new_leader: 3,
        new_epoch: 7,
        from_offset: 48_211,
        to_offset: 48_260,
        committed_end: 48_211,
        unclean: None,
        words: "Offsets 48211 to 48259 of clicks-3 were acknowledged by broker 2 up to epoch 6, and are gone: broker 3 began epoch 7 at \
                offset 48211. They were above the high watermark that was last seen: acks=1 may lose them, acks=all may not."
            .into(),
    };
    view(vec![green(), allowed(at_ms), red(at_ms)], vec![vanished])
}

fn view(workloads: Vec<LedgerStatus>, vanished: Vec<Vanished>) -> LedgerView {
    LedgerView {
        workloads: Arc::new(workloads.into_iter().map(Arc::new).collect()),
        vanished: Arc::new(vanished),
        generation: 1,
    }
}

fn green() -> LedgerStatus {
    LedgerStatus {
        id: 1,
        topic: "demo".into(),
        words: "Nothing is missing: 884,107 records acknowledged, of which 12 records are still to be read.".into(),
        sent: 884_213,
        acked: 884_107,
        unknown: 106,
        read: 884_095,
        read_committed: 884_090,
        details_kept: 200_000,
        details_let_go: 684_107,
        memory_bytes: 8_412_000,
        ..LedgerStatus::default()
    }
}

fn event(seq: u64, at_ms: i64, text: &str, cause: &str) -> EventRef {
    EventRef { seq, at_ms, text: text.into(), cause: cause.into() }
}

fn record(sequence: u64, offset: i64, at_ms: i64) -> RecordRef {
    RecordRef { producer: 1, sequence, offset: Some(offset), acknowledged_ms: Some(at_ms) }
}

fn allowed(at_ms: i64) -> LedgerStatus {
    let acked_ms = at_ms - 43_120;
    let loss = NamedLoss {
        number: 1,
        kind: Kind::LostWrite,
        partition: 3,
        records: 49,
        first: record(240_118, 48_211, acked_ms),
        last: record(240_402, 48_259, acked_ms + 310),
        acks: Acks::Leader,
        leader: 2,
        leader_epoch: 6,
        isr: vec![2, 3],
        min_isr: 2,
        found_ms: at_ms - 40_000,
        held: vec![Held {
            node_id: 2,
            how: "led in epoch 6 and acknowledged it; its log was seen to end at 48255 in that epoch; it cut its log back from 48260 to 48211"
                .into(),
        }],
        events: vec![
            event(811, at_ms - 41_400, "clicks-3 is led by broker 3 (was broker 2), epoch 7.", "broker 2 was fenced"),
            event(
                842,
                at_ms - 12_000,
                "Broker 2 cut its log of clicks-3 back from offset 48260 to 48211.",
                "broker 3 ends epoch 6 at offset 48211",
            ),
        ],
        faults: vec![FaultRef {
            id: 4,
            kind: "kill".into(),
            what: "broker 2 is killed".into(),
            since_ms: at_ms - 43_000,
            ended_ms: Some(at_ms - 14_000),
        }],
        allowed: true,
        row: Some(2),
        row_name: "acks=1, clean elections; the leader fails".into(),
        story: "49 records at offsets 48211 to 48259 of clicks-3 were acknowledged by broker 2 in epoch 6, with acks=1, the ISR 2, 3 and \
                min.insync.replicas 2; first record 240118 of producer 1. Readers passed its place, and it was not there. What was promised \
                allows it (row 2: acks=1, clean elections; the leader fails): acks=1 promises what broker 2 has; broker 3 took over in epoch \
                7 without these records."
            .into(),
    };
    LedgerStatus {
        id: 2,
        topic: "clicks".into(),
        verdict: Verdict::Allowed,
        words: "49 of 239,998 records acknowledged are gone, as what was promised allows.".into(),
        sent: 240_000,
        acked: 239_998,
        unknown: 2,
        read: 239_940,
        read_committed: 239_940,
        lost: 49,
        lost_allowed: 49,
        duplicated: 3,
        losses: vec![Arc::new(loss)],
        anomalies: vec![AnomalyCount {
            kind: Kind::Duplicate,
            count: 3,
            unexplained: 0,
            first: "Record 1207 of producer 1, at offset 242 of partition 1, was read before, at another offset."
                .into(),
        }],
        details_kept: 199_998,
        details_let_go: 40_000,
        memory_bytes: 8_100_000,
        ..LedgerStatus::default()
    }
}

fn red(at_ms: i64) -> LedgerStatus {
    let acked_ms = at_ms - 22_310;
    let loss = NamedLoss {
        number: 1,
        kind: Kind::Unseen,
        partition: 0,
        records: 7,
        first: record(9_120, 1_822, acked_ms),
        last: record(9_162, 1_828, acked_ms + 40),
        acks: Acks::All,
        leader: 1,
        leader_epoch: 2,
        isr: vec![1, 2, 3],
        min_isr: 2,
        found_ms: at_ms - 4_000,
        held: vec![
            Held { node_id: 1, how: "led in epoch 2 and acknowledged it".into() },
            Held { node_id: 2, how: "was in the ISR".into() },
            Held { node_id: 3, how: "was in the ISR".into() },
        ],
        events: vec![event(
            860,
            at_ms - 20_000,
            "payments-0 is led by broker 3 (was broker 1), epoch 3.",
            "broker 1 was fenced",
        )],
        faults: vec![FaultRef {
            id: 6,
            kind: "kill".into(),
            what: "broker 1 is killed".into(),
            since_ms: at_ms - 22_000,
            ended_ms: None,
        }],
        allowed: false,
        row: Some(4),
        row_name: "acks=all, min ISR 2; one broker is killed".into(),
        story: "7 records at offsets 1822 to 1828 of payments-0 were acknowledged by broker 1 in epoch 2, with acks=all, the ISR 1, 2, 3 and \
                min.insync.replicas 2; first record 9120 of producer 1. It was not there when all was read once more. What was promised does \
                not allow it (row 4: acks=all, min ISR 2; one broker is killed): it was on all in-sync replicas (1, 2, 3), and what happened \
                since may not take it."
            .into(),
    };
    LedgerStatus {
        id: 3,
        topic: "payments".into(),
        stage: Stage::Verified,
        verdict: Verdict::Red,
        words: "A promise was broken: 7 records acknowledged and gone.".into(),
        sent: 10_400,
        acked: 10_398,
        unknown: 2,
        read: 10_391,
        read_committed: 10_391,
        lost: 7,
        unexplained: 7,
        losses: vec![Arc::new(loss)],
        details_kept: 10_398,
        memory_bytes: 612_000,
        stop_on_violation: true,
        ..LedgerStatus::default()
    }
}
