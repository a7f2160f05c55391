//! Writes views down as frames: of each part the bytes are made, and what has the same bytes as before is left out.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Result;
use std::sync::Arc;

use borsh::BorshSerialize;
use broker::metadata::config::all_without_secrets;
use broker::metadata::image::Image;

use super::answers::{NEW_MS, is_recorded, put_answer};
use super::frame::{Change, Frame, Key};
use super::topic::{put_group, put_row, put_topic};
use crate::monitor::cloudwatch::alarm::AlarmState;
use crate::monitor::snapshot::Snapshot;
use crate::monitor::view::View;

/// A part as it was written last.
#[derive(Debug)]
struct Known {
    bytes: Arc<[u8]>,
    round: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Scribe {
    known: HashMap<Key, Known>,
    /// The view before: what it shares with the next need not be made into bytes.
    before: View,
    shape: u64,
    round: u64,
    changes: BTreeMap<Key, Change>,
    scratch: Vec<u8>,
}

impl Scribe {
    /// What changed in a view since the one before; with `is_slow_due` also of what is looked at seldom. `None`: nothing did.
    ///
    /// # Errors
    /// A part is too large to be written.
    pub fn note(&mut self, view: &View, is_slow_due: bool) -> Result<Option<Frame>> {
        self.round += 1;
        let is_new = !Arc::ptr_eq(&view.snapshot, &self.before.snapshot) || self.round == 1;
        if is_new {
            self.snapshot(&view.snapshot)?;
        } else {
            self.keep(|key| !key.is_slow());
        }
        self.around(view)?;
        if is_slow_due {
            self.slow(view)?;
        } else {
            self.keep(Key::is_slow);
        }
        self.forget();
        let is_turn = is_new && self.turns(view);
        self.before = view.clone();
        let changes = std::mem::take(&mut self.changes);
        // A snapshot of which nothing but the number is new is one all the same: who asks for it is to find it.
        let is_frame = is_new || !changes.is_empty();
        let (snapshot_ms, sequence) = (view.snapshot.at_ms, view.snapshot.sequence);
        let at_ms = if is_new { snapshot_ms } else { second_ms(view).max(snapshot_ms) };
        Ok(is_frame.then_some(Frame { at_ms, snapshot_ms, sequence, is_turn, changes }))
    }

    /// All that is known, as the first frame of a chunk.
    pub fn whole(&self, frame: &Frame) -> Frame {
        let changes = self.known.iter().map(|(key, known)| (key.clone(), Some(known.bytes.clone()))).collect();
        Frame { changes, ..frame.clone() }
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.known.values().map(|known| known.bytes.len() + size_of::<(Key, Known)>()).sum()
    }

    /// Of what is looked at seldom: how much there is.
    pub fn slow_bytes(&self) -> usize {
        self.known.iter().filter(|(key, _)| key.is_slow()).map(|(_, known)| known.bytes.len()).sum()
    }

    /// One part. `is_same`: it is known to be what it was.
    fn part(&mut self, key: Key, is_same: bool, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        if is_same && let Some(known) = self.known.get_mut(&key) {
            known.round = self.round;
            return Ok(());
        }
        self.scratch.clear();
        write(&mut self.scratch)?;
        if let Some(known) = self.known.get_mut(&key)
            && *known.bytes == *self.scratch
        {
            known.round = self.round;
            return Ok(());
        }
        let bytes: Arc<[u8]> = self.scratch.as_slice().into();
        self.changes.insert(key.clone(), Some(bytes.clone()));
        self.known.insert(key, Known { bytes, round: self.round });
        Ok(())
    }

    fn keep(&mut self, which: impl Fn(&Key) -> bool) {
        let round = self.round;
        self.known.iter_mut().filter(|(key, _)| which(key)).for_each(|(_, known)| known.round = round);
    }

