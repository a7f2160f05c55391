//! An alarm, and how CloudWatch decides on its state.
//!
//! Source: the CloudWatch user guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data". An alarm looks at the newest
//! `evaluation_periods` periods that are over; two more are there to stand in for missing ones (CloudWatch does not say how many it takes, its
//! examples have two).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use super::math::Senseless;
use super::math::formula::{Formula, WatchedLine};
use super::statistics::Statistic;
use super::store::{Key, RESOLUTIONS, Store};
use super::time::iso;
use crate::monitor::view::Severity;

/// Periods beyond those that are evaluated, to stand in for missing ones.
const PERIODS_IN_RESERVE: u32 = 2;

/// Groups that a reason names.
const NAMES_SHOWN: usize = 5;

/// State of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// Within the threshold.
    Ok,
    /// Beyond it.
    Alarm,
    /// Nothing is known.
    InsufficientData,
}

impl AlarmState {
    /// As CloudWatch names it.
    pub fn name(self) -> &'static str {
        match self {
            AlarmState::Ok => "OK",
            AlarmState::Alarm => "ALARM",
            AlarmState::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

impl fmt::Display for AlarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not one of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {0}")]
pub struct NotOneOf(pub &'static str);

impl FromStr for AlarmState {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<AlarmState, NotOneOf> {
        let all = [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData];
        all.into_iter().find(|state| state.name() == text).ok_or(NotOneOf("OK, ALARM, INSUFFICIENT_DATA"))
    }
}

/// What is beyond the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

impl Comparison {
    /// As CloudWatch names it.
    pub fn name(self) -> &'static str {
        match self {
            Comparison::GreaterOrEqual => "GreaterThanOrEqualToThreshold",
            Comparison::Greater => "GreaterThanThreshold",
            Comparison::Less => "LessThanThreshold",
            Comparison::LessOrEqual => "LessThanOrEqualToThreshold",
        }
    }

    /// `greater than`.
    pub fn words(self) -> &'static str {
        match self {
            Comparison::GreaterOrEqual => "greater than or equal to",
            Comparison::Greater => "greater than",
            Comparison::Less => "less than",
            Comparison::LessOrEqual => "less than or equal to",
        }
    }

    fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Comparison::GreaterOrEqual => value >= threshold,
            Comparison::Greater => value > threshold,
            Comparison::Less => value < threshold,
            Comparison::LessOrEqual => value <= threshold,
        }
    }
}

impl FromStr for Comparison {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Comparison, NotOneOf> {
        let all = [Comparison::GreaterOrEqual, Comparison::Greater, Comparison::Less, Comparison::LessOrEqual];
        all.into_iter().find(|comparison| comparison.name() == text).ok_or(NotOneOf(
            "GreaterThanOrEqualToThreshold, GreaterThanThreshold, LessThanThreshold, LessThanOrEqualToThreshold (bands of anomaly detection are not there)",
        ))
    }
}

/// What a period without a value counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingData {
    /// For nothing; without any value, the state is INSUFFICIENT_DATA.
    Missing,
    /// The state stays.
    Ignore,
    /// As beyond the threshold.
    Breaching,
    /// As within the threshold.
    NotBreaching,
}

impl MissingData {
    /// As CloudWatch names it.
    pub fn name(self) -> &'static str {
        match self {
            MissingData::Missing => "missing",
            MissingData::Ignore => "ignore",
            MissingData::Breaching => "breaching",
            MissingData::NotBreaching => "notBreaching",
        }
    }
}

impl FromStr for MissingData {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<MissingData, NotOneOf> {
        let all = [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];
        all.into_iter().find(|one| one.name() == text).ok_or(NotOneOf("breaching, notBreaching, ignore, missing"))
    }
}

/// What an alarm looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// A series.
    Metric {
        /// Which.
        key: Key,
        /// What of it.
        statistic: Statistic,
    },
    /// Metric math.
    Formula(Arc<Formula>),
}

