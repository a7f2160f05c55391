//! Toasts: what came of a command, for some seconds, at the lower right. A click dismisses one; bad news stays longer.

use std::collections::VecDeque;
use std::time::Duration;

use egui::{Align2, Area, Context, CornerRadius, Frame, Id, Margin, Order, Shadow, Stroke, Ui, vec2};

use super::icon::{self, Icon};
use super::text;
use crate::ui::tokens::{font, palette, radius, size, space};

const SHOWN_AT_MOST: usize = 4;
const GOOD_NEWS_S: f64 = 4.0;
const BAD_NEWS_S: f64 = 10.0;

#[derive(Clone, Debug)]
struct Toast {
    ok: bool,
    text: String,
    until_s: f64,
}

#[derive(Clone, Debug, Default)]
struct Toasts(VecDeque<Toast>);

fn id() -> Id {
    Id::unique("toasts")
}

/// Adds one; the oldest make room.
pub fn tell(ctx: &Context, ok: bool, text: &str) {
    let until_s = ctx.input(|input| input.time) + if ok { GOOD_NEWS_S } else { BAD_NEWS_S };
    ctx.data_mut(|data| {
        let toasts: &mut Toasts = data.get_temp_mut_or_default(id());
        toasts.0.push_back(Toast { ok, text: text.to_owned(), until_s });
        while toasts.0.len() > SHOWN_AT_MOST {
            toasts.0.pop_front();
        }
    });
    ctx.request_repaint();
}

/// Paints them over everything but what stands at the bottom, which is so high.
pub fn show(ctx: &Context, bottom: f32) {
    let now_s = ctx.input(|input| input.time);
    let mut toasts: Toasts = ctx.data_mut(|data| data.get_temp(id()).unwrap_or_default());
    toasts.0.retain(|toast| toast.until_s > now_s);
    if let Some(next) = toasts.0.iter().map(|toast| toast.until_s).reduce(f64::min) {
        ctx.request_repaint_after(Duration::from_secs_f64((next - now_s).max(0.05)));
        let corner = vec2(-space::L, -space::L - bottom);
        Area::new(id()).order(Order::Tooltip).anchor(Align2::RIGHT_BOTTOM, corner).show(ctx, |ui| {
            let mut dismissed = None;
            for (index, toast) in toasts.0.iter().enumerate() {
                if one(ui, toast) {
                    dismissed = Some(index);
                }
            }
            if let Some(index) = dismissed {
                toasts.0.remove(index);
            }
        });
    }
    ctx.data_mut(|data| data.insert_temp(id(), toasts));
}

fn one(ui: &mut Ui, toast: &Toast) -> bool {
    let style = palette(ui);
    let (symbol, ink) = if toast.ok { (Icon::Check, style.ok) } else { (Icon::Critical, style.critical) };
    let frame = Frame::new()
        .fill(style.surface)
        .stroke(Stroke::new(size::LINE, if toast.ok { style.outline_strong } else { style.critical }))
        .corner_radius(CornerRadius::same(radius::M))
        .shadow(Shadow { offset: [0, 4], blur: 16, spread: 0, color: style.shadow })
        .inner_margin(Margin::symmetric(space::M as i8, space::S as i8));
    let shown = frame.show(ui, |ui| {
        ui.set_width(size::TOAST);
        ui.horizontal_top(|ui| {
            let (place, _) = ui.allocate_exact_size(egui::Vec2::splat(size::ICON), egui::Sense::hover());
            icon::paint(ui.painter(), place, symbol, ink);
            text::paragraph(ui, &toast.text, font::body(), style.text);
        });
    });
    shown.response.interact(egui::Sense::click()).on_hover_text("Click to dismiss").clicked()
}
