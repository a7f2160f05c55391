//! Bars that stand beside each other over time, over which one drags to choose some of them.

use std::ops::Range;

use egui::{Align2, CursorIcon, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::text;
use crate::ui::tokens::{font, palette, radius, size, space};

/// What a label of the axis takes, at least.
const LABEL: f32 = 110.0;
/// A bar of few is seen all the same.
const BAR_MIN: f32 = 2.0;

/// Where somebody began to drag.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brush {
    from: Option<usize>,
}

/// Bars being described.
pub struct Histogram<'a> {
    /// What it is called by screen readers.
    pub name: &'a str,
    /// How high each bar is.
    pub counts: &'a [u64],
    /// Those that are chosen.
    pub chosen: Option<Range<usize>>,
    /// How high all is, without the axis.
    pub height: f32,
    /// What stands on the axis where a bar begins.
    pub mark: &'a dyn Fn(usize) -> String,
    /// What some bars are, in full.
    pub words: &'a dyn Fn(Range<usize>) -> String,
}

impl Histogram<'_> {
    /// Shows it. Returns what was chosen just now: by a drag, or one bar by a click.
    pub fn show(&self, ui: &mut Ui, brush: &mut Brush) -> Option<Range<usize>> {
        let bars = self.counts.len();
        let width = ui.available_width();
        let (rect, response) = ui.allocate_exact_size(vec2(width, self.height), Sense::click_and_drag());
        self.axis(ui, rect);
        if bars == 0 {
            return None;
        }
        let at = |x: f32| (((x - rect.left()) / rect.width() * bars as f32).max(0.0) as usize).min(bars - 1);
        if response.drag_started() {
            brush.from = ui.input(|input| input.pointer.press_origin()).map(|origin| at(origin.x));
        }
        let pointer = response.interact_pointer_pos().map(|pointer| at(pointer.x));
        let dragged = brush.from.zip(pointer).map(|(from, to)| from.min(to)..from.max(to) + 1);
        let chosen = if response.drag_stopped() {
            brush.from = None;
            dragged.clone()
        } else if response.clicked() {
            pointer.map(|bar| bar..bar + 1)
        } else {
            None
        };
        self.paint(ui, rect, dragged.clone().or(self.chosen.clone()));
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.name));
        for index in 0..bars {
            let seen =
                ui.interact(place(rect, bars, index..index + 1), response.id.with(("bar", index)), Sense::hover());
            seen.widget_info(|| WidgetInfo::labeled(Role::Label, true, (self.words)(index..index + 1)));
        }
        let hovered = response.hover_pos().map(|pointer| at(pointer.x));
        if let Some(shown) = dragged.or(hovered.map(|bar| bar..bar + 1)) {
            response.on_hover_cursor(CursorIcon::Crosshair).on_hover_text_at_pointer((self.words)(shown));
        }
        chosen
    }

    fn paint(&self, ui: &Ui, rect: Rect, chosen: Option<Range<usize>>) {
        let (style, painter) = (palette(ui), ui.painter());
        let (bars, top) = (self.counts.len(), self.counts.iter().copied().max().unwrap_or(0).max(1) as f32);
        painter.rect_filled(rect, radius::XS, style.surface);
        if let Some(chosen) = &chosen {
            let band = place(rect, bars, chosen.clone());
            painter.rect_filled(band, 0.0, style.accent_soft);
            let edge = Stroke::new(size::LINE, style.accent);
            painter.vline(band.left(), rect.y_range(), edge);
            painter.vline(band.right(), rect.y_range(), edge);
        }
        for (index, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let bar = place(rect, bars, index..index + 1);
            let height = (*count as f32 / top * (rect.height() - space::XS)).max(BAR_MIN);
            let gap = if bar.width() > space::XS { size::LINE } else { 0.0 };
            let bar =
                Rect::from_min_max(pos2(bar.left(), rect.bottom() - height), pos2(bar.right() - gap, rect.bottom()));
            let is_in = chosen.as_ref().is_none_or(|chosen| chosen.contains(&index));
            painter.rect_filled(bar, 0.0, if is_in { style.leader } else { style.outline_strong });
        }
        painter.hline(rect.x_range(), rect.bottom(), Stroke::new(size::LINE, style.outline_strong));
    }

    fn axis(&self, ui: &mut Ui, rect: Rect) {
        let (line, _) = ui.allocate_exact_size(vec2(rect.width(), size::ICON), Sense::hover());
        let style = palette(ui);
        let bars = self.counts.len();
        let labels = ((line.width() / LABEL) as usize).clamp(1, bars.max(1));
        for bar in (0..bars).step_by(bars.div_ceil(labels).max(1)) {
            let left = place(line, bars.max(1), bar..bar + 1).left();
            let room = Rect::from_x_y_ranges(left..=(left + LABEL).min(line.right()), line.y_range());
            text::paint(ui.painter(), room, Align2::LEFT_CENTER, &(self.mark)(bar), font::tiny(), style.faint);
        }
    }
}

/// Where some of so many bars stand.
fn place(rect: Rect, bars: usize, some: Range<usize>) -> Rect {
    let x = |index: usize| rect.left() + rect.width() * index as f32 / bars.max(1) as f32;
    Rect::from_x_y_ranges(x(some.start)..=x(some.end), rect.y_range())
}
