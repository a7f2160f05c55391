//! A row of steps in time, the oldest at the left, of which one is looked at: each a button.

use egui::{Align2, CornerRadius, Key, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::text;
use crate::ui::tokens::{font, palette, radius, size, space};

use super::pill::Mood;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its number, which stands under it where there is room.
    pub number: String,
    /// What it is called.
    pub name: String,
    /// Whether it came about by something bad; such a step is higher.
    pub mood: Mood,
}

const HEIGHT: f32 = 44.0;
const WIDEST: f32 = 64.0;
/// Below this width there is no room for a number.
const NUMBERED: f32 = 26.0;

/// Shows them; returns the one that was pressed. The arrow keys move from the one that has the focus.
pub fn steps(ui: &mut Ui, steps: &[Step], chosen: usize) -> Option<usize> {
    let style = palette(ui);
    let each = (ui.available_width() / steps.len().max(1) as f32).min(WIDEST);
    let (all, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let mut pressed = None;
    for (index, step) in steps.iter().enumerate() {
        let place = Rect::from_min_size(pos2(all.left() + index as f32 * each, all.top()), vec2(each, HEIGHT));
        let response = ui.interact(place, ui.scope_id().with(("step", index)), Sense::click());
        let is_chosen = index == chosen;
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_chosen, &step.name));
        if response.clicked() {
            pressed = Some(index);
        }
        if response.has_focus() {
            let (left, right) =
                ui.input(|input| (input.key_pressed(Key::ArrowLeft), input.key_pressed(Key::ArrowRight)));
            if left && index > 0 {
                pressed = Some(index - 1);
            } else if right && index + 1 < steps.len() {
                pressed = Some(index + 1);
            }
        }
        let is_bad = step.mood >= Mood::Warning;
        let high = if is_bad { HEIGHT - space::L } else { HEIGHT - space::XL - space::XS };
        let bottom = all.bottom() - space::L;
        let bar = Rect::from_min_max(pos2(place.left() + 1.0, bottom - high), pos2(place.right() - 2.0, bottom));
        let ink = match (is_chosen, is_bad) {
            (true, _) => style.accent,
            (false, true) => style.warning_fill,
            (false, false) => style.follower,
        };
        let ink = if response.hovered() || response.has_focus() { style.text } else { ink };
        ui.painter().rect_filled(bar, CornerRadius::same(radius::XS), ink);
        if each >= NUMBERED {
            let under = Rect::from_min_max(pos2(place.left(), bottom), place.max);
            let ink = if is_chosen { style.accent } else { style.faint };
            text::paint(ui.painter(), under, Align2::CENTER_CENTER, &step.number, font::tiny(), ink);
        }
        if is_chosen {
            let rule = Rect::from_min_max(pos2(bar.left(), bottom + size::LINE), pos2(bar.right(), bottom + 3.0));
            ui.painter().rect_filled(rule, 0.0, style.accent);
        }
        response.on_hover_text(&step.name);
    }
    pressed
}
