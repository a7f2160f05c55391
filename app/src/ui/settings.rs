//! What can be set about the window itself: theme, scale, and size of text. It is remembered, as is what the screens show.

use egui::{Context, Ui};

use super::app::{Action, Scene, Step, ThemeChoice};
use super::commands::{self, Id};
use super::sheet::sheet;
use super::tokens::{font, palette, size, space};
use super::widgets::button::{Button, segments};
use super::widgets::dialog::Outcome;
use super::widgets::icon::Icon;
use super::widgets::text;

/// What names of settings take.
const NAME: f32 = 130.0;
/// What a value takes.
const VALUE: f32 = 56.0;

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, actions: &mut Vec<Action>) -> Outcome {
    sheet(ctx, "settings", "Settings", size::DIALOG, |ui| {
        setting(ui, "Theme", |ui| {
            let mut theme = scene.options.theme;
            let themes = [(ThemeChoice::Dark, "Dark"), (ThemeChoice::Light, "Light")];
            if segments(ui, &mut theme, &themes) {
                actions.push(Action::Theme(theme));
            }
            keys(ui, Id::Theme);
        });
        setting(ui, "Scale", |ui| {
            let percent = format!("{:.0} %", ctx.zoom_factor() * 100.0);
            if let Some(step) = stepper(ui, ["Zoom out", "Zoom in", "Reset zoom"], &percent) {
                actions.push(Action::Zoom(step));
            }
            keys(ui, Id::ZoomIn);
        });
        setting(ui, "Text", |ui| {
            let points = format!("{:.0} pt", scene.text_points);
            if let Some(step) = stepper(ui, ["Smaller text", "Larger text", "Reset text"], &points) {
                actions.push(Action::TextSize(step));
            }
        });
        let words = if scene.options.is_forgetful {
            "Not remembered: the cluster was started with --ephemeral."
        } else {
            "Remembered for the next start, as are the screen, filters, orders and pins."
        };
        text::paragraph(ui, words, font::small(), palette(ui).faint);
    })
}

fn setting(ui: &mut Ui, name: &str, content: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL);
        ui.spacing_mut().item_spacing.x = space::XS;
        ui.allocate_ui_with_layout(
            egui::vec2(NAME, size::CONTROL),
            egui::Layout::left_to_right(egui::Align::Center),
            |ui| {
                ui.set_min_width(NAME);
                text::label(ui, name, font::body(), palette(ui).muted);
            },
        );
        content(ui);
    });
}

/// Less, more, and as it was.
fn stepper(ui: &mut Ui, [less, more, reset]: [&str; 3], value: &str) -> Option<Step> {
    let mut step = None;
    if Button::icon(Icon::Minus, less).show(ui).clicked() {
        step = Some(Step::Down);
    }
    ui.allocate_ui_with_layout(
        egui::vec2(VALUE, size::CONTROL),
        egui::Layout::centered_and_justified(egui::Direction::LeftToRight),
        |ui| {
            text::label(ui, value, font::body(), palette(ui).text);
        },
    );
    if Button::icon(Icon::Plus, more).show(ui).clicked() {
        step = Some(Step::Up);
    }
    if Button::new("Reset").name(reset).small().show(ui).clicked() {
        step = Some(Step::Reset);
    }
    step
}

fn keys(ui: &mut Ui, id: Id) {
    let keys = commands::keys_of(ui.ctx(), id);
    ui.add_space(space::S);
    text::label(ui, &keys, font::tiny(), palette(ui).faint);
}
