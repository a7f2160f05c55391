//! Dates and times as people write them. Source of the arithmetic: Howard Hinnant, "chrono-compatible low-level date algorithms".

const DAY_MS: i64 = 86_400_000;

/// `2026-11-27T14:03:22.120Z`; milliseconds only where there are any.
pub fn utc(at_ms: i64) -> String {
    format!("{}Z", local(at_ms, 0).replacen(' ', "T", 1))
}

/// `2026-11-27 14:03:22` in the zone that lies `offset_minutes` east of UTC; milliseconds only where there are any.
pub fn local(at_ms: i64, offset_minutes: i32) -> String {
    let at_ms = at_ms.saturating_add(i64::from(offset_minutes) * 60_000);
    let (day, ms) = (at_ms.div_euclid(DAY_MS), at_ms.rem_euclid(DAY_MS));
    let (year, month, date) = civil(day);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    let fraction = if ms % 1_000 == 0 { String::new() } else { format!(".{:03}", ms % 1_000) };
    format!("{year:04}-{month:02}-{date:02} {hours:02}:{minutes:02}:{seconds:02}{fraction}")
}

/// `2026-11-27`, a day after 1970-01-01.
pub fn date(day: i64) -> String {
    let (year, month, date) = civil(day);
    format!("{year:04}-{month:02}-{date:02}")
}

/// What [`local`] writes; seconds, the time, or the date (then today, of `now_ms`) may be left out. With `Z` at its end it is UTC.
pub fn parse(typed: &str, offset_minutes: i32, now_ms: i64) -> Option<i64> {
    let typed = typed.trim();
    let (typed, offset_minutes) = match typed.strip_suffix(['Z', 'z']) {
        Some(rest) => (rest, 0),
        None => (typed, offset_minutes),
    };
    let offset_ms = i64::from(offset_minutes) * 60_000;
    let (day, clock) = match typed.split_once([' ', 'T']) {
        Some((day, clock)) => (day, clock.trim()),
        None if typed.contains(':') => ("", typed),
        None if typed.is_empty() => return None,
        None => (typed, "0:00"),
    };
    let day = if day.is_empty() { (now_ms + offset_ms).div_euclid(DAY_MS) } else { parse_date(day)? };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let milliseconds: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let parts: Vec<i64> = clock.split(':').map(|part| digits(part, 2)).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match parts[..] {
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    let fits = hours < 24 && minutes < 60 && seconds < 60;
    fits.then(|| day * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1_000 + milliseconds - offset_ms)
}

fn parse_date(typed: &str) -> Option<i64> {
    let mut parts = typed.split('-');
    let (year, month, date) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let day = days(year, month, date);
    // The 31st of February is not a day.
    (parts.next().is_none() && civil(day) == (year, month, date)).then_some(day)
}

fn digits(part: &str, most: usize) -> Option<i64> {
    let fits = (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|_| fits)
}

/// Year, month and day of a day after 1970-01-01.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

fn days(year: i64, month: i64, date: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + date - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_as_people_write_them() {
        let now_ms = 1_790_000_000_000;
        assert_eq!(utc(now_ms), "2026-09-21T14:13:20Z");
        assert_eq!(local(now_ms + 7, 120), "2026-09-21 16:13:20.007");
        for (typed, offset, expected) in [
            ("2026-09-21 14:13:20", 0, Some(now_ms)),
            ("2026-09-21T16:13:20.5", 120, Some(now_ms + 500)),
            ("2026-09-21 14:13:20Z", 120, Some(now_ms)),
            ("16:13", 120, Some(now_ms - 20_000)),
            ("2026-09-21", 0, Some(now_ms - 51_200_000)),
            ("1969-12-31 23:59:59", 0, Some(-1_000)),
            ("2024-02-29", 0, Some(1_709_164_800_000)),
            ("2026-02-29", 0, None),
            ("24:00", 0, None),
            ("2026-9", 0, None),
            ("now", 0, None),
            ("", 0, None),
            ("1:2:3:4", 0, None),
            ("+1:00", 0, None),
        ] {
            assert_eq!(parse(typed, offset, now_ms), expected, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(at_ms in 0_i64..253_402_300_799_000, offset in -720_i32..840) {
            prop_assert_eq!(parse(&local(at_ms, offset), offset, 0), Some(at_ms));
            prop_assert_eq!(parse(&utc(at_ms), offset, 0), Some(at_ms));
        }

        #[test]
        fn nothing_typed_makes_it_stumble(typed in "\\PC{0,24}", at_ms in any::<i64>(), offset in -720_i32..840) {
            let _ = parse(&typed, offset, at_ms / 4);
            local(at_ms, offset);
        }
    }
}
