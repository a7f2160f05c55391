//! What is counted of requests, by the names that Kafka gives them. All that are offered have their series from the start.
//!
//! Source: `org.apache.kafka.network.metrics.{RequestChannelMetrics, RequestMetrics}`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::peer::PeerResponse;
use super::peer_costs::{self, Asked, VERIFICATION};
use super::request_times::{Parts, Stations};
use crate::log::Conversion;
use crate::metadata::report::RequestCounters;
use crate::metrics::table::requests as bean;
use crate::metrics::{Bean, Collector, Histogram, Meter};
use crate::protocol::messages::FetchResponseData;
use crate::protocol::{Api, ErrorCode, Response, error_name};

/// Longest latency that an interval's histogram tells apart: one minute.
const LATENCY_MAX_US: u64 = 60_000_000;

/// Fetches of consumers and of followers are counted apart as well, and those of the one API that was renamed; leaders' questions about
/// transactions are counted apart only.
const CONSUMER: &str = "FetchConsumer";
const FOLLOWER: &str = "FetchFollower";
const OLD_LISTING: &str = "ListClientMetricsResources";

/// A request that was answered, or that gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// API.
    pub api: Api,
    /// Its version.
    pub version: i16,
    /// Size of the request, without the length in front.
    pub size_bytes: usize,
    /// How long its connection is not to be read from.
    pub muted_for: Duration,
}

const TIMES: [&Bean; 7] = [
    &bean::REQUEST_QUEUE_TIME,
    &bean::LOCAL_TIME,
    &bean::REMOTE_TIME,
    &bean::THROTTLE_TIME,
    &bean::RESPONSE_QUEUE_TIME,
    &bean::RESPONSE_SEND_TIME,
    &bean::TOTAL_TIME,
];

/// What it took to pack records anew, by request.
struct Conversions {
    times: Histogram,
    bytes: Histogram,
}

impl Default for Conversions {
    fn default() -> Conversions {
        Conversions { times: Histogram::millis(), bytes: Histogram::default() }
    }
}

impl Conversions {
    fn record(&mut self, took: Duration, bytes: usize) {
        self.times.record_time(took);
        self.bytes.record(bytes as u64);
    }

    fn collect(&mut self, out: &mut Collector, name: &'static str) {
        out.histogram(&bean::MESSAGE_CONVERSIONS_TIME, [("request", name.into())], &mut self.times);
        out.histogram(&bean::TEMPORARY_MEMORY, [("request", name.into())], &mut self.bytes);
    }
}

struct ErrorCount {
    name: Arc<str>,
    meter: Meter,
}

/// Of requests of one name.
struct OfRequest {
    name: &'static str,
    versions: BTreeMap<i16, Meter>,
    errors: BTreeMap<i16, ErrorCount>,
    bytes: Histogram,
    /// In the order of [`TIMES`].
    times: [Histogram; TIMES.len()],
    /// Of clients since the start, and their total times.
    count: u64,
    total_time_us: u64,
    /// Clients' total times since the last report that carried percentiles, µs.
    interval: Option<hdrhistogram::Histogram<u32>>,
    last: (u64, u64, u64),
}

impl OfRequest {
    fn new(name: &'static str) -> OfRequest {
        OfRequest {
            name,
            versions: BTreeMap::new(),
            errors: BTreeMap::new(),
            bytes: Histogram::default(),
            times: [(); TIMES.len()].map(|()| Histogram::millis()),
            count: 0,
            total_time_us: 0,
            interval: None,
            last: (0, 0, 0),
        }
    }

