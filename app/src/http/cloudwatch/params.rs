//! Parameters of a request. In the query protocol all of them are text, so that numbers, times and truth values may be text everywhere.

use serde_json::{Map, Value};

use super::fault::Fault;
use crate::monitor::cloudwatch::catalog::{NAMESPACE, definition};
use crate::monitor::cloudwatch::store::{Dimension, Key};
use crate::monitor::cloudwatch::time::parse_iso;

/// The members of one structure.
#[derive(Clone, Copy, Debug)]
pub struct Params<'v>(&'v Map<String, Value>);

/// Times beyond the year 9999 mean nothing.
const SECONDS_MAX: f64 = 253_402_300_799.0;

impl<'v> Params<'v> {
    /// Of a structure.
    ///
    /// # Errors
    /// It is none.
    pub fn new(value: &'v Value) -> Result<Params<'v>, Fault> {
        value.as_object().map(Params).ok_or_else(|| Fault::malformed("A structure is expected."))
    }

    fn get(&self, name: &str) -> Option<&'v Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether a member is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Text of at most so many characters.
    ///
    /// # Errors
    /// It is no text, or too long.
    pub fn text(&self, name: &str, max: usize) -> Result<Option<&'v str>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| Fault::value(format!("The parameter {name} must be text.")))?;
        if text.chars().count() > max {
            return Err(Fault::value(format!("The parameter {name} is longer than {max} characters.")));
        }
        Ok(Some(text))
    }

