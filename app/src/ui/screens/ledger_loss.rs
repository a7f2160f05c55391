//! What the ledger says of one workload: its verdict, the story of a loss, other anomalies, and what it can and cannot know.

use egui::{Align, Layout, Ui};

use super::ledger::{export_button, verdict_pill};
use crate::monitor::ledger::{LedgerStatus, NamedLoss, RecordRef, Verdict};
use crate::ui::app::{Action, Scene};
use crate::ui::format;
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::text;

/// The verdict in words.
pub fn verdict(ui: &mut Ui, status: &LedgerStatus, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let title = format!("Workload {} on {}", status.id, status.topic);
        text::label(ui, &title, font::heading(), style.text);
        verdict_pill(status).show(ui);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| export_button(ui, status, actions));
    });
    let ink = match status.verdict {
        Verdict::Green => style.text,
        Verdict::Allowed => style.warning,
        Verdict::Looking => style.accent,
        Verdict::Red => style.critical,
    };
    text::paragraph(ui, &status.words, font::body(), ink);
    if let Some(trouble) = status.trouble.as_ref().filter(|trouble| !status.words.contains(&**trouble)) {
        text::paragraph(ui, &format!("In the way of reading: {trouble}."), font::small(), style.muted);
    }
    if status.stop_on_violation {
        text::paragraph(ui, "It is stopped when a promise is broken.", font::small(), style.muted);
    }
}

/// `broker 2`, or that it is not known.
pub fn leader(loss: &NamedLoss) -> String {
    if loss.leader < 0 { "not known".into() } else { format!("broker {}", loss.leader) }
}

fn record(record: &RecordRef, offset_minutes: i32) -> String {
    let mut words = format!("record {} of producer {}", format::count(record.sequence as i64), record.producer);
    if let Some(offset) = record.offset {
        words += &format!(", at offset {}", format::count(offset));
    }
    if let Some(at_ms) = record.acknowledged_ms {
        words += &format!(", acknowledged at {}", format::clock_ms(at_ms, offset_minutes));
    }
    words
}

/// The story of one loss.
pub fn story(ui: &mut Ui, scene: &Scene<'_>, status: &LedgerStatus, loss: &NamedLoss, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let offset_minutes = scene.options.utc_offset_minutes;
    ui.spacing_mut().item_spacing.y = space::S;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let title = format!("Loss {}: {}", loss.number, format::plural(loss.records as usize, "record"));
        text::label(ui, &title, font::heading(), style.text);
        let pill = match (loss.allowed, loss.row) {
            (true, _) => Pill::new(Mood::Warning, Icon::Warning, "Allowed"),
            (false, _) => Pill::new(Mood::Critical, Icon::Critical, "Not allowed"),
        };
        pill.show(ui);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if loss.partition >= 0
                && Button::new("Tape").name("Tape of the partition").small().with_icon(Icon::Topics).show(ui).clicked()
            {
                let topic = (&*status.topic).into();
                actions.push(Action::OpenTape { topic, partition: loss.partition });
            }
        });
    });
    let row = match loss.row {
        Some(row) => format!("Row {row}: {}", loss.row_name),
        None => loss.row_name.clone(),
    };
    text::paragraph(ui, &row, font::small(), style.muted);
    text::paragraph(ui, &loss.story, font::body(), style.text);
    part(ui, "Which", |ui| {
        line(ui, Icon::Forward, &record(&loss.first, offset_minutes), "the first");
        if loss.records > 1 {
            line(ui, Icon::Forward, &record(&loss.last, offset_minutes), "the last");
        }
    });
    if !loss.held.is_empty() {
        part(ui, "Who held them", |ui| {
            for held in &loss.held {
                line(ui, Icon::Broker, &format!("Broker {}", held.node_id), &held.how);
            }
        });
    }
    if !loss.events.is_empty() {
        part(ui, "What happened", |ui| {
            for event in &loss.events {
                let when = format!("{}  {}", format::clock_ms(event.at_ms, offset_minutes), event.text);
                line(ui, Icon::Events, &when, &event.cause);
            }
        });
    }
    if !loss.faults.is_empty() {
        part(ui, "Faults", |ui| {
            for fault in &loss.faults {
                let since = format::clock_ms(fault.since_ms, offset_minutes);
                let until = fault.ended_ms.map(|ended_ms| format::clock_ms(ended_ms, offset_minutes));
                let when = until.map_or_else(|| format!("since {since}"), |until| format!("{since} to {until}"));
                line(ui, Icon::Kill, &format!("Fault {}: {}", fault.id, fault.what), &when);
            }
        });
    }
}

fn part(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui)) {
    text::label(ui, title, font::small(), palette(ui).muted);
    content(ui);
}

/// An icon, what is told, and more of it in small.
fn line(ui: &mut Ui, symbol: Icon, what: &str, more: &str) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        icon::mark(ui, symbol, style.muted);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            text::paragraph(ui, what, font::body(), style.text);
            if !more.is_empty() {
                text::paragraph(ui, more, font::small(), style.faint);
            }
        });
    });
}

/// What is wrong beside losses.
pub fn anomalies(ui: &mut Ui, status: &LedgerStatus) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "Other anomalies", font::heading(), style.text);
    for anomaly in &status.anomalies {
        let (ink, symbol) = match anomaly.unexplained {
            0 => (style.warning, Icon::Warning),
            _ => (style.critical, Icon::Critical),
        };
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            icon::mark(ui, symbol, ink);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                let allowed = anomaly.count - anomaly.unexplained;
                let mut words = format!("{} × {}", format::count(anomaly.count as i64), anomaly.kind.name());
                if allowed > 0 {
                    words += &format!(
                        ", of which {} as the producer's terms and the faults allow",
                        format::count(allowed as i64)
                    );
                }
                text::paragraph(ui, &words, font::body(), ink);
                text::paragraph(ui, &anomaly.first, font::small(), style.faint);
            });
        });
    }
}

/// What is known of how many, and what is not looked for.
pub fn terms(ui: &mut Ui, status: &LedgerStatus) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "What this rests on", font::heading(), style.text);
    let count = |value: u64| format::count(i64::try_from(value).unwrap_or(i64::MAX));
    let mut words = format!(
        "Each acknowledgement is entered by producer and number, and read back by two readers of its own, one of everything and one of what is \
         committed; when the workload has stopped, all is read once more. Of the newest {} acknowledgements it is known where, when and by whom; \
         of {} older ones, that they were given. {} of memory.",
        count(status.details_kept),
        count(status.details_let_go),
        format::bytes(status.memory_bytes as f64)
    );
    if status.expired > 0 {
        words +=
            &format!(" {} had been removed by retention, compaction or deletion before that.", count(status.expired));
    }
    text::paragraph(ui, &words, font::small(), style.muted);
}
