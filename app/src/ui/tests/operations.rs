//! What is done to topics, groups and configs: asked for, tried out, and sent.

use super::*;
use crate::monitor::inquiry::{ConfigEntry, ConfigSource, Findings, Producer, Query, Synonym, Transaction};
use crate::monitor::messages::decode::{Codecs, Decoders};
use crate::monitor::messages::read::{MessagesView, ReadState, ReadWish, Seen, Start};
use crate::monitor::operation::{ConfigChange, ConfigResource, Election, OffsetOf, Operation};

fn operations(window: &Window) -> Vec<Operation> {
    let sent = window.sent().into_iter();
    sent.filter_map(|command| match command {
        Command::Operate(operation) => Some(operation),
        _ => None,
    })
    .collect()
}

fn on_topic(view: View, topic: &str) -> Window {
    Window::open(view, Options { screen: Screen::Topic, topic: Some(topic.into()), ..Options::default() })
}

fn entry(name: &str, value: &str, source: ConfigSource) -> ConfigEntry {
    ConfigEntry {
        name: name.into(),
        value: Some(value.into()),
        source,
        kind: "long",
        doc: format!("What {name} is for."),
        synonyms: vec![Synonym { name: format!("log.{name}"), value: Some("7".into()), source: ConfigSource::Default }],
        ..ConfigEntry::default()
    }
}

#[test]
fn configs_are_asked_for_filtered_and_changed() {
    let orders = ConfigResource::Topic("orders".into());
    let query = Query::Configs(orders.clone());
    let mut window = on_topic(fixture::healthy(), "orders");
    assert_eq!(window.sent(), [], "nobody looks at them yet");
    window.click("Show configs");
    assert!(window.shows("Asking the cluster…"));
    assert_eq!(window.sent(), [Command::Inquire(query.clone())]);

    let mut view = fixture::healthy();
    let told = vec![
        entry("cleanup.policy", "delete", ConfigSource::Default),
        entry("retention.ms", "604800000", ConfigSource::Topic),
        ConfigEntry { read_only: true, ..entry("segment.bytes", "5", ConfigSource::StaticBroker) },
    ];
    view.inquiries.answer(&query, 1, Ok(Arc::new(Findings::Configs(told))));
    let mut window = on_topic(view, "orders");
    window.click("Show configs");
    assert!(window.shows("retention.ms, 604800000, topic"));
    assert!(window.shows("What retention.ms is for."), "what is set comes first");
    assert!(window.shows("log.retention.ms = 7 (default)"));
    assert!(window.shows("--entity-type topics --entity-name orders --alter --delete-config retention.ms"));
    window.type_into("New value", "0");
    assert!(window.shows("--add-config retention.ms=6048000000"));
    window.click("Set retention.ms");
    window.click("Set retention.ms back to its default");
    let change = |value: Option<&str>| Operation::AlterConfigs {
        resource: orders.clone(),
        changes: vec![ConfigChange { name: "retention.ms".into(), value: value.map(str::to_owned) }],
    };
    assert_eq!(operations(&window), [change(Some("6048000000")), change(None)]);
    window.type_into("Filter configs", "segment");
    window.choose("segment.bytes, 5");
    assert!(window.shows("cannot be changed meanwhile"));
    window.type_into("Filter configs", "zzz");
    assert!(window.shows("No config matches the filter"));
}

#[test]
fn what_could_not_be_found_out_is_said() {
    let mut view = fixture::healthy();
    let query = Query::Producers("orders".into());
    view.inquiries.answer(&query, 1, Err("No broker answers.".into()));
    let mut window = on_topic(view, "orders");
    window.click("Show producers");
    assert!(window.shows("The producers are not known"));
}

#[test]
fn open_transactions_stand_out() {
    let mut view = fixture::healthy();
    let now_ms = view.series.at_ms.back().copied().unwrap_or_default().max(view.snapshot.at_ms);
    let transaction = Transaction {
        transactional_id: "shop-1".into(),
        state: "Ongoing".into(),
        timeout_ms: 60_000,
        started_ms: now_ms - 45_000,
        producer_id: 7,
    };
    let producer = |partition, open: bool| Producer {
        partition,
        producer_id: 7,
        producer_epoch: 2,
        last_sequence: 9,
        last_timestamp_ms: now_ms - 3_000,
        txn_start_offset: open.then_some(1_234),
        transaction: open.then(|| Arc::new(transaction.clone())),
    };
    let found = Findings::Producers(vec![producer(0, false), producer(3, true)]);
    view.inquiries.answer(&Query::Producers("orders".into()), now_ms, Ok(Arc::new(found)));
    let mut window = on_topic(view, "orders");
    window.click("Show producers");
    assert!(window.shows("shop-1, Ongoing, 45 s, 60 s, 1,234, 3, 7:2") || window.shows("shop-1, Ongoing"));
    assert!(window.shows("–, 0, 7:2"));
}

