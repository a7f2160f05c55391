//! The five requests about share state as one family: each names partitions of one group, is taken apart by partition, and its answer is put
//! together again.
//!
//! InitializeShareGroupState (83), ReadShareGroupState (84), WriteShareGroupState (85), DeleteShareGroupState (86),
//! ReadShareGroupStateSummary (87): KIP-932, and KIP-1226 for version 1 of the last and of 85.

use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    DeleteShareGroupStateRequestData, DeleteShareGroupStateResponseData, InitializeShareGroupStateRequestData,
    InitializeShareGroupStateResponseData, KafkaString, ReadShareGroupStateRequestData,
    ReadShareGroupStateResponseData, ReadShareGroupStateSummaryRequestData, ReadShareGroupStateSummaryResponseData,
    WriteShareGroupStateRequestData, WriteShareGroupStateResponseData, delete_share_group_state_request,
    delete_share_group_state_response, initialize_share_group_state_request, initialize_share_group_state_response,
    read_share_group_state_request, read_share_group_state_response, read_share_group_state_summary_request,
    read_share_group_state_summary_response, write_share_group_state_request, write_share_group_state_response,
};
use crate::types::{Id, TopicIdPartition};

macro_rules! family {
    ($($kind:ident: $request:ident, $response:ident, $in:ident::$topic:ident, $out:ident::$result:ident;)*) => {
        /// Which of the five.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum StateKind {
            $(#[doc = concat!("`", stringify!($request), "`")] $kind,)*
        }

        /// What is asked of share coordinators, for partitions of one group, which may be of many coordinators.
        #[derive(Clone, Debug, PartialEq)]
        pub enum StateRequest {
            $(#[doc = concat!("`", stringify!($request), "`")] $kind(Box<$request>),)*
        }

        /// Their answers: each partition that was named, with its error code.
        #[derive(Clone, Debug, PartialEq)]
        pub enum StateResponse {
            $(#[doc = concat!("`", stringify!($response), "`")] $kind(Box<$response>),)*
        }

        /// What is asked about one partition.
        #[derive(Clone, Debug, PartialEq)]
        pub enum PartRequest {
            $(#[doc = concat!("Of `", stringify!($request), "`.")] $kind($in::PartitionData),)*
        }

        /// What is answered about one partition.
        #[derive(Clone, Debug, PartialEq)]
        pub enum PartResponse {
            $(#[doc = concat!("Of `", stringify!($response), "`.")] $kind($out::PartitionResult),)*
        }

        impl StateRequest {
            /// Which of the five.
            pub fn kind(&self) -> StateKind {
                match self { $(StateRequest::$kind(_) => StateKind::$kind,)* }
            }

            /// Whose state.
            pub fn group_id(&self) -> &KafkaString {
                match self { $(StateRequest::$kind(request) => &request.group_id,)* }
            }

            /// What it asks of each partition, in its order.
            pub fn split(self) -> Vec<(TopicIdPartition, PartRequest)> {
                match self {
                    $(StateRequest::$kind(request) => {
                        let mut parts = Vec::new();
                        for topic in request.topics {
                            let topic_id = Id::from(topic.topic_id);
                            for part in topic.partitions {
                                let id = TopicIdPartition { topic_id, partition: part.partition };
                                parts.push((id, PartRequest::$kind(part)));
                            }
                        }
                        parts
                    })*
                }
            }

            /// One request of many parts; those of another kind are left out.
            pub fn join(
                kind: StateKind,
                group_id: KafkaString,
                parts: impl IntoIterator<Item = (TopicIdPartition, PartRequest)>,
            ) -> StateRequest {
                match kind {
                    $(StateKind::$kind => {
                        let mut topics: Vec<$in::$topic> = Vec::new();
                        for (id, part) in parts {
                            let PartRequest::$kind(part) = part else { continue };
                            match topics.last_mut().filter(|topic| Id::from(topic.topic_id) == id.topic_id) {
                                Some(topic) => topic.partitions.push(part),
                                None => topics.push(
                                    $in::$topic::default().with_topic_id(id.topic_id.into()).with_partitions(vec![part]),
                                ),
                            }
                        }
                        let request = $request::default().with_group_id(group_id).with_topics(topics);
                        StateRequest::$kind(Box::new(request))
                    })*
                }
            }
        }

        impl StateResponse {
            /// Which of the five.
            pub fn kind(&self) -> StateKind {
                match self { $(StateResponse::$kind(_) => StateKind::$kind,)* }
            }

            /// What it answers about each partition, in its order.
            pub fn split(self) -> Vec<(TopicIdPartition, PartResponse)> {
                match self {
                    $(StateResponse::$kind(response) => {
                        let mut parts = Vec::new();
                        for topic in response.results {
                            let topic_id = Id::from(topic.topic_id);
                            for part in topic.partitions {
                                let id = TopicIdPartition { topic_id, partition: part.partition };
                                parts.push((id, PartResponse::$kind(part)));
                            }
                        }
                        parts
                    })*
                }
            }

            /// One answer of many parts; those of another kind are left out.
            pub fn join(
                kind: StateKind,
                parts: impl IntoIterator<Item = (TopicIdPartition, PartResponse)>,
            ) -> StateResponse {
                match kind {
                    $(StateKind::$kind => {
                        let mut results: Vec<$out::$result> = Vec::new();
                        for (id, part) in parts {
                            let PartResponse::$kind(part) = part else { continue };
                            match results.last_mut().filter(|topic| Id::from(topic.topic_id) == id.topic_id) {
                                Some(topic) => topic.partitions.push(part),
                                None => results.push(
                                    $out::$result::default().with_topic_id(id.topic_id.into()).with_partitions(vec![part]),
                                ),
                            }
                        }
                        StateResponse::$kind(Box::new($response::default().with_results(results)))
                    })*
                }
            }
        }

        impl PartRequest {
            /// Which of the five it belongs to.
            pub fn kind(&self) -> StateKind {
                match self { $(PartRequest::$kind(_) => StateKind::$kind,)* }
            }

            /// Its partition's index.
            pub fn partition(&self) -> i32 {
                match self { $(PartRequest::$kind(part) => part.partition,)* }
            }
        }

        impl PartResponse {
            /// Its error.
            pub fn error(&self) -> ErrorCode {
                match self { $(PartResponse::$kind(part) => ErrorCode::from(part.error_code),)* }
            }

            /// That something went wrong with a partition.
            pub fn refusal(kind: StateKind, partition: i32, error: ErrorCode, message: &str) -> PartResponse {
                let message = Some(KafkaString::from(message.to_owned()));
                match kind {
                    $(StateKind::$kind => PartResponse::$kind(
                        $out::PartitionResult::default()
                            .with_partition(partition)
                            .with_error_code(error.code())
                            .with_error_message(message),
                    ),)*
                }
            }
        }
    };
}

family! {
    Initialize: InitializeShareGroupStateRequestData, InitializeShareGroupStateResponseData,
        initialize_share_group_state_request::InitializeStateData,
        initialize_share_group_state_response::InitializeStateResult;
    Read: ReadShareGroupStateRequestData, ReadShareGroupStateResponseData,
        read_share_group_state_request::ReadStateData, read_share_group_state_response::ReadStateResult;
    Write: WriteShareGroupStateRequestData, WriteShareGroupStateResponseData,
        write_share_group_state_request::WriteStateData, write_share_group_state_response::WriteStateResult;
    Delete: DeleteShareGroupStateRequestData, DeleteShareGroupStateResponseData,
        delete_share_group_state_request::DeleteStateData, delete_share_group_state_response::DeleteStateResult;
    Summary: ReadShareGroupStateSummaryRequestData, ReadShareGroupStateSummaryResponseData,
        read_share_group_state_summary_request::ReadStateSummaryData,
        read_share_group_state_summary_response::ReadStateSummaryResult;
}
