//! Time charts: lines over a shared time axis, a hover line that crosses all charts at once, and a legend that tells the values there.

use egui::{Align2, Color32, Rect, Role, Sense, Shape, Stroke, Ui, UiBuilder, Vec2, Vec2b, WidgetInfo, pos2, vec2};
use egui_plot::{AxisHints, GridMark, Line, LineStyle, Plot, PlotPoint, PlotPoints, VLine};

use super::text;
use crate::ui::format;
use crate::ui::tokens::{font, palette, size, space};

/// One line.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its name in the legend.
    pub name: String,
    /// Its colour.
    pub color: Color32,
    /// Dashed, where two lines share a colour.
    pub dashed: bool,
    /// (wall clock ms, value), ascending; NaN where it was not known.
    pub points: Vec<(i64, f64)>,
    /// How its values are written.
    pub format: Unit,
}

/// What all charts of a screen share.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crosshair {
    /// Where the pointer is, in wall clock ms.
    pub at_ms: Option<f64>,
    next: Option<f64>,
}

impl Crosshair {
    /// To be called once a frame, before the charts: what was hovered in the last frame holds in this one.
    pub fn turn(&mut self) {
        self.at_ms = self.next.take();
    }

    /// To be called after the charts: where the pointer is now is drawn in one more frame, and then no more.
    pub fn settle(&self, ctx: &egui::Context) {
        if self.next != self.at_ms {
            ctx.request_repaint();
        }
    }
}

/// A chart being described.
#[derive(Debug)]
pub struct Chart<'a> {
    /// Tells it from other charts, and what it is called by screen readers.
    pub title: &'a str,
    /// The newest instant.
    pub now_ms: i64,
    /// How much time it spans.
    pub window_s: i64,
    /// How high the plot is with its axis, without the legend.
    pub height: f32,
    /// How the axis is labelled.
    pub format: Unit,
    /// The axis reaches at least this high.
    pub at_least: f64,
    /// Whether the value axis shows whole numbers only.
    pub whole: bool,
}

impl Chart<'_> {
    /// Shows it over its legend.
    pub fn show(&self, ui: &mut Ui, crosshair: &mut Crosshair, traces: &[Trace]) {
        let style = palette(ui);
        let from_ms = self.now_ms - self.window_s * 1000;
        let seconds = |at_ms: f64| (at_ms - self.now_ms as f64) / 1000.0;
        let window = self.window_s as f64;
        let top = traces
            .iter()
            .flat_map(|trace| trace.points.iter().filter(|point| point.0 >= from_ms).map(|point| point.1))
            .filter(|value| value.is_finite())
            .fold(self.at_least, f64::max);
        let scale = self.format.scale(top);
        let top = nice_top(top / scale, self.whole) * scale;
        let x_axis = AxisHints::new_x()
            .formatter(move |mark, _| if mark.value <= -window { String::new() } else { since(mark.value) })
            .tick_label_color(style.faint)
            .tick_label_font(font::tiny());
        let y_axis = AxisHints::new_y()
            .formatter(|mark, _| self.format.write(mark.value))
            .min_thickness(58.0)
            .tick_label_color(style.faint)
            .tick_label_font(font::tiny());
        let plot = Plot::new(self.title)
            .height(self.height)
            .width(ui.available_width() - space::S)
            .custom_x_axes(vec![x_axis])
            .custom_y_axes(vec![y_axis])
            .x_grid_spacer(move |_| time_marks(window))
            .y_grid_spacer(move |_| value_marks(top, scale))
            .grid_color(style.outline)
            .grid_fade(0.0)
            .show_background(false)
            .allow_zoom(false)
            .allow_drag(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_axis_zoom_drag(false)
            .allow_double_click_reset(false)
            .show_x(false)
            .show_y(false)
            .show_crosshair(false)
            .label_formatter(|_| None)
            .set_margin_fraction(Vec2::ZERO)
            .auto_bounds(Vec2b::FALSE)
            .default_x_bounds(-window, 0.0)
            .default_y_bounds(0.0, top);
        // In a child of fixed size: the axes claim a little more than they are given.
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), self.height), Sense::hover());
        let mut child = ui.new_child(UiBuilder::new().id_salt(self.title).max_rect(rect));
        let shown = plot.show(&mut child, |plot| {
            plot.set_plot_bounds_x(-window..=0.0);
            plot.set_plot_bounds_y(0.0..=top);
            for trace in traces {
                for run in runs(&trace.points, from_ms) {
                    let points: Vec<PlotPoint> =
                        run.iter().map(|&(at_ms, value)| PlotPoint::new(seconds(at_ms as f64), value)).collect();
                    let style = if trace.dashed { LineStyle::Dashed { length: 5.0 } } else { LineStyle::Solid };
                    let line = Line::new(trace.name.clone(), PlotPoints::Owned(points))
                        .color(trace.color)
                        .width(size::CHART_LINE)
                        .style(style)
                        .allow_hover(false);
                    plot.line(line);
                }
            }
            if let Some(at_ms) = crosshair.at_ms {
                let line =
                    VLine::new("", seconds(at_ms)).color(style.outline_strong).width(size::LINE).allow_hover(false);
                plot.vline(line);
            }
            plot.pointer_coordinate()
        });
        shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.title));
        if shown.response.hovered()
            && let Some(at) = shown.inner
        {
            crosshair.next = Some(self.now_ms as f64 + at.x.clamp(-window, 0.0) * 1000.0);
        }
        legend(ui, crosshair, self.now_ms, traces);
    }
}

