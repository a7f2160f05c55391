//! We answer as Apache Kafka 4.3 did when `conformance --record` asked it.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::HashSet;

use tests::conformance::side::Side;
use tests::conformance::{cases, clusters, compare, golden};

#[test]
fn answers_are_those_that_kafka_gave() {
    let kafka = golden::read(&golden::dir()).unwrap();
    assert!(kafka.len() > 1000, "only {} answers of Kafka's are kept", kafka.len());
    let serve = clusters::start_ours();
    let mut side = Side::connect(&serve.bootstrap_servers).unwrap();
    side.golden_only = true;
    for case in cases::all() {
        side.play(case.name, case.play);
    }
    // What we offer anew is asked of Kafka by who has Java about: until then there is nothing to compare it with.
    let known: HashSet<&str> = kafka.iter().map(|exchange| exchange.key.as_str()).collect();
    let mut ours = golden::chosen(&side.exchanges);
    ours.retain(|exchange| known.contains(exchange.key.as_str()));
    let report = compare::compare(&kafka, &ours);
    assert!(
        report.red.is_empty(),
        "{} of {} answers differ:\n{}",
        report.red.len(),
        kafka.len(),
        report.lines().join("\n")
    );
}
