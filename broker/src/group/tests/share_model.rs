//! Share groups under whatever members, topics and the persister do: epochs never go back, nothing without a state is assigned, the log always
//! tells the state, and once nothing changes any more every partition that is read has a member.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::share::{pulse, sharing};
use super::*;
use crate::protocol::messages::ShareGroupHeartbeatResponseData;

/// What may happen.
#[derive(Clone, Debug)]
enum Happening {
    Join(usize, BTreeSet<usize>),
    Leave(usize),
    Beat(usize),
    /// It beats, and the answer is lost.
    LostAnswer(usize),
    Resubscribe(usize, BTreeSet<usize>),
    Pass(u64),
    Grow(usize),
    FailOver,
    /// The next write fails.
    FailingBeat(usize),
    /// From now on the persister answers at once, fails, or waits.
    Persister(u8),
    /// What it was asked is answered.
    Answer,
    /// What it was asked never is.
    Silence,
}

const TOPICS: [&str; 3] = ["t", "uu", "vvv"];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn any_happening() -> impl Strategy<Value = Happening> {
    let topics = || proptest::collection::btree_set(0..TOPICS.len(), 1..=TOPICS.len());
    let member = 0..NAMES.len();
    prop_oneof![
        3 => (member.clone(), topics()).prop_map(|(member, topics)| Happening::Join(member, topics)),
        1 => member.clone().prop_map(Happening::Leave),
        8 => member.clone().prop_map(Happening::Beat),
        1 => member.clone().prop_map(Happening::LostAnswer),
        1 => (member.clone(), topics()).prop_map(|(member, topics)| Happening::Resubscribe(member, topics)),
        3 => (0u64..3_000).prop_map(Happening::Pass),
        1 => Just(Happening::Pass(31_000)),
        1 => (0..TOPICS.len()).prop_map(Happening::Grow),
        1 => Just(Happening::FailOver),
        1 => member.prop_map(Happening::FailingBeat),
        2 => (0u8..3).prop_map(Happening::Persister),
        2 => Just(Happening::Answer),
        1 => Just(Happening::Silence),
    ]
}

/// A member as its client sees it.
#[derive(Clone, Debug, Default)]
struct Client {
    epoch: i32,
    topics: BTreeSet<usize>,
}

struct Model {
    bench: Bench,
    clients: BTreeMap<usize, Client>,
    sizes: [usize; 3],
    offset: i64,
    epoch: i32,
}

fn named(topics: &BTreeSet<usize>) -> Vec<&'static str> {
    topics.iter().map(|topic| TOPICS[*topic]).collect()
}

