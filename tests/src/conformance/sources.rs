//! Which class and method of Apache Kafka 4.3 decides each error code that the cases bring about.
//!
//! Looked up in Kafka's sources, and where Kafka failed inside (UNKNOWN_SERVER_ERROR) in the stack traces of its logs. A code that several
//! places decide has them all. `tests/README.md` has the table, with how often the golden files have each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use broker::protocol::ErrorCode as E;
use serde_json::Value;

use super::side::Exchange;

/// A place in Kafka's sources, and the errors of an API's that it decides.
type Place = (&'static str, &'static [E]);

macro_rules! sources {
    ($($api:ident { $($place:literal: $($error:ident)+;)+ })+) => {
        /// By API, in the order of their names.
        pub const SOURCES: &[(&str, &[Place])] = &[$((stringify!($api), &[$(($place, &[$(E::$error),+])),+])),+];
    };
}

sources! {
    AddOffsetsToTxn {
        "TransactionCoordinator.handleAddPartitionsToTransaction": InvalidProducerIdMapping ProducerFenced;
        "KafkaApis.handleAddOffsetsToTxnRequest (before version 2)": InvalidProducerEpoch;
    }
    AddPartitionsToTxn {
        "TransactionCoordinator.handleAddPartitionsToTransaction":
            InvalidProducerIdMapping ProducerFenced ConcurrentTransactions;
        "TransactionCoordinator.handleVerifyPartitionsInTransaction": TransactionAbortable;
        "KafkaApis.handleAddPartitionsToTxnRequest": UnknownTopicOrPartition OperationNotAttempted InvalidProducerEpoch;
    }
    AddRaftVoter {
        "KafkaRaftClient.handleAddVoterRequest": InconsistentClusterId InvalidRequest;
        "AddVoterHandler.handleAddVoterRequest": UnsupportedVersion DuplicateVoter;
        "AddVoterHandler.handleApiVersionsResponse": RequestTimedOut;
    }
    AlterClientQuotas {
        "ClientQuotaControlManager.alterClientQuotas": InvalidRequest;
        "ClientQuotaControlManager.validateEntity": InvalidRequest;
        "ClientQuotaControlManager.validateQuotaKeyValue": InvalidRequest;
    }
    AlterConfigs {
        "ConfigAdminManager.preprocess": InvalidRequest;
        "ConfigAdminManager.validateBrokerConfigChange": InvalidRequest;
        "ControllerConfigurationValidator.validateTopicName": InvalidRequest;
        "QuorumController.ConfigResourceExistenceChecker.accept": UnknownTopicOrPartition;
        "Topic.validate": InvalidTopicException;
        "LogConfig.validate": InvalidConfig;
        "GroupConfig.validate": InvalidConfig;
        "ClientMetricsConfigs.parseMatchingPatterns": InvalidConfig;
    }
    AlterPartitionReassignments {
        "ReplicationControlManager.alterPartitionReassignment": UnknownTopicOrPartition;
        "ReplicationControlManager.validateManualPartitionAssignment": InvalidReplicaAssignment;
        "ReplicationControlManager.cancelPartitionReassignment": NoReassignmentInProgress;
        "ReplicationControlManager.validatePartitionReplicationFactorUnchanged": InvalidReplicationFactor;
    }
    AlterReplicaLogDirs {
        "LogManager.isLogDirOnline": LogDirNotFound;
        "ReplicaManager.alterReplicaLogDirs": InvalidTopicException;
    }
    AlterShareGroupOffsets {
        "KafkaApis.handleAlterShareGroupOffsetsRequest": UnknownTopicOrPartition;
        "GroupMetadataManager.alterShareGroupOffsets": UnknownTopicOrPartition;
        "DefaultStatePersister.validateGroupTopicPartitionData": UnknownServerError;
        "GroupCoordinatorService.alterShareGroupOffsets": InvalidGroupId;
        "GroupMetadataManager.throwIfShareGroupIsNotEmpty": NonEmptyGroup;
    }
    ApiVersions {
        "ApiVersionsRequest.isValid": InvalidRequest;
    }
    ConsumerGroupDescribe {
        "GroupMetadataManager.consumerGroupDescribe": GroupIdNotFound;
        "GroupCoordinatorService.consumerGroupDescribe": InvalidGroupId;
        "CoordinatorRuntime.contextOrThrow": NotCoordinator;
    }
    ConsumerGroupHeartbeat {
        "GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid": InvalidRequest UnsupportedAssignor;
        "ConsumerGroup.getOrMaybeCreateMember": UnknownMemberId;
        "GroupMetadataManager.throwIfStaticMemberIsUnknown": UnknownMemberId;
        "GroupMetadataManager.throwIfConsumerGroupMemberEpochIsInvalid": FencedMemberEpoch;
        "Utils.throwIfRegularExpressionIsInvalid": InvalidRegularExpression;
        "GroupMetadataManager.getOrMaybeCreateConsumerGroup": GroupIdNotFound;
        "GroupMetadataManager.convertToConsumerGroup": GroupIdNotFound;
        "GroupMetadataManager.throwIfInstanceIdIsUnreleased": UnreleasedInstanceId;
        "GroupMetadataManager.throwIfInstanceIdIsFenced": FencedInstanceId;
    }
    CreatePartitions {
        "ControllerApis.createPartitions": InvalidRequest;
        "ReplicationControlManager.createPartitions":
            UnknownTopicOrPartition InvalidReplicaAssignment InvalidPartitions;
        "ReplicationControlManager.validateManualPartitionAssignment": InvalidReplicaAssignment;
        "StrictControllerMutationQuota.record": ThrottlingQuotaExceeded;
    }
    CreateTopics {
        "ControllerApis.createTopics": InvalidRequest;
        "ReplicationControlManager.createTopic":
            InvalidRequest InvalidPartitions InvalidReplicationFactor InvalidReplicaAssignment;
        "ReplicationControlManager.validateNewTopicNames": InvalidTopicException;
        "ReplicationControlManager.createTopics": TopicAlreadyExists;
        "ReplicationControlManager.validateTotalNumberOfPartitions": PolicyViolation;
        "ReplicationControlManager.validateManualPartitionAssignment": InvalidReplicaAssignment;
        "StripedReplicaPlacer.place": InvalidReplicationFactor;
        "ControllerConfigurationValidator.filterAndValidateNullConfigs": InvalidConfig;
        "LogConfig.validate": InvalidConfig;
        "StrictControllerMutationQuota.record": ThrottlingQuotaExceeded;
    }
    DeleteGroups {
        "GroupMetadataManager.group": GroupIdNotFound;
        "CoordinatorRuntime.contextOrThrow": NotCoordinator;
        "validateDeleteGroup of ClassicGroup, ConsumerGroup, StreamsGroup": NonEmptyGroup;
        "ShareGroup.validateEmptyGroup": NonEmptyGroup;
    }
    DeleteRecords {
        "KafkaApis.handleDeleteRecordsRequest": UnknownTopicOrPartition;
        "ReplicaManager.deleteRecordsOnLocalLog": InvalidTopicException;
        "Partition.deleteRecordsOnLeader": OffsetOutOfRange NotLeaderOrFollower PolicyViolation;
    }
    DeleteShareGroupOffsets {
        "GroupMetadataManager.sharePartitionsEligibleForOffsetDeletion": UnknownTopicOrPartition;
        "GroupMetadataManager.group": GroupIdNotFound;
        "ShareGroup.validateEmptyGroup": NonEmptyGroup;
    }
    DeleteTopics {
        "ControllerApis.deleteTopics": InvalidRequest;
        "ReplicationControlManager.findTopicIds": UnknownTopicOrPartition;
        "ReplicationControlManager.findTopicNames": UnknownTopicId;
        "StrictControllerMutationQuota.record": ThrottlingQuotaExceeded;
    }
    DescribeClientQuotas {
        "ClientQuotasImage.describe": InvalidRequest UnsupportedVersion;
    }
    DescribeCluster {
        "AuthHelper.computeDescribeClusterResponse": UnsupportedEndpointType;
    }
    DescribeConfigs {
        "ConfigHelper.handleDescribeConfigsRequest": InvalidRequest;
        "ConfigHelper.describeConfigs": InvalidRequest UnknownTopicOrPartition;
        "ConfigHelper.resourceNameToBrokerId": InvalidRequest;
        "Topic.validate": InvalidTopicException;
    }
    DescribeGroups {
        "GroupMetadataManager.describeGroups": GroupIdNotFound;
        "CoordinatorRuntime.contextOrThrow": NotCoordinator;
    }
    DescribeProducers {
        "KafkaApis.checkValidTopic": InvalidTopicException;
        "KafkaApis.handleDescribeProducersRequest": UnknownTopicOrPartition;
        "ReplicaManager.getPartitionOrError": UnknownTopicOrPartition;
    }
    DescribeQuorum {
        "KafkaRaftClient.handleDescribeQuorumRequest": UnknownTopicOrPartition;
    }
    DescribeShareGroupOffsets {
        "DefaultStatePersister.validateGroupTopicPartitionData": UnknownServerError;
    }
    DescribeTopicPartitions {
        "DescribeTopicPartitionsRequestHandler.handleDescribeTopicPartitionsRequest": InvalidRequest UnknownServerError;
        "KRaftMetadataCache.describeTopicResponse": UnknownTopicOrPartition InvalidTopicException;
    }
    DescribeTransactions {
        "TransactionCoordinator.handleDescribeTransactions": InvalidRequest;
        "TransactionStateManager.getAndMaybeAddTransactionState": NotCoordinator;
    }
    ElectLeaders {
        "ReplicationControlManager.electionType": InvalidRequest;
        "ReplicationControlManager.electLeader": ElectionNotNeeded UnknownTopicOrPartition;
    }
    EndTxn {
        "TransactionCoordinator.endTransaction": InvalidProducerIdMapping ProducerFenced;
        "TransactionCoordinator.logInvalidStateTransitionAndReturnError": InvalidTxnState;
        "KafkaApis.handleEndTxnRequest (before version 2)": InvalidProducerEpoch;
    }
    Fetch {
        "IsolationLevel.forId": UnknownServerError;
        "LogSegment.read": UnknownServerError;
        "KafkaApis.handleFetchRequest": UnknownTopicId UnknownTopicOrPartition;
        "FetchManager.newContext": FetchSessionIdNotFound InvalidFetchSessionEpoch FetchSessionTopicIdError;
        "ReplicaManager.readFromLog": InconsistentTopicId;
        "Partition.checkCurrentLeaderEpoch": FencedLeaderEpoch UnknownLeaderEpoch;
        "Partition.getLocalLog": NotLeaderOrFollower;
        "Partition.readRecords": OffsetOutOfRange;
        "UnifiedLog.checkLogStartOffset": OffsetOutOfRange;
        "LocalLog.read": OffsetOutOfRange;
    }
    FindCoordinator {
        "KafkaApis.getCoordinator": InvalidRequest;
        "SharePartitionKey.getInstance": InvalidRequest;
        "FindCoordinatorRequest.CoordinatorType.forId": InvalidRequest;
    }
    GetTelemetrySubscriptions {
        "ClientMetricsManager.validateGetRequest": ThrottlingQuotaExceeded;
    }
    Heartbeat {
        "GroupCoordinatorService.heartbeat": InvalidGroupId;
        "GroupMetadataManager.classicGroupHeartbeat": UnknownMemberId;
        "GroupMetadataManager.validateClassicGroupHeartbeat": IllegalGeneration;
        "GroupMetadataManager.classicGroupHeartbeatToClassicGroup": UnknownMemberId RebalanceInProgress;
        "GroupMetadataManager.classicGroupHeartbeatToConsumerGroup": RebalanceInProgress;
        "ClassicGroup.validateMember": UnknownMemberId FencedInstanceId;
    }
    IncrementalAlterConfigs {
        "ConfigAdminManager.preprocess": InvalidRequest;
        "ConfigAdminManager.validateBrokerConfigChange": InvalidRequest;
        "ControllerConfigurationValidator.validateTopicName": InvalidRequest;
        "QuorumController.ConfigResourceExistenceChecker.accept": UnknownTopicOrPartition;
        "Topic.validate": InvalidTopicException;
        "RuntimeLoggerManager.validateLogLevelConfigs": InvalidRequest InvalidConfig UnknownServerError;
        "ConfigurationControlManager.incrementalAlterConfigResource": InvalidConfig UnknownServerError;
        "LogConfig.validate": InvalidConfig;
        "GroupConfig.validate": InvalidConfig;
        "ClientMetricsConfigs.validate": InvalidRequest InvalidConfig;
    }
    InitProducerId {
        "KafkaApis.handleInitProducerIdRequest": InvalidRequest InvalidProducerEpoch;
        "TransactionCoordinator.handleInitProducerId": InvalidRequest InvalidTransactionTimeout;
        "TransactionCoordinator.prepareInitProducerIdTransit": ProducerFenced;
        "TransactionMetadata.prepareIncrementProducerEpoch": ProducerFenced;
    }
    JoinGroup {
        "GroupCoordinatorService.joinGroup": InvalidGroupId InvalidSessionTimeout;
        "GroupMetadataManager.classicGroupJoin": InconsistentGroupProtocol;
        "GroupMetadataManager.classicGroupJoinToClassicGroup": UnknownMemberId;
        "GroupMetadataManager.classicGroupJoinNewMember": InconsistentGroupProtocol;
        "GroupMetadataManager.classicGroupJoinNewDynamicMember": MemberIdRequired;
        "GroupMetadataManager.classicGroupJoinToConsumerGroup": MemberIdRequired;
        "GroupMetadataManager.classicGroupJoinExistingMember": InconsistentGroupProtocol UnknownServerError;
        "ClassicGroup.validateMember": UnknownMemberId FencedInstanceId;
    }
    LeaveGroup {
        "GroupCoordinatorService.leaveGroup": InvalidGroupId UnknownMemberId;
        "GroupMetadataManager.classicGroupLeave": UnknownMemberId;
        "GroupMetadataManager.classicGroupLeaveToClassicGroup": UnknownMemberId;
        "ClassicGroup.validateMember": UnknownMemberId FencedInstanceId;
    }
    ListConfigResources {
        "KafkaApis.handleListConfigResources": UnsupportedVersion;
    }
    ListOffsets {
        "IsolationLevel.forId": UnknownServerError;
        "ReplicaManager.fetchOffset": InvalidRequest UnsupportedVersion;
        "ReplicaManager.getPartitionOrError": UnknownTopicOrPartition;
        "Partition.checkCurrentLeaderEpoch": FencedLeaderEpoch UnknownLeaderEpoch;
        "Partition.getLocalLog": NotLeaderOrFollower;
    }
    ListTransactions {
        "TransactionStateManager.listTransactionStates": InvalidRegularExpression;
    }
    Metadata {
        "KafkaApis.handleTopicMetadataRequest": UnknownTopicId InvalidRequest;
        "KafkaApis.getTopicMetadata": UnknownTopicOrPartition InvalidTopicException UnknownServerError;
    }
    OffsetCommit {
        "KafkaApis.handleOffsetCommitRequest": UnknownTopicId UnknownTopicOrPartition;
        "ClassicGroup.validateOffsetCommit": IllegalGeneration RebalanceInProgress UnknownMemberId;
        "ClassicGroup.validateMember": UnknownMemberId FencedInstanceId;
        "OffsetMetadataManager.commitOffset": OffsetMetadataTooLarge;
        "ConsumerGroup.validateOffsetCommit": UnsupportedVersion StaleMemberEpoch;
        "ConsumerGroup.createAssignmentEpochValidator": StaleMemberEpoch;
        "StreamsGroup.validateOffsetCommit": UnsupportedVersion StaleMemberEpoch;
        "StreamsGroup.createAssignmentEpochValidator": StaleMemberEpoch;
        "StreamsGroup.getMemberOrThrow": UnknownMemberId;
        "ShareGroup.validateOffsetCommit": GroupIdNotFound;
    }
    OffsetDelete {
        "KafkaApis.handleOffsetDeleteRequest": UnknownTopicOrPartition;
        "OffsetMetadataManager.deleteOffsets": GroupSubscribedToTopic;
        "GroupCoordinatorService.deleteOffsets": InvalidGroupId;
        "GroupMetadataManager.group": GroupIdNotFound;
        "ShareGroup.validateOffsetDelete": GroupIdNotFound;
    }
    OffsetFetch {
        "KafkaApis.fetchOffsetsForGroup": UnknownTopicId;
        "ConsumerGroup.validateMemberEpoch": StaleMemberEpoch;
        "StreamsGroup.validateMemberEpoch": StaleMemberEpoch;
        "StreamsGroup.validateOffsetFetch": UnknownMemberId;
        "OffsetMetadataManager.fetchOffsets": UnstableOffsetCommit;
        "OffsetMetadataManager.fetchAllOffsets": UnstableOffsetCommit;
    }
    OffsetForLeaderEpoch {
        "ReplicaManager.lastOffsetForLeaderEpoch": NotLeaderOrFollower UnknownTopicOrPartition;
        "Partition.checkCurrentLeaderEpoch": FencedLeaderEpoch UnknownLeaderEpoch;
        "Partition.getLocalLog": NotLeaderOrFollower;
    }
    Produce {
        "KafkaApis.handleProduceRequest": UnknownTopicId UnknownTopicOrPartition TransactionalIdAuthorizationFailed;
        "ProduceRequest.validateRecords": InvalidRecord UnsupportedCompressionType;
        "CompressionType.forId": UnknownServerError;
        "ReplicaManager.sendInvalidRequiredAcksResponse": InvalidRequiredAcks;
        "Partition.appendRecordsToLeader": NotLeaderOrFollower;
        "UnifiedLog.analyzeAndValidateRecords": InvalidRecord CorruptMessage MessageTooLarge;
        "ByteBufferLogInputStream.nextBatchSize": CorruptMessage;
        "LogValidator.validateBatch": InvalidRecord;
        "LogValidator.validateRecord": InvalidRecord;
        "LogValidator.validateKey": InvalidRecord;
        "LogValidator.validateTimestamp": InvalidTimestamp;
        "LogValidator.validateMessagesAndAssignOffsetsCompressed": UnknownServerError;
        "ProducerAppendInfo.checkSequence": OutOfOrderSequenceNumber;
        "ProducerAppendInfo.checkProducerEpoch": InvalidProducerEpoch;
        "TransactionCoordinator.handleVerifyPartitionsInTransaction": InvalidProducerIdMapping;
        "AddPartitionsToTxnManager.onComplete": InvalidTxnState;
    }
    PushTelemetry {
        "ClientMetricsManager.processPushTelemetryRequest": InvalidRequest;
        "ClientMetricsManager.validatePushRequest":
            ThrottlingQuotaExceeded UnsupportedCompressionType UnknownSubscriptionId TelemetryTooLarge InvalidRequest;
    }
    RemoveRaftVoter {
        "KafkaRaftClient.handleRemoveVoterRequest": InconsistentClusterId InvalidRequest;
        "RemoveVoterHandler.handleRemoveVoterRequest": UnsupportedVersion VoterNotFound;
    }
    ShareAcknowledge {
        "KafkaApis.handleShareAcknowledgeRequest": InvalidRequest;
        "KafkaApis.getAcknowledgeBatchesFromShareAcknowledgeRequest": UnknownTopicId;
        "KafkaApis.validateAcknowledgementBatches": InvalidRequest;
        "KafkaApis.handleAcknowledgements": UnknownTopicOrPartition;
        "SharePartitionManager.acknowledgeSessionUpdate": ShareSessionNotFound InvalidShareSessionEpoch;
        "SharePartition.fetchSubMapForAcknowledgementBatch": InvalidRecordState InvalidRequest UnknownServerError;
        "SharePartition.acknowledgePerOffsetBatchRecords": InvalidRecordState;
    }
    ShareFetch {
        "KafkaApis.handleShareFetchRequest": InvalidRequest;
        "SharePartitionManager.newContext":
            InvalidRequest ShareSessionNotFound InvalidShareSessionEpoch UnknownServerError;
        "KafkaApis.handleFetchFromShareFetchRequest": UnknownTopicOrPartition;
        "KafkaApis.handleAcknowledgements": UnknownTopicOrPartition;
        "KafkaApis.validateAcknowledgementBatches": InvalidRequest;
        "SharePartition.fetchSubMapForAcknowledgementBatch": InvalidRecordState InvalidRequest UnknownServerError;
        "ShareFetchUtils.partition": NotLeaderOrFollower;
        "ShareAcquireMode.forId": UnknownServerError;
        "PartitionMaxBytesStrategy.checkValidArguments": UnknownServerError;
        "BrokerTopicStats.topicStats (of an unknown topic id)": UnknownServerError;
    }
    ShareGroupDescribe {
        "GroupMetadataManager.shareGroupDescribe": GroupIdNotFound;
        "GroupCoordinatorService.shareGroupDescribe": InvalidGroupId;
        "CoordinatorRuntime.contextOrThrow": NotCoordinator;
    }
    ShareGroupHeartbeat {
        "KafkaApis.isMemberIdValid": InvalidRequest;
        "GroupCoordinatorService.throwIfShareGroupHeartbeatRequestIsInvalid": InvalidRequest;
        "ShareGroup.getOrMaybeCreateMember": UnknownMemberId;
        "GroupMetadataManager.throwIfShareGroupMemberEpochIsInvalid": FencedMemberEpoch;
        "GroupMetadataManager.getOrMaybeCreateShareGroup": GroupIdNotFound;
        "CoordinatorRuntime.contextOrThrow": NotCoordinator;
    }
    StreamsGroupDescribe {
        "GroupMetadataManager.streamsGroupDescribe": GroupIdNotFound;
        "GroupCoordinatorService.streamsGroupDescribe": InvalidGroupId;
        "CoordinatorRuntime.contextOrThrow": NotCoordinator;
    }
    StreamsGroupHeartbeat {
        "GroupCoordinatorService.throwIfStreamsGroupHeartbeatRequestIsInvalid": InvalidRequest;
        "GroupCoordinatorService.throwIfStreamsGroupHeartbeatRequestIsUsingUnsupportedFeatures": InvalidRequest;
        "GroupCoordinatorService.throwIfInvalidTopology": StreamsInvalidTopology;
        "KafkaApis.handleStreamsGroupHeartbeat": StreamsInvalidTopology;
        "ChangelogTopics.setup": StreamsInvalidTopology;
        "RepartitionTopics.setup": StreamsInvalidTopology;
        "StreamsTopology.fromHeartbeatRequest": UnknownServerError;
        "InternalTopicManager.configureTopics": UnknownServerError;
        "GroupMetadataManager.streamsGroupHeartbeat": UnknownServerError;
        "StreamsGroup.getMemberOrThrow": UnknownMemberId;
        "GroupMetadataManager.throwIfStreamsGroupMemberEpochIsInvalid": FencedMemberEpoch;
        "GroupMetadataManager.getStreamsGroupOrThrow": GroupIdNotFound;
        "GroupMetadataManager.castToStreamsGroup": GroupIdNotFound;
        "GroupMetadataManager.group": GroupIdNotFound;
    }
    SyncGroup {
        "GroupMetadataManager.classicGroupSync": UnknownMemberId;
        "GroupMetadataManager.validateSyncGroup": IllegalGeneration InconsistentGroupProtocol;
        "GroupMetadataManager.classicGroupSyncToClassicGroup": RebalanceInProgress;
        "ClassicGroup.validateMember": UnknownMemberId FencedInstanceId;
    }
    TxnOffsetCommit {
        "KafkaApis.handleTxnOffsetCommitRequest": UnknownTopicOrPartition;
        "TransactionCoordinator.handleVerifyPartitionsInTransaction": InvalidProducerIdMapping TransactionAbortable;
        "TransactionCoordinator.handleAddPartitionsToTransaction": InvalidProducerIdMapping;
        "AddPartitionsToTxnManager.onComplete": InvalidProducerEpoch InvalidTxnState;
        "OffsetMetadataManager.validateTransactionalOffsetCommit": IllegalGeneration;
        "ClassicGroup.validateOffsetCommit": IllegalGeneration;
        "ClassicGroup.validateMember": UnknownMemberId;
    }
    UnregisterBroker {
        "ReplicationControlManager.unregisterBroker": BrokerIdNotRegistered;
    }
    UpdateFeatures {
        "FeatureControlManager.updateFeature": InvalidUpdateVersion;
        "FeatureControlManager.updateMetadataVersion": InvalidUpdateVersion;
    }
}

