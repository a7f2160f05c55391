//! A running cluster with all that belongs to it, from start to controlled stop.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use broker::cluster::{Cluster, ClusterConfig, Profile};
use broker::logging::LogLine;
use broker::metadata::report::{Event, NodeEvent};
use broker::types::NO_NODE;
use crossbeam_channel::{Receiver, Sender, bounded};

use super::data_dir::DataDir;
use super::failure::Failure;
use super::monitoring_file::{self, Keeper};
use super::ready_file::ReadyFile;
use super::signals;
use crate::cli::{ClusterArgs, ProfileArg};
use crate::http::scrapes::Scrapes;
use crate::http::{HttpServer, Sources};
use crate::ledger::Shelf;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::{Notice, WorkloadChange, WorkloadSpec};
use crate::monitor::history::{self, run::History};
use crate::monitor::logs::delivery;
use crate::monitor::logs::run::{LINES_WAITING, LogKeeper, Surroundings};
use crate::monitor::order::Orders;
use crate::monitor::run::{Monitor, REPORTS_WAITING, Word};
use crate::monitor::slot::ViewSlot;
use crate::monitor::snapshot::WorkloadStatus;
use crate::monitor::workload::Restarts;
use crate::source::desk::{Desk, LedgerTools, Tools, WorkloadRunner};
use crate::source::embedded::{self, Embedded};
use crate::source::ledger::{LedgerKeeper, SharedFacts, Surroundings as LedgerSurroundings};
use crate::source::topics::{self, TopicWish};
use crate::workload::Workloads;

/// The monitor publishes some twenty times a second; one that does not is no reason not to start.
const VIEW_PATIENCE: Duration = Duration::from_secs(5);

/// A cluster that takes no writes after this long is broken.
const READY_PATIENCE: Duration = Duration::from_secs(60);

/// How long a controlled stop waits for commands that are under way.
const COMMANDS_PATIENCE: Duration = Duration::from_secs(10);

/// How the run is to end.
type Ending = Result<(), Failure>;

/// A running cluster, its monitor, its HTTP side.
pub struct Session {
    cluster: Arc<Cluster>,
    monitor: Monitor,
    orders: Orders,
    desk: Desk,
    ledger: LedgerKeeper,
    logs: LogKeeper,
    http: HttpServer,
    history: History,
    ready: Arc<AtomicBool>,
    ready_file: Receiver<ReadyFile>,
    endings: (Sender<Ending>, Receiver<Ending>),
    /// `None`: what is temporary remembers nothing.
    keeper: Option<Keeper>,
    /// Given back last.
    _data_dir: DataDir,
}

impl WorkloadRunner for Workloads {
    fn start(&mut self, spec: WorkloadSpec) -> Result<u64, String> {
        Workloads::start(self, spec)
    }

    fn change(&mut self, id: u64, change: &WorkloadChange) -> Result<Restarts, Option<String>> {
        Workloads::change(self, id, change)
    }

    fn crash(&mut self, id: u64, consumer: Option<u32>) -> Result<u32, Option<String>> {
        Workloads::crash(self, id, consumer)
    }

    fn revive(&mut self, id: u64, consumer: Option<u32>) -> Result<(), Option<String>> {
        Workloads::revive(self, id, consumer)
    }

    fn freeze(&mut self, id: u64, producer: Option<u32>) -> Result<u32, Option<String>> {
        Workloads::freeze(self, id, producer)
    }

    fn wake(&mut self, id: u64, producer: u32) -> Result<(), Option<String>> {
        Workloads::wake(self, id, producer)
    }

    fn stop(&mut self, id: u64) -> bool {
        Workloads::stop(self, id)
    }

    fn statuses(&mut self) -> Vec<WorkloadStatus> {
        Workloads::statuses(self)
    }

    fn stop_all(&mut self, patience: Duration) {
        Workloads::stop_all(self, patience);
    }
}

