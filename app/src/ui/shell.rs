//! What stands around every screen: the nav at the left, the status bar at the top.

use std::sync::Arc;

use egui::{
    Align, Align2, CornerRadius, Frame, Galley, Layout, Margin, Panel, Rect, Role, Sense, Stroke, Ui, UiBuilder, Vec2,
    WidgetInfo, pos2, vec2,
};

use super::app::{Action, Dialog, Scene, Screen, ThemeChoice};
use super::commands::{self, Id};
use super::format;
use super::tokens::{font, palette, radius, size, space};
use super::widgets::button::{self, Button};
use super::widgets::icon::{self, Icon};
use super::widgets::pill::Mood;
use super::widgets::text;
use crate::monitor::command::Command;
use crate::monitor::ledger::{LedgerStatus, Verdict};

/// The nav.
pub fn nav(ui: &mut Ui, scene: &Scene<'_>, screen: Screen, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let frame = Frame::new().fill(style.chrome).inner_margin(Margin::symmetric(space::S as i8, space::M as i8));
    Panel::left("nav").exact_size(size::NAV).resizable(false).frame(frame).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        wordmark(ui);
        ui.add_space(space::S);
        find(ui, scene, actions);
        ui.add_space(space::M);
        let model = scene.model;
        let snapshot = model.snapshot();
        let brokers_down = snapshot.brokers.iter().filter(|broker| !super::model::is_up(broker)).count();
        let nodes_down = brokers_down + snapshot.quorum.voters.iter().filter(|voter| voter.role == "offline").count();
        let topics = snapshot.topics.iter().filter(|topic| !topic.internal).count();
        let failed = snapshot.workloads.iter().filter(|one| one.state == "failed").count();
        let is_broken = |one: &&Arc<LedgerStatus>| one.verdict == Verdict::Red;
        let broken = model.view.ledger.workloads.iter().filter(is_broken).count();
        let items = [
            (Screen::Start, Icon::Start, "Start", Badge::default()),
            (Screen::Cluster, Icon::Cluster, "Cluster", Badge::trouble(nodes_down, Mood::Critical, "nodes down")),
            (
                Screen::Topics,
                Icon::Topics,
                "Topics",
                Badge::trouble(model.topics_in_trouble, Mood::Warning, "topics out of sync").or_count(topics),
            ),
            (
                Screen::Groups,
                Icon::Groups,
                "Groups",
                Badge::trouble(model.groups_in_trouble, Mood::Warning, "groups that rebalance or fall behind")
                    .or_count(snapshot.groups.len()),
            ),
            (
                Screen::Brokers,
                Icon::Broker,
                "Brokers",
                Badge::trouble(brokers_down, Mood::Critical, "brokers down").or_count(snapshot.brokers.len()),
            ),
            (
                Screen::Quorum,
                Icon::Quorum,
                "Quorum",
                Badge::trouble(
                    usize::from(snapshot.quorum.leader_id < 0 && !snapshot.quorum.voters.is_empty()),
                    Mood::Critical,
                    "quorums without a leader",
                ),
            ),
            (Screen::Wire, Icon::Wire, "Wire", Badge::default()),
            (
                Screen::Workloads,
                Icon::Pulse,
                "Workloads",
                Badge::trouble(failed, Mood::Critical, "workloads that cannot go on")
                    .or_count(snapshot.workloads.len()),
            ),
            (
                Screen::Faults,
                Icon::Kill,
                "Faults",
                Badge::trouble(snapshot.faults.len(), Mood::Warning, "faults in force"),
            ),
            (
                Screen::Ledger,
                Icon::Ledger,
                "Ledger",
                Badge::trouble(broken, Mood::Critical, "workloads with a broken promise"),
            ),
            (Screen::Metrics, Icon::Metrics, "Metrics", Badge::default()),
            (
                Screen::Alarms,
                Icon::Bell,
                "Alarms",
                Badge::trouble(model.alarms, model.alarms_mood, "alarms in state ALARM"),
            ),
            (
                Screen::Events,
                Icon::Events,
                "Events",
                Badge::trouble(model.fresh_alarms, Mood::Critical, "critical events in the last 5 minutes"),
            ),
            (Screen::Logs, Icon::Logs, "Logs", Badge::default()),
        ];
        let current = if screen == Screen::Topic { Screen::Topics } else { screen };
        for (target, symbol, name, badge) in items {
            if item(ui, symbol, name, &badge, current == target, Id::Go(target)) {
                actions.push(Action::Go(target));
            }
        }
        ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
            let (symbol, name, choice) = match scene.options.theme {
                ThemeChoice::Dark => (Icon::Sun, "Light theme", ThemeChoice::Light),
                ThemeChoice::Light => (Icon::Moon, "Dark theme", ThemeChoice::Dark),
            };
            if item(ui, symbol, name, &Badge::default(), false, Id::Theme) {
                actions.push(Action::Theme(choice));
            }
            if item(ui, Icon::Settings, "Settings", &Badge::default(), false, Id::Settings) {
                actions.push(Action::Ask(Dialog::Settings));
            }
            if item(ui, Icon::Info, "Help", &Badge::default(), false, Id::Help) {
                actions.push(Action::Ask(Dialog::Help));
            }
        });
    });
}

