//! State and configuration as a tree: all that the metadata log adds up to, with the place that each had in ZooKeeper.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use broker::metadata::image::Image;
use egui::{ScrollArea, Ui};

use super::side_by_side;
use crate::monitor::quorum::tree::{self, Path, TreeRow};
use crate::ui::app::Scene;
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{self, Button};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::no_match;
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::long_text;
use crate::ui::widgets::table::{Column, Table, TableState};
use crate::ui::widgets::text;

/// What this panel remembers.
#[derive(Debug)]
pub struct State {
    /// Words that a name or a value must have.
    pub filter: String,
    /// Of the table.
    pub table: TableState,
    /// Folders that are open.
    open: BTreeSet<Path>,
    /// What the rows are of.
    image: Arc<Image>,
    /// Grows with each folder that opens or closes, and with each change of what the rows are of.
    changes: u64,
    chosen: Path,
    rows: Cached<(u64, String), Vec<TreeRow>>,
    json: Cached<(usize, Path, usize), Json>,
}

/// What a node says, and where its lines stand.
type Json = (String, Vec<std::ops::Range<usize>>);

impl Default for State {
    fn default() -> State {
        let open = [vec!["image"], vec!["image", "cluster"], vec!["image", "topics"]];
        State {
            filter: String::new(),
            table: TableState::default(),
            open: open.into_iter().map(|path| path.into_iter().map(str::to_owned).collect()).collect(),
            image: Arc::default(),
            changes: 0,
            chosen: vec!["image".into()],
            rows: Cached::default(),
            json: Cached::default(),
        }
    }
}

/// The list's share of the width.
const LIST_SHARE: f32 = 0.58;
/// Folders that stand open at most: the first ones close then.
const OPEN_MAX: usize = 2_000;

const COLUMNS: [Column; 2] =
    [Column::text("Name", 220.0, 1.0).unsorted(), Column::text("Value", 220.0, 1.4).unsorted()];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) {
    let image = &scene.model.snapshot().image;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        filter_box(ui, "Filter the tree", "Find names and values", &mut state.filter);
        if Button::new("Close all").name("Close all folders").enabled(state.open.len() > 1).show(ui).clicked() {
            state.open = [vec!["image".to_owned()]].into();
            state.changes += 1;
        }
        let words = format!("As of offset {}, epoch {}", format::count(image.offset), image.epoch);
        text::label(ui, &words, font::small(), palette(ui).faint);
    });
    ui.add_space(space::XS);
    let filter = state.filter.trim().to_lowercase();
    // Twice a second the log grows by a record that changes nothing else.
    if !tree::is_same_but_for_provenance(image, &state.image) {
        state.changes += 1;
    }
    state.image = Arc::clone(image);
    let key = (state.changes, filter.clone());
    let mut rows = std::mem::take(&mut state.rows);
    let list = rows.get(key, || match filter.as_str() {
        "" => tree::rows(image, &state.open),
        words => tree::find(image, words),
    });
    let height = ui.available_height();
    let width = ui.available_width() - space::M;
    let left = (width * LIST_SHARE).floor();
    side_by_side(ui, &[left, width - left], space::M, |ui, column| {
        ui.set_max_height(height);
        if column == 0 {
            overview(ui, state, list);
        } else {
            ScrollArea::vertical().id_salt("metadata node").show(ui, |ui| {
                card(ui, |ui| detail(ui, state, image));
            });
        }
    });
    state.rows = rows;
}

fn overview(ui: &mut Ui, state: &mut State, rows: &[TreeRow]) {
    framed(ui, |ui| {
        if rows.is_empty() {
            if no_match(ui, "Nothing matches", "It looks for its words in names and values.") {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "metadata tree",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW_DENSE + space::XS,
            max_height: None,
            active: true,
            selected: rows.iter().position(|row| row.path == state.chosen),
        };
        let image = Arc::clone(&state.image);
        let pressed = table.show(ui, &mut state.table, |index, row| {
            let TreeRow { path, branch, is_open } = &rows[index];
            row.branch(path.len() - 1, (branch.below > 0).then_some(*is_open), &branch.name);
            match branch.below {
                0 if path[1..] == ["provenance"] => row.mono(&tree::provenance(&image)),
                0 => row.mono(&branch.value),
                below => row.text(&format::count(below as i64)),
            }
        });
        if let Some(row) = pressed.and_then(|row| rows.get(row)) {
            press(state, row);
        }
    });
}

/// A folder that is pressed opens or closes; of what was found, all is open.
fn press(state: &mut State, row: &TreeRow) {
    state.chosen = row.path.clone();
    if row.branch.below == 0 || !state.filter.trim().is_empty() {
        return;
    }
    state.changes += 1;
    if !state.open.remove(&row.path) {
        state.open.insert(row.path.clone());
    }
    while state.open.len() > OPEN_MAX {
        state.open.pop_last();
    }
}

fn detail(ui: &mut Ui, state: &mut State, image: &Arc<Image>) {
    let style = palette(ui);
    let path = format!("/{}", state.chosen.join("/"));
    ui.spacing_mut().item_spacing.y = space::S;
    ui.horizontal(|ui| {
        button::copy(ui, &path, "the path");
        text::label(ui, &path, font::mono(), style.text);
    });
    if let Some(place) = tree::zookeeper(&state.chosen) {
        text::paragraph(ui, &format!("In ZooKeeper it was {place}"), font::small(), style.muted);
    }
    let columns = long_text::columns(ui);
    let key = (Arc::as_ptr(image) as usize, state.chosen.clone(), columns);
    let chosen = &state.chosen;
    let (json, lines) = state.json.get(key, || {
        let json = serde_json::to_string_pretty(&tree::content(image, chosen)).unwrap_or_default();
        let lines = long_text::wrap(&json, columns);
        (json, lines)
    });
    if json == "{}" {
        text::paragraph(ui, "Nothing stands here.", font::body(), style.muted);
        return;
    }
    ui.horizontal(|ui| {
        text::label(ui, "As JSON", font::small(), style.muted);
        button::copy(ui, json, "what it says");
    });
    long_text::show(ui, lines.len(), |line| Cow::Borrowed(&json[lines[line].clone()]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_opens_and_closes_and_a_leaf_is_only_chosen() {
        let mut state = State::default();
        let row = |names: &[&str], below| TreeRow {
            path: names.iter().map(|name| (*name).to_owned()).collect(),
            branch: tree::Branch { name: names.last().unwrap().to_string(), below, value: String::new() },
            is_open: false,
        };
        let configs = row(&["image", "configs"], 3);
        press(&mut state, &configs);
        assert!(state.open.contains(&configs.path) && state.chosen == configs.path);
        press(&mut state, &configs);
        assert!(!state.open.contains(&configs.path));
        let changes = state.changes;
        press(&mut state, &row(&["image", "provenance"], 0));
        assert_eq!((state.changes, state.chosen.len()), (changes, 2));
    }
}
