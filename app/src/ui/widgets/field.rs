//! Text inputs: the filter box that stands over every table, and labelled fields of dialogs with their complaint right under them.

use egui::{
    Align2, Context, CornerRadius, Frame, Id, Margin, Rect, Response, Sense, Stroke, StrokeKind, TextEdit, Ui,
    UiBuilder, Vec2, pos2, vec2,
};

use super::button::Button;
use super::icon::{self, Icon};
use super::text;
use crate::ui::tokens::{font, palette, radius, size, space};

/// A filter box; `name` is its accessible name. Escape clears it.
pub fn filter_box(ui: &mut Ui, name: &str, hint: &str, value: &mut String) -> Response {
    let style = palette(ui);
    let width = size::FILTER.min(ui.available_width());
    let (rect, _) = ui.allocate_exact_size(vec2(width, size::CONTROL), Sense::hover());
    let ground = ui.painter().add(egui::Shape::Noop);
    let symbol = Rect::from_center_size(
        pos2(rect.left() + space::L - space::XS / 2.0, rect.center().y),
        Vec2::splat(size::ICON - 2.0),
    );
    icon::paint(ui.painter(), symbol, Icon::Search, style.faint);
    let right = if value.is_empty() { rect.right() - space::S } else { rect.right() - size::CONTROL_SMALL - space::XS };
    let inner = Rect::from_x_y_ranges(symbol.right() + space::S..=right, rect.y_range());
    let response = input(ui, inner, hint, value).accessible_name(name);
    if is_summoned(ui.ctx()) {
        response.request_focus();
        response.scroll_to_me(None);
    }
    if response.has_focus() && ui.input(|input| input.key_pressed(egui::Key::Escape)) {
        value.clear();
    }
    if !value.is_empty() {
        let place =
            Rect::from_x_y_ranges(right..=rect.right() - space::XS / 2.0, rect.y_range()).shrink2(vec2(0.0, 2.0));
        let mut corner = ui.new_child(UiBuilder::new().max_rect(place));
        let clear = Button::icon(Icon::Close, &format!("Clear: {name}")).small().show(&mut corner);
        if clear.clicked() {
            value.clear();
        }
    }
    let edge = if response.has_focus() { style.accent } else { style.outline };
    let stroke = Stroke::new(size::LINE, edge);
    let shape =
        egui::epaint::RectShape::new(rect, CornerRadius::same(radius::M), style.input, stroke, StrokeKind::Inside);
    ui.painter().set(ground, shape);
    response
}

/// The next filter box that is shown takes the cursor.
pub fn summon(ctx: &Context) {
    ctx.data_mut(|data| data.insert_temp(Id::unique("summoned filter"), true));
}

/// Whether a filter box is waited for; nobody waits for it afterwards.
pub fn is_summoned(ctx: &Context) -> bool {
    ctx.data_mut(|data| data.remove_temp(Id::unique("summoned filter"))).unwrap_or(false)
}

/// A labelled field with a complaint (or a hint) under it.
pub fn field(ui: &mut Ui, label: &str, hint: &str, value: &mut String, complaint: Option<&str>) -> Response {
    let style = palette(ui);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        text::caption(ui, label, font::small(), style.muted);
        let width = ui.available_width();
        let (rect, _) = ui.allocate_exact_size(vec2(width, size::CONTROL + 2.0), Sense::hover());
        let ground = ui.painter().add(egui::Shape::Noop);
        let response = input(ui, rect.shrink2(vec2(space::S, 0.0)), hint, value).accessible_name(label);
        let edge = match (complaint, response.has_focus()) {
            (Some(_), _) => style.critical,
            (None, true) => style.accent,
            (None, false) => style.outline_strong,
        };
        let stroke = Stroke::new(size::LINE, edge);
        let shape =
            egui::epaint::RectShape::new(rect, CornerRadius::same(radius::M), style.input, stroke, StrokeKind::Inside);
        ui.painter().set(ground, shape);
        if let Some(complaint) = complaint {
            text::paragraph(ui, complaint, font::small(), style.critical);
        }
        response
    })
    .inner
}

fn input(ui: &mut Ui, rect: Rect, hint: &str, value: &mut String) -> Response {
    let style = palette(ui);
    let hint = egui::RichText::new(hint).font(font::body()).color(style.faint);
    let edit = TextEdit::singleline(value)
        .hint_text(hint)
        .font(font::body())
        .text_color(style.text)
        .background_color(egui::Color32::TRANSPARENT)
        .frame(Frame::NONE)
        .margin(Margin::ZERO)
        .align(Align2::LEFT_CENTER)
        .desired_width(rect.width())
        .min_size(rect.size());
    // Not `put`: that would move the cursor of the layout it stands in.
    ui.new_child(UiBuilder::new().max_rect(rect)).add_sized(rect.size(), edit)
}

/// A command in fixed-width type on a tinted ground, with a button that copies it.
pub fn command(ui: &mut Ui, title: &str, command: &str) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        text::label(ui, title, font::small(), style.muted);
        // Several commands may stand below each other.
        super::button::copy(ui, command, &format!("the command: {title}"));
    });
    let frame = Frame::new()
        .fill(style.raised)
        .corner_radius(CornerRadius::same(radius::M))
        .inner_margin(Margin::symmetric(space::S as i8, space::S as i8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        text::paragraph(ui, command, font::mono(), style.muted);
    });
}

/// A box with a tick and a word.
pub fn toggle(ui: &mut Ui, name: &str, on: &mut bool) -> Response {
    let style = palette(ui);
    let galley = text::line(ui.painter(), name, font::body(), style.text, f32::INFINITY);
    let width = size::ICON + space::S + galley.size().x;
    let (rect, response) = ui.allocate_exact_size(vec2(width, size::CONTROL), Sense::click());
    if response.clicked() {
        *on = !*on;
    }
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::CheckBox, true, *on, name));
    let side = size::ICON;
    let tick = Rect::from_min_size(pos2(rect.left(), rect.center().y - side / 2.0), Vec2::splat(side));
    let (fill, edge) = match (*on, response.hovered() || response.has_focus()) {
        (true, _) => (style.accent, style.accent),
        (false, true) => (style.raised, style.accent),
        (false, false) => (style.raised, style.outline_strong),
    };
    ui.painter().rect(tick, CornerRadius::same(radius::S), fill, Stroke::new(size::LINE, edge), StrokeKind::Inside);
    if *on {
        icon::paint(ui.painter(), tick.shrink(2.0), Icon::Check, style.on_accent);
    }
    let words = Rect::from_min_max(pos2(tick.right() + space::S, rect.top()), rect.max);
    text::paint(ui.painter(), words, Align2::LEFT_CENTER, name, font::body(), style.muted);
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}
