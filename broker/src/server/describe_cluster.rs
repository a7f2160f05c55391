//! DescribeCluster v0–2: the brokers of the cluster, and whom to ask as its controller.
//!
//! KIP-700, KIP-919 (endpoint type), KIP-1073 (fenced brokers). Source: `kafka.server.AuthHelper.computeDescribeClusterResponse`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::{self, CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, controller_for_clients, text};
use crate::metadata::image::Image;
use crate::protocol::messages::describe_cluster_response::DescribeClusterBroker;
use crate::protocol::messages::{DescribeClusterRequestData, DescribeClusterResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::{NodeId, Now};

const ENDPOINT_BROKERS: i8 = 1;
const ENDPOINT_CONTROLLERS: i8 = 2;

/// Answers from this broker's image.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    _now: Now,
    request: DescribeClusterRequestData,
) -> Handled {
    let (cluster_id, own_id) = (&broker.config.cluster_id, broker.config.node_id);
    let response = answer(&broker.image, cluster_id, own_id, context.header.api_version, &request);
    Handled::Reply(Response::DescribeCluster(response))
}

fn answer(
    image: &Image,
    cluster_id: &str,
    own_id: NodeId,
    version: i16,
    request: &DescribeClusterRequestData,
) -> DescribeClusterResponseData {
    let refuse = |error: ErrorCode, message: String| {
        let error = if version == 0 { ErrorCode::InvalidRequest } else { error };
        DescribeClusterResponseData::default().with_error_code(error.code()).with_error_message(Some(message.into()))
    };
    match request.endpoint_type {
        ENDPOINT_BROKERS => {}
        ENDPOINT_CONTROLLERS => {
            let message =
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
            return refuse(ErrorCode::MismatchedEndpointType, message.to_owned());
        }
        other => return refuse(ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")),
    }
    let asked = request.include_cluster_authorized_operations;
    DescribeClusterResponseData::default()
        .with_cluster_id(text(cluster_id))
        .with_controller_id(controller_for_clients(image, own_id))
        .with_brokers(brokers(image, request.include_fenced_brokers))
        .with_cluster_authorized_operations(if asked { CLUSTER_OPERATIONS } else { OPERATIONS_NOT_ASKED })
}

fn brokers(image: &Image, with_fenced: bool) -> Vec<DescribeClusterBroker> {
    let shown = image.brokers.values().filter(|broker| with_fenced || !broker.fenced);
    let described = shown.filter_map(|broker| {
        let endpoint = endpoints::of(broker)?;
        Some(
            DescribeClusterBroker::default()
                .with_broker_id(broker.id)
                .with_host(text(&endpoint.host))
                .with_port(i32::from(endpoint.port))
                .with_rack(broker.rack.as_deref().map(text))
                .with_is_fenced(broker.fenced),
        )
    });
    described.collect()
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::testing::*;
    use super::*;

    fn ask(version: i16, request: DescribeClusterRequestData) -> DescribeClusterResponseData {
        let mut image = image_of_brokers(3);
        change_broker(&mut image, 2, |broker| broker.fenced = true);
        answer(&image, "cluster", 1, version, &request)
    }

    fn ids(response: &DescribeClusterResponseData) -> Vec<(i32, bool)> {
        response.brokers.iter().map(|broker| (broker.broker_id, broker.is_fenced)).collect()
    }

    #[test]
    fn brokers_in_service_and_fenced_ones_on_demand() {
        let request = DescribeClusterRequestData::default();
        let response = ask(0, request.clone());
        assert_eq!(ids(&response), [(1, false), (3, false)]);
        assert_eq!((response.controller_id, response.cluster_id.as_str()), (1, "cluster"));
        assert_eq!(response.cluster_authorized_operations, i32::MIN);
        let response = ask(2, request.with_include_fenced_brokers(true));
        assert_eq!(ids(&response), [(1, false), (2, true), (3, false)]);
    }

    #[test]
    fn only_brokers_answer_here() {
        let asked = |endpoint_type| DescribeClusterRequestData::default().with_endpoint_type(endpoint_type);
        assert_eq!(ask(1, asked(2)).error_code, ErrorCode::MismatchedEndpointType.code());
        assert_eq!(ask(1, asked(7)).error_code, ErrorCode::UnsupportedEndpointType.code());
        assert_eq!(ask(0, asked(7)).error_code, ErrorCode::InvalidRequest.code());
    }
}
