//! The monitor's thread: takes in reports, joins them, publishes views.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use broker::metadata::report::{NodeEvent, Report};
use broker::types::Now;
use crossbeam_channel::{Receiver, Sender, select, tick};

use super::cloudwatch::advice::AlarmSet;
use super::cloudwatch::alarms::Transition;
use super::cloudwatch::catalog::Level;
use super::cloudwatch::memory::Remembered;
use super::cloudwatch::watch::{Change, CloudwatchView, Watch};
use super::command::Notice;
use super::events::EventLog;
use super::groups::GroupWatch;
use super::history::run::Recording;
use super::host::Host;
use super::inquiry::Inquiries;
use super::join::{Facts, Join};
use super::ledger::LedgerView;
use super::logs::LogsView;
use super::logs::run::LogNews;
use super::messages::export::ExportView;
use super::messages::read::MessagesView;
use super::order::{Answer, Done, Reply};
use super::script::status::ScriptStatus;
use super::series::Recorder;
use super::slot::ViewSlot;
use super::snapshot::{ActiveFault, Snapshot, WorkloadStatus};
use super::unread;
use super::unread_reader::UnreadReader;
use super::view::{Connected, Measured, View};

/// How many reports may wait; nodes keep what does not fit for their next report.
pub const REPORTS_WAITING: usize = 4_096;

/// How many words of the program may wait.
const WORDS_WAITING: usize = 256;

/// At most 20 snapshots a second.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(50);

/// Joining a big cluster must not take more than this part of a core: one part in so many.
const SNAPSHOT_SHARE: u32 = 20;

/// Reports taken in before the clock is looked at again.
const REPORTS_AT_ONCE: usize = 1_024;

/// What the program itself has to tell the monitor.
pub enum Word {
    /// What is known of the cluster.
    Facts(Facts),
    /// The built-in workloads.
    Workloads(Vec<WorkloadStatus>),
    /// The faults in force.
    Faults(Vec<ActiveFault>),
    /// Scripts of faults that run or ran.
    Scripts(Vec<ScriptStatus>),
    /// Something that happened outside the nodes.
    Event(NodeEvent),
    /// Something that happened to the nodes' logs.
    Logs(LogNews),
    /// A wish about metrics and alarms; whoever waits is answered when the view that has it is out.
    Monitoring(Change, Option<Reply>),
    /// Answered when a view is out that has all that was said before.
    Published(Sender<()>),
    /// What is remembered of the last run's metrics and alarms.
    Recall(Box<Remembered>),
    /// From now on, whoever listens there keeps what changes of these.
    KeepBy(Sender<CloudwatchView>),
    /// From now on all views are recorded there.
    RecordTo(Recording),
}

/// Who keeps what is to be remembered, and what was handed over last.
struct Keeping {
    to: Sender<CloudwatchView>,
    mark: (Level, AlarmSet, u64),
}

/// The running monitor.
pub struct Monitor {
    slot: ViewSlot,
    words: Sender<Word>,
}

impl Monitor {
    /// Starts the thread, and the one that reads records' times for it; they end when the monitor and all clones of [`Monitor::words`] are gone.
    pub fn start(facts: Facts, reports: Receiver<Report>) -> io::Result<Monitor> {
        let slot = ViewSlot::default();
        let (words, words_in) = crossbeam_channel::bounded(WORDS_WAITING);
        let worker = Worker::new(facts, slot.clone(), UnreadReader::start()?);
        std::thread::Builder::new().name("monitor".into()).spawn(move || worker.run(&reports, &words_in))?;
        Ok(Monitor { slot, words })
    }

    /// Where the views appear.
    pub fn slot(&self) -> ViewSlot {
        self.slot.clone()
    }

    /// Where the program tells what it knows.
    pub fn words(&self) -> Sender<Word> {
        self.words.clone()
    }
}

struct Worker {
    join: Join,
    unread: UnreadReader,
    recorder: Recorder,
    metrics: Arc<Measured>,
    connections: Arc<Connected>,
    host: Host,
    watch: Watch,
    keeping: Option<Keeping>,
    recording: Option<Recording>,
    events: EventLog,
    groups: GroupWatch,
    new_events: bool,
    /// Who is to be told that a change is in the view.
    replies: Vec<(Reply, Answer)>,
    snapshot: Arc<Snapshot>,
    slot: ViewSlot,
    started: Instant,
    next_snapshot: Instant,
}

