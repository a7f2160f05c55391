//! The time at the bottom of every screen: what is recorded, where in it one is, what happened along it, and the way back to now.

use egui::{Align, CornerRadius, Frame, Layout, Margin, Panel, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::app::{Action, Dialog, Scene};
use super::commands::{self, Id};
use super::format;
use super::rewind::{Rewind, SPEEDS, Wish};
use super::time_lanes::{self, Axis};
use super::tokens::{Palette, font, palette, radius, size, space};
use super::widgets::button::{Button, Tone, segments};
use super::widgets::icon::{self, Icon};
use super::widgets::pill::{Mood, Pill};
use super::widgets::text;
use crate::monitor::view::Severity;

/// Height of the bar alone.
const BAR: f32 = size::CONTROL_SMALL + 2.0 * space::S;
/// Height of the strip in it.
const STRIP: f32 = size::CONTROL_SMALL - space::XS;

/// How much of the time is drawn.
const RANGES: [(Option<i64>, &str); 5] = [
    (Some(2 * 60_000), "2 min"),
    (Some(10 * 60_000), "10 min"),
    (Some(30 * 60_000), "30 min"),
    (Some(2 * 3_600_000), "2 h"),
    (None, "All"),
];

/// Paints it, if there is anything to look back on.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, rewind: &mut Rewind, actions: &mut Vec<Action>) {
    if !rewind.is_there() {
        return;
    }
    let style = palette(ui);
    let is_past = rewind.past_ms().is_some();
    let fill = if is_past { style.warning_soft } else { style.chrome };
    let frame = Frame::new().fill(fill).inner_margin(Margin::symmetric(space::L as i8, 0));
    let lanes = rewind.has_lanes.then(|| time_lanes::height(rewind.lanes()));
    let height = BAR + lanes.map_or(0.0, |lanes| lanes + size::CONTROL + space::S);
    Panel::bottom("time").exact_size(height).resizable(false).frame(frame).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(space::S, 0.0);
        let drawn = rewind.drawn_ms();
        if let Some(lanes) = lanes {
            ui.allocate_ui(vec2(ui.available_width(), size::CONTROL + space::S), |ui| choices(ui, rewind));
            if let Some((from_ms, until_ms)) = drawn {
                let place = ui.available_rect_before_wrap();
                let place = Rect::from_min_size(place.min, vec2(place.width(), lanes));
                let axis = Axis::new(time_lanes::track(place), from_ms, until_ms);
                time_lanes::show(ui, scene, rewind, place, &axis, actions);
            }
        }
        ui.allocate_ui(vec2(ui.available_width(), BAR), |ui| {
            ui.horizontal_centered(|ui| bar(ui, scene, rewind, actions));
        });
    });
}

fn choices(ui: &mut Ui, rewind: &mut Rewind) {
    ui.horizontal_centered(|ui| {
        let style = palette(ui);
        text::label(ui, "Shown", font::small(), style.muted);
        segments(ui, &mut rewind.range_ms, &RANGES);
        ui.add_space(space::M);
        text::label(ui, "Played", font::small(), style.muted);
        segments(ui, &mut rewind.speed, &SPEEDS);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let extent = rewind.record().extent();
            let words = format!(
                "{} recorded · {} in memory",
                format::plural(usize::try_from(extent.frames).unwrap_or(usize::MAX), "instant"),
                format::bytes(extent.memory_bytes as f64)
            );
            let told = "Recording goes on while you look back. The older, the fewer instants are kept: all of the last five minutes, then one a \
                        second, and of the last hours one in 5 to 60 seconds, with those in which a leader, an ISR or a state changed.";
            text::label(ui, &words, font::small(), style.faint).on_hover_text(told);
        });
    });
}

fn bar(ui: &mut Ui, scene: &Scene<'_>, rewind: &Rewind, actions: &mut Vec<Action>) {
    let (symbol, name) = if rewind.has_lanes {
        (Icon::Down, "Hide what happened along the time")
    } else {
        (Icon::Up, "Show what happened along the time")
    };
    let lanes = Button::icon(symbol, name).small().show(ui);
    if lanes.clicked() {
        actions.push(Action::Time(Wish::Lanes));
    }
    commands::tell(lanes, Id::TimeLanes);
    match rewind.past_ms() {
        None => drop(Pill::new(Mood::Good, Icon::Check, "Live").show(ui)),
        Some(at_ms) => past(ui, scene, rewind, at_ms, actions),
    }
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        for (word, name, dialog, id) in [
            ("Open…", "Open a recording", Dialog::OpenRecording, Id::OpenRecording),
            ("Save…", "Save what is recorded", Dialog::SaveRecording, Id::SaveRecording),
        ] {
            let can = dialog == Dialog::OpenRecording || rewind.span_ms().is_some();
            let button = Button::new(word).name(name).tone(Tone::Bare).small().enabled(can).show(ui);
            if button.clicked() {
                actions.push(Action::Ask(dialog));
            }
            commands::tell(button, id);
        }
        if let Some((from_ms, until_ms)) = rewind.span_ms() {
            let words = if rewind.past_ms().is_some() { String::new() } else { span_words(until_ms - from_ms) };
            text::label(ui, &words, font::small(), palette(ui).faint);
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| strip(ui, scene, rewind, actions));
    });
}

