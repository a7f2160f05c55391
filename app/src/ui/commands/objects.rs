//! What can be done to one thing that is shown, as the lines of its menu: what the table of commands can do to it now, where it leads to, and
//! what of it can be copied.

use std::sync::Arc;

use super::table::Id;
use super::{deeds, entry};
use crate::monitor::command::{Command, End, FaultKind, NewBroker};
use crate::monitor::names::node_inside;
use crate::monitor::operation::{Election, Operation};
use crate::monitor::snapshot::{ActiveFault, Broker, Snapshot};
use crate::ui::app::{Action, Dialog, FaultTarget, Scene};
use crate::ui::as_command::quoted;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::menu::Item;

/// Something that has a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A broker.
    Broker(i32),
    /// A controller.
    Controller(i32),
    /// All brokers of a zone.
    Zone(String),
    /// A topic.
    Topic(Arc<str>),
    /// A partition; and its replica on a broker, if it is that.
    Partition(Arc<str>, i32, Option<i32>),
    /// A built-in workload.
    Workload(u64),
    /// A group.
    Group(Arc<str>),
    /// What goes from some ends to others.
    Edge(Vec<(End, End)>),
}

/// What makes a node stop and go.
const LIFE: [Id; 4] =
    [Id::Fault(FaultKind::Stop), Id::Fault(FaultKind::Kill), Id::Fault(FaultKind::Pause), Id::StartNode];

/// What else can be broken of a node.
const FAULTS: [Id; 12] = [
    Id::Fault(FaultKind::PowerLoss),
    Id::Fault(FaultKind::Isolate),
    Id::Fault(FaultKind::Cut),
    Id::Fault(FaultKind::Delay),
    Id::Fault(FaultKind::Bandwidth),
    Id::Fault(FaultKind::Drop),
    Id::Fault(FaultKind::SlowDisk),
    Id::Fault(FaultKind::DiskFull),
    Id::Fault(FaultKind::DiskError),
    Id::Fault(FaultKind::CorruptTail),
    Id::Fault(FaultKind::BitRot),
    Id::Fault(FaultKind::ClockSkew),
];

/// What can be wrong with what goes from one end to another.
const LINKS: [FaultKind; 4] = [FaultKind::Cut, FaultKind::Delay, FaultKind::Bandwidth, FaultKind::Drop];

/// Lines of one kind that an edge's menu has at most: past these it says nothing that the palette does not say better.
const ENDS_MAX: usize = 4;

/// What is done to topics, but for their end.
const TOPIC: [Id; 5] = [Id::Produce, Id::AddPartitions, Id::Reassign, Id::ElectLeaders, Id::DeleteRecords];

type Items = Vec<Item<Action>>;

/// The lines of its menu.
pub fn menu(object: &Object, scene: &Scene<'_>) -> Items {
    let snapshot = scene.model.snapshot();
    let mut items = Items::new();
    match object {
        Object::Broker(id) => broker(*id, object, scene, &mut items),
        Object::Controller(id) => {
            add(object, scene, &[Id::NodeLog], &mut items);
            items.push(Item::rule());
            add(object, scene, &LIFE, &mut items);
            add(object, scene, &[Id::HealFault], &mut items);
            items.push(Item::rule());
            add(object, scene, &FAULTS, &mut items);
            items.push(Item::rule());
            items.push(tool("the command that describes the quorum", scene, "kafka-metadata-quorum.sh", |line| {
                format!("{line} describe --replication")
            }));
            items.push(Item::copy("the controller's id", id.to_string()));
            add(object, scene, &[Id::RemoveController], &mut items);
        }
        Object::Zone(zone) => {
            add(object, scene, &[Id::Fault(FaultKind::ZoneOutage), Id::HealFault], &mut items);
            let new = NewBroker { zone: Some(zone.clone()), ..NewBroker::default() };
            let leaving = snapshot.membership.leaving.map(|id| format!("while broker {id} is being removed"));
            let add = Action::Send(Command::AddBroker(new));
            items.push(Item::new(format!("Add broker in zone {zone}"), Icon::Plus, add).unless(leaving));
            items.push(Item::copy("the zone's name", zone.as_str()));
        }
        Object::Topic(name) => topic(name, object, scene, &mut items),
        Object::Partition(name, id, replica) => partition((name, *id, *replica), scene, &mut items),
        Object::Workload(id) => {
            let workload = snapshot.workloads.iter().find(|workload| workload.id == *id);
            if let Some(workload) = workload {
                let name: Arc<str> = workload.topic.as_str().into();
                items.push(Item::new(format!("Open topic {name}"), Icon::Topics, Action::OpenTopic(name)));
                let group: Arc<str> = workload.group.as_str().into();
                items.push(Item::new(format!("Open group {group}"), Icon::Groups, Action::OpenGroup(group)));
            }
            let of_clients = [FaultKind::SlowConsumer, FaultKind::CrashConsumer, FaultKind::ZombieProducer];
            add(object, scene, &of_clients.map(Id::Fault), &mut items);
            add(object, scene, &[Id::StopWorkload], &mut items);
        }
        Object::Edge(ends) => edge(ends, snapshot, &mut items),
        Object::Group(id) => group(id, object, scene, &mut items),
    }
    items
}

