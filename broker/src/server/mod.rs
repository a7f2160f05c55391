//! One file per API.
pub mod peer;
