//! A node's place in the cluster, whether or not a node sits in it just now.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::ClusterError;
use super::config::{ClusterConfig, FIRST_CONTROLLER_ID};
use super::remembered::Place;
use crate::fault::{Damage, Drive, Links, Parting, Plug, Tail, corrupt_tails};
use crate::logging::{LogLine, NodeLog};
use crate::metadata::config::NodeConfig;
use crate::metadata::report::{Event, NodeEvent, NodeState, Report, Why};
use crate::node::{Clock, Exit, NodeHandle, NodeSetup, Readiness, Role, ScrubDesk};
use crate::server::trace::TraceDesk;
use crate::types::{Id, NodeId};

/// A controlled shutdown that takes longer is ended by a kill.
const STOP_PATIENCE: Duration = Duration::from_secs(8);

/// A killed thread ends after the event it is at; longer only if the disk hangs.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// What all seats share.
pub(super) struct House {
    pub(super) config: ClusterConfig,
    pub(super) cluster_id: String,
    pub(super) links: Arc<Links>,
    pub(super) reports: Sender<Report>,
    pub(super) log_lines: Sender<LogLine>,
    pub(super) clock: Clock,
    pub(super) readiness: Arc<Readiness>,
    /// One for all nodes.
    pub(super) trace: Arc<TraceDesk>,
    /// The controllers, and whether the metadata log says which of them vote.
    controllers: Mutex<(Vec<NodeId>, bool)>,
    /// Of each node that was started, that of its last start.
    logs: Mutex<BTreeMap<NodeId, NodeLog>>,
}

impl House {
    pub(super) fn new(
        config: ClusterConfig,
        cluster_id: String,
        reports: Sender<Report>,
        log_lines: Sender<LogLine>,
    ) -> House {
        House {
            config,
            cluster_id,
            links: Arc::new(Links::default()),
            reports,
            log_lines,
            clock: Clock::start(),
            readiness: Arc::new(Readiness::default()),
            trace: Arc::default(),
            controllers: Mutex::default(),
            logs: Mutex::default(),
        }
    }

    pub(super) fn set_controllers(&self, ids: Vec<NodeId>, is_dynamic: bool) {
        *self.controllers.lock().unwrap_or_else(PoisonError::into_inner) = (ids, is_dynamic);
    }

    /// A log for a node that starts; its levels are Kafka's, whatever they were before.
    fn log_of(&self, node_id: NodeId, clock: &Clock) -> NodeLog {
        let clock = clock.clone();
        let log = NodeLog::new(node_id, self.log_lines.clone(), move || clock.now().wall_ms);
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).insert(node_id, log.clone());
        log
    }

    /// The logs of all nodes that were ever started.
    pub(super) fn logs(&self) -> BTreeMap<NodeId, NodeLog> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// With whom a node starts: the voters of its configuration where the log names none, and whom to ask in any case.
    fn with_controllers(&self, config: NodeConfig) -> NodeConfig {
        let (ids, is_dynamic) = self.controllers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let config = config.with_controllers(ids);
        if is_dynamic { config.with_voters(Vec::new()) } else { config }
    }
}

/// A stop that is under way.
pub(super) struct Stop {
    handle: Option<Arc<NodeHandle>>,
}

impl Stop {
    /// Waits for the node's end, but not for ever. The seat must not be held meanwhile: the node may be killed.
    pub(super) fn wait(&self) {
        if let Some(handle) = &self.handle {
            handle.wait(STOP_PATIENCE);
        }
    }
}

/// One seat.
pub(super) struct Seat {
    node_id: NodeId,
    /// Client port, kept over restarts; 0 for a controller, and for a broker on a free port before its first start.
    pub(super) port: u16,
    /// Its zone, where that is not the one that its number gives it.
    rack: Option<String>,
    state: NodeState,
    /// Of its last start; zero before the first.
    incarnation: Id,
    handle: Option<Arc<NodeHandle>>,
    plug: Option<Arc<Plug>>,
    /// What stays when the node dies: its disk and its clock, with what is wrong with them.
    pub(super) drive: Drive,
    pub(super) clock: Clock,
    scrubs: Arc<ScrubDesk>,
}

impl Seat {
    pub(super) fn new(node_id: NodeId, port: u16, house: &House) -> Seat {
        Seat {
            node_id,
            port,
            rack: None,
            state: NodeState::Stopped,
            incarnation: Id::ZERO,
            handle: None,
            plug: None,
            drive: Drive::new(house.config.kept_dir(node_id)),
            clock: house.clock.another(),
            scrubs: Arc::default(),
        }
    }

