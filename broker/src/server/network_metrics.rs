//! What is counted of connections and of the thread that serves them. The node tells; here it is added up.
//!
//! Source: `org.apache.kafka.common.network.Selector.SelectorMetrics`, `kafka.network.SocketServer`.

use std::time::Duration;

use super::connections::Connections;
use crate::metrics::table::network as bean;
use crate::metrics::{Bean, Collector, Label, Meter, Windowed};

/// The one listener, and the one thread behind it.
const LISTENER: &str = "PLAINTEXT";
const PROCESSOR: i32 = 0;
/// Shares of time are told as Kafka tells them.
const PER_NANO: f64 = 1e-9;

/// A node tells for the first time when it has been there for so long.
const FIRST_ROUND: Duration = Duration::from_secs(1);

/// How long the node's thread slept since it started, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// How long.
    pub slept: Duration,
    /// How often.
    pub times: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct NetworkMetrics {
    open: u64,
    opened: Windowed,
    closed: Windowed,
    accepted: Windowed,
    read: Windowed,
    written: Windowed,
    operations: Windowed,
    requests: Windowed,
    answers: Windowed,
    accept_throttled_ms: Windowed,
    ip_throttled_ms: Windowed,
    blocked_ns: Meter,
    idle_ns: Meter,
    sleeps: Windowed,
    idle: Idle,
    /// When it was first told of, and for how long that has been by now.
    began: Option<Duration>,
    life: Duration,
    /// Answers that have not begun to be written.
    ready: usize,
}

impl NetworkMetrics {
    /// A client connected.
    pub fn connected(&mut self) {
        self.open += 1;
        self.opened.once();
        self.accepted.once();
    }

    /// A client's connection ended.
    pub fn disconnected(&mut self) {
        self.open = self.open.saturating_sub(1);
        self.closed.once();
    }

    /// So much came out of a socket.
    pub fn read(&mut self, bytes: usize) {
        self.read.record(bytes as f64);
        self.operations.once();
    }

    /// A whole request is there.
    pub fn request(&mut self) {
        self.requests.once();
    }

    /// An answer went into a socket.
    pub fn written(&mut self, bytes: usize) {
        self.written.record(bytes as f64);
        self.answers.record(bytes as f64);
        self.operations.once();
    }

