//! The partition map: rows of cells, flowed into as many blocks as the width holds, drawn as one mesh and hit-tested by arithmetic.
//!
//! It costs what is visible, not what exists: ten thousand rows scroll as lightly as ten.

use egui::{Align2, Color32, Mesh, Pos2, Rect, Response, Role, Sense, Shape, Ui, WidgetInfo, pos2, vec2};

use super::text;
use crate::ui::tokens::{Palette, font, palette, size, space};

/// What a cell says, each with its own shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing here: blank.
    Blank,
    /// Solid.
    Leader,
    /// Solid, with how many are led: of several partitions in one row.
    Leads(u32),
    /// A ring.
    InSync,
    /// Hatched, with how far it is behind where that is known and fits.
    Behind(Option<i64>),
    /// A red ring with a cross.
    Offline,
    /// Solid red with a cross: leads by the book, but does not answer.
    LeaderUnreachable,
}

/// A row's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What stands before the cells; cut where the room ends.
    pub text: String,
    /// Its end, never cut.
    pub suffix: String,
    /// Its colour: red where something is refused, bright where something is missing.
    pub trouble: Option<Trouble>,
}

/// How bad a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Fewer in sync than there should be.
    Degraded,
    /// Not available.
    Broken,
}

/// A column's name.
#[derive(Clone, Debug)]
pub struct Head {
    /// What stands over it.
    pub text: String,
    /// Whether what it stands for is down.
    pub down: bool,
}

/// How large cells are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Density {
    /// Room for a number in a cell.
    Roomy,
    /// For some hundreds of rows.
    Compact,
}

impl Density {
    const fn cell_width(self) -> f32 {
        match self {
            Density::Roomy => 48.0,
            Density::Compact => 22.0,
        }
    }

    const fn row_height(self) -> f32 {
        match self {
            Density::Roomy => 24.0,
            Density::Compact => 18.0,
        }
    }

    const fn label_width(self) -> f32 {
        match self {
            Density::Roomy => 168.0,
            Density::Compact => 140.0,
        }
    }
}

/// Where the pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Row.
    pub row: usize,
    /// Column, if it is on a cell.
    pub column: Option<usize>,
}

const HEAD: f32 = 20.0;

struct Grid {
    origin: Pos2,
    rows: usize,
    columns: usize,
    blocks: usize,
    label: f32,
    cell: f32,
    row: f32,
    block: f32,
}

impl Grid {
    fn new(origin: Pos2, width: f32, rows: usize, columns: usize, density: Density) -> Grid {
        let label = density.label_width();
        let gap = space::XL;
        let fit = ((width - label) / columns.max(1) as f32).max(3.0);
        let cell = density.cell_width().min(fit);
        let content = label + cell * columns as f32;
        let blocks = (((width + gap) / (content + gap)).floor() as usize).clamp(1, rows.max(1));
        // The blocks move apart until the right edges meet, but not so far that they stop being one picture.
        let spare = width - content * blocks as f32;
        let gap = if blocks > 1 { (spare / (blocks - 1) as f32).clamp(gap, 2.0 * gap) } else { gap };
        Grid { origin, rows, columns, blocks, label, cell, row: density.row_height(), block: content + gap }
    }

    fn lines(&self) -> usize {
        self.rows.div_ceil(self.blocks)
    }

    /// Reading order is along a line, then the next: what is worst stays in sight, and scrolling never jumps.
    fn row_at(&self, line: usize, block: usize) -> Option<usize> {
        let row = line * self.blocks + block;
        (row < self.rows).then_some(row)
    }

    fn row_rect(&self, line: usize, block: usize) -> Rect {
        let min = self.origin + vec2(block as f32 * self.block, HEAD + line as f32 * self.row);
        Rect::from_min_size(min, vec2(self.label + self.cell * self.columns as f32, self.row))
    }

    fn cell_rect(&self, row: Rect, column: usize) -> Rect {
        let left = row.left() + self.label + column as f32 * self.cell;
        Rect::from_min_size(pos2(left, row.top()), vec2(self.cell, self.row)).shrink2(vec2(2.0, 2.0))
    }

