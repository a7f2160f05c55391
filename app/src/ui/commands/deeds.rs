//! What commands come to on the cluster as it is: on which nodes, topics and alarms, as which actions, and why not.

use broker::metadata::report::NodeState;

use super::entry;
use super::table::Id;
use crate::monitor::cloudwatch::advice::AlarmSet;
use crate::monitor::cloudwatch::catalog::Level;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::{Command, End, FaultKind, NewBroker, NewController, WorkloadSpec};
use crate::monitor::messages::NewMessage;
use crate::monitor::names::{is_controller, node_inside, state_word};
use crate::monitor::operation::{Election, Operation};
use crate::monitor::presets::PRESETS;
use crate::monitor::snapshot::Snapshot;
use crate::monitor::workload::ClientState;
use crate::ui::alarm_draft::Start;
use crate::ui::app::{Action, Dialog, FaultTarget, Scene, Step, ThemeChoice};
use crate::ui::dialog_topic::TopicWish;
use crate::ui::rewind::Wish;

/// One thing that can be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// What it is called, with what it is done to: `Kill broker 2`.
    pub name: String,
    /// How it is done.
    pub action: Action,
    /// Why it cannot be done now, in a few words after "not".
    pub obstacle: Option<String>,
}

impl Deed {
    fn new(name: impl Into<String>, action: Action) -> Deed {
        Deed { name: name.into(), action, obstacle: None }
    }

    fn unless(mut self, obstacle: Option<impl Into<String>>) -> Deed {
        self.obstacle = self.obstacle.or(obstacle.map(Into::into));
        self
    }
}

fn entry_name(id: Id) -> &'static str {
    entry(id).map_or("", |entry| entry.name)
}

fn send(command: Command) -> Action {
    Action::Send(command)
}

