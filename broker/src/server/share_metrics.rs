//! What a broker measures of the share partitions that it leads.
//!
//! Source: `org.apache.kafka.server.share.metrics.{ShareGroupMetrics, SharePartitionMetrics}`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::share_bridge::ShareKey;
use crate::metrics::table::shares as bean;
use crate::metrics::{Collector, Histogram, Meter};
use crate::share::{Acknowledgement, SharePartition};

/// Names of the acknowledgements 1 to 4 (`AcknowledgeType`); 0 is a gap.
const TYPES: [&str; 4] = ["Accept", "Release", "Reject", "Renew"];

/// The instruments.
#[derive(Debug)]
pub(super) struct ShareMetrics {
    acknowledgements: [Meter; TYPES.len()],
    load_times: Histogram,
    groups: BTreeMap<Arc<str>, GroupFetches>,
}

/// Groups that are told one by one.
const GROUPS_MAX: usize = 1_000;

/// What is measured of one group's fetches.
#[derive(Debug)]
struct GroupFetches {
    /// Percent.
    ratios: Histogram,
    acquire_times: Histogram,
}

impl Default for ShareMetrics {
    fn default() -> ShareMetrics {
        ShareMetrics { acknowledgements: Default::default(), load_times: Histogram::millis(), groups: BTreeMap::new() }
    }
}

impl ShareMetrics {
    /// What was kept of a share partition was read.
    pub(super) fn loaded(&mut self, took: Duration) {
        self.load_times.record_time(took);
    }

    /// These were taken: one type for all records of a batch, or one for each.
    pub(super) fn acknowledged(&mut self, acknowledgements: &[Acknowledgement]) {
        for one in acknowledgements {
            let each = match one.types.as_slice() {
                [_] => u64::try_from(one.last_offset.saturating_sub(one.first_offset)).map_or(0, |more| more + 1),
                _ => 1,
            };
            for kind in &one.types {
                let index = usize::try_from(*kind).ok().and_then(|kind| kind.checked_sub(1));
                if let Some(meter) = index.and_then(|index| self.acknowledgements.get_mut(index)) {
                    meter.mark(each);
                }
            }
        }
    }

    fn group(&mut self, group: &Arc<str>) -> Option<&mut GroupFetches> {
        if !self.groups.contains_key(group) && self.groups.len() >= GROUPS_MAX {
            return None;
        }
        let fresh = || GroupFetches { ratios: Histogram::default(), acquire_times: Histogram::millis() };
        Some(self.groups.entry(Arc::clone(group)).or_insert_with(fresh))
    }

    /// A fetch of the group's has waited so long until it found what it can acquire from, or no longer waits for that.
    pub(super) fn acquired(&mut self, group: &Arc<str>, waited: Duration) {
        if let Some(of) = self.group(group) {
            of.acquire_times.record_time(waited);
        }
    }

    /// Of so many share partitions, a fetch of the group's could acquire from so many.
    pub(super) fn fetched(&mut self, group: &Arc<str>, asked: usize, open: usize) {
        if let Some(of) = self.group(group) {
            of.ratios.record((open * 100 / asked.max(1)) as u64);
        }
    }

    /// Tells its series.
    pub(super) fn collect(&mut self, out: &mut Collector) {
        for (meter, name) in self.acknowledgements.iter_mut().zip(TYPES) {
            out.meter(&bean::RECORD_ACKNOWLEDGEMENTS, [("ackType", name.into())], meter);
        }
        out.histogram(&bean::PARTITION_LOAD_TIME, [], &mut self.load_times);
        for (group, of) in &mut self.groups {
            out.histogram(&bean::FETCH_RATIO, [("group", group.into())], &mut of.ratios);
            out.histogram(&bean::ACQUIRE_TIME, [("group", group.into())], &mut of.acquire_times);
        }
    }
}

/// Tells of one share partition.
pub(super) fn collect_partition(out: &mut Collector, key: &ShareKey, topic: &Arc<str>, partition: &mut SharePartition) {
    let labels = || [("group", (&key.group).into()), ("topic", topic.into()), ("partition", key.id.partition.into())];
    out.count(&bean::IN_FLIGHT_BATCH_COUNT, labels(), partition.batches_in_flight() as u64);
    out.value(&bean::IN_FLIGHT_MESSAGE_COUNT, labels(), partition.in_flight() as f64);
    out.histogram(&bean::IN_FLIGHT_BATCH_MESSAGE_COUNT, labels(), &mut partition.batch_sizes);
    out.meter(&bean::ACQUISITION_LOCK_TIMEOUTS, labels(), &mut partition.lock_timeouts);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_type_stands_for_all_records_of_its_batch() {
        let mut metrics = ShareMetrics::default();
        let one = |first_offset, last_offset, types: &[i8]| Acknowledgement {
            first_offset,
            last_offset,
            types: types.to_vec(),
        };
        metrics.acknowledged(&[one(10, 19, &[1]), one(20, 23, &[1, 2, 0, 3]), one(24, 24, &[4])]);
        let counts: Vec<u64> = metrics.acknowledgements.iter().map(Meter::count).collect();
        assert_eq!(counts, [11, 1, 1, 1], "a gap is no acknowledgement");
    }
}
