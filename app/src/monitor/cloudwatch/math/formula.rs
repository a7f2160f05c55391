//! What an alarm on metric math watches: queries, one of which is compared with the threshold.
//!
//! Source: the CloudWatch user guide, "Alarm data queries", and the API reference of PutMetricAlarm. There are at most ten metrics, all of one period;
//! SEARCH finds many series, of which an alarm can watch but one. A Metrics Insights query with GROUP BY and ORDER BY is watched group by group.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::statistics::Statistic;
use super::super::store::{Datum, Dimension, Store};
use super::compute::{Line, Value};
use super::engine::Engine;
use super::expression::Expression;
use super::query::{Parsed, Query, What};
use super::{Senseless, senseless};

/// Metrics of an alarm.
const METRICS_MAX: usize = 10;

/// Metrics and expressions of an alarm.
pub const QUERIES_MAX: usize = 20;

/// Metrics Insights looks no further back for an alarm, s.
const INSIGHTS_REACH_S: i64 = 3 * 3600;

/// Numbers that one evaluation may go through: alarms are evaluated up to once a second.
const NUMBERS_MAX: usize = 50_000;

/// An expression is tried out on so many periods.
const TRIED_PERIODS: i64 = 4;

/// A line of what is watched: the only one, or one of each group of a query with GROUP BY.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WatchedLine {
    /// Of a group, its dimensions.
    pub group: Vec<(Dimension, Arc<str>)>,
    /// (s since 1970, value), ascending.
    pub points: Vec<(i64, f64)>,
}

impl WatchedLine {
    /// What tells its group from the others: `1`, `orders 1`.
    pub fn name(&self) -> String {
        self.group.iter().map(|(_, value)| &**value).collect::<Vec<_>>().join(" ")
    }
}

/// Queries, one of which is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    queries: Vec<Query>,
    wanted: usize,
    period_s: i64,
}

impl Formula {
    /// Of queries that make sense together.
    ///
    /// # Errors
    /// One sentence for people.
    pub fn new(queries: Vec<Query>) -> Result<Formula, String> {
        if queries.len() > QUERIES_MAX {
            return Err(format!("There can be no more than {QUERIES_MAX} elements in the metrics list."));
        }
        queries.iter().try_for_each(|query| Query::check_id(&query.id))?;
        Query::check_all(&queries)?;
        let mut wanted = queries.iter().enumerate().filter(|(_, query)| query.is_wanted).map(|(index, _)| index);
        let (Some(wanted), None) = (wanted.next(), wanted.next()) else {
            return Err("Exactly one element of the metrics list should return data.".into());
        };
        let metrics = queries.iter().filter(|query| matches!(query.what, What::Stat { .. })).count();
        if metrics > METRICS_MAX {
            return Err(format!("An alarm can watch an expression on no more than {METRICS_MAX} metrics."));
        }
        let periods: BTreeSet<i64> = queries.iter().filter_map(|query| query.what.period_s()).collect();
        let period_s = match periods.len() {
            0 => return Err("The metrics list must say a Period.".into()),
            1 => periods.first().copied().unwrap_or_default(),
            _ => return Err("All metrics and expressions of an alarm must have the same Period.".into()),
        };
        if !(1..=86_400).contains(&period_s) {
            return Err("Period must be from 1 to 86400.".into());
        }
        if queries.iter().any(|query| searches(&query.what)) {
            return Err(
                "An alarm cannot be based on SEARCH, which finds many time series: an alarm watches one.".into()
            );
        }
        let formula = Formula { queries, wanted, period_s };
        if let What::Expression { parsed: Parsed::Insights(insights), .. } = &formula.wanted().what
            && insights.is_grouped()
            && !insights.is_ordered()
        {
            return Err("A query with GROUP BY that an alarm watches needs ORDER BY too.".into());
        }
        formula.try_out(TRIED_PERIODS)?;
        Ok(formula)
    }

    /// All of them, as they were given.
    pub fn queries(&self) -> &[Query] {
        &self.queries
    }

    /// The one that is watched.
    pub fn wanted(&self) -> &Query {
        &self.queries[self.wanted]
    }

    /// Length of periods, s.
    pub fn period_s(&self) -> i64 {
        self.period_s
    }

    /// What is watched, in a few words: its label, or what it says.
    pub fn title(&self) -> String {
        let wanted = self.wanted();
        let label = wanted.label.as_deref().filter(|label| !label.is_empty() && !label.contains("${"));
        label.map_or_else(|| words(&wanted.what), str::to_owned)
    }

