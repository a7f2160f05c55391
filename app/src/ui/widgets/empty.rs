//! What a place shows that has nothing to show: that it is empty, still waits, or failed; why, and what to do. Each has its own icon and words.

use egui::{Align, Align2, Color32, Layout, Rect, Role, Sense, Ui, UiBuilder, Vec2, WidgetInfo, vec2};

use super::button::Button;
use super::icon::{self, Icon};
use super::text;
use crate::ui::tokens::{font, palette, size, space};

/// There is nothing: an icon, a sentence and a hint, centred in what room there is.
pub fn empty(ui: &mut Ui, symbol: Icon, title: &str, hint: &str) {
    let ink = palette(ui).faint;
    told(ui, (symbol, ink), title, hint, None);
}

/// Something will be there in a moment. It stands still: waiting costs nothing.
pub fn loading(ui: &mut Ui, title: &str, hint: &str) {
    let ink = palette(ui).accent;
    told(ui, (Icon::Clock, ink), title, hint, None);
}

/// It cannot be shown.
pub fn failed(ui: &mut Ui, title: &str, why: &str) {
    let ink = palette(ui).critical;
    told(ui, (Icon::Critical, ink), title, why, None);
}

/// It could not be found out, and somebody may ask again. Returns whether somebody does.
pub fn failed_once(ui: &mut Ui, title: &str, why: &str) -> bool {
    let ink = palette(ui).critical;
    told(ui, (Icon::Critical, ink), title, why, Some("Ask again"))
}

/// A filter that nothing passes, with a button that clears it. Returns whether that was pressed.
pub fn no_match(ui: &mut Ui, title: &str, hint: &str) -> bool {
    let ink = palette(ui).faint;
    told(ui, (Icon::Search, ink), title, hint, Some("Clear the filter"))
}

fn told(ui: &mut Ui, (symbol, ink): (Icon, Color32), title: &str, hint: &str, button: Option<&str>) -> bool {
    let style = palette(ui);
    let height = (ui.available_height() - space::S).clamp(5.0 * size::CONTROL, 10.0 * size::CONTROL);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{title}. {hint}")));
    let painter = ui.painter();
    let middle = rect.center() - vec2(0.0, space::XL);
    let place = Rect::from_center_size(middle, Vec2::splat(2.0 * size::ICON));
    icon::paint(painter, place, symbol, ink);
    let line = Rect::from_center_size(middle + vec2(0.0, 2.0 * space::XL - space::S), vec2(rect.width(), space::XL));
    let ink = if ink == style.critical { style.critical } else { style.muted };
    text::paint(painter, line.shrink2(vec2(space::M, 0.0)), Align2::CENTER_CENTER, title, font::heading(), ink);
    let line = line.translate(vec2(0.0, space::XL));
    text::paint(painter, line.shrink2(vec2(space::M, 0.0)), Align2::CENTER_CENTER, hint, font::small(), style.faint);
    let Some(name) = button else { return false };
    let place = Rect::from_min_size(line.left_bottom() + vec2(0.0, space::XS), vec2(rect.width(), size::CONTROL));
    let layout = Layout::top_down(Align::Center);
    let mut child = ui.new_child(UiBuilder::new().id_salt(title).max_rect(place).layout(layout));
    Button::new(name).show(&mut child).clicked()
}
