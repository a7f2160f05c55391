//! An alarm while it is being described: what stands in the fields, what is wrong with them, and what comes of it. Pure.

use std::sync::Arc;

use super::measured;
use crate::monitor::cloudwatch::alarm::{Actions, Alarm, Comparison, MissingData, Watched};
use crate::monitor::cloudwatch::alarms::Alarms;
use crate::monitor::cloudwatch::catalog;
use crate::monitor::cloudwatch::math::formula::Formula;
use crate::monitor::cloudwatch::statistics::Statistic;
use crate::monitor::cloudwatch::store::{Key, Store};
use crate::monitor::view::Severity;

/// How a dialog on an alarm opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Empty.
    Blank,
    /// On a metric, by its row of the catalogue ([`measured::pin_of`]): on its series if it has just one, else these are there to choose from.
    Metric(String, Option<Statistic>),
    /// On a series.
    Series(Arc<Key>, Option<Statistic>),
    /// With what an alarm says that there is, to change it.
    Change(String),
}

/// Comparisons with their words.
pub const COMPARISONS: [(Comparison, &str); 4] = [
    (Comparison::Greater, "greater than"),
    (Comparison::GreaterOrEqual, "at least"),
    (Comparison::Less, "less than"),
    (Comparison::LessOrEqual, "at most"),
];

/// What periods without a value count for, in words.
pub const MISSING: [(MissingData, &str); 4] = [
    (MissingData::Missing, "nothing"),
    (MissingData::NotBreaching, "all is well"),
    (MissingData::Breaching, "beyond it"),
    (MissingData::Ignore, "no change"),
];

/// How grave it is, in words.
pub const SEVERITIES: [(Severity, &str); 3] =
    [(Severity::Info, "Info"), (Severity::Warning, "Warning"), (Severity::Critical, "Critical")];

/// Periods that are offered, s.
const PERIODS: [i64; 5] = [1, 10, 30, 60, 300];

/// CloudWatch's bounds, in characters.
const NAME_MAX: usize = 255;
const DESCRIPTION_MAX: usize = 1_024;

/// The fields.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmDraft {
    /// Of an alarm that there is, its name, which stays.
    pub changes: Option<String>,
    /// Its name; until somebody types one, it follows the series.
    pub name: String,
    /// Words to search for a series.
    pub search: String,
    /// The series.
    pub key: Option<Arc<Key>>,
    /// Instead of a series, the metric math that the alarm is on: it stays as it is.
    pub formula: Option<Arc<Formula>>,
    /// What is compared.
    pub statistic: Statistic,
    /// Seconds.
    pub period_s: i64,
    /// What is beyond the threshold.
    pub comparison: Comparison,
    /// The threshold, as typed.
    pub threshold: String,
    /// M of N, as typed.
    pub datapoints: String,
    /// N, as typed.
    pub periods: String,
    /// What a period without a value counts for.
    pub missing: MissingData,
    /// How grave it is.
    pub severity: Severity,
    /// What to do.
    pub description: String,
    /// Whether something was typed or picked already: an untouched dialog does not scold.
    pub touched: bool,
    named: bool,
    actions: Actions,
}

/// What is wrong with each field.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Complaints {
    /// Of the name.
    pub name: Option<String>,
    /// Of the series.
    pub key: Option<String>,
    /// Of the threshold.
    pub threshold: Option<String>,
    /// Of M.
    pub datapoints: Option<String>,
    /// Of N and the period.
    pub periods: Option<String>,
    /// Of the description.
    pub description: Option<String>,
}

impl Complaints {
    /// Whether all is well.
    pub fn none(&self) -> bool {
        *self == Complaints::default()
    }
}

