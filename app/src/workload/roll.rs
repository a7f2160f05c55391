//! Who of a workload's clients there is, told by the thread that keeps them to whoever asks.

use std::sync::{Arc, Mutex, PoisonError};

use super::counts::Count;
use crate::monitor::workload::{ClientState, ConsumerStatus};

/// A place for a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerPlace {
    /// From 1.
    pub number: u32,
    /// Somebody writes there.
    pub is_running: bool,
    /// Somebody stands still there, or is about to.
    pub is_frozen: bool,
}

/// The clients; consumers with the counter of each.
#[derive(Debug, Default)]
pub struct Roll {
    consumers: Mutex<Vec<(ConsumerStatus, Arc<Count>)>>,
    producers: Mutex<Vec<ProducerPlace>>,
}

impl Roll {
    /// From now on.
    pub fn set(&self, consumers: Vec<(ConsumerStatus, Arc<Count>)>) {
        *self.consumers.lock().unwrap_or_else(PoisonError::into_inner) = consumers;
    }

    /// Places of producers from now on.
    pub fn set_producers(&self, producers: Vec<ProducerPlace>) {
        *self.producers.lock().unwrap_or_else(PoisonError::into_inner) = producers;
    }

    /// Places of producers now.
    pub fn producers(&self) -> Vec<ProducerPlace> {
        self.producers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As they are now.
    pub fn get(&self) -> Vec<ConsumerStatus> {
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.iter().map(|(status, read)| ConsumerStatus { read: read.get(), ..status.clone() }).collect()
    }

    /// The first consumer that runs.
    pub fn first_running(&self) -> Option<u32> {
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.iter().find(|(status, _)| status.state == ClientState::Running).map(|(status, _)| status.number)
    }
}
