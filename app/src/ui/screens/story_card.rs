//! A story as a card: its sentence, how it stands, its steps from cause to effect, was and now, and what clients saw.

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::{
    Align, Align2, Color32, Layout, Pos2, Rect, Response, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::side_by_side;
use crate::monitor::names::{is_controller, node};
use crate::monitor::story::{Change, Object, Outlook, Seen, Step, Story};
use crate::ui::app::{Action, Scene, Screen};
use crate::ui::format;
use crate::ui::rewind::Wish;
use crate::ui::tokens::{font, palette, radius, size, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::card::{mood_card, rule};
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::text;

/// The steps' share of the width of an open card.
const STEPS_SHARE: f32 = 0.54;
/// Room for a step's time.
const TIME: f32 = 64.0;
/// Steps that follow from others stand so much further in, down to a depth.
const INDENT: f32 = 18.0;
const DEEPEST: usize = 6;
/// Rows of was and now, and events of a step, that a card shows at most.
const CHANGES_SHOWN: usize = 10;
const ITEMS_SHOWN: usize = 60;
/// Rows of what clients saw that a card shows at most.
const SEEN_SHOWN: usize = 12;
/// Width of a figure.
const FIGURE: f32 = 88.0;
/// Names that a row of was and now gives before it counts.
const NAMES_SHOWN: usize = 2;

/// Paints it; whether its head was pressed.
pub fn show(
    ui: &mut Ui,
    scene: &Scene<'_>,
    story: &Story,
    is_open: bool,
    unfolded: &mut BTreeSet<(u64, usize)>,
    actions: &mut Vec<Action>,
) -> bool {
    let (_, mood, _) = super::events::look(story.severity);
    let mood = if story.outlook == Outlook::Going { mood } else { Mood::Quiet };
    ui.push_id(("story", story.id), |ui| {
        mood_card(ui, mood, |ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            let pressed = head(ui, scene, story, is_open);
            if is_open {
                rule(ui);
                body(ui, scene, story, unfolded);
                ui.add_space(space::XS);
                buttons(ui, story, actions);
            }
            pressed
        })
        .inner
    })
    .inner
}

fn outlook(story: &Story) -> Pill {
    match story.outlook {
        Outlook::Going => Pill::new(Mood::Busy, Icon::Clock, "Going on"),
        Outlook::Changed => Pill::new(Mood::Warning, Icon::Warning, "Not as before"),
        Outlook::AsBefore => Pill::new(Mood::Good, Icon::Check, "As before again"),
    }
}

/// Its sentence and when it was. All of it is one button.
fn head(ui: &mut Ui, scene: &Scene<'_>, story: &Story, is_open: bool) -> bool {
    let style = palette(ui);
    let inner = ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let (symbol, mood, _) = super::events::look(story.severity);
        icon::mark(ui, symbol, mood.colors(style).0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            icon::mark(ui, if is_open { Icon::Up } else { Icon::Down }, style.faint);
            outlook(story).show(ui);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                text::label(ui, &story.title, font::heading(), style.text);
            });
        });
    });
    ui.horizontal(|ui| {
        ui.add_space(size::ICON + space::S);
        text::label(ui, &when(scene, story), font::small(), style.muted);
    });
    let place = Rect::from_min_max(inner.response.rect.min, pos2(ui.max_rect().right(), ui.cursor().top()));
    let response = ui.interact(place, ui.scope_id().with("head"), Sense::click());
    let name = format!("{}: {}", if is_open { "Close the story" } else { "Open the story" }, story.title);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_open, &name));
    if response.has_focus() {
        ui.painter().rect_stroke(
            place.expand(space::XS),
            f32::from(radius::S),
            Stroke::new(size::LINE, style.accent),
            egui::StrokeKind::Outside,
        );
    }
    response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}

