//! A broker's thread: listener, connections, inbox, timer, reports. The core is called from one task at a time, never across an await.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::admission::Admission;
use super::connection::{self, Outgoing, Sent};
use super::controller_node::wait_for;
use super::handle::{Control, Wish};
use super::idle::Sleep;
use super::outlet::Outlet;
use super::process_io::disk_bytes;
use super::slow_line::Line;
use super::{Clock, Delivered, Exit, Inbox, Network, NodeSetup, Readiness, Role, ScrubDesk, stopwatch};
use crate::logging::{Level, Logger, NodeLog};
use crate::metadata::config::NodeConfig;
use crate::metadata::report::{Event, Report};
use crate::quota::Verdict;
use crate::server::Broker;
use crate::server::context::ConnId;
use crate::types::NodeId;

/// At most 20 reports a second.
const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// Messages taken per wake-up before timers and wishes are looked at again.
const BATCH_MAX: usize = 256;

/// How long a controlled shutdown may take before the broker goes anyway.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// After `accept` failed (no file descriptors left, say), wait before trying again.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Connections that are over their address's quota and wait to be closed.
const HELD_MAX: usize = 1_000;

fn millis(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The core with its connections.
pub(super) struct Shell {
    node_id: NodeId,
    broker: RefCell<Broker>,
    connections: RefCell<HashMap<ConnId, Rc<Outgoing>>>,
    admission: RefCell<Admission>,
    held: Cell<usize>,
    pub(super) request_max_bytes: usize,
    network: Arc<dyn Network>,
    /// To clients.
    pub(super) line: Line,
    outlet: Outlet,
    log: NodeLog,
    readiness: Arc<Readiness>,
    scrubs: Arc<ScrubDesk>,
    ready: Cell<bool>,
    clock: Clock,
    /// The deadline that the main loop sleeps until.
    armed: Cell<Option<Duration>>,
    rearm: Notify,
    sleep: Arc<Sleep>,
}

impl Shell {
    /// A client connected.
    pub(super) fn opened(&self, conn: ConnId, peer: SocketAddr, outgoing: Rc<Outgoing>) {
        self.log.debug(Logger::Acceptor, || format!("Accepted a connection from {peer}, number {conn}."));
        self.connections.borrow_mut().insert(conn, outgoing);
        self.broker.borrow_mut().on_connect(self.clock.now(), conn, peer);
    }

    /// A client is gone, or was sent away for `fault`.
    pub(super) fn closed(&self, conn: ConnId, peer: SocketAddr, fault: Option<String>) {
        self.connections.borrow_mut().remove(&conn);
        self.admission.borrow_mut().leave(peer.ip());
        let mut broker = self.broker.borrow_mut();
        broker.metrics.network.disconnected();
        broker.on_disconnect(self.clock.now(), conn);
        drop(broker);
        let level = if fault.is_some() { Level::Warn } else { Level::Debug };
        self.log.write(Logger::Processor, level, || match &fault {
            Some(reason) => format!("Unexpected data from {peer}, so that connection {conn} is closed: {reason}"),
            None => format!("Connection {conn} from {peer} has ended."),
        });
        if let Some(reason) = fault {
            self.rejected(peer.to_string(), reason);
        }
        self.flush();
    }

    fn rejected(&self, peer: String, reason: String) {
        self.outlet.events(self.clock.now(), [Event::ConnectionRejected { peer, reason }]);
    }

    /// So many bytes came out of a socket.
    pub(super) fn read(&self, bytes: usize) {
        self.broker.borrow_mut().metrics.network.read(bytes);
    }

    /// A whole frame is there, and has been since `arrived`.
    pub(super) fn frame(&self, conn: ConnId, outgoing: &Outgoing, host: IpAddr, frame: Bytes, arrived: Duration) {
        let seq = outgoing.take();
        let mut broker = self.broker.borrow_mut();
        let begun = stopwatch();
        broker.metrics.network.request();
        broker.on_client_frame(self.clock.now(), conn, seq, host, frame);
        drop(broker);
        let worked = stopwatch();
        outgoing.enter(arrived, begun, worked);
        self.flush_at(worked);
    }

    /// A request is done with.
    pub(super) fn sent(&self, conn: ConnId, sent: &Sent) {
        if let Some(logged) = &sent.logged {
            self.log.debug(Logger::RequestLogger, || logged.line(&sent.answered, &sent.stations.parts()));
        }
        let mut broker = self.broker.borrow_mut();
        broker.metrics.requests.done(&sent.answered, &sent.stations);
        broker.connections.done(conn, &sent.answered, &sent.stations, sent.size_bytes);
        if broker.trace.is_following() {
            broker.trace.sent(self.node_id, conn, sent.seq, &sent.stations);
        }
        if sent.size_bytes > 0 {
            broker.metrics.network.written(sent.size_bytes);
        }
    }

    /// Carries out what the core wants sent.
    fn flush(&self) {
        self.flush_at(stopwatch());
    }

    /// The same; what is to be answered was ready at that time.
    fn flush_at(&self, ready_at: Duration) {
        let mut broker = self.broker.borrow_mut();
        let outbox = std::mem::take(&mut broker.out);
        let events = std::mem::take(&mut broker.events);
        if broker.trace.is_following() {
            broker.trace_progress(ready_at);
        }
        let now = self.clock.now();
        for (to, message) in outbox.peer {
            self.network.send(to, message);
        }
        let connections = self.connections.borrow();
        for response in outbox.responses {
            if let Some(outgoing) = connections.get(&response.conn) {
                outgoing.mute(response.answered.muted_for);
                outgoing.put(response, ready_at);
            }
        }
        for (conn, reason) in outbox.closes {
            if let Some(outgoing) = connections.get(&conn) {
                outgoing.close();
                self.rejected(format!("connection {conn}"), reason);
            }
        }
        self.outlet.events(now, events);
        self.tell_readiness(&broker);
        let deadline = broker.next_deadline();
        if deadline != self.armed.get() {
            self.armed.set(deadline);
            self.rearm.notify_one();
        }
    }

    /// A broker that was ready stays so until it is fenced: an election on its way does not make a cluster unready.
    fn tell_readiness(&self, broker: &Broker) {
        let ready = if self.ready.get() { broker.takes_part() } else { broker.is_ready() };
        if self.ready.replace(ready) != ready {
            self.readiness.tell(self.node_id, ready);
        }
    }

    /// What the quotas of new connections say.
    fn rate(&self, address: IpAddr) -> Verdict {
        let mut broker = self.broker.borrow_mut();
        let limit = broker.config.i32("max.connection.creation.rate");
        let now_ms = u64::try_from(self.clock.now().mono.as_millis()).unwrap_or(u64::MAX);
        broker.quotas.connections.open(address, limit, now_ms)
    }

    /// Closes a connection that is over its address's quota after a while. Too many at once are closed at once.
    fn hold(self: Rc<Shell>, stream: TcpStream, delay_ms: i32) {
        if self.held.get() >= HELD_MAX {
            return;
        }
        self.held.set(self.held.get() + 1);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(delay_ms)).await;
            drop(stream);
            self.held.set(self.held.get() - 1);
        });
    }

    async fn accept(self: Rc<Shell>, listener: TcpListener) {
        let mut next_conn: ConnId = 0;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // The kernel has answered already; over a line that is cut, nobody else does.
                    self.line.passable().await;
                    match self.rate(peer.ip()) {
                        Verdict::Take { delay_ms } if delay_ms > 0 => {
                            self.log.debug(Logger::ConnectionQuotas, || {
                                format!("Quota violated for sensor (ConnectionAcceptRate). Delay time: {delay_ms} ms")
                            });
                            self.broker.borrow_mut().metrics.network.accept_throttled(millis(delay_ms));
                            tokio::time::sleep(millis(delay_ms)).await;
                        }
                        Verdict::Take { .. } => {}
                        Verdict::Close { delay_ms } => {
                            self.log.debug(Logger::Acceptor, || {
                                format!(
                                    "{} opens too many connections: this one is closed in {delay_ms} ms.",
                                    peer.ip()
                                )
                            });
                            self.broker.borrow_mut().metrics.network.ip_throttled(millis(delay_ms));
                            self.clone().hold(stream, delay_ms);
                            continue;
                        }
                    }
                    let admitted = self.admission.borrow_mut().admit(&self.broker.borrow().config, peer.ip());
                    if let Err(reason) = admitted {
                        self.log
                            .info(Logger::Acceptor, || format!("Rejected connection from {}: {reason}.", peer.ip()));
                        self.rejected(peer.to_string(), reason);
                        continue;
                    }
                    next_conn += 1;
                    tokio::task::spawn_local(connection::serve(self.clone(), next_conn, stream, peer));
                }
                Err(error) => {
                    let message = format!("accepting a connection failed: {error}");
                    self.log.error(Logger::Acceptor, || message.clone());
                    self.outlet.events(self.clock.now(), [Event::Error { message }]);
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn take_messages(&self, first: Delivered, inbox: &mut Inbox) {
        let now = self.clock.now();
        let mut broker = self.broker.borrow_mut();
        broker.on_peer_message_since(now, first.from, first.message, first.arrived);
        for _ in 1..BATCH_MAX {
            let Ok(next) = inbox.try_recv() else { break };
            broker.on_peer_message_since(now, next.from, next.message, next.arrived);
        }
    }

    /// Begins a scrub that was asked for, and tells of one that runs.
    fn scrub(&self) {
        if self.scrubs.take_request() {
            self.broker.borrow_mut().replicas.start_scrub(self.clock.now());
            self.flush();
        }
        if self.scrubs.is_watched()
            && let Some(progress) = self.broker.borrow().replicas.scrub_progress()
        {
            self.scrubs.tell(progress);
        }
    }

    fn report(&self) {
        if self.outlet.has_room() {
            let ready = self.connections.borrow().values().map(|outgoing| outgoing.ready()).sum();
            self.broker.borrow_mut().metrics.network.tell(self.sleep.so_far(), ready);
            let report = self.broker.borrow_mut().report(self.clock.now());
            if let Some(report) = report {
                self.outlet.state(Report::Broker(Arc::new(report)));
            }
            let metrics = self.broker.borrow_mut().metrics_report(self.clock.now());
            if let Some(metrics) = metrics {
                self.outlet.state(Report::Metrics(Arc::new(metrics)));
            }
            let connections = self.broker.borrow_mut().connections.report(self.node_id, self.clock.now());
            if let Some(connections) = connections {
                self.outlet.state(Report::Connections(Arc::new(connections)));
            }
        }
    }
}

