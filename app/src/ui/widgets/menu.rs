//! Menus on anything: what can be done to a row, a card, a cell. They open at the pointer by the other mouse button, and by the keyboard's menu
//! key or Shift-F10 on what has the focus; once open, their lines stay as they are, whatever moves meanwhile.

use egui::{Align, Id, Key, Layout, Popup, PopupCloseBehavior, Pos2, Rect, ScrollArea, Ui, vec2};

use super::button::{Button, Tone};
use super::card::rule;
use super::icon::Icon;
use super::text;
use crate::ui::tokens::{font, palette, size, space};

/// A line of a menu.
#[derive(Clone, Debug, PartialEq)]
pub struct Item<A> {
    name: String,
    icon: Icon,
    is_danger: bool,
    /// Why it cannot be chosen now.
    obstacle: Option<String>,
    effect: Effect<A>,
}

#[derive(Clone, Debug, PartialEq)]
enum Effect<A> {
    /// The screen is told.
    Do(A),
    /// The menu copies by itself.
    Copy(String),
    /// A hairline.
    Rule,
}

impl<A> Item<A> {
    /// Does something.
    pub fn new(name: impl Into<String>, icon: Icon, action: A) -> Item<A> {
        Item { name: name.into(), icon, is_danger: false, obstacle: None, effect: Effect::Do(action) }
    }

    /// Destroys something, or asks whether to.
    pub fn danger(name: impl Into<String>, action: A) -> Item<A> {
        Item { is_danger: true, ..Item::new(name, Icon::Trash, action) }
    }

    /// Copies `what`: its menu line is `Copy …`.
    pub fn copy(what: &str, text: impl Into<String>) -> Item<A> {
        let effect = Effect::Copy(text.into());
        Item { name: format!("Copy {what}"), icon: Icon::Copy, is_danger: false, obstacle: None, effect }
    }

    /// A hairline between what belongs together.
    pub fn rule() -> Item<A> {
        Item { name: String::new(), icon: Icon::Minus, is_danger: false, obstacle: None, effect: Effect::Rule }
    }

    /// Cannot be chosen, for the reason that is given after "not".
    pub fn unless(mut self, obstacle: Option<String>) -> Item<A> {
        self.obstacle = obstacle;
        self
    }

    /// What it is called.
    #[cfg(test)]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A menu that is to open.
#[derive(Clone)]
pub struct Open<A> {
    /// Where.
    pub at: Pos2,
    /// With these lines.
    pub items: Vec<Item<A>>,
}

/// Where a menu is asked for on what stands in `rect`: under the pointer by the other mouse button, or, while something in it has the focus, by
/// the keyboard.
pub fn wanted(ui: &Ui, rect: Rect) -> Option<Pos2> {
    if ui.input(|input| input.pointer.secondary_clicked()) && ui.rect_contains_pointer(rect) {
        return ui.input(|input| input.pointer.interact_pos());
    }
    let focused = ui.memory(|memory| memory.focused()).filter(|_| by_key(ui))?;
    let place = ui.ctx().read_response(focused)?.rect;
    rect.intersects(place).then(|| place.left_bottom())
}

/// Whether the keyboard asks for a menu.
pub fn by_key(ui: &Ui) -> bool {
    ui.input(|input| input.key_pressed(Key::Menu) || (input.modifiers.shift && input.key_pressed(Key::F10)))
}

/// A button with dots that opens a menu. Returns where.
pub fn dots(ui: &mut Ui, name: &str) -> Option<Pos2> {
    let button = Button::icon(Icon::Dots, name).small().show(ui);
    let at = button.clicked().then(|| button.rect.left_bottom());
    button.on_hover_text(name);
    at
}

/// Opens a menu, shows the one that is open, and returns what was chosen. One `salt` has one menu at a time.
pub fn show<A: Clone + Send + Sync + 'static>(ui: &mut Ui, salt: &str, open: Option<Open<A>>) -> Option<A> {
    let id = ui.scope_id().with((salt, "menu"));
    show_as(ui, id, open)
}

fn show_as<A: Clone + Send + Sync + 'static>(ui: &mut Ui, id: Id, open: Option<Open<A>>) -> Option<A> {
    if let Some(open) = open.filter(|open| !open.items.is_empty()) {
        ui.data_mut(|data| data.insert_temp(id, open));
        Popup::open_id(ui.ctx(), id);
    }
    if !Popup::is_id_open(ui.ctx(), id) {
        return None;
    }
    let Open { at, items } = ui.data(|data| data.get_temp::<Open<A>>(id))?;
    let popup = Popup::new(id, ui.ctx().clone(), at, ui.layer_id()).kind(egui::PopupKind::Menu).gap(0.0);
    let shown = popup.open_memory(None).close_behavior(PopupCloseBehavior::CloseOnClick).show(|ui| {
        let chosen = lines(ui, &items);
        if chosen.is_some() || ui.input(|input| input.key_pressed(Key::Escape)) {
            ui.close();
        }
        chosen
    });
    match shown.and_then(|shown| shown.inner)? {
        Effect::Do(action) => Some(action),
        Effect::Copy(text) => {
            super::toast::tell(ui.ctx(), true, &format!("Copied {}.", first_words(&text)));
            ui.ctx().copy_text(text);
            None
        }
        Effect::Rule => None,
    }
}

fn lines<A: Clone>(ui: &mut Ui, items: &[Item<A>]) -> Option<Effect<A>> {
    ui.spacing_mut().item_spacing.y = if items.len() > MANY { 0.0 } else { space::XS / 2.0 };
    let width = widest(ui, items.iter().map(|item| item.name.as_str())) + size::ICON + space::XS + space::XL;
    let height = if items.len() > MANY { size::CONTROL_SMALL } else { size::CONTROL };
    let room = ui.ctx().content_rect().height() - 2.0 * space::XL;
    let mut chosen = None;
    ScrollArea::vertical().max_height(room).min_scrolled_height(room).show(ui, |ui| {
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            ui.set_width(width);
            for item in items {
                if item.effect_is_rule() {
                    ui.allocate_ui(vec2(width, space::S), rule);
                    continue;
                }
                let tone = if item.is_danger { Tone::Danger } else { Tone::Bare };
                let button = Button::new(&item.name).with_icon(item.icon).tone(tone).width(width).left();
                let button = button.height(height).enabled(item.obstacle.is_none()).show(ui);
                if button.clicked() {
                    chosen = Some(item.effect.clone());
                }
                if let Some(obstacle) = &item.obstacle {
                    button.on_hover_text(format!("Not {obstacle}."));
                }
            }
        });
    });
    chosen
}

/// Past so many lines they stand closer.
const MANY: usize = 14;

impl<A> Item<A> {
    fn effect_is_rule(&self) -> bool {
        matches!(self.effect, Effect::Rule)
    }
}

/// Enough of it to be recognised.
fn first_words(text: &str) -> String {
    const CHARS: usize = 60;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// How wide the widest of these is.
pub(super) fn widest<'n>(ui: &Ui, names: impl Iterator<Item = &'n str>) -> f32 {
    let width = |name| text::line(ui.painter(), name, font::body(), palette(ui).text, f32::INFINITY).size().x;
    names.map(width).fold(0.0, f32::max)
}
