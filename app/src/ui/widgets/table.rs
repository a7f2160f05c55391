//! A table of any number of rows: only what is visible is laid out, columns sort by a click, arrow keys move, Enter opens.
//!
//! A row is one widget whose accessible name is all of its cells, so that screen readers read a line and tests can press it.

use egui::{Align2, Key, Rect, Role, ScrollArea, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::icon::{self, Icon};
pub use super::menu::Item;
use super::menu::{self, Open, show as show_menu};
use super::table_export;
use super::table_menu;
pub use super::table_row::Row;
use super::text;
use crate::ui::tokens::{Palette, font, palette, radius, size, space};

/// Left and right edge of a column, from the table's left edge; `None`: it is hidden.
pub type Span = Option<(f32, f32)>;

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
    /// Columns that are not shown, by name; the first is always shown.
    pub hidden: Vec<String>,
    /// Somebody wants all rows as a file.
    is_export_wanted: bool,
    offset: f32,
    cursor_moved: bool,
    height: f32,
}

impl TableState {
    /// Of a table whose rows come in at the end.
    pub fn tail(follows: bool) -> TableState {
        TableState { follow: Some(follows), ..TableState::default() }
    }

    /// Without a column, until somebody chooses it.
    pub fn hiding(column: &str) -> TableState {
        TableState { hidden: vec![column.to_owned()], ..TableState::default() }
    }

    /// With the keyboard's cursor on a row.
    pub fn at(row: usize) -> TableState {
        TableState { cursor: Some(row), ..TableState::default() }
    }

