//! A recording as a file: it is opened on another machine, without a cluster.
//!
//! Sections, each with its kind, its length, and its length before compression. What is read comes from anybody: lengths are bounded, and
//! what is not understood is refused in one sentence.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize, from_slice, to_vec};
use broker::logging::{Level, Logger};
use broker::metrics::table;
use broker::recorded::invalid;

use super::archive::{Archive, CHUNK_BYTES_MAX, Chunk, compress, decompress};
use super::beside::{Beside, EVENTS_MAX, SECONDS_MAX, Second};
use super::lanes::Lanes;
use super::record::{Opened, Record};
use crate::monitor::cloudwatch::store::{Key, SERIES_MAX, Series, Store};
use crate::monitor::logs::entry::Entry;
use crate::monitor::logs::ring::{LINES_MAX, LogLines};
use crate::monitor::view::{EventEntry, Metric};
use crate::monitor::writing::{Writing, must_be_a_file};

/// What a file's name ends with.
pub const EXTENSION: &str = "brokerscope";

/// What a recording begins with.
const MAGIC: &[u8; 16] = b"BROKERSCOPE REC\n";
/// Grows when the same bytes mean something else.
const FORMAT: u32 = 1;
/// Larger files are none of ours, bytes.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// All sections but chunks, opened, bytes.
const OPENED_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Things of one section.
const BATCH: usize = 256;

/// Why a recording could not be written or opened.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is no recording of Brokerscope's")]
    Foreign,
    /// It was made by a program that writes otherwise.
    #[error("it was recorded by Brokerscope {0}, whose recordings this version cannot read")]
    OtherVersion(String),
    /// Something in it makes no sense.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Header {
    format: u32,
    version: String,
    /// Of what is not written out in full: the table of MBeans.
    table: u64,
}

impl Header {
    fn own() -> Header {
        let mut hasher = DefaultHasher::new();
        for bean in table::all() {
            (bean.domain, bean.kind, bean.name, bean.keys).hash(&mut hasher);
        }
        Header { format: FORMAT, version: env!("CARGO_PKG_VERSION").into(), table: hasher.finish() }
    }
}

#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, PartialEq)]
enum Kind {
    Chunk,
    Events,
    Seconds,
    Series,
    Lines,
    Lanes,
    End,
}

/// A chunk but for its frames.
type ChunkFacts = (i64, i64, u32, u8);
/// A second of all series.
type SecondFacts = (i64, Vec<(Metric, String)>, Vec<u64>);
/// A line of a log.
type LineFacts = (u64, i64, i32, String, String, String, u64);

/// Writes all of it; the file is there whole, or as it was before.
///
/// # Errors
/// The file system says no.
pub fn save(record: &Record, path: &Path) -> Result<(), RecordingError> {
    let mut file = Writing::begin(path)?;
    write(record, &mut file)?;
    Ok(file.finish()?)
}

/// Writes all of it.
///
/// # Errors
/// The writer's.
pub fn write(record: &Record, out: &mut impl Write) -> Result<(), RecordingError> {
    out.write_all(MAGIC)?;
    Header::own().serialize(out)?;
    for chunk in record.archive.sealed()? {
        let facts: ChunkFacts = (chunk.from_ms, chunk.until_ms, chunk.frames, chunk.level);
        section(out, Kind::Chunk, chunk.raw_bytes, &chunk.bytes)?;
        facts.serialize(out)?;
    }
    let beside = &record.beside;
    let events: Vec<&Arc<EventEntry>> = beside.events.iter().collect();
    for events in events.chunks(BATCH) {
        packed(out, Kind::Events, &to_vec(events)?)?;
    }
    let seconds: Vec<&Second> = beside.seconds.iter().collect();
    for seconds in seconds.chunks(BATCH) {
        let facts = seconds.iter().map(|second| {
            (second.at_ms, second.names.to_vec(), second.values.iter().map(|value| value.to_bits()).collect())
        });
        packed(out, Kind::Seconds, &to_vec(&facts.collect::<Vec<SecondFacts>>())?)?;
    }
    let series: Vec<(&Arc<Key>, &Arc<Series>)> = beside.store.iter().collect();
    for series in series.chunks(BATCH) {
        packed(out, Kind::Series, &to_vec(series)?)?;
    }
    let lines: Vec<LineFacts> = beside.lines.from(0).map(|entry| line(entry)).collect();
    for lines in lines.chunks(16 * BATCH) {
        packed(out, Kind::Lines, &to_vec(lines)?)?;
    }
    packed(out, Kind::Lanes, &to_vec(&*beside.lanes)?)?;
    section(out, Kind::End, 0, &[])?;
    out.flush()?;
    Ok(())
}

fn packed(out: &mut impl Write, kind: Kind, raw: &[u8]) -> Result<(), RecordingError> {
    section(out, kind, raw.len(), &compress(raw)?)
}

fn section(out: &mut impl Write, kind: Kind, raw_bytes: usize, bytes: &[u8]) -> Result<(), RecordingError> {
    (kind, raw_bytes as u64, bytes.len() as u64).serialize(out)?;
    out.write_all(bytes)?;
    Ok(())
}

fn line(entry: &Entry) -> LineFacts {
    let (level, logger) = (entry.level.name().to_owned(), entry.logger.name().to_owned());
    (entry.seq, entry.at_ms, entry.node_id, level, logger, entry.message.to_string(), entry.lost_before)
}

fn entry((seq, at_ms, node_id, level, logger, message, lost_before): LineFacts) -> io::Result<Arc<Entry>> {
    let level = Level::of(&level).ok_or_else(|| invalid("a line of a log has no such level"))?;
    let logger = Logger::of(&logger).ok_or_else(|| invalid("a line of a log has no such logger"))?;
    Ok(Arc::new(Entry { seq, at_ms, node_id, level, logger, message: message.into(), lost_before }))
}

