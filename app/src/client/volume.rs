//! How many records a topic has over time, by the offsets at which instants stand in its logs. KIP-79, KIP-734.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::cluster::{Client, Partition};
use super::error::ClientError;
use super::offsets::{BEGINNING, END, Found, NEWEST_TIME, found_at, led_partitions};
use crate::monitor::messages::volume::{Bars, Volume};

/// Of a topic's partitions that have a leader, between two instants (the second is left out), or from the first record to the last.
pub fn volume(client: &mut Client, topic: &str, span_ms: Option<(i64, i64)>) -> Result<Volume, ClientError> {
    let (known, _) = led_partitions(client, topic)?;
    let partitions: Vec<Partition<'_>> = known.iter().map(|partition| (topic, *partition)).collect();
    let reach = match span_ms {
        Some((from_ms, until_ms)) => Some((from_ms, until_ms.saturating_sub(1))),
        None => reach(client, &partitions)?,
    };
    let Some((first_ms, last_ms)) = reach else { return Ok(Volume::default()) };
    let bars = Bars::over(first_ms, last_ms, partitions.len());
    let mut by_partition: BTreeMap<i32, Vec<i64>> = known.iter().map(|partition| (*partition, Vec::new())).collect();
    let mut put = |found: Vec<Found>| {
        for one in found {
            by_partition.entry(one.partition).or_default().push(one.offset);
        }
    };
    // What stands before the first bar because its timestamp is out of order, or because it has none, belongs to the whole.
    put(found_at(client, &partitions, if span_ms.is_some() { bars.from_ms } else { BEGINNING })?);
    for cut_ms in bars.cuts_ms() {
        put(found_at(client, &partitions, cut_ms)?);
    }
    if span_ms.is_some() {
        put(found_at(client, &partitions, bars.end_ms())?);
    }
    // Asked last, so that nothing lies behind it.
    let ends: BTreeMap<i32, i64> =
        found_at(client, &partitions, END)?.into_iter().map(|one| (one.partition, one.offset)).collect();
    let resolved = by_partition.into_iter().map(|(partition, mut offsets)| {
        let end = ends.get(&partition).copied().unwrap_or(0);
        if span_ms.is_none() {
            offsets.push(end);
        }
        // Where no record is that late, the instant stands at the end.
        offsets.iter_mut().filter(|offset| **offset < 0).for_each(|offset| *offset = end);
        (partition, offsets)
    });
    Ok(Volume::between(bars, resolved.collect()))
}

/// The times of the first record and of the newest; `None`: there is none.
fn reach(client: &mut Client, partitions: &[Partition<'_>]) -> Result<Option<(i64, i64)>, ClientError> {
    let begun = found_at(client, partitions, 0)?;
    let Some(first_ms) = begun.iter().filter(|one| one.offset >= 0).map(|one| one.timestamp_ms).min() else {
        return Ok(None);
    };
    let told = found_at(client, partitions, NEWEST_TIME)?.iter().map(|one| one.timestamp_ms).max();
    // Brokers of before 3.0 do not tell of it: then it is now.
    let now_ms = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let last_ms = told.filter(|at_ms| *at_ms >= 0).unwrap_or_else(now_ms);
    Ok(Some((first_ms, last_ms.max(first_ms))))
}
