//! Starting a node's thread, and the wishes one may have about it: run, pause, stop, kill.

use std::net::TcpListener;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::{Notify, watch};

use super::idle::Sleep;
use super::{ClientLine, Clock, Inbox, Network, NodeDisk, Readiness, ScrubDesk, broker_node, controller_node};
use crate::logging::{Logger, NodeLog};
use crate::metadata::config::NodeConfig;
use crate::metadata::report::{Event, NodeEvent, NodeState, Report};
use crate::server::trace::TraceDesk;
use crate::types::{Id, NodeId};

/// Stack of a node's thread; request handling is flat.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// What a node is.
#[derive(Debug)]
pub enum Role {
    /// A broker, with the socket that clients connect to.
    Broker {
        /// Bound and listening.
        listener: TcpListener,
    },
    /// A controller; no client reaches it.
    Controller,
}

/// A node's surroundings, all handed in.
pub struct NodeSetup {
    /// What it is.
    pub role: Role,
    /// Its configuration.
    pub config: NodeConfig,
    /// Its disk; fenced when the node is killed.
    pub disk: Arc<dyn NodeDisk>,
    /// The way to other nodes.
    pub network: Arc<dyn Network>,
    /// The way from other nodes.
    pub inbox: Inbox,
    /// How its line to clients is.
    pub clients: watch::Receiver<ClientLine>,
    /// Where it publishes.
    pub reports: Sender<Report>,
    /// Its time.
    pub clock: Clock,
    /// Where it tells that it takes part.
    pub readiness: Arc<Readiness>,
    /// Where it is asked for a scrub.
    pub scrubs: Arc<ScrubDesk>,
    /// Where it tells of a batch that somebody follows.
    pub trace: Arc<TraceDesk>,
    /// Which start of the node this is; a broker registers with it.
    pub incarnation: Id,
    /// Source of its random numbers.
    pub seed: u64,
}

/// How a node's thread ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Politely.
    Stopped,
    /// Dropped where it stood.
    Killed,
    /// It could not go on; one sentence.
    Failed(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    Run,
    Pause,
    Stop,
    Kill,
}

/// Shared between a node's thread and whoever commands it.
pub(super) struct Control {
    wish: Mutex<Wish>,
    blocked: Condvar,
    changed: Notify,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, Wish> {
        // A wish is a plain value: it is whole even if a thread panicked while it held the lock.
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, wish: Wish) {
        let mut current = self.lock();
        // Nothing brings back a node that is to die; a stop may still become a kill.
        if *current != Wish::Kill && (*current != Wish::Stop || wish == Wish::Kill) {
            *current = wish;
        }
        drop(current);
        self.blocked.notify_all();
        self.changed.notify_one();
    }

    fn is_killed(&self) -> bool {
        *self.lock() == Wish::Kill
    }

    /// Waits for a wish to be looked at.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The wish in force. Blocks the calling thread, with all its sockets and timers, as long as that is to pause.
    pub(super) fn obey(&self) -> Wish {
        let mut wish = self.lock();
        while *wish == Wish::Pause {
            wish = self.blocked.wait(wish).unwrap_or_else(PoisonError::into_inner);
        }
        *wish
    }
}

/// Where a thread leaves how it ended, for all who wait.
#[derive(Default)]
struct ExitSlot {
    exit: Mutex<Option<Exit>>,
    ended: Condvar,
}

impl ExitSlot {
    /// The first word counts.
    fn put(&self, exit: Exit) {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(exit);
        self.ended.notify_all();
    }

    fn wait(&self, timeout: Duration) -> Option<Exit> {
        let exit = self.exit.lock().unwrap_or_else(PoisonError::into_inner);
        let (exit, _) =
            self.ended.wait_timeout_while(exit, timeout, |exit| exit.is_none()).unwrap_or_else(PoisonError::into_inner);
        exit.clone()
    }
}

/// Leaves the network and tells how the thread ended, also if it panicked.
struct Ending {
    slot: Arc<ExitSlot>,
    network: Arc<dyn Network>,
    node_id: NodeId,
    failure: FailureLog,
}

impl Ending {
    fn tell(&self, exit: Exit) {
        self.network.hang_up();
        self.slot.put(exit);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let reason = format!("node {} panicked", self.node_id);
        if std::thread::panicking() {
            self.failure.tell(&reason);
        }
        self.tell(Exit::Failed(reason));
    }
}

/// Where a node's log tells what it died of.
#[derive(Clone)]
struct FailureLog {
    log: NodeLog,
    logger: Logger,
    prefix: String,
}

