//! The help: all commands with their keys, as the table has them.

use egui::{Align2, Context, Event, Rect, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

use super::commands::{self, ALL, Entry, Group};
use super::finder::key_caps;
use super::sheet::sheet;
use super::tokens::{font, palette, size, space};
use super::widgets::dialog::Outcome;
use super::widgets::layout::side_by_side;
use super::widgets::text;

const WIDTH: f32 = 1_240.0;
/// From this width on the groups stand in two columns.
const TWO_COLUMNS: f32 = 940.0;
/// The groups of the left column.
const LEFT: usize = 4;
/// What keys and names take.
const KEYS: f32 = 90.0;
const NAME: f32 = 176.0;
/// What stands above and below the list in the window.
const AROUND: f32 = 190.0;

/// Shows it; the key that opened it closes it.
pub fn show(ctx: &Context) -> Outcome {
    let outcome = sheet(ctx, "help", "Commands and shortcuts", WIDTH, |ui| {
        let style = palette(ui);
        let find = commands::keys_of(ctx, commands::Id::Palette);
        let words = format!(
            "{find} finds every one of them, and does it. Where a name ends with …, it is there for each node, topic or alarm."
        );
        text::paragraph(ui, &words, font::small(), style.muted);
        let room = ctx.content_rect().height() - AROUND;
        // A sheet that has just opened is low, and the area would stay so.
        ScrollArea::vertical().id_salt("help").min_scrolled_height(room).max_height(room).show(ui, |ui| {
            let width = ui.available_width();
            if width < TWO_COLUMNS {
                Group::ALL.iter().for_each(|of| group(ui, *of));
                return;
            }
            let half = ((width - space::XL) / 2.0).floor();
            side_by_side(ui, &[half, half], space::XL, |ui, column| {
                let (left, right) = Group::ALL.split_at(LEFT);
                (if column == 0 { left } else { right }).iter().for_each(|of| group(ui, *of));
            });
        });
    });
    let is_called =
        ctx.input(|input| input.events.iter().any(|event| matches!(event, Event::Text(text) if text == "?")));
    if is_called { Outcome::Cancelled } else { outcome }
}

fn group(ui: &mut Ui, group: Group) {
    ui.spacing_mut().item_spacing.y = 0.0;
    text::label(ui, group.title(), font::heading(), palette(ui).text);
    ui.add_space(space::XS);
    ALL.iter().filter(|entry| entry.group == group).for_each(|entry| row(ui, entry));
    ui.add_space(space::M);
}

/// What a row says to those who do not see it.
pub fn spoken(entry: &Entry, keys: &str) -> String {
    if keys.is_empty() {
        format!("{}: {}", entry.name, entry.what)
    } else {
        format!("{}, {keys}: {}", entry.name, entry.what)
    }
}

fn row(ui: &mut Ui, entry: &Entry) {
    let style = palette(ui);
    let keys = commands::keys_of(ui.ctx(), entry.id);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::ROW_DENSE), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, spoken(entry, &keys)));
    if response.hovered() {
        ui.painter().rect_filled(rect, 0.0, style.hover);
    }
    let column = |left: f32, width: f32| Rect::from_min_size(pos2(left, rect.top()), vec2(width, rect.height()));
    let painter = ui.painter();
    text::paint(painter, column(rect.left(), NAME), Align2::LEFT_CENTER, entry.name, font::body(), style.text);
    if !keys.is_empty() {
        key_caps(ui, style, column(rect.left() + NAME, KEYS - space::S), &keys);
    }
    let left = rect.left() + NAME + KEYS;
    let what = column(left, rect.right() - left);
    let galley = text::line(painter, entry.what, font::small(), style.muted, what.width());
    let is_cut = galley.elided;
    painter.galley(Align2::LEFT_CENTER.align_size_within_rect(galley.size(), what).min, galley, style.muted);
    if is_cut {
        response.on_hover_text(entry.what);
    }
}
