//! What stands in a node's metadata log, read from its files: no node is asked, none waits, and of one that is dead it can be read too.

use std::path::Path;
use std::sync::Arc;

use broker::quorum::{DiskMetadataLog, QuorumWindow, outline};

use super::control::NodeControl;
use crate::monitor::inquiry::Findings;
use crate::monitor::names::node_inside;
use crate::monitor::quorum::{LogFindings, LogWish};

/// What is read of the log for one answer, bytes.
const BYTES_MAX: usize = 1 << 20;

/// Reads it; or says why that cannot be.
pub fn read(nodes: &dyn NodeControl, wish: &LogWish) -> Result<Arc<Findings>, String> {
    let dirs = nodes.log_dirs(wish.node_id).map_err(|refusal| refusal.text)?;
    let whose = node_inside(wish.node_id);
    // The first of its log directories holds it.
    let Some(root) = dirs.first() else { return Err(format!("There is no log directory of {whose}.")) };
    read_in(root, wish).map(|found| Arc::new(Findings::Quorum(Box::new(found))))
}

fn read_in(root: &Path, wish: &LogWish) -> Result<LogFindings, String> {
    let window = QuorumWindow { from: wish.from, to: wish.to, bytes_max: BYTES_MAX };
    let whose = node_inside(wish.node_id);
    let outline =
        outline(root, &window).map_err(|error| format!("The metadata log of {whose} cannot be read: {error}."))?;
    Ok(LogFindings::read(DiskMetadataLog::dir(root), outline))
}

#[cfg(test)]
mod tests {
    use broker::metadata::image::Image;
    use broker::metadata::report::NodeState;

    use super::*;
    use crate::client::create_topic;
    use crate::client::testing::{House, house_with, until};

    fn read(house: &House, node_id: i32) -> LogFindings {
        let dirs = house.cluster.log_dirs(node_id).unwrap();
        read_in(&dirs[0], &LogWish { node_id, from: 0, to: i64::MAX }).unwrap()
    }

    fn words(found: &LogFindings) -> Vec<String> {
        found.entries.iter().map(|entry| entry.words(&Image::default())).collect()
    }

    #[test]
    fn what_a_client_changes_stands_in_every_log_and_an_election_too() {
        let house = house_with(3);
        let configs = [("retention.ms".to_owned(), "123456".to_owned())];
        create_topic(&mut house.client(), "t", 2, 3, &configs).unwrap();
        // Brokers follow the log: they have it as well.
        for node_id in [3000, 3001, 3002, 1] {
            until("it stands there", || {
                let words = words(&read(&house, node_id));
                let has = |what: &str| words.iter().any(|words| words.contains(what));
                let all = has("Topic t is created") && has("retention.ms of topic t is 123456 now");
                if all { Ok(()) } else { Err(words) }
            });
        }
        let found = read(&house, 3000);
        let of_topic: Vec<i64> = found
            .entries
            .iter()
            .filter(|entry| entry.json()["data"]["name"] == "t" || entry.kind() == "PartitionRecord")
            .map(|entry| entry.batch)
            .collect();
        assert_eq!(of_topic.len(), 3, "the topic and its two partitions");
        assert!(of_topic.iter().all(|batch| *batch == of_topic[0]), "in one batch: {of_topic:?}");
        let elected = found.outline.elections.last().unwrap().clone();
        assert!(elected.granting.len() >= 2 && elected.voters == [3000, 3001, 3002], "{elected:?}");

        house.cluster.kill_node(elected.leader_id, "a test").unwrap();
        assert_eq!(house.cluster.node_state(elected.leader_id).unwrap(), NodeState::Killed);
        let other = [3000, 3001, 3002].into_iter().find(|id| *id != elected.leader_id).unwrap();
        until("another is elected", || {
            let newest = read(&house, other).outline.elections.last().cloned().unwrap();
            let is_next = newest.epoch > elected.epoch && newest.leader_id != elected.leader_id;
            let by_two = !newest.granting.contains(&elected.leader_id) && newest.granting.len() == 2;
            if is_next && by_two { Ok(()) } else { Err(newest) }
        });
        // What is dead can be read all the same.
        assert!(words(&read(&house, elected.leader_id)).contains(&"Topic t is created".to_owned()));
    }

    /// `KAFKA_ROOT_DIR` is a node's directory. Prints its metadata records as JSON, to be compared with what `kafka-dump-log.sh
    /// --cluster-metadata-decoder` says of them.
    #[test]
    #[ignore = "reads files that are compared with what Kafka's tool says of them"]
    fn tell_a_metadata_log_as_kafka_dumps_it() {
        let Some(root) = std::env::var_os("KAFKA_ROOT_DIR") else { return };
        let found = read_in(Path::new(&root), &LogWish { node_id: 0, from: 0, to: i64::MAX }).unwrap();
        for entry in &found.entries {
            println!("entry {} {}", entry.offset, entry.json());
        }
    }
}
