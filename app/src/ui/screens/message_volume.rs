//! How many records a topic has over time, to drag over: what is chosen there is read.

use std::ops::Range;
use std::sync::Arc;

use egui::{Align, Layout, Ui};

use super::message_wish;
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::messages::time;
use crate::monitor::messages::volume::{Bars, Volume};
use crate::ui::app::{Action, Scene};
use crate::ui::asked::{Answer, Asked};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::histogram::{Brush, Histogram};
use crate::ui::widgets::text;

/// How old the bars may get while somebody looks at them: each time they are asked for anew takes some dozen requests.
const FRESH_MS: i64 = 10_000;
/// How high the bars are.
const HEIGHT: f32 = 44.0;
const DAY_MS: i64 = 86_400_000;

/// How they are counted, for who wonders.
const HOW: &str = "Counted by offsets, and nothing is read for it: what compaction took away and transactions' markers count as records. Where \
                   timestamps do not grow with offsets, a record counts to the time of those around it.";

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    asked: Asked,
    /// The stretch that is looked at; without one, the whole topic.
    span_ms: Option<(i64, i64)>,
    brush: Brush,
    /// What was known last: it stays while another stretch is being counted.
    known: Option<Arc<Volume>>,
    counts: Cached<(usize, Option<i32>), Vec<u64>>,
}

impl State {
    /// What is known is old now.
    pub fn again(&mut self) {
        self.asked.again();
    }
}

/// Paints it; what is chosen goes into `wish`.
pub fn show(
    ui: &mut Ui,
    scene: &Scene<'_>,
    topic: &Arc<str>,
    wish: &mut message_wish::State,
    state: &mut State,
    actions: &mut Vec<Action>,
) {
    let query = Query::Volume { topic: topic.clone(), span_ms: state.span_ms };
    let mut failed = None;
    match state.asked.look_every(FRESH_MS, scene, &query, actions) {
        Answer::Found(_, findings) => {
            if let Findings::Volume(volume) = &*findings {
                state.known = Some(volume.clone());
            }
        }
        Answer::Failed(why) => failed = Some(why),
        Answer::Waiting => {}
    }
    let style = palette(ui);
    let volume = match (&state.known, failed) {
        (_, Some(why)) => {
            text::label(ui, &format!("Records over time cannot be told: {why}"), font::small(), style.critical);
            return;
        }
        (Some(volume), None) => volume.clone(),
        (None, None) => {
            text::label(ui, "Counting records over time…", font::small(), style.faint);
            // The bars come to stand here: nothing below is to jump then.
            ui.add_space(HEIGHT + size::ICON);
            return;
        }
    };
    let Some(bars) = volume.bars else {
        text::label(ui, "The topic has no records over time yet.", font::small(), style.faint);
        return;
    };
    let key = (Arc::as_ptr(&volume) as usize, wish.partition);
    let counts = state.counts.get(key, || volume.of(wish.partition)).clone();
    let offset_minutes = scene.options.utc_offset_minutes;
    title(ui, &counts, bars, wish, &mut state.span_ms, offset_minutes);
    let words = |some: Range<usize>| {
        let count = counts[some.clone()].iter().sum::<u64>();
        let end = bars.begin_ms(some.end);
        format!(
            "{} to {}: {}",
            time::local(bars.begin_ms(some.start), offset_minutes),
            // Of a day nobody wants to read the date twice.
            short(end, bars.begin_ms(some.start), offset_minutes),
            format::plural(count as usize, "record")
        )
    };
    let mark = |bar: usize| mark(bars, bar, offset_minutes);
    let histogram = Histogram {
        name: "Records over time",
        counts: &counts,
        chosen: chosen(bars, wish.span_ms(offset_minutes)),
        height: HEIGHT,
        mark: &mark,
        words: &words,
    };
    if let Some(some) = histogram.show(ui, &mut state.brush) {
        let span_ms = (bars.begin_ms(some.start), bars.begin_ms(some.end));
        wish.set_span(Some(span_ms), scene.model.now_ms(), offset_minutes);
    }
    ui.add_space(space::XS);
}

