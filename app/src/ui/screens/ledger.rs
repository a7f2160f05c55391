//! The durability ledger: a verdict for each workload, its counts, and what is gone, with the story of the chosen loss at the right.

use std::sync::Arc;

use egui::Ui;

use super::{header, ledger_loss, side_by_side, starting};
use crate::monitor::ledger::{LedgerStatus, NamedLoss, Stage, Verdict};
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::card::{card, framed, mood_card};
use crate::ui::widgets::empty::{empty, no_match};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::layout::page;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::table::{Column, Item, Table, TableState};
use crate::ui::widgets::{text, tile};

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// The chosen workload; without one, the worst.
    pub chosen: Option<u64>,
    /// Words that topics or verdicts must have.
    pub filter: String,
    /// The chosen loss; without one, the first that is not allowed, else the first.
    pub loss: Option<u64>,
    table: TableState,
    losses: TableState,
    rows: Cached<(u64, String), Vec<usize>>,
}

const COLUMNS: [Column; 4] = [
    Column::text("Workload", 96.0, 1.0).unsorted(),
    Column::text("Verdict", 104.0, 0.1).unsorted(),
    Column::number("Acked", 62.0, 0.2).unsorted(),
    Column::number("Lost", 48.0, 0.1).unsorted(),
];

const LOSSES: [Column; 6] = [
    Column::text("What", 84.0, 0.1).unsorted(),
    Column::text("Where", 150.0, 0.5).unsorted(),
    Column::number("Records", 66.0, 0.0).unsorted(),
    Column::text("Acknowledged", 108.0, 0.2).unsorted(),
    Column::text("By", 104.0, 0.1).unsorted(),
    Column::text("Promise", 110.0, 1.0).unsorted(),
];

/// Of what vanished, the newest are told.
const VANISHED_SHOWN: usize = 5;

/// The list's share of the width, and its bounds.
const LIST_SHARE: f32 = 0.32;
const LIST: std::ops::RangeInclusive<f32> = 318.0..=430.0;
/// Tables show at most so many rows before they scroll by themselves.
const ROWS_AT_MOST: f32 = 6.0;

/// What is to be thought of a workload.
pub fn verdict_pill(status: &LedgerStatus) -> Pill {
    match (status.verdict, status.stage) {
        (Verdict::Red, _) => Pill::new(Mood::Critical, Icon::Critical, "Violated"),
        (Verdict::Looking, _) => Pill::new(Mood::Busy, Icon::Search, "Looking"),
        (Verdict::Allowed, Stage::Unfinished) if status.lost == 0 => {
            Pill::new(Mood::Warning, Icon::Warning, "Unverified")
        }
        (Verdict::Allowed, _) => Pill::new(Mood::Warning, Icon::Warning, "Allowed loss"),
        (Verdict::Green, Stage::Verified) => Pill::new(Mood::Good, Icon::Check, "Verified"),
        (Verdict::Green, Stage::Draining) => Pill::new(Mood::Busy, Icon::Clock, "Reading all"),
        (Verdict::Green, _) => Pill::new(Mood::Good, Icon::Check, "Kept so far"),
    }
}

/// The mood of a verdict.
pub fn mood(verdict: Verdict) -> Mood {
    match verdict {
        Verdict::Green => Mood::Good,
        Verdict::Allowed => Mood::Warning,
        Verdict::Looking => Mood::Busy,
        Verdict::Red => Mood::Critical,
    }
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let ledger = &scene.model.view.ledger;
    header(ui, "Ledger", &summary(&ledger.workloads), |_| {});
    if starting(ui, scene, "What was promised is entered here") {
        return;
    }
    let worst = ledger.workloads.iter().max_by_key(|status| (status.verdict, status.id));
    let chosen = state.chosen.and_then(|id| ledger.workloads.iter().find(|one| one.id == id)).or(worst).cloned();
    let (width, height) = (ui.available_width(), ui.available_height());
    let list = (width * LIST_SHARE).clamp(*LIST.start(), *LIST.end()).floor();
    side_by_side(ui, &[list, width - list - space::M], space::M, |ui, index| {
        ui.set_max_height(height);
        match (index, &chosen) {
            (0, _) => overview(ui, scene, state, chosen.as_ref().map(|one| one.id), actions),
            (_, Some(status)) => detail(ui, scene, state, status, actions),
            (_, None) => empty(
                ui,
                Icon::Ledger,
                "No workload has written anything",
                "Start one under Workloads: every acknowledgement is entered here, and read back.",
            ),
        }
    });
}

fn summary(workloads: &[Arc<LedgerStatus>]) -> String {
    let red = workloads.iter().filter(|status| status.verdict == Verdict::Red).count();
    let acked: u64 = workloads.iter().map(|status| status.acked).sum();
    let lost: u64 = workloads.iter().map(|status| status.lost).sum();
    match (workloads.len(), red) {
        (0, _) => "what an acknowledged record was worth, record by record".to_owned(),
        (_, 0) => format!("{} acknowledged · {} lost · no promise broken", count(acked), count(lost)),
        (_, red) => format!(
            "{} acknowledged · {} lost · promises broken in {}",
            count(acked),
            count(lost),
            format::plural(red, "workload")
        ),
    }
}

