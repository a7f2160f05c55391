//! Clients' connections, one by one, and what each of them asks.

use std::sync::Arc;

use broker::metadata::connections::{ApiUse, ConnectionReport};
use broker::protocol::{ErrorCode, error_name};
use egui::Ui;

use super::page;
use crate::monitor::wire::connections::{self, ConnectionKey, ConnectionRow, Entry, Place, errors, mean_ms, sum};
use crate::ui::app::{Action, Scene};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::{empty, no_match};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Item, Sort, Table, TableState};
use crate::ui::widgets::text;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    /// What is looked for.
    pub filter: String,
    /// Of the list.
    pub table: TableState,
    /// The connection whose requests are shown.
    pub chosen: Option<ConnectionKey>,
    apis: TableState,
    rows: Cached<(usize, String, Option<Sort>), Vec<Place>>,
}

const COLUMNS: [Column; 10] = [
    Column::text("Client", 130.0, 1.0).help("The client id of its newest request"),
    Column::text("Software", 190.0, 1.2).help("What it said of itself in ApiVersions (KIP-511), and the version"),
    Column::text("From", 130.0, 0.6),
    Column::number("Broker", 60.0, 0.2),
    Column::number("Requests/s", 84.0, 0.3).help("Within the last second"),
    Column::number("Requests", 84.0, 0.3).help("Since it was opened"),
    Column::number("In", 76.0, 0.3).help("Bytes of requests since it was opened"),
    Column::number("Out", 76.0, 0.3).help("Bytes of answers since it was opened"),
    Column::number("Mean", 70.0, 0.3).help("Mean time of a request, waiting for records included"),
    Column::number("Errors", 64.0, 0.2).help("Error codes in answers since it was opened"),
];

const APIS: [Column; 12] = [
    Column::text("API", 160.0, 1.2).unsorted(),
    Column::number("Version", 62.0, 0.2)
        .help("The one that the client chose of those that the broker offers")
        .unsorted(),
    Column::number("Requests/s", 84.0, 0.3).unsorted(),
    Column::number("Requests", 80.0, 0.3).unsorted(),
    Column::number("Mean", 70.0, 0.3).help("All parts together").unsorted(),
    Column::number("Queue", 66.0, 0.3).help("Waiting for the broker's thread, mean").unsorted(),
    Column::number("Local", 66.0, 0.3).help("Being worked on, mean").unsorted(),
    Column::number("Remote", 66.0, 0.3).help("Waiting for replicas, for records or for other nodes, mean").unsorted(),
    Column::number("Answer", 66.0, 0.3).help("The answer waiting to be written and being written, mean").unsorted(),
    Column::number("Throttled", 72.0, 0.3).help("Not listened to because of quotas, mean").unsorted(),
    Column::number("Longest", 72.0, 0.3).unsorted(),
    Column::text("Errors", 190.0, 1.6).unsorted(),
];

/// Rows in sight before the list scrolls.
const SHOWN: usize = 12;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let connected = &scene.model.view.connections;
    filter_box(ui, "Filter connections", "Client, software or address", &mut state.filter);
    ui.add_space(space::XS);
    let filter = state.filter.trim().to_lowercase();
    let sort = state.table.sort;
    let newest = Arc::as_ptr(connected) as usize;
    let rows = state.rows.get((newest, filter.clone(), sort), || {
        let mut entries = connections::entries(connected);
        if !filter.is_empty() {
            entries.retain(|entry| fits(&entry.row(), &filter));
        }
        order(&mut entries, sort);
        entries.iter().map(|entry| entry.place).collect()
    });
    let entry = |place: &Place| connections::at(connected, *place);
    if rows.is_empty() {
        if filter.is_empty() {
            empty(
                ui,
                Icon::Groups,
                "No client is connected",
                "Connect one to the bootstrap servers below, or start a workload.",
            );
        } else if no_match(
            ui,
            "No connection matches the filter",
            "It looks for its words in client id, software and address.",
        ) {
            state.filter.clear();
        }
        return;
    }
    let place_of = |key| rows.iter().position(|place| entry(place).is_some_and(|entry| entry.key() == key));
    let selected = state.chosen.and_then(place_of).unwrap_or(0);
    let chosen = rows.get(selected).and_then(entry);
    page(ui, "connections", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        let table = Table {
            id: "connections",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * rows.len().min(SHOWN) as f32),
            active: true,
            selected: Some(selected),
        };
        let menu = |index: usize| entry(&rows[index]).map(|entry| menu(&entry.row())).unwrap_or_default();
        framed(ui, |ui| {
            let (pressed, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
                if let Some(entry) = entry(&rows[index]) {
                    line(&entry.row(), row);
                }
            });
            actions.extend(asked);
            if let Some(entry) = pressed.and_then(|row| rows.get(row)).and_then(entry) {
                state.chosen = Some(entry.key());
            }
        });
        let left_out = connections::left_out(connected);
        if left_out > 0 {
            let words = format!("{} more, which ask less, are not told one by one.", format::count(left_out as i64));
            text::label(ui, &words, font::small(), palette(ui).muted);
        }
        if let Some(entry) = chosen {
            detail(ui, scene, entry.place.broker, entry.told, &mut state.apis);
        }
    });
}

