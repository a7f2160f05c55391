//! The loggers of the nodes with their levels, and how to change one: here, over HTTP, and with Kafka's tools.

use broker::logging::{Level, Logger};
use egui::{ScrollArea, Ui};

use crate::monitor::command::Command;
use crate::monitor::logs::Wish;
use crate::monitor::logs::entry::short_name;
use crate::monitor::logs::levels::{LevelTable, LoggerLevel};
use crate::monitor::names::{is_controller, node_inside};
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{self, Button, Tone};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::no_match;
use crate::ui::widgets::field::{self, filter_box};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::picker::{Choice, picker};
use crate::ui::widgets::table::{Column, Item, Table, TableState};
use crate::ui::widgets::text;

/// What the panel remembers.
#[derive(Debug)]
pub struct State {
    filter: String,
    /// Whose levels; `None`: those of all.
    node: Option<i32>,
    chosen: Logger,
    /// What was asked for last, and what the commands say.
    wished: Option<Level>,
    table: TableState,
    rows: Cached<(u64, String, Option<i32>), Vec<Row>>,
}

impl State {
    /// Shows a node's loggers.
    pub fn open_node(&mut self, node_id: i32) {
        self.filter.clear();
        self.node = Some(node_id);
    }

    /// Shows a logger.
    pub fn open(&mut self, logger: Logger) {
        self.filter.clear();
        self.chosen = logger;
    }
}

impl Default for State {
    fn default() -> State {
        State {
            filter: String::new(),
            node: None,
            chosen: Logger::RequestLogger,
            wished: Some(Level::Debug),
            table: TableState::default(),
            rows: Cached::default(),
        }
    }
}

const COLUMNS: [Column; 2] =
    [Column::text("Logger", 200.0, 1.0).unsorted(), Column::text("Level", 72.0, 0.0).unsorted()];

/// What stands under the table.
const CHOSEN: f32 = 374.0;

/// Brokers and controllers, running or not.
pub fn node_ids(scene: &Scene<'_>) -> Vec<i32> {
    let snapshot = scene.model.snapshot();
    let brokers = snapshot.brokers.iter().map(|broker| broker.id);
    brokers.chain(snapshot.quorum.voters.iter().map(|voter| voter.id)).collect()
}

/// What nodes say of one logger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shared {
    /// All the same.
    One(LoggerLevel),
    /// Not all the same.
    Mixed,
    /// Nobody says anything.
    Unknown,
}

#[derive(Clone, Debug)]
struct Row {
    logger: Logger,
    level: Shared,
}

fn shared(levels: &LevelTable, node: Option<i32>, logger: Logger) -> Shared {
    let chosen = levels.iter().filter(|(id, _)| node.is_none_or(|node| node == **id));
    let mut of = chosen.filter_map(|(_, levels)| levels.get(logger as usize).copied());
    let Some(first) = of.next() else { return Shared::Unknown };
    if of.all(|other| other == first) { Shared::One(first) } else { Shared::Mixed }
}

impl Row {
    /// Whether it is not as Kafka's configuration file has it.
    fn is_changed(&self) -> bool {
        match self.level {
            Shared::One(level) => level.is_own.then_some(level.level) != self.logger.configured(),
            Shared::Mixed => true,
            Shared::Unknown => false,
        }
    }
}

/// What was changed comes first, then all by name.
fn rows(levels: &LevelTable, node: Option<i32>, filter: &str) -> Vec<Row> {
    let matches = |logger: &&Logger| {
        let said = format!("{} {}", logger.name(), logger.what()).to_lowercase();
        filter.split_whitespace().all(|word| said.contains(word))
    };
    let row = |logger: &Logger| Row { logger: *logger, level: shared(levels, node, *logger) };
    let mut rows: Vec<Row> = Logger::ALL.iter().filter(matches).map(row).collect();
    rows.sort_by_key(|row| !row.is_changed());
    rows
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let levels = &scene.model.view.logs.levels;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let nodes = node_ids(scene);
        let names: Vec<String> = nodes.iter().map(|id| node_inside(*id)).collect();
        let all = std::iter::once(Choice { value: None, name: "all nodes", enabled: true });
        let each = nodes.iter().zip(&names).map(|(id, name)| {
            let enabled = levels.contains_key(id);
            Choice { value: Some(*id), name, enabled }
        });
        picker(ui, "Of", &mut state.node, &all.chain(each).collect::<Vec<_>>());
        filter_box(ui, "Search loggers", "Search loggers", &mut state.filter);
    });
    ui.add_space(space::XS);
    let filter = state.filter.trim().to_lowercase();
    let key = (scene.model.logged, filter.clone(), state.node);
    let rows = state.rows.get(key, || rows(levels, state.node, &filter));
    let room = (ui.available_height() - CHOSEN - space::M).max(4.0 * size::ROW_TALL);
    framed(ui, |ui| {
        if rows.is_empty() {
            if no_match(ui, "No logger matches the search", "It looks for its words in names and meanings.") {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "loggers",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW_TALL,
            max_height: Some(room),
            active: true,
            selected: rows.iter().position(|row| row.logger == state.chosen),
        };
        let menu = |index: usize| menu(rows[index].logger);
        let (pressed, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let Row { logger, level } = rows[index];
            row.two_lines(short_name(logger), below(logger));
            row.hint(|| format!("{}\n{}", logger.name(), logger.what()));
            let (word, how) = words(level);
            row.two_lines(word, how);
        });
        actions.extend(asked);
        if let Some(row) = pressed.and_then(|row| rows.get(row)) {
            state.chosen = row.logger;
        }
    });
    ui.add_space(space::M);
    // Where there is little room, it scrolls.
    ScrollArea::vertical().id_salt("logger").show(ui, |ui| {
        card(ui, |ui| chosen(ui, scene, state, actions));
    });
}

