//! Each screen's main deeds, done by hand on a cluster that runs.

use egui::{Key, Modifiers};

use super::stage::Stage;
use crate::monitor::command::{Command, WorkloadSpec};
use crate::monitor::snapshot::Partition;
use crate::monitor::view::View;
use crate::ui::Screen;

/// A partition of a topic, as it is known now.
fn partition(view: &View, topic: &str, id: usize) -> Option<Partition> {
    let topic = view.snapshot.topics.iter().find(|one| &*one.name == topic)?;
    topic.partitions.get(id).cloned()
}

fn are_all_in_sync(view: &View) -> bool {
    let totals = &view.snapshot.totals;
    totals.partitions > 0 && totals.under_replicated_partitions == 0 && totals.offline_partitions == 0
}

fn workload(topic: &str) -> Command {
    Command::StartWorkload(WorkloadSpec { topic: topic.into(), rate_per_s: 200, ..WorkloadSpec::default() })
}

impl Stage {
    /// Takes the cursor out of the field that it stands in.
    fn leave(&mut self) {
        self.press(Modifiers::NONE, Key::Escape);
    }
}

#[test]
fn a_broker_is_killed_and_comes_back_by_buttons() {
    let mut stage = Stage::on(Screen::Cluster);
    stage.click("Start a demo workload");
    stage.until_known("records go through", |view| view.snapshot.workloads.iter().any(|one| one.read > 0));
    stage.until("All in sync");
    stage.click("Kill broker 2");
    stage.until_known("others lead what it led", |view| {
        let demo = (0..6).filter_map(|id| partition(view, "demo", id)).collect::<Vec<_>>();
        demo.len() == 6 && demo.iter().all(|one| one.leader > 0 && one.leader != 2 && !one.isr.contains(&2))
    });
    stage.until("under-replicated");
    stage.until("A replica is missing");
    // Nothing was made up: what the clients of the workload sent is acknowledged by those that are left.
    let acked = stage.view().snapshot.workloads[0].acked;
    stage.until_known("writes go on", |view| view.snapshot.workloads[0].acked > acked);
    stage.click("Heal all");
    stage.until_known("all replicas are in sync again", are_all_in_sync);
    stage.until("All in sync");
    stage.click("Stop workload 1");
    stage.until_gone("Stop workload 1");
    stage.until("Bring it to life");
}

#[test]
fn a_topic_is_made_written_read_changed_and_deleted_by_hand() {
    let mut stage = Stage::on(Screen::Topics);
    stage.click("Create topic");
    stage.type_into("Name", "invoices");
    stage.press(Modifiers::NONE, Key::Enter);
    stage.choose("invoices, ");
    stage.until("Replication factor: 3");

    stage.click("Show messages");
    stage.until("0 records");
    stage.click("Write a record");
    stage.type_into("Value", "{\"total\": 12}");
    stage.click("Write");
    stage.until_known("it is committed", |view| {
        (0..6).filter_map(|id| partition(view, "invoices", id)).map(|one| one.high_watermark).sum::<i64>() == 1
    });
    stage.click("Read again");
    stage.until("\"total\": 12");

    stage.click("Show configs");
    stage.type_into("Filter configs", "retention.ms");
    stage.choose("retention.ms, 604800000");
    stage.type_into("New value", "0");
    stage.click("Set retention.ms");
    stage.until("retention.ms, 6048000000, topic");
    stage.click("Set retention.ms back to its default");
    stage.until("retention.ms, 604800000, default");

    stage.click("Add partitions");
    stage.type_into("Partitions in all (6 now)", "9");
    stage.press(Modifiers::COMMAND, Key::A);
    stage.type_into("Partitions in all (6 now)", "9");
    stage.click_last("Add partitions");
    stage.until_known("there are nine", |view| partition(view, "invoices", 8).is_some_and(|one| one.leader > 0));

    stage.click("Delete records");
    stage.click_last("Delete records");
    stage.until_known("the record is gone", |view| {
        (0..9).filter_map(|id| partition(view, "invoices", id)).map(|one| one.log_start_offset).sum::<i64>() == 1
    });

    stage.click("Delete topic");
    stage.type_into("Type the topic's name to confirm", "invoices");
    stage.click_last("Delete topic");
    stage.until_known("it is gone", |view| partition(view, "invoices", 0).is_none());
}