/// The places that decide an error of an API's.
fn places(api: &str, error: E) -> Vec<&'static str> {
    let of_api = SOURCES.iter().find(|(name, _)| *name == api).map_or(&[][..], |(_, places)| places);
    of_api.iter().filter(|(_, errors)| errors.contains(&error)).map(|(place, _)| *place).collect()
}

/// How many exchanges of each API had each error, however often each.
pub fn counts(exchanges: &[Exchange]) -> BTreeMap<(String, i16), usize> {
    let mut counts = BTreeMap::new();
    for exchange in exchanges {
        let api = exchange.key.split(' ').next().unwrap_or_default();
        let mut errors = Vec::new();
        collect(&exchange.outcome, &mut errors);
        errors.sort_unstable();
        errors.dedup();
        for error in errors {
            *counts.entry((api.to_owned(), error)).or_default() += 1;
        }
    }
    counts
}

fn collect(outcome: &Value, errors: &mut Vec<i16>) {
    match outcome {
        Value::Array(items) => items.iter().for_each(|item| collect(item, errors)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_i64().and_then(|code| i16::try_from(code).ok()) {
                    Some(0) => {}
                    Some(code) if name.ends_with("ErrorCode") => errors.push(code),
                    _ => collect(value, errors),
                }
            }
        }
        _ => {}
    }
}

