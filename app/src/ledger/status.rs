//! What a book and the facts add up to: counts, named losses, and a verdict in words.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::book::Sums;
use super::facts::Facts;
use super::findings::{Findings, Loss};
use super::judge::{Judgement, Terms, excuse, judge, row_name};
use super::shelf::Shelved;
use crate::monitor::ledger::{
    AnomalyCount, EventRef, Kind, LOSSES_NAMED_MAX, LedgerStatus, NamedLoss, RecordRef, Stage, Verdict,
};
use crate::monitor::names::{self, count, grouped};

/// What took a record may be told a little later than that it is gone: so long nothing is taken for unexplained.
const TELLING_MS: i64 = 3_000;

/// Said where records stand twice and that happened: librdkafka does so where it cannot go on with its sequence numbers.
const RAISED_EPOCH: &str = " The client library of its producers raised its epoch by itself and sent again what it did not know to be written: what stands twice may be its own doing.";

/// What losses have in common that are told as one: partition, row, whether it is allowed, leader, epoch, ISR, kind.
type Common = (i32, Option<u8>, bool, i32, i32, Vec<i32>, Kind);

/// Losses from so many on are judged anew once a second at most.
const MANY: usize = 2_000;
const ONCE_MS: i64 = 1_000;

/// What was judged of a workload's losses, kept until there is something new.
#[derive(Debug, Default)]
pub struct Judgements {
    /// Generations of findings and of facts.
    mark: (u64, u64),
    at_ms: i64,
    judged: Judged,
}

impl Judgements {
    fn refresh(&mut self, findings: &Findings, topic: &str, facts: &Facts, terms: Terms, now_ms: i64) -> &Judged {
        let mark = (findings.generation(), facts.generation());
        let is_stale = mark != self.mark || self.judged.looking > 0;
        let is_soon = findings.losses().len() >= MANY && now_ms < self.at_ms + ONCE_MS;
        if is_stale && !is_soon {
            self.judged = judge_all(findings, topic, facts, terms, now_ms);
            (self.mark, self.at_ms) = (mark, now_ms);
        }
        &self.judged
    }
}

/// Losses with one judgement.
#[derive(Debug)]
struct Group {
    judgement: Judgement,
    first: Loss,
    last: Loss,
    records: u64,
}

/// What was judged of all losses.
#[derive(Debug, Default)]
struct Judged {
    allowed: u64,
    looking: u64,
    groups: Vec<Group>,
    /// By partition: whether all its losses are allowed.
    partitions: BTreeMap<i32, bool>,
}

/// Says how a workload's records fare.
pub fn status(
    shelved: &Shelved,
    facts: &Facts,
    terms: Terms,
    judgements: &mut Judgements,
    now_ms: i64,
) -> LedgerStatus {
    let (spec, progress) = (shelved.spec(), shelved.progress());
    let book = shelved.book();
    let sums = book.sums();
    let findings = book.findings();
    let judged = judgements.refresh(findings, &spec.topic, facts, terms, now_ms);
    let all_allowed = !judged.groups.is_empty() && judged.groups.iter().all(|group| group.judgement.allowed);
    // What is only counted fared as all that is kept did.
    let not_kept_allowed = if all_allowed { findings.not_kept() } else { 0 };
    let lost_allowed = judged.allowed + not_kept_allowed;
    let anomalies = anomalies(findings, judged, &spec.topic, facts, terms);
    let others: u64 = anomalies.iter().map(|anomaly| anomaly.unexplained).sum();
    let unexplained_losses = sums.lost.saturating_sub(lost_allowed + judged.looking);
    let unexplained = unexplained_losses + others;
    let verdict = match () {
        () if unexplained > 0 => Verdict::Red,
        () if judged.looking > 0 => Verdict::Looking,
        () if sums.lost > 0 || progress.stage == Stage::Unfinished => Verdict::Allowed,
        () => Verdict::Green,
    };
    let losses = judged.groups.iter().take(LOSSES_NAMED_MAX).enumerate();
    let losses: Vec<Arc<NamedLoss>> =
        losses.map(|(index, group)| Arc::new(name(index as u64 + 1, group, &spec.topic))).collect();
    let named: u64 = losses.iter().map(|loss| loss.records).sum();
    let mut words = words(
        verdict,
        progress.stage,
        &sums,
        lost_allowed,
        (unexplained_losses, &anomalies),
        progress.trouble.as_deref(),
    );
    let raised_epoch = book.has_raised_epoch();
    if raised_epoch && findings.count(Kind::Duplicate) > 0 {
        words.push_str(RAISED_EPOCH);
    }
    LedgerStatus {
        id: shelved.id,
        topic: spec.topic.clone(),
        stage: progress.stage,
        verdict,
        words,
        sent: sums.sent,
        acked: sums.acked,
        unknown: sums.unknown,
        failed: sums.failed,
        aborted: sums.aborted,
        read: sums.read,
        read_committed: sums.read_committed,
        lost: sums.lost,
        lost_allowed,
        duplicated: findings.count(Kind::Duplicate),
        reordered: findings.count(Kind::NonmonotonicSend),
        aborted_but_seen: findings.count(Kind::AbortedRead) + findings.count(Kind::PrecommittedRead),
        unexplained,
        expired: sums.expired,
        losses_not_named: sums.lost.saturating_sub(named),
        anomalies,
        losses,
        details_kept: sums.details_kept,
        details_let_go: sums.details_let_go,
        memory_bytes: book.bytes() as u64,
        trouble: progress.trouble,
        raised_epoch,
        stop_on_violation: spec.stop_on_violation,
    }
}