/// `14:03:22.101 · 4 min ago · lasted 19.2 s · 41 events`
fn when(scene: &Scene<'_>, story: &Story) -> String {
    let now_ms = scene.model.snapshot().at_ms;
    let ago = format::ago(now_ms, story.from_ms);
    let ago = if ago == "now" { ago } else { format!("{ago} ago") };
    let lasted = match story.until_ms {
        Some(until_ms) => format!("lasted {}", lasting(until_ms - story.from_ms)),
        None => format!("for {} so far", lasting(now_ms - story.from_ms)),
    };
    let began = format::clock_ms(story.from_ms, scene.options.utc_offset_minutes);
    format!("{began} · {ago} · {lasted} · {}", format::plural(story.events, "event"))
}

fn body(ui: &mut Ui, scene: &Scene<'_>, story: &Story, unfolded: &mut BTreeSet<(u64, usize)>) {
    let has_facts = !story.changes.is_empty() || !story.seen.is_empty();
    if !has_facts {
        return steps(ui, scene, story, unfolded);
    }
    let width = ui.available_width();
    let left = (width * STEPS_SHARE).floor();
    side_by_side(ui, &[left, width - left - space::XL], space::XL, |ui, index| {
        ui.spacing_mut().item_spacing.y = space::XS;
        match index {
            0 => steps(ui, scene, story, unfolded),
            _ => {
                changes(ui, &story.changes);
                seen(ui, story);
            }
        }
    });
}

fn caption(ui: &mut Ui, words: &str) {
    text::label(ui, words, font::tiny(), palette(ui).faint);
}

fn steps(ui: &mut Ui, scene: &Scene<'_>, story: &Story, unfolded: &mut BTreeSet<(u64, usize)>) {
    caption(ui, "From cause to effect");
    let depths = depths(&story.steps);
    let mut marks: Vec<Pos2> = Vec::with_capacity(story.steps.len());
    for (index, step) in story.steps.iter().enumerate() {
        marks.push(self::step(ui, scene, story, (index, step, depths[index]), unfolded));
        if let Some(cause) = nearest(step, &depths).and_then(|cause| marks.get(cause)) {
            elbow(ui, *cause, marks[index]);
        }
    }
}

/// The cause that has the most causes behind it.
fn nearest(step: &Step, depths: &[usize]) -> Option<usize> {
    step.because_of.iter().copied().filter(|cause| *cause < depths.len()).max_by_key(|cause| depths[*cause])
}

/// A line from a cause down to its effect.
fn elbow(ui: &Ui, cause: Pos2, effect: Pos2) {
    let stroke = Stroke::new(size::LINE, palette(ui).outline_strong);
    let mark = size::ICON / 2.0;
    ui.painter().vline(cause.x, cause.y + mark..=effect.y, stroke);
    ui.painter().hline(cause.x..=effect.x - mark, effect.y, stroke);
}

/// How many causes each has behind it.
fn depths(steps: &[Step]) -> Vec<usize> {
    let mut depths: Vec<usize> = Vec::with_capacity(steps.len());
    for step in steps {
        depths.push(nearest(step, &depths).map_or(0, |cause| (depths[cause] + 1).min(DEEPEST)));
    }
    depths
}

