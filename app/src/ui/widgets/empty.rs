//! What a place shows that has nothing to show: why, and what to do.

use egui::{Align2, Rect, Role, Sense, Ui, Vec2, WidgetInfo, vec2};

use super::icon::{self, Icon};
use super::text;
use crate::ui::tokens::{font, palette, size, space};

/// An icon, a sentence and a hint, centred in what room there is.
pub fn empty(ui: &mut Ui, symbol: Icon, title: &str, hint: &str) {
    let style = palette(ui);
    let height = (ui.available_height() - space::S).clamp(5.0 * size::CONTROL, 10.0 * size::CONTROL);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, title));
    let painter = ui.painter();
    let middle = rect.center() - vec2(0.0, space::XL);
    let place = Rect::from_center_size(middle, Vec2::splat(2.0 * size::ICON));
    icon::paint(painter, place, symbol, style.faint);
    let line = Rect::from_center_size(middle + vec2(0.0, 2.0 * space::XL - space::S), vec2(rect.width(), space::XL));
    text::paint(painter, line, Align2::CENTER_CENTER, title, font::heading(), style.muted);
    let line = line.translate(vec2(0.0, space::XL));
    text::paint(painter, line, Align2::CENTER_CENTER, hint, font::small(), style.faint);
}
