//! What is asked. Each file holds the cases of a few APIs; each case is a function that plays on one side.

mod changes;
mod cluster;
mod configs;
mod consumers;
mod data;
mod groups;
mod loggers;
mod manners;
mod quotas;
mod share_fetch;
mod share_groups;
mod streams_groups;
mod telemetry;
mod topics;
mod transactions;

use super::side::{Outcome, Side};

/// A case.
pub struct Case {
    /// Name, which stands in the keys of its exchanges. Those that begin with `each field` are sweeps.
    pub name: &'static str,
    /// Plays it.
    pub play: fn(&mut Side) -> Outcome,
}

/// All cases, in the order in which they are played.
pub const ALL: &[&[Case]] = &[
    cluster::CASES,
    topics::CASES,
    configs::CASES,
    loggers::CASES,
    quotas::CASES,
    data::CASES,
    changes::CASES,
    groups::CASES,
    consumers::CASES,
    streams_groups::CASES,
    share_groups::CASES,
    transactions::CASES,
    share_fetch::CASES,
    telemetry::CASES,
    manners::CASES,
];

/// Whether we offer an API: what is asked of it is asked of both sides then.
pub(super) fn is_offered(api: &str) -> bool {
    broker::protocol::Api::ALL.iter().any(|offered| offered.name() == api)
}

/// All of them in one row.
pub fn all() -> impl Iterator<Item = &'static Case> {
    ALL.iter().flat_map(|cases| cases.iter())
}
