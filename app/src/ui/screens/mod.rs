//! The screens, one file each. A screen paints the scene and its own small state, and pushes what it asks for onto `actions`.

pub mod cluster;
pub mod cluster_cards;
pub mod cluster_map;
pub mod events;
pub mod group_detail;
pub mod groups;
pub mod metrics;
pub mod topic;
pub mod topics;

use egui::{Align, Layout, Ui, UiBuilder, Vec2, vec2};

use super::tokens::{font, palette, space};
use super::widgets::text;

/// What the screens remember.
#[derive(Debug, Default)]
pub struct Screens {
    /// Of the cluster screen.
    pub cluster: cluster::State,
    /// Of the topics screen.
    pub topics: topics::State,
    /// Of the topic screen.
    pub topic: topic::State,
    /// Of the groups screen.
    pub groups: groups::State,
    /// Of the metrics screen.
    pub metrics: metrics::State,
    /// Of the events screen.
    pub events: events::State,
}

/// The title of a screen with what it holds in a few words, and controls at the right.
pub fn header(ui: &mut Ui, title: &str, summary: &str, controls: impl FnOnce(&mut Ui)) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.set_min_height(super::tokens::size::CONTROL);
        text::label(ui, title, font::title(), style.text);
        text::label(ui, summary, font::body(), style.faint);
        ui.with_layout(Layout::right_to_left(Align::Center), controls);
    });
    ui.add_space(space::XS);
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
