//! Metric families on their way into Prometheus' text format.

use prometheus::TextEncoder;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// Labels of one series.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// The exposition as it grows. A family is encoded as soon as it is filled, so that no more than one is held beside the text.
#[derive(Default)]
pub struct Families {
    text: String,
    refused: Option<prometheus::Error>,
}

/// One family being filled.
pub struct Family<'f> {
    families: &'f mut Families,
    family: MetricFamily,
    kind: MetricType,
}

impl Families {
    /// A family of gauges.
    pub fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::GAUGE)
    }

    /// A family of counters.
    pub fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::COUNTER)
    }

    /// A family without a type, for numbers of which nobody knows whether they only grow, and for names that Prometheus reserves for parts of
    /// others (`_sum`).
    pub fn untyped(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::UNTYPED)
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> Family<'_> {
        let mut family = MetricFamily::default();
        family.set_name(name.into());
        family.set_help(help.into());
        // The crate's encoder knows no untyped families; the type is put right in the text.
        family.set_field_type(if kind == MetricType::UNTYPED { MetricType::GAUGE } else { kind });
        Family { families: self, family, kind }
    }

    /// The text.
    ///
    /// # Errors
    /// The encoder refused a family (two series with the same labels are not among its reasons).
    pub fn finish(self) -> prometheus::Result<String> {
        match self.refused {
            None => Ok(self.text),
            Some(error) => Err(error),
        }
    }
}

/// A label of one series.
pub fn pair(name: &str, value: impl Into<String>) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.into());
    pair.set_value(value.into());
    pair
}

impl Family<'_> {
    /// Adds a series.
    pub fn add(&mut self, labels: Labels<'_>, value: f64) {
        self.add_pairs(labels.iter().map(|(name, value)| pair(name, *value)).collect(), value);
    }

    /// Adds a series whose labels are made already.
    pub fn add_pairs(&mut self, pairs: Vec<LabelPair>, value: f64) {
        let mut metric = Metric::from_label(pairs);
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.family.mut_metric().push(metric);
    }

    fn write(&mut self) -> prometheus::Result<()> {
        let text = &mut self.families.text;
        let begin = text.len();
        TextEncoder::new().encode_utf8(std::slice::from_ref(&self.family), text)?;
        if self.kind == MetricType::UNTYPED {
            let line = format!("# TYPE {} ", self.family.name());
            if let Some(at) = text[begin..].find(&line) {
                let at = begin + at + line.len();
                text.replace_range(at..at + "gauge".len(), "untyped");
            }
        }
        Ok(())
    }
}

impl Drop for Family<'_> {
    /// A family is done when it is let go; one without a series is left out.
    fn drop(&mut self) {
        if self.family.get_metric().is_empty() {
            return;
        }
        if let Err(error) = self.write() {
            self.families.refused = Some(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_written_and_escaped() {
        let mut families = Families::default();
        families.gauge("g", "A gauge.").add(&[("topic", "a\"b\\c\nd")], 1.5);
        families.counter("c_total", "A counter.").add(&[], 2.0);
        families.untyped("u_sum", "Untyped.").add(&[("topic", "a\"b\\c\nd"), ("x", "y")], 3.0);
        drop(families.gauge("empty", "Nothing."));
        let expected = "# HELP g A gauge.\n# TYPE g gauge\ng{topic=\"a\\\"b\\\\c\\nd\"} 1.5\n\
            # HELP c_total A counter.\n# TYPE c_total counter\nc_total 2\n\
            # HELP u_sum Untyped.\n# TYPE u_sum untyped\nu_sum{topic=\"a\\\"b\\\\c\\nd\",x=\"y\"} 3\n";
        assert_eq!(families.finish().unwrap(), expected);
    }
}
