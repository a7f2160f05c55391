//! Queries of GetMetricData and of alarms on metric math: how they are read and told.

use std::sync::Arc;

use serde_json::Value as Json;

use super::fault::Fault;
use super::metrics::{is_ours, metric};
use super::params::Params;
use super::tree::{Tree, text};
use crate::monitor::cloudwatch::catalog::{ACCOUNT, definition};
use crate::monitor::cloudwatch::math::query::{Query, What};
use crate::monitor::cloudwatch::store::Key;

/// Longest expression, in characters; CloudWatch's own bound.
const EXPRESSION_MAX: usize = 2_048;

/// Reads one.
///
/// # Errors
/// It is not well formed.
pub(super) fn read(value: &Json) -> Result<Query, Fault> {
    read_with(value, stat_of)
}

/// Reads one of an alarm, whose metrics must be there.
///
/// # Errors
/// It is not well formed, or on a metric that cannot be.
pub(super) fn read_of_alarm(value: &Json) -> Result<Query, Fault> {
    if Params::new(value)?.text("AccountId", 255)?.is_some_and(|account| account != ACCOUNT) {
        return Err(Fault::value(format!("There is no account but {ACCOUNT}.")));
    }
    read_with(value, stat_that_is)
}

fn read_with(value: &Json, stat_of: fn(&Params<'_>) -> Result<What, Fault>) -> Result<Query, Fault> {
    let params = Params::new(value)?;
    let id = params.needed_text("Id", 255)?.to_owned();
    Query::check_id(&id).map_err(Fault::validation)?;
    let label = params.text("Label", 2048)?.map(str::to_owned);
    let is_wanted = params.bool("ReturnData")?.unwrap_or(true);
    let what = match (params.inner("MetricStat")?, params.text("Expression", EXPRESSION_MAX)?) {
        (Some(stat), None) => stat_of(&stat)?,
        (None, Some(expression)) => {
            let period_s = if params.has("Period") { Some(params.period()?) } else { None };
            What::expression(expression, period_s)?
        }
        _ => return Err(Fault::validation(format!("Query {id:?} must have either MetricStat or Expression."))),
    };
    Ok(Query { id, is_wanted, label, what })
}

fn metric_of<'v>(stat: &Params<'v>) -> Result<Params<'v>, Fault> {
    stat.inner("Metric")?.ok_or_else(|| Fault::missing("MetricStat.Metric"))
}

fn stat_of(stat: &Params<'_>) -> Result<What, Fault> {
    let metric = metric_of(stat)?;
    let row = metric.key()?;
    let unit = stat.text("Unit", 255)?;
    let of_unit = |key: &Key| unit.is_none_or(|unit| definition(key).is_some_and(|row| row.unit.name() == unit));
    let key = row.filter(of_unit).filter(|_| is_ours(&metric) == Ok(true));
    // What is not there has no points, and is no error.
    let key =
        key.unwrap_or_else(|| Key::new(metric.text("MetricName", 255).ok().flatten().unwrap_or_default(), Vec::new()));
    Ok(What::Stat { key: Arc::new(key), statistic: stat.needed("Stat")?, period_s: stat.period()? })
}

fn stat_that_is(stat: &Params<'_>) -> Result<What, Fault> {
    let key = metric_of(stat)?.key_that_is(stat.text("Unit", 255)?)?;
    Ok(What::Stat { key: Arc::new(key), statistic: stat.needed("Stat")?, period_s: stat.period()? })
}

/// A query as CloudWatch writes it.
pub(super) fn shown(query: &Query) -> Tree {
    let mut members = vec![("Id", text(query.id.as_str()))];
    match &query.what {
        What::Stat { key, statistic, period_s } => members.push((
            "MetricStat",
            Tree::Struct(vec![
                ("Metric", metric(key)),
                ("Period", Tree::Integer(*period_s)),
                ("Stat", text(statistic.to_string())),
            ]),
        )),
        What::Expression { text: expression, period_s, .. } => {
            members.push(("Expression", text(expression.as_str())));
            members.extend(period_s.map(|period_s| ("Period", Tree::Integer(period_s))));
        }
    }
    members.extend(query.label.as_ref().map(|label| ("Label", text(label.as_str()))));
    members.push(("ReturnData", Tree::Bool(query.is_wanted)));
    Tree::Struct(members)
}
