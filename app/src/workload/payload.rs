//! What records are made of. The same seed makes the same records: only the time that they tell is that of their making.

use std::fmt::Write as _;

use super::dice::Dice;
use super::record::{self, Number};
use crate::monitor::workload::{Payload, WorkloadSpec};

/// A visit lasts at most this long.
const SESSION_MS: i64 = 30 * 60 * 1000;
/// Of how many keys it is remembered what they did last.
const REMEMBERED_MAX: usize = 100_000;

/// A page, and where one goes from it, with weights.
struct Page {
    path: &'static str,
    next: &'static [(usize, u64)],
}

const fn page(path: &'static str, next: &'static [(usize, u64)]) -> Page {
    Page { path, next }
}

/// A small shop. The numbers are indices of this table.
static PAGES: [Page; 7] = [
    page("/", &[(1, 45), (2, 30), (6, 5), (0, 20)]),
    page("/search", &[(2, 60), (1, 25), (0, 15)]),
    page("/product", &[(2, 35), (3, 25), (1, 25), (0, 15)]),
    page("/cart", &[(4, 50), (2, 40), (0, 10)]),
    page("/checkout", &[(5, 75), (3, 25)]),
    page("/thanks", &[(0, 100)]),
    page("/help", &[(0, 60), (1, 40)]),
];

const SOURCES: [&str; 5] =
    ["-", "https://www.google.com/", "https://duckduckgo.com/", "newsletter", "https://news.example/"];
const DEVICES: [&str; 3] = ["desktop", "mobile", "tablet"];
const WORDS: [&str; 8] = ["lamp", "chair", "kettle", "notebook", "headphones", "jacket", "bicycle", "coffee"];
const SERVICES: [&str; 5] = ["checkout", "catalog", "payments", "search", "accounts"];

/// Makes the records of one producer.
#[derive(Debug)]
pub struct Maker {
    producer: u32,
    /// By key: the page that was looked at last (and 1 more), or how far a sensor has drifted.
    pages: Vec<u8>,
    drifts: Vec<f32>,
}

/// One record that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Which one.
    pub number: Number,
    /// Its key.
    pub key: u32,
    /// Wall clock.
    pub at_ms: i64,
}

impl Maker {
    /// Of a producer.
    pub fn new(producer: u32) -> Maker {
        Maker { producer, pages: Vec::new(), drifts: Vec::new() }
    }

    /// Writes key and value of a record.
    pub fn write(&mut self, spec: &WorkloadSpec, wish: &Wish, key: &mut String, value: &mut String) {
        key.clear();
        value.clear();
        let name = match spec.payload {
            Payload::Plain => "key",
            Payload::Clickstream => "user",
            Payload::AppLog => "web",
            Payload::Iot => "sensor",
        };
        // Writing to a String cannot fail.
        let _ = write!(key, "{name}-{}", wish.key);
        let mut dice = Dice::of(&[spec.seed, self.producer.into(), wish.number.sequence, 2]);
        match spec.payload {
            Payload::Plain => {
                record::begin_json(value, wish.number);
                record::end_json(value, spec.record_bytes);
            }
            Payload::Clickstream => self.click(spec, wish, &mut dice, value),
            Payload::AppLog => log_line(spec, wish, &mut dice, value),
            Payload::Iot => self.reading(spec, wish, &mut dice, value),
        }
        record::seal(key, value);
    }

