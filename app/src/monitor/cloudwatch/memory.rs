//! What is remembered of monitoring from one run to the next, as JSON: the level, the set of alarms, the alarms that were put by hand with their
//! states, and the history. Pure: who keeps the bytes is another's business.

use std::io::{self, Read, Write};
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use broker::recorded::invalid;
use serde::{Deserialize, Serialize};

use super::advice::AlarmSet;
use super::alarm::{Actions, Alarm, Watched};
use super::alarms::{ALARMS_MAX, AlarmStatus, Alarms, HISTORY_MAX, HistoryItem, HistoryKind};
use super::catalog::Level;
use super::math::formula::Formula;
use super::math::query::{Query, What};
use super::statistics::Statistic;
use super::store::{Dimension, Key};
use super::watch::CloudwatchView;
use crate::monitor::recorded::{put_json, take_json};

/// The version of the format; the one before knows no alarms on metric math, and is written where there are none.
const VERSION: u32 = 2;
const BEFORE_MATH: u32 = 1;

/// Bytes that are read; more is none of ours.
pub const BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Bytes of history that are kept, the newest first.
const HISTORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Alarms of ours that stay deleted.
const DELETED_MAX: usize = 1_000;

/// What was remembered.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The monitoring level; `None`: nothing is known of it.
    pub level: Option<Level>,
    /// Alarms that were put by hand, the set of ours, and history.
    pub alarms: Alarms,
}

