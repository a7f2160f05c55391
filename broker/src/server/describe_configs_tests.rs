use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::endpoints::testing::*;
use super::*;

/// What Kafka 4.3 answered for a broker, a topic, a group and a client metrics subscription:
/// resource, name, value, type, source, read-only, sensitive, synonyms as `name:source|…`.
const KAFKA: &str = include_str!("../../tests/golden/describe_configs.csv");

/// What stood in that broker's file, beyond what names the node itself.
const FILE: [(&str, &str); 6] = [
    ("default.replication.factor", "3"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("min.insync.replicas", "2"),
    ("num.partitions", "4"),
    ("offsets.topic.replication.factor", "3"),
    ("transaction.state.log.replication.factor", "3"),
];

/// Addresses, directories and roles, which are ours.
const OUR_OWN: [&str; 8] = [
    "advertised.listeners",
    "broker.rack",
    "controller.quorum.voters",
    "listeners",
    "log.dir",
    "log.dirs",
    "process.roles",
    "controller.listener.names",
];

fn map(entries: &[(&str, &str)]) -> Overrides {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn node(overrides: &[(&str, &str)]) -> NodeConfig {
    NodeConfig::new(1, "cluster", map(overrides)).unwrap().with_endpoint("127.0.0.1", 9092)
}

fn image() -> Image {
    let mut image = image_of_brokers(3);
    add_topic(&mut image, "t", &[&[1, 2, 3]]);
    image
}

fn set(image: &mut Image, resource_type: i8, name: &str, entries: &[(&str, &str)]) {
    image.configs.insert((resource_type, name.into()), Arc::new(map(entries)));
}

fn ask(image: &Image, config: &NodeConfig, resource_type: i8, name: &str, keys: &[&str]) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(name))
        .with_configuration_keys(Some(keys.iter().map(|key| text(key)).collect()));
    let request = DescribeConfigsRequestData::default().with_resources(vec![resource]).with_include_synonyms(true);
    describe(image, config, &request).results.remove(0)
}

fn source_name(source: i8) -> &'static str {
    [
        "",
        "TOPIC_CONFIG",
        "DYNAMIC_BROKER_CONFIG",
        "DYNAMIC_DEFAULT_BROKER_CONFIG",
        "STATIC_BROKER_CONFIG",
        "DEFAULT_CONFIG",
    ][source as usize]
}

fn type_name(id: i8) -> &'static str {
    ["", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"][id as usize]
}

/// An entry as a row of the file.
fn row(resource: &str, entry: &DescribeConfigsResourceResult) -> Vec<String> {
    let synonym = |s: &DescribeConfigsSynonym| format!("{}:{}", s.name.as_str(), source_name(s.source));
    vec![
        resource.to_owned(),
        entry.name.as_str().to_owned(),
        entry.value.as_ref().map_or("", |value| value.as_str()).to_owned(),
        type_name(entry.config_type).to_owned(),
        source_name(entry.config_source).to_owned(),
        entry.read_only.to_string(),
        entry.is_sensitive.to_string(),
        entry.synonyms.iter().map(synonym).collect::<Vec<_>>().join("|"),
    ]
}

/// Splits a line of comma-separated values, of which some stand in quotes.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

#[test]
fn answers_are_those_of_kafka_4_3() {
    let mut image = image();
    set(&mut image, RESOURCE_BROKER, "", &[("min.insync.replicas", "2")]);
    let config = node(&FILE);
    let resources = [
        ("broker", RESOURCE_BROKER, "1"),
        ("topic", RESOURCE_TOPIC, "t"),
        ("group", RESOURCE_GROUP, "g"),
        ("client_metrics", RESOURCE_CLIENT_METRICS, "m"),
    ];
    let mut ours = BTreeSet::new();
    for (label, resource_type, name) in resources {
        let result = ask(&image, &config, resource_type, name, &[]);
        assert_eq!(result.error_code, 0);
        ours.extend(result.configs.iter().map(|entry| row(label, entry)));
    }
    let kafka: BTreeSet<Vec<String>> = KAFKA.lines().skip(1).map(cells).collect();
    let differs = |row: &&Vec<String>| !OUR_OWN.contains(&row[1].as_str());
    let missing: Vec<_> = kafka.difference(&ours).filter(differs).collect();
    let extra: Vec<_> = ours.difference(&kafka).filter(differs).collect();
    assert!(missing.is_empty() && extra.is_empty(), "Kafka has {missing:#?}\nwe have {extra:#?}");
}

