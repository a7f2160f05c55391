//! Keys that call commands: how they are written, and how they are read from the input before anything else reads it.

use egui::{Context, Event, Key, KeyboardShortcut, ModifierNames, Modifiers, PointerButton};

use super::table::{ALL, Id, Reach};

/// What is pressed for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// A character, wherever it stands on the keyboard.
    Char(char),
    /// A character, and then another.
    Pair(char, char),
    /// A key with modifiers. Works while somebody types, too, unless it moves the cursor there.
    Stroke(Modifiers, Key),
    /// A button of the mouse.
    Mouse(PointerButton),
}

/// `Ctrl`, or `Cmd` on a Mac.
pub const COMMAND: Modifiers = Modifiers::COMMAND;
/// The same with Shift.
pub const COMMAND_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

/// A second character that comes later is not meant to go with the first, s.
const PAIR_WITHIN_S: f64 = 1.5;

impl Keys {
    /// As it is told to people: `Ctrl+K`, `g t`.
    pub fn words(self, is_mac: bool) -> String {
        match self {
            Keys::Char(one) => one.to_string(),
            Keys::Pair(one, other) => format!("{one} {other}"),
            Keys::Stroke(modifiers, key) => {
                let names = ModifierNames::NAMES;
                let own = match key {
                    Key::ArrowLeft => Some("Left"),
                    Key::ArrowRight => Some("Right"),
                    Key::Comma => Some(","),
                    _ => None,
                };
                match own {
                    Some(own) => format!("{}+{own}", names.format(&modifiers, is_mac)),
                    None => KeyboardShortcut::new(modifiers, key).format(&names, is_mac),
                }
            }
            Keys::Mouse(PointerButton::Extra1) => "mouse button 4".to_owned(),
            Keys::Mouse(_) => "mouse button 5".to_owned(),
        }
    }

    /// Whether the cursor of a field answers to it.
    fn moves_cursor(self) -> bool {
        matches!(self, Keys::Stroke(modifiers, Key::ArrowLeft | Key::ArrowRight) if modifiers == Modifiers::ALT)
    }

    fn is(self, event: &Event) -> bool {
        match (self, event) {
            (Keys::Stroke(wanted, key), Event::Key { key: pressed, pressed: true, modifiers, .. }) => {
                *pressed == key && modifiers.matches_logically(wanted)
            }
            (Keys::Mouse(wanted), Event::PointerButton { button, pressed: true, .. }) => *button == wanted,
            _ => false,
        }
    }
}

/// Reads commands out of the input.
#[derive(Debug, Default)]
pub struct Reader {
    /// The first of two characters, and when it came.
    begun: Option<(char, f64)>,
}

impl Reader {
    /// Takes what calls commands out of the input, so that nobody else acts on it. While something stands over the window, only commands
    /// that reach everywhere are called.
    pub fn read(&mut self, ctx: &Context, is_covered: bool) -> Vec<Id> {
        let is_typing = ctx.text_edit_focused();
        let mut called = Vec::new();
        ctx.input_mut(|input| {
            let now_s = input.time;
            input.events.retain(|event| {
                let id = match event {
                    Event::Text(text) if !is_typing && !is_covered => match self.typed(text, now_s) {
                        Typed::Nothing => return true,
                        Typed::First => return false,
                        Typed::Called(id) => Some(id),
                    },
                    _ => pressed(event, is_typing, is_covered),
                };
                called.extend(id);
                id.is_none()
            });
        });
        called
    }

    fn typed(&mut self, text: &str, now_s: f64) -> Typed {
        let mut chars = text.chars();
        let (Some(typed), None) = (chars.next(), chars.next()) else { return Typed::Nothing };
        let first = self.begun.take().filter(|(_, at_s)| now_s - at_s <= PAIR_WITHIN_S);
        if let Some((first, _)) = first
            && let Some(id) = called_by(Keys::Pair(first, typed))
        {
            return Typed::Called(id);
        }
        if let Some(id) = called_by(Keys::Char(typed)) {
            return Typed::Called(id);
        }
        let begins = |keys: &Keys| matches!(keys, Keys::Pair(first, _) if *first == typed);
        if ALL.iter().any(|entry| entry.keys.iter().any(begins)) {
            self.begun = Some((typed, now_s));
            return Typed::First;
        }
        Typed::Nothing
    }
}

enum Typed {
    Nothing,
    First,
    Called(Id),
}

fn called_by(keys: Keys) -> Option<Id> {
    ALL.iter().find(|entry| entry.keys.contains(&keys)).map(|entry| entry.id)
}

fn pressed(event: &Event, is_typing: bool, is_covered: bool) -> Option<Id> {
    let reaches = |reach: Reach| !is_covered || reach == Reach::Everywhere;
    let mut entries = ALL.iter().filter(|entry| reaches(entry.reach));
    let calls = |keys: &Keys| keys.is(event) && !(is_typing && keys.moves_cursor());
    entries.find(|entry| entry.keys.iter().any(calls)).map(|entry| entry.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::app::Screen;

    #[test]
    fn keys_are_told_as_people_know_them() {
        for (keys, told) in [
            (Keys::Char('?'), "?"),
            (Keys::Pair('g', 't'), "g t"),
            (Keys::Stroke(COMMAND, Key::K), "Ctrl+K"),
            (Keys::Stroke(COMMAND_SHIFT, Key::H), "Ctrl+Shift+H"),
            (Keys::Stroke(Modifiers::ALT, Key::ArrowLeft), "Alt+Left"),
            (Keys::Stroke(COMMAND, Key::Comma), "Ctrl+,"),
            (Keys::Mouse(PointerButton::Extra2), "mouse button 5"),
        ] {
            assert_eq!(keys.words(false), told);
        }
        assert_eq!(Keys::Stroke(COMMAND, Key::K).words(true), "Cmd+K");
    }

    #[test]
    fn two_characters_belong_together_for_a_moment() {
        let mut reader = Reader::default();
        let mut typed = |text: &str, at_s: f64| match reader.typed(text, at_s) {
            Typed::Called(id) => Some(id),
            Typed::First | Typed::Nothing => None,
        };
        assert_eq!(typed("g", 1.0), None);
        assert_eq!(typed("t", 1.5), Some(Id::Go(Screen::Topics)));
        assert_eq!(typed("t", 1.6), None, "alone it is nothing");
        assert_eq!(typed("g", 2.0), None);
        assert_eq!(typed("t", 4.0), None, "too late");
        assert_eq!(typed("g", 5.0), None);
        assert_eq!(typed("?", 5.1), Some(Id::Help), "what follows may be a command of its own");
        assert_eq!(typed("gt", 6.0), None, "pasted");
    }
}