    fn hit(&self, at: Pos2) -> Option<Hit> {
        let (x, y) = (at.x - self.origin.x, at.y - self.origin.y - HEAD);
        if x < 0.0 || y < 0.0 {
            return None;
        }
        let (block, line) = ((x / self.block) as usize, (y / self.row) as usize);
        let within = x - block as f32 * self.block;
        if block >= self.blocks || within > self.label + self.cell * self.columns as f32 {
            return None;
        }
        let row = self.row_at(line, block)?;
        let column = (within >= self.label).then(|| ((within - self.label) / self.cell) as usize);
        Some(Hit { row, column: column.filter(|column| *column < self.columns) })
    }
}

/// Shows the map; `label` and `cell` are asked for visible rows only. Returns what is under the pointer.
pub fn matrix(
    ui: &mut Ui,
    name: &str,
    heads: &[Head],
    rows: usize,
    density: Density,
    label: impl Fn(usize) -> Label,
    cell: impl Fn(usize, usize) -> Cell,
) -> (Response, Option<Hit>) {
    let style = palette(ui);
    let width = ui.available_width();
    let grid = Grid::new(ui.cursor().min, width, rows, heads.len(), density);
    let height = HEAD + grid.lines() as f32 * grid.row;
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::click());
    let grid = Grid { origin: rect.min, ..grid };
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    let hit = response.hover_pos().and_then(|at| grid.hit(at));
    let visible = ui.clip_rect().intersect(rect);
    if visible.height() > 0.0 {
        let painter = ui.painter();
        let mut mesh = Mesh::default();
        let (mut words, mut numbers) = (Vec::new(), Vec::new());
        let first = ((visible.top() - rect.top() - HEAD) / grid.row).floor().max(0.0) as usize;
        let last = (((visible.bottom() - rect.top() - HEAD) / grid.row).ceil().max(0.0) as usize).min(grid.lines());
        for line in first..last {
            for block in 0..grid.blocks {
                let Some(index) = grid.row_at(line, block) else { continue };
                let row = grid.row_rect(line, block);
                if hit.is_some_and(|hit| hit.row == index) {
                    mesh.add_colored_rect(row.expand2(vec2(space::XS, 0.0)), style.raised);
                }
                words.push((row, label(index)));
                for column in 0..grid.columns {
                    let place = grid.cell_rect(row, column);
                    let cell = cell(index, column);
                    if let Some(number) = draw(&mut mesh, style, place, cell) {
                        let ink = if matches!(cell, Cell::Leads(_)) { style.on_accent } else { style.text };
                        numbers.push((place, number, ink));
                    }
                }
            }
        }
        painter.add(Shape::mesh(mesh));
        for (place, label) in &words {
            let ink = match label.trouble {
                None => style.muted,
                Some(Trouble::Degraded) => style.text,
                Some(Trouble::Broken) => style.critical,
            };
            let place = Rect::from_min_size(place.min, vec2(grid.label - space::S, place.height()));
            let font = if density == Density::Roomy { font::body() } else { font::small() };
            let suffix = text::line(painter, &label.suffix, font.clone(), ink, f32::INFINITY).size().x;
            let room = place.with_max_x(place.right() - suffix);
            let end = text::paint(painter, room, Align2::LEFT_CENTER, &label.text, font.clone(), ink).right();
            text::paint(painter, place.with_min_x(end), Align2::LEFT_CENTER, &label.suffix, font, ink);
        }
        for (place, number, ink) in &numbers {
            text::paint(painter, *place, Align2::CENTER_CENTER, number, font::tiny(), *ink);
        }
        heads_row(ui, style, &grid, heads, visible);
    }
    (response, hit)
}

/// The row of heads stays at the top while the rows scroll under it.
fn heads_row(ui: &Ui, style: &Palette, grid: &Grid, heads: &[Head], visible: Rect) {
    let top = grid.origin.y.max(visible.top());
    let painter = ui.painter();
    if top > grid.origin.y {
        let ground = Rect::from_min_size(pos2(visible.left(), top), vec2(visible.width(), HEAD));
        painter.rect_filled(ground, 0.0, style.surface);
        painter.hline(ground.x_range(), ground.bottom(), egui::Stroke::new(size::LINE, style.outline));
    }
    for block in 0..grid.blocks {
        for (column, head) in heads.iter().enumerate() {
            let row = Rect::from_min_size(
                pos2(grid.origin.x + block as f32 * grid.block, top),
                vec2(grid.label + grid.cell * grid.columns as f32, HEAD),
            );
            let left = row.left() + grid.label + column as f32 * grid.cell;
            let place = Rect::from_min_size(pos2(left, top), vec2(grid.cell, HEAD));
            let ink = if head.down { style.critical } else { style.faint };
            text::paint(painter, place, Align2::CENTER_CENTER, &head.text, font::tiny(), ink);
            if head.down {
                let mark = egui::Stroke::new(size::LINE, style.critical);
                painter.hline(place.shrink2(vec2(2.0, 0.0)).x_range(), place.bottom() - 2.0, mark);
            }
        }
    }
}

