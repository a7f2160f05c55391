//! `brokerscope screenshot`: a real cluster under load, and a picture of the real screens, drawn without a display.

mod canvas;
#[cfg(test)]
mod looks;
mod painter;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::failure::Failure;
use super::session::Session;
use super::window::{SessionBackend, utc_offset_minutes};
use crate::cli::{ClusterArgs, ScreenshotArgs, ThemeArg};
use crate::monitor::command::{Command, FaultKind, FaultRequest, TraceOrder, WorkloadSpec};
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::view::View;
use crate::ui::{BrokerscopeApp, EventsView, MetricsView, Options, Recorded, Screen, ThemeChoice, TopicView, WireView};
use broker::server::trace::{Station, TraceWish};
pub use painter::Studio;

/// A cluster that shows no life after this long beyond what was asked for is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long before the picture a broker is killed: long enough for alarms to ring, which look at two periods of ten seconds.
const KILL_BEFORE: Duration = Duration::from_secs(32);

/// Takes the pictures.
///
/// # Errors
/// No such screen, the cluster does not come to life, a file cannot be written.
pub fn run(args: &ScreenshotArgs) -> Result<(), Failure> {
    let pictures = pictures(args)?;
    let session = Session::start(&ClusterArgs::throwaway())?;
    session.stop_on_signal()?;
    let outcome = live(&session, args)
        .and_then(|()| pictures.iter().try_for_each(|(wanted, path)| take(&session, *wanted, path, args)));
    session.end();
    outcome
}

/// How long answers are waited for before a picture is taken without them.
const ANSWERS_PATIENCE: Duration = Duration::from_secs(10);
/// So many rounds without a question count as all answered.
const QUIET_ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_millis(150);

/// A screen, and which of its views.
#[derive(Clone, Copy)]
struct Wanted {
    screen: Screen,
    metrics: MetricsView,
    topic: TopicView,
    wire: WireView,
    events: EventsView,
    /// Shown is what was so long ago.
    ago: Option<Duration>,
}

impl Wanted {
    fn of(screen: Screen) -> Wanted {
        let (metrics, topic, wire) = (MetricsView::default(), TopicView::default(), WireView::default());
        Wanted { screen, metrics, topic, wire, events: EventsView::default(), ago: None }
    }

    /// The time at the bottom, a moment after a broker was killed.
    fn past() -> Wanted {
        Wanted { ago: KILL_BEFORE.checked_sub(Duration::from_millis(1_000)), ..Wanted::of(Screen::Cluster) }
    }
}

/// What the picture of the past is called.
const PAST: &str = "history";

/// Which screens go to which files.
fn pictures(args: &ScreenshotArgs) -> Result<Vec<(Wanted, PathBuf)>, Failure> {
    if let Some(dir) = &args.all {
        std::fs::create_dir_all(dir)
            .map_err(|error| Failure::failed(format!("{} cannot be made: {error}", dir.display())))?;
        let picture = |screen: Screen| (Wanted::of(screen), dir.join(format!("{screen}.png")));
        let of_topic = [TopicView::Tape, TopicView::Messages].into_iter().map(|view| {
            (Wanted { topic: view, ..Wanted::of(Screen::Topic) }, dir.join(format!("{}.png", view.name())))
        });
        let of_wire = WireView::ALL
            .into_iter()
            .skip(1)
            .map(|view| (Wanted { wire: view, ..Wanted::of(Screen::Wire) }, dir.join(format!("{}.png", view.name()))));
        let past = (Wanted::past(), dir.join(format!("{PAST}.png")));
        return Ok(Screen::ALL.into_iter().map(picture).chain(of_topic).chain(of_wire).chain([past]).collect());
    }
    // clap lets nothing else pass.
    let (Some(name), Some(path)) = (&args.screen, &args.out) else { return Ok(Vec::new()) };
    if let Some(view) = MetricsView::ALL.into_iter().find(|view| view.name() == name) {
        return Ok(vec![(Wanted { metrics: view, ..Wanted::of(Screen::Metrics) }, path.clone())]);
    }
    if let Some(view) = TopicView::ALL.into_iter().find(|view| view.name() == name) {
        return Ok(vec![(Wanted { topic: view, ..Wanted::of(Screen::Topic) }, path.clone())]);
    }
    if let Some(view) = WireView::ALL.into_iter().find(|view| view.name() == name) {
        return Ok(vec![(Wanted { wire: view, ..Wanted::of(Screen::Wire) }, path.clone())]);
    }
    if let Some(view) = EventsView::ALL.into_iter().find(|view| view.name() == name) {
        return Ok(vec![(Wanted { events: view, ..Wanted::of(Screen::Events) }, path.clone())]);
    }
    if name == PAST {
        return Ok(vec![(Wanted::past(), path.clone())]);
    }
    let screen = name.parse::<Screen>().map_err(|error| Failure::usage(error.to_string()))?;
    Ok(vec![(Wanted::of(screen), path.clone())])
}

