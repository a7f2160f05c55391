//! The palette as it is seen: the field, what fits, and what the chosen thing does.

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{
    Align2, Context, CornerRadius, Frame, Id, Key, Margin, Modal, Modifiers, Rect, Response, Role, ScrollArea, Sense,
    Shadow, Stroke, TextEdit, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::State;
use super::items::{Item, Kind};
use super::recents::Recents;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::Command;
use crate::monitor::operation::Operation;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::commands;
use crate::ui::commands::keys::COMMAND;
use crate::ui::dialog_fault::FaultDraft;
use crate::ui::tokens::{DARK, LIGHT, Palette, font, palette, radius, size, space};
use crate::ui::widgets::dialog::Outcome;
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::{button, text};

const WIDTH: f32 = 660.0;
/// From the top of the window.
const TOP: f32 = 88.0;
const ROWS: f32 = 11.0;
/// What keys and kinds take at the right of a row.
const RIGHT: f32 = 210.0;
const KIND: f32 = 76.0;
/// What is found is never shown in a window lower than this leaves.
const AROUND: f32 = 250.0;

/// Shows it; what is chosen goes onto `actions`.
pub fn show(
    ctx: &Context,
    scene: &Scene<'_>,
    state: &mut State,
    recents: &mut Recents,
    actions: &mut Vec<Action>,
) -> Outcome {
    let is_done = state.update(scene, recents);
    if !is_done {
        ctx.request_repaint();
    }
    let style = if ctx.theme() == egui::Theme::Dark { &DARK } else { &LIGHT };
    let frame = Frame::new()
        .fill(style.surface)
        .stroke(Stroke::new(size::LINE, style.outline_strong))
        .corner_radius(CornerRadius::same(radius::L))
        .shadow(Shadow { offset: [0, 16], blur: 40, spread: 0, color: style.shadow });
    let id = Id::unique("palette");
    let window = ctx.content_rect();
    let place = Modal::default_area(id).anchor(Align2::CENTER_TOP, vec2(0.0, TOP.min(window.height() / 8.0)));
    let modal = Modal::new(id).area(place).backdrop_color(style.shadow).frame(frame).show(ctx, |ui| {
        ui.set_width(WIDTH.min(window.width() - 2.0 * space::XL));
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        let is_called = keys(ui, state);
        input(ui, state);
        line(ui);
        ui.add_space(space::XS);
        let pressed = list(ui, state, is_done);
        ui.add_space(space::XS);
        line(ui);
        about(ui, scene, state);
        pressed || is_called
    });
    if modal.inner
        && let Some(item) = state.chosen().filter(|item| item.obstacle.is_none())
    {
        recents.note(item.key());
        actions.push(item.action.clone());
        return Outcome::Confirmed;
    }
    if modal.should_close() || is_called_again(ctx) { Outcome::Cancelled } else { Outcome::Open }
}

/// Keys that are for the list and not for the field; returns whether Enter is among them.
fn keys(ui: &Ui, state: &mut State) -> bool {
    let count = state.hits.len();
    let page = ROWS as usize - 1;
    ui.input_mut(|input| {
        let mut pressed = |key: Key| input.consume_key(Modifiers::NONE, key);
        let last = count.saturating_sub(1);
        let before = state.chosen;
        if pressed(Key::ArrowDown) {
            // Round and round.
            state.chosen = if before >= last { 0 } else { before + 1 };
        }
        if pressed(Key::ArrowUp) {
            state.chosen = if before == 0 { last } else { before - 1 };
        }
        if pressed(Key::PageDown) {
            state.chosen = (before + page).min(last);
        }
        if pressed(Key::PageUp) {
            state.chosen = before.saturating_sub(page);
        }
        state.moved |= state.chosen != before;
        pressed(Key::Enter)
    })
}

/// The key that opened it closes it.
fn is_called_again(ctx: &Context) -> bool {
    ctx.input_mut(|input| input.consume_key(COMMAND, Key::K))
}

fn input(ui: &mut Ui, state: &mut State) {
    let style = palette(ui);
    let height = size::CONTROL + space::L;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let side = size::ICON_NAV;
    let mark = Rect::from_center_size(pos2(rect.left() + space::L + side / 2.0, rect.center().y), Vec2::splat(side));
    icon::paint(ui.painter(), mark, Icon::Search, style.faint);
    let place = Rect::from_x_y_ranges(mark.right() + space::M..=rect.right() - space::L, rect.y_range());
    let hint = "Search commands, brokers, topics, partitions (orders-3), groups, alarms, metrics, loggers";
    let hint = egui::RichText::new(hint).font(font::body()).color(style.faint);
    let edit = TextEdit::singleline(&mut state.typed)
        .id(Id::unique("palette input"))
        .hint_text(hint)
        .font(font::heading())
        .text_color(style.text)
        .background_color(egui::Color32::TRANSPARENT)
        .frame(Frame::NONE)
        .margin(Margin::ZERO)
        .align(Align2::LEFT_CENTER)
        .desired_width(place.width())
        .char_limit(200);
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(place));
    let response = child.add_sized(place.size(), edit).accessible_name("Search commands and objects");
    response.request_focus();
}

