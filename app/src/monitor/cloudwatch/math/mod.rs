//! Metric math: queries on the store, by name, by expression, by search and by Metrics Insights' SQL; what GetMetricData answers and what alarms watch.
//!
//! Pure: it knows the store and the catalogue, and nothing of how queries come in (`http`) or who asks (alarms, the window).

pub mod compute;
pub mod engine;
pub mod expression;
pub mod formula;
pub mod insights;
pub mod query;
mod search;

#[cfg(test)]
mod formula_tests;
#[cfg(test)]
mod insights_tests;

use std::fmt::Display;

/// Why queries cannot be answered, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Senseless {
    /// They make no sense, or are too much work.
    #[error("Error in expression: {0}.")]
    Expression(String),
    /// Something has to be said besides.
    #[error("The parameter {0} is required.")]
    Missing(&'static str),
}

/// What is wrong with an expression.
fn senseless(why: impl Display) -> Senseless {
    Senseless::Expression(why.to_string())
}