/// Where its mark is.
fn step(
    ui: &mut Ui,
    scene: &Scene<'_>,
    story: &Story,
    (index, step, depth): (usize, &Step, usize),
    unfolded: &mut BTreeSet<(u64, usize)>,
) -> Pos2 {
    let style = palette(ui);
    let key = (story.id, index);
    let is_unfolded = unfolded.contains(&key);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        let (place, _) = ui.allocate_exact_size(vec2(TIME, size::PILL), Sense::hover());
        let after = after(step.at_ms - story.from_ms);
        text::paint(ui.painter(), place, Align2::LEFT_CENTER, &after, font::mono(), style.faint);
        ui.add_space(INDENT * depth as f32);
        let (symbol, mood, word) = super::events::look(step.severity);
        let (place, mark) = ui.allocate_exact_size(vec2(size::ICON, size::PILL), Sense::hover());
        mark.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{word} step")));
        let place = Rect::from_center_size(place.center(), Vec2::splat(size::ICON - space::XS));
        icon::paint(ui.painter(), place, symbol, mood.colors(style).0);
        let mark = place.center();
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = size::LINE;
            ui.add_space(size::LINE);
            let said = text::paragraph(ui, &step.text, font::body(), style.text);
            said.on_hover_text(format::clock_ms(step.at_ms, scene.options.utc_offset_minutes));
            if !step.cause.is_empty() {
                text::paragraph(ui, &upper(&step.cause), font::small(), style.faint);
            }
            if step.count > 1 {
                let name = if is_unfolded { "Hide them" } else { "Show each" };
                let words = format!("{name} ({})", step.count);
                let spoken = format!("{name} of step {}", index + 1);
                if Button::new(&words).name(&spoken).tone(Tone::Bare).small().show(ui).clicked()
                    && !unfolded.remove(&key)
                {
                    unfolded.insert(key);
                }
            }
            if is_unfolded {
                items(ui, step);
            }
        });
        mark
    })
    .inner
}

fn items(ui: &mut Ui, step: &Step) {
    let style = palette(ui);
    for item in step.items.iter().take(ITEMS_SHOWN) {
        text::label(ui, item, font::small(), style.muted);
    }
    if step.count > ITEMS_SHOWN.min(step.items.len()) {
        let more = format!("and {} more, under All events", step.count - ITEMS_SHOWN.min(step.items.len()));
        text::label(ui, &more, font::small(), style.faint);
    }
}

fn changes(ui: &mut Ui, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let style = palette(ui);
    caption(ui, "Was and now");
    for change in changes.iter().take(CHANGES_SHOWN) {
        let now = if change.is_back { format!("{} again", change.now) } else { change.now.clone() };
        let was = format!("{} →", change.was);
        let cells = [(was.as_str(), style.muted), (now.as_str(), style.text)];
        let whole = row(ui, &named(change), &cells);
        if change.count > NAMES_SHOWN {
            whole.on_hover_text(change.names.join(", "));
        }
    }
    if changes.len() > CHANGES_SHOWN {
        caption(ui, &format!("and {} more", changes.len() - CHANGES_SHOWN));
    }
    ui.add_space(space::S);
}

/// `Leader of clicks-1, clicks-4 and 12 others`
fn named(change: &Change) -> String {
    let names = change.names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match (names.is_empty(), change.count.saturating_sub(NAMES_SHOWN)) {
        (true, _) => change.what.to_owned(),
        (false, 0) => format!("{} of {names}", change.what),
        (false, 1) => format!("{} of {names} and 1 other", change.what),
        (false, others) => format!("{} of {names} and {others} others", change.what),
    }
}

fn seen(ui: &mut Ui, story: &Story) {
    if story.seen.is_empty() {
        return;
    }
    let style = palette(ui);
    let heads = ["before", "worst", "after"].map(|head| (head, style.faint));
    row(ui, "What clients saw", &heads);
    for one in story.seen.iter().take(SEEN_SHOWN) {
        let told = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| figure(one, value));
        let figures = [told(one.before), told(Some(one.during)), told(one.after)];
        let inks = [style.muted, style.text, style.muted];
        let cells: Vec<(&str, Color32)> = figures.iter().map(String::as_str).zip(inks).collect();
        row(ui, &one.what, &cells).on_hover_text(&one.what);
    }
    if story.seen.len() > SEEN_SHOWN {
        caption(ui, &format!("and {} more", story.seen.len() - SEEN_SHOWN));
    }
}

