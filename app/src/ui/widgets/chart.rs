//! Time charts: lines over a shared time axis, a hover line that crosses all charts at once, and a legend that tells the values there.

use egui::{
    Align, Align2, Color32, Layout, Rect, Role, Sense, Shape, Stroke, Ui, UiBuilder, Vec2, Vec2b, WidgetInfo, pos2,
    vec2,
};
use egui_plot::{AxisHints, HLine, Line, LineStyle, Plot, PlotPoint, PlotPoints, PlotUi, Points, Span, VLine};

pub use super::axis::Unit;
use super::axis::{nice_top, since, time_marks, value_marks};
use super::text;
use crate::ui::format;
use crate::ui::tokens::{Palette, font, palette, size, space};

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

/// A stretch of time with a ground of its own, behind the lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// What it stands for; told where the hover line is in it.
    pub name: std::sync::Arc<str>,
    /// Wall clock ms.
    pub from_ms: i64,
    /// Wall clock ms; `None`: it goes on.
    pub until_ms: Option<i64>,
}

/// A value that lines should stay on one side of.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The value.
    pub value: f64,
    /// Its name in the legend.
    pub name: String,
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
    /// When something was broken.
    pub bands: &'a [Band],
    /// A line across.
    pub threshold: Option<&'a Threshold>,
    /// A value that is older says nothing of now, ms.
    pub stale_ms: i64,
    /// The legend takes one line, and tells how many entries it left out.
    pub short_legend: bool,
}

impl<'a> Chart<'a> {
    /// A chart of lines alone.
    pub fn new(title: &'a str, now_ms: i64, window_s: i64, height: f32, format: Unit) -> Chart<'a> {
        Chart {
            title,
            now_ms,
            window_s,
            height,
            format,
            at_least: 0.0,
            whole: format == Unit::Count,
            bands: &[],
            threshold: None,
            stale_ms: i64::MAX,
            short_legend: false,
        }
    }
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
            .chain(self.threshold.map(|threshold| threshold.value))
            .fold(self.at_least, f64::max);
        let scale = self.format.scale(top);
        let whole = self.whole;
        let top = nice_top(top / scale, whole) * scale;
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
            .y_grid_spacer(move |_| value_marks(top, scale, whole))
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
            self.bands(plot, style);
            traces.iter().for_each(|trace| draw(plot, trace, from_ms, self.now_ms));
            if let Some(threshold) = self.threshold {
                let line = HLine::new("", threshold.value)
                    .color(style.critical_fill)
                    .width(size::CHART_LINE)
                    .style(LineStyle::Dashed { length: 8.0 })
                    .allow_hover(false);
                plot.hline(line);
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
        self.legend(ui, crosshair, traces);
    }

    fn bands(&self, plot: &mut PlotUi<'_>, style: &Palette) {
        let seconds = |at_ms: i64| (at_ms - self.now_ms) as f64 / 1000.0;
        for band in self.bands {
            let until = band.until_ms.map_or(0.0, seconds);
            let span = Span::new("", seconds(band.from_ms)..=until)
                .fill(style.critical_fill.gamma_multiply(0.13))
                .border(Stroke::new(size::LINE, style.critical_fill.gamma_multiply(0.55)))
                .border_style(LineStyle::Dashed { length: 3.0 });
            plot.span(span);
        }
    }

    /// Names, strokes and values: those under the hover line, or the newest.
    fn legend(&self, ui: &mut Ui, crosshair: &Crosshair, traces: &[Trace]) {
        ui.spacing_mut().interact_size.y = size::ICON;
        if !self.short_legend {
            ui.horizontal_wrapped(|ui| self.entries(ui, crosshair, traces));
            return;
        }
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), size::ICON), Sense::hover());
        let layout = Layout::left_to_right(Align::Center);
        let mut line = ui.new_child(UiBuilder::new().id_salt((self.title, "legend")).max_rect(rect).layout(layout));
        line.set_clip_rect(rect.intersect(ui.clip_rect()));
        self.entries(&mut line, crosshair, traces);
    }

    fn entries(&self, ui: &mut Ui, crosshair: &Crosshair, traces: &[Trace]) {
        let style = palette(ui);
        ui.spacing_mut().item_spacing = vec2(space::M, space::XS);
        if let Some(at_ms) = crosshair.at_ms {
            let ago = format::ago(self.now_ms, at_ms as i64);
            let when = if ago == "now" { "now:".to_owned() } else { format!("{ago} ago:") };
            text::label(ui, &when, font::tiny(), style.text);
        }
        for (index, trace) in traces.iter().enumerate() {
            let value = value_at(&trace.points, crosshair.at_ms.unwrap_or(self.now_ms as f64), self.stale_ms)
                .map_or_else(|| "–".to_owned(), |value| trace.format.write(value));
            let left = traces.len() - index;
            if self.short_legend && left > 1 && entry_width(ui, &trace.name, &value) + MORE > ui.available_width()
                || self.short_legend && entry_width(ui, &trace.name, &value) > ui.available_width() && index > 0
            {
                let names: Vec<&str> = traces[index..].iter().map(|trace| trace.name.as_str()).collect();
                text::label(ui, &format!("+{left} more"), font::tiny(), style.faint).on_hover_text(names.join("\n"));
                break;
            }
            entry(ui, &trace.name, &value, trace.color, trace.dashed);
        }
        if let Some(threshold) = self.threshold {
            entry(ui, &threshold.name, &self.format.write(threshold.value), style.critical_fill, true);
        }
        let hovered = crosshair.at_ms.map(|at_ms| at_ms as i64);
        let band = hovered.and_then(|at_ms| self.bands.iter().find(|band| band.contains(at_ms)));
        if let Some(band) = band {
            text::label(ui, &band.name, font::tiny(), style.critical);
        }
    }
}

