//! Streams groups under whatever members do: no task is ever active at two members at one time, no process has two copies of one, epochs never
//! go back, the log always tells the state, and once nothing changes any more all converge.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::streams::{Has, alive, joining, owning, told, topology};
use super::*;
use crate::protocol::messages::StreamsGroupHeartbeatResponseData;
use crate::protocol::messages::streams_group_heartbeat_request::{Subtopology, TopicInfo, Topology};

/// What may happen.
#[derive(Clone, Debug)]
enum Happening {
    Join(usize),
    Leave(usize),
    Beat(usize),
    /// It beats, and the answer is lost.
    LostAnswer(usize),
    /// It says what it has, having given up what it was told to.
    Report(usize),
    Pass(u64),
    Grow,
    /// Standbys are asked for, or no longer.
    Standbys(usize),
    FailOver,
    /// The next write fails.
    FailingBeat(usize),
}

/// The first two are threads of one process.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const PROCESSES: [&str; 4] = ["p", "p", "q", "r"];

fn any_happening() -> impl Strategy<Value = Happening> {
    let member = 0..NAMES.len();
    prop_oneof![
        3 => member.clone().prop_map(Happening::Join),
        1 => member.clone().prop_map(Happening::Leave),
        6 => member.clone().prop_map(Happening::Beat),
        1 => member.clone().prop_map(Happening::LostAnswer),
        6 => member.clone().prop_map(Happening::Report),
        3 => (0u64..4_000).prop_map(Happening::Pass),
        1 => Just(Happening::Grow),
        1 => (0usize..3).prop_map(Happening::Standbys),
        1 => Just(Happening::FailOver),
        1 => member.prop_map(Happening::FailingBeat),
    ]
}

/// A member as its client sees it.
#[derive(Clone, Debug, Default)]
struct Client {
    epoch: i32,
    active: Has,
    standby: Has,
}

struct Model {
    bench: Bench,
    clients: BTreeMap<usize, Client>,
    /// Partitions of the topics that the two subtopologies read.
    sizes: [usize; 2],
    epochs: BTreeMap<usize, i32>,
    group_epoch: i32,
}

/// One subtopology without state, one with.
fn application() -> Option<Box<Topology>> {
    let part = |id: &str, source: &str| {
        Subtopology::default().with_subtopology_id(text(id)).with_source_topics(vec![text(source)])
    };
    let log = TopicInfo::default().with_name(text("log"));
    topology(0, &[part("0", "t"), part("1", "uu").with_state_changelog_topics(vec![log])])
}

impl Model {
    fn new() -> Model {
        let (clients, epochs) = (BTreeMap::new(), BTreeMap::new());
        let mut model = Model { bench: Bench::new(), clients, sizes: [3, 2], epochs, group_epoch: 0 };
        model.show_topics();
        model
    }

    fn show_topics(&mut self) {
        let mut image = image_of(&[]);
        image.offset = self.bench.image.offset + 1;
        image.configs = self.bench.image.configs.clone();
        for (name, size) in [("t", self.sizes[0]), ("uu", self.sizes[1]), ("log", self.sizes[1])] {
            let id = topic_id(name);
            let partitions = vec![PartitionImage::default(); size];
            image.topics.insert(id, Arc::new(TopicImage { name: name.into(), id, partitions }));
        }
        self.bench.set_image(image);
    }

    /// The client acts on an answer. Giving up is at once, as for a client whose callback has run.
    fn answered(&mut self, member: usize, response: StreamsGroupHeartbeatResponseData) {
        match ErrorCode::from(response.error_code) {
            ErrorCode::None => {
                let client = self.clients.entry(member).or_default();
                client.epoch = response.member_epoch;
                let before = self.epochs.insert(member, response.member_epoch);
                assert!(before.is_none_or(|before| before <= response.member_epoch), "{before:?}: {response:?}");
                if let Some(active) = told(&response.active_tasks) {
                    client.active = active;
                    client.standby = told(&response.standby_tasks).unwrap_or_default();
                }
            }
            // It abandons all, and joins again some day.
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound => {
                self.clients.remove(&member);
                self.epochs.remove(&member);
            }
            ErrorCode::CoordinatorNotAvailable => {}
            error => panic!("{error}: {response:?}"),
        }
        self.check();
    }

    fn beat(&mut self, member: usize) -> Option<StreamsGroupHeartbeatResponseData> {
        let client = self.clients.get(&member)?;
        let request = alive("g", NAMES[member], client.epoch);
        Some(self.bench.streams_beat(&request))
    }