/// Why it cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    level: Level,
    alarm_set: AlarmSet,
    deleted: Vec<String>,
    alarms: Vec<KeptAlarm>,
    history: Vec<KeptItem>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptAlarm {
    name: String,
    description: String,
    /// Of an alarm on one metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dimensions: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statistic: Option<String>,
    /// Of one on metric math.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<KeptQuery>,
    period_s: i64,
    evaluation_periods: u32,
    datapoints_to_alarm: u32,
    /// As text, which gives back each number as it was.
    threshold: String,
    comparison: String,
    missing: String,
    severity: String,
    actions_disabled: bool,
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    state: String,
    reason: String,
    updated_ms: i64,
    changed_ms: i64,
    configured_ms: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptQuery {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    return_data: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period_s: Option<i64>,
    /// Either this,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
    /// or these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dimensions: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statistic: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptItem {
    seq: u64,
    alarm: String,
    at_ms: i64,
    kind: String,
    summary: String,
    data: String,
}

/// What is remembered of a view.
///
/// # Errors
/// It cannot be written as JSON.
pub fn encode(view: &CloudwatchView) -> serde_json::Result<Vec<u8>> {
    let alarms = &view.alarms;
    let mut left = HISTORY_BYTES_MAX;
    let fits = |item: &&Arc<HistoryItem>| {
        let bytes = item.alarm.len() + item.summary.len() + item.data.len();
        left = left.saturating_sub(bytes);
        left > 0
    };
    let mut history: Vec<KeptItem> = alarms.history.iter().rev().take_while(fits).map(|item| kept_item(item)).collect();
    history.reverse();
    let by_hand = alarms.alarms.values().filter(|status| !status.alarm.is_ours);
    let has_math = by_hand.clone().any(|status| status.alarm.formula().is_some());
    serde_json::to_vec_pretty(&Document {
        version: if has_math { VERSION } else { BEFORE_MATH },
        level: view.level,
        alarm_set: alarms.set,
        deleted: alarms.deleted().take(DELETED_MAX).cloned().collect(),
        alarms: by_hand.map(|status| kept_alarm(status)).collect(),
        history,
    })
}

fn kept_item(item: &HistoryItem) -> KeptItem {
    KeptItem {
        seq: item.seq,
        alarm: item.alarm.clone(),
        at_ms: item.at_ms,
        kind: item.kind.name().into(),
        summary: item.summary.clone(),
        data: item.data.clone(),
    }
}

fn kept_alarm(status: &AlarmStatus) -> KeptAlarm {
    let alarm = &status.alarm;
    let metric = alarm.metric();
    let queries = alarm.formula().map(|formula| formula.queries()).unwrap_or_default();
    KeptAlarm {
        name: alarm.name.clone(),
        description: alarm.description.clone(),
        metric: metric.map(|(key, _)| key.metric.to_string()),
        dimensions: metric.map(|(key, _)| kept_dimensions(key)).unwrap_or_default(),
        statistic: metric.map(|(_, statistic)| statistic.to_string()),
        metrics: queries.iter().map(kept_query).collect(),
        period_s: alarm.period_s,
        evaluation_periods: alarm.evaluation_periods,
        datapoints_to_alarm: alarm.datapoints_to_alarm,
        threshold: alarm.threshold.to_string(),
        comparison: alarm.comparison.name().into(),
        missing: alarm.missing.name().into(),
        severity: alarm.severity.name().into(),
        actions_disabled: alarm.actions.is_disabled,
        ok_actions: alarm.actions.ok.clone(),
        alarm_actions: alarm.actions.alarm.clone(),
        insufficient_data_actions: alarm.actions.insufficient_data.clone(),
        state: status.state.name().into(),
        reason: status.reason.clone(),
        updated_ms: status.updated_ms,
        changed_ms: status.changed_ms,
        configured_ms: status.configured_ms,
    }
}

fn kept_dimensions(key: &Key) -> Vec<(String, String)> {
    key.dimensions.iter().map(|(dimension, value)| (dimension.name().into(), value.to_string())).collect()
}

fn kept_query(query: &Query) -> KeptQuery {
    let (mut expression, mut metric, mut dimensions, mut statistic) = (None, None, Vec::new(), None);
    match &query.what {
        What::Expression { text, .. } => expression = Some(text.clone()),
        What::Stat { key, statistic: of, .. } => {
            (metric, dimensions) = (Some(key.metric.to_string()), kept_dimensions(key));
            statistic = Some(of.to_string());
        }
    }
    KeptQuery {
        id: query.id.clone(),
        label: query.label.clone(),
        return_data: query.is_wanted,
        period_s: query.what.period_s(),
        expression,
        metric,
        dimensions,
        statistic,
    }
}

/// What was written by [`encode`].
///
/// # Errors
/// It is damaged, or of a later version.
pub fn decode(bytes: &[u8]) -> Result<Remembered, Unreadable> {
    let damaged = |why: &dyn std::fmt::Display| Unreadable(format!("it is damaged: {why}"));
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(bytes).map_err(|error| damaged(&error))?;
    if !(BEFORE_MATH..=VERSION).contains(&version) {
        return Err(Unreadable(format!(
            "its format is version {version}, and this program knows versions up to {VERSION}"
        )));
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|error| damaged(&error))?;
    if document.alarms.len() > ALARMS_MAX || document.history.len() > HISTORY_MAX {
        return Err(damaged(&"it has more alarms or history than there can be"));
    }
    let mut statuses = Vec::with_capacity(document.alarms.len());
    for kept in document.alarms {
        statuses.push(status(kept).map_err(|why| damaged(&why))?);
    }
    let history = document.history.into_iter().map(item).collect::<Option<Vec<HistoryItem>>>();
    let history = history.ok_or_else(|| damaged(&"a line of history has an unknown kind"))?;
    if !history.is_sorted_by(|one, other| one.seq < other.seq) {
        return Err(damaged(&"its history is out of order"));
    }
    let deleted = document.deleted.into_iter().take(DELETED_MAX).collect();
    let alarms = Alarms::remembered(document.alarm_set, statuses, history, deleted);
    Ok(Remembered { level: Some(document.level), alarms })
}

fn item(kept: KeptItem) -> Option<HistoryItem> {
    let kinds = [HistoryKind::ConfigurationUpdate, HistoryKind::StateUpdate];
    let kind = kinds.into_iter().find(|kind| kind.name() == kept.kind)?;
    Some(HistoryItem {
        seq: kept.seq,
        alarm: kept.alarm,
        at_ms: kept.at_ms,
        kind,
        summary: kept.summary,
        data: kept.data,
    })
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text:?} {error}"))
}

