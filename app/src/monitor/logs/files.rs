//! Files of the nodes' logs, named as Kafka's configuration file names them, turned over by size so that they are bounded. A disk that
//! fails ends nothing: what it does not take is counted, and it is tried again later.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use broker::logging::{File as Kind, Level};
use broker::types::NodeId;

use super::entry::{Entry, NOTES, write_line};
use crate::monitor::names::is_controller;

/// A file that is larger is turned over before the next line.
pub const FILE_MAX_BYTES: u64 = 10 * 1024 * 1024;

/// How many older files are kept of each: `server.log.1` is the newest of them.
pub const OLDER_KEPT: u32 = 5;

/// What is written at once at most.
const BUFFER_BYTES: usize = 64 * 1024;

/// A disk that failed is let alone for so long.
const REST: Duration = Duration::from_secs(10);

/// All files.
#[derive(Debug)]
pub struct LogFiles {
    root: PathBuf,
    max_bytes: u64,
    open: BTreeMap<(NodeId, Kind), OpenFile>,
    resting_until: Option<Instant>,
    trouble: Option<String>,
    /// Of each file, lines that it lacks and has not told yet.
    missing: BTreeMap<(NodeId, Kind), u64>,
    unwritten: u64,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    bytes: u64,
    buffer: Vec<u8>,
    buffered_lines: u64,
    /// Lines that are told to be missing in what is buffered.
    buffered_missing: u64,
}

/// How it goes with the disk, when that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Files cannot be written any more; one sentence.
    Failed(String),
    /// They can be written again.
    Mended,
}

/// `broker-1`, `controller-3000`.
fn folder(node_id: NodeId) -> String {
    format!("{}-{node_id}", if is_controller(node_id) { "controller" } else { "broker" })
}

impl LogFiles {
    /// Under this directory, which is made when there is something to write. What is there is continued.
    pub fn new(root: PathBuf) -> LogFiles {
        LogFiles::bounded(root, FILE_MAX_BYTES)
    }

    fn bounded(root: PathBuf, max_bytes: u64) -> LogFiles {
        LogFiles {
            root,
            max_bytes,
            open: BTreeMap::new(),
            resting_until: None,
            trouble: None,
            missing: BTreeMap::new(),
            unwritten: 0,
        }
    }

    /// Where they are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Why they are not written now.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// How many lines are in no file.
    pub fn unwritten(&self) -> u64 {
        self.unwritten
    }

    /// Writes a line, or keeps it until the next [`LogFiles::flush`].
    pub fn write(&mut self, entry: &Entry, now: Instant) -> Option<Turn> {
        let key = (entry.node_id, entry.logger.file());
        if self.resting_until.is_some_and(|until| now < until) {
            self.miss(key, 1);
            return None;
        }
        let mut is_kept = false;
        let error = self.try_write(key, entry, &mut is_kept).err()?;
        if !is_kept {
            self.miss(key, 1);
        }
        self.fail(&error, now)
    }

    /// Says in `is_kept` whether the line is in a buffer, whose lines are counted if it cannot be written.
    fn try_write(&mut self, key: (NodeId, Kind), entry: &Entry, is_kept: &mut bool) -> io::Result<()> {
        if let Some(full) = self.open.get_mut(&key)
            && full.bytes + full.buffer.len() as u64 >= self.max_bytes
        {
            full.write_out()?;
            self.open.remove(&key);
            self.turn_over(key)?;
        }
        if !self.open.contains_key(&key) {
            let opened = self.opened(key)?;
            self.open.insert(key, opened);
        }
        let Some(open) = self.open.get_mut(&key) else { return Ok(()) };
        if let Some(lines) = self.missing.remove(&key) {
            let said = format!("{lines} lines are missing here: they could not be written.");
            write_line(&mut open.buffer, entry.at_ms, Level::Warn, &said, NOTES);
            open.buffered_missing = lines;
        }
        entry.write_to(&mut open.buffer);
        open.buffered_lines += 1;
        *is_kept = true;
        if open.buffer.len() >= BUFFER_BYTES { open.write_out() } else { Ok(()) }
    }

    fn path(&self, (node_id, kind): (NodeId, Kind), older: u32) -> PathBuf {
        let name = kind.name();
        let dir = self.root.join(folder(node_id));
        if older == 0 { dir.join(name) } else { dir.join(format!("{name}.{older}")) }
    }

