//! PutMetricAlarm, DescribeAlarms, DescribeAlarmsForMetric, DescribeAlarmHistory, DeleteAlarms, SetAlarmState.

use std::sync::Arc;

use super::fault::Fault;
use super::metrics::dimensions;
use super::params::Params;
use super::queries;
use super::tree::{Tree, text};
use crate::monitor::cloudwatch::alarm::{Actions, Alarm, AlarmState, MissingData, Watched};
use crate::monitor::cloudwatch::alarms::{AlarmStatus, HistoryItem};
use crate::monitor::cloudwatch::catalog::{ACCOUNT, NAMESPACE, definition};
use crate::monitor::cloudwatch::math::formula::{Formula, QUERIES_MAX, WatchedLine};
use crate::monitor::cloudwatch::math::query::Query;
use crate::monitor::cloudwatch::statistics::Statistic;
use crate::monitor::cloudwatch::watch::{Change, CloudwatchView};
use crate::monitor::view::Severity;

/// Alarms or lines of history on a page.
const PAGE_MAX: i64 = 100;

/// Longest action, in characters; CloudWatch's own bound.
const ACTION_MAX: usize = 1_024;

/// What one may say of an alarm and is not understood here.
const NOT_THERE: [&str; 6] = [
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
    "EvaluateLowSampleCountPercentile",
];

