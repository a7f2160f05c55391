//! What is known of clients' connections beyond their address.
//!
//! Source: `org.apache.kafka.common.network.ChannelMetadataRegistry`, `ClientInformation`.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::context::{ConnId, RequestContext};
use crate::metadata::config::NodeConfig;
use crate::metrics::table::network as bean;
use crate::metrics::{Collector, Label};
use crate::telemetry::ClientAttributes;

/// Of a client that did not say.
const UNKNOWN: &str = "unknown";

/// Longest software name and version kept, in bytes; what has more is not kept.
const SOFTWARE_MAX_BYTES: usize = 1_024;

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
}

#[derive(Debug, Default)]
struct Connection {
    port: Option<u16>,
    software: Option<(String, String)>,
}

impl Connections {
    /// A client connected from this port.
    pub fn opened(&mut self, conn: ConnId, port: u16) {
        self.open.insert(conn, Connection { port: Some(port), software: None });
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
        let port = self.open.get(&conn).and_then(|known| known.port).unwrap_or(0);
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
            source_port: known.and_then(|known| known.port).map(|port| port.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Rounds, Series};
    use crate::types::{Id, Now};

    #[test]
    fn kinds_of_software_are_counted_clean_and_bounded() {
        let mut connections = Connections::default();
        for conn in 0..300 {
            connections.opened(conn, 1);
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
