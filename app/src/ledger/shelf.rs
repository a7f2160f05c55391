//! All books: of workloads that run, and of the last ones that ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::book::Book;
use crate::monitor::ledger::Stage;
use crate::monitor::workload::WorkloadSpec;

/// Books of workloads that have ended and are kept.
const ENDED_MAX: usize = 16;

/// A book with what is known of its workload.
#[derive(Debug)]
pub struct Shelved {
    /// The workload's.
    pub id: u64,
    /// When it began.
    pub began_ms: i64,
    /// What it is asked to do, as it was last.
    spec: Mutex<Arc<WorkloadSpec>>,
    book: Mutex<Book>,
    progress: Mutex<Progress>,
}

/// How far the reading of a workload is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Stage.
    pub stage: Stage,
    /// What is in its way.
    pub trouble: Option<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelved {
    /// A new one.
    pub fn new(id: u64, spec: Arc<WorkloadSpec>, began_ms: i64) -> Shelved {
        Shelved { id, began_ms, spec: Mutex::new(spec), book: Mutex::default(), progress: Mutex::default() }
    }

    /// The book; held for a moment only.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    /// What the workload is asked to do.
    pub fn spec(&self) -> Arc<WorkloadSpec> {
        lock(&self.spec).clone()
    }

    /// It is asked for something else.
    pub fn set_spec(&self, spec: Arc<WorkloadSpec>) {
        *lock(&self.spec) = spec;
    }

    /// How far the reading is.
    pub fn progress(&self) -> Progress {
        lock(&self.progress).clone()
    }

    /// The reading is at another stage.
    pub fn set_stage(&self, stage: Stage) {
        lock(&self.progress).stage = stage;
    }

    /// Something is in the way of the reading, or nothing any more.
    pub fn set_trouble(&self, trouble: Option<String>) {
        lock(&self.progress).trouble = trouble;
    }

    /// Whether nothing is read any more.
    fn has_ended(&self) -> bool {
        matches!(self.progress().stage, Stage::Verified | Stage::Unfinished)
    }
}

/// All books. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<Mutex<VecDeque<Arc<Shelved>>>>);

impl Shelf {
    /// Opens a book.
    pub fn open(&self, id: u64, spec: Arc<WorkloadSpec>, began_ms: i64) -> Arc<Shelved> {
        let book = Arc::new(Shelved::new(id, spec, began_ms));
        let mut all = lock(&self.0);
        while all.iter().filter(|book| book.has_ended()).count() >= ENDED_MAX {
            let Some(oldest) = all.iter().position(|book| book.has_ended()) else { break };
            all.remove(oldest);
        }
        all.push_back(book.clone());
        book
    }

    /// All books, the oldest first.
    pub fn all(&self) -> Vec<Arc<Shelved>> {
        lock(&self.0).iter().cloned().collect()
    }

    /// The book of a workload.
    pub fn get(&self, id: u64) -> Option<Arc<Shelved>> {
        lock(&self.0).iter().find(|book| book.id == id).cloned()
    }
}
