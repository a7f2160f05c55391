//! Answers to what screens asked, as bytes: they are recorded while somebody looks, and for as long as they are new.
//!
//! Configs and moving replicas are not among them: what else is recorded tells them of any time ([`known`]).

use std::io::{Read, Result};
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use broker::log::LogOutline;
use broker::quorum::QuorumOutline;
use broker::recorded::invalid;
use broker::server::trace::TraceState;

use crate::monitor::inquiry::{Findings, Query, Reassignment, configs};
use crate::monitor::messages::volume::{BARS_MAX, Volume};
use crate::monitor::quorum::{Entry, LogFindings};
use crate::monitor::snapshot::Snapshot;

/// An answer that is older was not seen by anybody then.
pub const NEW_MS: i64 = 10_000;

/// One answer takes no more.
const BYTES_MAX: usize = 1 << 20;

/// An answer, or why there was none.
pub type Answered = std::result::Result<Arc<Findings>, String>;

/// Whether an answer to it is recorded.
pub fn is_recorded(query: &Query) -> bool {
    !matches!(query, Query::Configs(_) | Query::Reassignments | Query::File(_))
}

/// Writes an answer.
///
/// # Errors
/// It is too large to be written.
pub fn put_answer(out: &mut Vec<u8>, answer: &Answered) -> Result<()> {
    match answer {
        Ok(findings) => put_findings(out, findings)?,
        Err(why) => (0_u8, why).serialize(out)?,
    }
    if out.len() > BYTES_MAX {
        out.clear();
        (0_u8, "The answer was too large to be recorded.").serialize(out)?;
    }
    Ok(())
}

fn put_findings(out: &mut Vec<u8>, findings: &Findings) -> Result<()> {
    match findings {
        Findings::Producers(all) => (1_u8, all).serialize(out),
        Findings::ShareOffsets(all) => (2_u8, all).serialize(out),
        Findings::LogDirs(all) => (3_u8, all).serialize(out),
        Findings::OffsetsAt(all) => (4_u8, all).serialize(out),
        Findings::Volume(volume) => (5_u8, volume).serialize(out),
        Findings::Tape(outline) => (6_u8, outline).serialize(out),
        Findings::Trace(state) => (7_u8, state).serialize(out),
        Findings::Quorum(found) => {
            (8_u8, found.dir.to_string_lossy().as_ref(), &found.outline, &found.entries).serialize(out)
        }
        Findings::Configs(_) | Findings::Reassignments(_) | Findings::File(_) => {
            (0_u8, "This is not recorded.").serialize(out)
        }
    }
}

/// Reads an answer.
///
/// # Errors
/// There is none.
pub fn take_answer(mut bytes: &[u8]) -> Result<Answered> {
    let reader = &mut bytes;
    let kind = u8::deserialize_reader(reader)?;
    let findings = match kind {
        0 => return Ok(Err(String::deserialize_reader(reader)?)),
        1 => Findings::Producers(Vec::deserialize_reader(reader)?),
        2 => Findings::ShareOffsets(Vec::deserialize_reader(reader)?),
        3 => Findings::LogDirs(Vec::deserialize_reader(reader)?),
        4 => Findings::OffsetsAt(Vec::deserialize_reader(reader)?),
        5 => Findings::Volume(Arc::new(take_volume(reader)?)),
        6 => Findings::Tape(Box::new(LogOutline::deserialize_reader(reader)?)),
        7 => Findings::Trace(Box::new(TraceState::deserialize_reader(reader)?)),
        8 => {
            let (dir, outline, entries) = <(String, QuorumOutline, Vec<Entry>)>::deserialize_reader(reader)?;
            Findings::Quorum(Box::new(LogFindings { dir: dir.into(), outline, entries }))
        }
        other => return Err(invalid(format!("{other} is no kind of answer"))),
    };
    Ok(Ok(Arc::new(findings)))
}

/// There are not more bars than are drawn.
fn take_volume<R: Read>(reader: &mut R) -> Result<Volume> {
    let volume = Volume::deserialize_reader(reader)?;
    let is_sound = volume.bars.is_none_or(|bars| bars.count <= BARS_MAX && bars.step_ms > 0);
    if is_sound { Ok(volume) } else { Err(invalid("bars that nobody counted")) }
}

