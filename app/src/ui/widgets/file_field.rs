//! A field for a path, with a button beside it that lets the system ask for one. Both do the same: not every system has such a dialog.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use egui::{Rect, Ui, UiBuilder, pos2};

use super::button::Button;
use super::field::field;
use super::icon::Icon;
use super::text;
use crate::ui::file_picker::{PickWish, PickerHandle};
use crate::ui::tokens::{font, palette, size, space};

/// What the button takes.
const BUTTON: f32 = 96.0;

/// A path as it is typed or chosen.
#[derive(Debug, Default)]
pub struct FileField {
    /// As it stands there.
    pub path: String,
    /// Whether somebody types in it.
    pub has_focus: bool,
    choosing: Option<Receiver<Option<PathBuf>>>,
}

impl FileField {
    /// With a path that was chosen before.
    pub fn of(path: &str) -> FileField {
        FileField { path: path.to_owned(), ..FileField::default() }
    }

    /// The path, if it is a whole one.
    pub fn path(&self) -> Option<PathBuf> {
        let typed = self.path.trim();
        let home = typed.strip_prefix("~/").and_then(|rest| Some(std::env::home_dir()?.join(rest)));
        home.or_else(|| Some(PathBuf::from(typed)).filter(|path| path.is_absolute()))
    }

    /// What is wrong with it, if anything stands there.
    pub fn complaint(&self) -> Option<&'static str> {
        (!self.path.trim().is_empty() && self.path().is_none()).then_some("The whole path is needed, from / or ~/ on.")
    }

    /// Shows it; `label` stands over it, and is in the accessible name of the button. Whether a path was chosen just now.
    pub fn show(&mut self, ui: &mut Ui, picker: &PickerHandle, label: &str, hint: &str, wish: PickWish) -> bool {
        let was_chosen = self.take_answer();
        let width = ui.available_width();
        let has_button = picker.is_there();
        let taken = if has_button { BUTTON + space::S } else { 0.0 };
        let edit = ui.scope(|ui| {
            ui.set_max_width(width - taken);
            field(ui, label, hint, &mut self.path, None)
        });
        self.has_focus = edit.inner.has_focus();
        let edit = edit.inner.rect;
        if has_button {
            // The field's ground is a little wider than what is typed into.
            let left = edit.right() + 2.0 * space::S;
            let place = Rect::from_min_max(pos2(left, edit.top()), pos2(left + BUTTON, edit.bottom()));
            let mut beside = ui.new_child(UiBuilder::new().id_salt((label, "browse")).max_rect(place));
            let name = format!("Browse: {label}");
            let button = Button::new("Browse…").name(&name).with_icon(Icon::Folder).height(size::CONTROL + 2.0);
            if button.width(BUTTON).enabled(self.choosing.is_none()).show(&mut beside).clicked()
                && self.choosing.is_none()
            {
                self.choose(ui, picker, wish);
            }
        }
        if let Some(complaint) = self.complaint() {
            text::paragraph(ui, complaint, font::small(), palette(ui).critical);
        }
        was_chosen
    }

    fn choose(&mut self, ui: &Ui, picker: &PickerHandle, wish: PickWish) {
        let (chosen, choosing) = bounded(1);
        let ctx = ui.ctx().clone();
        let picked = move |path| {
            // The field may be gone meanwhile.
            let _ = chosen.send(path);
            ctx.request_repaint();
        };
        self.choosing = Some(choosing);
        picker.ask(wish, Box::new(picked));
    }

    fn take_answer(&mut self) -> bool {
        let Some(choosing) = &self.choosing else { return false };
        let answer = choosing.try_recv();
        if answer == Err(TryRecvError::Empty) {
            return false;
        }
        self.choosing = None;
        // Who cancels keeps what stands there.
        let Ok(Some(path)) = answer else { return false };
        self.path = path.display().to_string();
        true
    }
}
