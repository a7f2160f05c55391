//! What clients pushed of their own metrics, joined over the brokers that they pushed to.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::metadata::report::{ClientMetricsReport, ClientSeries};
use broker::types::Id;

/// One report per client instance, in their ids' order. Of a client that turned to another broker, counters are added up, for each broker
/// counts from the first push that it got; all else is as the last push had it.
pub fn merge<'a>(told: impl Iterator<Item = &'a Arc<ClientMetricsReport>>) -> Vec<Arc<ClientMetricsReport>> {
    let mut merged = BTreeMap::<Id, Arc<ClientMetricsReport>>::new();
    for report in told {
        merged
            .entry(report.client_instance_id)
            .and_modify(|there| *there = Arc::new(join(there, report)))
            .or_insert_with(|| report.clone());
    }
    merged.into_values().collect()
}

fn join(one: &ClientMetricsReport, other: &ClientMetricsReport) -> ClientMetricsReport {
    let (older, newer) = if one.at_ms <= other.at_ms { (one, other) } else { (other, one) };
    let key = |series: &ClientSeries| (series.name.clone(), series.labels.clone());
    let mut all: BTreeMap<_, ClientSeries> = newer.series.iter().map(|series| (key(series), series.clone())).collect();
    for series in older.series.iter().filter(|series| series.is_counter) {
        match all.entry(key(series)) {
            std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(series.clone())),
            std::collections::btree_map::Entry::Occupied(mut there) if there.get().is_counter => {
                there.get_mut().value += series.value;
            }
            std::collections::btree_map::Entry::Occupied(_) => {}
        }
    }
    let series_dropped = one.series_dropped + other.series_dropped;
    ClientMetricsReport { series: all.into_values().collect(), series_dropped, ..newer.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_turned_to_another_broker_is_one_client() {
        let report = |id: u8, at_ms, series: &[(&str, bool, f64)]| {
            let series = series.iter().map(|(name, is_counter, value)| ClientSeries {
                name: (*name).into(),
                labels: BTreeMap::new(),
                is_counter: *is_counter,
                value: *value,
            });
            let series = series.collect();
            Arc::new(ClientMetricsReport { client_instance_id: Id([id; 16]), at_ms, series, ..Default::default() })
        };
        let told = [
            report(1, 5, &[("gauge", false, 1.0), ("sent", true, 10.0)]),
            report(2, 5, &[("gauge", false, 7.0)]),
            report(1, 4, &[("gauge", false, 2.0), ("gone", false, 2.0), ("old", true, 3.0), ("sent", true, 4.0)]),
        ];
        let expected = report(1, 5, &[("gauge", false, 1.0), ("old", true, 3.0), ("sent", true, 14.0)]);
        assert_eq!(merge(told.iter()), [expected, told[1].clone()]);
    }
}
