//! Who is in a group, and whether its partitions are well spread over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{Align, Layout, Ui};

use crate::monitor::groups::check::{Finding, check, name};
use crate::monitor::snapshot::{Group, Member};
use crate::ui::app::Scene;
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{Palette, font, palette, space};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::text;

/// Members that are listed; all of them stand among the rebalances.
const MEMBERS_MAX: usize = 100;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    findings: Cached<(u64, Arc<str>), Vec<Finding>>,
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, group: &Group) {
    let style = palette(ui);
    text::label(ui, &format::plural(group.members.len(), "member"), font::heading(), style.text);
    if group.members.is_empty() {
        let words = "Nobody is in the group: its offsets are kept, and nothing is read.";
        text::label(ui, words, font::body(), style.muted);
    }
    let key = (scene.model.generation, Arc::clone(&group.id));
    for finding in state.findings.get(key, || check(group, &scene.model.snapshot().topics)) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            let (mood, icon, word) = match finding.is_good {
                true => (Mood::Good, Icon::Check, "Good"),
                false => (Mood::Warning, Icon::Warning, "Bad"),
            };
            Pill::new(mood, icon, word).show(ui);
            text::label(ui, &finding.text, font::body(), style.text);
        });
        if !finding.advice.is_empty() {
            text::paragraph(ui, &finding.advice, font::small(), style.muted);
        }
    }
    for member in group.members.iter().take(MEMBERS_MAX) {
        ui.horizontal(|ui| {
            text::label(ui, name(member), font::body(), style.text).on_hover_text(&member.id);
            text::label(ui, &member.host, font::mono(), style.faint);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let (words, ink) = assignment(member, group, style);
                text::label(ui, &words, font::small(), ink);
            });
        });
    }
    if group.members.len() > MEMBERS_MAX {
        let words = format!("and {} more", group.members.len() - MEMBERS_MAX);
        text::label(ui, &words, font::small(), style.faint);
    }
}

/// `orders 0, 2, 4`; says so where a member of a stable group has nothing to do.
fn assignment(member: &Member, group: &Group, style: &Palette) -> (String, egui::Color32) {
    if member.assignment.is_empty() {
        return if group.state == "Stable" {
            ("idle: it has no partition".to_owned(), style.warning)
        } else {
            ("waits for its assignment".to_owned(), style.accent)
        };
    }
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for assigned in &member.assignment {
        topics.entry(&assigned.topic).or_default().push(assigned.partition);
    }
    let words = topics.into_iter().map(|(topic, partitions)| format!("{topic} {}", format::ids(&partitions)));
    (words.collect::<Vec<_>>().join(" · "), style.muted)
}
