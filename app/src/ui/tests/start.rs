//! The first page: shown to who was never here, with programs that connect and scenarios to go through.

use super::*;
use crate::monitor::guide::SCENARIOS;
use crate::monitor::snippets;

#[test]
fn each_language_has_a_program_with_the_addresses() {
    let mut window = Window::on(fixture::healthy(), Screen::Start);
    for name in snippets::names() {
        window.click(name);
        let sources = snippets::snippets("127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094");
        let snippet = sources.iter().find(|snippet| snippet.name == name).unwrap();
        assert!(window.shows(snippet.code.trim_end()), "{name}");
        assert!(window.shows(&format!("Copy the command: {}", snippet.file)) && window.shows(snippet.run), "{name}");
    }
}

#[test]
fn a_scenario_waits_for_a_cluster_that_is_whole() {
    let mut window = Window::on(fixture::incident(), Screen::Start);
    window.click("Begin: Failover");
    assert!(window.shows("Guided scenarios"), "it does not begin");
    window.change(fixture::healthy());
    window.click("Begin: Failover");
    assert!(window.shows("1. Write to three replicas") && window.shows("2. Kill the leader"));
    window.click("Do this step");
    assert!(matches!(window.sent().as_slice(), [Command::StartWorkload(spec)] if spec.topic == "guide-failover"));
    window.click("Watch the topic");
    assert_eq!(window.harness.state().screen(), Screen::Topic);
    assert!(window.shows("Step 1 of 4: Write to three replicas."), "its step goes along");
    window.click("Back to the scenario");
    window.click("Leave");
    let mut view = fixture::healthy();
    Arc::make_mut(&mut view.snapshot).at_ms += 1_000;
    window.change(view);
    assert!(window.shows("Guided scenarios"), "nothing was made, so nothing is left to be removed");
}

#[test]
fn all_scenarios_are_listed() {
    let window = Window::on(fixture::healthy(), Screen::Start);
    for scenario in SCENARIOS {
        assert!(
            window.shows(&format!("Begin: {}", scenario.title)) && window.shows(scenario.what),
            "{}",
            scenario.title
        );
    }
}