/// Names, strokes and values: those under the hover line, or the newest.
fn legend(ui: &mut Ui, crosshair: &Crosshair, now_ms: i64, traces: &[Trace]) {
    let style = palette(ui);
    ui.spacing_mut().interact_size.y = size::ICON;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::M, space::XS);
        if let Some(at_ms) = crosshair.at_ms {
            let ago = format::ago(now_ms, at_ms as i64);
            let when = if ago == "now" { "now:".to_owned() } else { format!("{ago} ago:") };
            text::label(ui, &when, font::tiny(), style.text);
        }
        for trace in traces {
            let value = value_at(&trace.points, crosshair.at_ms)
                .map_or_else(|| "–".to_owned(), |value| trace.format.write(value));
            entry(ui, trace, &value);
        }
    });
}

fn entry(ui: &mut Ui, trace: &Trace, value: &str) {
    let style = palette(ui);
    let name = text::line(ui.painter(), &trace.name, font::tiny(), style.muted, f32::INFINITY);
    let number = text::line(ui.painter(), value, font::tiny(), style.text, f32::INFINITY);
    let width = space::L + space::XS + name.size().x + space::XS + number.size().x;
    let (rect, response) = ui.allocate_exact_size(vec2(width, size::ICON), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{}: {value}", trace.name)));
    let y = rect.center().y;
    let mark = [pos2(rect.left(), y), pos2(rect.left() + space::L, y)];
    let stroke = Stroke::new(2.0 * size::LINE, trace.color);
    if trace.dashed {
        ui.painter().extend(Shape::dashed_line(&mark, stroke, 4.0, 2.5));
    } else {
        ui.painter().line_segment(mark, stroke);
    }
    let place = Rect::from_min_max(pos2(rect.left() + space::L + space::XS, rect.top()), rect.max);
    let placed = text::paint(ui.painter(), place, Align2::LEFT_CENTER, &trace.name, font::tiny(), style.muted);
    let place = Rect::from_min_max(pos2(placed.right() + space::XS, rect.top()), rect.max + vec2(space::XS, 0.0));
    text::paint(ui.painter(), place, Align2::LEFT_CENTER, value, font::tiny(), style.text);
}

/// The value at an instant (the newest point not after it), or the newest.
fn value_at(points: &[(i64, f64)], at_ms: Option<f64>) -> Option<f64> {
    let point = match at_ms {
        None => points.last()?,
        Some(at_ms) => {
            let after = points.partition_point(|point| point.0 as f64 <= at_ms + 500.0);
            points.get(after.checked_sub(1)?)?
        }
    };
    point.1.is_finite().then_some(point.1)
}

/// The stretches in which the value was known, from one point before the window on.
fn runs(points: &[(i64, f64)], from_ms: i64) -> impl Iterator<Item = &[(i64, f64)]> {
    let first = points.partition_point(|point| point.0 < from_ms).saturating_sub(1);
    points[first..].split(|point| !point.1.is_finite()).filter(|run| !run.is_empty())
}

/// The end of the axis: the next round number.
fn nice_top(top: f64, whole: bool) -> f64 {
    if top <= 0.0 {
        return 1.0;
    }
    let magnitude = 10f64.powf(top.log10().floor());
    let nice = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * magnitude)
        .find(|nice| *nice >= top * 1.04)
        .unwrap_or(12.0 * magnitude);
    if whole { nice.ceil().max(4.0) } else { nice }
}

