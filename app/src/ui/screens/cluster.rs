//! The cluster at a glance: the workload, the live map of clients, zones with their brokers, and the traffic between them; the controllers, and
//! the map of partitions.

use broker::metadata::report::Moving;
use egui::{Align, Layout, Rect, Ui};

use super::cluster_cards::Stack;
use super::cluster_clients::{self, Clients};
use super::cluster_flow::{self, Consumers, Moves, Replication, Software};
use super::cluster_lines::{self, Column};
use super::{cluster_cards, cluster_map, header, page, side_by_side, starting};
use crate::monitor::command::{Command, End, NewBroker, NewController, WorkloadSpec};
use crate::monitor::snapshot::{Broker, WorkloadStatus};
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::commands::objects::Object;
use crate::ui::commands::{self, Id};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::card;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::text;

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Of the map of partitions.
    pub map: cluster_map::State,
    part: Part,
    software: Cached<Measures, Vec<Software>>,
    groups: Cached<u64, (Vec<Consumers>, usize)>,
    replication: Replication,
    moves: Moves,
    /// Of which generation leaders are known, and the pass in which this was painted last.
    noted: u64,
    painted: u64,
}

/// What of the screen is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// All of it.
    #[default]
    All,
    /// Workloads, clients and nodes.
    Nodes,
    /// The partitions alone, for clusters of many nodes.
    Partitions,
}

/// Which nodes told what they measured, and when.
type Measures = Vec<(i32, i64)>;

/// A zone's column is at least this wide.
const ZONE: f32 = 252.0;
/// What the counters of a workload take.
const COUNTERS: f32 = 470.0;
/// The controllers' column.
const CONTROLLERS: f32 = 330.0;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let snapshot = scene.model.snapshot();
    page(ui, "cluster", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        if starting(ui, scene, "Its nodes and partitions appear here") {
            return;
        }
        let zones = zones(&snapshot.brokers);
        let summary = format!(
            "{} in {} · {} · {}",
            format::plural(snapshot.brokers.len(), "broker"),
            format::plural(zones.len(), "zone"),
            format::plural(snapshot.totals.topics, "topic"),
            format::plural(snapshot.totals.partitions, "partition")
        );
        header(ui, "Cluster", &summary, |ui| {
            let removing = snapshot.membership.leaving.is_some();
            let add = Button::new("Add broker").with_icon(Icon::Plus).enabled(!removing).show(ui);
            if add.clicked() {
                actions.push(Action::Send(Command::AddBroker(NewBroker::default())));
            }
            if removing {
                add.on_hover_text("Add broker: not while one is being removed.");
            } else {
                commands::tell_with(add, Id::AddBroker, scene);
            }
            parts(ui, &mut state.part);
            if let Some(moving) = &snapshot.membership.moving {
                moves(ui, moving);
            }
        });
        if state.part != Part::Partitions {
            workloads(ui, scene, actions);
            nodes(ui, scene, &zones, state, actions);
        }
        if state.part != Part::Nodes {
            cluster_map::show(ui, scene, &mut state.map, actions);
        }
    });
}

/// What is shown, from right to left.
fn parts(ui: &mut Ui, part: &mut Part) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        for (value, words, name) in [
            (Part::Partitions, "Partitions", "Show partitions only"),
            (Part::Nodes, "Nodes", "Show nodes only"),
            (Part::All, "All", "Show nodes and partitions"),
        ] {
            let button = Button::new(words).name(name).tone(Tone::Bare).selected(*part == value).show(ui);
            if button.clicked() {
                *part = value;
            }
        }
    });
}

/// How far replicas are that move because a broker comes or goes.
fn moves(ui: &mut Ui, moving: &Moving) {
    let left = format::plural(moving.partitions_left, "partition");
    let told = text::label(ui, &format!("{left} to move"), font::body(), palette(ui).muted);
    if let Some(waiting_for) = &moving.waiting_for {
        told.on_hover_text(format!("It waits: {waiting_for}."));
        Pill::new(Mood::Warning, Icon::Clock, "Waiting").show(ui);
    }
}

