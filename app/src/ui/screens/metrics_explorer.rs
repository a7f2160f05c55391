//! The explorer: all names that there are, with a search; what each means, its series, and what these are called in CloudWatch and Prometheus.

use std::sync::Arc;

use egui::{Align, Layout, Ui};

use super::metrics::{State as Screen, copyable};
use super::{metrics_beans, page, side_by_side};
use crate::monitor::cloudwatch::catalog::{self, Definition, LEFT_OUT, LeftOut};
use crate::monitor::cloudwatch::store::{Key, Series};
use crate::ui::alarm_draft::Start;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::format;
use crate::ui::measured::{self, Lines, Query};
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, segments};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::chart::Chart;
use crate::ui::widgets::empty::no_match;
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::table::{Column, Item, Table, TableState};
use crate::ui::widgets::text;

/// Whose names are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Source {
    /// Amazon MSK's metrics, with their history.
    #[default]
    CloudWatch,
    /// Kafka's MBeans, as nodes told them last.
    Beans,
}

/// What the explorer remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Whose names are shown.
    pub source: Source,
    /// Words that names and meanings must have.
    pub filter: String,
    /// By [`measured::pin_of`], or a name that is left out.
    pub chosen: Option<String>,
    /// Of the list.
    pub table: TableState,
    rows: Cached<String, Vec<Entry>>,
    lines: Cached<(u64, Query, String, bool), Lines>,
    keys: Cached<(u64, String, String), Vec<Owned>>,
    series_filter: String,
    series: TableState,
    chosen_series: Option<Arc<Key>>,
    beans: metrics_beans::State,
}

/// A series with its name.
type Owned = (Arc<Key>, Arc<Series>);

impl State {
    /// Shows Kafka's MBeans.
    pub fn show_beans(&mut self) {
        self.source = Source::Beans;
    }

    /// Shows a metric.
    pub fn open(&mut self, pin: &str) {
        self.source = Source::CloudWatch;
        self.chosen = Some(pin.to_owned());
        self.filter.clear();
    }
}

/// A line of the list.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Row(&'static Definition),
    LeftOut(&'static str, &'static LeftOut),
}

impl Entry {
    fn name(self) -> String {
        match self {
            Entry::Row(row) => measured::pin_of(row),
            Entry::LeftOut(name, of) => format!("{name}, {}", of.kind),
        }
    }

    /// Whether all words stand somewhere in what is said of it.
    fn matches(self, words: &str) -> bool {
        let said = match self {
            Entry::Row(row) => {
                let simulated = if row.is_simulated { "simulated" } else { "" };
                let level = row.level.name();
                let prometheus = row.prometheus.unwrap_or("");
                format!("{} {} {level} {prometheus} {simulated}", self.name(), row.meaning)
            }
            Entry::LeftOut(name, of) => format!("{name} {} {}", of.kind, of.reason),
        };
        let said = said.to_lowercase();
        words.split_whitespace().all(|word| said.contains(word))
    }
}

fn rows(filter: &str) -> Vec<Entry> {
    let left_out = LEFT_OUT.iter().flat_map(|of| of.names.iter().map(move |name| Entry::LeftOut(name, of)));
    catalog::all().map(Entry::Row).chain(left_out).filter(|entry| entry.matches(filter)).collect()
}

const LIST: [Column; 2] =
    [Column::text("Metric", 190.0, 1.0).unsorted(), Column::text("Dimensions", 110.0, 0.25).unsorted()];

const SERIES: [Column; 2] =
    [Column::text("Series", 160.0, 1.0).unsorted(), Column::number("Newest", 80.0, 0.2).unsorted()];

/// The list's share of the width.
const LIST_SHARE: f32 = 0.42;
const CHART: f32 = 170.0;
/// The table of series shows at most so many rows before it scrolls by itself.
const SERIES_AT_MOST: f32 = 7.0;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, screen: &mut Screen, actions: &mut Vec<Action>) {
    let (width, height) = (ui.available_width(), ui.available_height());
    let list = ((width - space::M) * LIST_SHARE).floor();
    side_by_side(ui, &[list, width - list - space::M], space::M, |ui, index| {
        ui.set_max_height(height);
        match (index, screen.explorer.source) {
            (0, Source::CloudWatch) => {
                search(ui, &mut screen.explorer);
                overview(ui, &mut screen.explorer, actions);
            }
            (0, Source::Beans) => {
                search(ui, &mut screen.explorer);
                let filter = screen.explorer.filter.trim().to_lowercase();
                metrics_beans::overview(ui, scene, &mut screen.explorer.beans, &filter);
            }
            (_, Source::CloudWatch) => detail(ui, scene, screen, actions),
            (_, Source::Beans) => metrics_beans::detail(ui, scene, &mut screen.explorer.beans),
        }
    });
}

