//! Metric math's functions on numbers, lines and lists of lines. Pure: two lines meet at the timestamps that both have, and what is not finite (as
//! what is divided by zero) is no data point.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::statistics::Statistic;
use super::super::store::Key;
use super::expression::Operator;
use super::{Senseless, senseless};

/// A series of values, ascending by time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The series that it comes from, if it is from one.
    pub key: Option<Arc<Key>>,
    /// Which statistic of it.
    pub statistic: Option<Statistic>,
    /// Length of its periods, s.
    pub period_s: i64,
    /// (s since 1970, value).
    pub points: Vec<(i64, f64)>,
}

impl Line {
    fn map(mut self, of: impl Fn(f64) -> f64) -> Line {
        self.points.iter_mut().for_each(|point| point.1 = of(point.1));
        self.with_points_that_are()
    }

    fn with_points_that_are(mut self) -> Line {
        self.points.retain(|point| point.1.is_finite());
        self
    }

    fn with(&self, points: Vec<(i64, f64)>) -> Line {
        let (key, statistic, period_s) = (self.key.clone(), self.statistic, self.period_s);
        Line { key, statistic, period_s, points }.with_points_that_are()
    }

    fn at(&self, at_s: i64) -> Option<f64> {
        let index = self.points.binary_search_by_key(&at_s, |point| point.0).ok()?;
        Some(self.points[index].1)
    }

    fn values(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.points.iter().map(|point| point.1)
    }
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A series.
    Line(Line),
    /// Several.
    Lines(Vec<Line>),
}

impl Value {
    /// How many numbers it holds.
    pub fn size(&self) -> usize {
        match self {
            Value::Number(_) => 1,
            Value::Line(line) => 1 + line.points.len(),
            Value::Lines(lines) => lines.iter().map(|line| 1 + line.points.len()).sum::<usize>() + 1,
        }
    }

    /// All its lines; none of a number.
    pub fn lines(self) -> Vec<Line> {
        match self {
            Value::Number(_) => Vec::new(),
            Value::Line(line) => vec![line],
            Value::Lines(lines) => lines,
        }
    }

    /// Its only line.
    ///
    /// # Errors
    /// It is something else.
    pub fn line(self, function: &str) -> Result<Line, Senseless> {
        match self {
            Value::Line(line) => Ok(line),
            _ => Err(senseless(format_args!("{function} takes one time series here"))),
        }
    }

    /// The number that it is.
    ///
    /// # Errors
    /// It is something else.
    pub fn number(&self, function: &str) -> Result<f64, Senseless> {
        match self {
            Value::Number(number) => Ok(*number),
            _ => Err(senseless(format_args!("{function} takes a number there"))),
        }
    }

    /// The same done to each value.
    pub fn map(self, of: impl Fn(f64) -> f64) -> Value {
        match self {
            Value::Number(number) => Value::Number(of(number)),
            Value::Line(line) => Value::Line(line.map(of)),
            Value::Lines(lines) => Value::Lines(lines.into_iter().map(|line| line.map(&of)).collect()),
        }
    }

    /// The same done to each line.
    ///
    /// # Errors
    /// It is a number.
    pub fn each(self, function: &str, of: impl Fn(&Line) -> Vec<(i64, f64)>) -> Result<Value, Senseless> {
        match self {
            Value::Number(_) => Err(senseless(format_args!("{function} takes time series and no number"))),
            Value::Line(line) => Ok(Value::Line(line.with(of(&line)))),
            Value::Lines(lines) => Ok(Value::Lines(lines.into_iter().map(|line| line.with(of(&line))).collect())),
        }
    }
}

