//! Everything that can be done in the window, in one table: what it is called, what it does, what is pressed for it, when it can be done, and
//! how it becomes an action. Shortcuts, the palette, the help and the words on hover all come from it, so that none of them tells of
//! something that another does not know.
//!
//! Knows the model and the actions; paints nothing.

pub mod deeds;
pub mod keys;
pub mod objects;
pub mod table;

use egui::{Context, Response};

pub use deeds::Deed;
pub use table::{ALL, Entry, Group, Id};

use super::app::{Action, Scene};
use super::as_command::{self, Around};

/// The row of a command.
pub fn entry(id: Id) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.id == id)
}

/// What is pressed for a command, in words; nothing where nothing is.
pub fn keys_of(ctx: &Context, id: Id) -> String {
    let is_mac = ctx.os().is_mac();
    entry(id).and_then(|entry| entry.keys.first()).map_or_else(String::new, |keys| keys.words(is_mac))
}

/// What a command does, and what is pressed for it: the words on hover.
pub fn hover(ctx: &Context, id: Id) -> String {
    let what = entry(id).map_or("", |entry| entry.what);
    let keys = keys_of(ctx, id);
    if keys.is_empty() { what.to_owned() } else { format!("{what}\nShortcut: {keys}") }
}

/// Says on hover what a control's command does, and what is pressed for it.
pub fn tell(response: Response, id: Id) -> Response {
    let words = hover(&response.ctx, id);
    response.on_hover_text(words)
}

/// The same, with the line for a shell that does what the command does now.
pub fn tell_with(response: Response, id: Id, scene: &Scene<'_>) -> Response {
    let line = match called(id, scene).map(|deed| deed.action) {
        Some(Action::Send(command)) => as_command::line(&command, &Around::scene(scene)),
        _ => String::new(),
    };
    let words = hover(&response.ctx, id);
    response.on_hover_text(if line.is_empty() { words } else { format!("{words}\n{line}") })
}

/// All that can be done by a command now.
pub fn deeds(id: Id, scene: &Scene<'_>) -> Vec<Deed> {
    let mut deeds = Vec::new();
    deeds::collect(id, scene, &mut deeds);
    deeds
}

/// What a shortcut does: the one thing that the command can do now, or why it cannot.
pub fn called(id: Id, scene: &Scene<'_>) -> Option<Deed> {
    deeds(id, scene).into_iter().next()
}
