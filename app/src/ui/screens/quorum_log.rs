//! The metadata records of a member's log as they are written, newest first, each in a sentence and as Kafka's JSON. Of a member that is dead
//! too: what it had when it died.

use std::borrow::Cow;
use std::sync::Arc;

use egui::{ScrollArea, Ui};

use super::side_by_side;
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::names::node;
use crate::monitor::quorum::{Entry, LogFindings, LogWish};
use crate::monitor::snapshot::Snapshot;
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::quoted;
use crate::ui::asked::{Answer, Asked};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{self, Button};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::{empty, failed, loading, no_match};
use crate::ui::widgets::field::{self, filter_box, toggle};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::long_text;
use crate::ui::widgets::picker::{Choice, picker};
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Item, Table, TableState};
use crate::ui::widgets::text;

/// What this panel remembers.
#[derive(Debug)]
pub struct State {
    /// Words that a record must say.
    pub filter: String,
    /// Of the table.
    pub table: TableState,
    /// Whose log; without one, the active controller's.
    node: Option<i32>,
    /// Only records before this offset; `None`: the newest.
    before: Option<i64>,
    hides_no_ops: bool,
    chosen: Option<i64>,
    asked: Asked,
    /// What was found last, shown until the next answer is there.
    shown: Option<(i32, Arc<Findings>)>,
    rows: Cached<RowsKey, Vec<Row>>,
    json: Cached<(usize, i64, usize), Json>,
}

/// Of which findings, which image, which filter.
type RowsKey = (usize, i64, String, bool);

/// A record's JSON, and where its lines stand.
type Json = (String, Vec<std::ops::Range<usize>>);

#[derive(Debug)]
struct Row {
    /// Among the entries.
    index: usize,
    words: String,
}

impl Default for State {
    fn default() -> State {
        State {
            filter: String::new(),
            table: TableState::default(),
            node: None,
            before: None,
            hides_no_ops: true,
            chosen: None,
            asked: Asked::default(),
            shown: None,
            rows: Cached::default(),
            json: Cached::default(),
        }
    }
}

/// Offsets that are shown at once.
const PAGE: i64 = 2_000;
/// The newest part begins at a multiple of this, so that the same is asked for while the log grows.
const STEP: i64 = 500;
/// How often it is looked for new records, ms.
const FRESH_MS: i64 = 1_000;
/// The list's share of the width.
const LIST_SHARE: f32 = 0.62;

const COLUMNS: [Column; 5] = [
    Column::number("Offset", 74.0, 0.1).unsorted(),
    Column::text("", size::ICON, 0.0).unsorted(),
    Column::text("When", 92.0, 0.1).help("By the clock of the leader that wrote it").unsorted(),
    Column::text("What it says", 260.0, 2.0).unsorted(),
    Column::text("Record", 168.0, 0.4).help("Kafka's name of the record's type").unsorted(),
];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let snapshot = scene.model.snapshot();
    let leader = Some(snapshot.quorum.leader_id).filter(|id| *id >= 0);
    let node_id = state.node.or(leader).or_else(|| snapshot.quorum.voters.first().map(|voter| voter.id));
    let Some(node_id) = node_id else {
        return empty(ui, Icon::Search, "No controller is known", "Their logs are read as soon as one reports.");
    };
    let wish = wish(snapshot, node_id, state.before);
    let query = Query::Quorum(wish);
    match state.asked.look_every(FRESH_MS, scene, &query, actions) {
        Answer::Found(_, findings) => state.shown = Some((node_id, findings)),
        Answer::Failed(why) => {
            controls(ui, scene, state, node_id, None);
            return failed(ui, "The metadata log cannot be read", &why);
        }
        Answer::Waiting => {}
    }
    let shown = state.shown.as_ref().filter(|(of, _)| *of == node_id).map(|(_, findings)| Arc::clone(findings));
    let found = match shown.as_deref() {
        Some(Findings::Quorum(found)) => found,
        _ => {
            controls(ui, scene, state, node_id, None);
            return loading(ui, "Reading the metadata log", "Its records appear here, the newest first.");
        }
    };
    controls(ui, scene, state, node_id, Some(found));
    ui.add_space(space::XS);
    let filter = state.filter.trim().to_lowercase();
    let key = (std::ptr::from_ref(&**found) as usize, snapshot.image.offset, filter.clone(), state.hides_no_ops);
    let hides = state.hides_no_ops;
    let rows = std::mem::take(&mut state.rows);
    let mut rows = rows;
    let list = rows.get(key, || list(found, snapshot, &filter, hides));
    let height = ui.available_height();
    let width = ui.available_width() - space::M;
    let left = (width * LIST_SHARE).floor();
    side_by_side(ui, &[left, width - left], space::M, |ui, column| {
        ui.set_max_height(height);
        if column == 0 {
            overview(ui, scene, state, found, list, actions);
        } else {
            let chosen =
                state.chosen.and_then(|offset| list.iter().find(|row| found.entries[row.index].offset == offset));
            if let Some(row) = chosen.or(list.first()) {
                ScrollArea::vertical().id_salt("metadata record").show(ui, |ui| {
                    card(ui, |ui| detail(ui, scene, state, found, row));
                });
            }
        }
    });
    state.rows = rows;
}

