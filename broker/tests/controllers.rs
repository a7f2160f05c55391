//! Controllers come and go while a whole cluster runs on threads: what is refused, and what a stop interrupts.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use broker::cluster::{Cluster, ClusterConfig, ClusterError, ControllerChange, Profile};
use broker::metadata::report::Report;
use broker::types::NodeId;
use crossbeam_channel::Receiver;

const PATIENCE: Duration = Duration::from_secs(60);

fn start(dir: &Path, controllers: u32) -> (Cluster, Receiver<Report>) {
    start_with(dir, controllers, BTreeMap::new())
}

fn start_with(dir: &Path, controllers: u32, overrides: BTreeMap<String, String>) -> (Cluster, Receiver<Report>) {
    let (sender, reports) = crossbeam_channel::bounded(100_000);
    let config = ClusterConfig {
        brokers: 1,
        controllers,
        zones: 1,
        log_dirs: 1,
        data_dir: dir.to_path_buf(),
        kafka_port: 0,
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        profile: Profile::Lab,
        overrides,
    };
    let cluster = Cluster::start(config, sender, crossbeam_channel::bounded(1).0).unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    (cluster, reports)
}

/// The voters, as the next leader that reports has them.
fn voters(reports: &Receiver<Report>) -> Vec<NodeId> {
    while reports.try_recv().is_ok() {}
    loop {
        if let Report::Controller(report) = reports.recv_timeout(PATIENCE).unwrap()
            && report.role == "leader"
        {
            return report.voters.iter().map(|(id, ..)| *id).collect();
        }
    }
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, _reports) = start(dir.path(), 3);
    let text = |error: ClusterError| error.to_string();
    let add = |id: Option<NodeId>| text(cluster.add_controller(id).unwrap_err());
    let remove = |id: NodeId| text(cluster.remove_controller(id).unwrap_err());
    assert_eq!(add(Some(3001)), "there is a controller 3001 already");
    assert_eq!(add(Some(1)), "a controller cannot be 1: ids are from 3000 to 3013");
    assert!(matches!(cluster.remove_controller(1), Err(ClusterError::UnknownNode(1))));
    assert!(matches!(cluster.remove_controller(3003), Err(ClusterError::UnknownNode(3003))));
    cluster.kill_node(3000, "test").unwrap();
    assert_eq!(
        add(None),
        "kraft.version is 0, under which voters do not change, and is raised only while all of them run; start controller 3000 first"
    );
    let majority =
        "of the 2 voters that there would be, 1 would run, which is no majority; start controller 3000 first";
    assert_eq!(remove(3001), majority);
    cluster.kill_node(3001, "test").unwrap();
    // Whether the last leader has noticed or not.
    let refusals = [
        "no controller is active: voters change only while a majority of them runs",
        "of the 2 voters that there would be, 1 would run, which is no majority; start controller 3001 first",
    ];
    assert!(refusals.contains(&&*remove(3000)));
    cluster.start_node(3000, "test").unwrap();
    cluster.start_node(3001, "test").unwrap();
    assert_eq!(cluster.controller_ids(), [3000, 3001, 3002]);
    assert!(!dir.path().join("controller-3003").exists());
    // All run again: the same wishes are granted, down to the last.
    cluster.remove_controller(3001).unwrap();
    assert!(!dir.path().join("controller-3001").exists());
    cluster.remove_controller(3000).unwrap();
    assert_eq!(remove(3002), "controller 3002 is the only one; a cluster cannot be without");
    assert_eq!(cluster.add_controller(None).unwrap(), 3000, "the lowest that is free");
    cluster.shutdown();
}

/// As a stop in the midst of a change leaves the data directory.
fn write(dir: &Path, ids: &str, change: &str) {
    let path = dir.join("cluster.properties");
    let content = std::fs::read_to_string(&path).unwrap();
    let kept = content.lines().filter(|line| !line.starts_with("controller."));
    let lines: Vec<String> =
        kept.map(str::to_owned).chain([format!("controller.ids={ids}"), change.to_owned()]).collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
}