/// Adds all that a command can do.
pub fn collect(id: Id, scene: &Scene<'_>, deeds: &mut Vec<Deed>) {
    let snapshot = scene.model.snapshot();
    match id {
        Id::DeleteTopic => {
            let own = snapshot.topics.iter().filter(|topic| !topic.internal);
            deeds.extend(own.map(|topic| {
                let name = topic.name.to_string();
                Deed::new(format!("Delete topic {name}"), Action::Ask(Dialog::DeleteTopic(name)))
            }));
        }
        Id::AddPartitions | Id::DeleteRecords | Id::ElectLeaders => {
            let wish = match id {
                Id::AddPartitions => TopicWish::AddPartitions,
                Id::DeleteRecords => TopicWish::DeleteRecords,
                _ => TopicWish::ElectLeaders,
            };
            let fits = snapshot.topics.iter().filter(|topic| wish == TopicWish::ElectLeaders || !topic.internal);
            deeds.extend(fits.map(|topic| {
                let name = entry_name(id).replace('…', &topic.name);
                Deed::new(name, Action::Ask(Dialog::Topic(wish, topic.name.to_string())))
            }));
        }
        Id::Produce => deeds.extend(snapshot.topics.iter().filter(|topic| !topic.internal).map(|topic| {
            let name = entry_name(id).replace('…', &topic.name);
            Deed::new(name, Action::Ask(Dialog::Produce(topic.name.to_string(), NewMessage::default())))
        })),
        Id::Reassign => deeds.extend(snapshot.topics.iter().map(|topic| {
            let name = entry_name(id).replace('…', &topic.name);
            Deed::new(name, Action::Ask(Dialog::Reassign(topic.name.to_string())))
        })),
        Id::ResetOffsets | Id::DeleteGroup => deeds.extend(snapshot.groups.iter().map(|group| {
            let (name, of) = (entry_name(id).replace('…', &group.id), group.id.to_string());
            let dialog = if id == Id::DeleteGroup { Dialog::DeleteGroup(of) } else { Dialog::ResetOffsets(of) };
            let occupied = (!group.members.is_empty()).then_some("while it has members");
            Deed::new(name, Action::Ask(dialog)).unless(if id == Id::DeleteGroup { occupied } else { None })
        })),
        Id::Fault(kind) => faults(kind, snapshot, deeds),
        Id::StartNode => deeds.extend(nodes(snapshot).map(|(id, state)| {
            let is_down = matches!(state, NodeState::Stopped | NodeState::Killed | NodeState::Paused);
            Deed::new(format!("Start {}", node_inside(id)), send(Command::StartNode(id)))
                .unless((!is_down).then(|| while_it_is(state)))
        })),
        Id::StopScript => {
            let run = snapshot.scripts.iter().find(|one| one.phase.is_under_way());
            deeds
                .extend(run.map(|one| Deed::new(format!("Stop script {}", one.id), send(Command::StopScript(one.id)))));
        }
        Id::HealFault => deeds.extend(snapshot.faults.iter().map(|fault| {
            let name = format!("Heal: {} (fault {})", fault.what, fault.id);
            Deed::new(name, send(Command::HealFault(fault.id)))
        })),
        Id::RemoveBroker | Id::KeepBroker | Id::RemoveController => members(id, snapshot, deeds),
        Id::Scrub => {
            deeds.push(Deed::new("Scrub all brokers", send(Command::Scrub { broker: None })));
            deeds.extend(snapshot.brokers.iter().map(|broker| {
                let not_running = broker.state != NodeState::Running;
                Deed::new(format!("Scrub broker {}", broker.id), send(Command::Scrub { broker: Some(broker.id) }))
                    .unless(not_running.then(|| while_it_is(broker.state)))
            }));
        }
        Id::StopWorkload => deeds.extend(snapshot.workloads.iter().map(|workload| {
            let name = format!("Stop workload {} on {}", workload.id, workload.topic);
            Deed::new(name, send(Command::StopWorkload(workload.id)))
        })),
        Id::StartPreset => deeds.extend(PRESETS.iter().map(|preset| {
            let start = send(Command::StartWorkload(preset.spec()));
            Deed::new(entry_name(id).replace('…', preset.name), start)
        })),
        Id::CrashConsumer | Id::ReviveConsumers => deeds.extend(snapshot.workloads.iter().map(|workload| {
            let has = |state: ClientState| workload.members.iter().any(|member| member.state == state);
            let name = entry_name(id).replace('…', &format!("workload {} on {}", workload.id, workload.topic));
            let (of, consumer) = (workload.id, None);
            if id == Id::CrashConsumer {
                Deed::new(name, send(Command::CrashConsumer { id: of, consumer }))
                    .unless((!has(ClientState::Running)).then_some("while none runs"))
            } else {
                Deed::new(name, send(Command::ReviveConsumer { id: of, consumer }))
                    .unless((!has(ClientState::Crashed)).then_some("while none has crashed"))
            }
        })),
        Id::DeleteAlarm => {
            let names = scene.model.view.cloudwatch.alarms.alarms.keys();
            deeds.extend(names.map(|name| {
                Deed::new(format!("Delete alarm {name}"), Action::Ask(Dialog::DeleteAlarm(name.to_string())))
            }));
        }
        Id::AlarmSet | Id::MonitoringLevel => choices(id, scene, deeds),
        Id::NodeLog => deeds.extend(nodes(snapshot).map(|(node_id, _)| {
            let action = Action::OpenLogs { node_id, at_ms: snapshot.at_ms };
            Deed::new(format!("Log of {}", node_inside(node_id)), action)
        })),
        _ => deeds.extend(single(id, scene)),
    }
}

