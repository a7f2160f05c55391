//! The command desk: one thread that carries out what people and programs ask for, one wish after the other.
//!
//! What takes long (a controlled shutdown, a topic) is done on a thread of its own; the desk learns how it went.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use broker::metadata::report::{NodeState, Why};
use broker::types::NodeId;
use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::brokers::{BrokerControl, BrokerWishes, News};
use super::control::NodeControl;
use super::export::Exporter;
use super::faults::{self, Faults};
use super::files;
use super::ledger::SharedFacts;
use super::ledger_export;
use super::operations;
use super::quorum_log;
use super::reader::Reader;
use super::scripts::Scripts;
use super::tape;
use super::topics::{self, TopicWish};
use crate::ledger::Shelf;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::{Command, LedgerExport, Notice, TraceOrder, WorkloadChange, WorkloadSpec};
use crate::monitor::files::Save;
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::logs::Wish;
use crate::monitor::logs::run::Asked;
use crate::monitor::names::{is_controller, node, state_word};
use crate::monitor::operation::Operation;
use crate::monitor::order::{Answer, Done, Order, Refusal, Reply};
use crate::monitor::run::Word;
use crate::monitor::slot::ViewSlot;
use crate::monitor::snapshot::WorkloadStatus;
use crate::monitor::workload::Restarts;

/// Counters of workloads are told this often.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Topic requests under way at a time.
const TOPIC_REQUESTS_MAX: usize = 8;

/// How long the workloads get to end when the desk closes.
const WORKLOADS_PATIENCE: Duration = Duration::from_millis(1_500);

/// Whoever runs the built-in workloads.
pub trait WorkloadRunner: Send {
    /// Starts one; its id, or why not.
    fn start(&mut self, spec: WorkloadSpec) -> Result<u64, String>;
    /// Changes one; what of it is made anew, or why not, in one sentence. `None`: there is none of this id.
    fn change(&mut self, id: u64, change: &WorkloadChange) -> Result<Restarts, Option<String>>;
    /// Has a consumer crash; which one, or why not. `None`: there is no such workload.
    fn crash(&mut self, id: u64, consumer: Option<u32>) -> Result<u32, Option<String>>;
    /// Starts consumers again that crashed, or says why not. `None`: there is no such workload.
    fn revive(&mut self, id: u64, consumer: Option<u32>) -> Result<(), Option<String>>;
    /// Has a producer stand still in its transaction; which one, or why not. `None`: there is no such workload.
    fn freeze(&mut self, id: u64, producer: Option<u32>) -> Result<u32, Option<String>>;
    /// Lets it go on, or says why not. `None`: there is no such workload.
    fn wake(&mut self, id: u64, producer: u32) -> Result<(), Option<String>>;
    /// Stops one; false: there is none of this id.
    fn stop(&mut self, id: u64) -> bool;
    /// What they have done.
    fn statuses(&mut self) -> Vec<WorkloadStatus>;
    /// Stops all and waits for them, for so long.
    fn stop_all(&mut self, patience: Duration);
}

/// What the desk works with.
pub struct Tools {
    /// The nodes.
    pub nodes: Arc<dyn NodeControl>,
    /// Who belongs to the cluster.
    pub brokers: Arc<dyn BrokerControl>,
    /// The workloads.
    pub workloads: Box<dyn WorkloadRunner>,
    /// Where clients connect.
    pub bootstrap_servers: Arc<dyn Fn() -> String + Send + Sync>,
    /// Where to tell what is in force.
    pub words: Sender<Word>,
    /// Who keeps the nodes' logs.
    pub logs: Sender<Asked>,
    /// Where answers for the window go.
    pub slot: ViewSlot,
    /// What a reproduction is made of.
    pub ledger: LedgerTools,
}

