//! Metrics Insights: `SELECT AVG(BytesInPerSec) FROM SCHEMA("AWS/Kafka", "Broker ID", "Cluster Name") WHERE "Broker ID" != '1' GROUP BY "Broker ID"
//! ORDER BY MAX() DESC LIMIT 5`.
//!
//! Source: the CloudWatch user guide, "Metrics Insights query components and syntax" and "Metrics Insights quotas". Keywords may be written in any
//! case; names (in double quotes, where they have something else than letters, digits and underscores) and values (in single quotes) may not. Other
//! than there: periods below a minute are not made minutes, and what is kept (a day) is all that can be asked for. A series without a label that is
//! compared is left out; one without a label that is grouped by is grouped under "Other".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;

use super::super::catalog::NAMESPACE;
use super::super::statistics::Statistic;
use super::super::store::{Dimension, Key, Store};
use super::compute::{Aggregate, Line, Value};
use super::{Senseless, senseless};

/// Series that a query may give; CloudWatch's own bound.
const LIMIT_MAX: usize = 500;

/// What series are grouped under that have no such label.
const OTHER: &str = "Other";

/// How deep conditions may nest.
const DEPTH_MAX: usize = 16;

/// Words that are names only in double quotes.
const KEYWORDS: [&str; 13] =
    ["SELECT", "FROM", "SCHEMA", "WHERE", "GROUP", "ORDER", "BY", "LIMIT", "AND", "OR", "NOT", "ASC", "DESC"];

/// What becomes of the values of several series in a period, and of all periods where series are put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `AVG`
    Average,
    /// `COUNT`
    Count,
    /// `MAX`
    Maximum,
    /// `MIN`
    Minimum,
    /// `SUM`
    Sum,
}

impl Function {
    fn named(name: &str) -> Option<Function> {
        Some(match name.to_ascii_uppercase().as_str() {
            "AVG" => Function::Average,
            "COUNT" => Function::Count,
            "MAX" => Function::Maximum,
            "MIN" => Function::Minimum,
            "SUM" => Function::Sum,
            _ => return None,
        })
    }

    fn statistic(self) -> Statistic {
        match self {
            Function::Average => Statistic::Average,
            Function::Count => Statistic::SampleCount,
            Function::Maximum => Statistic::Maximum,
            Function::Minimum => Statistic::Minimum,
            Function::Sum => Statistic::Sum,
        }
    }

    fn of_points(self, points: &[(i64, f64)]) -> f64 {
        let aggregate = match self {
            Function::Average => Aggregate::Average,
            Function::Count => Aggregate::Count,
            Function::Maximum => Aggregate::Maximum,
            Function::Minimum => Aggregate::Minimum,
            Function::Sum => Aggregate::Sum,
        };
        aggregate.of(points.iter().map(|point| point.1))
    }
}

/// Which series count.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Is(String, String),
    IsNot(String, String),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Condition {
    /// `None`: the series has no such label, so that nobody can tell.
    fn holds(&self, key: &Key) -> Option<bool> {
        match self {
            Condition::Is(label, value) => Some(value_of(key, label)? == value),
            Condition::IsNot(label, value) => Some(value_of(key, label)? != value),
            Condition::Not(inner) => inner.holds(key).map(|holds| !holds),
            Condition::All(parts) => decide(parts, key, false),
            Condition::Any(parts) => decide(parts, key, true),
        }
    }
}

/// One part that is so decides; without one, all must be known.
fn decide(parts: &[Condition], key: &Key, decisive: bool) -> Option<bool> {
    let mut all_known = true;
    for part in parts {
        match part.holds(key) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(!decisive)
}

fn value_of<'k>(key: &'k Key, label: &str) -> Option<&'k str> {
    Dimension::named(label).and_then(|dimension| key.dimension(dimension)).map(|value| &**value)
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub struct Insights {
    function: Function,
    metric: String,
    /// The namespace is the one that there is.
    is_ours: bool,
    /// The dimensions that a series must have, and no others; `None`: any.
    schema: Option<BTreeSet<String>>,
    condition: Option<Condition>,
    groups: Vec<String>,
    /// By what series are put in order, and whether the greatest come first.
    order: Option<(Function, bool)>,
    limit: usize,
}

