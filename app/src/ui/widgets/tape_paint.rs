//! How a tape is drawn. See [`super::tape`].

use egui::{Align2, Color32, CornerRadius, Mesh, Pos2, Rangef, Rect, Shape, Stroke, StrokeKind, Ui, pos2, vec2};

use super::lens::{Lens, place};
use super::matrix::{cross, hatch, polygon, ring};
use super::tape::{
    Band, Block, BlockKind, Dot, LABEL_ROWS, Lane, Line, Pace, Picture, RECORD_WIDTH, ROW_NAMES, Rows, Sample,
};
use super::text;
use crate::ui::format;
use crate::ui::tokens::{Palette, font, palette, radius, size, space};

/// Ticks are at least so far apart.
const TICKS_APART: f32 = 96.0;
/// Distance of a hatch's lines.
const HATCH: f32 = 5.0;
/// Their thickness.
const THICK: f32 = 1.4;
/// A dash of a line.
const DASH: f32 = 3.0;
/// Where blocks are wider than that, a gap stands between them.
const GAP_FROM: f32 = 4.0;

/// Draws all rows.
pub(super) fn paint(ui: &Ui, rows: &Rows, picture: &Picture, lens: Lens, pointer: Option<Pos2>, has_focus: bool) {
    let style = palette(ui);
    overview(ui, style, rows, picture, lens);
    axis(ui, style, rows, lens);
    let inner = ui.painter().with_clip_rect(rows.all.intersect(ui.clip_rect()));
    let painter = inner.with_clip_rect(Rect::from_x_y_ranges(rows.x, rows.all.y_range()).intersect(ui.clip_rect()));
    bands(&painter, style, (rows.x, rows.epochs), &picture.epochs, lens, style.series[5]);
    bands(&painter, style, (rows.x, rows.segments), &picture.segments, lens, style.follower);
    let mut mesh = Mesh::default();
    grounds(&mut mesh, style, rows, picture, lens);
    for block in visible(&picture.blocks, lens) {
        draw_block(&mut mesh, style, block_rect(rows.batches, rows.x, lens, block), block);
    }
    records(&mut mesh, style, rows, picture, lens);
    for (lane, row) in picture.lanes.iter().zip(&rows.lanes) {
        draw_lane(&mut mesh, style, (rows.x, *row), lane, lens);
    }
    painter.add(Shape::mesh(mesh));
    if let Some(excuse) = &picture.excuse {
        text::paint(&painter, rows.batches, Align2::CENTER_CENTER, excuse, font::small(), style.muted);
    }
    if lens.width(rows.x) < RECORD_WIDTH {
        let words = "Zoom in to see single records";
        text::paint(&painter, rows.records, Align2::LEFT_CENTER, words, font::tiny(), style.faint);
    }
    marks(&painter, style, rows, picture, lens);
    names(ui, style, rows, picture);
    if let Some(at) = pointer {
        let line = Stroke::new(size::LINE, style.accent.gamma_multiply(0.6));
        painter.vline(at.x, Rangef::new(rows.axis.top(), rows.all.bottom()), line);
    }
    if has_focus {
        let edge = Stroke::new(size::LINE, style.accent);
        ui.painter().rect_stroke(rows.all.expand(space::XS), CornerRadius::same(radius::M), edge, StrokeKind::Inside);
    }
}

fn names(ui: &Ui, style: &Palette, rows: &Rows, picture: &Picture) {
    let left = |row: Rect| Rect::from_x_y_ranges(rows.all.left()..=rows.x.min - space::S, row.y_range());
    let right = |row: Rect| Rect::from_x_y_ranges(rows.x.max + space::S..=rows.all.right(), row.y_range());
    let painter = ui.painter();
    for (row, named) in rows.named().into_iter().zip(&ROW_NAMES) {
        text::paint(painter, left(row), Align2::LEFT_CENTER, named.name, font::small(), style.faint);
    }
    let headings = picture.lanes.iter().filter_map(|lane| lane.heading);
    for ((name, value), row) in headings.zip(&rows.headings) {
        text::paint(painter, left(*row), Align2::LEFT_CENTER, name, font::small(), style.faint);
        text::paint(painter, right(*row), Align2::LEFT_CENTER, value, font::tiny(), style.faint);
    }
    for (lane, row) in picture.lanes.iter().zip(&rows.lanes) {
        text::paint(painter, left(*row), Align2::LEFT_CENTER, &lane.label, font::small(), style.text);
        let ink = match lane.pace {
            Pace::Behind | Pace::Out => style.warning,
            Pace::Leads | Pace::Level | Pace::Unknown => style.muted,
        };
        text::paint(painter, right(*row), Align2::LEFT_CENTER, &lane.value, font::small(), ink);
    }
}

