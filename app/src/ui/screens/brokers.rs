//! All brokers, how busy they are, and one of them in full: its load, its disks, its connections, its configs.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{Align, Layout, ScrollArea, Ui};

use super::{broker_dirs, broker_load, cluster_cards, header, starting, topic_configs};
use crate::monitor::command::{Command, NewBroker};
use crate::monitor::operation::ConfigResource;
use crate::monitor::snapshot::Broker;
use crate::ui::app::{Action, Scene};
use crate::ui::commands::objects::{self, Object};
use crate::ui::commands::{self, Id};
use crate::ui::format;
use crate::ui::model::{Cached, is_up, node_pill};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, copy};
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::no_match;
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::menu::{self, Open};
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Sort, Table, TableState};
use crate::ui::widgets::tabs::tabs;
use crate::ui::widgets::text;

/// What rows are asked for.
type Wanted = (u64, String, Option<Sort>);

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Words that a broker's id, zone, address or state must have.
    pub filter: String,
    /// Of the table.
    pub table: TableState,
    /// Which broker is shown; without one, the first that is not well, else the first.
    pub chosen: Option<i32>,
    tab: Tab,
    dirs: broker_dirs::State,
    configs: topic_configs::State,
    defaults: topic_configs::State,
    connections: [TableState; 2],
    /// Renewed with what brokers measured, once a second.
    loads: Cached<(usize, u64, usize), BTreeMap<i32, broker_load::Load>>,
    rows: Cached<Wanted, Vec<usize>>,
    /// The broker that the panels are of.
    shown: Option<i32>,
}

/// What of a broker is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tab {
    #[default]
    Load,
    Dirs,
    Connections,
    Configs,
    Defaults,
}

const TABS: [(Tab, &str); 5] = [
    (Tab::Load, "Load"),
    (Tab::Dirs, "Log directories"),
    (Tab::Connections, "Connections"),
    (Tab::Configs, "Configs"),
    (Tab::Defaults, "Configs of all brokers"),
];

const COLUMNS: [Column; 12] = [
    Column::text("Broker", 70.0, 0.4),
    Column::text("State", 100.0, 0.5),
    Column::text("Zone", 44.0, 0.3),
    Column::number("Leaders", 58.0, 0.4).help("Partitions that it leads"),
    Column::number("Replicas", 60.0, 0.4),
    Column::number("Out of sync", 76.0, 0.4).help("Replicas here that are not in the ISR"),
    Column::number("Written", 84.0, 0.6).help("Record bytes that clients wrote, per second"),
    Column::number("Read", 84.0, 0.6).help("Record bytes that consumers read, per second"),
    Column::number("Log size", 76.0, 0.6),
    Column::number("CPU", 56.0, 0.4).help("CPU time of the broker's thread, of one processor (CpuUser and CpuSystem)"),
    Column::number("Handler idle", 80.0, 0.4)
        .help("RequestHandlerAvgIdlePercent, over a minute: below 30 % it is busy"),
    Column::number("Connections", 78.0, 0.4).help("Open connections of clients"),
];

/// So many rows are in sight at once.
const ROWS_SHOWN: usize = 7;
/// What the facts beside a broker's name take.
const ADDRESS: f32 = 560.0;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let snapshot = scene.model.snapshot();
    let up = snapshot.brokers.iter().filter(|broker| is_up(broker)).count();
    let summary = format!("{up} of {} take part", snapshot.brokers.len());
    header(ui, "Brokers", &summary, |ui| {
        let leaving = snapshot.membership.leaving;
        let add = Button::new("Add broker").with_icon(Icon::Plus).enabled(leaving.is_none()).show(ui);
        if add.clicked() {
            actions.push(Action::Send(Command::AddBroker(NewBroker::default())));
        }
        match leaving {
            Some(id) => drop(add.on_hover_text(format!("Add broker: not while broker {id} is being removed."))),
            None => drop(commands::tell_with(add, Id::AddBroker, scene)),
        }
    });
    if starting(ui, scene, "Brokers appear here") {
        return;
    }
    let view = &scene.model.view;
    let key = (Arc::as_ptr(&view.metrics) as usize, scene.model.measured, snapshot.brokers.len());
    let mut loads = std::mem::take(&mut state.loads);
    overview(ui, scene, state, loads.get(key, || broker_load::read(view)), actions);
    ui.add_space(space::M);
    let first = snapshot.brokers.iter().find(|broker| !is_up(broker)).or(snapshot.brokers.first());
    let chosen = state.chosen.and_then(|id| snapshot.brokers.iter().find(|broker| broker.id == id)).or(first);
    if let Some(broker) = chosen {
        let none = broker_load::Load::default();
        let load = loads.get(key, || broker_load::read(view)).get(&broker.id).unwrap_or(&none);
        detail(ui, scene, broker, load, state, actions);
    }
    state.loads = loads;
}

