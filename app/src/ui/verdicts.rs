//! Verdicts on groups and their partitions, as pills and in words.

use super::model::Model;
use super::widgets::icon::Icon;
use super::widgets::pill::{Mood, Pill};
use crate::monitor::groups::Watched;
use crate::monitor::groups::verdict::Verdict;
use crate::monitor::snapshot::Group;

/// How bad it is.
pub fn mood(verdict: Verdict) -> Mood {
    match verdict {
        Verdict::Watching => Mood::Quiet,
        Verdict::KeepingUp => Mood::Good,
        Verdict::Recovering => Mood::Busy,
        Verdict::FallingBehind => Mood::Warning,
        Verdict::Stalled | Verdict::Overtaken => Mood::Critical,
    }
}

/// As a pill.
pub fn pill(verdict: Verdict) -> Pill {
    let mood = mood(verdict);
    match verdict {
        Verdict::Watching => Pill::new(mood, Icon::Clock, "Watching"),
        Verdict::KeepingUp => Pill::new(mood, Icon::Check, "Keeping up"),
        Verdict::Recovering => Pill::new(mood, Icon::Up, "Recovering"),
        Verdict::FallingBehind => Pill::new(mood, Icon::Down, "Falling behind"),
        Verdict::Stalled => Pill::new(mood, Icon::Pause, "Stalled"),
        Verdict::Overtaken => Pill::new(mood, Icon::Trash, "Overtaken"),
    }
}

/// What is known of a group over time.
pub fn watched<'a>(model: &'a Model, group: &Group) -> Option<&'a Watched> {
    model.view.groups.watched.get(&group.id).filter(|_| group.is_measured())
}

/// A group's verdict; `None`: there is nothing to go by.
pub fn of(model: &Model, group: &Group) -> Option<Verdict> {
    watched(model, group).map(|watched| watched.standing.verdict)
}

/// What columns of verdicts are explained with.
pub const HELP: &str = "Of the last two minutes, as commits tell. Keeping up: its lag does not grow. Recovering: it shrinks. Falling behind: \
                        it grows. Stalled: nothing is committed (of a share group: acknowledged) though records wait. Overtaken: records were deleted before they were read";
