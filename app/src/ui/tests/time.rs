//! Looking back: the bar at the bottom, the lanes, files.

use std::time::Duration;

use super::*;
use crate::monitor::history::record::Record;
use crate::monitor::history::run::History;
use crate::ui::Recorded;
use crate::ui::fixture_history::recorded;

/// How long anything may take to be found on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn window(record: &Record, view: View) -> Window {
    let recorded = Recorded::Live(History::of(record.clone()));
    Window::open(view, Options { screen: Screen::Brokers, recorded, ..Options::default() })
}

fn wait(window: &mut Window, part: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !window.shows(part) {
        assert!(Instant::now() < deadline, "{part} is not shown");
        std::thread::park_timeout(Duration::from_millis(5));
        window.harness.run();
    }
}

fn press(window: &mut Window, letter: &str) {
    window.harness.event(egui::Event::Text(letter.to_owned()));
    window.harness.run();
}

#[test]
fn one_steps_back_to_what_changed_and_a_key_leads_to_now() {
    let (record, _, view) = recorded();
    let mut window = window(&record, view);
    assert!(window.shows("Live") && window.shows("2 min recorded") && !window.shows("Killed"));
    press(&mut window, "[");
    wait(&mut window, "Killed");
    assert!(window.shows("Back to live") && window.shows("1 min ago"));
    press(&mut window, "l");
    assert!(window.shows("Live") && !window.shows("Killed"));
    window.click("Show what happened along the time");
    for words in ["Broker 2: ", "Controller 3001", "Faults", "3 instants recorded", "30 min"] {
        assert!(words == "Broker 2: " || window.shows(words), "{words}");
    }
    assert!(window.shows("Broker 2") && window.sent().is_empty());
}

#[test]
fn the_past_is_not_changed_and_not_asked() {
    let (record, _, view) = recorded();
    let mut window = window(&record, view);
    press(&mut window, "[");
    wait(&mut window, "Killed");
    let asked = window.sent().len();
    window.harness.key_press_modifiers(egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::H);
    window.harness.run();
    assert!(window.shows("What is shown is the past"));
    assert_eq!(window.sent().len(), asked, "nothing reaches the cluster");
}

#[test]
fn configs_of_the_past_are_known_and_what_nobody_looked_at_is_told() {
    let (record, _, view) = recorded();
    let mut window = window(&record, view);
    press(&mut window, "[");
    wait(&mut window, "Killed");
    window.choose("Broker 1, Running");
    window.click("Show configs");
    window.type_into("Filter configs", "retention.hours");
    assert!(window.shows("log.retention.hours, 24"));
    // What is in sight is of the same time, and of another resource.
    window.type_into("Filter configs", "");
    window.click("Show configs of all brokers");
    assert!(!window.shows("log.retention.hours"));
    window.click("Show log directories");
    assert!(window.shows("Nobody looked at this then"));
    assert!(window.sent().iter().all(|command| !matches!(command, Command::Inquire(_))));
}

#[test]
fn what_was_shown_is_written_to_a_file_all_the_same() {
    let (record, _, view) = recorded();
    let mut window = window(&record, view);
    press(&mut window, "[");
    wait(&mut window, "Killed");
    window.click("Columns of brokers");
    window.click("Export this table…");
    window.type_into("File", "/tmp/then.csv");
    window.click("Export");
    let saved = window.sent().into_iter().filter(|command| matches!(command, Command::Save(_))).count();
    assert_eq!(saved, 1);
}

#[test]
fn a_recording_is_saved_and_opened() {
    let (record, _, view) = recorded();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.brokerscope");
    let mut window = window(&record, view);
    window.click("Save what is recorded");
    window.type_into("File", &path.display().to_string());
    window.click("Save");
    wait(&mut window, "The recording is in");
    let (name, opened) = ("a.brokerscope".to_owned(), crate::monitor::history::file::open(&path).unwrap());
    let recorded = Recorded::File(name, Box::new(opened));
    let options = Options { screen: Screen::Brokers, recorded, ..Options::default() };
    let mut alone = Window::open(View::default(), options);
    wait(&mut alone, "Broker 2");
    assert!(alone.shows("a.brokerscope") && !alone.shows("Back to live"));
    press(&mut alone, "[");
    wait(&mut alone, "Killed");
    // What is no recording leaves everything as it was.
    std::fs::write(&path, "no").unwrap();
    window.click("Open a recording");
    window.type_into("File", &path.display().to_string());
    window.click("Open");
    wait(&mut window, "it is no recording of Brokerscope's");
    assert!(window.shows("Live"));
}