fn broker(id: i32, object: &Object, scene: &Scene<'_>, items: &mut Items) {
    items.push(Item::new(format!("Open broker {id}"), Icon::Broker, Action::OpenBroker(id)));
    add(object, scene, &[Id::NodeLog], items);
    items.push(Item::rule());
    add(object, scene, &LIFE, items);
    add(object, scene, &[Id::HealFault], items);
    items.push(Item::rule());
    add(object, scene, &FAULTS, items);
    items.push(Item::rule());
    add(object, scene, &[Id::ElectPreferred, Id::Scrub], items);
    let address = scene.model.snapshot().brokers.iter().find(|broker| broker.id == id && broker.port != 0);
    if let Some(broker) = address {
        items.push(Item::copy("its address", format!("{}:{}", broker.host, broker.port)));
    }
    items.push(tool("the command that describes its configs", scene, "kafka-configs.sh", |line| {
        format!("{line} --describe --all --entity-type brokers --entity-name {id}")
    }));
    items.push(tool("the command that describes its log directories", scene, "kafka-log-dirs.sh", |line| {
        format!("{line} --describe --broker-list {id}")
    }));
    add(object, scene, &[Id::KeepBroker, Id::RemoveBroker], items);
}

fn topic(name: &Arc<str>, object: &Object, scene: &Scene<'_>, items: &mut Items) {
    items.push(Item::new(format!("Open topic {name}"), Icon::Topics, Action::OpenTopic(Arc::clone(name))));
    items.push(Item::rule());
    add(object, scene, &TOPIC, items);
    items.push(Item::rule());
    items.push(Item::copy("the topic's name", &**name));
    if let Some((topic, _)) = scene.model.topic(name) {
        items.push(Item::copy("the topic id", topic.topic_id.as_str()));
    }
    items.push(tool("the command that describes it", scene, "kafka-topics.sh", |line| {
        format!("{line} --describe --topic {}", quoted(name))
    }));
    let read = format!("kcat -b {} -C -t {} -o -10 -e", scene.model.bootstrap, quoted(name));
    items.push(Item::copy("the command that reads its last records", read));
    add(object, scene, &[Id::DeleteTopic], items);
}

fn partition((name, id, replica): (&Arc<str>, i32, Option<i32>), scene: &Scene<'_>, items: &mut Items) {
    let open = Action::OpenPartition { topic: Arc::clone(name), partition: id };
    items.push(Item::new(format!("Open partition {name}-{id}"), Icon::Topics, open));
    let (snapshot, found) = (scene.model.snapshot(), scene.model.topic(name));
    let found = found.and_then(|(topic, _)| topic.partitions.iter().find(|partition| partition.id == id));
    if let Some(partition) = found {
        let broker = replica.unwrap_or(partition.leader);
        if broker >= 0 {
            items.push(Item::new(format!("Open broker {broker}"), Icon::Broker, Action::OpenBroker(broker)));
            let logs = Action::OpenLogs { node_id: broker, at_ms: snapshot.at_ms };
            items.push(Item::new(format!("Log of broker {broker}"), Icon::Logs, logs));
        }
        items.push(Item::rule());
        let elect = |election| {
            Action::Send(Command::Operate(Operation::ElectLeaders {
                election,
                partitions: vec![(Arc::clone(name), id)],
            }))
        };
        let preferred = partition.replicas.first() == Some(&partition.leader);
        let obstacle = preferred.then(|| "while its first replica leads already".to_owned());
        items.push(Item::new("Elect its preferred leader", Icon::Star, elect(Election::Preferred)).unless(obstacle));
        if partition.is_offline() {
            let words = "Elect any replica that is alive (may lose records)";
            items.push(Item::danger(words, elect(Election::Unclean)));
        }
    }
    if let Some(broker) = found.map(|partition| replica.unwrap_or(partition.leader)).filter(|broker| *broker >= 0) {
        items.push(Item::rule());
        let log = || FaultTarget::Log { broker, topic: name.to_string(), partition: id };
        let kinds = [(FaultKind::BitRot, "Rot a bit of"), (FaultKind::CorruptTail, "Damage the end of")];
        items.extend(kinds.map(|(kind, words)| {
            let icon = entry(Id::Fault(kind)).map_or(Icon::Critical, |entry| entry.icon);
            let name = format!("{words} {name}-{id} on broker {broker}");
            Item::new(name, icon, Action::Ask(Dialog::Fault(kind, log())))
        }));
        items.push(Item::rule());
    }
    let whole = Object::Topic(Arc::clone(name));
    add(&whole, scene, &[Id::Reassign], items);
    items.push(Item::rule());
    items.push(Item::copy("the partition's name", format!("{name}-{id}")));
    let read = format!("kcat -b {} -C -t {} -p {id} -o -10 -e", scene.model.bootstrap, quoted(name));
    items.push(Item::copy("the command that reads its last records", read));
}

