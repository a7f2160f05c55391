//! Reads frames: puts parts together to what was known at one time, and makes a view of it.

use std::collections::{BTreeMap, VecDeque};
use std::io::Result;
use std::sync::Arc;

use borsh::{BorshDeserialize, from_slice};
use broker::metadata::image::{Image, TopicImage};

use super::answers::take_answer;
use super::frame::{Key, Read, frames, read};
use super::topic::{take_group, take_row, take_topic};
use crate::monitor::cloudwatch::alarms::{Alarms, HistoryItem};
use crate::monitor::cloudwatch::watch::CloudwatchView;
use crate::monitor::groups::lags::{ROWS_KEPT, Row};
use crate::monitor::groups::{GroupsView, Watched};
use crate::monitor::inquiry::Inquiries;
use crate::monitor::ledger::LedgerView;
use crate::monitor::snapshot::Snapshot;
use crate::monitor::view::View;

/// What was known at one time, as bytes.
#[derive(Clone, Debug, Default)]
pub struct Moment<'b> {
    /// Wall clock of its frame.
    pub at_ms: i64,
    /// Wall clock of its snapshot.
    pub snapshot_ms: i64,
    /// The snapshot's number.
    pub sequence: u64,
    parts: BTreeMap<Key, &'b [u8]>,
    /// Rows of groups' lags that came before.
    rows: BTreeMap<Arc<str>, VecDeque<&'b [u8]>>,
}

impl<'b> Moment<'b> {
    /// The newest moment of the last of these chunks that is not after `until_ms`; of one that begins later, its first. Chunks before it give
    /// what groups' lags were then.
    ///
    /// # Errors
    /// It is not a chunk of a recording.
    pub fn find(chunks: &[&'b [u8]], until_ms: i64) -> Result<Moment<'b>> {
        let mut moment = Moment::default();
        for chunk in chunks {
            // Each chunk begins with all that is known.
            moment.parts.clear();
            for (index, frame) in frames(chunk).enumerate() {
                let frame = read(frame?)?;
                if index > 0 && frame.head.at_ms > until_ms {
                    break;
                }
                moment.take(frame);
            }
        }
        Ok(moment)
    }

    fn take(&mut self, frame: Read<'b>) {
        (self.at_ms, self.snapshot_ms, self.sequence) = (frame.head.at_ms, frame.head.snapshot_ms, frame.head.sequence);
        for (key, change) in frame.changes {
            if let (Key::Row(group), Some(bytes)) = (&key, change) {
                let rows = self.rows.entry(group.clone()).or_default();
                if rows.len() == ROWS_KEPT {
                    rows.pop_front();
                }
                // A chunk begins with what the one before ended with.
                if rows.back() != Some(&bytes) {
                    rows.push_back(bytes);
                }
            }
            match change {
                Some(bytes) => drop(self.parts.insert(key, bytes)),
                None => drop(self.parts.remove(&key)),
            }
        }
    }

    fn get<T: BorshDeserialize>(&self, key: &Key) -> Result<Option<T>> {
        self.parts.get(key).map(|bytes| from_slice(bytes)).transpose()
    }

    fn get_or_default<T: BorshDeserialize + Default>(&self, key: &Key) -> Result<T> {
        Ok(self.get(key)?.unwrap_or_default())
    }

    /// The parts of one kind, in the order of their names.
    fn all<'m, T>(
        &'m self,
        is_kind: impl Fn(&Key) -> bool + 'm,
        decode: impl Fn(&[u8]) -> Result<T> + 'm,
    ) -> impl Iterator<Item = Result<T>> + 'm {
        self.parts.iter().filter(move |(key, _)| is_kind(key)).map(move |(_, bytes)| decode(bytes))
    }

