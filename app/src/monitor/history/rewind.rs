//! Looks back for the window, on a thread of its own: opening a chunk takes some milliseconds, and no frame waits for it.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::file;
use super::record::{Extent, Opened, Record};
use super::run::History;
use crate::monitor::view::View;

/// Files that wait to be saved or opened.
const JOBS_WAITING: usize = 4;

/// What was found of a time.
#[derive(Clone, Debug)]
pub struct Found {
    /// The time that was asked for.
    pub at_ms: i64,
    /// What was known then; or why that cannot be told.
    pub view: Result<View, String>,
}

/// What became of a file.
#[derive(Clone, Debug)]
pub enum Filed {
    /// It was saved, or not; a sentence either way.
    Saved(Result<String, String>),
    /// It was opened, under this name; or a sentence why not.
    Opened(Result<(String, Record), String>),
}

enum Job {
    Look,
    Save(Record, PathBuf),
    Open(PathBuf),
}

#[derive(Default)]
struct Shared {
    wish: Mutex<Option<(Record, i64)>>,
    found: Mutex<Option<Found>>,
    filed: Mutex<Vec<Filed>>,
}

/// The thread; it ends when this is gone. None of what this does blocks.
pub struct Rewinder {
    history: History,
    shared: Arc<Shared>,
    jobs: Sender<Job>,
}

impl Rewinder {
    /// Starts it; `wake` is called when there is something to fetch.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start(history: History, wake: impl Fn() + Send + 'static) -> io::Result<Rewinder> {
        let shared = Arc::<Shared>::default();
        let (jobs, jobs_in) = bounded(JOBS_WAITING);
        let worker = shared.clone();
        std::thread::Builder::new().name("rewind".into()).spawn(move || work(&worker, &jobs_in, &wake))?;
        Ok(Rewinder { history, shared, jobs })
    }

    /// What is recorded of the running cluster.
    pub fn record(&self) -> Record {
        self.history.record()
    }

    /// How much that is.
    pub fn extent(&self) -> Extent {
        self.history.record().extent()
    }

    /// Looks for a time; what was wished before and not found yet is given up.
    pub fn look(&self, record: Record, at_ms: i64) {
        *locked(&self.shared.wish) = Some((record, at_ms));
        // One that waits already finds the newest wish.
        let _ = self.jobs.try_send(Job::Look);
    }

    /// What was found since the last call.
    pub fn found(&self) -> Option<Found> {
        locked(&self.shared.found).take()
    }

    /// Writes a recording to a file. False: too many others wait.
    pub fn save(&self, record: Record, path: PathBuf) -> bool {
        self.jobs.try_send(Job::Save(record, path)).is_ok()
    }

    /// Opens a recording. False: too many others wait.
    pub fn open(&self, path: PathBuf) -> bool {
        self.jobs.try_send(Job::Open(path)).is_ok()
    }

    /// What became of files since the last call.
    pub fn filed(&self) -> Vec<Filed> {
        std::mem::take(&mut locked(&self.shared.filed))
    }
}

fn work(shared: &Shared, jobs: &Receiver<Job>, wake: &impl Fn()) {
    let mut opened = Opened::default();
    for job in jobs {
        match job {
            Job::Look => {
                let Some((record, at_ms)) = locked(&shared.wish).take() else { continue };
                let view = record.view_at(at_ms, &mut opened).map_err(|error| error.to_string());
                *locked(&shared.found) = Some(Found { at_ms, view });
            }
            Job::Save(record, path) => {
                let saved = match file::save(&record, &path) {
                    Ok(()) => Ok(format!("The recording is in {}.", path.display())),
                    Err(error) => Err(format!("The recording could not be saved to {}: {error}.", path.display())),
                };
                locked(&shared.filed).push(Filed::Saved(saved));
            }
            Job::Open(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                let record = file::open(&path).map(|record| (name, record));
                let record = record.map_err(|error| format!("{} cannot be opened: {error}.", path.display()));
                locked(&shared.filed).push(Filed::Opened(record));
            }
        }
        wake();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
