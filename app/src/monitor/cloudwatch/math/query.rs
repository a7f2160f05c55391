//! A query: a series, an expression on other queries, or Metrics Insights' SQL.

use std::sync::Arc;

use super::super::catalog::NAMESPACE;
use super::super::statistics::Statistic;
use super::super::store::{Dimension, Key};
use super::Senseless;
use super::compute::Line;
use super::expression::Expression;
use super::insights::Insights;

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Its name among the queries.
    pub id: String,
    /// Whether its result is to be told.
    pub is_wanted: bool,
    /// What lines of its result are called; without one they have names of their own.
    pub label: Option<String>,
    /// What is asked.
    pub what: What,
}

/// What a query asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A series.
    Stat {
        /// Which.
        key: Arc<Key>,
        /// What of it.
        statistic: Statistic,
        /// Length of its periods, s.
        period_s: i64,
    },
    /// Metric math, or Metrics Insights' SQL.
    Expression {
        /// As it was written.
        text: String,
        /// As it was understood.
        parsed: Parsed,
        /// Length of periods, s, where the expression makes its own series.
        period_s: Option<i64>,
    },
}

/// What an expression's text says.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// `m1 / m2`
    Math(Expression),
    /// `SELECT …`
    Insights(Insights),
}

impl What {
    /// Reads an expression: SQL if it begins with SELECT.
    ///
    /// # Errors
    /// It is not well formed.
    pub fn expression(text: &str, period_s: Option<i64>) -> Result<What, Senseless> {
        let parsed = if Insights::is_one(text) {
            Parsed::Insights(Insights::parse(text)?)
        } else {
            Parsed::Math(Expression::parse(text)?)
        };
        Ok(What::Expression { text: text.to_owned(), parsed, period_s })
    }

    /// Length of its periods, where it says so.
    pub fn period_s(&self) -> Option<i64> {
        match self {
            What::Stat { period_s, .. } => Some(*period_s),
            What::Expression { period_s, .. } => *period_s,
        }
    }

    /// Whether it is Metrics Insights' SQL.
    pub fn is_insights(&self) -> bool {
        matches!(self, What::Expression { parsed: Parsed::Insights(_), .. })
    }
}

impl Query {
    /// Refuses an id that no expression could name.
    ///
    /// # Errors
    /// It has something else than letters, digits and underscores, or does not begin with a lower-case letter.
    pub fn check_id(id: &str) -> Result<(), String> {
        let is_name = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if id.starts_with(|c: char| c.is_ascii_lowercase()) && is_name {
            return Ok(());
        }
        Err(format!(
            "The value {id:?} for parameter Id is not valid: it begins with a lower-case letter and has letters, digits and underscores."
        ))
    }

    /// Refuses queries of the same id, and more than one of Metrics Insights (as GetMetricData does).
    ///
    /// # Errors
    /// One sentence for people.
    pub fn check_all(queries: &[Query]) -> Result<(), String> {
        let mut ids = std::collections::BTreeSet::new();
        if let Some(twice) = queries.iter().find(|query| !ids.insert(query.id.as_str())) {
            return Err(format!("The values for parameter Id are not unique: {:?}.", twice.id));
        }
        if queries.iter().filter(|query| query.what.is_insights()).count() > 1 {
            return Err("There can be only one Metrics Insights query in a request.".into());
        }
        Ok(())
    }

    /// What a line of its result is called: CloudWatch names a series by its metric, those of a list by what tells them apart, and what comes of
    /// several by the query.
    pub(super) fn name_of(&self, line: &Line, of_list: bool) -> String {
        let of_series = of_list || matches!(self.what, What::Stat { .. });
        // What an expression makes of a single series is its own.
        let Some(key) = line.key.as_deref().filter(|_| of_series) else {
            return self.label.as_ref().map_or_else(|| self.id.clone(), |label| label.replace("${LABEL}", &self.id));
        };
        let own = if self.what.is_insights() { values(key, true) } else { told_apart(key, of_list) };
        let Some(label) = &self.label else { return own };
        with_properties(label, &own, key, line)
    }
}

fn told_apart(key: &Key, of_list: bool) -> String {
    let values = values(key, false);
    if of_list && !values.is_empty() { format!("{values} {}", key.metric) } else { key.metric.to_string() }
}

/// The dimensions' values; the cluster is always the same, and told only to who asked for it.
fn values(key: &Key, with_cluster: bool) -> String {
    let values = key.dimensions.iter().filter(|(dimension, _)| with_cluster || *dimension != Dimension::ClusterName);
    values.map(|(_, value)| &**value).collect::<Vec<_>>().join(" ")
}

/// A label with what stands for properties of the series filled in.
fn with_properties(label: &str, own: &str, key: &Key, line: &Line) -> String {
    let mut label = label.replace("${LABEL}", own);
    for (property, value) in [
        ("MetricName", key.metric.to_string()),
        ("Namespace", NAMESPACE.to_owned()),
        ("Stat", line.statistic.map(|statistic| statistic.to_string()).unwrap_or_default()),
        ("Period", line.period_s.to_string()),
    ] {
        label = label.replace(&format!("${{PROP('{property}')}}"), &value);
    }
    for (dimension, value) in &key.dimensions {
        label = label.replace(&format!("${{PROP('Dim.{}')}}", dimension.name()), value);
    }
    label
}