    /// The snapshot.
    ///
    /// # Errors
    /// A part is damaged.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let (cluster_id, profile, membership, totals) = self.get_or_default(&Key::Head)?;
        let topics = self.all(|key| matches!(key, Key::Topic(_)), |bytes| take_topic(bytes).map(Arc::new));
        let groups = self.all(|key| matches!(key, Key::Group(_)), |bytes| take_group(bytes).map(Arc::new));
        Ok(Snapshot {
            cluster_id,
            profile,
            sequence: self.sequence,
            at_ms: self.snapshot_ms,
            quorum: self.get_or_default(&Key::Quorum)?,
            image: Arc::new(self.image()?),
            brokers: self.all(|key| matches!(key, Key::Broker(_)), from_slice).collect::<Result<_>>()?,
            settings: self.get_or_default(&Key::Settings)?,
            membership,
            topics: topics.collect::<Result<_>>()?,
            groups: groups.collect::<Result<_>>()?,
            totals,
            workloads: self.all(|key| matches!(key, Key::Workload(_)), from_slice).collect::<Result<_>>()?,
            faults: self.get_or_default(&Key::Faults)?,
            past_faults: Arc::new(self.get_or_default(&Key::PastFaults)?),
            scripts: Arc::new(self.get_or_default(&Key::Scripts)?),
            client_metrics: self.get_or_default(&Key::ClientMetrics)?,
        })
    }

    fn image(&self) -> Result<Image> {
        let mut image: Image = self.get_or_default(&Key::Image)?;
        let topics = self.all(|key| matches!(key, Key::ImageTopic(_)), from_slice::<TopicImage>);
        for topic in topics {
            let topic = topic?;
            image.topic_ids.insert(topic.name.clone(), topic.id);
            image.topics.insert(topic.id, Arc::new(topic));
        }
        Ok(image)
    }

    /// The view, but for what stands beside the frames: events, series, logs.
    ///
    /// # Errors
    /// A part is damaged.
    pub fn view(&self) -> Result<View> {
        let ledgers = self.all(|key| matches!(key, Key::Ledger(_)), |bytes| from_slice(bytes).map(Arc::new));
        let ledger = LedgerView {
            workloads: Arc::new(ledgers.collect::<Result<_>>()?),
            vanished: Arc::new(self.get_or_default(&Key::Vanished)?),
            // Each moment has its own: what is kept of one is not taken for another's.
            generation: self.sequence,
        };
        Ok(View {
            snapshot: Arc::new(self.snapshot()?),
            metrics: Arc::new(self.by_id(|key| matches!(key, Key::Metrics(_)))?),
            connections: Arc::new(self.by_id(|key| matches!(key, Key::Connections(_)))?),
            cloudwatch: self.cloudwatch()?,
            groups: self.groups()?,
            inquiries: self.answers()?,
            ledger,
            ..View::default()
        })
    }

    fn by_id<T: BorshDeserialize>(&self, is_kind: impl Fn(&Key) -> bool) -> Result<BTreeMap<i32, Arc<T>>> {
        let mut all = BTreeMap::new();
        for (key, bytes) in self.parts.iter().filter(|(key, _)| is_kind(key)) {
            if let Key::Metrics(id) | Key::Connections(id) = key {
                all.insert(*id, Arc::new(from_slice(bytes)?));
            }
        }
        Ok(all)
    }

    fn cloudwatch(&self) -> Result<CloudwatchView> {
        let Some((level, set, alarms)) = self.get(&Key::Alarms)? else { return Ok(CloudwatchView::default()) };
        let history: VecDeque<Arc<HistoryItem>> = self.get_or_default(&Key::AlarmHistory)?;
        Ok(CloudwatchView { level, alarms: Arc::new(Alarms::replayed(set, alarms, history)), ..Default::default() })
    }

    fn answers(&self) -> Result<Inquiries> {
        let mut all = Inquiries::default();
        for (key, bytes) in &self.parts {
            if let Key::Answer(query) = key {
                all.answer(query, self.at_ms, take_answer(bytes)?);
            }
        }
        Ok(all)
    }

    fn groups(&self) -> Result<GroupsView> {
        let (mut watched, mut plays) = (BTreeMap::new(), BTreeMap::new());
        for (key, bytes) in &self.parts {
            match key {
                Key::Standing(group) => {
                    let rows = self.rows.get(group).into_iter().flatten();
                    let rows: Result<VecDeque<Arc<Row>>> = rows.map(|row| take_row(row).map(Arc::new)).collect();
                    let standing = Arc::new(from_slice(bytes)?);
                    watched.insert(group.clone(), Watched { rows: Arc::new(rows?), standing });
                }
                Key::Play(group) => drop(plays.insert(group.clone(), Arc::new(from_slice(bytes)?))),
                _ => {}
            }
        }
        Ok(GroupsView { watched: Arc::new(watched), plays: Arc::new(plays) })
    }
}
