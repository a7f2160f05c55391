//! What a broker is busy with: its thread, its connections, its traffic; read from what it measured within the last second.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::metrics::names::Attribute;
use broker::metrics::table::network;
use broker::metrics::{MetricsReport, Series};
use egui::{Ui, vec2};

use super::side_by_side;
use crate::monitor::cloudwatch::statistics::Statistic;
use crate::monitor::cloudwatch::store::{Dimension, Key, Store};
use crate::monitor::cloudwatch::watch::CLUSTER_NAME;
use crate::monitor::snapshot::Broker;
use crate::monitor::view::{Metric, View};
use crate::ui::app::Scene;
use crate::ui::format;
use crate::ui::model::is_up;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::empty;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Table, TableState};
use crate::ui::widgets::{sparkline, text, tile};

/// What one broker measured. What it does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// CPU time of its thread in the program's own code, % of one processor.
    pub cpu_user: Option<f64>,
    /// CPU time of its thread in the kernel, % of one processor.
    pub cpu_system: Option<f64>,
    /// Share of the last minute in which its request handler had nothing to do, 0 to 1.
    pub handler_idle: Option<f64>,
    /// Share of the last seconds in which its network processor had nothing to do, 0 to 1.
    pub network_idle: Option<f64>,
    /// How often its thread goes to sleep, per second.
    pub sleeps_per_s: Option<f64>,
    /// Requests that wait.
    pub request_queue: Option<f64>,
    /// Answers that wait.
    pub response_queue: Option<f64>,
    /// By listener.
    pub listeners: BTreeMap<String, Listener>,
    /// Connections by the clients' software and listener.
    pub software: Vec<(String, String, String, f64)>,
}

/// A listener of a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Listener {
    /// Open connections.
    pub connections: f64,
    /// Opened per second.
    pub opened_per_s: f64,
    /// Closed per second.
    pub closed_per_s: f64,
    /// Bytes read from sockets, per second.
    pub in_per_s: f64,
    /// Bytes written to sockets, per second.
    pub out_per_s: f64,
}

/// A CPU value that is older is none, s.
const RECENT_S: i64 = 5;

/// Of all brokers.
pub fn read(view: &View) -> BTreeMap<i32, Load> {
    let brokers = view.snapshot.brokers.iter();
    brokers.map(|broker| (broker.id, of(view, broker.id))).collect()
}

fn of(view: &View, id: i32) -> Load {
    let mut load = view.metrics.get(&id).map_or_else(Load::default, |report| told(report));
    let store = &view.cloudwatch.store;
    (load.cpu_user, load.cpu_system) = (newest(store, "CpuUser", id), newest(store, "CpuSystem", id));
    load
}

fn newest(store: &Store, metric: &str, id: i32) -> Option<f64> {
    let broker: Arc<str> = id.to_string().into();
    let key = Key::new(metric, vec![(Dimension::ClusterName, CLUSTER_NAME.into()), (Dimension::BrokerId, broker)]);
    let (series, now_s) = (store.get(&key)?, store.newest_s());
    series.points(Statistic::Average, 1, now_s - RECENT_S, now_s + 1).last().map(|point| point.value)
}

fn told(report: &MetricsReport) -> Load {
    let mut load = Load::default();
    for series in &report.series {
        take(&mut load, series);
    }
    load.software.sort_by(|one, other| other.3.total_cmp(&one.3).then_with(|| one.0.cmp(&other.0)));
    load
}

fn take(load: &mut Load, series: &Series) {
    let is = |bean: &'static broker::metrics::Bean| std::ptr::eq(series.bean, bean);
    let value = series.value();
    if is(&network::HANDLER_IDLE) {
        load.handler_idle = Attribute::OneMinuteRate.read(&series.reading);
    } else if is(&network::PROCESSORS_IDLE) {
        load.network_idle = Some(value);
    } else if is(&network::REQUEST_QUEUE_SIZE) {
        load.request_queue = Some(value);
    } else if is(&network::RESPONSE_QUEUE_SIZE) {
        load.response_queue = Some(load.response_queue.unwrap_or(0.0) + value);
    } else if is(&network::CONNECTIONS) {
        let word = |key: &str| series.label(key).map_or_else(String::new, ToString::to_string);
        let (name, version) = (word("clientSoftwareName"), word("clientSoftwareVersion"));
        load.software.push((name, version, word("listener"), value));
    } else if let Some(listener) = series.label("listener") {
        // One loop serves all listeners.
        if is(&network::SELECT_RATE) {
            load.sleeps_per_s = Some(value);
        }
        let field: fn(&mut Listener) -> &mut f64 = if is(&network::CONNECTION_COUNT) {
            |listener| &mut listener.connections
        } else if is(&network::CREATION_RATE) {
            |listener| &mut listener.opened_per_s
        } else if is(&network::CLOSE_RATE) {
            |listener| &mut listener.closed_per_s
        } else if is(&network::INCOMING_BYTE_RATE) {
            |listener| &mut listener.in_per_s
        } else if is(&network::OUTGOING_BYTE_RATE) {
            |listener| &mut listener.out_per_s
        } else {
            return;
        };
        *field(load.listeners.entry(listener.to_string()).or_default()) += value;
    }
}

