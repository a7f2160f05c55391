//! Which topic names are allowed.
//!
//! Source: `org.apache.kafka.common.internals.Topic`.

const MAX_NAME_LENGTH: usize = 249;

/// The metadata log's own name; nobody may create it.
pub(super) const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// `__consumer_offsets`, `__transaction_state`, `__share_group_state`.
pub fn is_internal(topic: &str) -> bool {
    matches!(topic, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// Refuses a name that Kafka refuses, in its words.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.encode_utf16().count() > MAX_NAME_LENGTH {
        format!("the length of '{name}' is longer than the max allowed length {MAX_NAME_LENGTH}")
    } else if !name.chars().all(legal) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {why}"))
}

/// Whether the two differ in '.' and '_' only: metrics replace the one by the other, and could not tell them apart.
pub fn collides(a: &str, b: &str) -> bool {
    let unified = |name: &str| name.replace('.', "_");
    a != b && unified(a) == unified(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_rules() {
        for good in ["a", "A.b_c-9", "...", &"x".repeat(249)] {
            assert_eq!(check_topic_name(good), Ok(()));
        }
        let bad = [
            ("", "Topic name is invalid: the empty string is not allowed"),
            (".", "Topic name is invalid: '.' is not allowed"),
            ("..", "Topic name is invalid: '..' is not allowed"),
            (
                "a b",
                "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            ),
        ];
        for (name, message) in bad {
            assert_eq!(check_topic_name(name), Err(message.to_owned()));
        }
        assert!(check_topic_name(&"x".repeat(250)).is_err_and(|message| message.ends_with("max allowed length 249")));
    }

    #[test]
    fn dots_and_underscores_collide() {
        assert!(collides("a.b", "a_b") && collides("a_b.c", "a.b_c"));
        assert!(!collides("a.b", "a.b") && !collides("a.b", "a-b"));
    }
}