/// Back, forward, and the way to everything.
fn find(ui: &mut Ui, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS / 2.0;
        let ways = [
            (Icon::Back, "Back", Id::Back, Action::Back, scene.can_go.0),
            (Icon::Forward, "Forward", Id::Forward, Action::Forward, scene.can_go.1),
        ];
        for (symbol, name, id, action, is_open) in ways {
            let way = Button::icon(symbol, name).small().enabled(is_open).show(ui);
            if way.clicked() {
                actions.push(action);
            }
            commands::tell(way, id);
        }
        ui.add_space(space::XS / 2.0);
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::CONTROL), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Find anything"));
        let style = palette(ui);
        let is_lit = response.hovered() || response.has_focus();
        let edge = Stroke::new(size::LINE, if is_lit { style.accent } else { style.outline });
        let painter = ui.painter();
        painter.rect(rect, CornerRadius::same(radius::M), style.input, edge, egui::StrokeKind::Inside);
        let side = size::ICON - 2.0;
        let mark =
            Rect::from_center_size(pos2(rect.left() + space::S + side / 2.0, rect.center().y), Vec2::splat(side));
        icon::paint(painter, mark, Icon::Search, style.faint);
        let words = Rect::from_x_y_ranges(mark.right() + space::XS..=rect.right() - space::S, rect.y_range());
        text::paint(painter, words, Align2::LEFT_CENTER, "Find", font::small(), style.faint);
        let keys = commands::keys_of(ui.ctx(), Id::Palette);
        text::paint(painter, words, Align2::RIGHT_CENTER, &keys, font::tiny(), style.faint);
        if response.clicked() {
            actions.push(Action::Ask(Dialog::Palette));
        }
        commands::tell(response.on_hover_cursor(egui::CursorIcon::PointingHand), Id::Palette);
    });
}

fn wordmark(ui: &mut Ui) {
    let style = palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::CONTROL), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, "Brokerscope"));
    let mark = Rect::from_min_size(pos2(rect.left() + space::S, rect.center().y - 10.0), Vec2::splat(20.0));
    let painter = ui.painter();
    painter.rect_filled(mark, f32::from(radius::M), style.leader);
    let tile = |x: f32, y: f32| Rect::from_min_size(mark.min + vec2(x, y), Vec2::splat(5.0));
    painter.rect_filled(tile(4.0, 4.0), 1.0, style.chrome);
    for (x, y) in [(11.0, 4.0), (4.0, 11.0)] {
        painter.rect_stroke(tile(x, y), 1.0, Stroke::new(1.3, style.chrome), egui::StrokeKind::Inside);
    }
    painter.rect_filled(tile(11.0, 11.0), 1.0, style.chrome);
    let words = Rect::from_min_max(pos2(mark.right() + space::S, rect.top()), rect.max);
    text::paint(painter, words, Align2::LEFT_CENTER, "Brokerscope", font::heading(), style.text);
}