/// What a group of series comes to in a period.
#[derive(Clone, Copy)]
struct Sum {
    count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

impl Sum {
    fn get(self, function: Function) -> f64 {
        match function {
            Function::Average => self.sum / self.count,
            Function::Count => self.count,
            Function::Maximum => self.maximum,
            Function::Minimum => self.minimum,
            Function::Sum => self.sum,
        }
    }
}

impl Insights {
    /// Whether a text is meant to be one.
    pub fn is_one(text: &str) -> bool {
        let word = text.trim_start();
        let word = &word[..word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len())];
        word.eq_ignore_ascii_case("SELECT")
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is not well formed.
    pub fn parse(text: &str) -> Result<Insights, Senseless> {
        let end = text.chars().count() + 1;
        Parser { tokens: tokens(text)?, next: 0, depth: 0, end }.query()
    }

    /// Whether it may give more than one series.
    pub fn is_grouped(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Whether it says which of many series come first.
    pub fn is_ordered(&self) -> bool {
        self.order.is_some()
    }

    /// Whether what it says of a period is complete only when that is over.
    pub fn adds_up(&self) -> bool {
        matches!(self.function, Function::Sum | Function::Count)
    }

    fn fits(&self, key: &Key) -> bool {
        let own = key.dimensions.iter().map(|(dimension, _)| dimension.name()).collect::<BTreeSet<_>>();
        let of_schema = |schema: &BTreeSet<String>| schema.iter().map(String::as_str).eq(own.iter().copied());
        self.is_ours
            && self.schema.as_ref().is_none_or(of_schema)
            && self.condition.as_ref().is_none_or(|condition| condition.holds(key) == Some(true))
    }

    /// The lines that it gives; without GROUP BY it is one. `pay` hears of each series how many numbers were gone through.
    ///
    /// # Errors
    /// Those of `pay`.
    pub fn answer(
        &self,
        store: &Store,
        period_s: i64,
        (start_s, end_s): (i64, i64),
        mut pay: impl FnMut(usize) -> Result<(), Senseless>,
    ) -> Result<Value, Senseless> {
        let mut groups: BTreeMap<Vec<&str>, BTreeMap<i64, Sum>> = BTreeMap::new();
        for (key, series) in store.of(&self.metric).filter(|(key, _)| self.fits(key)) {
            let values = self.groups.iter().map(|label| value_of(key, label).unwrap_or(OTHER)).collect();
            let sets = series.sets(period_s, start_s, end_s);
            pay(1 + sets.len())?;
            let periods = groups.entry(values).or_default();
            for (at_s, set) in sets {
                let own = Sum { count: set.count.into(), sum: set.sum, minimum: set.minimum, maximum: set.maximum };
                let join = |sum: &mut Sum| {
                    sum.count += own.count;
                    sum.sum += own.sum;
                    sum.minimum = sum.minimum.min(own.minimum);
                    sum.maximum = sum.maximum.max(own.maximum);
                };
                periods.entry(at_s).and_modify(join).or_insert(own);
            }
        }
        let mut lines: Vec<Line> = groups
            .into_iter()
            .filter(|(_, periods)| !periods.is_empty())
            .map(|(values, periods)| self.line(&values, periods, period_s))
            .collect();
        if !self.is_grouped() {
            let nothing = || Line { period_s, ..Line::default() };
            return Ok(Value::Line(lines.pop().unwrap_or_else(nothing)));
        }
        if let Some((function, is_descending)) = self.order {
            lines.sort_by_cached_key(|line| Rank(function.of_points(&line.points), is_descending));
        }
        lines.truncate(self.limit);
        Ok(Value::Lines(lines))
    }

    fn line(&self, values: &[&str], periods: BTreeMap<i64, Sum>, period_s: i64) -> Line {
        let dimensions = self.groups.iter().zip(values);
        let dimensions = dimensions.filter_map(|(label, value)| Some((Dimension::named(label)?, Arc::from(*value))));
        // Of its series a line has what it is grouped by.
        let key = self
            .is_grouped()
            .then(|| Arc::new(Key { metric: self.metric.as_str().into(), dimensions: dimensions.collect() }));
        let points = periods.into_iter().map(|(at_s, sum)| (at_s, sum.get(self.function))).collect();
        Line { key, statistic: Some(self.function.statistic()), period_s, points }
    }
}

/// A number that has a place among others.
#[derive(PartialEq)]
struct Rank(f64, bool);

impl Eq for Rank {}

impl Ord for Rank {
    fn cmp(&self, other: &Rank) -> std::cmp::Ordering {
        let order = self.0.total_cmp(&other.0);
        if self.1 { order.reverse() } else { order }
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Rank) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// Without quotes.
    Word(String),
    /// In double quotes.
    Name(String),
    /// In single quotes.
    Value(String),
    /// `(`, `)`, `,`, `=`, or `!` for `!=`.
    Sign(char),
}

impl Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Word(word) => f.write_str(word),
            Token::Name(name) => write!(f, "\"{name}\""),
            Token::Value(value) => write!(f, "'{value}'"),
            Token::Sign('!') => f.write_str("!="),
            Token::Sign(sign) => write!(f, "{sign}"),
        }
    }
}