fn judge_all(findings: &Findings, topic: &str, facts: &Facts, terms: Terms, now_ms: i64) -> Judged {
    let mut judged = Judged::default();
    let mut groups: BTreeMap<Common, usize> = BTreeMap::new();
    for loss in findings.losses() {
        let judgement = judge(loss, topic, facts, terms);
        if !judgement.allowed && loss.found_ms + TELLING_MS > now_ms {
            judged.looking += 1;
        }
        judged.allowed += u64::from(judgement.allowed);
        *judged.partitions.entry(loss.entry.partition).or_insert(true) &= judgement.allowed;
        let common = (
            loss.entry.partition,
            judgement.row,
            judgement.allowed,
            judgement.leader,
            judgement.leader_epoch,
            judgement.isr.clone(),
            loss.kind,
        );
        match groups.get(&common).and_then(|index| judged.groups.get_mut(*index)) {
            Some(group) => group.add(loss),
            None => {
                groups.insert(common, judged.groups.len());
                judged.groups.push(Group { judgement, first: *loss, last: *loss, records: 1 });
            }
        }
    }
    judged
}

impl Group {
    fn add(&mut self, loss: &Loss) {
        let place = |loss: &Loss| (loss.entry.offset, loss.entry.producer, loss.entry.sequence);
        self.records += 1;
        if place(loss) < place(&self.first) {
            self.first = *loss;
        }
        if place(loss) > place(&self.last) {
            self.last = *loss;
        }
    }
}

fn anomalies(findings: &Findings, judged: &Judged, topic: &str, facts: &Facts, terms: Terms) -> Vec<AnomalyCount> {
    let of = |kind: Kind| {
        let by_partition = findings.counts().range((kind, i32::MIN)..=(kind, i32::MAX));
        let mut found = AnomalyCount { kind, count: 0, unexplained: 0, first: findings.first(kind).to_owned() };
        for ((_, partition), count) in by_partition {
            found.count += count;
            let losses_allowed = judged.partitions.get(partition).copied().unwrap_or(false);
            if excuse(kind, *partition, topic, facts, terms, losses_allowed).is_none() {
                found.unexplained += count;
            }
        }
        found
    };
    Kind::ALL.into_iter().map(of).filter(|found| found.count > 0).collect()
}

fn record(loss: &Loss) -> RecordRef {
    let entry = loss.entry;
    RecordRef { producer: entry.producer, sequence: entry.sequence, offset: entry.offset, acknowledged_ms: entry.at_ms }
}

fn name(number: u64, group: &Group, topic: &str) -> NamedLoss {
    let Group { judgement, first, last, records } = group;
    NamedLoss {
        number,
        kind: first.kind,
        partition: first.entry.partition,
        records: *records,
        first: record(first),
        last: record(last),
        acks: first.entry.acks,
        leader: judgement.leader,
        leader_epoch: judgement.leader_epoch,
        isr: judgement.isr.clone(),
        min_isr: judgement.min_isr,
        found_ms: first.found_ms,
        held: judgement.held.clone(),
        events: judgement.events.clone(),
        faults: judgement.faults.clone(),
        allowed: judgement.allowed,
        row: judgement.row,
        row_name: row_name(judgement.row).to_owned(),
        story: story(group, topic),
    }
}

