//! ListMetrics, GetMetricData, GetMetricStatistics.

use std::sync::Arc;

use super::fault::Fault;
use super::params::Params;
use super::queries::read;
use super::tree::{Tree, text};
use crate::monitor::cloudwatch::catalog::{NAMESPACE, definition};
use crate::monitor::cloudwatch::math::engine::{Engine, Told};
use crate::monitor::cloudwatch::math::query::Query;
use crate::monitor::cloudwatch::statistics::Statistic;
use crate::monitor::cloudwatch::store::{Dimension, Key};
use crate::monitor::cloudwatch::watch::CloudwatchView;

/// Metrics on a page of ListMetrics.
const PAGE: usize = 500;

/// Queries of one GetMetricData.
const QUERIES_MAX: usize = 500;

/// Data points on a page of GetMetricData.
const POINTS_MAX: i64 = 100_800;

/// Data points of one GetMetricStatistics.
const STATISTICS_POINTS_MAX: i64 = 1_440;

/// `RecentlyActive=PT3H`, s.
const RECENTLY_S: i64 = 3 * 3600;

/// A metric as CloudWatch writes it.
pub(super) fn metric(key: &Key) -> Tree {
    Tree::Struct(vec![
        ("Namespace", text(NAMESPACE)),
        ("MetricName", text(&*key.metric)),
        ("Dimensions", dimensions(key)),
    ])
}

/// Dimensions as CloudWatch writes them.
pub(super) fn dimensions(key: &Key) -> Tree {
    let one = |(dimension, value): &(Dimension, Arc<str>)| {
        Tree::Struct(vec![("Name", text(dimension.name())), ("Value", text(&**value))])
    };
    Tree::List(key.dimensions.iter().map(one).collect())
}

/// Whether a namespace that was named is ours.
pub(super) fn is_ours(params: &Params<'_>) -> Result<bool, Fault> {
    Ok(params.text("Namespace", 255)?.is_none_or(|namespace| namespace == NAMESPACE))
}

/// `ListMetrics`.
pub(super) fn list(view: &CloudwatchView, params: Params<'_>, now_ms: i64) -> Result<Tree, Fault> {
    let name = params.text("MetricName", 255)?;
    let recently = match params.text("RecentlyActive", 255)? {
        None => None,
        Some("PT3H") => Some(now_ms / 1000 - RECENTLY_S),
        Some(_) => return Err(Fault::value("The parameter RecentlyActive must be PT3H.")),
    };
    let mut filters = Vec::new();
    for filter in params.list("Dimensions", 10)? {
        let filter = Params::new(filter)?;
        filters.push((Dimension::named(filter.needed_text("Name", 255)?), filter.text("Value", 1024)?));
    }
    let skipped: usize = match params.text("NextToken", 1024)? {
        None => 0,
        Some(token) => token.parse().map_err(|_| Fault::value("The parameter NextToken is not one that was given."))?,
    };
    let ours = is_ours(&params)?;
    let fits = |key: &Key| {
        filters.iter().all(|(dimension, value)| {
            let own = dimension.and_then(|dimension| key.dimension(dimension));
            own.is_some_and(|own| value.is_none_or(|value| value == &**own))
        })
    };
    let mut found = view.store.iter().filter(|(key, series)| {
        ours && name.is_none_or(|name| name == &*key.metric)
            && recently.is_none_or(|recently| series.last_s() >= recently)
            && fits(key)
    });
    let page: Vec<Tree> = found.by_ref().skip(skipped).take(PAGE).map(|(key, _)| metric(key)).collect();
    let has_more = found.next().is_some();
    let mut members = vec![("Metrics", Tree::List(page))];
    if has_more {
        members.push(("NextToken", text((skipped + PAGE).to_string())));
    }
    Ok(Tree::Struct(members))
}

