//! Points in time as text.

/// `2026-11-27T02:26:19.123Z` of ms since 1970.
pub fn iso(at_ms: i64) -> String {
    let (days, in_day_ms) = (at_ms.div_euclid(86_400_000), at_ms.rem_euclid(86_400_000));
    let (year, month, day) = date(days);
    let second = in_day_ms / 1000;
    let (hour, minute, second, ms) = (second / 3600, second / 60 % 60, second % 60, in_day_ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// The date of a day since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970 of a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

/// Reads `2026-11-27T02:26:19Z`, with or without parts of a second, and with `Z` or an offset (`+01:00`); without either it is UTC.
pub fn parse_iso(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
    let mut parts = date.split('-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (time, offset_s) = match time.find(['Z', '+', '-']) {
        None => (time, 0),
        Some(at) if &time[at..] == "Z" => (&time[..at], 0),
        Some(at) => {
            let (hours, minutes) = time[at + 1..].split_once(':')?;
            let offset = number(hours)?.checked_mul(3600)? + number(minutes)?.checked_mul(60)?;
            (&time[..at], if time[at..].starts_with('-') { -offset } else { offset })
        }
    };
    let (whole, part) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = whole.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let is_date = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_time = hour < 24 && minute < 60 && second < 61 && offset_s.abs() <= 86_400;
    if !is_date || !is_time || part.len() > 9 {
        return None;
    }
    let ms = if part.is_empty() { 0 } else { number(&format!("{part:0<3}")[..3])? };
    Some((days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s) * 1000 + ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (at_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_746_379_123, "2026-11-27T02:26:19.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(iso(at_ms), text);
            assert_eq!(parse_iso(text), Some(at_ms));
        }
        for (text, at_ms) in [
            ("1970-01-01T00:00:01Z", Some(1000)),
            ("1970-01-01T01:00:01+01:00", Some(1000)),
            ("1970-01-01T00:00:01.5", Some(1500)),
            ("1970-01-01T00:01", Some(60_000)),
            ("1970-13-01T00:00:01Z", None),
            ("1970-01-01", None),
            ("1970-01-01T25:00:00Z", None),
            ("1970-01-01T00:00:00+99:99999999999999999999", None),
            ("now", None),
        ] {
            assert_eq!(parse_iso(text), at_ms, "{text}");
        }
    }
}
