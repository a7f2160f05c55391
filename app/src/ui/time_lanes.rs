//! What happened along the time, a lane for each thing: bands where it was not well, ticks where it changed. What is well is blank.

use egui::{
    Align2, CornerRadius, Rect, Response, Role, ScrollArea, Sense, Stroke, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::app::{Action, Scene};
use super::format;
use super::rewind::{Rewind, Wish};
use super::time_bar::{cursor, ink};
use super::tokens::{font, palette, radius, size, space};
use super::widgets::text;
use crate::monitor::history::lanes::{Lane, Lanes};

/// Height of a lane.
const LANE: f32 = 18.0;
/// So many are seen at once.
const SEEN_MAX: usize = 12;
/// Width of their names.
const NAMES: f32 = 150.0;
/// Height of the times under them.
const TIMES: f32 = 16.0;
/// A band is at least so wide: a moment is to be seen too.
const BAND: f32 = 2.0;
/// Nearer than this to the end is now, points.
const NOW: f32 = 3.0;
/// Between two times that are written.
const TIME_WIDTH: f32 = 96.0;

/// From time to place and back.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    rect: Rect,
    from_ms: i64,
    until_ms: i64,
}

impl Axis {
    /// Of a place and the times at its ends.
    pub fn new(rect: Rect, from_ms: i64, until_ms: i64) -> Axis {
        Axis { rect, from_ms, until_ms: until_ms.max(from_ms + 1) }
    }

    /// Where a time is.
    pub fn x(&self, at_ms: i64) -> f32 {
        let part = (at_ms - self.from_ms) as f64 / (self.until_ms - self.from_ms) as f64;
        self.rect.left() + (part * f64::from(self.rect.width())) as f32
    }

    /// Which time is at a place.
    pub fn at_ms(&self, x: f32) -> i64 {
        let part = f64::from((x - self.rect.left()) / self.rect.width().max(1.0)).clamp(0.0, 1.0);
        self.from_ms + (part * (self.until_ms - self.from_ms) as f64) as i64
    }

    /// Where a while is, as far as it is drawn; empty where it is not.
    pub fn place(&self, from_ms: i64, until_ms: i64) -> Rect {
        let (left, right) = (self.x(from_ms), self.x(until_ms).max(self.x(from_ms) + BAND));
        Rect::from_x_y_ranges(left.max(self.rect.left())..=right.min(self.rect.right()), self.rect.y_range())
    }

    /// A click or a drag goes there; at the end, to now.
    pub fn interact(&self, ui: &Ui, scene: &Scene<'_>, rewind: &Rewind, response: Response, actions: &mut Vec<Action>) {
        let Some(pointer) = response.hover_pos().or(response.interact_pointer_pos()) else { return };
        let at_ms = self.at_ms(pointer.x);
        if response.clicked() || response.dragged() {
            let is_end =
                pointer.x >= self.rect.right() - NOW && rewind.span_ms().is_some_and(|span| span.1 <= self.until_ms);
            actions.push(Action::Time(if is_end && rewind.has_live() { Wish::Live } else { Wish::At(at_ms) }));
        }
        let words = told(rewind.lanes(), at_ms, self.slack_ms());
        let clock = format::clock_ms(at_ms, scene.options.utc_offset_minutes);
        let style = palette(ui);
        response.on_hover_ui_at_pointer(|ui| {
            text::label(ui, &clock, font::small(), style.text);
            for line in words {
                text::label(ui, &line, font::small(), style.muted);
            }
        });
    }

    /// What a few points are worth.
    fn slack_ms(&self) -> i64 {
        (f64::from(BAND * 2.0) * (self.until_ms - self.from_ms) as f64 / f64::from(self.rect.width().max(1.0))) as i64
    }
}

/// What was at a time, in a few lines.
fn told(lanes: &Lanes, at_ms: i64, slack_ms: i64) -> Vec<String> {
    let mut lines = Vec::new();
    for lane in &lanes.lanes {
        let is_then = |from_ms: i64, until_ms: Option<i64>| {
            from_ms - slack_ms <= at_ms && until_ms.is_none_or(|until_ms| at_ms <= until_ms + slack_ms)
        };
        let spans = lane.spans.iter().filter(|span| is_then(span.from_ms, span.until_ms)).map(|span| &span.words);
        let marks = lane.marks.iter().filter(|mark| (mark.0 - at_ms).abs() <= slack_ms).map(|mark| &mark.1);
        lines.extend(spans.chain(marks).take(3).map(|words| format!("{}: {words}", lane.name())));
    }
    lines.truncate(8);
    lines
}

