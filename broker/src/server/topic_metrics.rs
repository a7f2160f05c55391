//! What is counted of topics: of each that has something to tell, and of all together.
//!
//! Source: `org.apache.kafka.storage.log.metrics.BrokerTopicStats`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::log::Flaw;
use crate::metadata::image::TopicImage;
use crate::metadata::report::BrokerCounters;
use crate::metrics::table::topics as bean;
use crate::metrics::{Bean, Collector, Meter};
use crate::protocol::ErrorCode;
use crate::replica::AppendError;
use crate::types::Id;

/// What is counted of a topic, in the order of [`OF_TOPIC`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    MessagesIn,
    BytesIn,
    BytesRejected,
    FailedProduce,
    TotalProduce,
    Converted,
    BytesOut,
    FailedFetch,
    TotalFetch,
    TotalShareFetch,
    FailedShareFetch,
    TotalShareAcknowledgement,
    FailedShareAcknowledgement,
}

const OF_TOPIC: [&Bean; 13] = [
    &bean::MESSAGES_IN,
    &bean::BYTES_IN,
    &bean::BYTES_REJECTED,
    &bean::FAILED_PRODUCE_REQUESTS,
    &bean::TOTAL_PRODUCE_REQUESTS,
    &bean::PRODUCE_MESSAGE_CONVERSIONS,
    &bean::BYTES_OUT,
    &bean::FAILED_FETCH_REQUESTS,
    &bean::TOTAL_FETCH_REQUESTS,
    &bean::TOTAL_SHARE_FETCH_REQUESTS,
    &bean::FAILED_SHARE_FETCH_REQUESTS,
    &bean::TOTAL_SHARE_ACKNOWLEDGEMENTS,
    &bean::FAILED_SHARE_ACKNOWLEDGEMENTS,
];

/// The first so many are the leaders'.
const OF_LEADER: usize = What::Converted as usize + 1;

/// Appends of one of the broker's own coordinators to its topic, since they were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnAppends {
    tried: u64,
    failed: u64,
    records: u64,
    bytes: u64,
}

impl OwnAppends {
    /// So many bytes were to be appended, and so many records were.
    pub fn tried(&mut self, bytes: usize, result: Result<u32, ErrorCode>) {
        self.tried += 1;
        match result {
            Ok(records) => {
                self.records += u64::from(records);
                self.bytes += bytes as u64;
            }
            Err(error) => self.failed += u64::from(is_unexpected_append(error)),
        }
    }
}

/// Whether Kafka counts this error of an append as a failure.
fn is_unexpected_append(error: ErrorCode) -> bool {
    !matches!(
        error,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::MessageTooLarge
            | ErrorCode::RecordListTooLarge
            | ErrorCode::CorruptMessage
            | ErrorCode::KafkaStorageError
            | ErrorCode::InvalidTopicException
    )
}

/// Whether Kafka counts this error of a read as a failure.
fn is_unexpected_read(error: ErrorCode) -> bool {
    !matches!(
        error,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::KafkaStorageError
            | ErrorCode::InconsistentTopicId
            | ErrorCode::OffsetOutOfRange
    )
}

/// Meters of one topic, or of all.
#[derive(Debug, Default)]
struct Meters([Meter; OF_TOPIC.len()]);

impl Meters {
    fn mark(&mut self, what: What, count: u64) {
        self.0[what as usize].mark(count);
    }

    fn count(&self, what: What) -> u64 {
        self.0[what as usize].count()
    }
}

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    meters: Meters,
}

/// See the module.
#[derive(Debug, Default)]
pub struct TopicMetrics {
    all: Meters,
    by_topic: BTreeMap<Id, Topic>,
    no_key: Meter,
    invalid_magic: Meter,
    invalid_crc: Meter,
    invalid_numbers: Meter,
}

impl TopicMetrics {
    fn mark(&mut self, topic: &TopicImage, what: What, count: u64) {
        self.all.mark(what, count);
        self.of(topic).mark(what, count);
    }

    fn of(&mut self, topic: &TopicImage) -> &mut Meters {
        let fresh = || Topic { name: topic.name.clone(), meters: Meters::default() };
        &mut self.by_topic.entry(topic.id).or_insert_with(fresh).meters
    }

    /// Records were appended for a client; so many of them had to be packed anew.
    pub fn appended(&mut self, topic: &TopicImage, bytes: usize, records: u32, converted: u32) {
        let fresh = || Topic { name: topic.name.clone(), meters: Meters::default() };
        let its = &mut self.by_topic.entry(topic.id).or_insert_with(fresh).meters;
        for meters in [&mut self.all, its] {
            meters.mark(What::TotalProduce, 1);
            meters.mark(What::MessagesIn, records.into());
            meters.mark(What::BytesIn, bytes as u64);
            meters.mark(What::Converted, converted.into());
        }
    }

