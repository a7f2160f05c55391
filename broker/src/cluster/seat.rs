//! A node's place in the cluster, whether or not a node sits in it just now.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::ClusterError;
use super::config::{ClusterConfig, FIRST_CONTROLLER_ID};
use crate::fault::Links;
use crate::log::RealDisk;
use crate::metadata::report::{Event, NodeEvent, NodeState, Report};
use crate::node::{Clock, Exit, NodeHandle, NodeSetup, Readiness, Role, ScrubDesk};
use crate::types::NodeId;

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
    pub(super) clock: Clock,
    pub(super) readiness: Arc<Readiness>,
}

/// One seat.
pub(super) struct Seat {
    node_id: NodeId,
    /// Client port, kept over restarts; 0 for a controller, and for a broker on a free port before its first start.
    pub(super) port: u16,
    state: NodeState,
    handle: Option<NodeHandle>,
    starts: u64,
    scrubs: Arc<ScrubDesk>,
}

impl Seat {
    pub(super) fn new(node_id: NodeId, port: u16) -> Seat {
        Seat { node_id, port, state: NodeState::Stopped, handle: None, starts: 0, scrubs: Arc::default() }
    }

    fn is_broker(&self) -> bool {
        self.node_id < FIRST_CONTROLLER_ID
    }

    /// The state, after a look whether the node ended by itself.
    pub(super) fn state(&mut self) -> NodeState {
        if let Some(handle) = &self.handle
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

    fn enter(&mut self, house: &House, state: NodeState, cause: &str) {
        self.state = state;
        let at_ms = house.clock.now().wall_ms;
        let event = Event::NodeStateChanged { state, cause: cause.to_string() };
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
    pub(super) fn start(&mut self, house: &House, cause: &str) -> Result<(), ClusterError> {
        match self.state() {
            NodeState::Paused => {
                if let Some(handle) = &self.handle {
                    handle.resume();
                }
                self.enter(house, NodeState::Running, cause);
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
        self.starts += 1;
        self.enter(house, NodeState::Starting, cause);
        house.readiness.forget(self.node_id);
        let setup = NodeSetup {
            role,
            config,
            disk: RealDisk::new(),
            network: house.links.clone(),
            inbox: house.links.plug_in(self.node_id),
            reports: house.reports.clone(),
            clock: house.clock,
            readiness: house.readiness.clone(),
            scrubs: self.scrubs.clone(),
            seed: rand::random::<u64>(),
        };
        match NodeHandle::spawn(setup) {
            Ok(handle) => {
                self.handle = Some(handle);
                self.enter(house, NodeState::Running, cause);
                Ok(())
            }
            Err(source) => {
                house.links.unplug(self.node_id);
                self.enter(house, NodeState::Killed, "no thread could be started");
                Err(ClusterError::Spawn { node_id: self.node_id, source })
            }
        }
    }

    /// Asks a running node to stop politely; `finish_stop` waits for it.
    pub(super) fn begin_stop(&mut self, house: &House, cause: &str) -> Result<(), ClusterError> {
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
        self.enter(house, NodeState::Stopping, cause);
        if let Some(handle) = &self.handle {
            handle.stop();
        }
        Ok(())
    }

    /// Waits for a stop that was begun; a node that does not end is killed.
    pub(super) fn finish_stop(&mut self, house: &House) {
        let Some(handle) = self.handle.take() else { return };
        let (state, cause) = match handle.wait(STOP_PATIENCE) {
            Some(Exit::Stopped) => (NodeState::Stopped, "controlled shutdown is complete".to_string()),
            Some(Exit::Failed(reason)) => (NodeState::Killed, reason),
            Some(Exit::Killed) => (NodeState::Killed, "killed while it was stopping".to_string()),
            None => {
                handle.kill();
                handle.wait(KILL_PATIENCE);
                (NodeState::Killed, format!("not stopped within {} s", STOP_PATIENCE.as_secs()))
            }
        };
        house.links.unplug(self.node_id);
        house.readiness.forget(self.node_id);
        self.enter(house, state, &cause);
    }

    /// Kills a node that runs, is paused, or is stopping.
    pub(super) fn kill(&mut self, house: &House, cause: &str) -> Result<(), ClusterError> {
        let state = self.state();
        let Some(handle) = self.handle.take().filter(|_| state != NodeState::Killed) else {
            return Err(self.refuse("killed"));
        };
        handle.kill();
        house.links.unplug(self.node_id);
        house.readiness.forget(self.node_id);
        handle.wait(KILL_PATIENCE);
        self.enter(house, NodeState::Killed, cause);
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

    /// Blocks the node's thread.
    pub(super) fn pause(&mut self, house: &House, cause: &str) -> Result<(), ClusterError> {
        if self.state() != NodeState::Running {
            return Err(self.refuse("paused"));
        }
        if let Some(handle) = &self.handle {
            handle.pause();
        }
        self.enter(house, NodeState::Paused, cause);
        Ok(())
    }
}
