//! A broker or a controller as a thread.

pub mod controller;
mod controller_requests;

#[cfg(test)]
mod controller_tests;