/// What is needed of the ledger.
#[derive(Clone)]
pub struct LedgerTools {
    /// The books.
    pub shelf: Shelf,
    /// What it knows of the cluster.
    pub facts: SharedFacts,
    /// Where reproductions go if nobody says where.
    pub data_dir: PathBuf,
}

/// The running desk. It closes when [`Desk::close`] is called, or when all [`crate::monitor::order::Orders`] are gone.
pub struct Desk {
    closing: Sender<()>,
    brokers: Arc<dyn BrokerControl>,
    thread: JoinHandle<()>,
}

impl Desk {
    /// Opens the desk.
    pub fn open(tools: Tools, orders: Receiver<Order>) -> io::Result<Desk> {
        let (closing, closed) = bounded(1);
        let (finished, finished_in) = crossbeam_channel::unbounded();
        let (news, news_in) = crossbeam_channel::unbounded();
        let control = tools.brokers.clone();
        let worker = Worker {
            faults: Faults::default(),
            scripts: Scripts::default(),
            stopping: BTreeSet::new(),
            start_when_stopped: BTreeSet::new(),
            topic_requests: 0,
            reader: Reader::default(),
            exporter: Exporter::default(),
            finished,
            brokers: BrokerWishes::new(tools.brokers.clone(), news),
            tools,
        };
        let thread = std::thread::Builder::new()
            .name("commands".into())
            .spawn(move || worker.run(&orders, &finished_in, &news_in, &closed))?;
        Ok(Desk { closing, brokers: control, thread })
    }

    /// Ends the workloads and the desk; returns when that is done.
    pub fn close(self) {
        self.brokers.end();
        // If the thread has ended by itself there is nobody to be told.
        let _ = self.closing.try_send(());
        // A panic of the thread was told on standard error.
        let _ = self.thread.join();
    }
}

/// What a thread of its own has done.
enum Finished {
    Stop(NodeId, Result<(), Refusal>),
    Topic(Answer, Option<Reply>),
}

pub(super) struct Worker {
    pub(super) tools: Tools,
    pub(super) faults: Faults,
    pub(super) scripts: Scripts,
    /// Nodes in controlled shutdown.
    pub(super) stopping: BTreeSet<NodeId>,
    /// Of these, those that were healed before they had stopped.
    pub(super) start_when_stopped: BTreeSet<NodeId>,
    topic_requests: usize,
    reader: Reader,
    exporter: Exporter,
    finished: Sender<Finished>,
    brokers: BrokerWishes,
}

pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

impl Worker {
    fn run(
        mut self,
        orders: &Receiver<Order>,
        finished: &Receiver<Finished>,
        news: &Receiver<News>,
        closed: &Receiver<()>,
    ) {
        let mut next_telling = Instant::now();
        loop {
            select! {
                recv(closed) -> _ => break,
                recv(orders) -> order => match order {
                    Ok(order) => self.carry_out(order),
                    Err(_) => break,
                },
                // The worker holds a sender, so this never fails.
                recv(finished) -> finished => finished.into_iter().for_each(|finished| self.finish(finished)),
                recv(news) -> news => news.into_iter().for_each(|news| self.hear_of_brokers(news)),
                default(self.wait(next_telling)) => {}
            }
            self.heal_what_is_due();
            self.go_on_with_scripts();
            if Instant::now() >= next_telling {
                next_telling = Instant::now() + TELL_EVERY;
                // A full channel means that the monitor is busy; the next telling says the same and more.
                let _ = self.tools.words.try_send(Word::Workloads(self.tools.workloads.statuses()));
            }
        }
        self.tools.workloads.stop_all(WORKLOADS_PATIENCE);
    }

    fn wait(&self, next_telling: Instant) -> Duration {
        let to_telling = next_telling.saturating_duration_since(Instant::now());
        let next_ms = [self.faults.next_end_ms(), self.scripts.next_ms()].into_iter().flatten().min();
        let to_end = next_ms.map(|end_ms| Duration::from_millis(end_ms.saturating_sub(now_ms()).max(1) as u64));
        to_end.map_or(to_telling, |to_end| to_end.min(to_telling))
    }

