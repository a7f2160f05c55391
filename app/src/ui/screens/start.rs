//! The first page: what this is, how to connect, and scenarios to go through on the cluster that runs.

use egui::{Align, Layout, Ui};

use super::{header, page, side_by_side, start_guide};
use crate::monitor::guide::{Phase, Run};
use crate::monitor::snippets::{self, Snippet};
use crate::ui::app::{Action, Scene, Screen};
use crate::ui::commands::{self, Id};
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::button::{Button, Tone, copy, segments};
use crate::ui::widgets::card::card;
use crate::ui::widgets::field::command;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::{text, toast};

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// The scenario that somebody goes through.
    pub run: Option<Run>,
    language: usize,
    snippets: Cached<String, Vec<Snippet>>,
    looked: u64,
}

const SENTENCES: &str = "A real Kafka cluster runs inside this program: brokers, controllers and logs on threads and files of their own, and any \
     Kafka client connects to it over TCP. This window shows what it does, and everything in it can be broken and healed.";

/// From this width on, columns stand side by side.
const WIDE: f32 = 900.0;

impl State {
    /// Goes on with the scenario, whatever screen is shown: once for each view.
    pub fn tick(&mut self, ctx: &egui::Context, scene: &Scene<'_>, actions: &mut Vec<Action>) {
        let Some(run) = &mut self.run else { return };
        if self.looked == scene.model.generation {
            return;
        }
        self.looked = scene.model.generation;
        actions.extend(run.look(scene.model.snapshot()).into_iter().map(Action::Send));
        if run.phase == Phase::Over {
            toast::tell(ctx, true, &format!("{}: all is as it was before.", run.scenario.title));
            self.run = None;
        }
    }
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    header(ui, "Start", "what this is, how to connect, and what to try", |_| {});
    page(ui, "start", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        let wide = ui.available_width() >= WIDE;
        let columns = if wide { 2.0 } else { 1.0 };
        let width = ((ui.available_width() + space::M) / columns - space::M).floor();
        let mut part = |ui: &mut Ui, index: usize| {
            ui.spacing_mut().item_spacing.y = space::M;
            if index == 0 {
                card(ui, |ui| about(ui, scene, actions));
                card(ui, |ui| connect(ui, scene, state));
            } else {
                card(ui, |ui| start_guide::show(ui, scene, &mut state.run, actions));
            }
        };
        if wide {
            side_by_side(ui, &[width, width], space::M, &mut part);
        } else {
            part(ui, 0);
            part(ui, 1);
        }
    });
}

fn about(ui: &mut Ui, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "A Kafka cluster to look into", font::heading(), style.text);
    text::paragraph(ui, SENTENCES, font::body(), style.muted);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(space::S, space::S);
        let runs = !scene.model.snapshot().workloads.is_empty();
        if !runs {
            let start = Button::new("Start a demo workload").with_icon(Icon::Start).tone(Tone::Primary).show(ui);
            if start.clicked()
                && let Some(deed) = commands::called(Id::StartWorkload, scene)
            {
                actions.push(deed.action);
            }
            commands::tell_with(start, Id::StartWorkload, scene);
        }
        // The place under the pointer stays what it was about.
        let ways = match runs {
            true => [
                (Icon::Pulse, "See the workload", Screen::Workloads),
                (Icon::Cluster, "See the cluster", Screen::Cluster),
            ],
            false => [
                (Icon::Cluster, "See the cluster", Screen::Cluster),
                (Icon::Pulse, "Choose a workload", Screen::Workloads),
            ],
        };
        for (symbol, name, screen) in ways {
            if Button::new(name).with_icon(symbol).show(ui).clicked() {
                actions.push(Action::Go(screen));
            }
        }
    });
}

fn connect(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "Connect", font::heading(), style.text);
    let servers = &scene.model.bootstrap;
    if servers.is_empty() {
        text::label(ui, "No broker listens yet.", font::body(), style.muted);
        return;
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        text::label(ui, "Bootstrap servers", font::small(), style.faint);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            copy(ui, servers, "the bootstrap servers, all of them");
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                text::label(ui, servers, font::mono(), style.text);
            });
        });
    });
    let names: Vec<(usize, &str)> = snippets::names().enumerate().collect();
    segments(ui, &mut state.language, &names);
    let all = state.snippets.get(servers.clone(), || snippets::snippets(servers));
    let Some(snippet) = all.get(state.language) else { return };
    command(ui, "It needs", snippet.needs);
    command(ui, snippet.file, snippet.code.trim_end());
    command(ui, "Run it", snippet.run);
    text::paragraph(
        ui,
        "It writes a record to topic greetings, which is made by that, and reads it back. The connection is plain text, without a login.",
        font::small(),
        style.faint,
    );
}