fn count(value: u64) -> String {
    format::count(i64::try_from(value).unwrap_or(i64::MAX))
}

fn overview(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, chosen: Option<u64>, actions: &mut Vec<Action>) {
    page(ui, "ledgers", |ui| {
        ui.spacing_mut().item_spacing.y = space::S;
        if !scene.model.view.ledger.workloads.is_empty() {
            list(ui, scene, state, chosen, actions);
        }
        clients(ui, scene);
    });
}

fn list(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, chosen: Option<u64>, actions: &mut Vec<Action>) {
    let ledger = &scene.model.view.ledger;
    filter_box(ui, "Filter ledgers", "Filter ledgers", &mut state.filter);
    let filter = state.filter.trim().to_lowercase();
    let rows = state.rows.get((ledger.generation, filter.clone()), || rows(&ledger.workloads, &filter));
    framed(ui, |ui| {
        if rows.is_empty() {
            if no_match(ui, "No ledger matches", "The filter looks at topics and verdicts.") {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "ledgers",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * ROWS_AT_MOST),
            active: true,
            selected: rows.iter().position(|row| Some(ledger.workloads[*row].id) == chosen),
        };
        let menu = |index: usize| menu(&ledger.workloads[rows[index]]);
        let (pressed, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let status = &ledger.workloads[rows[index]];
            row.strong(&format!("{} · {}", status.id, status.topic));
            row.pill(Some(&verdict_pill(status)));
            row.text(&format::compact(status.acked as f64));
            row.text(&format::compact(status.lost as f64));
        });
        actions.extend(asked);
        if let Some(row) = pressed {
            (state.chosen, state.loss) = (Some(ledger.workloads[rows[row]].id), None);
        }
    });
}

fn rows(workloads: &[Arc<LedgerStatus>], filter: &str) -> Vec<usize> {
    let matches = |status: &LedgerStatus| {
        format!("{} {} {} {}", status.id, status.topic, verdict_pill(status).text, status.words)
            .to_lowercase()
            .contains(filter)
    };
    let mut rows: Vec<usize> = (0..workloads.len()).filter(|index| matches(&workloads[*index])).collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(workloads[*row].verdict), std::cmp::Reverse(workloads[*row].id)));
    rows
}

fn menu(status: &LedgerStatus) -> Vec<Item<Action>> {
    vec![
        Item::new(format!("Workload {}", status.id), Icon::Pulse, Action::OpenWorkload(status.id)),
        Item::new(format!("Topic {}", status.topic), Icon::Topics, Action::OpenTopic((&*status.topic).into())),
        Item::new("Export a reproduction", Icon::Folder, Action::Ask(Dialog::ExportLedger(status.id))),
        Item::copy("the verdict", &status.words),
    ]
}

/// What vanished of anybody's clients.
fn clients(ui: &mut Ui, scene: &Scene<'_>) {
    let style = palette(ui);
    let vanished = &scene.model.view.ledger.vanished;
    let now_ms = scene.model.snapshot().at_ms;
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::S;
        text::label(ui, "All clients", font::heading(), style.text);
        let words = "Brokers tell a few times a second how far they acknowledged. What a later leader does not have is told here; what was \
                     acknowledged after a leader's last word is not seen.";
        text::paragraph(ui, words, font::small(), style.muted);
        if vanished.is_empty() {
            text::paragraph(ui, "Nothing acknowledged was seen to vanish.", font::body(), style.ok);
        }
        for one in vanished.iter().rev().take(VANISHED_SHOWN) {
            let below = (one.committed_end.min(one.to_offset) - one.from_offset).max(0);
            let ink = if below > 0 { style.critical } else { style.warning };
            let ago = format::ago(now_ms, one.at_ms);
            let ago = if ago == "now" { ago } else { format!("{ago} ago") };
            let records = format::plural((one.to_offset - one.from_offset).max(0) as usize, "offset");
            let title = format!("{}-{}: {records}, {ago}", one.topic, one.partition);
            text::paragraph(ui, &title, font::body(), ink);
            text::paragraph(ui, &one.words, font::small(), style.muted);
        }
        if vanished.len() > VANISHED_SHOWN {
            let words = format!("{} more at /api/ledger?of=clients.", vanished.len() - VANISHED_SHOWN);
            text::paragraph(ui, &words, font::small(), style.faint);
        }
    });
}

fn detail(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, status: &LedgerStatus, actions: &mut Vec<Action>) {
    page(ui, "ledger", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        mood_card(ui, mood(status.verdict), |ui| ledger_loss::verdict(ui, status, actions));
        tile::row(ui, &tiles(status));
        if !status.losses.is_empty() {
            let chosen = chosen_loss(status, state.loss);
            losses(ui, scene, state, status, chosen);
            if let Some(loss) = chosen.and_then(|number| status.losses.iter().find(|loss| loss.number == number)) {
                card(ui, |ui| ledger_loss::story(ui, scene, status, loss, actions));
            }
        }
        if !status.anomalies.is_empty() {
            card(ui, |ui| ledger_loss::anomalies(ui, status));
        }
        card(ui, |ui| ledger_loss::terms(ui, status));
    });
}

