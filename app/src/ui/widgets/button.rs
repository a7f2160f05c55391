//! Buttons: quiet by default, one primary per view, danger in its colour; icon and word, or the icon alone with a tooltip.

use egui::{
    Align2, Color32, CornerRadius, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, vec2,
};

use super::icon::{self, Icon};
use super::text;
use crate::ui::tokens::{Palette, font, palette, radius, size, space};

/// How loud a button is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A border and plain text.
    Quiet,
    /// No border until the pointer is there.
    Bare,
    /// The one thing to do here.
    Primary,
    /// Destroys something.
    Danger,
}

/// A button being described; `show` puts it there.
pub struct Button<'a> {
    icon: Option<Icon>,
    text: &'a str,
    name: &'a str,
    tone: Tone,
    enabled: bool,
    height: f32,
    width: Option<f32>,
    selected: bool,
    left: bool,
}

impl<'a> Button<'a> {
    /// A button with a word, which is also its accessible name.
    pub fn new(text: &'a str) -> Button<'a> {
        Button {
            icon: None,
            text,
            name: text,
            tone: Tone::Quiet,
            enabled: true,
            height: size::CONTROL,
            width: None,
            selected: false,
            left: false,
        }
    }

    /// A button with an icon alone; `name` is what screen readers and tests call it.
    pub fn icon(icon: Icon, name: &'a str) -> Button<'a> {
        Button { icon: Some(icon), name, tone: Tone::Bare, ..Button::new("") }
    }

    /// With an icon before the word.
    pub fn with_icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Another accessible name than the word ("Kill broker 2" for "Kill").
    pub fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// How loud.
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// Whether it can be pressed.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// The smaller size that stands on cards.
    pub fn small(mut self) -> Self {
        self.height = size::CONTROL_SMALL;
        self
    }

    /// Exactly this high.
    pub fn height(mut self, height: f32) -> Self {
        self.height = height;
        self
    }

    /// Its word flush left, as in menus.
    pub fn left(mut self) -> Self {
        self.left = true;
        self
    }

    /// Exactly this wide.
    pub fn width(mut self, width: f32) -> Self {
        self.width = Some(width);
        self
    }

    /// Shown as chosen (segments, toggles).
    pub fn selected(mut self, selected: bool) -> Self {
        self.selected = selected;
        self
    }

    /// Puts it there.
    pub fn show(self, ui: &mut Ui) -> Response {
        let style = palette(ui);
        let font = if self.height < size::CONTROL { font::small() } else { font::body() };
        let galley = text::line(ui.painter(), self.text, font.clone(), style.text, f32::INFINITY);
        let icon_width = if self.icon.is_some() { size::ICON } else { 0.0 };
        let gap = if self.icon.is_some() && !self.text.is_empty() { space::XS } else { 0.0 };
        let content = icon_width + gap + galley.size().x;
        let padding = if self.text.is_empty() { space::XS } else { space::S + space::XS / 2.0 };
        let width = self.width.unwrap_or((content + 2.0 * padding).max(self.height));
        let sense = if self.enabled { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(vec2(width, self.height), sense);
        let role = Role::Button;
        response.widget_info(|| WidgetInfo::selected(role, self.enabled, self.selected, self.name));
        if ui.is_rect_visible(rect) {
            let (fill, stroke, ink) = self.colors(style, &response);
            let rounding = CornerRadius::same(radius::M);
            ui.painter().rect(rect, rounding, fill, Stroke::new(size::LINE, stroke), StrokeKind::Inside);
            if response.has_focus() {
                let ring = Stroke::new(2.0 * size::LINE, style.accent);
                ui.painter().rect_stroke(rect, rounding, ring, StrokeKind::Outside);
            }
            let mut left = match self.left {
                true => rect.left() + space::S,
                false => rect.center().x - (content / 2.0).min(width / 2.0 - space::XS / 2.0),
            };
            if let Some(symbol) = self.icon {
                let side = Vec2::splat(size::ICON - 2.0);
                let place = Rect::from_center_size(egui::pos2(left + icon_width / 2.0, rect.center().y), side);
                icon::paint(ui.painter(), place, symbol, ink);
                left += icon_width + gap;
            }
            let place = Rect::from_x_y_ranges(left..=rect.right() - space::XS / 2.0, rect.y_range());
            text::paint(ui.painter(), place, Align2::LEFT_CENTER, self.text, font, ink);
        }
        if self.enabled { response.on_hover_cursor(egui::CursorIcon::PointingHand) } else { response }
    }

    fn colors(&self, style: &Palette, response: &Response) -> (Color32, Color32, Color32) {
        let none = Color32::TRANSPARENT;
        if !self.enabled && self.tone == Tone::Primary && self.height >= size::CONTROL {
            return (style.accent.gamma_multiply(0.3), none, style.text.gamma_multiply(0.5));
        }
        if !self.enabled {
            let border = if self.tone == Tone::Bare { none } else { style.outline };
            return (none, border, style.faint.gamma_multiply(0.55));
        }
        let over = response.hovered() || response.has_focus();
        let down = response.is_pointer_button_down_on();
        if self.selected {
            return (style.accent_soft, style.accent.gamma_multiply(0.5), style.accent);
        }
        match self.tone {
            Tone::Quiet if down => (style.raised, style.accent, style.text),
            Tone::Quiet if over => (style.raised, style.outline_strong, style.text),
            Tone::Quiet => (style.raised.gamma_multiply(0.55), style.outline, style.text),
            Tone::Bare if over => (style.raised, style.outline, style.text),
            Tone::Bare => (none, none, style.muted),
            Tone::Primary => {
                (if over { style.accent.gamma_multiply(0.85) } else { style.accent }, none, style.on_accent)
            }
            Tone::Danger if over => (style.critical_fill, style.critical_fill, style.on_critical),
            Tone::Danger => (style.critical_soft, style.critical.gamma_multiply(0.45), style.critical),
        }
    }
}

/// A row of choices of which one is on. Returns whether it changed.
pub fn segments<T: Copy + PartialEq>(ui: &mut Ui, chosen: &mut T, options: &[(T, &str)]) -> bool {
    let before = *chosen;
    let right_to_left = ui.layout().prefer_right_to_left();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS / 2.0;
        let mut show = |&(value, name): &(T, &str)| {
            if Button::new(name).tone(Tone::Bare).selected(*chosen == value).show(ui).clicked() {
                *chosen = value;
            }
        };
        if right_to_left { options.iter().rev().for_each(&mut show) } else { options.iter().for_each(&mut show) }
    });
    *chosen != before
}

/// A small button that copies `value` and says so for a moment.
pub fn copy(ui: &mut Ui, value: &str, what: &str) {
    let name = format!("Copy {what}");
    let response = Button::icon(Icon::Copy, &name).small().show(ui);
    if response.clicked() {
        ui.ctx().copy_text(value.to_owned());
        super::toast::tell(ui.ctx(), true, &format!("Copied {what}."));
    }
    response.on_hover_text(format!("{name}\n{value}"));
}
