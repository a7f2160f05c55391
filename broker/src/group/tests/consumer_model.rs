//! Consumer groups under whatever members do: no partition is ever two members' at one time, the log always tells the state, and once
//! nothing changes any more all converge.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::consumer::{Has, alive, joining, owning};
use super::*;

/// What may happen.
#[derive(Clone, Debug)]
enum Happening {
    Join(usize, BTreeSet<usize>),
    Leave(usize),
    Beat(usize),
    /// It beats, and the answer is lost.
    LostAnswer(usize),
    /// It says what it has, having given up what it was told to.
    Report(usize),
    Resubscribe(usize, BTreeSet<usize>),
    Pass(u64),
    Grow(usize),
    FailOver,
    /// The next write fails.
    FailingBeat(usize),
}

const TOPICS: [&str; 3] = ["t", "uu", "vvv"];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn any_happening() -> impl Strategy<Value = Happening> {
    let topics = || proptest::collection::btree_set(0..TOPICS.len(), 0..=TOPICS.len());
    let member = 0..NAMES.len();
    prop_oneof![
        3 => (member.clone(), topics()).prop_map(|(member, topics)| Happening::Join(member, topics)),
        1 => member.clone().prop_map(Happening::Leave),
        6 => member.clone().prop_map(Happening::Beat),
        1 => member.clone().prop_map(Happening::LostAnswer),
        6 => member.clone().prop_map(Happening::Report),
        1 => (member.clone(), topics()).prop_map(|(member, topics)| Happening::Resubscribe(member, topics)),
        3 => (0u64..3_000).prop_map(Happening::Pass),
        1 => (0..TOPICS.len()).prop_map(Happening::Grow),
        1 => Just(Happening::FailOver),
        1 => member.prop_map(Happening::FailingBeat),
    ]
}

/// A member as its client sees it.
#[derive(Clone, Debug, Default)]
struct Client {
    epoch: i32,
    /// What it reads at this moment.
    has: Has,
    topics: BTreeSet<usize>,
}

struct Model {
    bench: Bench,
    clients: BTreeMap<usize, Client>,
    sizes: [usize; 3],
    offset: i64,
}

fn named(topics: &BTreeSet<usize>) -> Vec<&'static str> {
    topics.iter().map(|topic| TOPICS[*topic]).collect()
}

impl Model {
    fn new() -> Model {
        let mut model = Model { bench: Bench::new(), clients: BTreeMap::new(), sizes: [4, 3, 1], offset: 10 };
        model.show_topics();
        model
    }

    fn show_topics(&mut self) {
        self.offset += 1;
        let mut image = image_of(&TOPICS);
        image.offset = self.offset;
        for (name, size) in TOPICS.iter().zip(self.sizes) {
            let id = topic_id(name);
            let partitions = vec![PartitionImage::default(); size];
            image.topics.insert(id, Arc::new(TopicImage { name: (*name).into(), id, partitions }));
        }
        self.bench.set_image(image);
    }

    /// The client acts on an answer. Giving up is at once, as for a client whose callback has run.
    fn answered(&mut self, member: usize, response: crate::protocol::messages::ConsumerGroupHeartbeatResponseData) {
        match ErrorCode::from(response.error_code) {
            ErrorCode::None => {
                let client = self.clients.entry(member).or_default();
                client.epoch = response.member_epoch;
                if let Some(assignment) = response.assignment {
                    let name = |id: Id| self.bench.image.topics[&id].name.to_string();
                    client.has = assignment
                        .topic_partitions
                        .into_iter()
                        .map(|topic| (name(topic.topic_id.into()), topic.partitions.into_iter().collect()))
                        .collect();
                }
            }
            // It abandons all, and joins again some day.
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound => {
                self.clients.remove(&member);
            }
            ErrorCode::CoordinatorNotAvailable => {}
            error => panic!("{error}"),
        }
        self.check();
    }

    fn join(&mut self, member: usize, topics: BTreeSet<usize>) {
        let request = joining("g", NAMES[member], &named(&topics));
        self.clients.insert(member, Client { topics, ..Client::default() });
        let response = self.bench.beat(&request);
        self.answered(member, response);
    }

