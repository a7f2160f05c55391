//! The quorum room.

use super::*;
use crate::monitor::inquiry::Query;
use crate::monitor::quorum::LogWish;

#[test]
fn records_are_told_in_sentences_filtered_and_read_further_back() {
    let mut window = Window::on(fixture::incident(), Screen::Quorum);
    window.click("Show metadata records");
    assert!(window.shows("Broker 2 is fenced, BrokerRegistrationChangeRecord"));
    assert!(!window.shows("NoOpRecord,") && !window.shows(", NoOpRecord"), "they are hidden at first");
    window.click("Without NoOpRecords");
    assert!(window.shows("Not committed yet"), "the last record is at the high watermark");
    window.click("Without NoOpRecords");
    window.type_into("Filter records", "is created");
    assert!(window.shows("is created, TopicRecord") && !window.shows("is fenced, "));
    window.choose("is created, TopicRecord");
    assert!(window.shows("\"type\": \"TOPIC_RECORD\"") && window.shows("committed together"));
    assert!(window.shows("kafka-dump-log.sh --cluster-metadata-decoder --files"));
    window.click("Clear: Filter records");
    window.click("Show older records");
    let asked = Command::Inquire(Query::Quorum(LogWish { node_id: 3001, from: 16_881, to: 18_881 }));
    assert!(window.sent().iter().any(|sent| sent == &asked), "{:?}", window.sent());
}

#[test]
fn state_is_a_tree_that_opens_is_searched_and_names_zookeepers_places() {
    let mut window = Window::on(fixture::incident(), Screen::Quorum);
    window.click("Show state as a tree");
    assert!(window.shows("cluster, open, 2") && !window.shows("retention.ms"));
    window.choose("brokers, closed, 3");
    window.choose("1, PLAINTEXT://127.0.0.1:9092");
    assert!(window.shows("In ZooKeeper it was /brokers/ids/1") && window.shows("\"epoch\":"));
    window.type_into("Filter the tree", "retention");
    assert!(window.shows("retention.ms, 86400000"));
    let found: Vec<_> = window.harness.query_all_by_label_contains("retention.ms, 86400000").collect();
    assert_eq!(found.len(), 2, "two topics set it");
    found[0].click();
    window.harness.run();
    assert!(window.shows("In ZooKeeper it was /config/topics/"));
}

#[test]
fn a_quorum_that_has_lost_its_majority_says_what_that_means() {
    let mut view = fixture::incident();
    let quorum = &mut Arc::make_mut(&mut view.snapshot).quorum;
    quorum.leader_id = -1;
    for voter in &mut quorum.voters[1..] {
        voter.role = "offline".into();
    }
    let window = Window::on(view, Screen::Quorum);
    assert!(window.shows("no majority: nothing that is metadata can change, and no leader be elected"));
    assert!(window.shows("Active controller: none") && window.shows("Voters that run: 1 of 3"));
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let mut view = fixture::incident();
    let query = Query::Quorum(LogWish { node_id: 3001, from: 0, to: 0 });
    view.inquiries.answer(&query, i64::MAX / 2, Err("There is no log directory of controller 3001.".into()));
    let window = Window::on(view, Screen::Quorum);
    assert!(window.shows("There is no log directory of controller 3001."));
}