fn title(
    ui: &mut Ui,
    counts: &[u64],
    bars: Bars,
    wish: &mut message_wish::State,
    span_ms: &mut Option<(i64, i64)>,
    offset_minutes: i32,
) {
    let style = palette(ui);
    let whose = wish.partition.map_or_else(String::new, |partition| format!(" of partition {partition}"));
    let all = format::plural(counts.iter().sum::<u64>() as usize, "record");
    let most = counts.iter().copied().max().unwrap_or(0);
    let words = format!(
        "Over time{whose}: {all} · a bar is {}, the highest has {}",
        length(bars.step_ms),
        format::count(most as i64)
    );
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        text::label(ui, &words, font::small(), style.muted).on_hover_text(HOW);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let (from_ms, until_ms) = wish.span_ms(offset_minutes);
            if span_ms.is_some()
                && Button::new("Whole topic").name("Show the whole topic over time").small().show(ui).clicked()
            {
                *span_ms = None;
            }
            let zoomed = from_ms.zip(until_ms).filter(|zoomed| bars.count > 1 && Some(*zoomed) != *span_ms);
            if let Some(zoomed) = zoomed
                && Button::new("Zoom in").name("Show what is chosen over time").small().show(ui).clicked()
            {
                *span_ms = Some(zoomed);
            }
            if until_ms.is_some() && Button::new("Any time").name("Read of any time").small().show(ui).clicked() {
                wish.set_span(None, 0, offset_minutes);
            }
            if until_ms.is_none() {
                text::label(ui, "drag to read a stretch of time", font::small(), style.faint);
            }
        });
    });
}

/// Bars that lie between two instants; an instant that is missing is an end.
fn chosen(bars: Bars, (from_ms, until_ms): (Option<i64>, Option<i64>)) -> Option<Range<usize>> {
    if from_ms.is_none() && until_ms.is_none() {
        return None;
    }
    let index = |at_ms: i64| at_ms.saturating_sub(bars.from_ms).div_euclid(bars.step_ms).clamp(0, bars.count as i64);
    let first = from_ms.map_or(0, index);
    let last = until_ms.map_or(bars.count as i64, |until_ms| index(until_ms.saturating_add(bars.step_ms - 1)));
    (first < last).then_some(first as usize..last as usize)
}

/// `30 s`, `5 min`, `1 day`.
fn length(step_ms: i64) -> String {
    match step_ms {
        ..1_000 => format!("{step_ms} ms"),
        1_000..60_000 => format!("{} s", step_ms / 1_000),
        60_000..3_600_000 => format!("{} min", step_ms / 60_000),
        3_600_000..DAY_MS => format!("{} h", step_ms / 3_600_000),
        DAY_MS => "1 day".to_owned(),
        _ => format!("{} days", step_ms / DAY_MS),
    }
}

fn short(at_ms: i64, beside_ms: i64, offset_minutes: i32) -> String {
    let (words, beside) = (time::local(at_ms, offset_minutes), time::local(beside_ms, offset_minutes));
    match (words.split_once(' '), beside.split_once(' ')) {
        (Some((day, clock)), Some((other, _))) if day == other => clock.to_owned(),
        _ => words,
    }
}

/// What stands on the axis: the time, and the date where bars are days or it changes.
fn mark(bars: Bars, bar: usize, offset_minutes: i32) -> String {
    let words = time::local(bars.begin_ms(bar), offset_minutes);
    let Some((day, clock)) = words.split_once(' ') else { return words };
    let is_one_day = time::local(bars.end_ms() - 1, offset_minutes).starts_with(day) && bar > 0;
    match bars.step_ms {
        DAY_MS.. => day.to_owned(),
        60_000.. if is_one_day => clock[..5].to_owned(),
        60_000.. => format!("{} {}", &day[5..], &clock[..5]),
        _ => clock.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARS: Bars = Bars { from_ms: 1_790_000_000_000, step_ms: 30_000, count: 10 };

    #[test]
    fn what_is_chosen_lies_in_whole_bars() {
        let at = |bars: i64| BARS.from_ms + bars * BARS.step_ms;
        assert_eq!(chosen(BARS, (None, None)), None);
        assert_eq!(chosen(BARS, (Some(at(2)), Some(at(5)))), Some(2..5));
        assert_eq!(chosen(BARS, (Some(at(2) + 1), Some(at(5) + 1))), Some(2..6));
        assert_eq!(chosen(BARS, (Some(at(8)), None)), Some(8..10));
        assert_eq!(chosen(BARS, (None, Some(at(3)))), Some(0..3));
        assert_eq!(chosen(BARS, (Some(at(30)), None)), None);
        assert_eq!(chosen(BARS, (Some(at(-9)), Some(at(-3)))), None);
    }

    #[test]
    fn the_axis_says_as_much_as_is_needed() {
        assert_eq!(mark(BARS, 1, 0), "14:13:50");
        assert_eq!(mark(Bars { step_ms: 60_000, ..BARS }, 1, 0), "14:14");
        assert_eq!(mark(Bars { step_ms: 60_000, ..BARS }, 0, 0), "09-21 14:13");
        assert_eq!(mark(Bars { step_ms: 3_600_000, count: 30, ..BARS }, 1, 0), "09-21 15:13");
        assert_eq!(mark(Bars { step_ms: DAY_MS, ..BARS }, 1, 0), "2026-09-22");
        assert_eq!(
            [1, 30_000, 300_000, 7_200_000, DAY_MS, 7 * DAY_MS].map(length),
            ["1 ms", "30 s", "5 min", "2 h", "1 day", "7 days"]
        );
    }
}