/// `recorded: 42 min`
fn span_words(span_ms: i64) -> String {
    let seconds = span_ms / 1_000;
    match seconds {
        0..120 => format!("{seconds} s recorded"),
        120..7_200 => format!("{} min recorded", seconds / 60),
        _ => format!("{} h recorded", seconds / 3_600),
    }
}

fn past(ui: &mut Ui, scene: &Scene<'_>, rewind: &Rewind, at_ms: i64, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let at = format::clock_ms(at_ms, scene.options.utc_offset_minutes);
    icon::mark(ui, Icon::Clock, style.warning);
    text::label(ui, &at, font::heading(), style.text);
    if let Some(file) = rewind.file() {
        text::label(ui, &format::shortened(file, 32), font::small(), style.text).on_hover_text(file);
    } else if let Some((_, until_ms)) = rewind.span_ms() {
        let ago = format::ago(until_ms, at_ms);
        let words = if ago == "now" { ago } else { format!("{ago} ago") };
        text::label(ui, &words, font::small(), style.muted);
    }
    let play = if rewind.is_playing() { (Icon::Pause, "Stop the time") } else { (Icon::Start, "Let the time run") };
    for (symbol, name, wish, id) in [
        (Icon::Back, "What changed before", Wish::Earlier, Id::TimeEarlier),
        (play.0, play.1, Wish::Play, Id::TimePlay),
        (Icon::Forward, "What changed next", Wish::Later, Id::TimeLater),
    ] {
        let button = Button::icon(symbol, name).small().show(ui);
        if button.clicked() {
            actions.push(Action::Time(wish));
        }
        commands::tell(button, id);
    }
    if rewind.has_live() {
        let live = Button::new("Back to live").with_icon(Icon::Forward).tone(Tone::Primary).small().show(ui);
        if live.clicked() {
            actions.push(Action::Time(Wish::Live));
        }
        commands::tell(live, Id::TimeLive);
    }
    if let Some(trouble) = rewind.trouble() {
        text::label(ui, &format::shortened(trouble, 60), font::small(), style.critical).on_hover_text(trouble);
    }
}

/// The time from end to end, with what was not well in it.
fn strip(ui: &mut Ui, scene: &Scene<'_>, rewind: &Rewind, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, STRIP), Sense::click_and_drag());
    let spoken = match rewind.past_ms() {
        None => "Time: now".to_owned(),
        Some(at_ms) => format!("Time: {}", format::clock_ms(at_ms, scene.options.utc_offset_minutes)),
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, &spoken));
    let painter = ui.painter().with_clip_rect(rect.expand(1.0));
    painter.rect_filled(rect, CornerRadius::same(radius::S), style.input);
    let Some((from_ms, until_ms)) = rewind.drawn_ms() else { return };
    let axis = Axis::new(rect, from_ms, until_ms);
    for lane in &rewind.lanes().lanes {
        for span in lane.spans.iter().filter(|span| span.severity > Severity::Info) {
            let place = axis.place(span.from_ms, span.until_ms.unwrap_or(until_ms));
            if place.is_positive() {
                painter.rect_filled(place.shrink2(vec2(0.0, 5.0)), 0.0, ink(style, span.severity).gamma_multiply(0.55));
            }
        }
    }
    let edge = Stroke::new(size::LINE, if response.has_focus() { style.accent } else { style.outline_strong });
    painter.rect_stroke(rect, CornerRadius::same(radius::S), edge, egui::StrokeKind::Inside);
    cursor(&painter, style, &axis, rewind, rect);
    axis.interact(ui, scene, rewind, response, actions);
}

/// Where one is.
pub(super) fn cursor(painter: &egui::Painter, style: &Palette, axis: &Axis, rewind: &Rewind, rect: Rect) {
    let Some(at_ms) = rewind.past_ms() else { return };
    let x = axis.x(at_ms);
    painter.line_segment([pos2(x, rect.top()), pos2(x, rect.bottom())], Stroke::new(2.0 * size::LINE, style.warning));
}

/// The colour of what was not well.
pub(super) fn ink(style: &Palette, severity: Severity) -> egui::Color32 {
    match severity {
        Severity::Info => style.accent,
        Severity::Warning => style.warning_fill,
        Severity::Critical => style.critical_fill,
    }
}