    /// All queries in words, by id: what is watched comes first.
    pub fn words(&self) -> Vec<(String, String)> {
        let rest = self.queries.iter().enumerate().filter(|(index, _)| *index != self.wanted).map(|(_, query)| query);
        std::iter::once(self.wanted()).chain(rest).map(|query| (query.id.clone(), words(&query.what))).collect()
    }

    /// Refuses what takes too long, or reaches back too far, to be looked at so many periods of.
    ///
    /// # Errors
    /// One sentence for people.
    pub fn check(&self, periods: i64) -> Result<(), String> {
        let is_insights = self.queries.iter().any(|query| query.what.is_insights());
        if is_insights && periods.saturating_mul(self.period_s) > INSIGHTS_REACH_S {
            return Err(
                "A Metrics Insights query in an alarm looks at the last three hours at most: evaluate fewer periods."
                    .into(),
            );
        }
        let tried = self.try_out(TRIED_PERIODS)?;
        if tried as i64 * periods > NUMBERS_MAX as i64 * TRIED_PERIODS {
            return Err("The expressions are too much work for so many periods: evaluate fewer.".into());
        }
        Ok(())
    }

    /// Whether what is watched has a line for each group: a query with GROUP BY.
    pub fn is_grouped(&self) -> bool {
        matches!(&self.wanted().what, What::Expression { parsed: Parsed::Insights(insights), .. } if insights.is_grouped())
    }

    /// What is watched, in periods that begin in a time span (aligned to the period), which may be another than its own.
    ///
    /// # Errors
    /// It is too much work.
    pub fn lines(&self, store: &Store, period_s: i64, span: (i64, i64)) -> Result<Vec<WatchedLine>, Senseless> {
        let mut engine = Engine::new(store, &self.queries, span).within(period_s, NUMBERS_MAX);
        let lines = engine.query(self.wanted)?.lines().into_iter();
        let of_group = |line: Line| match line.key.filter(|_| self.is_grouped()) {
            Some(key) => WatchedLine { group: key.dimensions.clone(), points: line.points },
            None => WatchedLine { group: Vec::new(), points: line.points },
        };
        Ok(lines.map(of_group).collect())
    }

    /// Whether what it says of a period that is not over would be too little.
    pub fn adds_up(&self) -> bool {
        self.queries.iter().any(|query| match &query.what {
            What::Stat { statistic, .. } => matches!(statistic, Statistic::Sum | Statistic::SampleCount),
            What::Expression { parsed: Parsed::Insights(insights), .. } => insights.adds_up(),
            What::Expression { .. } => false,
        })
    }

    /// Works out all queries where each metric is 1, and gives how many numbers that went through.
    fn try_out(&self, periods: i64) -> Result<usize, String> {
        let mut store = Store::default();
        let keys = self.queries.iter().filter_map(|query| match &query.what {
            What::Stat { key, .. } => Some(key),
            What::Expression { .. } => None,
        });
        let keys: Vec<_> = keys.collect();
        for period in 1..=periods {
            store.put(period * self.period_s, keys.iter().map(|key| Datum { key: (***key).clone(), value: 1.0 }));
        }
        let span = (self.period_s, (periods + 1) * self.period_s);
        let mut engine = Engine::new(&store, &self.queries, span).within(self.period_s, NUMBERS_MAX);
        for index in 0..self.queries.len() {
            engine.query(index).map_err(|error| error.to_string())?;
        }
        let used = NUMBERS_MAX - engine.left();
        let what = match engine.query(self.wanted).map_err(|error| error.to_string())? {
            Value::Line(_) => return Ok(used),
            Value::Lines(_) if self.is_grouped() => return Ok(used),
            Value::Lines(_) => "several time series, and an alarm watches one",
            Value::Number(_) => "a number, and an alarm watches a time series",
        };
        Err(senseless(format_args!("{:?} comes to {what}", self.wanted().id)).to_string())
    }
}

/// Whether it calls SEARCH somewhere.
fn searches(what: &What) -> bool {
    match what {
        What::Expression { parsed: Parsed::Math(expression), .. } => calls_search(expression),
        _ => false,
    }
}

fn calls_search(expression: &Expression) -> bool {
    match expression {
        Expression::Number(_) | Expression::Text(_) | Expression::Name(_) => false,
        Expression::List(items) => items.iter().any(calls_search),
        Expression::Call(name, arguments) => name == "SEARCH" || arguments.iter().any(calls_search),
        Expression::Minus(inner) => calls_search(inner),
        Expression::Binary(_, one, other) => calls_search(one) || calls_search(other),
    }
}

/// `Average of LeaderCount of broker 1`; of an expression, itself.
fn words(what: &What) -> String {
    match what {
        What::Stat { key, statistic, .. } => format!("{statistic} of {key}"),
        What::Expression { text, .. } => text.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}
