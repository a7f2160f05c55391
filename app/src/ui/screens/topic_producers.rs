//! Who writes to a topic, as the partitions' leaders know it, and which transactions are open on it: the oldest first.

use egui::Ui;

use crate::monitor::inquiry::{Findings, Producer, Query};
use crate::ui::app::{Action, Scene};
use crate::ui::asked::{Answer, Asked};
use crate::ui::format;
use crate::ui::tokens::size;
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::{empty, failed_once, loading};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Table, TableState};

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    asked: Asked,
    table: TableState,
}

const COLUMNS: [Column; 8] = [
    Column::text("Transaction", 160.0, 1.0).help("Transactional id of what is open").unsorted(),
    Column::text("State", 90.0, 0.3).unsorted(),
    Column::number("Open for", 76.0, 0.2).help("Since it began, as its coordinator tells").unsorted(),
    Column::number("Times out after", 96.0, 0.2).unsorted(),
    Column::number("From offset", 84.0, 0.2).help("Readers of committed records stop here").unsorted(),
    Column::number("Partition", 64.0, 0.1).unsorted(),
    Column::number("Producer", 96.0, 0.3).help("Producer id and epoch").unsorted(),
    Column::number("Last record", 96.0, 0.3).help("By its timestamp").unsorted(),
];

/// Past this part of its time-out an open transaction looks forgotten.
const LATE_SHARE: f64 = 0.5;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, topic: &std::sync::Arc<str>, state: &mut State, actions: &mut Vec<Action>) {
    let findings = match state.asked.look(scene, &Query::Producers(std::sync::Arc::clone(topic)), actions) {
        Answer::Waiting => return loading(ui, "Asking the cluster…", "Producers are told by each leader."),
        Answer::Failed(why) => {
            if failed_once(ui, "The producers are not known", &why) {
                state.asked.again();
            }
            return;
        }
        Answer::Found(_, findings) => findings,
    };
    let Findings::Producers(producers) = &*findings else { return };
    if producers.is_empty() {
        let hint = "Leaders know those that are idempotent or transactional, for a day after their last record.";
        return empty(ui, Icon::Topics, "No producer is known", hint);
    }
    let rows = rows(producers);
    let now_ms = scene.model.now_ms();
    framed(ui, |ui| {
        let table = Table {
            id: "producers",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: None,
            active: false,
            selected: None,
        };
        table.show(ui, &mut state.table, |index, row| {
            let producer = &producers[rows[index]];
            let transaction = producer.transaction.as_deref();
            let open = producer.txn_start_offset.is_some();
            row.strong(
                transaction.map_or(if open { "(not told)" } else { "–" }, |told| told.transactional_id.as_str()),
            );
            row.text(transaction.map_or(if open { "open" } else { "" }, |told| told.state.as_str()));
            let began_ms = transaction.map(|told| told.started_ms).filter(|began_ms| *began_ms > 0);
            let age_ms = began_ms.map(|began_ms| (now_ms - began_ms).max(0) as f64);
            let timeout_ms = transaction.map(|told| f64::from(told.timeout_ms));
            let late = age_ms.zip(timeout_ms).is_some_and(|(age_ms, timeout_ms)| age_ms > timeout_ms * LATE_SHARE);
            let mood = if late { Mood::Warning } else { Mood::Quiet };
            row.toned(&age_ms.map_or_else(String::new, format::millis), mood);
            row.text(&timeout_ms.map_or_else(String::new, format::millis));
            row.text(&producer.txn_start_offset.map_or_else(String::new, format::count));
            row.text(&producer.partition.to_string());
            row.mono(&format!("{}:{}", producer.producer_id, producer.producer_epoch));
            let last = (producer.last_timestamp_ms > 0).then(|| format::ago(now_ms, producer.last_timestamp_ms));
            row.text(&last.unwrap_or_default());
        });
    });
}

/// Open transactions first, the oldest on top; then by partition.
fn rows(producers: &[Producer]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..producers.len()).collect();
    rows.sort_by_key(|index| {
        let one = &producers[*index];
        let began_ms = one.transaction.as_ref().map_or(i64::MAX, |told| told.started_ms);
        (one.txn_start_offset.is_none(), began_ms, one.partition, one.producer_id)
    });
    rows
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::monitor::inquiry::Transaction;

    #[test]
    fn the_oldest_open_transaction_is_on_top() {
        let producer = |partition, open: Option<(i64, i64)>| Producer {
            partition,
            producer_id: 1,
            producer_epoch: 0,
            last_sequence: 0,
            last_timestamp_ms: 0,
            txn_start_offset: open.map(|(offset, _)| offset),
            transaction: open.map(|(_, started_ms)| Arc::new(Transaction { started_ms, ..Transaction::default() })),
        };
        let all = [producer(0, None), producer(1, Some((5, 900))), producer(2, Some((7, 100))), producer(3, None)];
        assert_eq!(rows(&all), [2, 1, 0, 3]);
    }
}