#[test]
fn replicas_move_off_a_broker_and_a_group_is_reset_by_hand() {
    let mut stage = Stage::on(Screen::Topics);
    stage.send(workload("orders"));
    stage.until_known("its group commits", |view| {
        let groups = &view.snapshot.groups;
        groups.iter().any(|group| group.offsets.iter().any(|offset| offset.committed_offset > 0))
    });
    let group = stage.view().snapshot.groups[0].id.to_string();
    stage.send(Command::StopWorkload(1));
    stage.until_known("nobody is in the group", |view| view.snapshot.groups.iter().all(|one| one.members.is_empty()));

    stage.leave();
    stage.keys("gg");
    stage.until("Consumer groups");
    stage.click(&format!("Reset offsets of {group}"));
    stage.until("would be read again");
    stage.click("Set these offsets");
    stage.until_known("it begins at the start", |view| {
        let groups = &view.snapshot.groups;
        groups
            .iter()
            .any(|group| !group.offsets.is_empty() && group.offsets.iter().all(|offset| offset.committed_offset == 0))
    });
    stage.click(&format!("Delete group {group}"));
    stage.click("Delete group");
    stage.until_known("it is gone", |view| view.snapshot.groups.is_empty());
}

#[test]
fn a_broker_that_is_killed_and_comes_back_is_one_story() {
    use crate::monitor::story::{self, Outlook, Story};
    use crate::monitor::view::View;

    type Chain = Vec<(&'static str, Vec<&'static str>)>;

    /// The story that begins with the fault, and the kinds of its steps with the kinds that each followed from.
    fn told(view: &View) -> Option<(Story, Chain)> {
        let stories = story::stories(&view.events, &view.series, &view.snapshot);
        let story = stories.into_iter().find(|story| story.steps[0].kind == "fault_began")?;
        let causes = |step: &story::Step| step.because_of.iter().map(|cause| story.steps[*cause].kind).collect();
        let chain = story.steps.iter().map(|step| (step.kind, causes(step))).collect();
        Some((story, chain))
    }

    let mut stage = Stage::on(Screen::Events);
    stage.send(workload("orders"));
    stage.until_known("its topic is led by all", |view| {
        (0..6).all(|index| partition(view, "orders", index).is_some_and(|one| one.leader > 0 && one.isr.len() == 3))
    });
    let kill = crate::monitor::command::FaultRequest {
        broker: Some(3),
        ..crate::monitor::command::FaultRequest::new(crate::monitor::command::FaultKind::Kill)
    };
    stage.send(Command::InjectFault(kill));
    let wanted: [(&str, &[&str]); 4] = [
        ("node_state_changed", &["fault_began"]),
        ("broker_fenced", &["node_state_changed"]),
        ("leader_elected", &["broker_fenced"]),
        ("isr_changed", &["broker_fenced"]),
    ];
    stage.until_known("the chain from the fault to the elections", |view| {
        told(view).is_some_and(|(_, chain)| {
            wanted.iter().all(|(kind, of)| chain.iter().any(|(is, causes)| is == kind && causes == of))
        })
    });
    stage.until("Close the story: Broker 3 was killed: ");
    stage.until("Going on");
    stage.send(Command::HealAllFaults);
    stage.until_known("all is as before", |view| {
        told(view).is_some_and(|(story, _)| {
            let grew = |step: &story::Step| step.kind == "isr_changed" && step.text.contains("grew");
            story.outlook == Outlook::AsBefore && story.steps.iter().any(grew)
        })
    });
    stage.until("As before again");
}

#[test]
fn what_happened_is_told_by_events_logs_and_alarms() {
    let mut stage = Stage::on(Screen::Events);
    stage.send(workload("orders"));
    stage.until_known("its topic is there", |view| partition(view, "orders", 5).is_some_and(|one| one.leader > 0));
    stage.type_into("Filter events", "broker 3 was fenced");
    stage.until("No story matches");
    let kill = crate::monitor::command::FaultRequest {
        broker: Some(3),
        ..crate::monitor::command::FaultRequest::new(crate::monitor::command::FaultKind::Kill)
    };
    stage.send(Command::InjectFault(kill));
    stage.until("Broker 3 was fenced");

    stage.leave();
    stage.keys("gl");
    stage.type_into("Filter lines", "/[Ff]enc.*3/");
    stage.choose("INFO, ");
    stage.until("Copy the line");

    stage.leave();
    stage.keys("ga");
    stage.until("UnderReplicatedPartitions");
    // Thirty seconds pass until two periods of ten are bad: the state is set by hand, as with AWS's `set-alarm-state`.
    stage.type_into("Filter alarms", "UnderReplicatedPartitions");
    stage.choose(", UnderReplicatedPartitions");
    stage.click("Set ALARM");
    stage.until("ALARM, UnderReplicatedPartitions");

    stage.leave();
    stage.keys("gm");
    stage.until("Brokers online: 2 / 3");
}