fn overview(
    ui: &mut Ui,
    scene: &Scene<'_>,
    state: &mut State,
    loads: &BTreeMap<i32, broker_load::Load>,
    actions: &mut Vec<Action>,
) {
    let brokers = &scene.model.snapshot().brokers;
    filter_box(ui, "Filter brokers", "Filter by id, zone, address, state", &mut state.filter);
    ui.add_space(space::XS);
    let filter = state.filter.trim().to_lowercase();
    let sort = state.table.sort;
    let rows = state.rows.get((scene.model.generation, filter.clone(), sort), || rows(brokers, loads, &filter, sort));
    let chosen = state.chosen.or_else(|| brokers.iter().find(|broker| !is_up(broker)).map(|broker| broker.id));
    let selected = rows.iter().position(|row| Some(brokers[*row].id) == chosen.or(brokers.first().map(|one| one.id)));
    framed(ui, |ui| {
        if rows.is_empty() {
            if no_match(ui, "No broker matches the filter", "It looks in ids, zones, addresses and states.") {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "brokers",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * rows.len().min(ROWS_SHOWN) as f32),
            active: true,
            selected,
        };
        let menu = |index: usize| objects::menu(&Object::Broker(brokers[rows[index]].id), scene);
        let (pressed, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let broker = &brokers[rows[index]];
            let none = broker_load::Load::default();
            let load = loads.get(&broker.id).unwrap_or(&none);
            row.strong(&format!("Broker {}", broker.id));
            row.pill(Some(&node_pill(broker.state, broker.fenced)));
            row.text(broker.rack.as_deref().unwrap_or("–"));
            row.text(&format::count(broker.leaders as i64));
            row.text(&format::count(broker.replicas as i64));
            row.trouble(broker.out_of_sync_replicas as i64, Mood::Warning);
            row.text(&format::byte_rate(broker.rates.bytes_in_per_s));
            row.text(&format::byte_rate(broker.rates.bytes_out_per_s));
            row.text(&format::bytes(broker.log_size_bytes as f64));
            row.text(&broker_load::percent(broker_load::cpu(load)));
            row.toned(&broker_load::share(load.handler_idle), broker_load::idle_mood(load.handler_idle));
            row.text(&format::count(broker.counters.connections as i64));
        });
        actions.extend(asked);
        if let Some(row) = pressed {
            state.chosen = Some(brokers[rows[row]].id);
        }
    });
}

fn rows(brokers: &[Broker], loads: &BTreeMap<i32, broker_load::Load>, filter: &str, sort: Option<Sort>) -> Vec<usize> {
    let matches = |broker: &Broker| {
        let state = node_pill(broker.state, broker.fenced).text;
        let zone = broker.rack.as_deref().unwrap_or_default();
        let said = format!("broker {} zone {zone} {}:{} {state}", broker.id, broker.host, broker.port).to_lowercase();
        filter.split_whitespace().all(|word| said.contains(word))
    };
    let mut rows: Vec<usize> = (0..brokers.len()).filter(|row| matches(&brokers[*row])).collect();
    rows.sort_by(|&a, &b| {
        let (one, other) = (&brokers[a], &brokers[b]);
        let Some(Sort { column, descending }) = sort else { return is_up(one).cmp(&is_up(other)) };
        let load = |broker: &Broker, pick: fn(&broker_load::Load) -> Option<f64>| {
            loads.get(&broker.id).and_then(pick).unwrap_or(-1.0)
        };
        let order = match column {
            1 => node_pill(one.state, one.fenced).mood.cmp(&node_pill(other.state, other.fenced).mood),
            2 => one.rack.cmp(&other.rack),
            3 => one.leaders.cmp(&other.leaders),
            4 => one.replicas.cmp(&other.replicas),
            5 => one.out_of_sync_replicas.cmp(&other.out_of_sync_replicas),
            6 => one.rates.bytes_in_per_s.total_cmp(&other.rates.bytes_in_per_s),
            7 => one.rates.bytes_out_per_s.total_cmp(&other.rates.bytes_out_per_s),
            8 => one.log_size_bytes.cmp(&other.log_size_bytes),
            9 => load(one, broker_load::cpu).total_cmp(&load(other, broker_load::cpu)),
            10 => load(one, |load| load.handler_idle).total_cmp(&load(other, |load| load.handler_idle)),
            11 => one.counters.connections.cmp(&other.counters.connections),
            _ => one.id.cmp(&other.id),
        };
        if descending { order.reverse() } else { order }
    });
    rows
}