#[test]
fn what_a_stop_interrupts_goes_on_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, reports) = start(dir.path(), 1);
    assert_eq!(cluster.finish_controller_change().unwrap(), None);
    assert_eq!(cluster.add_controller(Some(3002)).unwrap(), 3002);
    assert_eq!((voters(&reports), cluster.controller_change()), (vec![3000, 3002], None));
    cluster.end_changes();
    assert!(matches!(cluster.remove_controller(3002), Err(ClusterError::Ending)));
    cluster.shutdown();

    // It was to go, and still votes; it was to go, and votes no more; it was to come, and has nothing yet; it was to come, and votes.
    for (ids, change, voters_then) in [
        ("3000,3002", ControllerChange::Goes(3002), vec![3000]),
        ("3000,3002", ControllerChange::Goes(3002), vec![3000]),
        ("3000,3005", ControllerChange::Comes(3005), vec![3000, 3005]),
        ("3000,3005", ControllerChange::Comes(3005), vec![3000, 3005]),
    ] {
        let line = match change {
            ControllerChange::Comes(id) => format!("controller.coming={id}"),
            ControllerChange::Goes(id) => format!("controller.going={id}"),
        };
        write(dir.path(), ids, &line);
        let (cluster, reports) = start(dir.path(), 1);
        assert_eq!(cluster.finish_controller_change().unwrap(), Some(change));
        assert_eq!((voters(&reports), cluster.controller_ids()), (voters_then.clone(), voters_then));
        assert_eq!(cluster.controller_change(), None);
        assert!(!dir.path().join("controller-3002").exists());
        cluster.shutdown();
    }
}

#[test]
fn one_that_makes_itself_a_voter_comes_and_goes_too() {
    let dir = tempfile::tempdir().unwrap();
    let overrides = BTreeMap::from([("controller.quorum.auto.join.enable".to_owned(), "true".to_owned())]);
    let (cluster, reports) = start_with(dir.path(), 2, overrides);
    assert_eq!(cluster.add_controller(None).unwrap(), 3002);
    assert_eq!(voters(&reports), [3000, 3001, 3002]);
    cluster.remove_controller(3002).unwrap();
    assert_eq!((voters(&reports), cluster.controller_ids()), (vec![3000, 3001], vec![3000, 3001]));
    cluster.shutdown();
}

#[test]
fn none_of_the_founders_is_left_and_those_who_were_away_find_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, reports) = start(dir.path(), 3);
    // All but one know each other from their start only; the broker and this controller sleep through it all.
    cluster.kill_node(1, "test").unwrap();
    assert_eq!(cluster.add_controller(None).unwrap(), 3003);
    cluster.kill_node(3003, "test").unwrap();
    for (founder, next) in [(3000, 3004), (3001, 3005), (3002, 3006)] {
        assert_eq!(cluster.add_controller(Some(next)).unwrap(), next);
        cluster.remove_controller(founder).unwrap();
    }
    assert_eq!(
        (voters(&reports), cluster.controller_ids()),
        (vec![3003, 3004, 3005, 3006], vec![3003, 3004, 3005, 3006])
    );
    cluster.start_node(1, "test").unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    cluster.start_node(3003, "test").unwrap();
    // Three of four, and the one that was away among them: it must have found them.
    cluster.kill_node(3004, "test").unwrap();
    assert_eq!(voters(&reports), [3003, 3004, 3005, 3006]);
    cluster.remove_controller(3004).unwrap();
    cluster.kill_node(3005, "test").unwrap();
    cluster.kill_node(1, "test").unwrap();
    cluster.start_node(1, "test").unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    assert_eq!(voters(&reports), [3003, 3005, 3006]);
    cluster.shutdown();

    let (again, reports) = start(dir.path(), 3);
    assert_eq!((voters(&reports), again.controller_ids()), (vec![3003, 3005, 3006], vec![3003, 3005, 3006]));
    again.shutdown();
}
