//! Keeps the durability ledger: hands it what the cluster tells of itself, has losses judged, and publishes what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use broker::log::{LogReader, Window};
use broker::metadata::config::{NodeConfig, TopicConfig};
use broker::metadata::image::Image;
use broker::types::TopicPartition;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::control::NodeControl;
use super::desk::now_ms;
use crate::ledger::facts::Facts;
use crate::ledger::judge::Terms;
use crate::ledger::status::{Judgements, status};
use crate::ledger::watch::Watch;
use crate::ledger::{Shelf, Shelved};
use crate::monitor::command::{Command, Notice};
use crate::monitor::ledger::{Held, LedgerStatus, LedgerView, NamedLoss, VANISHED_MAX, Vanished, Verdict};
use crate::monitor::order::Orders;
use crate::monitor::slot::ViewSlot;
use crate::monitor::snapshot::Snapshot;
use crate::monitor::view::View;

/// The ledger looks at what is new this often.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Losses whose replicas' files are looked into, over all workloads.
const LOOKED_INTO_MAX: usize = 500;
// org.apache.kafka.common.config.ConfigResource.Type
const TOPIC_CONFIG: i8 = 2;
const BROKER_CONFIG: i8 = 4;

/// What the ledger knows of the cluster. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedFacts(Arc<Mutex<Facts>>);

impl SharedFacts {
    /// Held for a moment only.
    pub fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the keeper works with.
pub struct Surroundings {
    /// The books.
    pub shelf: Shelf,
    /// What is known of the cluster.
    pub facts: SharedFacts,
    /// How brokers are configured, as far as the metadata log does not say otherwise.
    pub node_config: Option<Arc<NodeConfig>>,
    /// Where views appear, and where the ledger goes.
    pub slot: ViewSlot,
    /// Where a workload is stopped.
    pub orders: Orders,
    /// Whose log directories are looked into.
    pub nodes: Arc<dyn NodeControl>,
}

/// The running keeper.
pub struct LedgerKeeper {
    closing: Sender<()>,
    thread: JoinHandle<()>,
}

impl LedgerKeeper {
    /// Starts it.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(surroundings: Surroundings) -> io::Result<LedgerKeeper> {
        let (closing, closed) = bounded(1);
        let worker = Worker::new(surroundings);
        let thread = std::thread::Builder::new().name("ledger".into()).spawn(move || worker.run(&closed))?;
        Ok(LedgerKeeper { closing, thread })
    }

    /// Ends it; returns when that is done.
    pub fn close(self) {
        // If the thread has ended by itself there is nobody to be told.
        let _ = self.closing.try_send(());
        // A panic of the thread was told on standard error.
        let _ = self.thread.join();
    }
}

/// What a loss is known by: workload, partition, leader epoch, first offset.
type LossKey = (u64, i32, i32, Option<i64>);

struct Worker {
    surroundings: Surroundings,
    watch: Watch,
    vanished: Arc<Vec<Vanished>>,
    last_event: u64,
    last_sequence: u64,
    /// What was published last, and the state that it was made of.
    known: BTreeMap<u64, (Mark, Arc<LedgerStatus>)>,
    /// What was judged last, by workload.
    judgements: BTreeMap<u64, Judgements>,
    /// What replicas' files say of losses.
    files: BTreeMap<LossKey, Vec<Held>>,
    /// Workloads that were stopped because of a violation.
    stopped: BTreeSet<u64>,
}

/// A status is as it was while this is: of findings, of facts, acknowledged, read, and stage.
type Mark = (u64, u64, [u64; 4], u8);

impl Worker {
    fn new(surroundings: Surroundings) -> Worker {
        Worker {
            surroundings,
            watch: Watch::default(),
            vanished: Arc::default(),
            last_event: 0,
            last_sequence: 0,
            known: BTreeMap::new(),
            judgements: BTreeMap::new(),
            files: BTreeMap::new(),
            stopped: BTreeSet::new(),
        }
    }

    fn run(mut self, closed: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = closed.recv_timeout(LOOK_EVERY) {
            self.look();
        }
    }

