//! The clients of one workload, and the thread that makes, ends and replaces them as what is asked for changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::asked::Asked;
use super::consumer::{End, WorkloadConsumer, client_id};
use super::counts::{Count, Counts};
use super::freeze::Freeze;
use super::producer::WorkloadProducer;
use super::roll::{ProducerPlace, Roll};
use super::run::Servers;
use crate::ledger::Shelved;
use crate::monitor::workload::{ClientState, ConsumerStatus, Restarts, WorkloadSpec};

/// How often it is looked whether a client that is to be replaced has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often otherwise: a client may have failed.
const IDLE: Duration = Duration::from_millis(500);

/// What a team is told.
#[derive(Clone, Debug)]
pub enum Word {
    /// Something else is asked for.
    Changed,
    /// A consumer is to crash.
    Crash(u32),
    /// A consumer that crashed is to start again; `None`: all.
    Revive(Option<u32>),
    /// A producer is to stand still in its transaction, and another takes its place.
    Freeze(u32),
    /// A producer that stands still is to go on.
    Wake(u32),
}

/// What all clients of a workload share.
#[derive(Clone)]
pub struct Shared {
    /// The workload.
    pub id: u64,
    /// Where clients connect.
    pub servers: Servers,
    /// What is asked for.
    pub asked: Asked,
    /// Where they count.
    pub counts: Arc<Counts>,
    /// Where what was promised is entered.
    pub ledger: Arc<Shelved>,
    /// Set to end everything.
    pub stop: Arc<AtomicBool>,
    /// Who there is.
    pub roll: Arc<Roll>,
    /// When it began.
    pub began: Instant,
}

/// The group of a workload's consumers.
pub fn group_of(id: u64, spec: &WorkloadSpec) -> String {
    if spec.group.is_empty() { format!("brokerscope-demo-{id}") } else { spec.group.clone() }
}

/// A client that runs.
struct Running {
    thread: JoinHandle<()>,
    end: Arc<End>,
    freeze: Arc<Freeze>,
    stop: Arc<AtomicBool>,
    made_for: Arc<WorkloadSpec>,
    is_ending: bool,
}

/// A place for a client.
#[derive(Default)]
struct Place {
    running: Option<Running>,
    /// It ended by itself: what it needs is to be changed before it is tried again.
    has_failed: bool,
    has_crashed: bool,
    /// Its next transaction is to stay open.
    is_to_freeze: bool,
    /// The client that had this place and stands still, or did.
    zombie: Option<Running>,
    sequence: Arc<AtomicU64>,
    read: Arc<Count>,
}

/// The clients of one workload.
pub struct Team {
    shared: Shared,
    producers: Vec<Place>,
    consumers: Vec<Place>,
}

impl Team {
    /// Nobody yet.
    pub fn new(shared: Shared) -> Team {
        Team { shared, producers: Vec::new(), consumers: Vec::new() }
    }