/// Draws one cell; returns the number that is to stand in it.
fn draw(mesh: &mut Mesh, style: &Palette, place: Rect, cell: Cell) -> Option<String> {
    match cell {
        Cell::Blank => {}
        Cell::Leader => mesh.add_colored_rect(place, style.leader),
        Cell::Leads(count) => {
            mesh.add_colored_rect(place, style.leader);
            return Some(crate::ui::format::short(i64::from(count)));
        }
        Cell::InSync => ring(mesh, place, 1.5, style.follower),
        Cell::Behind(gap) => {
            mesh.add_colored_rect(place, style.warning_soft);
            let words = gap.map(|gap| format!("−{}", crate::ui::format::short(gap)));
            let fits = place.width() >= 36.0 && words.is_some();
            // A number needs a calm ground: its hatch is fainter.
            let ink = if fits { style.warning_fill.gamma_multiply(0.22) } else { style.warning_fill };
            hatch(mesh, place, 5.0, 1.6, ink);
            ring(mesh, place, 1.5, style.warning_fill);
            return words.filter(|_| fits);
        }
        Cell::Offline => {
            mesh.add_colored_rect(place, style.critical_soft);
            ring(mesh, place, 1.5, style.critical_fill);
            cross(mesh, place, style.critical_fill);
        }
        Cell::LeaderUnreachable => {
            mesh.add_colored_rect(place, style.critical_fill);
            cross(mesh, place, style.on_critical);
        }
    }
    None
}

/// Paints one cell of its own, with a word in it, as tables have them.
pub fn chip(painter: &egui::Painter, style: &Palette, place: Rect, cell: Cell, word: &str) {
    let mut mesh = Mesh::default();
    let ink = match cell {
        Cell::Leader | Cell::Leads(_) => {
            mesh.add_colored_rect(place, style.leader);
            style.on_accent
        }
        Cell::Behind(_) => {
            mesh.add_colored_rect(place, style.warning_soft);
            hatch(&mut mesh, place, 5.0, 1.6, style.warning_fill.gamma_multiply(0.3));
            ring(&mut mesh, place, 1.5, style.warning_fill);
            style.text
        }
        Cell::Offline => {
            mesh.add_colored_rect(place, style.critical_soft);
            ring(&mut mesh, place, 1.5, style.critical_fill);
            strike(&mut mesh, place, style.critical_fill);
            style.critical
        }
        Cell::LeaderUnreachable => {
            mesh.add_colored_rect(place, style.critical_fill);
            style.on_critical
        }
        Cell::InSync | Cell::Blank => {
            draw(&mut mesh, style, place, cell);
            style.muted
        }
    };
    painter.add(Shape::mesh(mesh));
    text::paint(painter, place, Align2::CENTER_CENTER, word, font::small(), ink);
}

/// Paints one cell outside of a map, for legends.
pub fn sample(ui: &mut Ui, cell: Cell) {
    let style = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(Density::Compact.cell_width(), size::ICON - 2.0), Sense::hover());
    let mut mesh = Mesh::default();
    draw(&mut mesh, style, rect.shrink2(vec2(2.0, 0.0)), cell);
    ui.painter().add(Shape::mesh(mesh));
}

pub(super) fn ring(mesh: &mut Mesh, rect: Rect, thick: f32, color: Color32) {
    let (min, max) = (rect.min, rect.max);
    mesh.add_colored_rect(Rect::from_min_max(min, pos2(max.x, min.y + thick)), color);
    mesh.add_colored_rect(Rect::from_min_max(pos2(min.x, max.y - thick), max), color);
    mesh.add_colored_rect(Rect::from_min_max(pos2(min.x, min.y + thick), pos2(min.x + thick, max.y - thick)), color);
    mesh.add_colored_rect(Rect::from_min_max(pos2(max.x - thick, min.y + thick), pos2(max.x, max.y - thick)), color);
}

