//! What a broker's log tells of its standing with the controller: each change of its state, once.
//!
//! Source: `org.apache.kafka.server.BrokerLifecycleManager`, `org.apache.kafka.metadata.BrokerState`.

use super::broker::Broker;
use super::{publish_log, upkeep};
use crate::logging::{Level, Logger};
use crate::protocol::{ErrorCode, error_name};

/// `BrokerState.NOT_RUNNING`.
const NOT_RUNNING: i32 = 0;
const STARTING: i32 = 1;
const RECOVERY: i32 = 2;
const RUNNING: i32 = 3;

/// As Kafka names it.
fn name(state: i32) -> &'static str {
    match state {
        NOT_RUNNING => "NOT_RUNNING",
        STARTING => "STARTING",
        RECOVERY => "RECOVERY",
        RUNNING => "RUNNING",
        6 => "PENDING_CONTROLLED_SHUTDOWN",
        _ => "SHUTTING_DOWN",
    }
}

/// What was told last.
#[derive(Debug)]
pub(super) struct Told {
    state: i32,
    /// Why the controller did not register this broker: told again only if it is another reason.
    refusal: ErrorCode,
}

impl Default for Told {
    fn default() -> Told {
        Told { state: NOT_RUNNING, refusal: ErrorCode::None }
    }
}

fn write(broker: &Broker, level: Level, message: impl FnOnce() -> String) {
    let id = broker.config.node_id;
    broker
        .config
        .log
        .write(Logger::BrokerLifecycle, level, || format!("[BrokerLifecycleManager id={id}] {}", message()));
}

/// Tells where the broker stands, if that is not what was told last.
pub(super) fn on_change(broker: &mut Broker) {
    let state = upkeep::state(broker);
    let before = std::mem::replace(&mut broker.upkeep.told.state, state);
    if before == state {
        return;
    }
    let fenced_again = before == RUNNING && state == RECOVERY;
    let level = if fenced_again { Level::Warn } else { Level::Info };
    write(broker, level, || {
        let (epoch, offset) = (broker.lifecycle.broker_epoch(), broker.image.offset);
        let why = match (before, state) {
            (NOT_RUNNING, STARTING) => {
                let (incarnation, cluster) = (broker.incarnation, &broker.config.cluster_id);
                format!("incarnation {incarnation} of broker {} in cluster {cluster}", broker.config.node_id)
            }
            (_, STARTING) => "the controller does not know the broker's epoch any more; it registers anew".to_owned(),
            (STARTING, _) if state <= RUNNING => {
                format!("the metadata reaches offset {offset}, past the registration at {epoch}")
            }
            (_, RUNNING) => format!("the controller unfenced broker epoch {epoch}"),
            (_, RECOVERY) => format!("the controller fenced broker epoch {epoch}"),
            (_, 6) => format!("controlled shutdown of broker epoch {epoch} begins"),
            _ => "controlled shutdown has ended, or there was none".to_owned(),
        };
        format!("From {} to {}: {why}.", name(before), name(state))
    });
    if before == STARTING && (RECOVERY..=RUNNING).contains(&state) {
        publish_log::image(broker, true);
    }
}

/// The controller registered the broker.
pub(super) fn registered(broker: &mut Broker, broker_epoch: i64) {
    broker.upkeep.told.refusal = ErrorCode::None;
    write(broker, Level::Info, || {
        let (id, previous) = (broker.config.node_id, broker.replicas.previous_broker_epoch());
        let before = if previous >= 0 { format!("; it stopped cleanly in epoch {previous}") } else { String::new() };
        format!("Registered broker {id} with broker epoch {broker_epoch}{before}.")
    });
}

/// The controller did not.
pub(super) fn refused(broker: &mut Broker, error: ErrorCode) {
    if std::mem::replace(&mut broker.upkeep.told.refusal, error) != error {
        write(broker, Level::Info, || {
            format!(
                "Broker {} is not registered, as the controller answers {}; it asks again.",
                broker.config.node_id,
                error_name(error)
            )
        });
    }
}

/// The controller did not take a heartbeat.
pub(super) fn heartbeat_refused(broker: &Broker, error: ErrorCode) {
    write(broker, Level::Warn, || {
        format!(
            "A heartbeat in broker epoch {} was answered with {}.",
            broker.lifecycle.broker_epoch(),
            error_name(error)
        )
    });
}

/// Nobody answered in time, or the node asked does not run.
pub(super) fn unanswered(broker: &Broker) {
    write(broker, Level::Info, || {
        let what = if broker.lifecycle.broker_epoch() < 0 { "registration" } else { "heartbeat" };
        format!("No controller answered the {what} of broker {}; it is sent again.", broker.config.node_id)
    });
}

/// The controller had its time for a controlled shutdown, and did not end it.
pub(super) fn shutdown_not_approved(broker: &Broker) {
    let id = broker.config.node_id;
    broker.config.log.error(Logger::BrokerServer, || {
        format!("[BrokerServer id={id}] The controller did not approve the controlled shutdown in time; the broker goes anyway.")
    });
}
