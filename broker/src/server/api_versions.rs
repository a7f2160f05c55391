//! ApiVersions v0–4: what is offered at which versions, and which features the cluster has.
//!
//! KIP-35, KIP-511 (software name and version; fallback for unknown versions), KIP-584 (features). Source:
//! `kafka.server.KafkaApis.handleApiVersionsRequest`, `org.apache.kafka.common.requests.ApiVersionsResponse`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::text;
use crate::controller::{FEATURES, Feature};
use crate::metadata::image::Image;
use crate::protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use crate::protocol::messages::{ApiVersionsRequestData, ApiVersionsResponseData};
use crate::protocol::{Api, ErrorCode, Response};
use crate::types::Now;

/// Clients of versions before this one cannot read a lowest level of 0: they are not told of such features.
const LEVEL_ZERO_SINCE: i16 = 4;

/// Answers from this broker's image.
pub fn handle(broker: &mut Broker, context: &RequestContext, _now: Now, request: ApiVersionsRequestData) -> Handled {
    let version = context.header.api_version;
    let (name, software_version) = (request.client_software_name.as_str(), request.client_software_version.as_str());
    if Api::ApiVersions.supports(version)
        && (version < 3 || is_software_name(name) && is_software_name(software_version))
    {
        broker.connections.introduced(context.conn, name, software_version);
    }
    let kraft_version = broker.metadata.quorum().kraft_version();
    Handled::Reply(Response::ApiVersions(answer(&broker.image, kraft_version, context.header.api_version, &request)))
}

fn answer(
    image: &Image,
    kraft_version: i16,
    version: i16,
    request: &ApiVersionsRequestData,
) -> ApiVersionsResponseData {
    let response = ApiVersionsResponseData::default();
    if !Api::ApiVersions.supports(version) {
        return response
            .with_error_code(ErrorCode::UnsupportedVersion.code())
            .with_api_keys(vec![offered(Api::ApiVersions)]);
    }
    let named = is_software_name(request.client_software_name.as_str())
        && is_software_name(request.client_software_version.as_str());
    if version >= 3 && !named {
        return response.with_error_code(ErrorCode::InvalidRequest.code());
    }
    response
        .with_api_keys(Api::ALL.iter().copied().map(offered).collect())
        .with_supported_features(supported_features(version))
        .with_finalized_features_epoch(image.offset)
        .with_finalized_features(finalized_features(image, kraft_version))
}

fn offered(api: Api) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(api.key())
        .with_min_version(api.advertised_min_version())
        .with_max_version(api.max_version())
}

fn supported_features(version: i16) -> Vec<SupportedFeatureKey> {
    let readable = |min: i16| min > 0 || version >= LEVEL_ZERO_SINCE;
    let shown = FEATURES.iter().filter(|feature| feature.max > 0 && readable(feature.min));
    let key = |feature: &Feature| {
        SupportedFeatureKey::default()
            .with_name(text(feature.name))
            .with_min_version(feature.min)
            .with_max_version(feature.max)
    };
    shown.map(key).collect()
}

/// kraft.version stands in the quorum's own records, not among the image's features.
fn finalized_features(image: &Image, kraft_version: i16) -> Vec<FinalizedFeatureKey> {
    let key = |(name, level): (&str, &i16)| {
        FinalizedFeatureKey::default()
            .with_name(text(name))
            .with_min_version_level(*level)
            .with_max_version_level(*level)
    };
    let known = image.features.iter().map(|(name, level)| (name.as_str(), level));
    known.chain([("kraft.version", &kraft_version)]).filter(|(_, level)| **level != 0).map(key).collect()
}

/// Letters, digits, dots and dashes; the first and the last a letter or a digit.
fn is_software_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    let outer = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    outer(name.bytes().next()) && outer(name.bytes().next_back()) && name.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> ApiVersionsRequestData {
        ApiVersionsRequestData::default()
            .with_client_software_name(text(name))
            .with_client_software_version(text("1.0"))
    }

    #[test]
    fn everything_offered_and_nothing_else() {
        let response = answer(&Image::default(), 0, 4, &request("librdkafka"));
        assert_eq!(response.error_code, 0);
        let keys: Vec<_> =
            response.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
        assert_eq!(keys.len(), Api::ALL.len());
        assert_eq!(keys[..3], [(0, 0, 13), (1, 4, 18), (2, 1, 11)]);
        assert!(!keys.iter().any(|(key, ..)| [56, 62, 63, 67].contains(key)));
    }

    #[test]
    fn a_version_of_the_future_is_told_the_range() {
        let response = answer(&Image::default(), 0, 5, &ApiVersionsRequestData::default());
        assert_eq!(response.error_code, 35);
        assert_eq!(response.api_keys.len(), 1);
        let api = &response.api_keys[0];
        assert_eq!((api.api_key, api.min_version, api.max_version), (18, 0, 4));
    }

    #[test]
    fn software_names_are_checked_from_version_3() {
        for (name, ok) in
            [("a", true), ("apache-kafka-java", true), ("", false), ("-a", false), ("a.", false), ("a b", false)]
        {
            assert_eq!(answer(&Image::default(), 0, 3, &request(name)).error_code == 0, ok, "{name}");
            assert_eq!(answer(&Image::default(), 0, 2, &request(name)).error_code, 0);
        }
    }

    #[test]
    fn features_as_the_image_has_them() {
        let mut image = Image { offset: 42, ..Image::default() };
        image.features.insert("metadata.version".into(), 30);
        let response = answer(&image, 0, 4, &request("a"));
        assert_eq!(response.finalized_features_epoch, 42);
        let finalized: Vec<_> =
            response.finalized_features.iter().map(|f| (f.name.as_str(), f.max_version_level)).collect();
        assert_eq!(finalized, [("metadata.version", 30)]);
        let finalized = answer(&image, 1, 4, &request("a")).finalized_features;
        assert!(finalized.iter().any(|f| f.name.as_str() == "kraft.version" && f.max_version_level == 1));
        let names = |version| -> Vec<String> {
            let features = answer(&image, 0, version, &request("a")).supported_features;
            features.iter().map(|feature| feature.name.as_str().to_owned()).collect()
        };
        // As Kafka 4.3: version 3 is told of metadata.version alone.
        assert_eq!(names(3), ["metadata.version"]);
        assert!(names(4).len() > 1);
    }
}