/// Brokers by zone, in the order of the zones' names.
fn zones(brokers: &[Broker]) -> Vec<(&str, Vec<&Broker>)> {
    let mut zones: Vec<(&str, Vec<&Broker>)> = Vec::new();
    for broker in brokers {
        let name = broker.rack.as_deref().unwrap_or("");
        match zones.binary_search_by(|zone| zone.0.cmp(name)) {
            Ok(index) => zones[index].1.push(broker),
            Err(index) => zones.insert(index, (name, vec![broker])),
        }
    }
    zones
}

fn nodes(ui: &mut Ui, scene: &Scene<'_>, zones: &[(&str, Vec<&Broker>)], state: &mut State, actions: &mut Vec<Action>) {
    let width = ui.available_width();
    let gap = space::M;
    let beside = width >= ZONE * zones.len().min(3) as f32 + CONTROLLERS + gap * 3.0 && zones.len() <= 4;
    if beside {
        let room = width - CONTROLLERS - gap;
        side_by_side(ui, &[room, CONTROLLERS], gap, |ui, index| match index {
            0 => live(ui, scene, zones, state, actions),
            _ => controllers(ui, scene, 1, actions),
        });
    } else {
        live(ui, scene, zones, state, actions);
        controllers(ui, scene, (width / CONTROLLERS.min(ZONE)).floor() as usize, actions);
    }
}

/// Clients over zones, and what flows between them.
fn live(ui: &mut Ui, scene: &Scene<'_>, zones: &[(&str, Vec<&Broker>)], state: &mut State, actions: &mut Vec<Action>) {
    let model = scene.model;
    let now_s = ui.input(|input| input.time);
    let pass = ui.ctx().cumulative_pass_nr();
    let painted = std::mem::replace(&mut state.painted, pass);
    if state.noted != model.generation {
        let looked_away = pass > painted + 1 || model.generation > state.noted + 1;
        state.noted = model.generation;
        state.moves.note(&model.snapshot().topics, now_s, looked_away);
    }
    let metrics = &model.view.metrics;
    let measures: Measures = metrics.iter().map(|(id, report)| (*id, report.at_ms)).collect();
    if !state.software.is_fresh(&measures) {
        state.replication.read(metrics);
    }
    let software = state.software.get(measures, || cluster_flow::software(metrics));
    let (groups, all) = state.groups.get(model.generation, || cluster_flow::consumers(model));
    let clients = Clients { software, groups, all_groups: *all };
    let (lit, top) = cluster_clients::show(ui, scene, &clients, actions);
    let zone_of = |id: i32| zones.iter().position(|(_, brokers)| brokers.iter().any(|broker| broker.id == id));
    let between = state.replication.between(zone_of);
    let brokers: Vec<Vec<&Broker>> = zones.iter().map(|(_, brokers)| brokers.clone()).collect();
    let most = cluster_lines::most(&brokers, &between);
    let gap = space::M;
    let width = ui.available_width();
    let per_row = (((width + gap) / (ZONE + gap)).floor() as usize).clamp(1, zones.len().max(1));
    let zone_width = ((width + gap) / per_row as f32 - gap).floor();
    let stack = Stack::of(zones.iter().map(|(_, brokers)| brokers.len()).max().unwrap_or(0));
    let mut columns: Vec<Column> = Vec::new();
    let mut from = top;
    for row in zones.chunks(per_row) {
        ui.add_space(cluster_lines::GAP - ui.spacing().item_spacing.y);
        // Lines lie under the cards, which are not there yet.
        let ground = ui.painter().add(egui::Shape::Noop);
        let first = columns.len();
        side_by_side(ui, &vec![zone_width; row.len()], gap, |ui, index| {
            columns.push(zone(ui, scene, (row[index].0, &row[index].1), stack, actions));
        });
        let mut lines = Vec::new();
        for (column, (name, brokers)) in columns[first..].iter().zip(row) {
            lines.extend(cluster_lines::clients(ui, column, brokers, (from, most), &lit));
            let place = cluster_lines::words(ui, column, brokers, from);
            if !name.is_empty() {
                cluster_cards::object_menu(ui, scene, place, &Object::Zone((*name).to_owned()), actions);
            }
            let ends = |from_clients: bool| {
                let end = |broker: &&Broker| (End::Clients, End::Node(broker.id));
                let turned = |(one, other)| if from_clients { (one, other) } else { (other, one) };
                brokers.iter().map(end).map(turned).collect()
            };
            for (place, from_clients) in cluster_lines::client_lines(column).into_iter().zip([true, false]) {
                let title = &column.title;
                let name = if from_clients { format!("Clients to {title}") } else { format!("{title} to clients") };
                cluster_cards::line(ui, place, &name);
                cluster_cards::object_menu(ui, scene, place, &Object::Edge(ends(from_clients)), actions);
            }
        }
        ui.painter().set(ground, egui::Shape::Vec(lines));
        // In a window too narrow for one row, the lines of the next begin under this one.
        from = columns[first..].iter().map(|column| column.rect.bottom()).fold(from, f32::max);
    }
    for (place, one, other) in replication(ui, &columns, per_row, &between, most) {
        cluster_cards::line(ui, place, &format!("{} and {}", columns[one].title, columns[other].title));
        let pairs = brokers[one].iter().flat_map(|from| brokers[other].iter().map(|to| (from.id, to.id)));
        let both = pairs.flat_map(|(from, to)| [(from, to), (to, from)]);
        let ends = both.map(|(from, to)| (End::Node(from), End::Node(to))).collect();
        cluster_cards::object_menu(ui, scene, place, &Object::Edge(ends), actions);
    }
    if scene.options.animates {
        let moves = state.moves.at(now_s);
        if !moves.is_empty() {
            cluster_lines::moves(ui, &columns, &moves);
            ui.ctx().request_repaint();
        }
    }
}

