//! Who has what: a line for each member, a cell for each partition; what came, what went and what is on its way have shapes of their own.

use egui::{Align2, Color32, Mesh, Painter, Rect, Role, Sense, Shape, Ui, WidgetInfo, pos2, vec2};

use super::text;
use crate::ui::tokens::{Palette, font, palette, size, space};

/// What a member has of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Nothing.
    Empty,
    /// It had it before, and has it. Solid.
    Kept,
    /// It came with this generation. Solid, with a plus.
    Gained,
    /// It went with this generation. A ring with a minus.
    Lost,
    /// It is to come, once another has given it up. A ring with a plus.
    Coming,
    /// It is to be given up. Solid, with a minus.
    Going,
}

/// A member.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What stands before its cells.
    pub name: String,
    /// A word on it, below: when it came, or why it went.
    pub note: String,
    /// What screen readers are told.
    pub spoken: String,
    /// It is no longer there.
    pub is_gone: bool,
    /// One for each partition.
    pub slots: Vec<Slot>,
}

const LABEL: f32 = 190.0;
const CELL: f32 = 26.0;
const CELL_LEAST: f32 = 10.0;
const LINE: f32 = 34.0;
const HEAD: f32 = 34.0;
/// Below this width there is no room for a partition's number.
const NUMBERED: f32 = 18.0;

/// How many partitions fit.
pub fn fits(ui: &Ui) -> usize {
    ((ui.available_width() - LABEL) / CELL_LEAST).max(1.0) as usize
}

/// Paints it; `heads`: the partitions, by topic in order.
pub fn roster(ui: &mut Ui, heads: &[(String, i32)], lines: &[Line]) {
    let style = palette(ui);
    let cell = ((ui.available_width() - LABEL) / heads.len().max(1) as f32).clamp(CELL_LEAST, CELL);
    let width = ui.available_width();
    let (top, _) = ui.allocate_exact_size(vec2(width, HEAD), Sense::hover());
    if ui.is_rect_visible(top) {
        paint_heads(ui.painter(), style, top, cell, heads);
    }
    ui.spacing_mut().item_spacing.y = 0.0;
    for line in lines {
        let (rect, response) = ui.allocate_exact_size(vec2(width, LINE), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &line.spoken));
        if !ui.is_rect_visible(rect) {
            continue;
        }
        paint_line(ui.painter(), style, rect, cell, line);
        let at = response.hover_pos().map(|at| ((at.x - rect.left() - LABEL) / cell).floor());
        let words =
            match at.filter(|at| *at >= 0.0).and_then(|at| heads.get(at as usize).zip(line.slots.get(at as usize))) {
                Some(((topic, partition), slot)) => format!("{topic}-{partition}: {}", words(*slot)),
                None => line.spoken.clone(),
            };
        response.on_hover_text(words);
    }
}

/// What a cell says.
pub fn words(slot: Slot) -> &'static str {
    match slot {
        Slot::Empty => "not here",
        Slot::Kept => "kept",
        Slot::Gained => "assigned anew",
        Slot::Lost => "taken away",
        Slot::Coming => "to come",
        Slot::Going => "to be given up",
    }
}

fn paint_heads(painter: &Painter, style: &Palette, top: Rect, cell: f32, heads: &[(String, i32)]) {
    let left = top.left() + LABEL;
    let mut from = 0;
    while from < heads.len() {
        let topic = &heads[from].0;
        let to = heads[from..].iter().position(|(name, _)| name != topic).map_or(heads.len(), |more| from + more);
        let (begin, end) = (left + from as f32 * cell, left + to as f32 * cell);
        let place = Rect::from_min_max(pos2(begin, top.top()), pos2(end, top.center().y));
        text::paint(painter, place, Align2::LEFT_CENTER, topic, font::tiny(), style.muted);
        let rule = Rect::from_min_max(pos2(begin, top.center().y), pos2(end - 2.0, top.center().y + size::LINE));
        painter.rect_filled(rule, 0.0, style.outline_strong);
        from = to;
    }
    if cell >= NUMBERED {
        for (index, (_, partition)) in heads.iter().enumerate() {
            let begin = left + index as f32 * cell;
            let place = Rect::from_min_max(pos2(begin, top.center().y), pos2(begin + cell, top.bottom()));
            text::paint(painter, place, Align2::CENTER_CENTER, &partition.to_string(), font::tiny(), style.faint);
        }
    }
}

