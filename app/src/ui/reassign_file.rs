//! A plan of moves as kafka-reassign-partitions.sh reads and writes it. Source: its documentation ("Expanding your cluster").

use std::sync::Arc;

use serde_json::{Value, json};

use crate::monitor::operation::Move;
use crate::monitor::snapshot::Topic;

/// The plan as a file.
pub fn written(moves: &[Move]) -> Arc<str> {
    let one = |one: &Move| {
        let log_dirs = vec!["any"; one.replicas.len()];
        json!({ "topic": one.topic, "partition": one.partition, "replicas": one.replicas, "log_dirs": log_dirs })
    };
    let plan = json!({ "version": 1, "partitions": moves.iter().map(one).collect::<Vec<_>>() });
    format!("{plan:#}\n").into()
}

/// Where a file would have the partitions of a topic; an error is a sentence.
pub fn read(text: &str, topic: &Topic, brokers: &[i32]) -> Result<Vec<Move>, String> {
    let plan: Value = serde_json::from_str(text).map_err(|error| format!("The file is no JSON: {error}."))?;
    let listed = plan["partitions"].as_array().ok_or("The file has no list of partitions, as a plan has.")?;
    let mut moves: Vec<Move> = Vec::new();
    for one in listed.iter().filter(|one| one["topic"] == *topic.name) {
        let partition = one["partition"].as_i64().and_then(|id| i32::try_from(id).ok());
        let known = partition.filter(|id| topic.partitions.iter().any(|partition| partition.id == *id));
        let Some(partition) = known else {
            return Err(format!("{} has no partition {}.", topic.name, one["partition"]));
        };
        let ids = one["replicas"].as_array().map(Vec::as_slice).unwrap_or_default();
        let replicas: Vec<i32> =
            ids.iter().filter_map(|id| id.as_i64().and_then(|id| i32::try_from(id).ok())).collect();
        if replicas.is_empty() || replicas.len() != ids.len() {
            return Err(format!("Partition {partition} needs a list of broker ids."));
        }
        if let Some(id) = replicas.iter().find(|id| !brokers.contains(id)) {
            return Err(format!("Partition {partition} would go to broker {id}, which is not there."));
        }
        if (1..replicas.len()).any(|index| replicas[..index].contains(&replicas[index])) {
            return Err(format!("Partition {partition} would be on one broker twice."));
        }
        if moves.iter().any(|known| known.partition == partition) {
            return Err(format!("Partition {partition} stands there twice."));
        }
        moves.push(Move { topic: topic.name.clone(), partition, replicas });
    }
    if moves.is_empty() { Err(format!("The plan says nothing of {}.", topic.name)) } else { Ok(moves) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn a_plan_is_read_as_it_was_written_and_nonsense_is_refused() {
        let snapshot = fixture::healthy().snapshot;
        let topic = snapshot.topics.iter().find(|topic| &*topic.name == "orders").unwrap();
        let moves = vec![Move { topic: topic.name.clone(), partition: 1, replicas: vec![2, 1] }];
        let text = written(&moves);
        assert_eq!(read(&text, topic, &[1, 2, 3]).unwrap(), moves);
        for (from, to, told) in [
            ("\"orders\"", "\"other\"", "The plan says nothing of orders."),
            ("\"partition\": 1", "\"partition\": 9999", "orders has no partition 9999."),
            ("2,", "7,", "Partition 1 would go to broker 7, which is not there."),
            ("2,", "1,", "Partition 1 would be on one broker twice."),
            ("2,", "\"b\",", "Partition 1 needs a list of broker ids."),
            ("\"partitions\"", "\"parts\"", "The file has no list of partitions, as a plan has."),
        ] {
            assert_eq!(read(&text.replacen(from, to, 1), topic, &[1, 2, 3]).unwrap_err(), told);
        }
        assert!(read("{", topic, &[]).unwrap_err().starts_with("The file is no JSON"));
    }
}