impl FailureLog {
    fn of(setup: &NodeSetup) -> FailureLog {
        let (logger, what) = match setup.role {
            Role::Broker { .. } => (Logger::BrokerServer, "BrokerServer"),
            Role::Controller => (Logger::ControllerServer, "ControllerServer"),
        };
        FailureLog { log: setup.config.log.clone(), logger, prefix: format!("[{what} id={}]", setup.config.node_id) }
    }

    fn tell(&self, reason: &str) {
        self.log.fatal(self.logger, || format!("{} Fatal error: {reason}", self.prefix));
    }
}

/// A running node.
pub struct NodeHandle {
    control: Arc<Control>,
    disk: Arc<dyn NodeDisk>,
    log: NodeLog,
    exit: Arc<ExitSlot>,
}

impl NodeHandle {
    /// Starts the node's thread.
    ///
    /// # Errors
    /// The operating system gave no thread or no event loop.
    pub fn spawn(setup: NodeSetup) -> std::io::Result<NodeHandle> {
        let (node_id, incarnation) = (setup.config.node_id, setup.incarnation);
        let control =
            Arc::new(Control { wish: Mutex::new(Wish::Run), blocked: Condvar::new(), changed: Notify::new() });
        let exit_slot = Arc::new(ExitSlot::default());
        let disk = Arc::clone(&setup.disk);
        let log = setup.config.log.clone();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let sleep = Sleep::watch(runtime.enable_all());
        let runtime = runtime.build()?;
        let (thread_control, thread_exit) = (Arc::clone(&control), Arc::clone(&exit_slot));
        let name = match setup.role {
            Role::Broker { .. } => format!("broker-{node_id}"),
            Role::Controller => format!("controller-{node_id}"),
        };
        std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || {
            let failure = FailureLog::of(&setup);
            let network = Arc::clone(&setup.network);
            let ending = Ending { slot: thread_exit, network, node_id, failure: failure.clone() };
            let local = tokio::task::LocalSet::new();
            let (reports, clock, scrubs) = (setup.reports.clone(), setup.clock.clone(), setup.scrubs.clone());
            let killed = thread_control.clone();
            let exit = match setup.role {
                Role::Broker { .. } => {
                    runtime.block_on(local.run_until(broker_node::run(setup, thread_control, sleep)))
                }
                Role::Controller => runtime.block_on(local.run_until(controller_node::run(setup, thread_control))),
            };
            // Its disk was fenced first: what it says of that is no failure of its own.
            let exit = if killed.is_killed() { Exit::Killed } else { exit };
            // Tasks and sockets end here, wherever they stand.
            drop(local);
            runtime.shutdown_background();
            scrubs.clear();
            if let Exit::Failed(reason) = &exit {
                failure.tell(reason);
                tell_failure(&reports, (node_id, incarnation), clock.now().wall_ms, reason);
            }
            ending.tell(exit);
        })?;
        Ok(NodeHandle { control, disk, log, exit: exit_slot })
    }

    /// Controlled shutdown; [`NodeHandle::wait`] tells the end.
    pub fn stop(&self) {
        self.control.set(Wish::Stop);
    }

    /// SIGKILL: nothing is flushed, closed politely or announced, and nothing of this node is written from here on.
    pub fn kill(&self) {
        self.log.end();
        self.disk.fence();
        self.control.set(Wish::Kill);
    }

    /// SIGSTOP: the thread blocks; sockets accept (the kernel does), nobody answers.
    pub fn pause(&self) {
        self.control.set(Wish::Pause);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.control.set(Wish::Run);
    }

    /// Waits for the thread's end. `None`: it goes on.
    pub fn wait(&self, timeout: Duration) -> Option<Exit> {
        self.exit.wait(timeout)
    }
}

/// A node that ends by itself is as good as killed.
fn tell_failure(reports: &Sender<Report>, (node_id, incarnation): (NodeId, Id), at_ms: i64, reason: &str) {
    let state = NodeState::Killed;
    let event = |event| Report::Event(NodeEvent { node_id, at_ms, event });
    for report in [
        event(Event::Error { message: reason.to_string() }),
        Report::Lifecycle { node_id, state, at_ms },
        event(Event::NodeStateChanged { state, incarnation, cause: reason.into() }),
    ] {
        // If nobody takes it within a second, nobody watches.
        let _ = reports.send_timeout(report, Duration::from_secs(1));
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        // A cluster that is dropped leaves no thread behind.
        self.control.set(Wish::Kill);
    }
}
