//! What is known of clients' connections: who is behind each, and what was asked on it.
//!
//! Source: `org.apache.kafka.common.network.ChannelMetadataRegistry`, `ClientInformation`.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::connection_usage::Usage;
use super::context::{ConnId, RequestContext};
use super::request_metrics::Answered;
use super::request_times::Stations;
use crate::metadata::config::NodeConfig;
use crate::metadata::connections::{CONNECTIONS_TOLD_MAX, ConnectionReport, ConnectionsReport};
use crate::metrics::table::network as bean;
use crate::metrics::{Collector, Label};
use crate::protocol::{Api, RequestHeader};
use crate::telemetry::ClientAttributes;
use crate::types::{NodeId, Now};

/// Of a client that did not say.
const UNKNOWN: &str = "unknown";

/// Longest software name and version kept, in bytes; what has more is not kept.
const SOFTWARE_MAX_BYTES: usize = 1_024;

/// Longest client id kept, in characters.
const CLIENT_ID_MAX: usize = 256;

/// How often they are told of.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Kinds of software that are counted apart, and what the others are together.
const KINDS_MAX: usize = 100;
const OTHER: &str = "other";
/// Longest name or version in a label, in characters.
const LABEL_MAX: usize = 64;

/// What a client says of itself, as a label: letters, digits, `-` and `.`, as Kafka has it, and not too many of them.
fn clean(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '_' };
    text.chars().take(LABEL_MAX).map(allowed).collect()
}

/// By connection; an entry goes with its connection.
#[derive(Debug, Default)]
pub struct Connections {
    open: HashMap<ConnId, Connection>,
    /// When they were told of last.
    told: Option<Now>,
}

#[derive(Debug, Default)]
struct Connection {
    address: Option<SocketAddr>,
    opened_ms: i64,
    software: Option<(String, String)>,
    /// As the newest request has it.
    client_id: Option<String>,
    usage: Usage,
}

impl Connections {
    /// A client connected from there.
    pub fn opened(&mut self, conn: ConnId, address: SocketAddr, now: Now) {
        let (address, opened_ms) = (Some(address), now.wall_ms);
        self.open.insert(conn, Connection { address, opened_ms, ..Connection::default() });
    }

    /// A client asks.
    pub(super) fn asked(&mut self, conn: ConnId, header: &RequestHeader) {
        let Some(known) = self.open.get_mut(&conn) else { return };
        let client_id = header.client_id.as_deref();
        if known.client_id.as_deref() != client_id {
            // What is longer is shortened where it is shown, and here so that nobody fills the memory with it.
            known.client_id = client_id.map(|id| id.chars().take(CLIENT_ID_MAX).collect());
        }
    }

    /// A client's answer has this error code.
    pub(super) fn failed(&mut self, conn: ConnId, api: Api, version: i16, code: i16) {
        if let Some(known) = self.open.get_mut(&conn) {
            known.usage.failed(api, version, code);
        }
    }

    /// A request is done with, and so much was written.
    pub fn done(&mut self, conn: ConnId, answered: &Answered, stations: &Stations, written_bytes: usize) {
        if let Some(known) = self.open.get_mut(&conn) {
            known.usage.done(answered, &stations.parts(), written_bytes);
        }
    }

    /// All that are open, those that ask most first, with what was asked since the last time; `None`: a second is not over.
    pub fn report(&mut self, node_id: NodeId, now: Now) -> Option<ConnectionsReport> {
        let since = self.told.map_or(TOLD_EVERY, |told| now.mono.saturating_sub(told.mono));
        if since < TOLD_EVERY {
            return None;
        }
        self.told = Some(now);
        let mut open: Vec<(&ConnId, &mut Connection)> = self.open.iter_mut().collect();
        open.sort_unstable_by_key(|(conn, known)| (std::cmp::Reverse(known.usage.fresh()), **conn));
        let left_out = open.len().saturating_sub(CONNECTIONS_TOLD_MAX);
        let mut connections = Vec::with_capacity(open.len() - left_out);
        for (place, (conn, known)) in open.into_iter().enumerate() {
            let told = known.usage.tell(since, place < CONNECTIONS_TOLD_MAX);
            let Some(apis) = told else { continue };
            let (software_name, software_version) = known.software.clone().unwrap_or_default();
            connections.push(ConnectionReport {
                conn: *conn,
                address: known.address.map_or_else(String::new, |address| address.to_string()),
                opened_ms: known.opened_ms,
                client_id: known.client_id.clone(),
                software_name,
                software_version,
                apis,
            });
        }
        connections.sort_unstable_by_key(|one| one.conn);
        Some(ConnectionsReport { node_id, at_ms: now.wall_ms, connections, left_out })
    }

