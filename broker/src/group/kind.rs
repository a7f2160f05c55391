//! A group of any kind.

use std::sync::Arc;

use super::api::OffsetsRecord;
use super::classic::{ClassicGroup, GroupState};
use super::consumer::ConsumerGroup;
use super::share::ShareGroup;
use super::streams::{self, StreamsGroup};
use super::work::{Refresh, Standing};
use crate::records::fields::RecordError;

/// A group.
#[derive(Clone, Debug)]
pub(super) enum Group {
    /// Its members work the assignment out.
    Classic(Box<ClassicGroup>),
    /// The broker works it out (KIP-848).
    Consumer(Box<ConsumerGroup>),
    /// The broker works it out, and partitions are shared (KIP-932).
    Share(Box<ShareGroup>),
    /// The broker gives out the tasks of an application of Kafka Streams (KIP-1071).
    Streams(Box<StreamsGroup>),
}

/// A group that changes by replaying its records only.
pub(super) trait Recorded: Clone + Into<Group> {
    /// One change.
    type Record;

    /// A group of no members.
    fn new(id: Arc<str>) -> Self;

    /// The group, if it is of this kind.
    fn of(group: &Group) -> Option<&Self>;

    /// The same, to be changed.
    fn of_mut(group: &mut Group) -> Option<&mut Self>;

    /// Applies one record.
    fn replay(&mut self, record: &Self::Record);

    /// A record as it is written.
    fn encode(id: &str, record: &Self::Record) -> Result<OffsetsRecord, RecordError>;

    /// Whether a record removes something.
    fn is_tombstone(record: &Self::Record) -> bool;

    /// Whether a record removes the group as such.
    fn removes_group(record: &Self::Record) -> bool;

    /// What the window is told of it.
    fn standing(&self) -> Standing;

    /// When its topics are looked at again.
    fn refresh_mut(&mut self) -> &mut Refresh;
}

impl Group {
    pub(super) fn id(&self) -> &Arc<str> {
        match self {
            Group::Classic(group) => &group.id,
            Group::Consumer(group) => &group.id,
            Group::Share(group) => &group.id,
            Group::Streams(group) => &group.id,
        }
    }

    pub(super) fn classic(&self) -> Option<&ClassicGroup> {
        if let Group::Classic(group) = self { Some(group) } else { None }
    }

    pub(super) fn classic_mut(&mut self) -> Option<&mut ClassicGroup> {
        if let Group::Classic(group) = self { Some(group) } else { None }
    }

    pub(super) fn consumer(&self) -> Option<&ConsumerGroup> {
        if let Group::Consumer(group) = self { Some(group) } else { None }
    }

    pub(super) fn consumer_mut(&mut self) -> Option<&mut ConsumerGroup> {
        if let Group::Consumer(group) = self { Some(group) } else { None }
    }

    pub(super) fn share(&self) -> Option<&ShareGroup> {
        if let Group::Share(group) = self { Some(group) } else { None }
    }

    pub(super) fn share_mut(&mut self) -> Option<&mut ShareGroup> {
        if let Group::Share(group) = self { Some(group) } else { None }
    }

    pub(super) fn streams(&self) -> Option<&StreamsGroup> {
        if let Group::Streams(group) = self { Some(group) } else { None }
    }

    pub(super) fn streams_mut(&mut self) -> Option<&mut StreamsGroup> {
        if let Group::Streams(group) = self { Some(group) } else { None }
    }

    /// As ListGroups names it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Group::Classic(_) => "classic",
            Group::Consumer(_) => "consumer",
            Group::Share(_) => "share",
            Group::Streams(_) => "streams",
        }
    }

    pub(super) fn state_name(&self) -> &'static str {
        match self {
            Group::Classic(group) => group.state().name(),
            Group::Consumer(group) => group.state().name(),
            Group::Share(group) => group.state_name(),
            Group::Streams(group) => group.state().name(),
        }
    }

    pub(super) fn protocol_type(&self) -> &str {
        match self {
            Group::Classic(group) => group.protocol_type.as_deref().unwrap_or(""),
            Group::Consumer(_) => super::consumer_protocol::PROTOCOL_TYPE,
            Group::Share(_) => "share",
            Group::Streams(_) => streams::PROTOCOL_TYPE,
        }
    }

    /// How many members it has.
    pub(super) fn member_count(&self) -> usize {
        match self {
            Group::Classic(group) => group.member_count(),
            Group::Consumer(group) => group.member_count(),
            Group::Share(group) => group.member_count(),
            Group::Streams(group) => group.member_count(),
        }
    }

    /// The ids of its members.
    pub(super) fn member_ids(&self) -> Vec<Arc<str>> {
        match self {
            Group::Classic(group) => group.member_ids(),
            Group::Consumer(group) => group.member_ids(),
            Group::Share(group) => group.member_ids(),
            Group::Streams(group) => group.member_ids(),
        }
    }

    /// Whether it has no members.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_in(GroupState::Empty),
            Group::Consumer(group) => group.is_empty(),
            Group::Share(group) => group.is_empty(),
            Group::Streams(group) => group.is_empty(),
        }
    }

    /// Whether its members read this topic; unknown counts as yes for consumers.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to(topic),
            Group::Consumer(group) => group.subscribed().contains_key(topic),
            Group::Share(group) => group.subscribed().contains_key(topic),
            Group::Streams(group) => group.is_subscribed_to(topic),
        }
    }

    /// Whether it goes when it has no members and no offsets any more. A share group has no offsets, and stays until it is deleted.
    pub(super) fn may_expire(&self) -> bool {
        !matches!(self, Group::Share(_))
    }

    /// Its topics are to be looked at anew, if the broker works its assignment out and it reads one of these.
    pub(super) fn refresh_if_reads<'a>(&mut self, mut topics: impl Iterator<Item = &'a Arc<str>>) {
        let matters = |topic: &Arc<str>| match self {
            Group::Streams(group) => group.requires(topic),
            _ => self.is_subscribed_to(topic),
        };
        if !topics.any(matters) {
            return;
        }
        match self {
            Group::Classic(_) => {}
            Group::Consumer(group) => group.refresh = Refresh::default(),
            Group::Share(group) => group.refresh = Refresh::default(),
            Group::Streams(group) => group.soft.refresh = Refresh::default(),
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

impl From<ShareGroup> for Group {
    fn from(group: ShareGroup) -> Group {
        Group::Share(Box::new(group))
    }
}

impl From<StreamsGroup> for Group {
    fn from(group: StreamsGroup) -> Group {
        Group::Streams(Box::new(group))
    }
}
