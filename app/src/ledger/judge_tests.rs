//! The acceptance table, row by row: what took a record, and whether it may.

use std::sync::Arc;

use broker::metadata::report::{Cause, Event, NodeEvent};
use broker::types::TopicPartition;

use super::facts::Facts;
use super::findings::{Entry, Loss};
use super::judge::{Judgement, Terms, excuse, judge};
use crate::monitor::events;
use crate::monitor::fault::{FaultKind, FaultRequest};
use crate::monitor::ledger::{Acks, Kind};
use crate::monitor::snapshot::{ActiveFault, Partition};

/// A partition with leader 1 in epoch 4 and the ISR 1, 2, 3, from time 0 on.
struct Story {
    facts: Facts,
    seq: u64,
    min_isr: i32,
}

const ACKED_MS: i64 = 100_000;
const OFFSET: i64 = 50;

impl Story {
    fn new(isr: &[i32], min_isr: i32) -> Story {
        let mut story = Story { facts: Facts::default(), seq: 0, min_isr };
        story.sample(1, 4, isr, 60, 40, 0);
        story
    }

    fn sample(&mut self, leader: i32, epoch: i32, isr: &[i32], end: i64, high_watermark: i64, at_ms: i64) {
        let partition = Partition {
            leader,
            leader_epoch: epoch,
            isr: isr.to_vec(),
            high_watermark,
            log_end_offsets: [(leader, end)].into(),
            ..Partition::default()
        };
        self.facts.sample(&Arc::from("t"), &partition, self.min_isr, at_ms);
    }

    fn event(mut self, node_id: i32, at_ms: i64, event: Event) -> Story {
        self.seq += 1;
        let entry = events::entry(self.seq, &NodeEvent { node_id, at_ms, event: event.clone() });
        self.facts.event(&entry, &event, at_ms, |_| true);
        self
    }

    fn elected(self, at_ms: i64, from: i32, to: i32, leader_epoch: i32, unclean: bool) -> Story {
        let because = Cause::Fenced { broker_id: from, broker_epoch: 1 };
        self.elected_because(at_ms, from, to, leader_epoch, unclean, because)
    }

    fn elected_because(
        self,
        at_ms: i64,
        from: i32,
        to: i32,
        leader_epoch: i32,
        unclean: bool,
        because: Cause,
    ) -> Story {
        let partition = TopicPartition::new("t", 0);
        let cause = format!("broker {from} was fenced");
        self.event(3000, at_ms, Event::LeaderElected { partition, from, to, leader_epoch, unclean, cause, because })
    }

    fn isr(self, at_ms: i64, to: &[i32]) -> Story {
        let partition = TopicPartition::new("t", 0);
        let (cause, because) = ("so it is".into(), Cause::Reassigned);
        let event = Event::IsrChanged { partition, from: vec![], to: to.to_vec(), cause, because };
        self.event(3000, at_ms, event)
    }

    fn cut(self, node: i32, at_ms: i64, from_offset: i64, to_offset: i64) -> Story {
        let partition = TopicPartition::new("t", 0);
        let cause = "broker 2 ends epoch 4 there".into();
        self.event(node, at_ms, Event::LogTruncated { partition, from_offset, to_offset, leader_epoch: 4, cause })
    }

    fn fault(mut self, kind: &str, nodes: &[i32], since_ms: i64) -> Story {
        self.seq += 1;
        let fault = ActiveFault {
            request: Arc::new(FaultRequest::new(FaultKind::Kill)),
            id: self.seq,
            kind: kind.into(),
            node_id: nodes[0],
            node_ids: nodes.to_vec(),
            what: format!("{kind} of {nodes:?}"),
            since_ms,
            until_ms: None,
        };
        self.facts.fault(&fault, None);
        self
    }

    fn judge(&self, acks: Acks) -> Judgement {
        self.judge_at(acks, OFFSET, 1, Terms::default())
    }

    fn judge_at(&self, acks: Acks, offset: i64, broker: i32, terms: Terms) -> Judgement {
        let entry =
            Entry { producer: 1, sequence: 7, partition: 0, offset: Some(offset), broker, acks, at_ms: Some(ACKED_MS) };
        let loss = Loss { entry, kind: Kind::LostWrite, found_ms: ACKED_MS + 60_000, was_read: false };
        judge(&loss, "t", &self.facts, terms)
    }
}

fn whole() -> Story {
    Story::new(&[1, 2, 3], 2)
}

const LATER: i64 = ACKED_MS + 5_000;

