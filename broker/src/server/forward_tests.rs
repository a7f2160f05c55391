//! What clients are told when no controller answers, at every version.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;

use super::Broker;
use crate::log::SimDisk;
use crate::metadata::config::NodeConfig;
use crate::protocol::messages::elect_leaders_request::TopicPartitions;
use crate::protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use crate::protocol::messages::{
    ElectLeadersRequestData, IncrementalAlterConfigsRequestData, KafkaString, UpdateFeaturesRequestData,
};
use crate::protocol::{ErrorCode, Request, RequestHeader, Response, decode_response, encode_request};
use crate::types::Now;

/// Asks a broker that finds no controller, and lets the time for it pass.
fn ask_in_vain(request: impl Into<Request>, api_version: i16) -> Response {
    let now = Now { mono: Duration::from_secs(10), wall_ms: 1_700_000_000_000 };
    let config = NodeConfig::new(1, "a-cluster-of-one-broker", Default::default()).unwrap();
    let config = config.with_log_dirs(vec![PathBuf::from("/data")]).with_voters(vec![3000]);
    let mut broker = Broker::open(config, Arc::new(SimDisk::new()), 7, now).unwrap();
    let request = request.into();
    let header = RequestHeader { api_key: request.api(), api_version, correlation_id: 9, client_id: None };
    let frame = encode_request(&header, &request).unwrap().freeze().slice(4..);
    broker.on_client_frame(now, 1, 0, [127, 0, 0, 1].into(), frame);
    assert!(broker.out.responses.is_empty());
    broker.on_tick(now.plus(Duration::from_secs(31)));
    assert!(broker.out.closes.is_empty(), "{:?}", broker.out.closes);
    let mut frame = broker.out.responses.pop().unwrap().frame.unwrap();
    frame.advance(4);
    decode_response(&header, frame.freeze()).unwrap()
}

/// `REQUEST_TIMED_OUT`.
const TIMED_OUT: i16 = 7;

#[test]
fn elections_that_nobody_answered() {
    for version in 0..=2 {
        let topic = TopicPartitions::default().with_topic(KafkaString::from_static("t")).with_partitions(vec![0, 1]);
        let request = ElectLeadersRequestData::default().with_topic_partitions(Some(vec![topic]));
        let Response::ElectLeaders(response) = ask_in_vain(request, version) else { panic!() };
        assert_eq!(response.error_code, if version == 0 { 0 } else { TIMED_OUT });
        let results = &response.replica_election_results[0].partition_result;
        assert!(results.len() == 2 && results.iter().all(|result| result.error_code == TIMED_OUT));
    }
}

#[test]
fn changes_that_nobody_answered() {
    for version in 0..=1 {
        let resource = |kind| {
            AlterConfigsResource::default().with_resource_type(kind).with_resource_name(KafkaString::from_static("t"))
        };
        let request = IncrementalAlterConfigsRequestData::default().with_resources(vec![resource(2), resource(4)]);
        let Response::IncrementalAlterConfigs(response) = ask_in_vain(request, version) else { panic!() };
        let codes: Vec<i16> = response.responses.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [TIMED_OUT, ErrorCode::InvalidRequest.code()], "what the broker knows, it says");
    }
    for version in 0..=2 {
        let Response::UpdateFeatures(response) = ask_in_vain(UpdateFeaturesRequestData::default(), version) else {
            panic!()
        };
        assert_eq!(response.error_code, TIMED_OUT);
    }
}
