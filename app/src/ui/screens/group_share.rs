//! How far a share group has come, as the share coordinators know it.

use std::sync::Arc;

use egui::Ui;

use crate::monitor::inquiry::{Findings, Query, ShareOffset};
use crate::monitor::snapshot::Group;
use crate::ui::app::{Action, Scene};
use crate::ui::asked::{Answer, Asked};
use crate::ui::format;
use crate::ui::tokens::{font, palette, size};
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

/// The table shows at most so many rows before it scrolls by itself.
const ROWS_AT_MOST: f32 = 12.0;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, group: &Group, actions: &mut Vec<Action>) {
    let style = palette(ui);
    text::label(ui, "Progress", font::heading(), style.text);
    let words =
        "Its members read partitions together and commit no offsets: how far it has come, its coordinator is asked.";
    text::paragraph(ui, words, font::body(), style.muted);
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
        let found = scene
            .model
            .topic(topic)
            .and_then(|(topic, _)| topic.partitions.iter().find(|known| known.id == *partition));
        row.text(&found.map_or_else(String::new, |known| format::count(known.high_watermark)));
    });
}