/// What to ask for: the newest part of a log, or the one before an offset.
fn wish(snapshot: &Snapshot, node_id: i32, before: Option<i64>) -> LogWish {
    let quorum = &snapshot.quorum;
    let voter = quorum.voters.iter().find(|voter| voter.id == node_id).map(|voter| voter.log_end_offset);
    let observer = || quorum.observers.iter().find(|one| one.id == node_id).map(|one| one.log_end_offset);
    let end = voter.filter(|end| *end > 0).or_else(observer).unwrap_or(quorum.high_watermark);
    match before {
        Some(before) => LogWish { node_id, from: (before - PAGE).max(0), to: before },
        None => LogWish { node_id, from: ((end - PAGE).max(0) / STEP) * STEP, to: i64::MAX },
    }
}

fn controls(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, node_id: i32, found: Option<&LogFindings>) {
    let quorum = &scene.model.snapshot().quorum;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        let all = quorum.voters.iter().map(|voter| voter.id).chain(quorum.observers.iter().map(|one| one.id));
        let mut ids: Vec<i32> = all.collect();
        ids.dedup();
        let names: Vec<String> = ids.iter().map(|id| node(*id)).collect();
        let choices: Vec<Choice<'_, i32>> =
            ids.iter().zip(&names).map(|(id, name)| Choice { value: *id, name, enabled: true }).collect();
        let mut chosen = node_id;
        if picker(ui, "Log of", &mut chosen, &choices) {
            (state.node, state.before, state.chosen) = (Some(chosen), None, None);
        }
        filter_box(ui, "Filter records", "Filter by words, topic or type", &mut state.filter);
        toggle(ui, "Without NoOpRecords", &mut state.hides_no_ops);
        let first = found.and_then(|found| found.entries.first()).map_or(0, |entry| entry.offset);
        let begin = found.and_then(|found| found.outline.segments.first()).map_or(0, |(base, _)| *base);
        if Button::new("Older").name("Show older records").enabled(first > begin).show(ui).clicked() {
            (state.before, state.chosen) = (Some(first), None);
            state.table.begin_anew();
        }
        if Button::new("Newest").name("Show the newest records").enabled(state.before.is_some()).show(ui).clicked() {
            (state.before, state.chosen) = (None, None);
            state.table.begin_anew();
        }
    });
}

/// Newest first; those that say all words of the filter, in a sentence, by their type or in their JSON.
fn list(found: &LogFindings, snapshot: &Snapshot, filter: &str, hides_no_ops: bool) -> Vec<Row> {
    let entries = found.entries.iter().enumerate().rev().filter(|(_, entry)| !(hides_no_ops && entry.is_no_op()));
    let rows = entries.map(|(index, entry)| Row { index, words: entry.words(&snapshot.image) });
    rows.filter(|row| filter.is_empty() || matches(&found.entries[row.index], &row.words, filter)).collect()
}

fn matches(entry: &Entry, words: &str, filter: &str) -> bool {
    let said = format!("{} {words} {} {}", entry.offset, entry.kind(), entry.json()).to_lowercase();
    filter.split_whitespace().all(|word| said.contains(word))
}