fn search(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            segments(ui, &mut state.source, &[(Source::CloudWatch, "CloudWatch"), (Source::Beans, "MBeans")]);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                filter_box(ui, "Search metrics", "Search names and meanings", &mut state.filter);
            });
        });
    });
}

fn overview(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let filter = state.filter.trim().to_lowercase();
    let rows = state.rows.get(filter.clone(), || rows(&filter));
    let chosen = state.chosen.clone();
    let selected = rows.iter().position(|entry| chosen.as_ref().is_none_or(|chosen| *chosen == entry.name()));
    framed(ui, |ui| {
        if rows.is_empty() {
            let hint = "It looks for all of its words in names, meanings and dimensions.";
            if no_match(ui, "No metric matches the search", hint) {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "metrics",
            columns: &LIST,
            rows: rows.len(),
            row_height: size::ROW_TALL,
            max_height: None,
            active: true,
            selected,
        };
        let menu = |index: usize| menu(rows[index]);
        let (pressed, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| match rows[index] {
            Entry::Row(metric) => {
                row.two_lines(metric.name, metric.meaning);
                let what = if metric.is_simulated { "simulated" } else { metric.level.name() };
                row.two_lines(&measured::by(metric), what);
            }
            Entry::LeftOut(name, of) => {
                row.two_lines(name, of.reason);
                row.two_lines("not computed", of.kind);
            }
        });
        actions.extend(asked);
        if let Some(index) = pressed {
            state.chosen = Some(rows[index].name());
            state.chosen_series = None;
        }
    });
}

fn menu(entry: Entry) -> Vec<Item<Action>> {
    match entry {
        Entry::Row(row) => {
            let mut items = vec![Item::copy("CloudWatch's name", row.name)];
            items.extend(row.prometheus.map(|name| Item::copy("Prometheus' name", name)));
            let start = Start::Metric(measured::pin_of(row), None);
            items.push(Item::new("New alarm…", Icon::Bell, Action::Ask(Dialog::PutAlarm(start))));
            items
        }
        Entry::LeftOut(name, _) => vec![Item::copy("CloudWatch's name", name)],
    }
}

/// The chosen metric; without a choice, the first of the list.
fn chosen(state: &mut State) -> Option<Entry> {
    if let Some(chosen) = &state.chosen {
        return rows("").into_iter().find(|entry| entry.name() == *chosen);
    }
    let filter = state.filter.trim().to_lowercase();
    state.rows.get(filter.clone(), || rows(&filter)).first().copied()
}

fn detail(ui: &mut Ui, scene: &Scene<'_>, screen: &mut Screen, actions: &mut Vec<Action>) {
    let style = palette(ui);
    match chosen(&mut screen.explorer) {
        None => {}
        Some(Entry::LeftOut(name, of)) => {
            card(ui, |ui| {
                text::label(ui, name, font::heading(), style.text);
                let kind = format!("A metric of Amazon MSK ({}) that is not computed here.", of.kind);
                text::paragraph(ui, &kind, font::body(), style.muted);
                text::paragraph(ui, of.reason, font::body(), style.text);
            });
        }
        Some(Entry::Row(row)) => page(ui, "metric", |ui| {
            ui.spacing_mut().item_spacing.y = space::M;
            card(ui, |ui| metric(ui, scene, screen, row));
            card(ui, |ui| series(ui, scene, screen, row, actions));
        }),
    }
}

fn metric(ui: &mut Ui, scene: &Scene<'_>, screen: &mut Screen, row: &'static Definition) {
    let style = palette(ui);
    let pin = measured::pin_of(row);
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let is_pinned = screen.pins.contains(&pin);
            let name = format!("{} {pin}", if is_pinned { "Unpin" } else { "Pin" });
            let words = if is_pinned { "Pinned" } else { "Pin to wall" };
            let button = Button::new(words).name(&name).with_icon(Icon::Pin).small().selected(is_pinned);
            if button.show(ui).clicked() {
                screen.toggle_pin(&pin);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                text::label(ui, row.name, font::heading(), style.text);
                if row.is_simulated {
                    super::metrics_wall::SIMULATED.show(ui);
                }
            });
        });
    });
    text::paragraph(ui, row.meaning, font::body(), style.text);
    let view = &scene.model.view.cloudwatch;
    let query = screen.query;
    let facts = format!(
        "{} · {} · {} of {} · from level {} on{}",
        row.unit.name(),
        measured::by(row),
        query.statistic_of(row),
        measured::period_name(query.period_s),
        row.level.name(),
        if row.is_seed { " · one of the 13 to watch" } else { "" },
    );
    text::label(ui, &facts, font::small(), style.faint);
    if row.level > view.level {
        let words = format!("The monitoring level in force is {}: this metric is not computed.", view.level.name());
        text::paragraph(ui, &words, font::body(), style.warning);
    }
    let (measured_at, now_ms) = (scene.model.measured, scene.model.snapshot().at_ms);
    let key = (measured_at, query, pin.clone(), ui.visuals().dark_mode);
    let lines = screen.explorer.lines.get(key, || measured::lines(&view.store, row, query, now_ms, style));
    if lines.traces.is_empty() {
        text::label(ui, "No value has come in yet.", font::body(), style.muted);
        return;
    }
    let unit = measured::unit(row, query.statistic_of(row));
    let bands = scene.model.faults.bands();
    let chart = Chart { bands, stale_ms: query.stale_ms(), ..Chart::new(&pin, now_ms, query.range_s, CHART, unit) };
    chart.show(ui, &mut screen.crosshair, &lines.traces);
}

