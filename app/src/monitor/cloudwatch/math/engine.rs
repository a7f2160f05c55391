//! Works out queries: series, and expressions on them and on each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::statistics::Statistic;
use super::super::store::{Key, Store};
use super::compute::{self, Aggregate, Filling, Line, Value, combine};
use super::expression::Expression;
use super::query::{Parsed, Query, What};
use super::search::Search;
use super::{Senseless, senseless};

/// Numbers that all expressions of a request may go through; a busy dashboard needs some ten thousand.
const NUMBERS_MAX: usize = 10_000_000;

/// Functions that there are.
const FUNCTIONS: &str = "ABS, AVG, CEIL, DATAPOINT_COUNT, DIFF, FILL, FIRST, FLOOR, IF, LAST, LOG, LOG10, MAX, METRIC_COUNT, METRICS, MIN, \
                         PERIOD, RATE, REMOVE_EMPTY, RUNNING_SUM, SEARCH, SLICE, SORT, STDDEV, SUM and TIME_SERIES";

/// A line of a result.
pub struct Told {
    /// What it is called.
    pub label: String,
    /// (s since 1970, value), ascending.
    pub points: Vec<(i64, f64)>,
}

/// Works out queries of one request. What several need is worked out once.
pub struct Engine<'e> {
    store: &'e Store,
    queries: &'e [Query],
    start_s: i64,
    end_s: i64,
    /// All periods are of this length, whatever the queries say.
    period_s: Option<i64>,
    done: BTreeMap<usize, Value>,
    under_way: Vec<usize>,
    left: usize,
}