/// `1 record`, `1,234 records`.
fn records_of(number: u64) -> String {
    if number == 1 { "1 record".into() } else { format!("{} records", grouped(number as i64)) }
}

fn story(group: &Group, topic: &str) -> String {
    let Group { judgement, first, last, records } = group;
    let entry = first.entry;
    let place = match (entry.offset, last.entry.offset) {
        (Some(from), Some(to)) if from == to => format!(" at offset {from} of {topic}-{}", entry.partition),
        (Some(from), Some(to)) => format!(" at offsets {from} to {to} of {topic}-{}", entry.partition),
        _ => String::new(),
    };
    let were = if *records == 1 { "was" } else { "were" };
    let by = match judgement.leader {
        -1 => String::new(),
        leader => format!(" by {} in epoch {}", names::node_inside(leader), judgement.leader_epoch),
    };
    let mut text = format!(
        "{}{place} {were} acknowledged{by}, with acks={}, the ISR {} and min.insync.replicas {}; first record {} of producer {}.",
        records_of(*records),
        entry.acks.name(),
        names::nodes(&judgement.isr),
        judgement.min_isr,
        entry.sequence,
        entry.producer,
    );
    text += match (first.kind, first.was_read) {
        (Kind::Unseen, true) => " It had been read before, and was not there any more when all was read once more.",
        (Kind::Unseen, false) => " It was not there when all was read once more.",
        (_, true) => " It had been read before; another record stands in its place.",
        (_, false) => " Readers passed its place, and it was not there.",
    };
    let told: Vec<String> = judgement.events.iter().map(said).collect();
    if !told.is_empty() {
        text += &format!(" {}", told.join(" "));
    }
    for fault in &judgement.faults {
        text += &format!(" Fault {}: {}.", fault.id, fault.what);
    }
    let row = judgement.row.map_or_else(String::new, |row| format!(" (row {row}: {})", row_name(Some(row))));
    let verb = if judgement.allowed { "allows it" } else { "does not allow it" };
    text + &format!(" What was promised {verb}{row}: {}.", lower(&judgement.why))
}

fn said(event: &EventRef) -> String {
    if event.cause.is_empty() {
        event.text.clone()
    } else {
        format!("{} ({}).", event.text.trim_end_matches('.'), event.cause.trim_end_matches('.'))
    }
}

/// Names keep their capitals; sentences within sentences do not.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn words(
    verdict: Verdict,
    stage: Stage,
    sums: &Sums,
    lost_allowed: u64,
    (unexplained_losses, anomalies): (u64, &[AnomalyCount]),
    trouble: Option<&str>,
) -> String {
    let acked = records_of(sums.acked);
    match verdict {
        Verdict::Red => {
            let mut what: Vec<String> = Vec::new();
            if unexplained_losses > 0 {
                what.push(format!("{} acknowledged and gone", records_of(unexplained_losses)));
            }
            let wrong = anomalies.iter().filter(|anomaly| anomaly.unexplained > 0);
            what.extend(
                wrong.map(|anomaly| format!("{} × {}", grouped(anomaly.unexplained as i64), anomaly.kind.name())),
            );
            format!("A promise was broken: {}.", what.join(", "))
        }
        Verdict::Looking => "Acknowledged records are missing; what took them is being looked for.".into(),
        Verdict::Allowed if sums.lost > 0 => {
            format!("{} of {acked} acknowledged are gone, as what was promised allows.", grouped(lost_allowed as i64))
        }
        Verdict::Allowed => format!("Not verified to the end: {}.", trouble.unwrap_or("the reading ended early")),
        Verdict::Green => match stage {
            Stage::Verified => format!("All that was acknowledged is there: {acked}."),
            Stage::Draining => format!("Nothing is missing; {acked} acknowledged are being read once more."),
            _ if sums.acked == 0 => "Nothing was acknowledged yet.".into(),
            _ => {
                let missing = sums.acked.saturating_sub(sums.read);
                let behind = count(i64::try_from(missing).unwrap_or(i64::MAX), "record is", "records are");
                format!("Nothing is missing: {acked} acknowledged, of which {behind} still to be read.")
            }
        },
    }
}