/// What stands at the right of a nav item.
#[derive(Default)]
struct Badge {
    count: usize,
    mood: Option<Mood>,
    what: &'static str,
}

impl Badge {
    fn trouble(count: usize, mood: Mood, what: &'static str) -> Badge {
        Badge { count, mood: Some(mood), what }
    }

    /// A plain count where there is no trouble.
    fn or_count(self, count: usize) -> Badge {
        if self.count > 0 { self } else { Badge { count, mood: None, what: "" } }
    }
}

fn item(ui: &mut Ui, symbol: Icon, name: &str, badge: &Badge, selected: bool, id: Id) -> bool {
    let style = palette(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), size::CONTROL + space::XS), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, name));
    let painter = ui.painter();
    let rounding = CornerRadius::same(radius::M);
    if selected {
        painter.rect_filled(rect, rounding, style.accent_soft);
    } else if response.hovered() || response.has_focus() {
        painter.rect_filled(rect, rounding, style.hover);
    }
    let ink = if selected { style.accent } else { style.muted };
    let place = Rect::from_center_size(
        pos2(rect.left() + space::S + size::ICON_NAV / 2.0, rect.center().y),
        Vec2::splat(size::ICON_NAV),
    );
    icon::paint(painter, place, symbol, ink);
    let words = Rect::from_min_max(pos2(place.right() + space::S + 2.0, rect.top()), rect.max);
    let ink = if selected || response.hovered() { style.text } else { style.muted };
    text::paint(painter, words, Align2::LEFT_CENTER, name, font::body(), ink);
    if badge.count > 0 {
        let number = format::count(badge.count as i64);
        let right = Rect::from_min_max(rect.min, pos2(rect.right() - space::S, rect.bottom()));
        if let Some(mood) = badge.mood {
            let (ink, ground) = mood.colors(style);
            let galley = text::line(painter, &number, font::tiny(), ink, f32::INFINITY);
            let chip = vec2((galley.size().x + space::S + space::XS).max(size::PILL), size::PILL - 2.0);
            let chip = Align2::RIGHT_CENTER.align_size_within_rect(chip, right);
            painter.rect_filled(chip, chip.height() / 2.0, ground);
            text::paint(painter, chip, Align2::CENTER_CENTER, &number, font::tiny(), ink);
        } else {
            text::paint(
                painter,
                right.translate(vec2(-space::XS, 0.0)),
                Align2::RIGHT_CENTER,
                &number,
                font::tiny(),
                style.faint,
            );
        }
    }
    let clicked = response.clicked();
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    let told = commands::hover(ui.ctx(), id);
    if badge.mood.is_some() && badge.count > 0 {
        response.on_hover_text(format!("{} {}\n{told}", badge.count, badge.what));
    } else {
        response.on_hover_text(told);
    }
    clicked
}

/// The status bar.
pub fn status_bar(ui: &mut Ui, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let fill = if scene.is_past { style.warning_soft } else { style.chrome };
    let frame = Frame::new().fill(fill).inner_margin(Margin::symmetric(space::L as i8, 0));
    Panel::top("status").exact_size(size::STATUS_BAR).resizable(false).frame(frame).show(ui, |ui| {
        let bar = ui.max_rect();
        let mut right = ui.new_child(UiBuilder::new().max_rect(bar).layout(Layout::right_to_left(Align::Center)));
        troubles(&mut right, scene, actions);
        // What must be zero is never covered: the facts at the left give way.
        let rest = bar.with_max_x(right.min_rect().left() - space::M);
        let mut left = ui.new_child(UiBuilder::new().max_rect(rest).layout(Layout::left_to_right(Align::Center)));
        facts(&mut left, scene);
    });
}

