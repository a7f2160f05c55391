//! All workloads: started, watched, changed, stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::asked::Asked;
use super::counts::Counts;
use super::course::Course;
use super::roll::{ProducerPlace, Roll};
use super::spec;
use super::team::{Shared, Team, Word, group_of};
use super::verifier::{self, Verifier};
use crate::ledger::Shelf;
use crate::monitor::ledger::Stage;
use crate::monitor::workload::{ClientState, Restarts, WorkloadChange, WorkloadSpec, WorkloadStatus};

/// Workloads at a time.
const WORKLOADS_MAX: usize = 16;

/// Words that a workload's thread has not heard yet.
const WORDS_WAITING: usize = 64;

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
    shelf: Shelf,
    /// Set when nothing is to be verified any more.
    quits: Arc<AtomicBool>,
    running: BTreeMap<u64, Workload>,
    last_id: u64,
}

struct Workload {
    shared: Shared,
    words: Sender<Word>,
    thread: JoinHandle<()>,
    course: Course,
    stopped_at: Option<Instant>,
}

impl Workloads {
    /// None running yet.
    pub fn new(bootstrap_servers: Servers, make_topic: MakeTopic, shelf: Shelf) -> Workloads {
        Workloads { bootstrap_servers, make_topic, shelf, quits: Arc::default(), running: BTreeMap::new(), last_id: 0 }
    }

    /// Starts one; its id.
    ///
    /// # Errors
    /// One sentence: it is not possible as asked for, or there are too many.
    pub fn start(&mut self, spec: WorkloadSpec) -> Result<u64, String> {
        spec::check(&spec)?;
        if self.running.len() >= WORKLOADS_MAX {
            return Err(format!("{WORKLOADS_MAX} workloads are running already; stop one first"));
        }
        let id = self.last_id + 1;
        let (words, words_in) = bounded(WORDS_WAITING);
        let asked = Asked::new(spec);
        let shared = Shared {
            id,
            servers: self.bootstrap_servers.clone(),
            ledger: self.shelf.open(id, asked.get(), now_ms()),
            asked,
            counts: Arc::new(Counts::default()),
            stop: Arc::default(),
            roll: Arc::new(Roll::default()),
            began: Instant::now(),
        };
        let ledger = shared.ledger.clone();
        let thread = self.spawn(shared.clone(), words_in).map_err(|error| {
            ledger.set_stage(Stage::Unfinished);
            format!("no thread could be started for the workload: {error}")
        })?;
        let course = Course::new(shared.began);
        self.last_id = id;
        self.running.insert(id, Workload { shared, words, thread, course, stopped_at: None });
        Ok(id)
    }

    /// One thread makes the topic, then keeps the clients; another reads everything back.
    fn spawn(&self, shared: Shared, words: Receiver<Word>) -> std::io::Result<JoinHandle<()>> {
        let (make_topic, quits) = (self.make_topic.clone(), self.quits.clone());
        std::thread::Builder::new().name(format!("workload-{}", shared.id)).spawn(move || {
            match make_topic(&shared.asked.get(), &shared.stop) {
                Ok(()) => {
                    let ended = verify(&shared, quits);
                    Team::new(shared).run(&words);
                    ended.store(true, Ordering::Relaxed);
                }
                Err(why) => {
                    shared.ledger.set_stage(Stage::Unfinished);
                    shared.counts.fail(why);
                }
            }
        })
    }

    /// Changes one while it runs; what of it is made anew.
    ///
    /// # Errors
    /// One sentence, if the change is not possible; `None`: there is no such workload.
    pub fn change(&mut self, id: u64, change: &WorkloadChange) -> Result<Restarts, Option<String>> {
        let workload = self.running.get(&id).filter(|workload| workload.stopped_at.is_none()).ok_or(None)?;
        let old = workload.shared.asked.get();
        let new = old.changed(change).map_err(Some)?;
        spec::check(&new).map_err(Some)?;
        let restarts = Restarts::between(&old, &new);
        workload.shared.asked.set(new);
        workload.shared.ledger.set_spec(workload.shared.asked.get());
        // If so many words are waiting that there is no room, one of them has the thread look anyway.
        let _ = workload.words.try_send(Word::Changed);
        Ok(restarts)
    }

    /// Has a consumer crash; which one.
    ///
    /// # Errors
    /// One sentence, if it does not run; `None`: there is no such workload.
    pub fn crash(&mut self, id: u64, consumer: Option<u32>) -> Result<u32, Option<String>> {
        let workload = self.running.get(&id).ok_or(None)?;
        let members = workload.shared.roll.get();
        let runs =
            |number: u32| members.iter().any(|member| member.number == number && member.state == ClientState::Running);
        let none = || Some(format!("no consumer of workload {id} runs"));
        let number = match consumer {
            None => workload.shared.roll.first_running().ok_or_else(none)?,
            Some(number) if runs(number) => number,
            Some(number) => return Err(Some(format!("consumer {number} of workload {id} does not run"))),
        };
        workload.tell(Word::Crash(number)).map(|()| number)
    }

    /// Starts consumers again that crashed.
    ///
    /// # Errors
    /// One sentence, if none crashed; `None`: there is no such workload.
    pub fn revive(&mut self, id: u64, consumer: Option<u32>) -> Result<(), Option<String>> {
        let workload = self.running.get(&id).ok_or(None)?;
        let members = workload.shared.roll.get();
        let mut crashed = members.iter().filter(|member| member.state == ClientState::Crashed);
        if !crashed.any(|member| consumer.is_none_or(|number| number == member.number)) {
            let which = consumer.map_or_else(|| "no consumer".to_owned(), |number| format!("consumer {number}"));
            let verb = if consumer.is_some() { "has not crashed" } else { "has crashed" };
            return Err(Some(format!("{which} of workload {id} {verb}")));
        }
        workload.tell(Word::Revive(consumer))
    }

