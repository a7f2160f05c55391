//! The server: one thread, one current-thread runtime, one listener.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use broker::cluster::ScrubProgress;
use broker::types::NodeId;
use tokio::sync::oneshot;

use super::problem::Problem;
use super::scrapes::Scrapes;
use super::{
    api, changes, client_metrics, cloudwatch, connections, groups, guard, history, ledger, logs, metrics, monitoring,
    scripts, stories,
};
use crate::monitor::history::run::History;
use crate::monitor::order::Orders;
use crate::monitor::slot::ViewSlot;

/// Threads for what takes its time: the scrape whose turn it is, and one whose client went away.
const BLOCKING_THREADS: usize = 2;

/// Asks each broker's desk how far its scrub is; must not block.
pub type Scrubs = Arc<dyn Fn() -> Vec<(NodeId, ScrubProgress)> + Send + Sync>;

/// What the server shows and where it hands in changes.
#[derive(Clone)]
pub struct Sources {
    /// The newest view.
    pub slot: ViewSlot,
    /// Where commands go.
    pub orders: Orders,
    /// How far scrubs are.
    pub scrubs: Scrubs,
    /// Set when the cluster took writes for the first time.
    pub ready: Arc<AtomicBool>,
    /// Where the cluster's data lives: its volume is watched.
    pub data_dir: Arc<Path>,
    /// Whose turn it is to be scraped.
    pub scrapes: Scrapes,
    /// What is recorded.
    pub history: History,
}

/// The running server. Dropping it closes its connections and its port.
pub struct HttpServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Serves on a listener that is bound already, so that the port is known and a taken one is told early.
    ///
    /// # Errors
    /// No thread or runtime could be had.
    pub fn start(listener: TcpListener, sources: Sources) -> io::Result<HttpServer> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    served = axum::serve(listener, router(address, sources)).into_future() => served,
                    _ = stopped => Ok(()),
                }
            });
            if let Err(error) = served {
                eprintln!("brokerscope: HTTP on {address} ended: {error}");
            }
            // Open connections and scrapes under way are not waited for.
            runtime.shutdown_background();
        })?;
        Ok(HttpServer { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told on standard error.
            let _ = thread.join();
        }
    }
}

fn router(address: SocketAddr, sources: Sources) -> Router {
    Router::new()
        .route("/", get(api::index).post(cloudwatch::call))
        .route(&format!("{}{{operation}}", guard::CLOUDWATCH_PATH), post(cloudwatch::call_by_path))
        .route("/metrics", get(metrics::cluster))
        .route("/metrics/brokers/{id}", get(metrics::broker))
        .route("/metrics/controllers/{id}", get(metrics::controller))
        .route("/metrics/exporter", get(metrics::exporter))
        .route("/metrics/node/{id}", get(metrics::machine))
        .route("/healthz", get(api::healthz))
        .route("/readyz", get(api::readyz))
        .route("/api/cluster", get(api::cluster))
        .route("/api/connections", get(connections::connections))
        .route("/api/groups", get(groups::groups))
        .route("/api/client-metrics", get(client_metrics::list))
        .route("/api/events", get(api::events))
        .route("/api/stories", get(stories::list))
        .route("/api/logs", get(logs::lines))
        .route("/api/loggers", get(logs::loggers).put(logs::set_level))
        .route("/api/log-delivery", get(logs::delivery).put(logs::deliver))
        .route("/api/faults", get(api::faults).post(changes::inject).delete(changes::heal_all))
        .route("/api/faults/{id}", delete(changes::heal))
        .route("/api/brokers", post(changes::add_broker))
        .route("/api/brokers/{id}", delete(changes::remove_broker))
        .route("/api/brokers/{id}/removal", delete(changes::keep_broker))
        .route("/api/brokers/{id}/start", post(changes::start_broker))
        .route("/api/controllers", post(changes::add_controller))
        .route("/api/controllers/{id}", delete(changes::remove_controller))
        .route("/api/controllers/{id}/start", post(changes::start_controller))
        .route("/api/scripts", get(scripts::list).post(scripts::run))
        .route("/api/scripts/recorded", get(scripts::record))
        .route("/api/scripts/{id}", delete(scripts::stop))
        .route("/api/scrub", get(api::scrubs).post(changes::scrub))
        .route("/api/snippets", get(api::snippets))
        .route("/api/workloads", get(api::workloads).post(changes::start_workload))
        .route("/api/workloads/{id}", delete(changes::stop_workload).patch(changes::change_workload))
        .route("/api/workloads/{id}/crash", post(changes::crash_consumer))
        .route("/api/workloads/{id}/revive", post(changes::revive_consumer))
        .route("/api/history", get(history::extent))
        .route("/api/history/cluster", get(history::cluster))
        .route("/api/history/recording", get(history::recording))
        .route("/api/ledger", get(ledger::list))
        .route("/api/ledger/{id}/export", post(ledger::export))
        .route("/api/monitoring", get(monitoring::show).put(monitoring::change))
        .route("/api/topics", post(changes::create_topic))
        .route("/api/topics/{name}", delete(changes::delete_topic))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This path does not know that method.")
        })
        .fallback(async || Problem::not_found("There is nothing at this path; GET / lists what there is."))
        .layer(from_fn_with_state(address, guard::guard))
        .with_state(sources)
}
