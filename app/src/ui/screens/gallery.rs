//! All widgets in all states on one page, for those who build screens: `brokerscope screenshot --screen gallery`. Not in the nav.

use egui::{Ui, vec2};

use super::{header, page, side_by_side};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone, copy, segments};
use crate::ui::widgets::card::{card, framed, mood_card, rule};
use crate::ui::widgets::chart::{Band, Chart, Crosshair, Threshold, Trace, Unit};
use crate::ui::widgets::dialog::{Buttons, Outcome, dialog};
use crate::ui::widgets::empty::{empty, failed, loading, no_match};
use crate::ui::widgets::field::{command, field, filter_box, toggle};
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::matrix::{Cell, Density, Head, Label, Trouble, matrix};
use crate::ui::widgets::picker::{Choice, labelled, picker};
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::roster::{Line, Slot, roster};
use crate::ui::widgets::slider::{Scale, Slider};
use crate::ui::widgets::sparkline::sparkline;
use crate::ui::widgets::steps::{Step, steps};
use crate::ui::widgets::table::{Column, Item, Table, TableState};
use crate::ui::widgets::{text, tile, toast};

/// What the gallery remembers.
#[derive(Debug)]
pub struct State {
    crosshair: Crosshair,
    table: TableState,
    filter: String,
    name: String,
    wrong: String,
    choice: u8,
    is_on: bool,
    is_asking: bool,
    slid: [f64; 3],
    step: usize,
}

impl Default for State {
    fn default() -> State {
        State {
            crosshair: Crosshair::default(),
            table: TableState::at(1),
            filter: "ord".into(),
            name: "orders.v1".into(),
            wrong: "a b".into(),
            choice: 1,
            is_on: true,
            is_asking: false,
            slid: [6.0, 1_000.0, 0.0],
            step: 6,
        }
    }
}

/// Every mood with its icon and a word.
const PILLS: [Pill; 5] = [
    Pill::new(Mood::Quiet, Icon::Info, "Quiet"),
    Pill::new(Mood::Good, Icon::Check, "Good"),
    Pill::new(Mood::Busy, Icon::Clock, "Busy"),
    Pill::new(Mood::Warning, Icon::Warning, "Warning"),
    Pill::new(Mood::Critical, Icon::Critical, "Critical"),
];

const CELLS: [(Cell, &str); 6] = [
    (Cell::Leader, "leader"),
    (Cell::InSync, "in sync"),
    (Cell::Behind(Some(48_211)), "behind"),
    (Cell::Offline, "offline"),
    (Cell::LeaderUnreachable, "does not answer"),
    (Cell::Blank, "no replica"),
];

const COLUMNS: [Column; 6] = [
    Column::text("Name", 110.0, 1.0),
    Column::text("State", 120.0, 0.4),
    Column::number("Number", 70.0, 0.4).help("Sorts from the largest"),
    Column::number("Trouble", 60.0, 0.3),
    Column::text("Share", 140.0, 0.6).unsorted(),
    Column::text("What, and why", 200.0, 1.0).unsorted(),
];

const HALF_HEIGHT: f32 = 190.0;

/// Paints it.
pub fn show(ui: &mut Ui, state: &mut State) {
    page(ui, "gallery", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        header(ui, "Gallery", "all widgets in all their states", |_| {});
        section(ui, "Type and colours", type_and_colours);
        section(ui, "Pills, tiles and cards", facts);
        section(ui, "Buttons", |ui| buttons(ui, state));
        section(ui, "Fields", |ui| fields(ui, state));
        section(ui, "Sliders", |ui| sliders(ui, &mut state.slid));
        table(ui, state);
        section(ui, "Time chart", |ui| chart(ui, state));
        section(ui, "Partition matrix", cells);
        section(ui, "Steps, and who has what", |ui| play(ui, state));
        states(ui, state);
        section(ui, "Icons", icons);
    });
    if state.is_asking {
        let outcome = dialog(ui.ctx(), "gallery-dialog", "Delete orders.v1?", |ui| {
            text::paragraph(ui, "This dialog does nothing.", font::body(), palette(ui).muted);
            Buttons { confirm: "Delete nothing", enabled: true, danger: true }
        });
        state.is_asking = outcome == Outcome::Open;
    }
}

