//! Scrapes take turns: one is written down at a time, a few wait, more are sent away. So what they need of memory and of the processor is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::problem::Problem;

/// Scrapes that may wait: a Prometheus that asks each endpoint of a cluster at once, and some more.
const WAITING_MAX: usize = 64;

/// The turns. Clones share them.
#[derive(Clone, Debug)]
pub struct Scrapes {
    turn: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Scrapes {
    fn default() -> Scrapes {
        Scrapes { turn: Arc::new(Semaphore::new(1)), waiting: Arc::default() }
    }
}

/// Counts a scrape that waits, also when its client goes away meanwhile.
struct Waiting<'s>(&'s AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Scrapes {
    /// Writes one down on a thread of its own, in its turn.
    ///
    /// # Errors
    /// Too many wait, or it cannot be written.
    pub async fn take<F>(&self, write: F) -> Result<String, Problem>
    where
        F: FnOnce() -> prometheus::Result<String> + Send + 'static,
    {
        let failed = |why: String| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("The metrics could not be written: {why}."))
        };
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            let text = format!("{WAITING_MAX} scrapes are waiting already; ask again later.");
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, text));
        }
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|closed| failed(closed.to_string()))?;
        drop(waiting);
        let written = tokio::task::spawn_blocking(move || {
            let written = write();
            // The turn ends when it is written, whether or not anybody still waits for it.
            drop(turn);
            written
        });
        written.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use axum::response::IntoResponse;

    use super::*;

    #[tokio::test]
    async fn one_is_written_at_a_time_and_only_so_many_wait() {
        let scrapes = Scrapes::default();
        let (started, is_started) = channel();
        let (release, released) = channel::<()>();
        let first = scrapes.clone();
        let first = tokio::spawn(async move {
            let write = move || {
                started.send(()).unwrap();
                released.recv().unwrap();
                Ok("first".to_owned())
            };
            first.take(write).await
        });
        tokio::task::spawn_blocking(move || is_started.recv().unwrap()).await.unwrap();
        let (order, in_order) = channel();
        let mut others = Vec::new();
        for number in 0..WAITING_MAX {
            let (scrapes, order) = (scrapes.clone(), order.clone());
            others.push(tokio::spawn(async move {
                let write = move || {
                    order.send(number).unwrap();
                    Ok(String::new())
                };
                scrapes.take(write).await
            }));
            tokio::task::yield_now().await;
        }
        assert_eq!(scrapes.waiting.load(Ordering::Relaxed), WAITING_MAX);
        let refused = scrapes.take(|| Ok(String::new())).await.unwrap_err();
        assert_eq!(refused.into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(in_order.try_recv().is_err(), "nobody overtakes the first");
        // Who goes away while waiting gives the place back.
        others.pop().unwrap().abort();
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap().unwrap(), "first");
        for other in others {
            other.await.unwrap().unwrap();
        }
        assert_eq!(in_order.try_iter().collect::<Vec<_>>(), (0..WAITING_MAX - 1).collect::<Vec<_>>());
        assert_eq!(scrapes.waiting.load(Ordering::Relaxed), 0);
    }
}
