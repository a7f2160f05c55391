//! The tape of a partition in words: what is under the pointer, what the shapes mean, and what is not shown.

use broker::log::LogOutline;
use egui::Ui;

use crate::ui::format;
use crate::ui::tape_picture::{batch_facts, segment_facts};
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::tape::{self, BlockKind, Hit, On, Pace, Picture, Sample};
use crate::ui::widgets::text;

/// Width of what explains a row.
const HELP_WIDTH: f32 = 340.0;
/// Width of the names of facts.
const FACT_NAME: f32 = 92.0;

/// What is under the pointer, in words.
pub fn told(
    hit: Hit,
    outline: Option<&LogOutline>,
    picture: &Picture,
    offset_minutes: i32,
) -> Option<(String, Vec<(&'static str, String)>)> {
    let at = format!("Offset {}", format::count(hit.offset));
    match hit.on {
        On::Axis => Some((at, vec![("Press", "to read from here in Messages".to_owned())])),
        On::Epoch(index) => {
            let band = picture.epochs.get(index)?;
            let since = format!("since offset {}", format::count(band.from));
            Some((format!("Leader epoch {}", band.label), vec![("Written", since)]))
        }
        On::Segment(index) => {
            Some(("Segment".to_owned(), segment_facts(outline?.segments.get(index)?, offset_minutes)))
        }
        On::Block(index) => {
            let batch = outline?.batches.get(index)?;
            let kind = picture.blocks.get(index)?.kind;
            Some(("Batch".to_owned(), batch_facts(batch, kind, offset_minutes)))
        }
        On::Hole(index) => {
            let (from, to) = picture.holes.get(index)?;
            let offsets = format!("{}–{}", format::count(*from), format::count(to - 1));
            Some((
                "No batch".to_owned(),
                vec![("Offsets", offsets), ("Why", "compaction took their records".to_owned())],
            ))
        }
        On::Record => Some((at, record_facts(hit.offset, outline?, offset_minutes))),
        On::Name(row) => Some((row.name.to_owned(), vec![("", row.meaning.to_owned())])),
        On::Lane(index) => {
            let lane = picture.lanes.get(index)?;
            Some((lane.label.clone(), vec![("Next offset", lane.value.clone())]))
        }
    }
}

fn record_facts(offset: i64, outline: &LogOutline, offset_minutes: i32) -> Vec<(&'static str, String)> {
    let batch =
        outline.batches.iter().find(|batch| (batch.header.base_offset..batch.header.next_offset()).contains(&offset));
    let records = batch.and_then(|batch| batch.records.as_deref());
    let Some(record) = records.and_then(|records| records.iter().find(|record| record.offset == offset)) else {
        let why = if records.is_some() { "none: compaction took it" } else { "not read" };
        return vec![("Record", why.to_owned())];
    };
    let bytes = |size: Option<usize>, none: &str| size.map_or(none.to_owned(), |size| format::bytes(size as f64));
    vec![
        ("Key", bytes(record.key_bytes, "none")),
        ("Value", bytes(record.value_bytes, "none: a tombstone")),
        ("Time", format::clock_ms(record.timestamp_ms, offset_minutes)),
        ("Press", "to read it in Messages".to_owned()),
    ]
}

/// Facts by their names; without a name, a paragraph.
pub fn fact_list(ui: &mut Ui, title: &str, facts: &[(&'static str, String)]) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::XS / 2.0;
    text::label(ui, title, font::heading(), style.text);
    for (name, value) in facts {
        if name.is_empty() {
            ui.set_max_width(HELP_WIDTH);
            text::paragraph(ui, value, font::small(), style.muted);
            continue;
        }
        ui.horizontal(|ui| {
            let (place, named) =
                ui.allocate_exact_size(egui::vec2(FACT_NAME, font::small().size), egui::Sense::hover());
            named.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, *name));
            text::paint(ui.painter(), place, egui::Align2::LEFT_CENTER, name, font::small(), style.faint);
            text::label(ui, value, font::small(), style.text);
        });
    }
}

/// Shapes of batches.
const BATCHES: [(Sample, &str); 8] = [
    (Sample::Block(BlockKind::Data, 1.0), "batch"),
    (Sample::Block(BlockKind::Transactional, 1.0), "of a transaction"),
    (Sample::Block(BlockKind::Aborted, 1.0), "of an aborted one"),
    (Sample::Block(BlockKind::Commit, 1.0), "commit marker"),
    (Sample::Block(BlockKind::Abort, 1.0), "abort marker"),
    (Sample::Block(BlockKind::Data, 0.5), "half of its records compacted away"),
    (Sample::Hole, "no batch left"),
    (Sample::Clean, "compacted up to here"),
];
/// And of lanes.
const LANES: [(Sample, &str); 4] = [
    (Sample::Pace(Pace::Leads), "leader"),
    (Sample::Pace(Pace::Level), "keeps up"),
    (Sample::Pace(Pace::Behind), "has come so far; the rest lies ahead"),
    (Sample::Pace(Pace::Out), "not in ISR"),
];
/// What the lines are.
const TERMS: &str = "High watermark: all in-sync replicas have what is before it, and consumers read up to it. Last stable offset: up to it \
                     for isolation.level=read_committed, as an open transaction begins there. Log end: where the next record goes.";

/// What stands below the tape.
pub fn footer(ui: &mut Ui, picture: &Picture, outline: Option<&LogOutline>) {
    let style = palette(ui);
    ui.add_space(space::XS);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        tape::legend(ui, &BATCHES);
        tape::legend(ui, &LANES);
    });
    text::paragraph(ui, TERMS, font::tiny(), style.muted);
    let words = "Wheel or ↑ ↓ zooms; dragging or ← → moves; Home and End go to both ends. A press on a batch tells of it, one on an offset or a record reads it.";
    text::paragraph(ui, words, font::tiny(), style.faint);
    let mut notes = Vec::new();
    if let Some(end) = outline.and_then(|outline| outline.batches_end) {
        notes.push(format!("Batches are told up to offset {}: zoom in to see those behind it.", format::count(end)));
    }
    if let Some(outline) = outline
        && outline.segments_before + outline.segments_after > 0
    {
        let (told, left) = (outline.segments.len(), outline.segments_before + outline.segments_after);
        notes.push(format!("{told} of {} segments are told, those around here.", told + left));
    }
    if picture.lanes_left_out > 0 {
        notes.push(format!("{} with less lag are not shown.", format::plural(picture.lanes_left_out, "group")));
    }
    for note in notes {
        text::label(ui, &note, font::small(), style.muted);
    }
}
