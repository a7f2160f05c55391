//! The table of commands.

use egui::{Key, Modifiers, PointerButton};

use super::keys::{COMMAND, COMMAND_SHIFT, Keys};
use crate::monitor::command::FaultKind;
use crate::ui::app::Screen;
use crate::ui::widgets::icon::Icon;

/// Which command; the table below says what each does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    Palette,
    Filter,
    Help,
    Back,
    Forward,
    Settings,
    Theme,
    ZoomIn,
    ZoomOut,
    ZoomReset,
    TextLarger,
    TextSmaller,
    Go(Screen),
    Explorer,
    CreateTopic,
    DeleteTopic,
    AddPartitions,
    DeleteRecords,
    ElectLeaders,
    Produce,
    Reassign,
    ResetOffsets,
    DeleteGroup,
    AddBroker,
    RemoveBroker,
    KeepBroker,
    AddController,
    RemoveController,
    Scrub,
    ElectPreferred,
    Fault(FaultKind),
    StartNode,
    HealFault,
    HealAll,
    StopScript,
    StartWorkload,
    StartPreset,
    StopWorkload,
    CrashConsumer,
    ReviveConsumers,
    NewAlarm,
    DeleteAlarm,
    AlarmSet,
    MonitoringLevel,
    NodeLog,
    CopyBootstrap,
    CopyCluster,
    CopyHttp,
    TimeLive,
    TimeEarlier,
    TimeLater,
    TimePlay,
    TimeLanes,
    SaveRecording,
    OpenRecording,
}

/// Where a command stands in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Finding one's way.
    Find,
    /// Screens.
    Go,
    /// Topics, brokers, controllers.
    Cluster,
    /// Faults.
    Break,
    /// Workloads.
    Workload,
    /// Metrics, alarms, logs.
    Watch,
    /// The window itself.
    Window,
    /// Looking back.
    Time,
}

impl Group {
    /// All, as the help has them.
    pub const ALL: [Group; 8] = [
        Group::Find,
        Group::Go,
        Group::Time,
        Group::Window,
        Group::Workload,
        Group::Cluster,
        Group::Watch,
        Group::Break,
    ];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Group::Find => "Find",
            Group::Go => "Go to",
            Group::Cluster => "Cluster",
            Group::Break => "Break and heal",
            Group::Workload => "Load",
            Group::Watch => "Watch",
            Group::Window => "Window",
            Group::Time => "Look back",
        }
    }
}

/// Where a shortcut works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// While nothing stands over the window.
    Window,
    /// Over dialogs too.
    Everywhere,
}

/// A row of the table.
#[derive(Debug)]
pub struct Entry {
    /// Which command.
    pub id: Id,
    /// Where it stands in the help.
    pub group: Group,
    /// Its icon.
    pub icon: Icon,
    /// What it is called; a command on several things says "…".
    pub name: &'static str,
    /// What it does, in a line.
    pub what: &'static str,
    /// What is pressed for it; the first is the one that is told.
    pub keys: &'static [Keys],
    /// Where these work.
    pub reach: Reach,
}

const fn row(group: Group, id: Id, icon: Icon, name: &'static str, what: &'static str) -> Entry {
    Entry { id, group, icon, name, what, keys: &[], reach: Reach::Window }
}

impl Entry {
    const fn keys(mut self, keys: &'static [Keys]) -> Entry {
        self.keys = keys;
        self
    }

    const fn everywhere(mut self) -> Entry {
        self.reach = Reach::Everywhere;
        self
    }
}

const fn find(id: Id, icon: Icon, name: &'static str, what: &'static str) -> Entry {
    row(Group::Find, id, icon, name, what)
}

const fn go(screen: Screen, icon: Icon, name: &'static str, what: &'static str, keys: &'static [Keys]) -> Entry {
    row(Group::Go, Id::Go(screen), icon, name, what).keys(keys)
}

const fn time(id: Id, icon: Icon, name: &'static str, what: &'static str) -> Entry {
    row(Group::Time, id, icon, name, what)
}

