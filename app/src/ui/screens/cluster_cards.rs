//! The cards of brokers and controllers, with the buttons that break and mend them.

use broker::metadata::report::NodeState;
use egui::{Align, Align2, Layout, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::side_by_side;
use crate::monitor::command::{Command, FaultKind, FaultRequest};
use crate::monitor::names::{is_controller, state_word};
use crate::monitor::snapshot::{Broker, Voter};
use crate::monitor::view::{Metric, Series, SeriesStore};
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::commands::objects::{self, Object};
use crate::ui::format;
use crate::ui::model::{is_up, node_pill};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::card::mood_card;
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::menu::{self, Open};
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::{sparkline, text};

/// Sparklines show this many seconds.
const SPARK_POINTS: usize = 120;

/// How high sparklines are where the window has room; broker cards are then as high as the controllers beside them.
const SPARK_TALL: f32 = 55.0;
const TALL_WINDOW: f32 = 860.0;

/// How many cards stand above each other: the more, the lower they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// One: there is room.
    One,
    /// Two.
    Two,
    /// More.
    Many,
}

impl Stack {
    /// So many cards.
    pub fn of(cards: usize) -> Stack {
        match cards {
            0 | 1 => Stack::One,
            2 => Stack::Two,
            _ => Stack::Many,
        }
    }
}

/// A broker. Returns where its card stands.
pub fn broker(ui: &mut Ui, scene: &Scene<'_>, broker: &Broker, stack: Stack, actions: &mut Vec<Action>) -> Rect {
    let style = palette(ui);
    let pill = node_pill(broker.state, broker.fenced);
    let mood = if is_up(broker) { Mood::Quiet } else { pill.mood };
    lit_card(ui, scene, (broker.id, mood), actions, |ui, actions| {
        ui.spacing_mut().item_spacing.y = space::S + 2.0;
        ui.horizontal(|ui| {
            glyph(ui, Icon::Broker, if mood == Mood::Quiet { style.muted } else { mood.colors(style).0 });
            text::label(ui, &format!("Broker {}", broker.id), font::heading(), style.text);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                removal(ui, scene, broker, actions);
                let fenced = Pill::new(Mood::Warning, Icon::Warning, "Fenced");
                let is_fenced =
                    broker.fenced && broker.state != NodeState::Running && broker.state != NodeState::Starting;
                // Where there is no room for both, the state says enough.
                let needed = pill.width(ui.painter()) + fenced.width(ui.painter()) + 2.0 * ui.spacing().item_spacing.x;
                if is_fenced && ui.available_width() >= needed {
                    fenced.show(ui);
                }
                pill.show(ui);
                offline_log_dirs(ui, broker);
            });
        });
        ui.horizontal(|ui| {
            text::label(ui, &format!("{}:{}", broker.host, broker.port), font::mono(), style.muted);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let connections = format::plural(broker.counters.connections as usize, "connection");
                let epoch = if broker.epoch < 0 { String::new() } else { format!("epoch {} · ", broker.epoch) };
                text::label(ui, &format!("{epoch}{connections}"), font::tiny(), style.faint);
            });
        });
        let out_of_sync = broker.out_of_sync_replicas as i64;
        let facts = [
            ("Leaders", format::count(broker.leaders as i64), Mood::Quiet),
            ("Replicas", format::count(broker.replicas as i64), Mood::Quiet),
            ("Out of sync", format::count(out_of_sync), if out_of_sync > 0 { Mood::Warning } else { Mood::Quiet }),
            ("Disk", format::bytes(broker.log_size_bytes as f64), Mood::Quiet),
        ];
        facts_row(ui, &facts);
        traffic(ui, scene, broker, stack);
        let name = format!("broker {}", broker.id);
        let target = Target { id: broker.id, name: &name, controller: false, state: broker.state };
        buttons(ui, scene, &target, Shape::Filling, actions);
    })
}

/// What stops and starts a broker, in a layout that runs from right to left.
pub fn life(ui: &mut Ui, scene: &Scene<'_>, broker: &Broker, actions: &mut Vec<Action>) {
    let name = format!("broker {}", broker.id);
    let target = Target { id: broker.id, name: &name, controller: false, state: broker.state };
    buttons(ui, scene, &target, Shape::Words, actions);
}

/// A node's card; that of the node that somebody asked for stands out, and is brought into sight.
fn lit_card(
    ui: &mut Ui,
    scene: &Scene<'_>,
    (id, mood): (i32, Mood),
    actions: &mut Vec<Action>,
    content: impl FnOnce(&mut Ui, &mut Vec<Action>),
) -> Rect {
    let lit = scene.spotlight.filter(|(node_id, _)| *node_id == id);
    let card = mood_card(ui, if lit.is_some() { mood.max(Mood::Busy) } else { mood }, |ui| content(ui, actions));
    if let Some((_, true)) = lit {
        card.response.scroll_to_me(Some(Align::Center));
    }
    let object = if is_controller(id) { Object::Controller(id) } else { Object::Broker(id) };
    object_menu(ui, scene, card.response.rect, &object, actions);
    card.response.rect
}