#[test]
fn each_row_allows_or_forbids() {
    let all = [1, 2, 3];
    let rows: Vec<(&str, Story, Acks, bool, Option<u8>)> = vec![
        ("nothing happened", whole(), Acks::All, false, None),
        ("nothing happened", whole(), Acks::Leader, false, None),
        ("leader K", whole().fault("kill", &[1], LATER).elected(LATER, 1, 2, 5, false), Acks::Leader, true, Some(2)),
        ("follower K", whole().fault("kill", &[2], LATER), Acks::Leader, false, Some(3)),
        ("leader P", whole().fault("power_loss", &[1], LATER), Acks::Leader, true, Some(2)),
        ("K one", whole().fault("kill", &[1], LATER).elected(LATER, 1, 2, 5, false), Acks::All, false, Some(4)),
        ("K two", whole().fault("kill", &[1], LATER).fault("kill", &[2], LATER), Acks::All, false, Some(5)),
        ("K all", whole().fault("zone_outage", &all, LATER), Acks::All, false, Some(6)),
        ("K the only one", Story::new(&[1], 1).fault("kill", &[1], LATER), Acks::All, false, Some(7)),
        ("P the only one", Story::new(&[1], 1).fault("power_loss", &[1], LATER), Acks::All, true, Some(8)),
        ("P a follower", whole().fault("power_loss", &[2], LATER), Acks::All, false, Some(9)),
        ("P the leader", whole().fault("power_loss", &[1], LATER), Acks::All, false, Some(10)),
        (
            "K followers, P the last",
            whole().fault("kill", &[2, 3], LATER).isr(LATER, &[1]).fault("power_loss", &[1], LATER + 1_000),
            Acks::All,
            false,
            Some(11),
        ),
        ("P all", whole().fault("power_loss", &all, LATER), Acks::All, true, Some(12)),
        ("corrupt tails of all", whole().fault("corrupt_tail", &all, LATER), Acks::All, true, Some(12)),
        ("unclean, not allowed", whole().elected(LATER, 1, 3, 5, true), Acks::All, false, None),
        (
            "unclean, not allowed, the last leader P, and was not in sync at that time",
            Story::new(&[1, 3], 2).fault("power_loss", &[2], LATER).elected(LATER + 9, -1, 2, 5, true),
            Acks::All,
            true,
            Some(12),
        ),
        (
            "unclean, not allowed, another P",
            whole().fault("power_loss", &[3], LATER).elected(LATER + 9, -1, 1, 5, true),
            Acks::All,
            false,
            Some(9),
        ),
        (
            "unclean, not allowed, the last leader P",
            whole().fault("power_loss", &[1], LATER).elected(LATER, -1, 1, 5, true),
            Acks::All,
            true,
            Some(12),
        ),
        ("unclean before", whole().elected(ACKED_MS - 50_000, 1, 1, 4, true), Acks::All, false, None),
        ("paused", whole().fault("pause", &[1], LATER).elected(LATER, 1, 2, 5, false), Acks::All, false, Some(14)),
        ("cut off", whole().fault("isolate", &[1], LATER), Acks::All, false, Some(15)),
        ("slow", whole().fault("slow_disk", &[1], LATER), Acks::All, false, Some(16)),
        ("full", whole().fault("disk_full", &[1], LATER), Acks::All, false, Some(17)),
        ("a fault elsewhere", whole().fault("kill", &[9], LATER), Acks::All, false, None),
        ("P all before", whole().fault("power_loss", &all, ACKED_MS - 50_000), Acks::All, false, Some(10)),
    ];
    for (what, story, acks, allowed, row) in rows {
        let judged = story.judge(acks);
        assert_eq!((judged.allowed, judged.row), (allowed, row), "{what}, acks={}: {judged:?}", acks.name());
        assert_eq!((judged.leader, judged.leader_epoch), (1, 4), "{what}");
        assert!(!judged.why.is_empty());
    }
}

#[test]
fn one_loss_of_power_after_the_other_takes_nothing_while_somebody_has_it() {
    // Broker 1 is back in the ISR, and has it from broker 2, before that loses power too.
    let story = Story::new(&[1, 2], 2)
        .fault("power_loss", &[1], LATER)
        .isr(LATER + 100, &[2])
        .isr(LATER + 2_000, &[1, 2])
        .fault("power_loss", &[2], LATER + 4_000);
    assert!(!story.judge(Acks::All).allowed);
    let story = Story::new(&[1, 2], 2)
        .fault("power_loss", &[1], LATER)
        .isr(LATER + 100, &[2])
        .fault("power_loss", &[2], LATER + 1_000)
        .isr(LATER + 2_000, &[1, 2]);
    assert!(story.judge(Acks::All).allowed, "it was not back yet");
    let terms = Terms { flushes_each: true, idempotent: true, ..Terms::default() };
    let judged = story.judge_at(Acks::All, OFFSET, 1, terms);
    assert_eq!((judged.allowed, judged.row), (false, Some(12)), "each record was synced");
}