fn profile(arg: ProfileArg) -> Profile {
    match arg {
        ProfileArg::Lab => Profile::Lab,
        ProfileArg::Kafka => Profile::Kafka,
        ProfileArg::Msk => Profile::Msk,
    }
}

fn no_thread(error: std::io::Error) -> Failure {
    Failure::failed(format!("a thread could not be started: {error}"))
}

impl Session {
    /// Starts everything. Clients may connect when this returns; writes are taken a moment later.
    ///
    /// # Errors
    /// Bad usage, a directory or a port in use, no threads.
    pub fn start(args: &ClusterArgs) -> Result<Session, Failure> {
        let overrides = args.overrides().map_err(Failure::usage)?;
        let ready_file = args.ready_file.as_deref().map(ReadyFile::prepare).transpose()?;
        let http = listen_http(SocketAddr::new(args.bind, args.http_port))?;
        let data_dir = if args.ephemeral { DataDir::ephemeral()? } else { DataDir::lasting(args.data_dir.as_deref())? };
        let config = ClusterConfig {
            brokers: args.brokers,
            controllers: args.controllers,
            zones: args.zones,
            log_dirs: args.log_dirs,
            data_dir: data_dir.path().to_path_buf(),
            kafka_port: args.kafka_port,
            bind: args.bind,
            profile: profile(args.profile),
            overrides,
        };
        let deliver_to = args.deliver_logs.as_deref().map(delivery::usable).transpose();
        let deliver_to = deliver_to.map_err(|refusal| Failure::usage(format!("--deliver-logs: {refusal}")))?;
        let (reports, reports_in) = bounded(REPORTS_WAITING);
        let monitor = Monitor::start(embedded::facts(&config, ""), reports_in).map_err(no_thread)?;
        let (recording, history) = history::run::start(monitor.slot()).map_err(no_thread)?;
        let _ = monitor.words().send(Word::RecordTo(recording));
        let (log_lines, log_lines_in) = bounded(LINES_WAITING);
        let cluster = Arc::new(Cluster::start(config, reports, log_lines)?);
        let logs = keep_logs(&cluster, &monitor, deliver_to, log_lines_in)?;
        if let Some(note) = cluster.note() {
            eprintln!("brokerscope: {note}");
        }
        let facts = embedded::facts(cluster.config(), cluster.cluster_id());
        // The monitor takes words as long as it lives, and it lives in this session.
        let _ = monitor.words().send(Word::Facts(facts));
        let keeper = if args.ephemeral { None } else { Some(remember(&monitor, data_dir.path())?) };
        if let Some(level) = args.monitoring_level {
            let _ = monitor.words().send(Word::Monitoring(Change::Level(level), Some(Box::new(drop))));
        }
        // Nobody is to find what is remembered missing.
        let (out, is_out) = bounded(1);
        let _ = monitor.words().send(Word::Published(out));
        let _ = is_out.recv_timeout(VIEW_PATIENCE);
        let (orders, orders_in) = Orders::new();
        let tools = tools(&cluster, &monitor, &logs);
        let ledger = LedgerSurroundings {
            shelf: tools.ledger.shelf.clone(),
            facts: tools.ledger.facts.clone(),
            node_config: embedded::facts(cluster.config(), cluster.cluster_id()).node_config,
            slot: monitor.slot(),
            orders: orders.clone(),
            nodes: tools.nodes.clone(),
        };
        let ledger = LedgerKeeper::start(ledger).map_err(no_thread)?;
        let desk = Desk::open(tools, orders_in).map_err(no_thread)?;
        let ready = Arc::new(AtomicBool::new(false));
        let scrubbed = Arc::downgrade(&cluster);
        let scrubs = Arc::new(move || scrubbed.upgrade().map(|cluster| cluster.scrubs()).unwrap_or_default());
        let sources = Sources {
            slot: monitor.slot(),
            orders: orders.clone(),
            scrubs,
            ready: ready.clone(),
            data_dir: cluster.config().data_dir.as_path().into(),
            scrapes: Scrapes::default(),
            history: history.clone(),
        };
        let http = HttpServer::start(http, sources).map_err(no_thread)?;
        let (written, written_in) = bounded(1);
        let session = Session {
            cluster,
            monitor,
            orders,
            desk,
            ledger,
            logs,
            http,
            history,
            ready,
            ready_file: written_in,
            endings: bounded(4),
            keeper,
            _data_dir: data_dir,
        };
        session.tell_when_ready(ready_file, written)?;
        Ok(session)
    }