    fn forget(&mut self) {
        let round = self.round;
        let gone: Vec<Key> =
            self.known.iter().filter(|(_, known)| known.round != round).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.known.remove(&key);
            self.changes.insert(key, None);
        }
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        let before = self.before.snapshot.clone();
        let head = (&snapshot.cluster_id, &snapshot.profile, &snapshot.membership, &snapshot.totals);
        self.part(Key::Head, false, |out| head.serialize(out))?;
        self.part(Key::Quorum, false, |out| snapshot.quorum.serialize(out))?;
        for broker in &snapshot.brokers {
            self.part(Key::Broker(broker.id), false, |out| broker.serialize(out))?;
        }
        let is_same = same(&before.topics, |topic| &topic.name);
        for topic in &snapshot.topics {
            self.part(Key::Topic(topic.name.clone()), is_same(topic), |out| put_topic(out, topic))?;
        }
        let is_same = same(&before.groups, |group| &group.id);
        for group in &snapshot.groups {
            self.part(Key::Group(group.id.clone()), is_same(group), |out| put_group(out, group))?;
        }
        self.image(&before.image, &snapshot.image)?;
        let is_same = Arc::ptr_eq(&before.settings, &snapshot.settings);
        self.part(Key::Settings, is_same, |out| snapshot.settings.serialize(out))?;
        for workload in &snapshot.workloads {
            self.part(Key::Workload(workload.id), false, |out| workload.serialize(out))?;
        }
        self.part(Key::Faults, false, |out| snapshot.faults.serialize(out))?;
        let is_same = Arc::ptr_eq(&before.past_faults, &snapshot.past_faults);
        self.part(Key::PastFaults, is_same, |out| snapshot.past_faults.serialize(out))?;
        let is_same = Arc::ptr_eq(&before.scripts, &snapshot.scripts);
        self.part(Key::Scripts, is_same, |out| snapshot.scripts.serialize(out))?;
        let all = &snapshot.client_metrics;
        let is_same = all.len() == before.client_metrics.len()
            && all.iter().zip(&before.client_metrics).all(|(one, other)| Arc::ptr_eq(one, other));
        self.part(Key::ClientMetrics, is_same, |out| all.serialize(out))
    }

    fn image(&mut self, before: &Arc<Image>, image: &Arc<Image>) -> Result<()> {
        let is_same = Arc::ptr_eq(before, image);
        self.part(Key::Image, is_same, |out| {
            let configs = all_without_secrets(&image.configs);
            Image { topics: BTreeMap::new(), topic_ids: BTreeMap::new(), configs, ..Image::clone(image) }.serialize(out)
        })?;
        for (id, topic) in &image.topics {
            let is_same = is_same || before.topics.get(id).is_some_and(|before| Arc::ptr_eq(before, topic));
            self.part(Key::ImageTopic(*id), is_same, |out| topic.serialize(out))?;
        }
        Ok(())
    }

    /// What stands beside the snapshot.
    fn around(&mut self, view: &View) -> Result<()> {
        let before = self.before.clone();
        let (alarms, level) = (&view.cloudwatch.alarms, view.cloudwatch.level);
        let is_same = Arc::ptr_eq(alarms, &before.cloudwatch.alarms) && level == before.cloudwatch.level;
        self.part(Key::Alarms, is_same, |out| (level, alarms.set, &alarms.alarms).serialize(out))?;
        let is_same = alarms.last_seq() == before.cloudwatch.alarms.last_seq();
        self.part(Key::AlarmHistory, is_same, |out| alarms.history.serialize(out))?;
        for (group, play) in view.groups.plays.iter() {
            let is_same = before.groups.plays.get(group).is_some_and(|before| Arc::ptr_eq(before, play));
            self.part(Key::Play(group.clone()), is_same, |out| play.serialize(out))?;
        }
        for status in view.ledger.workloads.iter() {
            let known = before.ledger.workloads.iter().find(|known| known.id == status.id);
            let is_same = known.is_some_and(|known| Arc::ptr_eq(known, status));
            self.part(Key::Ledger(status.id), is_same, |out| status.serialize(out))?;
        }
        let is_same = Arc::ptr_eq(&view.ledger.vanished, &before.ledger.vanished);
        self.part(Key::Vanished, is_same, |out| view.ledger.vanished.serialize(out))?;
        self.answers(view, &before)
    }