fn section(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui)) {
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::S;
        text::label(ui, title, font::heading(), palette(ui).text);
        content(ui);
    });
}

fn type_and_colours(ui: &mut Ui) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::L;
        for (font, name) in [
            (font::display(), "Display"),
            (font::title(), "Title"),
            (font::heading(), "Heading"),
            (font::body(), "Body"),
            (font::small(), "Small"),
            (font::tiny(), "Tiny"),
            (font::mono(), "Mono"),
            (font::mono_small(), "Mono small"),
        ] {
            text::label(ui, name, font, style.text);
        }
        text::label(ui, "Muted", font::body(), style.muted);
        text::label(ui, "Faint", font::body(), style.faint);
    });
    let swatch = |ui: &mut Ui, color, name: &str| {
        let (rect, _) = ui.allocate_exact_size(vec2(size::CONTROL, size::ICON), egui::Sense::hover());
        ui.painter().rect_filled(rect, space::XS / 2.0, color);
        text::label(ui, name, font::tiny(), style.muted);
    };
    ui.horizontal(|ui| {
        for (color, name) in [
            (style.accent, "accent"),
            (style.ok, "ok"),
            (style.warning, "warning"),
            (style.warning_fill, "warning fill"),
            (style.critical, "critical"),
            (style.critical_fill, "critical fill"),
            (style.leader, "leader"),
            (style.follower, "follower"),
        ] {
            swatch(ui, color, name);
        }
    });
    ui.horizontal(|ui| {
        for (index, color) in style.series.into_iter().enumerate() {
            swatch(ui, color, &format!("series {}", index + 1));
        }
    });
}

fn facts(ui: &mut Ui) {
    ui.horizontal(|ui| PILLS.iter().for_each(|pill| drop(pill.show(ui))));
    let tile = |pill: &Pill| (pill.text, "1,234".to_owned(), pill.mood);
    tile::row(ui, &PILLS.each_ref().map(tile));
    let width = ((ui.available_width() + space::M) / PILLS.len() as f32 - space::M).floor();
    side_by_side(ui, &[width; PILLS.len()], space::M, |ui, index| {
        mood_card(ui, PILLS[index].mood, |ui| {
            let ink = palette(ui).muted;
            text::label(ui, &format!("A card, {}", PILLS[index].text.to_lowercase()), font::body(), ink);
            rule(ui);
            let points = (0..60).map(|at| if at == 30 { f64::NAN } else { f64::from(at % 17) });
            sparkline(ui, vec2(ui.available_width(), size::CONTROL), points, PILLS[index].mood.colors(palette(ui)).0);
        });
    });
}

fn sliders(ui: &mut Ui, values: &mut [f64; 3]) {
    let count = |value: f64| format!("{value:.0}");
    let rate = |value: f64| format!("{value:.0}/s");
    let millis = |value: f64| if value == 0.0 { "none".to_owned() } else { format!("{value:.0} ms") };
    let sliders = [
        Slider::new("Even", 0.0..=16.0, &count),
        Slider::new("By decades", 1.0..=1e6, &rate).scale(Scale::Log),
        Slider::new("From zero", 0.0..=1e4, &millis).scale(Scale::LogFromZero(1.0)).help("An explanation"),
    ];
    for (slider, value) in sliders.into_iter().zip(values) {
        if let Some(moved) = slider.show(ui, *value) {
            *value = moved.value;
        }
    }
}

