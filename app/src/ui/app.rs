//! The application: takes views in, lets the shell and one screen paint, sends what they ask for.

use std::fmt;
use std::sync::Arc;

use broker::logging::Logger;
use egui::{CentralPanel, Frame, Margin, Theme, Ui};

use super::alarm_draft;
use super::backend::Backend;
use super::commands::{self, keys};
use super::dialog_topic::TopicWish;
use super::dialogs::{self, Drafts};
use super::file_picker::PickerHandle;
use super::guide_bar;
use super::history::{History, Place};
use super::memory::{self, Memory, TEXT, ZOOM};
use super::model::Model;
use super::news::{Pace, Shown};
use super::rewind::{Recorded, Rewind, Wish};
pub use super::screen::{Screen, UnknownScreen};
use super::screens::metrics::Half;
use super::screens::topic::TopicView;
use super::screens::{
    Screens, alarms, brokers, cluster, events, faults, gallery, groups, ledger, logs, metrics, quorum, start, topic,
    topics, wire, workloads,
};
use super::tokens::{palette, space};
use super::widgets::{field, table_export, toast};
use super::{shell, theme, time_bar};
use crate::monitor::command::{Command, End, FaultKind};
use crate::monitor::messages::NewMessage;
use crate::monitor::operation::ConfigResource;

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
}

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
    /// Change a topic that is there.
    Topic(TopicWish, String),
    /// Write a record to this topic.
    Produce(String, NewMessage),
    /// Move a topic's replicas.
    Reassign(String),
    /// Set a group to other offsets.
    ResetOffsets(String),
    /// Delete this group.
    DeleteGroup(String),
    /// Remove this broker.
    RemoveBroker(i32),
    /// Remove this controller.
    RemoveController(i32),
    /// Put an alarm, or change one.
    PutAlarm(alarm_draft::Start),
    /// Delete this alarm.
    DeleteAlarm(String),
    /// Break something.
    Fault(FaultKind, FaultTarget),
    /// Write the records that are looked at to a file.
    ExportRecords,
    /// Write a reproduction of what the ledger says of this workload.
    ExportLedger(u64),
    /// Write a text to a file.
    ExportText {
        /// What it is, after "Export".
        title: String,
        /// What the file is called by itself.
        name: String,
        /// The text.
        content: Arc<str>,
    },
    /// Set configs from a file of properties.
    ImportConfigs(ConfigResource),
    /// Write what is recorded to a file.
    SaveRecording,
    /// Open a recording.
    OpenRecording,
    /// Find anything.
    Palette,
    /// All commands and their keys.
    Help,
    /// Theme, scale and size of text.
    Settings,
}

/// What a fault is to hit; a link by the node from which its messages come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultTarget {
    /// A broker or a controller.
    Node(i32),
    /// All brokers of a zone.
    Zone(String),
    /// What goes from one end to another.
    Link(End, End),
    /// A broker's replica of a partition.
    Log {
        /// Whose.
        broker: i32,
        /// Of this topic.
        topic: String,
        /// Which.
        partition: i32,
    },
    /// The consumers of a built-in workload.
    Workload(u64),
}

impl FaultTarget {
    /// The node, if it is one.
    pub fn node(&self) -> Option<i32> {
        match self {
            FaultTarget::Node(id) | FaultTarget::Log { broker: id, .. } => Some(*id),
            FaultTarget::Zone(_) | FaultTarget::Link(..) | FaultTarget::Workload(_) => None,
        }
    }
}

/// A step of what can be set in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// One more.
    Up,
    /// One less.
    Down,
    /// As it was.
    Reset,
}