/// A painted line is reached with the keyboard, and has a name.
pub fn line(ui: &mut Ui, place: Rect, name: &str) {
    let line = ui.interact(place, ui.scope_id().with(name), Sense::focusable_noninteractive());
    line.widget_info(|| WidgetInfo::labeled(Role::GraphicsObject, true, name));
}

/// The menu of what stands in `place`, by the other mouse button or the keyboard.
pub fn object_menu(ui: &mut Ui, scene: &Scene<'_>, place: Rect, object: &Object, actions: &mut Vec<Action>) {
    let open = menu::wanted(ui, place).map(|at| Open { at, items: objects::menu(object, scene) });
    actions.extend(menu::show(ui, &format!("{object:?}"), open));
}

/// Log directories that failed, if any.
fn offline_log_dirs(ui: &mut Ui, broker: &Broker) {
    let dirs = &broker.offline_log_dirs;
    if !dirs.is_empty() {
        let pill = Pill::new(Mood::Critical, Icon::Warning, "Disk offline").show(ui);
        pill.on_hover_text(format!("Taken offline after an I/O error, until the next start:\n{}", dirs.join("\n")));
    }
}

/// Removes a broker for good, or calls that off.
fn removal(ui: &mut Ui, scene: &Scene<'_>, broker: &Broker, actions: &mut Vec<Action>) {
    let snapshot = scene.model.snapshot();
    let id = broker.id;
    let (leaving, alone) = (snapshot.membership.leaving, snapshot.brokers.len() < 2);
    if leaving == Some(id) {
        let name = format!("Keep broker {id}");
        let keep = Button::icon(Icon::Close, &name).small().tone(Tone::Bare).show(ui);
        if keep.clicked() {
            actions.push(Action::Send(Command::KeepBroker(id)));
        }
        let line = as_command::line(&Command::KeepBroker(id), &Around::scene(scene));
        keep.on_hover_text(format!("{name}: its removal is called off.\n{line}"));
        Pill::new(Mood::Busy, Icon::Clock, "Leaving").show(ui);
        return;
    }
    let name = format!("Remove broker {id}");
    let enabled = leaving.is_none() && !alone;
    let remove = Button::icon(Icon::Trash, &name).small().tone(Tone::Bare).enabled(enabled).show(ui);
    if remove.clicked() {
        actions.push(Action::Ask(Dialog::RemoveBroker(id)));
    }
    let help = match (leaving, alone) {
        (Some(other), _) => format!("{name}: not while broker {other} is being removed."),
        (None, true) => format!("{name}: it is the only one."),
        (None, false) => {
            format!("{name} for good: its replicas move to the others first.")
        }
    };
    remove.on_hover_text(help);
}

/// Removes a controller for good.
fn controller_removal(ui: &mut Ui, scene: &Scene<'_>, id: i32, actions: &mut Vec<Action>) {
    let alone = scene.model.snapshot().quorum.voters.len() < 2;
    let name = format!("Remove controller {id}");
    let remove = Button::icon(Icon::Trash, &name).small().tone(Tone::Bare).enabled(!alone).show(ui);
    if remove.clicked() {
        actions.push(Action::Ask(Dialog::RemoveController(id)));
    }
    remove.on_hover_text(match alone {
        true => format!("{name}: it is the only one."),
        false => format!("{name} for good: it stops voting first."),
    });
}

/// A controller, in two lines.
pub fn controller(ui: &mut Ui, scene: &Scene<'_>, voter: &Voter, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let quorum = &scene.model.snapshot().quorum;
    let active = quorum.leader_id == voter.id;
    let pill = node_pill(voter.state, false);
    let running = voter.state == NodeState::Running;
    let mood = if running { Mood::Quiet } else { pill.mood };
    lit_card(ui, scene, (voter.id, mood), actions, |ui, actions| {
        ui.spacing_mut().item_spacing.y = space::XS + 1.0;
        ui.horizontal(|ui| {
            let ink = if active { style.accent } else { style.muted };
            glyph(ui, if active { Icon::Star } else { Icon::Cluster }, ink);
            text::label(ui, &format!("Controller {}", voter.id), font::heading(), style.text);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                controller_removal(ui, scene, voter.id, actions);
                if running {
                    role_pill(&voter.role, active).show(ui);
                } else {
                    pill.show(ui);
                }
            });
        });
        ui.horizontal(|ui| {
            ui.set_min_height(size::CONTROL_SMALL);
            let behind = quorum.high_watermark - voter.log_end_offset;
            let words = format!("log end {}", format::count(voter.log_end_offset));
            text::label(ui, &words, font::small(), style.muted);
            if behind > 0 {
                text::label(ui, &format!("−{}", format::count(behind)), font::small(), style.warning)
                    .on_hover_text("Behind the committed end of the metadata log.");
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let name = format!("controller {}", voter.id);
                let target = Target { id: voter.id, name: &name, controller: true, state: voter.state };
                buttons(ui, scene, &target, Shape::Icons, actions);
            });
        });
    });
}

