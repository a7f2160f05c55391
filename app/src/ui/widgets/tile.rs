//! Stat tiles: a caption and a number, coloured only when the number is bad.

use egui::{Align2, CornerRadius, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::layout::side_by_side;
use super::pill::Mood;
use super::text;
use crate::ui::tokens::{font, palette, radius, size, space};

/// How high a tile is.
pub const HEIGHT: f32 = 58.0;

/// A tile of `width` with its number in the colour of `mood`.
pub fn tile(ui: &mut Ui, width: f32, caption: &str, value: &str, mood: Mood) -> Response {
    let style = palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{caption}: {value}")));
    if ui.is_rect_visible(rect) {
        let (ink, ground, border) = match mood {
            Mood::Warning | Mood::Critical => {
                let (ink, ground) = mood.colors(style);
                (ink, ground, ink.gamma_multiply(0.5))
            }
            _ => (style.text, style.surface, style.outline),
        };
        let painter = ui.painter();
        painter.rect(rect, CornerRadius::same(radius::L), ground, Stroke::new(size::LINE, border), StrokeKind::Inside);
        let inner = rect.shrink2(vec2(space::M, space::S));
        let top = Rect::from_min_max(inner.min, pos2(inner.right(), inner.top() + font::tiny().size + space::XS));
        text::paint(painter, top, Align2::LEFT_CENTER, caption, font::tiny(), style.muted);
        let bottom = Rect::from_min_max(pos2(inner.left(), top.bottom()), inner.max);
        text::paint(painter, bottom, Align2::LEFT_BOTTOM, value, font::display(), ink);
    }
    response
}

/// A tile is at least this wide, or they stand in two rows.
const LEAST_WIDTH: f32 = 122.0;

/// Tiles that share the width evenly, in one row or two. Returns how many rows they took.
pub fn row(ui: &mut Ui, tiles: &[(&str, String, Mood)]) -> usize {
    let fits = (ui.available_width() + space::S) / (LEAST_WIDTH + space::S) >= tiles.len() as f32;
    let per_row = if fits { tiles.len() } else { tiles.len().div_ceil(2) }.max(1);
    let width = (ui.available_width() + space::S) / per_row as f32 - space::S;
    for row in tiles.chunks(per_row) {
        side_by_side(ui, &vec![width; row.len()], space::S, |ui, index| {
            let (caption, value, mood) = &row[index];
            tile(ui, width, caption, value, *mood);
        });
    }
    tiles.len().div_ceil(per_row)
}
