//! The nodes' logs as one: read like `tail -f` (the newest at the bottom, its end in sight until one scrolls up), searched while they grow.

use std::time::Duration;

use broker::logging::{Level, Logger};
use egui::{Align, Layout, ScrollArea, Ui};

use super::log_message::{InRow, in_row};
use super::log_rows::{Asked, Rows};
use super::{header, log_delivery, log_levels, side_by_side, starting};
use crate::monitor::logs::entry::{Entry, short_name};
use crate::monitor::logs::ring::LogLines;
use crate::monitor::names::{node, node_inside};
use crate::ui::app::{Action, Scene};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{self, Button, segments};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::{empty, failed, loading, no_match};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::picker::{Choice, picker};
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Item, Table, TableState};
use crate::ui::widgets::text;

/// What this screen remembers.
#[derive(Debug)]
pub struct State {
    /// Which lines are shown.
    pub asked: Asked,
    rows: Rows,
    /// Of the lines.
    pub table: TableState,
    /// The line that is shown in full.
    chosen: Option<u64>,
    /// When what somebody wants to see happened; until all lines were looked through.
    wanted_ms: Option<i64>,
    /// Whether the panel at the right stands open; `None`: where there is room.
    panel: Option<bool>,
    half: Half,
    levels: log_levels::State,
    delivery: log_delivery::State,
    /// Loggers that have lines, by the age of the list.
    loggers: Cached<u64, Vec<Logger>>,
}

/// The halves of the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Levels,
    Delivery,
}

impl Default for State {
    fn default() -> State {
        State {
            asked: Asked::default(),
            rows: Rows::default(),
            table: TableState::tail(true),
            chosen: None,
            wanted_ms: None,
            panel: None,
            half: Half::Levels,
            levels: log_levels::State::default(),
            delivery: log_delivery::State::default(),
            loggers: Cached::default(),
        }
    }
}

impl State {
    /// Shows a logger, and what its level is.
    pub fn open_logger(&mut self, logger: Logger) {
        (self.panel, self.half) = (Some(true), Half::Levels);
        self.levels.open(logger);
    }

    /// Shows the levels of a node's loggers.
    pub fn open_levels(&mut self, node_id: i32) {
        (self.panel, self.half) = (Some(true), Half::Levels);
        self.levels.open_node(node_id);
    }

    /// Shows a node's lines of that time; those of all, for -1.
    pub fn open(&mut self, node_id: i32, at_ms: i64) {
        self.asked = Asked { node: (node_id >= 0).then_some(node_id), ..Asked::default() };
        self.chosen = None;
        self.wanted_ms = Some(at_ms);
        self.table.follow = Some(false);
    }
}

const COLUMNS: [Column; 5] = [
    Column::text("Time", 88.0, 0.0).unsorted(),
    Column::text("Node", 98.0, 0.0).unsorted(),
    Column::text("Level", 50.0, 0.0).unsorted(),
    Column::text("Logger", 124.0, 0.1).unsorted(),
    Column::text("Message", 260.0, 1.0).unsorted(),
];

/// What there is room for beside the panel in a small window.
const NARROW: [Column; 4] = [COLUMNS[0], COLUMNS[1], COLUMNS[2], COLUMNS[4]];
/// Below this width there is little room.
const ROOMY: f32 = 760.0;

/// Lines are looked through for so long in each frame.
const BUDGET: Duration = Duration::from_millis(3);
/// From this width on the panel stands open by itself.
const WIDE: f32 = 1500.0;
const PANEL: f32 = 384.0;
/// What a line in full takes.
const DETAIL: f32 = 136.0;
const MESSAGE: f32 = 66.0;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let logs = &scene.model.view.logs;
    let is_open = state.panel.unwrap_or(ui.available_width() >= WIDE);
    head(ui, scene, state, is_open);
    let update = state.rows.update(&logs.lines, &state.asked, BUDGET);
    if update.is_new {
        state.table.begin_anew();
    }
    if update.shift != 0 {
        // The newest come first: they stay in sight while older ones are found.
        state.table.shift(update.shift, size::ROW_DENSE);
    }
    if update.is_done {
        if let Some(row) = state.wanted_ms.take().and_then(|at_ms| state.rows.at(&logs.lines, at_ms)) {
            state.table.go_to(row, size::ROW_DENSE);
        }
    } else {
        ui.ctx().request_repaint();
    }
    let (width, height) = (ui.available_width(), ui.available_height());
    let widths = if is_open { vec![width - PANEL - space::M, PANEL] } else { vec![width] };
    side_by_side(ui, &widths, space::M, |ui, index| {
        ui.set_max_height(height);
        if index == 0 {
            controls(ui, scene, state, update.is_done);
            table(ui, scene, state, update.is_done);
            detail(ui, scene, state);
        } else {
            panel(ui, scene, state, actions);
        }
    });
}