    /// Keeps the clients as they are asked to be, until the workload stops and all have ended.
    pub fn run(mut self, words: &Receiver<Word>) {
        loop {
            let is_settled = self.arrange();
            self.tell();
            if self.shared.stop.load(Ordering::Relaxed) && self.is_empty() {
                return;
            }
            match words.recv_timeout(if is_settled { IDLE } else { LOOK_EVERY }) {
                Ok(word) => self.hear(&word),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody can say anything any more; the stop was set before.
                Err(RecvTimeoutError::Disconnected) => std::thread::park_timeout(LOOK_EVERY),
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.producers.iter().chain(&self.consumers).all(|place| place.running.is_none() && place.zombie.is_none())
    }

    fn hear(&mut self, word: &Word) {
        match word {
            Word::Changed => {
                self.shared.counts.forgive();
                self.producers.iter_mut().chain(&mut self.consumers).for_each(|place| place.has_failed = false);
            }
            Word::Crash(number) => {
                if let Some(place) = self.consumers.get_mut(*number as usize - 1) {
                    place.has_crashed = true;
                    if let Some(running) = &place.running {
                        running.end.crash();
                    }
                }
            }
            Word::Revive(number) => {
                for (index, place) in self.consumers.iter_mut().enumerate() {
                    place.has_crashed &= number.is_some_and(|number| number as usize != index + 1);
                }
            }
            Word::Freeze(number) | Word::Wake(number) => {
                let freezes = matches!(word, Word::Freeze(_));
                if let Some(place) = self.producers.get_mut(*number as usize - 1) {
                    place.is_to_freeze = freezes;
                    match place.running.iter().chain(&place.zombie) {
                        all if freezes => all.take(1).for_each(|client| client.freeze.want()),
                        all => all.for_each(|client| client.freeze.wake()),
                    }
                }
            }
        }
    }

    /// Brings clients nearer to what is asked for; whether nothing is left to do.
    fn arrange(&mut self) -> bool {
        let spec = self.shared.asked.get();
        let stops = self.shared.stop.load(Ordering::Relaxed);
        let mut is_settled = !stops;
        for is_producer in [true, false] {
            let wanted = if stops {
                0
            } else if is_producer {
                spec.producers
            } else {
                spec.consumers
            } as usize;
            let places = if is_producer { &mut self.producers } else { &mut self.consumers };
            if places.len() < wanted {
                places.resize_with(wanted, Place::default);
            }
            for (index, place) in places.iter_mut().enumerate() {
                let is_wanted = index < wanted && !place.has_failed && !place.has_crashed;
                lay_aside(place, index < wanted && spec.is_transactional());
                is_settled &= arrange(&self.shared, place, index as u32 + 1, is_producer, is_wanted, &spec);
            }
            // A consumer that is wanted no more and then again is a new one.
            places.iter_mut().skip(wanted).for_each(|place| place.has_crashed = false);
        }
        is_settled
    }

    fn tell(&self) {
        let spec = self.shared.asked.get();
        let consumers = self.consumers.iter().take(spec.consumers as usize).enumerate();
        let consumers = consumers.map(|(index, place)| {
            let number = index as u32 + 1;
            let state = match &place.running {
                _ if place.has_crashed => ClientState::Crashed,
                _ if place.has_failed => ClientState::Failed,
                Some(running) if !running.is_ending => ClientState::Running,
                _ => ClientState::Ending,
            };
            (ConsumerStatus { number, client_id: client_id(number), state, read: 0 }, place.read.clone())
        });
        self.shared.roll.set(consumers.collect());
        let producers = self.producers.iter().take(spec.producers as usize).enumerate();
        let producers = producers.map(|(index, place)| ProducerPlace {
            number: index as u32 + 1,
            is_running: place.running.as_ref().is_some_and(|running| !running.is_ending),
            is_frozen: place.is_to_freeze || place.zombie.is_some(),
        });
        self.shared.roll.set_producers(producers.collect());
    }
}

/// A producer that has begun to stand still makes room for another. It ends where nobody is to take its place any more.
fn lay_aside(place: &mut Place, is_kept: bool) {
    if let Some(zombie) = &place.zombie {
        if !is_kept {
            zombie.stop.store(true, Ordering::Relaxed);
        }
        if zombie.thread.is_finished() {
            // A thread that panicked said so on standard error.
            place.zombie.take().map(|zombie| zombie.thread.join());
        }
        return;
    }
    if place.running.as_ref().is_some_and(|running| running.freeze.is_frozen()) {
        place.is_to_freeze = false;
        place.zombie = place.running.take();
    }
}

/// Whether all is as it should be at this place.
fn arrange(
    shared: &Shared,
    place: &mut Place,
    number: u32,
    is_producer: bool,
    is_wanted: bool,
    spec: &Arc<WorkloadSpec>,
) -> bool {
    if let Some(running) = &mut place.running {
        let restarts = Restarts::between(&running.made_for, spec);
        let is_old = if is_producer { restarts.producers } else { restarts.consumers };
        if running.thread.is_finished() {
            let Some(running) = place.running.take() else { return true };
            if is_old && is_wanted {
                shared.counts.restarts.add_one();
            }
            place.has_failed = !running.is_ending && !place.has_crashed;
            // A thread that panicked said so on standard error.
            let _ = running.thread.join();
            return false;
        }
        if (is_old || !is_wanted) && !running.is_ending {
            running.is_ending = true;
            running.stop.store(true, Ordering::Relaxed);
            running.end.leave();
        }
        return !running.is_ending;
    }
    if is_wanted {
        match spawn(shared, place, number, is_producer, spec) {
            Ok(running) => place.running = Some(running),
            Err(error) => {
                place.has_failed = true;
                shared.counts.fail(format!("no thread could be started: {error}"));
            }
        }
    }
    true
}

fn spawn(
    shared: &Shared,
    place: &Place,
    number: u32,
    is_producer: bool,
    spec: &Arc<WorkloadSpec>,
) -> std::io::Result<Running> {
    let (stop, end) = (Arc::new(AtomicBool::new(false)), Arc::new(End::default()));
    let freeze = Arc::new(Freeze::default());
    if place.is_to_freeze {
        freeze.want();
    }
    let bootstrap_servers = (shared.servers)();
    let (asked, counts, id) = (shared.asked.clone(), shared.counts.clone(), shared.id);
    let named = |role: &str| std::thread::Builder::new().name(format!("demo-{role}-{id}-{number}"));
    let thread = if is_producer {
        let producer = WorkloadProducer {
            bootstrap_servers,
            asked,
            workload: id,
            number,
            sequence: place.sequence.clone(),
            began: shared.began,
            counts,
            ledger: shared.ledger.clone(),
            freeze: freeze.clone(),
            fences: place.zombie.as_ref().map(|zombie| zombie.freeze.clone()),
            stop: stop.clone(),
        };
        named("prod").spawn(move || producer.run())?
    } else {
        let consumer = WorkloadConsumer {
            bootstrap_servers,
            asked,
            group: group_of(id, spec),
            number,
            counts,
            read: place.read.clone(),
            end: end.clone(),
        };
        named("cons").spawn(move || consumer.run())?
    };
    Ok(Running { thread, end, freeze, stop, made_for: spec.clone(), is_ending: false })
}
