//! Cluster image and its deltas. Pure.
pub mod image;
pub mod report;
