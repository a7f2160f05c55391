//! Settings of one share group as this broker knows them: the group's own within the broker's bounds, else the broker's.
//!
//! Source: `org.apache.kafka.coordinator.group.modern.share.ShareGroupConfigProvider`, `org.apache.kafka.coordinator.group.GroupConfig.evaluate`
//! (KIP-1240).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::broker::Broker;
use crate::metadata::config::RESOURCE_GROUP;
use crate::replica::Isolation;
use crate::share::{OffsetReset, ShareLimits};

fn own<'a>(broker: &'a Broker, group: &Arc<str>) -> Option<&'a BTreeMap<String, String>> {
    broker.image.configs.get(&(RESOURCE_GROUP, Arc::clone(group))).map(AsRef::as_ref)
}

/// A number that a group may set: the group's `share.{key}` between the broker's `group.share.min.{key}` and `group.share.max.{key}`, else the
/// broker's `group.share.{key}`.
fn number(broker: &Broker, group: &Arc<str>, key: &str) -> i64 {
    let of_broker = |prefix: &str| broker.config.i64(&format!("{prefix}{key}"));
    let set =
        own(broker, group).and_then(|own| own.get(&format!("share.{key}"))).and_then(|text| text.trim().parse().ok());
    match set {
        Some(set) => {
            let least = of_broker("group.share.min.");
            i64::max(set, least).min(of_broker("group.share.max.").max(least))
        }
        None => of_broker("group.share."),
    }
}

/// `share.record.lock.duration.ms`
pub(super) fn record_lock_ms(broker: &Broker, group: &Arc<str>) -> i32 {
    i32::try_from(number(broker, group, "record.lock.duration.ms")).unwrap_or(i32::MAX)
}

/// What a share group may do with a partition.
pub(super) fn limits(broker: &Broker, group: &Arc<str>) -> ShareLimits {
    let may_renew = own(broker, group).and_then(|own| own.get("share.renew.acknowledge.enable"));
    ShareLimits {
        record_lock: Duration::from_millis(u64::try_from(record_lock_ms(broker, group)).unwrap_or(0)),
        delivery_count_limit: i32::try_from(number(broker, group, "delivery.count.limit")).unwrap_or(i32::MAX),
        max_record_locks: number(broker, group, "partition.max.record.locks"),
        may_renew: may_renew.is_none_or(|text| text.trim().eq_ignore_ascii_case("true")),
    }
}

/// `share.isolation.level`
pub(super) fn isolation(broker: &Broker, group: &Arc<str>) -> Isolation {
    match own(broker, group).and_then(|own| own.get("share.isolation.level")).map(|text| text.trim()) {
        Some("read_committed") => Isolation::ReadCommitted,
        _ => Isolation::ReadUncommitted,
    }
}

/// `share.auto.offset.reset`
pub(super) fn offset_reset(broker: &Broker, group: &Arc<str>) -> OffsetReset {
    let set = own(broker, group).and_then(|own| own.get("share.auto.offset.reset"));
    set.map_or(OffsetReset::Latest, |text| OffsetReset::parse(text))
}
