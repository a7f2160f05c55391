//! Cards: a surface with a hairline, the ground on which facts stand.

use egui::{CornerRadius, Frame, InnerResponse, Margin, Stroke, Ui};

use super::pill::Mood;
use crate::ui::tokens::{palette, radius, size, space};

/// A card around `content`, filling the width it is given.
pub fn card<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    mood_card(ui, Mood::Quiet, content)
}

/// A card whose border tells trouble.
pub fn mood_card<R>(ui: &mut Ui, mood: Mood, content: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    let style = palette(ui);
    let border = match mood {
        Mood::Quiet | Mood::Good => style.outline,
        Mood::Busy | Mood::Warning | Mood::Critical => mood.colors(style).0.gamma_multiply(0.6),
    };
    Frame::new()
        .fill(style.surface)
        .stroke(Stroke::new(size::LINE, border))
        .corner_radius(CornerRadius::same(radius::L))
        .inner_margin(Margin::same(space::M as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            // Lines of a card are as high as what stands in them.
            ui.spacing_mut().interact_size.y = size::PILL;
            content(ui)
        })
}
