//! Topics grow.
//!
//! CreatePartitions versions 0-3; KIP-195.
//! Source: `ControllerApis.createPartitions`, `ReplicationControlManager.createPartitions`; errors and messages as there.

use std::collections::BTreeMap;

use super::MAX_RECORDS_PER_REQUEST;
use super::create_topics::{ApiError, Placed, error, too_large};
use super::state::{Changes, ControllerState, Decision};
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use crate::protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use crate::protocol::messages::{CreatePartitionsRequestData, CreatePartitionsResponseData, KafkaString};

impl ControllerState {
    /// CreatePartitions.
    pub fn create_partitions(
        &mut self,
        request: &CreatePartitionsRequestData,
    ) -> Decision<CreatePartitionsResponseData> {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in &request.topics {
            *times.entry(topic.name.as_str()).or_default() += 1;
        }
        let mut changes = Changes::default();
        let mut response = CreatePartitionsResponseData::default();
        for topic in &request.topics {
            let outcome = match times.get_mut(topic.name.as_str()) {
                // Told already.
                Some(0) => continue,
                Some(count) if *count > 1 => {
                    *count = 0;
                    Err(error(ErrorCode::InvalidRequest, "Duplicate topic name."))
                }
                _ => self.grow_topic(topic, &mut changes),
            };
            response.results.push(answer(&topic.name, outcome));
        }
        if request.validate_only { Decision::only(response) } else { changes.with(response) }
    }

    fn grow_topic(&mut self, topic: &CreatePartitionsTopic, changes: &mut Changes) -> Result<(), ApiError> {
        let name = topic.name.as_str();
        let image = self.image.topic(name).ok_or((ErrorCode::UnknownTopicOrPartition, None))?.clone();
        let present = image.partitions.len();
        let wanted = usize::try_from(topic.count).unwrap_or(0);
        if wanted == present {
            let message = format!("Topic already has {present} partition(s).");
            return Err(error(ErrorCode::InvalidPartitions, message));
        }
        if wanted < present {
            let message = format!(
                "The topic {name} currently has {present} partition(s); {} would not be an increase.",
                topic.count
            );
            return Err(error(ErrorCode::InvalidPartitions, message));
        }
        let additional = wanted - present;
        if let Some(given) = topic.assignments.as_ref().filter(|given| given.len() != additional) {
            let message = format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                given.len()
            );
            return Err(error(ErrorCode::InvalidReplicaAssignment, message));
        }
        self.charge(additional)?;
        if changes.records.len() + additional > MAX_RECORDS_PER_REQUEST {
            return Err(too_large());
        }
        let factor = image.partitions.first().map_or(0, |first| first.replicas.len());
        let placed = match &topic.assignments {
            Some(assignments) => self.grow_by_hand(present, assignments, factor)?,
            None => self.grow_by_placement(additional, factor)?,
        };
        for (index, placed) in (present..).zip(placed) {
            changes.records.push(self.new_partition(image.id, index as i32, placed));
        }
        changes.events.push(Event::PartitionsAdded { topic: name.to_owned(), partitions: wanted as i32 });
        Ok(())
    }

    fn grow_by_placement(&mut self, additional: usize, factor: usize) -> Result<Vec<Placed>, ApiError> {
        let factor = i16::try_from(factor).unwrap_or(i16::MAX);
        self.place_new(additional, factor).map_err(|why| {
            let message = if why.starts_with("All brokers are currently fenced or") {
                format!("Unable to replicate the partition {factor} time(s): {why}")
            } else {
                why
            };
            error(ErrorCode::InvalidReplicationFactor, message)
        })
    }

    fn grow_by_hand(
        &self,
        present: usize,
        assignments: &[CreatePartitionsAssignment],
        factor: usize,
    ) -> Result<Vec<Placed>, ApiError> {
        let one = |(index, assignment): (usize, &CreatePartitionsAssignment)| {
            let replicas = &assignment.broker_ids;
            self.check_manual_assignment(replicas, Some(factor))?;
            Ok(Placed { replicas: replicas.clone(), isr: self.isr_by_hand(index as i32, replicas)? })
        };
        (present..).zip(assignments).map(one).collect()
    }
}

fn answer(name: &KafkaString, outcome: Result<(), ApiError>) -> CreatePartitionsTopicResult {
    let (code, message) = outcome.err().unwrap_or((ErrorCode::None, None));
    CreatePartitionsTopicResult {
        name: name.clone(),
        error_code: code.code(),
        error_message: message.map(KafkaString::from),
        ..Default::default()
    }
}
