//! Consumer groups: the list at the left, the chosen group at the right.

use std::sync::Arc;

use egui::Ui;

use super::{group_detail, header, side_by_side, starting};
use crate::monitor::groups::verdict::Verdict;
use crate::monitor::snapshot::Group;
use crate::ui::app::{Action, Scene};
use crate::ui::commands::objects::{self, Object};
use crate::ui::format;
use crate::ui::model::{Cached, Model, group_mood, group_pill};
use crate::ui::tokens::{size, space};
use crate::ui::verdicts;
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::{empty, no_match};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Sort, Table, TableState};

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// The chosen group; without one, the one with the largest lag.
    pub chosen: Option<Arc<str>>,
    /// Words that ids must have.
    pub filter: String,
    /// Of the table.
    pub table: TableState,
    rows: Cached<(u64, String, Option<Sort>, bool), Vec<usize>>,
    detail: group_detail::State,
}

const COLUMNS: [Column; 7] = [
    Column::text("Group", 150.0, 2.0),
    Column::text("Verdict", 122.0, 0.2).help(verdicts::HELP),
    Column::text("State", 150.0, 0.2),
    Column::number("Members", 56.0, 0.2),
    Column::number("Lag", 62.0, 0.6)
        .help("Records between the group's committed offsets and the high watermarks, over all partitions; of a share group, those that it is not done with"),
    Column::number("Behind by", 62.0, 0.2)
        .help("How long ago the oldest record was written that is not yet read, where that is known of all partitions"),
    Column::number("Coordinator", 70.0, 0.2).help("The broker that keeps the group"),
];

/// What a narrow list shows; the detail tells the rest.
const NARROW: [Column; 3] = [
    Column::text("Group", 84.0, 1.0),
    Column::text("Verdict", 122.0, 0.2).help(verdicts::HELP),
    Column::number("Lag", 66.0, 0.3)
        .help("Records between the group's committed offsets and the high watermarks, over all partitions"),
];

/// Below this width the list is narrow.
const WIDE: f32 = 666.0;

/// The list's share of the width, and of a width in which it is narrow: the detail needs the room more.
const LIST_SHARE: f32 = 0.5;
const NARROW_SHARE: f32 = 0.34;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let groups = &scene.model.snapshot().groups;
    let lag: i64 = groups.iter().map(|group| group.total_lag).sum();
    let summary = format!("{} · total lag {}", format::plural(groups.len(), "group"), format::count(lag));
    header(ui, "Consumer groups", &summary, |_| {});
    if starting(ui, scene, "Groups appear here") {
        return;
    }
    if groups.is_empty() {
        empty(
            ui,
            Icon::Groups,
            "No consumer groups yet",
            "A group appears here as soon as a consumer with a group.id joins or commits an offset.",
        );
        return;
    }
    let chosen = state.chosen.as_deref().and_then(|id| scene.model.group(id));
    let chosen = chosen.or_else(|| groups.iter().max_by_key(|group| (verdicts::of(scene.model, group), group.lag())));
    let chosen = chosen.map(Arc::clone);
    let width = ui.available_width();
    let height = ui.available_height();
    let room = width - space::M;
    let list = (room * if room * LIST_SHARE < WIDE { NARROW_SHARE } else { LIST_SHARE }).floor();
    side_by_side(ui, &[list, width - list - space::M], space::M, |ui, index| {
        ui.set_max_height(height);
        match (index, &chosen) {
            (0, _) => overview(ui, scene, state, chosen.as_deref(), actions),
            (_, Some(group)) => group_detail::show(ui, scene, &mut state.detail, group, actions),
            _ => {}
        }
    });
}

