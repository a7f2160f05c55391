//! Dialogs: one at a time, over a veil; Escape and a click beside it close it.

use egui::{Context, CornerRadius, Event, Frame, Id, Key, Margin, Modal, Shadow, Stroke, Ui};

use super::button::{Button, Tone};
use super::icon::Icon;
use super::text;
use crate::ui::tokens::{DARK, LIGHT, font, radius, size, space};

/// What a dialog was left with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Open,
    /// Closed without doing it.
    Cancelled,
    /// Do it.
    Confirmed,
}

/// The words on a dialog's buttons.
pub struct Buttons<'a> {
    /// What is done.
    pub confirm: &'a str,
    /// Whether it can be done now.
    pub enabled: bool,
    /// Whether it destroys something.
    pub danger: bool,
}

/// Shows a dialog; `content` paints its body and says what its buttons are.
pub fn dialog<'a>(ctx: &Context, id: &str, title: &str, content: impl FnOnce(&mut Ui) -> Buttons<'a>) -> Outcome {
    sized(ctx, id, title, (size::DIALOG, Icon::Trash), content)
}

/// One whose button, where it is dangerous, has another icon than a bin: nothing is deleted.
pub fn dialog_with<'a>(
    ctx: &Context,
    id: &str,
    title: &str,
    symbol: Icon,
    content: impl FnOnce(&mut Ui) -> Buttons<'a>,
) -> Outcome {
    sized(ctx, id, title, (size::DIALOG, symbol), content)
}

/// One with room for four fields in a row.
pub fn wide<'a>(ctx: &Context, id: &str, title: &str, content: impl FnOnce(&mut Ui) -> Buttons<'a>) -> Outcome {
    sized(ctx, id, title, (size::DIALOG_WIDE, Icon::Trash), content)
}

/// Whether Enter was pressed here: held down since before the dialog was there, it confirms nothing.
fn is_entered(ui: &Ui) -> bool {
    let is_enter = |event: &Event| matches!(event, Event::Key { key: Key::Enter, pressed: true, repeat: false, modifiers, .. } if modifiers.is_none());
    ui.input(|input| input.events.iter().any(is_enter))
}

fn sized<'a>(
    ctx: &Context,
    id: &str,
    title: &str,
    (width, symbol): (f32, Icon),
    content: impl FnOnce(&mut Ui) -> Buttons<'a>,
) -> Outcome {
    let style = if ctx.theme() == egui::Theme::Dark { &DARK } else { &LIGHT };
    let frame = Frame::new()
        .fill(style.surface)
        .stroke(Stroke::new(size::LINE, style.outline_strong))
        .corner_radius(CornerRadius::same(radius::L))
        .shadow(Shadow { offset: [0, 16], blur: 40, spread: 0, color: style.shadow })
        .inner_margin(Margin::same(space::L as i8 + space::XS as i8));
    let modal = Modal::new(Id::unique(id)).backdrop_color(style.shadow).frame(frame).show(ctx, |ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = space::M;
        text::label(ui, title, font::title(), style.text);
        let buttons = content(ui);
        ui.add_space(space::XS);
        let mut outcome = Outcome::Open;
        // As high as a button: what is left of a dialog that was higher before is not to be filled.
        let row = egui::vec2(ui.available_width(), size::CONTROL);
        ui.allocate_ui_with_layout(row, egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let (tone, symbol) = if buttons.danger { (Tone::Danger, Some(symbol)) } else { (Tone::Primary, None) };
            let mut confirm = Button::new(buttons.confirm).tone(tone).enabled(buttons.enabled);
            if let Some(symbol) = symbol {
                confirm = confirm.with_icon(symbol);
            }
            let enter = buttons.enabled && is_entered(ui);
            if confirm.show(ui).clicked() || enter {
                outcome = Outcome::Confirmed;
            } else if Button::new("Cancel").show(ui).clicked() {
                outcome = Outcome::Cancelled;
            }
        });
        outcome
    });
    match modal.inner {
        Outcome::Open if modal.should_close() => Outcome::Cancelled,
        outcome => outcome,
    }
}
