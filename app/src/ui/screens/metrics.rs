//! Charts over time, one hover line through all of them, each with the names that CloudWatch and Prometheus know it by.

use egui::Ui;

use super::{header, page, side_by_side};
use crate::monitor::view::{Metric, SeriesStore};
use crate::ui::app::Scene;
use crate::ui::format;
use crate::ui::tokens::{Palette, font, palette, size, space};
use crate::ui::widgets::button::segments;
use crate::ui::widgets::card::card;
use crate::ui::widgets::chart::{Chart, Crosshair, Trace, Unit};
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::{text, tile};

/// What this screen remembers.
#[derive(Debug)]
pub struct State {
    window_s: i64,
    crosshair: Crosshair,
    chart: f32,
}

impl Default for State {
    fn default() -> State {
        State { window_s: 300, crosshair: Crosshair::default(), chart: CHART_LEAST }
    }
}

/// A chart of the wall.
struct Panel {
    title: &'static str,
    unit: Unit,
    unit_name: &'static str,
    lines: Lines,
    cloudwatch: &'static str,
    prometheus: &'static str,
}

enum Lines {
    /// One line per broker.
    ByBroker(Metric),
    /// Two lines per broker: the median dashed, the 99th percentile solid.
    Percentiles { p50: Metric, p99: Metric },
    /// Three lines for the cluster.
    Partitions,
}

/// Names: AWS documentation of Amazon MSK's metrics, and the names that our own `/metrics` gives.
const PANELS: [Panel; 6] = [
    Panel {
        title: "Messages in",
        unit: Unit::Rate,
        unit_name: "records per second, by broker",
        lines: Lines::ByBroker(Metric::MessagesInPerS),
        cloudwatch: "MessagesInPerSec",
        prometheus: "rate of kafka_server_brokertopicmetrics_messagesin_total",
    },
    Panel {
        title: "Partitions out of sync",
        unit: Unit::Count,
        unit_name: "partitions, cluster",
        lines: Lines::Partitions,
        cloudwatch: "UnderReplicatedPartitions, UnderMinIsrPartitionCount, OfflinePartitionsCount",
        prometheus: "kafka_server_replicamanager_underreplicatedpartitions, …_underminisrpartitioncount",
    },
    Panel {
        title: "Bytes in",
        unit: Unit::ByteRate,
        unit_name: "bytes per second, by broker",
        lines: Lines::ByBroker(Metric::BytesInPerS),
        cloudwatch: "BytesInPerSec",
        prometheus: "rate of kafka_server_brokertopicmetrics_bytesin_total",
    },
    Panel {
        title: "Bytes out",
        unit: Unit::ByteRate,
        unit_name: "bytes per second, by broker",
        lines: Lines::ByBroker(Metric::BytesOutPerS),
        cloudwatch: "BytesOutPerSec",
        prometheus: "rate of kafka_server_brokertopicmetrics_bytesout_total",
    },
    Panel {
        title: "Produce latency",
        unit: Unit::Millis,
        unit_name: "from arrival to answer, by broker",
        lines: Lines::Percentiles { p50: Metric::ProduceP50Ms, p99: Metric::ProduceP99Ms },
        cloudwatch: "ProduceTotalTimeMsMean (its mean)",
        prometheus: "kafka_network_requestmetrics_totaltimems{request=\"Produce\"}",
    },
    Panel {
        title: "Fetch latency",
        unit: Unit::Millis,
        unit_name: "consumers, long polls included, by broker",
        lines: Lines::Percentiles { p50: Metric::FetchP50Ms, p99: Metric::FetchP99Ms },
        cloudwatch: "FetchConsumerTotalTimeMsMean (its mean)",
        prometheus: "kafka_network_requestmetrics_totaltimems{request=\"FetchConsumer\"}",
    },
];

/// Charts grow with the window between these heights.
const CHART_LEAST: f32 = 132.0;
const CHART_MOST: f32 = 280.0;
/// What a panel has beside its chart: title, legend, names, margins.
const PANEL_REST: f32 = 120.0;
/// Charts stand in two columns from this width on.
const TWO_COLUMNS: f32 = 760.0;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) {
    header(ui, "Metrics", "one point a second", |ui| {
        segments(ui, &mut state.window_s, &[(60, "1 min"), (300, "5 min"), (900, "15 min")]);
    });
    state.crosshair.turn();
    let rows = PANELS.len().div_ceil(2) as f32;
    let share = (ui.available_height() - tile::HEIGHT - space::M * rows) / rows;
    state.chart = (share - PANEL_REST).floor().clamp(CHART_LEAST, CHART_MOST);
    page(ui, "metrics", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        tiles(ui, scene);
        let columns = if ui.available_width() >= TWO_COLUMNS { 2 } else { 1 };
        let width = ((ui.available_width() + space::M) / columns as f32 - space::M).floor();
        for row in PANELS.chunks(columns) {
            side_by_side(ui, &vec![width; row.len()], space::M, |ui, index| {
                card(ui, |ui| panel(ui, scene, state, &row[index]));
            });
        }
    });
    state.crosshair.settle(ui.ctx());
}