fn overview(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, chosen: Option<&Group>, actions: &mut Vec<Action>) {
    let groups = &scene.model.snapshot().groups;
    filter_box(ui, "Filter groups", "Filter groups", &mut state.filter);
    let filter = state.filter.trim().to_lowercase();
    let sort = state.table.sort;
    let wide = ui.available_width() >= WIDE;
    let rows =
        state.rows.get((scene.model.generation, filter.clone(), sort, wide), || rows(scene.model, &filter, sort, wide));
    let selected = chosen.and_then(|chosen| rows.iter().position(|row| groups[*row].id == chosen.id));
    framed(ui, |ui| {
        if rows.is_empty() {
            if no_match(ui, "No group matches the filter", "It looks for its words anywhere in the group's id.") {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "groups",
            columns: if wide { &COLUMNS } else { &NARROW },
            rows: rows.len(),
            row_height: size::ROW,
            max_height: None,
            active: true,
            selected,
        };
        let menu = |index: usize| objects::menu(&Object::Group(Arc::clone(&groups[rows[index]].id)), scene);
        let (pressed, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let group = &groups[rows[index]];
            row.strong(&group.id);
            row.pill(verdicts::of(scene.model, group).map(verdicts::pill).as_ref());
            if wide {
                row.pill(Some(&group_pill(group)));
                row.text(&format::count(group.members.len() as i64));
            }
            row.strong(&if group.is_measured() { format::count(group.lag()) } else { "–".to_owned() });
            if wide {
                row.text(&behind_ms(scene.model, group).map_or_else(String::new, |ms| format::millis(ms as f64)));
                row.text(&if group.coordinator < 0 { "none".to_owned() } else { group.coordinator.to_string() });
            }
        });
        actions.extend(asked);
        if let Some(row) = pressed {
            state.chosen = Some(Arc::clone(&groups[rows[row]].id));
        }
    });
}

fn behind_ms(model: &Model, group: &Group) -> Option<i64> {
    verdicts::watched(model, group)?.standing.behind_ms
}

/// A group, with what it is sorted by: looked up once, and not with each comparison.
struct Ranked<'m> {
    index: usize,
    group: &'m Group,
    verdict: Option<Verdict>,
    behind_ms: Option<i64>,
}

impl Ranked<'_> {
    fn new<'m>(model: &Model, index: usize, group: &'m Group) -> Ranked<'m> {
        Ranked { index, group, verdict: verdicts::of(model, group), behind_ms: behind_ms(model, group) }
    }

    /// What needs somebody's eye first: trouble, then what is on its way.
    fn urgency(&self) -> Mood {
        self.verdict.map_or(Mood::Quiet, verdicts::mood).max(group_mood(self.group))
    }
}

fn rows(model: &Model, filter: &str, sort: Option<Sort>, wide: bool) -> Vec<usize> {
    let groups = model.snapshot().groups.iter().enumerate();
    let fitting = groups.filter(|(_, group)| filter.is_empty() || group.id.to_lowercase().contains(filter));
    let mut rows: Vec<Ranked<'_>> = fitting.map(|(index, group)| Ranked::new(model, index, group)).collect();
    rows.sort_by(|a, b| {
        let (one, other) = (a.group, b.group);
        let Some(Sort { column, descending }) = sort else {
            // Groups that are not well first; within them by name, since lag changes all the time.
            return b.urgency().cmp(&a.urgency()).then_with(|| one.id.cmp(&other.id));
        };
        let names = if wide { COLUMNS.get(column) } else { NARROW.get(column) };
        let order = match names.map_or("", |column| column.name) {
            "Verdict" => a.verdict.cmp(&b.verdict),
            "Behind by" => a.behind_ms.cmp(&b.behind_ms),
            "State" => group_mood(one).cmp(&group_mood(other)).then(one.state.cmp(other.state)),
            "Members" => one.members.len().cmp(&other.members.len()),
            // What has no lag stands below what has none left.
            "Lag" => (one.is_measured(), one.lag()).cmp(&(other.is_measured(), other.lag())),
            "Coordinator" => one.coordinator.cmp(&other.coordinator),
            _ => one.id.cmp(&other.id),
        };
        (if descending { order.reverse() } else { order }).then_with(|| one.id.cmp(&other.id))
    });
    rows.into_iter().map(|row| row.index).collect()
}
