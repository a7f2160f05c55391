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