fn fits(row: &ConnectionRow, filter: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(filter);
    has(&row.client_id) || has(&row.software) || has(&row.address)
}

fn order(entries: &mut Vec<Entry<'_>>, sort: Option<Sort>) {
    let Some(Sort { column, descending }) = sort else { return };
    // Each is measured once, and not with each comparison.
    let number = |entry: &Entry<'_>| {
        let total = sum(&entry.told.apis);
        match column {
            4 => total.per_s,
            5 => total.count as f64,
            6 => total.in_bytes as f64,
            7 => total.out_bytes as f64,
            8 => mean_ms(total.total_us(), total.count).unwrap_or(0.0),
            9 => errors(&total) as f64,
            _ => 0.0,
        }
    };
    let mut measured: Vec<(f64, Entry<'_>)> = entries.iter().map(|entry| (number(entry), *entry)).collect();
    fn software<'e>(entry: &Entry<'e>) -> (&'e str, &'e str) {
        (&entry.told.software_name, &entry.told.software_version)
    }
    measured.sort_by(|(one_number, one), (other_number, other)| {
        let by = match column {
            0 => one.client_id().cmp(other.client_id()),
            1 => software(one).cmp(&software(other)),
            2 => one.told.address.cmp(&other.told.address),
            3 => one.key().cmp(&other.key()),
            _ => one_number.total_cmp(other_number),
        };
        if descending { by.reverse() } else { by }
    });
    *entries = measured.into_iter().map(|(_, entry)| entry).collect();
}

fn line(one: &ConnectionRow, row: &mut crate::ui::widgets::table::Row<'_>) {
    row.strong(or_dash(&one.client_id));
    row.text(or_dash(&one.software));
    row.mono(&one.address);
    row.text(&one.key.0.to_string());
    row.text(&per_second(one.total.per_s));
    row.text(&format::count(one.total.count as i64));
    row.text(&format::bytes(one.total.in_bytes as f64));
    row.text(&format::bytes(one.total.out_bytes as f64));
    row.text(&time(one.total.total_us(), one.total.count));
    row.trouble(errors(&one.total) as i64, Mood::Warning);
}

fn or_dash(words: &str) -> &str {
    if words.is_empty() { "–" } else { words }
}

fn per_second(rate: f64) -> String {
    if rate > 0.0 { format::compact(rate) } else { "–".into() }
}

fn time(sum_us: u64, count: u64) -> String {
    mean_ms(sum_us, count).map_or_else(|| "–".into(), format::millis)
}

fn menu(row: &ConnectionRow) -> Vec<Item<Action>> {
    vec![
        Item::copy("its address", row.address.clone()),
        Item::copy("its client id", row.client_id.clone()),
        Item::copy("its software", row.software.clone()),
    ]
}

fn detail(ui: &mut Ui, scene: &Scene<'_>, broker: i32, one: &ConnectionReport, state: &mut TableState) {
    let style = palette(ui);
    card(ui, |ui| {
        let who = one.client_id.as_deref().filter(|id| !id.is_empty()).unwrap_or("a client without a client id");
        text::label(ui, &format!("What {who} asks of broker {broker}"), font::heading(), style.text);
        let open = format::ago(scene.model.now_ms(), one.opened_ms);
        let words = format!("Connection {} from {}, opened {open} ago", one.conn, one.address);
        text::label(ui, &words, font::small(), style.muted);
    });
    framed(ui, |ui| {
        let table = Table {
            id: "requests of the connection",
            columns: &APIS,
            rows: one.apis.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * one.apis.len() as f32),
            active: false,
            selected: None,
        };
        table.show(ui, state, |index, row| {
            let api = &one.apis[index];
            row.strong(api.api);
            row.text(&api.version.to_string());
            row.text(&per_second(api.per_s));
            row.text(&format::count(api.count as i64));
            row.text(&time(api.total_us(), api.count));
            row.text(&time(api.request_queue_us, api.count));
            row.text(&time(api.local_us, api.count));
            row.text(&time(api.remote_us, api.count));
            row.text(&time(api.response_queue_us + api.response_send_us, api.count));
            row.text(&if api.throttle_us > 0 { time(api.throttle_us, api.count) } else { "–".into() });
            row.text(&format::millis(api.max_us as f64 / 1e3));
            let errors = errors_in_words(api);
            row.toned(&errors, Mood::Warning);
            row.hint(|| errors);
        });
    });
}

/// `NOT_LEADER_OR_FOLLOWER × 3`.
fn errors_in_words(api: &ApiUse) -> String {
    let told = api.errors.iter().map(|(code, times)| format!("{} × {times}", error_name(ErrorCode::from(*code))));
    told.collect::<Vec<_>>().join(", ")
}
