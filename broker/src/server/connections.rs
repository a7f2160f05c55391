//! What is known of clients' connections beyond their address.
//!
//! Source: `org.apache.kafka.common.network.ChannelMetadataRegistry`, `ClientInformation`.

use std::collections::HashMap;

use super::context::{ConnId, RequestContext};
use crate::telemetry::ClientAttributes;

/// Of a client that did not say.
const UNKNOWN: &str = "unknown";

/// Longest software name and version kept, in bytes; what has more is not kept.
const SOFTWARE_MAX_BYTES: usize = 1_024;

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