/// Commands that do one thing.
fn single(id: Id, scene: &Scene<'_>) -> Option<Deed> {
    let snapshot = scene.model.snapshot();
    let deed = |action: Action| Deed::new(entry_name(id), action);
    Some(match id {
        Id::Palette => deed(Action::Ask(Dialog::Palette)),
        Id::Filter => deed(Action::Filter),
        Id::Help => deed(Action::Ask(Dialog::Help)),
        Id::Back => deed(Action::Back).unless((!scene.can_go.0).then_some("while nothing was shown before")),
        Id::Forward => deed(Action::Forward).unless((!scene.can_go.1).then_some("before somebody went back")),
        Id::Settings => deed(Action::Ask(Dialog::Settings)),
        Id::Theme => deed(Action::Theme(match scene.options.theme {
            ThemeChoice::Dark => ThemeChoice::Light,
            ThemeChoice::Light => ThemeChoice::Dark,
        })),
        Id::ZoomIn => deed(Action::Zoom(Step::Up)),
        Id::ZoomOut => deed(Action::Zoom(Step::Down)),
        Id::ZoomReset => deed(Action::Zoom(Step::Reset)),
        Id::TextLarger => deed(Action::TextSize(Step::Up)),
        Id::TextSmaller => deed(Action::TextSize(Step::Down)),
        Id::Go(screen) => deed(Action::Go(screen)),
        Id::Explorer => deed(Action::Explorer),
        Id::CreateTopic => deed(Action::Ask(Dialog::CreateTopic)),
        Id::AddBroker => {
            let leaving = snapshot.membership.leaving;
            deed(send(Command::AddBroker(NewBroker::default())))
                .unless(leaving.map(|id| format!("while broker {id} is being removed")))
        }
        Id::AddController => deed(send(Command::AddController(NewController::default()))),
        Id::ElectPreferred => {
            let all = Operation::ElectLeaders { election: Election::Preferred, partitions: Vec::new() };
            let missing = snapshot.topics.is_empty().then_some("while there are no topics");
            deed(send(Command::Operate(all))).unless(missing)
        }
        Id::HealAll => deed(send(Command::HealAllFaults))
            .unless(snapshot.faults.is_empty().then_some("while no fault is in force")),
        Id::StartWorkload => deed(send(Command::StartWorkload(WorkloadSpec::default()))),
        Id::NewAlarm => deed(Action::Ask(Dialog::PutAlarm(Start::Blank))),
        Id::CopyBootstrap => {
            let value = scene.model.bootstrap.clone();
            let missing = value.is_empty().then_some("while no broker listens");
            deed(Action::Copy { what: "the bootstrap servers", value }).unless(missing)
        }
        Id::CopyCluster => {
            let value = snapshot.cluster_id.clone();
            let missing = value.is_empty().then_some("while the cluster is starting");
            deed(Action::Copy { what: "the cluster id", value }).unless(missing)
        }
        Id::TimeLive | Id::TimeEarlier | Id::TimeLater | Id::TimePlay | Id::TimeLanes => {
            let (wish, needs_past) = match id {
                Id::TimeLive => (Wish::Live, true),
                Id::TimeEarlier => (Wish::Earlier, false),
                Id::TimeLater => (Wish::Later, true),
                Id::TimePlay => (Wish::Play, true),
                _ => (Wish::Lanes, false),
            };
            let is_now = (needs_past && !scene.is_past).then_some("while the newest is shown");
            deed(Action::Time(wish)).unless(is_now)
        }
        Id::SaveRecording => deed(Action::Ask(Dialog::SaveRecording)),
        Id::OpenRecording => deed(Action::Ask(Dialog::OpenRecording)),
        Id::CopyHttp => {
            let value = scene.options.http.clone().unwrap_or_default();
            let missing = value.is_empty().then_some("while nothing listens");
            deed(Action::Copy { what: "the HTTP address", value }).unless(missing)
        }
        _ => return None,
    })
}

/// Brokers and controllers with their states.
fn nodes(snapshot: &Snapshot) -> impl Iterator<Item = (i32, NodeState)> + '_ {
    let brokers = snapshot.brokers.iter().map(|broker| (broker.id, broker.state));
    brokers.chain(snapshot.quorum.voters.iter().map(|voter| (voter.id, voter.state)))
}

fn while_it_is(state: NodeState) -> String {
    format!("while it is {}", state_word(state))
}