fn role_pill(role: &str, active: bool) -> Pill {
    match (role, active) {
        (_, true) => Pill::new(Mood::Busy, Icon::Star, "Active"),
        ("leader", false) => Pill::new(Mood::Warning, Icon::Warning, "Thinks it leads"),
        ("observer", false) => Pill::new(Mood::Busy, Icon::Clock, "Does not vote"),
        ("follower", false) => Pill::new(Mood::Quiet, Icon::Check, "Follower"),
        ("candidate", false) => Pill::new(Mood::Warning, Icon::Clock, "Candidate"),
        ("prospective", false) => Pill::new(Mood::Warning, Icon::Clock, "Prospective"),
        ("resigned", false) => Pill::new(Mood::Warning, Icon::Clock, "Resigned"),
        ("offline", false) => Pill::new(Mood::Critical, Icon::Critical, "Offline"),
        _ => Pill::new(Mood::Warning, Icon::Clock, "Unattached"),
    }
}

fn glyph(ui: &mut Ui, symbol: Icon, ink: egui::Color32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(size::ICON), Sense::hover());
    icon::paint(ui.painter(), rect, symbol, ink);
}

/// Captions over values, sharing the width.
fn facts_row(ui: &mut Ui, facts: &[(&str, String, Mood)]) {
    let style = palette(ui);
    let width = ui.available_width();
    let height = font::tiny().size + font::body().size + space::S + 2.0;
    let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    // Long words get more room than short ones.
    let letters = |caption: &str, value: &str| caption.len().max(value.len()) as f32 + 3.0;
    let all: f32 = facts.iter().map(|fact| letters(fact.0, &fact.1)).sum();
    let mut left = rect.left();
    for (caption, value, mood) in facts {
        let column = width * letters(caption, value) / all;
        let place = Rect::from_min_size(pos2(left, rect.top()), vec2(column - space::XS, height));
        left += column;
        let response = ui.interact(place, ui.scope_id().with(("fact", *caption)), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{caption}: {value}")));
        text::paint(ui.painter(), place, Align2::LEFT_TOP, caption, font::tiny(), style.faint);
        let ink = if *mood == Mood::Quiet { style.text } else { mood.colors(style).0 };
        text::paint(ui.painter(), place, Align2::LEFT_BOTTOM, value, font::body(), ink);
    }
}

fn traffic(ui: &mut Ui, scene: &Scene<'_>, broker: &Broker, stack: Stack) {
    let style = palette(ui);
    let series = &scene.model.view.series;
    let label = broker.id.to_string();
    let width = (ui.available_width() - space::M) / 2.0;
    let flows = [
        ("In", broker.rates.bytes_in_per_s, Metric::BytesInPerS, style.series[0]),
        ("Out", broker.rates.bytes_out_per_s, Metric::BytesOutPerS, style.series[3]),
    ];
    side_by_side(ui, &[width, width], space::M, |ui, index| {
        let (name, rate, metric, color) = flows[index];
        ui.spacing_mut().item_spacing.y = space::XS / 2.0;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            text::label(ui, name, font::tiny(), style.faint);
            text::label(ui, &format::byte_rate(rate), font::small(), style.text);
        });
        if stack == Stack::Many {
            return;
        }
        let tall = stack == Stack::One && ui.ctx().content_rect().height() >= TALL_WINDOW;
        let height = if tall { SPARK_TALL } else { size::CONTROL_SMALL };
        match series.get(metric, &label) {
            Some(found) => {
                let skip = found.points.len().saturating_sub(SPARK_POINTS);
                sparkline::sparkline(ui, vec2(width, height), found.points.range(skip..).copied(), color);
            }
            None => {
                let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
                let base = [pos2(rect.left(), rect.bottom() - 0.5), pos2(rect.right(), rect.bottom() - 0.5)];
                ui.painter().line_segment(base, egui::Stroke::new(size::LINE, style.outline));
            }
        }
    });
}

/// Whether the sparklines of both look alike: those that do not move, however long they are.
pub fn looks_alike(one: &SeriesStore, other: &SeriesStore) -> bool {
    [Metric::BytesInPerS, Metric::BytesOutPerS].into_iter().all(|metric| {
        let mut others = other.of(metric);
        one.of(metric).all(|series| {
            others.next().is_some_and(|other| {
                series.label == other.label && level(series) == level(other) && level(series).is_some()
            })
        }) && others.next().is_none()
    })
}