    fn happen(&mut self, happening: Happening) {
        let known = |model: &Model, member: usize| model.clients.get(&member).cloned();
        match happening {
            Happening::Join(member, topics) => self.join(member, topics),
            Happening::Leave(member) => {
                if let Some(client) = self.clients.remove(&member) {
                    self.bench.beat(&alive("g", NAMES[member], -1));
                    drop(client);
                }
            }
            Happening::Beat(member) => {
                if let Some(client) = known(self, member) {
                    let response = self.bench.beat(&alive("g", NAMES[member], client.epoch));
                    self.answered(member, response);
                }
            }
            Happening::LostAnswer(member) => {
                if let Some(client) = known(self, member) {
                    self.bench.beat(&alive("g", NAMES[member], client.epoch));
                    // It then says what it has, and asks for all anew.
                    let full = owning("g", NAMES[member], client.epoch, &client.has)
                        .with_rebalance_timeout_ms(60_000)
                        .with_subscribed_topic_names(Some(named(&client.topics).iter().map(|it| text(it)).collect()));
                    let response = self.bench.beat(&full);
                    self.answered(member, response);
                }
            }
            Happening::Report(member) => {
                if let Some(client) = known(self, member) {
                    let response = self.bench.beat(&owning("g", NAMES[member], client.epoch, &client.has));
                    self.answered(member, response);
                }
            }
            Happening::Resubscribe(member, topics) => {
                if let Some(client) = known(self, member) {
                    let names = named(&topics).iter().map(|name| text(name)).collect();
                    let request =
                        owning("g", NAMES[member], client.epoch, &client.has).with_subscribed_topic_names(Some(names));
                    self.clients.entry(member).or_default().topics = topics;
                    let response = self.bench.beat(&request);
                    self.answered(member, response);
                }
            }
            Happening::Pass(ms) => self.bench.pass(ms),
            Happening::Grow(topic) => {
                self.sizes[topic] = (self.sizes[topic] + 1).min(8);
                self.show_topics();
            }
            Happening::FailOver => {
                let partition = self.bench.groups.partition_for("g");
                if self.bench.groups.shards[&partition].groups.contains_key("g") {
                    self.bench.check_replay("g");
                }
            }
            Happening::FailingBeat(member) => {
                if let Some(client) = known(self, member) {
                    self.bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
                    let response = self.bench.beat(&owning("g", NAMES[member], client.epoch, &client.has));
                    self.bench.fate = Fate::Commit;
                    self.answered(member, response);
                }
            }
        }
    }

    /// No partition is read by two clients that are in the group, nor two members' by the group's own account.
    fn check(&self) {
        let partition = self.bench.groups.partition_for("g");
        let Some(group) = self.bench.groups.shards[&partition].groups.get("g") else { return };
        let group = group.consumer().unwrap();
        let mut owners: BTreeMap<(Id, i32), Arc<str>> = BTreeMap::new();
        for member in group.members() {
            for owned in [&member.current.assigned, &member.current.revoking] {
                for (topic, partitions) in owned {
                    for partition in partitions.keys() {
                        let before = owners.insert((*topic, *partition), member.id.clone());
                        assert_eq!(before, None, "{topic}-{partition} is {}'s too", member.id);
                        assert_eq!(group.partition_epoch(*topic, *partition), member.current.epoch);
                    }
                }
            }
        }
        let mut readers: BTreeMap<(&str, i32), usize> = BTreeMap::new();
        for (member, client) in &self.clients {
            if group.member(NAMES[*member]).is_none() {
                continue;
            }
            for (topic, partitions) in &client.has {
                for partition in partitions {
                    let before = readers.insert((topic, *partition), *member);
                    assert_eq!(before, None, "{topic}-{partition} is read by {member} too");
                }
            }
        }
    }

    /// Nothing changes any more: all come to what they should have.
    fn converge(&mut self) {
        for _ in 0..12 {
            self.bench.pass(1_000);
            for member in 0..NAMES.len() {
                self.happen(Happening::Beat(member));
                self.happen(Happening::Report(member));
            }
        }
        let partition = self.bench.groups.partition_for("g");
        let Some(group) = self.bench.groups.shards[&partition].groups.get("g") else { return };
        let group = group.consumer().unwrap().clone();
        let expected = if group.is_empty() { "Empty" } else { "Stable" };
        assert_eq!(group.state().name(), expected);
        let mut read: BTreeSet<(String, i32)> = BTreeSet::new();
        for (member, client) in &self.clients {
            for (topic, partitions) in &client.has {
                let index = TOPICS.iter().position(|name| name == topic).unwrap();
                assert!(client.topics.contains(&index), "{} does not read {topic}", NAMES[*member]);
                read.extend(partitions.iter().map(|partition| (topic.clone(), *partition)));
            }
        }
        let subscribed: BTreeSet<usize> = self.clients.values().flat_map(|client| client.topics.clone()).collect();
        let all: usize = subscribed.iter().map(|topic| self.sizes[*topic]).sum();
        assert_eq!(read.len(), all, "every partition is somebody's");
        self.bench.check_replay("g");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn consumer_groups_keep_their_promises(happenings in proptest::collection::vec(any_happening(), 1..60)) {
        let mut model = Model::new();
        for happening in happenings {
            model.happen(happening);
        }
        model.converge();
    }
}