#[test]
fn a_topic_shows_where_its_values_come_from() {
    let mut image = image();
    set(&mut image, RESOURCE_TOPIC, "t", &[("min.insync.replicas", "1"), ("retention.ms", "5")]);
    set(&mut image, RESOURCE_BROKER, "1", &[("min.insync.replicas", "3")]);
    let config = node(&[("min.insync.replicas", "2"), ("log.retention.hours", "1")]);
    let result = ask(&image, &config, RESOURCE_TOPIC, "t", &["min.insync.replicas", "retention.ms", "no.such"]);
    let rows: Vec<_> = result.configs.iter().map(|entry| row("topic", entry)[1..].join(" ")).collect();
    assert_eq!(
        rows,
        [
            "min.insync.replicas 1 INT TOPIC_CONFIG false false min.insync.replicas:TOPIC_CONFIG|\
             min.insync.replicas:DYNAMIC_BROKER_CONFIG|min.insync.replicas:STATIC_BROKER_CONFIG|\
             min.insync.replicas:DEFAULT_CONFIG",
            "retention.ms 5 LONG TOPIC_CONFIG false false retention.ms:TOPIC_CONFIG",
        ]
    );
    image.configs.clear();
    let result = ask(&image, &config, RESOURCE_TOPIC, "t", &["retention.ms"]);
    assert_eq!(row("", &result.configs[0])[2..5], ["3600000", "LONG", "DEFAULT_CONFIG"]);
}

#[test]
fn passwords_are_never_shown() {
    let config = node(&[("ssl.key.password", "hunter2")]);
    let result = ask(&image(), &config, RESOURCE_BROKER, "1", &["ssl.key.password"]);
    let entry = &result.configs[0];
    assert!(entry.is_sensitive && entry.value.is_none() && entry.synonyms[0].value.is_none());
    assert_eq!(source_name(entry.config_source), "STATIC_BROKER_CONFIG");
    assert!(!format!("{:?}", ask(&image(), &config, RESOURCE_BROKER, "1", &[])).contains("hunter2"));
}

#[test]
fn the_empty_broker_is_what_is_set_for_all() {
    let mut image = image();
    set(&mut image, RESOURCE_BROKER, "", &[("log.cleaner.threads", "2")]);
    let result = ask(&image, &node(&[]), RESOURCE_BROKER, "", &[]);
    let rows: Vec<_> = result.configs.iter().map(|entry| row("", entry).join(" ")).collect();
    let source = "DYNAMIC_DEFAULT_BROKER_CONFIG";
    assert_eq!(rows, [format!(" log.cleaner.threads 2 INT {source} false false log.cleaner.threads:{source}")]);
}

