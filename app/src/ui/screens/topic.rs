//! One topic: its partitions with leader, epoch, replicas, ISR, ELR, offsets and how far each replica is behind.

use std::cmp::Ordering;
use std::sync::Arc;

use egui::{Align, Layout, Ui};

use super::starting;
use super::topics::replication_factor;
use super::{topic_configs, topic_messages, topic_producers, topic_tape};
use crate::monitor::operation::ConfigResource;
use crate::monitor::snapshot::{Partition, Topic};
use crate::ui::app::{Action, Dialog, Scene, Screen};
use crate::ui::dialog_topic::TopicWish;
use crate::ui::format;
use crate::ui::model::{Cached, PartitionHealth, behind, map_cell};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone, copy};
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::{empty, failed, no_match};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::matrix::Cell;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Item, Sort, Table, TableState};
use crate::ui::widgets::tabs::tabs;
use crate::ui::widgets::{text, tile};

/// What rows are asked for: of which view and name, by which filter and order.
type Asked = (u64, Arc<str>, String, Option<Sort>);

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// The topic; without one, the first in trouble, else the first.
    pub name: Option<Arc<str>>,
    /// Of the table.
    pub table: TableState,
    /// The partition that somebody asked for, and whether it is still to be brought into sight.
    marked: Option<(i32, bool)>,
    /// What of it is shown.
    pub tab: TopicView,
    pub(in crate::ui) messages: topic_messages::State,
    configs: topic_configs::State,
    producers: topic_producers::State,
    tape: topic_tape::State,
    filter: String,
    rows: Cached<Asked, Vec<usize>>,
}

/// What of the topic is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopicView {
    /// Its partitions.
    #[default]
    Partitions,
    /// One partition, as its files hold it.
    Tape,
    /// Its records.
    Messages,
    /// Its configs.
    Configs,
    /// Who writes to it.
    Producers,
}

impl TopicView {
    /// All of them.
    pub const ALL: [TopicView; 5] =
        [TopicView::Partitions, TopicView::Tape, TopicView::Messages, TopicView::Configs, TopicView::Producers];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            TopicView::Partitions => "topic",
            TopicView::Tape => "topic-tape",
            TopicView::Messages => "topic-messages",
            TopicView::Configs => "topic-configs",
            TopicView::Producers => "topic-producers",
        }
    }
}

impl State {
    /// Of a topic.
    pub fn of(name: Arc<str>) -> State {
        State { name: Some(name), ..State::default() }
    }

    /// Whether records are looked at.
    pub fn shows_messages(&self) -> bool {
        self.tab == TopicView::Messages
    }

    /// Nobody looks at records any more; whoever looks again reads anew. False: that is known.
    pub fn stop_reading(&mut self) -> bool {
        self.messages.stop()
    }

    /// Shows another topic.
    pub fn open(&mut self, name: Arc<str>) {
        // Who compares topics looks at the same of each.
        let messages = std::mem::take(&mut self.messages).of_another_topic();
        let tape = std::mem::take(&mut self.tape).of_another_topic();
        *self = State { tab: self.tab, messages, tape, ..State::of(name) };
    }

    /// Shows a partition of a topic as a tape.
    pub fn open_tape(&mut self, name: Arc<str>, partition: i32) {
        if self.name.as_ref() != Some(&name) {
            self.open(name);
        }
        self.tab = TopicView::Tape;
        self.tape.open(partition);
    }

    /// Shows a partition of a topic.
    pub fn open_partition(&mut self, name: Arc<str>, partition: i32) {
        self.open(name);
        self.tab = TopicView::Partitions;
        self.marked = Some((partition, true));
    }
}

