//! The quorum room: who votes and who follows, how far each log is, who was elected and by whom; the metadata records as they are written; and
//! what they add up to as a tree, where ZooKeeper's had its place.

use egui::Ui;

use super::{header, quorum_log, quorum_members, quorum_tree, starting};
use crate::monitor::snapshot::{Quorum, Voter};
use crate::ui::app::{Action, Scene};
use crate::ui::format;
use crate::ui::tokens::space;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::tabs::tabs;
use crate::ui::widgets::tile;

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Which tab is shown.
    pub tab: Tab,
    /// Of the members.
    pub members: quorum_members::State,
    /// Of the records.
    pub log: quorum_log::State,
    /// Of the tree.
    pub tree: quorum_tree::State,
}

/// What of the quorum is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// Voters, observers, elections, snapshots.
    #[default]
    Members,
    /// Records as they are written.
    Log,
    /// What they add up to.
    Tree,
}

const TABS: [(Tab, &str); 3] =
    [(Tab::Members, "Voters and elections"), (Tab::Log, "Metadata records"), (Tab::Tree, "State as a tree")];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let quorum = &scene.model.snapshot().quorum;
    header(ui, "Quorum", &summary(quorum), |_| {});
    if starting(ui, scene, "Its voters appear here") {
        return;
    }
    tile::row(ui, &tiles(quorum));
    ui.add_space(space::M);
    tabs(ui, &mut state.tab, &TABS);
    match state.tab {
        Tab::Members => quorum_members::show(ui, scene, &mut state.members, actions),
        Tab::Log => quorum_log::show(ui, scene, &mut state.log, actions),
        Tab::Tree => quorum_tree::show(ui, scene, &mut state.tree),
    }
}

/// Those that vote: a controller that only looks on is none.
pub fn voting(quorum: &Quorum) -> impl Iterator<Item = &Voter> {
    quorum.voters.iter().filter(|voter| voter.role != "observer")
}

/// Votes that a leader needs, and that a record needs to be committed.
pub fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// How many more voters may fail; `None`: too many have already.
fn spare(quorum: &Quorum) -> Option<usize> {
    let up = voting(quorum).filter(|voter| voter.role != "offline").count();
    up.checked_sub(majority(voting(quorum).count()))
}

fn summary(quorum: &Quorum) -> String {
    match spare(quorum) {
        None => "no majority: nothing that is metadata can change, and no leader be elected".into(),
        Some(0) => "a majority, and no voter to spare".into(),
        Some(spare) => format!("a majority, and {} to spare", format::plural(spare, "voter")),
    }
}

fn tiles(quorum: &Quorum) -> Vec<(&'static str, String, Mood)> {
    let voters = voting(quorum).count();
    let up = voting(quorum).filter(|voter| voter.role != "offline").count();
    let mood = match spare(quorum) {
        None => Mood::Critical,
        Some(_) if up < voters => Mood::Warning,
        Some(_) => Mood::Quiet,
    };
    let leader = match quorum.leader_id {
        ..0 => ("none".to_owned(), Mood::Critical),
        id => (id.to_string(), Mood::Quiet),
    };
    vec![
        ("Active controller", leader.0, leader.1),
        ("Epoch", quorum.epoch.to_string(), Mood::Quiet),
        ("High watermark", format::count(quorum.high_watermark), Mood::Quiet),
        ("Voters that run", format!("{up} of {voters}"), mood),
        ("Majority", majority(voters).to_string(), Mood::Quiet),
        ("Observers", quorum.observers.len().to_string(), Mood::Quiet),
        ("kraft.version", quorum.kraft_version.to_string(), Mood::Quiet),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn what_may_still_fail_is_counted_by_those_that_vote() {
        let view = fixture::healthy();
        let mut quorum = view.snapshot.quorum.clone();
        assert_eq!((majority(3), majority(4), majority(5), spare(&quorum)), (2, 3, 3, Some(1)));
        assert_eq!(summary(&quorum), "a majority, and 1 voter to spare");
        quorum.voters[0].role = "offline".into();
        assert_eq!(spare(&quorum), Some(0));
        quorum.voters[2].role = "offline".into();
        assert_eq!(spare(&quorum), None);
        assert!(summary(&quorum).starts_with("no majority"));
        quorum.voters[0].role = "observer".into();
        assert_eq!((voting(&quorum).count(), spare(&quorum)), (2, None), "who does not vote is no help");
    }
}
