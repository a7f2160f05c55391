//! The picker of the monitoring level: what each level has, and how many series that is.

use egui::{Align2, CornerRadius, Popup, Rect, Response, Role, Sense, Ui, WidgetInfo, vec2};

use crate::monitor::cloudwatch::catalog::{self, Level};
use crate::monitor::cloudwatch::store::{Dimension, SERIES_MAX, Store};
use crate::monitor::cloudwatch::watch::{Change, CloudwatchView};
use crate::monitor::command::Command;
use crate::monitor::snapshot::Snapshot;
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::format;
use crate::ui::tokens::{self, font, palette, radius, size, space};
use crate::ui::widgets::button::{self, Button};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::text;

/// Width of the list.
const WIDTH: f32 = 520.0;
const NUMBERS: f32 = 110.0;

/// What a level gives, and what it costs on Amazon.
fn gives(level: Level) -> &'static str {
    match level {
        Level::Default => "Cluster, disks, CPU, traffic and lag; free of charge on MSK",
        Level::PerBroker => "And times, threads and connections of each broker; MSK charges for what is added",
        Level::PerTopicPerBroker => "And traffic of each topic on each broker; MSK charges by the metric",
        Level::PerTopicPerPartition => "And each group's lag in each partition; MSK charges by the metric",
    }
}

/// How many series a level has: those that there are, of levels in force; of others, as many as brokers, topics and groups can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Is(usize),
    UpTo(usize),
}

impl Count {
    fn words(self) -> String {
        match self {
            Count::Is(count) => format!("{} series", format::count(count as i64)),
            Count::UpTo(count) => format!("up to {}", format::count(count as i64)),
        }
    }
}

fn count(level: Level, view: &CloudwatchView, snapshot: &Snapshot) -> Count {
    if level <= view.level {
        return Count::Is(counted(level, &view.store));
    }
    let added = |level: Level| {
        let rows = catalog::all().filter(move |row| row.level == level);
        rows.map(|row| possible(row.dimensions(), snapshot)).sum::<usize>()
    };
    let more = Level::all().into_iter().filter(|one| (view.level..=level).contains(one) && *one != view.level);
    Count::UpTo((counted(view.level, &view.store) + more.map(added).sum::<usize>()).min(SERIES_MAX))
}

fn counted(level: Level, store: &Store) -> usize {
    store.iter().filter(|(key, _)| catalog::definition(key).is_some_and(|row| row.level <= level)).count()
}

/// How many series a row of these dimensions can have in this cluster.
fn possible(dimensions: &[Dimension], snapshot: &Snapshot) -> usize {
    let offsets =
        || snapshot.groups.iter().flat_map(|group| group.offsets.iter().map(move |offset| (&group.id, offset)));
    match dimensions {
        [_] => 1,
        [_, Dimension::BrokerId] => snapshot.brokers.len(),
        [_, Dimension::BrokerId, Dimension::Topic] => snapshot.brokers.len() * snapshot.topics.len(),
        [_, Dimension::ConsumerGroup, Dimension::Topic] => {
            offsets().map(|(group, offset)| (group, &offset.topic)).collect::<std::collections::BTreeSet<_>>().len()
        }
        _ => offsets().count(),
    }
}

/// Shows it, and sends what is picked.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    let view = &scene.model.view.cloudwatch;
    let words = format!("Level: {}", view.level.name());
    let button = Button::new(&words).with_icon(Icon::Down).show(ui);
    Popup::menu(&button).gap(space::XS).show(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS / 2.0;
        for level in Level::all() {
            let numbers = count(level, view, scene.model.snapshot()).words();
            if choice(ui, level, level == view.level, &numbers).clicked() {
                if level != view.level {
                    actions.push(Action::Send(Command::Monitoring(Change::Level(level))));
                }
                ui.close();
            }
        }
        let style = palette(ui);
        text::label(ui, "What was measured stays until it is too old, whatever is picked.", font::tiny(), style.faint);
        let line = as_command::line(&Command::Monitoring(Change::Level(view.level)), &Around::scene(scene));
        if !line.is_empty() {
            ui.horizontal(|ui| {
                button::copy(ui, &line, "the command that chooses this level");
                text::label(ui, &line, font::mono_small(), style.faint);
            });
        }
    });
}

fn choice(ui: &mut Ui, level: Level, chosen: bool, numbers: &str) -> Response {
    let style = palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(WIDTH, size::ROW_TALL), Sense::click());
    let name = format!("Level {}, {numbers}", level.name());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &name));
    let fill = if chosen {
        style.accent_soft
    } else if response.hovered() || response.has_focus() {
        style.hover
    } else {
        tokens::NOTHING
    };
    ui.painter().rect_filled(rect, CornerRadius::same(radius::M), fill);
    let inner = rect.shrink2(vec2(space::S, space::XS));
    let (left, right) = inner.split_left_right_at_x(inner.right() - NUMBERS);
    let half = |rect: Rect, upper: bool| {
        let (top, bottom) = rect.split_top_bottom_at_fraction(0.5);
        if upper { top } else { bottom }
    };
    let ink = if chosen { style.accent } else { style.text };
    let painter = ui.painter();
    text::paint(painter, half(left, true), Align2::LEFT_CENTER, level.name(), font::body(), ink);
    let row = half(inner, false);
    text::paint(painter, row, Align2::LEFT_CENTER, gives(level), font::tiny(), style.muted);
    text::paint(painter, half(right, true), Align2::RIGHT_CENTER, numbers, font::small(), style.muted);
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn levels_in_force_are_counted_and_others_bounded() {
        let view = fixture::healthy();
        let counts = Level::all().map(|level| count(level, &view.cloudwatch, &view.snapshot));
        let [Count::Is(least), Count::Is(brokers), Count::UpTo(topics), Count::UpTo(partitions)] = counts else {
            panic!("{counts:?}")
        };
        assert!(0 < least && least < brokers && brokers < topics && topics <= partitions && partitions <= SERIES_MAX);
        assert_eq!(brokers, view.cloudwatch.store.len());
    }
}