/// What else is recorded answers it, of the time of `snapshot`.
pub fn known(query: &Query, snapshot: &Snapshot) -> Option<Answered> {
    match query {
        Query::Configs(resource) => {
            let known = configs::known(resource, &snapshot.image, &snapshot.settings);
            Some(known.map(|entries| Arc::new(Findings::Configs(entries))))
        }
        Query::Reassignments => Some(Ok(Arc::new(Findings::Reassignments(moving(snapshot))))),
        _ => None,
    }
}

/// Replicas that come or go, as the metadata log tells.
fn moving(snapshot: &Snapshot) -> Vec<Reassignment> {
    let mut all = Vec::new();
    for topic in snapshot.image.topics.values() {
        for (id, partition) in (0..).zip(&topic.partitions) {
            if partition.adding.is_empty() && partition.removing.is_empty() {
                continue;
            }
            all.push(Reassignment {
                topic: topic.name.clone(),
                partition: id,
                replicas: partition.replicas.clone(),
                adding: partition.adding.clone(),
                removing: partition.removing.clone(),
            });
        }
    }
    all.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use broker::metadata::MetadataRecord;
    use broker::metadata::config::NodeSettings;
    use broker::metadata::image::{Image, PartitionImage, TopicImage};
    use broker::metadata::record::ConfigRecord;
    use broker::types::Id;

    use super::*;
    use crate::monitor::history::frame::{append, frames};
    use crate::monitor::history::moment::Moment;
    use crate::monitor::history::scribe::Scribe;
    use crate::monitor::inquiry::{ConfigResource, ConfigSource, LogDir, Producer};
    use crate::monitor::messages::volume::Bars;
    use crate::monitor::quorum::Said;
    use crate::monitor::view::View;

    fn producer(partition: i32) -> Producer {
        Producer {
            partition,
            producer_id: 7,
            producer_epoch: 1,
            last_sequence: 4,
            last_timestamp_ms: 5,
            txn_start_offset: Some(3),
            transaction: Some(Arc::default()),
        }
    }

    fn quorum(value: &str) -> Findings {
        let config = ConfigRecord {
            resource_type: 4,
            resource_name: "1".into(),
            name: "ssl.key.password".into(),
            value: Some(value.into()),
        };
        let said = Said::Record(MetadataRecord::Config(config), 0);
        let entry = Entry { offset: 3, epoch: 1, timestamp_ms: 9, batch: 3, said };
        let found = LogFindings { dir: "/d".into(), outline: QuorumOutline::default(), entries: vec![entry] };
        Findings::Quorum(Box::new(found))
    }

    fn read_back(answer: &Answered) -> Answered {
        let mut out = Vec::new();
        put_answer(&mut out, answer).unwrap();
        take_answer(&out).unwrap()
    }

    #[test]
    fn answers_are_read_back_as_they_were() {
        let dirs = vec![LogDir { path: "/d".into(), total_bytes: Some(9), ..LogDir::default() }];
        let bars = Bars { from_ms: 1, step_ms: 1_000, count: 2 };
        let answers: [Answered; 7] = [
            Err("No.".into()),
            Ok(Arc::new(Findings::Producers(vec![producer(0), producer(1)]))),
            Ok(Arc::new(Findings::LogDirs(dirs))),
            Ok(Arc::new(Findings::OffsetsAt(vec![(0, None), (1, Some(4))]))),
            Ok(Arc::new(Findings::Volume(Arc::new(Volume { bars: Some(bars), counts: vec![(0, vec![1, 2])] })))),
            Ok(Arc::new(Findings::Tape(Box::default()))),
            Ok(Arc::new(Findings::Trace(Box::default()))),
        ];
        for answer in answers {
            assert_eq!(read_back(&answer), answer);
        }
        assert_eq!(read_back(&Ok(Arc::new(quorum("geheim")))), Ok(Arc::new(quorum("[hidden]"))), "no secret is kept");
    }

    #[test]
    fn what_is_damaged_or_too_large_is_told() {
        for bytes in [&[][..], &[9], &[1, 255, 255, 255, 255], &[8, 1]] {
            assert!(take_answer(bytes).is_err(), "{bytes:?}");
        }
        let bars = Bars { from_ms: 1, step_ms: 1, count: usize::MAX };
        let mut out = Vec::new();
        let endless = Volume { bars: Some(bars), counts: Vec::new() };
        put_answer(&mut out, &Ok(Arc::new(Findings::Volume(Arc::new(endless))))).unwrap();
        assert!(take_answer(&out).is_err());
        let many = Findings::Producers((0..40_000).map(producer).collect());
        assert_eq!(read_back(&Ok(Arc::new(many))), Err("The answer was too large to be recorded.".into()));
    }

    /// A topic with a config of its own that moves, on a broker that was started with another.
    fn snapshot() -> Snapshot {
        let mut image = Image::default();
        let moving = PartitionImage { replicas: vec![1, 2], adding: vec![2], ..PartitionImage::default() };
        let topic = TopicImage { id: Id([1; 16]), name: "t".into(), partitions: vec![moving] };
        image.topic_ids.insert("t".into(), topic.id);
        image.topics.insert(topic.id, Arc::new(topic));
        let own = BTreeMap::from([("retention.ms".to_owned(), "5000".to_owned())]);
        image.configs.insert((2, "t".into()), Arc::new(own));
        let overrides = BTreeMap::from([("log.segment.bytes".to_owned(), "1048576".to_owned())]);
        let settings = NodeSettings { node_id: 1, overrides, ..NodeSettings::default() };
        Snapshot {
            at_ms: 1_000_000,
            sequence: 1,
            image: Arc::new(image),
            settings: Arc::new(BTreeMap::from([(1, Arc::new(settings))])),
            ..Snapshot::default()
        }
    }

    #[test]
    fn configs_and_moving_replicas_of_any_time_are_known_and_the_rest_while_somebody_looks() {
        let producers = Query::Producers("t".into());
        let mut view = View { snapshot: Arc::new(snapshot()), ..View::default() };
        let found = Arc::new(Findings::Producers(vec![producer(0)]));
        view.inquiries.answer(&producers, 1_000_000, Ok(found.clone()));
        let mut scribe = Scribe::default();
        let mut bytes = Vec::new();
        append(&mut bytes, &scribe.note(&view, true).unwrap().unwrap().encode().unwrap()).unwrap();
        let later = Arc::make_mut(&mut view.snapshot);
        (later.at_ms, later.sequence) = (1_000_000 + 2 * NEW_MS, 2);
        append(&mut bytes, &scribe.note(&view, true).unwrap().unwrap().encode().unwrap()).unwrap();
        assert_eq!(frames(&bytes).count(), 2);

        let then = Moment::find(&[&bytes], 1_000_000).unwrap().view().unwrap();
        assert_eq!(then.inquiries.get(&producers).unwrap().answer, Some((1_000_000, Ok(found))));
        let Some(Ok(findings)) = known(&Query::Reassignments, &then.snapshot) else { panic!("known") };
        let Findings::Reassignments(moving) = &*findings else { panic!("{findings:?}") };
        assert_eq!((&*moving[0].topic, &moving[0].adding[..], moving.len()), ("t", &[2][..], 1));
        let configs = |resource| match known(&Query::Configs(resource), &then.snapshot) {
            Some(Ok(findings)) => match &*findings {
                Findings::Configs(entries) => entries.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        let of_topic = configs(ConfigResource::Topic("t".into()));
        let entry = |name: &str| of_topic.iter().find(|entry| entry.name == name).unwrap();
        assert_eq!(entry("retention.ms").value.as_deref(), Some("5000"));
        assert_eq!(entry("retention.ms").source, ConfigSource::Topic);
        assert_eq!(entry("segment.bytes").value.as_deref(), Some("1048576"));
        assert_eq!(entry("segment.bytes").source, ConfigSource::StaticBroker);
        assert!(configs(ConfigResource::Broker(Some(1))).len() > 100);
        let gone = known(&Query::Configs(ConfigResource::Topic("gone".into())), &then.snapshot);
        assert!(matches!(gone, Some(Err(_))), "{gone:?}");
        let unknown = known(&Query::Configs(ConfigResource::Broker(Some(9))), &then.snapshot);
        assert!(matches!(unknown, Some(Err(_))), "{unknown:?}");

        let after = Moment::find(&[&bytes], i64::MAX).unwrap().view().unwrap();
        assert!(after.inquiries.get(&producers).is_none(), "nobody looked any more");
    }
}
