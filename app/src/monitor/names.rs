//! How nodes, members and numbers are called in sentences.

use broker::metadata::report::NodeState;
use broker::types::NodeId;

/// First id of a controller: brokers are numbered from 1, controllers from here (design.md, section 5).
pub const FIRST_CONTROLLER_ID: NodeId = 3000;

/// Whether an id is a controller's.
pub fn is_controller(id: NodeId) -> bool {
    id >= FIRST_CONTROLLER_ID
}

/// `Broker 2`, `Controller 3001`; `The program` for -1.
pub fn node(id: NodeId) -> String {
    if id < 0 {
        "The program".into()
    } else if is_controller(id) {
        format!("Controller {id}")
    } else {
        format!("Broker {id}")
    }
}

/// `broker 2`, `controller 3001`; `no broker` for -1.
pub fn node_inside(id: NodeId) -> String {
    if id < 0 { "no broker".into() } else { node(id).to_lowercase() }
}

/// `running`, `stopped`, …
pub fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "starting",
        NodeState::Running => "running",
        NodeState::Stopping => "stopping",
        NodeState::Stopped => "stopped",
        NodeState::Killed => "killed",
        NodeState::Paused => "paused",
    }
}

/// `1, 2, 3`, or `nobody`.
pub fn nodes(ids: &[NodeId]) -> String {
    if ids.is_empty() {
        return "nobody".into();
    }
    ids.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ")
}

/// `1` → `1 partition`, `3` → `3 partitions`.
pub fn count(number: impl Into<i64>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `1,234,567`.
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A member of a group by the name that people gave it: its instance id, else its client id, else what the coordinator called it.
pub fn member<'a>(instance_id: Option<&'a str>, client_id: &'a str, member_id: &'a str) -> &'a str {
    instance_id.unwrap_or(if client_id.is_empty() { member_id } else { client_id })
}