    fn carry_out(&mut self, Order { command, reply }: Order) {
        let answer = match command {
            Command::InjectFault(request) => self.inject(&request),
            Command::HealFault(id) => self.heal(id),
            Command::HealAllFaults => self.heal_all(),
            Command::RunScript(script) => self.run_script(*script),
            Command::StopScript(id) => self.stop_script(id),
            Command::StartNode(id) => self.start_node(id, "a start was asked for"),
            Command::CreateTopic { name, partitions, replication_factor, configs } => {
                let wish = TopicWish { name, partitions, replication_factor, configs };
                return self.request_topic(reply, move |servers| topics::create(servers, &wish));
            }
            Command::DeleteTopic { name } => {
                return self.request_topic(reply, move |servers| topics::delete(servers, &name));
            }
            Command::AddBroker(wish) => {
                let refused = self.brokers.add(wish, reply);
                return refused.into_iter().for_each(|(answer, reply)| self.answer(answer, reply));
            }
            Command::RemoveBroker(id) => {
                let refused = self.brokers.remove(id, reply);
                return refused.into_iter().for_each(|(answer, reply)| self.answer(answer, reply));
            }
            Command::KeepBroker(id) => {
                let refused = self.brokers.keep(id, reply);
                return refused.into_iter().for_each(|(answer, reply)| self.answer(answer, reply));
            }
            Command::AddController(wish) => {
                let refused = self.brokers.add_controller(wish.controller, reply);
                return refused.into_iter().for_each(|(answer, reply)| self.answer(answer, reply));
            }
            Command::RemoveController(id) => {
                let refused = self.brokers.remove_controller(id, reply);
                return refused.into_iter().for_each(|(answer, reply)| self.answer(answer, reply));
            }
            Command::Operate(operation) => return self.operate(reply, operation),
            Command::Inquire(query) => self.inquire(query),
            Command::Read(wish) => {
                let (servers, slot) = (self.tools.bootstrap_servers.clone(), self.tools.slot.clone());
                match self.reader.read(wish, servers, slot) {
                    Ok(()) => Ok(Done { id: None, text: String::new() }),
                    Err(error) => Err(Refusal::failed(format!("No thread could be started: {error}."))),
                }
            }
            Command::Export(wish) => {
                let (servers, slot) = (self.tools.bootstrap_servers.clone(), self.tools.slot.clone());
                match self.exporter.export(wish, servers, slot) {
                    Ok(()) => Ok(Done { id: None, text: String::new() }),
                    Err(error) => Err(Refusal::failed(format!("No thread could be started: {error}."))),
                }
            }
            Command::Save(save) => return self.save(save, reply),
            Command::Scrub { broker } => self.scrub(broker),
            Command::Trace(order) => self.trace(order),
            Command::StartWorkload(spec) => self.start_workload(spec),
            Command::StopWorkload(id) => self.stop_workload(id),
            Command::ChangeWorkload { id, change } => self.change_workload(id, &change),
            Command::CrashConsumer { id, consumer } => self.crash_consumer(id, consumer),
            Command::ReviveConsumer { id, consumer } => self.revive_consumer(id, consumer),
            Command::ExportLedger(wish) => return self.export_ledger(wish, reply),
            Command::Monitoring(change) => return self.pass_on(change, reply),
            Command::Logs(wish) => return self.ask_logs(wish, reply),
        };
        self.answer(answer, reply);
    }

    fn answer(&self, answer: Answer, reply: Option<Reply>) {
        match reply {
            Some(reply) => reply(answer),
            // What is found stands in the view.
            None if matches!(&answer, Ok(done) if done.text.is_empty()) => {}
            None => self.tools.slot.notify(Notice::of(answer)),
        }
    }