/// A share of 0 to 1 as a percentage; `–` where it is not known.
pub fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{:.0} %", value * 100.0))
}

/// A percentage.
pub fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} %"))
}

/// Below so much idle time a broker is near what it can do.
const BUSY: f64 = 0.3;
const VERY_BUSY: f64 = 0.1;

/// How good or bad a share of idle time is.
pub fn idle_mood(idle: Option<f64>) -> Mood {
    match idle {
        Some(idle) if idle < VERY_BUSY => Mood::Critical,
        Some(idle) if idle < BUSY => Mood::Warning,
        _ => Mood::Quiet,
    }
}

/// All CPU of a broker's thread.
pub fn cpu(load: &Load) -> Option<f64> {
    Some(load.cpu_user? + load.cpu_system?)
}

const SPARK_POINTS: usize = 300;
const SPARK: f32 = 64.0;

/// Tiles, traffic and the thread.
pub fn overview(ui: &mut Ui, scene: &Scene<'_>, broker: &Broker, load: &Load) {
    let rates = &broker.rates;
    let quiet = |name, value| (name, value, Mood::Quiet);
    // One that does not run answers nothing, which is not fast.
    let took = |ms: f64| if is_up(broker) { format::millis(ms) } else { "–".to_owned() };
    tile::row(
        ui,
        &[
            ("Handler idle", share(load.handler_idle), idle_mood(load.handler_idle)),
            ("Network idle", share(load.network_idle), idle_mood(load.network_idle)),
            quiet("CPU user", percent(load.cpu_user)),
            quiet("CPU system", percent(load.cpu_system)),
            quiet("Requests", format::rate(rates.requests_per_s)),
            quiet("Produce p99", took(rates.produce_p99_ms)),
            quiet("Fetch p99", took(rates.fetch_p99_ms)),
            quiet("Connections", format::count(broker.counters.connections as i64)),
        ],
    );
    ui.add_space(space::M);
    let width = (ui.available_width() - space::M) / 2.0;
    side_by_side(ui, &[width, width], space::M, |ui, index| {
        card(ui, |ui| if index == 0 { traffic(ui, scene, broker) } else { thread(ui, scene, broker, load) });
    });
}

fn traffic(ui: &mut Ui, scene: &Scene<'_>, broker: &Broker) {
    let style = palette(ui);
    text::label(ui, "Traffic", font::heading(), style.text);
    ui.add_space(space::XS);
    let (series, label) = (&scene.model.view.series, broker.id.to_string());
    let width = (ui.available_width() - space::M) / 2.0;
    let charts = [
        ("Written by clients", broker.rates.bytes_in_per_s, Metric::BytesInPerS, style.series[0]),
        ("Read by consumers", broker.rates.bytes_out_per_s, Metric::BytesOutPerS, style.series[3]),
    ];
    side_by_side(ui, &[width, width], space::M, |ui, index| {
        let (name, rate, metric, ink) = charts[index];
        text::label(ui, name, font::tiny(), style.faint);
        text::label(ui, &format::byte_rate(rate), font::body(), style.text);
        if let Some(found) = series.get(metric, &label) {
            let skip = found.points.len().saturating_sub(SPARK_POINTS);
            sparkline::sparkline(ui, vec2(width, SPARK), found.points.range(skip..).copied(), ink);
        }
    });
    ui.add_space(space::S);
    let rates = &broker.rates;
    for (name, value) in [
        ("Records written", format::rate(rates.messages_in_per_s)),
        ("Fetched from leaders, as a follower", format::byte_rate(rates.replication_in_per_s)),
        ("Given to followers, as a leader", format::byte_rate(rates.replication_out_per_s)),
    ] {
        fact(ui, name, &value);
    }
}

