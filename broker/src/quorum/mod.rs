//! The metadata log's consensus among controllers. Pure.

mod message;

pub use message::{FetchOutcome, FetchRequest, FetchResponse, Message, VoteRequest, VoteResponse};