/// How the window opens.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Dark or light.
    pub theme: ThemeChoice,
    /// The screen that it opens on.
    pub screen: Screen,
    /// What [`Screen::Metrics`] shows.
    pub metrics: MetricsView,
    /// The topic that [`Screen::Topic`] shows; without it, the first in trouble, else the first.
    pub topic: Option<String>,
    /// What of it is shown.
    pub topic_view: TopicView,
    /// The partition of that topic whose tape [`Screen::Topic`] shows; without it, all partitions.
    pub tape: Option<i32>,
    /// What of [`Screen::Wire`] is shown.
    pub wire: wire::Tab,
    /// What of [`Screen::Events`] is shown.
    pub events: events::Tab,
    /// The group that [`Screen::Groups`] shows; without it, the one with the largest lag.
    pub group: Option<String>,
    /// A dialog that stands open from the start.
    pub dialog: Option<Dialog>,
    /// Where the HTTP API listens (`http://127.0.0.1:11001`), for "as a command".
    pub http: Option<String>,
    /// The user's zone, minutes east of UTC; times are shown in it.
    pub utc_offset_minutes: i32,
    /// Nothing is written down for the next run.
    pub is_forgetful: bool,
    /// What moves is shown on its way; not in pictures, which stand still.
    pub animates: bool,
    /// Who asks for files and folders.
    pub picker: PickerHandle,
    /// What is recorded, to be looked back on.
    pub recorded: Recorded,
    /// The time that is shown when the window opens, with what happened along it; `None`: now.
    pub at_ms: Option<i64>,
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
    /// Show a partition of a topic.
    OpenPartition {
        /// Whose.
        topic: Arc<str>,
        /// Which.
        partition: i32,
    },
    /// Show a partition of a topic as a tape.
    OpenTape {
        /// Whose.
        topic: Arc<str>,
        /// Which.
        partition: i32,
    },
    /// Show a group.
    OpenGroup(Arc<str>),
    /// Show a workload.
    OpenWorkload(u64),
    /// Show a node among the others.
    OpenNode(i32),
    /// Show a broker with its disks and configs.
    OpenBroker(i32),
    /// Show an alarm.
    OpenAlarm(String),
    /// Show a metric in the explorer, by its pin.
    OpenMetric(String),
    /// Show a logger and its level.
    OpenLogger(Logger),
    /// Show the levels of a node's loggers.
    OpenLevels(i32),
    /// Show the metrics explorer.
    Explorer,
    /// Put the cursor into the screen's filter.
    Filter,
    /// Show what was shown before.
    Back,
    /// Show what one went back from.
    Forward,
    /// Go to another time.
    Time(Wish),
    /// Scale everything.
    Zoom(Step),
    /// Make text larger or smaller.
    TextSize(Step),
    /// Copy something.
    Copy {
        /// What it is.
        what: &'static str,
        /// Its text.
        value: String,
    },
}

/// What screens paint from.
pub(super) struct Scene<'a> {
    /// What is known.
    pub model: &'a Model,
    /// How the window was opened.
    pub options: &'a Options,
    /// Whether there is a way back, and one forward.
    pub can_go: (bool, bool),
    /// What is shown was, and is not any more.
    pub is_past: bool,
    /// Size of text.
    pub text_points: f32,
    /// The node that somebody asked for, and whether it is still to be brought into sight.
    pub spotlight: Option<(i32, bool)>,
}

#[cfg(test)]
impl<'a> Scene<'a> {
    /// The newest, as it is when a window has just opened.
    pub fn plain(model: &'a Model, options: &'a Options) -> Scene<'a> {
        Scene { model, options, can_go: (false, false), is_past: false, text_points: TEXT.own, spotlight: None }
    }
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
    keys: keys::Reader,
    history: History,
    rewind: Rewind,
    text_points: f32,
    spotlight: Option<(i32, bool)>,
    /// A filter box is waited for since the last frame.
    is_filter_wanted: bool,
    /// Knows the scale when the window is about to close.
    ctx: egui::Context,
}