/// What is wrong, and at which character (the first is 1).
fn wrong(at: usize, why: impl Display) -> Senseless {
    senseless(format_args!("{why}, at character {at} of the query"))
}

/// Tokens, each with the character where it begins.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Senseless> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&first) = chars.get(at) {
        let start = at;
        at += 1;
        let token = match first {
            c if c.is_whitespace() => continue,
            '"' | '\'' => {
                let inner =
                    quoted(&chars, &mut at, first).ok_or_else(|| wrong(start + 1, "a quotation mark is not closed"))?;
                if first == '"' { Token::Name(inner) } else { Token::Value(inner) }
            }
            '(' | ')' | ',' | '=' => Token::Sign(first),
            '!' if chars.get(at) == Some(&'=') => {
                at += 1;
                Token::Sign('!')
            }
            c if is_of_word(c) => {
                while chars.get(at).is_some_and(|c| is_of_word(*c)) {
                    at += 1;
                }
                Token::Word(chars[start..at].iter().collect())
            }
            c => return Err(wrong(start + 1, format_args!("{c:?} is not expected"))),
        };
        tokens.push((start + 1, token));
    }
    Ok(tokens)
}

fn is_of_word(c: char) -> bool {
    // What a tag's or an account's label has; the parser knows neither.
    c.is_alphanumeric() || c == '_' || c == '.'
}