/// What is to be watched, and what for.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Unique.
    pub name: String,
    /// What to do, in one line; or what who made it says.
    pub description: String,
    /// What is compared with the threshold.
    pub watched: Watched,
    /// Seconds: 1, 5, 10, 20, 30 or a multiple of 60.
    pub period_s: i64,
    /// How many periods are looked at.
    pub evaluation_periods: u32,
    /// How many of them must be beyond the threshold.
    pub datapoints_to_alarm: u32,
    /// The threshold.
    pub threshold: f64,
    /// What is beyond it.
    pub comparison: Comparison,
    /// What a period without a value counts for.
    pub missing: MissingData,
    /// How grave it is in the list of events.
    pub severity: Severity,
    /// One of the set that comes with the program.
    pub is_ours: bool,
    /// As they were given: they are told, and nothing is sent to them.
    pub actions: Actions,
}

/// Whom CloudWatch would tell, by state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Whether it would.
    pub is_disabled: bool,
    /// On OK.
    pub ok: Vec<String>,
    /// On ALARM.
    pub alarm: Vec<String>,
    /// On INSUFFICIENT_DATA.
    pub insufficient_data: Vec<String>,
}

/// What an evaluation came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The state.
    pub state: AlarmState,
    /// Why, in one sentence.
    pub reason: String,
}

impl Alarm {
    /// Refuses what cannot be evaluated, in one sentence.
    ///
    /// # Errors
    /// One sentence for people.
    pub fn check(&self) -> Result<(), String> {
        let period_s = self.period_s;
        if !matches!(period_s, 1 | 5 | 10 | 20 | 30) && (period_s < 60 || period_s % 60 != 0) {
            return Err("Period must be 10, 20, 30 or a multiple of 60 (here also 1 and 5).".into());
        }
        if self.evaluation_periods == 0 || !(1..=self.evaluation_periods).contains(&self.datapoints_to_alarm) {
            return Err("DatapointsToAlarm must be between 1 and EvaluationPeriods.".into());
        }
        let fits = RESOLUTIONS.iter().rev().find(|resolution| period_s % resolution.period_s == 0);
        let kept_s = fits.map_or(0, |resolution| resolution.kept_s());
        let periods = i64::from(self.evaluation_periods) + i64::from(PERIODS_IN_RESERVE);
        if periods.saturating_mul(period_s) > kept_s {
            return Err(format!("EvaluationPeriods is too great: of periods of {period_s} s, {kept_s} s are kept."));
        }
        if !self.threshold.is_finite() {
            return Err("Threshold must be a number.".into());
        }
        match &self.watched {
            Watched::Metric { .. } => Ok(()),
            Watched::Formula(formula) if formula.period_s() != period_s => {
                Err("Period must be that of the metrics list.".into())
            }
            Watched::Formula(formula) => formula.check(periods),
        }
    }

    /// The series that it is on, and what of it; none of an alarm on metric math.
    pub fn metric(&self) -> Option<(&Key, Statistic)> {
        match &self.watched {
            Watched::Metric { key, statistic } => Some((key, *statistic)),
            Watched::Formula(_) => None,
        }
    }

    /// The metric math that it is on.
    pub fn formula(&self) -> Option<&Arc<Formula>> {
        match &self.watched {
            Watched::Metric { .. } => None,
            Watched::Formula(formula) => Some(formula),
        }
    }

    /// What it watches, in periods of any length that begin in a time span (aligned to them); of one series, one line.
    ///
    /// # Errors
    /// That is too much work.
    pub fn lines(&self, store: &Store, period_s: i64, span: (i64, i64)) -> Result<Vec<WatchedLine>, Senseless> {
        match &self.watched {
            Watched::Metric { key, statistic } => {
                let points = store.get(key).map(|series| series.points(*statistic, period_s, span.0, span.1));
                let points = points.into_iter().flatten().map(|point| (point.at_s, point.value)).collect();
                Ok(vec![WatchedLine { group: Vec::new(), points }])
            }
            Watched::Formula(formula) => formula.lines(store, period_s, span),
        }
    }

