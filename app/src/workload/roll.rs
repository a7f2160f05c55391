//! Who of a workload's consumers there is, told by the thread that keeps them to whoever asks.

use std::sync::{Arc, Mutex, PoisonError};

use super::counts::Count;
use crate::monitor::workload::{ClientState, ConsumerStatus};

/// The consumers, with the counter of each.
#[derive(Debug, Default)]
pub struct Roll(Mutex<Vec<(ConsumerStatus, Arc<Count>)>>);

impl Roll {
    /// From now on.
    pub fn set(&self, consumers: Vec<(ConsumerStatus, Arc<Count>)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = consumers;
    }

    /// As they are now.
    pub fn get(&self) -> Vec<ConsumerStatus> {
        let consumers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.iter().map(|(status, read)| ConsumerStatus { read: read.get(), ..status.clone() }).collect()
    }

    /// The first consumer that runs.
    pub fn first_running(&self) -> Option<u32> {
        let consumers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.iter().find(|(status, _)| status.state == ClientState::Running).map(|(status, _)| status.number)
    }
}