/// What the log tells of the broker's start and end.
struct Words<'a> {
    log: &'a NodeLog,
    node_id: NodeId,
}

impl Words<'_> {
    fn server(&self, message: &str) {
        self.log.info(Logger::BrokerServer, || format!("[BrokerServer id={}] {message}", self.node_id));
    }

    fn status(&self, from: &str, to: &str) {
        self.server(&format!("Transition from {from} to {to}"));
    }

    fn sockets(&self, message: &str) {
        let id = self.node_id;
        self.log.info(Logger::SocketServer, || format!("[SocketServer listenerType=BROKER, nodeId={id}] {message}"));
    }

    fn listener(&self, config: &NodeConfig) {
        self.sockets(&format!("Listener PLAINTEXT://{}:{} is bound; connections wait.", config.host, config.port));
    }

    fn started(&self, listener: &TcpListener) {
        self.sockets("Requests are processed from now on.");
        let address = listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string());
        self.log.info(Logger::Acceptor, || format!("Awaiting connections on {address}."));
        self.status("STARTING", "STARTED");
    }

    fn stopped(&self) {
        self.sockets("Listener PLAINTEXT and its connections are closed.");
        self.server("Shut down completely.");
        self.status("SHUTTING_DOWN", "SHUTDOWN");
    }
}

