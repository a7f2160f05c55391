//! The first records of a new cluster.
//!
//! Source: `org.apache.kafka.controller.ActivationRecordsGenerator.recordsForEmptyLog`.

use super::features::FEATURES;
use super::state::{ControllerState, Decision};
use crate::metadata::MetadataRecord;
use crate::metadata::config::RESOURCE_BROKER;
use crate::metadata::record::{BeginTransactionRecord, ConfigRecord, EndTransactionRecord, FeatureLevelRecord};

const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

impl ControllerState {
    /// What an empty log begins with; nothing if the cluster has its features already.
    pub fn bootstrap(&self) -> Decision<()> {
        if !self.image.features.is_empty() {
            return Decision::only(());
        }
        let mut records: Vec<MetadataRecord> =
            vec![BeginTransactionRecord { name: Some("Bootstrap records".to_owned()) }.into()];
        for feature in FEATURES.iter().filter(|feature| feature.initial > 0) {
            records.push(FeatureLevelRecord { name: feature.name.to_owned(), feature_level: feature.initial }.into());
        }
        // With ELR, all brokers must agree on the minimum, or the controller would miscount.
        records.push(
            ConfigRecord {
                resource_type: RESOURCE_BROKER,
                resource_name: String::new(),
                name: MIN_INSYNC_REPLICAS.to_owned(),
                value: Some(self.config.i64(MIN_INSYNC_REPLICAS).to_string()),
            }
            .into(),
        );
        records.push(EndTransactionRecord {}.into());
        Decision { records, response: (), events: Vec::new() }
    }
}
