//! What opens on a table: the menu of a row, and the choice of columns.

use egui::{Align, Id, Key, Layout, Popup, PopupCloseBehavior, Pos2, Rect, Response, Ui, UiBuilder, vec2};

use super::button::{Button, Tone};
use super::field::toggle;
use super::icon::Icon;
use super::table::{Column, GUTTER};
use super::text;
use crate::ui::tokens::{font, palette, size, space};

/// A line of a row's menu.
#[derive(Clone, Debug)]
pub struct Item<A> {
    name: String,
    icon: Icon,
    is_danger: bool,
    effect: Effect<A>,
}

#[derive(Clone, Debug)]
enum Effect<A> {
    /// The screen is told.
    Do(A),
    /// The menu copies by itself.
    Copy(String),
}

impl<A> Item<A> {
    /// Does something.
    pub fn new(name: impl Into<String>, icon: Icon, action: A) -> Item<A> {
        Item { name: name.into(), icon, is_danger: false, effect: Effect::Do(action) }
    }

    /// Destroys something, or asks whether to.
    pub fn danger(name: impl Into<String>, action: A) -> Item<A> {
        Item { is_danger: true, ..Item::new(name, Icon::Trash, action) }
    }

    /// Copies `what`: its menu line is `Copy …`.
    pub fn copy(what: &str, text: impl Into<String>) -> Item<A> {
        Item { name: format!("Copy {what}"), icon: Icon::Copy, is_danger: false, effect: Effect::Copy(text.into()) }
    }
}

/// A menu that is to open. Its lines stay those of its row, wherever rows move meanwhile.
#[derive(Clone)]
pub(super) struct Open<A> {
    /// Where.
    pub at: Pos2,
    /// With these lines.
    pub items: Vec<Item<A>>,
}

/// Opens a menu, shows the one that is open, and returns what was chosen.
pub(super) fn show<A: Clone + Send + Sync + 'static>(ui: &mut Ui, table: &str, open: Option<Open<A>>) -> Option<A> {
    let id = ui.scope_id().with((table, "row menu"));
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
        ui.spacing_mut().item_spacing.y = space::XS / 2.0;
        let names = items.iter().map(|item| item.name.as_str());
        let width = widest(ui, names) + size::ICON + space::XS + space::XL;
        let mut chosen = None;
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            for item in &items {
                let tone = if item.is_danger { Tone::Danger } else { Tone::Bare };
                if Button::new(&item.name).with_icon(item.icon).tone(tone).width(width).left().show(ui).clicked() {
                    chosen = Some(item.effect.clone());
                }
            }
        });
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

fn widest<'n>(ui: &Ui, names: impl Iterator<Item = &'n str>) -> f32 {
    let width = |name| text::line(ui.painter(), name, font::body(), palette(ui).text, f32::INFINITY).size().x;
    names.map(width).fold(0.0, f32::max)
}

/// The dots at the right end of a row. Returns where its menu is to open.
pub(super) fn dots(ui: &mut Ui, id: Id, row: Rect) -> Option<Pos2> {
    let side = size::CONTROL_SMALL.min(row.height());
    let place = Rect::from_center_size(egui::pos2(row.right() - GUTTER / 2.0, row.center().y), vec2(side, side));
    let mut corner = ui.new_child(UiBuilder::new().id_salt(id).max_rect(place));
    let button = Button::icon(Icon::Dots, "Row menu").small().height(side).show(&mut corner);
    button.clicked().then(|| place.left_bottom())
}

/// The button that chooses columns, and writes the table to a file; the header's other mouse button opens the same. Whether a file is wanted.
pub(super) fn columns(
    ui: &mut Ui,
    table: &str,
    place: Rect,
    header: &Response,
    columns: &[Column],
    hidden: &mut Vec<String>,
) -> bool {
    let mut corner = ui.new_child(UiBuilder::new().id_salt((table, "columns")).max_rect(place));
    let name = format!("Columns of {table}");
    let button = Button::icon(Icon::Columns, &name).small().selected(!hidden.is_empty()).show(&mut corner);
    if header.secondary_clicked() {
        Popup::open_id(ui.ctx(), Popup::default_response_id(&button));
    }
    let popup = Popup::menu(&button).close_behavior(PopupCloseBehavior::CloseOnClickOutside).gap(space::XS);
    let shown = popup.show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.set_min_width(widest(ui, columns.iter().map(|column| column.name)) + size::ICON + space::L);
        for column in columns.iter().skip(1).filter(|column| !column.name.is_empty()) {
            let mut is_shown = !hidden.iter().any(|name| name == column.name);
            if toggle(ui, column.name, &mut is_shown).clicked() {
                if is_shown {
                    hidden.retain(|name| name != column.name);
                } else {
                    hidden.push(column.name.to_owned());
                }
            }
        }
        ui.add_space(space::XS);
        let all = Button::new("Show all").small().enabled(!hidden.is_empty()).show(ui);
        if all.clicked() {
            hidden.clear();
        }
        ui.add_space(space::XS);
        let export = Button::new("Export this table…").small().show(ui).clicked();
        if export {
            ui.close();
        }
        export
    });
    let is_export_wanted = shown.is_some_and(|shown| shown.inner);
    if !Popup::is_any_open(ui.ctx()) {
        button.on_hover_text("Choose columns, export the table");
    }
    is_export_wanted
}
