//! The application: takes views in, lets the shell and one screen paint, sends what they ask for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use egui::{CentralPanel, Frame, Margin, Theme, Ui};

use super::alarm_draft;
use super::backend::Backend;
use super::dialogs::{self, Drafts};
use super::model::Model;
use super::screens::{Screens, alarms, cluster, events, groups, logs, metrics, topic, topics};
use super::tokens::{palette, space};
use super::widgets::toast;
use super::{shell, theme};
use crate::monitor::command::Command;

/// The screens, by the names that `brokerscope screenshot --screen` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Screen {
    /// Zones, nodes and the partition map.
    #[default]
    Cluster,
    /// All topics.
    Topics,
    /// One topic's partitions.
    Topic,
    /// Consumer groups.
    Groups,
    /// Charts.
    Metrics,
    /// What is watched, and rings.
    Alarms,
    /// What happened.
    Events,
    /// What the nodes write down.
    Logs,
}

impl Screen {
    /// All of them.
    pub const ALL: [Screen; 8] = [
        Screen::Cluster,
        Screen::Topics,
        Screen::Topic,
        Screen::Groups,
        Screen::Metrics,
        Screen::Alarms,
        Screen::Events,
        Screen::Logs,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Screen::Cluster => "cluster",
            Screen::Topics => "topics",
            Screen::Topic => "topic",
            Screen::Groups => "groups",
            Screen::Metrics => "metrics",
            Screen::Alarms => "alarms",
            Screen::Events => "events",
            Screen::Logs => "logs",
        }
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no screen of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no screen '{0}': choose cluster, topics, topic, groups, metrics, alarms, events or logs")]
pub struct UnknownScreen(pub String);

impl FromStr for Screen {
    type Err = UnknownScreen;

    fn from_str(name: &str) -> Result<Screen, UnknownScreen> {
        Screen::ALL.into_iter().find(|screen| screen.name() == name).ok_or_else(|| UnknownScreen(name.to_owned()))
    }
}

/// Dark or light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// For long days.
    #[default]
    Dark,
    /// For bright rooms.
    Light,
}

impl ThemeChoice {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            ThemeChoice::Dark => "dark",
            ThemeChoice::Light => "light",
        }
    }

    /// What the user chose the last time, where the window remembers.
    pub fn remembered(storage: Option<&dyn eframe::Storage>) -> Option<ThemeChoice> {
        let name = storage?.get_string(THEME_KEY)?;
        [ThemeChoice::Dark, ThemeChoice::Light].into_iter().find(|choice| choice.name() == name)
    }
}

const THEME_KEY: &str = "theme";
const PINS_KEY: &str = "pinned metrics";

/// What of the metrics screen is shown when the window opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MetricsView {
    /// The wall, with five signals.
    #[default]
    Signals,
    /// The wall, with thirteen metrics.
    Thirteen,
    /// The wall, with all metrics.
    All,
    /// The explorer.
    Explorer,
    /// The explorer, of MBeans.
    Beans,
}

impl MetricsView {
    /// All of them.
    pub const ALL: [MetricsView; 5] =
        [MetricsView::Signals, MetricsView::Thirteen, MetricsView::All, MetricsView::Explorer, MetricsView::Beans];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            MetricsView::Signals => "metrics",
            MetricsView::Thirteen => "metrics-13",
            MetricsView::All => "metrics-all",
            MetricsView::Explorer => "metrics-explorer",
            MetricsView::Beans => "metrics-mbeans",
        }
    }
}

/// A dialog that can stand open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// Create a topic.
    CreateTopic,
    /// Delete this topic.
    DeleteTopic(String),
    /// Remove this broker.
    RemoveBroker(i32),
    /// Remove this controller.
    RemoveController(i32),
    /// Put an alarm, or change one.
    PutAlarm(alarm_draft::Start),
    /// Delete this alarm.
    DeleteAlarm(String),
}

/// How the window opens.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Dark or light; see [`ThemeChoice::remembered`].
    pub theme: ThemeChoice,
    /// The screen that it opens on.
    pub screen: Screen,
    /// What [`Screen::Metrics`] shows.
    pub metrics: MetricsView,
    /// The topic that [`Screen::Topic`] shows; without it, the first in trouble, else the first.
    pub topic: Option<String>,
    /// The group that [`Screen::Groups`] shows; without it, the one with the largest lag.
    pub group: Option<String>,
    /// A dialog that stands open from the start.
    pub dialog: Option<Dialog>,
    /// Where the HTTP API listens (`http://127.0.0.1:11001`), for "as a command".
    pub http: Option<String>,
    /// The user's zone, minutes east of UTC; times are shown in it.
    pub utc_offset_minutes: i32,
}

/// What a screen or the shell asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Send a command.
    Send(Command),
    /// Show a screen.
    Go(Screen),
    /// Show a topic.
    OpenTopic(Arc<str>),
    /// Show the logs of a node (-1: all) at a time.
    OpenLogs {
        /// Whose.
        node_id: i32,
        /// When.
        at_ms: i64,
    },
    /// Open a dialog.
    Ask(Dialog),
    /// Change the theme.
    Theme(ThemeChoice),
}

