//! The replicas of a partition as they lie on disk: byte for byte the same, sound, and with the leader epochs that their batches tell.

use std::path::{Path, PathBuf};

use broker::records::{self, BatchHeader};

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Replica {
    broker: i32,
    /// All segments, one after the other.
    bytes: Vec<u8>,
    /// `leader-epoch-checkpoint`: epochs and where they begin.
    epochs: Vec<(i32, i64)>,
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn children(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
    let mut paths = std::fs::read_dir(dir)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort_unstable();
    Ok(paths)
}

/// Log directories of a broker: its own, or one for each disk.
fn log_dirs(data_dir: &Path, broker: i32) -> Result<Vec<PathBuf>, String> {
    let own = data_dir.join(format!("broker-{broker}"));
    let is_disk =
        |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("disk-"));
    let disks: Vec<PathBuf> = children(&own)?.into_iter().filter(is_disk).collect();
    Ok(if disks.is_empty() { vec![own] } else { disks })
}

/// The log directory in which a broker keeps a partition.
pub(super) fn log_dir_of(data_dir: &Path, broker: i32, topic: &str, partition: u32) -> Result<PathBuf, String> {
    let name = format!("{topic}-{partition}");
    let mut holders: Vec<PathBuf> =
        log_dirs(data_dir, broker)?.into_iter().filter(|dir| dir.join(&name).is_dir()).collect();
    match (holders.pop(), holders.is_empty()) {
        (Some(holder), true) => Ok(holder),
        (None, _) => Err(format!("broker {broker} has no {name}")),
        _ => Err(format!("broker {broker} has {name} in several log directories")),
    }
}

/// What a broker has surely synced of a partition, by its checkpoint.
pub(super) fn recovery_point(data_dir: &Path, broker: i32, topic: &str, partition: u32) -> i64 {
    let dir = log_dir_of(data_dir, broker, topic, partition);
    let Ok(content) = dir.and_then(|dir| text(&dir.join("recovery-point-offset-checkpoint"))) else { return 0 };
    let entry = format!("{topic} {partition} ");
    content.lines().find_map(|line| line.strip_prefix(&entry)?.trim().parse().ok()).unwrap_or(0)
}