fn menu(logger: Logger) -> Vec<Item<Action>> {
    let set = |level| Wish::SetLevel { node: None, logger: logger.name().to_owned(), level };
    let mut items = vec![
        Item::copy("the logger's name", logger.name()),
        Item::new("DEBUG on all nodes", Icon::Logs, Action::Send(Command::Logs(set(Some(Level::Debug))))),
    ];
    if logger != Logger::Root {
        items.push(Item::new("As inherited on all nodes", Icon::Heal, Action::Send(Command::Logs(set(None)))));
    }
    items
}

fn words(level: Shared) -> (&'static str, &'static str) {
    match level {
        Shared::One(level) if level.is_own => (level.level.name(), "set"),
        Shared::One(level) => (level.level.name(), "inherited"),
        Shared::Mixed => ("mixed", "by node"),
        Shared::Unknown => ("–", "not running"),
    }
}

/// What stands under the short name: the package, or what it tells of.
fn below(logger: Logger) -> &'static str {
    let name = logger.name();
    match name.rsplit_once('.') {
        Some((package, _)) if short_name(logger) != name => package,
        _ => logger.what(),
    }
}

fn chosen(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let logger = state.chosen;
    let name = logger.name();
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.horizontal(|ui| {
        text::label(ui, short_name(logger), font::heading(), style.text);
        button::copy(ui, name, "the logger's name");
    });
    text::paragraph(ui, logger.what(), font::small(), style.muted);
    let now = shared(&scene.model.view.logs.levels, state.node, logger);
    let own = match now {
        Shared::One(level) => Some(level.is_own.then_some(level.level)),
        Shared::Mixed | Shared::Unknown => None,
    };
    let mut wish = None;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS / 2.0;
        for level in Level::ALL {
            let spoken = format!("Set {name} to {level}");
            let is_on = own == Some(Some(level));
            let button = Button::new(level.name()).name(&spoken).tone(Tone::Bare).small().selected(is_on);
            if button.show(ui).clicked() {
                wish = Some(Some(level));
            }
        }
    });
    ui.horizontal(|ui| {
        let spoken = format!("Let {name} inherit its level");
        let button = Button::new("As inherited").name(&spoken).small().enabled(logger != Logger::Root);
        if button.selected(own == Some(None)).show(ui).clicked() && logger != Logger::Root {
            wish = Some(None);
        }
        let differs = if now == Shared::Mixed { "differs by node · " } else { "" };
        let about = format!("{differs}goes to {}", logger.file().name());
        text::label(ui, &about, font::small(), style.faint);
    });
    if let Some(level) = wish {
        state.wished = level;
        let (node, logger) = (state.node, name.to_owned());
        actions.push(Action::Send(Command::Logs(Wish::SetLevel { node, logger, level })));
    }
    let wish = Wish::SetLevel { node: state.node, logger: name.to_owned(), level: state.wished };
    if state.node.is_some_and(is_controller) {
        let why = "Controllers meet in memory: Kafka's tools do not reach them.";
        text::paragraph(ui, why, font::small(), style.faint);
    }
    for line in as_command::lines(&Command::Logs(wish), &Around::scene(scene)) {
        field::command(ui, line.title, &line.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn what_was_changed_comes_first() {
        let levels = fixture::incident().logs.levels;
        let all = rows(&levels, None, "");
        assert_eq!(all.len(), Logger::ALL.len());
        assert_eq!((all[0].logger, all[0].level), (Logger::RequestLogger, Shared::Mixed));
        let of_one = rows(&levels, Some(1), "");
        let own = LoggerLevel { level: Level::Debug, is_own: true };
        assert_eq!((of_one[0].logger, of_one[0].level), (Logger::RequestLogger, Shared::One(own)));
        assert_eq!(rows(&levels, Some(2), "")[0].level, Shared::Unknown, "it is killed");
        let found: Vec<Logger> = rows(&levels, None, "compacted").into_iter().map(|row| row.logger).collect();
        assert_eq!(found, [Logger::Cleaner, Logger::LogCleaner]);
        assert!(rows(&levels, None, "no such logger").is_empty());
    }
}
