//! Differences that are as they should be, each with its reason. Everything else is red.

use super::compare::Difference;

/// A difference that has a reason.
pub struct Known {
    /// Short name.
    pub id: &'static str,
    /// Why ours is as it is.
    pub reason: &'static str,
    /// Which differences it explains.
    pub covers: fn(&Difference) -> bool,
}

/// All of them.
pub const KNOWN: &[Known] = &[];

/// The entry that explains a difference.
pub fn explain(difference: &Difference) -> Option<&'static str> {
    KNOWN.iter().find(|known| (known.covers)(difference)).map(|known| known.id)
}