fn detail(
    ui: &mut Ui,
    scene: &Scene<'_>,
    broker: &Broker,
    load: &broker_load::Load,
    state: &mut State,
    actions: &mut Vec<Action>,
) {
    if state.shown.replace(broker.id) != Some(broker.id) {
        // What was typed and asked of another one is not this one's.
        (state.dirs, state.configs) = Default::default();
    }
    title(ui, scene, broker, actions);
    ui.add_space(space::XS);
    tabs(ui, &mut state.tab, &TABS);
    match state.tab {
        Tab::Load => {
            ScrollArea::vertical().id_salt("load").auto_shrink([false, false]).show(ui, |ui| {
                broker_load::overview(ui, scene, broker, load);
            });
        }
        Tab::Dirs => broker_dirs::show(ui, scene, broker, &mut state.dirs, actions),
        Tab::Connections => broker_load::connections(ui, load, &mut state.connections),
        Tab::Configs => {
            let resource = ConfigResource::Broker(Some(broker.id));
            topic_configs::show(ui, scene, &resource, &mut state.configs, actions);
        }
        Tab::Defaults => {
            topic_configs::show(ui, scene, &ConfigResource::Broker(None), &mut state.defaults, actions);
        }
    }
}

fn title(ui: &mut Ui, scene: &Scene<'_>, broker: &Broker, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let id = broker.id;
    let mut open = None;
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL);
        text::label(ui, &format!("Broker {id}"), font::title(), style.text);
        node_pill(broker.state, broker.fenced).show(ui);
        if ui.available_width() >= ADDRESS {
            let address = format!("{}:{}", broker.host, broker.port);
            text::label(ui, &address, font::mono(), style.muted);
            copy(ui, &address, &format!("the address of broker {id}"));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            open = menu::dots(ui, &objects::menu_name(id));
            if Button::new("Log levels")
                .with_icon(Icon::Settings)
                .name(&format!("Log levels of broker {id}"))
                .show(ui)
                .clicked()
            {
                actions.push(Action::OpenLevels(id));
            }
            if Button::new("Log").with_icon(Icon::Logs).name(&format!("Log of broker {id}")).show(ui).clicked() {
                actions.push(Action::OpenLogs { node_id: id, at_ms: scene.model.snapshot().at_ms });
            }
            ui.add_space(space::S);
            cluster_cards::life(ui, scene, broker, actions);
        });
    });
    let open = open.map(|at| Open { at, items: objects::menu(&Object::Broker(id), scene) });
    actions.extend(menu::show(ui, "broker", open));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn who_does_not_take_part_comes_first() {
        let view = fixture::incident();
        let (brokers, loads) = (&view.snapshot.brokers, broker_load::read(&view));
        let ids = |filter: &str, sort| {
            rows(brokers, &loads, filter, sort).into_iter().map(|row| brokers[row].id).collect::<Vec<_>>()
        };
        assert_eq!(ids("", None), [2, 1, 3]);
        assert_eq!(ids("zone c", None), [3]);
        assert_eq!(ids("killed", None), [2]);
        assert_eq!(ids("", Some(Sort { column: 9, descending: true }))[2], 2, "what is not known is least");
    }
}
