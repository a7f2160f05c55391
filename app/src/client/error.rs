//! What can go wrong between a client and a cluster; each in one sentence.

use broker::protocol::{Api, DecodeError, EncodeError, ErrorCode, error_name};

use crate::monitor::order::Refusal;

/// Why a wish was not answered, or not granted.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no broker answers at {servers}: {why}")]
    Unreachable {
        /// Where it was tried.
        servers: String,
        /// What the last said.
        why: String,
    },
    /// The connection ended in the midst of it.
    #[error("{address} closed the connection: {why}")]
    Lost {
        /// Who.
        address: String,
        /// What the operating system said.
        why: String,
    },
    /// The same, of something that must not be done twice.
    #[error("{address} closed the connection before it answered ({why}): it may have been done or not")]
    Uncertain {
        /// Who.
        address: String,
        /// What the operating system said.
        why: String,
    },
    /// It took too long.
    #[error("{what} was not answered in time")]
    TimedOut {
        /// What was waited for.
        what: String,
    },
    /// The broker does not know the API, or none of our versions of it.
    #[error("the broker at {address} has no {} that this program knows", api.name())]
    Unsupported {
        /// Who.
        address: String,
        /// What was wanted.
        api: Api,
    },
    /// An answer that is none.
    #[error("{address} answered something that is no Kafka: {cause}")]
    Malformed {
        /// Who.
        address: String,
        /// What is wrong with it.
        cause: DecodeError,
    },
    /// An answer that is too large, or to something else.
    #[error("{address} answered something unexpected: {what}")]
    Unexpected {
        /// Who.
        address: String,
        /// What.
        what: String,
    },
    /// The request does not fit the version that the broker speaks.
    #[error("the broker is too old for this: {0}")]
    TooOld(#[from] EncodeError),
    /// The cluster said no.
    #[error("{}", refusal_words(*code, message.as_deref()))]
    Refused {
        /// Kafka's error.
        code: ErrorCode,
        /// The broker's own words, if it gave any.
        message: Option<String>,
    },
}

impl ClientError {
    /// An error code as an error; nothing, if it is none.
    pub fn check(code: i16, message: Option<&str>) -> Result<(), ClientError> {
        let code = ErrorCode::from(code);
        if code == ErrorCode::None {
            return Ok(());
        }
        Err(ClientError::Refused { code, message: message.map(str::to_owned) })
    }

    /// Kafka's error, if the cluster gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            ClientError::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the same may be answered otherwise in a moment, by another broker perhaps.
    pub fn is_passing(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } | ClientError::Lost { .. } => true,
            ClientError::Refused { code, .. } => matches!(
                code,
                ErrorCode::NotLeaderOrFollower
                    | ErrorCode::LeaderNotAvailable
                    | ErrorCode::FencedLeaderEpoch
                    | ErrorCode::UnknownLeaderEpoch
                    | ErrorCode::ReplicaNotAvailable
                    | ErrorCode::CoordinatorNotAvailable
                    | ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::NotCoordinator
                    | ErrorCode::NotController
                    | ErrorCode::BrokerNotAvailable
                    | ErrorCode::OffsetNotAvailable
            ),
            _ => false,
        }
    }

    /// Whether whoever was asked knows of no such topic, or of no such partition.
    pub fn is_of_unknown_topic(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId))
    }

    /// As the answer to a command: what was wanted (`Topic orders was not created`), and why not.
    pub fn refusal(&self, what: &str) -> Refusal {
        let text = format!("{what}: {self}.");
        match self.code() {
            None => Refusal::failed(text),
            Some(code) if self.is_passing() || code == ErrorCode::RequestTimedOut => Refusal::failed(text),
            Some(
                ErrorCode::UnknownTopicOrPartition
                | ErrorCode::UnknownTopicId
                | ErrorCode::GroupIdNotFound
                | ErrorCode::TransactionalIdNotFound
                | ErrorCode::NoReassignmentInProgress,
            ) => Refusal::not_found(text),
            Some(
                ErrorCode::TopicAlreadyExists
                | ErrorCode::NonEmptyGroup
                | ErrorCode::GroupSubscribedToTopic
                | ErrorCode::ElectionNotNeeded
                | ErrorCode::PreferredLeaderNotAvailable
                | ErrorCode::EligibleLeadersNotAvailable
                | ErrorCode::UnknownMemberId
                | ErrorCode::ReassignmentInProgress,
            ) => Refusal::conflict(text),
            Some(_) => Refusal::invalid(text),
        }
    }
}

