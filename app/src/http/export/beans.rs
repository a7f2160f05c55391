//! The table of MBeans: all families that are derived from it, fed by the nodes' newest reports and, for partitions, by the snapshot.

use std::collections::HashMap;
use std::sync::LazyLock;

use broker::metrics::names::{self, Kind, Part};
use broker::metrics::{Bean, Series, Source, table};
use prometheus::proto::LabelPair;

use super::detail::Detail;
use super::families::{Families, Family, pair};
use super::{Nodes, partitions};
use crate::monitor::snapshot::Snapshot;

/// The families of the table. The table does not change while the program runs.
static FAMILIES: LazyLock<Vec<names::Family>> = LazyLock::new(|| names::families(table::all()));

/// Keys of MBeans as labels.
static LABELS: LazyLock<HashMap<&'static str, String>> =
    LazyLock::new(|| table::all().flat_map(|bean| bean.keys).map(|key| (*key, names::label_name(key))).collect());

/// Numbers of the whole cluster that every controller could tell. Only the active one does: dashboards add the controllers up.
const OF_THE_CLUSTER: [&str; 7] = [
    "GlobalTopicCount",
    "GlobalPartitionCount",
    "OfflinePartitionsCount",
    "PreferredReplicaImbalanceCount",
    "ActiveBrokerCount",
    "FencedBrokerCount",
    "ControlledShutdownBrokerCount",
];

/// Adds them.
pub fn add(families: &mut Families, snapshot: &Snapshot, nodes: &Nodes<'_>, detail: Detail) {
    let told = Told::of(nodes);
    for family in &*FAMILIES {
        let mut out = match family.kind {
            Kind::Untyped => families.untyped(&family.name, &family.help),
            Kind::Gauge => families.gauge(&family.name, &family.help),
            Kind::Counter => families.counter(&family.name, &family.help),
        };
        for part in &family.parts {
            if part.bean.source != Source::State {
                told.add(&mut out, part, detail);
            } else if detail.shows(part.bean.keys.iter().copied()) {
                partitions::add(&mut out, part, snapshot, nodes);
            }
        }
    }
}

/// The label of the node and that of the name, in front of all others.
pub(super) fn first_labels(node: Option<&str>, part: &Part) -> Vec<LabelPair> {
    let node = node.map(|id| pair("node_id", id));
    node.into_iter().chain(part.label.map(|(name, value)| pair(name, value))).collect()
}

/// What a key of an MBean is called as a label.
pub(super) fn label(key: &str) -> &str {
    LABELS.get(key).map_or(key, String::as_str)
}

/// Series by bean.
struct Told<'v> {
    by_bean: HashMap<*const Bean, Vec<OneNodes<'v>>>,
}

struct OneNodes<'v> {
    node: Option<&'v str>,
    is_standby: bool,
    series: &'v Series,
}

impl<'v> Told<'v> {
    fn of(nodes: &'v Nodes<'v>) -> Told<'v> {
        let mut by_bean = HashMap::<*const Bean, Vec<OneNodes<'v>>>::new();
        for node in nodes.iter() {
            let Some(report) = node.report else { continue };
            let is_standby = report.of(&table::controller::ACTIVE_CONTROLLER_COUNT).any(|series| series.value() == 0.0);
            for series in &report.series {
                let one = OneNodes { node: node.label.as_deref(), is_standby, series };
                by_bean.entry(series.bean).or_default().push(one);
            }
        }
        Told { by_bean }
    }

    fn add(&self, out: &mut Family<'_>, part: &Part, detail: Detail) {
        let is_of_the_cluster = part.bean.kind == "KafkaController" && OF_THE_CLUSTER.contains(&part.bean.name);
        let key: *const Bean = part.bean;
        for one in self.by_bean.get(&key).into_iter().flatten() {
            let labels = &one.series.labels;
            if !detail.shows(labels.iter().map(|(key, _)| *key)) {
                continue;
            }
            let Some(mut value) = part.attribute.read(&one.series.reading) else { continue };
            if is_of_the_cluster && one.is_standby {
                value = 0.0;
            }
            let mut pairs = first_labels(one.node, part);
            pairs.extend(labels.iter().map(|(key, value)| pair(label(key), value.to_string())));
            out.add_pairs(pairs, value);
        }
    }
}