fn head(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, is_open: bool) {
    let logs = &scene.model.view.logs;
    let zone = format::zone(scene.options.utc_offset_minutes);
    let mut summary = format!("{} · newest last · times in {zone}", format::plural(logs.lines.len(), "line"));
    if logs.status.lines_lost > 0 {
        summary += &format!(" · {} lost", format::plural(logs.status.lines_lost as usize, "line"));
    }
    header(ui, "Logs", &summary, |ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        if Button::new("Levels and delivery").with_icon(Icon::Folder).selected(is_open).show(ui).clicked() {
            state.panel = Some(!is_open);
        }
        let follows = state.table.follow == Some(true);
        let words = if follows { "Following" } else { "Follow" };
        let follow = Button::new(words).with_icon(Icon::Down).selected(follows).show(ui);
        if follow.on_hover_text("Keep the newest line in sight").clicked() {
            state.table.follow = Some(!follows);
        }
    });
}

fn controls(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, is_done: bool) {
    let is_roomy = ui.available_width() >= ROOMY;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let hint = "Filter by words, or /pattern/";
        filter_box(ui, "Filter lines", hint, &mut state.asked.words);
        if is_roomy {
            pickers(ui, scene, state);
        }
        found(ui, scene, state, is_done);
    });
    if !is_roomy {
        ui.horizontal(|ui| pickers(ui, scene, state));
    }
    ui.add_space(space::XS);
}

fn found(ui: &mut Ui, scene: &Scene<'_>, state: &State, is_done: bool) {
    let style = palette(ui);
    let lines = &scene.model.view.logs.lines;
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| match state.rows.complaint() {
        Some(complaint) => {
            text::label(ui, complaint, font::small(), style.critical);
        }
        None => {
            let found = format::count(state.rows.len() as i64);
            let more = if is_done { "" } else { ", searching" };
            let words = format!("{found} of {}{more}", format::count(lines.len() as i64));
            text::label(ui, &words, font::small(), style.faint);
        }
    });
}

fn pickers(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) {
    let lines = &scene.model.view.logs.lines;
    ui.spacing_mut().item_spacing.x = space::S;
    let nodes = log_levels::node_ids(scene);
    let names: Vec<String> = nodes.iter().map(|id| node_inside(*id)).collect();
    let all = std::iter::once(Choice { value: None, name: "all", enabled: true });
    let each = nodes.iter().zip(&names).map(|(id, name)| Choice { value: Some(*id), name, enabled: true });
    picker(ui, "Node", &mut state.asked.node, &all.chain(each).collect::<Vec<_>>());
    let levels = Level::ALL.map(|level| Choice { value: level, name: level.name(), enabled: true });
    picker(ui, "From", &mut state.asked.least, &levels);
    let newest = lines.next_seq();
    let age = if newest < FEW_LINES { newest } else { FEW_LINES + newest / LOGGERS_EVERY };
    let loggers = state.loggers.get(age, || seen(lines));
    let all = std::iter::once(Choice { value: None, name: "all", enabled: true });
    let each = loggers.iter().map(|logger| Choice { value: Some(*logger), name: short_name(*logger), enabled: true });
    picker(ui, "Logger", &mut state.asked.logger, &all.chain(each).collect::<Vec<_>>());
}

/// Loggers that have lines.
fn seen(lines: &LogLines) -> Vec<Logger> {
    let mut has = vec![false; Logger::ALL.len()];
    lines.from(0).for_each(|entry| has[entry.logger as usize] = true);
    Logger::ALL.iter().copied().filter(|logger| has[*logger as usize]).collect()
}

/// The list of loggers is made anew with each line while there are few, …
const FEW_LINES: u64 = 5_000;
/// … and after so many lines later.
const LOGGERS_EVERY: u64 = 500;