    /// A client told its software's name and version (KIP-511); they are empty in the versions of ApiVersions that have neither.
    pub fn introduced(&mut self, conn: ConnId, name: &str, version: &str) {
        if name.len() <= SOFTWARE_MAX_BYTES && version.len() <= SOFTWARE_MAX_BYTES {
            let told = |text: &str| if text.is_empty() { UNKNOWN.to_owned() } else { text.to_owned() };
            self.open.entry(conn).or_default().software = Some((told(name), told(version)));
        }
    }

    /// It is gone.
    pub fn closed(&mut self, conn: ConnId) {
        self.open.remove(&conn);
    }

    /// Tells how many there are of each software.
    pub(super) fn collect(&self, out: &mut Collector, labels: [(&'static str, Label); 2]) {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for connection in self.open.values() {
            let told = connection.software.as_ref().map(|(name, version)| (clean(name), clean(version)));
            let key = told.unwrap_or_else(|| (UNKNOWN.to_owned(), UNKNOWN.to_owned()));
            *counts.entry(key).or_default() += 1;
        }
        let others: u64 = counts.values().skip(KINDS_MAX).sum();
        let kinds = counts.into_iter().take(KINDS_MAX);
        let rest = (others > 0).then(|| ((OTHER.to_owned(), OTHER.to_owned()), others));
        let [listener, processor] = labels;
        for ((name, version), count) in kinds.chain(rest) {
            let software = [("clientSoftwareName", name.into()), ("clientSoftwareVersion", version.into())];
            let [name, version] = software;
            out.count(&bean::CONNECTIONS, [name, version, listener.clone(), processor.clone()], count);
        }
    }

    /// A connection as Kafka's logs name it: where it ends here, where it comes from, the thread that serves it and its number.
    pub fn id(&self, config: &NodeConfig, conn: ConnId, client_host: IpAddr) -> String {
        let port = self.open.get(&conn).and_then(|known| known.address).map_or(0, |address| address.port());
        format!("{}:{}-{client_host}:{port}-0-{conn}", config.host, config.port)
    }

    /// Name and version of the software behind a connection.
    pub fn software(&self, conn: ConnId) -> (&str, &str) {
        let told = self.open.get(&conn).and_then(|known| known.software.as_ref());
        told.map_or((UNKNOWN, UNKNOWN), |(name, version)| (name, version))
    }

    /// Who asks.
    pub fn attributes(&self, context: &RequestContext) -> ClientAttributes {
        let known = self.open.get(&context.conn);
        let software = known.and_then(|known| known.software.clone());
        let (software_name, software_version) = software.unwrap_or_else(|| (UNKNOWN.to_owned(), UNKNOWN.to_owned()));
        ClientAttributes {
            client_id: context.header.client_id.as_ref().map(|id| id.as_str().to_owned()),
            software_name,
            software_version,
            source_address: context.client_host.to_string(),
            source_port: known.and_then(|known| known.address).map(|address| address.port().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Rounds, Series};
    use crate::types::Id;

    const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4711);

    fn at(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), wall_ms: seconds as i64 * 1000 }
    }

    fn produced(version: i16) -> Answered {
        Answered { api: Api::Produce, version, size_bytes: 100, muted_for: Duration::from_millis(5) }
    }

