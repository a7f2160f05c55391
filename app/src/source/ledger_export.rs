//! Writes all that is needed to see again what the ledger found: the workload with its seed, the faults as a script, what happened, who was
//! told what, and the batches that each replica has around what is missing.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use broker::log::{LogReader, Window};
use broker::types::TopicPartition;
use serde_json::{Value, json};

use super::control::NodeControl;
use super::desk::now_ms;
use super::ledger::SharedFacts;
use crate::ledger::facts::Fault;
use crate::ledger::{Shelf, Shelved};
use crate::monitor::command::LedgerExport;
use crate::monitor::ledger::LedgerStatus;
use crate::monitor::order::{Answer, Done, Refusal};
use crate::monitor::script::{Expectation, STEPS_MAX, Script, Step};
use crate::monitor::view::View;

/// Spans of numbers that are told of one set.
const SPANS_MAX: usize = 10_000;
/// Offsets around a loss whose batches are told.
const AROUND: i64 = 200;
/// Batches of one replica that are told.
const BATCHES_MAX: usize = 3_000;
/// Losses around which logs are told.
const LOSSES_MAX: usize = 20;

/// What an export is made of.
pub struct Sources<'a> {
    /// The books.
    pub shelf: &'a Shelf,
    /// What is known of the cluster.
    pub facts: &'a SharedFacts,
    /// The newest view.
    pub view: &'a View,
    /// Whose log directories are read.
    pub nodes: &'a dyn NodeControl,
    /// Where it goes if nobody said where.
    pub data_dir: &'a Path,
}

/// Writes it into a folder of its own.
pub fn export(sources: &Sources<'_>, wish: &LedgerExport) -> Answer {
    let missing = || Refusal::not_found(format!("There is no ledger of a workload {}.", wish.id));
    let book = sources.shelf.get(wish.id).ok_or_else(missing)?;
    let status = sources.view.ledger.workloads.iter().find(|status| status.id == wish.id).ok_or_else(missing)?;
    let parent = wish.folder.clone().unwrap_or_else(|| sources.data_dir.join("reproductions"));
    let folder = parent.join(format!("ledger-{}-{}", wish.id, now_ms()));
    let refused = |error: io::Error| Refusal::failed(format!("{} could not be written: {error}.", folder.display()));
    if wish.folder.is_none() {
        fs::create_dir_all(&parent).map_err(refused)?;
    }
    fs::create_dir(&folder).map_err(refused)?;
    let faults: Vec<Fault> = sources.facts.lock().faults().cloned().collect();
    let files = files(sources, &book, status, &faults);
    for (name, content) in files {
        let path = folder.join(&name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&path, content)).map_err(refused)?;
    }
    Ok(Done { id: Some(wish.id), text: format!("The reproduction was written to {}.", folder.display()) })
}

fn files(sources: &Sources<'_>, book: &Shelved, status: &LedgerStatus, faults: &[Fault]) -> Vec<(String, String)> {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    let events: Vec<_> = sources.view.events.iter().map(|event| json!(&**event)).collect();
    let told: Vec<Value> = faults
        .iter()
        .map(|fault| json!({ "fault": fault.told, "node_ids": fault.node_ids, "request": fault.request }))
        .collect();
    let mut files = vec![
        ("README.txt".to_owned(), readme(status)),
        ("workload.json".to_owned(), pretty(&json!(&*book.spec()))),
        ("ledger.json".to_owned(), pretty(&json!(status))),
        ("faults.json".to_owned(), pretty(&json!(told))),
        ("events.json".to_owned(), pretty(&json!(events))),
        ("script.yaml".to_owned(), script(book, faults)),
        ("history.json".to_owned(), pretty(&history(book))),
        ("acknowledged.csv".to_owned(), acknowledged(book)),
    ];
    files.extend(logs(sources, status));
    files
}

fn readme(status: &LedgerStatus) -> String {
    format!(
        "Durability ledger of workload {} on topic {}\n\n{}\n\n\
         workload.json     what was asked for, with its seed: the same seed makes the same records\n\
         script.yaml       starts such a workload and breaks the same after the same times: `brokerscope serve --faults script.yaml`, or in the window\n\
         ledger.json       counts, anomalies, and each loss with its story\n\
         faults.json       faults with their times; events.json: what the cluster told, newest 5,000\n\
         history.json      of each producer which numbers were acknowledged, read and lost, as spans\n\
         acknowledged.csv  the newest acknowledgements: offset, broker, time\n\
         logs/             batches that each replica has around each loss, read from its files\n\n\
         A cluster on threads does not repeat itself to the microsecond: the script brings the same faults to the same workload, not the same\n\
         interleaving. For that, see the simulated campaign in tests/.\n",
        status.id, status.topic, status.words
    )
}