/// What stands until the closing mark; after a backslash comes the character itself.
fn quoted(chars: &[char], at: &mut usize, mark: char) -> Option<String> {
    let mut inner = String::new();
    loop {
        let c = *chars.get(*at)?;
        *at += 1;
        match c {
            '\\' => {
                inner.push(*chars.get(*at)?);
                *at += 1;
            }
            c if c == mark => return Some(inner),
            c => inner.push(c),
        }
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
    /// The character after the last.
    end: usize,
}

impl Parser {
    fn query(&mut self) -> Result<Insights, Senseless> {
        self.keyword("SELECT")?;
        let function = self.function()?;
        self.sign('(')?;
        let metric = self.name("a metric's name")?;
        self.sign(')')?;
        self.keyword("FROM")?;
        let (namespace, schema) = self.source()?;
        let condition = if self.takes("WHERE") { Some(self.any()?) } else { None };
        let groups = if self.takes("GROUP") { self.groups()? } else { Vec::new() };
        let order = if self.takes("ORDER") { Some(self.order()?) } else { None };
        let limit = if self.takes("LIMIT") { self.limit()? } else { LIMIT_MAX };
        match self.peek() {
            None => {}
            Some(token) => return Err(wrong(self.at(), format_args!("{token} is not expected there"))),
        }
        let is_ours = namespace == NAMESPACE;
        Ok(Insights { function, metric, is_ours, schema, condition, groups, order, limit })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    /// Where the next token begins.
    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn expected(&self, what: impl Display) -> Senseless {
        match self.peek() {
            Some(token) => wrong(self.at(), format_args!("{what} is expected, and not {token}")),
            None => wrong(self.at(), format_args!("{what} is expected")),
        }
    }

    /// Takes a keyword, if it is there.
    fn takes(&mut self, keyword: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(is_there);
        is_there
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), Senseless> {
        if self.takes(keyword) { Ok(()) } else { Err(self.expected(keyword)) }
    }

    fn has(&mut self, sign: char) -> bool {
        let is_there = self.peek() == Some(&Token::Sign(sign));
        self.next += usize::from(is_there);
        is_there
    }

    fn sign(&mut self, sign: char) -> Result<(), Senseless> {
        if self.has(sign) { Ok(()) } else { Err(self.expected(Token::Sign(sign))) }
    }

    fn function(&mut self) -> Result<Function, Senseless> {
        let function = match self.peek() {
            Some(Token::Word(word)) => Function::named(word),
            _ => None,
        };
        let function = function.ok_or_else(|| self.expected("one of AVG, COUNT, MAX, MIN and SUM"))?;
        self.next += 1;
        Ok(function)
    }

    /// A name, in double quotes unless it is a plain word.
    fn name(&mut self, what: &str) -> Result<String, Senseless> {
        let name = match self.peek() {
            Some(Token::Name(name)) => name.clone(),
            Some(Token::Word(word)) if KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) => {
                return Err(wrong(
                    self.at(),
                    format_args!("{word} is a keyword; as {what} it stands in double quotes"),
                ));
            }
            Some(Token::Word(word)) if word.contains('.') => {
                return Err(wrong(self.at(), format_args!("there are neither tags nor accounts here, so no {word}")));
            }
            Some(Token::Word(word)) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err(wrong(
                    self.at(),
                    format_args!("{word} begins with a digit; as {what} it stands in double quotes"),
                ));
            }
            Some(Token::Word(word)) => word.clone(),
            _ => return Err(self.expected(format_args!("{what} (in double quotes)"))),
        };
        self.next += 1;
        Ok(name)
    }

    /// The namespace, and the dimensions of SCHEMA.
    fn source(&mut self) -> Result<(String, Option<BTreeSet<String>>), Senseless> {
        if !self.takes("SCHEMA") {
            return Ok((self.name("a namespace")?, None));
        }
        self.sign('(')?;
        let namespace = self.name("a namespace")?;
        let mut labels = BTreeSet::new();
        while self.has(',') {
            labels.insert(self.name("a dimension")?);
        }
        self.sign(')')?;
        Ok((namespace, Some(labels)))
    }

    fn any(&mut self) -> Result<Condition, Senseless> {
        let mut parts = vec![self.all()?];
        while self.takes("OR") {
            parts.push(self.all()?);
        }
        Ok(alone(parts).unwrap_or_else(Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, Senseless> {
        let mut parts = vec![self.one()?];
        while self.takes("AND") {
            parts.push(self.one()?);
        }
        Ok(alone(parts).unwrap_or_else(Condition::All))
    }

    fn one(&mut self) -> Result<Condition, Senseless> {
        let at = self.at();
        let condition = if self.takes("NOT") {
            self.deeper(at)?;
            Condition::Not(Box::new(self.one()?))
        } else if self.has('(') {
            self.deeper(at)?;
            let inner = self.any()?;
            self.sign(')')?;
            inner
        } else {
            return self.comparison();
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn deeper(&mut self, at: usize) -> Result<(), Senseless> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong(at, format_args!("conditions nest deeper than {DEPTH_MAX}")));
        }
        Ok(())
    }

    fn comparison(&mut self) -> Result<Condition, Senseless> {
        let label = self.name("a dimension")?;
        let is_equal = self.has('=');
        if !is_equal && !self.has('!') {
            return Err(self.expected("= or !="));
        }
        let Some(Token::Value(value)) = self.peek() else {
            return Err(self.expected("a value in single quotes"));
        };
        let value = value.clone();
        self.next += 1;
        Ok(if is_equal { Condition::Is(label, value) } else { Condition::IsNot(label, value) })
    }

    fn groups(&mut self) -> Result<Vec<String>, Senseless> {
        self.keyword("BY")?;
        let mut groups = vec![self.group()?];
        while self.has(',') {
            groups.push(self.group()?);
        }
        Ok(groups)
    }

    fn group(&mut self) -> Result<String, Senseless> {
        let at = self.at();
        let name = self.name("a dimension")?;
        match Dimension::named(&name) {
            Some(_) => Ok(name),
            None => Err(wrong(at, format_args!("no metric here has the dimension {name:?}"))),
        }
    }

    fn order(&mut self) -> Result<(Function, bool), Senseless> {
        self.keyword("BY")?;
        let function = self.function()?;
        self.sign('(')?;
        self.sign(')')?;
        let is_descending = self.takes("DESC");
        if !is_descending {
            self.takes("ASC");
        }
        Ok((function, is_descending))
    }

    fn limit(&mut self) -> Result<usize, Senseless> {
        let limit = match self.peek() {
            Some(Token::Word(word)) => word.parse().ok(),
            _ => None,
        };
        let limit = limit.filter(|limit| (1..=LIMIT_MAX).contains(limit));
        let limit = limit.ok_or_else(|| self.expected(format_args!("a whole number from 1 to {LIMIT_MAX}")))?;
        self.next += 1;
        Ok(limit)
    }
}

/// The only part, or all of them.
fn alone(mut parts: Vec<Condition>) -> Result<Condition, Vec<Condition>> {
    match parts.pop() {
        Some(only) if parts.is_empty() => Ok(only),
        last => {
            parts.extend(last);
            Err(parts)
        }
    }
}