/// A zone's frame with its brokers.
fn zone(
    ui: &mut Ui,
    scene: &Scene<'_>,
    (name, brokers): (&str, &[&Broker]),
    stack: Stack,
    actions: &mut Vec<Action>,
) -> Column {
    let title = if name.is_empty() { "No zone".to_owned() } else { format!("Zone {name}") };
    let mut cards = Vec::new();
    let frame = card::region(ui, cluster_lines::GUTTER, |ui| {
        ui.spacing_mut().item_spacing.y = space::S;
        for broker in brokers {
            cards.push((broker.id, cluster_cards::broker(ui, scene, broker, stack, actions)));
        }
    });
    Column { rect: frame.response.rect, title, cards }
}

/// Zones in one row with few of them are joined by arcs; else it is told in words.
const ZONES_WITH_ARCS: usize = 4;

fn replication(
    ui: &mut Ui,
    columns: &[Column],
    per_row: usize,
    between: &std::collections::BTreeMap<(usize, usize), f64>,
    most: f64,
) -> Vec<(Rect, usize, usize)> {
    let apart = between.keys().any(|(from, to)| from != to);
    if apart && columns.len() <= per_row.min(ZONES_WITH_ARCS) {
        return cluster_lines::arcs(ui, columns, between, most);
    }
    let names: Vec<String> = columns.iter().map(|column| column.title.to_lowercase()).collect();
    if let Some(words) = cluster_lines::in_words(&names, between) {
        text::label(ui, &words, font::small(), palette(ui).muted);
    }
    Vec::new()
}

fn controllers(ui: &mut Ui, scene: &Scene<'_>, per_row: usize, actions: &mut Vec<Action>) {
    let quorum = &scene.model.snapshot().quorum;
    ui.spacing_mut().item_spacing.y = space::S;
    let title = format!("Controllers · epoch {} · committed to {}", quorum.epoch, format::count(quorum.high_watermark));
    let place = text::label(ui, &title, font::small(), palette(ui).faint).rect.with_max_x(ui.max_rect().right());
    // Beside the title, and no higher than it, so that the cards begin where those of the brokers do.
    let place = place.expand2(egui::vec2(0.0, (size::CONTROL_SMALL - place.height()) / 2.0));
    let mut corner = ui.new_child(egui::UiBuilder::new().max_rect(place).layout(Layout::right_to_left(Align::Center)));
    let add = Button::icon(Icon::Plus, "Add controller").small().tone(Tone::Bare).show(&mut corner);
    if add.clicked() {
        actions.push(Action::Send(Command::AddController(NewController::default())));
    }
    commands::tell_with(add, Id::AddController, scene);
    let per_row = per_row.clamp(1, quorum.voters.len().max(1));
    let gap = space::M;
    let width = ((ui.available_width() + gap) / per_row as f32 - gap).floor();
    for row in quorum.voters.chunks(per_row) {
        side_by_side(ui, &vec![width; row.len()], gap, |ui, index| {
            cluster_cards::controller(ui, scene, &row[index], actions);
        });
    }
}