fn strike(mesh: &mut Mesh, rect: Rect, color: Color32) {
    let (from, to) = (rect.left_bottom(), rect.right_top());
    let across = vec2(0.7, 0.7);
    polygon(mesh, &[from - across, to - across, to + across, from + across], color.gamma_multiply(0.7));
}

pub(super) fn cross(mesh: &mut Mesh, rect: Rect, color: Color32) {
    let reach = (rect.height() * 0.26).min(rect.width() * 0.26);
    let half = 0.8_f32;
    for way in [1.0_f32, -1.0] {
        let along = vec2(reach, reach * way);
        let across = vec2(-half * way, half);
        let center = rect.center();
        polygon(
            mesh,
            &[center - along - across, center + along - across, center + along + across, center - along + across],
            color,
        );
    }
}

/// Stripes at 45 degrees, cut exactly at the rectangle's edges.
pub(super) fn hatch(mesh: &mut Mesh, rect: Rect, every: f32, thick: f32, color: Color32) {
    let mut from = -rect.height();
    while from < rect.width() {
        let stripe = [
            pos2(rect.left() + from, rect.bottom()),
            pos2(rect.left() + from + thick, rect.bottom()),
            pos2(rect.left() + from + thick + rect.height(), rect.top()),
            pos2(rect.left() + from + rect.height(), rect.top()),
        ];
        let cut = clip(&clip(&stripe, |point| point.x - rect.left()), |point| rect.right() - point.x);
        polygon(mesh, &cut, color);
        from += every;
    }
}

/// Keeps the part of a convex polygon where `inside` is not negative.
fn clip(points: &[Pos2], inside: impl Fn(Pos2) -> f32) -> Vec<Pos2> {
    let mut kept = Vec::with_capacity(points.len() + 2);
    for (index, &point) in points.iter().enumerate() {
        let before = points[(index + points.len() - 1) % points.len()];
        let (here, there) = (inside(point), inside(before));
        if (here >= 0.0) != (there >= 0.0) {
            kept.push(before + (point - before) * (there / (there - here)));
        }
        if here >= 0.0 {
            kept.push(point);
        }
    }
    kept
}

pub(super) fn polygon(mesh: &mut Mesh, points: &[Pos2], color: Color32) {
    let base = mesh.vertices.len() as u32;
    for &point in points {
        mesh.colored_vertex(point, color);
    }
    for third in 2..points.len() as u32 {
        mesh.add_triangle(base, base + third - 1, base + third);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_hit_where_it_is_drawn() {
        for (rows, columns, density) in [
            (1, 3, Density::Roomy),
            (97, 3, Density::Compact),
            (12, 40, Density::Compact),
            (10_000, 5, Density::Compact),
        ] {
            let grid = Grid::new(pos2(10.0, 20.0), 1200.0, rows, columns, density);
            for line in [0, grid.lines() / 2, grid.lines() - 1] {
                for block in 0..grid.blocks {
                    let Some(row) = grid.row_at(line, block) else { continue };
                    let place = grid.row_rect(line, block);
                    for column in 0..columns {
                        let center = grid.cell_rect(place, column).center();
                        assert_eq!(grid.hit(center), Some(Hit { row, column: Some(column) }));
                    }
                    assert_eq!(grid.hit(place.left_center() + vec2(1.0, 0.0)), Some(Hit { row, column: None }));
                }
            }
            assert_eq!(grid.hit(pos2(0.0, 0.0)), None);
            assert_eq!(grid.hit(pos2(20.0, 1e7)), None);
        }
    }

    #[test]
    fn a_hatch_stays_within_its_cell() {
        let rect = Rect::from_min_size(pos2(3.0, 4.0), vec2(40.0, 20.0));
        let mut mesh = Mesh::default();
        hatch(&mut mesh, rect, 5.0, 2.0, Color32::RED);
        assert!(!mesh.vertices.is_empty());
        assert!(mesh.vertices.iter().all(|vertex| rect.expand(0.01).contains(vertex.pos)));
        assert!(mesh.is_valid());
    }
}