fn edge(ends: &[(End, End)], snapshot: &Snapshot, items: &mut Items) {
    let called = |end: End| end.node().map_or_else(|| End::CLIENTS.to_owned(), node_inside);
    for kind in LINKS {
        let Some(entry) = entry(Id::Fault(kind)) else { continue };
        items.extend(ends.iter().take(ENDS_MAX).map(|(from, to)| {
            let whom = format!("{} to {}", called(*from), called(*to));
            let ask = Action::Ask(Dialog::Fault(kind, FaultTarget::Link(*from, *to)));
            Item::new(entry.name.replace('…', &whom), entry.icon, ask)
        }));
        items.push(Item::rule());
    }
    let hits = |fault: &&ActiveFault| {
        let (from, to) = (fault.request.from, fault.request.to);
        ends.iter().any(|(one, two)| (from, to) == (Some(*one), Some(*two)) || (from, to) == (Some(*two), Some(*one)))
    };
    items.extend(snapshot.faults.iter().filter(hits).map(|fault| {
        let heal = Action::Send(Command::HealFault(fault.id));
        Item::new(format!("Heal: {} (fault {})", fault.what, fault.id), Icon::Heal, heal)
    }));
}

fn group(id: &Arc<str>, object: &Object, scene: &Scene<'_>, items: &mut Items) {
    items.push(Item::new(format!("Open group {id}"), Icon::Groups, Action::OpenGroup(Arc::clone(id))));
    let group = scene.model.group(id);
    if let Some(offset) = group.and_then(|group| group.offsets.first()) {
        let name = format!("Topic {}", offset.topic);
        items.push(Item::new(name, Icon::Topics, Action::OpenTopic(Arc::clone(&offset.topic))));
    }
    if let Some(group) = group.filter(|group| group.coordinator >= 0) {
        let open = Action::OpenLogs { node_id: group.coordinator, at_ms: scene.model.snapshot().at_ms };
        items.push(Item::new("Log of its coordinator", Icon::Logs, open));
    }
    items.push(Item::rule());
    add(object, scene, &[Id::ResetOffsets], items);
    items.push(Item::copy("the group's id", &**id));
    if group.is_some_and(|group| group.has_lag()) {
        items.push(tool("the command that describes it", scene, "kafka-consumer-groups.sh", |line| {
            format!("{line} --describe --group {}", quoted(id))
        }));
    }
    add(object, scene, &[Id::DeleteGroup], items);
}

/// A line that copies the call of one of Kafka's tools.
fn tool(what: &str, scene: &Scene<'_>, name: &str, rest: impl FnOnce(String) -> String) -> Item<Action> {
    Item::copy(what, rest(format!("{name} --bootstrap-server {}", scene.model.bootstrap)))
}

/// What commands of the table can do to it now.
fn add(object: &Object, scene: &Scene<'_>, ids: &[Id], items: &mut Items) {
    for id in ids {
        let icon = entry(*id).map_or(Icon::Start, |entry| entry.icon);
        let of_it = deeds(*id, scene).into_iter().filter(|deed| concerns(&deed.action, object, scene.model.snapshot()));
        items.extend(of_it.map(|deed| {
            let ends = matches!(
                deed.action,
                Action::Ask(
                    Dialog::DeleteTopic(_)
                        | Dialog::DeleteGroup(_)
                        | Dialog::RemoveBroker(_)
                        | Dialog::RemoveController(_)
                )
            );
            let item =
                if ends { Item::danger(deed.name, deed.action) } else { Item::new(deed.name, icon, deed.action) };
            item.unless(deed.obstacle)
        }));
    }
}

