//! Requests by API: how many, which versions, where their time goes, what fails.

use std::sync::Arc;

use egui::{Sense, Ui, vec2};

use super::page;
use crate::monitor::wire::apis::{self, ApiRow, PARTS};
use crate::ui::app::Scene;
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::empty;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::picker::{Choice, picker};
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Sort, Table, TableState};
use crate::ui::widgets::text;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Of the list.
    pub table: TableState,
    /// Only this broker's; `None`: all.
    pub broker: Option<i32>,
    rows: Cached<(usize, Option<i32>, Option<Sort>), Vec<ApiRow>>,
}

const COLUMNS: [Column; 12] = [
    Column::text("API", 160.0, 1.2),
    Column::text("Versions", 76.0, 0.3)
        .help("That clients and other nodes asked for: RequestsPerSec by version")
        .unsorted(),
    Column::number("Requests/s", 84.0, 0.3).help("RequestsPerSec, over the last minute"),
    Column::number("Requests", 84.0, 0.3).help("Since the brokers started"),
    Column::text("Where the time goes", 150.0, 1.0)
        .help("Mean times: request queue, local, remote, response queue, response send")
        .unsorted(),
    Column::number("Mean", 68.0, 0.3).help("TotalTimeMs, mean"),
    Column::number("p99", 68.0, 0.3).help("TotalTimeMs, 99th percentile, of the slowest broker"),
    Column::number("Longest", 72.0, 0.3).help("TotalTimeMs, max"),
    Column::number("Throttled", 72.0, 0.3).help("ThrottleTimeMs, mean: no part of the total"),
    Column::number("Size", 72.0, 0.3).help("RequestBytes, mean"),
    Column::number("Errors/s", 70.0, 0.3).help("ErrorsPerSec without NONE, over the last minute"),
    Column::text("Errors so far", 180.0, 1.4).help("Since the brokers started").unsorted(),
];

/// Errors that are named in a row.
const ERRORS_NAMED: usize = 3;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) {
    let view = &scene.model.view;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        let names: Vec<(i32, String)> =
            view.snapshot.brokers.iter().map(|broker| (broker.id, format!("broker {}", broker.id))).collect();
        let all = [Choice { value: None, name: "all brokers", enabled: true }];
        let each = names.iter().map(|(id, name)| Choice { value: Some(*id), name, enabled: true });
        let choices: Vec<_> = all.into_iter().chain(each).collect();
        picker(ui, "Of", &mut state.broker, &choices);
        legend(ui);
    });
    ui.add_space(space::XS);
    let sort = state.table.sort;
    let rows = state.rows.get((Arc::as_ptr(&view.metrics) as usize, state.broker, sort), || {
        let mut rows = apis::rows(&view.metrics, state.broker);
        order(&mut rows, sort);
        rows
    });
    if rows.is_empty() {
        return empty(ui, Icon::Pulse, "Nothing was asked yet", "Requests of clients and of other nodes appear here.");
    }
    page(ui, "apis", |ui| {
        framed(ui, |ui| {
            let table = Table {
                id: "apis",
                columns: &COLUMNS,
                rows: rows.len(),
                row_height: size::ROW,
                max_height: None,
                active: true,
                selected: None,
            };
            table.show(ui, &mut state.table, |index, row| {
                let api = &rows[index];
                row.strong(&api.api);
                if api.api == "Fetch" {
                    row.hint(|| "FetchConsumer and FetchFollower together".into());
                }
                row.text(&versions(api));
                row.text(&if api.per_s >= 0.05 { format::compact(api.per_s) } else { "–".into() });
                row.text(&format::count(api.count as i64));
                row.shares(&shares(api), &spoken(api));
                row.text(&format::millis(api.mean_ms));
                row.text(&format::millis(api.p99_ms));
                row.text(&format::millis(api.max_ms));
                row.text(&if api.throttle_ms > 0.0 { format::millis(api.throttle_ms) } else { "–".into() });
                row.text(&format::bytes(api.request_bytes));
                let failing = if api.errors_per_s >= 0.05 { format::compact(api.errors_per_s) } else { String::new() };
                row.toned(&failing, Mood::Warning);
                let errors = errors(api);
                row.text(&errors);
                row.hint(|| errors);
            });
        });
    });
}

fn legend(ui: &mut Ui) {
    let style = palette(ui);
    for ((name, mbean), color) in PARTS.iter().zip(style.series) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            let (rect, _) = ui.allocate_exact_size(vec2(space::S, space::S), Sense::hover());
            ui.painter().rect_filled(rect, 2.0, color);
            text::label(ui, name, font::small(), style.muted).on_hover_text(*mbean);
        });
    }
}

/// Shares of the mean time, 0 to 1.
fn shares(api: &ApiRow) -> [f32; PARTS.len()] {
    let total: f64 = api.parts_ms.iter().sum();
    api.parts_ms.map(|part| if total > 0.0 { (part / total) as f32 } else { 0.0 })
}

fn spoken(api: &ApiRow) -> String {
    let told = PARTS.iter().zip(api.parts_ms).map(|((name, _), ms)| format!("{name} {}", format::millis(ms)));
    told.collect::<Vec<_>>().join(", ")
}

fn versions(api: &ApiRow) -> String {
    api.versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn errors(api: &ApiRow) -> String {
    let mut errors: Vec<(&String, &f64)> = api.errors.iter().collect();
    errors.sort_by(|one, other| other.1.total_cmp(one.1));
    let more = errors.len().saturating_sub(ERRORS_NAMED);
    let named =
        errors.iter().take(ERRORS_NAMED).map(|(name, times)| format!("{name} × {}", format::count(**times as i64)));
    let rest = (more > 0).then(|| format!("{more} more"));
    named.chain(rest).collect::<Vec<_>>().join(", ")
}

fn order(rows: &mut [ApiRow], sort: Option<Sort>) {
    let Some(Sort { column, descending }) = sort else { return };
    rows.sort_by(|one, other| {
        let number: fn(&ApiRow) -> f64 = match column {
            0 => return if descending { other.api.cmp(&one.api) } else { one.api.cmp(&other.api) },
            2 => |row| row.per_s,
            3 => |row| row.count,
            5 => |row| row.mean_ms,
            6 => |row| row.p99_ms,
            7 => |row| row.max_ms,
            8 => |row| row.throttle_ms,
            9 => |row| row.request_bytes,
            _ => |row| row.errors_per_s,
        };
        let by = number(one).total_cmp(&number(other));
        if descending { by.reverse() } else { by }
    });
}