    fn record(&mut self, answered: &Answered, parts: &Parts) {
        self.take(answered.version, answered.size_bytes, answered.muted_for, parts);
        let total_us = u64::try_from(parts.total().as_micros()).unwrap_or(u64::MAX);
        self.count += 1;
        self.total_time_us = self.total_time_us.saturating_add(total_us);
        if self.interval.is_none() {
            // Two significant digits keep it at some 10 KB.
            self.interval = hdrhistogram::Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).ok();
        }
        if let Some(interval) = &mut self.interval {
            interval.saturating_record(total_us.clamp(1, LATENCY_MAX_US));
        }
    }

    /// The same of a request that no client sent.
    fn take(&mut self, version: i16, size_bytes: usize, muted_for: Duration, parts: &Parts) {
        let total = parts.total();
        self.versions.entry(version).or_default().mark(1);
        self.bytes.record(size_bytes as u64);
        let times = [
            parts.request_queue,
            parts.local,
            parts.remote,
            muted_for,
            parts.response_queue,
            parts.response_send,
            total,
        ];
        for (histogram, time) in self.times.iter_mut().zip(times) {
            histogram.record_time(time);
        }
    }

    fn count_error(&mut self, code: i16) {
        let fresh = || ErrorCount { name: error_name(ErrorCode::from(code)).into(), meter: Meter::default() };
        self.errors.entry(code).or_insert_with(fresh).meter.mark(1);
    }

    fn roll_interval(&mut self) {
        let Some(interval) = &mut self.interval else { return };
        self.last = match interval.len() {
            0 => (0, 0, 0),
            _ => (interval.value_at_quantile(0.5), interval.value_at_quantile(0.99), interval.max()),
        };
        interval.reset();
    }

    fn collect(&mut self, out: &mut Collector) {
        let name = self.name;
        for (version, meter) in &mut self.versions {
            out.meter(&bean::REQUESTS, [("request", name.into()), ("version", i32::from(*version).into())], meter);
        }
        for error in self.errors.values_mut() {
            out.meter(&bean::ERRORS, [("request", name.into()), ("error", (&error.name).into())], &mut error.meter);
        }
        out.histogram(&bean::REQUEST_BYTES, [("request", name.into())], &mut self.bytes);
        for (bean, histogram) in TIMES.into_iter().zip(&mut self.times) {
            out.histogram(bean, [("request", name.into())], histogram);
        }
    }

    fn counters(&self) -> RequestCounters {
        let (p50_us, p99_us, max_us) = self.last;
        let (count, total_time_us) = (self.count, self.total_time_us);
        RequestCounters { api: self.name, count, total_time_us, p50_us, p99_us, max_us }
    }
}

/// Requests of other nodes, by Kafka's name of their API. A name has its series from its first request on.
#[derive(Default)]
pub struct PeerRequestMetrics {
    by_name: BTreeMap<&'static str, OfRequest>,
}

impl fmt::Debug for PeerRequestMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

impl PeerRequestMetrics {
    fn of(&mut self, name: &'static str) -> &mut OfRequest {
        self.by_name.entry(name).or_insert_with(|| OfRequest::new(name))
    }

    /// One is done with.
    pub fn done(&mut self, asked: &Asked, stations: &Stations) {
        self.of(asked.name).take(asked.version, asked.size_bytes, Duration::ZERO, &stations.parts());
        if asked.name == Api::Fetch.name() {
            self.of(FOLLOWER).take(asked.version, asked.size_bytes, Duration::ZERO, &stations.parts());
        }
    }

    /// Its answer has this error code, or 0.
    pub fn error(&mut self, name: &'static str, code: i16) {
        self.of(name).count_error(code);
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        self.by_name.values_mut().for_each(|of| of.collect(out));
    }
}

/// See the module.
pub struct RequestMetrics {
    /// By API key.
    apis: Vec<Option<OfRequest>>,
    consumer: OfRequest,
    follower: OfRequest,
    old_listing: OfRequest,
    verification: OfRequest,
    produce_conversions: Conversions,
    /// Nothing is ever converted for a fetch: so many times nothing.
    fetch_conversions: Conversions,
    /// Of the Produce request that is being appended.
    converting: (Duration, usize),
    /// Of APIs that clients are not offered.
    peers: PeerRequestMetrics,
}

fn place(api: Api) -> usize {
    usize::try_from(api.key()).unwrap_or(0)
}

impl Default for RequestMetrics {
    fn default() -> RequestMetrics {
        let places = Api::ALL.iter().map(|api| place(*api)).max().unwrap_or(0) + 1;
        let mut apis: Vec<Option<OfRequest>> = (0..places).map(|_| None).collect();
        for api in Api::ALL {
            apis[place(*api)] = Some(OfRequest::new(api.name()));
        }
        RequestMetrics {
            apis,
            consumer: OfRequest::new(CONSUMER),
            follower: OfRequest::new(FOLLOWER),
            old_listing: OfRequest::new(OLD_LISTING),
            verification: OfRequest::new(VERIFICATION),
            produce_conversions: Conversions::default(),
            fetch_conversions: Conversions::default(),
            converting: (Duration::ZERO, 0),
            peers: PeerRequestMetrics::default(),
        }
    }
}