impl BrokerscopeApp {
    /// Sets up fonts and themes in `ctx`, and opens as `options` say.
    pub fn new(ctx: &egui::Context, backend: Box<dyn Backend>, mut options: Options) -> BrokerscopeApp {
        theme::install(ctx);
        // It is a command like the others.
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
        let mut app = BrokerscopeApp {
            backend,
            model: Model::default(),
            screen: options.screen,
            screens: Screens::default(),
            drafts: Drafts::default(),
            actions: Vec::new(),
            keys: keys::Reader::default(),
            history: History::default(),
            rewind: Rewind::new(ctx, std::mem::take(&mut options.recorded)),
            text_points: TEXT.own,
            spotlight: None,
            is_filter_wanted: false,
            ctx: ctx.clone(),
            options,
        };
        app.screens.topic.name = app.options.topic.as_deref().map(Arc::from);
        app.screens.topic.tab = app.options.topic_view;
        app.screens.wire.tab = app.options.wire;
        app.screens.events.tab = app.options.events;
        if let (Some(name), Some(partition)) = (&app.options.topic, app.options.tape) {
            app.screens.topic.open_tape(name.as_str().into(), partition);
        }
        app.screens.metrics.open(app.options.metrics);
        app.screens.groups.chosen = app.options.group.as_deref().map(Arc::from);
        app.set_theme(ctx, app.options.theme);
        app
    }

    /// With what the window remembers from the last time.
    pub fn remembering(mut self, ctx: &egui::Context, storage: Option<&dyn eframe::Storage>) -> BrokerscopeApp {
        let Some(text) = storage.and_then(|storage| storage.get_string(memory::KEY)) else {
            // Nobody was here before.
            self.screen = Screen::Start;
            return self;
        };
        let memory = Memory::read(&text);
        memory.restore(&mut self.screens);
        self.set_theme(ctx, memory.theme.unwrap_or(self.options.theme));
        self.screen = memory.screen.unwrap_or(self.screen);
        ctx.set_zoom_factor(memory.zoom.unwrap_or(ZOOM.own));
        self.set_text_points(ctx, memory.text_points.unwrap_or(TEXT.own));
        self.drafts.recents = memory.recents;
        self
    }

    /// What is to be remembered the next time.
    fn remembrance(&mut self, ctx: &egui::Context) -> String {
        let memory = Memory {
            theme: Some(self.options.theme),
            zoom: Some(ctx.zoom_factor()),
            text_points: Some(self.text_points),
            // Which topic was shown is not remembered.
            screen: Some(if self.screen == Screen::Topic { Screen::Topics } else { self.screen }),
            recents: self.drafts.recents.clone(),
            ..Memory::default()
        };
        memory.write(&mut self.screens)
    }

    /// Takes in what arrived. Called once before each frame, and while the window is hidden.
    pub fn logic(&mut self, ctx: &egui::Context) {
        let mut view = self.backend.view();
        for notice in view.notices.drain(..) {
            toast::tell(ctx, notice.ok, &notice.text);
        }
        match self.rewind.view(ctx) {
            (Some(past), _) => drop(self.model.update(past)),
            (None, true) => drop(self.model.update(view)),
            // What was shown stays until the past is found.
            (None, false) => {}
        }
        if self.rewind.span_ms().is_some()
            && let Some(at_ms) = self.options.at_ms.take()
        {
            self.rewind.has_lanes = true;
            self.rewind.do_wish(ctx, Wish::At(at_ms));
        }
        // It may stand on what is known, and that is known only now.
        if let Some(dialog) = self.options.dialog.take() {
            self.drafts.open(dialog, &self.model);
        }
    }