#[test]
fn an_unclean_election_excuses_where_it_is_allowed_or_asked_for() {
    let story = whole().elected(LATER, 1, 3, 5, true);
    let allowed = Terms { allows_unclean: true, ..Terms::default() };
    for acks in [Acks::All, Acks::Leader] {
        let judged = story.judge_at(acks, OFFSET, 1, allowed);
        assert_eq!((judged.allowed, judged.row), (true, Some(13)));
    }
    let asked = whole().elected_because(LATER, 1, 3, 5, true, Cause::Operator).judge(Acks::All);
    assert_eq!((asked.allowed, asked.row), (true, Some(13)));
    let synced = Terms { flushes_each: true, ..Terms::default() };
    let story = whole().fault("power_loss", &[1], LATER).elected(LATER, -1, 1, 5, true);
    assert!(!story.judge_at(Acks::All, OFFSET, 1, synced).allowed, "each record was synced");
}

#[test]
fn nothing_below_the_high_watermark_may_go_with_acks_1_either() {
    let story = whole().fault("kill", &[1], LATER).elected(LATER, 1, 2, 5, false);
    assert!(story.judge_at(Acks::Leader, 40, 1, Terms::default()).allowed);
    let judged = story.judge_at(Acks::Leader, 39, 1, Terms::default());
    assert_eq!((judged.allowed, judged.row), (false, Some(2)));
    assert!(judged.why.contains("below the high watermark"));
}

#[test]
fn a_leader_that_was_deposed_and_did_not_know_is_named_by_its_own_epoch() {
    // Broker 2 led already when broker 1 acknowledged.
    let story = whole()
        .fault("isolate", &[1], ACKED_MS - 9_000)
        .elected(ACKED_MS - 5_000, 1, 2, 5, false)
        .isr(ACKED_MS - 5_000, &[2, 3])
        .cut(1, LATER, 61, 45);
    let judged = story.judge(Acks::Leader);
    assert_eq!((judged.leader, judged.leader_epoch, judged.isr.as_slice()), (1, 4, &[1, 2, 3][..]));
    assert_eq!((judged.allowed, judged.row), (true, Some(2)));
    let told: Vec<&str> = judged.events.iter().map(|event| event.text.as_str()).collect();
    assert!(told.iter().any(|text| text.contains("led by broker 2")), "{told:?}");
    assert!(told.iter().any(|text| text.contains("cut its log of t-0 back from offset 61 to 45")), "{told:?}");
    assert_eq!(judged.faults.len(), 1);
    let held = &judged.held[0];
    assert_eq!(held.node_id, 1);
    assert!(
        held.how.contains("led in epoch 4")
            && held.how.contains("end at 60")
            && held.how.contains("back from 61 to 45"),
        "{held:?}"
    );
}

#[test]
fn what_the_isr_was_then_is_what_counts() {
    let story = whole().isr(ACKED_MS - 1_000, &[1, 2]).isr(ACKED_MS + 1_000, &[1, 2, 3]);
    let judged = story.judge(Acks::All);
    assert_eq!((judged.isr.as_slice(), judged.min_isr), (&[1, 2][..], 2));
    let holders: Vec<i32> = judged.held.iter().map(|held| held.node_id).collect();
    assert_eq!(holders, [1, 2]);
}

#[test]
fn a_clock_that_is_wrong_does_not_turn_history_round() {
    let mut story = whole();
    let partition = TopicPartition::new("t", 0);
    let because = Cause::Reassigned;
    let event = Event::IsrChanged { partition, from: vec![], to: vec![1], cause: String::new(), because };
    let entry = events::entry(1, &NodeEvent { node_id: 3000, at_ms: 5, event: event.clone() });
    story.facts.event(&entry, &event, LATER, |_| true);
    assert_eq!(story.judge(Acks::All).isr, [1, 2, 3], "it was told after the acknowledgement");
}

#[test]
fn repeats_are_allowed_to_those_who_are_not_idempotent() {
    let idempotent = Terms { idempotent: true, ..Terms::default() };
    let of = |kind: Kind, story: &Story, terms: Terms, losses: bool| excuse(kind, 0, "t", &story.facts, terms, losses);
    for kind in [Kind::Duplicate, Kind::NonmonotonicSend] {
        assert!(of(kind, &whole(), Terms::default(), false).is_some());
        assert!(of(kind, &whole(), idempotent, false).is_none());
        let allowed = Terms { allows_unclean: true, ..idempotent };
        assert!(of(kind, &whole().elected(LATER, 1, 2, 5, true), allowed, false).is_some());
        assert!(of(kind, &whole().elected(LATER, 1, 2, 5, true), idempotent, false).is_none());
    }
    assert!(of(Kind::InconsistentOffsets, &whole(), idempotent, true).is_some());
    assert!(of(Kind::InconsistentOffsets, &whole(), idempotent, false).is_none());
    assert!(of(Kind::AbortedRead, &whole().elected(LATER, 1, 2, 5, true), Terms::default(), true).is_none());
    assert!(of(Kind::Damaged, &whole(), Terms::default(), true).is_none());
}
