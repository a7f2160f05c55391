//! A button that opens a list of choices of which one is taken.

use egui::{Align, Layout, Popup, Response, ScrollArea, Ui};

use super::button::{Button, Tone};
use super::icon::Icon;
use super::text;
use crate::ui::tokens::{font, palette, space};

/// A choice.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a, T> {
    /// What is chosen.
    pub value: T,
    /// Its words.
    pub name: &'a str,
    /// Whether it can be chosen now.
    pub enabled: bool,
}

/// How high a list grows.
const LIST_AT_MOST: f32 = 420.0;

/// Shows `what: chosen ⌄`; its accessible name is `what: chosen`, that of a choice `what choice`. Returns whether another was taken.
pub fn picker<T: Copy + PartialEq>(ui: &mut Ui, what: &str, chosen: &mut T, choices: &[Choice<'_, T>]) -> bool {
    let before = *chosen;
    let name = choices.iter().find(|choice| choice.value == *chosen).map_or("", |choice| choice.name);
    let words = format!("{what}: {name}");
    let response = Button::new(&words).with_icon(Icon::Down).show(ui);
    list(&response, what, chosen, choices);
    *chosen != before
}

/// The same as a field of a dialog: `what` stands over it, and it is as wide as there is room.
pub fn labelled<T: Copy + PartialEq>(ui: &mut Ui, what: &str, chosen: &mut T, choices: &[Choice<'_, T>]) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        text::caption(ui, what, font::small(), palette(ui).muted);
        let name = choices.iter().find(|choice| choice.value == *chosen).map_or("", |choice| choice.name);
        let spoken = format!("{what}: {name}");
        let width = ui.available_width();
        let response = Button::new(name).name(&spoken).with_icon(Icon::Down).width(width).show(ui);
        list(&response, what, chosen, choices);
    });
}

fn list<T: Copy + PartialEq>(button: &Response, what: &str, chosen: &mut T, choices: &[Choice<'_, T>]) {
    Popup::menu(button).gap(space::XS).show(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS / 2.0;
        let names = choices.iter().map(|choice| choice.name);
        let widest = names
            .map(|name| text::line(ui.painter(), name, font::body(), palette(ui).text, f32::INFINITY).size().x)
            .fold(0.0, f32::max);
        let width = widest + space::XL;
        // A long list scrolls by itself.
        let area = ScrollArea::vertical().max_height(LIST_AT_MOST);
        area.show(ui, |ui| {
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                for choice in choices {
                    let spoken = format!("{what} {}", choice.name);
                    let button = Button::new(choice.name)
                        .name(&spoken)
                        .tone(Tone::Bare)
                        .selected(choice.value == *chosen)
                        .enabled(choice.enabled)
                        .width(width);
                    if button.show(ui).clicked() {
                        *chosen = choice.value;
                        ui.close();
                    }
                }
            })
        });
    });
}
