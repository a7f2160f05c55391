//! How things stand: pages that scroll, columns side by side.

use egui::{Align, Layout, Ui, UiBuilder, Vec2, vec2};

use crate::ui::tokens::space;

/// A page that scrolls, its scroll bar in the margin at the right so that it covers nothing.
pub fn page(ui: &mut Ui, id: &str, content: impl FnOnce(&mut Ui)) {
    let margin = space::L - space::XS;
    let room = ui.available_rect_before_wrap();
    let mut child = ui.new_child(UiBuilder::new().id_salt(id).max_rect(room.with_max_x(room.right() + margin)));
    let gutter = egui::Margin { right: margin as i8, ..egui::Margin::ZERO };
    egui::ScrollArea::vertical()
        .id_salt(id)
        .auto_shrink([false, false])
        .content_margin(gutter)
        .show(&mut child, content);
    ui.allocate_rect(room, egui::Sense::hover());
}

/// Children side by side, each as wide as told, all from the same top.
pub fn side_by_side(ui: &mut Ui, widths: &[f32], gap: f32, mut content: impl FnMut(&mut Ui, usize)) {
    let origin = ui.cursor().min;
    let mut left = origin.x;
    let mut bottom = origin.y;
    for (index, &width) in widths.iter().enumerate() {
        let place = egui::Rect::from_min_size(egui::pos2(left, origin.y), vec2(width, f32::INFINITY));
        let mut child = ui.new_child(
            UiBuilder::new().id_salt(("column", index)).max_rect(place).layout(Layout::top_down(Align::Min)),
        );
        child.set_width(width);
        content(&mut child, index);
        bottom = bottom.max(child.min_rect().bottom());
        left += width + gap;
    }
    ui.allocate_space(Vec2::new(ui.available_width(), bottom - origin.y));
}
