//! What was: snapshots, events and measures, recorded while the cluster runs, so that any instant of the last hours can be looked at again.
//!
//! [`scribe`] makes bytes of views, [`archive`] keeps them as chunks that are thinned with age, [`moment`] makes a view of them again,
//! [`beside`] has what is a course of things itself, [`lanes`] what is drawn along the time, [`file`] saves and opens all of it. These are
//! pure, but for files. [`run`] is the thread that records, [`rewind`] the one that looks back. Knows the monitor's words and nothing of
//! the window, of HTTP or of where views come from.

pub mod answers;
pub mod archive;
pub mod beside;
pub mod blocks;
mod columns;
pub mod file;
pub mod frame;
pub mod lanes;
pub mod moment;
pub mod record;
pub mod rewind;
pub mod run;
pub mod scribe;
mod topic;

#[cfg(test)]
mod tests;