/// A script that starts the workload anew and breaks the same after the same times; for the window, HTTP and `serve --faults`.
fn script(book: &Shelved, faults: &[Fault]) -> String {
    let began_ms = book.began_ms;
    let step = |fault: &Fault| {
        let mut request = fault.request.clone()?;
        // What is in force to this day lasts until the script is over.
        let lasted_ms = fault.told.ended_ms.map(|ended_ms| (ended_ms - fault.told.since_ms).max(1).unsigned_abs());
        request.duration_ms = request.duration_ms.or(lasted_ms);
        // The script has one workload.
        request.workload = request.workload.map(|_| 1);
        Some(Step { at_ms: (fault.told.since_ms - began_ms).max(0).unsigned_abs(), fault: request })
    };
    let during = faults.iter().filter(|fault| fault.told.ended_ms.is_none_or(|ended_ms| ended_ms >= began_ms));
    let script = Script {
        name: format!("What happened to workload {}", book.spec().topic),
        hypothesis: "Nothing that was acknowledged is lost.".into(),
        workloads: vec![(*book.spec()).clone()],
        steps: during.filter_map(step).take(STEPS_MAX).collect(),
        expect: vec![Expectation::NothingLost(true)],
        ..Script::default()
    };
    // What a workload and faults are made of can be written.
    script.to_yaml().unwrap_or_else(|error| format!("# It could not be written: {error}\n"))
}

fn history(book: &Shelved) -> Value {
    let book = book.book();
    let producers = book.history().map(|(producer, sets)| {
        let mut told = serde_json::Map::new();
        for (name, set) in sets {
            let (spans, is_whole) = set.spans(SPANS_MAX);
            let spans: Vec<[u64; 2]> = spans.into_iter().map(|span| [span.start, span.end - 1]).collect();
            told.insert(name.to_owned(), json!({ "records": set.len(), "spans": spans, "is_whole": is_whole }));
        }
        json!({ "producer": producer, "numbers": told })
    });
    json!(producers.collect::<Vec<_>>())
}

fn acknowledged(book: &Shelved) -> String {
    let mut text = String::from("partition,offset,producer,sequence,acks,broker,at_ms\n");
    for entry in book.book().entries() {
        let (offset, at_ms) = (entry.offset.unwrap_or(-1), entry.at_ms.unwrap_or(-1));
        let (partition, producer, sequence) = (entry.partition, entry.producer, entry.sequence);
        let (acks, broker) = (entry.acks.name(), entry.broker);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{partition},{offset},{producer},{sequence},{acks},{broker},{at_ms}");
    }
    text
}

/// A dump of batches by replica and loss.
fn logs(sources: &Sources<'_>, status: &LedgerStatus) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let known = sources.view.snapshot.topics.iter().find(|topic| *topic.name == *status.topic);
    for loss in status.losses.iter().take(LOSSES_MAX) {
        let partition = known.and_then(|known| known.partitions.get(usize::try_from(loss.partition).ok()?));
        let (Some(partition), Some(from), Some(to)) = (partition, loss.first.offset, loss.last.offset) else {
            continue;
        };
        for node in &partition.replicas {
            let name = format!("logs/loss-{}/broker-{node}-{}-{}.txt", loss.number, status.topic, loss.partition);
            let window = ((from - AROUND).max(0), to.saturating_add(AROUND));
            files.push((name, dump(sources.nodes, *node, &status.topic, loss.partition, window)));
        }
    }
    files
}

fn dump(nodes: &dyn NodeControl, node: i32, topic: &str, partition: i32, (from, to): (i64, i64)) -> String {
    let folder = format!("{topic}-{partition}");
    let dirs: Vec<PathBuf> = nodes.log_dirs(node).unwrap_or_default();
    let Some(dir) = dirs.iter().map(|dir| dir.join(&folder)).find(|dir| dir.is_dir()) else {
        return format!("There is no log of {folder} on broker {node}.\n");
    };
    let window = Window { from, to, segments_max: 400, batches_max: BATCHES_MAX, records_max: 0 };
    let outline = match LogReader::default().log(&dir).outline(&TopicPartition::new(topic, partition), &window) {
        Ok(outline) => outline,
        Err(error) => return format!("The files of {folder} on broker {node} cannot be read: {error}.\n"),
    };
    let mut text = format!("{folder} on broker {node}: batches from offset {from} to {to}\nleader epochs begin at: ");
    // Writing to a String cannot fail.
    for (epoch, offset) in &outline.epochs {
        let _ = write!(text, "{epoch}@{offset} ");
    }
    text.push('\n');
    for batch in &outline.batches {
        let header = &batch.header;
        let _ = writeln!(
            text,
            "baseOffset: {} lastOffset: {} count: {} baseSequence: {} producerId: {} producerEpoch: {} partitionLeaderEpoch: {} \
             isTransactional: {} isControl: {} maxTimestamp: {} segment: {} position: {} crc: {}",
            header.base_offset,
            header.next_offset() - 1,
            header.record_count,
            header.base_sequence,
            header.producer_id,
            header.producer_epoch,
            header.partition_leader_epoch,
            header.is_transactional(),
            header.is_control(),
            header.max_timestamp,
            batch.segment,
            batch.position,
            header.crc,
        );
    }
    if let Some(end) = outline.batches_end {
        let _ = writeln!(text, "… only up to offset {end}: there are more");
    }
    text
}
