//! Design tokens: every colour, distance, radius and type size of the window. Screens use these names and no numbers of their own.
//!
//! Colours are chosen so that the three states (fine, attention, broken) differ in lightness as well as in hue, and no state is told by
//! colour alone: pills carry an icon and a word, matrix cells a shape or a hatch.

use egui::{Color32, FontFamily, FontId};

/// Colours by role.
#[derive(Debug)]
pub struct Palette {
    /// Behind everything.
    pub canvas: Color32,
    /// Nav and status bar.
    pub chrome: Color32,
    /// Cards and tables.
    pub surface: Color32,
    /// Inputs, table headers, chips: one step above a card.
    pub raised: Color32,
    /// Ground of inputs.
    pub input: Color32,
    /// A row or a button under the pointer.
    pub hover: Color32,
    /// Hairlines.
    pub outline: Color32,
    /// Borders of controls.
    pub outline_strong: Color32,
    /// Text that is read first.
    pub text: Color32,
    /// Text that explains.
    pub muted: Color32,
    /// Units, axis labels, placeholders.
    pub faint: Color32,
    /// What can be acted on, and the selected thing.
    pub accent: Color32,
    /// Text on [`Palette::accent`].
    pub on_accent: Color32,
    /// Background of what is selected.
    pub accent_soft: Color32,
    /// Fine (used sparingly: healthy is quiet).
    pub ok: Color32,
    /// Background of [`Palette::ok`] pills.
    pub ok_soft: Color32,
    /// Attention: redundancy or time is being lost.
    pub warning: Color32,
    /// Area colour of attention (hatches, bars).
    pub warning_fill: Color32,
    /// Background of attention.
    pub warning_soft: Color32,
    /// Broken or unavailable.
    pub critical: Color32,
    /// Area colour of broken.
    pub critical_fill: Color32,
    /// Background of broken.
    pub critical_soft: Color32,
    /// Text on [`Palette::critical_fill`].
    pub on_critical: Color32,
    /// Leader cells of the partition map.
    pub leader: Color32,
    /// Rings of in-sync followers.
    pub follower: Color32,
    /// Drop shadows and the veil behind dialogs.
    pub shadow: Color32,
    /// Lines of charts, told apart by lightness too.
    pub series: [Color32; 8],
}

/// No colour.
pub const NOTHING: Color32 = Color32::TRANSPARENT;

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// For dark rooms.
pub static DARK: Palette = Palette {
    canvas: rgb(0x0F1217),
    chrome: rgb(0x0B0D11),
    surface: rgb(0x161A21),
    raised: rgb(0x1F252E),
    input: rgb(0x11151B),
    hover: rgb(0x1C222B),
    outline: rgb(0x262D38),
    outline_strong: rgb(0x3A4452),
    text: rgb(0xE8ECF2),
    muted: rgb(0xA3AFBE),
    faint: rgb(0x8593A3),
    accent: rgb(0x5AA9FF),
    on_accent: rgb(0x06121F),
    accent_soft: rgb(0x17293F),
    ok: rgb(0x47C193),
    ok_soft: rgb(0x12291F),
    warning: rgb(0xF5B642),
    warning_fill: rgb(0xE9A52C),
    warning_soft: rgb(0x33270F),
    critical: rgb(0xFF7A6E),
    critical_fill: rgb(0xD63A2E),
    critical_soft: rgb(0x3B1A18),
    on_critical: rgb(0xFFFFFF),
    leader: rgb(0x4C97EC),
    follower: rgb(0x6C8FB8),
    shadow: Color32::from_black_alpha(140),
    series: [
        rgb(0x5AAEF5),
        rgb(0xDDBB6B),
        rgb(0xC08CF0),
        rgb(0x3CC2A4),
        rgb(0xF095B4),
        rgb(0x9DB0C8),
        rgb(0xB7D36A),
        rgb(0xE58B57),
    ],
};

