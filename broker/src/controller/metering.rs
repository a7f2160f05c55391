//! Clients with a quota of mutations: what they create and delete is counted in partitions.
//!
//! KIP-599. Source: `kafka.server.ControllerApis.controllerMutationQuotaRecorderFor`,
//! `org.apache.kafka.controller.ControllerRequestContext.applyPartitionChangeQuota`.

use super::create_topics::ApiError;
use super::state::ControllerState;
use crate::metadata::config::NodeConfig;
use crate::protocol::ErrorCode;
use crate::quota::{ANONYMOUS, Client, MutationQuotas};
use crate::types::Now;

/// Whose request is decided on.
#[derive(Debug)]
struct Payer {
    client_id: String,
    strict: bool,
    now_ms: u64,
    throttle_time_ms: i32,
}

/// The quotas, and who pays at present.
#[derive(Debug)]
pub(super) struct Metering {
    quotas: MutationQuotas,
    /// The image holds other limits than the quotas.
    stale: bool,
    payer: Option<Payer>,
}

impl Metering {
    pub(super) fn new(config: &NodeConfig) -> Metering {
        Metering { quotas: MutationQuotas::new(config), stale: true, payer: None }
    }

    pub(super) fn quotas_changed(&mut self) {
        self.stale = true;
    }
}

impl ControllerState {
    /// What is decided until [`ControllerState::metered`] counts against this client's quota.
    pub fn meter(&mut self, now: Now, client_id: &str, strict: bool) {
        let now_ms = u64::try_from(now.mono.as_millis()).unwrap_or(u64::MAX);
        if std::mem::take(&mut self.metering.stale) {
            self.metering.quotas.set_limits(&self.image.client_quotas);
        }
        self.metering.quotas.on_tick(now_ms);
        let payer = Payer { client_id: client_id.to_owned(), strict, now_ms, throttle_time_ms: 0 };
        self.metering.payer = Some(payer);
    }

    /// How long the client is to wait, ms.
    pub fn metered(&mut self) -> i32 {
        self.metering.payer.take().map_or(0, |payer| payer.throttle_time_ms)
    }

    /// So many partitions are about to be created or deleted.
    pub(super) fn charge(&mut self, partitions: usize) -> Result<(), ApiError> {
        let Some(payer) = &mut self.metering.payer else { return Ok(()) };
        let client = Client { user: ANONYMOUS, client_id: &payer.client_id };
        match self.metering.quotas.take(client, partitions as f64, payer.strict, payer.now_ms) {
            Ok(0) => Ok(()),
            Ok(wait_ms) => {
                payer.throttle_time_ms = wait_ms;
                Ok(())
            }
            Err(wait_ms) => {
                payer.throttle_time_ms = wait_ms;
                Err((ErrorCode::ThrottlingQuotaExceeded, None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::controller::testing::{Harness, text};
    use crate::metadata::quotas::{CLIENT_ID, CONTROLLER_MUTATION_RATE};
    use crate::metadata::record::{ClientQuotaRecord, QuotaEntity};
    use crate::protocol::messages::create_partitions_request::CreatePartitionsTopic;
    use crate::protocol::messages::create_topics_request::CreatableTopic;
    use crate::protocol::messages::{CreatePartitionsRequestData, DeleteTopicsRequestData};

    const EXCEEDED: i16 = 89;

    /// A rate of 1/s: 11 tokens.
    fn harness() -> Harness {
        let mut harness = Harness::with_brokers(&[], 3);
        let entity = vec![QuotaEntity { entity_type: CLIENT_ID.to_owned(), entity_name: Some("c".to_owned()) }];
        let key = CONTROLLER_MUTATION_RATE.to_owned();
        let record = ClientQuotaRecord { entity, key, value: 1.0, remove: false };
        harness.commit(crate::controller::Decision { records: vec![record.into()], response: (), events: Vec::new() });
        harness
    }

    fn create(harness: &mut Harness, client: &str, strict: bool, names: &[&str], partitions: i32) -> (Vec<i16>, i32) {
        let topic = |name: &&str| CreatableTopic {
            name: text(name),
            num_partitions: partitions,
            replication_factor: 1,
            ..Default::default()
        };
        harness.state.meter(harness.now, client, strict);
        let response = harness.create_topics(names.iter().map(topic).collect());
        (response.topics.iter().map(|topic| topic.error_code).collect(), harness.state.metered())
    }

    #[test]
    fn a_strict_quota_refuses_what_is_too_much() {
        let mut harness = harness();
        assert_eq!(create(&mut harness, "c", true, &["a", "b", "x"], 10), (vec![0, 0, EXCEEDED], 9000));
        assert_eq!(create(&mut harness, "other", true, &["x"], 10), (vec![0], 0));
        harness.wait(3000);
        harness.state.meter(harness.now, "c", true);
        let request = DeleteTopicsRequestData { topic_names: vec![text("a")], ..Default::default() };
        let decision = harness.state.delete_topics(&request);
        let response = harness.commit(decision);
        assert_eq!((response.responses[0].error_code, harness.state.metered()), (EXCEEDED, 6000));
        harness.wait(6000);
        harness.state.meter(harness.now, "c", true);
        let topics = vec![CreatePartitionsTopic { name: text("b"), count: 12, ..Default::default() }];
        let request = CreatePartitionsRequestData { topics, ..Default::default() };
        let decision = harness.state.create_partitions(&request);
        let response = harness.commit(decision);
        assert_eq!((response.results[0].error_code, harness.state.metered()), (0, 0));
    }

    #[test]
    fn old_versions_get_what_they_want_and_wait() {
        let mut harness = harness();
        assert_eq!(create(&mut harness, "c", false, &["a"], 21), (vec![0], 10_000));
        assert_eq!(create(&mut harness, "c", false, &["b"], 1), (vec![0], 11_000));
    }
}