fn tiles(status: &LedgerStatus) -> [(&'static str, String, Mood); 12] {
    let quiet = |name, value: u64| (name, count(value), Mood::Quiet);
    let bad = |name, value: u64| (name, count(value), if value > 0 { Mood::Critical } else { Mood::Quiet });
    let lost = match (status.lost, status.lost_allowed) {
        (0, _) => Mood::Quiet,
        (lost, allowed) if lost == allowed => Mood::Warning,
        _ => mood(status.verdict),
    };
    let excused = |name, value: u64, is_bad: bool| {
        (
            name,
            count(value),
            if value == 0 {
                Mood::Quiet
            } else if is_bad {
                Mood::Critical
            } else {
                Mood::Warning
            },
        )
    };
    let is_bad = |kind| status.anomalies.iter().any(|one| one.kind == kind && one.unexplained > 0);
    use crate::monitor::ledger::Kind;
    [
        quiet("Sent", status.sent),
        quiet("Acknowledged", status.acked),
        quiet("Unknown", status.unknown),
        quiet("Refused", status.failed),
        quiet("Aborted", status.aborted),
        quiet("Read", status.read),
        quiet("Read committed", status.read_committed),
        ("Lost", count(status.lost), lost),
        excused("Duplicated", status.duplicated, is_bad(Kind::Duplicate)),
        excused("Reordered", status.reordered, is_bad(Kind::NonmonotonicSend)),
        bad("Aborted, seen", status.aborted_but_seen),
        bad("Unexplained", status.unexplained),
    ]
}

fn chosen_loss(status: &LedgerStatus, wished: Option<u64>) -> Option<u64> {
    let is_there = |number: &u64| status.losses.iter().any(|loss| loss.number == *number);
    let worst = || status.losses.iter().find(|loss| !loss.allowed).or(status.losses.first());
    wished.filter(is_there).or_else(|| worst().map(|loss| loss.number))
}

fn losses(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, status: &LedgerStatus, chosen: Option<u64>) {
    let (now_ms, offset) = (scene.model.snapshot().at_ms, scene.options.utc_offset_minutes);
    let height = size::HEADER + size::ROW_TALL * (status.losses.len() as f32).min(ROWS_AT_MOST);
    framed(ui, |ui| {
        let table = Table {
            id: "losses",
            columns: &LOSSES,
            rows: status.losses.len(),
            row_height: size::ROW_TALL,
            max_height: Some(height),
            active: true,
            selected: status.losses.iter().position(|loss| Some(loss.number) == chosen),
        };
        let pressed = table.show(ui, &mut state.losses, |index, row| {
            let loss = &status.losses[index];
            row.text(loss.kind.name());
            row.two_lines(&place(status, loss), &offsets(loss));
            row.text(&count(loss.records));
            match loss.first.acknowledged_ms {
                Some(at_ms) => {
                    let ago = format::ago(now_ms, at_ms);
                    let ago = if ago == "now" { ago } else { format!("{ago} ago") };
                    row.two_lines(&ago, &format::clock_ms(at_ms, offset));
                }
                None => row.text("not known any more"),
            }
            row.two_lines(&ledger_loss::leader(loss), &format!("epoch {}", loss.leader_epoch));
            row.two_lines(if loss.allowed { "allows it" } else { "does not allow it" }, &loss.row_name);
        });
        if let Some(row) = pressed {
            state.loss = status.losses.get(row).map(|loss| loss.number);
        }
    });
    if status.losses_not_named > 0 {
        let words = format!("{} more are counted and not named.", count(status.losses_not_named));
        text::paragraph(ui, &words, font::small(), palette(ui).muted);
    }
}

/// `orders-3`.
fn place(status: &LedgerStatus, loss: &NamedLoss) -> String {
    match loss.partition {
        -1 => format!("somewhere in {}", status.topic),
        partition => format!("{}-{partition}", status.topic),
    }
}

/// `offsets 5 to 9`.
fn offsets(loss: &NamedLoss) -> String {
    match (loss.first.offset, loss.last.offset) {
        (Some(from), Some(to)) if from != to => format!("offsets {from} to {to}"),
        (Some(from), _) => format!("offset {from}"),
        _ => "offset not known any more".to_owned(),
    }
}

/// The button that exports.
pub(super) fn export_button(ui: &mut Ui, status: &LedgerStatus, actions: &mut Vec<Action>) {
    let button = Button::new("Export a reproduction").small().with_icon(Icon::Folder).show(ui);
    if button.clicked() {
        actions.push(Action::Ask(Dialog::ExportLedger(status.id)));
    }
    button
        .on_hover_text("Workload with its seed, faults as a script, events, history, and the batches of each replica");
}