fn replica(data_dir: &Path, broker: i32, topic: &str, partition: u32) -> Result<Replica, String> {
    let dir = log_dir_of(data_dir, broker, topic, partition)?.join(format!("{topic}-{partition}"));
    let mut bytes = Vec::new();
    for path in children(&dir)?.iter().filter(|path| path.extension().is_some_and(|extension| extension == "log")) {
        bytes.extend(std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    Ok(Replica { broker, bytes, epochs: epochs(&text(&dir.join("leader-epoch-checkpoint"))?)? })
}

/// A version, a count, and one line for each entry.
fn epochs(content: &str) -> Result<Vec<(i32, i64)>, String> {
    let entries = content.lines().skip(2).map(|line| {
        let (epoch, start) = line.split_once(' ')?;
        Some((epoch.parse().ok()?, start.trim().parse().ok()?))
    });
    entries.collect::<Option<Vec<_>>>().ok_or_else(|| format!("a leader-epoch-checkpoint that is none: {content:?}"))
}

impl Replica {
    /// Whole, sound batches without a gap, and the epochs that they tell.
    fn check(&self, end: i64) -> Result<(), String> {
        let who = format!("the log on broker {}", self.broker);
        let mut headers: Vec<BatchHeader> = Vec::new();
        records::validate_all(&self.bytes, |header| headers.push(*header))
            .map_err(|error| format!("{who}, after {} batches: {error}", headers.len()))?;
        let (mut next, mut epoch) = (0, -1);
        for header in &headers {
            if header.base_offset != next || header.partition_leader_epoch < epoch {
                return Err(format!(
                    "{who}: after offset {next} and epoch {epoch} comes a batch with offset {} and epoch {}",
                    header.base_offset, header.partition_leader_epoch
                ));
            }
            (next, epoch) = (header.next_offset(), header.partition_leader_epoch);
            let told = self.epochs.iter().rev().find(|(_, start)| *start <= header.base_offset);
            if told.is_none_or(|(told, _)| *told != epoch) {
                let (offset, told) = (header.base_offset, &self.epochs);
                return Err(format!("{who}: offset {offset} is of epoch {epoch}, but its checkpoint tells {told:?}"));
            }
        }
        if next != end {
            return Err(format!("{who} ends at {next}, not at {end}"));
        }
        Ok(())
    }
}

/// Offset of the first batch that differs.
fn first_difference(one: &[u8], other: &[u8]) -> i64 {
    let batches = |bytes| records::batches(bytes).flatten();
    let same = batches(one).zip(batches(other)).take_while(|(one, other)| one.1 == other.1).last();
    same.map_or(0, |((header, _), _)| header.next_offset())
}

/// All replicas of a partition are the same and end at `end`.
///
/// # Errors
/// What is wrong, in one sentence.
pub(super) fn check(data_dir: &Path, brokers: &[i32], topic: &str, partition: u32, end: i64) -> Result<(), String> {
    let replicas = brokers.iter().map(|broker| replica(data_dir, *broker, topic, partition));
    let replicas = replicas.collect::<Result<Vec<_>, _>>()?;
    for replica in &replicas {
        replica.check(end).map_err(|what| format!("partition {partition}: {what}"))?;
    }
    for pair in replicas.windows(2) {
        if pair[0].bytes != pair[1].bytes {
            return Err(format!(
                "partition {partition}: the logs on brokers {} and {} differ from offset {} on",
                pair[0].broker,
                pair[1].broker,
                first_difference(&pair[0].bytes, &pair[1].bytes)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use broker::records::{BatchBuilder, Compression};

    use super::*;

    fn batch(offset: i64, epoch: i32, value: &[u8]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(offset, Compression::None).leader_epoch(epoch);
        builder.push(7, None, Some(value), &[]);
        builder.build().to_vec()
    }

    fn write(data: &Path, broker: i32, batches: &[Vec<u8>], epochs: &str) {
        let dir = data.join(format!("broker-{broker}/t-0"));
        std::fs::create_dir_all(&dir).unwrap();
        // In two segments, which are cut elsewhere on each broker.
        let (first, second) = batches.split_at(broker as usize % 2);
        std::fs::write(dir.join("00000000000000000000.log"), first.concat()).unwrap();
        std::fs::write(dir.join("00000000000000000001.log"), second.concat()).unwrap();
        std::fs::write(dir.join("leader-epoch-checkpoint"), epochs).unwrap();
    }

    #[test]
    fn replicas_are_compared() {
        let good = [batch(0, 0, b"a"), batch(1, 0, b"b"), batch(2, 3, b"c")];
        let other = [batch(0, 0, b"a"), batch(1, 0, b"x"), batch(2, 3, b"c")];
        let gap = [batch(0, 0, b"a"), batch(2, 3, b"c")];
        let mut torn = good.clone();
        *torn[1].last_mut().unwrap() ^= 1;
        for (batches, epochs, expected) in [
            (good.to_vec(), "0\n2\n0 0\n3 2\n", None),
            (good.to_vec(), "0\n3\n0 0\n3 2\n4 3\n", None),
            (good.to_vec(), "0\n1\n0 0\n", Some("is of epoch 3, but its checkpoint")),
            (other.to_vec(), "0\n2\n0 0\n3 2\n", Some("differ from offset 1 on")),
            (gap.to_vec(), "0\n2\n0 0\n3 2\n", Some("after offset 1 and epoch 0 comes")),
            (torn.to_vec(), "0\n2\n0 0\n3 2\n", Some("after 1 batches")),
            (good[..2].to_vec(), "0\n1\n0 0\n", Some("ends at 2, not at 3")),
        ] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), 1, &good, "0\n2\n0 0\n3 2\n");
            write(dir.path(), 2, &batches, epochs);
            let told = check(dir.path(), &[1, 2], "t", 0, 3);
            match expected {
                None => assert_eq!(told, Ok(())),
                Some(part) => assert!(told.clone().is_err_and(|what| what.contains(part)), "{told:?}"),
            }
        }
    }

    #[test]
    fn disks_and_checkpoints_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("broker-1/disk-2");
        std::fs::create_dir_all(disk.join("t-0")).unwrap();
        std::fs::create_dir_all(dir.path().join("broker-1/disk-1")).unwrap();
        std::fs::write(disk.join("recovery-point-offset-checkpoint"), "0\n2\nt 0 17\nt 01 4\n").unwrap();
        assert_eq!(log_dir_of(dir.path(), 1, "t", 0), Ok(disk));
        assert_eq!((recovery_point(dir.path(), 1, "t", 0), recovery_point(dir.path(), 1, "t", 1)), (17, 0));
    }
}
