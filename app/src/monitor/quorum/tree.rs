//! What the metadata log adds up to, as a tree: the layout of Kafka's `kafka-metadata-shell.sh`, with the place that each had in ZooKeeper.
//!
//! Nothing is kept: each branch is looked up in the image when somebody opens it.
//!
//! Source: `org.apache.kafka.image.node.*` (Kafka 4.3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broker::metadata::config::{RESOURCE_BROKER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP, RESOURCE_TOPIC, shown_value};
use broker::metadata::image::{BrokerImage, ClientQuotaEntity, ControllerImage, Endpoint, Image, PartitionImage};
use broker::metadata::record::FeatureRange;
use serde_json::{Value, json};

use crate::monitor::names::nodes;

/// Where a node stands: names from the root on.
pub type Path = Vec<String>;

/// A node below another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// What it has below it.
    pub below: usize,
    /// What it says, in a line; of a folder, nothing.
    pub value: String,
}

/// A node as a row of a list in which some folders are open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// Where it stands.
    pub path: Path,
    /// The node.
    pub branch: Branch,
    /// Whether what is below it is listed.
    pub is_open: bool,
}

/// Rows that a search lists at most.
const FOUND_MAX: usize = 2_000;

const FEATURE_PREFIX: &str = "finalized_";
const METADATA_VERSION: &str = "metadata.version";

fn folder(name: impl Into<String>, below: usize) -> Branch {
    Branch { name: name.into(), below, value: String::new() }
}

fn leaf(name: impl Into<String>, value: impl Into<String>) -> Branch {
    Branch { name: name.into(), below: 0, value: value.into() }
}

/// What stands below a path; nothing, if that is a leaf or is not there.
pub fn branches(image: &Image, path: &[String]) -> Vec<Branch> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        [] => vec![folder("image", 7)],
        ["image"] => vec![
            leaf("provenance", provenance(image)),
            folder("features", image.features.len()),
            folder("cluster", 2),
            folder("topics", 2),
            folder("configs", image.configs.len()),
            folder("clientQuotas", image.client_quotas.len()),
            folder("producerIds", 1),
        ],
        ["image", "features"] => {
            let name = |name: &str| match name {
                METADATA_VERSION => "metadataVersion".to_owned(),
                other => format!("{FEATURE_PREFIX}{other}"),
            };
            image.features.iter().map(|(feature, level)| leaf(name(feature), level.to_string())).collect()
        }
        ["image", "cluster"] => {
            vec![folder("brokers", image.brokers.len()), folder("controllers", image.controllers.len())]
        }
        ["image", "cluster", "brokers"] => {
            image.brokers.values().map(|broker| leaf(broker.id.to_string(), broker_words(broker))).collect()
        }
        ["image", "cluster", "controllers"] => {
            let words = |one: &ControllerImage| address(&one.endpoints);
            image.controllers.values().map(|one| leaf(one.id.to_string(), words(one))).collect()
        }
        ["image", "topics"] => vec![folder("byName", image.topic_ids.len()), folder("byId", image.topics.len())],
        ["image", "topics", "byName"] => {
            let below = |id| image.topics.get(id).map_or(0, |topic| topic.partitions.len() + 2);
            image.topic_ids.iter().map(|(name, id)| folder(&**name, below(id))).collect()
        }
        ["image", "topics", "byId"] => {
            image.topics.values().map(|topic| folder(topic.id.to_string(), topic.partitions.len() + 2)).collect()
        }
        ["image", "topics", by, name] => topic(image, by, name).map_or_else(Vec::new, |topic| {
            let facts = [leaf("name", &*topic.name), leaf("id", topic.id.to_string())];
            let partitions = topic.partitions.iter().enumerate();
            facts.into_iter().chain(partitions.map(|(id, one)| leaf(id.to_string(), partition_words(one)))).collect()
        }),
        ["image", "configs"] => {
            image.configs.iter().map(|((kind, name), all)| folder(resource_name(*kind, name), all.len())).collect()
        }
        ["image", "configs", resource] => configs(image, resource).map_or_else(Vec::new, |(kind, all)| {
            all.iter().map(|(key, value)| leaf(key, shown_value(kind, key, value))).collect()
        }),
        ["image", "clientQuotas"] => {
            image.client_quotas.iter().map(|(entity, all)| folder(entity_name(entity), all.len())).collect()
        }
        ["image", "clientQuotas", entity] => image
            .client_quotas
            .iter()
            .find(|(one, _)| entity_name(one) == *entity)
            .map_or_else(Vec::new, |(_, all)| all.iter().map(|(key, value)| leaf(key, value.to_string())).collect()),
        ["image", "producerIds"] => vec![leaf("nextProducerId", image.next_producer_id.to_string())],
        _ => Vec::new(),
    }
}