    #[test]
    fn each_connection_tells_who_asked_what_and_how_long_it_took() {
        let mut connections = Connections::default();
        connections.opened(7, ADDRESS, at(1));
        connections.introduced(7, "librdkafka", "2.6.1");
        let client_id = Some("orders".to_owned());
        connections.asked(7, &RequestHeader { api_key: Api::Produce, api_version: 9, correlation_id: 1, client_id });
        let ms = Duration::from_millis;
        let stations = Stations {
            begun: ms(1),
            worked: ms(3),
            answered: ms(10),
            taken: ms(10),
            sent: ms(11),
            ..Stations::default()
        };
        connections.done(7, &produced(9), &stations, 40);
        connections.done(7, &produced(9), &stations, 40);
        connections.failed(7, Api::Produce, 9, 19);
        connections.done(8, &produced(9), &stations, 40);
        let report = connections.report(2, at(2)).unwrap();
        assert_eq!((report.node_id, report.left_out, report.connections.len()), (2, 0, 1));
        let one = &report.connections[0];
        assert_eq!(
            (one.address.as_str(), one.opened_ms, one.client_id.as_deref()),
            ("127.0.0.1:4711", 1000, Some("orders"))
        );
        assert_eq!((one.software_name.as_str(), one.software_version.as_str()), ("librdkafka", "2.6.1"));
        let api = &one.apis[0];
        assert_eq!((api.api, api.version, api.count, api.in_bytes, api.out_bytes), ("Produce", 9, 2, 200, 80));
        assert_eq!((api.request_queue_us, api.local_us, api.remote_us), (2_000, 4_000, 14_000));
        assert_eq!(
            (api.response_queue_us, api.response_send_us, api.throttle_us, api.max_us),
            (0, 2_000, 10_000, 11_000)
        );
        assert_eq!((api.per_s, api.errors.clone()), (2.0, vec![(19, 1)]));
        assert!(connections.report(2, at(2)).is_none(), "once a second");
        let quiet = connections.report(2, at(4)).unwrap();
        assert_eq!((quiet.connections[0].apis[0].per_s, quiet.connections[0].apis[0].count), (0.0, 2));
        connections.closed(7);
        assert_eq!(connections.report(2, at(5)).unwrap().connections, []);
    }

    #[test]
    fn of_too_many_connections_those_that_ask_are_told() {
        let mut connections = Connections::default();
        let count = CONNECTIONS_TOLD_MAX as u64 + 10;
        for conn in 0..count {
            connections.opened(conn, ADDRESS, at(1));
        }
        connections.done(count - 1, &produced(9), &Stations::default(), 0);
        let report = connections.report(1, at(2)).unwrap();
        assert_eq!((report.connections.len(), report.left_out), (CONNECTIONS_TOLD_MAX, 10));
        assert_eq!(report.connections.last().unwrap().conn, count - 1);
    }

    #[test]
    fn kinds_of_software_are_counted_clean_and_bounded() {
        let mut connections = Connections::default();
        for conn in 0..300 {
            connections.opened(conn, ADDRESS, Now::default());
        }
        for conn in 1..4 {
            connections.introduced(conn, "apache-kafka-java", "4.3.0");
        }
        connections.introduced(4, "a\"b\n{c}", &"9".repeat(1000));
        for conn in 5..250 {
            connections.introduced(conn, &format!("kind-{conn}"), "1");
        }
        let mut out = Rounds::new(Now::default()).begin(Now { mono: Duration::from_secs(1), wall_ms: 0 }).unwrap();
        connections.collect(&mut out, [("listener", "PLAINTEXT".into()), ("networkProcessor", 0.into())]);
        let report = out.finish(1, Id::ZERO);
        let series: Vec<&Series> = report.of(&bean::CONNECTIONS).collect();
        assert_eq!(series.len(), KINDS_MAX + 1);
        assert_eq!(series.iter().map(|series| series.value()).sum::<f64>(), 300.0, "nobody is forgotten");
        let name = |series: &Series| series.label("clientSoftwareName").unwrap().to_string();
        let java = series.iter().find(|series| name(series) == "apache-kafka-java").unwrap();
        assert_eq!(java.value(), 3.0);
        assert!(series.iter().any(|series| name(series) == "a_b__c_"));
    }
}
