//! Tiny charts without axes, for cards and rows.

use egui::{Color32, Pos2, Rect, Sense, Shape, Stroke, Ui, Vec2, pos2};

use crate::ui::tokens::size;

/// The newest points of a series as a line with a faint area under it. Not finite points leave a gap.
pub fn sparkline(ui: &mut Ui, size: Vec2, points: impl ExactSizeIterator<Item = f64>, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    if ui.is_rect_visible(rect) {
        paint(ui.painter(), rect, points, color);
    }
}

/// Paints it into `rect`.
pub fn paint(painter: &egui::Painter, rect: Rect, points: impl ExactSizeIterator<Item = f64>, color: Color32) {
    let last = points.len().saturating_sub(1).max(1) as f32;
    let values: Vec<f64> = points.collect();
    let top = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let place = |index: usize, value: f64| {
        let share = if top > 0.0 { (value / top) as f32 } else { 0.0 };
        pos2(rect.left() + rect.width() * index as f32 / last, rect.bottom() - (rect.height() - 1.0) * share)
    };
    let area = color.gamma_multiply(0.16);
    let mut mesh = egui::Mesh::default();
    let mut line: Vec<Pos2> = Vec::with_capacity(values.len());
    let finish = |line: &mut Vec<Pos2>| {
        if line.len() > 1 {
            painter.add(Shape::line(std::mem::take(line), Stroke::new(size::CHART_LINE * 0.8, color)));
        }
        line.clear();
    };
    for (index, &value) in values.iter().enumerate() {
        if !value.is_finite() {
            finish(&mut line);
            continue;
        }
        let point = place(index, value);
        if let Some(&before) = line.last() {
            let base = mesh.vertices.len() as u32;
            for corner in [before, point, pos2(point.x, rect.bottom()), pos2(before.x, rect.bottom())] {
                mesh.colored_vertex(corner, area);
            }
            mesh.add_triangle(base, base + 1, base + 2);
            mesh.add_triangle(base, base + 2, base + 3);
        }
        line.push(point);
    }
    painter.add(Shape::mesh(mesh));
    finish(&mut line);
}