/// Opens a recording.
///
/// # Errors
/// It cannot be read, is something else, was made by another version, or is damaged.
pub fn open(path: &Path) -> Result<Record, RecordingError> {
    // A pipe is not opened: nobody may ever write to it.
    must_be_a_file(Some(&fs::metadata(path)?))?;
    let file = File::open(path)?;
    if file.metadata()?.len() > FILE_BYTES_MAX {
        return Err(RecordingError::Foreign);
    }
    read(&mut BufReader::new(file))
}

/// Reads a recording.
///
/// # Errors
/// As [`open`].
pub fn read(input: &mut impl Read) -> Result<Record, RecordingError> {
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic).map_err(|_| RecordingError::Foreign)?;
    if magic != *MAGIC {
        return Err(RecordingError::Foreign);
    }
    let own = Header::own();
    let header = Header::deserialize_reader(input).map_err(damaged)?;
    if (header.format, header.table) != (own.format, own.table) {
        let version: String = header.version.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(RecordingError::OtherVersion(version));
    }
    let record = sections(input).map_err(damaged)?;
    // Whoever opens it is to learn now that it is damaged, not when it is dragged there.
    if let Some((_, until_ms)) = record.archive.span_ms() {
        record.view_at(until_ms, &mut Opened::default()).map_err(damaged)?;
    }
    Ok(record)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn damaged(error: io::Error) -> RecordingError {
    let words = error.to_string();
    // What borsh says where bytes are missing.
    let ends_early = error.kind() == io::ErrorKind::UnexpectedEof || words == "Unexpected length of input";
    RecordingError::Damaged(if ends_early { "it ends too early".into() } else { words })
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    chunks: Vec<Chunk>,
    events: Vec<Arc<EventEntry>>,
    seconds: Vec<Second>,
    series: Vec<(Arc<Key>, Arc<Series>)>,
    lines: Vec<Arc<Entry>>,
    lanes: Lanes,
    opened_bytes: usize,
}

fn sections(input: &mut impl Read) -> io::Result<Record> {
    let mut reading = Reading::default();
    loop {
        let (kind, raw_bytes, length) = <(Kind, u64, u64)>::deserialize_reader(input)?;
        let too_long = |bytes: u64| usize::try_from(bytes).ok().filter(|bytes| *bytes <= CHUNK_BYTES_MAX);
        let (Some(raw_bytes), Some(length)) = (too_long(raw_bytes), too_long(length)) else {
            return Err(invalid("a section is too long"));
        };
        let mut bytes = Vec::new();
        input.take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match kind {
            Kind::End => return reading.record(),
            Kind::Chunk => {
                let (from_ms, until_ms, frames, level) = ChunkFacts::deserialize_reader(input)?;
                reading.chunks.push(Chunk { from_ms, until_ms, frames, level, raw_bytes, bytes: bytes.into() });
            }
            kind => reading.section(kind, &bytes, raw_bytes)?,
        }
    }
}

impl Reading {
    fn section(&mut self, kind: Kind, bytes: &[u8], raw_bytes: usize) -> io::Result<()> {
        self.opened_bytes = self.opened_bytes.saturating_add(raw_bytes);
        if self.opened_bytes > OPENED_BYTES_MAX {
            return Err(invalid("it has too much beside its frames"));
        }
        let raw = decompress(bytes, raw_bytes)?;
        match kind {
            Kind::Events => self.events.extend(from_slice::<Vec<Arc<EventEntry>>>(&raw)?),
            Kind::Series => self.series.extend(from_slice::<Vec<(Arc<Key>, Arc<Series>)>>(&raw)?),
            Kind::Lanes => self.lanes = from_slice(&raw)?,
            Kind::Seconds => {
                for (at_ms, names, values) in from_slice::<Vec<SecondFacts>>(&raw)? {
                    let values: Box<[f64]> = values.into_iter().map(f64::from_bits).collect();
                    let names = match self.seconds.last().filter(|second| *second.names == *names) {
                        Some(second) => second.names.clone(),
                        None => names.into(),
                    };
                    self.seconds.push(Second { at_ms, names, values });
                }
            }
            Kind::Lines => {
                for facts in from_slice::<Vec<LineFacts>>(&raw)? {
                    self.lines.push(entry(facts)?);
                }
            }
            Kind::Chunk | Kind::End => {}
        }
        let is_bounded = self.events.len() <= 2 * EVENTS_MAX
            && self.seconds.len() <= 2 * SECONDS_MAX
            && self.series.len() <= SERIES_MAX
            && self.lines.len() <= 2 * LINES_MAX;
        if is_bounded { Ok(()) } else { Err(invalid("it has more than there can be")) }
    }

    fn record(self) -> io::Result<Record> {
        let follow = self.lines.is_sorted_by(|one, other| one.seq.checked_add(1) == Some(other.seq));
        if !follow || !self.events.is_sorted_by(|one, other| one.seq < other.seq) {
            return Err(invalid("its events or its logs are out of order"));
        }
        let store = Store::replayed(self.series).ok_or_else(|| invalid("its metrics make no sense"))?;
        let beside = Beside {
            events: self.events.into_iter().collect(),
            seconds: self.seconds.into_iter().collect(),
            store: Arc::new(store),
            lines: LogLines::of(self.lines),
            lanes: Arc::new(self.lanes),
        };
        Ok(Record { archive: Archive::of(self.chunks)?, beside, missed: 0 })
    }
}
