//! The acceptance table on the real thing, one round of each row that is played. More:
//! `cargo run --release -p tests --bin acceptance -- --rows all --rounds 20`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::acceptance::{House, Judge, arguments, play, play_rounds};
use tests::campaign::{Kind, Row};

/// Rows at once: most of a round is waiting.
const JOBS: usize = 4;

#[test]
fn each_row_keeps_its_promise() {
    let rows: Vec<Row> = Row::all();
    let next = AtomicUsize::new(0);
    let failures: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sum = play_rounds(*row, 1, 1, &mut |failure| {
                        let diary = failure.report.diary.join("\n    ");
                        let told = format!("row {row}: {:#?}\n    {diary}", failure.report.anomalies);
                        failures.lock().expect("not poisoned").push(told);
                    });
                    println!("{}", sum.line(*row));
                    let idle = sum.failed == 0 && (sum.faults == 0 || sum.operations == 0);
                    if idle {
                        failures.lock().expect("not poisoned").push(format!("row {row} did nothing: {sum:?}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("not poisoned");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The checks see a loss: what row 12 lets go is told as lost where nothing is forgiven.
#[test]
fn a_loss_is_seen_where_none_is_allowed() {
    let row = Row::parse("12").and_then(|rows| rows.first().copied()).expect("row 12 is played");
    let house = House::start(arguments(row));
    // The first seed whose topic is not flushed with each message, and whose power is lost before a flush.
    let report =
        (0..20).map(|seed| play(row, seed, &house, Judge::ForgiveNothing)).find(|report| report.lost_as_allowed > 0);
    let kinds: Vec<Kind> = report.iter().flat_map(|report| &report.anomalies).map(|anomaly| anomaly.kind).collect();
    assert!(kinds.contains(&Kind::Unseen), "{kinds:?}");
}
