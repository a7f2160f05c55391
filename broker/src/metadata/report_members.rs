//! What is told of a group's members one by one: who came, who went, and why.
use borsh::{BorshDeserialize, BorshSerialize};

/// What became of a member.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// It joined.
    Joined,
    /// It is a static member that came back, and takes the place of the id that it had before.
    Replaced {
        /// That id.
        member_id: String,
    },
    /// It reads other topics than before, or offers other assignors.
    Resubscribed,
    /// It left by its own word, or was removed by an administrator.
    Left {
        /// What its client gave as the reason; empty: nothing.
        reason: String,
    },
    /// It is a static member that left and may come back to what it had.
    LeftForAWhile,
    /// It sent no heartbeat for as long as its session lasts.
    SessionExpired,
    /// It did not join again while the group rebalanced.
    NotRejoined,
    /// It did not ask for its assignment in time.
    NotSynced,
    /// It did not give up in time the partitions that it had to.
    NotRevoked,
}

/// Somebody in a group.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberIdentity {
    /// Member id.
    pub member_id: String,
    /// `client.id`.
    pub client_id: String,
    /// Its host as the coordinator saw it.
    pub client_host: String,
    /// Static membership (`group.instance.id`).
    pub instance_id: Option<String>,
}
