//! Asking the system for a file or a folder. The window knows only that it can be asked: whoever opens the window says who answers.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PickWish {
    /// A file that is there.
    Open {
        /// Title of the dialog.
        title: &'static str,
        /// What files are called that make sense (`json`); empty: any.
        endings: &'static [&'static str],
    },
    /// A file to be written.
    Save {
        /// Title of the dialog.
        title: &'static str,
        /// The name that stands there first.
        name: String,
    },
    /// A folder.
    Folder {
        /// Title of the dialog.
        title: &'static str,
    },
}

/// Called once, from any thread: what was chosen, or nothing.
pub type Picked = Box<dyn FnOnce(Option<PathBuf>) + Send>;

/// Whoever asks.
pub trait Picker: Send + Sync {
    /// Asks, without blocking; somebody who cancels, and a system that has no such dialog, choose nothing.
    fn ask(&self, wish: PickWish, picked: Picked);
}

/// Who is asked; by default nobody, so that paths are typed.
#[derive(Clone, Default)]
pub struct PickerHandle(Option<Arc<dyn Picker>>);

impl PickerHandle {
    /// This one.
    pub fn new(picker: impl Picker + 'static) -> PickerHandle {
        PickerHandle(Some(Arc::new(picker)))
    }

    /// Whether anybody can be asked.
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Asks.
    pub fn ask(&self, wish: PickWish, picked: Picked) {
        match &self.0 {
            Some(picker) => picker.ask(wish, picked),
            None => picked(None),
        }
    }
}

impl fmt::Debug for PickerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PickerHandle").field(&self.is_there()).finish()
    }
}