#[test]
fn the_palette_finds_a_broker_and_breaks_it() {
    let mut stage = Stage::on(Screen::Cluster);
    stage.press(Modifiers::COMMAND, Key::K);
    stage.type_into("Search commands and objects", "pause broker 3");
    stage.press(Modifiers::NONE, Key::Enter);
    stage.click("Break it");
    stage.until_known("it is paused", |view| {
        view.snapshot.faults.iter().any(|fault| fault.kind == "pause" && fault.node_id == 3)
    });
    stage.press(Modifiers::COMMAND, Key::K);
    stage.type_into("Search commands and objects", "heal all");
    stage.press(Modifiers::NONE, Key::Enter);
    stage.until_known("nothing is broken", |view| view.snapshot.faults.is_empty());
}

#[test]
fn a_brokers_disks_connections_and_configs_are_told_and_it_is_stopped_and_started() {
    let mut stage = Stage::on(Screen::Brokers);
    stage.send(workload("disks"));
    stage.until_known("records go through", |view| view.snapshot.workloads.iter().any(|one| one.read > 0));
    stage.choose("Broker 2, Running");
    stage.until("Handler idle: ");
    stage.click("Show log directories");
    stage.until("disks-0, ");
    stage.until("Online");
    stage.click("Show connections");
    stage.until("librdkafka, ");
    stage.click("Show configs");
    stage.type_into("Filter configs", "log.cleaner.threads");
    stage.choose("log.cleaner.threads, ");
    stage.until("in force: 1 ");
    stage.leave();
    stage.click("Stop broker 2");
    stage.until("Broker 2, Stopped");
    stage.click("Show log directories");
    stage.until("Broker 2 does not run");
    stage.click("Start broker 2");
    stage.until("Broker 2, Running");
    stage.until("disks-0, ");
}

#[test]
fn the_map_tells_who_is_connected_and_what_flows_and_a_broker_is_killed_from_its_menu() {
    let mut stage = Stage::on(Screen::Cluster);
    stage.send(workload("flows"));
    stage.until_known("records go through", |view| view.snapshot.workloads.iter().any(|one| one.read > 0));
    stage.until("Client software librdkafka ");
    let group = stage.view().snapshot.workloads[0].group.clone();
    stage.until(&format!("Group {group}, "));
    stage.until("Zone a: clients write ");
    stage.until("Replication between zone a and zone b: ");
    stage.right_click("Kill broker 2");
    stage.click_last("Kill broker 2");
    stage.click("Break it");
    stage.until_known("others lead what it led", |view| {
        let led = (0..6).filter_map(|id| partition(view, "flows", id)).collect::<Vec<_>>();
        led.len() == 6 && led.iter().all(|one| one.leader > 0 && one.leader != 2 && !one.isr.contains(&2))
    });
    stage.until("Zone b: clients write 0 B/s and read 0 B/s");
    stage.click("Zoom out to topics");
    stage.until("Partition map, topics out of sync: ");
    stage.click("Zoom in to partitions");
    stage.until("Partition map, a replica is missing: ");
    stage.click("Start broker 2");
    stage.until_known("all replicas are in sync again", are_all_in_sync);
}

#[test]
fn a_topic_is_made_with_a_config_and_gets_more_and_fewer_replicas_by_hand() {
    let mut stage = Stage::on(Screen::Topics);
    stage.click("Create topic");
    stage.type_into("Name", "ledger");
    stage.type_into("Replication factor", "");
    stage.press(Modifiers::COMMAND, Key::A);
    stage.type_into("Replication factor", "2");
    stage.click("Set retention.ms");
    stage.type_into("retention.ms", "86400000");
    stage.until("--replication-factor 2 --config retention.ms=86400000");
    stage.click_last("Create topic");
    let replicas = |view: &View, count: usize| {
        let all = (0..6).filter_map(|id| partition(view, "ledger", id)).collect::<Vec<_>>();
        all.len() == 6 && all.iter().all(|one| one.replicas.len() == count && one.isr.len() == count)
    };
    stage.until_known("there are two replicas", |view| replicas(view, 2));
    for count in [3, 1] {
        stage.right_click("ledger, ");
        stage.click("Move replicas of ledger");
        stage.type_into("Replicas of each partition (nothing: as many as now)", &count.to_string());
        stage.until("6 partitions would change");
        stage.click("Change replicas");
        stage.until_known("all have as many as wished", |view| replicas(view, count));
    }
    stage.choose("ledger, ");
    stage.click("Show configs");
    stage.type_into("Filter configs", "retention.ms");
    stage.until("retention.ms, 86400000, topic");
}