    /// Paints, and sends what was asked for.
    pub fn show(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        let is_filter_awaited = std::mem::take(&mut self.is_filter_wanted);
        let scene = Scene {
            model: &self.model,
            options: &self.options,
            can_go: self.history.can_go(),
            is_past: self.rewind.past_ms().is_some(),
            text_points: self.text_points,
            spotlight: self.spotlight,
        };
        for id in self.keys.read(&ctx, self.drafts.is_open()) {
            call(&ctx, id, &scene, &mut self.actions);
        }
        shell::nav(ui, &scene, self.screen, &mut self.actions);
        shell::status_bar(ui, &scene, &mut self.actions);
        if !scene.is_past {
            // A scenario's steps are done now, and not when somebody looks back.
            self.screens.start.tick(&ctx, &scene, &mut self.actions);
        }
        time_bar::show(ui, &scene, &mut self.rewind, &mut self.actions);
        guide_bar::show(ui, &scene, self.screen, &mut self.screens.start.run, &mut self.actions);
        let frame = Frame::new().fill(palette(ui).canvas).inner_margin(Margin::same(space::L as i8));
        let (screens, actions) = (&mut self.screens, &mut self.actions);
        let screen = CentralPanel::default().frame(frame).show(ui, |ui| match self.screen {
            Screen::Start => start::show(ui, &scene, &mut screens.start, actions),
            Screen::Cluster => cluster::show(ui, &scene, &mut screens.cluster, actions),
            Screen::Topics => topics::show(ui, &scene, &mut screens.topics, actions),
            Screen::Topic => topic::show(ui, &scene, &mut screens.topic, actions),
            Screen::Groups => groups::show(ui, &scene, &mut screens.groups, actions),
            Screen::Brokers => brokers::show(ui, &scene, &mut screens.brokers, actions),
            Screen::Wire => wire::show(ui, &scene, &mut screens.wire, actions),
            Screen::Workloads => workloads::show(ui, &scene, &mut screens.workloads, actions),
            Screen::Faults => faults::show(ui, &scene, &mut screens.faults, actions),
            Screen::Ledger => ledger::show(ui, &scene, &mut screens.ledger, actions),
            Screen::Metrics => metrics::show(ui, &scene, &mut screens.metrics, actions),
            Screen::Alarms => alarms::show(ui, &scene, &mut screens.alarms, actions),
            Screen::Events => events::show(ui, &scene, &mut screens.events, actions),
            Screen::Quorum => quorum::show(ui, &scene, &mut screens.quorum, actions),
            Screen::Logs => logs::show(ui, &scene, &mut screens.logs, actions),
            Screen::Gallery => gallery::show(ui, &mut screens.gallery),
        });
        let looks = self.screen == Screen::Topic && screens.topic.shows_messages();
        // Whoever comes back reads anew: what was found before is old then.
        if !looks && screens.topic.stop_reading() && scene.model.view.messages.is_under_way() {
            actions.push(Action::Send(Command::Read(None)));
        }
        if let Some(sheet) = table_export::take(&ctx) {
            self.drafts.export(sheet);
        }
        dialogs::show(&ctx, &scene, &mut self.drafts, &mut self.actions);
        toast::show(&ctx, (ctx.content_rect().bottom() - screen.response.rect.bottom()).max(0.0));
        self.spotlight = self.spotlight.map(|(id, _)| (id, false));
        if is_filter_awaited && field::is_summoned(&ctx) {
            // There is no filter here: the palette finds everything.
            self.actions.push(Action::Ask(Dialog::Palette));
        }
        self.act(&ctx);
        self.history.note(Place::of(self.screen, &self.screens));
        self.backend.shows(Shown { screen: self.screen, view: self.model.view.clone(), pace: self.pace(&ctx) });
    }

    /// How closely what is painted follows what happens.
    fn pace(&self, ctx: &egui::Context) -> Pace {
        let is_open = self.drafts.is_open() || egui::Popup::is_any_open(ctx);
        if self.rewind.past_ms().is_some() {
            Pace::Past
        } else if is_open || self.screens.start.run.is_some() {
            Pace::All
        } else {
            Pace::Screen
        }
    }

    /// Whether a cluster is known, now or in the past.
    pub fn shows_something(&self) -> bool {
        !self.model.snapshot().cluster_id.is_empty()
    }

