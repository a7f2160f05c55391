//! Metric families on their way into Prometheus' text format.

use std::fmt::Write as _;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary};
use prometheus::{Encoder, TextEncoder};

/// Labels of one series.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// All families of one exposition.
#[derive(Default)]
pub struct Families {
    typed: Vec<MetricFamily>,
    /// The crate's encoder knows no untyped metrics.
    untyped: String,
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

    /// A family of summaries.
    pub fn summary(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::SUMMARY)
    }

    /// A family without a type, for names that Prometheus reserves for parts of others (`_sum`).
    pub fn untyped(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::UNTYPED)
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> Family<'_> {
        let mut family = MetricFamily::default();
        family.set_name(name.into());
        family.set_help(help.into());
        family.set_field_type(kind);
        Family { families: self, family, kind }
    }

    /// The text.
    ///
    /// # Errors
    /// The encoder refuses a family (two series with the same labels are not among its reasons).
    pub fn encode(self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.typed, &mut text)?;
        let mut text = String::from_utf8_lossy(&text).into_owned();
        text.push_str(&self.untyped);
        Ok(text)
    }
}

fn pairs(labels: Labels<'_>) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).into());
        pair.set_value((*value).into());
        pair
    };
    labels.iter().map(pair).collect()
}

impl Family<'_> {
    /// Adds a series.
    pub fn add(&mut self, labels: Labels<'_>, value: f64) {
        let mut metric = Metric::from_label(pairs(labels));
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

    /// Adds a summary: (quantile, value) pairs, sum and count.
    pub fn add_summary(&mut self, labels: Labels<'_>, quantiles: &[(f64, f64)], sum: f64, count: u64) {
        let quantile = |(rank, value): &(f64, f64)| {
            let mut quantile = Quantile::default();
            quantile.set_quantile(*rank);
            quantile.set_value(*value);
            quantile
        };
        let mut summary = Summary::default();
        summary.set_quantile(quantiles.iter().map(quantile).collect());
        summary.set_sample_sum(sum);
        summary.set_sample_count(count);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_summary(summary);
        self.family.mut_metric().push(metric);
    }

    fn write_untyped(&mut self) {
        let text = &mut self.families.untyped;
        let name = self.family.name();
        // Writing to a String cannot fail.
        let _ = write!(text, "# HELP {name} {}\n# TYPE {name} untyped\n", self.family.help());
        for metric in self.family.get_metric() {
            text.push_str(name);
            for (index, pair) in metric.get_label().iter().enumerate() {
                let value = pair.value().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let _ = write!(text, "{}{}=\"{value}\"", if index == 0 { '{' } else { ',' }, pair.name());
            }
            if !metric.get_label().is_empty() {
                text.push('}');
            }
            let _ = writeln!(text, " {}", metric.get_gauge().get_value());
        }
    }
}

impl Drop for Family<'_> {
    /// A family is done when it is let go; one without a series is left out.
    fn drop(&mut self) {
        if self.family.get_metric().is_empty() {
            return;
        }
        if self.kind == MetricType::UNTYPED {
            self.write_untyped();
        } else {
            self.families.typed.push(std::mem::take(&mut self.family));
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
        families.summary("s", "A summary.").add_summary(
            &[("request", "Produce")],
            &[(0.5, 1.0), (0.99, 2.0)],
            30.0,
            20,
        );
        drop(families.gauge("empty", "Nothing."));
        let expected = "# HELP g A gauge.\n# TYPE g gauge\ng{topic=\"a\\\"b\\\\c\\nd\"} 1.5\n\
            # HELP c_total A counter.\n# TYPE c_total counter\nc_total 2\n\
            # HELP s A summary.\n# TYPE s summary\ns{request=\"Produce\",quantile=\"0.5\"} 1\ns{request=\"Produce\",quantile=\"0.99\"} 2\n\
            s_sum{request=\"Produce\"} 30\ns_count{request=\"Produce\"} 20\n\
            # HELP u_sum Untyped.\n# TYPE u_sum untyped\nu_sum{topic=\"a\\\"b\\\\c\\nd\",x=\"y\"} 3\n";
        assert_eq!(families.encode().unwrap(), expected);
    }
}