/// Where the line of a series lies, if it is flat; by bits, as what is not known is alike too.
fn level(series: &Series) -> Option<u64> {
    let mut shown = series.points.iter().rev().take(SPARK_POINTS).map(|point| point.to_bits());
    // A line has two points.
    let (newest, before) = (shown.next()?, shown.next()?);
    (before == newest && shown.all(|point| point == newest)).then_some(newest)
}

struct Target<'a> {
    id: i32,
    name: &'a str,
    controller: bool,
    state: NodeState,
}

/// What a button does, and when it can.
struct Deed {
    word: &'static str,
    icon: Icon,
    kind: Option<FaultKind>,
    enabled: bool,
    tone: Tone,
    what: &'static str,
}

fn deeds(state: NodeState) -> [Deed; 4] {
    let running = state == NodeState::Running;
    let alive = matches!(state, NodeState::Running | NodeState::Paused | NodeState::Starting | NodeState::Stopping);
    let down = matches!(state, NodeState::Stopped | NodeState::Killed | NodeState::Paused);
    [
        Deed {
            word: "Stop",
            icon: Icon::Stop,
            kind: Some(FaultKind::Stop),
            enabled: running,
            tone: Tone::Quiet,
            what: "Controlled shutdown (SIGTERM): it hands its work over first.",
        },
        Deed {
            word: "Kill",
            icon: Icon::Kill,
            kind: Some(FaultKind::Kill),
            enabled: alive,
            tone: Tone::Quiet,
            what: "Gone where it stands (SIGKILL): nothing is flushed, closed or announced.",
        },
        Deed {
            word: "Pause",
            icon: Icon::Pause,
            kind: Some(FaultKind::Pause),
            enabled: running,
            tone: Tone::Quiet,
            what: "Frozen (SIGSTOP): its sockets accept, and nobody answers.",
        },
        Deed {
            word: "Start",
            icon: Icon::Start,
            kind: None,
            enabled: down,
            tone: if down { Tone::Primary } else { Tone::Quiet },
            what: if matches!(state, NodeState::Paused) {
                "Let it go on (SIGCONT)."
            } else {
                "Start it again on the data it left."
            },
        },
    ]
}

/// How the buttons that stop and start a node stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Words that share the width.
    Filling,
    /// Icons, from right to left.
    Icons,
    /// Words with icons, from right to left.
    Words,
}

fn buttons(ui: &mut Ui, scene: &Scene<'_>, target: &Target<'_>, shape: Shape, actions: &mut Vec<Action>) {
    let gap = space::XS + 1.0;
    ui.spacing_mut().item_spacing.x = gap;
    let width = ((ui.available_width() + gap) / 4.0 - gap).floor();
    let show = |ui: &mut Ui, deed: &Deed, actions: &mut Vec<Action>| {
        let name = format!("{} {}", deed.word, target.name);
        let button = match shape {
            // Icons need room beside their words.
            Shape::Filling if width >= 64.0 => Button::new(deed.word).name(&name).width(width).with_icon(deed.icon),
            Shape::Filling => Button::new(deed.word).name(&name).width(width),
            Shape::Words => Button::new(deed.word).name(&name).with_icon(deed.icon),
            Shape::Icons => Button::icon(deed.icon, &name),
        };
        let button = if shape == Shape::Words { button } else { button.small() };
        let tone = if shape == Shape::Icons { Tone::Bare } else { deed.tone };
        let response = button.tone(tone).enabled(deed.enabled).show(ui);
        if response.clicked() {
            actions.push(Action::Send(command(target, deed.kind)));
        }
        let help = help(scene, target, deed);
        if deed.enabled {
            response.on_hover_text(help)
        } else {
            response.on_hover_text(format!("{name}: not while it is {}.", state_word(target.state)))
        };
    };
    let deeds = deeds(target.state);
    if shape == Shape::Filling {
        ui.horizontal(|ui| deeds.iter().for_each(|deed| show(ui, deed, actions)));
    } else {
        // The caller's layout runs from right to left.
        deeds.iter().rev().for_each(|deed| show(ui, deed, actions));
    }
}

fn command(target: &Target<'_>, kind: Option<FaultKind>) -> Command {
    match kind {
        None => Command::StartNode(target.id),
        Some(kind) => Command::InjectFault(FaultRequest {
            broker: (!target.controller).then_some(target.id),
            controller: target.controller.then_some(target.id),
            ..FaultRequest::new(kind)
        }),
    }
}

fn help(scene: &Scene<'_>, target: &Target<'_>, deed: &Deed) -> String {
    let line = as_command::line(&command(target, deed.kind), &Around::scene(scene));
    format!("{} {}: {}\n{line}", deed.word, target.name, deed.what)
}
