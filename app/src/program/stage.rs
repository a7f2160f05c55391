//! The whole program in a test: a cluster of its own, and a window on it that is driven by accessible names, without a display.
//!
//! Nothing is put in between: what is clicked becomes a command, the desk carries it out on nodes that run, and what the window shows next is
//! what they report. Nothing sleeps: one waits for what is to be seen, or to be known.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use egui_kittest::Harness;
use egui_kittest::kittest::{By, NodeT, Queryable};

use super::session::Session;
use super::window::SessionBackend;
use crate::cli::ClusterArgs;
use crate::monitor::command::Command;
use crate::monitor::view::View;
use crate::ui::{BrokerscopeApp, Options, Recorded, Screen};

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);
/// A frame is painted at least so often while one waits, as a window would for what moves by itself.
const FRAME_EVERY: Duration = Duration::from_millis(50);
/// Frames after something was done: focus moves, popups open, sizes settle.
const FRAMES_AFTER: usize = 4;

/// A window on a running cluster.
pub struct Stage {
    harness: Harness<'static, BrokerscopeApp>,
    woken: Receiver<()>,
    /// `None` only while it is being dropped.
    session: Option<Session>,
}

impl Stage {
    /// Three brokers, three controllers, that take writes; a window on `screen`.
    pub fn on(screen: Screen) -> Stage {
        Stage::open(&ClusterArgs::throwaway(), Options { screen, ..Options::default() })
    }

    /// A cluster as `args` say, that takes writes; a window as `options` say.
    pub fn open(args: &ClusterArgs, options: Options) -> Stage {
        let session = Session::start(args).unwrap_or_else(|failure| panic!("no session: {failure}"));
        let (news, woken) = bounded(1);
        session.slot().on_change(move || {
            // One piece of news in waiting is enough.
            let _ = news.try_send(());
        });
        let backend = SessionBackend::new(&session);
        let brokers = args.brokers;
        let recorded = Recorded::Live(session.history());
        let options = Options { http: Some(session.http_url()), is_forgetful: true, recorded, ..options };
        let harness = Harness::builder()
            .with_size(egui::vec2(1600.0, 1000.0))
            .build_eframe(move |cc| BrokerscopeApp::new(&cc.egui_ctx, Box::new(backend), options));
        let mut stage = Stage { harness, woken, session: Some(session) };
        stage.wait("the cluster takes writes", |stage| stage.session().is_ready());
        stage.until_known("all nodes report", |view| view.snapshot.brokers.len() == brokers as usize);
        stage
    }

    /// The program behind it.
    pub fn session(&self) -> &Session {
        self.session.as_ref().unwrap_or_else(|| unreachable!("it is taken only by drop"))
    }

    /// Where the cluster listens.
    pub fn servers(&self) -> String {
        let view = self.view();
        let brokers = view.snapshot.brokers.iter();
        brokers.map(|broker| format!("{}:{}", broker.host, broker.port)).collect::<Vec<_>>().join(",")
    }

    /// What is known now. Its notices are not taken: they are the window's.
    pub fn view(&self) -> View {
        self.session().slot().latest()
    }

    /// Does something without the window.
    pub fn send(&self, command: Command) {
        assert!(self.session().orders().send(command), "the desk takes no more commands");
    }

    /// Whether something visible is called so, or has that in its name.
    pub fn shows(&self, part: &str) -> bool {
        self.harness.query_all_by_label_contains(part).next().is_some()
    }

    /// Waits until something visible has that in its name.
    pub fn until(&mut self, part: &str) {
        self.wait(&format!("“{part}” is shown"), |stage| stage.shows(part));
    }

    /// Waits until nothing visible has that in its name.
    pub fn until_gone(&mut self, part: &str) {
        self.wait(&format!("“{part}” is gone"), |stage| !stage.shows(part));
    }

    /// Waits until that is known of the cluster; the window has shown it by then.
    pub fn until_known(&mut self, what: &str, is_so: impl Fn(&View) -> bool) {
        self.wait(what, |stage| is_so(&stage.view()));
        self.settle();
    }

