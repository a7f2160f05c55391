//! The request logger: one line for each request that is done, with its times; with what was asked and answered for those who ask for
//! more. The line is made when all is over, but what it says of the request is gathered when it is answered.
//!
//! Source: `kafka.network.RequestChannel.Request.updateRequestMetrics`, `org.apache.kafka.network.RequestConvertToJson.requestDescMetrics`.
//! There are no deprecated versions to be logged at INFO, and the bodies are in the form that this program's debugging has, not Kafka's JSON.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::broker::Broker;
use super::context::RequestContext;
use super::request_metrics::Answered;
use super::request_times::Parts;
use crate::logging::{Level, Logger, NodeLog};
use crate::metadata::config::shown_value;
use crate::protocol::messages::KafkaString;
use crate::protocol::{Request, RequestHeader, Response, upper_snake};
use crate::quota::ANONYMOUS;

/// Longest body that is logged, so that a line holds two.
const BODY_MAX_BYTES: usize = 3_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    request_api_key: i16,
    request_api_version: i16,
    correlation_id: i32,
    client_id: Option<String>,
    request_api_key_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientInformation {
    software_name: String,
    software_version: String,
}

/// What is known of a request when it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    header: Header,
    request: Option<Arc<str>>,
    response: Option<String>,
    connection: String,
    client: ClientInformation,
}

/// In Kafka's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    is_forwarded: bool,
    request_header: &'a Header,
    request: &'a str,
    response: &'a str,
    connection: &'a str,
    total_time_ms: f64,
    request_queue_time_ms: f64,
    local_time_ms: f64,
    remote_time_ms: f64,
    throttle_time_ms: u64,
    response_queue_time_ms: f64,
    send_time_ms: f64,
    security_protocol: &'static str,
    principal: String,
    listener: &'static str,
    client_information: &'a ClientInformation,
}

/// Kafka counts microseconds, and tells milliseconds.
fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

impl LoggedRequest {
    /// The line, once the answer has been written.
    pub fn line(&self, answered: &Answered, parts: &Parts) -> String {
        let line = Line {
            // Controllers are what requests are forwarded to.
            is_forwarded: false,
            request_header: &self.header,
            request: self.request.as_deref().unwrap_or_default(),
            response: self.response.as_deref().unwrap_or_default(),
            connection: &self.connection,
            total_time_ms: ms(parts.total()),
            request_queue_time_ms: ms(parts.request_queue),
            local_time_ms: ms(parts.local),
            remote_time_ms: ms(parts.remote),
            throttle_time_ms: u64::try_from(answered.muted_for.as_millis()).unwrap_or(u64::MAX),
            response_queue_time_ms: ms(parts.response_queue),
            send_time_ms: ms(parts.response_send),
            security_protocol: "PLAINTEXT",
            principal: format!("User:{ANONYMOUS}"),
            listener: "PLAINTEXT",
            client_information: &self.client,
        };
        // Strings and finite numbers are always JSON.
        format!("Completed request:{}", serde_json::to_string(&line).unwrap_or_default())
    }
}

/// Keeps the beginning of what is written to it, and stops the writer then.
struct Beginning {
    text: String,
    max_bytes: usize,
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.max_bytes - self.text.len();
        if text.len() <= room {
            self.text.push_str(text);
            return Ok(());
        }
        self.text.push_str(&text[..text.floor_char_boundary(room)]);
        Err(fmt::Error)
    }
}

fn beginning(value: &dyn fmt::Debug) -> String {
    let mut beginning = Beginning { text: String::new(), max_bytes: BODY_MAX_BYTES };
    let whole = write!(beginning, "{value:?}").is_ok();
    if whole { beginning.text } else { beginning.text + "…" }
}

/// The request with values that nobody may read hidden: both that alter configs are made alike, of different types.
macro_rules! without_secrets {
    ($request:expr) => {{
        let mut shown = $request.clone();
        for resource in &mut shown.resources {
            for config in &mut resource.configs {
                let hide =
                    |value: &KafkaString| shown_value(resource.resource_type, config.name.as_str(), value.as_str());
                config.value = config.value.as_ref().map(|value| hide(value).into());
            }
        }
        shown
    }};
}

/// What is asked, if the log is to have it. Secrets are left out.
pub(super) fn body(log: &NodeLog, request: &Request) -> Option<Arc<str>> {
    if !log.is_on(Logger::RequestLogger, Level::Trace) {
        return None;
    }
    let text = match request {
        Request::AlterConfigs(request) => beginning(&without_secrets!(request)),
        Request::IncrementalAlterConfigs(request) => beginning(&without_secrets!(request)),
        request => beginning(request),
    };
    Some(text.into())
}

fn header(header: &RequestHeader) -> Header {
    Header {
        request_api_key: header.api_key.key(),
        request_api_version: header.api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id.clone(),
        request_api_key_name: upper_snake(header.api_key.name()),
    }
}

