//! What clients pushed of their own metrics (KIP-714): as JSON, and in Prometheus' words.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use broker::metadata::report::{ClientMetricsReport, ClientSeries};
use serde_json::{Value, json};

use super::export::families::Families;
use super::server::Sources;

/// `GET /api/client-metrics`: by client instance.
pub async fn list(State(sources): State<Sources>) -> Response {
    let clients: Vec<Value> = sources.slot.latest().snapshot.client_metrics.iter().map(|one| shown(one)).collect();
    Json(clients).into_response()
}

fn shown(client: &ClientMetricsReport) -> Value {
    let series = |series: &ClientSeries| {
        let kind = if series.is_counter { "counter" } else { "gauge" };
        json!({ "name": series.name, "labels": series.labels, "type": kind, "value": series.value })
    };
    json!({
        "client_instance_id": client.client_instance_id.to_string(),
        "client_id": client.client_id,
        "software_name": client.software_name,
        "software_version": client.software_version,
        "host": client.host,
        "at_ms": client.at_ms,
        "push_interval_ms": client.push_interval_ms,
        "series_dropped": client.series_dropped,
        "metrics": client.series.iter().map(series).collect::<Vec<_>>(),
    })
}

/// Adds what clients pushed. `org.apache.kafka.producer.record.send.total` is `kafka_client_producer_record_send_total` here.
pub fn add(families: &mut Families, clients: &[Arc<ClientMetricsReport>]) {
    // By name; then by labels, for what two of a client's names become the same may stand here but once.
    let mut named = BTreeMap::<String, Vec<(&ClientMetricsReport, &ClientSeries)>>::new();
    for client in clients {
        for series in client.series.iter().filter(|series| series.value.is_finite()) {
            named.entry(name_of(&series.name)).or_default().push((client, series));
        }
    }
    for (name, all) in named {
        let mut by_labels = BTreeMap::<Vec<(&str, &str)>, f64>::new();
        let ids: Vec<String> = all.iter().map(|(client, _)| client.client_instance_id.to_string()).collect();
        for ((client, series), id) in all.iter().zip(&ids) {
            let mut labels: Vec<(&str, &str)> = vec![("client_id", &client.client_id), ("client_instance_id", id)];
            labels.extend(series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            by_labels.insert(labels, series.value);
        }
        let counters = all.iter().filter(|(_, series)| series.is_counter).count();
        let help = "Pushed by clients.";
        let mut family = if ["_sum", "_count", "_bucket"].iter().any(|end| name.ends_with(end)) {
            families.untyped(&name, help)
        } else if counters == all.len() {
            families.counter(&name, help)
        } else if counters == 0 {
            families.gauge(&name, help)
        } else {
            families.untyped(&name, help)
        };
        for (labels, value) in &by_labels {
            family.add(labels, *value);
        }
    }
}

fn name_of(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.strip_prefix("org.apache.kafka.").unwrap_or(name).chars().map(allowed).collect();
    format!("kafka_client_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_types_and_labels() {
        let series = |name: &str, label: &str, is_counter, value| ClientSeries {
            name: name.into(),
            labels: [("topic".to_owned(), label.to_owned())].into(),
            is_counter,
            value,
        };
        let client = ClientMetricsReport {
            client_id: "app".into(),
            series: vec![
                series("org.apache.kafka.producer.a.b", "t", false, 1.0),
                series("org.apache.kafka.producer.a_b", "t", false, 2.0),
                series("org.apache.kafka.producer.a.b", "u", false, f64::NAN),
                series("org.apache.kafka.producer.sent.total", "t", true, 3.0),
                series("my.own-metric", "t", false, 4.0),
                series("x.count", "t", true, 5.0),
            ],
            ..Default::default()
        };
        let mut families = Families::default();
        add(&mut families, &[Arc::new(client)]);
        let text = families.finish().unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        let labels = r#"{client_id="app",client_instance_id="AAAAAAAAAAAAAAAAAAAAAA",topic="t"}"#;
        assert_eq!(
            lines,
            [
                "# TYPE kafka_client_my_own_metric gauge".to_owned(),
                format!("kafka_client_my_own_metric{labels} 4"),
                "# TYPE kafka_client_producer_a_b gauge".to_owned(),
                format!("kafka_client_producer_a_b{labels} 2"),
                "# TYPE kafka_client_producer_sent_total counter".to_owned(),
                format!("kafka_client_producer_sent_total{labels} 3"),
                "# TYPE kafka_client_x_count untyped".to_owned(),
                format!("kafka_client_x_count{labels} 5"),
            ]
        );
    }
}
