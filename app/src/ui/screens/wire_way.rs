//! One batch on its way: the next that somebody writes is followed from the socket through append, replication, high watermark and answer to
//! the consumers that fetch it.

use broker::server::trace::{Station, Trace, TraceState, TraceWish};
use egui::Ui;

use super::page;
use crate::monitor::command::{Command, TraceOrder};
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::messages::NewMessage;
use crate::monitor::wire::way;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::asked::{Answer, Asked};
use crate::ui::format;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::{empty, failed_once};
use crate::ui::widgets::field::field;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Table, TableState};
use crate::ui::widgets::{text, tile};

/// How old what is shown may get, ms.
const FRESH_MS: i64 = 250;
/// The same while nothing is followed.
const IDLE_MS: i64 = 5_000;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    topic: String,
    partition: String,
    asked: Asked,
    table: TableState,
    is_under_way: bool,
}

const COLUMNS: [Column; 5] = [
    Column::number("After", 84.0, 0.3).help("Since the leader read the last byte of the request").unsorted(),
    Column::text("On", 84.0, 0.3).unsorted(),
    Column::text("Where it is", 330.0, 1.6).unsorted(),
    Column::number("It took", 84.0, 0.3).help("Since the step that it followed from").unsorted(),
    Column::text("Time", 220.0, 1.4).unsorted(),
];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let fresh_ms = if state.is_under_way { FRESH_MS } else { IDLE_MS };
    let answer = state.asked.look_every(fresh_ms, scene, &Query::Trace, actions);
    let empty_state = TraceState::default();
    let findings = match &answer {
        Answer::Found(_, findings) => Some(findings),
        Answer::Waiting => None,
        Answer::Failed(why) => {
            if failed_once(ui, "No record can be followed here", why) {
                state.asked.again();
            }
            return;
        }
    };
    let known = match findings.map(|findings| &**findings) {
        Some(Findings::Trace(known)) => known,
        _ => &empty_state,
    };
    state.is_under_way = known.wish.is_some() || known.trace.as_ref().is_some_and(|trace| !trace.is_over);
    controls(ui, scene, known, state, actions);
    ui.add_space(space::M);
    match &known.trace {
        Some(trace) => page(ui, "way", |ui| told(ui, trace, &mut state.table)),
        None if known.wish.is_some() => {
            let hint = "Any client's will do: a workload's, yours, or one that is written by hand here.";
            empty(ui, Icon::Clock, "Waiting for the next record to be written", hint);
        }
        None if known.timed_out => {
            let hint = "Start a workload or write a record, and follow again.";
            empty(ui, Icon::Clock, "Nothing was written within a minute", hint);
        }
        None => {
            let hint = "The next batch that a client writes is followed through the leader's log, its followers, the high \
                        watermark and the answer to the consumers that fetch it.";
            empty(ui, Icon::Wire, "See where a record goes", hint);
        }
    }
}

/// What is typed as a wish, or what is wrong with it.
fn wish(scene: &Scene<'_>, state: &State) -> Result<TraceWish, (usize, String)> {
    let (topic, partition) = (state.topic.trim(), state.partition.trim());
    if topic.is_empty() {
        return match partition {
            "" => Ok(TraceWish::default()),
            _ => Err((1, "Of which topic? Name it.".into())),
        };
    }
    let found = scene.model.snapshot().topics.iter().find(|known| &*known.name == topic);
    let Some(found) = found else { return Err((0, format!("There is no topic {topic}."))) };
    let partition = match partition {
        "" => None,
        number => match number.parse::<i32>() {
            Ok(id) if found.partitions.iter().any(|one| one.id == id) => Some(id),
            _ => return Err((1, format!("{topic} has partitions 0 to {}.", found.partitions.len().saturating_sub(1)))),
        },
    };
    Ok(TraceWish { topic: Some(topic.to_owned()), partition })
}

