//! What a person does to topics, groups and configs, carried out by a Kafka client; and what a screen asks, answered by one.
//!
//! Everything here blocks, so it runs on threads of its own.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files;
use crate::client::{self, Client, ClientError, Elected, Throttled};
use crate::monitor::command::Notice;
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::names::node_inside;
use crate::monitor::operation::{ConfigChange, ConfigResource, Election, OffsetOf, Operation};
use crate::monitor::order::{Answer, Done, Refusal};
use crate::monitor::slot::ViewSlot;

/// How long one wish may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked whether replicas have arrived.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where clients connect now; empty: the cluster is gone.
pub type Servers = Arc<dyn Fn() -> String + Send + Sync>;

/// Carries out a wish. A throttle that it set is to be lifted when the replicas have arrived ([`lift_when_done`]).
pub fn perform(servers: &str, operation: &Operation) -> (Answer, Option<Throttled>) {
    let mut client = Client::new(servers, PATIENCE);
    if let Operation::Reassign { moves, throttle_bytes_per_s } = operation {
        return match client::reassign(&mut client, moves, *throttle_bytes_per_s) {
            Ok(throttled) => {
                let text = format!("The replicas of {} began to move.", partitions(moves.len()));
                (Ok(Done { id: None, text }), (!throttled.brokers.is_empty()).then_some(throttled))
            }
            Err(error) => (Err(error.refusal("No replica was moved")), None),
        };
    }
    (perform_at_once(&mut client, operation), None)
}

fn perform_at_once(client: &mut Client, operation: &Operation) -> Answer {
    let done = |text: String| Ok(Done { id: None, text });
    match operation {
        Operation::AlterConfigs { resource, changes } => {
            let whose = whose(resource);
            match client::alter_configs(client, resource, changes) {
                Ok(()) => done(format!("{} of {whose}.", changed(changes))),
                Err(error) => Err(error.refusal(&format!("The configs of {whose} stay as they are"))),
            }
        }
        Operation::AddPartitions { topic, total } => match client::add_partitions(client, topic, *total) {
            Ok(()) => done(format!("Topic {topic} has {} now.", partitions(*total as usize))),
            Err(error) => Err(error.refusal(&format!("Topic {topic} got no more partitions"))),
        },
        Operation::DeleteRecords(below) => match client::delete_records(client, below) {
            Ok(begins) => done(match begins.as_slice() {
                [only] => format!("{}-{} begins at offset {} now.", only.topic, only.partition, only.offset),
                all => format!("Records of {} were deleted.", partitions(all.len())),
            }),
            Err(error) => Err(error.refusal("Not all records were deleted")),
        },
        Operation::Produce { topic, partition, message } => match client::write(client, topic, *partition, message) {
            Ok((partition, offset)) => done(format!("Written to {topic}-{partition} at offset {offset}.")),
            Err(error) => Err(error.refusal(&format!("Nothing was written to {topic}"))),
        },
        Operation::ElectLeaders { election, partitions } => {
            match client::elect_leaders(client, *election, partitions) {
                Ok(elected) => told_of(*election, &elected),
                Err(error) => Err(error.refusal("No leader was elected")),
            }
        }
        Operation::Reassign { .. } => Err(Refusal::failed("A reassignment is begun elsewhere.")),
        Operation::CancelReassignments(wanted) => match client::cancel_reassignments(client, wanted) {
            Ok(()) => done(format!("The replicas of {} stay where they were.", partitions(wanted.len()))),
            Err(error) => Err(error.refusal("The move was not cancelled")),
        },
        Operation::SetOffsets { group, offsets } => match client::set_offsets(client, group, offsets) {
            Ok(()) => done(format!("Group {group} goes on from the new offsets of {}.", partitions(offsets.len()))),
            Err(error) => Err(error.refusal(&format!("Group {group} stays where it is"))),
        },
        Operation::DeleteOffsets { group, partitions: which } => match client::delete_offsets(client, group, which) {
            Ok(()) => done(format!("Group {group} has no offsets of {} any more.", partitions(which.len()))),
            Err(error) => Err(error.refusal(&format!("The offsets of group {group} stay"))),
        },
        Operation::DeleteGroup(group) => match client::delete_group(client, group) {
            Ok(()) => done(format!("Group {group} was deleted.")),
            Err(error) => Err(error.refusal(&format!("Group {group} was not deleted"))),
        },
    }
}

fn partitions(count: usize) -> String {
    if count == 1 { "1 partition".into() } else { format!("{count} partitions") }
}

