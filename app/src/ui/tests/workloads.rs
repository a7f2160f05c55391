//! Workloads: started from presets, changed by sliders without flooding, crashed and revived.

use egui::{Key, vec2};

use super::*;
use crate::monitor::presets::PRESETS;
use crate::monitor::workload::WorkloadChange;

fn changes(window: &Window) -> Vec<WorkloadChange> {
    let of = |command: Command| match command {
        Command::ChangeWorkload { id: 1, change } => Some(change),
        _ => None,
    };
    window.sent().into_iter().filter_map(of).collect()
}

/// The cluster has carried out what was sent last.
fn carried_out(view: &View, changes: &[WorkloadChange]) -> View {
    let mut view = view.clone();
    let workload = &mut Arc::make_mut(&mut view.snapshot).workloads[0];
    for change in changes {
        workload.spec = Arc::new(workload.spec.changed(change).unwrap());
    }
    view
}

#[test]
fn presets_are_started_on_their_topic_or_on_one_of_ones_own() {
    let mut window = Window::on(fixture::empty(), Screen::Workloads);
    assert!(window.shows("No workload runs"));
    window.click("Start Clickstream");
    window.type_into("Topic", "visits");
    window.click("Start Slow consumer");
    window.type_into("Topic", " !");
    assert!(window.shows("not ' '"));
    window.click("Start Bursts");
    let slow = WorkloadSpec { topic: "visits".into(), ..PRESETS[4].spec() };
    assert_eq!(window.sent(), [Command::StartWorkload(PRESETS[1].spec()), Command::StartWorkload(slow)]);
}

#[test]
fn a_slider_acts_while_it_is_dragged_and_floods_nobody() {
    let view = fixture::healthy();
    let mut window = Window::on(view.clone(), Screen::Workloads);
    let rate = window.harness.get_by_label("Rate").rect();
    window.harness.drag_at(rect_at(rate, 0.5));
    window.harness.run();
    for step in 1..6 {
        window.harness.hover_at(rect_at(rate, 0.5 + f32::from(step as u8) / 25.0));
        window.harness.step();
    }
    assert_eq!(changes(&window).len(), 1, "the first flies, the others wait");
    window.change(carried_out(&view, &changes(&window)));
    let sent = changes(&window);
    assert_eq!(sent.len(), 2, "the last one follows: {sent:?}");
    let set = |change: &WorkloadChange| change.0["rate_per_s"].as_u64().unwrap();
    assert!(set(&sent[1]) > 2 * set(&sent[0]), "{sent:?}");
    window.harness.drop_at(rect_at(rate, 0.9));
    window.harness.run();
    window.change(carried_out(&view, &changes(&window)));
    let sent = changes(&window);
    assert!(sent.len() <= 4 && set(sent.last().unwrap()) > 100_000, "{sent:?}");
    assert!(sent.iter().all(|change| change.0.len() == 1));
}

fn rect_at(rect: egui::Rect, share: f32) -> egui::Pos2 {
    rect.left_center() + vec2(rect.width() * share, 0.0)
}

#[test]
fn what_has_clients_start_anew_is_sent_when_the_thumb_is_let_go() {
    let mut window = Window::on(fixture::healthy(), Screen::Workloads);
    window.harness.get_by_label("linger.ms").scroll_to_me();
    window.harness.run();
    let linger = window.harness.get_by_label("linger.ms").rect();
    window.harness.drag_at(rect_at(linger, 0.3));
    window.harness.run();
    window.harness.hover_at(rect_at(linger, 0.6));
    window.harness.run();
    assert_eq!(changes(&window), []);
    window.harness.drop_at(rect_at(linger, 0.6));
    window.harness.run();
    assert_eq!(changes(&window).len(), 1);
    assert!(changes(&window)[0].0["linger_ms"].as_u64().is_some_and(|ms| (20..2_000).contains(&ms)));
}

#[test]
fn exact_values_are_typed_and_keys_move_sliders() {
    let view = fixture::healthy();
    let mut window = Window::on(view.clone(), Screen::Workloads);
    window.type_into("Rate, exact value", "12345");
    window.harness.key_press(Key::Enter);
    window.harness.run();
    assert_eq!(changes(&window), [WorkloadChange::of("rate_per_s", 12_345)]);
    window.change(carried_out(&view, &changes(&window)));
    window.harness.get_by_label("Number of consumers").focus();
    window.harness.run();
    window.harness.key_press(Key::ArrowRight);
    window.harness.run();
    assert_eq!(changes(&window)[1], WorkloadChange::of("consumers", 3));
}

#[test]
fn what_does_not_go_together_is_changed_together() {
    let view = fixture::healthy();
    let mut window = Window::on(view.clone(), Screen::Workloads);
    window.click("1");
    let expected = WorkloadChange::of("acks", "1").and("idempotent", false).and("transaction_ms", 0);
    assert_eq!(changes(&window), std::slice::from_ref(&expected));
    let view = carried_out(&view, &[expected]);
    window.change(view.clone());
    window.type_into("Transactions, exact value", "400");
    window.harness.key_press(Key::Enter);
    window.harness.run();
    let expected = WorkloadChange::of("transaction_ms", 400).and("idempotent", true).and("acks", "all");
    assert_eq!(changes(&window)[1], expected);
    window.change(carried_out(&view, &[expected]));
    assert!(window.shows("Aborted, exact value"), "now it makes transactions");
    window.click("Keys: all in turn");
    window.click("Keys one hot key");
    assert_eq!(changes(&window)[2], WorkloadChange::of("key_skew", "hot"));
}

#[test]
fn clients_pause_crash_and_come_back_by_buttons() {
    let mut window = Window::on(fixture::incident(), Screen::Workloads);
    window.click("Crash consumer 1 of workload 2");
    window.click("Revive consumer 2 of workload 2");
    window.choose("1 · demo, ");
    window.click("Pause producers of workload 1");
    window.click("Stop workload 1");
    let paused = WorkloadChange::of("paused", true);
    assert_eq!(
        window.sent(),
        [
            Command::CrashConsumer { id: 2, consumer: Some(1) },
            Command::ReviveConsumer { id: 2, consumer: Some(2) },
            Command::ChangeWorkload { id: 1, change: paused },
            Command::StopWorkload(1),
        ]
    );
    assert!(window.shows("kafka-producer-perf-test.sh --bootstrap-server") && window.shows("kcat -b "));
    let mut window = Window::on(fixture::incident(), Screen::Cluster);
    window.click("Adjust workload 1");
    assert_eq!(window.harness.state().screen(), Screen::Workloads);
    assert!(window.shows("Workload 1 on demo"));
}