    /// Waits aside for the cluster, then says so.
    fn tell_when_ready(&self, ready_file: Option<ReadyFile>, written: Sender<ReadyFile>) -> Result<(), Failure> {
        let (cluster, ready, endings) = (Arc::downgrade(&self.cluster), self.ready.clone(), self.endings.0.clone());
        let http = self.http_url();
        let wait = move || {
            // Held only for a moment at a time, so that a stop in between finds nobody in its way.
            let deadline = std::time::Instant::now() + READY_PATIENCE;
            let bootstrap_servers = loop {
                let Some(cluster) = cluster.upgrade() else { return };
                match cluster.wait_ready(Duration::from_millis(200)) {
                    Ok(()) => break cluster.bootstrap_servers(),
                    Err(error) if std::time::Instant::now() > deadline => {
                        let why = format!("{error}; look at {http}/api/events for the reason");
                        let _ = endings.try_send(Err(Failure::failed(why)));
                        return;
                    }
                    Err(_) => {}
                }
            };
            ready.store(true, Ordering::Release);
            println!("Brokerscope takes writes: bootstrap servers {bootstrap_servers}, HTTP {http}");
            if let Some(mut file) = ready_file {
                match file.write(&bootstrap_servers, &http) {
                    // The session removes it at its end.
                    Ok(()) => drop(written.send(file)),
                    Err(failure) => drop(endings.try_send(Err(failure))),
                }
            }
        };
        std::thread::Builder::new().name("ready".into()).spawn(wait).map(drop).map_err(no_thread)
    }

    /// Ends the run on SIGINT or SIGTERM.
    ///
    /// # Errors
    /// No thread could be had.
    pub fn stop_on_signal(&self) -> Result<(), Failure> {
        let endings = self.endings.0.clone();
        let stop = move || {
            // A full channel means that an end was asked for already.
            let _ = endings.try_send(Ok(()));
        };
        signals::on_stop(stop).map_err(|error| Failure::failed(format!("signals cannot be caught: {error}")))
    }

    /// Waits until the run is to end, and says how.
    ///
    /// # Errors
    /// Something failed that the program cannot go on without.
    pub fn wait(&self) -> Ending {
        // The session holds a sender itself.
        self.endings.1.recv().unwrap_or(Ok(()))
    }

    /// How the run ended, if something ended it.
    ///
    /// # Errors
    /// As [`Session::wait`].
    pub fn outcome(&self) -> Ending {
        self.endings.1.try_recv().unwrap_or(Ok(()))
    }

    /// Tells when the run is to end. For the window, which cannot wait.
    pub fn endings(&self) -> (Sender<Ending>, Receiver<Ending>) {
        self.endings.clone()
    }

    /// What is recorded.
    pub fn history(&self) -> History {
        self.history.clone()
    }

    /// Where views appear.
    pub fn slot(&self) -> ViewSlot {
        self.monitor.slot()
    }

    /// Where commands go.
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Whether nothing of it is kept.
    pub fn is_ephemeral(&self) -> bool {
        self.keeper.is_none()
    }

