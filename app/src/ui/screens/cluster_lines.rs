//! The traffic as lines: from the clients down to each broker and back, and from zone to zone. A line is as wide as what flows is large; what
//! nobody measured has no line.

use std::collections::BTreeMap;

use egui::{Align2, Color32, Mesh, Painter, Pos2, Rect, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::cluster_flow::Move;
use crate::monitor::snapshot::Broker;
use crate::ui::format;
use crate::ui::model::is_up;
use crate::ui::tokens::{Palette, font, palette, size, space};
use crate::ui::widgets::text;

/// A zone's column, as it came to stand.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its frame.
    pub rect: Rect,
    /// What it is called.
    pub title: String,
    /// Cards of its brokers, from the top.
    pub cards: Vec<(i32, Rect)>,
}

/// Room at both sides of a zone's cards, where lines run.
pub const GUTTER: f32 = 18.0;
/// Room between the clients and the zones.
pub const GAP: f32 = 30.0;

const THINNEST: f32 = 1.5;
const WIDEST: f32 = 6.5;
const ARROW: f32 = 7.0;
/// Where an inner and an outer arc between neighbours have their lowest points; each zone between adds to that.
const INNER: f32 = 13.0;
const OUTER: f32 = 23.0;
const DEEPER: f32 = 38.0;
/// From a zone's middle to where outer and inner arcs between neighbours begin and end; each zone between takes from that.
const PORTS: (f32, f32) = (56.0, 74.0);
const NEARER: f32 = 42.0;

/// How wide a line is, so that areas can be compared and small flows are seen.
fn width(rate: f64, most: f64) -> f32 {
    if rate <= 0.0 || most <= 0.0 {
        return size::LINE;
    }
    THINNEST + (WIDEST - THINNEST) * (rate / most).clamp(0.0, 1.0).sqrt() as f32
}

/// The largest flow that has a line: what a zone's clients write or read, or one zone copies from another.
pub fn most(zones: &[Vec<&Broker>], between: &BTreeMap<(usize, usize), f64>) -> f64 {
    let sum = |zone: &Vec<&Broker>, pick: fn(&Broker) -> f64| zone.iter().map(|broker| pick(broker)).sum::<f64>();
    let clients = zones.iter().flat_map(|zone| [sum(zone, written), sum(zone, read)]);
    clients.chain(between.values().copied()).fold(0.0, f64::max)
}

fn written(broker: &Broker) -> f64 {
    broker.rates.bytes_in_per_s
}

fn read(broker: &Broker) -> f64 {
    broker.rates.bytes_out_per_s
}

/// Lines from the clients, which end at `top`, to each broker of a zone and back; `lit` brokers stand out.
pub fn clients(ui: &Ui, column: &Column, brokers: &[&Broker], (top, most): (f32, f64), lit: &[i32]) -> Vec<Shape> {
    let style = palette(ui);
    let mut shapes = Vec::new();
    for (ink, pick, down) in [(style.series[0], written as fn(&Broker) -> f64, true), (style.series[3], read, false)] {
        let x = if down { column.rect.left() + GUTTER / 2.0 } else { column.rect.right() - GUTTER / 2.0 };
        let up: Vec<(&Broker, Rect)> = column
            .cards
            .iter()
            .filter_map(|(id, card)| Some((*brokers.iter().find(|broker| broker.id == *id)?, *card)))
            .filter(|(broker, _)| is_up(broker))
            .collect();
        let sum: f64 = up.iter().map(|(broker, _)| pick(broker)).sum();
        let head = if !down && sum > 0.0 { reach(width(sum, most)) } else { 0.0 };
        let mut from = top + head;
        for (index, (broker, card)) in up.iter().enumerate() {
            let rate = pick(broker);
            // What the trunk carries from here on.
            let below: f64 = up[index..].iter().map(|(broker, _)| pick(broker)).sum();
            let faint = !lit.is_empty() && !lit.contains(&broker.id);
            let ink = if rate <= 0.0 { style.outline_strong } else { faded(ink, faint) };
            let trunk = if below <= 0.0 { style.outline_strong } else { faded(ink, faint) };
            let (y, thick) = (card.center().y, width(rate, most));
            let edge = if down { card.left() } else { card.right() };
            let trunk = Stroke::new(width(below, most), trunk);
            // Up to the outer edge of the branch, so that the corner is whole.
            shapes.push(Shape::line_segment([pos2(x, from), pos2(x, y + thick / 2.0)], trunk));
            let ends = pos2(edge, y);
            if down && rate > 0.0 {
                shapes.push(Shape::line_segment([pos2(x, y), ends - vec2(reach(thick), 0.0)], Stroke::new(thick, ink)));
                shapes.push(arrow(ends, vec2(1.0, 0.0), thick, ink));
            } else {
                shapes.push(Shape::line_segment([pos2(x, y), ends], Stroke::new(thick, ink)));
            }
            from = y;
        }
        if head > 0.0 {
            shapes.push(arrow(pos2(x, top), vec2(0.0, -1.0), width(sum, most), ink));
        }
    }
    shapes
}