    fn click(&mut self, spec: &WorkloadSpec, wish: &Wish, dice: &mut Dice, value: &mut String) {
        let at = (wish.key as usize).min(REMEMBERED_MAX - 1);
        if self.pages.len() <= at {
            self.pages.resize(at + 1, 0);
        }
        let of_user = |what: u64| Dice::of(&[spec.seed, wish.key.into(), what]);
        let last = usize::from(self.pages[at]).checked_sub(1).and_then(|index| PAGES.get(index));
        let (page, referrer) = match last {
            None => (0, of_user(3).pick(&SOURCES)),
            Some(last) => (weighted(dice, last.next), last.path),
        };
        self.pages[at] = page as u8 + 1;
        let visit = Dice::of(&[spec.seed, wish.key.into(), (wish.at_ms / SESSION_MS) as u64]).next();
        record::begin_json(value, wish.number);
        let path = PAGES[page].path;
        let _ = write!(value, ",\"at\":\"{}\",\"event\":\"page_view\"", utc(wish.at_ms));
        let _ = write!(value, ",\"user\":\"user-{}\",\"session\":\"{visit:016x}\",\"page\":\"{path}", wish.key);
        let _ = match path {
            "/product" => write!(value, "/{}", 1000 + dice.below(400)),
            "/search" => write!(value, "?q={}", dice.pick(&WORDS)),
            _ => Ok(()),
        };
        let (device, millis) = (of_user(4).pick(&DEVICES), 40 + dice.below(60) + dice.below(40) * dice.below(20));
        let _ = write!(value, "\",\"referrer\":\"{referrer}\",\"device\":\"{device}\",\"load_ms\":{millis}");
        record::end_json(value, spec.record_bytes);
    }

    fn reading(&mut self, spec: &WorkloadSpec, wish: &Wish, dice: &mut Dice, value: &mut String) {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        let at = (wish.key as usize).min(REMEMBERED_MAX - 1);
        if self.drifts.len() <= at {
            self.drifts.resize(at + 1, 0.0);
        }
        // It wanders, and is drawn back a little.
        let step = (dice.share() - 0.5) * 0.1;
        self.drifts[at] = self.drifts[at] * 0.999 + step as f32;
        let own = Dice::of(&[spec.seed, wish.key.into(), 5]).share();
        let of_day = (wish.at_ms.rem_euclid(DAY_MS) as f64 / DAY_MS as f64 * std::f64::consts::TAU).sin();
        let noise = dice.share() - 0.5;
        let celsius = 18.0 + own * 6.0 + of_day * 3.0 + f64::from(self.drifts[at]) + noise * 0.2;
        let humidity = (55.0 - (celsius - 20.0) * 1.8 + noise * 4.0).clamp(5.0, 98.0);
        let battery = 100.0 - (own * 20.0 + wish.number.sequence as f64 / 50_000.0) % 100.0;
        record::begin_json(value, wish.number);
        let _ = write!(
            value,
            ",\"at\":\"{}\",\"sensor\":\"sensor-{}\",\"site\":\"{}\"",
            utc(wish.at_ms),
            wish.key,
            site(wish.key)
        );
        let _ = write!(
            value,
            ",\"temperature_c\":{celsius:.2},\"humidity_percent\":{humidity:.1},\"battery_percent\":{battery:.1}"
        );
        record::end_json(value, spec.record_bytes);
    }
}

fn site(key: u32) -> &'static str {
    ["north", "east", "south", "west"][key as usize % 4]
}

fn weighted(dice: &mut Dice, choices: &[(usize, u64)]) -> usize {
    let mut rest = dice.below(choices.iter().map(|choice| choice.1).sum());
    for (index, weight) in choices {
        if rest < *weight {
            return *index;
        }
        rest -= weight;
    }
    0
}

/// RFC 5424: facility 16 (local0), and the severity of the line.
fn log_line(spec: &WorkloadSpec, wish: &Wish, dice: &mut Dice, value: &mut String) {
    let service = dice.pick(&SERVICES);
    let millis = 3 + dice.below(40) + dice.below(30) * dice.below(30);
    let (severity, message) = match dice.below(100) {
        0..3 => (3, format!("request failed: upstream {} did not answer within {millis} ms", dice.pick(&SERVICES))),
        3..12 => (4, format!("slow request: {} took {} ms", PAGES[dice.below(7) as usize].path, 500 + millis)),
        12..40 => (6, format!("order {} placed, {} items", 10_000 + dice.below(90_000), 1 + dice.below(5))),
        _ => (6, format!("GET {} 200 in {millis} ms", PAGES[dice.below(7) as usize].path)),
    };
    let process = 1000 + Dice::of(&[spec.seed, wish.key.into(), 6]).below(8000);
    let _ = write!(value, "<{}>1 {} web-{} {service} {process} - ", 16 * 8 + severity, utc(wish.at_ms), wish.key);
    record::write_structured(value, wish.number);
    let _ = write!(value, " {message}");
    if value.len() + 7 <= spec.record_bytes {
        value.push_str(" trace=");
        record::fill(value, spec.record_bytes);
    }
}