fn overview(ui: &Ui, style: &Palette, rows: &Rows, picture: &Picture, lens: Lens) {
    let (row, whole) = (rows.overview, Lens::whole(picture.domain));
    let painter = ui.painter();
    painter.rect_filled(row, CornerRadius::same(radius::XS), style.input);
    let mut mesh = Mesh::default();
    for (index, band) in picture.segments.iter().enumerate() {
        let shade = if index % 2 == 0 { style.follower } else { style.follower.gamma_multiply(0.6) };
        let place = stretch(row.shrink2(vec2(0.0, space::XS)), rows.x, whole, (band.from, band.to));
        mesh.add_colored_rect(place, shade);
    }
    if picture.segments.is_empty() {
        let domain = picture.domain;
        let place = stretch(row.shrink2(vec2(0.0, space::XS)), rows.x, whole, (domain.from, domain.to));
        mesh.add_colored_rect(place, style.follower.gamma_multiply(0.6));
    }
    painter.add(Shape::mesh(mesh));
    let brush = Rect::from_x_y_ranges(
        whole.x(rows.x, lens.from).max(rows.x.min)..=whole.x(rows.x, lens.to()).min(rows.x.max),
        row.y_range(),
    );
    // However small, it can be seen.
    let brush = Rect::from_center_size(brush.center(), vec2(brush.width().max(size::LINE * 4.0), brush.height()));
    painter.rect(
        brush,
        CornerRadius::same(radius::XS),
        style.accent.gamma_multiply(0.22),
        Stroke::new(size::CHART_LINE, style.accent),
        StrokeKind::Inside,
    );
}

fn axis(ui: &Ui, style: &Palette, rows: &Rows, lens: Lens) {
    let painter = ui.painter();
    painter.hline(rows.x, rows.axis.bottom(), Stroke::new(size::LINE, style.outline_strong));
    for tick in lens.ticks(rows.x, TICKS_APART) {
        let x = lens.x(rows.x, tick as f64);
        painter.vline(
            x,
            Rangef::new(rows.axis.bottom() - space::XS, rows.axis.bottom()),
            Stroke::new(size::LINE, style.outline_strong),
        );
        let room = Rect::from_min_max(pos2(x + 2.0, rows.axis.top()), pos2(rows.x.max, rows.axis.bottom() - 1.0));
        if room.width() >= TICKS_APART / 2.0 {
            text::paint(painter, room, Align2::LEFT_CENTER, &format::count(tick), font::tiny(), style.faint);
        }
    }
}

/// A stretch of offsets in a row, at least a hair wide.
fn stretch(row: Rect, x: Rangef, lens: Lens, (from, to): (i64, i64)) -> Rect {
    let (left, right) = (lens.x(x, from as f64).max(x.min), lens.x(x, to as f64).min(x.max));
    Rect::from_x_y_ranges(left..=right.max(left + size::LINE), row.y_range())
}

fn is_shown(lens: Lens, (from, to): (i64, i64)) -> bool {
    (to as f64) >= lens.from && (from as f64) <= lens.to()
}

fn bands(painter: &egui::Painter, style: &Palette, (x, row): (Rangef, Rect), all: &[Band], lens: Lens, ink: Color32) {
    let mut mesh = Mesh::default();
    let mut words = Vec::new();
    for (index, band) in all.iter().enumerate().filter(|(_, band)| is_shown(lens, (band.from, band.to))) {
        let place = stretch(row, x, lens, (band.from, band.to));
        let shade = if index % 2 == 0 { 0.34 } else { 0.2 };
        mesh.add_colored_rect(place, ink.gamma_multiply(shade));
        if lens.from <= band.from as f64 {
            // Where it begins is to be seen, whatever stands beside it.
            mesh.add_colored_rect(place.with_max_x((place.left() + THICK).min(place.right())), ink);
        }
        if band.is_marked {
            mesh.add_colored_rect(place.with_min_y(place.bottom() - 2.0), style.accent);
        }
        words.push((place, &band.label));
    }
    painter.add(Shape::mesh(mesh));
    for (place, label) in words {
        let room = place.shrink2(vec2(space::XS, 0.0));
        let fits = text::line(painter, label, font::tiny(), style.text, f32::INFINITY).size().x <= room.width();
        if fits {
            text::paint(painter, room, Align2::LEFT_CENTER, label, font::tiny(), style.text);
        }
    }
}

/// What is known, what is compacted, and what is gone.
fn grounds(mesh: &mut Mesh, style: &Palette, rows: &Rows, picture: &Picture, lens: Lens) {
    if let Some((from, to)) = picture.known {
        mesh.add_colored_rect(stretch(rows.batches, rows.x, lens, (from, to)), style.input);
    }
    if let Some(clean_to) = picture.clean_to
        && is_shown(lens, (picture.domain.from, clean_to))
    {
        let place = stretch(rows.batches, rows.x, lens, (picture.domain.from, clean_to));
        clean_line(mesh, style, place);
    }
    for hole in picture.holes.iter().filter(|hole| is_shown(lens, **hole)) {
        let place = stretch(rows.batches, rows.x, lens, *hole).shrink2(vec2(0.0, space::S));
        hole_in(mesh, style, place);
    }
}