    /// A client's append to a partition was refused.
    pub fn refused(&mut self, topic: &TopicImage, bytes: usize, error: &AppendError) {
        // Kafka does not even try.
        if error.code == ErrorCode::InvalidRequiredAcks {
            return;
        }
        self.mark(topic, What::TotalProduce, 1);
        if is_unexpected_append(error.code) {
            self.mark(topic, What::FailedProduce, 1);
        }
        if error.code == ErrorCode::MessageTooLarge {
            self.mark(topic, What::BytesRejected, bytes as u64);
        }
        match error.flaw {
            Some(Flaw::Magic) => self.invalid_magic.mark(1),
            Some(Flaw::Checksum) => self.invalid_crc.mark(1),
            Some(Flaw::Numbers) => self.invalid_numbers.mark(1),
            Some(Flaw::MissingKeys(records)) => self.no_key.mark(records as u64),
            None => {}
        }
    }

    /// One of the broker's own coordinators appended to its topic.
    pub fn own_appends(&mut self, topic: &TopicImage, own: OwnAppends) {
        self.mark(topic, What::TotalProduce, own.tried);
        self.mark(topic, What::FailedProduce, own.failed);
        self.mark(topic, What::MessagesIn, own.records);
        self.mark(topic, What::BytesIn, own.bytes);
    }

    /// A consumer asked for so many partitions of a topic.
    pub fn fetched(&mut self, topic: &TopicImage, partitions: u64) {
        self.mark(topic, What::TotalFetch, partitions);
    }

    /// A partition was read in vain.
    pub fn read_failed(&mut self, topic: &TopicImage, error: ErrorCode) {
        if is_unexpected_read(error) {
            self.mark(topic, What::FailedFetch, 1);
        }
    }

    /// A consumer was given record bytes.
    pub fn given(&mut self, topic: &TopicImage, bytes: u64) {
        self.mark(topic, What::BytesOut, bytes);
    }

    /// A ShareFetch asked for a topic.
    pub fn share_fetched(&mut self, topic: &TopicImage) {
        self.mark(topic, What::TotalShareFetch, 1);
    }

    /// It did so in vain.
    pub fn share_fetch_failed(&mut self, topic: &TopicImage) {
        self.mark(topic, What::FailedShareFetch, 1);
    }

    /// A share consumer acknowledged records of a topic.
    pub fn acknowledged(&mut self, topic: &TopicImage) {
        self.mark(topic, What::TotalShareAcknowledgement, 1);
    }

    /// It did so in vain.
    pub fn acknowledgement_failed(&mut self, topic: &TopicImage) {
        self.mark(topic, What::FailedShareAcknowledgement, 1);
    }

    /// Nothing of a topic is here any more.
    pub fn forget(&mut self, topic: Id) {
        self.by_topic.remove(&topic);
    }

    /// No partition of a topic is led here any more.
    pub fn forget_leader(&mut self, topic: Id) {
        if let Some(topic) = self.by_topic.get_mut(&topic) {
            topic.meters.0[..OF_LEADER].fill(Meter::default());
        }
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        for (bean, meter) in OF_TOPIC.into_iter().zip(&mut self.all.0) {
            out.meter(bean, [], meter);
        }
        for (bean, meter) in [
            (&bean::NO_KEY_COMPACTED_TOPIC_RECORDS, &mut self.no_key),
            (&bean::INVALID_MAGIC_NUMBER_RECORDS, &mut self.invalid_magic),
            (&bean::INVALID_MESSAGE_CRC_RECORDS, &mut self.invalid_crc),
            (&bean::INVALID_OFFSET_OR_SEQUENCE_RECORDS, &mut self.invalid_numbers),
        ] {
            out.meter(bean, [], meter);
        }
        for topic in self.by_topic.values_mut() {
            for (bean, meter) in OF_TOPIC.into_iter().zip(&mut topic.meters.0) {
                if meter.count() > 0 {
                    out.meter(bean, [("topic", (&topic.name).into())], meter);
                }
            }
        }
    }