impl<'e> Engine<'e> {
    /// For a time span.
    pub fn new(store: &'e Store, queries: &'e [Query], (start_s, end_s): (i64, i64)) -> Engine<'e> {
        let (done, under_way) = (BTreeMap::new(), Vec::new());
        Engine { store, queries, start_s, end_s, period_s: None, done, under_way, left: NUMBERS_MAX }
    }

    /// With all periods of this length, and no more work than so many numbers.
    pub fn within(self, period_s: i64, numbers: usize) -> Engine<'e> {
        Engine { period_s: Some(period_s), left: numbers, ..self }
    }

    /// Numbers that it may still go through.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The lines of a query.
    ///
    /// # Errors
    /// An expression makes no sense, or is too much work.
    pub fn tell(&mut self, index: usize) -> Result<Vec<Told>, Senseless> {
        let value = self.query(index)?;
        let query = &self.queries[index];
        let of_list = matches!(value, Value::Lines(_));
        if matches!(value, Value::Number(_)) {
            return Err(senseless(format_args!(
                "{:?} comes to a number and not to a time series: see TIME_SERIES",
                query.id
            )));
        }
        let told = |line: Line| Told { label: query.name_of(&line, of_list), points: line.points };
        Ok(value.lines().into_iter().map(told).collect())
    }

    /// What a query comes to.
    ///
    /// # Errors
    /// An expression makes no sense, or is too much work.
    pub fn query(&mut self, index: usize) -> Result<Value, Senseless> {
        if let Some(value) = self.done.get(&index) {
            let value = value.clone();
            self.pay(value.size())?;
            return Ok(value);
        }
        let queries = self.queries;
        let value = match &queries[index].what {
            What::Stat { key, statistic, period_s } => Value::Line(self.series(key, *statistic, *period_s)?),
            What::Expression { parsed: Parsed::Insights(insights), period_s, .. } => {
                let period_s = self.period_s.or(*period_s).ok_or(Senseless::Missing("Period"))?;
                let (store, span) = (self.store, (self.start_s, self.end_s));
                insights.answer(store, period_s, span, |numbers| self.pay(numbers))?
            }
            What::Expression { parsed: Parsed::Math(expression), period_s, .. } => {
                if self.under_way.contains(&index) {
                    return Err(senseless(format_args!("{:?} needs itself", queries[index].id)));
                }
                self.under_way.push(index);
                let value = self.value(expression, self.period_s.or(*period_s))?;
                self.under_way.pop();
                value
            }
        };
        self.done.insert(index, value.clone());
        Ok(value)
    }

    fn pay(&mut self, numbers: usize) -> Result<(), Senseless> {
        let left = self.left.checked_sub(numbers);
        self.left = left.ok_or_else(|| senseless("the expressions go through too many numbers"))?;
        Ok(())
    }

    fn series(&mut self, key: &Arc<Key>, statistic: Statistic, period_s: i64) -> Result<Line, Senseless> {
        let period_s = self.period_s.unwrap_or(period_s);
        let series = self.store.get(key);
        let points = series.map(|series| series.points(statistic, period_s, self.start_s, self.end_s));
        let points: Vec<(i64, f64)> =
            points.unwrap_or_default().into_iter().map(|point| (point.at_s, point.value)).collect();
        self.pay(1 + points.len())?;
        Ok(Line { key: Some(key.clone()), statistic: Some(statistic), period_s, points })
    }

    fn value(&mut self, expression: &Expression, period_s: Option<i64>) -> Result<Value, Senseless> {
        let value = match expression {
            Expression::Number(number) => Value::Number(*number),
            Expression::Text(text) => return Err(senseless(format_args!("{text:?} stands where a value should"))),
            Expression::Name(name) => {
                let index = self.queries.iter().position(|query| query.id == *name);
                return self.query(index.ok_or_else(|| senseless(format_args!("no query has the id {name:?}")))?);
            }
            Expression::List(items) => {
                let mut lines = Vec::new();
                for item in items {
                    lines.extend(self.value(item, period_s)?.lines());
                }
                Value::Lines(lines)
            }
            Expression::Minus(inner) => self.value(inner, period_s)?.map(|value| -value),
            Expression::Binary(operator, one, other) => {
                let (one, other) = (self.value(one, period_s)?, self.value(other, period_s)?);
                self.pay(one.size() + other.size())?;
                combine(*operator, one, other)?
            }
            Expression::Call(name, arguments) => self.call(name, arguments, period_s)?,
        };
        self.pay(value.size())?;
        Ok(value)
    }

    fn call(&mut self, name: &str, arguments: &[Expression], period_s: Option<i64>) -> Result<Value, Senseless> {
        match (name, arguments) {
            ("SEARCH", [Expression::Text(query), Expression::Text(statistic), rest @ ..]) => {
                return self.search(query, statistic, rest, period_s);
            }
            ("SEARCH", _) => {
                return Err(senseless("SEARCH takes what to look for and the statistic, both in quotes, and a period"));
            }
            ("ANOMALY_DETECTION_BAND", _) => return Err(senseless("anomaly detection is not there")),
            ("METRICS", []) => return self.metrics(""),
            ("METRICS", [Expression::Text(part)]) => return self.metrics(part),
            ("FILL", [value, Expression::Name(how)]) if how == "REPEAT" || how == "LINEAR" => {
                let filling = if how == "REPEAT" { Filling::Repeat } else { Filling::Linear };
                let value = self.value(value, period_s)?;
                return self.fill(value, filling);
            }
            ("SORT", [value, Expression::Name(by), Expression::Name(order), rest @ ..]) => {
                return self.sort(value, (by, order), rest, period_s);
            }
            _ => {}
        }
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.value(argument, period_s)?);
        }
        let mut values = values.into_iter();
        let count = values.len();
        let mut next = || values.next().ok_or_else(|| senseless(format_args!("{name} needs more arguments")));
        let most = match name {
            "IF" | "SLICE" => 3,
            "FILL" => 2,
            _ => 1,
        };
        if count > most {
            return Err(senseless(format_args!("{name} takes no more than {most} arguments here")));
        }
        match name {
            "ABS" => Ok(next()?.map(f64::abs)),
            "CEIL" => Ok(next()?.map(f64::ceil)),
            "FLOOR" => Ok(next()?.map(f64::floor)),
            "LOG" => Ok(next()?.map(f64::ln)),
            "LOG10" => Ok(next()?.map(f64::log10)),
            "DIFF" => next()?.each(name, |line| compute::growth(line, false)),
            "RATE" => next()?.each(name, |line| compute::growth(line, true)),
            "RUNNING_SUM" => next()?.each(name, compute::running_sum),
            "PERIOD" => Ok(Value::Number(next()?.line(name)?.period_s as f64)),
            "METRIC_COUNT" => Ok(Value::Number(next()?.lines().len() as f64)),
            "REMOVE_EMPTY" => {
                let lines = next()?.lines();
                Ok(Value::Lines(lines.into_iter().filter(|line| !line.points.is_empty()).collect()))
            }
            "FIRST" => first(next()?.lines().into_iter().next(), name),
            "LAST" => first(next()?.lines().pop(), name),
            "FILL" => {
                let (value, number) = (next()?, next()?.number(name)?);
                self.fill(value, Filling::Number(number))
            }
            "IF" => compute::choose(next()?, next()?, next().ok()),
            "SLICE" => {
                let (lines, from) = (next()?.lines(), next()?.number(name)?);
                let until = next().ok().map(|until| until.number(name)).transpose()?.unwrap_or(f64::INFINITY);
                let index = |number: f64| number.clamp(0.0, lines.len() as f64) as usize;
                let (from, until) = (index(from), index(until));
                Ok(Value::Lines(lines[from.min(until)..until].to_vec()))
            }
            "TIME_SERIES" => {
                let number = next()?.number(name)?;
                let period_s = period_s.ok_or(Senseless::Missing("Period"))?;
                let times = self.times(period_s)?;
                let points = times.into_iter().map(|at_s| (at_s, number)).filter(|point| point.1.is_finite()).collect();
                Ok(Value::Line(Line { period_s, points, ..Line::default() }))
            }
            _ => match Aggregate::named(name) {
                Some(aggregate) => Ok(aggregate.of_value(next()?)),
                None => Err(senseless(format_args!("there is no function {name:?}; there are {FUNCTIONS}"))),
            },
        }
    }

    /// All series of the request that are no expressions, and have this in their id.
    fn metrics(&mut self, part: &str) -> Result<Value, Senseless> {
        let queries = self.queries;
        let mut lines = Vec::new();
        for (index, query) in queries.iter().enumerate() {
            if matches!(query.what, What::Stat { .. }) && query.id.contains(part) {
                lines.extend(self.query(index)?.lines());
            }
        }
        Ok(Value::Lines(lines))
    }

    fn search(
        &mut self,
        query: &str,
        statistic: &str,
        rest: &[Expression],
        period_s: Option<i64>,
    ) -> Result<Value, Senseless> {
        let statistic = statistic.parse().map_err(|error| senseless(format_args!("{statistic:?} {error}")))?;
        let period_s = match rest {
            [] => period_s.ok_or(Senseless::Missing("Period"))?,
            [Expression::Number(seconds)] if seconds.fract() == 0.0 && (1.0..=86_400.0).contains(seconds) => {
                *seconds as i64
            }
            _ => return Err(senseless("the period must be a number of seconds")),
        };
        let search = Search::parse(query)?;
        let mut lines = Vec::new();
        for key in search.find(self.store) {
            lines.push(self.series(&key, statistic, period_s)?);
        }
        Ok(Value::Lines(lines))
    }

    /// When periods of the time span begin, as far as there can be values.
    fn times(&mut self, period_s: i64) -> Result<Vec<i64>, Senseless> {
        let period_s = period_s.max(1);
        let first = self.start_s - self.start_s.rem_euclid(period_s);
        let end_s = self.end_s.min(self.store.newest_s() + 1);
        let count = usize::try_from((end_s - first).max(0) / period_s + 1).unwrap_or(usize::MAX);
        self.pay(count)?;
        Ok((first..end_s).step_by(period_s as usize).collect())
    }

    fn fill(&mut self, value: Value, filling: Filling) -> Result<Value, Senseless> {
        let lines = match &value {
            Value::Line(line) => std::slice::from_ref(line),
            Value::Lines(lines) => lines.as_slice(),
            Value::Number(_) => &[],
        };
        let periods: std::collections::BTreeSet<i64> = lines.iter().map(|line| line.period_s).collect();
        let mut times = BTreeMap::new();
        for period_s in periods {
            let all = self.times(period_s)?;
            self.pay(all.len().saturating_mul(lines.len()))?;
            times.insert(period_s, all);
        }
        let of = |period_s: i64| times.get(&period_s).map_or(&[][..], Vec::as_slice);
        value.each("FILL", |line| compute::fill(line, of(line.period_s), filling))
    }

    fn sort(
        &mut self,
        value: &Expression,
        (by, order): (&str, &str),
        rest: &[Expression],
        period_s: Option<i64>,
    ) -> Result<Value, Senseless> {
        let by = Aggregate::named(by)
            .ok_or_else(|| senseless(format_args!("SORT goes by AVG, MIN, MAX or SUM, and not by {by:?}")))?;
        let most = match rest {
            [] => usize::MAX,
            [Expression::Number(most)] => *most as usize,
            _ => return Err(senseless("SORT takes a number of series at its end")),
        };
        let lines = self.value(value, period_s)?.lines();
        let rank = |line: Line| (by.of(line.points.iter().map(|point| point.1)), line);
        let mut ranked: Vec<(f64, Line)> = lines.into_iter().map(rank).collect();
        match order {
            "ASC" => ranked.sort_by(|one, other| one.0.total_cmp(&other.0)),
            "DESC" => ranked.sort_by(|one, other| other.0.total_cmp(&one.0)),
            _ => return Err(senseless(format_args!("SORT takes ASC or DESC, and not {order:?}"))),
        }
        Ok(Value::Lines(ranked.into_iter().take(most).map(|(_, line)| line).collect()))
    }
}

fn first(line: Option<Line>, name: &str) -> Result<Value, Senseless> {
    line.map(Value::Line).ok_or_else(|| senseless(format_args!("{name} was given no time series")))
}