fn hole_in(mesh: &mut Mesh, style: &Palette, place: Rect) {
    hatch(mesh, place, HATCH, THICK / 2.0, style.muted);
}

fn clean_line(mesh: &mut Mesh, style: &Palette, place: Rect) {
    mesh.add_colored_rect(place.with_min_y(place.bottom() - 3.0).translate(vec2(0.0, 2.0)), style.ok);
}

/// A shape by itself, for a legend.
pub(super) fn sample(ui: &Ui, place: Rect, sample: Sample) {
    let (mut mesh, style) = (Mesh::default(), palette(ui));
    match sample {
        Sample::Block(kind, filled) => {
            draw_block(&mut mesh, style, place, &Block { from: 0, to: 1, kind, filled, is_chosen: false });
        }
        Sample::Hole => hole_in(&mut mesh, style, place.shrink2(vec2(0.0, space::XS))),
        Sample::Clean => clean_line(&mut mesh, style, place.with_max_y(place.center().y)),
        Sample::Pace(pace) => {
            let end = if pace == Pace::Behind { 6 } else { 10 };
            let lane = Lane { heading: None, label: String::new(), value: String::new(), end, goal: 10, pace };
            let lens = Lens { from: 0.0, span: 10.0 };
            draw_lane(&mut mesh, style, (place.x_range(), place), &lane, lens);
        }
    }
    ui.painter().add(Shape::mesh(mesh));
}

fn visible(blocks: &[Block], lens: Lens) -> impl Iterator<Item = &Block> {
    let first = blocks.partition_point(|block| (block.to as f64) < lens.from);
    blocks[first..].iter().take_while(move |block| block.from as f64 <= lens.to())
}

fn block_rect(row: Rect, x: Rangef, lens: Lens, block: &Block) -> Rect {
    let place = stretch(row.shrink2(vec2(0.0, space::XS)), x, lens, (block.from, block.to));
    if place.width() > GAP_FROM { place.with_max_x(place.right() - size::LINE) } else { place }
}

fn draw_block(mesh: &mut Mesh, style: &Palette, place: Rect, block: &Block) {
    let (data, txn) = (style.series[0], style.series[2]);
    match block.kind {
        BlockKind::Data => filled(mesh, place, data, block.filled),
        BlockKind::Transactional => {
            filled(mesh, place, txn, block.filled);
            mesh.add_colored_rect(place.with_min_y(place.bottom() - 4.0), style.text);
        }
        BlockKind::Aborted => {
            mesh.add_colored_rect(place, txn.gamma_multiply(0.25));
            hatch(mesh, place, HATCH, THICK, txn);
            mesh.add_colored_rect(place.with_min_y(place.bottom() - 4.0), style.text);
        }
        BlockKind::Commit | BlockKind::Abort | BlockKind::Control => {
            let ink = if block.kind == BlockKind::Abort { style.critical } else { style.text };
            ring(mesh, place, THICK, ink);
            let middle = place.center();
            let reach = (place.width() * 0.3).min(space::XS + 1.0);
            match block.kind {
                BlockKind::Abort => {
                    cross(mesh, Rect::from_center_size(middle, vec2(reach, reach) * 3.0).intersect(place), ink)
                }
                BlockKind::Commit if reach > 1.5 => {
                    let (low, thick) = (middle + vec2(-reach * 0.2, reach * 0.6), THICK / 2.0);
                    for (from, to) in [(middle + vec2(-reach, 0.0), low), (low, middle + vec2(reach, -reach * 0.8))] {
                        let across = (to - from).normalized().rot90() * thick;
                        polygon(mesh, &[from - across, to - across, to + across, from + across], ink);
                    }
                }
                _ => {}
            }
        }
    }
    if block.is_chosen {
        ring(mesh, place.expand2(vec2(1.0, space::XS - 1.0)), 2.0, style.accent);
    }
}

/// As high as it is full; the rest hatched.
fn filled(mesh: &mut Mesh, place: Rect, ink: Color32, share: f32) {
    let top = place.bottom() - place.height() * share.clamp(0.0, 1.0);
    mesh.add_colored_rect(place.with_min_y(top), ink);
    if share < 1.0 {
        let gone = place.with_max_y(top);
        mesh.add_colored_rect(gone, ink.gamma_multiply(0.12));
        hatch(mesh, gone, HATCH, THICK / 2.0, ink);
    }
}

