//! The explorer's other half: Kafka's MBeans as the nodes told them last, with their names in Prometheus.

use std::collections::HashMap;
use std::sync::Arc;

use broker::metrics::names::{self, Attribute, Dialect};
use broker::metrics::{Bean, MetricsReport, Series, Unit as BeanUnit};
use egui::{Align, Layout, Ui};

use super::metrics::copyable;
use super::page;
use crate::monitor::view::Measured;
use crate::ui::app::Scene;
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::axis::Unit;
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::{empty, loading};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::table::{Column, Item, Table, TableState};
use crate::ui::widgets::text;

/// What it remembers.
#[derive(Debug, Default)]
pub struct State {
    chosen: Option<String>,
    table: TableState,
    rows: Cached<(u64, String), Vec<Row>>,
    /// Of the chosen bean and all nodes: the node's id, and where the series stands in its report.
    found: Cached<(u64, String, String), Vec<(i32, usize)>>,
    series_filter: String,
    series: TableState,
    chosen_series: usize,
    attribute: usize,
}

/// A bean that some node told.
#[derive(Clone, Debug)]
struct Row {
    bean: &'static Bean,
    name: String,
    /// How many series nodes told of it.
    series: usize,
}

const LIST: [Column; 2] =
    [Column::text("MBean", 200.0, 1.0).unsorted(), Column::number("Series", 52.0, 0.1).unsorted()];
const SERIES: [Column; 3] = [
    Column::text("Node", 100.0, 0.3).unsorted(),
    Column::text("Keys", 130.0, 1.0).unsorted(),
    Column::number("Value", 90.0, 0.3).unsorted(),
];
/// The table of series shows at most so many rows before it scrolls by itself.
const SERIES_AT_MOST: f32 = 9.0;

/// `kafka.server:type=BrokerTopicMetrics,name=MessagesInPerSec`; attributes stand after a blank.
fn object_name(bean: &Bean) -> String {
    let joint = if bean.is_named() { ",name=" } else { " " };
    format!("{}:type={}{joint}{}", bean.domain, bean.kind, bean.name)
}

/// All beans by name. Nodes tell tens of thousands of series a second: they are counted here, and looked at one by one only for the chosen bean.
fn rows(measured: &Measured, filter: &str) -> Vec<Row> {
    let mut counts = HashMap::<*const Bean, (&'static Bean, usize)>::new();
    for report in measured.values() {
        // Series of a bean often stand side by side.
        for run in report.series.chunk_by(|one, other| std::ptr::eq(one.bean, other.bean)) {
            counts.entry(run[0].bean).or_insert((run[0].bean, 0)).1 += run.len();
        }
    }
    let row = |(bean, series)| Row { bean, name: object_name(bean), series };
    let matches = |row: &Row| {
        let said = format!("{} {}", row.name, row.bean.help()).to_lowercase();
        filter.split_whitespace().all(|word| said.contains(word))
    };
    let mut rows: Vec<Row> = counts.into_values().map(row).filter(matches).collect();
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    rows
}

fn found(measured: &Measured, bean: &'static Bean, filter: &str) -> Vec<(i32, usize)> {
    let of_node = |(node, report): (&i32, &Arc<MetricsReport>)| {
        let node = *node;
        let matches = |series: &Series| {
            filter.is_empty()
                || format!("{} {}", crate::monitor::names::node(node), keys(series)).to_lowercase().contains(filter)
        };
        let is_of = |series: &Series| std::ptr::eq(series.bean, bean) && matches(series);
        let fitting = report.series.iter().enumerate().filter(|(_, series)| is_of(series));
        fitting.map(|(index, _)| (node, index)).collect::<Vec<_>>()
    };
    measured.iter().flat_map(of_node).collect()
}

/// The list.
pub fn overview(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, filter: &str) {
    let measured = &scene.model.view.metrics;
    let rows = state.rows.get((scene.model.measured, filter.to_owned()), || rows(measured, filter));
    let chosen = state.chosen.clone();
    let selected = rows.iter().position(|row| chosen.as_ref().is_none_or(|chosen| *chosen == row.name));
    framed(ui, |ui| {
        if rows.is_empty() {
            let hint = "Nodes that are at work tell theirs once a second.";
            if measured.is_empty() {
                loading(ui, "No node has told its MBeans yet", hint);
            } else {
                empty(ui, Icon::Search, "No MBean matches", hint);
            }
            return;
        }
        let table = Table {
            id: "beans",
            columns: &LIST,
            rows: rows.len(),
            row_height: size::ROW_TALL,
            max_height: None,
            active: true,
            selected,
        };
        let menu = |index: usize| vec![Item::<()>::copy("the MBean's name", &rows[index].name)];
        let (pressed, _) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let bean = rows[index].bean;
            row.two_lines(bean.name, &format!("{}:type={}", bean.domain, bean.kind));
            row.text(&format::count(rows[index].series as i64));
        });
        if let Some(index) = pressed {
            state.chosen = Some(rows[index].name.clone());
            (state.chosen_series, state.attribute) = (0, 0);
        }
    });
}

/// The chosen bean; without a choice, the first of the list.
pub fn detail(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) {
    let rows = state.rows.peek();
    let chosen = state.chosen.as_ref();
    let row = rows.and_then(|rows| rows.iter().find(|row| chosen.is_none_or(|chosen| *chosen == row.name))).cloned();
    let Some(row) = row else { return };
    page(ui, "bean", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        card(ui, |ui| {
            let style = palette(ui);
            text::label(ui, row.bean.name, font::heading(), style.text);
            text::paragraph(ui, row.bean.help(), font::body(), style.text);
            copyable(ui, "MBean", &row.name);
        });
        card(ui, |ui| series(ui, scene, state, &row));
    });
}

