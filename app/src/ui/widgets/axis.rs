//! Axes of charts: round numbers, marks, and how values are written.

use egui_plot::GridMark;

use crate::ui::format;

/// The end of the axis: the next round number.
pub fn nice_top(top: f64, whole: bool) -> f64 {
    if top <= 0.0 {
        return if whole { 4.0 } else { 1.0 };
    }
    let magnitude = 10f64.powf(top.log10().floor());
    let nice = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * magnitude)
        .find(|nice| *nice >= top * 1.04)
        .unwrap_or(12.0 * magnitude);
    if whole { nice.ceil().max(4.0) } else { nice }
}

/// Marks of the value axis; of things that are counted, at whole numbers only.
pub fn value_marks(top: f64, scale: f64, whole: bool) -> Vec<GridMark> {
    let top = top / scale;
    let rough = top / 4.0;
    let magnitude = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * magnitude);
    let fits = |step: &f64| *step >= rough && !(whole && step.fract() != 0.0);
    let step = steps.into_iter().find(fits).unwrap_or(top);
    let count = (top / step + 1e-6).floor() as usize;
    (0..=count).map(|index| GridMark { value: index as f64 * step * scale, step_size: step * scale }).collect()
}

/// Marks of the time axis, s before now.
pub fn time_marks(window_s: f64) -> Vec<GridMark> {
    let step = match window_s {
        ..=60.0 => 15.0,
        ..=300.0 => 60.0,
        ..=900.0 => 180.0,
        ..=10_800.0 => 1_800.0,
        _ => 14_400.0,
    };
    let count = (window_s / step) as usize;
    (0..=count).map(|index| GridMark { value: -(index as f64) * step, step_size: step }).collect()
}

/// `now`, `−30 s`, `−5 min`, `−2 h`.
pub fn since(seconds: f64) -> String {
    let seconds = -seconds.round() as i64;
    match seconds {
        0 => "now".to_owned(),
        _ if seconds % 3600 == 0 => format!("−{} h", seconds / 3600),
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
    /// Bytes.
    Bytes,
    /// Bytes per second.
    ByteRate,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// 0 to 100.
    Percent,
}

impl Unit {
    /// The value as people read it.
    pub fn write(self, value: f64) -> String {
        match self {
            Unit::Count => format::compact(value),
            Unit::Rate => format::rate(value),
            Unit::Bytes => format::bytes(value),
            Unit::ByteRate => format::byte_rate(value),
            Unit::Millis if value == 0.0 => "0 ms".to_owned(),
            Unit::Millis => format::millis(value),
            Unit::Seconds if value == 0.0 => "0 s".to_owned(),
            Unit::Seconds => format::millis(value * 1000.0),
            Unit::Percent => format::percent(value),
        }
    }

    /// What one unit of the axis is worth: KiB and MiB are round numbers of their own kind.
    pub fn scale(self, top: f64) -> f64 {
        match self {
            Unit::Bytes | Unit::ByteRate if top > 0.0 => 1024f64.powf((top.ln() / 1024f64.ln()).floor()),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers() {
        assert_eq!((nice_top(0.0, false), nice_top(0.0, true)), (1.0, 4.0));
        assert_eq!(nice_top(950.0, false), 1000.0);
        assert_eq!(nice_top(3.0, true), 4.0);
        assert!(value_marks(1000.0, 1.0, false).len() >= 4);
        let marks = |top: f64| value_marks(top, 1.0, true).iter().map(|mark| mark.value).collect::<Vec<_>>();
        assert_eq!((marks(4.0), marks(10.0)), (vec![0.0, 1.0, 2.0, 3.0, 4.0], vec![0.0, 5.0, 10.0]));
        assert_eq!(since(-60.0), "−1 min");
        assert_eq!(since(-7_200.0), "−2 h");
        assert_eq!(since(-0.0), "now");
    }

    #[test]
    fn every_range_has_some_marks_and_not_too_many() {
        for window_s in [60.0, 300.0, 900.0, 10_800.0, 86_400.0] {
            assert!((5..=7).contains(&time_marks(window_s).len()), "{window_s}");
        }
    }

    #[test]
    fn units_are_written() {
        let written =
            [Unit::Bytes, Unit::ByteRate, Unit::Seconds, Unit::Percent, Unit::Count].map(|unit| unit.write(1536.0));
        assert_eq!(written, ["1.5 KiB", "1.5 KiB/s", "25.6 min", "1536 %", "1.5 k"]);
    }
}
