//! All workloads: started, watched, stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::consumer::WorkloadConsumer;
use super::counts::Counts;
use super::producer::WorkloadProducer;
use super::spec;
use crate::monitor::command::WorkloadSpec;
use crate::monitor::snapshot::WorkloadStatus;

/// Workloads at a time.
const WORKLOADS_MAX: usize = 16;

/// A thread that does not end within this time after a stop is left to itself: the client library waits for a dead cluster.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// Makes the topic of a workload, if it is absent; one sentence if it cannot. It may block.
pub type MakeTopic = Arc<dyn Fn(&WorkloadSpec, &AtomicBool) -> Result<(), String> + Send + Sync>;

/// Where clients connect, when they are asked to.
pub type Servers = Arc<dyn Fn() -> String + Send + Sync>;

/// The built-in workloads.
pub struct Workloads {
    bootstrap_servers: Servers,
    make_topic: MakeTopic,
    running: BTreeMap<u64, Workload>,
    last_id: u64,
}

struct Workload {
    spec: WorkloadSpec,
    group: String,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    stopped_at: Option<Instant>,
}

impl Workloads {
    /// None running yet.
    pub fn new(bootstrap_servers: Servers, make_topic: MakeTopic) -> Workloads {
        Workloads { bootstrap_servers, make_topic, running: BTreeMap::new(), last_id: 0 }
    }

    /// Starts one; its id.
    pub fn start(&mut self, spec: WorkloadSpec) -> Result<u64, String> {
        spec::check(&spec)?;
        if self.running.len() >= WORKLOADS_MAX {
            return Err(format!("{WORKLOADS_MAX} workloads are running already; stop one first"));
        }
        let id = self.last_id + 1;
        let mut workload = Workload {
            group: format!("brokerscope-demo-{id}"),
            spec,
            counts: Arc::default(),
            stop: Arc::default(),
            threads: Vec::new(),
            stopped_at: None,
        };
        if let Err(error) = self.spawn(id, &mut workload) {
            workload.stop.store(true, Ordering::Relaxed);
            return Err(format!("no thread could be started for the workload: {error}"));
        }
        self.last_id = id;
        self.running.insert(id, workload);
        Ok(id)
    }

    /// One thread makes the topic, then starts the others and waits for them.
    fn spawn(&self, id: u64, workload: &mut Workload) -> std::io::Result<()> {
        let (spec, counts, stop) = (workload.spec.clone(), workload.counts.clone(), workload.stop.clone());
        let (bootstrap_servers, group) = ((self.bootstrap_servers)(), workload.group.clone());
        let make_topic = self.make_topic.clone();
        let lead = std::thread::Builder::new().name(format!("workload-{id}")).spawn(move || {
            if let Err(why) = make_topic(&spec, &stop) {
                counts.fail(why);
                return;
            }
            let mut threads = Vec::new();
            for number in 1..=spec.producers {
                let producer = WorkloadProducer {
                    bootstrap_servers: bootstrap_servers.clone(),
                    spec: spec.clone(),
                    workload: id,
                    number,
                    counts: counts.clone(),
                    stop: stop.clone(),
                };
                threads.push(spawn_named(format!("demo-prod-{id}-{number}"), move || producer.run()));
            }
            for number in 1..=spec.consumers {
                let consumer = WorkloadConsumer {
                    bootstrap_servers: bootstrap_servers.clone(),
                    topic: spec.topic.clone(),
                    group: group.clone(),
                    number,
                    counts: counts.clone(),
                    stop: stop.clone(),
                };
                threads.push(spawn_named(format!("demo-cons-{id}-{number}"), move || consumer.run()));
            }
            for thread in threads {
                match thread {
                    // A thread that panicked said so on standard error.
                    Ok(thread) => drop(thread.join()),
                    Err(error) => counts.fail(format!("no thread could be started: {error}")),
                }
            }
        })?;
        workload.threads.push(lead);
        Ok(())
    }

    /// Stops one; it is gone when its threads are.
    pub fn stop(&mut self, id: u64) -> bool {
        match self.running.get_mut(&id) {
            Some(workload) => {
                workload.end();
                true
            }
            None => false,
        }
    }

    /// What they have done; what has ended is forgotten.
    pub fn statuses(&mut self) -> Vec<WorkloadStatus> {
        self.running.retain(|_, workload| !workload.is_over());
        self.running.iter().map(|(id, workload)| workload.status(*id)).collect()
    }

    /// Stops all and waits for them, for so long.
    pub fn stop_all(&mut self, patience: Duration) {
        self.running.values_mut().for_each(Workload::end);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && self.running.values().any(Workload::is_alive) {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        self.running.clear();
    }
}

fn spawn_named(name: String, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(run)
}

impl Workload {
    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stopped_at.get_or_insert_with(Instant::now);
    }

    fn is_alive(&self) -> bool {
        self.threads.iter().any(|thread| !thread.is_finished())
    }

    fn is_over(&self) -> bool {
        self.stopped_at.is_some_and(|at| !self.is_alive() || at.elapsed() > STOP_PATIENCE)
    }

    fn status(&self, id: u64) -> WorkloadStatus {
        let error = self.counts.error();
        let state = match () {
            () if self.stopped_at.is_some() => "stopping",
            () if error.is_some() || !self.is_alive() => "failed",
            () => "running",
        };
        WorkloadStatus {
            id,
            state: state.into(),
            topic: self.spec.topic.clone(),
            group: if self.spec.consumers > 0 { self.group.clone() } else { String::new() },
            producers: self.spec.producers,
            consumers: self.spec.consumers,
            rate_per_s: self.spec.rate_per_s,
            sent: self.counts.sent.get(),
            acked: self.counts.acked.get(),
            unknown: self.counts.unknown.get(),
            failed: self.counts.failed.get(),
            read: self.counts.read.get(),
            error,
        }
    }
}
