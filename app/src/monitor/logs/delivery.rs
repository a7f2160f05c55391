//! Delivery of brokers' logs to a folder, as Amazon MSK delivers them to S3: compressed objects under names of the same form, every five
//! minutes, of lines at INFO and above.
//!
//! An object is written under another name and renamed, so that whoever watches the folder sees whole ones only. No line is delivered
//! twice; what falls out of the ring before it could be delivered is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use broker::logging::Level;
use broker::types::NodeId;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

use super::entry::Entry;
use super::ring::{BYTES_MAX, LINES_MAX, LogLines};
use crate::monitor::cloudwatch::time::iso;
use crate::monitor::names::is_controller;
use crate::monitor::order::Refusal;

/// How often it is delivered.
pub const EVERY_MS: i64 = 5 * 60 * 1000;

/// How soon it is tried again where that failed.
const AGAIN_MS: i64 = 60 * 1000;

/// The account and the region that objects are named by.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "local";

/// The name of the cluster, as CloudWatch's dimension has it.
const CLUSTER: &str = "brokerscope";

/// How delivery goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct DeliveryStatus {
    /// Where to; `None`: nowhere.
    pub folder: Option<PathBuf>,
    /// Objects that were written since the program began.
    pub objects: u64,
    /// Lines in them.
    pub lines: u64,
    /// Lines that fell out of the ring before they could be delivered.
    pub lines_lost: u64,
    /// The newest object, below the folder.
    pub last_object: Option<String>,
    /// When it was written.
    pub last_at_ms: Option<i64>,
    /// When the next ones are due.
    pub next_at_ms: Option<i64>,
    /// Why it failed the last time.
    pub trouble: Option<String>,
}

/// Delivers.
#[derive(Debug)]
pub struct Delivery {
    /// `brokerscope-<uuid>`.
    cluster: String,
    status: DeliveryStatus,
    /// From this line on.
    from: u64,
    /// Of a broker: from this line on, where that is later.
    delivered: BTreeMap<NodeId, u64>,
    /// What came since the last delivery takes so much room in the ring.
    waiting_lines: usize,
    waiting_bytes: usize,
}

/// Whether MSK would deliver it.
fn is_wanted(entry: &Entry) -> bool {
    entry.level >= Level::Info && !is_controller(entry.node_id)
}

/// Makes a folder that objects can be written to.
///
/// # Errors
/// One sentence.
pub fn usable(folder: &Path) -> Result<PathBuf, Refusal> {
    let refused =
        |error: io::Error| Refusal::invalid(format!("Logs cannot be delivered to {}: {error}.", folder.display()));
    if folder.as_os_str().is_empty() {
        return Err(Refusal::invalid("A folder to deliver logs to must have a name."));
    }
    fs::create_dir_all(folder).map_err(refused)?;
    let folder = folder.canonicalize().map_err(refused)?;
    let probe = folder.join(".brokerscope-probe");
    File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(refused)?;
    Ok(folder)
}

impl Delivery {
    /// Of the cluster with this id; to nowhere yet.
    pub fn new(cluster_id: &str) -> Delivery {
        let cluster = format!("{CLUSTER}-{}", uuid_of(cluster_id));
        let status = DeliveryStatus::default();
        Delivery { cluster, status, from: 1, delivered: BTreeMap::new(), waiting_lines: 0, waiting_bytes: 0 }
    }

    /// How it goes.
    pub fn status(&self) -> &DeliveryStatus {
        &self.status
    }

    /// To this folder, which is usable, from this line on.
    pub fn set_folder(&mut self, folder: Option<PathBuf>, from: u64, now_ms: i64) {
        self.status.next_at_ms = folder.is_some().then_some(now_ms + EVERY_MS);
        self.status.folder = folder;
        self.status.trouble = None;
        self.from = from;
        self.delivered.clear();
        (self.waiting_lines, self.waiting_bytes) = (0, 0);
    }

