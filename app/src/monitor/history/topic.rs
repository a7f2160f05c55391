//! A topic, a group's offsets and a row of its lags as columns.
//!
//! What is told twice is written once: ends of logs are written as their distance from the high watermark, which most of the time is 0.

use std::collections::BTreeMap;
use std::io::Result;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use broker::recorded::invalid;

use super::columns::{narrow, put, put_lists, take, take_lengths, take_lists};
use crate::monitor::groups::lags::{Name, Row, Sample};
use crate::monitor::snapshot::{Group, GroupOffset, Partition, ReplicaLog, Topic};

/// Partitions of a topic, or of a group; more are none of ours.
const PARTITIONS_MAX: u32 = 1_000_000;

/// Stands for a number that is not known.
const NONE: i64 = i64::MIN;

/// Adds a topic.
///
/// # Errors
/// Never, for memory takes what is written.
pub fn put_topic(out: &mut Vec<u8>, topic: &Topic) -> Result<()> {
    Topic { partitions: Vec::new(), ..topic.clone() }.serialize(out)?;
    let all = &topic.partitions;
    (all.len() as u32).serialize(out)?;
    put(out, all.iter().zip(0..).map(|(one, index): (_, i64)| i64::from(one.id) - index));
    put(out, all.iter().map(|one| one.leader.into()));
    put(out, all.iter().map(|one| one.leader_epoch.into()));
    put(out, all.iter().map(|one| one.epoch_start_offset.unwrap_or(NONE)));
    put(out, all.iter().map(|one| one.log_start_offset));
    put(out, all.iter().map(|one| one.high_watermark));
    put(out, all.iter().map(|one| one.last_stable_offset.wrapping_sub(one.high_watermark)));
    put(out, all.iter().map(|one| one.size_bytes as i64));
    put_lists(out, all.iter().map(|one| one.replicas.as_slice()));
    put_lists(out, all.iter().map(|one| one.isr.as_slice()));
    put_lists(out, all.iter().map(|one| one.elr.as_slice()));
    put(out, all.iter().map(|one| one.log_end_offsets.len() as i64));
    put(out, all.iter().flat_map(|one| one.log_end_offsets.keys().map(|id| i64::from(*id))));
    let ends = |one: &Partition| -> Vec<i64> {
        one.log_end_offsets.values().map(|end| end.wrapping_sub(one.high_watermark)).collect()
    };
    put(out, all.iter().flat_map(ends));
    put_logs(out, all);
    put(out, all.iter().map(|one| one.acknowledged_ends.len() as i64));
    let epochs = |one: &Partition| -> Vec<i64> {
        one.acknowledged_ends.iter().map(|(epoch, _)| i64::from(*epoch) - i64::from(one.leader_epoch)).collect()
    };
    put(out, all.iter().flat_map(epochs));
    let ends = |one: &Partition| -> Vec<i64> {
        one.acknowledged_ends.iter().map(|(_, end)| end.wrapping_sub(one.high_watermark)).collect()
    };
    put(out, all.iter().flat_map(ends));
    Ok(())
}

fn put_logs(out: &mut Vec<u8>, all: &[Partition]) {
    let of = |value: fn(&Partition, &ReplicaLog) -> i64| {
        all.iter().flat_map(move |one| one.logs.iter().map(move |log| value(one, log)))
    };
    put(out, all.iter().map(|one| one.logs.len() as i64));
    put(out, of(|_, log| log.node_id.into()));
    put(out, of(|one, log| log.log_start_offset.wrapping_sub(one.log_start_offset)));
    put(out, of(|one, log| log.log_end_offset.wrapping_sub(one.high_watermark)));
    put(out, of(|one, log| (log.size_bytes as i64).wrapping_sub(one.size_bytes as i64)));
    put(out, of(|_, log| log.segments.into()));
    put(out, of(|_, log| log.retention_size_percent.into()));
}