impl Model {
    fn new() -> Model {
        let mut model = Model { bench: Bench::new(), clients: BTreeMap::new(), sizes: [4, 3, 1], offset: 10, epoch: 0 };
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

    fn answered(&mut self, member: usize, response: &ShareGroupHeartbeatResponseData) {
        match ErrorCode::from(response.error_code) {
            ErrorCode::None => {
                let client = self.clients.entry(member).or_default();
                assert!(response.member_epoch >= client.epoch, "{} went back", NAMES[member]);
                client.epoch = response.member_epoch;
            }
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound => {
                self.clients.remove(&member);
            }
            ErrorCode::CoordinatorNotAvailable => {}
            error => panic!("{error}"),
        }
        self.check();
    }

    fn happen(&mut self, happening: Happening) {
        let known = |model: &Model, member: usize| model.clients.get(&member).cloned();
        match happening {
            Happening::Join(member, topics) => {
                let request = sharing("g", NAMES[member], &named(&topics));
                self.clients.insert(member, Client { topics, epoch: 0 });
                let response = self.bench.pulse(&request);
                self.answered(member, &response);
            }
            Happening::Leave(member) => {
                if self.clients.remove(&member).is_some() {
                    self.bench.pulse(&pulse("g", NAMES[member], -1));
                }
            }
            Happening::Beat(member) => {
                if let Some(client) = known(self, member) {
                    let response = self.bench.pulse(&pulse("g", NAMES[member], client.epoch));
                    self.answered(member, &response);
                }
            }
            Happening::LostAnswer(member) => {
                if let Some(client) = known(self, member) {
                    self.bench.pulse(&pulse("g", NAMES[member], client.epoch));
                    let response = self.bench.pulse(&pulse("g", NAMES[member], client.epoch));
                    self.answered(member, &response);
                }
            }
            Happening::Resubscribe(member, topics) => {
                if let Some(client) = known(self, member) {
                    let names = named(&topics).iter().map(|name| text(name)).collect();
                    let request = pulse("g", NAMES[member], client.epoch).with_subscribed_topic_names(Some(names));
                    self.clients.entry(member).or_default().topics = topics;
                    let response = self.bench.pulse(&request);
                    self.answered(member, &response);
                }
            }
            Happening::Pass(ms) => self.bench.pass(ms),
            Happening::Grow(topic) => {
                self.sizes[topic] = (self.sizes[topic] + 1).min(8);
                self.show_topics();
            }
            Happening::FailOver => {
                if self.group_is_there() {
                    self.bench.check_share_replay("g");
                }
            }
            Happening::FailingBeat(member) => {
                if let Some(client) = known(self, member) {
                    self.bench.fate = Fate::Refuse(ErrorCode::NotEnoughReplicas);
                    let response = self.bench.pulse(&pulse("g", NAMES[member], client.epoch));
                    self.bench.fate = Fate::Commit;
                    self.answered(member, &response);
                }
            }
            Happening::Persister(how) => {
                self.bench.persister.waits = how == 2;
                self.bench.persister.error =
                    if how == 1 { ErrorCode::CoordinatorNotAvailable } else { ErrorCode::None };
            }
            Happening::Answer => self.bench.answer_shares(),
            Happening::Silence => self.bench.persister.waiting.clear(),
        }
        self.check();
    }

    fn group_is_there(&self) -> bool {
        let partition = self.bench.groups.partition_for("g");
        self.bench.groups.shards[&partition].groups.contains_key("g")
    }

    fn check(&mut self) {
        if !self.group_is_there() {
            return;
        }
        let group = self.bench.sharers("g");
        assert!(group.epoch >= self.epoch, "the group's epoch went back");
        assert!(group.target_epoch <= group.epoch);
        self.epoch = group.epoch;
        for member in group.members() {
            assert!(member.current.epoch <= group.epoch);
            for (topic, partitions) in &member.current.assigned {
                let name = &self.bench.image.topics[topic].name;
                assert!(member.metadata.topics.contains(name), "{} does not read {name}", member.id);
                for partition in partitions {
                    let key = ("g".to_owned(), *topic, *partition);
                    assert!(self.bench.persister.states.contains_key(&key), "{name}-{partition} has no state");
                }
            }
        }
    }

    /// Nothing changes any more, and the persister works: every partition that is read has a member.
    fn converge(&mut self) {
        self.happen(Happening::Persister(0));
        self.happen(Happening::Answer);
        for _ in 0..36 {
            self.bench.pass(1_000);
            for member in 0..NAMES.len() {
                self.happen(Happening::Beat(member));
            }
        }
        if !self.group_is_there() {
            return;
        }
        let group = self.bench.sharers("g").clone();
        assert_eq!(group.state_name(), if group.is_empty() { "Empty" } else { "Stable" });
        let mut read: BTreeSet<(Id, i32)> = BTreeSet::new();
        for member in group.members() {
            assert_eq!(member.current.epoch, group.epoch);
            read.extend(member.current.assigned.iter().flat_map(|(id, all)| all.iter().map(|it| (*id, *it))));
        }
        let subscribed: BTreeSet<usize> = self.clients.values().flat_map(|client| client.topics.clone()).collect();
        let all: usize = subscribed.iter().map(|topic| self.sizes[*topic]).sum();
        assert_eq!(read.len(), all, "every partition has a member");
        self.bench.check_share_replay("g");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn share_groups_keep_their_promises(happenings in proptest::collection::vec(any_happening(), 1..60)) {
        let mut model = Model::new();
        for happening in happenings {
            model.happen(happening);
        }
        model.converge();
    }
}
