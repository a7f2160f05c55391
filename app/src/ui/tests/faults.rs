//! The faults screen: what is in force, scripts and their verdicts, storms, and what was done as a script.

use super::*;
use crate::monitor::command::End;
use crate::monitor::files::{Content, Save};
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::script::{Expectation, Script};
use crate::ui::fixture_faults;

fn clicked(window: &Window) -> Vec<Command> {
    window.sent().into_iter().filter(|command| !matches!(command, Command::Inquire(_))).collect()
}

#[test]
fn what_is_in_force_counts_down_and_is_healed() {
    let mut window = Window::on(fixture_faults::view(), Screen::Faults);
    for words in [
        "2 in force · 1 over",
        "7. broker 2 is killed",
        "until healed",
        "over in 12 s",
        "Two things at once",
        "the next begins in 7 s",
        "writes resume within 2 s",
        "2.4 s (workload 2)",
        "Not measured",
        "Refused",
        "zone outage zone a, for 5.0 s",
        "pause, broker 3 is paused",
    ] {
        assert!(window.shows(words), "{words}");
    }
    window.click("Heal fault 6");
    window.click("Stop script 3");
    window.click("Heal all faults");
    assert_eq!(clicked(&window), [Command::HealFault(6), Command::StopScript(3), Command::HealAllFaults]);
    window.type_into("Filter faults", "no such thing");
    window.click("Clear the filter");
    assert!(window.shows("broker 3 is paused"));
}

#[test]
fn a_script_is_opened_told_and_run() {
    let view = fixture::healthy();
    let mut window = Window::on(view.clone(), Screen::Faults);
    assert!(window.shows("Nothing is broken"));
    window.type_into("Script", "/tmp/faults.yaml");
    window.click("Open script");
    let query = Query::File("/tmp/faults.yaml".into());
    assert!(window.sent().contains(&Command::Inquire(query.clone())));
    let answered = |at_ms: i64, text: &str| {
        let mut view = view.clone();
        view.inquiries.ask(&query);
        view.inquiries.answer(&query, at_ms, Ok(Arc::new(Findings::File(text.into()))));
        view
    };
    window.change(answered(1, "steps:\n  - {at_ms: 0, fault: {kind: kil, broker: 1}}\n"));
    assert!(window.shows("The file is no script: line 2"));
    window.click("Open script");
    let text = "name: Short\nsteps:\n  - {at_ms: 0, fault: {kind: kill, broker: 1}}\n";
    window.change(answered(2, text));
    assert!(window.shows("Short: 1 fault."));
    window.click("Run it");
    assert_eq!(clicked(&window), [Command::RunScript(Box::new(Script::from_yaml(text).unwrap()))]);
}

#[test]
fn a_storm_is_described_and_run() {
    let mut window = Window::on(fixture::healthy(), Screen::Faults);
    window.type_into("Seed", "7");
    window.click("power loss");
    window.click("kill");
    window.click("Run the storm");
    let sent = clicked(&window);
    let [Command::RunScript(script)] = sent.as_slice() else { panic!("{sent:?}") };
    let storm = script.storm.clone().unwrap();
    // What stood there before stays.
    assert!([17, 71].contains(&storm.seed), "{storm:?}");
    assert_eq!(storm.kinds, [FaultKind::PowerLoss, FaultKind::Pause, FaultKind::Cut, FaultKind::Delay]);
    assert!(script.expect.contains(&Expectation::NothingLost(true)));
    window.type_into("Faults a minute", "x");
    assert!(window.shows("From 0.01 to 600") && !window.shows("Run the storm"));
}

#[test]
fn what_was_done_is_written_as_a_script() {
    let mut window = Window::on(fixture_faults::view(), Screen::Faults);
    window.type_into("File for what was done", "/tmp/done.yaml");
    window.click("Save what was done");
    let sent = clicked(&window);
    let [Command::Save(Save { path, content: Content::Text(text) })] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(path.to_str(), Some("/tmp/done.yaml"));
    let script = Script::from_yaml(text).unwrap();
    let kinds: Vec<FaultKind> = script.steps.iter().map(|step| step.fault.kind).collect();
    assert_eq!(kinds, [FaultKind::Pause, FaultKind::Kill, FaultKind::Delay]);
    assert_eq!(script.steps[2].fault.from, Some(End::Clients));
}