#[test]
fn a_topic_gets_more_partitions_loses_records_and_elects_leaders() {
    let mut window = on_topic(fixture::healthy(), "orders");
    window.click("Add partitions");
    window.type_into("Partitions in all (12 now)", "6");
    assert!(window.shows("It has 12 already"));
    window.type_into("Partitions in all (12 now)", "0");
    assert!(window.shows("--alter --topic orders --partitions 60"));
    window.harness.get_all_by_label("Add partitions").last().unwrap().click();
    window.harness.run();
    window.click("Elect leaders");
    window.click("Of partition: all");
    window.click("Of partition 3");
    window.harness.get_all_by_label("Elect leaders").last().unwrap().click();
    window.harness.run();
    window.click("Delete records");
    window.click("Of partition: all");
    window.click("Of partition 1");
    window.type_into("Below offset (nothing: all records)", "5");
    assert!(window.shows("would be deleted"));
    window.harness.get_all_by_label("Delete records").last().unwrap().click();
    window.harness.run();
    let orders: Arc<str> = "orders".into();
    assert_eq!(
        operations(&window),
        [
            Operation::AddPartitions { topic: orders.clone(), total: 60 },
            Operation::ElectLeaders { election: Election::Preferred, partitions: vec![(orders.clone(), 3)] },
            Operation::DeleteRecords(vec![OffsetOf { topic: orders, partition: 1, offset: 5 }]),
        ]
    );
}