    /// Has a producer stand still in its transaction while another takes its place; which one.
    ///
    /// # Errors
    /// One sentence, if that is not possible; `None`: there is no such workload.
    pub fn freeze(&mut self, id: u64, producer: Option<u32>) -> Result<u32, Option<String>> {
        let workload = self.running.get(&id).filter(|workload| workload.stopped_at.is_none()).ok_or(None)?;
        let spec = workload.shared.asked.get();
        if !spec.is_transactional() {
            let words = "make no transactions, so none can be fenced: give it a transaction_ms";
            return Err(Some(format!("the producers of workload {id} {words}")));
        }
        if spec.paused {
            return Err(Some(format!(
                "workload {id} is paused: no transaction is open in which a producer could freeze"
            )));
        }
        let places = workload.shared.roll.producers();
        let may = |place: &&ProducerPlace| place.is_running && !place.is_frozen;
        let chosen = places.iter().filter(|place| producer.is_none_or(|number| number == place.number)).find(may);
        let number = chosen.map(|place| place.number).ok_or_else(|| match producer {
            None => format!("no producer of workload {id} runs that is not frozen already"),
            Some(number) => format!("producer {number} of workload {id} does not run, or is frozen already"),
        });
        let number = number.map_err(Some)?;
        workload.tell(Word::Freeze(number)).map(|()| number)
    }

    /// Lets a producer go on that stands still.
    ///
    /// # Errors
    /// One sentence, if it does not; `None`: there is no such workload.
    pub fn wake(&mut self, id: u64, producer: u32) -> Result<(), Option<String>> {
        self.running.get(&id).ok_or(None)?.tell(Word::Wake(producer))
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
        self.running.values_mut().map(Workload::status).collect()
    }

    /// Stops all and waits for them, for so long.
    pub fn stop_all(&mut self, patience: Duration) {
        self.quits.store(true, Ordering::Relaxed);
        self.running.values_mut().for_each(Workload::end);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && self.running.values().any(|workload| !workload.thread.is_finished()) {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        self.running.clear();
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Has all that a workload will write read back, on a thread of its own, which lives on when the workload has ended; where to say that it has.
fn verify(shared: &Shared, quits: Arc<AtomicBool>) -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let spec = shared.asked.get();
    if !spec.verify {
        shared.ledger.set_trouble(Some("verify is off: nothing is read back".into()));
        shared.ledger.set_stage(Stage::Unfinished);
        return ended;
    }
    let bootstrap_servers = (shared.servers)();
    let verifier = Verifier {
        begins: verifier::ends(&bootstrap_servers, &spec.topic, &shared.stop),
        bootstrap_servers,
        topic: spec.topic.clone(),
        shelved: shared.ledger.clone(),
        ended: ended.clone(),
        quits,
    };
    let spawned = std::thread::Builder::new().name(format!("ledger-{}", shared.id)).spawn(move || verifier.run());
    if let Err(error) = spawned {
        shared.ledger.set_trouble(Some(format!("no thread could be started to read back: {error}")));
        shared.ledger.set_stage(Stage::Unfinished);
    }
    ended
}

impl Workload {
    fn tell(&self, word: Word) -> Result<(), Option<String>> {
        self.words.try_send(word).map_err(|_| Some("the workload is busy; try again".to_owned()))
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.stopped_at.get_or_insert_with(Instant::now);
        // It would notice by itself, a little later.
        let _ = self.words.try_send(Word::Changed);
    }

    fn is_over(&self) -> bool {
        self.stopped_at.is_some_and(|at| self.thread.is_finished() || at.elapsed() > STOP_PATIENCE)
    }

    fn status(&mut self) -> WorkloadStatus {
        let Shared { id, asked, counts, roll, .. } = &self.shared;
        let spec = asked.get();
        self.course.note(counts, Instant::now());
        let newest = self.course.newest();
        let error = counts.error();
        let state = match () {
            () if self.stopped_at.is_some() => "stopping",
            () if error.is_some() || self.thread.is_finished() => "failed",
            () if spec.paused && (spec.consumers_paused || spec.consumers == 0) => "paused",
            () => "running",
        };
        let (ack, acked_ends) = {
            let acks = counts.acks();
            (acks.window.latency(), acks.ends.clone())
        };
        WorkloadStatus {
            id: *id,
            state: state.into(),
            topic: spec.topic.clone(),
            group: if spec.consumers > 0 { group_of(*id, &spec) } else { String::new() },
            producers: spec.producers,
            consumers: spec.consumers,
            rate_per_s: spec.rate_per_s,
            sent: counts.sent.get(),
            acked: counts.acked.get(),
            unknown: counts.unknown.get(),
            failed: counts.failed.get(),
            aborted: counts.aborted.get(),
            transactions_committed: counts.committed_transactions.get(),
            transactions_aborted: counts.aborted_transactions.get(),
            frozen: roll.producers().iter().filter(|place| place.is_frozen).map(|place| place.number).collect(),
            fenced: counts.fenced.get(),
            read: counts.read.get(),
            error,
            trouble: counts.recent_trouble(Instant::now()),
            sent_per_s: newest.sent_per_s,
            acked_per_s: newest.acked_per_s,
            read_per_s: newest.read_per_s,
            ack,
            end_to_end: counts.end_to_end().latency(),
            members: roll.get(),
            restarts: counts.restarts.get(),
            spec,
            acked_ends,
            points: self.course.points().clone(),
        }
    }
}
