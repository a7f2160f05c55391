//! What an event says, as plain data: what stories are made of, and what a recording keeps.

use borsh::{BorshDeserialize, BorshSerialize};
use broker::metadata::report::{Event, MemberChange, NodeEvent, NodeState};
use broker::types::TopicPartition;

use super::names;
use super::snapshot::ActiveFault;

/// What an event says. Words are in the event beside it.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub enum Fact {
    /// Nothing that a story needs to tell apart.
    #[default]
    Other,
    /// A fault came into force.
    FaultBegan {
        /// Its id.
        fault: u64,
        /// What it does, in a few words: `broker 2 is killed`.
        what: String,
        /// Nodes that it hits.
        node_ids: Vec<i32>,
    },
    /// A fault is over.
    FaultEnded {
        /// Its id.
        fault: u64,
    },
    /// A node came into another state.
    Node {
        /// Node.
        node_id: i32,
        /// Its state.
        state: NodeState,
    },
    /// A broker was fenced.
    Fenced {
        /// Broker.
        broker: i32,
    },
    /// A broker was unfenced.
    Unfenced {
        /// Broker.
        broker: i32,
    },
    /// A partition got another leader.
    Leader {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Before; -1: none.
        from: i32,
        /// After; -1: none.
        to: i32,
        /// From outside of the ISR.
        is_unclean: bool,
    },
    /// A partition's ISR changed.
    Isr {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Before.
        from: Vec<i32>,
        /// After.
        to: Vec<i32>,
    },
    /// A partition's replicas move, or have moved.
    Replicas {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// None is on its way any more.
        is_over: bool,
    },
    /// A group came into another state.
    Group {
        /// Group.
        group: String,
        /// Its generation.
        generation: i32,
        /// `PreparingRebalance`, `Stable`, …
        state: String,
    },
    /// Something became of a member of a group.
    Member {
        /// Group.
        group: String,
        /// Who, by the name that people gave it.
        member: String,
        /// It is in the group now.
        is_in: bool,
    },
    /// A replica cut its log back.
    Truncated {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Whose replica.
        broker: i32,
        /// How many offsets it gave up.
        offsets: i64,
    },
    /// Another controller is active.
    Controller {
        /// It.
        node_id: i32,
        /// Who was before, as far as it knew; -1: nobody.
        before: i32,
    },
    /// A controller is no longer active.
    Resigned {
        /// It.
        node_id: i32,
    },
}

/// What a node's event says.
pub fn fact(told: &NodeEvent) -> Fact {
    let node_id = told.node_id;
    let named = |name: &TopicPartition| (name.topic.to_string(), name.partition);
    match &told.event {
        Event::NodeStateChanged { state, .. } => Fact::Node { node_id, state: *state },
        Event::BrokerFenced { broker_id, .. } => Fact::Fenced { broker: *broker_id },
        Event::BrokerUnfenced { broker_id, .. } => Fact::Unfenced { broker: *broker_id },
        Event::LeaderElected { partition, from, to, unclean, .. } => {
            let (topic, partition) = named(partition);
            Fact::Leader { topic, partition, from: *from, to: *to, is_unclean: *unclean }
        }
        Event::IsrChanged { partition, from, to, .. } => {
            let (topic, partition) = named(partition);
            Fact::Isr { topic, partition, from: from.clone(), to: to.clone() }
        }
        Event::ReplicasChanged { partition, adding, removing, .. } => {
            let (topic, partition) = named(partition);
            Fact::Replicas { topic, partition, is_over: adding.is_empty() && removing.is_empty() }
        }
        Event::GroupRebalance { group_id, generation, state, .. } => {
            Fact::Group { group: group_id.clone(), generation: *generation, state: (*state).to_owned() }
        }
        Event::GroupMember { group_id, member, change } => {
            let name = names::member(member.instance_id.as_deref(), &member.client_id, &member.member_id);
            let is_in =
                matches!(change, MemberChange::Joined | MemberChange::Replaced { .. } | MemberChange::Resubscribed);
            Fact::Member { group: group_id.clone(), member: name.to_owned(), is_in }
        }
        Event::LogTruncated { partition, from_offset, to_offset, .. } => {
            let (topic, partition) = named(partition);
            Fact::Truncated {
                topic,
                partition,
                broker: node_id,
                offsets: from_offset.saturating_sub(*to_offset).max(0),
            }
        }
        Event::ControllerElected { previous, .. } => {
            Fact::Controller { node_id, before: previous.map_or(-1, |(id, _)| id) }
        }
        Event::ControllerResigned { .. } => Fact::Resigned { node_id },
        _ => Fact::Other,
    }
}

/// What a fault's coming into force says.
pub fn fault_began(fault: &ActiveFault) -> Fact {
    Fact::FaultBegan { fault: fault.id, what: fault.what.clone(), node_ids: fault.node_ids.clone() }
}