/// Reads what [`put_topic`] wrote.
///
/// # Errors
/// It is something else.
pub fn take_topic(mut bytes: &[u8]) -> Result<Topic> {
    let bytes = &mut bytes;
    let mut topic = Topic::deserialize(bytes)?;
    let count = u32::deserialize(bytes)?;
    if count > PARTITIONS_MAX {
        return Err(invalid("a topic has too many partitions"));
    }
    let count = count as usize;
    let ids = take(bytes, count)?;
    let leaders = narrow(take(bytes, count)?)?;
    let epochs = narrow(take(bytes, count)?)?;
    let epoch_starts = take(bytes, count)?;
    let starts = take(bytes, count)?;
    let watermarks = take(bytes, count)?;
    let stables = take(bytes, count)?;
    let sizes = take(bytes, count)?;
    let mut replicas = take_lists(bytes, count)?.into_iter();
    let mut isrs = take_lists(bytes, count)?.into_iter();
    let mut elrs = take_lists(bytes, count)?.into_iter();
    let mut partitions = Vec::with_capacity(count);
    for index in 0..count {
        let watermark = watermarks[index];
        let id = i32::try_from(ids[index].wrapping_add(index as i64)).map_err(|_| invalid("no such partition"))?;
        partitions.push(Partition {
            id,
            leader: leaders[index],
            leader_epoch: epochs[index],
            replicas: replicas.next().unwrap_or_default(),
            isr: isrs.next().unwrap_or_default(),
            elr: elrs.next().unwrap_or_default(),
            log_start_offset: starts[index],
            high_watermark: watermark,
            last_stable_offset: stables[index].wrapping_add(watermark),
            size_bytes: sizes[index] as u64,
            epoch_start_offset: Some(epoch_starts[index]).filter(|start| *start != NONE),
            ..Partition::default()
        });
    }
    take_ends(bytes, &mut partitions)?;
    take_logs(bytes, &mut partitions)?;
    take_acknowledged(bytes, &mut partitions)?;
    topic.partitions = partitions;
    Ok(topic)
}

fn take_ends(bytes: &mut &[u8], partitions: &mut [Partition]) -> Result<()> {
    let (lengths, total) = take_lengths(bytes, partitions.len())?;
    let mut pairs = narrow(take(bytes, total)?)?.into_iter().zip(take(bytes, total)?);
    for (partition, length) in partitions.iter_mut().zip(lengths) {
        let watermark = partition.high_watermark;
        let ends: BTreeMap<i32, i64> =
            pairs.by_ref().take(length).map(|(id, end)| (id, end.wrapping_add(watermark))).collect();
        partition.log_end_offsets = ends;
    }
    Ok(())
}

fn take_logs(bytes: &mut &[u8], partitions: &mut [Partition]) -> Result<()> {
    let (lengths, total) = take_lengths(bytes, partitions.len())?;
    let ids = narrow(take(bytes, total)?)?;
    let columns =
        [take(bytes, total)?, take(bytes, total)?, take(bytes, total)?, take(bytes, total)?, take(bytes, total)?];
    let [starts, ends, sizes, segments, percents] = columns;
    let mut place = 0;
    for (partition, length) in partitions.iter_mut().zip(lengths) {
        partition.logs = (place..place + length)
            .map(|at| ReplicaLog {
                node_id: ids[at],
                log_start_offset: starts[at].wrapping_add(partition.log_start_offset),
                log_end_offset: ends[at].wrapping_add(partition.high_watermark),
                size_bytes: sizes[at].wrapping_add(partition.size_bytes as i64) as u64,
                segments: segments[at] as u32,
                retention_size_percent: percents[at] as u32,
            })
            .collect();
        place += length;
    }
    Ok(())
}

fn take_acknowledged(bytes: &mut &[u8], partitions: &mut [Partition]) -> Result<()> {
    let (lengths, total) = take_lengths(bytes, partitions.len())?;
    let mut pairs = take(bytes, total)?.into_iter().zip(take(bytes, total)?);
    for (partition, length) in partitions.iter_mut().zip(lengths) {
        let (watermark, leader_epoch) = (partition.high_watermark, partition.leader_epoch);
        let ends = pairs.by_ref().take(length);
        partition.acknowledged_ends = ends
            .map(|(epoch, end)| ((epoch.wrapping_add(leader_epoch.into())) as i32, end.wrapping_add(watermark)))
            .collect();
    }
    Ok(())
}

