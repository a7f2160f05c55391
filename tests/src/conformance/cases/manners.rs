//! Frames, headers and versions: what comes before any API.

use serde_json::json;

use super::Case;
use crate::conformance::codec;
use crate::conformance::schema::Schemas;
use crate::conformance::side::{Outcome, Side, request_of};
use crate::conformance::wire::header;

pub(super) const CASES: &[Case] = &[
    Case { name: "unknown versions", play: versions },
    Case { name: "headers", play: headers },
    Case { name: "order", play: order },
    Case { name: "sizes", play: sizes },
    Case { name: "many in flight", play: in_flight },
];

/// Each API that we offer, just outside its versions.
fn versions(side: &mut Side) -> Outcome {
    for api in broker::protocol::Api::ALL {
        let message = request_of(api.name())?;
        for version in [message.versions.min - 1, message.versions.max + 1, -1, i16::MAX, i16::MIN] {
            if message.versions.has(version) {
                continue;
            }
            let mut frame = header(message, version, 7, Some("conformance"));
            frame.extend(codec::encode(message, message.versions.max, &json!({}))?);
            side.ask_frame(&format!("version {version}"), api.name(), message.versions.max, &frame)?;
        }
    }
    Ok(())
}

fn headers(side: &mut Side) -> Outcome {
    let cluster_only = Schemas::kafka()
        .requests()
        .filter(|message| [4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82].contains(&message.key));
    for message in cluster_only {
        let mut frame = header(message, message.versions.max, 7, Some("conformance"));
        frame.extend(codec::encode(message, message.versions.max, &json!({}))?);
        side.ask_frame("between nodes only", "Metadata", 0, &frame)?;
    }
    for key in [-1_i16, 93, 1000, i16::MAX, i16::MIN] {
        let frame = [&key.to_be_bytes()[..], &[0, 0, 0, 0, 0, 7, 0xff, 0xff]].concat();
        side.ask_frame(&format!("API key {key}"), "Metadata", 0, &frame)?;
    }
    for (api, versions) in
        [("ApiVersions", [0, 3]), ("Metadata", [8, 12]), ("Fetch", [11, 12]), ("CreateTopics", [4, 7])]
    {
        let message = request_of(api)?;
        for version in versions {
            let body =
                codec::encode(message, version, &json!({"ClientSoftwareName": "c", "ClientSoftwareVersion": "1"}))
                    .or_else(|_| codec::encode(message, version, &json!({})))?;
            for (label, client) in
                [("no client id", None), ("empty client id", Some("")), ("strange client id", Some("ü /\u{0}"))]
            {
                let frame = [header(message, version, i32::MAX, client), body.clone()].concat();
                side.ask_frame(label, api, version, &frame)?;
            }
            let negative = [header(message, version, -5, Some("c")), body.clone()].concat();
            side.ask_frame("negative correlation id", api, version, &negative)?;
            let whole = header(message, version, 7, Some("conformance"));
            for cut in [0, 1, 4, 7, 8, 9, 12] {
                side.ask_frame(&format!("{cut} bytes of a header"), api, version, &whole[..cut])?;
            }
            if message.flexible.has(version) {
                let mut tagged = header(message, version, 7, Some("conformance"));
                tagged.pop();
                tagged.extend([1, 5, 1, 0xee]);
                tagged.extend(&body);
                side.ask_frame("a tagged field in the header", api, version, &tagged)?;
            }
        }
    }
    Ok(())
}

/// Answers come in the order of the requests, whichever are ready first.
fn order(side: &mut Side) -> Outcome {
    let topics =
        json!([{"Topic": "fetched", "Partitions": [{"Partition": 0, "FetchOffset": 20, "PartitionMaxBytes": 1000}]}]);
    let slow = json!({"MaxWaitMs": 300, "MinBytes": 1, "MaxBytes": 1000, "Topics": topics});
    let first = side.begin("waits", (1, 3), "Fetch", 11, &slow)?;
    let second = side.begin("behind what waits", (1, 3), "ApiVersions", 0, &json!({}))?;
    let third = side.begin("last", (1, 3), "DescribeCluster", 0, &json!({}))?;
    for pending in [first, second, third] {
        side.finish(&pending)?;
    }
    Ok(())
}

/// Lengths that no frame has, and frames that are large.
fn sizes(side: &mut Side) -> Outcome {
    for length in [-1_i32, i32::MIN, 104_857_601, i32::MAX] {
        let bytes = [&length.to_be_bytes()[..], &[0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]].concat();
        side.ask_raw(&format!("a length of {length}"), "ApiVersions", 0, &bytes)?;
    }
    let message = request_of("ApiVersions")?;
    for (label, more) in
        [("a length of 0", None), ("a megabyte behind the body", Some(1 << 20)), ("ten of them", Some(10 << 20))]
    {
        let frame = match more {
            Some(more) => [header(message, 0, 7, Some("conformance")), vec![0; more]].concat(),
            None => Vec::new(),
        };
        side.ask_frame(label, "ApiVersions", 0, &frame)?;
    }
    Ok(())
}

/// Fifty requests before the first answer is read.
fn in_flight(side: &mut Side) -> Outcome {
    let mut pending = Vec::new();
    for round in 0..50 {
        let (api, version, body) = match round % 5 {
            0 => ("Metadata", 9, json!({"Topics": [{"Name": "described"}]})),
            1 => ("ApiVersions", 2, json!({})),
            2 => (
                "ListOffsets",
                5,
                json!({"ReplicaId": -1, "Topics": [{"Name": "fetched", "Partitions": [{"PartitionIndex": 0, "Timestamp": -2}]}]}),
            ),
            3 => ("DescribeCluster", 0, json!({})),
            _ => ("FindCoordinator", 2, json!({"Key": "swept"})),
        };
        pending.push(side.begin(&format!("request {round}"), (2, 7), api, version, &body)?);
    }
    for pending in pending {
        side.finish(&pending)?;
    }
    Ok(())
}