fn faded(ink: Color32, is_faint: bool) -> Color32 {
    if is_faint { ink.gamma_multiply(0.3) } else { ink }
}

/// How long the head of a line is.
fn reach(thick: f32) -> f32 {
    ARROW + thick / 3.0
}

/// A head that ends at `tip`.
fn arrow(tip: Pos2, way: egui::Vec2, thick: f32, ink: Color32) -> Shape {
    let (back, side) = (tip - way * reach(thick), way.rot90() * (reach(thick) * 0.4 + thick / 2.0));
    let mut mesh = Mesh::default();
    for point in [tip, back + side, back - side] {
        mesh.colored_vertex(point, ink);
    }
    mesh.add_triangle(0, 1, 2);
    Shape::mesh(mesh)
}

/// A zone's name, and what goes in and comes out, beside the lines that say so. Returns where the name stands.
pub fn words(ui: &Ui, column: &Column, brokers: &[&Broker], top: f32) -> Rect {
    let style = palette(ui);
    let sum = |pick: fn(&Broker) -> f64| brokers.iter().map(|broker| pick(broker)).sum::<f64>();
    let (written, read) = (format::byte_rate(sum(written)), format::byte_rate(sum(read)));
    let room = Rect::from_x_y_ranges(column.rect.x_range(), top..=column.rect.top());
    let room = room.shrink2(vec2(GUTTER / 2.0 + WIDEST + space::XS, 0.0));
    let paint = |align, words: &str, ink| text::paint(ui.painter(), room, align, words, font::small(), ink);
    let left = paint(Align2::LEFT_CENTER, &format!("in {written}"), style.muted);
    let right = paint(Align2::RIGHT_CENTER, &format!("out {read}"), style.muted);
    let place = paint(Align2::CENTER_CENTER, &column.title, style.faint);
    let title = ui.interact(place, ui.scope_id().with(&column.title), Sense::hover());
    title.widget_info(|| WidgetInfo::labeled(Role::Label, true, &column.title));
    let spoken = format!("{}: clients write {written} and read {read}", column.title);
    told(
        ui,
        left.union(right),
        &spoken,
        "Record bytes per second, over the last second or so: of all brokers of the zone.",
    );
    place.expand(space::XS)
}

/// Where the lines from the clients to a zone's brokers run, and those back.
pub fn client_lines(column: &Column) -> [Rect; 2] {
    let all = column.rect.with_min_y(column.rect.top() - GAP);
    [all.with_max_x(all.left() + GUTTER), all.with_min_x(all.right() - GUTTER)]
}

/// Gives what is painted at a place a name, and words under the pointer.
fn told(ui: &Ui, place: Rect, spoken: &str, help: &str) {
    let response = ui.interact(place, ui.scope_id().with(spoken.split(':').next()), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, spoken));
    response.on_hover_ui_at_pointer(|ui| {
        ui.set_max_width(size::TOOLTIP);
        text::paragraph(ui, &format!("{spoken}. {help}"), font::small(), palette(ui).text);
    });
}

/// How deep arcs between so many zones reach, their words included.
fn depth(columns: usize) -> f32 {
    OUTER + DEEPER * columns.saturating_sub(2) as f32 + space::L + space::XS
}

