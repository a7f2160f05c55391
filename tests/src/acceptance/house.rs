//! The process under test, its data directory, and a thread that asks it again and again what it says of itself.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::recorder::Recorder;
use super::view::View;
use crate::campaign::{Anomaly, Kind};
use crate::serve::Serve;

/// Time between two looks at the cluster.
const LOOK: Duration = Duration::from_millis(20);
/// A process that says nothing for so long has ended, or hangs.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// A running `brokerscope serve` with three brokers and three controllers.
pub struct House {
    serve: Arc<Serve>,
    dir: Option<tempfile::TempDir>,
    data_dir: PathBuf,
    window: Arc<Window>,
    watcher: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Window {
    seen: Mutex<Seen>,
    changed: Condvar,
    closed: AtomicBool,
}

#[derive(Default)]
struct Seen {
    view: Arc<View>,
    /// Counts views.
    number: u64,
    error: String,
    recorder: Option<Arc<Recorder>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl House {
    /// Starts a process with a data directory of its own.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(arguments: &[&str]) -> House {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data_dir = dir.path().to_owned();
        let path = data_dir.to_str().expect("a temporary directory has a readable name");
        let serve = Arc::new(Serve::start_with(&[&["--data-dir", path], arguments].concat()));
        let window = Arc::new(Window::default());
        let watcher = std::thread::spawn({
            let (serve, window) = (serve.clone(), window.clone());
            move || window.watch(&serve)
        });
        House { serve, dir: Some(dir), data_dir, window, watcher: Some(watcher) }
    }

    pub(super) fn bootstrap_servers(&self) -> &str {
        &self.serve.bootstrap_servers
    }

    pub(super) fn data_dir(&self) -> &std::path::Path {
        &self.data_dir
    }

    /// Who is told of each view.
    pub(super) fn told(&self, recorder: Option<Arc<Recorder>>) {
        locked(&self.window.seen).recorder = recorder;
    }

    /// The last view.
    pub(super) fn view(&self) -> Arc<View> {
        locked(&self.window.seen).view.clone()
    }

    /// Waits for the next view.
    pub(super) fn next_view(&self) -> Result<Arc<View>, Anomaly> {
        let mut seen = locked(&self.window.seen);
        let (number, since) = (seen.number, Instant::now());
        while seen.number == number {
            if since.elapsed() > SILENCE_MAX {
                let what = format!("the process does not answer for {SILENCE_MAX:?}: {}", seen.error);
                return Err(Anomaly::new(Kind::NodeFailed, what));
            }
            let waited = self.window.changed.wait_timeout(seen, Duration::from_secs(1));
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(seen.view.clone())
    }

    /// An order over HTTP; what was answered.
    pub(super) fn order(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let (status, answer) = self.serve.request(method, path, body)?;
        match status / 100 {
            2 => Ok(answer),
            _ => Err(format!("{method} {path} {}: {status} {answer}", body.unwrap_or(&Value::Null))),
        }
    }

    /// Leaves the data directory behind for a look at it.
    pub fn keep_data(&mut self) -> PathBuf {
        if let Some(dir) = self.dir.take() {
            let _ = dir.keep();
        }
        self.data_dir.clone()
    }
}

impl Window {
    fn watch(&self, serve: &Serve) {
        while !self.closed.load(Ordering::Relaxed) {
            let answer = serve.request("GET", "/api/cluster", None).and_then(|(_, answer)| {
                serde_json::from_value::<View>(answer).map_err(|error| format!("/api/cluster: {error}"))
            });
            let mut seen = locked(&self.seen);
            match answer {
                Ok(view) => {
                    seen.view = Arc::new(view);
                    seen.number += 1;
                    if let Some(recorder) = seen.recorder.clone() {
                        recorder.observe(&seen.view);
                    }
                    self.changed.notify_all();
                }
                Err(error) => seen.error = error,
            }
            drop(seen);
            std::thread::park_timeout(LOOK);
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.window.closed.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            watcher.thread().unpark();
            // It has panicked if it ended otherwise; whoever waited for a view was told.
            let _ = watcher.join();
        }
    }
}
