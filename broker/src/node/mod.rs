//! A broker or a controller as a thread.

pub mod controller;
mod controller_requests;
