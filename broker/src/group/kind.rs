//! A group of either kind.

use std::sync::Arc;

use super::classic::{ClassicGroup, GroupState};
use super::consumer::ConsumerGroup;

/// A group.
#[derive(Clone, Debug)]
pub(super) enum Group {
    /// Its members work the assignment out.
    Classic(Box<ClassicGroup>),
    /// The broker works it out (KIP-848).
    Consumer(Box<ConsumerGroup>),
}

impl Group {
    pub(super) fn id(&self) -> &Arc<str> {
        match self {
            Group::Classic(group) => &group.id,
            Group::Consumer(group) => &group.id,
        }
    }

    pub(super) fn classic(&self) -> Option<&ClassicGroup> {
        match self {
            Group::Classic(group) => Some(group),
            Group::Consumer(_) => None,
        }
    }

    pub(super) fn classic_mut(&mut self) -> Option<&mut ClassicGroup> {
        match self {
            Group::Classic(group) => Some(group),
            Group::Consumer(_) => None,
        }
    }

    pub(super) fn consumer(&self) -> Option<&ConsumerGroup> {
        match self {
            Group::Classic(_) => None,
            Group::Consumer(group) => Some(group),
        }
    }

    pub(super) fn consumer_mut(&mut self) -> Option<&mut ConsumerGroup> {
        match self {
            Group::Classic(_) => None,
            Group::Consumer(group) => Some(group),
        }
    }

    /// As ListGroups names it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Group::Classic(_) => "classic",
            Group::Consumer(_) => "consumer",
        }
    }

    pub(super) fn state_name(&self) -> &'static str {
        match self {
            Group::Classic(group) => group.state().name(),
            Group::Consumer(group) => group.state().name(),
        }
    }

    pub(super) fn protocol_type(&self) -> &str {
        match self {
            Group::Classic(group) => group.protocol_type.as_deref().unwrap_or(""),
            Group::Consumer(_) => super::consumer_protocol::PROTOCOL_TYPE,
        }
    }

    /// Whether it has no members.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_in(GroupState::Empty),
            Group::Consumer(group) => group.is_empty(),
        }
    }

    /// Whether its members read this topic; unknown counts as yes for consumers.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to(topic),
            Group::Consumer(group) => group.subscribed().contains_key(topic),
        }
    }
}

impl From<ClassicGroup> for Group {
    fn from(group: ClassicGroup) -> Group {
        Group::Classic(Box::new(group))
    }
}

impl From<ConsumerGroup> for Group {
    fn from(group: ConsumerGroup) -> Group {
        Group::Consumer(Box::new(group))
    }
}