    /// No connection is accepted for so long.
    pub fn accept_throttled(&mut self, time: Duration) {
        self.accept_throttled_ms.record(time.as_secs_f64() * 1000.0);
        self.blocked_ns.mark(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// A connection is held for so long before it is closed.
    pub fn ip_throttled(&mut self, time: Duration) {
        self.ip_throttled_ms.record(time.as_secs_f64() * 1000.0);
    }

    /// How long the thread slept by now, and how many answers wait to be written.
    pub fn tell(&mut self, idle: Idle, ready: usize) {
        let slept = idle.slept.saturating_sub(self.idle.slept);
        let ns = u64::try_from(slept.as_nanos()).unwrap_or(u64::MAX);
        self.idle_ns.mark(ns);
        let times = idle.times.saturating_sub(self.idle.times);
        if times > 0 || ns > 0 {
            self.sleeps.record_many(times, ns as f64);
        }
        (self.idle, self.ready) = (idle, ready);
    }

    /// Open connections, and those ever accepted.
    pub fn connections(&self) -> (u64, u64) {
        (self.open, self.opened.count())
    }

    /// Tells its series. `held`: requests that are held back.
    pub fn collect(&mut self, out: &mut Collector, connections: &Connections, held: usize) {
        let now = out.now().mono;
        self.life = now.saturating_sub(*self.began.get_or_insert(now.saturating_sub(FIRST_ROUND)));
        for windowed in [
            &mut self.opened,
            &mut self.closed,
            &mut self.accepted,
            &mut self.read,
            &mut self.written,
            &mut self.operations,
            &mut self.requests,
            &mut self.answers,
            &mut self.accept_throttled_ms,
            &mut self.ip_throttled_ms,
            &mut self.sleeps,
        ] {
            windowed.turn(now);
        }
        self.collect_processor(out);
        self.collect_thread(out, held);
        self.collect_acceptor(out);
        connections.collect(out, [listener(), processor()]);
    }

    fn collect_processor(&self, out: &mut Collector) {
        let mut tell = |bean: &'static Bean, value: f64| out.value(bean, [listener(), processor()], value);
        tell(&bean::CONNECTION_COUNT, self.open as f64);
        tell(&bean::CREATION_RATE, self.opened.rate());
        tell(&bean::CREATION_TOTAL, self.opened.total());
        tell(&bean::CLOSE_RATE, self.closed.rate());
        tell(&bean::CLOSE_TOTAL, self.closed.total());
        tell(&bean::INCOMING_BYTE_RATE, self.read.sum_rate());
        tell(&bean::INCOMING_BYTE_TOTAL, self.read.total());
        tell(&bean::OUTGOING_BYTE_RATE, self.written.sum_rate());
        tell(&bean::OUTGOING_BYTE_TOTAL, self.written.total());
        tell(&bean::NETWORK_IO_RATE, self.operations.rate());
        tell(&bean::NETWORK_IO_TOTAL, self.operations.total());
        tell(&bean::REQUEST_RATE, self.answers.rate());
        tell(&bean::REQUEST_TOTAL, self.answers.count() as f64);
        tell(&bean::REQUEST_SIZE_AVG, self.answers.average());
        tell(&bean::REQUEST_SIZE_MAX, self.answers.max());
        tell(&bean::RESPONSE_RATE, self.requests.rate());
        tell(&bean::RESPONSE_TOTAL, self.requests.total());
        tell(&bean::SELECT_RATE, self.sleeps.rate());
        tell(&bean::SELECT_TOTAL, self.idle.times as f64);
        tell(&bean::IO_WAIT_RATIO, self.idle_share());
        tell(&bean::IO_WAIT_TIME_AVG, self.sleeps.average());
        tell(&bean::IO_WAIT_TIME_TOTAL, self.idle.slept.as_nanos() as f64);
    }

    /// Kafka takes a thread that has just begun for a busy one, as its windows are longer than its life; here the life counts.
    pub(super) fn idle_share(&self) -> f64 {
        let span_s = self.sleeps.span_s();
        let asleep_s = self.sleeps.sum_rate() * span_s * PER_NANO;
        (asleep_s / span_s.min(self.life.as_secs_f64()).max(f64::MIN_POSITIVE)).min(1.0)
    }

    fn collect_thread(&mut self, out: &mut Collector, held: usize) {
        out.count(&bean::REQUEST_QUEUE_SIZE, [], held as u64);
        out.count(&bean::RESPONSE_QUEUE_SIZE, [], self.ready as u64);
        out.count(&bean::RESPONSE_QUEUE_SIZE, [("processor", PROCESSOR.into())], self.ready as u64);
        out.value(&bean::PROCESSOR_IDLE, [processor()], self.idle_share());
        out.value(&bean::PROCESSORS_IDLE, [], self.idle_share());
        let share = out.scaled_meter(&bean::HANDLER_IDLE, [], &mut self.idle_ns, PER_NANO);
        out.meter_reading(&bean::BROKER_HANDLER_IDLE, [], share);
    }

    fn collect_acceptor(&mut self, out: &mut Collector) {
        out.scaled_meter(&bean::ACCEPTOR_BLOCKED, [listener()], &mut self.blocked_ns, PER_NANO);
        out.value(&bean::ACCEPT_RATE, [listener()], self.accepted.rate());
        out.value(&bean::BROKER_ACCEPT_RATE, [], self.accepted.rate());
        out.value(&bean::ACCEPT_THROTTLE_TIME, [listener()], self.accept_throttled_ms.average());
        out.value(&bean::IP_ACCEPT_THROTTLE_TIME, [listener()], self.ip_throttled_ms.average());
    }
}

fn listener() -> (&'static str, Label) {
    ("listener", LISTENER.into())
}

fn processor() -> (&'static str, Label) {
    ("networkProcessor", PROCESSOR.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{MetricsReport, Reading, Rounds, Series};
    use crate::types::{Id, Now};

    const LABELS: [(&str, &str); 2] = [("listener", "PLAINTEXT"), ("networkProcessor", "0")];

    fn told(metrics: &mut NetworkMetrics, rounds: &mut Rounds, second: u64) -> MetricsReport {
        let mut out = rounds.begin(Now { mono: Duration::from_secs(second), wall_ms: 0 }).unwrap();
        metrics.collect(&mut out, &Connections::default(), 3);
        out.finish(1, Id::ZERO)
    }

    #[test]
    fn what_went_through_the_sockets_is_told() {
        let (mut metrics, mut rounds) = (NetworkMetrics::default(), Rounds::new(Now::default()));
        told(&mut metrics, &mut rounds, 1);
        (0..4).for_each(|_| metrics.connected());
        metrics.disconnected();
        (0..10).for_each(|_| metrics.read(100));
        (0..6).for_each(|_| metrics.request());
        [10, 20, 60].into_iter().for_each(|bytes| metrics.written(bytes));
        metrics.tell(Idle::default(), 2);
        let report = told(&mut metrics, &mut rounds, 31);
        for (bean, expected) in [
            (&bean::CONNECTION_COUNT, 3.0),
            (&bean::CREATION_TOTAL, 4.0),
            (&bean::CLOSE_TOTAL, 1.0),
            (&bean::INCOMING_BYTE_TOTAL, 1000.0),
            (&bean::OUTGOING_BYTE_TOTAL, 90.0),
            (&bean::OUTGOING_BYTE_RATE, 3.0),
            (&bean::NETWORK_IO_TOTAL, 13.0),
            (&bean::REQUEST_TOTAL, 3.0),
            (&bean::REQUEST_SIZE_AVG, 30.0),
            (&bean::REQUEST_SIZE_MAX, 60.0),
            (&bean::RESPONSE_TOTAL, 6.0),
        ] {
            assert_eq!(report.get(bean, &LABELS).map(Series::value), Some(expected), "{}", bean.name);
        }
        assert_eq!(report.get(&bean::REQUEST_QUEUE_SIZE, &[]).map(Series::value), Some(3.0));
        assert_eq!(report.get(&bean::RESPONSE_QUEUE_SIZE, &[("processor", "0")]).map(Series::value), Some(2.0));
        assert_eq!(metrics.connections(), (3, 4));
    }

    #[test]
    fn idle_is_the_share_of_time_that_the_thread_slept() {
        let (mut metrics, mut rounds) = (NetworkMetrics::default(), Rounds::new(Now::default()));
        told(&mut metrics, &mut rounds, 1);
        metrics.tell(Idle { slept: Duration::from_millis(500), times: 3 }, 0);
        let report = told(&mut metrics, &mut rounds, 2);
        let young = report.get(&bean::PROCESSORS_IDLE, &[]).unwrap().value();
        assert!((young - 0.25).abs() < 0.01, "{young} of two seconds");
        let mut report = MetricsReport::default();
        let (mut metrics, mut rounds) = (NetworkMetrics::default(), Rounds::new(Now::default()));
        told(&mut metrics, &mut rounds, 1);
        for second in 2..=61 {
            let slept = Duration::from_millis(250 * (second - 1));
            metrics.tell(Idle { slept, times: 10 * (second - 1) }, 0);
            report = told(&mut metrics, &mut rounds, second);
        }
        let value = |bean: &'static Bean, labels: &[(&str, &str)]| report.get(bean, labels).unwrap().value();
        assert!((value(&bean::PROCESSORS_IDLE, &[]) - 0.25).abs() < 0.01);
        assert!((value(&bean::IO_WAIT_RATIO, &LABELS) - 0.25).abs() < 0.01);
        assert_eq!(value(&bean::SELECT_TOTAL, &LABELS), 600.0);
        assert_eq!(value(&bean::IO_WAIT_TIME_AVG, &LABELS), 25e6, "a sleep in ns");
        assert_eq!(value(&bean::IO_WAIT_TIME_TOTAL, &LABELS), 15e9);
        for bean in [&bean::HANDLER_IDLE, &bean::BROKER_HANDLER_IDLE] {
            match &report.get(bean, &[]).unwrap().reading {
                Reading::Meter(reading) => assert!((0.2..0.26).contains(&reading.one_minute_rate), "{reading:?}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn who_has_to_wait_to_be_accepted_is_told() {
        let (mut metrics, mut rounds) = (NetworkMetrics::default(), Rounds::new(Now::default()));
        metrics.accept_throttled(Duration::from_millis(500));
        metrics.ip_throttled(Duration::from_millis(30));
        let report = told(&mut metrics, &mut rounds, 10);
        let of = |bean| report.get(bean, &LABELS[..1]).unwrap();
        assert_eq!(
            (of(&bean::ACCEPT_THROTTLE_TIME).value(), of(&bean::IP_ACCEPT_THROTTLE_TIME).value()),
            (500.0, 30.0)
        );
        match &of(&bean::ACCEPTOR_BLOCKED).reading {
            Reading::Meter(reading) => assert!((reading.mean_rate - 0.05).abs() < 1e-9, "{reading:?}"),
            other => panic!("{other:?}"),
        }
    }
}