fn thread(ui: &mut Ui, scene: &Scene<'_>, broker: &Broker, load: &Load) {
    let style = palette(ui);
    text::label(ui, "Thread and roles", font::heading(), style.text);
    ui.add_space(space::XS);
    let words = "A broker here is one thread, which is its only network processor and its only request handler.";
    text::paragraph(ui, words, font::small(), style.faint);
    ui.add_space(space::XS);
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format::count(value as i64));
    let groups = scene.model.snapshot().groups.iter().filter(|group| group.coordinator == broker.id).count();
    for (name, value) in [
        ("Thread", format!("broker-{}", broker.id)),
        ("CPU, of one processor", percent(cpu(load))),
        ("Goes to sleep, for want of work", load.sleeps_per_s.map_or_else(|| "–".to_owned(), format::rate)),
        ("Requests held back", number(load.request_queue)),
        ("Answers not yet being written", number(load.response_queue)),
        ("Partitions led", format::count(broker.leaders as i64)),
        ("Replicas", format::count(broker.replicas as i64)),
        ("Groups coordinated", format::count(groups as i64)),
        ("Broker epoch", if broker.epoch < 0 { "none".to_owned() } else { broker.epoch.to_string() }),
    ] {
        fact(ui, name, &value);
    }
}

fn fact(ui: &mut Ui, name: &str, value: &str) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        text::label(ui, name, font::small(), style.faint);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            text::label(ui, value, font::body(), style.text);
        });
    });
}

const LISTENERS: [Column; 6] = [
    Column::text("Listener", 120.0, 1.0).unsorted(),
    Column::number("Connections", 80.0, 0.5).unsorted(),
    Column::number("Opened", 70.0, 0.5).help("Connections opened per second").unsorted(),
    Column::number("Closed", 70.0, 0.5).help("Connections closed per second").unsorted(),
    Column::number("Received", 80.0, 0.5)
        .help("Bytes read from sockets, per second: requests with all that is in them")
        .unsorted(),
    Column::number("Sent", 80.0, 0.5).help("Bytes written to sockets, per second").unsorted(),
];

const SOFTWARE: [Column; 4] = [
    Column::text("Client software", 160.0, 1.0).help("As clients name it in ApiVersions (KIP-511)").unsorted(),
    Column::text("Version", 100.0, 0.6).unsorted(),
    Column::text("Listener", 100.0, 0.6).unsorted(),
    Column::number("Connections", 80.0, 0.4).unsorted(),
];

/// By listener, and by the clients' software.
pub fn connections(ui: &mut Ui, load: &Load, tables: &mut [TableState; 2]) {
    if load.listeners.is_empty() {
        return empty(ui, Icon::Clock, "No connections are told yet", "A broker that runs tells them once a second.");
    }
    let [listeners, software] = tables;
    let height = |rows: usize| Some(size::HEADER + size::ROW * rows.clamp(1, 4) as f32);
    framed(ui, |ui| {
        let rows: Vec<_> = load.listeners.iter().collect();
        let table = Table {
            id: "listeners",
            columns: &LISTENERS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: height(rows.len()),
            active: false,
            selected: None,
        };
        table.show(ui, listeners, |index, row| {
            let (name, told) = rows[index];
            row.strong(name);
            row.strong(&format::count(told.connections as i64));
            row.text(&format::rate(told.opened_per_s));
            row.text(&format::rate(told.closed_per_s));
            row.text(&format::byte_rate(told.in_per_s));
            row.text(&format::byte_rate(told.out_per_s));
        });
    });
    ui.add_space(space::M);
    framed(ui, |ui| {
        let table = Table {
            id: "client software",
            columns: &SOFTWARE,
            rows: load.software.len(),
            row_height: size::ROW,
            max_height: None,
            active: false,
            selected: None,
        };
        table.show(ui, software, |index, row| {
            let (name, version, listener, count) = &load.software[index];
            row.strong(name);
            row.mono(version);
            row.text(listener);
            row.strong(&format::count(*count as i64));
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn what_a_broker_measured_is_read_and_what_it_does_not_tell_is_not_made_up() {
        let view = fixture::incident();
        let loads = read(&view);
        let one = &loads[&1];
        assert!(one.handler_idle.is_some_and(|idle| (0.0..=1.0).contains(&idle)));
        assert!(one.cpu_user.is_some() && one.listeners.contains_key("PLAINTEXT"));
        assert_eq!(one.listeners["PLAINTEXT"].connections, 9.0);
        assert_eq!(one.software.iter().map(|kind| kind.3).sum::<f64>(), 9.0);
        assert_eq!(loads[&2], Load::default(), "broker 2 is killed");
    }

    #[test]
    fn little_idle_time_is_trouble() {
        let moods = [None, Some(0.9), Some(0.2), Some(0.05)].map(idle_mood);
        assert_eq!(moods, [Mood::Quiet, Mood::Quiet, Mood::Warning, Mood::Critical]);
    }
}
