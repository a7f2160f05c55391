//! Sheets: what stands over the window to be read or set, with nothing to confirm. Escape, a click beside it and its cross close it.

use egui::{Align, Context, CornerRadius, Frame, Id, Layout, Margin, Modal, Shadow, Stroke, Ui};

use super::tokens::{DARK, LIGHT, font, radius, size, space};
use super::widgets::button::Button;
use super::widgets::dialog::Outcome;
use super::widgets::icon::Icon;
use super::widgets::text;

/// Shows one, at most so wide.
pub fn sheet(ctx: &Context, id: &str, title: &str, width: f32, content: impl FnOnce(&mut Ui)) -> Outcome {
    let style = if ctx.theme() == egui::Theme::Dark { &DARK } else { &LIGHT };
    let frame = Frame::new()
        .fill(style.surface)
        .stroke(Stroke::new(size::LINE, style.outline_strong))
        .corner_radius(CornerRadius::same(radius::L))
        .shadow(Shadow { offset: [0, 16], blur: 40, spread: 0, color: style.shadow })
        .inner_margin(Margin::same(space::L as i8 + space::XS as i8));
    let room = ctx.content_rect().width() - 4.0 * space::XL;
    let modal = Modal::new(Id::unique(id)).backdrop_color(style.shadow).frame(frame).show(ctx, |ui| {
        ui.set_width(width.min(room));
        ui.spacing_mut().item_spacing.y = space::M;
        let is_closed = ui
            .horizontal(|ui| {
                text::label(ui, title, font::title(), style.text);
                let layout = Layout::right_to_left(Align::Center);
                ui.with_layout(layout, |ui| Button::icon(Icon::Close, "Close").show(ui).clicked()).inner
            })
            .inner;
        content(ui);
        is_closed
    });
    if modal.inner || modal.should_close() { Outcome::Cancelled } else { Outcome::Open }
}
