//! Each guided scenario, gone through on a cluster of its own: what its steps say they have seen is what the nodes tell.
//!
//!     cargo test --workspace --lib guide_tests -- --nocapture

use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::session::Session;
use crate::cli::ClusterArgs;
use crate::monitor::command::Command;
use crate::monitor::guide::{Phase, Run, SCENARIOS, Scenario};

const PATIENCE: Duration = Duration::from_secs(120);

/// Goes through all steps, and cleans up; what each step told.
fn go_through(title: &str) -> Vec<String> {
    let scenario: &'static Scenario =
        SCENARIOS.iter().find(|scenario| scenario.title == title).unwrap_or_else(|| panic!("there is no {title}"));
    let session = Session::start(&ClusterArgs::throwaway()).unwrap_or_else(|failure| panic!("no session: {failure}"));
    let (news, woken) = bounded(1);
    session.slot().on_change(move || {
        let _ = news.try_send(());
    });
    let send = |commands: Vec<Command>| commands.into_iter().for_each(|one| assert!(session.orders().send(one)));
    let wait = |what: &str, is_so: &mut dyn FnMut() -> bool| {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "{title}: {what}: {:?}", session.slot().latest().notices);
            let _ = woken.recv_timeout(Duration::from_millis(100));
        }
    };
    let latest = || session.slot().latest().snapshot;
    wait("the cluster takes writes", &mut || session.is_ready() && Run::obstacle(&latest()).is_none());
    let mut run = Run::of(scenario);
    for step in scenario.steps {
        send(run.begin(&latest()));
        wait(&format!("step “{}” was not seen", step.title), &mut || {
            send(run.look(&latest()));
            if let Phase::Doing { seen, is_late: true, .. } = &run.phase {
                eprintln!("{title}: {}: {seen}", step.title);
            }
            matches!(run.phase, Phase::Done(_))
        });
        if let Phase::Done(words) = &run.phase {
            eprintln!("{title}: {}: {words}", step.title);
        }
        run.next();
    }
    assert!(run.is_at_end());
    let told = run.told.clone();
    send(run.leave(&latest()));
    wait("what it made is removed", &mut || {
        send(run.look(&latest()));
        run.phase == Phase::Over
    });
    wait("all is as before", &mut || Run::obstacle(&latest()).is_none());
    session.end();
    told
}

macro_rules! scenarios {
    ($($name:ident: $title:literal,)*) => {
        $(#[test]
        fn $name() {
            assert!(!go_through($title).is_empty());
        })*

        #[test]
        fn each_scenario_is_gone_through() {
            let titles: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.title).collect();
            assert_eq!(titles, [$($title),*]);
        }
    };
}

scenarios! {
    a_log_is_read_again: "The commit log, and replay",
    groups_read_the_same_records: "Fan-out",
    a_fifth_consumer_has_nothing_to_read: "Consumer group sizes",
    lag_grows_and_falls: "Lag, and recovery",
    a_crash_and_a_storm: "Rebalance storms",
    a_leader_dies: "Failover",
    two_of_three_die: "min.insync.replicas",
    a_zone_goes_dark: "Zone outage",
    acks_1_loses_what_all_keeps: "acks=1 loses records",
    a_replica_that_lacks_records_leads: "Unclean leader election",
    transactions_come_out_even: "Exactly once",
    only_the_newest_of_each_key_stays: "Compaction",
    a_disk_is_full: "A disk is full",
}