fn line(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), size::LINE), Sense::hover());
    ui.painter().rect_filled(rect, 0.0, palette(ui).outline);
}

/// Returns whether a row was pressed, which is then the chosen one.
fn list(ui: &mut Ui, state: &mut State, is_done: bool) -> bool {
    let style = palette(ui);
    let room = (ui.ctx().content_rect().height() - AROUND).max(3.0 * size::ROW);
    let height = (ROWS * size::ROW).min(room);
    let mut pressed = false;
    let rows = state.hits.len();
    if rows == 0 {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
        if is_done {
            let words = "Nothing is called so";
            ui.interact(rect, ui.scope_id().with("nothing"), Sense::hover())
                .widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
            text::paint(ui.painter(), rect, Align2::CENTER_CENTER, words, font::body(), style.faint);
        }
        return false;
    }
    let mut area = ScrollArea::vertical().id_salt("found").auto_shrink([false, false]).max_height(height);
    if std::mem::take(&mut state.moved) {
        let top = state.chosen as f32 * size::ROW;
        let offset = state.offset.clamp((top + size::ROW - height).max(0.0), top.max(0.0));
        area = area.vertical_scroll_offset(offset);
    }
    let output = area.show_rows(ui, size::ROW, rows, |ui, range| {
        for place in range {
            let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::ROW), Sense::click());
            let Some(item) = state.item(place) else { continue };
            row(ui, style, rect, &response, item, state, place == state.chosen);
            if response.clicked() {
                state.chosen = place;
                pressed = true;
            }
        }
    });
    state.offset = output.state.clamped_offset().y;
    pressed
}

fn row(ui: &Ui, style: &Palette, rect: Rect, response: &Response, item: &Item, state: &State, is_chosen: bool) {
    let keys = match item.kind {
        Kind::Command(id) if item.is_plain_command() => commands::keys_of(ui.ctx(), id),
        _ => String::new(),
    };
    let spoken = match (keys.is_empty(), &item.obstacle) {
        (_, Some(obstacle)) => format!("{}, {}, not {obstacle}", item.name, item.kind.word()),
        (true, None) => format!("{}, {}", item.name, item.kind.word()),
        (false, None) => format!("{}, {}, {keys}", item.name, item.kind.word()),
    };
    let enabled = item.obstacle.is_none();
    response.widget_info(|| WidgetInfo::selected(Role::Button, enabled, is_chosen, &spoken));
    let painter = ui.painter();
    let ground = rect.shrink2(vec2(space::S, 1.0));
    if is_chosen {
        painter.rect_filled(ground, CornerRadius::same(radius::M), style.accent_soft);
    } else if response.hovered() {
        painter.rect_filled(ground, CornerRadius::same(radius::M), style.hover);
    }
    let ink = match (enabled, is_chosen) {
        (false, _) => style.faint,
        (true, true) => style.accent,
        (true, false) => style.muted,
    };
    let side = size::ICON;
    let mark = Rect::from_center_size(pos2(rect.left() + space::L + side / 2.0, rect.center().y), Vec2::splat(side));
    icon::paint(painter, mark, item.kind.icon(), ink);
    let right = rect.right() - space::L;
    let words = Rect::from_x_y_ranges(mark.right() + space::M..=right - RIGHT, rect.y_range());
    let galley = painter.layout_job(marked(item, state, style, words.width()));
    painter.galley(pos2(words.left(), rect.center().y - galley.size().y / 2.0), galley, style.text);
    let kind = Rect::from_x_y_ranges(right - KIND..=right, rect.y_range());
    text::paint(painter, kind, Align2::RIGHT_CENTER, item.kind.word(), font::tiny(), style.faint);
    if !keys.is_empty() {
        let place = Rect::from_x_y_ranges(right - RIGHT..=kind.left() - space::S, rect.y_range());
        key_caps(ui, style, place, &keys);
    }
}

