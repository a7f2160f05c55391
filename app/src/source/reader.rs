//! Reads a topic for somebody who looks, on a thread of its own: what is found appears in the view while it is read. One reading at a time;
//! a new one ends the one before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use broker::protocol::ErrorCode;

use super::operations::Servers;
use crate::client::{self, Client, ClientError};
use crate::monitor::messages::Message;
use crate::monitor::messages::read::{BYTES_MAX, Filter, MESSAGES_MAX, MessagesView, ReadState, ReadWish, Start};
use crate::monitor::slot::ViewSlot;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What one fetch brings, about.
const FETCH_BYTES: i32 = 1 << 20;
/// News are told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// How long to wait when nothing new was written.
const QUIET: Duration = Duration::from_millis(200);

/// As ListOffsets asks for the ends of a log.
const BEGINNING: i64 = -2;
const END: i64 = -1;

/// The reading of now.
#[derive(Default)]
pub struct Reader {
    cancel: Option<Arc<AtomicBool>>,
}

impl Reader {
    /// Begins another reading; `None`: only ends the one before.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn read(&mut self, wish: Option<ReadWish>, servers: Servers, slot: ViewSlot) -> std::io::Result<()> {
        if let Some(cancel) = self.cancel.take() {
            cancel.store(true, Ordering::Relaxed);
        }
        let Some(wish) = wish else {
            slot.end_messages();
            return Ok(());
        };
        let cancel = Arc::new(AtomicBool::new(false));
        self.cancel = Some(cancel.clone());
        let run = move || Reading::new(wish, cancel, slot).run(&servers);
        std::thread::Builder::new().name("messages".into()).spawn(run).map(drop)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(cancel) = &self.cancel {
            cancel.store(true, Ordering::Relaxed);
        }
    }
}

struct Reading {
    wish: Arc<ReadWish>,
    cancel: Arc<AtomicBool>,
    slot: ViewSlot,
    found: Vec<Arc<Message>>,
    bytes: usize,
    scanned: u64,
    /// Where each partition goes on.
    next: BTreeMap<i32, i64>,
    told: Option<Instant>,
}

impl Reading {
    fn new(wish: ReadWish, cancel: Arc<AtomicBool>, slot: ViewSlot) -> Reading {
        Reading {
            wish: Arc::new(wish),
            cancel,
            slot,
            found: Vec::new(),
            bytes: 0,
            scanned: 0,
            next: BTreeMap::new(),
            told: None,
        }
    }

    fn run(mut self, servers: &Servers) {
        self.tell(ReadState::Reading);
        let state = match Filter::parse(&self.wish.filter) {
            Ok(filter) => match self.read(servers, &filter) {
                Ok(state) => state,
                Err(error) => ReadState::Failed(format!("Topic {} could not be read: {error}.", self.wish.topic)),
            },
            Err(why) => ReadState::Failed(why),
        };
        self.tell(state);
    }

