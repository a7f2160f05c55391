//! A run of a script: where it stands, its faults, and what came of what was expected.

use egui::{Align, Layout, Ui};

use crate::monitor::command::Command;
use crate::monitor::script::status::{Outcome, Phase, ScriptStatus, StepState, StepStatus, Verdict};
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::format;
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::text;

/// Steps that are shown: those around what happens now.
const STEPS_SHOWN: usize = 8;

fn phase_pill(phase: Phase) -> Pill {
    match phase {
        Phase::Steadying => Pill::new(Mood::Busy, Icon::Clock, "Waits for the steady state"),
        Phase::Running => Pill::new(Mood::Warning, Icon::Kill, "Breaks things"),
        Phase::Settling => Pill::new(Mood::Busy, Icon::Clock, "Looks how it recovers"),
        Phase::Ended => Pill::new(Mood::Quiet, Icon::Check, "Over"),
        Phase::Stopped => Pill::new(Mood::Quiet, Icon::Stop, "Stopped"),
    }
}

fn outcome_pill(outcome: Outcome) -> Pill {
    match outcome {
        Outcome::Open => Pill::new(Mood::Busy, Icon::Clock, "Open"),
        Outcome::Held => Pill::new(Mood::Good, Icon::Check, "Held"),
        Outcome::Broken => Pill::new(Mood::Critical, Icon::Critical, "Broken"),
        Outcome::NotMeasured => Pill::new(Mood::Quiet, Icon::Info, "Not measured"),
    }
}

fn step_pill(state: StepState) -> Pill {
    match state {
        StepState::Waiting => Pill::new(Mood::Quiet, Icon::Clock, "Waiting"),
        StepState::InForce => Pill::new(Mood::Warning, Icon::Kill, "In force"),
        StepState::Over => Pill::new(Mood::Good, Icon::Heal, "Over"),
        StepState::Refused => Pill::new(Mood::Critical, Icon::Close, "Refused"),
        StepState::Skipped => Pill::new(Mood::Quiet, Icon::Close, "Skipped"),
    }
}

/// Paints the newest run.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, run: &ScriptStatus, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let name = if run.name.is_empty() { "Script" } else { &run.name };
        let title = format!("{}. {}", run.id, format::shortened(name, 32));
        text::label(ui, &title, font::heading(), style.text);
        phase_pill(run.phase).show(ui);
        if run.phase.is_under_way() {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| stop(ui, scene, run, actions));
        }
    });
    if !run.hypothesis.is_empty() {
        text::paragraph(ui, &run.hypothesis, font::body(), style.muted);
    }
    text::paragraph(ui, &where_it_stands(run, scene.model.now_ms()), font::small(), style.muted);
    if let Some(why) = &run.why {
        text::paragraph(ui, why, font::body(), style.warning);
    }
    verdicts(ui, "Steady state", &run.steady);
    verdicts(ui, "Expected", &run.verdicts);
    steps(ui, run);
}

fn stop(ui: &mut Ui, scene: &Scene<'_>, run: &ScriptStatus, actions: &mut Vec<Action>) {
    let command = Command::StopScript(run.id);
    let line = as_command::line(&command, &Around::scene(scene));
    let name = format!("Stop script {}", run.id);
    let button = Button::new("Stop").name(&name).small().with_icon(Icon::Stop).tone(Tone::Danger).show(ui);
    if button.clicked() {
        actions.push(Action::Send(command));
    }
    button.on_hover_text(format!("Ends it, and heals what it broke\n{line}"));
}

fn where_it_stands(run: &ScriptStatus, now_ms: i64) -> String {
    let over = run.steps.iter().filter(|step| step.state == StepState::Over).count();
    let done = format!("{over} of {} are over", format::plural(run.steps.len(), "fault"));
    match run.next_step_ms().filter(|_| run.phase == Phase::Running) {
        Some(next_ms) => {
            format!("{done}; the next begins in {:.0} s.", ((next_ms - now_ms).max(0) as f64 / 1e3).ceil())
        }
        None => format!("{done}."),
    }
}

fn verdicts(ui: &mut Ui, title: &str, verdicts: &[Verdict]) {
    if verdicts.is_empty() {
        return;
    }
    let style = palette(ui);
    text::label(ui, title, font::small(), style.faint);
    for verdict in verdicts {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            outcome_pill(verdict.outcome).show(ui);
            text::label(ui, &verdict.check, font::body(), style.text);
        });
        text::paragraph(ui, &verdict.seen, font::small(), style.muted);
    }
}

/// Those in force, and what comes before and after them.
fn steps(ui: &mut Ui, run: &ScriptStatus) {
    let style = palette(ui);
    text::label(ui, "Faults", font::small(), style.faint);
    let is_over = |step: &StepStatus| !matches!(step.state, StepState::Waiting | StepState::InForce);
    let over = run.steps.iter().take_while(|step| is_over(step)).count();
    let first = over.saturating_sub(STEPS_SHOWN / 2).min(run.steps.len().saturating_sub(STEPS_SHOWN));
    if first > 0 {
        text::label(ui, &format!("{} before", format::plural(first, "fault")), font::small(), style.faint);
    }
    for step in run.steps.iter().skip(first).take(STEPS_SHOWN) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            let at = format!("{:.1} s", step.at_ms as f64 / 1000.0);
            text::label(ui, &at, font::mono(), style.muted);
            step_pill(step.state).show(ui);
            let words = if step.what.is_empty() { words_of(step) } else { step.what.clone() };
            text::label(ui, &words, font::body(), style.text);
        });
    }
    let after = run.steps.len().saturating_sub(first + STEPS_SHOWN);
    if after > 0 {
        text::label(ui, &format!("{} more", format::plural(after, "fault")), font::small(), style.faint);
    }
}

/// What a fault that has not begun is to be.
fn words_of(step: &StepStatus) -> String {
    let fault = &step.fault;
    let end = |end: crate::monitor::fault::End| end.node().map_or_else(|| "clients".to_owned(), |id| id.to_string());
    let whom = match (fault.broker.or(fault.controller), &fault.zone, fault.from, fault.to, fault.workload) {
        (Some(id), ..) => crate::monitor::names::node_inside(id),
        (_, Some(zone), ..) => format!("zone {zone}"),
        (_, _, Some(from), Some(to), _) => format!("{} to {}", end(from), end(to)),
        (.., Some(workload)) => format!("workload {workload}"),
        _ => String::new(),
    };
    let lasts = fault.duration_ms.map(|ms| format!(", for {:.1} s", ms as f64 / 1000.0)).unwrap_or_default();
    format!("{} {whom}{lasts}", fault.kind.name().replace('_', " "))
}
