//! The wire view.

use broker::server::trace::{TraceState, TraceWish};

use super::*;
use crate::monitor::command::TraceOrder;
use crate::monitor::inquiry::{Findings, Query};
use crate::ui::fixture_wire;

fn sent(window: &Window) -> Vec<TraceOrder> {
    let orders = window.sent().into_iter().filter_map(|command| match command {
        Command::Trace(order) => Some(order),
        _ => None,
    });
    orders.collect()
}

fn following(state: TraceState) -> Window {
    let mut view = fixture::healthy();
    view.inquiries.answer(&Query::Trace, i64::MAX / 2, Ok(Arc::new(Findings::Trace(Box::new(state)))));
    let mut window = Window::on(view, Screen::Wire);
    window.click("Show follow a record");
    window
}

#[test]
fn connections_are_filtered_and_tell_what_is_asked_on_each() {
    let mut window = Window::on(fixture::healthy(), Screen::Wire);
    assert!(window.shows("12 connections open"), "four on each of three brokers");
    assert!(window.shows("shop, apache-kafka-java 4.3.0, 127.0.0.1:51037, 1"));
    window.choose("shop, apache-kafka-java 4.3.0, 127.0.0.1:51037");
    assert!(window.shows("What shop asks of broker 1"));
    assert!(window.shows("Produce, 13, 42") && window.shows("NOT_LEADER_OR_FOLLOWER × 3"));
    window.type_into("Filter connections", "librdkafka");
    assert!(window.shows("What billing-1 asks of broker 1") && !window.shows("apache-kafka-java 4.3.0, 127"));
    window.type_into("Filter connections", "nobody at all");
    assert!(window.shows("No connection matches the filter"));
    window.click("Clear the filter");
    window.choose("–, –, 127.0.0.1:51148");
    assert!(window.shows("What a client without a client id asks of broker 1"));
}

#[test]
fn requests_by_api_say_where_their_time_goes_and_can_be_those_of_one_broker() {
    let mut window = Window::on(fixture::healthy(), Screen::Wire);
    window.click("Show requests by api");
    assert!(window.shows("FetchFollower, 18, 249") && window.shows("remote 13 ms"));
    assert!(window.shows("NOT_LEADER_OR_FOLLOWER × 36"));
    window.click("Of: all brokers");
    window.click("Of broker 2");
    assert!(window.shows("FetchFollower, 18, 83") && window.shows("NOT_LEADER_OR_FOLLOWER × 12"));
}

#[test]
fn a_record_is_followed_and_its_way_told() {
    let mut window = following(TraceState::default());
    assert!(window.shows("See where a record goes"));
    window.type_into("Partition", "0");
    assert!(window.shows("Of which topic? Name it."));
    window.type_into("Topic", "no-such-topic");
    assert!(window.shows("There is no topic no-such-topic."));
    window.click("Follow the next record");
    assert_eq!(sent(&window), [], "what is wrong is not sent");
    let mut window = following(TraceState::default());
    window.type_into("Topic", "orders");
    window.type_into("Partition", "0");
    window.click("Follow the next record");
    let wish = TraceWish { topic: Some("orders".into()), partition: Some(0) };
    assert_eq!(sent(&window), [TraceOrder::Follow(wish.clone())]);
    let mut window = following(TraceState { wish: Some(wish), ..TraceState::default() });
    assert!(window.shows("Waiting for the next record to be written"));
    window.click("Stop waiting");
    assert_eq!(sent(&window), [TraceOrder::Stop]);
    assert!(
        following(TraceState { timed_out: true, ..TraceState::default() }).shows("Nothing was written within a minute")
    );
}

#[test]
fn each_step_is_told_with_its_broker_and_its_time() {
    let window = following(fixture_wire::followed());
    assert!(window.shows("Acknowledged after 2.4 ms; 2.0 ms of that until it was committed, on 3 replicas in sync."));
    assert!(
        window.shows("orders-0 · written by shop (apache-kafka-java 4.3.0) over connection 1 · Produce version 13")
    );
    assert!(window.shows("broker 1, In the leader's log, at offsets 48112 to 48114"));
    assert!(
        window.shows("broker 2, In the follower's log") && window.shows("Broker 2's next fetch says that it has it")
    );
    assert!(window.shows("Fetched by billing-1 (connection 2)"));
}

#[test]
fn without_clients_it_says_how_to_get_some() {
    let mut view = fixture::healthy();
    view.connections = Arc::default();
    view.metrics = Arc::default();
    let mut window = Window::on(view, Screen::Wire);
    assert!(window.shows("No client is connected"));
    window.click("Show requests by api");
    assert!(window.shows("Nothing was asked yet"));
}
