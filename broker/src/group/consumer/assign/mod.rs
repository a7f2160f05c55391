//! Who should have which partition: the assignors that the broker has built in. Pure.
//!
//! Source: `org.apache.kafka.coordinator.group.assignor`.

mod heterogeneous;
mod range;
#[cfg(test)]
mod tests;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::member::Assignment;
use crate::types::Id;

/// A member as an assignor sees it.
#[derive(Clone, Debug, Default)]
pub struct MemberSpec {
    /// Set for static members.
    pub instance_id: Option<String>,
    /// Topics that it reads; all of them exist.
    pub topics: Arc<BTreeSet<Id>>,
    /// What it should have had so far.
    pub target: Arc<Assignment>,
}

/// A group as an assignor sees it.
#[derive(Debug, Default)]
pub struct GroupSpec {
    /// Its members.
    pub members: BTreeMap<Arc<str>, MemberSpec>,
    /// Partitions of each topic that anybody reads.
    pub topics: BTreeMap<Id, i32>,
    /// Whether all members read the same topics.
    pub is_homogeneous: bool,
}

impl GroupSpec {
    fn partitions(&self, topic: Id) -> i32 {
        self.topics.get(&topic).copied().unwrap_or(0)
    }
}

/// What comes of it.
pub type Targets = BTreeMap<Arc<str>, Assignment>;

/// An assignor of the broker's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// As many partitions for each member as for any other, and as few as possible moved.
    Uniform,
    /// Of each topic a range of partitions for each member.
    Range,
}

impl Assignor {
    /// As `group.consumer.assignors` names it: shortly, or by Kafka's class.
    pub fn of(name: &str) -> Option<Assignor> {
        match name {
            "uniform" | "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => Some(Assignor::Uniform),
            "range" | "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => Some(Assignor::Range),
            _ => None,
        }
    }

    /// As members name it.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// Works out the targets. Members that are not among them have none.
    pub fn assign(self, spec: &GroupSpec) -> Targets {
        match self {
            _ if spec.members.is_empty() => Targets::new(),
            Assignor::Range => range::assign(spec),
            Assignor::Uniform if spec.is_homogeneous => uniform::assign(spec),
            Assignor::Uniform => heterogeneous::assign(spec),
        }
    }
}