/// Topics and traffic as a small shop might have them.
fn workloads() -> Vec<WorkloadSpec> {
    let spec = |topic: &str, partitions, consumers, rate_per_s, record_bytes| WorkloadSpec {
        topic: topic.into(),
        partitions,
        consumers,
        rate_per_s,
        record_bytes,
        ..WorkloadSpec::default()
    };
    vec![spec("orders", 12, 3, 800, 400), spec("payments", 6, 2, 250, 250), spec("page-views", 24, 2, 3000, 160)]
}

/// Lets the cluster live for as long as asked.
fn live(session: &Session, args: &ScreenshotArgs) -> Result<(), Failure> {
    let (news, woken) = bounded(1);
    session.slot().on_change(move || {
        // One piece of news in waiting is enough.
        let _ = news.try_send(());
    });
    wait_until(session, &woken, PATIENCE, "the cluster took no writes", |_| session.is_ready())?;
    for spec in workloads() {
        session.orders().send(Command::StartWorkload(spec));
    }
    let load = Duration::from_secs(args.after);
    let flowing = |view: &View| {
        let workloads = &view.snapshot.workloads;
        workloads.len() == 3 && workloads.iter().all(|workload| workload.acked > 0 && workload.read > 0)
    };
    wait_until(session, &woken, PATIENCE, "no record went through", flowing)?;
    let until = Instant::now() + load;
    let mut to_kill = args.kill;
    let lived = |_: &View| {
        if let Some(broker) = to_kill.filter(|_| Instant::now() + KILL_BEFORE >= until) {
            to_kill = None;
            let fault = FaultRequest { broker: Some(broker), ..FaultRequest::new(FaultKind::Kill) };
            session.orders().send(Command::InjectFault(fault));
        }
        Instant::now() >= until
    };
    wait_until(session, &woken, load + PATIENCE, "the monitor fell silent", lived)
}

fn wait_until(
    session: &Session,
    woken: &Receiver<()>,
    patience: Duration,
    otherwise: &str,
    mut is_so: impl FnMut(&View) -> bool,
) -> Result<(), Failure> {
    let deadline = Instant::now() + patience;
    loop {
        if is_so(&session.slot().latest()) {
            return Ok(());
        }
        let (_, ended) = session.endings();
        crossbeam_channel::select! {
            recv(woken) -> _ => {}
            recv(ended) -> ending => return ending.unwrap_or(Ok(())).and(Err(Failure::failed("stopped before the picture was taken"))),
            default(Duration::from_millis(200)) => {}
        }
        if Instant::now() > deadline {
            return Err(Failure::failed(format!(
                "no picture could be taken: {otherwise} within {} s",
                patience.as_secs()
            )));
        }
    }
}

/// Whether the record that is followed has come to a consumer.
fn is_fetched(view: &View) -> bool {
    let answer = view.inquiries.get(&Query::Trace).and_then(|known| known.answer.as_ref());
    let Some((_, Ok(findings))) = answer else { return false };
    let Findings::Trace(state) = &**findings else { return false };
    let steps = state.trace.iter().flat_map(|trace| &trace.steps);
    steps.into_iter().any(|step| matches!(step.station, Station::Fetched { .. }))
}

fn take(session: &Session, wanted: Wanted, path: &Path, args: &ScreenshotArgs) -> Result<(), Failure> {
    let now_ms = session.slot().latest().snapshot.at_ms;
    let options = Options {
        theme: match args.theme {
            ThemeArg::Dark => ThemeChoice::Dark,
            ThemeArg::Light => ThemeChoice::Light,
        },
        screen: wanted.screen,
        metrics: wanted.metrics,
        topic_view: wanted.topic,
        wire: wanted.wire,
        events: wanted.events,
        http: Some(session.http_url()),
        utc_offset_minutes: utc_offset_minutes(),
        recorded: Recorded::Live(session.history()),
        at_ms: wanted.ago.map(|ago| now_ms - ago.as_millis() as i64),
        ..Options::default()
    };
    // The answers to our own commands are no part of the picture.
    session.slot().take();
    if wanted.wire == WireView::Way {
        session.orders().send(Command::Trace(TraceOrder::Follow(TraceWish::default())));
    }
    let mut studio = Studio::new(args.size, args.scale);
    let mut app = BrokerscopeApp::new(studio.context(), Box::new(SessionBackend::new(session)), options);
    let mut paint = || {
        studio.picture(|ui| {
            app.logic(ui.ctx());
            app.show(ui);
        })
    };
    let mut image = paint();
    // What the screen asks of the cluster takes its time, and its answer may make it ask for more.
    let mut quiet = 0;
    let deadline = Instant::now() + ANSWERS_PATIENCE;
    while quiet < QUIET_ROUNDS && Instant::now() < deadline {
        std::thread::park_timeout(ROUND);
        let view = session.slot().latest();
        let is_followed = wanted.wire == WireView::Way && !is_fetched(&view);
        let is_asking = view.inquiries.is_any_under_way() || view.messages.is_under_way() || is_followed;
        quiet = if is_asking { 0 } else { quiet + 1 };
        image = paint();
    }
    image.save(path).map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))?;
    println!("{}", path.display());
    Ok(())
}