impl Worker {
    fn new(facts: Facts, slot: ViewSlot, unread: UnreadReader) -> Worker {
        let started = Instant::now();
        let mut groups = GroupWatch::default();
        groups.set_node_config(facts.node_config.clone());
        Worker {
            join: Join::new(facts),
            unread,
            recorder: Recorder::default(),
            metrics: Arc::default(),
            connections: Arc::default(),
            host: Host::default(),
            watch: Watch::default(),
            keeping: None,
            recording: None,
            events: EventLog::default(),
            groups,
            new_events: false,
            replies: Vec::new(),
            snapshot: Arc::default(),
            slot,
            started,
            next_snapshot: started,
        }
    }

    fn run(mut self, reports: &Receiver<Report>, words: &Receiver<Word>) {
        let seconds = tick(Duration::from_secs(1));
        let mut reports = reports.clone();
        let mut answers: Receiver<Vec<unread::Answer>> = self.unread.answers().clone();
        loop {
            let wait = if self.has_news() {
                self.next_snapshot.saturating_duration_since(Instant::now())
            } else {
                Duration::MAX
            };
            let mut second_over = false;
            select! {
                recv(reports) -> report => match report {
                    Ok(report) => {
                        self.take(report);
                        reports.try_iter().take(REPORTS_AT_ONCE).for_each(|report| self.take(report));
                    }
                    // All nodes are gone; the program may still speak.
                    Err(_) => reports = crossbeam_channel::never(),
                },
                recv(words) -> word => match word {
                    Ok(word) => self.hear(word),
                    Err(_) => return self.keep_last(),
                },
                recv(answers) -> found => match found {
                    Ok(found) => self.join.answers(found),
                    Err(_) => answers = crossbeam_channel::never(),
                },
                recv(seconds) -> _ => second_over = true,
                default(wait) => {}
            }
            self.publish(second_over);
        }
    }

    fn has_news(&self) -> bool {
        self.join.is_dirty() || self.new_events || !self.replies.is_empty()
    }

