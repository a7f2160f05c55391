//! A table's row while a screen fills it, cell by cell. Cells of columns that are hidden are neither painted nor spoken.

use egui::{Align2, Painter, Pos2, Rect, Shape, Stroke, Vec2, pos2, vec2};

use super::icon::{self, Icon};
use super::matrix::{self, Cell};
use super::pill::{Mood, Pill};
use super::sparkline;
use super::table::{Column, Span};
use super::text;
use crate::ui::tokens::{Palette, font, radius, size, space};

/// What the number beside a bar takes.
const BAR_NUMBER: f32 = 72.0;

/// A row being filled, cell by cell, from the left.
pub struct Row<'a> {
    painter: &'a Painter,
    style: &'static Palette,
    rect: Rect,
    columns: &'a [Column],
    spans: &'a [Span],
    next: usize,
    name: String,
    pointer: Option<Pos2>,
    last: Rect,
    hint: Option<String>,
    /// Cells as text, of a row that is written to a file and not painted.
    taken: Option<Vec<String>>,
}

impl<'a> Row<'a> {
    /// A node of a tree, so deep below its root: a folder that is open or closed, or (`None`) a leaf.
    pub fn branch(&mut self, depth: usize, folder: Option<bool>, words: &str) {
        let spoken = match folder {
            Some(true) => format!("{words}, open"),
            Some(false) => format!("{words}, closed"),
            None => words.to_owned(),
        };
        let Some((mut rect, align)) = self.cell(&spoken) else { return };
        rect.min.x = (rect.left() + depth as f32 * size::ICON).min(rect.right());
        if let Some(is_open) = folder {
            let center = pos2(rect.left() + size::ICON / 2.0 - space::XS, rect.center().y);
            let (long, short) = (space::XS, space::XS * 0.6);
            let corners = if is_open {
                [vec2(-long, -short), vec2(long, -short), vec2(0.0, long * 0.9)]
            } else {
                [vec2(-short, -long), vec2(long * 0.9, 0.0), vec2(-short, long)]
            };
            let corners = corners.map(|corner| center + corner).to_vec();
            self.painter.add(Shape::convex_polygon(corners, self.style.muted, Stroke::NONE));
        }
        rect.min.x = (rect.left() + size::ICON).min(rect.right());
        let ink = if folder.is_some() { self.style.text } else { self.style.muted };
        text::paint(self.painter, rect, align, words, font::body(), ink);
    }

    /// An empty one.
    pub(super) fn new(
        painter: &'a Painter,
        style: &'static Palette,
        rect: Rect,
        (columns, spans): (&'a [Column], &'a [Span]),
        pointer: Option<Pos2>,
    ) -> Row<'a> {
        let (name, last, hint) = (String::new(), Rect::NOTHING, None);
        Row { painter, style, rect, columns, spans, next: 0, name, pointer, last, hint, taken: None }
    }

    /// Not to be painted: its cells are taken as text.
    pub(super) fn taking(self) -> Row<'a> {
        Row { taken: Some(Vec::new()), ..self }
    }

    /// What was taken.
    pub(super) fn into_cells(self) -> Vec<String> {
        self.taken.unwrap_or_default()
    }

    /// What was said of it, and what is told under the pointer.
    pub(super) fn into_words(self) -> (String, Option<String>) {
        (self.name, self.hint)
    }
}