#[test]
fn offsets_are_reset_after_a_dry_run() {
    let view = fixture::incident();
    let empty = view.snapshot.groups.iter().find(|group| group.members.is_empty() && group.has_lag()).unwrap().clone();
    let options = || Options { screen: Screen::Groups, group: Some(empty.id.to_string()), ..Options::default() };
    let mut window = Window::open(view.clone(), options());
    window.click(&format!("Reset offsets of {}", empty.id));
    assert!(window.shows("would be read again"));
    window.click("To: the first record that is left");
    window.click("To the end: what comes from now on");
    assert!(window.shows(&format!("{} would be skipped.", crate::ui::format::count(empty.total_lag))));
    assert!(window.shows(&format!("--reset-offsets --group {} --from-file", empty.id)));
    window.click("Set these offsets");
    let sent = operations(&window);
    let [Operation::SetOffsets { group, offsets }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(*group, empty.id);
    for offset in offsets {
        let before = empty.offsets.iter().find(|one| (&one.topic, one.partition) == (&offset.topic, offset.partition));
        assert_eq!(before.map(|one| one.committed_offset + one.lag), Some(offset.offset));
    }

    // By time the leaders are asked, and the plan waits for them.
    let mut window = Window::open(view, options());
    window.click(&format!("Reset offsets of {}", empty.id));
    window.click("To: the first record that is left");
    window.click("To what was written since some minutes ago");
    window.type_into("Minutes ago", "15");
    assert!(window.shows("Asking the leaders where that time stands"));
    let asked = |command: &Command| matches!(command, Command::Inquire(Query::OffsetsAt { .. }));
    assert!(window.sent().iter().any(asked));
}

#[test]
fn a_group_with_members_is_neither_reset_nor_deleted() {
    let view = fixture::healthy();
    let busy = view.snapshot.groups.iter().find(|group| !group.members.is_empty() && group.has_lag()).unwrap().clone();
    let options = Options { screen: Screen::Groups, group: Some(busy.id.to_string()), ..Options::default() };
    let mut window = Window::open(view, options);
    window.click(&format!("Delete group {}", busy.id));
    assert!(window.shows("It has members: stop its consumers first."));
    window.click("Delete group");
    assert_eq!(operations(&window), []);
    window.click("Cancel");
    window.click(&format!("Reset offsets of {}", busy.id));
    assert!(window.shows("stop its consumers first"));
    window.click("Set these offsets");
    assert_eq!(operations(&window), []);
}

#[test]
fn replicas_move_as_planned_and_can_be_called_off() {
    let view = fixture::healthy();
    let mut window = on_topic(view.clone(), "orders");
    window.click("Move replicas");
    assert!(window.shows("Replicas may be on"));
    window.harness.get_by_label_contains("Broker 1 (").click();
    window.harness.run();
    let replicas =
        view.snapshot.topics.iter().find(|topic| &*topic.name == "orders").unwrap().partitions[0].replicas.len();
    if replicas > 2 {
        assert!(window.shows("choose at least as many brokers"));
    }

    // Of a topic with one replica a broker can be left out.
    let view = fixture::incident();
    let mut window = on_topic(view.clone(), "audit");
    window.click("Move replicas");
    let leader = view.snapshot.topics.iter().find(|topic| &*topic.name == "audit").unwrap().partitions[0].replicas[0];
    window.harness.get_by_label_contains(&format!("Broker {leader} (")).click();
    window.harness.run();
    window.type_into("At most, MB/s for each broker (nothing: no limit)", "5");
    assert!(window.shows("would change") && window.shows("--throttle 5000000"));
    window.harness.get_all_by_label("Move replicas").last().unwrap().click();
    window.harness.run();
    let sent = operations(&window);
    let [Operation::Reassign { moves, throttle_bytes_per_s }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(*throttle_bytes_per_s, Some(5_000_000));
    assert!(moves.iter().all(|one| !one.replicas.contains(&leader)) && !moves.is_empty(), "{moves:?}");

    let mut view = view;
    let moving = crate::monitor::inquiry::Reassignment {
        topic: "audit".into(),
        partition: 0,
        replicas: vec![1, 2],
        adding: vec![2],
        removing: vec![1],
    };
    view.inquiries.answer(&Query::Reassignments, 1, Ok(Arc::new(Findings::Reassignments(vec![moving]))));
    let mut window = on_topic(view, "audit");
    window.click("Move replicas");
    assert!(window.shows("Replicas of 1 partition are moving; 1 new one not in sync yet."));
    window.click("Call it off");
    assert_eq!(operations(&window), [Operation::CancelReassignments(vec![("audit".into(), 0)])]);
}

fn codecs() -> Arc<Codecs> {
    Arc::new(Codecs::open(&Decoders::default()).unwrap())
}

fn message(partition: i32, offset: i64, value: Option<&str>) -> Arc<Seen> {
    let message = crate::monitor::messages::Message {
        topic: "orders".into(),
        partition,
        offset,
        timestamp_ms: fixture::AT_MS - 1_000 + offset,
        is_log_append_time: false,
        key: Some("customer-7".into()),
        value: value.map(|value| value.to_owned().into()),
        headers: vec![("trace".into(), Some("abc".into()))],
        producer_id: Some(4),
        is_transactional: false,
        codec: "lz4",
        leader_epoch: 2,
    };
    Arc::new(Seen::new(message, &codecs()))
}

#[test]
fn records_are_read_shown_in_full_and_sent_again() {
    let mut view = fixture::healthy();
    let mut window = on_topic(view.clone(), "orders");
    window.click("Show messages");
    let sent = wishes(&window);
    let [wish] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((&*wish.topic, &wish.start, wish.follow), ("orders", &Start::Newest(200), false));
    assert!(window.shows("Reading…"));

    view.messages = MessagesView {
        wish: Some(Arc::new(wish.clone())),
        state: ReadState::Full,
        found: Arc::new(vec![message(3, 41, Some("{\"total\":12}")), message(5, 42, None)]),
        scanned: 500,
        codecs: Some(codecs()),
        next_offsets: Arc::new([(3, 42)].into()),
        generation: 1,
        ..MessagesView::default()
    };
    let mut window = on_topic(view, "orders");
    window.click("Show messages");
    assert!(window.shows("2 records of 500 looked at · there are more"));
    assert!(window.shows("5, 42, customer-7, tombstone"), "the newest first");
    assert!(window.shows("Value: none: a tombstone"));
    window.choose("3, 41, customer-7");
    assert!(window.shows("total: 12") && window.shows("Value · JSON") && window.shows("Header trace · text"));
    assert!(window.shows("by the producer · leader epoch 2 · lz4 · producer 4"));
    window.click("Show the value: hex");
    assert!(window.shows("7b 22 74"));
    window.click("Send again");
    window.click("Partition: that of the key (murmur2)");
    window.click("Partition 2");
    assert!(window.shows("--reader-property parse.headers=true --reader-property parse.key=true"));
    window.click("Write");
    let sent = operations(&window);
    let [Operation::Produce { partition: Some(2), message, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(message.value.as_deref(), Some(&b"{\"total\":12}"[..]));
    let reads = |window: &Window| window.sent().iter().filter(|command| matches!(command, Command::Read(_))).count();
    let before = reads(&window);
    window.click("Read again");
    assert_eq!(reads(&window), before + 1);
    window.click("Read on");
    assert_eq!(wishes(&window).pop().unwrap().start, Start::Offsets([(3, 42)].into()));
    window.click("Follow");
    assert!(wishes(&window).pop().unwrap().follow);
}

#[test]
fn nothing_is_read_while_nobody_looks() {
    let mut view = fixture::healthy();
    let wish = ReadWish::new("orders".into(), Start::Newest(200));
    view.messages = MessagesView { wish: Some(Arc::new(wish)), state: ReadState::Following, ..MessagesView::default() };
    let mut window = on_topic(view, "orders");
    window.click("Show messages");
    assert_eq!(wishes(&window).len(), 1);
    window.click("Show partitions");
    assert_eq!(window.sent().last(), Some(&Command::Read(None)));
    let sent = window.sent().len();
    window.click("Show configs");
    assert_eq!(window.sent().iter().filter(|command| **command == Command::Read(None)).count(), 1, "{sent}");
    window.click("Show messages");
    assert_eq!(wishes(&window).len(), 2, "whoever comes back reads anew");
}

impl Window {
    /// Takes the cursor out of a field.
    fn enter(&mut self) {
        self.harness.key_press(egui::Key::Enter);
        self.harness.run();
    }
}

fn wishes(window: &Window) -> Vec<ReadWish> {
    let sent = window.sent().into_iter();
    sent.filter_map(|command| if let Command::Read(Some(wish)) = command { Some(wish) } else { None }).collect()
}

#[test]
fn filters_and_decoders_are_wished_once_they_make_sense() {
    use crate::monitor::messages::decode::Decoder;
    let mut window = on_topic(fixture::healthy(), "orders");
    window.click("Show messages");
    window.click("More filters and decoders");
    window.type_into("JSON path", "$.total >");
    window.enter();
    assert!(window.shows("What is it to be compared with?"));
    assert_eq!(wishes(&window).len(), 1, "half a path is not read by");
    window.type_into("JSON path", " 10");
    window.enter();
    assert_eq!(wishes(&window).last().unwrap().filter.path, "$.total > 10");
    window.type_into("Filter keys", "customer");
    window.enter();
    window.type_into("Filter headers", "trace: abc");
    window.enter();
    let wish = wishes(&window).pop().unwrap();
    assert_eq!((wish.filter.key.as_str(), wish.filter.header.as_str()), ("customer", "trace: abc"));
    window.click("Latest per key");
    assert!(wishes(&window).pop().unwrap().latest_per_key);

    let count = wishes(&window).len();
    window.click("Value as: what it seems to be");
    window.click("Value as Avro");
    assert!(window.shows("Name the file that has the schema of the values."));
    assert_eq!(wishes(&window).len(), count);
    window.type_into("Schema of values", "/tmp/order.avsc");
    window.enter();
    assert_eq!(wishes(&window).pop().unwrap().decoders.value, Decoder::Avro("/tmp/order.avsc".into()));
}

#[test]
fn a_time_is_typed_in_the_zone_of_who_types() {
    let options =
        Options { screen: Screen::Topic, topic: Some("orders".into()), utc_offset_minutes: 120, ..Options::default() };
    let mut window = Window::open(fixture::healthy(), options);
    window.click("Show messages");
    window.click("From: the newest 200");
    window.click("From a time");
    let Start::Since(an_hour_ago) = wishes(&window).pop().unwrap().start else { panic!() };
    assert!((3_600_000..3_700_000).contains(&(fixture::AT_MS - an_hour_ago)), "{an_hour_ago}");
    window.click("More filters and decoders");
    window.type_into("Until", "2026-11-27 1");
    window.enter();
    assert!(window.shows("The time to read until is written as"));
    window.type_into("Until", "6:00");
    window.enter();
    // 14:00 UTC.
    assert_eq!(wishes(&window).pop().unwrap().until_ms, Some(1_795_788_000_000));
}

#[test]
fn what_follows_can_be_paused_and_tells_how_many_wait() {
    let mut view = fixture::healthy();
    let mut window = on_topic(view.clone(), "orders");
    window.click("Show messages");
    window.click("Follow");
    let wish = wishes(&window).pop().unwrap();
    let found = |count: i64| Arc::new((0..count).map(|offset| message(3, offset, Some("x"))).collect::<Vec<_>>());
    view.messages = MessagesView {
        wish: Some(Arc::new(wish)),
        state: ReadState::Following,
        found: found(2),
        scanned: 2,
        codecs: Some(codecs()),
        generation: 1,
        ..MessagesView::default()
    };
    window.change(view.clone());
    window.click("Pause");
    view.messages = MessagesView { found: found(5), scanned: 5, generation: 2, ..view.messages };
    window.change(view.clone());
    assert!(window.shows("Paused · 3 records waiting"));
    assert!(!window.shows("3, 4, customer-7"), "it stands still");
    // Four of those that wait had to go, and two that were seen.
    view.messages = MessagesView { dropped: 6, generation: 3, ..view.messages };
    window.change(view);
    assert!(window.shows("Paused · 9 records waiting") && window.shows("4 of them are not kept any more"));
    window.click("Go on");
    assert!(window.shows("3, 4, customer-7") && window.shows("6 older are not kept"));
}
