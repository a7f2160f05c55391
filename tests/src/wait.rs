//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// Looks until `condition` gives a value.
///
/// # Panics
/// If it does not within `patience`; the message names `what` and the last thing seen.
pub fn wait_for<T>(what: &str, patience: Duration, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match condition() {
            Ok(value) => return value,
            Err(seen) if start.elapsed() > patience => {
                panic!("waited {} ms for {what}; last seen: {seen}", patience.as_millis())
            }
            Err(_) => std::thread::park_timeout(GLANCE),
        }
    }
}