fn tiles(ui: &mut Ui, scene: &Scene<'_>) {
    let totals = &scene.model.snapshot().totals;
    let bad = |count: usize, mood: Mood| if count > 0 { mood } else { Mood::Quiet };
    let rates = &totals.rates;
    let tiles = [
        ("Messages in", format::rate(rates.messages_in_per_s), Mood::Quiet),
        ("Bytes in", format::byte_rate(rates.bytes_in_per_s), Mood::Quiet),
        ("Bytes out", format::byte_rate(rates.bytes_out_per_s), Mood::Quiet),
        ("Requests", format::rate(rates.requests_per_s), Mood::Quiet),
        ("Produce p99, worst broker", format::millis(rates.produce_p99_ms), Mood::Quiet),
        (
            "Under-replicated",
            format::count(totals.under_replicated_partitions as i64),
            bad(totals.under_replicated_partitions, Mood::Warning),
        ),
        (
            "Under min ISR",
            format::count(totals.under_min_isr_partitions as i64),
            bad(totals.under_min_isr_partitions, Mood::Critical),
        ),
        ("Offline", format::count(totals.offline_partitions as i64), bad(totals.offline_partitions, Mood::Critical)),
    ];
    tile::row(ui, &tiles);
}

fn panel(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, panel: &Panel) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    ui.horizontal(|ui| {
        ui.set_min_height(size::PILL + space::XS);
        text::label(ui, panel.title, font::heading(), style.text);
        text::label(ui, panel.unit_name, font::small(), style.faint);
    });
    let traces = traces(scene, style, state.window_s, panel);
    let chart = Chart {
        title: panel.title,
        now_ms: scene.model.snapshot().at_ms,
        window_s: state.window_s,
        height: state.chart,
        format: panel.unit,
        at_least: 0.0,
        whole: panel.unit == Unit::Count,
    };
    chart.show(ui, &mut state.crosshair, &traces);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(space::XS, 2.0);
        ui.spacing_mut().interact_size.y = 0.0;
        names(ui, "CloudWatch", panel.cloudwatch);
        names(ui, "Prometheus", panel.prometheus);
    });
}

fn names(ui: &mut Ui, system: &str, name: &str) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        text::label(ui, system, font::tiny(), style.faint);
        text::label(ui, name, font::mono_small(), style.faint);
    });
}

fn traces(scene: &Scene<'_>, style: &Palette, window_s: i64, panel: &Panel) -> Vec<Trace> {
    let store = &scene.model.view.series;
    let line = |metric: Metric, label: &str, name: String, color: egui::Color32, dashed: bool| Trace {
        name,
        color,
        dashed,
        points: points(store, metric, label, window_s),
        format: panel.unit,
    };
    let brokers = || scene.model.snapshot().brokers.iter().enumerate();
    let color = |index: usize| style.series[index % style.series.len()];
    match panel.lines {
        Lines::ByBroker(metric) => brokers()
            .map(|(index, broker)| {
                line(metric, &broker.id.to_string(), format!("Broker {}", broker.id), color(index), false)
            })
            .collect(),
        Lines::Percentiles { p50, p99 } => brokers()
            .flat_map(|(index, broker)| {
                let label = broker.id.to_string();
                [
                    line(p99, &label, format!("Broker {label} p99"), color(index), false),
                    line(p50, &label, "p50".to_owned(), color(index), true),
                ]
            })
            .collect(),
        Lines::Partitions => vec![
            line(Metric::UnderReplicatedPartitions, "", "Under-replicated".into(), style.warning_fill, false),
            line(Metric::UnderMinIsrPartitions, "", "Under min ISR".into(), style.critical_fill, true),
            line(Metric::OfflinePartitions, "", "Offline".into(), style.critical_fill, false),
        ],
    }
}

/// The points of a series that lie in the window, with one before it so that lines reach the edge.
pub fn points(store: &SeriesStore, metric: Metric, label: &str, window_s: i64) -> Vec<(i64, f64)> {
    let Some(series) = store.get(metric, label) else { return Vec::new() };
    let from_ms = store.at_ms.back().map_or(0, |newest| newest - window_s * 1000);
    let first = store.at_ms.partition_point(|at_ms| *at_ms < from_ms).saturating_sub(1);
    store.at_ms.iter().copied().zip(series.points.iter().copied()).skip(first).collect()
}