#[test]
fn a_workload_is_started_slid_crashed_and_stopped_by_hand() {
    let mut stage = Stage::on(Screen::Workloads);
    stage.click("Start Clickstream");
    stage.until("Workload 1 on clicks");
    let near = |value: f64, expected: f64| (value - expected).abs() < expected * 0.1;
    let one = |view: &View| view.snapshot.workloads.first().cloned().unwrap_or_default();
    stage.until_known("1,000 a second are read", |view| near(one(view).read_per_s, 1_000.0));
    stage.type_into("Rate, exact value", "3000");
    stage.press(Modifiers::NONE, Key::Enter);
    stage.until_known("3,000 a second are acknowledged", |view| near(one(view).acked_per_s, 3_000.0));
    assert_eq!(one(&stage.view()).restarts, 0, "at once, by the clients that there are");
    let measured = one(&stage.view());
    assert!(measured.ack.count > 100 && measured.ack.p99_ms >= measured.ack.p50_ms && measured.ack.p50_ms > 0.0);

    stage.click("Crash consumer 1 of workload 1");
    stage.until("Revive consumer 1 of workload 1");
    stage.until_known("its group misses it", |view| view.snapshot.groups.iter().any(|group| group.members.len() == 1));
    stage.click("Revive consumer 1 of workload 1");
    stage.until_known("it is back", |view| view.snapshot.groups.iter().any(|group| group.members.len() == 2));

    stage.click("Pause producers of workload 1");
    stage.until_known("nothing is sent", |view| one(view).sent_per_s == 0.0);
    stage.click("Stop workload 1");
    stage.until("No workload runs");
}

#[test]
fn a_controller_is_killed_and_the_room_of_the_quorum_tells_who_voted_for_the_next() {
    let mut stage = Stage::on(Screen::Quorum);
    stage.until_known("somebody leads", |view| view.snapshot.quorum.leader_id >= 3000);
    let (leader, epoch) = (stage.view().snapshot.quorum.leader_id, stage.view().snapshot.quorum.epoch);
    stage.until(&format!("{epoch}, Controller {leader}, "));
    stage.until("a majority, and 1 voter to spare");
    stage.right_click(&format!("Controller {leader}, Leader"));
    stage.click_last(&format!("Kill controller {leader}"));
    stage.click("Break it");
    stage.until_known("another leads", |view| {
        let quorum = &view.snapshot.quorum;
        quorum.leader_id >= 3000 && quorum.leader_id != leader && quorum.epoch > epoch
    });
    stage.until(&format!("Controller {leader}, Offline, Killed"));
    stage.until("a majority, and no voter to spare");
    let quorum = stage.view().snapshot.quorum.clone();
    let others: Vec<String> =
        quorum.voters.iter().filter(|one| one.id != leader).map(|one| one.id.to_string()).collect();
    stage.until(&format!("{}, Controller {}, {} of 3", quorum.epoch, quorum.leader_id, others.join(", ")));

    // What a topic makes of records is told as it is written, and stands in the tree.
    stage.click("Show metadata records");
    stage.until(&format!("Log of: Controller {}", quorum.leader_id));
    stage.send(Command::CreateTopic {
        name: "invoices".into(),
        partitions: 2,
        replication_factor: 3,
        configs: Vec::new(),
    });
    stage.until("Topic invoices is created, TopicRecord");
    stage.until("invoices-1 on ");
    stage.click("Show state as a tree");
    stage.type_into("Filter the tree", "invoices");
    stage.until("invoices, ");
    stage.choose("invoices, ");
    stage.until("In ZooKeeper it was /brokers/topics/invoices");
    stage.click("Heal all");
    stage
        .until_known("it is a voter again", |view| view.snapshot.quorum.voters.iter().all(|one| one.role != "offline"));
}

#[test]
fn a_partition_is_watched_as_a_tape_in_slow_motion() {
    let mut stage = Stage::on(Screen::Topics);
    stage.send(workload("tapes"));
    stage.until_known("records go through", |view| view.snapshot.workloads.iter().any(|one| one.read > 0));
    stage.choose("tapes, ");
    stage.click("Show tape");
    stage.until("Tape of tapes-0, offsets");
    stage.until("Broker ");
    stage.until("1 epoch in the log");
    stage.until("in those told");
    let before = partition(&stage.view(), "tapes", 0).map(|one| one.high_watermark);
    stage.until_known("it grows", |view| partition(view, "tapes", 0).map(|one| one.high_watermark) > before);
    stage.click("Slow motion");
    stage.until_known("both links are late", |view| view.snapshot.faults.len() == 2);
    stage.until("is late by 400 ms");
    stage.until_known("followers are seen behind the leader", |view| {
        partition(view, "tapes", 0).is_some_and(|one| {
            let leader = one.log_end_offsets.get(&one.leader).copied().unwrap_or(0);
            one.high_watermark < leader && one.log_end_offsets.values().any(|end| *end < leader)
        })
    });
    stage.click("End slow motion");
    stage.until_known("nothing is late any more", |view| view.snapshot.faults.is_empty());
    stage.until_gone("End slow motion");
}