/// Bootstrap servers are given more than this if nothing else needs it.
const BOOTSTRAP_LEAST: f32 = 260.0;

fn facts(ui: &mut Ui, scene: &Scene<'_>) {
    let style = palette(ui);
    let model = scene.model;
    let snapshot = model.snapshot();
    ui.spacing_mut().item_spacing.x = space::M;
    model.health.pill().show(ui);
    if snapshot.cluster_id.is_empty() {
        text::label(ui, "The cluster is starting…", font::body(), style.muted);
        return;
    }
    let servers = short_bootstrap(&model.bootstrap);
    let bootstrap = |ui: &Ui, width: f32| Fact::new(ui, "Bootstrap servers", &servers, true, width);
    let at_least = bootstrap(ui, BOOTSTRAP_LEAST);
    let quorum = &snapshot.quorum;
    let (id, with_epoch) = match quorum.leader_id {
        ..0 => ("none".to_owned(), "none".to_owned()),
        id => (id.to_string(), format!("{id} · epoch {}", quorum.epoch)),
    };
    let active = Fact::new(ui, "Active controller", &with_epoch, false, 140.0);
    let brief = Fact::new(ui, "Controller", &id, false, 140.0);
    let cluster = Fact::new(ui, "Cluster", &snapshot.cluster_id, true, 180.0);
    let profile = Fact::new(ui, "Profile", &snapshot.profile, false, 80.0);
    let gap = 2.0 * space::M + size::LINE;
    let copy = space::M + size::CONTROL_SMALL;
    let mut room = ui.available_width() - at_least.width - gap - copy;
    // In the order in which they may be missed: what is wanted most takes its place first.
    let mut fits = |width: f32| {
        let fits = room >= width;
        room -= if fits { width } else { 0.0 };
        fits
    };
    let active = if fits(active.width + gap) { Some(active) } else { fits(brief.width + gap).then_some(brief) };
    let with_profile = fits(profile.width + gap);
    let with_cluster = fits(cluster.width + gap + copy);
    // Whatever is left, so that all servers are read.
    let bootstrap = bootstrap(ui, BOOTSTRAP_LEAST + room.max(0.0));
    if with_cluster {
        separator(ui);
        cluster.show(ui);
        button::copy(ui, &snapshot.cluster_id, "the cluster id");
    }
    if with_profile {
        separator(ui);
        profile.show(ui);
    }
    if !model.bootstrap.is_empty() {
        separator(ui);
        bootstrap.show(ui);
        button::copy(ui, &model.bootstrap, "the bootstrap servers");
    }
    if let Some(active) = active {
        separator(ui);
        active.show(ui);
    }
}

/// The totals that must be zero, and the way back when faults are in force. Blank means healthy.
fn troubles(ui: &mut Ui, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.x = space::S;
    let snapshot = scene.model.snapshot();
    if !snapshot.faults.is_empty() {
        let heal = Button::new("Heal all").with_icon(Icon::Heal).small().show(ui);
        if heal.clicked() {
            actions.push(Action::Send(Command::HealAllFaults));
        }
        commands::tell_with(heal, Id::HealAll, scene);
    }
    let totals = &snapshot.totals;
    let counts = [
        (
            totals.offline_partitions,
            Mood::Critical,
            Icon::Critical,
            "offline",
            "Partitions without a leader: nobody can write or read them.",
        ),
        (
            totals.under_min_isr_partitions,
            Mood::Critical,
            Icon::Warning,
            "under min ISR",
            "Partitions with fewer in-sync replicas than min.insync.replicas: writes with acks=all are refused.",
        ),
        (
            totals.under_replicated_partitions,
            Mood::Warning,
            Icon::Warning,
            "under-replicated",
            "Partitions with fewer in-sync replicas than replicas.",
        ),
    ];
    for (count, mood, symbol, name, help) in counts {
        if count > 0 {
            let words = format!("{} {name}", format::count(count as i64));
            count_pill(ui, mood, symbol, &words).on_hover_text(help);
        }
    }
    if counts.iter().all(|count| count.0 == 0) && totals.partitions > 0 {
        let words = format!("{} in sync", format::plural(totals.partitions, "partition"));
        text::label(ui, &words, font::small(), palette(ui).faint);
    }
}