impl AlarmDraft {
    /// As a dialog opens.
    pub fn new(start: Start, store: &Store, alarms: &Alarms) -> AlarmDraft {
        let mut draft = AlarmDraft {
            changes: None,
            name: String::new(),
            search: String::new(),
            key: None,
            formula: None,
            statistic: Statistic::Average,
            period_s: 10,
            comparison: Comparison::Greater,
            threshold: String::new(),
            datapoints: "2".into(),
            periods: "2".into(),
            missing: MissingData::Missing,
            severity: Severity::Warning,
            description: String::new(),
            touched: false,
            named: false,
            actions: Actions::default(),
        };
        match start {
            Start::Blank => {}
            Start::Series(key, statistic) => draft.take(key, statistic, alarms),
            Start::Metric(pin, statistic) => {
                let Some(row) = measured::pinned(&pin) else { return draft };
                let series = measured::series_of(store, row);
                match series.as_slice() {
                    [(key, _)] => draft.take(Arc::clone(key), statistic, alarms),
                    _ => draft.search = row.name.to_owned(),
                }
                draft.statistic = statistic.unwrap_or(row.statistic);
            }
            Start::Change(name) => {
                if let Some(status) = alarms.alarms.get(&name) {
                    draft.fill(&status.alarm);
                }
            }
        }
        draft
    }

    fn fill(&mut self, alarm: &Alarm) {
        let metric = alarm.metric();
        *self = AlarmDraft {
            changes: Some(alarm.name.clone()),
            name: alarm.name.clone(),
            search: String::new(),
            key: metric.map(|(key, _)| Arc::new(key.clone())),
            formula: alarm.formula().cloned(),
            statistic: metric.map_or(Statistic::Average, |(_, statistic)| statistic),
            period_s: alarm.period_s,
            comparison: alarm.comparison,
            threshold: alarm.threshold.to_string(),
            datapoints: alarm.datapoints_to_alarm.to_string(),
            periods: alarm.evaluation_periods.to_string(),
            missing: alarm.missing,
            severity: alarm.severity,
            description: alarm.description.clone(),
            touched: false,
            named: true,
            actions: alarm.actions.clone(),
        };
    }

    /// Takes a series, with the statistic that its metric is usually looked at by unless one is given.
    pub fn take(&mut self, key: Arc<Key>, statistic: Option<Statistic>, alarms: &Alarms) {
        let usual = catalog::definition(&key).map(|row| row.statistic);
        self.statistic = statistic.or(usual).unwrap_or(self.statistic);
        if !self.named {
            self.name = free_name(&key.to_string(), alarms);
        }
        self.search.clear();
        self.key = Some(key);
    }

    /// The name was typed: it no longer follows the series.
    pub fn keep_name(&mut self) {
        self.named = true;
    }

    /// Periods to choose from, the present one among them.
    pub fn periods_offered(&self) -> Vec<i64> {
        let mut periods = PERIODS.to_vec();
        if !periods.contains(&self.period_s) {
            periods.push(self.period_s);
            periods.sort_unstable();
        }
        periods
    }

    /// What is wrong with it.
    pub fn check(&self, alarms: &Alarms) -> Complaints {
        let (datapoints, periods) = (count(&self.datapoints), count(&self.periods));
        let mut complaints = Complaints {
            name: self.name_complaint(alarms),
            key: (self.key.is_none() && self.formula.is_none())
                .then(|| "Choose the series that it watches.".to_owned()),
            threshold: number(&self.threshold)
                .is_none()
                .then(|| "The threshold must be a number, as 0.5 or 1e6.".to_owned()),
            datapoints: match (datapoints, periods) {
                (None, _) => Some("A whole number, 1 or more.".to_owned()),
                (Some(some), Some(all)) if some > all => Some(format!("At most the {all} that are looked at.")),
                _ => None,
            },
            periods: periods.is_none().then(|| "A whole number, 1 or more.".to_owned()),
            description: (self.description.chars().count() > DESCRIPTION_MAX)
                .then(|| format!("A description has at most {DESCRIPTION_MAX} characters.")),
        };
        // What only all fields together tell: that so many periods are not kept.
        if complaints.none()
            && let Some(Err(sentence)) = self.alarm().map(|alarm| alarm.check())
        {
            complaints.periods = Some(sentence);
        }
        complaints
    }

    fn watched(&self) -> Option<Watched> {
        if let Some(formula) = &self.formula {
            return Some(Watched::Formula(formula.clone()));
        }
        Some(Watched::Metric { key: Key::clone(self.key.as_ref()?), statistic: self.statistic })
    }

    fn name_complaint(&self, alarms: &Alarms) -> Option<String> {
        let name = self.name.trim();
        if self.changes.is_some() {
            None
        } else if name.is_empty() {
            Some("An alarm needs a name.".into())
        } else if name.chars().count() > NAME_MAX {
            Some(format!("An alarm's name has at most {NAME_MAX} characters."))
        } else if alarms.alarms.contains_key(name) {
            Some("There is an alarm of this name already: change that one, or choose another name.".into())
        } else {
            None
        }
    }

