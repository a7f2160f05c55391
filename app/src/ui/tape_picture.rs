//! What the tape of a partition shows, from what is known of it. Pure.

use std::collections::BTreeMap;

use broker::log::{BatchOutline, LogOutline, Marker, SegmentOutline};

use super::format;
use super::widgets::lens::Domain;
use super::widgets::tape::{Band, Block, BlockKind, Dot, Lane, Line, Mark, Pace, Picture};
use crate::monitor::snapshot::{Group, GroupOffset, Partition};

/// So many groups are shown, those with the largest lag.
pub const GROUPS_MAX: usize = 10;

/// All that goes into a picture.
pub struct Known<'a> {
    /// The partition as its nodes tell.
    pub partition: &'a Partition,
    /// Brokers that do not take part.
    pub down: &'a [i32],
    /// Groups that have committed an offset of it.
    pub groups: &'a [(&'a Group, &'a GroupOffset)],
    /// What the files tell, if they were read, and of which stretch of offsets.
    pub files: Option<(&'a LogOutline, (i64, i64))>,
    /// Why they were not.
    pub excuse: Option<String>,
    /// The batch whose facts are shown.
    pub chosen: Option<i64>,
    /// Whether it is compacted.
    pub is_compacted: bool,
}

/// The leader's end, or the furthest that is known.
pub fn log_end(partition: &Partition) -> i64 {
    let ends = &partition.log_end_offsets;
    let furthest = || ends.values().max().copied();
    ends.get(&partition.leader).copied().or_else(furthest).unwrap_or(0).max(partition.high_watermark)
}

/// All offsets that there are.
pub fn domain(partition: &Partition) -> Domain {
    let from = partition.log_start_offset.max(0);
    let furthest = partition.log_end_offsets.values().max().copied().unwrap_or(0);
    Domain { from, to: furthest.max(log_end(partition)).max(from) }
}

/// Puts it together.
pub fn picture(known: &Known<'_>) -> Picture {
    let partition = known.partition;
    let domain = domain(partition);
    let mut lanes = replicas(partition, known.down);
    if let Some(first) = lanes.first_mut() {
        first.heading = Some(("Replicas", "log end · behind the leader"));
    }
    let replicas = lanes.len();
    lanes.extend(known.groups.iter().take(GROUPS_MAX).map(|(group, offset)| group_lane(group, offset, partition)));
    if let Some(first) = lanes.get_mut(replicas) {
        first.heading = Some(("Groups", "committed · lag"));
    }
    let mut picture = Picture {
        domain,
        marks: marks(partition),
        lanes,
        lanes_left_out: known.groups.len().saturating_sub(GROUPS_MAX),
        excuse: known.excuse.clone(),
        ..Picture::default()
    };
    if let Some((outline, (from, to))) = known.files {
        let to = to.min(outline.batches_end.unwrap_or(to)).min(domain.to);
        picture.epochs = epochs(&outline.epochs, domain);
        picture.segments = segments(&outline.segments, domain);
        picture.blocks = blocks(&outline.batches, known.chosen);
        picture.holes = holes(&outline.batches, (from.max(domain.from), to));
        picture.dots = dots(&outline.batches);
        picture.known = Some((from.max(domain.from), to));
        picture.clean_to = outline.first_dirty_offset.filter(|offset| known.is_compacted && *offset > domain.from);
    }
    picture
}

/// The places that have names; those at the same offset share a label.
fn marks(partition: &Partition) -> Vec<Mark> {
    let named = [
        ("High watermark", partition.high_watermark, Line::Strong),
        ("log end", log_end(partition), Line::Plain),
        ("last stable offset", partition.last_stable_offset, Line::Dashed),
        ("log start", partition.log_start_offset, Line::Plain),
    ];
    let mut marks: Vec<Mark> = Vec::new();
    for (name, offset, line) in named.into_iter().filter(|(_, offset, _)| *offset >= 0) {
        match marks.iter_mut().find(|mark| mark.offset == offset) {
            Some(mark) => mark.label = format!("{}, {name}", mark.label),
            None => marks.push(Mark { offset, label: name.to_owned(), line }),
        }
    }
    for mark in &mut marks {
        let mut letters = mark.label.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        mark.label = format!("{first}{} {}", letters.as_str(), format::count(mark.offset));
    }
    marks
}