fn count_pill(ui: &mut Ui, mood: Mood, symbol: Icon, words: &str) -> egui::Response {
    let style = palette(ui);
    let (ink, ground) = mood.colors(style);
    let galley = text::line(ui.painter(), words, font::small(), ink, f32::INFINITY);
    let side = size::ICON - space::XS;
    let width = galley.size().x + side + space::XS + 2.0 * space::S;
    let (rect, response) = ui.allocate_exact_size(vec2(width, size::PILL + 2.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    ui.painter().rect_filled(rect, rect.height() / 2.0, ground);
    let mark = Rect::from_center_size(pos2(rect.left() + space::S + side / 2.0, rect.center().y), Vec2::splat(side));
    icon::paint(ui.painter(), mark, symbol, ink);
    let place = Rect::from_min_max(pos2(mark.right() + space::XS, rect.top()), rect.max);
    text::paint(ui.painter(), place, Align2::LEFT_CENTER, words, font::small(), ink);
    response
}

fn separator(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(size::LINE, space::XL), Sense::hover());
    ui.painter().rect_filled(rect, 0.0, palette(ui).outline);
}

/// A caption over a value.
struct Fact {
    spoken: String,
    caption: Arc<Galley>,
    value: Arc<Galley>,
    width: f32,
}

impl Fact {
    fn new(ui: &Ui, caption: &str, value: &str, mono: bool, max_width: f32) -> Fact {
        let style = palette(ui);
        let spoken = format!("{caption}: {value}");
        let value_font = if mono { font::mono() } else { font::body() };
        let caption = text::line(ui.painter(), caption, font::tiny(), style.faint, max_width);
        let value = text::line(ui.painter(), value, value_font, style.text, max_width);
        let width = caption.size().x.max(value.size().x);
        Fact { spoken, caption, value, width }
    }

    fn show(self, ui: &mut Ui) {
        let style = palette(ui);
        let (rect, response) = ui.allocate_exact_size(vec2(self.width, size::STATUS_BAR - space::S), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &self.spoken));
        let middle = rect.center().y;
        ui.painter().galley(pos2(rect.left(), middle - self.caption.size().y - 1.0), self.caption, style.faint);
        ui.painter().galley(pos2(rect.left(), middle + 1.0), self.value, style.text);
    }
}

/// `127.0.0.1:9092–9094` where all listen on one host on neighbouring ports; the copy button gives the full list.
fn short_bootstrap(bootstrap: &str) -> String {
    let parsed: Option<Vec<(&str, u16)>> = bootstrap
        .split(',')
        .map(|address| address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))))
        .collect();
    match parsed.as_deref() {
        Some([(host, first), rest @ .., (_, last)])
            if rest.iter().all(|(other, _)| other == host)
                && usize::from(*last) == usize::from(*first) + rest.len() + 1
                && rest.iter().zip(1..).all(|((_, port), step)| u32::from(*port) == u32::from(*first) + step)
                && bootstrap.matches(host).count() == rest.len() + 2 =>
        {
            format!("{host}:{first}–{last}")
        }
        _ => bootstrap.replace(',', ", "),
    }
}

#[cfg(test)]
mod tests {
    use super::short_bootstrap;

    #[test]
    fn neighbouring_ports_are_told_as_a_range() {
        assert_eq!(short_bootstrap("127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"), "127.0.0.1:9092–9094");
        assert_eq!(short_bootstrap("127.0.0.1:9092,127.0.0.1:9095"), "127.0.0.1:9092, 127.0.0.1:9095");
        assert_eq!(short_bootstrap("127.0.0.1:9092"), "127.0.0.1:9092");
        assert_eq!(short_bootstrap("a:1,b:2,a:3"), "a:1, b:2, a:3");
    }
}