fn faults(kind: FaultKind, snapshot: &Snapshot, deeds: &mut Vec<Deed>) {
    let ask = |target: FaultTarget| Action::Ask(Dialog::Fault(kind, target));
    let called = |what: &str| entry_name(Id::Fault(kind)).replace('…', what);
    if kind == FaultKind::ZoneOutage {
        let mut zones: Vec<&str> = snapshot.brokers.iter().filter_map(|broker| broker.rack.as_deref()).collect();
        zones.sort_unstable();
        zones.dedup();
        deeds.extend(zones.into_iter().map(|zone| Deed::new(called(zone), ask(FaultTarget::Zone(zone.to_owned())))));
        return;
    }
    if matches!(kind, FaultKind::SlowConsumer | FaultKind::CrashConsumer) {
        deeds.extend(
            snapshot
                .workloads
                .iter()
                .filter(|one| one.consumers > 0)
                .map(|one| Deed::new(called(&format!("workload {}", one.id)), ask(FaultTarget::Workload(one.id)))),
        );
        return;
    }
    if kind == FaultKind::ZombieProducer {
        deeds.extend(snapshot.workloads.iter().filter(|one| one.producers > 0).map(|one| {
            Deed::new(called(&format!("workload {}", one.id)), ask(FaultTarget::Workload(one.id)))
                .unless((!one.spec.is_transactional()).then_some("while it makes no transactions"))
        }));
        return;
    }
    let has_it = |id: &i32| kind != FaultKind::BitRot || !is_controller(*id);
    deeds.extend(nodes(snapshot).filter(|(id, _)| has_it(id)).map(|(id, state)| {
        Deed::new(called(&node_inside(id)), ask(FaultTarget::Node(id))).unless(cannot(kind, state))
    }));
    if is_of_links(kind) {
        deeds.extend(snapshot.brokers.iter().map(|broker| {
            let target = FaultTarget::Link(End::Clients, End::Node(broker.id));
            Deed::new(called(&format!("clients of broker {}", broker.id)), ask(target))
        }));
    }
}

/// Whether a kind hits what goes from one end to another.
pub fn is_of_links(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Cut | FaultKind::Delay | FaultKind::Bandwidth | FaultKind::Drop)
}

/// Why a node cannot be broken so in its state.
fn cannot(kind: FaultKind, state: NodeState) -> Option<String> {
    let is_down = matches!(state, NodeState::Stopped | NodeState::Killed);
    let can = match kind {
        FaultKind::Stop | FaultKind::Pause => state == NodeState::Running,
        FaultKind::Kill | FaultKind::PowerLoss => !is_down,
        // Links, disks and clocks can be broken before their node starts.
        _ => true,
    };
    (!can).then(|| while_it_is(state))
}

/// Who comes and goes for good.
fn members(id: Id, snapshot: &Snapshot, deeds: &mut Vec<Deed>) {
    let leaving = snapshot.membership.leaving;
    match id {
        Id::KeepBroker => deeds.extend(
            leaving.map(|broker| Deed::new(format!("Keep broker {broker}"), send(Command::KeepBroker(broker)))),
        ),
        Id::RemoveBroker => deeds.extend(snapshot.brokers.iter().map(|broker| {
            let alone = (snapshot.brokers.len() < 2).then(|| "while it is the only one".to_owned());
            let busy = leaving.map(|id| format!("while broker {id} is being removed"));
            Deed::new(format!("Remove broker {}", broker.id), Action::Ask(Dialog::RemoveBroker(broker.id)))
                .unless(busy.or(alone))
        })),
        _ => deeds.extend(snapshot.quorum.voters.iter().map(|voter| {
            let alone = (snapshot.quorum.voters.len() < 2).then_some("while it is the only one");
            Deed::new(format!("Remove controller {}", voter.id), Action::Ask(Dialog::RemoveController(voter.id)))
                .unless(alone)
        })),
    }
}