fn metric(
    metric: Option<String>,
    dimensions: Vec<(String, String)>,
    statistic: Option<String>,
) -> Result<(Key, Statistic), String> {
    let (Some(metric), Some(statistic)) = (metric, statistic) else {
        return Err("a metric has no name or no statistic".into());
    };
    let mut named = Vec::with_capacity(dimensions.len());
    for (name, value) in dimensions {
        let dimension = Dimension::named(&name).ok_or_else(|| format!("there is no dimension {name:?}"))?;
        named.push((dimension, value.into()));
    }
    Ok((Key::new(metric, named), parsed(&statistic)?))
}

fn query(kept: KeptQuery) -> Result<Query, String> {
    let what = match kept.expression {
        Some(text) => What::expression(&text, kept.period_s).map_err(|error| error.to_string())?,
        None => {
            let (key, statistic) = metric(kept.metric, kept.dimensions, kept.statistic)?;
            let period_s = kept.period_s.ok_or_else(|| "a metric has no period".to_owned())?;
            What::Stat { key: Arc::new(key), statistic, period_s }
        }
    };
    Ok(Query { id: kept.id, is_wanted: kept.return_data, label: kept.label, what })
}

fn status(kept: KeptAlarm) -> Result<AlarmStatus, String> {
    let watched = if kept.metrics.is_empty() {
        let (key, statistic) = metric(kept.metric, kept.dimensions, kept.statistic)?;
        Watched::Metric { key, statistic }
    } else {
        let queries = kept.metrics.into_iter().map(query).collect::<Result<Vec<Query>, String>>()?;
        Watched::Formula(Arc::new(Formula::new(queries)?))
    };
    let alarm = Alarm {
        name: kept.name,
        description: kept.description,
        watched,
        period_s: kept.period_s,
        evaluation_periods: kept.evaluation_periods,
        datapoints_to_alarm: kept.datapoints_to_alarm,
        threshold: parsed(&kept.threshold)?,
        comparison: parsed(&kept.comparison)?,
        missing: parsed(&kept.missing)?,
        severity: parsed(&kept.severity)?,
        is_ours: false,
        actions: Actions {
            is_disabled: kept.actions_disabled,
            ok: kept.ok_actions,
            alarm: kept.alarm_actions,
            insufficient_data: kept.insufficient_data_actions,
        },
    };
    alarm.check()?;
    let times = (kept.updated_ms, kept.changed_ms, kept.configured_ms);
    Ok(AlarmStatus::remembered(alarm, parsed(&kept.state)?, kept.reason, times))
}

/// In a recording an alarm stands as it is kept, with what that leaves out.
impl BorshSerialize for AlarmStatus {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        put_json(&kept_alarm(self), writer)?;
        BorshSerialize::serialize(&self.alarm.is_ours, writer)
    }
}

impl BorshDeserialize for AlarmStatus {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<AlarmStatus> {
        let mut status = status(take_json(reader)?).map_err(invalid)?;
        status.alarm.is_ours = bool::deserialize_reader(reader)?;
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::super::alarm::{AlarmState, Comparison, MissingData, Verdict};
    use super::super::alarms::Transition;
    use super::super::store::{Datum, Store};
    use super::*;
    use crate::monitor::view::Severity;

    fn key() -> Key {
        Key::new("LeaderCount", vec![(Dimension::ClusterName, "c".into()), (Dimension::BrokerId, "1".into())])
    }