const COLUMNS: [Column; 12] = [
    Column::text("Partition", 48.0, 0.2),
    Column::text("Health", 130.0, 0.5),
    Column::text("Leader", 38.0, 0.2),
    Column::text("Epoch", 36.0, 0.2).help("Leader epoch: grows with each election"),
    Column::text("Replicas", 82.0, 0.6)
        .help("The preferred leader first. Filled: leads; ring: in sync; hatched: behind; struck through: offline"),
    Column::text("ISR", 44.0, 0.3).help("In-sync replicas"),
    Column::text("ELR", 26.0, 0.2).help("Eligible leader replicas (KIP-966): may lead although not in sync"),
    Column::number("Log start", 60.0, 0.5),
    Column::number("High watermark", 78.0, 0.5).help("What consumers may read up to"),
    Column::number("Log end", 78.0, 0.5).help("Of the leader"),
    Column::number("Replica lag", 84.0, 1.0)
        .help("Offsets by which each replica's log is behind the leader's, by broker; blank when all are level")
        .unsorted(),
    Column::number("Size", 56.0, 0.5).help("Of the leader's log"),
];

const TABS: [(TopicView, &str); 5] = [
    (TopicView::Partitions, "Partitions"),
    (TopicView::Tape, "Tape"),
    (TopicView::Messages, "Messages"),
    (TopicView::Configs, "Configs"),
    (TopicView::Producers, "Producers"),
];

/// What the buttons at the right of the title take.
const DEEDS: f32 = 660.0;
/// What the topic's id takes.
const TOPIC_ID: f32 = 210.0;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let name = state.name.clone().or_else(|| first(scene));
    let found = name.as_deref().and_then(|name| scene.model.topic(name));
    let Some((topic, health)) = found else {
        back(ui, actions);
        match name {
            _ if starting(ui, scene, "The topic appears here") => {}
            Some(name) => failed(ui, &format!("There is no topic {name}"), "It may have been deleted."),
            None => empty(ui, Icon::Topics, "No topics yet", "The first one that is created is shown here."),
        }
        return;
    };
    state.name = Some(Arc::clone(&topic.name));
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL);
        back(ui, actions);
        text::label(ui, &topic.name, font::title(), style.text);
        if let Some(pill) = health.worst().pill() {
            pill.show(ui);
        }
        // What can be done matters more, and the menu of the topics has the id too.
        if topic.internal || ui.available_width() >= DEEDS + TOPIC_ID {
            text::label(ui, &topic.topic_id, font::mono(), style.faint);
            copy(ui, &topic.topic_id, "the topic id");
        }
        if !topic.internal {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let delete = Button::new("Delete topic").with_icon(Icon::Trash).tone(Tone::Danger).show(ui);
                if delete.clicked() {
                    actions.push(Action::Ask(Dialog::DeleteTopic(topic.name.to_string())));
                }
                if Button::new("Move replicas").with_icon(Icon::Forward).show(ui).clicked() {
                    actions.push(Action::Ask(Dialog::Reassign(topic.name.to_string())));
                }
                for (words, symbol, wish) in [
                    ("Delete records", Icon::Trash, TopicWish::DeleteRecords),
                    ("Elect leaders", Icon::Check, TopicWish::ElectLeaders),
                    ("Add partitions", Icon::Plus, TopicWish::AddPartitions),
                ] {
                    if Button::new(words).with_icon(symbol).show(ui).clicked() {
                        actions.push(Action::Ask(Dialog::Topic(wish, topic.name.to_string())));
                    }
                }
            });
        }
    });
    ui.add_space(space::XS);
    let trouble = |count: usize, mood: Mood| if count > 0 { mood } else { Mood::Quiet };
    let records: i64 =
        topic.partitions.iter().map(|partition| partition.high_watermark - partition.log_start_offset).sum();
    tile::row(
        ui,
        &[
            ("Partitions", format::count(topic.partitions.len() as i64), Mood::Quiet),
            ("Replication factor", replication_factor(topic).to_string(), Mood::Quiet),
            ("Min in-sync replicas", topic.min_insync_replicas.to_string(), Mood::Quiet),
            ("Messages in", format::rate(topic.messages_in_per_s), Mood::Quiet),
            ("Readable records", format::compact(records as f64), Mood::Quiet),
            ("Size on all replicas", format::bytes(topic.size_bytes as f64), Mood::Quiet),
            (
                "Out of sync",
                format::count(health.under_replicated as i64),
                trouble(health.under_replicated, Mood::Warning),
            ),
            ("Offline", format::count(health.offline as i64), trouble(health.offline, Mood::Critical)),
        ],
    );
    ui.add_space(space::XS);
    tabs(ui, &mut state.tab, &TABS);
    match state.tab {
        TopicView::Partitions => partitions(ui, scene, state, topic, actions),
        TopicView::Tape => {
            if let Some((partition, offset)) = topic_tape::show(ui, scene, topic, &mut state.tape, actions) {
                state.tab = TopicView::Messages;
                state.messages.open_at(partition, offset);
            }
        }
        TopicView::Messages => topic_messages::show(ui, scene, topic, &mut state.messages, actions),
        TopicView::Configs => {
            let resource = ConfigResource::Topic(Arc::clone(&topic.name));
            topic_configs::show(ui, scene, &resource, &mut state.configs, actions);
        }
        TopicView::Producers => topic_producers::show(ui, scene, &topic.name, &mut state.producers, actions),
    }
}