    fn opened(&self, key: (NodeId, Kind)) -> io::Result<OpenFile> {
        let path = self.path(key, 0);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let bytes = file.metadata()?.len();
        let mut buffer = Vec::new();
        // A crash or a full disk may have left half a line.
        if bytes > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                buffer.push(b'\n');
            }
        }
        Ok(OpenFile { file, bytes, buffer, buffered_lines: 0, buffered_missing: 0 })
    }

    fn turn_over(&self, key: (NodeId, Kind)) -> io::Result<()> {
        for older in (0..OLDER_KEPT).rev() {
            match fs::rename(self.path(key, older), self.path(key, older + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes what is kept; to be called when no line waits.
    pub fn flush(&mut self, now: Instant) -> Option<Turn> {
        let outcome = self.open.values_mut().try_for_each(OpenFile::write_out);
        if let Err(error) = outcome {
            return self.fail(&error, now);
        }
        // Only a write that reached the disk proves that it can be written again.
        if self.trouble.is_some() && self.resting_until.is_some_and(|until| now >= until) && !self.open.is_empty() {
            self.trouble = None;
            self.resting_until = None;
            return Some(Turn::Mended);
        }
        None
    }

    fn miss(&mut self, key: (NodeId, Kind), lines: u64) {
        if lines == 0 {
            return;
        }
        *self.missing.entry(key).or_default() += lines;
        self.unwritten += lines;
    }

    fn fail(&mut self, error: &io::Error, now: Instant) -> Option<Turn> {
        self.resting_until = Some(now + REST);
        for (key, open) in std::mem::take(&mut self.open) {
            self.miss(key, open.buffered_lines);
            if open.buffered_missing > 0 {
                *self.missing.entry(key).or_default() += open.buffered_missing;
            }
        }
        let is_news = self.trouble.is_none();
        let text = format!("Files under {} cannot be written: {error}.", self.root.display());
        self.trouble = Some(text.clone());
        is_news.then_some(Turn::Failed(text))
    }
}

impl OpenFile {
    fn write_out(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.buffer)?;
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        (self.buffered_lines, self.buffered_missing) = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::logging::Logger;

    fn entry(node_id: NodeId, logger: Logger, message: &str) -> Entry {
        Entry { seq: 1, at_ms: 0, node_id, level: Level::Info, logger, message: message.into(), lost_before: 0 }
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn each_logger_has_its_file_and_files_are_continued() {
        let dir = tempfile::tempdir().unwrap();
        let now = Instant::now();
        for round in ["first", "second"] {
            let mut files = LogFiles::new(dir.path().join("logs"));
            for (node, logger) in [
                (1, Logger::KafkaApis),
                (1, Logger::StateChange),
                (1, Logger::RequestLogger),
                (2, Logger::LogCleaner),
                (3000, Logger::QuorumController),
            ] {
                assert_eq!(files.write(&entry(node, logger, round), now), None);
            }
            assert_eq!(files.flush(now), None);
        }
        for (path, logger) in [
            ("broker-1/server.log", "kafka.server.KafkaApis"),
            ("broker-1/state-change.log", "state.change.logger"),
            ("broker-1/kafka-request.log", "kafka.request.logger"),
            ("broker-2/log-cleaner.log", "org.apache.kafka.storage.internals.log.LogCleaner"),
            ("controller-3000/controller.log", "org.apache.kafka.controller.QuorumController"),
        ] {
            let line = |round| format!("[1970-01-01 00:00:00,000] INFO {round} ({logger})\n");
            assert_eq!(read(&dir.path().join("logs").join(path)), line("first") + &line("second"));
        }
    }

    #[test]
    fn files_are_turned_over_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let (now, max_bytes) = (Instant::now(), 1_000);
        let mut files = LogFiles::bounded(dir.path().to_path_buf(), max_bytes);
        for number in 0..400 {
            files.write(&entry(1, Logger::KafkaApis, &format!("line {number:03}")), now);
        }
        files.flush(now);
        let broker = dir.path().join("broker-1");
        let mut names: Vec<String> =
            fs::read_dir(&broker).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let older = (1..=OLDER_KEPT).map(|older| format!("server.log.{older}"));
        assert_eq!(names, ["server.log".to_owned()].into_iter().chain(older).collect::<Vec<_>>());
        let mut all = String::new();
        for name in names.iter().skip(1).rev().chain([&names[0]]) {
            let text = read(&broker.join(name));
            assert!(text.len() as u64 <= max_bytes + 100, "{name} has {} bytes", text.len());
            all += &text;
        }
        let numbers: Vec<u32> =
            all.lines().map(|line| line.split_once("line ").unwrap().1[..3].parse().unwrap()).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1) && numbers.last() == Some(&399), "{numbers:?}");
    }

    #[test]
    fn a_disk_that_fails_is_told_once_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("logs");
        // A file stands where the directory should be.
        fs::write(&root, "").unwrap();
        let mut files = LogFiles::new(root.clone());
        let began = Instant::now();
        let write = |files: &mut LogFiles, text: &str, after: Duration| {
            let written = files.write(&entry(1, Logger::KafkaApis, text), began + after);
            written.or(files.flush(began + after))
        };
        let failed = write(&mut files, "a", Duration::ZERO);
        assert!(matches!(&failed, Some(Turn::Failed(text)) if text.ends_with('.')), "{failed:?}");
        assert_eq!(write(&mut files, "b", Duration::from_secs(1)), None, "it rests");
        assert_eq!(write(&mut files, "c", REST), None, "it is known already");
        assert!(files.trouble().is_some());
        fs::remove_file(&root).unwrap();
        assert_eq!(write(&mut files, "d", REST), None, "it rests again");
        assert_eq!(write(&mut files, "e", 2 * REST), Some(Turn::Mended));
        assert_eq!((files.unwritten(), files.trouble()), (4, None));
        let text = read(&root.join("broker-1/server.log"));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("WARN 4 lines are missing here: they could not be written. (brokerscope.logs)"));
        assert!(lines.len() == 2 && lines[1].contains(" INFO e ("), "{text}");
    }

    #[test]
    fn half_a_line_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("broker-1/server.log");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "half a li").unwrap();
        let (now, mut files) = (Instant::now(), LogFiles::new(dir.path().to_path_buf()));
        files.write(&entry(1, Logger::KafkaApis, "whole"), now);
        files.flush(now);
        assert_eq!(read(&path), "half a li\n[1970-01-01 00:00:00,000] INFO whole (kafka.server.KafkaApis)\n");
    }
}
