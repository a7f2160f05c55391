//! A controller's thread: its inbox, its timer, its reports. No sockets: no client reaches a controller.

use std::sync::Arc;
use std::time::Duration;

use super::controller::Controller;
use super::handle::{Control, Wish};
use super::outlet::Outlet;
use super::process_io::disk_bytes;
use super::stopwatch;
use super::{Exit, NodeSetup};
use crate::logging::Logger;
use crate::metadata::report::Report;
use crate::types::Now;

/// At most 20 reports a second.
const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// Messages taken per wake-up before timers and wishes are looked at again.
const BATCH_MAX: usize = 256;

/// How long a leader that was asked to stop may take to hand over.
const HANDOVER: Duration = Duration::from_millis(500);

pub(super) async fn run(setup: NodeSetup, control: Arc<Control>) -> Exit {
    let NodeSetup { config, disk, network, mut inbox, reports, clock, seed, .. } = setup;
    let node_id = config.node_id;
    let outlet = Outlet::new(node_id, reports);
    let log = config.log.clone();
    let tell = |what: &str| log.info(Logger::ControllerServer, || format!("[ControllerServer id={node_id}] {what}"));
    tell("Starts");
    let mut controller = match Controller::new(config, disk, seed, clock.now()) {
        Ok(controller) => controller,
        Err(error) => return Exit::Failed(format!("controller {node_id} could not start: {error}")),
    };
    controller.stopwatch = stopwatch;
    controller.disk_bytes = disk_bytes;
    let flush = |controller: &mut Controller, now: Now| {
        let outbox = controller.take_outbox();
        for (to, message) in outbox.peer {
            network.send(to, message);
        }
        outlet.events(now, outbox.events);
    };
    flush(&mut controller, clock.now());
    tell("Started");
    let mut report_timer = tokio::time::interval(REPORT_INTERVAL);
    report_timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stop_by = None;
    loop {
        let deadline = controller.next_deadline().map(|mono| stop_by.map_or(mono, |by: Duration| mono.min(by)));
        tokio::select! {
            () = control.changed() => match control.obey() {
                Wish::Kill => return Exit::Killed,
                Wish::Stop if stop_by.is_none() => {
                    tell("Shuts down");
                    stop_by = Some(clock.now().mono + HANDOVER);
                    controller.begin_shutdown(clock.now());
                }
                _ => {}
            },
            message = inbox.recv() => {
                let now = clock.now();
                let Some(first) = message else { return Exit::Stopped };
                controller.on_delivered(now, first);
                for _ in 1..BATCH_MAX {
                    let Ok(next) = inbox.try_recv() else { break };
                    controller.on_delivered(now, next);
                }
            }
            () = wait_for(deadline.or(stop_by).map(|mono| clock.instant(mono))) => controller.on_tick(clock.now()),
            _ = report_timer.tick() => {
                if outlet.has_room() && let Some(report) = controller.report(clock.now()) {
                    outlet.state(Report::Controller(Arc::new(report)));
                }
                if outlet.has_room() && let Some(metrics) = controller.metrics_report(clock.now()) {
                    outlet.state(Report::Metrics(Arc::new(metrics)));
                }
            }
        }
        let now = clock.now();
        flush(&mut controller, now);
        if let Some(error) = controller.failure() {
            return Exit::Failed(format!("controller {node_id} cannot go on: {error}"));
        }
        if stop_by.is_some_and(|by| controller.has_handed_over() || by <= now.mono) {
            return match controller.shutdown(now) {
                Ok(()) => {
                    tell("Shut down");
                    Exit::Stopped
                }
                Err(error) => Exit::Failed(format!("controller {node_id} could not stop cleanly: {error}")),
            };
        }
    }
}

/// Waits until then; for ever if there is no deadline.
pub(super) async fn wait_for(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