    /// What comes of it; `None`: some field makes no sense.
    pub fn alarm(&self) -> Option<Alarm> {
        Some(Alarm {
            name: self.changes.clone().unwrap_or_else(|| self.name.trim().to_owned()),
            description: self.description.trim().to_owned(),
            watched: self.watched()?,
            period_s: self.period_s,
            evaluation_periods: count(&self.periods)?,
            datapoints_to_alarm: count(&self.datapoints)?,
            threshold: number(&self.threshold)?,
            comparison: self.comparison,
            missing: self.missing,
            severity: self.severity,
            is_ours: false,
            actions: self.actions.clone(),
        })
    }
}

fn count(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|count| *count > 0)
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// A name that no alarm has.
fn free_name(wanted: &str, alarms: &Alarms) -> String {
    let mut names = (1..).map(|turn| if turn == 1 { wanted.to_owned() } else { format!("{wanted} ({turn})") });
    names.find(|name| !alarms.alarms.contains_key(name)).unwrap_or_default()
}

/// Series in whose name all words stand, in the store's order; at most so many, and how many there are in all.
pub fn matching(store: &Store, words: &str, most: usize) -> (Vec<Arc<Key>>, usize) {
    let words = words.to_lowercase();
    let matches = |key: &Key| {
        let said = format!("{} {}", key.metric, measured::line_name(key)).to_lowercase();
        words.split_whitespace().all(|word| said.contains(word))
    };
    let mut found: Vec<Arc<Key>> = store.iter().map(|(key, _)| key).filter(|key| matches(key)).cloned().collect();
    let count = found.len();
    found.truncate(most);
    (found, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::as_command::aws;
    use crate::ui::fixture;

    fn view() -> crate::monitor::cloudwatch::watch::CloudwatchView {
        fixture::healthy().cloudwatch
    }

    fn draft() -> (AlarmDraft, crate::monitor::cloudwatch::watch::CloudwatchView) {
        let view = view();
        let key = matching(&view.store, "bytesinpersec broker 2", 1).0.remove(0);
        let mut draft = AlarmDraft::new(Start::Series(key, None), &view.store, &view.alarms);
        draft.threshold = "1e6".into();
        (draft, view)
    }

    #[test]
    fn a_series_gives_name_and_statistic_and_a_name_that_was_typed_stays() {
        let (mut draft, view) = draft();
        assert_eq!(
            (draft.name.as_str(), draft.check(&view.alarms)),
            ("BytesInPerSec of broker 2", Complaints::default())
        );
        assert_eq!(draft.alarm().unwrap().threshold, 1e6);
        draft.name = "mine".into();
        draft.keep_name();
        let other = matching(&view.store, "leadercount broker 1", 1).0.remove(0);
        draft.take(other, None, &view.alarms);
        assert_eq!(draft.name, "mine");
        let taken = matching(&view.store, "rootdiskused broker 3", 1).0.remove(0);
        let draft = AlarmDraft::new(Start::Series(taken, None), &view.store, &view.alarms);
        assert_eq!(draft.name, "RootDiskUsed of broker 3 (2)", "an alarm has the first name already");
    }

    #[test]
    fn a_metric_of_one_series_is_taken_and_of_many_it_is_searched() {
        let view = view();
        let open = |pin: &str| AlarmDraft::new(Start::Metric(pin.into(), None), &view.store, &view.alarms);
        let one = open("OfflinePartitionsCount of the cluster");
        assert!(one.key.is_some() && one.statistic == Statistic::Maximum);
        let many = open("LeaderCount by Broker ID");
        assert_eq!((many.key.is_none(), many.search.as_str()), (true, "LeaderCount"));
        assert!(open("Nonsense").key.is_none());
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        let with = |change: fn(&mut AlarmDraft)| {
            let (mut draft, view) = draft();
            change(&mut draft);
            draft.check(&view.alarms)
        };
        assert!(with(|draft| draft.name = " ".into()).name.unwrap().contains("needs a name"));
        assert!(with(|draft| draft.name = "x".repeat(256)).name.unwrap().contains("255"));
        assert!(with(|draft| draft.name = "GlobalTopicCount".into()).name.unwrap().contains("already"));
        assert!(with(|draft| draft.key = None).key.is_some());
        for threshold in ["", "many", "NaN", "inf"] {
            let (mut draft, view) = draft();
            draft.threshold = threshold.into();
            assert!(draft.check(&view.alarms).threshold.is_some(), "{threshold}");
        }
        assert!(with(|draft| draft.datapoints = "3".into()).datapoints.unwrap().contains("At most the 2"));
        assert!(with(|draft| draft.datapoints = "0".into()).datapoints.is_some());
        assert!(with(|draft| draft.periods = "-1".into()).periods.is_some());
        assert!(with(|draft| draft.periods = "99999".into()).periods.unwrap().contains("are kept"));
        assert!(with(|draft| draft.description = "x".repeat(1_025)).description.is_some());
    }

    #[test]
    fn an_alarm_that_there_is_comes_back_as_it_was_but_for_what_was_changed() {
        let view = view();
        let start = Start::Change("RootDiskUsed of broker 3".into());
        let mut draft = AlarmDraft::new(start, &view.store, &view.alarms);
        draft.threshold = "70".into();
        assert!(draft.check(&view.alarms).none());
        let before = view.alarms.alarms["RootDiskUsed of broker 3"].alarm.clone();
        assert_eq!(draft.alarm(), Some(Alarm { threshold: 70.0, is_ours: false, ..before }));
    }

    #[test]
    fn the_command_says_the_same_as_the_fields() {
        let (mut draft, _) = draft();
        draft.description = "Don't panic".into();
        draft.statistic = "p99.9".parse().unwrap();
        let alarm = draft.alarm().unwrap();
        assert_eq!(
            aws::put("http://h:1", &alarm),
            "aws cloudwatch put-metric-alarm --endpoint-url http://h:1 --alarm-name 'BytesInPerSec of broker 2' \
             --namespace AWS/Kafka --metric-name BytesInPerSec \
             --dimensions '[{\"Name\":\"Cluster Name\",\"Value\":\"brokerscope\"},{\"Name\":\"Broker ID\",\"Value\":\"2\"}]' \
             --extended-statistic p99.9 --period 10 --comparison-operator GreaterThanThreshold --threshold=1000000 \
             --datapoints-to-alarm 2 --evaluation-periods 2 --treat-missing-data missing \
             --tags Key=severity,Value=warning --alarm-description 'Don'\\''t panic'"
        );
    }

    #[test]
    fn metric_math_stays_as_it_is_and_the_command_says_all_of_it() {
        let mut view = view();
        let math = fixture::math_alarm();
        Arc::make_mut(&mut view.alarms).put(1, math.clone()).unwrap();
        let mut draft = AlarmDraft::new(Start::Change(math.name.clone()), &view.store, &view.alarms);
        draft.threshold = "70".into();
        assert!(draft.check(&view.alarms).none());
        assert_eq!(draft.alarm(), Some(Alarm { threshold: 70.0, ..math.clone() }));
        let command = aws::put("http://h:1", &math);
        assert!(!command.contains("--statistic") && !command.contains("--period") && !command.contains("--namespace"));
        let metrics = command.split_once("--metrics '").unwrap().1.split_once('\'').unwrap().0;
        let metrics: serde_json::Value = serde_json::from_str(metrics).unwrap();
        assert_eq!(metrics[1]["MetricStat"]["Metric"]["Dimensions"][1]["Name"], "Broker ID");
        assert_eq!((&metrics[1]["MetricStat"]["Period"], &metrics[1]["ReturnData"]), (&10.into(), &false.into()));
        assert_eq!((&metrics[0]["Expression"], &metrics[0]["Label"]), (&"out / in1".into(), &"Read per write".into()));
    }

    #[test]
    fn all_words_must_be_there_and_not_too_many_come() {
        let view = view();
        let (found, count) = matching(&view.store, "", 5);
        assert_eq!((found.len(), count), (5, view.store.len()));
        assert_eq!(matching(&view.store, "leadercount BROKER 1", 5).1, 1);
        assert_eq!(matching(&view.store, "no such series", 5).1, 0);
    }
}