fn replicas(partition: &Partition, down: &[i32]) -> Vec<Lane> {
    let goal = log_end(partition);
    let lane = |id: &i32| {
        let end = partition.log_end_offsets.get(id).copied();
        let (leads, is_in_sync) = (partition.leader == *id, partition.isr.contains(id));
        let mut label = format!("Broker {id}");
        let role = match (leads, down.contains(id), is_in_sync) {
            (_, true, _) => " · down",
            (true, ..) => " · leader",
            (_, _, false) => " · not in ISR",
            _ => "",
        };
        label.push_str(role);
        let gap = end.map_or(0, |end| (goal - end).max(0));
        let pace = match (end, leads, gap, is_in_sync) {
            (None, ..) => Pace::Unknown,
            (_, true, ..) => Pace::Leads,
            (_, _, _, false) => Pace::Out,
            (_, _, 0, _) => Pace::Level,
            _ => Pace::Behind,
        };
        let value = match end {
            None => "not known".to_owned(),
            Some(end) if gap > 0 => format!("{} · −{}", format::count(end), format::count(gap)),
            Some(end) => format::count(end),
        };
        Lane { heading: None, label, value, end: end.unwrap_or(0), goal, pace }
    };
    partition.replicas.iter().map(lane).collect()
}

fn group_lane(group: &Group, offset: &GroupOffset, partition: &Partition) -> Lane {
    let committed = offset.committed_offset;
    let mut value = format::count(committed);
    if committed < partition.log_start_offset {
        value.push_str(" · its records are gone");
    } else if offset.lag > 0 {
        value.push_str(&format!(" · −{}", format::count(offset.lag)));
        if let Some(lag_ms) = offset.lag_ms {
            value.push_str(&format!(", {}", format::millis(lag_ms as f64)));
        }
    }
    let pace = if offset.lag > 0 || committed < partition.log_start_offset { Pace::Behind } else { Pace::Level };
    Lane { heading: None, label: group.id.to_string(), value, end: committed, goal: partition.high_watermark, pace }
}

fn epochs(all: &[(i32, i64)], domain: Domain) -> Vec<Band> {
    let ends = all.iter().skip(1).map(|(_, start)| *start).chain([domain.to]);
    let band = |((epoch, from), to): (&(i32, i64), i64)| Band {
        from: (*from).max(domain.from),
        to,
        label: epoch.to_string(),
        is_marked: false,
    };
    all.iter().zip(ends).map(band).filter(|band| band.to >= band.from).collect()
}

fn segments(all: &[SegmentOutline], domain: Domain) -> Vec<Band> {
    let ends = all.iter().skip(1).map(|segment| segment.base_offset).chain([domain.to]);
    let band = |(segment, to): (&SegmentOutline, i64)| Band {
        from: segment.base_offset.max(domain.from),
        // The last that is told need not be the log's last.
        to: if segment.is_active {
            to.max(segment.next_offset)
        } else {
            to.min(segment.next_offset.max(segment.base_offset.saturating_add(1)))
        },
        label: format!("{} · {}", format::count(segment.base_offset), format::bytes(segment.size_bytes as f64)),
        is_marked: segment.is_active,
    };
    all.iter().zip(ends).map(band).collect()
}

/// What became of each batch's transaction, as far as its end is among these batches.
pub fn kinds(batches: &[BatchOutline]) -> Vec<BlockKind> {
    let mut ends: BTreeMap<i64, Option<Marker>> = BTreeMap::new();
    let mut kinds: Vec<BlockKind> = batches
        .iter()
        .rev()
        .map(|batch| {
            let header = &batch.header;
            if header.is_control() {
                ends.insert(header.producer_id, batch.marker);
                match batch.marker {
                    Some(Marker::Commit) => BlockKind::Commit,
                    Some(Marker::Abort) => BlockKind::Abort,
                    None => BlockKind::Control,
                }
            } else if !header.is_transactional() {
                BlockKind::Data
            } else if ends.get(&header.producer_id) == Some(&Some(Marker::Abort)) {
                BlockKind::Aborted
            } else {
                BlockKind::Transactional
            }
        })
        .collect();
    kinds.reverse();
    kinds
}

fn blocks(batches: &[BatchOutline], chosen: Option<i64>) -> Vec<Block> {
    let block = |(batch, kind): (&BatchOutline, BlockKind)| Block {
        from: batch.header.base_offset,
        to: batch.header.next_offset(),
        kind,
        filled: batch.header.record_count as f32 / (batch.header.last_offset_delta as f32 + 1.0),
        is_chosen: chosen == Some(batch.header.base_offset),
    };
    batches.iter().zip(kinds(batches)).map(block).collect()
}

/// Stretches between batches, within what was looked at, that have none.
fn holes(batches: &[BatchOutline], (from, to): (i64, i64)) -> Vec<(i64, i64)> {
    let mut holes = Vec::new();
    let mut next = from;
    for batch in batches {
        if batch.header.base_offset > next {
            holes.push((next, batch.header.base_offset.min(to)));
        }
        next = next.max(batch.header.next_offset());
    }
    // Behind the last one is what was written since.
    holes.retain(|(from, to)| from < to);
    holes
}