    /// Whether a time is looked for that is not shown yet.
    pub fn is_looking_back(&self) -> bool {
        self.rewind.is_looking()
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
                Action::Send(command) => {
                    if let Some(command) = self.rewind.pass(ctx, command, self.options.utc_offset_minutes) {
                        self.backend.send(command);
                    }
                }
                Action::Time(wish) => self.rewind.do_wish(ctx, wish),
                Action::Go(screen) => {
                    self.spotlight = None;
                    self.screen = screen;
                    if screen == Screen::Metrics {
                        self.screens.metrics.half = Half::Wall;
                    }
                }
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
                Action::OpenPartition { topic, partition } => {
                    self.screens.topic.open_partition(topic, partition);
                    self.screen = Screen::Topic;
                }
                Action::OpenTape { topic, partition } => {
                    self.screens.topic.open_tape(topic, partition);
                    self.screen = Screen::Topic;
                }
                Action::OpenGroup(id) => {
                    self.screens.groups.chosen = Some(id);
                    self.screen = Screen::Groups;
                }
                Action::OpenWorkload(id) => {
                    self.screens.workloads.chosen = Some(id);
                    self.screen = Screen::Workloads;
                }
                Action::OpenNode(id) => {
                    self.spotlight = Some((id, true));
                    self.screen = Screen::Cluster;
                }
                Action::OpenBroker(id) => {
                    self.screens.brokers.chosen = Some(id);
                    self.screen = Screen::Brokers;
                }
                Action::OpenAlarm(name) => {
                    self.screens.alarms.chosen = Some(name);
                    self.screen = Screen::Alarms;
                }
                Action::OpenMetric(pin) => {
                    self.screens.metrics.half = Half::Explorer;
                    self.screens.metrics.explorer.open(&pin);
                    self.screen = Screen::Metrics;
                }
                Action::OpenLogger(logger) => {
                    self.screens.logs.open_logger(logger);
                    self.screen = Screen::Logs;
                }
                Action::OpenLevels(node_id) => {
                    self.screens.logs.open_levels(node_id);
                    self.screen = Screen::Logs;
                }
                Action::Explorer => {
                    self.screens.metrics.half = Half::Explorer;
                    self.screen = Screen::Metrics;
                }
                Action::Filter => self.want_filter(ctx),
                Action::Back => {
                    let place = self.history.back();
                    self.show_again(place);
                }
                Action::Forward => {
                    let place = self.history.forward();
                    self.show_again(place);
                }
                Action::Zoom(step) => ctx.set_zoom_factor(stepped(ZOOM, ctx.zoom_factor(), step)),
                Action::TextSize(step) => self.set_text_points(ctx, stepped(TEXT, self.text_points, step)),
                Action::Copy { what, value } => {
                    ctx.copy_text(value);
                    toast::tell(ctx, true, &format!("Copied {what}."));
                }
            }
        }
    }

    fn show_again(&mut self, place: Option<Place>) {
        if let Some(place) = place {
            self.spotlight = None;
            self.screen = place.restore(&mut self.screens);
        }
    }

    fn want_filter(&mut self, ctx: &egui::Context) {
        if self.screen == Screen::Metrics {
            // The wall has none; the explorer is the wall's search.
            self.screens.metrics.half = Half::Explorer;
        }
        field::summon(ctx);
        self.is_filter_wanted = true;
    }

    fn set_text_points(&mut self, ctx: &egui::Context, points: f32) {
        if points != self.text_points {
            self.text_points = points;
            theme::set_text_points(ctx, points);
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

fn stepped(bounds: memory::Bounds, value: f32, step: Step) -> f32 {
    match step {
        Step::Up => bounds.stepped(value, 1.0),
        Step::Down => bounds.stepped(value, -1.0),
        Step::Reset => bounds.own,
    }
}

/// Does what a shortcut stands for, or says why not.
fn call(ctx: &egui::Context, id: commands::Id, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    let Some(deed) = commands::called(id, scene) else { return };
    match deed.obstacle {
        None => actions.push(deed.action),
        // A way that leads nowhere needs no words.
        Some(_) if matches!(id, commands::Id::Back | commands::Id::Forward) => {}
        Some(obstacle) => toast::tell(ctx, false, &format!("{}: not {obstacle}.", deed.name)),
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
        if !self.options.is_forgetful {
            storage.set_string(memory::KEY, self.remembrance(&self.ctx.clone()));
        }
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
