//! Sliders: a caption, a track with a thumb, and a field that takes the exact value. By mouse, by arrow keys, by screen readers.

use std::ops::RangeInclusive;

use egui::accesskit::{Action, ActionData};
use egui::{
    Align2, CornerRadius, EventFilter, Frame, Id, Key, Margin, Rect, Response, Sense, Stroke, StrokeKind, TextEdit, Ui,
    UiBuilder, WidgetInfo, pos2, vec2,
};

use super::text;
use crate::ui::tokens::{font, palette, radius, size, space};

/// How values lie along the track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// Each decade as long as the next.
    Log,
    /// 0 at the end, then decades from this value on.
    LogFromZero(f64),
}

/// A slider being described; `show` puts it there.
pub struct Slider<'a> {
    name: &'a str,
    range: RangeInclusive<f64>,
    scale: Scale,
    is_whole: bool,
    write: &'a dyn Fn(f64) -> String,
    help: &'a str,
    caption: Option<&'a str>,
}

/// What somebody did with a slider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    /// The value now.
    pub value: f64,
    /// Whether it was let go there: no other value follows.
    pub is_settled: bool,
}

/// Width of the field for the exact value.
const FIELD: f32 = 84.0;
const CAPTION: f32 = 108.0;
const TRACK: f32 = 4.0;
const THUMB: f32 = 7.0;
/// Parts that the arrow keys, and those for pages, divide the track into.
const STEPS: f64 = 40.0;
const PAGES: f64 = 8.0;
/// Nobody types a longer number.
const TYPED_MAX: usize = 24;

