//! The ledger: its verdicts in words, the story of a loss, and the way to a reproduction.

use super::*;
use crate::monitor::command::LedgerExport;

#[test]
fn the_worst_comes_first_with_its_story() {
    let window = Window::on(fixture::incident(), Screen::Ledger);
    for expected in [
        "3 · payments, Violated",
        "A promise was broken: 7 records acknowledged and gone.",
        "Lost: 7",
        "Unexplained: 7",
        "Row 4: acks=all, min ISR 2; one broker is killed",
        "Fault 6: broker 1 is killed",
        "were acknowledged by broker 1 in epoch 2",
        "Not allowed",
        "clicks-3",
    ] {
        assert!(window.shows(expected), "{expected}");
    }
}

#[test]
fn a_loss_that_may_be_is_told_as_such_and_a_kept_promise_too() {
    let mut window = Window::on(fixture::incident(), Screen::Ledger);
    window.click("2 · clicks, Allowed loss, 240 k, 49");
    assert!(window.shows("as what was promised allows") && window.shows("acks=1 promises what broker 2 has"));
    assert!(window.shows("3 × duplicate, of which 3"));
    window.click("1 · demo, Kept so far, 884 k, 0");
    assert!(window.shows("Nothing is missing: 884,107 records acknowledged"));
    assert!(!window.shows("Not allowed"));
}

#[test]
fn a_reproduction_is_exported_where_one_wishes() {
    let mut window = Window::on(fixture::incident(), Screen::Ledger);
    window.click("Export a reproduction");
    window.type_into("Folder", "/tmp/found");
    window.click("Export");
    let expected = LedgerExport { id: 3, folder: Some("/tmp/found".into()) };
    assert_eq!(window.sent(), [Command::ExportLedger(expected)]);
}

#[test]
fn half_a_path_is_refused() {
    let mut window = Window::on(fixture::incident(), Screen::Ledger);
    window.click("Export a reproduction");
    window.type_into("Folder", "here");
    assert!(window.shows("The whole path is needed"));
    window.click("Export");
    assert_eq!(window.sent(), []);
}

#[test]
fn without_a_workload_it_says_what_to_do() {
    let window = Window::on(fixture::empty(), Screen::Ledger);
    assert!(
        window.shows("No workload has written anything") && window.shows("Nothing acknowledged was seen to vanish")
    );
}
