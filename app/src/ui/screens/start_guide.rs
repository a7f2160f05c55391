//! The guided scenarios: which there are, and the one that somebody goes through, step by step.

use std::sync::Arc;

use egui::{Align, Layout, Ui};

use crate::monitor::guide::{PREFIX, Phase, Run, SCENARIOS, Scenario, Watch};
use crate::ui::app::{Action, Scene, Screen};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::card::rule;
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::text;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, run: &mut Option<Run>, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.y = space::S;
    match run {
        Some(run) => under_way(ui, scene, run, actions),
        None => list(ui, scene, run, actions),
    }
}

fn list(ui: &mut Ui, scene: &Scene<'_>, run: &mut Option<Run>, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let snapshot = scene.model.snapshot();
    text::label(ui, "Guided scenarios", font::heading(), style.text);
    let words = "On this cluster, step by step; each step says what it has seen. Topics and workloads that a scenario makes are removed at its end.";
    text::paragraph(ui, words, font::body(), style.muted);
    let obstacle = Run::obstacle(snapshot);
    if let Some(why) = &obstacle {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            icon::mark(ui, Icon::Info, style.warning);
            text::paragraph(ui, why, font::body(), style.warning);
        });
        let is_left = snapshot.topics.iter().any(|topic| topic.name.starts_with(PREFIX));
        if is_left && Button::new("Clean up").small().with_icon(Icon::Trash).show(ui).clicked() {
            let mut leaving = Run::of(SCENARIOS[0]);
            actions.extend(leaving.leave(snapshot).into_iter().map(Action::Send));
            *run = Some(leaving);
            return;
        }
    }
    for scenario in SCENARIOS {
        rule(ui);
        if line(ui, scenario, obstacle.is_none()) {
            *run = Some(Run::of(scenario));
        }
    }
}

fn line(ui: &mut Ui, scenario: &Scenario, is_possible: bool) -> bool {
    let style = palette(ui);
    let mut pressed = false;
    ui.horizontal(|ui| {
        text::label(ui, scenario.title, font::body(), style.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let spoken = format!("Begin: {}", scenario.title);
            let begin = Button::new("Begin").name(&spoken).small().with_icon(Icon::Start).enabled(is_possible);
            pressed = begin.show(ui).clicked();
            let steps = format!("{} steps", scenario.steps.len());
            text::label(ui, &steps, font::small(), style.faint);
        });
    });
    text::paragraph(ui, scenario.what, font::small(), style.muted);
    pressed
}

fn under_way(ui: &mut Ui, scene: &Scene<'_>, run: &mut Run, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        text::label(ui, run.scenario.title, font::heading(), style.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| leave(ui, scene, run, actions));
    });
    text::paragraph(ui, run.scenario.what, font::body(), style.muted);
    if let Phase::Cleaning { .. } = run.phase {
        rule(ui);
        text::label(ui, "Its topics and workloads are being removed …", font::body(), style.muted);
        return;
    }
    for index in 0..run.scenario.steps.len() {
        rule(ui);
        step(ui, scene, run, index, actions);
    }
}

fn leave(ui: &mut Ui, scene: &Scene<'_>, run: &mut Run, actions: &mut Vec<Action>) {
    if matches!(run.phase, Phase::Cleaning { .. }) {
        return;
    }
    let (word, tone) = if run.is_at_end() { ("Clean up and close", Tone::Primary) } else { ("Leave", Tone::Quiet) };
    let response = Button::new(word).small().tone(tone).with_icon(Icon::Close).show(ui);
    if response.clicked() {
        actions.extend(run.leave(scene.model.snapshot()).into_iter().map(Action::Send));
    }
    response.on_hover_text("Heals what is broken, and removes the topics and workloads of this scenario");
}

fn step(ui: &mut Ui, scene: &Scene<'_>, run: &mut Run, index: usize, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let step = &run.scenario.steps[index];
    let is_over = index < run.step || index == run.step && matches!(run.phase, Phase::Done(_));
    let ink = if index > run.step { style.faint } else { style.text };
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL_SMALL);
        ui.spacing_mut().item_spacing.x = space::S;
        if is_over {
            icon::mark(ui, Icon::Check, style.ok);
        }
        text::label(ui, &format!("{}. {}", index + 1, step.title), font::body(), ink);
    });
    if index > run.step {
        return;
    }
    if index == run.step {
        text::paragraph(ui, step.why, font::body(), style.muted);
    }
    match (&run.phase, index < run.step) {
        (_, true) => {
            let told = run.told.get(index).map_or("", String::as_str);
            text::paragraph(ui, told, font::small(), style.ok);
        }
        (Phase::Done(words), _) => {
            text::paragraph(ui, words, font::body(), style.ok);
        }
        (Phase::Doing { seen, is_late, .. }, _) => {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = space::S;
                icon::mark(ui, Icon::Clock, style.accent);
                let words = if seen.is_empty() { "…" } else { seen };
                text::paragraph(ui, words, font::body(), style.text);
            });
            if *is_late {
                let words = "This takes longer than it should. Look at the events and at what is broken; leaving heals everything.";
                text::paragraph(ui, words, font::small(), style.warning);
            }
        }
        _ => {}
    }
    if index == run.step {
        ui.horizontal(|ui| deeds(ui, scene, run, actions));
    }
}

/// The button that is next, and the way to where it is to be seen.
pub fn deeds(ui: &mut Ui, scene: &Scene<'_>, run: &mut Run, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.x = space::S;
    let step = run.now();
    if run.phase == Phase::Ready {
        let begin = Button::new("Do it").name("Do this step").tone(Tone::Primary).with_icon(Icon::Start);
        if begin.show(ui).clicked() {
            actions.extend(run.begin(&scene.model.view.snapshot).into_iter().map(Action::Send));
        }
    } else if matches!(run.phase, Phase::Done(_)) && !run.is_at_end() {
        let next = Button::new("Next step").tone(Tone::Primary).with_icon(Icon::Forward);
        if next.show(ui).clicked() {
            run.next();
        }
    }
    let (name, action) = match step.watch {
        Watch::Cluster => ("Watch the cluster", Action::Go(Screen::Cluster)),
        Watch::Topic(topic) => ("Watch the topic", Action::OpenTopic(Arc::from(topic))),
        Watch::Group(group) => ("Watch the group", Action::OpenGroup(Arc::from(group))),
        Watch::Workloads => ("Watch the workloads", Action::Go(Screen::Workloads)),
    };
    if Button::new(name).with_icon(Icon::Search).show(ui).clicked() {
        actions.push(action);
    }
}