/// Adds a group.
///
/// # Errors
/// Never, for memory takes what is written.
pub fn put_group(out: &mut Vec<u8>, group: &Group) -> Result<()> {
    Group { offsets: Vec::new(), ..group.clone() }.serialize(out)?;
    let all = &group.offsets;
    put_names(out, all.iter().map(|offset| (&offset.topic, offset.partition)))?;
    put(out, all.iter().map(|offset| offset.committed_offset));
    put(out, all.iter().map(|offset| offset.lag));
    put(out, all.iter().map(|offset| offset.lag_ms.unwrap_or(NONE)));
    Ok(())
}

/// Reads what [`put_group`] wrote.
///
/// # Errors
/// It is something else.
pub fn take_group(mut bytes: &[u8]) -> Result<Group> {
    let bytes = &mut bytes;
    let mut group = Group::deserialize(bytes)?;
    let names = take_names(bytes)?;
    let (committed, lags, ages) = (take(bytes, names.len())?, take(bytes, names.len())?, take(bytes, names.len())?);
    let numbers = committed.into_iter().zip(lags).zip(ages);
    let offset = |((topic, partition), ((committed_offset, lag), age)): (Name, ((i64, i64), i64))| GroupOffset {
        topic,
        partition,
        committed_offset,
        lag,
        lag_ms: Some(age).filter(|age| *age != NONE),
    };
    group.offsets = names.into_iter().zip(numbers).map(offset).collect();
    Ok(group)
}

/// Adds a row of lags.
///
/// # Errors
/// Never, for memory takes what is written.
pub fn put_row(out: &mut Vec<u8>, row: &Row) -> Result<()> {
    (row.at_ms, row.members as u64).serialize(out)?;
    put_names(out, row.names.iter().map(|(topic, partition)| (topic, *partition)))?;
    put(out, row.samples.iter().map(|sample| sample.committed));
    put(out, row.samples.iter().map(|sample| sample.lag));
    put(out, row.samples.iter().map(|sample| sample.behind_ms.into()));
    Ok(())
}

/// Reads what [`put_row`] wrote.
///
/// # Errors
/// It is something else.
pub fn take_row(mut bytes: &[u8]) -> Result<Row> {
    let bytes = &mut bytes;
    let (at_ms, members) = <(i64, u64)>::deserialize(bytes)?;
    let names: Arc<[Name]> = take_names(bytes)?.into();
    let (committed, lags) = (take(bytes, names.len())?, take(bytes, names.len())?);
    let ages = narrow(take(bytes, names.len())?)?;
    let samples = committed.into_iter().zip(lags).zip(ages);
    let samples = samples.map(|((committed, lag), behind_ms)| Sample { committed, lag, behind_ms }).collect();
    Ok(Row { at_ms, members: usize::try_from(members).unwrap_or(usize::MAX), names, samples })
}

/// Names stand topic by topic: each topic once, with how many of its partitions follow.
fn put_names<'n>(out: &mut Vec<u8>, names: impl Iterator<Item = (&'n Arc<str>, i32)> + Clone) -> Result<()> {
    let mut topics: Vec<(&Arc<str>, u32)> = Vec::new();
    for (topic, _) in names.clone() {
        match topics.last_mut() {
            Some((last, count)) if *last == topic => *count += 1,
            _ => topics.push((topic, 1)),
        }
    }
    topics.serialize(out)?;
    put(out, names.map(|(_, partition)| partition.into()));
    Ok(())
}

