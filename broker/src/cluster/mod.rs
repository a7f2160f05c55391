//! N nodes in one process: start, stop, break, observe. The only room that knows all others; nothing in it is global, so two clusters
//! live side by side.

mod config;
mod controllers;
mod error;
mod membership;
mod nodes;
mod remembered;
mod seat;
mod voice;
mod voters;

pub use crate::log::Finding;
pub use crate::replica::ScrubProgress;
pub use config::{ClusterConfig, FIRST_CONTROLLER_ID, Profile};
pub use error::ClusterError;
pub use membership::{NewBroker, Removal};
pub use nodes::Cluster;
pub use remembered::ControllerChange;
