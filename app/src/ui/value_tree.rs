//! A decoded value with its parts to fold. What is out of sight costs nothing, and no more rows stand there than somebody asks for.

use std::collections::BTreeSet;

use egui::{Align2, CursorIcon, Rect, Sense, Ui, Vec2, WidgetInfo, vec2};

use super::tokens::{font, palette, size, space};
use super::widgets::button::Button;
use super::widgets::icon::{self, Icon};
use super::widgets::text;
use crate::monitor::messages::decode::tree::{Name, Node, Tree};

/// Rows at first, and more of them at a press.
const ROWS: usize = 300;
/// What of a text stands in a row.
const CHARS_MAX: usize = 400;
/// Parts that lie deeper are folded at first.
const UNFOLDED_DEPTH: u32 = 4;
/// So are those with more in them.
const UNFOLDED_ITEMS: u32 = 200;
/// Deeper rows are indented no further.
const INDENTS_MAX: u32 = 24;

/// What is folded otherwise than at first, and how many rows there may be.
#[derive(Clone, Debug)]
pub struct TreeState {
    turned: BTreeSet<u32>,
    rows_max: usize,
}

impl Default for TreeState {
    fn default() -> TreeState {
        TreeState { turned: BTreeSet::new(), rows_max: ROWS }
    }
}

fn is_unfolded(node: &Node, index: u32, state: &TreeState) -> bool {
    let nodes = node.end - index;
    let at_first = index == 0 || (node.depth < UNFOLDED_DEPTH && nodes <= UNFOLDED_ITEMS);
    at_first != state.turned.contains(&index)
}

/// Shows it.
pub fn show(ui: &mut Ui, tree: &Tree, state: &mut TreeState) {
    let style = palette(ui);
    let (mut index, mut rows, mut turned) = (0_u32, 0, None);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        while let Some(node) = tree.nodes.get(index as usize).filter(|_| rows < state.rows_max) {
            let unfolded = is_unfolded(node, index, state);
            if row(ui, node, unfolded) {
                turned = Some(index);
            }
            rows += 1;
            index = if node.is_branch() && !unfolded { node.end } else { index + 1 };
        }
    });
    if let Some(index) = turned
        && !state.turned.remove(&index)
    {
        state.turned.insert(index);
    }
    if (index as usize) < tree.nodes.len() && Button::new("Show more").small().show(ui).clicked() {
        state.rows_max += ROWS;
    }
    if tree.is_cut {
        text::paragraph(ui, "There is more of it than is decoded here.", font::small(), style.faint);
    }
}

/// One line. Whether it was pressed.
fn row(ui: &mut Ui, node: &Node, unfolded: bool) -> bool {
    let height = size::PILL;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    if !ui.is_rect_visible(rect) {
        return false;
    }
    let style = palette(ui);
    let name = match &node.name {
        Name::Whole => String::new(),
        Name::Field(name) => format!("{}: ", name.chars().take(CHARS_MAX).collect::<String>()),
        Name::Index(index) => format!("{index}: "),
    };
    let words = node.words(CHARS_MAX);
    let spoken = format!("{name}{words}");
    let sense = if node.is_branch() { Sense::click() } else { Sense::hover() };
    let response = ui.interact(rect, ui.next_auto_id(), sense);
    ui.skip_ahead_auto_ids(1);
    let role = if node.is_branch() { egui::Role::Button } else { egui::Role::Label };
    response.widget_info(|| WidgetInfo::selected(role, true, unfolded, &spoken));
    let left = rect.left() + space::M * node.depth.min(INDENTS_MAX) as f32;
    if node.is_branch() {
        if response.hovered() || response.has_focus() {
            ui.painter().rect_filled(rect, 2.0, style.hover);
        }
        let symbol = if unfolded { Icon::Down } else { Icon::Forward };
        let place = Rect::from_center_size(egui::pos2(left + space::XS, rect.center().y), Vec2::splat(space::S + 2.0));
        icon::paint(ui.painter(), place, symbol, style.faint);
    }
    let start = left + space::M;
    let place = Rect::from_x_y_ranges(start..=rect.right(), rect.y_range());
    let named = text::paint(ui.painter(), place, Align2::LEFT_CENTER, &name, font::mono(), style.muted);
    let rest = Rect::from_x_y_ranges(named.right().max(start)..=rect.right(), rect.y_range());
    let ink = if node.is_branch() { style.faint } else { style.text };
    text::paint(ui.painter(), rest, Align2::LEFT_CENTER, &words, font::mono(), ink);
    let pressed = response.clicked();
    if node.is_branch() {
        response.on_hover_cursor(CursorIcon::PointingHand);
    }
    pressed
}