fn partitions(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, topic: &Topic, actions: &mut Vec<Action>) {
    let sort = state.table.sort;
    filter_box(ui, "Filter partitions", "Filter by number, health or leader", &mut state.filter);
    ui.add_space(space::XS);
    let filter = state.filter.trim().to_lowercase();
    let key = (scene.model.generation, Arc::clone(&topic.name), filter.clone(), sort);
    let rows = state.rows.get(key, || rows(topic, &scene.model.down, &filter, sort));
    let marked = state.marked.and_then(|(id, _)| rows.iter().position(|row| topic.partitions[*row].id == id));
    if let (Some(row), Some((id, true))) = (marked, state.marked) {
        state.table.go_to(row, size::ROW);
        state.marked = Some((id, false));
    }
    framed(ui, |ui| {
        if rows.is_empty() {
            let hint = "It looks for its words in the number, the health and the leader: 7, offline, leader 2.";
            if no_match(ui, "No partition matches the filter", hint) {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "partitions",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: None,
            active: false,
            selected: marked,
        };
        let menu = |index: usize| menu(scene, topic, &topic.partitions[rows[index]]);
        let (_, chosen) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let partition = &topic.partitions[rows[index]];
            let health = PartitionHealth::of(partition, topic.min_insync_replicas, &scene.model.down);
            row.strong(&partition.id.to_string());
            row.pill(health.pill().as_ref());
            if partition.is_offline() {
                row.toned("none", Mood::Critical)
            } else {
                row.strong(&partition.leader.to_string())
            }
            row.text(&partition.leader_epoch.to_string());
            let chips: Vec<(Cell, String)> =
                partition.replicas.iter().map(|id| (replica_cell(scene, partition, *id), id.to_string())).collect();
            row.chips(&chips, &format!("replicas {}", format::ids(&partition.replicas)));
            let mood = if partition.is_under_replicated() { Mood::Warning } else { Mood::Quiet };
            row.toned(&format::ids(&partition.isr), mood);
            row.text(&if partition.elr.is_empty() { String::new() } else { format::ids(&partition.elr) });
            row.text(&format::count(partition.log_start_offset));
            row.text(&format::count(partition.high_watermark));
            row.text(&leader_end(partition).map_or_else(|| "–".to_owned(), format::count));
            row.toned(&lags(partition), Mood::Warning);
            row.text(&format::bytes(partition.size_bytes as f64));
        });
        actions.extend(chosen);
    });
}

