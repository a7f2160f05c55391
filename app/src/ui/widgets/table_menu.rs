//! What opens on a table: the menu of a row, and the choice of columns.

use egui::{Id, Popup, PopupCloseBehavior, Pos2, Rect, Response, Ui, UiBuilder, vec2};

use super::button::Button;
use super::field::toggle;
use super::icon::Icon;
use super::menu::widest;
use super::table::{Column, GUTTER};
use crate::ui::tokens::{size, space};

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