    fn look(&mut self) {
        let view = self.surroundings.slot.latest();
        let books = self.surroundings.shelf.all();
        let is_news = self.take_in(&view, &books);
        let mut changed = is_news;
        let mut statuses = Vec::with_capacity(books.len());
        for book in &books {
            let (status, is_new) = self.status(&view.snapshot, book);
            changed |= is_new;
            if is_new {
                self.stop_if_wished(&status);
            }
            statuses.push(status);
        }
        changed |= self.known.len() != books.len();
        let is_there = |id: &u64| books.iter().any(|book| book.id == *id);
        self.known.retain(|id, _| is_there(id));
        self.judgements.retain(|id, _| is_there(id));
        self.stopped.retain(is_there);
        self.files.retain(|(id, ..), _| is_there(id));
        if changed {
            self.surroundings.slot.publish_ledger(LedgerView {
                workloads: Arc::new(statuses),
                vanished: self.vanished.clone(),
                generation: 0,
            });
        }
    }

    /// Takes in what the cluster told. True if something of foreign clients vanished.
    fn take_in(&mut self, view: &View, books: &[Arc<Shelved>]) -> bool {
        let topics: BTreeSet<String> = books.iter().map(|book| book.spec().topic.clone()).collect();
        let is_asked_for = |topic: &str| topics.contains(topic);
        let now_ms = now_ms();
        let mut facts = self.surroundings.facts.lock();
        facts.keep_topics(is_asked_for);
        let fresh = view.events.partition_point(|event| event.seq <= self.last_event);
        if let Some(first) = view.events.get(fresh) {
            facts.missed(first.seq.saturating_sub(self.last_event + 1));
        }
        for entry in view.events.iter().skip(fresh) {
            self.last_event = entry.seq;
            if let Some(event) = &entry.event {
                facts.event(entry, event, now_ms, is_asked_for);
            }
        }
        let snapshot = &view.snapshot;
        snapshot.past_faults.iter().for_each(|past| facts.fault(&past.fault, Some(past.ended_ms)));
        snapshot.faults.iter().for_each(|fault| facts.fault(fault, None));
        if snapshot.sequence == self.last_sequence {
            return false;
        }
        self.last_sequence = snapshot.sequence;
        for topic in snapshot.topics.iter().filter(|topic| is_asked_for(&topic.name)) {
            for partition in &topic.partitions {
                let min_isr = partition.min_isr(topic) as i32;
                facts.sample(&topic.name, partition, min_isr, snapshot.at_ms);
            }
        }
        drop(facts);
        let found = self.watch.look(snapshot);
        let is_news = !found.is_empty();
        // Of one that leads again it cannot be told which reign acknowledged what.
        for one in found.iter().filter(|one| one.old_leader != one.new_leader) {
            for book in books.iter().filter(|book| *book.spec().topic == *one.topic) {
                book.book().vanished(one.partition, one.old_leader, one.from_offset, now_ms);
            }
        }
        if is_news {
            let kept = Arc::make_mut(&mut self.vanished);
            kept.extend(found);
            let over = kept.len().saturating_sub(VANISHED_MAX);
            kept.drain(..over);
        }
        is_news
    }

    /// What is to be said of a workload, and whether it is new.
    fn status(&mut self, snapshot: &Snapshot, book: &Arc<Shelved>) -> (Arc<LedgerStatus>, bool) {
        let spec = book.spec();
        let config = |key: &str| config(&snapshot.image, &spec.topic, key);
        let terms = Terms {
            flushes_each: config("flush.messages").is_some_and(|value| value == "1"),
            idempotent: spec.idempotent,
            allows_unclean: self.surroundings.node_config.as_ref().is_some_and(|node| {
                TopicConfig::resolve_in(&snapshot.image, &spec.topic, node).unclean_leader_election_enable
            }),
        };
        book.book().set_compacted(config("cleanup.policy").is_some_and(|value| value.contains("compact")));
        let facts = self.surroundings.facts.clone();
        let facts = facts.lock();
        let mark = {
            let book_now = book.book();
            let sums = book_now.sums();
            let counts = [sums.sent, sums.acked, sums.read, sums.read_committed];
            (book_now.findings().generation(), facts.generation(), counts, book.progress().stage as u8)
        };
        if let Some((known_mark, known)) = self.known.get(&book.id) {
            let is_waiting = known.verdict == Verdict::Looking;
            let trouble = book.progress().trouble;
            if *known_mark == mark && !is_waiting && known.trouble == trouble {
                return (known.clone(), false);
            }
        }
        let judgements = self.judgements.entry(book.id).or_default();
        let mut status = status(book, &facts, terms, judgements, now_ms());
        drop(facts);
        for loss in &mut status.losses {
            let held = self.look_into_files(book.id, &spec.topic, snapshot, loss);
            if !held.is_empty() {
                let loss = Arc::make_mut(loss);
                held.iter().for_each(|one| add_held(&mut loss.held, one));
            }
        }
        let status = Arc::new(status);
        self.known.insert(book.id, (mark, status.clone()));
        (status, true)
    }