fn take_names(bytes: &mut &[u8]) -> Result<Vec<Name>> {
    let topics = Vec::<(Arc<str>, u32)>::deserialize(bytes)?;
    let total = topics.iter().fold(0_u32, |total, (_, count)| total.saturating_add(*count));
    if total > PARTITIONS_MAX {
        return Err(invalid("a group has too many partitions"));
    }
    let partitions = narrow(take(bytes, total as usize)?)?;
    let names = topics.iter().flat_map(|(topic, count)| std::iter::repeat_n(topic, *count as usize));
    Ok(names.cloned().zip(partitions).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partition(id: i32, offset: i64, ids: Vec<i32>) -> Partition {
        let logs = ids.iter().map(|node_id| ReplicaLog {
            node_id: *node_id,
            log_start_offset: offset / 3,
            log_end_offset: offset,
            size_bytes: offset.unsigned_abs() * 7,
            segments: 3,
            retention_size_percent: 12,
        });
        Partition {
            id,
            leader: ids.first().copied().unwrap_or(-1),
            leader_epoch: id.wrapping_mul(3),
            isr: ids.iter().copied().skip(1).collect(),
            elr: ids.iter().copied().take(1).collect(),
            log_start_offset: offset / 2,
            high_watermark: offset,
            last_stable_offset: offset.wrapping_sub(5),
            log_end_offsets: ids.iter().map(|id| (*id, offset.wrapping_add(i64::from(*id)))).collect(),
            size_bytes: offset.unsigned_abs(),
            logs: logs.collect(),
            epoch_start_offset: (offset % 2 == 0).then_some(offset),
            acknowledged_ends: ids.iter().map(|id| (*id, offset)).collect(),
            replicas: ids,
        }
    }

    proptest! {
        #[test]
        fn topics_are_read_as_they_were_written(
            all in prop::collection::vec((any::<i32>(), 0..i64::MAX / 8, prop::collection::vec(any::<i32>(), 0..4)), 0..12),
        ) {
            let mut topic = Topic::named("orders");
            topic.messages_in_per_s = f64::NAN;
            topic.partitions = all.into_iter().map(|(id, offset, ids)| partition(id, offset, ids)).collect();
            let mut bytes = Vec::new();
            put_topic(&mut bytes, &topic).unwrap();
            let mut again = take_topic(&bytes).unwrap();
            prop_assert!(again.messages_in_per_s.is_nan());
            (again.messages_in_per_s, topic.messages_in_per_s) = (0.0, 0.0);
            prop_assert_eq!(again, topic);
            // Cut short anywhere it is refused, or at least survived.
            for end in 0..bytes.len() {
                prop_assert!(take_topic(&bytes[..end]).is_err());
            }
        }

        #[test]
        fn damage_is_survived(seed in any::<u64>(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut topic = Topic::named("orders");
            topic.partitions = (0..5).map(|id| partition(id, (seed >> 8) as i64, vec![1, 2, 3])).collect();
            let mut bytes = Vec::new();
            put_topic(&mut bytes, &topic).unwrap();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let _ = take_topic(&bytes);
            let _ = take_group(&bytes);
            let _ = take_row(&bytes);
        }
    }

    #[test]
    fn groups_and_rows_are_read_as_they_were_written() {
        let offset = |topic: &str, partition, lag_ms| GroupOffset {
            topic: topic.into(),
            partition,
            committed_offset: 40 + i64::from(partition),
            lag: 2,
            lag_ms,
        };
        let mut group = Group::of_kind("classic");
        group.offsets = vec![offset("a", 0, None), offset("a", 1, Some(0)), offset("b", 7, Some(1200))];
        let mut bytes = Vec::new();
        put_group(&mut bytes, &group).unwrap();
        assert_eq!(take_group(&bytes).unwrap(), group);
        let names: Arc<[Name]> = [("a".into(), 0), ("b".into(), 1)].into();
        let samples = [Sample { committed: 3, lag: 9, behind_ms: -1 }, Sample::default()].into();
        let row = Row { at_ms: 5, members: 2, names, samples };
        bytes.clear();
        put_row(&mut bytes, &row).unwrap();
        assert_eq!(take_row(&bytes).unwrap(), row);
    }
}
