//! Between the share partitions that this broker leads and the broker.

use super::broker::Broker;
use super::share_persister::StateResponse;
use crate::types::Now;

/// The share coordinators answered what was asked by [`super::share_persister::ask`] under this number.
pub fn on_share_state(_broker: &mut Broker, _now: Now, _number: u64, _response: StateResponse) {}