fn table(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, is_done: bool) {
    let lines = &scene.model.view.logs.lines;
    let offset = scene.options.utc_offset_minutes;
    let is_detailed = state.chosen.is_some_and(|seq| lines.get(seq).is_some());
    let room = ui.available_height() - if is_detailed { DETAIL + space::M } else { 0.0 };
    let is_roomy = ui.available_width() >= ROOMY;
    framed(ui, |ui| {
        if state.rows.is_empty() {
            match (lines.is_empty(), state.rows.complaint()) {
                (true, _) if starting(ui, scene, "Its lines appear here") => {}
                (true, _) => {
                    let hint = "Nodes tell here what happens to them; a healthy cluster without work says little.";
                    empty(ui, Icon::Logs, "Nothing has been logged yet", hint);
                }
                (_, Some(why)) => failed(ui, "The pattern cannot be read", why),
                _ if !is_done => loading(ui, "Searching", "All lines are looked through, the newest first."),
                _ => {
                    let hint = "Clear the filter, choose all nodes and loggers, or a lower level.";
                    if no_match(ui, "No line matches", hint) {
                        state.asked = Asked::default();
                    }
                }
            }
            return;
        }
        let rows = &state.rows;
        let table = Table {
            id: "logs",
            columns: if is_roomy { &COLUMNS } else { &NARROW },
            rows: rows.len(),
            row_height: size::ROW_DENSE,
            max_height: Some(room),
            active: true,
            selected: state.chosen.and_then(|seq| rows.row(seq)),
        };
        let menu =
            |index: usize| rows.seq(index).and_then(|seq| lines.get(seq)).map_or_else(Vec::new, |entry| menu(entry));
        let (pressed, chosen) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let Some(entry) = rows.seq(index).and_then(|seq| lines.get(seq)) else { return };
            row.mono(&format::clock_ms(entry.at_ms, offset));
            row.text(&node_inside(entry.node_id));
            row.toned(entry.level.name(), mood(entry.level));
            if is_roomy {
                row.text(short_name(entry.logger));
                row.hint(|| format!("{}\n{}", entry.logger.name(), entry.logger.what()));
            }
            let InRow { about, what, spoken } = in_row(entry);
            row.led_mono(&about, &what, &spoken, entry.level >= Level::Info);
            row.hint(|| entry.message.to_string());
        });
        match chosen {
            Some(Only::Node(node)) => state.asked.node = Some(node),
            Some(Only::Logger(logger)) => state.asked.logger = Some(logger),
            Some(Only::Level(level)) => state.asked.least = level,
            None => {}
        }
        if let Some(seq) = pressed.and_then(|row| rows.seq(row)) {
            state.chosen = if state.chosen == Some(seq) { None } else { Some(seq) };
            // What one reads must not run away.
            state.table.follow = Some(false);
        }
    });
}

/// What a line's menu narrows the lines to.
#[derive(Clone, Copy, Debug)]
enum Only {
    Node(i32),
    Logger(Logger),
    Level(Level),
}

fn menu(entry: &Entry) -> Vec<Item<Only>> {
    let mut line = Vec::new();
    entry.write_to(&mut line);
    vec![
        Item::copy("the line", String::from_utf8_lossy(&line).trim_end()),
        Item::copy("the message", &*entry.message),
        Item::new(format!("Only {}", node_inside(entry.node_id)), Icon::Search, Only::Node(entry.node_id)),
        Item::new(format!("Only {}", short_name(entry.logger)), Icon::Search, Only::Logger(entry.logger)),
        Item::new(format!("Only {} and graver", entry.level.name()), Icon::Search, Only::Level(entry.level)),
    ]
}

/// The colour of a level; its word says the same.
pub fn mood(level: Level) -> Mood {
    match level {
        Level::Trace | Level::Debug | Level::Info => Mood::Quiet,
        Level::Warn => Mood::Warning,
        Level::Error | Level::Fatal => Mood::Critical,
    }
}

fn detail(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) {
    let lines = &scene.model.view.logs.lines;
    let Some(entry) = state.chosen.and_then(|seq| lines.get(seq)) else { return };
    let style = palette(ui);
    ui.add_space(space::M);
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = space::XS;
                if Button::icon(Icon::Close, "Close the line").small().show(ui).clicked() {
                    state.chosen = None;
                }
                let mut line = Vec::new();
                entry.write_to(&mut line);
                button::copy(ui, String::from_utf8_lossy(&line).trim_end(), "the line");
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let ink = match mood(entry.level) {
                        Mood::Quiet => style.muted,
                        mood => mood.colors(style).0,
                    };
                    text::label(ui, entry.level.name(), font::body(), ink);
                    let who = format!("{} · {}", node(entry.node_id), entry.logger.name());
                    text::label(ui, &who, font::body(), style.text);
                    let when = crate::monitor::cloudwatch::time::iso(entry.at_ms);
                    text::label(ui, &format!("{when} · line {}", entry.seq), font::small(), style.faint);
                });
            });
        });
        ScrollArea::vertical().id_salt("line").auto_shrink([false, false]).max_height(MESSAGE).show(ui, |ui| {
            if entry.lost_before > 0 {
                let lost =
                    format!("{} of this node were lost before it.", format::plural(entry.lost_before as usize, "line"));
                text::paragraph(ui, &lost, font::small(), style.warning);
            }
            text::paragraph(ui, &entry.message, font::mono(), style.text);
        });
    });
}

fn panel(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        segments(ui, &mut state.half, &[(Half::Levels, "Loggers"), (Half::Delivery, "Files and delivery")]);
    });
    ui.add_space(space::XS);
    match state.half {
        Half::Levels => log_levels::show(ui, scene, &mut state.levels, actions),
        Half::Delivery => log_delivery::show(ui, scene, &mut state.delivery, actions),
    }
}