fn dots(batches: &[BatchOutline]) -> Vec<(i64, Dot)> {
    let records = batches.iter().flat_map(|batch| {
        let is_control = batch.header.is_control();
        batch.records.iter().flat_map(|records| records.iter()).map(move |record| {
            let dot = match record.value_bytes {
                _ if is_control => Dot::Marker,
                Some(_) => Dot::Record,
                None => Dot::Tombstone,
            };
            (record.offset, dot)
        })
    });
    records.collect()
}

/// Facts of a batch, by their names.
pub fn batch_facts(batch: &BatchOutline, kind: BlockKind, offset_minutes: i32) -> Vec<(&'static str, String)> {
    let header = &batch.header;
    let codec = header.compression().map_or("unknown", |codec| codec.name());
    let records = match batch.missing() {
        _ if header.is_control() => "a marker".to_owned(),
        0 => format::plural(header.record_count.max(0) as usize, "record"),
        gone => format!("{} left, {} compacted away", format::count(header.record_count.into()), format::count(gone)),
    };
    let mut facts = vec![
        ("Offsets", span(header.base_offset, header.last_offset())),
        ("Records", records),
        ("Size", format!("{}, {codec}", format::bytes(header.size_bytes() as f64))),
        ("Time", times(header.base_timestamp, header.max_timestamp, offset_minutes)),
        ("Leader epoch", header.partition_leader_epoch.to_string()),
    ];
    if header.has_producer_id() {
        let sequence = if header.base_sequence < 0 {
            String::new()
        } else {
            format!(", sequence {}", span(header.base_sequence.into(), header.last_sequence().into()))
        };
        facts.push(("Producer", format!("{}, epoch {}{sequence}", header.producer_id, header.producer_epoch)));
    } else {
        facts.push(("Producer", "not idempotent".to_owned()));
    }
    let transaction = match kind {
        BlockKind::Data => "none",
        BlockKind::Transactional => "part of one",
        BlockKind::Aborted => "part of one that was aborted",
        BlockKind::Commit => "commits one",
        BlockKind::Abort => "aborts one",
        BlockKind::Control => "a control batch",
    };
    facts.push(("Transaction", transaction.to_owned()));
    facts.push(("Place", format!("{:020}.log at byte {}", batch.segment, format::count(batch.position as i64))));
    facts
}

/// Facts of a segment, by their names.
pub fn segment_facts(segment: &SegmentOutline, offset_minutes: i32) -> Vec<(&'static str, String)> {
    let [offsets, times_bytes, txns] = segment.index_bytes.map(|bytes| format::bytes(bytes as f64));
    let time = match (segment.first_timestamp_ms, segment.max_timestamp_ms) {
        (Some(first), Some(last)) => times(first, last, offset_minutes),
        _ => "none".to_owned(),
    };
    vec![
        ("File", format!("{:020}.log", segment.base_offset)),
        ("Offsets", span(segment.base_offset, segment.next_offset - 1)),
        ("Size", format::bytes(segment.size_bytes as f64)),
        ("Indexes", format!("offset {offsets}, time {times_bytes}, transaction {txns}")),
        ("Time", time),
        ("State", if segment.is_active { "active: the log grows here" } else { "closed" }.to_owned()),
    ]
}

/// `5`, `5–9`, or that there is none.
fn span(from: i64, to: i64) -> String {
    match from.cmp(&to) {
        std::cmp::Ordering::Less => format!("{}–{}", format::count(from), format::count(to)),
        std::cmp::Ordering::Equal => format::count(from),
        std::cmp::Ordering::Greater => "none".to_owned(),
    }
}

fn times(from_ms: i64, to_ms: i64, offset_minutes: i32) -> String {
    let at = |ms: i64| format::clock_ms(ms, offset_minutes);
    if from_ms < 0 && to_ms < 0 {
        "none".to_owned()
    } else if from_ms == to_ms {
        at(from_ms)
    } else {
        format!("{} to {}", at(from_ms), at(to_ms))
    }
}