/// As Kafka's: with null for what its `KafkaConfig` does not define, be it a plugin's or a throttled rate.
#[test]
fn documentation_is_given_where_it_is_asked_for() {
    let mut image = image();
    let rate = "leader.replication.throttled.rate";
    set(&mut image, RESOURCE_BROKER, "1", &[("plugin.token", "x"), (rate, "5")]);
    set(&mut image, RESOURCE_BROKER, "", &[("log.retention.ms", "5")]);
    let resources = [
        (RESOURCE_BROKER, "1"),
        (RESOURCE_BROKER, ""),
        (RESOURCE_TOPIC, "t"),
        (RESOURCE_GROUP, "g"),
        (RESOURCE_CLIENT_METRICS, "m"),
    ];
    let resources = resources.map(|(resource_type, name)| {
        DescribeConfigsResource::default().with_resource_type(resource_type).with_resource_name(text(name))
    });
    let request = DescribeConfigsRequestData::default().with_resources(resources.to_vec());
    let described = |wanted: bool| {
        let results = describe(&image, &node(&[]), &request.clone().with_include_documentation(wanted)).results;
        results.into_iter().map(|result| result.configs).collect::<Vec<_>>()
    };
    assert!(described(false).iter().flatten().all(|entry| entry.documentation.is_none()));
    let told = described(true);
    let least = [300, 1, 33, 17, 3];
    assert!(told.iter().zip(least).all(|(configs, least)| configs.len() >= least));
    let without: Vec<&str> = told
        .iter()
        .flatten()
        .filter_map(|entry| entry.documentation.is_none().then_some(entry.name.as_str()))
        .collect();
    assert_eq!(without, [rate, "plugin.token"]);
    let retention = told[2].iter().find(|entry| entry.name.as_str() == "retention.ms").unwrap();
    assert!(retention.documentation.as_ref().unwrap().as_str().starts_with("How long records are kept"));
}

#[test]
fn what_nobody_knows_is_taken_for_a_secret() {
    let mut image = image();
    set(&mut image, RESOURCE_BROKER, "", &[("plugin.token", "hunter2")]);
    set(&mut image, RESOURCE_BROKER, "1", &[("plugin.token", "hunter3"), ("ssl.key.password", "hunter4")]);
    for (name, sources) in [
        ("", "plugin.token:DYNAMIC_DEFAULT_BROKER_CONFIG"),
        ("1", "plugin.token:DYNAMIC_BROKER_CONFIG|plugin.token:DYNAMIC_DEFAULT_BROKER_CONFIG"),
    ] {
        let result = ask(&image, &node(&[]), RESOURCE_BROKER, name, &[]);
        assert!(!format!("{result:?}").contains("hunter"));
        let entry = result.configs.iter().find(|entry| entry.name.as_str() == "plugin.token").unwrap();
        let synonyms: Vec<_> = entry.synonyms.iter().map(|s| (s.name.as_str(), source_name(s.source))).collect();
        let expected: Vec<_> = sources.split('|').map(|source| source.split_once(':').unwrap()).collect();
        assert_eq!(synonyms, expected);
        assert!(entry.is_sensitive && entry.read_only && entry.value.is_none() && entry.config_type == 0);
    }
}

#[test]
fn what_is_refused_and_how() {
    let image = image();
    let rows = [
        (RESOURCE_TOPIC, "nope", 3, ""),
        (
            RESOURCE_TOPIC,
            "a b",
            17,
            "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' \
                 and '-'",
        ),
        (RESOURCE_BROKER, "x", 42, "Broker id must be an integer, but it is: x"),
        (RESOURCE_BROKER, "2", 42, "Unexpected broker id, expected 1 or empty string, but received 2"),
        (RESOURCE_BROKER_LOGGER, "", 42, "Broker id must not be empty"),
        (RESOURCE_BROKER_LOGGER, "2", 42, "Unexpected broker id, expected 1 but received 2"),
        (RESOURCE_CLIENT_METRICS, "", 42, "Client metrics subscription name must not be empty"),
        (RESOURCE_GROUP, "", 42, "Group name must not be empty"),
        (0, "x", 42, INVALID_REQUEST),
        (3, "x", 42, INVALID_REQUEST),
    ];
    for (resource_type, name, code, message) in rows {
        let result = ask(&image, &node(&[]), resource_type, name, &[]);
        assert_eq!(result.error_code, code, "{resource_type} {name}");
        assert_eq!(result.error_message.unwrap().as_str(), message);
    }
}
