//! Numbers, bytes and times as people read them.

use crate::monitor::names::grouped;

/// `1,234,567`.
pub fn count(value: i64) -> String {
    grouped(value)
}

/// `950`, `1.2 k`, `34 k`, `5.6 M`.
pub fn compact(value: f64) -> String {
    scaled(value, 1000.0, &["", " k", " M", " G", " T"])
}

/// `0 %`, `0.00012 %`, `0.15 %`, `7.5 %`, `85 %`: small shares with as many decimals as tell neighbours on an axis apart.
pub fn percent(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let decimals = match value.abs() {
        0.0 => 0,
        share if share < 0.1 => (2.0 - share.log10().floor().max(-6.0)) as usize - 1,
        share if share < 1.0 => 2,
        _ => 1,
    };
    let written = format!("{value:.decimals$}");
    format!("{} %", written.strip_suffix(".0").unwrap_or(&written))
}

/// At most four characters: `950`, `1.2k`, `52k`, `5.6M`.
pub fn short(value: i64) -> String {
    let (value, unit) = match value.unsigned_abs() {
        0..1_000 => return value.to_string(),
        1_000..1_000_000 => (value as f64 / 1e3, 'k'),
        1_000_000..1_000_000_000 => (value as f64 / 1e6, 'M'),
        _ => (value as f64 / 1e9, 'G'),
    };
    let decimals = usize::from(value.abs() < 9.95);
    format!("{value:.decimals$}{unit}")
}

/// `0 B`, `12.3 KiB`, `4.5 GiB`.
pub fn bytes(value: f64) -> String {
    scaled(value, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB"])
}

/// `1.2 MiB/s`.
pub fn byte_rate(value: f64) -> String {
    format!("{}/s", bytes(value))
}

/// `1.2 k/s`.
pub fn rate(value: f64) -> String {
    format!("{}/s", compact(value))
}

fn scaled(value: f64, base: f64, units: &[&str]) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let mut scaled = value.abs();
    let mut unit = 0;
    // 999.95 would round up to "1000.0": step over a little early.
    while scaled >= base - base / 20_000.0 && unit + 1 < units.len() {
        scaled /= base;
        unit += 1;
    }
    let sign = if value < 0.0 { "−" } else { "" };
    // Up to three digits that mean something; whole numbers of the smallest unit stay whole.
    let decimals = usize::from(scaled < 99.95 && !(unit == 0 && (scaled >= 10.0 || scaled.fract() == 0.0)));
    format!("{sign}{scaled:.decimals$}{}", units[unit])
}

/// `0.84 ms`, `12 ms`, `1.5 s`.
pub fn millis(value: f64) -> String {
    if !value.is_finite() {
        "–".to_owned()
    } else if value >= 7_200_000.0 {
        format!("{:.1} h", value / 3_600_000.0)
    } else if value >= 120_000.0 {
        format!("{:.1} min", value / 60_000.0)
    } else if value >= 1000.0 {
        format!("{:.1} s", value / 1000.0)
    } else if value >= 10.0 {
        format!("{value:.0} ms")
    } else if value >= 1.0 {
        format!("{value:.1} ms")
    } else if value > 0.0 && value < 0.005 {
        "<0.01 ms".to_owned()
    } else {
        format!("{value:.2} ms")
    }
}

/// How long ago: `now`, `4 s`, `12 min`, `3 h`, `2 d`.
pub fn ago(now_ms: i64, at_ms: i64) -> String {
    let seconds = (now_ms - at_ms).max(0) / 1000;
    match seconds {
        0 => "now".to_owned(),
        1..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min", seconds / 60),
        3600..=86_399 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A time of day, `14:03:22`, in the zone that lies `offset_minutes` east of UTC.
pub fn clock(at_ms: i64, offset_minutes: i32) -> String {
    let seconds = at_ms.saturating_add(i64::from(offset_minutes) * 60_000).div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A time of day with milliseconds.
pub fn clock_ms(at_ms: i64, offset_minutes: i32) -> String {
    format!("{}.{:03}", clock(at_ms, offset_minutes), at_ms.rem_euclid(1000))
}

/// `UTC`, `UTC+2`, `UTC−3:30`.
pub fn zone(offset_minutes: i32) -> String {
    let (hours, minutes) = (offset_minutes.abs() / 60, offset_minutes.abs() % 60);
    let sign = if offset_minutes < 0 { '−' } else { '+' };
    match (hours, minutes) {
        (0, 0) => "UTC".to_owned(),
        (_, 0) => format!("UTC{sign}{hours}"),
        _ => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// `1, 2, 3`; `none` where there is nothing.
pub fn ids(ids: &[i32]) -> String {
    if ids.is_empty() {
        return "none".to_owned();
    }
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
}

/// Text of at most so many characters; what is cut off is told by three dots.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// `1 member`, `2 members`.
pub fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {one}s", self::count(count as i64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(-1_000), "−1,000");
        let shares = [0.0, 0.05, 0.1, 0.15, 7.5, 85.0, f64::NAN].map(percent);
        assert_eq!(shares, ["0 %", "0.050 %", "0.10 %", "0.15 %", "7.5 %", "85 %", "–"]);
        assert_eq!(compact(0.0), "0");
        assert_eq!(compact(0.5), "0.5");
        assert_eq!(compact(950.0), "950");
        assert_eq!(compact(1_234.0), "1.2 k");
        assert_eq!(compact(999_960.0), "1.0 M");
        assert_eq!(compact(123_400.0), "123 k");
        assert_eq!([short(999), short(1_234), short(51_863), short(5_600_000)], ["999", "1.2k", "52k", "5.6M"]);
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(1536.0), "1.5 KiB");
        assert_eq!(byte_rate(1_572_864.0), "1.5 MiB/s");
        assert_eq!(compact(f64::NAN), "–");
    }

    #[test]
    fn times_read_well() {
        assert_eq!((millis(0.5), millis(0.001), millis(0.0)), ("0.50 ms".into(), "<0.01 ms".into(), "0.00 ms".into()));
        assert_eq!(
            [0.0, 0.000_04, 0.004, 0.05, 0.15, 7.5, 85.0].map(percent),
            ["0 %", "0.000040 %", "0.0040 %", "0.050 %", "0.15 %", "7.5 %", "85 %"]
        );
        assert_eq!(millis(12.4), "12 ms");
        assert_eq!(millis(1500.0), "1.5 s");
        assert_eq!(millis(180_000.0), "3.0 min");
        assert_eq!(ago(10_000, 10_000), "now");
        assert_eq!(ago(10_000, 20_000), "now");
        assert_eq!(ago(100_000, 40_000), "1 min");
        assert_eq!(clock(1_790_000_000_000, 0), "14:13:20");
        assert_eq!(clock_ms(-1, 0), "23:59:59.999");
        assert_eq!(clock(0, 90), "01:30:00");
        assert_eq!(zone(0), "UTC");
        assert_eq!(zone(120), "UTC+2");
        assert_eq!(zone(-210), "UTC−3:30");
    }

    #[test]
    fn lists_read_well() {
        assert_eq!(ids(&[]), "none");
        assert_eq!(ids(&[3, 1]), "3, 1");
        assert_eq!(plural(1, "member"), "1 member");
        assert_eq!(plural(1200, "topic"), "1,200 topics");
        assert_eq!((shortened("größer", 6), shortened("größer", 4)), ("größer".into(), "grö…".into()));
    }
}
