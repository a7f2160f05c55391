//! Reads a topic for somebody who looks, on a thread of its own: what is found appears in the view while it is read. One reading at a time;
//! a new one ends the one before.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use broker::protocol::ErrorCode;
use bytes::Bytes;

use super::export::Sink;
use super::operations::Servers;
use crate::client::{self, BEGINNING, Client, ClientError, END};
use crate::monitor::messages::decode::Codecs;
use crate::monitor::messages::filter::Filter;
use crate::monitor::messages::read::{
    BYTES_MAX, LATE_MS, MESSAGES_MAX, MessagesView, ReadState, ReadWish, Seen, Start,
};
use crate::monitor::slot::ViewSlot;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What one fetch brings, about.
const FETCH_BYTES: i32 = 1 << 20;
/// News are told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Whether a partition has a leader again is looked for this often.
const LEADERS_EVERY: Duration = Duration::from_secs(1);
/// How long to wait when nothing new was written.
const QUIET: Duration = Duration::from_millis(200);

/// What lets records pass, and what decodes them.
type Tools = (Filter, Codecs);

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

pub(super) struct Reading {
    wish: Arc<ReadWish>,
    cancel: Arc<AtomicBool>,
    slot: ViewSlot,
    found: VecDeque<Arc<Seen>>,
    /// Of each key the place of its record, counted from the first that was ever kept; where only the newest are wanted.
    by_key: HashMap<Bytes, u64>,
    bytes: usize,
    dropped: u64,
    codecs: Option<Arc<Codecs>>,
    scanned: u64,
    /// Partitions that nobody leads: they are left out, and the view says so.
    leaderless: Arc<[i32]>,
    leaders_seen: Option<Instant>,
    /// Where each partition goes on.
    next: BTreeMap<i32, i64>,
    told: Option<Instant>,
    /// Where what is found goes instead of the view.
    pub(super) sink: Option<Sink>,
}

impl Reading {
    pub(super) fn new(wish: ReadWish, cancel: Arc<AtomicBool>, slot: ViewSlot) -> Reading {
        Reading {
            wish: Arc::new(wish),
            cancel,
            slot,
            found: VecDeque::new(),
            by_key: HashMap::new(),
            bytes: 0,
            dropped: 0,
            codecs: None,
            scanned: 0,
            leaderless: Arc::default(),
            leaders_seen: None,
            next: BTreeMap::new(),
            told: None,
            sink: None,
        }
    }

    /// Reads to the end of now, into the sink; an error is a sentence.
    pub(super) fn drain(mut self, servers: &Servers) -> Result<Sink, String> {
        let codecs = Codecs::open(&self.wish.decoders)?;
        let tools = (Filter::parse(&self.wish.filter)?, codecs);
        let read = self.read(servers, &tools);
        read.map_err(|error| format!("Topic {} could not be read: {error}.", self.wish.topic))?;
        let Some(sink) = self.sink.take() else { return Err("Nothing is written.".into()) };
        if self.is_over() { Err(String::new()) } else { Ok(sink) }
    }