fn choices(id: Id, scene: &Scene<'_>, deeds: &mut Vec<Deed>) {
    let view = &scene.model.view.cloudwatch;
    let change = |change: Change| send(Command::Monitoring(change));
    let chosen = "while it is chosen already";
    if id == Id::MonitoringLevel {
        deeds.extend(Level::all().map(|level| {
            Deed::new(format!("Monitoring level {}", level.name()), change(Change::Level(level)))
                .unless((level == view.level).then_some(chosen))
        }));
        return;
    }
    let sets = [
        (AlarmSet::None, "none"),
        (AlarmSet::Golden, "5 signals"),
        (AlarmSet::Seeds, "13 metrics"),
        (AlarmSet::All, "all"),
    ];
    deeds.extend(sets.map(|(set, words)| {
        Deed::new(format!("Alarms of ours: {words}"), change(Change::AlarmSet(set)))
            .unless((set == view.alarms.set).then_some(chosen))
    }));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::table::ALL;
    use super::*;
    use crate::ui::app::{Options, Screen};
    use crate::ui::fixture;
    use crate::ui::model::Model;

    fn with_scene<T>(view: crate::monitor::view::View, look: impl FnOnce(&Scene<'_>) -> T) -> T {
        let mut model = Model::default();
        model.update(view);
        let options = Options { http: Some("http://h:1".into()), ..Options::default() };
        look(&Scene { can_go: (false, true), ..Scene::plain(&model, &options) })
    }

    fn found(scene: &Scene<'_>, id: Id, name: &str) -> Option<Deed> {
        super::super::deeds(id, scene).into_iter().find(|deed| deed.name == name)
    }

    #[test]
    fn deeds_have_names_of_their_own_and_none_is_left_with_dots() {
        with_scene(fixture::incident(), |scene| {
            let mut names = BTreeSet::new();
            for entry in ALL {
                for deed in super::super::deeds(entry.id, scene) {
                    assert!(!deed.name.contains('…'), "{}", deed.name);
                    assert!(names.insert(deed.name.clone()), "two are called {}", deed.name);
                }
            }
            assert!(names.len() > 100, "{}", names.len());
        });
    }

    #[test]
    fn each_command_does_something_where_there_is_something_to_do_it_to() {
        let mut view = crate::ui::fixture_faults::view();
        std::sync::Arc::make_mut(&mut view.snapshot).membership.leaving = Some(3);
        with_scene(view, |scene| {
            for entry in ALL {
                assert!(!super::super::deeds(entry.id, scene).is_empty(), "{}", entry.name);
            }
        });
    }

    #[test]
    fn what_cannot_be_done_says_why() {
        with_scene(fixture::incident(), |scene| {
            let kill = found(scene, Id::Fault(FaultKind::Kill), "Kill broker 2").unwrap();
            assert_eq!(kill.obstacle.as_deref(), Some("while it is killed"));
            assert_eq!(found(scene, Id::StartNode, "Start broker 2").unwrap().obstacle, None);
            let start = found(scene, Id::StartNode, "Start broker 1").unwrap();
            assert_eq!(start.obstacle.as_deref(), Some("while it is running"));
            assert!(found(scene, Id::Back, "Back").unwrap().obstacle.is_some());
            assert!(found(scene, Id::Forward, "Forward").unwrap().obstacle.is_none());
            assert_eq!(found(scene, Id::HealAll, "Heal all").unwrap().obstacle, None);
        });
        with_scene(fixture::healthy(), |scene| {
            assert!(found(scene, Id::HealAll, "Heal all").unwrap().obstacle.is_some());
            assert_eq!(super::super::deeds(Id::HealFault, scene), []);
            assert_eq!(super::super::deeds(Id::KeepBroker, scene), []);
            assert_eq!(found(scene, Id::DeleteTopic, "Delete topic __consumer_offsets"), None);
        });
    }

    #[test]
    fn faults_are_asked_about_first() {
        with_scene(fixture::healthy(), |scene| {
            let deed = found(scene, Id::Fault(FaultKind::SlowDisk), "Slow disk of controller 3001").unwrap();
            assert_eq!(deed.action, Action::Ask(Dialog::Fault(FaultKind::SlowDisk, FaultTarget::Node(3001))));
            let zone = found(scene, Id::Fault(FaultKind::ZoneOutage), "Outage of zone a").unwrap();
            assert_eq!(zone.action, Action::Ask(Dialog::Fault(FaultKind::ZoneOutage, FaultTarget::Zone("a".into()))));
            assert!(matches!(
                found(scene, Id::Go(Screen::Logs), "Go to Logs").unwrap().action,
                Action::Go(Screen::Logs)
            ));
        });
    }
}
