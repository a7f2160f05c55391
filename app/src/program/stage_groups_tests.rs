//! Groups on a cluster that runs, with librdkafka's consumers: who comes and goes, by either protocol, and what is said of a group that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use broker::metadata::report::MemberChange;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::stage::Stage;
use crate::monitor::command::{Command, WorkloadSpec};
use crate::monitor::groups::theatre::Generation;
use crate::monitor::groups::verdict::Verdict;
use crate::monitor::operation::{OffsetOf, Operation};
use crate::monitor::view::View;
use crate::ui::Screen;

/// A consumer that polls on a thread of its own until it is dropped; then it leaves its group.
struct Reader {
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Reader {
    fn start(servers: &str, group: &str, client_id: &str, protocol: &str) -> Reader {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", servers)
            .set("group.id", group)
            .set("client.id", client_id)
            .set("group.protocol", protocol)
            .set("auto.offset.reset", "earliest")
            .set("auto.commit.interval.ms", "500");
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&["demo"]).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let asked = ends.clone();
        let thread = std::thread::spawn(move || {
            while !asked.load(Ordering::Relaxed) {
                // What it reads is of no interest; errors pass by themselves.
                let _ = consumer.poll(Duration::from_millis(50));
            }
        });
        Reader { ends, thread: Some(thread) }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn newest(view: &View, group: &str) -> Option<Arc<Generation>> {
    view.plays(group)?.generations.back().cloned()
}

/// The newest generation has so many members, and each of them some of the six partitions.
fn is_shared(view: &View, group: &str, members: usize) -> bool {
    newest(view, group).is_some_and(|one| {
        one.settled_ms.is_some()
            && one.members.len() == members
            && one.members.iter().all(|member| member.assignment.len() == 6 / members)
    })
}

fn load(consumers: u32) -> Command {
    Command::StartWorkload(WorkloadSpec { rate_per_s: 200, consumers, ..WorkloadSpec::default() })
}

#[test]
fn members_of_both_protocols_come_and_go_on_the_stage() {
    let mut stage = Stage::on(Screen::Groups);
    stage.send(load(0));
    stage.until_known("the topic is there", |view| view.snapshot.topics.iter().any(|topic| &*topic.name == "demo"));
    let servers = stage.servers();
    for (group, protocol, counter) in [("classics", "classic", "Generation"), ("moderns", "consumer", "Epoch")] {
        let first = Reader::start(&servers, group, "first", protocol);
        stage.until_known("one reads all", |view| is_shared(view, group, 1));
        let second = Reader::start(&servers, group, "second", protocol);
        stage.until_known("two share", |view| is_shared(view, group, 2));
        stage.choose(&format!("{group}, "));
        stage.click("Rebalances");
        stage.until("3 partitions moved.");
        assert!(stage.shows("Joined") && stage.shows("second, new: demo "), "{group}");
        let number = newest(&stage.view(), group).unwrap().number;
        assert!(stage.shows(&format!("{counter} {number}, ")));
        drop(second);
        stage.until_known("one reads all again", |view| is_shared(view, group, 1));
        let last = newest(&stage.view(), group).unwrap();
        assert!(
            last.news
                .iter()
                .any(|news| news.member.client_id == "second" && matches!(news.change, MemberChange::Left { .. })),
            "{group}: {:?}",
            last.news
        );
        assert!(last.took_ms().is_some_and(|took_ms| took_ms < 30_000));
        stage.until("second, gone: nothing");
        stage.click("Generation before");
        stage.until("second, new: demo ");
        stage.click("Lag");
        stage.until("1 member for 6 partitions: each has 6.");
        drop(first);
    }
}

#[test]
fn a_group_that_nobody_reads_for_is_stalled() {
    let mut stage = Stage::on(Screen::Groups);
    stage.send(load(1));
    let of = |view: &View, group: &str| view.groups.watched.get(group).map(|watched| watched.standing.verdict);
    stage.until_known("the workload's group keeps up", |view| {
        view.snapshot.groups.iter().any(|group| of(view, &group.id) == Some(Verdict::KeepingUp))
    });
    let offsets = (0..6).map(|partition| OffsetOf { topic: "demo".into(), partition, offset: 0 }).collect();
    stage.send(Command::Operate(Operation::SetOffsets { group: "left-behind".into(), offsets }));
    stage.until_known("it stands still", |view| of(view, "left-behind") == Some(Verdict::Stalled));
    stage.choose("left-behind, Stalled, Empty");
    stage.until("Nobody is in the group, and ");
    let reader = Reader::start(&stage.servers(), "left-behind", "late", "classic");
    stage.until_known("it has caught up", |view| of(view, "left-behind") == Some(Verdict::KeepingUp));
    stage.until("left-behind, Keeping up, Stable");
    drop(reader);
}