/// `GetMetricStatistics`.
pub(super) fn statistics(view: &CloudwatchView, params: Params<'_>, _now_ms: i64) -> Result<Tree, Fault> {
    params.needed_text("Namespace", 255)?;
    let ours = is_ours(&params)?;
    let name = params.needed_text("MetricName", 255)?;
    let key = params.key()?;
    let (start_ms, end_ms) = params.span()?;
    let period_s = params.period()?;
    let names = params.texts("Statistics", 5)?;
    let extended = params.texts("ExtendedStatistics", 10)?;
    if names.is_empty() && extended.is_empty() {
        return Err(Fault::missing("Statistics"));
    }
    let parse = |text: &&str, is_simple: bool| {
        let statistic: Result<Statistic, _> = text.parse();
        let fault = || Fault::value(format!("{text:?} is not one of the statistics that may stand here."));
        statistic.ok().filter(|statistic| statistic.is_simple() == is_simple).ok_or_else(fault)
    };
    let names = names.iter().map(|text| parse(text, true)).collect::<Result<Vec<_>, _>>()?;
    let extended = extended.iter().map(|text| parse(text, false)).collect::<Result<Vec<_>, _>>()?;
    let wanted = (end_ms - start_ms) / 1000 / period_s;
    if wanted > STATISTICS_POINTS_MAX {
        return Err(Fault::combination(format!(
            "You have requested up to {wanted} datapoints, which exceeds the limit of {STATISTICS_POINTS_MAX}."
        )));
    }
    let row = key.as_ref().and_then(definition);
    let unit = params.text("Unit", 255)?;
    let is_there = ours && unit.is_none_or(|unit| row.is_some_and(|row| row.unit.name() == unit));
    let series = key.as_ref().and_then(|key| view.store.get(key)).filter(|_| is_there);
    let sets =
        series.map(|series| series.sets(period_s, start_ms.div_euclid(1000), seconds_up(end_ms))).unwrap_or_default();
    let points = sets.into_iter().map(|(at_s, set)| {
        let mut members = vec![("Timestamp", Tree::Time(at_s * 1000))];
        for statistic in &names {
            let name = match statistic {
                Statistic::SampleCount => "SampleCount",
                Statistic::Average => "Average",
                Statistic::Sum => "Sum",
                Statistic::Minimum => "Minimum",
                _ => "Maximum",
            };
            members.push((name, Tree::Double(set.get(*statistic))));
        }
        members.extend(row.map(|row| ("Unit", text(row.unit.name()))));
        if !extended.is_empty() {
            let value = |statistic: &Statistic| (statistic.to_string(), Tree::Double(set.get(*statistic)));
            members.push(("ExtendedStatistics", Tree::Map(extended.iter().map(value).collect())));
        }
        Tree::Struct(members)
    });
    Ok(Tree::Struct(vec![("Label", text(name)), ("Datapoints", Tree::List(points.collect()))]))
}

/// The first second that a time span does not reach any more.
fn seconds_up(ms: i64) -> i64 {
    -(-ms).div_euclid(1000)
}

/// `GetMetricData`.
pub(super) fn data(view: &CloudwatchView, params: Params<'_>, _now_ms: i64) -> Result<Tree, Fault> {
    let (start_ms, end_ms) = params.span()?;
    let queries = params.list("MetricDataQueries", QUERIES_MAX)?;
    if queries.is_empty() {
        return Err(Fault::missing("MetricDataQueries"));
    }
    let is_ascending = match params.text("ScanBy", 255)? {
        None | Some("TimestampDescending") => false,
        Some("TimestampAscending") => true,
        Some(_) => return Err(Fault::value("The parameter ScanBy must be TimestampDescending or TimestampAscending.")),
    };
    let mut left = params.integer("MaxDatapoints", 1..=POINTS_MAX)?.unwrap_or(POINTS_MAX) as usize;
    // A token holds the end of the time span too, so that points that come meanwhile do not move those of later pages.
    let (mut skip, end_ms) = match params.text("NextToken", 255)? {
        None => (0, end_ms),
        Some(token) => {
            let (skip, until) = token.split_once('.').ok_or_else(Fault::token)?;
            let until: i64 = until.parse().map_err(|_| Fault::token())?;
            (skip.parse::<usize>().map_err(|_| Fault::token())?, end_ms.min(until))
        }
    };
    let queries = queries.iter().map(read).collect::<Result<Vec<Query>, Fault>>()?;
    Query::check_all(&queries).map_err(Fault::validation)?;
    let page_end_ms = end_ms.min((view.store.newest_s() + 1) * 1000);
    let mut engine = Engine::new(&view.store, &queries, (start_ms.div_euclid(1000), seconds_up(page_end_ms)));
    let (asked, mut taken, mut has_more, mut results) = (skip, 0, false, Vec::new());
    for (index, query) in queries.iter().enumerate().filter(|(_, query)| query.is_wanted) {
        for Told { label, mut points } in engine.tell(index)? {
            if !is_ascending {
                points.reverse();
            }
            let skipped = skip.min(points.len());
            skip -= skipped;
            let page = &points[skipped..(skipped + left).min(points.len())];
            left -= page.len();
            taken += page.len();
            let is_complete = skipped + page.len() == points.len();
            has_more |= !is_complete;
            results.push(Tree::Struct(vec![
                ("Id", text(query.id.as_str())),
                ("Label", text(label)),
                ("Timestamps", Tree::List(page.iter().map(|point| Tree::Time(point.0 * 1000)).collect())),
                ("Values", Tree::List(page.iter().map(|point| Tree::Double(point.1)).collect())),
                ("StatusCode", text(if is_complete { "Complete" } else { "PartialData" })),
            ]));
        }
    }
    let mut members = vec![("MetricDataResults", Tree::List(results)), ("Messages", Tree::List(Vec::new()))];
    if has_more {
        members.push(("NextToken", text(format!("{}.{page_end_ms}", asked + taken))));
    }
    Ok(Tree::Struct(members))
}