fn overview(
    ui: &mut Ui,
    scene: &Scene<'_>,
    state: &mut State,
    found: &LogFindings,
    rows: &[Row],
    actions: &mut Vec<Action>,
) {
    let zone = scene.options.utc_offset_minutes;
    let high_watermark = scene.model.snapshot().quorum.high_watermark;
    framed(ui, |ui| {
        if rows.is_empty() {
            if found.entries.is_empty() {
                empty(ui, Icon::Events, "No record stands here", "This part of the log was replaced by a snapshot.");
            } else if no_match(ui, "No record matches", "It looks for its words in sentences, types and JSON.") {
                state.filter.clear();
                state.hides_no_ops = false;
            }
            return;
        }
        let chosen = state.chosen.unwrap_or_else(|| found.entries[rows[0].index].offset);
        let table = Table {
            id: "metadata records",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW_DENSE + space::XS,
            max_height: None,
            active: true,
            selected: rows.iter().position(|row| found.entries[row.index].offset == chosen),
        };
        let menu = |index: usize| menu(&found.entries[rows[index].index], &rows[index].words);
        let (pressed, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let entry = &found.entries[rows[index].index];
            row.text(&format::count(entry.offset));
            if entry.offset >= high_watermark {
                row.icon(Icon::Clock, Mood::Busy, "Not committed yet");
            } else {
                row.icon(Icon::Check, Mood::Quiet, "");
            }
            row.text(&format::clock_ms(entry.timestamp_ms, zone));
            if entry.is_no_op() {
                row.text(&rows[index].words)
            } else {
                row.strong(&rows[index].words)
            }
            row.mono(entry.kind());
        });
        actions.extend(asked);
        if let Some(row) = pressed.and_then(|row| rows.get(row)) {
            state.chosen = Some(found.entries[row.index].offset);
        }
    });
}

fn menu(entry: &Entry, words: &str) -> Vec<Item<Action>> {
    vec![
        Item::copy("what it says", words),
        Item::copy("the record as JSON", entry.json().to_string()),
        Item::copy("its offset", entry.offset.to_string()),
    ]
}

fn detail(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, found: &LogFindings, row: &Row) {
    let style = palette(ui);
    let entry = &found.entries[row.index];
    let high_watermark = scene.model.snapshot().quorum.high_watermark;
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, entry.kind(), font::heading(), style.text);
    text::paragraph(ui, &format!("{}.", row.words), font::body(), style.text);
    let last = found.entries.iter().rev().find(|one| one.batch == entry.batch).map_or(entry.offset, |one| one.offset);
    let batch = if last == entry.batch {
        "alone in its batch".to_owned()
    } else {
        format!(
            "in one batch with all from {} to {}, committed together",
            format::count(entry.batch),
            format::count(last)
        )
    };
    let state_words = if entry.offset < high_watermark {
        "It is committed: a majority of the voters has it."
    } else {
        "It is not committed yet: no majority of the voters has it."
    };
    let words = format!("Offset {}, epoch {}, {batch}. {state_words}", format::count(entry.offset), entry.epoch);
    text::paragraph(ui, &words, font::small(), style.muted);
    let columns = long_text::columns(ui);
    let key = (std::ptr::from_ref(found) as usize, entry.offset, columns);
    let (json, lines) = state.json.get(key, || {
        let json = serde_json::to_string_pretty(&entry.json()).unwrap_or_default();
        let lines = long_text::wrap(&json, columns);
        (json, lines)
    });
    ui.horizontal(|ui| {
        text::label(ui, "As Kafka's JSON", font::small(), style.muted);
        button::copy(ui, json, "the record as JSON");
    });
    long_text::show(ui, lines.len(), |line| Cow::Borrowed(&json[lines[line].clone()]));
    if let Some(file) = found.segment_file(entry.offset) {
        let line = format!("kafka-dump-log.sh --cluster-metadata-decoder --files {}", quoted(&file.to_string_lossy()));
        field::command(ui, "The same by Kafka's tool", &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn the_same_is_asked_for_while_the_log_grows() {
        let mut snapshot = (*fixture::healthy().snapshot).clone();
        let first = wish(&snapshot, 3001, None);
        assert_eq!((first.from, first.to), (16_500, i64::MAX));
        snapshot.quorum.voters[1].log_end_offset += 60;
        assert_eq!(wish(&snapshot, 3001, None), first);
        assert_eq!(wish(&snapshot, 3001, Some(first.from)), LogWish { node_id: 3001, from: 14_500, to: 16_500 });
        assert_eq!(wish(&snapshot, 3001, Some(300)).from, 0);
        // A voter that never told falls back on what is committed.
        snapshot.quorum.voters[0].log_end_offset = 0;
        assert_eq!(wish(&snapshot, 3000, None).from, 16_500);
    }
}