    /// The monitor keeps metrics and alarms, and answers for itself.
    fn pass_on(&self, change: Change, reply: Option<Reply>) {
        let word = Word::Monitoring(change, reply);
        if let Err(refused) = self.tools.words.send_timeout(word, Duration::from_secs(1))
            && let Word::Monitoring(_, reply) = refused.into_inner()
        {
            self.answer(Err(Refusal::failed("The monitor is busy; try again.")), reply);
        }
    }

    /// So does the keeper of the logs; of its own accord it answers nobody, but the window.
    fn ask_logs(&self, wish: Wish, reply: Option<Reply>) {
        let slot = self.tools.slot.clone();
        let reply = reply.unwrap_or_else(|| Box::new(move |answer| slot.notify(Notice::of(answer))));
        if let Err(refused) = self.tools.logs.send_timeout((wish, reply), Duration::from_secs(1)) {
            let (_, reply) = refused.into_inner();
            reply(Err(Refusal::failed("The logs are busy; try again.")));
        }
    }

    fn hear_of_brokers(&mut self, news: News) {
        match news {
            News::Answered(answer, reply) => self.answer(answer, reply),
            News::Over(answer) => self.answer(answer, None),
            News::Removed(id) => {
                self.forget_faults_of(id);
            }
            News::Ended => self.brokers.ended(),
        }
    }

    pub(super) fn notify_failure(&self, refusal: Refusal) {
        self.tools.slot.notify(Notice { ok: false, text: refusal.text });
    }

    pub(super) fn tell_faults(&self) {
        // The desk waits for the monitor here: a fault that is in force must not go untold. It is never full for long.
        let _ = self.tools.words.send_timeout(Word::Faults(self.faults.list()), Duration::from_secs(1));
    }

    /// A controlled shutdown takes its time; the desk goes on meanwhile.
    pub(super) fn stop_aside(&mut self, id: NodeId, why: Why) -> Result<(), Refusal> {
        let (nodes, finished) = (self.tools.nodes.clone(), self.finished.clone());
        let run = move || drop(finished.send(Finished::Stop(id, nodes.stop(id, &why))));
        std::thread::Builder::new()
            .name(format!("stop-{id}"))
            .spawn(run)
            .map_err(|error| Refusal::failed(format!("No thread could be started: {error}.")))?;
        self.stopping.insert(id);
        Ok(())
    }

    fn finish(&mut self, finished: Finished) {
        match finished {
            Finished::Stop(id, result) => {
                self.stopping.remove(&id);
                if let Err(refusal) = result {
                    self.faults.release(id);
                    self.tell_faults();
                    self.notify_failure(refusal);
                }
                if self.start_when_stopped.remove(&id) {
                    self.start_by_itself(id, "its fault was healed");
                }
            }
            Finished::Topic(answer, reply) => {
                self.topic_requests -= 1;
                self.answer(answer, reply);
            }
        }
    }

    pub(super) fn start_node(&mut self, id: NodeId, cause: &str) -> Answer {
        if self.stopping.contains(&id) {
            return Err(faults::still_stopping(id));
        }
        let state =
            self.tools.nodes.node_state(id).ok_or_else(|| Refusal::not_found(format!("There is no node {id}.")))?;
        if matches!(state, NodeState::Running | NodeState::Starting | NodeState::Stopping) {
            // A fault on a node that runs is a fault that is over.
            self.faults.release(id);
            self.tell_faults();
            return Err(Refusal::conflict(format!("{} is {} already.", node(id), state_word(state))));
        }
        // By hand or not: it is the end of what the fault did.
        let why = Why { words: cause.into(), fault: self.faults.holding(id) };
        self.tools.nodes.start(id, &why)?;
        self.faults.release(id);
        self.tell_faults();
        Ok(Done { id: None, text: format!("{} was started.", node(id)) })
    }

