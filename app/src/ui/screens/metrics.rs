//! Metrics: the wall of charts, and the explorer of all names. Both share a time range, a statistic, a period and the hover line.

use egui::{Align, Layout, Ui};

use super::{header, metrics_explorer, metrics_level, metrics_wall, starting};
use crate::ui::app::{Action, MetricsView, Scene};
use crate::ui::format;
use crate::ui::measured::{self, PERIODS, Query, RANGES, STATISTICS, Size};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{self, segments};
use crate::ui::widgets::chart::Crosshair;
use crate::ui::widgets::picker::{Choice, picker};
use crate::ui::widgets::text;

/// The two halves of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Half {
    /// Charts.
    #[default]
    Wall,
    /// All names.
    Explorer,
}

/// What this screen remembers.
#[derive(Debug)]
pub struct State {
    /// Which half is shown.
    pub half: Half,
    /// How much the wall shows.
    pub size: Size,
    /// What is asked of metrics.
    pub query: Query,
    /// Metrics that stand on the wall in any case, by [`measured::pin_of`]; the newest last.
    pub pins: Vec<String>,
    /// The hover line.
    pub crosshair: Crosshair,
    /// Of the wall.
    pub wall: metrics_wall::State,
    /// Of the explorer.
    pub explorer: metrics_explorer::State,
}

impl Default for State {
    fn default() -> State {
        State {
            half: Half::Wall,
            size: Size::Golden,
            query: Query::new(),
            pins: Vec::new(),
            crosshair: Crosshair::default(),
            wall: metrics_wall::State::default(),
            explorer: metrics_explorer::State::default(),
        }
    }
}

/// How many metrics can be pinned.
const PINS_MAX: usize = 24;

impl State {
    /// Shows a part of the screen.
    pub fn open(&mut self, view: MetricsView) {
        match view {
            MetricsView::Signals => self.size = Size::Golden,
            MetricsView::Thirteen => self.size = Size::Seeds,
            MetricsView::All => self.size = Size::All,
            MetricsView::Explorer => self.half = Half::Explorer,
            MetricsView::Beans => {
                self.half = Half::Explorer;
                self.explorer.show_beans();
            }
        }
    }

    /// Pins a metric, or takes it off the wall; of too many, the oldest goes.
    pub fn toggle_pin(&mut self, pin: &str) {
        if let Some(index) = self.pins.iter().position(|known| known == pin) {
            self.pins.remove(index);
            return;
        }
        if self.pins.len() == PINS_MAX {
            self.pins.remove(0);
        }
        self.pins.push(pin.to_owned());
    }

    /// Pins as they are remembered, one to a line.
    pub fn remembered(pins: &str) -> Vec<String> {
        pins.lines().filter(|pin| measured::pinned(pin).is_some()).take(PINS_MAX).map(str::to_owned).collect()
    }
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let view = &scene.model.view.cloudwatch;
    let summary = format!("{} series", format::count(view.store.len() as i64));
    header(ui, "Metrics", &summary, |ui| {
        segments(ui, &mut state.half, &[(Half::Wall, "Wall"), (Half::Explorer, "Explorer")]);
        ui.add_space(space::S);
        metrics_level::show(ui, scene, actions);
    });
    if starting(ui, scene, "Metrics appear here") {
        return;
    }
    controls(ui, state);
    state.crosshair.turn();
    match state.half {
        Half::Wall => metrics_wall::show(ui, scene, state, actions),
        Half::Explorer => metrics_explorer::show(ui, scene, state, actions),
    }
    state.crosshair.settle(ui.ctx());
}

fn controls(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL);
        ui.spacing_mut().item_spacing.x = space::S;
        if state.half == Half::Wall {
            let sizes = [(Size::Golden, "5 signals"), (Size::Seeds, "13 metrics"), (Size::All, "All")];
            segments(ui, &mut state.size, &sizes);
        }
        let statistics = STATISTICS.map(|(value, name)| Choice { value, name, enabled: true });
        picker(ui, "Statistic", &mut state.query.statistic, &statistics);
        let range_s = state.query.range_s;
        let periods = PERIODS.map(|(value, name, _)| Choice { value, name, enabled: measured::fits(value, range_s) });
        picker(ui, "Period", &mut state.query.period_s, &periods);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut range_s = range_s;
            if segments(ui, &mut range_s, &RANGES) {
                state.query.set_range(range_s);
            }
        });
    });
    ui.add_space(space::XS);
}

/// What a name belongs to, and the name.
pub fn named(ui: &mut Ui, system: &str, name: &str) {
    let style = palette(ui);
    text::label(ui, system, font::tiny(), style.faint);
    text::label(ui, name, font::mono_small(), style.faint);
}

/// What a name belongs to over the name in full, with a button that copies it.
pub fn copyable(ui: &mut Ui, system: &str, name: &str) {
    let style = palette(ui);
    // The name belongs to what stands over it, whatever is between other things here.
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(space::XS, 0.0);
        ui.horizontal(|ui| {
            text::label(ui, system, font::small(), style.muted);
            button::copy(ui, name, system);
        });
        text::paragraph(ui, name, font::mono(), style.text);
    });
}