impl<'a> Slider<'a> {
    /// A slider of whole numbers, evenly; `name` stands at its left and is its accessible name.
    pub fn new(name: &'a str, range: RangeInclusive<f64>, write: &'a dyn Fn(f64) -> String) -> Slider<'a> {
        Slider { name, range, scale: Scale::Linear, is_whole: true, write, help: "", caption: None }
    }

    /// How values lie along the track.
    pub fn scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// Fractions too.
    pub fn fractions(mut self) -> Self {
        self.is_whole = false;
        self
    }

    /// A shorter word at its left, where the place says the rest.
    pub fn caption(mut self, caption: &'a str) -> Self {
        self.caption = Some(caption);
        self
    }

    /// What it sets, on hover.
    pub fn help(mut self, help: &'a str) -> Self {
        self.help = help;
        self
    }

    /// Puts it there with this value; what somebody did with it.
    pub fn show(self, ui: &mut Ui, value: f64) -> Option<Moved> {
        let style = palette(ui);
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), size::CONTROL), Sense::hover());
        let id = ui.scope_id().with((self.name, "slider"));
        let caption = rect.with_max_x(rect.left() + CAPTION);
        let words = self.caption.unwrap_or(self.name);
        text::paint(ui.painter(), caption, Align2::LEFT_CENTER, words, font::body(), style.muted);
        let field = rect.with_min_x(rect.right() - FIELD);
        let groove = Rect::from_x_y_ranges(
            caption.right() + space::XS + THUMB..=field.left() - space::M - THUMB,
            rect.y_range(),
        );
        // What is dragged follows the pointer, whatever the value outside does meanwhile.
        let held: Option<f64> = ui.data(|data| data.get_temp(id));
        let shown = held.unwrap_or(value);
        let response = ui.interact(groove.expand2(vec2(THUMB, 0.0)), id, Sense::click_and_drag());
        let moved = self.pull(ui, &response, groove, shown).or_else(|| self.nudge(ui, &response, shown));
        if let Some(moved) = moved {
            ui.data_mut(|data| match moved.is_settled {
                true => data.remove_temp::<f64>(id).map_or((), drop),
                false => drop(data.insert_temp(id, moved.value)),
            });
        }
        let shown = moved.map_or(shown, |moved| moved.value);
        self.announce(ui, &response, shown);
        self.paint(ui, &response, groove, shown);
        let typed = self.field(ui, field, id.with("exact"), shown);
        if !self.help.is_empty() {
            response.on_hover_text(self.help);
        }
        // A thumb that is held where it was moves nothing.
        moved.filter(|moved| moved.is_settled || held != Some(moved.value)).or(typed)
    }

    /// The pointer.
    fn pull(&self, ui: &Ui, response: &Response, groove: Rect, shown: f64) -> Option<Moved> {
        let is_settled = response.drag_stopped() || response.clicked();
        if !(response.dragged() || is_settled) {
            return None;
        }
        // Where the pointer has left the window, it stays where it was seen last.
        let at = response.interact_pointer_pos().or_else(|| ui.input(|input| input.pointer.interact_pos()));
        let place = |at: egui::Pos2| f64::from((at.x - groove.left()) / groove.width().max(1.0));
        let value = at.map_or(shown, |at| self.tidy(self.value_at(place(at))));
        Some(Moved { value, is_settled })
    }

    /// Keys and screen readers.
    fn nudge(&self, ui: &Ui, response: &Response, shown: f64) -> Option<Moved> {
        let id = response.id;
        let asked = ui.input(|input| {
            let more = input.num_accesskit_action_requests(id, Action::Increment);
            let less = input.num_accesskit_action_requests(id, Action::Decrement);
            let set = input.accesskit_action_requests(id, Action::SetValue).find_map(|request| match request.data {
                Some(ActionData::NumericValue(value)) => Some(value),
                _ => None,
            });
            (more as f64 - less as f64, set)
        });
        let settled = |value: f64| Some(Moved { value, is_settled: true });
        if let Some(value) = asked.1 {
            return settled(self.bound(value));
        }
        let mut steps = asked.0;
        if response.has_focus() {
            let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(id, arrows));
            let (end, by) = ui.input(|input| {
                let count = |key: Key| input.num_presses(key) as f64;
                let by = count(Key::ArrowRight) + count(Key::ArrowUp) - count(Key::ArrowLeft) - count(Key::ArrowDown);
                let pages = (count(Key::PageUp) - count(Key::PageDown)) * STEPS / PAGES;
                let end = match (input.key_pressed(Key::Home), input.key_pressed(Key::End)) {
                    (true, _) => Some(*self.range.start()),
                    (_, true) => Some(*self.range.end()),
                    _ => None,
                };
                (end, by + pages)
            });
            if let Some(end) = end {
                return settled(end);
            }
            steps += by;
        }
        (steps != 0.0).then(|| settled(self.stepped(shown, steps))).flatten()
    }

    fn bound(&self, value: f64) -> f64 {
        let value = if value.is_finite() { value } else { *self.range.start() };
        let value = if self.is_whole { value.round() } else { value };
        value.clamp(*self.range.start(), *self.range.end())
    }

    /// So many steps further along the track, and by one at least.
    fn stepped(&self, value: f64, steps: f64) -> f64 {
        let next = self.tidy(self.value_at(self.place_of(value) + steps / STEPS));
        let least = if self.is_whole { 1.0 } else { 0.01 };
        let moved = (next - value) * steps.signum();
        self.bound(if moved < least { value + least * steps.signum() } else { next })
    }

    /// Along the track, from 0 to 1.
    fn place_of(&self, value: f64) -> f64 {
        let (from, to) = (*self.range.start(), *self.range.end());
        let place = match self.scale {
            Scale::Linear => (value - from) / (to - from),
            Scale::Log => (value / from).ln() / (to / from).ln(),
            Scale::LogFromZero(least) if value < least => ZERO * value / least,
            Scale::LogFromZero(least) => ZERO + (1.0 - ZERO) * (value / least).ln() / (to / least).ln(),
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    fn value_at(&self, place: f64) -> f64 {
        let (from, to, place) = (*self.range.start(), *self.range.end(), place.clamp(0.0, 1.0));
        match self.scale {
            Scale::Linear => from + (to - from) * place,
            Scale::Log => from * (to / from).powf(place),
            Scale::LogFromZero(_) if place < ZERO / 2.0 => 0.0,
            Scale::LogFromZero(least) => least * (to / least).powf((place - ZERO).max(0.0) / (1.0 - ZERO)),
        }
    }

    /// What a hand sets has two digits that mean something.
    fn tidy(&self, value: f64) -> f64 {
        let rounded = match self.scale {
            Scale::Linear => value,
            Scale::Log | Scale::LogFromZero(_) if value > 0.0 => {
                let digit = 10f64.powf(value.log10().floor() - 1.0);
                (value / digit).round() * digit
            }
            Scale::Log | Scale::LogFromZero(_) => value,
        };
        let rounded = if self.is_whole { rounded } else { (rounded * 100.0).round() / 100.0 };
        self.bound(rounded)
    }

    fn announce(&self, ui: &Ui, response: &Response, shown: f64) {
        response.widget_info(|| WidgetInfo::slider(true, shown, self.name));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_min_numeric_value(*self.range.start());
            node.set_max_numeric_value(*self.range.end());
            node.set_value((self.write)(shown));
            node.add_action(Action::SetValue);
            node.add_action(Action::Increment);
            node.add_action(Action::Decrement);
        });
    }

    fn paint(&self, ui: &Ui, response: &Response, groove: Rect, shown: f64) {
        let style = palette(ui);
        let y = groove.center().y;
        let thumb = pos2(groove.left() + groove.width() * self.place_of(shown) as f32, y);
        let bar = |left: f32, right: f32| {
            Rect::from_min_max(pos2(left, y - TRACK / 2.0), pos2(right.max(left), y + TRACK / 2.0))
        };
        let (painter, round) = (ui.painter(), CornerRadius::same(radius::XS));
        painter.rect_filled(bar(groove.left() - THUMB, groove.right() + THUMB), round, style.outline);
        painter.rect_filled(bar(groove.left() - THUMB, thumb.x), round, style.accent);
        let is_lit = response.hovered() || response.dragged() || response.has_focus();
        let fill = if is_lit { style.accent } else { style.raised };
        painter.circle(thumb, THUMB, fill, Stroke::new(2.0 * size::LINE, style.accent));
        if response.has_focus() {
            painter.circle_stroke(thumb, THUMB + 3.0, Stroke::new(2.0 * size::LINE, style.accent));
        }
    }

    /// The field for the exact value: shows it written out, and the bare number while one types.
    fn field(&self, ui: &mut Ui, rect: Rect, id: Id, shown: f64) -> Option<Moved> {
        let style = palette(ui);
        let ground = ui.painter().add(egui::Shape::Noop);
        let is_typing = ui.memory(|memory| memory.has_focus(id));
        let typed: Option<String> = ui.data(|data| data.get_temp(id));
        let mut words = typed.clone().filter(|_| is_typing).unwrap_or_else(|| (self.write)(shown));
        let edit = TextEdit::singleline(&mut words)
            .id(id)
            .font(font::body())
            .text_color(if is_typing { style.text } else { style.muted })
            .background_color(egui::Color32::TRANSPARENT)
            .frame(Frame::NONE)
            .margin(Margin::ZERO)
            .char_limit(TYPED_MAX)
            .align(Align2::RIGHT_CENTER)
            .desired_width(rect.width() - 2.0 * space::S)
            .min_size(rect.shrink2(vec2(space::S, 0.0)).size());
        let inner = rect.shrink2(vec2(space::S, 0.0));
        let mut place = ui.new_child(UiBuilder::new().max_rect(inner));
        let response = place.add_sized(inner.size(), edit);
        let response = response.accessible_name(format!("{}, exact value", self.name));
        let edge = if response.has_focus() { style.accent } else { style.outline };
        let ground_shape = egui::epaint::RectShape::new(
            rect.shrink2(vec2(0.0, 1.0)),
            CornerRadius::same(radius::M),
            style.input,
            Stroke::new(size::LINE, edge),
            StrokeKind::Inside,
        );
        ui.painter().set(ground, ground_shape);
        if response.gained_focus() {
            // The number alone, all of it marked, so that typing replaces it.
            let bare = plain(shown);
            let mut state = egui::text_edit::TextEditState::load(ui.ctx(), id).unwrap_or_default();
            let end = egui::text::CCursor::new(bare.chars().count());
            let all = egui::text::CCursorRange::two(egui::text::CCursor::new(0), end);
            state.cursor.set_char_range(Some(all));
            state.store(ui.ctx(), id);
            ui.data_mut(|data| data.insert_temp(id, bare));
            return None;
        }
        if response.lost_focus() {
            ui.data_mut(|data| data.remove_temp::<String>(id));
            let is_given_up = ui.input(|input| input.key_pressed(Key::Escape));
            let value = number(&words).filter(|_| !is_given_up && typed.is_some()).map(|value| self.bound(value))?;
            return (value != shown).then_some(Moved { value, is_settled: true });
        }
        if response.changed() {
            ui.data_mut(|data| data.insert_temp(id, words));
        }
        None
    }
}