    fn run(mut self, servers: &Servers) {
        self.tell(ReadState::Reading);
        let codecs = Codecs::open(&self.wish.decoders);
        self.codecs = codecs.as_ref().ok().cloned().map(Arc::new);
        let state = match codecs.and_then(|codecs| Ok((Filter::parse(&self.wish.filter)?, codecs))) {
            Ok(tools) => match self.read(servers, &tools) {
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

    fn read(&mut self, servers: &Servers, tools: &Tools) -> Result<ReadState, ClientError> {
        let mut client = Client::new(&servers(), PATIENCE);
        let ends = self.begin(&mut client)?;
        let begun = self.next.clone();
        let mut quiet_rounds = 0;
        while !self.is_over() {
            let mut read_any = false;
            self.look_for_leaders(&mut client)?;
            for partition in self.next.keys().copied().collect::<Vec<_>>() {
                let is_due = self.wish.follow || self.next[&partition] < ends.get(&partition).copied().unwrap_or(0);
                if is_due && !self.leaderless.contains(&partition) && !self.is_over() {
                    read_any |= self.fetch_or_leave_out(&mut client, partition, tools)?;
                }
                if !self.wish.follow && (self.found.len() >= MESSAGES_MAX || self.bytes >= BYTES_MAX) {
                    return Ok(ReadState::Full);
                }
                self.tell_in_time();
                self.tell_sink(&begun, &ends);
            }
            let is_done = |(partition, next): (&i32, &i64)| {
                self.leaderless.contains(partition) || ends.get(partition).is_none_or(|end| next >= end)
            };
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
        let (led, leaderless) = client::led_partitions(client, &topic)?;
        // Who looks is helped with what there is. A file would be taken for the whole: there a leader is waited for, in vain or not.
        let asked = led.iter().chain(leaderless.iter().filter(|_| self.sink.is_some() || led.is_empty()));
        let partitions: Vec<(&str, i32)> =
            asked.copied().filter(|one| wanted(*one)).map(|one| (&*topic, one)).collect();
        self.leaderless = leaderless.into_iter().filter(|one| wanted(*one)).collect();
        let mut of = |timestamp_ms: i64| -> Result<BTreeMap<i32, i64>, ClientError> {
            let told = client::offsets_at(client, &partitions, timestamp_ms)?;
            Ok(told.into_iter().map(|one| (one.partition, one.offset)).collect())
        };
        let (begins, ends) = (of(BEGINNING)?, of(END)?);
        let at_time = match self.wish.start {
            Start::Since(timestamp_ms) => of(timestamp_ms)?,
            _ => BTreeMap::new(),
        };
        let until = match self.wish.until_ms {
            Some(until_ms) => of(until_ms.saturating_add(LATE_MS))?,
            None => BTreeMap::new(),
        };
        let start = |partition: &i32, end: i64| match &self.wish.start {
            Start::Newest(count) => end - i64::from(count.div_ceil(ends.len().max(1) as u32)),
            Start::Beginning => 0,
            Start::End => end,
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
        // Timestamps need not grow with offsets: what is too late, or too early, is left out record by record.
        let end = |(partition, end): (&i32, &i64)| {
            (*partition, until.get(partition).copied().filter(|offset| *offset >= 0).unwrap_or(*end))
        };
        Ok(ends.iter().map(end).collect())
    }

    /// Whether something was read. A partition whose leader goes meanwhile, and that no other leads, is left out from then on.
    fn fetch_or_leave_out(&mut self, client: &mut Client, partition: i32, tools: &Tools) -> Result<bool, ClientError> {
        let error = match self.fetch(client, partition, tools) {
            // A file would be taken for the whole.
            Err(error) if self.sink.is_none() => error,
            fetched => return fetched,
        };
        let (_, leaderless) = client::led_partitions(client, &self.wish.topic)?;
        let is_alone = self.next.keys().all(|other| *other == partition || self.leaderless.contains(other));
        if !leaderless.contains(&partition) || (is_alone && !self.wish.follow) {
            return Err(error);
        }
        let others = self.leaderless.iter().copied();
        let all: BTreeSet<i32> = others.chain([partition]).collect();
        self.leaderless = all.into_iter().collect();
        self.leaders_seen = Some(Instant::now());
        self.tell_in_time();
        Ok(false)
    }

    /// Goes on with partitions that have a leader again, where somebody follows.
    fn look_for_leaders(&mut self, client: &mut Client) -> Result<(), ClientError> {
        let left_out = self.leaderless.iter().any(|partition| self.next.contains_key(partition));
        let is_early = self.leaders_seen.is_some_and(|seen| seen.elapsed() < LEADERS_EVERY);
        if !self.wish.follow || !left_out || is_early {
            return Ok(());
        }
        self.leaders_seen = Some(Instant::now());
        let (led, _) = client::led_partitions(client, &self.wish.topic)?;
        let is_back = |partition: &i32| led.contains(partition) && self.next.contains_key(partition);
        self.leaderless = self.leaderless.iter().copied().filter(|partition| !is_back(partition)).collect();
        Ok(())
    }

    /// Whether something was read.
    fn fetch(&mut self, client: &mut Client, partition: i32, tools: &Tools) -> Result<bool, ClientError> {
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
        let (filter, codecs) = tools;
        for message in fetched.messages {
            if !self.wish.is_in_time(message.timestamp_ms) || !filter.passes(&message, codecs) {
                continue;
            }
            if let Some(sink) = &mut self.sink {
                if !sink.put(&message) {
                    // There is nobody to read for any more; the sink says why.
                    self.cancel.store(true, Ordering::Relaxed);
                    break;
                }
            } else {
                self.keep(Seen::new(message, codecs));
            }
        }
        if let Some(why) = fetched.unreadable {
            let what = format!("a part of partition {partition} could not be read: {why}");
            return Err(ClientError::Unexpected { address: format!("partition {partition}"), what });
        }
        self.next.insert(partition, fetched.next_offset);
        Ok(fetched.next_offset > offset)
    }

    fn keep(&mut self, seen: Seen) {
        if self.wish.latest_per_key
            && let Some(key) = seen.key.clone()
        {
            // Counted so that places stay when the first go.
            let place = self.dropped + self.found.len() as u64;
            if let Some(before) = self.by_key.insert(key, place)
                && let Some(index) = before.checked_sub(self.dropped)
                && let Some(old) = self.found.get_mut(index as usize)
            {
                // The place stays, so that those after it do; the record is the newer one.
                self.bytes = self.bytes + seen.size_bytes() - old.size_bytes();
                let key = seen.key.clone().unwrap_or_default();
                *old = Arc::new(seen);
                self.by_key.insert(key, before);
                return;
            }
        }
        self.bytes += seen.size_bytes();
        self.found.push_back(Arc::new(seen));
        // Of a reading that follows, the newest stay.
        while self.wish.follow && (self.found.len() > MESSAGES_MAX || self.bytes > BYTES_MAX) {
            let Some(old) = self.found.pop_front() else { break };
            self.bytes -= old.size_bytes();
            if let Some(key) = &old.key
                && self.by_key.get(key) == Some(&self.dropped)
            {
                self.by_key.remove(key);
            }
            self.dropped += 1;
        }
    }

    fn tell_in_time(&mut self) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.tell(if self.wish.follow { ReadState::Following } else { ReadState::Reading });
        }
    }

    fn tell_sink(&mut self, begun: &BTreeMap<i32, i64>, ends: &BTreeMap<i32, i64>) {
        let sum = |offsets: &BTreeMap<i32, i64>| offsets.values().sum::<i64>();
        let (done, all) = (sum(&self.next) - sum(begun), sum(ends) - sum(begun));
        if let Some(sink) = &mut self.sink {
            sink.tell(self.scanned, (100 * done / all.max(1)).clamp(0, 100) as u8);
        }
    }

    fn tell(&mut self, state: ReadState) {
        // A newer reading has the place.
        if self.is_over() || self.sink.is_some() {
            return;
        }
        self.told = Some(Instant::now());
        self.slot.publish_messages(MessagesView {
            wish: Some(self.wish.clone()),
            state,
            found: Arc::new(self.found.iter().cloned().collect()),
            scanned: self.scanned,
            dropped: self.dropped,
            codecs: self.codecs.clone(),
            leaderless: self.leaderless.clone(),
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
    use crate::monitor::messages::NewMessage;
    use crate::monitor::messages::decode::Decoders;
    use crate::monitor::messages::filter::Filters;
    use crate::monitor::operation::OffsetOf;

    fn wish(start: Start) -> ReadWish {
        ReadWish::new("t".into(), start)
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
    fn the_latest_of_each_key_and_a_span_of_time() {
        let house = house();
        let mut client = house.client();
        create_topic(&mut client, "t", 1, 3, &[]).unwrap();
        house.write("t", 0, 4);
        for (key, value) in [("a", Some("1")), ("b", Some("2")), ("a", Some("3")), ("b", None)] {
            let (key, value) = (Some(key.into()), value.map(Into::into));
            produce(&mut client, ("t", 0), &NewMessage { key, value, ..NewMessage::default() }).unwrap();
        }
        let latest = ReadWish { latest_per_key: true, ..wish(Start::Beginning) };
        // Those without a key are all there.
        assert_eq!(read(&house, &latest).0, [(0, 0), (0, 1), (0, 2), (0, 3), (0, 6), (0, 7)]);
        let span = ReadWish { until_ms: Some(12_001), ..wish(Start::Since(10_500)) };
        let (found, state, _) = read(&house, &span);
        assert_eq!((found, state), (vec![(0, 1), (0, 2)], ReadState::Done));
        let path = Filters { path: "$ >= 2".into(), ..Filters::default() };
        let by_path = ReadWish { filter: path, until_ms: Some(20_000), ..wish(Start::Beginning) };
        assert_eq!(read(&house, &by_path).0, [(0, 2), (0, 3)]);
        let nowhere = Decoders {
            value: crate::monitor::messages::decode::Decoder::Avro("/nowhere".into()),
            ..Decoders::default()
        };
        let wrong = read(&house, &ReadWish { decoders: nowhere, ..wish(Start::Beginning) });
        assert!(matches!(wrong.1, ReadState::Failed(why) if why.starts_with("/nowhere could not be read")));
    }

    /// A record of that time.
    fn put(client: &mut Client, timestamp_ms: i64) {
        let message = NewMessage { timestamp_ms: Some(timestamp_ms), ..NewMessage::default() };
        produce(client, ("t", 0), &message).unwrap();
    }

    #[test]
    fn what_was_written_late_is_found_by_its_time() {
        let house = house();
        let mut client = house.client();
        create_topic(&mut client, "t", 1, 3, &[]).unwrap();
        // The first is too early; the fourth and the sixth are out of order.
        for at_ms in [9_000, 10_000, 30_000, 15_000, 70_000, 16_000] {
            put(&mut client, at_ms);
        }
        let span = |from_ms, until_ms| ReadWish { until_ms: Some(until_ms), ..wish(Start::Since(from_ms)) };
        assert_eq!(read(&house, &span(10_000, 20_000)).0, [(0, 1), (0, 3), (0, 5)]);
        // Up to where is read: to the first record that is a minute later.
        let mut reading = Reading::new(span(10_000, 70_000 - LATE_MS), Arc::default(), ViewSlot::default());
        assert_eq!((reading.begin(&mut client).unwrap()[&0], reading.next[&0]), (4, 1));
        // Without an end nothing is hidden that was written since.
        assert_eq!(read(&house, &wish(Start::Since(30_000))).0, [(0, 2), (0, 3), (0, 4), (0, 5)]);
        assert_eq!(read(&house, &wish(Start::End)).0, []);
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
        let all = (Filter::parse(&Filters::default()).unwrap(), Codecs::open(&Decoders::default()).unwrap());
        assert!(reading.fetch(&mut client, 0, &all).unwrap());
        assert_eq!((reading.found.len(), reading.next[&0]), (0, 7));
        assert!(reading.fetch(&mut client, 0, &all).unwrap());
        assert_eq!(reading.found.iter().map(|one| one.offset).collect::<Vec<_>>(), [7, 8, 9]);
    }

    #[test]
    fn a_partition_without_a_leader_is_left_out_and_named() {
        use rdkafka::consumer::Consumer as _;
        let house = house();
        let mut client = house.client();
        create_topic(&mut client, "t", 3, 1, &[]).unwrap();
        (0..3).for_each(|partition| house.write("t", partition, 2));
        let metadata = house.consumer().fetch_metadata(Some("t"), Duration::from_secs(10)).unwrap();
        let led = metadata.topics()[0].partitions().iter().find(|one| one.id() == 1).unwrap().leader();
        house.cluster.kill_node(led, "a test").unwrap();
        let (mut reader, slot) = (Reader::default(), ViewSlot::default());
        until("it is read without that one", || {
            begin(&house, &mut reader, &slot, &wish(Start::Beginning));
            until("it ends", || if slot.latest().messages.is_under_way() { Err(()) } else { Ok(()) });
            let view = slot.latest().messages;
            if view.state == ReadState::Done && *view.leaderless == [1] {
                Ok(())
            } else {
                Err((view.state, view.leaderless))
            }
        });
        let found: Vec<i32> = slot.latest().messages.found.iter().map(|one| one.partition).collect();
        assert_eq!((found.len(), found.contains(&1)), (4, false));
        let bars = client::volume(&mut house.client(), "t", None).unwrap();
        assert_eq!(bars.of(None).iter().sum::<u64>(), 4);
    }

    #[test]
    fn a_leader_that_goes_while_it_is_followed_is_waited_for() {
        let house = house();
        create_topic(&mut house.client(), "t", 3, 1, &[]).unwrap();
        (0..3).for_each(|partition| house.write("t", partition, 2));
        let metadata = house.consumer();
        let metadata =
            rdkafka::consumer::Consumer::fetch_metadata(&metadata, Some("t"), Duration::from_secs(10)).unwrap();
        let led = metadata.topics()[0].partitions().iter().find(|one| one.id() == 1).unwrap().leader();
        let (mut reader, slot) = (Reader::default(), ViewSlot::default());
        begin(&house, &mut reader, &slot, &ReadWish { follow: true, ..wish(Start::Beginning) });
        let found = |count: usize| match slot.latest().messages {
            view if view.found.len() == count => Ok(()),
            view => Err((view.state, view.found.len(), view.leaderless)),
        };
        until("all is read", || found(6));
        house.cluster.kill_node(led, "a test").unwrap();
        until("it is left out and named", || match slot.latest().messages.leaderless {
            leaderless if *leaderless == [1] => Ok(()),
            leaderless => Err(leaderless),
        });
        house.write("t", 0, 1);
        until("the others go on", || found(7));
        house.cluster.start_node(led, "a test").unwrap();
        house.write("t", 1, 1);
        until("it goes on with it", || found(8));
        assert!(slot.latest().messages.leaderless.is_empty());
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