    /// What the files of the partition's replicas have at the offset of a loss, in the epoch in which it was acknowledged: looked at once, when
    /// the loss is new, before more is cut off.
    fn look_into_files(&mut self, id: u64, topic: &str, snapshot: &Snapshot, loss: &NamedLoss) -> Vec<Held> {
        let Some(offset) = loss.first.offset else { return Vec::new() };
        let key = (id, loss.partition, loss.leader_epoch, loss.first.offset);
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        // Those beyond are told without it: they would be looked into again and again.
        if self.files.len() >= LOOKED_INTO_MAX {
            return Vec::new();
        }
        let replicas = snapshot
            .topics
            .iter()
            .find(|known| &*known.name == topic)
            .and_then(|known| known.partitions.get(usize::try_from(loss.partition).ok()?))
            .map(|partition| partition.replicas.clone())
            .unwrap_or_default();
        let has = |node: &i32| {
            let epoch = epoch_in_files(&*self.surroundings.nodes, *node, topic, loss.partition, offset)?;
            (epoch == loss.leader_epoch).then(|| Held {
                node_id: *node,
                how: format!("its files had offset {offset} of epoch {epoch} when the loss was found"),
            })
        };
        let held: Vec<Held> = replicas.iter().filter_map(has).collect();
        self.files.insert(key, held.clone());
        held
    }

    fn stop_if_wished(&mut self, status: &LedgerStatus) {
        if status.verdict == Verdict::Red && status.stop_on_violation && self.stopped.insert(status.id) {
            let text = format!("Workload {} is stopped: {}", status.id, status.words);
            self.surroundings.slot.notify(Notice { ok: false, text });
            // One that has ended already needs no stop.
            self.surroundings.orders.ask(Command::StopWorkload(status.id), drop);
        }
    }
}

fn add_held(held: &mut Vec<Held>, one: &Held) {
    match held.iter_mut().find(|known| known.node_id == one.node_id) {
        Some(known) => known.how = format!("{}; {}", known.how, one.how),
        None => held.push(one.clone()),
    }
}

/// A topic's config: its own, else that of all brokers, where the cluster was told one.
fn config(image: &Image, topic: &str, key: &str) -> Option<String> {
    let of = |kind: i8, name: &str, key: &str| {
        let mut all = image.configs.iter();
        let (_, values) = all.find(|((resource, known), _)| *resource == kind && &**known == name)?;
        values.get(key).map(|value| value.to_string())
    };
    let of_brokers = match key {
        "flush.messages" => "log.flush.interval.messages",
        "cleanup.policy" => "log.cleanup.policy",
        other => other,
    };
    of(TOPIC_CONFIG, topic, key).or_else(|| of(BROKER_CONFIG, "", of_brokers))
}

/// The leader epoch of the batch that a replica's files have at an offset.
fn epoch_in_files(nodes: &dyn NodeControl, node: i32, topic: &str, partition: i32, offset: i64) -> Option<i32> {
    let folder = format!("{topic}-{partition}");
    let dirs = nodes.log_dirs(node).ok()?;
    let dir = dirs.iter().map(|dir| dir.join(&folder)).find(|dir| dir.is_dir())?;
    let window = Window { from: offset, to: offset + 1, segments_max: 4, batches_max: 4, records_max: 0 };
    let outline = LogReader::default().log(&dir).outline(&TopicPartition::new(topic, partition), &window).ok()?;
    let holds =
        outline.batches.iter().find(|batch| (batch.header.base_offset..batch.header.next_offset()).contains(&offset));
    holds.map(|batch| batch.header.partition_leader_epoch)
}