fn controls(ui: &mut Ui, scene: &Scene<'_>, known: &TraceState, state: &mut State, actions: &mut Vec<Action>) {
    const TOPIC_WIDTH: f32 = 240.0;
    const PARTITION_WIDTH: f32 = 120.0;
    let wish = wish(scene, state);
    let mut pressed = None;
    let complaint = |place: usize| wish.as_ref().err().filter(|(at, _)| *at == place).map(|(_, why)| why.as_str());
    let rest = ui.available_width() - TOPIC_WIDTH - PARTITION_WIDTH - 2.0 * space::M;
    let topic = wish.as_ref().ok().and_then(|wish| wish.topic.clone());
    super::side_by_side(ui, &[TOPIC_WIDTH, PARTITION_WIDTH, rest], space::M, |ui, index| match index {
        0 => drop(field(ui, "Topic", "any", &mut state.topic, complaint(0))),
        1 => drop(field(ui, "Partition", "any", &mut state.partition, complaint(1))),
        _ => {
            // As high as the names over the fields.
            ui.add_space(space::L + space::XS);
            ui.horizontal(|ui| {
                if known.wish.is_some() {
                    if Button::new("Stop waiting").with_icon(Icon::Stop).show(ui).clicked() {
                        pressed = Some(TraceOrder::Stop);
                    }
                } else {
                    let button = Button::new("Follow the next record").with_icon(Icon::Wire).tone(Tone::Primary);
                    if let (true, Ok(wish)) = (button.enabled(wish.is_ok()).show(ui).clicked(), &wish) {
                        pressed = Some(TraceOrder::Follow(wish.clone()));
                    }
                }
                if let Some(topic) = &topic
                    && Button::new("Write a record …").with_icon(Icon::Plus).show(ui).clicked()
                {
                    actions.push(Action::Ask(Dialog::Produce(topic.clone(), NewMessage::default())));
                }
            });
        }
    });
    if let Some(pressed) = pressed {
        order(pressed, state, actions);
    }
}

fn order(order: TraceOrder, state: &mut State, actions: &mut Vec<Action>) {
    actions.push(Action::Send(Command::Trace(order)));
    state.asked.again();
    state.is_under_way = true;
}

fn told(ui: &mut Ui, trace: &Trace, table: &mut TableState) {
    ui.spacing_mut().item_spacing.y = space::M;
    let style = palette(ui);
    card(ui, |ui| {
        let name = format!("{}-{}", trace.topic, trace.partition);
        text::label(ui, &way::verdict(trace, format::millis), font::heading(), style.text);
        let client = if trace.client_id.is_empty() { "a client without a client id" } else { &trace.client_id };
        let (software, version) = &trace.software;
        let words = format!(
            "{name} · written by {client} ({software} {version}) over connection {} · Produce version {}{}",
            trace.connection,
            trace.version,
            if trace.is_over { "" } else { " · still followed" }
        );
        text::label(ui, &words, font::small(), style.muted);
    });
    tile::row(ui, &tiles(trace));
    framed(ui, |ui| {
        let scale_ms = scale_ms(trace);
        let steps = Table {
            id: "way",
            columns: &COLUMNS,
            rows: trace.steps.len(),
            row_height: size::ROW_DENSE,
            max_height: Some(size::HEADER + size::ROW_DENSE * trace.steps.len() as f32),
            active: true,
            selected: None,
        };
        steps.show(ui, table, |index, row| {
            let step = &trace.steps[index];
            let (after_ms, since_ms) = (way::after_ms(trace, step), way::since_ms(trace, step));
            row.strong(&format::millis(after_ms));
            row.text(&format!("broker {}", step.node_id));
            let mood = mood(&step.station);
            row.toned(&way::words(trace, step), mood);
            row.text(&since_ms.map_or_else(String::new, |since_ms| format::millis(after_ms - since_ms)));
            let at = |ms: f64| (ms / scale_ms) as f32;
            row.span(at(since_ms.unwrap_or(after_ms)), at(after_ms), mood, "");
        });
    });
}

/// The end of the axis: the last step but for fetches, which may come seconds later.
fn scale_ms(trace: &Trace) -> f64 {
    let of_cluster = trace.steps.iter().filter(|step| !matches!(step.station, Station::Fetched { .. }));
    of_cluster.map(|step| way::after_ms(trace, step)).fold(0.001, f64::max)
}

fn mood(station: &Station) -> Mood {
    match station {
        Station::Refused(_) | Station::Lost(_) => Mood::Critical,
        Station::Answered(code) if *code != 0 => Mood::Critical,
        Station::Committed => Mood::Good,
        Station::Fetched { .. } => Mood::Busy,
        _ => Mood::Quiet,
    }
}

fn tiles(trace: &Trace) -> Vec<(&'static str, String, Mood)> {
    let acks = if trace.acks == -1 { "all".to_owned() } else { trace.acks.to_string() };
    let (offset, records) = match trace.first_offset {
        ..0 => ("none".into(), "–".into()),
        first => (format::count(first), format::count(trace.last_offset - first + 1)),
    };
    let short = trace.isr.len() < trace.replicas.len();
    vec![
        ("First offset", offset, Mood::Quiet),
        ("Records", records, Mood::Quiet),
        ("Size", format::bytes(trace.size_bytes as f64), Mood::Quiet),
        ("acks", acks, Mood::Quiet),
        ("Leader", trace.leader.to_string(), Mood::Quiet),
        ("Leader epoch", trace.leader_epoch.to_string(), Mood::Quiet),
        ("In sync", format::ids(&trace.isr), if short { Mood::Warning } else { Mood::Quiet }),
        ("Replicas", format::ids(&trace.replicas), Mood::Quiet),
    ]
}