    fn is_over(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn read(&mut self, servers: &Servers, filter: &Filter) -> Result<ReadState, ClientError> {
        let mut client = Client::new(&servers(), PATIENCE);
        let ends = self.begin(&mut client)?;
        let mut quiet_rounds = 0;
        while !self.is_over() {
            let mut read_any = false;
            for partition in self.next.keys().copied().collect::<Vec<_>>() {
                let is_due = self.wish.follow || self.next[&partition] < ends.get(&partition).copied().unwrap_or(0);
                if is_due && !self.is_over() {
                    read_any |= self.fetch(&mut client, partition, filter)?;
                }
                if !self.wish.follow && (self.found.len() >= MESSAGES_MAX || self.bytes >= BYTES_MAX) {
                    return Ok(ReadState::Full);
                }
                self.tell_in_time();
            }
            let is_done = |(partition, next): (&i32, &i64)| ends.get(partition).is_none_or(|end| next >= end);
            if !self.wish.follow && (self.next.iter().all(is_done) || !read_any) {
                // What is not committed yet is at the end for those who want only what is.
                return Ok(ReadState::Done);
            }
            if !read_any {
                quiet_rounds += 1;
                // Once it is known to follow, nothing is told until there is news.
                if quiet_rounds == 1 {
                    self.tell(ReadState::Following);
                }
                std::thread::park_timeout(QUIET);
            } else {
                quiet_rounds = 0;
            }
        }
        Ok(ReadState::Done)
    }

    /// Finds out where each partition begins, and where it ends now.
    fn begin(&mut self, client: &mut Client) -> Result<BTreeMap<i32, i64>, ClientError> {
        let topic = self.wish.topic.clone();
        let wanted = |partition: i32| self.wish.partition.is_none_or(|only| only == partition);
        let mut of = |timestamp_ms: i64| -> Result<BTreeMap<i32, i64>, ClientError> {
            let told = client::offsets_of_topic(client, &topic, timestamp_ms)?;
            Ok(told.into_iter().filter(|one| wanted(one.partition)).map(|one| (one.partition, one.offset)).collect())
        };
        let (begins, ends) = (of(BEGINNING)?, of(END)?);
        let at_time = match self.wish.start {
            Start::Since(timestamp_ms) => of(timestamp_ms)?,
            _ => BTreeMap::new(),
        };
        let start = |partition: &i32, end: i64| match &self.wish.start {
            Start::Newest(count) => end - i64::from(count.div_ceil(ends.len().max(1) as u32)),
            Start::Beginning => 0,
            Start::Offset(offset) => *offset,
            // Without a record since then, only what comes is new.
            Start::Since(_) => at_time.get(partition).copied().filter(|offset| *offset >= 0).unwrap_or(end),
            Start::Offsets(offsets) => offsets.get(partition).copied().unwrap_or(end),
        };
        let from = |(partition, end): (&i32, &i64)| {
            let begin = begins.get(partition).copied().unwrap_or(0);
            (*partition, start(partition, *end).clamp(begin, (*end).max(begin)))
        };
        self.next = ends.iter().map(from).collect();
        Ok(ends)
    }

    /// Whether something was read.
    fn fetch(&mut self, client: &mut Client, partition: i32, filter: &Filter) -> Result<bool, ClientError> {
        let offset = self.next[&partition];
        let topic = self.wish.topic.clone();
        let fetched = match client::fetch(client, (&topic, partition), offset, self.wish.isolation, FETCH_BYTES, 0) {
            // Retention, or somebody who deletes records, was quicker: on with the first that is left.
            Err(error) if error.code() == Some(ErrorCode::OffsetOutOfRange) => {
                let begins = client::offsets_at(client, &[(&*topic, partition)], BEGINNING)?;
                let begin = begins.first().map_or(0, |one| one.offset);
                if begin <= offset {
                    return Err(error);
                }
                self.next.insert(partition, begin);
                return Ok(true);
            }
            fetched => fetched?,
        };
        self.scanned += fetched.messages.len() as u64;
        for message in fetched.messages {
            if filter.passes(&message) {
                self.bytes += message.size_bytes();
                self.found.push(Arc::new(message));
            }
            // Of a reading that follows, the newest stay.
            if self.wish.follow && (self.found.len() > MESSAGES_MAX || self.bytes > BYTES_MAX) {
                self.bytes -= self.found.remove(0).size_bytes();
            }
        }
        if let Some(why) = fetched.unreadable {
            let what = format!("a part of partition {partition} could not be read: {why}");
            return Err(ClientError::Unexpected { address: format!("partition {partition}"), what });
        }
        self.next.insert(partition, fetched.next_offset);
        Ok(fetched.next_offset > offset)
    }

    fn tell_in_time(&mut self) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.tell(if self.wish.follow { ReadState::Following } else { ReadState::Reading });
        }
    }

    fn tell(&mut self, state: ReadState) {
        // A newer reading has the place.
        if self.is_over() {
            return;
        }
        self.told = Some(Instant::now());
        self.slot.publish_messages(MessagesView {
            wish: Some(self.wish.clone()),
            state,
            found: Arc::new(self.found.clone()),
            scanned: self.scanned,
            next_offsets: Arc::new(self.next.clone()),
            generation: 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::testing::{House, house, until};
    use crate::client::{create_topic, produce};
    use crate::monitor::messages::{Isolation, NewMessage};
    use crate::monitor::operation::OffsetOf;

    fn wish(start: Start) -> ReadWish {
        ReadWish {
            topic: "t".into(),
            partition: None,
            start,
            isolation: Isolation::Uncommitted,
            filter: String::new(),
            follow: false,
        }
    }

    fn begin(house: &House, reader: &mut Reader, slot: &ViewSlot, wish: &ReadWish) {
        let servers = house.servers.clone();
        reader.read(Some(wish.clone()), Arc::new(move || servers.clone()), slot.clone()).unwrap();
    }

    /// What was found when it ended, as (partition, offset), and how it ended.
    fn read(house: &House, wish: &ReadWish) -> (Vec<(i32, i64)>, ReadState, u64) {
        let (mut reader, slot) = (Reader::default(), ViewSlot::default());
        begin(house, &mut reader, &slot, wish);
        until("it ends", || {
            let view = slot.latest().messages;
            if view.wish.is_some() && !view.is_under_way() { Ok(()) } else { Err(view.state) }
        });
        let view = slot.latest().messages;
        let mut found: Vec<(i32, i64)> = view.found.iter().map(|one| (one.partition, one.offset)).collect();
        found.sort_unstable();
        (found, view.state, view.scanned)
    }

    #[test]
    fn from_where_one_wants_and_what_one_wants() {
        let house = house();
        create_topic(&mut house.client(), "t", 2, 3, &[]).unwrap();
        house.write("t", 0, 10);
        house.write("t", 1, 10);
        let all: Vec<(i32, i64)> =
            (0..2).flat_map(|partition| (0..10).map(move |offset| (partition, offset))).collect();
        assert_eq!(read(&house, &wish(Start::Beginning)), (all.clone(), ReadState::Done, 20));
        assert_eq!(read(&house, &wish(Start::Newest(4))).0, [(0, 8), (0, 9), (1, 8), (1, 9)]);
        assert_eq!(read(&house, &wish(Start::Offset(9))).0, [(0, 9), (1, 9)]);
        assert_eq!(read(&house, &wish(Start::Offset(99))).0, []);
        // The records' timestamps are 10,000, 11,000, …
        assert_eq!(read(&house, &wish(Start::Since(18_001))).0, [(0, 9), (1, 9)]);
        assert_eq!(read(&house, &wish(Start::Offsets([(0, 8), (1, 10)].into()))).0, [(0, 8), (0, 9)]);
        let only = ReadWish { partition: Some(1), filter: "/^[37]$/".into(), ..wish(Start::Beginning) };
        assert_eq!(read(&house, &only), (vec![(1, 3), (1, 7)], ReadState::Done, 10));
        let wrong = ReadWish { filter: "/(/".into(), ..wish(Start::Beginning) };
        assert!(matches!(read(&house, &wrong).1, ReadState::Failed(why) if why.contains("pattern")));
        let nowhere = ReadWish { topic: "nowhere".into(), ..wish(Start::Beginning) };
        assert!(matches!(read(&house, &nowhere).1, ReadState::Failed(why) if why.contains("no such topic")));
    }

    #[test]
    fn it_is_followed_while_it_is_written_and_no_longer() {
        let house = house();
        let mut client = house.client();
        create_topic(&mut client, "t", 1, 3, &[]).unwrap();
        house.write("t", 0, 3);
        let (mut reader, slot) = (Reader::default(), ViewSlot::default());
        begin(&house, &mut reader, &slot, &ReadWish { follow: true, ..wish(Start::Newest(1)) });
        let found = || slot.latest().messages.found.len();
        until("the newest is there", || if found() == 1 { Ok(()) } else { Err(found()) });
        // Its leader dies meanwhile.
        house.cluster.kill_node(house.seen("t").2, "a test").unwrap();
        let message = NewMessage { value: Some("new".into()), ..NewMessage::default() };
        produce(&mut client, ("t", 0), &message).unwrap();
        until("the new one is there", || if found() == 2 { Ok(()) } else { Err(found()) });
        reader.read(None, Arc::new(String::new), slot.clone()).unwrap();
        assert_eq!(slot.latest().messages.state, ReadState::Done);
        produce(&mut client, ("t", 0), &message).unwrap();
        assert_eq!(found(), 2, "nobody reads any more");
    }

    #[test]
    fn what_is_deleted_meanwhile_is_passed_over() {
        let house = house();
        let mut client = house.client();
        create_topic(&mut client, "t", 1, 3, &[]).unwrap();
        house.write("t", 0, 10);
        let mut reading = Reading::new(wish(Start::Beginning), Arc::default(), ViewSlot::default());
        reading.begin(&mut client).unwrap();
        let gone = OffsetOf { topic: "t".into(), partition: 0, offset: 7 };
        client::delete_records(&mut client, &[gone]).unwrap();
        let all = Filter::parse("").unwrap();
        assert!(reading.fetch(&mut client, 0, &all).unwrap());
        assert_eq!((reading.found.len(), reading.next[&0]), (0, 7));
        assert!(reading.fetch(&mut client, 0, &all).unwrap());
        assert_eq!(reading.found.iter().map(|one| one.offset).collect::<Vec<_>>(), [7, 8, 9]);
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let house = house();
        create_topic(&mut house.client(), "t", 1, 3, &[]).unwrap();
        house.write("t", 0, MESSAGES_MAX as i64 + 500);
        let (found, state, _) = read(&house, &wish(Start::Beginning));
        assert_eq!(state, ReadState::Full);
        assert!(found.len() >= MESSAGES_MAX && found[0] == (0, 0), "{}", found.len());
        let (mut reader, slot) = (Reader::default(), ViewSlot::default());
        begin(&house, &mut reader, &slot, &ReadWish { follow: true, ..wish(Start::Beginning) });
        let newest = || slot.latest().messages.found.last().map(|one| one.offset);
        until("the end", || if newest() == Some(MESSAGES_MAX as i64 + 499) { Ok(()) } else { Err(newest()) });
        assert!(slot.latest().messages.found.len() <= MESSAGES_MAX);
    }
}
