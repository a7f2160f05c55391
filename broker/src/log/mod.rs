//! One partition's log on disk.
pub mod disk;