    /// As it was before anybody scrolled, with the same columns.
    pub fn begin_anew(&mut self) {
        let hidden = std::mem::take(&mut self.hidden);
        *self = TableState { hidden, follow: self.follow, ..TableState::default() };
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
    pub fn show(self, ui: &mut Ui, state: &mut TableState, paint: impl FnMut(usize, &mut Row<'_>)) -> Option<usize> {
        self.show_with(ui, state, None::<&fn(usize) -> Vec<Item<()>>>, paint).0
    }

    /// The same with a menu for each row, by the other mouse button, by the dots in the row under the pointer, and by the keyboard's menu key or
    /// Shift-F10 for the row of the cursor. Returns the row that was pressed, and what was chosen of a menu.
    pub fn show_with<A: Clone + Send + Sync + 'static, M: Fn(usize) -> Vec<Item<A>>>(
        self,
        ui: &mut Ui,
        state: &mut TableState,
        menu: Option<&M>,
        mut paint: impl FnMut(usize, &mut Row<'_>),
    ) -> (Option<usize>, Option<A>) {
        let style = palette(ui);
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        let width = ui.available_width();
        let spans = spans(self.columns, &state.hidden, width);
        self.header(ui, state, style, &spans, width);
        let has_keys = ui.memory(|memory| memory.focused().is_none());
        let mut pressed = if self.active && has_keys { self.keys(ui, state) } else { None };
        let mut asked = if has_keys && menu.is_some() { self.menu_key(ui, state) } else { None };
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
        if state.is_export_wanted {
            state.is_export_wanted = false;
            let nowhere = Rect::NOTHING;
            let take = |index: usize| {
                let mut row = Row::new(ui.painter(), style, nowhere, (self.columns, &spans), None).taking();
                paint(index, &mut row);
                row.into_cells()
            };
            let rows = (0..self.rows).map(take).collect();
            table_export::put(ui.ctx(), self.id, self.columns, &spans, rows);
        }
        let before = state.offset;
        let mut opened = None;
        let output = area.show_viewport(ui, |ui, viewport| {
            ui.set_height(body_height);
            ui.set_width(width);
            let origin = ui.max_rect().left_top();
            let first = (viewport.top() / self.row_height).floor().max(0.0) as usize;
            let last = ((viewport.bottom() / self.row_height).ceil() as usize).min(self.rows);
            for index in first..last {
                let top = origin + vec2(0.0, index as f32 * self.row_height);
                let rect = Rect::from_min_size(top, vec2(width, self.row_height));
                let (is_pressed, at) = self.row(ui, state, (style, menu.is_some()), (rect, &spans), index, &mut paint);
                if is_pressed {
                    pressed = Some(index);
                    state.cursor = Some(index);
                }
                let by_key = asked.take_if(|asked| *asked == index).map(|_| rect.left_bottom() + vec2(space::L, 0.0));
                opened = at.or(by_key).map(|at| (index, at)).or(opened);
            }
        });
        state.offset = output.state.clamped_offset().y;
        state.settle(before, end);
        state.height = output.inner_rect.height();
        let chosen = menu.and_then(|menu| {
            let open = opened.map(|(row, at)| Open { at, items: menu(row) });
            show_menu(ui, self.id, open)
        });
        (pressed, chosen)
    }

    /// The row whose menu the keyboard asks for.
    fn menu_key(&self, ui: &Ui, state: &TableState) -> Option<usize> {
        let asked = menu::by_key(ui);
        state.cursor.or(self.selected).filter(|cursor| asked && *cursor < self.rows)
    }

    fn header(&self, ui: &mut Ui, state: &mut TableState, style: &Palette, spans: &[Span], width: f32) {
        let (rect, _) = ui.allocate_exact_size(vec2(width, size::HEADER), Sense::hover());
        let edge = Stroke::new(size::LINE, style.outline);
        ui.painter().hline(rect.x_range(), rect.bottom(), edge);
        let whole = ui.interact(rect, ui.scope_id().with((self.id, "head")), Sense::click());
        for (index, (column, span)) in self.columns.iter().zip(spans).enumerate() {
            let Some((left, right)) = *span else { continue };
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
        if self.has_chooser() {
            let place = Rect::from_center_size(
                pos2(rect.right() - GUTTER / 2.0, rect.center().y),
                Vec2::splat(size::CONTROL_SMALL),
            );
            state.is_export_wanted |= table_menu::columns(ui, self.id, place, &whole, self.columns, &mut state.hidden);
        }
    }

    /// Two columns are not worth a choice.
    fn has_chooser(&self) -> bool {
        self.columns.len() >= COLUMNS_TO_CHOOSE
    }

    /// Arrow keys.
    fn keys(&self, ui: &Ui, state: &mut TableState) -> Option<usize> {
        if self.rows == 0 {
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

    /// Paints a row. Returns whether it was pressed, and where its menu is to open.
    fn row(
        &self,
        ui: &mut Ui,
        state: &TableState,
        (style, has_menu): (&'static Palette, bool),
        (rect, spans): (Rect, &[Span]),
        index: usize,
        paint: &mut impl FnMut(usize, &mut Row<'_>),
    ) -> (bool, Option<egui::Pos2>) {
        let sense = if self.active || has_menu { Sense::CLICK } else { Sense::hover() };
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
        let mut row = Row::new(ui.painter(), style, rect, (self.columns, spans), response.hover_pos());
        paint(index, &mut row);
        let (name, hint) = row.into_words();
        let role = if self.active { Role::Button } else { Role::Label };
        response.widget_info(|| WidgetInfo::selected(role, true, selected, &name));
        if self.active {
            response.clone().on_hover_cursor(egui::CursorIcon::PointingHand);
        }
        let clicked = response.clicked() && self.active;
        let mut menu_at = response.interact_pointer_pos().filter(|_| has_menu && response.secondary_clicked());
        let is_under = ui.rect_contains_pointer(rect);
        if has_menu && (is_under || state.cursor == Some(index)) {
            let id = ui.scope_id().with((self.id, "dots", index));
            menu_at = table_menu::dots(ui, id, rect).or(menu_at);
        }
        if let Some(hint) = hint {
            response.on_hover_text_at_pointer(hint);
        }
        (clicked, menu_at)
    }
}

/// What stands at the right of all columns: the button that chooses them, and in rows the dots of their menu.
pub(super) const GUTTER: f32 = size::CONTROL_SMALL + space::XS;

/// From so many columns on they can be chosen.
const COLUMNS_TO_CHOOSE: usize = 3;

/// Past so many columns they stand closer.
const MANY_COLUMNS: usize = 9;

/// Left and right edge of each column that is shown, within `width`.
fn spans(columns: &[Column], hidden: &[String], width: f32) -> Vec<Span> {
    let is_shown = |index: usize| index == 0 || !hidden.iter().any(|name| name == columns[index].name);
    let shown = || columns.iter().enumerate().filter(|(index, _)| is_shown(*index)).map(|(_, column)| column);
    let count = shown().count();
    let gap = if count > MANY_COLUMNS { space::S } else { space::M };
    let gaps = gap * (count.saturating_sub(1)) as f32 + space::M + GUTTER;
    let least: f32 = shown().map(|column| column.min_width).sum();
    let weights: f32 = shown().map(|column| column.weight).sum();
    let spare = (width - gaps - least).max(0.0);
    // Too narrow: every column gives way in proportion.
    let squeeze = ((width - gaps) / least).clamp(0.1, 1.0);
    let mut left = space::M;
    let place = |(index, column): (usize, &Column)| {
        if !is_shown(index) {
            return None;
        }
        let share = if weights > 0.0 { spare * column.weight / weights } else { 0.0 };
        let right = left + column.min_width * squeeze + share;
        let span = (left, right);
        left = right + gap;
        Some(span)
    };
    columns.iter().enumerate().map(place).collect()
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
        let at = |width: f32| spans(&columns, &[], width).into_iter().flatten().collect::<Vec<_>>();
        let wide = at(400.0);
        assert_eq!(wide[0].0, space::M);
        assert!((wide[1].1 - (400.0 - GUTTER)).abs() < 0.01);
        assert!(at(100.0)[1].1 <= 100.0 + space::M);
    }

    #[test]
    fn hidden_columns_leave_their_room_to_the_others_and_the_first_stays() {
        let columns = [Column::text("a", 100.0, 1.0), Column::number("b", 50.0, 0.0), Column::number("c", 50.0, 0.0)];
        let hidden = ["a", "b"].map(str::to_owned);
        let spans = spans(&columns, &hidden, 400.0);
        assert!(spans[0].is_some() && spans[1].is_none());
        assert!((spans[2].unwrap().1 - (400.0 - GUTTER)).abs() < 0.01);
    }
}