    /// Text that must be there.
    ///
    /// # Errors
    /// It is not there, empty, no text, or too long.
    pub fn needed_text(&self, name: &str, max: usize) -> Result<&'v str, Fault> {
        self.text(name, max)?.filter(|text| !text.is_empty()).ok_or_else(|| Fault::missing(name))
    }

    /// Text that names something.
    ///
    /// # Errors
    /// It is not there, or names nothing of that kind.
    pub fn needed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, Fault> {
        self.maybe(name)?.ok_or_else(|| Fault::missing(name))
    }

    /// Text that may be there and names something.
    ///
    /// # Errors
    /// It names nothing of that kind.
    pub fn maybe<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Fault> {
        let parse =
            |text: &str| text.parse().map_err(|error| Fault::value(format!("The parameter {name}: {text:?} {error}.")));
        self.text(name, 255)?.map(parse).transpose()
    }

    /// A number.
    ///
    /// # Errors
    /// It is none.
    pub fn double(&self, name: &str) -> Result<Option<f64>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number =
            value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|value: &f64| value.is_finite());
        number.map(Some).ok_or_else(|| Fault::value(format!("The parameter {name} must be a number.")))
    }

    /// A whole number within bounds.
    ///
    /// # Errors
    /// It is none, or is out of bounds.
    pub fn integer(&self, name: &str, bounds: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let whole = |value: f64| (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
        let number =
            value.as_i64().or_else(|| value.as_f64().and_then(whole)).or_else(|| value.as_str()?.trim().parse().ok());
        let (low, high) = (bounds.start(), bounds.end());
        let fault = || Fault::value(format!("The parameter {name} must be a whole number from {low} to {high}."));
        number.filter(|number| bounds.contains(number)).map(Some).ok_or_else(fault)
    }

    /// Yes or no.
    ///
    /// # Errors
    /// It is neither.
    pub fn bool(&self, name: &str) -> Result<Option<bool>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let is = value.as_bool().or_else(|| value.as_str()?.to_ascii_lowercase().parse().ok());
        is.map(Some).ok_or_else(|| Fault::value(format!("The parameter {name} must be true or false.")))
    }

    /// A point in time, ms since 1970: seconds, or ISO 8601.
    ///
    /// # Errors
    /// It is none.
    pub fn time(&self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|s: &f64| s.abs() <= SECONDS_MAX);
        let at_ms = seconds.map(|seconds| (seconds * 1000.0) as i64).or_else(|| parse_iso(value.as_str()?));
        at_ms.map(Some).ok_or_else(|| Fault::value(format!("The parameter {name} must be a point in time.")))
    }

    /// A time span that must be there.
    ///
    /// # Errors
    /// Either is missing, or they are in the wrong order.
    pub fn span(&self) -> Result<(i64, i64), Fault> {
        let start = self.time("StartTime")?.ok_or_else(|| Fault::missing("StartTime"))?;
        let end = self.time("EndTime")?.ok_or_else(|| Fault::missing("EndTime"))?;
        if start >= end {
            return Err(Fault::value("The parameter StartTime must be less than the parameter EndTime."));
        }
        Ok((start, end))
    }

    /// A list of at most so many.
    ///
    /// # Errors
    /// It is no list, or too long.
    pub fn list(&self, name: &str, max: usize) -> Result<&'v [Value], Fault> {
        let Some(value) = self.get(name) else { return Ok(&[]) };
        // In the query protocol an empty list is an empty text.
        if value.as_str() == Some("") {
            return Ok(&[]);
        }
        let list = value.as_array().ok_or_else(|| Fault::value(format!("The parameter {name} must be a list.")))?;
        if list.len() > max {
            return Err(Fault::value(format!("The parameter {name} has more than {max} members.")));
        }
        Ok(list)
    }

    /// A list of texts.
    ///
    /// # Errors
    /// It is no list, too long, or has something else in it.
    pub fn texts(&self, name: &str, max: usize) -> Result<Vec<&'v str>, Fault> {
        let fault = || Fault::value(format!("The parameter {name} must be a list of texts."));
        self.list(name, max)?.iter().map(|value| value.as_str().ok_or_else(fault)).collect()
    }

    /// A structure.
    ///
    /// # Errors
    /// It is none.
    pub fn inner(&self, name: &str) -> Result<Option<Params<'v>>, Fault> {
        self.get(name).map(Params::new).transpose()
    }

    /// `Dimensions` of a metric, each with a name and a value.
    ///
    /// # Errors
    /// One has not both.
    pub fn dimensions(&self) -> Result<Vec<(&'v str, &'v str)>, Fault> {
        let pair = |value: &'v Value| {
            let dimension = Params::new(value)?;
            Ok((dimension.needed_text("Name", 255)?, dimension.needed_text("Value", 1024)?))
        };
        self.list("Dimensions", 30)?.iter().map(pair).collect()
    }

    /// The series of `MetricName` and `Dimensions`; `None`: there can be no such series here.
    ///
    /// # Errors
    /// The name is missing, or a dimension is not well formed.
    pub fn key(&self) -> Result<Option<Key>, Fault> {
        let metric = self.needed_text("MetricName", 255)?;
        let named = |(name, value): (&str, &str)| Some((Dimension::named(name)?, value.into()));
        let dimensions: Option<Vec<_>> = self.dimensions()?.into_iter().map(named).collect();
        Ok(dimensions.map(|dimensions| Key::new(metric, dimensions)))
    }

    /// The series that an alarm can be on.
    ///
    /// # Errors
    /// There is none such, or it is of another unit.
    pub fn key_that_is(&self, unit: Option<&str>) -> Result<Key, Fault> {
        if self.needed_text("Namespace", 255)? != NAMESPACE {
            return Err(Fault::validation(format!("There is no namespace but {NAMESPACE}.")));
        }
        let key = self.key()?.ok_or_else(|| Fault::value("No metric has such dimensions."))?;
        let row = definition(&key)
            .ok_or_else(|| Fault::value(format!("There is no metric {:?} with these dimensions.", key.metric)))?;
        if unit.is_some_and(|unit| unit != row.unit.name()) {
            return Err(Fault::value(format!("The unit of {} is {}.", row.name, row.unit.name())));
        }
        Ok(key)
    }

    /// Seconds of a period that CloudWatch allows.
    ///
    /// # Errors
    /// It is missing, or not allowed.
    pub fn period(&self) -> Result<i64, Fault> {
        let period_s = self.integer("Period", 1..=86_400)?.ok_or_else(|| Fault::missing("Period"))?;
        if !matches!(period_s, 1 | 5 | 10 | 20 | 30) && period_s % 60 != 0 {
            return Err(Fault::value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60."));
        }
        Ok(period_s)
    }
}
