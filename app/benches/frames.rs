//! What a frame of the window costs, screen by screen, on a cluster of 1,000 topics with 10 partitions each and 200 groups that never rests.
//!
//!     cargo bench -p brokerscope --bench frames [-- SCREEN…]
//!
//! A frame is what the program does for one: take in what is new, lay the screen out, tessellate it. Every third brings a new view, in which all
//! offsets have moved; in all of them the pointer moves, and in half of them the wheel turns. Counted is the CPU time of the thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use brokerscope::monitor::command::Command;
use brokerscope::monitor::view::View;
use brokerscope::ui::fixture::{Busy, EVERY_MS, answer};
use brokerscope::ui::{AlarmStart, Backend, BrokerscopeApp, Dialog, MetricsView, Options, Screen, TopicView, WireView};
use egui::{
    Context, Event, Key, Modifiers, MouseWheelSource, MouseWheelUnit, Pos2, RawInput, Rect, TouchPhase, ViewportId,
    pos2, vec2,
};

/// As the program's own: views are made on one thread and let go on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a frame may cost.
const BUDGET_MS: f64 = 8.0;
const FRAMES: usize = 600;
/// Before these, sizes settle and letters are drawn for the first time.
const WARM_UP: usize = 12;
/// Frames between two views: 30 frames a second, ten views.
const NEWS_EVERY: usize = 3;
const FRAME_S: f64 = EVERY_MS as f64 / 1e3 / NEWS_EVERY as f64;
const SIZE: (f32, f32) = (1600.0, 1000.0);
/// A text cursor blinks more slowly.
const BLINK: Duration = Duration::from_millis(250);
/// A window that nothing happens to is still within so many frames.
const SETTLED_IN: usize = 60;

/// Gives out what it was given last.
struct Feed(Rc<RefCell<View>>);

impl Backend for Feed {
    fn view(&mut self) -> View {
        self.0.borrow().clone()
    }

    fn send(&mut self, command: Command) {
        answer(&mut self.0.borrow_mut(), &command);
    }
}

/// What is measured.
struct Case {
    name: &'static str,
    options: Options,
}

/// In this one somebody types.
const PALETTE: &str = "palette";
/// What is searched for there, letter by letter; a bar stands for marking all, so that the next letter takes its place.
const SEARCHED: &str = "kill broker 2|service-0999.events-7|delete topic service|lag|";
/// Frames from letter to letter.
const LETTER_EVERY: usize = 3;

fn cases() -> Vec<Case> {
    let on = |name, screen| Case { name, options: Options { screen, ..Options::default() } };
    let metrics = |view: MetricsView| Case {
        name: view.name(),
        options: Options { screen: Screen::Metrics, metrics: view, ..Options::default() },
    };
    let dialog = |name, dialog| Case {
        name,
        options: Options { screen: Screen::Topics, dialog: Some(dialog), ..Options::default() },
    };
    let screens = Screen::ALL.into_iter().filter(|screen| *screen != Screen::Metrics);
    let messages = Options {
        screen: Screen::Topic,
        topic: Some(Busy::READ_TOPIC.to_owned()),
        topic_view: TopicView::Messages,
        ..Options::default()
    };
    let messages = Case { name: TopicView::Messages.name(), options: messages };
    let tape = Options {
        screen: Screen::Topic,
        topic: Some("service-0001.events".to_owned()),
        tape: Some(3),
        ..Options::default()
    };
    let others = [
        Case { name: "tape", options: tape },
        dialog("dialog: topic", Dialog::CreateTopic),
        dialog("dialog: delete", Dialog::DeleteTopic("service-0001.events".into())),
        dialog("dialog: alarm", Dialog::PutAlarm(AlarmStart::Blank)),
        dialog(PALETTE, Dialog::Palette),
        dialog("help", Dialog::Help),
    ];
    let wires = WireView::ALL
        .into_iter()
        .skip(1)
        .map(|wire| Case { name: wire.name(), options: Options { screen: Screen::Wire, wire, ..Options::default() } });
    let screens = screens.map(|screen| on(screen.name(), screen)).chain([messages]).chain(wires);
    screens.chain(MetricsView::ALL.map(metrics)).chain(others).collect()
}

/// CPU time of this thread.
fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// What a frame cost, in CPU time of the thread.
struct Cost {
    /// Taking in what is new.
    logic_ms: f64,
    /// That, and layout.
    laid_out_ms: f64,
    /// That, and tessellation.
    all_ms: f64,
    /// When the window wants the next.
    again: Duration,
}

/// A window without a window.
struct Stage {
    ctx: Context,
    app: BrokerscopeApp,
    feed: Rc<RefCell<View>>,
    time_s: f64,
}

impl Stage {
    /// On a context that has drawn before: letters are drawn once in a program's life.
    fn new(ctx: &Context, view: View, options: Options) -> Stage {
        let ctx = ctx.clone();
        let feed = Rc::new(RefCell::new(view));
        let app = BrokerscopeApp::new(&ctx, Box::new(Feed(Rc::clone(&feed))), options);
        let time_s = ctx.input(|input| input.time);
        Stage { ctx, app, feed, time_s }
    }