/// Two values with an operator between them.
///
/// # Errors
/// Both are lists.
pub fn combine(operator: Operator, one: Value, other: Value) -> Result<Value, Senseless> {
    Ok(match (one, other) {
        (Value::Number(one), Value::Number(other)) => Value::Number(operator.of(one, other)),
        (one, Value::Number(other)) => one.map(|one| operator.of(one, other)),
        (Value::Number(one), other) => other.map(|other| operator.of(one, other)),
        (Value::Line(one), Value::Line(other)) => Value::Line(meet(operator, &one, &other, None)),
        (Value::Lines(lines), Value::Line(other)) => {
            Value::Lines(lines.iter().map(|line| meet(operator, line, &other, line.key.clone())).collect())
        }
        (Value::Line(one), Value::Lines(lines)) => {
            Value::Lines(lines.iter().map(|line| meet(operator, &one, line, line.key.clone())).collect())
        }
        (Value::Lines(_), Value::Lines(_)) => {
            return Err(senseless("two lists of time series cannot stand on both sides of an operator"));
        }
    })
}

fn meet(operator: Operator, one: &Line, other: &Line, key: Option<Arc<Key>>) -> Line {
    let mut points = Vec::new();
    let mut others = other.points.iter().peekable();
    for (at_s, value) in &one.points {
        while others.next_if(|point| point.0 < *at_s).is_some() {}
        if let Some((_, other)) = others.next_if(|point| point.0 == *at_s) {
            points.push((*at_s, operator.of(*value, *other)));
        }
    }
    Line { key, statistic: None, period_s: one.period_s.max(other.period_s), points }.with_points_that_are()
}

/// What becomes of many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// `AVG`
    Average,
    /// `SUM`
    Sum,
    /// `MIN`
    Minimum,
    /// `MAX`
    Maximum,
    /// `STDDEV`, of all there are.
    Deviation,
    /// `DATAPOINT_COUNT`
    Count,
}

impl Aggregate {
    /// By the function's name.
    pub fn named(name: &str) -> Option<Aggregate> {
        Some(match name {
            "AVG" => Aggregate::Average,
            "SUM" => Aggregate::Sum,
            "MIN" => Aggregate::Minimum,
            "MAX" => Aggregate::Maximum,
            "STDDEV" => Aggregate::Deviation,
            "DATAPOINT_COUNT" => Aggregate::Count,
            _ => return None,
        })
    }

    /// Of values; NaN if there is none and that has no meaning.
    pub fn of(self, values: impl Iterator<Item = f64> + Clone) -> f64 {
        let count = values.clone().count() as f64;
        let mean = || values.clone().sum::<f64>() / count;
        match self {
            Aggregate::Count => count,
            _ if count == 0.0 => f64::NAN,
            Aggregate::Average => mean(),
            Aggregate::Sum => values.sum(),
            Aggregate::Minimum => values.fold(f64::INFINITY, f64::min),
            Aggregate::Maximum => values.fold(f64::NEG_INFINITY, f64::max),
            Aggregate::Deviation => {
                let mean = mean();
                (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
            }
        }
    }

    /// Of a line, all its values; of a list, the values of all lines at each time.
    pub fn of_value(self, value: Value) -> Value {
        match value {
            Value::Number(number) => Value::Number(self.of(std::iter::once(number))),
            Value::Line(line) => Value::Number(self.of(line.values())),
            Value::Lines(lines) => {
                let mut times: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
                for (at_s, value) in lines.iter().flat_map(|line| &line.points) {
                    times.entry(*at_s).or_default().push(*value);
                }
                let points = times.into_iter().map(|(at_s, values)| (at_s, self.of(values.iter().copied()))).collect();
                let period_s = lines.iter().map(|line| line.period_s).max().unwrap_or(0);
                Value::Line(Line { period_s, points, ..Line::default() }.with_points_that_are())
            }
        }
    }
}

/// `DIFF`: what each value is more than the one before; `RATE`: that per second.
pub fn growth(line: &Line, per_second: bool) -> Vec<(i64, f64)> {
    let step = |pair: &[(i64, f64)]| {
        let seconds = if per_second { (pair[1].0 - pair[0].0) as f64 } else { 1.0 };
        (pair[1].0, (pair[1].1 - pair[0].1) / seconds)
    };
    line.points.windows(2).map(step).collect()
}

/// `RUNNING_SUM`.
pub fn running_sum(line: &Line) -> Vec<(i64, f64)> {
    let add = |sum: &mut f64, point: &(i64, f64)| {
        *sum += point.1;
        Some((point.0, *sum))
    };
    line.points.iter().scan(0.0, add).collect()
}

/// What missing values are filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filling {
    /// This number.
    Number(f64),
    /// The value before.
    Repeat,
    /// What lies on the way from the value before to the value after.
    Linear,
}

