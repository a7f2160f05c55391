//! Share groups (KIP-932) in the campaign: their members as clients (`member`, `node`, `requests`), somebody who asks how far they have come
//! (`inspector`), what was seen of them (`history`), and what is wrong with that (`checker`, which is pure and knows only the history).

mod checker;
#[cfg(test)]
mod checker_tests;
mod history;
mod inspector;
mod member;
mod node;
mod requests;

pub(super) use checker::{check, unsettled};
pub use history::ShareHistory;
pub(super) use history::{groups, watch_spent};
pub(super) use inspector::Inspector;
pub(super) use member::Member;
pub(super) use requests::group_configs;

/// Where the state of share partitions is kept.
pub(super) const SHARE_STATE_TOPIC: &str = "__share_group_state";
