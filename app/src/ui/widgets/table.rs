//! A table of any number of rows: only what is visible is laid out, columns sort by a click, arrow keys move, Enter opens.
//!
//! A row is one widget whose accessible name is all of its cells, so that screen readers read a line and tests can press it.

use egui::{Align2, Key, Painter, Pos2, Rect, Role, ScrollArea, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::icon::{self, Icon};
use super::matrix::{self, Cell};
use super::pill::{Mood, Pill};
use super::sparkline;
use super::text;
use crate::ui::tokens::{Palette, font, palette, radius, size, space};

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its header.
    pub name: &'static str,
    /// What the header means, on hover; empty for what speaks for itself.
    pub help: &'static str,
    /// At least this wide.
    pub min_width: f32,
    /// Its share of what is left over.
    pub weight: f32,
    /// Whether numbers stand in it.
    pub right: bool,
    /// Whether a click sorts by it.
    pub sortable: bool,
}

impl Column {
    /// Words, flush left.
    pub const fn text(name: &'static str, min_width: f32, weight: f32) -> Column {
        Column { name, help: "", min_width, weight, right: false, sortable: true }
    }

    /// Numbers, flush right.
    pub const fn number(name: &'static str, min_width: f32, weight: f32) -> Column {
        Column { name, help: "", min_width, weight, right: true, sortable: true }
    }

    /// Cannot be sorted by.
    pub const fn unsorted(mut self) -> Column {
        self.sortable = false;
        self
    }

    /// With an explanation.
    pub const fn help(mut self, help: &'static str) -> Column {
        self.help = help;
        self
    }
}

/// By which column, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    /// Index of the column.
    pub column: usize,
    /// Largest first.
    pub descending: bool,
}

/// What a table remembers between frames.
#[derive(Clone, Debug, Default)]
pub struct TableState {
    /// Chosen order; `None`: the screen's own (trouble first).
    pub sort: Option<Sort>,
    /// The row that the keyboard is on.
    pub cursor: Option<usize>,
    /// Of a table whose rows come in at the end: whether its end stays in sight. It does not once somebody scrolls up, and does again once
    /// somebody scrolls down to it. `None`: another kind of table.
    pub follow: Option<bool>,
    offset: f32,
    cursor_moved: bool,
    height: f32,
}

impl TableState {
    /// Of a table whose rows come in at the end.
    pub fn tail(follows: bool) -> TableState {
        TableState { follow: Some(follows), ..TableState::default() }
    }

    /// Scrolling is done when the area has been shown: its offset tells what somebody wants of the next frame.
    fn settle(&mut self, before: f32, end: f32) {
        let offset = self.offset;
        self.follow = self.follow.map(|follows| match offset - before.min(end) {
            up if up < -1.0 => false,
            down if down > 0.5 && offset >= end - 0.5 => true,
            _ => follows,
        });
    }

    /// So many rows came in before the first (fewer than none: went away there); what is in sight stays there.
    pub fn shift(&mut self, rows: isize, row_height: f32) {
        self.offset = (self.offset + rows as f32 * row_height).max(0.0);
        self.cursor = self.cursor.and_then(|cursor| cursor.checked_add_signed(rows));
        self.cursor_moved = true;
    }

    /// Brings a row to the top third of what is in sight, and puts the cursor on it.
    pub fn go_to(&mut self, row: usize, row_height: f32) {
        self.offset = (row as f32 * row_height - self.height / 3.0).max(0.0);
        self.cursor = Some(row);
        self.cursor_moved = true;
        self.follow = self.follow.map(|_| false);
    }
}

/// How a table stands in its place.
pub struct Table<'a> {
    /// Tells it from other tables.
    pub id: &'static str,
    /// Its columns.
    pub columns: &'a [Column],
    /// How many rows there are.
    pub rows: usize,
    /// How high each is.
    pub row_height: f32,
    /// How high the table may grow; `None`: all that is left.
    pub max_height: Option<f32>,
    /// Whether rows can be pressed, and arrow keys are for this table.
    pub active: bool,
    /// The row that is shown as chosen.
    pub selected: Option<usize>,
}

