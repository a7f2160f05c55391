//! While somebody goes through a scenario, every other screen has its step at the bottom: what is to be seen is seen elsewhere.

use egui::{Align, Frame, Layout, Margin, Panel, Ui};

use super::app::{Action, Scene, Screen};
use super::screens::start_guide;
use super::tokens::{font, palette, size, space};
use super::widgets::button::{Button, Tone};
use super::widgets::icon::{self, Icon};
use super::widgets::text;
use crate::monitor::guide::{Phase, Run};

/// Paints it, if there is one and its own screen is not shown.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, screen: Screen, run: &mut Option<Run>, actions: &mut Vec<Action>) {
    let Some(run) = run.as_mut().filter(|run| screen != Screen::Start && !matches!(run.phase, Phase::Cleaning { .. }))
    else {
        return;
    };
    let style = palette(ui);
    let frame = Frame::new().fill(style.accent_soft).inner_margin(Margin::symmetric(space::L as i8, space::XS as i8));
    let height = size::CONTROL + 2.0 * space::S;
    Panel::bottom("guide").exact_size(height).resizable(false).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            let (symbol, ink) = match run.phase {
                Phase::Done(_) => (Icon::Check, style.ok),
                Phase::Doing { .. } => (Icon::Clock, style.accent),
                _ => (Icon::Start, style.muted),
            };
            icon::mark(ui, symbol, ink);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if Button::new("Back to the scenario").tone(Tone::Quiet).show(ui).clicked() {
                    actions.push(Action::Go(Screen::Start));
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    start_guide::deeds(ui, scene, run, actions);
                    let of = run.scenario.steps.len();
                    let title = format!("Step {} of {of}: {}.", run.step + 1, run.now().title);
                    text::label(ui, &title, font::body(), style.text);
                    let words = match &run.phase {
                        Phase::Done(words) => words.as_str(),
                        Phase::Doing { seen, .. } => seen.as_str(),
                        _ => run.now().why,
                    };
                    text::label(ui, words, font::body(), style.muted);
                });
            });
        });
    });
}
