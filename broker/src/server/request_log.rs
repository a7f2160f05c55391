//! The request logger: one line for each request that is done, with what was asked and answered and its times. The line is made when all is
//! over, but what it says of the request is gathered when it comes and when it is answered.
//!
//! Source: `kafka.network.RequestChannel.Request.updateRequestMetrics`, `org.apache.kafka.network.RequestConvertToJson.requestDescMetrics`.
//! There are no deprecated versions to be logged at INFO. Where Kafka's line would be long, bodies are shown in part here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::broker::Broker;
use super::context::RequestContext;
use super::request_metrics::Answered;
use super::request_times::Parts;
use crate::logging::{Level, Logger, NodeLog};
use crate::metadata::config::shown_value;
use crate::protocol::messages::KafkaString;
use crate::protocol::{Json, Request, RequestHeader, upper_snake};
use crate::quota::ANONYMOUS;

/// About how much of a body is shown, so that a line holds two.
const BODY_BYTES: usize = 5_000;

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
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedRequest {
    header: Header,
    request: Option<Arc<Json>>,
    response: Option<Json>,
    connection: String,
    client: ClientInformation,
}

/// In Kafka's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    is_forwarded: bool,
    request_header: &'a Header,
    request: Body<'a>,
    response: Body<'a>,
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

/// An empty text where there is none.
struct Body<'a>(Option<&'a Json>);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(body) => body.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
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
            request: Body(self.request.as_deref()),
            response: Body(self.response.as_ref()),
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

/// The frame of a request, if the log is to have it.
pub(super) fn kept(log: &NodeLog, frame: &Bytes) -> Option<Bytes> {
    log.is_on(Logger::RequestLogger, Level::Debug).then(|| frame.clone())
}

/// What is asked in a frame that was kept. Secrets are left out.
pub(super) fn body(kept: Option<Bytes>, header: &RequestHeader, request: &Request) -> Option<Arc<Json>> {
    let frame = kept?;
    let version = header.api_version;
    let body = match request {
        Request::AlterConfigs(request) => Json::of_request(&without_secrets!(request).into(), version, BODY_BYTES),
        Request::IncrementalAlterConfigs(request) => {
            Json::of_request(&without_secrets!(request).into(), version, BODY_BYTES)
        }
        _ => Json::of_frame(header, frame, BODY_BYTES),
    };
    body.map(Arc::new)
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

/// What the log is to tell of a request that is answered now (`answer`: its frame; none by protocol); nothing, if nobody wants to read it.
pub(super) fn answered(broker: &Broker, context: &RequestContext, answer: Option<&[u8]>) -> Option<Box<LoggedRequest>> {
    let log = &broker.config.log;
    if !log.is_on(Logger::RequestLogger, Level::Debug) {
        return None;
    }
    let (name, version) = broker.connections.software(context.conn);
    Some(Box::new(LoggedRequest {
        header: header(&context.header),
        request: context.body.clone(),
        response: answer.and_then(|frame| Json::of_answer(&context.header, frame, BODY_BYTES)),
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
    use crate::types::Now;

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
        site.broker.on_connect(Now::default(), 1, ([127, 0, 0, 1], 50000).into());
        let introduction = ApiVersionsRequestData::default()
            .with_client_software_name(text("librdkafka"))
            .with_client_software_version(text("2.12.1"));
        logged(&mut site, 4, introduction).unwrap();
        let size = batch(2).len();
        let logged = logged(&mut site, 9, produce(9, 1, &[(0, batch(2))])).unwrap();
        let expected = serde_json::json!({
            "isForwarded": false,
            "requestHeader": {"requestApiKey": 0, "requestApiVersion": 9, "correlationId": 9, "clientId": "tests", "requestApiKeyName": "PRODUCE"},
            "request": {"transactionalId": null, "acks": 1, "timeoutMs": 1000, "topicData": [
                {"name": "t", "partitionData": [{"index": 0, "recordsSizeInBytes": size}]},
            ]},
            "response": {"responses": [{"name": "t", "partitionResponses": [
                {"index": 0, "errorCode": 0, "baseOffset": 0, "logAppendTimeMs": -1, "logStartOffset": 0, "recordErrors": [], "errorMessage": null},
            ]}], "throttleTimeMs": 0},
            "connection": "127.0.0.1:0-127.0.0.1:50000-0-1",
            "totalTimeMs": 1.45, "requestQueueTimeMs": 0.1, "localTimeMs": 0.25, "remoteTimeMs": 1.0, "throttleTimeMs": 7,
            "responseQueueTimeMs": 0.05, "sendTimeMs": 0.05, "securityProtocol": "PLAINTEXT", "principal": "User:ANONYMOUS",
            "listener": "PLAINTEXT", "clientInformation": {"softwareName": "librdkafka", "softwareVersion": "2.12.1"},
        });
        assert_eq!(line(&logged), expected);
    }

    #[test]
    fn long_bodies_do_not_make_a_line_too_long() {
        let mut site = Site::alone();
        site.lines.set(Logger::RequestLogger, Level::Debug);
        let batches: Vec<_> = (0..2_000).map(|partition| (partition, batch(1))).collect();
        let long = logged(&mut site, 9, produce(9, 1, &batches)).unwrap();
        let told = line(&long);
        for (body, list) in
            [(&told["request"]["topicData"], "partitionData"), (&told["response"]["responses"], "partitionResponses")]
        {
            let parts = body[0][list].as_array().unwrap();
            assert_eq!(parts[1]["index"], 1);
            assert_eq!(parts.last().unwrap(), &format!("… {} more", 2_000 - (parts.len() - 1)));
        }
        assert!(told.to_string().len() < crate::logging::LINE_MAX_BYTES);
        assert_eq!(site.ask(9, produce(9, 0, &[(0, batch(1))])), Outcome::NoAnswer);
        let silent = line(&logged(&mut site, 9, produce(9, 0, &[(0, batch(1))])).unwrap());
        assert_eq!((&silent["request"]["acks"], &silent["response"]), (&0.into(), &"".into()));
    }

    #[test]
    fn secrets_are_left_out() {
        let site = Site::alone();
        site.lines.set(Logger::RequestLogger, Level::Debug);
        let config =
            |name: &str, value: &str| AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)));
        let configs = vec![config("plugin.token", "abc-secret"), config("max.connections", "77")];
        let resource =
            AlterConfigsResource::default().with_resource_type(4).with_resource_name(text("1")).with_configs(configs);
        let request = IncrementalAlterConfigsRequestData::default().with_resources(vec![resource]);
        let header = Site::header(Api::IncrementalAlterConfigs, 1);
        let request = Request::IncrementalAlterConfigs(request);
        let frame = crate::protocol::encode_request(&header, &request).unwrap().freeze().slice(4..);
        let body = body(kept(&site.lines.log, &frame), &header, &request).unwrap();
        let told = serde_json::to_value(&*body).unwrap();
        let configs = &told["resources"][0]["configs"];
        assert_eq!((&configs[0]["value"], &configs[1]["value"]), (&"[hidden]".into(), &"77".into()));
        assert!(!told.to_string().contains("abc-secret"), "{told}");
        site.lines.set(Logger::RequestLogger, Level::Info);
        assert_eq!(kept(&site.lines.log, &frame), None);
    }

    #[test]
    fn nothing_is_gathered_for_nobody() {
        let mut site = Site::alone();
        assert_eq!(logged(&mut site, 9, produce(9, 1, &[(0, batch(2))])), None);
    }
}
