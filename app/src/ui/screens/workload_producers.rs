//! What a workload's producers send, and how: all of it can be set while they run.

use egui::{Align, Layout, Ui};

use crate::monitor::snapshot::WorkloadStatus;
use crate::monitor::workload::{Codec, KeySkew, Payload, WorkloadChange, WorkloadSpec};
use crate::ui::format;
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::button::{Button, segments};
use crate::ui::widgets::card::rule;
use crate::ui::widgets::field::toggle;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::picker::{Choice, picker};
use crate::ui::widgets::slider::{Scale, Slider};
use crate::ui::widgets::text;

const PAYLOADS: [(Payload, &str); 4] = [
    (Payload::Plain, "plain"),
    (Payload::Clickstream, "clickstream (JSON)"),
    (Payload::AppLog, "log lines (syslog)"),
    (Payload::Iot, "IoT sensors (JSON)"),
];
const SKEWS: [(KeySkew, &str); 3] =
    [(KeySkew::Uniform, "all in turn"), (KeySkew::Zipf, "Zipf"), (KeySkew::Hot, "one hot key")];
const CODECS: [(Codec, &str); 5] = [
    (Codec::None, "none"),
    (Codec::Gzip, "gzip"),
    (Codec::Snappy, "snappy"),
    (Codec::Lz4, "lz4"),
    (Codec::Zstd, "zstd"),
];
/// Chosen when "as fast as they can" is switched off.
const RATE: u64 = 1_000;

/// Whether a field acts on the clients as they are, or these are made anew: then a change waits until the thumb is let go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Acts {
    /// While the thumb moves.
    AtOnce,
    /// When it is let go.
    WhenLetGo,
}

/// A slider of a field that is a number.
pub fn slide(
    ui: &mut Ui,
    slider: Slider<'_>,
    acts: Acts,
    value: f64,
    (field, is_fraction): (&str, bool),
    change: &mut WorkloadChange,
) {
    let Some(moved) = slider.show(ui, value) else { return };
    if moved.is_settled || acts == Acts::AtOnce {
        let value = if is_fraction { moved.value.into() } else { (moved.value as u64).into() };
        change.0.insert(field.to_owned(), value);
    }
}

/// A button that has one side of a workload wait, or go on.
pub fn pause(ui: &mut Ui, who: &str, is_paused: bool, field: &str, change: &mut WorkloadChange) {
    let (word, symbol) = if is_paused { ("Resume", Icon::Start) } else { ("Pause", Icon::Pause) };
    let spoken = format!("{word} {who}");
    if Button::new(word).name(&spoken).small().with_icon(symbol).selected(is_paused).show(ui).clicked() {
        change.0.insert(field.to_owned(), (!is_paused).into());
    }
}

/// A small title within a card.
pub fn part(ui: &mut Ui, title: &str) {
    rule(ui);
    text::label(ui, title, font::small(), palette(ui).faint);
}

/// Paints it; what is set goes into `change`.
pub fn show(ui: &mut Ui, workload: &WorkloadStatus, spec: &WorkloadSpec, change: &mut WorkloadChange) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.horizontal(|ui| {
        text::label(ui, "Producers", font::heading(), style.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            pause(ui, &format!("producers of workload {}", workload.id), spec.paused, "paused", change);
        });
    });
    rate(ui, spec, change);
    part(ui, "Records");
    records(ui, spec, change);
    part(ui, "Bursts");
    bursts(ui, spec, change);
    part(ui, "Delivery: a change has the producers start anew");
    delivery(ui, spec, change);
}

fn rate(ui: &mut Ui, spec: &WorkloadSpec, change: &mut WorkloadChange) {
    let per_s = |value: f64| format!("{}/s", format::count(value as i64));
    let is_unbounded = spec.rate_per_s == 0;
    if !is_unbounded {
        let slider = Slider::new("Rate", 1.0..=1_000_000.0, &per_s)
            .scale(Scale::Log)
            .help("Records per second, over all producers of the workload");
        slide(ui, slider, Acts::AtOnce, spec.rate_per_s as f64, ("rate_per_s", false), change);
    }
    let mut fast = is_unbounded;
    if toggle(ui, "As fast as they can", &mut fast).clicked() {
        change.0.insert("rate_per_s".into(), if fast { 0 } else { RATE }.into());
    }
    let count = |value: f64| format!("{value}");
    let least = if spec.consumers == 0 { 1.0 } else { 0.0 };
    let slider = Slider::new("Number of producers", least..=16.0, &count)
        .caption("Number")
        .help("Clients of their own, which share the rate");
    slide(ui, slider, Acts::AtOnce, spec.producers.into(), ("producers", false), change);
}

fn records(ui: &mut Ui, spec: &WorkloadSpec, change: &mut WorkloadChange) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        choose(ui, "Payload", spec.payload, &PAYLOADS, "payload", change);
        choose(ui, "Keys", spec.key_skew, &SKEWS, "key_skew", change);
    });
    let bytes = |value: f64| format::bytes(value);
    let slider = Slider::new("Size", 64.0..=1_000_000.0, &bytes)
        .scale(Scale::Log)
        .help("Of a record's value; what a payload needs at least is not cut off");
    slide(ui, slider, Acts::AtOnce, spec.record_bytes as f64, ("record_bytes", false), change);
    let count = |value: f64| format::count(value as i64);
    let slider = Slider::new("Distinct keys", 1.0..=100_000.0, &count)
        .scale(Scale::Log)
        .help("Of each producer; records of one key go to one partition");
    slide(ui, slider, Acts::AtOnce, spec.keys.into(), ("keys", false), change);
    match spec.key_skew {
        KeySkew::Uniform => {}
        KeySkew::Zipf => {
            let plain = |value: f64| format!("{value:.2}");
            let slider = Slider::new("Skew", 0.1..=5.0, &plain)
                .fractions()
                .help("Zipf's exponent: key n comes as often as 1/n to this power");
            slide(ui, slider, Acts::AtOnce, spec.zipf_exponent, ("zipf_exponent", true), change);
        }
        KeySkew::Hot => {
            let percent = |value: f64| format!("{value} %");
            let slider = Slider::new("Hot key's share", 0.0..=100.0, &percent).help("Of all records");
            slide(ui, slider, Acts::AtOnce, spec.hot_percent.into(), ("hot_percent", false), change);
        }
    }
}