/// What `+3 more` takes.
const MORE: f32 = 56.0;

impl Band {
    /// Whether an instant lies in it.
    pub fn contains(&self, at_ms: i64) -> bool {
        self.from_ms <= at_ms && self.until_ms.is_none_or(|until_ms| at_ms <= until_ms)
    }
}

/// A line through all stretches in which the value was known; a value alone between two gaps is a dot.
fn draw(plot: &mut PlotUi<'_>, trace: &Trace, from_ms: i64, now_ms: i64) {
    let seconds = |at_ms: i64| (at_ms - now_ms) as f64 / 1000.0;
    for run in runs(&trace.points, from_ms) {
        let points: Vec<PlotPoint> = run.iter().map(|&(at_ms, value)| PlotPoint::new(seconds(at_ms), value)).collect();
        if points.len() == 1 {
            let dot = Points::new("", PlotPoints::Owned(points)).color(trace.color).radius(size::CHART_LINE);
            plot.points(dot.allow_hover(false));
            continue;
        }
        let style = if trace.dashed { LineStyle::Dashed { length: 5.0 } } else { LineStyle::Solid };
        let line = Line::new(trace.name.clone(), PlotPoints::Owned(points))
            .color(trace.color)
            .width(size::CHART_LINE)
            .style(style)
            .allow_hover(false);
        plot.line(line);
    }
}

fn entry_width(ui: &Ui, name: &str, value: &str) -> f32 {
    let width = |words: &str| text::line(ui.painter(), words, font::tiny(), Color32::WHITE, f32::INFINITY).size().x;
    space::L + space::XS + width(name) + space::XS + width(value)
}

fn entry(ui: &mut Ui, name: &str, value: &str, color: Color32, dashed: bool) {
    let style = palette(ui);
    let width = entry_width(ui, name, value);
    let (rect, response) = ui.allocate_exact_size(vec2(width, size::ICON), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {value}")));
    let y = rect.center().y;
    let mark = [pos2(rect.left(), y), pos2(rect.left() + space::L, y)];
    let stroke = Stroke::new(2.0 * size::LINE, color);
    if dashed {
        ui.painter().extend(Shape::dashed_line(&mark, stroke, 4.0, 2.5));
    } else {
        ui.painter().line_segment(mark, stroke);
    }
    let place = Rect::from_min_max(pos2(rect.left() + space::L + space::XS, rect.top()), rect.max);
    let placed = text::paint(ui.painter(), place, Align2::LEFT_CENTER, name, font::tiny(), style.muted);
    let place = Rect::from_min_max(pos2(placed.right() + space::XS, rect.top()), rect.max + vec2(space::XS, 0.0));
    text::paint(ui.painter(), place, Align2::LEFT_CENTER, value, font::tiny(), style.text);
}

/// The value at an instant: that of the newest point not after it, unless that is stale.
fn value_at(points: &[(i64, f64)], at_ms: f64, stale_ms: i64) -> Option<f64> {
    let after = points.partition_point(|point| point.0 as f64 <= at_ms + 500.0);
    let (point_ms, value) = *points.get(after.checked_sub(1)?)?;
    (value.is_finite() && at_ms - point_ms as f64 <= stale_ms as f64).then_some(value)
}

/// The stretches in which the value was known, from one point before the window on.
fn runs(points: &[(i64, f64)], from_ms: i64) -> impl Iterator<Item = &[(i64, f64)]> {
    let first = points.partition_point(|point| point.0 < from_ms).saturating_sub(1);
    points[first..].split(|point| !point.1.is_finite()).filter(|run| !run.is_empty())
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
        assert_eq!(value_at(&points, 1100.0, i64::MAX), Some(2.0));
        assert_eq!(value_at(&points, 9000.0, i64::MAX), None);
        assert_eq!(value_at(&points, -2000.0, i64::MAX), None);
        assert_eq!(value_at(&points[..2], 3000.0, 2000), Some(2.0));
        assert_eq!(value_at(&points[..2], 3001.0, 2000), None, "a broker that is down tells nothing");
    }
}