/// How far the log is in the image.
pub fn provenance(image: &Image) -> String {
    format!("offset {}, epoch {}", image.offset, image.epoch)
}

/// Whether two images differ in how far the log is, and in nothing else. Never says so wrongly; topics and nodes that were written anew count
/// as changed.
pub fn is_same_but_for_provenance(one: &Image, other: &Image) -> bool {
    fn same<K: Eq, V>(one: &BTreeMap<K, Arc<V>>, other: &BTreeMap<K, Arc<V>>) -> bool {
        one.len() == other.len()
            && one
                .iter()
                .zip(other)
                .all(|((key, value), (other_key, other))| Arc::ptr_eq(value, other) && key == other_key)
    }
    same(&one.topics, &other.topics)
        && same(&one.brokers, &other.brokers)
        && same(&one.controllers, &other.controllers)
        && same(&one.configs, &other.configs)
        && one.features == other.features
        && one.client_quotas == other.client_quotas
        && one.next_producer_id == other.next_producer_id
}

fn topic<'a>(image: &'a Image, by: &str, name: &str) -> Option<&'a broker::metadata::image::TopicImage> {
    match by {
        "byName" => image.topic(name).map(|topic| &**topic),
        "byId" => image.topics.get(&name.parse().ok()?).map(|topic| &**topic),
        _ => None,
    }
}

fn configs<'a>(image: &'a Image, resource: &str) -> Option<(i8, &'a BTreeMap<String, String>)> {
    let (kind, name) = resource.split_once(':').unwrap_or((resource, ""));
    let (kind, _) = RESOURCES.iter().find(|(_, known)| *known == kind)?;
    image.configs.get(&(*kind, name.into())).map(|all| (*kind, &**all))
}

/// Types of resources that have configs, as Kafka names them.
const RESOURCES: [(i8, &str); 4] = [
    (RESOURCE_TOPIC, "TOPIC"),
    (RESOURCE_BROKER, "BROKER"),
    (RESOURCE_GROUP, "GROUP"),
    (RESOURCE_CLIENT_METRICS, "CLIENT_METRICS"),
];

/// As Kafka's shell names it: `TOPIC:orders`, `BROKER` for all brokers.
fn resource_name(kind: i8, name: &str) -> String {
    let known = RESOURCES.iter().find(|(id, _)| *id == kind);
    let kind = known.map_or_else(|| format!("type {kind}"), |(_, name)| (*name).to_owned());
    if name.is_empty() { kind } else { format!("{kind}:{name}") }
}

