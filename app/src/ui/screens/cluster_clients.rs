//! Who is connected: clients by their software, and groups by name, a bounded number of each.

use std::sync::Arc;

use egui::Ui;

use super::cluster_cards;
use super::cluster_flow::{Consumers, Software};
use crate::ui::app::{Action, Scene, Screen};
use crate::ui::commands::objects::Object;
use crate::ui::format;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::card::card;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::text;

/// What there is to show.
#[derive(Clone, Copy, Debug)]
pub struct Clients<'a> {
    /// By software, the most connections first.
    pub software: &'a [Software],
    /// Some groups with members, those in trouble first.
    pub groups: &'a [Consumers],
    /// How many there are in all.
    pub all_groups: usize,
}

/// Room that is kept for what tells of the rest.
const MORE: f32 = 84.0;
/// What one chip needs at least.
const CHIP: f32 = 120.0;
/// Words before chips, so that both rows begin alike.
const CAPTION: f32 = 60.0;

/// Shows them in a card; returns brokers that the one under the pointer talks to, and where the card ends.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, clients: &Clients<'_>, actions: &mut Vec<Action>) -> (Vec<i32>, f32) {
    let mut lit = Vec::new();
    let card = card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        row(ui, "Clients", |ui| {
            totals(ui, scene);
            software(ui, clients, &mut lit, actions);
        });
        if !clients.groups.is_empty() {
            row(ui, "Groups", |ui| groups(ui, scene, clients, &mut lit, actions));
        }
    });
    (lit, card.response.rect.bottom())
}

fn row(ui: &mut Ui, caption: &str, content: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.set_min_height(size::CONTROL_SMALL);
        ui.spacing_mut().item_spacing.x = space::S - space::XS / 2.0;
        let left = ui.cursor().left();
        text::label(ui, caption, font::heading(), palette(ui).text);
        ui.add_space((left + CAPTION - ui.cursor().left()).max(0.0));
        content(ui);
    });
}

fn totals(ui: &mut Ui, scene: &Scene<'_>) {
    let snapshot = scene.model.snapshot();
    let connections: u64 = snapshot.brokers.iter().map(|broker| broker.counters.connections).sum();
    let words = match connections {
        0 => "Nobody is connected.".to_owned(),
        count => format::plural(usize::try_from(count).unwrap_or(usize::MAX), "connection"),
    };
    text::label(ui, &words, font::small(), palette(ui).muted);
}

fn software(ui: &mut Ui, clients: &Clients<'_>, lit: &mut Vec<i32>, actions: &mut Vec<Action>) {
    for (index, one) in clients.software.iter().enumerate() {
        if ui.available_width() < CHIP + MORE {
            return more(ui, clients.software.len() - index, Screen::Brokers, "software", actions);
        }
        let words = format!("{} · {}", one.name, one.connections());
        let name =
            format!("Client software {}, {}", one.name, format::plural(one.connections() as usize, "connection"));
        let chip = Button::new(&words).name(&name).small().show(ui);
        if chip.hovered() || chip.has_focus() {
            lit.extend(one.by_broker.keys());
        }
        if chip.clicked() {
            actions.push(Action::Go(Screen::Brokers));
        }
        let by_broker = one.by_broker.iter();
        let lines: Vec<String> = by_broker
            .map(|(id, count)| format!("Broker {id}: {}", format::plural(*count as usize, "connection")))
            .collect();
        chip.on_hover_text(format!("{} (as it names itself)\n{}", one.name, lines.join("\n")));
    }
}

fn groups(ui: &mut Ui, scene: &Scene<'_>, clients: &Clients<'_>, lit: &mut Vec<i32>, actions: &mut Vec<Action>) {
    for (index, group) in clients.groups.iter().enumerate() {
        if ui.available_width() < CHIP + MORE {
            return more(ui, clients.all_groups - index, Screen::Groups, "groups", actions);
        }
        let pace = group.records_per_s.map(|rate| format!(" · {}", format::rate(rate))).unwrap_or_default();
        let members = format::plural(group.members, "member");
        let words = format!("{} · {members}{pace}", group.id);
        let name = format!("Group {}, {members}", group.id);
        let chip = Button::new(&words).name(&name).small();
        let chip = if group.mood >= Mood::Warning { chip.with_icon(Icon::Warning) } else { chip }.show(ui);
        if chip.hovered() || chip.has_focus() {
            lit.extend(&group.leaders);
        }
        if chip.clicked() {
            actions.push(Action::OpenGroup(Arc::clone(&group.id)));
        }
        cluster_cards::object_menu(ui, scene, chip.rect, &Object::Group(Arc::clone(&group.id)), actions);
        chip.on_hover_text(told(group));
    }
    let left = clients.all_groups - clients.groups.len();
    if left > 0 {
        more(ui, left, Screen::Groups, "groups", actions);
    }
}

fn told(group: &Consumers) -> String {
    let mut lines = vec![format!("Group {}: {}", group.id, format::plural(group.members, "member"))];
    lines.push(format!("Clients: {}", group.clients.join(", ")));
    if !group.zones.is_empty() {
        lines.push(format!("In zones: {}", group.zones.join(", ")));
    }
    if !group.leaders.is_empty() {
        lines.push(format!("Reads from brokers {}", format::ids(&group.leaders)));
    }
    if let Some(rate) = group.records_per_s {
        lines.push(format!("Commits {} records, over the last ten seconds", format::rate(rate)));
    }
    lines.join("\n")
}

fn more(ui: &mut Ui, count: usize, screen: Screen, what: &str, actions: &mut Vec<Action>) {
    let (words, name) = (format!("+{count} more"), format!("{count} more {what}"));
    if Button::new(&words).name(&name).small().show(ui).clicked() {
        actions.push(Action::Go(screen));
    }
}