impl Row<'_> {
    /// The next cell's place; `None`: its column is hidden.
    fn cell(&mut self, spoken: &str) -> Option<(Rect, Align2)> {
        let index = self.next.min(self.spans.len().saturating_sub(1));
        self.next += 1;
        self.last = Rect::NOTHING;
        let (left, right) = (*self.spans.get(index)?)?;
        if let Some(taken) = &mut self.taken {
            taken.push(spoken.to_owned());
            return None;
        }
        if !spoken.is_empty() {
            if !self.name.is_empty() {
                self.name.push_str(", ");
            }
            self.name.push_str(spoken);
        }
        let rect = Rect::from_x_y_ranges(self.rect.left() + left..=self.rect.left() + right, self.rect.y_range());
        self.last = rect;
        Some((rect, if self.columns[index].right { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER }))
    }

    /// The text that the row is known by.
    pub fn strong(&mut self, words: &str) {
        let Some((rect, align)) = self.cell(words) else { return };
        text::paint(self.painter, rect, align, words, font::body(), self.style.text);
    }

    /// Text or a number, quieter.
    pub fn text(&mut self, words: &str) {
        let Some((rect, align)) = self.cell(words) else { return };
        text::paint(self.painter, rect, align, words, font::body(), self.style.muted);
    }

    /// An address or an id.
    pub fn mono(&mut self, words: &str) {
        let Some((rect, align)) = self.cell(words) else { return };
        text::paint(self.painter, rect, align, words, font::mono(), self.style.muted);
    }

    /// What is told of the last cell while the pointer is on it.
    pub fn hint(&mut self, words: impl FnOnce() -> String) {
        if self.pointer.is_some_and(|pointer| self.last.contains(pointer)) {
            self.hint = Some(words());
        }
    }

    /// Something that is read as it stands, after a quieter word of what it is about; `spoken` is what screen readers get.
    pub fn led_mono(&mut self, about: &str, words: &str, spoken: &str, is_strong: bool) {
        let Some((mut rect, align)) = self.cell(spoken) else { return };
        if !about.is_empty() {
            let end = text::paint(self.painter, rect, align, about, font::mono(), self.style.faint).right();
            rect.min.x = (end + space::S).min(rect.right());
        }
        let ink = if is_strong { self.style.text } else { self.style.muted };
        text::paint(self.painter, rect, align, words, font::mono(), ink);
    }

    /// A number that is blank while it is zero, and has colour when it is not.
    pub fn trouble(&mut self, value: i64, mood: Mood) {
        let words = crate::ui::format::count(value);
        if self.taken.is_some() {
            self.cell(&words);
            return;
        }
        let spoken = if value == 0 { String::new() } else { format!("{} {words}", self.columns[self.next].name) };
        let Some((rect, align)) = self.cell(&spoken) else { return };
        if value != 0 {
            text::paint(self.painter, rect, align, &words, font::body(), mood.colors(self.style).0);
        }
    }

    /// Text in the colour of `mood`.
    pub fn toned(&mut self, words: &str, mood: Mood) {
        let Some((rect, align)) = self.cell(words) else { return };
        let ink = if mood == Mood::Quiet { self.style.muted } else { mood.colors(self.style).0 };
        text::paint(self.painter, rect, align, words, font::body(), ink);
    }

    /// A pill; `None` leaves the cell blank.
    pub fn pill(&mut self, pill: Option<&Pill>) {
        let Some((rect, _)) = self.cell(pill.map_or("", |pill| pill.text)) else { return };
        if let Some(pill) = pill {
            pill.paint(self.painter, self.style, rect.left_center());
        }
    }

    /// Small cells side by side, each with a word in it.
    pub fn chips(&mut self, chips: &[(Cell, String)], spoken: &str) {
        let Some((rect, _)) = self.cell(spoken) else { return };
        let side = vec2(size::CONTROL_SMALL, size::PILL - 2.0);
        let mut left = rect.left();
        for (cell, word) in chips {
            let place = Rect::from_min_size(pos2(left, rect.center().y - side.y / 2.0), side);
            if place.right() > rect.right() + space::M {
                text::paint(self.painter, place, Align2::LEFT_CENTER, "…", font::body(), self.style.muted);
                break;
            }
            matrix::chip(self.painter, self.style, place, *cell, word);
            left = place.right() + space::XS;
        }
    }

    /// An icon in the colour of `mood`.
    pub fn icon(&mut self, symbol: Icon, mood: Mood, spoken: &str) {
        let Some((rect, _)) = self.cell(spoken) else { return };
        let place: Pos2 = pos2(rect.left() + size::ICON / 2.0, rect.center().y);
        let ink = mood.colors(self.style).0;
        icon::paint(self.painter, Rect::from_center_size(place, Vec2::splat(size::ICON)), symbol, ink);
    }

    /// Two lines: what, and under it why.
    pub fn two_lines(&mut self, first: &str, second: &str) {
        if self.taken.is_some() && !second.is_empty() {
            self.cell(&format!("{first}. {second}"));
            return;
        }
        let Some((rect, align)) = self.cell(first) else { return };
        if second.is_empty() {
            text::paint(self.painter, rect, align, first, font::body(), self.style.text);
            return;
        }
        self.name.push_str(". ");
        self.name.push_str(second);
        let (top, bottom) = rect.split_top_bottom_at_fraction(0.5);
        let (above, below) = if align.x() == egui::Align::Max {
            (Align2::RIGHT_BOTTOM, Align2::RIGHT_TOP)
        } else {
            (Align2::LEFT_BOTTOM, Align2::LEFT_TOP)
        };
        text::paint(self.painter, top, above, first, font::body(), self.style.text);
        let bottom = bottom.translate(vec2(0.0, size::LINE));
        text::paint(self.painter, bottom, below, second, font::small(), self.style.faint);
    }

    /// A tiny chart, in the colour of `mood`; what it shows is told elsewhere.
    pub fn spark(&mut self, points: &[f64], mood: Mood) {
        let Some((rect, _)) = self.cell("") else { return };
        let ink = if matches!(mood, Mood::Quiet | Mood::Good) { self.style.leader } else { mood.colors(self.style).0 };
        let place = rect.shrink2(vec2(0.0, space::S + space::XS));
        sparkline::paint(self.painter, place, points.iter().copied(), ink);
    }

    /// A bar of several parts beside each other in the colours of series, each with its share (0 to 1).
    pub fn shares(&mut self, shares: &[f32], spoken: &str) {
        let Some((rect, _)) = self.cell(spoken) else { return };
        let track = Rect::from_center_size(rect.center(), vec2(rect.width(), space::S + 2.0));
        self.painter.rect_filled(track, f32::from(radius::XS), self.style.raised);
        let mut left = track.left();
        for (share, color) in shares.iter().zip(self.style.series) {
            let width = track.width() * share.clamp(0.0, 1.0);
            let part = Rect::from_min_size(pos2(left, track.top()), vec2(width, track.height()));
            self.painter.rect_filled(part.intersect(track), 0.0, color);
            left += width;
        }
    }

    /// A span of a time axis: from one place to another (0 to 1), with a mark where it ends.
    pub fn span(&mut self, from: f32, to: f32, mood: Mood, spoken: &str) {
        let Some((rect, _)) = self.cell(spoken) else { return };
        let at = |share: f32| rect.left() + space::XS + (rect.width() - space::S) * share.clamp(0.0, 1.0);
        let ink = if matches!(mood, Mood::Quiet | Mood::Good) { self.style.leader } else { mood.colors(self.style).0 };
        let (left, right) = (at(from), at(to));
        let bar = Rect::from_x_y_ranges(left..=right, rect.center().y - 2.0..=rect.center().y + 2.0);
        self.painter.rect_filled(bar, f32::from(radius::XS), ink.gamma_multiply(0.5));
        self.painter.circle_filled(pos2(right, rect.center().y), space::XS, ink);
    }

    /// A bar of `share` (0 to 1) with its number at the right.
    pub fn bar(&mut self, share: f32, words: &str, mood: Mood) {
        let Some((rect, _)) = self.cell(words) else { return };
        let number = BAR_NUMBER.min(rect.width());
        let track = Rect::from_min_max(rect.min, pos2(rect.right() - number - space::S, rect.bottom()));
        if track.width() > 0.0 {
            let track = Rect::from_center_size(track.center(), vec2(track.width(), space::S - 2.0));
            self.painter.rect_filled(track, f32::from(radius::XS), self.style.raised);
            let fill = match mood {
                Mood::Warning => self.style.warning_fill,
                Mood::Critical => self.style.critical_fill,
                _ => self.style.leader,
            };
            if share > 0.0 {
                let width = (track.width() * share.clamp(0.0, 1.0)).max(2.0);
                let bar = Rect::from_min_size(track.min, vec2(width, track.height()));
                self.painter.rect_filled(bar, f32::from(radius::XS), fill);
            }
        }
        let place = Rect::from_min_max(pos2(rect.right() - number, rect.top()), rect.max);
        let ink = if matches!(mood, Mood::Quiet | Mood::Good) { self.style.muted } else { mood.colors(self.style).0 };
        text::paint(self.painter, place, Align2::RIGHT_CENTER, words, font::body(), ink);
    }
}