fn entity_name(entity: &ClientQuotaEntity) -> String {
    let part = |(kind, name): &(String, Option<String>)| format!("{kind}={}", name.as_deref().unwrap_or("<default>"));
    entity.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn address(endpoints: &[Endpoint]) -> String {
    let one = |endpoint: &Endpoint| match endpoint.port {
        0 => endpoint.name.clone(),
        port => format!("{}://{}:{port}", endpoint.name, endpoint.host),
    };
    endpoints.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn broker_words(broker: &BrokerImage) -> String {
    let mut words = vec![address(&broker.endpoints)];
    words.extend(broker.rack.as_ref().map(|rack| format!("zone {rack}")));
    words.push(format!("epoch {}", broker.epoch));
    words.push(if broker.fenced { "fenced".into() } else { "unfenced".into() });
    if broker.in_controlled_shutdown {
        words.push("in controlled shutdown".into());
    }
    words.retain(|part| !part.is_empty());
    words.join(" · ")
}

fn partition_words(one: &PartitionImage) -> String {
    let leader = if one.leader < 0 { "no leader".to_owned() } else { format!("leader {}", one.leader) };
    format!("{leader} · epoch {} · ISR {} · replicas {}", one.leader_epoch, nodes(&one.isr), nodes(&one.replicas))
}

/// All that is known of a node: of a folder, what is below it (one level).
pub fn content(image: &Image, path: &[String]) -> Value {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let whole = match names.as_slice() {
        ["image", "provenance"] => Some(json!({"offset": image.offset, "epoch": image.epoch})),
        ["image", "cluster", "brokers", id] => {
            id.parse().ok().and_then(|id: i32| image.brokers.get(&id)).map(|broker| broker_json(broker))
        }
        ["image", "cluster", "controllers", id] => {
            id.parse().ok().and_then(|id: i32| image.controllers.get(&id)).map(|one| controller_json(one))
        }
        ["image", "topics", by, name, id] => {
            let partition = |id: i32| topic(image, by, name)?.partition(id).map(partition_json);
            id.parse().ok().and_then(partition)
        }
        _ => None,
    };
    whole.unwrap_or_else(|| below_json(image, path))
}

/// The value of a leaf, or the names below a folder and what they say.
fn below_json(image: &Image, path: &[String]) -> Value {
    let below = branches(image, path);
    if below.is_empty()
        && let Some((name, above)) = path.split_last()
        && let Some(branch) = branches(image, above).into_iter().find(|branch| branch.name == *name)
        && !branch.value.is_empty()
    {
        return branch.value.parse::<i64>().map_or_else(|_| branch.value.clone().into(), Value::from);
    }
    let value = |branch: Branch| if branch.below > 0 { json!({"below": branch.below}) } else { branch.value.into() };
    below.into_iter().map(|branch| (branch.name.clone(), value(branch))).collect::<serde_json::Map<_, _>>().into()
}

fn endpoints_json(endpoints: &[Endpoint]) -> Value {
    let one = |one: &Endpoint| json!({"name": one.name, "host": one.host, "port": one.port, "securityProtocol": one.security_protocol});
    endpoints.iter().map(one).collect()
}

fn features_json(features: &[FeatureRange]) -> Value {
    let one = |one: &FeatureRange| {
        let range = json!({"min": one.min_supported_version, "max": one.max_supported_version});
        (one.name.clone(), range)
    };
    features.iter().map(one).collect::<serde_json::Map<_, _>>().into()
}

fn ids_json(ids: &[broker::types::Id]) -> Value {
    ids.iter().map(|id| Value::from(id.to_string())).collect()
}

fn broker_json(broker: &BrokerImage) -> Value {
    json!({
        "id": broker.id,
        "epoch": broker.epoch,
        "incarnationId": broker.incarnation.to_string(),
        "listeners": endpoints_json(&broker.endpoints),
        "rack": broker.rack,
        "fenced": broker.fenced,
        "inControlledShutdown": broker.in_controlled_shutdown,
        "directories": ids_json(&broker.log_dirs),
        "cordonedDirectories": ids_json(&broker.cordoned_log_dirs),
        "supportedFeatures": features_json(&broker.features),
    })
}

fn controller_json(one: &ControllerImage) -> Value {
    json!({
        "id": one.id,
        "incarnationId": one.incarnation.to_string(),
        "listeners": endpoints_json(&one.endpoints),
        "supportedFeatures": features_json(&one.features),
    })
}

fn partition_json(one: &PartitionImage) -> Value {
    json!({
        "leader": one.leader,
        "leaderEpoch": one.leader_epoch,
        "partitionEpoch": one.partition_epoch,
        "replicas": one.replicas,
        "isr": one.isr,
        "elr": one.elr,
        "lastKnownElr": one.last_known_elr,
        "addingReplicas": one.adding,
        "removingReplicas": one.removing,
        "leaderRecoveryState": if one.recovering { "RECOVERING" } else { "RECOVERED" },
        "directories": ids_json(&one.directories),
    })
}

/// Where ZooKeeper had it, for those who look for it by that name; `None`: it had nothing of the kind.
pub fn zookeeper(path: &[String]) -> Option<String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    Some(match path.as_slice() {
        ["image", "cluster", "brokers"] => "/brokers/ids".into(),
        ["image", "cluster", "brokers", id] => format!("/brokers/ids/{id}"),
        ["image", "cluster", "controllers", ..] => "/controller".into(),
        ["image", "provenance"] => "/controller_epoch".into(),
        ["image", "topics"] | ["image", "topics", "byName"] => "/brokers/topics".into(),
        ["image", "topics", "byName", topic] => format!("/brokers/topics/{topic}"),
        ["image", "topics", "byName", topic, "id"] => format!("/brokers/topics/{topic}"),
        ["image", "topics", "byName", topic, id] if id.parse::<i32>().is_ok() => {
            format!("/brokers/topics/{topic}/partitions/{id}/state")
        }
        ["image", "configs"] => "/config".into(),
        ["image", "configs", resource, ..] => match resource.split_once(':') {
            Some(("TOPIC", name)) => format!("/config/topics/{name}"),
            Some(("BROKER", id)) => format!("/config/brokers/{id}"),
            None if *resource == "BROKER" => "/config/brokers/<default>".into(),
            _ => return None,
        },
        ["image", "clientQuotas", entity, ..] if entity.starts_with("client-id") => "/config/clients".into(),
        ["image", "clientQuotas", ..] => "/config/users".into(),
        ["image", "features", ..] => "/feature".into(),
        ["image", "producerIds", ..] => "/latest_producer_id_block".into(),
        _ => return None,
    })
}

/// The tree as rows: what is below the folders that are `open`.
pub fn rows(image: &Image, open: &BTreeSet<Path>) -> Vec<TreeRow> {
    let mut rows = Vec::new();
    add_open(image, open, &mut Vec::new(), &mut rows);
    rows
}

fn add_open(image: &Image, open: &BTreeSet<Path>, at: &mut Path, rows: &mut Vec<TreeRow>) {
    for branch in branches(image, at) {
        at.push(branch.name.clone());
        let is_open = branch.below > 0 && open.contains(at);
        rows.push(TreeRow { path: at.clone(), branch, is_open });
        if is_open {
            add_open(image, open, at, rows);
        }
        at.pop();
    }
}

/// What has the words in its name or in what it says, with all that it stands in; the first so many. Topics are looked for by their names.
pub fn find(image: &Image, words: &str) -> Vec<TreeRow> {
    let mut found = Vec::new();
    let words = words.to_lowercase();
    add_found(image, &words, &mut Vec::new(), &mut found);
    found
}

/// Whether anything was found.
fn add_found(image: &Image, words: &str, at: &mut Path, found: &mut Vec<TreeRow>) -> bool {
    let mut any = false;
    for branch in branches(image, at) {
        if found.len() >= FOUND_MAX {
            return any;
        }
        at.push(branch.name.clone());
        let matches = branch.name.to_lowercase().contains(words) || branch.value.to_lowercase().contains(words);
        let row = found.len();
        let is_same_by_id = at.len() == 3 && at[2] == "byId";
        found.push(TreeRow { path: at.clone(), branch, is_open: true });
        let below = !is_same_by_id && add_found(image, words, at, found);
        if matches || below {
            found[row].is_open = below;
            any = true;
        } else {
            found.truncate(row);
        }
        at.pop();
    }
    any
}

#[cfg(test)]
mod tests {
    use broker::metadata::image::TopicImage;
    use broker::types::Id;

    use super::*;

    fn image() -> Image {
        let partition = PartitionImage { leader: 2, isr: vec![2, 3], replicas: vec![1, 2, 3], ..Default::default() };
        let topic = TopicImage { name: "orders".into(), id: Id([1; 16]), partitions: vec![partition; 3] };
        let broker = BrokerImage {
            id: 1,
            epoch: 12,
            incarnation: Id([2; 16]),
            endpoints: vec![Endpoint {
                name: "PLAINTEXT".into(),
                host: "127.0.0.1".into(),
                port: 9092,
                security_protocol: 0,
            }],
            rack: Some("a".into()),
            fenced: true,
            in_controlled_shutdown: false,
            log_dirs: vec![Id([3; 16])],
            features: Vec::new(),
            cordoned_log_dirs: Vec::new(),
        };
        let configs = [("retention.ms", "1000"), ("my.secret", "x")].map(|(key, value)| (key.into(), value.into()));
        Image {
            offset: 40,
            epoch: 2,
            brokers: [(1, Arc::new(broker))].into(),
            topic_ids: [(Arc::clone(&topic.name), topic.id)].into(),
            topics: [(topic.id, Arc::new(topic))].into(),
            configs: [((RESOURCE_TOPIC, "orders".into()), Arc::new(configs.into()))].into(),
            client_quotas: [(
                vec![("user".into(), None)],
                [("producer_byte_rate".to_owned(), 1024.0)].into_iter().collect(),
            )]
            .into(),
            features: [("metadata.version".to_owned(), 29), ("group.version".to_owned(), 1)].into(),
            ..Image::default()
        }
    }

    fn path(text: &str) -> Path {
        text.split('/').map(str::to_owned).collect()
    }

    fn lines(rows: &[TreeRow]) -> Vec<String> {
        rows.iter().map(|row| row.path.join("/")).collect()
    }

    #[test]
    fn each_folder_has_as_much_below_it_as_it_says() {
        fn check(image: &Image, at: &mut Path) -> usize {
            let below = branches(image, at);
            for branch in &below {
                at.push(branch.name.clone());
                assert_eq!(branches(image, at).len(), branch.below, "{at:?}");
                assert!(branch.below > 0 || !branch.value.is_empty() || branch.value.is_empty());
                assert_ne!(content(image, at), Value::Null, "{at:?}");
                check(image, at);
                at.pop();
            }
            below.len()
        }
        assert_eq!(check(&image(), &mut Vec::new()), 1);
    }

    #[test]
    fn a_record_that_changes_nothing_is_told_from_one_that_does() {
        let (one, mut other) = (image(), image());
        let mut next = one.clone();
        next.offset += 1;
        assert!(is_same_but_for_provenance(&one, &next));
        next.features.insert("share.version".into(), 1);
        assert!(!is_same_but_for_provenance(&one, &next));
        other.topics = one.topics.clone();
        assert!(!is_same_but_for_provenance(&one, &other), "its broker was written anew");
    }

    #[test]
    fn only_what_is_below_an_open_folder_is_listed() {
        let open = [path("image"), path("image/topics/byName")].into();
        let all = lines(&rows(&image(), &open));
        assert!(all.contains(&"image/topics".to_owned()));
        assert!(!all.contains(&"image/topics/byName/orders".to_owned()), "its own folder is closed");
        let open = [path("image"), path("image/topics"), path("image/topics/byName")].into();
        assert!(lines(&rows(&image(), &open)).contains(&"image/topics/byName/orders".to_owned()));
    }

    #[test]
    fn a_search_finds_names_and_values_with_what_they_stand_in() {
        assert_eq!(
            lines(&find(&image(), "RETENTION")),
            ["image", "image/configs", "image/configs/TOPIC:orders", "image/configs/TOPIC:orders/retention.ms"]
        );
        let zone = lines(&find(&image(), "zone a"));
        assert_eq!(zone.last().map(String::as_str), Some("image/cluster/brokers/1"));
        assert!(find(&image(), "no such thing").is_empty());
    }

    #[test]
    fn what_a_node_says_and_where_zookeeper_had_it() {
        let partition = content(&image(), &path("image/topics/byName/orders/1"));
        assert_eq!((&partition["leader"], &partition["isr"]), (&json!(2), &json!([2, 3])));
        assert_eq!(content(&image(), &path("image/features/metadataVersion")), json!(29));
        assert_eq!(content(&image(), &path("image/configs/TOPIC:orders/my.secret")), json!("[hidden]"));
        let zookeeper = |text| zookeeper(&path(text)).unwrap_or_default();
        assert_eq!(zookeeper("image/topics/byName/orders/1"), "/brokers/topics/orders/partitions/1/state");
        assert_eq!(zookeeper("image/cluster/brokers/1"), "/brokers/ids/1");
        assert_eq!(zookeeper("image/configs/BROKER"), "/config/brokers/<default>");
        assert_eq!(zookeeper("image/configs/TOPIC:orders/retention.ms"), "/config/topics/orders");
        assert_eq!(zookeeper("image/topics/byId"), "");
    }
}