impl Table<'_> {
    /// Shows it; `paint` fills one row, cell by cell. Returns the row that was pressed.
    pub fn show(
        self,
        ui: &mut Ui,
        state: &mut TableState,
        mut paint: impl FnMut(usize, &mut Row<'_>),
    ) -> Option<usize> {
        let style = palette(ui);
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        let width = ui.available_width();
        let spans = spans(self.columns, width);
        self.header(ui, state, style, &spans, width);
        let mut pressed = if self.active { self.keys(ui, state) } else { None };
        let body_height = self.rows as f32 * self.row_height;
        let room = self.max_height.map_or(ui.available_height(), |height| height - size::HEADER).max(self.row_height);
        let mut area =
            ScrollArea::vertical().id_salt(self.id).auto_shrink([false, true]).max_height(room).content_margin(0);
        let end = (body_height - room.min(ui.available_height())).max(0.0);
        if state.follow == Some(true) {
            state.offset = end;
            state.cursor_moved = true;
        }
        if pressed.is_none() && state.cursor_moved {
            area = area.vertical_scroll_offset(state.offset);
            state.cursor_moved = false;
        }
        if state.follow.is_some() {
            // A place that is beyond the end that was known before the newest rows came must not swing back.
            ui.spacing_mut().scroll.kinetic.rubber_band = false;
        }
        let before = state.offset;
        let output = area.show_viewport(ui, |ui, viewport| {
            ui.set_height(body_height);
            ui.set_width(width);
            let origin = ui.max_rect().left_top();
            let first = (viewport.top() / self.row_height).floor().max(0.0) as usize;
            let last = ((viewport.bottom() / self.row_height).ceil() as usize).min(self.rows);
            for index in first..last {
                let top = origin + vec2(0.0, index as f32 * self.row_height);
                let rect = Rect::from_min_size(top, vec2(width, self.row_height));
                if self.row(ui, state, style, rect, &spans, index, &mut paint) {
                    pressed = Some(index);
                    state.cursor = Some(index);
                }
            }
        });
        state.offset = output.state.clamped_offset().y;
        state.settle(before, end);
        state.height = output.inner_rect.height();
        pressed
    }

    fn header(&self, ui: &mut Ui, state: &mut TableState, style: &Palette, spans: &[(f32, f32)], width: f32) {
        let (rect, _) = ui.allocate_exact_size(vec2(width, size::HEADER), Sense::hover());
        let edge = Stroke::new(size::LINE, style.outline);
        ui.painter().hline(rect.x_range(), rect.bottom(), edge);
        for (index, (column, &(left, right))) in self.columns.iter().zip(spans).enumerate() {
            let cell = Rect::from_x_y_ranges(rect.left() + left..=rect.left() + right, rect.y_range());
            let sorted = state.sort.filter(|sort| sort.column == index);
            let mut ink = if sorted.is_some() { style.text } else { style.faint };
            if column.sortable {
                let response = ui.interact(cell, ui.scope_id().with((self.id, "header", index)), Sense::click());
                let name = format!("Sort by {}", column.name);
                response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                if response.hovered() || response.has_focus() {
                    ink = style.text;
                }
                if response.clicked() {
                    state.sort = next_sort(state.sort, index, column.right);
                }
                let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
                if !column.help.is_empty() {
                    response.on_hover_text(column.help);
                }
            } else if !column.help.is_empty() {
                ui.interact(cell, ui.scope_id().with((self.id, "header", index)), Sense::hover())
                    .on_hover_text(column.help);
            }
            let align = if column.right { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
            let mut words = cell;
            if sorted.is_some() && column.right {
                words.max.x -= space::M;
            }
            let painter = ui.painter().with_clip_rect(cell.expand2(vec2(space::S, 0.0)).intersect(ui.clip_rect()));
            let place = text::paint(&painter, words, align, column.name, font::tiny(), ink);
            if let Some(sort) = sorted {
                let symbol = if sort.descending { Icon::Down } else { Icon::Up };
                let left = if column.right { cell.right() - space::M + 2.0 } else { place.right() + 2.0 };
                let side = Vec2::splat(space::M - 2.0);
                let mark = Rect::from_center_size(pos2(left + side.x / 2.0, cell.center().y), side);
                icon::paint(&painter, mark, symbol, style.accent);
            }
        }
    }

    /// Arrow keys, unless some other widget has the focus.
    fn keys(&self, ui: &Ui, state: &mut TableState) -> Option<usize> {
        if self.rows == 0 || ui.memory(|memory| memory.focused().is_some()) {
            return None;
        }
        let page = ((state.height / self.row_height) as usize).max(1);
        let last = self.rows - 1;
        let cursor = state.cursor.map(|cursor| cursor.min(last));
        let pressed = |key| ui.input(|input| input.key_pressed(key));
        let moved = if pressed(Key::ArrowDown) {
            Some(cursor.map_or(0, |cursor| (cursor + 1).min(last)))
        } else if pressed(Key::ArrowUp) {
            Some(cursor.map_or(last, |cursor| cursor.saturating_sub(1)))
        } else if pressed(Key::PageDown) {
            Some(cursor.map_or(0, |cursor| (cursor + page).min(last)))
        } else if pressed(Key::PageUp) {
            Some(cursor.map_or(0, |cursor| cursor.saturating_sub(page)))
        } else if pressed(Key::Home) {
            Some(0)
        } else if pressed(Key::End) {
            Some(last)
        } else {
            None
        };
        if let Some(row) = moved {
            state.cursor = Some(row);
            state.follow = state.follow.map(|follows| follows && row == last);
            let (top, bottom) = (row as f32 * self.row_height, (row + 1) as f32 * self.row_height);
            state.offset =
                state.offset.clamp((bottom - state.height).max(0.0), top.max((bottom - state.height).max(0.0)));
            state.cursor_moved = true;
        }
        if pressed(Key::Enter) { cursor } else { None }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename them")]
    fn row(
        &self,
        ui: &Ui,
        state: &TableState,
        style: &'static Palette,
        rect: Rect,
        spans: &[(f32, f32)],
        index: usize,
        paint: &mut impl FnMut(usize, &mut Row<'_>),
    ) -> bool {
        let sense = if self.active { Sense::CLICK } else { Sense::hover() };
        let response = ui.interact(rect, ui.scope_id().with((self.id, index)), sense);
        let selected = self.selected == Some(index);
        if selected {
            ui.painter().rect_filled(rect, 0.0, style.accent_soft);
            let bar = Rect::from_min_size(rect.min, vec2(3.0 * size::LINE, rect.height()));
            ui.painter().rect_filled(bar, 0.0, style.accent);
        } else if response.hovered() || (self.active && state.cursor == Some(index)) {
            ui.painter().rect_filled(rect, 0.0, style.hover);
        }
        if self.active && state.cursor == Some(index) && !response.hovered() {
            let ring = Stroke::new(size::LINE, style.accent.gamma_multiply(0.7));
            ui.painter().rect_stroke(rect.shrink(1.0), f32::from(radius::S), ring, egui::StrokeKind::Inside);
        }
        ui.painter().hline(
            rect.x_range(),
            rect.bottom() - 0.5,
            Stroke::new(size::LINE, style.outline.gamma_multiply(0.6)),
        );
        let mut row = Row {
            painter: ui.painter(),
            style,
            rect,
            columns: self.columns,
            spans,
            next: 0,
            name: String::new(),
            pointer: response.hover_pos(),
            last: Rect::NOTHING,
            hint: None,
        };
        paint(index, &mut row);
        let (name, hint) = (row.name, row.hint);
        let role = if self.active { Role::Button } else { Role::Label };
        response.widget_info(|| WidgetInfo::selected(role, true, selected, &name));
        if self.active {
            response.clone().on_hover_cursor(egui::CursorIcon::PointingHand);
        }
        let clicked = response.clicked();
        if let Some(hint) = hint {
            response.on_hover_text_at_pointer(hint);
        }
        clicked
    }
}

/// What the number beside a bar takes.
const BAR_NUMBER: f32 = 72.0;

/// Past so many columns they stand closer.
const MANY_COLUMNS: usize = 9;

/// Left and right edge of each column within `width`.
fn spans(columns: &[Column], width: f32) -> Vec<(f32, f32)> {
    let gap = if columns.len() > MANY_COLUMNS { space::S } else { space::M };
    let gaps = gap * (columns.len().saturating_sub(1)) as f32 + 2.0 * space::M;
    let least: f32 = columns.iter().map(|column| column.min_width).sum();
    let weights: f32 = columns.iter().map(|column| column.weight).sum();
    let spare = (width - gaps - least).max(0.0);
    // Too narrow: every column gives way in proportion.
    let squeeze = ((width - gaps) / least).clamp(0.1, 1.0);
    let mut left = space::M;
    columns
        .iter()
        .map(|column| {
            let share = if weights > 0.0 { spare * column.weight / weights } else { 0.0 };
            let right = left + column.min_width * squeeze + share;
            let span = (left, right);
            left = right + gap;
            span
        })
        .collect()
}

/// A click sorts (numbers: largest first), a second turns it round, a third gives the screen's own order back.
fn next_sort(now: Option<Sort>, column: usize, descending_first: bool) -> Option<Sort> {
    match now {
        Some(sort) if sort.column == column && sort.descending == descending_first => {
            Some(Sort { column, descending: !descending_first })
        }
        Some(sort) if sort.column == column => None,
        _ => Some(Sort { column, descending: descending_first }),
    }
}

/// A row being filled, cell by cell, from the left.
pub struct Row<'a> {
    painter: &'a Painter,
    style: &'static Palette,
    rect: Rect,
    columns: &'a [Column],
    spans: &'a [(f32, f32)],
    next: usize,
    name: String,
    pointer: Option<Pos2>,
    last: Rect,
    hint: Option<String>,
}

impl Row<'_> {
    fn cell(&mut self, spoken: &str) -> (Rect, Align2) {
        let index = self.next.min(self.spans.len().saturating_sub(1));
        self.next += 1;
        if !spoken.is_empty() {
            if !self.name.is_empty() {
                self.name.push_str(", ");
            }
            self.name.push_str(spoken);
        }
        let (left, right) = self.spans[index];
        let rect = Rect::from_x_y_ranges(self.rect.left() + left..=self.rect.left() + right, self.rect.y_range());
        self.last = rect;
        (rect, if self.columns[index].right { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER })
    }

    /// The text that the row is known by.
    pub fn strong(&mut self, words: &str) {
        let (rect, align) = self.cell(words);
        text::paint(self.painter, rect, align, words, font::body(), self.style.text);
    }

    /// Text or a number, quieter.
    pub fn text(&mut self, words: &str) {
        let (rect, align) = self.cell(words);
        text::paint(self.painter, rect, align, words, font::body(), self.style.muted);
    }

    /// An address or an id.
    pub fn mono(&mut self, words: &str) {
        let (rect, align) = self.cell(words);
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
        let (mut rect, align) = self.cell(spoken);
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
        let spoken = if value == 0 { String::new() } else { format!("{} {words}", self.columns[self.next].name) };
        let (rect, align) = self.cell(&spoken);
        if value != 0 {
            text::paint(self.painter, rect, align, &words, font::body(), mood.colors(self.style).0);
        }
    }

    /// Text in the colour of `mood`.
    pub fn toned(&mut self, words: &str, mood: Mood) {
        let (rect, align) = self.cell(words);
        let ink = if mood == Mood::Quiet { self.style.muted } else { mood.colors(self.style).0 };
        text::paint(self.painter, rect, align, words, font::body(), ink);
    }

    /// A pill; `None` leaves the cell blank.
    pub fn pill(&mut self, pill: Option<&Pill>) {
        let (rect, _) = self.cell(pill.map_or("", |pill| pill.text));
        if let Some(pill) = pill {
            pill.paint(self.painter, self.style, rect.left_center());
        }
    }

    /// Small cells side by side, each with a word in it.
    pub fn chips(&mut self, chips: &[(Cell, String)], spoken: &str) {
        let (rect, _) = self.cell(spoken);
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
        let (rect, _) = self.cell(spoken);
        let place: Pos2 = pos2(rect.left() + size::ICON / 2.0, rect.center().y);
        let ink = mood.colors(self.style).0;
        icon::paint(self.painter, Rect::from_center_size(place, Vec2::splat(size::ICON)), symbol, ink);
    }

    /// Two lines: what, and under it why.
    pub fn two_lines(&mut self, first: &str, second: &str) {
        let (rect, align) = self.cell(first);
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
        let (rect, _) = self.cell("");
        let ink = if matches!(mood, Mood::Quiet | Mood::Good) { self.style.leader } else { mood.colors(self.style).0 };
        let place = rect.shrink2(vec2(0.0, space::S + space::XS));
        sparkline::paint(self.painter, place, points.iter().copied(), ink);
    }

    /// A bar of `share` (0 to 1) with its number at the right.
    pub fn bar(&mut self, share: f32, words: &str, mood: Mood) {
        let (rect, _) = self.cell(words);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_click_gives_the_own_order_back() {
        let first = next_sort(None, 2, true);
        assert_eq!(first, Some(Sort { column: 2, descending: true }));
        let second = next_sort(first, 2, true);
        assert_eq!(second, Some(Sort { column: 2, descending: false }));
        assert_eq!(next_sort(second, 2, true), None);
        assert_eq!(next_sort(second, 1, false), Some(Sort { column: 1, descending: false }));
    }

    #[test]
    fn what_is_in_sight_stays_there_when_rows_come_in_before_it() {
        let mut state = TableState { cursor: Some(3), offset: 100.0, height: 90.0, ..TableState::default() };
        state.shift(2, 20.0);
        assert_eq!((state.cursor, state.offset), (Some(5), 140.0));
        state.shift(-6, 20.0);
        assert_eq!((state.cursor, state.offset), (None, 20.0));
        state.follow = Some(true);
        state.go_to(10, 20.0);
        assert_eq!((state.cursor, state.offset, state.follow), (Some(10), 170.0, Some(false)));
    }

    #[test]
    fn columns_share_the_width() {
        let columns = [Column::text("a", 100.0, 1.0), Column::number("b", 50.0, 0.0)];
        let wide = spans(&columns, 400.0);
        assert_eq!(wide[0].0, space::M);
        assert!((wide[1].1 - (400.0 - space::M)).abs() < 0.01);
        let narrow = spans(&columns, 100.0);
        assert!(narrow[1].1 <= 100.0 + space::M);
    }
}
