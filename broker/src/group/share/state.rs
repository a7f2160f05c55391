//! Which partitions of a share group have a share state in the persister: those that will have one, those that have, and topics whose states
//! are on their way out. Pure; who asks the persister is `ask`.
//!
//! Source: `ShareGroup.ShareGroupStatePartitionMetadataInfo`, and what `GroupMetadataManager` makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::group::consumer::Assignment;
use crate::group::topics::Topics;
use crate::types::Id;

/// One topic's partitions.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicState {
    /// The topic's name.
    pub name: Arc<str>,
    /// Its partitions.
    pub partitions: BTreeSet<i32>,
}

/// Topics by id.
pub type TopicStates = BTreeMap<Id, TopicState>;

/// `ShareGroupStatePartitionMetadataValue`
#[derive(Clone, Debug, PartialEq, Default)]
pub struct StatePartitions {
    /// The persister has been asked for states of these.
    pub initializing: TopicStates,
    /// These have states, and may be assigned.
    pub initialized: TopicStates,
    /// The persister has been asked to delete the states of these topics.
    pub deleting: BTreeMap<Id, Arc<str>>,
}

impl StatePartitions {
    /// Partitions of these topics that have no state; those that are being initialised count as having one, unless that was asked for too
    /// long ago.
    pub fn missing<'a>(
        &self,
        subscribed: impl Iterator<Item = &'a Arc<str>>,
        is_stale: bool,
        topics: &Topics,
    ) -> TopicStates {
        let mut missing = TopicStates::new();
        for name in subscribed {
            let Some(facts) = topics.get(name) else { continue };
            let initialized = self.initialized.get(&facts.id);
            let initializing = self.initializing.get(&facts.id).filter(|_| !is_stale);
            let known: BTreeSet<i32> =
                initialized.into_iter().chain(initializing).flat_map(|topic| &topic.partitions).copied().collect();
            let partitions: BTreeSet<i32> = (0..facts.partitions).filter(|index| !known.contains(index)).collect();
            if !partitions.is_empty() {
                missing.insert(facts.id, TopicState { name: name.clone(), partitions });
            }
        }
        missing
    }

    /// The persister is asked for states of these. A topic that comes back is not deleted any more.
    pub fn with_initializing(&self, new: &TopicStates, topics: &Topics) -> StatePartitions {
        let mut state = self.clone();
        for (id, topic) in new {
            add(&mut state.initializing, *id, topic.name.clone(), topic.partitions.iter().copied());
        }
        state.deleting.retain(|id, _| !state.initializing.contains_key(id));
        state.named(topics)
    }

    /// These have states now; topics that have gone meanwhile do not count.
    pub fn with_initialized(&self, done: &Assignment, topics: &Topics) -> StatePartitions {
        let mut state = self.without_initializing(done, topics);
        for (id, partitions) in done {
            if let Some(name) = topics.name(*id) {
                add(&mut state.initialized, *id, name.clone(), partitions.iter().copied());
            }
        }
        state
    }

    /// These are not being initialised any more.
    pub fn without_initializing(&self, partitions: &Assignment, topics: &Topics) -> StatePartitions {
        let mut state = self.clone();
        for (id, gone) in partitions {
            if let Some(topic) = state.initializing.get_mut(id) {
                topic.partitions.retain(|partition| !gone.contains(partition));
                if topic.partitions.is_empty() {
                    state.initializing.remove(id);
                }
            }
        }
        state.named(topics)
    }

    /// All states are to be deleted. Those whose deletion did not come to its end before are deleted anew, if their topics exist.
    pub fn with_all_deleting(&self, topics: &Topics) -> (StatePartitions, Assignment) {
        let mut gone = self.initialized.clone();
        for (id, topic) in &self.initializing {
            add(&mut gone, *id, topic.name.clone(), topic.partitions.iter().copied());
        }
        for (id, name) in self.deleting.keys().filter_map(|id| Some((*id, topics.name(*id)?.clone()))) {
            add(&mut gone, id, name, 0..topics.partitions(id));
        }
        let deleting = gone.iter().map(|(id, topic)| (*id, topic.name.clone())).collect();
        let partitions = gone.into_iter().map(|(id, topic)| (id, topic.partitions)).collect();
        (StatePartitions { deleting, ..StatePartitions::default() }, partitions)
    }

    /// One topic's states are to be deleted: which. `None`: there are none.
    pub fn start_deleting(&mut self, id: Id, topics: &Topics) -> Option<BTreeSet<i32>> {
        if let Some(topic) = self.initialized.remove(&id) {
            self.deleting.insert(id, topic.name);
            return Some(topic.partitions);
        }
        self.deleting.contains_key(&id).then(|| (0..topics.partitions(id)).collect())
    }

    /// The states of these topics are deleted.
    pub fn without_deleting<'a>(&self, done: impl Iterator<Item = &'a Id>, topics: &Topics) -> StatePartitions {
        let mut state = self.clone();
        for id in done {
            state.deleting.remove(id);
        }
        state.named(topics)
    }

    /// Without topics that were deleted, whose states the share coordinators delete by themselves. `None`: it knows none of them.
    pub fn without_topics(&self, gone: &BTreeSet<Id>, topics: &Topics) -> Option<StatePartitions> {
        let mut state = self.clone();
        state.initializing.retain(|id, _| !gone.contains(id));
        state.initialized.retain(|id, _| !gone.contains(id));
        state.deleting.retain(|id, _| !gone.contains(id));
        (state != *self).then(|| state.named(topics))
    }

    /// Kafka keeps no names of what is being deleted, and writes those that the topics have now.
    pub fn named(mut self, topics: &Topics) -> StatePartitions {
        for (id, name) in &mut self.deleting {
            *name = topics.name(*id).cloned().unwrap_or_else(|| "<UNKNOWN>".into());
        }
        self
    }
}

fn add(topics: &mut TopicStates, id: Id, name: Arc<str>, partitions: impl Iterator<Item = i32>) {
    let topic = topics.entry(id).or_insert_with(|| TopicState { name: name.clone(), partitions: BTreeSet::new() });
    topic.name = name;
    topic.partitions.extend(partitions);
}