    fn now(&self) -> Now {
        let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        Now { mono: self.started.elapsed(), wall_ms }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Broker(report) => {
                self.groups.report(&report);
                self.join.broker(&report);
            }
            Report::Controller(report) => self.join.controller(&report),
            Report::Lifecycle { node_id, state, .. } => self.join.lifecycle(node_id, state),
            Report::Event(event) => self.note(event),
            Report::Membership(report) => self.join.membership(report),
            Report::Metrics(report) => self.join.metrics(report),
            Report::Connections(report) => self.join.connections(report),
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Facts(facts) => {
                self.groups.set_node_config(facts.node_config.clone());
                self.join.set_facts(facts);
            }
            Word::Workloads(workloads) => self.join.set_workloads(workloads),
            Word::Scripts(scripts) => self.join.set_scripts(scripts),
            Word::Faults(faults) => {
                let now_ms = self.now().wall_ms;
                self.new_events |= self.events.push_faults(&faults, &self.snapshot.workloads, now_ms);
                self.join.set_faults(faults, now_ms);
            }
            Word::Event(event) => self.note(event),
            Word::Logs(news) => {
                self.events.push_logs(news);
                self.new_events = true;
            }
            Word::Monitoring(change, reply) => {
                let (answer, transition) = self.watch.change(self.now().wall_ms, change);
                self.tell(transition.as_slice());
                // Without somebody who waits, the answer is a notice for the window.
                let slot = self.slot.clone();
                let reply = reply.unwrap_or_else(|| Box::new(move |answer| slot.notify(Notice::of(answer))));
                self.replies.push((reply, answer));
            }
            Word::Published(to) => {
                let reply = move |_| {
                    // Who does not wait any more need not be told.
                    let _ = to.try_send(());
                };
                self.replies.push((Box::new(reply), Ok(Done { id: None, text: String::new() })));
            }
            Word::Recall(remembered) => self.watch.recall(*remembered),
            Word::RecordTo(recording) => self.recording = Some(recording),
            Word::KeepBy(to) => self.keeping = Some(Keeping { to, mark: self.watch.view().mark() }),
        }
    }

    /// Hands over what changed; while the last is being written, it waits for the next second.
    fn keep(&mut self) {
        let view = self.watch.view();
        if let Some(keeping) = &mut self.keeping
            && keeping.mark != view.mark()
        {
            let mark = view.mark();
            if keeping.to.try_send(view).is_ok() {
                keeping.mark = mark;
            }
        }
    }

    /// The last that is handed over is waited for.
    fn keep_last(self) {
        let view = self.watch.view();
        if let Some(Keeping { to, .. }) = self.keeping.filter(|keeping| keeping.mark != view.mark()) {
            // Whoever kept it may have failed: then it is lost.
            let _ = to.send(view);
        }
    }

    fn tell(&mut self, changes: &[Transition]) {
        for change in changes {
            self.new_events |= self.events.push_alarm(change);
        }
    }

    fn note(&mut self, event: NodeEvent) {
        self.groups.event(&event);
        self.events.push(&event);
        self.new_events = true;
    }

    /// Publishes what is new, if it is time.
    fn publish(&mut self, second_over: bool) {
        let began = Instant::now();
        if second_over {
            self.join.tick(self.now());
        }
        let due = began >= self.next_snapshot;
        let wanted = second_over || (due && self.has_news());
        if !wanted {
            return;
        }
        if self.join.is_dirty() {
            self.snapshot = Arc::new(self.join.snapshot(self.now()));
        }
        let questions = self.join.questions(self.now(), second_over);
        if !questions.is_empty() {
            self.unread.ask(questions);
        }
        if second_over {
            self.groups.second(self.now().wall_ms, &self.snapshot);
            self.metrics = Arc::new(self.join.measured());
            self.recorder.record(self.now().wall_ms, &self.snapshot, &self.metrics);
            self.connections = Arc::new(self.join.connected());
            let host = self.host.read(self.join.data_dir());
            let changes = self.watch.tick(self.now(), &self.snapshot, &self.metrics, host);
            self.tell(&changes);
            self.keep();
        }
        self.new_events = false;
        let view = View {
            snapshot: self.snapshot.clone(),
            series: self.recorder.store(),
            metrics: self.metrics.clone(),
            connections: self.connections.clone(),
            cloudwatch: self.watch.view(),
            events: self.events.entries(),
            groups: self.groups.view(),
            // These are published by their own threads.
            logs: LogsView::default(),
            inquiries: Inquiries::default(),
            messages: MessagesView::default(),
            export: ExportView::default(),
            ledger: LedgerView::default(),
            notices: Vec::new(),
        };
        if let Some(recording) = &self.recording {
            recording.offer(view.clone());
        }
        self.slot.publish(view);
        self.replies.drain(..).for_each(|(reply, answer)| reply(answer));
        self.next_snapshot = began + SNAPSHOT_EVERY.max(began.elapsed() * SNAPSHOT_SHARE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::metadata::report::{BrokerReport, Event, NodeState};

    /// Waits on the slot's own wake-up for a view that pleases.
    fn wait_for(slot: &ViewSlot, woken: &Receiver<()>, pleases: impl Fn(&View) -> bool) -> View {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let view = slot.latest();
            if pleases(&view) {
                return view;
            }
            woken.recv_deadline(deadline).expect("the monitor publishes in time");
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let (reports, reports_in) = crossbeam_channel::bounded(REPORTS_WAITING);
        let monitor = Monitor::start(Facts { node_ids: vec![1, 3000], ..Facts::default() }, reports_in).unwrap();
        let slot = monitor.slot();
        let (wake, woken) = crossbeam_channel::unbounded();
        slot.on_change(move || {
            // The receiver lives as long as the test.
            let _ = wake.send(());
        });
        let broker = BrokerReport { node_id: 1, host: "h".into(), port: 9092, ..BrokerReport::default() };
        reports.send(Report::Broker(Arc::new(broker))).unwrap();
        reports.send(Report::Lifecycle { node_id: 1, state: NodeState::Paused, at_ms: 0 }).unwrap();
        let event = NodeEvent { node_id: 1, at_ms: 1, event: Event::Error { message: "disk".into() } };
        reports.send(Report::Event(event.clone())).unwrap();
        monitor.words().send(Word::Event(NodeEvent { node_id: -1, ..event })).unwrap();
        let view = wait_for(&slot, &woken, |view| {
            view.events.len() == 2 && view.snapshot.brokers.first().is_some_and(|broker| broker.port == 9092)
        });
        let view_later = wait_for(&slot, &woken, |view| !view.series.at_ms.is_empty());
        assert_eq!(view.snapshot.brokers[0].state, NodeState::Paused);
        assert_eq!(view.snapshot.quorum.voters[0].state, NodeState::Starting);
        assert!(view_later.snapshot.sequence >= view.snapshot.sequence);
        // The nodes are gone: the program is still heard.
        drop(reports);
        monitor.words().send(Word::Facts(Facts { cluster_id: "later".into(), ..Facts::default() })).unwrap();
        wait_for(&slot, &woken, |view| view.snapshot.cluster_id == "later");
    }
}