/// What an alarm on one metric says, and one on metric math must not.
const OF_ONE_METRIC: [&str; 7] =
    ["Namespace", "MetricName", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic"];

/// `PutMetricAlarm`.
pub(super) fn put(params: Params<'_>) -> Result<Change, Fault> {
    let name = params.needed_text("AlarmName", 255)?.to_owned();
    let comparison = params.text("ComparisonOperator", 255)?.unwrap_or_default();
    if params.has("ThresholdMetricId")
        || comparison.contains("UpperThreshold")
        || comparison == "LessThanLowerThreshold"
    {
        return Err(Fault::validation(
            "Anomaly detection is not there, so that an alarm has a Threshold and no ThresholdMetricId or band.",
        ));
    }
    if let Some(one) = NOT_THERE.iter().find(|one| params.has(one)) {
        return Err(Fault::validation(format!("{one} is not there.")));
    }
    let is_on_math = !params.list("Metrics", QUERIES_MAX)?.is_empty();
    let (watched, period_s) = if is_on_math { of_math(params)? } else { of_metric(params)? };
    let evaluation_periods =
        params.integer("EvaluationPeriods", 1..=86_400)?.ok_or_else(|| Fault::missing("EvaluationPeriods"))?;
    let datapoints_to_alarm = params.integer("DatapointsToAlarm", 1..=86_400)?.unwrap_or(evaluation_periods);
    let texts = |name: &str| -> Result<Vec<String>, Fault> {
        let texts = params.texts(name, 5)?;
        if texts.iter().any(|text| text.chars().count() > ACTION_MAX) {
            return Err(Fault::value(format!("A member of {name} is longer than {ACTION_MAX} characters.")));
        }
        Ok(texts.into_iter().map(str::to_owned).collect())
    };
    Ok(Change::PutAlarm(Box::new(Alarm {
        name,
        description: params.text("AlarmDescription", 1024)?.unwrap_or_default().to_owned(),
        watched,
        period_s,
        evaluation_periods: evaluation_periods as u32,
        datapoints_to_alarm: datapoints_to_alarm as u32,
        threshold: params.double("Threshold")?.ok_or_else(|| Fault::missing("Threshold"))?,
        comparison: params.needed("ComparisonOperator")?,
        missing: params.maybe("TreatMissingData")?.unwrap_or(MissingData::Missing),
        severity: severity(params)?,
        is_ours: false,
        actions: Actions {
            is_disabled: params.bool("ActionsEnabled")? == Some(false),
            ok: texts("OKActions")?,
            alarm: texts("AlarmActions")?,
            insufficient_data: texts("InsufficientDataActions")?,
        },
    })))
}

fn of_metric(params: Params<'_>) -> Result<(Watched, i64), Fault> {
    let key = params.key_that_is(params.text("Unit", 255)?)?;
    let statistic = match (params.maybe::<Statistic>("Statistic")?, params.maybe::<Statistic>("ExtendedStatistic")?) {
        (Some(statistic), None) if statistic.is_simple() => statistic,
        (None, Some(statistic)) if !statistic.is_simple() => statistic,
        _ => return Err(Fault::combination("Exactly one of Statistic and ExtendedStatistic must be there.")),
    };
    Ok((Watched::Metric { key, statistic }, params.period()?))
}

fn of_math(params: Params<'_>) -> Result<(Watched, i64), Fault> {
    if let Some(one) = OF_ONE_METRIC.iter().find(|one| params.has(one)) {
        return Err(Fault::validation(format!("{one} should not be set if list of Metrics is set.")));
    }
    let queries = params.list("Metrics", QUERIES_MAX)?.iter().map(queries::read_of_alarm);
    let formula = Formula::new(queries.collect::<Result<Vec<Query>, Fault>>()?).map_err(Fault::validation)?;
    let period_s = formula.period_s();
    Ok((Watched::Formula(Arc::new(formula)), period_s))
}

/// CloudWatch knows no severity: it stands in the tag `severity`, the only one that is looked at.
fn severity(params: Params<'_>) -> Result<Severity, Fault> {
    for tag in params.list("Tags", 50)? {
        let tag = Params::new(tag)?;
        if tag.needed_text("Key", 128)? == "severity" {
            return tag.needed("Value");
        }
    }
    Ok(Severity::Warning)
}

/// `DeleteAlarms`.
pub(super) fn delete(params: Params<'_>) -> Result<Change, Fault> {
    let names: Vec<String> = params.texts("AlarmNames", 100)?.into_iter().map(str::to_owned).collect();
    if names.is_empty() {
        return Err(Fault::missing("AlarmNames"));
    }
    Ok(Change::DeleteAlarms(names))
}

/// `SetAlarmState`.
pub(super) fn set_state(params: Params<'_>) -> Result<Change, Fault> {
    let data = params.text("StateReasonData", 4000)?.map(str::to_owned);
    if data.as_deref().is_some_and(|data| serde_json::from_str::<serde::de::IgnoredAny>(data).is_err()) {
        return Err(Fault::format("StateReasonData must be JSON."));
    }
    Ok(Change::SetAlarmState {
        name: params.needed_text("AlarmName", 255)?.to_owned(),
        state: params.needed("StateValue")?,
        reason: params.text("StateReason", 1023)?.ok_or_else(|| Fault::missing("StateReason"))?.to_owned(),
        data,
    })
}

fn shown(status: &AlarmStatus) -> Tree {
    let alarm = &status.alarm;
    let list = |items: &[String]| Tree::List(items.iter().map(|item| text(item.as_str())).collect());
    let mut members = vec![
        ("AlarmName", text(alarm.name.as_str())),
        ("AlarmArn", text(format!("arn:aws:cloudwatch:local:{ACCOUNT}:alarm:{}", alarm.name))),
        ("AlarmDescription", text(alarm.description.as_str())),
        ("AlarmConfigurationUpdatedTimestamp", Tree::Time(status.configured_ms)),
        ("ActionsEnabled", Tree::Bool(!alarm.actions.is_disabled)),
        ("OKActions", list(&alarm.actions.ok)),
        ("AlarmActions", list(&alarm.actions.alarm)),
        ("InsufficientDataActions", list(&alarm.actions.insufficient_data)),
        ("StateValue", text(status.state.name())),
        ("StateReason", text(status.reason.as_str())),
        ("StateUpdatedTimestamp", Tree::Time(status.updated_ms)),
        ("StateTransitionedTimestamp", Tree::Time(status.changed_ms)),
        ("EvaluationPeriods", Tree::Integer(alarm.evaluation_periods.into())),
        ("DatapointsToAlarm", Tree::Integer(alarm.datapoints_to_alarm.into())),
        ("Threshold", Tree::Double(alarm.threshold)),
        ("ComparisonOperator", text(alarm.comparison.name())),
        ("TreatMissingData", text(alarm.missing.name())),
    ];
    match &alarm.watched {
        Watched::Metric { key, statistic } => {
            let name = if statistic.is_simple() { "Statistic" } else { "ExtendedStatistic" };
            members.extend([
                ("MetricName", text(&*key.metric)),
                ("Namespace", text(NAMESPACE)),
                (name, text(statistic.to_string())),
                ("Dimensions", dimensions(key)),
                ("Period", Tree::Integer(alarm.period_s)),
            ]);
            members.extend(definition(key).map(|row| ("Unit", text(row.unit.name()))));
        }
        Watched::Formula(formula) => {
            members.push(("Metrics", Tree::List(formula.queries().iter().map(queries::shown).collect())));
        }
    }
    Tree::Struct(members)
}

/// `DescribeAlarms`: by name, from the token's alarm on.
pub(super) fn describe(view: &CloudwatchView, params: Params<'_>, _now_ms: i64) -> Result<Tree, Fault> {
    let names = params.texts("AlarmNames", 100)?;
    let prefix = params.text("AlarmNamePrefix", 255)?;
    if !names.is_empty() && prefix.is_some() {
        return Err(Fault::combination("AlarmNames and AlarmNamePrefix do not go together."));
    }
    let state: Option<AlarmState> = params.maybe("StateValue")?;
    let types = params.texts("AlarmTypes", 10)?;
    let of_type = types.is_empty() || types.contains(&"MetricAlarm");
    let action = params.text("ActionPrefix", 1024)?;
    // Alarms on alarms are not there, so that none has children or parents.
    let is_family = params.has("ChildrenOfAlarmName") || params.has("ParentsOfAlarmName");
    let page = params.integer("MaxRecords", 1..=PAGE_MAX)?.unwrap_or(50) as usize;
    let from = params.text("NextToken", 1024)?.unwrap_or_default();
    let has_action = |status: &AlarmStatus, prefix: &str| {
        let Actions { ok, alarm, insufficient_data, .. } = &status.alarm.actions;
        ok.iter().chain(alarm).chain(insufficient_data).any(|action| action.starts_with(prefix))
    };
    let fits = |status: &AlarmStatus| {
        let name = status.alarm.name.as_str();
        of_type
            && !is_family
            && (names.is_empty() || names.contains(&name))
            && prefix.is_none_or(|prefix| name.starts_with(prefix))
            && state.is_none_or(|state| status.state == state)
            && action.is_none_or(|action| has_action(status, action))
    };
    let mut found = view.alarms.alarms.range(from.to_owned()..).map(|(_, status)| status).filter(|status| fits(status));
    let alarms: Vec<Tree> = found.by_ref().take(page).map(|status| shown(status)).collect();
    let mut members = vec![("MetricAlarms", Tree::List(alarms)), ("CompositeAlarms", Tree::List(Vec::new()))];
    members.extend(found.next().map(|next| ("NextToken", text(next.alarm.name.as_str()))));
    Ok(Tree::Struct(members))
}

/// `DescribeAlarmsForMetric`: those on this one metric; alarms on metric math are none, as with CloudWatch.
pub(super) fn describe_for_metric(view: &CloudwatchView, params: Params<'_>, _now_ms: i64) -> Result<Tree, Fault> {
    let ours = params.needed_text("Namespace", 255)? == NAMESPACE;
    let key = params.key()?.filter(|_| ours);
    let statistic = params.maybe::<Statistic>("Statistic")?.or(params.maybe::<Statistic>("ExtendedStatistic")?);
    let period_s = params.integer("Period", 1..=86_400)?;
    let fits = |status: &&Arc<AlarmStatus>| {
        let alarm = &status.alarm;
        alarm.metric().is_some_and(|(own, of)| {
            Some(own) == key.as_ref()
                && statistic.is_none_or(|statistic| of == statistic)
                && period_s.is_none_or(|period_s| alarm.period_s == period_s)
        })
    };
    let found = view.alarms.alarms.values().filter(fits).map(|status| shown(status));
    Ok(Tree::Struct(vec![("MetricAlarms", Tree::List(found.collect()))]))
}

/// `DescribeAlarmContributors`: the groups of a query with GROUP BY that are in ALARM now.
pub(super) fn contributors(view: &CloudwatchView, params: Params<'_>, now_ms: i64) -> Result<Tree, Fault> {
    let name = params.needed_text("AlarmName", 255)?;
    let skipped: usize = match params.text("NextToken", 1024)? {
        None => 0,
        Some(token) => token.parse().map_err(|_| Fault::token())?,
    };
    let status = view.alarms.alarms.get(name).ok_or_else(|| Fault::not_found(format!("There is no alarm {name}.")))?;
    let mut found = status.alarm.contributors(&view.store, now_ms.div_euclid(1000)).into_iter().skip(skipped);
    let page = found.by_ref().take(PAGE_MAX as usize).map(|(line, reason)| {
        let attributes = line.group.iter().map(|(dimension, value)| (dimension.name().to_owned(), text(&**value)));
        Tree::Struct(vec![
            ("ContributorId", text(contributor_id(&line))),
            ("ContributorAttributes", Tree::Map(attributes.collect())),
            ("StateReason", text(reason)),
        ])
    });
    let mut members = vec![("AlarmContributors", Tree::List(page.collect()))];
    if found.next().is_some() {
        members.push(("NextToken", text((skipped + PAGE_MAX as usize).to_string())));
    }
    Ok(Tree::Struct(members))
}

/// Always the same for a group: FNV-1a of its dimensions, in 16 hexadecimal digits.
fn contributor_id(line: &WatchedLine) -> String {
    let parts = line.group.iter().flat_map(|(dimension, value)| [dimension.name(), "=", value, "\n"]);
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}", parts.flat_map(str::bytes).fold(0xcbf2_9ce4_8422_2325, step))
}