/// Arcs from zone to zone: what followers in one copy from leaders in another. Zones stand in one row. Where something can be done to what
/// goes between two of them.
pub fn arcs(
    ui: &mut Ui,
    columns: &[Column],
    between: &BTreeMap<(usize, usize), f64>,
    most: f64,
) -> Vec<(Rect, usize, usize)> {
    let mut places = Vec::new();
    let style = palette(ui);
    let bottom = columns.iter().map(|column| column.rect.bottom()).fold(f32::NEG_INFINITY, f32::max);
    let height = (bottom + depth(columns.len()) - ui.cursor().top()).max(0.0);
    ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    for span in (1..columns.len()).rev() {
        for left in 0..columns.len() - span {
            let place = pair(ui, style, (columns, left, left + span), bottom, between, most);
            places.extend(place.map(|place| (place, left, left + span)));
        }
    }
    places
}

fn pair(
    ui: &Ui,
    style: &Palette,
    (columns, left, right): (&[Column], usize, usize),
    top: f32,
    between: &BTreeMap<(usize, usize), f64>,
    most: f64,
) -> Option<Rect> {
    let rate = |from: usize, to: usize| between.get(&(from, to)).copied();
    let (there, back) = (rate(left, right), rate(right, left));
    if there.is_none() && back.is_none() {
        return None;
    }
    let deeper = DEEPER * (right - left - 1) as f32;
    let port = |index: usize, aside: f32| columns[index].rect.center_bottom() + vec2(aside, 0.0);
    let painter = ui.painter();
    let nearer = NEARER * (right - left - 1) as f32;
    let (near, far) = (PORTS.0 - nearer, PORTS.1 - nearer);
    let outer = Arc { from: port(left, near), to: port(right, -near), top, lowest: OUTER + deeper };
    let inner = Arc { from: port(right, -far), to: port(left, far), top, lowest: INNER + deeper };
    for (arc, rate) in [(outer, there), (inner, back)] {
        if let Some(rate) = rate {
            arc.paint(painter, width(rate, most), if rate > 0.0 { style.follower } else { style.outline_strong });
        }
    }
    let told_of = |rate: Option<f64>, before: &str, after: &str| {
        rate.map(|rate| format!("{before}{}{after}", format::byte_rate(rate)))
    };
    let both = |one: Option<String>, other: Option<String>, between: &str| {
        one.into_iter().chain(other).collect::<Vec<String>>().join(between)
    };
    let words = both(told_of(there, "→ ", ""), told_of(back, "← ", ""), "  ");
    let galley = text::line(painter, &words, font::tiny(), style.muted, f32::INFINITY);
    let at = pos2((outer.from.x + outer.to.x) / 2.0, top + OUTER + deeper + space::M);
    let place = Rect::from_center_size(at, galley.size() + vec2(space::S, 0.0));
    painter.rect_filled(place, 0.0, style.canvas);
    painter.galley(place.center() - galley.size() / 2.0, galley, style.muted);
    let (one, other) = (&columns[left].title, &columns[right].title);
    let rates = both(told_of(there, "", " there"), told_of(back, "", " back"), ", ");
    let spoken = format!("Replication between {} and {}: {rates}", one.to_lowercase(), other.to_lowercase());
    told(ui, place, &spoken, "Bytes per second that followers fetch from leaders, as the followers count them.");
    Some(place.expand(space::S))
}

/// A line that hangs between two points, from `top` on: zones are not all as high.
#[derive(Clone, Copy)]
struct Arc {
    from: Pos2,
    to: Pos2,
    top: f32,
    lowest: f32,
}

impl Arc {
    const STEPS: usize = 24;

    fn paint(self, painter: &Painter, thick: f32, ink: Color32) {
        let end = self.to + vec2(0.0, reach(thick));
        let shares = (0..=Arc::STEPS).map(|step| step as f32 / Arc::STEPS as f32);
        // It ends where its head begins.
        let hanging = shares.filter(|share| *share < 0.5 || self.at(*share).y > end.y).map(|share| self.at(share));
        let points: Vec<Pos2> = std::iter::once(self.from).chain(hanging).chain([end]).collect();
        painter.add(Shape::line(points, Stroke::new(thick, ink)));
        painter.add(arrow(self.to, vec2(0.0, -1.0), thick, ink));
    }