    /// Each broker does it by itself; whoever asked looks how far they are.
    fn scrub(&self, broker: Option<NodeId>) -> Answer {
        let nodes = &self.tools.nodes;
        if let Some(id) = broker {
            if is_controller(id) || nodes.node_state(id).is_none() {
                return Err(Refusal::not_found(format!("There is no broker {id}.")));
            }
            nodes.scrub(id)?;
            return Ok(Done { id: None, text: format!("{} reads and checks all its logs.", node(id)) });
        }
        let runs = |id: &NodeId| !is_controller(*id) && nodes.node_state(*id) == Some(NodeState::Running);
        let brokers: Vec<NodeId> = nodes.node_ids().into_iter().filter(runs).collect();
        if brokers.is_empty() {
            return Err(Refusal::conflict("No broker runs."));
        }
        for id in &brokers {
            nodes.scrub(*id)?;
        }
        Ok(Done { id: None, text: "All brokers that run read and check all their logs.".into() })
    }

    pub(super) fn start_by_itself(&mut self, id: NodeId, cause: &str) {
        if let Err(refusal) = self.start_node(id, cause) {
            // It will not be tried again: the node stays down, and who looks is told.
            self.faults.release(id);
            self.tell_faults();
            self.notify_failure(refusal);
        }
    }

    fn request_topic(&mut self, reply: Option<Reply>, request: impl FnOnce(&str) -> Answer + Send + 'static) {
        if self.topic_requests >= TOPIC_REQUESTS_MAX {
            return self.answer(Err(Refusal::failed("Too many topic requests are under way; try again.")), reply);
        }
        let (servers, finished) = ((self.tools.bootstrap_servers)(), self.finished.clone());
        let spawned = std::thread::Builder::new()
            .name("topic-request".into())
            .spawn(move || drop(finished.send(Finished::Topic(request(&servers), reply))));
        match spawned {
            Ok(_) => self.topic_requests += 1,
            // The reply went with the closure; whoever waits for it sees it dropped.
            Err(error) => self.notify_failure(Refusal::failed(format!("No thread could be started: {error}."))),
        }
    }

    fn save(&mut self, save: Save, reply: Option<Reply>) {
        self.request_topic(reply, move |_| files::save(&save));
    }

    fn export_ledger(&mut self, wish: LedgerExport, reply: Option<Reply>) {
        let (ledger, nodes) = (self.tools.ledger.clone(), self.tools.nodes.clone());
        let slot = self.tools.slot.clone();
        self.request_topic(reply, move |_| {
            let sources = ledger_export::Sources {
                shelf: &ledger.shelf,
                facts: &ledger.facts,
                view: &slot.latest(),
                nodes: &*nodes,
                data_dir: &ledger.data_dir,
            };
            ledger_export::export(&sources, &wish)
        });
    }

    fn operate(&mut self, reply: Option<Reply>, operation: Operation) {
        if self.topic_requests >= TOPIC_REQUESTS_MAX {
            return self.answer(Err(Refusal::failed("Too many requests are under way; try again.")), reply);
        }
        let (servers, finished) = (self.tools.bootstrap_servers.clone(), self.finished.clone());
        let slot = self.tools.slot.clone();
        let run = move || {
            let (answer, throttled) = operations::perform(&servers(), &operation);
            drop(finished.send(Finished::Topic(answer, reply)));
            if let Some(throttled) = throttled {
                operations::lift_when_done(&servers, &throttled, &slot);
            }
        };
        match std::thread::Builder::new().name("operation".into()).spawn(run) {
            Ok(_) => self.topic_requests += 1,
            Err(error) => self.notify_failure(Refusal::failed(format!("No thread could be started: {error}."))),
        }
    }

    fn trace(&self, order: TraceOrder) -> Answer {
        match order {
            TraceOrder::Follow(wish) => self.tools.nodes.follow(wish),
            TraceOrder::Stop => self.tools.nodes.stop_following(),
        }
        Ok(Done { id: None, text: String::new() })
    }

