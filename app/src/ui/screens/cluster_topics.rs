//! The partition map seen from farther away: a row for each topic, each broker's cell the worst of what its partitions are there.

use crate::monitor::snapshot::{Broker, Topic};
use crate::ui::model::{Model, PartitionHealth, map_cell};
use crate::ui::widgets::matrix::Cell;

/// A topic on all brokers.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicRow {
    /// Its index in the snapshot.
    pub topic: u32,
    /// The worst of its partitions.
    pub worst: PartitionHealth,
    /// One for each broker.
    pub cells: Box<[Cell]>,
}

impl TopicRow {
    fn is_in_trouble(&self) -> bool {
        let bad = |cell: &Cell| matches!(cell, Cell::Behind(_) | Cell::Offline | Cell::LeaderUnreachable);
        self.worst != PartitionHealth::InSync || self.cells.iter().any(bad)
    }
}

/// Topics in trouble, the worst first, and all others; of those that have the filter in `topic-`.
pub fn rows(model: &Model, filter: &str) -> (Vec<TopicRow>, Vec<TopicRow>) {
    let snapshot = model.snapshot();
    let mut by_id: Vec<(i32, usize)> =
        snapshot.brokers.iter().enumerate().map(|(index, broker)| (broker.id, index)).collect();
    by_id.sort_unstable();
    let matching = snapshot.topics.iter().enumerate().filter(|(_, topic)| matches(topic, filter));
    let rows = matching.map(|(index, topic)| TopicRow {
        topic: index as u32,
        worst: model.topics.get(index).copied().unwrap_or_default().worst(),
        cells: cells(topic, &snapshot.brokers, &by_id),
    });
    let (mut troubled, mut rest): (Vec<TopicRow>, Vec<TopicRow>) = rows.partition(TopicRow::is_in_trouble);
    let internal = |row: &TopicRow| snapshot.topics[row.topic as usize].internal;
    troubled.sort_by_key(|row| (std::cmp::Reverse(row.worst), internal(row), row.topic));
    rest.sort_by_key(|row| (internal(row), row.topic));
    (troubled, rest)
}

fn matches(topic: &Topic, filter: &str) -> bool {
    filter.is_empty() || format!("{}-", topic.name.to_lowercase()).contains(filter)
}

fn cells(topic: &Topic, brokers: &[Broker], by_id: &[(i32, usize)]) -> Box<[Cell]> {
    let mut cells = vec![Cell::Blank; brokers.len()];
    for partition in &topic.partitions {
        for replica in &partition.replicas {
            if let Ok(found) = by_id.binary_search_by_key(replica, |(id, _)| *id) {
                let index = by_id[found].1;
                cells[index] = worse(cells[index], map_cell(partition, &brokers[index]));
            }
        }
    }
    cells.into()
}

/// Two cells in one: the worse counts; what is behind adds up, and so do leaderships.
fn worse(one: Cell, other: Cell) -> Cell {
    let rank = |cell: Cell| match cell {
        Cell::Blank => 0,
        Cell::InSync => 1,
        Cell::Leader | Cell::Leads(_) => 2,
        Cell::Behind(_) => 3,
        Cell::Offline => 4,
        Cell::LeaderUnreachable => 5,
    };
    match (one, other) {
        (Cell::Behind(a), Cell::Behind(b)) => Cell::Behind(a.zip(b).map(|(a, b)| a.saturating_add(b)).or(a).or(b)),
        (Cell::Leader | Cell::Leads(_), Cell::Leader | Cell::Leads(_)) => Cell::Leads(leads(one) + leads(other)),
        // A number stands wherever leaders are counted, also where it is one.
        (Cell::Blank | Cell::InSync, Cell::Leader) | (Cell::Leader, Cell::Blank | Cell::InSync) => Cell::Leads(1),
        _ if rank(other) > rank(one) => other,
        _ => one,
    }
}

fn leads(cell: Cell) -> u32 {
    match cell {
        Cell::Leader => 1,
        Cell::Leads(count) => count,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn each_topic_is_one_row_and_the_worst_of_its_partitions_counts() {
        let mut model = Model::default();
        model.update(fixture::incident());
        let (troubled, rest) = rows(&model, "");
        assert_eq!(troubled.len() + rest.len(), model.snapshot().topics.len());
        let names: Vec<&str> = troubled.iter().map(|row| &*model.snapshot().topics[row.topic as usize].name).collect();
        assert_eq!(names[..2], ["audit", "clicks"], "what has no leader comes first");
        let clicks = &troubled[1];
        assert!(matches!(clicks.cells[0], Cell::Leads(_)), "{clicks:?}");
        assert_eq!(clicks.cells[1], Cell::Offline);
        assert!(matches!(clicks.cells[2], Cell::Behind(Some(behind)) if behind > 96_000), "both are added: {clicks:?}");
        let (troubled, rest) = rows(&model, "orders-");
        assert_eq!((troubled.len(), rest.len()), (1, 0));
    }

    #[test]
    fn leaderships_add_up() {
        assert_eq!(worse(Cell::Leader, Cell::Leader), Cell::Leads(2));
        assert_eq!(worse(Cell::Leads(2), Cell::Leader), Cell::Leads(3));
        assert_eq!(worse(Cell::InSync, Cell::Leader), Cell::Leads(1));
        assert_eq!(worse(Cell::Leads(3), Cell::InSync), Cell::Leads(3));
        assert_eq!(worse(Cell::Leads(3), Cell::Offline), Cell::Offline);
        assert_eq!(worse(Cell::Behind(None), Cell::Behind(Some(3))), Cell::Behind(Some(3)));
    }
}