/// What screens paint from.
pub(super) struct Scene<'a> {
    /// What is known.
    pub model: &'a Model,
    /// How the window was opened.
    pub options: &'a Options,
}

/// The window's content. It runs under eframe, and under egui_kittest without it.
pub struct BrokerscopeApp {
    backend: Box<dyn Backend>,
    options: Options,
    model: Model,
    screen: Screen,
    screens: Screens,
    drafts: Drafts,
    actions: Vec<Action>,
}

impl BrokerscopeApp {
    /// Sets up fonts and themes in `ctx`, and opens as `options` say.
    pub fn new(ctx: &egui::Context, backend: Box<dyn Backend>, options: Options) -> BrokerscopeApp {
        theme::install(ctx);
        let mut app = BrokerscopeApp {
            backend,
            model: Model::default(),
            screen: options.screen,
            screens: Screens::default(),
            drafts: Drafts::default(),
            actions: Vec::new(),
            options,
        };
        app.screens.topic.name = app.options.topic.as_deref().map(Arc::from);
        app.screens.metrics.open(app.options.metrics);
        app.screens.groups.chosen = app.options.group.as_deref().map(Arc::from);
        app.set_theme(ctx, app.options.theme);
        app
    }

    /// With what the window remembers from the last time: the theme, and the metrics that were pinned.
    pub fn remembering(mut self, ctx: &egui::Context, storage: Option<&dyn eframe::Storage>) -> BrokerscopeApp {
        if let Some(theme) = ThemeChoice::remembered(storage) {
            self.set_theme(ctx, theme);
        }
        if let Some(pins) = storage.and_then(|storage| storage.get_string(PINS_KEY)) {
            self.screens.metrics.pins = metrics::State::remembered(&pins);
        }
        self
    }

    /// Takes in what arrived. Called once before each frame, and while the window is hidden.
    pub fn logic(&mut self, ctx: &egui::Context) {
        let mut view = self.backend.view();
        for notice in view.notices.drain(..) {
            toast::tell(ctx, notice.ok, &notice.text);
        }
        self.model.update(view);
        // It may stand on what is known, and that is known only now.
        if let Some(dialog) = self.options.dialog.take() {
            self.drafts.open(dialog, &self.model);
        }
    }

    /// Paints, and sends what was asked for.
    pub fn show(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        let scene = Scene { model: &self.model, options: &self.options };
        shell::nav(ui, &scene, self.screen, &mut self.actions);
        shell::status_bar(ui, &scene, &mut self.actions);
        let frame = Frame::new().fill(palette(ui).canvas).inner_margin(Margin::same(space::L as i8));
        let (screens, actions) = (&mut self.screens, &mut self.actions);
        CentralPanel::default().frame(frame).show(ui, |ui| match self.screen {
            Screen::Cluster => cluster::show(ui, &scene, &mut screens.cluster, actions),
            Screen::Topics => topics::show(ui, &scene, &mut screens.topics, actions),
            Screen::Topic => topic::show(ui, &scene, &mut screens.topic, actions),
            Screen::Groups => groups::show(ui, &scene, &mut screens.groups),
            Screen::Metrics => metrics::show(ui, &scene, &mut screens.metrics, actions),
            Screen::Alarms => alarms::show(ui, &scene, &mut screens.alarms, actions),
            Screen::Events => events::show(ui, &scene, &mut screens.events, actions),
            Screen::Logs => logs::show(ui, &scene, &mut screens.logs, actions),
        });
        dialogs::show(&ctx, &scene, &mut self.drafts, &mut self.actions);
        toast::show(&ctx);
        self.act(&ctx);
    }

    /// The screen that is shown.
    pub fn screen(&self) -> Screen {
        self.screen
    }

    fn act(&mut self, ctx: &egui::Context) {
        for action in std::mem::take(&mut self.actions) {
            // What changed is to be seen at once, not when the next snapshot arrives.
            ctx.request_repaint();
            match action {
                Action::Send(command) => self.backend.send(command),
                Action::Go(screen) => self.screen = screen,
                Action::OpenTopic(name) => {
                    self.screens.topic.open(name);
                    self.screen = Screen::Topic;
                }
                Action::OpenLogs { node_id, at_ms } => {
                    self.screens.logs.open(node_id, at_ms);
                    self.screen = Screen::Logs;
                }
                Action::Ask(dialog) => self.drafts.open(dialog, &self.model),
                Action::Theme(choice) => self.set_theme(ctx, choice),
            }
        }
    }

    fn set_theme(&mut self, ctx: &egui::Context, choice: ThemeChoice) {
        self.options.theme = choice;
        ctx.set_theme(match choice {
            ThemeChoice::Dark => Theme::Dark,
            ThemeChoice::Light => Theme::Light,
        });
    }
}

impl eframe::App for BrokerscopeApp {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        BrokerscopeApp::logic(self, ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        storage.set_string(THEME_KEY, self.options.theme.name().to_owned());
        storage.set_string(PINS_KEY, self.screens.metrics.pins.join("\n"));
    }

    /// Scroll positions of the last time mean nothing to another cluster.
    fn persist_egui_memory(&self) -> bool {
        false
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

impl fmt::Debug for BrokerscopeApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerscopeApp")
            .field("screen", &self.screen)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