fn buttons(ui: &mut Ui, state: &mut State) {
    for enabled in [true, false] {
        ui.horizontal(|ui| {
            for (tone, name) in
                [(Tone::Primary, "Primary"), (Tone::Quiet, "Quiet"), (Tone::Bare, "Bare"), (Tone::Danger, "Danger")]
            {
                let spoken = if enabled { name.to_owned() } else { format!("{name}, off") };
                Button::new(name).name(&spoken).tone(tone).with_icon(Icon::Plus).enabled(enabled).show(ui);
                let spoken = format!("{spoken}, small");
                Button::new(name).name(&spoken).tone(tone).small().enabled(enabled).show(ui);
            }
            let spoken = if enabled { "Chosen" } else { "Chosen, off" };
            Button::new("Chosen").name(spoken).selected(true).enabled(enabled).show(ui);
            let spoken = if enabled { "Bell" } else { "Bell, off" };
            Button::icon(Icon::Bell, spoken).enabled(enabled).show(ui);
        });
    }
    ui.horizontal(|ui| {
        segments(ui, &mut state.choice, &[(0, "One"), (1, "Two"), (2, "Three")]);
        toggle(ui, "A toggle", &mut state.is_on);
        let choices = [(0, "one", true), (1, "two", true), (2, "three", true), (3, "not now", false)];
        let choices = choices.map(|(value, name, enabled)| Choice { value, name, enabled });
        picker(ui, "Picker", &mut state.choice, &choices);
        copy(ui, "something", "something");
        if Button::new("Good news").small().show(ui).clicked() {
            toast::tell(ui.ctx(), true, "Topic orders was created.");
        }
        if Button::new("Bad news").small().show(ui).clicked() {
            toast::tell(ui.ctx(), false, "Topic orders was not created: there are 2 brokers.");
        }
        if Button::new("A dialog").small().show(ui).clicked() {
            state.is_asking = true;
        }
    });
}

fn fields(ui: &mut Ui, state: &mut State) {
    let width = ((ui.available_width() + space::M) / 4.0 - space::M).floor();
    side_by_side(ui, &[width; 4], space::M, |ui, index| match index {
        0 => drop(field(ui, "A field", "orders.v1", &mut state.name, None)),
        1 => {
            let complaint = "A name is made of letters, digits, '.', '_' and '-', not ' '.";
            drop(field(ui, "With a complaint", "orders.v1", &mut state.wrong, Some(complaint)));
        }
        2 => drop(field(ui, "Empty", "a hint", &mut String::new(), None)),
        _ => {
            let choices = [(0, "one"), (1, "two"), (2, "three")];
            let choices = choices.map(|(value, name)| Choice { value, name, enabled: true });
            labelled(ui, "Labelled picker", &mut state.choice, &choices);
        }
    });
    command(ui, "As a command", "kafka-topics.sh --bootstrap-server 127.0.0.1:9092 --describe --topic orders.v1");
}

fn table(ui: &mut Ui, state: &mut State) {
    filter_box(ui, "Filter the table", "Filter the table", &mut state.filter);
    framed(ui, |ui| {
        let table = Table {
            id: "gallery",
            columns: &COLUMNS,
            rows: PILLS.len(),
            row_height: size::ROW_TALL,
            max_height: Some(size::HEADER + size::ROW_TALL * PILLS.len() as f32),
            active: true,
            selected: Some(0),
        };
        let menu = |index: usize| {
            vec![
                Item::new("Open", Icon::Topics, ()),
                Item::copy("the name", PILLS[index].text),
                Item::danger("Delete…", ()),
            ]
        };
        table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let pill = &PILLS[index];
            let number = 1_000 * index as i64;
            row.strong(&format!("row-{index}"));
            row.pill(Some(pill));
            row.text(&crate::ui::format::count(number));
            row.trouble(number, pill.mood);
            row.bar(index as f32 / 4.0, &format!("{} %", index * 25), pill.mood);
            row.two_lines("What happened, in one line", "and why, in another");
        });
    });
}