fn menu(scene: &Scene<'_>, topic: &Topic, partition: &Partition) -> Vec<Item<Action>> {
    let at_ms = scene.model.snapshot().at_ms;
    let name = format!("{}-{}", topic.name, partition.id);
    let read = format!("kcat -b {} -C -t {} -p {} -o -10 -e", scene.model.bootstrap, topic.name, partition.id);
    let tape = Action::OpenTape { topic: Arc::clone(&topic.name), partition: partition.id };
    let mut items = vec![
        Item::new("Its log as a tape", Icon::Columns, tape),
        Item::copy("the partition's name", name),
        Item::copy("the command that reads its last 10 records", read),
    ];
    if !partition.is_offline() {
        let open = Action::OpenLogs { node_id: partition.leader, at_ms };
        items.push(Item::new("Log of its leader", Icon::Logs, open));
        items.push(Item::new("Its leader among the nodes", Icon::Broker, Action::OpenNode(partition.leader)));
    }
    items
}

fn back(ui: &mut Ui, actions: &mut Vec<Action>) {
    if Button::new("Topics").with_icon(Icon::Back).tone(Tone::Bare).name("Back to topics").show(ui).clicked() {
        actions.push(Action::Go(Screen::Topics));
    }
}

fn first(scene: &Scene<'_>) -> Option<Arc<str>> {
    let row = scene.model.troubled.first().or(scene.model.in_sync.first())?;
    Some(Arc::clone(&scene.model.partition(*row)?.0.name))
}

fn replica_cell(scene: &Scene<'_>, partition: &Partition, id: i32) -> Cell {
    let broker = scene.model.snapshot().brokers.iter().find(|broker| broker.id == id);
    broker.map_or(Cell::Offline, |broker| map_cell(partition, broker))
}

fn leader_end(partition: &Partition) -> Option<i64> {
    partition.log_end_offsets.get(&partition.leader).copied()
}

/// `2: −12,400 · 3: −7`, the level ones left out.
fn lags(partition: &Partition) -> String {
    let behind = partition
        .replicas
        .iter()
        .filter_map(|replica| Some((replica, behind(partition, *replica).filter(|gap| *gap > 0)?)));
    behind.map(|(replica, gap)| format!("{replica}: −{}", format::count(gap))).collect::<Vec<_>>().join(" · ")
}

fn rows(topic: &Topic, down: &[i32], filter: &str, sort: Option<Sort>) -> Vec<usize> {
    let partitions = &topic.partitions;
    let health = |index: usize| PartitionHealth::of(&partitions[index], topic.min_insync_replicas, down);
    let matches = |index: &usize| {
        let partition = &partitions[*index];
        let health = health(*index).pill().map_or("in sync", |pill| pill.text);
        let said = format!("{} {health} leader {}", partition.id, partition.leader).to_lowercase();
        filter.split_whitespace().all(|word| said.contains(word))
    };
    let mut rows: Vec<usize> = (0..partitions.len()).filter(matches).collect();
    rows.sort_by(|&a, &b| {
        let (one, other) = (&partitions[a], &partitions[b]);
        let Some(Sort { column, descending }) = sort else { return health(b).cmp(&health(a)) };
        let order = match column {
            0 => a.cmp(&b),
            1 => health(a).cmp(&health(b)),
            2 => one.leader.cmp(&other.leader),
            3 => one.leader_epoch.cmp(&other.leader_epoch),
            4 => one.replicas.cmp(&other.replicas),
            5 => one.isr.len().cmp(&other.isr.len()).then_with(|| one.isr.cmp(&other.isr)),
            6 => one.elr.len().cmp(&other.elr.len()),
            7 => one.log_start_offset.cmp(&other.log_start_offset),
            8 => one.high_watermark.cmp(&other.high_watermark),
            9 => leader_end(one).cmp(&leader_end(other)),
            11 => one.size_bytes.cmp(&other.size_bytes),
            _ => Ordering::Equal,
        };
        if descending { order.reverse() } else { order }
    });
    rows
}