/// What the log is to tell of a request that is answered now (`response`: none by protocol); nothing, if nobody wants to read it.
pub(super) fn answered(
    broker: &Broker,
    context: &RequestContext,
    response: Option<&Response>,
) -> Option<Box<LoggedRequest>> {
    let log = &broker.config.log;
    if !log.is_on(Logger::RequestLogger, Level::Debug) {
        return None;
    }
    let (name, version) = broker.connections.software(context.conn);
    let response = response.filter(|_| log.is_on(Logger::RequestLogger, Level::Trace));
    Some(Box::new(LoggedRequest {
        header: header(&context.header),
        request: context.body.clone(),
        response: response.map(|response| beginning(response)),
        connection: broker.connections.id(&broker.config, context.conn, context.client_host),
        client: ClientInformation { software_name: name.to_owned(), software_version: version.to_owned() },
    }))
}

#[cfg(test)]
mod tests {
    use super::super::data_tests::{Outcome, Site, batch, produce};
    use super::super::endpoints::text;
    use super::super::request_times::Stations;
    use super::*;
    use crate::protocol::Api;
    use crate::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    use crate::protocol::messages::{ApiVersionsRequestData, IncrementalAlterConfigsRequestData};

    fn logged(site: &mut Site, version: i16, request: impl Into<Request>) -> Option<Box<LoggedRequest>> {
        let request = request.into();
        site.send(version, request);
        site.broker.out.responses.pop().unwrap().logged
    }

    fn line(logged: &LoggedRequest) -> serde_json::Value {
        let us = Duration::from_micros;
        let (arrived, begun, worked) = (us(1_000), us(1_100), us(1_350));
        let stations = Stations { arrived, begun, worked, answered: us(2_350), taken: us(2_400), sent: us(2_450) };
        let muted_for = Duration::from_millis(7);
        let answered = Answered { api: Api::Produce, version: 9, size_bytes: 1, muted_for };
        let line = logged.line(&answered, &stations.parts());
        serde_json::from_str(line.strip_prefix("Completed request:").unwrap()).unwrap()
    }

    #[test]
    fn a_line_is_kafkas() {
        let mut site = Site::alone();
        site.lines.set(Logger::RequestLogger, Level::Debug);
        site.broker.on_connect(1, 50_000);
        let introduction = ApiVersionsRequestData::default()
            .with_client_software_name(text("librdkafka"))
            .with_client_software_version(text("2.12.1"));
        logged(&mut site, 4, introduction).unwrap();
        let logged = logged(&mut site, 9, produce(9, 1, &[(0, batch(2))])).unwrap();
        let expected = serde_json::json!({
            "isForwarded": false,
            "requestHeader": {"requestApiKey": 0, "requestApiVersion": 9, "correlationId": 9, "clientId": "tests", "requestApiKeyName": "PRODUCE"},
            "request": "", "response": "", "connection": "127.0.0.1:0-127.0.0.1:50000-0-1",
            "totalTimeMs": 1.45, "requestQueueTimeMs": 0.1, "localTimeMs": 0.25, "remoteTimeMs": 1.0, "throttleTimeMs": 7,
            "responseQueueTimeMs": 0.05, "sendTimeMs": 0.05, "securityProtocol": "PLAINTEXT", "principal": "User:ANONYMOUS",
            "listener": "PLAINTEXT", "clientInformation": {"softwareName": "librdkafka", "softwareVersion": "2.12.1"},
        });
        assert_eq!(line(&logged), expected);
    }

    #[test]
    fn bodies_are_for_those_who_ask_and_short() {
        let mut site = Site::alone();
        site.lines.set(Logger::RequestLogger, Level::Trace);
        let short = logged(&mut site, 4, ApiVersionsRequestData::default()).unwrap();
        let told = line(&short);
        assert!(told["request"].as_str().unwrap().starts_with("ApiVersions(ApiVersionsRequestData {"), "{told}");
        assert!(told["response"].as_str().unwrap().contains("api_keys"), "{told}");
        let long = logged(&mut site, 9, produce(9, 1, &[(0, batch(10_000))])).unwrap();
        let told = line(&long);
        let request = told["request"].as_str().unwrap();
        assert!(request.len() <= BODY_MAX_BYTES + 3 && request.ends_with('…'), "{}", request.len());
        assert_eq!(site.ask(9, produce(9, 0, &[(0, batch(1))])), Outcome::NoAnswer);
    }

    #[test]
    fn secrets_are_left_out() {
        let site = Site::alone();
        site.lines.set(Logger::RequestLogger, Level::Trace);
        let config =
            |name: &str, value: &str| AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)));
        let configs = vec![config("plugin.token", "abc-secret"), config("max.connections", "77")];
        let resource =
            AlterConfigsResource::default().with_resource_type(4).with_resource_name(text("1")).with_configs(configs);
        let request = IncrementalAlterConfigsRequestData::default().with_resources(vec![resource]);
        let body = body(&site.lines.log, &Request::IncrementalAlterConfigs(request)).unwrap();
        assert!(body.contains("77") && body.contains("[hidden]") && !body.contains("abc-secret"), "{body}");
    }

    #[test]
    fn nothing_is_gathered_for_nobody() {
        let mut site = Site::alone();
        assert_eq!(logged(&mut site, 9, produce(9, 1, &[(0, batch(2))])), None);
    }
}