fn records(mesh: &mut Mesh, style: &Palette, rows: &Rows, picture: &Picture, lens: Lens) {
    let width = lens.width(rows.x);
    if width < RECORD_WIDTH {
        return;
    }
    let inset = (width * 0.12).clamp(0.5, space::S);
    let first = picture.dots.partition_point(|(offset, _)| (*offset as f64) < lens.from - 1.0);
    for (offset, dot) in picture.dots[first..].iter().take_while(|(offset, _)| *offset as f64 <= lens.to()) {
        let place = stretch(rows.records, rows.x, lens, (*offset, offset + 1)).shrink2(vec2(inset, 2.0));
        match dot {
            Dot::Record => mesh.add_colored_rect(place, style.series[0]),
            Dot::Tombstone => ring(mesh, place, THICK, style.series[0]),
            Dot::Marker => {
                let middle = place.center().x;
                mesh.add_colored_rect(
                    Rect::from_x_y_ranges(middle - THICK / 2.0..=middle + THICK / 2.0, place.y_range()),
                    style.text,
                );
            }
        }
    }
    for (from, to) in picture.holes.iter().filter(|hole| is_shown(lens, **hole)) {
        hatch(
            mesh,
            stretch(rows.records, rows.x, lens, (*from, *to)).shrink2(vec2(0.0, space::XS)),
            HATCH,
            THICK / 2.0,
            style.faint,
        );
    }
}

fn draw_lane(mesh: &mut Mesh, style: &Palette, (x, row): (Rangef, Rect), lane: &Lane, lens: Lens) {
    let middle = row.center().y;
    let track = Rect::from_x_y_ranges(x, middle - size::LINE / 2.0..=middle + size::LINE / 2.0);
    mesh.add_colored_rect(track, style.outline);
    if lane.pace == Pace::Unknown {
        return;
    }
    let end = lens.x(x, lane.end as f64).clamp(x.min, x.max);
    if matches!(lane.pace, Pace::Behind | Pace::Out) {
        let goal = lens.x(x, lane.goal as f64).clamp(x.min, x.max);
        let gap = Rect::from_x_y_ranges(end..=goal, middle - 5.0..=middle + 5.0);
        if gap.width() > 0.0 {
            mesh.add_colored_rect(gap, style.warning_soft);
            hatch(mesh, gap, HATCH, THICK, style.warning_fill);
        }
    }
    let bar = |half: f32| Rect::from_x_y_ranges(x.min..=end.max(x.min), middle - half..=middle + half);
    if end > x.min {
        match lane.pace {
            Pace::Leads => mesh.add_colored_rect(bar(5.0), style.leader),
            Pace::Out => ring(mesh, bar(4.0), THICK, style.warning_fill),
            _ => mesh.add_colored_rect(bar(3.5), style.follower),
        }
        mesh.add_colored_rect(Rect::from_x_y_ranges(end - 2.0..=end, middle - 7.0..=middle + 7.0), style.text);
    } else {
        // It is further to the left than what is shown.
        let tip = pos2(x.min + 1.0, middle);
        polygon(mesh, &[tip, tip + vec2(9.0, -6.5), tip + vec2(9.0, 6.5)], style.text);
    }
}

fn marks(painter: &egui::Painter, style: &Palette, rows: &Rows, picture: &Picture, lens: Lens) {
    let shown: Vec<_> = picture.marks.iter().filter(|mark| is_shown(lens, (mark.offset, mark.offset))).collect();
    let x = |offset: i64| lens.x(rows.x, offset as f64);
    let width = |label: &str| text::line(painter, label, font::tiny(), style.text, f32::INFINITY).size().x;
    let wanted: Vec<(f32, f32)> = shown.iter().map(|mark| (x(mark.offset), width(&mark.label))).collect();
    let height = rows.labels.height() / LABEL_ROWS as f32;
    let bottom = rows.all.bottom();
    for (mark, placed) in shown.iter().zip(place(&wanted, rows.x, LABEL_ROWS, space::XS)) {
        let (at, ink) = (x(mark.offset), if mark.line == Line::Strong { style.accent } else { style.text });
        let top = placed.map_or(rows.labels.bottom(), |placed| rows.labels.top() + placed.row as f32 * height);
        let stroke = Stroke::new(if mark.line == Line::Strong { size::CHART_LINE } else { size::LINE }, ink);
        match mark.line {
            Line::Dashed => painter.extend(Shape::dashed_line(&[pos2(at, top), pos2(at, bottom)], stroke, DASH, DASH)),
            Line::Plain | Line::Strong => {
                painter.vline(at, Rangef::new(top, bottom), stroke);
            }
        }
        if let Some(placed) = placed {
            let room = Rect::from_min_size(pos2(placed.left, top), vec2(rows.x.max - placed.left + 1.0, height));
            text::paint(painter, room, Align2::LEFT_CENTER, &mark.label, font::tiny(), ink);
        }
    }
}
