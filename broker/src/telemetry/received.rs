//! The last values that clients pushed, within bounds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::instances::ClientAttributes;
use super::otlp::{self, Labels, PayloadError, Point};
use crate::metadata::report::{ClientMetricsReport, ClientSeries};
use crate::records::Compression;
use crate::types::{Id, Now};

/// Clients kept at most; then the one that was silent longest is forgotten.
const CLIENTS_MAX: usize = 1_000;

/// Series kept of one client at most.
const CLIENT_SERIES_MAX: usize = 2_000;

/// Series kept of all clients together at most.
const SERIES_MAX: usize = 50_000;

/// What a client pushed is shown for three of its intervals, and at least for this.
const EXPIRY_MIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Last {
    value: f64,
    is_counter: bool,
    /// Number of the push that brought it.
    push: u64,
}

#[derive(Debug)]
struct Client {
    attributes: ClientAttributes,
    push_interval_ms: i32,
    at_ms: i64,
    pushes: u64,
    series: BTreeMap<(String, Labels), Last>,
    series_dropped: u64,
    expires: Duration,
    report: Arc<ClientMetricsReport>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Received {
    clients: BTreeMap<Id, Client>,
    series: usize,
    changed: bool,
}

impl Received {
    /// Takes in a payload. Sums that came as differences are added up from the first that came here. A gauge that this push no longer has
    /// is gone.
    ///
    /// # Errors
    /// It cannot be read; what was there stays.
    pub fn push(
        &mut self,
        now: Now,
        client_instance_id: Id,
        attributes: &ClientAttributes,
        push_interval_ms: i32,
        (compression, bytes): (Compression, &[u8]),
    ) -> Result<(), PayloadError> {
        let points = otlp::read(compression, bytes)?;
        self.make_room(client_instance_id);
        let client = self.clients.entry(client_instance_id).or_insert_with(|| Client {
            attributes: attributes.clone(),
            push_interval_ms,
            at_ms: now.wall_ms,
            pushes: 0,
            series: BTreeMap::new(),
            series_dropped: 0,
            expires: Duration::ZERO,
            report: Arc::default(),
        });
        let interval = Duration::from_millis(u64::try_from(push_interval_ms).unwrap_or(0));
        client.attributes.clone_from(attributes);
        client.push_interval_ms = push_interval_ms;
        client.at_ms = now.wall_ms;
        client.expires = now.mono + EXPIRY_MIN.max(interval * 3);
        let before = client.series.len();
        client.take(points, SERIES_MAX.saturating_sub(self.series - before).min(CLIENT_SERIES_MAX));
        self.series = self.series - before + client.series.len();
        client.report = Arc::new(client.told(client_instance_id));
        self.changed = true;
        Ok(())
    }

    fn make_room(&mut self, newcomer: Id) {
        if self.clients.len() < CLIENTS_MAX || self.clients.contains_key(&newcomer) {
            return;
        }
        if let Some((id, _)) = self.clients.iter().min_by_key(|(_, client)| client.at_ms) {
            self.forget(*id);
        }
    }

    fn forget(&mut self, id: Id) {
        if let Some(client) = self.clients.remove(&id) {
            self.series -= client.series.len();
            self.changed = true;
        }
    }

    /// Forgets clients that were silent for too long.
    pub fn on_tick(&mut self, now: Now) {
        let late = self.clients.iter().filter(|(_, client)| client.expires <= now.mono);
        let late: Vec<Id> = late.map(|(id, _)| *id).collect();
        for id in late {
            self.forget(id);
        }
    }

    /// When a client has been silent for too long, on the monotonic clock.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.clients.values().map(|client| client.expires).min()
    }

    /// All that is known, if it changed since the last call.
    pub fn changed_report(&mut self) -> Option<Arc<[Arc<ClientMetricsReport>]>> {
        let changed = std::mem::take(&mut self.changed);
        changed.then(|| self.clients.values().map(|client| client.report.clone()).collect())
    }
}

impl Client {
    fn take(&mut self, points: Vec<Point>, series_max: usize) {
        self.pushes += 1;
        let push = self.pushes;
        for Point { name, labels, value, is_delta, is_counter } in points {
            let full = self.series.len() >= series_max;
            match self.series.entry((name, labels)) {
                std::collections::btree_map::Entry::Vacant(_) if full => self.series_dropped += 1,
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(Last { value, is_counter, push });
                }
                std::collections::btree_map::Entry::Occupied(mut there) => {
                    let before = there.get().value;
                    let value = if is_delta { before + value } else { value };
                    there.insert(Last { value, is_counter, push });
                }
            }
        }
        self.series.retain(|_, last| last.is_counter || last.push == push);
    }

    fn told(&self, client_instance_id: Id) -> ClientMetricsReport {
        let series = |((name, labels), last): (&(String, Labels), &Last)| ClientSeries {
            name: name.clone(),
            labels: labels.clone(),
            is_counter: last.is_counter,
            value: last.value,
        };
        ClientMetricsReport {
            client_instance_id,
            client_id: self.attributes.client_id.clone().unwrap_or_default(),
            software_name: self.attributes.software_name.clone(),
            software_version: self.attributes.software_version.clone(),
            host: self.attributes.source_address.clone(),
            at_ms: self.at_ms,
            push_interval_ms: self.push_interval_ms,
            series_dropped: self.series_dropped,
            series: self.series.iter().map(series).collect(),
        }
    }
}

#[cfg(test)]
#[path = "received_tests.rs"]
mod tests;