/// `FILL`: at all these times there is a value, where the filling gives one.
pub fn fill(line: &Line, times: &[i64], filling: Filling) -> Vec<(i64, f64)> {
    let mut all: BTreeMap<i64, f64> = line.points.iter().copied().collect();
    for at_s in times {
        if line.at(*at_s).is_some() {
            continue;
        }
        let next = line.points.partition_point(|point| point.0 < *at_s);
        let before = next.checked_sub(1).map(|index| line.points[index]);
        let value = match (filling, before, line.points.get(next)) {
            (Filling::Number(number), ..) => Some(number),
            (Filling::Repeat, Some(before), _) => Some(before.1),
            (Filling::Linear, Some(before), Some(after)) => {
                let part = (at_s - before.0) as f64 / (after.0 - before.0) as f64;
                Some(before.1 + part * (after.1 - before.1))
            }
            _ => None,
        };
        all.extend(value.map(|value| (*at_s, value)));
    }
    all.into_iter().collect()
}

/// `IF`: the one where the condition is not 0, the other (if there is one) where it is.
///
/// # Errors
/// Some value is a list.
pub fn choose(condition: Value, then: Value, otherwise: Option<Value>) -> Result<Value, Senseless> {
    if [Some(&condition), Some(&then), otherwise.as_ref()]
        .into_iter()
        .flatten()
        .any(|one| matches!(one, Value::Lines(_)))
    {
        return Err(senseless("IF takes numbers and single time series"));
    }
    let line = match condition {
        Value::Number(number) if number != 0.0 => return Ok(then),
        Value::Number(_) => {
            let none =
                || Value::Line(then.lines().into_iter().next().map(|line| line.with(Vec::new())).unwrap_or_default());
            return Ok(otherwise.unwrap_or_else(none));
        }
        Value::Line(line) => line,
        Value::Lines(_) => return Err(senseless("IF takes numbers and single time series")),
    };
    let value = |of: &Value, at_s: i64| match of {
        Value::Number(number) => Some(*number),
        Value::Line(line) => line.at(at_s),
        Value::Lines(_) => None,
    };
    let point = |&(at_s, is_so): &(i64, f64)| {
        let branch = if is_so != 0.0 { Some(&then) } else { otherwise.as_ref() };
        Some((at_s, value(branch?, at_s)?))
    };
    let points = line.points.iter().filter_map(point).collect();
    Ok(Value::Line(Line { period_s: line.period_s, points, ..Line::default() }.with_points_that_are()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(i64, f64)]) -> Line {
        Line { period_s: 10, points: points.to_vec(), ..Line::default() }
    }

    #[test]
    fn lines_meet_where_both_have_a_value() {
        let one = Value::Line(line(&[(0, 6.0), (10, 8.0), (30, 1.0), (40, 9.0)]));
        let other = Value::Line(line(&[(10, 2.0), (20, 5.0), (30, 0.0), (40, 3.0)]));
        let of = |operator| combine(operator, one.clone(), other.clone()).unwrap().lines().remove(0).points;
        assert_eq!(of(Operator::Add), [(10, 10.0), (30, 1.0), (40, 12.0)]);
        assert_eq!(of(Operator::Divide), [(10, 4.0), (40, 3.0)], "what is divided by zero is no value");
        assert_eq!(of(Operator::Greater), [(10, 1.0), (30, 1.0), (40, 1.0)]);
        let hundred = combine(Operator::Multiply, one.clone(), Value::Number(100.0)).unwrap();
        assert_eq!(hundred.lines()[0].points[0], (0, 600.0));
        let list = Value::Lines(vec![line(&[(10, 1.0)]), line(&[])]);
        let lines = combine(Operator::Subtract, list.clone(), other).unwrap().lines();
        assert_eq!((lines.len(), lines[0].points.as_slice()), (2, &[(10, -1.0)][..]));
        assert!(combine(Operator::Add, list.clone(), list).is_err());
    }

    #[test]
    fn many_values_become_one() {
        let values = [4.0, 1.0, 7.0];
        for (sum, expected, of_none) in [
            (Aggregate::Average, 4.0, f64::NAN),
            (Aggregate::Sum, 12.0, f64::NAN),
            (Aggregate::Minimum, 1.0, f64::NAN),
            (Aggregate::Maximum, 7.0, f64::NAN),
            (Aggregate::Deviation, 6f64.sqrt(), f64::NAN),
            (Aggregate::Count, 3.0, 0.0),
        ] {
            assert_eq!(sum.of(values.into_iter()), expected, "{sum:?}");
            assert_eq!(sum.of(std::iter::empty()).to_bits(), of_none.to_bits(), "{sum:?}");
        }
        let list = Value::Lines(vec![line(&[(0, 1.0), (10, 2.0)]), line(&[(10, 5.0)])]);
        assert_eq!(Aggregate::Sum.of_value(list.clone()).lines()[0].points, [(0, 1.0), (10, 7.0)]);
        assert_eq!(Aggregate::Count.of_value(list).lines()[0].points, [(0, 1.0), (10, 2.0)]);
        assert_eq!(Aggregate::Maximum.of_value(Value::Line(line(&[(0, 1.0), (10, 2.0)]))), Value::Number(2.0));
    }

    #[test]
    fn steps_and_sums() {
        let line = line(&[(0, 1.0), (10, 4.0), (40, 1.0)]);
        assert_eq!(growth(&line, false), [(10, 3.0), (40, -3.0)]);
        assert_eq!(growth(&line, true), [(10, 0.3), (40, -0.1)]);
        assert_eq!(running_sum(&line), [(0, 1.0), (10, 5.0), (40, 6.0)]);
    }

    #[test]
    fn gaps_are_filled() {
        let line = line(&[(10, 2.0), (40, 8.0)]);
        let times = [0, 10, 20, 30, 40, 50];
        for (filling, expected) in [
            (Filling::Number(0.0), &[(0, 0.0), (10, 2.0), (20, 0.0), (30, 0.0), (40, 8.0), (50, 0.0)][..]),
            (Filling::Repeat, &[(10, 2.0), (20, 2.0), (30, 2.0), (40, 8.0), (50, 8.0)]),
            (Filling::Linear, &[(10, 2.0), (20, 4.0), (30, 6.0), (40, 8.0)]),
        ] {
            assert_eq!(fill(&line, &times, filling), expected, "{filling:?}");
        }
    }

    #[test]
    fn conditions_choose_at_each_time() {
        let is_so = Value::Line(line(&[(0, 1.0), (10, 0.0), (20, 1.0)]));
        let then = Value::Line(line(&[(0, 5.0), (10, 6.0)]));
        let of = |otherwise| choose(is_so.clone(), then.clone(), otherwise).unwrap().lines().remove(0).points;
        assert_eq!(of(None), [(0, 5.0)]);
        assert_eq!(of(Some(Value::Number(0.0))), [(0, 5.0), (10, 0.0)]);
        assert_eq!(choose(Value::Number(1.0), then.clone(), None), Ok(then.clone()));
        assert_eq!(choose(Value::Number(0.0), then.clone(), None), Ok(Value::Line(line(&[]))));
        assert!(choose(is_so, Value::Lines(Vec::new()), None).is_err());
    }
}