    /// What somebody looks at. When it was answered is left out: while nothing else is new, nothing is.
    fn answers(&mut self, view: &View, before: &View) -> Result<()> {
        let now_ms = second_ms(view).max(view.snapshot.at_ms);
        for (query, at_ms, answer) in view.inquiries.answered() {
            if !is_recorded(query) || now_ms - at_ms > NEW_MS {
                continue;
            }
            let known = before.inquiries.get(query).and_then(|known| known.answer.as_ref());
            let is_same = matches!((known, answer), (Some((_, Ok(known))), Ok(answer)) if Arc::ptr_eq(known, answer));
            self.part(Key::Answer(query.clone()), is_same, |out| put_answer(out, answer))?;
        }
        Ok(())
    }

    fn slow(&mut self, view: &View) -> Result<()> {
        for (id, report) in view.metrics.iter() {
            self.part(Key::Metrics(*id), false, |out| report.serialize(out))?;
        }
        for (id, report) in view.connections.iter() {
            self.part(Key::Connections(*id), false, |out| report.serialize(out))?;
        }
        for (group, watched) in view.groups.watched.iter() {
            self.part(Key::Standing(group.clone()), false, |out| watched.standing.serialize(out))?;
            if let Some(row) = watched.rows.back() {
                self.part(Key::Row(group.clone()), false, |out| put_row(out, row))?;
            }
        }
        Ok(())
    }

    /// Whether something else than a measure changed.
    fn turns(&mut self, view: &View) -> bool {
        let shape = shape(view);
        std::mem::replace(&mut self.shape, shape) != shape
    }
}

/// The newest second that was measured.
fn second_ms(view: &View) -> i64 {
    view.series.at_ms.back().copied().unwrap_or(view.snapshot.at_ms)
}

/// Tells of a thing in the order of its names whether it is the one that was there before.
fn same<'a, T, N: Ord + ?Sized + 'a>(
    before: &'a [Arc<T>],
    name: impl Fn(&T) -> &Arc<N> + 'a,
) -> impl Fn(&Arc<T>) -> bool + 'a {
    move |one| {
        let place = before.binary_search_by(|known| name(known).cmp(name(one)));
        place.is_ok_and(|place| Arc::ptr_eq(&before[place], one))
    }
}

/// All that is not a measure, in one number.
fn shape(view: &View) -> u64 {
    let mut hasher = DefaultHasher::new();
    let hash = &mut hasher;
    let snapshot = &view.snapshot;
    for broker in &snapshot.brokers {
        (broker.id, broker.state, broker.fenced, broker.epoch, broker.offline_log_dirs.len()).hash(hash);
    }
    (snapshot.quorum.leader_id, snapshot.quorum.epoch, snapshot.membership.leaving).hash(hash);
    for voter in &snapshot.quorum.voters {
        (voter.id, voter.state, &voter.role).hash(hash);
    }
    for topic in &snapshot.topics {
        topic.topic_id.hash(hash);
        for partition in &topic.partitions {
            (partition.leader, partition.leader_epoch, &partition.isr, &partition.replicas).hash(hash);
        }
    }
    for group in &snapshot.groups {
        (&group.id, group.state, group.generation, group.members.len()).hash(hash);
    }
    snapshot.faults.iter().for_each(|fault| fault.id.hash(hash));
    snapshot.workloads.iter().for_each(|workload| (workload.id, &workload.state).hash(hash));
    for (name, status) in &view.cloudwatch.alarms.alarms {
        (name, status.state == AlarmState::Alarm).hash(hash);
    }
    hasher.finish()
}