/// For bright rooms and projectors.
pub static LIGHT: Palette = Palette {
    canvas: rgb(0xF3F5F8),
    chrome: rgb(0xFAFBFC),
    surface: rgb(0xFFFFFF),
    raised: rgb(0xEEF1F5),
    input: rgb(0xFFFFFF),
    hover: rgb(0xF4F7FB),
    outline: rgb(0xDFE4EA),
    outline_strong: rgb(0xC0C9D4),
    text: rgb(0x17202B),
    muted: rgb(0x4C5967),
    faint: rgb(0x5C6979),
    accent: rgb(0x1666CC),
    on_accent: rgb(0xFFFFFF),
    accent_soft: rgb(0xE1EDFC),
    ok: rgb(0x0B7A52),
    ok_soft: rgb(0xDDF3E8),
    warning: rgb(0x8F5E00),
    warning_fill: rgb(0xB07A10),
    warning_soft: rgb(0xFCEFD3),
    critical: rgb(0xA81422),
    critical_fill: rgb(0xD6382B),
    critical_soft: rgb(0xFCE5E2),
    on_critical: rgb(0xFFFFFF),
    leader: rgb(0x2872D0),
    follower: rgb(0x6F93C0),
    shadow: Color32::from_black_alpha(40),
    series: [
        rgb(0x1E77D3),
        rgb(0xB07A00),
        rgb(0x8A4BC9),
        rgb(0x0E8A70),
        rgb(0xC94A78),
        rgb(0x5B6F88),
        rgb(0x648200),
        rgb(0xB8531B),
    ],
};

/// The palette of the theme that is on.
pub fn palette(ui: &egui::Ui) -> &'static Palette {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

/// Distances, in points.
pub mod space {
    /// Between an icon and its word.
    pub const XS: f32 = 4.0;
    /// Between things that belong together.
    pub const S: f32 = 8.0;
    /// Inside cards, between cards.
    pub const M: f32 = 12.0;
    /// Around a screen.
    pub const L: f32 = 16.0;
    /// Between sections.
    pub const XL: f32 = 24.0;
}

/// Corner radii.
pub mod radius {
    /// Cells and bars.
    pub const XS: u8 = 2;
    /// Chips and small buttons.
    pub const S: u8 = 4;
    /// Buttons and inputs.
    pub const M: u8 = 6;
    /// Cards and dialogs.
    pub const L: u8 = 10;
}

/// Heights and widths that several places must agree on.
pub mod size {
    /// Width of the nav.
    pub const NAV: f32 = 184.0;
    /// Height of the status bar.
    pub const STATUS_BAR: f32 = 52.0;
    /// Height of buttons and inputs.
    pub const CONTROL: f32 = 28.0;
    /// Height of the buttons on cards.
    pub const CONTROL_SMALL: f32 = 24.0;
    /// Height of pills.
    pub const PILL: f32 = 20.0;
    /// Height of a table's row.
    pub const ROW: f32 = 32.0;
    /// Height of a table's row where many are read at once.
    pub const ROW_DENSE: f32 = 22.0;
    /// Height of a table's row of two lines.
    pub const ROW_TALL: f32 = 46.0;
    /// Height of a table's header.
    pub const HEADER: f32 = 30.0;
    /// Icons in text.
    pub const ICON: f32 = 16.0;
    /// Icons of the nav.
    pub const ICON_NAV: f32 = 18.0;
    /// Hairlines.
    pub const LINE: f32 = 1.0;
    /// Lines of charts.
    pub const CHART_LINE: f32 = 1.6;
    /// Width of a dialog.
    pub const DIALOG: f32 = 460.0;
    /// Width of a dialog of many fields.
    pub const DIALOG_WIDE: f32 = 680.0;
    /// Width of a toast.
    pub const TOAST: f32 = 380.0;
    /// Width of cards under the pointer.
    pub const TOOLTIP: f32 = 310.0;
    /// Width of the filter boxes.
    pub const FILTER: f32 = 260.0;
}

/// Type.
pub mod font {
    use super::{FontFamily, FontId};

    const fn text(size: f32) -> FontId {
        FontId::new(size, FontFamily::Proportional)
    }

    /// The number of a stat tile.
    pub const fn display() -> FontId {
        text(22.0)
    }

    /// The title of a screen.
    pub const fn title() -> FontId {
        text(18.0)
    }

    /// The title of a card.
    pub const fn heading() -> FontId {
        text(14.5)
    }

    /// Everything that is read.
    pub const fn body() -> FontId {
        text(13.0)
    }

    /// What explains.
    pub const fn small() -> FontId {
        text(12.0)
    }

    /// Units, axis labels, column headers.
    pub const fn tiny() -> FontId {
        text(11.0)
    }

    /// Addresses, ids, commands.
    pub const fn mono() -> FontId {
        FontId::new(12.0, FontFamily::Monospace)
    }

    /// Names of series, in small.
    pub const fn mono_small() -> FontId {
        FontId::new(10.5, FontFamily::Monospace)
    }
}