fn paint_line(painter: &Painter, style: &Palette, rect: Rect, cell: f32, line: &Line) {
    let rule = Rect::from_min_max(rect.left_top(), pos2(rect.right(), rect.top() + size::LINE));
    painter.rect_filled(rule, 0.0, style.outline);
    let label = Rect::from_min_max(rect.min, pos2(rect.left() + LABEL - space::M, rect.bottom()));
    let ink = if line.is_gone { style.faint } else { style.text };
    if line.note.is_empty() {
        text::paint(painter, label, Align2::LEFT_CENTER, &line.name, font::body(), ink);
    } else {
        let (above, below) = label.split_top_bottom_at_fraction(0.55);
        text::paint(painter, above, Align2::LEFT_BOTTOM, &line.name, font::body(), ink);
        text::paint(painter, below, Align2::LEFT_CENTER, &line.note, font::tiny(), style.faint);
    }
    let mut mesh = Mesh::default();
    for (index, slot) in line.slots.iter().enumerate() {
        let place = Rect::from_min_size(pos2(rect.left() + LABEL + index as f32 * cell, rect.top()), vec2(cell, LINE));
        let side = (cell - 4.0).min(LINE - 12.0);
        draw(&mut mesh, style, Rect::from_center_size(place.center(), vec2(side, side)), *slot);
    }
    painter.add(Shape::mesh(mesh));
}

/// One cell of its own, for legends.
pub fn sample(ui: &mut Ui, slot: Slot) {
    let style = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(size::ICON, size::ICON), Sense::hover());
    let mut mesh = Mesh::default();
    draw(&mut mesh, style, rect.shrink(1.0), slot);
    ui.painter().add(Shape::mesh(mesh));
}

fn draw(mesh: &mut Mesh, style: &Palette, place: Rect, slot: Slot) {
    match slot {
        Slot::Empty => {
            let dot = Rect::from_center_size(place.center(), vec2(2.0, 2.0));
            mesh.add_colored_rect(dot, style.outline_strong);
        }
        Slot::Kept => mesh.add_colored_rect(place, style.leader),
        Slot::Gained => {
            mesh.add_colored_rect(place, style.ok);
            sign(mesh, place, style.surface, true);
        }
        Slot::Lost => {
            ring(mesh, place, style.warning);
            sign(mesh, place, style.warning, false);
        }
        Slot::Coming => {
            ring(mesh, place, style.ok);
            sign(mesh, place, style.ok, true);
        }
        Slot::Going => {
            mesh.add_colored_rect(place, style.warning_fill);
            sign(mesh, place, style.surface, false);
        }
    }
}

fn ring(mesh: &mut Mesh, rect: Rect, color: Color32) {
    let (min, max, thick) = (rect.min, rect.max, 1.5);
    mesh.add_colored_rect(Rect::from_min_max(min, pos2(max.x, min.y + thick)), color);
    mesh.add_colored_rect(Rect::from_min_max(pos2(min.x, max.y - thick), max), color);
    mesh.add_colored_rect(Rect::from_min_max(min, pos2(min.x + thick, max.y)), color);
    mesh.add_colored_rect(Rect::from_min_max(pos2(max.x - thick, min.y), max), color);
}

fn sign(mesh: &mut Mesh, rect: Rect, color: Color32, is_plus: bool) {
    let (long, thick) = (rect.width() * 0.55, 2.0);
    mesh.add_colored_rect(Rect::from_center_size(rect.center(), vec2(long, thick)), color);
    if is_plus {
        mesh.add_colored_rect(Rect::from_center_size(rect.center(), vec2(thick, long)), color);
    }
}
