//! Cards: a surface with a hairline, the ground on which facts stand.

use egui::{CornerRadius, Frame, InnerResponse, Margin, Rect, Sense, Shape, Stroke, Ui, vec2};

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

/// A table's ground: a card without margins, its corners cut round.
pub fn framed(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let style = palette(ui);
    Frame::new()
        .fill(style.surface)
        .stroke(Stroke::new(size::LINE, style.outline))
        .corner_radius(CornerRadius::same(radius::L))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            content(ui);
        });
}

/// A hairline around what belongs together, on the ground of the screen, with `gutter` free at both sides.
pub fn region<R>(ui: &mut Ui, gutter: f32, content: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    let style = palette(ui);
    Frame::new()
        .stroke(Stroke::new(size::LINE, style.outline))
        .corner_radius(CornerRadius::same(radius::L))
        .inner_margin(Margin::symmetric(gutter as i8, space::S as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            content(ui)
        })
}

/// A hairline across.
pub fn rule(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), space::S), Sense::hover());
    ui.painter().hline(rect.x_range(), rect.center().y, Stroke::new(size::LINE, palette(ui).outline));
}

/// A dashed outline: a place that something may come to stand in.
pub fn dashed(ui: &Ui, place: Rect) {
    const DASH: f32 = 5.0;
    let stroke = Stroke::new(size::LINE, palette(ui).outline_strong);
    let inner = place.shrink(size::LINE);
    let corners = [inner.left_top(), inner.right_top(), inner.right_bottom(), inner.left_bottom(), inner.left_top()];
    ui.painter().extend(Shape::dashed_line(&corners, stroke, DASH, DASH - size::LINE));
}