    /// The end of the newest period that is over, s since 1970.
    pub fn end_s(&self, now_s: i64) -> i64 {
        now_s - now_s.rem_euclid(self.period_s)
    }

    /// Looks at what it watches; `None`: the state stays.
    pub fn evaluate(&self, store: &Store, now_s: i64) -> Option<Verdict> {
        match self.recent(store, now_s) {
            Ok(lines) if self.formula().is_some_and(|formula| formula.is_grouped()) => self.of_groups(&lines, now_s),
            Ok(lines) => self.of_line(lines.first().map_or(&[], |line| &line.points), now_s),
            Err(error) => {
                let reason = format!("Insufficient Data: {error}");
                Some(Verdict { state: AlarmState::InsufficientData, reason })
            }
        }
    }

    /// The groups of a query with GROUP BY that are beyond the threshold, each with why: CloudWatch's contributors.
    pub fn contributors(&self, store: &Store, now_s: i64) -> Vec<(WatchedLine, String)> {
        if !self.formula().is_some_and(|formula| formula.is_grouped()) {
            return Vec::new();
        }
        let lines = self.recent(store, now_s).unwrap_or_default();
        let rings = |line: WatchedLine| {
            let verdict = self.of_line(&line.points, now_s).filter(|verdict| verdict.state == AlarmState::Alarm)?;
            Some((line, verdict.reason))
        };
        lines.into_iter().filter_map(rings).collect()
    }

    fn periods(&self) -> i64 {
        i64::from(self.evaluation_periods + PERIODS_IN_RESERVE)
    }

    fn recent(&self, store: &Store, now_s: i64) -> Result<Vec<WatchedLine>, Senseless> {
        let end_s = self.end_s(now_s);
        self.lines(store, self.period_s, (end_s - self.periods() * self.period_s, end_s))
    }

    /// One group that is beyond the threshold is enough.
    fn of_groups(&self, lines: &[WatchedLine], now_s: i64) -> Option<Verdict> {
        let verdicts: Vec<Option<Verdict>> = lines.iter().map(|line| self.of_line(&line.points, now_s)).collect();
        let of_state = |state: AlarmState| verdicts.iter().flatten().find(|verdict| verdict.state == state);
        let Some(ringing) = of_state(AlarmState::Alarm) else {
            if verdicts.iter().any(Option::is_none) {
                return None;
            }
            let other = of_state(AlarmState::Ok).or_else(|| of_state(AlarmState::InsufficientData));
            return other.cloned().or_else(|| self.of_line(&[], now_s));
        };
        let is_ringing = |verdict: &Option<Verdict>| matches!(verdict, Some(one) if one.state == AlarmState::Alarm);
        let names = lines.iter().zip(&verdicts).filter(|(_, verdict)| is_ringing(verdict));
        let names: Vec<String> = names.map(|(line, _)| line.name()).collect();
        let shown = names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if names.len() > NAMES_SHOWN { ", …" } else { "" };
        let (number, of) = (names.len(), lines.len());
        let reason = format!("{number} of {of} time series are in ALARM: {shown}{more}. {}", ringing.reason);
        Some(Verdict { state: AlarmState::Alarm, reason })
    }

    fn of_line(&self, points: &[(i64, f64)], now_s: i64) -> Option<Verdict> {
        let end_s = self.end_s(now_s);
        let mut values = vec![None; self.periods() as usize];
        for (at_s, value) in points {
            let age = ((end_s - at_s) / self.period_s - 1) as usize;
            if let Some(slot) = values.get_mut(age) {
                *slot = Some((*at_s, *value));
            }
        }
        let breaching: Vec<Option<bool>> = values
            .iter()
            .map(|value| value.map(|(_, value)| self.comparison.breaches(value, self.threshold)))
            .collect();
        let state =
            judge(&breaching, self.evaluation_periods as usize, self.datapoints_to_alarm as usize, self.missing)?;
        Some(Verdict { state, reason: self.reason(state, &values) })
    }

