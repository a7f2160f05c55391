//! Status pills: an icon and a word on a tinted ground, so that state is never told by colour alone.

use egui::{Align2, Color32, Painter, Pos2, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::icon::{self, Icon};
use super::text;
use crate::ui::tokens::{Palette, font, palette, size, space};

/// How good or bad a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mood {
    /// Nothing to see.
    #[default]
    Quiet,
    /// Fine, and worth saying.
    Good,
    /// In motion, or chosen.
    Busy,
    /// Redundancy or time is being lost.
    Warning,
    /// Broken.
    Critical,
}

impl Mood {
    /// Ink and ground.
    pub fn colors(self, style: &Palette) -> (Color32, Color32) {
        match self {
            Mood::Quiet => (style.muted, style.raised),
            Mood::Good => (style.ok, style.ok_soft),
            Mood::Busy => (style.accent, style.accent_soft),
            Mood::Warning => (style.warning, style.warning_soft),
            Mood::Critical => (style.critical, style.critical_soft),
        }
    }
}

/// What a pill says.
#[derive(Clone, Debug, PartialEq)]
pub struct Pill {
    /// How good or bad.
    pub mood: Mood,
    /// Its shape.
    pub icon: Icon,
    /// Its word.
    pub text: &'static str,
}

impl Pill {
    /// A pill.
    pub const fn new(mood: Mood, icon: Icon, text: &'static str) -> Pill {
        Pill { mood, icon, text }
    }

    /// How wide it will be.
    pub fn width(&self, painter: &Painter) -> f32 {
        let galley = text::line(painter, self.text, font::small(), Color32::WHITE, f32::INFINITY);
        galley.size().x + size::ICON - space::XS + space::XS + 2.0 * space::S
    }

    /// Paints it with its left edge and vertical middle at `left_center`; returns its rectangle.
    pub fn paint(&self, painter: &Painter, style: &Palette, left_center: Pos2) -> Rect {
        let (ink, ground) = self.mood.colors(style);
        let rect = Rect::from_min_size(
            pos2(left_center.x, left_center.y - size::PILL / 2.0),
            vec2(self.width(painter), size::PILL),
        );
        painter.rect_filled(rect, size::PILL / 2.0, ground);
        let side = size::ICON - space::XS;
        let symbol =
            Rect::from_center_size(pos2(rect.left() + space::S + side / 2.0, rect.center().y), Vec2::splat(side));
        icon::paint(painter, symbol, self.icon, ink);
        let words = Rect::from_min_max(pos2(symbol.right() + space::XS, rect.top()), rect.max);
        text::paint(painter, words, Align2::LEFT_CENTER, self.text, font::small(), ink);
        rect
    }

    /// Puts it into the layout.
    pub fn show(&self, ui: &mut Ui) -> Response {
        let (rect, response) = ui.allocate_exact_size(vec2(self.width(ui.painter()), size::PILL), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, self.text));
        self.paint(ui.painter(), palette(ui), rect.left_center());
        response
    }
}