impl RequestMetrics {
    fn of(&mut self, api: Api) -> Option<&mut OfRequest> {
        self.apis.get_mut(place(api)).and_then(Option::as_mut)
    }

    fn all(&mut self) -> impl Iterator<Item = &mut OfRequest> {
        let apart = [&mut self.consumer, &mut self.follower, &mut self.old_listing, &mut self.verification];
        self.apis.iter_mut().flatten().chain(apart)
    }

    /// A client's request is done with.
    pub fn done(&mut self, answered: &Answered, stations: &Stations) {
        let parts = stations.parts();
        if let Some(of) = self.of(answered.api) {
            of.record(answered, &parts);
        }
        match answered {
            Answered { api: Api::Fetch, .. } => {
                self.consumer.record(answered, &parts);
                self.fetch_conversions.record(Duration::ZERO, 0);
            }
            Answered { api: Api::ListConfigResources, version: 0, .. } => self.old_listing.record(answered, &parts),
            _ => {}
        }
    }

    /// A follower's fetch is done with. Its errors count with those of the API.
    pub fn followed(&mut self, answered: &Answered, stations: &Stations, answer: &FetchResponseData) {
        let parts = stations.parts();
        if let Some(of) = self.of(answered.api) {
            of.record(answered, &parts);
            peer_costs::for_each_error_of_fetch(answer, |code| of.count_error(code));
        }
        self.follower.record(answered, &parts);
        self.fetch_conversions.record(Duration::ZERO, 0);
    }

    /// A part of a Produce request was packed anew.
    pub fn converting(&mut self, conversion: &Conversion) {
        self.converting.0 += conversion.took;
        self.converting.1 += conversion.temporary_bytes;
    }

    /// A Produce request was appended, whatever of it was packed anew.
    pub fn converted(&mut self) {
        let (took, bytes) = std::mem::take(&mut self.converting);
        self.produce_conversions.record(took, bytes);
    }

    /// Another node's request is done with, one that is no fetch.
    pub fn peer_done(&mut self, asked: &Asked, stations: &Stations, answer: &PeerResponse) {
        let api = Api::ALL.iter().find(|api| api.name() == peer_costs::api_name(asked)).copied();
        let Some(of) = api.and_then(|api| self.of(api)) else {
            self.peers.done(asked, stations);
            return peer_costs::for_each_error(answer, |code| self.peers.error(asked.name, code));
        };
        peer_costs::for_each_error(answer, |code| of.count_error(code));
        let parts = stations.parts();
        match asked.name {
            VERIFICATION => self.verification.take(asked.version, asked.size_bytes, Duration::ZERO, &parts),
            _ => of.take(asked.version, asked.size_bytes, Duration::ZERO, &parts),
        }
    }

    /// What an answer of this version says; `on_error` is told each code that is one. Gives whether it is an error that nobody foresaw.
    pub fn answer(&mut self, version: i16, response: &Response, mut on_error: impl FnMut(i16)) -> bool {
        let mut is_unexpected = false;
        if let Some(of) = self.of(response.api()) {
            response.for_each_error(version, |code| {
                of.count_error(code);
                if code != ErrorCode::None.code() {
                    on_error(code);
                }
                is_unexpected |= code == ErrorCode::UnknownServerError.code();
            });
        }
        is_unexpected
    }

    /// Closes the interval over which percentiles are taken; called about once a second.
    pub fn roll_interval(&mut self) {
        self.all().for_each(OfRequest::roll_interval);
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        self.all().for_each(|of| of.collect(out));
        self.produce_conversions.collect(out, Api::Produce.name());
        self.fetch_conversions.collect(out, Api::Fetch.name());
        self.peers.collect(out);
    }