    /// The answer goes into the view; to whoever waits for one it is said that it comes.
    fn inquire(&self, query: Query) -> Answer {
        let (servers, slot) = ((self.tools.bootstrap_servers)(), self.tools.slot.clone());
        if slot.ask(&query) {
            let (asked, nodes) = (query.clone(), self.tools.nodes.clone());
            let run = move || match &asked {
                Query::Quorum(wish) => slot.answer(&asked, now_ms(), quorum_log::read(&*nodes, wish)),
                Query::Tape(wish) => slot.answer(&asked, now_ms(), tape::read(&*nodes, wish)),
                Query::Trace => slot.answer(&asked, now_ms(), Ok(Arc::new(Findings::Trace(Box::new(nodes.trace()))))),
                _ => operations::answer(&servers, &asked, &slot),
            };
            if let Err(error) = std::thread::Builder::new().name("inquiry".into()).spawn(run) {
                self.tools.slot.answer(&query, now_ms(), Err(format!("No thread could be started: {error}.")));
            }
        }
        Ok(Done { id: None, text: String::new() })
    }

    fn start_workload(&mut self, spec: WorkloadSpec) -> Answer {
        let topic = spec.topic.clone();
        let id = self.tools.workloads.start(spec).map_err(|why| Refusal::invalid(sentence(&why)))?;
        self.tell_workloads();
        Ok(Done { id: Some(id), text: format!("Workload {id} writes and reads topic {topic}.") })
    }

    fn stop_workload(&mut self, id: u64) -> Answer {
        if !self.tools.workloads.stop(id) {
            return Err(Refusal::not_found(format!("There is no workload {id}.")));
        }
        self.tell_workloads();
        Ok(Done { id: Some(id), text: format!("Workload {id} is stopping.") })
    }

    /// What acts at once needs no words: it is to be seen. That clients are made anew is to be said.
    fn change_workload(&mut self, id: u64, change: &WorkloadChange) -> Answer {
        let restarts = self.tools.workloads.change(id, change).map_err(|why| not_done(id, why))?;
        self.tell_workloads();
        let text = match restarts {
            Restarts { producers: false, consumers: false } => String::new(),
            Restarts { producers: true, consumers: false } => {
                format!("The producers of workload {id} start anew with that.")
            }
            Restarts { producers: false, consumers: true } => {
                format!("The consumers of workload {id} start anew with that.")
            }
            Restarts { .. } => format!("All clients of workload {id} start anew with that."),
        };
        Ok(Done { id: Some(id), text })
    }

    fn crash_consumer(&mut self, id: u64, consumer: Option<u32>) -> Answer {
        let number = self.tools.workloads.crash(id, consumer).map_err(|why| not_done(id, why))?;
        let text =
            format!("Consumer {number} of workload {id} crashed; its group learns of it when its session times out.");
        Ok(Done { id: Some(number.into()), text })
    }

    fn revive_consumer(&mut self, id: u64, consumer: Option<u32>) -> Answer {
        self.tools.workloads.revive(id, consumer).map_err(|why| not_done(id, why))?;
        let which = consumer.map_or_else(|| "The consumers".to_owned(), |number| format!("Consumer {number}"));
        let verb = if consumer.is_some() { "starts" } else { "that crashed start" };
        Ok(Done { id: Some(id), text: format!("{which} of workload {id} {verb} again.") })
    }

    pub(super) fn tell_workloads(&mut self) {
        let statuses = self.tools.workloads.statuses();
        let _ = self.tools.words.send_timeout(Word::Workloads(statuses), Duration::from_secs(1));
    }
}

pub(super) fn not_done(id: u64, why: Option<String>) -> Refusal {
    match why {
        Some(why) => Refusal::invalid(sentence(&why)),
        None => Refusal::not_found(format!("There is no workload {id}.")),
    }
}

/// `a b` → `A b.`
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}