fn whose(resource: &ConfigResource) -> String {
    match resource {
        ConfigResource::Topic(name) => format!("topic {name}"),
        ConfigResource::Broker(Some(id)) => format!("broker {id}"),
        ConfigResource::Broker(None) => "all brokers".into(),
        ConfigResource::Group(name) => format!("group {name}"),
    }
}

fn changed(changes: &[ConfigChange]) -> String {
    match changes {
        [ConfigChange { name, value: Some(value) }] => format!("{name} is {value} now, a config"),
        [ConfigChange { name, value: None }] => format!("{name} is as by default again, a config"),
        all => format!("Changed {} configs", all.len()),
    }
}

fn told_of(election: Election, elected: &Elected) -> Answer {
    let kind = match election {
        Election::Preferred => "their preferred leaders",
        Election::Unclean => "a leader that may lack records",
    };
    let text = match (elected.changed, elected.not_needed) {
        (0, _) if elected.failed.is_empty() => "All leaders are the preferred ones already.".to_owned(),
        (changed, _) => format!("{} got {kind}.", partitions(changed)),
    };
    match elected.failed.as_slice() {
        [] => Ok(Done { id: None, text }),
        [(topic, partition, why), more @ ..] => {
            let others = if more.is_empty() { String::new() } else { format!(", and {} more", more.len()) };
            Err(Refusal::conflict(format!("{text} Not {topic}-{partition}: {why}{others}.")))
        }
    }
}

/// Waits until nothing of what is throttled moves any more, then takes the throttle away, and says so.
pub fn lift_when_done(servers: &Servers, throttled: &Throttled, slot: &ViewSlot) {
    loop {
        std::thread::park_timeout(LOOK_EVERY);
        let servers = servers();
        if servers.is_empty() {
            return;
        }
        let mut client = Client::new(&servers, PATIENCE);
        // While nobody can tell, it stays.
        let Ok(moving) = client::reassignments(&mut client) else { continue };
        if moving.iter().any(|one| throttled.topics.contains(&one.topic)) {
            continue;
        }
        match client::unthrottle(&mut client, throttled) {
            Ok(()) => {
                let text = "None of these replicas moves any more, and the throttle is lifted.".to_owned();
                return slot.notify(Notice { ok: true, text });
            }
            Err(error) if error.is_passing() => {}
            Err(error) => {
                let text = format!("None of these replicas moves any more, but the throttle stays: {error}.");
                return slot.notify(Notice { ok: false, text });
            }
        }
    }
}

/// Answers a question and puts that into the view.
pub fn answer(servers: &str, query: &Query, slot: &ViewSlot) {
    let found = match query {
        Query::File(path) => files::text(path).map(Findings::File),
        _ => find(servers, query).map_err(|error| format!("{}.", capital(&error.to_string()))),
    };
    let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    slot.answer(query, at_ms, found.map(Arc::new));
}

fn find(servers: &str, query: &Query) -> Result<Findings, ClientError> {
    let mut client = Client::new(servers, PATIENCE);
    Ok(match query {
        Query::Configs(resource) => Findings::Configs(client::describe_configs(&mut client, resource)?),
        Query::Producers(topic) => Findings::Producers(client::producers(&mut client, topic)?),
        Query::ShareOffsets(group) => Findings::ShareOffsets(client::share_offsets(&mut client, group)?),
        Query::Reassignments => Findings::Reassignments(client::reassignments(&mut client)?),
        // Kafka's protocol gives clients no metadata log.
        Query::Quorum(wish) => {
            let what = "the files of the metadata log cannot be read over Kafka's protocol".to_owned();
            return Err(ClientError::Unexpected { address: node_inside(wish.node_id), what });
        }
        // No broker has it.
        Query::File(path) => Findings::File(files::text(path).unwrap_or_default()),
        Query::LogDirs(broker) => Findings::LogDirs(client::log_dirs(&mut client, *broker)?),
        Query::Volume { topic, span_ms } => Findings::Volume(Arc::new(client::volume(&mut client, topic, *span_ms)?)),
        // Kafka's protocol tells nothing of files.
        Query::Tape(wish) => {
            let what = "the files of a log cannot be read over Kafka's protocol".to_owned();
            return Err(ClientError::Unexpected { address: format!("broker {}", wish.replica), what });
        }
        // Nor where a batch is.
        Query::Trace => {
            let what = "a record cannot be followed over Kafka's protocol".to_owned();
            return Err(ClientError::Unexpected { address: servers.to_owned(), what });
        }
        Query::OffsetsAt { topic, timestamp_ms } => {
            let found: Vec<OffsetOf> = client::offsets_of_topic(&mut client, topic, *timestamp_ms)?;
            Findings::OffsetsAt(
                found.iter().map(|one| (one.partition, (one.offset >= 0).then_some(one.offset))).collect(),
            )
        }
    })
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