/// How high they are together.
pub fn height(lanes: &Lanes) -> f32 {
    lanes.lanes.len().clamp(1, SEEN_MAX) as f32 * LANE + TIMES
}

/// Where the time runs.
pub fn track(place: Rect) -> Rect {
    place.with_min_x(place.left() + NAMES)
}

/// Paints them.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, rewind: &Rewind, place: Rect, axis: &Axis, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let lanes = rewind.lanes().clone();
    let track = track(place);
    let response = ui.interact(track, ui.scope_id().with("lanes"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, "What happened along the time"));
    let rows = place.with_max_y(place.bottom() - TIMES);
    let mut inner = ui.new_child(UiBuilder::new().max_rect(rows));
    ScrollArea::vertical().auto_shrink(false).show_rows(&mut inner, LANE, lanes.lanes.len(), |ui, range| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for lane in lanes.lanes.get(range).unwrap_or_default() {
            let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LANE), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, spoken(lane)));
            paint(ui, rect, lane, axis);
        }
    });
    if lanes.lanes.is_empty() {
        text::paint(ui.painter(), rows, Align2::LEFT_CENTER, "Nothing happened yet.", font::small(), style.faint);
    }
    times(ui, scene, place, axis);
    cursor(ui.painter(), style, axis, rewind, rows);
    axis.interact(ui, scene, rewind, response, actions);
    ui.advance_cursor_after_rect(place);
}

fn spoken(lane: &Lane) -> String {
    match lane.spans.back() {
        Some(span) if span.until_ms.is_none() => format!("{}: {}", lane.name(), span.words),
        _ => lane.name(),
    }
}

fn paint(ui: &Ui, rect: Rect, lane: &Lane, axis: &Axis) {
    let style = palette(ui);
    let names = rect.with_max_x(rect.left() + NAMES - space::S);
    text::paint(ui.painter(), names, Align2::LEFT_CENTER, &lane.name(), font::small(), style.muted);
    let track = Rect::from_x_y_ranges(axis.rect.x_range(), rect.y_range()).shrink2(vec2(0.0, 2.0));
    let painter = ui.painter().with_clip_rect(track.intersect(ui.clip_rect()));
    painter.rect_filled(track, CornerRadius::same(radius::XS), style.input);
    for span in &lane.spans {
        let place = axis.place(span.from_ms, span.until_ms.unwrap_or(axis.until_ms));
        if !place.is_positive() {
            continue;
        }
        let band = Rect::from_x_y_ranges(place.x_range(), track.y_range());
        let fill = ink(style, span.severity);
        painter.rect_filled(band, CornerRadius::same(radius::XS), fill.gamma_multiply(0.4));
        painter.rect_filled(band.with_max_x(band.left() + BAND), 0.0, fill);
        let words = band.shrink2(vec2(space::XS, 0.0));
        if words.width() > 3.0 * space::XL {
            text::paint(&painter, words, Align2::LEFT_CENTER, &span.words, font::tiny(), style.text);
        }
    }
    for (at_ms, _) in &lane.marks {
        let x = axis.x(*at_ms);
        painter
            .line_segment([pos2(x, track.top()), pos2(x, track.bottom())], Stroke::new(1.5 * size::LINE, style.accent));
    }
}

/// Times under the lanes.
fn times(ui: &Ui, scene: &Scene<'_>, place: Rect, axis: &Axis) {
    let style = palette(ui);
    let count = (axis.rect.width() / TIME_WIDTH).floor().max(1.0) as i64;
    let row = Rect::from_x_y_ranges(axis.rect.x_range(), place.bottom() - TIMES..=place.bottom());
    for index in 0..=count {
        let at_ms = axis.from_ms + (axis.until_ms - axis.from_ms) * index / count;
        let x = axis.x(at_ms);
        let (align, anchor) = match index {
            0 => (Align2::LEFT_CENTER, Rect::from_x_y_ranges(x..=x + TIME_WIDTH, row.y_range())),
            _ if index == count => (Align2::RIGHT_CENTER, Rect::from_x_y_ranges(x - TIME_WIDTH..=x, row.y_range())),
            _ => (
                Align2::CENTER_CENTER,
                Rect::from_x_y_ranges(x - TIME_WIDTH / 2.0..=x + TIME_WIDTH / 2.0, row.y_range()),
            ),
        };
        let words = format::clock(at_ms, scene.options.utc_offset_minutes);
        text::paint(ui.painter(), anchor, align, &words, font::tiny(), style.faint);
    }
}