fn bursts(ui: &mut Ui, spec: &WorkloadSpec, change: &mut WorkloadChange) {
    let millis = |value: f64| if value == 0.0 { "none".to_owned() } else { format::millis(value) };
    let most = spec.burst_every_ms as f64;
    let slider = Slider::new("Length", 0.0..=most, &millis)
        .scale(Scale::LogFromZero(100.0_f64.min(most / 2.0)))
        .help("How long each burst lasts");
    slide(ui, slider, Acts::AtOnce, spec.burst_for_ms as f64, ("burst_for_ms", false), change);
    if spec.burst_for_ms == 0 {
        return;
    }
    let least = (spec.burst_for_ms as f64).max(100.0);
    let slider = Slider::new("Every", least..=600_000.0, &millis).scale(Scale::Log).help("From burst to burst");
    slide(ui, slider, Acts::AtOnce, spec.burst_every_ms as f64, ("burst_every_ms", false), change);
    let times = |value: f64| format!("× {value}");
    let slider = Slider::new("Rate in it", 0.0..=100.0, &times).fractions().help("Times the rate above");
    slide(ui, slider, Acts::AtOnce, spec.burst_factor, ("burst_factor", true), change);
}

fn delivery(ui: &mut Ui, spec: &WorkloadSpec, change: &mut WorkloadChange) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        text::label(ui, "acks", font::body(), palette(ui).muted);
        let mut acks = if spec.is_acks_all() { "all" } else { spec.acks.as_str() };
        if segments(ui, &mut acks, &[("all", "all"), ("1", "1"), ("0", "0")]) {
            change.0.insert("acks".into(), acks.into());
            // As in Kafka's clients, it is on with acks all, and cannot be with others; nor can transactions.
            change.0.insert("idempotent".into(), (acks == "all").into());
            if acks != "all" {
                change.0.insert("transaction_ms".into(), 0.into());
            }
        }
        let mut on = spec.idempotent;
        if toggle(ui, "Idempotence", &mut on).clicked() {
            change.0.insert("idempotent".into(), on.into());
            if on {
                change.0.insert("acks".into(), "all".into());
            } else {
                change.0.insert("transaction_ms".into(), 0.into());
            }
        }
    });
    choose(ui, "Compression", spec.compression, &CODECS, "compression", change);
    let millis = |value: f64| format!("{} ms", format::count(value as i64));
    let slider = Slider::new("linger.ms", 0.0..=10_000.0, &millis)
        .scale(Scale::LogFromZero(1.0))
        .help("How long a batch waits for more records");
    slide(ui, slider, Acts::WhenLetGo, spec.linger_ms as f64, ("linger_ms", false), change);
    let bytes = |value: f64| format!("{} B", format::count(value as i64));
    let slider = Slider::new("batch.size", 1.0..=1_000_000.0, &bytes)
        .scale(Scale::Log)
        .help("A batch that is full is sent at once");
    slide(ui, slider, Acts::WhenLetGo, spec.batch_bytes as f64, ("batch_bytes", false), change);
    transactions(ui, spec, change);
}

fn transactions(ui: &mut Ui, spec: &WorkloadSpec, change: &mut WorkloadChange) {
    let every = |value: f64| if value == 0.0 { "none".to_owned() } else { format::millis(value) };
    let slider = Slider::new("Transactions", 0.0..=30_000.0, &every)
        .scale(Scale::LogFromZero(10.0))
        .help("Each producer commits a transaction this often");
    let before = change.0.len();
    slide(ui, slider, Acts::WhenLetGo, spec.transaction_ms as f64, ("transaction_ms", false), change);
    if change.0.len() > before && change.0.get("transaction_ms").is_some_and(|value| *value != 0) {
        change.0.insert("idempotent".into(), true.into());
        change.0.insert("acks".into(), "all".into());
    }
    if spec.is_transactional() {
        let percent = |value: f64| format!("{value} %");
        let slider = Slider::new("Aborted", 0.0..=100.0, &percent).help("So many of the transactions are aborted");
        slide(ui, slider, Acts::AtOnce, spec.abort_percent.into(), ("abort_percent", false), change);
    }
}

/// A picker of a field that has a few values.
pub fn choose<T: Copy + PartialEq + serde::Serialize>(
    ui: &mut Ui,
    what: &str,
    now: T,
    choices: &[(T, &'static str)],
    field: &str,
    change: &mut WorkloadChange,
) {
    let mut chosen = now;
    let choices: Vec<Choice<'_, T>> =
        choices.iter().map(|&(value, name)| Choice { value, name, enabled: true }).collect();
    if picker(ui, what, &mut chosen, &choices)
        && let Ok(value) = serde_json::to_value(chosen)
    {
        change.0.insert(field.to_owned(), value);
    }
}
