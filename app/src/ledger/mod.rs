//! The durability ledger: what was acknowledged and what was promised with it, what readers found of it, and whether what is missing may be.
//!
//! Pure: acknowledgements, reads and facts of the cluster come in, losses and anomalies come out. Knows no socket, no file, no window.
//!
//! A [`book::Book`] keeps one workload's history in bounded memory: of each producer which numbers were acknowledged and read, as
//! [`set::NumberSet`]s, which take a bit for a record at the worst and nothing where all is well; and of the newest acknowledgements where and
//! when. [`facts::Facts`] are what the cluster told of itself meanwhile. [`judge`] puts both together.
//!
//! Cycles (G1c) are not looked for: no operation of these clients both reads and writes, so that none can be part of one.

pub mod book;
pub mod drain;
pub mod facts;
pub mod findings;
pub mod judge;
pub mod leaf;
pub mod set;
pub mod shelf;
pub mod status;
pub mod watch;

#[cfg(test)]
mod book_tests;
#[cfg(test)]
mod judge_tests;
#[cfg(test)]
mod model_tests;

pub use book::Book;
pub use shelf::{Shelf, Shelved};