/// Whether an action is done to it.
fn concerns(action: &Action, object: &Object, snapshot: &Snapshot) -> bool {
    let hits = |id: &u64, node: i32| {
        let fault = snapshot.faults.iter().find(|fault| fault.id == *id);
        fault.is_some_and(|fault| fault.node_ids.contains(&node))
    };
    match (object, action) {
        (Object::Broker(id) | Object::Controller(id), action) => match action {
            Action::Ask(Dialog::Fault(
                _,
                FaultTarget::Node(node) | FaultTarget::Link(End::Clients, End::Node(node)),
            ))
            | Action::Ask(Dialog::RemoveBroker(node) | Dialog::RemoveController(node))
            | Action::Send(
                Command::StartNode(node) | Command::KeepBroker(node) | Command::Scrub { broker: Some(node) },
            )
            | Action::OpenLogs { node_id: node, .. } => node == id,
            Action::Send(Command::HealFault(fault)) => hits(fault, *id),
            Action::Send(Command::Operate(Operation::ElectLeaders { partitions, .. })) => partitions.is_empty(),
            _ => false,
        },
        (Object::Zone(zone), Action::Ask(Dialog::Fault(_, FaultTarget::Zone(hit)))) => zone == hit,
        (Object::Zone(zone), Action::Send(Command::HealFault(fault))) => {
            let in_zone = |broker: &&Broker| broker.rack.as_deref() == Some(zone);
            let kind = snapshot.faults.iter().find(|one| one.id == *fault).map(|one| one.kind.as_str());
            kind == Some("zone_outage") && snapshot.brokers.iter().filter(in_zone).any(|broker| hits(fault, broker.id))
        }
        (
            Object::Topic(name),
            Action::Ask(Dialog::Topic(_, of) | Dialog::DeleteTopic(of) | Dialog::Produce(of, _) | Dialog::Reassign(of)),
        ) => **name == **of,
        (Object::Group(id), Action::Ask(Dialog::ResetOffsets(of) | Dialog::DeleteGroup(of))) => **id == **of,
        (Object::Workload(id), Action::Send(Command::StopWorkload(of)))
        | (Object::Workload(id), Action::Ask(Dialog::Fault(_, FaultTarget::Workload(of)))) => id == of,
        _ => false,
    }
}

/// What a node's menu is called.
pub fn menu_name(id: i32) -> String {
    format!("Menu of {}", node_inside(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::app::Options;
    use crate::ui::fixture;
    use crate::ui::model::Model;

    fn names(object: &Object) -> Vec<String> {
        let mut model = Model::default();
        model.update(fixture::incident());
        let options = Options::default();
        let scene = Scene::plain(&model, &options);
        menu(object, &scene).iter().map(|item| item.name().to_owned()).collect()
    }

    #[test]
    fn each_object_has_its_own_actions_and_nobody_elses() {
        let of_two = names(&Object::Broker(2));
        for name in ["Open broker 2", "Log of broker 2", "Start broker 2", "Kill broker 2", "Remove broker 2"] {
            assert!(of_two.iter().any(|known| known == name), "{name} of {of_two:?}");
        }
        assert!(of_two.iter().any(|name| name.starts_with("Heal: broker 2 is killed")));
        assert!(of_two.iter().all(|name| !name.contains("broker 1") && !name.contains("3000")), "{of_two:?}");
        let of_controller = names(&Object::Controller(3001));
        assert!(of_controller.iter().any(|name| name == "Wrong clock of controller 3001"));
        assert!(of_controller.iter().any(|name| name == "Remove controller 3001"));
        let of_topic = names(&Object::Topic("orders".into()));
        for name in ["Move replicas of orders", "More partitions for orders", "Delete topic orders"] {
            assert!(of_topic.iter().any(|known| known == name), "{name} of {of_topic:?}");
        }
        let of_partition = names(&Object::Partition("audit".into(), 1, None));
        assert!(of_partition.iter().any(|name| name.contains("may lose records")), "{of_partition:?}");
        assert!(names(&Object::Zone("a".into())).iter().any(|name| name == "Outage of zone a"));
    }
}