    fn frame(&mut self, events: Vec<Event>) -> Cost {
        self.time_s += FRAME_S;
        let begin_ms = cpu_ms();
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(SIZE.0, SIZE.1))),
            time: Some(self.time_s),
            focused: true,
            max_texture_side: Some(8192),
            events,
            ..RawInput::default()
        };
        input.viewports.entry(ViewportId::ROOT).or_default().native_pixels_per_point = Some(1.0);
        let (app, mut logic_ms) = (&mut self.app, 0.0);
        let output = self.ctx.run_ui(input, |ui| {
            app.logic(ui.ctx());
            logic_ms += cpu_ms() - begin_ms;
            app.show(ui);
        });
        let laid_out_ms = cpu_ms() - begin_ms;
        std::hint::black_box(self.ctx.tessellate(output.shapes, 1.0));
        let root = output.viewport_output.get(&ViewportId::ROOT);
        Cost {
            logic_ms,
            laid_out_ms,
            all_ms: cpu_ms() - begin_ms,
            again: root.map_or(Duration::MAX, |root| root.repaint_delay),
        }
    }

    fn warm_up(&mut self) {
        self.frame(Vec::new());
    }

    /// Whether the window rests when nothing happens.
    fn rests(&mut self) -> bool {
        (0..SETTLED_IN).any(|_| self.frame(Vec::new()).again > BLINK)
    }
}

/// The pointer wanders over the screen, and the wheel turns up and down.
fn events(frame: usize) -> Vec<Event> {
    let turn = frame as f32 / 40.0;
    let at = pos2(SIZE.0 * (0.55 + 0.3 * (turn * 0.7).cos()), SIZE.1 * (0.55 + 0.35 * turn.sin()));
    let mut events = vec![Event::PointerMoved(at)];
    if frame % 80 < 40 {
        let way = if frame % 320 < 200 { -60.0 } else { 60.0 };
        events.push(Event::MouseWheel {
            unit: MouseWheelUnit::Point,
            delta: vec2(0.0, way),
            phase: TouchPhase::Move,
            modifiers: Modifiers::NONE,
            source: MouseWheelSource::Unknown,
        });
    }
    events
}

/// What is typed in a frame.
fn letter(frame: usize) -> Option<Event> {
    if !frame.is_multiple_of(LETTER_EVERY) {
        return None;
    }
    let all =
        Event::Key { key: Key::A, physical_key: None, pressed: true, repeat: false, modifiers: Modifiers::COMMAND };
    SEARCHED.chars().cycle().nth(frame / LETTER_EVERY).map(|letter| match letter {
        '|' => all,
        letter => Event::Text(letter.to_string()),
    })
}

fn sorted(costs: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut costs: Vec<f64> = costs.collect();
    costs.sort_by(f64::total_cmp);
    costs
}

fn measure(ctx: &Context, views: &Receiver<View>, case: Case) -> Option<bool> {
    let mut stage = Stage::new(ctx, views.recv().ok()?, case.options);
    let opening = stage.frame(Vec::new());
    (0..WARM_UP).for_each(|_| stage.warm_up());
    let mut costs: Vec<Cost> = Vec::with_capacity(FRAMES);
    for frame in 0..FRAMES {
        if frame.is_multiple_of(NEWS_EVERY) {
            // The window alone holds the old view, as it does in the program: letting it go is a cost of the next frame.
            *stage.feed.borrow_mut() = views.recv().ok()?;
        }
        let typed = (case.name == PALETTE).then(|| letter(frame)).flatten();
        costs.push(stage.frame(events(frame).into_iter().chain(typed).collect()));
    }
    let rests = stage.rests();
    let all = sorted(costs.iter().map(|cost| cost.all_ms));
    let news = sorted(costs.iter().step_by(NEWS_EVERY).map(|cost| cost.logic_ms));
    let (p50, p99, max) = (all[FRAMES / 2], all[FRAMES * 99 / 100], all[FRAMES - 1]);
    let (news_p50, news_max) = (news[news.len() / 2], news[news.len() - 1]);
    let worst = costs.iter().max_by(|one, other| one.all_ms.total_cmp(&other.all_ms))?;
    let verdict = match (rests, max <= BUDGET_MS) {
        (false, _) => "does not come to rest".to_owned(),
        (true, true) => String::new(),
        (true, false) => format!(
            "over 8 ms: news {:.1}, layout {:.1}, tessellation {:.1}",
            worst.logic_ms,
            worst.laid_out_ms - worst.logic_ms,
            worst.all_ms - worst.laid_out_ms
        ),
    };
    let (name, first) = (case.name, opening.all_ms);
    println!("  {name:18} {p50:7.2} {p99:7.2} {max:7.2}   {news_p50:7.2} {news_max:7.2}   {first:7.2}   {verdict}");
    Some(max <= BUDGET_MS && rests)
}

/// Makes views on a thread of its own until nobody takes them.
fn views(brokers: i32) -> std::io::Result<Receiver<View>> {
    let (sender, views) = bounded(1);
    let make = move || {
        let mut busy = Busy::new(brokers, 1_000);
        while sender.send(busy.turn()).is_ok() {}
    };
    std::thread::Builder::new().name("views".into()).spawn(make)?;
    Ok(views)
}

fn main() -> std::io::Result<()> {
    // cargo passes --bench.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut is_good = true;
    let ctx = Context::default();
    for brokers in [3, 12] {
        let views = views(brokers)?;
        // All screens are opened once, unmeasured.
        for case in cases() {
            let mut stage = Stage::new(&ctx, views.recv().unwrap_or_default(), case.options);
            (0..WARM_UP).for_each(|_| stage.warm_up());
        }
        println!("1,000 topics, 10,000 partitions, 200 groups, {brokers} brokers; CPU of a frame, ms");
        println!(
            "  {:18} {:>7} {:>7} {:>7}   {:>15}   {:>7}",
            "screen", "p50", "p99", "max", "news p50, max", "opening"
        );
        for case in cases() {
            if wanted.is_empty() || wanted.iter().any(|name| case.name.contains(name.as_str())) {
                is_good &= measure(&ctx, &views, case).unwrap_or(false);
            }
        }
    }
    println!("{}", if is_good { "All within 8 ms." } else { "Not all within 8 ms." });
    Ok(())
}