/// How much of the log is to be compacted, 0 to 1, as Kafka's cleaner reckons it without a `min.compaction.lag.ms`.
pub fn dirty_ratio(outline: &LogOutline) -> Option<f64> {
    if outline.segments_before > 0 || outline.segments_after > 0 {
        return None;
    }
    let first_dirty = outline.first_dirty_offset.unwrap_or(0);
    let bytes = |is_meant: &dyn Fn(&SegmentOutline) -> bool| -> u64 {
        outline.segments.iter().filter(|segment| is_meant(segment)).map(|segment| segment.size_bytes).sum()
    };
    let clean = bytes(&|segment| segment.base_offset < first_dirty);
    let dirty = bytes(&|segment| segment.base_offset >= first_dirty && !segment.is_active);
    (clean + dirty > 0).then(|| dirty as f64 / (clean + dirty) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::records::BatchHeader;

    fn batch(base_offset: i64, offsets: i32, records: i32, attributes: i16, producer_id: i64) -> BatchOutline {
        let header = BatchHeader {
            base_offset,
            batch_length: 200,
            partition_leader_epoch: 2,
            crc: 0,
            attributes,
            last_offset_delta: offsets - 1,
            base_timestamp: 5,
            max_timestamp: 9,
            producer_id,
            producer_epoch: 0,
            base_sequence: if producer_id < 0 { -1 } else { 3 },
            record_count: records,
        };
        BatchOutline { header, segment: 0, position: 77, marker: None, records: None }
    }

    const TXN: i16 = 0x10;
    const CONTROL: i16 = 0x30;

    #[test]
    fn transactions_are_told_by_how_they_ended() {
        let end = |at, producer, marker| BatchOutline { marker: Some(marker), ..batch(at, 1, 1, CONTROL, producer) };
        let batches = [
            batch(0, 2, 2, TXN, 1),
            batch(2, 2, 2, TXN, 2),
            end(4, 1, Marker::Abort),
            batch(5, 1, 1, TXN, 1),
            end(6, 2, Marker::Commit),
            batch(7, 1, 1, 0, -1),
        ];
        use BlockKind::{Abort, Aborted, Commit, Data, Transactional};
        assert_eq!(kinds(&batches), [Aborted, Transactional, Abort, Transactional, Commit, Data]);
        let facts = batch_facts(&batches[1], Transactional, 0);
        assert!(facts.contains(&("Producer", "2, epoch 0, sequence 3–4".into())), "{facts:?}");
        assert!(facts.contains(&("Place", "00000000000000000000.log at byte 77".into())));
    }

    #[test]
    fn what_is_gone_is_between_batches_and_in_them() {
        let batches = [batch(10, 5, 2, 0, -1), batch(20, 1, 1, 0, -1), batch(21, 4, 4, 0, -1)];
        assert_eq!(holes(&batches, (0, 100)), [(0, 10), (15, 20)], "behind the last one is what is new");
        assert_eq!(holes(&batches, (12, 18)), [(15, 18)]);
        let blocks = blocks(&batches, Some(20));
        assert_eq!(
            blocks.iter().map(|block| (block.filled, block.is_chosen)).collect::<Vec<_>>(),
            [(0.4, false), (1.0, true), (1.0, false)]
        );
        let facts = batch_facts(&batches[0], BlockKind::Data, 0);
        assert!(facts.contains(&("Records", "2 left, 3 compacted away".into())));
    }

    #[test]
    fn marks_at_one_offset_share_a_label_and_lanes_tell_who_is_behind() {
        let partition = Partition {
            leader: 1,
            replicas: vec![1, 2, 3, 4],
            isr: vec![1, 2],
            log_start_offset: 3,
            high_watermark: 90,
            last_stable_offset: 90,
            log_end_offsets: [(1, 100), (2, 100), (3, 40)].into(),
            ..Partition::default()
        };
        let labels: Vec<String> = marks(&partition).into_iter().map(|mark| mark.label).collect();
        assert_eq!(labels, ["High watermark, last stable offset 90", "Log end 100", "Log start 3"]);
        let lanes = replicas(&partition, &[4]);
        let told: Vec<(&str, &str, Pace)> =
            lanes.iter().map(|lane| (lane.label.as_str(), lane.value.as_str(), lane.pace)).collect();
        assert_eq!(
            told,
            [
                ("Broker 1 · leader", "100", Pace::Leads),
                ("Broker 2", "100", Pace::Level),
                ("Broker 3 · not in ISR", "40 · −60", Pace::Out),
                ("Broker 4 · down", "not known", Pace::Unknown),
            ]
        );
    }

    #[test]
    fn a_log_is_as_dirty_as_kafka_reckons() {
        let segment = |base_offset, size_bytes, is_active| SegmentOutline {
            base_offset,
            next_offset: base_offset + 10,
            size_bytes,
            index_bytes: [0; 3],
            first_timestamp_ms: None,
            max_timestamp_ms: None,
            is_active,
        };
        let mut outline = LogOutline {
            segments: vec![segment(0, 300, false), segment(10, 100, false), segment(20, 999, true)],
            first_dirty_offset: Some(10),
            ..LogOutline::default()
        };
        assert_eq!(dirty_ratio(&outline), Some(0.25));
        outline.first_dirty_offset = None;
        assert_eq!(dirty_ratio(&outline), Some(1.0));
        outline.segments_before = 1;
        assert_eq!(dirty_ratio(&outline), None, "not all of it is known");
    }
}