    fn is_waiting(&self, entry: &Entry) -> bool {
        let from = self.delivered.get(&entry.node_id).copied().unwrap_or(0).max(self.from);
        entry.seq >= from && is_wanted(entry)
    }

    /// A line is in the ring.
    pub fn note(&mut self, entry: &Entry) {
        self.waiting_lines += 1;
        self.waiting_bytes += entry.bytes();
    }

    /// Lines fell out of the ring. Returns how many of them should have been delivered.
    pub fn forget(&mut self, fallen: &[Arc<Entry>]) -> u64 {
        if self.status.folder.is_none() {
            return 0;
        }
        let lost = fallen.iter().filter(|entry| self.is_waiting(entry)).count() as u64;
        self.status.lines_lost += lost;
        lost
    }

    /// Whether it is time: by the clock, or as the ring would soon drop what was not delivered.
    pub fn is_due(&self, now_ms: i64) -> bool {
        let Some(next_at_ms) = self.status.next_at_ms else { return false };
        let is_pressing = self.waiting_lines > LINES_MAX / 2 || self.waiting_bytes > BYTES_MAX / 2;
        now_ms >= next_at_ms || (is_pressing && self.status.trouble.is_none())
    }

    /// Writes an object for each broker that has new lines.
    ///
    /// # Errors
    /// One sentence; what was not written is tried again.
    pub fn deliver(&mut self, lines: &LogLines, now_ms: i64) -> Result<(), String> {
        let Some(folder) = self.status.folder.clone() else { return Ok(()) };
        let waiting = || lines.from(self.from).filter(|entry| self.is_waiting(entry));
        let brokers: BTreeSet<NodeId> = waiting().map(|entry| entry.node_id).collect();
        let mut outcome = Ok(());
        for broker in brokers {
            let mut text = Vec::new();
            let mut count = 0;
            for entry in lines.from(self.from).filter(|entry| entry.node_id == broker && self.is_waiting(entry)) {
                entry.write_to(&mut text);
                count += 1;
            }
            match write_object(&folder, &self.cluster, broker, &text, now_ms) {
                Ok(name) => {
                    self.delivered.insert(broker, lines.next_seq());
                    self.status.objects += 1;
                    self.status.lines += count;
                    self.status.last_object = Some(name);
                    self.status.last_at_ms = Some(now_ms);
                }
                Err(error) => {
                    outcome = Err(format!("Logs could not be delivered to {}: {error}.", folder.display()));
                }
            }
        }
        if outcome.is_ok() {
            self.from = lines.next_seq();
            self.delivered.clear();
            (self.waiting_lines, self.waiting_bytes) = (0, 0);
        }
        self.status.trouble = outcome.as_ref().err().cloned();
        self.status.next_at_ms = Some(now_ms + if outcome.is_ok() { EVERY_MS } else { AGAIN_MS });
        outcome
    }
}

/// `AWSLogs/<account>/KafkaBrokerLogs/<region>/<cluster>-<uuid>/<yyyy-MM-dd-HH>/Broker-<id>_<HH-mm>_<hash>.log.gz` (UTC).
fn object_name(cluster: &str, broker: NodeId, hash: u32, now_ms: i64) -> String {
    let at = iso(now_ms);
    let (date, time) = at.split_once('T').unwrap_or((&at, ""));
    let (hour, minute) = (time.get(..2).unwrap_or_default(), time.get(3..5).unwrap_or_default());
    format!(
        "AWSLogs/{ACCOUNT}/KafkaBrokerLogs/{REGION}/{cluster}/{date}-{hour}/Broker-{broker}_{hour}-{minute}_{hash:08x}.log.gz"
    )
}

