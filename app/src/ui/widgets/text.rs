//! Text painted at a place, on one line, cut with an ellipsis where it does not fit.

use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align2, Color32, FontId, Galley, Painter, Rect, Response, Sense, Ui, WidgetInfo};

/// Lays `text` out on one line of at most `max_width`.
pub fn line(painter: &Painter, text: &str, font: FontId, color: Color32, max_width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::single_section(text.to_owned(), TextFormat { font_id: font, color, ..Default::default() });
    job.wrap = TextWrapping { max_width, max_rows: 1, break_anywhere: true, overflow_character: Some('…') };
    painter.layout_job(job)
}

/// Paints `text` into `rect`, aligned there, vertically too. Returns where it came to stand.
pub fn paint(painter: &Painter, rect: Rect, align: Align2, text: &str, font: FontId, color: Color32) -> Rect {
    if rect.width() <= 0.0 || text.is_empty() {
        return Rect::from_min_size(rect.min, egui::Vec2::ZERO);
    }
    let galley = line(painter, text, font, color, rect.width());
    let place = align.align_size_within_rect(galley.size(), rect);
    painter.galley(place.min, galley, color);
    place
}

/// A label that is one line of text and no more, cut where the room ends; screen readers get the whole text.
pub fn label(ui: &mut Ui, text: &str, font: FontId, color: Color32) -> Response {
    let galley = line(ui.painter(), text, font, color, ui.available_width());
    let (rect, response) = ui.allocate_exact_size(galley.size(), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, text));
    let elided = galley.elided;
    if ui.is_rect_visible(rect) {
        ui.painter().galley(rect.min, galley, color);
    }
    if elided { response.on_hover_text(text) } else { response }
}

/// A paragraph that wraps.
pub fn paragraph(ui: &mut Ui, text: &str, font: FontId, color: Color32) -> Response {
    ui.add(egui::Label::new(egui::RichText::new(text).font(font).color(color)).wrap())
}

/// A caption whose words are said by the control that it stands over.
pub fn caption(ui: &mut Ui, text: &str, font: FontId, color: Color32) {
    let galley = line(ui.painter(), text, font, color, ui.available_width());
    let (rect, _) = ui.allocate_exact_size(galley.size(), Sense::hover());
    ui.painter().galley(rect.min, galley, color);
}
