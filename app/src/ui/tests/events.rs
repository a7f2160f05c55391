//! What happened: stories and all events.

use egui::accesskit::Role;

use super::*;
use crate::monitor::view::Severity;

const KILLED: &str = "the story: Broker 2 was killed: 16 partitions changed leaders in 1.5 s, 1 partition had no leader, 16 ISRs shrank.";

fn killed() -> Window {
    let window = Window::on(fixture::incident(), Screen::Events);
    assert!(window.shows(&format!("Close {KILLED}")), "the gravest that goes on is open");
    window
}

#[test]
fn a_story_goes_from_its_cause_to_its_effects() {
    let mut window = killed();
    let tops: Vec<i32> = [
        "Fault 7 began: broker 2 is killed",
        "Broker 2 was killed",
        "Broker 2 was fenced",
        "16 ISRs shrank: broker 2 left.",
        "16 partitions changed leaders: 2 → 3.",
        "audit-1 has no leader",
    ]
    .into_iter()
    .map(|step| window.harness.get_by_label(step).rect().top() as i32)
    .collect();
    assert!(tops.is_sorted_by(|above, below| above < below), "{tops:?}");
    assert!(window.shows("No heartbeat for 1,512 ms"), "why");
    assert!(window.shows("Leader of clicks-1, clicks-4 and 14 others") && window.shows("Was and now"));
    assert!(window.shows("What clients saw") && window.shows("Produce p99, slowest broker: 12 ms, "));
    assert!(!window.shows("clicks-4 is led by broker 3 now"));
    window.click("Show each of step 5");
    assert!(window.shows("clicks-4 is led by broker 3 now"));
    window.click("Hide them of step 5");
    assert!(!window.shows("clicks-4 is led by broker 3 now"));
    window.click(&format!("Close {KILLED}"));
    assert!(!window.shows("Broker 2 was fenced"));
}

#[test]
fn a_story_leads_to_what_it_is_about() {
    for (button, screen) in [
        ("Fault 7", Screen::Faults),
        ("Broker 2", Screen::Brokers),
        ("Topic orders", Screen::Topic),
        ("Show the cluster as it was then", Screen::Events),
    ] {
        let mut window = killed();
        window.harness.get_by_role_and_label(Role::Button, button).click();
        window.harness.run();
        assert_eq!(window.harness.state().screen(), screen, "{button}");
    }
    let mut window = Window::on(fixture::incident(), Screen::Events);
    window.choose("Open the story: Member fraud-check-2 joined");
    window.click("Group fraud-check");
    assert_eq!(window.harness.state().screen(), Screen::Groups);
}

#[test]
fn stories_are_filtered_by_all_that_they_tell() {
    let mut window = Window::on(fixture::incident(), Screen::Events);
    assert!(window.shows("5 stories of "));
    window.type_into("Filter events", "payments-4");
    assert!(window.shows(&format!("Close {KILLED}")) && !window.shows("the story: Member fraud-check-2 joined"));
    window.click("Clear: Filter events");
    window.click("Critical");
    assert!(window.shows(KILLED) && !window.shows("the story: ISR of clicks-11"));
    window.type_into("Filter events", "nobody at all");
    assert!(window.shows("No story matches"));
    window.click("Clear the filter");
    assert!(window.shows("ISR of clicks-11 went from 1, 3 to 1"));
}

#[test]
fn back_leads_to_the_half_that_was_shown() {
    let mut window = Window::on(fixture::incident(), Screen::Events);
    window.click("Show all events");
    window.type_into("Filter events", "audit-1");
    window.choose("audit-1 has no leader");
    assert_eq!(window.harness.state().screen(), Screen::Logs);
    window.click("Back");
    assert!(
        !window.shows("the story: ")
            && window.shows("audit-1 has no leader")
            && window.harness.state().screen() == Screen::Events
    );
}

#[test]
fn nothing_that_went_wrong_and_many_stories() {
    let window = Window::on(fixture::healthy(), Screen::Events);
    assert!(window.shows("Nothing has gone wrong yet"));
    let mut view = fixture::incident();
    let worst = view.events.iter().find(|event| event.kind == "isr_changed" && event.severity == Severity::Warning);
    let worst = worst.cloned().unwrap();
    let again = |seq: u64| {
        let mut event = (*worst).clone();
        (event.seq, event.at_ms, event.because_of) = (seq, event.at_ms + seq as i64, Vec::new());
        Arc::new(event)
    };
    view.events = Arc::new((1..=1_000).map(again).collect());
    let window = Window::on(view, Screen::Events);
    assert!(window.shows("200 stories of "));
    let laid_out = window.harness.query_all_by_label_contains("the story: ISR of clicks-4").count();
    assert!((5..40).contains(&laid_out), "{laid_out} cards");
}
