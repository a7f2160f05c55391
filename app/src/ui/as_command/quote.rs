//! Words as a shell takes them.

/// Text as one word of a POSIX shell. What needs no quotes stands without.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:=,+%@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::quoted;

    #[test]
    fn plain_words_stay_as_they_are() {
        for (text, word) in [
            ("orders.v1-x_y", "orders.v1-x_y"),
            ("http://127.0.0.1:11001/api/faults", "http://127.0.0.1:11001/api/faults"),
            ("min.insync.replicas=2", "min.insync.replicas=2"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$HOME", "'$HOME'"),
            ("it's", "'it'\\''s'"),
            ("a;rm -rf *", "'a;rm -rf *'"),
            ("~", "'~'"),
            ("*", "'*'"),
            ("größe", "'größe'"),
            ("line\nbreak", "'line\nbreak'"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }

    /// What a shell makes of words in single quotes.
    fn unquoted(word: &str) -> String {
        let mut text = String::new();
        let mut is_quoted = false;
        let mut chars = word.chars();
        while let Some(c) = chars.next() {
            match c {
                '\'' => is_quoted = !is_quoted,
                '\\' if !is_quoted => text.extend(chars.next()),
                other => {
                    assert!(is_quoted || other.is_ascii_alphanumeric() || "._-/:=,+%@".contains(other));
                    text.push(other);
                }
            }
        }
        assert!(!is_quoted);
        text
    }

    proptest! {
        #[test]
        fn a_shell_reads_back_what_was_quoted(text in "\\PC{0,40}|[ '\"$\\\\`!*;&|<>(){}~#\n\t-]{0,20}") {
            prop_assert_eq!(unquoted(&quoted(&text)), text);
        }
    }
}
