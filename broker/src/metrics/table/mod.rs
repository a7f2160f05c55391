//! The table of MBeans, a file for each part of Kafka that has some. A bean that nobody feeds does not belong here.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::bean::{Bean, beans};

pub mod controller;
pub mod groups;
pub mod left_out;
pub mod log;
pub mod metadata;
pub mod network;
pub mod node;
pub mod partition;
pub mod purgatory;
pub mod quotas;
pub mod raft;
pub mod replica;
pub mod requests;
pub mod sessions;
pub mod shares;
pub mod topics;
pub mod transactions;

/// The times of a coordinator, which several of them have.
#[derive(Debug)]
pub struct CoordinatorBeans {
    /// How long it worked on requests: longest, and percentiles 50, 95, 99, 99.9.
    pub processing: [&'static Bean; 5],
    /// How long commits took, likewise.
    pub purgatory: [&'static Bean; 5],
    /// How long writes took, likewise.
    pub flush: [&'static Bean; 5],
    /// Writes.
    pub flush_rate: &'static Bean,
    /// How long loading took: mean and longest.
    pub load: [&'static Bean; 2],
    /// Partitions by state.
    pub partitions: &'static Bean,
}

/// The beans by their places, and the places by the beans' addresses.
type Places = (Vec<&'static Bean>, HashMap<usize, u16>);

static PLACES: LazyLock<Places> = LazyLock::new(|| {
    let beans: Vec<&'static Bean> = all().collect();
    let places = beans.iter().zip(0..).map(|(bean, place)| (address(bean), place)).collect();
    (beans, places)
});

fn address(bean: &'static Bean) -> usize {
    std::ptr::from_ref(bean) as usize
}

/// A bean's place in the table.
pub fn place(bean: &'static Bean) -> Option<u16> {
    PLACES.1.get(&address(bean)).copied()
}

/// The bean at a place.
pub fn at(place: u16) -> Option<&'static Bean> {
    PLACES.0.get(usize::from(place)).copied()
}

/// All beans.
pub fn all() -> impl Iterator<Item = &'static Bean> {
    let parts = [
        controller::ALL,
        groups::ALL,
        log::ALL,
        metadata::ALL,
        network::ALL,
        node::ALL,
        partition::ALL,
        purgatory::ALL,
        quotas::ALL,
        raft::ALL,
        replica::ALL,
        requests::ALL,
        sessions::ALL,
        shares::ALL,
        topics::ALL,
        transactions::ALL,
    ];
    parts.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::metrics::Shape;

    #[test]
    fn no_bean_is_there_twice_and_each_says_what_it_is() {
        let mut seen = BTreeSet::new();
        for bean in all() {
            assert!(seen.insert((bean.domain, bean.kind, bean.name)), "{bean:?}");
            let help = bean.help();
            assert!(help.ends_with('.') && !help.starts_with(' ') && help.len() < 250, "{bean:?}");
            let grows = bean.name.ends_with("-total");
            assert_eq!(grows, grows && bean.shape == Shape::Total, "{bean:?}");
        }
    }
}
