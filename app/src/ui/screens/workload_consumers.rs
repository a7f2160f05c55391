//! How a workload's consumers read, who they are, and how to have one crash.

use egui::{Align, Layout, Ui};

use super::workload_producers::{Acts, choose, part, pause, slide};
use crate::monitor::command::Command;
use crate::monitor::snapshot::WorkloadStatus;
use crate::monitor::workload::{ClientState, ConsumerStatus, Isolation, OffsetReset, WorkloadChange, WorkloadSpec};
use crate::ui::app::Action;
use crate::ui::format;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::slider::{Scale, Slider};
use crate::ui::widgets::text;

const ISOLATIONS: [(Isolation, &str); 2] =
    [(Isolation::ReadCommitted, "read_committed"), (Isolation::ReadUncommitted, "read_uncommitted")];
const RESETS: [(OffsetReset, &str); 2] = [(OffsetReset::Earliest, "earliest"), (OffsetReset::Latest, "latest")];

/// Paints it; what is set goes into `change`.
pub fn show(
    ui: &mut Ui,
    workload: &WorkloadStatus,
    spec: &WorkloadSpec,
    change: &mut WorkloadChange,
    actions: &mut Vec<Action>,
) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.horizontal(|ui| {
        text::label(ui, "Consumers", font::heading(), style.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let who = format!("consumers of workload {}", workload.id);
            pause(ui, &who, spec.consumers_paused, "consumers_paused", change);
        });
    });
    let count = |value: f64| format!("{value}");
    let least = if spec.producers == 0 { 1.0 } else { 0.0 };
    let slider = Slider::new("Number of consumers", least..=32.0, &count)
        .caption("Number")
        .help("Members of one group; those beyond the number of partitions have nothing to read");
    slide(ui, slider, Acts::AtOnce, spec.consumers.into(), ("consumers", false), change);
    let time = |value: f64| if value == 0.0 { "none".to_owned() } else { format::millis(value / 1e3) };
    let slider = Slider::new("Time per record", 0.0..=10_000_000.0, &time)
        .scale(Scale::LogFromZero(10.0))
        .help("How long a consumer is busy with each record; what is typed is in µs");
    slide(ui, slider, Acts::AtOnce, spec.processing_us as f64, ("processing_us", false), change);
    text::paragraph(ui, &capacity(spec), font::small(), style.faint);
    members(ui, workload, actions);
    part(ui, "Group: a change has the consumers start anew");
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(space::S, space::XS);
        choose(ui, "Isolation", spec.isolation, &ISOLATIONS, "isolation", change);
        choose(ui, "Offset reset", spec.offset_reset, &RESETS, "offset_reset", change);
    });
    let millis = |value: f64| format::millis(value);
    let slider = Slider::new("Session timeout", 6_000.0..=600_000.0, &millis)
        .scale(Scale::Log)
        .help("session.timeout.ms: a consumer that crashed is missed after this long");
    slide(ui, slider, Acts::WhenLetGo, spec.session_timeout_ms as f64, ("session_timeout_ms", false), change);
}

/// What the time per record comes to.
fn capacity(spec: &WorkloadSpec) -> String {
    if spec.processing_us == 0 || spec.consumers == 0 {
        return "They read as fast as they can.".to_owned();
    }
    let each = 1e6 / spec.processing_us as f64;
    format!("At most {} each, {} together.", format::rate(each), format::rate(each * f64::from(spec.consumers)))
}

fn members(ui: &mut Ui, workload: &WorkloadStatus, actions: &mut Vec<Action>) {
    part(ui, &format!("Members of {}", if workload.group.is_empty() { "no group" } else { &workload.group }));
    let crashed = workload.members.iter().filter(|member| member.state == ClientState::Crashed).count();
    for member in &workload.members {
        line(ui, workload.id, member, actions);
    }
    if crashed > 1 {
        let revive = Command::ReviveConsumer { id: workload.id, consumer: None };
        if Button::new("Revive all").small().with_icon(Icon::Heal).show(ui).clicked() {
            actions.push(Action::Send(revive));
        }
    }
}

fn line(ui: &mut Ui, id: u64, member: &ConsumerStatus, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL_SMALL);
        ui.spacing_mut().item_spacing.x = space::S;
        text::label(ui, &member.client_id, font::body(), style.text);
        let pill = match member.state {
            ClientState::Running => Pill::new(Mood::Good, Icon::Check, "Running"),
            ClientState::Ending => Pill::new(Mood::Busy, Icon::Clock, "Starting anew"),
            ClientState::Crashed => Pill::new(Mood::Critical, Icon::Kill, "Crashed"),
            ClientState::Failed => Pill::new(Mood::Critical, Icon::Critical, "Failed"),
        };
        pill.show(ui);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let consumer = Some(member.number);
            if member.state == ClientState::Crashed {
                let spoken = format!("Revive consumer {} of workload {id}", member.number);
                let button = Button::new("Revive").name(&spoken).small().with_icon(Icon::Heal);
                if button.show(ui).clicked() {
                    actions.push(Action::Send(Command::ReviveConsumer { id, consumer }));
                }
            } else {
                let spoken = format!("Crash consumer {} of workload {id}", member.number);
                let button = Button::new("Crash").name(&spoken).small().with_icon(Icon::Kill).tone(Tone::Danger);
                let response = button.enabled(member.state == ClientState::Running).show(ui);
                if response.clicked() {
                    actions.push(Action::Send(Command::CrashConsumer { id, consumer }));
                }
                response.on_hover_text(
                    "As if its process were killed: it does not leave its group, which waits until its session times out.",
                );
            }
            let words = format!("{} read", format::short(member.read as i64));
            text::label(ui, &words, font::small(), style.faint);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_per_record_says_what_it_comes_to() {
        let spec = WorkloadSpec { processing_us: 5_000, consumers: 3, ..WorkloadSpec::default() };
        assert_eq!(capacity(&spec), "At most 200/s each, 600/s together.");
        assert_eq!(capacity(&WorkloadSpec::default()), "They read as fast as they can.");
    }
}