const fn window(id: Id, icon: Icon, name: &'static str, what: &'static str) -> Entry {
    row(Group::Window, id, icon, name, what).everywhere()
}

const fn cluster(id: Id, icon: Icon, name: &'static str, what: &'static str) -> Entry {
    row(Group::Cluster, id, icon, name, what)
}

const fn fault(kind: FaultKind, icon: Icon, name: &'static str, what: &'static str) -> Entry {
    row(Group::Break, Id::Fault(kind), icon, name, what)
}

const fn load(id: Id, icon: Icon, name: &'static str, what: &'static str) -> Entry {
    row(Group::Workload, id, icon, name, what)
}

const fn watch(id: Id, icon: Icon, name: &'static str, what: &'static str) -> Entry {
    row(Group::Watch, id, icon, name, what)
}

/// All commands.
pub static ALL: &[Entry] = &[
    find(
        Id::Palette,
        Icon::Search,
        "Find anything",
        "Search all commands and all that there is: nodes, topics, groups and more",
    )
    .keys(&[Keys::Stroke(COMMAND, Key::K)]),
    find(Id::Filter, Icon::Search, "Filter", "Put the cursor into the screen's filter; Escape leaves it")
        .keys(&[Keys::Char('/')]),
    find(Id::Help, Icon::Info, "Commands and shortcuts", "Show all commands with their keys").keys(&[Keys::Char('?')]),
    find(Id::Back, Icon::Back, "Back", "Go back to what was shown before")
        .keys(&[Keys::Stroke(Modifiers::ALT, Key::ArrowLeft), Keys::Mouse(PointerButton::Extra1)]),
    find(Id::Forward, Icon::Forward, "Forward", "Go forward again")
        .keys(&[Keys::Stroke(Modifiers::ALT, Key::ArrowRight), Keys::Mouse(PointerButton::Extra2)]),
    go(
        Screen::Start,
        Icon::Start,
        "Go to Start",
        "What this is, how to connect, and scenarios to go through",
        &[Keys::Pair('g', 's')],
    ),
    go(Screen::Cluster, Icon::Cluster, "Go to Cluster", "Zones, nodes and the partition map", &[Keys::Pair('g', 'c')]),
    go(Screen::Topics, Icon::Topics, "Go to Topics", "All topics", &[Keys::Pair('g', 't')]),
    go(Screen::Groups, Icon::Groups, "Go to Groups", "Consumer groups and their lag", &[Keys::Pair('g', 'g')]),
    go(
        Screen::Brokers,
        Icon::Broker,
        "Go to Brokers",
        "Load, disks, connections and configs of each broker",
        &[Keys::Pair('g', 'b')],
    ),
    go(Screen::Quorum, Icon::Quorum, "Go to Quorum", "Voters, the metadata log and its state", &[Keys::Pair('g', 'q')]),
    go(
        Screen::Wire,
        Icon::Wire,
        "Go to Wire",
        "Connections, requests by API, and a record on its way",
        &[Keys::Pair('g', 'n')],
    ),
    go(
        Screen::Workloads,
        Icon::Pulse,
        "Go to Workloads",
        "Producers and consumers that run here",
        &[Keys::Pair('g', 'w')],
    ),
    go(
        Screen::Faults,
        Icon::Kill,
        "Go to Faults",
        "What is broken, what was, and scripts that break",
        &[Keys::Pair('g', 'f')],
    ),
    go(
        Screen::Ledger,
        Icon::Ledger,
        "Go to Ledger",
        "What acknowledged records were worth: durability, record by record",
        &[Keys::Pair('g', 'd')],
    ),
    go(Screen::Metrics, Icon::Metrics, "Go to Metrics", "The wall of charts", &[Keys::Pair('g', 'm')]),
    row(Group::Go, Id::Explorer, Icon::Search, "Go to the metrics explorer", "All names of metrics, with a search")
        .keys(&[Keys::Pair('g', 'x')]),
    go(Screen::Alarms, Icon::Bell, "Go to Alarms", "What is watched, and what rings", &[Keys::Pair('g', 'a')]),
    go(Screen::Events, Icon::Events, "Go to Events", "What happened, and why", &[Keys::Pair('g', 'e')]),
    go(Screen::Logs, Icon::Logs, "Go to Logs", "What the nodes write down", &[Keys::Pair('g', 'l')]),
    time(Id::TimeLive, Icon::Forward, "Back to live", "Show the cluster as it is now").keys(&[Keys::Char('l')]),
    time(
        Id::TimeEarlier,
        Icon::Back,
        "What changed before",
        "Go back to when something changed: a leader, a state, a fault",
    )
    .keys(&[Keys::Char('[')]),
    time(Id::TimeLater, Icon::Forward, "What changed next", "Go on to when something changed next")
        .keys(&[Keys::Char(']')]),
    time(Id::TimePlay, Icon::Start, "Let the time run", "Play the past from what is shown on, or stop it")
        .keys(&[Keys::Char('p')]),
    time(
        Id::TimeLanes,
        Icon::Up,
        "What happened along the time",
        "Show or hide a lane for each node, fault, group and alarm",
    )
    .keys(&[Keys::Char('h')]),
    time(
        Id::SaveRecording,
        Icon::Down,
        "Save what is recorded",
        "Write the history to a file, which opens anywhere without a cluster",
    ),
    time(Id::OpenRecording, Icon::Folder, "Open a recording", "Look at what was recorded, here or on another machine"),
    window(Id::Settings, Icon::Settings, "Settings", "Theme, scale and size of text")
        .keys(&[Keys::Stroke(COMMAND, Key::Comma)]),
    window(Id::Theme, Icon::Moon, "Dark or light", "Change between the dark and the light theme")
        .keys(&[Keys::Stroke(COMMAND_SHIFT, Key::L)]),
    window(Id::ZoomIn, Icon::Plus, "Zoom in", "Make everything larger")
        .keys(&[Keys::Stroke(COMMAND, Key::Plus), Keys::Stroke(COMMAND, Key::Equals)]),
    window(Id::ZoomOut, Icon::Minus, "Zoom out", "Make everything smaller").keys(&[Keys::Stroke(COMMAND, Key::Minus)]),
    window(Id::ZoomReset, Icon::Search, "Reset zoom", "Show everything in its own size")
        .keys(&[Keys::Stroke(COMMAND, Key::Num0)]),
    window(Id::TextLarger, Icon::Plus, "Larger text", "Make text larger, and nothing else"),
    window(Id::TextSmaller, Icon::Minus, "Smaller text", "Make text smaller, and nothing else"),
    window(Id::CopyBootstrap, Icon::Copy, "Copy bootstrap servers", "Copy what clients connect to")
        .keys(&[Keys::Stroke(COMMAND_SHIFT, Key::B)]),
    window(Id::CopyCluster, Icon::Copy, "Copy cluster id", "Copy the id of the cluster"),
    window(Id::CopyHttp, Icon::Copy, "Copy HTTP address", "Copy the address of the HTTP API"),
    cluster(Id::CreateTopic, Icon::Plus, "Create topic", "Create a topic").keys(&[Keys::Pair('c', 't')]),
    cluster(
        Id::DeleteTopic,
        Icon::Trash,
        "Delete topic …",
        "Delete a topic with all its records; its name must be typed",
    ),
    cluster(Id::AddPartitions, Icon::Plus, "More partitions for …", "Give a topic more partitions"),
    cluster(Id::DeleteRecords, Icon::Trash, "Delete records of …", "Delete a topic's records below an offset"),
    cluster(Id::ElectLeaders, Icon::Check, "Elect leaders of …", "Let each partition's first replica lead it"),
    cluster(Id::Produce, Icon::Plus, "Write a record to …", "Write a record by hand"),
    cluster(
        Id::Reassign,
        Icon::Forward,
        "Move replicas of …",
        "Move a topic's replicas to other brokers, or have more or fewer of them; planned first",
    ),
    cluster(Id::ResetOffsets, Icon::Back, "Reset offsets of …", "Set a group to other offsets; tried out first"),
    cluster(Id::DeleteGroup, Icon::Trash, "Delete group …", "Delete a group with its committed offsets"),
    cluster(
        Id::AddBroker,
        Icon::Plus,
        "Add broker",
        "One more broker, in the zone with the fewest; it gets its share of replicas and leaderships",
    ),
    cluster(Id::RemoveBroker, Icon::Trash, "Remove broker …", "Empty a broker, then remove it for good"),
    cluster(Id::KeepBroker, Icon::Close, "Keep broker …", "Call the removal of a broker off"),
    cluster(
        Id::AddController,
        Icon::Plus,
        "Add controller",
        "One more controller, which fetches the metadata, and then votes",
    ),
    cluster(Id::RemoveController, Icon::Trash, "Remove controller …", "Take a controller out of the voters, for good"),
    cluster(Id::Scrub, Icon::Check, "Scrub …", "Have a broker read and check every byte of its logs"),
    cluster(
        Id::ElectPreferred,
        Icon::Star,
        "Elect preferred leaders",
        "Have each partition led by its first replica again, where that is in sync",
    ),
    load(
        Id::StartWorkload,
        Icon::Pulse,
        "Start the demo workload",
        "Real clients over TCP that send and read records on topic demo",
    ),
    load(Id::StartPreset, Icon::Start, "Start workload: …", "Start one of the workloads that one may begin with"),
    load(
        Id::CrashConsumer,
        Icon::Kill,
        "Crash a consumer of …",
        "A consumer is gone where it stands; its group learns of it when its session times out",
    ),
    load(Id::ReviveConsumers, Icon::Heal, "Revive consumers of …", "Consumers that crashed start again"),
    load(Id::StopWorkload, Icon::Stop, "Stop workload …", "Stop a workload that runs"),
    watch(Id::NewAlarm, Icon::Bell, "New alarm", "Have an alarm watch a metric").keys(&[Keys::Pair('c', 'a')]),
    watch(Id::DeleteAlarm, Icon::Trash, "Delete alarm …", "Delete an alarm; its history stays"),
    watch(Id::AlarmSet, Icon::Bell, "Alarms of ours: …", "Choose how many alarms come with the program"),
    watch(Id::MonitoringLevel, Icon::Metrics, "Monitoring level …", "Choose which of Amazon MSK's metrics are kept"),
    watch(Id::NodeLog, Icon::Logs, "Log of …", "Show what a node writes down now"),
    fault(FaultKind::Stop, Icon::Stop, "Stop …", "Controlled shutdown (SIGTERM): a node hands its work over first"),
    fault(
        FaultKind::Kill,
        Icon::Kill,
        "Kill …",
        "SIGKILL: a node is gone where it stands; nothing is flushed or announced",
    ),
    fault(FaultKind::Pause, Icon::Pause, "Pause …", "SIGSTOP: a node's sockets accept, and nobody answers"),
    fault(
        FaultKind::PowerLoss,
        Icon::Kill,
        "Power loss of …",
        "A kill, and every file of the node loses what was not synced",
    ),
    fault(FaultKind::ZoneOutage, Icon::Kill, "Outage of zone …", "All brokers of a zone are killed"),
    fault(
        FaultKind::Isolate,
        Icon::Close,
        "Isolate …",
        "No message passes between a node and the others; clients still reach it",
    ),
    fault(FaultKind::Cut, Icon::Close, "Cut a link of …", "No message passes from a node to another"),
    fault(
        FaultKind::Delay,
        Icon::Clock,
        "Delay a link of …",
        "Messages from a node to another are late, and stay in order",
    ),
    fault(
        FaultKind::Bandwidth,
        Icon::Minus,
        "Narrow link of …",
        "Only so many bytes a second pass from a node to another",
    ),
    fault(FaultKind::Drop, Icon::Warning, "Lossy link of …", "A share of the messages from a node to another is lost"),
    fault(FaultKind::SlowDisk, Icon::Clock, "Slow disk of …", "Each operation of a node's disk takes longer"),
    fault(FaultKind::DiskFull, Icon::Folder, "Full disk of …", "Nothing can grow on a node's disk (ENOSPC)"),
    fault(FaultKind::DiskError, Icon::Warning, "Failing disk of …", "Operations of a node's disk fail (EIO)"),
    fault(
        FaultKind::CorruptTail,
        Icon::Critical,
        "Corrupt logs of …",
        "A kill, and the last bytes of a node's logs flip, or are gone",
    ),
    fault(
        FaultKind::BitRot,
        Icon::Critical,
        "Rotten bit on …",
        "A bit of a log on a broker's disk flips while it runs; whoever checks it finds it",
    ),
    fault(
        FaultKind::SlowConsumer,
        Icon::Clock,
        "Slow consumers of …",
        "A workload's consumers take longer over each record",
    ),
    fault(
        FaultKind::CrashConsumer,
        Icon::Kill,
        "Consumer crash of …",
        "A workload's consumer is gone without leaving its group, until the fault is healed",
    ),
    fault(
        FaultKind::ZombieProducer,
        Icon::Pause,
        "Zombie producer of …",
        "A workload's producer freezes in its transaction and another takes its place; it wakes when the fault is healed, and is fenced",
    ),
    fault(FaultKind::ClockSkew, Icon::Clock, "Wrong clock of …", "A node's wall clock is ahead or behind"),
    row(Group::Break, Id::StartNode, Icon::Start, "Start …", "Start a node that is down, or let a paused one go on"),
    row(Group::Break, Id::HealFault, Icon::Heal, "Heal: …", "End one fault that is in force"),
    row(
        Group::Break,
        Id::HealAll,
        Icon::Heal,
        "Heal all",
        "End all faults: stopped, killed and paused nodes run again",
    )
    .keys(&[Keys::Stroke(COMMAND_SHIFT, Key::H)]),
    row(Group::Break, Id::StopScript, Icon::Stop, "Stop script …", "End a script of faults, and heal what it broke"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_command_has_words_of_its_own() {
        let mut names = BTreeSet::new();
        for entry in ALL {
            assert!(!entry.name.is_empty() && entry.what.len() > 8, "{:?}", entry.id);
            assert!(!entry.what.ends_with('.'), "{:?}: it is a line, and no sentence", entry.id);
            assert!(names.insert(entry.name), "two are called {}", entry.name);
            assert_eq!(ALL.iter().filter(|other| other.id == entry.id).count(), 1, "{:?}", entry.id);
        }
    }

    #[test]
    fn each_screen_and_each_fault_has_a_command() {
        for screen in Screen::ALL.into_iter().filter(|screen| *screen != Screen::Topic) {
            assert!(super::super::entry(Id::Go(screen)).is_some(), "{screen}");
        }
        let faults = ALL.iter().filter(|entry| matches!(entry.id, Id::Fault(_))).count();
        assert_eq!(faults, FaultKind::ALL.len(), "as many as POST /api/faults knows");
    }

    #[test]
    fn no_two_commands_share_a_shortcut() {
        let all: Vec<(Keys, Id)> =
            ALL.iter().flat_map(|entry| entry.keys.iter().map(move |keys| (*keys, entry.id))).collect();
        for (index, (keys, id)) in all.iter().enumerate() {
            for (other, other_id) in &all[index + 1..] {
                assert_ne!(keys, other, "{id:?} and {other_id:?}");
                // What is held down in addition does not matter where it is not asked for.
                if let (Keys::Stroke(_, one), Keys::Stroke(_, two)) = (keys, other) {
                    assert_ne!(one, two, "{id:?} and {other_id:?}");
                }
                let begins = |one: &Keys, two: &Keys| matches!((one, two), (Keys::Char(c), Keys::Pair(d, _)) if c == d);
                assert!(!begins(keys, other) && !begins(other, keys), "{id:?} hides {other_id:?}");
            }
        }
    }
}