    fn alarm(name: &str) -> Alarm {
        Alarm {
            name: name.into(),
            description: "Ring \"twice\"\n".into(),
            watched: Watched::Metric { key: key(), statistic: "p99.9".parse().unwrap() },
            period_s: 10,
            evaluation_periods: 2,
            datapoints_to_alarm: 1,
            threshold: 0.1 + 0.2,
            comparison: Comparison::Less,
            missing: MissingData::Missing,
            severity: Severity::Critical,
            is_ours: false,
            actions: Actions { is_disabled: true, alarm: vec!["arn:x".into()], ..Actions::default() },
        }
    }

    fn view() -> CloudwatchView {
        let mut alarms = Alarms::default();
        let store = Store::default();
        alarms.tick(10_000, &"c".into(), &store);
        alarms.delete(2_000, &["ActiveControllerCount".to_owned()]).unwrap();
        alarms.put(3_000, alarm("mine")).unwrap();
        let verdict = Verdict { state: AlarmState::Alarm, reason: "r".into() };
        alarms.set_state(4_000, "mine", verdict, None).unwrap();
        CloudwatchView { level: Level::PerTopicPerBroker, store: Arc::default(), alarms: Arc::new(alarms) }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let view = view();
        let read = decode(&encode(&view).unwrap()).unwrap();
        assert_eq!(read.level, Some(Level::PerTopicPerBroker));
        assert_eq!(read.alarms.history, view.alarms.history);
        assert_eq!(read.alarms.alarms.keys().collect::<Vec<_>>(), ["mine"], "ours come back by themselves");
        let (before, after) = (&view.alarms.alarms["mine"], &read.alarms.alarms["mine"]);
        assert_eq!((&after.alarm, after.state, &after.reason), (&before.alarm, AlarmState::Alarm, &before.reason));
        assert_eq!((after.changed_ms, after.configured_ms), (4_000, 3_000));
        // It goes on where it stopped: what was deleted stays away, and numbers go on.
        let mut alarms = read.alarms;
        alarms.tick(10_000, &"c".into(), &Store::default());
        assert!(alarms.alarms.contains_key("OfflinePartitionsCount"));
        assert!(!alarms.alarms.contains_key("ActiveControllerCount"));
        alarms.put(11_000, alarm("other")).unwrap();
        let seqs: Vec<u64> = alarms.history.iter().map(|item| item.seq).collect();
        assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]) && seqs[0] == 1 && seqs.len() > 4, "{seqs:?}");
    }

    /// Two metrics and an expression that has its own period, or one query of Metrics Insights.
    fn on_math(name: &str, is_insights: bool) -> Alarm {
        let stat = |id: &str| Query {
            id: id.into(),
            is_wanted: false,
            label: None,
            what: What::Stat { key: Arc::new(key()), statistic: "p99.9".parse().unwrap(), period_s: 10 },
        };
        let expression = |text: &str| {
            let what = What::expression(text, Some(10)).unwrap();
            Query { id: "e1".into(), is_wanted: true, label: Some("Share \"of\" it".into()), what }
        };
        let queries = if is_insights {
            vec![expression("SELECT AVG(LeaderCount) FROM \"AWS/Kafka\" WHERE \"Broker ID\" = '1'")]
        } else {
            vec![stat("m1"), stat("m2"), expression("m1 / m2\n* 100")]
        };
        Alarm { watched: Watched::Formula(Arc::new(Formula::new(queries).unwrap())), ..alarm(name) }
    }

    #[test]
    fn metric_math_is_read_back_and_needs_a_later_version() {
        let mut alarms = Alarms::default();
        let version = |alarms: &Alarms| {
            let view = CloudwatchView { alarms: Arc::new(alarms.clone()), ..CloudwatchView::default() };
            let bytes = encode(&view).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            (decode(text.as_bytes()).unwrap().alarms, text)
        };
        alarms.put(1, alarm("plain")).unwrap();
        assert!(version(&alarms).1.contains("\"version\": 1"), "who knows no math can read it");
        alarms.put(2, on_math("math", false)).unwrap();
        alarms.put(3, on_math("insights", true)).unwrap();
        let (read, text) = version(&alarms);
        assert!(text.contains("\"version\": 2"));
        for name in ["plain", "math", "insights"] {
            assert_eq!(read.alarms[name].alarm, alarms.alarms[name].alarm, "{name}");
        }
        for (damaged, expected) in [
            (text.replace("m1 / m2", "m1 / m3"), "no query has the id"),
            (text.replace("\"return_data\": true", "\"return_data\": false"), "Exactly one element"),
            (text.replace("SELECT AVG", "SELECT AGV"), "at character 8"),
            (text.replace("\"period_s\": 10", "\"period_s\": 0"), "Period"),
        ] {
            let said = decode(damaged.as_bytes()).unwrap_err().to_string();
            assert!(said.contains(expected) && !said.contains('\n'), "{expected}: {said}");
        }
    }

    #[test]
    fn a_state_that_is_remembered_holds_until_data_speak_or_should_have_spoken() {
        let mut alarms = decode(&encode(&view()).unwrap()).unwrap().alarms;
        let (name, mut store): (Arc<str>, _) = ("c".into(), Store::default());
        let mine = |changes: Vec<Transition>| -> Vec<AlarmState> {
            changes.iter().filter(|one| one.status.alarm.name == "mine").map(|one| one.status.state).collect()
        };
        for second in 100..110 {
            assert_eq!(mine(alarms.tick(second * 1_000, &name, &store)), [], "at {second}");
        }
        store.put(110, [Datum { key: key(), value: 5.0 }]);
        assert_eq!(mine(alarms.tick(121_000, &name, &store)), [AlarmState::Ok]);
        let mut silent = decode(&encode(&view()).unwrap()).unwrap().alarms;
        silent.tick(100_000, &name, &Store::default());
        assert_eq!(mine(silent.tick(200_000, &name, &Store::default())), [AlarmState::InsufficientData]);
    }

    #[test]
    fn what_is_damaged_is_said_in_one_line() {
        let bytes = encode(&view()).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        for (damaged, expected) in [
            (String::new(), "damaged"),
            (text[..text.len() / 2].to_owned(), "damaged"),
            (text.replace("\"version\": 1", "\"version\": 3"), "version 3"),
            (text.replace("\"statistic\": \"p99.9\",", ""), "no statistic"),
            (text.replace("PER_TOPIC_PER_BROKER", "PER_TOPIC"), "damaged"),
            (text.replace("p99.9", "p999"), "not a statistic"),
            (text.replace("Broker ID", "Broker"), "no dimension"),
            (text.replace("\"period_s\": 10", "\"period_s\": 7"), "Period"),
            (text.replace("\"seq\": 2", "\"seq\": 9"), "out of order"),
            (text.replace("StateUpdate", "State"), "unknown kind"),
        ] {
            let said = decode(damaged.as_bytes()).unwrap_err().to_string();
            assert!(said.contains(expected) && !said.contains('\n'), "{expected}: {said}");
        }
        assert!(decode(&bytes).is_ok());
    }

    #[test]
    fn of_too_much_history_the_newest_is_kept() {
        let mut alarms = Alarms::default();
        alarms.put(1, alarm("a")).unwrap();
        for turn in 0..1_500 {
            let state = if turn % 2 == 0 { AlarmState::Alarm } else { AlarmState::Ok };
            let data = Some("x".repeat(4_000));
            alarms.set_state(turn, "a", Verdict { state, reason: "r".into() }, data).unwrap();
        }
        let newest = alarms.history.back().unwrap().seq;
        let view = CloudwatchView { alarms: Arc::new(alarms), ..CloudwatchView::default() };
        let bytes = encode(&view).unwrap();
        let read = decode(&bytes).unwrap().alarms;
        assert!(read.history.len() < view.alarms.history.len() && read.history.back().unwrap().seq == newest);
        assert!(bytes.len() < 2 * HISTORY_BYTES_MAX);
    }
}