    fn reason(&self, state: AlarmState, values: &[Option<(i64, f64)>]) -> String {
        let known = values.iter().flatten().take(self.evaluation_periods as usize);
        let known: Vec<(i64, f64)> = known.copied().collect();
        let breaches = |value: f64| self.comparison.breaches(value, self.threshold);
        let (number, of) = (known.iter().filter(|(_, value)| breaches(*value)).count(), self.evaluation_periods);
        let shown = |(at_s, value): &(i64, f64)| format!("{value} ({})", iso(at_s * 1000));
        let list = known.iter().take(3).map(shown).collect::<Vec<_>>().join(", ");
        let (words, threshold) = (self.comparison.words(), self.threshold);
        match (state, known.is_empty()) {
            (AlarmState::InsufficientData, _) => {
                format!("Insufficient Data: no datapoint in {of} periods of {} s.", self.period_s)
            }
            (_, true) => format!(
                "Threshold Crossed: no datapoint in {of} periods; missing data is treated as {}.",
                self.missing.name()
            ),
            (AlarmState::Alarm, _) => format!(
                "Threshold Crossed: {number} of the last {of} datapoints were {words} the threshold ({threshold}); the newest are {list}."
            ),
            (AlarmState::Ok, _) => format!(
                "Threshold Crossed: {number} of the last {of} datapoints, and not {}, were {words} the threshold ({threshold}); the newest are {list}.",
                self.datapoints_to_alarm
            ),
        }
    }
}