pub(super) async fn run(setup: NodeSetup, control: Arc<Control>, sleep: Arc<Sleep>) -> Exit {
    let NodeSetup { role, config, disk, network, mut inbox, clients, reports, clock, .. } = setup;
    let NodeSetup { readiness, scrubs, trace, incarnation, seed, .. } = setup;
    let node_id = config.node_id;
    let Role::Broker { listener } = role else {
        return Exit::Failed(format!("node {node_id} is no broker"));
    };
    let log = config.log.clone();
    let words = Words { log: &log, node_id };
    words.status("SHUTDOWN", "STARTING");
    let failed = |what: &dyn std::fmt::Display| Exit::Failed(format!("broker {node_id} could not start: {what}"));
    let listener = match listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)) {
        Ok(listener) => listener,
        Err(error) => return failed(&error),
    };
    words.listener(&config);
    let request_max_bytes = usize::try_from(config.i32("socket.request.max.bytes")).unwrap_or(0);
    let mut broker = match Broker::open(config, disk, seed, clock.now()) {
        Ok(broker) => broker,
        Err(error) => return failed(&error),
    };
    broker.incarnation = incarnation;
    broker.stopwatch = stopwatch;
    broker.trace = trace;
    broker.disk_bytes = disk_bytes;
    let shell = Rc::new(Shell {
        node_id,
        broker: RefCell::new(broker),
        connections: RefCell::default(),
        admission: RefCell::default(),
        held: Cell::new(0),
        request_max_bytes,
        network,
        line: Line::new(clients),
        outlet: Outlet::new(node_id, reports),
        log: log.clone(),
        readiness,
        scrubs,
        ready: Cell::new(false),
        clock: clock.clone(),
        armed: Cell::new(None),
        rearm: Notify::new(),
        sleep,
    });
    shell.flush();
    // As Kafka, which enables request processing only when the broker has caught up: until then the image is old or empty, and a Metadata
    // answer without brokers makes clients forget the whole cluster. Connections wait in the backlog meanwhile.
    let mut listener = Some(listener);
    let mut stopping = false;
    let mut report_timer = tokio::time::interval(REPORT_INTERVAL);
    report_timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let deadline = shell.armed.get().map(|mono| clock.instant(mono));
        tokio::select! {
            () = control.changed() => match control.obey() {
                Wish::Kill => return Exit::Killed,
                Wish::Stop => {
                    if !std::mem::replace(&mut stopping, true) {
                        words.status(if listener.is_none() { "STARTED" } else { "STARTING" }, "SHUTTING_DOWN");
                    }
                    shell.broker.borrow_mut().begin_shutdown(clock.now(), SHUTDOWN_PATIENCE);
                }
                Wish::Run | Wish::Pause => {}
            },
            message = inbox.recv() => {
                let Some(first) = message else { return Exit::Stopped };
                shell.take_messages(first, &mut inbox);
            }
            () = wait_for(deadline) => shell.broker.borrow_mut().on_tick(clock.now()),
            () = shell.rearm.notified() => continue,
            _ = report_timer.tick() => {
                shell.scrub();
                shell.report();
                continue;
            }
        }
        shell.flush();
        if let Some(reason) = shell.broker.borrow().failure() {
            return Exit::Failed(format!("broker {node_id} halts: {reason}"));
        }
        if shell.broker.borrow().takes_part()
            && let Some(listener) = listener.take()
        {
            words.started(&listener);
            tokio::task::spawn_local(shell.clone().accept(listener));
        }
        if shell.broker.borrow().may_stop() {
            let closed = shell.broker.borrow_mut().shutdown(clock.now());
            shell.report();
            return match closed {
                Ok(()) => {
                    words.stopped();
                    Exit::Stopped
                }
                Err(error) => Exit::Failed(format!("broker {node_id} could not stop cleanly: {error}")),
            };
        }
    }
}
