use super::super::endpoints::testing::*;
use super::*;
use crate::protocol::messages::metadata_request::MetadataRequestTopic;

fn named(names: &[&str]) -> MetadataRequestData {
    let topic = |name: &&str| MetadataRequestTopic::default().with_name(Some(text(name)));
    MetadataRequestData::default().with_topics(Some(names.iter().map(topic).collect()))
}

fn by_ids(ids: &[Id]) -> MetadataRequestData {
    let topic = |id: &Id| MetadataRequestTopic::default().with_topic_id((*id).into());
    MetadataRequestData::default().with_topics(Some(ids.iter().map(topic).collect()))
}

fn ask(image: &Image, version: i16, request: &MetadataRequestData) -> (MetadataResponseData, Vec<String>) {
    let (response, unknown) = Asked { version, own_id: 1, request }.answer(image, "cluster");
    (response, unknown.iter().map(|name| name.as_str().to_owned()).collect())
}

fn summary(response: &MetadataResponseData) -> Vec<(i16, &str, usize)> {
    let name = |topic: &MetadataResponseTopic| topic.error_code;
    let row = |topic| (name(topic), topic.name.as_ref().map_or("", |n| n.as_str()), topic.partitions.len());
    response.topics.iter().map(row).collect()
}

fn image() -> Image {
    let mut image = image_of_brokers(3);
    add_topic(&mut image, "a", &[&[1, 2, 3], &[2, 3, 1]]);
    add_topic(&mut image, "__consumer_offsets", &[&[3, 1, 2]]);
    image
}

#[test]
fn all_topics_are_null_from_version_1_and_empty_in_version_0() {
    let image = image();
    let all = [(0, "a", 2), (0, "__consumer_offsets", 1)];
    let empty = MetadataRequestData::default().with_topics(Some(vec![]));
    let null = MetadataRequestData::default().with_topics(None);
    assert_eq!(summary(&ask(&image, 0, &empty).0), all);
    assert_eq!(summary(&ask(&image, 1, &null).0), all);
    assert_eq!(summary(&ask(&image, 1, &empty).0), []);
    assert_eq!(summary(&ask(&image, 13, &null).0), all);
}

#[test]
fn brokers_cluster_and_controller() {
    let mut image = image();
    change_broker(&mut image, 3, |broker| broker.fenced = true);
    let (response, _) = ask(&image, 9, &named(&[]));
    let brokers: Vec<_> = response.brokers.iter().map(|b| (b.node_id, b.host.as_str(), b.port)).collect();
    assert_eq!(brokers, [(1, "127.0.0.1", 9092), (2, "127.0.0.1", 9093)]);
    assert_eq!(response.brokers[0].rack.as_ref().unwrap().as_str(), "a");
    assert_eq!(response.cluster_id.unwrap().as_str(), "cluster");
    assert_eq!((response.controller_id, response.cluster_authorized_operations), (1, i32::MIN));
}

#[test]
fn names_known_unknown_and_invalid() {
    let image = image();
    let (response, unknown) = ask(&image, 9, &named(&["nope", "a", "a", "b b", "__consumer_offsets"]));
    let expected = [(0, "a", 2), (0, "__consumer_offsets", 1), (3, "nope", 0), (17, "b b", 0)];
    assert_eq!(summary(&response), expected);
    assert_eq!(unknown, ["nope"]);
    assert!(response.topics[1].is_internal && !response.topics[0].is_internal);
}

#[test]
fn by_id_from_version_12() {
    let image = image();
    let id = image.topic_ids["a"];
    let unknown_id = Id([9; 16]);
    let (response, unknown) = ask(&image, 12, &by_ids(&[id, unknown_id]));
    assert_eq!(summary(&response), [(0, "a", 2), (100, "", 0)]);
    assert_eq!(Id::from(response.topics[1].topic_id), unknown_id);
    assert!(unknown.is_empty());
    let (response, _) = ask(&image, 11, &by_ids(&[id]));
    assert_eq!(summary(&response), [(42, "", 0)]);
    assert_eq!(response.error_code, 42);
    let (response, _) = ask(&image, 13, &by_ids(&[Id::ZERO]));
    assert_eq!(summary(&response), [(-1, "", 0)], "neither a name nor an id");
}

#[test]
fn leaders_replicas_and_what_is_offline() {
    let mut image = image();
    let topic = image.topic_ids["a"];
    change_partition(&mut image, topic, 1, |partition| {
        partition.leader = -1;
        partition.isr = vec![2];
    });
    change_broker(&mut image, 2, |broker| broker.fenced = true);
    let (response, _) = ask(&image, 9, &named(&["a"]));
    let partitions = &response.topics[0].partitions;
    assert_eq!((partitions[0].error_code, partitions[0].leader_id, partitions[0].leader_epoch), (0, 1, 5));
    assert_eq!(partitions[0].replica_nodes, [1, 2, 3]);
    assert_eq!(partitions[0].offline_replicas, [2]);
    assert_eq!((partitions[1].error_code, partitions[1].leader_id, &partitions[1].isr_nodes[..]), (5, -1, &[2][..]));
    // A broker that is not registered at all: left out in version 0, offline later.
    image.brokers.remove(&2);
    let (response, _) = ask(&image, 0, &named(&["a"]));
    let partition = &response.topics[0].partitions[0];
    assert_eq!((partition.error_code, &partition.replica_nodes[..]), (9, &[1, 3][..]));
    let (response, _) = ask(&image, 1, &named(&["a"]));
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
}

#[test]
fn operations_only_when_asked() {
    let image = image();
    let (response, _) = ask(&image, 8, &named(&["a", "nope"]).with_include_topic_authorized_operations(true));
    let operations: Vec<_> = response.topics.iter().map(|topic| topic.topic_authorized_operations).collect();
    assert_eq!(operations, [TOPIC_OPERATIONS, TOPIC_OPERATIONS]);
    let (response, _) = ask(&image, 8, &named(&["a"]).with_include_cluster_authorized_operations(true));
    assert_eq!(response.cluster_authorized_operations, CLUSTER_OPERATIONS);
    assert_eq!(response.topics[0].topic_authorized_operations, i32::MIN);
}