/// A name and figures at its right, in columns of one width.
fn row(ui: &mut Ui, name: &str, cells: &[(&str, Color32)]) -> Response {
    let style = palette(ui);
    let (place, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::PILL), Sense::hover());
    let figures: Vec<&str> = cells.iter().map(|(figure, _)| *figure).collect();
    let spoken = format!("{name}: {}", figures.join(", "));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
    let left = place.right() - FIGURE * cells.len() as f32;
    let words = Rect::from_min_max(place.min, pos2(left - space::S, place.bottom()));
    text::paint(ui.painter(), words, Align2::LEFT_CENTER, name, font::small(), style.muted);
    for (index, (figure, ink)) in cells.iter().enumerate() {
        let corner = pos2(left + FIGURE * index as f32, place.top());
        let cell = Rect::from_min_size(corner, vec2(FIGURE - space::S, place.height()));
        text::paint(ui.painter(), cell, Align2::LEFT_CENTER, figure, font::mono(), *ink);
    }
    response
}

fn figure(seen: &Seen, value: f64) -> String {
    match seen.unit {
        "ms" => format::millis(value),
        "records/s" => format::rate(value),
        _ => format::count(value.round() as i64),
    }
}

fn buttons(ui: &mut Ui, story: &Story, actions: &mut Vec<Action>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = Vec2::splat(space::S);
        let then = Button::new("Show then").name("Show the cluster as it was then").with_icon(Icon::Clock).small();
        if then.show(ui).clicked() {
            actions.push(Action::Time(Wish::At(story.from_ms)));
        }
        for object in &story.objects {
            let (words, symbol, action) = way(object);
            if Button::new(&words).tone(Tone::Bare).with_icon(symbol).small().show(ui).clicked() {
                actions.push(action);
            }
        }
    });
}

fn way(object: &Object) -> (String, Icon, Action) {
    match object {
        Object::Fault(id) => (format!("Fault {id}"), Icon::Kill, Action::Go(Screen::Faults)),
        Object::Node(id) if is_controller(*id) => (node(*id), Icon::Quorum, Action::Go(Screen::Quorum)),
        Object::Node(id) => (node(*id), Icon::Broker, Action::OpenBroker(*id)),
        Object::Group(group) => (format!("Group {group}"), Icon::Groups, Action::OpenGroup(Arc::from(group.as_str()))),
        Object::Topic(topic) => (format!("Topic {topic}"), Icon::Topics, Action::OpenTopic(Arc::from(topic.as_str()))),
    }
}

/// `+1.512 s`; what a clock that is wrong tells may lie before the story.
fn after(ms: i64) -> String {
    let sign = if ms < 0 { '−' } else { '+' };
    match ms.unsigned_abs() {
        ms @ 0..60_000 => format!("{sign}{}.{:03} s", ms / 1000, ms % 1000),
        ms => format!("{sign}{} min {} s", ms / 60_000, ms / 1000 % 60),
    }
}

/// `1.9 s`, `3 min 20 s`.
fn lasting(ms: i64) -> String {
    match ms.max(0) {
        ms @ 0..1_000 => format!("{ms} ms"),
        ms @ 1_000..60_000 => format!("{:.1} s", ms as f64 / 1000.0),
        ms @ 60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
        ms => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

fn upper(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (ms, words) in [(0, "+0.000 s"), (1_512, "+1.512 s"), (-20, "−0.020 s"), (61_000, "+1 min 1 s")] {
            assert_eq!(after(ms), words);
        }
        for (ms, words) in [(-1, "0 ms"), (240, "240 ms"), (1_940, "1.9 s"), (200_000, "3 min 20 s")] {
            assert_eq!(lasting(ms), words);
        }
    }

    #[test]
    fn a_row_names_two_and_counts_the_others() {
        let change = |names: &[&str], count| Change {
            what: "Leader",
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            count,
            was: "2".into(),
            now: "1".into(),
            is_back: false,
        };
        for (names, count, words) in [
            (&["a-0"][..], 1, "Leader of a-0"),
            (&["a-0", "a-1", "a-2"], 3, "Leader of a-0, a-1 and 1 other"),
            (&["a-0", "a-1"], 14, "Leader of a-0, a-1 and 12 others"),
            (&[], 1, "Leader"),
        ] {
            assert_eq!(named(&change(names, count)), words);
        }
    }
}
