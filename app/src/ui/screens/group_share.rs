//! How far a share group has come, as the share coordinators tell it; where no report has it yet, they are asked.

use std::sync::Arc;

use egui::Ui;

use super::group_detail::course;
use crate::monitor::inquiry::{Findings, Query, ShareOffset};
use crate::monitor::snapshot::{Group, SharedOffset};
use crate::ui::app::{Action, Scene};
use crate::ui::asked::{Answer, Asked};
use crate::ui::format;
use crate::ui::tokens::{font, palette, size};
use crate::ui::verdicts;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Table, TableState};
use crate::ui::widgets::text;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    asked: Asked,
    table: TableState,
}

const COLUMNS: [Column; 4] = [
    Column::text("Partition", 120.0, 1.0).unsorted(),
    Column::text("Lag", 112.0, 1.0)
        .help("Records that are not yet acknowledged, archived or out of deliveries")
        .unsorted(),
    Column::number("Start offset", 90.0, 0.4)
        .help("All before it is done with: the share-partition start offset (SPSO)")
        .unsorted(),
    Column::number("High watermark", 96.0, 0.4).unsorted(),
];

/// With what is known of it over time.
const WATCHED: [Column; 7] = [
    Column::text("Partition", 112.0, 1.4).unsorted(),
    Column::text("Verdict", 122.0, 0.1).help(verdicts::HELP).unsorted(),
    Column::text("Lag", 88.0, 0.6)
        .help("Records that are not yet acknowledged, archived or out of deliveries")
        .unsorted(),
    Column::text("Last 2 min", 76.0, 0.4).help("Its lag, second by second, from 0 up").unsorted(),
    Column::number("Behind by", 60.0, 0.3)
        .help("How long ago the record at the start offset was written, where that is known")
        .unsorted(),
    Column::number("Start offset", 90.0, 0.4)
        .help("All before it is done with: the share-partition start offset (SPSO)")
        .unsorted(),
    Column::number("High watermark", 96.0, 0.4).unsorted(),
];

/// The table shows at most so many rows before it scrolls by itself.
const ROWS_AT_MOST: f32 = 12.0;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, group: &Group, actions: &mut Vec<Action>) {
    let style = palette(ui);
    text::label(ui, "Progress", font::heading(), style.text);
    let words = "Its members read partitions together, acknowledge each record, and commit no offsets.";
    text::paragraph(ui, words, font::body(), style.muted);
    if !group.shared.is_empty() {
        watched(ui, scene, state, group);
        return;
    }
    let findings = match state.asked.look(scene, &Query::ShareOffsets(Arc::clone(&group.id)), actions) {
        Answer::Waiting => {
            text::label(ui, "Asking the group's coordinator…", font::body(), style.muted);
            return;
        }
        Answer::Failed(why) => {
            text::paragraph(ui, &format!("It is not known: {why}"), font::body(), style.warning);
            return;
        }
        Answer::Found(_, findings) => findings,
    };
    let Findings::ShareOffsets(offsets) = &*findings else { return };
    if offsets.is_empty() {
        text::label(ui, "No partition has a share state yet.", font::body(), style.muted);
        return;
    }
    let most = offsets.iter().filter_map(|one| one.lag).max().unwrap_or(0).max(1) as f32;
    let table = Table {
        id: "share-offsets",
        columns: &COLUMNS,
        rows: offsets.len(),
        row_height: size::CONTROL,
        max_height: Some(size::HEADER + size::CONTROL * ROWS_AT_MOST),
        active: false,
        selected: None,
    };
    table.show(ui, &mut state.table, |index, row| {
        let ShareOffset { topic, partition, start_offset, lag } = &offsets[index];
        row.strong(&format!("{topic}-{partition}"));
        match lag {
            Some(lag) => row.bar(*lag as f32 / most, &format::count(*lag), Mood::Quiet),
            None => row.text("not told"),
        }
        row.text(&if *start_offset < 0 { "–".to_owned() } else { format::count(*start_offset) });
        row.text(&high_watermark(scene, topic, *partition));
    });
}

fn high_watermark(scene: &Scene<'_>, topic: &str, partition: i32) -> String {
    let topic = scene.model.topic(topic);
    let found = topic.and_then(|(topic, _)| topic.partitions.iter().find(|known| known.id == partition));
    found.map_or_else(String::new, |known| format::count(known.high_watermark))
}

fn watched(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, group: &Group) {
    let most = group.shared.iter().map(|offset| offset.lag).max().unwrap_or(0).max(1) as f32;
    let table = Table {
        id: "share-progress",
        columns: &WATCHED,
        rows: group.shared.len(),
        row_height: size::CONTROL,
        max_height: Some(size::HEADER + size::CONTROL * ROWS_AT_MOST),
        active: false,
        selected: None,
    };
    let watched = verdicts::watched(scene.model, group);
    table.show(ui, &mut state.table, |index, row| {
        let SharedOffset { topic, partition, start_offset, lag, lag_ms } = &group.shared[index];
        let verdict = watched.and_then(|watched| watched.verdict(topic, *partition));
        row.strong(&format!("{topic}-{partition}"));
        row.pill(verdict.map(verdicts::pill).as_ref());
        row.bar(*lag as f32 / most, &format::count(*lag), Mood::Quiet);
        row.spark(&course(scene, group, topic, *partition), verdict.map_or(Mood::Quiet, verdicts::mood));
        row.text(&lag_ms.map_or_else(String::new, |lag_ms| format::millis(lag_ms as f64)));
        row.text(&format::count(*start_offset));
        row.text(&high_watermark(scene, topic, *partition));
    });
}
