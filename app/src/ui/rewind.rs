//! Where in time the window is: at the newest view, or at one that was recorded. What is shown of the past cannot be changed.
//!
//! Knows what is recorded and who looks into it; [`super::time_bar`] paints.

use std::path::PathBuf;
use std::sync::Arc;

use egui::Context;

use super::format;
use super::widgets::toast;
use crate::monitor::command::Command;
use crate::monitor::history::answers;
use crate::monitor::history::lanes::Lanes;
use crate::monitor::history::record::Record;
use crate::monitor::history::rewind::{Filed, Rewinder};
use crate::monitor::history::run::History;
use crate::monitor::inquiry::{Inquiries, Query};
use crate::monitor::messages::read::{MessagesView, ReadState, ReadWish};
use crate::monitor::view::View;

/// How fast the past is played, times as fast as it was.
pub const SPEEDS: [(i64, &str); 3] = [(1, "1×"), (8, "8×"), (60, "60×")];

/// What a recording is opened from.
#[derive(Clone, Debug, Default)]
pub enum Recorded {
    /// Nothing is recorded.
    #[default]
    None,
    /// The cluster that runs.
    Live(History),
    /// A file, under its name: there is no cluster.
    File(String, Box<Record>),
}

/// What is wished of the time.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Show this time.
    At(i64),
    /// Show the newest view.
    Live,
    /// Show when something changed before, …
    Earlier,
    /// … and after.
    Later,
    /// Let the time run on, or stop it.
    Play,
    /// Show what happened along the time, or hide it.
    Lanes,
    /// Write what is recorded to a file.
    Save(PathBuf),
    /// Open a recording.
    Open(PathBuf),
}

/// A time that is shown.
#[derive(Default)]
struct Past {
    at_ms: i64,
    /// What was found of it, or of the time that was shown before.
    view: Option<View>,
    trouble: Option<String>,
    /// It is looked for.
    is_wanted: bool,
    /// Answers to what screens asked of it.
    inquiries: Inquiries,
    messages: MessagesView,
}

/// See the module.
#[derive(Default)]
pub struct Rewind {
    rewinder: Option<Rewinder>,
    /// There is a cluster to go back to.
    has_live: bool,
    /// A recording that was opened.
    opened: Option<(String, Record)>,
    /// What is recorded, as of this frame.
    record: Record,
    past: Option<Past>,
    /// Since when time runs on, by the window's clock, s.
    played_s: Option<f64>,
    /// One of [`SPEEDS`].
    pub speed: i64,
    /// Whether lanes are shown.
    pub has_lanes: bool,
    /// How much of the time is drawn, ms; `None`: all.
    pub range_ms: Option<i64>,
}

impl Rewind {
    /// On what is recorded; `ctx` is woken when something was found.
    pub fn new(ctx: &Context, recorded: Recorded) -> Rewind {
        let mut rewind = Rewind { speed: 1, range_ms: Some(30 * 60_000), ..Rewind::default() };
        let (history, opened) = match recorded {
            Recorded::None => return rewind,
            Recorded::Live(history) => (history, None),
            Recorded::File(name, record) => (History::default(), Some((name, *record))),
        };
        rewind.has_live = opened.is_none();
        let waker = ctx.clone();
        // Without one more thread there is no looking back, and all else is there.
        rewind.rewinder = Rewinder::start(history, move || waker.request_repaint()).ok();
        if let Some((name, record)) = opened {
            rewind.opened(name, record);
        }
        rewind
    }

    /// Whether there is anything to look back on.
    pub fn is_there(&self) -> bool {
        self.rewinder.is_some()
    }

    /// The time that is shown; `None`: the newest.
    pub fn past_ms(&self) -> Option<i64> {
        self.past.as_ref().map(|past| past.at_ms)
    }

    /// The recording that was opened.
    pub fn file(&self) -> Option<&str> {
        self.opened.as_ref().map(|(name, _)| name.as_str())
    }

    /// Whether there is a newest view to go to.
    pub fn has_live(&self) -> bool {
        self.has_live
    }

    /// Whether time runs on.
    pub fn is_playing(&self) -> bool {
        self.played_s.is_some()
    }