/// `DescribeAlarmHistory`: the newest first, unless it is wished otherwise.
pub(super) fn history(view: &CloudwatchView, params: Params<'_>, _now_ms: i64) -> Result<Tree, Fault> {
    let name = params.text("AlarmName", 255)?;
    let kind = params.text("HistoryItemType", 255)?;
    let (start, end) = (params.time("StartDate")?, params.time("EndDate")?);
    let page = params.integer("MaxRecords", 1..=PAGE_MAX)?.unwrap_or(PAGE_MAX) as usize;
    let types = params.texts("AlarmTypes", 10)?;
    let of_type = types.is_empty() || types.contains(&"MetricAlarm");
    let is_ascending = params.text("ScanBy", 255)? == Some("TimestampAscending");
    let from: Option<u64> =
        params.text("NextToken", 1024)?.map(|token| token.parse().map_err(|_| Fault::token())).transpose()?;
    let fits = |item: &&Arc<HistoryItem>| {
        of_type
            && name.is_none_or(|name| item.alarm == name)
            && kind.is_none_or(|kind| item.kind.name() == kind)
            && start.is_none_or(|start| item.at_ms >= start)
            && end.is_none_or(|end| item.at_ms <= end)
            && from.is_none_or(|from| if is_ascending { item.seq >= from } else { item.seq <= from })
    };
    let all = &view.alarms.history;
    let ordered: Box<dyn Iterator<Item = &Arc<HistoryItem>>> =
        if is_ascending { Box::new(all.iter()) } else { Box::new(all.iter().rev()) };
    let mut found = ordered.filter(fits);
    let shown = |item: &Arc<HistoryItem>| {
        Tree::Struct(vec![
            ("AlarmName", text(item.alarm.as_str())),
            ("AlarmType", text("MetricAlarm")),
            ("Timestamp", Tree::Time(item.at_ms)),
            ("HistoryItemType", text(item.kind.name())),
            ("HistorySummary", text(item.summary.as_str())),
            ("HistoryData", text(item.data.as_str())),
        ])
    };
    let items: Vec<Tree> = found.by_ref().take(page).map(shown).collect();
    let mut members = vec![("AlarmHistoryItems", Tree::List(items))];
    members.extend(found.next().map(|next| ("NextToken", text(next.seq.to_string()))));
    Ok(Tree::Struct(members))
}