    /// Waits for something of that name, whole, and clicks it.
    pub fn click(&mut self, name: &str) {
        self.wait(&format!("one “{name}” can be clicked"), |stage| {
            stage.harness.query_all_by_label(name).take(2).count() == 1
        });
        self.rest(|stage| stage.harness.query_by_label(name).map(|node| node.rect()));
        self.harness.get_by_label(name).click();
        self.settle();
    }

    /// Clicks the last of that name: of a dialog that lies over what is called the same.
    pub fn click_last(&mut self, name: &str) {
        self.wait(&format!("“{name}” can be clicked"), |stage| {
            stage.harness.query_all_by_label(name).next().is_some()
        });
        self.rest(|stage| stage.harness.query_all_by_label(name).last().map(|node| node.rect()));
        if let Some(last) = self.harness.query_all_by_label(name).last() {
            last.click();
        }
        self.settle();
    }

    /// Waits for something that has that in its name, and clicks the first.
    pub fn choose(&mut self, part: &str) {
        self.until(part);
        self.rest(|stage| stage.harness.query_all_by_label_contains(part).next().map(|node| node.rect()));
        if let Some(first) = self.harness.query_all_by_label_contains(part).next() {
            first.click();
        }
        self.settle();
    }

    /// The same with the right button.
    pub fn right_click(&mut self, part: &str) {
        self.until(part);
        self.rest(|stage| stage.harness.query_all_by_label_contains(part).next().map(|node| node.rect()));
        if let Some(first) = self.harness.query_all_by_label_contains(part).next() {
            first.click_secondary();
        }
        self.settle();
    }

    /// Types at the end of what stands in a field.
    pub fn type_into(&mut self, name: &str, text: &str) {
        self.wait(&format!("there is a field “{name}”"), |stage| stage.harness.query_by_label(name).is_some());
        self.harness.get_by_label(name).focus();
        self.settle();
        self.harness.get_by_label(name).type_text(text);
        self.settle();
    }

    /// Presses a key.
    pub fn press(&mut self, modifiers: egui::Modifiers, key: egui::Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    /// Types letters where the cursor is, or to nobody: `gt` leads to the topics.
    pub fn keys(&mut self, letters: &str) {
        for letter in letters.chars() {
            self.harness.event(egui::Event::Text(letter.to_string()));
            self.harness.step();
        }
        self.settle();
    }

    /// Paints some frames, as a window does while one looks at it.
    pub fn frames(&mut self, count: usize) {
        for _ in 0..count {
            self.harness.step();
            let _ = self.woken.recv_timeout(FRAME_EVERY);
        }
    }

    /// The window itself, for what is not done often.
    pub fn harness(&mut self) -> &mut Harness<'static, BrokerscopeApp> {
        &mut self.harness
    }

    /// All that has a name now.
    fn names(&self) -> Vec<String> {
        let named = self.harness.query_all(By::new().predicate(|node| node.label().is_some()));
        named.filter_map(|node| node.accesskit_node().label()).collect()
    }

    fn settle(&mut self) {
        for _ in 0..FRAMES_AFTER {
            self.harness.step();
        }
    }

    /// Waits until what is to be clicked stands where it stood a frame ago: a dialog that is growing just now would be missed.
    fn rest(&mut self, place: impl Fn(&Stage) -> Option<egui::Rect>) {
        let mut before = None;
        self.wait("what is to be clicked stays where it is", |stage| {
            let now = place(stage);
            std::mem::replace(&mut before, now) == now && now.is_some()
        });
    }

    /// Paints until it is so.
    pub fn wait(&mut self, what: &str, mut is_so: impl FnMut(&Stage) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.harness.step();
            if is_so(self) {
                return;
            }
            assert!(Instant::now() < deadline, "it did not come about that {what}; shown is {:#?}", self.names());
            // News, or time for the next frame: both are reasons to paint.
            let _ = self.woken.recv_timeout(FRAME_EVERY);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.end();
        }
    }
}