    fn report(&mut self, member: usize) -> Option<StreamsGroupHeartbeatResponseData> {
        let client = self.clients.get(&member)?;
        let request = owning("g", NAMES[member], client.epoch, &client.active, &client.standby);
        Some(self.bench.streams_beat(&request))
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Join(member) => {
                let process = Some(text(PROCESSES[member]));
                let request = joining("g", NAMES[member], application()).with_process_id(process);
                self.clients.insert(member, Client::default());
                let response = self.bench.streams_beat(&request);
                self.answered(member, response);
            }
            Happening::Leave(member) => {
                if self.clients.remove(&member).is_some() {
                    self.epochs.remove(&member);
                    self.bench.streams_beat(&alive("g", NAMES[member], -1));
                }
            }
            Happening::Beat(member) => {
                if let Some(response) = self.beat(member) {
                    self.answered(member, response);
                }
            }
            Happening::LostAnswer(member) => {
                if self.beat(member).is_some()
                    && let Some(response) = self.report(member)
                {
                    // What the lost answer gave it is told again only if it joins again: so do clients.
                    self.answered(member, response);
                    if self.clients.contains_key(&member) {
                        self.happen(Happening::Join(member));
                    }
                }
            }
            Happening::Report(member) => {
                if let Some(response) = self.report(member) {
                    self.answered(member, response);
                }
            }
            Happening::Pass(ms) => self.bench.pass(ms),
            Happening::Grow => {
                // All of an application's topics at once, as one does it who means it to run on.
                self.sizes = self.sizes.map(|size| (size + 1).min(6));
                self.show_topics();
            }
            Happening::Standbys(replicas) => {
                let configs = [("streams.num.standby.replicas".to_owned(), replicas.to_string())].into();
                let key = (crate::metadata::config::RESOURCE_GROUP, Arc::<str>::from("g"));
                self.bench.image.configs.insert(key.clone(), Arc::new(configs));
                let delta = ImageDelta { configs_changed: [key].into(), ..ImageDelta::default() };
                self.bench.groups.on_image(&self.bench.image, &delta);
            }
            Happening::FailOver => {
                let partition = self.bench.groups.partition_for("g");
                if self.bench.groups.shards[&partition].groups.contains_key("g") {
                    self.bench.check_streams_replay("g");
                }
            }
            Happening::FailingBeat(member) => {
                self.bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
                let response = self.report(member);
                self.bench.fate = Fate::Commit;
                if let Some(response) = response {
                    self.answered(member, response);
                }
            }
        }
    }

    fn check(&mut self) {
        let partition = self.bench.groups.partition_for("g");
        let Some(group) = self.bench.groups.shards[&partition].groups.get("g") else { return };
        let group = group.streams().unwrap();
        assert!(group.epoch() >= self.group_epoch);
        self.group_epoch = group.epoch();
        let mut active: BTreeMap<(Arc<str>, i32), Arc<str>> = BTreeMap::new();
        let mut copies: BTreeSet<(Arc<str>, i32, Arc<str>)> = BTreeSet::new();
        for member in group.members() {
            let process = &member.metadata.process_id;
            for owned in [&member.current.assigned, &member.current.revoking] {
                for (id, tasks) in owned.active_tasks() {
                    for task in tasks {
                        let before = active.insert((id.clone(), task), member.id.clone());
                        assert_eq!(before, None, "{id}_{task} is {}'s too", member.id);
                        assert!(copies.insert((id.clone(), task, process.clone())), "{id}_{task} twice at {process}");
                        assert!(group.is_active_at(&id, task, process));
                    }
                }
                for (id, tasks) in &owned.standby {
                    for task in tasks {
                        assert!(copies.insert((id.clone(), *task, process.clone())), "{id}_{task} twice at {process}");
                        assert!(group.is_copied_at(id, *task, process));
                    }
                }
            }
        }
        let mut runs: BTreeMap<(&str, i32), usize> = BTreeMap::new();
        for (member, client) in &self.clients {
            if group.member(NAMES[*member]).is_none() {
                continue;
            }
            for (id, tasks) in &client.active {
                for task in tasks {
                    assert_eq!(runs.insert((id, *task), *member), None, "{id}_{task} runs at {member} too");
                }
            }
        }
    }

    /// Nothing changes any more: all come to what they should have.
    fn converge(&mut self) {
        self.bench.pass(3_000);
        for _ in 0..16 {
            self.bench.pass(1_000);
            for member in 0..NAMES.len() {
                self.happen(Happening::Beat(member));
                self.happen(Happening::Report(member));
            }
        }
        let partition = self.bench.groups.partition_for("g");
        let Some(group) = self.bench.groups.shards[&partition].groups.get("g") else { return };
        let group = group.streams().unwrap().clone();
        let expected = if group.is_empty() { "Empty" } else { "Stable" };
        assert_eq!(group.state().name(), expected);
        if !group.is_empty() {
            let run: usize = self.clients.values().flat_map(|client| client.active.values()).map(BTreeSet::len).sum();
            assert_eq!(run, self.sizes.iter().sum::<usize>(), "every task is somebody's");
        }
        self.bench.check_streams_replay("g");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn streams_groups_keep_their_promises(happenings in proptest::collection::vec(any_happening(), 1..60)) {
        let mut model = Model::new();
        for happening in happenings {
            model.happen(happening);
        }
        model.converge();
    }
}
