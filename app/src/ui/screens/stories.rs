//! What just happened, as stories: a card each, the newest first and open.

use std::collections::{BTreeSet, HashMap};

use egui::{ScrollArea, Sense, Ui, vec2};

use super::{starting, story_card};
use crate::monitor::story::{self, Outlook, Story};
use crate::monitor::view::Severity;
use crate::ui::app::{Action, Scene};
use crate::ui::model::Cached;
use crate::ui::tokens::space;
use crate::ui::widgets::empty::{empty, no_match};
use crate::ui::widgets::icon::Icon;

/// How high a card is until it was laid out once.
const CARD_HEIGHT: f32 = 72.0;

/// Heights that are remembered at most; of more, all are measured anew.
const HEIGHTS_KEPT: usize = 1_000;

/// What this half remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Worked out when something new was told, and once a second for what is measured.
    stories: Cached<(u64, i64), Vec<Story>>,
    /// Those that pass the filter, by place.
    passing: Cached<(u64, i64, Asked), Vec<usize>>,
    /// Which are open; `None`: nobody chose yet.
    open: Option<BTreeSet<u64>>,
    /// Steps that are shown event by event, by story and place.
    unfolded: BTreeSet<(u64, usize)>,
    heights: HashMap<(u64, bool), f32>,
    width: f32,
}

impl State {
    fn is_open(&self, id: u64, first: Option<u64>) -> bool {
        self.open.as_ref().map_or(first == Some(id), |open| open.contains(&id))
    }

    fn turn(&mut self, id: u64, first: Option<u64>) {
        let open = self.open.get_or_insert_with(|| first.into_iter().collect());
        if !open.remove(&id) {
            open.insert(id);
        }
    }
}

/// Which stories are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Words that they must have, small letters.
    pub words: String,
    /// How grave they are at least.
    pub least: Severity,
}

impl Asked {
    fn passes(&self, story: &Story) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.words);
        story.severity >= self.least
            && (self.words.is_empty()
                || has(&story.title)
                || story
                    .steps
                    .iter()
                    .any(|step| has(&step.text) || has(&step.cause) || step.items.iter().any(|item| has(item))))
    }
}

/// How many there are.
pub fn count(scene: &Scene<'_>, state: &mut State) -> usize {
    told(scene, &mut state.stories).len()
}

fn key(scene: &Scene<'_>) -> (u64, i64) {
    let view = &scene.model.view;
    (view.events.back().map_or(0, |event| event.seq), view.series.at_ms.back().copied().unwrap_or(0))
}

fn told<'s>(scene: &Scene<'_>, stories: &'s mut Cached<(u64, i64), Vec<Story>>) -> &'s [Story] {
    let view = &scene.model.view;
    stories.get(key(scene), || story::stories(&view.events, &view.series, &view.snapshot))
}

/// Paints them; returns whether the filter is to be cleared.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, asked: &Asked, actions: &mut Vec<Action>) -> bool {
    let mut stories = std::mem::take(&mut state.stories);
    let mut passing = std::mem::take(&mut state.passing);
    let all = told(scene, &mut stories);
    let (last_seq, last_ms) = key(scene);
    let places = || (0..all.len()).filter(|place| asked.passes(&all[*place])).collect();
    let shown: Vec<&Story> =
        passing.get((last_seq, last_ms, asked.clone()), places).iter().map(|place| &all[*place]).collect();
    let mut is_cleared = false;
    if all.is_empty() {
        if !starting(ui, scene, "What happens to it is told here") {
            let hint = "Break something, under Faults or with the other mouse button on a broker: what came of it is told here.";
            empty(ui, Icon::Events, "Nothing has gone wrong yet", hint);
        }
    } else if shown.is_empty() {
        is_cleared =
            no_match(ui, "No story matches", "It looks for its words in what happened and why, from cause to effect.");
    } else {
        list(ui, scene, state, &shown, actions);
    }
    (state.stories, state.passing) = (stories, passing);
    is_cleared
}

/// Before anybody chose: of what goes on, the gravest and newest; else the newest.
fn first_open(stories: &[&Story]) -> Option<u64> {
    let going = stories.iter().rev().filter(|story| story.outlook == Outlook::Going);
    going.max_by_key(|story| story.severity).or(stories.first()).map(|story| story.id)
}

/// Cards out of sight are not laid out.
fn list(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, stories: &[&Story], actions: &mut Vec<Action>) {
    let first = first_open(stories);
    ScrollArea::vertical().id_salt("stories").auto_shrink([false, false]).show_viewport(ui, |ui, viewport| {
        ui.spacing_mut().item_spacing.y = 0.0;
        // Heights are of this width.
        if state.width != ui.available_width() || state.heights.len() > HEIGHTS_KEPT {
            state.heights.clear();
            state.width = ui.available_width();
        }
        let mut top = 0.0;
        for story in stories {
            let is_open = state.is_open(story.id, first);
            let height = state.heights.get(&(story.id, is_open)).copied();
            let expected = height.unwrap_or(CARD_HEIGHT);
            let is_out = top + expected < viewport.top() || top > viewport.bottom();
            if is_out {
                ui.allocate_exact_size(vec2(ui.available_width(), expected), Sense::hover());
                top += expected;
                continue;
            }
            let before = ui.cursor().top();
            let pressed = story_card::show(ui, scene, story, is_open, &mut state.unfolded, actions);
            ui.add_space(space::M);
            let height = ui.cursor().top() - before;
            state.heights.insert((story.id, is_open), height);
            top += height;
            if pressed {
                state.turn(story.id, first);
            }
        }
    });
}