    /// Whether what is to be shown is not found yet.
    pub fn is_looking(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.is_wanted)
    }

    /// Why the time that is shown cannot be shown.
    pub fn trouble(&self) -> Option<&str> {
        self.past.as_ref()?.trouble.as_deref()
    }

    /// What is recorded.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What is drawn along the time.
    pub fn lanes(&self) -> &Arc<Lanes> {
        &self.record.beside.lanes
    }

    /// From when to when there is something to show.
    pub fn span_ms(&self) -> Option<(i64, i64)> {
        self.record.archive.span_ms()
    }

    /// What is to be drawn of it.
    pub fn drawn_ms(&self) -> Option<(i64, i64)> {
        let (from_ms, until_ms) = self.span_ms()?;
        let range_ms = self.range_ms.unwrap_or(i64::MAX).min((until_ms - from_ms).max(60_000));
        // What is shown stays in sight.
        let until_ms =
            self.past_ms().map_or(until_ms, |at_ms| until_ms.min((at_ms + range_ms / 2).max(from_ms + range_ms)));
        Some((until_ms - range_ms, until_ms))
    }

    /// The view of the past, if that is shown; the flag tells whether the newest is.
    pub fn view(&mut self, ctx: &Context) -> (Option<View>, bool) {
        let Some(rewinder) = &self.rewinder else { return (None, true) };
        self.record = match &self.opened {
            Some((_, record)) => record.clone(),
            None => rewinder.record(),
        };
        let (found, filed) = (rewinder.found(), rewinder.filed());
        filed.into_iter().for_each(|filed| self.filed(ctx, filed));
        self.play(ctx);
        let Some(past) = &mut self.past else { return (None, true) };
        past.is_wanted &= found.as_ref().is_none_or(|found| found.at_ms != past.at_ms);
        match found.map(|found| found.view) {
            Some(Ok(view)) => {
                (past.view, past.trouble) = (Some(view), None);
                past.answer_again();
            }
            Some(Err(why)) => past.trouble = Some(why),
            None => {}
        }
        let (inquiries, messages) = (past.inquiries.clone(), past.messages.clone());
        (past.view.clone().map(|view| View { inquiries, messages, ..view }), false)
    }

    fn filed(&mut self, ctx: &Context, filed: Filed) {
        match filed {
            Filed::Saved(Ok(words)) => toast::tell(ctx, true, &words),
            Filed::Saved(Err(why)) | Filed::Opened(Err(why)) => toast::tell(ctx, false, &why),
            Filed::Opened(Ok((name, record))) => self.opened(name, record),
        }
    }

    fn opened(&mut self, name: String, record: Record) {
        let until_ms = record.archive.span_ms().map_or(0, |(_, until_ms)| until_ms);
        self.record = record.clone();
        self.opened = Some((name, record));
        (self.played_s, self.range_ms, self.has_lanes) = (None, None, true);
        self.go(until_ms);
    }

    fn play(&mut self, ctx: &Context) {
        let (Some(before_s), Some(at_ms)) = (self.played_s, self.past_ms()) else { return };
        let now_s = ctx.input(|input| input.time);
        let passed_ms = ((now_s - before_s) * 1_000.0) as i64 * self.speed;
        if passed_ms < 50 {
            return ctx.request_repaint();
        }
        self.played_s = Some(now_s);
        let until_ms = self.span_ms().map_or(0, |(_, until_ms)| until_ms);
        if at_ms + passed_ms < until_ms {
            self.go(at_ms + passed_ms);
            ctx.request_repaint();
        } else {
            self.played_s = None;
            self.do_wish(ctx, Wish::Live);
        }
    }

    fn go(&mut self, at_ms: i64) {
        let Some((from_ms, until_ms)) = self.span_ms() else { return };
        let at_ms = at_ms.clamp(from_ms, until_ms);
        let past = self.past.get_or_insert_default();
        (past.at_ms, past.is_wanted) = (at_ms, true);
        if let Some(rewinder) = &self.rewinder {
            rewinder.look(self.record.clone(), at_ms);
        }
    }

    /// Does what is wished.
    pub fn do_wish(&mut self, ctx: &Context, wish: Wish) {
        match wish {
            Wish::At(at_ms) => {
                self.played_s = None;
                self.go(at_ms);
            }
            Wish::Live => self.go_live(),
            Wish::Earlier | Wish::Later => {
                self.played_s = None;
                if let Some(at_ms) = self.turn(wish == Wish::Later) {
                    self.go(at_ms);
                }
            }
            Wish::Play => {
                let now_s = ctx.input(|input| input.time);
                self.played_s = if self.played_s.is_none() && self.past.is_some() { Some(now_s) } else { None };
            }
            Wish::Lanes => self.has_lanes = !self.has_lanes,
            Wish::Save(path) => {
                let can = self.rewinder.as_ref().is_some_and(|rewinder| rewinder.save(self.record.clone(), path));
                self.too_many(ctx, can);
            }
            Wish::Open(path) => {
                let can = self.rewinder.as_ref().is_some_and(|rewinder| rewinder.open(path));
                self.too_many(ctx, can);
            }
        }
    }

    fn too_many(&self, ctx: &Context, can: bool) {
        if !can {
            toast::tell(ctx, false, "Recordings are being written or read still; try again in a moment.");
        }
    }

    fn go_live(&mut self) {
        self.played_s = None;
        if self.has_live {
            (self.past, self.opened) = (None, None);
        }
    }

    /// When something changed before or after the time that is shown.
    fn turn(&self, later: bool) -> Option<i64> {
        let (from_ms, until_ms) = self.span_ms()?;
        let at_ms = self.past_ms().unwrap_or(until_ms);
        let turns = self.lanes().lanes.iter().flat_map(|lane| {
            let edges = lane.spans.iter().flat_map(|span| [Some(span.from_ms), span.until_ms]);
            edges.flatten().chain(lane.marks.iter().map(|(at_ms, _)| *at_ms))
        });
        let turns = turns.filter(|turn| (from_ms..=until_ms).contains(turn));
        if later { turns.filter(|turn| *turn > at_ms).min() } else { turns.filter(|turn| *turn < at_ms).max() }
    }

    /// What of a command can be done while the past is shown; the rest is told to whoever asks.
    pub fn pass(&mut self, ctx: &Context, command: Command, utc_offset_minutes: i32) -> Option<Command> {
        let Some(past) = &mut self.past else { return Some(command) };
        match command {
            // Nobody looks at the newest; and what is shown may be written to a file, whenever it was.
            Command::Read(None) | Command::Save(_) => return Some(command),
            Command::Inquire(query) => past.answer(&query),
            Command::Read(Some(wish)) => past.read(wish),
            _ => {
                let at = format::clock(past.at_ms, utc_offset_minutes);
                let way = if self.has_live { "go back to live (l) to change anything" } else { "it cannot be changed" };
                toast::tell(ctx, false, &format!("What is shown is the past, {at}: {way}."));
            }
        }
        None
    }
}

/// What is said where nobody looked.
const NOT_LOOKED_AT: &str =
    "Nobody looked at this then: the cluster is asked for it, and it is recorded, only while it is in sight.";

impl Past {
    fn answer(&mut self, query: &Query) {
        let view = self.view.as_ref();
        let known = view.and_then(|view| answers::known(query, &view.snapshot));
        let recorded = || view.and_then(|view| view.inquiries.get(query)).and_then(|known| known.answer.clone());
        let answer = known.or_else(|| recorded().map(|(_, answer)| answer));
        self.inquiries.answer(query, self.at_ms, answer.unwrap_or_else(|| Err(NOT_LOOKED_AT.into())));
    }

    /// Another time is shown: what is in sight is of that.
    fn answer_again(&mut self) {
        let asked: Vec<Query> = self.inquiries.answered().map(|(query, ..)| query.clone()).collect();
        asked.iter().for_each(|query| self.answer(query));
    }

    fn read(&mut self, wish: ReadWish) {
        let generation = self.messages.generation + 1;
        let state =
            ReadState::Failed("Records are read from brokers when somebody looks: they are not recorded.".into());
        self.messages = MessagesView { wish: Some(Arc::new(wish)), state, generation, ..MessagesView::default() };
    }
}
