//! How long a node's thread sleeps as it has nothing to do. The runtime says when it falls asleep and when it wakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Builder;

use super::stopwatch;
use crate::server::network_metrics::Idle;

/// Written and read by the node's thread only; atomics, as the runtime wants to share it.
#[derive(Debug, Default)]
pub(super) struct Sleep {
    began_ns: AtomicU64,
    slept_ns: AtomicU64,
    times: AtomicU64,
}

fn now_ns() -> u64 {
    u64::try_from(stopwatch().as_nanos()).unwrap_or(u64::MAX)
}

impl Sleep {
    /// Has a runtime tell when its thread sleeps.
    pub(super) fn watch(runtime: &mut Builder) -> Arc<Sleep> {
        let sleep = Arc::new(Sleep::default());
        let (begins, ends) = (sleep.clone(), sleep.clone());
        runtime.on_thread_park(move || begins.began_ns.store(now_ns(), Ordering::Relaxed));
        runtime.on_thread_unpark(move || {
            let slept = now_ns().saturating_sub(ends.began_ns.load(Ordering::Relaxed));
            ends.slept_ns.fetch_add(slept, Ordering::Relaxed);
            ends.times.fetch_add(1, Ordering::Relaxed);
        });
        sleep
    }

    /// So far.
    pub(super) fn so_far(&self) -> Idle {
        let slept = std::time::Duration::from_nanos(self.slept_ns.load(Ordering::Relaxed));
        Idle { slept, times: self.times.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sleep_is_told_apart_from_work() {
        let mut builder = Builder::new_current_thread();
        let sleep = Sleep::watch(builder.enable_all());
        let runtime = builder.build().unwrap();
        let began = stopwatch();
        let worked = runtime.block_on(async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            let began = stopwatch();
            while stopwatch() - began < Duration::from_millis(40) {
                std::hint::spin_loop();
            }
            tokio::task::yield_now().await;
            stopwatch() - began
        });
        let (all, idle) = (stopwatch() - began, sleep.so_far());
        assert!(idle.times > 0 && idle.slept >= Duration::from_millis(55), "{idle:?}");
        assert!(idle.slept + worked <= all, "{idle:?} and {worked:?} of {all:?}");
    }
}