fn series(ui: &mut Ui, scene: &Scene<'_>, screen: &mut Screen, row: &'static Definition, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let (statistic, state) = (screen.query.statistic, &mut screen.explorer);
    let store = &scene.model.view.cloudwatch.store;
    let filter = state.series_filter.trim().to_lowercase();
    let read = || {
        let all = measured::series_of(store, row).into_iter();
        let matches = |key: &Key| measured::line_name(key).to_lowercase().contains(&filter);
        all.filter(|(key, _)| matches(key)).map(|(key, series)| (key.clone(), series.clone())).collect::<Vec<_>>()
    };
    let keys = state.keys.get((scene.model.measured, measured::pin_of(row), filter.clone()), read);
    ui.horizontal(|ui| {
        let title = format!("{} series", format::count(keys.len() as i64));
        text::label(ui, &title, font::heading(), style.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            filter_box(ui, "Filter series", "Filter series", &mut state.series_filter);
        });
    });
    let known = state.chosen_series.as_ref();
    let selected = known.and_then(|known| keys.iter().position(|(key, _)| key == known)).unwrap_or(0);
    let Some((key, _)) = keys.get(selected) else {
        copyable(ui, "CloudWatch name", row.name);
        if let Some(prometheus) = row.prometheus {
            copyable(ui, "Prometheus name", prometheus);
        }
        return;
    };
    let key = key.clone();
    let table = Table {
        id: "series",
        columns: &SERIES,
        rows: keys.len(),
        row_height: size::ROW,
        max_height: Some(size::HEADER + size::ROW * SERIES_AT_MOST),
        active: true,
        selected: Some(selected),
    };
    let unit = measured::unit(row, row.statistic);
    let (pressed, asked) = ui
        .scope(|ui| {
            let menu = |index: usize| series_menu(row, &keys[index].0);
            table.show_with(ui, &mut state.series, Some(&menu), |index, line| {
                let (key, series) = &keys[index];
                line.strong(&measured::line_name(key));
                let newest = series.points(row.statistic, 1, series.last_s(), series.last_s() + 1);
                line.text(&newest.last().map_or_else(|| "–".to_owned(), |point| unit.write(point.value)));
            })
        })
        .inner;
    actions.extend(asked);
    ui.add_space(space::XS);
    let words = format!("Alarm on {key}");
    if Button::new("Alarm on this").name(&words).with_icon(Icon::Bell).small().show(ui).clicked() {
        actions.push(Action::Ask(Dialog::PutAlarm(Start::Series(key.clone(), statistic))));
    }
    copyable(ui, "CloudWatch name", &measured::cloudwatch_name(&key));
    match (row.prometheus, row.promql_of(&key)) {
        (Some(prometheus), Some(promql)) => {
            copyable(ui, "Prometheus name", prometheus);
            copyable(ui, "PromQL", &promql);
        }
        _ => {
            text::label(ui, "No name of its own in Prometheus.", font::small(), style.faint);
        }
    }
    if let Some(index) = pressed {
        state.chosen_series = keys.get(index).map(|(key, _)| key.clone());
    }
}

fn series_menu(row: &Definition, key: &Arc<Key>) -> Vec<Item<Action>> {
    let mut items = vec![Item::copy("CloudWatch's name", measured::cloudwatch_name(key))];
    items.extend(row.promql_of(key).map(|promql| Item::copy("PromQL", promql)));
    let start = Start::Series(key.clone(), None);
    items.push(Item::new("Alarm on this…", Icon::Bell, Action::Ask(Dialog::PutAlarm(start))));
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_of_a_search_must_be_there() {
        let names = |filter: &str| rows(filter).into_iter().map(Entry::name).collect::<Vec<_>>();
        assert_eq!(names("bytesinpersec id, topic"), ["BytesInPerSec by Broker ID, Topic"]);
        assert!(names("simulated").iter().any(|name| name.starts_with("BurstBalance")));
        assert!(names("trafficshaping").len() == 1, "what is not computed is found, with the reason");
        assert!(names("kafka_server_replicamanager_leadercount").len() == 1);
        assert!(names("no such metric").is_empty());
        assert_eq!(names("").len(), rows("").len());
    }
}