/// The keys as they stand on a keyboard, flush right.
pub fn key_caps(ui: &Ui, style: &Palette, place: Rect, keys: &str) {
    let painter = ui.painter();
    let galley = text::line(painter, keys, font::tiny(), style.muted, place.width());
    let cap = vec2((galley.size().x + 2.0 * space::XS + 2.0).max(size::PILL), size::PILL);
    let cap = Align2::RIGHT_CENTER.align_size_within_rect(cap, place);
    painter.rect(
        cap,
        CornerRadius::same(radius::S),
        style.raised,
        Stroke::new(size::LINE, style.outline_strong),
        egui::StrokeKind::Inside,
    );
    text::paint(painter, cap, Align2::CENTER_CENTER, keys, font::tiny(), style.muted);
}

/// The name, with what fits in the colour of what can be acted on.
fn marked(item: &Item, state: &State, style: &Palette, width: f32) -> LayoutJob {
    let ink = if item.obstacle.is_some() { style.faint } else { style.text };
    let marks = item.marks(&state.query);
    let mut job = LayoutJob {
        wrap: TextWrapping { max_width: width, max_rows: 1, break_anywhere: true, overflow_character: Some('…') },
        ..LayoutJob::default()
    };
    let mut run = String::new();
    let mut run_fits = false;
    let mut append = |run: &mut String, fits: bool| {
        if !run.is_empty() {
            let color = if fits { style.accent } else { ink };
            job.append(run, 0.0, TextFormat { font_id: font::body(), color, ..TextFormat::default() });
            run.clear();
        }
    };
    for (at, letter) in item.name.char_indices() {
        let fits = marks.binary_search(&at).is_ok();
        if fits != run_fits {
            append(&mut run, run_fits);
            run_fits = fits;
        }
        run.push(letter);
    }
    append(&mut run, run_fits);
    job
}

/// What the chosen thing does, in words and as a command.
fn about(ui: &mut Ui, scene: &Scene<'_>, state: &State) {
    let style = palette(ui);
    let frame = Frame::new().inner_margin(Margin::symmetric(space::L as i8, space::S as i8));
    frame.show(ui, |ui| {
        ui.set_height(2.0 * size::CONTROL_SMALL);
        ui.spacing_mut().item_spacing = vec2(space::XS, 0.0);
        let Some(item) = state.chosen() else { return };
        ui.horizontal(|ui| {
            ui.set_height(size::CONTROL_SMALL);
            // The keys are there in any case; a long line of what is done gives way.
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                text::label(ui, "Enter: do it    Esc: close", font::tiny(), style.faint);
                ui.add_space(space::M);
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| match &item.obstacle {
                    Some(obstacle) => text::label(ui, &format!("Not {obstacle}."), font::small(), style.warning),
                    None => text::label(ui, &format!("{}.", what(item)), font::small(), style.muted),
                });
            });
        });
        let command = command_of(&item.action, scene);
        let line = command.map(|command| as_command::line(&command, &Around::scene(scene))).unwrap_or_default();
        if !line.is_empty() {
            ui.horizontal(|ui| {
                ui.set_height(size::CONTROL_SMALL);
                button::copy(ui, &line, "the command");
                text::label(ui, &line, font::mono(), style.muted);
            });
        }
    });
}

fn what(item: &Item) -> &'static str {
    match item.kind {
        Kind::Command(id) => commands::entry(id).map_or("", |entry| entry.what),
        Kind::Broker | Kind::Controller => "Show it on the cluster screen",
        Kind::Topic => "Show its partitions",
        Kind::Partition => "Show it among the partitions of its topic",
        Kind::Tape => "Show its log as a tape: segments, batches, and who has come how far",
        Kind::Group => "Show its members and its lag",
        Kind::Alarm => "Show its course and its history",
        Kind::Metric => "Show it in the explorer",
        Kind::Logger => "Show its level, and change it",
    }
}

/// What an action would have done; of a dialog, what it would do as it opens.
fn command_of(action: &Action, scene: &Scene<'_>) -> Option<Command> {
    match action {
        Action::Send(command) => Some(command.clone()),
        Action::Ask(Dialog::DeleteTopic(name)) => Some(Command::DeleteTopic { name: name.clone() }),
        Action::Ask(Dialog::DeleteGroup(id)) => Some(Command::Operate(Operation::DeleteGroup(id.as_str().into()))),
        Action::Ask(Dialog::RemoveBroker(id)) => Some(Command::RemoveBroker(*id)),
        Action::Ask(Dialog::RemoveController(id)) => Some(Command::RemoveController(*id)),
        Action::Ask(Dialog::DeleteAlarm(name)) => Some(Command::Monitoring(Change::DeleteAlarms(vec![name.clone()]))),
        Action::Ask(Dialog::Fault(kind, target)) => {
            let draft = FaultDraft::new(*kind, target.clone(), scene.model.snapshot());
            Some(Command::InjectFault(draft.request()))
        }
        _ => None,
    }
}