    /// `http://127.0.0.1:11001`.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http.address())
    }

    /// Set when the cluster takes writes.
    pub fn readiness(&self) -> Arc<AtomicBool> {
        self.ready.clone()
    }

    /// Whether the cluster took writes already.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Controlled stop of everything, clients first.
    pub fn end(self) {
        drop(self.ready_file.try_recv());
        self.desk.close();
        self.ledger.close();
        drop(self.http);
        embedded::shut_down(self.cluster, COMMANDS_PATIENCE);
        self.logs.close();
        drop(self.monitor);
        if let Some(keeper) = self.keeper {
            keeper.end();
        }
    }
}

/// Recalls what the last run's monitoring was, and has what changes of it kept.
fn remember(monitor: &Monitor, dir: &Path) -> Result<Keeper, Failure> {
    let (remembered, sentence) = monitoring_file::read(dir);
    let slot = monitor.slot();
    let complain = move |sentence: String| {
        eprintln!("brokerscope: {sentence}");
        slot.notify(Notice { ok: false, text: sentence });
    };
    let (keeper, views) = Keeper::start(dir, complain).map_err(no_thread)?;
    let words = monitor.words();
    let event = sentence.map(|message| {
        let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        Word::Event(NodeEvent { node_id: NO_NODE, at_ms, event: Event::Error { message } })
    });
    let recall = remembered.map(|remembered| Word::Recall(Box::new(remembered)));
    for word in event.into_iter().chain(recall).chain([Word::KeepBy(views)]) {
        // The monitor takes words as long as it lives, and it lives in this session.
        let _ = words.send(word);
    }
    Ok(keeper)
}

fn tools(cluster: &Arc<Cluster>, monitor: &Monitor, logs: &LogKeeper) -> Tools {
    let asked = Arc::downgrade(cluster);
    // Brokers come and go; whoever connects later takes those that are there then.
    let bootstrap_servers: Arc<dyn Fn() -> String + Send + Sync> =
        Arc::new(move || asked.upgrade().map(|cluster| cluster.bootstrap_servers()).unwrap_or_default());
    let servers = bootstrap_servers.clone();
    let make_topic = move |spec: &WorkloadSpec, stop: &AtomicBool| {
        let wish = TopicWish {
            name: spec.topic.clone(),
            partitions: spec.partitions,
            replication_factor: spec.replication_factor,
            configs: Vec::new(),
        };
        topics::ensure(&servers(), &wish, stop)
    };
    let embedded = Arc::new(Embedded::new(cluster.clone()));
    let ledger = LedgerTools {
        shelf: Shelf::default(),
        facts: SharedFacts::default(),
        data_dir: cluster.config().data_dir.clone(),
    };
    Tools {
        nodes: embedded.clone(),
        brokers: embedded,
        workloads: Box::new(Workloads::new(bootstrap_servers.clone(), Arc::new(make_topic), ledger.shelf.clone())),
        bootstrap_servers,
        words: monitor.words(),
        logs: logs.asked(),
        slot: monitor.slot(),
        ledger,
    }
}

/// The nodes' logs have a thread of their own.
fn keep_logs(
    cluster: &Arc<Cluster>,
    monitor: &Monitor,
    deliver_to: Option<PathBuf>,
    lines: Receiver<LogLine>,
) -> Result<LogKeeper, Failure> {
    let asked = Arc::downgrade(cluster);
    let known_logs = move || asked.upgrade().map(|cluster| embedded::known_logs(&cluster)).unwrap_or_default();
    let surroundings = Surroundings {
        dir: cluster.config().data_dir.join("logs"),
        cluster_id: cluster.cluster_id().to_owned(),
        known_logs: Box::new(known_logs),
        words: monitor.words(),
        slot: monitor.slot(),
    };
    LogKeeper::start(surroundings, deliver_to, lines).map_err(no_thread)
}

fn listen_http(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program listens there".to_string(),
            _ => error.to_string(),
        };
        Failure::failed(format!(
            "HTTP cannot listen on {address}: {why}; choose another --http-port, or 0 for a free one"
        ))
    })
}