    /// As the window sees it.
    pub fn counters(&self, counters: &mut BrokerCounters) {
        counters.messages_in = self.all.count(What::MessagesIn);
        counters.bytes_in = self.all.count(What::BytesIn);
        counters.bytes_out = self.all.count(What::BytesOut);
        counters.failed_produce_requests = self.all.count(What::FailedProduce);
        counters.failed_fetch_requests = self.all.count(What::FailedFetch);
        let traffic = |topic: &Topic| {
            let count = |what| topic.meters.count(what);
            (topic.name.clone(), count(What::MessagesIn), count(What::BytesIn), count(What::BytesOut))
        };
        counters.topics = self.by_topic.values().map(traffic).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{MetricsReport, Rounds};
    use crate::types::Now;

    fn topic(number: u8, name: &str) -> TopicImage {
        TopicImage { name: name.into(), id: Id([number; 16]), partitions: Vec::new() }
    }

    fn told(metrics: &mut TopicMetrics) -> MetricsReport {
        let mut rounds = Rounds::new(Now::default());
        let mut out = rounds.begin(Now { mono: Duration::from_secs(1), wall_ms: 0 }).unwrap();
        metrics.collect(&mut out);
        out.finish(1, Id::ZERO)
    }

    fn count(report: &MetricsReport, bean: &'static Bean, labels: &[(&str, &str)]) -> Option<f64> {
        report.get(bean, labels).map(crate::metrics::Series::value)
    }

    #[test]
    fn each_meter_stands_under_its_bean() {
        let (mut metrics, t) = (TopicMetrics::default(), topic(1, "t"));
        metrics.appended(&t, 100, 3, 2);
        metrics.refused(&t, 70, &ErrorCode::MessageTooLarge.into());
        metrics.refused(&t, 70, &ErrorCode::NotEnoughReplicas.into());
        metrics.refused(&t, 70, &ErrorCode::InvalidRequiredAcks.into());
        metrics.fetched(&t, 5);
        metrics.read_failed(&t, ErrorCode::OffsetOutOfRange);
        metrics.read_failed(&t, ErrorCode::UnknownServerError);
        metrics.given(&t, 40);
        metrics.share_fetched(&t);
        metrics.share_fetch_failed(&t);
        metrics.acknowledged(&t);
        metrics.acknowledgement_failed(&t);
        let report = told(&mut metrics);
        for labels in [&[][..], &[("topic", "t")]] {
            let expected = [3, 100, 70, 1, 3, 2, 40, 1, 5, 1, 1, 1, 1];
            let counts: Vec<f64> = OF_TOPIC.iter().map(|bean| count(&report, bean, labels).unwrap()).collect();
            assert_eq!(counts, expected.map(f64::from), "{labels:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_records_is_told_apart() {
        let (mut metrics, t) = (TopicMetrics::default(), topic(1, "t"));
        for flaw in [Flaw::Magic, Flaw::Checksum, Flaw::Numbers, Flaw::MissingKeys(4)] {
            let error = AppendError { flaw: Some(flaw), ..ErrorCode::InvalidRecord.into() };
            metrics.refused(&t, 10, &error);
        }
        let report = told(&mut metrics);
        for (bean, expected) in [
            (&bean::INVALID_MAGIC_NUMBER_RECORDS, 1.0),
            (&bean::INVALID_MESSAGE_CRC_RECORDS, 1.0),
            (&bean::INVALID_OFFSET_OR_SEQUENCE_RECORDS, 1.0),
            (&bean::NO_KEY_COMPACTED_TOPIC_RECORDS, 4.0),
        ] {
            assert_eq!(count(&report, bean, &[]), Some(expected), "{bean:?}");
        }
    }

    #[test]
    fn a_topic_tells_what_it_has_and_goes_with_its_partitions() {
        let (mut metrics, a, b) = (TopicMetrics::default(), topic(1, "a"), topic(2, "b"));
        metrics.appended(&a, 100, 2, 0);
        metrics.appended(&b, 200, 3, 0);
        metrics.given(&a, 50);
        let mut counters = BrokerCounters::default();
        metrics.counters(&mut counters);
        assert_eq!((counters.messages_in, counters.bytes_in, counters.bytes_out), (5, 300, 50));
        assert_eq!(counters.topics, vec![(a.name.clone(), 2, 100, 50), (b.name.clone(), 3, 200, 0)]);
        let report = told(&mut metrics);
        assert_eq!(count(&report, &bean::BYTES_OUT, &[("topic", "b")]), None, "it has none");
        metrics.forget_leader(a.id);
        metrics.forget(b.id);
        let report = told(&mut metrics);
        assert_eq!(count(&report, &bean::BYTES_IN, &[("topic", "a")]), None);
        assert_eq!(count(&report, &bean::BYTES_OUT, &[("topic", "a")]), Some(50.0));
        assert_eq!(count(&report, &bean::BYTES_IN, &[("topic", "b")]), None);
        assert_eq!(count(&report, &bean::BYTES_IN, &[]), Some(300.0), "the sum stays");
    }
}
