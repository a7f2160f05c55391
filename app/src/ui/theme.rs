//! Gives egui the tokens: fonts, spacing and visuals of both themes, set once at the start.

use std::sync::Arc;

use egui::{CornerRadius, FontData, FontDefinitions, FontFamily, Margin, Shadow, Stroke, TextStyle, Theme, vec2};

use super::tokens::{DARK, LIGHT, Palette, font, radius, size, space};

const INTER: &[u8] = include_bytes!("../../../assets/fonts/Inter-Tabular-Medium.otf");

/// Size of what is read, in points, as the tokens have it.
pub const TEXT_POINTS: f32 = 13.0;

/// Installs fonts and both themes.
pub fn install(ctx: &egui::Context) {
    set_text_points(ctx, TEXT_POINTS);
    for (theme, palette) in [(Theme::Dark, &DARK), (Theme::Light, &LIGHT)] {
        ctx.style_mut_of(theme, |style| apply(style, palette));
    }
}

/// Makes all text larger or smaller: glyphs grow, and with them every line; the tokens' sizes stay what they are.
pub fn set_text_points(ctx: &egui::Context, points: f32) {
    let mut fonts = FontDefinitions::default();
    fonts.font_data.insert("inter".to_owned(), Arc::new(FontData::from_static(INTER)));
    fonts.families.entry(FontFamily::Proportional).or_default().insert(0, "inter".to_owned());
    for data in fonts.font_data.values_mut() {
        Arc::make_mut(data).tweak.scale *= points / TEXT_POINTS;
    }
    ctx.set_fonts(fonts);
}

fn apply(style: &mut egui::Style, palette: &Palette) {
    style.text_styles = [
        (TextStyle::Heading, font::title()),
        (TextStyle::Body, font::body()),
        (TextStyle::Button, font::body()),
        (TextStyle::Small, font::small()),
        (TextStyle::Monospace, font::mono()),
    ]
    .into();
    style.spacing.item_spacing = vec2(space::S, space::S);
    style.spacing.button_padding = vec2(space::S, space::XS);
    style.spacing.interact_size.y = size::CONTROL;
    style.spacing.window_margin = Margin::same(space::L as i8);
    style.spacing.tooltip_width = size::TOAST;
    style.spacing.scroll.bar_width = space::S;
    style.spacing.scroll.floating = true;
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.25;
    style.animation_time = 0.08;

    let visuals = &mut style.visuals;
    visuals.override_text_color = Some(palette.text);
    visuals.weak_text_color = Some(palette.faint);
    visuals.panel_fill = palette.canvas;
    visuals.window_fill = palette.surface;
    visuals.window_stroke = Stroke::new(size::LINE, palette.outline_strong);
    visuals.window_corner_radius = CornerRadius::same(radius::L);
    visuals.menu_corner_radius = CornerRadius::same(radius::M);
    visuals.window_shadow = Shadow { offset: [0, 12], blur: 32, spread: 0, color: palette.shadow };
    visuals.popup_shadow = Shadow { offset: [0, 6], blur: 16, spread: 0, color: palette.shadow };
    visuals.extreme_bg_color = palette.raised;
    visuals.faint_bg_color = palette.hover;
    visuals.code_bg_color = palette.raised;
    visuals.hyperlink_color = palette.accent;
    visuals.warn_fg_color = palette.warning;
    visuals.error_fg_color = palette.critical;
    visuals.selection.bg_fill = palette.accent_soft;
    visuals.selection.stroke = Stroke::new(size::LINE, palette.accent);
    let widgets = &mut visuals.widgets;
    for (state, fill, stroke, text) in [
        (&mut widgets.noninteractive, palette.surface, palette.outline, palette.muted),
        (&mut widgets.inactive, palette.raised, palette.outline, palette.text),
        (&mut widgets.hovered, palette.hover, palette.outline_strong, palette.text),
        (&mut widgets.active, palette.accent_soft, palette.accent, palette.text),
        (&mut widgets.open, palette.raised, palette.outline_strong, palette.text),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(size::LINE, stroke);
        state.fg_stroke = Stroke::new(size::LINE, text);
        state.corner_radius = CornerRadius::same(radius::M);
        state.expansion = 0.0;
    }
}