/// `INVALID_CONFIG: Unknown topic config name: x`; without the broker's words, what the name says in lower case.
fn refusal_words(code: ErrorCode, message: Option<&str>) -> String {
    let name = error_name(code);
    match message.map(|message| message.trim_end_matches('.')) {
        Some(message) if !message.is_empty() => format!("{message} ({name})"),
        _ => format!("{} ({name})", meaning(code)),
    }
}

/// What an error means, where a broker sends none of its own words with it.
fn meaning(code: ErrorCode) -> String {
    let words = match code {
        ErrorCode::NotLeaderOrFollower => "leadership is moving",
        ErrorCode::LeaderNotAvailable => "the partition has no leader",
        ErrorCode::CoordinatorNotAvailable => "the group has no coordinator yet",
        ErrorCode::UnknownTopicOrPartition => "there is no such topic or partition",
        ErrorCode::OffsetOutOfRange => "the offset lies outside the log",
        ErrorCode::NonEmptyGroup => "the group has members: stop its consumers first",
        ErrorCode::UnknownMemberId => "the group has members: stop its consumers first",
        ErrorCode::GroupIdNotFound => "there is no such group",
        ErrorCode::GroupSubscribedToTopic => "the group reads the topic",
        ErrorCode::ElectionNotNeeded => "the leader is the one already",
        ErrorCode::PreferredLeaderNotAvailable => "the preferred replica is not in sync",
        ErrorCode::NoReassignmentInProgress => "no reassignment is under way",
        ErrorCode::RequestTimedOut => "the request timed out in the broker",
        ErrorCode::PolicyViolation => "the broker does not allow it",
        _ => return error_name(code).to_lowercase().replace('_', " "),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::order::RefusalKind;

    #[test]
    fn one_sentence_each() {
        let refused = |code, message: Option<&str>| ClientError::Refused { code, message: message.map(str::to_owned) };
        for (error, sentence, kind) in [
            (
                refused(ErrorCode::InvalidConfig, Some("Unknown topic config name: x")),
                "It failed: Unknown topic config name: x (INVALID_CONFIG).",
                RefusalKind::Invalid,
            ),
            (
                refused(ErrorCode::TopicAlreadyExists, Some("Topic 't' already exists.")),
                "It failed: Topic 't' already exists (TOPIC_ALREADY_EXISTS).",
                RefusalKind::Conflict,
            ),
            (
                refused(ErrorCode::GroupIdNotFound, None),
                "It failed: there is no such group (GROUP_ID_NOT_FOUND).",
                RefusalKind::NotFound,
            ),
            (
                refused(ErrorCode::InvalidPartitions, None),
                "It failed: invalid partitions (INVALID_PARTITIONS).",
                RefusalKind::Invalid,
            ),
            (
                refused(ErrorCode::NotController, Some("")),
                "It failed: not controller (NOT_CONTROLLER).",
                RefusalKind::Failed,
            ),
            (
                ClientError::TimedOut { what: "DescribeConfigs".into() },
                "It failed: DescribeConfigs was not answered in time.",
                RefusalKind::Failed,
            ),
        ] {
            let refusal = error.refusal("It failed");
            assert_eq!((refusal.text.as_str(), refusal.kind), (sentence, kind));
        }
        assert!(ClientError::check(0, None).is_ok());
        assert_eq!(ClientError::check(3, None).unwrap_err().code(), Some(ErrorCode::UnknownTopicOrPartition));
    }
}