/// An invitation while nothing runs; what runs, and how it does, afterwards.
fn workloads(ui: &mut Ui, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    let workloads = &scene.model.snapshot().workloads;
    if workloads.is_empty() {
        card::mood_card(ui, Mood::Busy, |ui| invitation(ui, scene, actions));
        return;
    }
    for workload in workloads {
        let mood = if workload.state == "failed" { Mood::Critical } else { Mood::Quiet };
        let place = card::mood_card(ui, mood, |ui| running(ui, scene, workload, actions)).response.rect;
        cluster_cards::object_menu(ui, scene, place, &Object::Workload(workload.id), actions);
    }
}

fn invitation(ui: &mut Ui, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let spec = WorkloadSpec::default();
    ui.horizontal(|ui| {
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            text::label(ui, "Bring it to life", font::heading(), style.text);
            let words = format!(
                "Real clients over TCP: {} and {} send and read {} records a second on topic {}. Then break a broker and watch.",
                format::plural(spec.producers as usize, "producer"),
                format::plural(spec.consumers as usize, "consumer"),
                format::count(spec.rate_per_s as i64),
                spec.topic
            );
            // Leaves room for the button.
            ui.set_max_width((ui.available_width() - ZONE).max(ZONE));
            text::paragraph(ui, &words, font::body(), style.muted);
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let start = Button::new("Start a demo workload").with_icon(Icon::Start).tone(Tone::Primary).show(ui);
            if start.clicked() {
                actions.push(Action::Send(Command::StartWorkload(spec)));
            }
            commands::tell_with(start, Id::StartWorkload, scene);
        });
    });
}

fn running(ui: &mut Ui, scene: &Scene<'_>, workload: &WorkloadStatus, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL_SMALL);
        ui.spacing_mut().item_spacing.x = space::L;
        let pill = match workload.state.as_str() {
            "failed" => Pill::new(Mood::Critical, Icon::Critical, "Failed"),
            "stopping" => Pill::new(Mood::Busy, Icon::Clock, "Stopping"),
            _ => Pill::new(Mood::Good, Icon::Pulse, "Running"),
        };
        pill.show(ui);
        text::label(ui, &format!("Workload on {}", workload.topic), font::heading(), style.text);
        let target = format!(
            "{} · {} · target {}",
            format::plural(workload.producers as usize, "producer"),
            format::plural(workload.consumers as usize, "consumer"),
            format::rate(workload.rate_per_s as f64)
        );
        // The counters at the right matter more.
        if ui.available_width() >= COUNTERS + 2.0 * ZONE / 3.0 {
            text::label(ui, &target, font::body(), style.faint);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = space::L;
            let name = format!("Stop workload {}", workload.id);
            let stop = Button::new("Stop").with_icon(Icon::Stop).small().name(&name).show(ui);
            if stop.clicked() {
                actions.push(Action::Send(Command::StopWorkload(workload.id)));
            }
            let line = as_command::line(&Command::StopWorkload(workload.id), &Around::scene(scene));
            stop.on_hover_text(format!("{name}\n{line}"));
            let name = format!("Adjust workload {}", workload.id);
            if Button::new("Adjust").with_icon(Icon::Settings).small().name(&name).show(ui).clicked() {
                actions.push(Action::OpenWorkload(workload.id));
            }
            // From right to left, so that it reads sent, acknowledged, read.
            let counters = [
                ("failed", workload.failed, Mood::Critical),
                ("unknown", workload.unknown, Mood::Warning),
                ("read", workload.read, Mood::Quiet),
                ("acknowledged", workload.acked, Mood::Quiet),
                ("sent", workload.sent, Mood::Quiet),
            ];
            for (name, value, mood) in counters {
                if value > 0 || mood == Mood::Quiet {
                    counter(ui, name, value, mood);
                }
            }
        });
    });
    if let Some(error) = &workload.error {
        text::paragraph(ui, error, font::small(), style.critical);
    }
}

fn counter(ui: &mut Ui, name: &str, value: u64, mood: Mood) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        let ink = if mood == Mood::Quiet { style.text } else { mood.colors(style).0 };
        text::label(ui, &format::count(value as i64), font::body(), ink);
        text::label(ui, name, font::small(), style.faint);
    });
}