/// The state, from periods (the newest first; `None`: missing; true: beyond the threshold). `None`: it stays.
pub fn judge(periods: &[Option<bool>], evaluated: usize, to_alarm: usize, missing: MissingData) -> Option<AlarmState> {
    let by_number = |number: usize| Some(if number >= to_alarm { AlarmState::Alarm } else { AlarmState::Ok });
    let real: Vec<(usize, bool)> =
        periods.iter().enumerate().filter_map(|(age, value)| Some((age + 1, (*value)?))).collect();
    let newest = &real[..real.len().min(evaluated)];
    let breaching = newest.iter().filter(|(_, breaches)| *breaches).count();
    if newest.len() == evaluated {
        return by_number(breaching);
    }
    match missing {
        MissingData::Breaching => by_number(breaching + evaluated - newest.len()),
        MissingData::NotBreaching => by_number(breaching),
        _ if breaching >= to_alarm => Some(AlarmState::Alarm),
        MissingData::Missing if newest.is_empty() => Some(AlarmState::InsufficientData),
        MissingData::Ignore if newest.is_empty() => None,
        _ if breaching < newest.len() => Some(AlarmState::Ok),
        // All that is there is beyond the threshold, and it is not enough of it.
        MissingData::Ignore => None,
        // CloudWatch calls this a premature alarm: the oldest value is old enough, and nothing speaks against it.
        MissingData::Missing => by_number(newest.last().map_or(0, |(age, _)| *age)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::math::query::{Query, What};
    use super::super::store::{Datum, Dimension};
    use super::*;

    /// CloudWatch's own tables: periods from the oldest to the newest (`0` within, `X` beyond, `-` missing); the state by treatment.
    #[test]
    fn the_tables_of_cloudwatch() {
        use AlarmState::{Alarm, InsufficientData, Ok};
        let (ok, alarm) = (Some(Ok), Some(Alarm));
        for (evaluated, to_alarm, periods, missing, ignore, breaching, not_breaching) in [
            (3, 3, "0-X-X", ok, ok, ok, ok),
            (3, 3, "----0", ok, ok, ok, ok),
            (3, 3, "-----", Some(InsufficientData), None, alarm, ok),
            (3, 3, "0XX-X", alarm, alarm, alarm, alarm),
            (3, 3, "--X--", alarm, None, alarm, ok),
            (3, 2, "0-X-X", alarm, alarm, alarm, alarm),
            (3, 2, "00X0X", alarm, alarm, alarm, alarm),
            (3, 2, "0-X--", ok, ok, alarm, ok),
            (3, 2, "----0", ok, ok, alarm, ok),
            (3, 2, "---X-", alarm, None, alarm, ok),
            (1, 1, "00X", alarm, alarm, alarm, alarm),
            (1, 1, "XX0", ok, ok, ok, ok),
            (3, 3, "----X", ok, None, alarm, ok),
        ] {
            let newest_first: Vec<Option<bool>> = periods
                .chars()
                .rev()
                .map(|one| match one {
                    '0' => Some(false),
                    'X' => Some(true),
                    _ => None,
                })
                .collect();
            for (treatment, expected) in [
                (MissingData::Missing, missing),
                (MissingData::Ignore, ignore),
                (MissingData::Breaching, breaching),
                (MissingData::NotBreaching, not_breaching),
            ] {
                let got = judge(&newest_first, evaluated, to_alarm, treatment);
                assert_eq!(got, expected, "{periods}, {to_alarm} of {evaluated}, {treatment:?}");
            }
        }
    }

    fn key(name: &str) -> Key {
        Key::new(name, vec![(Dimension::ClusterName, "c".into())])
    }

    fn alarm() -> Alarm {
        Alarm {
            name: "a".into(),
            description: String::new(),
            watched: Watched::Metric { key: key("m"), statistic: Statistic::Maximum },
            period_s: 10,
            evaluation_periods: 2,
            datapoints_to_alarm: 2,
            threshold: 5.0,
            comparison: Comparison::Greater,
            missing: MissingData::Missing,
            severity: Severity::Warning,
            is_ours: false,
            actions: Actions::default(),
        }
    }

    #[test]
    fn periods_that_are_over_are_looked_at() {
        let alarm = alarm();
        let mut store = Store::default();
        for (second, value, expected) in [
            (5, 9.0, "INSUFFICIENT_DATA"),
            (15, 9.0, "OK"),
            (25, 0.0, "ALARM"),
            (35, 0.0, "OK"),
            (80, 0.0, "INSUFFICIENT_DATA"),
        ] {
            let at_s = 1000 + second;
            let state = alarm.evaluate(&store, at_s).unwrap();
            if second < 60 {
                store.put(at_s, [Datum { key: key("m"), value }]);
            }
            assert_eq!(state.state.name(), expected, "at {second}: {}", state.reason);
            assert!(state.reason.ends_with('.'));
        }
    }

    /// `used / room * 100`, each of periods of 10 s.
    fn share() -> Formula {
        let stat = |id: &str, metric: &str| Query {
            id: id.into(),
            is_wanted: false,
            label: None,
            what: What::Stat { key: Arc::new(key(metric)), statistic: Statistic::Maximum, period_s: 10 },
        };
        let what = What::expression("used / room * 100", None).unwrap();
        let share = Query { id: "share".into(), is_wanted: true, label: None, what };
        Formula::new(vec![share, stat("used", "m"), stat("room", "n")]).unwrap()
    }

    #[test]
    fn metric_math_is_looked_at_as_a_metric_is() {
        let alarm = Alarm { watched: Watched::Formula(Arc::new(share())), ..alarm() };
        let mut store = Store::default();
        let mut states = Vec::new();
        for second in 1000..1080 {
            states.extend(alarm.evaluate(&store, second).map(|verdict| (second, verdict.state)));
            // Of 50, 2 are used, then 3; and from 1050 on nothing is left to divide by.
            let (used, room) = (if second < 1030 { 2.0 } else { 3.0 }, if second < 1050 { 50.0 } else { 0.0 });
            store.put(second, [("m", used), ("n", room)].map(|(name, value)| Datum { key: key(name), value }));
        }
        states.dedup_by_key(|(_, state)| *state);
        use AlarmState::{Alarm as Ringing, InsufficientData, Ok};
        assert_eq!(states, [(1000, InsufficientData), (1010, Ok), (1050, Ringing)]);
        let said = alarm.evaluate(&store, 1050).unwrap().reason;
        assert!(
            said.contains("2 of the last 2 datapoints were greater than the threshold (5); the newest are 6 (1970"),
            "{said}"
        );
        // What is divided by zero is missing, and so in the end all is.
        assert_eq!(alarm.evaluate(&store, 1090).unwrap().state, InsufficientData);
        let (wrong, long) = (Alarm { period_s: 60, ..alarm.clone() }, Alarm { evaluation_periods: 2_000, ..alarm });
        assert!(wrong.check().unwrap_err().contains("metrics list") && long.check().is_err());
    }

    #[test]
    fn one_group_that_is_beyond_the_threshold_is_enough() {
        let query = r#"SELECT MAX(m) FROM "AWS/Kafka" GROUP BY "Broker ID" ORDER BY MAX() DESC"#;
        let what = What::expression(query, Some(10)).unwrap();
        let query = Query { id: "q1".into(), is_wanted: true, label: None, what };
        let formula = Watched::Formula(Arc::new(Formula::new(vec![query]).unwrap()));
        let alarm = Alarm { watched: formula, ..alarm() };
        let mut store = Store::default();
        let mut states = Vec::new();
        for second in 1000..1080 {
            states.extend(alarm.evaluate(&store, second).map(|verdict| (second, verdict.state)));
            // Broker 2 has too much from 1020 to 1050, and broker 3 is gone from 1060 on.
            let of = |broker: i64| if broker == 2 && (1020..1050).contains(&second) { 9.0 } else { 1.0 };
            let brokers = (1..=3).filter(|broker| *broker < 3 || second < 1060);
            store.put(
                second,
                brokers.map(|broker| {
                    let dimensions = vec![(Dimension::BrokerId, broker.to_string().into())];
                    Datum { key: Key::new("m", dimensions), value: of(broker) }
                }),
            );
        }
        states.dedup_by_key(|(_, state)| *state);
        use AlarmState::{Alarm as Ringing, InsufficientData, Ok};
        assert_eq!(states, [(1000, InsufficientData), (1010, Ok), (1040, Ringing), (1060, Ok)]);
        let said = alarm.evaluate(&store, 1050).unwrap().reason;
        assert!(said.starts_with("1 of 3 time series are in ALARM: 2. Threshold Crossed: 2 of the last 2"), "{said}");
        let ringing = alarm.contributors(&store, 1050);
        assert_eq!(ringing.iter().map(|(line, _)| line.name()).collect::<Vec<_>>(), ["2"]);
        assert!(alarm.contributors(&store, 1070).is_empty());
        assert_eq!(alarm.evaluate(&store, 1200).unwrap().state, InsufficientData, "all of them are gone");
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused() {
        let with = |change: fn(&mut Alarm)| {
            let mut alarm = alarm();
            change(&mut alarm);
            alarm.check()
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert!(with(|alarm| alarm.period_s = 7).is_err());
        assert!(with(|alarm| alarm.period_s = 90).is_err());
        assert!(with(|alarm| alarm.period_s = 0).is_err());
        assert!(with(|alarm| alarm.datapoints_to_alarm = 3).is_err());
        assert!(with(|alarm| alarm.evaluation_periods = 0).is_err());
        assert!(with(|alarm| alarm.evaluation_periods = u32::MAX - 2).is_err());
        assert!(with(|alarm| alarm.threshold = f64::NAN).is_err());
        assert!(with(|alarm| (alarm.period_s, alarm.evaluation_periods) = (300, 286)).is_ok());
    }

    #[test]
    fn names_are_cloudwatchs() {
        for name in
            ["GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"]
        {
            assert_eq!(name.parse::<Comparison>().unwrap().name(), name);
        }
        for name in ["missing", "ignore", "breaching", "notBreaching"] {
            assert_eq!(name.parse::<MissingData>().unwrap().name(), name);
        }
        for name in ["OK", "ALARM", "INSUFFICIENT_DATA"] {
            assert_eq!(name.parse::<AlarmState>().unwrap().name(), name);
        }
        assert!("GreaterThanUpperThreshold".parse::<Comparison>().is_err());
    }
}