fn chart(ui: &mut Ui, state: &mut State) {
    const WINDOW_S: i64 = 300;
    let style = palette(ui);
    state.crosshair.turn();
    let wave = |index: usize| {
        let value = |at: i64| match (index, at) {
            (1, 120..160) => f64::NAN,
            _ => 600.0 + 150.0 * index as f64 + 80.0 * ((at as f64) / (14.0 + index as f64)).sin(),
        };
        (0..=WINDOW_S).map(|at| (at * 1000, value(at))).collect()
    };
    let trace = |index: usize| Trace {
        name: format!("Series {}", index + 1),
        color: style.series[index],
        dashed: index == 7,
        points: wave(index),
        format: Unit::Rate,
    };
    let bands = [Band { name: "broker 2 is killed".into(), from_ms: 120_000, until_ms: Some(160_000) }];
    let threshold = Threshold { value: 1_500.0, name: "threshold".into() };
    let chart = Chart {
        bands: &bands,
        threshold: Some(&threshold),
        ..Chart::new(
            "A chart of eight lines, a gap, a fault and a threshold",
            WINDOW_S * 1000,
            WINDOW_S,
            HALF_HEIGHT,
            Unit::Rate,
        )
    };
    let traces: Vec<Trace> = (0..style.series.len()).map(trace).collect();
    chart.show(ui, &mut state.crosshair, &traces);
    state.crosshair.settle(ui.ctx());
}

fn cells(ui: &mut Ui) {
    let heads: Vec<Head> = (1..=CELLS.len()).map(|id| Head { text: id.to_string(), down: id == 4 }).collect();
    for (density, name) in [(Density::Roomy, "roomy"), (Density::Compact, "compact")] {
        let label = |row: usize| Label {
            text: format!("{} first", CELLS[row].1),
            suffix: format!("-{row}"),
            trouble: [None, None, Some(Trouble::Degraded), Some(Trouble::Broken)].get(row).copied().flatten(),
        };
        let cell = |row: usize, column: usize| CELLS[(row + column) % CELLS.len()].0;
        let spoken = format!("Partition matrix, {name}");
        ui.push_id(name, |ui| matrix(ui, &spoken, &heads, CELLS.len(), density, label, cell));
    }
}

/// Empty, waiting, failed, filtered away.
fn play(ui: &mut Ui, state: &mut State) {
    let made: Vec<Step> = (1..=8)
        .map(|number| Step {
            number: number.to_string(),
            name: format!("Generation {number}"),
            mood: if number % 4 == 0 { Mood::Warning } else { Mood::Quiet },
        })
        .collect();
    if let Some(step) = steps(ui, &made, state.step) {
        state.step = step;
    }
    let heads: Vec<(String, i32)> = (0..6).map(|partition| ("orders".to_owned(), partition)).collect();
    let line = |name: &str, note: &str, slots: [Slot; 6]| Line {
        name: name.into(),
        note: note.into(),
        spoken: format!("{name}, {note}"),
        is_gone: note == "gone",
        slots: slots.to_vec(),
    };
    use Slot::{Coming, Empty, Gained, Going, Kept, Lost};
    let lines = [
        line("shop-1", "127.0.0.1", [Kept, Going, Empty, Empty, Lost, Empty]),
        line("shop-2", "new", [Empty, Coming, Gained, Empty, Gained, Gained]),
        line("shop-3", "gone", [Empty, Empty, Lost, Empty, Empty, Lost]),
    ];
    roster(ui, &heads, &lines);
}

fn states(ui: &mut Ui, state: &mut State) {
    let width = ((ui.available_width() + space::M) / 2.0 - space::M).floor();
    for pair in [[0, 1], [2, 3]] {
        side_by_side(ui, &[width; 2], space::M, |ui, index| {
            ui.set_max_height(HALF_HEIGHT);
            framed(ui, |ui| match pair[index] {
                0 => empty(ui, Icon::Topics, "No topics yet", "Create one here, or with any Kafka client."),
                1 => loading(ui, "The cluster is starting", "Topics appear here as soon as its brokers report."),
                2 => failed(ui, "There is no topic orders", "It may have been deleted."),
                _ => {
                    if no_match(ui, "No topic matches the filter", "It looks for its words anywhere in the name.") {
                        state.filter.clear();
                    }
                }
            });
        });
    }
}

fn icons(ui: &mut Ui) {
    let style = palette(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        for symbol in Icon::ALL {
            let (rect, response) = ui.allocate_exact_size(egui::Vec2::splat(size::ICON_NAV), egui::Sense::hover());
            icon::paint(ui.painter(), rect, symbol, style.muted);
            response.on_hover_text(format!("{symbol:?}"));
        }
    });
}