/// On a scale that begins with 0, how much of the track is for it.
const ZERO: f64 = 0.08;

fn plain(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// `1,500`, `1500`, `1.5k`, `2 M`: what people type. What stands behind is a unit.
fn number(text: &str) -> Option<f64> {
    let text = text.trim().replace([',', '_'], "");
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let times = match unit.trim_start().chars().next() {
        Some('k' | 'K') => 1e3,
        Some('M') => 1e6,
        _ => 1.0,
    };
    digits.parse::<f64>().ok().map(|value| value * times)
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    use super::*;

    fn slider(range: RangeInclusive<f64>, scale: Scale) -> Slider<'static> {
        Slider::new("Rate", range, &|value| format!("{value}/s")).scale(scale)
    }

    #[test]
    fn places_and_values_are_each_others_inverse() {
        for slider in [
            slider(0.0..=100.0, Scale::Linear),
            slider(1.0..=1e6, Scale::Log),
            slider(0.0..=1e4, Scale::LogFromZero(1.0)),
        ] {
            for value in [1.0, 7.0, 50.0, 100.0] {
                let back = slider.value_at(slider.place_of(value));
                assert!((back - value).abs() < 1e-6, "{value} {back} {:?}", slider.scale);
            }
            assert_eq!(slider.value_at(0.0), *slider.range.start());
            assert_eq!(slider.tidy(slider.value_at(1.0)), *slider.range.end());
        }
        assert_eq!(slider(0.0..=1e4, Scale::LogFromZero(1.0)).place_of(0.0), 0.0);
        assert_eq!(slider(1.0..=1e6, Scale::Log).place_of(1_000.0), 0.5);
    }

    #[test]
    fn hands_set_round_numbers_and_keys_always_move() {
        let rate = slider(1.0..=1e6, Scale::Log);
        assert_eq!([1_234.0, 98_765.0, 1.4].map(|value| rate.tidy(value)), [1_200.0, 99_000.0, 1.0]);
        assert_eq!(rate.stepped(1.0, 1.0), 2.0, "by one at least");
        assert!(rate.stepped(1_000.0, 1.0) > 1_000.0 && rate.stepped(1_000.0, -1.0) < 1_000.0);
        assert_eq!(rate.stepped(1e6, 1.0), 1e6);
        assert_eq!(slider(0.0..=16.0, Scale::Linear).stepped(3.0, -1.0), 2.0);
        assert_eq!(rate.bound(f64::NAN), 1.0);
    }

    #[test]
    fn typed_numbers_are_read_as_people_write_them() {
        for (text, expected) in
            [("1500", 1500.0), ("1,500/s", 1500.0), (" 1.5k", 1500.0), ("2 M", 2e6), ("12 ms", 12.0), ("7.", 7.0)]
        {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        assert_eq!((number("many"), number(""), number("-3")), (None, None, None));
    }

    struct Bench {
        value: f64,
        moves: Vec<Moved>,
    }

    fn bench() -> Harness<'static, Bench> {
        let mut harness = Harness::builder().with_size(vec2(500.0, 40.0)).build_ui_state(
            |ui, bench: &mut Bench| {
                if let Some(moved) = slider(1.0..=1e6, Scale::Log).show(ui, bench.value) {
                    bench.moves.push(moved);
                    if moved.is_settled {
                        bench.value = moved.value;
                    }
                }
            },
            Bench { value: 1_000.0, moves: Vec::new() },
        );
        harness.run();
        harness
    }

    #[test]
    fn it_is_dragged_by_the_mouse_and_follows_the_pointer() {
        let mut harness = bench();
        let rect = harness.get_by_label("Rate").rect();
        harness.drag_at(rect.center());
        harness.run();
        harness.hover_at(rect.center() + vec2(40.0, 0.0));
        harness.run();
        assert!(harness.state().moves.iter().any(|moved| !moved.is_settled && moved.value > 1_000.0));
        assert_eq!(harness.state().value, 1_000.0, "it was not let go yet");
        harness.drop_at(rect.center() + vec2(60.0, 0.0));
        harness.run();
        let last = harness.state().moves.last().copied();
        assert!(last.is_some_and(|moved| moved.is_settled && moved.value > 3_000.0), "{last:?}");
        assert!(harness.get_by_label("Rate").rect().width() > 100.0);
    }

    #[test]
    fn keys_move_it_and_the_exact_value_can_be_typed() {
        let mut harness = bench();
        harness.get_by_label("Rate").focus();
        harness.run();
        harness.key_press(Key::ArrowRight);
        harness.run();
        assert!(harness.state().value > 1_000.0);
        harness.key_press(Key::Home);
        harness.run();
        assert_eq!(harness.state().value, 1.0);
        harness.get_by_label("Rate, exact value").focus();
        harness.run();
        harness.get_by_label("Rate, exact value").type_text("12345");
        harness.run();
        harness.key_press(Key::Enter);
        harness.run();
        assert_eq!(harness.state().value, 12_345.0);
        assert_eq!(harness.state().moves.last(), Some(&Moved { value: 12_345.0, is_settled: true }));
    }
}