    /// Steep at its ends and flat between them.
    fn at(self, share: f32) -> Pos2 {
        let x = self.from.x + (self.to.x - self.from.x) * share;
        let bend = 1.0 - (2.0 * share - 1.0).powi(4);
        pos2(x, self.top + self.lowest * bend)
    }
}

/// The same in words, where arcs would cross too much: the largest first.
pub fn in_words(names: &[String], between: &BTreeMap<(usize, usize), f64>) -> Option<String> {
    const TOLD: usize = 4;
    let name = |index: usize| names.get(index).map_or("", String::as_str);
    let mut pairs: Vec<_> = between.iter().filter(|(_, rate)| **rate > 0.0).collect();
    pairs.sort_by(|one, other| other.1.total_cmp(one.1));
    let told = pairs.iter().take(TOLD).map(|((from, to), rate)| {
        let way =
            if from == to { format!("within {}", name(*from)) } else { format!("{} → {}", name(*from), name(*to)) };
        format!("{way} {}", format::byte_rate(**rate))
    });
    let told: Vec<String> = told.collect();
    let rest: f64 = pairs.iter().skip(TOLD).map(|(_, rate)| **rate).sum();
    let more = if pairs.len() > TOLD {
        format!(" · {} between {} other pairs", format::byte_rate(rest), pairs.len() - TOLD)
    } else {
        String::new()
    };
    (!told.is_empty()).then(|| format!("Replication: {}{more}", told.join(" · ")))
}

/// Leaderships on their way from card to card, each with how far it is.
pub fn moves(ui: &Ui, columns: &[Column], moves: &[(Move, f32)]) {
    let style = palette(ui);
    let card = |id: i32| columns.iter().flat_map(|column| &column.cards).find(|(known, _)| *known == id);
    for (one, share) in moves {
        let (Some((_, from)), Some((_, to))) = (card(one.from), card(one.to)) else { continue };
        // Slow, fast, slow.
        let eased = share * share * (3.0 - 2.0 * share);
        let at = from.center() + (to.center() - from.center()) * eased;
        let galley = text::line(ui.painter(), &one.what, font::small(), style.on_accent, f32::INFINITY);
        let pill = Rect::from_center_size(at, galley.size() + vec2(2.0 * space::S, space::XS));
        ui.painter().line_segment([from.center(), at], Stroke::new(size::CHART_LINE, style.leader.gamma_multiply(0.5)));
        ui.painter().rect_filled(pill, pill.height() / 2.0, style.leader);
        ui.painter().galley(pill.center() - galley.size() / 2.0, galley, style.on_accent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_flow_is_a_wider_line_and_none_a_hairline() {
        assert_eq!(width(0.0, 10.0), size::LINE);
        assert_eq!(width(5.0, 0.0), size::LINE);
        let widths = [0.01, 1.0, 4.0, 10.0].map(|rate| width(rate, 10.0));
        assert!(widths.is_sorted() && widths[0] >= THINNEST && widths[3] == WIDEST, "{widths:?}");
    }

    #[test]
    fn pairs_of_zones_are_told_in_words_the_largest_first() {
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
        assert_eq!(in_words(&names, &BTreeMap::new()), None);
        assert_eq!(in_words(&names, &[((0, 1), 0.0)].into()), None);
        let some = [((0, 1), 1024.0), ((1, 1), 2048.0)].into();
        assert_eq!(in_words(&names, &some).unwrap(), "Replication: within b 2.0 KiB/s · a → b 1.0 KiB/s");
        let many = (0..5).flat_map(|from| (0..5).map(move |to| ((from, to), 1024.0))).collect();
        assert!(in_words(&names, &many).unwrap().ends_with(" · 21.0 KiB/s between 21 other pairs"));
    }

    #[test]
    fn arcs_end_where_they_begin_in_height_and_hang_between() {
        let arc = Arc { from: pos2(100.0, 5.0), to: pos2(20.0, 7.0), top: 7.0, lowest: 30.0 };
        assert_eq!((arc.at(0.0), arc.at(1.0)), (pos2(100.0, 7.0), pos2(20.0, 7.0)));
        assert_eq!(arc.at(0.5), pos2(60.0, 37.0));
    }
}
