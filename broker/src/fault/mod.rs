//! What can go wrong, as data, and what it acts on: the links between nodes, a node's drive, the end of its files. Knows nodes only as
//! numbers; whoever owns the nodes (`cluster`) starts and stops them.

mod courier;
mod damage;
mod disk;
#[cfg(test)]
mod disk_tests;
mod lines;
#[cfg(test)]
mod lines_tests;
mod links;
mod rot;
mod undo;
mod unsynced;

pub use damage::{Damage, Tail, corrupt_tails};
pub use disk::{DiskEffect, DiskFault, Drive, FaultDisk};
pub use lines::Parting;
pub use links::{ANY_NODE, CLIENTS, Direction, LinkEffect, Links, Plug};
pub use rot::{Rot, mend, rot};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is guarded here is put right before it is used, so a panic of who held it does no harm.
fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
