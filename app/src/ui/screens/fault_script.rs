//! A script from a file: read, looked at, run.

use std::sync::Arc;

use egui::Ui;

use crate::monitor::command::Command;
use crate::monitor::script::Script;
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::file_picker::PickWish;
use crate::ui::file_reading::FileReading;
use crate::ui::format;
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::file_field::FileField;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::text;

/// What this part remembers.
#[derive(Debug, Default)]
pub struct State {
    file: FileField,
    reading: FileReading,
    read: Option<Result<Script, String>>,
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "Run a script", font::heading(), style.text);
    let words = "YAML: steps with their times, a storm, what must hold before and what is expected.";
    text::paragraph(ui, words, font::small(), style.muted);
    let wish = PickWish::Open { title: "A script of faults", endings: &["yaml", "yml"] };
    let chosen = state.file.show(ui, &scene.options.picker, "Script", "/home/me/faults.yaml", wish);
    let path = state.file.path();
    let open = Button::new("Open script").small().enabled(path.is_some()).show(ui);
    if (open.clicked() || chosen)
        && let Some(path) = path
    {
        state.reading.ask(scene, path, actions);
    }
    if let Some(text) = state.reading.take(scene) {
        let script =
            |text: Arc<str>| Script::from_yaml(&text).map_err(|error| format!("The file is no script: {error}."));
        state.read = Some(text.and_then(script));
    }
    match &state.read {
        None => {}
        Some(Err(why)) => {
            text::paragraph(ui, why, font::body(), style.critical);
        }
        Some(Ok(script)) => {
            text::paragraph(ui, &summary(script), font::body(), style.text);
            run(ui, scene, "Run it", script, actions);
        }
    }
}

/// A button that runs a script, unless one runs.
pub fn run(ui: &mut Ui, scene: &Scene<'_>, words: &str, script: &Script, actions: &mut Vec<Action>) {
    let is_free = !scene.model.snapshot().scripts.iter().any(|one| one.phase.is_under_way());
    let button = Button::new(words).small().with_icon(Icon::Start).tone(Tone::Danger).enabled(is_free).show(ui);
    let command = Command::RunScript(Box::new(script.clone()));
    if button.clicked() {
        actions.push(Action::Send(command.clone()));
    }
    let style = palette(ui);
    button.on_hover_ui(|ui| {
        let line = as_command::line(&command, &Around::scene(scene));
        let line = format::shortened(&line, 600);
        text::paragraph(ui, if is_free { &line } else { "A script runs already." }, font::small(), style.muted);
    });
}

fn summary(script: &Script) -> String {
    let mut parts = Vec::new();
    if !script.steps.is_empty() {
        parts.push(format::plural(script.steps.len(), "fault"));
    }
    if let Some(storm) = &script.storm {
        parts.push(format!("a storm of seed {}", storm.seed));
    }
    if !script.workloads.is_empty() {
        parts.push(format::plural(script.workloads.len(), "workload"));
    }
    if !script.expect.is_empty() {
        parts.push(format::plural(script.expect.len(), "expectation"));
    }
    let name = if script.name.is_empty() { "The script" } else { &script.name };
    format!("{name}: {}.", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::script::storm::Storm;

    #[test]
    fn a_script_is_told_in_a_line() {
        let script = Script { storm: Some(Storm { seed: 7, ..Storm::default() }), ..Script::new() };
        assert_eq!(summary(&script), "The script: a storm of seed 7.");
    }
}