/// `2026-11-27T15:04:05.678Z`.
fn utc(at_ms: i64) -> String {
    let (days, of_day) = (at_ms.div_euclid(86_400_000), at_ms.rem_euclid(86_400_000));
    // The civil calendar, from days since 1970-01-01, by eras of 400 years that begin in March.
    let from_march = days + 719_468;
    let (era, of_era) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (seconds, ms) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const AT_MS: i64 = 1_795_791_845_678;

    fn records(spec: &WorkloadSpec, count: u64) -> Vec<(String, String)> {
        let mut maker = Maker::new(1);
        let (mut key, mut value) = (String::new(), String::new());
        let made = (0..count).map(|sequence| {
            let number = Number { workload: 3, producer: 1, sequence };
            let wish = Wish { number, key: (sequence % 5) as u32, at_ms: AT_MS + sequence as i64 };
            maker.write(spec, &wish, &mut key, &mut value);
            assert_eq!(record::read_number(value.as_bytes()), Some(number), "{value}");
            assert!(record::is_sound(key.as_bytes(), value.as_bytes()), "{value}");
            (key.clone(), value.clone())
        });
        made.collect()
    }

    fn spec(payload: Payload) -> WorkloadSpec {
        WorkloadSpec { payload, ..WorkloadSpec::default() }
    }

    #[test]
    fn the_same_seed_makes_the_same_records() {
        for payload in [Payload::Plain, Payload::Clickstream, Payload::AppLog, Payload::Iot] {
            let spec = spec(payload);
            assert_eq!(records(&spec, 50), records(&spec, 50));
            let other = WorkloadSpec { seed: 2, ..spec.clone() };
            assert_eq!(records(&spec, 50) == records(&other, 50), payload == Payload::Plain);
        }
    }

    #[test]
    fn records_have_at_least_the_size_that_was_asked_for() {
        for payload in [Payload::Plain, Payload::Clickstream, Payload::AppLog, Payload::Iot] {
            let spec = WorkloadSpec { record_bytes: 700, ..spec(payload) };
            assert!(records(&spec, 20).iter().all(|(_, value)| value.len() == 700), "{payload:?}");
        }
    }

    #[test]
    fn clicks_lead_from_page_to_page() {
        let made = records(&spec(Payload::Clickstream), 200);
        let mut last: [Option<String>; 5] = Default::default();
        for (index, (key, value)) in made.iter().enumerate() {
            let click: Value = serde_json::from_str(value).unwrap();
            assert_eq!(click["user"], key.as_str());
            let page = click["page"].as_str().unwrap();
            let path = format!("/{}", page.trim_start_matches('/').split(['/', '?']).next().unwrap());
            if let Some(last) = &last[index % 5] {
                assert_eq!(click["referrer"], last.as_str());
            }
            last[index % 5] = Some(path);
        }
    }

    #[test]
    fn log_lines_are_syslog() {
        let made = records(&spec(Payload::AppLog), 300);
        let line = regex::Regex::new(r#"^<13[1-6]>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z web-\d \w+ \d{4} - \[brokerscope@32473 workload="3" producer="1" sequence="\d+" crc="[0-9a-f]{8}"\] .+"#).unwrap();
        assert!(made.iter().all(|(_, value)| line.is_match(value)), "{}", made[0].1);
        let errors = made.iter().filter(|(_, value)| value.starts_with("<131>")).count();
        assert!((2..25).contains(&errors), "{errors} of 300");
    }

    #[test]
    fn sensors_drift_and_do_not_jump() {
        let made = records(&spec(Payload::Iot), 5_000);
        let of_one: Vec<f64> = made
            .iter()
            .step_by(5)
            .map(|(_, value)| serde_json::from_str::<Value>(value).unwrap()["temperature_c"].as_f64().unwrap())
            .collect();
        assert!(of_one.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.4));
        let (least, most) = of_one.iter().fold((f64::MAX, f64::MIN), |(a, b), value| (a.min(*value), b.max(*value)));
        assert!(most - least > 0.3, "it drifts: {least} to {most}");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(AT_MS), "2026-11-27T15:04:05.678Z");
    }
}
