//! Clients' connections, one by one.

use broker::metadata::connections::{ApiUse, ConnectionReport};

use crate::monitor::view::Connected;

/// A connection: broker and number.
pub type ConnectionKey = (i32, u64);

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
    /// Wall clock.
    pub opened_ms: i64,
    /// Of all APIs together.
    pub total: ApiUse,
}

/// All of them, by client, so that none changes its place.
pub fn rows(connected: &Connected) -> Vec<ConnectionRow> {
    let all = connected.iter().flat_map(|(id, report)| report.connections.iter().map(move |one| row(*id, one)));
    let mut rows: Vec<ConnectionRow> = all.collect();
    let order = |row: &ConnectionRow| (row.client_id.is_empty(), row.client_id.clone(), row.key);
    rows.sort_by_cached_key(order);
    rows
}

/// Connections that brokers do not tell one by one.
pub fn left_out(connected: &Connected) -> usize {
    connected.values().map(|report| report.left_out).sum()
}

/// One of them.
pub fn find(connected: &Connected, (broker, conn): ConnectionKey) -> Option<&ConnectionReport> {
    connected.get(&broker)?.connections.iter().find(|one| one.conn == conn)
}

fn row(broker: i32, one: &ConnectionReport) -> ConnectionRow {
    ConnectionRow {
        key: (broker, one.conn),
        client_id: one.client_id.clone().unwrap_or_default(),
        software: format!("{} {}", one.software_name, one.software_version).trim().to_owned(),
        address: one.address.clone(),
        opened_ms: one.opened_ms,
        total: sum(&one.apis),
    }
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
        let rows = rows(&connected);
        assert_eq!(rows.iter().map(|row| row.key).collect::<Vec<_>>(), [(3, 1), (3, 2)]);
        let busiest = &rows[1];
        assert_eq!((busiest.software.as_str(), busiest.total.per_s, busiest.total.max_us), ("kcat", 6.0, 9));
        assert_eq!((mean_ms(busiest.total.total_us(), busiest.total.count), errors(&busiest.total)), (Some(1.5), 4));
        assert_eq!(busiest.total.errors, [(3, 3), (6, 1)]);
        assert_eq!((left_out(&connected), find(&connected, (3, 9)), mean_ms(0, 0)), (4, None, None));
    }
}