    /// For a broker that is new, or is remembered to be at that place.
    pub(super) fn renew(&mut self, house: &House, place: &Place) -> Result<(), ClusterError> {
        let port = house.config.port_of(self.node_id, place)?;
        *self = Seat { rack: place.rack.clone(), scrubs: self.scrubs.clone(), ..Seat::new(self.node_id, port, house) };
        Ok(())
    }

    fn is_broker(&self) -> bool {
        self.node_id < FIRST_CONTROLLER_ID
    }

    /// The state, after a look whether the node ended by itself. How a stop ended is told by who waits for it.
    pub(super) fn state(&mut self) -> NodeState {
        if let Some(handle) = &self.handle
            && self.state != NodeState::Stopping
            && handle.wait(Duration::ZERO).is_some()
        {
            self.handle = None;
            self.state = NodeState::Killed;
        }
        self.state
    }

    fn refuse(&self, wish: &'static str) -> ClusterError {
        let state = match self.state {
            NodeState::Starting => "starting",
            NodeState::Running => "running",
            NodeState::Stopping => "stopping",
            NodeState::Stopped => "stopped",
            NodeState::Killed => "killed",
            NodeState::Paused => "paused",
        };
        ClusterError::WrongState { node_id: self.node_id, state, wish }
    }

    fn enter(&mut self, house: &House, state: NodeState, why: &Why) {
        self.state = state;
        let at_ms = house.clock.now().wall_ms;
        let event = Event::NodeStateChanged { state, incarnation: self.incarnation, cause: why.clone() };
        // Whoever watches may be gone, and a channel that is full for a second is nobody's reason to fail a start or a stop.
        let patience = Duration::from_secs(1);
        let _ = house.reports.send_timeout(Report::Lifecycle { node_id: self.node_id, state, at_ms }, patience);
        let _ = house.reports.send_timeout(Report::Event(NodeEvent { node_id: self.node_id, at_ms, event }), patience);
    }

