//! What replicas tell who reads: consumers no more than is committed, and followers only what is theirs to know.

use super::tests::{Trio, follower_request, id};
use super::{Isolation, OffsetFound, OffsetView, Output, ReadRequest, timestamps};
use crate::protocol::ErrorCode;
use crate::protocol::messages::fetch_request::FetchRequestData;
use crate::types::NodeId;

fn list(trio: &mut Trio, node: NodeId, timestamp: i64) -> Result<OffsetFound, ErrorCode> {
    let view = OffsetView { isolation: Some(Isolation::ReadUncommitted), leader_only: true };
    trio.at(node).find_offset(&id(1), timestamp, view, -1)
}

#[test]
fn offsets_are_found_by_time_and_hidden_until_the_reign_is_settled() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 3, -1).unwrap();
    trio.settle();
    assert_eq!(list(&mut trio, 1, timestamps::LATEST).map(|found| found.offset), Ok(3));
    assert_eq!(list(&mut trio, 1, timestamps::EARLIEST).map(|found| found.offset), Ok(0));
    assert_eq!(list(&mut trio, 1, timestamps::MAX_TIMESTAMP).map(|found| found.offset), Ok(2));
    assert_eq!(list(&mut trio, 1, 1_700_000_000_001).map(|found| found.offset), Ok(1));
    assert_eq!(list(&mut trio, 1, 1_700_000_999_999), Ok(OffsetFound::NONE));
    assert_eq!(list(&mut trio, 1, timestamps::LATEST_TIERED), Ok(OffsetFound::NONE));
    assert_eq!(list(&mut trio, 2, timestamps::LATEST), Err(ErrorCode::NotLeaderOrFollower));
    // The new leader knows an older high watermark than its log end: until its followers confirm, it says so.
    trio.append(1, 1, -1).unwrap();
    trio.settle();
    trio.out = vec![1, 3];
    trio.controller.heartbeat(trio.now.mono, 3, trio.controller.image.brokers[&3].epoch, 0);
    trio.take_out(1);
    assert_eq!(trio.controller.partition(&id(1)).leader, 2);
    assert_eq!(list(&mut trio, 2, timestamps::LATEST), Err(ErrorCode::OffsetNotAvailable));
}

#[test]
fn readers_see_no_more_than_the_high_watermark() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.append(1, 3, 1).unwrap();
    let mut request = ReadRequest {
        offset: 0,
        max_bytes: 1_000_000,
        at_least_one_batch: true,
        isolation: Isolation::ReadUncommitted,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        leader_only: true,
    };
    assert!(trio.at(1).read(&id(1), &request).unwrap().records.is_empty());
    assert!(!trio.at(1).is_readable(&id(1), &request));
    trio.settle();
    assert!(!trio.at(1).read(&id(1), &request).unwrap().records.is_empty());
    request.current_leader_epoch = 99;
    assert_eq!(trio.at(1).read(&id(1), &request), Err(ErrorCode::UnknownLeaderEpoch));
    request.current_leader_epoch = 0;
    assert_eq!(trio.at(1).read(&id(1), &request), Err(ErrorCode::FencedLeaderEpoch));
    request.current_leader_epoch = -1;
    request.offset = 4;
    assert_eq!(trio.at(1).read(&id(1), &request), Err(ErrorCode::OffsetOutOfRange));
    request.offset = 3;
    request.last_fetched_epoch = 0;
    assert_eq!(trio.at(1).read(&id(1), &request).unwrap().diverging, Some((0, 0)));
}

#[test]
fn only_the_true_incarnation_of_a_replica_is_believed() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.out = vec![2, 3];
    trio.append(1, 3, 1).unwrap();
    let (now, epoch) = (trio.now, trio.controller.image.brokers[&2].epoch);
    let mut answer = |from: NodeId, request: FetchRequestData| {
        trio.at(1).on_peer_fetch(now, from, 7, &request);
        let replies = trio.at(1).take_outputs(now).into_iter();
        let code = replies.filter_map(|output| match output {
            Output::FetchReply { correlation: 7, response, .. } => {
                let part = response.responses.first().map_or(0, |topic| topic.partitions[0].error_code);
                Some((response.error_code, part))
            }
            _ => None,
        });
        code.last().unwrap_or((0, 0))
    };
    let request = follower_request;
    assert_eq!(answer(3, request(2, epoch, 3, 1)).0, ErrorCode::InvalidRequest.code(), "it is not who it says");
    assert_eq!(answer(2, request(2, epoch - 1, 3, 1)).0, ErrorCode::NotLeaderOrFollower.code(), "an old life");
    assert_eq!(answer(2, request(2, epoch, 3, 0)).1, ErrorCode::FencedLeaderEpoch.code());
    assert_eq!(answer(2, request(2, epoch, 3, 9)).1, ErrorCode::UnknownLeaderEpoch.code());
    let follower =
        |trio: &Trio| trio.managers[&1].partition(&id(1)).unwrap().as_leader().unwrap().followers[&2].clone();
    let before = trio.managers[&1].partition(&id(1)).unwrap().high_watermark();
    assert_eq!((before, follower(&trio).log_end_offset <= 0), (0, true), "nothing has moved");
    trio.at(1).on_peer_fetch(now, 2, 8, &follower_request(2, epoch, 3, 1));
    assert_eq!(follower(&trio).log_end_offset, 3);
}
