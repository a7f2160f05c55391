//! How many connections a broker takes: in all, and from one address. The limits are read anew for each, so that dynamic configs act at
//! once; who is connected already stays.
//!
//! Source: `kafka.network.ConnectionQuotas`; `max.connections`, `max.connections.per.ip`, `max.connections.per.ip.overrides`.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::metadata::config::NodeConfig;

/// Who is connected.
#[derive(Debug, Default)]
pub(super) struct Admission {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Admission {
    /// Counts a connection, or says in one sentence why it is refused.
    pub(super) fn admit(&mut self, config: &NodeConfig, address: IpAddr) -> Result<(), String> {
        let max = config.usize("max.connections");
        if self.total >= max {
            return Err(format!("all {max} connections are taken"));
        }
        let max = per_address_max(config, address);
        let here = self.by_address.get(&address).copied().unwrap_or(0);
        if here >= max {
            return Err(format!("the address already has the configured maximum of {max} connections"));
        }
        self.total += 1;
        self.by_address.insert(address, here + 1);
        Ok(())
    }

    /// A connection that was counted is gone.
    pub(super) fn leave(&mut self, address: IpAddr) {
        self.total = self.total.saturating_sub(1);
        if let Some(here) = self.by_address.get_mut(&address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// The overrides are a list of `address:count`; names are not looked up.
fn per_address_max(config: &NodeConfig, address: IpAddr) -> usize {
    let own = config.str("max.connections.per.ip.overrides").split(',').find_map(|entry| {
        let (host, count) = entry.trim().rsplit_once(':')?;
        let host: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        (host == address).then(|| count.trim().parse().ok())?
    });
    own.unwrap_or_else(|| config.usize("max.connections.per.ip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> NodeConfig {
        let entries = entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        NodeConfig::new(1, "cluster", entries).unwrap()
    }

    #[test]
    fn limits_in_all_and_per_address() {
        let config = config(&[
            ("max.connections", "4"),
            ("max.connections.per.ip", "1"),
            ("max.connections.per.ip.overrides", "10.0.0.2:2, [::1]:3,nonsense"),
        ]);
        let mut admission = Admission::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        admission.admit(&config, address("10.0.0.1")).unwrap();
        let refused = admission.admit(&config, address("10.0.0.1")).unwrap_err();
        assert_eq!(refused, "the address already has the configured maximum of 1 connections");
        admission.admit(&config, address("10.0.0.2")).unwrap();
        admission.admit(&config, address("10.0.0.2")).unwrap();
        assert!(admission.admit(&config, address("10.0.0.2")).is_err());
        admission.admit(&config, address("::1")).unwrap();
        assert_eq!(admission.admit(&config, address("::1")).unwrap_err(), "all 4 connections are taken");
        admission.leave(address("10.0.0.1"));
        admission.admit(&config, address("10.0.0.1")).unwrap();
    }
}