fn value_marks(top: f64, scale: f64) -> Vec<GridMark> {
    let top = top / scale;
    let rough = top / 4.0;
    let magnitude = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * magnitude).find(|step| *step >= rough).unwrap_or(top);
    let count = (top / step + 1e-6).floor() as usize;
    (0..=count).map(|index| GridMark { value: index as f64 * step * scale, step_size: step * scale }).collect()
}

fn time_marks(window_s: f64) -> Vec<GridMark> {
    let step = if window_s <= 60.0 {
        15.0
    } else if window_s <= 300.0 {
        60.0
    } else {
        180.0
    };
    let count = (window_s / step) as usize;
    (0..=count).map(|index| GridMark { value: -(index as f64) * step, step_size: step }).collect()
}

/// `now`, `−30 s`, `−5 min`.
fn since(seconds: f64) -> String {
    let seconds = -seconds.round() as i64;
    match seconds {
        0 => "now".to_owned(),
        _ if seconds % 60 == 0 => format!("−{} min", seconds / 60),
        _ => format!("−{seconds} s"),
    }
}

/// What is measured, and so how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Plain numbers, whole ones where they are whole.
    Count,
    /// Per second.
    Rate,
    /// Bytes per second.
    ByteRate,
    /// Milliseconds.
    Millis,
}

impl Unit {
    /// The value as people read it.
    pub fn write(self, value: f64) -> String {
        match self {
            Unit::Count => format::compact(value),
            Unit::Rate => format::rate(value),
            Unit::ByteRate => format::byte_rate(value),
            Unit::Millis if value == 0.0 => "0 ms".to_owned(),
            Unit::Millis => format::millis(value),
        }
    }

    /// What one unit of the axis is worth: KiB and MiB are round numbers of their own kind.
    fn scale(self, top: f64) -> f64 {
        match self {
            Unit::ByteRate if top > 0.0 => 1024f64.powf((top.ln() / 1024f64.ln()).floor()),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_break_lines() {
        let points = [(0, 1.0), (1000, f64::NAN), (2000, 2.0), (3000, 3.0)];
        let found: Vec<usize> = runs(&points, 0).map(<[_]>::len).collect();
        assert_eq!(found, [1, 2]);
        assert_eq!(runs(&points, 2500).next().map(<[_]>::len), Some(2));
        assert_eq!(runs(&[], 0).count(), 0);
    }

    #[test]
    fn the_legend_tells_what_stands_under_the_line() {
        let points = [(0, 1.0), (1000, 2.0), (2000, f64::NAN)];
        assert_eq!(value_at(&points, Some(1100.0)), Some(2.0));
        assert_eq!(value_at(&points, None), None);
        assert_eq!(value_at(&points, Some(-2000.0)), None);
    }

    #[test]
    fn axes_end_on_round_numbers() {
        assert_eq!(nice_top(0.0, false), 1.0);
        assert_eq!(nice_top(950.0, false), 1000.0);
        assert_eq!(nice_top(3.0, true), 4.0);
        assert!(value_marks(1000.0, 1.0).len() >= 4);
        assert_eq!(since(-60.0), "−1 min");
        assert_eq!(since(-0.0), "now");
    }
}