/// Kafka's name of an error.
fn name(error: E) -> String {
    let mut name = String::new();
    for letter in format!("{error:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// The table: each API and error that these exchanges have, how many do, and who decides it.
pub fn table(exchanges: &[Exchange]) -> String {
    let mut text = String::from("| API | error | | exchanges | decided by |\n|---|---|---|---|---|\n");
    let mut last = String::new();
    for ((api, code), count) in counts(exchanges) {
        let error = E::from(code);
        let shown = if api == last { "" } else { api.as_str() };
        // Writing to a String does not fail.
        let _ = writeln!(text, "| {shown} | {code} | {} | {count} | {} |", name(error), places(&api, error).join(", "));
        last = api;
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::golden;
    use super::*;

    #[test]
    fn each_error_that_kafka_gave_has_its_place_and_no_other_has() {
        let golden = golden::read(&golden::dir()).expect("the golden files are there");
        let given: BTreeSet<(String, i16)> = counts(&golden).into_keys().collect();
        assert!(given.len() > 200, "only {} errors were given", given.len());
        let mut known = BTreeSet::new();
        for (api, places) in SOURCES {
            for error in places.iter().flat_map(|(_, errors)| errors.iter()) {
                known.insert(((*api).to_owned(), error.code()));
            }
        }
        let missing: Vec<_> = given.difference(&known).collect();
        assert!(
            missing.is_empty(),
            "look up in Kafka's sources who decides these, and add them to SOURCES: {missing:?}"
        );
        let stale: Vec<_> = known.difference(&given).collect();
        assert!(stale.is_empty(), "no case brings these about: {stale:?}");
        assert!(SOURCES.is_sorted_by_key(|(api, _)| *api), "in the order of the APIs' names");
        assert!(given.iter().all(|(_, code)| E::from(*code).code() == *code), "each code has a name");
    }

    #[test]
    fn an_exchange_counts_once_for_each_error() {
        let outcome = serde_json::json!({"ErrorCode": 0, "Topics": [{"Partitions": [{"ErrorCode": 3}, {"PartitionErrorCode": 3}]},
            {"ErrorCode": 6}], "NodeId": 5});
        let exchanges = vec![Exchange { key: "Produce v3 acks: one".into(), outcome }; 2];
        let expected = BTreeMap::from([(("Produce".to_owned(), 3), 2), (("Produce".to_owned(), 6), 2)]);
        assert_eq!(counts(&exchanges), expected);
        assert_eq!(name(E::UnknownTopicOrPartition), "UNKNOWN_TOPIC_OR_PARTITION");
    }
}
