//! Clients' connections, one by one.

use broker::metadata::connections::{ApiUse, ConnectionReport};

use crate::monitor::view::Connected;

/// A connection: broker and number.
pub type ConnectionKey = (i32, u64);

/// Where a connection stands in what its broker told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The broker.
    pub broker: i32,
    /// Which of its connections.
    pub index: usize,
}

/// A connection in one line.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionRow {
    /// Which.
    pub key: ConnectionKey,
    /// As the client calls itself; empty: it does not.
    pub client_id: String,
    /// Its software and version; empty: it did not say.
    pub software: String,
    /// Where it comes from.
    pub address: String,
    /// Of all APIs together.
    pub total: ApiUse,
}

/// A connection that is put into order, where its broker told it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'c> {
    /// Where it stands.
    pub place: Place,
    /// What was told of it.
    pub told: &'c ConnectionReport,
}

impl<'c> Entry<'c> {
    /// Which.
    pub fn key(&self) -> ConnectionKey {
        (self.place.broker, self.told.conn)
    }

    /// As the client calls itself; empty: it does not.
    pub fn client_id(&self) -> &'c str {
        self.told.client_id.as_deref().unwrap_or_default()
    }

    /// The line for it.
    pub fn row(&self) -> ConnectionRow {
        let one = self.told;
        ConnectionRow {
            key: self.key(),
            client_id: self.client_id().to_owned(),
            software: format!("{} {}", one.software_name, one.software_version).trim().to_owned(),
            address: one.address.clone(),
            total: sum(&one.apis),
        }
    }
}

/// All of them, by client, so that none changes its place. Nothing is copied: there may be thousands, and a dozen of them are in sight.
pub fn entries(connected: &Connected) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = connected
        .iter()
        .flat_map(|(broker, report)| {
            let place = |index| Place { broker: *broker, index };
            report.connections.iter().enumerate().map(move |(index, told)| Entry { place: place(index), told })
        })
        .collect();
    entries.sort_unstable_by(|one, other| by_client(one).cmp(&by_client(other)));
    entries
}

fn by_client<'c>(entry: &Entry<'c>) -> (bool, &'c str, ConnectionKey) {
    (entry.client_id().is_empty(), entry.client_id(), entry.key())
}

/// What stands at a place.
pub fn at(connected: &Connected, place: Place) -> Option<Entry<'_>> {
    let told = connected.get(&place.broker)?.connections.get(place.index)?;
    Some(Entry { place, told })
}

/// Connections that brokers do not tell one by one.
pub fn left_out(connected: &Connected) -> usize {
    connected.values().map(|report| report.left_out).sum()
}

/// Of all APIs together; of the longest request, the longest.
pub fn sum(apis: &[ApiUse]) -> ApiUse {
    let mut total = ApiUse::default();
    for api in apis {
        total.count += api.count;
        total.per_s += api.per_s;
        total.in_bytes += api.in_bytes;
        total.out_bytes += api.out_bytes;
        total.request_queue_us += api.request_queue_us;
        total.local_us += api.local_us;
        total.remote_us += api.remote_us;
        total.throttle_us += api.throttle_us;
        total.response_queue_us += api.response_queue_us;
        total.response_send_us += api.response_send_us;
        total.max_us = total.max_us.max(api.max_us);
        for (code, times) in &api.errors {
            match total.errors.iter_mut().find(|(known, _)| known == code) {
                Some((_, known)) => *known += times,
                None => total.errors.push((*code, *times)),
            }
        }
    }
    total
}

/// A sum of times over requests as the mean of one, ms; `None`: there was none.
pub fn mean_ms(sum_us: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum_us as f64 / count as f64 / 1e3)
}

/// How often an answer carried an error.
pub fn errors(usage: &ApiUse) -> u64 {
    usage.errors.iter().map(|(_, times)| times).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use broker::metadata::connections::ConnectionsReport;

    use super::*;

    #[test]
    fn clients_stand_by_name_and_those_without_one_last() {
        let one = |conn, client_id: Option<&str>| ConnectionReport {
            conn,
            client_id: client_id.map(str::to_owned),
            ..ConnectionReport::default()
        };
        let report = |connections| Arc::new(ConnectionsReport { connections, ..ConnectionsReport::default() });
        let connected = Connected::from([
            (1, report(vec![one(4, None), one(3, Some("b")), one(9, Some("a"))])),
            (2, report(vec![one(2, Some("a")), one(1, Some(""))])),
        ]);
        let keys: Vec<ConnectionKey> = entries(&connected).iter().map(Entry::key).collect();
        assert_eq!(keys, [(1, 9), (2, 2), (1, 3), (1, 4), (2, 1)]);
    }

    #[test]
    fn a_connection_is_the_sum_of_what_is_asked_on_it() {
        let api = |api, per_s, max_us, errors| ApiUse {
            api,
            count: 2,
            per_s,
            remote_us: 3_000,
            max_us,
            errors,
            ..ApiUse::default()
        };
        let one =
            |conn, apis| ConnectionReport { conn, software_name: "kcat".into(), apis, ..ConnectionReport::default() };
        let connections = vec![
            one(1, vec![api("Fetch", 1.0, 7, vec![(3, 1)])]),
            one(2, vec![api("Fetch", 4.0, 9, vec![(3, 1)]), api("Produce", 2.0, 5, vec![(3, 2), (6, 1)])]),
        ];
        let report = ConnectionsReport { node_id: 3, connections, left_out: 4, ..ConnectionsReport::default() };
        let connected = Connected::from([(3, Arc::new(report))]);
        let entries = entries(&connected);
        let rows: Vec<ConnectionRow> = entries.iter().map(Entry::row).collect();
        assert!(entries.iter().all(|entry| at(&connected, entry.place).is_some_and(|at| at.key() == entry.key())));
        assert_eq!(rows.iter().map(|row| row.key).collect::<Vec<_>>(), [(3, 1), (3, 2)]);
        let busiest = &rows[1];
        assert_eq!((busiest.software.as_str(), busiest.total.per_s, busiest.total.max_us), ("kcat", 6.0, 9));
        assert_eq!((mean_ms(busiest.total.total_us(), busiest.total.count), errors(&busiest.total)), (Some(1.5), 4));
        assert_eq!(busiest.total.errors, [(3, 3), (6, 1)]);
        assert_eq!((left_out(&connected), mean_ms(0, 0)), (4, None));
        assert!(at(&connected, Place { broker: 3, index: 2 }).is_none());
    }
}
