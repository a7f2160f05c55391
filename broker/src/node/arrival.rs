//! When the node saw that there is something to read: the runtime wakes the reader then, and the reader has its turn later.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use super::stopwatch;

/// Not woken since it was last asked.
const NOT_WOKEN: u64 = 0;

#[derive(Debug)]
struct Bell {
    reader: Mutex<Waker>,
    woken_ns: AtomicU64,
}

impl Wake for Bell {
    fn wake(self: Arc<Bell>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Bell>) {
        let now_ns = u64::try_from(stopwatch().as_nanos()).unwrap_or(u64::MAX).max(1);
        // The first time counts: what comes while the reader waits for its turn is read with the rest.
        let _ = self.woken_ns.compare_exchange(NOT_WOKEN, now_ns, Ordering::Relaxed, Ordering::Relaxed);
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

/// Of one reader.
#[derive(Debug)]
pub(super) struct Arrival {
    bell: Arc<Bell>,
    waker: Waker,
}

impl Arrival {
    /// Nothing has come.
    pub(super) fn new() -> Arrival {
        let bell = Arc::new(Bell { reader: Mutex::new(Waker::noop().clone()), woken_ns: AtomicU64::new(NOT_WOKEN) });
        Arrival { waker: Waker::from(bell.clone()), bell }
    }

    /// Waits for `read`; with what came of it, when the node saw that there was something.
    pub(super) async fn of<T>(&self, read: impl Future<Output = T>) -> (T, Duration) {
        let mut read = pin!(read);
        self.bell.woken_ns.store(NOT_WOKEN, Ordering::Relaxed);
        let value = std::future::poll_fn(|context| {
            {
                let mut reader = self.bell.reader.lock().unwrap_or_else(PoisonError::into_inner);
                reader.clone_from(context.waker());
            }
            read.as_mut().poll(&mut Context::from_waker(&self.waker))
        })
        .await;
        match self.bell.woken_ns.load(Ordering::Relaxed) {
            // It was there already.
            NOT_WOKEN => (value, stopwatch()),
            woken_ns => (value, Duration::from_nanos(woken_ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(time: Duration) {
        let began = stopwatch();
        while stopwatch() - began < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn who_waits_for_its_turn_has_come_before() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let arrival = Arrival::new();
            let sending = async {
                tokio::task::yield_now().await;
                let sent_at = stopwatch();
                sender.send(7).unwrap();
                busy(Duration::from_millis(20));
                sent_at
            };
            let ((value, arrived), sent_at) = tokio::join!(arrival.of(receiver), sending);
            assert_eq!(value, Ok(7));
            assert!(arrived >= sent_at && arrived - sent_at < Duration::from_millis(10), "{arrived:?} {sent_at:?}");
            let before = stopwatch();
            let (value, arrived) = arrival.of(std::future::ready(8)).await;
            assert!(value == 8 && arrived >= before, "what is there at once has come now");
        });
    }
}