fn series(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, row: &Row) {
    let (style, measured) = (palette(ui), &scene.model.view.metrics);
    let attributes = Attribute::of(row.bean.shape);
    let filter = state.series_filter.trim().to_lowercase();
    let key = (scene.model.measured, row.name.clone(), filter.clone());
    let found = state.found.get(key, || found(measured, row.bean, &filter));
    let read = |(node, index): (i32, usize)| measured.get(&node)?.series.get(index);
    ui.horizontal(|ui| {
        text::label(ui, &format!("{} series", format::count(found.len() as i64)), font::heading(), style.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            filter_box(ui, "Filter series", "Filter by node or key", &mut state.series_filter);
        });
    });
    if attributes.len() > 1 {
        use crate::ui::widgets::picker::{Choice, picker};
        let choice = |(value, attribute): (usize, &Attribute)| Choice { value, name: attribute.name(), enabled: true };
        let choices: Vec<Choice<'_, usize>> = attributes.iter().enumerate().map(choice).collect();
        picker(ui, "Attribute", &mut state.attribute, &choices);
    }
    let Some(attribute) = attributes.get(state.attribute).or(attributes.first()).copied() else { return };
    let selected = state.chosen_series.min(found.len().saturating_sub(1));
    let table = Table {
        id: "bean series",
        columns: &SERIES,
        rows: found.len(),
        row_height: size::ROW,
        max_height: Some(size::HEADER + size::ROW * SERIES_AT_MOST),
        active: true,
        selected: Some(selected),
    };
    let pressed = ui
        .scope(|ui| {
            let menu = |index: usize| series_menu(row, attribute, found[index].0, read(found[index]));
            table.show_with(ui, &mut state.series, Some(&menu), |index, line| {
                line.strong(&crate::monitor::names::node(found[index].0));
                let series = read(found[index]);
                line.text(&series.map(keys).unwrap_or_default());
                let value = series.and_then(|series| attribute.read(&series.reading));
                line.text(&value.map_or_else(|| "–".to_owned(), |value| write(row.bean, attribute, value)));
            })
        })
        .inner
        .0;
    if let Some(index) = pressed {
        state.chosen_series = index;
    }
    let Some((place, series)) = found.get(selected).and_then(|place| Some((place, read(*place)?))) else { return };
    ui.add_space(space::XS);
    for (dialect, what) in
        [(Dialect::Strimzi, "PromQL (Strimzi's names)"), (Dialect::OpenMonitoring, "PromQL (open monitoring)")]
    {
        if let Some(name) = names::name(dialect, row.bean, attribute) {
            copyable(ui, what, &promql(&name, series, place.0));
        }
    }
}

fn series_menu(row: &Row, attribute: Attribute, node: i32, series: Option<&Series>) -> Vec<Item<()>> {
    let Some(series) = series else { return Vec::new() };
    let dialects =
        [(Dialect::Strimzi, "PromQL (Strimzi's names)"), (Dialect::OpenMonitoring, "PromQL (open monitoring)")];
    let promql = dialects.into_iter().filter_map(|(dialect, what)| {
        Some(Item::copy(what, promql(&names::name(dialect, row.bean, attribute)?, series, node)))
    });
    promql.collect()
}

fn keys(series: &Series) -> String {
    let keys: Vec<String> = series.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    keys.join(", ")
}

fn promql(name: &names::Name, series: &Series, node: i32) -> String {
    let own = series.labels.iter().map(|(key, value)| (names::label_name(key), value.to_string()));
    let beside = name.label.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let labels: Vec<String> = beside
        .into_iter()
        .chain(own)
        .chain([("node_id".to_owned(), node.to_string())])
        .map(|(key, value)| format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{}{{{}}}", name.name, labels.join(","))
}

fn write(bean: &Bean, attribute: Attribute, value: f64) -> String {
    use Attribute::{Count, FifteenMinuteRate, FiveMinuteRate, MeanRate, OneMinuteRate};
    let is_rate = matches!(attribute, MeanRate | OneMinuteRate | FiveMinuteRate | FifteenMinuteRate);
    let bytes = bean.unit == BeanUnit::Bytes;
    let unit = match (bean.unit, attribute) {
        _ if is_rate && bytes => Unit::ByteRate,
        _ if is_rate => Unit::Rate,
        (_, Count) if !bytes => Unit::Count,
        (BeanUnit::Bytes, _) => Unit::Bytes,
        (BeanUnit::BytesPerSecond, _) => Unit::ByteRate,
        (BeanUnit::PerSecond, _) => Unit::Rate,
        (BeanUnit::Millis, _) => Unit::Millis,
        (BeanUnit::Seconds, _) => Unit::Seconds,
        (BeanUnit::Percent, _) => Unit::Percent,
        (BeanUnit::Micros, _) => return Unit::Millis.write(value / 1e3),
        (BeanUnit::Nanos, _) => return Unit::Millis.write(value / 1e6),
        (BeanUnit::Ordinal, _) if value.fract() == 0.0 => return format::count(value as i64),
        (BeanUnit::Ratio, _) => return format!("{value:.3}"),
        (BeanUnit::Count | BeanUnit::Ordinal, _) => Unit::Count,
    };
    unit.write(value)
}