fn write_object(folder: &Path, cluster: &str, broker: NodeId, text: &[u8], now_ms: i64) -> io::Result<String> {
    let mut crc = Crc::new();
    crc.update(text);
    let mut hash = crc.sum();
    let mut name = object_name(cluster, broker, hash, now_ms);
    // Never over one that is there.
    while folder.join(&name).try_exists()? {
        hash = hash.wrapping_add(1);
        name = object_name(cluster, broker, hash, now_ms);
    }
    let path = folder.join(&name);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let unfinished = path.with_extension("gz.unfinished");
    let written = compress(&unfinished, text).and_then(|()| fs::rename(&unfinished, &path));
    if let Err(error) = written {
        // A rest that cannot be removed either does no harm: nobody takes it for an object.
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    Ok(name)
}

fn compress(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut encoder = GzEncoder::new(File::create(path)?, Compression::default());
    encoder.write_all(text)?;
    encoder.finish()?.sync_all()
}

/// A cluster's id, 22 digits of base 64, as the UUID that it is; another text as it stands, as far as it can be part of a file's name.
fn uuid_of(cluster_id: &str) -> String {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(u128::from(c - b'A')),
        b'a'..=b'z' => Some(u128::from(c - b'a') + 26),
        b'0'..=b'9' => Some(u128::from(c - b'0') + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    };
    let digits: Option<Vec<u128>> = cluster_id.bytes().map(digit).collect();
    match digits.as_deref() {
        // 21 digits hold 126 bits; the last one has the other 2 before 4 that are 0.
        Some([first @ .., last]) if first.len() == 21 => {
            let bits = first.iter().fold(0_u128, |bits, digit| (bits << 6) | digit);
            uuid::Uuid::from_u128((bits << 2) | (last >> 4)).to_string()
        }
        _ => cluster_id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::logs::ring::Ring;
    use broker::logging::{LogLine, Logger};
    use std::io::Read;

    const AT_MS: i64 = 1_795_763_124_123;

    fn line(node_id: NodeId, level: Level, message: &str) -> LogLine {
        LogLine { node_id, at_ms: AT_MS, level, logger: Logger::KafkaApis, message: message.into(), lost_before: 0 }
    }

    fn log(ring: &mut Ring, delivery: &mut Delivery, node_id: NodeId, level: Level, message: &str) {
        let (entry, fallen) = ring.push(line(node_id, level, message));
        delivery.note(&entry);
        for chunk in fallen {
            delivery.forget(&chunk);
        }
    }

    /// Objects by name, unpacked.
    fn objects(dir: &Path) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut dirs = vec![dir.to_path_buf()];
        while let Some(at) = dirs.pop() {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                    continue;
                }
                let mut text = String::new();
                flate2::read::GzDecoder::new(File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
                found.insert(path.strip_prefix(dir).unwrap().display().to_string(), text);
            }
        }
        found
    }

    #[test]
    fn objects_are_named_and_filled_as_msk_s_and_no_line_comes_twice() {
        let dir = tempfile::tempdir().unwrap();
        let (mut ring, mut delivery) = (Ring::default(), Delivery::new("MkU3OEVBNTcwNTJENDM2Qg"));
        log(&mut ring, &mut delivery, 1, Level::Info, "before");
        delivery.set_folder(Some(usable(dir.path()).unwrap()), ring.next_seq(), AT_MS);
        for (node, level, message) in [
            (1, Level::Info, "one"),
            (1, Level::Debug, "too much"),
            (2, Level::Error, "two"),
            (3000, Level::Error, "a controller's"),
            (1, Level::Warn, "three"),
        ] {
            log(&mut ring, &mut delivery, node, level, message);
        }
        assert!(!delivery.is_due(AT_MS + EVERY_MS - 1) && delivery.is_due(AT_MS + EVERY_MS));
        delivery.deliver(&ring.lines(), AT_MS).unwrap();
        let at =
            "AWSLogs/000000000000/KafkaBrokerLogs/local/brokerscope-32453738-4541-3537-3035-324434333642/2026-11-27-07";
        let said = |level: &str, message: &str| {
            format!("[2026-11-27 07:05:24,123] {level} {message} (kafka.server.KafkaApis)\n")
        };
        let first = objects(dir.path());
        let names: Vec<&String> = first.keys().collect();
        assert!(names[0].starts_with(&format!("{at}/Broker-1_07-05_")) && names[0].ends_with(".log.gz"), "{names:?}");
        assert!(names[1].starts_with(&format!("{at}/Broker-2_07-05_")), "{names:?}");
        assert_eq!(
            first.values().cloned().collect::<Vec<_>>(),
            [said("INFO", "one") + &said("WARN", "three"), said("ERROR", "two")]
        );
        log(&mut ring, &mut delivery, 2, Level::Info, "four");
        delivery.deliver(&ring.lines(), AT_MS).unwrap();
        delivery.deliver(&ring.lines(), AT_MS).unwrap();
        let second = objects(dir.path());
        let new: Vec<&String> =
            second.iter().filter(|(name, _)| !first.contains_key(*name)).map(|(_, text)| text).collect();
        assert_eq!(new, [&said("INFO", "four")], "and nothing where there is nothing new");
        assert_eq!((delivery.status().objects, delivery.status().lines), (3, 4));
        // The very same line in the same minute is another object.
        log(&mut ring, &mut delivery, 2, Level::Info, "four");
        delivery.deliver(&ring.lines(), AT_MS).unwrap();
        assert_eq!(objects(dir.path()).len(), 4);
    }

    #[test]
    fn what_fails_is_tried_again_and_what_the_ring_lost_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("to");
        let (mut ring, mut delivery) = (Ring::default(), Delivery::new("c"));
        delivery.set_folder(Some(usable(&folder).unwrap()), ring.next_seq(), AT_MS);
        log(&mut ring, &mut delivery, 1, Level::Info, "kept");
        // A file stands where a directory should be.
        fs::remove_dir(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        let said = delivery.deliver(&ring.lines(), AT_MS).unwrap_err();
        assert!(said.ends_with('.') && !said.contains('\n') && delivery.status().trouble.is_some(), "{said}");
        assert!(!delivery.is_due(AT_MS + AGAIN_MS - 1) && delivery.is_due(AT_MS + AGAIN_MS));
        fs::remove_file(&folder).unwrap();
        delivery.deliver(&ring.lines(), AT_MS).unwrap();
        assert_eq!((objects(&folder).len(), &delivery.status().trouble), (1, &None));
        // A flood: it is due before the ring overflows; if it is not delivered all the same, what is lost is told.
        for number in 0..=LINES_MAX / 2 {
            log(&mut ring, &mut delivery, 1, Level::Info, &number.to_string());
        }
        assert!(delivery.is_due(AT_MS) && delivery.status().lines_lost == 0);
        for number in 0..LINES_MAX {
            log(&mut ring, &mut delivery, 1 + (number % 2) as NodeId, Level::Info, "x");
        }
        delivery.deliver(&ring.lines(), AT_MS).unwrap();
        let status = delivery.status();
        assert_eq!(status.lines + status.lines_lost, 1 + LINES_MAX as u64 / 2 + 1 + LINES_MAX as u64);
        assert!(status.lines_lost > 0 && !delivery.is_due(AT_MS));
    }

    #[test]
    fn folders_are_checked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        for bad in [file.join("below"), file, PathBuf::new()] {
            let refusal = usable(&bad).unwrap_err();
            assert!(refusal.text.ends_with('.') && !refusal.text.contains('\n'), "{refusal}");
        }
        assert!(usable(&dir.path().join("a/b")).unwrap().is_absolute());
        assert_eq!(uuid_of("AAAAAAAAAAAAAAAAAAAAAA"), "00000000-0000-0000-0000-000000000000");
        assert_eq!(uuid_of("../x y"), "xy");
    }
}
