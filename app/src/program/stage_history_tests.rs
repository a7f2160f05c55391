//! Looking back in a window on a running cluster.

use broker::metadata::report::NodeState;

use super::stage::Stage;
use crate::monitor::command::{Command, FaultKind, FaultRequest, WorkloadSpec};
use crate::monitor::view::View;
use crate::ui::Screen;

fn state_of(view: &View, id: i32) -> Option<NodeState> {
    view.snapshot.brokers.iter().find(|broker| broker.id == id).map(|broker| broker.state)
}

#[test]
fn what_was_is_shown_on_all_screens_and_one_key_leads_back() {
    let mut stage = Stage::on(Screen::Cluster);
    let spec = WorkloadSpec { topic: "orders".into(), rate_per_s: 200, ..WorkloadSpec::default() };
    stage.send(Command::StartWorkload(spec));
    stage.until_known("records are read", |view| view.snapshot.workloads.iter().any(|one| one.read > 0));
    stage.until("Live");
    let kill = FaultRequest { broker: Some(2), duration_ms: Some(4_000), ..FaultRequest::new(FaultKind::Kill) };
    stage.send(Command::InjectFault(kill));
    stage.until_known("broker 2 is killed", |view| state_of(view, 2) == Some(NodeState::Killed));
    stage.until_known("it is back", |view| state_of(view, 2) == Some(NodeState::Running));
    stage.until_known("all is as before", |view| {
        view.snapshot.faults.is_empty() && view.snapshot.totals.under_replicated_partitions == 0
    });
    stage.keys("hgf");
    stage.until("Controller 3001");
    // Back, change by change, to when it was down: what happened since is not there yet.
    let mut steps = 0;
    while !stage.shows("1 in force") {
        steps += 1;
        assert!(steps < 60, "the kill is not found again");
        stage.keys("[");
        stage.until("Back to live");
        stage.frames(6);
    }
    stage.until("broker 2 is killed");
    stage.keys("gb");
    stage.until("Killed");
    // The past cannot be changed, and says so.
    stage.press(egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::H);
    stage.until("What is shown is the past");
    assert!(stage.view().snapshot.faults.is_empty());
    for screen in ["gc", "gt", "gg", "gq", "gn", "gw", "gd", "gm", "ga", "ge", "gl", "gs"] {
        stage.keys(screen);
        stage.until("Back to live");
    }
    stage.keys("l");
    stage.until_gone("Back to live");
    stage.until("Live");
    stage.keys("gf");
    stage.until("Nothing is broken");
}