    /// Binds the broker's port; the first bind of a free port settles it.
    fn listen(&mut self, bind: IpAddr) -> Result<TcpListener, ClusterError> {
        let address = SocketAddr::new(bind, self.port);
        let failed = |source| ClusterError::Listen { node_id: self.node_id, address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        self.port = listener.local_addr().map_err(failed)?.port();
        Ok(listener)
    }

    /// Starts the node, or resumes it if it is paused.
    pub(super) fn start(&mut self, house: &House, why: &Why) -> Result<(), ClusterError> {
        match self.state() {
            NodeState::Paused => {
                if let Some(handle) = &self.handle {
                    handle.resume();
                }
                self.enter(house, NodeState::Running, why);
                return Ok(());
            }
            NodeState::Stopped | NodeState::Killed => {}
            NodeState::Starting | NodeState::Running | NodeState::Stopping => return Err(self.refuse("started")),
        }
        let role = match self.is_broker() {
            true => Role::Broker { listener: self.listen(house.config.bind)? },
            false => Role::Controller,
        };
        let config = house.config.node(self.node_id, &house.cluster_id, self.port)?;
        let mut config = house.with_controllers(config);
        if let Some(rack) = &self.rack {
            config = config.with_rack(Some(rack.clone()));
        }
        config = config.with_log(house.log_of(self.node_id, &self.clock));
        self.incarnation = Id::random(&mut rand::rng());
        self.enter(house, NodeState::Starting, why);
        house.readiness.forget(self.node_id);
        let (plug, inbox) = house.links.plug_in(self.node_id);
        let setup = NodeSetup {
            role,
            config,
            disk: Arc::new(self.drive.mount()),
            network: plug.clone(),
            inbox,
            clients: house.links.to_clients(self.node_id),
            reports: house.reports.clone(),
            clock: self.clock.clone(),
            readiness: house.readiness.clone(),
            scrubs: self.scrubs.clone(),
            trace: house.trace.clone(),
            incarnation: self.incarnation,
            seed: rand::random::<u64>(),
        };
        match NodeHandle::spawn(setup) {
            Ok(handle) => {
                self.handle = Some(Arc::new(handle));
                self.plug = Some(plug);
                self.enter(house, NodeState::Running, why);
                Ok(())
            }
            Err(source) => {
                self.enter(house, NodeState::Killed, &"no thread could be started".into());
                Err(ClusterError::Spawn { node_id: self.node_id, source })
            }
        }
    }

    /// Asks a running node to stop politely; [`Stop::wait`] waits for it, then `finish_stop` is to be called.
    pub(super) fn begin_stop(&mut self, house: &House, why: &Why) -> Result<Stop, ClusterError> {
        match self.state() {
            NodeState::Running => {}
            // A stopped process cannot shut down politely; SIGTERM waits until SIGCONT, so do both.
            NodeState::Paused => {
                if let Some(handle) = &self.handle {
                    handle.resume();
                }
            }
            _ => return Err(self.refuse("stopped")),
        }
        self.enter(house, NodeState::Stopping, why);
        if let Some(handle) = &self.handle {
            handle.stop();
        }
        Ok(Stop { handle: self.handle.clone() })
    }

    /// Ends a stop that was waited for; a node that did not end is killed. Nothing is left to do if it was killed meanwhile.
    pub(super) fn finish_stop(&mut self, house: &House, stop: &Stop) {
        let Some(stopping) = &stop.handle else { return };
        let Some(handle) = self.handle.take_if(|handle| Arc::ptr_eq(handle, stopping)) else { return };
        let (state, cause) = match handle.wait(Duration::ZERO) {
            Some(Exit::Stopped) => (NodeState::Stopped, "controlled shutdown is complete".to_string()),
            Some(Exit::Failed(reason)) => (NodeState::Killed, reason),
            Some(Exit::Killed) => (NodeState::Killed, "killed while it was stopping".to_string()),
            None => {
                handle.kill();
                handle.wait(KILL_PATIENCE);
                (NodeState::Killed, format!("not stopped within {} s", STOP_PATIENCE.as_secs()))
            }
        };
        self.pull_plug(Parting::Reset);
        house.readiness.forget(self.node_id);
        self.enter(house, state, &cause.into());
    }

    /// Kills a node that runs, is paused, or is stopping.
    pub(super) fn kill(&mut self, house: &House, why: &Why) -> Result<(), ClusterError> {
        self.end(house, Parting::Reset, why)
    }

    /// Before anything else it leaves the network, so that nobody hears how a dying node finds its disk gone.
    fn end(&mut self, house: &House, parting: Parting, why: &Why) -> Result<(), ClusterError> {
        let state = self.state();
        let Some(handle) = self.handle.take().filter(|_| state != NodeState::Killed) else {
            return Err(self.refuse("killed"));
        };
        self.pull_plug(parting);
        handle.kill();
        house.readiness.forget(self.node_id);
        handle.wait(KILL_PATIENCE);
        self.enter(house, NodeState::Killed, why);
        Ok(())
    }

    /// Where its broker is asked for a scrub.
    pub(super) fn scrubs(&self) -> Arc<ScrubDesk> {
        self.scrubs.clone()
    }

    /// Asks the broker for a scrub, if it runs.
    pub(super) fn scrub(&mut self, house: &House) -> Result<(), ClusterError> {
        match self.state() {
            NodeState::Running => {
                self.scrubs.ask(house.clock.now().wall_ms);
                Ok(())
            }
            _ => Err(self.refuse("scrubbed")),
        }
    }

    /// Kills the node if it lives, then takes from its disk what was not synced: of some files all of it, of some a part.
    pub(super) fn power_loss(&mut self, house: &House, seed: u64, why: &Why) -> Result<(), ClusterError> {
        self.state();
        if self.handle.is_some() {
            self.end(house, Parting::Silence, why)?;
        }
        let mut rng = StdRng::seed_from_u64(seed);
        let survive = |bytes: u64| if rng.random_bool(0.5) { 0 } else { rng.random_range(0..=bytes) };
        let failed =
            |source| ClusterError::Files { node_id: self.node_id, wish: "put back to what was synced", source };
        self.drive.power_loss(survive).map_err(failed)
    }

    /// Damages the ends of logs of a node that is down.
    pub(super) fn corrupt_tails(
        &mut self,
        log_dirs: &[PathBuf],
        damage: Damage,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Tail>, ClusterError> {
        if self.state() != NodeState::Killed && self.state != NodeState::Stopped {
            return Err(self.refuse("given a corrupt log"));
        }
        let corrupt = |dir: &PathBuf| corrupt_tails(Path::new(dir), damage, chosen);
        let tails = log_dirs.iter().map(corrupt).collect::<std::io::Result<Vec<_>>>();
        let failed = |source| ClusterError::Files { node_id: self.node_id, wish: "damaged", source };
        Ok(tails.map_err(failed)?.concat())
    }

    fn pull_plug(&mut self, parting: Parting) {
        if let Some(plug) = self.plug.take() {
            plug.pull(parting);
        }
    }

    /// Blocks the node's thread.
    pub(super) fn pause(&mut self, house: &House, why: &Why) -> Result<(), ClusterError> {
        if self.state() != NodeState::Running {
            return Err(self.refuse("paused"));
        }
        if let Some(handle) = &self.handle {
            handle.pause();
        }
        self.enter(house, NodeState::Paused, why);
        Ok(())
    }
}
