//! What was chosen last.

/// So much is remembered.
const RECENTS_MAX: usize = 12;
/// No key is longer, in bytes.
const KEY_MAX: usize = 400;

/// Keys of what was chosen, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recents(Vec<String>);

impl Recents {
    /// As they are remembered; too many, and too long ones, are left out.
    pub fn remembered(keys: impl IntoIterator<Item = String>) -> Recents {
        Recents(keys.into_iter().filter(|key| key.len() <= KEY_MAX).take(RECENTS_MAX).collect())
    }

    /// Takes note of what was chosen.
    pub fn note(&mut self, key: String) {
        self.0.retain(|known| *known != key);
        if key.len() <= KEY_MAX {
            self.0.insert(0, key);
        }
        self.0.truncate(RECENTS_MAX);
    }

    /// How long ago it was chosen: 0 is the last.
    pub fn rank(&self, key: &str) -> Option<usize> {
        self.0.iter().position(|known| known == key)
    }

    /// All, the newest first.
    pub fn keys(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first_once_and_the_oldest_goes() {
        let mut recents = Recents::default();
        for index in 0..20 {
            recents.note(format!("topic {index}"));
        }
        recents.note("topic 10".into());
        assert_eq!(recents.keys().len(), RECENTS_MAX);
        assert_eq!((recents.rank("topic 10"), recents.rank("topic 19")), (Some(0), Some(1)));
        assert_eq!(recents.rank("topic 1"), None);
        recents.note("x".repeat(KEY_MAX + 1));
        assert_eq!(recents.rank("topic 10"), Some(0), "what is too long is not kept");
        assert_eq!(Recents::remembered(recents.keys().to_vec()), recents);
    }
}