    /// As the window sees clients' requests: each once.
    pub fn counters(&self) -> Vec<RequestCounters> {
        let fetch = Api::Fetch.name();
        let apis = self.apis.iter().flatten().filter(|of| of.name != fetch).chain([&self.consumer]);
        apis.map(OfRequest::counters).filter(|counters| counters.count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Reading, Rounds};
    use crate::protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use crate::protocol::messages::{HeartbeatResponseData, ProduceResponseData};
    use crate::types::{Id, Now};

    fn stations(total: Duration) -> Stations {
        Stations { answered: total / 2, worked: total / 4, taken: total / 2, sent: total, ..Stations::default() }
    }

    fn answered(api: Api, version: i16) -> Answered {
        Answered { api, version, size_bytes: 100, muted_for: Duration::from_millis(7) }
    }

    #[test]
    fn percentiles_are_those_of_the_last_interval() {
        let mut metrics = RequestMetrics::default();
        for ms in 1..=100 {
            metrics.done(&answered(Api::Produce, 9), &stations(Duration::from_millis(ms)));
        }
        metrics.roll_interval();
        let produce = metrics.counters().remove(0);
        assert_eq!((produce.api, produce.count, produce.total_time_us), ("Produce", 100, 5_050_000));
        assert!((49_000..=51_500).contains(&produce.p50_us), "{produce:?}");
        assert!((98_000..=101_000).contains(&produce.p99_us), "{produce:?}");
        metrics.roll_interval();
        let quiet = metrics.counters().remove(0);
        assert_eq!((quiet.count, quiet.p50_us, quiet.p99_us), (100, 0, 0));
    }

    #[test]
    fn fetches_are_counted_together_and_apart() {
        let mut metrics = RequestMetrics::default();
        let time = stations(Duration::from_millis(8));
        metrics.done(&answered(Api::Fetch, 12), &time);
        metrics.done(&answered(Api::Fetch, 13), &time);
        let part = |error_code| PartitionData { error_code, ..PartitionData::default() };
        let topic = FetchableTopicResponse { partitions: vec![part(0), part(74)], ..FetchableTopicResponse::default() };
        let fetched = FetchResponseData { responses: vec![topic], ..FetchResponseData::default() };
        metrics.followed(&answered(Api::Fetch, 18), &time, &fetched);
        metrics.answer(4, &HeartbeatResponseData { error_code: 25, ..HeartbeatResponseData::default() }.into(), |_| ());
        metrics.answer(9, &ProduceResponseData::default().into(), |_| ());
        assert_eq!(metrics.counters().len(), 1, "the window counts a request once");
        let mut out = Rounds::new(Now::default()).begin(Now { mono: Duration::from_secs(1), wall_ms: 0 }).unwrap();
        metrics.collect(&mut out);
        let report = out.finish(1, Id::ZERO);
        let count = |request: &str, version: &str| {
            report
                .get(&bean::REQUESTS, &[("request", request), ("version", version)])
                .map(crate::metrics::Series::value)
        };
        assert_eq!(
            (count("Fetch", "12"), count("Fetch", "13"), count("Fetch", "18")),
            (Some(1.0), Some(1.0), Some(1.0))
        );
        assert_eq!((count("FetchConsumer", "13"), count("FetchConsumer", "18")), (Some(1.0), None));
        assert_eq!((count("FetchFollower", "18"), count("FetchFollower", "13")), (Some(1.0), None));
        let errors = |request, error| {
            let labels = [("request", request), ("error", error)];
            report.get(&bean::ERRORS, &labels).map(crate::metrics::Series::value)
        };
        assert_eq!(errors("Heartbeat", "UNKNOWN_MEMBER_ID"), Some(1.0));
        assert_eq!(errors("Fetch", "NONE"), Some(2.0), "a follower's: of the whole and of one part");
        assert_eq!(errors("Fetch", "FENCED_LEADER_EPOCH"), Some(1.0));
        assert_eq!(errors("FetchFollower", "NONE"), None, "Kafka has errors by API only");
        let read = |bean, request| match &report.get(bean, &[("request", request)]).unwrap().reading {
            Reading::Histogram(reading) => **reading,
            other => panic!("{other:?}"),
        };
        let fetches = read(&bean::TOTAL_TIME, "Fetch");
        assert_eq!((fetches.count, fetches.mean), (3, 8.0));
        let parts = [&bean::REQUEST_QUEUE_TIME, &bean::LOCAL_TIME, &bean::REMOTE_TIME]
            .into_iter()
            .chain([&bean::RESPONSE_QUEUE_TIME, &bean::RESPONSE_SEND_TIME]);
        assert_eq!(parts.map(|bean| read(bean, "Fetch").sum).sum::<f64>(), fetches.sum);
        assert_eq!(read(&bean::THROTTLE_TIME, "FetchConsumer").max, 7.0);
        assert_eq!(read(&bean::REQUEST_BYTES, "FetchFollower").sum, 100.0);
        assert_eq!(read(&bean::TOTAL_TIME, "JoinGroup").count, 0, "it is there from the start");
    }
}
