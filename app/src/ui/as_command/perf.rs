//! A workload's clients as lines for a shell: Kafka's own load generators, and kcat. They make records of the same size and rate, not the same
//! records.

use super::{Around, Line, quoted, tool};
use crate::monitor::workload::{Isolation, OffsetReset, WorkloadSpec};

/// Lines that send and read about what a workload does, as far as the tools can.
pub fn lines(spec: &WorkloadSpec, group: &str, around: &Around<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    if spec.producers > 0 {
        let title = if spec.producers == 1 { "Its producer" } else { "Each of its producers" };
        lines.push(Line { title, text: producer(spec, around) });
    }
    if spec.consumers > 0 {
        let title = if spec.consumers == 1 { "Its consumer" } else { "Each of its consumers" };
        lines.push(Line { title, text: consumer(spec, group, around) });
        lines.push(Line { title: "To see its records", text: look(spec, around) });
    }
    lines
}

fn producer(spec: &WorkloadSpec, around: &Around<'_>) -> String {
    let each = spec.rate_per_s.div_ceil(u64::from(spec.producers.max(1)));
    let throughput = if spec.rate_per_s == 0 { "-1".to_owned() } else { each.to_string() };
    // A minute of them.
    let records = if spec.rate_per_s == 0 { 1_000_000 } else { each * 60 };
    let mut text = format!(
        "{} --topic {} --num-records {records} --record-size {} --throughput {throughput} --command-property acks={} \
         enable.idempotence={} linger.ms={} batch.size={} compression.type={}",
        tool("kafka-producer-perf-test.sh", around),
        quoted(&spec.topic),
        spec.record_bytes,
        spec.acks,
        spec.idempotent,
        spec.linger_ms,
        spec.batch_bytes,
        spec.compression.name(),
    );
    if spec.is_transactional() {
        text += &format!(" --transaction-duration-ms {}", spec.transaction_ms);
    }
    text
}

fn consumer(spec: &WorkloadSpec, group: &str, around: &Around<'_>) -> String {
    let each = spec.rate_per_s * 60 / u64::from(spec.consumers.max(1));
    let mut text = format!(
        "{} --topic {} --group {} --num-records {}",
        tool("kafka-consumer-perf-test.sh", around),
        quoted(&spec.topic),
        quoted(group),
        if spec.rate_per_s == 0 { 1_000_000 } else { each.max(1) },
    );
    if spec.offset_reset == OffsetReset::Latest {
        text += " --from-latest";
    }
    if spec.isolation == Isolation::ReadCommitted {
        text += " --command-property isolation.level=read_committed";
    }
    text
}

fn look(spec: &WorkloadSpec, around: &Around<'_>) -> String {
    let servers = if around.bootstrap.is_empty() { "$BOOTSTRAP_SERVERS" } else { around.bootstrap };
    format!("kcat -b {servers} -C -t {} -o -10 -e -f '%p %o %k %s\\n'", quoted(&spec.topic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::snapshot::Snapshot;
    use crate::monitor::workload::Codec;

    #[test]
    fn the_tools_are_told_what_the_workload_is_told() {
        let snapshot = Snapshot::default();
        let around = Around { bootstrap: "127.0.0.1:9092", http: None, snapshot: &snapshot };
        let spec = WorkloadSpec {
            producers: 2,
            rate_per_s: 500,
            compression: Codec::Lz4,
            transaction_ms: 300,
            ..WorkloadSpec::default()
        };
        let lines = lines(&spec, "g", &around);
        assert_eq!(lines[0].title, "Each of its producers");
        assert_eq!(
            lines[0].text,
            "kafka-producer-perf-test.sh --bootstrap-server 127.0.0.1:9092 --topic demo --num-records 15000 --record-size 200 \
             --throughput 250 --command-property acks=all enable.idempotence=true linger.ms=5 batch.size=1000000 \
             compression.type=lz4 --transaction-duration-ms 300"
        );
        assert!(lines[1].text.contains("--group g --num-records 15000") && lines[1].text.contains("read_committed"));
        assert!(lines[2].text.starts_with("kcat -b 127.0.0.1:9092 -C -t demo"));
        let fast = WorkloadSpec { rate_per_s: 0, consumers: 0, ..spec };
        assert!(super::lines(&fast, "", &around)[0].text.contains("--throughput -1"));
        assert_eq!(super::lines(&fast, "", &around).len(), 1);
    }
}
