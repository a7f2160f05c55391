//! The system's own dialogs for files and folders, on threads of their own.

use std::path::PathBuf;

use crate::ui::{PickWish, Picked, Picker};

/// Asks the desktop's portal, or what stands in its place. Where there is none, nothing is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDialogs;

impl Picker for SystemDialogs {
    fn ask(&self, wish: PickWish, picked: Picked) {
        // Without a thread the closure is dropped, and whoever waits sees that nobody answers.
        let _ = std::thread::Builder::new().name("file-dialog".into()).spawn(move || picked(choose(wish)));
    }
}

fn choose(wish: PickWish) -> Option<PathBuf> {
    let dialog = rfd::FileDialog::new();
    match wish {
        PickWish::Open { title, endings: [] } => dialog.set_title(title).pick_file(),
        PickWish::Open { title, endings } => {
            dialog.set_title(title).add_filter(endings.join(", "), endings).add_filter("All files", &["*"]).pick_file()
        }
        PickWish::Save { title, name } => dialog.set_title(title).set_file_name(name).save_file(),
        PickWish::Folder { title } => dialog.set_title(title).pick_folder(),
    }
}
