//! The design system holds: colours can be told apart and read, states differ in shape, and screens use nothing raw.

use egui::Color32;

use super::*;
use crate::ui::tokens::{DARK, LIGHT, Palette};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;

/// What text needs (WCAG 2, level AA).
const TEXT: f64 = 4.5;
/// What marks need that are looked at and not read.
const MARK: f64 = 3.0;

fn linear(color: Color32) -> [f64; 3] {
    [color.r(), color.g(), color.b()].map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    })
}

fn luminance([r, g, b]: [f64; 3]) -> f64 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(one: Color32, other: Color32) -> f64 {
    let (one, other) = (luminance(linear(one)), luminance(linear(other)));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// How it looks to one without red or without green cones (Viénot, Brettel and Mollon 1999), in linear light.
fn seen_without(color: Color32, is_red: bool) -> [f64; 3] {
    let [r, g, b] = linear(color);
    let mix = |[x, y, z]: [f64; 3]| x * r + y * g + z * b;
    let (same, blue) = if is_red {
        ([0.112_38, 0.887_62, 0.0], [0.004_01, -0.004_01, 1.0])
    } else {
        ([0.292_75, 0.707_25, 0.0], [-0.022_34, 0.022_34, 1.0])
    };
    [mix(same), mix(same), mix(blue)].map(|part| part.clamp(0.0, 1.0))
}

fn distance(one: [f64; 3], other: [f64; 3]) -> f64 {
    // Equal steps of the cube root look about equal.
    one.iter().zip(other).map(|(one, other)| (one.cbrt() - other.cbrt()).powi(2)).sum::<f64>().sqrt()
}

fn themes() -> [(&'static str, &'static Palette); 2] {
    [("dark", &DARK), ("light", &LIGHT)]
}

#[test]
fn text_can_be_read_on_every_ground_it_stands_on() {
    for (theme, style) in themes() {
        let grounds =
            [style.canvas, style.chrome, style.surface, style.raised, style.input, style.hover, style.accent_soft];
        let texts = [style.text, style.muted, style.faint];
        let mut pairs: Vec<(Color32, Color32)> =
            grounds.into_iter().flat_map(|ground| texts.map(|text| (text, ground))).collect();
        for mood in [Mood::Quiet, Mood::Good, Mood::Busy, Mood::Warning, Mood::Critical] {
            let (ink, soft) = mood.colors(style);
            pairs.extend([(ink, soft), (ink, style.surface), (ink, style.canvas)]);
        }
        pairs.extend([
            (style.on_accent, style.accent),
            (style.on_critical, style.critical_fill),
            (style.on_accent, style.leader),
        ]);
        for (text, ground) in pairs {
            let found = contrast(text, ground);
            assert!(found >= TEXT, "{theme}: {text:?} on {ground:?} has {found:.2}");
        }
    }
}

#[test]
fn marks_can_be_seen() {
    for (theme, style) in themes() {
        let marks = [style.leader, style.follower, style.warning_fill, style.critical_fill, style.accent];
        for mark in marks.into_iter().chain(style.series) {
            let found = contrast(mark, style.surface);
            assert!(found >= MARK, "{theme}: {mark:?} has {found:.2}");
        }
        for (mark, soft) in [(style.warning_fill, style.warning_soft), (style.critical_fill, style.critical_soft)] {
            let found = contrast(mark, soft);
            assert!(found >= MARK, "{theme}: {mark:?} on its ground has {found:.2}");
        }
    }
}

#[test]
fn what_is_fine_needs_attention_or_is_broken_differs_for_the_colour_blind_too() {
    for (theme, style) in themes() {
        let fills = [style.leader, style.warning_fill, style.critical_fill];
        let inks = [style.ok, style.warning, style.critical];
        for (set, colors) in [("fills", fills), ("inks", inks)] {
            for is_red in [true, false] {
                for (one, other) in [(0, 1), (0, 2), (1, 2)] {
                    let apart = distance(seen_without(colors[one], is_red), seen_without(colors[other], is_red));
                    assert!(apart > 0.06, "{theme} {set} {one} and {other}, without red cones: {is_red}: {apart:.3}");
                }
            }
        }
    }
}

#[test]
fn states_differ_in_shape_and_word_and_not_in_colour_alone() {
    use crate::ui::model::{Health, PartitionHealth};
    let health = [Health::Starting, Health::Healthy, Health::Degraded, Health::Unavailable].map(Health::pill);
    let icons: Vec<Icon> = health.iter().map(|pill| pill.icon).collect();
    for (index, icon) in icons.iter().enumerate() {
        assert!(!icons[index + 1..].contains(icon), "{icon:?} stands for two states of the cluster");
    }
    let partitions = [
        PartitionHealth::UnderReplicated,
        PartitionHealth::UnderMinIsr,
        PartitionHealth::LeaderUnreachable,
        PartitionHealth::Offline,
    ];
    let words: std::collections::BTreeSet<&str> =
        partitions.into_iter().filter_map(PartitionHealth::pill).map(|pill| pill.text).collect();
    assert_eq!(words.len(), partitions.len());
}

/// What screens may not use, and what there is instead.
const RAW: [(&str, &str); 16] = [
    ("Color32::", "tokens::palette"),
    ("egui::Button", "widgets::button"),
    ("ui.button(", "widgets::button"),
    ("ui.label(", "widgets::text"),
    ("ui.heading(", "widgets::text"),
    ("RichText", "widgets::text"),
    ("ui.checkbox(", "widgets::field::toggle"),
    ("TextEdit", "widgets::field"),
    ("ComboBox", "widgets::picker"),
    ("ui.separator(", "widgets::card::rule"),
    ("FontId", "tokens::font"),
    ("Frame::new", "widgets::card"),
    ("CornerRadius::same(1", "tokens::radius"),
    ("Margin::", "widgets::card"),
    ("selectable_label", "widgets::button::segments"),
    ("Grid::new", "widgets::table"),
];

/// Calls whose first argument is a distance: a name, not a number.
const DISTANCES: [&str; 3] = ["add_space(", "item_spacing.x = ", "item_spacing.y = "];

#[test]
fn screens_use_nothing_raw() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ui/screens");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        count += 1;
        for (number, line) in source.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let place = format!("{}:{}", path.display(), number + 1);
            for (raw, instead) in RAW {
                assert!(!line.contains(raw), "{place} uses {raw}: there is {instead}");
            }
            for call in DISTANCES {
                let digit = line.split(call).nth(1).and_then(|rest| rest.chars().next());
                let is_raw = digit.is_some_and(|digit| digit.is_ascii_digit() && digit != '0');
                assert!(!is_raw, "{place} has a distance of its own: there is tokens::space");
            }
        }
    }
    assert!(count > 15, "the screens are somewhere else now");
}

#[test]
fn the_gallery_shows_every_widget_in_both_themes() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        let mut window =
            Window::open(View::default(), Options { screen: Screen::Gallery, theme, ..Options::default() });
        for part in [
            "Type and colours",
            "Warning: 1,234",
            "Danger, off, small",
            "With a complaint",
            "A toggle",
            "By decades, exact value",
        ] {
            assert!(window.shows(part), "{part}");
        }
        assert!(window.shows("row-1, Good, 1,000") && window.shows("Columns of gallery"));
        window.click("A dialog");
        assert!(window.shows("This dialog does nothing."));
        window.click("Cancel");
        window.click("Bad news");
        assert!(window.shows("Topic orders was not created"));
    }
    assert_eq!("gallery".parse(), Ok(Screen::Gallery));
    assert!(!Screen::ALL.contains(&Screen::Gallery), "it is not in the nav");
}
