//! Tabs: a row of names of which one is shown.

use egui::Ui;

use super::button::{Button, Tone};
use crate::ui::tokens::space;

/// A row of tabs, and some air below it; the one that is pressed is chosen. Each is called `Show …`.
pub fn tabs<T: Copy + PartialEq>(ui: &mut Ui, chosen: &mut T, tabs: &[(T, &str)]) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        for &(value, name) in tabs {
            let spoken = format!("Show {}", name.to_lowercase());
            if Button::new(name).name(&spoken).tone(Tone::Bare).selected(*chosen == value).show(ui).clicked() {
                *chosen = value;
            }
        }
    });
    ui.add_space(space::XS);
}
